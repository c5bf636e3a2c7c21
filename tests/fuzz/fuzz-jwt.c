/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and key sets from foreign bytes. A line break parts the input: a key set before it, a
 * token behind. No token of a fuzzer is signed by the key that is always in the set.
 */
#include "base/arena.h"
#include "base/err.h"
#include "crypto/jwt.h"
#include "crypto/key.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char known[] = "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"known\",\"alg\":\"ES256\","
			    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
			    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

static void write_and_read(const struct jwks *s)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(JWKS_MAX);
	CLEANUP(jwks_free) struct jwks *again = jwks_new();
	struct err err = ERR_INIT;

	if (jwks_write(s, &text, &err) < 0)
		return;
	assert(jwks_read(again, buf_slice(&text), &err) == 0);
	assert(!jwks_skipped(again, 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16 << 20);
	CLEANUP(jwks_free) struct jwks *fixed = jwks_new();
	CLEANUP(jwks_free) struct jwks *given = jwks_new();
	struct slice token = slice_of((const char *)data, size), set = slice_split(&token, '\n');
	struct jwt_check check = { .now = 1800000000 };
	struct err err = ERR_INIT;
	struct jwt t;

	assert(jwks_read(fixed, SLICE(known), &err) == 0 && jwks_len(fixed) == 1);
	if (jwks_read(given, set, &err) == 0)
		write_and_read(given);
	else
		assert(err.msg[0]);
	if (jwt_verify(given, token, &check, a, &t, &err) == 0)
		assert(t.claims && t.alg && t.exp > check.now);
	assert(jwt_verify(fixed, token, &check, a, &t, &err) < 0 && err.msg[0]);
	return 0;
}
