/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pod Security on any JSON that calls itself a pod, canonical or not: each level at several
 * versions. What the stricter level lets pass the laxer one does, too.
 */
#include "apiserver/admission/admission-private.h"
#include "base/arena.h"
#include "doc/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check(enum podsec_level level, uint32_t minor, const struct doc *pod, struct arena *a)
{
	const struct podsec_policy p = { level, minor };
	struct buf reasons = BUF_INIT(1u << 16), details = BUF_INIT(1u << 20);
	int r = podsec_check(&p, pod, a, &reasons, &details);

	assert(r == (reasons.n > 0));
	buf_fini(&reasons);
	buf_fini(&details);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t minors[] = { 0, 18, 24, 30, PODSEC_LATEST };
	struct arena *a = arena_new("fuzz", 16u << 20);
	struct doc *d = NULL;

	if (json_read(a, slice_of((const char *)data, size), NULL, &d, NULL) == 0)
		for (size_t i = 0; i < ARRAY_LEN(minors); i++) {
			assert(check(PODSEC_PRIVILEGED, minors[i], d, a) == 0);
			if (check(PODSEC_RESTRICTED, minors[i], d, a) == 0)
				assert(arena_exceeded(a) ||
				       check(PODSEC_BASELINE, minors[i], d, a) == 0);
		}
	arena_free(a);
	return 0;
}
