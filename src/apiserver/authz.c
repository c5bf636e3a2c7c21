/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/authz.h"

#include "apiserver/rbac.h"
#include "apiserver/status.h"
#include "base/err.h"
#include "base/str.h"

#include <string.h>

#define MASTERS "system:masters"
#define AUTHENTICATED "system:authenticated"

static const char *const all[] = { "*", NULL };
static const char *const get[] = { "get", "head", NULL };
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

/* Masters' rules come first; the others hold where RBAC is not asked. */
#define MASTER_RULES 2
static const struct {
	const char *member_of; /* NULL: everybody */
	struct rbac_rule rule;
} rules[] = {
	{ MASTERS, { .verbs = all, .groups = all, .resources = all } },
	{ MASTERS, { .verbs = all, .paths = all } },
	{ NULL, { .verbs = get, .paths = health } },
	{ AUTHENTICATED, { .verbs = get, .paths = discovery } },
	{ AUTHENTICATED, { .verbs = create, .groups = authentication, .resources = self_review } },
	{ AUTHENTICATED, { .verbs = create, .groups = authorization, .resources = self_access } },
};

static bool is_member(const struct strategy_user *u, const char *group)
{
	return !group || (u->groups && str_is_one_of(group, u->groups));
}

static size_t fixed_rules(const struct authz *z)
{
	return z && z->rbac ? MASTER_RULES : ARRAY_LEN(rules);
}

bool authz_allowed(const struct authz *z, const struct authz_attrs *at, struct buf *why)
{
	struct rbac_reason reason;
	struct authz_attrs as_get = *at;

	/* Rules of paths name "get" for both. */
	if (!at->resource_request && strcmp(at->verb, "head") == 0)
		as_get.verb = "get";
	if (z && z->always)
		return true;
	for (size_t i = 0; i < fixed_rules(z); i++)
		if (is_member(at->user, rules[i].member_of) &&
		    rbac_rule_allows(&rules[i].rule, &as_get))
			return true;
	if (!z || !z->rbac ||
	    (!rbac_allows(z->rbac, at, &reason) && !rbac_allows(z->rbac, &as_get, &reason)))
		return false;
	if (why)
		(void)rbac_print_reason(&reason, why); /* a long one is cut */
	return true;
}

int authz_each_rule(const struct authz *z, const struct strategy_user *u, const char *ns,
		    int (*each)(void *arg, const struct rbac_rule *rule), void *arg)
{
	size_t n = z && z->always ? MASTER_RULES : fixed_rules(z);
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		if ((z && z->always) || is_member(u, rules[i].member_of))
			r = each(arg, &rules[i].rule);
	return r < 0 || !z || !z->rbac ? r : rbac_each_rule(z->rbac, u, ns, each, arg);
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
