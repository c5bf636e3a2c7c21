/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile peer controls of a frame: the head against a rule table, and the payload through
 * the bounded readers. The first byte of the payload steers which reader comes next, so every order
 * is reached.
 */
#include "base/err.h"
#include "base/frame.h"
#include "base/str.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct frame_rule rules[] = {
	[1] = { "one", 1, 0, 2, 0, 64 },
	[3] = { "three", 3, 1, 1, 8, 4096 },
};

static void read_fields(const uint8_t *p, size_t n)
{
	struct wire_in in = { .p = p, .end = p + n };

	while (!in.bad && in.p < in.end) {
		const unsigned char *at = in.p;
		struct slice s;

		switch (wire_u8(&in) % 5) {
		case 0: (void)wire_u8(&in); break;
		case 1: (void)wire_u16(&in); break;
		case 2: (void)wire_u32(&in); break;
		case 3: (void)wire_u64(&in); break;
		default:
			wire_bytes(&in, &s);
			assert(in.bad ? !s.p : (const unsigned char *)s.p + s.n == in.p);
		}
		assert(in.p > at && in.p <= in.end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f = { 0 };
	struct err err = ERR_INIT;
	int r;

	if (size < sizeof(f.head) + 2)
		return 0;
	memcpy(&f.head, data, sizeof(f.head));
	f.nfds = data[sizeof(f.head)] % (FRAME_FDS_MAX + 1);
	r = frame_check(&f, rules, ARRAY_LEN(rules), data[sizeof(f.head) + 1], &err);
	assert(r == 0 || (r == -ERR_BAD_REQUEST && err.msg[0]));
	read_fields(data + sizeof(f.head) + 2, size - sizeof(f.head) - 2);
	return 0;
}
