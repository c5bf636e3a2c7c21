/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: front proxy, certificate, bearer token, anonymous. The first that is right counts; if one
 * was shown and none is right, the request is refused, however much anonymous ones are allowed.
 */
#include "apiserver/auth/authn.h"

#include "apiserver/auth/account-token.h"
#include "apiserver/auth/authn-jwt.h"
#include "apiserver/auth/authn-webhook.h"
#include "apiserver/auth/bootstrap-token.h"
#include "apiserver/auth/header-extra.h"
#include "apiserver/auth/token-file.h"
#include "apiserver/outward/given.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "crypto/aead.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/stream.h"

#include <stdlib.h>

#define AUTHENTICATED "system:authenticated"
#define UNAUTHENTICATED "system:unauthenticated"
#define ANONYMOUS "system:anonymous"
#define WS_TOKEN "base64url.bearer.authorization.k8s.io."
/* Upstream's attribute of a subject for the user's uid (kubernetes/kubernetes, PR 127897). */
#define UID_OID "1.3.6.1.4.1.57683.2="
#define CREDENTIAL "authentication.kubernetes.io/credential-id"
#define VERDICTS_MAX 1024
#define VERDICT_GOOD (300 * NS_PER_SEC)
#define VERDICT_BAD (10 * NS_PER_SEC) /* it may become valid, a clock may be set */
#define TOKEN_MAX 65536

/* On a chain as it was shown. */
struct verdict {
	unsigned char chain[SHA256_LEN];
	bool good;
	int64_t until; /* real clock */
};

/* Certificates of clients, or of front proxies. */
struct trust {
	struct cert_pool *pool; /* NULL: none is believed */
	struct map verdicts;
	unsigned oldest; /* of ring: the one that goes next */
	struct verdict ring[VERDICTS_MAX];
};

struct authn {
	struct trust clients, fronts;
	struct authn_front front;
	struct given *file;
	struct token_file *tokens;
	int64_t look_every, looked; /* monotonic: whether the file has changed */
	struct account_tokens *accounts;
	struct authn_jwt *issuers;
	struct authn_webhook *webhook;
	const struct resources *rs;
	bool bootstrap, anonymous;
};

static int read_tokens(struct authn *n, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf text = BUF_INIT(GIVEN_MAX);
	struct token_file *t;

	if (given_read(n->file, &text, err) < 0 ||
	    token_file_read(buf_slice(&text), given_path(n->file), &t, err) < 0)
		return err_ret(err);
	token_file_free(n->tokens);
	n->tokens = t;
	return 0;
}

int authn_new(const struct authn_conf *conf, struct authn **ret, struct err *err)
{
	CLEANUP(authn_free) struct authn *n = calloc(1, sizeof(*n));

	if (!n)
		abort();
	map_init(&n->clients.verdicts);
	map_init(&n->fronts.verdicts);
	n->anonymous = conf->anonymous;
	n->bootstrap = conf->bootstrap;
	n->look_every = conf->token_file_look ? conf->token_file_look : NS_PER_SEC;
	if (conf->front)
		n->front = *conf->front;
	if (conf->clients)
		n->clients.pool = cert_pool_ref(conf->clients);
	if (conf->token_file &&
	    (given_open(conf->token_file, &n->file, err) < 0 || read_tokens(n, err) < 0))
		return err_wrap(err, "--token-auth-file");
	*ret = STEAL(n);
	return 0;
}

void authn_free(struct authn *n)
{
	if (!n)
		return;
	map_fini(&n->clients.verdicts);
	map_fini(&n->fronts.verdicts);
	cert_pool_unref(n->clients.pool);
	cert_pool_unref(n->fronts.pool);
	token_file_free(n->tokens);
	given_free(n->file);
	free(n);
}

static void set_trust(struct trust *t, struct cert_pool *pool)
{
	struct cert_pool *old = t->pool;

	t->pool = pool ? cert_pool_ref(pool) : NULL;
	cert_pool_unref(old);
	map_fini(&t->verdicts);
	map_init(&t->verdicts);
	for (unsigned i = 0; i < VERDICTS_MAX; i++)
		t->ring[i].until = 0;
}

void authn_set_clients(struct authn *n, struct cert_pool *clients)
{
	set_trust(&n->clients, clients);
}

void authn_set_fronts(struct authn *n, struct cert_pool *fronts)
{
	set_trust(&n->fronts, fronts);
}

void authn_set_objects(struct authn *n, const struct resources *rs)
{
	n->rs = rs;
}

void authn_set_accounts(struct authn *n, struct account_tokens *t)
{
	n->accounts = t;
}

void authn_set_issuers(struct authn *n, struct authn_jwt *t)
{
	n->issuers = t;
}

void authn_set_webhook(struct authn *n, struct authn_webhook *w)
{
	n->webhook = w;
}

/* ---- results ---- */

static int refuse(struct err *err)
{
	return err_set(err, ERR_UNAUTHORIZED, "Unauthorized");
}

/* groups and, unless one of them says it already, that the user is known. */
static int set_groups(struct arena *a, const char *const *groups, size_t n,
		      struct strategy_user *ret, struct err *err)
{
	const char **v = ARENA_ARRAY(a, const char *, n + 2);
	bool said = false;

	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < n; i++) {
		v[i] = groups[i];
		said |= strcmp(v[i], AUTHENTICATED) == 0 || strcmp(v[i], UNAUTHENTICATED) == 0;
	}
	if (!said)
		v[n] = AUTHENTICATED;
	ret->groups = v;
	return 0;
}

/* ---- certificates ---- */

static void chain_digest(const struct tls_info *t, unsigned char out[SHA256_LEN])
{
	struct sha256 s;

	sha256_init(&s);
	for (size_t i = 0; i < t->chain_n; i++)
		sha256_update(&s, cert_info(t->chain[i])->fingerprint, SHA256_HEX_LEN);
	sha256_final(&s, out);
}

static int64_t chain_end(const struct tls_info *t)
{
	int64_t end = INT64_MAX / NS_PER_SEC;

	for (size_t i = 0; i < t->chain_n; i++)
		end = MIN(end, cert_info(t->chain[i])->not_after);
	return end * NS_PER_SEC;
}

static bool verify(const struct trust *r, const struct tls_info *t)
{
	const struct cert_check check = {
		.pool = r->pool,
		.chain = t->chain,
		.chain_n = t->chain_n,
		.purpose = CERT_FOR_CLIENT,
	};
	struct err err = ERR_INIT;

	if (cert_verify(&check, &err) == 0)
		return true;
	log_debug("client certificate '%s' is not taken: %s", cert_info(t->chain[0])->subject,
		  err.msg);
	return false;
}

static bool is_trusted(struct trust *r, const struct tls_info *t)
{
	unsigned char d[SHA256_LEN];
	struct verdict *v;
	int64_t now = clock_real();

	chain_digest(t, d);
	v = map_get(&r->verdicts, slice_of((char *)d, sizeof(d)));
	if (v && now < v->until)
		return v->good;
	if (!v) {
		v = &r->ring[r->oldest++ % VERDICTS_MAX];
		if (v->until)
			(void)map_del(&r->verdicts, slice_of((char *)v->chain, SHA256_LEN));
		memcpy(v->chain, d, sizeof(d));
		(void)map_put(&r->verdicts, slice_of((char *)v->chain, SHA256_LEN), v);
	}
	v->good = verify(r, t);
	v->until = MAX(v->good ? MIN(now + VERDICT_GOOD, chain_end(t)) : now + VERDICT_BAD, 1);
	return v->good;
}

/* The uid attribute, as OpenSSL prints one that it has no name for: "OID=#" and the DER in hex. */
static int find_uid(const char *subject, struct arena *a, const char **ret)
{
	const char *p = strstr(subject, UID_OID);
	unsigned char der[2 + 127];
	struct slice hex;

	*ret = "";
	if (!p)
		return 0;
	p += strlen(UID_OID);
	if (*p++ != '#' || strstr(p, UID_OID))
		return -1;
	hex = slice_of(p, strspn(p, "0123456789abcdefABCDEF"));
	/* UTF8String or PrintableString of a short length */
	if (hex.n < 6 || hex.n / 2 > sizeof(der) || hex_decode(der, hex) < 0 ||
	    (der[0] != 0x0c && der[0] != 0x13) || der[1] != hex.n / 2 - 2)
		return -1;
	*ret = arena_strndup(a, (char *)der + 2, der[1]);
	return *ret && strlen(*ret) == der[1] ? 0 : -1;
}

static int note_credential(const struct cert_info *c, struct arena *a, struct strategy_user *ret,
			   struct err *err)
{
	struct doc *extra = doc_new_object(a), *ids = doc_set_array(a, extra, CREDENTIAL);

	if (!doc_append_str(a, ids, arena_printf(a, "X509SHA256=%s", c->fingerprint)))
		return arena_quota(a, err);
	ret->extra = extra;
	return 0;
}

/* 1: the user; 0: none was shown, or one that names nobody; -ERR_UNAUTHORIZED: not to be trusted.
 */
static int by_certificate(struct authn *n, struct stream *s, struct arena *a,
			  struct strategy_user *ret, struct err *err)
{
	const struct tls_info *t = stream_peer(s)->tls;
	const struct cert_info *c;

	if (!n->clients.pool || !t || !t->chain_n)
		return 0;
	if (!is_trusted(&n->clients, t))
		return refuse(err);
	c = cert_info(t->chain[0]);
	if (!*c->names.cn)
		return 0;
	ret->name = c->names.cn;
	if (find_uid(c->subject, a, &ret->uid) < 0)
		return refuse(err);
	if (set_groups(a, c->names.o.v, c->names.o.n, ret, err) < 0 ||
	    note_credential(c, a, ret, err) < 0)
		return err_ret(err);
	return 1;
}

/* ---- front proxies ---- */

static bool is_named(const struct http_header *h, const char *const *names)
{
	for (; names && *names; names++)
		if (slice_ieq(h->name, slice_str(*names)))
			return true;
	return false;
}

/* Of the first of these names that is there and says something; "" = none. */
static const char *first_value(struct stream *s, const char *const *names, struct arena *a)
{
	for (; names && *names; names++) {
		struct slice v = slice_trim(stream_header(s, *names));

		if (v.n)
			return arena_strndup(a, v.p, v.n);
	}
	return "";
}

static int front_groups(struct authn *n, struct stream *s, struct arena *a,
			struct strategy_user *ret, struct err *err)
{
	size_t nheaders, got = 0;
	const struct http_header *h = stream_headers(s, &nheaders);
	const char **v = ARENA_ARRAY(a, const char *, nheaders + 1);

	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < nheaders; i++) {
		struct slice one = slice_trim(h[i].value);

		if (!is_named(&h[i], n->front.groups) || !one.n)
			continue;
		v[got] = arena_strndup(a, one.p, one.n);
		if (!v[got++])
			return arena_quota(a, err);
	}
	return set_groups(a, v, got, ret, err);
}

/* 1: whom a proxy asks for; 0: no proxy, or for nobody. */
static int by_front(struct authn *n, struct stream *s, struct arena *a, struct strategy_user *ret,
		    struct err *err)
{
	const struct tls_info *t = stream_peer(s)->tls;
	const char *const *names = n->front.names;
	const char *name;

	if (!n->fronts.pool || !n->front.users || !t || !t->chain_n)
		return 0;
	name = first_value(s, n->front.users, a);
	if (!name)
		return arena_quota(a, err);
	if (!*name || !is_trusted(&n->fronts, t) ||
	    (names && *names && !str_is_one_of(cert_info(t->chain[0])->names.cn, names)))
		return 0;
	ret->name = name;
	ret->uid = first_value(s, n->front.uids, a);
	if (!ret->uid)
		return arena_quota(a, err);
	if (front_groups(n, s, a, ret, err) < 0 ||
	    header_extra(s, n->front.extras, a, &ret->extra, err) < 0)
		return err_ret(err);
	return 1;
}

/* ---- tokens ---- */

/* "Bearer TOKEN"; {NULL,0}: no token is shown there. */
static struct slice header_token(struct stream *s)
{
	struct slice text = slice_trim(stream_header(s, "Authorization")), scheme, token;

	scheme = slice_split(&text, ' ');
	token = slice_split(&text, ' ');
	return slice_ieq(scheme, SLICE("bearer")) && token.n ? token : (struct slice){ NULL, 0 };
}

/*
 * Browsers cannot set headers of a WebSocket: its token is among the subprotocols, of which there
 * must be another one that can be agreed on. 1 and the token; 0: none; negative: malformed.
 */
static int protocol_token(struct stream *s, struct arena *a, struct slice *ret, struct err *err)
{
	size_t n, others = 0, found = 0, len;
	const struct http_header *h = stream_headers(s, &n);
	char *text = NULL;

	if (!slice_ieq(stream_request(s)->upgrade, SLICE("websocket")))
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct slice list = h[i].value;

		if (!slice_ieq(h[i].name, SLICE("Sec-WebSocket-Protocol")))
			continue;
		while (list.p) {
			struct slice one = slice_trim(slice_split(&list, ','));

			if (!slice_starts(one, SLICE(WS_TOKEN))) {
				others += one.n != 0;
				continue;
			}
			one = slice_of(one.p + strlen(WS_TOKEN), one.n - strlen(WS_TOKEN));
			text = arena_alloc(a, one.n + 1);
			if (!text)
				return arena_quota(a, err);
			/* the URL's alphabet without padding, and no other */
			if (slice_has(one, '=') || slice_has(one, '+') || slice_has(one, '/') ||
			    base64_decode(text, &len, one) < 0)
				return refuse(err);
			found++;
		}
	}
	if (found == 0)
		return 0;
	if (found > 1 || others == 0 || len == 0)
		return refuse(err);
	*ret = slice_of(text, len);
	return 1;
}

/* A file that cannot be read stays what it was. */
static void refresh_tokens(struct authn *n)
{
	const int64_t now = clock_mono();
	struct err err = ERR_INIT;

	if (!n->file || now < n->looked + n->look_every)
		return;
	n->looked = now;
	if (!given_changed(n->file))
		return;
	if (read_tokens(n, &err) < 0)
		log_kv(LOG_LEVEL_ERROR, "token file was not read again, what it had stays", "error",
		       err.msg, NULL);
	else
		log_kv(LOG_LEVEL_INFO, "token file was read again", "file", given_path(n->file),
		       NULL);
}

/* Tokens that name no audience are for this server: for those of `wanted` that it is. */
static int for_us(const struct authn *n, const char *const *wanted, struct arena *a,
		  struct authn_found *ret, struct err *err)
{
	const char *const *own = n->accounts ? account_tokens_audiences(n->accounts) : NULL;
	const char **v;
	size_t len = 0, got = 0;

	while (own && own[len])
		len++;
	v = ARENA_ARRAY(a, const char *, len + 1);
	if (!v)
		return arena_quota(a, err);
	for (size_t i = 0; i < len; i++)
		if (!wanted || str_is_one_of(own[i], wanted))
			v[got++] = own[i];
	ret->audiences = v;
	return got || !wanted || !len ? 1 : 0;
}

static int by_file(struct authn *n, struct slice token, const char *const *wanted, struct arena *a,
		   struct authn_found *ret, struct err *err)
{
	const struct token_user *u;

	refresh_tokens(n);
	u = n->tokens ? token_file_find(n->tokens, token) : NULL;
	if (!u)
		return 0;
	/* the file may be read again while the request runs */
	ret->user.name = arena_strdup(a, u->name);
	ret->user.uid = arena_strdup(a, u->uid);
	if (!ret->user.name || !ret->user.uid ||
	    set_groups(a, u->groups, u->ngroups, &ret->user, err) < 0)
		return arena_quota(a, err);
	for (const char **g = (const char **)ret->user.groups; *g; g++)
		if (!(*g = arena_strdup(a, *g)))
			return arena_quota(a, err);
	return for_us(n, wanted, a, ret, err);
}

/* Tokens without audiences for this server: of nodes that join, and of other issuers. */
static int by_others(struct authn *n, struct slice token, const char *const *wanted, int64_t now,
		     struct arena *a, struct authn_found *ret, struct err *err)
{
	int r = 0;

	if (n->bootstrap && n->rs)
		r = bootstrap_token_check(n->rs, token, now, a, &ret->user, err);
	if (r == 0 && n->issuers)
		r = authn_jwt_check(n->issuers, token, wanted, now, a, ret, err);
	return r == 1 ? for_us(n, wanted, a, ret, err) : r;
}

static const char *const no_audiences[] = { NULL };

/* Last, as it costs most: also of what another one knew and did not take. */
static int by_webhook(struct authn *n, const struct authn_ask *q, struct arena *a,
		      struct authn_found *ret, struct err *err)
{
	const char *const *own = n->accounts ? account_tokens_audiences(n->accounts) : no_audiences;
	const char *const *groups;
	size_t len = 0;
	int r = authn_webhook_look(n->webhook, q->token, q->wanted ? q->wanted : own, own, q->memo,
				   a, ret, err);

	if (r != 1)
		return r;
	groups = ret->user.groups;
	while (groups[len])
		len++;
	return set_groups(a, groups, len, &ret->user, err) < 0 ? err_ret(err) : 1;
}

int authn_token(struct authn *n, const struct authn_ask *q, struct arena *a,
		struct authn_found *ret, struct err *err)
{
	const int64_t now = clock_real() / NS_PER_SEC;
	const struct slice token = q->token;
	struct err why = ERR_INIT;
	int r = 0, file, hook = 0;

	*ret = (struct authn_found){ .user.uid = "" };
	if (token.n > TOKEN_MAX)
		return 0;
	/* those of accounts first: they are most, and the file is looked at anew each time */
	if (n->accounts && slice_has(token, '.'))
		r = account_tokens_check(n->accounts, token, q->wanted, now, a, ret, &why);
	file = r != 1 && n->file ? by_file(n, token, q->wanted, a, ret, err) : 0;
	if (r == 0 && file == 0)
		r = by_others(n, token, q->wanted, now, a, ret, &why);
	if (r != 1 && file == 0 && n->webhook)
		hook = by_webhook(n, q, a, ret, r < 0 ? NULL : &why);
	if (hook > 0)
		return hook;
	if (r == 0 && file == 0)
		r = hook;
	if (r < 0 && !file && err)
		*err = why;
	return file ? file : r;
}

static int by_token(struct authn *n, struct stream *s, struct authn_memo *memo, struct arena *a,
		    struct authn_found *ret, struct err *err)
{
	struct authn_ask q = { .token = header_token(s), .memo = memo };
	int r = q.token.p ? 1 : protocol_token(s, a, &q.token, err);

	if (r <= 0)
		return r;
	r = authn_token(n, &q, a, ret, err);
	if (r == -ERR_UNAUTHORIZED)
		log_debug("a bearer token is not taken: %s", err->msg);
	return r == 0 ? refuse(err) : r;
}

/* ---- all ---- */

static bool takes_anonymous(const struct authn *n, struct stream *s)
{
	int r = n->issuers ? authn_jwt_anonymous(n->issuers, stream_request(s)->path) : -1;

	return r < 0 ? n->anonymous : r;
}

int authn_check(struct authn *n, struct stream *s, struct authn_memo *memo, struct arena *a,
		struct authn_found *ret, struct err *err)
{
	static const char *const nobody[] = { UNAUTHENTICATED, NULL };
	int by_cert, r;

	*ret = (struct authn_found){ .user.uid = "" };
	r = by_front(n, s, a, &ret->user, err);
	if (r != 0)
		return r == 1 ? 0 : r;
	by_cert = by_certificate(n, s, a, &ret->user, err);
	if (by_cert == 1)
		return 0;
	r = by_token(n, s, memo, a, ret, err);
	if (r == 1)
		return 0;
	if (r == AUTHN_WAITS)
		return r;
	if (r < 0 || by_cert < 0 || !takes_anonymous(n, s))
		return err && err->code && err->code != ERR_UNAUTHORIZED ? err_ret(err)
									 : refuse(err);
	*ret = (struct authn_found){
		.user = { .name = ANONYMOUS, .uid = "", .groups = nobody },
	};
	return 0;
}
