/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of every group: objects, and what is wrong with each. */
#include "../doc/doc-check.h"

#include "api/check.h"
#include "api/object.h"
#include "check-kind-rows.h"

#include <stdlib.h>

static struct doc canonical(struct arena *a, const struct api_kind *kind, const char *meta,
			    const char *body)
{
	struct err err = ERR_INIT;
	const char *text = arena_printf(a, "{%s%s%s}", meta, *meta && *body ? "," : "", body);
	struct doc d;

	if (api_admit(kind->type, must_read(a, text), a, 0, NULL, &d, &err) != 0)
		fail_msg("%s: %s", text, err.msg);
	return d;
}

static const char *metadata(struct arena *a, const struct api_kind *kind, const char *name,
			    bool old)
{
	if (name && !*name)
		return "";
	return arena_printf(a, "\"metadata\":{\"name\":\"%s\"%s%s}", name ? name : "x",
			    kind->namespaced ? ",\"namespace\":\"n\"" : "",
			    old ? ",\"resourceVersion\":\"1\",\"uid\":\"u\"" : "");
}

/* What is wrong, without the head of the message; "" = nothing. */
static const char *wrong(struct arena *a, const struct api *api, const struct kind_row *r)
{
	const struct api_kind *kind = api_kind(api, r->version, r->kind);
	struct err err = ERR_INIT;
	struct doc d, old;
	const char *at;

	assert_non_null(kind);
	d = canonical(a, kind, metadata(a, kind, r->name, r->old), r->body);
	if (r->old)
		old = canonical(a, kind, metadata(a, kind, r->name, true), r->old);
	if (api_check(api, kind, r->sub, &d, r->old ? &old : NULL, a, &err) == 0)
		return "";
	assert_int_equal(err.code, ERR_INVALID);
	at = strstr(err.msg, " is invalid: ");
	assert_non_null(at);
	return arena_strdup(a, at + strlen(" is invalid: "));
}

static void objects_are_checked_by_their_kind(void **state)
{
	struct arena *a = *state;
	CLEANUP(api_fini) struct api api;
	struct err err = ERR_INIT;
	bool all = true, write = getenv("CHECK_ROWS_WRITE") != NULL;

	assert_int_equal(api_load(a, &api, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(arena_free) struct arena *one = arena_new("row", ARENA_MAX);
		const char *have = wrong(one, &api, &rows[i]);

		if (write)
			print_message("ROW %zu %s\n", i, have);
		else if (strcmp(have, rows[i].wrong) != 0) {
			print_error("%s {%s}:\n have %s\n want %s\n", rows[i].kind, rows[i].body,
				    have, rows[i].wrong);
			all = false;
		}
	}
	assert_true(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(objects_are_checked_by_their_kind),
	};

	return cmocka_run_group_tests_name("api check kinds", tests, NULL, NULL);
}
