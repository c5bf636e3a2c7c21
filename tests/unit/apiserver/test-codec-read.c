/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in their three forms, what is said of broken ones; bytes for the store and from others. */
#include "codec-check.h"

#include "apiserver/objects/codec-private.h"
#include "doc/protobuf.h"

static struct doc body(struct arena *a, const struct api *api, enum codec_media media,
		       struct slice text, struct api_strays *strays)
{
	struct err err = ERR_INIT;
	struct doc d = doc_null();
	int r = codec_read(api, media, text, api_kind(api, "v1", "Pod"), a, strays, &d, &err);

	if (r != 0)
		print_error("%s\n", err.msg);
	assert_int_equal(r, 0);
	return d;
}

static const char *refused(struct arena *a, const struct api *api, enum codec_media media,
			   struct slice text, int code)
{
	struct err err = ERR_INIT;
	struct doc d;
	int r = codec_read(api, media, text, api_kind(api, "v1", "Pod"), a, NULL, &d, &err);

	if (r != -code)
		print_error("%.*s: %d %s\n", (int)text.n, text.p, r, err.msg);
	assert_int_equal(r, -code);
	return arena_strdup(a, err.msg);
}

static void json_is_read_as_it_stands(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct api_strays strays = { 0 };
	struct doc d =
		body(*state, api, CODEC_JSON,
		     SLICE(" {\"kind\":\"Pod\",\"spec\":{\"a\":1,\"b\":[true,null]}}\n"), &strays);

	assert_doc(*state, &d, "{\"kind\":\"Pod\",\"spec\":{\"a\":1,\"b\":[true,null]}}");
	assert_int_equal(strays.n, 0);
	d = body(*state, api, CODEC_JSON, SLICE("null"), NULL);
	assert_doc(*state, &d, "{}");
	/* what is no UTF-8 becomes what Go makes of it */
	d = body(*state, api, CODEC_JSON, SLICE("{\"a\":\"\xff\\ud800\"}"), NULL);
	assert_doc(*state, &d, "{\"a\":\"\xef\xbf\xbd\xef\xbf\xbd\"}");
}

static void duplicates_are_strays_and_the_last_wins(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct api_strays strays = { 0 };
	struct doc d = body(*state, api, CODEC_JSON,
			    SLICE("{\"spec\":{\"a\":1,\"a\":2},\"l\":[{\"n\":1,\"n\":3}],"
				  "\"spec\":{\"a\":4}}"),
			    &strays);

	assert_doc(*state, &d, "{\"spec\":{\"a\":4},\"l\":[{\"n\":3}]}");
	assert_int_equal(strays.n, 3);
	assert_string_equal(strays.v[0], "duplicate field \"spec.a\"");
	assert_string_equal(strays.v[1], "duplicate field \"l[0].n\"");
	assert_string_equal(strays.v[2], "duplicate field \"spec\"");

	strays = (struct api_strays){ 0 };
	d = body(*state, api, CODEC_YAML, SLICE("spec:\n  a: 1\n  b: 2\n  a: 3\n"), &strays);
	assert_doc(*state, &d, "{\"spec\":{\"a\":3,\"b\":2}}");
	assert_int_equal(strays.n, 1);
	assert_string_equal(strays.v[0], "line 4: key \"a\" already set in map");
	/* nobody wants to know */
	d = body(*state, api, CODEC_YAML, SLICE("a: 1\na: 2\n"), NULL);
	assert_doc(*state, &d, "{\"a\":2}");
}

static void many_duplicates_are_counted(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	CLEANUP(buf_fini) struct buf json = BUF_INIT(1u << 20), yaml = BUF_INIT(1u << 20);
	struct api_strays strays = { 0 };

	(void)buf_adds(&json, "{\"a\":0");
	for (unsigned i = 0; i < 100; i++) {
		(void)buf_addf(&json, ",\"a\":%u", i);
		(void)buf_addf(&yaml, "a: %u\n", i);
	}
	(void)buf_adds(&json, "}");
	(void)body(*state, api, CODEC_JSON, buf_slice(&json), &strays);
	assert_int_equal(strays.n, 100);
	strays = (struct api_strays){ 0 };
	(void)body(*state, api, CODEC_YAML, buf_slice(&yaml), &strays);
	assert_int_equal(strays.n, 99);
	assert_non_null(strays.v[API_STRAYS_MAX - 1]);
}

static void yaml_may_be_json(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct doc d =
		body(*state, api, CODEC_YAML, SLICE("kind: Pod\nspec:\n- 1\n- x: 'y'\n"), NULL);

	assert_doc(*state, &d, "{\"kind\":\"Pod\",\"spec\":[1,{\"x\":\"y\"}]}");
	d = body(*state, api, CODEC_YAML, SLICE(" {\"kind\":\"Pod\",\"n\":1.0}"), NULL);
	assert_doc(*state, &d, "{\"kind\":\"Pod\",\"n\":1.0}");
	d = body(*state, api, CODEC_YAML, SLICE("{kind: Pod, # flow\n x: 1}"), NULL);
	assert_doc(*state, &d, "{\"kind\":\"Pod\",\"x\":1}");
	d = body(*state, api, CODEC_YAML, SLICE(""), NULL);
	assert_doc(*state, &d, "{}");
}

/* Upstream's words of texts that are no JSON: encoding/json's. */
static void broken_json_is_told_in_upstreams_words(void **state)
{
	static const struct {
		const char *text, *why;
	} texts[] = {
		{ "", "unexpected end of JSON input" },
		{ "{", "unexpected end of JSON input" },
		{ "{\"a\":", "unexpected end of JSON input" },
		{ "{\"a\":1", "unexpected end of JSON input" },
		{ "[1,", "unexpected end of JSON input" },
		{ "[\"x", "unexpected end of JSON input" },
		{ "x", "invalid character 'x' looking for beginning of value" },
		{ "{x}", "invalid character 'x' looking for beginning of object key string" },
		{ "{,}", "invalid character ',' looking for beginning of object key string" },
		{ "{\"a\":1,}",
		  "invalid character '}' looking for beginning of object key string" },
		{ "{\"a\" 1}", "invalid character '1' after object key" },
		{ "{\"a\":1 \"b\"}", "invalid character '\"' after object key:value pair" },
		{ "{\"a\":1]", "invalid character ']' after object key:value pair" },
		{ "[1 2]", "invalid character '2' after array element" },
		{ "[1}", "invalid character '}' after array element" },
		{ "[1,]", "invalid character ']' looking for beginning of value" },
		{ "{} {}", "invalid character '{' after top-level value" },
		{ "nul", "unexpected end of JSON input" },
		{ "nulx", "invalid character 'x' in literal null (expecting 'l')" },
		{ "trux", "invalid character 'x' in literal true (expecting 'e')" },
		{ "fxlse", "invalid character 'x' in literal false (expecting 'a')" },
		{ "-x", "invalid character 'x' in numeric literal" },
		{ "01", "invalid character '1' after top-level value" },
		{ "1.x", "invalid character 'x' after decimal point in numeric literal" },
		{ "1e+x", "invalid character 'x' in exponent of numeric literal" },
		{ "1.", "unexpected end of JSON input" },
		{ "\"\\x\"", "invalid character 'x' in string escape code" },
		{ "\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape" },
		{ "\"a\nb\"", "invalid character '\\n' in string literal" },
		{ "\"\x01\"", "invalid character '\\x01' in string literal" },
		{ "'a'", "invalid character '\\'' looking for beginning of value" },
		{ "\\", "invalid character '\\\\' looking for beginning of value" },
		{ "\xc3\xa4", "invalid character '\xc3\x83' looking for beginning of value" },
		{ "\x80", "invalid character '\\u0080' looking for beginning of value" },
		{ "\x7f", "invalid character '\\x7f' looking for beginning of value" },
		{ "{\"a\":{\"b\":[1,{\"c\":}]}}",
		  "invalid character '}' looking for beginning of value" },
		{ "{}", "" },
		{ "[[],{},{\"a\":[1,{}]},\"\\u00e4\\n\",-0.5e-7,true,false,null]", "" },
	};
	char words[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		codec_json_words(slice_str(texts[i].text), words, sizeof(words));
		assert_string_equal(words, texts[i].why);
	}
}

static void a_very_deep_text_is_told_too(void **state)
{
	char words[64], deep[10002];

	(void)state;
	memset(deep, '[', sizeof(deep));
	codec_json_words(slice_of(deep, sizeof(deep)), words, sizeof(words));
	assert_string_equal(words, "exceeded max depth");
	codec_json_words(slice_of(deep, 10000), words, sizeof(words));
	assert_string_equal(words, "unexpected end of JSON input");
}

static void broken_bodies_are_told_in_upstreams_words(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	struct arena *a = *state;

	assert_string_equal(
		refused(a, api, CODEC_JSON, SLICE("{\"kind\":\"Pod\",}"), ERR_BAD_REQUEST),
		"the object provided is unrecognized (must be of type Pod): couldn't "
		"get version/kind; json parse error: invalid character '}' looking for "
		"beginning of object key string ({\"kind\":\"Pod\",})");
	assert_string_equal(refused(a, api, CODEC_JSON, SLICE(""), ERR_BAD_REQUEST),
			    "the object provided is unrecognized (must be of type Pod): couldn't "
			    "get version/kind; json parse error: unexpected end of JSON input "
			    "(<empty>)");
	assert_non_null(strstr(
		refused(a, api, CODEC_JSON, SLICE("kind: Pod and more than thirty bytes of text"),
			ERR_BAD_REQUEST),
		"invalid character 'k' looking for beginning of value "
		"(6b696e643a20506f6420616e64206d6f7265207468616e20746869727479 ...)"));
	assert_non_null(strstr(refused(a, api, CODEC_JSON, SLICE("[1]"), ERR_BAD_REQUEST),
			       "json: cannot unmarshal array into Go value of type struct { "
			       "APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind "
			       "string \"json:\\\"kind,omitempty\\\"\" } (5b315d)"));
	assert_non_null(strstr(refused(a, api, CODEC_JSON, SLICE("{\"kind\":1}"), ERR_BAD_REQUEST),
			       "json: cannot unmarshal number into Go struct field .kind of type "
			       "string"));
	assert_non_null(
		strstr(refused(a, api, CODEC_JSON, SLICE("{\"apiVersion\":true}"), ERR_BAD_REQUEST),
		       "json: cannot unmarshal bool into Go struct field .apiVersion"));
	assert_non_null(strstr(
		refused(a, api, CODEC_JSON, SLICE("{\"apiVersion\":\"a/b/c\"}"), ERR_BAD_REQUEST),
		"unexpected GroupVersion string: a/b/c"));
	assert_non_null(strstr(refused(a, api, CODEC_YAML, SLICE("a: [1"), ERR_BAD_REQUEST),
			       "(must be of type Pod): error converting YAML to JSON: yaml: line"));
	assert_non_null(strstr(refused(a, api, CODEC_YAML, SLICE("{\"a\":}}"), ERR_BAD_REQUEST),
			       "error converting YAML to JSON: yaml: line 1"));
	assert_non_null(strstr(refused(a, api, CODEC_YAML, SLICE("- 1\n"), ERR_BAD_REQUEST),
			       "json: cannot unmarshal array"));
}

static void limits_are_errors_of_their_own(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	CLEANUP(arena_free) struct arena *small = arena_new("request", 4096);
	CLEANUP(buf_fini) struct buf deep = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	struct doc d;

	for (unsigned i = 0; i < 2000; i++)
		(void)buf_adds(&deep, "{\"a\":");
	(void)buf_adds(&deep, "1");
	for (unsigned i = 0; i < 2000; i++)
		(void)buf_adds(&deep, "}");
	(void)refused(*state, api, CODEC_JSON, buf_slice(&deep), ERR_TOO_LARGE);
	assert_int_equal(
		codec_read(api, CODEC_JSON, slice_of(deep.p, deep.n), NULL, small, NULL, &d, &err),
		-ERR_TOO_LARGE);
	err = ERR_INIT;
	deep.n = 0;
	(void)buf_adds(&deep, "[");
	for (unsigned i = 0; i < 1000; i++)
		(void)buf_adds(&deep, "1,");
	(void)buf_adds(&deep, "1]");
	assert_int_equal(codec_read(api, CODEC_JSON, buf_slice(&deep), NULL, small, NULL, &d, &err),
			 -ERR_QUOTA);
}

static struct slice envelope(struct buf *b, const char *gv, const char *kind, struct slice raw)
{
	struct err err = ERR_INIT;

	buf_clear(b);
	assert_int_equal(codec_envelope_begin((struct codec_names){ gv, kind }, raw.n, b, &err), 0);
	(void)buf_add(b, raw.p, raw.n);
	assert_int_equal(codec_envelope_end(b, &err), 0);
	assert_int_equal(b->n, codec_envelope_size((struct codec_names){ gv, kind }, raw.n));
	return buf_slice(b);
}

static void protobuf_is_read_by_its_envelope_or_the_default(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct arena *a = *state;
	/* metadata{name: x} */
	struct slice raw = SLICE("\x0a\x03\x0a\x01x");
	struct doc d;

	d = body(a, api, CODEC_PROTOBUF, envelope(&b, "apps/v1", "Deployment", raw), NULL);
	assert_doc(a, &d,
		   "{\"kind\":\"Deployment\",\"apiVersion\":\"apps/v1\",\"metadata\":{\"name\":"
		   "\"x\"}}");
	d = body(a, api, CODEC_PROTOBUF, envelope(&b, "", "", raw), NULL);
	assert_doc(a, &d, "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"}}");
	/* what every group has */
	d = body(a, api, CODEC_PROTOBUF,
		 envelope(&b, "v1", "DeleteOptions", SLICE("\x08\x05\x12\x03\x0a\x01u")), NULL);
	assert_doc(a, &d,
		   "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":5,"
		   "\"preconditions\":{\"uid\":\"u\"}}");
}

static void broken_protobuf_is_told_in_upstreams_words(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct arena *a = *state;

	assert_string_equal(refused(a, api, CODEC_PROTOBUF, SLICE(""), ERR_BAD_REQUEST),
			    "the object provided is unrecognized (must be of type Pod): empty data "
			    "(<empty>)");
	assert_non_null(strstr(refused(a, api, CODEC_PROTOBUF, SLICE("{}"), ERR_BAD_REQUEST),
			       "provided data does not appear to be a protobuf message, expected "
			       "prefix [107 56 115 0] ({})"));
	assert_non_null(strstr(refused(a, api, CODEC_PROTOBUF, SLICE("k8s\0"), ERR_BAD_REQUEST),
			       "empty body (6b387300)"));
	assert_non_null(strstr(refused(a, api, CODEC_PROTOBUF, SLICE("k8s\0\xff"), ERR_BAD_REQUEST),
			       "runtime.Unknown"));
	assert_non_null(strstr(refused(a, api, CODEC_PROTOBUF,
				       envelope(&b, "v1", "Nothing", SLICE("")), ERR_BAD_REQUEST),
			       "no kind \"Nothing\" is registered for version \"v1\""));
	assert_non_null(
		strstr(refused(a, api, CODEC_PROTOBUF,
			       envelope(&b, "v1", "Pod", SLICE("\x0a\x05x")), ERR_BAD_REQUEST),
		       "(must be of type Pod): decode message of 'Pod'"));
}

/* ---- the store ---- */

static void the_store_has_no_revision_and_names_first(void **state)
{
	struct arena *a = *state;
	struct doc *d = must_read(a, "{\"spec\":{\"a\":\"<&>\"},\"metadata\":{\"name\":\"x\","
				     "\"resourceVersion\":\"7\",\"uid\":\"u\"},\"apiVersion\":"
				     "\"v1\",\"kind\":\"Pod\",\"status\":{}}");
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	CLEANUP(buf_fini) struct buf small = BUF_INIT(20);
	struct err err = ERR_INIT;

	(void)buf_adds(&out, "before:");
	assert_int_equal(codec_store(d, &out, &err), 0);
	assert_string_equal(out.p, "before:{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":"
				   "{\"name\":\"x\",\"uid\":\"u\"},\"spec\":{\"a\":\"<&>\"},"
				   "\"status\":{}}");
	assert_int_equal(codec_store(d, &small, &err), -ERR_TOO_LARGE);
	assert_int_equal(small.n, 0);
	buf_clear(&out);
	doc_remove(doc_get(d, "metadata"), "resourceVersion");
	assert_int_equal(codec_store(d, &out, &err), 0);
	assert_non_null(strstr(out.p, "\"metadata\":{\"name\":\"x\",\"uid\":\"u\"}"));
	buf_clear(&out);
	doc_remove(d, "kind");
	assert_int_equal(codec_store(d, &out, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "without kind"));
	assert_int_equal(out.n, 0);
}

static const char *foreign(struct arena *a, struct api *api, const struct api_kind *k,
			   struct slice bytes)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	struct err err = ERR_INIT;
	int r = codec_foreign(api, k, bytes, &out, &err);

	return arena_strdup(a, r == 0 ? out.p : err.msg);
}

static void what_an_upstream_server_stored_is_read(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);
	const struct api_kind *cm = api_kind(api, "v1", "ConfigMap");
	const struct api_kind *ev = api_kind(api, "v1", "Event");
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct arena *a = *state;

	assert_string_equal(foreign(a, api, cm,
				    envelope(&b, "v1", "ConfigMap",
					     SLICE("\x0a\x03\x0a\x01x\x12\x06\x0a\x01k\x12\x01v"))),
			    "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			    "\"x\"},\"data\":{\"k\":\"v\"}}");
	/* JSON in another order, and of another version */
	assert_string_equal(foreign(a, api, cm,
				    SLICE("{\"apiVersion\":\"v1\",\"data\":{\"k\":\"v\"},\"kind\":"
					  "\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}\n")),
			    "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			    "\"x\"},\"data\":{\"k\":\"v\"}}");
	assert_non_null(strstr(foreign(a, api, ev,
				       SLICE("{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":"
					     "\"Event\",\"metadata\":{\"name\":\"x\"},\"note\":"
					     "\"hello\"}")),
			       "{\"kind\":\"Event\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			       "\"x\"},\"involvedObject\":{},\"message\":\"hello\""));
	assert_string_equal(
		foreign(a, api, cm, SLICE("{\"kind\":\"Secret\",\"apiVersion\":\"v1\"}")),
		"kind 'Secret' of 'v1' where 'ConfigMap' of 'v1' is expected");
	assert_string_equal(
		foreign(a, api, cm, SLICE("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v9\"}")),
		"kind 'ConfigMap' of 'v9' where 'ConfigMap' of 'v1' is expected");
	assert_string_equal(foreign(a, api, cm, SLICE("{\"metadata\":{}}")),
			    "an object without kind or apiVersion");
	assert_non_null(
		strstr(foreign(a, api, cm, SLICE("\x01\x02")), "invalid character '\\x01'"));
	assert_non_null(strstr(foreign(a, api, cm,
				       SLICE("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\","
					     "\"data\":1}")),
			       "json: cannot unmarshal number"));
}

static void an_item_is_a_document(void **state)
{
	struct item good = item_of("default/x", 7, "{\"kind\":\"Pod\",\"metadata\":{}}");
	struct item bad = item_of("default/y", 7, "{\"kind\"");
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(codec_parse(&good, *state, &d, &err), 0);
	assert_doc(*state, &d, "{\"kind\":\"Pod\",\"metadata\":{}}");
	assert_int_equal(codec_parse(&bad, *state, &d, &err), -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "stored object 'default/y': "));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(json_is_read_as_it_stands),
		CASE(duplicates_are_strays_and_the_last_wins),
		CASE(many_duplicates_are_counted),
		CASE(yaml_may_be_json),
		CASE(broken_json_is_told_in_upstreams_words),
		CASE(a_very_deep_text_is_told_too),
		CASE(broken_bodies_are_told_in_upstreams_words),
		CASE(limits_are_errors_of_their_own),
		CASE(protobuf_is_read_by_its_envelope_or_the_default),
		CASE(broken_protobuf_is_told_in_upstreams_words),
		CASE(the_store_has_no_revision_and_names_first),
		CASE(what_an_upstream_server_stored_is_read),
		CASE(an_item_is_a_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
