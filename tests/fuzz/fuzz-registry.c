/* SPDX-License-Identifier: Apache-2.0 */
/* What a registry reads of a request: path, Range, names, tags, digests; and a client's image
 * references. One line each. */
#include "base/err.h"
#include "image/image.h"
#include "registry/private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_range(struct slice text)
{
	static const uint64_t sizes[] = { 0, 1, 100, UINT64_MAX / 2 };
	struct range r;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (range_parse(text, sizes[i], &r) == 1)
			must(r.n > 0 && r.from < sizes[i] && r.n <= sizes[i] - r.from);
}

static void check_path(const char *path)
{
	struct place p;

	place_parse(path, &p);
	must(!p.name.p || (p.name.p >= path && p.name.p + p.name.n <= path + strlen(path)));
	(void)content_name_ok(p.name);
	(void)content_tag_ok(p.ref);
	(void)image_digest_form_ok(p.ref);
}

static void check_scope(struct slice text)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 1 << 20);
	struct scope s;

	if (scope_parse(a, text, &s))
		must(s.name[0] && strlen(s.type) + strlen(s.name) < text.n);
}

static void check_reference(const char *text)
{
	char full[IMAGE_NAME_TEXT_MAX], again[IMAGE_NAME_TEXT_MAX];
	struct image_name n, m;

	if (image_name_parse(text, &n, NULL) < 0)
		return;
	must(image_name_parse(image_name_full(&n, full), &m, NULL) == 0);
	must(strcmp(image_name_full(&m, again), full) == 0);
	must(image_name_parse(image_name_familiar(&n, full), &m, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size);

	while (rest.p) {
		struct slice line = slice_split(&rest, '\n');
		char *text = strndup(line.n ? line.p : "", line.n);

		if (!text)
			abort();
		check_range(line);
		check_path(text);
		check_scope(slice_str(text));
		check_reference(text);
		free(text);
	}
	return 0;
}
