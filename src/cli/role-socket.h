/* SPDX-License-Identifier: Apache-2.0 */
/* A running role is asked by its admin socket below --run. */
#pragma once

#include "base/str.h"

struct cmd_call;
struct doc;
struct err;

/* *ret: the answer's JSON, in the call's arena. -ERR_UNAVAILABLE: nobody listens there; other
 * codes: what the role said. */
int role_socket_ask(struct cmd_call *call, const char *socket, const char *method,
		    const char *target, struct doc **ret, struct err *err);
/* GET into a file descriptor, whatever its size. */
int role_socket_get(struct cmd_call *call, const char *socket, const char *target, int fd,
		    struct err *err);
