/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl explain`: what fields a kind has, from the server's OpenAPI v3 document of its group. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-explain.h"

#include <ctype.h>
#include <stdlib.h>

#define TEXT_MAX (64u << 20)
#define PATH_MAX_WORDS 256

/* ---- wrapping ---- */

struct wrapping {
	struct buf *out;
	size_t limit, at;	  /* characters of a line; written of this one */
	struct slice space, word; /* seen and not written */
	size_t nspace, nword;	  /* characters of both */
};

static void put_pending(struct wrapping *w)
{
	w->at += w->nspace + w->nword;
	buf_add(w->out, w->space.p, w->space.n);
	buf_add(w->out, w->word.p, w->word.n);
	w->space = w->word = slice_of(NULL, 0);
	w->nspace = w->nword = 0;
}

static void extend(struct slice *s, size_t *n, const char *p)
{
	if (!s->n)
		s->p = p;
	s->n++;
	*n += ((unsigned char)*p & 0xc0) != 0x80;
}

static void wrap_break(struct wrapping *w)
{
	/* blanks that do not fit are dropped */
	if (!w->word.n && w->at + w->nspace > w->limit)
		w->space = slice_of(NULL, 0);
	put_pending(w);
	buf_addc(w->out, '\n');
	w->at = 0;
}

void explain_wrap(struct slice text, size_t limit, struct buf *out)
{
	struct wrapping w = { .out = out, .limit = limit };

	for (size_t i = 0; i < text.n; i++) {
		const char *p = &text.p[i];

		if (*p == '\n') {
			wrap_break(&w);
		} else if (isspace((unsigned char)*p)) {
			if (!w.space.n || w.word.n)
				put_pending(&w);
			extend(&w.space, &w.nspace, p);
		} else {
			extend(&w.word, &w.nword, p);
			if (w.at + w.nword + w.nspace <= limit || w.nword >= limit)
				continue;
			buf_addc(out, '\n');
			w.at = 0;
			w.space = slice_of(NULL, 0);
			w.nspace = 0;
		}
	}
	if (w.word.n || w.at + w.nspace <= limit)
		put_pending(&w);
}

static void add_indented(struct slice text, size_t limit, size_t by, struct buf *out)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TEXT_MAX);

	explain_wrap(text, limit, &b);
	buf_addf(out, "%*s", (int)by, "");
	for (size_t i = 0; i < b.n; i++) {
		buf_addc(out, b.p[i]);
		if (b.p[i] == '\n')
			buf_addf(out, "%*s", (int)by, "");
	}
	out->full = out->full || b.full;
}

/* ---- schemas ---- */

/* "#/components/schemas/x"; NULL when it is no reference, or leads nowhere. */
static const struct doc *resolve(const struct explain *e, const struct doc *ref)
{
	struct slice rest = doc_slice(ref);
	const struct doc *d = e->document;

	if (!slice_starts(rest, SLICE("#")))
		return NULL;
	(void)slice_split(&rest, '#');
	while (rest.p && d) {
		struct slice word = slice_split(&rest, '/');

		if (word.n)
			d = doc_getn(d, word);
	}
	return doc_is(d, DOC_OBJECT) ? d : NULL;
}

static const struct doc *resolved(const struct explain *e, const struct doc *schema)
{
	const struct doc *d = resolve(e, doc_get(schema, "$ref"));

	return d ? d : schema;
}

static const struct doc *map_of(const struct doc *schema)
{
	const struct doc *d = doc_get(schema, "additionalProperties");

	return doc_is(d, DOC_OBJECT) ? d : NULL;
}

static struct slice last_part(struct slice s, char sep)
{
	while (slice_has(s, sep))
		(void)slice_split(&s, sep);
	return s;
}

static void add_or_object(struct slice s, struct buf *out)
{
	if (!s.n || slice_is(s, "object"))
		s = SLICE("Object");
	buf_add(out, s.p, s.n);
}

static void add_type(const struct explain *e, const struct doc *schema, struct buf *out)
{
	const struct doc *all, *ref, *to;
	struct slice name;

	for (size_t depth = 0; depth < EXPLAIN_DEPTH; depth++) {
		all = doc_get(schema, "allOf");
		if (doc_get(schema, "items")) {
			buf_adds(out, "[]");
			schema = doc_get(schema, "items");
		} else if (map_of(schema)) {
			buf_adds(out, "map[string]");
			schema = map_of(schema);
		} else if (doc_len(all) == 1 && !doc_len(doc_get(schema, "properties"))) {
			schema = doc_at(all, 0);
		} else {
			break;
		}
	}
	ref = doc_get(schema, "$ref");
	to = resolve(e, ref);
	if (!ref) {
		add_or_object(doc_slice(doc_get(schema, "type")), out);
		return;
	}
	name = doc_slice(doc_get(to, "type"));
	if (!name.n || slice_is(name, "object"))
		name = last_part(last_part(doc_slice(ref), '/'), '.');
	add_or_object(name, out);
}

static void add_descriptions(const struct explain *e, const struct doc *schema, size_t depth,
			     struct buf *out)
{
	const struct doc *d = resolved(e, schema);
	struct slice s = doc_slice(doc_get(d, "description"));

	if (!d || depth == EXPLAIN_DEPTH)
		return;
	if (s.n)
		buf_addf(out, "%.*s\n", (int)s.n, s.p);
	DOC_EACH (a, doc_get(d, "allOf"))
		add_descriptions(e, a, depth + 1, out);
	add_descriptions(e, doc_get(d, "items"), depth + 1, out);
	add_descriptions(e, map_of(d), depth + 1, out);
}

#define ENUM_SHOWN 4

static void add_enum(const struct doc *schema, bool whole, size_t indent, struct buf *out)
{
	size_t n = 0;

	if (!doc_len(doc_get(schema, "enum")))
		return;
	if (whole)
		buf_adds(out, "ENUM:");
	else
		buf_addf(out, "\n%*senum: ", (int)indent, "");
	DOC_EACH (v, doc_get(schema, "enum")) {
		if (!whole && n == ENUM_SHOWN) {
			buf_adds(out, ", ....");
			return;
		}
		buf_adds(out, whole ? "\n    " : n ? ", " : "");
		n++;
		if (doc_str_is(v, ""))
			buf_adds(out, "\"\"");
		else
			kubectl_go_value(v, out);
	}
}

/* ---- fields ---- */

/* References that lead here: a schema in itself ends there. */
struct trail {
	const struct trail *before;
	struct slice ref;
};

static bool was_there(const struct trail *t, struct slice ref)
{
	for (; t && ref.n; t = t->before)
		if (slice_eq(t->ref, ref))
			return true;
	return false;
}

static void add_field(const struct explain *e, const struct doc *schema, const struct doc *key,
		      size_t level)
{
	const struct doc *field = key + 1;
	struct slice name = slice_of(key->s, key->n), s = doc_slice(doc_get(field, "description"));

	buf_addf(e->out, "%*s%.*s\t<", (int)level * 2, "", (int)name.n, name.p);
	add_type(e, field, e->out);
	buf_addc(e->out, '>');
	DOC_EACH (r, doc_get(schema, "required"))
		if (slice_eq(doc_slice(r), name))
			buf_adds(e->out, " -required-");
	add_enum(field, false, level * 2, e->out);
	buf_addc(e->out, '\n');
	if (e->recursive)
		return;
	add_indented(s.n ? s : SLICE("<no description>"), 78 - level * 2, level * 2 + 2, e->out);
	buf_adds(e->out, "\n\n");
}

static int by_key(const void *x, const void *y)
{
	const struct doc *const *a = x, *const *b = y;

	return slice_cmp(slice_of((*a)->s, (*a)->n), slice_of((*b)->s, (*b)->n));
}

static void add_fields(const struct explain *e, const struct doc *schema, size_t level,
		       const struct trail *before)
{
	const struct trail here = { before, doc_slice(doc_get(schema, "$ref")) };
	const struct doc *d = resolved(e, schema), *properties = doc_get(d, "properties"), **keys;
	size_t n = doc_is(properties, DOC_OBJECT) ? doc_len(properties) : 0;

	if (!d || level >= EXPLAIN_DEPTH || was_there(before, here.ref))
		return;
	keys = ARENA_ARRAY(e->arena, const struct doc *, n + 1);
	if (!keys)
		return; /* the arena is full: whoever prints says so */
	for (size_t i = 0; i < n; i++)
		keys[i] = doc_key_at(properties, i);
	qsort(keys, n, sizeof(const struct doc *), by_key);
	for (size_t i = 0; i < n; i++) {
		add_field(e, d, keys[i], level);
		if (e->recursive)
			add_fields(e, keys[i] + 1, level + 1, &here);
	}
	DOC_EACH (a, doc_get(d, "allOf"))
		add_fields(e, a, level, &here);
	if (doc_get(d, "items"))
		add_fields(e, doc_get(d, "items"), level, &here);
	if (map_of(d))
		add_fields(e, map_of(d), level, &here);
}

/* ---- the way to a field ---- */

static void add_end(const struct explain *e, const struct doc *schema)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TEXT_MAX);
	size_t before;

	buf_adds(e->out, "DESCRIPTION:\n");
	add_descriptions(e, schema, 0, &b);
	add_indented(b.n ? buf_slice(&b) : SLICE("<empty>"), 76, 4, e->out);
	buf_addc(e->out, '\n');
	before = e->out->n;
	buf_adds(e->out, "FIELDS:\n");
	add_fields(e, schema, 1, NULL);
	if (e->out->n == before + strlen("FIELDS:\n"))
		e->out->n = before;
}

static bool add_path(const struct explain *e, const struct doc *schema, const char *const *path,
		     size_t n, const struct trail *before)
{
	const struct trail here = { before, doc_slice(doc_get(schema, "$ref")) };
	const struct doc *d = resolved(e, schema), *next;

	if (!n) {
		add_end(e, d);
		return true;
	}
	if (was_there(before, here.ref))
		return false;
	next = doc_get(doc_get(d, "properties"), path[0]);
	if (next) {
		if (n == 1) {
			buf_addf(e->out, "FIELD: %s <", path[0]);
			add_type(e, next, e->out);
			buf_adds(e->out, ">\n");
			add_enum(next, true, 0, e->out);
			buf_adds(e->out, "\n\n");
		}
		return add_path(e, next, path + 1, n - 1, NULL);
	}
	if (doc_get(d, "items"))
		return add_path(e, doc_get(d, "items"), path, n, &here);
	if (map_of(d))
		return add_path(e, map_of(d), path, n, &here);
	DOC_EACH (a, doc_get(d, "allOf"))
		if (add_path(e, a, path, n, &here))
			return true;
	return false;
}

static bool is_kind(const struct doc *schema, const struct resource *r)
{
	DOC_EACH (g, doc_get(schema, "x-kubernetes-group-version-kind"))
		if (doc_str_is(doc_get(g, "group"), r->group) &&
		    doc_str_is(doc_get(g, "version"), r->version) &&
		    doc_str_is(doc_get(g, "kind"), r->kind))
			return true;
	return false;
}

int explain_kind(const struct explain *e, const struct resource *r, const char *const *path,
		 size_t n, struct err *err)
{
	const struct doc *found = NULL;

	DOC_EACH_MEMBER (key, schema, doc_find(e->document, "components.schemas")) {
		if (!found && is_kind(schema, r))
			found = schema;
		(void)key;
	}
	if (*r->group)
		buf_addf(e->out, "GROUP:      %s\n", r->group);
	buf_addf(e->out, "KIND:       %s\nVERSION:    %s\n\n", r->kind, r->version);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "GVK %s/%s, Kind=%s not found in OpenAPI schema",
			       r->group, r->version, r->kind);
	if (!add_path(e, found, path, n, NULL))
		return err_set(err, ERR_NOT_FOUND, "field \"%s\" does not exist",
			       n ? path[n - 1] : "");
	buf_addc(e->out, '\n');
	if (e->out->full || arena_exceeded(e->arena))
		return err_set(err, ERR_TOO_LARGE, "%s: the explanation is too long", r->name);
	return 0;
}

/* ---- the command ---- */

struct explain_opts {
	const char *api, *output;
	bool recursive;
};
static const struct opt explain_opts[] = {
	OPT(struct explain_opts, STR, api, "api-version", 0, "Of this group and version"),
	OPT(struct explain_opts, STR, output, "output", 'o', "plaintext"),
	OPT(struct explain_opts, BOOL, recursive, "recursive", 0,
	    "Names of all fields in it, without descriptions"),
	OPT_END
};

struct asked {
	const struct resource *res;
	const char *path[PATH_MAX_WORDS];
	size_t n;
};

/* Of resources with the same name the first whose group stands in the text, else the first. */
static const char *fields_behind(struct kubectl *k, const char *text, const struct resource **res)
{
	const char *first = strchr(text, '.');

	for (size_t i = 0; i < k->catalog.n; i++) {
		const struct resource *r = &k->catalog.v[i];
		const char *whole =
			arena_printf(k->arena, "%s%s%s", r->name, *r->group ? "." : "", r->group);
		const size_t n = whole ? strlen(whole) : 0;

		if (!n || !r->preferred || strcmp(r->name, (*res)->name) != 0 ||
		    strncmp(text, whole, n) != 0)
			continue;
		*res = r;
		return text[n] == '.' ? text + n + 1 : "";
	}
	return first ? first + 1 : "";
}

static int read_words(struct kubectl *k, struct asked *a, const char *text, const char *api,
		      struct err *err)
{
	const size_t n = strcspn(text, ".[");
	const char *word = arena_strndup(k->arena, text, n), *rest;
	int r = word ? kubectl_find(k, word, &a->res, err) : arena_quota(k->arena, err);

	if (r < 0)
		return r;
	if (strchr(text, '['))
		return err_set(err, ERR_INVALID, "invalid jsonpath syntax, %s",
			       api ? "all nodes must be field nodes"
				   : "first node must be field node");
	if (api)
		rest = text[n] ? text + n + 1 : "";
	else
		rest = fields_behind(k, text, &a->res);
	for (struct slice s = slice_str(rest); s.p;) {
		struct slice one = slice_split(&s, '.');

		if (!one.n)
			continue;
		if (a->n == PATH_MAX_WORDS)
			return err_set(err, ERR_TOO_LARGE, "more than %d fields in a path",
				       PATH_MAX_WORDS);
		a->path[a->n] = arena_strndup(k->arena, one.p, one.n);
		if (!a->path[a->n++])
			return arena_quota(k->arena, err);
	}
	return 0;
}

/* The same resource in the group and version that --api-version names. */
static int move_version(struct kubectl *k, struct asked *a, const char *api, struct err *err)
{
	for (size_t i = 0; i < k->catalog.n; i++)
		if (strcmp(k->catalog.v[i].api_version, api) == 0 &&
		    strcmp(k->catalog.v[i].name, a->res->name) == 0) {
			a->res = &k->catalog.v[i];
			return 0;
		}
	for (size_t i = 0; i < k->catalog.nversions; i++)
		if (strcmp(k->catalog.versions[i], api) == 0)
			return err_set(err, ERR_NOT_FOUND,
				       "GVR (%s%s, Resource=%s) not found in OpenAPI schema",
				       strchr(api, '/') ? "" : "/", api, a->res->name);
	return err_set(err, ERR_NOT_FOUND, "couldn't find resource for \"%s%s, Resource=%s\"",
		       strchr(api, '/') ? "" : "/", api, a->res->name);
}

static int fetch_document(struct kubectl *k, const struct resource *r, struct doc **ret,
			  struct err *err)
{
	struct client_request rq = { .target = "/openapi/v3" };
	struct doc *index;
	const char *path =
		arena_printf(k->arena, "%s/%s", *r->group ? "apis" : "api", r->api_version);
	int code = path ? client_call_doc(k->client, k->arena, &rq, &index, err)
			: arena_quota(k->arena, err);

	if (code < 0)
		return code;
	rq.target = doc_cstr(k->arena,
			     doc_get(doc_get(doc_get(index, "paths"), path), "serverRelativeURL"));
	if (!rq.target || rq.target[0] != '/')
		return err_set(err, ERR_NOT_FOUND,
			       "couldn't find resource for \"%s%s, Resource=%s\"",
			       *r->group ? "" : "/", r->api_version, r->name);
	return client_call_doc(k->client, k->arena, &rq, ret, err);
}

static int check_output(const struct explain_opts *o, struct err *err)
{
	if (!o->output || strcmp(o->output, "plaintext") == 0)
		return 0;
	if (strcmp(o->output, "plaintext-openapiv2") == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "-o plaintext-openapiv2 is not supported: servers that speak only "
			       "OpenAPI v2 are too old; plaintext says the same");
	return err_set(err, ERR_INVALID, "unrecognized format: %s", o->output);
}

static int explain_run(struct cmd_call *call, struct err *err)
{
	const struct explain_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct explain e = { .arena = k->arena, .recursive = o->recursive, .out = &k->out };
	struct asked a = { 0 };
	struct doc *document;
	int r;

	if (!call->nargs)
		return err_set(err, ERR_BAD_REQUEST,
			       "You must specify the type of resource to explain. Use \"kubectl "
			       "api-resources\" for a complete list of supported resources.");
	if (call->nargs > 1)
		return err_set(err, ERR_BAD_REQUEST,
			       "We accept only this format: explain RESOURCE");
	r = read_words(k, &a, call->args[0], o->api, err);
	k->bare = r == -ERR_NOT_FOUND && !client_failure(k->client); /* here alone */
	if (r == 0)
		r = check_output(o, err);
	if (r == 0 && o->api && *o->api)
		r = move_version(k, &a, o->api, err);
	if (r == 0)
		r = fetch_document(k, a.res, &document, err);
	e.document = r == 0 ? document : NULL;
	return r < 0 ? r : explain_kind(&e, a.res, a.path, a.n, err);
}

const struct cmd kubectl_explain_cmd = {
	.path = "explain",
	.args = "[OPTIONS] TYPE[.FIELD...]",
	.help = "Tell what fields a kind has",
	.opts = explain_opts,
	.opts_size = sizeof(struct explain_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = explain_run,
};
