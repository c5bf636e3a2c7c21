/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/account.h"

#include "base/arena.h"

/* A label of DNS (RFC 1123). */
static bool is_label(struct slice s)
{
	if (!s.n || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    s.p[i] != '-')
			return false;
	return true;
}

/* A subdomain; upstream does not limit its parts to 63 characters. */
static bool is_subdomain(struct slice s)
{
	if (!s.n || s.n > 253)
		return false;
	while (s.p) {
		struct slice part = slice_split(&s, '.');

		if (!part.n || part.p[0] == '-' || part.p[part.n - 1] == '-')
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!is_label(slice_of(part.p + i, 1)) && part.p[i] != '-')
				return false;
	}
	return true;
}

bool account_split(struct slice user, struct slice *ret_ns, struct slice *ret_name)
{
	struct slice rest, ns;

	if (!slice_starts(user, SLICE(ACCOUNT_USER)))
		return false;
	rest = slice_of(user.p + strlen(ACCOUNT_USER), user.n - strlen(ACCOUNT_USER));
	ns = slice_split(&rest, ':');
	if (!rest.p || !is_label(ns) || !is_subdomain(rest))
		return false;
	*ret_ns = ns;
	*ret_name = rest;
	return true;
}

const char **account_groups(struct arena *a, struct slice ns, size_t more)
{
	const char **v = ARENA_ARRAY(a, const char *, 3 + more);

	if (!v)
		return NULL;
	v[0] = ACCOUNT_GROUP;
	v[1] = arena_printf(a, ACCOUNT_GROUP ":%.*s", (int)ns.n, ns.p);
	return v[1] ? v : NULL;
}
