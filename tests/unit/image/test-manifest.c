/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, manifests, indexes, platforms. */
#include "fixture.h"

#include "base/arena.h"
#include "image/manifest.h"

#define D64 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define D128                                                                      \
	"sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" \
	"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
#define DESC(media, digest) "{\"mediaType\":\"" media "\",\"digest\":\"" digest "\",\"size\":0}"
#define LAYER DESC(MEDIA_OCI_LAYER "+gzip", D64)
#define CONFIG DESC(MEDIA_OCI_CONFIG, D64)

struct box {
	struct arena *a;
	struct manifest m;
	struct err err;
};

static int box_setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	b->a = arena_new("test", 16u << 20);
	*state = b;
	return 0;
}

static int box_teardown(void **state)
{
	struct box *b = *state;

	arena_free(b->a);
	free(b);
	return 0;
}

static int parse(struct box *b, const char *text, const char *type)
{
	b->err = (struct err){ 0 };
	return manifest_parse(b->a, slice_str(text), type, &b->m, &b->err);
}

static void digests_have_two_algorithms_and_one_form(void **state)
{
	static const char *const bad[] = {
		"",
		"sha256",
		"sha256:",
		"sha256:e3b0",
		D64 "0",
		"SHA256:00",
		"md5:d41d8cd98f00b204",
		"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
	};
	static const char *const no_form[] = {
		"",	   ":",	      "sha256:", ":ab",		"sha256:a b",
		"+sha:ab", "sha+:ab", "a++b:c",	 "sha256:../x",
	};
	enum image_digest_alg alg;
	struct err err = ERR_INIT;

	assert_true(image_digest_valid(SLICE(D64)));
	assert_true(image_digest_valid(SLICE(D128)));
	assert_int_equal(image_digest_alg(D64), IMAGE_SHA256);
	assert_int_equal(image_digest_alg(D128), IMAGE_SHA512);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(image_digest_valid(slice_str(bad[i])));
	for (size_t i = 0; i < ARRAY_LEN(no_form); i++)
		assert_false(image_digest_form_ok(slice_str(no_form[i])));
	assert_true(image_digest_form_ok(
		SLICE("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8")));
	assert_int_equal(image_digest_check(SLICE("blake3:0011"), &err), -ERR_UNSUPPORTED);
	assert_err(&err, ERR_UNSUPPORTED, "digest algorithm 'blake3'");
	assert_int_equal(image_digest_check(SLICE("sha256:xyz"), &err), -ERR_BAD_REQUEST);
	assert_err(&err, ERR_BAD_REQUEST, "'sha256:xyz' is no digest");
	assert_int_equal(image_digest_alg_parse(SLICE("sha512"), &alg, &err), 0);
	assert_int_equal(alg, IMAGE_SHA512);
}

static void bytes_match_their_digest(void **state)
{
	char text[IMAGE_DIGEST_MAX];
	struct image_hash h;

	assert_true(image_digest_matches(D64, SLICE("")));
	assert_true(image_digest_matches(D128, SLICE("")));
	assert_false(image_digest_matches(D128, SLICE("x")));
	image_hash_init(&h, IMAGE_SHA512);
	image_hash_final(&h, text);
	assert_string_equal(text, D128);
}

static void an_oci_manifest_is_read(void **state)
{
	struct box *b = *state;

	assert_int_equal(
		parse(b,
		      "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
		      "\",\"config\":" CONFIG ",\"layers\":[" LAYER
		      "," DESC("x/y", D128) "],"
					    "\"annotations\":{\"a\":\"b\"},\"subject\":" DESC(
						    MEDIA_OCI_MANIFEST, D64) ",\"unknown\":[1]}",
		      MEDIA_OCI_MANIFEST "; charset=utf-8"),
		0);
	assert_int_equal(b->m.kind, MANIFEST_IMAGE);
	assert_string_equal(b->m.media, MEDIA_OCI_MANIFEST);
	assert_string_equal(b->m.artifact_type, MEDIA_OCI_CONFIG);
	assert_string_equal(b->m.config.digest, D64);
	assert_int_equal(b->m.n, 2);
	assert_string_equal(b->m.parts[1].digest, D128);
	assert_string_equal(b->m.subject->digest, D64);
	assert_string_equal(str_map_get(&b->m.annotations, "a"), "b");
}

static void what_it_is_comes_from_type_field_or_members(void **state)
{
	static const struct {
		const char *text, *type, *media;
		enum manifest_kind kind;
	} v[] = {
		{ "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[]}", NULL,
		  MEDIA_OCI_MANIFEST, MANIFEST_IMAGE },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG "}", "application/json",
		  MEDIA_OCI_MANIFEST, MANIFEST_IMAGE },
		{ "{\"schemaVersion\":2,\"config\":" CONFIG "}", MEDIA_DOCKER_MANIFEST,
		  MEDIA_DOCKER_MANIFEST, MANIFEST_IMAGE },
		{ "{\"schemaVersion\":2,\"manifests\":[]}", "", MEDIA_OCI_INDEX, MANIFEST_INDEX },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"" MEDIA_DOCKER_LIST "\"}",
		  NULL, MEDIA_DOCKER_LIST, MANIFEST_INDEX },
	};
	struct box *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(parse(b, v[i].text, v[i].type), 0);
		assert_string_equal(b->m.media, v[i].media);
		assert_int_equal(b->m.kind, v[i].kind);
	}
	assert_int_equal(
		parse(b, "{\"schemaVersion\":2,\"manifests\":[],\"artifactType\":\"a/b\"}", NULL),
		0);
	assert_string_equal(b->m.artifact_type, "a/b");
	assert_int_equal(parse(b, v[3].text, NULL), 0);
	assert_null(b->m.artifact_type);
}

static void wrong_documents_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *type, *says;
		enum err_code code;
	} v[] = {
		{ "", NULL, "no JSON document", ERR_INVALID },
		{ "[]", NULL, "must be an object", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"schemaVersion\":2}", NULL, "schemaVersion", ERR_INVALID },
		{ "{\"schemaVersion\":2}", NULL, "neither its content type", ERR_INVALID },
		{ "{\"schemaVersion\":3,\"manifests\":[]}", NULL, "schemaVersion: must be 2",
		  ERR_INVALID },
		{ "{\"manifests\":[]}", NULL, "schemaVersion", ERR_INVALID },
		{ "{\"schemaVersion\":1,\"name\":\"a\",\"fsLayers\":[]}", NULL, "schema 1",
		  ERR_UNSUPPORTED },
		{ "{\"schemaVersion\":2,\"manifests\":[]}",
		  "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1",
		  ERR_UNSUPPORTED },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"a/b\"}", NULL, "'a/b'",
		  ERR_UNSUPPORTED },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"mediaType\":\"" MEDIA_OCI_INDEX "\"}",
		  MEDIA_DOCKER_LIST, "but the document's mediaType", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"config\":" CONFIG "}", NULL, "neither",
		  ERR_INVALID },
		{ "{\"schemaVersion\":2,\"manifests\":[],\"config\":" CONFIG "}", MEDIA_OCI_INDEX,
		  "an index has no config", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"manifests\":[]}", MEDIA_OCI_MANIFEST,
		  "no member 'manifests'", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"layers\":[]}", NULL, "config", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a\",\"digest\":\"a "
		  "b\",\"size\":1}}",
		  NULL, "config.digest", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a\",\"digest\":\"" D64
		  "\",\"size\":-1}}",
		  NULL, "config.size", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a\",\"digest\":\"" D64 "\"}}",
		  NULL, "config.size", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" D64 "\",\"size\":0}}", NULL,
		  "config.mediaType", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a\",\"digest\":\"" D64
		  "\",\"size\":0,\"data\":\"e30=\"}}",
		  NULL, "another length", ERR_INVALID },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a\",\"digest\":\"" D64
		  "\",\"size\":2,\"data\":\"e30=\"}}",
		  NULL, "another digest", ERR_INVALID },
	};
	struct box *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(parse(b, v[i].text, v[i].type), -(int)v[i].code);
		assert_err(&b->err, v[i].code, v[i].says);
	}
}

static void data_of_a_descriptor_is_verified_and_given(void **state)
{
	struct box *b = *state;

	assert_int_equal(parse(b,
			       "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" MEDIA_OCI_EMPTY
			       "\",\"digest\":\"sha256:"
			       "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\","
			       "\"size\":2,\"data\":\"e30=\"},\"artifactType\":\"example/"
			       "sbom\",\"layers\":[]}",
			       NULL),
			 0);
	assert_true(slice_is(b->m.config.data, "{}"));
	assert_string_equal(b->m.artifact_type, "example/sbom");
}

static void foreign_layers_and_attestations_are_told_apart(void **state)
{
	struct box *b = *state;

	assert_int_equal(parse(b,
			       "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER
			       "," DESC("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
					D64) "," DESC("application/"
						      "vnd.oci.image.layer.nondistributable.v1.tar",
						      D64) "]}",
			       NULL),
			 0);
	assert_false(manifest_is_foreign(&b->m.parts[0]));
	assert_true(manifest_is_foreign(&b->m.parts[1]));
	assert_true(manifest_is_foreign(&b->m.parts[2]));
}

/* Entry n of the index in the next test; its digest ends in n. */
struct place {
	const char *os, *arch, *variant;
};

static void add_place(struct buf *b, size_t n, const struct place *p)
{
	buf_addf(b,
		 "%s{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"sha256:%063d%zu\","
		 "\"size\":1,\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\"",
		 n ? "," : "", 0, n, p->os, p->arch);
	if (p->variant)
		buf_addf(b, ",\"variant\":\"%s\"", p->variant);
	buf_adds(b, "}}");
}

static void the_best_platform_of_an_index_is_picked(void **state)
{
	static const struct place places[] = {
		{ "unknown", "unknown", NULL }, { "linux", "arm", "v6" },
		{ "linux", "arm", "v7" },	{ "linux", "arm64", NULL },
		{ "linux", "amd64", NULL },	{ "linux", "amd64", "v3" },
		{ "windows", "amd64", NULL },	{ "linux", "amd64", NULL },
	};
	CLEANUP(buf_fini) struct buf text = BUF_INIT(65536);
	static const struct {
		const char *want;
		char digit;
	} v[] = {
		{ "linux/arm", '2' },	   { "linux/arm/v7", '2' },   { "linux/arm/v6", '1' },
		{ "linux/arm/v8", '2' },   { "linux/arm64", '3' },    { "linux/arm64/v8", '3' },
		{ "linux/arm64/v9", '3' }, { "linux/amd64", '4' },    { "linux/amd64/v2", '4' },
		{ "linux/amd64/v3", '5' }, { "linux/amd64/v4", '5' }, { "windows/amd64", '6' },
	};
	const struct manifest_desc *d;
	struct box *b = *state;

	buf_adds(&text, "{\"schemaVersion\":2,\"manifests\":[");
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		add_place(&text, i, &places[i]);
	buf_adds(&text, "]}");
	assert_int_equal(parse(b, buf_str(&text), NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		assert_int_equal(manifest_pick(&b->m, v[i].want, &d, &b->err), 0);
		assert_int_equal(d->digest[strlen(d->digest) - 1], v[i].digit);
	}
	assert_int_equal(manifest_pick(&b->m, "linux/arm/v5", &d, &b->err), -ERR_NOT_FOUND);
	assert_err(&b->err, ERR_NOT_FOUND, "linux/arm/v6, linux/arm/v7");
	assert_int_equal(manifest_pick(&b->m, "linux/s390x", &d, &b->err), -ERR_NOT_FOUND);
}

static void depth_and_count_are_bounded(void **state)
{
	CLEANUP(buf_fini) struct buf deep = BUF_INIT(1 << 20);
	struct box *b = *state;

	buf_addf(&deep, "{\"schemaVersion\":2,\"x\":");
	for (int i = 0; i < 40; i++)
		buf_addf(&deep, "[");
	for (int i = 0; i < 40; i++)
		buf_addf(&deep, "]");
	buf_addf(&deep, "}");
	assert_int_equal(parse(b, buf_str(&deep), NULL), -ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(f) cmocka_unit_test_setup_teardown(f, box_setup, box_teardown)
		CASE(digests_have_two_algorithms_and_one_form),
		CASE(bytes_match_their_digest),
		CASE(an_oci_manifest_is_read),
		CASE(what_it_is_comes_from_type_field_or_members),
		CASE(wrong_documents_are_refused_with_the_reason),
		CASE(data_of_a_descriptor_is_verified_and_given),
		CASE(foreign_layers_and_attestations_are_told_apart),
		CASE(the_best_platform_of_an_index_is_picked),
		CASE(depth_and_count_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
