/* SPDX-License-Identifier: Apache-2.0 */
/* One write that makes its object. */
#include "apiserver/rest/change-private.h"

#include "base/hash.h"

#include <string.h>

static const char *make_name(struct change *x, const char *prefix)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char end[6] = "";

	for (int i = 0; i < 5; i++)
		end[i] = letters[random_u64() % (sizeof(letters) - 1)];
	return arena_printf(call_work(x->c), "%.58s%s", prefix, end);
}

/* What the server alone sets. */
static int begin_meta(struct change *x, struct doc *meta, struct err *err)
{
	static const char *const gone[] = { "deletionTimestamp", "deletionGracePeriodSeconds",
					    "selfLink" };
	const char *name = change_text(x, meta, "name"),
		   *made = change_text(x, meta, "generateName");

	x->prefix = NULL;
	if (!*name && *made) {
		x->prefix = made;
		if (!x->made_name)
			x->made_name = arena_strdup(x->c->a, make_name(x, made));
		name = x->made_name;
		if (!name)
			return arena_quota(call_work(x->c), err);
		change_set_meta(x, meta, "name", change_text_doc(x, name));
	}
	x->name = name;
	x->c->named = arena_strdup(x->c->a, name);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		(void)doc_remove(meta, gone[i]);
	if (!*x->uid)
		random_uuid(x->uid);
	change_set_meta(x, meta, "uid", change_text_doc(x, x->uid));
	change_set_meta(x, meta, "creationTimestamp", change_text_doc(x, change_now(x)));
	return 0;
}

/* A webhook may have given it another name. */
static int rename_made(struct change *x, struct err *err)
{
	const char *name = change_text(x, doc_get(&x->obj, "metadata"), "name");

	if (strcmp(name, x->name) == 0)
		return 0;
	x->prefix = NULL;
	x->name = arena_strdup(call_work(x->c), name);
	x->c->named = arena_strdup(x->c->a, name);
	if (!x->name || !x->c->named)
		return arena_quota(call_work(x->c), err);
	x->c->about.name = x->name;
	return 0;
}

static int settle_made(struct change *x, struct err *err)
{
	int r = 0;

	if (x->ask.changed) {
		change_dedup_owners(x, &x->obj);
		r = rename_made(x, err);
	}
	if (r == 0)
		r = strategy_create(&x->sc, &x->obj, err);
	return r < 0 ? r : change_check(x, err);
}

static int finish_made(struct change *x, struct err *err)
{
	struct call *c = x->c;
	int r = change_charge(x, err);

	/* A dry run is told too what the store would find. */
	if (r == 0 && c->q.dry_run && !x->prefix &&
	    cache_get(x->o->cache, call_key(c, change_ns_of(c), x->name)))
		return status_exists(err, &c->about, x->name);
	return r;
}

int change_create(struct change *x, struct doc *view, struct err *err)
{
	struct call *c = x->c;
	struct doc *meta = change_meta(x, x->type, view);
	int r = change_ns(x, meta, err);

	if (r < 0)
		return r;
	change_dedup_owners(x, view);
	meta = change_meta(x, x->type, view);
	c->about.name = change_text(x, meta, "name");
	(void)doc_remove(meta, "resourceVersion");
	r = *change_ns_of(c) ? change_namespace(c, change_ns_of(c), err) : 0;
	if (r == 0)
		r = change_track(x, NULL, view, err);
	if (r == 0)
		r = begin_meta(x, change_meta(x, x->type, view), err);
	if (r == 0)
		r = codec_convert(c->resource->kind, x->o->kind, view, call_work(c), &x->obj, err);
	if (r < 0)
		return r;
	c->about.name = x->name;
	x->created = true;
	change_strategy(x);
	x->settle = settle_made;
	x->finish = finish_made;
	change_ask(x, HOOK_CREATE, false, "CreateOptions");
	return change_admit(x, NULL, err);
}
