/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/auth/cel-authz.h"

#include "api/selector.h"
#include "apiserver/auth/account.h"
#include "apiserver/auth/authz.h"
#include "base/arena.h"
#include "base/err.h"

#define WHY_MAX 1024

static const char *text(struct arena *a, struct slice s)
{
	return arena_strndup(a, s.n ? s.p : "", s.n);
}

/* Texts of expressions may have NULs: cut there, another thing would be asked for. */
static bool has_nul(const struct cel_check *c)
{
	const struct slice all[] = { c->path, c->verb, c->group,   c->resource,	   c->subresource,
				     c->ns,   c->name, c->sa_name, c->sa_namespace };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (slice_has(all[i], '\0'))
			return true;
	return false;
}

/* Whom it is asked for: the user, or an account that the expression names. */
static int whose(const struct cel_authz *z, const struct cel_check *c, struct arena *a,
		 struct strategy_user *ret, struct err *err)
{
	struct slice ns, name;
	const char *user;

	*ret = *z->user;
	if (!c->on_account)
		return 0;
	user = arena_printf(a, ACCOUNT_USER "%.*s:%.*s", (int)c->sa_namespace.n,
			    c->sa_namespace.n ? c->sa_namespace.p : "", (int)c->sa_name.n,
			    c->sa_name.n ? c->sa_name.p : "");
	if (!user)
		return arena_quota(a, err);
	/* no valid name has a colon */
	if (!account_split(slice_str(user), &ns, &name))
		return err_set(err, ERR_INVALID, "Invalid service account name or namespace");
	*ret = (struct strategy_user){
		.name = user, .uid = "", .groups = account_groups(a, ns, 1), .memo = z->user->memo
	};
	return ret->groups ? 0 : arena_quota(a, err);
}

/* What cannot be read narrows nothing, as upstream. */
static const struct selector *selector_of(struct slice text, bool label, struct arena *a)
{
	struct selector *s = text.n ? ARENA_NEW(a, struct selector) : NULL;
	struct err err = ERR_INIT;

	if (s &&
	    (label ? selector_labels(text, a, s, &err) : selector_fields(text, a, s, &err)) < 0)
		*s = (struct selector){ 0 };
	return s;
}

static int check(void *arg, const struct cel_check *c, struct arena *a, struct cel_decision *ret,
		 struct err *err)
{
	CLEANUP(buf_fini) struct buf why = BUF_INIT(WHY_MAX);
	const struct cel_authz *z = arg;
	struct strategy_user user;
	const struct authz_attrs at = {
		.user = &user,
		.verb = text(a, c->verb),
		.resource_request = c->on_resource,
		.group = text(a, c->group),
		.version = "*",
		.resource = text(a, c->resource),
		.sub = text(a, c->subresource),
		.name = text(a, c->name),
		.ns = text(a, c->ns),
		.path = text(a, c->path),
		.fields = selector_of(c->field_selector, false, a),
		.labels = selector_of(c->label_selector, true, a),
	};
	const char *reason, *failed;

	if (arena_exceeded(a))
		return arena_quota(a, err);
	if (has_nul(c))
		return err_set(err, ERR_INVALID, "the authorizer is asked about a text with a NUL");
	if (whose(z, c, a, &user, err) < 0)
		return err_ret(err);
	*ret = (struct cel_decision){ .allowed = authz_allowed(z->authz, &at, &why) };
	if (cel_authz_waits(z))
		return err_set(err, ERR_UNAVAILABLE, "an authorizer has yet to be asked");
	reason = why.n ? arena_strdup(a, buf_str(&why)) : "";
	if (!reason)
		return arena_quota(a, err);
	ret->reason = slice_str(reason);
	failed = user.memo && user.memo->failed ? arena_strdup(a, user.memo->failed) : "";
	if (!failed)
		return arena_quota(a, err);
	ret->errored = *failed;
	ret->error = slice_str(failed);
	return 0;
}

void cel_authz_init(struct cel_authz *z, const struct authz *authz,
		    const struct strategy_user *user)
{
	*z = (struct cel_authz){ .authz = authz, .user = user };
	z->of = (struct cel_authorizer){ check, z };
	if (user->memo)
		user->memo->open = NULL;
}

struct cel_value cel_authz_value(const struct cel_authz *z, struct arena *a)
{
	return cel_authorizer(&z->of, a);
}

struct cel_value cel_authz_request(const struct cel_authz *z, const struct cel_check *request,
				   struct arena *a)
{
	return cel_authorizer_resource(&z->of, request, a);
}

bool cel_authz_waits(const struct cel_authz *z)
{
	return z->user->memo && z->user->memo->open;
}
