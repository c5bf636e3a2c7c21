/* SPDX-License-Identifier: Apache-2.0 */
/* Accept and Content-Type: rows of what kubectl, client-go and others send, and what is odd. */
#include "../doc/doc-check.h"

#include "apiserver/objects/codec.h"

#define JSON "application/json"
#define YAML "application/yaml"
#define PROTO "application/vnd.kubernetes.protobuf"
#define TABLE ";as=Table;v=v1;g=meta.k8s.io"
#define TABLE_OLD ";as=Table;v=v1beta1;g=meta.k8s.io"
#define PARTIAL ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#define PARTIALS ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

enum { NONE = -1 };

static const struct {
	const char *accept;
	unsigned flags;
	int media, shape; /* NONE: 406 */
	const char *type;
} rows[] = {
	{ "", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON, 0, CODEC_JSON, CODEC_OBJECT, JSON },
	/* kubectl */
	{ JSON ", */*", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON TABLE "," JSON TABLE_OLD "," JSON, 0, CODEC_JSON, CODEC_TABLE, JSON },
	{ JSON TABLE "," JSON TABLE_OLD "," JSON, CODEC_NO_SHAPE, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON TABLE "," JSON TABLE_OLD "," JSON, CODEC_STREAM, CODEC_JSON, CODEC_TABLE, JSON },
	{ JSON TABLE "," JSON TABLE_OLD "," JSON, CODEC_NO_PROTO, CODEC_JSON, CODEC_TABLE, JSON },
	/* client-go: typed, of custom resources, metadata */
	{ PROTO "," JSON, 0, CODEC_PROTOBUF, CODEC_OBJECT, PROTO },
	{ PROTO "," JSON, CODEC_STREAM, CODEC_PROTOBUF, CODEC_OBJECT, PROTO ";stream=watch" },
	{ PROTO "," JSON, CODEC_NO_PROTO, CODEC_JSON, CODEC_OBJECT, JSON },
	{ PROTO, 0, CODEC_PROTOBUF, CODEC_OBJECT, PROTO },
	{ PROTO, CODEC_NO_PROTO, NONE, 0, "application/json, application/yaml" },
	{ PROTO PARTIAL "," JSON PARTIAL "," JSON, 0, CODEC_PROTOBUF, CODEC_PARTIAL, PROTO },
	{ PROTO PARTIAL "," JSON PARTIAL "," JSON, CODEC_NO_PROTO, CODEC_PROTOBUF, CODEC_PARTIAL,
	  PROTO },
	{ PROTO PARTIALS "," JSON PARTIALS "," JSON, 0, CODEC_PROTOBUF, CODEC_PARTIAL, PROTO },
	{ JSON PARTIALS, 0, CODEC_JSON, CODEC_PARTIAL, JSON },
	{ JSON ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," JSON, 0, CODEC_JSON,
	  CODEC_OBJECT, JSON },
	{ JSON ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", 0, NONE, 0, "following" },
	/* people */
	{ "*/*", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ "*", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ "application/*", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ YAML, 0, CODEC_YAML, CODEC_OBJECT, YAML },
	{ YAML TABLE, 0, CODEC_YAML, CODEC_TABLE, YAML },
	{ "text/html,application/xhtml+xml,*/*;q=0.8", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ "text/html", 0, NONE, 0, "application/json, application/yaml, " PROTO },
	{ "application/cbor", 0, NONE, 0, "only the following media types are accepted" },
	{ "application/cbor, " JSON, 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ "text/*", 0, NONE, 0, "following" },
	/* streams */
	{ JSON ";stream=watch", CODEC_STREAM, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON ";stream=watch", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ PROTO ";stream=watch," JSON ";stream=watch", CODEC_STREAM, CODEC_PROTOBUF, CODEC_OBJECT,
	  PROTO ";stream=watch" },
	{ JSON ";stream=tail", CODEC_STREAM, NONE, 0,
	  JSON ";stream=watch, " PROTO ";stream=watch" },
	{ YAML, CODEC_STREAM, NONE, 0, JSON ";stream=watch" },
	{ YAML "," JSON, CODEC_STREAM, NONE, 0, JSON ";stream=watch" },
	{ "*/*", CODEC_STREAM, CODEC_JSON, CODEC_OBJECT, JSON },
	/* weights */
	{ YAML ";q=0.5," JSON ";q=0.9", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON ";q=0.5," YAML ";q=0.9", 0, CODEC_YAML, CODEC_OBJECT, YAML },
	{ "*/*;q=1," YAML ";q=0.1", 0, CODEC_YAML, CODEC_OBJECT, YAML },
	{ JSON ";q=x," YAML ";q=0.1", 0, CODEC_YAML, CODEC_OBJECT, YAML },
	{ JSON ";q=0.5;pretty=1", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	/* parameters: Tables are no protobuf, and of this version and group only */
	{ PROTO TABLE, 0, NONE, 0, "following" },
	{ PROTO TABLE "," JSON, 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON TABLE_OLD, 0, NONE, 0, "following" },
	{ JSON ";as=Table;v=v1;g=example.com", 0, NONE, 0, "following" },
	{ JSON ";as=Chair;v=v1;g=meta.k8s.io", 0, NONE, 0, "following" },
	{ JSON ";v=v1", 0, NONE, 0, "following" },
	{ JSON ";sv=v2", 0, NONE, 0, "following" },
	{ JSON ";sv=v1", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON ";charset=utf-8;export=1;profile=local", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON " ; as = Table ; v = v1 ; g = meta.k8s.io ", 0, CODEC_JSON, CODEC_TABLE, JSON },
	/* rubbish */
	{ ",,;,/," JSON, 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ ",", 0, NONE, 0, "following" },
	{ "application", 0, NONE, 0, "following" },
	{ "application/json/x", 0, NONE, 0, "following" },
	{ JSON ";as=", 0, CODEC_JSON, CODEC_OBJECT, JSON },
	{ JSON ";a=b=c", 0, CODEC_JSON, CODEC_OBJECT, JSON },
};

static void each_accept_gives_what_upstream_gives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct codec c = { 0 };
		int r = codec_choose(slice_str(rows[i].accept), rows[i].flags, &c, &err);
		bool ok = rows[i].media == NONE
				  ? r == -ERR_UNSUPPORTED && strstr(err.msg, rows[i].type)
				  : r == 0 && (int)c.media == rows[i].media &&
					    (int)c.shape == rows[i].shape &&
					    strcmp(c.content_type, rows[i].type) == 0;

		if (!ok)
			print_error("%s (%x): %d, media %d, shape %d, %s\n", rows[i].accept,
				    rows[i].flags, r, c.media, c.shape,
				    r ? err.msg : c.content_type);
		assert_true(ok);
		assert_false(c.pretty);
	}
}

static void clauses_past_the_limit_are_not_looked_at(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct err err = ERR_INIT;
	struct codec c;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		(void)buf_adds(&b, "text/html,");
	(void)buf_adds(&b, JSON);
	assert_int_equal(codec_choose(buf_slice(&b), 0, &c, &err), -ERR_UNSUPPORTED);
}

static void bodies_are_of_three_types(void **state)
{
	static const struct {
		const char *type;
		unsigned flags;
		int media;
	} bodies[] = {
		{ "", 0, CODEC_JSON },
		{ JSON, 0, CODEC_JSON },
		{ "application/json; charset=utf-8", 0, CODEC_JSON },
		{ "Application/JSON", 0, CODEC_JSON },
		{ YAML, CODEC_NO_PROTO, CODEC_YAML },
		{ PROTO, 0, CODEC_PROTOBUF },
		{ PROTO, CODEC_NO_PROTO, NONE },
		{ "application/cbor", 0, NONE },
		{ "text/yaml", 0, NONE },
		{ "application/x-www-form-urlencoded", 0, NONE },
		{ "*/*", 0, NONE },
		{ ";", 0, NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct err err = ERR_INIT;
		enum codec_media media = CODEC_YAML;
		int r = codec_body(slice_str(bodies[i].type), bodies[i].flags, &media, &err);

		assert_int_equal(r, bodies[i].media == NONE ? -ERR_UNSUPPORTED : 0);
		if (r == 0)
			assert_int_equal(media, bodies[i].media);
		else
			assert_non_null(strstr(err.msg,
					       "the body of the request was in an unknown format - "
					       "accepted media types include: application/json"));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(each_accept_gives_what_upstream_gives),
		CASE(clauses_past_the_limit_are_not_looked_at),
		CASE(bodies_are_of_three_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
