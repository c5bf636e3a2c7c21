/* SPDX-License-Identifier: Apache-2.0 */
/* Places and copies without a network, artifacts in layouts, what layers add and waste. */
#include "fixture.h"

#include "image/artifact.h"
#include "image/copy.h"
#include "image/layer-tree.h"

#define DIR_TEXT "/tmp/teu-copy-XXXXXX"

struct desk {
	char dir[64];
	struct arena *a;
	struct err err;
	struct place_conf conf;
};

static int begin(void **state)
{
	struct desk *d = calloc(1, sizeof(*d));

	(void)snprintf(d->dir, sizeof(d->dir), DIR_TEXT);
	assert_non_null(mkdtemp(d->dir));
	d->a = arena_new("test", 64u << 20);
	d->conf.scratch = d->dir;
	*state = d;
	return 0;
}

static int end(void **state)
{
	struct desk *d = *state;

	arena_free(d->a);
	assert_int_equal(fd_remove_tree(AT_FDCWD, d->dir, NULL), 0);
	free(d);
	return 0;
}

static const char *at(struct desk *d, const char *kind, const char *name)
{
	return arena_printf(d->a, "%s%s/%s", kind, d->dir, name);
}

static void write_file(struct desk *d, const char *name, const void *p, size_t n)
{
	int fd = open(at(d, "", name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, p, n), 0);
	close(fd);
}

static struct place *reads(struct desk *d, const char *name)
{
	struct place *p = NULL;

	if (place_read(name, &d->conf, &p, &d->err) < 0)
		fail_msg("%s: %s", name, d->err.msg);
	return p;
}

static struct place *writes(struct desk *d, const char *name)
{
	struct place *p = NULL;

	if (place_write(name, &d->conf, &p, &d->err) < 0)
		fail_msg("%s: %s", name, d->err.msg);
	return p;
}

/* ---- tars in memory ---- */

static int sink(void *ctx, const void *p, size_t n, struct err *err)
{
	(void)err;
	return buf_add(ctx, p, n);
}

struct member {
	const char *name, *text, *link;
	enum tar_type type;
};

static void make_tar(struct buf *b, const struct member *v, size_t n)
{
	struct tar_writer w;

	tar_writer_init(&w, sink, b);
	for (size_t i = 0; i < n; i++) {
		const struct tar_entry e = { .type = v[i].type,
					     .name = v[i].name,
					     .link = v[i].link ? v[i].link : "",
					     .mode = 0644,
					     .size = v[i].text ? strlen(v[i].text) : 0 };

		assert_int_equal(tar_writer_entry(&w, &e, NULL), 0);
		if (v[i].text)
			assert_int_equal(tar_writer_data(&w, v[i].text, e.size, NULL), 0);
	}
	assert_int_equal(tar_writer_finish(&w, NULL), 0);
}

static void put_tar(struct desk *d, const char *name, const struct member *v, size_t n)
{
	struct buf b = BUF_INIT(1u << 20);

	make_tar(&b, v, n);
	write_file(d, name, b.p, b.n);
	buf_fini(&b);
}

/* An image of these layers in the layout `name`, with its commands "c0", "c1", ... */
static void make_image(struct desk *d, const char *name, const struct buf *layers, size_t n)
{
	struct buf config = BUF_INIT(1u << 16), m = BUF_INIT(1u << 16);
	struct place *p = writes(d, at(d, "oci:", name));
	char digest[IMAGE_DIGEST_MAX];
	struct place_manifest pm = { .media = MEDIA_OCI_MANIFEST };
	struct manifest_desc desc = { .media = MEDIA_OCI_CONFIG, .digest = digest };

	buf_adds(
		&config,
		"{\"os\":\"linux\",\"architecture\":\"amd64\",\"history\":[{\"empty_layer\":true}");
	for (size_t i = 0; i < n; i++)
		buf_addf(&config, ",{\"created_by\":\"c%zu\"}", i);
	buf_adds(&config, "],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
	image_digest_of(config.p, config.n, digest);
	desc.size = (int64_t)config.n;
	assert_int_equal(place_put_bytes(p, &desc, buf_slice(&config), &d->err), 0);
	buf_addf(&m,
		 "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
		 "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG
		 "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
		 digest, config.n);
	for (size_t i = 0; i < n; i++) {
		image_digest_of(layers[i].p, layers[i].n, digest);
		desc.size = (int64_t)layers[i].n;
		assert_int_equal(place_put_bytes(p, &desc, buf_slice(&layers[i]), &d->err), 0);
		buf_addf(&m,
			 "%s{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"%s\",\"size\":%zu}",
			 i ? "," : "", digest, layers[i].n);
	}
	buf_adds(&m, "]}");
	pm.bytes = buf_slice(&m);
	image_digest_of(m.p, m.n, pm.digest);
	assert_int_equal(place_put_manifest(p, &pm, true, &d->err), 0);
	assert_int_equal(place_finish(p, &d->err), 0);
	place_free(p);
	buf_fini(&config);
	buf_fini(&m);
}

/* ---- names ---- */

static void a_name_that_means_no_place_is_told(void **state)
{
	static const char *const bad[] = {
		"",	"x",	   "docker:a",	      "docker://",     "oci:",
		"dir:", "foo:bar", "docker-archive:", "oci-archive::x"
	};
	struct desk *d = *state;
	struct place *p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		d->err = ERR_INIT;
		assert_true(place_read(bad[i], &d->conf, &p, &d->err) < 0);
		assert_err(&d->err, ERR_BAD_REQUEST, "names no place");
	}
	d->err = ERR_INIT;
	assert_true(place_read("docker://a.b/UPPER:1", &d->conf, &p, &d->err) < 0);
	assert_err(&d->err, ERR_BAD_REQUEST, "must be lowercase");
	d->err = ERR_INIT;
	assert_true(place_read(at(d, "oci:", "none"), &d->conf, &p, &d->err) < 0);
	assert_err(&d->err, ERR_NOT_FOUND, "none");
}

/* ---- copies ---- */

static void a_copy_is_the_same_in_every_kind_of_place(void **state)
{
	static const char *const kinds[] = { "oci:", "dir:", "oci-archive:", "docker-archive:" };
	const struct member one[] = { { "a", "text of a", NULL, TAR_REG } };
	struct buf layer = BUF_INIT(1u << 20);
	struct desk *d = *state;
	char first[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
	const char *from = at(d, "oci:", "begin");

	make_tar(&layer, one, 1);
	make_image(d, "begin", &layer, 1);
	for (size_t i = 0; i < 4; i++) {
		struct place *src = reads(d, from), *dst;

		from = at(d, kinds[i], arena_printf(d->a, "p%zu", i));
		dst = writes(d, i == 3 ? arena_printf(d->a, "%s:a:1", from) : from);
		if (image_copy(src, dst, &(struct copy_options){ 0 }, digest, &d->err) < 0)
			fail_msg("%s: %s", from, d->err.msg);
		if (!i)
			(void)str_copy(first, sizeof(first), digest);
		assert_string_equal(first, digest);
		place_free(src);
		place_free(dst);
	}
	buf_fini(&layer);
}

static void a_manifest_goes_to_the_other_family_and_back(void **state)
{
	const struct member one[] = { { "a", "x", NULL, TAR_REG } };
	struct buf layer = BUF_INIT(1u << 20);
	struct desk *d = *state;
	struct place_manifest m, v2, back;
	struct manifest doc, doc2;
	struct place *p;

	make_tar(&layer, one, 1);
	make_image(d, "l", &layer, 1);
	p = reads(d, at(d, "oci:", "l"));
	assert_int_equal(place_manifest(p, NULL, d->a, &m, &doc, &d->err), 0);
	assert_int_equal(manifest_convert(&m, &doc, COPY_V2S2, d->a, &v2, &d->err), 0);
	assert_string_equal(v2.media, MEDIA_DOCKER_MANIFEST);
	assert_int_equal(manifest_parse(d->a, v2.bytes, v2.media, &doc2, &d->err), 0);
	assert_string_equal(doc2.parts[0].media, MEDIA_DOCKER_LAYER);
	assert_int_equal(manifest_convert(&v2, &doc2, COPY_OCI, d->a, &back, &d->err), 0);
	assert_string_equal(back.digest, m.digest);
	doc.parts = NULL;
	doc.n = 0;
	doc.annotations.n = 1;
	assert_true(manifest_convert(&m, &doc, COPY_V2S2, d->a, &v2, &d->err) < 0);
	assert_err(&d->err, ERR_UNSUPPORTED, "annotations");
	place_free(p);
	buf_fini(&layer);
}

/* ---- hostile archives ---- */

static void refused(struct desk *d, const char *name, enum err_code code, const char *words)
{
	struct place *p = NULL;
	struct place_manifest m;
	int r;

	d->err = ERR_INIT;
	r = place_read(at(d, "docker-archive:", name), &d->conf, &p, &d->err);
	if (r >= 0)
		r = place_manifest(p, NULL, d->a, &m, NULL, &d->err);
	place_free(p);
	assert_true(r < 0);
	assert_err(&d->err, code, words);
}

static void archives_that_lie_are_refused(void **state)
{
	static const char list[] = "[{\"Config\":\"c\",\"Layers\":[\"l\"]}]";
	const struct member dotdot[] = { { "../x", "1", NULL, TAR_REG } };
	const struct member fifo[] = { { "f", NULL, NULL, TAR_FIFO } };
	const struct member loop[] = { { "manifest.json", list, NULL, TAR_REG },
				       { "c", "{}", NULL, TAR_REG },
				       { "l", NULL, "k", TAR_SYM },
				       { "k", NULL, "l", TAR_SYM } };
	const struct member away[] = { { "manifest.json", list, NULL, TAR_REG },
				       { "c", "{}", NULL, TAR_REG },
				       { "l", NULL, "../../../etc/passwd", TAR_SYM } };
	const struct member types[] = { { "manifest.json", "[{\"Config\":5,\"Layers\":{}}]", NULL,
					  TAR_REG } };
	const struct member packed[] = { { "manifest.json", list, NULL, TAR_REG },
					 { "c", "{}", NULL, TAR_REG },
					 { "l",
					   "\xfd"
					   "7zXZ",
					   NULL, TAR_REG } };
	const struct member many[] = { { "manifest.json", "[{},{}]", NULL, TAR_REG } };
	const struct member index[] = { { "oci-layout", "{}", NULL, TAR_REG },
					{ "index.json",
					  "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
					  "\"x\",\"digest\":\"sha256:zz\",\"size\":1}]}",
					  NULL, TAR_REG } };
	struct desk *d = *state;

	put_tar(d, "dotdot", dotdot, 1);
	refused(d, "dotdot", ERR_INVALID, "../x");
	put_tar(d, "fifo", fifo, 1);
	refused(d, "fifo", ERR_INVALID, "special file");
	put_tar(d, "loop", loop, 4);
	refused(d, "loop", ERR_INVALID, "there is no member 'l'");
	put_tar(d, "away", away, 3);
	refused(d, "away", ERR_INVALID, "there is no member 'l'");
	put_tar(d, "types", types, 1);
	refused(d, "types", ERR_INVALID, "there is no member");
	put_tar(d, "packed", packed, 3);
	refused(d, "packed", ERR_UNSUPPORTED, "something else than gzip or zstd");
	put_tar(d, "many", many, 1);
	refused(d, "many", ERR_BAD_REQUEST, "has 2 images");
	put_tar(d, "index", index, 2);
	refused(d, "index", ERR_BAD_REQUEST, "is no digest");
	write_file(d, "short", "abc", 3);
	refused(d, "short", ERR_INVALID, "short");
}

/* ---- artifacts ---- */

static void titles_stay_in_their_directory(void **state)
{
	static const char *const good[] = { "a", "a/b", "..a", "a..", "a b" };
	static const char *const bad[] = { "",	"/",  "/a",   "a/",	"a//b",
					   ".", "..", "../a", "a/../b", "a/." };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(artifact_title_ok(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(artifact_title_ok(bad[i]));
}

static void files_and_their_types_are_told_apart(void **state)
{
	struct desk *d = *state;
	struct artifact_file f;

	assert_int_equal(artifact_file_parse(d->a, "dir/f", &f, &d->err), 0);
	assert_string_equal(f.path, "dir/f");
	assert_null(f.media);
	assert_int_equal(artifact_file_parse(d->a, "dir/f:text/plain", &f, &d->err), 0);
	assert_string_equal(f.path, "dir/f");
	assert_string_equal(f.media, "text/plain");
	assert_int_equal(artifact_file_parse(d->a, "f:", &f, &d->err), 0);
	assert_null(f.media);
	assert_true(artifact_file_parse(d->a, "f:word", &f, &d->err) < 0);
	assert_true(artifact_file_parse(d->a, ":text/plain", &f, &d->err) < 0);
}

static void an_artifact_comes_back_whole(void **state)
{
	struct desk *d = *state;
	const struct artifact_file f = { at(d, "", "f"), "text/plain", "sub/f" };
	const struct artifact_push push = { .type = "application/vnd.x", .files = &f, .n = 1 };
	struct artifact_pull pull = { 0 };
	struct place_manifest m;
	struct manifest doc;
	struct place *p;
	struct buf b = BUF_INIT(4096);

	write_file(d, "f", "bytes", 5);
	p = writes(d, at(d, "oci:", "art:x"));
	assert_int_equal(artifact_push(p, &push, true, d->a, &m, &d->err), 0);
	place_free(p);
	p = reads(d, at(d, "oci:", "art:x"));
	assert_int_equal(place_manifest(p, NULL, d->a, &m, &doc, &d->err), 0);
	assert_string_equal(doc.artifact_type, "application/vnd.x");
	pull.dir = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(artifact_pull(p, &doc, &pull, d->a, &d->err), 0);
	assert_int_equal(pull.written, 1);
	assert_int_equal(fd_read_file(pull.dir, "sub/f", &b, &d->err), 0);
	assert_true(slice_is(buf_slice(&b), "bytes"));
	assert_true(artifact_pull(p, &doc, &pull, d->a, &d->err) < 0);
	assert_err(&d->err, ERR_EXISTS, "'sub/f' exists");
	close(pull.dir);
	place_free(p);
	buf_fini(&b);
}

/* ---- layers ---- */

static void layers_are_counted_and_what_nobody_sees_is_named(void **state)
{
	const struct member first[] = { { "d/", NULL, NULL, TAR_DIR },
					{ "d/a", "1234", NULL, TAR_REG },
					{ "d/b", "12345678", NULL, TAR_REG },
					{ "op/x", "12", NULL, TAR_REG },
					{ "tree/deep/y", "1", NULL, TAR_REG } };
	/* The opaque mark comes behind a file of its own layer, which stays. */
	const struct member second[] = {
		{ "d/a", "12", NULL, TAR_REG },	    { "d/.wh.b", "", NULL, TAR_REG },
		{ "op/new", "123", NULL, TAR_REG }, { "op/.wh..wh..opq", "", NULL, TAR_REG },
		{ "tree", "t", NULL, TAR_REG },	    { ".wh.never", "", NULL, TAR_REG }
	};
	struct buf layers[2] = { BUF_INIT(1u << 20), BUF_INIT(1u << 20) };
	struct desk *d = *state;
	struct tree_options o = { .conf = &d->conf };
	struct image_tree t;
	struct place *p;

	make_tar(&layers[0], first, 5);
	make_tar(&layers[1], second, 6);
	make_image(d, "l", layers, 2);
	p = reads(d, at(d, "oci:", "l"));
	if (image_tree_read(p, &o, d->a, &t, &d->err) < 0)
		fail_msg("%s", d->err.msg);
	assert_int_equal(t.n, 2);
	assert_string_equal(t.layers[0].command, "c0");
	assert_int_equal(t.layers[0].added, 4);
	assert_int_equal(t.layers[0].bytes, 15);
	assert_int_equal(t.layers[1].added, 2); /* op/new, and tree in place of a directory */
	assert_int_equal(t.layers[1].changed, 1);
	assert_int_equal(t.layers[1].removed, 2); /* d/b, op */
	assert_int_equal(t.wasted, 15);
	assert_int_equal(t.user, 6);
	assert_int_equal(t.nwastes, 4);
	assert_string_equal(t.wastes[0].path, "/d/b");
	assert_true(image_tree_efficiency(&t) > 0.285 && image_tree_efficiency(&t) < 0.286);
	place_free(p);
	buf_fini(&layers[0]);
	buf_fini(&layers[1]);
}

int main(void)
{
#define DESK(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		DESK(a_name_that_means_no_place_is_told),
		DESK(a_copy_is_the_same_in_every_kind_of_place),
		DESK(a_manifest_goes_to_the_other_family_and_back),
		DESK(archives_that_lie_are_refused),
		DESK(titles_stay_in_their_directory),
		DESK(files_and_their_types_are_told_apart),
		DESK(an_artifact_comes_back_whole),
		DESK(layers_are_counted_and_what_nobody_sees_is_named),
	};

	return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
