/* SPDX-License-Identifier: Apache-2.0 */
/* `teu certs`: the API server's certificates: what there is, renewed, and issued for others. */
#include "apiserver/apiserver.h"
#include "apiserver/pki.h"
#include "apiserver/place.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/role-socket.h"
#include "cli/view.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "doc/yaml.h"
#include "linux/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PEM_MAX (256u << 10)
#define DAY 86400

struct certs_opts {
	const char *format, *user, *server, *out;
	struct opt_list groups;
	int64_t life;
};

static const struct opt list_opts[] = { OPT(struct certs_opts, STR, format, "format", 0,
					    "Print as table, json, or by a TEMPLATE"),
					OPT_END };
static const struct opt export_opts[] = {
	OPT(struct certs_opts, STR, user, "user", 0, "Name of the user (required)"),
	OPT(struct certs_opts, LIST, groups, "group", 0, "A group of the user; may repeat"),
	OPT(struct certs_opts, STR, server, "server", 0,
	    "URL of the server (default: as in admin.kubeconfig)"),
	OPT(struct certs_opts, DURATION, life, "duration", 0,
	    "How long it is good (default 8760h: a year)"),
	OPT(struct certs_opts, STR, out, "output", 'o',
	    "Write it there (default: standard output)"),
	OPT_END
};

static int64_t now_s(void)
{
	return clock_real() / NS_PER_SEC;
}

/* Reading only; nothing is made. */
static int open_pki(struct cmd_call *call, struct place *at, struct pki **ret, struct err *err)
{
	const struct place_want want = { 0 };

	if (place_open(cli_of(call)->root, &want, at, err) < 0)
		return err_ret(err);
	return pki_read(at->fd, ret, err);
}

/* ---- list ---- */

static const struct view_field fields[] = {
	{ "Name", "CERTIFICATE" },	   { "Expires", "EXPIRES" }, { "Left", "RESIDUAL TIME" },
	{ "CA", "CERTIFICATE AUTHORITY" }, { "Subject", "SUBJECT" }, { "Serial", "SERIAL" },
	{ "Renews", "RENEWED FROM" },
};
static const struct view certs_view = {
	fields, ARRAY_LEN(fields), "{{.Name}}\t{{.Expires}}\t{{.Left}}\t{{.Renews}}\t{{.CA}}"
};

static void set_time(struct arena *a, struct doc *row, const char *field, int64_t s)
{
	char text[CLOCK_TEXT_MAX];

	doc_set_str(a, row, field, clock_rfc3339nano(text, s * NS_PER_SEC));
}

static int list_row(struct cmd_call *call, const struct pki *p, enum pki_id id,
		    struct view_print *print, struct err *err)
{
	const struct cert_info *i = cert_info(pki_cert(p, id));
	struct arena *a = call->arena;
	struct doc *row = doc_new_object(a);
	int64_t left = i->not_after - now_s();

	doc_set_str(a, row, "Name", pki_name(id));
	set_time(a, row, "Expires", i->not_after);
	set_time(a, row, "Renews", i->not_after - (i->not_after - i->not_before) / 3);
	if (left < 0)
		doc_set_str(a, row, "Left", "expired");
	else
		doc_set_strf(a, row, "Left", "%lldd", (long long)(left / DAY));
	doc_set_str(a, row, "CA", pki_issuer(id) == id ? "" : pki_name(pki_issuer(id)));
	doc_set_str(a, row, "Subject", i->subject);
	doc_set_str(a, row, "Serial", i->serial);
	return view_row(print, row, err);
}

static int certs_list(struct cmd_call *call, struct err *err)
{
	const struct certs_opts *o = call->opts;
	CLEANUP(place_fini) struct place at = PLACE_INIT;
	CLEANUP(pki_free) struct pki *p = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct view_print print;
	int r = open_pki(call, &at, &p, err);

	if (r < 0)
		return r;
	r = view_begin(&print, call->arena, &certs_view, o->format, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < PKI_N && r == 0; i++)
		if (pki_cert(p, (enum pki_id)i))
			r = list_row(call, p, (enum pki_id)i, &print, err);
	view_end(&print, r < 0 ? NULL : &out);
	return r < 0 ? r : cli_write(1, &out, err);
}

/* ---- renew ---- */

/* No server runs: it finds them when it starts. */
static int renew_alone(struct cmd_call *call, const char *name, struct err *err)
{
	const struct place_want want = { .lock = true };
	CLEANUP(place_fini) struct place at = PLACE_INIT;
	CLEANUP(pki_free) struct pki *p = NULL;
	struct pki_conf conf = { 0 };
	enum pki_id id = pki_find(name);
	bool all = strcmp(name, "all") == 0;
	int r;

	if (!all && id == PKI_N)
		return err_set(err, ERR_NOT_FOUND, "there is no certificate '%.100s'", name);
	if (place_open(cli_of(call)->root, &want, &at, err) < 0 || place_become_owner(&at, err) < 0)
		return err_ret(err);
	conf.dirfd = at.fd;
	r = pki_open(&conf, &p, err);
	for (unsigned i = 0; i < PKI_N && r == 0; i++)
		if (all || i == id)
			r = pki_renew(p, (enum pki_id)i, now_s(), err);
	return r;
}

static int certs_renew(struct cmd_call *call, struct err *err)
{
	const char *name = call->nargs ? call->args[0] : "all";
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	struct doc *d;
	int r = role_socket_ask(call, APISERVER_SOCKET, "POST",
				arena_printf(call->arena, "/certs/renew?name=%.100s", name), &d,
				err);

	if (r == -ERR_UNAVAILABLE)
		r = renew_alone(call, name, err);
	if (r < 0)
		return r;
	(void)buf_addf(&out, "%s: renewed\n", name);
	return cli_write(1, &out, err);
}

/* ---- export ---- */

/* URL and roots of the administrator's own. */
static int read_admin(struct cmd_call *call, const struct place *at, const char **ret_server,
		      struct slice *ret_roots, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	struct arena *a = call->arena;
	const char *text, *roots;
	struct doc *d;
	char *pem;

	if (!buf_room(&b, PEM_MAX / 2) || fd_read_file(at->fd, "admin.kubeconfig", &b, err) < 0)
		return err_hint(err, "start the API server once");
	text = arena_strndup(a, b.p, b.n);
	if (!text || yaml_read(a, slice_str(text), NULL, &d, err) < 0)
		return text ? err_ret(err) : arena_quota(a, err);
	*ret_server = cli_text(a, d, "clusters.0.cluster.server");
	roots = cli_text(a, d, "clusters.0.cluster.certificate-authority-data");
	pem = arena_alloc(a, strlen(roots) + 1);
	if (!pem || base64_decode(pem, &ret_roots->n, slice_str(roots)) < 0)
		return err_set(err, ERR_INVALID, "admin.kubeconfig: its CA is not base64");
	ret_roots->p = pem;
	return 0;
}

static int certs_export(struct cmd_call *call, struct err *err)
{
	const struct certs_opts *o = call->opts;
	CLEANUP(place_fini) struct place at = PLACE_INIT;
	CLEANUP(pki_free) struct pki *p = NULL;
	CLEANUP(cert_unref) struct cert *c = NULL;
	CLEANUP(key_unref) struct key *k = NULL;
	CLEANUP(secret_buf_fini) struct buf out = BUF_INIT(PEM_MAX);
	const char *server = NULL;
	struct slice roots = { 0 };
	struct pki_client who = { .user = o->user,
				  .groups = (const char *const *)o->groups.v,
				  .ngroups = o->groups.n,
				  .now = now_s(),
				  .life = o->life ? o->life / NS_PER_SEC : PKI_LIFE };
	CLEANUP(fd_close)
	int cwd = sys_openat(AT_FDCWD, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	int r;

	if (strcmp(call->args[0], "kubeconfig") != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "certs export %.100s: only a kubeconfig can be", call->args[0]);
	if (!o->user || !*o->user)
		return err_set(err, ERR_BAD_REQUEST, "--user: name the user");
	if (who.life <= 0)
		return err_set(err, ERR_BAD_REQUEST, "--duration: must be a second or more");
	if (open_pki(call, &at, &p, err) < 0 || read_admin(call, &at, &server, &roots, err) < 0 ||
	    pki_issue(p, &who, &c, &k, err) < 0)
		return err_ret(err);
	if (!buf_room(&out, PEM_MAX / 2))
		return arena_quota(call->arena, err);
	r = pki_kubeconfig(o->server ? o->server : server, roots, o->user, c, k, &out, err);
	if (r < 0)
		return r;
	/* place_open went elsewhere */
	return o->out ? fd_replace_file(cwd, o->out, out.p, out.n, 0600, err)
		      : cli_write(1, &out, err);
}

static const char *const list_aliases[] = { "certs", "certs ls", NULL };

const struct cmd cmd_certs_list = {
	.path = "certs list",
	.aliases = list_aliases,
	.args = "[OPTIONS]",
	.help = "List the API server's certificates and when they end",
	.opts = list_opts,
	.opts_size = sizeof(struct certs_opts),
	.group = CLI_SYSTEM,
	.min = 0,
	.max = 0,
	.run = certs_list,
};

const struct cmd cmd_certs_renew = {
	.path = "certs renew",
	.args = "[NAME|all]",
	.help = "Renew certificates now",
	.details =
		"The server renews them by itself when a third of their life is left. A CA keeps "
		"its key, so all that it has signed stays good. Connections are not cut.",
	.opts = NULL,
	.group = CLI_SYSTEM,
	.min = 0,
	.max = 1,
	.run = certs_renew,
};

const struct cmd cmd_certs_export = {
	.path = "certs export",
	.args = "kubeconfig --user NAME [--group GROUP...]",
	.help = "Issue a certificate and print a kubeconfig with it",
	.opts = export_opts,
	.opts_size = sizeof(struct certs_opts),
	.group = CLI_SYSTEM,
	.min = 1,
	.max = 1,
	.run = certs_export,
};
