/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema as JSON, a NUL, and an object: what compiles admits objects so that they stay as they
 * are, checks them, publishes them; nothing overruns.
 */
#include "api/check.h"
#include "api/custom.h"
#include "api/object.h"
#include "api/typed.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct api *tables(void)
{
	static struct api api;
	static struct arena *a;
	struct err err = ERR_INIT;

	if (!a) {
		a = arena_new("tables", 64u << 20);
		assert(api_load(a, &api, &err) == 0);
	}
	return &api;
}

static struct doc *around(struct arena *a, const struct doc *schema)
{
	struct err err = ERR_INIT;
	struct doc *crd = NULL;
	int r = json_read(
		a,
		SLICE("{\"spec\":{\"group\":\"e.io\",\"scope\":\"Cluster\",\"names\":{"
		      "\"plural\":\"foos\",\"kind\":\"Foo\"},\"versions\":[{\"name\":\"v1\","
		      "\"served\":true,\"storage\":true,\"schema\":{}}]}}"),
		NULL, &crd, &err);

	assert(r == 0);
	doc_set(a, doc_find(crd, "spec.versions.0.schema"), "openAPIV3Schema", *schema);
	return crd;
}

static void try_object(const struct api *api, const struct api_kind *k, struct arena *a,
		       const struct doc *d)
{
	struct api_strays strays = { 0 };
	struct err err = ERR_INIT;
	struct doc once, twice, set;

	if (api_admit(k->type, d, a, 0, &strays, &once, &err) < 0)
		return;
	(void)api_check(api, k, "", &once, NULL, a, &err);
	(void)api_check(api, k, "status", &once, &once, a, &err);
	(void)typed_fields(k->type, &once, a, &set, &err);
	(void)typed_merge(k->type, &once, d, a, &twice, &err);
	if (api_admit(k->type, &once, a, 0, NULL, &twice, &err) == 0)
		assert(doc_equal(&once, &twice) || arena_exceeded(a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 64u << 20);
	CLEANUP(custom_unref) struct custom *c = NULL;
	const struct api *api = tables();
	struct slice all = slice_of((const char *)data, size), schema = slice_split(&all, '\0');
	struct err err = ERR_INIT;
	struct doc *s, *d, out;

	if (json_read(a, schema, NULL, &s, &err) < 0)
		return 0;
	err = ERR_INIT;
	if (custom_compile(api, around(a, s), &c, &err) < 0) {
		assert(err.code && err.msg[0]);
		return 0;
	}
	(void)custom_openapi(custom_stored(c), API_OPENAPI_V2, a, &out, &err);
	(void)custom_openapi(custom_stored(c), API_OPENAPI_V3, a, &out, &err);
	if (all.p && json_read(a, all, NULL, &d, &err) == 0)
		try_object(api, custom_stored(c), a, d);
	return 0;
}
