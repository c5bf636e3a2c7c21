/* SPDX-License-Identifier: Apache-2.0 */
/* One object in its forms: an item of the cache, and a document. */
#include "codec-check.h"

#include "api/custom.h"
#include "apiserver/objects/codec-private.h"
#include "doc/yaml.h"

#include <zlib.h>

#define MAP                                                                                     \
	"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","           \
	"\"namespace\":"                                                                        \
	"\"d\",\"resourceVersion\":\"7\",\"labels\":{\"a\":\"}\\\"{\"}},\"data\":{\"k\":\"v\"," \
	"\"e\":"                                                                                \
	"\"\"}}"
#define MAP_PARTIAL                                                                               \
	"{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{"    \
	"\"name\":\"x\",\"namespace\":\"d\",\"resourceVersion\":\"7\",\"labels\":{\"a\":\"}\\\"{" \
	"\""                                                                                      \
	"}}}"

/* What one answer is. */
static const char *answer(struct arena *a, struct codec_out *o, struct item *i, size_t *ret_n)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	int r = codec_item(o, i, &out, &err);

	if (r != 0)
		print_error("%s\n", err.msg);
	assert_int_equal(r, 0);
	if (ret_n)
		*ret_n = out.n;
	return arena_strndup(a, out.p, out.n);
}

static struct codec_out out_of(const struct api *api, struct resource *r)
{
	return (struct codec_out){ .api = api, .resource = r, .now = 1714564800 };
}

static void json_is_the_items_bytes(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	struct item i = item_of("d/x", 7, MAP);

	assert_string_equal(answer(*state, &o, &i, NULL), MAP "\n");
}

static void pretty_is_what_marshal_indent_gives(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	struct item i = item_of("d/x", 7, MAP);

	o.codec.pretty = true;
	assert_string_equal(answer(*state, &o, &i, NULL), "{\n"
							  "  \"kind\": \"ConfigMap\",\n"
							  "  \"apiVersion\": \"v1\",\n"
							  "  \"metadata\": {\n"
							  "    \"name\": \"x\",\n"
							  "    \"namespace\": \"d\",\n"
							  "    \"resourceVersion\": \"7\",\n"
							  "    \"labels\": {\n"
							  "      \"a\": \"}\\\"{\"\n"
							  "    }\n"
							  "  },\n"
							  "  \"data\": {\n"
							  "    \"k\": \"v\",\n"
							  "    \"e\": \"\"\n"
							  "  }\n"
							  "}");
}

/* Beside the writer that works on documents. */
static void indenting_text_is_as_printing_documents(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"a\":{},\"b\":[],\"c\":[[],{}],\"d\":[1,[2,{\"e\":null}]]}",
		"\"a\\\\\\\"b:,{\"",
		"[\"\\\\\",\"x\",-1.5e7,true,\"\xc3\xa4\"]",
		"{\"\":{\"\":{\"\":[{}]}}}",
	};
	static const struct json_style style = { .indent = "  " };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
		struct err err = ERR_INIT;

		assert_int_equal(codec_indent(slice_str(texts[i]), 0, &out, &err), 0);
		assert_string_equal(out.p, written(*state, must_read(*state, texts[i]), &style));
	}
}

static void yaml_is_sorted(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	struct item i = item_of("d/x", 7, MAP);

	o.codec.media = CODEC_YAML;
	assert_string_equal(answer(*state, &o, &i, NULL), "apiVersion: v1\n"
							  "data:\n"
							  "  e: \"\"\n"
							  "  k: v\n"
							  "kind: ConfigMap\n"
							  "metadata:\n"
							  "  labels:\n"
							  "    a: '}\"{'\n"
							  "  name: x\n"
							  "  namespace: d\n"
							  "  resourceVersion: \"7\"\n");
}

static void metadata_alone_is_copied(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	struct item i = item_of("d/x", 7, MAP);
	const char *proto;
	size_t n;

	o.codec.shape = CODEC_PARTIAL;
	assert_string_equal(answer(*state, &o, &i, NULL), MAP_PARTIAL "\n");
	o.codec.media = CODEC_PROTOBUF;
	proto = answer(*state, &o, &i, &n);
	assert_non_null(
		memmem(proto, n, "\x0a\x0emeta.k8s.io/v1\x12\x15PartialObjectMetadata", 39));
	assert_null(memmem(proto, n, "\x0a\x01k\x12\x01v", 6));
	assert_memory_equal(proto + n - 4, "\x1a\0\"", 4);
}

static void protobuf_is_kept_with_the_item(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	CLEANUP(item_drop) struct item i = item_of("d/x", 7, MAP);
	const char *first, *again;
	size_t n, m;

	o.world = (struct world *)(uintptr_t)1;
	o.codec.media = CODEC_PROTOBUF;
	first = answer(*state, &o, &i, &n);
	again = answer(*state, &o, &i, &m);
	assert_int_equal(i.kept, 1);
	assert_int_equal(i.found, 1);
	assert_int_equal(n, m);
	assert_memory_equal(first, again, n);
	/* another form takes its place */
	o.codec.shape = CODEC_PARTIAL;
	(void)answer(*state, &o, &i, &m);
	assert_int_equal(i.kept, 2);
	assert_int_equal(i.found, 1);
}

/* ---- Tables ---- */

static void a_table_has_columns_cells_and_the_object(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	struct item i = item_of("d/x", 7, MAP);
	struct arena *a = *state;
	struct doc *d;

	o.codec.shape = CODEC_TABLE;
	for (unsigned n = 0; n < 2; n++) {
		/* each answer has its columns */
		d = must_read(a, answer(a, &o, &i, NULL));
		assert_true(doc_str_is(doc_get(d, "kind"), "Table"));
		assert_true(doc_str_is(doc_get(d, "apiVersion"), "meta.k8s.io/v1"));
		assert_true(doc_str_is(doc_find(d, "metadata.resourceVersion"), "7"));
		assert_int_equal(doc_len(doc_get(d, "columnDefinitions")), 3);
		assert_true(doc_str_is(doc_find(d, "columnDefinitions.1.name"), "Data"));
		assert_int_equal(doc_len(doc_get(d, "rows")), 1);
		assert_true(doc_str_is(doc_find(d, "rows.0.cells.0"), "x"));
		assert_doc(a, doc_find(d, "rows.0.object"), MAP_PARTIAL);
	}
	o.codec.include = CODEC_INCLUDE_NONE;
	d = must_read(a, answer(a, &o, &i, NULL));
	assert_true(doc_is(doc_find(d, "rows.0.object"), DOC_NULL));
	o.codec.include = CODEC_INCLUDE_OBJECT;
	d = must_read(a, answer(a, &o, &i, NULL));
	assert_doc(a, doc_find(d, "rows.0.object"), MAP);
	assert_null(doc_find(d, "rows.0.conditions"));
	o.codec.media = CODEC_YAML;
	assert_non_null(strstr(answer(a, &o, &i, NULL), "rows:\n- cells:\n  - x\n"));
}

static void a_row_may_have_conditions(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "Pod", NULL));
	struct item i = item_of("d/p", 7,
				"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
				"\"p\"},\"spec\":{\"containers\":[]},\"status\":{\"phase\":"
				"\"Succeeded\"}}");
	struct doc *d;

	o.codec.shape = CODEC_TABLE;
	d = must_read(*state, answer(*state, &o, &i, NULL));
	assert_true(doc_str_is(doc_find(d, "rows.0.conditions.0.type"), "Completed"));
}

/* ---- documents ---- */

static const char *printed(struct arena *a, struct codec_out *o, const char *text,
			   const struct api_type *t)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	int r = codec_doc(o, must_read(a, text), t, &out, &err);

	return arena_strndup(a, r == 0 ? out.p : err.msg, r == 0 ? out.n : strlen(err.msg));
}

#define STATUS "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"code\":404}"

static void a_document_takes_the_shape_when_it_is_the_resources(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	const struct api_type *t = o.resource->kind->type;
	struct arena *a = *state;

	assert_string_equal(printed(a, &o, MAP, t), MAP "\n");
	o.codec.shape = CODEC_PARTIAL;
	assert_string_equal(printed(a, &o, MAP, t), MAP_PARTIAL "\n");
	assert_string_equal(printed(a, &o, STATUS, NULL), STATUS "\n");
	o.codec.shape = CODEC_TABLE;
	assert_true(
		doc_str_is(doc_find(must_read(a, printed(a, &o, MAP, t)), "rows.0.cells.0"), "x"));
	assert_string_equal(printed(a, &o, STATUS, NULL), STATUS "\n");
	o.codec.shape = CODEC_OBJECT;
	o.codec.media = CODEC_YAML;
	assert_string_equal(printed(a, &o, STATUS, NULL),
			    "apiVersion: v1\ncode: 404\nkind: Status\nmetadata: {}\n");
	o.resource = NULL;
	o.codec = (struct codec){ .pretty = true, .shape = CODEC_TABLE };
	assert_string_equal(printed(a, &o, "{\"kind\":\"Status\"}", NULL),
			    "{\n  \"kind\": \"Status\"\n}");
}

static void a_document_in_protobuf_needs_a_type(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, NULL);
	struct arena *a = *state;

	o.codec.media = CODEC_PROTOBUF;
	assert_string_equal(printed(a, &o, STATUS, NULL), "kind 'Status' has no protobuf");
	assert_string_equal(printed(a, &o, "{}", NULL), "kind '' has no protobuf");
	/* every member that is no pointer is written, as Go does */
	assert_memory_equal(printed(a, &o, STATUS, api_type(api, "v1", "Status")),
			    "k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x11"
			    "\x0a\x06\x0a\0\x12\0\x1a\0\x12\0\x1a\0\"\0\x30\x94\x03"
			    "\x1a\0\"\0",
			    4 + 14 + 2 + 17 + 4);
	o.resource = serve(a, api, "v1", "ConfigMap", NULL);
	o.codec.shape = CODEC_PARTIAL;
	assert_non_null(memmem(printed(a, &o, MAP, NULL), 64, "PartialObjectMetadata", 21));
}

/* ---- versions ---- */

static void another_version_of_a_custom_kind_is_another_name(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const struct api_group old = { .group = "e.com", .api_version = "e.com/v1" };
	const struct api_group new = { .group = "e.com", .api_version = "e.com/v2" };
	struct api_kind stored = { .kind = "Foo", .group = &old }, served = stored;
	struct collection objects = { .kind = &stored };
	struct resource r = { .kind = &served, .objects = &objects };
	struct codec_out o = out_of(api, &r);
	struct item i = item_of("d/x", 7,
				"{\"kind\":\"Foo\",\"apiVersion\":\"e.com/v1\","
				"\"metadata\":{\"name\":\"x\"},\"spec\":1}");
	static const struct api_custom custom;

	served.group = &new;
	served.custom = stored.custom = &custom;
	assert_string_equal(answer(*state, &o, &i, NULL),
			    "{\"kind\":\"Foo\",\"apiVersion\":\"e.com/v2\",\"metadata\":{"
			    "\"name\":\"x\"},\"spec\":1}\n");
	o.codec.media = CODEC_YAML;
	assert_non_null(strstr(answer(*state, &o, &i, NULL), "apiVersion: e.com/v2\n"));
}

static void another_version_of_a_built_in_kind_is_kept(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "events.k8s.io/v1", "Event", "v1"));
	CLEANUP(item_drop)
	struct item i =
		item_of("d/x", 7,
			"{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"},"
			"\"involvedObject\":{\"kind\":\"Pod\"},\"message\":\"m\"}");
	const char *first;

	o.world = (struct world *)(uintptr_t)1;
	first = answer(*state, &o, &i, NULL);
	assert_non_null(strstr(first, "\"apiVersion\":\"events.k8s.io/v1\""));
	assert_non_null(strstr(first, "\"regarding\":{\"kind\":\"Pod\"}"));
	assert_non_null(strstr(first, "\"note\":\"m\""));
	assert_string_equal(answer(*state, &o, &i, NULL), first);
	assert_int_equal(i.kept, 1);
	assert_int_equal(i.found, 1);
}

/* ---- bounds ---- */

static void an_answer_that_does_not_fit_is_told(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL));
	struct item i = item_of("d/x", 7, MAP);

	for (unsigned media = CODEC_JSON; media <= CODEC_PROTOBUF; media++)
		for (unsigned shape = CODEC_OBJECT; shape <= CODEC_PARTIAL; shape++) {
			CLEANUP(buf_fini) struct buf out = BUF_INIT(40);
			struct err err = ERR_INIT;

			if (media == CODEC_PROTOBUF && shape == CODEC_TABLE)
				continue;
			o.codec = (struct codec){ .media = (enum codec_media)media,
						  .shape = (enum codec_shape)shape,
						  .pretty = media == CODEC_JSON && shape };
			assert_true(codec_item(&o, &i, &out, &err) < 0);
			assert_true(err.code == ERR_TOO_LARGE || err.code == ERR_QUOTA);
		}
}

static void gzip_is_unpacked_to_the_same(void **state)
{
	CLEANUP(buf_fini) struct buf in = BUF_INIT(1u << 20), out = BUF_INIT(1u << 20);
	CLEANUP(buf_fini) struct buf small = BUF_INIT(16);
	struct err err = ERR_INIT;
	z_stream z = { 0 };

	for (unsigned i = 0; i < 20000; i++)
		(void)buf_addf(&in, "line %u of a list\n", i % 977);
	(void)buf_adds(&out, "##");
	assert_int_equal(codec_gzip(buf_slice(&in), &out, &err), 0);
	assert_true(out.n < in.n / 3);
	assert_memory_equal(out.p, "##\x1f\x8b\x08", 5);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (unsigned char *)out.p + 2;
	z.avail_in = (unsigned)out.n - 2;
	z.next_out = arena_alloc(*state, in.n + 1);
	z.avail_out = (unsigned)in.n + 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, in.n);
	assert_memory_equal(z.next_out - in.n, in.p, in.n);
	inflateEnd(&z);
	assert_int_equal(codec_gzip(buf_slice(&in), &small, &err), -ERR_TOO_LARGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(json_is_the_items_bytes),
		CASE(pretty_is_what_marshal_indent_gives),
		CASE(indenting_text_is_as_printing_documents),
		CASE(yaml_is_sorted),
		CASE(metadata_alone_is_copied),
		CASE(protobuf_is_kept_with_the_item),
		CASE(a_table_has_columns_cells_and_the_object),
		CASE(a_row_may_have_conditions),
		CASE(a_document_takes_the_shape_when_it_is_the_resources),
		CASE(a_document_in_protobuf_needs_a_type),
		CASE(another_version_of_a_custom_kind_is_another_name),
		CASE(another_version_of_a_built_in_kind_is_kept),
		CASE(an_answer_that_does_not_fit_is_told),
		CASE(gzip_is_unpacked_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
