/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Docker Engine API (1.24 to 1.50) over the container service: requests are read, checked and
 * turned into calls of the engine; its answers become JSON, log frames or handed-over sockets. No
 * container is ever touched from here. One event loop, not thread safe.
 */
#pragma once

#include "base/cleanup.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>

struct docker_api;
struct engine;
struct err;
struct http_server;
struct image_remotes;
struct loop;

/* The API on a loop: answers the streams of its server. Calls still pending when it is freed are
 * reset. */
int docker_api_new(struct loop *l, struct engine *e, struct docker_api **ret, struct err *err);
void docker_api_free(struct docker_api *api);
DEFINE_CLEANUP(struct docker_api *, docker_api_free)
struct http_server *docker_api_server(struct docker_api *api);
/* How registries are reached; outlives the API. NULL (as at first) = nothing configured. */
void docker_api_set_remotes(struct docker_api *api, const struct image_remotes *remotes);
/* All pulls begin lazily where they can; else those that ask for it. trust: by a registry's index
 * too. */
void docker_api_set_lazy(struct docker_api *api, bool on, bool trust, bool early);
void docker_api_set_debug(struct docker_api *api, bool on); /* what info shows */

struct docker_engine_conf {
	const char *root, *run;	  /* as engine_conf */
	const char *const *hosts; /* "unix:///path" */
	size_t nhosts;		  /* 0 = unix://<run>/docker.sock */
	/* As in image/remotes.h. */
	const char *const *insecure, *const *mirrors;
	size_t ninsecure, nmirrors;
	const char *bip;	    /* NULL = picked */
	const char *storage_driver; /* NULL = auto */
	bool no_bridge, debug;
	bool lazy;	    /* every pull may begin lazily (image/pull.h) */
	bool lazy_trust;    /* also by indexes that a registry has */
	bool lazy_early;    /* also layers without one, while they come for the first time */
	unsigned lazy_wait; /* seconds; 0 = the default */
	enum log_format log_format;
	const char *pid_file; /* NULL = none */
};
/*
 * The role `engine`: serves until SIGTERM or SIGINT; containers run on. Returns the exit status;
 * negative with err when it could not begin. With TEU_READY_FD in the environment one byte is
 * written to that fd when it answers.
 */
int docker_engine_main(const struct docker_engine_conf *conf, struct err *err);

#define DOCKER_API_VERSION "1.50"
#define DOCKER_API_VERSION_MIN "1.24"
/* Which docker we stand in for, and who we are behind the plus sign. */
#define DOCKER_ENGINE_VERSION "28.2.2+teu" TEU_VERSION
