/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of admission policies: which objects a binding hands over. */
#include "apiserver/rest/policy-run.h"

#include "apiserver/objects/codec.h"
#include "base/arena.h"

#include <string.h>

#define PARAMS_MAX 10000 /* of one binding */

int policy_param_kind(struct policy_call *c, const struct policy *p, struct resource **ret,
		      struct err *err)
{
	*ret = NULL;
	if (!p->param_kind)
		return 0;
	*ret = resources_kind(c->match.rs, p->param_version, p->param_kind);
	if (*ret && (*ret)->objects)
		return 0;
	return err_set(err, ERR_INVALID,
		       "failed to find resource referenced by paramKind: '%s%s, Kind=%s'",
		       strchr(p->param_version, '/') ? "" : "/", p->param_version, p->param_kind);
}

static int add(struct policy_call *c, const struct resource *of, const struct item *i,
	       struct policy_params *out, struct err *err)
{
	struct doc *shown = ARENA_NEW(c->a, struct doc);
	const struct doc *stored;

	if (!shown)
		return arena_quota(c->a, err);
	if (policy_call_doc(c, i, &stored, err) < 0 ||
	    codec_convert(of->objects->kind, of->kind, stored, c->a, shown, err) < 0)
		return err_ret(err);
	out->v[out->n++] = shown;
	return 0;
}

static int by_name(struct policy_call *c, const struct resource *of, const struct policy_binding *b,
		   const char *ns, struct policy_params *out, struct err *err)
{
	const struct item *i = resources_get(c->match.rs, of->kind->group->group,
					     of->kind->resource, ns, b->param_name);

	out->v = ARENA_ARRAY(c->a, const struct doc *, 1);
	if (!out->v)
		return arena_quota(c->a, err);
	return i ? add(c, of, i, out, err) : 0;
}

static int by_labels(struct policy_call *c, const struct resource *of,
		     const struct policy_binding *b, const char *ns, struct policy_params *out,
		     struct err *err)
{
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(of->objects->cache);
	const char *prefix = *ns ? arena_printf(c->a, "%s/", ns) : "";
	struct cache_iter it;
	struct item *i;
	size_t n = 0;

	if (!prefix)
		return arena_quota(c->a, err);
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while (!b->no_params && (i = cache_iter_next(&it)))
		n += item_match(i, &b->params, NULL);
	if (n > PARAMS_MAX)
		return err_set(err, ERR_TOO_LARGE, "paramRef selects %zu objects: more than %d", n,
			       PARAMS_MAX);
	out->v = ARENA_ARRAY(c->a, const struct doc *, n + 1);
	if (!out->v)
		return arena_quota(c->a, err);
	cache_iter_init(&it, view, slice_str(prefix), SLICE(""));
	while (n && (i = cache_iter_next(&it)))
		if (item_match(i, &b->params, NULL) && add(c, of, i, out, err) < 0)
			return err_ret(err);
	return 0;
}

static int select_params(struct policy_call *c, const struct resource *of,
			 const struct policy_binding *b, struct policy_params *out, struct err *err)
{
	const char *ns = *b->param_ns ? b->param_ns : c->k->ns;

	if (!of->objects->cache || !cache_ready(of->objects->cache))
		return err_set(err, ERR_UNAVAILABLE,
			       "paramKind kind `%s, Kind=%s` not yet synced to use for admission",
			       of->kind->group->api_version, of->kind->kind);
	if (of->kind->namespaced && !*ns)
		return err_set(err, ERR_INVALID,
			       "cannot use namespaced paramRef in policy binding that matches "
			       "cluster-scoped resources");
	if (!of->kind->namespaced && *b->param_ns)
		return err_set(err, ERR_INVALID,
			       "paramRef.namespace must not be provided for a cluster-scoped "
			       "`paramKind`");
	if (!of->kind->namespaced)
		ns = "";
	if (*b->param_name)
		return by_name(c, of, b, ns, out, err);
	return b->by_selector
		       ? by_labels(c, of, b, ns, out, err)
		       : err_set(err, ERR_INVALID, "one of name or selector must be provided");
}

int policy_params_get(struct policy_call *c, const struct policy *p, const struct policy_binding *b,
		      struct policy_params *ret, struct err *err)
{
	static const struct doc *const none[] = { NULL };
	struct policy_params out = { .n = 0 };
	struct resource *of;

	if (policy_param_kind(c, p, &of, err) < 0)
		return err_ret(err);
	if (!of || !b->has_ref) {
		out.v = (const struct doc **)(uintptr_t)none;
		out.n = 1;
		*ret = out;
		return 0;
	}
	if (select_params(c, of, b, &out, err) < 0)
		return err_ret(err);
	if (out.n == 0 && b->deny_missing)
		return err_set(err, ERR_INVALID,
			       "no params found for policy binding with `Deny` "
			       "parameterNotFoundAction");
	*ret = out;
	return 0;
}
