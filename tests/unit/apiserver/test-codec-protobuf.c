/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every built-in kind through protobuf and back, and beside the bytes of upstream's own code:
 * $TEU_KUBE_TESTDATA, a folder with `<group>.<version>.<Kind>.json` and `.pb`; without it that case
 * skips.
 */
#include "codec-check.h"

#include "base/fd.h"
#include "doc/protobuf.h"

#include <fcntl.h>
#include <stdlib.h>

static struct codec_out out_of(const struct api *api, struct resource *r, enum codec_media media)
{
	return (struct codec_out){ .api = api, .resource = r, .codec = { .media = media } };
}

static void must(int r, const struct err *err)
{
	if (r != 0)
		print_error("%s\n", err->msg);
	assert_int_equal(r, 0);
}

static struct doc read_back(const struct api *api, const struct api_kind *k, struct slice body,
			    unsigned flags, struct arena *a)
{
	struct err err = ERR_INIT;
	struct doc raw, d;

	must(codec_read(api, CODEC_PROTOBUF, body, k, a, NULL, &raw, &err), &err);
	must(api_admit(k->type, &raw, a, flags, NULL, &d, &err), &err);
	return d;
}

static void every_kind_survives_protobuf(void **state)
{
	CLEANUP(api_fini_p) struct api *api = load(*state);

	for (size_t i = 0; i < api->nkinds; i++)
		for (uint64_t seed = 1; seed <= 6; seed++) {
			CLEANUP(arena_free) struct arena *a = arena_new("kind", 64u << 20);
			const struct api_kind *k = &api->kinds[i];
			struct resource *r = serve(a, api, k->group->api_version, k->kind, NULL);
			struct codec_out o = out_of(api, r, CODEC_PROTOBUF);
			CLEANUP(buf_fini) struct buf first = BUF_INIT(16u << 20);
			CLEANUP(buf_fini) struct buf again = BUF_INIT(16u << 20);
			struct doc d = make_kind(a, k, seed * 1000 + i), back;
			struct item *item = make_item(a, &d);
			struct err err = ERR_INIT;

			must(codec_item(&o, item, &first, &err), &err);
			assert_true(protobuf_is_kube(buf_slice(&first)));
			back = read_back(api, k, buf_slice(&first), 0, a);
			assert_string_equal(written(a, &back, NULL), written(a, &d, NULL));
			must(codec_doc(&o, &back, k->type, &again, &err), &err);
			assert_true(slice_eq(buf_slice(&first), buf_slice(&again)));
		}
}

static bool read_file(const char *dir, const char *name, const char *ext, struct buf *out)
{
	struct err err = ERR_INIT;
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s.%s", dir, name, ext);
	return fd_read_file(AT_FDCWD, path, out, &err) == 0;
}

/* 1: the bytes differ. */
static int beside_upstream(const char *dir, const struct api *api, const struct api_kind *k)
{
	CLEANUP(arena_free) struct arena *a = arena_new("kind", 64u << 20);
	CLEANUP(buf_fini) struct buf json = BUF_INIT(8u << 20), pb = BUF_INIT(8u << 20);
	CLEANUP(buf_fini) struct buf ours = BUF_INIT(8u << 20);
	struct codec_out o =
		out_of(api, serve(a, api, k->group->api_version, k->kind, NULL), CODEC_PROTOBUF);
	const char *group = k->group->group;
	struct doc raw, d, theirs;
	struct err err = ERR_INIT;
	char name[256];

	(void)snprintf(name, sizeof(name), "%s.%s.%s", *group ? group : "core", k->group->version,
		       k->kind);
	if (!read_file(dir, name, "json", &json) || !read_file(dir, name, "pb", &pb))
		return 0;
	must(codec_read(api, CODEC_JSON, buf_slice(&json), k, a, NULL, &raw, &err), &err);
	must(api_admit(k->type, &raw, a, API_NO_DEFAULTS, NULL, &d, &err), &err);
	must(codec_doc(&o, &d, k->type, &ours, &err), &err);
	theirs = read_back(api, k, buf_slice(&pb), API_NO_DEFAULTS, a);
	if (strcmp(written(a, &theirs, NULL), written(a, &d, NULL)) != 0) {
		print_error("%s: objects differ\n%s\n%s\n", name, written(a, &theirs, NULL),
			    written(a, &d, NULL));
		return 1;
	}
	if (slice_eq(buf_slice(&ours), buf_slice(&pb)))
		return 0;
	for (size_t i = 0; i < MIN(ours.n, pb.n); i++)
		if (ours.p[i] != pb.p[i]) {
			print_error("%s: ours %zu bytes, theirs %zu, first at %zu: %02x %02x\n",
				    name, ours.n, pb.n, i, (unsigned char)ours.p[i],
				    (unsigned char)pb.p[i]);
			break;
		}
	return 1;
}

static void bytes_are_upstreams(void **state)
{
	const char *dir = getenv("TEU_KUBE_TESTDATA");
	CLEANUP(api_fini_p) struct api *api = NULL;
	int bad = 0;

	if (!dir)
		skip();
	api = load(*state);
	for (size_t i = 0; i < api->nkinds; i++)
		bad += beside_upstream(dir, api, &api->kinds[i]);
	assert_int_equal(bad, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(every_kind_survives_protobuf),
		CASE(bytes_are_upstreams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
