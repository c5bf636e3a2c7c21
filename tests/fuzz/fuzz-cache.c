/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored bytes as items. The first byte chooses the kind and what is in front; what is taken must
 * be whole: the parts lie within, another revision changes nothing else, and reading it again gives
 * the same.
 */
#include "api/api.h"
#include "apiserver/objects/cache-private.h"

#include <assert.h>
#include <stdlib.h>

static const struct api_group group = { .group = "", .version = "v1", .api_version = "v1" };
static const char *const pod_fields[] = { "spec.nodeName", "spec.hostNetwork", "status.phase",
					  "spec.a.b.c",	   "spec.a.b",	       NULL };
static const char *const event_fields[] = { "source", "reportingComponent", "type", NULL };
static const struct api_kind kinds[] = {
	{ .group = &group, .kind = "Pod", .namespaced = true, .selectable = pod_fields },
	{ .group = &group, .kind = "Event", .namespaced = true, .selectable = event_fields },
};

static void match(const struct item *i, struct slice text)
{
	const struct selector_term label = { text, SELECT_EQUAL, &text, 1 };
	const struct selector labels = { &label, 1 };

	(void)item_match(i, &labels, NULL);
	for (size_t k = 0; k < i->shape->nfields; k++) {
		const struct selector_term t = { i->shape->fields[k].name, SELECT_NOT_EQUAL, &text,
						 1 };
		const struct selector fields = { &t, 1 };
		bool escaped;
		struct slice v = item_field(i, t.key, &escaped);

		assert(v.n <= item_json(i).n);
		(void)item_match(i, NULL, &fields);
	}
}

static void check(struct shape *s, const struct item *i)
{
	struct item *again = NULL, *later = item_at(i, 1234567890123);
	struct item *back = item_at(later, i->revision);

	assert(slice_eq(item_json(back), item_json(i)));
	assert(slice_eq(item_labels(back), item_labels(i)));
	assert(memcmp(back->fields, i->fields, s->nslots * sizeof(i->fields[0])) == 0);
	/* The same bytes, with the revision in them, are an object, too. */
	assert(item_make(s, item_key(i), item_json(later), i->revision, &again, NULL) == 0);
	assert(slice_eq(item_json(again), item_json(i)));
	assert(slice_starts(item_tail(i), SLICE("\"metadata\":{")));
	item_unref(again);
	item_unref(later);
	item_unref(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct shape *shapes[2];
	struct buf json = BUF_INIT(1 << 20);
	struct item *i = NULL;
	struct shape *s;

	if (!n || n > 1 << 16)
		return 0;
	for (size_t k = 0; !shapes[1] && k < 2; k++)
		shapes[k] = shape_new(&kinds[k]);
	s = shapes[data[0] & 1];
	if (data[0] & 2)
		(void)buf_add(&json, s->head.p, s->head.n);
	if (data[0] & 4)
		(void)buf_adds(&json, "\"metadata\":");
	(void)buf_add(&json, data + 1, n - 1);
	if (item_make(s, SLICE("ns/name"), buf_slice(&json), 7, &i, NULL) == 0) {
		match(i, slice_of((const char *)data, n < 4 ? n : 4));
		match(i, SLICE("a"));
		check(s, i);
	}
	item_unref(i);
	buf_fini(&json);
	return 0;
}
