/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/account.h"

#include "api/check.h"
#include "base/arena.h"

bool account_split(struct slice user, struct slice *ret_ns, struct slice *ret_name)
{
	struct slice rest, ns;

	if (!slice_starts(user, SLICE(ACCOUNT_USER)))
		return false;
	rest = slice_of(user.p + strlen(ACCOUNT_USER), user.n - strlen(ACCOUNT_USER));
	ns = slice_split(&rest, ':');
	if (!rest.p || form_dns_label(ns) || form_dns_subdomain(rest))
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
