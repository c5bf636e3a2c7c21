/* SPDX-License-Identifier: Apache-2.0 */
/* What descriptions of several kinds have: labels, annotations, selectors, conditions, events; and
 * how related objects are asked for. */
#include "cli/kubectl/describe.h"

#include "api/quantity.h"
#include "api/selector.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/url.h"

#include <ctype.h>

#define TARGET_MAX 65536
#define NOTE_MAX 140
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* ---- order ---- */

struct doc *const *describe_sorted(struct describe *d, const struct doc *list,
				   int (*cmp)(const struct doc *a, const struct doc *b), size_t *n)
{
	struct doc **v = ARENA_ARRAY(d->k->arena, struct doc *, doc_len(list) + 1);

	*n = 0;
	for (size_t i = 0; v && i < doc_len(list); i++) {
		struct doc *e = doc_is(list, DOC_ARRAY) ? doc_at(list, i) : doc_key_at(list, i);
		size_t at = (*n)++, low = 0, high = at;

		while (low < high) {
			size_t mid = (low + high) / 2;

			if (cmp(v[mid], e) <= 0)
				low = mid + 1;
			else
				high = mid;
		}
		memmove(v + low + 1, v + low, (at - low) * sizeof(struct doc *));
		v[low] = e;
	}
	return v;
}

int describe_by_text(const struct doc *a, const struct doc *b)
{
	return slice_cmp(doc_slice(a), doc_slice(b));
}

static int by_key(const struct doc *a, const struct doc *b)
{
	return slice_cmp(slice_of(a->s, a->n), slice_of(b->s, b->n));
}

struct doc *const *describe_keys(struct describe *d, const struct doc *map, size_t *n)
{
	return describe_sorted(d, doc_is(map, DOC_OBJECT) ? map : NULL, by_key, n);
}

/* ---- maps ---- */

const char *describe_map(struct describe *d, const struct doc *map)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
	size_t n;
	struct doc *const *keys = describe_keys(d, map, &n);
	const char *s;

	for (size_t i = 0; i < n; i++) {
		struct slice v = doc_slice(keys[i] + 1);

		buf_addf(&b, "%s%.*s=%.*s", i ? "," : "", (int)keys[i]->n, keys[i]->s, (int)v.n,
			 v.n ? v.p : "");
	}
	s = n ? arena_strndup(d->k->arena, buf_str(&b), b.n) : "<none>";
	return s ? s : "";
}

void describe_labels(struct describe *d, const char *indent, const char *title,
		     const struct doc *labels)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, labels, &n);

	describe_f(d, 0, "%s%s:\t", indent, title);
	if (!n)
		describe_f(d, 0, "<none>\n");
	for (size_t i = 0; i < n; i++) {
		struct slice v = doc_slice(keys[i] + 1);

		if (i) {
			describe_f(d, 0, "%s", indent);
			describe_f(d, 0, "\t");
		}
		describe_f(d, 0, "%.*s=%.*s\n", (int)keys[i]->n, keys[i]->s, (int)v.n,
			   v.n ? v.p : "");
	}
}

/* Long ones, and those of several lines, stand below their name and are cut. */
static void note(struct describe *d, const struct doc *key)
{
	struct slice v = doc_slice(key + 1), rest;

	if (slice_ends(v, SLICE("\n")))
		v.n--;
	if (v.n + key->n + 2 <= NOTE_MAX && !slice_has(v, '\n')) {
		describe_f(d, 0, "%.*s: %.*s\n", (int)key->n, key->s, (int)v.n, v.n ? v.p : "");
		return;
	}
	describe_f(d, 0, "%.*s:\n", (int)key->n, key->s);
	for (rest = v; rest.p;) {
		struct slice line = slice_split(&rest, '\n');

		describe_f(d, 0, "\t  %.*s%s\n", (int)MIN(line.n, (size_t)NOTE_MAX - 2), line.p,
			   line.n > NOTE_MAX - 2 ? "..." : "");
	}
}

void describe_annotations(struct describe *d, const char *title, const struct doc *notes)
{
	size_t n, written = 0;
	struct doc *const *keys = describe_keys(d, notes, &n);

	describe_f(d, 0, "%s:\t", title);
	for (size_t i = 0; i < n; i++) {
		if (slice_is(slice_of(keys[i]->s, keys[i]->n), LAST_APPLIED))
			continue;
		if (written++)
			describe_f(d, 0, "\t");
		note(d, keys[i]);
	}
	if (!written)
		describe_f(d, 0, "<none>\n");
}

void describe_head(struct describe *d, bool space)
{
	const struct doc *meta = doc_get(d->obj, "metadata");

	describe_put(d, 0, meta,
		     space ? "Name:\t{name}\nNamespace:\t{namespace}\n" : "Name:\t{name}\n");
	describe_labels(d, "", "Labels", doc_get(meta, "labels"));
	describe_annotations(d, "Annotations", doc_get(meta, "annotations"));
}

void describe_phase(struct describe *d)
{
	const struct doc *gone = doc_find(d->obj, "metadata.deletionTimestamp");

	if (gone)
		describe_f(d, 0, "Status:\tTerminating (lasts %s)\n", describe_age(d, gone));
	else
		describe_put(d, 0, d->obj, "Status:\t{status.phase}\n");
}

/* ---- values ---- */

const char *describe_selector(struct describe *d, const struct doc *selector, const char *none)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TARGET_MAX);
	struct err err = ERR_INIT;
	struct selector s;
	bool nothing = false;
	const char *text;

	if (selector_object(selector, d->k->arena, &s, &nothing, &err) < 0)
		return arena_printf(d->k->arena, "<error: %s>", err.msg);
	if (nothing || selector_print(&s, &b) < 0 || !b.n)
		return none;
	text = arena_strndup(d->k->arena, buf_str(&b), b.n);
	return text ? text : none;
}

static const struct doc *controller(const struct doc *obj)
{
	DOC_EACH (o, doc_find(obj, "metadata.ownerReferences"))
		if (doc_true(doc_get(o, "controller")))
			return o;
	return NULL;
}

const char *describe_controller(struct describe *d, const struct doc *obj)
{
	const struct doc *o = controller(obj);

	const char *s = o ? arena_printf(d->k->arena, "%s/%s", kubectl_text(d->k, o, "kind"),
					 kubectl_text(d->k, o, "name"))
			  : NULL;

	return s ? s : "";
}

bool describe_owned(struct describe *d, const struct doc *obj, const char *uid)
{
	const struct doc *o = controller(obj);

	return o && strcmp(kubectl_text(d->k, o, "uid"), uid) == 0;
}

const char *describe_quantity(struct describe *d, const struct quantity *q)
{
	char text[QUANTITY_TEXT_MAX];
	const char *s;

	(void)quantity_print(q, text); /* its length */
	s = arena_strdup(d->k->arena, text);
	return s ? s : "";
}

struct quantity describe_amount(const struct doc *map, const char *name)
{
	struct quantity q = { 0 };

	(void)describe_read_quantity(doc_get(map, name), &q); /* none: zero */
	return q;
}

const char *describe_age(struct describe *d, const struct doc *when)
{
	char age[32];
	const char *s = arena_strdup(d->k->arena, kubectl_age(age, doc_slice(when)));

	return s ? s : "";
}

/* ---- conditions, events ---- */

void describe_conditions(struct describe *d, const char *heads, const char *row)
{
	const struct doc *v = doc_find(d->obj, "status.conditions");

	if (!doc_len(v))
		return;
	describe_f(d, 0, "Conditions:\n");
	describe_put(d, 1, NULL, heads);
	DOC_EACH (c, v)
		describe_put(d, 1, c, row);
}

const char *describe_interval(struct describe *d, const struct doc *e)
{
	const struct doc *series = doc_get(e, "series"), *at = doc_get(e, "eventTime");
	const char *first = describe_age(d, doc_slice(at).n ? at : doc_get(e, "firstTimestamp"));
	int64_t count = describe_int(e, "count", 0);
	const struct doc *last = doc_get(e, "lastTimestamp");

	if (doc_is(series, DOC_OBJECT)) {
		last = doc_get(series, "lastObservedTime");
		count = describe_int(series, "count", 0);
	} else if (count <= 1) {
		return first;
	}
	first = arena_printf(d->k->arena, "%s (x%lld over %s)", describe_age(d, last),
			     (long long)count, first);
	return first ? first : "";
}

static int by_last_time(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_get(a, "lastTimestamp"), doc_get(b, "lastTimestamp"));
}

static struct slice trimmed(struct slice s)
{
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	while (s.n && isspace((unsigned char)*s.p))
		s = slice_of(s.p + 1, s.n - 1);
	return s;
}

void describe_events(struct describe *d)
{
	size_t n;
	struct doc *const *v;

	if (!d->events)
		return;
	if (!doc_len(d->events)) {
		describe_f(d, 0, "Events:\t<none>\n");
		return;
	}
	v = describe_sorted(d, d->events, by_last_time, &n);
	describe_put(d, 0, NULL,
		     "Events:\n  Type\tReason\tAge\tFrom\tMessage\n"
		     "  ----\t------\t----\t----\t-------\n");
	for (size_t i = 0; i < n; i++) {
		struct slice m = trimmed(doc_slice(doc_get(v[i], "message")));
		const char *from = kubectl_text(d->k, v[i], "source.component");

		describe_f(d, 1, "%s\t%s\t%s\t%s\t%.*s\n", kubectl_text(d->k, v[i], "type"),
			   kubectl_text(d->k, v[i], "reason"), describe_interval(d, v[i]),
			   *from ? from : kubectl_text(d->k, v[i], "reportingComponent"), (int)m.n,
			   m.n ? m.p : "");
	}
}

/* ---- asking ---- */

static void path_of(const struct describe_ask *ask, const char *name, struct buf *out)
{
	buf_addf(out, "/%s", ask->api);
	if (ask->space && *ask->space) {
		buf_adds(out, "/namespaces/");
		url_encode(out, slice_str(ask->space), false);
	}
	buf_addf(out, "/%s", ask->resource);
	if (name) {
		buf_addc(out, '/');
		url_encode(out, slice_str(name), false);
	}
}

int describe_get(struct describe *d, const struct describe_ask *ask, const char *name,
		 struct doc **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	struct client_request rq = { 0 };

	path_of(ask, name, &path);
	if (path.full)
		return err_set(err, ERR_TOO_LARGE, "the name is too long");
	rq.target = buf_str(&path);
	return client_call_doc(d->k->client, d->k->arena, &rq, ret, err);
}

int describe_list(struct describe *d, const struct describe_ask *ask, struct doc **ret,
		  struct err *err)
{
	struct doc *all = doc_new_array(d->k->arena), *part;
	const char *more = NULL;

	do {
		CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
		struct client_request rq = { 0 };
		char limit[24];
		int r;

		path_of(ask, NULL, &path);
		query_add(&path, "labelSelector", ask->labels);
		query_add(&path, "fieldSelector", ask->fields);
		(void)snprintf(limit, sizeof(limit), "%lld", (long long)d->chunk);
		if (d->chunk > 0)
			query_add(&path, "limit", limit);
		query_add(&path, "continue", more);
		if (path.full)
			return err_set(err, ERR_TOO_LARGE, "the selector is too long");
		rq.target = buf_str(&path);
		r = client_call_doc(d->k->client, d->k->arena, &rq, &part, err);
		if (r < 0)
			return r;
		DOC_EACH (e, doc_get(part, "items"))
			doc_append(d->k->arena, all, *e);
		more = doc_cstr(d->k->arena, doc_find(part, "metadata.continue"));
	} while (more && *more);
	*ret = all;
	return arena_exceeded(d->k->arena) ? arena_quota(d->k->arena, err) : 0;
}

/* Nobody may look at events, or there are none: the description goes on without them. */
void describe_find_events(struct describe *d, const char *kind, const char *uid)
{
	struct arena *a = d->k->arena;
	const char *fields = arena_printf(a, "involvedObject.name=%s,involvedObject.namespace=%s",
					  d->name, d->space);
	struct describe_ask ask = { .api = "api/v1", .resource = "events", .space = d->space };
	struct err err = ERR_INIT;
	struct doc *found;

	if (fields && kind)
		fields = arena_printf(a, "%s,involvedObject.kind=%s", fields, kind);
	if (fields && uid && *uid)
		fields = arena_printf(a, "%s,involvedObject.uid=%s", fields, uid);
	ask.fields = fields;
	if (!d->events)
		d->events = doc_new_array(a);
	if (fields && describe_list(d, &ask, &found, &err) == 0)
		DOC_EACH (e, found)
			doc_append(a, d->events, *e);
}
