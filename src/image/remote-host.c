/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hosts that a registry client meets, and its connections to them: certificates, names,
 * proxies. Certificates of hosts are read once at the begin (their keys may be for root alone), the
 * roots of the machine when TLS is spoken first.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "crypto/identity.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "image/remote-priv.h"
#include "io/http-redirect.h"
#include "io/resolver.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define CERTS_DIR "/etc/docker/certs.d"
#define HOSTS_MAX 256
#define QUIET (120 * NS_PER_SEC)

bool remote_is_loopback(const char *host)
{
	const char *colon = host[0] == '[' ? strstr(host, "]:") : strchr(host, ':');
	size_t n = colon ? (size_t)(colon - host) + (host[0] == '[') : strlen(host);
	struct in_addr v4;
	char name[64];

	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	/* An address, not a name that looks like one. */
	if (inet_pton(AF_INET, name, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0;
}

/* ---- certificates of hosts: <dir>/<host>/NAME.crt to trust, NAME.cert with NAME.key to show ----
 */

struct host_certs {
	struct host_certs *next;
	char host[256];
	struct buf trust, cert, key; /* PEM; empty = none */
};

static int read_pair(int dir, const char *cert, struct host_certs *h, struct err *err)
{
	char name[256];
	int r;

	(void)str_copy(name, sizeof(name), cert);
	memcpy(name + strlen(name) - 5, ".key", 5); /* ".cert" is one longer */
	r = fd_read_file(dir, cert, &h->cert, err);
	return r < 0 ? r : fd_read_file(dir, name, &h->key, err);
}

static int read_file(int dir, const char *file, struct host_certs *h, struct err *err)
{
	struct slice name = slice_str(file);
	int r = 0;

	if (slice_ends(name, SLICE(".crt"))) {
		r = fd_read_file(dir, file, &h->trust, err);
		buf_addc(&h->trust, '\n');
	} else if (slice_ends(name, SLICE(".cert")) && !h->cert.n && name.n < 250) {
		r = read_pair(dir, file, h, err);
	}
	return r < 0 ? err_wrap(err, "'%s'", file) : 0;
}

/* fd is used up. */
static int read_dir(int fd, int (*fn)(int dir, const char *name, void *arg, struct err *err),
		    void *arg, struct err *err)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int r = 0;

	if (!d) {
		fd_close(fd);
		return err_sys(err, "list a directory");
	}
	while (r >= 0 && (de = readdir(d)))
		if (de->d_name[0] != '.')
			r = fn(fd, de->d_name, arg, err);
	closedir(d);
	return r;
}

static int on_file(int dir, const char *name, void *arg, struct err *err)
{
	return read_file(dir, name, arg, err);
}

static void certs_free(struct host_certs *h)
{
	buf_clear(&h->key);
	buf_fini(&h->trust);
	buf_fini(&h->cert);
	buf_fini(&h->key);
	free(h);
}

static int on_host(int dir, const char *name, void *arg, struct err *err)
{
	struct remote *r = arg;
	struct host_certs *h;
	unsigned n = 0;
	int fd, ret;

	for (h = r->certs; h; h = h->next)
		n++;
	if (strlen(name) >= sizeof(h->host))
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) /* a file; or another user's, which is not for us */
		return errno == ENOTDIR || errno == EACCES ? 0 : err_sys(err, "open '%s'", name);
	if (n >= HOSTS_MAX) {
		fd_close(fd);
		return err_set(err, ERR_TOO_LARGE, "there are more than %d hosts", HOSTS_MAX);
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		abort();
	h->trust = h->cert = h->key = BUF_INIT(4u << 20);
	(void)str_copy(h->host, sizeof(h->host), name);
	h->next = r->certs;
	r->certs = h;
	ret = read_dir(fd, on_file, h, err);
	return ret < 0 ? err_wrap(err, "'%s'", name) : 0;
}

int remote_hosts_init(struct remote *r, struct err *err)
{
	const char *dir = r->conf.certs_dir ? r->conf.certs_dir : CERTS_DIR;
	int fd = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return 0; /* there need be none */
	ret = read_dir(fd, on_host, r, err);
	return ret < 0 ? err_wrap(err, "certificates of hosts in '%s'", dir) : 0;
}

void remote_hosts_fini(struct remote *r)
{
	while (r->certs) {
		struct host_certs *h = r->certs;

		r->certs = h->next;
		certs_free(h);
	}
	while (r->others) {
		struct endpoint *e = r->others;

		r->others = e->next;
		endpoint_fini(e);
		free(e);
	}
}

static int parse_certs(const struct host_certs *h, struct cert_pool *trust, struct identity *id,
		       struct err *err)
{
	int r = 0;

	if (h->trust.n)
		r = cert_pool_add_pem(trust, buf_slice(&h->trust), err);
	if (r < 0 || !h->cert.n)
		return r;
	return identity_read(id, buf_slice(&h->cert), buf_slice(&h->key), err);
}

static const struct host_certs *find_certs(const struct remote *r, const char *host)
{
	const struct host_certs *h = r->certs;

	while (h && strcmp(h->host, host) != 0)
		h = h->next;
	return h;
}

static int make_tls(struct remote *r, struct endpoint *e, struct err *err)
{
	static const char *const alpn[] = { "http/1.1" };
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	const struct host_certs *h = find_certs(r, e->host);
	CLEANUP(identity_fini) struct identity id = { .n = 0 };
	struct tls_identity shown;
	struct tls_options o = { .insecure = r->conf.insecure,
				 .alpn = alpn,
				 .alpn_n = ARRAY_LEN(alpn) };
	int ret = 0;

	/* A machine without any: only the host's own count. */
	if (r->conf.insecure || cert_pool_system(&trust, NULL) < 0)
		trust = cert_pool_new();
	if (h)
		ret = parse_certs(h, trust, &id, err);
	shown = identity_shown(&id);
	o.trust = trust;
	o.ids = &shown;
	o.ids_n = id.key != NULL;
	if (ret >= 0)
		ret = tls_conf_new(&o, &e->tls, err);
	return ret < 0 ? err_wrap(err, "certificates for '%s' in '%s'", e->host,
				  r->conf.certs_dir ? r->conf.certs_dir : CERTS_DIR)
		       : 0;
}

/* ---- endpoints ---- */

void endpoint_init(struct remote *r, struct endpoint *e, const char *host, const char *prefix)
{
	e->host = arena_strdup(r->arena, host);
	e->prefix = arena_strdup(r->arena, prefix);
	e->plain_ok = r->conf.insecure || remote_is_loopback(host);
}

void endpoint_fini(struct endpoint *e)
{
	while (e->nidle)
		line_free(e->idle[--e->nidle]);
	tls_conf_unref(e->tls);
	auth_fini(e);
}

/* Under the lock. The list is bounded: a server that leads to ever more hosts meets its end. */
static struct endpoint *add_other(struct remote *r, const char *host, const char *origin)
{
	struct endpoint *e;

	for (e = r->others; e; e = e->next)
		if (strcmp(e->origin, origin) == 0)
			return e;
	if (r->nothers == REMOTE_OTHERS)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	endpoint_init(r, e, host, "");
	(void)str_copy(e->origin, sizeof(e->origin), origin);
	e->scheme = origin[4] == 's' ? SCHEME_HTTPS : SCHEME_HTTP;
	e->next = r->others;
	r->others = e;
	r->nothers++;
	return e;
}

int remote_other(struct remote *r, const char *url, struct endpoint **ret, struct err *err)
{
	char origin[300], host[300];
	const char *from;
	size_t n;

	from = strstr(url, "://");
	if (!from || !http_origin(slice_str(url), origin, sizeof(origin)))
		return err_set(err, ERR_INVALID, "led to '%.200s', which is no web address", url);
	from += 3;
	n = strcspn(from, "/?#");
	if (n >= sizeof(host) || memchr(from, '@', n))
		return err_set(err, ERR_INVALID, "led to a host of no valid form");
	memcpy(host, from, n);
	host[n] = '\0';
	if (origin[4] != 's' && !r->conf.insecure && !remote_is_loopback(host))
		return err_set(err, ERR_INVALID,
			       "led to '%s' by plain HTTP, which only insecure registries may do",
			       host);
	pthread_mutex_lock(&r->lock);
	*ret = add_other(r, host, origin);
	pthread_mutex_unlock(&r->lock);
	return *ret ? 0
		    : err_set(err, ERR_TOO_LARGE, "led to more than %d other hosts", REMOTE_OTHERS);
}

/* ---- connections ---- */

void line_free(struct line *l)
{
	if (!l)
		return;
	http_client_free(l->client);
	resolver_free(l->resolver);
	loop_free(l->loop);
	free(l);
}
DEFINE_CLEANUP(struct line *, line_free)

/* 1 = by *p; 0 = directly. */
static int find_proxy(const struct remote *r, const char *scheme, const char *host,
		      struct http_proxy *p, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("proxy", 4096);
	const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
	uint64_t port = scheme[4] == 's' ? 443 : 80;
	size_t n = strlen(host);

	if (colon && (!bracket || colon > bracket)) {
		n = (size_t)(colon - host);
		if (str_uint64(slice_str(colon + 1), &port, NULL) < 0 || port > 65535)
			return err_set(err, ERR_INVALID, "'%.200s' has no valid port", host);
	}
	if (bracket && n > 2) { /* [::1] */
		host++;
		n -= 2;
	}
	return http_proxy_for(&r->proxies, scheme, arena_strndup(a, host, n), (uint16_t)port, p,
			      err);
}

static int line_new(struct remote *r, const struct endpoint *e, bool https, struct line **ret,
		    struct err *err)
{
	CLEANUP(line_free) struct line *l = calloc(1, sizeof(*l));
	int64_t quiet = r->conf.quiet ? r->conf.quiet : QUIET;
	struct http_client_conf c = { .agent = r->conf.agent,
				      .http2 = HTTP2_NEVER,
				      .tls = https ? e->tls : NULL,
				      .host = e->host,
				      .connections_max = 1,
				      .connect_time = MIN(quiet, 30 * NS_PER_SEC),
				      .head_time = quiet,
				      .body_time = quiet,
				      .write_time = quiet };
	const char *scheme = https ? "https" : "http";
	struct http_proxy proxy;
	char address[320];
	int n;

	if (!l)
		abort();
	n = find_proxy(r, scheme, e->host, &proxy, err);
	if (n > 0)
		c.proxy = &proxy;
	if (n >= 0)
		n = loop_new(&l->loop, err);
	if (n >= 0)
		n = resolver_new(l->loop, NULL, &l->resolver, err);
	c.resolver = l->resolver;
	(void)snprintf(address, sizeof(address), "%s://%s", scheme, e->host);
	if (n >= 0)
		n = http_client_new(l->loop, address, &c, &l->client, err);
	if (n < 0)
		return n;
	*ret = STEAL(l);
	return 0;
}

int line_take(struct remote *r, struct endpoint *e, bool https, struct line **ret, struct err *err)
{
	int n = 0;

	*ret = NULL;
	pthread_mutex_lock(&r->lock);
	if (e->nidle && https == (e->scheme == SCHEME_HTTPS))
		*ret = e->idle[--e->nidle];
	else if (https && !e->tls)
		n = make_tls(r, e, err);
	pthread_mutex_unlock(&r->lock);
	return *ret || n < 0 ? n : line_new(r, e, https, ret, err);
}

int line_probe(struct remote *r, const struct endpoint *e, struct line **ret, struct err *err)
{
	const struct tls_options o = { .insecure = true };
	CLEANUP(tls_conf_unref) struct tls_conf *any = NULL;
	struct endpoint other = *e;
	int n;

	n = tls_conf_new(&o, &any, err);
	if (n < 0)
		return n;
	other.tls = any;
	return line_new(r, &other, true, ret, err);
}

bool line_must_show_who(const struct remote *r, const struct endpoint *e)
{
	const struct host_certs *h = find_certs(r, e->host);

	return h && h->cert.n;
}

void line_put(struct remote *r, struct endpoint *e, struct line *l)
{
	pthread_mutex_lock(&r->lock);
	if (e->nidle < REMOTE_IDLE)
		e->idle[e->nidle++] = STEAL(l);
	pthread_mutex_unlock(&r->lock);
	line_free(l);
}
