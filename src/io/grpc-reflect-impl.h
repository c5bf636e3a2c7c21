/* SPDX-License-Identifier: Apache-2.0 */
/* Private to gRPC's reflection: files of descriptors made from schema rows. */
#pragma once

#include "base/list.h"
#include "base/str.h"

struct grpc_server;

/* One package as a FileDescriptorProto. */
struct grpc_file {
	struct list link;
	char *package, *name;			      /* "runtime.v1", "runtime/v1.proto" */
	struct buf bytes;			      /* the descriptor, once it is closed */
	struct buf messages, services, symbols, deps; /* symbols, deps: lines */
};

/* Makes srv->files of all services that are there. */
void grpc_files_make(struct grpc_server *srv);
void grpc_files_free(struct grpc_server *srv);
/* NULL when no file has it. */
struct grpc_file *grpc_file_by_name(struct grpc_server *srv, struct slice name);
struct grpc_file *grpc_file_by_symbol(struct grpc_server *srv, struct slice symbol);
