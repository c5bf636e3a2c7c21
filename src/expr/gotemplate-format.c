/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's fmt: values with verbs and flags. What Go prints of a wrong verb, a missing argument and the
 * like is text, too; only %p, which prints addresses, is refused.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/utf8.h"
#include "doc/doc.h"
#include "expr/go-text.h"
#include "expr/gotemplate-private.h"

#include <stdio.h>
#include <stdlib.h>

#define PRINT_MAX (64u << 20) /* bytes of one function's text */
#define NUMBER_MAX 1000000    /* a width or precision, as in Go */

struct format {
	struct buf *out;
	bool has_width, has_precision, minus, plus, sharp, space, zero;
	bool sharp_v; /* %#v: Go's syntax */
	int width, precision;
	unsigned depth, flags; /* flags: of the job */
	bool deep, address;    /* refused: too many levels; %p */
};

static void print_value(struct format *f, const struct gotemplate_value *v, uint32_t verb);

/* ---- padding ---- */

static void add_text(struct format *f, const char *s)
{
	(void)buf_adds(f->out, s);
}

static void add_rune(struct buf *out, uint32_t c)
{
	char utf8[4];

	(void)buf_add(out, utf8, utf8_put(c, utf8));
}

static void add_times(struct format *f, char c, int n)
{
	for (; n > 0 && !f->out->full; n--)
		(void)buf_addc(f->out, c);
}

static void pad_more(struct format *f, int n)
{
	add_times(f, f->zero ? '0' : ' ', n);
}

static int count_runes(struct slice s)
{
	int runes = 0;

	for (size_t i = 0, n; i < s.n && runes < NUMBER_MAX; i += n, runes++)
		(void)utf8_next(slice_of(s.p + i, s.n - i), &n);
	return runes;
}

static void pad(struct format *f, struct slice s)
{
	int more = f->has_width ? f->width - count_runes(s) : 0;

	if (!f->minus)
		pad_more(f, more);
	(void)buf_add(f->out, s.p, s.n);
	if (f->minus)
		pad_more(f, more);
}

static void pad_spaces(struct format *f, struct slice s)
{
	bool zero = f->zero;

	f->zero = false;
	pad(f, s);
	f->zero = zero;
}

/* ---- verbs ---- */

static const struct gotemplate_value *no_value(void)
{
	static const struct gotemplate_value nil = { .type = GOTEMPLATE_NIL };

	return &nil;
}

static void bad_verb(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	add_text(f, "%!");
	add_rune(f->out, verb);
	add_text(f, "(");
	if (v->type == GOTEMPLATE_NIL) {
		add_text(f, "<nil>");
	} else {
		add_text(f, gotemplate_type_name(v));
		add_text(f, "=");
		print_value(f, v, 'v');
	}
	add_text(f, ")");
}

static unsigned digits_of(uint64_t u, unsigned base, bool upper, char text[65])
{
	char reversed[65];
	unsigned n = 0;

	do
		reversed[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
	while (u /= base);
	for (unsigned i = 0; i < n; i++)
		text[i] = reversed[n - 1 - i];
	text[n] = '\0';
	return n;
}

static const char *base_prefix(const struct format *f, unsigned base, uint32_t verb, bool zeros)
{
	if (verb == 'O')
		return "0o";
	if (!f->sharp)
		return "";
	return base == 2	     ? "0b"
	       : base == 16	     ? (verb == 'X' ? "0X" : "0x")
	       : base == 8 && !zeros ? "0"
				     : "";
}

static void add_integer(struct format *f, int64_t i, unsigned base, uint32_t verb)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(NUMBER_MAX + 128);
	bool negative = i < 0;
	uint64_t u = negative ? -(uint64_t)i : (uint64_t)i;
	const char *sign = negative ? "-" : f->plus ? "+" : f->space ? " " : "";
	char text[65];
	unsigned n = digits_of(u, base, verb == 'X', text);
	int precision = 0;

	if (f->has_precision && f->precision == 0 && u == 0) {
		add_times(f, ' ', f->has_width ? f->width : 0);
		return;
	}
	if (f->has_precision)
		precision = f->precision;
	else if (f->zero && f->has_width)
		precision = f->width - (*sign != '\0');
	(void)buf_adds(&b, sign);
	(void)buf_adds(&b, base_prefix(f, base, verb, precision > (int)n || *text == '0'));
	for (int more = precision - (int)n; more > 0; more--)
		(void)buf_addc(&b, '0');
	(void)buf_add(&b, text, n);
	pad_spaces(f, buf_slice(&b));
}

/* %U: U+0041, with # its character, too. */
static void add_unicode(struct format *f, uint64_t u)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(NUMBER_MAX + 128);
	char text[65];
	unsigned n = digits_of(u, 16, true, text);

	(void)buf_adds(&b, "U+");
	for (int more = (f->has_precision && f->precision > 4 ? f->precision : 4) - (int)n;
	     more > 0; more--)
		(void)buf_addc(&b, '0');
	(void)buf_add(&b, text, n);
	if (f->sharp && u <= 0x10ffff && go_is_print((uint32_t)u)) {
		(void)buf_adds(&b, " '");
		add_rune(&b, (uint32_t)u);
		(void)buf_addc(&b, '\'');
	}
	pad_spaces(f, buf_slice(&b));
}

/* %c, %q */
static void add_char(struct format *f, int64_t i, bool quoted)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64);
	uint32_t c = i < 0 || i > 0x10ffff || (i >= 0xd800 && i < 0xe000) ? UTF8_BAD : (uint32_t)i;

	if (quoted)
		(void)go_quote_rune(&b, c, f->plus);
	else
		add_rune(&b, c);
	pad(f, buf_slice(&b));
}

static void print_integer(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	bool sharp = f->sharp;

	switch (verb) {
	case 'v':
		f->sharp = f->sharp || (f->sharp_v && v->type == GOTEMPLATE_UINT8);
		add_integer(f, v->i, f->sharp_v && v->type == GOTEMPLATE_UINT8 ? 16 : 10, verb);
		f->sharp = sharp;
		break;
	case 'd': add_integer(f, v->i, 10, verb); break;
	case 'b': add_integer(f, v->i, 2, verb); break;
	case 'o':
	case 'O': add_integer(f, v->i, 8, verb); break;
	case 'x':
	case 'X': add_integer(f, v->i, 16, verb); break;
	case 'c':
	case 'q': add_char(f, v->i, verb == 'q'); break;
	case 'U': add_unicode(f, (uint64_t)v->i); break;
	default: bad_verb(f, v, verb);
	}
}

/* "#": a point, and all digits of the precision. `num` has its sign. */
static void sharpen(struct buf *num, char verb, int precision)
{
	CLEANUP(buf_fini) struct buf tail = BUF_INIT(64);
	int digits =
		verb == 'g' || verb == 'G' || verb == 'x' ? precision == -1 ? 6 : precision : 0;
	bool hex = verb == 'x' || verb == 'X', point = false, some = false;
	size_t i;

	for (i = 1; i < num->n; i++) {
		char c = num->p[i];

		if (c == 'p' || c == 'P' || (!hex && (c == 'e' || c == 'E')))
			break;
		point |= c == '.';
		some |= c != '.' && c != '0';
		digits -= some && c != '.';
	}
	(void)buf_add(&tail, num->p + i, num->n - i);
	num->n = i;
	if (!point) {
		digits -= i == 2 && num->p[1] == '0';
		(void)buf_addc(num, '.');
	}
	for (; digits > 0; digits--)
		(void)buf_addc(num, '0');
	(void)buf_add(num, tail.p, tail.n);
}

static void add_float(struct format *f, double d, char verb, int precision)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(NUMBER_MAX + 512);
	struct slice num;
	bool minus, finite;

	if (f->has_precision)
		precision = f->precision;
	(void)buf_addc(&b, '+');
	(void)go_float(&b, d, verb, precision);
	minus = b.p[1] == '-';
	if (minus || b.p[1] == '+')
		buf_consume(&b, 1);
	if (f->space && !minus && !f->plus)
		b.p[0] = ' ';
	finite = b.p[1] != 'I' && b.p[1] != 'N';
	if (finite && f->sharp && verb != 'b')
		sharpen(&b, verb, precision);
	num = buf_slice(&b);
	if (!finite) {
		bool bare = num.p[1] == 'N' && !f->space && !f->plus;

		pad_spaces(f, bare ? slice_of(num.p + 1, num.n - 1) : num);
	} else if (!f->plus && *num.p == '+') {
		pad(f, slice_of(num.p + 1, num.n - 1));
	} else if (f->zero && f->has_width && f->width > (int)num.n) {
		(void)buf_addc(f->out, *num.p);
		pad_more(f, f->width - (int)num.n);
		(void)buf_add(f->out, num.p + 1, num.n - 1);
	} else {
		pad(f, num);
	}
}

static void print_float(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	switch (verb) {
	case 'v': add_float(f, v->f, 'g', -1); break;
	case 'b':
	case 'g':
	case 'G':
	case 'x':
	case 'X': add_float(f, v->f, (char)verb, -1); break;
	case 'f':
	case 'e':
	case 'E': add_float(f, v->f, (char)verb, 6); break;
	case 'F': add_float(f, v->f, 'f', 6); break;
	default: bad_verb(f, v, verb);
	}
}

static struct slice truncated(const struct format *f, struct slice s)
{
	size_t at = 0, n;

	if (!f->has_precision)
		return s;
	for (int runes = 0; at < s.n && runes < f->precision; runes++, at += n)
		(void)utf8_next(slice_of(s.p + at, s.n - at), &n);
	return slice_of(s.p, at);
}

static void add_quoted(struct format *f, struct slice s)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PRINT_MAX);

	s = truncated(f, s);
	if (f->sharp && go_can_backquote(s)) {
		(void)buf_addc(&b, '`');
		(void)buf_add(&b, s.p, s.n);
		(void)buf_addc(&b, '`');
	} else {
		(void)go_quote(&b, s, f->plus);
	}
	pad(f, buf_slice(&b));
}

/* %x of a text: its bytes. */
static void add_bytes(struct format *f, struct slice s, bool upper)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PRINT_MAX);
	const char *prefix = !f->sharp ? "" : upper ? "0X" : "0x";

	if (f->has_precision && (size_t)f->precision < s.n)
		s.n = (size_t)f->precision;
	(void)buf_adds(&b, s.n ? prefix : "");
	for (size_t i = 0; i < s.n && !b.full; i++) {
		if (f->space && i)
			(void)buf_addf(&b, " %s", prefix);
		(void)buf_addf(&b, upper ? "%02X" : "%02x", (unsigned char)s.p[i]);
	}
	pad(f, buf_slice(&b));
}

static void print_string(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	if (verb == 'q' || (verb == 'v' && f->sharp_v))
		add_quoted(f, v->s);
	else if (verb == 'v' || verb == 's')
		pad(f, truncated(f, v->s));
	else if (verb == 'x' || verb == 'X')
		add_bytes(f, v->s, verb == 'X');
	else
		bad_verb(f, v, verb);
}

/* ---- lists and maps ---- */

static int by_key(const void *a, const void *b)
{
	const struct doc *l = *(const struct doc *const *)a, *r = *(const struct doc *const *)b;

	return slice_cmp(doc_slice(l), doc_slice(r));
}

const struct doc **gt_sorted(const struct doc *map)
{
	size_t n = doc_len(map);
	const struct doc **keys = n ? reallocarray(NULL, n, sizeof(struct doc *)) : NULL;

	if (n && !keys)
		abort();
	for (size_t i = 0; i < n; i++)
		keys[i] = doc_key_at(map, i);
	if (n)
		qsort(keys, n, sizeof(struct doc *), by_key);
	return keys;
}

static void print_inner(struct format *f, const struct doc *d, uint32_t verb)
{
	struct gotemplate_value v = gotemplate_value_of(d, f->flags);

	if (v.type == GOTEMPLATE_NIL)
		add_text(f, f->sharp_v ? "interface {}(nil)" : "<nil>");
	else
		print_value(f, &v, verb);
}

static void print_list(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	if (f->sharp_v)
		add_text(f, gotemplate_type_name(v));
	add_text(f, f->sharp_v ? "{" : "[");
	for (size_t i = 0; i < doc_len(v->d) && !f->out->full; i++) {
		if (i)
			add_text(f, f->sharp_v ? ", " : " ");
		print_inner(f, doc_at(v->d, i), verb);
	}
	add_text(f, f->sharp_v ? "}" : "]");
}

static void print_map(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	CLEANUP_FREE const struct doc **keys = gt_sorted(v->d);

	add_text(f, f->sharp_v ? gotemplate_type_name(v) : "map");
	add_text(f, f->sharp_v ? "{" : "[");
	for (size_t i = 0; i < doc_len(v->d) && !f->out->full; i++) {
		if (i)
			add_text(f, f->sharp_v ? ", " : " ");
		print_inner(f, keys[i], verb);
		add_text(f, ":");
		print_inner(f, keys[i] + 1, verb);
	}
	add_text(f, f->sharp_v ? "}" : "]");
}

static void print_truth(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	if (verb == 't' || verb == 'v')
		pad(f, v->truth ? SLICE("true") : SLICE("false"));
	else
		bad_verb(f, v, verb);
}

static void print_value(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	if (f->depth == GOTEMPLATE_DATA_MAX) {
		f->deep = true;
		return;
	}
	f->depth++;
	switch (v->type) {
	case GOTEMPLATE_NIL: break;
	case GOTEMPLATE_BOOL: print_truth(f, v, verb); break;
	case GOTEMPLATE_FLOAT64: print_float(f, v, verb); break;
	case GOTEMPLATE_STRING: print_string(f, v, verb); break;
	case GOTEMPLATE_LIST: print_list(f, v, verb); break;
	case GOTEMPLATE_MAP: print_map(f, v, verb); break;
	default: print_integer(f, v, verb);
	}
	f->depth--;
}

static void print_arg(struct format *f, const struct gotemplate_value *v, uint32_t verb)
{
	bool container = v->type == GOTEMPLATE_LIST || v->type == GOTEMPLATE_MAP;

	if (v->type == GOTEMPLATE_NIL && (verb == 'T' || verb == 'v'))
		pad(f, SLICE("<nil>"));
	else if (v->type == GOTEMPLATE_NIL || (verb == 'w' && container))
		bad_verb(f, v, verb);
	else if (verb == 'T')
		pad(f, truncated(f, slice_str(gotemplate_type_name(v))));
	else if (verb == 'p' && container)
		f->address = true;
	else
		print_value(f, v, verb);
}

/* ---- printf ---- */

struct printf {
	struct format f;
	const struct gotemplate_call *c;
	struct slice format;
	size_t at;  /* in the format */
	size_t arg; /* the next one; c->v[0] is the format */
	bool reordered, good_index, after_index;
};

static bool is_at(const struct printf *p, char c)
{
	return p->at < p->format.n && p->format.p[p->at] == c;
}

/* Digits; false: there are none, or it is too large (then the format ends). */
static bool read_number(struct printf *p, size_t end, int *ret)
{
	size_t begin = p->at;
	int n = 0;

	*ret = 0;
	for (; p->at < end && p->format.p[p->at] >= '0' && p->format.p[p->at] <= '9'; p->at++) {
		if (n > NUMBER_MAX) {
			p->at = end;
			return false;
		}
		n = n * 10 + (p->format.p[p->at] - '0');
	}
	*ret = n;
	return p->at > begin;
}

/* "[2]": which argument comes next. */
static void read_index(struct printf *p)
{
	size_t begin = p->at, end;
	const char *close;
	int n = 0;
	bool ok;

	p->after_index = false;
	if (!is_at(p, '['))
		return;
	p->reordered = true;
	close = memchr(p->format.p + begin, ']', p->format.n - begin);
	if (!close || p->format.n - begin < 3) {
		p->at++;
		p->good_index = false;
		return;
	}
	end = (size_t)(close - p->format.p);
	p->at++;
	ok = read_number(p, end, &n) && p->at == end;
	p->at = end + 1;
	p->after_index = ok;
	if (ok && n >= 1 && (size_t)n < p->c->n)
		p->arg = (size_t)n;
	else
		p->good_index = false;
}

static struct format without_flags(const struct format *f)
{
	return (struct format){
		.out = f->out, .flags = f->flags, .deep = f->deep, .address = f->address
	};
}

static void read_flags(struct printf *p)
{
	struct format *f = &p->f;

	*f = without_flags(f);
	for (; p->at < p->format.n; p->at++)
		switch (p->format.p[p->at]) {
		case '#': f->sharp = true; break;
		case '0': f->zero = !f->minus; break;
		case '+': f->plus = true; break;
		case ' ': f->space = true; break;
		case '-':
			f->minus = true;
			f->zero = false;
			break;
		default: return;
		}
}

/* "*": the width or precision is an argument. False: it is none. */
static bool star(struct printf *p, int *ret)
{
	const struct gotemplate_value *v = p->arg < p->c->n ? &p->c->v[p->arg++] : no_value();

	p->at++;
	p->after_index = false;
	*ret = 0;
	if ((v->type != GOTEMPLATE_INT && v->type != GOTEMPLATE_INT64 &&
	     v->type != GOTEMPLATE_UINT8) ||
	    v->i > NUMBER_MAX || v->i < -NUMBER_MAX)
		return false;
	*ret = (int)v->i;
	return true;
}

static void read_width(struct printf *p)
{
	struct format *f = &p->f;

	if (!is_at(p, '*')) {
		f->has_width = read_number(p, p->format.n, &f->width);
		if (p->after_index && f->has_width)
			p->good_index = false;
		return;
	}
	f->has_width = star(p, &f->width);
	if (!f->has_width)
		add_text(f, "%!(BADWIDTH)");
	if (f->width < 0) {
		f->width = -f->width;
		f->minus = true;
		f->zero = false;
	}
}

static void read_precision(struct printf *p)
{
	struct format *f = &p->f;

	if (p->at + 1 >= p->format.n || !is_at(p, '.'))
		return;
	p->at++;
	if (p->after_index)
		p->good_index = false;
	read_index(p);
	if (!is_at(p, '*')) {
		(void)read_number(p, p->format.n, &f->precision);
		f->has_precision = true;
		return;
	}
	f->has_precision = star(p, &f->precision) && f->precision >= 0;
	if (!f->has_precision) {
		f->precision = 0;
		add_text(f, "%!(BADPREC)");
	}
}

static void mark_verb(struct printf *p, uint32_t verb, const char *what)
{
	add_text(&p->f, "%!");
	add_rune(p->f.out, verb);
	add_text(&p->f, what);
}

/* Behind a "%". */
static void print_directive(struct printf *p)
{
	struct format *f = &p->f;
	uint32_t verb;
	size_t n;

	p->good_index = true;
	read_flags(p);
	read_index(p);
	read_width(p);
	read_precision(p);
	if (!p->after_index)
		read_index(p);
	if (p->at >= p->format.n) {
		add_text(f, "%!(NOVERB)");
		return;
	}
	verb = utf8_next(slice_of(p->format.p + p->at, p->format.n - p->at), &n);
	p->at += n;
	if (verb == 'v') {
		f->sharp_v = f->sharp;
		f->sharp = f->plus = false;
	}
	if (verb == '%')
		add_text(f, "%");
	else if (!p->good_index)
		mark_verb(p, verb, "(BADINDEX)");
	else if (p->arg >= p->c->n)
		mark_verb(p, verb, "(MISSING)");
	else
		print_arg(f, &p->c->v[p->arg++], verb);
}

static void print_extra(struct printf *p)
{
	struct format *f = &p->f;

	*f = without_flags(f);
	add_text(f, "%!(EXTRA ");
	for (size_t begin = p->arg; p->arg < p->c->n; p->arg++) {
		const struct gotemplate_value *v = &p->c->v[p->arg];

		add_text(f, p->arg > begin ? ", " : "");
		if (v->type != GOTEMPLATE_NIL) {
			add_text(f, gotemplate_type_name(v));
			add_text(f, "=");
		}
		print_arg(f, v, 'v');
	}
	add_text(f, ")");
}

/* ---- the functions ---- */

/* The text becomes the function's value. */
static int give(const struct gotemplate_call *c, const struct format *f,
		struct gotemplate_value *ret)
{
	const struct buf *out = f->out;

	if (f->address)
		return err_set(c->err, ERR_INVALID, "%%p is not supported");
	if (f->deep)
		return err_set(c->err, ERR_TOO_LARGE, "a value of more than %d levels",
			       GOTEMPLATE_DATA_MAX);
	if (out->full)
		return err_set(c->err, ERR_QUOTA, "a text of more than %u bytes", PRINT_MAX);
	ret->type = GOTEMPLATE_STRING;
	ret->s = slice_of(arena_strndup(c->a, buf_str(out), out->n), out->n);
	return ret->s.p ? 0 : arena_quota(c->a, c->err);
}

int gt_sprintf(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(PRINT_MAX);
	struct printf p = {
		.f = { .out = &out, .flags = c->flags }, .c = c, .format = c->v[0].s, .arg = 1
	};

	while (p.at < p.format.n && !out.full) {
		struct slice rest = slice_of(p.format.p + p.at, p.format.n - p.at);
		const char *percent = memchr(rest.p, '%', rest.n);
		size_t n = percent ? (size_t)(percent - rest.p) : rest.n;

		(void)buf_add(&out, rest.p, n);
		p.at += n + 1;
		if (percent)
			print_directive(&p);
	}
	if (!p.reordered && p.arg < c->n)
		print_extra(&p);
	return give(c, &p.f, ret);
}

int gt_sprint(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(PRINT_MAX);
	struct format f = { .out = &out, .flags = c->flags };

	for (size_t i = 0; i < c->n; i++) {
		if (i && c->v[i].type != GOTEMPLATE_STRING && c->v[i - 1].type != GOTEMPLATE_STRING)
			add_text(&f, " ");
		print_arg(&f, &c->v[i], 'v');
	}
	return give(c, &f, ret);
}

int gt_sprintln(const struct gotemplate_call *c, struct gotemplate_value *ret)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(PRINT_MAX);
	struct format f = { .out = &out, .flags = c->flags };

	for (size_t i = 0; i < c->n; i++) {
		add_text(&f, i ? " " : "");
		print_arg(&f, &c->v[i], 'v');
	}
	add_text(&f, "\n");
	return give(c, &f, ret);
}

int gt_print_verb(const struct gotemplate_value *v, char verb, unsigned flags, struct buf *out)
{
	struct format f = { .out = out, .flags = flags };

	print_arg(&f, v, (unsigned char)verb);
	return f.deep ? -ERR_TOO_LARGE : out->full ? -ERR_QUOTA : 0;
}

int gotemplate_print(const struct gotemplate_value *v, unsigned flags, struct buf *out,
		     struct err *err)
{
	int r = gt_print_verb(v, 'v', flags, out);

	if (r == -ERR_TOO_LARGE)
		return err_set(err, ERR_TOO_LARGE, "a value of more than %d levels",
			       GOTEMPLATE_DATA_MAX);
	return r < 0 ? err_set(err, ERR_QUOTA, "what is printed does not fit its memory") : 0;
}

const char *gotemplate_type_name(const struct gotemplate_value *v)
{
	static const char *const names[] = {
		[GOTEMPLATE_NIL] = "nil",
		[GOTEMPLATE_BOOL] = "bool",
		[GOTEMPLATE_INT] = "int",
		[GOTEMPLATE_INT64] = "int64",
		[GOTEMPLATE_UINT8] = "uint8",
		[GOTEMPLATE_FLOAT64] = "float64",
		[GOTEMPLATE_STRING] = "string",
		[GOTEMPLATE_LIST] = "[]interface {}",
		[GOTEMPLATE_MAP] = "map[string]interface {}",
	};

	return names[v->type];
}
