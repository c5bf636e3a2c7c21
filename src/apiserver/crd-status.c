/* SPDX-License-Identifier: Apache-2.0 */
/* What a definition's status says, in upstream's words; and how stored definitions are changed. */
#include "apiserver/crd-private.h"

#include "api/defaults.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* ---- conditions ---- */

struct doc crd_time(struct arena *a, int64_t now)
{
	char text[CLOCK_TEXT_MAX];

	return doc_str(a, clock_rfc3339nano(text, now * NS_PER_SEC));
}

static struct doc *find(const struct doc *crd, const char *type)
{
	DOC_EACH (c, doc_find(crd, "status.conditions"))
		if (doc_str_is(doc_get(c, "type"), type))
			return c;
	return NULL;
}

bool crd_condition_is(const struct doc *crd, const char *type, const char *status)
{
	return doc_str_is(doc_get(find(crd, type), "status"), status);
}

/* The status, and a list in it. */
static struct doc *status_of(struct arena *a, struct doc *crd)
{
	struct doc *s = doc_get(crd, "status");

	return doc_is(s, DOC_OBJECT) ? s : doc_set_object(a, crd, "status");
}

static struct doc *conditions_of(struct arena *a, struct doc *crd)
{
	struct doc *s = status_of(a, crd), *list = doc_get(s, "conditions");

	return doc_is(list, DOC_ARRAY) ? list : doc_set_array(a, s, "conditions");
}

bool crd_condition(struct arena *a, struct doc *crd, const char *type, const char *status,
		   const char *reason, const char *message, int64_t now)
{
	struct doc *c = find(crd, type);
	bool same = c && doc_str_is(doc_get(c, "status"), status);

	if (same && doc_str_is(doc_get(c, "reason"), reason) &&
	    doc_str_is(doc_get(c, "message"), message))
		return false;
	if (!c)
		c = doc_append_object(a, conditions_of(a, crd));
	doc_set_str(a, c, "type", type);
	doc_set_str(a, c, "status", status);
	if (!same)
		doc_set(a, c, "lastTransitionTime", crd_time(a, now));
	doc_set_str(a, c, "reason", reason);
	doc_set_str(a, c, "message", message);
	return true;
}

bool crd_condition_remove(struct doc *crd, const char *type)
{
	struct doc *list = doc_find(crd, "status.conditions");

	for (size_t i = 0; i < doc_len(list); i++)
		if (doc_str_is(doc_get(doc_at(list, i), "type"), type))
			return doc_remove_at(list, i);
	return false;
}

/* ---- finalizers ---- */

bool crd_has_finalizer(const struct doc *crd)
{
	DOC_EACH (f, doc_find(crd, "metadata.finalizers"))
		if (doc_str_is(f, CRD_CLEANUP))
			return true;
	return false;
}

size_t crd_remove_finalizer(struct doc *crd)
{
	struct doc *list = doc_find(crd, "metadata.finalizers");

	for (size_t i = doc_len(list); i-- > 0;)
		if (doc_str_is(doc_at(list, i), CRD_CLEANUP))
			(void)doc_remove_at(list, i);
	return doc_len(list);
}

/* ---- names ---- */

static bool in_list(const struct doc *list, const struct doc *name)
{
	DOC_EACH (x, list)
		if (doc_equal(x, name))
			return true;
	return false;
}

static bool same(const struct doc *names, const char *field, const struct doc *name)
{
	const struct doc *v = doc_get(names, field);

	return v && v->n && doc_equal(v, name);
}

/* Has another definition of the group this name for its resource, or for its kind? */
static bool is_used(const struct crd_all *others, const char *group, const struct doc *name,
		    bool of_kind)
{
	for (size_t i = 0; i < others->n; i++) {
		const struct doc *n = others->v[i].accepted;

		if (strcmp(others->v[i].group, group) != 0)
			continue;
		if (of_kind ? same(n, "kind", name) || same(n, "listKind", name)
			    : same(n, "plural", name) || same(n, "singular", name) ||
				      in_list(doc_get(n, "shortNames"), name))
			return true;
	}
	return false;
}

struct naming {
	struct arena *a;
	const struct crd_all *others;
	const char *group;
	const struct doc *want;
	struct doc *have; /* what is accepted; changed in place */
	const char *reason, *message;
};

static void name_one(struct naming *x, const char *field, bool of_kind, const char *reason)
{
	const struct doc *want = doc_get(x->want, field), *have = doc_get(x->have, field);

	if (!want || want->n == 0 || (have && doc_equal(want, have)))
		return;
	if (is_used(x->others, x->group, want, of_kind)) {
		x->reason = reason;
		x->message =
			arena_printf(x->a, "\"%.*s\" is already in use", (int)want->n, want->s);
	} else {
		doc_set(x->a, x->have, field, *want);
	}
}

static void name_shorts(struct naming *x)
{
	const struct doc *want = doc_get(x->want, "shortNames"),
			 *have = doc_get(x->have, "shortNames");
	CLEANUP(buf_fini) struct buf words = BUF_INIT(16 << 10);
	unsigned bad = 0;

	if (doc_len(want) == doc_len(have) && (!want || !have || doc_equal(want, have)))
		return;
	DOC_EACH (s, want) {
		if (in_list(have, s) || !is_used(x->others, x->group, s, false))
			continue;
		(void)buf_addf(&words, "%s\"%.*s\" is already in use", bad++ ? ", " : "", (int)s->n,
			       s->s);
	}
	if (bad) {
		x->reason = "ShortNamesConflict";
		x->message = arena_printf(x->a, bad > 1 ? "[%s]" : "%s", buf_str(&words));
	} else if (want) {
		doc_set(x->a, x->have, "shortNames", *want);
	} else {
		(void)doc_remove(x->have, "shortNames");
	}
}

static struct doc *accepted_of(struct arena *a, struct doc *crd)
{
	struct doc *s = status_of(a, crd), *names = doc_get(s, "acceptedNames");

	if (doc_is(names, DOC_OBJECT))
		return names;
	names = doc_set_object(a, s, "acceptedNames");
	doc_set_str(a, names, "plural", "");
	doc_set_str(a, names, "kind", "");
	return names;
}

/* ---- approval of the project's own groups ---- */

#define APPROVED "api-approved.kubernetes.io"
#define SEE "see https://github.com/kubernetes/enhancements/pull/1111"

static bool is_protected(struct slice group)
{
	return slice_is(group, "k8s.io") || slice_ends(group, SLICE(".k8s.io")) ||
	       slice_is(group, "kubernetes.io") || slice_ends(group, SLICE(".kubernetes.io"));
}

static bool is_url(struct slice s)
{
	const char *colon = s.n ? memmem(s.p, s.n, "://", 3) : NULL;

	return colon && colon > s.p && colon + 3 < s.p + s.n;
}

static void set_approval(struct arena *a, struct doc *crd, int64_t now)
{
	struct slice v = doc_slice(doc_get(doc_find(crd, "metadata.annotations"), APPROVED));
	const char *text = arena_strndup(a, v.n ? v.p : "", v.n), *reason, *words;

	if (!is_protected(doc_slice(doc_find(crd, "spec.group"))) || !text)
		return;
	if (v.n == 0) {
		reason = "MissingAnnotation";
		words = "protected groups must have approval annotation \"" APPROVED "\", " SEE;
	} else if (slice_starts(v, SLICE("unapproved"))) {
		reason = "UnapprovedAnnotation";
		words = arena_printf(a, "not approved: \"%s\"", text);
	} else if (is_url(v)) {
		reason = "ApprovedAnnotation";
		words = arena_printf(a, "approved in %s", text);
	} else {
		reason = "InvalidAnnotation";
		words = "protected groups must have approval annotation \"" APPROVED
			"\" with either a URL or a reason starting with \"unapproved\", " SEE;
	}
	if (words)
		(void)crd_condition(a, crd, "KubernetesAPIApprovalPolicyConformant",
				    strcmp(reason, "ApprovedAnnotation") == 0 ? "True" : "False",
				    reason, words, now);
}

void crd_set_names(struct arena *a, struct doc *crd, const struct crd_all *others, int64_t now)
{
	struct naming x = { .a = a, .others = others, .want = doc_find(crd, "spec.names") };

	x.group = doc_cstr(a, doc_find(crd, "spec.group"));
	x.have = accepted_of(a, crd);
	if (!x.group || !x.have)
		return; /* the arena has it on record */
	name_one(&x, "plural", false, "PluralConflict");
	name_one(&x, "singular", false, "SingularConflict");
	name_shorts(&x);
	name_one(&x, "kind", true, "KindConflict");
	name_one(&x, "listKind", true, "ListKindConflict");
	if (doc_get(x.want, "categories"))
		doc_set(a, x.have, "categories", *doc_get(x.want, "categories"));
	else
		(void)doc_remove(x.have, "categories");
	(void)crd_condition(a, crd, "NamesAccepted", x.reason ? "False" : "True",
			    x.reason ? x.reason : "NoConflicts",
			    x.reason ? x.message : "no conflicts found", now);
	set_approval(a, crd, now);
}

/* ---- writing ---- */

int crd_write_add(struct crd_write *w, struct cache *c, struct slice key, const struct doc *obj,
		  int64_t expect, struct err *err)
{
	size_t i = w->n;
	int r = 0;

	w->json[i] = BUF_INIT(CRD_DOC_MAX);
	if (obj)
		r = codec_store(obj, &w->json[i], err);
	if (r < 0) {
		buf_fini(&w->json[i]);
		return r;
	}
	w->keys[i] = strndup(key.p, key.n);
	if (!w->keys[i])
		abort(); /* out of memory of the machine */
	w->ops[i] = (struct cache_op){ .cache = c,
				       .key = slice_str(w->keys[i]),
				       .json = buf_slice(&w->json[i]),
				       .expect = expect };
	w->n++;
	return 0;
}

void crd_write_drop(struct crd_write *w)
{
	for (size_t i = 0; i < w->n; i++) {
		buf_fini(&w->json[i]);
		free(w->keys[i]);
	}
	w->n = 0;
}

static void on_written(struct cache_write *x)
{
	struct crd_write *w = CONTAINER_OF(x, struct crd_write, write);

	w->busy = false;
	crd_write_drop(w);
	w->done(w);
}

void crd_write_go(struct crd_write *w, struct world *world)
{
	w->write = (struct cache_write){ .ops = w->ops, .n = w->n, .done = on_written };
	w->busy = true;
	cache_write(world, &w->write);
}
