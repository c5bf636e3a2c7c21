/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of requests in their three forms, media types, and stored bytes of other servers. The
 * first byte chooses. What is read and admitted is written in every form again, goes to the other
 * versions of its kind and to the store.
 */
#include "apiserver/objects/codec-private.h"
#include "doc/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Items are text and no more: the cache is not linked. */
struct item {
	struct slice json;
};
struct slice item_key(const struct item *i)
{
	return (struct slice){ "x", i->json.n > 0 };
}
int64_t item_revision(const struct item *i)
{
	return (int64_t)i->json.n;
}
struct slice item_json(const struct item *i)
{
	return i->json;
}
struct slice item_tail(const struct item *i)
{
	const char *at = memmem(i->json.p, i->json.n, "\"metadata\":", 11);

	assert(at);
	return slice_of(at, (size_t)(i->json.p + i->json.n - at));
}
struct slice item_form(struct world *w, struct item *i, uint32_t id)
{
	(void)w, (void)i, (void)id;
	return (struct slice){ NULL, 0 };
}
struct slice item_keep_form(struct world *w, struct item *i, uint32_t id, struct slice bytes)
{
	(void)w, (void)i, (void)id;
	return bytes;
}

static bool is_refusal(const struct err *err)
{
	return err->code == ERR_BAD_REQUEST || err->code == ERR_QUOTA ||
	       err->code == ERR_TOO_LARGE || err->code == ERR_UNSUPPORTED ||
	       err->code == ERR_INVALID;
}

static void media_types(struct slice text, unsigned flags)
{
	struct err err = ERR_INIT;
	enum codec_media media;
	struct codec c;

	if (codec_choose(text, flags & 7, &c, &err) < 0)
		assert(err.code == ERR_UNSUPPORTED);
	else
		assert(c.content_type && c.media <= CODEC_PROTOBUF && c.shape <= CODEC_PARTIAL);
	if (codec_body(text, flags & 7, &media, &err) < 0)
		assert(err.code == ERR_UNSUPPORTED);
}

static void write_forms(const struct api *api, const struct api_kind *k, struct item *i)
{
	struct collection objects = { .kind = k };
	struct resource r = { .kind = k, .objects = &objects };
	struct codec_list_meta meta = { .revision = 1, .continue_ = "", .remaining = -1, .n = 1 };

	for (unsigned media = CODEC_JSON; media <= CODEC_PROTOBUF; media++)
		for (unsigned shape = CODEC_OBJECT; shape <= CODEC_PARTIAL; shape++) {
			struct codec_out o = { .api = api,
					       .resource = &r,
					       .codec = { .media = (enum codec_media)media,
							  .shape = (enum codec_shape)shape,
							  .pretty = shape == CODEC_OBJECT } };
			CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
			struct err err = ERR_INIT;
			uint64_t sum = 0;

			if (shape == CODEC_TABLE && media == CODEC_PROTOBUF)
				continue;
			if (codec_item(&o, i, &out, &err) < 0)
				assert(is_refusal(&err));
			if (media != CODEC_YAML && codec_event(&o, CACHE_ADDED, i, &out, &err) < 0)
				assert(is_refusal(&err));
			if (codec_list_needs_sizes(&o) && codec_list_size(&o, i, &sum, &err) < 0)
				continue;
			if (codec_list_begin(&o, &meta, sum, &out, &err) == 0 &&
			    codec_list_item(&o, i, true, &out, &err) == 0)
				(void)codec_list_end(&o, &out, &err);
		}
}

static const struct api_kind *kind_of(const struct api *api, const struct doc *d, struct arena *a)
{
	const char *gv = doc_cstr(a, doc_get(d, "apiVersion"));
	const char *kind = doc_cstr(a, doc_get(d, "kind"));

	return gv && kind ? api_kind(api, gv, kind) : NULL;
}

static void convert(const struct api *api, const struct api_kind *k, const struct doc *d,
		    struct arena *a)
{
	for (size_t i = 0; i < api->nkinds; i++) {
		struct err err = ERR_INIT;
		struct doc out;

		if (&api->kinds[i] != k && strcmp(api->kinds[i].kind, k->kind) == 0 &&
		    codec_convert(k, &api->kinds[i], d, a, &out, &err) < 0)
			assert(is_refusal(&err));
	}
}

static void body(const struct api *api, enum codec_media media, struct slice text, struct arena *a)
{
	CLEANUP(buf_fini) struct buf stored = BUF_INIT(16u << 20);
	struct api_strays strays = { 0 };
	struct err err = ERR_INIT;
	const struct api_kind *k;
	struct doc d, admitted;
	struct item i;

	if (codec_read(api, media, text, api_kind(api, "v1", "Pod"), a, &strays, &d, &err) < 0) {
		assert(is_refusal(&err));
		return;
	}
	k = kind_of(api, &d, a);
	if (!k || api_admit(k->type, &d, a, 0, NULL, &admitted, &err) < 0)
		return;
	convert(api, k, &admitted, a);
	if (codec_store(&admitted, &stored, &err) < 0) {
		assert(is_refusal(&err));
		return;
	}
	i.json = buf_slice(&stored);
	write_forms(api, k, &i);
}

/* What is no JSON has words for it; what is has none. */
static void words(struct slice text, struct arena *a)
{
	struct json_options opt = { .replace = true };
	char out[256];
	struct doc *d;

	codec_json_words(text, out, sizeof(out));
	if (out[0])
		assert(json_read(a, text, &opt, &d, NULL) < 0);
}

/* Once for all inputs: it takes most of the time of a small one. */
static const struct api *tables(void)
{
	static struct api api;

	if (!api.ntypes && api_load(arena_new("tables", 64u << 20), &api, NULL) < 0)
		abort();
	return &api;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	const struct api *api = tables();
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct err err = ERR_INIT;
	struct slice text;

	if (size == 0)
		return 0;
	text = slice_of((const char *)data + 1, size - 1);
	switch (data[0] % 8) {
	case 0:
	case 1: body(api, CODEC_JSON, text, a); break;
	case 2: body(api, CODEC_YAML, text, a); break;
	case 3:
	case 4: body(api, CODEC_PROTOBUF, text, a); break;
	case 5: media_types(text, data[0] / 8); break;
	case 6: words(text, a); break;
	default:
		if (codec_foreign((void *)(uintptr_t)api, api_kind(api, "v1", "Event"), text, &out,
				  &err) < 0)
			assert(is_refusal(&err));
		break;
	}
	return 0;
}
