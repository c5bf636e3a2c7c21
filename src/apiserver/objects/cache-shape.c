/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where things are in an object's JSON: compiled from a kind's list of selectable fields, found in
 * one reading of the bytes.
 *
 * The reading believes the form only as far as it needs it: strings end, brackets match, members
 * are "name":value. Escapes and numbers are looked at when somebody asks for that value.
 */
#include "apiserver/objects/cache-private.h"

#include "api/custom.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * Where upstream's fields are not simply the path that they are called by; values are those of its
 * functions that make fields of objects (Kubernetes 1.36, pkg/registry).
 */
struct special {
	const char *group, *kind, *name;
	const char *path, *other; /* NULL: as the name */
	const char *absent;
	bool more; /* not in the kind's list: what events.k8s.io calls it */
	bool never;
};
static const struct special specials[] = {
	{ "", "Pod", "spec.host", .path = "spec.nodeName" },
	{ "", "Pod", "spec.hostNetwork", .absent = "false" },
	{ "", "Pod", "status.podIPs", .never = true },
	{ "", "Node", "spec.unschedulable", .absent = "false" },
	{ "", "ReplicationController", "status.replicas", .absent = "0" },
	{ "apps", "ReplicaSet", "status.replicas", .absent = "0" },
	{ "batch", "Job", "status.successful", .path = "status.succeeded", .absent = "0" },
	{ "", "Event", "source", .path = "source.component", .other = "reportingComponent" },
	{ "", "Event", "reportingController", .path = "reportingComponent", .more = true },
	{ "", "Event", "regarding.kind", .path = "involvedObject.kind", .more = true },
	{ "", "Event", "regarding.namespace", .path = "involvedObject.namespace", .more = true },
	{ "", "Event", "regarding.name", .path = "involvedObject.name", .more = true },
	{ "", "Event", "regarding.uid", .path = "involvedObject.uid", .more = true },
	{ "", "Event", "regarding.apiVersion", .path = "involvedObject.apiVersion", .more = true },
	{ "", "Event", "regarding.resourceVersion", .path = "involvedObject.resourceVersion",
	  .more = true },
	{ "", "Event", "regarding.fieldPath", .path = "involvedObject.fieldPath", .more = true },
};

static bool special_of(const struct special *x, const struct api_kind *k)
{
	return !k->custom && strcmp(x->kind, k->kind) == 0 &&
	       strcmp(x->group, k->group->group) == 0;
}

static const struct special *find_special(const struct api_kind *k, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(specials); i++)
		if (!specials[i].more && special_of(&specials[i], k) &&
		    strcmp(specials[i].name, name) == 0)
			return &specials[i];
	return NULL;
}

/* ---- compiling ---- */

struct build {
	struct shape *s;
	struct buf text; /* names first: slices hold places until it is done */
};

static struct slice keep(struct build *b, const char *p, size_t n)
{
	const size_t at = b->text.n;

	if (buf_add(&b->text, p, n) < 0)
		abort();
	return slice_of((const char *)at, n);
}

static void *more(void *v, size_t n, size_t size)
{
	v = reallocarray(v, n + 1, size);
	if (!v)
		abort();
	return v;
}

static bool kept_is(const struct build *b, struct slice kept, struct slice name)
{
	return slice_eq(slice_of(b->text.p + (size_t)kept.p, kept.n), name);
}

/* The step of a name below another (1 + index; 0 = the top). */
static uint16_t step(struct build *b, uint16_t above, struct slice name)
{
	struct shape *s = b->s;
	uint16_t at = above ? s->steps[above - 1].down : s->nsteps ? 1 : 0, last = 0;

	for (; at; last = at, at = s->steps[at - 1].next)
		if (kept_is(b, s->steps[at - 1].name, name))
			return at;
	s->steps = more(s->steps, s->nsteps, sizeof(*s->steps));
	at = ++s->nsteps;
	s->steps[at - 1] =
		(struct shape_step){ .name = keep(b, name.p, name.n), .slot = SHAPE_NONE };
	if (last)
		s->steps[last - 1].next = at;
	else if (above)
		s->steps[above - 1].down = at;
	return at;
}

/* The slot of a path. SHAPE_NONE: it has no names, or there are too many. */
static uint8_t path_slot(struct build *b, const char *path)
{
	struct slice rest = slice_str(path);
	uint16_t at = 0;

	while (rest.p && b->s->nsteps < UINT16_MAX) {
		struct slice name = slice_split(&rest, '.');

		if (name.n)
			at = step(b, at, name);
	}
	if (!at)
		return SHAPE_NONE;
	if (b->s->steps[at - 1].slot == SHAPE_NONE && b->s->nslots < SHAPE_SLOTS_MAX)
		b->s->steps[at - 1].slot = b->s->nslots++;
	return b->s->steps[at - 1].slot;
}

static void add_field(struct build *b, const char *name, const struct special *x)
{
	struct shape *s = b->s;
	struct shape_field f = { .slot = SHAPE_NONE, .other = SHAPE_NONE };
	const char *absent = x && x->absent ? x->absent : "";

	f.name = keep(b, name, strlen(name));
	f.absent = keep(b, absent, strlen(absent));
	f.never = x && x->never;
	if (!f.never)
		f.slot = path_slot(b, x && x->path ? x->path : name);
	if (x && x->other)
		f.other = path_slot(b, x->other);
	s->fields = more(s->fields, s->nfields, sizeof(*s->fields));
	s->fields[s->nfields++] = f;
}

static void add_fields(struct build *b, const struct api_kind *kind)
{
	for (const char *const *name = kind->selectable; name && *name; name++)
		add_field(b, **name == '.' ? *name + 1 : *name, find_special(kind, *name));
	for (size_t i = 0; i < ARRAY_LEN(specials); i++)
		if (specials[i].more && special_of(&specials[i], kind))
			add_field(b, specials[i].name, &specials[i]);
}

/* Those that one object can be read as; a name that stands twice has one slot. */
static void add_versions(struct build *b, const struct api_kind *kind)
{
	const struct custom *definition = kind->custom->definition;
	const struct api_kind *const *v;
	size_t n;

	if (b->s->alone || !definition)
		return;
	v = custom_kinds(definition, &n);
	for (size_t i = 0; i < n; i++)
		if (v[i] != kind)
			add_fields(b, v[i]);
}

static void settle(const struct build *b, struct slice *v)
{
	v->p = b->text.p + (size_t)v->p;
}

struct shape *shape_new(const struct api_kind *kind)
{
	struct build b = { .s = calloc(1, sizeof(*b.s)), .text = BUF_INIT(1u << 24) };
	struct shape *s = b.s;

	if (!s)
		abort();
	s->refs = 1;
	s->namespaced = kind->namespaced;
	if (buf_addf(&b.text, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", kind->kind,
		     kind->group->api_version) < 0)
		abort();
	s->head = slice_of(NULL, b.text.n);
	s->alone = custom_webhook(kind) != NULL;
	add_fields(&b, kind);
	if (kind->custom)
		add_versions(&b, kind);
	settle(&b, &s->head);
	for (size_t i = 0; i < s->nsteps; i++)
		settle(&b, &s->steps[i].name);
	for (size_t i = 0; i < s->nfields; i++) {
		settle(&b, &s->fields[i].name);
		settle(&b, &s->fields[i].absent);
	}
	s->text = b.text.p;
	return s;
}

struct shape *shape_ref(struct shape *s)
{
	s->refs++;
	return s;
}

void shape_unref(struct shape *s)
{
	if (!s || --s->refs)
		return;
	free(s->steps);
	free(s->fields);
	free(s->text);
	free(s);
}

bool shape_same(const struct shape *a, const struct shape *b)
{
	if (!slice_eq(a->head, b->head) || a->namespaced != b->namespaced || a->alone != b->alone ||
	    a->nfields != b->nfields)
		return false;
	for (size_t i = 0; i < a->nfields; i++)
		if (!slice_eq(a->fields[i].name, b->fields[i].name))
			return false;
	return true;
}

const struct shape_field *shape_field(const struct shape *s, struct slice name)
{
	for (size_t i = 0; i < s->nfields; i++)
		if (slice_eq(s->fields[i].name, name))
			return &s->fields[i];
	return NULL;
}

/* ---- reading ---- */

#define DEPTH_MAX 512 /* as json_read's */

struct reader {
	const char *base, *p, *end;
	const struct shape *s;
	struct scan *out;
	bool placed; /* resourceVersion has its place */
};

static bool take(struct reader *x, char c)
{
	if (x->p == x->end || *x->p != c)
		return false;
	x->p++;
	return true;
}

/* The first quote or backslash from p on, or end. Most strings are shorter than a vector. */
static const char *string_stop(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');

	for (; end - p >= 16; p += 16) {
		const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		const unsigned hit = (unsigned)_mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));

		if (hit)
			return p + __builtin_ctz(hit);
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* Behind the opening quote; leaves p behind the closing one. */
static bool skip_string(struct reader *x, bool *ret_escaped)
{
	const char *p = string_stop(x->p, x->end);

	*ret_escaped = false;
	while (p < x->end && *p == '\\') {
		*ret_escaped = true;
		if (x->end - p < 2)
			return false;
		p = string_stop(p + 2, x->end);
	}
	if (p == x->end)
		return false;
	x->p = p + 1;
	return true;
}

static bool scalar_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' ||
	       c == '.' || c == 'E';
}

/* From the opening bracket to behind its closing one. */
static bool skip_nested(struct reader *x)
{
	uint64_t square[DEPTH_MAX / 64]; /* bit: the bracket at this depth is [ */
	unsigned depth = 0;
	bool escaped;

	while (x->p < x->end) {
		const char c = *x->p++;

		if (c == '"') {
			if (!skip_string(x, &escaped))
				return false;
		} else if (c == '{' || c == '[') {
			if (depth == DEPTH_MAX)
				return false;
			if (depth % 64 == 0)
				square[depth / 64] = 0;
			square[depth / 64] |= (uint64_t)(c == '[') << depth % 64;
			depth++;
		} else if (c == '}' || c == ']') {
			depth--;
			if ((square[depth / 64] >> depth % 64 & 1) != (c == ']'))
				return false;
			square[depth / 64] &= ~(1ull << depth % 64);
			if (depth == 0)
				return true;
		}
	}
	return false;
}

/* Any value; *ret is where a scalar's text is, at 0 for what has none. */
static bool skip_value(struct reader *x, struct item_field *ret)
{
	const char *from = x->p;
	bool escaped = false;

	*ret = (struct item_field){ 0 };
	if (x->p == x->end)
		return false;
	if (*x->p == '{' || *x->p == '[')
		return skip_nested(x);
	if (take(x, '"')) {
		if (!skip_string(x, &escaped))
			return false;
		ret->at = (uint32_t)(from + 1 - x->base);
		ret->n = (uint32_t)(x->p - from - 2) & 0x7fffffff;
		ret->escaped = escaped;
		return true;
	}
	while (x->p < x->end && scalar_byte(*x->p))
		x->p++;
	if (x->p == from)
		return false;
	if (!slice_is(slice_of(from, (size_t)(x->p - from)), "null")) {
		ret->at = (uint32_t)(from - x->base);
		ret->n = (uint32_t)(x->p - from) & 0x7fffffff;
	}
	return true;
}

/* The member's name, up to behind the colon. */
static bool member(struct reader *x, struct slice *ret)
{
	const char *from = x->p + 1;
	bool escaped;

	if (!take(x, '"') || !skip_string(x, &escaped))
		return false;
	*ret = slice_of(from, (size_t)(x->p - from - 1));
	return take(x, ':');
}

/* To the next member. 1: there is one; 0: the object is over; -1: neither. */
static int next_member(struct reader *x)
{
	if (take(x, ','))
		return 1;
	return take(x, '}') ? 0 : -1;
}

static uint16_t find_step(const struct shape *s, uint16_t first, struct slice name)
{
	while (first && !slice_eq(s->steps[first - 1].name, name))
		first = s->steps[first - 1].next;
	return first;
}

/* One of the steps `first` and those beside it, or none, is below this object. */
static bool read_object(struct reader *x, uint16_t first);

static bool read_member(struct reader *x, uint16_t first, struct slice name)
{
	const uint16_t at = find_step(x->s, first, name);
	const struct shape_step *step = at ? &x->s->steps[at - 1] : NULL;
	struct item_field text;

	if (step && step->down && x->p < x->end && *x->p == '{')
		return read_object(x, step->down);
	if (!skip_value(x, &text))
		return false;
	if (step && step->slot != SHAPE_NONE)
		x->out->fields[step->slot] = text;
	return true;
}

static bool read_object(struct reader *x, uint16_t first)
{
	struct slice name;
	int r = 1;

	if (!take(x, '{'))
		return false;
	if (take(x, '}'))
		return true;
	while (r == 1) {
		if (!member(x, &name) || !read_member(x, first, name))
			return false;
		r = next_member(x);
	}
	return r == 0;
}

static void place(struct reader *x, const char *at, size_t cut, const char *before,
		  const char *after)
{
	x->out->at = (uint32_t)(at - x->base);
	x->out->cut = (uint32_t)cut;
	x->out->before = before;
	x->out->after = after;
	x->placed = true;
}

/* Those that stand before resourceVersion in ObjectMeta. */
static bool stands_before(struct slice name)
{
	return slice_is(name, "name") || slice_is(name, "namespace") || slice_is(name, "uid") ||
	       slice_is(name, "generateName") || slice_is(name, "selfLink");
}

static bool read_meta_member(struct reader *x)
{
	const char *from = x->p;
	struct item_field text;
	struct slice name;

	if (!member(x, &name))
		return false;
	if (slice_is(name, "resourceVersion")) {
		const char *value = x->p;

		if (!skip_value(x, &text))
			return false;
		place(x, value, (size_t)(x->p - value), "\"", "\"");
		return true;
	}
	if (!x->placed && !stands_before(name))
		place(x, from, 0, "\"resourceVersion\":\"", "\",");
	from = x->p;
	if (!skip_value(x, &text))
		return false;
	if (slice_is(name, "labels") && *from == '{') {
		x->out->labels = (uint32_t)(from - x->base);
		x->out->nlabels = (uint32_t)(x->p - from);
	}
	return true;
}

static bool read_meta(struct reader *x)
{
	int r = 1;

	if (!take(x, '{'))
		return false;
	if (take(x, '}')) {
		place(x, x->p - 1, 0, "\"resourceVersion\":\"", "\"");
		return true;
	}
	while (r == 1) {
		if (!read_meta_member(x))
			return false;
		r = next_member(x);
	}
	if (r == 0 && !x->placed)
		place(x, x->p - 1, 0, ",\"resourceVersion\":\"", "\"");
	return r == 0;
}

static bool read_all(struct reader *x)
{
	struct slice name;
	int r;

	x->p += x->s->head.n;
	if (!member(x, &name) || !slice_is(name, "metadata") || !read_meta(x))
		return false;
	while ((r = next_member(x)) == 1)
		if (!member(x, &name) || !read_member(x, x->s->nsteps ? 1 : 0, name))
			return false;
	return r == 0;
}

int shape_scan(const struct shape *s, struct slice json, struct scan *ret, struct err *err)
{
	struct reader x = { json.p, json.p, json.p + json.n, s, ret, false };

	ret->labels = ret->nlabels = 0;
	for (unsigned i = 0; i < s->nslots; i++)
		ret->fields[i] = (struct item_field){ 0 };
	if (json.n > INT32_MAX || !slice_starts(json, s->head))
		return err_set(err, ERR_INVALID, "not an object that begins with %.*s",
			       (int)s->head.n, s->head.p);
	if (!read_all(&x))
		return err_set(err, ERR_INVALID, "damaged JSON at byte %zu of %zu",
			       (size_t)(x.p - x.base), json.n);
	if (x.p != x.end)
		return err_set(err, ERR_INVALID, "%zu bytes behind the object",
			       (size_t)(x.end - x.p));
	return 0;
}
