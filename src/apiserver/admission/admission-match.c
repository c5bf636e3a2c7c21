/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/admission/admission-match.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdlib.h>
#include <string.h>

#define GROUP "admissionregistration.k8s.io"

static const char *const op_names[] = { "CREATE", "UPDATE", "DELETE", "CONNECT" };

const char *hook_op_name(enum hook_op op)
{
	for (size_t i = 0; i < ARRAY_LEN(op_names); i++)
		if (op == 1u << i)
			return op_names[i];
	return "";
}

/* ---- reading ---- */

static const char *const *read_list(const struct doc *list, struct arena *a)
{
	const char **v = ARENA_ARRAY(a, const char *, doc_len(list) + 1);
	size_t n = 0;

	DOC_EACH (x, list) {
		const char *s = doc_cstr(a, x);

		if (v && s)
			v[n++] = s;
	}
	return v;
}

static unsigned read_ops(const struct doc *list)
{
	unsigned ops = 0;

	DOC_EACH (x, list)
		for (size_t i = 0; i < ARRAY_LEN(op_names); i++)
			if (doc_str_is(x, "*") || doc_str_is(x, op_names[i]))
				ops |= 1u << i;
	return ops;
}

static int read_rules(const struct doc *list, struct arena *a, const struct hook_rule **ret,
		      size_t *ret_n, struct err *err)
{
	struct hook_rule *v = ARENA_ARRAY(a, struct hook_rule, doc_len(list));
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	DOC_EACH (x, list) {
		const struct doc *scope = doc_get(x, "scope");

		v[n++] = (struct hook_rule){
			.ops = read_ops(doc_get(x, "operations")),
			.scope = doc_str_is(scope, "Cluster")	   ? HOOK_CLUSTER
				 : doc_str_is(scope, "Namespaced") ? HOOK_NAMESPACED
								   : HOOK_ALL,
			.groups = read_list(doc_get(x, "apiGroups"), a),
			.versions = read_list(doc_get(x, "apiVersions"), a),
			.resources = read_list(doc_get(x, "resources"), a),
			.names = read_list(doc_get(x, "resourceNames"), a),
		};
	}
	*ret = v;
	*ret_n = n;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int read_selector(const struct doc *d, struct arena *a, struct selector *ret, bool *ret_none,
			 struct err *err)
{
	if (!d || d->type == DOC_NULL)
		return 0;
	return selector_object(d, a, ret, ret_none, err);
}

int hook_criteria_read(const struct doc *d, const struct doc *rules, const struct doc *exclude,
		       struct arena *a, struct hook_criteria *ret, struct err *err)
{
	*ret = (struct hook_criteria){ .exact = doc_str_is(doc_get(d, "matchPolicy"), "Exact") };
	if (read_rules(rules, a, &ret->rules, &ret->nrules, err) < 0 ||
	    read_rules(exclude, a, &ret->excluded, &ret->nexcluded, err) < 0 ||
	    read_selector(doc_get(d, "namespaceSelector"), a, &ret->namespaces, &ret->no_namespaces,
			  err) < 0 ||
	    read_selector(doc_get(d, "objectSelector"), a, &ret->objects, &ret->no_objects, err) <
		    0)
		return err_ret(err);
	return 0;
}

/* ---- matching ---- */

bool hook_is_exempt(const struct api_kind *k)
{
	static const char *const exempt[] = {
		"mutatingadmissionpolicies",
		"mutatingadmissionpolicybindings",
		"mutatingwebhookconfigurations",
		"validatingadmissionpolicies",
		"validatingadmissionpolicybindings",
		"validatingwebhookconfigurations",
		NULL,
	};

	return strcmp(k->group->group, GROUP) == 0 && str_is_one_of(k->resource, exempt);
}

static bool is_namespace(const struct hook_match *m)
{
	return strcmp(m->asked->kind->resource, "namespaces") == 0 &&
	       !*m->asked->kind->group->group;
}

static bool scope_matches(const struct hook_rule *r, const struct hook_match *m)
{
	const bool inside = *m->ns && !is_namespace(m);

	return r->scope == HOOK_ALL || (r->scope == HOOK_NAMESPACED) == inside;
}

static bool has(const char *const *list, const char *text)
{
	for (; *list; list++)
		if (strcmp(*list, "*") == 0 || strcmp(*list, text) == 0)
			return true;
	return false;
}

/* Each a resource and a subresource; either may be a star. */
static bool resource_matches(const char *const *list, const char *resource, const char *sub)
{
	for (; *list; list++) {
		struct slice rest = slice_str(*list), name = slice_split(&rest, '/');

		if ((slice_is(name, "*") || slice_is(name, resource)) &&
		    (slice_is(rest, "*") || slice_is(rest, sub)))
			return true;
	}
	return false;
}

static bool name_matches(const char *const *names, const char *name)
{
	return !names[0] || str_is_one_of(name, names);
}

static bool rule_matches(const struct hook_rule *r, const struct hook_match *m,
			 const struct api_kind *k)
{
	return r->ops & m->op && name_matches(r->names, m->name) && scope_matches(r, m) &&
	       has(r->groups, k->group->group) && has(r->versions, k->group->version) &&
	       resource_matches(r->resources, k->resource, m->sub);
}

static int note_equal(void *arg, struct resource *r)
{
	struct hook_match *m = arg;

	if (r->objects == m->asked->objects && r != m->asked && m->nequals < ARRAY_LEN(m->equals))
		m->equals[m->nequals++] = r;
	return 0;
}

/* In the order of versions, so that it is the same each time. */
static int by_version(const void *x, const void *y)
{
	const struct resource *const *a = x, *const *b = y;
	const struct api_group *g = (*a)->kind->group, *h = (*b)->kind->group;

	return strcmp(g->api_version, h->api_version);
}

static void look_for_equals(struct hook_match *m)
{
	if (m->looked)
		return;
	m->looked = true;
	if (!m->asked->objects)
		return;
	(void)resources_each(m->rs, note_equal, m);
	qsort(m->equals, m->nequals, sizeof(m->equals[0]), by_version);
}

/* In the version asked for, else in those that are the same. */
static const struct resource *match_rules(const struct hook_rule *rules, size_t n, bool exact,
					  struct hook_match *m)
{
	for (size_t i = 0; i < n; i++)
		if (rule_matches(&rules[i], m, m->asked->kind))
			return m->asked;
	if (exact || n == 0)
		return NULL;
	look_for_equals(m);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < m->nequals; j++)
			if (rule_matches(&rules[i], m, m->equals[j]->kind))
				return m->equals[j];
	return NULL;
}

static bool object_matches(const struct selector *s, const struct doc *obj)
{
	return obj && selector_match_labels(s, doc_find(obj, "metadata.labels"));
}

/* Labels of the request's namespace; of one that is written, as it shall be. */
static int match_namespace(const struct hook_criteria *k, const struct hook_match *m, bool *ret,
			   struct err *err)
{
	const struct item *i;

	*ret = true;
	if (!k->no_namespaces && k->namespaces.n == 0)
		return 0;
	if (!*m->ns && !is_namespace(m))
		return 0; /* of the cluster: never left out */
	*ret = !k->no_namespaces;
	if (k->no_namespaces)
		return 0;
	if (is_namespace(m) && !*m->sub && m->obj && m->op & (HOOK_CREATE | HOOK_UPDATE)) {
		*ret = object_matches(&k->namespaces, m->obj);
		return 0;
	}
	i = resources_get(m->rs, "", "namespaces", "", m->ns);
	if (!i)
		return err_set(err, ERR_NOT_FOUND, "namespaces \"%s\" not found", m->ns);
	*ret = item_match(i, &k->namespaces, NULL);
	return 0;
}

int hook_criteria_match(const struct hook_criteria *k, struct hook_match *m,
			const struct resource **ret, struct err *err)
{
	const struct resource *r;
	bool in;

	r = k->any && k->nrules == 0 ? m->asked : match_rules(k->rules, k->nrules, k->exact, m);
	if (!r || (k->nexcluded && match_rules(k->excluded, k->nexcluded, k->exact, m)))
		return 0;
	if (k->no_objects || (k->objects.n && !object_matches(&k->objects, m->obj) &&
			      !object_matches(&k->objects, m->old)))
		return 0;
	if (match_namespace(k, m, &in, err) < 0)
		return err_ret(err);
	if (!in)
		return 0;
	*ret = r;
	return 1;
}
