/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the front share. Private to src/docker. */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "doc/json.h"
#include "docker/docker.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "image/image.h"
#include "io/http-server.h"
#include "io/router.h"
#include "io/stream.h"
#include "io/url.h"

#define API_MINOR_MAX 50
#define API_MINOR_MIN 24 /* as we tell it */
/* Older clients of libraries ask for a fixed version (containers/image: 1.22) and nothing of what
 * they use has changed: they get what 1.24 gives. */
#define API_MINOR_TAKEN 22
#define BODY_MAX (4u << 20) /* JSON bodies */

struct route_match;
struct work_pool;
struct call;
typedef void call_fn(struct call *c);

/* One row per operation of the API. */
struct op {
	const char *method, *pattern;
	call_fn *fn;
	const char *name; /* in "<name> is not supported yet" */
};
extern const struct op docker_ops[];
extern const size_t docker_ops_n;

struct docker_api {
	struct loop *loop;
	struct route *rows;
	struct engine *engine;
	struct router *router;
	struct http_server *server;
	bool debug;
	struct work_pool *flows;     /* flow.c; made when it is first needed */
	struct work_pool *transfers; /* pulls, pushes, questions to registries */
	const struct image_remotes *remotes;
	/* All pulls and pushes; indexes of registries; layers that come for the first time. */
	bool lazy, lazy_trust, lazy_early;
	struct list watches; /* long-lived answers: waits, events, logs; ended when we end */
};

/* One request. Lives in the stream's arena: as long as someone holds the stream. */
struct call {
	struct docker_api *api;
	struct engine *e;
	struct stream *s;
	struct arena *a;
	struct query q;
	unsigned minor;		     /* of the API version asked for: 1.<minor> */
	const struct route_match *m; /* valid until the handler returns */
	const char *ref;	     /* what a handler keeps of the path for its body callback */
};

/* ---- api.c: dispatch and answers ---- */

/* "/v1.41/info" -> rest "/info" and minor 41; no prefix gives the newest. Negative with docker's
 * words. */
int version_cut(const char *path, const char **ret_rest, unsigned *ret_minor, struct err *err);

void reply_err(struct call *c, const struct err *err); /* err_docker_status and {"message"} */
void reply_fail(struct call *c, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
void reply_doc(struct call *c, int status, const struct doc *d);
void reply_none(struct call *c, int status);
/* For operations: 204, 304 when it was so already, or the error. Also drops the stream. */
void reply_done(void *arg, int result, struct err *err);
/* {id} or {name}. 0, or negative after the answer was given. */
int call_container(struct call *c, struct container **ret);
/* Reads the JSON body and calls fn with it (NULL when it is empty and may be); answers errors
 * itself. */
typedef void body_fn(struct call *c, struct doc *body);
void call_read_body(struct call *c, bool optional, body_fn *fn);
/* Is a query parameter an integer? absent gives dflt. Negative after the answer was given. */
int call_int(struct call *c, const char *name, int64_t dflt, int64_t *ret);

/* All values of a query parameter, NULL-terminated. */
const char *const *call_texts(struct call *c, const char *name, size_t *ret_n);

/* ---- filters.c ---- */

struct filter {
	const char *key, *value;
};
struct filters {
	struct filter *v;
	size_t n;
};
/* known: accepted keys, NULL-terminated. Reads "filters" in both encodings. */
int filters_parse(struct call *c, const char *const *known, struct filters *ret, struct err *err);
bool filters_has(const struct filters *f, const char *key);
const char *filters_nth(const struct filters *f, const char *key, size_t i);
/* No such filter, or one of its values is this text. */
bool filters_exact(const struct filters *f, const char *key, const char *text);
/* No such filter, or one value matches as docker's names do: as a part, or as an extended regular
 * expression. */
bool filters_match(const struct filters *f, const char *key, const char *text);
/* All "k" or "k=v" of `key` hold. */
bool filters_labels(const struct filters *f, const char *key, const struct str_map *labels);
/* 1, 0, or dflt when absent; -ERR_BAD_REQUEST for another word. */
int filters_bool(const struct filters *f, const char *key, int dflt, struct err *err);
int filters_invalid(const char *key, const char *value, struct err *err);

/* ---- show.c: containers as documents ---- */

void show_time(struct arena *a, struct doc *obj, const char *key, int64_t ns);
/* "Up 5 minutes", "Exited (0) 2 hours ago". */
void show_status(const struct container *ct, int64_t now, char *dst, size_t n);
void show_ago(int64_t ns, char *dst, size_t n); /* "5 minutes" */
void show_mounts(struct call *c, const struct container *ct, struct doc *arr);
void show_networks(struct call *c, const struct container *ct, struct doc *obj);

/* ---- handlers ---- */

call_fn ping_handle, version_handle, info_handle, events_handle, df_handle;
call_fn containers_list, container_create, container_inspect, container_start, container_stop,
	container_restart, container_kill, container_remove, container_rename, container_resize,
	container_wait, container_attach, container_logs;
call_fn container_commit, container_changes, container_export, image_get, images_get;
call_fn exec_create, exec_start, exec_resize, exec_inspect;
/* transfer.c: X-Registry-Auth, decoded; strings in the call's arena. */
struct remote_auth;
int call_registry_auth(struct call *c, struct remote_auth *ret, struct err *err);
/* save.c: JSON of an OCI platform object to "os/arch[/variant]", in the arena. */
int platform_of_json(struct call *c, const char *text, const char **ret, struct err *err);
/* All of a query's key, each such an object: none, one, or (API 1.52's client) several. */
int call_platforms(struct call *c, const char *key, struct strv *ret, struct err *err);
void image_pull_begin(struct call *c);

call_fn auth_handle, distribution_handle, images_search, images_prune, image_push_handle;
call_fn images_list, image_inspect, images_create, images_load, image_tag_handle, image_delete,
	image_history;
call_fn networks_list, network_inspect, volumes_list, volume_inspect;
call_fn not_supported;

/* ---- keys.c ---- */

/* "ctrl-p,ctrl-q" to bytes. absent or "" gives the default. */
int detach_keys_parse(struct arena *a, const char *text, struct slice *ret, struct err *err);

/* ---- long-lived answers ---- */

/* Embedded in what streams until the client leaves. end() lets go of the stream. */
struct watch {
	struct list link;
	void (*stop)(struct watch *w);
};
