/* SPDX-License-Identifier: Apache-2.0 */
/* Events, namespaces, data, quotas, and kinds with nothing but a name and a time. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "doc/doc.h"

void columns_name_age(struct cells *c)
{
	cell_name(c);
	cell_age(c);
}

/* The default of kinds that upstream has no printer for. */
void columns_created(struct cells *c)
{
	cell_name(c);
	cell_or(c, cell_get(c->obj, "metadata.creationTimestamp"), "0001-01-01T00:00:00Z");
}

void columns_namespace(struct cells *c)
{
	cell_name(c);
	cell_path(c, "status.phase");
	cell_age(c);
}

void columns_config_map(struct cells *c)
{
	cell_name(c);
	cell_int(c, (int64_t)(doc_len(doc_get(c->obj, "data")) +
			      doc_len(doc_get(c->obj, "binaryData"))));
	cell_age(c);
}

void columns_secret(struct cells *c)
{
	cell_name(c);
	cell_path(c, "type");
	cell_count(c, "data");
	cell_age(c);
}

/* ---- quotas ---- */

/* "cpu: 1/4, pods: 3/10": what is limited (`limits.` in front) or the rest. */
static void quota_cell(struct cells *c, const struct slice *names, size_t n, bool limits)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	const struct doc *hard = doc_find(c->obj, "status.hard");
	const struct doc *used = doc_find(c->obj, "status.used");

	for (size_t i = 0; i < n; i++) {
		struct slice h = doc_slice(doc_getn(hard, names[i]));
		struct slice u = doc_slice(doc_getn(used, names[i]));

		if (slice_starts(names[i], SLICE("limits.")) != limits)
			continue;
		(void)buf_addf(&b, "%s%.*s: %.*s/%.*s", b.n ? ", " : "", (int)names[i].n,
			       names[i].p, u.n ? (int)u.n : 1, u.n ? u.p : "0", h.n ? (int)h.n : 1,
			       h.n ? h.p : "0");
	}
	cell_buf(c, &b, NULL);
}

void columns_quota(struct cells *c)
{
	size_t n;
	struct slice *names = cell_keys(c, doc_find(c->obj, "status.hard"), &n);

	cell_name(c);
	quota_cell(c, names, n, false);
	quota_cell(c, names, n, true);
	cell_age(c);
}

/* ---- events ---- */

/* The same fields under the names of core/v1 and of events.k8s.io/v1. */
struct event_names {
	const char *first, *last, *count, *object, *component, *host, *message;
	const char *controller, *instance;
};

static void event_target(struct cells *c, const struct doc *object)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	struct slice kind = cell_get(object, "kind"), name = cell_get(object, "name");

	(void)buf_add(&b, kind.p, kind.n);
	cell_lower(&b);
	if (name.n) {
		(void)buf_addc(&b, '/');
		(void)buf_add(&b, name.p, name.n);
	}
	cell_buf(c, &b, NULL);
}

static void event_source(struct cells *c, const struct event_names *f)
{
	struct slice who = cell_get(c->obj, f->component), where = cell_get(c->obj, f->host);

	who = who.n ? who : cell_get(c->obj, f->controller);
	where = where.n ? where : cell_get(c->obj, f->instance);
	cell_printf(c, "%.*s%s%.*s", (int)who.n, who.n ? who.p : "", where.n ? ", " : "",
		    (int)where.n, where.n ? where.p : "");
}

/* Without white space at either end. */
static void event_message(struct cells *c, const char *path)
{
	static const char blank[] = " \t\n\v\f\r";
	struct slice s = cell_get(c->obj, path);

	while (s.n && memchr(blank, s.p[0], sizeof(blank) - 1))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n && memchr(blank, s.p[s.n - 1], sizeof(blank) - 1))
		s.n--;
	cell_text(c, s);
}

static void event(struct cells *c, const struct event_names *f)
{
	const struct doc *series = doc_get(c->obj, "series"), *object = doc_get(c->obj, f->object);
	int64_t first = cell_time(doc_get(c->obj, f->first));
	int64_t last = cell_time(doc_get(c->obj, f->last));
	int64_t count = cell_get_int(c->obj, f->count);
	char out[32];

	if (first == CLOCK_ZERO)
		first = cell_time(doc_get(c->obj, "eventTime"));
	if (last == CLOCK_ZERO)
		last = first;
	if (doc_is(series, DOC_OBJECT)) {
		last = cell_time(doc_get(series, "lastObservedTime"));
		count = cell_get_int(series, "count");
	} else if (count == 0) {
		count = 1; /* single ones of the new form have no count */
	}
	cell_word(c, cell_since(c, last, out));
	cell_path(c, "type");
	cell_path(c, "reason");
	event_target(c, object);
	cell_text(c, cell_get(object, "fieldPath"));
	event_source(c, f);
	event_message(c, f->message);
	cell_word(c, cell_since(c, first, out));
	cell_int(c, count);
	cell_name(c);
}

void columns_event(struct cells *c)
{
	static const struct event_names f = {
		"firstTimestamp", "lastTimestamp",	"count",
		"involvedObject", "source.component",	"source.host",
		"message",	  "reportingComponent", "reportingInstance"
	};

	event(c, &f);
}

void columns_event_v1(struct cells *c)
{
	static const struct event_names f = { "deprecatedFirstTimestamp",
					      "deprecatedLastTimestamp",
					      "deprecatedCount",
					      "regarding",
					      "deprecatedSource.component",
					      "deprecatedSource.host",
					      "note",
					      "reportingController",
					      "reportingInstance" };

	event(c, &f);
}
