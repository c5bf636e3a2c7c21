/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections keep the certificates that they began with; new ones get the new (server_set_tls), so
 * nothing is cut by a renewal. Files that were given are read again when they, or the directory
 * that they lie in, change.
 */
#include "apiserver/auth/account-control.h"
#include "apiserver/auth/account-token.h"
#include "apiserver/auth/authn-webhook.h"
#include "apiserver/auth/authn.h"
#include "apiserver/auth/authz-chain.h"
#include "apiserver/boot.h"
#include "apiserver/bootstrap.h"
#include "apiserver/control.h"
#include "apiserver/encryption.h"
#include "apiserver/outside.h"
#include "apiserver/outward/given.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/aead.h"
#include "crypto/identity.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define PEM_MAX (1u << 20)
#define NAMES_MAX 64
#define LOOK_EVERY (3600 * NS_PER_SEC) /* clocks are set, machines sleep */
#define SETTLE (200 * NS_PER_MS)       /* several files are replaced one after the other */

/* ---- names that we are served by ---- */

struct names {
	const char *v[NAMES_MAX + 1];
	char text[NAMES_MAX][64];
	size_t n;
};

static void add_name(struct names *l, struct slice s)
{
	if (!s.n || s.n >= sizeof(l->text[0]) || l->n == NAMES_MAX)
		return;
	memcpy(l->text[l->n], s.p, s.n);
	l->text[l->n][s.n] = '\0';
	l->v[l->n] = l->text[l->n];
	l->n++;
}

/* "10.0.0.1:6443" and "[::1]:6443" without port and brackets; any address is none. */
static struct slice host_of(const char *listen)
{
	const char *colon = strrchr(listen, ':');
	struct slice host = slice_of(listen, colon ? (size_t)(colon - listen) : 0);

	if (strncmp(listen, "unix://", 7) == 0)
		return (struct slice){ 0 };
	if (host.n > 1 && host.p[0] == '[')
		host = slice_of(host.p + 1, host.n - 2);
	return slice_is(host, "0.0.0.0") || slice_is(host, "::") ? (struct slice){ 0 } : host;
}

static int collect_names(struct boot *b, struct names *l, struct err *err)
{
	struct slice rest = slice_str(b->conf->service_cidr);

	add_name(l, slice_str(b->hostname));
	add_name(l, slice_str(b->advertise));
	for (size_t i = 0; i < b->conf->nlisten; i++)
		add_name(l, host_of(b->conf->listen[i]));
	while (rest.p) {
		struct slice one = slice_trim(slice_split(&rest, ','));
		char cidr[64] = "", ip[64];

		if (one.n < sizeof(cidr))
			memcpy(cidr, one.p, one.n);
		if (bootstrap_first_ip(cidr, ip, err) < 0)
			return err_ret(err);
		add_name(l, slice_str(ip));
	}
	return 0;
}

int boot_pki(struct boot *b, struct err *err)
{
	struct names names = { 0 };
	struct pki_conf conf = { .dirfd = b->place.fd, .names = names.v };

	if (collect_names(b, &names, err) < 0)
		return err_ret(err);
	if (pki_open(&conf, &b->pki, err) < 0)
		return err_ret(err);
	return account_tokens_can_sign(b->accounts)
		       ? 0
		       : account_tokens_add_key(b->accounts, pki_account_key(b->pki), true, err);
}

/* ---- TLS and trust ---- */

/* All that was given, or NULL. */
static int read_given(struct boot *b, enum given_id id, struct buf *out, struct err *err)
{
	return b->given[id] ? given_read(b->given[id], out, err) : 0;
}

static int read_chain(struct boot *b, struct identity *c, struct err *err)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(PEM_MAX);
	CLEANUP(secret_buf_fini) struct buf key = BUF_INIT(PEM_MAX);

	if (!b->given[GIVEN_CERT]) {
		c->chain[0] = cert_ref(pki_cert(b->pki, PKI_SERVING));
		c->n = 1;
		c->key = key_ref(pki_key(b->pki, PKI_SERVING));
		return 0;
	}
	if (read_given(b, GIVEN_CERT, &cert, err) < 0 ||
	    identity_read_chain(c, buf_slice(&cert), err) < 0)
		return err_wrap(err, "--tls-cert-file");
	if (read_given(b, GIVEN_KEY, &key, err) < 0 ||
	    identity_read_key(c, buf_slice(&key), err) < 0)
		return err_wrap(err, "--tls-private-key-file");
	return 0;
}

static int make_tls(struct boot *b, struct cert_pool *clients, struct tls_conf **ret,
		    struct err *err)
{
	static const char *const alpn[] = { "h2", "http/1.1" };
	CLEANUP(identity_fini) struct identity c = { .n = 0 };
	struct tls_identity id;
	const struct tls_options o = {
		.server = true,
		.ids = &id,
		.ids_n = 1,
		.trust = clients,
		.client_auth = TLS_CLIENT_ASK, /* authn.c judges */
		.alpn = alpn,
		.alpn_n = ARRAY_LEN(alpn),
		.previous = b->tls,
	};

	if (read_chain(b, &c, err) < 0)
		return err_ret(err);
	id = identity_shown(&c);
	return tls_conf_new(&o, ret, err) < 0 ? err_wrap(err, "certificate of the server") : 0;
}

/* Those of a CA of ours and of one that was given. */
static int add_roots(struct boot *b, enum pki_id ca, enum given_id file, struct cert_pool *p,
		     struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(PEM_MAX);

	cert_pool_add(p, pki_cert(b->pki, ca));
	if (b->given[file] && (read_given(b, file, &text, err) < 0 ||
			       cert_pool_add_pem(p, buf_slice(&text), err) < 0))
		return err_wrap(err, file == GIVEN_FRONT_CA ? "--requestheader-client-ca-file"
							    : "--client-ca-file");
	return 0;
}

int boot_tls(struct boot *b, struct err *err)
{
	CLEANUP(tls_conf_unref) struct tls_conf *tls = NULL;
	CLEANUP(cert_pool_unref) struct cert_pool *clients = cert_pool_new();
	CLEANUP(cert_pool_unref) struct cert_pool *fronts = cert_pool_new();
	CLEANUP(cert_pool_unref) struct cert_pool *both = cert_pool_new();

	/* what a client is asked for; some show no certificate of another CA */
	if (add_roots(b, PKI_CA, GIVEN_CLIENT_CA, clients, err) < 0 ||
	    add_roots(b, PKI_FRONT_CA, GIVEN_FRONT_CA, fronts, err) < 0 ||
	    add_roots(b, PKI_CA, GIVEN_CLIENT_CA, both, err) < 0 ||
	    add_roots(b, PKI_FRONT_CA, GIVEN_FRONT_CA, both, err) < 0 ||
	    make_tls(b, both, &tls, err) < 0)
		return err_ret(err);
	if (b->server && b->tls && server_set_tls(b->server, tls, err) < 0)
		return err_ret(err);
	tls_conf_unref(b->tls);
	cert_pool_unref(b->clients);
	b->tls = STEAL(tls);
	b->clients = STEAL(clients);
	authn_set_clients(b->authn, b->clients);
	authn_set_fronts(b->authn, fronts);
	return 0;
}

/* ---- what clients and extension servers are told ---- */

/* PEM of a CA of ours and, behind it, of a file. */
static int roots_of(struct boot *b, enum pki_id ca, enum given_id file, struct buf *out,
		    struct err *err)
{
	if (cert_write_pem(pki_cert(b->pki, ca), out, err) < 0)
		return err_ret(err);
	return read_given(b, file, out, err);
}

int boot_client_roots(struct boot *b, struct buf *client, struct buf *front, struct err *err)
{
	int r = roots_of(b, PKI_CA, GIVEN_CLIENT_CA, client, err);

	return r < 0 ? r : roots_of(b, PKI_FRONT_CA, GIVEN_FRONT_CA, front, err);
}

/* whoever has only a certificate of its own is known by itself */
int boot_roots(struct boot *b, struct buf *out, struct err *err)
{
	return roots_of(b, PKI_CA, GIVEN_CERT, out, err);
}

static int write_kubeconfigs(struct boot *b, bool first, struct err *err)
{
	CLEANUP(buf_fini) struct buf roots = BUF_INIT(PEM_MAX);
	CLEANUP(secret_buf_fini) struct buf admin = BUF_INIT(OUTSIDE_MAX);
	int r;

	if (boot_roots(b, &roots, err) < 0 || !buf_room(&admin, OUTSIDE_MAX / 2) ||
	    pki_write_kubeconfigs(b->pki, b->url, buf_slice(&roots), err) < 0)
		return err_ret(err);
	r = pki_kubeconfig(b->url, buf_slice(&roots), "kubernetes-admin",
			   pki_cert(b->pki, PKI_ADMIN), pki_key(b->pki, PKI_ADMIN), &admin, err);
	if (r < 0)
		return r;
	return first ? outside_write(b->outside, buf_slice(&admin), err)
		     : outside_renew(b->outside, buf_slice(&admin), err);
}

int boot_kubeconfigs(struct boot *b, struct err *err)
{
	return write_kubeconfigs(b, true, err);
}

static int tell_roots(struct boot *b, struct err *err)
{
	CLEANUP(buf_fini) struct buf client = BUF_INIT(PEM_MAX);
	CLEANUP(buf_fini) struct buf front = BUF_INIT(PEM_MAX);
	CLEANUP(buf_fini) struct buf roots = BUF_INIT(PEM_MAX);

	if (boot_client_roots(b, &client, &front, err) < 0 || boot_roots(b, &roots, err) < 0)
		return err_ret(err);
	bootstrap_set_ca(b->bootstrap, buf_slice(&client), buf_slice(&front));
	account_control_set_roots(b->account_control, buf_slice(&roots));
	return 0;
}

/* ---- renewal ---- */

static int64_t now_s(void)
{
	return clock_real() / NS_PER_SEC;
}

static int use_renewed(struct boot *b, struct err *err)
{
	int r = boot_tls(b, err);

	if (r == 0)
		r = write_kubeconfigs(b, false, err);
	return r < 0 ? r : tell_roots(b, err);
}

static void arm_renewal(struct boot *b)
{
	int64_t left = (pki_next(b->pki) - now_s()) * NS_PER_SEC;

	timer_set_after(&b->renew, MAX(MIN(left, LOOK_EVERY), 60 * NS_PER_SEC));
}

static int on_renewal(struct timer *t)
{
	struct boot *b = CONTAINER_OF(t, struct boot, renew);
	struct err err = ERR_INIT;
	unsigned made = 0;
	int r = pki_renew_due(b->pki, now_s(), &made, &err);

	for (unsigned i = 0; i < PKI_N; i++)
		if (made & 1u << i)
			log_kv(LOG_LEVEL_INFO, "certificate was renewed", "name",
			       pki_name((enum pki_id)i), NULL);
	if (made)
		r = use_renewed(b, r < 0 ? NULL : &err) < 0 ? -1 : r;
	if (r < 0)
		log_kv(LOG_LEVEL_ERROR, "certificates could not be renewed, it is tried again",
		       "error", err.msg, NULL);
	arm_renewal(b);
	return 0;
}

int boot_renew(struct boot *b, const char *name, struct err *err)
{
	bool all = strcmp(name, "all") == 0;
	enum pki_id id = pki_find(name);
	int r = 0;

	if (!all && id == PKI_N)
		return err_set(err, ERR_NOT_FOUND, "there is no certificate '%.100s'", name);
	for (unsigned i = 0; i < PKI_N && r == 0; i++)
		if (all || i == id)
			r = pki_renew(b->pki, (enum pki_id)i, now_s(), err);
	if (r == 0)
		r = use_renewed(b, err);
	if (r == 0)
		log_kv(LOG_LEVEL_INFO, "certificates were renewed", "name", name, NULL);
	arm_renewal(b);
	return r;
}

/* ---- files that change ---- */

static int reload_encryption(struct boot *b, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf text = BUF_INIT(PEM_MAX);

	if (!b->given[GIVEN_ENCRYPTION])
		return 0;
	if (!buf_room(&text, PEM_MAX / 2) || read_given(b, GIVEN_ENCRYPTION, &text, err) < 0 ||
	    encryption_reload(b->encryption, buf_slice(&text),
			      given_path(b->given[GIVEN_ENCRYPTION]), err) < 0)
		return err_wrap(err, "--encryption-provider-config");
	return 0;
}

static void tell(const char *what, int r, const struct err *err)
{
	if (r < 0)
		log_kv(LOG_LEVEL_ERROR, "reload failed, this stays as it was", "what", what,
		       "error", err->msg, NULL);
	else
		log_kv(LOG_LEVEL_INFO, "reload done", "what", what, NULL);
}

void boot_reload(struct boot *b)
{
	struct err err = ERR_INIT;

	tell("encryption", reload_encryption(b, &err), &err);
	err = ERR_INIT;
	tell("certificates", use_renewed(b, &err), &err);
	err = ERR_INIT;
	tell("authorizers", authz_chain_reload(b->authz, &err), &err);
	err = ERR_INIT;
	if (b->token_webhook)
		tell("webhook for tokens", authn_webhook_reload(b->token_webhook, &err), &err);
	err = ERR_INIT;
	if (b->given[GIVEN_AUTHN])
		tell("issuers", boot_reread_issuers(b, &err), &err);
}

static int on_reread(struct timer *t)
{
	struct boot *b = CONTAINER_OF(t, struct boot, reread);
	struct err err = ERR_INIT;
	bool tls = false;

	for (unsigned i = 0; i < GIVEN_ENCRYPTION; i++)
		tls |= b->given[i] && given_changed(b->given[i]);
	if (b->given[GIVEN_ENCRYPTION] && given_changed(b->given[GIVEN_ENCRYPTION]))
		tell("encryption", reload_encryption(b, &err), &err);
	err = ERR_INIT;
	if (tls)
		tell("certificates", use_renewed(b, &err), &err);
	err = ERR_INIT;
	if (authz_chain_changed(b->authz))
		tell("authorizers", authz_chain_reload(b->authz, &err), &err);
	err = ERR_INIT;
	if (authn_webhook_changed(b->token_webhook))
		tell("webhook for tokens", authn_webhook_reload(b->token_webhook, &err), &err);
	err = ERR_INIT;
	if (b->given[GIVEN_AUTHN] && given_changed(b->given[GIVEN_AUTHN]))
		tell("issuers", boot_reread_issuers(b, &err), &err);
	return 0;
}

static int on_changes(struct source *s, uint32_t events)
{
	struct boot *b = CONTAINER_OF(s, struct boot, changes);
	char buf[4096] __attribute__((aligned(8)));

	while (read(s->fd, buf, sizeof(buf)) > 0)
		;
	timer_set_after(&b->reread, SETTLE);
	return 0;
}

/* Their directories were watched since boot_given, while we could still look into them. */
int boot_follow(struct boot *b, struct err *err)
{
	timer_init(&b->renew, b->loop, on_renewal);
	timer_init(&b->reread, b->loop, on_reread);
	arm_renewal(b);
	if (b->inotify < 0)
		return 0;
	timer_set_after(&b->reread, SETTLE); /* what changed since */
	return source_init(&b->changes, b->loop, b->inotify, EPOLLIN, on_changes, err);
}

/* ---- telling ---- */

void boot_status(void *arg, struct arena *a, struct doc *d)
{
	struct boot *b = arg;
	struct doc *list = doc_set_array(a, d, "addresses"), *certs, *fence;
	struct cache_stats st;
	char text[CLOCK_TEXT_MAX];

	for (size_t i = 0; server_address(b->server, i); i++)
		doc_append_str(a, list, server_address(b->server, i));
	doc_set_bool(a, d, "ready", b->ready);
	doc_set_int(a, d, "pid", getpid());
	doc_set_int(a, d, "uptimeSeconds", (clock_mono() - b->begun) / NS_PER_SEC);
	doc_set_str(a, d, "store", b->conf->netcd ? "etcd" : "sqlite");
	doc_set_int(a, d, "revision", store_revision(b->store));
	world_get_stats(b->world, &st);
	doc_set_uint(a, d, "objects", st.objects);
	doc_set_uint(a, d, "objectBytes", st.json_bytes);
	doc_set_uint(a, d, "watches", st.watches);
	doc_set_bool(a, d, "encryption", encryption_is_on(b->encryption));
	fence = doc_set_object(a, d, "fence");
	doc_set_int(a, fence, "uid", geteuid());
	doc_set_bool(a, fence, "rootGivenUp", b->drop);
	certs = doc_set_object(a, d, "certificates");
	for (unsigned i = 0; i < PKI_N; i++)
		doc_set_str(a, certs, pki_name((enum pki_id)i),
			    clock_rfc3339nano(
				    text, cert_info(pki_cert(b->pki, (enum pki_id)i))->not_after *
						  NS_PER_SEC));
}
