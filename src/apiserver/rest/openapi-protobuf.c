/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/rest/openapi-protobuf.h"

#include "base/err.h"
#include "base/str.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "doc/protobuf-wire.h"

#include <string.h>

#define PIECE_MAX (8u << 20)

/* ---- messages ---- */

enum kind {
	TEXT,
	BOOL,
	INT,
	DOUBLE,
	ANY, /* a message with the value as YAML; JSON is YAML */
	MESSAGE,
	EACH,	  /* of a list */
	NAMED,	  /* of an object: {1: {name 1, value 2}} */
	FIELDS,	  /* as NAMED, without the message around */
	WRAPPED,  /* {1: message} */
	STRINGS,  /* {1: text}, of one text or of a list */
	OR_BOOL,  /* {1: message} or {2: bool} */
	PARAMETER /* a reference, or where it is: in the body, the query, the path */
};

struct row {
	const char *key;
	uint8_t number, kind;
	const struct message *sub;
};
struct message {
	const struct row *rows;
	uint8_t n, extension; /* members whose name begins with x-; 0: none */
};

static const struct message schema;

static const struct row schema_rows[] = {
	{ "$ref", 1, TEXT, NULL },
	{ "format", 2, TEXT, NULL },
	{ "title", 3, TEXT, NULL },
	{ "description", 4, TEXT, NULL },
	{ "default", 5, ANY, NULL },
	{ "multipleOf", 6, DOUBLE, NULL },
	{ "maximum", 7, DOUBLE, NULL },
	{ "exclusiveMaximum", 8, BOOL, NULL },
	{ "minimum", 9, DOUBLE, NULL },
	{ "exclusiveMinimum", 10, BOOL, NULL },
	{ "maxLength", 11, INT, NULL },
	{ "minLength", 12, INT, NULL },
	{ "pattern", 13, TEXT, NULL },
	{ "maxItems", 14, INT, NULL },
	{ "minItems", 15, INT, NULL },
	{ "uniqueItems", 16, BOOL, NULL },
	{ "maxProperties", 17, INT, NULL },
	{ "minProperties", 18, INT, NULL },
	{ "required", 19, EACH, NULL },
	{ "enum", 20, EACH, &schema }, /* of any values: see put_each */
	{ "additionalProperties", 21, OR_BOOL, &schema },
	{ "type", 22, STRINGS, NULL },
	{ "items", 23, WRAPPED, &schema },
	{ "properties", 25, NAMED, &schema },
	{ "example", 30, ANY, NULL },
};
static const struct message schema = { schema_rows, ARRAY_LEN(schema_rows), 31 };

static const struct row query_rows[] = {
	{ "required", 1, BOOL, NULL },	   { "in", 2, TEXT, NULL },
	{ "description", 3, TEXT, NULL },  { "name", 4, TEXT, NULL },
	{ "type", 6, TEXT, NULL },	   { "format", 7, TEXT, NULL },
	{ "uniqueItems", 20, BOOL, NULL },
};
static const struct message query = { query_rows, ARRAY_LEN(query_rows), 0 };

static const struct row path_rows[] = {
	{ "required", 1, BOOL, NULL },	   { "in", 2, TEXT, NULL },
	{ "description", 3, TEXT, NULL },  { "name", 4, TEXT, NULL },
	{ "type", 5, TEXT, NULL },	   { "format", 6, TEXT, NULL },
	{ "uniqueItems", 19, BOOL, NULL },
};
static const struct message in_path = { path_rows, ARRAY_LEN(path_rows), 0 };

static const struct row body_rows[] = {
	{ "description", 1, TEXT, NULL },  { "name", 2, TEXT, NULL },
	{ "in", 3, TEXT, NULL },	   { "required", 4, BOOL, NULL },
	{ "schema", 5, MESSAGE, &schema },
};
static const struct message body = { body_rows, ARRAY_LEN(body_rows), 0 };

static const struct row reference_rows[] = { { "$ref", 1, TEXT, NULL } };
static const struct message reference = { reference_rows, 1, 0 };

static const struct row response_rows[] = {
	{ "description", 1, TEXT, NULL },
	{ "schema", 2, WRAPPED, &schema },
};
static const struct message response = { response_rows, ARRAY_LEN(response_rows), 0 };

/* Of a response, which may be a reference instead. */
static const struct row answer_rows[] = { { NULL, 1, MESSAGE, &response } };
static const struct message answer = { answer_rows, 1, 0 };

static const struct row operation_rows[] = {
	{ "tags", 1, EACH, NULL },	    { "description", 3, TEXT, NULL },
	{ "operationId", 5, TEXT, NULL },   { "produces", 6, EACH, NULL },
	{ "consumes", 7, EACH, NULL },	    { "parameters", 8, PARAMETER, NULL },
	{ "responses", 9, NAMED, &answer }, { "schemes", 10, EACH, NULL },
};
static const struct message operation = { operation_rows, ARRAY_LEN(operation_rows), 13 };

static const struct row item_rows[] = {
	{ "get", 2, MESSAGE, &operation },     { "put", 3, MESSAGE, &operation },
	{ "post", 4, MESSAGE, &operation },    { "delete", 5, MESSAGE, &operation },
	{ "options", 6, MESSAGE, &operation }, { "head", 7, MESSAGE, &operation },
	{ "patch", 8, MESSAGE, &operation },   { "parameters", 9, PARAMETER, NULL },
};
static const struct message item = { item_rows, ARRAY_LEN(item_rows), 10 };

static const struct row key_rows[] = {
	{ "type", 1, TEXT, NULL },
	{ "name", 2, TEXT, NULL },
	{ "in", 3, TEXT, NULL },
	{ "description", 4, TEXT, NULL },
};
static const struct message api_key = { key_rows, ARRAY_LEN(key_rows), 0 };
static const struct row scheme_rows[] = { { NULL, 2, MESSAGE, &api_key } };
static const struct message scheme = { scheme_rows, 1, 0 };

static const struct row info_rows[] = {
	{ "title", 1, TEXT, NULL },
	{ "version", 2, TEXT, NULL },
};
static const struct message info = { info_rows, ARRAY_LEN(info_rows), 0 };

static const struct row texts_rows[] = { { NULL, 1, EACH, NULL } };
static const struct message texts = { texts_rows, 1, 0 };
static const struct row needs_rows[] = { { NULL, 1, FIELDS, &texts } };
static const struct message needs = { needs_rows, 1, 0 };

static const struct row head_rows[] = {
	{ "swagger", 1, TEXT, NULL },
	{ "info", 2, MESSAGE, &info },
	{ "security", 12, EACH, &needs },
};
static const struct message head = { head_rows, ARRAY_LEN(head_rows), 0 };

/* ---- writing, the last field first ---- */

static void put_message(struct pb_writer *w, const struct message *m, const struct doc *d);

static void put_any(struct pb_writer *w, uint32_t number, const struct doc *d)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PIECE_MAX);
	size_t before = pb_size(w);

	if (json_write(d, NULL, &b, NULL) < 0 || buf_addc(&b, '\n') < 0)
		w->full = true;
	pb_field_bytes(w, 2, buf_slice(&b));
	pb_field_message(w, number, before);
}

static void put_sub(struct pb_writer *w, uint32_t number, const struct message *m,
		    const struct doc *d)
{
	size_t before = pb_size(w);

	put_message(w, m, d);
	pb_field_message(w, number, before);
}

/* Texts, messages; values of any kind in place of schemas are those of an enum. */
static void put_each(struct pb_writer *w, const struct row *r, const struct doc *list)
{
	for (size_t i = doc_len(list); i-- > 0;) {
		const struct doc *it = doc_at(list, i);

		if (r->sub == &schema)
			put_any(w, r->number, it);
		else if (r->sub)
			put_sub(w, r->number, r->sub, it);
		else
			pb_field_bytes(w, r->number, doc_slice(it));
	}
}

static void put_entry(struct pb_writer *w, uint32_t number, const struct message *m,
		      struct slice name, const struct doc *d)
{
	size_t before = pb_size(w);

	if (m)
		put_sub(w, 2, m, d);
	else
		put_any(w, 2, d);
	pb_field_bytes(w, 1, name);
	pb_field_message(w, number, before);
}

static void put_entries(struct pb_writer *w, uint32_t number, const struct message *m,
			const struct doc *d)
{
	if (!doc_is(d, DOC_OBJECT))
		return;
	for (size_t i = doc_len(d); i-- > 0;)
		put_entry(w, number, m, doc_slice(doc_key_at(d, i)), doc_value_at(d, i));
}

/* Parameter: {1: in the body} or {2: {3: in the query, or 4: in the path}}. */
static void put_place(struct pb_writer *w, const struct doc *d)
{
	size_t before = pb_size(w);
	bool path = doc_str_is(doc_get(d, "in"), "path");

	if (doc_str_is(doc_get(d, "in"), "body")) {
		put_sub(w, 1, &body, d);
		return;
	}
	put_sub(w, path ? 4 : 3, path ? &in_path : &query, d);
	pb_field_message(w, 2, before);
}

static void put_parameters(struct pb_writer *w, uint32_t number, const struct doc *list)
{
	for (size_t i = doc_len(list); i-- > 0;) {
		const struct doc *it = doc_at(list, i);
		size_t before = pb_size(w);

		if (doc_get(it, "$ref")) {
			put_sub(w, 2, &reference, it);
		} else {
			put_place(w, it);
			pb_field_message(w, 1, before);
		}
		pb_field_message(w, number, before);
	}
}

static void put_strings(struct pb_writer *w, const struct doc *d)
{
	static const struct row each = { NULL, 1, EACH, NULL };

	if (doc_is(d, DOC_STRING))
		pb_field_bytes(w, 1, doc_slice(d));
	else
		put_each(w, &each, d);
}

static void put_number(struct pb_writer *w, const struct row *r, const struct doc *d)
{
	int64_t whole = 0;
	double v = 0;
	uint64_t bits;

	if (r->kind == INT && doc_int64(d, &whole) >= 0 && whole)
		pb_field_varint(w, r->number, (uint64_t)whole);
	if (r->kind != DOUBLE || doc_double(d, &v) < 0 || v == 0)
		return;
	memcpy(&bits, &v, sizeof(bits));
	pb_put_fixed64(w, bits);
	pb_put_tag(w, r->number, PB_FIXED64);
}

/* What stands in a message of its own around it. */
static void put_within(struct pb_writer *w, const struct row *r, const struct doc *d)
{
	size_t before = pb_size(w);

	if (r->kind == NAMED)
		put_entries(w, 1, r->sub, d);
	else if (r->kind == STRINGS)
		put_strings(w, d);
	else if (r->kind == OR_BOOL && doc_is(d, DOC_BOOL))
		pb_field_varint(w, 2, doc_true(d));
	else
		put_sub(w, 1, r->sub, d);
	pb_field_message(w, r->number, before);
}

/* Zero, false and the empty text are left out. */
static void put_row(struct pb_writer *w, const struct row *r, const struct doc *d)
{
	switch ((enum kind)r->kind) {
	case TEXT:
		if (doc_slice(d).n)
			pb_field_bytes(w, r->number, doc_slice(d));
		break;
	case BOOL:
		if (doc_true(d))
			pb_field_varint(w, r->number, 1);
		break;
	case INT:
	case DOUBLE: put_number(w, r, d); break;
	case ANY: put_any(w, r->number, d); break;
	case MESSAGE: put_sub(w, r->number, r->sub, d); break;
	case EACH: put_each(w, r, d); break;
	case FIELDS: put_entries(w, r->number, r->sub, d); break;
	case PARAMETER: put_parameters(w, r->number, d); break;
	case NAMED:
	case STRINGS:
	case OR_BOOL:
	case WRAPPED: put_within(w, r, d); break;
	}
}

static void put_extensions(struct pb_writer *w, uint32_t number, const struct doc *d)
{
	for (size_t i = doc_len(d); i-- > 0;) {
		struct slice key = doc_slice(doc_key_at(d, i));

		if (slice_starts(key, SLICE("x-")))
			put_entry(w, number, NULL, key, doc_value_at(d, i));
	}
}

static void put_message(struct pb_writer *w, const struct message *m, const struct doc *d)
{
	if (m->extension && doc_is(d, DOC_OBJECT))
		put_extensions(w, m->extension, d);
	for (size_t i = m->n; i-- > 0;) {
		const struct row *r = &m->rows[i];
		const struct doc *v = r->key ? doc_get(d, r->key) : d;

		if (v)
			put_row(w, r, v);
	}
}

/* ---- pieces ---- */

static int give(struct pb_writer *w, struct buf *out, struct err *err)
{
	struct slice s = pb_written(w);

	if (w->full || buf_add(out, s.p, s.n) < 0)
		return err_set(err, ERR_QUOTA, "the OpenAPI document is too large");
	return 0;
}

int openapi_proto_member(enum openapi_section s, const char *name, const struct doc *d,
			 struct buf *out, struct err *err)
{
	static const struct {
		uint8_t section, entry;
		const struct message *m;
	} rows[] = {
		[OPENAPI_PATHS] = { 8, 2, &item },
		[OPENAPI_DEFINITIONS] = { 9, 1, &schema },
		[OPENAPI_PARAMETERS] = { 10, 1, NULL },
		[OPENAPI_SECURITY_DEFINITIONS] = { 13, 1, &scheme },
	};
	CLEANUP(pb_writer_fini) struct pb_writer w = PB_WRITER_INIT(PIECE_MAX);

	if (rows[s].m) {
		put_entry(&w, rows[s].entry, rows[s].m, slice_str(name), d);
	} else {
		put_place(&w, d);
		pb_field_message(&w, 2, 0);
		pb_field_bytes(&w, 1, slice_str(name));
		pb_field_message(&w, rows[s].entry, 0);
	}
	pb_field_message(&w, rows[s].section, 0);
	return give(&w, out, err);
}

int openapi_proto_head(const struct doc *d, struct buf *out, struct err *err)
{
	CLEANUP(pb_writer_fini) struct pb_writer w = PB_WRITER_INIT(PIECE_MAX);

	put_message(&w, &head, d);
	return give(&w, out, err);
}
