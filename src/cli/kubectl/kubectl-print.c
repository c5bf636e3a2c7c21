/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in the forms of -o: json, yaml, name, jsonpath, go-template, custom-columns. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "expr/gotemplate.h"
#include "expr/jsonpath.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>

#define TEMPLATE_MAX (1u << 20)
#define SPECS_MAX 64

/* ---- what -o says ---- */

/* `what` is in the message: columns and templates have words of their own. */
static int read_template(struct kubectl_print *p, const char *what, const char *path,
			 const char **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TEMPLATE_MAX);
	struct err why = ERR_INIT;

	if (fd_read_file(AT_FDCWD, path, &b, &why) < 0 && !why.sys)
		return err_set(err, why.code, "error reading %s %s, %s", what, path, why.msg);
	if (why.sys) {
		const char *text = err_strerror(why.sys);

		return err_set(err, ERR_INVALID, "error reading %s %s, %s %s: %c%s", what, path,
			       why.sys == EISDIR ? "read" : "open", path,
			       tolower((unsigned char)*text), text + 1);
	}
	*ret = arena_strndup(p->k->arena, buf_str(&b), b.n);
	return *ret ? 0 : arena_quota(p->k->arena, err);
}

static int init_template(struct kubectl_print *p, const char *text, struct err *err)
{
	struct err why = ERR_INIT;

	if (!text || !*text)
		return err_set(err, ERR_INVALID, "template format specified but no template given");
	if (p->form == PRINT_TEMPLATE)
		return kubectl_template_init(p, text, err);
	p->text = text;
	if (jsonpath_compile(slice_str(text), p->k->arena, &p->path, &why) < 0)
		return err_set(err, ERR_INVALID, "error parsing jsonpath %s, %s", text, why.msg);
	return 0;
}

static int add_spec(struct kubectl_print *p, const char *header, struct slice path, struct err *err)
{
	if (p->nspecs == SPECS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d custom columns", SPECS_MAX);
	p->headers[p->nspecs] = header;
	if (!header)
		return arena_quota(p->k->arena, err);
	return jsonpath_compile_path(path, p->k->arena, &p->specs[p->nspecs++], err);
}

static int init_columns(struct kubectl_print *p, const char *text, struct err *err)
{
	struct slice rest = slice_str(text);

	if (!text || !*text)
		return err_set(err, ERR_INVALID,
			       "custom-columns format specified but no custom columns given");
	while (rest.p) {
		struct slice one = slice_split(&rest, ','), path = one,
			     header = slice_split(&path, ':');

		if (!path.p)
			return err_set(err, ERR_INVALID,
				       "unexpected custom-columns spec: %.*s, expected "
				       "<header>:<json-path-expr>",
				       (int)one.n, one.p);
		if (add_spec(p, arena_strndup(p->k->arena, header.p, header.n), path, err) < 0)
			return err_ret(err);
	}
	return 0;
}

static struct slice next_word(struct slice *line)
{
	struct slice w;

	while (line->n && isspace((unsigned char)*line->p))
		*line = slice_of(line->p + 1, line->n - 1);
	w = slice_of(line->p, 0);
	while (line->n && !isspace((unsigned char)*line->p)) {
		*line = slice_of(line->p + 1, line->n - 1);
		w.n++;
	}
	return w;
}

/* Two lines: headings, paths. */
static int init_columns_file(struct kubectl_print *p, const char *text, struct err *err)
{
	struct slice rest = slice_str(text), heads = slice_split(&rest, '\n'),
		     paths = slice_split(&rest, '\n');

	for (;;) {
		struct slice head = next_word(&heads), path = next_word(&paths);

		if (!head.n != !path.n)
			return err_set(err, ERR_INVALID,
				       "number of headers and field specifications must match");
		if (!head.n)
			return p->nspecs ? 0 : err_set(err, ERR_INVALID, "the file has no columns");
		if (add_spec(p, arena_strndup(p->k->arena, head.p, head.n), path, err) < 0)
			return err_ret(err);
	}
}

static int unknown_form(const char *output, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "unable to match a printer suitable for the output format \"%s\", allowed "
		       "formats are: "
		       "custom-columns,custom-columns-file,go-template,go-template-file,json,"
		       "jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,"
		       "yaml",
		       output);
}

static const struct form {
	const char *name;
	int form;
	bool argument, file;
} forms[] = {
	{ "wide", PRINT_WIDE, false, false },
	{ "name", PRINT_NAME, false, false },
	{ "json", PRINT_JSON, false, false },
	{ "yaml", PRINT_YAML, false, false },
	{ "jsonpath", PRINT_JSONPATH, true, false },
	{ "jsonpath-as-json", PRINT_JSONPATH_JSON, true, false },
	{ "jsonpath-file", PRINT_JSONPATH, true, true },
	{ "custom-columns", PRINT_COLUMNS, true, false },
	{ "custom-columns-file", PRINT_COLUMNS, true, true },
	{ "go-template", PRINT_TEMPLATE, true, false },
	{ "go-template-file", PRINT_TEMPLATE, true, true },
	{ "template", PRINT_TEMPLATE, true, false },
	{ "templatefile", PRINT_TEMPLATE, true, true },
};

static const struct form *find_form(const char *output)
{
	size_t n = strcspn(output, "=");

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (strlen(forms[i].name) == n && memcmp(forms[i].name, output, n) == 0 &&
		    (forms[i].argument || !output[n]))
			return &forms[i];
	return NULL;
}

const char *kubectl_output_or(const char *output, const char *template, const char *other)
{
	return output && *output ? output : template && *template ? "go-template" : other;
}

int kubectl_print_init(struct kubectl_print *p, struct kubectl *k, const char *output,
		       const char *template, struct err *err)
{
	bool given = template && *template;
	const char *text;
	const struct form *f;
	int r = 0;

	*p = (struct kubectl_print){ .k = k, .form = PRINT_TABLE, .missing_ok = true };
	output = kubectl_output_or(output, template, NULL);
	if (!output)
		return 0;
	f = find_form(output);
	text = strchr(output, '=');
	/* --template is the template: none stands behind the form then */
	if (!f || (given && text))
		return unknown_form(output, err);
	p->form = f->form;
	if (!f->argument)
		return 0;
	text = text ? text + 1 : template;
	if (f->file && text && *text)
		r = read_template(p, p->form == PRINT_COLUMNS ? "template" : "--template", text,
				  &text, err);
	if (r < 0)
		return r;
	if (p->form != PRINT_COLUMNS)
		return init_template(p, text, err);
	p->headers = ARENA_ARRAY(k->arena, const char *, SPECS_MAX);
	p->specs = ARENA_ARRAY(k->arena, const struct jsonpath *, SPECS_MAX);
	if (!p->headers || !p->specs)
		return arena_quota(k->arena, err);
	return f->file ? init_columns_file(p, text ? text : "", err) : init_columns(p, text, err);
}

/* ---- values ---- */

const char *kubectl_object_name(struct kubectl *k, const struct doc *d)
{
	const char *kind = kubectl_text(k, d, "kind"), *api = kubectl_text(k, d, "apiVersion");
	const char *slash = strchr(api, '/');
	char *name = arena_printf(k->arena, "%s%s%.*s/%s", kind, slash ? "." : "",
				  (int)(slash ? slash - api : 0), api,
				  kubectl_text(k, d, "metadata.name"));

	for (char *c = name; c && *c && *c != '.' && *c != '/'; c++)
		*c = (char)tolower((unsigned char)*c);
	return name ? name : "";
}

void kubectl_go_value(const struct doc *v, struct buf *out)
{
	const struct gotemplate_value x = gotemplate_value_of(v, 0);

	if (x.type == GOTEMPLATE_NIL)
		(void)buf_adds(out, "<nil>");
	else
		(void)gotemplate_print(&x, 0, out, NULL); /* a buffer tells when it is full */
}

struct doc *kubectl_unmanaged(struct arena *a, const struct doc *d)
{
	struct doc *copy = doc_new(a, *d), *meta = doc_get(d, "metadata"), *new_meta;

	if (!doc_get(meta, "managedFields") || !copy)
		return copy;
	new_meta = doc_new_object(a);
	DOC_EACH_MEMBER (key, value, meta)
		if (!slice_is(slice_of(key->s, key->n), "managedFields"))
			doc_add_node(a, new_meta, *key, *value);
	*copy = doc_object();
	DOC_EACH_MEMBER (key, value, d)
		doc_add_node(a, copy, *key, value == meta && new_meta ? *new_meta : *value);
	return copy;
}

/* Only json and yaml hide them: of a List's items, too. */
static const struct doc *without_managed(struct kubectl_print *p, const struct doc *d)
{
	const struct doc *items = doc_get(d, "items");
	struct arena *a = p->k->arena;
	struct doc *copy, *list;

	if (p->managed || (p->form != PRINT_JSON && p->form != PRINT_YAML))
		return d;
	if (!doc_is(items, DOC_ARRAY))
		return kubectl_unmanaged(a, d);
	list = doc_new_array(a);
	DOC_EACH (e, items) {
		const struct doc *one = doc_is(e, DOC_OBJECT) ? kubectl_unmanaged(a, e) : e;

		if (one)
			doc_append(a, list, *one);
	}
	copy = doc_copy_shared(a, &(struct doc){ .type = DOC_OBJECT });
	DOC_EACH_MEMBER (key, value, d)
		doc_add_node(a, copy, *key, value == items && list ? *list : *value);
	return copy;
}

/* ---- forms ---- */

static int print_json(struct kubectl_print *p, const struct doc *d, enum json_order order,
		      struct err *err)
{
	struct json_style style = { .indent = "    ", .order = order, .html = true };
	int r = json_write(d, &style, &p->k->out, err);

	buf_addc(&p->k->out, '\n');
	return r;
}

static int print_yaml(struct kubectl_print *p, const struct doc *d, struct err *err)
{
	struct yaml_style style = { .sorted = true };

	if (p->begun)
		buf_adds(&p->k->out, "---\n");
	return yaml_write(d, &style, &p->k->out, err);
}

static int print_path(struct kubectl_print *p, const struct doc *d, struct err *err)
{
	unsigned flags = (p->missing_ok ? JSONPATH_MISSING_OK : 0) |
			 (p->form == PRINT_JSONPATH_JSON ? JSONPATH_JSON : 0);

	if (jsonpath_print(p->path, d, flags, p->k->arena, &p->k->out, err) < 0)
		return err_wrap(err, "error executing jsonpath \"%s\": Error executing template",
				p->text);
	return 0;
}

static const char *cell(struct kubectl_print *p, const struct jsonpath *spec, const struct doc *d,
			struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_OUT_MAX);
	struct jsonpath_found found = { 0 };
	const char *text;

	if (jsonpath_find(spec, d, JSONPATH_MISSING_OK, p->k->arena, &found, err) < 0)
		return NULL;
	for (size_t i = 0; i < found.n; i++) {
		buf_adds(&b, i ? "," : "");
		kubectl_go_value(found.v[i], &b);
	}
	text = arena_strndup(p->k->arena, found.n ? buf_str(&b) : "<none>", found.n ? b.n : 6);
	if (!text)
		(void)arena_quota(p->k->arena, err);
	return text;
}

static int print_columns(struct kubectl_print *p, const struct doc *d, struct err *err)
{
	const struct doc *items = doc_get(d, "items");
	struct doc one = doc_array();
	size_t n = doc_is(items, DOC_ARRAY) ? items->n : 1, rows = 0;
	const char **cells = ARENA_ARRAY(p->k->arena, const char *, (n + 1) * p->nspecs);

	if (!cells)
		return arena_quota(p->k->arena, err);
	if (!p->no_headers && !p->begun)
		memcpy(&cells[rows++ * p->nspecs], p->headers, p->nspecs * sizeof(*cells));
	if (!doc_is(items, DOC_ARRAY)) {
		doc_append(p->k->arena, &one, *d);
		items = &one;
	}
	DOC_EACH (e, items) {
		for (size_t i = 0; i < p->nspecs; i++) {
			const char *text = cell(p, p->specs[i], e, err);

			if (!text)
				return err_ret(err);
			cells[rows * p->nspecs + i] = text;
		}
		rows++;
	}
	columns_print(&p->columns, cells, rows, p->nspecs, &p->k->out);
	return 0;
}

static void print_names(struct kubectl_print *p, const struct doc *d)
{
	const struct doc *items = doc_get(d, "items");

	if (!doc_is(items, DOC_ARRAY)) {
		buf_addf(&p->k->out, "%s\n", kubectl_object_name(p->k, d));
		return;
	}
	DOC_EACH (e, items)
		buf_addf(&p->k->out, "%s\n", kubectl_object_name(p->k, e));
}

static int print_one(struct kubectl_print *p, const struct doc *d, enum json_order order,
		     struct err *err)
{
	int r = 0;

	if (!d)
		return arena_quota(p->k->arena, err);
	switch (p->form) {
	case PRINT_JSON: r = print_json(p, d, order, err); break;
	case PRINT_YAML: r = print_yaml(p, d, err); break;
	case PRINT_JSONPATH:
	case PRINT_JSONPATH_JSON: r = print_path(p, d, err); break;
	case PRINT_COLUMNS: r = print_columns(p, d, err); break;
	case PRINT_TEMPLATE: r = kubectl_template_print(p, d, order, err); break;
	default: print_names(p, d);
	}
	p->begun = true;
	return r;
}

int kubectl_print_doc(struct kubectl_print *p, const struct doc *d, struct err *err)
{
	return print_one(p, without_managed(p, d), JSON_SORTED, err);
}

int kubectl_print_plain(struct kubectl_print *p, const struct doc *d, struct err *err)
{
	return print_one(p, d, JSON_AS_IS, err);
}

const char *kubectl_why(int sys)
{
	switch (sys) {
	case ENOENT: return "no such file or directory";
	case EACCES: return "permission denied";
	case EPERM: return "operation not permitted";
	case ENOTDIR: return "not a directory";
	case EISDIR: return "is a directory";
	case ELOOP: return "too many levels of symbolic links";
	case ENAMETOOLONG: return "file name too long";
	default: return err_strerror(sys);
	}
}
