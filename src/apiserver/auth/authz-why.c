/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz-why.h"

#include "api/api.h"
#include "api/selector.h"
#include "apiserver/auth/authz-webhook.h"
#include "apiserver/auth/rbac-private.h"
#include "apiserver/objects/resource.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "io/stream.h"
#include "io/url.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX (16u << 20)
#define GROUPS_MAX 64
#define NEAREST_MAX 8
#define ROLES_MAX 8u
#define ROLES_LOOKED_AT 4096
#define WHY_MAX 1024
#define ANSWER_MAX (1u << 20)

struct giving { /* a role that would allow it */
	const char *name;
	bool cluster;
};

struct why {
	const struct authz *z;
	const struct resources *rs;
	struct stream *s;
	struct arena *a;
	struct authz_memo memo;
	struct authz_wait wait;
	struct strategy_user user;
	struct authz_attrs at;
	struct selector fields;
	struct doc *answer, *nearest;
	struct giving *roles;
	size_t nnearest, nroles;
};

static void why_free(struct why *y)
{
	stream_unref(y->s);
	arena_free(y->a);
	free(y);
}
DEFINE_CLEANUP(struct why *, why_free)

/* ---- the question ---- */

static void add_group(struct why *y, const char **v, size_t *n, const char *group)
{
	if (group && *n < GROUPS_MAX && !str_is_one_of(group, v))
		v[(*n)++] = group;
	y->user.groups = v;
}

/* Those that who has such a name is given when they come. */
static void add_groups(struct why *y, const char **v, size_t *n)
{
	static const char account[] = "system:serviceaccount:";
	const char *name = y->user.name, *rest;

	if (strcmp(name, "system:anonymous") == 0) {
		add_group(y, v, n, "system:unauthenticated");
		return;
	}
	if (strncmp(name, account, strlen(account)) == 0) {
		rest = name + strlen(account);
		add_group(y, v, n, "system:serviceaccounts");
		add_group(y, v, n,
			  arena_printf(y->a, "system:serviceaccounts:%.*s", (int)strcspn(rest, ":"),
				       rest));
	}
	if (strncmp(name, "system:node:", 12) == 0)
		add_group(y, v, n, "system:nodes");
	add_group(y, v, n, "system:authenticated");
}

struct finding {
	struct slice name, group;
	bool any_group;
	const struct api_kind *found;
};

static bool is_called(const struct api_kind *k, struct slice name)
{
	for (size_t i = 0; k->short_names && k->short_names[i]; i++)
		if (slice_is(name, k->short_names[i]))
			return true;
	return slice_is(name, k->resource) || (k->singular && slice_is(name, k->singular));
}

/* Of several groups the one that is first by name: core before all. */
static int match_kind(void *arg, struct resource *r)
{
	struct finding *f = arg;
	const struct api_kind *k = r->kind;

	if (is_called(k, f->name) && (f->any_group || slice_is(f->group, k->group->group)) &&
	    (!f->found || strcmp(k->group->group, f->found->group->group) < 0))
		f->found = k;
	return 0;
}

/* "deploy", "deployments.apps", "pods/log": what is not served is asked as it was said. */
static int read_resource(struct why *y, const char *text, struct err *err)
{
	struct slice rest = slice_str(text), name = slice_split(&rest, '/'), group = name;
	struct finding f = { 0 };

	y->at.sub = rest.n ? arena_strndup(y->a, rest.p, rest.n) : "";
	f.name = slice_split(&group, '.');
	f.group = group.p ? group : SLICE("");
	f.any_group = !group.p;
	(void)resources_each(y->rs, match_kind, &f);
	y->at.resource = f.found ? f.found->resource : arena_strndup(y->a, f.name.p, f.name.n);
	y->at.group = f.found ? f.found->group->group : arena_strndup(y->a, f.group.p, f.group.n);
	y->at.version = f.found ? f.found->group->version : "*";
	if (f.found && !f.found->namespaced)
		y->at.ns = "";
	return y->at.sub && y->at.resource && y->at.group ? 0 : arena_quota(y->a, err);
}

static int read_query(struct why *y, struct err *err)
{
	const char **v = ARENA_ARRAY(y->a, const char *, GROUPS_MAX + 1);
	const char *text, *group;
	struct query q;
	size_t n = 0;

	if (!v)
		return arena_quota(y->a, err);
	if (query_parse(y->a, stream_request(y->s)->query, &q, err) < 0)
		return err_ret(err);
#define GET(name) (query_get(&q, name) ? query_get(&q, name) : "")
	y->user = (struct strategy_user){ .name = GET("user"), .uid = "", .memo = &y->memo };
	for (size_t i = 0; (group = query_nth(&q, "group", i)); i++)
		add_group(y, v, &n, group);
	add_groups(y, v, &n);
	text = GET("resource");
	y->at = (struct authz_attrs){ .user = &y->user,
				      .verb = GET("verb"),
				      .resource_request = *text != '/',
				      .group = "",
				      .version = "",
				      .resource = "",
				      .sub = "",
				      .name = GET("name"),
				      .ns = GET("namespace"),
				      .path = text,
				      .fields = &y->fields };
	if (!*y->user.name || !*y->at.verb || !*text)
		return err_set(err, ERR_BAD_REQUEST, "user, verb and resource are needed");
	if (selector_fields(slice_str(GET("field")), y->a, &y->fields, err) < 0)
		return err_ret(err);
#undef GET
	return y->at.resource_request ? read_resource(y, text, err) : 0;
}

/* ---- what says so ---- */

static void put_list(struct arena *a, struct doc *to, const char *key, const char *const *v)
{
	struct doc *list = v ? doc_set_array(a, to, key) : NULL;

	for (; v && *v; v++)
		doc_append_str(a, list, *v);
}

static void put_rule(struct arena *a, struct doc *to, const struct rbac_rule *rule)
{
	struct doc *d = doc_set_object(a, to, "rule");

	put_list(a, d, "verbs", rule->verbs);
	put_list(a, d, "apiGroups", rule->groups);
	put_list(a, d, "resources", rule->resources);
	put_list(a, d, "resourceNames", rule->names);
	put_list(a, d, "nonResourceURLs", rule->paths);
}

/* The first of the steps that says yes or no. 1: one has yet to be asked. */
static int ask_steps(struct why *y, bool *ret)
{
	struct doc *list = doc_set_array(y->a, y->answer, "authorizers");
	struct rbac_reason by;

	*ret = false;
	for (size_t i = 0; i < y->z->nsteps; i++) {
		static const char *const words[] = { "no opinion", "yes", "no" };
		CLEANUP(buf_fini) struct buf why = BUF_INIT(WHY_MAX);
		const struct authz_step *s = &y->z->steps[i];
		enum authz_opinion o;
		struct doc *d;

		if (authz_step_look(s, &y->at, &why, &o))
			return 1;
		d = doc_append_object(y->a, list);
		doc_set_str(y->a, d, "type", authz_mode_name(s->mode));
		doc_set_str(y->a, d, "says", words[o]);
		if (y->memo.step_failed && !why.n)
			(void)buf_adds(&why, y->memo.step_failed);
		if (why.n)
			doc_set_str(y->a, d, "reason", buf_str(&why));
		if (o == AUTHZ_NO_OPINION)
			continue;
		doc_set_str(y->a, y->answer, "decided", authz_mode_name(s->mode));
		doc_set_str(y->a, y->answer, "reason", why.n ? buf_str(&why) : "");
		if (s->mode == AUTHZ_RBAC && rbac_allows(s->rbac, &y->at, &by))
			put_rule(y->a, y->answer, by.rule);
		*ret = o == AUTHZ_ALLOW;
		return 0;
	}
	return 0;
}

/* ---- what is missing ---- */

/* The one thing that a rule lacks; NULL: more than one, or nothing. */
static const char *lack(const struct rbac_rule *rule, const struct authz_attrs *at)
{
	const struct {
		const char *what;
		bool has;
	} parts[] = {
		{ "verb", rbac_list_has(rule->verbs, at->verb) },
		{ "resource", at->resource_request ? rbac_list_has(rule->groups, at->group) &&
							     rbac_resource_in(rule->resources,
									      at->resource, at->sub)
						   : rbac_path_in(rule->paths, at->path) },
		{ "name",
		  !at->resource_request || !rule->names || str_is_one_of(at->name, rule->names) },
	};
	const char *what = NULL;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].has)
			continue;
		if (what)
			return NULL;
		what = parts[i].what;
	}
	return what;
}

static int near_miss(void *arg, const struct rbac_reason *by)
{
	struct why *y = arg;
	const char *lacks = lack(by->rule, &y->at);
	struct doc *d;

	if (!lacks || y->nnearest == NEAREST_MAX)
		return 0;
	y->nnearest++;
	d = doc_append_object(y->a, y->nearest);
	doc_set_str(y->a, d, "lacks", lacks);
	doc_set_strf(y->a, d, "by", "%s \"%s%s%s\" of %s \"%s\" to %s \"%s\"",
		     by->cluster ? "ClusterRoleBinding" : "RoleBinding", by->ns, *by->ns ? "/" : "",
		     by->binding, by->cluster_role ? "ClusterRole" : "Role", by->role,
		     by->subject_kind, by->subject);
	put_rule(y->a, d, by->rule);
	return 0;
}

/* A role that can be bound where the question is. */
static int giving_role(void *arg, struct slice ns, const char *name, const struct rbac_rule *rule)
{
	struct why *y = arg;
	struct giving *v = y->roles;

	if (!v || y->nroles == ROLES_LOOKED_AT)
		return -1;
	if ((ns.n && !slice_is(ns, y->at.ns)) || !rbac_rule_allows(rule, &y->at))
		return 0;
	if (!y->nroles || v[y->nroles - 1].name != name) /* else it is another rule of it */
		v[y->nroles++] = (struct giving){ name, ns.n == 0 };
	return 0;
}

/* Those that people bind come before the system's own. */
static int compare_roles(const void *va, const void *vb)
{
	const struct giving *a = va, *b = vb;
	const bool ours = strncmp(a->name, "system:", 7) == 0;
	const bool theirs = strncmp(b->name, "system:", 7) == 0;

	return ours != theirs ? (int)ours - (int)theirs : strcmp(a->name, b->name);
}

static void tell_roles(struct why *y)
{
	struct doc *list = doc_set_array(y->a, y->answer, "roles");

	y->roles = ARENA_ARRAY(y->a, struct giving, ROLES_LOOKED_AT);
	y->nroles = 0;
	if (!y->roles)
		return; /* the arena is full: told by reply */
	(void)rbac_each_role(y->z->rbac, giving_role, y);
	if (y->nroles)
		qsort(y->roles, y->nroles, sizeof(y->roles[0]), compare_roles);
	for (size_t i = 0; y->roles && i < MIN(y->nroles, ROLES_MAX); i++)
		doc_append_str(y->a, list,
			       arena_printf(y->a, "%s \"%s\"",
					    y->roles[i].cluster ? "ClusterRole" : "Role",
					    y->roles[i].name));
}

static void tell_missing(struct why *y)
{
	struct doc nearest = doc_array();

	if (!y->z->rbac)
		return;
	y->nearest = &nearest;
	(void)rbac_each_grant(y->z->rbac, &y->user, y->at.resource_request ? y->at.ns : "",
			      near_miss, y);
	doc_set(y->a, y->answer, "nearest", nearest);
	tell_roles(y);
}

/* ---- the answer ---- */

static void print_question(struct why *y)
{
	const struct authz_attrs *at = &y->at;

	if (!at->resource_request)
		doc_set_strf(y->a, y->answer, "question", "%s %s %s", y->user.name, at->verb,
			     at->path);
	else
		doc_set_strf(y->a, y->answer, "question", "%s %s %s%s%s%s%s%s%s%s", y->user.name,
			     at->verb, at->resource, *at->group ? "." : "", at->group,
			     *at->sub ? "/" : "", at->sub, *at->name ? " " : "", at->name,
			     *at->ns ? arena_printf(y->a, " in the namespace %s", at->ns)
				     : " in the whole cluster");
}

static void reply_err(struct why *y, const struct err *err)
{
	(void)stream_replyf(y->s, err->code == ERR_BAD_REQUEST ? 400 : 500, "text/plain", "%s\n",
			    err->msg);
}

static void reply(struct why *y)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(ANSWER_MAX);
	struct err err = ERR_INIT;

	if (arena_exceeded(y->a) ? arena_quota(y->a, &err) < 0
				 : json_write(y->answer, NULL, &b, &err) < 0)
		reply_err(y, &err);
	else
		(void)stream_reply(y->s, 200, "application/json", b.p, b.n);
}

static void ask(struct why *y);

static void on_asked(struct authz_wait *w)
{
	ask(CONTAINER_OF(w, struct why, wait));
}

static void ask(struct why *y_taken)
{
	CLEANUP(why_free) struct why *y = y_taken;
	bool may = authz_is_fixed(y->z, &y->at);

	y->answer = doc_new_object(y->a);
	y->nnearest = 0;
	print_question(y);
	if (may) {
		doc_set_str(y->a, y->answer, "decided", "always");
		doc_set_str(y->a, y->answer, "reason",
			    "members of system:masters may do everything, and everybody may ask "
			    "whether the server is well");
	} else if (ask_steps(y, &may) == 1) {
		y->wait.done = on_asked;
		authz_wait(&STEAL(y)->wait, &y_taken->memo);
		return;
	}
	doc_set_bool(y->a, y->answer, "allowed", may);
	if (!may)
		tell_missing(y);
	reply(y);
}

void authz_why_serve(const struct authz *z, const struct resources *rs, struct stream *s)
{
	CLEANUP(why_free) struct why *y = calloc(1, sizeof(*y));
	struct err err = ERR_INIT;

	if (!y)
		abort();
	y->z = z;
	y->rs = rs;
	y->s = stream_ref(s);
	y->a = arena_new("why", MEMORY_MAX);
	y->memo.a = y->a;
	if (read_query(y, &err) < 0)
		reply_err(y, &err);
	else
		ask(STEAL(y));
}
