/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resumption. A server keeps no sessions: they travel in tickets, sealed with a key that is
 * replaced every so often; tickets of the key before are still opened (RFC 5077). A client keeps a
 * bounded number of sessions, each for one use.
 */
#include "base/clock.h"
#include "base/hash.h"
#include "crypto/tls-priv.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define SESSIONS_MAX 64

struct ticket_key {
	unsigned char name[16], cipher[32], mac[32];
	int64_t born; /* 0 = none */
};

struct tls_tickets {
	atomic_uint refs;
	pthread_mutex_t lock;
	int64_t time;
	struct ticket_key now, before;
};

struct tls_tickets *tickets_new(int64_t time)
{
	struct tls_tickets *t = OPENSSL_zalloc(sizeof(*t));

	t->refs = 1;
	t->time = time;
	(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

struct tls_tickets *tickets_ref(struct tls_tickets *t)
{
	t->refs++;
	return t;
}

void tickets_unref(struct tls_tickets *t)
{
	if (!t || --t->refs > 0)
		return;
	(void)pthread_mutex_destroy(&t->lock);
	OPENSSL_clear_free(t, sizeof(*t));
}

/* Under the lock. */
static void rotate(struct tls_tickets *t)
{
	int64_t now = clock_mono();

	if (t->now.born && now - t->now.born < t->time)
		return;
	t->before = t->now;
	if (t->before.born && now - t->before.born >= 2 * t->time)
		OPENSSL_cleanse(&t->before, sizeof(t->before));
	random_bytes(&t->now, sizeof(t->now));
	t->now.born = MAX(now, 1);
}

/* The key to seal with, or the one of that name. 1 = current, 2 = the one before, 0 = none. */
static int find_key(struct tls_tickets *t, const unsigned char *name, struct ticket_key *ret)
{
	int r = 0;

	(void)pthread_mutex_lock(&t->lock);
	rotate(t);
	if (!name || memcmp(name, t->now.name, sizeof(t->now.name)) == 0) {
		*ret = t->now;
		r = 1;
	} else if (t->before.born && memcmp(name, t->before.name, sizeof(t->before.name)) == 0) {
		*ret = t->before;
		r = 2;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

static int on_ticket_key(SSL *ssl, unsigned char name[16], unsigned char *iv,
			 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	struct tls_tickets *t = tls_of(ssl)->conf->tickets;
	struct ticket_key k;
	OSSL_PARAM params[3];
	int r = find_key(t, seal ? NULL : name, &k);

	if (r == 0)
		return 0;
	if (seal) {
		memcpy(name, k.name, sizeof(k.name));
		random_bytes(iv, 16);
	}
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k.mac, sizeof(k.mac));
	params[1] =
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){ "sha256" }, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (!EVP_CipherInit_ex(cipher, ossl_algs()->aes256cbc, NULL, k.cipher, iv, seal) ||
	    !EVP_MAC_CTX_set_params(mac, params))
		r = -1;
	OPENSSL_cleanse(&k, sizeof(k));
	return r;
}

static int on_make(SSL *ssl, void *arg)
{
	return 1;
}

/* A session whose client certificate has ended meanwhile is made anew. */
static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *s, const unsigned char *name, size_t n,
				   SSL_TICKET_STATUS status, void *arg)
{
	X509 *peer = s ? SSL_SESSION_get0_peer(s) : NULL;

	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (peer && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	/* In 1.3 a client uses each ticket once: it gets another. */
	if (status == SSL_TICKET_SUCCESS && SSL_version(ssl) < TLS1_3_VERSION)
		return SSL_TICKET_RETURN_USE;
	return SSL_TICKET_RETURN_USE_RENEW;
}

void tickets_install(SSL_CTX *ctx)
{
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket_key);
	(void)SSL_CTX_set_session_ticket_cb(ctx, on_make, on_opened, NULL);
}

/* ---- sessions of clients ---- */

struct session {
	struct list link;
	char *peer;
	SSL_SESSION *s;
};

struct tls_sessions {
	pthread_mutex_t lock;
	struct list all; /* oldest first */
	unsigned n;
};

struct tls_sessions *sessions_new(void)
{
	struct tls_sessions *s = OPENSSL_zalloc(sizeof(*s));

	(void)pthread_mutex_init(&s->lock, NULL);
	list_init(&s->all);
	return s;
}

/* Under the lock. Returns its session. */
static SSL_SESSION *drop(struct tls_sessions *all, struct session *e)
{
	SSL_SESSION *s = e->s;

	list_del(&e->link);
	all->n--;
	OPENSSL_free(e->peer);
	OPENSSL_free(e);
	return s;
}

static struct session *first(struct tls_sessions *s)
{
	return CONTAINER_OF(s->all.next, struct session, link);
}

void sessions_free(struct tls_sessions *s)
{
	if (!s)
		return;
	while (s->n > 0)
		SSL_SESSION_free(drop(s, first(s)));
	(void)pthread_mutex_destroy(&s->lock);
	OPENSSL_free(s);
}

void sessions_put(struct tls_sessions *s, const char *peer, SSL_SESSION *session)
{
	struct session *e = OPENSSL_zalloc(sizeof(*e));
	SSL_SESSION *old = NULL;

	e->peer = OPENSSL_strdup(peer);
	e->s = session;
	(void)pthread_mutex_lock(&s->lock);
	if (s->n >= SESSIONS_MAX)
		old = drop(s, first(s));
	list_append(&s->all, &e->link);
	s->n++;
	(void)pthread_mutex_unlock(&s->lock);
	SSL_SESSION_free(old);
}

SSL_SESSION *sessions_take(struct tls_sessions *s, const char *peer)
{
	SSL_SESSION *found = NULL;

	(void)pthread_mutex_lock(&s->lock);
	/* The newest: a server may have replaced the key of older ones. */
	for (struct list *l = s->all.prev; l != &s->all && !found; l = l->prev) {
		struct session *e = CONTAINER_OF(l, struct session, link);

		if (strcmp(e->peer, peer) == 0) {
			l = l->next;
			found = drop(s, e);
		}
	}
	(void)pthread_mutex_unlock(&s->lock);
	return found;
}
