/* SPDX-License-Identifier: Apache-2.0 */
/* Nobody gives away what they do not hold: writes to RBAC's own objects. */
#include "apiserver/auth/authz.h"
#include "apiserver/auth/rbac.h"
#include "apiserver/objects/status.h"
#include "apiserver/strategy/strategy-private.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <string.h>

#define GROUP "rbac.authorization.k8s.io"

struct guard {
	const struct authz *z;
	const struct strategy_user *u;
	const struct api_kind *kind;
	struct arena *a;
	struct status_about *about;
	struct err *err;
	const char *name, *ns;
};

static const char *text(struct arena *a, const struct doc *d)
{
	const char *s = doc_cstr(a, d);

	return s ? s : "";
}

static bool may(struct guard *g, const char *verb, const char *resource, const char *name)
{
	const struct authz_attrs at = { .user = g->u,
					.verb = verb,
					.resource_request = true,
					.group = GROUP,
					.version = "v1",
					.resource = resource,
					.sub = "",
					.name = name,
					.ns = g->ns,
					.path = "" };

	return authz_allowed(g->z, &at, NULL);
}

/* user "jo" (groups=["dev" "system:authenticated"]) */
static const char *who(struct guard *g)
{
	struct buf b = BUF_INIT(600);
	const char *s;

	(void)buf_addf(&b, "user \"%.200s\" (groups=[", g->u->name);
	for (size_t i = 0; g->u->groups && g->u->groups[i]; i++)
		(void)buf_addf(&b, "%s\"%.100s\"", i ? " " : "", g->u->groups[i]);
	(void)buf_adds(&b, "])");
	s = arena_strdup(g->a, buf_str(&b));
	buf_fini(&b);
	return s ? s : "";
}

static int covers(struct guard *g, const struct doc *rules)
{
	const char *missing = "";
	int r = rbac_covers(g->z->rbac, g->u, g->ns, rules, g->a, &missing, g->err);

	if (r <= 0)
		return r;
	return status_forbidden(g->err, g->about, g->name,
				"%s is attempting to grant RBAC permissions not currently "
				"held:\n%.400s",
				who(g), missing);
}

/* All of everything: what aggregation may gather is not known. */
static int needs_all(struct guard *g)
{
	const struct authz_attrs any = { .user = g->u,
					 .verb = "*",
					 .resource_request = true,
					 .group = "*",
					 .version = "*",
					 .resource = "*",
					 .sub = "",
					 .name = "",
					 .ns = "",
					 .path = "" };

	if (authz_allowed(g->z, &any, NULL))
		return 0;
	return status_forbidden(g->err, g->about, g->name,
				"must have cluster-admin privileges to use the aggregationRule");
}

/* What the garbage collector does to an object that shall go gives nothing away. */
static bool is_of_collector(struct guard *g, const struct doc *obj, const struct doc *old)
{
	static const char *const theirs[] = { "metadata.ownerReferences", "metadata.finalizers",
					      "metadata.managedFields",
					      "metadata.resourceVersion" };
	struct doc *now = doc_copy_shared(g->a, obj), *was = doc_copy_shared(g->a, old);

	for (size_t i = 0; now && was && i < ARRAY_LEN(theirs); i++) {
		(void)strategy_drop(now, theirs[i]);
		(void)strategy_drop(was, theirs[i]);
	}
	return now && was && doc_equal(now, was);
}

static int guard_role(struct guard *g, const struct doc *obj, const struct doc *old)
{
	int r;

	if (may(g, "escalate", g->kind->resource, g->name))
		return 0;
	r = covers(g, doc_get(obj, "rules"));
	if (r == 0 && (doc_get(obj, "aggregationRule") || doc_get(old, "aggregationRule")))
		r = needs_all(g);
	return r;
}

static int guard_binding(struct guard *g, const struct doc *obj)
{
	bool cluster = doc_str_is(doc_find(obj, "roleRef.kind"), "ClusterRole");
	const char *role = text(g->a, doc_find(obj, "roleRef.name"));
	const struct doc *rules;

	if (may(g, "bind", cluster ? "clusterroles" : "roles", role))
		return 0;
	rules = rbac_role_rules(g->z->rbac, cluster, g->ns, role, g->a);
	if (!rules) {
		g->about->group = GROUP;
		g->about->resource = cluster ? "clusterroles" : "roles";
		return status_not_found(g->err, g->about, role);
	}
	return covers(g, rules);
}

int authz_guard(const struct authz *z, const struct strategy_user *u, const struct api_kind *kind,
		const struct doc *obj, const struct doc *old, struct arena *a,
		struct status_about *about, struct err *err)
{
	struct guard g = { .z = z, .u = u, .kind = kind, .a = a, .about = about, .err = err };

	if (strcmp(kind->group->group, GROUP) != 0 || !z || !z->rbac || (!z->nsteps && z->always) ||
	    (u->groups && str_is_one_of("system:masters", u->groups)))
		return 0;
	g.name = text(a, doc_find(obj, "metadata.name"));
	g.ns = text(a, doc_find(obj, "metadata.namespace"));
	if (old && is_of_collector(&g, obj, old))
		return 0;
	if (strcmp(kind->resource, "roles") == 0 || strcmp(kind->resource, "clusterroles") == 0)
		return guard_role(&g, obj, old);
	return guard_binding(&g, obj);
}
