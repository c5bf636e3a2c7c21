/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who we are to a registry: challenges (RFC 9110, 11.6.1), Basic, and Docker's token flow: GET of
 * the realm with Basic credentials, or POST of a refresh token (OAuth2). Tokens are kept by scope
 * until shortly before their end, and shared by all requests.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "doc/json.h"
#include "image/fetch.h"
#include "image/remote-priv.h"
#include "io/url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOKEN_MAX (64u << 10)
#define TOKEN_LIFE_MIN 60
#define TOKENS_KEPT 256

/* ---- challenges ---- */

static bool token_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static struct slice skip(struct slice s, const char *set)
{
	while (s.n && strchr(set, s.p[0]) && s.p[0])
		s = slice_of(s.p + 1, s.n - 1);
	return s;
}

static struct slice take_token(struct slice *s)
{
	size_t n = 0;
	struct slice t;

	while (n < s->n && token_char(s->p[n]))
		n++;
	t = slice_of(s->p, n);
	*s = slice_of(s->p + n, s->n - n);
	return t;
}

/* A token or a quoted string; NULL when it is neither. */
static const char *take_value(struct arena *a, struct slice *s)
{
	char *v, *to;

	if (!s->n || s->p[0] != '"') {
		struct slice t = take_token(s);

		return t.n ? arena_strndup(a, t.p, t.n) : NULL;
	}
	v = to = arena_alloc(a, s->n);
	*s = slice_of(s->p + 1, s->n - 1);
	while (v && s->n && s->p[0] != '"') {
		if (s->p[0] == '\\' && s->n > 1)
			*s = slice_of(s->p + 1, s->n - 1);
		*to++ = s->p[0];
		*s = slice_of(s->p + 1, s->n - 1);
	}
	if (!v || !s->n || memchr(v, '\0', (size_t)(to - v)))
		return NULL;
	*s = slice_of(s->p + 1, s->n - 1);
	*to = '\0';
	return v;
}

static void set_param(struct challenge *c, struct slice name, const char *value)
{
	if (slice_ieq(name, SLICE("realm")))
		c->realm = value;
	else if (slice_ieq(name, SLICE("service")))
		c->service = value;
	else if (slice_ieq(name, SLICE("scope")))
		c->scope = value;
	else if (slice_ieq(name, SLICE("error")))
		c->error = value;
}

/* name=value pairs until the next scheme or the end. */
static bool take_params(struct arena *a, struct slice *s, struct challenge *c)
{
	for (;;) {
		struct slice before, name;
		const char *value;

		*s = skip(*s, " \t,");
		before = *s;
		name = take_token(s);
		*s = skip(*s, " \t");
		if (!name.n || !s->n || s->p[0] != '=') {
			*s = before; /* the next challenge */
			return true;
		}
		*s = skip(slice_of(s->p + 1, s->n - 1), " \t");
		value = take_value(a, s);
		if (!value)
			return false;
		set_param(c, name, value);
	}
}

int challenge_parse(struct arena *a, struct slice text, struct challenge *ret)
{
	bool found = false;

	*ret = (struct challenge){ 0 };
	for (;;) {
		struct challenge c = { 0 };
		struct slice scheme;

		text = skip(text, " \t,");
		scheme = take_token(&text);
		if (!scheme.n || !take_params(a, &text, &c))
			return found;
		if (slice_ieq(scheme, SLICE("Bearer")) && c.realm)
			c.kind = AUTH_BEARER;
		else if (slice_ieq(scheme, SLICE("Basic")))
			c.kind = AUTH_BASIC;
		if (c.kind > ret->kind)
			*ret = c;
		found |= c.kind != AUTH_NONE;
	}
}

/* ---- what is kept ---- */

static void token_free(struct token *t)
{
	free(t->scope);
	if (t->text)
		explicit_bzero(t->text, strlen(t->text));
	free(t->text);
	free(t);
}

void auth_fini(struct endpoint *e)
{
	while (e->tokens) {
		struct token *t = e->tokens;

		e->tokens = t->next;
		token_free(t);
	}
	free(e->realm);
	free(e->service);
	e->realm = e->service = NULL;
}

/* Under the lock. */
static struct token **find_token(struct endpoint *e, const char *scope)
{
	struct token **at = &e->tokens;

	while (*at && strcmp((*at)->scope, scope) != 0)
		at = &(*at)->next;
	return at;
}

static void keep_token(struct remote *r, struct endpoint *e, const char *scope, const char *text,
		       int64_t life)
{
	struct token *t = calloc(1, sizeof(*t)), **at;
	unsigned n = 0;

	if (!t || !(t->scope = strdup(scope)) || !(t->text = strdup(text)))
		abort();
	/* A tenth before its end, since it has a way to go. */
	t->until = clock_mono() + life * NS_PER_SEC * 9 / 10;
	pthread_mutex_lock(&r->lock);
	at = find_token(e, scope);
	if (*at) {
		struct token *old = *at;

		*at = old->next;
		token_free(old);
	}
	t->next = e->tokens;
	e->tokens = t;
	for (at = &e->tokens; *at && n < TOKENS_KEPT; n++)
		at = &(*at)->next;
	while (*at) {
		struct token *old = *at;

		*at = old->next;
		token_free(old);
	}
	pthread_mutex_unlock(&r->lock);
}

static const char *basic(const struct remote_auth *auth, struct arena *a)
{
	size_t n;
	char *plain, *coded;

	if (!auth->username || !auth->password)
		return NULL;
	plain = arena_printf(a, "%s:%s", auth->username, auth->password);
	if (!plain)
		return NULL;
	n = strlen(plain);
	coded = arena_alloc(a, BASE64_LEN(n) + 8);
	if (!coded)
		return NULL;
	memcpy(coded, "Basic ", 6);
	base64_encode(coded + 6, plain, n);
	explicit_bzero(plain, n);
	return coded;
}

const char *auth_header(struct remote *r, struct endpoint *e, const char *scope, struct arena *a)
{
	const char *v = NULL;

	/* A mirror never sees the registry's credentials. */
	if (r->conf.auth.registry_token && !e->mirror)
		return arena_printf(a, "Bearer %s", r->conf.auth.registry_token);
	pthread_mutex_lock(&r->lock);
	if (e->kind == AUTH_BASIC && !e->mirror) {
		v = basic(&r->conf.auth, a);
	} else if (e->kind == AUTH_BEARER) {
		const struct token *t = *find_token(e, scope ? scope : "");

		if (t && t->until > clock_mono())
			v = arena_printf(a, "Bearer %s", t->text);
	}
	pthread_mutex_unlock(&r->lock);
	return v;
}

/* ---- tokens ---- */

static int read_token(struct remote *r, struct endpoint *e, const char *scope, struct slice body,
		      const char **ret_refresh, struct arena *a, struct err *err)
{
	const struct json_options jo = { .max_depth = 16, .max_nodes = 4096 };
	int64_t life = TOKEN_LIFE_MIN;
	const char *text;
	struct doc *d;

	if (body.n > TOKEN_MAX || json_read(a, body, &jo, &d, NULL) < 0)
		return err_set(err, ERR_INVALID, "the token server's answer is no JSON");
	text = doc_cstr(a, doc_get(d, "token"));
	if (!text || !*text)
		text = doc_cstr(a, doc_get(d, "access_token"));
	if (!text || !*text || strpbrk(text, " \t\r\n"))
		return err_set(err, ERR_INVALID, "the token server's answer has no token");
	(void)doc_int64(doc_get(d, "expires_in"), &life);
	if (ret_refresh)
		*ret_refresh = doc_cstr(a, doc_get(d, "refresh_token"));
	keep_token(r, e, scope, text, MAX(MIN(life, (int64_t)86400), (int64_t)TOKEN_LIFE_MIN));
	return 0;
}

static void add_field(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	if (b->n)
		buf_addc(b, '&');
	buf_addf(b, "%s=", name);
	(void)url_encode(b, slice_str(value), false);
}

/* OAuth2: 1 = done, 0 = the server does not know it (404, 405): ask by GET. */
static int post_token(struct remote *r, struct endpoint *e, const struct challenge *c,
		      const char *scope, const char **ret_refresh, struct arena *a, struct err *err)
{
	CLEANUP(buf_fini) struct buf form = BUF_INIT(TOKEN_MAX);
	struct reply p = REPLY_INIT;
	struct ask q = { .method = "POST",
			 .path = c->realm,
			 .what = "token",
			 .headers = { { "Content-Type", "application/x-www-form-urlencoded" } },
			 .nheaders = 1,
			 .no_auth = true };
	int ret;

	add_field(&form, "grant_type", "refresh_token");
	add_field(&form, "service", c->service ? c->service : "");
	add_field(&form, "client_id", "teu");
	add_field(&form, "refresh_token", r->conf.auth.identity_token);
	add_field(&form, "scope", scope);
	q.body = buf_slice(&form);
	ret = remote_ask(r, &q, &p, err);
	explicit_bzero(form.p, form.n);
	if (ret >= 0 && (p.a.status == 404 || p.a.status == 405))
		ret = 0;
	else if (ret >= 0 && p.a.status != 200)
		ret = remote_failed(&q, &p, err);
	else if (ret >= 0)
		ret = read_token(r, e, scope, p.a.body, ret_refresh, a, err) < 0 ? err_ret(err) : 1;
	reply_fini(r, &p);
	return ret;
}

static int get_token(struct remote *r, struct endpoint *e, const struct challenge *c,
		     const char *scope, const char **ret_refresh, struct arena *a, struct err *err)
{
	CLEANUP(buf_fini) struct buf url = BUF_INIT(TOKEN_MAX);
	const char *auth = e->mirror ? NULL : basic(&r->conf.auth, a);
	struct reply p = REPLY_INIT;
	struct ask q = { .what = "token", .no_auth = true };
	struct slice rest = slice_str(scope);
	int ret;

	buf_adds(&url, c->realm);
	ret = c->service ? query_add(&url, "service", c->service) : 0;
	while (rest.p && ret >= 0) { /* one parameter for each */
		struct slice one = slice_split(&rest, ' ');

		if (one.n)
			ret = query_add(&url, "scope", arena_strndup(a, one.p, one.n));
	}
	if (auth && ret >= 0)
		ret = query_add(&url, "account", r->conf.auth.username);
	if (auth && ret >= 0)
		ret = query_add(&url, "client_id", "teu");
	if (ret_refresh && ret >= 0)
		ret = query_add(&url, "offline_token", "true");
	if (ret < 0)
		return err_set(err, ERR_INVALID, "the token server's address is too long");
	q.path = buf_str(&url);
	if (auth) {
		q.headers[0][0] = "Authorization";
		q.headers[0][1] = auth;
		q.nheaders = 1;
	}
	ret = remote_ask(r, &q, &p, err);
	if (ret >= 0 && p.a.status != 200)
		ret = remote_failed(&q, &p, err);
	else if (ret >= 0)
		ret = read_token(r, e, scope, p.a.body, ret_refresh, a, err);
	reply_fini(r, &p);
	return ret;
}

static int fetch_token(struct remote *r, struct endpoint *e, const struct challenge *c,
		       const char *scope, const char **ret_refresh, struct arena *a,
		       struct err *err)
{
	int ret = 0;

	/* Credentials for a token server leave in the clear only where that is allowed. */
	if (strncmp(c->realm, "https://", 8) != 0 && !e->plain_ok)
		return err_set(err, ERR_INVALID,
			       "the registry names the token server '%.200s', which is not HTTPS",
			       c->realm);
	if (r->conf.auth.identity_token && !e->mirror)
		ret = post_token(r, e, c, scope, ret_refresh, a, err);
	if (ret == 0)
		ret = get_token(r, e, c, scope, ret_refresh, a, err);
	return ret < 0 ? err_wrap(err, "ask '%.200s' for a token", c->realm) : 0;
}

static void set_kind(struct remote *r, struct endpoint *e, const struct challenge *c)
{
	pthread_mutex_lock(&r->lock);
	e->kind = c->kind;
	free(e->realm);
	free(e->service);
	e->realm = c->realm ? strdup(c->realm) : NULL;
	e->service = c->service ? strdup(c->service) : NULL;
	pthread_mutex_unlock(&r->lock);
}

static bool read_challenge(const struct reply *p, struct arena *a, struct challenge *ret)
{
	CLEANUP(buf_fini) struct buf all = BUF_INIT(64 << 10);

	for (size_t i = 0; i < p->a.headers_n; i++)
		if (slice_ieq(p->a.headers[i].name, SLICE("WWW-Authenticate"))) {
			buf_add(&all, p->a.headers[i].value.p, p->a.headers[i].value.n);
			buf_addc(&all, ',');
		}
	return challenge_parse(a, buf_slice(&all), ret) > 0;
}

void auth_prepare(struct remote *r, struct endpoint *e, const struct ask *q)
{
	CLEANUP(arena_free) struct arena *a = arena_new("token", 1u << 20);
	struct challenge c = { .kind = AUTH_BEARER };
	bool known;

	if (q->no_auth || !q->scope || (r->conf.auth.registry_token && !e->mirror))
		return;
	pthread_mutex_lock(&r->lock);
	known = e->kind == AUTH_BEARER && e->realm;
	if (known) {
		c.realm = arena_strdup(a, e->realm);
		c.service = e->service ? arena_strdup(a, e->service) : NULL;
	}
	pthread_mutex_unlock(&r->lock);
	if (known && c.realm && !auth_header(r, e, q->scope, a))
		(void)fetch_token(r, e, &c, q->scope, NULL, a, NULL);
}

int auth_answer(struct remote *r, struct endpoint *e, const struct ask *q, const struct reply *p,
		struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("challenge", 1u << 20);
	struct challenge c;
	const char *scope = q->scope;
	int ret;

	if (!read_challenge(p, a, &c))
		return 0;
	set_kind(r, e, &c);
	if (c.kind == AUTH_BASIC)
		return r->conf.auth.username && !e->mirror ? 1 : 0;
	if (!scope)
		scope = c.scope ? c.scope : "";
	ret = fetch_token(r, e, &c, scope, NULL, a, err);
	if (ret >= 0 && !q->scope && c.scope) /* it is looked for under the request's own */
		ret = fetch_token(r, e, &c, "", NULL, a, err);
	return ret < 0 ? ret : 1;
}

/* ---- login ---- */

int remote_login(struct remote *r, struct arena *a, const char **ret_identity, struct err *err)
{
	struct ask q = { .path = "/v2/", .what = "login", .no_auth = true };
	struct reply p = REPLY_INIT;
	struct challenge c = { 0 };
	int ret, status;

	*ret_identity = NULL;
	if (r->fetch)
		return fetch_login(r, a, ret_identity, err);
	ret = remote_ask(r, &q, &p, err);
	if (ret < 0)
		return ret;
	status = p.a.status;
	if (status == 401 && read_challenge(&p, a, &c)) {
		reply_fini(r, &p);
		set_kind(r, &r->own, &c);
		if (c.kind == AUTH_BEARER) {
			ret = fetch_token(r, &r->own, &c, "", ret_identity, a, err);
			if (ret < 0)
				return ret;
		}
		q.no_auth = false;
		ret = remote_ask(r, &q, &p, err);
		if (ret < 0)
			return ret;
		status = p.a.status;
	}
	ret = status == 200 ? 0 : remote_failed(&q, &p, err);
	reply_fini(r, &p);
	return ret;
}
