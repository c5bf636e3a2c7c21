/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' authorizer: a question is put together, and the caller's own authorizer is asked. */
#include "base/err.h"
#include "expr/cel-private.h"

struct question {
	const struct cel_authorizer *of;
	struct cel_check check;
};

struct cel_value cel_authorizer(const struct cel_authorizer *z, struct arena *a)
{
	struct question *q = ARENA_NEW(a, struct question);

	if (!q)
		return cel_null();
	q->of = z;
	return cel_opaque(CEL_T_AUTHORIZER, q);
}

struct cel_value cel_authorizer_resource(const struct cel_authorizer *z, const struct cel_check *c,
					 struct arena *a)
{
	struct question *q = ARENA_NEW(a, struct question);

	if (!q)
		return cel_null();
	*q = (struct question){ z, *c };
	q->check.on_resource = true;
	return cel_opaque(CEL_T_RESOURCE_CHECK, q);
}

/* A copy of a question, to which something is added. */
static struct question *more(struct cel_run *r, const struct cel_value *v, enum cel_kind kind,
			     struct cel_value *ret)
{
	struct question *q = ARENA_NEW(r->a, struct question);

	if (!q) {
		(void)cel_quota(r);
		return NULL;
	}
	*q = *(const struct question *)v->p;
	*ret = cel_opaque(kind, q);
	return q;
}

#define ADD(fn, made, code)                                                                 \
	static bool fn(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                   \
		struct question *q = more(r, v, made, ret);                                 \
		struct slice s = cel_slice(&v[1]);                                          \
		if (!q)                                                                     \
			return false;                                                       \
		code;                                                                       \
		return true;                                                                \
	}
#define FILLED(what)          \
	if (!slice_trim(s).n) \
	return cel_fail(r, what " must not be empty")
ADD(path, CEL_T_PATH_CHECK, FILLED("path"); q->check.path = s)
ADD(group, CEL_T_GROUP_CHECK, q->check.group = s)
ADD(service_account, CEL_T_AUTHORIZER, q->check.on_account = true; q->check.sa_namespace = s;
    q->check.sa_name = cel_slice(&v[2]))
ADD(resource, CEL_T_RESOURCE_CHECK, FILLED("resource"); q->check.resource = s;
    q->check.on_resource = true)
ADD(subresource, CEL_T_RESOURCE_CHECK, q->check.subresource = s)
ADD(in_namespace, CEL_T_RESOURCE_CHECK, q->check.ns = s)
ADD(name, CEL_T_RESOURCE_CHECK, q->check.name = s)
ADD(field_selector, CEL_T_RESOURCE_CHECK, q->check.field_selector = s)
ADD(label_selector, CEL_T_RESOURCE_CHECK, q->check.label_selector = s)

static bool check(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct question *q = v->p;
	struct cel_decision *d = ARENA_NEW(r->a, struct cel_decision);
	struct cel_check c = q->check;
	struct err err = ERR_INIT;

	if (!d)
		return cel_quota(r);
	c.verb = cel_slice(&v[1]);
	if (q->of->check(q->of->arg, &c, r->a, d, &err) < 0)
		return cel_fail(r, "%s", err.msg);
	*ret = cel_opaque(CEL_T_DECISION, d);
	return true;
}

#define DECISION(fn, value)                                                                 \
	static bool fn(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                   \
		const struct cel_decision *d = v->p;                                        \
		(void)r;                                                                    \
		*ret = value;                                                               \
		return true;                                                                \
	}
DECISION(allowed, cel_bool(d->allowed))
DECISION(errored, cel_bool(d->errored))
DECISION(reason, cel_string(d->reason))
DECISION(error, cel_string(d->error))

#define S CEL_TEXT
#define A (&cel_types[CEL_T_AUTHORIZER])
#define P (&cel_types[CEL_T_PATH_CHECK])
#define G (&cel_types[CEL_T_GROUP_CHECK])
#define R (&cel_types[CEL_T_RESOURCE_CHECK])
#define D (&cel_types[CEL_T_DECISION])

const struct cel_function cel_lib_authorizer[] = {
	CEL_M("path", path, P, ONE, A, S),
	CEL_M("group", group, G, ONE, A, S),
	CEL_M("serviceAccount", service_account, A, ONE, A, S, S),
	CEL_M("resource", resource, R, ONE, G, S),
	CEL_M("subresource", subresource, R, ONE, R, S),
	CEL_M("namespace", in_namespace, R, ONE, R, S),
	CEL_M("name", name, R, ONE, R, S),
	CEL_M("fieldSelector", field_selector, R, SELECTOR, R, S),
	CEL_M("labelSelector", label_selector, R, SELECTOR, R, S),
	CEL_M("check", check, D, CHECK, P, S),
	CEL_M("check", check, D, CHECK, R, S),
	CEL_M("allowed", allowed, CEL_BOOLEAN, ONE, D),
	CEL_M("errored", errored, CEL_BOOLEAN, ONE, D),
	CEL_M("reason", reason, S, ONE, D),
	CEL_M("error", error, S, ONE, D),
	CEL_END,
};
