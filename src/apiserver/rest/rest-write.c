/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/rest-write.h"

#include "apiserver/admission/admission.h"
#include "apiserver/auth/authz.h"

#include "api/check.h"
#include "api/defaults.h"
#include "api/managed.h"
#include "base/clock.h"
#include "base/hash.h"
#include "doc/json.h"

#include <stdio.h>
#include <string.h>

#define JSON_MAX (8u << 20) /* an object as it is stored (store.h) */
#define EVENT_TTL 3600

/* ---- life ---- */

static void change_end(struct change *x)
{
	struct call *c = x->c;

	timer_fini(&x->pause);
	item_unref(STEAL(x->live));
	for (size_t i = 0; i < ARRAY_LEN(x->json); i++)
		buf_fini(&x->json[i]);
	call_drop(c); /* x is in its arena */
}

static void change_fail(struct change *x, struct err *err)
{
	struct call *c = x->c;

	if (!c->about.name && c->about.resource) /* else it is not about the object */
		c->about.name = x->name && *x->name ? x->name : c->rq.name;
	call_fail(c, err);
	change_end(x);
}

void change_broken(struct change *x)
{
	struct err err = ERR_INIT;

	(void)arena_quota(x->c->a, &err);
	change_fail(x, &err);
}

static void answer_item(struct change *x, struct item *i)
{
	struct call *c = x->c;
	struct doc view;
	struct err err ERR_RAW;

	if (i) {
		call_item(c, x->created ? 201 : 200, i);
		return;
	}
	err_clear(&err);
	if (codec_convert(x->o->kind, c->resource->kind, &x->obj, call_work(c), &view, &err) < 0)
		call_fail(c, &err);
	else
		call_doc(c, x->created ? 201 : 200, &view, c->resource->kind->type);
}

static int on_pause(struct timer *t)
{
	change_run(CONTAINER_OF(t, struct change, pause));
	return 0;
}

/* What it lacks is being made by ourselves: it is prepared again in a moment. */
static bool pauses(struct change *x)
{
	if (!x->soon || x->pauses == CHANGE_PAUSES_MAX)
		return false;
	x->soon = false;
	x->pauses++;
	x->tries--;
	timer_set_after(&x->pause, CHANGE_PAUSE);
	return true;
}

static void set_home(struct change *x, struct collection *o)
{
	x->home = x->o = o;
	if (!custom_webhook(o->kind))
		return;
	x->own = *o;
	x->own.kind = x->c->resource->kind;
	x->o = &x->own;
}

int change_home(struct change *x, struct err *err)
{
	struct collection *o;
	int r = call_objects(x->c, &o, err);

	if (r == 0)
		set_home(x, o);
	return r;
}

struct change *change_new(struct call *c, int (*prepare)(struct change *x, struct err *err))
{
	struct change *x = ARENA_NEW(c->a, struct change);
	struct err err ERR_RAW;
	struct collection *o;

	err_clear(&err);
	if (!x || call_objects(c, &o, &err) < 0) {
		if (!x)
			(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return NULL;
	}
	x->c = call_hold(c);
	set_home(x, o);
	x->type = c->resource->kind->type;
	x->api_version = c->resource->kind->group->api_version;
	x->kind = c->resource->kind->kind;
	x->prepare = prepare;
	x->answer = answer_item;
	x->tries_max = CHANGE_TRIES_MAX;
	timer_init(&x->pause, c->srv->conf.loop, on_pause);
	for (size_t i = 0; i < ARRAY_LEN(x->json); i++)
		x->json[i] = BUF_INIT(JSON_MAX);
	return x;
}

/* ---- metadata ---- */

struct doc *change_meta(struct change *x, const struct api_type *t, struct doc *obj)
{
	struct doc *meta = doc_get(obj, "metadata");

	if (doc_is(meta, DOC_OBJECT))
		return meta;
	api_set(t, obj, call_work(x->c), "metadata", doc_object());
	return doc_get(obj, "metadata");
}

void change_set_meta(struct change *x, struct doc *meta, const char *field, struct doc value)
{
	api_set(api_type(x->c->srv->conf.api, API_META, "ObjectMeta"), meta, call_work(x->c), field,
		value);
}

static void keep_meta(struct change *x, struct doc *meta, const struct doc *old, const char *field)
{
	const struct doc *v = doc_get(old, field);

	if (v)
		change_set_meta(x, meta, field, *v);
	else
		(void)doc_remove(meta, field);
}

const char *change_now(struct change *x)
{
	char text[CLOCK_TEXT_MAX];

	if (!x->now)
		x->now = clock_real() / NS_PER_SEC * NS_PER_SEC;
	(void)clock_rfc3339nano(text, x->now);
	return arena_strdup(call_work(x->c), text);
}

static struct doc text_doc(struct change *x, const char *s)
{
	return doc_str(call_work(x->c), s);
}

/* ---- names and namespaces ---- */

static const char *meta_text(struct change *x, const struct doc *meta, const char *field)
{
	const char *s = doc_cstr(call_work(x->c), doc_get(meta, field));

	return s ? s : "";
}

static const char *namespace_of(const struct call *c)
{
	return c->resource->kind->namespaced ? c->rq.namespace_ : "";
}

/* The namespace of the body is the URL's. */
int change_ns(struct change *x, struct doc *meta, struct err *err)
{
	const char *want = namespace_of(x->c), *have = meta_text(x, meta, "namespace");

	if (strcmp(want, have) == 0)
		return 0;
	if (*want && *have)
		return status_bad_request(err, &x->c->about,
					  "the namespace of the provided object does not match the "
					  "namespace sent on the request");
	if (*want)
		change_set_meta(x, meta, "namespace", text_doc(x, want));
	else
		(void)doc_remove(meta, "namespace");
	return 0;
}

int change_names(struct change *x, struct doc *view, struct err *err)
{
	struct doc *meta = change_meta(x, x->type, view);
	const char *name = meta_text(x, meta, "name"), *want = x->c->rq.name;
	int r = change_ns(x, meta, err);

	if (r < 0)
		return r;
	if (!*name)
		return status_bad_request(err, &x->c->about,
					  "the name of the object (%.253s based on URL) was "
					  "undeterminable: name must be provided",
					  want);
	if (strcmp(name, want) != 0)
		return status_bad_request(err, &x->c->about,
					  "the name of the object (%.253s) does not match the name "
					  "on the URL (%.253s)",
					  name, want);
	return 0;
}

int change_namespace(struct call *c, const char *ns, struct err *err)
{
	static const struct slice terminating = { "Terminating", 11 };
	static const struct selector_term term = {
		.key = { "status.phase", 12 }, .op = SELECT_EQUAL, .values = &terminating, .n = 1
	};
	static const struct selector none, ends = { .terms = &term, .n = 1 };
	struct item *i = resources_get(c->srv->conf.resources, "", "namespaces", "", ns);
	struct cause *cause;

	if (!i) {
		c->about = status_about(api_kind(c->srv->conf.api, "v1", "Namespace"));
		return status_not_found(err, &c->about, ns);
	}
	if (!item_match(i, &none, &ends))
		return 0;
	(void)status_forbidden(err, &c->about, c->about.name,
			       "unable to create new content in namespace %s because it is being "
			       "terminated",
			       ns);
	cause = ARENA_NEW(c->a, struct cause);
	if (cause)
		*cause = (struct cause){
			.field = "metadata.namespace",
			.reason = "NamespaceTerminating",
			.detail = arena_printf(c->a, "namespace %s is being terminated", ns),
		};
	err->causes = cause;
	return -ERR_FORBIDDEN;
}

static const char *make_name(struct change *x, const char *prefix)
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char end[6] = "";

	for (int i = 0; i < 5; i++)
		end[i] = letters[random_u64() % (sizeof(letters) - 1)];
	return arena_printf(call_work(x->c), "%.58s%s", prefix, end);
}

/* ---- reading ---- */

/* The Scale, and who owns what of it. */
static int scale_view(struct change *x, struct err *err)
{
	struct arena *a = call_work(x->c);
	const struct doc *list = doc_find(&x->old, "metadata.managedFields");
	struct doc managed = doc_null();
	int r = scale_get(x->o->kind, &x->old, a, &x->view, err);

	if (r == 0 && scale_managed_from_parent(x->o->kind, list, a, &managed, NULL) == 0 &&
	    doc_len(&managed))
		change_set_meta(x, change_meta(x, x->type, &x->view), "managedFields", managed);
	return r;
}

/* The live object in the version that is worked with. */
static int read_live(struct change *x, struct err *err)
{
	struct arena *a = call_work(x->c);
	struct item *i = convert_known(x->c->srv->converter, x->live, x->o->kind);
	struct doc d;
	int r = codec_parse(i ? i : x->live, a, &d, err);

	if (r == 0 && i && i != x->live) { /* a form that goes: the document has to be its own */
		struct doc *copy = doc_copy(a, &d);

		r = copy ? 0 : arena_quota(a, err);
		d = copy ? *copy : d;
	}
	if (r == 0 && i)
		x->old = d;
	else if (r == 0)
		r = call_convert(x->c, x->home->kind, x->o->kind, &d, a, &x->old, err);
	item_unref(i);
	return r;
}

int change_load(struct change *x, const char *name, struct err *err)
{
	struct call *c = x->c;
	struct arena *a = call_work(c);
	int r;

	x->name = name;
	item_unref(STEAL(x->live));
	x->old = x->view = doc_null();
	r = change_home(x, err);
	if (r < 0)
		return r;
	x->live = cache_get(x->o->cache, call_key(c, namespace_of(c), name));
	if (!x->live)
		return 0;
	(void)item_ref(x->live);
	r = read_live(x, err);
	if (r < 0)
		return r;
	if (x->scale)
		return scale_view(x, err);
	return codec_convert(x->o->kind, c->resource->kind, &x->old, a, &x->view, err);
}

int change_strays(struct change *x, const struct api_strays *s, struct buf *ret_strict)
{
	struct call *c = x->c;

	if (!s->n || c->q.validation == VALIDATION_IGNORE)
		return 0;
	if (c->q.validation == VALIDATION_STRICT)
		(void)buf_adds(ret_strict, "strict decoding error: ");
	for (size_t i = 0; i < MIN(s->n, API_STRAYS_MAX); i++)
		if (c->q.validation == VALIDATION_STRICT)
			(void)buf_addf(ret_strict, "%s%s", i ? ", " : "", s->v[i]);
		else
			call_warn(c, s->v[i]);
	return c->q.validation == VALIDATION_STRICT ? 1 : 0;
}

static int not_handled(struct change *x, const char *kind, const char *why, struct err *err)
{
	const char *slash = strrchr(x->api_version, '/');

	return status_bad_request(
		err, &x->c->about,
		"%.200s in version \"%.60s\" cannot be handled as a %.200s: %.800s", kind,
		slash ? slash + 1 : x->api_version, x->kind, why);
}

/* apiVersion and kind are those of the URL, or left out. */
static int check_kind(struct change *x, struct doc *d, struct err *err)
{
	const char *v = meta_text(x, d, "apiVersion"), *k = meta_text(x, d, "kind");
	struct arena *a = call_work(x->c);

	if (*k && strcmp(k, x->kind) != 0 && (!*v || strcmp(v, x->api_version) == 0))
		return not_handled(x, k,
				   arena_printf(a,
						"converting (%s.%s) to (%s.%s): unknown "
						"conversion",
						v, k, x->api_version, x->kind),
				   err);
	if (*v && strcmp(v, x->api_version) != 0)
		return status_bad_request(err, &x->c->about,
					  "the API version in the data (%.200s) does not match the "
					  "expected API version (%.200s)",
					  v, x->api_version);
	if (!*k)
		doc_set_str(a, d, "kind", x->kind);
	if (!*v)
		doc_set_str(a, d, "apiVersion", x->api_version);
	return 0;
}

int change_read(struct change *x, struct doc *ret, struct err *err)
{
	struct call *c = x->c;
	struct arena *a = call_work(c);
	CLEANUP(buf_fini) struct buf strict = BUF_INIT(64u << 10);
	struct api_strays strays = { 0 };
	struct doc d;
	int r;

	r = codec_read(c->srv->conf.api, c->media, c->body, c->resource->kind, a, &strays, &d, err);
	if (r < 0)
		return r;
	if (!doc_is(&d, DOC_OBJECT))
		return status_bad_request(err, &c->about,
					  "the object provided is unrecognized (must be of type "
					  "%.200s)",
					  x->kind);
	r = check_kind(x, &d, err);
	if (r < 0)
		return r;
	x->clear = managed_clears(doc_find(&d, "metadata.managedFields"));
	r = api_admit(x->type, &d, a, 0, &strays, ret, err);
	if (r == -ERR_BAD_REQUEST)
		return not_handled(x, x->kind, arena_strdup(a, err->msg), err);
	if (r < 0)
		return r;
	if (change_strays(x, &strays, &strict))
		return not_handled(x, x->kind, buf_str(&strict), err);
	return 0;
}

/* References that stand twice: the later ones go, and it is told. */
static void dedup_owners(struct change *x, struct doc *view)
{
	struct doc *meta = doc_get(view, "metadata"), *list = doc_get(meta, "ownerReferences");
	struct arena *a = call_work(x->c);
	struct doc once = doc_array();
	CLEANUP(buf_fini) struct buf uids = BUF_INIT(4u << 10);

	DOC_EACH (ref, list) {
		struct slice uid = doc_slice(doc_get(ref, "uid"));
		bool known = false;

		DOC_EACH (have, &once)
			known |= doc_equal(have, ref);
		if (known)
			(void)buf_addf(&uids, "%s%.*s", uids.n ? ", " : "", (int)uid.n,
				       uid.p ? uid.p : "");
		else
			doc_append(a, &once, *ref);
	}
	if (!uids.n)
		return;
	change_set_meta(x, meta, "ownerReferences", once);
	call_warn(x->c,
		  arena_printf(a,
			       ".metadata.ownerReferences contains duplicate entries; API server "
			       "dedups owner references in 1.20+, and may reject such requests "
			       "as early as 1.24; please fix your requests; duplicate UID(s) "
			       "observed: %s",
			       buf_str(&uids)));
}

/* ---- who owns what ---- */

/* The object in another version of its kind, for entries that were written in it. */
static int convert(void *arg, const struct doc *obj, const char *api_version, struct arena *a,
		   struct apply_version *ret, struct err *err)
{
	struct change *x = arg;
	struct resource *to;

	if (x->scale)
		return 1;
	to = resources_kind(x->c->srv->conf.resources, api_version, x->kind);
	if (!to || to->objects != x->c->resource->objects)
		return 1;
	*ret = (struct apply_version){ .type = to->kind->type };
	return call_convert(x->c, x->c->resource->kind, to->kind, obj, a, &ret->obj, err);
}

int change_apply(struct change *x, struct apply *ret, struct err *err)
{
	struct call *c = x->c;
	struct arena *a = call_work(c);
	struct doc *sets = ARENA_ARRAY(a, struct doc, 2);

	if (!sets)
		return arena_quota(a, err);
	*ret = (struct apply){
		.type = x->type,
		.api_version = x->api_version,
		.kind = x->kind,
		.manager = call_manager(c),
		.subresource = c->rq.subresource,
		.now = change_now(x),
		.clear = x->clear,
		.convert = convert,
		.arg = x,
		.a = a,
	};
	if (!x->scale && strategy_reset_fields(x->o, c->rq.subresource, a, &sets[0], &sets[1])) {
		ret->reset = sets[0].type != DOC_NULL ? &sets[0] : NULL;
		ret->only = sets[1].type != DOC_NULL ? &sets[1] : NULL;
	}
	return ret->manager && ret->now ? 0 : arena_quota(a, err);
}

/* Failure to track loses the tracking, not the write. */
static int track(struct change *x, const struct doc *live, struct doc *view, struct err *err)
{
	struct apply ap;
	int r;

	if (x->applied)
		return 0;
	if (x->o->strategy->flags & STRATEGY_NO_TRACKING) {
		(void)doc_remove(doc_get(view, "metadata"), "managedFields");
		return 0;
	}
	r = change_apply(x, &ap, err);
	if (r < 0)
		return r;
	if (apply_track(&ap, live, view, NULL) < 0)
		(void)doc_remove(doc_get(view, "metadata"), "managedFields");
	return arena_exceeded(call_work(x->c)) ? arena_quota(call_work(x->c), err) : 0;
}

/* ---- create ---- */

void change_strategy(struct change *x)
{
	struct call *c = x->c;

	x->sc = (struct strategy_call){
		.rs = c->srv->conf.resources,
		.objects = x->o,
		.sub = x->scale ? "" : c->rq.subresource,
		.a = call_work(c),
		.now = call_now(c),
		.user = c->user,
		.dry_run = c->q.dry_run,
	};
}

/* What the plugins look at; created: there is none of old. */
static void admission_of(struct change *x, const struct doc *old, struct admission_call *ret)
{
	struct call *c = x->c;

	*ret = (struct admission_call){
		.sc = &x->sc,
		.op = old ? ADMISSION_UPDATE : ADMISSION_CREATE,
		.ns = namespace_of(c),
		.sub = c->sub ? c->sub->name : "",
		.name = x->name ? x->name : "",
		.obj = &x->obj,
		.old = old,
		.authz = c->srv->conf.authz,
		.about = &c->about,
		.images = &c->images,
	};
}

static int admit_again(struct hook_ask *k, struct err *err)
{
	struct change *x = k->arg;

	return change_admit(x, x->live ? &x->old : NULL, err);
}

const struct doc *change_options(struct call *c, const char *kind)
{
	struct arena *a = call_work(c);
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "kind", kind);
	doc_set_str(a, d, "apiVersion", "meta.k8s.io/v1");
	if (c->q.dry_run)
		doc_append_str(a, doc_set_array(a, d, "dryRun"), "All");
	if (*c->q.field_manager)
		doc_set_str(a, d, "fieldManager", c->q.field_manager);
	if (c->q.validation != VALIDATION_WARN)
		doc_set_str(a, d, "fieldValidation",
			    c->q.validation == VALIDATION_STRICT ? "Strict" : "Ignore");
	return d;
}

void change_ask(struct change *x, enum hook_op op, bool own, const char *options)
{
	struct call *c = x->c;
	const struct api_kind *k = x->o->kind;
	const bool of_namespace = !*k->group->group && strcmp(k->resource, "namespaces") == 0;

	x->asks = true;
	x->kept = x->home->kind;
	x->ask = (struct hook_ask){
		.c = c,
		.op = op,
		.asked = c->resource,
		.ns = of_namespace ? x->name : namespace_of(c),
		.name = x->prefix ? "" : x->name,
		.sub = c->sub ? c->sub->name : "",
		.obj = own		   ? &x->body
		       : op == HOOK_DELETE ? NULL
					   : &x->obj,
		.old = op == HOOK_CREATE ? NULL
		       : own		 ? &x->view
					 : &x->old,
		.own = own ? x->type : NULL,
		.stored = own ? NULL : k,
		.options = options ? change_options(c, options) : NULL,
		.made = op == HOOK_CREATE && !own,
		.generated = x->prefix != NULL,
		.dry_run = c->q.dry_run,
		.again = own || op == HOOK_DELETE ? NULL : admit_again,
		.arg = x,
	};
}

int change_admit(struct change *x, const struct doc *old, struct err *err)
{
	struct admission_call ac;
	int r;

	admission_of(x, old, &ac);
	if (x->prefix) /* upstream makes the name later */
		ac.name = x->prefix;
	r = admission_mutate(x->c->srv->conf.admission, &ac, err);
	x->soon = r < 0 && ac.soon;
	return r;
}

static void tell_warnings(struct change *x)
{
	for (size_t i = 0; i < x->sc.nwarnings; i++)
		call_warn(x->c, x->sc.warnings[i]);
}

/* They outlive this attempt. */
static void keep_notes(struct call *c, const struct admission_call *ac)
{
	for (size_t i = 0; i < ac->nnotes; i++)
		call_note(c, ac->notes[i].key, ac->notes[i].value);
}

/* Checked, allocated for. */
static int check_all(struct change *x, struct err *err)
{
	const struct doc *old = x->live ? &x->old : NULL;
	struct arena *a = call_work(x->c);
	int r = api_check(x->c->srv->conf.api, x->o->kind, x->sc.sub, &x->obj, old, a, err);

	if (r == 0)
		r = authz_guard(x->c->srv->conf.authz, &x->c->user, x->o->kind, &x->obj, old, a,
				&x->c->about, err);
	if (r == 0)
		r = strategy_commit(&x->sc, &x->obj, old, err);
	x->judged = true;
	return r < 0 ? r : arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* What the plugins say of it, and what is warned of. */
static int admit_all(struct change *x, struct err *err)
{
	const struct doc *old = x->live ? &x->old : NULL;
	struct admission_call ac;
	int r;

	admission_of(x, old, &ac);
	r = admission_validate(x->c->srv->conf.admission, &ac, err);
	keep_notes(x->c, &ac);
	if (r < 0)
		return r;
	strategy_warnings(&x->sc, &x->obj, old);
	tell_warnings(x);
	x->allotted = x->sc.nmore;
	return arena_exceeded(ac.sc->a) ? arena_quota(ac.sc->a, err) : 0;
}

/* Quotas, when everybody has agreed. */
static int charge(struct change *x, struct err *err)
{
	struct admission_call ac;

	admission_of(x, x->live ? &x->old : NULL, &ac);
	return admission_charge(x->c->srv->conf.admission, &ac, err);
}

int change_commit_removal(struct change *x, struct err *err)
{
	change_strategy(x);
	x->sc.sub = "";
	return strategy_commit(&x->sc, NULL, &x->old, err);
}

/* What the server alone sets. */
static int begin_meta(struct change *x, struct doc *meta, struct err *err)
{
	static const char *const gone[] = { "deletionTimestamp", "deletionGracePeriodSeconds",
					    "selfLink" };
	const char *name = meta_text(x, meta, "name"), *made = meta_text(x, meta, "generateName");

	x->prefix = NULL;
	if (!*name && *made) {
		x->prefix = made;
		if (!x->made_name)
			x->made_name = arena_strdup(x->c->a, make_name(x, made));
		name = x->made_name;
		if (!name)
			return arena_quota(call_work(x->c), err);
		change_set_meta(x, meta, "name", text_doc(x, name));
	}
	x->name = name;
	x->c->named = arena_strdup(x->c->a, name);
	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		(void)doc_remove(meta, gone[i]);
	if (!*x->uid)
		random_uuid(x->uid);
	change_set_meta(x, meta, "uid", text_doc(x, x->uid));
	change_set_meta(x, meta, "creationTimestamp", text_doc(x, change_now(x)));
	return 0;
}

/* A webhook may have given it another name. */
static int rename_made(struct change *x, struct err *err)
{
	const char *name = meta_text(x, doc_get(&x->obj, "metadata"), "name");

	if (strcmp(name, x->name) == 0)
		return 0;
	x->prefix = NULL;
	x->name = arena_strdup(call_work(x->c), name);
	x->c->named = arena_strdup(x->c->a, name);
	if (!x->name || !x->c->named)
		return arena_quota(call_work(x->c), err);
	x->c->about.name = x->name;
	return 0;
}

static int settle_made(struct change *x, struct err *err)
{
	int r = 0;

	if (x->ask.changed) {
		dedup_owners(x, &x->obj);
		r = rename_made(x, err);
	}
	if (r == 0)
		r = strategy_create(&x->sc, &x->obj, err);
	return r < 0 ? r : check_all(x, err);
}

static int finish_made(struct change *x, struct err *err)
{
	struct call *c = x->c;
	int r = charge(x, err);

	/* A dry run is told too what the store would find. */
	if (r == 0 && c->q.dry_run && !x->prefix &&
	    cache_get(x->o->cache, call_key(c, namespace_of(c), x->name)))
		return status_exists(err, &c->about, x->name);
	return r;
}

int change_create(struct change *x, struct doc *view, struct err *err)
{
	struct call *c = x->c;
	struct doc *meta = change_meta(x, x->type, view);
	int r = change_ns(x, meta, err);

	if (r < 0)
		return r;
	dedup_owners(x, view);
	meta = change_meta(x, x->type, view);
	c->about.name = meta_text(x, meta, "name");
	(void)doc_remove(meta, "resourceVersion");
	r = *namespace_of(c) ? change_namespace(c, namespace_of(c), err) : 0;
	if (r == 0)
		r = track(x, NULL, view, err);
	if (r == 0)
		r = begin_meta(x, change_meta(x, x->type, view), err);
	if (r == 0)
		r = codec_convert(c->resource->kind, x->o->kind, view, call_work(c), &x->obj, err);
	if (r < 0)
		return r;
	c->about.name = x->name;
	x->created = true;
	change_strategy(x);
	x->settle = settle_made;
	x->finish = finish_made;
	change_ask(x, HOOK_CREATE, false, "CreateOptions");
	return change_admit(x, NULL, err);
}

/* ---- update ---- */

/* resourceVersion of what is written: none, the live one's, or a conflict. */
static int check_revision(struct change *x, struct doc *meta, struct err *err)
{
	struct call *c = x->c;
	const char *text = meta_text(x, meta, "resourceVersion");
	bool needed = (x->o->strategy->flags & STRATEGY_NEEDS_REVISION) && !x->scale;
	int64_t v = 0;

	if (*text && str_int64(slice_str(text), &v, NULL) < 0) {
		c->about.reason = STATUS_UNKNOWN;
		return err_set(err, ERR_SYSTEM,
			       "strconv.ParseUint: parsing \"%.64s\": invalid syntax", text);
	}
	change_set_meta(x, meta, "resourceVersion",
			*doc_get(doc_get(&x->old, "metadata"), "resourceVersion"));
	if (v == 0 && needed) {
		struct cause *cause = ARENA_NEW(c->a, struct cause);

		c->about.kind = c->about.resource;
		(void)status_invalid(err, &c->about, x->name,
				     "metadata.resourceVersion: Invalid value: 0x0: must be "
				     "specified for an update");
		if (cause)
			*cause = (struct cause){
				.field = "metadata.resourceVersion",
				.reason = "FieldValueInvalid",
				.detail = "Invalid value: 0x0: must be specified for an update",
			};
		err->causes = cause;
		return -ERR_INVALID;
	}
	if (v != 0 && v != item_revision(x->live))
		return status_conflict(err, &c->about, x->name, STATUS_MODIFIED);
	return 0;
}

static int check_uid(struct change *x, const struct doc *meta, struct err *err)
{
	const char *have = x->live ? meta_text(x, doc_get(&x->old, "metadata"), "uid") : "";
	const char *want = meta_text(x, meta, "uid");

	if (!*want || strcmp(want, have) == 0)
		return 0;
	return status_conflict(err, &x->c->about, x->name,
			       "Precondition failed: UID in precondition: %.64s, UID in object "
			       "meta: %.64s",
			       want, have);
}

/* What no update changes. */
static void keep_old_meta(struct change *x, struct doc *meta)
{
	const struct doc *old = doc_get(&x->old, "metadata");

	if (!doc_get(meta, "uid"))
		keep_meta(x, meta, old, "uid");
	keep_meta(x, meta, old, "creationTimestamp");
	keep_meta(x, meta, old, "generation");
	keep_meta(x, meta, old, "selfLink");
	if (doc_get(old, "deletionTimestamp"))
		keep_meta(x, meta, old, "deletionTimestamp");
	if (!doc_get(meta, "deletionGracePeriodSeconds"))
		keep_meta(x, meta, old, "deletionGracePeriodSeconds");
}

/* The bytes of d as they are stored. */
static int stored_bytes(const struct doc *d, struct buf *out, struct err *err)
{
	buf_clear(out);
	return codec_store(d, out, err);
}

static struct doc shallow(struct change *x, const struct doc *obj)
{
	struct arena *a = call_work(x->c);
	struct doc d = doc_object();

	DOC_EACH_MEMBER (key, value, obj)
		doc_add_node(a, &d, *key, *value);
	return d;
}

/*
 * An object that differs from the live one in the times of managedFields only is the same: then
 * those of the live one stay.
 */
int change_same(struct change *x)
{
	struct buf *a = &x->json[0], *b = &x->json[1];
	const struct doc *old_meta = doc_get(&x->old, "metadata");
	struct doc *meta = doc_get(&x->obj, "metadata");
	const struct doc *mine = doc_get(meta, "managedFields");
	const struct doc *theirs = doc_get(old_meta, "managedFields");
	struct doc copy, copy_meta;

	if (cache_is_stale(x->o->cache, item_key(x->live)) || item_is_older(x->live) ||
	    !codec_is_in(x->live, x->home->kind))
		return 0;
	copy = x->obj;
	if (mine && theirs && managed_same(mine, theirs)) {
		copy = shallow(x, &x->obj);
		copy_meta = shallow(x, meta);
		change_set_meta(x, &copy_meta, "managedFields", *theirs);
		doc_set(call_work(x->c), &copy, "metadata", copy_meta);
	}
	if (stored_bytes(&copy, a, NULL) < 0 || stored_bytes(&x->old, b, NULL) < 0)
		return 0;
	return slice_eq(buf_slice(a), buf_slice(b));
}

/* From the client's view to what is stored. */
static int to_stored(struct change *x, struct doc *view, struct err *err)
{
	struct call *c = x->c;
	struct arena *a = call_work(c);
	struct doc *copy, managed = doc_null();
	int r;

	if (!x->scale)
		return codec_convert(c->resource->kind, x->o->kind, view, a, &x->obj, err);
	copy = doc_copy_shared(a, &x->old);
	if (!copy)
		return arena_quota(a, err);
	x->obj = *copy;
	r = scale_set(x->o->kind, &x->obj, view, a, err);
	if (r < 0)
		return r;
	if (scale_managed_to_parent(x->o->kind, doc_find(&x->old, "metadata.managedFields"),
				    doc_find(view, "metadata.managedFields"), a, &managed,
				    NULL) == 0 &&
	    doc_len(&managed))
		change_set_meta(x, change_meta(x, x->o->kind->type, &x->obj), "managedFields",
				managed);
	return 0;
}

static int settle_changed(struct change *x, struct err *err)
{
	int r = 0;

	if (x->ask.changed && x->scale) {
		r = to_stored(x, &x->body, err);
		if (r == 0)
			keep_old_meta(x, change_meta(x, x->o->kind->type, &x->obj));
	} else if (x->ask.changed) {
		dedup_owners(x, &x->obj);
	}
	if (r == 0)
		r = strategy_update(&x->sc, &x->obj, &x->old, err);
	return r < 0 ? r : check_all(x, err);
}

static int finish_changed(struct change *x, struct err *err)
{
	int r = charge(x, err);

	if (r < 0)
		return r;
	if (!strategy_is_over(x->o->kind, &x->obj, &x->old))
		return change_same(x);
	x->remove = true;
	return change_commit_removal(x, err);
}

int change_update(struct change *x, struct doc *view, bool put, struct err *err)
{
	struct doc *meta = change_meta(x, x->type, view);
	int r = put ? check_uid(x, meta, err) : 0;

	if (r == 0 && !x->scale)
		r = check_revision(x, meta, err);
	dedup_owners(x, view);
	if (r == 0)
		r = track(x, &x->view, view, err);
	if (r == 0)
		r = to_stored(x, view, err);
	if (r < 0)
		return r;
	meta = change_meta(x, x->o->kind->type, &x->obj);
	if (x->scale)
		r = check_revision(x, meta, err);
	if (r < 0)
		return r;
	keep_old_meta(x, meta);
	change_strategy(x);
	x->settle = settle_changed;
	x->finish = finish_changed;
	if (x->scale)
		x->body = *view;
	change_ask(x, HOOK_UPDATE, x->scale, "UpdateOptions");
	return change_admit(x, &x->old, err);
}

/* ---- writing ---- */

/* The object in the version that is stored: a webhook may have to be asked. */
static int to_home(struct change *x, struct doc *ret, struct err *err)
{
	struct call *c = x->c;

	if (x->o != &x->own) {
		*ret = x->obj;
		return 0;
	}
	return call_convert(c, x->o->kind, x->home->kind, &x->obj, call_work(c), ret, err);
}

static int fill_op(struct change *x, size_t i, struct cache_op *op, const struct doc *obj,
		   struct err *err)
{
	int r = 0;

	buf_clear(&x->json[i]);
	if (obj)
		r = stored_bytes(obj, &x->json[i], err);
	op->json = buf_slice(&x->json[i]);
	return r;
}

static int fill_ops(struct change *x, struct err *err)
{
	struct call *c = x->c;
	struct cache_op *op = &x->ops[0];
	struct doc stored;
	int r = x->remove ? 0 : to_home(x, &stored, err);

	if (r < 0)
		return r;
	*op = (struct cache_op){
		.cache = x->home->cache,
		.key = call_key(c, namespace_of(c), x->name),
		.expect = x->live ? item_revision(x->live) : 0,
		.ttl = x->o->strategy->flags & STRATEGY_TTL ? EVENT_TTL : 0,
	};
	r = fill_op(x, 0, op, x->remove ? NULL : &stored, err);
	for (size_t i = 0; r == 0 && i < x->sc.nmore; i++) {
		const struct strategy_more *m = &x->sc.more[i];

		op = &x->ops[i + 1];
		*op = (struct cache_op){ .cache = m->objects->cache,
					 .key = slice_str(m->key),
					 .expect = m->expect };
		r = fill_op(x, i + 1, op, m->obj, err);
	}
	return r;
}

static void finish_change(struct change *x);

/* Someone was faster. */
static void again(struct change *x)
{
	struct call *c = x->c;
	struct err err = ERR_INIT;

	if (x->created && x->w.failed == 0 && c->rq.verb == VERB_CREATE) {
		if (x->prefix && x->tries < CHANGE_NAME_TRIES) {
			change_run(x);
			return;
		}
		(void)(x->prefix ? status_generate_exists(&err, &c->about, x->name)
				 : status_exists(&err, &c->about, x->name));
		change_fail(x, &err);
		return;
	}
	/* What is written beside it (a quota) was: somebody else got on, so this ends. */
	if (x->asks && x->w.failed > x->allotted && !c->answered) {
		x->sc.nmore = x->allotted; /* webhooks need not be asked again */
		finish_change(x);
		return;
	}
	if (x->w.failed > 0)
		x->tries--;
	if (x->tries < x->tries_max) {
		change_run(x);
		return;
	}
	(void)status_conflict(&err, &c->about, x->name, STATUS_MODIFIED);
	change_fail(x, &err);
}

static void written(struct cache_write *w)
{
	struct change *x = CONTAINER_OF(w, struct change, w);

	if (w->result < 0) {
		change_fail(x, &w->err);
	} else if (w->result == 1) {
		again(x);
	} else {
		if (!x->c->answered)
			x->answer(x, x->ops[0].result);
		change_end(x);
	}
}

static void store(struct change *x);

static void store_again(void *arg, bool given_up)
{
	if (given_up)
		change_end(arg);
	else
		store(arg);
}

static void store(struct change *x)
{
	struct err err ERR_RAW;
	struct collection *o;
	int r;

	err_clear(&err);
	/* The definition may have gone while a webhook converted. */
	r = x->o == &x->own ? call_objects(x->c, &o, &err) : 0;
	if (r == 0)
		r = fill_ops(x, &err);
	if (call_asks(x->c, store_again, x))
		return;
	if (r < 0) {
		change_fail(x, &err);
		return;
	}
	x->w = (struct cache_write){ .ops = x->ops, .n = 1 + x->sc.nmore, .done = written };
	cache_write(x->c->srv->conf.world, &x->w);
}

/* ---- the way ---- */

static void run(struct change *x);

static void run_again(void *arg, bool given_up)
{
	if (given_up)
		change_end(arg);
	else
		run(arg);
}

static void concluded(struct change *x, int r, struct err *err)
{
	struct call *c = x->c;

	if (r < 0) {
		if (!pauses(x))
			change_fail(x, err);
	} else if (r == 1) {
		x->answer(x, x->live);
		change_end(x);
	} else if (c->q.dry_run) {
		x->answer(x, NULL);
		change_end(x);
	} else {
		store(x);
	}
}

static void finish_change(struct change *x)
{
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	r = x->finish ? x->finish(x, &err) : 0;
	if (!call_asks(x->c, run_again, x))
		concluded(x, r, &err);
}

/* The client has gone, or its time is up, while webhooks are asked. */
static void stop_asking(struct call *c)
{
	struct change *x = c->verb;

	hook_ask_cancel(&x->ask);
	change_end(x);
}

/* What was prepared may have been overtaken while others were asked. 1: it has to begin anew. */
static int look_again(struct change *x, struct err *err)
{
	struct collection *o;
	int r = call_objects(x->c, &o, err);

	return r < 0 ? r : o != x->home || o->kind != x->kept;
}

static void judge(struct change *x);

static void judge_again(void *arg, bool given_up)
{
	if (given_up)
		change_end(arg);
	else
		judge(arg);
}

/* Webhooks that change things are not asked again when only this waits. */
static void judge(struct change *x)
{
	struct call *c = x->c;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	r = x->judged ? admit_all(x, &err) : 0;
	if (call_asks(c, judge_again, x))
		return;
	if (r != 0) {
		concluded(x, r, &err);
		return;
	}
	x->settled = true;
	c->stop = stop_asking;
	hook_ask_validate(&x->ask);
}

static void asked(struct hook_ask *k, int result, struct err *err)
{
	struct change *x = k->arg;
	struct call *c = x->c;
	CLEANUP(call_drop) struct call *held = call_hold(c);
	const bool first = !x->settled;

	(void)held;
	c->stop = NULL;
	if (result < 0 && k->denied.type != DOC_NULL) {
		hook_ask_fail(k, err);
		change_end(x);
		return;
	}
	if (result == 0)
		result = look_again(x, err);
	if (result == 1) {
		change_run(x);
		return;
	}
	if (result == 0 && first && x->settle)
		result = x->settle(x, err);
	if (call_asks(c, run_again, x))
		return;
	if (result != 0) {
		concluded(x, result, err);
		return;
	}
	if (first)
		judge(x);
	else
		finish_change(x);
}

static void ask(struct change *x)
{
	struct call *c = x->c;

	x->settled = false;
	x->ask.done = asked;
	c->verb = x;
	c->stop = stop_asking;
	hook_ask_mutate(&x->ask);
}

/* What an earlier attempt noted for the log is not so any more. */
static void forget_notes(struct change *x)
{
	struct call *c = x->c;

	if (!x->noted) {
		x->noted = true;
		x->notes = ARENA_ARRAY(c->a, struct apiaudit_note, c->nnotes);
		x->nnotes = x->notes ? c->nnotes : 0;
		for (size_t i = 0; i < x->nnotes; i++)
			x->notes[i] = c->notes[i];
	}
	for (size_t i = 0; i < x->nnotes; i++)
		c->notes[i] = x->notes[i];
	c->nnotes = x->nnotes;
}

void change_run(struct change *x)
{
	x->uid[0] = '\0';
	x->made_name = NULL;
	x->now = 0;
	run(x);
}

static void run(struct change *x)
{
	struct call *c = x->c;
	struct err err ERR_RAW;
	int r;

	err_clear(&err);
	x->tries++;
	x->remove = x->created = x->applied = x->clear = x->asks = x->judged = false;
	x->settle = x->finish = NULL;
	x->sc.nmore = 0;
	forget_notes(x);
	if (c->answered) { /* the client has gone: what it asked for is not tried again */
		change_end(x);
		return;
	}
	(void)call_work_again(c);
	c->about = status_about(c->resource->kind);
	c->about.kind = x->kind;
	r = x->prepare(x, &err);
	if (call_asks(c, run_again, x)) {
		x->tries--;
		return;
	}
	if (r == 0 && x->asks)
		ask(x);
	else
		concluded(x, r, &err);
}
