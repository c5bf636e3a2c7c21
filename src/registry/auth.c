/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, what he may do, and how he is told that he may not. */
#include "registry/auth.h"

#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/jwt.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "registry/private.h"

#include <stdio.h>
#include <stdlib.h>

#define BASIC_MAX 1024
#define FORM_MAX 65536
#define ACCOUNTS_FILE "registry/accounts.json"
#define SERVICE_DEFAULT "teu-registry"

struct auth {
	struct registry *g;
	struct policy *policy;
	struct logins *logins;
	struct token_cache *seen;
	struct oidc *oidc;
	uint64_t generation;   /* of the policy: what was verified before it is verified anew */
	struct tokens *tokens; /* NULL: a foreign server makes them, or none are needed */
	const char *service;
	char *accounts; /* path */
};

/* ---- life ---- */

static bool foreign(const struct registry_conf *c)
{
	return c->token_jwks != NULL;
}

static int check_conf(const struct registry_conf *c, struct err *err)
{
	if (foreign(c) && (!c->token_realm || !c->token_issuer || !c->token_service))
		return err_set(err, ERR_BAD_REQUEST,
			       "--token-jwks: a token server of others also needs --token-realm, "
			       "--token-service and --token-issuer");
	if (!foreign(c) && c->token_issuer)
		return err_set(err, ERR_BAD_REQUEST,
			       "--token-issuer: its keys are needed too: --token-jwks");
	return 0;
}

int auth_reload(struct auth *a, struct err *err)
{
	const struct registry_conf *c = &a->g->conf;
	const struct policy_files files = { .htpasswd = c->htpasswd,
					    .config = c->config,
					    .accounts = a->accounts,
					    .token_issuer = c->token_issuer,
					    .token_service = a->service,
					    .token_jwks = c->token_jwks };
	CLEANUP(policy_unref) struct policy *p = NULL;
	int r = policy_read(&files, &p, err);

	if (r >= 0 && p->closed && !a->tokens && !foreign(c))
		r = tokens_new(c->root, &a->tokens, err);
	if (r >= 0 && !p->closed && a->g->outside && !c->tls_client_ca)
		r = err_set(err, ERR_INVALID,
			    "no users would be left, and a listener is not on loopback");
	if (r >= 0)
		auth_restore(a, p);
	return r;
}

void auth_restore(struct auth *a, struct policy *p)
{
	(void)policy_ref(p);
	policy_unref(a->policy);
	a->policy = p;
	a->generation++;
	oidc_begin(a->oidc);
	for (size_t i = 0; i < p->issuers_n; i++)
		if (!p->issuers[i].keys)
			oidc_want(a->oidc, &p->issuers[i].source);
	oidc_end(a->oidc);
}

int auth_new(struct registry *g, struct auth **ret, struct err *err)
{
	CLEANUP(auth_free) struct auth *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		abort();
	a->g = g;
	a->seen = token_cache_new();
	if (asprintf(&a->accounts, "%s/" ACCOUNTS_FILE, g->conf.root) < 0)
		abort();
	a->service = g->conf.token_service ? g->conf.token_service : SERVICE_DEFAULT;
	r = check_conf(&g->conf, err);
	if (r >= 0)
		r = oidc_new(g, &a->oidc, err);
	if (r >= 0)
		r = auth_reload(a, err);
	if (r >= 0)
		r = logins_new(g, &a->logins, err);
	if (r < 0)
		return r;
	*ret = STEAL(a);
	return 0;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	logins_free(a->logins);
	oidc_free(a->oidc);
	token_cache_free(a->seen);
	tokens_free(a->tokens);
	policy_unref(a->policy);
	free(a->accounts);
	free(a);
}

int auth_change(struct auth *a, enum account_change what, const char *name, const struct doc *value,
		struct err *err)
{
	CLEANUP(buf_fini) struct buf old = BUF_INIT(8u << 20);
	struct err again = ERR_INIT;
	int r = accounts_change(a->accounts, what, name, value, &old, err);

	if (r < 0)
		return r;
	r = auth_reload(a, err);
	if (r < 0 && accounts_restore(a->accounts, &old, &again) < 0)
		log_kv(LOG_LEVEL_ERROR, "accounts could not be put back", "error", again.msg, NULL);
	return r;
}

void auth_forget(struct auth *a)
{
	a->generation++;
}

void auth_tick(struct auth *a)
{
	oidc_tick(a->oidc);
}

struct policy *auth_policy(const struct auth *a)
{
	return a->policy;
}

/* ---- refusals ---- */

static bool host_ok(struct slice host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]",
			    host.p[i]))
			return false;
	return host.n > 0 && host.n < 300;
}

static void add_scope(struct call *c, struct buf *b)
{
	const char *actions = c->need & MAY_DELETE ? "delete"
			      : c->need & MAY_PUSH ? "pull,push"
						   : "pull";

	if (c->name[0])
		buf_addf(b, ",scope=\"repository:%s:%s\"", c->name, actions);
	else if (c->what == WHAT_CATALOG)
		buf_adds(b, ",scope=\"registry:catalog:*\"");
}

static void challenge(struct call *c, const char *error)
{
	const struct auth *a = c->g->auth;
	struct slice host = stream_request(c->s)->host;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	if (a->policy->challenge_basic) {
		buf_addf(&b, "Basic realm=\"%s\",charset=\"UTF-8\"", a->service);
	} else {
		if (c->g->conf.token_realm)
			buf_addf(&b, "Bearer realm=\"%s\"", c->g->conf.token_realm);
		else if (host_ok(host))
			buf_addf(&b, "Bearer realm=\"%s://%.*s/token\"",
				 stream_peer(c->s)->tls ? "https" : "http", (int)host.n, host.p);
		else
			buf_adds(&b, "Bearer realm=\"http://localhost/token\"");
		buf_addf(&b, ",service=\"%s\"", a->service);
		add_scope(c, &b);
		if (error)
			buf_addf(&b, ",error=\"%s\"", error);
	}
	(void)stream_set_header(c->s, "WWW-Authenticate", buf_str(&b));
}

static void refuse_unknown(struct call *c, const char *error, const char *why)
{
	challenge(c, error);
	answer_error(c, UNAUTHORIZED, "%s", why);
}

static void refuse_login(struct call *c, int result)
{
	if (result == -ERR_FORBIDDEN) {
		log_kv(LOG_LEVEL_WARN, "wrong name or password", "peer", stream_peer(c->s)->addr,
		       NULL);
		refuse_unknown(c, NULL, "the name or the password is wrong");
		return;
	}
	(void)stream_set_header(c->s, "Retry-After", result == -ERR_QUOTA ? "60" : "1");
	answer_error(c, TOOMANYREQUESTS, "%s",
		     result == -ERR_QUOTA ? "too many wrong passwords from this address: wait"
					  : "too many logins at once: try again");
}

/* ---- what one may ---- */

unsigned auth_may(const struct call *c, const char *repo)
{
	const struct who *w = &c->who;

	if (!c->g->auth->policy->closed)
		return MAY_ALL;
	if (w->access && w->foreign)
		return token_access(w->access, "repository", repo);
	/* What was allowed when our token was made, and is still. */
	if (w->access)
		return token_access(w->access, "repository", repo) &
		       policy_may(c->g->auth->policy, w->name, NULL, repo);
	return policy_may(c->g->auth->policy, w->name, &w->groups, repo);
}

static bool decide_plain(const struct call *c)
{
	const struct who *w = &c->who;

	if (c->what == WHAT_CATALOG && w->access)
		return token_access(w->access, "registry", "catalog") != 0;
	return w->name || w->token;
}

static void decide(struct call *c)
{
	bool plain = !c->name[0];

	if (plain ? decide_plain(c) : (auth_may(c, c->name) & c->need) == c->need) {
		c->then(c);
	} else if (!c->who.name && !c->who.token) {
		refuse_unknown(c, NULL, "log in first");
	} else if (c->who.token && c->who.access) {
		refuse_unknown(c, "insufficient_scope", "the token is not for this");
	} else {
		answer_error(c, DENIED, "'%s' may not do this on '%s'", c->who.name,
			     plain ? "the registry" : c->name);
	}
}

/* ---- who ---- */

static void set_openid(struct arena *a, const struct issuer *is, const struct jwt *j,
		       struct who *ret)
{
	const struct doc *groups = doc_get(j->claims, is->groups_claim);
	size_t n = doc_is(groups, DOC_ARRAY) ? doc_len(groups) : 0;

	*ret = (struct who){ .name = doc_cstr(a, doc_get(j->claims, is->name_claim)) };
	ret->groups.v = ARENA_ARRAY(a, const char *, n);
	for (size_t i = 0; ret->groups.v && i < n; i++) {
		const char *word = doc_cstr(a, doc_at(groups, i));

		if (word)
			ret->groups.v[ret->groups.n++] = word;
	}
}

static int check_issuer(struct arena *a, const struct issuer *is, const struct jwks *keys,
			struct slice token, struct who *ret, int64_t *ret_expires, struct err *err)
{
	const struct jwt_check check = {
		.iss = is->iss, .aud = &is->aud, .aud_n = 1, .leeway = 60
	};
	struct jwt j;
	int r = keys ? jwt_verify(keys, token, &check, a, &j, err)
		     : err_set(err, ERR_UNAUTHORIZED, "the keys of '%s' are not here yet", is->iss);

	if (r < 0)
		return r;
	*ret_expires = j.exp;
	if (is->access) {
		*ret = (struct who){ .name = j.sub[0] ? j.sub : NULL,
				     .access = doc_get(j.claims, "access"),
				     .token = true,
				     .foreign = true };
		if (!ret->access)
			ret->access = doc_new_array(a);
		return 0;
	}
	set_openid(a, is, &j, ret);
	return ret->name ? 0 : err_set(err, ERR_UNAUTHORIZED, "the token names nobody");
}

static int check_bearer(struct call *c, struct slice token, struct err *err)
{
	const struct auth *a = c->g->auth;
	CLEANUP(token_entry_free) struct token_entry *e = NULL;
	int64_t expires = 0;
	struct who who;
	int r;

	if (token_cache_get(a->seen, token, a->generation, c->a, &c->who))
		return 0;
	e = token_entry_new(token);
	r = err_set(err, ERR_UNAUTHORIZED, "nobody's token is taken here");
	if (a->tokens)
		r = token_check(a->tokens, token_entry_arena(e), token, a->service, a->policy, &who,
				&expires, err);
	for (size_t i = 0; r < 0 && i < a->policy->issuers_n; i++) {
		const struct issuer *is = &a->policy->issuers[i];
		const struct jwks *keys = is->keys ? is->keys : oidc_keys(a->oidc, &is->source);

		r = check_issuer(token_entry_arena(e), is, keys, token, &who, &expires, err);
	}
	if (r < 0)
		return r;
	if (token_cache_put(a->seen, e, &who, expires, a->generation, c->a, &c->who) < 0)
		return arena_quota(c->a, err);
	return 0;
}

static bool take_scheme(struct slice text, const char *scheme, struct slice *ret);

/* The keys were fetched: once more, and this time it counts. */
static void check_again(struct call *c)
{
	struct slice rest;
	struct err err = ERR_INIT;

	if (take_scheme(stream_header(c->s, "Authorization"), "Bearer", &rest) &&
	    check_bearer(c, rest, &err) == 0)
		decide(c);
	else
		refuse_unknown(c, "invalid_token", err.msg);
}

/* A token that is refused may be signed with a key that its issuer has only just made. */
static bool wait_for_keys(struct call *c, struct slice token)
{
	const struct auth *a = c->g->auth;
	struct jwt j;

	if (jwt_peek(token, c->a, &j, NULL) < 0)
		return false;
	for (size_t i = 0; i < a->policy->issuers_n; i++) {
		const struct issuer *is = &a->policy->issuers[i];

		if (!is->keys && strcmp(is->iss, j.iss) == 0)
			return oidc_wait(a->oidc, &is->source, j.kid, c, check_again);
	}
	return false;
}

/* "Basic base64(name:password)". The password is in `room` until it is wiped by the caller. */
static bool basic_read(struct call *c, struct slice text, char room[BASIC_MAX], const char **user,
		       struct slice *password)
{
	size_t n;
	char *colon;

	if (text.n > BASIC_MAX || base64_decode(room, &n, text) < 0)
		return false;
	colon = memchr(room, ':', n);
	if (!colon || memchr(room, 0, n))
		return false;
	*user = arena_strndup(c->a, room, (size_t)(colon - room));
	*password = slice_of(colon + 1, n - (size_t)(colon + 1 - room));
	return *user != NULL;
}

static void begin_basic(struct call *c, struct slice text, login_fn *then)
{
	char room[BASIC_MAX];
	struct slice password;
	const char *user;

	if (basic_read(c, text, room, &user, &password)) {
		c->user = user;
		login_begin(c->g->auth->logins, c, user, password, then);
	} else {
		refuse_unknown(c, NULL, "the Authorization header is no Basic credentials");
	}
	secret_wipe(room, sizeof(room));
}

static void logged_in(struct call *c, int result)
{
	if (result < 0) {
		refuse_login(c, result);
		return;
	}
	c->who = (struct who){ .name = c->user };
	decide(c);
}

/* A client certificate that verified says who it is by its common name. */
static void set_certificate(struct call *c)
{
	const struct tls_info *tls = stream_peer(c->s)->tls;

	if (tls && tls->verified && tls->chain_n && cert_info(tls->chain[0])->names.cn[0])
		c->who.name = arena_strdup(c->a, cert_info(tls->chain[0])->names.cn);
}

static bool take_scheme(struct slice text, const char *scheme, struct slice *ret)
{
	struct slice rest = text, word = slice_split(&rest, ' ');

	*ret = slice_trim(rest);
	return slice_ieq(word, slice_str(scheme)) && ret->n;
}

void auth_check(struct call *c, unsigned need, void (*then)(struct call *c))
{
	struct slice header = stream_header(c->s, "Authorization"), rest;
	struct err err = ERR_INIT;

	c->need = need;
	c->then = then;
	if (!c->g->auth->policy->closed) {
		then(c);
	} else if (!header.n) {
		set_certificate(c);
		decide(c);
	} else if (take_scheme(header, "Basic", &rest)) {
		begin_basic(c, rest, logged_in);
	} else if (take_scheme(header, "Bearer", &rest)) {
		if (check_bearer(c, rest, &err) == 0)
			decide(c);
		else if (!wait_for_keys(c, rest))
			refuse_unknown(c, "invalid_token", err.msg);
	} else {
		refuse_unknown(c, NULL, "only Basic and Bearer are known here");
	}
}

/* ---- the token server ---- */

static void add_words(struct arena *a, struct doc *entry, unsigned may)
{
	struct doc *list = doc_set_array(a, entry, "actions");

	if (may & MAY_PULL)
		doc_append_str(a, list, "pull");
	if (may & MAY_PUSH)
		doc_append_str(a, list, "push");
	if (may & MAY_DELETE)
		doc_append_str(a, list, "delete");
}

/* What is asked, cut to what may be. */
static struct doc *make_access(struct call *c, const struct query *q)
{
	struct doc *list = doc_new_array(c->a);
	const char *text;
	size_t n = 0;

	for (size_t i = 0; (text = query_nth(q, "scope", i)); i++) {
		struct slice rest = slice_str(text);

		while (rest.p && n < TOKEN_SCOPES_MAX) {
			struct scope s;
			struct doc *e;
			unsigned may;

			if (!scope_parse(c->a, slice_split(&rest, ' '), &s))
				continue;
			n++;
			if (strcmp(s.type, "registry") == 0) {
				if (strcmp(s.name, "catalog") != 0 || s.actions != MAY_ALL)
					continue;
				e = doc_append_object(c->a, list);
				doc_set_str(c->a, e, "type", s.type);
				doc_set_str(c->a, e, "name", s.name);
				doc_append_str(c->a, doc_set_array(c->a, e, "actions"), "*");
				continue;
			}
			may = s.actions &
			      policy_may(c->g->auth->policy, c->who.name, &c->who.groups, s.name);
			if (!may || !content_name_ok(slice_str(s.name)))
				continue;
			e = doc_append_object(c->a, list);
			doc_set_str(c->a, e, "type", s.type);
			doc_set_str(c->a, e, "name", s.name);
			add_words(c->a, e, may);
		}
	}
	return list;
}

/* What was granted, as a POST's answer tells it: "repository:a/b:pull,push ...". */
static const char *scope_text(struct arena *a, const struct doc *access)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);

	DOC_EACH (e, access) {
		const char *sep = ":";

		(void)buf_addf(&b, "%s%s:%s", b.n ? " " : "", doc_cstr(a, doc_get(e, "type")),
			       doc_cstr(a, doc_get(e, "name")));
		DOC_EACH (word, doc_get(e, "actions")) {
			(void)buf_addf(&b, "%s%s", sep, doc_cstr(a, word));
			sep = ",";
		}
	}
	return arena_strdup(a, buf_str(&b));
}

static void send_token(struct call *c, const struct query *q, const char *given_refresh,
		       bool refresh)
{
	const struct auth *a = c->g->auth;
	int64_t now = clock_real();
	const struct account *acc =
		c->who.name ? policy_account(a->policy, c->who.name, now / NS_PER_SEC) : NULL;
	struct token_grant grant = { .name = c->who.name,
				     .service = a->service,
				     .hash = acc ? acc->hash : NULL,
				     .access = make_access(c, q),
				     .expires = acc ? acc->expires : INT64_MAX };
	CLEANUP(buf_fini)
	struct buf token = BUF_INIT(65536), again = BUF_INIT(8192), body = BUF_INIT(1 << 20);
	struct doc *d = doc_new_object(c->a);
	char stamp[CLOCK_TEXT_MAX];
	struct err err = ERR_INIT;

	if (token_issue(a->tokens, c->a, &grant, false, &token, &err) < 0 ||
	    (refresh && acc && token_issue(a->tokens, c->a, &grant, true, &again, &err) < 0)) {
		answer_err(c, &err, UNKNOWN, UNKNOWN);
		return;
	}
	doc_set_str(c->a, d, "token", buf_str(&token));
	doc_set_str(c->a, d, "access_token", buf_str(&token));
	doc_set_str(c->a, d, "token_type", "Bearer");
	doc_set_int(c->a, d, "expires_in", TOKEN_LIFE);
	doc_set_str(c->a, d, "issued_at", clock_rfc3339nano(stamp, now / NS_PER_SEC * NS_PER_SEC));
	if (strcmp(c->method, "POST") == 0) /* OAuth2: RFC 6749, 5.1 */
		doc_set_str(c->a, d, "scope", scope_text(c->a, grant.access));
	if (again.n || given_refresh)
		doc_set_str(c->a, d, "refresh_token", again.n ? buf_str(&again) : given_refresh);
	if (arena_exceeded(c->a) || json_write(d, NULL, &body, &err) < 0) {
		answer_error(c, UNKNOWN, "the token is too long");
		return;
	}
	(void)stream_set_header(c->s, "Cache-Control", "no-store");
	(void)stream_reply(c->s, 200, "application/json", body.p, body.n);
	buf_clear(&body);
}

static bool offline(const struct query *q)
{
	const char *type = query_get(q, "access_type");

	return query_bool(q, "offline_token", false) || (type && strcmp(type, "offline") == 0);
}

static bool right_service(struct call *c, const struct query *q)
{
	const char *service = query_get(q, "service");

	if (!service || !service[0] || strcmp(service, c->g->auth->service) == 0)
		return true;
	answer_error(c, DENIED, "service=%.100s: is not this one", service);
	return false;
}

static void token_logged_in(struct call *c, int result)
{
	if (result < 0) {
		refuse_login(c, result);
		return;
	}
	c->who = (struct who){ .name = c->user };
	send_token(c, &c->q, NULL, offline(&c->q));
}

static void token_by_refresh(struct call *c)
{
	const char *text = query_get(&c->q, "refresh_token");
	const struct auth *a = c->g->auth;
	const struct account *acc;
	struct err err = ERR_INIT;

	if (!text || token_refresh(a->tokens, c->a, slice_str(text), a->service, a->policy, &acc,
				   &err) < 0) {
		refuse_unknown(c, "invalid_token", text ? err.msg : "there is no refresh_token");
		return;
	}
	c->who = (struct who){ .name = acc->name };
	send_token(c, &c->q, text, false);
}

static void token_form(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	struct call *c = arg;
	const char *kind, *user, *password;

	(void)s;
	if (result < 0 || query_parse(c->a, body, &c->q, err) < 0) {
		answer_err(c, err, UNSUPPORTED, UNSUPPORTED);
		return;
	}
	kind = query_get(&c->q, "grant_type");
	user = query_get(&c->q, "username");
	password = query_get(&c->q, "password");
	if (!right_service(c, &c->q))
		return;
	if (kind && strcmp(kind, "refresh_token") == 0) {
		token_by_refresh(c);
	} else if (kind && strcmp(kind, "password") == 0 && user && password) {
		c->user = user;
		login_begin(c->g->auth->logins, c, user, slice_str(password), token_logged_in);
	} else {
		answer_error(c, UNSUPPORTED,
			     "grant_type must be password with username and password, or "
			     "refresh_token");
	}
}

void auth_token(struct call *c)
{
	struct slice header = stream_header(c->s, "Authorization"), rest;

	if (!c->g->auth->tokens || !c->g->auth->policy->closed) {
		answer_error(c, NAME_UNKNOWN, "no tokens are made here");
	} else if (strcmp(c->method, "POST") == 0) {
		stream_collect(c->s, FORM_MAX, token_form, c);
	} else if (strcmp(c->method, "GET") != 0) {
		answer_error(c, UNSUPPORTED, "%s is not for '/token'", c->method);
	} else if (!right_service(c, &c->q)) {
		return;
	} else if (!header.n) {
		set_certificate(c);
		send_token(c, &c->q, NULL, false);
	} else if (take_scheme(header, "Basic", &rest)) {
		begin_basic(c, rest, token_logged_in);
	} else {
		refuse_unknown(c, NULL, "a token is made for Basic credentials");
	}
}
