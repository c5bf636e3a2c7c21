/* SPDX-License-Identifier: Apache-2.0 */
/* A structural schema to its compiled form and to rows of tables. */
#include "api/custom-private.h"

#include "doc/json.h"

#include <stdlib.h>

static int compile(struct custom_build *b, const struct doc *source, const char *name, bool root,
		   struct custom_schema **ret);

static int bad(struct custom_build *b, const char *what)
{
	return err_set(b->err, ERR_INVALID, "%s", what);
}

/* Where it is; but what is wrong counts more than where, when a message is long already. */
static int at(struct custom_build *b, const char *what, const char *name)
{
	if (strlen(b->err->msg) > 600)
		return -(int)b->err->code;
	return name ? err_wrap(b->err, "%s[%s]", what, name) : err_wrap(b->err, "%s", what);
}

static bool on(const struct doc *s, const char *field)
{
	return doc_true(doc_get(s, field));
}

/* ---- scalars of a schema ---- */

static enum custom_type type_of(const struct doc *s)
{
	static const char *const names[] = { "",	"object", "array",  "string",
					     "integer", "number", "boolean" };
	const struct doc *type = doc_get(s, "type");

	if (on(s, "x-kubernetes-int-or-string"))
		return CUSTOM_INT_OR_STRING;
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (doc_str_is(type, names[i]))
			return (enum custom_type)i;
	return CUSTOM_ANY;
}

static int64_t limit(const struct doc *s, const char *field)
{
	int64_t v = -1;

	(void)doc_int64(doc_get(s, field), &v);
	return v;
}

static const struct doc *number(const struct doc *s, const char *field)
{
	const struct doc *v = doc_get(s, field);

	return doc_is(v, DOC_NUMBER) ? v : NULL;
}

static void read_flags(const struct doc *d, struct custom_schema *s)
{
	static const struct {
		const char *field;
		uint8_t flag;
	} rows[] = {
		{ "nullable", CUSTOM_NULLABLE },
		{ "x-kubernetes-preserve-unknown-fields", CUSTOM_PRESERVE },
		{ "x-kubernetes-embedded-resource", CUSTOM_EMBEDDED },
		{ "exclusiveMinimum", CUSTOM_OVER },
		{ "exclusiveMaximum", CUSTOM_UNDER },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (on(d, rows[i].field))
			s->flags |= rows[i].flag;
	s->atomic = doc_str_is(doc_get(d, "x-kubernetes-map-type"), "atomic");
	s->min_length = limit(d, "minLength");
	s->max_length = limit(d, "maxLength");
	s->min_items = limit(d, "minItems");
	s->max_items = limit(d, "maxItems");
	s->min_members = limit(d, "minProperties");
	s->max_members = limit(d, "maxProperties");
	s->minimum = number(d, "minimum");
	s->maximum = number(d, "maximum");
	s->multiple = number(d, "multipleOf");
	s->required = doc_get(d, "required");
	s->enums = doc_len(doc_get(d, "enum")) ? doc_get(d, "enum") : NULL;
}

static int read_pattern(struct custom_build *b, const struct doc *d, struct custom_schema *s)
{
	struct slice text = doc_slice(doc_get(d, "pattern"));
	int r;

	if (text.n == 0)
		return 0;
	s->pattern_text = text;
	r = regex_compile(text, b->a, &s->pattern, b->err);
	return r < 0 ? err_wrap(b->err, "pattern") : 0;
}

static int read_default(struct custom_build *b, const struct doc *d, struct custom_schema *s)
{
	struct slice text;
	int r;

	s->def = doc_get(d, "default");
	if (!s->def || s->def->type == DOC_NULL) {
		s->def = NULL;
		return 0;
	}
	b->has_defaults = true;
	r = json_print(b->a, s->def, NULL, &text, b->err);
	s->def_text = r == 0 ? text.p : NULL;
	return r;
}

static int read_list_type(struct custom_build *b, const struct doc *d, struct custom_schema *s)
{
	CLEANUP(buf_fini) struct buf keys = BUF_INIT(64 << 10);
	const struct doc *type = doc_get(d, "x-kubernetes-list-type");

	s->list = doc_str_is(type, "set")   ? SCHEMA_LIST_SET
		  : doc_str_is(type, "map") ? SCHEMA_LIST_MAP
					    : SCHEMA_LIST_ATOMIC;
	if (s->list != SCHEMA_LIST_MAP)
		return 0;
	s->keys = doc_get(d, "x-kubernetes-list-map-keys");
	DOC_EACH (k, s->keys) {
		if (slice_has(doc_slice(k), ' '))
			return bad(b, "keys of lists with blanks in their names are not supported");
		if (buf_addf(&keys, "%s%.*s", keys.n ? " " : "", (int)k->n, k->s) < 0)
			return bad(b, "x-kubernetes-list-map-keys are too long");
	}
	s->list_keys = arena_strndup(b->a, buf_str(&keys), keys.n);
	return s->list_keys ? 0 : custom_full(b);
}

/* ---- what lies below ---- */

static int by_name(const void *x, const void *y)
{
	const struct custom_property *a = x, *b = y;

	return slice_cmp(a->name, b->name);
}

const struct custom_schema *custom_property(const struct custom_schema *s, struct slice name)
{
	const struct custom_property key = { .name = { name.n ? name.p : "", name.n } }, *p;

	p = s->nproperties ? bsearch(&key, s->properties, s->nproperties, sizeof(key), by_name)
			   : NULL;
	return p ? p->schema : NULL;
}

static int read_properties(struct custom_build *b, const struct doc *d, struct custom_schema *s)
{
	const struct doc *list = doc_get(d, "properties");
	size_t n = doc_len(list), ndef = 0;
	struct custom_property *v = ARENA_ARRAY(b->a, struct custom_property, n),
			       *def = ARENA_ARRAY(b->a, struct custom_property, n);

	if (!v || !def)
		return custom_full(b);
	for (size_t i = 0; i < n; i++) {
		const struct doc *key = doc_key_at(list, i);
		struct custom_schema *below = NULL;
		char *name;
		int r;

		if (key->n > UINT8_MAX)
			return bad(b, "names of more than 255 bytes are not supported");
		if (key->n && memchr(key->s, '\0', key->n))
			return bad(b, "a name has a NUL in it");
		name = arena_strndup(b->a, key->s, key->n);
		if (!name)
			return custom_full(b);
		r = compile(b, doc_value_at(list, i), name, false, &below);
		if (r < 0)
			return at(b, "properties", name);
		v[i] = (struct custom_property){ slice_of(name, key->n), below, key };
		if (below->def)
			def[ndef++] = v[i];
	}
	if (n > 1)
		qsort(v, n, sizeof(*v), by_name);
	s->properties = v;
	s->nproperties = n;
	s->defaulted = def;
	s->ndefaulted = ndef;
	return 0;
}

static int read_one(struct custom_build *b, const struct doc *d, const char *field,
		    const struct custom_schema **ret)
{
	const struct doc *below = doc_get(d, field);
	struct custom_schema *s = NULL;
	int r;

	if (!doc_is(below, DOC_OBJECT))
		return 0;
	r = compile(b, below, field, false, &s);
	*ret = s;
	return r < 0 ? at(b, field, NULL) : 0;
}

static int read_list(struct custom_build *b, const struct doc *d, const char *field,
		     struct custom_list *ret)
{
	const struct doc *list = doc_get(d, field);
	const struct custom_schema **v =
		ARENA_ARRAY(b->a, const struct custom_schema *, doc_len(list));

	if (!v)
		return custom_full(b);
	for (size_t i = 0; i < doc_len(list); i++) {
		struct custom_schema *s = NULL;
		int r = compile(b, doc_at(list, i), field, false, &s);

		if (r < 0)
			return at(b, field, NULL);
		v[i] = s;
	}
	ret->v = v;
	ret->n = doc_len(list);
	return 0;
}

static int read_extra(struct custom_build *b, const struct doc *d, struct custom_schema *s)
{
	const struct doc *extra = doc_get(d, "additionalProperties");

	if (doc_is(extra, DOC_BOOL))
		s->flags |= extra->n ? CUSTOM_EXTRA : CUSTOM_NO_EXTRA;
	if (!doc_is(extra, DOC_OBJECT))
		return 0;
	s->flags |= CUSTOM_EXTRA;
	return read_one(b, d, "additionalProperties", &s->extra);
}

/* ---- rows ---- */

static int element_row(struct custom_build *b, const struct custom_schema *s,
		       struct schema_field *f, struct api_note *n)
{
	struct schema_field *e = ARENA_NEW(b->a, struct schema_field);
	struct api_note inner = { .doc = "" };

	if (!e)
		return custom_full(b);
	f->elem_row = true;
	f->elem = e;
	if (!s) {
		*e = (struct schema_field){ .type = SCHEMA_ANY };
		n->word = API_JSON;
		return 0;
	}
	if (custom_row(b, s, NULL, e, &inner) < 0)
		return -(int)b->err->code;
	n->type = inner.type;
	n->word = inner.word;
	return 0;
}

static int container_row(struct custom_build *b, const struct custom_schema *s,
			 struct schema_field *f, struct api_note *n)
{
	f->type = s->type == CUSTOM_ARRAY ? SCHEMA_LIST : SCHEMA_MAP;
	if (s->type == CUSTOM_ARRAY) {
		f->list = s->list;
		f->list_keys = s->list_keys;
		n->flags |= API_LIST_TYPED;
		return element_row(b, s->items, f, n);
	}
	if (s->atomic) {
		n->flags |= API_MAP_ATOMIC;
		f->merge = SCHEMA_MERGE_REPLACE; /* says the same of an element */
	}
	return element_row(b, s->extra, f, n);
}

int custom_row(struct custom_build *b, const struct custom_schema *s, const char *name,
	       struct schema_field *f, struct api_note *n)
{
	static const uint8_t scalars[] = {
		[CUSTOM_STRING] = SCHEMA_STRING,
		[CUSTOM_INTEGER] = SCHEMA_INT,
		[CUSTOM_NUMBER] = SCHEMA_DOUBLE,
		[CUSTOM_BOOLEAN] = SCHEMA_BOOL,
		[CUSTOM_INT_OR_STRING] = SCHEMA_INT_OR_STR,
	};

	*f = (struct schema_field){ .name = name,
				    .len = name ? (uint8_t)strlen(name) : 0,
				    .def = s->def_text };
	if (s->flags & CUSTOM_NULLABLE)
		f->flags |= SCHEMA_NULLABLE;
	if (s->object) {
		f->type = SCHEMA_OBJECT;
		f->sub = &s->object->schema;
		n->type = s->object;
		n->flags |= s->atomic ? API_MAP_ATOMIC : 0;
		return 0;
	}
	switch ((enum custom_type)s->type) {
	case CUSTOM_ANY:
		f->type = SCHEMA_ANY;
		n->word = API_JSON;
		return 0;
	case CUSTOM_OBJECT:
	case CUSTOM_ARRAY: return container_row(b, s, f, n);
	case CUSTOM_INTEGER:
	case CUSTOM_NUMBER: f->width = 8; break;
	default: break;
	}
	f->type = scalars[s->type];
	return 0;
}

/* The rows that every whole object has. */
static unsigned meta_rows(const struct custom_build *b, struct schema_field *f, struct api_note *n)
{
	const struct api_type *meta = api_type(b->api, API_META, "ObjectMeta");
	static const char *const names[] = { "kind", "apiVersion", "metadata" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		f[i] = (struct schema_field){ .name = names[i],
					      .len = (uint8_t)strlen(names[i]),
					      .type = i < 2 ? SCHEMA_STRING : SCHEMA_OBJECT };
		n[i] = (struct api_note){ .doc = "", .flags = i < 2 ? API_TYPE_META : 0 };
	}
	f[2].sub = &meta->schema;
	n[2].type = meta;
	return ARRAY_LEN(names);
}

static bool is_meta(struct slice name)
{
	return slice_is(name, "kind") || slice_is(name, "apiVersion") || slice_is(name, "metadata");
}

/* The table of an object with properties, in the definition's order. */
static int make_object(struct custom_build *b, struct custom_schema *s, const char *name,
		       bool whole)
{
	const struct doc *list = doc_get(s->source, "properties");
	struct schema_field *f = ARENA_ARRAY(b->a, struct schema_field, s->nproperties + 3);
	struct api_note *n = ARENA_ARRAY(b->a, struct api_note, s->nproperties + 3);
	struct api_type *t = ARENA_NEW(b->a, struct api_type);
	unsigned rows = 0;

	if (!f || !n || !t)
		return custom_full(b);
	if (s->nproperties > UINT16_MAX - 3)
		return bad(b, "more than 65,532 properties are not supported");
	if (whole)
		rows = meta_rows(b, f, n);
	DOC_EACH_MEMBER (key, value, list) {
		const struct custom_schema *below = custom_property(s, doc_slice(key));
		const struct doc *doc = doc_get(value, "description");

		if (whole && is_meta(doc_slice(key)))
			continue;
		n[rows].doc = doc && doc->n ? arena_strndup(b->a, doc->s, doc->n) : "";
		if (!n[rows].doc || custom_row(b, below, arena_strndup(b->a, key->s, key->n),
					       &f[rows], &n[rows]) < 0)
			return arena_exceeded(b->a) ? custom_full(b) : -(int)b->err->code;
		DOC_EACH (r, s->required)
			if (slice_eq(doc_slice(r), doc_slice(key)))
				n[rows].flags |= API_REQUIRED;
		rows++;
	}
	*t = (struct api_type){
		.schema = { .name = name,
			    .fields = f,
			    .n = (uint16_t)rows,
			    .unknown = s->flags & CUSTOM_PRESERVE ? SCHEMA_UNKNOWN_PRESERVE
								  : SCHEMA_UNKNOWN_ERROR },
		.definition = name,
		.doc = "",
		.notes = n,
		.group = b->group,
		.custom = s,
		.atomic = s->atomic,
		.hidden = true,
	};
	s->object = t;
	return 0;
}

/* ---- a schema ---- */

static int read_below(struct custom_build *b, const struct doc *d, struct custom_schema *s)
{
	int r = read_properties(b, d, s);

	if (r == 0)
		r = read_extra(b, d, s);
	if (r == 0)
		r = read_one(b, d, "items", &s->items);
	if (r == 0)
		r = read_one(b, d, "not", &s->not );
	if (r == 0)
		r = read_list(b, d, "allOf", &s->all);
	if (r == 0)
		r = read_list(b, d, "anyOf", &s->any);
	if (r == 0)
		r = read_list(b, d, "oneOf", &s->one);
	return r;
}

static int compile(struct custom_build *b, const struct doc *d, const char *name, bool root,
		   struct custom_schema **ret)
{
	struct custom_schema *s = ARENA_NEW(b->a, struct custom_schema);
	int r;

	if (!s)
		return custom_full(b);
	if (!doc_is(d, DOC_OBJECT))
		return bad(b, "must be a schema object");
	if (++b->depth > CUSTOM_DEPTH_MAX)
		return bad(b, "schemas in one another more than 100 times are not supported");
	s->source = d;
	s->type = (uint8_t)type_of(d);
	read_flags(d, s);
	r = custom_format(b, doc_slice(doc_get(d, "format")), (enum custom_type)s->type, &s->format,
			  &s->format_pattern);
	if (r == 0)
		r = read_pattern(b, d, s);
	if (r == 0)
		r = read_default(b, d, s);
	if (r == 0)
		r = read_list_type(b, d, s);
	if (r == 0)
		r = read_below(b, d, s);
	if (r == 0 && s->type == CUSTOM_OBJECT &&
	    (root || s->nproperties || s->flags & (CUSTOM_PRESERVE | CUSTOM_EMBEDDED)) && !s->extra)
		r = make_object(b, s, name, root || s->flags & CUSTOM_EMBEDDED);
	b->depth--;
	*ret = s;
	return r;
}

int custom_schema_compile(struct custom_build *b, const struct doc *source, const char *name,
			  bool root, const struct custom_schema **ret)
{
	struct custom_schema *s = NULL;
	int r = compile(b, source, name, root, &s);

	*ret = s;
	return r;
}
