/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers from any bytes: what decodes encodes, and what was encoded decodes to the same
 * document and encodes to the same bytes. With unknown fields skipped and kept. Also the envelope
 * and delimited streams.
 */
#include "../unit/doc/protobuf-all.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct slice wire, const struct protobuf_opts *o)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16 << 20);
	CLEANUP(buf_fini) struct buf one = BUF_INIT(16 << 20), two = BUF_INIT(16 << 20);
	struct doc first, second;
	struct err err = ERR_INIT;
	int r;

	r = protobuf_decode(&pb_all_schema, wire, a, o, &first, &err);
	assert(r == 0 || err.code == ERR_BAD_REQUEST || err.code == ERR_QUOTA ||
	       err.code == ERR_UNSUPPORTED || err.code == ERR_TOO_LARGE);
	if (r < 0)
		return;
	r = protobuf_encode(&pb_all_schema, &first, o, &one, &err);
	/* Only JSON within may be deeper than its reader was told to write. */
	assert(r == 0);
	r = protobuf_decode(&pb_all_schema, buf_slice(&one), a, o, &second, &err);
	if (r < 0 && err.code == ERR_QUOTA)
		return;
	assert(r == 0);
	assert(doc_equal(&first, &second));
	assert(protobuf_encode(&pb_all_schema, &second, o, &two, &err) == 0);
	assert(slice_eq(buf_slice(&one), buf_slice(&two)));
}

static const struct schema *find(void *arg, struct slice api_version, struct slice kind)
{
	(void)arg;
	return api_version.n + kind.n ? &pb_all_schema : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct protobuf_opts modes[] = {
		{ 0 }, { .unknown = "@" }, { .zeros = true, .bad_utf8 = true }, { .required = true }
	};
	struct slice wire = slice_of((const char *)data, size), rest = wire, one;
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 4 << 20);
	struct err err = ERR_INIT;
	struct doc d;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		round_trip(wire, &modes[i]);
	(void)protobuf_kube_decode(wire, a, find, NULL, &d, &err);
	while (protobuf_delimited(&rest, 1000, &one, &err) == 1)
		assert(one.n <= 1000);
	return 0;
}
