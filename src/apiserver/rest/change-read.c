/* SPDX-License-Identifier: Apache-2.0 */
/* One write: the live object and the body as documents, and who owns what of them. */
#include "apiserver/rest/change-private.h"

#include "api/managed.h"

#include <string.h>

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
	x->live = cache_get(x->o->cache, call_key(c, change_ns_of(c), name));
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
	const char *v = change_text(x, d, "apiVersion"), *k = change_text(x, d, "kind");
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

void change_dedup_owners(struct change *x, struct doc *view)
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

int change_track(struct change *x, const struct doc *live, struct doc *view, struct err *err)
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
