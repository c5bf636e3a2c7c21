/* SPDX-License-Identifier: Apache-2.0 */
/* `teu registry`: an OCI registry over the machine's content store. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "registry/registry.h"

struct registry_opts {
	struct opt_list listen, tls_certs, tls_keys;
	bool debug, read_only, no_delete, immutable, sparse, untagged;
	const char *tls_client_ca, *htpasswd, *config, *token_realm, *token_service, *token_issuer,
		*token_jwks, *proxy, *proxy_auth, *access_log, *audit_log, *metrics, *admin, *user;
	int64_t audit_bytes;
	const char *log_format, *pid_file, *gc_every, *gc_grace, *gc_window;
};

static const char *const formats[] = { "text", "json", NULL };

static const struct opt registry_opts[] = {
	OPT(struct registry_opts, LIST, listen, "listen", 'l',
	    "Listen here: ADDR:PORT or unix://PATH (default 127.0.0.1:5000)"),
	OPT(struct registry_opts, LIST, tls_certs, "tls-cert", 0,
	    "Certificate chain, PEM; with others, the client's name chooses"),
	OPT(struct registry_opts, LIST, tls_keys, "tls-key", 0, "Key of the certificate before it"),
	OPT(struct registry_opts, STR, tls_client_ca, "tls-client-ca", 0,
	    "Take clients by certificates of this CA (their CN is the user)"),
	OPT(struct registry_opts, STR, htpasswd, "htpasswd", 0,
	    "Users with bcrypt passwords (htpasswd -B)"),
	OPT(struct registry_opts, STR, config, "config", 0,
	    "Users, groups, robots, rules, upstreams, replication, webhooks: YAML or JSON"),
	OPT(struct registry_opts, STR, proxy, "proxy", 0,
	    "Be a pull-through cache of this registry: https://HOST[:PORT]"),
	OPT(struct registry_opts, STR, proxy_auth, "proxy-auth", 0,
	    "File with USER:PASSWORD for the registry of --proxy"),
	OPT(struct registry_opts, STR, token_realm, "token-realm", 0,
	    "URL of the token server (default: our own /token)"),
	OPT(struct registry_opts, STR, token_service, "token-service", 0,
	    "Our name in tokens (default teu-registry)"),
	OPT(struct registry_opts, STR, token_issuer, "token-issuer", 0,
	    "Issuer in the tokens of a foreign token server"),
	OPT(struct registry_opts, STR, token_jwks, "token-jwks", 0,
	    "Its public keys: a JSON Web Key Set"),
	OPT(struct registry_opts, STR, access_log, "access-log", 0,
	    "Append a JSON line for each request"),
	OPT(struct registry_opts, STR, audit_log, "audit-log", 0,
	    "Append a JSON line for each pull, push, delete and refusal"),
	OPT(struct registry_opts, SIZE, audit_bytes, "audit-log-size", 0,
	    "Rotate the audit log when it is larger (default 64m)"),
	OPT(struct registry_opts, STR, metrics, "metrics", 0,
	    "Serve /metrics and /healthz here: ADDR:PORT of loopback, or unix://PATH"),
	OPT(struct registry_opts, STR, admin, "admin", 0,
	    "Admin socket: GET /status, POST /gc, /read-only, /read-write"),
	OPT(struct registry_opts, STR, user, "user", 0,
	    "Give up root: UID, UID:GID or 'reserved'; --root must be its own"),
	OPT(struct registry_opts, BOOL, read_only, "read-only", 0, "Refuse pushes and deletes"),
	OPT(struct registry_opts, BOOL, no_delete, "no-delete", 0, "Refuse deletes"),
	OPT(struct registry_opts, BOOL, immutable, "immutable-tags", 0,
	    "Never move a tag to another manifest"),
	OPT(struct registry_opts, BOOL, sparse, "sparse", 0,
	    "Take indexes whose manifests are not all there"),
	OPT(struct registry_opts, STR, gc_every, "gc-interval", 0,
	    "Collect garbage so often (default 1h; 0 = never)"),
	OPT(struct registry_opts, STR, gc_grace, "gc-grace", 0,
	    "Leave what is younger than this (default 24h)"),
	OPT(struct registry_opts, STR, gc_window, "gc-window", 0,
	    "Collect by the clock only then, local time: HH:MM-HH:MM"),
	OPT(struct registry_opts, BOOL, untagged, "gc-untagged", 0,
	    "Also collect manifests that no tag leads to"),
	OPT(struct registry_opts, BOOL, debug, "debug", 'D', "Log more"),
	OPT_CHOICE(struct registry_opts, log_format, "log-format", 0, formats, "Form of the log"),
	OPT(struct registry_opts, STR, pid_file, "pid-file", 0, "Write our process id there"),
	OPT_END
};

static int duration(const char *name, const char *text, int64_t *ret, struct err *err)
{
	if (!text)
		return 0;
	if (clock_parse_duration(slice_str(text), ret, err) < 0 || *ret < 0)
		return err_set(err, ERR_BAD_REQUEST, "%s %s: must be a duration such as 90m", name,
			       text);
	return 0;
}

/* Minutes of the day. */
static int time_of_day(struct slice text, int *ret)
{
	struct slice h = slice_split(&text, ':');
	int64_t hour, minute;

	if (h.n != 2 || text.n != 2 || str_int64(h, &hour, NULL) < 0 ||
	    str_int64(text, &minute, NULL) < 0 || hour < 0 || hour > 23 || minute < 0 ||
	    minute > 59)
		return -1;
	*ret = (int)(hour * 60 + minute);
	return 0;
}

static int window(const char *text, struct registry_conf *conf, struct err *err)
{
	struct slice rest = slice_str(text ? text : ""), from = slice_split(&rest, '-');

	if (text && (time_of_day(from, &conf->gc_from) < 0 || time_of_day(rest, &conf->gc_to) < 0 ||
		     conf->gc_from == conf->gc_to))
		return err_set(err, ERR_BAD_REQUEST,
			       "--gc-window %s: must be two times of the day such as 22:00-05:30",
			       text);
	return 0;
}

static int registry_run(struct cmd_call *call, struct err *err)
{
	const struct cli_global *g = cli_of(call);
	const struct registry_opts *o = call->opts;
	struct registry_conf conf = {
		.root = g->root,
		.listen = (const char *const *)o->listen.v,
		.nlisten = o->listen.n,
		.tls_certs = (const char *const *)o->tls_certs.v,
		.tls_keys = (const char *const *)o->tls_keys.v,
		.ntls = o->tls_certs.n,
		.tls_client_ca = o->tls_client_ca,
		.htpasswd = o->htpasswd,
		.config = o->config,
		.proxy = o->proxy,
		.proxy_auth = o->proxy_auth,
		.token_realm = o->token_realm,
		.token_service = o->token_service,
		.token_issuer = o->token_issuer,
		.token_jwks = o->token_jwks,
		.access_log = o->access_log,
		.audit_log = o->audit_log,
		.audit_bytes = o->audit_bytes,
		.metrics = o->metrics,
		.admin = o->admin,
		.user = o->user,
		.read_only = o->read_only,
		.no_delete = o->no_delete,
		.immutable = o->immutable,
		.sparse = o->sparse,
		.gc_untagged = o->untagged,
		.debug = o->debug || g->debug,
		.log_format = o->log_format && strcmp(o->log_format, "json") == 0 ? LOG_FORMAT_JSON
										  : LOG_FORMAT_TEXT,
		.pid_file = o->pid_file,
	};
	int r;

	if (o->tls_certs.n != o->tls_keys.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "--tls-cert, --tls-key: %zu certificates, but %zu keys",
			       o->tls_certs.n, o->tls_keys.n);
	if (o->tls_client_ca && !o->tls_certs.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "--tls-client-ca: needs --tls-cert and --tls-key");
	if (o->proxy_auth && !o->proxy)
		return err_set(err, ERR_BAD_REQUEST, "--proxy-auth: goes with --proxy");
	r = window(o->gc_window, &conf, err);
	if (r >= 0)
		r = duration("--gc-interval", o->gc_every, &conf.gc_every, err);
	if (r >= 0 && o->gc_every && conf.gc_every == 0)
		conf.gc_every = -1;
	if (r >= 0)
		r = duration("--gc-grace", o->gc_grace, &conf.gc_grace, err);
	if (r >= 0 && o->gc_grace && conf.gc_grace == 0)
		conf.gc_grace = 1;
	return r < 0 ? r : registry_main(&conf, err);
}

const struct cmd cmd_registry = {
	.path = "registry",
	.args = "[OPTIONS]",
	.help = "Run an OCI registry",
	.details = "Serves the OCI distribution API over the content store below --root. SIGTERM "
		   "ends it when what runs is answered; uploads that are open go on with the next "
		   "one. SIGUSR1 collects garbage at once; SIGHUP reads "
		   "certificates, users and configuration anew.",
	.opts = registry_opts,
	.opts_size = sizeof(struct registry_opts),
	.group = CLI_SYSTEM,
	.min = 0,
	.max = 0,
	.run = registry_run,
};
