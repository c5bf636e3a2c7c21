/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: a content type up to the first line end, then the document. What is read must hold
 * what it promises: digests of a valid form, sizes that are no debt, an entry for each platform it
 * names.
 */
#include "base/arena.h"
#include "base/err.h"
#include "image/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_desc(const struct manifest_desc *d)
{
	must(d->media && d->digest && d->size >= 0);
	must(image_digest_form_ok(slice_str(d->digest)));
	if (d->data.p && image_digest_valid(slice_str(d->digest)))
		must(image_digest_matches(d->digest, d->data));
}

static void check_platforms(const struct manifest *m)
{
	const struct manifest_desc *found;
	char text[128];

	for (size_t i = 0; i < m->n; i++) {
		(void)manifest_platform_text(m->parts[i].platform, text);
		(void)manifest_is_foreign(&m->parts[i]);
		if (manifest_pick(m, text, &found, NULL) == 0)
			must(found->platform != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 8u << 20);
	struct slice text = slice_of((const char *)data, size), type = slice_split(&text, '\n');
	const char *media = arena_strndup(a, type.p, type.n);
	struct err err = ERR_INIT;
	struct manifest m;
	int r;

	if (!text.p || !media)
		return 0;
	r = manifest_parse(a, text, media, &m, &err);
	must(r <= 0 && (r == 0) == (err.code == ERR_NONE));
	if (r < 0)
		return 0;
	if (m.kind == MANIFEST_IMAGE)
		check_desc(&m.config);
	if (m.subject)
		check_desc(m.subject);
	for (size_t i = 0; i < m.n; i++)
		check_desc(&m.parts[i]);
	check_platforms(&m);
	return 0;
}
