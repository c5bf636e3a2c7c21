/* SPDX-License-Identifier: Apache-2.0 */
/*
 * (1) A part is of one revision of one object; a set references its parts.
 * (2) `named` is sorted by resource, then by place; `any` by place: members of rules with a star.
 */
#include "apiserver/admission/policy-set.h"

#include "apiserver/objects/codec.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "admissionregistration.k8s.io"
#define PART_BYTES (64u << 20) /* one policy or binding, compiled */
#define SET_BYTES (256u << 20)

struct part {
	unsigned refs;
	int64_t revision;
	const char *name;
	struct arena *a;
	bool broken; /* not understood, which was told */
	struct policy policy;
	struct policy_binding binding;
};

struct place {
	const char *resource;
	size_t at;
};

struct policy_set {
	unsigned refs;
	struct arena *a;
	struct part **policies, **bindings; /* referenced, by name */
	size_t npolicies, nbindings;
	struct policy_member *v; /* those with bindings */
	size_t n;
	struct place *named;
	size_t *any;
	size_t nnamed, nany;
};

struct policy_configs {
	struct resources *rs;
	struct {
		struct policy_set *set; /* referenced; NULL: none was made */
		uint64_t generations[2];
	} of[2];
};

static const char *const plurals[2][2] = {
	{ "validatingadmissionpolicies", "validatingadmissionpolicybindings" },
	{ "mutatingadmissionpolicies", "mutatingadmissionpolicybindings" },
};

static void part_unref(struct part *p)
{
	if (p && --p->refs == 0)
		arena_free(p->a); /* p is in it */
}

void policy_set_unref(struct policy_set *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < s->npolicies; i++)
		part_unref(s->policies[i]);
	for (size_t i = 0; i < s->nbindings; i++)
		part_unref(s->bindings[i]);
	arena_free(s->a); /* s is in it */
}

size_t policy_set_size(const struct policy_set *s)
{
	return s ? s->n : 0;
}

const struct policy_member *policy_set_at(const struct policy_set *s, size_t i)
{
	return &s->v[i];
}

/* ---- parts ---- */

static struct part *part_new(struct item *i, bool binding)
{
	struct arena *a = arena_new("an admission policy", PART_BYTES);
	struct part *p = ARENA_NEW(a, struct part);
	struct err err = ERR_INIT;
	struct doc d;
	int r;

	assert(p);
	p->refs = 1;
	p->a = a;
	p->revision = item_revision(i);
	p->name = arena_strndup(a, item_name(i).p, item_name(i).n);
	assert(p->name);
	r = codec_parse(i, a, &d, &err);
	if (r == 0) {
		struct doc *own = doc_copy(a, &d); /* the item goes */

		r = !own      ? arena_quota(a, &err)
		    : binding ? policy_binding_of_object(own, a, &p->binding, &err)
			      : policy_of_object(own, a, &p->policy, &err);
	}
	/* Checked when it was written: only what another server stored comes here. */
	p->broken = r < 0;
	if (p->broken)
		log_kv(LOG_LEVEL_ERROR, "admission policy not understood", "error", err.msg, NULL);
	return p;
}

static int order(const char *a, struct slice b)
{
	int r = strncmp(a, b.p, b.n);

	return r ? r : a[b.n] != '\0';
}

/* Both lists are by name: *at only goes forth. */
static struct part *known(struct part **v, size_t n, size_t *at, struct slice name,
			  int64_t revision)
{
	while (*at < n && order(v[*at]->name, name) < 0)
		++*at;
	return *at < n && slice_is(name, v[*at]->name) && v[*at]->revision == revision ? v[*at]
										       : NULL;
}

static size_t read_parts(struct collection *o, struct arena *a, bool binding, struct part **old,
			 size_t nold, struct part ***ret)
{
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(o->cache);
	struct part **v = ARENA_ARRAY(a, struct part *, cache_count(o->cache) + 1);
	struct cache_iter it;
	struct item *i;
	size_t n = 0, at = 0;

	assert(v);
	cache_iter_init(&it, view, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it))) {
		struct part *p = known(old, nold, &at, item_name(i), item_revision(i));

		if (p)
			p->refs++;
		else
			p = part_new(i, binding);
		v[n++] = p;
	}
	*ret = v;
	return n;
}

/* ---- joining ---- */

static int by_policy(const void *x, const void *y)
{
	const struct policy_binding *const *a = x, *const *b = y;
	int r = strcmp((*a)->policy, (*b)->policy);

	return r ? r : strcmp((*a)->name, (*b)->name);
}

static size_t first_of(const struct policy_binding **v, size_t n, const char *policy)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(v[mid]->policy, policy) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void join(struct policy_set *s)
{
	const struct policy_binding **b =
		ARENA_ARRAY(s->a, const struct policy_binding *, s->nbindings + 1);
	size_t n = 0;

	s->v = ARENA_ARRAY(s->a, struct policy_member, s->npolicies + 1);
	assert(b && s->v);
	for (size_t i = 0; i < s->nbindings; i++)
		if (!s->bindings[i]->broken)
			b[n++] = &s->bindings[i]->binding;
	qsort(b, n, sizeof(b[0]), by_policy);
	for (size_t i = 0; i < s->npolicies; i++) {
		const struct policy *p = &s->policies[i]->policy;
		size_t first, end;

		if (s->policies[i]->broken)
			continue;
		first = end = first_of(b, n, p->name);
		while (end < n && strcmp(b[end]->policy, p->name) == 0)
			end++;
		if (end > first)
			s->v[s->n++] = (struct policy_member){ p, b + first, end - first };
	}
}

/* ---- the index ---- */

static int by_resource(const void *x, const void *y)
{
	const struct place *a = x, *b = y;
	int r = strcmp(a->resource, b->resource);

	return r ? r : (a->at > b->at) - (a->at < b->at);
}

/* What stands before the slash; NULL: a star. */
static const char *plain_name(struct arena *a, const char *resource)
{
	const char *slash = strchr(resource, '/');
	size_t n = slash ? (size_t)(slash - resource) : strlen(resource);

	return n == 1 && *resource == '*' ? NULL : arena_strndup(a, resource, n);
}

static void index_member(struct policy_set *s, size_t at, size_t *cap)
{
	const struct hook_criteria *on = &s->v[at].policy->on;
	bool any = on->nrules == 0;

	for (size_t i = 0; i < on->nrules; i++)
		for (const char *const *r = on->rules[i].resources; *r; r++) {
			const char *name = plain_name(s->a, *r);

			any |= !name;
			if (!name)
				continue;
			if (s->nnamed == *cap) {
				size_t more = *cap ? *cap * 2 : 64;

				s->named = arena_grow(s->a, s->named, *cap * sizeof(*s->named),
						      more * sizeof(*s->named));
				assert(s->named);
				*cap = more;
			}
			s->named[s->nnamed++] = (struct place){ name, at };
		}
	if (any)
		s->any[s->nany++] = at;
}

static void make_index(struct policy_set *s)
{
	size_t cap = 0, n = 0;

	s->any = ARENA_ARRAY(s->a, size_t, s->n + 1);
	assert(s->any);
	for (size_t i = 0; i < s->n; i++)
		index_member(s, i, &cap);
	if (s->nnamed)
		qsort(s->named, s->nnamed, sizeof(*s->named), by_resource);
	for (size_t i = 0; i < s->nnamed; i++)
		if (n == 0 || by_resource(&s->named[n - 1], &s->named[i]) != 0)
			s->named[n++] = s->named[i];
	s->nnamed = n;
}

struct policy_walk policy_set_walk(const struct policy_set *s, const char *resource)
{
	size_t lo = 0, hi = s->nnamed;
	struct policy_walk w = { .set = s };

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(s->named[mid].resource, resource) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	w.named = w.named_end = lo;
	while (w.named_end < s->nnamed && strcmp(s->named[w.named_end].resource, resource) == 0)
		w.named_end++;
	return w;
}

const struct policy_member *policy_set_next(struct policy_walk *w, size_t *ret_at)
{
	const struct policy_set *s = w->set;
	size_t named = w->named < w->named_end ? s->named[w->named].at : SIZE_MAX;
	size_t any = w->any < s->nany ? s->any[w->any] : SIZE_MAX;

	if (MIN(named, any) == SIZE_MAX)
		return NULL;
	w->named += named <= any;
	w->any += any <= named;
	*ret_at = MIN(named, any);
	return &s->v[*ret_at];
}

/* ---- as the objects are ---- */

static struct policy_set *set_new(struct collection *const of[2], struct policy_set *old)
{
	struct arena *a = arena_new("admission policies", SET_BYTES);
	struct policy_set *s = ARENA_NEW(a, struct policy_set);

	assert(s);
	s->a = a;
	s->refs = 1;
	s->npolicies = read_parts(of[0], a, false, old ? old->policies : NULL,
				  old ? old->npolicies : 0, &s->policies);
	s->nbindings = read_parts(of[1], a, true, old ? old->bindings : NULL,
				  old ? old->nbindings : 0, &s->bindings);
	join(s);
	make_index(s);
	return s;
}

struct policy_configs *policy_configs_new(struct resources *rs)
{
	struct policy_configs *c = calloc(1, sizeof(*c));

	assert(c);
	c->rs = rs;
	return c;
}

void policy_configs_free(struct policy_configs *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_LEN(c->of); i++)
		policy_set_unref(c->of[i].set);
	free(c);
}

struct policy_set *policy_configs_get(struct policy_configs *c, bool mutating)
{
	struct collection *of[2];
	bool same = c->of[mutating].set != NULL;

	for (size_t i = 0; i < 2; i++) {
		of[i] = resources_objects(c->rs, GROUP, plurals[mutating][i]);
		if (!of[i] || !of[i]->cache || !cache_count(of[i]->cache))
			return NULL;
		same = same && c->of[mutating].generations[i] == cache_generation(of[i]->cache);
	}
	if (!same) {
		struct policy_set *made = set_new(of, c->of[mutating].set);

		policy_set_unref(c->of[mutating].set);
		c->of[mutating].set = made;
		for (size_t i = 0; i < 2; i++)
			c->of[mutating].generations[i] = cache_generation(of[i]->cache);
	}
	c->of[mutating].set->refs++;
	return c->of[mutating].set;
}
