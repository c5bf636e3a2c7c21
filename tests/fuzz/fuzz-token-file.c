/* SPDX-License-Identifier: Apache-2.0 */
/* Token files (csv): whatever is in them, what is found has a name; nothing is found by "". */
#include "apiserver/auth/token-file.h"
#include "base/err.h"
#include "base/log.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP(token_file_free) struct token_file *t = NULL;
	struct err err = ERR_INIT;
	struct slice text = slice_of((const char *)data, n), rest = text;

	log_setup("fuzz", 2, LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	if (token_file_read(text, "F", &t, &err) < 0) {
		assert(err.code && err.msg[0]);
		return 0;
	}
	assert(!token_file_find(t, (struct slice){ "", 0 }));
	while (rest.p) {
		struct slice one = slice_split(&rest, ',');
		const struct token_user *u = token_file_find(t, one);

		assert(!u || (u->name[0] && u->uid && u->groups && !u->groups[u->ngroups]));
	}
	return 0;
}
