/* SPDX-License-Identifier: Apache-2.0 */
/* What connections have in common: identities by name, trust, protocols, versions. */
#include "base/clock.h"
#include "crypto/key.h"
#include "crypto/tls-priv.h"
#include "crypto/x509-priv.h"

#include <openssl/err.h>

#define CIPHERS_12                                                                                 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384:P-521"
#define TICKET_TIME (12 * 3600 * NS_PER_SEC)
#define NAMES_MAX 1024
#define CA_NAMES_MAX 64

/* ---- identities ---- */

static int check_chain(const struct tls_identity *id, struct err *err)
{
	const struct cert_info *own;
	CLEANUP(key_unref) struct key *k = NULL;
	int r;

	if (id->chain_n == 0 || !id->key)
		return err_set(err, ERR_INVALID, "a certificate and its key are needed");
	if (id->chain_n > CERT_CHAIN_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %u certificates in the chain",
			       CERT_CHAIN_MAX);
	own = cert_info(id->chain[0]);
	if (!key_is_private(id->key))
		return err_set(err, ERR_INVALID, "'%s': the key is a public one", own->subject);
	r = cert_key(id->chain[0], &k, err);
	if (r < 0)
		return r;
	if (!key_matches(k, id->key))
		return err_set(
			err, ERR_INVALID,
			"'%s': the key is not the one of the certificate; give the key that its "
			"request was made with",
			own->subject);
	for (size_t i = 0; i + 1 < id->chain_n; i++) {
		if (!cert_is_issued_by(id->chain[i], id->chain[i + 1]))
			return err_set(
				err, ERR_INVALID,
				"chain of '%s': certificate %zu ('%s') was not issued by the one "
				"that follows ('%s'); order it: own, its issuer, and so on",
				own->subject, i + 1, cert_info(id->chain[i])->subject,
				cert_info(id->chain[i + 1])->subject);
	}
	return 0;
}

static void add_names(struct identity *to, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n && to->names_n < NAMES_MAX; i++)
		to->names[to->names_n++] = OPENSSL_strdup(v[i]);
}

static int take_identity(struct tls_conf *conf, const struct tls_identity *id, struct err *err)
{
	struct identity *to = &conf->ids[conf->ids_n];
	const struct cert_info *own;
	size_t n;
	int r = check_chain(id, err);

	if (r < 0)
		return r;
	conf->ids_n++;
	own = cert_info(id->chain[0]);
	to->own = id->chain[0]->x;
	(void)X509_up_ref(to->own);
	to->key = id->key->pkey;
	(void)EVP_PKEY_up_ref(to->key);
	to->others = sk_X509_new_null();
	for (size_t i = 1; i < id->chain_n; i++) {
		(void)X509_up_ref(id->chain[i]->x);
		sk_X509_push(to->others, id->chain[i]->x);
	}
	n = id->names_n ? id->names_n : own->names.dns.n + own->names.ip.n;
	to->names = OPENSSL_zalloc(MAX(n, (size_t)1) * sizeof(*to->names));
	if (id->names_n) {
		add_names(to, id->names, MIN(n, (size_t)NAMES_MAX));
	} else {
		add_names(to, own->names.dns.v, own->names.dns.n);
		add_names(to, own->names.ip.v, own->names.ip.n);
	}
	conf->expires = MIN(conf->expires, own->not_after);
	return 0;
}

/* "*.example.org" covers one label, as in RFC 6125. */
static bool name_matches(const char *pattern, const char *name)
{
	const char *dot;

	if (pattern[0] != '*' || pattern[1] != '.')
		return slice_ieq(slice_str(pattern), slice_str(name));
	dot = strchr(name, '.');
	return dot && dot != name && slice_ieq(slice_str(pattern + 1), slice_str(dot));
}

static bool identity_is_for(const struct identity *id, const char *name, bool wild)
{
	for (size_t i = 0; i < id->names_n; i++) {
		if ((id->names[i][0] == '*') == wild && name_matches(id->names[i], name))
			return true;
	}
	return false;
}

static int show(SSL *ssl, const struct identity *id)
{
	return SSL_use_cert_and_key(ssl, id->own, id->key, id->others, 1) == 1;
}

/* Exact names before wildcards; all key types of the name; without a match what the context has. */
static int on_choose(SSL *ssl, void *arg)
{
	struct tls_conf *conf = tls_of(ssl)->conf;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	bool found = false;

	if (!name)
		return 1;
	for (int wild = 0; wild < 2 && !found; wild++) {
		for (size_t i = conf->ids_n; i-- > 0;) { /* so that the first of a type wins */
			if (!identity_is_for(&conf->ids[i], name, wild))
				continue;
			if (!found)
				SSL_certs_clear(ssl);
			found = true;
			if (!show(ssl, &conf->ids[i]))
				return 0;
		}
	}
	return 1;
}

/* The first identity, and those of other key types for the same names, serve who names no host. */
static int install_identities(struct tls_conf *conf, struct err *err)
{
	for (size_t i = conf->ids_n; i-- > 0;) {
		struct identity *id = &conf->ids[i], *first = &conf->ids[0];

		if (i > 0 && !(first->names_n && identity_is_for(id, first->names[0], false)))
			continue;
		if (SSL_CTX_use_cert_and_key(conf->ctx, id->own, id->key, id->others, 1) != 1)
			return ossl_err(err, ERR_INVALID, "certificate number %zu", i + 1);
	}
	if (conf->server && conf->ids_n > 1)
		SSL_CTX_set_cert_cb(conf->ctx, on_choose, NULL);
	return 0;
}

/* ---- protocols ---- */

static int take_alpn(struct tls_conf *conf, const struct tls_options *opt, struct err *err)
{
	if (opt->alpn_n > TLS_ALPN_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d protocols", TLS_ALPN_MAX);
	for (size_t i = 0; i < opt->alpn_n; i++) {
		size_t n = strlen(opt->alpn[i]);

		if (n == 0 || n > 31)
			return err_set(err, ERR_INVALID,
				       "protocol name '%.40s' is empty or too long", opt->alpn[i]);
		conf->alpn[conf->alpn_n++] = (unsigned char)n;
		memcpy(conf->alpn + conf->alpn_n, opt->alpn[i], n);
		conf->alpn_n += (unsigned)n;
	}
	return 0;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
		   const unsigned char *in, unsigned in_n, void *arg)
{
	const struct tls_conf *conf = arg;
	unsigned char *found = NULL;

	if (SSL_select_next_proto(&found, out_n, conf->alpn, conf->alpn_n, in, in_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static int install_protocols(struct tls_conf *conf, const struct tls_options *opt, struct err *err)
{
	int r = take_alpn(conf, opt, err);

	if (r < 0 || conf->alpn_n == 0)
		return r;
	if (conf->server)
		SSL_CTX_set_alpn_select_cb(conf->ctx, on_alpn, conf);
	else if (SSL_CTX_set_alpn_protos(conf->ctx, conf->alpn, conf->alpn_n) != 0)
		return ossl_err(err, ERR_SYSTEM, "protocols");
	return 0;
}

static int version_of(enum tls_version v, int otherwise)
{
	return v == TLS_1_2 ? TLS1_2_VERSION : v == TLS_1_3 ? TLS1_3_VERSION : otherwise;
}

static int install_versions(struct tls_conf *conf, const struct tls_options *opt, struct err *err)
{
	int min = version_of(opt->min, TLS1_2_VERSION), max = version_of(opt->max, TLS1_3_VERSION);

	if (min > max)
		return err_set(err, ERR_INVALID, "the lowest version of TLS is above the highest");
	SSL_CTX_set_security_level(conf->ctx, 2);
	if (!SSL_CTX_set_min_proto_version(conf->ctx, min) ||
	    !SSL_CTX_set_max_proto_version(conf->ctx, max) ||
	    !SSL_CTX_set_cipher_list(conf->ctx, CIPHERS_12) ||
	    !SSL_CTX_set_ciphersuites(conf->ctx, CIPHERS_13) ||
	    !SSL_CTX_set1_groups_list(conf->ctx, GROUPS))
		return ossl_err(err, ERR_SYSTEM, "versions and ciphers");
	SSL_CTX_set_options(conf->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					       SSL_OP_CIPHER_SERVER_PREFERENCE |
					       SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(conf->ctx, SSL_MODE_RELEASE_BUFFERS);
	return 0;
}

/* ---- trust and resumption ---- */

/* Names of CAs help clients to choose a certificate; without any, they choose freely. */
static void name_authorities(struct tls_conf *conf)
{
	STACK_OF(X509_OBJECT) * all;

	roots_give(conf->trust->roots, conf->trust->store, NULL);
	all = X509_STORE_get0_objects(conf->trust->store);
	for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
		X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));

		if (x)
			(void)SSL_CTX_add_client_CA(conf->ctx, x);
	}
}

static void install_trust(struct tls_conf *conf)
{
	int mode = SSL_VERIFY_NONE;

	if (!conf->server && !conf->insecure)
		mode = SSL_VERIFY_PEER;
	if (conf->server && conf->client_auth != TLS_CLIENT_NONE)
		mode = SSL_VERIFY_PEER;
	if (conf->client_auth == TLS_CLIENT_REQUIRE)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(conf->ctx, mode, NULL);
	SSL_CTX_set_cert_verify_callback(conf->ctx, tls_on_verify, NULL);
	if (conf->trust) {
		(void)SSL_CTX_set1_verify_cert_store(conf->ctx, conf->trust->store);
		if (conf->server && cert_pool_len(conf->trust) <= CA_NAMES_MAX)
			name_authorities(conf);
	}
}

/* A session may be resumed where the same clients would be let in. */
static void make_context(struct tls_conf *conf)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char trust[32] = { 0 }, mode = (unsigned char)conf->client_auth;

	if (conf->trust && conf->client_auth != TLS_CLIENT_NONE)
		cert_pool_digest(conf->trust, trust);
	(void)EVP_DigestInit_ex(ctx, ossl_algs()->sha256, NULL);
	(void)EVP_DigestUpdate(ctx, &mode, 1);
	(void)EVP_DigestUpdate(ctx, trust, sizeof(trust));
	(void)EVP_DigestFinal_ex(ctx, conf->context, NULL);
	EVP_MD_CTX_free(ctx);
}

static void install_resumption(struct tls_conf *conf, const struct tls_options *opt)
{
	int64_t time = opt->ticket_time > 0 ? opt->ticket_time : TICKET_TIME;

	make_context(conf);
	SSL_CTX_set_session_cache_mode(conf->ctx, SSL_SESS_CACHE_OFF);
	if (opt->no_resumption) {
		SSL_CTX_set_options(conf->ctx, SSL_OP_NO_TICKET);
		(void)SSL_CTX_set_num_tickets(conf->ctx, 0);
		return;
	}
	if (!conf->server) {
		conf->sessions = sessions_new();
		SSL_CTX_set_session_cache_mode(conf->ctx,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(conf->ctx, tls_on_session);
		return;
	}
	conf->tickets = opt->previous && opt->previous->tickets
				? tickets_ref(opt->previous->tickets)
				: tickets_new(time);
	tickets_install(conf->ctx);
	(void)SSL_CTX_set_num_tickets(conf->ctx, 1);
	(void)SSL_CTX_set_timeout(conf->ctx, (long)MAX(2 * time / NS_PER_SEC, (int64_t)1));
	(void)SSL_CTX_set_session_id_context(conf->ctx, conf->context, sizeof(conf->context));
}

/* ---- life ---- */

static int check_options(const struct tls_options *opt, struct err *err)
{
	if (opt->server && opt->ids_n == 0)
		return err_set(err, ERR_INVALID, "a server needs a certificate with its key");
	if (opt->ids_n > (opt->server ? TLS_IDENTITIES_MAX : 1u))
		return err_set(err, ERR_TOO_LARGE, "more than %u certificates",
			       opt->server ? TLS_IDENTITIES_MAX : 1u);
	if (!opt->server && !opt->trust && !opt->insecure)
		return err_set(
			err, ERR_INVALID,
			"a client needs a CA to verify servers with (or must be told to verify "
			"nothing)");
	if (opt->server && opt->client_auth != TLS_CLIENT_NONE && !opt->trust)
		return err_set(err, ERR_INVALID, "a CA is needed to verify clients with");
	return 0;
}

static int build(struct tls_conf *conf, const struct tls_options *opt, struct err *err)
{
	int r = install_versions(conf, opt, err);

	for (size_t i = 0; r == 0 && i < opt->ids_n; i++) {
		r = take_identity(conf, &opt->ids[i], err);
		if (r < 0 && opt->ids_n > 1)
			(void)err_wrap(err, "certificate number %zu", i + 1);
	}
	if (r == 0)
		r = install_identities(conf, err);
	if (r == 0)
		r = install_protocols(conf, opt, err);
	if (r < 0)
		return r;
	install_trust(conf);
	install_resumption(conf, opt);
	SSL_CTX_set_keylog_callback(conf->ctx, conf->server ? tls_on_keylog : NULL);
	return 0;
}

int tls_conf_new(const struct tls_options *opt, struct tls_conf **ret, struct err *err)
{
	CLEANUP(tls_conf_unref) struct tls_conf *conf = NULL;
	int r;

	crypto_init();
	r = check_options(opt, err);
	if (r < 0)
		return err_wrap(err, "TLS");
	conf = OPENSSL_zalloc(sizeof(*conf));
	conf->refs = 1;
	conf->ctx = SSL_CTX_new(opt->server ? TLS_server_method() : TLS_client_method());
	conf->ids = OPENSSL_zalloc(MAX(opt->ids_n, (size_t)1) * sizeof(*conf->ids));
	conf->server = opt->server;
	conf->insecure = opt->insecure;
	conf->client_auth = opt->server ? opt->client_auth : TLS_CLIENT_NONE;
	conf->trust = opt->trust ? cert_pool_ref(opt->trust) : NULL;
	conf->expires = INT64_MAX;
	if (!conf->ctx)
		return ossl_err(err, ERR_SYSTEM, "TLS");
	r = build(conf, opt, err);
	if (r < 0)
		return err_wrap(err, "TLS");
	*ret = STEAL(conf);
	return 0;
}

struct tls_conf *tls_conf_ref(struct tls_conf *conf)
{
	conf->refs++;
	return conf;
}

void tls_conf_unref(struct tls_conf *conf)
{
	if (!conf || --conf->refs > 0)
		return;
	SSL_CTX_free(conf->ctx);
	for (size_t i = 0; i < conf->ids_n; i++) {
		struct identity *id = &conf->ids[i];

		X509_free(id->own);
		sk_X509_pop_free(id->others, X509_free);
		EVP_PKEY_free(id->key);
		for (size_t k = 0; k < id->names_n; k++)
			OPENSSL_free(id->names[k]);
		OPENSSL_free(id->names);
	}
	OPENSSL_free(conf->ids);
	cert_pool_unref(conf->trust);
	tickets_unref(conf->tickets);
	sessions_free(conf->sessions);
	OPENSSL_free(conf);
}

bool tls_conf_is_server(const struct tls_conf *conf)
{
	return conf->server;
}

int64_t tls_conf_expires(const struct tls_conf *conf)
{
	return conf->expires;
}
