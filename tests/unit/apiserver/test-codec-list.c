/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in pieces and watch events, in every form. */
#include "codec-check.h"

#include "api/custom.h"
#include "apiserver/objects/codec-private.h"
#include "base/hash.h"
#include "doc/protobuf.h"
#include "doc/yaml.h"

#define ONE                                                                           \
	"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\"," \
	"\"resourceVersion\":\"7\"},\"data\":{\"k\":\"v\"}}"
#define TWO                                                                           \
	"{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"b\"," \
	"\"resourceVersion\":\"8\"}}"
#define ONE_TAIL "\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"},\"data\":{\"k\":\"v\"}}"
#define TWO_TAIL "\"metadata\":{\"name\":\"b\",\"resourceVersion\":\"8\"}}"

static struct codec_out out_of(const struct api *api, struct resource *r, enum codec_media media,
			       enum codec_shape shape)
{
	return (struct codec_out){ .api = api,
				   .resource = r,
				   .codec = { .media = media, .shape = shape },
				   .now = 1714564800 };
}

static void must(int r, const struct err *err)
{
	if (r != 0)
		print_error("%s\n", err->msg);
	assert_int_equal(r, 0);
}

/* The whole of a list of n items. */
static struct slice list(struct arena *a, struct codec_out *o, const struct codec_list_meta *m,
			 struct item *items, size_t n)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	uint64_t sum = 0;

	for (size_t i = 0; i < n && codec_list_needs_sizes(o); i++)
		must(codec_list_size(o, &items[i], &sum, &err), &err);
	must(codec_list_begin(o, m, sum, &out, &err), &err);
	for (size_t i = 0; i < n; i++)
		must(codec_list_item(o, &items[i], i == 0, &out, &err), &err);
	must(codec_list_end(o, &out, &err), &err);
	return slice_of(arena_strndup(a, out.p, out.n), out.n);
}

static const struct codec_list_meta last = {
	.revision = 9, .continue_ = "", .remaining = -1, .n = 2
};
static const struct codec_list_meta page = {
	.revision = 9, .continue_ = "abc\"", .remaining = 5, .n = 2
};

static void items_are_copied_without_kind(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct item items[] = { item_of("d/a", 7, ONE), item_of("d/b", 8, TWO) };
	struct codec_out o =
		out_of(api, serve(*state, api, "v1", "ConfigMap", NULL), CODEC_JSON, CODEC_OBJECT);
	struct arena *a = *state;

	assert_false(codec_list_needs_sizes(&o));
	assert_string_equal(list(a, &o, &last, items, 2).p,
			    "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{"
			    "\"resourceVersion\":\"9\"},\"items\":[{" ONE_TAIL ",{" TWO_TAIL
			    "]}\n");
	assert_string_equal(list(a, &o, &page, items, 1).p,
			    "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{"
			    "\"resourceVersion\":\"9\",\"continue\":\"abc\\\"\","
			    "\"remainingItemCount\":5},\"items\":[{" ONE_TAIL "]}\n");
	assert_string_equal(list(a, &o, &last, NULL, 0).p,
			    "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{"
			    "\"resourceVersion\":\"9\"},\"items\":[]}\n");
}

static void items_of_custom_kinds_are_whole(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	struct codec_out o = out_of(api, r, CODEC_JSON, CODEC_OBJECT);
	struct item items[] = { item_of("d/a", 7, ONE), item_of("d/b", 8, TWO) };
	struct api_kind custom = *r->kind;

	custom.custom = &(const struct api_custom){ .served = true };
	r->kind = r->objects->kind = &custom;
	assert_string_equal(list(*state, &o, &last, items, 2).p,
			    "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{"
			    "\"resourceVersion\":\"9\"},\"items\":[" ONE "," TWO "]}\n");
}

static void indented_lists_are_as_indented_documents(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	static const struct json_style style = { .indent = "  " };
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	struct item items[] = { item_of("d/a", 7, ONE), item_of("d/b", 8, TWO) };

	for (unsigned shape = CODEC_OBJECT; shape <= CODEC_PARTIAL; shape++)
		for (size_t n = 0; n <= 2; n++) {
			struct codec_out o = out_of(api, r, CODEC_JSON, (enum codec_shape)shape);
			const char *plain = list(*state, &o, &page, items, n).p;

			o.codec.pretty = true;
			assert_string_equal(list(*state, &o, &page, items, n).p,
					    written(*state, must_read(*state, plain), &style));
		}
}

static void yaml_lists_are_the_same_document(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	struct item items[] = { item_of("d/a", 7, ONE), item_of("d/b", 8, TWO) };

	for (unsigned shape = CODEC_OBJECT; shape <= CODEC_PARTIAL; shape++)
		for (size_t n = 0; n <= 2; n++) {
			struct codec_out o = out_of(api, r, CODEC_JSON, (enum codec_shape)shape);
			struct doc *plain = must_read(*state, list(*state, &o, &page, items, n).p);
			struct err err = ERR_INIT;
			struct doc *d;

			o.codec.media = CODEC_YAML;
			must(yaml_read(*state, list(*state, &o, &page, items, n), NULL, &d, &err),
			     &err);
			assert_true(doc_equal(d, plain));
		}
}

static void a_list_in_protobuf_is_read_back(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	CLEANUP(item_drop) struct item one = item_of("d/a", 7, ONE);
	CLEANUP(item_drop) struct item two = item_of("d/b", 8, TWO);
	struct item items[] = { one, two };
	struct codec_out o = out_of(api, r, CODEC_PROTOBUF, CODEC_OBJECT);
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct doc d, admitted;

	o.world = (struct world *)(uintptr_t)1;
	assert_true(codec_list_needs_sizes(&o));
	must(codec_read(api, CODEC_PROTOBUF, list(a, &o, &page, items, 2), NULL, a, NULL, &d, &err),
	     &err);
	assert_doc(a, &d,
		   "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{"
		   "\"resourceVersion\":\"9\",\"continue\":\"abc\\\"\",\"remainingItemCount\":5},"
		   "\"items\":[{" ONE_TAIL ",{" TWO_TAIL "]}");
	/* made once for the sizes, and found again */
	assert_int_equal(items[0].kept, 1);
	assert_int_equal(items[0].found, 1);
	must(api_admit(r->kind->list, &d, a, 0, NULL, &admitted, &err), &err);
	/* the bytes are those of the list as one document */
	{
		CLEANUP(buf_fini) struct buf whole = BUF_INIT(1u << 20);
		struct slice pieces = list(a, &o, &page, items, 2);

		must(codec_doc(&o, &admitted, r->kind->list, &whole, &err), &err);
		assert_int_equal(whole.n, pieces.n);
		assert_memory_equal(whole.p, pieces.p, whole.n);
	}
	item_drop(&items[0]);
	item_drop(&items[1]);
}

static void metadata_lists_name_themselves(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	struct item items[] = { item_of("d/a", 7, ONE) };
	struct codec_out o = out_of(api, r, CODEC_JSON, CODEC_PARTIAL);
	struct arena *a = *state;
	struct slice proto;

	assert_string_equal(list(a, &o, &last, items, 1).p,
			    "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":"
			    "\"meta.k8s.io/v1\",\"metadata\":{\"resourceVersion\":\"9\"},"
			    "\"items\":[{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":"
			    "\"meta.k8s.io/v1\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":"
			    "\"7\"}}]}\n");
	o.codec.media = CODEC_PROTOBUF;
	proto = list(a, &o, &last, items, 1);
	assert_true(slice_has_text(proto, SLICE("\x0a\x0emeta.k8s.io/v1\x12\x19"
						"PartialObjectMetadataList")));
}

static void a_table_has_a_row_for_each(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	struct item items[] = { item_of("d/a", 7, ONE), item_of("d/b", 8, TWO) };
	struct codec_out o = out_of(api, r, CODEC_JSON, CODEC_TABLE);
	struct doc *d = must_read(*state, list(*state, &o, &page, items, 2).p);

	assert_true(doc_str_is(doc_get(d, "kind"), "Table"));
	assert_true(doc_str_is(doc_find(d, "metadata.continue"), "abc\""));
	assert_int_equal(doc_len(doc_get(d, "columnDefinitions")), 3);
	assert_int_equal(doc_len(doc_get(d, "rows")), 2);
	assert_true(doc_str_is(doc_find(d, "rows.1.cells.0"), "b"));
	assert_true(doc_str_is(doc_find(d, "rows.1.object.kind"), "PartialObjectMetadata"));
}

/* ---- events ---- */

static const char *event(struct arena *a, struct codec_out *o, enum cache_change what,
			 struct item *i, size_t *ret_n)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	must(codec_event(o, what, i, &out, &err), &err);
	if (ret_n)
		*ret_n = out.n;
	return arena_strndup(a, out.p, out.n);
}

static const char *bookmark(struct arena *a, struct codec_out *o, bool end, size_t *ret_n)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;

	must(codec_bookmark(o, 12, end, &out, &err), &err);
	if (ret_n)
		*ret_n = out.n;
	return arena_strndup(a, out.p, out.n);
}

static void json_events_are_lines(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o =
		out_of(api, serve(*state, api, "v1", "ConfigMap", NULL), CODEC_JSON, CODEC_OBJECT);
	struct item i = item_of("d/a", 7, ONE);

	o.codec.pretty = true; /* not in streams */
	assert_string_equal(event(*state, &o, CACHE_ADDED, &i, NULL),
			    "{\"type\":\"ADDED\",\"object\":" ONE "}\n");
	assert_string_equal(event(*state, &o, CACHE_MODIFIED, &i, NULL),
			    "{\"type\":\"MODIFIED\",\"object\":" ONE "}\n");
	assert_string_equal(event(*state, &o, CACHE_DELETED, &i, NULL),
			    "{\"type\":\"DELETED\",\"object\":" ONE "}\n");
}

/* The object of a protobuf event, as a document. */
static struct doc unframe(struct arena *a, const struct api *api, const char *p, size_t n,
			  const char *type)
{
	const unsigned char *u = (const unsigned char *)p;
	struct slice wire = slice_of(p + 4, n - 4), object;
	size_t head = 2 + strlen(type);
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal((size_t)u[0] << 24 | (size_t)u[1] << 16 | (size_t)u[2] << 8 | u[3], n - 4);
	assert_memory_equal(wire.p + 2, type, strlen(type));
	object = slice_of(wire.p + head, wire.n - head);
	object.p = memmem(object.p, object.n, "k8s", 4);
	assert_non_null(object.p);
	object.n = (size_t)(wire.p + wire.n - object.p);
	must(codec_read(api, CODEC_PROTOBUF, object, NULL, a, NULL, &d, &err), &err);
	return d;
}

static void protobuf_events_are_frames(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL),
				    CODEC_PROTOBUF, CODEC_OBJECT);
	struct item i = item_of("d/a", 7, ONE);
	struct arena *a = *state;
	const char *p;
	struct doc d;
	size_t n;

	p = event(a, &o, CACHE_MODIFIED, &i, &n);
	d = unframe(a, api, p, n, "MODIFIED");
	assert_doc(a, &d, ONE);
	p = bookmark(a, &o, false, &n);
	d = unframe(a, api, p, n, "BOOKMARK");
	assert_doc(a, &d,
		   "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{"
		   "\"resourceVersion\":\"12\"}}");
	o.codec.shape = CODEC_PARTIAL;
	p = event(a, &o, CACHE_ADDED, &i, &n);
	d = unframe(a, api, p, n, "ADDED");
	assert_doc(a, &d,
		   "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
		   "\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}}");
}

/* The WatchEvent itself, as its table has it. */
static void a_frame_holds_a_watch_event(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o = out_of(api, serve(*state, api, "v1", "ConfigMap", NULL),
				    CODEC_PROTOBUF, CODEC_OBJECT);
	struct item i = item_of("d/b", 8, TWO);
	size_t n;
	const char *p = event(*state, &o, CACHE_ADDED, &i, &n);

	assert_memory_equal(p + 4,
			    "\x0a\x05"
			    "ADDED\x12",
			    8);
	/* {object: {raw: envelope}} */
	assert_int_equal(p[12], n - 13);
	assert_int_equal(p[13], 0x0a);
	assert_int_equal(p[14], n - 15);
	assert_memory_equal(p + 15,
			    "k8s\0\x0a\x0f\x0a\x02v1\x12\x09"
			    "ConfigMap\x12",
			    22);
}

static void a_table_has_its_columns_in_the_first_event_only(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct codec_out o =
		out_of(api, serve(*state, api, "v1", "ConfigMap", NULL), CODEC_JSON, CODEC_TABLE);
	struct item i = item_of("d/a", 7, ONE);
	struct arena *a = *state;
	struct doc *d = must_read(a, event(a, &o, CACHE_ADDED, &i, NULL));

	assert_int_equal(doc_len(doc_find(d, "object.columnDefinitions")), 3);
	assert_true(doc_str_is(doc_find(d, "object.metadata.resourceVersion"), "7"));
	d = must_read(a, event(a, &o, CACHE_MODIFIED, &i, NULL));
	assert_true(doc_is(doc_find(d, "object.columnDefinitions"), DOC_NULL));
	assert_int_equal(doc_len(doc_find(d, "object.rows")), 1);
	o.codec.include = CODEC_INCLUDE_NONE;
	d = must_read(a, bookmark(a, &o, true, NULL));
	assert_true(doc_str_is(doc_get(d, "type"), "BOOKMARK"));
	assert_true(doc_is(doc_find(d, "object.columnDefinitions"), DOC_NULL));
	assert_true(doc_str_is(doc_find(d, "object.metadata.resourceVersion"), "12"));
	assert_doc(a, doc_find(d, "object.rows.0.object"),
		   "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
		   "\"metadata\":{\"resourceVersion\":\"12\",\"annotations\":{"
		   "\"k8s.io/initial-events-end\":\"true\"}}}");
	d = must_read(a, bookmark(a, &o, false, NULL));
	assert_true(doc_is(doc_find(d, "object.rows.0.object"), DOC_NULL));
}

static void bookmarks_are_empty_objects_of_the_version(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct arena *a = *state;
	struct codec_out o =
		out_of(api, serve(a, api, "v1", "Pod", NULL), CODEC_JSON, CODEC_OBJECT);

	assert_string_equal(bookmark(a, &o, false, NULL),
			    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":"
			    "\"v1\",\"metadata\":{\"resourceVersion\":\"12\"},\"spec\":{"
			    "\"containers\":null},\"status\":{}}}\n");
	o.resource = serve(a, api, "events.k8s.io/v1", "Event", "v1");
	assert_non_null(strstr(bookmark(a, &o, false, NULL),
			       "{\"kind\":\"Event\",\"apiVersion\":\"events.k8s.io/v1\","
			       "\"metadata\":{\"resourceVersion\":\"12\"}"));
}

static const char *blueprint(struct arena *a, const struct doc *object, size_t *n)
{
	const struct doc *text = doc_get(doc_find(object, "metadata.annotations"),
					 "kubernetes.io/initial-events-list-blueprint");
	char *out = arena_alloc(a, 4096);

	assert_non_null(text);
	assert_int_equal(base64_decode(out, n, doc_slice(text)), 0);
	out[*n] = '\0';
	return out;
}

static void the_end_of_initial_events_has_an_empty_list(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct arena *a = *state;
	struct codec_out o =
		out_of(api, serve(a, api, "v1", "ConfigMap", NULL), CODEC_JSON, CODEC_OBJECT);
	struct doc *d = must_read(a, bookmark(a, &o, true, NULL)), inner;
	struct err err = ERR_INIT;
	const char *p;
	size_t n;

	assert_true(doc_str_is(
		doc_get(doc_find(d, "object.metadata.annotations"), "k8s.io/initial-events-end"),
		"true"));
	assert_string_equal(blueprint(a, doc_get(d, "object"), &n),
			    "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{},"
			    "\"items\":null}\n");
	o.codec.shape = CODEC_PARTIAL;
	d = must_read(a, bookmark(a, &o, true, NULL));
	assert_true(doc_str_is(doc_find(d, "object.kind"), "PartialObjectMetadata"));
	assert_non_null(strstr(blueprint(a, doc_get(d, "object"), &n),
			       "\"kind\":\"PartialObjectMetadataList\""));
	o.codec = (struct codec){ .media = CODEC_PROTOBUF };
	p = bookmark(a, &o, true, &n);
	inner = unframe(a, api, p, n, "BOOKMARK");
	p = blueprint(a, &inner, &n);
	must(codec_read(api, CODEC_PROTOBUF, slice_of(p, n), NULL, a, NULL, &inner, &err), &err);
	assert_doc(a, &inner, "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{}}");
}

static void errors_are_events_too(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct arena *a = *state;
	struct codec_out o =
		out_of(api, serve(a, api, "v1", "ConfigMap", NULL), CODEC_JSON, CODEC_TABLE);
	const struct doc *status =
		must_read(a, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
			     "\"reason\":\"Expired\",\"code\":410}");
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct doc d;

	must(codec_error_event(&o, status, &out, &err), &err);
	assert_string_equal(out.p, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\","
				   "\"apiVersion\":\"v1\",\"metadata\":{},\"reason\":\"Expired\","
				   "\"code\":410}}\n");
	buf_clear(&out);
	o.codec = (struct codec){ .media = CODEC_PROTOBUF };
	must(codec_error_event(&o, status, &out, &err), &err);
	d = unframe(a, api, out.p, out.n, "ERROR");
	assert_true(doc_str_is(doc_get(&d, "reason"), "Expired"));
}

static void an_event_that_does_not_fit_leaves_nothing(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct resource *r = serve(*state, api, "v1", "ConfigMap", NULL);
	struct item i = item_of("d/a", 7, ONE);

	for (unsigned media = CODEC_JSON; media <= CODEC_PROTOBUF; media += CODEC_PROTOBUF) {
		struct codec_out o = out_of(api, r, (enum codec_media)media, CODEC_OBJECT);
		CLEANUP(buf_fini) struct buf out = BUF_INIT(60);
		struct err err = ERR_INIT;

		(void)buf_adds(&out, "before");
		assert_true(codec_event(&o, CACHE_ADDED, &i, &out, &err) < 0);
		assert_string_equal(out.p, "before");
		assert_true(codec_bookmark(&o, 12, true, &out, &err) < 0);
		assert_string_equal(out.p, "before");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(items_are_copied_without_kind),
		CASE(items_of_custom_kinds_are_whole),
		CASE(indented_lists_are_as_indented_documents),
		CASE(yaml_lists_are_the_same_document),
		CASE(a_list_in_protobuf_is_read_back),
		CASE(metadata_lists_name_themselves),
		CASE(a_table_has_a_row_for_each),
		CASE(json_events_are_lines),
		CASE(protobuf_events_are_frames),
		CASE(a_frame_holds_a_watch_event),
		CASE(a_table_has_its_columns_in_the_first_event_only),
		CASE(bookmarks_are_empty_objects_of_the_version),
		CASE(the_end_of_initial_events_has_an_empty_list),
		CASE(errors_are_events_too),
		CASE(an_event_that_does_not_fit_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
