/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of the PROXY protocol: no prefix is taken for a whole one, what was read can be written
 * and read again. */
#include "base/err.h"
#include "io/proxy-protocol.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of((const char *)data, size);
	struct proxy_info info, again;
	struct err err = ERR_INIT;
	size_t need, need2;
	char out[256];
	ssize_t n = proxy_parse(in, &info, &need, &err);

	assert(n <= (ssize_t)size);
	if (n < 0)
		assert(err.code && err.msg[0]);
	if (n == 0)
		assert(need > size);
	if (n <= 0)
		return 0;
	assert(need == (size_t)n);
	for (size_t k = 0; k < (size_t)n; k++)
		assert(proxy_parse(slice_of(in.p, k), &again, &need2, &err) == 0);
	(void)proxy_parse(in, &info, &need, &err);
	for (int type = 0; type < 256; type++) {
		struct slice v = proxy_tlv(&info, (uint8_t)type);

		assert(!v.p || (v.p >= in.p && v.p + v.n <= in.p + n));
	}
	if (info.src.ss_family != AF_INET && info.src.ss_family != AF_INET6)
		return 0;
	n = (ssize_t)proxy_write(&info, out, sizeof(out));
	assert(n > 0);
	assert(proxy_parse(slice_of(out, (size_t)n), &again, &need, &err) == n);
	assert(memcmp(&again.src, &info.src, sizeof(info.src)) == 0);
	return 0;
}
