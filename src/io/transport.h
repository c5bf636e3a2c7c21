/* SPDX-License-Identifier: Apache-2.0 */
/* Private to io: TLS as the transport of a connection (conn.h says what a transport does). */
#pragma once

#include <stdint.h>

struct conn;
struct err;
struct tls_conf;

/* Before conn_start. name and port: as tls_new (a client's; NULL, 0 on a server). */
int conn_use_tls(struct conn *c, struct tls_conf *conf, const char *name, uint16_t port,
		 struct err *err);
