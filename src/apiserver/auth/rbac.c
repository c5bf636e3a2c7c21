/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index.
 *
 * (1) A role slot lives as long as it has rules or bindings; a subject as long as it has bindings.
 * (2) A link stands in its subject's list at `at`; taking one out moves the last one into its
 * place.
 */
#include "apiserver/auth/rbac-private.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX 1024
#define RULES_MAX 10000
#define TEXTS_BYTES (8u << 20)

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static char *copy(struct slice s)
{
	return must(strndup(s.n ? s.p : "", s.n));
}

/* ---- words of rules ---- */

bool rbac_list_has(const char *const *list, const char *s)
{
	for (; list && *list; list++) {
		if (((*list)[0] == '*' && !(*list)[1]) || strcmp(*list, s) == 0)
			return true;
	}
	return false;
}

bool rbac_path_in(const char *const *list, const char *path)
{
	for (; list && *list; list++) {
		size_t n = strlen(*list);

		if (strcmp(*list, path) == 0 ||
		    (n && (*list)[n - 1] == '*' && strncmp(*list, path, n - 1) == 0))
			return true;
	}
	return false;
}

bool rbac_resource_in(const char *const *list, const char *resource, const char *sub)
{
	size_t n = strlen(resource);

	for (; list && *list; list++) {
		const char *s = *list;

		if (s[0] == '*' && (!s[1] || (*sub && s[1] == '/' && strcmp(s + 2, sub) == 0)))
			return true;
		if (strncmp(s, resource, n) != 0)
			continue;
		if (*sub ? s[n] == '/' && strcmp(s + n + 1, sub) == 0 : !s[n])
			return true;
	}
	return false;
}

bool rbac_rule_allows(const struct rbac_rule *rule, const struct authz_attrs *at)
{
	if (!rbac_list_has(rule->verbs, at->verb))
		return false;
	if (!at->resource_request)
		return rbac_path_in(rule->paths, at->path);
	if (!rbac_list_has(rule->groups, at->group) ||
	    !rbac_resource_in(rule->resources, at->resource, at->sub))
		return false;
	return !rule->names || str_is_one_of(at->name, rule->names);
}

/* ---- rules as one piece ---- */

struct packer {
	char *p; /* texts */
	const char **list;
};

static void measure(const struct doc *list, size_t *pointers, size_t *bytes)
{
	DOC_EACH (it, list) {
		*bytes += doc_slice(it).n + 1;
		++*pointers;
	}
	*pointers += doc_len(list) != 0;
}

static const char *const *pack(struct packer *k, const struct doc *list)
{
	const char **first = k->list;

	if (!doc_len(list))
		return NULL;
	DOC_EACH (it, list) {
		struct slice s = doc_slice(it);

		*k->list++ = k->p;
		if (s.n)
			memcpy(k->p, s.p, s.n);
		k->p += s.n;
		*k->p++ = '\0';
	}
	*k->list++ = NULL;
	return first;
}

static const char *const fields[] = { "verbs", "apiGroups", "resources", "resourceNames",
				      "nonResourceURLs" };

static struct rbac_rules *compile(const struct doc *rules, struct err *err)
{
	size_t pointers = 0, bytes = 0, n = doc_len(rules), i = 0;
	struct rbac_rules *made;
	struct packer k;

	DOC_EACH (rule, rules) {
		for (size_t f = 0; f < ARRAY_LEN(fields); f++)
			measure(doc_get(rule, fields[f]), &pointers, &bytes);
	}
	if (n > RULES_MAX || bytes > TEXTS_BYTES) {
		(void)err_set(err, ERR_TOO_LARGE, "a role of %zu rules", n);
		return NULL;
	}
	made = must(
		malloc(sizeof(*made) + n * sizeof(made->v[0]) + pointers * sizeof(char *) + bytes));
	k.list = (const char **)(void *)&made->v[n];
	k.p = (char *)(k.list + pointers);
	made->n = n;
	DOC_EACH (rule, rules) {
		made->v[i++] = (struct rbac_rule){
			.verbs = pack(&k, doc_get(rule, fields[0])),
			.groups = pack(&k, doc_get(rule, fields[1])),
			.resources = pack(&k, doc_get(rule, fields[2])),
			.names = pack(&k, doc_get(rule, fields[3])),
			.paths = pack(&k, doc_get(rule, fields[4])),
		};
	}
	return made;
}

/* ---- roles ---- */

static int make_key(char out[KEY_MAX], struct slice ns, struct slice name, struct err *err)
{
	int n = snprintf(out, KEY_MAX, "%.*s/%.*s", (int)ns.n, ns.n ? ns.p : "", (int)name.n,
			 name.n ? name.p : "");

	return n < 0 || n >= KEY_MAX ? err_set(err, ERR_TOO_LARGE, "a name of %zu bytes", name.n)
				     : 0;
}

static struct rbac_role *role_slot(struct rbac *r, const char *key)
{
	struct rbac_role *role = map_get(&r->roles, slice_str(key));

	if (role)
		return role;
	role = must(calloc(1, sizeof(*role)));
	role->key = copy(slice_str(key));
	role->name = strchr(role->key, '/') + 1;
	role->cluster = role->key[0] == '/';
	(void)map_put(&r->roles, slice_str(role->key), role);
	return role;
}

/* keeps (1) */
static void role_let_go(struct rbac *r, struct rbac_role *role)
{
	if (role->rules || role->bindings)
		return;
	(void)map_del(&r->roles, slice_str(role->key));
	free(role->key);
	free(role);
}

int rbac_set_role(struct rbac *r, const struct doc *role, struct err *err)
{
	struct rbac_rules *rules = compile(doc_get(role, "rules"), err);
	struct rbac_role *slot;
	char key[KEY_MAX];

	if (!rules)
		return err_ret(err);
	if (make_key(key, doc_slice(doc_find(role, "metadata.namespace")),
		     doc_slice(doc_find(role, "metadata.name")), err) < 0) {
		free(rules);
		return err_ret(err);
	}
	slot = role_slot(r, key);
	free(slot->rules);
	slot->rules = rules;
	return 0;
}

void rbac_remove_role(struct rbac *r, struct slice ns, struct slice name)
{
	char key[KEY_MAX];
	struct rbac_role *role;

	if (make_key(key, ns, name, NULL) < 0)
		return;
	role = map_get(&r->roles, slice_str(key));
	if (!role)
		return;
	free(STEAL(role->rules));
	role_let_go(r, role);
}

/* ---- bindings ---- */

/* A namespace has no slash, so nothing but itself can be taken for it. -1: too long. */
static int print_key(char out[KEY_MAX], const char *ns, char kind, const char *before,
		     struct slice of, struct slice name)
{
	int n = snprintf(out, KEY_MAX, "%s/%c%s%.*s%s%.*s", ns, kind, before, (int)of.n,
			 of.n ? of.p : "", of.n ? ":" : "", (int)name.n, name.n ? name.p : "");

	return n > 0 && n < KEY_MAX ? n : -1;
}

/* False: no subject that anyone can be. */
static bool subject_key(char out[KEY_MAX], const char *ns, const struct doc *s)
{
	static const struct slice none = { NULL, 0 };
	const struct doc *kind = doc_get(s, "kind");
	struct slice name = doc_slice(doc_get(s, "name")), of = doc_slice(doc_get(s, "namespace"));

	if (!name.n)
		return false;
	if (doc_str_is(kind, "User"))
		return print_key(out, ns, 'u', "", none, name) > 0;
	if (doc_str_is(kind, "Group"))
		return print_key(out, ns, 'g', "", none, name) > 0;
	if (!of.n)
		of = slice_str(ns);
	return doc_str_is(kind, "ServiceAccount") && of.n &&
	       print_key(out, ns, 'u', "system:serviceaccount:", of, name) > 0;
}

static void link_in(struct rbac *r, struct rbac_link *link, const char *key)
{
	struct rbac_subject *s = map_get(&r->subjects, slice_str(key));

	if (!s) {
		s = must(calloc(1, sizeof(*s)));
		s->key = copy(slice_str(key));
		s->name = strchr(s->key, '/') + 2;
		(void)map_put(&r->subjects, slice_str(s->key), s);
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 2;
		s->links = must(realloc(s->links, s->cap * sizeof(struct rbac_link *)));
	}
	link->subject = s;
	link->at = s->n;
	s->links[s->n++] = link;
}

/* keeps (1), (2) */
static void link_out(struct rbac *r, struct rbac_link *link)
{
	struct rbac_subject *s = link->subject;

	if (!s)
		return;
	s->links[link->at] = s->links[--s->n];
	s->links[link->at]->at = link->at;
	if (s->n)
		return;
	(void)map_del(&r->subjects, slice_str(s->key));
	free(s->links);
	free(s->key);
	free(s);
}

static void drop_binding(struct rbac *r, struct rbac_binding *b)
{
	for (size_t i = 0; i < b->n; i++)
		link_out(r, &b->links[i]);
	b->role->bindings--;
	role_let_go(r, b->role);
	free(b->links);
	free(b->ns);
	free(b->key);
	free(b);
}

void rbac_remove_binding(struct rbac *r, struct slice ns, struct slice name)
{
	char key[KEY_MAX];
	struct rbac_binding *b;

	if (make_key(key, ns, name, NULL) < 0)
		return;
	b = map_del(&r->bindings, slice_str(key));
	if (b)
		drop_binding(r, b);
}

static void link_subjects(struct rbac *r, struct rbac_binding *b, const struct doc *subjects)
{
	char key[KEY_MAX];

	b->links = must(calloc(doc_len(subjects) + 1, sizeof(*b->links)));
	DOC_EACH (s, subjects) {
		if (!subject_key(key, b->ns, s))
			continue;
		b->links[b->n].binding = b;
		link_in(r, &b->links[b->n++], key);
	}
}

int rbac_set_binding(struct rbac *r, const struct doc *binding, struct err *err)
{
	struct slice ns = doc_slice(doc_find(binding, "metadata.namespace"));
	struct slice name = doc_slice(doc_find(binding, "metadata.name"));
	bool cluster = doc_str_is(doc_find(binding, "roleRef.kind"), "ClusterRole");
	char key[KEY_MAX], role[KEY_MAX];
	struct rbac_binding *b;
	int k;

	k = make_key(key, ns, name, err);
	if (k == 0)
		k = make_key(role, cluster ? (struct slice){ NULL, 0 } : ns,
			     doc_slice(doc_find(binding, "roleRef.name")), err);
	if (k < 0)
		return k;
	rbac_remove_binding(r, ns, name);
	b = must(calloc(1, sizeof(*b)));
	b->key = copy(slice_str(key));
	b->name = strchr(b->key, '/') + 1;
	b->ns = copy(ns);
	b->role = role_slot(r, role);
	b->role->bindings++;
	link_subjects(r, b, doc_get(binding, "subjects"));
	(void)map_put(&r->bindings, slice_str(b->key), b);
	return 0;
}

/* ---- questions ---- */

struct walk {
	const struct rbac *r;
	/* Nonzero ends the walk. */
	int (*each)(void *arg, const struct rbac_link *link, const struct rbac_rule *rule);
	void *arg;
};

static int walk_subject(const struct walk *w, const char *ns, char kind, const char *name)
{
	char key[KEY_MAX];
	int n = print_key(key, ns, kind, "", (struct slice){ NULL, 0 }, slice_str(name)), r = 0;
	const struct rbac_subject *s =
		n > 0 ? map_get(&w->r->subjects, slice_of(key, (size_t)n)) : NULL;

	for (size_t i = 0; s && i < s->n && r == 0; i++) {
		const struct rbac_rules *rules = s->links[i]->binding->role->rules;

		for (size_t k = 0; rules && k < rules->n && r == 0; k++)
			r = w->each(w->arg, s->links[i], &rules->v[k]);
	}
	return r;
}

static int walk(const struct walk *w, const struct strategy_user *u, const char *ns)
{
	int r = walk_subject(w, ns, 'u', u->name);

	for (size_t i = 0; r == 0 && u->groups && u->groups[i]; i++)
		r = walk_subject(w, ns, 'g', u->groups[i]);
	return r;
}

/* Cluster-wide bindings first, then those of the namespace. */
static int walk_all(const struct walk *w, const struct strategy_user *u, const char *ns)
{
	int r = walk(w, u, "");

	return r || !*ns ? r : walk(w, u, ns);
}

struct asking {
	const struct authz_attrs *at;
	const struct rbac_link *by;
	const struct rbac_rule *rule;
};

static struct rbac_reason reason_of(const struct rbac_link *by, const struct rbac_rule *rule)
{
	const struct rbac_binding *b = by->binding;

	return (struct rbac_reason){
		.cluster = !*b->ns,
		.binding = b->name,
		.ns = b->ns,
		.role = b->role->name,
		.cluster_role = b->role->cluster,
		.subject = by->subject->name,
		.subject_kind = by->subject->name[-1] == 'u' ? "User" : "Group",
		.rule = rule,
	};
}

static int ask(void *arg, const struct rbac_link *link, const struct rbac_rule *rule)
{
	struct asking *a = arg;

	if (!rbac_rule_allows(rule, a->at))
		return 0;
	a->by = link;
	a->rule = rule;
	return 1;
}

bool rbac_allows(const struct rbac *r, const struct authz_attrs *at, struct rbac_reason *ret_why)
{
	struct asking a = { .at = at };
	const struct walk w = { .r = r, .each = ask, .arg = &a };

	if (!walk_all(&w, at->user, at->resource_request ? at->ns : ""))
		return false;
	if (ret_why)
		*ret_why = reason_of(a.by, a.rule);
	return true;
}

int rbac_print_reason(const struct rbac_reason *why, struct buf *out)
{
	if (why->cluster)
		return buf_addf(out,
				"RBAC: allowed by ClusterRoleBinding \"%s\" of ClusterRole \"%s\" "
				"to %s \"%s\"",
				why->binding, why->role, why->subject_kind, why->subject);
	return buf_addf(out, "RBAC: allowed by RoleBinding \"%s/%s\" of %s \"%s\" to %s \"%s\"",
			why->binding, why->ns, why->cluster_role ? "ClusterRole" : "Role",
			why->role, why->subject_kind, why->subject);
}

struct telling {
	int (*each)(void *arg, const struct rbac_rule *rule);
	void *arg;
};

static int tell(void *arg, const struct rbac_link *link, const struct rbac_rule *rule)
{
	const struct telling *t = arg;

	(void)link;
	return t->each(t->arg, rule);
}

int rbac_each_rule(const struct rbac *r, const struct strategy_user *u, const char *ns,
		   int (*each)(void *arg, const struct rbac_rule *rule), void *arg)
{
	struct telling t = { .each = each, .arg = arg };
	const struct walk w = { .r = r, .each = tell, .arg = &t };

	return walk_all(&w, u, ns);
}

struct granting {
	int (*each)(void *arg, const struct rbac_reason *by);
	void *arg;
};

static int grant(void *arg, const struct rbac_link *link, const struct rbac_rule *rule)
{
	const struct granting *g = arg;
	const struct rbac_reason by = reason_of(link, rule);

	return g->each(g->arg, &by);
}

int rbac_each_grant(const struct rbac *r, const struct strategy_user *u, const char *ns,
		    int (*each)(void *arg, const struct rbac_reason *by), void *arg)
{
	struct granting g = { each, arg };
	const struct walk w = { .r = r, .each = grant, .arg = &g };

	return walk_all(&w, u, ns);
}

int rbac_each_role(const struct rbac *r,
		   int (*each)(void *arg, struct slice ns, const char *name,
			       const struct rbac_rule *rule),
		   void *arg)
{
	const struct rbac_role *role;
	size_t i = 0;
	int got = 0;

	while (got >= 0 && (role = map_next(&r->roles, &i, NULL)))
		for (size_t k = 0; got >= 0 && role->rules && k < role->rules->n; k++)
			got = each(arg, slice_of(role->key, (size_t)(role->name - 1 - role->key)),
				   role->name, &role->rules->v[k]);
	return got;
}

/* ---- life ---- */

struct rbac *rbac_new(void)
{
	struct rbac *r = must(calloc(1, sizeof(*r)));

	map_init(&r->roles);
	map_init(&r->bindings);
	map_init(&r->subjects);
	return r;
}

void rbac_free(struct rbac *r)
{
	struct rbac_binding *b;
	struct rbac_role *role;
	size_t i = 0;

	if (!r)
		return;
	rbac_follow_free(r->follow);
	while ((b = map_next(&r->bindings, &i, NULL)))
		drop_binding(r, b);
	i = 0;
	while ((role = map_next(&r->roles, &i, NULL))) {
		free(STEAL(role->rules));
		role_let_go(r, role);
	}
	map_fini(&r->roles);
	map_fini(&r->bindings);
	map_fini(&r->subjects);
	free(r);
}

struct rbac_stats rbac_get_stats(const struct rbac *r)
{
	return (struct rbac_stats){ .roles = map_count(&r->roles),
				    .bindings = map_count(&r->bindings),
				    .subjects = map_count(&r->subjects) };
}
