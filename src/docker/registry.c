/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to registries: POST /auth, GET /distribution/{name}/json, GET /images/search. Each is
 * asked by a worker of the transfers' pool. */
#include "base/work.h"
#include "docker/private.h"
#include "image/manifest.h"
#include "image/pull.h"

#include <stdio.h>

#define SEARCH_MAX 100 /* as docker: of --limit */
#define SEARCH_DEFAULT 25
#define CATALOG_MAX 100000

struct lookup {
	struct work work;
	struct call *c;
	struct remote *remote;
	/* On the worker: fills in `answer`, with memory of `a`. */
	int (*ask)(struct lookup *l, struct err *err);
	struct arena *a;
	struct doc *answer;
	const char *repo, *ref, *host;
	int64_t limit;
	atomic_bool cancel;
	int result;
	struct err err;
};

static void on_closed(struct stream *s, const struct err *why)
{
	struct lookup *l = stream_arg(s);

	(void)why;
	atomic_store(&l->cancel, true);
}

static const struct stream_events no_events;
static const struct stream_events lookup_events = { .closed = on_closed };

static void lookup_run(struct work *w)
{
	struct lookup *l = CONTAINER_OF(w, struct lookup, work);

	l->result = l->ask(l, &l->err);
	if (l->result >= 0 && arena_exceeded(l->a))
		l->result = arena_quota(l->a, &l->err);
}

static void lookup_end(struct lookup *l)
{
	struct stream *s = l->c->s;

	remote_free(STEAL(l->remote));
	arena_free(STEAL(l->a));
	stream_on(s, &no_events, NULL);
	stream_unref(s);
}

static void lookup_done(struct work *w)
{
	struct lookup *l = CONTAINER_OF(w, struct lookup, work);

	if (stream_is_closed(l->c->s))
		; /* nobody waits */
	else if (l->result < 0)
		reply_err(l->c, &l->err);
	else
		reply_doc(l->c, 200, l->answer);
	lookup_end(l);
}

static struct lookup *lookup_new(struct call *c)
{
	struct lookup *l = ARENA_NEW(c->a, struct lookup);

	*l = (struct lookup){ .c = c, .a = arena_new("registry lookup", 32u << 20) };
	l->answer = doc_new_object(l->a);
	stream_ref(c->s);
	return l;
}

static void lookup_begin(struct lookup *l, const char *host, const struct remote_auth *auth)
{
	struct image_remote_use use = { .auth = auth,
					.program = image_store_helper(engine_images(l->c->e)),
					.cancel = &l->cancel };
	struct err err = ERR_INIT;
	int r;

	l->host = host;
	stream_on(l->c->s, &lookup_events, l);
	r = image_remotes_open(l->c->api->remotes, host, &use, &l->remote, &err);
	if (r >= 0)
		r = work_submit(l->c->api->transfers, &l->work, lookup_run, lookup_done, &err);
	if (r >= 0)
		return;
	reply_err(l->c, &err);
	lookup_end(l);
}

static void lookup_refuse(struct lookup *l, const struct err *err)
{
	reply_err(l->c, err);
	lookup_end(l);
}

/* ---- login ---- */

static int ask_login(struct lookup *l, struct err *err)
{
	const char *identity = NULL;
	int r = remote_login(l->remote, l->a, &identity, err);

	if (r < 0)
		return err_wrap(err, "login attempt to %s failed", l->host);
	doc_set_str(l->a, l->answer, "IdentityToken", identity ? identity : "");
	doc_set_str(l->a, l->answer, "Status", "Login Succeeded");
	return 0;
}

/* "https://index.docker.io/v1/", "reg.example:5000", "https://reg.example/v2/": the host. */
static const char *server_host(struct arena *a, const char *address)
{
	struct slice rest;
	const char *scheme;

	if (!address || !*address)
		return "docker.io";
	scheme = strstr(address, "://");
	rest = slice_str(scheme ? scheme + 3 : address);
	rest = slice_split(&rest, '/');
	if (slice_is(rest, "index.docker.io") || slice_is(rest, "registry-1.docker.io"))
		return "docker.io";
	return arena_strndup(a, rest.p ? rest.p : "", rest.n);
}

static void login_body(struct call *c, struct doc *body)
{
	struct lookup *l = lookup_new(c);
	struct remote_auth auth = { 0 };
	struct err err = ERR_INIT;
	const char *host;

	if (!doc_is(body, DOC_OBJECT)) {
		err_set(&err, ERR_BAD_REQUEST, "the body is no JSON object");
		lookup_refuse(l, &err);
		return;
	}
	host = server_host(c->a, doc_cstr(c->a, doc_get(body, "serveraddress")));
	auth.username = doc_cstr(c->a, doc_get(body, "username"));
	auth.password = doc_cstr(c->a, doc_get(body, "password"));
	auth.identity_token = doc_cstr(c->a, doc_get(body, "identitytoken"));
	auth.registry_token = doc_cstr(c->a, doc_get(body, "registrytoken"));
	l->ask = ask_login;
	lookup_begin(l, host, &auth);
}

void auth_handle(struct call *c)
{
	call_read_body(c, false, login_body);
}

/* ---- distribution ---- */

static void put_platform(struct arena *a, struct doc *arr, const struct manifest_platform *p)
{
	struct doc *o;

	if (!p || !p->os || !p->architecture)
		return;
	o = doc_append_object(a, arr);
	doc_set_str(a, o, "architecture", p->architecture);
	doc_set_str(a, o, "os", p->os);
	if (p->os_version)
		doc_set_str(a, o, "os.version", p->os_version);
	if (p->variant)
		doc_set_str(a, o, "variant", p->variant);
}

static int on_config(void *ctx, struct slice bytes, struct err *err)
{
	return buf_add(ctx, bytes.p, bytes.n) < 0 ? err_set(err, ERR_TOO_LARGE, "it is too large")
						  : 0;
}

/* The platform of one image is in its config. */
static int config_platform(struct lookup *l, const struct manifest *m, struct doc *arr,
			   struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	struct manifest_platform p = { 0 };
	struct doc *d;
	int r;

	r = remote_blob(l->remote, l->repo, &m->config, 0, on_config, &b, err);
	if (r < 0)
		return err_wrap(err, "config");
	if (json_read(l->a, buf_slice(&b), &(struct json_options){ .copy = true }, &d, NULL) < 0)
		return 0; /* an artifact's */
	p.os = doc_cstr(l->a, doc_get(d, "os"));
	p.architecture = doc_cstr(l->a, doc_get(d, "architecture"));
	p.variant = doc_cstr(l->a, doc_get(d, "variant"));
	put_platform(l->a, arr, &p);
	return 0;
}

static int ask_distribution(struct lookup *l, struct err *err)
{
	struct remote_manifest rm;
	struct doc *desc, *platforms;
	struct manifest m;
	int r;

	r = remote_manifest(l->remote, l->repo, l->ref, l->a, &rm, err);
	if (r >= 0)
		r = manifest_parse(l->a, rm.bytes, rm.media, &m, err);
	if (r < 0)
		return r;
	desc = doc_set_object(l->a, l->answer, "Descriptor");
	doc_set_str(l->a, desc, "mediaType", m.media);
	doc_set_str(l->a, desc, "digest", rm.digest);
	doc_set_uint(l->a, desc, "size", rm.bytes.n);
	platforms = doc_set_array(l->a, l->answer, "Platforms");
	if (m.kind == MANIFEST_IMAGE)
		return config_platform(l, &m, platforms, err);
	for (size_t i = 0; i < m.n; i++)
		put_platform(l->a, platforms, m.parts[i].platform);
	return 0;
}

void distribution_handle(struct call *c)
{
	struct image_name *n = ARENA_NEW(c->a, struct image_name);
	char *host = arena_alloc(c->a, 256);
	struct lookup *l = lookup_new(c);
	struct remote_auth auth;
	struct err err = ERR_INIT;
	int r;

	r = image_name_parse(route_param(c->m, "name"), n, &err);
	if (r >= 0)
		r = call_registry_auth(c, &auth, &err);
	if (r < 0) {
		lookup_refuse(l, &err);
		return;
	}
	image_name_default_tag(n);
	image_name_split(n, host, &l->repo);
	l->ref = n->digest[0] ? n->digest : n->tag;
	l->ask = ask_distribution;
	lookup_begin(l, host, &auth);
}

/* ---- search ---- */

static int ask_search(struct lookup *l, struct err *err)
{
	struct doc *arr = doc_new_array(l->a);
	struct strs names;
	int r;

	r = remote_catalog(l->remote, l->a, CATALOG_MAX, &names, err);
	if (r < 0)
		return err_wrap(err, "search in the catalog of %s", l->host);
	for (size_t i = 0; i < names.n && (int64_t)doc_len(arr) < l->limit; i++) {
		struct doc *o;

		if (!strstr(names.v[i], l->ref))
			continue;
		o = doc_append_object(l->a, arr);
		doc_set_str(l->a, o, "name", arena_printf(l->a, "%s/%s", l->host, names.v[i]));
		doc_set_str(l->a, o, "description", "");
		doc_set_int(l->a, o, "star_count", 0);
		doc_set_bool(l->a, o, "is_official", false);
		doc_set_bool(l->a, o, "is_automated", false);
	}
	l->answer = arr;
	return 0;
}

/* A catalog knows neither stars nor officials, so filters for them leave nothing over. */
static int search_filters(struct call *c, bool *ret_none, struct err *err)
{
	static const char *const known[] = { "is-official", "is-automated", "stars", NULL };
	struct filters f;
	int64_t stars = 0;
	int r, official, automated;

	r = filters_parse(c, known, &f, err);
	if (r < 0)
		return r;
	official = filters_bool(&f, "is-official", 0, err);
	automated = official < 0 ? 0 : filters_bool(&f, "is-automated", 0, err);
	if (official < 0 || automated < 0)
		return err_ret(err);
	if (filters_has(&f, "stars") &&
	    str_int64(slice_str(filters_nth(&f, "stars", 0)), &stars, NULL) < 0)
		return filters_invalid("stars", filters_nth(&f, "stars", 0), err);
	*ret_none = official || automated || stars > 0;
	return 0;
}

void images_search(struct call *c)
{
	const char *term = query_get(&c->q, "term"), *slash;
	struct remote_auth auth;
	struct err err = ERR_INIT;
	bool none = false;
	struct lookup *l;
	int64_t limit;

	if (call_int(c, "limit", SEARCH_DEFAULT, &limit) < 0)
		return;
	if (limit == 0)
		limit = SEARCH_DEFAULT;
	if (limit < 1 || limit > SEARCH_MAX) {
		reply_fail(c, ERR_BAD_REQUEST, "Limit %lld is outside the range of [1, %d]",
			   (long long)limit, SEARCH_MAX);
		return;
	}
	slash = term ? strchr(term, '/') : NULL;
	if (!term || !*term) {
		reply_fail(c, ERR_BAD_REQUEST, "search needs a term");
		return;
	}
	if (!slash ||
	    (!memchr(term, '.', (size_t)(slash - term)) &&
	     !memchr(term, ':', (size_t)(slash - term)) && strncmp(term, "localhost/", 10) != 0)) {
		reply_fail(c, ERR_UNSUPPORTED,
			   "searching Docker Hub is not supported: name the registry, as in "
			   "REGISTRY/%s, to search its catalog",
			   term);
		return;
	}
	l = lookup_new(c);
	if (search_filters(c, &none, &err) < 0 || call_registry_auth(c, &auth, &err) < 0) {
		lookup_refuse(l, &err);
		return;
	}
	l->limit = none ? 0 : limit;
	l->ref = arena_strdup(c->a, slash + 1);
	l->ask = ask_search;
	lookup_begin(l, arena_strndup(c->a, term, (size_t)(slash - term)), &auth);
}
