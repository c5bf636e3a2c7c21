/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subresources that are no view of their object: its Scale, the binding of a pod to a node, a pod's
 * eviction. (status, finalize, approval, ephemeralcontainers, resize are: rest-update.c,
 * rest-patch.c do them.)
 */
#include "apiserver/rest/rest-delete.h"

#include "api/check.h"
#include "apiserver/objects/columns.h"

#include <string.h>

/* ---- Scale ---- */

static void tell_scale(struct call *c, const struct collection *o, const struct doc *obj)
{
	const struct api_kind *k = custom_webhook(o->kind) ? c->resource->kind : o->kind;
	struct err err ERR_RAW;
	struct doc scale;

	err_clear(&err);
	if (!o->kind->custom)
		c->out.rows = columns_scale();
	if (scale_get(k, obj, call_work(c), &scale, &err) < 0)
		call_fail(c, &err);
	else
		call_doc(c, 200, &scale, api_type(c->srv->conf.api, "autoscaling/v1", "Scale"));
}

static void tell_scale_now(struct call *c, struct item *i, void *arg)
{
	const struct collection *o = arg;
	struct err err ERR_RAW;
	struct doc obj;

	err_clear(&err);
	if (codec_parse(i, call_work(c), &obj, &err) < 0)
		call_fail(c, &err);
	else
		tell_scale(c, o, &obj);
}

static void tell_scale_of(struct call *c, struct collection *o, struct item *i)
{
	call_converted(c, i, tell_scale_now, o);
}

static void answer_scale(struct change *x, struct item *i)
{
	if (i)
		tell_scale_of(x->c, x->o, i);
	else
		tell_scale(x->c, x->o, &x->obj);
}

static void get_scale(struct call *c)
{
	struct collection *o;
	struct item *i = call_find(c, &o);

	if (i)
		tell_scale_of(c, o, i);
}

static bool is_scale(const struct call *c)
{
	return c->sub && strcmp(c->rq.subresource, "scale") == 0;
}

void rest_scale_view(struct change *x)
{
	if (!is_scale(x->c))
		return;
	x->scale = true;
	x->type = api_type(x->c->srv->conf.api, "autoscaling/v1", "Scale");
	x->api_version = "autoscaling/v1";
	x->kind = "Scale";
	x->answer = answer_scale;
}

/* ---- what is posted to a pod ---- */

/* Success and no more. */
static void answer_created(struct change *x, struct item *i)
{
	struct doc d;

	(void)i;
	(void)status_success(NULL, 201, call_work(x->c), &d);
	call_doc(x->c, 201, &d, api_type(x->c->srv->conf.api, API_META, "Status"));
}

/* The body, whose kind is the subresource's own; its name is the pod's. */
static int read_for_pod(struct change *x, struct doc *ret, struct err *err)
{
	struct call *c = x->c;
	const char *name;
	int r = change_read(x, ret, err);

	if (r == 0)
		r = change_ns(x, change_meta(x, x->type, ret), err);
	if (r < 0)
		return r;
	name = doc_cstr(call_work(c), doc_find(ret, "metadata.name"));
	if (!*c->rq.name && name && *name)
		c->rq.name = arena_strdup(c->a, name);
	if (name && *name && strcmp(name, c->rq.name) != 0)
		return status_bad_request(err, &c->about,
					  "name in URL does not match name in %s object", x->kind);
	r = change_load(x, c->rq.name, err);
	if (r < 0)
		return r;
	return x->live ? 0 : status_not_found(err, &c->about, c->rq.name);
}

static void begin_strategy(struct change *x)
{
	change_strategy(x);
	x->sc.sub = x->c->sub->name; /* POST .../bindings has none in its path */
}

static int copy_old(struct change *x, struct err *err)
{
	struct doc *copy = doc_copy_shared(call_work(x->c), &x->old);

	if (!copy)
		return arena_quota(call_work(x->c), err);
	x->obj = *copy;
	return 0;
}

static int settle_binding(struct change *x, struct err *err)
{
	const struct api_kind *kind = api_kind(x->c->srv->conf.api, "v1", "Binding");
	int r = api_check(x->c->srv->conf.api, kind, "", &x->body, NULL, call_work(x->c), err);

	if (r == 0)
		r = copy_old(x, err);
	if (r < 0)
		return r;
	begin_strategy(x);
	r = binding_set(&x->sc, &x->obj, &x->body, err);
	return r < 0 ? r : change_admit(x, &x->old, err);
}

static int prepare_binding(struct change *x, struct err *err)
{
	int r = read_for_pod(x, &x->body, err);

	x->settle = settle_binding;
	if (r == 0)
		change_ask(x, HOOK_CREATE, true, "CreateOptions");
	return r;
}

struct eviction {
	struct delete_options opt;
};

static int read_eviction(struct change *x, struct err *err)
{
	const struct doc *options = doc_get(&x->body, "deleteOptions");
	struct eviction *e = x->arg;
	int r = delete_options_read(x->c, options ? options : &(struct doc){ .type = DOC_OBJECT },
				    &e->opt, err);

	if (r == 0)
		x->c->q.dry_run |= e->opt.dry_run;
	return r;
}

static int settle_eviction(struct change *x, struct err *err)
{
	struct eviction *e = x->arg;
	enum delete_outcome outcome;
	int r = read_eviction(x, err);

	if (r < 0)
		return r;
	begin_strategy(x);
	r = eviction_allow(&x->sc, &x->old, &x->body, err);
	if (r < 0) {
		x->c->about.retry_after = eviction_retry_after(err);
		return r;
	}
	r = delete_plan(x->c, x->o, x->live, &x->old, &e->opt, &x->obj, &outcome, err);
	if (r < 0)
		return r;
	x->allotted = x->sc.nmore;
	if (outcome == DELETE_PENDING)
		return 1;
	x->remove = outcome == DELETE_REMOVE;
	if (!x->remove)
		eviction_mark(&x->sc, &x->obj);
	return 0;
}

static int prepare_eviction(struct change *x, struct err *err)
{
	int r = read_for_pod(x, &x->body, err);

	if (r == 0)
		r = read_eviction(x, err);
	x->settle = settle_eviction;
	if (r == 0)
		change_ask(x, HOOK_CREATE, true, "CreateOptions");
	return r;
}

static void post_to_pod(struct call *c)
{
	bool evicts = strcmp(c->sub->name, "eviction") == 0;
	struct change *x = change_new(c, evicts ? prepare_eviction : prepare_binding);
	const struct api_sub *s = c->sub;
	const char *version =
		*s->group ? arena_printf(c->a, "%s/%s", s->group, s->version) : s->version;

	if (!x)
		return;
	x->kind = s->kind;
	x->api_version = version ? version : "";
	x->type = api_type(c->srv->conf.api, x->api_version, s->kind);
	x->answer = answer_created;
	x->arg = ARENA_NEW(c->a, struct eviction);
	if (x->arg && x->type)
		change_run(x);
	else
		change_broken(x);
}

/* POST .../bindings is that of the pod it names. */
static bool bindings(struct call *c)
{
	struct resource *pods;

	if (strcmp(c->resource->kind->kind, "Binding") != 0)
		return false;
	pods = resources_find(c->srv->conf.resources, "", "v1", "pods");
	if (!pods) /* switched off */
		return false;
	resource_unref(c->resource);
	c->resource = resource_ref(pods);
	c->out.resource = pods;
	c->about = status_about(pods->kind);
	c->sub = api_kind_sub(pods->kind, "binding");
	return true;
}

bool rest_sub(struct call *c)
{
	static const char *const posts[] = { "binding", "eviction", NULL };
	struct err err ERR_RAW;

	err_clear(&err);
	if (is_scale(c) && c->rq.verb == VERB_GET) {
		if (call_choose(c, c->resource->kind->custom ? CODEC_NO_SHAPE : 0, &err) < 0)
			call_fail(c, &err);
		else
			call_wait(c, 0, get_scale);
		return true;
	}
	if (!bindings(c) &&
	    !(c->sub && c->rq.verb == VERB_CREATE && str_is_one_of(c->sub->name, posts)))
		return false;
	if (call_choose(c, CODEC_NO_SHAPE, &err) < 0 || call_media(c, 0, &err) < 0)
		call_fail(c, &err);
	else
		call_body(c, post_to_pod);
	return true;
}
