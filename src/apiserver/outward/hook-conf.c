/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/outward/hook-conf.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "crypto/aead.h"
#include "crypto/identity.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/yaml.h"
#include "io/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (1u << 20)
#define TOKEN_MAX (64u << 10)
#define HOST_MAX (TLS_NAME_MAX + 16) /* with a port */

/* ---- files ---- */

int given_set_get(struct given_set *s, const char *path, struct given **ret, struct err *err)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(given_path(s->v[i]), path) == 0) {
			*ret = s->v[i];
			return 0;
		}
	if (s->n == GIVEN_SET_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d files", GIVEN_SET_MAX);
	if (given_open(path, &s->v[s->n], err) < 0)
		return err_ret(err);
	*ret = s->v[s->n++];
	return 0;
}

bool given_set_changed(const struct given_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (given_changed(s->v[i]))
			return true;
	return false;
}

void given_set_fini(struct given_set *s)
{
	while (s->n)
		given_free(s->v[--s->n]);
}

/* ---- one kubeconfig ---- */

struct reading {
	const char *path;
	struct given_set *files;
	struct arena *a;
	struct err *err;
};

static const char *text(struct reading *x, const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);
	const char *s = doc_is(v, DOC_STRING) ? doc_cstr(x->a, v) : NULL;

	return s && *s ? s : NULL;
}

/* The part of a list's element that is called so. */
static const struct doc *named(struct reading *x, const struct doc *d, const char *list,
			       const char *part, const char *name)
{
	DOC_EACH (e, doc_get(d, list))
		if (doc_str_is(doc_get(e, "name"), name))
			return doc_get(e, part);
	(void)err_set(x->err, ERR_INVALID, "%s: \"%.100s\" is not there", list, name);
	return NULL;
}

/* What there would be to do beyond what is done here. */
static int refuse(struct reading *x, const struct doc *d, const char *const *keys)
{
	for (; *keys; keys++) {
		const struct doc *v = doc_get(d, *keys);

		if (v && !doc_is(v, DOC_NULL) && !(doc_is(v, DOC_STRING) && v->n == 0))
			return err_set(x->err, ERR_UNSUPPORTED,
				       "%s: is not supported by this server", *keys);
	}
	return 0;
}

/* Of a file beside the kubeconfig, or base64 in it; data goes first. */
static int load(struct reading *x, const struct doc *d, const char *key, const char *data_key,
		struct buf *out, struct err *err)
{
	const char *file = text(x, d, key), *data = text(x, d, data_key), *slash;
	struct given *g;
	size_t n;

	if (!buf_room(out, FILE_MAX)) /* a secret must not move */
		return err_set(err, ERR_QUOTA, "%s", key);
	if (data) {
		if (strlen(data) > FILE_MAX || base64_decode(out->p, &n, slice_str(data)) < 0)
			return err_set(err, ERR_INVALID, "%s: is not base64", data_key);
		out->n = n;
		return 1;
	}
	if (!file)
		return 0;
	slash = strrchr(x->path, '/');
	if (file[0] != '/' && slash)
		file = arena_printf(x->a, "%.*s/%s", (int)(slash - x->path), x->path, file);
	if (!file)
		return arena_quota(x->a, err);
	if (given_set_get(x->files, file, &g, err) < 0 || given_read(g, out, err) < 0)
		return err_wrap(err, "%s", key);
	return 1;
}

static int read_identity(struct reading *x, const struct doc *user, struct identity *id)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(FILE_MAX + 1);
	CLEANUP(secret_buf_fini) struct buf key = BUF_INIT(FILE_MAX + 1);
	int r = load(x, user, "client-certificate", "client-certificate-data", &cert, x->err);
	int k = r < 0 ? r : load(x, user, "client-key", "client-key-data", &key, x->err);

	if (k < 0)
		return k;
	if (r != k)
		return err_set(x->err, ERR_INVALID,
			       "client-certificate, client-key: one goes with the other");
	if (r == 0)
		return 0;
	return identity_read(id, buf_slice(&cert), buf_slice(&key), x->err);
}

static int make_tls(struct reading *x, const struct doc *cluster, const struct doc *user,
		    struct hook_conf *k)
{
	static const char *const alpn[] = { "h2", "http/1.1" };
	CLEANUP(identity_fini) struct identity id = { .n = 0 };
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	CLEANUP(buf_fini) struct buf ca = BUF_INIT(FILE_MAX + 1);
	struct tls_options o = { .insecure = doc_true(doc_get(cluster, "insecure-skip-tls-verify")),
				 .alpn = alpn,
				 .alpn_n = ARRAY_LEN(alpn) };
	struct tls_identity shown;
	int r = load(x, cluster, "certificate-authority", "certificate-authority-data", &ca,
		     x->err);

	if (r < 0)
		return r;
	if (r && o.insecure)
		return err_set(x->err, ERR_INVALID,
			       "insecure-skip-tls-verify: not with certificate-authority");
	if (r == 0 && cert_pool_system(&trust, NULL) < 0)
		trust = cert_pool_new();
	if (r) {
		trust = cert_pool_new();
		if (cert_pool_add_pem(trust, buf_slice(&ca), x->err) < 0)
			return err_wrap(x->err, "certificate-authority");
	}
	if (read_identity(x, user, &id) < 0)
		return err_ret(x->err);
	shown = identity_shown(&id);
	o.trust = trust;
	o.ids = &shown;
	o.ids_n = id.n > 0;
	return tls_conf_new(&o, &k->tls, x->err);
}

static int read_token(struct reading *x, const struct doc *user, const char **ret,
		      struct given **ret_file)
{
	static const char *const refused[] = { "exec",	   "auth-provider", "as",
					       "as-uid",   "as-groups",	    "as-user-extra",
					       "username", "password",	    NULL };
	const char *file = text(x, user, "tokenFile"), *slash = strrchr(x->path, '/');

	if (refuse(x, user, refused) < 0)
		return err_ret(x->err);
	if (!file) {
		*ret = text(x, user, "token");
		return 0;
	}
	if (file[0] != '/' && slash)
		file = arena_printf(x->a, "%.*s/%s", (int)(slash - x->path), x->path, file);
	if (!file)
		return arena_quota(x->a, x->err);
	return given_set_get(x->files, file, ret_file, x->err) < 0 ? err_wrap(x->err, "tokenFile")
								   : 0;
}

static int read_config(struct reading *x, const struct doc *d, struct hook_conf *k)
{
	static const char *const refused[] = { "proxy-url", NULL };
	const char *current = text(x, d, "current-context"), *name;
	const struct doc *context, *cluster, *user = NULL;

	if (!current)
		return err_set(x->err, ERR_INVALID, "current-context: is not given");
	context = named(x, d, "contexts", "context", current);
	name = context ? text(x, context, "cluster") : NULL;
	cluster = name ? named(x, d, "clusters", "cluster", name) : NULL;
	if (!cluster)
		return name || !context
			       ? err_ret(x->err)
			       : err_set(x->err, ERR_INVALID, "the context has no cluster");
	name = text(x, context, "user");
	if (name) {
		user = named(x, d, "users", "user", name);
		if (!user)
			return err_ret(x->err);
	}
	k->server = text(x, cluster, "server");
	k->tls_name = text(x, cluster, "tls-server-name");
	if (!k->server ||
	    (strncmp(k->server, "https://", 8) != 0 && strncmp(k->server, "http://", 7) != 0))
		return err_set(x->err, ERR_INVALID, "server: must be an https:// or http:// URL");
	if (refuse(x, cluster, refused) < 0 || read_token(x, user, &k->token, &k->token_file) < 0)
		return err_ret(x->err);
	if (k->server[4] != 's' && (k->token || k->token_file))
		return err_set(x->err, ERR_INVALID, "a token is not sent in the clear: server '%s'",
			       k->server);
	return k->server[4] == 's' ? make_tls(x, cluster, user, k) : 0;
}

/* The text goes. */
static int open_config(struct reading *x, struct doc **ret)
{
	CLEANUP(secret_buf_fini) struct buf bytes = BUF_INIT(FILE_MAX + 1);
	struct given *g;
	struct doc *d;

	if (!buf_room(&bytes, FILE_MAX) || given_set_get(x->files, x->path, &g, x->err) < 0 ||
	    given_read(g, &bytes, x->err) < 0 ||
	    yaml_read(x->a, buf_slice(&bytes), NULL, &d, x->err) < 0)
		return err_wrap(x->err, "kubeconfig '%s'", x->path);
	*ret = doc_copy(x->a, d);
	return *ret ? 0 : arena_quota(x->a, x->err);
}

int hook_conf_read(const char *path, struct given_set *files, struct arena *a,
		   struct hook_conf *ret, struct err *err)
{
	struct reading x = { path, files, a, err };
	struct doc *d;

	*ret = (struct hook_conf){ 0 };
	if (open_config(&x, &d) < 0)
		return err_ret(err);
	if (read_config(&x, d, ret) < 0) {
		hook_conf_fini(ret);
		return err_wrap(err, "kubeconfig '%s'", path);
	}
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

void hook_conf_fini(struct hook_conf *k)
{
	tls_conf_unref(STEAL(k->tls));
}

/* ---- users ---- */

static int read_user(struct reading *x, const struct doc *d, struct hook_user *ret)
{
	const struct doc *user = doc_get(d, "user");

	ret->name = text(x, d, "name");
	if (!ret->name)
		return err_set(x->err, ERR_INVALID, "users: one has no name");
	if (read_token(x, user, &ret->token, &ret->token_file) < 0 ||
	    read_identity(x, user, &ret->id) < 0)
		return err_wrap(x->err, "user \"%.100s\"", ret->name);
	return 0;
}

static const struct hook_user *by_name(const struct hook_users *u, const char *name)
{
	for (size_t i = 0; name && i < u->n; i++)
		if (strcmp(u->v[i].name, name) == 0)
			return &u->v[i];
	return NULL;
}

static int read_users(struct reading *x, const struct doc *d, struct hook_users *u)
{
	const struct doc *list = doc_get(d, "users"), *context = NULL;
	const char *current = text(x, d, "current-context");

	if (doc_len(list) > HOOK_USERS_MAX)
		return err_set(x->err, ERR_TOO_LARGE, "users: more than %d", HOOK_USERS_MAX);
	u->v = ARENA_ARRAY(x->a, struct hook_user, doc_len(list));
	if (!u->v)
		return arena_quota(x->a, x->err);
	DOC_EACH (one, list)
		if (read_user(x, one, &u->v[u->n++]) < 0)
			return err_ret(x->err);
	DOC_EACH (c, doc_get(d, "contexts"))
		if (current && doc_str_is(doc_get(c, "name"), current))
			context = doc_get(c, "context");
	u->current = by_name(u, text(x, context, "user"));
	return 0;
}

int hook_users_read(const char *path, struct given_set *files, struct arena *a,
		    struct hook_users *ret, struct err *err)
{
	struct reading x = { path, files, a, err };
	struct doc *d;

	*ret = (struct hook_users){ 0 };
	if (open_config(&x, &d) < 0)
		return err_ret(err);
	if (read_users(&x, d, ret) < 0) {
		hook_users_fini(ret);
		return err_wrap(err, "kubeconfig '%s'", path);
	}
	return 0;
}

void hook_users_fini(struct hook_users *u)
{
	while (u->n)
		identity_fini(&u->v[--u->n].id);
}

/* By the name, or by "*" in place of what is in front of one of its dots. */
static const struct hook_user *by_host(const struct hook_users *u, const char *name)
{
	const struct hook_user *found = by_name(u, name);
	char any[HOST_MAX + 2] = "*";

	for (const char *dot = strchr(name, '.'); dot && !found; dot = strchr(dot + 1, '.'))
		if (str_copy(any + 1, sizeof(any) - 1, dot))
			found = by_name(u, any);
	return found;
}

const struct hook_user *hook_users_find(const struct hook_users *u, const char *host, uint16_t port)
{
	char name[HOST_MAX];
	const struct hook_user *found;

	(void)snprintf(name, sizeof(name), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
	found = by_host(u, name);
	if (!found && port == 443)
		found = by_host(u, host);
	if (!found)
		found = by_name(u, "*");
	return found ? found : u->current;
}

/* ---- who we are ---- */

void hook_show_token(struct stream *s, const char *token, struct given *file)
{
	CLEANUP(secret_buf_fini) struct buf header = BUF_INIT(TOKEN_MAX + 16);

	if ((!token && !file) || !buf_room(&header, TOKEN_MAX))
		return;
	(void)buf_adds(&header, "Bearer ");
	if (token)
		(void)buf_adds(&header, token);
	else if (given_read(file, &header, NULL) < 0)
		return;
	while (header.n && strchr(" \r\n", header.p[header.n - 1]))
		header.p[--header.n] = '\0';
	(void)stream_set_header(s, "Authorization", header.p);
}
