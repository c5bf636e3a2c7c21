/* SPDX-License-Identifier: Apache-2.0 */
/* The pull-through cache: upstreams, manifests, lists. Blobs are through-blob.c. */
#include "registry/through.h"

#include "doc/json.h"
#include "image/remote.h"
#include "io/retry.h"
#include "registry/through-priv.h"

#include <stdio.h>
#include <string.h>

#define CHECKED_MAX 65536
#define TAGS_MAX 100000
#define ASK_ARENA (64u << 20)
#define LIMITED_TIME (60 * NS_PER_SEC) /* of a 429 that does not say */
#define LIMITED_MAX (3600 * NS_PER_SEC)
#define FAILURES 2
#define AWAY_TIME (5 * NS_PER_SEC)

/* A tag that was looked at, or the size of a blob that is not here. */
struct checked {
	int64_t until; /* monotonic */
	uint64_t size;
	char key[];
};

/* ---- upstreams ---- */

struct upstream *through_of(struct through *t, const char *repo)
{
	struct upstream *best = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const char *p = t->v[i].conf->prefix;
		size_t n = strlen(p);

		if (n && (strncmp(repo, p, n) != 0 || repo[n] != '/'))
			continue;
		if (!best || n > strlen(best->conf->prefix))
			best = &t->v[i];
	}
	return best;
}

const char *upstream_far_name(const struct upstream *u, struct arena *a, const char *repo)
{
	size_t n = strlen(u->conf->prefix);
	const char *name = n ? repo + n + 1 : repo;

	/* Docker Hub's own images are in library/. */
	if (u->hub && !strchr(name, '/'))
		return arena_printf(a, "library/%s", name);
	return arena_strdup(a, name);
}

static bool is_named(const struct upstream *u, const char *ns)
{
	return strcmp(u->conf->prefix, ns) == 0 || (u->conf->ns && strcmp(u->conf->ns, ns) == 0) ||
	       strcmp(strstr(u->conf->far.url, "://") + 3, ns) == 0 ||
	       (u->hub && strcmp(ns, "docker.io") == 0);
}

int through_ns(struct call *c)
{
	const char *ns = query_get(&c->q, "ns");
	struct through *t = c->g->hooks->through;

	if (!ns || !c->name[0])
		return 0;
	for (size_t i = 0; i < t->n; i++) {
		const char *p = t->v[i].conf->prefix;

		if (!is_named(&t->v[i], ns))
			continue;
		if (p[0])
			c->name = arena_printf(c->a, "%s/%s", p, c->name);
		if (c->name && content_name_ok(slice_str(c->name)))
			return 0;
		answer_error(c, NAME_INVALID, "the repository's name is too long");
		return -1;
	}
	answer_error(c, NAME_UNKNOWN, "this registry is no mirror of '%.200s'", ns);
	return -1;
}

/* Is it not to be asked: it said so (429), or failed too often? */
bool upstream_away(struct upstream *u)
{
	int64_t now = clock_mono();

	if (now < u->limited)
		return true;
	if (!circuit_is_open(&u->circuit) || now >= u->circuit.until)
		return false;
	return true;
}

static bool is_away(enum err_code code)
{
	return code == ERR_UNAVAILABLE || code == ERR_TIMEOUT;
}

int64_t upstream_pause(int64_t asked)
{
	return asked > 0 ? MIN(asked, LIMITED_MAX) : LIMITED_TIME;
}

void upstream_heard(struct upstream *u, const struct err *err)
{
	int64_t now = clock_mono();

	hooks_count(u->t->h, "through", u->conf->prefix[0] ? u->conf->prefix : u->conf->far.url,
		    err->code ? "failed" : "asked");
	if (err->code == ERR_QUOTA && !slice_starts(slice_str(err->msg), SLICE("quota:")))
		u->limited = now + upstream_pause(remote_limited(u->remote));
	if (circuit_allow(&u->circuit, now))
		circuit_done(&u->circuit, !is_away(err->code), now);
	if (err->code && err->code != ERR_NOT_FOUND) {
		(void)str_copy(u->error, sizeof(u->error), err->msg);
		log_kv(LOG_LEVEL_WARN, "upstream", "url", u->conf->far.url, "error", err->msg,
		       NULL);
	}
}

void upstream_refuse(struct upstream *u, struct call *c, const struct err *err, enum reason unknown)
{
	int64_t left = MAX(u->limited, u->circuit.until) - clock_mono();

	(void)stream_set_headerf(c->s, "Retry-After", "%lld",
				 (long long)(MAX(left, NS_PER_SEC) / NS_PER_SEC));
	switch (err->code) {
	case ERR_NOT_FOUND:
	case ERR_UNAUTHORIZED:
	case ERR_FORBIDDEN:
		answer_error(c, unknown, "the upstream has it not, or does not give it: %.600s",
			     err->msg);
		break;
	case ERR_QUOTA:
		answer_error(c, TOOMANYREQUESTS, "the upstream's rate limit: %.600s", err->msg);
		break;
	default: answer_error(c, UNAVAILABLE, "upstream: %.800s", err->msg);
	}
}

/* ---- asking for a manifest or a list ---- */

enum asked { ASK_MANIFEST, ASK_TAGS, ASK_REFERRERS, ASK_SIZE };

struct waiting {
	struct list link;
	struct call *c;
	void (*local)(struct call *c);
};

struct asking {
	struct list link; /* all of them, for the end */
	struct work work;
	struct arena *arena;
	struct upstream *u;
	enum asked what;
	const char *key, *repo, *far, *ref, *type;
	struct list waiting;
	char have[IMAGE_DIGEST_MAX]; /* what the tag is here, or "" */
	bool same;		     /* the upstream says the same */
	struct remote_manifest m;
	struct strs tags;
	struct slice index;
	uint64_t size;
	struct err err;
};

static int ask_manifest(struct asking *q, struct err *err)
{
	struct remote *r = q->u->remote;
	int n;

	if (q->have[0]) {
		n = remote_head(r, q->far, q->ref, q->arena, &q->m, err);
		q->same = n >= 0 && strcmp(q->m.digest, q->have) == 0;
		if (q->same || (n < 0 && n != -ERR_UNSUPPORTED))
			return n;
	}
	return remote_manifest(r, q->far, q->ref, q->arena, &q->m, err);
}

static void ask_run(struct work *w)
{
	struct asking *q = CONTAINER_OF(w, struct asking, work);
	struct remote *r = q->u->remote;
	struct err err = ERR_INIT;
	int n = 0;

	switch (q->what) {
	case ASK_MANIFEST: n = ask_manifest(q, &err); break;
	case ASK_TAGS: n = remote_tags(r, q->far, q->arena, TAGS_MAX, &q->tags, &err); break;
	case ASK_REFERRERS:
		n = remote_referrers(r, q->far, q->ref, q->type, q->arena, &q->index, &err);
		break;
	case ASK_SIZE: n = remote_blob_size(r, q->far, q->ref, &q->size, &err); break;
	}
	if (n < 0)
		q->err = err;
}

static void ask_free(struct asking *q)
{
	struct through *t = q->u->t;

	if (map_get(&t->asks, slice_str(q->key)) == q)
		(void)map_del(&t->asks, slice_str(q->key));
	list_del(&q->link);
	arena_free(q->arena); /* q lies in it */
}

/* fn for each who waits; q is gone then. */
static void each_waiting(struct asking *q, void (*fn)(struct asking *q, struct waiting *w))
{
	struct waiting *w;

	if (map_get(&q->u->t->asks, slice_str(q->key)) == q)
		(void)map_del(&q->u->t->asks, slice_str(q->key));
	while ((w = LIST_FIRST(&q->waiting, struct waiting, link))) {
		struct stream *s = w->c->s;

		list_del(&w->link);
		fn(q, w);
		stream_unref(s);
	}
	ask_free(q);
}

static void answer_failed(struct asking *q, struct waiting *w)
{
	upstream_refuse(q->u, w->c, &q->err,
			q->what == ASK_MANIFEST ? MANIFEST_UNKNOWN
			: q->what == ASK_SIZE	? BLOB_UNKNOWN
						: NAME_UNKNOWN);
}

static void answer_local(struct asking *q, struct waiting *w)
{
	(void)q;
	w->local(w->c);
}

static void set_stale(struct call *c)
{
	(void)stream_set_header(c->s, "Warning", "110 teu \"Response is Stale\"");
}

static void answer_stale(struct asking *q, struct waiting *w)
{
	set_stale(w->c);
	hooks_count(q->u->t->h, "through",
		    q->u->conf->prefix[0] ? q->u->conf->prefix : q->u->conf->far.url, "stale");
	w->local(w->c);
}

/* ---- manifests ---- */

static void checked_clear(struct through *t)
{
	struct checked *k;

	for (size_t i = 0; (k = map_next(&t->checked, &i, NULL));)
		free(k);
	map_fini(&t->checked);
	map_init(&t->checked);
}

static void set_checked(struct asking *q)
{
	struct through *t = q->u->t;
	struct checked *k = map_get(&t->checked, slice_str(q->key));
	size_t n = strlen(q->key) + 1;

	if (map_count(&t->checked) >= CHECKED_MAX) {
		checked_clear(t);
		k = NULL;
	}
	if (!k) {
		k = calloc(1, sizeof(*k) + n);
		if (!k)
			abort();
		memcpy(k->key, q->key, n);
		(void)map_put(&t->checked, slice_str(k->key), k);
	}
	k->until = clock_mono() + q->u->conf->ttl;
	k->size = q->size;
}

static void put_done(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct asking *q = ctx;

	cache_clear(q->u->t->h->g->cache);
	if (result < 0) {
		q->err = *err;
		upstream_heard(q->u, err);
		each_waiting(q, q->have[0] ? answer_stale : answer_failed);
		return;
	}
	keep_touch(q->u->t->h, q->repo, ch->digest, ch->bytes.n);
	set_checked(q);
	each_waiting(q, answer_local);
}

static void gone(void *ctx, const struct content_change *ch, int result, const struct err *err)
{
	struct asking *q = ctx;

	(void)ch;
	(void)result; /* it was deleted by somebody else */
	(void)err;
	cache_clear(q->u->t->h->g->cache);
	each_waiting(q, answer_failed);
}

static void manifest_failed(struct asking *q)
{
	enum err_code code = q->err.code;
	bool no = code == ERR_NOT_FOUND || code == ERR_UNAUTHORIZED || code == ERR_FORBIDDEN;

	if (no && q->have[0])
		content_delete_manifest(q->u->t->h->g->store, q->repo, q->ref, gone, q);
	else
		each_waiting(q, !no && q->have[0] ? answer_stale : answer_failed);
}

static void manifest_done(struct work *w)
{
	struct asking *q = CONTAINER_OF(w, struct asking, work);
	struct content_put put = { .repo = q->repo, .ref = q->ref, .sparse = true };

	upstream_heard(q->u, &q->err);
	if (q->err.code) {
		manifest_failed(q);
		return;
	}
	if (q->same) {
		set_checked(q);
		keep_touch(q->u->t->h, q->repo, q->have, 0);
		each_waiting(q, answer_local);
		return;
	}
	put.media = q->m.media;
	put.bytes = q->m.bytes;
	content_put_manifest(q->u->t->h->g->store, &put, put_done, q);
}

/* ---- who asks ---- */

static struct asking *ask_new(struct upstream *u, enum asked what, struct call *c)
{
	struct arena *a = arena_new("upstream", ASK_ARENA);
	struct asking *q = ARENA_NEW(a, struct asking);

	if (!q)
		abort();
	*q = (struct asking){ .arena = a, .u = u, .what = what };
	q->repo = arena_strdup(a, c->name);
	q->ref = arena_strdup(a, c->ref);
	q->far = upstream_far_name(u, a, c->name);
	q->key = arena_printf(a, "%s\n%s", c->name, c->ref);
	if (arena_exceeded(a) || !q->far || !q->key)
		abort(); /* names are bounded */
	list_init(&q->waiting);
	list_append(&u->t->all, &q->link);
	return q;
}

static void ask_wait(struct asking *q, struct call *c, void (*local)(struct call *c))
{
	struct waiting *w = ARENA_NEW(c->a, struct waiting);

	if (!w) {
		answer_error(c, UNKNOWN, "the request needs too much memory");
		return;
	}
	*w = (struct waiting){ .c = c, .local = local };
	stream_ref(c->s);
	list_append(&q->waiting, &w->link);
}

static void ask_begin(struct asking *q, void (*done)(struct work *w))
{
	if (work_submit(q->u->t->h->quick, &q->work, ask_run, done, &q->err) < 0)
		each_waiting(q, q->have[0] ? answer_stale : answer_failed);
}

/* 1 = here, and *digest is it; a tag also says whether it is fresh. */
static bool find_here(struct call *c, char digest[IMAGE_DIGEST_MAX])
{
	struct cached *m = cache_find(c->g->cache, c->name, c->ref);
	struct content_manifest found;

	digest[0] = '\0';
	if (m) {
		(void)str_copy(digest, IMAGE_DIGEST_MAX, m->digest);
		cached_unref(m);
	} else if (content_manifest(c->g->store, c->name, c->ref, c->a, &found, NULL) >= 0) {
		(void)str_copy(digest, IMAGE_DIGEST_MAX, found.digest);
	}
	return digest[0];
}

/* NULL = it is not known, or was asked for too long ago. */
static const struct checked *find_checked(struct through *t, const struct call *c)
{
	char key[CONTENT_NAME_MAX + IMAGE_DIGEST_MAX + CONTENT_TAG_MAX];
	const struct checked *k;

	(void)snprintf(key, sizeof(key), "%s\n%s", c->name, c->ref);
	k = map_get(&t->checked, slice_str(key));
	return k && clock_mono() < k->until ? k : NULL;
}

static bool is_fresh(struct through *t, const struct call *c)
{
	return strchr(c->ref, ':') || find_checked(t, c);
}

static void refuse_away(struct upstream *u, struct call *c)
{
	struct err err = ERR_INIT;

	err_set(&err, clock_mono() < u->limited ? ERR_QUOTA : ERR_UNAVAILABLE,
		"it is not asked for a while: %.600s", u->error);
	upstream_refuse(u, c, &err, MANIFEST_UNKNOWN);
}

bool through_manifest(struct call *c, void (*local)(struct call *c))
{
	struct through *t = c->g->hooks->through;
	struct upstream *u = through_of(t, c->name);
	char digest[IMAGE_DIGEST_MAX];
	struct asking *q;
	bool here;

	if (!u)
		return false;
	here = find_here(c, digest);
	if (here && is_fresh(t, c)) {
		keep_touch(t->h, c->name, digest, 0);
		return false;
	}
	if (upstream_away(u)) {
		if (here)
			set_stale(c);
		else
			refuse_away(u, c);
		return !here;
	}
	q = map_get(&t->asks, slice_str(arena_printf(c->a, "%s\n%s", c->name, c->ref)));
	if (q) {
		ask_wait(q, c, local);
		return true;
	}
	q = ask_new(u, ASK_MANIFEST, c);
	(void)str_copy(q->have, sizeof(q->have), digest);
	(void)map_put(&t->asks, slice_str(q->key), q);
	ask_wait(q, c, local);
	ask_begin(q, manifest_done);
	return true;
}

/* ---- lists ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void answer_tags(struct asking *q, struct waiting *w)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 20);
	struct call *c = w->c;
	struct doc *d = doc_new_object(c->a), *list;
	struct content_page p;
	const char *last = NULL;
	int64_t n;
	size_t i = 0;

	if (page_of(c, &p, &n) < 0)
		return;
	if (q->tags.n)
		qsort(q->tags.v, q->tags.n, sizeof(*q->tags.v), by_text);
	doc_set_str(c->a, d, "name", c->name);
	list = doc_set_array(c->a, d, "tags");
	while (p.after && i < q->tags.n && strcmp(q->tags.v[i], p.after) <= 0)
		i++;
	for (int64_t k = 0; k < n && i < q->tags.n; k++)
		doc_append_str(c->a, list, last = q->tags.v[i++]);
	if (i < q->tags.n && last)
		set_next_link(c, path_of(c, "tags", "list"), last, n);
	if (arena_exceeded(c->a) || json_write(d, NULL, &b, NULL) < 0)
		answer_error(c, UNKNOWN, "the list is too long");
	else
		(void)stream_reply(c->s, 200, "application/json", b.p, b.n);
}

static void answer_referrers(struct asking *q, struct waiting *w)
{
	(void)stream_reply(w->c->s, 200, MEDIA_OCI_INDEX, q->index.p, q->index.n);
}

static void reply_size(struct call *c, uint64_t size)
{
	blob_headers(c);
	if (stream_start(c->s, 200, (int64_t)size) >= 0)
		(void)stream_end(c->s); /* HEAD has no body */
}

static void answer_size(struct asking *q, struct waiting *w)
{
	reply_size(w->c, q->size);
}

static bool is_here(struct asking *q)
{
	struct content_page p = { .max = 1 };

	return content_tags(q->u->t->h->g->store, q->repo, q->arena, &p, NULL) >= 0;
}

static void list_done(struct work *w)
{
	struct asking *q = CONTAINER_OF(w, struct asking, work);
	bool away = q->err.code && q->err.code != ERR_NOT_FOUND &&
		    q->err.code != ERR_UNAUTHORIZED && q->err.code != ERR_FORBIDDEN;

	upstream_heard(q->u, &q->err);
	if (q->what == ASK_SIZE && !q->err.code)
		set_checked(q);
	if (away && q->what != ASK_SIZE && is_here(q))
		each_waiting(q, answer_stale); /* what we know of */
	else if (q->err.code)
		each_waiting(q, answer_failed);
	else
		each_waiting(q, q->what == ASK_TAGS   ? answer_tags
				: q->what == ASK_SIZE ? answer_size
						      : answer_referrers);
}

static bool ask_list(struct call *c, enum asked what, void (*local)(struct call *c))
{
	struct upstream *u = through_of(c->g->hooks->through, c->name);
	struct asking *q;

	if (!u)
		return false;
	if (upstream_away(u)) {
		if (what == ASK_SIZE)
			refuse_away(u, c);
		else
			set_stale(c);
		return what == ASK_SIZE;
	}
	q = ask_new(u, what, c);
	if (what == ASK_REFERRERS && query_get(&c->q, "artifactType"))
		q->type = arena_strdup(q->arena, query_get(&c->q, "artifactType"));
	ask_wait(q, c, local);
	ask_begin(q, list_done);
	return true;
}

bool through_tags(struct call *c)
{
	return ask_list(c, ASK_TAGS, tags_list_local);
}

bool through_referrers(struct call *c)
{
	return ask_list(c, ASK_REFERRERS, referrers_list_local);
}

bool through_size(struct call *c)
{
	const struct checked *k = find_checked(c->g->hooks->through, c);

	if (k) {
		reply_size(c, k->size);
		return true;
	}
	return ask_list(c, ASK_SIZE, NULL);
}

/* ---- life ---- */

static int open_upstream(struct through *t, struct upstream *u, const struct hooks_upstream *conf,
			 struct err *err)
{
	const char *host = strstr(conf->far.url, "://") + 3;

	u->t = t;
	u->conf = conf;
	u->hub = strcmp(host, "docker.io") == 0 || strcmp(host, "registry-1.docker.io") == 0 ||
		 strcmp(host, "index.docker.io") == 0;
	circuit_init(&u->circuit, FAILURES, AWAY_TIME);
	if (hooks_remote(t->h, &conf->far, &u->remote, err) < 0)
		return err_wrap(err, "upstream '%s'", conf->prefix);
	return 0;
}

int through_new(struct hooks *h, struct through **ret, struct err *err)
{
	struct through *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t || !(t->v = calloc(h->conf->upstreams.n, sizeof(*t->v))))
		abort();
	t->h = h;
	map_init(&t->asks);
	map_init(&t->checked);
	list_init(&t->all);
	*ret = t;
	for (size_t i = 0; i < h->conf->upstreams.n && r >= 0; i++)
		r = open_upstream(t, &t->v[t->n++], &h->conf->upstreams.v[i], err);
	return r;
}

void through_free(struct through *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		remote_free(t->v[i].remote);
	checked_clear(t);
	map_fini(&t->checked);
	map_fini(&t->asks);
	free(t->v);
	free(t);
}

void through_status(struct through *t, struct arena *a, struct doc *list)
{
	for (size_t i = 0; i < t->n; i++) {
		struct doc *d = doc_append_object(a, list);
		struct upstream *u = &t->v[i];

		doc_set_str(a, d, "prefix", u->conf->prefix);
		doc_set_str(a, d, "url", u->conf->far.url);
		doc_set_bool(a, d, "away", upstream_away(u));
		if (u->error[0])
			doc_set_str(a, d, "lastError", u->error);
	}
}

bool through_busy(const struct through *t)
{
	return !list_empty(&t->all);
}
