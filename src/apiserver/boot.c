/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/boot.h"

#include "api/serve.h"
#include "apiserver/admission/admission.h"
#include "apiserver/admission/policy-status.h"
#include "apiserver/admission/storage-protect.h"
#include "apiserver/auth/account-control.h"
#include "apiserver/auth/account-token.h"
#include "apiserver/auth/apiaudit.h"
#include "apiserver/auth/authn-jwt.h"
#include "apiserver/auth/authn-webhook.h"
#include "apiserver/auth/authn.h"
#include "apiserver/auth/authz-chain.h"
#include "apiserver/auth/authz-why.h"
#include "apiserver/auth/rbac-aggregate.h"
#include "apiserver/bootstrap.h"
#include "apiserver/control.h"
#include "apiserver/crd-controller.h"
#include "apiserver/encryption.h"
#include "apiserver/extension/aggregator.h"
#include "apiserver/outside.h"
#include "apiserver/outward/given.h"
#include "apiserver/outward/hook-conf.h"
#include "apiserver/rest/fairness.h"
#include "apiserver/storage-migration.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/work.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/cidr.h"
#include "io/metrics.h"
#include "io/resolver.h"
#include "io/stream.h"
#include "io/url.h"
#include "linux/confine.h"
#include "linux/sys.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define TABLES_MAX (64u << 20)
#define ENCRYPTION_MAX (1u << 20)
#define PEM_MAX (1u << 20)
#define PATHS_MEMORY (1u << 20)

int boot_wait(struct boot *b, const char *what, struct err *err)
{
	while (!b->waited && !b->ending)
		if (loop_step(b->loop, -1, err) < 0)
			return err_wrap(err, "%s", what);
	if (!b->waited)
		return err_set(err, ERR_UNAVAILABLE, "%s: a signal ended it", what);
	b->waited = false;
	if (b->result < 0) {
		*err = b->err;
		return err_wrap(err, "%s", what);
	}
	return 0;
}

static void waited(void *arg, int result, struct err *err)
{
	struct boot *b = arg;

	b->waited = true;
	b->result = result;
	if (result < 0)
		b->err = *err;
}

/* ---- who, where ---- */

static int make_absolute(struct boot *b, const char **path, struct err *err)
{
	CLEANUP_FREE char *own = NULL;

	if (!*path || given_absolute(*path, &own, err) < 0)
		return *path ? err_ret(err) : 0;
	*path = arena_strdup(b->texts, own);
	return *path ? 0 : arena_quota(b->texts, err);
}

/* The role goes to its own directory; what is relative is of here. */
int boot_paths(struct boot *b, struct err *err)
{
	struct apiserver_conf *c = &b->own;
	const char **paths[] = { &c->kubeconfig_out,
				 &c->tls_cert,
				 &c->tls_key,
				 &c->client_ca,
				 &c->token_file,
				 &c->encryption_conf,
				 &c->etcd_ca,
				 &c->etcd_cert,
				 &c->etcd_key,
				 &c->audit_policy,
				 &c->pid_file,
				 &c->node_ca,
				 &c->admission.config,
				 &c->authz.config,
				 &c->authz.policy_file,
				 &c->authz.webhook_config,
				 &c->signing_key,
				 &c->front_ca,
				 &c->authn_conf,
				 &c->oidc_ca,
				 &c->token_webhook.config };
	const char **listen, **keys;

	b->texts = arena_new("paths", PATHS_MEMORY);
	keys = ARENA_ARRAY(b->texts, const char *, c->naccount_keys + 1);
	for (size_t i = 0; keys && i < c->naccount_keys; i++) {
		keys[i] = c->account_keys[i];
		if (make_absolute(b, &keys[i], err) < 0)
			return err_ret(err);
	}
	c->account_keys = keys;
	listen = ARENA_ARRAY(b->texts, const char *, c->nlisten + 1);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (make_absolute(b, paths[i], err) < 0)
			return err_ret(err);
	if (c->audit_log && strcmp(c->audit_log, "-") != 0 &&
	    make_absolute(b, &c->audit_log, err) < 0)
		return err_ret(err);
	for (size_t i = 0; listen && i < c->nlisten; i++) {
		const char *path = c->listen[i] + 7;

		listen[i] = c->listen[i];
		if (strncmp(listen[i], "unix://", 7) != 0)
			continue;
		if (make_absolute(b, &path, err) < 0)
			return err_ret(err);
		listen[i] = arena_printf(b->texts, "unix://%s", path);
	}
	c->listen = listen;
	return arena_exceeded(b->texts) ? arena_quota(b->texts, err) : 0;
}

/* Root becomes a user of its own, unless it is told not to. */
int boot_user(struct boot *b, struct err *err)
{
	const char *user = b->conf->user;
	int r = 0;

	b->uid = b->gid = APISERVER_UID;
	b->drop = geteuid() == 0 && !(user && strcmp(user, "0") == 0);
	if (user && geteuid() != 0)
		return err_set(err, ERR_FORBIDDEN, "--user: only root can become another user");
	if (user && b->drop)
		r = confine_parse_user(user, APISERVER_UID, &b->uid, &b->gid, err);
	if (r == 0 && gethostname(b->hostname, sizeof(b->hostname) - 1) < 0)
		r = err_sys(err, "name of this machine");
	for (char *p = b->hostname; *p; p++) /* as upstream's names of nodes */
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
	return r;
}

static void why(void *arg, struct stream *s)
{
	struct boot *b = arg;

	if (b->ready)
		authz_why_serve(authz_chain_authz(b->authz), b->resources, s);
	else
		(void)stream_replyf(s, 503, "text/plain", "the API server is not ready yet\n");
}

int boot_place(struct boot *b, struct err *err)
{
	const struct place_want want = {
		.make = true, .take = b->drop, .uid = b->uid, .gid = b->gid, .lock = true
	};
	struct control_conf admin = {
		.loop = b->loop, .status = boot_status, .renew = NULL, .why = why, .arg = b
	};
	char path[PATH_MAX];
	int r = place_open(b->conf->root, &want, &b->place, err);

	if (r < 0)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", b->conf->run, APISERVER_SOCKET) >=
	    sizeof(path))
		return err_set(err, ERR_INVALID, "--run '%.100s...' is too long", b->conf->run);
	admin.path = path;
	admin.renew = (int (*)(void *, const char *, struct err *))boot_renew;
	if (fd_mkdir_p(AT_FDCWD, b->conf->run, 0711, err) < 0)
		return err_wrap(err, "--run");
	return control_new(&admin, &b->admin, err);
}

/* ---- addresses ---- */

static bool is_global(const struct sockaddr *sa, char *ret, size_t n)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)sa;

	if (sa->sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
		return false;
	sockaddr_text(sa, ret, n);
	return strncmp(ret, "169.254.", 8) != 0;
}

/* The first address of an interface that is up; IPv4 before IPv6. */
static void find_address(struct boot *b)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;
	for (unsigned turn = 0; turn < 2 && !b->advertise[0]; turn++)
		for (const struct ifaddrs *i = all; i && !b->advertise[0]; i = i->ifa_next) {
			const int family = turn ? AF_INET6 : AF_INET;

			if (!i->ifa_addr || i->ifa_addr->sa_family != family ||
			    (i->ifa_flags & IFF_LOOPBACK) || !(i->ifa_flags & IFF_UP))
				continue;
			if (!is_global(i->ifa_addr, b->advertise, sizeof(b->advertise)))
				b->advertise[0] = '\0';
		}
	freeifaddrs(all);
}

static bool is_any(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* What we are called by others: as given, or where we listen, or where anyone does. */
static int find_advertise(struct boot *b, struct err *err)
{
	unsigned char bytes[16];
	const char *given = b->conf->advertise;

	if (given && inet_pton(AF_INET, given, bytes) != 1 &&
	    inet_pton(AF_INET6, given, bytes) != 1)
		return err_set(err, ERR_BAD_REQUEST, "--advertise-address %.100s: is no address",
			       given);
	if (given)
		(void)str_copy(b->advertise, sizeof(b->advertise), given);
	for (size_t i = 0; i < b->conf->nlisten && !given; i++) {
		struct sockaddr_storage ss;
		socklen_t len;
		char host[64];

		if (strncmp(b->conf->listen[i], "unix://", 7) == 0)
			continue;
		if (url_sockaddr(b->conf->listen[i], &ss, &len, err) < 0)
			return err_wrap(err, "--listen %s", b->conf->listen[i]);
		sockaddr_text((struct sockaddr *)&ss, host, sizeof(host));
		if (is_any(host))
			find_address(b);
		else if (!is_loopback(host))
			(void)str_copy(b->advertise, sizeof(b->advertise), host);
		if (b->advertise[0])
			return 0;
	}
	return 0;
}

static int parse_ports(struct boot *b, struct err *err)
{
	struct slice rest = slice_str(b->conf->node_ports), from = slice_split(&rest, '-');
	uint64_t lo, hi;

	if (str_uint64(from, &lo, NULL) < 0 || !rest.p || str_uint64(rest, &hi, NULL) < 0 ||
	    lo == 0 || hi > 65535 || lo > hi)
		return err_set(err, ERR_BAD_REQUEST,
			       "--service-node-port-range %.100s: must be two ports such as "
			       "30000-32767",
			       b->conf->node_ports);
	b->port_from = (unsigned)lo;
	b->port_to = (unsigned)hi;
	return 0;
}

static int check_ranges(const struct boot *b, struct err *err)
{
	struct slice rest = slice_str(b->conf->service_cidr);

	for (unsigned n = 0; rest.p; n++) {
		struct slice one = slice_trim(slice_split(&rest, ','));
		char cidr[64] = "", ip[64];

		if (n == 2)
			return err_set(err, ERR_BAD_REQUEST,
				       "--service-cluster-ip-range: two ranges at most");
		if (one.n < sizeof(cidr))
			memcpy(cidr, one.p, one.n);
		if (bootstrap_first_ip(cidr, ip, err) < 0)
			return err_wrap(err, "--service-cluster-ip-range");
	}
	return 0;
}

/* Names of issuers are any text, but one with a colon is a URL. */
static int check_issuers(const struct boot *b, struct err *err)
{
	const char *uri = b->conf->jwks_uri;
	struct url u;

	for (size_t i = 0; i < b->conf->nissuers; i++) {
		const char *s = b->conf->issuers[i];

		if (!*s || (strchr(s, ':') && url_parse(b->texts, s, &u, NULL) < 0))
			return err_set(err, ERR_BAD_REQUEST,
				       "--service-account-issuer %.200s: must be a text without a "
				       "colon or a URL",
				       s);
	}
	if (uri && strncmp(uri, "https://", 8) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "--service-account-jwks-uri %.200s: must be an https URL", uri);
	return 0;
}

/* The tables as the flags have them served. */
static int load_tables(const struct boot *b, struct arena *a, struct api *ret,
		       const char **ret_lacks, struct err *err)
{
	struct api_serving serving = { .versions = b->conf->versions,
				       .nversions = b->conf->nversions,
				       .features = b->conf->features,
				       .nfeatures = b->conf->nfeatures };
	int r = api_load(a, ret, err);

	if (r < 0)
		return r;
	r = api_serve(ret, &serving, err);
	if (r < 0)
		api_fini(ret);
	*ret_lacks = serving.lacks;
	return r;
}

/* Once for the flags' sake, before anything is touched. */
static int check_serving(const struct boot *b, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = NULL;
	const char *lacks;
	struct api api;

	if (!b->conf->nversions && !b->conf->nfeatures)
		return 0;
	a = arena_new("tables of the API", TABLES_MAX);
	if (load_tables(b, a, &api, &lacks, err) < 0)
		return err_ret(err);
	api_fini(&api);
	return 0;
}

int boot_flags(struct boot *b, struct err *err)
{
	if (check_ranges(b, err) < 0 || parse_ports(b, err) < 0 || check_issuers(b, err) < 0 ||
	    check_serving(b, err) < 0)
		return err_ret(err);
	return find_advertise(b, err);
}

/* ---- what was given ---- */

/* Keys of tokens are read once, while we may still read them. */
static int read_account_key(struct boot *b, const char *path, bool signs, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf text = BUF_INIT(PEM_MAX);
	CLEANUP(given_free) struct given *g = NULL;
	CLEANUP(key_unref) struct key *k = NULL;

	if (given_open(path, &g, err) < 0 || !buf_room(&text, PEM_MAX / 2) ||
	    given_read(g, &text, err) < 0)
		return err_ret(err);
	if (!signs)
		return account_tokens_read_keys(b->accounts, buf_slice(&text), err);
	if (key_read(buf_slice(&text), &k, err) < 0)
		return err_ret(err);
	return account_tokens_add_key(b->accounts, k, true, err);
}

static int read_account_keys(struct boot *b, struct err *err)
{
	const struct apiserver_conf *c = b->conf;
	const struct account_tokens_conf conf = {
		.issuers = c->issuers,
		.nissuers = c->nissuers,
		.audiences = c->audiences,
		.naudiences = c->naudiences,
		.jwks_uri = c->jwks_uri,
		.life_max = c->token_life,
		.extend = !c->no_extended_tokens,
	};

	if (account_tokens_new(&conf, &b->accounts, err) < 0)
		return err_ret(err);
	for (size_t i = 0; i < c->naccount_keys; i++)
		if (read_account_key(b, c->account_keys[i], false, err) < 0)
			return err_wrap(err, "--service-account-key-file %s", c->account_keys[i]);
	if (c->signing_key && read_account_key(b, c->signing_key, true, err) < 0)
		return err_wrap(err, "--service-account-signing-key-file %s", c->signing_key);
	return 0;
}

static void watch_beside(struct boot *b, const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	if (!str_copy(dir, sizeof(dir), path) || !(slash = strrchr(dir, '/')))
		return;
	slash[slash == dir] = '\0';
	/* Without it SIGHUP reads them again. */
	(void)inotify_add_watch(b->inotify, dir,
				IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE);
}

static void choose_front(struct boot *b)
{
	static const char *const names[] = { "front-proxy-client", NULL };
	static const char *const users[] = { "X-Remote-User", NULL };
	static const char *const uids[] = { "X-Remote-Uid", NULL };
	static const char *const groups[] = { "X-Remote-Group", NULL };
	static const char *const extras[] = { "X-Remote-Extra-", NULL };
	const struct apiserver_conf *c = b->conf;

	b->front = (struct authn_front){
		.names = c->front_names ? c->front_names : names,
		.users = c->front_users ? c->front_users : users,
		.uids = c->front_uids ? c->front_uids : uids,
		.groups = c->front_groups ? c->front_groups : groups,
		.extras = c->front_extras ? c->front_extras : extras,
	};
}

int boot_given(struct boot *b, struct err *err)
{
	const struct apiserver_conf *c = b->conf;
	const struct {
		enum given_id id;
		const char *path, *flag;
	} files[] = {
		{ GIVEN_CERT, c->tls_cert, "--tls-cert-file" },
		{ GIVEN_KEY, c->tls_key, "--tls-private-key-file" },
		{ GIVEN_CLIENT_CA, c->client_ca, "--client-ca-file" },
		{ GIVEN_FRONT_CA, c->front_ca, "--requestheader-client-ca-file" },
		{ GIVEN_AUTHN, c->authn_conf, "--authentication-config" },
		{ GIVEN_OIDC_CA, c->oidc_ca, "--oidc-ca-file" },
		{ GIVEN_ENCRYPTION, c->encryption_conf, "--encryption-provider-config" },
		{ GIVEN_ETCD_CA, c->etcd_ca, "--etcd-cafile" },
		{ GIVEN_ETCD_CERT, c->etcd_cert, "--etcd-certfile" },
		{ GIVEN_ETCD_KEY, c->etcd_key, "--etcd-keyfile" },
	};
	const struct authn_conf authn = { .token_file = c->token_file,
					  .front = &b->front,
					  .bootstrap = c->bootstrap_tokens,
					  .anonymous = !c->no_anonymous };
	const struct apiaudit_conf audit = {
		.loop = b->loop,
		.metrics = b->metrics,
		.policy_file = c->audit_policy,
		.path = c->audit_log,
		.bytes_max = (uint64_t)c->audit_bytes,
		.backups = (unsigned)c->audit_backups,
		.age = c->audit_age,
	};

	choose_front(b);
	/* read while we may look there; issuers may have a CA of their own instead */
	if (c->authn_conf || c->oidc_issuer)
		(void)cert_pool_system(&b->system, NULL);
	b->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!files[i].path)
			continue;
		if (given_open(files[i].path, &b->given[files[i].id], err) < 0)
			return err_wrap(err, "%s", files[i].flag);
		watch_beside(b, given_path(b->given[files[i].id]));
	}
	if (authn_new(&authn, &b->authn, err) < 0 || read_account_keys(b, err) < 0 ||
	    authn_webhook_new(&c->token_webhook, &b->token_webhook, err) < 0 ||
	    authz_chain_new(&c->authz, &b->authz, err) < 0 ||
	    admission_new(&c->admission, &b->admission, err) < 0)
		return err_ret(err);
	for (size_t i = 0; authz_chain_file(b->authz, i); i++)
		watch_beside(b, authz_chain_file(b->authz, i));
	for (size_t i = 0; authn_webhook_file(b->token_webhook, i); i++)
		watch_beside(b, authn_webhook_file(b->token_webhook, i));
	if (c->audit_log && apiaudit_new(&audit, &b->audit, err) < 0)
		return err_wrap(err, "audit log");
	return 0;
}

/* ---- the fence ---- */

#define PATHS_MAX (32 + 3 * GIVEN_SET_MAX)

int boot_fence(struct boot *b, struct err *err)
{
	const struct apiserver_conf *c = b->conf;
	struct confine_path paths[PATHS_MAX] = { { ".", CONFINE_STORE, false } };
	struct confine f = {
		.drop = b->drop, .uid = b->uid, .gid = b->gid, .paths = paths, .outward = true
	};
	size_t n = 1;

	for (unsigned i = 0; i < GIVEN_N; i++)
		if (b->given[i])
			paths[n++] = (struct confine_path){ given_path(b->given[i]), CONFINE_READ,
							    true };
	for (size_t i = 0; authz_chain_file(b->authz, i); i++)
		paths[n++] =
			(struct confine_path){ authz_chain_file(b->authz, i), CONFINE_READ, true };
	for (size_t i = 0; authn_webhook_file(b->token_webhook, i); i++)
		paths[n++] = (struct confine_path){ authn_webhook_file(b->token_webhook, i),
						    CONFINE_READ, true };
	for (size_t i = 0; admission_file(b->admission, i); i++)
		paths[n++] = (struct confine_path){ admission_file(b->admission, i), CONFINE_READ,
						    true };
	paths[n++] = (struct confine_path){ c->token_file, CONFINE_READ, true };
	paths[n++] = (struct confine_path){ c->audit_policy, CONFINE_READ, true };
	paths[n++] = (struct confine_path){ c->node_ca, CONFINE_READ, true };
	if (c->audit_log && strcmp(c->audit_log, "-") != 0)
		paths[n++] = (struct confine_path){ c->audit_log, CONFINE_LOGS, true };
	if (!b->drop) {
		paths[n++] = (struct confine_path){ c->kubeconfig_out, CONFINE_LOGS, true };
		paths[n++] = (struct confine_path){ c->pid_file, CONFINE_LOGS, true };
	}
	if (c->netcd || c->authn_conf || c->oidc_issuer || c->token_webhook.config ||
	    c->authz.config || c->authz.webhook_config ||
	    c->admission.config) { /* names of hosts */
		paths[n++] = (struct confine_path){ "/etc", CONFINE_READ, false };
		if (access("/run/systemd/resolve", F_OK) == 0)
			paths[n++] = (struct confine_path){ "/run/systemd/resolve", CONFINE_READ,
							    false };
	}
	for (size_t i = 0; i < c->nlisten && n < PATHS_MAX; i++)
		if (strncmp(c->listen[i], "unix://", 7) == 0)
			paths[n++] =
				(struct confine_path){ c->listen[i] + 7, CONFINE_SOCKETS, true };
	f.npaths = n;
	return confine_enter(&f, err) < 0 ? err_wrap(err, "give up rights") : 0;
}

/* ---- other issuers ---- */

static int read_given_text(struct boot *b, enum given_id id, struct buf *out, struct err *err)
{
	return b->given[id] ? given_read(b->given[id], out, err) : 0;
}

static int set_oidc(struct boot *b, struct err *err)
{
	const struct apiserver_conf *c = b->conf;
	CLEANUP(buf_fini) struct buf ca = BUF_INIT(PEM_MAX);
	struct authn_oidc o = { .issuer = c->oidc_issuer,
				.client = c->oidc_client,
				.user = c->oidc_user,
				.user_prefix = c->oidc_user_prefix,
				.groups = c->oidc_groups,
				.groups_prefix = c->oidc_groups_prefix,
				.required = c->oidc_required,
				.algs = c->oidc_algs };

	if (read_given_text(b, GIVEN_OIDC_CA, &ca, err) < 0)
		return err_wrap(err, "--oidc-ca-file");
	o.ca = buf_slice(&ca);
	return authn_jwt_set_flags(b->issuers, &o, err);
}

int boot_reread_issuers(struct boot *b, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(PEM_MAX);

	if (!b->given[GIVEN_AUTHN])
		return 0;
	if (read_given_text(b, GIVEN_AUTHN, &text, err) < 0 ||
	    authn_jwt_read(b->issuers, buf_slice(&text), err) < 0)
		return err_wrap(err, "--authentication-config");
	return 0;
}

/* Behind the fence: threads that fetch keys are within it, too. */
int boot_issuers(struct boot *b, struct err *err)
{
	const struct apiserver_conf *c = b->conf;
	const struct authn_jwt_conf conf = { .loop = b->loop,
					     .accounts = c->issuers,
					     .system = b->system };

	if (!c->authn_conf && !c->oidc_issuer)
		return 0;
	if (authn_jwt_new(&conf, &b->issuers, err) < 0 ||
	    (c->oidc_issuer ? set_oidc(b, err) : boot_reread_issuers(b, err)) < 0)
		return err_ret(err);
	if (c->no_anonymous && authn_jwt_anonymous(b->issuers, "/") >= 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "--anonymous-auth: --authentication-config says it, too");
	authn_set_issuers(b->authn, b->issuers);
	return 0;
}

/* ---- the store ---- */

/* "apps" and "deployments" of a key: of built-in and custom collections alike. */
struct find_prefix {
	struct slice key;
	const struct collection *found;
	size_t n;
};

static int match_prefix(void *arg, struct resource *r)
{
	struct find_prefix *f = arg;
	size_t n = r->objects ? strlen(r->objects->prefix) : 0;

	if (n > f->n && slice_starts(f->key, slice_of(r->objects->prefix, n))) {
		f->found = r->objects;
		f->n = n;
	}
	return 0;
}

static bool name_of_key(void *arg, struct slice key, struct slice *group, struct slice *resource)
{
	struct boot *b = arg;
	struct find_prefix f = { .key = key };

	(void)resources_each(b->resources, match_prefix, &f);
	if (!f.found)
		return false;
	*group = slice_str(f.found->kind->group->group);
	*resource = slice_str(f.found->kind->resource);
	return true;
}

static bool is_live(void *arg, struct slice key)
{
	struct boot *b = arg;
	struct find_prefix f = { .key = key };

	(void)resources_each(b->resources, match_prefix, &f);
	if (!f.found || !f.found->cache || !cache_ready(f.found->cache))
		return f.found != NULL;
	return cache_get(f.found->cache, slice_of(key.p + f.n, key.n - f.n)) != NULL;
}

static int open_encryption(struct boot *b, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf text = BUF_INIT(ENCRYPTION_MAX);
	struct given *g = b->given[GIVEN_ENCRYPTION];
	const struct encryption_names names = { .fn = name_of_key, .live = is_live, .arg = b };

	if (g && (!buf_room(&text, ENCRYPTION_MAX / 2) || given_read(g, &text, err) < 0))
		return err_wrap(err, "--encryption-provider-config");
	if (encryption_new(g ? buf_slice(&text) : (struct slice){ 0 }, g ? given_path(g) : "",
			   &b->encryption, err) < 0)
		return err_wrap(err, "--encryption-provider-config");
	encryption_set_names(b->encryption, &names);
	return 0;
}

static int etcd_tls(struct boot *b, struct tls_conf **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf ca = BUF_INIT(PEM_MAX);
	CLEANUP(buf_fini) struct buf crt = BUF_INIT(PEM_MAX);
	CLEANUP(secret_buf_fini) struct buf pem = BUF_INIT(PEM_MAX);
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	CLEANUP(cert_unref) struct cert *cert = NULL;
	CLEANUP(key_unref) struct key *key = NULL;
	struct tls_identity id = { .chain = &cert, .chain_n = 1 };
	struct tls_options o = { .trust = pool };

	if (!b->given[GIVEN_ETCD_CA])
		return 0;
	if (given_read(b->given[GIVEN_ETCD_CA], &ca, err) < 0 ||
	    cert_pool_add_pem(pool, buf_slice(&ca), err) < 0)
		return err_ret(err);
	if (b->given[GIVEN_ETCD_CERT]) {
		if (given_read(b->given[GIVEN_ETCD_CERT], &crt, err) < 0 ||
		    cert_read_one(buf_slice(&crt), &cert, err) < 0 || !buf_room(&pem, 65536) ||
		    given_read(b->given[GIVEN_ETCD_KEY], &pem, err) < 0 ||
		    key_read(buf_slice(&pem), &key, err) < 0)
			return err_ret(err);
		id.key = key;
		o.ids = &id;
		o.ids_n = 1;
	}
	return tls_conf_new(&o, ret, err);
}

/* It may begin together with us: this long it is asked again and again, as upstream has it. */
#define ETCD_WAIT (60 * NS_PER_SEC)
#define ETCD_PAUSE_MAX (2 * NS_PER_SEC)

static int wait_for_etcd(struct boot *b, const struct store_etcd_options *o, struct err *err)
{
	const int64_t end = clock_mono() + ETCD_WAIT;
	int64_t pause = NS_PER_SEC / 10;
	int r;

	while ((r = store_open_etcd(o, &b->store, err)) < 0) {
		const int64_t until = clock_mono() + pause;

		if ((r != -ERR_UNAVAILABLE && r != -ERR_TIMEOUT) || until >= end)
			return r;
		log_kv(LOG_LEVEL_WARN, "etcd does not answer yet", "error", err->msg, NULL);
		err_clear(err);
		while (!b->ending && clock_mono() < until)
			if (loop_step(b->loop, until - clock_mono(), err) < 0)
				return err_ret(err);
		if (b->ending)
			return err_set(err, ERR_UNAVAILABLE, "a signal ended the wait");
		pause = MIN(2 * pause, ETCD_PAUSE_MAX);
	}
	return 0;
}

static int open_etcd(struct boot *b, struct err *err)
{
	CLEANUP(tls_conf_unref) struct tls_conf *tls = NULL;
	struct store_etcd_options o = { .loop = b->loop,
					.endpoints = b->conf->etcd,
					.nendpoints = b->conf->netcd };

	if (etcd_tls(b, &tls, err) < 0)
		return err_wrap(err, "certificates for etcd");
	if (resolver_new(b->loop, NULL, &b->resolver, err) < 0)
		return err_ret(err);
	o.tls = tls;
	o.resolver = b->resolver;
	return wait_for_etcd(b, &o, err) < 0 ? err_wrap(err, "--etcd-servers") : 0;
}

static int open_sqlite(struct boot *b, struct err *err)
{
	const struct store_sqlite_options o = { .loop = b->loop, .path = APISERVER_DB };
	int r = fd_mkdir_p(b->place.fd, APISERVER_STORE, 0700, err);

	if (r < 0)
		return r;
	r = store_open_sqlite(&o, &b->store, err);
	if (r == -ERR_INVALID)
		return err_hint(err,
				"see `teu --root %s store verify`, and `teu store restore` for the "
				"way back to a backup",
				b->conf->root);
	return r;
}

int boot_store(struct boot *b, struct err *err)
{
	int r = open_encryption(b, err);

	if (r == 0)
		r = b->conf->netcd ? open_etcd(b, err) : open_sqlite(b, err);
	if (r == 0)
		control_set_store(b->admin, b->store);
	return r;
}

/* ---- objects ---- */

int boot_objects(struct boot *b, struct err *err)
{
	const struct cache_form sealing = { .open = encryption_open,
					    .seal = encryption_seal,
					    .stale = encryption_is_stale,
					    .arg = b->encryption };
	const struct world_conf world = { .loop = b->loop,
					  .store = b->store,
					  .shared = b->conf->netcd > 0,
					  .sealing = &sealing };
	const char *lacks;
	int r;

	b->arena = arena_new("tables of the API", TABLES_MAX);
	r = load_tables(b, b->arena, &b->api, &lacks, err);
	if (r < 0)
		return r;
	if (lacks)
		log_kv(LOG_LEVEL_WARN, "a version that --runtime-config switches on stays off",
		       "needs", lacks, NULL);
	b->world = world_new(&world);
	r = resources_new(&b->api, b->world, strategy_of, &b->resources, err);
	if (r < 0)
		return r;
	world_start(b->world, waited, b);
	r = boot_wait(b, "read the store", err);
	if (r == -ERR_INVALID)
		return err_hint(err, "see `teu --root %s store verify`", b->conf->root);
	if (r < 0)
		return r;
	b->strategies = true;
	return strategy_start(b->resources, slice_str(b->conf->service_cidr), b->port_from,
			      b->port_to, err);
}

/* ---- the server ---- */

static const char *check_boot(void *arg)
{
	return ((struct boot *)arg)->ready ? NULL : "not finished";
}

static void add_check(struct boot *b)
{
	b->boot_check = (struct server_check){ .name = "poststarthook/bootstrap-objects",
					       .fn = check_boot,
					       .arg = b,
					       .ready_only = true };
	server_add_check(b->server, &b->boot_check);
}

static int listen_all(struct boot *b, struct err *err)
{
	for (size_t i = 0; i < b->conf->nlisten; i++) {
		const char *at = b->conf->listen[i];
		bool plain = strncmp(at, "unix://", 7) == 0;

		if (server_listen(b->server, at, plain ? NULL : b->tls, err) < 0)
			return err_wrap(err, "--listen %s", at);
	}
	return 0;
}

/* "tcp://[::]:6443": our own clients reach any address by loopback. */
static void note_address(struct boot *b)
{
	for (size_t i = 0; server_address(b->server, i); i++) {
		const char *at = server_address(b->server, i);
		const char *colon = strrchr(at, ':');
		uint64_t port;

		if (strncmp(at, "tcp://", 6) != 0 ||
		    str_uint64(slice_str(colon + 1), &port, NULL) < 0)
			continue;
		b->port = (unsigned)port;
		if (strncmp(at + 6, "0.0.0.0:", 8) == 0)
			(void)snprintf(b->url, sizeof(b->url), "https://127.0.0.1:%u", b->port);
		else if (strncmp(at + 6, "[::]:", 5) == 0)
			(void)snprintf(b->url, sizeof(b->url), "https://localhost:%u", b->port);
		else
			(void)snprintf(b->url, sizeof(b->url), "https://%s", at + 6);
		return;
	}
}

/* 0: only the kernel knows it yet. */
static unsigned wanted_port(const struct boot *b)
{
	for (size_t i = 0; i < b->conf->nlisten; i++) {
		const char *colon = strrchr(b->conf->listen[i], ':');
		uint64_t port;

		if (strncmp(b->conf->listen[i], "unix://", 7) != 0)
			return str_uint64(slice_str(colon + 1), &port, NULL) == 0 ? (unsigned)port
										  : 0;
	}
	return 443; /* sockets only: nobody can ask */
}

static int make_objects(struct boot *b, struct err *err)
{
	CLEANUP(buf_fini) struct buf client = BUF_INIT(PEM_MAX);
	CLEANUP(buf_fini) struct buf front = BUF_INIT(PEM_MAX);
	struct bootstrap_conf conf = {
		.loop = b->loop,
		.resources = b->resources,
		.store = b->store,
		.service_cidr = b->conf->service_cidr,
		.address = b->advertise[0] ? b->advertise : NULL,
		.port = b->port ? b->port : wanted_port(b),
		.hostname = b->hostname,
		.front = &b->front,
	};

	if (boot_client_roots(b, &client, &front, err) < 0)
		return err_ret(err);
	conf.client_ca = buf_slice(&client);
	conf.front_ca = buf_slice(&front);
	if (bootstrap_new(&conf, &b->bootstrap, err) < 0)
		return err_ret(err);
	bootstrap_run(b->bootstrap, waited, b);
	return boot_wait(b, "objects of the server", err);
}

/* Namespaces get their accounts, then and later. */
static int make_accounts(struct boot *b, struct err *err)
{
	CLEANUP(buf_fini) struct buf roots = BUF_INIT(PEM_MAX);
	struct account_control_conf conf = { .loop = b->loop,
					     .resources = b->resources,
					     .tokens = b->accounts };

	if (boot_roots(b, &roots, err) < 0)
		return err_ret(err);
	conf.roots = buf_slice(&roots);
	if (account_control_start(&conf, waited, b, &b->account_control, err) < 0)
		return err_ret(err);
	return boot_wait(b, "service accounts", err);
}

int boot_server(struct boot *b, struct err *err)
{
	const struct fairness_conf fair = { .loop = b->loop, .metrics = b->metrics };
	struct server_conf conf = {
		.loop = b->loop,
		.api = &b->api,
		.world = b->world,
		.resources = b->resources,
		.store = b->store,
		.authn = b->authn,
		.accounts = b->accounts,
		.authz = authz_chain_authz(b->authz),
		.admission = b->admission,
		.metrics = b->metrics,
		.audit = b->audit,
		.node_ca = b->conf->node_ca,
		.node_addresses = b->conf->node_addresses,
		.address = b->address,
		.node_cert = "pki/apiserver-kubelet-client.crt",
		.node_key = "pki/apiserver-kubelet-client.key",
		.front = &b->front,
	};
	const struct aggregator_conf others = { .loop = b->loop,
						.resources = b->resources,
						.cert = "pki/front-proxy-client.crt",
						.key = "pki/front-proxy-client.key",
						.metrics = b->metrics };
	bool early = wanted_port(b) == 0;
	int r = fairness_new(&fair, &b->fairness, err);

	account_tokens_set_objects(b->accounts, b->resources);
	authn_set_accounts(b->authn, b->accounts);
	authn_set_objects(b->authn, b->resources);
	authn_set_webhook(b->authn, b->token_webhook);

	conf.fairness = b->fairness;
	if (r == 0)
		r = aggregator_new(&others, &b->others, err);
	conf.aggregator = b->others;
	if (r == 0)
		r = authz_chain_begin(b->authz, b->loop, b->resources, b->metrics, err);
	if (r == 0 && b->token_webhook)
		r = authn_webhook_begin(b->token_webhook, b->loop, b->metrics, err);
	if (r == 0)
		r = admission_begin(b->admission, b->loop, err);
	if (r == 0)
		r = server_new(&conf, &b->server, err);
	if (r < 0)
		return r;
	add_check(b);
	/* Nobody is let in before all is there, unless the port is the kernel's choice, which the
	 * objects tell: then /readyz says no until they do. */
	if (early)
		r = listen_all(b, err);
	if (r == 0)
		note_address(b);
	if (r == 0)
		r = make_objects(b, err);
	if (r == 0)
		r = make_accounts(b, err);
	if (r == 0)
		r = crd_controller_start(b->resources, b->loop, &b->definitions, err);
	if (r == 0) {
		aggregator_start(b->others);
		crd_controller_set_aggregator(b->definitions, b->others);
	}
	if (r == 0)
		r = rbac_aggregate_start(b->resources, b->loop, &b->aggregate, err);
	if (r == 0)
		r = policy_status_start(b->resources, b->loop, &b->policies, err);
	if (r == 0)
		r = storage_protect_start(
			b->resources, b->loop,
			admission_runs(b->admission, "StorageObjectInUseProtection"), &b->storage,
			err);
	if (r == 0)
		r = fairness_follow(b->fairness, b->loop, b->resources, err);
	if (r == 0 && !api_resource(&b->api, MIGRATION_GROUP "/v1beta1", MIGRATION_RESOURCE)->off)
		r = storage_migration_start(b->resources, b->loop, &b->migration, err);
	if (r == 0 && !early)
		r = listen_all(b, err);
	note_address(b);
	(void)snprintf(b->address, sizeof(b->address),
		       strchr(b->advertise, ':') ? "[%s]:%u" : "%s:%u",
		       b->advertise[0] ? b->advertise : "127.0.0.1", b->port);
	return r;
}

/* ---- the end ---- */

/* Longer than a request to etcd may take, over all its members. */
#define SETTLE_TIME (30 * NS_PER_SEC)

/*
 * Writes of our own that are under way (conditions, the Lease) belong to parts that are freed next;
 * their done() may begin another one.
 */
static void settle(struct boot *b)
{
	const int64_t end = clock_mono() + SETTLE_TIME;

	while (b->world && world_writing(b->world) && clock_mono() < end)
		if (loop_step(b->loop, NS_PER_SEC, NULL) < 0)
			return;
}

void boot_close(struct boot *b)
{
	if (b->bootstrap)
		bootstrap_stop(b->bootstrap);
	account_control_stop(b->account_control);
	timer_fini(&b->renew);
	timer_fini(&b->reread);
	source_fini(&b->changes);
	server_free(b->server);
	if (b->admin)
		control_set_store(b->admin, NULL);
	rbac_aggregate_stop(b->aggregate);
	policy_status_stop(b->policies);
	storage_protect_stop(b->storage);
	storage_migration_stop(b->migration);
	settle(b);
	crd_controller_stop(b->definitions);
	aggregator_free(b->others);
	bootstrap_free(b->bootstrap);
	account_control_free(b->account_control);
	fairness_free(b->fairness);
	authz_chain_free(b->authz);
	admission_free(b->admission);
	if (b->strategies)
		strategy_stop(b->resources);
	resources_free(b->resources);
	world_free(b->world);
	store_close(b->store);
	resolver_free(b->resolver);
	apiaudit_free(b->audit);
	authn_free(b->authn);
	authn_webhook_free(b->token_webhook);
	authn_jwt_free(b->issuers);
	cert_pool_unref(b->system);
	account_tokens_free(b->accounts);
	encryption_free(b->encryption);
	cert_pool_unref(b->clients);
	tls_conf_unref(b->tls);
	pki_free(b->pki);
	if (b->arena) {
		api_fini(&b->api);
		arena_free(b->arena);
	}
	control_free(b->admin);
	metrics_free(b->metrics);
	for (unsigned i = 0; i < GIVEN_N; i++)
		given_free(b->given[i]);
	fd_close(b->inotify);
	if (b->outside && b->ready)
		outside_remove_pid(b->outside);
	outside_free(b->outside);
	role_signals_fini(&b->signals);
	place_fini(&b->place);
	arena_free(b->texts);
	loop_free(b->loop);
}
