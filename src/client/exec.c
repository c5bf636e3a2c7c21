/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a program for credentials: one run for each command, its stdout is the answer. */
#include "client/exec.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "client/client.h"
#include "client/kubeconfig.h"
#include "crypto/aead.h"
#include "doc/json.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWER_MAX (1u << 20)
#define WORDS_MAX 1024
#define PIECE 65536u /* more than any answer has: the buffer, a secret, does not grow */
#define GROUP "client.authentication.k8s.io/"

extern char **environ;

static bool version_known(const char *v)
{
	return v && (strcmp(v, GROUP "v1") == 0 || strcmp(v, GROUP "v1beta1") == 0);
}

int exec_read(struct slice text, const char *version, struct arena *a, struct exec_credential *ret,
	      struct err *err)
{
	struct json_options opt = { .copy = true };
	struct doc *d, *status;
	int r = json_read(a, text, &opt, &d, err);

	if (r < 0)
		return r;
	if (!doc_str_is(doc_get(d, "kind"), "ExecCredential") ||
	    !doc_str_is(doc_get(d, "apiVersion"), version))
		return err_set(err, ERR_UNAUTHORIZED, "its answer is no ExecCredential of %s",
			       version);
	status = doc_get(d, "status");
	*ret = (struct exec_credential){
		.token = doc_cstr(a, doc_get(status, "token")),
		.cert = doc_slice(doc_get(status, "clientCertificateData")),
		.key = doc_slice(doc_get(status, "clientKeyData")),
	};
	if (!ret->cert.n != !ret->key.n)
		return err_set(err, ERR_UNAUTHORIZED,
			       "clientCertificateData and clientKeyData go together");
	if (ret->token && (!*ret->token || strpbrk(ret->token, "\r\n")))
		ret->token = NULL;
	if (!ret->token && !ret->cert.n)
		return err_set(err, ERR_UNAUTHORIZED,
			       "its answer has neither a token nor a certificate");
	return 0;
}

struct plugin {
	const char *path;
	char **argv, **env;
	int in, out; /* become its stdin and stdout */
};

/* On the parent's memory until exec. */
static int child_main(void *arg)
{
	const struct plugin *p = arg;

	if (proc_reset_signals(NULL) < 0 || sys_dup3(p->in, 0, 0) < 0 || sys_dup3(p->out, 1, 0) < 0)
		return 126;
	sys_execveat(AT_FDCWD, p->path, p->argv, p->env, 0);
	return 127;
}

/* A name without "/" is looked for in PATH; one with is beside the kubeconfig. */
static const char *find(struct arena *a, const char *command, const char *file)
{
	struct slice rest = slice_str(getenv("PATH"));

	if (strchr(command, '/'))
		return file ? kubeconfig_resolve(a, file, command) : command;
	while (rest.p) {
		struct slice dir = slice_split(&rest, ':');
		const char *path =
			dir.n ? arena_printf(a, "%.*s/%s", (int)dir.n, dir.p, command) : NULL;

		if (path && access(path, X_OK) == 0)
			return path;
	}
	return NULL;
}

/* KUBERNETES_EXEC_INFO: what we want, and of which cluster when the kubeconfig says so. */
static const char *info(const struct client_conf *conf, const char *version, struct arena *a)
{
	struct doc *d = doc_new_object(a), *spec, *cluster;
	struct slice text;
	bool person = isatty(0) && !doc_str_is(doc_get(conf->exec, "interactiveMode"), "Never");

	doc_set_str(a, d, "kind", "ExecCredential");
	doc_set_str(a, d, "apiVersion", version);
	spec = doc_set_object(a, d, "spec");
	if (doc_true(doc_get(conf->exec, "provideClusterInfo"))) {
		cluster = doc_set_object(a, spec, "cluster");
		doc_set_str(a, cluster, "server", conf->server);
		for (size_t i = 0; i < doc_len(conf->cluster); i++) {
			struct doc *k = doc_key_at(conf->cluster, i);
			struct slice name = slice_of(k->s, k->n);

			if (!slice_is(name, "server") && !slice_is(name, "extensions") &&
			    !slice_is(name, "certificate-authority"))
				doc_setn(a, cluster, name, *doc_value_at(conf->cluster, i));
		}
		DOC_EACH (e, doc_get(conf->cluster, "extensions"))
			if (doc_str_is(doc_get(e, "name"), GROUP "exec"))
				doc_set(a, cluster, "config", *doc_get(e, "extension"));
	}
	doc_set_bool(a, spec, "interactive", person);
	if (!d || json_print(a, d, NULL, &text, NULL) < 0)
		return NULL;
	return arena_printf(a, "KUBERNETES_EXEC_INFO=%.*s", (int)text.n, text.p);
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n + 1) == 0;
}

static void put_env(char **env, size_t *n, const char *pair)
{
	for (size_t i = 0; i < *n; i++)
		if (same_name(env[i], pair)) {
			env[i] = (char *)pair;
			return;
		}
	env[(*n)++] = (char *)pair;
}

static int words(const struct client_conf *conf, const char *version, struct arena *a,
		 struct plugin *p, struct err *err)
{
	const struct doc *args = doc_get(conf->exec, "args"), *env = doc_get(conf->exec, "env");
	size_t n = 0, have = 0;

	while (environ[have])
		have++;
	if (doc_len(args) > WORDS_MAX || doc_len(env) > WORDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d words", WORDS_MAX);
	p->argv = ARENA_ARRAY(a, char *, doc_len(args) + 2);
	p->env = ARENA_ARRAY(a, char *, have + doc_len(env) + 2);
	if (!p->argv || !p->env)
		return arena_quota(a, err);
	p->argv[n++] = (char *)p->path;
	DOC_EACH (w, args)
		p->argv[n++] = (char *)doc_cstr(a, w);
	for (n = 0; n < have; n++)
		p->env[n] = environ[n];
	DOC_EACH (e, env) {
		const char *name = doc_cstr(a, doc_get(e, "name")),
			   *value = doc_cstr(a, doc_get(e, "value")), *pair;

		if (!name || !*name || strchr(name, '='))
			return err_set(err, ERR_INVALID, "env: a variable without a name");
		pair = arena_printf(a, "%s=%s", name, value ? value : "");
		if (pair)
			put_env(p->env, &n, pair);
	}
	if (info(conf, version, a))
		put_env(p->env, &n, info(conf, version, a));
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

/* Reads until the program closes its end. */
static int read_answer(int fd, struct buf *b, struct err *err)
{
	for (;;) {
		char *room = buf_room(b, PIECE);
		ssize_t n;

		if (!room)
			return err_set(err, ERR_TOO_LARGE, "its answer is longer than %u bytes",
				       ANSWER_MAX);
		n = fd_read_full(fd, room, PIECE);
		if (n < 0)
			return err_sys(err, "read its answer");
		b->n += (size_t)n;
		if (n < (ssize_t)PIECE)
			return 0;
	}
}

static int run(struct plugin *p, bool person, struct buf *answer, struct err *err)
{
	struct proc_clone pc = { .fn = child_main, .arg = p, .cgroup_fd = -1, .shared = true };
	__attribute__((cleanup(proc_fini_cleanup_))) struct proc proc = { .pidfd = -1 };
	CLEANUP(fd_close)
	int in = person ? fd_dup(0) : sys_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
	CLEANUP(fd_close) int from = -1, to = -1;
	struct proc_exit x;
	int pipe_fds[2], r;

	if (in < 0 || sys_pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	from = pipe_fds[0];
	to = pipe_fds[1];
	p->in = in;
	p->out = to;
	r = proc_clone(&pc, &proc, err);
	if (r < 0)
		return r;
	fd_close(STEAL_FD(to));
	r = read_answer(from, answer, err);
	fd_close(STEAL_FD(from)); /* a program that goes on writing ends by it */
	if (proc_wait(proc.pidfd, -1, &x, r < 0 ? NULL : err) < 0 || r < 0)
		return r < 0 ? r : err_ret(err);
	if (x.signalled || x.status)
		return err_set(err, ERR_UNAUTHORIZED, "it ended with %s %d",
			       x.signalled ? "signal" : "status", x.status);
	return 0;
}

int exec_ask(const struct client_conf *conf, struct arena *a, struct exec_credential *ret,
	     struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf answer = BUF_INIT(ANSWER_MAX);
	const char *command = doc_cstr(a, doc_get(conf->exec, "command"));
	const char *version = doc_cstr(a, doc_get(conf->exec, "apiVersion"));
	const char *hint = doc_cstr(a, doc_get(conf->exec, "installHint"));
	const struct doc *mode = doc_get(conf->exec, "interactiveMode");
	struct plugin p = { 0 };
	int r;

	if (!command || !*command)
		return err_set(err, ERR_INVALID, "exec plugin: no command");
	if (!version_known(version))
		return err_set(err, ERR_UNSUPPORTED,
			       "exec plugin: invalid apiVersion \"%s\": " GROUP
			       "v1 and v1beta1 are "
			       "known",
			       version ? version : "");
	if (doc_str_is(mode, "Always") && !isatty(0))
		return err_set(err, ERR_UNAUTHORIZED,
			       "exec plugin '%s' wants a terminal on standard input", command);
	p.path = find(a, command, conf->exec_file);
	if (!p.path) {
		(void)err_set(err, ERR_NOT_FOUND, "exec: executable %s not found", command);
		return hint && *hint ? err_hint(err, "%s", hint) : err_ret(err);
	}
	r = words(conf, version, a, &p, err);
	if (r == 0)
		r = run(&p, isatty(0) && !doc_str_is(mode, "Never"), &answer, err);
	if (r == 0)
		r = exec_read(buf_slice(&answer), version, a, ret, err);
	return r < 0 ? err_wrap(err, "exec plugin '%s'", command) : 0;
}
