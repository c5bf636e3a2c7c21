/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/privileges.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "linux/confine.h"
#include "registry/registry.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int privileges_parse_user(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	return confine_parse_user(text, REGISTRY_UID, ret_uid, ret_gid, err);
}

#define USUAL_MAX 32

struct list {
	struct confine_path *v;
	size_t n;
};

static void allow(struct list *l, const char *path, enum confine_access access, bool beside)
{
	l->v[l->n++] = (struct confine_path){ path, access, beside };
}

/* Names of hosts, the system's certificates, and what is configured for others. What of it is not
 * there is not needed. real: room for where resolv.conf is. */
static void allow_outward(struct list *l, const struct registry_conf *c, char real[PATH_MAX])
{
	static const char *const usual[] = { "/etc/ssl",
					     "/etc/pki",
					     "/usr/share/ca-certificates",
					     "/usr/local/share/ca-certificates",
					     "/etc/docker/certs.d",
					     "/run/systemd/resolve" };

	allow(l, "/etc", CONFINE_READ, false); /* hosts, resolv.conf: they are replaced */
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (access(usual[i], F_OK) == 0)
			allow(l, usual[i], CONFINE_READ, false);
	if (realpath("/etc/resolv.conf", real))
		allow(l, real, CONFINE_READ, true);
	for (size_t i = 0; i < c->hook_files_n; i++)
		allow(l, c->hook_files[i], CONFINE_READ, true);
	for (size_t i = 0; i < c->hook_dirs_n; i++)
		allow(l, c->hook_dirs[i], CONFINE_READ, false);
}

static void allow_all(struct list *l, const struct registry_conf *c, char real[PATH_MAX])
{
	const char *const read[] = { c->tls_client_ca, c->htpasswd, c->config, c->token_jwks };
	const char *const logs[] = { c->access_log, c->audit_log, c->pid_file };

	allow(l, c->root, CONFINE_STORE, false);
	for (size_t i = 0; i < ARRAY_LEN(read); i++)
		allow(l, read[i], CONFINE_READ, true);
	for (size_t i = 0; i < c->ntls; i++) {
		allow(l, c->tls_certs[i], CONFINE_READ, true);
		allow(l, c->tls_keys[i], CONFINE_READ, true);
	}
	for (size_t i = 0; i < ARRAY_LEN(logs); i++)
		allow(l, logs[i], CONFINE_LOGS, true);
	for (size_t i = 0; i < c->nlisten; i++)
		if (strncmp(c->listen[i], "unix://", 7) == 0)
			allow(l, c->listen[i] + 7, CONFINE_SOCKETS, true);
	if (c->metrics && strncmp(c->metrics, "unix://", 7) == 0)
		allow(l, c->metrics + 7, CONFINE_SOCKETS, true);
	allow(l, c->admin, CONFINE_SOCKETS, true);
	if (c->outward)
		allow_outward(l, c, real);
}

int privileges_drop(const struct registry_conf *conf, struct err *err)
{
	size_t max =
		USUAL_MAX + 2 * conf->ntls + conf->nlisten + conf->hook_files_n + conf->hook_dirs_n;
	CLEANUP_FREE struct confine_path *v = calloc(max, sizeof(*v));
	struct list l = { v, 0 };
	char real[PATH_MAX];
	struct confine f = { .drop = true,
			     .uid = conf->uid,
			     .gid = conf->gid,
			     .paths = v,
			     .outward = conf->outward };
	int r;

	if (geteuid() != 0)
		return err_set(err, ERR_FORBIDDEN, "--user: only root can become another user");
	if (!v)
		abort();
	r = confine_take_dir(conf->root, conf->uid, conf->gid, err);
	if (r >= 0) {
		allow_all(&l, conf, real);
		f.npaths = l.n;
		r = confine_enter(&f, err);
	}
	return r < 0 ? err_wrap(err, "--user %u", conf->uid) : 0;
}
