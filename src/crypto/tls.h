/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and 1.3 without sockets: bytes in, bytes out. Specs: RFC 8446, 5246, 5077, 6066, 7301.
 *
 * A tls_conf says who we are and whom we trust; it is immutable and counted, so that a server is
 * reloaded by using another one for the connections to come. A tls is one connection: the caller
 * moves ciphertext between it and a socket. OpenSSL makes the handshakes. Once a server's TLS 1.3
 * handshake is over, its records are sealed and opened here (record.h) with keys of our own
 * derivation, and OpenSSL's connection is freed: an idle connection is then small, and its keys can
 * be given to the kernel (tls_offload).
 *
 * A tls belongs to one thread; tls_conf may be shared by threads.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cert;
struct cert_pool;
struct err;
struct iovec;
struct key;
struct tls;
struct tls_conf;

/* ---- configuration ---- */

enum tls_version { TLS_DEFAULT = 0, TLS_1_2 = 12, TLS_1_3 = 13 };

/* What a server asks of its clients. */
enum tls_client_auth {
	TLS_CLIENT_NONE = 0, /* no certificate is asked for */
	TLS_CLIENT_ASK, /* any, or none; the verdict is in tls_info for the one who authenticates */
	TLS_CLIENT_VERIFY,  /* none, or one that verifies: else the handshake fails */
	TLS_CLIENT_REQUIRE, /* one that verifies */
};

/* A certificate with its key. */
struct tls_identity {
	struct cert *const
		*chain; /* own certificate first, then what leads to the root; borrowed */
	size_t chain_n;
	struct key *key; /* borrowed */
	/* Names it is shown for ("a.example.org", "*.example.org"). None: its DNS names and
	 * addresses. */
	const char *const *names;
	size_t names_n;
};

#define TLS_IDENTITIES_MAX 256
#define TLS_ALPN_MAX 8

/* Zero is the default in brackets. All is copied or referenced: nothing need outlive the call. */
struct tls_options {
	bool server;
	/* A server has at least one: the first is shown to clients that name no host or an unknown
	 * one. Several for one name are offered by key type. A client has at most one. */
	const struct tls_identity *ids;
	size_t ids_n;
	/* Who may sign the peer's certificate, with revocation lists; immutable from here on. A
	 * client needs one unless insecure, a server if it verifies. */
	struct cert_pool *trust;
	enum tls_client_auth client_auth;
	bool insecure; /* client: the server's certificate is not verified */
	/* By preference: "h2", "http/1.1". A client that offers only others is refused. */
	const char *const *alpn;
	size_t alpn_n;
	enum tls_version min, max; /* [1.2, 1.3] */
	bool no_resumption;	   /* no tickets are given or used */
	int64_t ticket_time; /* life of a ticket's key in ns [12 h]; tickets live up to twice that
			      */
	/* Reload: tickets that this one gave are still taken, if trust and client_auth are the
	 * same. */
	struct tls_conf *previous;
};

/* INVALID names the identity and what is wrong (key of another certificate, weak key, order of the
 * chain). */
int tls_conf_new(const struct tls_options *opt, struct tls_conf **ret, struct err *err);
struct tls_conf *tls_conf_ref(struct tls_conf *conf);
void tls_conf_unref(struct tls_conf *conf); /* NULL is fine */
DEFINE_CLEANUP(struct tls_conf *, tls_conf_unref)
bool tls_conf_is_server(const struct tls_conf *conf);
/* Earliest end of validity among its certificates, in seconds since 1970; INT64_MAX without any. */
int64_t tls_conf_expires(const struct tls_conf *conf);

/* ---- a connection ---- */

/* Where records to be sent are written: room gives at least n bytes (never NULL), wrote says how
 * many were used, at once afterwards. */
struct tls_sink {
	char *(*room)(void *arg, size_t n);
	void (*wrote)(void *arg, size_t n);
	void *arg;
};

#define TLS_NAME_MAX 255

/* Client: name is what the server's certificate must be for (host or address, without port) and
 * selects the session to resume together with port; it may be NULL only if the conf is insecure.
 * Server: NULL, 0. Ciphertext is written to sink during tls_start, tls_read, tls_write, tls_close.
 */
int tls_new(struct tls_conf *conf, const char *name, uint16_t port, const struct tls_sink *sink,
	    struct tls **ret, struct err *err);
void tls_free(struct tls *t);
DEFINE_CLEANUP(struct tls *, tls_free)
/* Client: writes the first flight. Nothing happens on a server. */
int tls_start(struct tls *t, struct err *err);

/* The longest record: what an input buffer must be able to hold contiguously. */
#define TLS_RECORD_MAX (5u + 16384u + 256u)

/*
 * Takes ciphertext from *in (advancing it; the bytes of whole records may be overwritten) and
 * writes plaintext to dst, at most room bytes. Returns their number; 0: what is left in *in (less
 * than a record) does not suffice, or the peer has ended (tls_peer_ended). room must be at least
 * TLS_RECORD_MAX, so that any record fits. Negative: the connection is broken and an alert was
 * written to the sink; the message says what failed and what to do. Handshakes advance here.
 */
struct tls_input {
	char *p;
	size_t n;
};
ssize_t tls_read(struct tls *t, struct tls_input *in, char *dst, size_t room, struct err *err);

/*
 * Seals v into as few records as possible. All is taken. Only when tls_ready; -ERR_UNAVAILABLE
 * after tls_close or a failure. More than a few records at once is a matter of the sink's memory.
 */
int tls_write(struct tls *t, const struct slice *v, unsigned n, struct err *err);
/* Bytes that n plaintext bytes become at most. */
size_t tls_sealed_size(size_t n);
/* Half-close: writes close_notify. Reading goes on. During a handshake: ends it. */
void tls_close(struct tls *t);

bool tls_ready(const struct tls *t); /* the handshake is over: tls_write and tls_get_info work */
bool tls_peer_ended(const struct tls *t); /* close_notify came: an orderly end of what it sends */
/* ---- who is there (after tls_ready; borrowed, lives as long as the connection) ---- */

struct tls_info {
	enum tls_version version;
	const char *cipher; /* "TLS_AES_128_GCM_SHA256" */
	const char *alpn;   /* negotiated, "" if none */
	const char *sni;    /* name that the client asked for, "" if none */
	bool resumed;
	/* The peer's certificate, NULL if it showed none; chain as shown, own first. */
	struct cert *const *chain;
	size_t chain_n;
	bool verified;	    /* up to a root of trust, for its purpose and (client) name */
	const char *reason; /* why it did not verify, for people; NULL if verified or none */
};
const struct tls_info *tls_get_info(const struct tls *t);

/* ---- the kernel's TLS ---- */

/*
 * Gives what is sent to the kernel (TCP_ULP "tls"): 1 = from now on plaintext is written to fd with
 * tls_kernel_send and the sink gets nothing any more (tls_close sends its alert by itself); 0 =
 * not possible here (kernel, cipher, version, Unix socket): go on as before. Call when all
 * ciphertext written so far was sent. Receiving stays here.
 */
int tls_offload(struct tls *t, int fd);
bool tls_is_offloaded(const struct tls *t);
/* Offloaded: sends what the socket takes, as sendmsg without waiting. EPIPE: the key has sealed as
 * much as it may and the kernel takes no other one; close the connection. */
ssize_t tls_kernel_send(struct tls *t, struct iovec *v, unsigned n);
/* The same with a file's bytes, as sendfile. */
ssize_t tls_kernel_send_file(struct tls *t, int fd, uint64_t at, size_t n);
/* Offloaded, after tls_close: true while the socket has no room for close_notify; each call tries
 * again. Not offloaded: false. */
bool tls_close_held(struct tls *t);
