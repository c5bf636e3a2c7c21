/* SPDX-License-Identifier: Apache-2.0 */
/* FlowSchemas: which one a request belongs to. */
#include "apiserver/rest/fairness-private.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMAS_BYTES (8u << 20)

/* A list of texts that holds the text or "*". */
static bool list_has(const struct doc *list, const char *text)
{
	DOC_EACH (it, list) {
		if (doc_str_is(it, "*") || doc_str_is(it, text))
			return true;
	}
	return false;
}

static bool has_group(const struct strategy_user *u, struct slice name)
{
	for (size_t i = 0; u->groups && u->groups[i]; i++) {
		if (slice_is(name, u->groups[i]))
			return true;
	}
	return false;
}

/* system:serviceaccount:NAMESPACE:NAME, where NAME may be "*". */
static bool is_service_account(const char *user, const struct doc *sa)
{
	static const char head[] = "system:serviceaccount:";
	struct slice rest, ns, want = doc_slice(doc_get(sa, "name"));

	if (strncmp(user, head, sizeof(head) - 1) != 0)
		return false;
	rest = slice_str(user + sizeof(head) - 1);
	ns = slice_split(&rest, ':');
	return slice_eq(ns, doc_slice(doc_get(sa, "namespace"))) &&
	       (slice_is(want, "*") || slice_eq(want, rest));
}

static bool subject_matches(const struct doc *s, const struct strategy_user *u)
{
	const struct doc *kind = doc_get(s, "kind");
	const struct doc *name;

	if (doc_str_is(kind, "User")) {
		name = doc_find(s, "user.name");
		return doc_str_is(name, "*") || doc_str_is(name, u->name);
	}
	if (doc_str_is(kind, "Group")) {
		name = doc_find(s, "group.name");
		return doc_str_is(name, "*") || has_group(u, doc_slice(name));
	}
	return doc_str_is(kind, "ServiceAccount") &&
	       is_service_account(u->name, doc_get(s, "serviceAccount"));
}

static bool resource_matches(const struct doc *rule, const struct fairness_about *r)
{
	char full[512];
	const struct doc *names = doc_get(rule, "namespaces");

	if (!list_has(doc_get(rule, "verbs"), r->verb) ||
	    !list_has(doc_get(rule, "apiGroups"), r->group))
		return false;
	if (snprintf(full, sizeof(full), "%s%s%s", r->resource, *r->subresource ? "/" : "",
		     r->subresource) >= (int)sizeof(full) ||
	    !list_has(doc_get(rule, "resources"), full))
		return false;
	/* "*" among the namespaces stands for any namespace, not for none. */
	return *r->namespace_ ? list_has(names, r->namespace_)
			      : doc_true(doc_get(rule, "clusterScope"));
}

static bool url_matches(const struct doc *urls, const char *path)
{
	DOC_EACH (it, urls) {
		struct slice u = doc_slice(it);

		if (slice_is(u, "*") || slice_is(u, path))
			return true;
		/* "/healthz/" and star: all below. */
		if (slice_ends(u, SLICE("/*")) &&
		    slice_starts(slice_str(path), slice_of(u.p, u.n - 1)))
			return true;
	}
	return false;
}

static bool rule_matches(const struct doc *rule, const struct fairness_about *r)
{
	bool subject = false;

	DOC_EACH (s, doc_get(rule, "subjects")) {
		subject = subject || subject_matches(s, r->user);
	}
	if (!subject)
		return false;
	if (r->is_resource) {
		DOC_EACH (it, doc_get(rule, "resourceRules")) {
			if (resource_matches(it, r))
				return true;
		}
		return false;
	}
	DOC_EACH (it, doc_get(rule, "nonResourceRules")) {
		if (list_has(doc_get(it, "verbs"), r->verb) &&
		    url_matches(doc_get(it, "nonResourceURLs"), r->path))
			return true;
	}
	return false;
}

const struct fairness_schema *fairness_schemas_match(const struct fairness_schemas *s,
						     const struct fairness_about *about)
{
	for (size_t i = 0; i < s->n; i++) {
		DOC_EACH (rule, s->v[i].rules) {
			if (rule_matches(rule, about))
				return &s->v[i];
		}
	}
	return NULL;
}

static int by_precedence(const void *a, const void *b)
{
	const struct fairness_schema *x = a, *y = b;

	if (x->precedence != y->precedence)
		return x->precedence < y->precedence ? -1 : 1;
	return strcmp(x->name, y->name);
}

static const char *text_of(struct arena *a, const struct doc *d)
{
	return arena_printf(a, "%.*s", (int)doc_slice(d).n, doc_slice(d).n ? d->s : "");
}

int fairness_schemas_make(const struct doc *const *docs, size_t n,
			  struct fairness_level *(*find)(void *arg, const char *name), void *arg,
			  struct fairness_schemas **ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("flow schemas", SCHEMAS_BYTES);
	struct fairness_schema *v = ARENA_ARRAY(a, struct fairness_schema, n + 1);
	struct fairness_schemas *made = ARENA_NEW(a, struct fairness_schemas);
	size_t used = 0;

	if (!v || !made)
		return arena_quota(a, err);
	for (size_t i = 0; i < n; i++) {
		const struct doc *spec = doc_get(docs[i], "spec");
		const struct doc *method = doc_find(spec, "distinguisherMethod.type");
		struct fairness_schema *s = &v[used];
		const char *level = doc_cstr(a, doc_find(spec, "priorityLevelConfiguration.name"));

		s->level = level ? find(arg, level) : NULL;
		if (!s->level)
			continue;
		s->name = text_of(a, doc_find(docs[i], "metadata.name"));
		s->uid = text_of(a, doc_find(docs[i], "metadata.uid"));
		s->by_user = doc_str_is(method, "ByUser");
		s->by_namespace = doc_str_is(method, "ByNamespace");
		s->precedence = 1000;
		(void)doc_int64(doc_get(spec, "matchingPrecedence"), &s->precedence); /* absent */
		if (doc_get(spec, "rules")) {
			s->rules = doc_copy(a, doc_get(spec, "rules"));
			if (!s->rules)
				return arena_quota(a, err);
		}
		if (!s->name || !s->uid)
			return arena_quota(a, err);
		used++;
	}
	qsort(v, used, sizeof(*v), by_precedence);
	*made = (struct fairness_schemas){ .arena = STEAL(a), .refs = 1, .v = v, .n = used };
	*ret = made;
	return 0;
}

void fairness_schemas_unref(struct fairness_schemas *s)
{
	if (s && !--s->refs)
		arena_free(s->arena);
}
