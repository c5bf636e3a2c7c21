/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/authz.h"

#include "apiserver/auth/abac.h"
#include "apiserver/auth/authz-node.h"
#include "apiserver/auth/authz-webhook.h"
#include "apiserver/auth/node-graph.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/objects/status.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "io/metrics.h"

#include <string.h>

#define MASTERS "system:masters"
#define AUTHENTICATED "system:authenticated"
#define WHY_MAX 1024

static const char *const all[] = { "*", NULL };
static const char *const get[] = { "get", "head", NULL };
static const char *const create[] = { "create", NULL };
static const char *const health[] = { "/healthz", "/livez", "/readyz", NULL };
static const char *const looks[] = { "/version", "/version/", "/healthz/*",
				     "/livez/*", "/readyz/*", NULL };
static const char *const discovery[] = { "/api",     "/api/*",	  "/apis",
					 "/apis/*",  "/openapi",  "/openapi/*",
					 "/version", "/version/", NULL };
static const char *const authentication[] = { "authentication.k8s.io", NULL };
static const char *const authorization[] = { "authorization.k8s.io", NULL };
static const char *const self_review[] = { "selfsubjectreviews", NULL };
static const char *const self_access[] = { "selfsubjectaccessreviews", "selfsubjectrulesreviews",
					   NULL };

/* Those of masters and of health hold always: who probes does not wait for a webhook. The others
 * hold where nobody is asked. */
#define ALWAYS_RULES 3
static const struct {
	const char *member_of; /* NULL: everybody */
	struct rbac_rule rule;
} rules[] = {
	{ MASTERS, { .verbs = all, .groups = all, .resources = all } },
	{ MASTERS, { .verbs = all, .paths = all } },
	{ NULL, { .verbs = get, .paths = health } },
	{ NULL, { .verbs = get, .paths = looks } },
	{ AUTHENTICATED, { .verbs = get, .paths = discovery } },
	{ AUTHENTICATED, { .verbs = create, .groups = authentication, .resources = self_review } },
	{ AUTHENTICATED, { .verbs = create, .groups = authorization, .resources = self_access } },
};

static bool is_member(const struct strategy_user *u, const char *group)
{
	return !group || (u->groups && str_is_one_of(group, u->groups));
}

static bool asks_rbac(const struct authz *z)
{
	for (size_t i = 0; i < z->nsteps; i++)
		if (z->steps[i].mode == AUTHZ_RBAC)
			return true;
	return !z->nsteps && z->rbac;
}

static size_t fixed_rules(const struct authz *z)
{
	if (!z || (!z->nsteps && !z->rbac))
		return ARRAY_LEN(rules);
	return ALWAYS_RULES;
}

/* ---- one authorizer ---- */

static enum authz_opinion ask_rbac(const struct rbac *rbac, const struct authz_attrs *at,
				   const struct authz_attrs *getting, struct buf *why)
{
	struct rbac_reason reason;

	if (!rbac_allows(rbac, at, &reason) &&
	    (at == getting || !rbac_allows(rbac, getting, &reason)))
		return AUTHZ_NO_OPINION;
	if (why)
		(void)rbac_print_reason(&reason, why);
	return AUTHZ_ALLOW;
}

static enum authz_opinion ask(const struct authz_step *s, const struct authz_attrs *at,
			      const struct authz_attrs *getting, struct buf *why)
{
	switch (s->mode) {
	case AUTHZ_ALWAYS_ALLOW: return AUTHZ_ALLOW;
	case AUTHZ_ALWAYS_DENY: return AUTHZ_NO_OPINION;
	case AUTHZ_NODE:
		return authz_node_allows(s->node, at, why) ? AUTHZ_ALLOW : AUTHZ_NO_OPINION;
	case AUTHZ_RBAC: return ask_rbac(s->rbac, at, getting, why);
	case AUTHZ_ABAC: return abac_allows(s->abac, at, why) ? AUTHZ_ALLOW : AUTHZ_NO_OPINION;
	case AUTHZ_WEBHOOK: break; /* is asked otherwise */
	}
	return AUTHZ_DENY;
}

static void cut(struct buf *b, size_t n)
{
	b->n = n;
	if (b->p)
		b->p[n] = '\0';
}

/* Failures of several, as upstream's aggregates print: "[a, b]", each once. */
static void fail_too(struct authz_memo *m, unsigned *n)
{
	const char *more = m->step_failed;

	if (!more || (m->failed && strstr(m->failed, more)))
		return;
	if (!m->failed)
		m->failed = more;
	else if (*n == 1)
		m->failed = arena_printf(m->a, "[%s, %s]", m->failed, more);
	else
		m->failed = arena_printf(m->a, "%.*s, %s]", (int)strlen(m->failed) - 1, m->failed,
					 more);
	++*n;
}

/* What several have to say is told in lines; who allows is told alone. */
static enum authz_opinion ask_all(const struct authz *z, const struct authz_attrs *at,
				  struct buf *why)
{
	const size_t begin = why ? why->n : 0;
	struct authz_memo *m = at->user->memo;
	unsigned failures = 0;

	for (size_t i = 0; i < z->nsteps; i++) {
		CLEANUP(buf_fini) struct buf one = BUF_INIT(WHY_MAX);
		const struct authz_step *s = &z->steps[i];
		enum authz_opinion o;

		if (authz_step_look(s, at, why ? &one : NULL, &o))
			return AUTHZ_NO_OPINION; /* it is yet to be said */
		if (m && o != AUTHZ_NO_OPINION) {
			m->failed = m->step_failed;
			m->denied = o == AUTHZ_DENY;
		} else if (m) {
			fail_too(m, &failures);
		}
		if (why && one.n) {
			if (o == AUTHZ_ALLOW)
				cut(why, begin);
			if (why->n > begin)
				(void)buf_addc(why, '\n');
			(void)buf_add(why, one.p, one.n);
		} else if (why && o == AUTHZ_ALLOW) {
			cut(why, begin);
		}
		if (o == AUTHZ_NO_OPINION)
			continue;
		if (s->decided[o == AUTHZ_ALLOW])
			metric_inc(s->decided[o == AUTHZ_ALLOW]);
		return o;
	}
	return AUTHZ_NO_OPINION;
}

/* Rules of paths name "get" for both. */
static const struct authz_attrs *as_get(const struct authz_attrs *at, struct authz_attrs *room)
{
	if (at->resource_request || strcmp(at->verb, "head") != 0)
		return at;
	*room = *at;
	room->verb = "get";
	return room;
}

bool authz_step_look(const struct authz_step *s, const struct authz_attrs *at, struct buf *why,
		     enum authz_opinion *ret)
{
	struct authz_attrs room;

	if (at->user->memo)
		at->user->memo->step_failed = NULL;
	if (s->mode == AUTHZ_WEBHOOK)
		return authz_webhook_look(s->webhook, at, why, ret);
	*ret = ask(s, at, as_get(at, &room), why);
	return false;
}

bool authz_is_fixed(const struct authz *z, const struct authz_attrs *at)
{
	struct authz_attrs room;

	at = as_get(at, &room);
	for (size_t i = 0; i < fixed_rules(z); i++)
		if (is_member(at->user, rules[i].member_of) && rbac_rule_allows(&rules[i].rule, at))
			return true;
	return false;
}

bool authz_allowed(const struct authz *z, const struct authz_attrs *at, struct buf *why)
{
	struct authz_attrs room;

	if (at->user->memo) {
		at->user->memo->failed = NULL;
		at->user->memo->denied = false;
	}
	if (authz_is_fixed(z, at))
		return true;
	if (!z)
		return false;
	if (z->nsteps)
		return ask_all(z, at, why) == AUTHZ_ALLOW;
	return z->always ||
	       (z->rbac && ask_rbac(z->rbac, at, as_get(at, &room), why) == AUTHZ_ALLOW);
}

static bool allows_all(const struct authz *z)
{
	for (size_t i = 0; z && i < z->nsteps; i++)
		if (z->steps[i].mode == AUTHZ_ALWAYS_ALLOW)
			return true;
	return z && !z->nsteps && z->always;
}

int authz_each_rule(const struct authz *z, const struct strategy_user *u, const char *ns,
		    int (*each)(void *arg, const struct rbac_rule *rule), void *arg)
{
	const bool any = allows_all(z);
	size_t n = any ? ALWAYS_RULES : fixed_rules(z);
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		if (any || is_member(u, rules[i].member_of))
			r = each(arg, &rules[i].rule);
	if (r >= 0 && z && asks_rbac(z))
		r = rbac_each_rule(z->rbac, u, ns, each, arg);
	for (size_t i = 0; r >= 0 && z && i < z->nsteps; i++)
		if (z->steps[i].mode == AUTHZ_ABAC)
			r = abac_each_rule(z->steps[i].abac, u, ns, each, arg);
	return r;
}

bool authz_tells_all(const struct authz *z, const struct strategy_user *u)
{
	for (size_t i = 0; z && i < z->nsteps; i++)
		if (z->steps[i].mode == AUTHZ_WEBHOOK ||
		    (z->steps[i].mode == AUTHZ_NODE && node_of_user(u)))
			return false;
	return true;
}

int authz_refuse(const struct authz_attrs *at, const struct buf *why, struct err *err,
		 struct status_about *about)
{
	const char *slash = *at->sub ? "/" : "", *reason = why && why->n ? buf_str(why) : "";
	const char *colon = *reason ? ": " : "";

	if (!at->resource_request) {
		*about = (struct status_about){ .reason = STATUS_FORBIDDEN };
		return err_set(err, ERR_FORBIDDEN,
			       "forbidden: User \"%.256s\" cannot %s path \"%.400s\"%s%.300s",
			       at->user->name, at->verb, at->path, colon, reason);
	}
	about->group = at->group;
	about->resource = at->resource;
	if (*at->ns)
		return status_forbidden(err, about, at->name,
					"User \"%.256s\" cannot %s resource \"%.200s%s%.63s\" in "
					"API group \"%.100s\" in the namespace \"%.100s\"%s%.300s",
					at->user->name, at->verb, at->resource, slash, at->sub,
					at->group, at->ns, colon, reason);
	return status_forbidden(err, about, at->name,
				"User \"%.256s\" cannot %s resource \"%.200s%s%.63s\" in API group "
				"\"%.100s\" at the cluster scope%s%.300s",
				at->user->name, at->verb, at->resource, slash, at->sub, at->group,
				colon, reason);
}
