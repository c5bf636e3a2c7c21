/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.managedFields of clients: what is accepted comes back as itself, its sets are canonical,
 * and operations on them hold what sets hold.
 */
#include "api/fields.h"
#include "api/managed.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_path(void *arg, struct slice path)
{
	assert(path.n > 0);
	++*(size_t *)arg;
	return 0;
}

static void check_sets(struct arena *a, const struct doc *x, const struct doc *y)
{
	struct doc both = fields_join(FIELDS_INTERSECTION, x, y, a);
	struct doc only = fields_join(FIELDS_DIFFERENCE, x, y, a);
	struct doc all = fields_join(FIELDS_UNION, x, y, a);
	struct doc again = fields_join(FIELDS_UNION, &only, &both, a), twice;
	size_t n = 0;

	if (arena_exceeded(a))
		return;
	assert(fields_equal(&again, x));
	assert(fields_count(x) + fields_count(y) == fields_count(&all) + fields_count(&both));
	assert(fields_read(&all, a, &twice, NULL) < 0 || fields_equal(&twice, &all));
	assert(fields_each(&all, count_path, &n) != 0 || n == fields_count(&all));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 32u << 20);
	struct managed m, n;
	struct doc *d, out;

	if (json_read(a, slice_of((const char *)data, size), NULL, &d, NULL) < 0 ||
	    managed_read(d, a, &m, NULL) < 0)
		return 0;
	for (size_t i = 0; i + 1 < m.n && i < 8; i++)
		check_sets(a, &m.v[i].set, &m.v[i + 1].set);
	(void)managed_clears(d);
	managed_fold(&m, a);
	out = managed_write(&m, a);
	if (arena_exceeded(a))
		return 0;
	assert(managed_read(&out, a, &n, NULL) == 0 || arena_exceeded(a));
	assert(arena_exceeded(a) || n.n == m.n);
	assert(managed_same(&out, &out));
	return 0;
}
