/* SPDX-License-Identifier: Apache-2.0 */
/* One write: metadata of its object, names and namespaces. */
#include "apiserver/rest/change-private.h"

#include "api/defaults.h"
#include "base/clock.h"

#include <string.h>

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

const char *change_now(struct change *x)
{
	char text[CLOCK_TEXT_MAX];

	if (!x->now)
		x->now = clock_real() / NS_PER_SEC * NS_PER_SEC;
	(void)clock_rfc3339nano(text, x->now);
	return arena_strdup(call_work(x->c), text);
}

struct doc change_text_doc(struct change *x, const char *s)
{
	return doc_str(call_work(x->c), s);
}

/* ---- names and namespaces ---- */

const char *change_text(struct change *x, const struct doc *meta, const char *field)
{
	const char *s = doc_cstr(call_work(x->c), doc_get(meta, field));

	return s ? s : "";
}

const char *change_ns_of(const struct call *c)
{
	return c->resource->kind->namespaced ? c->rq.namespace_ : "";
}

/* The namespace of the body is the URL's. */
int change_ns(struct change *x, struct doc *meta, struct err *err)
{
	const char *want = change_ns_of(x->c), *have = change_text(x, meta, "namespace");

	if (strcmp(want, have) == 0)
		return 0;
	if (*want && *have)
		return status_bad_request(err, &x->c->about,
					  "the namespace of the provided object does not match the "
					  "namespace sent on the request");
	if (*want)
		change_set_meta(x, meta, "namespace", change_text_doc(x, want));
	else
		(void)doc_remove(meta, "namespace");
	return 0;
}

int change_names(struct change *x, struct doc *view, struct err *err)
{
	struct doc *meta = change_meta(x, x->type, view);
	const char *name = change_text(x, meta, "name"), *want = x->c->rq.name;
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
