/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl create role`, `clusterrole`, `rolebinding`, `clusterrolebinding`. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "base/arena.h"
#include "base/err.h"

#include <stdlib.h>

#define RBAC "rbac.authorization.k8s.io"

static const struct make_kind role_kind = { RBAC "/v1", "Role", "roles", true, NULL };
static const struct make_kind cluster_role_kind = { RBAC "/v1", "ClusterRole", "clusterroles",
						    false, NULL };
static const struct make_kind binding_kind = { RBAC "/v1", "RoleBinding", "rolebindings", true,
					       "failed to create rolebinding:" };
static const struct make_kind cluster_binding_kind = { RBAC "/v1", "ClusterRoleBinding",
						       "clusterrolebindings", false,
						       "failed to create clusterrolebinding:" };

/* ---- roles ---- */

struct role_opts {
	struct make_flags make;
	struct opt_list verbs, resources, names, paths;
	const char *aggregate;
};
#define ROLE_ROWS                                                                     \
	MAKE_ROWS(struct role_opts),                                                  \
		MAKE_OPT(struct role_opts, LIST, resources, "resource",               \
			 "What the rule is about: pods, deployments.apps, pods/log"), \
		MAKE_OPT(struct role_opts, LIST, names, "resource-name",              \
			 "Only objects of this name; repeated"),                      \
		MAKE_OPT(struct role_opts, LIST, verbs, "verb", "What may be done: get, list")

static const struct opt role_opts[] = { ROLE_ROWS, OPT_END };
static const struct opt cluster_role_opts[] = {
	ROLE_ROWS,
	MAKE_OPT(struct role_opts, STR, aggregate, "aggregation-rule",
		 "Labels of the roles whose rules it has"),
	MAKE_OPT(struct role_opts, LIST, paths, "non-resource-url",
		 "A path of the server that is no resource"),
	OPT_END
};

/* What may be done with few resources only. */
static const struct special {
	const char *verb, *group, *resource;
} specials[] = {
	{ "use", "policy", "podsecuritypolicies" },
	{ "use", "extensions", "podsecuritypolicies" },
	{ "bind", RBAC, "roles" },
	{ "bind", RBAC, "clusterroles" },
	{ "escalate", RBAC, "roles" },
	{ "escalate", RBAC, "clusterroles" },
	{ "impersonate", "", "users" },
	{ "impersonate", "", "serviceaccounts" },
	{ "impersonate", "", "groups" },
	{ "impersonate", "authentication.k8s.io", "userextras" },
};

/* One word of --resource, as the server knows it. */
struct target {
	const char *group, *resource, *sub;
	bool known;
};
struct role {
	struct making m;
	struct opt_list verbs, names, paths;
	struct target *targets;
	size_t n;
};

static int read_target(struct kubectl *k, const char *word, struct target *ret, struct err *err)
{
	struct slice sub = slice_str(word), type = slice_split(&sub, '/'), group = type,
		     name = slice_split(&group, '.');
	const char *text = arena_strndup(k->arena, type.p, type.n);
	const struct resource *res;

	*ret = (struct target){ .resource = arena_strndup(k->arena, name.p, name.n),
				.group = arena_strndup(k->arena, group.n ? group.p : "", group.n),
				.sub = sub.n ? sub.p : NULL };
	if (!text || !ret->resource || !ret->group)
		return arena_quota(k->arena, err);
	if (!name.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "resource must be specified if apiGroup/subresource specified");
	if (strcmp(ret->resource, "*") == 0) {
		ret->known = true;
		return 0;
	}
	for (int fresh = 0; fresh < 2 && !ret->known; fresh++) {
		int r = kubectl_catalog(k, fresh, err);

		if (r < 0)
			return r;
		res = catalog_find(&k->catalog, text);
		if (res) {
			ret->known = true;
			ret->group = res->group;
			ret->resource = res->name;
		}
	}
	return 0;
}

static int check_target(const struct role *ro, struct target *t, struct err *err)
{
	for (size_t i = 0; i < ro->verbs.n; i++) {
		bool special = false, match = false;

		for (size_t j = 0; j < ARRAY_LEN(specials); j++) {
			if (strcmp(specials[j].verb, ro->verbs.v[i]) != 0)
				continue;
			special = true;
			match |= strcmp(specials[j].resource, t->resource) == 0 &&
				 strcmp(specials[j].group, t->group) == 0;
		}
		if (special && !match)
			return err_set(err, ERR_BAD_REQUEST,
				       "can not perform '%s' on '%s' in group '%s'", ro->verbs.v[i],
				       t->resource, t->group);
		t->known |= match;
	}
	ro->m.k->bare = !t->known;
	if (!t->known)
		return err_set(err, ERR_NOT_FOUND,
			       "the server doesn't have a resource type \"%s\"%s%s%s", t->resource,
			       *t->group ? " in group \"" : "", t->group, *t->group ? "\"" : "");
	return 0;
}

static void warn_of_verbs(const struct role *ro)
{
	static const char *const usual[] = {
		"*",	  "get",   "delete",   "list",	      "create",
		"update", "patch", "watch",    "proxy",	      "deletecollection",
		"use",	  "bind",  "escalate", "impersonate", NULL
	};

	for (size_t i = 0; i < ro->verbs.n; i++)
		if (!str_is_one_of(ro->verbs.v[i], usual))
			buf_addf(&ro->m.k->errors,
				 "Warning: '%s' is not a standard resource verb\n", ro->verbs.v[i]);
	kubectl_show(ro->m.k);
}

/* Up to a "*", which is all. */
static int read_targets(struct role *ro, const struct opt_list *words, struct err *err)
{
	ro->targets = ARENA_ARRAY(ro->m.k->arena, struct target, words->n + 1);
	if (!ro->targets)
		return arena_quota(ro->m.k->arena, err);
	warn_of_verbs(ro);
	for (size_t i = 0; i < words->n; i++) {
		struct target *t = &ro->targets[ro->n];
		int r = read_target(ro->m.k, words->v[i], t, err);

		if (r < 0)
			return r;
		ro->n++;
		if (strcmp(words->v[i], "*") == 0)
			break;
	}
	for (size_t i = 0; i < ro->n; i++) {
		if (strcmp(ro->targets[i].resource, "*") == 0)
			return 0;
		if (check_target(ro, &ro->targets[i], err) < 0)
			return err_ret(err);
	}
	return 0;
}

static int check_paths(const struct role *ro, struct err *err)
{
	static const char *const verbs[] = { "*",     "get",  "post",	 "put", "delete",
					     "patch", "head", "options", NULL };

	for (size_t i = 0; i < ro->verbs.n && ro->paths.n; i++)
		if (!str_is_one_of(ro->verbs.v[i], verbs))
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid verb: '%s' for nonResourceURL", ro->verbs.v[i]);
	for (size_t i = 0; i < ro->paths.n; i++) {
		const char *p = ro->paths.v[i], *star = strchr(p, '*');

		if (strcmp(p, "*") == 0)
			continue;
		if (*p != '/')
			return err_set(err, ERR_BAD_REQUEST, "nonResourceURL should start with /");
		if (star && star[1])
			return err_set(err, ERR_BAD_REQUEST,
				       "nonResourceURL only supports wildcard matches when '*' is "
				       "at the end");
	}
	return 0;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A rule for each group, by their names; then one for paths. */
static int put_rules(struct role *ro, struct doc *d, struct err *err)
{
	struct arena *a = ro->m.k->arena;
	struct doc *rules = doc_set_array(a, d, "rules"), *rule;
	const char **groups = ARENA_ARRAY(a, const char *, ro->n + 1);

	if (!groups)
		return arena_quota(a, err);
	for (size_t i = 0; i < ro->n; i++)
		groups[i] = ro->targets[i].group;
	qsort(groups, ro->n, sizeof(*groups), by_text);
	for (size_t g = 0; g < ro->n; g++) {
		struct opt_list one = { .v = &groups[g], .n = 1 }, all = { 0 }, what;

		if (g && strcmp(groups[g], groups[g - 1]) == 0)
			continue;
		all.v = ARENA_ARRAY(a, const char *, ro->n + 1);
		for (size_t i = 0; all.v && i < ro->n; i++) {
			const struct target *t = &ro->targets[i];

			if (strcmp(t->group, groups[g]) == 0)
				all.v[all.n++] =
					arena_printf(a, "%s%s%s", t->resource, t->sub ? "/" : "",
						     t->sub ? t->sub : "");
		}
		if (arena_exceeded(a) ||
		    make_commas(ro->m.k, &all, MAKE_ONCE | MAKE_WHOLE, &what, err) < 0)
			return arena_quota(a, err);
		rule = doc_append_object(a, rules);
		make_words(&ro->m, rule, "verbs", &ro->verbs);
		make_words(&ro->m, rule, "apiGroups", &one);
		make_words(&ro->m, rule, "resources", &what);
		make_words(&ro->m, rule, "resourceNames", &ro->names);
	}
	if (ro->paths.n) {
		rule = doc_append_object(a, rules);
		make_words(&ro->m, rule, "verbs", &ro->verbs);
		make_words(&ro->m, rule, "nonResourceURLs", &ro->paths);
	}
	return 0;
}

/* "*" is all there is. */
static void only_star(struct opt_list *verbs)
{
	for (size_t i = 0; i < verbs->n; i++)
		if (strcmp(verbs->v[i], "*") == 0) {
			verbs->v[0] = "*";
			verbs->n = 1;
		}
}

static int aggregate(struct role *ro, const struct role_opts *o, struct err *err)
{
	struct arena *a = ro->m.k->arena;
	struct doc *d = make_object(&ro->m, &cluster_role_kind, ro->m.name), *list;

	if (o->verbs.n || o->resources.n || o->names.n || o->paths.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "aggregation rule must be specified without nonResourceURLs, verbs, "
			       "resources or resourceNames");
	doc_set_null(a, d, "rules");
	list = doc_set_array(a, doc_set_object(a, d, "aggregationRule"), "clusterRoleSelectors");
	if (!make_pairs(&ro->m, doc_append_object(a, list), "matchLabels", o->aggregate))
		return err_set(err, ERR_BAD_REQUEST,
			       "malformed pair, expect string=string for --aggregation-rule: %s",
			       o->aggregate);
	return make_end(&ro->m, &cluster_role_kind, d, err);
}

static int role_make(struct cmd_call *call, const struct make_kind *kind, struct err *err)
{
	const struct role_opts *o = call->opts;
	bool cluster = kind == &cluster_role_kind;
	struct role ro = { 0 };
	struct opt_list words;
	struct doc *d;
	int r = make_begin(call, &o->make, &ro.m, err);

	if (r == 0 && o->aggregate)
		return aggregate(&ro, o, err);
	if (r < 0 || make_commas(ro.m.k, &o->verbs, MAKE_ONCE, &ro.verbs, err) < 0 ||
	    make_commas(ro.m.k, &o->resources, 0, &words, err) < 0 ||
	    make_commas(ro.m.k, &o->names, MAKE_ONCE | MAKE_WHOLE, &ro.names, err) < 0 ||
	    make_commas(ro.m.k, &o->paths, MAKE_ONCE, &ro.paths, err) < 0)
		return err_ret(err);
	only_star(&ro.verbs);
	if (!ro.verbs.n)
		return err_set(err, ERR_BAD_REQUEST, "at least one verb must be specified");
	if (!words.n && !ro.paths.n)
		return err_set(err, ERR_BAD_REQUEST,
			       cluster ? "one of resource or nonResourceURL must be specified"
				       : "at least one resource must be specified");
	if (words.n)
		r = read_targets(&ro, &words, err);
	if (r == 0)
		r = check_paths(&ro, err);
	d = make_object(&ro.m, kind, ro.m.name);
	if (r == 0)
		r = put_rules(&ro, d, err);
	return r == 0 ? make_end(&ro.m, kind, d, err) : r;
}

static int role_run(struct cmd_call *call, struct err *err)
{
	return role_make(call, &role_kind, err);
}

static int cluster_role_run(struct cmd_call *call, struct err *err)
{
	return role_make(call, &cluster_role_kind, err);
}

const struct cmd kubectl_create_role = {
	.path = "create role",
	.args = "NAME --verb=VERB --resource=RESOURCE [OPTIONS]",
	.help = "Create a role with one rule",
	.opts = role_opts,
	.opts_size = sizeof(struct role_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = role_run,
};

const struct cmd kubectl_create_clusterrole = {
	.path = "create clusterrole",
	.args = "NAME --verb=VERB --resource=RESOURCE|--non-resource-url=PATH [OPTIONS]",
	.help = "Create a cluster role",
	.opts = cluster_role_opts,
	.opts_size = sizeof(struct role_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = cluster_role_run,
};

/* ---- bindings ---- */

struct binding_opts {
	struct make_flags make;
	struct opt_list users, groups, accounts;
	const char *cluster_role, *role;
};
#define BINDING_ROWS                                                                          \
	MAKE_ROWS(struct binding_opts),                                                       \
		MAKE_OPT(struct binding_opts, STR, cluster_role, "clusterrole",               \
			 "The cluster role that is bound"),                                   \
		MAKE_OPT(struct binding_opts, LIST, groups, "group", "To a group; repeated"), \
		MAKE_OPT(struct binding_opts, LIST, accounts, "serviceaccount",               \
			 "To a service account, NAMESPACE:NAME; repeated"),                   \
		MAKE_OPT(struct binding_opts, LIST, users, "user", "To a user; repeated")

static const struct opt binding_opts[] = {
	BINDING_ROWS, MAKE_OPT(struct binding_opts, STR, role, "role", "The role that is bound"),
	OPT_END
};
static const struct opt cluster_binding_opts[] = { BINDING_ROWS, OPT_END };

static void add_subject(struct making *m, struct doc *list, const char *kind, const char *name,
			struct slice space)
{
	struct arena *a = m->k->arena;
	struct doc *s = doc_append_object(a, list);

	doc_set_str(a, s, "kind", kind);
	if (!space.n)
		doc_set_str(a, s, "apiGroup", RBAC);
	doc_set_str(a, s, "name", name);
	if (space.n)
		doc_set_strn(a, s, "namespace", space.p, space.n);
}

static int add_subjects(struct making *m, const struct binding_opts *o, struct doc *d,
			struct err *err)
{
	struct doc *list;

	if (!o->users.n && !o->groups.n && !o->accounts.n)
		return 0;
	list = doc_set_array(m->k->arena, d, "subjects");
	for (size_t i = 0; i < o->users.n; i++)
		add_subject(m, list, "User", o->users.v[i], (struct slice){ 0 });
	for (size_t i = 0; i < o->groups.n; i++)
		add_subject(m, list, "Group", o->groups.v[i], (struct slice){ 0 });
	for (size_t i = 0; i < o->accounts.n; i++) {
		struct slice name = slice_str(o->accounts.v[i]), space = slice_split(&name, ':');

		if (!space.n || !name.n || slice_has(name, ':'))
			return err_set(err, ERR_BAD_REQUEST,
				       "serviceaccount must be <namespace>:<name>");
		add_subject(m, list, "ServiceAccount", name.p, space);
	}
	return 0;
}

static int bind(struct making *m, const struct binding_opts *o, const struct make_kind *kind,
		struct err *err)
{
	struct arena *a = m->k->arena;
	struct doc *d = make_object(m, kind, m->name), *ref;
	bool cluster = o->cluster_role && *o->cluster_role;
	int r = add_subjects(m, o, d, err);

	if (r < 0)
		return r;
	ref = doc_set_object(a, d, "roleRef");
	doc_set_str(a, ref, "apiGroup", RBAC);
	doc_set_str(a, ref, "kind", cluster || !o->role ? "ClusterRole" : "Role");
	doc_set_str(a, ref, "name", cluster || !o->role ? o->cluster_role : o->role);
	return make_end(m, kind, d, err);
}

static int binding_run(struct cmd_call *call, struct err *err)
{
	const struct binding_opts *o = call->opts;
	struct making m;
	int r = make_begin(call, &o->make, &m, err);

	if (r == 0 && !(o->cluster_role && *o->cluster_role) == !(o->role && *o->role))
		return err_set(err, ERR_BAD_REQUEST,
			       "exactly one of clusterrole or role must be specified");
	return r == 0 ? bind(&m, o, &binding_kind, err) : r;
}

static int cluster_binding_run(struct cmd_call *call, struct err *err)
{
	const struct binding_opts *o = call->opts;
	struct making m;
	int r;

	if (!o->cluster_role)
		return make_required("\"clusterrole\"", err);
	r = make_begin(call, &o->make, &m, err);
	return r == 0 ? bind(&m, o, &cluster_binding_kind, err) : r;
}

const struct cmd kubectl_create_rolebinding = {
	.path = "create rolebinding",
	.args = "NAME --clusterrole=NAME|--role=NAME [OPTIONS]",
	.help = "Bind a role to users, groups and service accounts",
	.opts = binding_opts,
	.opts_size = sizeof(struct binding_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = binding_run,
};

const struct cmd kubectl_create_clusterrolebinding = {
	.path = "create clusterrolebinding",
	.args = "NAME --clusterrole=NAME [OPTIONS]",
	.help = "Bind a cluster role in all namespaces",
	.opts = cluster_binding_opts,
	.opts_size = sizeof(struct binding_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = cluster_binding_run,
};
