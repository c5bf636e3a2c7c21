/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: columns.h knows the cells, here they become rows with the object that goes along. */
#include "apiserver/objects/codec-private.h"
#include "apiserver/objects/columns.h"
#include "doc/json.h"

int codec_table_begin(struct codec_out *o, struct slice list_meta, bool definitions,
		      struct buf *out, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("columns", CODEC_SCRATCH_MAX);
	struct doc columns = doc_null();
	int r = 0;

	if (definitions)
		r = columns_definitions(codec_rows(o), a, &columns, err);
	if (r < 0)
		return r;
	(void)buf_adds(out, "{\"kind\":\"Table\",\"apiVersion\":\"" CODEC_META_VERSION
			    "\",\"metadata\":");
	(void)buf_add(out, list_meta.p, list_meta.n);
	(void)buf_adds(out, ",\"columnDefinitions\":");
	r = json_write(&columns, NULL, out, err);
	if (r == 0 && buf_adds(out, ",\"rows\":[") < 0)
		r = codec_full(out, err);
	o->table_header_sent = true;
	return r;
}

/* The end of the first events of a watch is told in the metadata, so that goes along always. */
static bool is_initial_end(const struct doc *d)
{
	const struct doc *annotations = doc_find(d, "metadata.annotations");

	return doc_str_is(doc_get(annotations, "k8s.io/initial-events-end"), "true");
}

static int put_object(struct codec_out *o, struct item *i, const struct doc *d, struct buf *out,
		      struct err *err)
{
	enum codec_include include = o->codec.include;

	if (include == CODEC_INCLUDE_NONE && !i && is_initial_end(d))
		include = CODEC_INCLUDE_METADATA;
	if (include == CODEC_INCLUDE_NONE)
		return buf_adds(out, "null") < 0 ? codec_full(out, err) : 0;
	if (include == CODEC_INCLUDE_METADATA)
		return i ? codec_put_partial_json(i, out, err) : codec_put_partial_doc(d, out, err);
	return i ? codec_put_object_json(o, i, out, err) : json_write(d, NULL, out, err);
}

int codec_put_row(struct codec_out *o, struct item *i, const struct doc *d, struct buf *out,
		  struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("row", CODEC_SCRATCH_MAX);
	struct doc own, cells, conditions = doc_null();
	int r = 0;

	if (i) {
		r = codec_doc_of(o, i, a, &own, err);
		d = &own;
	}
	if (r == 0)
		r = columns_cells(codec_rows(o), d, o->now, a, &cells, &conditions, err);
	if (r < 0)
		return r;
	(void)buf_adds(out, "{\"cells\":");
	r = json_write(&cells, NULL, out, err);
	if (r == 0 && conditions.type != DOC_NULL) {
		(void)buf_adds(out, ",\"conditions\":");
		r = json_write(&conditions, NULL, out, err);
	}
	if (r < 0)
		return r;
	(void)buf_adds(out, ",\"object\":");
	r = put_object(o, i, d, out, err);
	return r < 0 || buf_addc(out, '}') == 0 ? r : codec_full(out, err);
}
