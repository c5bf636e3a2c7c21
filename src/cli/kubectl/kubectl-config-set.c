/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl config set*`, `unset`: what is written into a kubeconfig. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "crypto/aead.h"
#include "doc/doc.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX (4u << 20)

static int unexpected(struct cmd_call *call, const char *what, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	for (size_t i = 0; i < call->nargs; i++)
		buf_addf(&b, "%s%s", i ? " " : "", call->args[i]);
	return err_set(err, ERR_BAD_REQUEST, "%s: [%s]", what, buf_str(&b));
}

/* A stanza that may be changed. */
static struct doc *copy_of(struct kubectl *k, enum kubeconfig_part part, const char *name)
{
	const struct doc *old = kubeconfig_get(k->config.merged, part, slice_str(name));

	return old ? doc_copy(k->arena, old) : doc_new_object(k->arena);
}

/* "" takes the field away. */
static void put_text(struct arena *a, struct doc *d, const char *name, const char *value)
{
	if (value && *value)
		doc_set_str(a, d, name, value);
	else if (value)
		doc_remove(d, name);
}

/* ---- files ---- */

static int put_data(struct kubectl *k, struct doc *d, const char *name, const char *path,
		    struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(PEM_MAX);
	int r = fd_read_file(AT_FDCWD, path, &b, err);
	char *text;

	if (r < 0)
		return r;
	text = arena_alloc(k->arena, BASE64_LEN(b.n) + 1);
	if (!text)
		return arena_quota(k->arena, err);
	base64_encode(text, buf_str(&b), b.n);
	doc_set_str(k->arena, d, arena_printf(k->arena, "%s-data", name), text);
	doc_remove(d, name);
	return 0;
}

/* --certificate-authority and its like: the path from the root, or with embed what it has. */
static int put_file(struct kubectl *k, struct doc *d, const char *name, const char *path,
		    bool embed, struct err *err)
{
	char cwd[PATH_MAX];

	if (!path)
		return 0;
	if (embed && *path) {
		if (access(path, F_OK) < 0)
			return err_set(err, ERR_NOT_FOUND,
				       "could not stat %s file %s: stat %s: no such file or "
				       "directory",
				       name, path, path);
		return put_data(k, d, name, path, err);
	}
	if (*path && *path != '/') {
		if (!getcwd(cwd, sizeof(cwd)))
			return err_sys(err, "where we are");
		path = arena_printf(k->arena, "%s/%s", cwd, path);
		if (!path)
			return arena_quota(k->arena, err);
	}
	put_text(k->arena, d, name, path);
	if (*path)
		doc_remove(d, arena_printf(k->arena, "%s-data", name));
	return 0;
}

/* ---- set-cluster ---- */

struct cluster_opts {
	const char *ca, *server, *proxy, *tls_name;
	bool embed, insecure, insecure_given;
};
static const struct opt cluster_opts[] = {
	OPT(struct cluster_opts, STR, ca, "certificate-authority", 0,
	    "Certificates that the server's is checked with"),
	OPT(struct cluster_opts, BOOL, embed, "embed-certs", 0, "Put the file's text into it"),
	OPT_SEEN_AT(struct cluster_opts, BOOL, insecure, insecure_given, "insecure-skip-tls-verify",
		    0, "Do not check the server's certificate"),
	OPT(struct cluster_opts, STR, proxy, "proxy-url", 0, "Proxy before the server"),
	OPT(struct cluster_opts, STR, server, "server", 0, "Address of the server"),
	OPT(struct cluster_opts, STR, tls_name, "tls-server-name", 0,
	    "Name that the server's certificate must have"),
	OPT_END
};

static int set_cluster_run(struct cmd_call *call, struct err *err)
{
	const struct cluster_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct doc *d;
	int r;

	if (call->nargs != 1)
		return unexpected(call, "Unexpected args", err);
	if (o->insecure && o->ca && *o->ca)
		return err_set(
			err, ERR_INVALID,
			"you cannot specify a certificate authority and insecure mode at the "
			"same time");
	if (o->embed && !o->ca)
		return err_set(err, ERR_INVALID,
			       "you must specify a --certificate-authority to embed");
	r = kubectl_config(k, err);
	if (r < 0)
		return r;
	d = copy_of(k, KUBECONFIG_CLUSTER, call->args[0]);
	put_text(k->arena, d, "server", o->server);
	put_text(k->arena, d, "tls-server-name", o->tls_name);
	put_text(k->arena, d, "proxy-url", o->proxy);
	if (o->insecure_given) {
		doc_set_bool(k->arena, d, "insecure-skip-tls-verify", o->insecure);
		if (o->insecure) {
			doc_remove(d, "certificate-authority");
			doc_remove(d, "certificate-authority-data");
		}
	}
	r = put_file(k, d, "certificate-authority", o->ca, o->embed, err);
	if (r == 0 && o->ca && *o->ca)
		doc_remove(d, "insecure-skip-tls-verify");
	if (r == 0)
		r = kubeconfig_put(&k->config, KUBECONFIG_CLUSTER, slice_str(call->args[0]), d,
				   true, err);
	if (r == 0)
		buf_addf(&k->out, "Cluster \"%s\" set.\n", call->args[0]);
	return r;
}

const struct cmd kubectl_config_set_cluster = {
	.path = "config set-cluster",
	.args = "NAME [OPTIONS]",
	.help = "Write a cluster into the kubeconfig",
	.opts = cluster_opts,
	.opts_size = sizeof(struct cluster_opts),
	.max = UINT8_MAX,
	.run = set_cluster_run,
};

/* ---- set-context ---- */

struct context_opts {
	const char *cluster, *user, *space;
	bool current;
};
static const struct opt context_opts[] = {
	OPT(struct context_opts, STR, cluster, "cluster", 0, "Its cluster"),
	OPT(struct context_opts, BOOL, current, "current", 0, "The current context"),
	OPT(struct context_opts, STR, space, "namespace", 'n', "Its namespace"),
	OPT(struct context_opts, STR, user, "user", 0, "Its user"), OPT_END
};

static int set_context_run(struct cmd_call *call, struct err *err)
{
	const struct context_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct slice name;
	const char *text;
	struct doc *d;
	bool known;
	int r;

	if (call->nargs != !o->current)
		return unexpected(call, "Unexpected args", err);
	r = kubectl_config(k, err);
	if (r < 0)
		return r;
	name = o->current ? kubeconfig_current(k->config.merged) : slice_str(call->args[0]);
	if (!name.n)
		return err_set(err, ERR_NOT_FOUND, "no current context is set");
	text = arena_strndup(k->arena, name.p, name.n);
	if (!text)
		return arena_quota(k->arena, err);
	known = kubeconfig_get(k->config.merged, KUBECONFIG_CONTEXT, name) != NULL;
	d = copy_of(k, KUBECONFIG_CONTEXT, text);
	put_text(k->arena, d, "cluster", o->cluster);
	put_text(k->arena, d, "user", o->user);
	put_text(k->arena, d, "namespace", o->space);
	r = kubeconfig_put(&k->config, KUBECONFIG_CONTEXT, slice_str(text), d, true, err);
	if (r == 0)
		buf_addf(&k->out, "Context \"%s\" %s.\n", text, known ? "modified" : "created");
	return r;
}

const struct cmd kubectl_config_set_context = {
	.path = "config set-context",
	.args = "NAME|--current [OPTIONS]",
	.help = "Write a context into the kubeconfig",
	.opts = context_opts,
	.opts_size = sizeof(struct context_opts),
	.max = UINT8_MAX,
	.run = set_context_run,
};

/* ---- set-credentials ---- */

struct user_opts {
	const char *cert, *key, *token, *username, *password, *command, *version, *mode;
	struct opt_list args, env;
	bool embed, info, info_given;
};
#define STR_ROW(field, name, help) OPT(struct user_opts, STR, field, name, 0, help)
static const struct opt user_opts[] = {
	OPT_NOT_SUPPORTED(STR, "auth-provider", 0, "use an exec plugin"),
	OPT_NOT_SUPPORTED(LIST, "auth-provider-arg", 0, "use an exec plugin"),
	STR_ROW(cert, "client-certificate", "Its certificate"),
	STR_ROW(key, "client-key", "Its key"),
	OPT(struct user_opts, BOOL, embed, "embed-certs", 0, "Put the files' texts into it"),
	STR_ROW(version, "exec-api-version", "apiVersion of the exec plugin"),
	OPT(struct user_opts, LIST, args, "exec-arg", 0, "An argument of the exec plugin"),
	STR_ROW(command, "exec-command", "Program that is the exec plugin"),
	OPT(struct user_opts, LIST, env, "exec-env", 0, "NAME=VALUE for it; NAME- removes"),
	STR_ROW(mode, "exec-interactive-mode", "Never, IfAvailable or Always"),
	OPT_SEEN_AT(struct user_opts, BOOL, info, info_given, "exec-provide-cluster-info", 0,
		    "Tell it of the cluster"),
	STR_ROW(password, "password", "Its password"),
	STR_ROW(token, "token", "Its bearer token"),
	STR_ROW(username, "username", "Its name for basic authentication"),
	OPT_END
};

static void put_env(struct arena *a, struct doc *exec, const char *pair)
{
	const char *eq = strchr(pair, '=');
	size_t n = eq ? (size_t)(eq - pair) : strlen(pair);
	struct slice name = slice_of(pair, !eq && n && pair[n - 1] == '-' ? n - 1 : n);
	struct doc *env = doc_get(exec, "env"), *one;

	if (!doc_is(env, DOC_ARRAY))
		env = doc_set_array(a, exec, "env");
	for (size_t i = 0; i < doc_len(env); i++)
		if (slice_eq(doc_slice(doc_get(doc_at(env, i), "name")), name)) {
			doc_remove_at(env, i);
			break;
		}
	if (!eq)
		return;
	one = doc_append_object(a, env);
	doc_set_strn(a, one, "name", name.p, name.n);
	doc_set_str(a, one, "value", eq + 1);
}

static int put_exec(struct kubectl *k, struct doc *d, const struct user_opts *o, struct err *err)
{
	struct doc *exec = doc_get(d, "exec"), *args;

	if (!o->command && !o->version && !o->mode && !o->args.n && !o->env.n && !o->info_given)
		return 0;
	if (!exec && !o->command)
		return err_set(err, ERR_INVALID,
			       "--exec-command is needed with the other --exec-*");
	if (!exec)
		exec = doc_set_object(k->arena, d, "exec");
	put_text(k->arena, exec, "command", o->command);
	put_text(k->arena, exec, "apiVersion", o->version);
	put_text(k->arena, exec, "interactiveMode", o->mode);
	if (o->info_given)
		doc_set_bool(k->arena, exec, "provideClusterInfo", o->info);
	args = o->args.n ? doc_set_array(k->arena, exec, "args") : NULL;
	for (size_t i = 0; i < o->args.n; i++)
		doc_append_str(k->arena, args, o->args.v[i]);
	for (size_t i = 0; i < o->env.n; i++)
		put_env(k->arena, exec, o->env.v[i]);
	return 0;
}

static int check_user(const struct user_opts *o, struct err *err)
{
	const char *mode = o->mode;

	if (o->token && *o->token &&
	    ((o->username && *o->username) || (o->password && *o->password)))
		return err_set(err, ERR_INVALID,
			       "you cannot specify more than one authentication method at the same "
			       "time: --token, --username/--password");
	if (o->embed && !(o->cert && *o->cert) && !(o->key && *o->key))
		return err_set(err, ERR_INVALID,
			       "you must specify a --client-certificate or --client-key to embed");
	if (mode && strcmp(mode, "Never") != 0 && strcmp(mode, "IfAvailable") != 0 &&
	    strcmp(mode, "Always") != 0)
		return err_set(err, ERR_INVALID,
			       "invalid interactive mode type, only Never, IfAvailable, Always");
	return 0;
}

static int set_user_run(struct cmd_call *call, struct err *err)
{
	const struct user_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct doc *d;
	int r;

	if (call->nargs != 1)
		return unexpected(call, "unexpected args", err);
	r = check_user(o, err);
	if (r == 0)
		r = kubectl_config(k, err);
	if (r < 0)
		return r;
	d = copy_of(k, KUBECONFIG_USER, call->args[0]);
	put_text(k->arena, d, "token", o->token);
	put_text(k->arena, d, "username", o->username);
	put_text(k->arena, d, "password", o->password);
	/* One way to prove who we are takes the place of the other. */
	if (o->token && *o->token) {
		doc_remove(d, "username");
		doc_remove(d, "password");
	}
	if ((o->username && *o->username) || (o->password && *o->password)) {
		doc_remove(d, "token");
		doc_remove(d, "tokenFile");
	}
	r = put_file(k, d, "client-certificate", o->cert, o->embed, err);
	if (r == 0)
		r = put_file(k, d, "client-key", o->key, o->embed, err);
	if (r == 0)
		r = put_exec(k, d, o, err);
	if (r == 0)
		r = kubeconfig_put(&k->config, KUBECONFIG_USER, slice_str(call->args[0]), d, true,
				   err);
	if (r == 0)
		buf_addf(&k->out, "User \"%s\" set.\n", call->args[0]);
	return r;
}

const struct cmd kubectl_config_set_credentials = {
	.path = "config set-credentials",
	.args = "NAME [OPTIONS]",
	.help = "Write a user into the kubeconfig",
	.opts = user_opts,
	.opts_size = sizeof(struct user_opts),
	.max = UINT8_MAX,
	.run = set_user_run,
};

/* ---- set and unset by path ---- */

/* "clusters.NAME.field"; names may hold dots when such an entry is there. */
struct property {
	bool current; /* current-context */
	enum kubeconfig_part part;
	struct slice name;		      /* {NULL,0}: the whole list */
	const struct kubeconfig_field *field; /* NULL: the whole entry */
};

static const struct kubeconfig_field *field_named(enum kubeconfig_part part, struct slice name)
{
	for (const struct kubeconfig_field *f = kubeconfig_fields(part); f->name; f++)
		if (slice_is(name, f->name))
			return f;
	return NULL;
}

static int bad_property(const char *text, struct err *err)
{
	return err_set(err, ERR_INVALID, "unable to parse one or more field values of %s", text);
}

static int parse_property(struct kubectl *k, const char *text, struct property *p, struct err *err)
{
	static const char *const parts[] = { [KUBECONFIG_CLUSTER] = "clusters",
					     [KUBECONFIG_USER] = "users",
					     [KUBECONFIG_CONTEXT] = "contexts" };
	struct slice rest = slice_str(text), first = slice_split(&rest, '.');
	size_t i = 0, n;

	*p = (struct property){ .current = strcmp(text, "current-context") == 0 };
	if (p->current)
		return 0;
	while (i < ARRAY_LEN(parts) && !slice_is(first, parts[i]))
		i++;
	if (i == ARRAY_LEN(parts))
		return err_set(err, ERR_INVALID, "unable to parse %s after [] at api.Config", text);
	p->part = (enum kubeconfig_part)i;
	if (!rest.p)
		return 0;
	/* The longest name that is there, else up to the next dot. */
	for (n = rest.n; n; n--)
		if ((n == rest.n || rest.p[n] == '.') &&
		    kubeconfig_get(k->config.merged, p->part, slice_of(rest.p, n)))
			break;
	if (!n)
		n = slice_split(&(struct slice){ rest.p, rest.n }, '.').n;
	p->name = slice_of(rest.p, n);
	if (n == rest.n)
		return 0;
	p->field = field_named(p->part, slice_of(rest.p + n + 1, rest.n - n - 1));
	return p->field ? 0 : bad_property(text, err);
}

static int field_value(struct kubectl *k, const struct property *p, const char *text, bool raw,
		       struct doc *ret, struct err *err)
{
	static const char *const truths[] = { "1", "t", "T", "TRUE", "true", "True", NULL };
	static const char *const lies[] = { "0", "f", "F", "FALSE", "false", "False", NULL };
	size_t n = strlen(text), got;
	char *room;

	*ret = doc_str(k->arena, text);
	switch (p->field->type) {
	case KUBECONFIG_TEXT: return 0;
	case KUBECONFIG_BOOL:
		if (!str_is_one_of(text, truths) && !str_is_one_of(text, lies))
			return err_set(err, ERR_INVALID,
				       "strconv.ParseBool: parsing \"%s\": invalid syntax", text);
		*ret = doc_bool(str_is_one_of(text, truths));
		return 0;
	case KUBECONFIG_BYTES:
		room = arena_alloc(k->arena, BASE64_LEN(n) + 1);
		if (!room)
			return arena_quota(k->arena, err);
		if (!raw && base64_decode(room, &got, slice_str(text)) < 0)
			return err_set(err, ERR_INVALID,
				       "error decoding input value: illegal base64 data");
		if (raw) {
			base64_encode(room, text, n);
			*ret = doc_str(k->arena, room);
		}
		return 0;
	default:
		return err_set(err, ERR_UNSUPPORTED,
			       "'%s' cannot be set by a path: use set-credentials or edit the file",
			       p->field->name);
	}
}

struct set_opts {
	bool raw;
};
static const struct opt set_opts[] = { OPT(struct set_opts, BOOL, raw, "set-raw-bytes", 0,
					   "The value is no base64, but the bytes"),
				       OPT_END };

static int set_run(struct cmd_call *call, struct err *err)
{
	const struct set_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct property p;
	struct doc *d, value;
	const char *name;
	int r;

	if (call->nargs != 2)
		return unexpected(call, "Unexpected args", err);
	r = kubectl_config(k, err);
	if (r == 0)
		r = parse_property(k, call->args[0], &p, err);
	if (r < 0)
		return r;
	if (!p.current && !p.field)
		return err_set(err, ERR_INVALID, "can't set a map to a value: %s", call->args[0]);
	if (p.current) {
		r = kubeconfig_use(&k->config, slice_str(call->args[1]), err);
	} else {
		name = arena_strndup(k->arena, p.name.p, p.name.n);
		r = field_value(k, &p, call->args[1], o->raw, &value, err);
		if (r < 0)
			return r;
		d = name ? copy_of(k, p.part, name) : NULL;
		doc_set(k->arena, d, p.field->name, value);
		if (!d)
			return arena_quota(k->arena, err);
		r = kubeconfig_put(&k->config, p.part, slice_str(name), d, false, err);
	}
	if (r == 0)
		buf_addf(&k->out, "Property \"%s\" set.\n", call->args[0]);
	return r;
}

const struct cmd kubectl_config_set = {
	.path = "config set",
	.args = "[OPTIONS] PROPERTY VALUE",
	.help = "Write one value into the kubeconfig",
	.details = "A property is current-context, or clusters.NAME.FIELD, users.NAME.FIELD, "
		   "contexts.NAME.FIELD.",
	.opts = set_opts,
	.opts_size = sizeof(struct set_opts),
	.max = UINT8_MAX,
	.run = set_run,
};

/* All entries of a part, each where it was found: those of later files come to light. */
static int remove_all(struct kubectl *k, enum kubeconfig_part part, const char *list,
		      struct err *err)
{
	const struct doc *all = doc_copy(k->arena, doc_get(k->config.merged, list));
	int r = all ? 0 : arena_quota(k->arena, err);

	DOC_EACH (e, all)
		if (r == 0)
			r = kubeconfig_put(&k->config, part, doc_slice(doc_get(e, "name")), NULL,
					   false, err);
	return r;
}

static int unset_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct property p;
	const char *name;
	struct doc *d;
	int r;

	if (call->nargs != 1)
		return unexpected(call, "Unexpected args", err);
	r = kubectl_config(k, err);
	if (r == 0)
		r = parse_property(k, call->args[0], &p, err);
	if (r < 0)
		return r;
	if (p.current) {
		r = kubeconfig_use(&k->config, SLICE(""), err);
	} else if (!p.name.p) {
		r = remove_all(k, p.part, call->args[0], err);
	} else if (!p.field) {
		if (kubeconfig_get(k->config.merged, p.part, p.name))
			r = kubeconfig_put(&k->config, p.part, p.name, NULL, false, err);
	} else if (kubeconfig_get(k->config.merged, p.part, p.name)) {
		name = arena_strndup(k->arena, p.name.p, p.name.n);
		d = name ? copy_of(k, p.part, name) : NULL;
		if (!d)
			return arena_quota(k->arena, err);
		doc_remove(d, p.field->name);
		r = kubeconfig_put(&k->config, p.part, slice_str(name), d, false, err);
	}
	if (r == 0)
		buf_addf(&k->out, "Property \"%s\" unset.\n", call->args[0]);
	return r;
}

const struct cmd kubectl_config_unset = {
	.path = "config unset",
	.args = "PROPERTY",
	.help = "Remove one value from the kubeconfig",
	.max = UINT8_MAX,
	.run = unset_run,
};

/* ---- view --flatten ---- */

static int flatten_field(struct kubectl *k, enum kubeconfig_part part, struct slice name,
			 struct doc *d, const char *field, struct err *err)
{
	const char *path = doc_cstr(k->arena, doc_get(d, field));
	const char *origin = kubeconfig_origin(&k->config, part, name);
	int r;

	if (!path || !*path)
		return 0;
	if (doc_get(d, arena_printf(k->arena, "%s-data", field)))
		return err_set(err, ERR_INVALID, "cannot have values for both path and contents");
	path = origin ? kubeconfig_resolve(k->arena, origin, path) : path;
	r = path ? put_data(k, d, field, path, err) : arena_quota(k->arena, err);
	return r == -ERR_NOT_FOUND
		       ? err_set(err, ERR_NOT_FOUND, "open %s: no such file or directory", path)
		       : r;
}

int kubectl_flatten(struct kubectl *k, struct doc *config, struct err *err)
{
	int r = 0;

	DOC_EACH (e, doc_get(config, "users")) {
		struct slice name = doc_slice(doc_get(e, "name"));

		if (r == 0)
			r = flatten_field(k, KUBECONFIG_USER, name, doc_get(e, "user"),
					  "client-certificate", err);
		if (r == 0)
			r = flatten_field(k, KUBECONFIG_USER, name, doc_get(e, "user"),
					  "client-key", err);
	}
	DOC_EACH (e, doc_get(config, "clusters"))
		if (r == 0)
			r = flatten_field(k, KUBECONFIG_CLUSTER, doc_slice(doc_get(e, "name")),
					  doc_get(e, "cluster"), "certificate-authority", err);
	return r;
}
