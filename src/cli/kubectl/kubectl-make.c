/* SPDX-License-Identifier: Apache-2.0 */
/* What kubectl's generators share: flags, names, parts of objects, sending and telling. */
#include "cli/kubectl/kubectl-make.h"

#include "api/merge.h"
#include "api/quantity.h"
#include "api/selector.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/patch.h"
#include "doc/yaml.h"

#include <stdlib.h>

#define WORDS_MAX 65536

int kubectl_form_init(const struct kubectl_form *f, struct kubectl *k, struct kubectl_print *ret,
		      struct err *err)
{
	int r = kubectl_print_init(ret, k, f->output, f->template, err);

	ret->managed = f->managed;
	if (f->missing_given)
		ret->missing_ok = f->missing_ok;
	return r;
}

/* ---- begin, end ---- */

int make_prepare(struct cmd_call *call, const struct make_flags *f, const char *by,
		 struct making *ret, struct err *err)
{
	int r;

	*ret = (struct making){ .k = kubectl_of(call),
				.manager = f->manager ? f->manager : by,
				.save = f->save };
	r = kubectl_dry(f->dry, &ret->dry, err);
	if (r == 0)
		r = kubectl_validation(f->validate, &ret->validation, err);
	if (r == 0)
		r = kubectl_form_init(&f->form, ret->k, &ret->print, err);
	return r == 0 ? kubectl_client(ret->k, err) : r;
}

int make_begin(struct cmd_call *call, const struct make_flags *f, struct making *ret,
	       struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	size_t names = call->nargs - MIN(k->behind, call->nargs);
	int r;

	if (names != 1) {
		(void)err_set(err, ERR_BAD_REQUEST, "exactly one NAME is required, got %zu", names);
		return kubectl_usage(k, err);
	}
	r = make_prepare(call, f, "kubectl-create", ret, err);
	ret->name = call->args[0];
	ret->command = call->args + 1;
	ret->ncommand = call->nargs - 1;
	if (r == 0 && !*ret->name)
		return err_set(err, ERR_BAD_REQUEST, "name must be specified");
	return r;
}

int make_send(struct making *m, const struct make_kind *kind, struct doc *d, struct doc **ret,
	      struct err *err)
{
	const char *slash = strchr(kind->api, '/');
	struct resource res = { .api_version = kind->api,
				.name = kind->plural,
				.kind = kind->kind,
				.group = slash ? kind->api : "",
				.namespaced = kind->namespaced };
	struct kubectl_item it = { .res = &res,
				   .space = kind->namespaced ? m->k->conf.space : NULL };
	struct kubectl_send s = { .method = "POST",
				  .collection = true,
				  .manager = m->manager,
				  .validation = m->validation,
				  .dry_run = kubectl_dry_word(m->dry),
				  .body = d };
	struct json_style style = { .order = JSON_AS_IS, .html = true };
	int r;

	if (!d || arena_exceeded(m->k->arena))
		return arena_quota(m->k->arena, err);
	*ret = d;
	r = m->save ? kubectl_save_config_as(m->k, d, &style, err) : 0;
	if (r < 0 || m->dry == DRY_CLIENT)
		return r;
	r = kubectl_send(m->k, &it, &s, ret, err);
	if (r < 0 && kind->failed && client_failure(m->k->client)) {
		const char *said = kubectl_text(m->k, client_failure(m->k->client), "message");

		return err_set(err, ERR_BAD_REQUEST, "%s %s", kind->failed, said);
	}
	return r;
}

/* Go's types have a creationTimestamp in each template's metadata, which is null there. */
static void stamp_templates(struct arena *a, struct doc *spec)
{
	static const char *const names[] = { "template", "jobTemplate" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct doc *t = doc_get(spec, names[i]), *meta = doc_get(t, "metadata");
		struct doc fresh = doc_object();

		if (doc_is(meta, DOC_OBJECT) && !doc_get(meta, "creationTimestamp")) {
			if (doc_get(meta, "name"))
				doc_set(a, &fresh, "name", *doc_get(meta, "name"));
			doc_set_null(a, &fresh, "creationTimestamp");
			DOC_EACH_MEMBER (key, value, meta)
				doc_setn(a, &fresh, slice_of(key->s, key->n), *value);
			*meta = fresh;
		}
		if (i == 1 && t)
			stamp_templates(a, doc_get(t, "spec"));
	}
}

int make_print(struct making *m, const struct doc *d, struct err *err)
{
	struct kubectl_print *p = &m->print;

	stamp_templates(m->k->arena, doc_get(d, "spec"));
	if (p->form == PRINT_TEMPLATE)
		return kubectl_print_plain(p, d, err);
	if (p->form != PRINT_JSON)
		return kubectl_done(p, d, "created", m->dry, err);
	return kubectl_print_plain(p, p->managed ? d : kubectl_unmanaged(m->k->arena, d), err);
}

int make_end(struct making *m, const struct make_kind *kind, struct doc *d, struct err *err)
{
	struct doc *got;
	int r = make_send(m, kind, d, &got, err);

	return r == 0 ? make_print(m, got, err) : r;
}

/* ---- parts ---- */

struct doc *make_object(struct making *m, const struct make_kind *kind, const char *name)
{
	struct arena *a = m->k->arena;
	struct doc *d = doc_new_object(a), *meta;

	doc_set_str(a, d, "kind", kind->kind);
	doc_set_str(a, d, "apiVersion", kind->api);
	meta = doc_set_object(a, d, "metadata");
	doc_set_str(a, meta, "name", name);
	if (kind->namespaced && m->k->flags.space)
		doc_set_str(a, meta, "namespace", m->k->flags.space);
	doc_set_null(a, meta, "creationTimestamp");
	return d;
}

struct doc *make_meta(struct making *m, struct doc *in, const char *name)
{
	struct doc *meta = doc_set_object(m->k->arena, in, "metadata");

	if (name)
		doc_set_str(m->k->arena, meta, "name", name);
	doc_set_null(m->k->arena, meta, "creationTimestamp");
	return meta;
}

void make_app(struct making *m, struct doc *in, const char *member, const char *name)
{
	doc_set_str(m->k->arena, doc_set_object(m->k->arena, in, member), "app", name);
}

void make_words(struct making *m, struct doc *in, const char *member, const struct opt_list *words)
{
	struct doc *list;

	if (!words->n)
		return;
	list = doc_set_array(m->k->arena, in, member);
	for (size_t i = 0; i < words->n; i++)
		doc_append_str(m->k->arena, list, words->v[i]);
}

struct doc make_int_or_text(struct arena *a, struct slice text)
{
	int64_t n;

	if (str_int64(text, &n, NULL) == 0 && n >= INT32_MIN && n <= INT32_MAX)
		return doc_int(a, n);
	return doc_strn(a, text.p, text.n);
}

static void add_term(struct making *m, const struct selector_term *t, struct doc *list)
{
	static const char *const words[] = { [SELECT_IN] = "In",
					     [SELECT_NOT_IN] = "NotIn",
					     [SELECT_EXISTS] = "Exists",
					     [SELECT_ABSENT] = "DoesNotExist" };
	struct arena *a = m->k->arena;
	struct doc *e = doc_append_object(a, list);

	doc_set_strn(a, e, "key", t->key.p, t->key.n);
	doc_set_str(a, e, "operator", words[t->op]);
	if (t->n) {
		struct doc *values = doc_set_array(a, e, "values");

		for (size_t i = 0; i < t->n; i++)
			doc_append(a, values, doc_strn(a, t->values[i].p, t->values[i].n));
	}
}

int make_selector(struct making *m, struct doc *in, const char *member, const char *text,
		  struct err *err)
{
	struct arena *a = m->k->arena;
	struct doc *out = doc_set_object(a, in, member), equal = doc_object(), terms = doc_array();
	struct selector s;

	if (selector_labels(slice_str(text), a, &s, err) < 0)
		return err_wrap(err, "couldn't parse the selector string \"%s\"", text);
	for (size_t i = 0; i < s.n; i++) {
		const struct selector_term *t = &s.terms[i];

		if (t->op == SELECT_NOT_EQUAL)
			return err_set(err, ERR_BAD_REQUEST,
				       "\"!=\" is not a valid label selector operator");
		if (t->op == SELECT_GREATER || t->op == SELECT_LESS)
			return err_set(err, ERR_BAD_REQUEST,
				       "\"%s\" isn't supported in label selectors",
				       t->op == SELECT_GREATER ? "gt" : "lt");
		if (t->op == SELECT_EQUAL)
			doc_setn(a, &equal, t->key, doc_strn(a, t->values[0].p, t->values[0].n));
		else
			add_term(m, t, &terms);
	}
	doc_sort_members(&equal);
	if (equal.n)
		doc_set(a, out, "matchLabels", equal);
	if (terms.n)
		doc_set(a, out, "matchExpressions", terms);
	return 0;
}

bool make_pairs(struct making *m, struct doc *in, const char *member, const char *text)
{
	struct doc *out = doc_set_object(m->k->arena, in, member);

	for (struct slice rest = slice_str(text); rest.p;) {
		struct slice value = slice_split(&rest, ','), key = slice_split(&value, '=');

		if (!key.n || !value.p)
			return false;
		doc_setn(m->k->arena, out, key, doc_strn(m->k->arena, value.p, value.n));
	}
	doc_sort_members(out);
	return true;
}

int make_quantities(struct kubectl *k, const char *text, struct doc *into, struct err *err)
{
	for (struct slice rest = slice_str(text); rest.p;) {
		struct slice one = slice_split(&rest, ','), value = one,
			     key = slice_split(&value, '=');
		char canon[QUANTITY_TEXT_MAX];
		struct quantity q;

		if (!value.p || slice_has(value, '='))
			return err_set(err, ERR_BAD_REQUEST,
				       "Invalid argument syntax %.*s, expected <resource>=<value>",
				       (int)one.n, one.p);
		if (!quantity_parse(value, &q))
			return err_set(err, ERR_BAD_REQUEST,
				       "quantities must match the regular expression "
				       "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
		quantity_print(&q, canon);
		doc_setn(k->arena, into, key, doc_str(k->arena, canon));
	}
	doc_sort_members(into);
	return 0;
}

/* ---- words ---- */

static bool is_in(const struct opt_list *l, const char *word)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], word) == 0)
			return true;
	return false;
}

/* One field of CSV; *rest is behind its comma, or NULL at the end. */
static char *csv_field(struct arena *a, const char **rest)
{
	const char *s = *rest;
	char *out = arena_alloc(a, strlen(s) + 1), *to = out;

	if (!out || *s != '"') {
		size_t n = strcspn(s, ",");

		*rest = s[n] ? s + n + 1 : NULL;
		return out ? memcpy(out, s, n) : NULL;
	}
	for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
		s += *s == '"';
		*to++ = *s;
	}
	s += *s == '"';
	*rest = *s == ',' ? s + 1 : NULL;
	return out;
}

int make_commas(struct kubectl *k, const struct opt_list *in, unsigned flags, struct opt_list *ret,
		struct err *err)
{
	size_t room = in->n;

	for (size_t i = 0; i < in->n; i++)
		for (const char *c = in->v[i]; *c; c++)
			room += *c == ',';
	if (room > WORDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d words", WORDS_MAX);
	*ret = (struct opt_list){ .v = ARENA_ARRAY(k->arena, const char *, room + 1) };
	for (size_t i = 0; ret->v && i < in->n; i++)
		for (const char *rest = *in->v[i] ? in->v[i] : NULL; rest;) {
			const char *word = rest;

			if (flags & MAKE_WHOLE)
				rest = NULL;
			else
				word = csv_field(k->arena, &rest);
			if (!word)
				return arena_quota(k->arena, err);
			if (!(flags & MAKE_ONCE) || !is_in(ret, word))
				ret->v[ret->n++] = word;
		}
	return ret->v ? 0 : arena_quota(k->arena, err);
}

static int by_key(const void *x, const void *y)
{
	const struct doc *a = x, *b = y;

	return slice_cmp(slice_of(a->s, a->n), slice_of(b->s, b->n));
}

void doc_sort_members(struct doc *d)
{
	if (doc_len(d) > 1)
		qsort(d->kids, d->n, 2 * sizeof(*d->kids), by_key);
}

int make_required(const char *names, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "required flag(s) %s not set", names);
}

/* ---- overrides ---- */

int make_override(struct making *m, const char *type, const char *text, struct doc **d,
		  struct err *err)
{
	struct arena *a = m->k->arena;
	const struct api_type *kind;
	struct resource res = { .api_version = kubectl_text(m->k, *d, "apiVersion"),
				.kind = kubectl_text(m->k, *d, "kind") };
	struct doc *over, out;
	int r;

	if (!type)
		type = "merge";
	if (strcmp(type, "json") != 0 && strcmp(type, "merge") != 0 &&
	    strcmp(type, "strategic") != 0)
		return err_set(err, ERR_INVALID,
			       "invalid override type: %s. Must be json, merge, or strategic",
			       type);
	if (yaml_read(a, slice_str(text), NULL, &over, err) < 0)
		return err_wrap(err, "Invalid JSON Patch");
	if (*type == 'j')
		return patch_apply(a, *d, over, NULL, d, err);
	if (*type == 'm')
		return patch_merge(a, *d, over, d, err);
	r = kubectl_type(m->k, &res, &kind, err);
	if (r < 0)
		return r;
	if (!kind)
		return err_set(err, ERR_UNSUPPORTED, "--override-type strategic: not of this kind");
	r = api_merge(kind, *d, over, a, &out, err);
	*d = r == 0 ? doc_new(a, out) : NULL;
	return r == 0 && !*d ? arena_quota(a, err) : r;
}
