/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/extension/aggregator-private.h"

#include "apiserver/outward/given.h"
#include "apiserver/outward/service-endpoint.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "crypto/aead.h"
#include "crypto/identity.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "io/http-client.h"
#include "io/stream.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FETCH_TIME (5 * NS_PER_SEC)
#define KEY_ROOM 65536 /* a secret buffer does not grow in place */

/* ---- whom we trust there, who we are ---- */

static int read_identity(struct aggregator *g, struct identity *id, struct err *err)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(GIVEN_MAX);
	CLEANUP(secret_buf_fini) struct buf key = BUF_INIT(GIVEN_MAX);

	if (!g->cert)
		return 0;
	if (given_read(g->cert, &cert, err) < 0 || !buf_room(&key, KEY_ROOM) ||
	    given_read(g->key, &key, err) < 0 ||
	    identity_read(id, buf_slice(&cert), buf_slice(&key), err) < 0)
		return err_wrap(err, "certificate for API servers '%s'", given_path(g->cert));
	return 0;
}

static int make_tls(struct remote *r, struct tls_conf **ret, struct err *err)
{
	static const char *const alpn[] = { "http/1.1" }; /* upgrades need it */
	CLEANUP(identity_fini) struct identity id = { .n = 0 };
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	struct tls_identity shown;
	struct tls_options o = { .insecure = r->insecure, .alpn = alpn, .alpn_n = ARRAY_LEN(alpn) };

	if (read_identity(r->g, &id, err) < 0)
		return err_ret(err);
	if (!r->ca.n && !r->insecure && cert_pool_system(&trust, NULL) < 0)
		trust = NULL; /* none is trusted then */
	if (!trust)
		trust = cert_pool_new();
	if (r->ca.n && cert_pool_add_pem(trust, buf_slice(&r->ca), err) < 0)
		return err_wrap(err, "unable to load root certificates");
	shown = identity_shown(&id);
	o.ids = &shown;
	o.ids_n = id.n > 0;
	o.trust = trust;
	return tls_conf_new(&o, ret, err);
}

static int remote_tls(struct remote *r, struct err *err)
{
	struct aggregator *g = r->g;
	struct tls_conf *made;

	if (g->cert && (given_changed(g->cert) || given_changed(g->key)))
		g->identity++;
	if (r->tls && r->identity == g->identity)
		return 0;
	/* Half of what is renewed may be there only: then the old one goes on. */
	if (make_tls(r, &made, err) < 0)
		return r->tls ? 0 : err_ret(err);
	tls_conf_unref(r->tls);
	r->tls = made;
	r->identity = g->identity;
	(void)snprintf(r->id, sizeof(r->id), "%u.%s", r->identity, r->trust);
	return 0;
}

int remote_way(struct remote *r, struct arena *a, struct remote_way *ret, struct err *err)
{
	struct service_endpoint e = { .ns = r->ns, .name = r->service, .port = r->port };

	if (remote_tls(r, err) < 0)
		return err_ret(err);
	service_endpoint_look(r->g->rs, a, &e);
	*ret = (struct remote_way){ .other = { .host = arena_strdup(a, r->host),
					       .id = arena_strdup(a, r->id),
					       .tls = r->tls,
					       .arena_max = 4 * (size_t)REMOTE_SWAGGER_MAX },
				    .external = e.external,
				    .ip = e.ip,
				    .port = e.external ? r->port : e.at };
	if (!e.external && !e.found)
		return service_endpoint_why(&e, err);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- for whom ---- */

/* Go's form of keys in names of headers. */
static const char *extra_name(struct arena *a, struct slice key)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	(void)buf_adds(&b, "X-Remote-Extra-");
	for (size_t i = 0; i < key.n; i++) {
		unsigned char c = (unsigned char)key.p[i];

		if (isalnum(c) || (c && strchr("!#$&'*+-.^_`|~", c)))
			(void)buf_addc(&b, (char)c);
		else
			(void)buf_addf(&b, "%%%02X", c);
	}
	return b.full ? NULL : arena_strndup(a, b.p, b.n);
}

static int put_extra(struct stream *to, struct slice key, const struct doc *values)
{
	const char *name = extra_name(stream_arena(to), key);
	int r = name ? 0 : -ERR_QUOTA;

	DOC_EACH (v, values) {
		const char *text = doc_cstr(stream_arena(to), v);

		if (r == 0)
			r = text ? stream_add_header(to, name, text) : -ERR_QUOTA;
	}
	return r;
}

int remote_identify(struct stream *to, const struct strategy_user *user)
{
	int r = stream_set_header(to, "X-Remote-User", user->name);

	if (r == 0 && user->uid && *user->uid)
		r = stream_set_header(to, "X-Remote-Uid", user->uid);
	for (const char *const *group = user->groups; r == 0 && group && *group; group++)
		r = stream_add_header(to, "X-Remote-Group", *group);
	if (!user->extra)
		return r;
	DOC_EACH_MEMBER (key, values, user->extra)
		if (r == 0)
			r = put_extra(to, doc_slice(key), values);
	return r;
}

/* ---- one document ---- */

static void stop(struct fetch *f, bool whole)
{
	struct stream *s = STEAL(f->s);

	if (s) {
		stream_on(s, NULL, NULL);
		if (!whole)
			stream_reset(s, NULL);
		stream_unref(s);
	}
	if (f->finding)
		agent_find_cancel(&f->find);
	f->finding = false;
	timer_fini(&f->timer);
	deferred_fini(&f->later);
	agent_release(STEAL(f->agent));
	tls_conf_unref(STEAL(f->tls));
	f->running = false;
}

static void finish(struct fetch *f, int result, struct slice body, struct err *err)
{
	CLEANUP(stream_unref) struct stream *held = f->s ? stream_ref(f->s) : NULL;

	(void)held; /* the body is in its arena */
	stop(f, result == 0);
	f->done(f, f->status, result, body, err);
}

static void broke(struct fetch *f, const struct err *why)
{
	struct err err = ERR_INIT;

	if (why)
		err = *why;
	else
		(void)err_set(&err, ERR_UNAVAILABLE, "EOF");
	finish(f, -(int)err.code, SLICE(""), &err);
}

static int on_time(struct timer *t)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_TIMEOUT, "context deadline exceeded");
	broke(CONTAINER_OF(t, struct fetch, timer), &err);
	return 0;
}

static void on_later(struct deferred *d)
{
	struct fetch *f = CONTAINER_OF(d, struct fetch, later);

	broke(f, &f->err);
}

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct fetch *f = arg;

	if (f->s == s) /* else it was given up */
		finish(f, result, body, err);
}

static void on_head(struct stream *s)
{
	struct fetch *f = stream_arg(s);
	struct slice etag = stream_header(s, "ETag");
	struct err err = ERR_INIT;

	f->status = stream_status(s);
	if (etag.n < sizeof(f->got))
		(void)snprintf(f->got, sizeof(f->got), "%.*s", (int)etag.n, etag.n ? etag.p : "");
	if (f->status / 100 == 2) {
		stream_collect(s, f->max, collected, f);
		return;
	}
	(void)err_set(&err, ERR_UNAVAILABLE, "bad status from %s: %d", f->url, f->status);
	broke(f, &err);
}

static void on_closed(struct stream *s, const struct err *why)
{
	struct fetch *f = stream_arg(s);

	if (f && f->s == s)
		broke(f, why);
}

static const struct stream_events events = { .head = on_head, .closed = on_closed };

static int ask(struct fetch *f, struct err *err)
{
	static const char *const groups[] = { "system:masters", NULL };
	static const struct strategy_user us = { .name = "system:kube-aggregator",
						 .groups = groups };

	(void)snprintf(f->url, sizeof(f->url), "%s%s", agent_url(f->agent), f->path);
	if (http_client_stream(agent_client(f->agent), "GET", f->path, &f->s, err) < 0)
		return err_ret(err);
	stream_on(f->s, &events, f);
	if (stream_set_header(f->s, "Accept", "application/json") < 0 ||
	    (f->etag && *f->etag && stream_set_header(f->s, "If-None-Match", f->etag) < 0) ||
	    remote_identify(f->s, &us) < 0)
		return err_set(err, ERR_QUOTA, "the request's headers do not fit");
	return http_client_send(f->s, HTTP_NO_BODY, false, err);
}

static void found(struct agent_find *k, int result, struct agent *ag, struct err *err)
{
	struct fetch *f = CONTAINER_OF(k, struct fetch, find);

	f->finding = false;
	f->agent = ag;
	if (result < 0)
		f->err = *err;
	if (result < 0 || ask(f, &f->err) < 0)
		deferred_call(&f->later);
}

static int begin(struct fetch *f)
{
	struct aggregator *g = f->r->g;
	struct remote_way way;

	arena_reset(g->a);
	(void)snprintf(f->url, sizeof(f->url), "https://%s:%u%s", f->r->host, f->r->port, f->path);
	if (remote_way(f->r, g->a, &way, &f->err) < 0)
		return err_ret(&f->err);
	if (!way.external) {
		if (agents_get_other(g->agents, &way.other, &way.ip, way.port, &f->agent, &f->err) <
		    0)
			return err_ret(&f->err);
		return ask(f, &f->err);
	}
	if (!str_copy(f->external, sizeof(f->external), way.external))
		return err_set(&f->err, ERR_INVALID, "the external name is too long");
	f->hosts[0] = f->external;
	f->hosts[1] = NULL;
	f->tls = tls_conf_ref(way.other.tls);
	f->other = way.other;
	f->other.host = f->r->host;
	f->other.id = f->r->id;
	f->find = (struct agent_find){ .done = found,
				       .place = { .hosts = f->hosts, .port = way.port },
				       .other = &f->other,
				       .checked = true };
	f->finding = true;
	agent_find(g->agents, &f->find);
	return 0;
}

void fetch_start(struct fetch *f)
{
	f->running = true;
	f->finding = false;
	f->status = 0;
	f->got[0] = '\0';
	f->agent = NULL;
	f->tls = NULL;
	f->s = NULL;
	err_clear(&f->err);
	timer_init(&f->timer, f->r->g->loop, on_time);
	deferred_init(&f->later, f->r->g->loop, on_later);
	timer_set_after(&f->timer, FETCH_TIME);
	if (begin(f) < 0)
		deferred_call(&f->later);
}

void fetch_cancel(struct fetch *f)
{
	if (f->running)
		stop(f, false);
}
