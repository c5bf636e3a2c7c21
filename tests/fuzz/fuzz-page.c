/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that come through a proxy: whatever they are, what comes out does not depend on the pieces
 * in which they came. The first byte chooses the coding and the size of the pieces.
 */
#include "apiserver/rest/rest-connect-html.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int rewrite(struct slice in, enum html_coding coding, size_t piece, struct buf *out)
{
	static const struct html_links links = { .prefix = "/p",
						 .own = { "h:1", 3 },
						 .asked = { "a", 1 } };
	struct html *h = html_new(&links, coding);
	int r = 0;

	for (size_t at = 0; r == 0 && at < in.n; at += piece)
		r = html_rewrite(h, slice_of(in.p + at, MIN(piece, in.n - at)), false, out);
	if (r == 0)
		r = html_rewrite(h, SLICE(""), true, out);
	html_free(h);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_fini) struct buf whole = BUF_INIT(16u << 20);
	CLEANUP(buf_fini) struct buf pieces = BUF_INIT(16u << 20);
	struct slice in;
	int r;

	if (size < 1)
		return 0;
	in = slice_of((const char *)data + 1, size - 1);
	r = rewrite(in, data[0] % 3, in.n + 1, &whole);
	assert(rewrite(in, data[0] % 3, data[0] / 3 + 1u, &pieces) == r);
	if (r == 0 && data[0] % 3 == HTML_PLAIN)
		assert(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
	return 0;
}
