/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/header-extra.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "doc/doc.h"
#include "io/stream.h"

#include <ctype.h>

const char *header_extra_key(const struct http_header *h, const char *prefix, struct arena *a)
{
	size_t head = strlen(prefix), n = h->name.n - MIN(head, h->name.n), to = 0;
	const char *s = h->name.p + head;
	char *raw, *key;

	if (h->name.n < head || !slice_ieq(slice_of(h->name.p, head), slice_str(prefix)))
		return NULL;
	raw = arena_alloc(a, n + 1);
	key = arena_alloc(a, n + 1);
	if (!raw || !key)
		return NULL;
	for (size_t i = 0; i < n; i++)
		raw[i] = (char)tolower((unsigned char)s[i]);
	for (size_t i = 0; i < n; i++) {
		if (raw[i] != '%') {
			key[to++] = raw[i];
			continue;
		}
		if (n - i < 3 || hex_decode(key + to, slice_of(raw + i + 1, 2)) < 0 || !key[to])
			return raw;
		to++;
		i += 2;
	}
	key[to] = '\0';
	return key;
}

int header_extra(struct stream *s, const char *const *prefixes, struct arena *a,
		 const struct doc **ret, struct err *err)
{
	struct doc *extra = NULL, *list;
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	for (size_t i = 0; i < n; i++)
		for (const char *const *p = prefixes; p && *p; p++) {
			const char *key = header_extra_key(&h[i], *p, a);
			struct slice v = slice_trim(h[i].value);

			if (!key)
				continue;
			if (!extra)
				extra = doc_new_object(a);
			list = doc_get(extra, key);
			if (!list)
				list = doc_set_array(a, extra, key);
			(void)doc_append(a, list, doc_strn(a, v.p, v.n));
		}
	*ret = extra;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}
