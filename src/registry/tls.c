/* SPDX-License-Identifier: Apache-2.0 */
/* The certificates that the registry shows, and the clients' that it asks for. */
#include "crypto/tls.h"
#include "base/fd.h"
#include "crypto/aead.h"
#include "crypto/identity.h"
#include "crypto/x509.h"
#include "registry/private.h"

#include <fcntl.h>

#define PEM_MAX (256u << 10)

/* What is read on the way to a configuration. */
struct reading {
	struct identity own[TLS_IDENTITIES_MAX];
	struct tls_identity ids[TLS_IDENTITIES_MAX];
	struct cert_pool *trust;
};

static void reading_free(struct reading *rd)
{
	for (size_t i = 0; i < TLS_IDENTITIES_MAX; i++)
		identity_fini(&rd->own[i]);
	cert_pool_unref(rd->trust);
	free(rd);
}
DEFINE_CLEANUP(struct reading *, reading_free)

static int read_cert(struct reading *rd, size_t i, const char *path, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	int r = fd_read_file(AT_FDCWD, path, &b, err);

	if (r >= 0)
		r = identity_read_chain(&rd->own[i], buf_slice(&b), err);
	return r < 0 ? err_wrap(err, "--tls-cert %s", path) : 0;
}

static int read_key(struct reading *rd, size_t i, const char *path, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	int r;

	if (!buf_room(&b, PEM_MAX)) /* it must not move */
		abort();
	r = fd_read_file(AT_FDCWD, path, &b, err);
	if (r >= 0)
		r = identity_read_key(&rd->own[i], buf_slice(&b), err);
	return r < 0 ? err_wrap(err, "--tls-key %s", path) : 0;
}

static int read_trust(struct reading *rd, const char *path, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4u << 20);
	int r = fd_read_file(AT_FDCWD, path, &b, err);

	rd->trust = cert_pool_new();
	if (r >= 0)
		r = cert_pool_add_pem(rd->trust, buf_slice(&b), err);
	return r < 0 ? err_wrap(err, "--tls-client-ca %s", path) : 0;
}

static int read_identities(struct reading *rd, const struct registry_conf *conf, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < conf->ntls && r >= 0; i++) {
		r = read_cert(rd, i, conf->tls_certs[i], err);
		if (r >= 0)
			r = read_key(rd, i, conf->tls_keys[i], err);
		rd->ids[i] = identity_shown(&rd->own[i]);
	}
	if (r >= 0 && conf->tls_client_ca)
		r = read_trust(rd, conf->tls_client_ca, err);
	return r;
}

int tls_load(struct registry *g, struct err *err)
{
	static const char *const alpn[] = { "h2", "http/1.1" };
	const struct registry_conf *conf = &g->conf;
	CLEANUP(reading_free) struct reading *rd = NULL;
	struct tls_options opt = {
		.server = true, .alpn = alpn, .alpn_n = ARRAY_LEN(alpn), .previous = g->tls
	};
	struct tls_conf *tls;
	int r;

	if (!conf->ntls)
		return 0;
	if (conf->ntls > TLS_IDENTITIES_MAX)
		return err_set(err, ERR_QUOTA, "more than %d certificates", TLS_IDENTITIES_MAX);
	rd = calloc(1, sizeof(*rd));
	if (!rd)
		abort();
	r = read_identities(rd, conf, err);
	if (r < 0)
		return r;
	opt.ids = rd->ids;
	opt.ids_n = conf->ntls;
	opt.trust = rd->trust;
	if (rd->trust)
		opt.client_auth = registry_is_closed(g) ? TLS_CLIENT_VERIFY : TLS_CLIENT_REQUIRE;
	r = tls_conf_new(&opt, &tls, err);
	if (r < 0)
		return err_wrap(err, "--tls-cert");
	tls_conf_unref(g->tls);
	g->tls = tls;
	return http_server_set_tls(g->server, HTTP_ALL_LISTENERS, tls, err);
}
