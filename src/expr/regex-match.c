/* SPDX-License-Identifier: Apache-2.0 */
/* All states of a program at once, a code point at a time. */
#include "expr/regex.h"

#include "base/utf8.h"
#include "expr/regex-program.h"

#include <stdlib.h>

#define SMALL 256

/* A set of steps that remembers their order; clearing it costs nothing. */
struct states {
	uint32_t *list, *where;
	uint32_t n;
};

struct run {
	const struct regex *r;
	struct states now, next;
	uint32_t *stack;
	uint32_t before, after; /* code points around the place, UINT32_MAX at the ends */
	uint64_t work;		/* steps that may still be looked at */
	bool matched;
};

#define NONE UINT32_MAX

static bool is_in(const struct states *s, uint32_t pc)
{
	return s->where[pc] < s->n && s->list[s->where[pc]] == pc;
}

static bool is_word(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '_';
}

/* Does a step that takes no text let pass here? */
static bool passes(const struct run *x, enum step_op op)
{
	switch (op) {
	case STEP_TEXT_BEGIN: return x->before == NONE;
	case STEP_TEXT_END: return x->after == NONE;
	case STEP_LINE_BEGIN: return x->before == NONE || x->before == '\n';
	case STEP_LINE_END: return x->after == NONE || x->after == '\n';
	case STEP_WORD_EDGE: return is_word(x->before) != is_word(x->after);
	case STEP_WORD_INSIDE: return is_word(x->before) == is_word(x->after);
	default: return false;
	}
}

/* The step and all that is reached from it without taking text. */
static void add(struct run *x, struct states *to, uint32_t from)
{
	uint32_t depth = 0;

	x->stack[depth++] = from;
	while (depth > 0) {
		uint32_t pc = x->stack[--depth];
		const struct step *s = &x->r->steps[pc];

		if (is_in(to, pc))
			continue;
		to->where[pc] = to->n;
		to->list[to->n++] = pc;
		switch ((enum step_op)s->op) {
		case STEP_SPLIT:
			x->stack[depth++] = (uint32_t)((int32_t)pc + s->y);
			x->stack[depth++] = (uint32_t)((int32_t)pc + s->x);
			break;
		case STEP_JUMP: x->stack[depth++] = (uint32_t)((int32_t)pc + s->x); break;
		case STEP_MATCH: x->matched = true; break;
		case STEP_RUNE:
		case STEP_CLASS:
		case STEP_ANY:
		case STEP_LINE:
		case STEP_FAIL: break;
		default:
			if (passes(x, (enum step_op)s->op))
				x->stack[depth++] = pc + 1;
			break;
		}
	}
}

static bool in_class(const struct class *c, uint32_t rune)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (rune < c->v[mid].lo)
			hi = mid;
		else if (rune > c->v[mid].hi)
			lo = mid + 1;
		else
			return true;
	}
	return false;
}

static bool takes(const struct regex *r, const struct step *s, uint32_t rune)
{
	switch ((enum step_op)s->op) {
	case STEP_RUNE: return rune == (uint32_t)s->x;
	case STEP_CLASS: return in_class(&r->classes[s->x], rune);
	case STEP_ANY: return true;
	case STEP_LINE: return rune != '\n';
	default: return false;
	}
}

/* False: out of work. */
static bool spend(struct run *x, uint32_t n)
{
	if (x->work <= n)
		return false;
	x->work -= n + 1;
	return true;
}

static int run(struct run *x, struct slice text)
{
	size_t n = 0, ahead = 0;
	uint32_t rune;

	x->before = NONE;
	x->after = text.n ? utf8_next(text, &ahead) : NONE;
	for (;;) {
		struct states empty = x->now;

		add(x, &x->now, 0); /* a match may begin anywhere */
		if (x->matched || x->after == NONE)
			return x->matched;
		if (!spend(x, x->now.n))
			return -1;
		rune = x->after;
		n = ahead;
		text = slice_of(text.p + n, text.n - n);
		x->before = rune;
		x->after = text.n ? utf8_next(text, &ahead) : NONE;
		x->next.n = 0;
		for (uint32_t i = 0; i < x->now.n; i++) {
			uint32_t pc = x->now.list[i];

			if (takes(x->r, &x->r->steps[pc], rune))
				add(x, &x->next, pc + 1);
		}
		empty = x->now;
		x->now = x->next;
		x->next = empty;
	}
}

/* Room for n numbers: `small` when that is enough. */
static uint32_t *room_for(uint32_t *small, size_t have, size_t n)
{
	uint32_t *room = small;

	if (n > have)
		room = calloc(n, sizeof(*room));
	if (!room)
		abort(); /* as everywhere: out of memory of the machine */
	return room;
}

int regex_match_within(const struct regex *r, struct slice text, uint64_t *work)
{
	uint32_t small[SMALL * 6 + 8] = { 0 }, *room;
	struct run x = { .r = r, .work = *work };
	int ret;

	room = room_for(small, ARRAY_LEN(small), (size_t)r->n * 6 + 8);
	x.now = (struct states){ room, room + r->n, 0 };
	x.next = (struct states){ room + 2 * (size_t)r->n, room + 3 * (size_t)r->n, 0 };
	x.stack = room + 4 * (size_t)r->n;
	ret = run(&x, text);
	if (room != small)
		free(room);
	*work = ret < 0 ? 0 : x.work;
	return ret;
}

bool regex_match(const struct regex *r, struct slice text)
{
	uint64_t work = UINT64_MAX;

	return regex_match_within(r, text, &work) > 0;
}

/* ---- where ---- */

/* States in the order of what Go would try first, each with the place where its match began. */
struct threads {
	uint32_t *list, *where;
	size_t *begin;
	uint32_t n;
};

struct search {
	struct run x;
	struct threads now, next;
	size_t begin, end;
	bool found;
};

static void follow(struct search *s, struct threads *to, uint32_t from, size_t begin)
{
	const struct regex *r = s->x.r;
	uint32_t depth = 0;

	s->x.stack[depth++] = from;
	while (depth > 0) {
		uint32_t pc = s->x.stack[--depth];
		const struct step *step = &r->steps[pc];

		if (to->where[pc] < to->n && to->list[to->where[pc]] == pc)
			continue;
		to->where[pc] = to->n;
		to->begin[to->n] = begin;
		to->list[to->n++] = pc;
		switch ((enum step_op)step->op) {
		case STEP_SPLIT: /* x is tried first: it is taken off the stack first */
			s->x.stack[depth++] = (uint32_t)((int32_t)pc + step->y);
			s->x.stack[depth++] = (uint32_t)((int32_t)pc + step->x);
			break;
		case STEP_JUMP: s->x.stack[depth++] = (uint32_t)((int32_t)pc + step->x); break;
		case STEP_MATCH:
		case STEP_RUNE:
		case STEP_CLASS:
		case STEP_ANY:
		case STEP_LINE:
		case STEP_FAIL: break;
		default:
			if (passes(&s->x, (enum step_op)step->op))
				s->x.stack[depth++] = pc + 1;
			break;
		}
	}
}

/* All states take the code point that is next; what stands behind a match in the order is lost. */
static void advance(struct search *s, uint32_t rune, size_t at)
{
	const struct regex *r = s->x.r;

	s->next.n = 0;
	for (uint32_t i = 0; i < s->now.n; i++) {
		uint32_t pc = s->now.list[i];

		if (r->steps[pc].op == STEP_MATCH) {
			s->found = true;
			s->begin = s->now.begin[i];
			s->end = at;
			return;
		}
		if (rune != NONE && takes(r, &r->steps[pc], rune))
			follow(s, &s->next, pc + 1, s->now.begin[i]);
	}
}

static uint32_t rune_before(struct slice text, size_t at)
{
	size_t n, back = 1;

	if (at == 0)
		return NONE;
	while (back < at && back < 4 && ((unsigned char)text.p[at - back] & 0xc0) == 0x80)
		back++;
	return utf8_next(slice_of(text.p + at - back, back), &n);
}

static int search(struct search *s, struct slice text, size_t at)
{
	struct threads swap;
	size_t ahead = 0, n;

	s->x.before = rune_before(text, at);
	s->x.after = at < text.n ? utf8_next(slice_of(text.p + at, text.n - at), &ahead) : NONE;
	for (;;) {
		uint32_t rune = s->x.after;

		if (!s->found)
			follow(s, &s->now, 0, at);
		if (!s->now.n)
			return s->found;
		if (!spend(&s->x, s->now.n))
			return -1;
		n = ahead;
		s->x.before = rune;
		if (rune != NONE)
			s->x.after = at + n < text.n
					     ? utf8_next(slice_of(text.p + at + n, text.n - at - n),
							 &ahead)
					     : NONE;
		advance(s, rune, at);
		if (rune == NONE)
			return s->found;
		at += n;
		swap = s->now;
		s->now = s->next;
		s->next = swap;
	}
}

int regex_find(const struct regex *r, struct slice text, size_t from, uint64_t *work, size_t *begin,
	       size_t *end)
{
	uint32_t small[SMALL * 6 + 8] = { 0 }, *room;
	size_t few[2 * SMALL], *begins = few;
	struct search s = { .x = { .r = r, .work = *work } };
	int ret;

	room = room_for(small, ARRAY_LEN(small), (size_t)r->n * 6 + 8);
	if (r->n > SMALL)
		begins = malloc((size_t)r->n * 2 * sizeof(*begins));
	if (!begins)
		abort();
	s.now = (struct threads){ room, room + r->n, begins, 0 };
	s.next = (struct threads){ room + 2 * (size_t)r->n, room + 3 * (size_t)r->n, begins + r->n,
				   0 };
	s.x.stack = room + 4 * (size_t)r->n;
	ret = search(&s, text, from);
	if (room != small)
		free(room);
	if (begins != few)
		free(begins);
	*work = ret < 0 ? 0 : s.x.work;
	*begin = s.begin;
	*end = s.end;
	return ret;
}
