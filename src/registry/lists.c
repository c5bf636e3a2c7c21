/* SPDX-License-Identifier: Apache-2.0 */
/* Tags, repositories, referrers. */
#include "registry/private.h"

#include "doc/json.h"

#include <stdio.h>
#include <string.h>

static void reply_doc(struct call *c, const char *type, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16u << 20);
	struct err err = ERR_INIT;

	if (arena_exceeded(c->a) || json_write(d, NULL, &b, &err) < 0)
		answer_error(c, UNKNOWN, "the list is too long");
	else
		(void)stream_reply(c->s, 200, type, b.p, b.n);
}

static void put_names(struct call *c, struct doc *list, const struct content_page *p)
{
	for (size_t i = 0; i < p->names.n; i++)
		doc_append_str(c->a, list, p->names.v[i]);
}

void tags_list_local(struct call *c)
{
	struct doc *d = doc_new_object(c->a);
	struct err err = ERR_INIT;
	struct content_page p;
	int64_t n;

	if (page_of(c, &p, &n) < 0)
		return;
	if (content_tags(c->g->store, c->name, c->a, &p, &err) < 0) {
		answer_err(c, &err, NAME_UNKNOWN, UNKNOWN);
		return;
	}
	doc_set_str(c->a, d, "name", c->name);
	put_names(c, doc_set_array(c->a, d, "tags"), &p);
	if (p.more && p.names.n)
		set_next_link(c, path_of(c, "tags", "list"), p.names.v[p.names.n - 1], n);
	reply_doc(c, "application/json", d);
}

void tags_list(struct call *c)
{
	if (!hooks_tags(c))
		tags_list_local(c);
}

/* Those that one may pull: a page may have fewer than were asked for. */
static void put_visible(struct call *c, struct doc *list, const struct content_page *p)
{
	const struct who *w = &c->who;

	for (size_t i = 0; i < p->names.n; i++)
		if (w->foreign ||
		    (policy_may(auth_policy(c->g->auth), w->name, &w->groups, p->names.v[i]) &
		     MAY_PULL))
			doc_append_str(c->a, list, p->names.v[i]);
}

void catalog_list(struct call *c)
{
	struct doc *d = doc_new_object(c->a);
	struct err err = ERR_INIT;
	struct content_page p;
	int64_t n;

	if (page_of(c, &p, &n) < 0)
		return;
	if (content_repos(c->g->store, c->a, &p, &err) < 0) {
		answer_err(c, &err, NAME_UNKNOWN, UNKNOWN);
		return;
	}
	put_visible(c, doc_set_array(c->a, d, "repositories"), &p);
	if (p.more && p.names.n)
		set_next_link(c, "/v2/_catalog", p.names.v[p.names.n - 1], n);
	reply_doc(c, "application/json", d);
}

/* ---- referrers ---- */

static struct doc *add_entry(struct call *c, struct doc *list, const char *media,
			     const char *digest, uint64_t size, const char *type)
{
	struct doc *e = doc_append_object(c->a, list);

	doc_set_str(c->a, e, "mediaType", media);
	doc_set_uint(c->a, e, "size", size);
	doc_set_str(c->a, e, "digest", digest);
	if (type)
		doc_set_str(c->a, e, "artifactType", type);
	return e;
}

/* What clients of older registries kept: an index under a tag made of the digest. Those of its
 * entries that the list has not already. */
static void add_tagged(struct call *c, struct doc *list, const struct content_referrers *q)
{
	struct content_manifest found;
	char tag[CONTENT_TAG_MAX + 1];
	struct manifest m;

	(void)snprintf(tag, sizeof(tag), "%.6s-%.64s", c->ref, c->ref + 7);
	if (content_manifest(c->g->store, c->name, tag, c->a, &found, NULL) < 0 ||
	    manifest_parse(c->a, found.bytes, found.media, &m, NULL) < 0 ||
	    m.kind != MANIFEST_INDEX)
		return;
	for (size_t i = 0; i < m.n; i++) {
		const struct manifest_desc *d = &m.parts[i];
		bool known = q->artifact_type &&
			     (!d->artifact_type || strcmp(d->artifact_type, q->artifact_type) != 0);

		for (size_t k = 0; k < q->n && !known; k++)
			known = strcmp(q->v[k].digest, d->digest) == 0;
		if (known)
			continue;
		add_entry(c, list, d->media, d->digest, (uint64_t)d->size, d->artifact_type);
	}
}

void referrers_list_local(struct call *c)
{
	struct content_referrers q = { .digest = c->ref,
				       .artifact_type = query_get(&c->q, "artifactType"),
				       .after = query_get(&c->q, "last"),
				       .max = PAGE_DEFAULT };
	struct doc *d = doc_new_object(c->a), *list;
	struct err err = ERR_INIT;

	if (q.artifact_type && !q.artifact_type[0])
		q.artifact_type = NULL;
	if (content_referrers(c->g->store, c->name, c->a, &q, &err) < 0) {
		answer_err(c, &err, NAME_UNKNOWN, UNKNOWN);
		return;
	}
	doc_set_int(c->a, d, "schemaVersion", 2);
	doc_set_str(c->a, d, "mediaType", MEDIA_OCI_INDEX);
	list = doc_set_array(c->a, d, "manifests");
	for (size_t i = 0; i < q.n; i++) {
		const struct content_referrer *r = &q.v[i];
		struct doc *notes,
			*e = add_entry(c, list, r->media, r->digest, r->size, r->artifact_type);

		if (r->annotations &&
		    json_read(c->a, slice_str(r->annotations), NULL, &notes, &err) == 0)
			doc_set(c->a, e, "annotations", *notes);
	}
	if (!q.after)
		add_tagged(c, list, &q);
	if (q.artifact_type)
		(void)stream_set_header(c->s, "OCI-Filters-Applied", "artifactType");
	if (q.more)
		set_next_link(c, path_of(c, "referrers", c->ref), q.v[q.n - 1].digest,
			      PAGE_DEFAULT);
	reply_doc(c, MEDIA_OCI_INDEX, d);
}

void referrers_list(struct call *c)
{
	if (!hooks_referrers(c))
		referrers_list_local(c);
}
