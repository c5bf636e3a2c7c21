/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which registries there are and how they are reached: what an engine's configuration says, put
 * together with the credentials of one request. Immutable after it was filled; any thread.
 */
#pragma once

#include "base/cleanup.h"
#include "image/remote.h"

#include <stdatomic.h>
#include <stddef.h>

struct err;
struct image_name;

struct image_remotes {
	/* Hosts ("reg.example:5000") and networks ("10.0.0.0/8") that may speak plain HTTP or show
	 * certificates of unknown makers. Loopback always may speak plain HTTP. */
	const char *const *insecure;
	size_t ninsecure;
	const char *const *mirrors; /* of docker.io, as in struct remote_conf */
	size_t nmirrors;
	const char *certs_dir; /* NULL = the default */
};

/* What a request adds. Borrowed for the life of the remote, but auth, which is copied. */
struct image_remote_use {
	const struct remote_auth *auth; /* NULL = anonymous */
	/* As in struct remote_conf: the engine never talks with a registry itself. */
	const char *program;
	const atomic_bool *cancel;
	void (*notice)(void *ctx, const char *text);
	void *ctx;
};

/* -ERR_BAD_REQUEST names the first entry that is no host, network or mirror address. */
int image_remotes_check(const struct image_remotes *rs, struct err *err);
/* conf NULL = nothing configured. use may be NULL. */
int image_remotes_open(const struct image_remotes *conf, const char *host,
		       const struct image_remote_use *use, struct remote **ret, struct err *err);
/* "localhost:5000" of "localhost:5000/a/b", and "a/b". */
void image_name_split(const struct image_name *n, char host[256], const char **ret_repo);
