/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: the language's own functions, cel-go's extension, regular expressions. Places and
 * lengths are of code points. */
#include "base/err.h"
#include "base/utf8.h"
#include "expr/cel-private.h"
#include "expr/regex.h"

#include <stdio.h>

/* ---- code points ---- */

/* The bytes before code point i; s.n when there are not as many, with *past set. */
static size_t offset_of(struct slice s, int64_t i, bool *past)
{
	size_t at = 0;

	for (; i > 0 && at < s.n; i--) {
		at++;
		while (at < s.n && ((unsigned char)s.p[at] & 0xc0) == 0x80)
			at++;
	}
	*past = i > 0;
	return at;
}

static bool out_of_range(struct cel_run *r, int64_t i)
{
	return cel_fail(r, "index out of range: %lld", (long long)i);
}

static struct slice sub(struct slice s, size_t from, size_t to)
{
	return slice_of(s.p + from, to - from);
}

static bool char_at(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(&v[0]);
	bool past = v[1].i < 0, end;
	size_t at = past ? 0 : offset_of(s, v[1].i, &past), next;

	if (past)
		return out_of_range(r, v[1].i);
	next = at + offset_of(sub(s, at, s.n), 1, &end);
	*ret = cel_string(sub(s, at, next));
	return cel_work(r, s.n / 8);
}

static bool substring(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(&v[0]);
	bool past;
	size_t from;

	if (v[1].i < 0)
		return out_of_range(r, v[1].i);
	from = offset_of(s, v[1].i, &past);
	if (past)
		return out_of_range(r, v[1].i);
	*ret = cel_string(sub(s, from, s.n));
	return true;
}

static bool substring_to(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(&v[0]);
	bool past;
	size_t from, to;

	if (v[1].i > v[2].i)
		return cel_fail(r, "invalid substring range. start: %lld, end: %lld",
				(long long)v[1].i, (long long)v[2].i);
	if (v[1].i < 0)
		return out_of_range(r, v[1].i);
	from = offset_of(s, v[1].i, &past);
	if (past)
		return out_of_range(r, v[1].i);
	to = from + offset_of(sub(s, from, s.n), v[2].i - v[1].i, &past);
	if (past)
		return out_of_range(r, v[2].i);
	*ret = cel_string(sub(s, from, to));
	return true;
}

/* ---- searching ---- */

static const char *find(struct slice s, struct slice what)
{
	return what.n > s.n ? NULL : what.n ? memmem(s.p, s.n, what.p, what.n) : s.p;
}

static bool index_from(struct cel_run *r, struct slice s, struct slice what, int64_t from,
		       struct cel_value *ret)
{
	bool past;
	size_t at;
	const char *p;

	if (from < 0)
		return out_of_range(r, from);
	at = offset_of(s, from, &past);
	if (!what.n) {
		*ret = cel_int(past ? (int64_t)cel_runes(s) : from);
		return true;
	}
	p = past ? NULL : find(sub(s, at, s.n), what);
	*ret = cel_int(p ? (int64_t)cel_runes(sub(s, 0, (size_t)(p - s.p))) : -1);
	return cel_work(r, s.n / 4);
}

static bool index_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return index_from(r, cel_slice(&v[0]), cel_slice(&v[1]), 0, ret);
}

static bool index_of_from(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return index_from(r, cel_slice(&v[0]), cel_slice(&v[1]), v[2].i, ret);
}

/* The last place not behind `to`. */
static bool last_index(struct cel_run *r, struct slice s, struct slice what, size_t to,
		       struct cel_value *ret)
{
	*ret = cel_int(-1);
	if (what.n > s.n)
		return true;
	for (size_t at = MIN(to, s.n - what.n) + 1; at > 0; at--) {
		if (!cel_work(r, 1))
			return false;
		if (memcmp(s.p + at - 1, what.p, what.n) == 0) {
			*ret = cel_int((int64_t)cel_runes(sub(s, 0, at - 1)));
			return true;
		}
	}
	return true;
}

static bool last_index_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(&v[0]), what = cel_slice(&v[1]);

	if (!what.n) {
		*ret = cel_int((int64_t)cel_runes(s));
		return true;
	}
	return last_index(r, s, what, s.n, ret);
}

static bool last_index_of_from(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(&v[0]), what = cel_slice(&v[1]);
	bool past;
	size_t at;

	if (v[2].i < 0)
		return out_of_range(r, v[2].i);
	at = offset_of(s, v[2].i, &past);
	if (!what.n) {
		*ret = cel_int(past ? (int64_t)cel_runes(s) : v[2].i);
		return true;
	}
	if (past || at == s.n) {
		*ret = cel_int(-1);
		return true;
	}
	return last_index(r, s, what, at, ret);
}

static bool contains(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	*ret = cel_bool(find(cel_slice(&v[0]), cel_slice(&v[1])) != NULL);
	return cel_work(r, v[0].n / 4);
}

static bool starts_with(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(slice_starts(cel_slice(&v[0]), cel_slice(&v[1])));
	return true;
}

static bool ends_with(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_bool(slice_ends(cel_slice(&v[0]), cel_slice(&v[1])));
	return true;
}

/* ---- making others ---- */

static bool change_case(struct cel_run *r, const struct cel_value *v, char first,
			struct cel_value *ret)
{
	char *p = arena_alloc_raw(r->a, v->n, 1);

	if (!p)
		return cel_quota(r);
	for (uint32_t i = 0; i < v->n; i++)
		p[i] = (char)(v->s[i] >= first && v->s[i] < first + 26 ? v->s[i] ^ 32 : v->s[i]);
	*ret = cel_string(slice_of(p, v->n));
	return true;
}

static bool lower(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return change_case(r, v, 'A', ret);
}

static bool upper(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return change_case(r, v, 'a', ret);
}

static bool is_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	       c == 0x205f || c == 0x3000;
}

static bool trim(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(v);
	size_t n, back;

	(void)r;
	while (s.n && is_space(utf8_next(s, &n)))
		s = slice_of(s.p + n, s.n - n);
	while (s.n) {
		for (back = 1; back < s.n && ((unsigned char)s.p[s.n - back] & 0xc0) == 0x80;)
			back++;
		if (!is_space(utf8_next(slice_of(s.p + s.n - back, back), &n)))
			break;
		s.n -= back;
	}
	*ret = cel_string(s);
	return true;
}

static bool reverse(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = cel_slice(v);
	char *to = arena_alloc_raw(r->a, s.n, 1), *end;
	size_t n;

	if (!to)
		return cel_quota(r);
	end = to + s.n;
	for (; s.n; s = slice_of(s.p + n, s.n - n)) {
		(void)utf8_next(s, &n);
		end -= n;
		memcpy(end, s.p, n);
	}
	*ret = cel_string(slice_of(to, v->n));
	return true;
}

/* Text that grows in the run's arena. */
struct text {
	struct cel_run *r;
	char *p;
	size_t n, cap;
};

static bool put(struct text *t, const char *p, size_t n)
{
	if (n > t->cap - t->n) {
		size_t cap = MAX(t->cap * 2, t->n + n + 32);

		t->p = cap < UINT32_MAX ? arena_grow(t->r->a, t->p, t->cap, cap) : NULL;
		if (!t->p)
			return cel_quota(t->r);
		t->cap = cap;
	}
	if (n)
		memcpy(t->p + t->n, p, n);
	t->n += n;
	return true;
}

/* Between code points too when `old` is empty, as Go does. */
static bool replace_n(struct cel_run *r, struct slice s, struct slice old, struct slice with,
		      int64_t n, struct cel_value *ret)
{
	struct text t = { .r = r };
	size_t step;

	for (; n != 0; n--) {
		const char *p = find(s, old);

		if (!p)
			break;
		if (!put(&t, s.p, (size_t)(p - s.p)) || !put(&t, with.p, with.n))
			return false;
		s = slice_of(p + old.n, s.n - (size_t)(p - s.p) - old.n);
		if (old.n)
			continue;
		if (!s.n)
			break;
		(void)utf8_next(s, &step);
		if (!put(&t, s.p, step))
			return false;
		s = slice_of(s.p + step, s.n - step);
	}
	if (!put(&t, s.p, s.n))
		return false;
	*ret = cel_string(slice_of(t.p, t.n));
	return true;
}

static bool replace(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return replace_n(r, cel_slice(&v[0]), cel_slice(&v[1]), cel_slice(&v[2]),
			 v[3].kind == CEL_T_INT ? v[3].i : -1, ret);
}

static bool replace_all(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return replace_n(r, cel_slice(&v[0]), cel_slice(&v[1]), cel_slice(&v[2]), -1, ret);
}

/* Values that grow in the run's arena. */
struct values {
	struct cel_run *r;
	struct cel_value *v;
	uint32_t n, cap;
};

static bool add(struct values *l, struct slice s)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 8;

		l->v = arena_grow(l->r->a, l->v, l->cap * sizeof(*l->v), cap * sizeof(*l->v));
		if (!l->v)
			return cel_quota(l->r);
		l->cap = cap;
	}
	l->v[l->n++] = cel_string(s);
	return true;
}

static bool split_n(struct cel_run *r, struct slice s, struct slice by, int64_t n,
		    struct cel_value *ret)
{
	struct values l = { .r = r };

	for (; n < 0 || l.n + 1 < n;) {
		const char *p = find(s, by);
		size_t cut;

		if (by.n ? !p : s.n == 0)
			break;
		cut = (size_t)(p - s.p);
		if (!by.n)
			(void)utf8_next(s, &cut);
		if (!by.n && cut == s.n)
			break;
		if (!add(&l, slice_of(s.p, cut)))
			return false;
		s = slice_of(s.p + cut + by.n, s.n - cut - by.n);
	}
	if (n != 0 && (by.n || s.n) && !add(&l, s))
		return false;
	*ret = cel_list_value(l.v, l.n);
	ret->type = &cel_list_string;
	return true;
}

static bool split(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return split_n(r, cel_slice(&v[0]), cel_slice(&v[1]), -1, ret);
}

static bool split_max(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return split_n(r, cel_slice(&v[0]), cel_slice(&v[1]), v[2].i, ret);
}

static bool join_by(struct cel_run *r, const struct cel_value *list, struct slice by,
		    struct cel_value *ret)
{
	struct text t = { .r = r };
	struct cel_value one;

	for (uint32_t i = 0; i < list->n; i++) {
		if (!cel_list_at(r, list, i, &one))
			return false;
		if (one.kind != CEL_T_STRING)
			return cel_no_overload(r);
		if ((i && !put(&t, by.p, by.n)) || !put(&t, one.s, one.n))
			return false;
	}
	*ret = cel_string(slice_of(t.p, t.n));
	return true;
}

static bool join(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return join_by(r, &v[0], SLICE(""), ret);
}

static bool join_with(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return join_by(r, &v[0], cel_slice(&v[1]), ret);
}

static bool quote(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
	struct text t = { .r = r };
	struct slice s = cel_slice(v);
	size_t n;

	if (!put(&t, "\"", 1))
		return false;
	for (; s.n; s = slice_of(s.p + n, s.n - n)) {
		uint32_t c = utf8_next(s, &n);
		const char *at = c && c < 0x80 ? strchr(from, (int)c) : NULL;
		char text[4];
		size_t bytes = utf8_put(c, text);

		if (at) {
			text[0] = '\\';
			text[1] = to[at - from];
			bytes = 2;
		}
		if (!put(&t, text, bytes))
			return false;
	}
	if (!put(&t, "\"", 1))
		return false;
	*ret = cel_string(slice_of(t.p, t.n));
	return true;
}

/* ---- regular expressions ---- */

static const struct regex *pattern(struct cel_run *r, const struct cel_value *v)
{
	const struct regex *x = r->regex;
	struct err err ERR_RAW;

	if (x)
		return x;
	err_clear(&err);
	if (regex_compile(cel_slice(v), r->a, &x, &err) == 0)
		return x;
	if (err.code == ERR_QUOTA)
		(void)cel_quota(r);
	(void)cel_fail(r, "%s", err.msg);
	return NULL;
}

/* The leftmost match in s from byte `from` on: 1, 0, or -1. */
static int search(struct cel_run *r, const struct regex *x, struct slice s, size_t from,
		  struct slice *ret)
{
	uint64_t left = CEL_WORK_MAX - MIN(r->work, (uint64_t)CEL_WORK_MAX), before = left;
	size_t begin, end;
	int n = regex_find(x, s, from, &left, &begin, &end);

	if (n < 0) {
		(void)cel_cancel(r);
		return -1;
	}
	r->work += before - left;
	if (n > 0)
		*ret = sub(s, begin, end);
	return n;
}

static bool matches(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct regex *x = pattern(r, &v[1]);
	uint64_t left = CEL_WORK_MAX - MIN(r->work, (uint64_t)CEL_WORK_MAX), before = left;
	int n = x ? regex_match_within(x, cel_slice(&v[0]), &left) : -1;

	if (!x)
		return false;
	if (n < 0)
		return cel_cancel(r);
	r->work += before - left;
	*ret = cel_bool(n > 0);
	return true;
}

static bool find_one(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct regex *x = pattern(r, &v[1]);
	struct slice found = SLICE("");

	if (!x || search(r, x, cel_slice(&v[0]), 0, &found) < 0)
		return false;
	*ret = cel_string(found);
	return true;
}

/* All that do not overlap; an empty one right behind another is none, as in Go. */
static bool find_max(struct cel_run *r, const struct cel_value *v, int64_t max,
		     struct cel_value *ret)
{
	const struct regex *x = pattern(r, &v[1]);
	struct values l = { .r = r };
	struct slice s = cel_slice(&v[0]), found;
	size_t at = 0, last = SIZE_MAX, step;

	while (x && at <= s.n && (max < 0 || l.n < max)) {
		int n = search(r, x, s, at, &found);
		size_t end;

		if (n < 0)
			return false;
		if (n == 0)
			break;
		end = (size_t)(found.p - s.p) + found.n;
		if ((found.n || end != last) && !add(&l, found))
			return false;
		last = end;
		at = end;
		if (found.n == 0) {
			step = 1;
			if (at < s.n)
				(void)utf8_next(sub(s, at, s.n), &step);
			at += step;
		}
	}
	if (!x)
		return false;
	*ret = cel_list_value(l.v, l.n);
	ret->type = &cel_list_string;
	return true;
}

static bool find_all(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return find_max(r, v, -1, ret);
}

static bool find_some(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	return find_max(r, v, v[2].i, ret);
}

#define S CEL_TEXT
#define I CEL_INTEGER
#define B CEL_BOOLEAN

const struct cel_function cel_lib_string[] = {
	CEL_M("contains", contains, B, CONTAINS, S, S),
	CEL_M("startsWith", starts_with, B, SCAN_ONE, S, S),
	CEL_M("endsWith", ends_with, B, SCAN_ONE, S, S),
	CEL_M("matches", matches, B, MATCH, S, S),
	CEL_F("matches", matches, B, MATCH, S, S),
	CEL_M("find", find_one, S, MATCH, S, S),
	CEL_M("findAll", find_all, &cel_list_string, MATCH, S, S),
	CEL_M("findAll", find_some, &cel_list_string, MATCH, S, S, I),
	CEL_M("charAt", char_at, S, ONE, S, I),
	CEL_M("indexOf", index_of, I, SCAN, S, S),
	CEL_M("indexOf", index_of_from, I, SCAN, S, S, I),
	CEL_M("lastIndexOf", last_index_of, I, SCAN, S, S),
	CEL_M("lastIndexOf", last_index_of_from, I, SCAN, S, S, I),
	CEL_M("lowerAscii", lower, S, SCAN, S),
	CEL_M("upperAscii", upper, S, SCAN, S),
	CEL_M("trim", trim, S, SCAN, S),
	CEL_M("substring", substring, S, SCAN, S, I),
	CEL_M("substring", substring_to, S, SCAN, S, I, I),
	CEL_M("replace", replace_all, S, TWICE, S, S, S),
	CEL_M("replace", replace, S, TWICE, S, S, S, I),
	CEL_M("split", split, &cel_list_string, TWICE, S, S),
	CEL_M("split", split_max, &cel_list_string, TWICE, S, S, I),
	CEL_M("join", join, S, JOIN, &cel_list_string),
	CEL_M("join", join_with, S, JOIN, &cel_list_string, S),
	CEL_M("reverse", reverse, S, SCAN, S),
	CEL_F("strings.quote", quote, S, SCAN, S),
	CEL_END,
};
