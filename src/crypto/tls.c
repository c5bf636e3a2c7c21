/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: OpenSSL's handshake through a BIO on the caller's buffers, then records.
 *
 * (1) OpenSSL reads without read-ahead: it takes from the caller's bytes no more than the record
 * that it works on. So, when a server's handshake is over, what is left begins with the first
 * record of application keys. (2) In the call that ends a server's handshake, all that OpenSSL
 * writes are session tickets, under the application key: their number is where our sequence begins.
 * (3) A failure is told once more on every later call.
 */
#include "base/err.h"
#include "base/hash.h"
#include "crypto/tls-priv.h"
#include "crypto/x509-priv.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define SECRETS_SIZE (2 * RECORD_SECRET_MAX)
#define IN_A_ROW_MAX 32 /* key updates, empty records without data between them */
#define GATHER 16384u

/* ---- OpenSSL's side of the buffers ---- */

static int bio_read(BIO *b, char *dst, int n)
{
	struct tls *t = BIO_get_data(b);
	size_t k = t->in ? MIN((size_t)MAX(n, 0), t->in->n) : 0;

	BIO_clear_retry_flags(b);
	if (k == 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	memcpy(dst, t->in->p, k);
	t->in->p += k;
	t->in->n -= k;
	return (int)k;
}

/* keeps (2): counts heads of records in what is written. */
static void count_records(struct tls *t, const char *p, size_t n)
{
	while (n > 0) {
		size_t k;

		if (t->flight_left == 0) {
			t->flight_head[t->flight_head_n++] = (uint8_t)*p++;
			n--;
			if (t->flight_head_n < RECORD_HEAD)
				continue;
			t->flight_left = (size_t)t->flight_head[3] << 8 | t->flight_head[4];
			t->flight_head_n = 0;
			t->flight_records++;
			continue;
		}
		k = MIN(n, t->flight_left);
		t->flight_left -= k;
		p += k;
		n -= k;
	}
}

static int bio_write(BIO *b, const char *p, int n)
{
	struct tls *t = BIO_get_data(b);
	size_t k = (size_t)MAX(n, 0);

	BIO_clear_retry_flags(b);
	if (k == 0)
		return 0;
	if (t->state == TLS_HANDSHAKE)
		count_records(t, p, k);
	memcpy(t->sink.room(t->sink.arg, k), p, k);
	t->sink.wrote(t->sink.arg, k);
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *p)
{
	return cmd == BIO_CTRL_FLUSH;
}

static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *bio_methods;

static void make_bio_method(void)
{
	bio_methods = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "caller's buffers");
	(void)BIO_meth_set_read(bio_methods, bio_read);
	(void)BIO_meth_set_write(bio_methods, bio_write);
	(void)BIO_meth_set_ctrl(bio_methods, bio_ctrl);
}

static BIO *make_bio(struct tls *t)
{
	BIO *b;

	(void)pthread_once(&bio_once, make_bio_method);
	b = BIO_new(bio_methods);
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	return b;
}

/* ---- what OpenSSL tells ---- */

void tls_on_keylog(const SSL *ssl, const char *line)
{
	static const char *const labels[] = { "CLIENT_TRAFFIC_SECRET_0 ",
					      "SERVER_TRAFFIC_SECRET_0 " };
	struct tls *t = tls_of(ssl);
	const char *hex;

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (strncmp(line, labels[i], strlen(labels[i])) != 0)
			continue;
		hex = strrchr(line, ' ') + 1;
		if (!t->secrets)
			t->secrets = OPENSSL_zalloc(SECRETS_SIZE);
		if (strlen(hex) <= 2 * (size_t)RECORD_SECRET_MAX &&
		    hex_decode(t->secrets + i * RECORD_SECRET_MAX, slice_str(hex)) == 0)
			t->secrets_known |= (uint8_t)(1u << i);
	}
}

int tls_on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = tls_of(ssl);

	if (!t->peer || !SSL_SESSION_is_resumable(session))
		return 0;
	sessions_put(t->conf->sessions, t->peer, session);
	return 1; /* taken */
}

static int keep_chain(struct tls *t, STACK_OF(X509) * all, struct err *err)
{
	int n = sk_X509_num(all);

	if (n > CERT_CHAIN_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u certificates are shown",
			       CERT_CHAIN_MAX);
	t->chain = OPENSSL_zalloc((size_t)MAX(n, 1) * sizeof(struct cert *));
	for (int i = 0; i < n; i++) {
		X509 *x = sk_X509_value(all, i);
		int r;

		(void)X509_up_ref(x);
		r = cert_wrap(x, &t->chain[i], err);
		if (r < 0)
			return r;
		t->info.chain_n++;
	}
	t->info.chain = t->chain;
	return 0;
}

int tls_on_verify(X509_STORE_CTX *ctx, void *arg)
{
	struct tls *t =
		tls_of(X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx()));
	struct cert_check check = { .purpose = t->conf->server ? CERT_FOR_CLIENT : CERT_FOR_SERVER,
				    .name = t->name };
	struct err err = ERR_INIT;
	int r = keep_chain(t, X509_STORE_CTX_get0_untrusted(ctx), &err);

	if (r == 0 && t->conf->insecure) {
		t->info.reason = "it was not verified, as asked for";
		return 1;
	}
	check.chain = t->chain;
	check.chain_n = t->info.chain_n;
	if (r == 0)
		r = verify_run(ctx, &check, &err);
	else
		X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_REJECTED);
	t->info.verified = r == 0;
	if (r == 0)
		return 1;
	t->reason = OPENSSL_strdup(err.msg);
	t->info.reason = t->reason;
	if (t->conf->client_auth == TLS_CLIENT_ASK)
		return 1;
	t->why = OPENSSL_memdup(&err, sizeof(err));
	t->why->causes = NULL;
	return 0;
}

/* ---- life ---- */

/* The name is asked for (addresses are not, RFC 6066 3), and a session of that peer resumed. */
static void set_up_client(struct tls *t, const char *name, uint16_t port)
{
	char peer[TLS_NAME_MAX + 16];
	unsigned char addr[16];
	SSL_SESSION *session;

	SSL_set_connect_state(t->ssl);
	(void)snprintf(peer, sizeof(peer), "%s:%u", name ? name : "", port);
	t->name = name ? OPENSSL_strdup(name) : NULL;
	t->peer = OPENSSL_strdup(peer);
	if (name && name[0] && address_bytes(name, addr) == 0)
		(void)SSL_set_tlsext_host_name(t->ssl, name); /* refused only if too long */
	session = t->conf->sessions ? sessions_take(t->conf->sessions, peer) : NULL;
	if (session)
		(void)SSL_set_session(t->ssl, session);
	SSL_SESSION_free(session);
}

int tls_new(struct tls_conf *conf, const char *name, uint16_t port, const struct tls_sink *sink,
	    struct tls **ret, struct err *err)
{
	CLEANUP(tls_free) struct tls *t = OPENSSL_zalloc(sizeof(*t));
	BIO *bio;

	t->conf = tls_conf_ref(conf);
	t->sink = *sink;
	t->kernel_fd = -1;
	t->key_limit = RECORD_KEY_LIMIT;
	if (!conf->server && !name && !conf->insecure)
		return err_set(err, ERR_INVALID, "TLS: a name is needed to verify the server with");
	if (name && strlen(name) > TLS_NAME_MAX)
		return err_set(err, ERR_INVALID, "TLS: a host name of more than %d bytes",
			       TLS_NAME_MAX);
	t->ssl = SSL_new(conf->ctx);
	if (!t->ssl)
		return ossl_err(err, ERR_SYSTEM, "TLS");
	SSL_set_app_data(t->ssl, t);
	bio = make_bio(t);
	SSL_set_bio(t->ssl, bio, bio);
	if (conf->server)
		SSL_set_accept_state(t->ssl);
	else
		set_up_client(t, name, port);
	*ret = STEAL(t);
	return 0;
}

static void drop_ssl(struct tls *t)
{
	/* OpenSSL takes a session for spoilt when its connection is freed without close_notify. */
	if (t->ssl && t->state != TLS_HANDSHAKE && t->state != TLS_FAILED)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	t->ssl = NULL;
	OPENSSL_clear_free(t->secrets, SECRETS_SIZE);
	t->secrets = NULL;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	drop_ssl(t);
	record_fini(&t->rx);
	record_fini(&t->tx);
	for (size_t i = 0; i < t->info.chain_n; i++)
		cert_unref(t->chain[i]);
	OPENSSL_free(t->chain);
	OPENSSL_free(t->name);
	OPENSSL_free(t->peer);
	OPENSSL_free(t->why);
	OPENSSL_free(t->alpn);
	OPENSSL_free(t->sni);
	OPENSSL_free(t->reason);
	tls_conf_unref(t->conf);
	OPENSSL_clear_free(t, sizeof(*t));
}

/* keeps (3) */
static int failed(struct tls *t, const struct err *err)
{
	if (!t->why)
		t->why = OPENSSL_zalloc(sizeof(*t->why));
	*t->why = *err;
	t->why->causes = NULL;
	t->state = TLS_FAILED;
	return -(int)err->code;
}

static void write_record(struct tls *t, uint8_t type, const void *p, size_t n)
{
	struct slice v = slice_of(p, n);
	char *out = t->sink.room(t->sink.arg, n + RECORD_OVERHEAD);

	t->sink.wrote(t->sink.arg, record_seal(&t->tx, type, &v, n, out));
}

/* Our records: tells the peer, too. */
static int broken(struct tls *t, int alert, struct err *err, const char *why)
{
	unsigned char a[2] = { 2, (unsigned char)alert }; /* fatal */

	if (t->kernel)
		(void)tls_kernel_alert(t, a[0], a[1]); /* a courtesy: the socket closes anyway */
	else if (!t->closed)			       /* nothing follows close_notify */
		write_record(t, RECORD_ALERT, a, sizeof(a));
	(void)err_set(err, ERR_BAD_REQUEST, "TLS: %s", why);
	return failed(t, err);
}

static int ssl_failed(struct tls *t, struct err *err)
{
	static const char plain[] = "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n"
				    "Connection: close\r\n\r\n"
				    "Client sent an HTTP request to an HTTPS server.\n";
	unsigned long e = ERR_peek_last_error();
	struct err local = ERR_INIT;

	if (t->conf->server && ERR_GET_REASON(e) == SSL_R_HTTP_REQUEST) {
		memcpy(t->sink.room(t->sink.arg, sizeof(plain) - 1), plain, sizeof(plain) - 1);
		t->sink.wrote(t->sink.arg, sizeof(plain) - 1);
	}
	(void)tls_explain(t, &local);
	if (err)
		*err = local;
	return failed(t, &local);
}

/* ---- the end of a handshake ---- */

static char *copy_text(const unsigned char *p, size_t n)
{
	return n ? OPENSSL_strndup((const char *)p, n) : NULL;
}

static int keep_info(struct tls *t, struct err *err)
{
	const char *sni = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);
	STACK_OF(X509) * one;
	const unsigned char *alpn;
	X509 *peer;
	unsigned n;
	int r = 0;

	SSL_get0_alpn_selected(t->ssl, &alpn, &n);
	t->alpn = copy_text(alpn, n);
	t->sni = t->conf->server && sni ? OPENSSL_strdup(sni) : NULL;
	t->info.version = SSL_version(t->ssl) == TLS1_3_VERSION ? TLS_1_3 : TLS_1_2;
	t->info.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(t->ssl));
	t->info.resumed = SSL_session_reused(t->ssl) == 1;
	t->info.alpn = t->alpn ? t->alpn : "";
	t->info.sni = t->sni ? t->sni : t->name && !t->conf->server ? t->name : "";
	/* In 1.2 a ticket serves many times; in 1.3 another one comes (tls_on_session). */
	if (t->info.resumed && t->conf->sessions && t->info.version == TLS_1_2)
		sessions_put(t->conf->sessions, t->peer, SSL_get1_session(t->ssl));
	peer = SSL_get0_peer_certificate(t->ssl);
	if (t->chain || !peer)
		return 0;
	/* Resumed: the ticket (session) says who it was and whether that had been verified. */
	one = sk_X509_new_null();
	sk_X509_push(one, peer);
	r = keep_chain(t, one, err);
	sk_X509_free(one);
	t->info.verified = !t->conf->insecure && SSL_get_verify_result(t->ssl) == X509_V_OK;
	if (!t->info.verified)
		t->info.reason = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
	return r;
}

static int take_over_records(struct tls *t, struct err *err)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);
	const struct record_suite *suite = c ? record_suite(SSL_CIPHER_get_protocol_id(c)) : NULL;
	int r;

	if (!t->conf->server || t->info.version != TLS_1_3 || !suite || t->secrets_known != 3)
		return 0;
	assert(t->flight_left == 0 && t->flight_head_n == 0);
	r = record_init(&t->rx, suite, t->secrets, false, err);
	if (r == 0)
		r = record_init(&t->tx, suite, t->secrets + RECORD_SECRET_MAX, true, err);
	if (r < 0)
		return r;
	t->tx.seq = t->flight_records; /* keeps (2) */
	drop_ssl(t);
	t->state = TLS_RECORDS;
	return 0;
}

static int handshake(struct tls *t, struct err *err)
{
	int r;

	ERR_clear_error();
	t->flight_records = 0;
	r = SSL_do_handshake(t->ssl);
	if (r != 1) {
		r = SSL_get_error(t->ssl, r);
		return r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE ? 0
									     : ssl_failed(t, err);
	}
	t->state = TLS_OPENSSL;
	r = keep_info(t, err);
	if (r == 0)
		r = take_over_records(t, err);
	return r < 0 ? failed(t, err) : 0;
}

int tls_start(struct tls *t, struct err *err)
{
	struct err local = ERR_INIT;

	return t->conf->server ? 0 : handshake(t, err ? err : &local);
}

/* ---- our records in ---- */

/* RFC 8446 4.6.3: the only message that a client has to say. Our answer goes before our next data:
 * so a peer that asks again and again, and reads nothing, makes nothing grow here. */
static int key_update(struct tls *t, struct err *err)
{
	bool wanted = t->hs[4] == 1;

	if (t->hs[0] != SSL3_MT_KEY_UPDATE || t->hs[1] || t->hs[2] || t->hs[3] != 1)
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer sent a handshake message after the handshake");
	if (t->hs[4] > 1)
		return broken(t, SSL_AD_ILLEGAL_PARAMETER, err,
			      "the peer sent a broken key update");
	if (++t->updates > IN_A_ROW_MAX)
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer floods with key updates");
	t->hs_n = 0;
	if (record_update(&t->rx, err) < 0)
		return failed(t, err);
	if (!wanted || t->closed)
		return 0;
	if (t->kernel)
		return broken(t, SSL_AD_INTERNAL_ERROR, err,
			      "the peer wants new keys, which the kernel's TLS cannot take");
	t->update_due = true;
	return 0;
}

static int on_handshake(struct tls *t, const char *p, size_t n, struct err *err)
{
	size_t k = MIN(n, sizeof(t->hs) - t->hs_n);

	memcpy(t->hs + t->hs_n, p, k);
	t->hs_n = (uint8_t)(t->hs_n + k);
	if (n == 0 || k < n) /* empty, or something behind it under keys that have gone */
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer sent a handshake message after the handshake");
	return t->hs_n < sizeof(t->hs) ? 0 : key_update(t, err);
}

/* A record that brought nothing: not too many of them in a row. */
static int no_data(struct tls *t, struct err *err)
{
	if (++t->empties > IN_A_ROW_MAX)
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer floods with empty records");
	return 0;
}

static int on_alert(struct tls *t, const char *p, size_t n, struct err *err)
{
	if (n != 2)
		return broken(t, n ? SSL_AD_DECODE_ERROR : SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer sent a broken alert");
	if (p[1] == SSL_AD_CLOSE_NOTIFY) {
		t->peer_ended = true;
		return 0;
	}
	if (p[1] == SSL_AD_USER_CANCELLED) /* close_notify is to follow: it means nothing itself */
		return no_data(t, err);
	(void)err_set(err, tls_alert_code((unsigned char)p[1]), "TLS: the peer refused: %s",
		      tls_alert_text((unsigned char)p[1]));
	return failed(t, err);
}

/* A record was opened at p. Bytes of data, 0 for others. */
static ssize_t on_record(struct tls *t, uint8_t type, const char *p, size_t n, struct err *err)
{
	if (t->hs_n > 0 && type != RECORD_HANDSHAKE)
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer sent something within a handshake message");
	switch (type) {
	case RECORD_DATA:
		if (n > 0) {
			t->updates = t->empties = 0;
			return (ssize_t)n;
		}
		return no_data(t, err);
	case RECORD_ALERT: return on_alert(t, p, n, err);
	case RECORD_HANDSHAKE: return on_handshake(t, p, n, err);
	default:
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer sent a record of unknown type");
	}
}

/* The length of the whole record at in: 0 = not all there. */
static ssize_t record_at(struct tls *t, const struct tls_input *in, struct err *err)
{
	size_t n;

	if (in->n < RECORD_HEAD)
		return 0;
	if ((uint8_t)in->p[0] != RECORD_DATA)
		return broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
			      "the peer sent a record that is not sealed");
	n = (size_t)(uint8_t)in->p[3] << 8 | (uint8_t)in->p[4];
	if (n > TLS_RECORD_MAX - RECORD_HEAD)
		return broken(t, SSL_AD_RECORD_OVERFLOW, err,
			      "the peer sent a record that is too long");
	return in->n < RECORD_HEAD + n ? 0 : (ssize_t)(RECORD_HEAD + n);
}

static ssize_t records_read(struct tls *t, struct tls_input *in, char *dst, size_t room,
			    struct err *err)
{
	size_t got = 0;
	uint8_t type = 0;

	while (!t->peer_ended) {
		ssize_t len = record_at(t, in, err), n;

		if (len == 0 || (len > 0 && room - got < (size_t)len))
			break;
		if (len < 0)
			return got ? (ssize_t)got : len; /* keeps (3): told by the next call */
		n = record_open(&t->rx, in->p, (size_t)len, dst + got, &type);
		in->p += len;
		in->n -= (size_t)len;
		if (n == -1)
			n = broken(t, SSL_AD_BAD_RECORD_MAC, err, "a record arrived damaged");
		else if (n == -2)
			n = broken(t, SSL_AD_UNEXPECTED_MESSAGE, err,
				   "the peer sent a record of no type");
		else if (n == -3)
			n = broken(t, SSL_AD_RECORD_OVERFLOW, err,
				   "the peer sent a record that is too long");
		else
			n = on_record(t, type, dst + got, (size_t)n, err);
		if (n < 0)
			return got ? (ssize_t)got : n;
		got += (size_t)n;
	}
	if (t->peer_ended)
		in->n = 0; /* nothing that follows means anything */
	return (ssize_t)got;
}

/* ---- in ---- */

static ssize_t openssl_read(struct tls *t, char *dst, size_t room, struct err *err)
{
	int r, n;

	ERR_clear_error();
	n = SSL_read(t->ssl, dst, (int)MIN(room, (size_t)INT32_MAX));
	if (n > 0)
		return n;
	r = SSL_get_error(t->ssl, n);
	if (r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE)
		return 0;
	if (r == SSL_ERROR_ZERO_RETURN) {
		t->peer_ended = true;
		return 0;
	}
	return ssl_failed(t, err);
}

ssize_t tls_read(struct tls *t, struct tls_input *in, char *dst, size_t room, struct err *err)
{
	struct err local = ERR_INIT;
	ssize_t n = 0;

	err = err ? err : &local;
	assert(room >= TLS_RECORD_MAX);
	t->in = in;
	if (t->state == TLS_HANDSHAKE)
		n = handshake(t, err);
	if (n == 0) {
		switch (t->state) {
		case TLS_OPENSSL: n = openssl_read(t, dst, room, err); break;
		case TLS_RECORDS: n = records_read(t, in, dst, room, err); break;
		case TLS_FAILED:
			*err = *t->why;
			n = err_ret(err);
			break;
		default: break;
		}
	}
	t->in = NULL;
	return n;
}

/* ---- out ---- */

size_t tls_sealed_size(size_t n)
{
	/* TLS 1.2 has 8 bytes of nonce in each, and no type byte: also within 64. */
	return n + (n / RECORD_PLAIN_MAX + 1) * 64;
}

static struct slice *skip_empty(struct slice *v, unsigned *n)
{
	while (*n > 0 && v->n == 0) {
		v++;
		(*n)--;
	}
	return v;
}

/* Tells the peer that what follows is under new keys. */
static int new_keys(struct tls *t, struct err *err)
{
	static const unsigned char update[5] = { SSL3_MT_KEY_UPDATE, 0, 0, 1, 0 };

	write_record(t, RECORD_HANDSHAKE, update, sizeof(update));
	t->update_due = false;
	return record_update(&t->tx, err) < 0 ? failed(t, err) : 0;
}

static int records_write(struct tls *t, struct slice *v, unsigned n, size_t total, struct err *err)
{
	while (total > 0) {
		size_t k = MIN(total, (size_t)RECORD_PLAIN_MAX);
		char *out;
		int r = t->update_due || t->tx.seq >= t->key_limit ? new_keys(t, err) : 0;

		if (r < 0)
			return r;
		v = skip_empty(v, &n);
		out = t->sink.room(t->sink.arg, k + RECORD_OVERHEAD);
		t->sink.wrote(t->sink.arg, record_seal(&t->tx, RECORD_DATA, v, k, out));
		total -= k;
	}
	return 0;
}

static int openssl_write(struct tls *t, struct slice *v, unsigned n, struct err *err)
{
	char small[GATHER];
	size_t done;

	for (v = skip_empty(v, &n); n > 0; v = skip_empty(v, &n)) {
		struct slice piece = *v;

		ERR_clear_error();
		if (n > 1 && piece.n < sizeof(small)) {
			piece = slice_of(small, 0);
			while (n > 0 && piece.n < sizeof(small)) {
				size_t k = MIN(v->n, sizeof(small) - piece.n);

				memcpy(small + piece.n, v->p, k);
				piece.n += k;
				*v = slice_of(v->p + k, v->n - k);
				v = skip_empty(v, &n);
			}
		} else {
			v->n = 0;
		}
		if (SSL_write_ex(t->ssl, piece.p, piece.n, &done) != 1)
			return ssl_failed(t, err);
	}
	return 0;
}

#define PIECES_MAX 8u

int tls_write(struct tls *t, const struct slice *v, unsigned n, struct err *err)
{
	struct slice own[PIECES_MAX];
	struct err local = ERR_INIT;
	size_t total = 0;

	err = err ? err : &local;
	assert(n <= PIECES_MAX);
	if (t->state == TLS_FAILED) {
		*err = *t->why;
		return err_ret(err);
	}
	if (t->closed || !tls_ready(t))
		return err_set(err, ERR_UNAVAILABLE, "TLS: the connection %s",
			       t->closed ? "was closed for sending" : "is not ready");
	for (unsigned i = 0; i < n; i++) {
		own[i] = v[i];
		total += v[i].n;
	}
	assert(!t->kernel);
	return t->state == TLS_RECORDS ? records_write(t, own, n, total, err)
				       : openssl_write(t, own, n, err);
}

bool tls_ready(const struct tls *t)
{
	return t->state == TLS_OPENSSL || t->state == TLS_RECORDS;
}

bool tls_peer_ended(const struct tls *t)
{
	return t->peer_ended;
}

const struct tls_info *tls_get_info(const struct tls *t)
{
	return &t->info;
}
