/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry client reads of a foreign server's headers: challenges and Link. */
#include "image/remote-priv.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 4u << 20);
	struct slice text = slice_of((const char *)data, size);
	struct challenge c;
	const char *next;
	int found;

	found = challenge_parse(a, text, &c);
	must(found == (c.kind != AUTH_NONE));
	must(c.kind != AUTH_BEARER || c.realm);
	next = remote_next_link(a, text);
	must(!next || strlen(next) <= size);
	return 0;
}
