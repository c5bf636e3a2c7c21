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

static bool run(struct run *x, struct slice text)
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

bool regex_match(const struct regex *r, struct slice text)
{
	uint32_t small[SMALL * 6 + 8] = { 0 }, *room = small;
	struct run x = { .r = r };
	bool ret;

	if (r->n > SMALL)
		room = calloc((size_t)r->n * 6 + 8, sizeof(*room));
	if (!room)
		abort(); /* as everywhere: out of memory of the machine */
	x.now = (struct states){ room, room + r->n, 0 };
	x.next = (struct states){ room + 2 * (size_t)r->n, room + 3 * (size_t)r->n, 0 };
	x.stack = room + 4 * (size_t)r->n;
	ret = run(&x, text);
	if (room != small)
		free(room);
	return ret;
}
