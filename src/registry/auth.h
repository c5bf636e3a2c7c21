/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who asks, and may he: Basic, bearer tokens (ours, a foreign token server's, OpenID's), client
 * certificates; the token server. Private to src/registry. Specs: RFC 7617, RFC 6750, Docker's
 * registry token authentication, distribution-spec.
 */
#pragma once

#include "registry/accounts.h"
#include "registry/policy.h"

struct auth;
struct call;
struct registry;
struct doc;

/* Who a request comes from, as far as is known. Strings live as long as the request. */
struct who {
	const char *name;	  /* NULL = nobody known */
	const struct doc *access; /* a token's claim decides; NULL = the rules do */
	struct strs groups;	  /* of an OpenID token */
	bool token;		  /* came with one that is good, if only for nobody known */
	bool foreign;		  /* a foreign token server answers for it: no rules of ours */
	bool refused;		  /* it brought something that is not good */
};

int auth_new(struct registry *g, struct auth **ret, struct err *err);
void auth_free(struct auth *a); /* NULL is fine */
DEFINE_CLEANUP(struct auth *, auth_free)
/* Reads the policy anew; on failure the one that was stays. */
int auth_reload(struct auth *a, struct err *err);
/* Changes the accounts that the admin socket keeps; in force on return, for all requests to come.
 * On failure all is as it was. */
int auth_change(struct auth *a, enum account_change what, const char *name, const struct doc *value,
		struct err *err);
/* Puts back one that was; referenced. */
void auth_restore(struct auth *a, struct policy *p);
/* Keys have changed: every token is verified anew. */
void auth_forget(struct auth *a);
/* Every minute. */
void auth_tick(struct auth *a);
struct policy *auth_policy(const struct auth *a); /* borrowed until the next reload */

/* Finds out who asks and calls then(c), maybe later, if he may do `need` (MAY_*) on c->name; else
 * answers 401 or 403. */
void auth_check(struct call *c, unsigned need, void (*then)(struct call *c));
/* Of whom auth_check has found: what he may do on a repository. */
unsigned auth_may(const struct call *c, const char *repo);
/* Serves /token. */
void auth_token(struct call *c);

/* ---- auth-login.c: passwords ---- */

struct logins;
int logins_new(struct registry *g, struct logins **ret, struct err *err);
void logins_free(struct logins *l); /* NULL is fine */
DEFINE_CLEANUP(struct logins *, logins_free)
/*
 * Calls then(c, result): 0 = right; -ERR_FORBIDDEN = wrong; -ERR_QUOTA = too many wrong ones from
 * there, -ERR_UNAVAILABLE = too many at once. Maybe later, on the loop; not at all if the client
 * has left. The password is copied and wiped.
 */
typedef void login_fn(struct call *c, int result);
void login_begin(struct logins *l, struct call *c, const char *user, struct slice password,
		 login_fn *then);

/* c waits for somebody: holds its stream, whose end is noted meanwhile. */
void login_park(struct call *c);

/* ---- token.c: our own tokens ---- */

#define TOKEN_SCOPES_MAX 32
#define TOKEN_LIFE 300 /* seconds */
#define TOKEN_REFRESH_LIFE (30 * 24 * 3600)

struct tokens;
int tokens_new(const char *root, struct tokens **ret, struct err *err);
void tokens_free(struct tokens *t); /* NULL is fine */
DEFINE_CLEANUP(struct tokens *, tokens_free)
/* What a scope asks for; strings in the arena. False: a form or type that we do not know. */
struct scope {
	const char *type, *name;
	unsigned actions; /* MAY_* */
};
bool scope_parse(struct arena *a, struct slice text, struct scope *ret);
/* MAY_* that an access claim grants on type and name. */
unsigned token_access(const struct doc *access, const char *type, const char *name);

struct token_grant {
	const char *name;    /* NULL = nobody known */
	const char *service; /* audience */
	const char *hash;    /* stored with the account: its tokens end with it; NULL = none */
	const struct doc *access;
	int64_t expires; /* of the account */
};
int token_issue(const struct tokens *t, struct arena *a, const struct token_grant *grant,
		bool refresh, struct buf *out, struct err *err);
/*
 * A token of ours for requests: *ret and its end (seconds) are filled. One that was made for an
 * account ends with it: by expiry, a new password, a revocation.
 */
int token_check(const struct tokens *t, struct arena *a, struct slice token, const char *service,
		const struct policy *p, struct who *ret, int64_t *ret_expires, struct err *err);
/* A refresh token of ours: the account it is for, if that still is what it was. */
int token_refresh(const struct tokens *t, struct arena *a, struct slice token, const char *service,
		  const struct policy *p, const struct account **ret, struct err *err);

/* ---- token-cache.c: tokens that were verified ---- */

struct token_cache;
struct token_entry;
struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *k); /* NULL is fine */
/* True: *ret, whose strings live as long as the arena. generation: as it was put by. */
bool token_cache_get(struct token_cache *k, struct slice token, uint64_t generation,
		     struct arena *a, struct who *ret);
/* An entry to be: the token is verified in its arena, then put. */
struct token_entry *token_entry_new(struct slice token);
void token_entry_free(struct token_entry *e); /* also after it was put */
DEFINE_CLEANUP(struct token_entry *, token_entry_free)
struct arena *token_entry_arena(struct token_entry *e);
/* Negative: the arena is full. expires in seconds since 1970. */
int token_cache_put(struct token_cache *k, struct token_entry *e, const struct who *who,
		    int64_t expires, uint64_t generation, struct arena *a, struct who *ret);
