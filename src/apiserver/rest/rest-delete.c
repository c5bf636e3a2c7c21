/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of one object: upstream's order of grace, finalizers and removal. */
#include "apiserver/rest/rest-delete.h"

#include "api/check.h"
#include "api/defaults.h"
#include "apiserver/admission/admission.h"
#include "base/clock.h"

#include <string.h>

#define ORPHAN "orphan"
#define FOREGROUND "foregroundDeletion"
#define CRD_CLEANUP "customresourcecleanup.apiextensions.k8s.io"

/* ---- options ---- */

static const char *text_of(struct call *c, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(call_work(c), doc_find(d, path));

	return s ? s : "";
}

static int refuse(struct call *c, const char *field, const char *reason, const char *detail,
		  struct err *err)
{
	struct cause *cause = ARENA_NEW(c->a, struct cause);

	if (!cause || !detail)
		return arena_quota(c->a, err);
	*cause = (struct cause){ .field = field, .reason = reason, .detail = detail };
	c->about = (struct status_about){ .group = "meta.k8s.io", .kind = "DeleteOptions" };
	(void)err_set(err, ERR_INVALID, "DeleteOptions.meta.k8s.io \"\" is invalid: %s: %s", field,
		      detail);
	err->causes = cause;
	return -ERR_INVALID;
}

static int check_options(struct call *c, const struct delete_options *o, struct err *err)
{
	static const char *const known[] = { "", "Foreground", "Background", "Orphan", NULL };

	if (o->orphan >= 0 && *o->propagation)
		return refuse(c, "propagationPolicy", "FieldValueInvalid",
			      arena_printf(c->a,
					   "Invalid value: \"%s\": orphanDependents and "
					   "deletionPropagation cannot be both set",
					   o->propagation),
			      err);
	if (!str_is_one_of(o->propagation, known))
		return refuse(c, "propagationPolicy", "FieldValueNotSupported",
			      arena_printf(c->a,
					   "Unsupported value: \"%.64s\": supported values: "
					   "\"Foreground\", \"Background\", \"Orphan\", \"nil\"",
					   o->propagation),
			      err);
	return 0;
}

int delete_options_read(struct call *c, const struct doc *d, struct delete_options *ret,
			struct err *err)
{
	const struct doc *v;

	*ret = (struct delete_options){
		.orphan = -1, .propagation = "", .uid = "", .revision = "", .dry_run = c->q.dry_run
	};
	if (!d) {
		ret->has_grace = c->q.has_grace;
		ret->grace = c->q.grace;
		ret->orphan = c->q.orphan;
		ret->propagation = c->q.propagation;
	} else {
		v = doc_get(d, "gracePeriodSeconds");
		ret->has_grace = v && doc_int64(v, &ret->grace) == 0;
		v = doc_get(d, "orphanDependents");
		ret->orphan = v ? doc_true(v) : -1;
		ret->propagation = text_of(c, d, "propagationPolicy");
		ret->uid = text_of(c, d, "preconditions.uid");
		ret->revision = text_of(c, d, "preconditions.resourceVersion");
		DOC_EACH (dry, doc_get(d, "dryRun")) {
			if (!doc_str_is(dry, "All"))
				return refuse(c, "dryRun", "FieldValueNotSupported",
					      "Unsupported value: supported values: \"All\"", err);
			ret->dry_run = true;
		}
		if (doc_true(doc_get(d, "ignoreStoreReadErrorWithClusterBreakingPotential")))
			return refuse(c, "ignoreStoreReadErrorWithClusterBreakingPotential",
				      "FieldValueForbidden",
				      "Forbidden: objects that cannot be read are not removed",
				      err);
	}
	if (ret->has_grace && ret->grace < 0)
		ret->grace = 1;
	return check_options(c, ret, err);
}

int delete_read_options(struct call *c, struct delete_options *ret, struct err *err)
{
	const struct api_type *t = api_type(c->srv->conf.api, API_META, "DeleteOptions");
	struct arena *a = call_work(c);
	struct doc d, canonical;
	int r;

	if (!c->body.n)
		return delete_options_read(c, NULL, ret, err);
	r = codec_read(c->srv->conf.api, c->media, c->body, NULL, a, NULL, &d, err);
	if (r < 0)
		return r;
	if (doc_slice(doc_get(&d, "kind")).n && !doc_str_is(doc_get(&d, "kind"), "DeleteOptions"))
		return status_bad_request(err, &c->about,
					  "decoded object cannot be converted to DeleteOptions");
	r = api_admit(t, &d, a, 0, NULL, &canonical, err);
	return r < 0 ? r : delete_options_read(c, &canonical, ret, err);
}

const struct doc *delete_options_doc(struct call *c, const struct delete_options *o)
{
	struct arena *a = call_work(c);
	struct doc *d = doc_new_object(a), *conditions;

	doc_set_str(a, d, "kind", "DeleteOptions");
	doc_set_str(a, d, "apiVersion", "meta.k8s.io/v1");
	if (o->has_grace)
		doc_set_int(a, d, "gracePeriodSeconds", o->grace);
	if (*o->uid || *o->revision) {
		conditions = doc_set_object(a, d, "preconditions");
		if (*o->uid)
			doc_set_str(a, conditions, "uid", o->uid);
		if (*o->revision)
			doc_set_str(a, conditions, "resourceVersion", o->revision);
	}
	if (o->orphan >= 0)
		doc_set_bool(a, d, "orphanDependents", o->orphan);
	if (*o->propagation)
		doc_set_str(a, d, "propagationPolicy", o->propagation);
	if (o->dry_run)
		doc_append_str(a, doc_set_array(a, d, "dryRun"), "All");
	return d;
}

/* ---- finalizers ---- */

static bool has_finalizer(const struct doc *meta, const char *name)
{
	DOC_EACH (f, doc_get(meta, "finalizers"))
		if (doc_str_is(f, name))
			return true;
	return false;
}

static bool wants_orphans(const struct collection *o, const struct doc *meta,
			  const struct delete_options *opt)
{
	if (opt->orphan >= 0)
		return opt->orphan;
	if (*opt->propagation)
		return strcmp(opt->propagation, "Orphan") == 0;
	DOC_EACH (f, doc_get(meta, "finalizers")) {
		if (doc_str_is(f, ORPHAN))
			return true;
		if (doc_str_is(f, FOREGROUND))
			return false;
	}
	return o->strategy->flags & STRATEGY_ORPHANS;
}

static bool wants_foreground(const struct doc *meta, const struct delete_options *opt)
{
	if (opt->orphan >= 0)
		return false;
	if (*opt->propagation)
		return strcmp(opt->propagation, "Foreground") == 0;
	DOC_EACH (f, doc_get(meta, "finalizers")) {
		if (doc_str_is(f, FOREGROUND))
			return true;
		if (doc_str_is(f, ORPHAN))
			return false;
	}
	return false;
}

struct plan {
	struct call *c;
	const struct collection *o;
	const struct delete_options *opt;
	const struct api_type *meta_type;
	struct doc *obj, *meta;
	int64_t now;
};

static void set_meta(struct plan *p, const char *field, struct doc v)
{
	api_set(p->meta_type, p->meta, call_work(p->c), field, v);
}

static void set_time(struct plan *p, int64_t seconds)
{
	char text[CLOCK_TEXT_MAX];

	(void)clock_rfc3339nano(text, seconds * NS_PER_SEC);
	set_meta(p, "deletionTimestamp", doc_str(call_work(p->c), text));
}

/* The garbage collector's two, as this deletion wants them; true: they changed. */
static bool set_finalizers(struct plan *p)
{
	struct arena *a = call_work(p->c);
	bool orphan = wants_orphans(p->o, p->meta, p->opt);
	bool foreground = wants_foreground(p->meta, p->opt);
	struct doc list = doc_array();

	if (p->o->strategy->flags & STRATEGY_TTL)
		return false;
	if (orphan == has_finalizer(p->meta, ORPHAN) &&
	    foreground == has_finalizer(p->meta, FOREGROUND))
		return false;
	DOC_EACH (f, doc_get(p->meta, "finalizers"))
		if (!doc_str_is(f, ORPHAN) && !doc_str_is(f, FOREGROUND))
			doc_append(a, &list, *f);
	if (orphan)
		doc_append_str(a, &list, ORPHAN);
	if (foreground)
		doc_append_str(a, &list, FOREGROUND);
	if (list.n)
		set_meta(p, "finalizers", list);
	else
		(void)doc_remove(p->meta, "finalizers");
	return true;
}

static void count_generation(struct plan *p)
{
	int64_t n = check_number(doc_get(p->meta, "generation"));

	if (n > 0)
		set_meta(p, "generation", doc_int(call_work(p->c), n + 1));
}

/* It waits for its finalizers, without a time of grace. */
static void mark(struct plan *p)
{
	const struct doc *at = doc_get(p->meta, "deletionTimestamp");
	int64_t then = INT64_MAX;

	if (!doc_get(p->meta, "deletionGracePeriodSeconds"))
		count_generation(p);
	if (at)
		(void)clock_parse_rfc3339(doc_slice(at), &then, NULL);
	if (!at || then > p->now * NS_PER_SEC)
		set_time(p, p->now);
	set_meta(p, "deletionGracePeriodSeconds", doc_int(call_work(p->c), 0));
}

/* ---- grace ---- */

enum grace { GRACE_NONE, GRACE_GIVEN, GRACE_PENDING };

/* A further DELETE may only shorten what was given. */
static enum grace shorten(struct plan *p)
{
	const struct doc *given = doc_get(p->meta, "deletionGracePeriodSeconds");
	int64_t old = check_number(given), at;

	if (!given)
		return GRACE_NONE;
	if (!p->opt->has_grace || p->opt->grace >= old)
		return GRACE_PENDING;
	if (clock_parse_rfc3339(doc_slice(doc_get(p->meta, "deletionTimestamp")), &at, NULL) < 0)
		at = p->now * NS_PER_SEC;
	set_time(p, at / NS_PER_SEC - old + p->opt->grace);
	set_meta(p, "deletionGracePeriodSeconds", doc_int(call_work(p->c), p->opt->grace));
	return GRACE_GIVEN;
}

static enum grace give_grace(struct plan *p, int64_t *ret)
{
	struct arena *a = call_work(p->c);
	struct doc options = doc_object();

	*ret = p->opt->grace;
	if (!(p->o->strategy->flags & STRATEGY_GRACEFUL) || !p->o->strategy->grace)
		return GRACE_NONE;
	if (doc_get(p->meta, "deletionTimestamp"))
		return shorten(p);
	if (p->opt->has_grace)
		doc_set_int(a, &options, "gracePeriodSeconds", p->opt->grace);
	*ret = p->o->strategy->grace(p->obj, &options);
	if (*ret < 0)
		return GRACE_NONE;
	set_time(p, p->now + *ret);
	set_meta(p, "deletionGracePeriodSeconds", doc_int(a, *ret));
	count_generation(p);
	return GRACE_GIVEN;
}

/* ---- kinds that go their own way ---- */

static bool is_kind(const struct collection *o, const char *group, const char *kind)
{
	return strcmp(o->kind->group->group, group) == 0 && strcmp(o->kind->kind, kind) == 0;
}

/* A Namespace first terminates; the controller empties it, and its finalizer. */
static bool end_namespace(struct plan *p, enum delete_outcome *ret)
{
	struct arena *a = call_work(p->c);
	struct doc *status;

	if (!is_kind(p->o, "", "Namespace"))
		return false;
	if (doc_get(p->meta, "deletionTimestamp")) {
		*ret = DELETE_PENDING;
		return doc_len(doc_find(p->obj, "spec.finalizers")) > 0;
	}
	set_time(p, p->now);
	status = doc_get(p->obj, "status");
	if (!status) {
		api_set(p->o->kind->type, p->obj, a, "status", doc_object());
		status = doc_get(p->obj, "status");
	}
	doc_set_str(a, status, "phase", "Terminating");
	if (p->opt->orphan >= 0 || *p->opt->propagation)
		(void)set_finalizers(p);
	*ret = DELETE_UPDATE;
	return true;
}

static void terminating_condition(struct plan *p)
{
	struct arena *a = call_work(p->c);
	struct doc *status = doc_get(p->obj, "status"), *list, *cond = NULL;
	char now[CLOCK_TEXT_MAX];

	if (!status) {
		api_set(p->o->kind->type, p->obj, a, "status", doc_object());
		status = doc_get(p->obj, "status");
	}
	list = doc_get(status, "conditions");
	if (!doc_is(list, DOC_ARRAY))
		list = doc_set_array(a, status, "conditions");
	DOC_EACH (x, list)
		if (doc_str_is(doc_get(x, "type"), "Terminating"))
			cond = x;
	if (!cond)
		cond = doc_append_object(a, list);
	(void)clock_rfc3339nano(now, p->now * NS_PER_SEC);
	doc_set_str(a, cond, "type", "Terminating");
	doc_set_str(a, cond, "status", "True");
	doc_set_str(a, cond, "lastTransitionTime", now);
	doc_set_str(a, cond, "reason", "InstanceDeletionPending");
	doc_set_str(a, cond, "message",
		    "CustomResourceDefinition marked for deletion; CustomResource deletion will "
		    "begin soon");
}

/* A definition's objects go first: its finalizer waits for that. */
static bool end_definition(struct plan *p, enum delete_outcome *ret)
{
	struct arena *a = call_work(p->c);
	struct doc *list;

	if (!is_kind(p->o, "apiextensions.k8s.io", "CustomResourceDefinition") ||
	    doc_get(p->meta, "deletionTimestamp"))
		return false;
	set_time(p, p->now);
	if (!has_finalizer(p->meta, CRD_CLEANUP)) {
		list = doc_get(p->meta, "finalizers");
		if (!list) {
			set_meta(p, "finalizers", doc_array());
			list = doc_get(p->meta, "finalizers");
		}
		doc_append_str(a, list, CRD_CLEANUP);
	}
	terminating_condition(p);
	*ret = DELETE_UPDATE;
	return true;
}

/* ---- the plan ---- */

static int check_preconditions(struct call *c, const struct item *item, const struct doc *meta,
			       const struct delete_options *opt, const char *name, struct err *err)
{
	const char *uid = text_of(c, meta, "uid");
	int64_t want;

	if (*opt->uid && strcmp(opt->uid, uid) != 0)
		return status_conflict(err, &c->about, name,
				       "the UID in the precondition (%.64s) does not match the UID "
				       "in record (%.64s). The object might have been deleted and "
				       "then recreated",
				       opt->uid, uid);
	if (*opt->revision &&
	    (str_int64(slice_str(opt->revision), &want, NULL) < 0 || want != item_revision(item)))
		return status_conflict(
			err, &c->about, name,
			"the ResourceVersion in the precondition (%.64s) does not "
			"match the ResourceVersion in record (%lld). The object might "
			"have been modified",
			opt->revision, (long long)item_revision(item));
	return 0;
}

static int check_forbidden_names(struct call *c, const struct collection *o, const char *name,
				 struct err *err)
{
	static const char *const kept[] = { "default", "kube-system", "kube-public", NULL };

	if (!is_kind(o, "", "Namespace") || !str_is_one_of(name, kept))
		return 0;
	return status_forbidden(err, &c->about, name, "this namespace may not be deleted");
}

static void plan(struct plan *p, enum delete_outcome *ret)
{
	int64_t seconds;
	enum grace g = give_grace(p, &seconds);

	if (g == GRACE_PENDING) {
		*ret = DELETE_PENDING;
		return;
	}
	(void)set_finalizers(p);
	if (doc_len(doc_get(p->meta, "finalizers"))) {
		if (g == GRACE_NONE)
			mark(p);
		*ret = DELETE_UPDATE;
	} else {
		*ret = g == GRACE_GIVEN && seconds > 0 ? DELETE_UPDATE : DELETE_REMOVE;
	}
}

/* Also of an eviction, which is one by another name: the subresource tells. */
static int admit(struct call *c, const struct collection *o, const struct doc *old,
		 const char *name, struct err *err)
{
	struct strategy_call sc = { .rs = c->srv->conf.resources,
				    .objects = o,
				    .sub = "",
				    .a = call_work(c),
				    .now = call_now(c),
				    .user = c->user,
				    .dry_run = c->q.dry_run };
	struct admission_call ac = {
		.sc = &sc,
		.op = ADMISSION_DELETE,
		.ns = text_of(c, old, "metadata.namespace"),
		.sub = c->sub ? c->sub->name : "",
		.name = name,
		.old = old,
		.authz = c->srv->conf.authz,
		.about = &c->about,
	};

	return admission_mutate(c->srv->conf.admission, &ac, err);
}

int delete_plan(struct call *c, const struct collection *o, const struct item *item,
		const struct doc *old, const struct delete_options *opt, struct doc *ret_obj,
		enum delete_outcome *ret, struct err *err)
{
	struct arena *a = call_work(c);
	struct doc *copy = doc_copy_shared(a, old);
	struct plan p = { .c = c, .o = o, .opt = opt, .obj = ret_obj, .now = call_now(c) };
	const char *name = text_of(c, old, "metadata.name");
	int r;

	if (!copy)
		return arena_quota(a, err);
	*ret_obj = *copy;
	p.meta = doc_get(ret_obj, "metadata");
	p.meta_type = api_type(c->srv->conf.api, API_META, "ObjectMeta");
	r = check_forbidden_names(c, o, name, err);
	if (r == 0)
		r = check_preconditions(c, item, p.meta, opt, name, err);
	if (r == 0)
		r = admit(c, o, old, name, err);
	if (r < 0)
		return r;
	if (!end_namespace(&p, ret) && !end_definition(&p, ret))
		plan(&p, ret);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- one object ---- */

struct removal {
	struct delete_options opt;
	enum delete_outcome outcome;
};

/* Kinds that answer with the object that went; all others with a Status. */
static const struct {
	const char *group, *resource;
} given[] = {
	{ "", "namespaces" },
	{ "", "persistentvolumeclaims" },
	{ "", "persistentvolumes" },
	{ "", "pods" },
	{ "", "podtemplates" },
	{ "", "resourcequotas" },
	{ "", "serviceaccounts" },
	{ "", "services" },
	{ "resource.k8s.io", "deviceclasses" },
	{ "resource.k8s.io", "resourceclaims" },
	{ "resource.k8s.io", "resourceclaimtemplates" },
	{ "resource.k8s.io", "resourceslices" },
	{ "storage.k8s.io", "csidrivers" },
	{ "storage.k8s.io", "csinodes" },
	{ "storage.k8s.io", "storageclasses" },
	{ "storage.k8s.io", "volumeattachments" },
	{ "storage.k8s.io", "volumeattributesclasses" },
};

static bool gives_object(const struct api_kind *k)
{
	for (size_t i = 0; i < ARRAY_LEN(given); i++)
		if (strcmp(given[i].group, k->group->group) == 0 &&
		    strcmp(given[i].resource, k->resource) == 0)
			return true;
	return false;
}

static void answer_status(struct change *x, int code)
{
	struct call *c = x->c;
	struct status_about about = status_about(c->resource->kind);
	struct doc d;

	about.name = x->name;
	about.uid = text_of(c, &x->old, "metadata.uid");
	(void)status_success(&about, 0, call_work(c), &d);
	call_doc(c, code, &d, api_type(c->srv->conf.api, API_META, "Status"));
}

static void answer(struct change *x, struct item *i)
{
	struct removal *rm = x->arg;
	int code = rm->outcome != DELETE_REMOVE && rm->opt.orphan == 0 ? 202 : 200;
	struct call *c = x->c;
	struct doc view;
	struct err err ERR_RAW;

	if (rm->outcome != DELETE_UPDATE && !gives_object(c->resource->kind)) {
		answer_status(x, code);
		return;
	}
	if (i) {
		call_item(c, code, i);
		return;
	}
	err_clear(&err);
	if (codec_convert(x->o->kind, c->resource->kind, &x->obj, call_work(c), &view, &err) < 0)
		call_fail(c, &err);
	else
		call_doc(c, code, &view, c->resource->kind->type);
}

static int finish(struct change *x, struct err *err)
{
	const struct removal *rm = x->arg;

	if (rm->outcome == DELETE_UPDATE)
		return change_same(x);
	x->remove = true;
	return change_commit_removal(x, err);
}

static int prepare(struct change *x, struct err *err)
{
	struct removal *rm = x->arg;
	struct call *c = x->c;
	int r = delete_read_options(c, &rm->opt, err);

	if (r == 0)
		r = change_load(x, c->rq.name, err);
	if (r < 0)
		return r;
	if (!x->live)
		return status_not_found(err, &c->about, c->rq.name);
	c->q.dry_run |= rm->opt.dry_run;
	r = delete_plan(c, x->o, x->live, &x->old, &rm->opt, &x->obj, &rm->outcome, err);
	if (r < 0)
		return r;
	if (rm->outcome == DELETE_PENDING)
		return 1;
	x->finish = finish;
	change_ask(x, HOOK_DELETE, false, NULL);
	x->ask.options = delete_options_doc(c, &rm->opt);
	return 0;
}

void rest_delete_warn(struct call *c, const struct delete_options *opt)
{
	const struct api_kind *k = c->resource->kind;

	if (strcmp(k->kind, "Job") == 0 && strcmp(k->group->group, "batch") == 0 &&
	    opt->orphan < 0 && !*opt->propagation)
		call_warn(c, "child pods are preserved by default when jobs are deleted; set "
			     "propagationPolicy=Background to remove them or set "
			     "propagationPolicy=Orphan to suppress this warning");
}

static void run(struct call *c)
{
	struct change *x;
	struct removal *rm = ARENA_NEW(c->a, struct removal);
	struct err err = ERR_INIT;

	if (!rm || delete_read_options(c, &rm->opt, &err) < 0) {
		call_fail(c, &err);
		return;
	}
	rest_delete_warn(c, &rm->opt);
	x = change_new(c, prepare);
	if (!x)
		return;
	x->arg = rm;
	x->answer = answer;
	change_run(x);
}

void rest_delete(struct call *c)
{
	struct err err ERR_RAW;

	err_clear(&err);
	if (call_choose(c, c->resource->kind->custom ? CODEC_NO_PROTO : 0, &err) < 0 ||
	    call_media(c, 0, &err) < 0)
		call_fail(c, &err);
	else
		call_body(c, run);
}
