/* SPDX-License-Identifier: Apache-2.0 */
/* PUT of a whole object, of its status or another part, or of its Scale. */
#include "apiserver/auth/authz.h"
#include "apiserver/rest/rest-write.h"

#include <string.h>

int rest_may_create(struct call *c, struct err *err)
{
	struct authz_attrs at;

	call_attrs(c, &at);
	at.verb = "create";
	return authz_allowed(c->srv->conf.authz, &at, NULL)
		       ? 0
		       : authz_refuse(&at, NULL, err, &c->about);
}

static int make(struct change *x, struct doc *view, struct err *err)
{
	struct call *c = x->c;
	const struct doc *uid = doc_find(view, "metadata.uid");
	int r;

	if (!(x->o->strategy->flags & STRATEGY_CREATE_ON_UPDATE) || *c->rq.subresource)
		return status_not_found(err, &c->about, c->rq.name);
	if (doc_slice(uid).n)
		return status_conflict(err, &c->about, c->rq.name,
				       "Precondition failed: UID in precondition: %.*s, UID in "
				       "object meta: ",
				       (int)MIN(doc_slice(uid).n, 64), doc_slice(uid).p);
	r = rest_may_create(c, err);
	return r < 0 ? r : change_create(x, view, err);
}

static int prepare(struct change *x, struct err *err)
{
	struct call *c = x->c;
	struct doc view;
	int r = change_read(x, &view, err);

	if (r == 0)
		r = change_names(x, &view, err);
	if (r == 0)
		r = change_load(x, c->rq.name, err);
	if (r < 0)
		return r;
	return x->live ? change_update(x, &view, true, err) : make(x, &view, err);
}

static void update(struct call *c)
{
	struct change *x = change_new(c, prepare);

	if (!x)
		return;
	rest_scale_view(x);
	change_run(x);
}

void rest_update(struct call *c)
{
	call_resource(c, update);
}
