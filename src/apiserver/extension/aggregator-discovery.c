/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other API servers say of themselves, which may be anything. Only what is understood is taken
 * over, in our own words and order; names are checked, since they stand in everybody's discovery.
 */
#include "apiserver/extension/aggregator-private.h"

#include "base/arena.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <string.h>

#define RESOURCES_MAX 2000 /* with subresources */
#define WORDS_MAX 64	   /* verbs, short names, categories of one */
#define WORD_MAX 253
#define URL_TEXT_MAX 1024

/* ---- words ---- */

/* Letters, digits and what joins them: of resources, kinds, verbs, groups, versions. */
static bool is_word(struct slice s, const char *also)
{
	if (s.n == 0 || s.n > WORD_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(also, c))))
			return false;
	}
	return true;
}

/* "" when it is not there. */
static struct slice text(const struct doc *d, const char *key)
{
	struct slice s = doc_slice(doc_get(d, key));

	return s.p ? s : SLICE("");
}

static int odd(struct slice name, const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID, "resource \"%.*s\": its %s cannot be used",
		       (int)MIN(name.n, (size_t)64), name.p, what);
}

/* A list of words, if there is one. */
static int put_words(struct arena *a, struct doc *to, const char *key, const struct doc *from,
		     struct err *err)
{
	const struct doc *list = doc_get(from, key);
	struct doc *out = NULL;

	if (doc_len(list) > WORDS_MAX)
		return odd(text(from, "name"), key, err);
	DOC_EACH (x, list) {
		struct slice s = doc_slice(x);

		if (!is_word(s, "-._*"))
			return odd(text(from, "name"), key, err);
		if (!out)
			out = doc_set_array(a, to, key);
		(void)doc_append(a, out, doc_strn(a, s.p, s.n));
	}
	return 0;
}

/* ---- resources ---- */

struct reading {
	struct arena *a;
	const char *group, *version; /* of the list */
	struct doc out;
	struct map found; /* name -> its node of out: arrays move, so its place */
	size_t n;
};

static void put_kind(struct reading *k, struct doc *to, const struct doc *from)
{
	struct doc *kind = doc_set_object(k->a, to, "responseKind");
	struct slice group = text(from, "group"), version = text(from, "version"),
		     name = text(from, "kind");
	bool own = !group.n && !version.n;

	if (own)
		doc_set_str(k->a, kind, "group", k->group);
	else
		doc_set_strn(k->a, kind, "group", group.p, group.n);
	if (own)
		doc_set_str(k->a, kind, "version", k->version);
	else
		doc_set_strn(k->a, kind, "version", version.p, version.n);
	doc_set_strn(k->a, kind, "kind", name.p, name.n);
}

static int check_kind(const struct doc *from, struct slice name, struct err *err)
{
	struct slice group = text(from, "group"), version = text(from, "version");

	if (!is_word(text(from, "kind"), ""))
		return odd(name, "kind", err);
	if ((group.n && !is_word(group, "-.")) || (version.n && !is_word(version, "")))
		return odd(name, "group or version", err);
	return 0;
}

/* The place of a resource, which a subresource may be the first to name. */
static struct doc *place(struct reading *k, struct slice name, const struct doc *from)
{
	size_t at = (size_t)(uintptr_t)map_get(&k->found, name);
	struct doc *to;

	if (at)
		return doc_at(&k->out, at - 1);
	to = doc_append_object(k->a, &k->out);
	if (!to)
		return NULL;
	(void)map_put(&k->found, name, (void *)(uintptr_t)doc_len(&k->out));
	doc_set_strn(k->a, to, "resource", name.p, name.n);
	doc_set_object(k->a, to, "responseKind");
	doc_set_str(k->a, to, "scope",
		    doc_true(doc_get(from, "namespaced")) ? "Namespaced" : "Cluster");
	doc_set_str(k->a, to, "singularResource", "");
	doc_set_array(k->a, to, "verbs");
	return to;
}

static int read_sub(struct reading *k, struct slice name, struct slice sub, const struct doc *from,
		    struct err *err)
{
	struct doc *to = place(k, name, from), *list, *one;

	if (!to)
		return arena_quota(k->a, err);
	list = doc_get(to, "subresources");
	if (!list)
		list = doc_set_array(k->a, to, "subresources");
	one = doc_append_object(k->a, list);
	doc_set_strn(k->a, one, "subresource", sub.p, sub.n);
	put_kind(k, one, from);
	doc_set_array(k->a, one, "verbs");
	return put_words(k->a, one, "verbs", from, err);
}

static int read_resource(struct reading *k, const struct doc *from, struct err *err)
{
	struct slice sub = text(from, "name"), name = slice_split(&sub, '/'),
		     singular = text(from, "singularName");
	struct doc *to;

	if (!is_word(name, "-.") || (sub.p && !is_word(sub, "-._/")))
		return odd(name, "name", err);
	if (check_kind(from, name, err) < 0)
		return err_ret(err);
	if (sub.p)
		return read_sub(k, name, sub, from, err);
	if (singular.n && !is_word(singular, "-."))
		return odd(name, "singularName", err);
	to = place(k, name, from);
	if (!to)
		return arena_quota(k->a, err);
	put_kind(k, to, from);
	doc_set_str(k->a, to, "scope",
		    doc_true(doc_get(from, "namespaced")) ? "Namespaced" : "Cluster");
	doc_set_strn(k->a, to, "singularResource", singular.p, singular.n);
	if (put_words(k->a, to, "verbs", from, err) < 0 ||
	    put_words(k->a, to, "shortNames", from, err) < 0)
		return err_ret(err);
	return put_words(k->a, to, "categories", from, err);
}

static int read_all(struct reading *k, const struct doc *list, struct err *err)
{
	if (doc_len(list) > RESOURCES_MAX)
		return err_set(err, ERR_QUOTA, "more than %d resources", RESOURCES_MAX);
	DOC_EACH (x, list)
		if (read_resource(k, x, err) < 0)
			return err_ret(err);
	return arena_exceeded(k->a) ? arena_quota(k->a, err) : 0;
}

int remote_resources(struct slice json, const char *group_version, struct arena *a, struct buf *out,
		     struct err *err)
{
	struct slice rest = slice_str(group_version), group = slice_split(&rest, '/');
	struct reading k = { .a = a, .out = doc_array() };
	struct doc *d;
	int r = json_read(a, json, NULL, &d, err);

	if (r < 0)
		return err_set(err, ERR_INVALID, "it is no JSON document");
	if (!doc_str_is(doc_get(d, "kind"), "APIResourceList") ||
	    !doc_str_is(doc_get(d, "groupVersion"), group_version) ||
	    !doc_is(doc_get(d, "resources"), DOC_ARRAY))
		return err_set(err, ERR_INVALID, "it is no APIResourceList of %.200s",
			       group_version);
	k.group = arena_strndup(a, group.p, group.n);
	k.version = arena_strndup(a, rest.p, rest.n);
	map_init(&k.found);
	r = k.group && k.version ? read_all(&k, doc_get(d, "resources"), err) : arena_quota(a, err);
	map_fini(&k.found);
	return r < 0 ? r : json_write(&k.out, NULL, out, err);
}

/* ---- OpenAPI ---- */

struct swagger {
	struct arena *a;
	struct map from; /* its definitions that are not wanted so far */
	struct doc *to;	 /* the others */
};

/* What a piece refers to joins the definitions, once; those are walked in their turn. */
static void want_all(struct swagger *w, const struct doc *d)
{
	static const struct slice prefix = SLICE("#/definitions/");

	DOC_EACH (x, d)
		want_all(w, x);
	DOC_EACH_MEMBER (key, value, d) {
		struct slice s = doc_slice(value), name;
		struct doc *found;

		if (!doc_str_is(key, "$ref") || !slice_starts(s, prefix)) {
			want_all(w, value);
			continue;
		}
		name = slice_of(s.p + prefix.n, s.n - prefix.n);
		found = map_del(&w->from, name);
		if (found)
			(void)doc_add(w->a, w->to, name, *found);
	}
}

int remote_swagger(struct slice json, const char *group_version, struct arena *a, struct buf *out,
		   struct err *err)
{
	const char *base = arena_printf(a, "/apis/%s", group_version);
	struct doc result = doc_object(), *d, *paths;
	struct swagger w = { .a = a };
	struct slice at;

	if (!base || json_read(a, json, NULL, &d, NULL) < 0 ||
	    !doc_str_is(doc_get(d, "swagger"), "2.0"))
		return err_set(err, ERR_INVALID, "it is no OpenAPI document of version 2");
	paths = doc_set_object(a, &result, "paths");
	DOC_EACH_MEMBER (key, value, doc_get(d, "paths")) {
		at = doc_slice(key);
		if (slice_starts(at, slice_str(base)) &&
		    (at.n == strlen(base) || at.p[strlen(base)] == '/') &&
		    doc_is(value, DOC_OBJECT))
			(void)doc_setn(a, paths, at, *value); /* the last of a name */
	}
	w.to = doc_set_object(a, &result, "definitions");
	map_init(&w.from);
	DOC_EACH_MEMBER (key, value, doc_get(d, "definitions"))
		if (doc_is(value, DOC_OBJECT))
			(void)map_put(&w.from, doc_slice(key), value);
	want_all(&w, doc_get(&result, "paths"));
	for (size_t i = 0; i < doc_len(w.to); i++) { /* it grows, and moves, on the way */
		const struct doc one = *doc_value_at(w.to, i);

		want_all(&w, &one);
	}
	map_fini(&w.from);
	return arena_exceeded(a) ? arena_quota(a, err) : json_write(&result, NULL, out, err);
}

const char *remote_index(struct slice json, const char *group_version, struct arena *a)
{
	const char *key = arena_printf(a, "apis/%s", group_version),
		   *start = arena_printf(a, "/openapi/v3/apis/%s", group_version);
	struct doc *d;
	struct slice url, tail;

	if (!key || !start || json_read(a, json, NULL, &d, NULL) < 0)
		return NULL;
	url = text(doc_get(doc_get(d, "paths"), key), "serverRelativeURL");
	if (url.n > URL_TEXT_MAX || !slice_starts(url, slice_str(start)))
		return NULL;
	tail = slice_of(url.p + strlen(start), url.n - strlen(start));
	if (tail.n && (!slice_starts(tail, SLICE("?hash=")) ||
		       !is_word(slice_of(tail.p + 6, tail.n - 6), "-._%=+")))
		return NULL;
	return arena_strndup(a, url.p, url.n);
}
