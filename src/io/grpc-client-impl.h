/* SPDX-License-Identifier: Apache-2.0 */
/* Private to gRPC: the client. */
#pragma once

#include "io/grpc-impl.h"
#include "io/http-client.h"

struct grpc_client {
	struct loop *loop;
	struct grpc_client_conf conf;
	struct http_client *http;
	struct list calls, unaries;
	struct buf scratch;
	struct retry_budget budget;
	struct grpc_client_stats stats;
	uint64_t seed;
};

/* Those that run end CANCELLED. */
void grpc_unary_free_all(struct grpc_client *cl);
/* As grpc_client_open with an encoded time and the number of earlier attempts. */
int grpc_client_open_(struct grpc_client *cl, const char *service, const struct grpc_method *m,
		      const struct grpc_call_opts *opts, unsigned attempts, struct grpc_call **ret,
		      struct err *err);
