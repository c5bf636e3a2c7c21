/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/bootstrap-token.h"

#include "apiserver/objects/codec.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ID 6
#define SECRET 16
#define GROUP "system:bootstrappers"
#define GROUPS_MAX 64

static bool is_word(struct slice s, size_t n)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9'))
			return false;
	return s.n == n;
}

/* A member of the Secret's data; empty: absent or no base64. */
static struct slice data_of(const struct doc *secret, const char *key, struct arena *a)
{
	struct slice text = doc_slice(doc_get(doc_get(secret, "data"), key));
	char *bytes = arena_alloc(a, text.n + 1);
	size_t n = 0;

	if (!bytes || base64_decode(bytes, &n, text) < 0)
		return SLICE("");
	return slice_of(bytes, n);
}

/* Times are told in ns: what is later than those reach (2262) is as good as never. */
static bool is_over(struct slice end, int64_t now)
{
	char text[64];
	uint64_t year;
	int64_t ns;

	if (!end.n)
		return false;
	if (end.n < 5 || end.n >= sizeof(text) || end.p[4] != '-' ||
	    str_uint64(slice_of(end.p, 4), &year, NULL) < 0)
		return true;
	memcpy(text, end.p, end.n);
	if (year > 2261)
		memcpy(text, "2261", 4);
	return clock_parse_rfc3339(slice_of(text, end.n), &ns, NULL) < 0 || now >= ns / NS_PER_SEC;
}

/* "system:bootstrappers:" and letters, digits, '-', ':', of which the last is no sign. */
static bool is_group(struct slice s)
{
	static const struct slice head = SLICE(GROUP ":");

	if (!slice_starts(s, head) || s.n == head.n || s.n > head.n + 256 ||
	    !is_word(slice_of(s.p + s.n - 1, 1), 1))
		return false;
	for (size_t i = head.n; i < s.n; i++)
		if (!is_word(slice_of(s.p + i, 1), 1) && s.p[i] != '-' && s.p[i] != ':')
			return false;
	return true;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* 1; 0: one of them is none. */
static int read_groups(struct slice more, struct arena *a, const char *const **ret, struct err *err)
{
	const char **v = ARENA_ARRAY(a, const char *, GROUPS_MAX + 3);
	size_t n = 0;

	if (!v)
		return arena_quota(a, err);
	v[n++] = GROUP;
	while (more.p && more.n) {
		struct slice one = slice_trim(slice_split(&more, ','));

		if (!is_group(one) || n > GROUPS_MAX)
			return 0;
		v[n] = arena_strndup(a, one.p, one.n);
		if (!v[n++])
			return arena_quota(a, err);
	}
	qsort(v, n, sizeof(*v), by_text);
	v[n] = "system:authenticated";
	*ret = v;
	return 1;
}

static bool is_good(const struct doc *secret, struct slice id, struct slice key, int64_t now,
		    struct arena *a)
{
	struct slice want = data_of(secret, "token-secret", a);

	return doc_str_is(doc_get(secret, "type"), "bootstrap.kubernetes.io/token") &&
	       !doc_is(doc_find(secret, "metadata.deletionTimestamp"), DOC_STRING) &&
	       want.n == key.n && mem_equal_ct(want.p, key.p, key.n) &&
	       slice_eq(data_of(secret, "token-id", a), id) &&
	       !is_over(data_of(secret, "expiration", a), now) &&
	       slice_is(data_of(secret, "usage-bootstrap-authentication", a), "true");
}

int bootstrap_token_check(const struct resources *rs, struct slice token, int64_t now,
			  struct arena *a, struct strategy_user *ret, struct err *err)
{
	struct slice key = token, id = slice_split(&key, '.');
	const char *const *groups;
	struct item *i;
	struct doc secret;
	char name[32];
	int r;

	if (!is_word(id, ID) || !key.p || !is_word(key, SECRET))
		return 0;
	(void)snprintf(name, sizeof(name), "bootstrap-token-%.*s", ID, id.p);
	i = resources_get(rs, "", "secrets", "kube-system", name);
	if (!i || codec_parse(i, a, &secret, NULL) < 0 || !is_good(&secret, id, key, now, a))
		return arena_exceeded(a) ? arena_quota(a, err) : 0;
	r = read_groups(data_of(&secret, "auth-extra-groups", a), a, &groups, err);
	if (r <= 0)
		return r;
	*ret = (struct strategy_user){ .name = arena_printf(a, "system:bootstrap:%.*s", ID, id.p),
				       .uid = "",
				       .groups = groups };
	return ret->name ? 1 : arena_quota(a, err);
}
