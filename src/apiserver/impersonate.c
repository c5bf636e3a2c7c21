/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/impersonate.h"

#include "apiserver/account.h"
#include "apiserver/authz.h"
#include "apiserver/header-extra.h"
#include "apiserver/status.h"
#include "base/arena.h"
#include "base/err.h"
#include "io/stream.h"

#include <string.h>

#define HEAD "Impersonate-"
#define EXTRA HEAD "Extra-"
#define ANONYMOUS "system:anonymous"
#define AUTHENTICATED "system:authenticated"
#define UNAUTHENTICATED "system:unauthenticated"
#define AUTHENTICATION "authentication.k8s.io"

/* One request's wish. */
struct wish {
	const struct authz *z;
	const struct strategy_user *asker;
	struct arena *a;
	struct status_about *about;
	const char *user, *uid;
	size_t ngroups, nextra;
	const struct http_header *headers;
	size_t nheaders;
};

static bool is_header(const struct http_header *h, const char *name)
{
	return slice_ieq(h->name, slice_str(name));
}

static bool is_extra(const struct http_header *h)
{
	return h->name.n >= strlen(EXTRA) &&
	       slice_ieq(slice_of(h->name.p, strlen(EXTRA)), SLICE(EXTRA));
}

/* NULL: no memory, or a NUL in it. */
static const char *text_of(struct wish *w, struct slice s)
{
	return slice_has(s, '\0') ? NULL : arena_strndup(w->a, s.p ? s.p : "", s.n);
}

/* The first of a name counts; "" when there is none. */
static const char *value_of(struct wish *w, const char *name)
{
	for (size_t i = 0; i < w->nheaders; i++)
		if (is_header(&w->headers[i], name))
			return text_of(w, slice_trim(w->headers[i].value));
	return "";
}

static int ask(struct wish *w, const char *group, const char *resource, const char *sub,
	       const char *ns, const char *name, struct err *err)
{
	const struct authz_attrs at = {
		.user = w->asker,
		.verb = "impersonate",
		.resource_request = true,
		.group = group,
		.version = "v1",
		.resource = resource,
		.sub = sub,
		.ns = ns,
		.name = name,
		.path = "",
	};

	return authz_allowed(w->z, &at, NULL) ? 0 : authz_refuse(&at, NULL, err, w->about);
}

static int ask_user(struct wish *w, const char ***ret_groups, size_t *ret_n, struct err *err)
{
	struct slice ns, name;
	bool account = account_split(slice_str(w->user), &ns, &name);
	const char **groups;

	if (account && !w->ngroups) {
		groups = account_groups(w->a, ns, 1);
		*ret_n = 2;
	} else {
		groups = ARENA_ARRAY(w->a, const char *, w->ngroups + 2);
		*ret_n = 0;
	}
	*ret_groups = groups;
	if (!groups)
		return arena_quota(w->a, err);
	if (!account)
		return ask(w, "", "users", "", "", w->user, err);
	return ask(w, "", "serviceaccounts", "", text_of(w, ns), text_of(w, name), err);
}

static int ask_groups(struct wish *w, const char **groups, size_t *n, struct err *err)
{
	for (size_t i = 0; i < w->nheaders; i++) {
		if (!is_header(&w->headers[i], HEAD "Group"))
			continue;
		groups[*n] = text_of(w, slice_trim(w->headers[i].value));
		if (!groups[*n])
			return arena_quota(w->a, err);
		if (ask(w, "", "groups", "", "", groups[*n], err) < 0)
			return err_ret(err);
		(*n)++;
	}
	return 0;
}

static int ask_extra(struct wish *w, struct doc *extra, struct err *err)
{
	for (size_t i = 0; i < w->nheaders; i++) {
		const struct http_header *h = &w->headers[i];
		const char *key, *value;
		struct doc *list;

		if (!is_extra(h))
			continue;
		key = header_extra_key(h, EXTRA, w->a);
		value = text_of(w, slice_trim(h->value));
		if (!key || !value)
			return arena_quota(w->a, err);
		if (ask(w, AUTHENTICATION, "userextras", key, "", value, err) < 0)
			return err_ret(err);
		list = doc_get(extra, key);
		if (!list)
			list = doc_set_array(w->a, extra, key);
		if (!doc_append_str(w->a, list, value))
			return arena_quota(w->a, err);
	}
	return 0;
}

/* Everybody is either known or not. */
static void add_known(const char **groups, size_t n, bool anonymous)
{
	bool in = false, out = false;

	for (size_t i = 0; i < n; i++) {
		in |= strcmp(groups[i], AUTHENTICATED) == 0;
		out |= strcmp(groups[i], UNAUTHENTICATED) == 0;
	}
	if (anonymous && !out)
		groups[n] = UNAUTHENTICATED;
	else if (!anonymous && !in && !out)
		groups[n] = AUTHENTICATED;
}

static int grant(struct wish *w, struct strategy_user *ret, struct err *err)
{
	struct doc *extra = w->nextra ? doc_new_object(w->a) : NULL;
	const char **groups;
	size_t n;

	if (ask_user(w, &groups, &n, err) < 0 || ask_groups(w, groups, &n, err) < 0)
		return err_ret(err);
	if (w->nextra && (!extra || ask_extra(w, extra, err) < 0))
		return extra ? err_ret(err) : arena_quota(w->a, err);
	if (*w->uid && ask(w, AUTHENTICATION, "uids", "", "", w->uid, err) < 0)
		return err_ret(err);
	add_known(groups, n, strcmp(w->user, ANONYMOUS) == 0);
	*ret = (struct strategy_user){
		.name = w->user, .uid = w->uid, .groups = groups, .extra = extra
	};
	return 1;
}

int impersonate(struct stream *s, const struct authz *z, const struct strategy_user *asker,
		struct arena *a, struct strategy_user *ret, struct status_about *about,
		struct err *err)
{
	struct wish w = { .z = z, .asker = asker, .a = a, .about = about };

	w.headers = stream_headers(s, &w.nheaders);
	for (size_t i = 0; i < w.nheaders; i++) {
		w.ngroups += is_header(&w.headers[i], HEAD "Group");
		w.nextra += is_extra(&w.headers[i]);
	}
	w.user = value_of(&w, HEAD "User");
	w.uid = value_of(&w, HEAD "Uid");
	if (!w.user || !w.uid)
		return arena_quota(a, err);
	if (*w.user)
		return grant(&w, ret, err);
	if (!w.ngroups && !w.nextra && !*w.uid)
		return 0;
	return status_bad_request(err, about, "requested %s without impersonating a user",
				  w.ngroups  ? "groups"
				  : w.nextra ? "extra fields"
					     : "a uid");
}
