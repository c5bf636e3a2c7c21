/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema tables over any JSON: decode and validate agree; what decodes, encodes; what was encoded,
 * decodes again to the same document; default and prune leave documents that print.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/schema.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const modes[] = { "ro", "rw", NULL };

struct node {
	const char *name, *mode;
	int16_t i;
	struct opt_uint u;
	double d;
	bool b;
	struct int_or_str port;
	struct schema_time t;
	struct slice blob;
	const struct doc *any;
	const char *cpu;
	LIST_OF(struct node) kids;
	LIST_OF(LIST_OF(const char *)) grid;
	MAP_OF(const struct doc *) named;
	struct str_map labels;
	const struct doc *rest;
};
extern const struct schema node_schema;
static const struct schema_field words_row = E_LIST_STR(FORMAT_NAME);
static const struct schema_field node_rows[] = {
	F_STR(struct node, name, "name", SCHEMA_REQUIRED, FORMAT_NAME, .max = 8, .min = 1),
	F_ENUM_STR(struct node, mode, "mode", modes, 0, .def = "\"ro\""),
	F_INT(struct node, i, "i", 0, -5, 1000),
	F_OPT_UINT(struct node, u, "u", 0, 0, 0),
	F_DOUBLE(struct node, d, "d", 0),
	F_BOOL(struct node, b, "b", SCHEMA_EMIT),
	F_INT_OR_STR(struct node, port, "port", 0),
	F_TIME(struct node, t, "t", 0),
	F_BYTES(struct node, blob, "blob", SCHEMA_SECRET),
	F_DOC(struct node, any, "any", 0),
	F_QUANTITY(struct node, cpu, "cpu", 0),
	F_LIST_OBJ(struct node, kids, "kids", &node_schema, 0, .list = SCHEMA_LIST_MAP,
		   .list_keys = "name i"),
	F_LIST(struct node, grid, "grid", &words_row, 0),
	F_MAP_DOC(struct node, named, "named", 0, .key_format = FORMAT_DNS_LABEL),
	F_MAP_STR(struct node, labels, "labels", 0, .key_format = FORMAT_QUALIFIED_NAME,
		  .format = FORMAT_LABEL_VALUE),
};
const struct schema node_schema =
	SCHEMA("node", struct node, node_rows, .unknown = SCHEMA_UNKNOWN_PRESERVE,
	       .rest = SCHEMA_HAS(struct node, rest));

static void round_trip(struct arena *a, const struct node *n)
{
	struct err err = ERR_INIT;
	struct doc first, second;
	struct node again;
	int r;

	r = schema_encode(&node_schema, n, a, &first, &err);
	if (r == 0)
		r = schema_decode(&node_schema, &first, a, &again, NULL, &err);
	if (r == 0)
		r = schema_encode(&node_schema, &again, a, &second, &err);
	assert(r == 0 || err.code == ERR_QUOTA);
	assert(r < 0 || doc_equal(&first, &second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 4 << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4 << 20);
	struct schema_opts o = { .icase = size % 2 };
	struct err err = ERR_INIT;
	struct doc *d = NULL;
	struct node n;
	int r, v;

	if (json_read(a, slice_of((const char *)data, size), NULL, &d, &err) < 0)
		return 0;
	r = schema_decode(&node_schema, d, a, &n, &o, &err);
	assert(r == 0 || (err.code == ERR_INVALID && err.causes) || err.code == ERR_QUOTA);
	v = schema_validate(&node_schema, d, a, &o, &err);
	assert(v == r || v == -ERR_QUOTA || r == -ERR_QUOTA);
	if (r == 0)
		round_trip(a, &n);
	if (schema_default(&node_schema, d, a, &err) == 0 &&
	    schema_prune(&node_schema, d, a, &err) == 0)
		assert(json_write(d, NULL, &b, &err) == 0 || err.code == ERR_QUOTA);
	return 0;
}
