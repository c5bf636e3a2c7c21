/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a webhook answers to an AdmissionReview: it is taken whole or not at all, and a patch in it
 * goes to an object. The first byte says who is asked: bit 0 one that may change things, bit 1 one
 * of v1beta1; bit 2: one that converts, by a ConversionReview of one object, or, bit 0, of two.
 */
#include "apiserver/admission/admission-review.h"
#include "apiserver/extension/convert-review.h"
#include "apiserver/strategy/strategy.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"
#include "doc/patch.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char object[] = "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
			     "\"m\"},\"data\":{\"k\":\"v\"}}";

static void patch(struct arena *a, const struct doc *list)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct doc *from, *to;
	struct err err = ERR_INIT;

	assert(doc_is(list, DOC_ARRAY) && doc_len(list));
	assert(json_read(a, SLICE(object), NULL, &from, &err) == 0);
	if (patch_apply(a, from, list, NULL, &to, &err) == 0)
		(void)json_write(to, NULL, &out, NULL); /* it may be too large */
}

static void texts(const struct review_answer *answer)
{
	DOC_EACH (w, answer->warnings)
		assert(doc_is(w, DOC_STRING));
	DOC_EACH_MEMBER (k, v, answer->audit)
		assert(doc_is(k, DOC_STRING) && doc_is(v, DOC_STRING));
	assert(!answer->status || doc_is(answer->status, DOC_OBJECT));
}

/* What is asked can be read again, whatever is in it. */
static void ask(struct arena *a, const struct review *r, const struct doc *obj)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct review q = *r;
	struct err err = ERR_INIT;
	struct doc *d;

	q.obj = q.old = q.options = obj;
	if (review_write(&q, &out, &err) < 0) {
		assert(err.code == ERR_QUOTA);
		return;
	}
	assert(json_read(a, buf_slice(&out), NULL, &d, &err) == 0 || err.code == ERR_QUOTA ||
	       err.code == ERR_TOO_LARGE);
}

#define SENT(name)                                                                     \
	"{\"kind\":\"Foo\",\"apiVersion\":\"e.com/v1\",\"metadata\":{\"name\":\"" name \
	"\",\"uid\":\"u\",\"labels\":{\"k\":\"v\"}}}"

static const char *text_at(struct arena *a, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(a, doc_find(d, path));

	return s ? s : "";
}

static void conversion(uint8_t how, struct slice text)
{
	static const struct slice sent[] = { { SENT("a"), sizeof(SENT("a")) - 1 },
					     { SENT("b"), sizeof(SENT("b")) - 1 } };
	const struct convert_review r = {
		.beta = how & 2,
		.list = how & 1,
		.uid = "705ab4f5-6393-11e8-b7cc-42010a800002",
		.from = "e.com/v1, Kind=Foo",
		.kind = "Foo",
		.to = "e.com/v2",
		.objects = sent,
		.n = how & 1 ? 2 : 1,
	};
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(16u << 20);
	struct doc got[2];
	struct err err = ERR_INIT;

	assert(convert_review_write(&r, &out, &err) == 0);
	if (convert_review_read(text, &r, a, got, &err) < 0) {
		assert(err.code == ERR_BAD_REQUEST || err.code == ERR_INVALID ||
		       err.code == ERR_QUOTA || err.code == ERR_TOO_LARGE);
		return;
	}
	for (size_t i = 0; i < r.n; i++) {
		assert(strcmp(text_at(a, &got[i], "apiVersion"), r.to) == 0);
		assert(strcmp(text_at(a, &got[i], "metadata.name"), i ? "b" : "a") == 0);
		assert(strcmp(text_at(a, &got[i], "metadata.uid"), "u") == 0);
		assert(json_write(&got[i], NULL, &out, &err) == 0 || out.full);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const groups[] = { "g", NULL };
	const struct strategy_user user = { .name = "u", .uid = "1", .groups = groups };
	const bool mutating = size && data[0] & 1;
	const struct review r = {
		.beta = size && data[0] & 2,
		.uid = "705ab4f5-6393-11e8-b7cc-42010a800002",
		.kind = { "", "v1", "ConfigMap" },
		.resource = { "", "v1", "configmaps" },
		.request_kind = { "", "v1", "ConfigMap" },
		.request_resource = { "", "v1", "configmaps" },
		.sub = "",
		.name = "m",
		.ns = "n",
		.operation = "CREATE",
		.user = &user,
	};
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	const struct slice text = size ? slice_of((const char *)data + 1, size - 1) : SLICE("");
	struct review_answer answer;
	struct err err = ERR_INIT;
	struct doc *d;

	if (size && data[0] & 4) {
		conversion(data[0], text);
		return 0;
	}
	if (review_read(text, &r, mutating, a, &answer, &err) < 0) {
		assert(err.code == ERR_BAD_REQUEST || err.code == ERR_INVALID ||
		       err.code == ERR_UNSUPPORTED || err.code == ERR_QUOTA ||
		       err.code == ERR_TOO_LARGE);
	} else {
		assert(mutating || !answer.patch);
		texts(&answer);
		if (answer.patch)
			patch(a, answer.patch);
	}
	if (json_read(a, text, NULL, &d, NULL) == 0)
		ask(a, &r, d);
	return 0;
}
