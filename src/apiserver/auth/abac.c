/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/abac.h"

#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (256u << 20)
#define LINE_BYTES (1u << 20)
#define LINE_NODES 64
#define EVERYBODY "system:authenticated"

struct policy {
	struct policy *next;
	unsigned line;
	bool readonly;
	const char *user, *group, *ns, *resource, *api_group, *path; /* "" = not given */
};

struct abac {
	struct arena *a;
	struct policy *first, **last;
	size_t n;
};

/* ---- reading ---- */

struct reading {
	struct abac *b;
	struct policy *p;
	struct err *err;
};

static const struct {
	const char *name;
	size_t at;
} fields[] = {
	{ "user", offsetof(struct policy, user) },
	{ "group", offsetof(struct policy, group) },
	{ "namespace", offsetof(struct policy, ns) },
	{ "resource", offsetof(struct policy, resource) },
	{ "apiGroup", offsetof(struct policy, api_group) },
	{ "nonResourcePath", offsetof(struct policy, path) },
};
#define OLD_FIELDS 4 /* of the form without a version */

static int unknown(struct reading *x, struct slice key)
{
	return err_set(x->err, ERR_INVALID, "unknown field \"%.*s\"", (int)MIN(key.n, 64), key.p);
}

static int read_field(struct reading *x, struct slice key, const struct doc *value, size_t n)
{
	if (slice_is(key, "readonly")) {
		if (!doc_is(value, DOC_BOOL))
			return err_set(x->err, ERR_INVALID, "readonly: must be a boolean");
		x->p->readonly = doc_true(value);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		const char **to = (const char **)(void *)((char *)x->p + fields[i].at);

		if (!slice_is(key, fields[i].name))
			continue;
		if (!doc_is(value, DOC_STRING))
			return err_set(x->err, ERR_INVALID, "%s: must be a string", fields[i].name);
		if (value->n && memchr(value->s, '\0', value->n))
			return err_set(x->err, ERR_INVALID, "%s: has a NUL", fields[i].name);
		*to = arena_strndup(x->b->a, value->n ? value->s : "", value->n);
		return *to ? 0 : arena_quota(x->b->a, x->err);
	}
	return unknown(x, key);
}

static int read_spec(struct reading *x, const struct doc *spec, size_t n)
{
	DOC_EACH_MEMBER (key, value, spec) {
		if (read_field(x, doc_slice(key), value, n) < 0)
			return err_ret(x->err);
	}
	return 0;
}

/* What is left out gives all there, and everybody who is somebody. */
static void fill_old(struct policy *p)
{
	if (!*p->user && !*p->group)
		p->group = EVERYBODY;
	if (!*p->ns && !*p->resource)
		p->path = "*";
	if (!*p->ns)
		p->ns = "*";
	if (!*p->resource)
		p->resource = "*";
	p->api_group = "*";
}

static int read_policy(struct reading *x, const struct doc *d)
{
	const struct doc *version = doc_get(d, "apiVersion"), *kind = doc_get(d, "kind");
	int r = 0;

	if (!doc_is(d, DOC_OBJECT))
		return err_set(x->err, ERR_INVALID, "is no object");
	if (!version && !kind) {
		r = read_spec(x, d, OLD_FIELDS);
		fill_old(x->p);
	} else {
		if (!doc_str_is(version, "abac.authorization.kubernetes.io/v1beta1") ||
		    !doc_str_is(kind, "Policy"))
			return err_set(x->err, ERR_INVALID,
				       "is no Policy of abac.authorization.kubernetes.io/v1beta1");
		DOC_EACH_MEMBER (key, value, d) {
			static const char *const known[] = { "apiVersion", "kind", "spec" };
			size_t i = 0;

			(void)value;
			while (i < ARRAY_LEN(known) && !slice_is(doc_slice(key), known[i]))
				i++;
			if (i == ARRAY_LEN(known))
				return unknown(x, doc_slice(key));
		}
		r = read_spec(x, doc_get(d, "spec"), ARRAY_LEN(fields));
	}
	if (strcmp(x->p->user, "*") == 0 || strcmp(x->p->group, "*") == 0)
		x->p->group = EVERYBODY;
	return r;
}

static int read_line(struct abac *b, struct slice text, unsigned line, struct err *err)
{
	const struct json_options limits = { .copy = true,
					     .max_depth = 4,
					     .max_nodes = LINE_NODES };
	CLEANUP(arena_free) struct arena *a = arena_new("line of a policy", LINE_BYTES);
	struct policy *p = ARENA_NEW(b->a, struct policy);
	struct reading x = { b, p, err };
	struct doc *d;
	int r;

	if (!p || ++b->n > ABAC_POLICIES_MAX)
		return err_set(err, ERR_TOO_LARGE, "too many policies");
	*p = (struct policy){ .line = line,
			      .user = "",
			      .group = "",
			      .ns = "",
			      .resource = "",
			      .api_group = "",
			      .path = "" };
	r = json_read(a, text, &limits, &d, err);
	if (r >= 0)
		r = read_policy(&x, d);
	if (r < 0)
		return err_wrap(err, "line %u", line);
	*b->last = p;
	b->last = &p->next;
	return 0;
}

int abac_read(struct slice text, struct abac **ret, struct err *err)
{
	CLEANUP(abac_free) struct abac *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->a = arena_new("policies", MEMORY_MAX);
	b->last = &b->first;
	for (unsigned line = 1; text.n; line++) {
		struct slice one = slice_trim(slice_split(&text, '\n'));

		if (one.n && one.p[0] != '#' && read_line(b, one, line, err) < 0)
			return err_ret(err);
	}
	*ret = STEAL(b);
	return 0;
}

void abac_free(struct abac *b)
{
	if (!b)
		return;
	arena_free(b->a);
	free(b);
}

/* ---- matching ---- */

static bool fits(const char *pattern, const char *value)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, value) == 0;
}

static bool fits_subject(const struct policy *p, const struct strategy_user *u)
{
	if (!*p->user && !*p->group)
		return false;
	if (*p->user && !fits(p->user, u->name))
		return false;
	return !*p->group || (u->groups && str_is_one_of(p->group, u->groups));
}

static bool fits_path(const char *pattern, const char *path)
{
	const size_t n = strlen(pattern);

	return strcmp(pattern, path) == 0 ||
	       (n && pattern[n - 1] == '*' && strncmp(pattern, path, n - 1) == 0);
}

static bool fits_what(const struct policy *p, const struct authz_attrs *at)
{
	if (!at->resource_request)
		return fits_path(p->path, at->path);
	return fits(p->ns, at->ns) && fits(p->resource, at->resource) &&
	       fits(p->api_group, at->group);
}

static const char *const reading_verbs[] = { "get", "list", "watch", NULL };

bool abac_allows(const struct abac *b, const struct authz_attrs *at, struct buf *why)
{
	const bool reads = str_is_one_of(at->verb, reading_verbs);

	for (const struct policy *p = b->first; p; p = p->next) {
		if ((p->readonly && !reads) || !fits_subject(p, at->user) || !fits_what(p, at))
			continue;
		if (why)
			(void)buf_addf(why, "ABAC: allowed by line %u of the policy file", p->line);
		return true;
	}
	return false;
}

int abac_each_rule(const struct abac *b, const struct strategy_user *u, const char *ns,
		   int (*each)(void *arg, const struct rbac_rule *rule), void *arg)
{
	static const char *const all[] = { "*", NULL };
	int r = 0;

	for (const struct policy *p = b->first; p && r >= 0; p = p->next) {
		const char *const groups[] = { p->api_group, NULL };
		const char *const resources[] = { p->resource, NULL };
		const char *const paths[] = { p->path, NULL };
		const char *const *verbs = p->readonly ? reading_verbs : all;

		if (!fits_subject(p, u))
			continue;
		if (*p->resource && fits(p->ns, ns))
			r = each(arg, &(struct rbac_rule){ .verbs = verbs,
							   .groups = groups,
							   .resources = resources });
		if (r >= 0 && *p->path)
			r = each(arg, &(struct rbac_rule){ .verbs = verbs, .paths = paths });
	}
	return r;
}
