/* SPDX-License-Identifier: Apache-2.0 */
/* Private to gRPC: the server, with what health and reflection keep in it. */
#pragma once

#include "io/grpc-impl.h"

struct grpc_health_entry {
	enum grpc_serving status;
	char name[];
};

struct grpc_added {
	struct list link;
	const struct grpc_service *svc;
};

struct grpc_server {
	struct loop *loop;
	struct grpc_server_conf conf;
	struct map routes; /* by path */
	struct list calls, services, watchers;
	struct buf scratch;
	struct grpc_server_stats stats;
	bool has_health;
	struct map health; /* struct grpc_health_entry by service */
	struct list files; /* reflection's, made when first asked for */
};

void grpc_health_free(struct grpc_server *srv);
void grpc_reflect_free(struct grpc_server *srv);
