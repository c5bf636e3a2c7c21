/* SPDX-License-Identifier: Apache-2.0 */
/* Detach keys: "ctrl-p,ctrl-q", "a,b", "ctrl-@" to the bytes that a terminal sends. */
#include "docker/private.h"

#define KEYS_MAX 16

static int key_byte(struct slice key, char *ret)
{
	static const char others[] = "@[\\]^_";
	static const char prefix[] = "ctrl-";
	const char *at;
	char ch;

	if (key.n == 1) {
		*ret = key.p[0];
		return 0;
	}
	if (key.n != sizeof(prefix) || !slice_starts(key, SLICE(prefix)))
		return -1;
	ch = key.p[sizeof(prefix) - 1];
	at = ch ? strchr(others, ch) : NULL;
	if (ch >= 'a' && ch <= 'z')
		*ret = (char)(ch - 'a' + 1);
	else if (at) /* 0, 27, 28, ... as on a VT100 */
		*ret = (char)(at == others ? 0 : 26 + (at - others));
	else
		return -1;
	return 0;
}

int detach_keys_parse(struct arena *a, const char *text, struct slice *ret, struct err *err)
{
	struct slice rest = slice_str(text && *text ? text : "ctrl-p,ctrl-q");
	char *out = arena_alloc(a, KEYS_MAX);
	size_t n = 0;

	if (!out)
		return arena_quota(a, err);
	while (rest.p) {
		struct slice key = slice_split(&rest, ',');

		if (n == KEYS_MAX || key_byte(key, &out[n]) < 0)
			return err_set(err, ERR_BAD_REQUEST,
				       "invalid detach keys (%s): a key is a character or ctrl- "
				       "with a-z @ [ \\ ] ^ _, at most %d of them",
				       text, KEYS_MAX);
		n++;
	}
	*ret = slice_of(out, n);
	return 0;
}
