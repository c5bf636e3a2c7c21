/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tree of path segments. Each node has literal children (sorted), one {param} child, and greedy
 * branches whose rest is again a tree of literals and params. Matching walks with a little
 * backtracking: literal, param, greedy. Names of params belong to rows, not nodes, so "/a/{x}/b"
 * and "/a/{y}/c" share the node.
 */
#include "io/router.h"

#include "base/arena.h"
#include "base/err.h"

#include <assert.h>

#define DEPTH_MAX 32
#define ROUTER_ARENA_MAX (1u << 20)

struct node {
	struct slice literal;
	struct node **children;
	size_t children_n;
	struct node *param, *greedy;
	const struct route **rows; /* that end here */
	size_t rows_n;
};

struct router {
	struct arena *arena;
	struct node root;
};

/* ---- compiling ---- */

enum segment { SEG_LITERAL, SEG_PARAM, SEG_GREEDY, SEG_BAD };

static enum segment segment_kind(struct slice s)
{
	if (s.n == 0 || (s.p[0] != '{' && !memchr(s.p, '{', s.n) && !memchr(s.p, '}', s.n)))
		return SEG_LITERAL;
	if (s.n < 3 || s.p[0] != '{' || s.p[s.n - 1] != '}')
		return SEG_BAD;
	if (slice_ends(s, SLICE(":.*}")) || slice_ends(s, SLICE("...}")))
		return s.n > 5 ? SEG_GREEDY : SEG_BAD;
	return memchr(s.p, ':', s.n) ? SEG_BAD : SEG_PARAM;
}

/* Where literal is or would be among n's children. */
static size_t child_place(const struct node *n, struct slice literal, bool *found)
{
	size_t lo = 0, hi = n->children_n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		struct slice have = n->children[mid]->literal;
		int c = memcmp(have.n ? have.p : "", literal.n ? literal.p : "",
			       MIN(have.n, literal.n));

		if (c == 0 && have.n == literal.n) {
			*found = true;
			return mid;
		}
		if (c < 0 || (c == 0 && have.n < literal.n))
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = false;
	return lo;
}

static struct node *child_make(struct router *r, struct node *n, struct slice literal)
{
	bool found;
	size_t at = child_place(n, literal, &found);
	struct node **grown, *child;

	if (found)
		return n->children[at];
	grown = ARENA_ARRAY(r->arena, struct node *, n->children_n + 1);
	child = ARENA_NEW(r->arena, struct node);
	if (!grown || !child)
		return NULL;
	if (n->children_n) {
		memcpy(grown, n->children, at * sizeof(*grown));
		memcpy(grown + at + 1, n->children + at, (n->children_n - at) * sizeof(*grown));
	}
	child->literal = literal;
	grown[at] = child;
	n->children = grown;
	n->children_n++;
	return child;
}

static struct node *special_make(struct router *r, struct node **slot)
{
	if (!*slot)
		*slot = ARENA_NEW(r->arena, struct node);
	return *slot;
}

static bool same_method(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int add_row(struct router *r, struct node *n, const struct route *row, struct err *err)
{
	const struct route **grown;

	for (size_t i = 0; i < n->rows_n; i++) {
		if (same_method(n->rows[i]->method, row->method))
			return err_set(err, ERR_INVALID, "route %s %s is there twice (as %s)",
				       row->method ? row->method : "*", row->pattern,
				       n->rows[i]->pattern);
	}
	grown = ARENA_ARRAY(r->arena, const struct route *, n->rows_n + 1);
	if (!grown)
		return arena_quota(r->arena, err);
	if (n->rows_n)
		memcpy(grown, n->rows, n->rows_n * sizeof(*grown));
	grown[n->rows_n++] = row;
	n->rows = grown;
	return 0;
}

static int add_route(struct router *r, const struct route *row, struct err *err)
{
	struct slice rest = slice_str(row->pattern), seg;
	struct node *n = &r->root;
	unsigned params = 0, greedy = 0, depth = 0;

	if (rest.n == 0 || rest.p[0] != '/')
		return err_set(err, ERR_INVALID, "route pattern '%s' does not begin with '/'",
			       row->pattern);
	(void)slice_split(&rest, '/'); /* the empty text before the first slash */
	while (rest.p) {
		enum segment kind;

		seg = slice_split(&rest, '/');
		kind = segment_kind(seg);
		params += kind == SEG_PARAM || kind == SEG_GREEDY;
		greedy += kind == SEG_GREEDY;
		if (kind == SEG_BAD || params > ROUTE_PARAMS_MAX || greedy > 1 ||
		    ++depth > DEPTH_MAX)
			return err_set(err, ERR_INVALID,
				       "route pattern '%s' is malformed at '%.*s'", row->pattern,
				       (int)seg.n, seg.p);
		n = kind == SEG_LITERAL
			    ? child_make(r, n, seg)
			    : special_make(r, kind == SEG_PARAM ? &n->param : &n->greedy);
		if (!n)
			return arena_quota(r->arena, err);
	}
	return add_row(r, n, row, err);
}

int router_new(const struct route *rows, size_t n, struct router **ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("router", ROUTER_ARENA_MAX);
	struct router *r = ARENA_NEW(a, struct router);
	int res;

	assert(r); /* far below the maximum */
	r->arena = a;
	for (size_t i = 0; i < n; i++) {
		res = add_route(r, &rows[i], err);
		if (res < 0)
			return res;
	}
	a = NULL;
	*ret = r;
	return 0;
}

void router_free(struct router *r)
{
	if (r)
		arena_free(r->arena);
}

/* ---- matching ---- */

struct matching {
	const char *method;
	const struct node *other_method; /* first node whose path matched, but not its methods */
	struct slice values[ROUTE_PARAMS_MAX];
	const struct route *found;
	size_t found_values;
	unsigned budget; /* steps of backtracking: a path from outside may not cost more */
};

static const struct route *row_for(const struct node *n, const char *method)
{
	const struct route *any = NULL;
	bool head = strcmp(method, "HEAD") == 0;

	for (size_t i = 0; i < n->rows_n; i++) {
		const char *m = n->rows[i]->method;

		if (m && strcmp(m, method) == 0)
			return n->rows[i];
		if (!m || (head && strcmp(m, "GET") == 0))
			any = n->rows[i];
	}
	return any;
}

static bool walk(struct matching *m, const struct node *n, struct slice rest, size_t depth);

/* The greedy value takes as many segments as leave the rest of a pattern matching: longest first.
 */
static bool walk_greedy(struct matching *m, const struct node *n, struct slice rest, size_t depth)
{
	for (size_t len = rest.n; len > 0; len--) {
		struct slice behind = { 0 };

		if (len < rest.n && rest.p[len] != '/')
			continue;
		if (len < rest.n)
			behind = slice_of(rest.p + len + 1, rest.n - len - 1);
		m->values[depth] = slice_of(rest.p, len);
		if (walk(m, n->greedy, behind, depth + 1))
			return true;
	}
	return false;
}

/* rest {NULL,0} means that the path ends here. */
static bool walk(struct matching *m, const struct node *n, struct slice rest, size_t depth)
{
	struct slice seg;
	struct slice all = rest;
	bool found;
	size_t at;

	if (m->budget == 0 || --m->budget == 0)
		return false;
	if (!rest.p) {
		m->found = n->rows_n ? row_for(n, m->method) : NULL;
		if (n->rows_n && !m->found && !m->other_method)
			m->other_method = n;
		m->found_values = depth;
		return m->found != NULL;
	}
	seg = slice_split(&rest, '/');
	at = child_place(n, seg, &found);
	if (found && walk(m, n->children[at], rest, depth))
		return true;
	if (n->param && seg.n && depth < ROUTE_PARAMS_MAX) {
		m->values[depth] = seg;
		if (walk(m, n->param, rest, depth + 1))
			return true;
	}
	return n->greedy && depth < ROUTE_PARAMS_MAX && walk_greedy(m, n, all, depth);
}

/* Names come from the row's pattern, in the order of the values. */
static bool fill_params(const struct matching *m, struct arena *a, struct route_match *ret)
{
	struct slice rest = slice_str(m->found->pattern);

	(void)slice_split(&rest, '/');
	while (rest.p && ret->params_n < m->found_values) {
		struct slice seg = slice_split(&rest, '/');
		enum segment kind = segment_kind(seg);
		size_t i = ret->params_n;

		if (kind == SEG_LITERAL)
			continue;
		ret->params[i].name =
			arena_strndup(a, seg.p + 1, seg.n - (kind == SEG_GREEDY ? 5 : 2));
		ret->params[i].value = arena_strndup(a, m->values[i].p, m->values[i].n);
		if (!ret->params[i].name || !ret->params[i].value)
			return false;
		ret->params_n++;
	}
	return true;
}

static const char *allowed(const struct node *n, struct arena *a)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(512);
	const char *text;

	for (size_t i = 0; i < n->rows_n; i++) {
		const char *m = n->rows[i]->method;

		(void)buf_addf(&b, "%s%s%s", b.n ? ", " : "", m,
			       strcmp(m, "GET") == 0 ? ", HEAD" : ""); /* cut is fine */
	}
	text = arena_strdup(a, buf_str(&b));
	return text ? text : "";
}

enum route_result router_match(const struct router *r, const char *method, const char *path,
			       struct arena *a, struct route_match *ret)
{
	struct matching m = { .method = method, .budget = 4096 };
	struct slice rest = slice_str(path);

	*ret = (struct route_match){ 0 };
	if (path[0] != '/')
		return ROUTE_NO_PATH;
	(void)slice_split(&rest, '/');
	if (!rest.p)
		rest = SLICE("");
	if (!walk(&m, &r->root, rest, 0)) {
		if (!m.other_method)
			return ROUTE_NO_PATH;
		ret->allow = allowed(m.other_method, a);
		return ROUTE_NO_METHOD;
	}
	if (!fill_params(&m, a, ret))
		return ROUTE_NO_PATH; /* a path larger than the arena names nothing */
	ret->route = m.found;
	return ROUTE_FOUND;
}

const char *route_param(const struct route_match *m, const char *name)
{
	for (size_t i = 0; i < m->params_n; i++) {
		if (strcmp(m->params[i].name, name) == 0)
			return m->params[i].value;
	}
	return NULL;
}
