/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/authz.h"

#include "apiserver/status.h"
#include "base/err.h"
#include "base/str.h"

#include <string.h>

#define MASTERS "system:masters"
#define AUTHENTICATED "system:authenticated"

static const char *const all[] = { "*", NULL };
static const char *const get[] = { "get", NULL };
static const char *const create[] = { "create", NULL };
static const char *const health[] = { "/healthz",  "/livez",	 "/readyz",
				      "/version",  "/healthz/*", "/livez/*",
				      "/readyz/*", "/version/",	 NULL };
static const char *const discovery[] = { "/api",     "/api/*",	  "/apis",
					 "/apis/*",  "/openapi",  "/openapi/*",
					 "/version", "/version/", NULL };
static const char *const authentication[] = { "authentication.k8s.io", NULL };
static const char *const authorization[] = { "authorization.k8s.io", NULL };
static const char *const self_review[] = { "selfsubjectreviews", NULL };
static const char *const self_access[] = { "selfsubjectaccessreviews", "selfsubjectrulesreviews",
					   NULL };

static const struct {
	const char *member_of; /* NULL: everybody */
	struct authz_rule rule;
} rules[] = {
	{ MASTERS, { true, all, all, all, NULL } },
	{ MASTERS, { false, all, NULL, NULL, all } },
	{ NULL, { false, get, NULL, NULL, health } },
	{ AUTHENTICATED, { false, get, NULL, NULL, discovery } },
	{ AUTHENTICATED, { true, create, authentication, self_review, NULL } },
	{ AUTHENTICATED, { true, create, authorization, self_access, NULL } },
};

static bool is_member(const struct strategy_user *u, const char *group)
{
	return !group || (u->groups && str_is_one_of(group, u->groups));
}

static bool has(const char *const *list, const char *s)
{
	return str_is_one_of("*", list) || str_is_one_of(s, list);
}

/* "/api/" followed by a star: all below. */
static bool has_path(const char *const *list, const char *path)
{
	for (; *list; list++) {
		size_t n = strlen(*list);

		if (strcmp(*list, path) == 0 ||
		    ((*list)[n - 1] == '*' && strncmp(*list, path, n - 1) == 0))
			return true;
	}
	return false;
}

static bool holds(const struct authz_rule *r, const struct authz_attrs *at)
{
	if (r->resource_rule != at->resource_request)
		return false;
	if (!at->resource_request)
		return (has(r->verbs, at->verb) ||
			(strcmp(at->verb, "head") == 0 && has(r->verbs, "get"))) &&
		       has_path(r->paths, at->path);
	return has(r->verbs, at->verb) && has(r->groups, at->group) &&
	       (str_is_one_of("*", r->resources) || (!*at->sub && has(r->resources, at->resource)));
}

bool authz_allowed(const struct authz_attrs *at)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (is_member(at->user, rules[i].member_of) && holds(&rules[i].rule, at))
			return true;
	return false;
}

const struct authz_rule *authz_rule(const struct strategy_user *u, const char *ns, size_t i)
{
	(void)ns; /* none of these is of a namespace alone */
	for (size_t j = 0; j < ARRAY_LEN(rules); j++)
		if (is_member(u, rules[j].member_of) && i-- == 0)
			return &rules[j].rule;
	return NULL;
}

int authz_refuse(const struct authz_attrs *at, struct err *err, struct status_about *about)
{
	const char *slash = *at->sub ? "/" : "";

	if (!at->resource_request) {
		*about = (struct status_about){ .reason = STATUS_FORBIDDEN };
		return err_set(err, ERR_FORBIDDEN,
			       "forbidden: User \"%.256s\" cannot %s path \"%.400s\"",
			       at->user->name, at->verb, at->path);
	}
	about->group = at->group;
	about->resource = at->resource;
	if (*at->ns)
		return status_forbidden(err, about, at->name,
					"User \"%.256s\" cannot %s resource \"%.200s%s%.63s\" in "
					"API group \"%.100s\" in the namespace \"%.100s\"",
					at->user->name, at->verb, at->resource, slash, at->sub,
					at->group, at->ns);
	return status_forbidden(err, about, at->name,
				"User \"%.256s\" cannot %s resource \"%.200s%s%.63s\" in API group "
				"\"%.100s\" at the cluster scope",
				at->user->name, at->verb, at->resource, slash, at->sub, at->group);
}
