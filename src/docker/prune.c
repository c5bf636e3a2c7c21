/* SPDX-License-Identifier: Apache-2.0 */
/* POST /images/prune: one image after the other; what a container uses stays. */
#include "docker/private.h"

#include <stdio.h>

struct prune {
	struct call *c;
	struct image **v; /* candidates, each with a reference */
	size_t n, at;
	uint64_t bytes, unique;
	struct doc *deleted;
};

struct prune_filter {
	struct filters f;
	int64_t until;
	bool dangling;
};

static int read_filter(struct call *c, struct prune_filter *p, struct err *err)
{
	static const char *const known[] = { "dangling", "label", "label!", "until", NULL };
	const char *until;
	int r;

	r = filters_parse(c, known, &p->f, err);
	if (r < 0)
		return r;
	p->until = INT64_MAX;
	until = filters_nth(&p->f, "until", 0);
	if (until && clock_parse_when(slice_str(until), clock_real(), &p->until, err) < 0)
		return filters_invalid("until", until, err);
	r = filters_bool(&p->f, "dangling", 1, err);
	p->dangling = r == 1;
	return r < 0 ? r : 0;
}

static bool labels_match(struct call *c, const struct prune_filter *p, const struct image *img)
{
	const struct image_config *ic = image_config(img);
	struct str_pair *pairs = ARENA_ARRAY(c->a, struct str_pair, ic->nlabels + 1);
	struct str_map labels = { pairs, pairs ? ic->nlabels : 0 };
	const char *v;

	for (size_t i = 0; i < labels.n; i++)
		pairs[i] = (struct str_pair){ ic->labels[i].key, ic->labels[i].value };
	for (size_t i = 0; (v = filters_nth(&p->f, "label!", i)); i++) {
		struct filter one = { "label", v };

		if (filters_labels(&(struct filters){ &one, 1 }, "label", &labels))
			return false;
	}
	return filters_labels(&p->f, "label", &labels);
}

/* By a container, or another platform of what its names mean. */
static bool in_use(struct call *c, const struct image *img)
{
	struct err ignored = ERR_INIT;
	struct container *ct = NULL;
	struct strv ids;

	/* Removed meanwhile, or not to be read: removing it says so. */
	if (image_meant(engine_images(c->e), image_id(img), c->a, &ids, &ignored) < 0)
		return false;
	while ((ct = engine_container_next(c->e, ct)))
		for (size_t i = 0; i < ids.n; i++)
			if (strcmp(container_image_id(ct), ids.v[i]) == 0)
				return true;
	return false;
}

/* Keeps of p->v what goes. */
static int choose(struct prune *p, const struct prune_filter *f, struct err *err)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct strv tags = { 0 }, digests = { 0 };
		struct image *img = p->v[i];

		if (r >= 0)
			r = image_names(engine_images(p->c->e), img, p->c->a, &tags, &digests, err);
		/* A further platform goes with the image that its names mean alone. */
		if (r >= 0 && !(f->dangling && tags.n) &&
		    !image_is_further(engine_images(p->c->e), img) &&
		    image_created(img) <= f->until && !in_use(p->c, img) &&
		    labels_match(p->c, f, img))
			p->v[kept++] = img;
		else
			image_unref(img);
	}
	p->n = kept;
	return r;
}

static void next(struct prune *p);

static void prune_end(struct prune *p, const struct err *err)
{
	struct call *c = p->c;
	struct doc *o = doc_new_object(c->a);

	while (p->at < p->n)
		image_unref(p->v[p->at++]);
	if (err) {
		reply_err(c, err);
	} else {
		if (doc_len(p->deleted))
			doc_set(c->a, o, "ImagesDeleted", *p->deleted);
		else
			doc_set_null(c->a, o, "ImagesDeleted");
		doc_set_uint(c->a, o, "SpaceReclaimed", p->bytes);
		reply_doc(c, 200, o);
	}
	stream_unref(c->s);
}

static void removed(void *ctx, int result, const struct image_removal *rm, const struct err *err)
{
	struct prune *p = ctx;
	struct call *c = p->c;

	/* Somebody else was first, or it is mounted. */
	if (result == -ERR_NOT_FOUND || result == -ERR_CONFLICT) {
		next(p);
		return;
	}
	if (result < 0) {
		prune_end(p, err);
		return;
	}
	for (unsigned i = 0; i < rm->nuntagged; i++)
		doc_set_str(c->a, doc_append_object(c->a, p->deleted), "Untagged", rm->untagged[i]);
	for (unsigned i = 0; i < rm->ndeleted; i++)
		doc_set_str(c->a, doc_append_object(c->a, p->deleted), "Deleted", rm->deleted[i]);
	if (rm->ndeleted) {
		struct event_attr attr = { "name", rm->deleted[0] };

		p->bytes += p->unique;
		engine_event(c->e, "image", "delete", rm->deleted[0], &attr, 1);
	}
	next(p);
}

/* Used now by a container that was made meanwhile: it stays. */
static void next(struct prune *p)
{
	struct image_store *is = engine_images(p->c->e);

	while (p->at < p->n) {
		CLEANUP(image_unref) struct image *img = p->v[p->at++];
		struct err err = ERR_INIT;

		if (in_use(p->c, img))
			continue;
		if (image_unique_size(is, img, &p->unique, &err) < 0) {
			prune_end(p, &err);
			return;
		}
		image_remove(is, image_id(img), NULL, true, removed, p);
		return;
	}
	prune_end(p, NULL);
}

void images_prune(struct call *c)
{
	struct prune *p = ARENA_NEW(c->a, struct prune);
	struct prune_filter f;
	struct err err = ERR_INIT;

	*p = (struct prune){ .c = c, .deleted = doc_new_array(c->a) };
	if (read_filter(c, &f, &err) < 0 ||
	    image_list(engine_images(c->e), c->a, &p->v, &p->n, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	stream_ref(c->s);
	if (choose(p, &f, &err) < 0) {
		prune_end(p, &err);
		return;
	}
	next(p);
}
