/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kubectl get`: the server's Tables, or objects in other forms; once, or as they change.
 */
#include "cli/kubectl/kubectl.h"

#include "api/quantity.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "doc/doc.h"
#include "expr/jsonpath.h"
#include "io/url.h"

#include <ctype.h>
#include <stdlib.h>

#define AS_TABLE                                                                  \
	"application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;" \
	"v=v1beta1;g=meta.k8s.io,application/json"
#define COLUMNS_MAX 64
#define TARGET_MAX 65536

struct get_opts {
	struct kubectl_files files;
	const char *output, *template, *selector, *fields, *sort, *raw, *sub;
	struct opt_list labels;
	bool all, no_headers, ignore_missing, show_kind, show_labels, managed, server_print,
		server_print_given, watch, watch_only, events, missing_ok, missing_given,
		events_given;
	int64_t chunk;
	bool chunk_given;
};

#define BOOL_ROW(field, name, letter, help) OPT(struct get_opts, BOOL, field, name, letter, help)
#define STR_ROW(field, name, letter, help) OPT(struct get_opts, STR, field, name, letter, help)
static const struct opt get_opts[] = {
	BOOL_ROW(all, "all-namespaces", 'A', "From all namespaces"),
	OPT_SEEN_AT(struct get_opts, BOOL, missing_ok, missing_given, "allow-missing-template-keys",
		    0, "What is not there is nothing in templates (default true)"),
	OPT_SEEN_AT(struct get_opts, INT, chunk, chunk_given, "chunk-size", 0,
		    "Objects of one answer, 0 for all at once (default 500)"),
	STR_ROW(fields, "field-selector", 0, "Only objects with these fields"),
	OPT(struct get_opts, LIST, files.names, "filename", 'f', "Objects that are in this file"),
	BOOL_ROW(ignore_missing, "ignore-not-found", 0, "What is not there is no failure"),
	OPT_NOT_SUPPORTED(STR, "kustomize", 'k', "there is no kustomize in teu kubectl yet"),
	OPT(struct get_opts, LIST, labels, "label-columns", 'L', "Columns of these labels"),
	BOOL_ROW(no_headers, "no-headers", 0, "No line of headings"),
	STR_ROW(output, "output", 'o',
		"json, yaml, name, wide, jsonpath=..., jsonpath-as-json=..., jsonpath-file=..., "
		"custom-columns=..., custom-columns-file=..."),
	BOOL_ROW(events, "output-watch-events", 0, "With what has happened to it (--watch)"),
	STR_ROW(raw, "raw", 0, "Print what the server has at this path"),
	BOOL_ROW(files.recursive, "recursive", 'R', "Folders of --filename with those in them"),
	STR_ROW(selector, "selector", 'l', "Only objects with these labels"),
	OPT_SEEN_AT(struct get_opts, BOOL, server_print, server_print_given, "server-print", 0,
		    "Columns are the server's (default true)"),
	BOOL_ROW(show_kind, "show-kind", 0, "With the kind before names"),
	BOOL_ROW(show_labels, "show-labels", 0, "A column of all labels"),
	BOOL_ROW(managed, "show-managed-fields", 0, "Keep managedFields in json and yaml"),
	STR_ROW(sort, "sort-by", 0, "Sort by what this JSONPath finds"),
	STR_ROW(sub, "subresource", 0, "Of this subresource: status, scale, ..."),
	STR_ROW(template, "template", 0, "Template of -o jsonpath"),
	BOOL_ROW(watch, "watch", 'w', "Then print what changes"),
	BOOL_ROW(watch_only, "watch-only", 0, "Print what changes"),
	OPT_END
};

struct get {
	struct kubectl *k;
	const struct get_opts *o;
	struct kubectl_items items;
	struct kubectl_print print;
	const struct jsonpath *sort;
	bool table, wrote, with_kind;
	struct columns columns;		/* of the table that is printed now */
	const struct resource *printed; /* whose heading stands last */
};

static bool is_table(const struct get *g)
{
	return g->print.form == PRINT_TABLE || g->print.form == PRINT_WIDE;
}

/* ---- asking ---- */

static int target(struct get *g, const struct kubectl_item *it, struct buf *out, struct err *err)
{
	const struct get_opts *o = g->o;

	resource_path(it->res, it->space, it->name, out);
	if (o->sub)
		buf_addf(out, "/%s", o->sub);
	query_add(out, "labelSelector", o->selector);
	query_add(out, "fieldSelector", o->fields);
	if (g->table && g->sort)
		query_add(out, "includeObject", "Object");
	return out->full ? err_set(err, ERR_TOO_LARGE, "selectors are too long") : 0;
}

static int ask(struct get *g, const struct kubectl_item *it, const char *more, struct doc **ret,
	       struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	int64_t chunk = g->o->chunk_given ? g->o->chunk : 500;
	struct client_request rq = { .accept = g->table ? AS_TABLE : NULL };
	char limit[24];
	int r = target(g, it, &path, err);

	if (r < 0)
		return r;
	(void)snprintf(limit, sizeof(limit), "%lld", (long long)chunk);
	if (!it->name && chunk > 0)
		query_add(&path, "limit", limit);
	query_add(&path, "continue", more);
	rq.target = buf_str(&path);
	return client_call_doc(g->k->client, g->k->arena, &rq, ret, err);
}

/* A list comes in parts: rows or items of all are put into the first. */
static int ask_all(struct get *g, const struct kubectl_item *it, struct doc **ret, struct err *err)
{
	struct doc *first = NULL, *part;
	const char *more = NULL;

	do {
		const char *list;
		int r = ask(g, it, more, &part, err);

		if (r < 0)
			return r;
		list = doc_get(part, "rows") ? "rows" : "items";
		if (!first)
			first = part;
		else
			DOC_EACH (e, doc_get(part, list))
				doc_append(g->k->arena, doc_get(first, list), *e);
		more = doc_cstr(g->k->arena, doc_find(part, "metadata.continue"));
	} while (more && *more);
	*ret = first;
	return arena_exceeded(g->k->arena) ? arena_quota(g->k->arena, err) : 0;
}

/* ---- order ---- */

struct sorting {
	const struct doc *key;
	struct doc what;
};

/* As people sort: digits by their value. */
static int natural(struct slice a, struct slice b)
{
	size_t i = 0, j = 0;

	while (i < a.n && j < b.n) {
		size_t na, nb;
		int d;

		if (!isdigit((unsigned char)a.p[i]) || !isdigit((unsigned char)b.p[j])) {
			if (a.p[i] != b.p[j])
				return (unsigned char)a.p[i] < (unsigned char)b.p[j] ? -1 : 1;
			i++;
			j++;
			continue;
		}
		while (i < a.n && a.p[i] == '0')
			i++;
		while (j < b.n && b.p[j] == '0')
			j++;
		for (na = 0; i + na < a.n && isdigit((unsigned char)a.p[i + na]); na++)
			;
		for (nb = 0; j + nb < b.n && isdigit((unsigned char)b.p[j + nb]); nb++)
			;
		d = na != nb ? (na < nb ? -1 : 1)
			     : slice_cmp(slice_of(a.p + i, na), slice_of(b.p + j, nb));
		if (d)
			return d;
		i += na;
		j += nb;
	}
	return (a.n - i > b.n - j) - (a.n - i < b.n - j);
}

static int compare(const void *x, const void *y)
{
	const struct sorting *a = x, *b = y;
	struct quantity qa, qb;

	if (!a->key || !b->key)
		return (a->key != NULL) - (b->key != NULL);
	if (a->key->type == DOC_NUMBER && b->key->type == DOC_NUMBER)
		return doc_number_cmp(a->key, b->key);
	if (a->key->type == DOC_BOOL && b->key->type == DOC_BOOL)
		return (int)a->key->n - (int)b->key->n;
	if (a->key->type != DOC_STRING || b->key->type != DOC_STRING)
		return (int)a->key->type - (int)b->key->type;
	if (quantity_parse(doc_slice(a->key), &qa) && quantity_parse(doc_slice(b->key), &qb))
		return quantity_cmp(&qa, &qb);
	return natural(doc_slice(a->key), doc_slice(b->key));
}

/* Equal ones stay in their order: qsort is made stable by a merge of its own. */
static void merge_sort(struct sorting *v, struct sorting *tmp, size_t n)
{
	size_t half = n / 2, i = 0, j = half, at = 0;

	if (n < 2)
		return;
	merge_sort(v, tmp, half);
	merge_sort(v + half, tmp, n - half);
	while (i < half && j < n)
		tmp[at++] = compare(&v[j], &v[i]) < 0 ? v[j++] : v[i++];
	while (i < half)
		tmp[at++] = v[i++];
	while (j < n)
		tmp[at++] = v[j++];
	memcpy(v, tmp, n * sizeof(*v));
}

/* The path as kubectl completes it: "{.a.b}". */
static const char *braced(struct arena *a, const char *path)
{
	return *path == '{' ? path : arena_printf(a, "{%s%s}", *path == '.' ? "" : ".", path);
}

static int sort(struct get *g, struct doc *list, const char *member, struct err *err)
{
	size_t n = doc_len(list), found = 0;
	struct sorting *v, *tmp;

	if (!g->sort || !n)
		return 0;
	v = ARENA_ARRAY(g->k->arena, struct sorting, n);
	tmp = ARENA_ARRAY(g->k->arena, struct sorting, n);
	if (!v || !tmp)
		return arena_quota(g->k->arena, err);
	for (size_t i = 0; i < n; i++) {
		const struct doc *d = member ? doc_get(&list->kids[i], member) : &list->kids[i];
		struct jsonpath_found f = { 0 };

		v[i].what = list->kids[i];
		if (d && jsonpath_find(g->sort, d, JSONPATH_MISSING_OK, g->k->arena, &f, err) < 0)
			return err_ret(err);
		v[i].key = f.n ? f.v[0] : NULL;
		found += f.n > 0;
	}
	/* A table of several is empty then, as kubectl has it. */
	if (!found && g->table && n > 1)
		list->n = 0;
	if (!found)
		return g->table ? 0
				: err_set(err, ERR_NOT_FOUND,
					  "couldn't find any field with path \"%s\" in the list of "
					  "objects",
					  braced(g->k->arena, g->o->sort));
	merge_sort(v, tmp, n);
	for (size_t i = 0; i < n; i++)
		list->kids[i] = v[i].what;
	return 0;
}

/* ---- tables ---- */

static const char *labels_text(struct kubectl *k, const struct doc *labels)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct doc *sorted = doc_new_array(k->arena);
	bool first = true;
	const char *s;

	if (!doc_len(labels) || !sorted)
		return "<none>";
	DOC_EACH_MEMBER (key, value, labels) {
		size_t at = 0;

		while (at < doc_len(sorted) &&
		       slice_cmp(doc_slice(doc_at(sorted, at)), slice_of(key->s, key->n)) < 0)
			at++;
		doc_insert(k->arena, sorted, at, *key);
		(void)value;
	}
	DOC_EACH (key, sorted) {
		struct slice v = doc_slice(doc_getn(labels, doc_slice(key)));

		buf_addf(&b, "%s%.*s=%.*s", first ? "" : ",", (int)key->n, key->s, (int)v.n,
			 v.n ? v.p : "");
		first = false;
	}
	s = arena_strndup(k->arena, buf_str(&b), b.n);
	return s ? s : "";
}

/* A cell's text: one line, what controls terminals escaped as Go does. */
static const char *cell_text(struct kubectl *k, const struct doc *v)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	const char *s;

	if (!v || v->type == DOC_NULL)
		return "";
	if (v->type != DOC_STRING) {
		kubectl_go_value(v, &b);
	} else {
		for (size_t i = 0; i < v->n; i++) {
			if (strchr("\f\n\r", v->s[i]) && v->s[i]) {
				buf_adds(&b, "...");
				break;
			}
			if (v->s[i] == 0x1b)
				buf_adds(&b, "^[");
			else
				buf_addc(&b, v->s[i] == '\t' ? ' ' : v->s[i]);
		}
	}
	s = arena_strndup(k->arena, buf_str(&b), b.n);
	return s ? s : "";
}

struct layout {
	size_t at[COLUMNS_MAX]; /* which of the server's cells */
	size_t n, width;
	bool space;
};

static void lay_out(const struct get *g, const struct doc *table, struct layout *l)
{
	size_t i = 0;

	*l = (struct layout){ .space = g->o->all && g->printed };
	DOC_EACH (c, doc_get(table, "columnDefinitions")) {
		int64_t priority = 0;

		(void)doc_int64(doc_get(c, "priority"), &priority); /* none is 0 */
		if (l->n < COLUMNS_MAX && (priority == 0 || g->print.form == PRINT_WIDE))
			l->at[l->n++] = i;
		i++;
	}
	l->width = l->space + l->n + g->o->labels.n + g->o->show_labels;
}

static const char *upper(struct kubectl *k, const char *s)
{
	char *copy = arena_strdup(k->arena, s);

	for (char *p = copy; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy ? copy : "";
}

static void head(const struct get *g, const struct doc *table, const struct layout *l,
		 const char **row)
{
	const struct doc *defs = doc_get(table, "columnDefinitions");
	size_t n = 0;

	if (l->space)
		row[n++] = "NAMESPACE";
	for (size_t i = 0; i < l->n; i++)
		row[n++] = upper(g->k, kubectl_text(g->k, doc_at(defs, l->at[i]), "name"));
	for (size_t i = 0; i < g->o->labels.n; i++) {
		const char *slash = strrchr(g->o->labels.v[i], '/');

		row[n++] = upper(g->k, slash ? slash + 1 : g->o->labels.v[i]);
	}
	if (g->o->show_labels)
		row[n++] = "LABELS";
}

/* "pod/x" where several kinds are shown. */
static const char *with_kind(const struct get *g, const struct resource *r, const char *name)
{
	char *s = arena_printf(g->k->arena, "%s%s%s/%s", r->kind, *r->group ? "." : "", r->group,
			       name);

	for (char *p = s; p && *p && *p != '.' && *p != '/'; p++)
		*p = (char)tolower((unsigned char)*p);
	return s ? s : "";
}

static void row_cells(const struct get *g, const struct resource *r, const struct doc *from,
		      const struct layout *l, const char **row)
{
	const struct doc *cells = doc_get(from, "cells"),
			 *meta = doc_get(doc_get(from, "object"), "metadata");
	size_t n = 0;

	if (l->space)
		row[n++] = kubectl_text(g->k, meta, "namespace");
	for (size_t i = 0; i < l->n; i++) {
		const char *text = cell_text(g->k, doc_at(cells, l->at[i]));

		row[n++] = l->at[i] == 0 && g->with_kind ? with_kind(g, r, text) : text;
	}
	for (size_t i = 0; i < g->o->labels.n; i++) {
		const char *v =
			doc_cstr(g->k->arena, doc_get(doc_get(meta, "labels"), g->o->labels.v[i]));

		row[n++] = v ? v : "";
	}
	if (g->o->show_labels)
		row[n++] = labels_text(g->k, doc_get(meta, "labels"));
}

/* Rows of one kind; the heading once, and again when the kind has changed. */
static int print_table(struct get *g, const struct resource *r, const struct doc *table,
		       const char *event, struct err *err)
{
	const struct doc *rows = doc_get(table, "rows");
	bool fresh = g->printed != r;
	size_t n = 0, width;
	struct layout l;
	const char **cells;

	if (!doc_len(rows))
		return 0;
	if (fresh && g->wrote && !g->o->no_headers)
		buf_addc(&g->k->out, '\n');
	if (fresh)
		g->columns = (struct columns){ 0 };
	g->printed = r;
	lay_out(g, table, &l);
	l.space = g->o->all && (r->namespaced || g->with_kind);
	l.width = l.space + l.n + g->o->labels.n + g->o->show_labels + (event != NULL);
	width = l.width;
	cells = ARENA_ARRAY(g->k->arena, const char *, (doc_len(rows) + 1) * width);
	if (!cells || !width || arena_exceeded(g->k->arena))
		return cells ? 0 : arena_quota(g->k->arena, err);
	if (fresh && !g->o->no_headers) {
		if (event)
			cells[0] = "EVENT   "; /* as wide as "MODIFIED" */
		head(g, table, &l, &cells[(event != NULL) + n++ * width]);
	}
	DOC_EACH (row, rows) {
		if (event)
			cells[n * width] = arena_printf(g->k->arena, "%-8s", event);
		row_cells(g, r, row, &l, &cells[(event != NULL) + n++ * width]);
	}
	columns_print(&g->columns, cells, n, width, &g->k->out);
	g->wrote = true;
	return 0;
}

/* --server-print=false, or a server that knows no Tables: NAME and AGE. */
static struct doc *own_table(struct get *g, const struct doc *d)
{
	static const char *const names[] = { "Name", "Age" };
	const struct doc *items = doc_get(d, "items");
	struct arena *a = g->k->arena;
	struct doc *t = doc_new_object(a), *defs = doc_set_array(a, t, "columnDefinitions"), *rows;
	struct doc one = doc_array();
	char age[32];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		doc_set_str(a, doc_append_object(a, defs), "name", names[i]);
	rows = doc_set_array(a, t, "rows");
	if (!doc_is(items, DOC_ARRAY)) {
		doc_append(a, &one, *d);
		items = &one;
	}
	DOC_EACH (e, items) {
		struct doc *row = doc_append_object(a, rows),
			   *cells = doc_set_array(a, row, "cells");

		doc_append_str(a, cells, kubectl_text(g->k, e, "metadata.name"));
		doc_append_str(
			a, cells,
			kubectl_age(age, doc_slice(doc_find(e, "metadata.creationTimestamp"))));
		doc_set(a, row, "object", *e);
	}
	return t;
}

static int show_table(struct get *g, const struct resource *r, struct doc *d, const char *event,
		      struct err *err)
{
	struct doc *t = doc_str_is(doc_get(d, "kind"), "Table") ? d : own_table(g, d);
	int code = t ? sort(g, doc_get(t, "rows"), "object", err) : arena_quota(g->k->arena, err);

	return code < 0 ? code : print_table(g, r, t, event, err);
}

/* ---- objects ---- */

/* Items of a typed list say no kind of their own. */
static void add_kind(struct get *g, const struct resource *r, const struct doc *d, struct doc *to)
{
	struct doc one = doc_object();

	if (doc_get(d, "kind")) {
		doc_append(g->k->arena, to, *d);
		return;
	}
	doc_set_str(g->k->arena, &one, "apiVersion", r->api_version);
	doc_set_str(g->k->arena, &one, "kind", r->kind);
	DOC_EACH_MEMBER (key, value, d)
		doc_add_node(g->k->arena, &one, *key, *value);
	doc_append(g->k->arena, to, one);
}

static struct doc *list_of(struct get *g, struct doc *items)
{
	struct arena *a = g->k->arena;
	struct doc *d = doc_new_object(a);

	doc_set_str(a, d, "apiVersion", "v1");
	if (items)
		doc_set(a, d, "items", *items);
	doc_set_str(a, d, "kind", "List");
	doc_set_str(a, doc_set_object(a, d, "metadata"), "resourceVersion", "");
	return d;
}

/* ---- the whole, once ---- */

static bool is_missing(const struct get *g, int r)
{
	return r == -ERR_NOT_FOUND && client_failure(g->k->client);
}

/* What was answered for each item; NULL where nothing is to be shown. */
static int ask_each(struct get *g, struct doc **v, struct err *err)
{
	const struct resource *first = NULL;

	for (size_t i = 0; i < g->items.n; i++) {
		const struct kubectl_item *it = &g->items.v[i];
		int r = ask_all(g, it, &v[i], err);

		if (r == 0) {
			g->with_kind = g->with_kind || (first && it->res != first);
			first = it->res;
			continue;
		}
		v[i] = NULL;
		if (!client_failure(g->k->client))
			return r;
		if (!is_missing(g, r) || !g->o->ignore_missing)
			kubectl_note(g->k, err);
		*err = ERR_INIT;
	}
	return 0;
}

static int get_each(struct get *g, struct doc *all, struct err *err)
{
	struct doc **v = ARENA_ARRAY(g->k->arena, struct doc *, g->items.n + 1);
	int r = v ? ask_each(g, v, err) : arena_quota(g->k->arena, err);

	for (size_t i = 0; i < g->items.n && r == 0; i++) {
		const struct kubectl_item *it = &g->items.v[i];

		if (!v[i])
			continue;
		if (is_table(g)) {
			r = show_table(g, it->res, v[i], NULL, err);
		} else if (g->items.single) {
			*all = *v[i];
			g->wrote = true;
		} else if (it->name) {
			add_kind(g, it->res, v[i], all);
		} else {
			DOC_EACH (e, doc_get(v[i], "items"))
				add_kind(g, it->res, e, all);
		}
	}
	return r;
}

static void say_nothing_found(struct get *g)
{
	bool in_space = !g->o->all;

	for (size_t i = 0; i < g->items.n; i++)
		in_space = in_space && g->items.v[i].res->namespaced;
	if (g->wrote || g->k->failed || g->o->ignore_missing)
		return;
	if (in_space)
		buf_addf(&g->k->errors, "No resources found in %s namespace.\n", g->k->conf.space);
	else
		buf_adds(&g->k->errors, "No resources found\n");
}

static int get_once(struct get *g, struct err *err)
{
	struct doc all = doc_array(), *list;
	int r = get_each(g, &all, err);

	if (r < 0)
		return r;
	if (is_table(g)) {
		say_nothing_found(g);
		return 0;
	}
	if (g->items.single)
		return g->wrote ? kubectl_print_doc(&g->print, &all, err) : 0;
	r = sort(g, &all, NULL, err);
	list = r == 0 ? list_of(g, &all) : NULL;
	return r == 0 ? kubectl_print_doc(&g->print, list, err) : r;
}

/* ---- as they change ---- */

struct watching {
	struct get *g;
	const struct kubectl_item *it;
};

static int show_event(void *arg, struct arena *a, const char *type, struct doc *obj,
		      struct err *err)
{
	struct watching *w = arg;
	struct get *g = w->g;
	struct arena *outer = g->k->arena;
	int r;

	/* What an event needs is freed with it: a watch may run for months. */
	g->k->arena = a;
	if (is_table(g)) {
		r = show_table(g, w->it->res, obj, g->o->events ? type : NULL, err);
	} else if (g->o->events) {
		struct doc *event = doc_new_object(a);
		const struct doc *bare = kubectl_unmanaged(a, obj);

		doc_set_str(a, event, "type", type);
		if (bare)
			doc_set(a, event, "object", *bare);
		r = kubectl_print_doc(&g->print, event, err);
	} else {
		r = kubectl_print_doc(&g->print, obj, err);
	}
	g->k->arena = outer;
	return r < 0 ? r : kubectl_flush(g->k, err);
}

static int watch_from(struct get *g, const char *version, struct err *err)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(TARGET_MAX);
	struct kubectl_item it = g->items.v[0];
	struct watching w = { .g = g, .it = &it };
	const char *fields = NULL, *name = it.name;
	int r;

	it.name = NULL;
	if (name)
		fields = arena_printf(g->k->arena, "metadata.name=%s", name);
	r = target(g, &it, &path, err);
	query_add(&path, "fieldSelector", fields);
	query_add(&path, "resourceVersion", version);
	query_add(&path, "watch", "true");
	if (r == 0)
		r = kubectl_watch(g->k, buf_str(&path), g->table ? AS_TABLE : NULL, g->k->conf.time,
				  show_event, &w, err);
	return r < 0 ? r : 0;
}

static int get_watch(struct get *g, struct err *err)
{
	const struct kubectl_item *it = &g->items.v[0];
	const char *version;
	struct doc *d;
	int r;

	if (g->items.n != 1)
		return err_set(err, ERR_BAD_REQUEST, "you may only specify a single resource type");
	r = ask_all(g, it, &d, err);
	if (r < 0)
		return r;
	version = doc_cstr(g->k->arena, doc_find(d, "metadata.resourceVersion"));
	/* A table of one object has the object's version as its own. */
	if (!g->o->watch_only && is_table(g))
		r = show_table(g, it->res, d, g->o->events ? "ADDED" : NULL, err);
	else if (!g->o->watch_only && it->name)
		r = kubectl_print_doc(&g->print, d, err);
	else if (!g->o->watch_only)
		DOC_EACH (e, doc_get(d, "items")) {
			struct doc one = doc_array();

			add_kind(g, it->res, e, &one);
			if (r == 0)
				r = kubectl_print_doc(&g->print, doc_at(&one, 0), err);
		}
	if (r == 0)
		r = kubectl_flush(g->k, err);
	return r == 0 ? watch_from(g, version ? version : "0", err) : r;
}

/* ---- the command ---- */

static int get_raw(struct cmd_call *call, struct err *err)
{
	const struct get_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);

	if (o->watch || o->watch_only || o->selector)
		return err_set(err, ERR_BAD_REQUEST,
			       "--raw may not be specified with other flags that filter the server "
			       "request or alter the output");
	if (call->nargs || o->files.names.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "arguments may not be passed when --raw is specified");
	if (o->output && *o->output)
		return err_set(err, ERR_BAD_REQUEST, "--raw and --output are mutually exclusive");
	return kubectl_raw(k, NULL, o->raw, (struct slice){ 0 }, err);
}

static int no_resource(struct kubectl *k, struct err *err)
{
	buf_adds(&k->errors, "You must specify the type of resource to get. Use \"kubectl "
			     "api-resources\" for a complete list of supported resources.\n\n");
	(void)err_set(err, ERR_BAD_REQUEST,
		      "Required resource not specified.\nUse \"kubectl explain <resource>\" for a "
		      "detailed description of that resource (e.g. kubectl explain pods).");
	return kubectl_usage(k, err);
}

/* Labels with commas between are several columns. */
static int split_labels(struct get_opts *o, struct arena *a, struct err *err)
{
	const char **v = ARENA_ARRAY(a, const char *, COLUMNS_MAX);
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < o->labels.n; i++)
		for (struct slice rest = slice_str(o->labels.v[i]); rest.p;) {
			struct slice one = slice_split(&rest, ',');

			if (n == COLUMNS_MAX)
				return err_set(err, ERR_TOO_LARGE, "more than %d label columns",
					       COLUMNS_MAX);
			v[n++] = arena_strndup(a, one.n ? one.p : "", one.n);
		}
	o->labels = (struct opt_list){ v, n };
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int prepare(struct get *g, struct get_opts *o, struct err *err)
{
	struct kubectl *k = g->k;
	int r = kubectl_print_init(&g->print, k, o->output, o->template, err);

	if (r < 0)
		return r;
	g->print.no_headers = o->no_headers;
	g->print.managed = o->managed;
	g->print.missing_ok = !o->missing_given || o->missing_ok;
	g->table = is_table(g) && (!o->server_print_given || o->server_print);
	if (o->events && !o->watch && !o->watch_only)
		return err_set(err, ERR_BAD_REQUEST,
			       "--output-watch-events option can only be used with --watch or "
			       "--watch-only");
	if (o->sort && *o->sort) {
		if (o->watch || o->watch_only)
			return err_set(err, ERR_BAD_REQUEST,
				       "--watch and --sort-by cannot be used together");
		r = jsonpath_compile_path(slice_str(o->sort), k->arena, &g->sort, err);
	}
	return r == 0 ? split_labels(o, k->arena, err) : r;
}

static int get_run(struct cmd_call *call, struct err *err)
{
	struct get_opts *o = call->opts;
	struct get g = { .k = kubectl_of(call), .o = o };
	unsigned flags = (o->all ? KUBECTL_ALL_SPACES : 0) |
			 (o->selector || o->fields ? KUBECTL_SELECTED : 0);
	int r;

	if (o->raw)
		return get_raw(call, err);
	if (!call->nargs && !o->files.names.n)
		return no_resource(g.k, err);
	r = prepare(&g, o, err);
	if (r == 0)
		r = kubectl_items(call, &o->files, flags, &g.items, err);
	if (r < 0)
		return r;
	g.with_kind = o->show_kind;
	return o->watch || o->watch_only ? get_watch(&g, err) : get_once(&g, err);
}

const struct cmd kubectl_get = {
	.path = "get",
	.args = "[OPTIONS] TYPE[,TYPE...] [NAME...] | TYPE/NAME... | -f FILE",
	.help = "Print objects",
	.details = "Types are as the server names them (kubectl api-resources): pods, po, "
		   "deployments.apps; \"all\" and other categories are several.",
	.opts = get_opts,
	.opts_size = sizeof(struct get_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = get_run,
};
