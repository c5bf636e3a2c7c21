/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encryption at rest: a configuration, and behind a NUL bytes as the store may have them. What a
 * configuration seals it opens again; other bytes are refused or opened, never trusted further.
 */
#include "apiserver/encryption.h"
#include "base/err.h"

#include <assert.h>
#include <string.h>

static bool name_of(void *arg, struct slice key, struct slice *group, struct slice *resource)
{
	*group = SLICE("");
	*resource = SLICE("secrets");
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct encryption_names names = { .fn = name_of };
	const struct slice key = SLICE("/registry/secrets/a/b"), open = SLICE("{\"a\":1}");
	CLEANUP(encryption_free) struct encryption *e = NULL;
	CLEANUP(buf_fini) struct buf sealed = BUF_INIT(1 << 20);
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20);
	struct slice rest = slice_of((const char *)data, n), conf = slice_split(&rest, '\0');
	struct err err = ERR_INIT;
	bool used;

	if (encryption_new(conf.p ? conf : SLICE(""), "F", &e, &err) < 0) {
		assert(err.code && err.msg[0]);
		return 0;
	}
	encryption_set_names(e, &names);
	assert(encryption_seal(e, key, open, &sealed, &used, &err) == 0);
	assert(!encryption_is_stale(e, key));
	if (used) {
		assert(encryption_open(e, key, buf_slice(&sealed), &out, &used, &err) == 0);
		assert(slice_eq(buf_slice(&out), open));
		buf_clear(&out);
	}
	if (rest.p && encryption_open(e, key, rest, &out, &used, &err) < 0)
		assert(err.code == ERR_INVALID || err.code == ERR_TOO_LARGE);
	return 0;
}
