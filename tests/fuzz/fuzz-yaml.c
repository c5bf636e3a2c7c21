/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML reader and writer: any bytes give a document or an error within the bounds; what was read is
 * written, reads back under the flavour it came from, and is the same document.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/yaml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct doc *d, enum yaml_flavour flavour)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct yaml_options o = { .flavour = flavour, .max_depth = 900, .max_nodes = 1 << 20 };
	struct err err = ERR_INIT;
	struct doc *back = NULL;
	int r;

	if (yaml_write(d, &(struct yaml_style){ .indent_lists = flavour == YAML_COMPOSE }, &b,
		       &err) < 0)
		return;
	r = yaml_read(a, buf_slice(&b), &o, &back, &err);
	assert(r == 0 || err.code == ERR_QUOTA);
	assert(r < 0 || doc_equal(d, back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int flavour = YAML_K8S; flavour <= YAML_COMPOSE; flavour++) {
		CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16 << 20);
		struct yaml_options o = { .flavour = (enum yaml_flavour)flavour,
					  .max_nodes = 20000 };
		struct err err = ERR_INIT;
		struct doc *all = NULL;

		if (yaml_read_all(a, slice_of((const char *)data, size), &o, &all, &err) < 0) {
			assert(err.code == ERR_BAD_REQUEST || err.code == ERR_QUOTA);
			continue;
		}
		DOC_EACH (d, all)
			round_trip(a, d, (enum yaml_flavour)flavour);
	}
	return 0;
}
