/* SPDX-License-Identifier: Apache-2.0 */
/* A client's config.json, what a credential helper answers, and what the fetching process says as
 * the result of a call. */
#include "base/arena.h"
#include "base/err.h"
#include "image/auth-file.h"
#include "image/fetch.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void see(const char *s)
{
	must(!s || strlen(s) < 1u << 20);
}

static void see_all(const struct remote_auth *auth)
{
	see(auth->username);
	see(auth->password);
	see(auth->identity_token);
	see(auth->registry_token);
}

static void files(struct arena *a, struct slice text)
{
	static const char *const hosts[] = { "docker.io", "reg.example:5000" };
	const char *helper = NULL;
	struct remote_auth auth;

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (auth_file_parse(text, hosts[i], a, &auth, &helper, NULL) >= 0) {
			see_all(&auth);
			see(helper);
		}
	auth = (struct remote_auth){ 0 };
	if (auth_file_answer("x", text, a, &auth, NULL) >= 0)
		see_all(&auth);
}

static void frames(struct arena *a, const uint8_t *data, size_t size)
{
	struct wire_in in = { .p = data, .end = data + size };
	struct fetch_answer *x = calloc(1, sizeof(*x));
	struct err err = ERR_INIT;
	struct remote_conf conf;
	struct fetch_ask q;

	must(x != NULL);
	if (fetch_get_result(&in, x, &err) >= 0) {
		see(x->text);
		must(strlen(x->digest) < IMAGE_DIGEST_MAX);
	} else {
		must(err.code != 0);
	}
	free(x);
	in = (struct wire_in){ .p = data, .end = data + size };
	fetch_get_ask(&in, a, &q);
	if (!in.bad) {
		must(q.op < FETCH_OPS);
		see(q.repo);
	}
	in = (struct wire_in){ .p = data, .end = data + size };
	fetch_get_conf(&in, a, &conf);
	if (!in.bad)
		see(conf.host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 4u << 20);

	files(a, slice_of((const char *)data, size));
	frames(a, data, size);
	return 0;
}
