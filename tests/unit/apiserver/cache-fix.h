/* SPDX-License-Identifier: Apache-2.0 */
/* A world over a store in a folder of its own; writes, waits and watches that are waited for. */
#pragma once

#include "../store/fixture.h"
#include "api/api.h"
#include "apiserver/objects/cache-private.h"
#include "base/arena.h"

struct cfix {
	struct fix *f;
	struct world *w;
	struct cache *pods, *nodes;
	struct world_conf conf;
	bool started;
	int result;
	struct err err;
};

static const struct api_group core_group = { .group = "", .version = "v1", .api_version = "v1" };
static const char *const pod_fields[] = {
	"spec.nodeName", "spec.restartPolicy", "spec.hostNetwork", "status.phase",
	"status.podIP",	 "status.podIPs",      "spec.host",	   NULL,
};
static const char *const no_fields[] = { NULL };
static const struct api_kind pod_kind = {
	.group = &core_group, .kind = "Pod", .namespaced = true, .selectable = pod_fields
};
static const struct api_kind node_kind = { .group = &core_group,
					   .kind = "Node",
					   .selectable = no_fields };

static inline void on_start(void *arg, int result, struct err *err)
{
	struct cfix *x = arg;

	x->started = true;
	x->result = result;
	if (err)
		x->err = *err;
}

static inline int world_try(struct cfix *x)
{
	x->conf.loop = x->f->loop;
	x->conf.store = x->f->s;
	x->started = false;
	x->w = world_new(&x->conf);
	x->pods = world_add(x->w,
			    &(struct cache_conf){ .prefix = "/registry/pods/", .kind = &pod_kind });
	x->nodes = world_add(
		x->w, &(struct cache_conf){ .prefix = "/registry/minions/", .kind = &node_kind });
	world_start(x->w, on_start, x);
	assert_false(x->started);
	wait_for(x->f, &x->started);
	return x->result;
}

static inline void world_open(struct cfix *x)
{
	if (world_try(x) < 0)
		fail_msg("%s", x->err.msg);
	assert_true(cache_ready(x->pods));
}

static inline void world_close(struct cfix *x)
{
	world_free(x->w);
	x->w = NULL;
}

/* The store too. */
static inline void world_again(struct cfix *x)
{
	world_close(x);
	fix_close(x->f);
	fix_open(x->f);
	world_open(x);
}

static inline int cache_setup(void **state)
{
	struct cfix *x = calloc(1, sizeof(*x));
	void *f;

	assert_non_null(x);
	setup(&f);
	x->f = f;
	world_open(x);
	*state = x;
	return 0;
}

static inline int cache_teardown(void **state)
{
	struct cfix *x = *state;
	void *f = x->f;

	world_close(x);
	teardown(&f);
	free(x);
	return 0;
}

/* ---- writes ---- */

struct wr {
	struct cache_write w;
	struct cache_op op;
	bool done;
	int64_t revision; /* of the result; 0: none */
	char json[512];
};

static inline void on_write(struct cache_write *w)
{
	struct wr *r = CONTAINER_OF(w, struct wr, w);
	struct item *i = r->op.result;

	r->done = true;
	r->revision = i ? item_revision(i) : 0;
	r->json[0] = '\0';
	if (i)
		snprintf(r->json, sizeof(r->json), "%.*s", (int)item_json(i).n, item_json(i).p);
}

static inline void wr_start(struct cfix *x, struct wr *r, struct cache *c, const char *key,
			    const char *json, int64_t expect)
{
	*r = (struct wr){ .op = { .cache = c,
				  .key = slice_str(key),
				  .json = slice_str(json),
				  .expect = expect,
				  .ttl = r->op.ttl } };
	r->w.ops = &r->op;
	r->w.n = 1;
	r->w.done = on_write;
	cache_write(x->w, &r->w);
	assert_false(r->done);
}

static inline int wr_do(struct cfix *x, struct wr *r, struct cache *c, const char *key,
			const char *json, int64_t expect)
{
	wr_start(x, r, c, key, json, expect);
	wait_for(x->f, &r->done);
	return r->w.result;
}

/* A pod's JSON, in a static buffer. */
static inline const char *pod_json(const char *key, const char *labels, const char *node)
{
	static char s[2048];
	const char *slash = strchr(key, '/');

	snprintf(s, sizeof(s),
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		 "\"namespace\":\"%.*s\",\"uid\":\"u\"%s%s},\"spec\":{%s%s%s}}",
		 slash + 1, (int)(slash - key), key, *labels ? ",\"labels\":" : "", labels,
		 *node ? "\"nodeName\":\"" : "", node, *node ? "\"" : "");
	return s;
}

static inline int64_t pod_put(struct cfix *x, const char *key, const char *labels, const char *node)
{
	struct wr r = { 0 };

	if (wr_do(x, &r, x->pods, key, pod_json(key, labels, node), CACHE_ANY_REVISION) != 0)
		fail_msg("%s: %s", key, r.w.err.msg);
	return r.w.revision;
}

static inline int64_t pod_del(struct cfix *x, const char *key)
{
	struct wr r = { 0 };

	if (wr_do(x, &r, x->pods, key, "", CACHE_ANY_REVISION) != 0)
		fail_msg("%s: %s", key, r.w.err.msg);
	return r.w.revision;
}

/* ---- watches ---- */

struct cw {
	struct cache_watch w;
	struct cfix *x;
	int room; /* changes that it takes; -1: all */
	unsigned n, flushes;
	bool over;
	struct err err;
	struct buf text; /* "+key@rev " added, "*" modified, "-" deleted */
};

static inline int cw_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	struct cw *c = CONTAINER_OF(w, struct cw, w);

	(void)buf_addf(&c->text, "%c%.*s@%lld ", "+*-"[what], (int)item_key(i).n, item_key(i).p,
		       (long long)item_revision(i));
	c->n++;
	return c->room > 0 && --c->room == 0;
}

static inline void cw_flush(struct cache_watch *w)
{
	CONTAINER_OF(w, struct cw, w)->flushes++;
}

static inline void cw_end(struct cache_watch *w, const struct err *err)
{
	struct cw *c = CONTAINER_OF(w, struct cw, w);

	c->over = true;
	c->err = *err;
}

static inline int cw_try(struct cfix *x, struct cw *c, const char *prefix, int64_t after)
{
	c->x = x;
	c->n = c->flushes = 0;
	c->over = false;
	c->text = BUF_INIT(1 << 20);
	c->room = c->room ? c->room : -1;
	c->w.prefix = slice_str(prefix);
	c->w.change = cw_change;
	c->w.flush = cw_flush;
	c->w.end = cw_end;
	return cache_watch(x->pods, &c->w, after, &x->err);
}

static inline void cw_start(struct cfix *x, struct cw *c, const char *prefix, int64_t after)
{
	if (cw_try(x, c, prefix, after) < 0)
		fail_msg("%s", x->err.msg);
	assert_int_equal(c->n, 0);
}

static inline void cw_stop(struct cw *c)
{
	cache_unwatch(&c->w);
	buf_fini(&c->text);
}

/* Rounds of the loop until nothing is left to do. */
static inline void settle(struct cfix *x)
{
	while (loop_step(x->f->loop, 0, &x->err) > 0)
		;
}
