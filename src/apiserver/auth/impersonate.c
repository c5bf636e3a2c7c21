/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/impersonate.h"

#include "api/check-parts.h"
#include "api/check.h"
#include "apiserver/auth/account.h"
#include "apiserver/auth/authz.h"
#include "apiserver/auth/header-extra.h"
#include "apiserver/objects/status.h"
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
#define MASTERS "system:masters"
#define NODE "system:node:"
#define NODES "system:nodes"
#define NODE_NAME "authentication.kubernetes.io/node-name"
#define NODE_KEYS "authentication.kubernetes.io/associated-node-keys"
#define MANY 4 /* so many groups or extras are asked for at once, by "*", first */

struct mode;

/* One request's wish. */
struct wish {
	const struct authz *z;
	const struct authz_attrs *request;
	struct strategy_user asker; /* as authorizers see who asks */
	struct arena *a;
	struct status_about *about;
	const struct http_header *headers;
	size_t nheaders;
	const struct mode *mode;

	const char *user, *uid;
	const char **groups; /* NULL-terminated */
	size_t ngroups;
	struct doc *extra; /* lists of texts by key */
	bool has_extra;	   /* a header, even of nothing */
};

struct mode {
	const char *name; /* NULL: legacy */
	bool (*fits)(const struct wish *w);
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

/* ---- asking ---- */

static int ask_as(struct wish *w, const struct authz_attrs *at, struct err *err)
{
	struct authz_attrs own = *at;
	CLEANUP(buf_fini) struct buf why = BUF_INIT(1024);

	own.user = &w->asker;
	if (authz_allowed(w->z, &own, &why))
		return 0;
	return authz_refuse(&own, &why, err, w->about);
}

/* group "": of the core's in legacy mode, of authentication's in the others. */
static int ask(struct wish *w, const char *group, const char *resource, const char *sub,
	       const char *name, struct err *err)
{
	const bool legacy = !w->mode->name;
	const struct authz_attrs at = {
		.verb = legacy ? "impersonate"
			       : arena_printf(w->a, "impersonate:%s", w->mode->name),
		.resource_request = true,
		.group = legacy ? group : AUTHENTICATION,
		.version = "v1",
		.resource = resource,
		.sub = sub,
		.ns = "",
		.name = name,
		.path = "",
	};

	return at.verb ? ask_as(w, &at, err) : arena_quota(w->a, err);
}

static int refuse(struct wish *w, const char *resource, const char *name, const char *reason,
		  struct err *err)
{
	const struct authz_attrs at = {
		.user = &w->asker,
		.verb = arena_printf(w->a, "impersonate:%s", w->mode->name),
		.resource_request = true,
		.group = AUTHENTICATION,
		.version = "v1",
		.resource = resource,
		.sub = "",
		.ns = "",
		.name = name,
		.path = "",
	};
	CLEANUP(buf_fini) struct buf why = BUF_INIT(1024);

	if (!at.verb)
		return arena_quota(w->a, err);
	(void)buf_adds(&why, reason);
	return authz_refuse(&at, &why, err, w->about);
}

/* ---- which modes fit ---- */

static bool only_name(const struct wish *w)
{
	return !*w->uid && !w->ngroups && !doc_len(w->extra);
}

static bool is_account(const char *user)
{
	struct slice ns, name;

	return account_split(slice_str(user), &ns, &name);
}

/* "system:node:NAME"; NULL: another user. */
static const char *node_of(const char *user)
{
	const char *name = user + strlen(NODE);

	if (strncmp(user, NODE, strlen(NODE)) != 0 || form_dns_subdomain(slice_str(name)))
		return NULL;
	return name;
}

static bool fits_own_node(const struct wish *w)
{
	const struct strategy_user *asker = w->request->user;
	const struct doc *bound = doc_get(asker->extra, NODE_NAME);
	const char *node = node_of(w->user);

	return node && only_name(w) && is_account(asker->name) && doc_len(bound) == 1 &&
	       doc_str_is(doc_at(bound, 0), node);
}

static bool fits_node(const struct wish *w)
{
	return only_name(w) && node_of(w->user);
}

static bool fits_account(const struct wish *w)
{
	return only_name(w) && is_account(w->user);
}

static bool fits_other(const struct wish *w)
{
	return !node_of(w->user) && !is_account(w->user);
}

static bool fits_any(const struct wish *w)
{
	(void)w;
	return true;
}

static const struct mode modes[] = {
	{ "associated-node", fits_own_node },
	{ "arbitrary-node", fits_node },
	{ "serviceaccount", fits_account },
	{ "user-info", fits_other },
	{ NULL, fits_any },
};

/* ---- what is named ---- */

static int ask_node(struct wish *w, const char *node, struct err *err)
{
	/* of its own node: asked for all, as upstream */
	return ask(w, "", "nodes", "", w->mode == &modes[0] ? "*" : node, err);
}

static int ask_account(struct wish *w, struct slice ns, struct slice name, struct err *err)
{
	const bool legacy = !w->mode->name;
	const struct authz_attrs at = {
		.verb = legacy ? "impersonate"
			       : arena_printf(w->a, "impersonate:%s", w->mode->name),
		.resource_request = true,
		.group = legacy ? "" : AUTHENTICATION,
		.version = "v1",
		.resource = "serviceaccounts",
		.sub = "",
		.ns = text_of(w, ns),
		.name = text_of(w, name),
		.path = "",
	};

	return at.verb && at.ns && at.name ? ask_as(w, &at, err) : arena_quota(w->a, err);
}

static int ask_user(struct wish *w, struct err *err)
{
	const char *node = w->mode->name ? node_of(w->user) : NULL;
	struct slice ns, name;

	if (node)
		return ask_node(w, node, err);
	if (account_split(slice_str(w->user), &ns, &name))
		return ask_account(w, ns, name, err);
	return ask(w, "", "users", "", w->user, err);
}

static int check_groups(struct wish *w, struct err *err)
{
	for (size_t i = 0; i < w->ngroups; i++) {
		if (!*w->groups[i])
			return refuse(w, "groups", "",
				      "impersonating the empty string group is not allowed", err);
		if (strcmp(w->groups[i], MASTERS) == 0)
			return refuse(w, "groups", MASTERS,
				      "impersonating the system:masters group is not allowed", err);
	}
	return 0;
}

/* Somebody elsewhere has yet to be asked: what was said is not the answer. */
static bool is_open(const struct wish *w)
{
	return w->asker.memo && w->asker.memo->open;
}

static int ask_groups(struct wish *w, struct err *err)
{
	struct err none = ERR_INIT;

	if (w->mode->name && check_groups(w, err) < 0)
		return err_ret(err);
	if (w->mode->name && w->ngroups >= MANY) {
		if (ask(w, "", "groups", "", "*", &none) == 0)
			return 0;
		if (is_open(w))
			return err_set(err, ERR_FORBIDDEN, "%s", none.msg);
	}
	for (size_t i = 0; i < w->ngroups; i++)
		if (ask(w, "", "groups", "", w->groups[i], err) < 0)
			return err_ret(err);
	return 0;
}

static int check_extra(struct wish *w, size_t *ret_n, struct err *err)
{
	*ret_n = 0;
	DOC_EACH_MEMBER (key, list, w->extra) {
		const struct slice k = doc_slice(key);
		const char *why = !k.n ? "impersonating the empty string key in extra is not "
					 "allowed"
				  : form_domain_path(k)
					  ? "impersonating an invalid key in extra is not allowed"
					  : NULL;

		DOC_EACH (value, list) {
			(*ret_n)++;
			if (!value->n)
				why = "impersonating the empty string value in extra is not "
				      "allowed";
		}
		if (why)
			return refuse(w, "userextras", "", why, err);
	}
	return 0;
}

static int ask_extra(struct wish *w, struct err *err)
{
	struct err none = ERR_INIT;
	size_t n = 0;

	if (w->mode->name && check_extra(w, &n, err) < 0)
		return err_ret(err);
	if (n >= MANY) {
		if (ask(w, AUTHENTICATION, "userextras", "*", "*", &none) == 0)
			return 0;
		if (is_open(w))
			return err_set(err, ERR_FORBIDDEN, "%s", none.msg);
	}
	DOC_EACH_MEMBER (key, list, w->extra) {
		const char *sub = doc_cstr(w->a, key);

		DOC_EACH (value, list) {
			const char *text = doc_cstr(w->a, value);

			if (!sub || !text)
				return arena_quota(w->a, err);
			if (ask(w, AUTHENTICATION, "userextras", sub, text, err) < 0)
				return err_ret(err);
		}
	}
	return 0;
}

/* ---- one mode ---- */

/* May what is done be done in this mode? */
static int ask_on(struct wish *w, struct err *err)
{
	struct authz_attrs at = *w->request;

	at.verb = arena_printf(w->a, "impersonate-on:%s:%s", w->mode->name, w->request->verb);
	return at.verb ? ask_as(w, &at, err) : arena_quota(w->a, err);
}

/* For its own node an account is asked about without what it is bound to, so that what was said
 * holds for each of its pods; that it is its node was looked at by fits_own_node. */
static int forget_bound(struct wish *w, struct err *err)
{
	struct doc *extra = doc_new_object(w->a), *keys = doc_set_array(w->a, extra, NODE_KEYS);

	DOC_EACH_MEMBER (key, value, w->asker.extra) {
		(void)value;
		doc_append_str(w->a, keys, doc_cstr(w->a, key));
	}
	w->asker.extra = extra;
	return arena_exceeded(w->a) ? arena_quota(w->a, err) : 0;
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

/* What the headers say, or what is fixed for who has no groups there. */
static const char **groups_of(const struct wish *w, size_t *ret_n)
{
	const bool node = w->mode->name && node_of(w->user);
	struct slice ns, name;
	const char **groups;

	*ret_n = node ? 1 : w->ngroups;
	if (!w->ngroups && account_split(slice_str(w->user), &ns, &name)) {
		*ret_n = 2;
		return account_groups(w->a, ns, 2);
	}
	groups = ARENA_ARRAY(w->a, const char *, *ret_n + 2);
	if (groups && node)
		groups[0] = NODES;
	else if (groups && w->ngroups)
		memcpy(groups, w->groups, w->ngroups * sizeof(*groups));
	return groups;
}

static int grant(struct wish *w, struct impersonation *ret, struct err *err)
{
	const char **groups;
	size_t n;

	w->asker = *w->request->user;
	if ((w->mode == &modes[0] && forget_bound(w, err) < 0) ||
	    (w->mode->name && ask_on(w, err) < 0) || ask_user(w, err) < 0)
		return err_ret(err);
	if (*w->uid && ask(w, AUTHENTICATION, "uids", "", w->uid, err) < 0)
		return err_ret(err);
	if (ask_groups(w, err) < 0 || ask_extra(w, err) < 0)
		return err_ret(err);
	groups = groups_of(w, &n);
	if (!groups)
		return arena_quota(w->a, err);
	add_known(groups, n, strcmp(w->user, ANONYMOUS) == 0);
	*ret = (struct impersonation){
		.user = { .name = w->user,
			  .uid = w->uid,
			  .groups = groups,
			  .extra = doc_len(w->extra) ? w->extra : NULL },
		.constraint =
			w->mode->name ? arena_printf(w->a, "impersonate:%s", w->mode->name) : NULL,
	};
	return arena_exceeded(w->a) ? arena_quota(w->a, err) : 1;
}

/* ---- all ---- */

static int read_groups(struct wish *w, struct err *err)
{
	w->groups = ARENA_ARRAY(w->a, const char *, w->nheaders + 1);
	for (size_t i = 0; w->groups && i < w->nheaders; i++) {
		if (!is_header(&w->headers[i], HEAD "Group"))
			continue;
		w->groups[w->ngroups] = text_of(w, slice_trim(w->headers[i].value));
		if (!w->groups[w->ngroups++])
			return arena_quota(w->a, err);
	}
	return w->groups ? 0 : arena_quota(w->a, err);
}

static int read_extra(struct wish *w, struct err *err)
{
	w->extra = doc_new_object(w->a);
	for (size_t i = 0; w->extra && i < w->nheaders; i++) {
		const struct http_header *h = &w->headers[i];
		const char *key, *value;
		struct doc *list;

		if (!is_extra(h))
			continue;
		w->has_extra = true;
		key = header_extra_key(h, EXTRA, w->a);
		value = text_of(w, slice_trim(h->value));
		if (!key || !value)
			return arena_quota(w->a, err);
		list = doc_get(w->extra, key);
		if (!list)
			list = doc_set_array(w->a, w->extra, key);
		if (!doc_append_str(w->a, list, value))
			return arena_quota(w->a, err);
	}
	return w->extra ? 0 : arena_quota(w->a, err);
}

/* The first mode that allows it; if none does, what the first that fits said. */
static int try_modes(struct wish *w, struct impersonation *ret, struct err *err)
{
	struct status_about *told = w->about, first = *told, about;
	struct err why = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct err one = ERR_INIT;
		int r;

		w->mode = &modes[i];
		if (!w->mode->fits(w))
			continue;
		about = *told;
		w->about = &about;
		r = grant(w, ret, &one);
		w->about = told;
		if (r == 1)
			return 1;
		if (!why.code) {
			why = one;
			first = about;
		}
		if (is_open(w) || one.code == ERR_QUOTA)
			break;
	}
	*told = first;
	*err = why;
	return err_ret(err);
}

bool impersonate_asked(struct stream *s)
{
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	for (size_t i = 0; i < n; i++)
		if (h[i].name.n > strlen(HEAD) &&
		    slice_ieq(slice_of(h[i].name.p, strlen(HEAD)), SLICE(HEAD)))
			return true;
	return false;
}

int impersonate(struct stream *s, const struct authz *z, const struct authz_attrs *request,
		struct arena *a, struct impersonation *ret, struct status_about *about,
		struct err *err)
{
	struct wish w = { .z = z, .request = request, .a = a, .about = about };

	w.headers = stream_headers(s, &w.nheaders);
	w.user = value_of(&w, HEAD "User");
	w.uid = value_of(&w, HEAD "Uid");
	if (!w.user || !w.uid)
		return arena_quota(a, err);
	if (read_groups(&w, err) < 0 || read_extra(&w, err) < 0)
		return err_ret(err);
	if (*w.user)
		return try_modes(&w, ret, err);
	if (!w.ngroups && !w.has_extra && !*w.uid)
		return 0;
	return status_bad_request(err, about, "requested %s without impersonating a user",
				  w.ngroups	? "groups"
				  : w.has_extra ? "extra fields"
						: "a uid");
}
