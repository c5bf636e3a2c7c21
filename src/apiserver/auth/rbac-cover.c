/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Escalation: who gives rights away has them all.
 *
 * A rule is taken apart into what it gives one by one: verb, group, resource, name (or verb, path);
 * each must be given by some rule that the user holds. A star is covered by a star only.
 */
#include "apiserver/auth/rbac-private.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdio.h>

#define ATOMS_MAX 200000

struct atom {
	const char *verb, *group, *resource, *name, *path; /* name, path NULL: none */
};

struct covering {
	const struct rbac *r;
	const struct strategy_user *u;
	const char *ns;
	struct arena *a;
	struct atom atom;
	size_t atoms;
	const char *missing;
};

static bool resource_covered(const char *const *list, const char *resource)
{
	for (; list && *list; list++) {
		const char *slash = strchr(resource, '/');

		if (strcmp(*list, "*") == 0 || strcmp(*list, resource) == 0)
			return true;
		/* Star and "/scale" gives every resource's. */
		if (slash && (*list)[0] == '*' && strcmp(*list + 1, slash) == 0)
			return true;
	}
	return false;
}

static bool path_covered(const char *const *list, const char *path)
{
	for (; list && *list; list++) {
		size_t n = strlen(*list);

		if (strcmp(*list, path) == 0)
			return true;
		if (n && (*list)[n - 1] == '*' && strncmp(*list, path, n - 1) == 0)
			return true;
	}
	return false;
}

static int covers_atom(void *arg, const struct rbac_rule *rule)
{
	const struct atom *t = &((struct covering *)arg)->atom;

	if (!rbac_list_has(rule->verbs, t->verb))
		return 0;
	if (t->path)
		return path_covered(rule->paths, t->path);
	if (!rbac_list_has(rule->groups, t->group) ||
	    !resource_covered(rule->resources, t->resource))
		return 0;
	/* Without names it gives all; with names those only. */
	return !rule->names || (t->name && str_is_one_of(t->name, rule->names));
}

/* Go's %v of a PolicyRule with one of each, as upstream prints what is missing. */
static const char *print_atom(struct arena *a, const struct atom *t)
{
	if (t->path)
		return arena_printf(a, "{NonResourceURLs:[\"%s\"], Verbs:[\"%s\"]}", t->path,
				    t->verb);
	return arena_printf(a, "{APIGroups:[\"%s\"], Resources:[\"%s\"]%s%s%s, Verbs:[\"%s\"]}",
			    t->group, t->resource, t->name ? ", ResourceNames:[\"" : "",
			    t->name ? t->name : "", t->name ? "\"]" : "", t->verb);
}

static int check_atom(struct covering *c, struct err *err)
{
	int r;

	if (++c->atoms > ATOMS_MAX)
		return err_set(err, ERR_TOO_LARGE, "rules that give more than %d rights",
			       ATOMS_MAX);
	r = rbac_each_rule(c->r, c->u, c->ns, covers_atom, c);
	if (r)
		return 0;
	if (!c->missing)
		c->missing = print_atom(c->a, &c->atom);
	return 1;
}

static const char *text(struct covering *c, const struct doc *d)
{
	const char *s = doc_cstr(c->a, d);

	return s ? s : "";
}

static int check_names(struct covering *c, const struct doc *names, struct err *err)
{
	int r = 0;

	if (!doc_len(names)) {
		c->atom.name = NULL;
		return check_atom(c, err);
	}
	DOC_EACH (n, names) {
		c->atom.name = text(c, n);
		r = check_atom(c, err);
		if (r)
			return r;
	}
	return r;
}

static int check_resources(struct covering *c, const struct doc *rule, struct err *err)
{
	DOC_EACH (g, doc_get(rule, "apiGroups")) {
		DOC_EACH (res, doc_get(rule, "resources")) {
			int r;

			c->atom.group = text(c, g);
			c->atom.resource = text(c, res);
			c->atom.path = NULL;
			r = check_names(c, doc_get(rule, "resourceNames"), err);
			if (r)
				return r;
		}
	}
	return 0;
}

static int check_rule(struct covering *c, const struct doc *rule, struct err *err)
{
	DOC_EACH (v, doc_get(rule, "verbs")) {
		int r;

		c->atom.verb = text(c, v);
		r = check_resources(c, rule, err);
		if (r)
			return r;
		DOC_EACH (p, doc_get(rule, "nonResourceURLs")) {
			c->atom.path = text(c, p);
			r = check_atom(c, err);
			if (r)
				return r;
		}
	}
	return 0;
}

int rbac_covers(const struct rbac *r, const struct strategy_user *u, const char *ns,
		const struct doc *rules, struct arena *a, const char **ret_missing, struct err *err)
{
	struct covering c = { .r = r, .u = u, .ns = ns, .a = a };

	DOC_EACH (rule, rules) {
		int got = check_rule(&c, rule, err);

		if (arena_exceeded(a))
			return arena_quota(a, err);
		if (got < 0)
			return got;
		if (got) {
			*ret_missing = c.missing;
			return 1;
		}
	}
	return 0;
}

static struct doc list_of(struct arena *a, const char *const *list)
{
	struct doc *d = doc_new_array(a);

	for (; list && *list; list++)
		(void)doc_append(a, d, doc_borrow(*list, strlen(*list)));
	return d ? *d : doc_null();
}

const struct doc *rbac_role_rules(const struct rbac *r, bool cluster, const char *ns,
				  const char *name, struct arena *a)
{
	const char *key = arena_printf(a, "%s/%s", cluster ? "" : ns, name);
	const struct rbac_role *role = key ? map_get(&r->roles, slice_str(key)) : NULL;
	struct doc *out;

	if (!role || !role->rules)
		return NULL;
	out = doc_new_array(a);
	for (size_t i = 0; i < role->rules->n; i++) {
		const struct rbac_rule *rule = &role->rules->v[i];
		struct doc *d = doc_append_object(a, out);

		doc_set(a, d, "verbs", list_of(a, rule->verbs));
		if (rule->groups)
			doc_set(a, d, "apiGroups", list_of(a, rule->groups));
		if (rule->resources)
			doc_set(a, d, "resources", list_of(a, rule->resources));
		if (rule->names)
			doc_set(a, d, "resourceNames", list_of(a, rule->names));
		if (rule->paths)
			doc_set(a, d, "nonResourceURLs", list_of(a, rule->paths));
	}
	return out;
}
