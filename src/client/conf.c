/* SPDX-License-Identifier: Apache-2.0 */
/* From a kubeconfig and the command line to where the server is and who we are. */
#include "client/client.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "client/kubeconfig.h"
#include "crypto/aead.h"
#include "doc/doc.h"

#include <fcntl.h>
#include <stdlib.h>

#define PEM_MAX (4u << 20)
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

static const char *text(struct arena *a, const struct doc *d, const char *name)
{
	const char *s = doc_cstr(a, doc_get(d, name));

	return s && *s ? s : NULL;
}

/* What is in the file, or {NULL,0}. */
static int read_file(struct arena *a, const char *path, struct slice *ret, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	int r = fd_read_file(AT_FDCWD, path, &b, err);
	const char *copy = r == 0 ? arena_strndup(a, buf_str(&b), b.n) : NULL;

	if (r == 0 && !copy)
		r = arena_quota(a, err);
	if (r == 0)
		*ret = slice_of(copy, b.n);
	return r;
}

/* NAME-data in base64 goes before the file NAME. */
static int read_pem(struct arena *a, const struct doc *d, const char *name, const char *origin,
		    struct slice *ret, struct err *err)
{
	struct slice data = doc_slice(doc_get(d, arena_printf(a, "%s-data", name)));
	const char *path = text(a, d, name);
	char *room;
	int r;

	if (data.n) {
		room = arena_alloc(a, data.n + 1);
		if (!room)
			return arena_quota(a, err);
		r = base64_decode(room, &ret->n, data);
		if (r < 0)
			return err_set(err, ERR_INVALID, "%s-data is not base64", name);
		ret->p = room;
		return 0;
	}
	if (!path)
		return 0;
	r = read_file(a, origin ? kubeconfig_resolve(a, origin, path) : path, ret, err);
	return r < 0 ? err_wrap(err, "unable to read %s %s", name, path) : 0;
}

static int read_given(struct arena *a, const char *path, const char *flag, struct slice *ret,
		      struct err *err)
{
	if (!path || !*path)
		return 0;
	return read_file(a, path, ret, err) < 0
		       ? err_wrap(err, "unable to read --%s %s", flag, path)
		       : 0;
}

struct chosen {
	struct slice context, cluster, user;
	const struct doc *context_doc, *cluster_doc, *user_doc;
};

static const char * or (const char *a, const char *b)
{
	return a && *a ? a : b;
}

static int choose(const struct kubeconfig *k, const struct client_wishes *w, struct chosen *c,
		  struct err *err)
{
	c->context =
		w->context && *w->context ? slice_str(w->context) : kubeconfig_current(k->merged);
	c->context_doc = kubeconfig_get(k->merged, KUBECONFIG_CONTEXT, c->context);
	if (c->context.n && !c->context_doc)
		return err_set(err, ERR_NOT_FOUND,
			       "context was not found for specified context: %.*s",
			       (int)c->context.n, c->context.p);
	c->cluster = w->cluster && *w->cluster ? slice_str(w->cluster)
					       : doc_slice(doc_get(c->context_doc, "cluster"));
	c->user = w->user && *w->user ? slice_str(w->user)
				      : doc_slice(doc_get(c->context_doc, "user"));
	c->cluster_doc = kubeconfig_get(k->merged, KUBECONFIG_CLUSTER, c->cluster);
	c->user_doc = kubeconfig_get(k->merged, KUBECONFIG_USER, c->user);
	if (c->cluster.n && !c->cluster_doc)
		return err_set(err, ERR_NOT_FOUND, "cluster \"%.*s\" does not exist",
			       (int)c->cluster.n, c->cluster.p);
	if (c->user.n && !c->user_doc)
		return err_set(err, ERR_NOT_FOUND, "auth info \"%.*s\" does not exist",
			       (int)c->user.n, c->user.p);
	return 0;
}

static int read_cluster(struct arena *a, const struct kubeconfig *k, const struct chosen *ch,
			const struct client_wishes *w, struct client_conf *c, struct err *err)
{
	const char *server = or (w->server, text(a, ch->cluster_doc, "server"));
	size_t n;
	int r;

	server = or (server, CLIENT_SERVER);
	if (!strstr(server, "://"))
		server = arena_printf(a, "http://%s", server);
	n = server ? strlen(server) : 0;
	while (n && server[n - 1] == '/')
		n--;
	c->server = arena_strndup(a, server ? server : "", n);
	c->tls_name = or (w->tls_name, text(a, ch->cluster_doc, "tls-server-name"));
	c->proxy = text(a, ch->cluster_doc, "proxy-url");
	c->insecure = w->insecure || doc_true(doc_get(ch->cluster_doc, "insecure-skip-tls-verify"));
	c->cluster = ch->cluster_doc;
	if (w->ca && *w->ca)
		return read_given(a, w->ca, "certificate-authority", &c->ca, err);
	if (w->insecure)
		return 0;
	r = read_pem(a, ch->cluster_doc, "certificate-authority",
		     kubeconfig_origin(k, KUBECONFIG_CLUSTER, ch->cluster), &c->ca, err);
	if (r == 0 && c->insecure && c->ca.n)
		return err_set(err, ERR_INVALID,
			       "specifying a root certificates file with the insecure flag is not "
			       "allowed");
	return r;
}

static int read_user(struct arena *a, const struct kubeconfig *k, const struct chosen *ch,
		     const struct client_wishes *w, struct client_conf *c, struct err *err)
{
	const struct doc *u = ch->user_doc, *groups = doc_get(u, "as-groups");
	const char *origin = kubeconfig_origin(k, KUBECONFIG_USER, ch->user);
	const char *file = text(a, u, "tokenFile"), **list;
	size_t n = 0;
	int r;

	if (doc_get(u, "auth-provider"))
		return err_set(err, ERR_UNSUPPORTED,
			       "no Auth Provider found for name \"%.*s\": use an exec plugin",
			       (int)doc_slice(doc_find(u, "auth-provider.name")).n,
			       doc_len(doc_get(u, "auth-provider"))
				       ? doc_slice(doc_find(u, "auth-provider.name")).p
				       : "");
	r = w->cert && *w->cert ? read_given(a, w->cert, "client-certificate", &c->cert, err)
				: read_pem(a, u, "client-certificate", origin, &c->cert, err);
	if (r == 0)
		r = w->key && *w->key ? read_given(a, w->key, "client-key", &c->key, err)
				      : read_pem(a, u, "client-key", origin, &c->key, err);
	if (r < 0)
		return r;
	c->token = or (w->token, text(a, u, "token"));
	c->token_file = file && !(w->token && *w->token)
				? (origin ? kubeconfig_resolve(a, origin, file) : file)
				: NULL;
	c->username = or (w->username, text(a, u, "username"));
	c->password = or (w->password, text(a, u, "password"));
	c->as = or (w->as, text(a, u, "as"));
	c->as_uid = or (w->as_uid, text(a, u, "as-uid"));
	c->as_groups = w->as_groups;
	c->as_groups_n = w->as_groups_n;
	c->as_extra = doc_get(u, "as-user-extra");
	if (!c->as_groups_n && doc_len(groups)) {
		list = ARENA_ARRAY(a, const char *, doc_len(groups));
		DOC_EACH (g, groups)
			if (list)
				list[n++] = doc_cstr(a, g);
		c->as_groups = list;
		c->as_groups_n = n;
	}
	if (!c->token && !c->token_file && !c->username)
		c->exec = doc_get(u, "exec");
	c->exec_file = origin;
	return 0;
}

/* In a pod without a kubeconfig: its service account. */
static int read_inside(struct arena *a, struct client_conf *c, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"),
		   *port = getenv("KUBERNETES_SERVICE_PORT");
	struct slice space = { 0 };
	int r;

	if (!host || !*host || !port || !*port)
		return 0;
	r = read_file(a, SERVICE_ACCOUNT "ca.crt", &c->ca, err);
	if (r == -ERR_NOT_FOUND) {
		*err = ERR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	c->token_file = SERVICE_ACCOUNT "token";
	c->server = arena_printf(a, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host,
				 port);
	if (!c->space_given && read_file(a, SERVICE_ACCOUNT "namespace", &space, NULL) == 0) {
		space = slice_trim(space);
		c->space = arena_strndup(a, space.p, space.n);
		c->space_given = true;
	}
	return 0;
}

int client_conf_read(struct arena *a, const struct kubeconfig *k, const struct client_wishes *w,
		     struct client_conf *ret, struct err *err)
{
	struct client_conf c = { 0 };
	struct chosen ch = { 0 };
	int r = choose(k, w, &ch, err);

	if (r < 0)
		return r;
	c.space = or (w->space, text(a, ch.context_doc, "namespace"));
	c.space_given = c.space != NULL;
	c.space = or (c.space, "default");
	r = read_cluster(a, k, &ch, w, &c, err);
	if (r == 0)
		r = read_user(a, k, &ch, w, &c, err);
	if (r == 0 && !ch.cluster_doc && !(w->server && *w->server))
		r = read_inside(a, &c, err);
	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	if (r == 0)
		*ret = c;
	return r;
}
