/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML reader: libyaml's events into documents. Finished values lie on one stack; when a container
 * ends, those above its start become its children in the arena. Nothing recurses.
 *
 * Bounds: depth, nodes after expansion, and go-yaml's rule against alias bombs: the share of nodes
 * that come from aliases may be 99 % in documents up to 400,000 nodes and falls to 10 % at
 * 4,000,000.
 */
#include "doc/yaml.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "doc/json.h"
#include "doc/schema-private.h"
#include "doc/walk.h"
#include "doc/yaml-scalar.h"

#include <stdio.h>
#include <yaml.h>

#define DEPTH_HARD 900 /* libyaml itself gives up at 1000 */
#define LONG_TAG "tag:yaml.org,2002:"

struct slot {
	struct doc d; /* d.mark is set on a "<<" key */
	unsigned line, column;
};

struct frame {
	uint8_t type; /* DOC_ARRAY or DOC_OBJECT */
	uint32_t height;
	size_t start;	/* of its children in `slots` */
	uint64_t nodes; /* counted before it began */
	struct anchor *anchor;
	unsigned line, column;
};

struct anchor {
	const char *name;
	struct doc d;
	bool open; /* its value is still being read */
	uint32_t height;
	uint64_t nodes;
};

struct reader {
	yaml_parser_t parser;
	struct slice text;
	struct arena *a;
	struct yaml_options o;
	struct slot *slots;
	size_t n, cap;
	struct frame *frames;
	size_t depth, frame_cap;
	struct map anchors;
	uint64_t nodes, alias_nodes;
};

static int fail_at(unsigned line, unsigned column, struct err *err, const char *fmt, ...)
	PRINTF(4, 5);
static int fail_at(unsigned line, unsigned column, struct err *err, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap); /* a cut message is fine */
	va_end(ap);
	return err_set(err, ERR_BAD_REQUEST, "line %u column %u: %s", line, column, why);
}

/* --- the stack
 * ------------------------------------------------------------------------------------ */

static struct frame *top(struct reader *r)
{
	return r->depth ? &r->frames[r->depth - 1] : NULL;
}

static bool wants_key(struct reader *r)
{
	struct frame *f = top(r);

	return f && f->type == DOC_OBJECT && (r->n - f->start) % 2 == 0;
}

static void *grown(void *p, size_t *cap, size_t size)
{
	*cap = *cap ? *cap * 2 : 64;
	p = realloc(p, *cap * size);
	if (!p)
		abort();
	return p;
}

static int count_nodes(struct reader *r, uint64_t n, bool alias, struct err *err)
{
	const double low = 400000, high = 4000000;
	double allowed;

	r->nodes += n;
	r->alias_nodes += alias ? n : 0;
	if (r->nodes > r->o.max_nodes)
		return err_set(err, ERR_QUOTA, "more than %u YAML nodes", r->o.max_nodes);
	if (r->alias_nodes <= 100 || r->nodes <= 1000)
		return 0;
	allowed = r->nodes <= low    ? 0.99
		  : r->nodes >= high ? 0.10
				     : 0.99 - 0.89 * ((double)r->nodes - low) / (high - low);
	if ((double)r->alias_nodes > allowed * (double)r->nodes)
		return err_set(err, ERR_QUOTA,
			       "the document consists of aliases: %llu of %llu nodes",
			       (unsigned long long)r->alias_nodes, (unsigned long long)r->nodes);
	return 0;
}

/* A finished value; `height` is that of the tree below it. */
static int push(struct reader *r, struct doc d, uint32_t height, const yaml_mark_t *at,
		struct err *err)
{
	struct frame *f = top(r);

	if (r->depth + height > r->o.max_depth)
		return err_set(err, ERR_QUOTA,
			       "line %zu: more than %u YAML collections inside one another",
			       at->line + 1, r->o.max_depth);
	if (f && height + 1 > f->height)
		f->height = height + 1;
	if (r->n == r->cap)
		r->slots = grown(r->slots, &r->cap, sizeof(*r->slots));
	r->slots[r->n++] = (struct slot){ .d = d,
					  .line = (unsigned)at->line + 1,
					  .column = (unsigned)at->column + 1 };
	return 0;
}

/* --- scalars
 * -------------------------------------------------------------------------------------- */

static int text_node(struct reader *r, struct slice s, struct doc *ret, struct err *err)
{
	char *p = arena_strndup(r->a, s.p, s.n);

	if (!p)
		return arena_quota(r->a, err);
	*ret = doc_borrow(p, s.n);
	if (!memchr(p, '\0', s.n))
		ret->flags |= DOC_CSTR;
	return 0;
}

/* Go's FormatFloat(f, 'g', -1, 32), which is how the reader spells a float that is a key. */
static void format_key_float(double v, char dst[48])
{
	char digits[32];
	float f = (float)v;
	int exp10, nd, prec, n = 0;

	/* Too large for 32 bits is infinite, and the reader spells that as YAML does. */
	if (__builtin_isinf(f)) {
		(void)snprintf(dst, 48, "%s.inf", f < 0 ? "-" : "");
		return;
	}
	for (prec = 0; prec < 9; prec++) {
		(void)snprintf(digits, sizeof(digits), "%.*e", prec, (double)f);
		if (strtof(digits, NULL) == f)
			break;
	}
	/* d[.ddd]e[+-]xx */
	exp10 = (int)strtod(strchr(digits, 'e') + 1, NULL);
	nd = prec + 1;
	if (exp10 < -4 || exp10 >= 6) {
		(void)snprintf(dst, 48, "%s", digits);
		return;
	}
	n = nd - 1 - exp10;
	(void)snprintf(dst, 48, "%.*f", n > 0 ? n : 0, (double)f);
}

/* A key that is no string becomes one (Kubernetes) or is refused (compose). */
static int make_key(struct reader *r, const struct yaml_value *v, const yaml_event_t *e,
		    struct doc *ret, struct err *err)
{
	unsigned line = (unsigned)e->start_mark.line + 1,
		 column = (unsigned)e->start_mark.column + 1;
	struct slice raw = { (const char *)e->data.scalar.value, e->data.scalar.length };
	char text[48] = "";

	if (v->kind == YAML_NULL)
		return fail_at(line, column, err, "a key must not be null");
	if (r->o.flavour == YAML_COMPOSE)
		return fail_at(line, column, err, "non-string key %.*s; quote it",
			       (int)MIN(raw.n, (size_t)64), raw.p);
	if (v->kind == YAML_BOOL)
		(void)snprintf(text, sizeof(text), "%s", v->b ? "true" : "false");
	else if (v->kind == YAML_INT)
		(void)snprintf(text, sizeof(text), "%s%llu", v->negative && v->u ? "-" : "",
			       (unsigned long long)v->u);
	else if (v->kind == YAML_FLOAT)
		format_key_float(v->f, text);
	else
		(void)snprintf(text, sizeof(text), "%s", v->text);
	return text_node(r, slice_str(text), ret, err);
}

static int make_value(struct reader *r, const struct yaml_value *v, const yaml_event_t *e,
		      struct doc *ret, struct err *err)
{
	switch (v->kind) {
	case YAML_NULL: *ret = doc_null(); return 0;
	case YAML_BOOL: *ret = doc_bool(v->b); return 0;
	case YAML_INT:
		*ret = v->negative ? doc_int(r->a, (int64_t)(0 - v->u)) : doc_uint(r->a, v->u);
		break;
	case YAML_FLOAT:
		/* Go's JSON prints whole floats without a fraction, so they are integers to
		 * everyone. */
		if (v->f > -9e18 && v->f < 9e18 && (double)(int64_t)v->f == v->f)
			*ret = doc_int(r->a, (int64_t)v->f);
		else
			*ret = doc_num(r->a, v->f);
		break;
	default:
		return fail_at((unsigned)e->start_mark.line + 1, (unsigned)e->start_mark.column + 1,
			       err, "%s has no form in JSON", v->text);
	}
	return arena_exceeded(r->a) ? arena_quota(r->a, err) : 0;
}

static int make_binary(struct reader *r, const yaml_event_t *e, struct doc *ret, struct err *err)
{
	unsigned line = (unsigned)e->start_mark.line + 1,
		 column = (unsigned)e->start_mark.column + 1;
	CLEANUP_FREE char *packed = malloc(e->data.scalar.length + 1),
			  *bytes = malloc(e->data.scalar.length + 1);
	CLEANUP(buf_fini) struct buf quoted = BUF_INIT(e->data.scalar.length * 6 + 64);
	struct doc *check = NULL;
	size_t n = 0;
	ssize_t m;

	if (!packed || !bytes)
		abort();
	/* Go skips line breaks, nothing else. */
	for (size_t i = 0; i < e->data.scalar.length; i++)
		if (e->data.scalar.value[i] != '\n' && e->data.scalar.value[i] != '\r')
			packed[n++] = (char)e->data.scalar.value[i];
	m = schema_base64_decode(slice_of(packed, n), bytes);
	if (m < 0)
		return fail_at(line, column, err, "!!binary value contains invalid base64 data");
	/* Bytes that are no text cannot be in a document: U+FFFD, which the writer would make of
	 * them, gives it away. */
	if (json_write_string(&quoted, slice_of(bytes, (size_t)m), false) < 0)
		return err_set(err, ERR_QUOTA, "!!binary value is too long");
	if (json_read(r->a, buf_slice(&quoted), &(struct json_options){ .copy = true }, &check,
		      err) < 0)
		return err_wrap(err, "!!binary");
	if (check->n != (size_t)m || memcmp(check->s, bytes, (size_t)m) != 0)
		return fail_at(
			line, column, err,
			"!!binary value is not UTF-8 text; give the base64 text as a string");
	*ret = *check;
	return 0;
}

/* "tag:yaml.org,2002:int" to "int"; others give NULL. */
static const char *core_tag(const char *tag)
{
	size_t n = sizeof(LONG_TAG) - 1;

	return tag && strncmp(tag, LONG_TAG, n) == 0 ? tag + n : NULL;
}

static int check_tag(const char *core, enum yaml_kind kind, const yaml_event_t *e, struct err *err)
{
	static const struct {
		const char *tag;
		unsigned kinds;
	} fits[] = {
		{ "null", 1u << YAML_NULL },
		{ "bool", 1u << YAML_BOOL },
		{ "int", 1u << YAML_INT },
		{ "float", 1u << YAML_FLOAT | 1u << YAML_INT | 1u << YAML_SPECIAL },
		{ "timestamp", 1u << YAML_TIME },
	};

	for (size_t i = 0; i < ARRAY_LEN(fits); i++)
		if (strcmp(core, fits[i].tag) == 0 && !(fits[i].kinds & 1u << kind))
			return fail_at((unsigned)e->start_mark.line + 1,
				       (unsigned)e->start_mark.column + 1, err,
				       "'%.64s' is no !!%s", e->data.scalar.value, core);
	return 0;
}

static bool is_resolvable(const char *core)
{
	static const char *const names[] = { "null", "bool", "int", "float", "timestamp", NULL };

	return core && str_is_one_of(core, names);
}

static int scalar_node(struct reader *r, const yaml_event_t *e, struct doc *ret, struct err *err)
{
	struct slice s = { (const char *)e->data.scalar.value, e->data.scalar.length };
	const char *tag = (const char *)e->data.scalar.tag, *core = core_tag(tag);
	struct yaml_value v = { .kind = YAML_STR };
	int q;

	if (core && strcmp(core, "binary") == 0)
		return make_binary(r, e, ret, err);
	/* A quoted scalar is a string, and so is one with a tag of a stranger. */
	if ((!tag && e->data.scalar.plain_implicit) || is_resolvable(core) ||
	    (core && strcmp(core, "merge") == 0))
		v = yaml_resolve(r->o.flavour, s);
	if (is_resolvable(core)) {
		q = check_tag(core, v.kind, e, err);
		if (q < 0)
			return q;
	}
	if (v.kind == YAML_STR || v.kind == YAML_TIME || v.kind == YAML_MERGE) {
		q = text_node(r, s, ret, err);
		if (q == 0 && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
			ret->flags |= DOC_PLAIN;
		ret->mark = v.kind == YAML_MERGE && wants_key(r);
		return q;
	}
	return wants_key(r) ? make_key(r, &v, e, ret, err) : make_value(r, &v, e, ret, err);
}

/* --- anchors and aliases
 * ---------------------------------------------------------------------------- */

/* A later anchor of the same name takes its place for what follows. */
static int open_anchor(struct reader *r, const yaml_char_t *name, struct anchor **ret,
		       struct err *err)
{
	struct anchor *an;

	*ret = NULL;
	if (!name)
		return 0;
	an = ARENA_NEW(r->a, struct anchor);
	if (an)
		an->name = arena_strdup(r->a, (const char *)name);
	if (!an || !an->name)
		return arena_quota(r->a, err);
	an->open = true;
	/* map_put keeps the old key's bytes alive: they are in the arena. */
	(void)map_put(&r->anchors, slice_str(an->name), an);
	*ret = an;
	return 0;
}

static void close_anchor(struct anchor *an, struct doc d, uint32_t height, uint64_t nodes)
{
	if (!an)
		return;
	an->open = false;
	an->d = d;
	an->d.mark = 0;
	an->height = height;
	an->nodes = nodes;
}

static int read_alias(struct reader *r, const yaml_event_t *e, struct err *err)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct anchor *an = map_get(&r->anchors, slice_str(name));
	unsigned line = (unsigned)e->start_mark.line + 1,
		 column = (unsigned)e->start_mark.column + 1;
	struct doc *copy;
	int q;

	if (!an)
		return fail_at(line, column, err, "unknown anchor '%.64s' referenced", name);
	if (an->open)
		return fail_at(line, column, err, "anchor '%.64s' value contains itself", name);
	q = count_nodes(r, an->nodes, true, err);
	if (q < 0)
		return err_wrap(err, "line %u column %u", line, column);
	if (wants_key(r) && an->d.type != DOC_STRING)
		return fail_at(line, column, err, "alias '%.64s' is no string and so no key", name);
	/* A copy of its own, since whoever gets the document may change it in place. */
	copy = doc_copy_shared(r->a, &an->d);
	if (!copy)
		return arena_quota(r->a, err);
	return push(r, *copy, an->height, &e->start_mark, err);
}

/* --- collections
 * ------------------------------------------------------------------------------------ */

/* "services.web.ports[2]": where the next value will be. */
static void add_path(struct reader *r, struct buf *b)
{
	for (size_t i = 0; i < r->depth; i++) {
		const struct frame *f = &r->frames[i];
		size_t end = i + 1 < r->depth ? r->frames[i + 1].start : r->n, n = end - f->start;

		if (f->type == DOC_ARRAY)
			(void)buf_addf(b, "[%zu]", n); /* a cut path is fine */
		else if (n % 2)
			(void)buf_addf(b, "%s%.*s", b->n ? "." : "",
				       (int)MIN(r->slots[end - 1].d.n, 256u),
				       r->slots[end - 1].d.s);
	}
}

static int tell_tag(struct reader *r, const yaml_char_t *tag, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	if (!tag || !r->o.on_tag || core_tag((const char *)tag))
		return 0;
	add_path(r, &b);
	return r->o.on_tag(r->o.on_tag_arg, (const char *)tag, buf_str(&b), err);
}

static int open_frame(struct reader *r, uint8_t type, const yaml_event_t *e,
		      const yaml_char_t *anchor, struct err *err)
{
	struct anchor *an;
	int q;

	if (wants_key(r))
		return fail_at((unsigned)e->start_mark.line + 1, (unsigned)e->start_mark.column + 1,
			       err, "a collection cannot be a key");
	if (r->depth >= r->o.max_depth)
		return err_set(err, ERR_QUOTA,
			       "line %zu: more than %u YAML collections inside one another",
			       e->start_mark.line + 1, r->o.max_depth);
	q = open_anchor(r, anchor, &an, err);
	if (q < 0)
		return q;
	if (r->depth == r->frame_cap)
		r->frames = grown(r->frames, &r->frame_cap, sizeof(*r->frames));
	r->frames[r->depth++] = (struct frame){ .type = type,
						.start = r->n,
						.nodes = r->nodes,
						.anchor = an,
						.line = (unsigned)e->start_mark.line + 1,
						.column = (unsigned)e->start_mark.column + 1 };
	return count_nodes(r, 1, false, err);
}

/* The members of one "<<" source that the map does not have yet. */
static int merge_map(struct reader *r, struct doc *obj, const struct doc *from, struct map *have,
		     struct err *err)
{
	DOC_EACH_MEMBER (key, value, from) {
		struct slice k = doc_slice(key);

		if (map_get(have, k))
			continue;
		(void)map_put(have, k, value);
		if (!doc_add_node(r->a, obj, *key, *value))
			return arena_quota(r->a, err);
	}
	return 0;
}

static int merge_source(struct reader *r, struct doc *obj, const struct slot *s, struct map *have,
			struct err *err)
{
	int q;

	if (s->d.type == DOC_OBJECT)
		return merge_map(r, obj, &s->d, have, err);
	if (s->d.type != DOC_ARRAY)
		goto bad;
	DOC_EACH (it, &s->d) {
		if (it->type != DOC_OBJECT)
			goto bad;
		q = merge_map(r, obj, it, have, err);
		if (q < 0)
			return q;
	}
	return 0;
bad:
	return fail_at(s->line, s->column, err,
		       "map merge requires map or sequence of maps as the value");
}

static int merge_all(struct reader *r, struct doc *obj, const struct slot *slots, size_t n,
		     struct err *err)
{
	CLEANUP(map_fini) struct map have;
	int q = 0;

	map_init(&have);
	DOC_EACH_MEMBER (key, value, obj)
		(void)map_put(&have, doc_slice(key), value);
	for (size_t i = 0; i < n && q == 0; i += 2)
		if (slots[i].d.mark)
			q = merge_source(r, obj, &slots[i + 1], &have, err);
	return q;
}

static void drop_marked(struct doc *obj)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < obj->n; i++) {
		if (doc_key_at(obj, i)->mark)
			continue;
		*doc_key_at(obj, out) = *doc_key_at(obj, i);
		*doc_value_at(obj, out++) = *doc_value_at(obj, i);
	}
	obj->n = out;
}

/* Keys that are there twice: told, or an error. */
static int find_duplicates(struct reader *r, struct doc *obj, const struct slot *slots, size_t n,
			   struct err *err)
{
	bool found = false;
	struct doc *first;
	struct index x;
	int q = 0;

	index_init(&x, obj);
	for (size_t i = 0, m = 0; i < n && q == 0; i += 2) {
		if (slots[i].d.mark)
			continue;
		first = index_get(&x, &slots[i].d);
		if (first == doc_value_at(obj, m++))
			continue;
		found = true;
		if (!r->o.on_dup) {
			q = fail_at(slots[i].line, slots[i].column, err,
				    "key \"%.*s\" already set in map", (int)MIN(slots[i].d.n, 128u),
				    slots[i].d.s);
			continue;
		}
		r->o.on_dup(r->o.on_dup_arg, slots[i].line, doc_slice(&slots[i].d));
		*first = *doc_value_at(obj, m - 1);
		doc_key_at(obj, m - 1)->mark = 1;
	}
	index_fini(&x);
	if (found && q == 0)
		drop_marked(obj);
	return q;
}

static int close_frame(struct reader *r, struct err *err)
{
	struct frame f = r->frames[--r->depth];
	const struct slot *slots = r->slots ? r->slots + f.start : NULL;
	size_t n = r->n - f.start, m = 0;
	yaml_mark_t at = { .line = f.line - 1, .column = f.column - 1 };
	struct doc d = { .type = f.type };
	bool merges = false;
	int q = 0;

	d.kids = arena_alloc_array(r->a, n, sizeof(struct doc));
	if (!d.kids)
		return arena_quota(r->a, err);
	for (size_t i = 0; i < n; i++) {
		if (f.type == DOC_OBJECT && i % 2 == 0 && slots[i].d.mark) {
			merges = true;
			i++;
			continue;
		}
		d.kids[m++] = slots[i].d;
	}
	d.n = (uint32_t)(f.type == DOC_OBJECT ? m / 2 : m);
	if (f.type == DOC_OBJECT)
		q = find_duplicates(r, &d, slots, n, err);
	if (q == 0 && merges)
		q = merge_all(r, &d, slots, n, err);
	if (q < 0)
		return q;
	r->n = f.start;
	f.height = MAX(f.height, 1u); /* also when empty; a scalar has 0 */
	close_anchor(f.anchor, d, f.height, r->nodes - f.nodes);
	return push(r, d, f.height, &at, err);
}

static int read_scalar(struct reader *r, const yaml_event_t *e, struct err *err)
{
	uint64_t before = r->nodes;
	struct anchor *an;
	struct doc d;
	int q;

	q = count_nodes(r, 1, false, err);
	if (q == 0)
		q = open_anchor(r, e->data.scalar.anchor, &an, err);
	if (q == 0)
		q = scalar_node(r, e, &d, err);
	if (q < 0)
		return q;
	close_anchor(an, d, 0, r->nodes - before);
	return push(r, d, 0, &e->start_mark, err);
}

/* --- the stream
 * ------------------------------------------------------------------------------------- */

static int syntax_error(struct reader *r, struct err *err)
{
	const yaml_parser_t *p = &r->parser;
	unsigned line = (unsigned)p->problem_mark.line + 1,
		 column = (unsigned)p->problem_mark.column + 1;

	if (p->error == YAML_MEMORY_ERROR)
		abort();
	if (p->error == YAML_READER_ERROR)
		json_where(r->text, r->text.p + MIN(p->problem_offset, r->text.n), &line, &column);
	return fail_at(line, column, err, "%s%s%s", p->context ? p->context : "",
		       p->context ? ": " : "", p->problem ? p->problem : "no YAML");
}

static int read_event(struct reader *r, const yaml_event_t *e, struct err *err)
{
	int q;

	switch (e->type) {
	case YAML_ALIAS_EVENT: return read_alias(r, e, err);
	case YAML_SCALAR_EVENT:
		q = tell_tag(r, e->data.scalar.tag, err);
		return q < 0 ? q : read_scalar(r, e, err);
	case YAML_SEQUENCE_START_EVENT:
		q = tell_tag(r, e->data.sequence_start.tag, err);
		return q < 0 ? q : open_frame(r, DOC_ARRAY, e, e->data.sequence_start.anchor, err);
	case YAML_MAPPING_START_EVENT:
		q = tell_tag(r, e->data.mapping_start.tag, err);
		return q < 0 ? q : open_frame(r, DOC_OBJECT, e, e->data.mapping_start.anchor, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT: return close_frame(r, err);
	case YAML_DOCUMENT_START_EVENT:
		/* Anchors end with their document. */
		map_fini(&r->anchors);
		map_init(&r->anchors);
		return 0;
	default: return 0;
	}
}

static int read_stream(struct reader *r, struct err *err)
{
	bool done = false;
	int q = 0;

	while (!done && q == 0) {
		yaml_event_t e;

		if (!yaml_parser_parse(&r->parser, &e))
			return syntax_error(r, err);
		done = e.type == YAML_STREAM_END_EVENT;
		q = read_event(r, &e, err);
		yaml_event_delete(&e);
	}
	return q;
}

static uint32_t limit(uint32_t asked, uint32_t normal)
{
	return asked ? asked : normal;
}

int yaml_read_all(struct arena *a, struct slice text, const struct yaml_options *opt,
		  struct doc **ret, struct err *err)
{
	struct reader r = { .text = text, .a = a };
	struct doc *all = NULL;
	int q;

	if (opt)
		r.o = *opt;
	r.o.max_depth = MIN(limit(r.o.max_depth, YAML_DEPTH_DEFAULT), (uint32_t)DEPTH_HARD);
	r.o.max_nodes = limit(r.o.max_nodes, YAML_NODES_DEFAULT);
	if (!yaml_parser_initialize(&r.parser))
		abort();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""),
				     text.n);
	map_init(&r.anchors);

	q = read_stream(&r, err);
	if (q == 0) {
		all = doc_new_array(a);
		for (size_t i = 0; i < r.n; i++)
			(void)doc_append(a, all, r.slots[i].d); /* the arena tells below */
		if (!all || arena_exceeded(a))
			q = arena_quota(a, err);
	}
	map_fini(&r.anchors);
	yaml_parser_delete(&r.parser);
	free(r.slots);
	free(r.frames);
	if (q == 0)
		*ret = all;
	return q;
}

int yaml_read(struct arena *a, struct slice text, const struct yaml_options *opt, struct doc **ret,
	      struct err *err)
{
	struct doc *all = NULL, *one;
	int r;

	r = yaml_read_all(a, text, opt, &all, err);
	if (r < 0)
		return r;
	if (doc_len(all) > 1)
		return err_set(err, ERR_BAD_REQUEST, "%zu YAML documents where one is expected",
			       doc_len(all));
	one = doc_len(all) ? doc_at(all, 0) : doc_new(a, doc_null());
	if (!one)
		return arena_quota(a, err);
	*ret = one;
	return 0;
}
