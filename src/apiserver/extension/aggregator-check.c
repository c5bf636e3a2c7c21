/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether another API server answers. What can be told from its Service and endpoints is told
 * first, in upstream's words; then one endpoint is asked for the discovery document, and if that
 * fails some more at once: one answer is enough. The document is what discovery tells of it; one
 * that cannot be understood leaves the last one, as stale.
 */
#include "apiserver/extension/aggregator-private.h"

#include "apiserver/outward/service-endpoint.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/work.h"
#include "io/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READING_MAX (64u << 20) /* a document of 4 MiB as nodes */
#define EVERY (30 * NS_PER_SEC)
#define RETRY_MIN NS_PER_SEC
#define GAP (100 * NS_PER_MS) /* between two checks, however often things change */

/* ---- what was found ---- */

void remote_count(struct remote *r, bool available, const char *ceased)
{
	const char *const labels[] = { r->name, ceased };

	if (r->g->unavailable)
		metric_set(metric_with(r->g->unavailable, labels), !available);
	if (r->g->unavailables && ceased)
		metric_inc(metric_with(r->g->unavailables, labels));
}

static PRINTF(4, 5) void verdict(struct remote *r, bool available, const char *reason,
				 const char *fmt, ...)
{
	const bool was = r->checked ? r->available : r->claimed;
	va_list ap;

	remote_count(r, available, was && !available ? reason : NULL);
	va_start(ap, fmt);
	(void)vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
	r->failures = available ? 0 : r->failures + 1;
	r->checked = r->news = true;
	r->available = available;
	(void)str_copy(r->reason, sizeof(r->reason), reason);
	if (r->g->changed)
		r->g->changed(r->g->changed_arg);
}

static void set_fresh(struct remote *r, bool fresh)
{
	if (r->fresh != fresh)
		r->g->generation++;
	r->fresh = fresh;
}

/* In the place of what was there; it is taken. */
static int keep(struct remote *r, struct buf *at, struct buf *out, struct err *err)
{
	struct aggregator *g = r->g;

	if (g->kept - at->n + out->n > REMOTE_KEPT_MAX)
		return err_set(err, ERR_QUOTA, "the documents of all servers are too large");
	g->kept += out->n - at->n;
	buf_fini(at);
	*at = *out;
	*out = BUF_INIT(1);
	g->generation++;
	return 0;
}

static void not_understood(const struct remote *r, const char *what, const struct err *err)
{
	log_kv(LOG_LEVEL_WARN, "a document of an API server was not understood", "apiservice",
	       r->name, "document", what, "error", err->msg, NULL);
}

/* What it serves, if that is new. */
static void learn(struct remote *r, struct slice body)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(REMOTE_DOCUMENT_MAX);
	struct aggregator *g = r->g;
	struct err err = ERR_INIT;
	char hash[sizeof(r->document)];

	sha256_hex(body.p, body.n, hash);
	if (strcmp(hash, r->document) == 0) {
		set_fresh(r, r->resources.n > 0);
		return;
	}
	(void)str_copy(r->document, sizeof(r->document), hash);
	arena_reset(g->a);
	if (remote_resources(body, r->gv, g->a, &out, &err) < 0 ||
	    keep(r, &r->resources, &out, &err) < 0) {
		not_understood(r, "discovery", &err);
		set_fresh(r, false);
		return;
	}
	set_fresh(r, true);
}

/* ---- one check ---- */

static int64_t next_time(const struct remote *r)
{
	int64_t base = EVERY;

	if (!r->available) {
		base = RETRY_MIN << MIN(r->failures, 6u);
		base = MIN(base, EVERY);
	}
	return base - base / 5 + (int64_t)(random_u64() % (uint64_t)(base * 2 / 5 + 1));
}

static void check_over(struct remote *r)
{
	timer_set_after(&r->again, r->dirty ? GAP : next_time(r));
	r->dirty = false;
}

/* ---- what /openapi/v2 says, read by a worker ---- */

struct reading {
	struct work work;
	struct remote *r; /* NULL: nobody wants it any more */
	char *gv;
	char etag[sizeof(((struct remote *)0)->etag)];
	struct buf body, out;
	int result;
	struct err err;
};

static void reading_free(struct reading *x)
{
	buf_fini(&x->body);
	buf_fini(&x->out);
	free(x->gv);
	free(x);
}

/* On a worker's thread. */
static void read_swagger(struct work *w)
{
	struct reading *x = CONTAINER_OF(w, struct reading, work);
	CLEANUP(arena_free) struct arena *a = arena_new("OpenAPI of an API server", READING_MAX);

	x->result = remote_swagger(buf_slice(&x->body), x->gv, a, &x->out, &x->err);
	x->err.causes = NULL; /* the arena's */
}

static void swagger_read(struct work *w)
{
	struct reading *x = CONTAINER_OF(w, struct reading, work);
	struct remote *r = x->r;

	if (r) {
		r->reading = NULL;
		(void)str_copy(r->etag, sizeof(r->etag), x->etag);
		if (x->result < 0 || keep(r, &r->swagger, &x->out, &x->err) < 0)
			not_understood(r, "/openapi/v2", &x->err);
		check_over(r);
	}
	reading_free(x);
}

/* 304: it is as it was. One without OpenAPI is none the worse. */
static void on_swagger(struct fetch *f, int status, int result, struct slice body, struct err *err)
{
	struct remote *r = f->r;
	struct reading *x;

	(void)status;
	if (result < 0) {
		check_over(r);
		return;
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		abort(); /* a true out-of-memory ends the process */
	x->r = r;
	x->gv = strdup(r->gv);
	(void)str_copy(x->etag, sizeof(x->etag), f->got);
	x->body = BUF_INIT(REMOTE_SWAGGER_MAX);
	x->out = BUF_INIT(REMOTE_SWAGGER_MAX);
	if (x->gv && buf_add(&x->body, body.p, body.n) == 0 &&
	    work_submit(r->g->readers, &x->work, read_swagger, swagger_read, err) == 0) {
		r->reading = x;
		return;
	}
	reading_free(x); /* many wait: it is asked for again */
	check_over(r);
}

static void on_index(struct fetch *f, int status, int result, struct slice body, struct err *err)
{
	struct remote *r = f->r;
	const char *url = NULL;

	(void)status;
	(void)err; /* one without OpenAPI is none the worse */
	arena_reset(r->g->a);
	if (result == 0)
		url = remote_index(body, r->gv, r->g->a);
	if ((url != NULL) != (r->openapi != NULL) || (url && strcmp(url, r->openapi) != 0)) {
		free(r->openapi);
		r->openapi = url ? strdup(url) : NULL;
		r->g->generation++;
	}
	fetch_start(&r->paths);
}

static void passed(struct remote *r, int result, struct slice body)
{
	for (size_t i = 0; i < REMOTE_TRIES; i++)
		fetch_cancel(&r->tries[i]);
	r->running = 0;
	if (result == 0)
		learn(r, body);
	else /* it broke off, or is too long */
		set_fresh(r, false);
	verdict(r, true, "Passed", "all checks passed");
	fetch_start(&r->index);
}

static void try_others(struct remote *r)
{
	for (size_t i = 1; i < REMOTE_TRIES; i++) {
		r->running++;
		fetch_start(&r->tries[i]);
	}
}

static void on_document(struct fetch *f, int status, int result, struct slice body, struct err *err)
{
	struct remote *r = f->r;

	r->running--;
	if (status / 100 == 2) {
		passed(r, result, body);
		return;
	}
	if (f == &r->tries[0]) {
		try_others(r);
		return;
	}
	if (r->running)
		return;
	if (status)
		verdict(r, false, "FailedDiscoveryCheck", "failing or missing response from %s: %s",
			f->url, err->msg);
	else
		verdict(r, false, "FailedDiscoveryCheck",
			"failing or missing response from %s: Get \"%s\": %s", f->url, f->url,
			err->msg);
	set_fresh(r, false);
	check_over(r);
}

/* What the Service and its endpoints tell. False: there is nobody to be asked. */
static bool look_first(struct remote *r)
{
	struct service_endpoint e = { .ns = r->ns, .name = r->service, .port = r->port };

	arena_reset(r->g->a);
	service_endpoint_look(r->g->rs, r->g->a, &e);
	if (!e.exists)
		verdict(r, false, "ServiceNotFound", "service/%s in \"%s\" is not present",
			r->service, r->ns);
	else if (!e.cluster)
		return true; /* the others are only asked, as upstream does */
	else if (!e.has_port)
		verdict(r, false, "ServicePortError",
			"service/%s in \"%s\" is not listening on port %u", r->service, r->ns,
			r->port);
	else if (!e.slices)
		verdict(r, false, "EndpointsNotFound",
			"cannot find endpoints for service/%s in \"%s\"", r->service, r->ns);
	else if (!e.ready)
		verdict(r, false, "MissingEndpoints",
			"endpoints for service/%s in \"%s\" have no addresses with port name "
			"\"%s\"",
			r->service, r->ns, e.port_name);
	else
		return true;
	set_fresh(r, false);
	return false;
}

static int on_again(struct timer *t)
{
	struct remote *r = CONTAINER_OF(t, struct remote, again);

	r->dirty = false;
	r->begun = loop_now(r->g->loop);
	if (!look_first(r)) {
		check_over(r);
		return 0;
	}
	r->running = 1;
	fetch_start(&r->tries[0]);
	return 0;
}

/* ---- life ---- */

void remote_check_init(struct remote *r)
{
	const size_t n = strlen(r->gv) + sizeof("/apis/");
	char *path = malloc(n);

	if (!path)
		abort(); /* a true out-of-memory ends the process */
	(void)snprintf(path, n, "/apis/%s", r->gv);
	for (size_t i = 0; i < REMOTE_TRIES; i++)
		r->tries[i] = (struct fetch){
			.r = r, .path = path, .max = REMOTE_DOCUMENT_MAX, .done = on_document
		};
	r->index = (struct fetch){
		.r = r, .path = "/openapi/v3", .max = REMOTE_INDEX_MAX, .done = on_index
	};
	r->paths = (struct fetch){ .r = r,
				   .path = "/openapi/v2",
				   .etag = r->etag,
				   .max = REMOTE_SWAGGER_MAX,
				   .done = on_swagger };
	r->path = path;
	r->etag[0] = '\0';
	r->resources = BUF_INIT(REMOTE_DOCUMENT_MAX);
	r->swagger = BUF_INIT(REMOTE_SWAGGER_MAX);
	timer_init(&r->again, r->g->loop, on_again);
}

void remote_check_soon(struct remote *r)
{
	if (r->running || r->index.running || r->paths.running || r->reading)
		r->dirty = true;
	else
		timer_set(&r->again, MAX(loop_now(r->g->loop), r->begun ? r->begun + GAP : 0));
}

void remote_check_stop(struct remote *r)
{
	for (size_t i = 0; i < REMOTE_TRIES; i++)
		fetch_cancel(&r->tries[i]);
	fetch_cancel(&r->index);
	fetch_cancel(&r->paths);
	if (r->reading)
		STEAL(r->reading)->r = NULL; /* the worker's until it is done */
	timer_fini(&r->again);
	r->g->kept -= r->resources.n + r->swagger.n;
	buf_fini(&r->resources);
	buf_fini(&r->swagger);
	free(STEAL(r->openapi));
	free(STEAL(r->path));
}
