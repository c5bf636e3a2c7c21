/* SPDX-License-Identifier: Apache-2.0 */
/* Webhooks: events to bodies, bodies to their receivers. The exchanges run on the registry's own
 * loop, so a receiver that is slow costs a connection and no thread. */
#include "registry/webhook.h"

#include "base/fd.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "io/http-client.h"
#include "registry/hooks.h"
#include "registry/jobs-run.h"
#include "registry/private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define EVENTS_TYPE "application/vnd.docker.distribution.events.v1+json"
#define AT_ONCE 4
#define BACK_OFF (500 * NS_PER_MS)
#define BACK_OFF_MAX (300 * NS_PER_SEC)
#define ARENA_MAX (256u << 10)
#define ANSWER_MAX (64u << 10) /* of an answer's body, which nobody reads */
#define SECRET_MAX 4096

struct secret {
	char text[SECRET_MAX];
	size_t n; /* 0 = none */
};

struct hook {
	struct hooks *h;
	const struct hooks_hook *conf;
	struct http_client *client;
	const char *target; /* path and query */
	struct runner *runner;
	struct list sends;
	struct secret secret, old;
	char queue[JOBS_NAME_MAX];
};

struct webhooks {
	struct hooks *h;
	struct hook *v;
	size_t n;
};

/* One exchange: of a job, or a test. */
struct send {
	struct list link;
	struct hook *hook;
	struct run *run;      /* NULL: a test */
	struct stream *asker; /* of a test */
	struct stream *s;
	struct arena *arena;
	struct slice body;
	struct timer timer;
	size_t got;
	bool written, late;
};

/* ---- secrets and TLS ---- */

static int read_secret(const char *path, struct secret *ret, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(SECRET_MAX);
	struct slice text;
	int r;

	*ret = (struct secret){ 0 };
	if (!path)
		return 0;
	if (!buf_room(&b, SECRET_MAX)) /* it must not move */
		abort();
	r = fd_read_file(AT_FDCWD, path, &b, err);
	if (r < 0)
		return err_wrap(err, "secret");
	text = buf_slice(&b);
	while (text.n && strchr("\r\n", text.p[text.n - 1]))
		text.n--;
	if (!text.n)
		return err_set(err, ERR_INVALID, "secret '%s': is empty", path);
	memcpy(ret->text, text.p, text.n);
	ret->n = text.n;
	return 0;
}

static int read_secrets(struct hook *k, struct secret v[2], struct err *err)
{
	int r = read_secret(k->conf->secret, &v[0], err);

	if (r >= 0)
		r = read_secret(k->conf->old_secret, &v[1], err);
	return r < 0 ? err_wrap(err, "webhook '%s'", k->conf->name) : 0;
}

static int make_tls(const struct hooks_hook *c, struct tls_conf **ret, struct err *err)
{
	static const char *const alpn[] = { "http/1.1" };
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	struct tls_options o = { .insecure = c->insecure, .alpn = alpn, .alpn_n = ARRAY_LEN(alpn) };
	int r = 0;

	if (!c->ca) {
		if (cert_pool_system(&trust, NULL) < 0)
			trust = cert_pool_new();
	} else {
		trust = cert_pool_new();
		r = fd_read_file(AT_FDCWD, c->ca, &b, err);
		if (r >= 0)
			r = cert_pool_add_pem(trust, buf_slice(&b), err);
		if (r < 0)
			return err_wrap(err, "caFile '%s'", c->ca);
	}
	o.trust = trust;
	return tls_conf_new(&o, ret, err);
}

/* ---- the end of an exchange ---- */

static void send_free(struct send *x)
{
	timer_fini(&x->timer);
	list_del(&x->link);
	stream_unref(x->s);
	stream_unref(x->asker);
	if (!x->run)
		arena_free(x->arena); /* x lies in it */
}

static void answer_test(struct send *x, int status, const char *why)
{
	struct arena *a = stream_arena(x->asker);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "name", x->hook->conf->name);
	doc_set_str(a, d, "url", x->hook->conf->url);
	doc_set_bool(a, d, "delivered", status / 100 == 2);
	doc_set_int(a, d, "status", status);
	if (why)
		doc_set_str(a, d, "error", why);
	if (json_write(d, NULL, &b, NULL) >= 0)
		(void)stream_reply(x->asker, 200, "application/json", b.p, b.n);
}

/* status 0 = there was no answer: why. */
static void send_over(struct send *x, int status, const char *why)
{
	struct run *run = x->run;
	bool taken = status / 100 == 2;
	char text[128];

	if (!why && !taken) {
		(void)snprintf(text, sizeof(text), "the receiver answers %d%s", status,
			       status / 100 == 3 ? ": redirects are not followed" : "");
		why = text;
	}
	if (!run)
		answer_test(x, status, why);
	else
		hooks_count(x->hook->h, "webhook", x->hook->conf->name, taken ? "done" : "failed");
	send_free(x);
	if (run)
		run_end(run, taken ? RUN_DONE : status ? RUN_FAILED : RUN_AWAY, why);
}

static void on_head(struct stream *s)
{
	stream_read(s, ANSWER_MAX);
}

static void on_data(struct stream *s, struct slice bytes)
{
	struct send *x = stream_arg(s);

	x->got += bytes.n;
	if (x->got >= ANSWER_MAX)
		stream_reset(s, NULL); /* the status is here, and that is all we want */
}

static void write_body(struct send *x)
{
	if (x->written)
		return;
	x->written = stream_write(x->s, x->body.p, x->body.n) >= 0;
	if (x->written)
		(void)stream_end(x->s); /* a failure comes by closed */
}

static void on_writable(struct stream *s)
{
	write_body(stream_arg(s));
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct send *x = stream_arg(s);
	int status = stream_status(s);

	if (x->late)
		send_over(x, 0, "no answer in time");
	else
		send_over(x, status, status ? NULL : why ? why->msg : "the connection broke");
}

static const struct stream_events send_events = {
	.head = on_head,
	.data = on_data,
	.writable = on_writable,
	.closed = on_closed,
};
static const struct stream_events no_events = { 0 };

static int on_late(struct timer *t)
{
	struct send *x = CONTAINER_OF(t, struct send, timer);

	x->late = true;
	stream_reset(x->s, NULL);
	return 0;
}

/* ---- sending ---- */

static void add_mac(struct buf *out, struct slice key, struct slice text)
{
	unsigned char mac[DIGEST_MAX];
	char hex[2 * DIGEST_MAX + 1];
	size_t n;

	if (!key.n)
		return;
	n = hmac_of(DIGEST_SHA256, key, text, mac);
	hex_encode(hex, mac, n);
	(void)buf_addf(out, ",v1=%s", hex);
}

void webhook_sign(struct buf *out, struct slice secret, struct slice old, int64_t when,
		  struct slice body)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(ARENA_MAX);

	(void)buf_addf(&text, "%lld.", (long long)when);
	if (!secret.n || buf_add(&text, body.p, body.n) < 0)
		return; /* no signature: the receiver refuses it */
	(void)buf_addf(out, "t=%lld", (long long)when);
	add_mac(out, secret, buf_slice(&text));
	add_mac(out, old, buf_slice(&text));
}

static void sign(struct send *x)
{
	const struct hook *k = x->hook;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1024);

	webhook_sign(&out, slice_of(k->secret.text, k->secret.n), slice_of(k->old.text, k->old.n),
		     clock_real() / NS_PER_SEC, x->body);
	if (out.n)
		(void)stream_set_header(x->s, "X-Teu-Signature", buf_str(&out));
}

/* The envelope's one event tells its own kind and id. */
static void set_headers(struct send *x)
{
	const struct json_options jo = { .max_depth = 16, .max_nodes = 4096 };
	struct doc *d;
	const struct doc *e;

	(void)stream_set_header(x->s, "Content-Type", EVENTS_TYPE);
	if (json_read(x->arena, x->body, &jo, &d, NULL) >= 0) {
		e = doc_at(doc_get(d, "events"), 0);
		(void)stream_set_header(x->s, "X-Teu-Event",
					doc_cstr(x->arena, doc_get(e, "action")));
		(void)stream_set_header(x->s, "X-Teu-Delivery",
					doc_cstr(x->arena, doc_get(e, "id")));
	}
	sign(x);
}

static void send_begin(struct hook *k, struct send *x)
{
	struct err err = ERR_INIT;
	int r;

	x->hook = k;
	list_append(&k->sends, &x->link);
	timer_init(&x->timer, k->h->g->loop, on_late);
	r = http_client_stream(k->client, "POST", k->target, &x->s, &err);
	if (r >= 0) {
		stream_on(x->s, &send_events, x);
		set_headers(x);
		r = http_client_send(x->s, (int64_t)x->body.n, false, &err);
	}
	if (r < 0) {
		send_over(x, 0, err.msg);
		return;
	}
	timer_set_after(&x->timer, k->conf->timeout);
	write_body(x);
}

static void start(void *ctx, struct run *run)
{
	struct send *x = ARENA_NEW(run->arena, struct send);

	if (!x)
		abort();
	*x = (struct send){ .run = run, .arena = run->arena, .body = slice_str(run->job.body) };
	send_begin(ctx, x);
}

/* ---- events ---- */

/* The action under which a hook wants e, or NULL. */
static const char *wanted(const struct hook *k, const char *action, const char *repo)
{
	const struct hooks_hook *c = k->conf;
	bool found = c->events.n == 0 && strcmp(action, "pull") != 0;

	for (size_t i = 0; i < c->events.n; i++)
		found |= strcmp(c->events.v[i], action) == 0;
	if (!found || (repo[0] && c->repositories.n && !hooks_fits(&c->repositories, repo)))
		return NULL;
	return action;
}

static void put_target(struct arena *a, struct doc *d, const struct event *e, const char *tag)
{
	struct doc *t = doc_set_object(a, d, "target");

	if (e->media)
		doc_set_str(a, t, "mediaType", e->media);
	if (e->size) {
		doc_set_uint(a, t, "size", e->size);
		doc_set_uint(a, t, "length", e->size);
	}
	if (e->digest) {
		doc_set_str(a, t, "digest", e->digest);
		doc_set_strf(a, t, "url", "/v2/%s/%ss/%s", e->repo, e->object, e->digest);
	}
	doc_set_str(a, t, "repository", e->repo);
	if (tag)
		doc_set_str(a, t, "tag", tag);
}

static void put_request(struct arena *a, struct doc *d, const struct event *e)
{
	struct doc *o;

	if (e->method) {
		o = doc_set_object(a, d, "request");
		doc_set_str(a, o, "addr", e->peer ? e->peer : "");
		doc_set_str(a, o, "method", e->method);
		doc_set_str(a, o, "useragent", e->agent ? e->agent : "");
	}
	o = doc_set_object(a, d, "actor");
	if (e->user)
		doc_set_str(a, o, "name", e->user);
}

static void put_quota(struct arena *a, struct doc *d, const struct event_quota *q)
{
	doc_set_str(a, d, "what", q->what);
	doc_set_int(a, d, "used", q->used);
	doc_set_int(a, d, "limit", q->limit);
	if (q->prefix)
		doc_set_str(a, d, "prefix", q->prefix);
}

/* {"events":[{...}]}; returns the event for more. */
static struct doc *envelope(struct arena *a, const char *action, int64_t when, struct doc **ret)
{
	char id[33], text[CLOCK_TEXT_MAX];
	struct doc *e;

	*ret = doc_new_object(a);
	e = doc_append_object(a, doc_set_array(a, *ret, "events"));
	random_hex(id, 32);
	doc_set_strf(a, e, "id", "%.8s-%.4s-4%.3s-a%.3s-%.12s", id, id + 8, id + 12, id + 15,
		     id + 18);
	doc_set_str(a, e, "timestamp", clock_rfc3339nano(text, when));
	doc_set_str(a, e, "action", action);
	return e;
}

static void queue(struct hook *k, struct arena *a, const char *lane, const struct doc *d)
{
	struct slice text;

	if (!arena_exceeded(a) && json_print(a, d, NULL, &text, NULL) >= 0)
		jobs_add(k->h->jobs, k->queue, lane, text.p);
	else
		log_kv(LOG_LEVEL_ERROR, "event is too large for its webhook", "webhook",
		       k->conf->name, NULL);
}

static void tell(struct webhooks *w, const struct event *e, const char *action, const char *tag,
		 const char *from)
{
	for (size_t i = 0; i < w->n; i++) {
		CLEANUP(arena_free) struct arena *a = NULL;
		struct doc *d, *one;

		if (!wanted(&w->v[i], action, e->repo))
			continue;
		a = arena_new("webhook", ARENA_MAX);
		one = envelope(a, action, e->when, &d);
		put_target(a, one, e, tag);
		put_request(a, one, e);
		if (from)
			doc_set_str(a, doc_set_object(a, one, "teu"), "from", from);
		if (e->quota)
			put_quota(a, doc_set_object(a, one, "teu"), e->quota);
		queue(&w->v[i], a, e->repo[0] ? e->repo : "-", d);
	}
}

void webhooks_event(struct webhooks *w, const struct event *e)
{
	const char *tag = e->ref && e->ref[0] && !strchr(e->ref, ':') ? e->ref : NULL;

	if (strcmp(e->object, "manifest") != 0 && e->kind != EVENT_QUOTA &&
	    e->kind != EVENT_QUOTA_WARNING)
		return; /* blobs come and go with manifests */
	tell(w, e, event_name(e->kind), tag, NULL);
	for (size_t i = 0; i < e->ntags; i++)
		if (e->kind == EVENT_PUSH && (!tag || strcmp(e->tags[i], tag) != 0))
			tell(w, e, "push", e->tags[i], NULL);
	for (size_t i = 0; i < e->ntags; i++)
		if (e->kind == EVENT_PUSH && e->was[i])
			tell(w, e, "tag", e->tags[i], e->was[i]);
}

void webhooks_collected(struct webhooks *w, uint64_t manifests, uint64_t blobs, uint64_t bytes)
{
	for (size_t i = 0; i < w->n; i++) {
		CLEANUP(arena_free) struct arena *a = NULL;
		struct doc *d, *t;

		if (!wanted(&w->v[i], "gc", ""))
			continue;
		a = arena_new("webhook", ARENA_MAX);
		t = doc_set_object(a, envelope(a, "gc", clock_real(), &d), "teu");
		doc_set_uint(a, t, "manifests", manifests);
		doc_set_uint(a, t, "blobs", blobs);
		doc_set_uint(a, t, "bytes", bytes);
		queue(&w->v[i], a, "-", d);
	}
}

/* ---- life ---- */

static int open_client(struct hook *k, struct err *err)
{
	CLEANUP(tls_conf_unref) struct tls_conf *tls = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1024);
	struct http_client_conf hc = { .resolver = k->h->resolver,
				       .http2 = HTTP2_NEVER,
				       .connections_max = AT_ONCE + 1,
				       .connect_time = k->conf->timeout };
	const char *rest = strstr(k->conf->url, "://") + 3, *path = strpbrk(rest, "/?");
	int r = 0;

	k->target = !path	     ? "/"
		    : path[0] == '?' ? arena_printf(k->h->conf->arena, "/%s", path)
				     : path;
	(void)buf_add(&b, k->conf->url,
		      path ? (size_t)(path - k->conf->url) : strlen(k->conf->url));
	if (strncmp(k->conf->url, "https:", 6) == 0)
		r = make_tls(k->conf, &tls, err);
	hc.tls = tls;
	if (r >= 0)
		r = http_client_new(k->h->g->loop, buf_str(&b), &hc, &k->client, err);
	return r < 0 ? err_wrap(err, "webhook '%s'", k->conf->name) : 0;
}

static int open_hook(struct hook *k, struct err *err)
{
	struct runner_conf rc = { .queue = k->queue,
				  .at_once = AT_ONCE,
				  .tries_max = (unsigned)k->conf->tries,
				  .first = BACK_OFF,
				  .max = BACK_OFF_MAX,
				  .arena_max = ARENA_MAX * 4,
				  .start = start,
				  .ctx = k };
	struct secret v[2];
	int r = read_secrets(k, v, err);

	(void)snprintf(k->queue, sizeof(k->queue), "hook/%s", k->conf->name);
	k->secret = v[0];
	k->old = v[1];
	explicit_bzero(v, sizeof(v));
	if (r >= 0)
		r = open_client(k, err);
	if (r >= 0)
		k->runner = runner_new(k->h->g->loop, k->h->jobs, &rc);
	return r;
}

int webhooks_new(struct hooks *h, struct webhooks **ret, struct err *err)
{
	struct webhooks *w = calloc(1, sizeof(*w));
	int r = 0;

	if (!w || !(w->v = calloc(h->conf->webhooks.n, sizeof(*w->v))))
		abort();
	w->h = h;
	*ret = w; /* what failed is freed with the others */
	for (size_t i = 0; i < h->conf->webhooks.n && r >= 0; i++) {
		struct hook *k = &w->v[w->n++];

		k->h = h;
		k->conf = &h->conf->webhooks.v[i];
		list_init(&k->sends);
		r = open_hook(k, err);
	}
	return r;
}

void webhooks_stop(struct webhooks *w)
{
	for (size_t i = 0; w && i < w->n; i++) {
		struct hook *k = &w->v[i];
		struct send *x;

		runner_stop(k->runner);
		while ((x = LIST_FIRST(&k->sends, struct send, link))) {
			struct run *run = x->run;

			stream_on(x->s, &no_events, NULL);
			stream_reset(x->s, NULL);
			send_free(x);
			if (run)
				run_drop(run);
		}
		http_client_free(STEAL(k->client));
	}
}

void webhooks_free(struct webhooks *w)
{
	for (size_t i = 0; w && i < w->n; i++) {
		runner_free(w->v[i].runner);
		explicit_bzero(&w->v[i].secret, sizeof(w->v[i].secret));
		explicit_bzero(&w->v[i].old, sizeof(w->v[i].old));
	}
	if (w)
		free(w->v);
	free(w);
}

int webhooks_reload(struct webhooks *w, struct err *err)
{
	struct secret(*v)[2] = calloc(w->n, sizeof(*v));
	int r = 0;

	if (!v)
		abort();
	for (size_t i = 0; i < w->n && r >= 0; i++)
		r = read_secrets(&w->v[i], v[i], err);
	for (size_t i = 0; i < w->n && r >= 0; i++) {
		w->v[i].secret = v[i][0];
		w->v[i].old = v[i][1];
	}
	explicit_bzero(v, w->n * sizeof(*v));
	free(v);
	return r;
}

void webhooks_poke(struct webhooks *w, const char *queue, const char *lane)
{
	for (size_t i = 0; i < w->n; i++)
		if (!queue || strcmp(queue, w->v[i].queue) == 0)
			runner_poke(w->v[i].runner, lane);
}

/* ---- the admin socket ---- */

void webhooks_status(struct webhooks *w, struct arena *a, struct doc *list)
{
	for (size_t i = 0; i < w->n; i++) {
		struct doc *d = doc_append_object(a, list);

		doc_set_str(a, d, "name", w->v[i].conf->name);
		doc_set_str(a, d, "url", w->v[i].conf->url);
		hooks_queue_status(w->h, w->v[i].queue, w->v[i].runner, a, d);
	}
}

static struct hook *find(struct webhooks *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->v[i].conf->name, name) == 0)
			return &w->v[i];
	return NULL;
}

bool webhooks_test(struct webhooks *w, const char *name, struct stream *s)
{
	struct hook *k = find(w, name);
	struct arena *a;
	struct doc *d, *e;
	struct send *x;

	if (!k)
		return false;
	a = arena_new("webhook", ARENA_MAX);
	e = envelope(a, "test", clock_real(), &d);
	doc_set_str(a, doc_set_object(a, e, "target"), "repository", "teu/test");
	doc_set_str(a, doc_set_object(a, e, "teu"), "webhook", name);
	x = ARENA_NEW(a, struct send);
	if (!x)
		abort();
	*x = (struct send){ .asker = stream_ref(s), .arena = a };
	if (json_print(a, d, NULL, &x->body, NULL) < 0)
		abort(); /* its size is bounded by the name's */
	send_begin(k, x);
	return true;
}

bool webhooks_busy(const struct webhooks *w)
{
	unsigned n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->v[i].runner ? runner_stat(w->v[i].runner).running : 0;
	return n > 0;
}
