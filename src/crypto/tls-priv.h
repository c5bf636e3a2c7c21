/* SPDX-License-Identifier: Apache-2.0 */
/* Private to crypto: the insides of configurations and connections. */
#pragma once

#include "base/list.h"
#include "crypto/ossl.h"
#include "crypto/record.h"
#include "crypto/tls.h"
#include "crypto/x509.h"

#include <openssl/ssl.h>
#include <pthread.h>

/* ---- tickets (tls-ticket.c) ---- */

/* Keys of tickets; shared by the configurations of one server over its reloads. */
struct tls_tickets;
struct tls_tickets *tickets_new(int64_t time);
struct tls_tickets *tickets_ref(struct tls_tickets *t);
void tickets_unref(struct tls_tickets *t);
void tickets_install(SSL_CTX *ctx);

/* Sessions that a client may resume, by host and port. */
struct tls_sessions;
struct tls_sessions *sessions_new(void);
void sessions_free(struct tls_sessions *s);
/* Takes session. */
void sessions_put(struct tls_sessions *s, const char *peer, SSL_SESSION *session);
/* The caller's; NULL if none. A session is given once. */
SSL_SESSION *sessions_take(struct tls_sessions *s, const char *peer);

/* ---- configurations (tls-conf.c) ---- */

struct identity {
	X509 *own;
	STACK_OF(X509) * others;
	EVP_PKEY *key;
	char **names;
	size_t names_n;
};

struct tls_conf {
	atomic_uint refs;
	SSL_CTX *ctx;
	struct identity *ids;
	size_t ids_n;
	struct cert_pool *trust;
	enum tls_client_auth client_auth;
	bool server, insecure;
	unsigned char alpn[256]; /* wire form */
	unsigned alpn_n;
	int64_t expires;
	unsigned char context[32]; /* digest of what decides whether a session may be resumed */
	struct tls_tickets *tickets;
	struct tls_sessions *sessions;
};

/* ---- connections (tls.c) ---- */

enum tls_state {
	TLS_HANDSHAKE,
	TLS_OPENSSL, /* records are OpenSSL's: TLS 1.2, clients */
	TLS_RECORDS, /* records are ours */
	TLS_FAILED,
};

struct tls {
	struct tls_conf *conf;
	struct tls_sink sink;
	SSL *ssl;
	struct tls_input *in; /* only during a call */
	enum tls_state state;
	bool closed, peer_ended, kernel;
	bool update_due;	  /* the peer wants new keys before our next data */
	bool notify_due;	  /* offloaded: close_notify found no room in the socket */
	uint8_t hs_n, hs[5];	  /* begin of a handshake message of the peer */
	uint8_t updates, empties; /* in a row: bounded */
	size_t flight_left;	  /* of the record that is being written, and its head */
	uint8_t flight_head[5], flight_head_n;
	unsigned flight_records; /* written in this call */
	int kernel_fd;
	struct record_dir rx, tx;
	uint64_t key_limit, kernel_records; /* records of one key at most; of the kernel's so far */
	unsigned char *secrets; /* client's, server's: only between the key log and the end of the
				   handshake */
	uint8_t secrets_known;	/* bits: which */
	char *name, *peer;	/* client: host; key of sessions */
	struct err *why;	/* what verification found */
	struct tls_info info;
	char *alpn, *sni, *reason;
	struct cert **chain;
};

static inline struct tls *tls_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}
int tls_on_verify(X509_STORE_CTX *ctx, void *arg);
void tls_on_keylog(const SSL *ssl, const char *line);
int tls_on_session(SSL *ssl, SSL_SESSION *session);

/* What went wrong, for people (tls-err.c). Clears OpenSSL's queue. */
int tls_explain(struct tls *t, struct err *err);
const char *tls_alert_text(int alert);
enum err_code tls_alert_code(int alert);

/* Of an offloaded connection: 0, or -1 with errno (tls-kernel.c). */
int tls_kernel_alert(const struct tls *t, int level, int alert);
