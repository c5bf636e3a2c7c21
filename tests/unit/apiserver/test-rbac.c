/* SPDX-License-Identifier: Apache-2.0 */
/* RBAC: what rules give, to whom, where; changes; escalation; 100,000 random questions against a
 * plain reference that looks at the documents. */
#include "../doc/doc-check.h"

#include "apiserver/auth/rbac.h"
#include "doc/json.h"

#include <stdio.h>

static struct doc *json(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	if (json_read(a, slice_str(arena_strdup(a, text)), NULL, &d, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return d;
}

static void role(struct rbac *r, struct arena *a, const char *ns, const char *name,
		 const char *rules)
{
	struct err err = ERR_INIT;

	assert_int_equal(
		rbac_set_role(
			r,
			json(a,
			     arena_printf(a, "{\"metadata\":{\"name\":\"%s\"%s%s%s},\"rules\":%s}",
					  name, *ns ? ",\"namespace\":\"" : "", ns, *ns ? "\"" : "",
					  rules)),
			&err),
		0);
}

static void binding(struct rbac *r, struct arena *a, const char *ns, const char *name,
		    const char *kind, const char *ref, const char *subjects)
{
	struct err err = ERR_INIT;

	assert_int_equal(
		rbac_set_binding(
			r,
			json(a,
			     arena_printf(
				     a,
				     "{\"metadata\":{\"name\":\"%s\"%s%s%s},\"roleRef\":{\"kind\":"
				     "\"%s\",\"name\":\"%s\"},\"subjects\":%s}",
				     name, *ns ? ",\"namespace\":\"" : "", ns, *ns ? "\"" : "",
				     kind, ref, subjects)),
			&err),
		0);
}

static const char *const dev[] = { "dev", "system:authenticated", NULL };
static const struct strategy_user jo = { .name = "jo", .uid = "", .groups = dev };

static bool may(struct rbac *r, const struct strategy_user *u, const char *verb, const char *group,
		const char *resource, const char *sub, const char *ns, const char *name)
{
	const struct authz_attrs at = { .user = u,
					.verb = verb,
					.resource_request = true,
					.group = group,
					.version = "v1",
					.resource = resource,
					.sub = sub,
					.name = name,
					.ns = ns,
					.path = "" };

	return rbac_allows(r, &at, NULL);
}

static bool may_path(struct rbac *r, const struct strategy_user *u, const char *verb,
		     const char *path)
{
	const struct authz_attrs at = { .user = u,
					.verb = verb,
					.group = "",
					.version = "",
					.resource = "",
					.sub = "",
					.name = "",
					.ns = "",
					.path = path };

	return rbac_allows(r, &at, NULL);
}

#define JO "[{\"kind\":\"User\",\"name\":\"jo\"}]"

static void rules_give_what_they_say(void **state)
{
	struct rbac *r = rbac_new();
	struct arena *a = arena_new("test", 16u << 20);

	(void)state;
	role(r, a, "", "all",
	     "[{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/"
	     "log\",\"*/scale\"]},"
	     "{\"verbs\":[\"*\"],\"apiGroups\":[\"apps\"],\"resources\":[\"*\"],\"resourceNames\":["
	     "\"web\"]},"
	     "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz\",\"/logs/*\"]}]");
	binding(r, a, "", "b", "ClusterRole", "all", JO);
	assert_true(may(r, &jo, "get", "", "pods", "", "n", "p"));
	assert_true(may(r, &jo, "list", "", "pods", "", "", ""));
	assert_false(may(r, &jo, "watch", "", "pods", "", "n", ""));
	assert_true(may(r, &jo, "get", "", "pods", "log", "n", "p"));
	assert_false(may(r, &jo, "get", "", "pods", "exec", "n", "p"));
	assert_true(may(r, &jo, "get", "", "anything", "scale", "n", "p"));
	assert_false(may(r, &jo, "get", "", "services", "", "n", "p"));
	assert_false(may(r, &jo, "get", "apps", "pods", "", "n", "p"));
	assert_true(may(r, &jo, "delete", "apps", "deployments", "status", "n", "web"));
	assert_false(may(r, &jo, "delete", "apps", "deployments", "", "n", "db"));
	assert_false(may(r, &jo, "list", "apps", "deployments", "", "n", ""));
	assert_true(may_path(r, &jo, "get", "/healthz"));
	assert_false(may_path(r, &jo, "get", "/healthz/x"));
	assert_true(may_path(r, &jo, "get", "/logs/"));
	assert_true(may_path(r, &jo, "get", "/logs/a/b"));
	assert_false(may_path(r, &jo, "post", "/healthz"));
	assert_false(may_path(r, &jo, "get", "/log"));
	rbac_free(r);
	arena_free(a);
}

static void bindings_hold_where_they_are(void **state)
{
	static const char *const sas[] = { "system:serviceaccounts", NULL };
	const struct strategy_user bot = { .name = "system:serviceaccount:n:bot",
					   .uid = "",
					   .groups = sas };
	struct strategy_user odd = { .name = "x/gdev", .uid = "", .groups = sas };
	struct rbac *r = rbac_new();
	struct arena *a = arena_new("test", 16u << 20);

	(void)state;
	role(r, a, "n", "read",
	     "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]");
	role(r, a, "", "read",
	     "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"secrets\"]}]");
	binding(r, a, "n", "own", "Role", "read", "[{\"kind\":\"Group\",\"name\":\"dev\"}]");
	binding(r, a, "m", "far", "ClusterRole", "read",
		"[{\"kind\":\"ServiceAccount\",\"name\":\"bot\",\"namespace\":\"n\"}]");
	binding(r, a, "n", "near", "ClusterRole", "read",
		"[{\"kind\":\"ServiceAccount\",\"name\":\"bot\"}]");
	binding(r, a, "x", "trap", "ClusterRole", "read",
		"[{\"kind\":\"Group\",\"name\":\"dev\"}]");
	assert_true(may(r, &jo, "get", "", "pods", "", "n", "p"));
	assert_false(may(r, &jo, "get", "", "pods", "", "m", "p"));
	assert_false(may(r, &jo, "get", "", "pods", "", "", "p"));
	assert_false(may(r, &jo, "get", "", "secrets", "", "n", "s"));
	assert_true(may(r, &bot, "get", "", "secrets", "", "m", "s"));
	assert_true(may(r, &bot, "get", "", "secrets", "", "n", "s"));
	assert_false(may(r, &bot, "get", "", "secrets", "", "o", "s"));
	/* No name of a user reads as the key of a namespace's group. */
	assert_false(may(r, &odd, "get", "", "secrets", "", "x", "s"));
	assert_false(may(r, &odd, "get", "", "secrets", "", "", "s"));
	odd.name = "/gdev";
	assert_false(may(r, &odd, "get", "", "secrets", "", "x", "s"));
	rbac_free(r);
	arena_free(a);
}

static void changes_hold_at_once(void **state)
{
	struct rbac *r = rbac_new();
	struct arena *a = arena_new("test", 16u << 20);
	struct rbac_reason why;
	struct buf text = BUF_INIT(1024);
	struct authz_attrs at = { .user = &jo,
				  .verb = "get",
				  .resource_request = true,
				  .group = "",
				  .version = "v1",
				  .resource = "pods",
				  .sub = "",
				  .name = "p",
				  .ns = "n",
				  .path = "" };

	(void)state;
	binding(r, a, "n", "early", "ClusterRole", "later",
		"[{\"kind\":\"Group\",\"name\":\"dev\"},{\"kind\":\"User\",\"name\":\"al\"}]");
	assert_false(rbac_allows(r, &at, NULL));
	role(r, a, "", "later",
	     "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]");
	assert_true(rbac_allows(r, &at, &why));
	assert_int_equal(rbac_print_reason(&why, &text), 0);
	assert_string_equal(buf_str(&text), "RBAC: allowed by RoleBinding \"early/n\" of "
					    "ClusterRole \"later\" to Group \"dev\"");
	role(r, a, "", "later", "[]");
	assert_false(rbac_allows(r, &at, NULL));
	role(r, a, "", "later",
	     "[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}]");
	binding(r, a, "n", "early", "ClusterRole", "later",
		"[{\"kind\":\"User\",\"name\":\"al\"}]");
	assert_false(rbac_allows(r, &at, NULL));
	binding(r, a, "", "wide", "ClusterRole", "later", JO);
	buf_clear(&text);
	assert_true(rbac_allows(r, &at, &why));
	assert_int_equal(rbac_print_reason(&why, &text), 0);
	assert_string_equal(buf_str(&text), "RBAC: allowed by ClusterRoleBinding \"wide\" of "
					    "ClusterRole \"later\" to User \"jo\"");
	rbac_remove_role(r, SLICE(""), SLICE("later"));
	assert_false(rbac_allows(r, &at, NULL));
	assert_int_equal(rbac_get_stats(r).roles, 1); /* bindings hold its place */
	rbac_remove_binding(r, SLICE(""), SLICE("wide"));
	rbac_remove_binding(r, SLICE("n"), SLICE("early"));
	rbac_remove_binding(r, SLICE("n"), SLICE("early"));
	assert_int_equal(rbac_get_stats(r).roles, 0);
	assert_int_equal(rbac_get_stats(r).subjects, 0);
	buf_fini(&text);
	rbac_free(r);
	arena_free(a);
}

static void what_is_given_away_must_be_held(void **state)
{
	static const struct {
		const char *rules, *missing;
	} rows[] = {
		{ "[]", NULL },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]", NULL },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"],"
		  "\"resourceNames\":[\"x\"]}]",
		  NULL },
		{ "[{\"verbs\":[\"get\",\"delete\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}"
		  "]",
		  "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}" },
		{ "[{\"verbs\":[\"*\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]",
		  "Verbs:[\"*\"]" },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"*\"],\"resources\":[\"pods\"]}]",
		  "APIGroups:[\"*\"]" },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*\"]}]",
		  "Resources:[\"*\"]" },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"apps\"],\"resources\":[\"deployments/"
		  "scale\"]}]",
		  NULL },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"apps\"],\"resources\":[\"deployments\"]}"
		  "]",
		  "deployments\"]" },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"secrets\"],"
		  "\"resourceNames\":[\"mine\"]}]",
		  NULL },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"secrets\"],"
		  "\"resourceNames\":[\"mine\",\"yours\"]}]",
		  "ResourceNames:[\"yours\"]" },
		{ "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"secrets\"]}]",
		  "secrets" },
		{ "[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/a/b\",\"/a/*\"]}]", NULL },
		{ "[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/*\"]}]",
		  "{NonResourceURLs:[\"/*\"], Verbs:[\"get\"]}" },
	};
	struct rbac *r = rbac_new();
	struct arena *a = arena_new("test", 16u << 20);

	(void)state;
	role(r, a, "", "some",
	     "[{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]},"
	     "{\"verbs\":[\"get\"],\"apiGroups\":[\"apps\"],\"resources\":[\"*/scale\"]},"
	     "{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/a/*\"]}]");
	role(r, a, "n", "mine",
	     "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"secrets\"],"
	     "\"resourceNames\":[\"mine\"]}]");
	binding(r, a, "", "b", "ClusterRole", "some", JO);
	binding(r, a, "n", "b", "Role", "mine", JO);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		const char *missing = NULL;
		int got = rbac_covers(r, &jo, "n", json(a, rows[i].rules), a, &missing, &err);

		if (got != (rows[i].missing ? 1 : 0) || (got && !strstr(missing, rows[i].missing)))
			fail_msg("%s: %d %s", rows[i].rules, got, missing ? missing : "");
		/* In another namespace the secret is not theirs. */
		if (!rows[i].missing && strstr(rows[i].rules, "secrets"))
			assert_int_equal(
				rbac_covers(r, &jo, "m", json(a, rows[i].rules), a, &missing, &err),
				1);
	}
	assert_int_equal(doc_len(rbac_role_rules(r, true, "", "some", a)), 3);
	assert_true(doc_str_is(
		doc_find(rbac_role_rules(r, false, "n", "mine", a), "0.resourceNames.0"), "mine"));
	assert_null(rbac_role_rules(r, false, "m", "mine", a));
	rbac_free(r);
	arena_free(a);
}

/* ---- random questions ---- */

static uint64_t seed = 20261122;
static unsigned dice(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static const char *const verbs[] = { "get", "list", "create", "delete", "*" };
static const char *const groups_of[] = { "", "apps", "batch", "*" };
static const char *const resources_of[] = { "pods", "pods/log", "*/log", "jobs", "*" };
static const char *const names_of[] = { "a", "b" };
static const char *const urls_of[] = { "/x", "/x/*", "*", "/y" };
static const char *const namespaces[] = { "n0", "n1", "n2" };

static const char *some(struct arena *a, const char *const *v, unsigned n)
{
	struct buf b = BUF_INIT(4096);
	unsigned count = 1 + dice(2);
	const char *text;

	for (unsigned i = 0; i < count; i++)
		(void)buf_addf(&b, "%s\"%s\"", i ? "," : "", v[dice(n)]);
	text = arena_strdup(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

static const char *random_rules(struct arena *a)
{
	struct buf b = BUF_INIT(65536);
	unsigned n = 1 + dice(3);
	const char *text;

	(void)buf_addc(&b, '[');
	for (unsigned i = 0; i < n; i++) {
		(void)buf_addf(&b, "%s{\"verbs\":[%s]", i ? "," : "", some(a, verbs, 5));
		if (dice(5) == 0)
			(void)buf_addf(&b, ",\"nonResourceURLs\":[%s]}", some(a, urls_of, 4));
		else
			(void)buf_addf(&b, ",\"apiGroups\":[%s],\"resources\":[%s]%s}",
				       some(a, groups_of, 4), some(a, resources_of, 5),
				       dice(3) ? ""
					       : arena_printf(a, ",\"resourceNames\":[%s]",
							      some(a, names_of, 2)));
	}
	(void)buf_addc(&b, ']');
	text = arena_strdup(a, buf_str(&b));
	buf_fini(&b);
	return text;
}

/* The reference: documents and words, no index. */
static bool plain_list(const struct doc *list, const char *s)
{
	DOC_EACH (it, list) {
		if (doc_str_is(it, s) || doc_str_is(it, "*"))
			return true;
	}
	return false;
}

static bool plain_rule(const struct doc *rule, const struct authz_attrs *at)
{
	char full[128], any[128];

	if (!plain_list(doc_get(rule, "verbs"), at->verb))
		return false;
	if (!at->resource_request) {
		DOC_EACH (it, doc_get(rule, "nonResourceURLs")) {
			struct slice u = doc_slice(it);

			if (slice_is(u, at->path) ||
			    (u.p[u.n - 1] == '*' && strncmp(u.p, at->path, u.n - 1) == 0))
				return true;
		}
		return false;
	}
	snprintf(full, sizeof(full), "%s%s%s", at->resource, *at->sub ? "/" : "", at->sub);
	snprintf(any, sizeof(any), "*/%s", *at->sub ? at->sub : "\x01");
	if (!plain_list(doc_get(rule, "apiGroups"), at->group) ||
	    !(plain_list(doc_get(rule, "resources"), full) ||
	      plain_list(doc_get(rule, "resources"), any)))
		return false;
	if (!doc_len(doc_get(rule, "resourceNames")))
		return true;
	DOC_EACH (it, doc_get(rule, "resourceNames")) {
		if (doc_str_is(it, at->name))
			return true;
	}
	return false;
}

#define ROLES 24
#define BINDINGS 40

struct plain {
	struct doc *roles[ROLES]; /* even: cluster */
	struct doc *bindings[BINDINGS];
};

static bool plain_subject(const struct doc *b, const struct strategy_user *u)
{
	DOC_EACH (s, doc_get(b, "subjects")) {
		if (doc_str_is(doc_get(s, "kind"), "User") &&
		    doc_str_is(doc_get(s, "name"), u->name))
			return true;
		for (size_t i = 0; u->groups[i]; i++) {
			if (doc_str_is(doc_get(s, "kind"), "Group") &&
			    doc_str_is(doc_get(s, "name"), u->groups[i]))
				return true;
		}
	}
	return false;
}

static bool plain_allows(const struct plain *p, const struct authz_attrs *at)
{
	for (size_t i = 0; i < BINDINGS; i++) {
		const struct doc *b = p->bindings[i], *ns = doc_find(b, "metadata.namespace");

		if (!b || (ns && !(at->resource_request && doc_str_is(ns, at->ns))) ||
		    !plain_subject(b, at->user))
			continue;
		for (size_t k = 0; k < ROLES; k++) {
			const struct doc *role_ns = doc_find(p->roles[k], "metadata.namespace");
			bool cluster = doc_str_is(doc_find(b, "roleRef.kind"), "ClusterRole");

			if (!p->roles[k] || cluster != !role_ns ||
			    !slice_eq(doc_slice(doc_find(b, "roleRef.name")),
				      doc_slice(doc_find(p->roles[k], "metadata.name"))) ||
			    (role_ns && !slice_eq(doc_slice(role_ns), doc_slice(ns))))
				continue;
			DOC_EACH (rule, doc_get(p->roles[k], "rules")) {
				if (plain_rule(rule, at))
					return true;
			}
		}
	}
	return false;
}

static void change(struct rbac *r, struct plain *p, struct arena *a)
{
	struct err err = ERR_INIT;
	unsigned i = dice(ROLES), k = dice(BINDINGS);
	const char *ns = i % 2 ? namespaces[i / 2 % 3] : "";

	if (p->roles[i] && dice(3) == 0) {
		rbac_remove_role(r, slice_str(ns), slice_str(arena_printf(a, "r%u", i)));
		p->roles[i] = NULL;
	} else {
		p->roles[i] = json(
			a, arena_printf(a, "{\"metadata\":{\"name\":\"r%u\"%s%s%s},\"rules\":%s}",
					i, *ns ? ",\"namespace\":\"" : "", ns, *ns ? "\"" : "",
					random_rules(a)));
		assert_int_equal(rbac_set_role(r, p->roles[i], &err), 0);
	}
	ns = k % 3 ? namespaces[k % 3] : "";
	if (p->bindings[k] && dice(3) == 0) {
		rbac_remove_binding(r, slice_str(ns), slice_str(arena_printf(a, "b%u", k)));
		p->bindings[k] = NULL;
		return;
	}
	p->bindings[k] =
		json(a, arena_printf(a,
				     "{\"metadata\":{\"name\":\"b%u\"%s%s%s},\"roleRef\":{\"kind\":"
				     "\"%s\",\"name\":\"r%u\"},"
				     "\"subjects\":[{\"kind\":\"User\",\"name\":\"u%u\"},{\"kind\":"
				     "\"Group\",\"name\":\"g%u\"}]}",
				     k, *ns ? ",\"namespace\":\"" : "", ns, *ns ? "\"" : "",
				     *ns && dice(2) ? "Role" : "ClusterRole", dice(ROLES), dice(4),
				     dice(4)));
	assert_int_equal(rbac_set_binding(r, p->bindings[k], &err), 0);
}

static void random_questions_equal_a_plain_reference(void **state)
{
	static const char *const subs[] = { "", "log", "scale" },
				 *const kinds[] = { "pods", "jobs", "secrets" },
				 *const paths[] = { "/x", "/x/z", "/y", "/" },
				 *const some_names[] = { "a", "b", "c", "" };
	struct rbac *r = rbac_new();
	struct plain p = { 0 };
	struct arena *a = arena_new("test", 512u << 20);
	unsigned yes = 0;

	(void)state;
	for (unsigned q = 0; q < 100000; q++) {
		char user[8], g1[8], g2[8];
		const char *const groups[] = { g1, g2, NULL };
		const struct strategy_user u = { .name = user, .uid = "", .groups = groups };
		struct authz_attrs at = { .user = &u,
					  .verb = verbs[dice(4)],
					  .resource_request = dice(5) != 0,
					  .group = groups_of[dice(3)],
					  .version = "v1",
					  .resource = kinds[dice(3)],
					  .sub = subs[dice(3)],
					  .name = some_names[dice(4)],
					  .ns = dice(4) ? namespaces[dice(3)] : "",
					  .path = paths[dice(4)] };
		bool got;

		if (q % 20 == 0)
			change(r, &p, a);
		snprintf(user, sizeof(user), "u%u", dice(5));
		snprintf(g1, sizeof(g1), "g%u", dice(5));
		snprintf(g2, sizeof(g2), "g%u", dice(5));
		got = rbac_allows(r, &at, NULL);
		yes += got;
		if (got != plain_allows(&p, &at))
			fail_msg("question %u: %d; %s %s/%s/%s %s/%s %s by %s %s %s", q, got,
				 at.verb, at.group, at.resource, at.sub, at.ns, at.name, at.path,
				 user, g1, g2);
	}
	assert_in_range(yes, 10000, 90000); /* neither answer is rare */
	rbac_free(r);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_give_what_they_say),
		cmocka_unit_test(bindings_hold_where_they_are),
		cmocka_unit_test(changes_hold_at_once),
		cmocka_unit_test(what_is_given_away_must_be_held),
		cmocka_unit_test(random_questions_equal_a_plain_reference),
	};

	return cmocka_run_group_tests_name("rbac", tests, NULL, NULL);
}
