/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that we sign: access tokens of minutes, refresh tokens that end with the password. The key
 * is a file of the root that only we can read. */
#include "registry/auth.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/jwt.h"
#include "crypto/key.h"
#include "linux/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEY_DIR "registry"
#define KEY_FILE "registry/token-key.pem"
#define KEY_FILE_MAX 16384u
#define ACCESS_TYPE "at+jwt"
#define REFRESH_TYPE "rt+jwt"
#define ISSUER "teu-registry"
#define HASH_MARK 32 /* hex digits */

struct tokens {
	struct jwks *keys;
	char kid[JWK_THUMBPRINT + 1];
};

/* ---- the key ---- */

static int make_key(int root, struct key **ret, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf pem = BUF_INIT(KEY_FILE_MAX);
	CLEANUP(key_unref) struct key *k = NULL;
	int r;

	if (!buf_room(&pem, 4096)) /* it must not move */
		abort();
	r = key_generate(KEY_P256, 0, &k, err);
	if (r >= 0)
		r = key_write_pem(k, KEY_PRIVATE_PKCS8, &pem, err);
	if (r >= 0)
		r = fd_mkdir_p(root, KEY_DIR, 0700, err);
	if (r >= 0)
		r = fd_replace_file(root, KEY_FILE, pem.p, pem.n, 0600, err);
	if (r >= 0)
		*ret = STEAL(k);
	return r;
}

static int load_key(int root, struct key **ret, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf pem = BUF_INIT(KEY_FILE_MAX);
	struct stat st;
	int r;

	if (fstatat(root, KEY_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? make_key(root, ret, err) : err_sys(err, "look at it");
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		return err_set(err, ERR_INVALID,
			       "others than its owner can read it; make it 0600, "
			       "or remove it: then a new one is made");
	if (!buf_room(&pem, KEY_FILE_MAX))
		abort();
	r = fd_read_file(root, KEY_FILE, &pem, err);
	return r < 0 ? r : key_read(buf_slice(&pem), ret, err);
}

int tokens_new(const char *root, struct tokens **ret, struct err *err)
{
	CLEANUP(tokens_free) struct tokens *t = calloc(1, sizeof(*t));
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(fd_close) int dir = -1;
	int r;

	if (!t)
		abort();
	t->keys = jwks_new();
	dir = sys_openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	r = dir < 0 ? err_sys(err, "open '%s'", root) : load_key(dir, &k, err);
	if (r >= 0)
		r = jwk_thumbprint(k, t->kid, err);
	if (r >= 0)
		r = jwks_add(t->keys, k, t->kid, NULL, err);
	if (r < 0)
		return err_wrap(err, "the key that signs tokens, '%s/" KEY_FILE "'", root);
	*ret = STEAL(t);
	return 0;
}

void tokens_free(struct tokens *t)
{
	if (!t)
		return;
	jwks_free(t->keys);
	free(t);
}

/* ---- scopes ---- */

bool scope_parse(struct arena *a, struct slice text, struct scope *ret)
{
	const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL, *last = text.p + text.n;
	struct slice type, words;

	if (!colon)
		return false;
	while (last > colon + 1 && last[-1] != ':')
		last--;
	if (last <= colon + 2) /* no actions, or no name */
		return false;
	type = slice_of(text.p, (size_t)(colon - text.p));
	/* "repository(plugin)": a class in brackets says nothing to us */
	if (memchr(type.p, '(', type.n))
		type.n = (size_t)((const char *)memchr(type.p, '(', type.n) - type.p);
	*ret = (struct scope){ .type = arena_strndup(a, type.p, type.n),
			       .name = arena_strndup(a, colon + 1,
						     (size_t)(last - 1 - colon - 1)) };
	words = slice_of(last, (size_t)(text.p + text.n - last));
	while (words.p)
		ret->actions |= action_of(slice_split(&words, ','));
	return ret->type && ret->name &&
	       (strcmp(ret->type, "repository") == 0 || strcmp(ret->type, "registry") == 0);
}

unsigned token_access(const struct doc *access, const char *type, const char *name)
{
	unsigned may = 0;

	DOC_EACH (entry, access) {
		if (!doc_str_is(doc_get(entry, "type"), type) ||
		    !doc_str_is(doc_get(entry, "name"), name))
			continue;
		DOC_EACH (action, doc_get(entry, "actions"))
			may |= action_of(doc_slice(action));
	}
	return may;
}

/* ---- making ---- */

static void hash_mark(const char *hash, char out[HASH_MARK + 1])
{
	unsigned char digest[DIGEST_MAX];

	(void)digest_of(DIGEST_SHA256, slice_str(hash), digest);
	hex_encode(out, digest, HASH_MARK / 2);
}

int token_issue(const struct tokens *t, struct arena *a, const struct token_grant *g, bool refresh,
		struct buf *out, struct err *err)
{
	int64_t now = clock_real() / NS_PER_SEC, life = refresh ? TOKEN_REFRESH_LIFE : TOKEN_LIFE;
	struct doc *claims = doc_new_object(a);
	char mark[HASH_MARK + 1], id[33];

	random_hex(id, 32);
	doc_set_str(a, claims, "iss", ISSUER);
	doc_set_str(a, claims, "sub", g->name ? g->name : "");
	doc_set_str(a, claims, "aud", g->service);
	doc_set_int(a, claims, "exp", MIN(now + life, g->expires));
	doc_set_int(a, claims, "nbf", now - 5);
	doc_set_int(a, claims, "iat", now);
	doc_set_str(a, claims, "jti", id);
	if (g->hash) {
		hash_mark(g->hash, mark);
		doc_set_str(a, claims, "mark", mark);
	}
	if (!refresh && g->access)
		doc_set(a, claims, "access", *g->access);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	return jwt_sign(t->keys, t->kid, refresh ? REFRESH_TYPE : ACCESS_TYPE, claims, out, err);
}

/* ---- taking ---- */

static int verify(const struct tokens *t, struct arena *a, struct slice token, const char *service,
		  const char *type, struct jwt *ret, struct err *err)
{
	const char *const aud[] = { service };
	const struct jwt_check check = {
		.iss = ISSUER, .aud = aud, .aud_n = 1, .typ = type, .leeway = 5
	};

	return jwt_verify(t->keys, token, &check, a, ret, err);
}

/* The account that the token was made for is still what it was. */
static int check_account(const struct policy *p, const struct jwt *j, const struct account **ret,
			 struct err *err)
{
	struct slice had = doc_slice(doc_get(j->claims, "mark"));
	char mark[HASH_MARK + 1];

	*ret = policy_account(p, j->sub, clock_real() / NS_PER_SEC);
	if (!*ret)
		return err_set(err, ERR_UNAUTHORIZED, "its account is no more");
	hash_mark((*ret)->hash, mark);
	if (!secret_equal(had, slice_str(mark)))
		return err_set(err, ERR_UNAUTHORIZED, "the password was changed since");
	if (j->iat < (*ret)->tokens_from)
		return err_set(err, ERR_UNAUTHORIZED, "the account's tokens were revoked");
	return 0;
}

int token_check(const struct tokens *t, struct arena *a, struct slice token, const char *service,
		const struct policy *p, struct who *ret, int64_t *ret_expires, struct err *err)
{
	const struct account *acc;
	struct jwt j;
	int r = verify(t, a, token, service, ACCESS_TYPE, &j, err);

	if (r >= 0 && doc_get(j.claims, "mark"))
		r = check_account(p, &j, &acc, err);
	if (r < 0)
		return r;
	*ret = (struct who){ .name = j.sub[0] ? j.sub : NULL,
			     .access = doc_get(j.claims, "access"),
			     .token = true };
	if (!ret->access)
		ret->access = doc_new_array(a);
	*ret_expires = j.exp;
	return 0;
}

int token_refresh(const struct tokens *t, struct arena *a, struct slice token, const char *service,
		  const struct policy *p, const struct account **ret, struct err *err)
{
	struct jwt j;
	int r = verify(t, a, token, service, REFRESH_TYPE, &j, err);

	return r < 0 ? r : check_account(p, &j, ret, err);
}
