/* SPDX-License-Identifier: Apache-2.0 */
/* One write that changes its object. */
#include "apiserver/rest/change-private.h"

#include "api/check.h"
#include "api/managed.h"

#include <string.h>

/* resourceVersion of what is written: none, the live one's, or a conflict. */
static int check_revision(struct change *x, struct doc *meta, struct err *err)
{
	struct call *c = x->c;
	const char *text = change_text(x, meta, "resourceVersion");
	bool needed = (x->o->strategy->flags & STRATEGY_NEEDS_REVISION) && !x->scale;
	int64_t v = 0;

	if (*text && str_int64(slice_str(text), &v, NULL) < 0) {
		c->about.reason = STATUS_UNKNOWN;
		return err_set(err, ERR_SYSTEM,
			       "strconv.ParseUint: parsing \"%.64s\": invalid syntax", text);
	}
	change_set_meta(x, meta, "resourceVersion",
			*doc_get(doc_get(&x->old, "metadata"), "resourceVersion"));
	if (v == 0 && needed) {
		struct cause *cause = ARENA_NEW(c->a, struct cause);

		c->about.kind = c->about.resource;
		(void)status_invalid(err, &c->about, x->name,
				     "metadata.resourceVersion: Invalid value: 0x0: must be "
				     "specified for an update");
		if (cause)
			*cause = (struct cause){
				.field = "metadata.resourceVersion",
				.reason = "FieldValueInvalid",
				.detail = "Invalid value: 0x0: must be specified for an update",
			};
		err->causes = cause;
		return -ERR_INVALID;
	}
	if (v != 0 && v != item_revision(x->live))
		return status_conflict(err, &c->about, x->name, STATUS_MODIFIED);
	return 0;
}

static int check_uid(struct change *x, const struct doc *meta, struct err *err)
{
	const char *have = x->live ? change_text(x, doc_get(&x->old, "metadata"), "uid") : "";
	const char *want = change_text(x, meta, "uid");

	if (!*want || strcmp(want, have) == 0)
		return 0;
	return status_conflict(err, &x->c->about, x->name,
			       "Precondition failed: UID in precondition: %.64s, UID in object "
			       "meta: %.64s",
			       want, have);
}

static void keep_meta(struct change *x, struct doc *meta, const struct doc *old, const char *field)
{
	const struct doc *v = doc_get(old, field);

	if (v)
		change_set_meta(x, meta, field, *v);
	else
		(void)doc_remove(meta, field);
}

/* What no update changes. */
static void keep_old_meta(struct change *x, struct doc *meta)
{
	const struct doc *old = doc_get(&x->old, "metadata");

	if (!doc_get(meta, "uid"))
		keep_meta(x, meta, old, "uid");
	keep_meta(x, meta, old, "creationTimestamp");
	keep_meta(x, meta, old, "generation");
	keep_meta(x, meta, old, "selfLink");
	if (doc_get(old, "deletionTimestamp"))
		keep_meta(x, meta, old, "deletionTimestamp");
	if (!doc_get(meta, "deletionGracePeriodSeconds"))
		keep_meta(x, meta, old, "deletionGracePeriodSeconds");
}

static struct doc shallow(struct change *x, const struct doc *obj)
{
	struct arena *a = call_work(x->c);
	struct doc d = doc_object();

	DOC_EACH_MEMBER (key, value, obj)
		doc_add_node(a, &d, *key, *value);
	return d;
}

/*
 * An object that differs from the live one in the times of managedFields only is the same: then
 * those of the live one stay.
 */
int change_same(struct change *x)
{
	struct buf *a = &x->json[0], *b = &x->json[1];
	const struct doc *old_meta = doc_get(&x->old, "metadata");
	struct doc *meta = doc_get(&x->obj, "metadata");
	const struct doc *mine = doc_get(meta, "managedFields");
	const struct doc *theirs = doc_get(old_meta, "managedFields");
	struct doc copy, copy_meta;

	if (cache_is_stale(x->o->cache, item_key(x->live)) || item_is_older(x->live) ||
	    !codec_is_in(x->live, x->home->kind))
		return 0;
	copy = x->obj;
	if (mine && theirs && managed_same(mine, theirs)) {
		copy = shallow(x, &x->obj);
		copy_meta = shallow(x, meta);
		change_set_meta(x, &copy_meta, "managedFields", *theirs);
		doc_set(call_work(x->c), &copy, "metadata", copy_meta);
	}
	/* Cheaper than the bytes, and enough for what an update mostly is: another value. */
	if (doc_equal(doc_get(meta, "resourceVersion"), doc_get(old_meta, "resourceVersion")) &&
	    !doc_equal(&copy, &x->old))
		return 0;
	if (change_bytes(&copy, a, NULL) < 0 || change_bytes(&x->old, b, NULL) < 0)
		return 0;
	return slice_eq(buf_slice(a), buf_slice(b));
}

/* From the client's view to what is stored. */
static int to_stored(struct change *x, struct doc *view, struct err *err)
{
	struct call *c = x->c;
	struct arena *a = call_work(c);
	struct doc *copy, managed = doc_null();
	int r;

	if (!x->scale)
		return codec_convert(c->resource->kind, x->o->kind, view, a, &x->obj, err);
	copy = doc_copy_shared(a, &x->old);
	if (!copy)
		return arena_quota(a, err);
	x->obj = *copy;
	r = scale_set(x->o->kind, &x->obj, view, a, err);
	if (r < 0)
		return r;
	if (scale_managed_to_parent(x->o->kind, doc_find(&x->old, "metadata.managedFields"),
				    doc_find(view, "metadata.managedFields"), a, &managed,
				    NULL) == 0 &&
	    doc_len(&managed))
		change_set_meta(x, change_meta(x, x->o->kind->type, &x->obj), "managedFields",
				managed);
	return 0;
}

static int settle_changed(struct change *x, struct err *err)
{
	int r = 0;

	if (x->ask.changed && x->scale) {
		r = to_stored(x, &x->body, err);
		if (r == 0)
			keep_old_meta(x, change_meta(x, x->o->kind->type, &x->obj));
	} else if (x->ask.changed) {
		change_dedup_owners(x, &x->obj);
	}
	if (r == 0)
		r = strategy_update(&x->sc, &x->obj, &x->old, err);
	return r < 0 ? r : change_check(x, err);
}

static int finish_changed(struct change *x, struct err *err)
{
	int r = change_charge(x, err);

	if (r < 0)
		return r;
	if (!strategy_is_over(x->o->kind, &x->obj, &x->old))
		return change_same(x);
	x->remove = true;
	return change_commit_removal(x, err);
}

int change_update(struct change *x, struct doc *view, bool put, struct err *err)
{
	struct doc *meta = change_meta(x, x->type, view);
	int r = put ? check_uid(x, meta, err) : 0;

	if (r == 0 && !x->scale)
		r = check_revision(x, meta, err);
	change_dedup_owners(x, view);
	if (r == 0)
		r = change_track(x, &x->view, view, err);
	if (r == 0)
		r = to_stored(x, view, err);
	if (r < 0)
		return r;
	meta = change_meta(x, x->o->kind->type, &x->obj);
	if (x->scale)
		r = check_revision(x, meta, err);
	if (r < 0)
		return r;
	keep_old_meta(x, meta);
	change_strategy(x);
	x->settle = settle_changed;
	x->finish = finish_changed;
	if (x->scale)
		x->body = *view;
	change_ask(x, HOOK_UPDATE, x->scale, "UpdateOptions");
	return change_admit(x, &x->old, err);
}
