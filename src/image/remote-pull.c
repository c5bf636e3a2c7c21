/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, blobs and lists of another registry. */
#include "base/fd.h"
#include "doc/json.h"
#include "image/content.h"
#include "image/fetch.h"
#include "image/manifest.h"
#include "image/remote-priv.h"
#include "io/url.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MANIFEST_MAX (4u << 20)
#define REFERRERS_MAX 10000

/* ---- manifests ---- */

static int check_size(const struct ask *q, const struct reply *p, struct err *err)
{
	return p->a.body.n <= MANIFEST_MAX
		       ? 0
		       : err_set(err, ERR_TOO_LARGE, "%s: the manifest is larger than %u bytes",
				 q->what, MANIFEST_MAX);
}

/* The digest that the bytes have; they must be those that were asked for, or told of. */
static int name_manifest(struct arena *a, const struct ask *q, const struct reply *p,
			 const char *ref, struct remote_manifest *m, struct err *err)
{
	const char *told = remote_header(a, p, "Docker-Content-Digest"),
		   *want = strchr(ref, ':') ? ref : told;

	if (want && !image_digest_valid(slice_str(want)))
		return err_set(err, ERR_INVALID, "%s: the registry names no valid digest", q->what);
	if (!want)
		image_digest_of(p->a.body.p, p->a.body.n, m->digest);
	else if (!image_digest_matches(want, p->a.body))
		return err_set(err, ERR_INVALID,
			       "%s: the bytes of the manifest do not have the digest %s", q->what,
			       want);
	else
		(void)str_copy(m->digest, sizeof(m->digest), want);
	return 0;
}

static int take_manifest(struct arena *a, const struct ask *q, const struct reply *p,
			 const char *ref, struct remote_manifest *m, struct err *err)
{
	const char *type = remote_header(a, p, "Content-Type");
	int ret;

	ret = check_size(q, p, err);
	if (ret >= 0)
		ret = name_manifest(a, q, p, ref, m, err);
	if (ret < 0)
		return ret;
	m->media = type ? type : "";
	m->size = p->a.body.n;
	m->bytes = slice_of(arena_strndup(a, p->a.body.p, p->a.body.n), p->a.body.n);
	return m->bytes.p ? 0 : arena_quota(a, err);
}

static int take_head(struct arena *a, const struct ask *q, const struct reply *p, const char *ref,
		     struct remote_manifest *m, struct err *err)
{
	const char *digest = remote_header(a, p, "Docker-Content-Digest"),
		   *type = remote_header(a, p, "Content-Type"),
		   *size = remote_header(a, p, "Content-Length");

	if (strchr(ref, ':'))
		digest = ref;
	if (!digest || !image_digest_valid(slice_str(digest)))
		return err_set(err, ERR_UNSUPPORTED, "%s: the registry does not tell its digest",
			       q->what);
	(void)str_copy(m->digest, sizeof(m->digest), digest);
	m->media = type ? type : "";
	m->bytes = (struct slice){ 0 };
	m->size = 0;
	if (size)
		(void)str_uint64(slice_str(size), &m->size, NULL);
	return 0;
}

static int ask_manifest(struct remote *r, struct endpoint *e, const char *method, const char *repo,
			const char *ref, struct arena *a, struct remote_manifest *ret,
			struct err *err)
{
	struct ask q = { .e = e,
			 .method = method,
			 .path = remote_path(a, repo, "manifests", ref),
			 .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "manifest '%s' of '%s'", ref, repo),
			 .headers = { { "Accept", MEDIA_ACCEPT_MANIFESTS } },
			 .nheaders = 1 };
	struct reply p = REPLY_INIT;
	int n;

	n = remote_ask(r, &q, &p, err);
	if (n >= 0 && p.a.status != 200)
		n = remote_failed(&q, &p, err);
	else if (n >= 0)
		n = strcmp(method, "HEAD") == 0 ? take_head(a, &q, &p, ref, ret, err)
						: take_manifest(a, &q, &p, ref, ret, err);
	reply_fini(r, &p);
	return n;
}

static int from_anywhere(struct remote *r, const char *method, const char *repo, const char *ref,
			 struct arena *a, struct remote_manifest *ret, struct err *err)
{
	struct err why = ERR_INIT;

	for (size_t i = 0; i < r->nmirrors; i++) {
		if (ask_manifest(r, &r->mirrors[i], method, repo, ref, a, ret, &why) >= 0)
			return 0;
		if (remote_cancelled(r, err))
			return err_ret(err);
		if (why.code != ERR_NOT_FOUND)
			remote_notice(r, "mirror %s: %s", r->mirrors[i].host, why.msg);
	}
	return ask_manifest(r, &r->own, method, repo, ref, a, ret, err);
}

int remote_manifest(struct remote *r, const char *repo, const char *ref, struct arena *a,
		    struct remote_manifest *ret, struct err *err)
{
	if (r->fetch)
		return fetch_manifest(r, false, repo, ref, a, ret, err);
	return from_anywhere(r, "GET", repo, ref, a, ret, err);
}

int remote_head(struct remote *r, const char *repo, const char *ref, struct arena *a,
		struct remote_manifest *ret, struct err *err)
{
	if (r->fetch)
		return fetch_manifest(r, true, repo, ref, a, ret, err);
	return from_anywhere(r, "HEAD", repo, ref, a, ret, err);
}

/* ---- blobs ---- */

struct download {
	struct remote *r;
	uint64_t at, end;  /* the next byte, and the first behind the last */
	bool hashed, part; /* part: less than the whole blob is wanted */
	struct image_hash hash;
	remote_consume_fn *consume;
	void *ctx;
	bool refused; /* by consume: final */
};

static int on_bytes(void *ctx, struct slice bytes, struct err *err)
{
	struct download *d = ctx;
	int ret;

	if (remote_cancelled(d->r, err)) {
		d->refused = true;
		return err_ret(err);
	}
	if (bytes.n > d->end - d->at) {
		d->refused = true;
		return err_set(err, ERR_INVALID, "more bytes come than it has");
	}
	if (d->hashed)
		image_hash_update(&d->hash, bytes.p, bytes.n);
	ret = d->consume(d->ctx, bytes, err);
	d->at += bytes.n;
	d->refused |= ret < 0;
	return ret;
}

/* The range that came must begin where we are. */
static int check_range(const struct reply *p, const struct download *d, struct arena *a,
		       struct err *err)
{
	const char *text = remote_header(a, p, "Content-Range");
	struct slice rest = slice_str(text ? text : ""), from;
	uint64_t v;

	if (!slice_starts(rest, SLICE("bytes ")))
		return err_set(err, ERR_INVALID, "a part came without its Content-Range");
	rest = slice_of(rest.p + 6, rest.n - 6);
	from = slice_split(&rest, '-');
	if (str_uint64(from, &v, NULL) < 0 || v != d->at)
		return err_set(err, ERR_INVALID, "another part came than was asked for");
	return 0;
}

/* Reads away what we have already, where the server knows no ranges. */
struct skipping {
	struct download *d;
	const struct reply *p;
	uint64_t skip;
	bool first;
	struct arena *a;
};

static int on_skipping(void *ctx, struct slice bytes, struct err *err)
{
	struct skipping *s = ctx;
	uint64_t n;

	if (s->first) {
		s->first = false;
		s->skip = s->p->a.status == 200 ? s->d->at : 0;
		if (s->p->a.status == 206 && check_range(s->p, s->d, s->a, err) < 0) {
			s->d->refused = true;
			return err_ret(err);
		}
	}
	n = MIN(s->skip, (uint64_t)bytes.n);
	s->skip -= n;
	bytes = slice_of(bytes.p + n, bytes.n - n);
	return bytes.n ? on_bytes(s->d, bytes, err) : 0;
}

static int ask_once(struct remote *r, struct download *d, struct ask *q, struct arena *a,
		    struct err *err)
{
	struct reply p = REPLY_INIT;
	struct skipping s = { .d = d, .p = &p, .first = true, .a = a };
	int ret;

	q->consume = on_skipping;
	q->ctx = &s;
	q->once = true;
	q->nheaders = 0;
	if (d->at || d->end != UINT64_MAX) {
		q->headers[0][0] = "Range";
		q->headers[0][1] = arena_printf(a, "bytes=%llu-%llu", (unsigned long long)d->at,
						(unsigned long long)d->end - 1);
		q->nheaders = d->at > 0 || d->part;
	}
	ret = remote_ask(r, q, &p, err);
	if (ret >= 0 && p.a.status != 200 && p.a.status != 206)
		ret = remote_failed(q, &p, err);
	reply_fini(r, &p);
	return ret;
}

/* Goes on where it broke off, as long as each attempt brings something. */
static int download(struct remote *r, struct download *d, struct ask *q, struct arena *a,
		    struct err *err)
{
	uint64_t before;
	int ret, barren = 0;

	do {
		before = d->at;
		ret = ask_once(r, d, q, a, err);
		if (ret >= 0 && d->at < d->end)
			ret = err_set(err, ERR_UNAVAILABLE, "%s: it ends %llu bytes too early",
				      q->what, (unsigned long long)(d->end - d->at));
		if (ret >= 0 || d->refused || remote_cancelled(r, err))
			break;
		if (err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT)
			break;
		barren = d->at > before ? 0 : barren + 1;
		remote_notice(r, "%s: broke off at %llu bytes, going on", q->what,
			      (unsigned long long)d->at);
	} while (barren < 2);
	return ret;
}

static int check_digest(const struct ask *q, struct download *d, const char *digest,
			struct err *err)
{
	char have[IMAGE_DIGEST_MAX];

	image_hash_final(&d->hash, have);
	return strcmp(have, digest) == 0
		       ? 0
		       : err_set(err, ERR_INVALID, "%s: its bytes have the digest %s", q->what,
				 have);
}

/* One place after the other: nothing of a place that failed at its first byte is kept. */
static int from_places(struct remote *r, struct download *d, struct ask *q, const char *repo,
		       const struct manifest_desc *desc, struct arena *a, struct err *err)
{
	struct err why = ERR_INIT;
	int ret = -1;

	q->path = remote_path(a, repo, "blobs", desc->digest);
	for (size_t i = 0; i <= r->nmirrors && ret < 0; i++) {
		q->e = i < r->nmirrors ? &r->mirrors[i] : &r->own;
		ret = download(r, d, q, a, &why);
		if (ret < 0 && (d->refused || remote_cancelled(r, &why)))
			break;
	}
	for (size_t i = 0; i < desc->urls.n && ret < 0 && !d->refused; i++) {
		q->e = &r->own;
		q->path = desc->urls.v[i];
		if (strncmp(q->path, "https://", 8) == 0 || r->conf.insecure)
			ret = download(r, d, q, a, &why);
	}
	if (ret < 0)
		*err = why;
	return ret;
}

int remote_blob_pass(struct remote *r, const char *repo, const struct manifest_desc *desc,
		     uint64_t offset, bool hashed, remote_consume_fn *consume, void *ctx,
		     struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("blob", 1u << 20);
	struct download d = { .r = r,
			      .at = offset,
			      .end = (uint64_t)desc->size,
			      .hashed = hashed,
			      .consume = consume,
			      .ctx = ctx };
	struct ask q = { .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "blob '%s' of '%s'", desc->digest, repo) };
	int ret;

	ret = image_digest_check(slice_str(desc->digest), err);
	if (ret < 0)
		return ret;
	if (offset > d.end)
		return err_set(err, ERR_INVALID, "%s: begins behind its end", q.what);
	image_hash_init(&d.hash, image_digest_alg(desc->digest));
	if (offset < d.end)
		ret = from_places(r, &d, &q, repo, desc, a, err);
	if (ret >= 0 && d.hashed)
		ret = check_digest(&q, &d, desc->digest, err);
	return ret;
}

int remote_blob(struct remote *r, const char *repo, const struct manifest_desc *desc,
		uint64_t offset, remote_consume_fn *consume, void *ctx, struct err *err)
{
	if (r->fetch)
		return fetch_blob(r, repo, desc, offset, consume, ctx, err);
	return remote_blob_pass(r, repo, desc, offset, offset == 0, consume, ctx, err);
}

/* ---- into a pipe ---- */

struct remote_flow {
	struct fetch_call *call; /* by the process; or else by a thread: */
	struct remote *r;
	const char *repo;
	const struct manifest_desc *desc;
	uint64_t offset;
	int out, result;
	pthread_t thread;
	struct err err;
};

int remote_pass_on(void *ctx, struct slice bytes, struct err *err)
{
	const int *fd = ctx;

	return fd_write_all(*fd, bytes.p, bytes.n) < 0 ? err_sys(err, "hand on a blob") : 0;
}

static void *flow_main(void *arg)
{
	struct remote_flow *f = arg;
	sigset_t pipe;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	f->result = remote_blob_pass(f->r, f->repo, f->desc, f->offset, false, remote_pass_on,
				     &f->out, &f->err);
	fd_close(STEAL_FD(f->out));
	return NULL;
}

int remote_blob_begin(struct remote *r, const char *repo, const struct manifest_desc *desc,
		      uint64_t offset, int out_taken, struct remote_flow **ret, struct err *err)
{
	CLEANUP(fd_close) int out = out_taken;
	CLEANUP_FREE struct remote_flow *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		abort();
	*f = (struct remote_flow){ .r = r, .repo = repo, .desc = desc, .offset = offset };
	if (r->fetch) {
		rc = fetch_blob_begin(r, repo, desc, offset, STEAL_FD(out), &f->call, err);
		if (rc < 0)
			return rc;
	} else {
		f->out = out;
		rc = pthread_create(&f->thread, NULL, flow_main, f);
		if (rc)
			return err_sysc(err, ERR_SYSTEM, rc, "start a download");
		(void)STEAL_FD(out);
	}
	*ret = STEAL(f);
	return 0;
}

int remote_blob_finish(struct remote_flow *f, struct err *err)
{
	int r;

	if (f->call) {
		r = fetch_finish(f->call, NULL, err);
	} else {
		pthread_join(f->thread, NULL);
		r = f->result;
		if (r < 0 && err)
			*err = f->err;
	}
	free(f);
	return r;
}

int remote_range(struct remote *r, const char *repo, const char *digest, uint64_t from, uint64_t n,
		 remote_consume_fn *consume, void *ctx, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("range", 1u << 20);
	const struct manifest_desc desc = { .digest = digest, .size = (int64_t)(from + n) };
	struct download d = {
		.r = r, .at = from, .end = from + n, .part = true, .consume = consume, .ctx = ctx
	};
	struct ask q = { .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "blob '%s' of '%s'", digest, repo) };

	if (r->fetch)
		return fetch_range(r, repo, digest, from, n, consume, ctx, err);
	return n ? from_places(r, &d, &q, repo, &desc, a, err) : 0;
}

int remote_has_blob(struct remote *r, const char *repo, const char *digest, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("blob", 64 << 10);
	struct ask q = { .method = "HEAD",
			 .path = remote_path(a, repo, "blobs", digest),
			 .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "blob '%s' of '%s'", digest, repo) };
	struct reply p = REPLY_INIT;
	int ret;

	if (r->fetch)
		return fetch_has_blob(r, repo, digest, err);
	ret = remote_ask(r, &q, &p, err);
	if (ret >= 0)
		ret = p.a.status == 200 ? 1 : p.a.status == 404 ? 0 : remote_failed(&q, &p, err);
	reply_fini(r, &p);
	return ret;
}

/* A server that knows no ranges would send it all. */
static int stop_at_whole(void *ctx, struct slice bytes, struct err *err)
{
	const struct reply *p = ctx;

	(void)bytes;
	return p->a.status == 206
		       ? 0
		       : err_set(err, ERR_UNSUPPORTED,
				 "the registry neither tells a blob's size nor serves ranges");
}

/* Where HEAD does not tell: "bytes 0-0/SIZE" of one byte's range. */
static int size_by_range(struct remote *r, struct ask q, struct arena *a, uint64_t *ret,
			 struct err *err)
{
	struct reply p = REPLY_INIT;
	const char *text = NULL, *slash;
	int n;

	q.method = "GET";
	q.headers[0][0] = "Range";
	q.headers[0][1] = "bytes=0-0";
	q.nheaders = 1;
	q.consume = stop_at_whole;
	q.ctx = &p;
	q.once = true;
	if (err)
		*err = (struct err)ERR_INIT; /* HEAD's */
	n = remote_ask(r, &q, &p, err);
	if (n >= 0 && p.a.status != 206)
		n = remote_failed(&q, &p, err);
	else if (n >= 0)
		text = remote_header(a, &p, "Content-Range");
	slash = text ? strchr(text, '/') : NULL;
	if (n >= 0 && (!slash || str_uint64(slice_str(slash + 1), ret, NULL) < 0))
		n = err_set(err, ERR_UNSUPPORTED, "%s: the registry does not tell its size",
			    q.what);
	reply_fini(r, &p);
	return n < 0 ? n : 0;
}

int remote_blob_size(struct remote *r, const char *repo, const char *digest, uint64_t *ret,
		     struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("blob", 64 << 10);
	struct ask q = { .method = "HEAD",
			 .path = remote_path(a, repo, "blobs", digest),
			 .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "blob '%s' of '%s'", digest, repo) };
	struct reply p = REPLY_INIT;
	const char *size;
	int n;

	if (r->fetch)
		return err_set(err, ERR_UNSUPPORTED, "%s: its size is not asked for", q.what);
	n = remote_ask(r, &q, &p, err);
	if (n >= 0 && p.a.status != 200)
		n = remote_failed(&q, &p, err);
	size = n >= 0 ? remote_header(a, &p, "Content-Length") : NULL;
	if ((n >= 0 && (!size || str_uint64(slice_str(size), ret, NULL) < 0)) ||
	    n == -ERR_UNSUPPORTED)
		n = size_by_range(r, q, a, ret, err);
	reply_fini(r, &p);
	return n < 0 ? n : 0;
}

/* ---- lists ---- */

/* The target of rel="next" in a Link header (RFC 8288), in the arena; NULL = there is none. */
const char *remote_next_link(struct arena *a, struct slice text)
{
	while (text.n) {
		struct slice one = slice_trim(slice_split(&text, ',')), target, rest;
		const char *end;

		if (!one.n || one.p[0] != '<' || !(end = memchr(one.p, '>', one.n)))
			continue;
		target = slice_of(one.p + 1, (size_t)(end - one.p - 1));
		rest = slice_of(end + 1, one.n - target.n - 2);
		while (rest.n) {
			struct slice param = slice_trim(slice_split(&rest, ';'));

			if (slice_ieq(param, SLICE("rel=\"next\"")) ||
			    slice_ieq(param, SLICE("rel=next")))
				return arena_strndup(a, target.p, target.n);
			if (!rest.p)
				break;
		}
	}
	return NULL;
}

static int add_names(struct arena *a, const struct doc *list, size_t max, struct strs *ret,
		     struct err *err)
{
	DOC_EACH (it, list) {
		const char *name = doc_cstr(a, it);

		if (!name)
			return err_set(err, ERR_INVALID, "the registry's list holds no strings");
		if (ret->n == max)
			return err_set(err, ERR_TOO_LARGE, "the list has more than %zu entries",
				       max);
		if ((ret->n & (ret->n + 1)) == 0) /* 0, 1, 3, 7, ... */
			ret->v = arena_grow(a, ret->v, ret->n * sizeof(char *),
					    (2 * ret->n + 2) * sizeof(char *));
		if (!ret->v)
			return arena_quota(a, err);
		ret->v[ret->n++] = name;
	}
	return 0;
}

static int ask_list(struct remote *r, struct ask *q, const char *key, struct arena *a, size_t max,
		    struct strs *ret, struct err *err)
{
	const struct json_options jo = { .max_depth = 8, .copy = true };
	int n = 0;

	*ret = (struct strs){ 0 };
	for (size_t pages = 0; q->path && n >= 0; pages++) {
		struct reply p = REPLY_INIT;
		struct doc *d;

		if (pages > max)
			return err_set(err, ERR_TOO_LARGE, "the list has more than %zu pages", max);
		n = remote_ask(r, q, &p, err);
		if (n >= 0 && p.a.status != 200)
			n = remote_failed(q, &p, err);
		if (n >= 0 && json_read(a, p.a.body, &jo, &d, err) < 0)
			n = err_wrap(err, "%s", q->what);
		if (n >= 0)
			n = add_names(a, doc_get(d, key), max, ret, err);
		if (n >= 0)
			q->path = remote_next_link(a, http_answer_header(&p.a, "Link"));
		reply_fini(r, &p);
	}
	return n;
}

int remote_tags(struct remote *r, const char *repo, struct arena *a, size_t max, struct strs *ret,
		struct err *err)
{
	struct ask q = { .path = remote_path(a, repo, "tags", "list"),
			 .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "tags of '%s'", repo) };

	if (r->fetch)
		return fetch_list(r, FETCH_TAGS, repo, a, max, ret, err);
	return ask_list(r, &q, "tags", a, max, ret, err);
}

int remote_catalog(struct remote *r, struct arena *a, size_t max, struct strs *ret, struct err *err)
{
	struct ask q = { .path = "/v2/_catalog",
			 .scope = "registry:catalog:*",
			 .what = "list of repositories" };

	if (r->fetch)
		return fetch_list(r, FETCH_CATALOG, NULL, a, max, ret, err);
	return ask_list(r, &q, "repositories", a, max, ret, err);
}

/* ---- referrers ---- */

const char *remote_referrers_tag(struct arena *a, const char *digest)
{
	const char *hex = strchr(digest, ':');

	return arena_printf(a, "%.*s-%.64s", (int)MIN(hex - digest, 32), digest, hex + 1);
}

int remote_referrers(struct remote *r, const char *repo, const char *digest,
		     const char *artifact_type, struct arena *a, struct slice *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(4096);
	struct ask q = { .scope = remote_scope(a, repo, "pull"),
			 .what = arena_printf(a, "referrers of '%s@%s'", repo, digest),
			 .headers = { { "Accept", MEDIA_OCI_INDEX } },
			 .nheaders = 1 };
	struct reply p = REPLY_INIT;
	struct remote_manifest m;
	int n;

	if (r->fetch)
		return fetch_referrers(r, repo, digest, artifact_type, a, ret, err);
	buf_adds(&path, remote_path(a, repo, "referrers", digest));
	if (artifact_type)
		(void)query_add(&path, "artifactType", artifact_type);
	q.path = buf_str(&path);
	n = remote_ask(r, &q, &p, err);
	if (n >= 0 && p.a.status == 200)
		*ret = slice_of(arena_strndup(a, p.a.body.p, p.a.body.n), p.a.body.n);
	else if (n >= 0 && p.a.status != 404)
		n = remote_failed(&q, &p, err);
	if (n < 0 || p.a.status == 200) {
		reply_fini(r, &p);
		return n;
	}
	reply_fini(r, &p);
	n = ask_manifest(r, &r->own, "GET", repo, remote_referrers_tag(a, digest), a, &m, err);
	if (n == -ERR_NOT_FOUND) {
		*ret = SLICE("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
			     "\",\"manifests\":[]}");
		return 0;
	}
	if (n >= 0)
		*ret = m.bytes;
	return n;
}
