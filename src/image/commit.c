/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker commit: a container's upper directory becomes one more layer. The layer's tar is written
 * into the import's spool and goes from there the way of every other: hashed, unpacked in the
 * fenced helper, published in one commit.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "doc/json.h"
#include "image/import-priv.h"
#include "image/layers.h"
#include "image/manifest.h"
#include "linux/sys.h"

#include <string.h>

/* The files as they are between hold and release. */
static int read_layer(struct image_import *im, const struct image_commit *cm, struct err *err)
{
	struct stat st;
	int r;

	r = cm->hold ? cm->hold(cm->ctx, err) : 0;
	if (r < 0)
		return r;
	r = image_diff_tar(im->is, cm->kind, cm->dirs, im->spool, NULL, err);
	if (cm->release)
		cm->release(cm->ctx);
	if (r >= 0 && sys_fstat(im->spool, &st) < 0)
		r = err_sys(err, "look at the new layer");
	if (r >= 0)
		im->size = (uint64_t)st.st_size;
	return r;
}

/* Docker's legacy keys speak of the container that made the base. */
static void drop_legacy(struct doc *root)
{
	static const char *const keys[] = {
		"container", "container_config", "docker_version", "parent", "id", "throwaway"
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		(void)doc_remove(root, keys[i]);
}

static struct doc *array_of(struct arena *a, struct doc *obj, const char *key)
{
	struct doc *d = doc_get(obj, key);

	return doc_is(d, DOC_ARRAY) ? d : doc_set(a, obj, key, doc_array());
}

static void set_text(struct arena *a, struct doc *obj, const char *key, const char *text)
{
	if (text && text[0])
		doc_set_str(a, obj, key, text);
	else
		(void)doc_remove(obj, key);
}

static int make_config(struct image_import *im, const struct image_commit *cm, const char *diff,
		       int64_t now, struct slice *ret, struct err *err)
{
	const struct json_options jo = { .copy = true };
	struct arena *a = im->arena;
	char *when = arena_alloc(a, CLOCK_TEXT_MAX);
	struct doc *root, *config, *row, *rootfs;
	int r;

	if (!when)
		return arena_quota(a, err);
	clock_rfc3339nano(when, now);
	r = json_read(a, image_config_json(cm->base), &jo, &root, err);
	if (r >= 0)
		r = json_read(a, cm->config, &jo, &config, err);
	if (r >= 0)
		r = image_changes_apply(a, config, im->o.changes, im->o.nchanges, err);
	if (r < 0)
		return r;
	drop_legacy(root);
	doc_set(a, root, "config", *config);
	doc_set_str(a, root, "created", when);
	set_text(a, root, "author", cm->author);
	set_text(a, root, "comment", im->o.message);
	row = doc_append_object(a, array_of(a, root, "history"));
	doc_set_str(a, row, "created", when);
	set_text(a, row, "author", cm->author);
	set_text(a, row, "created_by", cm->created_by);
	set_text(a, row, "comment", im->o.message);
	rootfs = doc_get(root, "rootfs");
	if (!doc_is(rootfs, DOC_OBJECT)) {
		rootfs = doc_set_object(a, root, "rootfs");
		doc_set_str(a, rootfs, "type", "layers");
	}
	doc_append_str(a, array_of(a, rootfs, "diff_ids"), diff);
	return arena_exceeded(a) ? arena_quota(a, err) : json_print(a, root, NULL, ret, err);
}

/* The base's layers, held from here on. */
static int add_base(struct image_import *im, const struct image_commit *cm,
		    struct image_new_image *n, struct err *err)
{
	const struct strv *diffs = &image_config(cm->base)->diff_ids;
	const char *parent = "";
	int r = 1;

	if (diffs->n >= im->is->o.limits.layers_max)
		return err_set(err, ERR_TOO_LARGE,
			       "the image has %zu layers already, and an image can have %u; export "
			       "the container and import it to begin anew",
			       diffs->n, im->is->o.limits.layers_max);
	n->chains = arena_alloc_array(im->arena, diffs->n + 1, IMAGE_DIGEST_MAX);
	if (!n->chains)
		return arena_quota(im->arena, err);
	for (size_t i = 0; i < diffs->n && r > 0; i++) {
		const char *chain = image_chain_id(cm->base, i);

		r = import_reuse_layer(im, parent, chain, err);
		if (r == 0)
			return err_set(err, ERR_NOT_FOUND,
				       "layer '%s' of the container's image is not in the store",
				       chain);
		(void)str_copy(n->chains[n->nchains++], IMAGE_DIGEST_MAX, chain);
		parent = chain;
	}
	return r < 0 ? r : 0;
}

int import_run_commit(struct image_import *im, struct err *err)
{
	const struct image_commit *cm = im->o.commit;
	struct image_new_image *n = ARENA_NEW(im->arena, struct image_new_image);
	struct image_new_layer *l;
	struct slice config;
	int r;

	if (!n)
		return arena_quota(im->arena, err);
	r = read_layer(im, cm, err);
	if (r >= 0)
		r = add_base(im, cm, n, err);
	if (r >= 0)
		r = import_add_spool(im, n->nchains ? n->chains[n->nchains - 1] : "", &l, err);
	if (r < 0)
		return r;
	(void)str_copy(n->chains[n->nchains++], IMAGE_DIGEST_MAX, l->chain);
	n->created = clock_real();
	n->os = image_config(cm->base)->os[0] ? image_config(cm->base)->os : "linux";
	n->arch = image_config(cm->base)->architecture;
	r = make_config(im, cm, l->diff, n->created, &config, err);
	if (r >= 0)
		r = import_blob_from_bytes(im, config, MEDIA_OCI_CONFIG, n->id, err);
	if (r >= 0)
		r = import_finish_image(im, n, err);
	im->images = n;
	im->nimages = 1;
	return r;
}
