/* SPDX-License-Identifier: Apache-2.0 */
/* -o go-template: templates over objects, with the two functions that kubectl adds. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "expr/go-text.h"
#include "expr/gotemplate.h"

#define NAME SLICE("output") /* messages have it */
#define VALUES_MAX (256u << 20)
#define SHOWN_MAX 400 /* bytes of a template in an error, which has its reason behind it */

/* ---- functions ---- */

static bool is_place(const struct gotemplate_value *v, size_t n)
{
	return (v->type == GOTEMPLATE_INT || v->type == GOTEMPLATE_INT64) && v->i >= 0 &&
	       (uint64_t)v->i < n;
}

/* v becomes what it has there; false: it has no places of that sort. A map has nil for what is not
 * there. */
static bool step_into(struct gotemplate_value *v, const struct gotemplate_value *at, unsigned flags)
{
	switch (v->type) {
	case GOTEMPLATE_STRING:
		if (!is_place(at, v->s.n))
			return false;
		*v = (struct gotemplate_value){ .type = GOTEMPLATE_UINT8,
						.i = (unsigned char)v->s.p[at->i] };
		return true;
	case GOTEMPLATE_LIST:
		if (!is_place(at, doc_len(v->d)))
			return false;
		*v = gotemplate_value_of(doc_at(v->d, (size_t)at->i), flags);
		return true;
	case GOTEMPLATE_MAP:
		if (at->type != GOTEMPLATE_STRING && at->type != GOTEMPLATE_NIL)
			return false;
		*v = gotemplate_value_of(
			doc_getn(v->d, at->type == GOTEMPLATE_NIL ? SLICE("") : at->s), flags);
		return true;
	default: return false;
	}
}

/* Would "index" with these arguments find something? */
static int run_exists(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	struct gotemplate_value v = c->v[0];
	bool is = true;

	for (size_t i = 1; i < c->n && is; i++)
		is = step_into(&v, &c->v[i], c->flags);
	ret->type = GOTEMPLATE_BOOL;
	ret->truth = is && (c->n == 1 || v.type != GOTEMPLATE_NIL);
	return 0;
}

static unsigned base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *d = c ? strchr(digits, c) : NULL;

	return d ? (unsigned)(d - digits) : 64;
}

static size_t skip_ends(struct slice s, size_t at)
{
	while (at < s.n && (s.p[at] == '\n' || s.p[at] == '\r'))
		at++;
	return at;
}

/* From the "=" behind `have` digits to the end. False: *bad is where it is wrong. */
static bool read_padding(struct slice s, size_t at, unsigned have, size_t *bad)
{
	*bad = at - 1;
	if (have < 2)
		return false;
	if (have == 2) {
		at = skip_ends(s, at);
		*bad = at == s.n ? at : at - 1;
		if (at == s.n || s.p[at] != '=')
			return false;
		at++;
	}
	*bad = skip_ends(s, at);
	return *bad == s.n;
}

static void put_bytes(uint32_t bits, unsigned digits, char *dst, size_t *n)
{
	bits <<= 6 * (4 - digits);
	for (unsigned i = 0; i + 1 < digits; i++)
		dst[(*n)++] = (char)(bits >> (16 - 8 * i));
}

/* As Go's decoder: line ends are no digits, and it says where a text is wrong. */
static bool base64_read(struct slice s, char *dst, size_t *n, size_t *bad)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t at = 0;

	for (*n = 0; at < s.n;) {
		char c = s.p[at++];
		unsigned v = base64_value(c);

		if (c == '\n' || c == '\r')
			continue;
		if (c == '=') {
			if (!read_padding(s, at, have, bad))
				return false;
			put_bytes(bits, have, dst, n);
			return true;
		}
		*bad = at - 1;
		if (v == 64)
			return false;
		bits = bits << 6 | v;
		if (++have < 4)
			continue;
		put_bytes(bits, have, dst, n);
		bits = have = 0;
	}
	*bad = at - have;
	return have == 0;
}

static int run_base64decode(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	char *text = arena_alloc_raw(c->a, c->v[0].s.n + 4, 1);
	size_t n, bad;

	if (!text)
		return arena_quota(c->a, c->err);
	if (!base64_read(c->v[0].s, text, &n, &bad))
		return err_set(c->err, ERR_INVALID,
			       "base64 decode failed: illegal base64 data at input byte %zu", bad);
	ret->type = GOTEMPLATE_STRING;
	ret->s = slice_of(text, n);
	return 0;
}

static const struct gotemplate_func funcs[] = {
	{ "base64decode", "s", run_base64decode },
	{ "exists", "aa...", run_exists },
	{ 0 },
};

/* ---- templates ---- */

/* As much of the template as leaves room for the reason; it does not end within a character. */
static const char *shown(const struct kubectl_print *p, const char *text)
{
	size_t n = SHOWN_MAX;

	if (strlen(text) <= n)
		return text;
	while ((text[n] & 0xc0) == 0x80)
		n--;
	text = arena_printf(p->k->arena, "%.*s...", (int)n, text);
	return text ? text : "";
}

int kubectl_template_init(struct kubectl_print *p, const char *text, struct err *err)
{
	struct gotemplate *set;
	struct err why = ERR_INIT;
	int r = gotemplate_new(p->k->arena, funcs, &set, err);

	if (r < 0)
		return r;
	if (gotemplate_parse(set, NAME, slice_str(text), &why) < 0)
		return err_set(err, ERR_INVALID, "error parsing template %s, %s", shown(p, text),
			       why.msg);
	p->text = text;
	p->template = set;
	return 0;
}

/* What helps to find the mistake goes behind what was printed. */
static int explain_failure(struct kubectl_print *p, const struct doc *d, enum json_order order,
			   struct err *err)
{
	CLEANUP(buf_fini) struct buf quoted = BUF_INIT(4 * SHOWN_MAX);
	const struct json_style style = { .order = order, .html = true };
	const struct gotemplate_value v = gotemplate_value_of(d, 0);
	struct buf *out = &p->k->out;
	const struct err why = *err;

	(void)buf_addf(out,
		       "Error executing template: %s. Printing more information for debugging the "
		       "template:\n\ttemplate was:\n\t\t%s\n\traw data was:\n\t\t",
		       why.msg, p->text);
	(void)json_write(d, &style, out, NULL);
	(void)buf_adds(out, "\n\tobject given to template engine was:\n\t\t");
	(void)gotemplate_print(&v, 0, out, NULL);
	(void)buf_adds(out, "\n\n");
	(void)go_quote(&quoted, slice_str(shown(p, p->text)), false);
	return err_set(err, why.code, "error executing template %s: %s", buf_str(&quoted), why.msg);
}

int kubectl_template_print(struct kubectl_print *p, const struct doc *d, enum json_order order,
			   struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("template", VALUES_MAX);
	const struct gotemplate_job job = { .name = NAME,
					    .data = d,
					    .flags = p->missing_ok ? 0 : GOTEMPLATE_MISSING_ERROR,
					    .a = a,
					    .out = &p->k->out };

	return gotemplate_run(p->template, &job, err) < 0 ? explain_failure(p, d, order, err) : 0;
}
