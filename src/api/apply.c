/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apply.h"

#include "api/api.h"
#include "api/apply-private.h"
#include "api/fields.h"
#include "api/managed.h"
#include "api/object.h"
#include "api/typed.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdlib.h>

/* Longest of all annotations together: apimachinery's validation. */
#define ANNOTATIONS_MAX (256u << 10)

/* ---- metadata ---- */

static const struct doc *managed_list(const struct doc *obj)
{
	return doc_get(doc_get(obj, "metadata"), "managedFields");
}

/* Sets a member of metadata (NULL value: removes it) without touching nodes that others share. */
static void put_meta(struct arena *a, struct doc *obj, const char *key, const struct doc *value)
{
	const struct doc *old = doc_get(obj, "metadata");
	struct doc meta = doc_object(), copy = doc_object();
	bool had = false;

	DOC_EACH_MEMBER (k, v, old) {
		bool here = doc_str_is(k, key);

		had |= here;
		if (!here || value)
			doc_add_node(a, &meta, *k, here ? *value : *v);
	}
	if (value && !had)
		doc_add_node(a, &meta, doc_borrow(key, strlen(key)), *value);
	if (!old && !value)
		return;
	DOC_EACH_MEMBER (k, v, obj)
		doc_add_node(a, &copy, *k, v == old ? meta : *v);
	if (!old)
		doc_add_node(a, &copy, DOC_LIT("metadata"), meta);
	*obj = copy;
}

static void put_managed(const struct apply *c, struct doc *obj, struct managed *m)
{
	struct doc list = managed_write(m, c->a);

	if (list.n || managed_list(obj))
		put_meta(c->a, obj, "managedFields", list.n ? &list : NULL);
}

static const char *manager_of(const struct apply *c)
{
	return c->manager && *c->manager ? c->manager : "unknown";
}

static const char *sub_of(const struct apply *c)
{
	return c->subresource ? c->subresource : "";
}

/* The object before it was there: what upstream's encoding writes of an empty one. */
static int empty_object(const struct apply *c, struct doc *ret, struct err *err)
{
	struct doc bare = doc_object();

	doc_set_str(c->a, &bare, "apiVersion", c->api_version);
	doc_set_str(c->a, &bare, "kind", c->kind);
	return api_admit(c->type, &bare, c->a, API_NO_DEFAULTS, NULL, ret, err);
}

/* What nobody owns: identity, and what the server itself writes. */
static struct doc never_owned(struct arena *a)
{
	static const char *const meta[] = {
		"clusterName", "creationTimestamp", "generation",      "managedFields",
		"name",	       "namespace",	    "resourceVersion", "selfLink",
		"uid"
	};
	struct fields_node root = FIELDS_NODE, sub = FIELDS_NODE, leaf = FIELDS_NODE;

	leaf.member = sub.member = true;
	for (size_t i = 0; i < sizeof(meta) / sizeof(*meta); i++)
		fields_add(&sub, fields_key('f', slice_str(meta[i]), a), &leaf, a);
	fields_add(&root, DOC_LIT("f:apiVersion"), &leaf, a);
	fields_add(&root, DOC_LIT("f:kind"), &leaf, a);
	fields_add(&root, DOC_LIT("f:metadata"), &sub, a);
	return fields_close(&root, a);
}

/* ---- versions ---- */

#define VERSIONS_MAX 32

/* The two objects in one version, and what changed between them. */
struct version {
	const char *name;
	bool missing;
	bool compared;
	struct apply_version from, to;
	struct typed_diff diff;
};

struct versions {
	const struct apply *c;
	const struct doc *from, *to;
	struct version v[VERSIONS_MAX];
	size_t n;
};

static int convert(const struct apply *c, const struct doc *obj, const char *name,
		   struct apply_version *ret, struct err *err)
{
	*ret = (struct apply_version){ c->type, *obj, c->reset, c->only };
	if (strcmp(name, c->api_version) == 0)
		return 0;
	return c->convert ? c->convert(c->arg, obj, name, c->a, ret, err) : 1;
}

static struct doc filter(const struct apply_version *v, const struct doc *set, struct arena *a)
{
	struct doc ret = *set;

	if (v->reset)
		ret = fields_join(FIELDS_OUTSIDE, &ret, v->reset, a);
	if (v->only)
		ret = fields_join(FIELDS_WITHIN, &ret, v->only, a);
	return ret;
}

static int compare(struct versions *vs, struct version *v, struct err *err)
{
	const struct apply *c = vs->c;
	int r = typed_compare(v->to.type, &v->from.obj, &v->to.obj, c->a, &v->diff, err);

	if (r < 0)
		return r;
	v->diff.added = filter(&v->to, &v->diff.added, c->a);
	v->diff.modified = filter(&v->to, &v->diff.modified, c->a);
	v->diff.removed = filter(&v->to, &v->diff.removed, c->a);
	v->compared = true;
	return 0;
}

static int version_of(struct versions *vs, const char *name, struct version **ret, struct err *err)
{
	struct version *v;
	int r;

	for (size_t i = 0; i < vs->n; i++)
		if (strcmp(vs->v[i].name, name) == 0) {
			*ret = &vs->v[i];
			return 0;
		}
	if (vs->n == VERSIONS_MAX)
		return err_set(err, ERR_TOO_LARGE, "managedFields are in more than %d versions",
			       VERSIONS_MAX);
	v = &vs->v[vs->n++];
	*v = (struct version){ .name = name };
	r = convert(vs->c, vs->from, name, &v->from, err);
	if (r == 0)
		r = convert(vs->c, vs->to, name, &v->to, err);
	if (r < 0)
		return r;
	v->missing = r == 1;
	if (!v->missing)
		r = compare(vs, v, err);
	*ret = v;
	return r < 0 ? r : 0;
}

/* Entries of versions that are gone are dropped; sets follow lists and maps that became atomic. */
static int settle(const struct apply *c, const struct doc *live, struct managed *m, struct err *err)
{
	for (size_t i = 0; i < m->n;) {
		struct managed_entry *e = &m->v[i];
		struct apply_version v;
		int r = convert(c, live, e->api_version, &v, err);

		if (r < 0)
			return r;
		if (r == 1) {
			managed_remove(m, e);
			continue;
		}
		e->set = typed_settle(v.type, &e->set, c->a);
		i++;
	}
	return 0;
}

/* ---- what others lose ---- */

struct step {
	struct versions vs;
	struct managed *m;
	struct managed_entry *self; /* NULL: all entries are others */
	struct conflict *conflicts;
	size_t nconflicts;
};

static int find_conflicts(struct step *s, struct err *err)
{
	struct arena *a = s->vs.c->a;

	s->conflicts = ARENA_ARRAY(a, struct conflict, s->m->n + 1);
	if (!s->conflicts)
		return arena_quota(a, err);
	for (size_t i = 0; i < s->m->n; i++) {
		struct managed_entry *e = &s->m->v[i];
		struct doc changed, set;
		struct version *v;
		int r;

		if (e == s->self)
			continue;
		r = version_of(&s->vs, e->api_version, &v, err);
		if (r < 0)
			return r;
		changed = fields_join(FIELDS_UNION, &v->diff.modified, &v->diff.added, a);
		set = fields_join(FIELDS_INTERSECTION, &e->set, &changed, a);
		if (!fields_empty(&set))
			s->conflicts[s->nconflicts++] = (struct conflict){ e, set };
	}
	return 0;
}

static int take_away(struct step *s, struct err *err)
{
	struct arena *a = s->vs.c->a;

	for (size_t i = 0; i < s->nconflicts; i++) {
		struct managed_entry *e = (struct managed_entry *)s->conflicts[i].by;

		e->set = fields_join(FIELDS_DIFFERENCE, &e->set, &s->conflicts[i].set, a);
	}
	for (size_t i = 0; i < s->m->n; i++) {
		struct managed_entry *e = &s->m->v[i];
		struct version *v;
		int r;

		if (e == s->self)
			continue;
		r = version_of(&s->vs, e->api_version, &v, err);
		if (r < 0)
			return r;
		e->set = fields_join(FIELDS_DIFFERENCE, &e->set, &v->diff.removed, a);
	}
	return 0;
}

static void drop_empty(struct managed *m)
{
	for (size_t i = 0; i < m->n;)
		if (fields_empty(&m->v[i].set))
			managed_remove(m, &m->v[i]);
		else
			i++;
}

/* ---- update ---- */

/* The entries after `manager` made `to` of `from` by an update. */
static int track(const struct apply *c, const struct doc *from, const struct doc *to,
		 const char *manager, struct managed *m, struct err *err)
{
	struct step s = { .vs = { .c = c, .from = from, .to = to }, .m = m };
	struct doc set, mask = never_owned(c->a);
	struct managed_entry *e;
	struct version *v;
	int r = settle(c, from, m, err);

	if (r == 0)
		r = find_conflicts(&s, err);
	if (r == 0)
		r = take_away(&s, err);
	if (r == 0)
		r = version_of(&s.vs, c->api_version, &v, err);
	if (r < 0)
		return r;
	drop_empty(m);
	set = fields_join(FIELDS_UNION, &v->diff.modified, &v->diff.added, c->a);
	set = fields_join(FIELDS_DIFFERENCE, &set, &mask, c->a);
	if (!fields_empty(&set)) {
		e = managed_find(m, manager, false, c->api_version, sub_of(c));
		if (!e)
			e = managed_add(m, manager, false, c->api_version, sub_of(c), c->a);
		if (!e)
			return arena_quota(c->a, err);
		e->set = fields_join(FIELDS_UNION, &set, &e->set, c->a);
		managed_touch(e, c->now);
	}
	managed_fold(m, c->a);
	return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}

/* Those that count before the write: of the request where it may tell them, else of live. */
static int entries_of(const struct apply *c, const struct doc *live, const struct doc *obj,
		      struct managed *m, struct err *err)
{
	const struct doc *mine = *sub_of(c) ? NULL : managed_list(obj);
	int r;

	*m = (struct managed){ 0 };
	if (!*sub_of(c) && (c->clear || managed_clears(mine)))
		return 0;
	if (doc_len(mine)) {
		r = managed_read(mine, c->a, m, err);
		if (r == 0 || r == -ERR_QUOTA)
			return r;
	}
	r = managed_read(managed_list(live), c->a, m, err);
	if (r < 0 && r != -ERR_QUOTA)
		*m = (struct managed){ 0 };
	return r == -ERR_QUOTA ? r : 0;
}

int apply_track(const struct apply *c, const struct doc *live, struct doc *obj, struct err *err)
{
	struct doc before, from, to = *obj;
	struct managed m;
	int r = entries_of(c, live, obj, &m, err);

	if (r < 0)
		return r;
	if (live && m.n == 0) { /* nobody tracks it until the first apply */
		put_managed(c, obj, &m);
		return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
	}
	if (!live) {
		r = empty_object(c, &before, err);
		if (r < 0)
			return r;
	}
	from = live ? *live : before;
	put_meta(c->a, &to, "managedFields", NULL);
	put_meta(c->a, &from, "managedFields", NULL);
	r = track(c, &from, &to, manager_of(c), &m, err);
	if (r < 0)
		return r;
	put_managed(c, &to, &m);
	if (arena_exceeded(c->a))
		return arena_quota(c->a, err);
	*obj = to;
	return 0;
}

/* ---- apply: what the manager no longer applies goes ---- */

/* `merged` without what is neither left in `pruned` nor owned, in one version. */
static int add_back(const struct apply *c, const struct apply_version *merged, struct doc *pruned,
		    const struct doc *owned, struct err *err)
{
	struct doc all, left, named;
	int r = typed_fields(merged->type, &merged->obj, c->a, &all, err);

	if (r == 0)
		r = typed_fields(merged->type, pruned, c->a, &left, err);
	if (r < 0)
		return r;
	all = typed_named(merged->type, &all, c->a);
	left = typed_named(merged->type, &left, c->a);
	named = typed_named(merged->type, owned, c->a);
	left = fields_join(FIELDS_UNION, &left, &named, c->a);
	all = fields_join(FIELDS_DIFFERENCE, &all, &left, c->a);
	return typed_remove(merged->type, &merged->obj, &all, c->a, pruned, err);
}

/* The fields of all entries of one version. */
static struct doc owned_in(const struct apply *c, const struct managed *m, const char *version)
{
	struct doc set = doc_object();

	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].api_version, version) == 0)
			set = fields_join(FIELDS_UNION, &set, &m->v[i].set, c->a);
	return set;
}

/* From another version to that of the request. *obj is changed only when there is one. */
static int convert_back(const struct apply *c, const char *version, struct doc *obj,
			struct err *err)
{
	struct apply there = *c;
	struct apply_version v;
	int r;

	there.api_version = version;
	r = convert(&there, obj, c->api_version, &v, err);
	if (r == 0)
		*obj = v.obj;
	return r;
}

static int add_back_owned(const struct apply *c, const struct doc *merged, struct doc *pruned,
			  const char *version, const struct managed *m, struct err *err)
{
	struct apply_version a, b;
	struct doc owned = owned_in(c, m, version);
	int r;

	r = convert(c, merged, version, &a, err);
	if (r == 0)
		r = convert(c, pruned, version, &b, err);
	if (r == 0)
		r = add_back(c, &a, &b.obj, &owned, err);
	if (r == 0)
		r = convert_back(c, version, &b.obj, err);
	if (r == 0)
		*pruned = b.obj;
	return r < 0 ? r : 0;
}

/* Only what this manager owned is taken: what nobody owns stays. */
static int add_back_dangling(const struct apply *c, const struct apply_version *merged,
			     struct doc *pruned, const struct doc *mine, const char *version,
			     struct err *err)
{
	struct apply_version there;
	struct doc all, left;
	int r = convert(c, pruned, version, &there, err);

	if (r == 0)
		r = typed_fields(merged->type, &merged->obj, c->a, &all, err);
	if (r == 0)
		r = typed_fields(merged->type, &there.obj, c->a, &left, err);
	if (r != 0)
		return r;
	all = typed_named(merged->type, &all, c->a);
	left = typed_named(merged->type, &left, c->a);
	all = fields_join(FIELDS_DIFFERENCE, &all, &left, c->a);
	all = fields_join(FIELDS_INTERSECTION, &all, mine, c->a);
	r = typed_remove(merged->type, &merged->obj, &all, c->a, pruned, err);
	return r < 0 ? r : convert_back(c, version, pruned, err);
}

static bool first_of_version(const struct managed *m, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(m->v[j].api_version, m->v[i].api_version) == 0)
			return false;
	return true;
}

/* Does the manager apply all that it applied before? Then there is nothing to take away. */
static bool covers(const struct doc *now, const struct doc *last, struct arena *a)
{
	struct doc gone = fields_join(FIELDS_DIFFERENCE, last, now, a);

	return fields_empty(&gone);
}

static int prune(const struct apply *c, struct doc *merged, const struct managed *m,
		 const struct doc *last, const char *version, struct err *err)
{
	struct apply_version v;
	struct doc named, owned, pruned;
	int r = convert(c, merged, version, &v, err);

	if (r != 0)
		return r < 0 ? r : 0;
	named = typed_named(v.type, last, c->a);
	r = typed_remove(v.type, &v.obj, &named, c->a, &pruned, err);
	owned = owned_in(c, m, version);
	if (r == 0) /* before anything else: it may not convert without its owned fields */
		r = add_back(c, &v, &pruned, &owned, err);
	if (r == 0)
		r = convert_back(c, version, &pruned, err);
	for (size_t i = 0; r == 0 && i < m->n; i++)
		if (first_of_version(m, i) && strcmp(m->v[i].api_version, version) != 0)
			r = add_back_owned(c, merged, &pruned, m->v[i].api_version, m, err);
	if (r == 0)
		r = add_back_dangling(c, &v, &pruned, &named, version, err);
	if (r == 0)
		*merged = pruned;
	return r < 0 ? r : 0;
}

/* ---- apply ---- */

static int check_applied(const struct apply *c, const struct doc *applied, const char **ret_text,
			 struct err *err)
{
	const struct doc *meta = doc_get(applied, "metadata");
	const char *text = NULL;
	int r;

	if (!doc_is(applied, DOC_OBJECT))
		return err_set(err, ERR_BAD_REQUEST,
			       "an applied configuration is an object, not %s",
			       doc_type_name(applied));
	if (!doc_str_is(doc_get(applied, "apiVersion"), c->api_version) ||
	    !doc_str_is(doc_get(applied, "kind"), c->kind))
		return err_set(err, ERR_BAD_REQUEST, "invalid object type: %.*s, Kind=%.*s",
			       (int)MIN(doc_slice(doc_get(applied, "apiVersion")).n, (size_t)128),
			       doc_slice(doc_get(applied, "apiVersion")).p ?: "",
			       (int)MIN(doc_slice(doc_get(applied, "kind")).n, (size_t)128),
			       doc_slice(doc_get(applied, "kind")).p ?: "");
	if (managed_list(applied) && managed_list(applied)->type != DOC_NULL)
		return err_set(err, ERR_BAD_REQUEST, "metadata.managedFields must be nil");
	r = typed_check(c->type, applied, c->a, &text, err);
	if (r != -ERR_INVALID)
		return r;
	*ret_text = arena_printf(
		c->a, "failed to create typed patch object (%.*s/%.*s; %s, Kind=%s): %s",
		(int)doc_slice(doc_get(meta, "namespace")).n,
		doc_slice(doc_get(meta, "namespace")).p ?: "",
		(int)doc_slice(doc_get(meta, "name")).n, doc_slice(doc_get(meta, "name")).p ?: "",
		c->api_version, c->kind, text ? text : "");
	return err_set(err, ERR_SYSTEM, "%s", *ret_text ? *ret_text : "");
}

/* One run of the algorithm; m is the entries before and after. */
struct run {
	const struct doc *live, *applied;
	bool force;
	struct doc obj;
	bool same;
	struct step step; /* its conflicts, when it is refused */
};

static int run_set(const struct apply *c, struct run *run, struct managed *m, struct doc *ret_last,
		   const char **ret_version, struct err *err)
{
	struct managed_entry *self = managed_find(m, manager_of(c), true, "", sub_of(c));
	struct apply_version here = { c->type, *run->applied, c->reset, c->only };
	struct doc set;
	int r = typed_fields(c->type, run->applied, c->a, &set, err);

	if (r < 0)
		return r;
	*ret_last = self ? self->set : doc_object();
	*ret_version = self ? self->api_version : c->api_version;
	if (!self)
		self = managed_add(m, manager_of(c), true, c->api_version, sub_of(c), c->a);
	if (!self)
		return arena_quota(c->a, err);
	self->set = filter(&here, &set, c->a);
	self->api_version = c->api_version;
	run->step.self = self;
	return 0;
}

/* Of the manager's own set: what nobody owns, and its time when something changed. */
static void finish_self(const struct apply *c, struct run *run, struct managed_entry *self,
			const struct doc *last)
{
	struct doc mask = never_owned(c->a);

	if (!self)
		return;
	self->set = fields_join(FIELDS_DIFFERENCE, &self->set, &mask, c->a);
	if (!run->same || !self->time || !fields_equal(&self->set, last))
		managed_touch(self, c->now);
}

static int run_once(const struct apply *c, struct run *run, struct managed *m, struct err *err)
{
	const char *version;
	struct doc last, merged, left;
	int r = settle(c, run->live, m, err);

	if (r == 0)
		r = typed_merge(c->type, run->live, run->applied, c->a, &merged, err);
	if (r == 0)
		r = run_set(c, run, m, &last, &version, err);
	if (r == 0 && !fields_empty(&last) &&
	    !(strcmp(version, c->api_version) == 0 && covers(&run->step.self->set, &last, c->a))) {
		r = prune(c, &merged, m, &last, version, err);
		left = merged;
		/* what lost all but is applied as {} is there again (upstream: null) */
		if (r == 0)
			r = typed_merge(c->type, &left, run->applied, c->a, &merged, err);
	}
	if (r < 0)
		return r;
	run->step.m = m;
	run->step.vs = (struct versions){ .c = c, .from = run->live, .to = &merged };
	r = find_conflicts(&run->step, err);
	if (r < 0)
		return r;
	if (run->step.nconflicts && !run->force)
		return -ERR_CONFLICT;
	r = take_away(&run->step, err);
	if (r < 0)
		return r;
	run->same = doc_equal(run->live, &merged);
	run->obj = run->same ? *run->live : merged;
	finish_self(c, run, run->step.self, &last);
	drop_empty(m);
	return arena_exceeded(c->a) ? arena_quota(c->a, err) : 0;
}

static struct managed copy_entries(const struct apply *c, const struct managed *m)
{
	struct managed ret = { .v = ARENA_ARRAY(c->a, struct managed_entry, m->n + 1),
			       .n = m->n,
			       .cap = m->n + 1 };

	if (ret.v && m->n)
		memcpy(ret.v, m->v, m->n * sizeof(*m->v));
	return ret;
}

/* ---- what kubectl's client-side apply left ---- */

static const struct doc *last_applied(const struct doc *obj)
{
	return doc_get(doc_get(doc_get(obj, "metadata"), "annotations"), APPLY_LAST_APPLIED);
}

/* The fields that client-side apply set and that still are as it set them. */
static int allowed(const struct apply *c, const struct doc *live, struct doc *ret)
{
	static const struct json_options options = { .copy = true };
	struct slice text = doc_slice(last_applied(live));
	struct typed_diff d;
	struct doc *obj;
	int r;

	if (!text.n || json_read(c->a, text, &options, &obj, NULL) < 0 ||
	    !doc_str_is(doc_get(obj, "apiVersion"), c->api_version))
		return -ERR_NOT_FOUND;
	r = typed_check(c->type, obj, c->a, NULL, NULL);
	if (r == 0)
		r = typed_fields(c->type, obj, c->a, ret, NULL);
	if (r == 0)
		r = typed_compare(c->type, obj, live, c->a, &d, NULL);
	if (r < 0)
		return r;
	*ret = fields_join(FIELDS_DIFFERENCE, ret, &d.modified, c->a);
	*ret = fields_join(FIELDS_DIFFERENCE, ret, &d.added, c->a);
	*ret = fields_join(FIELDS_DIFFERENCE, ret, &d.removed, c->a);
	return 0;
}

/* Takes what client-side apply may give away out of the conflicts. True when none is left. */
static bool forgive(const struct apply *c, struct run *run)
{
	struct doc ok;
	bool none = true;

	if (strcmp(manager_of(c), "kubectl") != 0 || allowed(c, run->live, &ok) < 0)
		return false;
	for (size_t i = 0; i < run->step.nconflicts; i++) {
		struct conflict *x = &run->step.conflicts[i];

		x->set = fields_join(FIELDS_DIFFERENCE, &x->set, &ok, c->a);
		none &= fields_empty(&x->set);
	}
	return none;
}

/* The annotation follows what kubectl applies from the server's side. */
static int sync_annotation(const struct apply *c, const struct doc *applied, struct doc *obj,
			   struct err *err)
{
	static const struct json_style style = { .order = JSON_SORTED, .html = true };
	const struct doc *old = doc_get(doc_get(obj, "metadata"), "annotations");
	const struct doc *mine = doc_get(doc_get(applied, "metadata"), "annotations");
	struct doc plain = *applied, notes = doc_object(), kept = doc_object();
	struct slice text;
	size_t total = 0;
	char *line;
	int r;

	if (strcmp(manager_of(c), "kubectl") != 0 || !doc_slice(last_applied(obj)).n)
		return 0;
	DOC_EACH_MEMBER (k, v, mine)
		if (!doc_str_is(k, APPLY_LAST_APPLIED))
			doc_add_node(c->a, &kept, *k, *v);
	if (mine)
		put_meta(c->a, &plain, "annotations", kept.n ? &kept : NULL);
	r = json_print(c->a, &plain, &style, &text, err);
	if (r < 0)
		return r;
	line = arena_printf(c->a, "%.*s\n", (int)text.n, text.p);
	if (!line)
		return arena_quota(c->a, err);
	DOC_EACH_MEMBER (k, v, old)
		total += k->n + (doc_str_is(k, APPLY_LAST_APPLIED) ? text.n + 1 : doc_slice(v).n);
	DOC_EACH_MEMBER (k, v, old)
		if (!doc_str_is(k, APPLY_LAST_APPLIED))
			doc_add_node(c->a, &notes, *k, *v);
		else if (total <= ANNOTATIONS_MAX)
			doc_add_node(c->a, &notes, *k, doc_borrow(line, text.n + 1));
	put_meta(c->a, obj, "annotations", &notes);
	return 0;
}

/* ---- all together ---- */

static int first_apply(const struct apply *c, const struct doc *live, struct managed *m,
		       struct err *err)
{
	struct doc none;
	int r = empty_object(c, &none, err);

	return r < 0 ? r : track(c, &none, live, APPLY_BEFORE_FIRST, m, err);
}

int apply_run(const struct apply *c, const struct doc *live, const struct doc *applied, bool force,
	      struct apply_result *ret, struct err *err)
{
	struct run run = { .applied = applied, .force = force };
	struct managed before = { 0 }, m;
	struct doc from;
	int r = check_applied(c, applied, &ret->message, err);

	if (r == 0 && live)
		r = managed_read(managed_list(live), c->a, &before, err);
	if (r == 0 && !live)
		r = empty_object(c, &from, err);
	if (r < 0)
		return r;
	from = live ? *live : from;
	put_meta(c->a, &from, "managedFields", NULL);
	if (live && before.n == 0)
		r = first_apply(c, &from, &before, err);
	run.live = &from;
	if (r == 0) {
		m = copy_entries(c, &before);
		r = m.v ? run_once(c, &run, &m, err) : arena_quota(c->a, err);
	}
	if (r == -ERR_CONFLICT && forgive(c, &run)) {
		run = (struct run){ .live = &from, .applied = applied, .force = true };
		m = copy_entries(c, &before);
		r = m.v ? run_once(c, &run, &m, err) : arena_quota(c->a, err);
	}
	if (r == -ERR_CONFLICT)
		return apply_refuse(c, run.step.conflicts, run.step.nconflicts, &ret->message, err);
	if (r == 0)
		r = sync_annotation(c, applied, &run.obj, err);
	if (r < 0)
		return r;
	run.same = live && doc_equal(&run.obj, &from);
	put_managed(c, &run.obj, &m);
	if (arena_exceeded(c->a))
		return arena_quota(c->a, err);
	ret->obj = run.obj;
	ret->same = run.same;
	return 0;
}

int apply_extract(const struct apply *c, const struct doc *obj, struct doc *ret, struct err *err)
{
	struct managed m;
	struct managed_entry *e;
	int r = managed_read(managed_list(obj), c->a, &m, err);

	if (r < 0)
		return r;
	e = managed_find(&m, manager_of(c), true, "", sub_of(c));
	if (!e)
		return err_set(err, ERR_NOT_FOUND, "\"%s\" applied nothing of this object",
			       manager_of(c));
	return typed_extract(c->type, obj, &e->set, c->a, ret, err);
}
