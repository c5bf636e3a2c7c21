/* SPDX-License-Identifier: Apache-2.0 */
/* `teu apiserver`: Kubernetes' API over a store of its own or etcd. */
#include "apiserver/apiserver.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/config-file.h"
#include "doc/schema.h"

#define DAY (86400 * NS_PER_SEC)

struct apiserver_opts {
	struct opt_list versions_on, features, listen, etcd, account_keys, issuers, audiences,
		front_names, front_users, front_uids, front_groups, front_extras, oidc_required,
		oidc_algs;
	const char *config, *kubeconfig_out, *tls_cert, *tls_key, *client_ca, *token_file, *cidr,
		*node_ports, *advertise, *store, *etcd_ca, *etcd_cert, *etcd_key, *etcd_prefix,
		*encryption, *audit_policy, *audit_log, *user, *pid_file, *log_format,
		*authorization, *authz_config, *authz_policy, *authz_webhook, *authz_version,
		*authz_yes, *authz_no, *admission_on, *admission_off, *admission_conf, *node_ca,
		*node_addresses, *signing_key, *jwks_uri, *front_ca, *authn_conf, *oidc_issuer,
		*oidc_client, *oidc_ca, *oidc_user, *oidc_user_prefix, *oidc_groups,
		*oidc_groups_prefix, *token_webhook, *token_version, *token_ttl;
	int64_t audit_age, audit_backups, audit_size, token_life;
	bool anonymous, anonymous_seen, extend, extend_seen, bootstrap_tokens, debug, debug_seen;
};

static const char *const formats[] = { "text", "json", NULL };
static const char *const versions[] = { "v1", "v1beta1", NULL };
static const char *const stores[] = { "sqlite", "etcd", NULL };

#define STR_ROW(field, name, help) OPT(struct apiserver_opts, STR, field, name, 0, help)

static const struct opt apiserver_opts[] = {
	STR_ROW(config, "config",
		"File with these flags (YAML or JSON); the command line goes first"),
	OPT(struct apiserver_opts, LIST, listen, "listen", 'l',
	    "Listen here: ADDR:PORT (TLS) or unix://PATH (default " APISERVER_LISTEN ")"),
	STR_ROW(kubeconfig_out, "kubeconfig-out",
		"Write an administrator's kubeconfig there when it is ready"),
	STR_ROW(advertise, "advertise-address",
		"Address that others reach it by (default: where it listens)"),
	STR_ROW(tls_cert, "tls-cert-file", "Certificate chain, PEM (default: its own)"),
	STR_ROW(tls_key, "tls-private-key-file", "Its key"),
	STR_ROW(client_ca, "client-ca-file", "Take clients by certificates of this CA, too"),
	STR_ROW(token_file, "token-auth-file", "Tokens: csv lines token,user,uid,\"groups\""),
	OPT_SEEN_AT(struct apiserver_opts, BOOL, anonymous, anonymous_seen, "anonymous-auth", 0,
		    "Take requests without credentials as system:anonymous (default true)"),
	OPT(struct apiserver_opts, LIST, account_keys, "service-account-key-file", 0,
	    "Keys, PEM, that verify tokens of service accounts (default: its own)"),
	STR_ROW(signing_key, "service-account-signing-key-file",
		"Private key that signs them (default: its own)"),
	OPT(struct apiserver_opts, LIST, issuers, "service-account-issuer", 0,
	    "Issuer of tokens; the first signs, all are believed (default " APISERVER_ISSUER ")"),
	OPT(struct apiserver_opts, LIST, audiences, "api-audiences", 0,
	    "Audiences that tokens for this server have, with commas (default: the issuers)"),
	STR_ROW(jwks_uri, "service-account-jwks-uri",
		"Where discovery says that the keys are (default: at this server)"),
	OPT(struct apiserver_opts, DURATION, token_life, "service-account-max-token-expiration", 0,
	    "Longest life of a token, at least 1h; longer requests are cut (default: any)"),
	OPT_SEEN_AT(struct apiserver_opts, BOOL, extend, extend_seen,
		    "service-account-extend-token-expiration", 0,
		    "Tokens of pods hold for a year and are told of when stale (default true)"),
	OPT(struct apiserver_opts, BOOL, bootstrap_tokens, "enable-bootstrap-token-auth", 0,
	    "Take the tokens of Secrets in kube-system by which nodes join"),
	STR_ROW(front_ca, "requestheader-client-ca-file",
		"Take what proxies with certificates of this CA, too, say whom they ask for"),
	OPT(struct apiserver_opts, LIST, front_names, "requestheader-allowed-names", 0,
	    "Common names of such proxies, with commas (default front-proxy-client)"),
	OPT(struct apiserver_opts, LIST, front_users, "requestheader-username-headers", 0,
	    "Headers with the user's name (default X-Remote-User)"),
	OPT(struct apiserver_opts, LIST, front_uids, "requestheader-uid-headers", 0,
	    "Headers with the user's uid (default X-Remote-Uid)"),
	OPT(struct apiserver_opts, LIST, front_groups, "requestheader-group-headers", 0,
	    "Headers with the user's groups (default X-Remote-Group)"),
	OPT(struct apiserver_opts, LIST, front_extras, "requestheader-extra-headers-prefix", 0,
	    "How headers with more of the user begin (default X-Remote-Extra-)"),
	STR_ROW(authn_conf, "authentication-config",
		"Whose tokens are taken, too, and who may be anonymous: an "
		"AuthenticationConfiguration"),
	STR_ROW(oidc_issuer, "oidc-issuer-url", "Take ID tokens of this issuer, too"),
	STR_ROW(oidc_client, "oidc-client-id", "Audience that they must have"),
	STR_ROW(oidc_ca, "oidc-ca-file", "CA of the issuer (default: the machine's)"),
	STR_ROW(oidc_user, "oidc-username-claim", "Claim with the user's name (default sub)"),
	STR_ROW(oidc_user_prefix, "oidc-username-prefix",
		"In front of the name (default: the issuer and #, but of email; - is none)"),
	STR_ROW(oidc_groups, "oidc-groups-claim", "Claim with the user's groups"),
	STR_ROW(oidc_groups_prefix, "oidc-groups-prefix", "In front of each"),
	OPT(struct apiserver_opts, LIST, oidc_required, "oidc-required-claim", 0,
	    "CLAIM=VALUE that a token must have"),
	OPT(struct apiserver_opts, LIST, oidc_algs, "oidc-signing-algs", 0,
	    "Schemes that may have signed it, with commas (default RS256)"),
	STR_ROW(token_webhook, "authentication-token-webhook-config-file",
		"Kubeconfig of a webhook that is asked whose other tokens are"),
	OPT_CHOICE(struct apiserver_opts, token_version, "authentication-token-webhook-version", 0,
		   versions, "Version of TokenReview for it (default v1beta1)"),
	STR_ROW(token_ttl, "authentication-token-webhook-cache-ttl",
		"How long what it says is kept; 0 is not at all (default 2m)"),
	STR_ROW(authorization, "authorization-mode",
		"Who decides what users may do, in this order, with commas: Node, RBAC, ABAC, "
		"Webhook, AlwaysAllow, AlwaysDeny (default Node,RBAC)"),
	STR_ROW(authz_config, "authorization-config",
		"The same as a file: an AuthorizationConfiguration"),
	STR_ROW(authz_policy, "authorization-policy-file",
		"Policies of ABAC, a JSON object a line"),
	STR_ROW(authz_webhook, "authorization-webhook-config-file",
		"Kubeconfig of the webhook that is asked"),
	OPT_CHOICE(struct apiserver_opts, authz_version, "authorization-webhook-version", 0,
		   versions, "Version of SubjectAccessReview for it (default v1)"),
	STR_ROW(authz_yes, "authorization-webhook-cache-authorized-ttl",
		"How long its yes is kept (default 5m)"),
	STR_ROW(authz_no, "authorization-webhook-cache-unauthorized-ttl",
		"How long its no is kept (default 30s)"),
	STR_ROW(admission_on, "enable-admission-plugins",
		"Admission plugins to run beside those that run anyway, with commas"),
	STR_ROW(admission_off, "disable-admission-plugins",
		"Admission plugins not to run, with commas"),
	STR_ROW(admission_conf, "admission-control-config-file",
		"Configurations of admission plugins, an AdmissionConfiguration"),
	OPT(struct apiserver_opts, LIST, versions_on, "runtime-config", 0,
	    "Versions and resources to serve or not, with commas: api/all, api/ga, api/beta, "
	    "api/alpha, GROUP/VERSION or GROUP/VERSION/RESOURCE, each =true or =false"),
	OPT(struct apiserver_opts, LIST, features, "feature-gates", 0,
	    "Features to switch on: StorageVersionMigrator=true"),
	STR_ROW(cidr, "service-cluster-ip-range",
		"Addresses of Services (default " APISERVER_CIDR ")"),
	STR_ROW(node_ports, "service-node-port-range",
		"Ports of Services on nodes (default 30000-32767)"),
	STR_ROW(node_ca, "kubelet-certificate-authority",
		"CA of nodes' agents (default: any certificate does)"),
	STR_ROW(node_addresses, "kubelet-preferred-address-types",
		"Addresses of nodes in order (default Hostname,InternalDNS,InternalIP,ExternalDNS,"
		"ExternalIP)"),
	OPT_CHOICE(struct apiserver_opts, store, "store", 0, stores,
		   "Where objects are kept (default: etcd with --etcd-servers, else sqlite)"),
	OPT(struct apiserver_opts, LIST, etcd, "etcd-servers", 0,
	    "Members of etcd: http(s)://HOST:PORT, several with commas"),
	STR_ROW(etcd_ca, "etcd-cafile", "CA of their certificates"),
	STR_ROW(etcd_cert, "etcd-certfile", "Certificate that is shown to them"),
	STR_ROW(etcd_key, "etcd-keyfile", "Its key"),
	STR_ROW(etcd_prefix, "etcd-prefix", "Where keys begin: /registry, no other"),
	STR_ROW(encryption, "encryption-provider-config",
		"What is sealed at rest, and how: an EncryptionConfiguration"),
	STR_ROW(audit_policy, "audit-policy-file", "What the audit log has: a Policy"),
	STR_ROW(audit_log, "audit-log-path", "Append the audit log here; - is standard output"),
	OPT(struct apiserver_opts, INT, audit_age, "audit-log-maxage", 0,
	    "Days that an old audit log is kept (default: for ever)"),
	OPT(struct apiserver_opts, INT, audit_backups, "audit-log-maxbackup", 0,
	    "Old audit logs that are kept (default: all)"),
	OPT(struct apiserver_opts, INT, audit_size, "audit-log-maxsize", 0,
	    "Megabytes of an audit log (default 100)"),
	STR_ROW(user, "user",
		"Give up root for: UID, UID:GID or 'reserved' (the default for root); 0 keeps it"),
	STR_ROW(pid_file, "pid-file", "Write our process id there"),
	OPT_SEEN_AT(struct apiserver_opts, BOOL, debug, debug_seen, "debug", 'D', "Log more"),
	OPT_CHOICE(struct apiserver_opts, log_format, "log-format", 0, formats, "Form of the log"),
	OPT_END
};

/* Flags that go together. */
static int check(const struct apiserver_opts *o, struct err *err)
{
	bool etcd = o->store && strcmp(o->store, "etcd") == 0;
	bool sqlite = o->store && !etcd;

	if (!o->tls_cert != !o->tls_key)
		return err_set(err, ERR_BAD_REQUEST,
			       "--tls-cert-file, --tls-private-key-file: one goes with the other");
	if (etcd && !o->etcd.n)
		return err_set(err, ERR_BAD_REQUEST, "--store etcd: needs --etcd-servers");
	if (sqlite && o->etcd.n)
		return err_set(err, ERR_BAD_REQUEST, "--etcd-servers: not with --store sqlite");
	if ((o->etcd_ca || o->etcd_cert || o->etcd_key || o->etcd_prefix) && !o->etcd.n)
		return err_set(err, ERR_BAD_REQUEST, "--etcd-*: go with --etcd-servers");
	if (!o->etcd_cert != !o->etcd_key || (o->etcd_cert && !o->etcd_ca))
		return err_set(err, ERR_BAD_REQUEST,
			       "--etcd-certfile, --etcd-keyfile: go together, with --etcd-cafile");
	if (o->etcd_prefix && strcmp(o->etcd_prefix, "/registry") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "--etcd-prefix %.100s: only /registry is supported", o->etcd_prefix);
	if (!o->audit_log != !o->audit_policy)
		return err_set(err, ERR_BAD_REQUEST,
			       "--audit-log-path, --audit-policy-file: one goes with the other");
	if (o->token_life &&
	    (o->token_life < 3600 * NS_PER_SEC || o->token_life > (INT64_C(1) << 32) * NS_PER_SEC))
		return err_set(err, ERR_BAD_REQUEST,
			       "--service-account-max-token-expiration: must be from 1h to 2^32 s");
	if (o->authn_conf && o->oidc_issuer)
		return err_set(err, ERR_BAD_REQUEST,
			       "--authentication-config: not with --oidc-issuer-url");
	if (!o->oidc_issuer &&
	    (o->oidc_client || o->oidc_ca || o->oidc_user || o->oidc_user_prefix ||
	     o->oidc_groups || o->oidc_groups_prefix || o->oidc_required.n || o->oidc_algs.n))
		return err_set(err, ERR_BAD_REQUEST, "--oidc-*: go with --oidc-issuer-url");
	if (o->account_keys.n && !o->signing_key)
		return err_set(err, ERR_BAD_REQUEST,
			       "--service-account-key-file: goes with "
			       "--service-account-signing-key-file");
	if (o->audit_age < 0 || o->audit_age > 36500 || o->audit_backups < 0 ||
	    o->audit_backups > 100000 || o->audit_size < 0 || o->audit_size > 1000000)
		return err_set(err, ERR_BAD_REQUEST,
			       "--audit-log-max*: must be numbers that are not negative");
	return 0;
}

static int read_ttl(const char *text, const char *what, int64_t *ret, struct err *err)
{
	if (text && (schema_parse_duration(slice_str(text), ret, NULL) < 0 || *ret <= 0))
		return err_set(
			err, ERR_BAD_REQUEST,
			"--authorization-webhook-cache-%s-ttl %.32s: must be a duration such "
			"as 30s",
			what, text);
	return 0;
}

static int read_token_ttl(const char *text, int64_t *ret, struct err *err)
{
	if (!text)
		return 0;
	if (schema_parse_duration(slice_str(text), ret, NULL) < 0 || *ret < 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "--authentication-token-webhook-cache-ttl %.32s: must be a duration "
			       "such as 2m, or 0",
			       text);
	*ret = *ret ? *ret : -1;
	return 0;
}

/* "a,b" of each. */
static int split_list(struct cmd_call *call, const struct opt_list *l, const char ***ret,
		      size_t *ret_n, struct err *err)
{
	size_t n = l->n, got = 0;

	for (size_t i = 0; i < l->n; i++)
		for (const char *p = l->v[i]; *p; p++)
			n += *p == ',';
	*ret = ARENA_ARRAY(call->arena, const char *, n + 1);
	for (size_t i = 0; *ret && i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]);

		while (rest.p) {
			struct slice one = slice_split(&rest, ',');

			if (one.n && !((*ret)[got++] = arena_strndup(call->arena, one.p, one.n)))
				return arena_quota(call->arena, err);
		}
	}
	*ret_n = got;
	return *ret ? 0 : arena_quota(call->arena, err);
}

/* NULL: it was not given. */
static int split_names(struct cmd_call *call, const struct opt_list *l, const char *const **ret,
		       struct err *err)
{
	const char **v;
	size_t n;

	if (!l->n)
		return 0;
	if (split_list(call, l, &v, &n, err) < 0)
		return err_ret(err);
	*ret = v;
	return 0;
}

static int user_flags(struct cmd_call *call, const struct apiserver_opts *o,
		      struct apiserver_conf *conf, struct err *err)
{
	const struct {
		const struct opt_list *from;
		const char *const **to;
	} rows[] = {
		{ &o->front_names, &conf->front_names },
		{ &o->front_users, &conf->front_users },
		{ &o->front_uids, &conf->front_uids },
		{ &o->front_groups, &conf->front_groups },
		{ &o->front_extras, &conf->front_extras },
		{ &o->oidc_required, &conf->oidc_required },
		{ &o->oidc_algs, &conf->oidc_algs },
	};

	conf->front_ca = o->front_ca;
	conf->authn_conf = o->authn_conf;
	conf->oidc_issuer = o->oidc_issuer;
	conf->oidc_client = o->oidc_client;
	conf->oidc_ca = o->oidc_ca;
	conf->oidc_user = o->oidc_user;
	conf->oidc_user_prefix = o->oidc_user_prefix;
	conf->oidc_groups = o->oidc_groups;
	conf->oidc_groups_prefix = o->oidc_groups_prefix;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (split_names(call, rows[i].from, rows[i].to, err) < 0)
			return err_ret(err);
	return 0;
}

static int apiserver_run(struct cmd_call *call, struct err *err)
{
	static const char *const listen_default[] = { APISERVER_LISTEN };
	const struct cli_global *g = cli_of(call);
	const struct apiserver_opts *o = call->opts;
	struct apiserver_conf conf = { .root = g->root, .run = g->run };
	static const char *const issuer_default[] = { APISERVER_ISSUER, NULL };
	const char *const *issuers = NULL;
	const char **etcd, **audiences;

	if (o->config && config_file_read(call, o->config, err) < 0)
		return err_ret(err);
	if (check(o, err) < 0 || split_list(call, &o->etcd, &etcd, &conf.netcd, err) < 0 ||
	    split_list(call, &o->audiences, &audiences, &conf.naudiences, err) < 0 ||
	    split_names(call, &o->issuers, &issuers, err) < 0 ||
	    user_flags(call, o, &conf, err) < 0)
		return err_ret(err);
	conf.listen = o->listen.n ? (const char *const *)o->listen.v : listen_default;
	conf.nlisten = o->listen.n ? o->listen.n : 1;
	conf.kubeconfig_out = o->kubeconfig_out;
	conf.tls_cert = o->tls_cert;
	conf.tls_key = o->tls_key;
	conf.client_ca = o->client_ca;
	conf.token_file = o->token_file;
	conf.no_anonymous = o->anonymous_seen && !o->anonymous;
	conf.bootstrap_tokens = o->bootstrap_tokens;
	conf.account_keys = (const char *const *)o->account_keys.v;
	conf.naccount_keys = o->account_keys.n;
	conf.signing_key = o->signing_key;
	conf.issuers = issuers ? issuers : issuer_default;
	while (conf.issuers[conf.nissuers])
		conf.nissuers++;
	conf.audiences = audiences;
	conf.jwks_uri = o->jwks_uri;
	conf.token_life = o->token_life / NS_PER_SEC;
	conf.no_extended_tokens = o->extend_seen && !o->extend;
	conf.authz = (struct authz_flags){ .modes = o->authorization,
					   .config = o->authz_config,
					   .policy_file = o->authz_policy,
					   .webhook_config = o->authz_webhook,
					   .webhook_version = o->authz_version };
	conf.token_webhook = (struct authn_webhook_flags){ .config = o->token_webhook,
							   .version = o->token_version };
	if (read_token_ttl(o->token_ttl, &conf.token_webhook.ttl, err) < 0)
		return err_ret(err);
	if (read_ttl(o->authz_yes, "authorized", &conf.authz.authorized_ttl, err) < 0 ||
	    read_ttl(o->authz_no, "unauthorized", &conf.authz.unauthorized_ttl, err) < 0)
		return err_ret(err);
	conf.versions = o->versions_on.v;
	conf.nversions = o->versions_on.n;
	conf.features = o->features.v;
	conf.nfeatures = o->features.n;
	conf.admission = (struct admission_flags){ .enable = o->admission_on,
						   .disable = o->admission_off,
						   .config = o->admission_conf };
	conf.service_cidr = o->cidr ? o->cidr : APISERVER_CIDR;
	conf.node_ports = o->node_ports ? o->node_ports : "30000-32767";
	conf.advertise = o->advertise;
	conf.node_ca = o->node_ca;
	conf.node_addresses = o->node_addresses;
	conf.encryption_conf = o->encryption;
	conf.etcd = etcd;
	conf.etcd_ca = o->etcd_ca;
	conf.etcd_cert = o->etcd_cert;
	conf.etcd_key = o->etcd_key;
	conf.audit_policy = o->audit_policy;
	conf.audit_log = o->audit_log;
	conf.audit_age = o->audit_age * DAY;
	conf.audit_backups = o->audit_backups;
	conf.audit_bytes = o->audit_size << 20;
	conf.user = o->user;
	conf.pid_file = o->pid_file;
	conf.debug = o->debug || g->debug;
	conf.log_format = o->log_format && strcmp(o->log_format, "json") == 0 ? LOG_FORMAT_JSON
									      : LOG_FORMAT_TEXT;
	return apiserver_main(&conf, err);
}

const struct cmd cmd_apiserver = {
	.path = "apiserver",
	.args = "[OPTIONS]",
	.help = "Run a Kubernetes API server",
	.details = "Serves the Kubernetes API with all it needs made by itself: database and "
		   "certificates below --root, an administrator's kubeconfig in "
		   "<root>/apiserver/admin.kubeconfig. Begun by root it goes on as a user of its "
		   "own, fenced in. SIGTERM ends it when what runs is answered; SIGHUP reads "
		   "certificates and encryption keys anew.",
	.opts = apiserver_opts,
	.opts_size = sizeof(struct apiserver_opts),
	.group = CLI_SYSTEM,
	.min = 0,
	.max = 0,
	.run = apiserver_run,
};
