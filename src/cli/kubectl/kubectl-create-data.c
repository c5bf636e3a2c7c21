/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl create configmap`, `secret generic|docker-registry|tls`: files and words as data. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "crypto/key.h"
#include "crypto/x509.h"
#include "doc/json.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FILE_MAX (16u << 20)
#define CERTS_MAX 64
#define HASH_LEN 10

static const struct make_kind config_kind = { "v1", "ConfigMap", "configmaps", true,
					      "failed to create configmap:" };
static const struct make_kind secret_kind = { "v1", "Secret", "secrets", true,
					      "failed to create secret" };

struct data {
	struct making m;
	bool secret;
	struct doc text, bytes; /* members of data and binaryData */
};

/* ---- one key ---- */

static const char *encoded(struct arena *a, struct slice value)
{
	char *s = arena_alloc(a, BASE64_LEN(value.n) + 1);

	if (s)
		base64_encode(s, value.n ? value.p : "", value.n);
	return s;
}

static int add_key(struct data *d, const char *key, struct slice value, struct err *err)
{
	struct arena *a = d->m.k->arena;
	const char *why = form_config_key(slice_str(key));
	bool taken = doc_get(&d->text, key) || doc_get(&d->bytes, key);

	if (why && d->secret)
		return err_set(err, ERR_INVALID, "\"%s\" is not valid key name for a Secret %s",
			       key, why);
	if (why)
		return err_set(err, ERR_INVALID,
			       "\"%s\" is not a valid key name for a ConfigMap: %s", key, why);
	if (taken && d->secret)
		return err_set(err, ERR_EXISTS,
			       "cannot add key %s, another key by that name already exists", key);
	if (taken)
		return err_set(err, ERR_EXISTS,
			       "cannot add key \"%s\", another key by that name already exists in "
			       "%s for ConfigMap \"%s\"",
			       key, doc_get(&d->text, key) ? "Data" : "BinaryData", d->m.name);
	if (d->secret)
		doc_set_str(a, &d->text, key, encoded(a, value));
	else if (utf8_valid(value))
		doc_set_strn(a, &d->text, key, value.p, value.n);
	else
		doc_set_str(a, &d->bytes, key, encoded(a, value));
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* ---- where data comes from ---- */

static int read_file(struct data *d, const char *path, struct slice *ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	const char *copy;

	if (fd_read_file(AT_FDCWD, path, &b, err) < 0)
		return err_ret(err);
	copy = arena_strndup(d->m.k->arena, buf_str(&b), b.n);
	*ret = slice_of(copy, b.n);
	return copy ? 0 : arena_quota(d->m.k->arena, err);
}

static int add_file(struct data *d, const char *key, const char *path, struct err *err)
{
	struct slice text;
	int r = read_file(d, path, &text, err);

	return r == 0 ? add_key(d, key, text, err) : r;
}

/* Plain files of a folder, by their names. */
static int add_folder(struct data *d, const char *path, struct err *err)
{
	struct dirent **v;
	int n = scandir(path, &v, NULL, alphasort), r = 0;

	if (n < 0)
		return err_sys(err, "error listing files in %s", path);
	for (int i = 0; i < n; i++) {
		const char *file = arena_printf(d->m.k->arena, "%s/%s", path, v[i]->d_name),
			   *key = arena_strdup(d->m.k->arena, v[i]->d_name);
		struct stat st;

		if (r == 0 && file && key && lstat(file, &st) == 0 && S_ISREG(st.st_mode))
			r = add_file(d, key, file, err);
		free(v[i]);
	}
	free(v);
	return r;
}

/* "[KEY=]FILE" or a folder. */
static int add_source(struct data *d, const char *source, struct err *err)
{
	const char *eq = strchr(source, '='), *path = eq ? eq + 1 : source, *slash;
	struct stat st;

	if (eq && strchr(eq + 1, '='))
		return err_set(err, ERR_INVALID, "key names or file paths cannot contain '='");
	if (eq == source)
		return err_set(err, ERR_INVALID, "key name for file path %s missing", path);
	if (eq && !eq[1])
		return err_set(err, ERR_INVALID, "file path for key name %.*s missing",
			       (int)(eq - source), source);
	if (stat(path, &st) < 0)
		return err_set(err, ERR_NOT_FOUND, "error reading %s: %s", path,
			       kubectl_why(errno));
	if (S_ISDIR(st.st_mode))
		return eq ? err_set(err, ERR_INVALID, "cannot give a key name for a directory path")
			  : add_folder(d, path, err);
	slash = strrchr(path, '/');
	return add_file(d,
			eq ? arena_strndup(d->m.k->arena, source, (size_t)(eq - source))
			   : (slash ? slash + 1 : path),
			path, err);
}

static int add_literal(struct data *d, const char *source, struct err *err)
{
	const char *eq = strchr(source, '='),
		   *key = eq ? arena_strndup(d->m.k->arena, source, (size_t)(eq - source)) : NULL;

	if (!eq || eq == source)
		return err_set(err, ERR_INVALID, "invalid literal source %s, expected key=value",
			       source);
	return key ? add_key(d, key, slice_str(eq + 1), err) : arena_quota(d->m.k->arena, err);
}

/* kubectl is stricter than the server. */
static const char *env_name(struct slice s)
{
	bool fine = s.n && !isdigit((unsigned char)*s.p);

	for (size_t i = 0; i < s.n; i++)
		fine &= isalnum((unsigned char)s.p[i]) || strchr("-._", s.p[i]);
	return fine ? NULL
		    : "the name of a variable has letters, digits, '_', '-' or '.', and begins "
		      "with no digit (regex used for validation is "
		      "'[-._a-zA-Z][-._a-zA-Z0-9]*')";
}

int kubectl_env_file(struct kubectl *k, struct slice text, const char *path,
		     int (*fn)(void *arg, const char *key, struct slice value, struct err *err),
		     void *arg, struct err *err)
{
	unsigned line = 0;

	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		text = slice_of(text.p + 3, text.n - 3);
	while (text.p && text.n) {
		struct slice value = slice_split(&text, '\n'), key;
		const char *name, *why, *set;
		int r;

		line++;
		if (value.n && value.p[value.n - 1] == '\r')
			value.n--;
		while (value.n && isspace((unsigned char)*value.p))
			value = slice_of(value.p + 1, value.n - 1);
		if (!value.n || *value.p == '#')
			continue;
		if (!utf8_valid(value))
			return err_set(err, ERR_INVALID,
				       "env file %s contains invalid utf8 bytes at line %u", path,
				       line);
		key = slice_split(&value, '=');
		name = arena_strndup(k->arena, key.p, key.n);
		if (!name)
			return arena_quota(k->arena, err);
		why = env_name(key);
		if (why)
			return err_set(err, ERR_INVALID, "\"%s\" is not a valid key name: %s", name,
				       why);
		set = value.p ? NULL : getenv(name);
		r = fn(arg, name, value.p ? value : slice_str(set ? set : ""), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int on_env(void *arg, const char *key, struct slice value, struct err *err)
{
	return add_key(arg, key, value, err);
}

static int add_env(struct data *d, const char *path, struct err *err)
{
	struct slice text;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return err_set(err, ERR_NOT_FOUND, "error reading %s: %s", path,
			       kubectl_why(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "env %s file cannot be a directory",
			       d->secret ? "secret" : "config");
	r = read_file(d, path, &text, err);
	return r == 0 ? kubectl_env_file(d->m.k, text, path, on_env, d, err) : r;
}

static int add_each(struct data *d, const struct opt_list *words, unsigned flags,
		    int (*fn)(struct data *d, const char *word, struct err *err), struct err *err)
{
	struct opt_list l;
	int r = make_commas(d->m.k, words, flags, &l, err);

	for (size_t i = 0; i < l.n && r == 0; i++)
		r = fn(d, l.v[i], err);
	return r;
}

/* ---- the object ---- */

/* Ten letters of a hash of what the object says. */
static const char *hashed(struct data *d, const char *type, struct err *err)
{
	struct arena *a = d->m.k->arena;
	struct json_style style = { .order = JSON_SORTED, .html = true };
	struct doc *all = doc_new_object(a);
	char hex[SHA256_HEX_LEN + 1];
	struct slice text;

	doc_set_str(a, all, "kind", d->secret ? "Secret" : "ConfigMap");
	doc_set_str(a, all, "name", d->m.name);
	if (type)
		doc_set_str(a, all, "type", type);
	doc_set(a, all, "data", d->text);
	if (d->bytes.n)
		doc_set(a, all, "binaryData", d->bytes);
	if (!all || json_print(a, all, &style, &text, err) < 0)
		return NULL;
	sha256_hex(text.p, text.n, hex);
	hex[HASH_LEN] = '\0';
	/* no vowels, nor digits that look like some: no words come of it */
	for (char *c = hex; *c; c++) {
		const char *at = strchr("013ae", *c);

		if (at)
			*c = "ghkmt"[at - "013ae"];
	}
	return arena_printf(a, "%s-%s", d->m.name, hex);
}

static int end(struct data *d, const char *type, bool hash, struct err *err)
{
	const struct make_kind *kind = d->secret ? &secret_kind : &config_kind;
	const char *name = hash ? hashed(d, type ? type : (d->secret ? "" : NULL), err) : d->m.name;
	struct doc *obj;

	if (!name)
		return err->code ? err_ret(err) : arena_quota(d->m.k->arena, err);
	doc_sort_members(&d->text);
	doc_sort_members(&d->bytes);
	obj = make_object(&d->m, kind, name);
	if (d->text.n)
		doc_set(d->m.k->arena, obj, "data", d->text);
	if (d->bytes.n)
		doc_set(d->m.k->arena, obj, "binaryData", d->bytes);
	if (type && *type)
		doc_set_str(d->m.k->arena, obj, "type", type);
	return make_end(&d->m, kind, obj, err);
}

/* ---- configmap, secret generic ---- */

struct data_opts {
	struct make_flags make;
	struct opt_list files, literals, envs;
	const char *type;
	bool hash;
};
#define HASH_ROW(type) \
	MAKE_OPT(type, BOOL, hash, "append-hash", "A hash of what it says is part of its name")
#define DATA_ROWS                                                       \
	MAKE_ROWS(struct data_opts), HASH_ROW(struct data_opts),        \
		MAKE_OPT(struct data_opts, LIST, envs, "from-env-file", \
			 "Lines KEY=VALUE of this file"),               \
		MAKE_OPT(struct data_opts, LIST, files, "from-file",    \
			 "[KEY=]FILE, or all files of a folder"),       \
		MAKE_OPT(struct data_opts, LIST, literals, "from-literal", "KEY=VALUE; repeated")

static const struct opt config_opts[] = { DATA_ROWS, OPT_END };
static const struct opt secret_opts[] = {
	DATA_ROWS, MAKE_OPT(struct data_opts, STR, type, "type", "Type of the secret"), OPT_END
};

static int data_begin(struct cmd_call *call, const struct make_flags *f, bool secret,
		      struct data *ret, struct err *err)
{
	*ret = (struct data){ .secret = secret, .text = doc_object(), .bytes = doc_object() };
	return make_begin(call, f, &ret->m, err);
}

static int data_make(struct cmd_call *call, bool secret, struct err *err)
{
	const struct data_opts *o = call->opts;
	struct data d;
	int r = data_begin(call, &o->make, secret, &d, err);

	if (r == 0 && o->envs.n && (o->files.n || o->literals.n))
		return err_set(err, ERR_BAD_REQUEST,
			       "from-env-file cannot be combined with from-file or from-literal");
	if (r == 0)
		r = add_each(&d, &o->files, 0, add_source, err);
	if (r == 0)
		r = add_each(&d, &o->literals, MAKE_WHOLE, add_literal, err);
	if (r == 0)
		r = add_each(&d, &o->envs, 0, add_env, err);
	return r == 0 ? end(&d, o->type, o->hash, err) : r;
}

static int config_run(struct cmd_call *call, struct err *err)
{
	return data_make(call, false, err);
}

static int secret_run(struct cmd_call *call, struct err *err)
{
	return data_make(call, true, err);
}

const struct cmd kubectl_create_configmap = {
	.path = "create configmap",
	.aliases = (const char *const[]){ "create cm", NULL },
	.args = "NAME [--from-file=[KEY=]FILE] [--from-literal=KEY=VALUE] [OPTIONS]",
	.help = "Create a configmap of files and words",
	.opts = config_opts,
	.opts_size = sizeof(struct data_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = config_run,
};

const struct cmd kubectl_create_secret_generic = {
	.path = "create secret generic",
	.args = "NAME [--from-file=[KEY=]FILE] [--from-literal=KEY=VALUE] [OPTIONS]",
	.help = "Create a secret of files and words",
	.opts = secret_opts,
	.opts_size = sizeof(struct data_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = secret_run,
};

/* ---- secret docker-registry ---- */

struct docker_opts {
	struct make_flags make;
	struct opt_list files;
	const char *email, *password, *server, *username;
	bool hash;
};
static const struct opt docker_opts[] = {
	MAKE_ROWS(struct docker_opts),
	HASH_ROW(struct docker_opts),
	MAKE_OPT(struct docker_opts, STR, email, "docker-email", "Who it is"),
	MAKE_OPT(struct docker_opts, STR, password, "docker-password", "The password"),
	MAKE_OPT(struct docker_opts, STR, server, "docker-server",
		 "The registry (default https://index.docker.io/v1/)"),
	MAKE_OPT(struct docker_opts, STR, username, "docker-username", "The user's name"),
	MAKE_OPT(struct docker_opts, LIST, files, "from-file", "A file that has all of it"),
	OPT_END
};

static int add_login(struct data *d, const struct docker_opts *o, struct err *err)
{
	struct arena *a = d->m.k->arena;
	struct json_style style = { .html = true };
	struct doc *all = doc_new_object(a), *one;
	struct slice text;
	const char *pair = arena_printf(a, "%s:%s", o->username, o->password);

	one = doc_set_object(a, doc_set_object(a, all, "auths"),
			     o->server ? o->server : "https://index.docker.io/v1/");
	doc_set_str(a, one, "username", o->username);
	doc_set_str(a, one, "password", o->password);
	if (o->email && *o->email)
		doc_set_str(a, one, "email", o->email);
	if (!all || !pair)
		return arena_quota(a, err);
	doc_set_str(a, one, "auth", encoded(a, slice_str(pair)));
	if (json_print(a, all, &style, &text, err) < 0)
		return err_ret(err);
	return add_key(d, ".dockerconfigjson", text, err);
}

static int docker_run(struct cmd_call *call, struct err *err)
{
	const struct docker_opts *o = call->opts;
	struct data d;
	int r = data_begin(call, &o->make, true, &d, err);

	if (r < 0)
		return r;
	if (!o->files.n && (!o->username || !*o->username || !o->password || !*o->password ||
			    (o->server && !*o->server)))
		return err_set(err, ERR_BAD_REQUEST,
			       "either --from-file or the combination of --docker-username, "
			       "--docker-password and --docker-server is required");
	r = o->files.n ? add_each(&d, &o->files, 0, add_source, err) : add_login(&d, o, err);
	return r == 0 ? end(&d, "kubernetes.io/dockerconfigjson", o->hash, err) : r;
}

const struct cmd kubectl_create_secret_docker_registry = {
	.path = "create secret docker-registry",
	.args = "NAME --docker-username=NAME --docker-password=PASSWORD [OPTIONS]",
	.help = "Create a secret for pulling from a registry",
	.opts = docker_opts,
	.opts_size = sizeof(struct docker_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = docker_run,
};

/* ---- secret tls ---- */

struct tls_opts {
	struct make_flags make;
	const char *cert, *key;
	bool hash;
};
static const struct opt tls_opts[] = {
	MAKE_ROWS(struct tls_opts), HASH_ROW(struct tls_opts),
	MAKE_OPT(struct tls_opts, STR, cert, "cert", "File of the certificate, PEM"),
	MAKE_OPT(struct tls_opts, STR, key, "key", "File of its key, PEM"), OPT_END
};

/* They belong together, or nobody can use them. */
static int check_pair(struct slice cert_text, struct slice key_text, struct err *err)
{
	struct cert *certs[CERTS_MAX] = { 0 };
	CLEANUP(key_unref) struct key *key = NULL, *public = NULL;
	size_t n = 0;
	bool match = false;
	int r;

	if (cert_read(cert_text, certs, CERTS_MAX, &n, err) < 0)
		return err_set(err, ERR_INVALID,
			       "tls: failed to find any PEM data in certificate input");
	r = key_read(key_text, &key, err);
	if (r < 0)
		err_set(err, ERR_INVALID, "tls: failed to find any PEM data in key input");
	else
		r = cert_key(certs[0], &public, err);
	if (r == 0)
		match = key_matches(key, public);
	for (size_t i = 0; i < n; i++)
		cert_unref(certs[i]);
	return r < 0 || match
		       ? r
		       : err_set(err, ERR_INVALID, "tls: private key does not match public key");
}

static int read_pem(struct data *d, const char *path, struct slice *ret, struct err *err)
{
	if (read_file(d, path, ret, err) == 0)
		return 0;
	return err_set(err, ERR_NOT_FOUND, "Cannot read file %s, open %s: %s", path, path,
		       kubectl_why(err->sys));
}

static int tls_run(struct cmd_call *call, struct err *err)
{
	const struct tls_opts *o = call->opts;
	struct slice cert, key;
	struct data d;
	int r = data_begin(call, &o->make, true, &d, err);

	if (r == 0 && (!o->cert || !*o->cert || !o->key || !*o->key))
		return err_set(err, ERR_BAD_REQUEST, "key and cert must be specified");
	if (r < 0 || read_pem(&d, o->cert, &cert, err) < 0 || read_pem(&d, o->key, &key, err) < 0 ||
	    check_pair(cert, key, err) < 0 || add_key(&d, "tls.crt", cert, err) < 0 ||
	    add_key(&d, "tls.key", key, err) < 0)
		return err_ret(err);
	return end(&d, "kubernetes.io/tls", o->hash, err);
}

const struct cmd kubectl_create_secret_tls = {
	.path = "create secret tls",
	.args = "NAME --cert=FILE --key=FILE [OPTIONS]",
	.help = "Create a secret of a certificate and its key",
	.opts = tls_opts,
	.opts_size = sizeof(struct tls_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = tls_run,
};
