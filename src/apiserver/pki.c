/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/pki.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "linux/sys.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEM_MAX (256u << 10)
#define NAMES_MAX 128
#define KUBECONFIG_ROOM (64u << 10) /* more than any has: no secret in freed memory */
#define BACKDATED 300		    /* clocks of clients may be behind ours */

/* Whom each certificate speaks of. */
static const struct row {
	const char *name, *cn, *o;
	enum pki_id issuer;
	unsigned usages;
} rows[PKI_N] = {
	[PKI_CA] = { "ca", "kubernetes", NULL, PKI_CA, 0 },
	[PKI_FRONT_CA] = { "front-proxy-ca", "front-proxy-ca", NULL, PKI_FRONT_CA, 0 },
	[PKI_SERVING] = { "apiserver", "kube-apiserver", NULL, PKI_CA,
			  CERT_USE_SIGN | CERT_EXT_SERVER },
	[PKI_KUBELET_CLIENT] = { "apiserver-kubelet-client", "kube-apiserver-kubelet-client",
				 "system:masters", PKI_CA, CERT_USE_SIGN | CERT_EXT_CLIENT },
	[PKI_FRONT_CLIENT] = { "front-proxy-client", "front-proxy-client", NULL, PKI_FRONT_CA,
			       CERT_USE_SIGN | CERT_EXT_CLIENT },
	[PKI_ADMIN] = { "admin", "kubernetes-admin", "system:masters", PKI_CA,
			CERT_USE_SIGN | CERT_EXT_CLIENT },
	[PKI_CONTROLLER_MANAGER] = { "controller-manager", "system:kube-controller-manager", NULL,
				     PKI_CA, CERT_USE_SIGN | CERT_EXT_CLIENT },
	[PKI_SCHEDULER] = { "scheduler", "system:kube-scheduler", NULL, PKI_CA,
			    CERT_USE_SIGN | CERT_EXT_CLIENT },
};

#define PENDING_MAX (2 * PKI_N + 2)

struct pki {
	int dirfd, fd; /* borrowed; of pki/ */
	struct {
		char name[64];
		struct buf text;
	} pending[PENDING_MAX]; /* to be written at once */
	size_t npending;
	struct cert *certs[PKI_N];
	struct key *keys[PKI_N], *account;
	char *names[NAMES_MAX];
	size_t nnames;
	bool check_names;
};

const char *pki_name(enum pki_id id)
{
	return rows[id].name;
}

enum pki_id pki_find(const char *name)
{
	unsigned i = 0;

	while (i < PKI_N && strcmp(rows[i].name, name) != 0)
		i++;
	return i;
}

enum pki_id pki_issuer(enum pki_id id)
{
	return rows[id].issuer;
}

struct cert *pki_cert(const struct pki *p, enum pki_id id)
{
	return p->certs[id];
}

struct key *pki_key(const struct pki *p, enum pki_id id)
{
	return p->keys[id];
}

struct key *pki_account_key(const struct pki *p)
{
	return p->account;
}

static bool is_ca(enum pki_id id)
{
	return rows[id].issuer == id;
}

static int64_t due_at(const struct cert *c)
{
	const struct cert_info *i = cert_info(c);

	return i->not_after - (i->not_after - i->not_before) / 3;
}

bool pki_is_due(const struct cert *c, int64_t now)
{
	return now >= due_at(c);
}

/* ---- files ---- */

/* 1: read; 0: it is not there. */
static int read_file(const struct pki *p, const char *name, const char *tail, struct buf *b,
		     struct err *err)
{
	struct err own = ERR_INIT;
	char file[64];

	(void)snprintf(file, sizeof(file), "%s%s", name, tail);
	if (p->fd < 0)
		return 0;
	if (fd_read_file(p->fd, file, b, &own) == 0)
		return 1;
	if (own.code == ERR_NOT_FOUND)
		return 0;
	if (err)
		*err = own;
	return err ? err_wrap(err, "certificates") : err_ret(&own);
}

/* One more that flush() writes. It has room for any key, so that none is left in freed memory. */
static struct buf *pend(struct pki *p, const char *name, const char *tail)
{
	struct buf *b = &p->pending[p->npending].text;

	assert(p->npending < PENDING_MAX);
	(void)snprintf(p->pending[p->npending].name, sizeof(p->pending[0].name), "%s%s", name,
		       tail);
	p->npending++;
	*b = BUF_INIT(PEM_MAX);
	(void)buf_room(b, 16384);
	return b;
}

static void forget_pending(struct pki *p)
{
	while (p->npending)
		secret_buf_fini(&p->pending[--p->npending].text);
}

/* Keys were put there before what goes with them, and get their names in that order. */
static int flush(struct pki *p, struct err *err)
{
	struct fd_file v[PENDING_MAX];
	int r;

	for (size_t i = 0; i < p->npending; i++)
		v[i] = (struct fd_file){ p->pending[i].name, p->pending[i].text.p,
					 p->pending[i].text.n, 0600 };
	r = p->npending ? fd_replace_files(p->fd, v, p->npending, err) : 0;
	forget_pending(p);
	return r < 0 ? err_wrap(err, "certificates") : 0;
}

static int write_key(struct pki *p, const char *name, const struct key *k, struct err *err)
{
	return key_write_pem(k, KEY_PRIVATE_PKCS8, pend(p, name, ".key"), err);
}

static int write_cert(struct pki *p, const char *name, const struct cert *c, struct err *err)
{
	return cert_write_pem(c, pend(p, name, ".crt"), err);
}

static int read_key(const struct pki *p, const char *name, struct key **ret, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	int r = buf_room(&b, 16384) ? read_file(p, name, ".key", &b, err) : 0;

	if (r <= 0)
		return r;
	if (key_read(buf_slice(&b), ret, err) < 0)
		return err_wrap(err, "certificates: '%s/%s.key'", PKI_DIR, name);
	if (!key_is_private(*ret))
		return err_set(err, ERR_INVALID, "certificates: '%s/%s.key' has no private key",
			       PKI_DIR, name);
	return 1;
}

static int read_cert(const struct pki *p, const char *name, struct cert **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	int r = read_file(p, name, ".crt", &b, err);

	if (r <= 0)
		return r;
	if (cert_read_one(buf_slice(&b), ret, err) < 0)
		return err_wrap(err, "certificates: '%s/%s.crt'", PKI_DIR, name);
	return 1;
}

/* ---- judging ---- */

static bool goes_with(const struct cert *c, const struct key *k)
{
	CLEANUP(key_unref) struct key *own = NULL;

	return c && k && cert_key(c, &own, NULL) == 0 && key_matches(own, k);
}

static bool has_names(const struct pki *p, const struct cert *c)
{
	for (size_t i = 0; i < p->nnames; i++)
		if (!cert_is_for(c, p->names[i]))
			return false;
	return true;
}

/* Whether what is there serves on. */
static bool is_good(const struct pki *p, enum pki_id id, int64_t now)
{
	const struct cert *c = p->certs[id];

	if (!goes_with(c, p->keys[id]) || pki_is_due(c, now) || cert_info(c)->not_before > now)
		return false;
	if (id == PKI_SERVING && p->check_names && !has_names(p, c))
		return false;
	return is_ca(id) || cert_is_issued_by(c, p->certs[rows[id].issuer]);
}

/* ---- making ---- */

/* When nobody says which names it needs, it keeps those that it had. */
static void serving_names(const struct pki *p, const char **dns, const char **ip,
			  struct cert_names *n)
{
	const struct cert *old = p->certs[PKI_SERVING];
	unsigned char addr[16];

	if (!p->check_names && old) {
		n->dns = cert_info(old)->names.dns;
		n->ip = cert_info(old)->names.ip;
		return;
	}
	for (size_t i = 0; i < p->nnames; i++) {
		const char *s = p->names[i];

		if (inet_pton(AF_INET, s, addr) == 1 || inet_pton(AF_INET6, s, addr) == 1)
			ip[n->ip.n++] = s;
		else
			dns[n->dns.n++] = s;
	}
	n->dns.v = dns;
	n->ip.v = ip;
}

static int make_cert(const struct pki *p, enum pki_id id, const struct key *k, int64_t now,
		     struct cert **ret, struct err *err)
{
	const char *dns[NAMES_MAX], *ip[NAMES_MAX];
	const struct row *row = &rows[id];
	struct cert_spec spec = {
		.names = { .cn = row->cn, .o = { &row->o, row->o != NULL } },
		.not_before = now - BACKDATED,
		.not_after = now + (is_ca(id) ? PKI_CA_LIFE : PKI_LIFE),
		.ca = is_ca(id),
		.path_len = -1,
		.usages = row->usages,
	};
	const struct cert *issuer = is_ca(id) ? NULL : p->certs[row->issuer];

	if (is_ca(id) && p->certs[id]) /* also one that was put here has its name again */
		spec.names = cert_info(p->certs[id])->names;
	if (id == PKI_SERVING)
		serving_names(p, dns, ip, &spec.names);
	if (issuer) /* what outlives its CA is no use */
		spec.not_after = MIN(spec.not_after, cert_info(issuer)->not_after);
	return cert_make(&spec, k, issuer, is_ca(id) ? k : p->keys[row->issuer], ret, err);
}

/* keep: the key that is there stays. */
static int make(struct pki *p, enum pki_id id, bool keep, int64_t now, struct err *err)
{
	CLEANUP(key_unref) struct key *k = keep ? key_ref(p->keys[id]) : NULL;
	CLEANUP(cert_unref) struct cert *c = NULL;
	int r = k ? 0 : key_generate(KEY_P256, 0, &k, err);

	if (r >= 0)
		r = make_cert(p, id, k, now, &c, err);
	if (r >= 0 && !keep)
		r = write_key(p, rows[id].name, k, err);
	if (r >= 0)
		r = write_cert(p, rows[id].name, c, err);
	if (r < 0)
		return err_wrap(err, "make certificate '%s'", rows[id].name);
	key_unref(p->keys[id]);
	cert_unref(p->certs[id]);
	p->keys[id] = STEAL(k);
	p->certs[id] = STEAL(c);
	return 0;
}

/* The key of a first certificate that a crash kept from being written is used. */
static int make_due(struct pki *p, int64_t now, unsigned *ret, struct err *err)
{
	*ret = 0;
	for (unsigned i = 0; i < PKI_N; i++) {
		bool keep = p->keys[i] && (is_ca(i) || !p->certs[i]);

		if (is_good(p, i, now))
			continue;
		if (make(p, i, keep, now, err) < 0)
			return err_ret(err);
		*ret |= 1u << i;
	}
	return 0;
}

/* A CA without its key, or with another one, would orphan all that it has signed. */
static int check_ca(const struct pki *p, enum pki_id id, struct err *err)
{
	const char *n = rows[id].name;

	if (p->certs[id] && !p->keys[id])
		return err_set(err, ERR_CONFLICT,
			       "certificates: there is '%s/%s.crt', but no '%s.key': put it back, "
			       "or move all of '%s' away to begin anew",
			       PKI_DIR, n, n, PKI_DIR);
	if (p->certs[id] && !goes_with(p->certs[id], p->keys[id]))
		return err_set(err, ERR_CONFLICT,
			       "certificates: '%s/%s.key' is not the key of '%s.crt'", PKI_DIR, n,
			       n);
	return 0;
}

static int open_account_key(struct pki *p, struct err *err)
{
	CLEANUP(buf_fini) struct buf pub = BUF_INIT(PEM_MAX);
	CLEANUP(buf_fini) struct buf old = BUF_INIT(PEM_MAX);
	struct buf *out;
	int r = read_key(p, "sa", &p->account, err);

	if (r == 0) {
		r = key_generate(KEY_P256, 0, &p->account, err);
		if (r >= 0)
			r = write_key(p, "sa", p->account, err);
	}
	if (r >= 0)
		r = key_write_pem(p->account, KEY_PUBLIC, &pub, err);
	if (r >= 0)
		r = read_file(p, "sa", ".pub", &old, err);
	if (r < 0 || slice_eq(buf_slice(&pub), buf_slice(&old)))
		return r < 0 ? r : 0;
	out = pend(p, "sa", ".pub");
	return buf_add(out, pub.p, pub.n);
}

/* ---- opening ---- */

static int read_all(struct pki *p, struct err *err)
{
	int r = 0;

	for (unsigned i = 0; i < PKI_N && r >= 0; i++) {
		r = read_key(p, rows[i].name, &p->keys[i], err);
		if (r >= 0)
			r = read_cert(p, rows[i].name, &p->certs[i], err);
	}
	return r < 0 ? r : 0;
}

static struct pki *new_pki(int dirfd)
{
	struct pki *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->dirfd = dirfd;
	p->fd = -1;
	return p;
}

static int open_dir(struct pki *p, struct err *err)
{
	p->fd = sys_openat(p->dirfd, PKI_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
	return p->fd < 0 && errno != ENOENT ? err_sys(err, "certificates: open '%s'", PKI_DIR) : 0;
}

static int make_dir(struct pki *p, struct err *err)
{
	if (open_dir(p, err) < 0)
		return err_ret(err);
	if (p->fd >= 0)
		return 0;
	if (fd_mkdir_p(p->dirfd, PKI_DIR, 0700, err) < 0 || fd_fsync_dir(p->dirfd, err) < 0)
		return err_wrap(err, "certificates");
	return open_dir(p, err);
}

static int copy_names(struct pki *p, const char *const *names, struct err *err)
{
	static const char *const usual[] = { "kubernetes",
					     "kubernetes.default",
					     "kubernetes.default.svc",
					     "kubernetes.default.svc.cluster.local",
					     "localhost",
					     "127.0.0.1",
					     "::1",
					     NULL };

	for (unsigned turn = 0; turn < 2; turn++)
		for (const char *const *n = turn ? names : usual; n && *n; n++) {
			if (p->nnames == NAMES_MAX)
				return err_set(err, ERR_TOO_LARGE,
					       "certificates: more than %d names", NAMES_MAX);
			p->names[p->nnames++] = strdup(*n);
		}
	p->check_names = names != NULL;
	return 0;
}

int pki_read(int dirfd, struct pki **ret, struct err *err)
{
	CLEANUP(pki_free) struct pki *p = new_pki(dirfd);

	if (open_dir(p, err) < 0 || read_all(p, err) < 0 || read_key(p, "sa", &p->account, err) < 0)
		return err_ret(err);
	*ret = STEAL(p);
	return 0;
}

int pki_open(const struct pki_conf *conf, struct pki **ret, struct err *err)
{
	CLEANUP(pki_free) struct pki *p = new_pki(conf->dirfd);
	int64_t now = conf->now ? conf->now : clock_real() / NS_PER_SEC;
	unsigned made;

	if (make_dir(p, err) < 0 || copy_names(p, conf->names, err) < 0 || read_all(p, err) < 0 ||
	    check_ca(p, PKI_CA, err) < 0 || check_ca(p, PKI_FRONT_CA, err) < 0 ||
	    make_due(p, now, &made, err) < 0 || open_account_key(p, err) < 0 || flush(p, err) < 0)
		return err_ret(err);
	*ret = STEAL(p);
	return 0;
}

void pki_free(struct pki *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < PKI_N; i++) {
		cert_unref(p->certs[i]);
		key_unref(p->keys[i]);
	}
	for (size_t i = 0; i < p->nnames; i++)
		free(p->names[i]);
	key_unref(p->account);
	forget_pending(p);
	fd_close(p->fd);
	free(p);
}

/* ---- renewing ---- */

int64_t pki_next(const struct pki *p)
{
	int64_t next = INT64_MAX;

	for (unsigned i = 0; i < PKI_N; i++)
		if (p->certs[i])
			next = MIN(next, due_at(p->certs[i]));
	return next;
}

int pki_renew_due(struct pki *p, int64_t now, unsigned *ret, struct err *err)
{
	if (make_due(p, now, ret, err) < 0) {
		forget_pending(p);
		return err_ret(err);
	}
	return flush(p, err);
}

int pki_renew(struct pki *p, enum pki_id id, int64_t now, struct err *err)
{
	if (make(p, id, is_ca(id), now, err) < 0) {
		forget_pending(p);
		return err_ret(err);
	}
	return flush(p, err);
}

int pki_issue(const struct pki *p, const struct pki_client *c, struct cert **ret_cert,
	      struct key **ret_key, struct err *err)
{
	CLEANUP(key_unref) struct key *k = NULL;
	struct cert_spec spec = {
		.names = { .cn = c->user, .o = { c->groups, c->ngroups } },
		.not_before = c->now - BACKDATED,
		.not_after = c->now + c->life,
		.usages = CERT_USE_SIGN | CERT_EXT_CLIENT,
	};

	if (!p->certs[PKI_CA] || !p->keys[PKI_CA])
		return err_set(err, ERR_NOT_FOUND,
			       "certificates: there is no CA yet: start the API server once");
	spec.not_after = MIN(spec.not_after, cert_info(p->certs[PKI_CA])->not_after);
	if (key_generate(KEY_P256, 0, &k, err) < 0 ||
	    cert_make(&spec, k, p->certs[PKI_CA], p->keys[PKI_CA], ret_cert, err) < 0)
		return err_ret(err);
	*ret_key = STEAL(k);
	return 0;
}

/* ---- kubeconfigs ---- */

static int add_base64(struct buf *out, const char *name, const struct buf *what)
{
	(void)buf_adds(out, name);
	if (!buf_room(out, BASE64_LEN(what->n) + 1))
		return -1;
	base64_encode(out->p + out->n, what->p, what->n);
	out->n += BASE64_LEN(what->n);
	return buf_addc(out, '\n');
}

int pki_kubeconfig(const char *server, struct slice roots, const char *user,
		   const struct cert *cert, const struct key *key, struct buf *out, struct err *err)
{
	CLEANUP(buf_fini) struct buf ca = BUF_INIT(PEM_MAX);
	CLEANUP(buf_fini) struct buf crt = BUF_INIT(PEM_MAX);
	CLEANUP(secret_buf_fini) struct buf k = BUF_INIT(PEM_MAX);

	if (!buf_room(&k, 16384) || buf_add(&ca, roots.p, roots.n) < 0 ||
	    cert_write_pem(cert, &crt, err) < 0 ||
	    key_write_pem(key, KEY_PRIVATE_PKCS8, &k, err) < 0)
		return err_ret(err);
	(void)buf_adds(out, "apiVersion: v1\nkind: Config\nclusters:\n- name: kubernetes\n"
			    "  cluster:\n");
	(void)add_base64(out, "    certificate-authority-data: ", &ca);
	(void)buf_addf(out, "    server: %s\n", server);
	(void)buf_adds(out, "users:\n- name: ");
	(void)json_write_string(out, slice_str(user), false);
	(void)buf_adds(out, "\n  user:\n");
	(void)add_base64(out, "    client-certificate-data: ", &crt);
	(void)add_base64(out, "    client-key-data: ", &k);
	(void)buf_adds(out, "contexts:\n- name: ");
	(void)buf_adds(out, "default\n  context:\n    cluster: kubernetes\n    user: ");
	(void)json_write_string(out, slice_str(user), false);
	(void)buf_adds(out, "\ncurrent-context: default\n");
	return out->full ? err_set(err, ERR_TOO_LARGE, "kubeconfig of '%s' is too large", user) : 0;
}

/* 1: it is not so yet. */
static int print_kubeconfig(const struct pki *p, enum pki_id id, const char *server,
			    struct slice roots, struct buf *out, char name[64], struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf old = BUF_INIT(PEM_MAX);

	(void)snprintf(name, 64, "%s.kubeconfig", rows[id].name);
	(void)buf_room(out, KUBECONFIG_ROOM);
	(void)buf_room(&old, KUBECONFIG_ROOM);
	if (pki_kubeconfig(server, roots, rows[id].cn, p->certs[id], p->keys[id], out, err) < 0)
		return err_ret(err);
	return fd_read_file(p->dirfd, name, &old, NULL) < 0 ||
	       !slice_eq(buf_slice(&old), buf_slice(out));
}

int pki_write_kubeconfigs(const struct pki *p, const char *server, struct slice roots,
			  struct err *err)
{
	struct buf text[PKI_N] = { 0 };
	char names[PKI_N][64];
	struct fd_file v[PKI_N];
	size_t n = 0;
	int r = 0;

	for (unsigned i = PKI_ADMIN; i < PKI_N && r >= 0; i++) {
		text[i] = BUF_INIT(PEM_MAX);
		r = print_kubeconfig(p, (enum pki_id)i, server, roots, &text[i], names[i], err);
		if (r == 1)
			v[n++] = (struct fd_file){ names[i], text[i].p, text[i].n, 0600 };
	}
	if (r >= 0 && n)
		r = fd_replace_files(p->dirfd, v, n, err);
	for (unsigned i = PKI_ADMIN; i < PKI_N; i++)
		secret_buf_fini(&text[i]);
	return r < 0 ? r : 0;
}
