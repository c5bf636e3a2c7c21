/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of the audit log: read, checked, asked. Spec: audit.k8s.io/v1 Policy. */
#include "apiserver/auth/apiaudit-policy.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/doc.h"
#include "doc/yaml.h"

#include <fcntl.h>

#define POLICY_BYTES (1u << 20)
#define POLICY_ARENA (16u << 20)

struct apiaudit_policy {
	struct arena *arena;
	const struct doc *rules;
	unsigned omit;
	bool omit_managed_fields;
};

static const char *const levels[] = { "None", "Metadata", "Request", "RequestResponse", NULL },
			 *const stages[] = { "RequestReceived", "ResponseStarted",
					     "ResponseComplete", "Panic", NULL },
			 *const policy_words[] = { "apiVersion", "kind",       "metadata",
						   "rules",	 "omitStages", "omitManagedFields",
						   NULL },
			 *const rule_words[] = { "level",
						 "users",
						 "userGroups",
						 "verbs",
						 "resources",
						 "namespaces",
						 "nonResourceURLs",
						 "omitStages",
						 "omitManagedFields",
						 NULL },
			 *const resource_words[] = { "group", "resources", "resourceNames", NULL };

static int index_of(const struct doc *d, const char *const *list)
{
	for (int i = 0; list[i]; i++) {
		if (doc_str_is(d, list[i]))
			return i;
	}
	return -1;
}

static int check_words(const struct doc *d, const char *what, const char *const *words,
		       struct err *err)
{
	if (!doc_is(d, DOC_OBJECT))
		return err_set(err, ERR_INVALID, "%s: an object is expected, not %s", what,
			       doc_type_name(d));
	for (size_t i = 0; i < doc_len(d); i++) {
		struct slice key = doc_slice(doc_key_at(d, i));

		if (index_of(doc_key_at(d, i), words) < 0)
			return err_set(err, ERR_INVALID, "%s: unknown field \"%.*s\"", what,
				       (int)MIN(key.n, (size_t)100), key.p);
	}
	return 0;
}

static int read_stages(const struct doc *list, const char *what, unsigned *ret, struct err *err)
{
	*ret = 0;
	DOC_EACH (it, list) {
		int i = index_of(it, stages);

		if (i < 0)
			return err_set(err, ERR_INVALID,
				       "%s.omitStages: there are RequestReceived, ResponseStarted, "
				       "ResponseComplete and Panic",
				       what);
		*ret |= 1u << i;
	}
	return 0;
}

static int check_rule(const struct doc *rule, size_t i, struct err *err)
{
	char what[64];
	unsigned omit;
	int r;

	(void)snprintf(what, sizeof(what), "rules[%zu]", i);
	r = check_words(rule, what, rule_words, err);
	if (r < 0)
		return r;
	if (index_of(doc_get(rule, "level"), levels) < 0)
		return err_set(err, ERR_INVALID,
			       "%s.level: must be None, Metadata, Request or RequestResponse",
			       what);
	if (doc_len(doc_get(rule, "nonResourceURLs")) &&
	    (doc_len(doc_get(rule, "resources")) || doc_len(doc_get(rule, "namespaces"))))
		return err_set(err, ERR_INVALID,
			       "%s.nonResourceURLs: a rule is for paths or for resources, not both",
			       what);
	DOC_EACH (it, doc_get(rule, "nonResourceURLs")) {
		struct slice s = doc_slice(it);
		const char *star = s.n ? memchr(s.p, '*', s.n) : NULL;

		if (!slice_is(s, "*") && (!s.n || s.p[0] != '/' || (star && star != s.p + s.n - 1)))
			return err_set(err, ERR_INVALID,
				       "%s.nonResourceURLs: a path begins with \"/\" and has \"*\" "
				       "at its end only",
				       what);
	}
	DOC_EACH (it, doc_get(rule, "resources")) {
		r = check_words(it, what, resource_words, err);
		if (r < 0)
			return r;
		if (doc_len(doc_get(it, "resourceNames")) && !doc_len(doc_get(it, "resources")))
			return err_set(err, ERR_INVALID,
				       "%s.resources: resourceNames need resources", what);
	}
	return read_stages(doc_get(rule, "omitStages"), what, &omit, err);
}

static int check_policy(struct apiaudit_policy *p, const struct doc *d, struct err *err)
{
	size_t i = 0;
	int r;

	r = check_words(d, "policy", policy_words, err);
	if (r < 0)
		return r;
	if (!doc_str_is(doc_get(d, "apiVersion"), "audit.k8s.io/v1") ||
	    !doc_str_is(doc_get(d, "kind"), "Policy"))
		return err_set(err, ERR_INVALID, "not a Policy of audit.k8s.io/v1");
	p->rules = doc_get(d, "rules");
	if (!doc_len(p->rules))
		return err_set(err, ERR_INVALID, "rules: none; nothing would be logged");
	DOC_EACH (rule, p->rules) {
		r = check_rule(rule, i++, err);
		if (r < 0)
			return r;
	}
	p->omit_managed_fields = doc_true(doc_get(d, "omitManagedFields"));
	return read_stages(doc_get(d, "omitStages"), "policy", &p->omit, err);
}

void apiaudit_policy_free(struct apiaudit_policy *p)
{
	if (p)
		arena_free(p->arena); /* it lies in there itself */
}

int apiaudit_policy_read(const char *path, struct apiaudit_policy **ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("audit policy", POLICY_ARENA);
	CLEANUP(buf_fini) struct buf text = BUF_INIT(POLICY_BYTES);
	struct apiaudit_policy *p = ARENA_NEW(a, struct apiaudit_policy);
	struct doc *d;
	int r;

	if (!p)
		return arena_quota(a, err);
	r = fd_read_file(AT_FDCWD, path, &text, err);
	if (r < 0)
		return err_wrap(err, "audit policy");
	r = yaml_read(a, buf_slice(&text), NULL, &d, err);
	if (r >= 0) {
		d = doc_copy(a, d); /* the text goes */
		r = d ? check_policy(p, d, err) : arena_quota(a, err);
	}
	if (r < 0)
		return err_wrap(err, "audit policy '%s'", path);
	p->arena = STEAL(a);
	*ret = p;
	return 0;
}

/* ---- asking ---- */

static bool has(const struct doc *list, const char *text)
{
	DOC_EACH (it, list) {
		if (doc_str_is(it, text))
			return true;
	}
	return false;
}

static bool has_or_none(const struct doc *list, const char *text)
{
	return !doc_len(list) || has(list, text);
}

static bool any_group(const struct doc *list, const struct strategy_user *u)
{
	if (!doc_len(list))
		return true;
	for (size_t i = 0; u->groups && u->groups[i]; i++) {
		if (has(list, u->groups[i]))
			return true;
	}
	return false;
}

/* "pods", "pods/log", "pods" and star, star and "/status", star. */
static bool resource_named(const struct doc *list, const struct apiaudit_about *r)
{
	char full[512], any_sub[512], any_resource[512];
	bool sub = *r->subresource;

	if (!doc_len(list))
		return true;
	(void)snprintf(full, sizeof(full), "%s%s%s", r->resource, sub ? "/" : "", r->subresource);
	(void)snprintf(any_sub, sizeof(any_sub), "%s/*", r->resource);
	(void)snprintf(any_resource, sizeof(any_resource), "*/%s", r->subresource);
	return has(list, "*") || has(list, full) || (sub && has(list, any_sub)) ||
	       (sub && has(list, any_resource));
}

static bool resources_match(const struct doc *list, const struct apiaudit_about *r)
{
	if (!doc_len(list))
		return true;
	DOC_EACH (it, list) {
		const struct doc *group = doc_get(it, "group");

		if (!slice_is(doc_slice(group), r->group))
			continue;
		if (resource_named(doc_get(it, "resources"), r) &&
		    has_or_none(doc_get(it, "resourceNames"), r->name))
			return true;
	}
	return false;
}

static bool path_matches(const struct doc *list, const char *path)
{
	DOC_EACH (it, list) {
		struct slice s = doc_slice(it);

		if (slice_is(s, path) || (slice_ends(s, SLICE("*")) &&
					  slice_starts(slice_str(path), slice_of(s.p, s.n - 1))))
			return true;
	}
	return false;
}

static bool rule_matches(const struct doc *rule, const struct apiaudit_about *r)
{
	const struct doc *urls = doc_get(rule, "nonResourceURLs");
	bool of_resources =
		doc_len(doc_get(rule, "resources")) || doc_len(doc_get(rule, "namespaces"));

	if (!has_or_none(doc_get(rule, "users"), r->user->name) ||
	    !any_group(doc_get(rule, "userGroups"), r->user) ||
	    !has_or_none(doc_get(rule, "verbs"), r->verb))
		return false;
	if (r->is_resource)
		return !doc_len(urls) && has_or_none(doc_get(rule, "namespaces"), r->namespace_) &&
		       resources_match(doc_get(rule, "resources"), r);
	return !of_resources && (!doc_len(urls) || path_matches(urls, r->path));
}

struct apiaudit_verdict apiaudit_policy_judge(const struct apiaudit_policy *p,
					      const struct apiaudit_about *r)
{
	DOC_EACH (rule, p->rules) {
		const struct doc *managed = doc_get(rule, "omitManagedFields");
		unsigned omit = 0;

		if (!rule_matches(rule, r))
			continue;
		(void)read_stages(doc_get(rule, "omitStages"), "", &omit, NULL); /* was checked */
		return (struct apiaudit_verdict){
			.level = (enum apiaudit_level)MAX(index_of(doc_get(rule, "level"), levels),
							  0),
			.omit = omit | p->omit,
			.omit_managed_fields = managed ? doc_true(managed) : p->omit_managed_fields,
		};
	}
	return (struct apiaudit_verdict){ .level = APIAUDIT_NONE };
}
