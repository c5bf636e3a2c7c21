/* SPDX-License-Identifier: Apache-2.0 */
/* What another API server says that it serves: what discovery tells of it is in bounds and can be
 * read again, whatever came. */
#include "apiserver/extension/aggregator-private.h"

#include "base/arena.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <assert.h>
#include <string.h>

#define GV "wardle.example.com/v1alpha1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(const struct doc *list)
{
	DOC_EACH (x, list)
		assert(doc_slice(x).n > 0 && doc_slice(x).n <= 253);
}

static void resources(struct arena *a, const struct buf *out)
{
	struct doc *d;

	assert(json_read(a, buf_slice(out), NULL, &d, NULL) == 0);
	assert(doc_is(d, DOC_ARRAY) && doc_len(d) <= 2000);
	DOC_EACH (r, d) {
		assert(doc_slice(doc_get(r, "resource")).n > 0);
		assert(doc_is(doc_get(r, "responseKind"), DOC_OBJECT));
		words(doc_get(r, "verbs"));
		words(doc_get(r, "shortNames"));
		words(doc_get(r, "categories"));
		DOC_EACH (s, doc_get(r, "subresources"))
			assert(doc_slice(doc_get(s, "subresource")).n > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(REMOTE_DOCUMENT_MAX);
	const struct slice text = slice_of(size ? (const char *)data : "", size);
	struct err err = ERR_INIT;
	const char *url;
	struct doc *d;

	if (remote_resources(text, GV, a, &out, &err) == 0)
		resources(a, &out);
	else
		assert(err.code == ERR_INVALID || err.code == ERR_QUOTA);
	buf_clear(&out);
	arena_reset(a);
	if (remote_swagger(text, GV, a, &out, &err) == 0)
		assert(json_read(a, buf_slice(&out), NULL, &d, NULL) == 0);
	url = remote_index(text, GV, a);
	assert(!url ||
	       (strncmp(url, "/openapi/v3/apis/" GV, sizeof("/openapi/v3/apis/" GV) - 1) == 0 &&
		!strpbrk(url, "\r\n\"\\ ")));
	return 0;
}
