/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON reader: one pass, no recursion. Values pile up on a stack of nodes; when a container
 * closes, its children are the run on top: they are copied to the arena in one piece and the
 * container takes their place.
 *
 * (1) An open container is a node on the stack whose `n` is the stack index of the container around
 * it. (2) Between two values r->sp - 1 is the last finished value; only finished values lie above
 * the innermost open container. (3) Nothing is written into the text unless it is our copy
 * (opt->copy); then each closing quote that was passed becomes a NUL, which makes the string before
 * it a C string.
 */
#include "doc/json.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/number.h"
#include "doc/text.h"
#include "doc/walk.h"

#include <stdio.h>

#define STACK_LOCAL 192
#define NO_PARENT UINT32_MAX
#define SMALL_KEYS 8   /* up to here keys are compared pair by pair */
#define MEDIUM_KEYS 64 /* up to here in a table on the stack */
#define TEXT_ENDS 1

struct reader {
	const char *p, *end;
	struct doc *stack, *sp, *limit;
	uint32_t top; /* index of the innermost open container, or NO_PARENT */
	uint32_t depth;
	uint32_t max_depth;
	size_t done; /* nodes that left the stack */
	size_t max_nodes;
	uint8_t str_flags;
	bool own; /* the text is our copy */
	struct arena *a;
	const struct json_options *opt;
	const char *start;
	struct err *err;
	uint32_t *slots; /* scratch for keys of large objects */
	size_t slots_cap;
	struct doc *local;
};

/* ---- Errors ---- */

void json_where(struct slice text, const char *at, unsigned *ret_line, unsigned *ret_column)
{
	const char *line = text.p;
	unsigned n = 1;

	for (const char *nl; line < at && (nl = memchr(line, '\n', (size_t)(at - line)));
	     line = nl + 1)
		n++;
	*ret_line = n;
	*ret_column = (unsigned)(at - line) + 1;
}

static const char *describe(const char *at, const char *end, char dst[32])
{
	unsigned char c = at < end ? (unsigned char)*at : 0;

	if (at >= end)
		return "the end of the text";
	if (c > 0x20 && c < 0x7f)
		snprintf(dst, 32, "'%c'", c);
	else
		snprintf(dst, 32, "byte 0x%02x", c);
	return dst;
}

static int fail_at(struct reader *r, enum err_code code, const char *at, const char *what)
{
	unsigned line, column;

	json_where(slice_of(r->start, (size_t)(r->end - r->start)), at, &line, &column);
	return err_set(r->err, code, "JSON line %u column %u (byte %zu): %s", line, column,
		       (size_t)(at - r->start), what);
}

/* The grammar wants something else at this place. In a stream a missing rest is no error. */
static int expected(struct reader *r, const char *at, const char *what)
{
	char found[32], text[160];

	if (at >= r->end && r->opt->consumed)
		return TEXT_ENDS;
	snprintf(text, sizeof(text), "expected %s, found %s", what, describe(at, r->end, found));
	return fail_at(r, ERR_BAD_REQUEST, at, text);
}

/* ---- The stack ---- */

static __attribute__((noinline)) int grow_stack(struct reader *r)
{
	size_t cap = (size_t)(r->limit - r->stack), used = (size_t)(r->sp - r->stack);
	struct doc *p = r->stack == r->local ? NULL : r->stack;

	if (r->done + used >= r->max_nodes)
		return fail_at(r, ERR_TOO_LARGE, r->p, "more values than the limit allows");
	p = reallocarray(p, cap * 2, sizeof(*p));
	if (!p)
		abort();
	if (r->stack == r->local)
		memcpy(p, r->local, used * sizeof(*p));
	r->stack = p;
	r->sp = p + used;
	r->limit = p + cap * 2;
	return 0;
}

static inline int push(struct reader *r, struct doc d)
{
	if (__builtin_expect(r->sp == r->limit, 0)) {
		int e = grow_stack(r);

		if (e)
			return e;
	}
	*r->sp++ = d;
	return 0;
}

/* ---- Strings ---- */

static int hex4(const char *p, unsigned *ret)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		v <<= 4;
		if (c >= '0' && c <= '9')
			v |= (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v |= (unsigned)((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	*ret = v;
	return 0;
}

static char *put_utf8(char *w, unsigned cp)
{
	if (cp < 0x80) {
		*w++ = (char)cp;
	} else if (cp < 0x800) {
		*w++ = (char)(0xc0 | cp >> 6);
		*w++ = (char)(0x80 | (cp & 0x3f));
	} else if (cp < 0x10000) {
		*w++ = (char)(0xe0 | cp >> 12);
		*w++ = (char)(0x80 | (cp >> 6 & 0x3f));
		*w++ = (char)(0x80 | (cp & 0x3f));
	} else {
		*w++ = (char)(0xf0 | cp >> 18);
		*w++ = (char)(0x80 | (cp >> 12 & 0x3f));
		*w++ = (char)(0x80 | (cp >> 6 & 0x3f));
		*w++ = (char)(0x80 | (cp & 0x3f));
	}
	return w;
}

/* \uXXXX, or the pair of them that is one character. p is at the 'u'; returns what follows, NULL
 * after an error. */
static const char *unescape_u(struct reader *r, const char *p, const char *end, char **w)
{
	unsigned cp, low;

	if (end - p < 5 || hex4(p + 1, &cp) < 0) {
		(void)fail_at(r, ERR_BAD_REQUEST, p - 1, "\\u wants four hexadecimal digits");
		return NULL;
	}
	if (cp >= 0xd800 && cp < 0xdc00 && end - p >= 11 && p[5] == '\\' && p[6] == 'u' &&
	    hex4(p + 7, &low) == 0 && low >= 0xdc00 && low < 0xe000) {
		*w = put_utf8(*w, 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00));
		return p + 11;
	}
	if (cp >= 0xd800 && cp < 0xe000) {
		if (!r->opt->replace) {
			(void)fail_at(r, ERR_BAD_REQUEST, p - 1,
				      "\\u escape is half of a surrogate pair");
			return NULL;
		}
		cp = 0xfffd;
	}
	*w = put_utf8(*w, cp);
	return p + 5;
}

/* p is at the byte after a backslash. */
static const char *unescape(struct reader *r, const char *p, const char *end, char **w)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (*p == 'u')
		return unescape_u(r, p, end, w);
	at = *p ? strchr(from, *p) : NULL;
	if (!at) {
		(void)expected(r, p, "one of \"\\/bfnrtu after a backslash");
		return NULL;
	}
	*(*w)++ = to[at - from];
	return p + 1;
}

/* A string with escapes (or bytes to replace): its value goes to the arena. [s, end) was checked
 * but for escapes. */
static int decode_string(struct reader *r, const char *s, const char *end, size_t bad)
{
	size_t size = (size_t)(end - s) + 2 * bad + 1;
	char *dst = arena_alloc_raw(r->a, size, 1), *w = dst;
	struct doc d = { .type = DOC_STRING };

	if (!dst)
		return arena_quota(r->a, r->err);
	while (s < end) {
		const char *q = text_skip_plain(s, end);
		unsigned len;

		memcpy(w, s, (size_t)(q - s));
		w += q - s;
		s = q;
		if (s == end)
			break;
		if (*s == '\\') {
			s = unescape(r, s + 1, end, &w);
			if (!s)
				return -ERR_BAD_REQUEST;
			continue;
		}
		len = text_utf8(s, end);
		if (len == 0) {
			w = put_utf8(w, 0xfffd);
			s++;
			continue;
		}
		memcpy(w, s, len);
		w += len;
		s += len;
	}
	*w = '\0';
	if ((size_t)(w - dst) > UINT32_MAX)
		return fail_at(r, ERR_TOO_LARGE, s, "string of more than 4 GiB");
	d.n = (uint32_t)(w - dst);
	d.s = dst;
	d.flags = memchr(dst, '\0', d.n) ? 0 : DOC_CSTR;
	if (text_clean(dst, d.n))
		d.flags |= DOC_CLEAN;
	return push(r, d);
}

static int finish_string(struct reader *r, const char *s, const char *q)
{
	/* keeps (3) */
	if (r->own)
		*(char *)q = '\0';
	r->p = q + 1;
	return push(r, (struct doc){ .type = DOC_STRING,
				     .flags = r->str_flags,
				     .n = (uint32_t)(q - s),
				     .s = s });
}

/* From the first byte that is not plain: more of the same, UTF-8, escapes, or an error. */
static __attribute__((noinline)) int read_string_slow(struct reader *r, const char *s,
						      const char *q)
{
	bool escapes = false;
	size_t bad = 0;
	int e;

	for (;; q = text_skip_plain(q, r->end)) {
		unsigned len;

		if (q >= r->end)
			return expected(r, r->end, "'\"' to end the string");
		if (*q == '"')
			break;
		if (*q == '\\') {
			escapes = true;
			q += 2;
			continue;
		}
		if ((unsigned char)*q < 0x20)
			return fail_at(
				r, ERR_BAD_REQUEST, q,
				"control character in a string; write it as an escape such as \\n");
		len = text_utf8(q, r->end);
		if (len == 0) {
			if (r->opt->consumed && r->end - q < 4)
				return TEXT_ENDS;
			if (!r->opt->replace)
				return fail_at(r, ERR_BAD_REQUEST, q, "string is not valid UTF-8");
			bad++;
			len = 1;
		}
		q += len;
	}
	if (!escapes && !bad)
		return finish_string(r, s, q);
	e = decode_string(r, s, q, bad);
	r->p = q + 1;
	return e;
}

/* r->p is after the opening quote. */
static inline int read_string(struct reader *r)
{
	const char *s = r->p, *q = text_skip_plain(s, r->end);

	if (__builtin_expect(q < r->end && *q == '"', 1))
		return finish_string(r, s, q);
	return read_string_slow(r, s, q);
}

/* ---- Other scalars ---- */

static int read_number(struct reader *r)
{
	const char *s = r->p, *p = s;
	uint8_t flags = DOC_INT;

	if (*p == '-') {
		flags |= DOC_NEG;
		p++;
	}
	/* Plain integers are the rule; everything else goes to number_scan. */
	if (p < r->end && *p >= '1' && *p <= '9') {
		do
			p++;
		while (p < r->end && *p >= '0' && *p <= '9');
	} else {
		p = s;
	}
	if (p == s || (p < r->end && (*p == '.' || (*p | 0x20) == 'e'))) {
		p = number_scan(s, r->end, &flags);
		if (!p) {
			for (p = s; p < r->end && strchr("+-.eE0123456789", *p ? *p : '?'); p++)
				;
			if (p == r->end && r->opt->consumed)
				return TEXT_ENDS;
			return fail_at(r, ERR_BAD_REQUEST, s, "malformed number");
		}
	}
	r->p = p;
	return push(
		r,
		(struct doc){ .type = DOC_NUMBER, .flags = flags, .n = (uint32_t)(p - s), .s = s });
}

static int read_word(struct reader *r, const char *word, struct doc value)
{
	size_t n = strlen(word), have = MIN(n, (size_t)(r->end - r->p));

	for (size_t i = 0; i < have; i++)
		if (r->p[i] != word[i])
			return expected(r, r->p + i, word);
	if (have < n)
		return expected(r, r->end, word);
	r->p += n;
	return push(r, value);
}

/* ---- Duplicate keys ---- */

static void add_key(struct buf *b, const struct doc *key)
{
	if (b->n)
		(void)buf_addc(b, '.'); /* a full buffer cuts the path, which is fine */
	for (uint32_t i = 0; i < key->n; i++)
		(void)buf_addc(b, (unsigned char)key->s[i] < 0x20 || key->s[i] == 0x7f ? '?'
										       : key->s[i]);
}

/* Where the innermost open container is, and the key in it. */
static void build_path(struct reader *r, const struct doc *key, struct buf *b)
{
	uint32_t *chain = calloc(r->depth + 1u, sizeof(*chain));
	uint32_t n = 0;

	if (!chain)
		abort();
	for (uint32_t at = r->top; at != NO_PARENT; at = r->stack[at].n)
		chain[n++] = at;
	while (n-- > 1) {
		uint32_t outer = chain[n], inner = chain[n - 1];

		if (r->stack[outer].type == DOC_OBJECT)
			add_key(b, &r->stack[inner - 1]);
		else
			(void)buf_addf(b, "[%u]", inner - outer - 1);
	}
	free(chain);
	add_key(b, key);
}

static int duplicate(struct reader *r, const struct doc *key)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(512), msg = BUF_INIT(600);
	struct json_dups *dups = r->opt->dups;
	const char *at = r->p - 1;

	if (r->opt->dup == JSON_DUP_LAST || (r->opt->dup == JSON_DUP_COUNT && !dups))
		return 0;
	if (r->opt->dup == JSON_DUP_COUNT && dups->count >= JSON_DUPS_MAX) {
		dups->count++;
		return 0;
	}
	build_path(r, key, &b);
	if (r->opt->dup == JSON_DUP_COUNT) {
		dups->path[dups->count] = arena_strdup(r->a, buf_str(&b));
		return dups->path[dups->count++] ? 0 : arena_quota(r->a, r->err);
	}
	/* A key that had escapes lies in the arena: then the end of its object has to do. */
	if (key->s >= r->start && key->s < r->end)
		at = key->s - 1;
	(void)buf_addf(&msg, "duplicate key '%s'", buf_str(&b));
	return fail_at(r, ERR_BAD_REQUEST, at, buf_str(&msg));
}

static void clear_slots(struct reader *r, size_t keys)
{
	size_t cap = 64;

	while (cap < keys * 2)
		cap *= 2;
	if (cap > r->slots_cap) {
		free(r->slots);
		r->slots = malloc(cap * sizeof(*r->slots));
		if (!r->slots)
			abort();
	}
	r->slots_cap = cap;
	memset(r->slots, 0, cap * sizeof(*r->slots));
}

/* Finds and resolves duplicates among n members in linear time; keyed hash, as keys are hostile.
 * Returns in *n. */
static __attribute__((noinline)) int dedup(struct reader *r, struct doc *kids, uint32_t *n)
{
	uint32_t kept = 0;

	clear_slots(r, *n);
	for (uint32_t i = 0; i < *n; i++) {
		struct doc *key = &kids[2 * (size_t)i], *old = NULL;
		size_t at = hash_bytes(key->s, key->n) & (r->slots_cap - 1);
		int e;

		for (; r->slots[at] && !old; at = (at + 1) & (r->slots_cap - 1)) {
			old = &kids[2 * (size_t)(r->slots[at] - 1)];
			if (old->n != key->n || memcmp(old->s, key->s, key->n) != 0)
				old = NULL;
		}
		if (old) {
			e = duplicate(r, key);
			if (e)
				return e;
			old[1] = key[1];
			continue;
		}
		r->slots[at] = kept + 1;
		kids[2 * (size_t)kept] = key[0];
		kids[2 * (size_t)kept + 1] = key[1];
		kept++;
	}
	*n = kept;
	return 0;
}

static inline uint64_t load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Equal keys have equal prints; different ones rarely. First and last eight bytes, without branches
 * on length. */
static inline uint64_t key_print(const struct reader *r, const struct doc *key)
{
	const char *s = key->s;
	uint32_t n = key->n;
	unsigned shift = n >= 8 ? 0 : 64 - 8 * n;
	uint64_t first, last;

	if (n == 0)
		return 0;
	/* Short keys near the end of the text (or in the arena): no reading past it. */
	if (__builtin_expect(n < 8 && (s < r->start || s > r->end - 8), 0)) {
		char pad[8] = { 0 };

		memcpy(pad, s, n);
		first = last = load8(pad);
	} else {
		first = load8(s);
		last = load8(n >= 8 ? s + n - 8 : s);
	}
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	first >>= shift;
	last >>= shift;
#else
	first <<= shift;
	last <<= shift;
#endif
	return first + last * UINT64_C(0x9e3779b97f4a7c16) + n;
}

static bool few_differ(const struct reader *r, const struct doc *kids, uint32_t n)
{
	uint64_t print[SMALL_KEYS];

	for (uint32_t i = 0; i < n; i++) {
		print[i] = key_print(r, &kids[2 * i]);
		for (uint32_t j = 0; j < i; j++)
			if (print[i] == print[j])
				return false;
	}
	return true;
}

static bool some_differ(const struct reader *r, const struct doc *kids, uint32_t n)
{
	__attribute__((uninitialized)) uint64_t print[MEDIUM_KEYS + 1];
	uint8_t table[256] = { 0 };

	/* Slots of the table count from 1: this one only quiets analysers. */
	print[0] = 0;
	for (uint32_t i = 1; i <= n; i++) {
		uint64_t v = key_print(r, &kids[2 * (size_t)(i - 1)]);
		uint8_t at = (uint8_t)(v * UINT64_C(0xff51afd7ed558ccd) >> 56);

		for (; table[at]; at++)
			if (print[table[at]] == v)
				return false;
		table[at] = (uint8_t)i;
		print[i] = v;
	}
	return true;
}

/* A false alarm of the prints only costs time: dedup compares whole keys. */
static int check_keys(struct reader *r, struct doc *kids, uint32_t *n)
{
	if (*n <= SMALL_KEYS ? few_differ(r, kids, *n)
			     : *n <= MEDIUM_KEYS && some_differ(r, kids, *n))
		return 0;
	return dedup(r, kids, n);
}

/* ---- Containers ---- */

static inline int open_container(struct reader *r, enum doc_type type)
{
	int e = push(r, (struct doc){ .type = (uint8_t)type, .n = r->top });

	if (e)
		return e;
	if (++r->depth > r->max_depth)
		return fail_at(r, ERR_TOO_LARGE, r->p, "nested deeper than the limit allows");
	r->top = (uint32_t)(r->sp - 1 - r->stack);
	r->p++;
	return 0;
}

static int close_container(struct reader *r)
{
	struct doc *c = &r->stack[r->top], *from = c + 1, *kids = NULL;
	uint32_t n = (uint32_t)(r->sp - from), parent = c->n;
	size_t width = n;

	r->p++;
	if (c->type == DOC_OBJECT) {
		n /= 2;
		if (n > 1) {
			int e = check_keys(r, from, &n);

			if (e)
				return e;
		}
		width = 2 * (size_t)n;
	}
	if (n) {
		kids = arena_alloc_raw(r->a, width * sizeof(*kids), 16);
		if (!kids)
			return arena_quota(r->a, r->err);
		memcpy(kids, from, width * sizeof(*kids));
	}
	r->done += (size_t)(r->sp - from);
	if (r->done + (size_t)(from - r->stack) > r->max_nodes)
		return fail_at(r, ERR_TOO_LARGE, r->p, "more values than the limit allows");
	c->n = n;
	c->kids = kids;
	r->sp = from;
	r->top = parent;
	r->depth--;
	return 0;
}

/* ---- The grammar ---- */

static inline void skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

static inline int peek(struct reader *r)
{
	if (r->p < r->end && (unsigned char)*r->p > ' ')
		return (unsigned char)*r->p;
	skip_blanks(r);
	return r->p < r->end ? (unsigned char)*r->p : -1;
}

static int read_scalar(struct reader *r, int c)
{
	switch (c) {
	case '"': r->p++; return read_string(r);
	case 't': return read_word(r, "true", doc_bool(true));
	case 'f': return read_word(r, "false", doc_bool(false));
	case 'n': return read_word(r, "null", doc_null());
	case '-':
	case '0' ... '9': return read_number(r);
	default: return expected(r, r->p, "a value");
	}
}

/* A key and its colon. */
static inline int read_key(struct reader *r)
{
	int e;

	if (peek(r) != '"')
		return expected(r, r->p, "'\"' to begin a key");
	r->p++;
	e = read_string(r);
	if (e)
		return e;
	if (peek(r) != ':')
		return expected(r, r->p, "':' after a key");
	r->p++;
	return 0;
}

/* After a value: closes what ends here. 0: another element follows; 1 + *done: the root is
 * finished. */
static inline int after_value(struct reader *r, bool *done)
{
	while (r->top != NO_PARENT) {
		bool object = r->stack[r->top].type == DOC_OBJECT;
		int c = peek(r), e;

		if (c == ',') {
			r->p++;
			return object ? read_key(r) : 0;
		}
		if (c != (object ? '}' : ']'))
			return expected(r, r->p, object ? "',' or '}'" : "',' or ']'");
		e = close_container(r);
		if (e)
			return e;
	}
	*done = true;
	return 0;
}

static int read_value(struct reader *r)
{
	bool done = false;
	int e = 0;

	while (!e && !done) {
		int c = peek(r);

		if (c == '{') {
			e = open_container(r, DOC_OBJECT);
			if (e)
				break;
			if (peek(r) != '}') {
				e = read_key(r);
				continue;
			}
			e = close_container(r);
		} else if (c == '[') {
			e = open_container(r, DOC_ARRAY);
			if (e)
				break;
			if (peek(r) != ']')
				continue;
			e = close_container(r);
		} else {
			e = read_scalar(r, c);
		}
		if (!e)
			e = after_value(r, &done);
	}
	return e;
}

static int finish(struct reader *r, struct doc **ret)
{
	struct doc *root;

	if (r->opt->consumed) {
		*r->opt->consumed = (size_t)(r->p - r->start);
	} else {
		skip_blanks(r);
		if (r->p < r->end)
			return expected(r, r->p, "nothing more after the value");
	}
	if (r->done + 1 > r->max_nodes)
		return fail_at(r, ERR_TOO_LARGE, r->p, "more values than the limit allows");
	root = doc_new(r->a, r->stack[0]);
	if (!root)
		return arena_quota(r->a, r->err);
	*ret = root;
	return 0;
}

int json_read(struct arena *a, struct slice text, const struct json_options *opt, struct doc **ret,
	      struct err *err)
{
	static const struct json_options defaults = { 0 };
	__attribute__((uninitialized)) struct doc local[STACK_LOCAL];
	struct reader r = { .a = a, .opt = opt ? opt : &defaults, .err = err, .top = NO_PARENT };
	int e;

	if (text.n >= UINT32_MAX)
		return err_set(err, ERR_TOO_LARGE, "JSON text of %zu bytes: the limit is 4 GiB",
			       text.n);
	if (!text.p)
		text.p = "";
	if (r.opt->copy) {
		text.p = arena_strndup(a, text.p, text.n);
		if (!text.p)
			return arena_quota(a, err);
		r.own = true;
	}
	r.str_flags = DOC_CLEAN | (r.own ? DOC_CSTR : 0);
	r.start = r.p = text.p;
	r.end = text.p + text.n;
	r.max_depth = r.opt->max_depth ? r.opt->max_depth : JSON_DEPTH_DEFAULT;
	r.max_nodes = r.opt->max_nodes ? r.opt->max_nodes : JSON_NODES_DEFAULT;
	r.local = r.stack = r.sp = local;
	r.limit = local + STACK_LOCAL;
	e = read_value(&r);
	if (!e)
		e = finish(&r, ret);
	if (r.stack != local)
		free(r.stack);
	free(r.slots);
	return e;
}
