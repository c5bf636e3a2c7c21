/* SPDX-License-Identifier: Apache-2.0 */
/* Objects that are there, changed one by one: what rollout, set, taint and cordon share. */
#include "cli/kubectl/kubectl-change.h"

#include "base/arena.h"
#include "base/err.h"

int change_prepare(struct cmd_call *call, const struct change_opts *o, const char *by,
		   struct changing *ret, struct err *err)
{
	int r;

	ret->k = kubectl_of(call);
	ret->manager = o->manager ? o->manager : by;
	ret->local = o->local;
	r = kubectl_dry(o->dry, &ret->dry, err);
	if (r == 0 && o->local && ret->dry == DRY_SERVER)
		return kubectl_local_dry(err);
	return r == 0 ? kubectl_form_init(&o->form, ret->k, &ret->print, err) : r;
}

int change_items(struct cmd_call *call, const struct change_opts *o, unsigned flags,
		 struct kubectl_items *ret, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	bool lists = o->all || (o->selector && *o->selector);
	int r;

	if (o->local && call->nargs)
		return err_set(err, ERR_BAD_REQUEST,
			       "you must specify resources by --filename when --local is set.\n"
			       "Example resource specifications include:\n"
			       "   '-f rsrc.yaml'\n"
			       "   '--filename=rsrc.json'");
	if (!call->nargs && !o->files.names.n)
		return kubectl_nothing_given(err);
	if (o->local)
		return kubectl_read_local(k, &o->files, ret, err);
	r = kubectl_items(call, &o->files, flags | (lists ? KUBECTL_SELECTED : 0), ret, err);
	if (r == 0 && !o->files.names.n)
		r = kubectl_expand(k, o->selector, NULL, ret, err);
	return r;
}

/* Two words of a failure: ours, and the server's. */
static int explain(const struct changing *c, struct err *err)
{
	const struct doc *status = client_failure(c->k->client);
	const char *said = kubectl_text(c->k, status, "message");

	if (!status || !c->failed)
		return err_ret(err);
	return err_set(err, ERR_BAD_REQUEST, "%s %s", c->failed, said);
}

static int change_one(void *arg, const struct kubectl_item *it, struct err *err)
{
	struct changing *c = arg;
	struct kubectl_send get = { 0 };
	struct doc *before = it->obj, *after, patch, *got;
	struct kubectl_send s = { .method = "PATCH",
				  .manager = c->manager,
				  .dry_run = kubectl_dry_word(c->dry),
				  .body = &patch };
	int r = before && (c->local || !it->from) ? 0 : kubectl_send(c->k, it, &get, &before, err);

	if (r < 0)
		return r;
	after = doc_copy(c->k->arena, before);
	if (!after)
		return arena_quota(c->k->arena, err);
	r = c->fn(c->arg, it, after, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (arena_exceeded(c->k->arena))
		return arena_quota(c->k->arena, err);
	r = kubectl_change(c->k, it->res, before, after, &patch, &s.type, err);
	if (r < 0)
		return r;
	if (!patch.n && !c->same_too)
		return 0;
	got = after;
	if (c->local)
		change_fill(c->k, after);
	if (patch.n && !c->local && c->dry != DRY_CLIENT)
		r = kubectl_send(c->k, it, &s, &got, err);
	return r == 0 ? kubectl_done(&c->print, got, c->done, c->silent_dry ? DRY_NONE : c->dry,
				     err)
		      : explain(c, err);
}

int change_each(struct changing *c, const struct kubectl_items *items, struct err *err)
{
	return kubectl_each(c->k, items, change_one, c, err);
}

static void fill(struct arena *a, struct doc *obj, const char *member, struct doc value)
{
	if (doc_is(obj, DOC_OBJECT) && !doc_get(obj, member))
		doc_set(a, obj, member, value);
}

static void fill_pods(struct arena *a, struct doc *template, struct doc *spec)
{
	static const char *const lists[] = { "containers", "initContainers" };

	if (template)
		fill(a, template, "metadata", doc_object());
	fill(a, doc_get(template, "metadata"), "creationTimestamp", doc_null());
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		DOC_EACH (e, doc_get(spec, lists[i]))
			fill(a, e, "resources", doc_object());
}

/* Numbers of a status that Go's types always print. */
static void fill_status(struct arena *a, struct doc *obj)
{
	static const struct {
		const char *kind, *member;
	} rows[] = {
		{ "DaemonSet", "currentNumberScheduled" },
		{ "DaemonSet", "desiredNumberScheduled" },
		{ "DaemonSet", "numberMisscheduled" },
		{ "DaemonSet", "numberReady" },
		{ "StatefulSet", "availableReplicas" },
		{ "StatefulSet", "replicas" },
		{ "ReplicaSet", "replicas" },
		{ "ReplicationController", "replicas" },
	};
	struct doc *status;

	fill(a, obj, "status", doc_object());
	status = doc_get(obj, "status");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (doc_str_is(doc_get(obj, "kind"), rows[i].kind))
			fill(a, status, rows[i].member, doc_int(a, 0));
	if (!doc_str_is(doc_get(obj, "kind"), "Service"))
		return;
	fill(a, status, "loadBalancer", doc_object());
	DOC_EACH (e, doc_find(obj, "spec.ports"))
		fill(a, e, "targetPort", doc_int(a, 0));
}

void change_fill(struct kubectl *k, struct doc *obj)
{
	static const char *const strategies[][2] = { { "Deployment", "strategy" },
						     { "DaemonSet", "updateStrategy" },
						     { "StatefulSet", "updateStrategy" } };
	struct arena *a = k->arena;
	struct doc *spec = doc_get(obj, "spec"), *job = doc_get(spec, "jobTemplate");

	fill(a, doc_get(obj, "metadata"), "creationTimestamp", doc_null());
	if (!spec)
		return; /* bindings have none, and no status */
	if (job)
		fill(a, job, "metadata", doc_object());
	fill(a, doc_get(job, "metadata"), "creationTimestamp", doc_null());
	fill_pods(a, change_template(obj), change_pod_spec(obj));
	for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
		if (doc_str_is(doc_get(obj, "kind"), strategies[i][0]))
			fill(a, spec, strategies[i][1], doc_object());
	if (doc_str_is(doc_get(obj, "kind"), "StatefulSet"))
		fill(a, spec, "serviceName", doc_str(a, ""));
	fill_status(a, obj);
}

struct doc *change_template(const struct doc *obj)
{
	if (doc_str_is(doc_get(obj, "kind"), "CronJob"))
		return doc_find(obj, "spec.jobTemplate.spec.template");
	return doc_find(obj, "spec.template");
}

struct doc *change_pod_spec(const struct doc *obj)
{
	struct doc *spec = doc_str_is(doc_get(obj, "kind"), "Pod")
				   ? doc_get(obj, "spec")
				   : doc_get(change_template(obj), "spec");

	return doc_is(doc_get(spec, "containers"), DOC_ARRAY) ? spec : NULL;
}

struct doc *change_member(struct kubectl *k, struct doc *obj, const char *member)
{
	struct doc *m = doc_get(obj, member);

	return doc_is(m, DOC_OBJECT) ? m : doc_set_object(k->arena, obj, member);
}

const char *change_name(struct kubectl *k, const struct kubectl_item *it)
{
	return arena_printf(k->arena, "%s/%s", it->res->name, it->name);
}
