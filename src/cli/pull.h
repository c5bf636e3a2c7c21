/* SPDX-License-Identifier: Apache-2.0 */
/* Pulls as `pull`, `run` and `create` make them. */
#pragma once

#include <stdbool.h>

struct arena;
struct cmd_call;
struct err;

struct pull_request {
	const char *ref; /* as typed */
	const char *platform;
	bool all_tags, quiet;
	const char *lazy; /* NULL, or pull_lazy() */
	int fd;		  /* progress goes there */
};
/* The engine's word for the two flags; *ret NULL: neither. -ERR_BAD_REQUEST: the second alone. */
int pull_lazy(bool lazy, bool early, const char **ret, struct err *err);
int pull_image(struct cmd_call *call, const struct pull_request *rq, struct err *err);

/* X-Registry-Auth for an image's registry by the user's credentials, in the call's arena; "e30="
 * ("{}") when there are none. */
int pull_registry_auth(struct cmd_call *call, const char *host, const char **ret, struct err *err);
