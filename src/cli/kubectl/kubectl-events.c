/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl events`: what happened, the latest last; once, or as it happens. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "io/url.h"

#include <ctype.h>

#define TARGET_MAX 65536
#define CHUNK 500

struct events_opts {
	const char *output, *template, *about;
	struct opt_list types;
	bool all, watch, no_headers, managed, missing_ok, missing_given;
	int64_t chunk;
};
static const struct opt events_opts[] = {
	OPT(struct events_opts, BOOL, all, "all-namespaces", 'A', "From all namespaces"),
	OPT_SEEN_AT(struct events_opts, BOOL, missing_ok, missing_given,
		    "allow-missing-template-keys", 0,
		    "What is not there is nothing in templates (default true)"),
	OPT(struct events_opts, INT, chunk, "chunk-size", 0,
	    "Objects of one answer; kubectl asks for 500 whatever it says"),
	OPT(struct events_opts, STR, about, "for", 0, "Only those about TYPE/NAME"),
	OPT(struct events_opts, BOOL, no_headers, "no-headers", 0, "No line of headings"),
	OPT(struct events_opts, STR, output, "output", 'o', "json, yaml, name, jsonpath=..."),
	OPT(struct events_opts, BOOL, managed, "show-managed-fields", 0,
	    "Keep managedFields in json and yaml"),
	OPT(struct events_opts, STR, template, "template", 0, "Template of -o jsonpath"),
	OPT(struct events_opts, LIST, types, "types", 0, "Only these types: Normal, Warning"),
	OPT(struct events_opts, BOOL, watch, "watch", 'w', "Then print what happens"),
	OPT_END
};

struct events {
	struct kubectl *k;
	const struct events_opts *o;
	struct kubectl_print print;
	struct columns columns;
	struct describe d; /* for what both commands say of an event */
	const char *fields;
	bool begun;
};

/* ---- which ---- */

static bool has_type(struct slice list, struct slice type)
{
	while (list.p) {
		if (slice_ieq(slice_split(&list, ','), type))
			return true;
	}
	return false;
}

static bool is_wanted(const struct events *e, const struct doc *event)
{
	struct slice type = doc_slice(doc_get(event, "type"));

	for (size_t i = 0; i < e->o->types.n; i++)
		if (has_type(slice_str(e->o->types.v[i]), type))
			return true;
	return !e->o->types.n;
}

static int check_types(const struct events_opts *o, struct err *err)
{
	for (size_t i = 0; i < o->types.n; i++)
		for (struct slice rest = slice_str(o->types.v[i]); rest.p;)
			if (!has_type(SLICE("Normal,Warning"), slice_split(&rest, ',')))
				return err_set(err, ERR_INVALID,
					       "valid --types are Normal or Warning");
	return 0;
}

static int read_about(struct events *e, struct err *err)
{
	struct kubectl *k = e->k;
	const char *slash = e->o->about ? strchr(e->o->about, '/') : NULL;
	const struct resource *res;
	char *word;
	int r;

	if (!e->o->about || !*e->o->about)
		return 0;
	if (!slash)
		return err_set(err, ERR_BAD_REQUEST, "--for must be in resource/name form");
	if (strchr(slash + 1, '/'))
		return err_set(err, ERR_BAD_REQUEST,
			       "arguments in resource/name form may not have more than one slash");
	word = arena_strndup(k->arena, e->o->about, (size_t)(slash - e->o->about));
	for (char *p = word; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	r = word ? kubectl_find(k, word, &res, err) : arena_quota(k->arena, err);
	if (r < 0)
		return r;
	e->fields = arena_printf(
		k->arena,
		"involvedObject.apiVersion=%s,involvedObject.kind=%s,involvedObject.name=%s",
		res->api_version, res->kind, slash + 1);
	return e->fields ? 0 : arena_quota(k->arena, err);
}

/* ---- printing ---- */

static bool is_table(const struct events *e)
{
	return e->print.form == PRINT_TABLE;
}

/* One line of the cell: terminals obey nothing that an event says. */
static const char *calm(struct events *e, struct slice s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	const char *text;

	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	while (s.n && isspace((unsigned char)*s.p))
		s = slice_of(s.p + 1, s.n - 1);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == 0x1b)
			buf_adds(&b, "^[");
		else if (s.p[i] == '\r')
			buf_adds(&b, "\\r");
		else
			buf_addc(&b, s.p[i]);
	text = arena_strndup(e->k->arena, buf_str(&b), b.n);
	return text ? text : "";
}

static const char *text_of(struct events *e, const struct doc *event, const char *path)
{
	return calm(e, doc_slice(doc_find(event, path)));
}

static int print_rows(struct events *e, struct doc *const *v, size_t n, struct err *err)
{
	static const char *const heads[] = { "NAMESPACE", "LAST SEEN", "TYPE",
					     "REASON",	  "OBJECT",    "MESSAGE" };
	const size_t w = e->o->all ? 6 : 5;
	const char **cells = ARENA_ARRAY(e->k->arena, const char *, (n + 1) * 6), **at = cells;

	if (!cells)
		return arena_quota(e->k->arena, err);
	if (!e->o->no_headers && !e->begun)
		for (size_t i = 6 - w; i < 6; i++)
			*at++ = heads[i];
	e->begun = true;
	for (size_t i = 0; i < n; i++) {
		if (e->o->all)
			*at++ = text_of(e, v[i], "metadata.namespace");
		*at++ = describe_interval(&e->d, v[i]);
		*at++ = text_of(e, v[i], "type");
		*at++ = text_of(e, v[i], "reason");
		*at = arena_printf(e->k->arena, "%s/%s", text_of(e, v[i], "involvedObject.kind"),
				   text_of(e, v[i], "involvedObject.name"));
		if (!*at++)
			return arena_quota(e->k->arena, err);
		*at++ = text_of(e, v[i], "message");
	}
	columns_print(&e->columns, cells, (size_t)(at - cells) / w, w, &e->k->out);
	return 0;
}

/* With its kind in front, where Go has it. */
static struct doc with_kind(struct arena *a, const struct doc *d, const char *kind)
{
	struct doc out = doc_object();

	doc_set_str(a, &out, "kind", kind);
	doc_set_str(a, &out, "apiVersion", "v1");
	DOC_EACH_MEMBER (key, value, d)
		if (!slice_is(slice_of(key->s, key->n), "kind") &&
		    !slice_is(slice_of(key->s, key->n), "apiVersion"))
			doc_add_node(a, &out, *key, *value);
	return out;
}

static const struct doc *plain(struct events *e, const struct doc *d)
{
	return e->o->managed ? d : kubectl_unmanaged(e->k->arena, d);
}

static int print_objects(struct events *e, struct doc *const *v, size_t n, struct err *err)
{
	struct arena *a = e->k->arena;
	struct doc list = doc_object(), items = doc_array(), meta = doc_object();

	for (size_t i = 0; i < n; i++) {
		const struct doc *one = plain(e, v[i]);

		if (one)
			doc_append(a, &items, with_kind(a, one, "Event"));
	}
	doc_set_str(a, &list, "kind", "EventList");
	doc_set_str(a, &list, "apiVersion", "v1");
	doc_set(a, &list, "metadata", meta);
	doc_set(a, &list, "items", items);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return kubectl_print_plain(&e->print, &list, err);
}

/* ---- once ---- */

/* Of a series its last, else the last time it was counted, else when it was. */
static const struct doc *time_of(const struct doc *e)
{
	const struct doc *series = doc_get(e, "series"), *last = doc_get(e, "lastTimestamp");

	if (doc_is(series, DOC_OBJECT))
		return doc_get(series, "lastObservedTime");
	return doc_slice(last).n ? last : doc_get(e, "eventTime");
}

static int by_time(const struct doc *a, const struct doc *b)
{
	return describe_by_text(time_of(a), time_of(b));
}

static int list_events(struct events *e, struct err *err)
{
	struct describe_ask ask = { .api = "api/v1",
				    .resource = "events",
				    .space = e->o->all ? "" : e->k->conf.space,
				    .fields = e->fields };
	struct doc *all, *some = doc_new_array(e->k->arena);
	struct doc *const *v;
	size_t n;
	int r = describe_list(&e->d, &ask, &all, err);

	if (r < 0)
		return r;
	DOC_EACH (one, all)
		if (is_wanted(e, one))
			doc_append(e->k->arena, some, *one);
	v = describe_sorted(&e->d, some, by_time, &n);
	if (!v || arena_exceeded(e->k->arena))
		return arena_quota(e->k->arena, err);
	if (!n && e->o->all)
		buf_adds(&e->k->errors, "No events found.\n");
	else if (!n)
		buf_addf(&e->k->errors, "No events found in %s namespace.\n", e->k->conf.space);
	else
		return is_table(e) ? print_rows(e, v, n, err) : print_objects(e, v, n, err);
	return 0;
}

/* ---- as they happen ---- */

static int show_event(void *arg, struct arena *a, const char *type, struct doc *obj,
		      struct err *err)
{
	struct events *e = arg;
	struct arena *outer = e->k->arena;
	const struct doc *one;
	struct doc whole;
	int r = 0;

	if (strcmp(type, "DELETED") == 0 || !is_wanted(e, obj))
		return 0;
	/* what an event needs is freed with it */
	e->k->arena = a;
	if (is_table(e)) {
		r = print_rows(e, &obj, 1, err);
	} else {
		one = plain(e, obj);
		whole = with_kind(a, one, "Event");
		r = one ? kubectl_print_plain(&e->print, &whole, err) : arena_quota(a, err);
	}
	e->k->arena = outer;
	return r < 0 ? r : kubectl_flush(e->k, err);
}

static int watch_events(struct events *e, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	const struct resource res = { .group = "",
				      .version = "v1",
				      .api_version = "v1",
				      .name = "events",
				      .namespaced = true };
	int r;

	resource_path(&res, e->o->all ? NULL : e->k->conf.space, NULL, &path);
	query_add(&path, "fieldSelector", e->fields);
	query_add(&path, "watch", "true");
	if (path.full)
		return err_set(err, ERR_TOO_LARGE, "--for is too long");
	r = kubectl_watch(e->k, buf_str(&path), NULL, 0, show_event, e, err);
	return r < 0 ? r : 0;
}

/* No tables here but the one of events. */
static int init_print(struct events *e, struct err *err)
{
	static const char *const never[] = { "wide", "custom-columns", "custom-columns-file",
					     NULL };
	const char *output = e->o->output;
	int r = kubectl_print_init(&e->print, e->k, output, e->o->template, err);
	const char *word = output ? arena_strndup(e->k->arena, output, strcspn(output, "=")) : "";

	if (word && !str_is_one_of(word, never) &&
	    (r == 0 || strncmp(err->msg, "unable to match", 15) != 0))
		return r;
	return err_set(err, ERR_INVALID,
		       "unable to match a printer suitable for the output format \"%s\", allowed "
		       "formats are: go-template,go-template-file,json,jsonpath,jsonpath-as-json,"
		       "jsonpath-file,name,template,templatefile,yaml",
		       output);
}

static int events_run(struct cmd_call *call, struct err *err)
{
	const struct events_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct events e = { .k = k, .o = o, .d = { .k = k, .chunk = CHUNK } };
	int r = init_print(&e, err);

	if (r < 0)
		return r;
	e.print.missing_ok = !o->missing_given || o->missing_ok;
	r = kubectl_client(k, err);
	if (r == 0)
		r = read_about(&e, err);
	k->bare = r == -ERR_NOT_FOUND && !client_failure(k->client); /* here alone */
	if (r == 0)
		r = check_types(o, err);
	if (r < 0)
		return r;
	return o->watch ? watch_events(&e, err) : list_events(&e, err);
}

const struct cmd kubectl_events = {
	.path = "events",
	.args = "[OPTIONS]",
	.help = "Tell what happened, the latest last",
	.opts = events_opts,
	.opts_size = sizeof(struct events_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_TROUBLE,
	.run = events_run,
};
