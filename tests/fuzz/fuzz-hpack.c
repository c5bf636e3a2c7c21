/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks: the input is cut into blocks (a byte of length, that many bytes), each becomes a
 * HEADERS frame of a new stream of one connection, so the table of HPACK lives across them.
 */
#include "h2-server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[65536 * 2];
	size_t n = 0, at = 0;
	uint32_t id = 1;

	while (at < size && n + 9 + 255 < sizeof(out)) {
		size_t len = data[at++];

		len = len < size - at ? len : size - at;
		out[n++] = 0;
		out[n++] = 0;
		out[n++] = (char)len;
		out[n++] = 1;
		out[n++] = 5; /* END_STREAM, END_HEADERS */
		out[n++] = 0;
		out[n++] = (char)(id >> 16);
		out[n++] = (char)(id >> 8);
		out[n++] = (char)id;
		memcpy(out + n, data + at, len);
		n += len;
		at += len;
		id += 2;
	}
	h2_feed_server(out, n, 65536);
	return 0;
}
