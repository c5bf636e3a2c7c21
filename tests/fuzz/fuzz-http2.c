/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of HTTP/2 to a server of ours, under arbitrary splits. First byte: size of the pieces. */
#include "h2-server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536)
		return 0;
	h2_feed_server((const char *)data + 1, size - 1, data[0] ? (size_t)data[0] : 65536);
	return 0;
}
