/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs and manifests to another registry. */
#include "doc/json.h"
#include "image/fetch.h"
#include "image/manifest.h"
#include "image/remote-priv.h"
#include "io/url.h"

#include <stdio.h>
#include <string.h>

/* ---- blobs ---- */

struct session {
	struct remote *r;
	struct remote_push *p;
	struct arena *a;
	const char *scope, *what, *location;
};

/* The upload's address of an answer. */
static int take_location(struct session *s, const struct reply *p, struct err *err)
{
	const char *where = remote_header(s->a, p, "Location");

	if (!where || !where[0])
		return err_set(err, ERR_INVALID, "%s: the registry names no upload", s->what);
	s->location = where;
	return 0;
}

/* 1 = the registry has it now (it was mounted); 0 = an upload has begun. */
static int begin(struct session *s, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(4096);
	struct ask q = { .method = "POST", .scope = s->scope, .what = s->what };
	struct reply p = REPLY_INIT;
	int ret;

	buf_addf(&path, "/v2/%s/blobs/uploads/", s->p->repo);
	if (s->p->mount_from) {
		(void)query_add(&path, "mount", s->p->digest);
		(void)query_add(&path, "from", s->p->mount_from);
		/* For the rest of the upload too: one token serves it all. */
		s->scope = arena_printf(s->a, "%s repository:%s:pull", s->scope, s->p->mount_from);
		q.scope = s->scope;
	}
	q.path = buf_str(&path);
	ret = remote_ask(s->r, &q, &p, err);
	if (ret >= 0 && p.a.status == 201)
		ret = s->p->mounted = true;
	else if (ret >= 0 && p.a.status == 202)
		ret = take_location(s, &p, err);
	else if (ret >= 0)
		ret = remote_failed(&q, &p, err);
	reply_fini(s->r, &p);
	return ret;
}

static ssize_t on_produce(void *ctx, uint64_t offset, char *to, size_t cap, struct err *err)
{
	struct session *s = ctx;

	if (remote_cancelled(s->r, err))
		return err_ret(err);
	return s->p->produce(s->p->ctx, offset, to, cap, err);
}

/* Bytes [from, from + n) by PATCH. */
static int send_part(struct session *s, uint64_t from, uint64_t n, struct err *err)
{
	struct ask q = { .method = "PATCH",
			 .path = s->location,
			 .scope = s->scope,
			 .what = s->what,
			 .headers = { { "Content-Type", "application/octet-stream" } },
			 .nheaders = 1,
			 .produce = on_produce,
			 .ctx = s,
			 .length = (int64_t)n,
			 .offset = from };
	struct reply p = REPLY_INIT;
	int ret;

	if (s->p->chunk) {
		q.headers[1][0] = "Content-Range";
		q.headers[1][1] = arena_printf(s->a, "%llu-%llu", (unsigned long long)from,
					       (unsigned long long)(from + n - 1));
		q.nheaders = 2;
	}
	ret = remote_ask(s->r, &q, &p, err);
	if (ret >= 0 && p.a.status != 202 && p.a.status != 201 && p.a.status != 204)
		ret = remote_failed(&q, &p, err);
	else if (ret >= 0)
		ret = take_location(s, &p, err);
	reply_fini(s->r, &p);
	return ret;
}

static int finish(struct session *s, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(16384);
	struct ask q = { .method = "PUT",
			 .scope = s->scope,
			 .what = s->what,
			 .headers = { { "Content-Type", "application/octet-stream" } },
			 .nheaders = 1 };
	struct reply p = REPLY_INIT;
	const char *told;
	int ret;

	buf_adds(&path, s->location);
	(void)query_add(&path, "digest", s->p->digest);
	q.path = buf_str(&path);
	ret = remote_ask(s->r, &q, &p, err);
	if (ret >= 0 && p.a.status != 201 && p.a.status != 204)
		ret = remote_failed(&q, &p, err);
	told = ret >= 0 ? remote_header(s->a, &p, "Docker-Content-Digest") : NULL;
	if (told && strcmp(told, s->p->digest) != 0)
		ret = err_set(err, ERR_INVALID, "%s: the registry has taken it as '%.150s'",
			      s->what, told);
	reply_fini(s->r, &p);
	return ret;
}

static int upload(struct session *s, struct err *err)
{
	uint64_t step = s->p->chunk ? s->p->chunk : s->p->size;
	int ret = begin(s, err);

	if (ret)
		return ret;
	for (uint64_t at = 0; at < s->p->size && ret >= 0; at += step)
		ret = send_part(s, at, MIN(step, s->p->size - at), err);
	return ret < 0 ? ret : finish(s, err);
}

int remote_push_blob(struct remote *r, struct remote_push *p, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("push", 8u << 20);
	struct session s = { .r = r,
			     .p = p,
			     .a = a,
			     .scope = remote_scope(a, p->repo, "pull,push"),
			     .what = arena_printf(a, "push of blob '%s' to '%s'", p->digest,
						  p->repo) };
	int ret;

	p->existed = p->mounted = false;
	if (r->fetch)
		return fetch_push_blob(r, p, err);
	ret = image_digest_check(slice_str(p->digest), err);
	if (ret < 0)
		return ret;
	ret = remote_has_blob(r, p->repo, p->digest, err);
	if (ret > 0)
		p->existed = true;
	/* A registry that does not tell (no pull) may still take it. */
	if (ret > 0 || (ret < 0 && err->code != ERR_UNAUTHORIZED && err->code != ERR_FORBIDDEN))
		return ret > 0 ? 0 : ret;
	ret = upload(&s, err);
	if (ret < 0 && (err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT) &&
	    !remote_cancelled(r, err)) {
		remote_notice(r, "%s: broke off, from the begin again", s.what);
		ret = upload(&s, err);
	}
	return ret < 0 ? ret : 0;
}

/* ---- manifests ---- */

static int put_manifest(struct remote *r, const char *repo, const char *ref, const char *media,
			struct slice bytes, char digest[IMAGE_DIGEST_MAX], bool *ret_subject,
			struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("push", 1u << 20);
	struct ask q = { .method = "PUT",
			 .path = remote_path(a, repo, "manifests", ref),
			 .scope = remote_scope(a, repo, "pull,push"),
			 .what = arena_printf(a, "push of manifest '%s' to '%s'", ref, repo),
			 .headers = { { "Content-Type", media } },
			 .nheaders = 1,
			 .body = bytes };
	struct reply p = REPLY_INIT;
	const char *told;
	struct image_hash h;
	int ret;

	image_hash_init(&h, strchr(ref, ':') ? image_digest_alg(ref) : IMAGE_SHA256);
	image_hash_update(&h, bytes.p, bytes.n);
	image_hash_final(&h, digest);
	ret = remote_ask(r, &q, &p, err);
	if (ret >= 0 && p.a.status != 201 && p.a.status != 202)
		ret = remote_failed(&q, &p, err);
	told = ret >= 0 ? remote_header(a, &p, "Docker-Content-Digest") : NULL;
	if (told && strcmp(told, digest) != 0)
		ret = err_set(err, ERR_INVALID, "%s: the registry has taken it as '%.150s', not %s",
			      q.what, told, digest);
	*ret_subject = ret >= 0 && remote_header(a, &p, "OCI-Subject");
	reply_fini(r, &p);
	return ret;
}

static void put_desc(struct arena *a, struct doc *list, const struct manifest_desc *d,
		     const struct str_map *notes)
{
	struct doc *e = doc_append_object(a, list), *n;

	doc_set_str(a, e, "mediaType", d->media);
	doc_set_str(a, e, "digest", d->digest);
	doc_set_int(a, e, "size", d->size);
	if (d->artifact_type)
		doc_set_str(a, e, "artifactType", d->artifact_type);
	if (!notes->n)
		return;
	n = doc_set_object(a, e, "annotations");
	for (size_t i = 0; i < notes->n; i++)
		doc_set_str(a, n, notes->v[i].key, notes->v[i].value);
}

/* A registry without the referrers API: the index under the fall-back tag gets an entry. */
static int list_by_tag(struct remote *r, const char *repo, const struct manifest *m,
		       const struct manifest_desc *mine, struct arena *a, struct err *err)
{
	const char *tag = remote_referrers_tag(a, m->subject->digest);
	struct doc *d = doc_new_object(a), *list;
	struct remote_manifest old;
	struct manifest index = { 0 };
	char digest[IMAGE_DIGEST_MAX];
	struct slice text;
	bool ignored;
	int ret;

	ret = remote_manifest(r, repo, tag, a, &old, err);
	if (ret >= 0)
		ret = manifest_parse(a, old.bytes, old.media, &index, err);
	else if (ret == -ERR_NOT_FOUND)
		ret = 0;
	if (ret < 0)
		return ret;
	doc_set_int(a, d, "schemaVersion", 2);
	doc_set_str(a, d, "mediaType", MEDIA_OCI_INDEX);
	list = doc_set_array(a, d, "manifests");
	for (size_t i = 0; i < index.n; i++) {
		if (strcmp(index.parts[i].digest, mine->digest) == 0)
			return 0;
		put_desc(a, list, &index.parts[i], &index.parts[i].annotations);
	}
	put_desc(a, list, mine, &m->annotations);
	ret = json_print(a, d, NULL, &text, err);
	return ret < 0 ? ret
		       : put_manifest(r, repo, tag, MEDIA_OCI_INDEX, text, digest, &ignored, err);
}

int remote_push_manifest(struct remote *r, const char *repo, const char *ref, const char *media,
			 struct slice bytes, char ret_digest[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("push", 32u << 20);
	struct manifest_desc mine = { .media = media, .size = (int64_t)bytes.n };
	struct manifest m;
	bool subject = false;
	int ret;

	if (r->fetch)
		return fetch_push_manifest(r, repo, ref, media, bytes, ret_digest, err);
	ret = manifest_parse(a, bytes, media, &m, err);
	if (ret >= 0)
		ret = put_manifest(r, repo, ref, media, bytes, ret_digest, &subject, err);
	if (ret < 0 || !m.subject || subject)
		return ret;
	mine.digest = ret_digest;
	mine.artifact_type = m.artifact_type;
	return list_by_tag(r, repo, &m, &mine, a, err);
}

int remote_delete_manifest(struct remote *r, const char *repo, const char *ref, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("delete", 64 << 10);
	struct ask q = { .method = "DELETE",
			 .path = remote_path(a, repo, "manifests", ref),
			 .scope = remote_scope(a, repo, "delete"),
			 .what = arena_printf(a, "delete of '%s' in '%s'", ref, repo) };
	struct reply p = REPLY_INIT;
	int ret;

	if (r->fetch)
		return fetch_delete(r, repo, ref, err);
	ret = remote_ask(r, &q, &p, err);
	if (ret >= 0 && p.a.status != 202 && p.a.status != 200 && p.a.status != 204)
		ret = remote_failed(&q, &p, err);
	reply_fini(r, &p);
	return ret;
}
