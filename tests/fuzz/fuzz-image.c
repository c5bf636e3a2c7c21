/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of image documents and texts: config JSON, references, change lines. First byte chooses.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "image/private.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void config(struct arena *a, const char *text, size_t n)
{
	struct image_config c;
	struct err err = ERR_INIT;

	if (image_config_parse(a, slice_of(text, n), &c, &err) < 0) {
		assert(err.msg[0]);
		return;
	}
	assert(c.user && c.working_dir && c.os && c.architecture);
	for (size_t i = 0; i < c.diff_ids.n; i++)
		assert(image_digest_valid(slice_str(c.diff_ids.v[i])));
	for (size_t i = 0; i < c.env.n; i++)
		assert(c.env.v[i]);
}

static void name(const char *text)
{
	char full[IMAGE_NAME_TEXT_MAX];
	struct image_name a, b;

	if (image_name_parse(text, &a, NULL) < 0)
		return;
	image_name_default_tag(&a);
	assert(image_name_parse(image_name_full(&a, full), &b, NULL) == 0);
	assert(strcmp(a.name, b.name) == 0 && strcmp(a.tag, b.tag) == 0 &&
	       strcmp(a.digest, b.digest) == 0);
}

static void change(struct arena *a, const char *text)
{
	struct doc config_doc = doc_object();
	struct err err = ERR_INIT;

	if (image_changes_apply(a, &config_doc, &text, 1, &err) < 0)
		assert(err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16u << 20);
	char *text;

	if (!n)
		return 0;
	text = arena_strndup(a, (const char *)p + 1, n - 1);
	if (!text)
		return 0;
	switch (p[0] % 3) {
	case 0: config(a, text, n - 1); break;
	case 1: name(text); break;
	case 2: change(a, text); break;
	}
	return 0;
}
