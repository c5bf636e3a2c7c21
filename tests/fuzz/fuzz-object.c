/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of the built-in kinds, as clients send them: what is admitted stays as it is when it is
 * admitted again, prints, and goes through protobuf.
 */
#include "api/object.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/protobuf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_refusal(const struct err *err)
{
	return err->code == ERR_BAD_REQUEST || err->code == ERR_QUOTA;
}

static void through_protobuf(const struct api_type *t, const struct doc *d, struct arena *a)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4 << 20);
	struct err err = ERR_INIT;
	struct doc back, again;

	if (protobuf_encode(&t->schema, d, NULL, &out, &err) < 0)
		return;
	if (protobuf_decode(&t->schema, buf_slice(&out), a, NULL, &back, &err) < 0) {
		assert(err.code == ERR_QUOTA);
		return;
	}
	if (api_admit(t, &back, a, 0, NULL, &again, &err) < 0)
		assert(err.code == ERR_QUOTA);
}

static void admit(const struct api_type *t, struct doc *d, struct arena *a)
{
	CLEANUP(buf_fini) struct buf first = BUF_INIT(4 << 20);
	CLEANUP(buf_fini) struct buf second = BUF_INIT(4 << 20);
	struct api_strays strays = { 0 };
	struct err err = ERR_INIT;
	struct doc once, twice;

	if (api_admit(t, d, a, 0, &strays, &once, &err) < 0) {
		assert(is_refusal(&err));
		return;
	}
	if (json_write(&once, NULL, &first, &err) < 0) {
		assert(err.code == ERR_QUOTA);
		return;
	}
	through_protobuf(t, &once, a);
	if (api_admit(t, &once, a, 0, NULL, &twice, &err) < 0 ||
	    json_write(&twice, NULL, &second, &err) < 0) {
		assert(err.code == ERR_QUOTA);
		return;
	}
	assert(slice_eq(buf_slice(&first), buf_slice(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	CLEANUP(api_fini) struct api api = { 0 };
	const struct api_type *t;
	struct err err = ERR_INIT;
	struct doc *d = NULL;
	const char *gv, *kind;

	if (json_read(a, slice_of((const char *)data, size), NULL, &d, &err) < 0)
		return 0;
	gv = doc_cstr(a, doc_get(d, "apiVersion"));
	kind = doc_cstr(a, doc_get(d, "kind"));
	if (!gv || !kind || api_load(a, &api, &err) < 0)
		return 0;
	t = api_type(&api, gv, kind);
	if (t)
		admit(t, d, a);
	return 0;
}
