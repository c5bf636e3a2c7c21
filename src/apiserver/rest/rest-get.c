/* SPDX-License-Identifier: Apache-2.0 */
/* GET of one object, from the cache: no JSON is read, the item's bytes are the answer. */
#include "apiserver/rest/call.h"
#include "doc/doc.h"

#include <string.h>

static void answer(struct call *c)
{
	struct collection *o;
	struct item *i = call_find(c, &o);

	if (i)
		call_item(c, 200, i);
}

void rest_get(struct call *c)
{
	struct err err ERR_RAW;
	int64_t revision;

	err_clear(&err);
	if (call_choose(c, c->resource->kind->custom ? CODEC_NO_PROTO : 0, &err) < 0 ||
	    call_revision(c, c->q.resource_version, &revision, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	if (!c->resource->objects)
		rest_components(c);
	else if (revision == 0) /* any will do */
		answer(c);
	else
		call_wait(c, revision < 0 ? 0 : revision, answer);
}

/* ---- componentstatuses ---- */

struct component {
	const char *name, *error; /* error NULL: healthy */
};

/* The scheduler and the controllers tell of themselves by the lease that they hold. */
static const char *lease_error(struct call *c, const char *name)
{
	struct item *i = resources_get(c->srv->conf.resources, "coordination.k8s.io", "leases",
				       "kube-system", name);

	return i ? NULL : "no instance holds the lease";
}

static void component_doc(struct arena *a, struct doc *to, const struct component *x, bool head)
{
	struct doc *meta, *cond;

	if (head) {
		doc_set_str(a, to, "kind", "ComponentStatus");
		doc_set_str(a, to, "apiVersion", "v1");
	}
	meta = doc_set_object(a, to, "metadata");
	doc_set_str(a, meta, "name", x->name);
	cond = doc_append_object(a, doc_set_array(a, to, "conditions"));
	doc_set_str(a, cond, "type", "Healthy");
	doc_set_str(a, cond, "status", x->error ? "False" : "True");
	doc_set_str(a, cond, "message", x->error ? x->error : "ok");
}

void rest_components(struct call *c)
{
	const struct err *broken = world_error(c->srv->conf.world);
	const struct component v[] = {
		{ "controller-manager", lease_error(c, "kube-controller-manager") },
		{ "etcd-0", broken ? broken->msg : NULL },
		{ "scheduler", lease_error(c, "kube-scheduler") },
	};
	const struct api_kind *k = c->resource->kind;
	struct arena *a = call_work(c);
	struct doc d = doc_object(), *list;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(v) && c->rq.verb == VERB_GET; i++) {
		if (strcmp(v[i].name, c->rq.name) != 0)
			continue;
		component_doc(a, &d, &v[i], true);
		call_doc(c, 200, &d, k->type);
		return;
	}
	if (c->rq.verb == VERB_GET) {
		(void)status_not_found(&err, &c->about, c->rq.name);
		call_fail(c, &err);
		return;
	}
	doc_set_str(a, &d, "kind", k->list_kind);
	doc_set_str(a, &d, "apiVersion", "v1");
	doc_set_object(a, &d, "metadata");
	list = doc_set_array(a, &d, "items");
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		component_doc(a, doc_append_object(a, list), &v[i], false);
	call_doc(c, 200, &d, k->list);
}
