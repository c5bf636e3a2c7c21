/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program around kubectl's table: flags that may stand anywhere, the kubeconfig, the client,
 * what kinds there are, and how it ends.
 */
#include "cli/kubectl/kubectl.h"

#include "api/api.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-complete.h"
#include "cli/kubectl/kubectl-plugin.h"
#include "cli/term.h"
#include "doc/doc.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define ARENA_MAX ((size_t)4 << 30)
#define TEXT_MAX (1u << 20)
#define OPTS_MAX 128

static const struct cmd *const cmds[] = {
#define X(name) &kubectl_##name,
	KUBECTL_CMDS(X)
#undef X
};

/* Commands of kubectl that are not here yet: refused by name. */
static const char *const absent[] = { "alpha",	   "attach", "cp",	     "debug", "exec",
				      "kustomize", "logs",   "port-forward", "proxy", NULL };

#define STR_ROW(field, name, letter, help) OPT(struct kubectl_flags, STR, field, name, letter, help)
static const struct opt global_opts[] = {
	STR_ROW(as, "as", 0, "User to impersonate"),
	OPT(struct kubectl_flags, LIST, as_groups, "as-group", 0, "Group to impersonate"),
	STR_ROW(as_uid, "as-uid", 0, "UID to impersonate"),
	STR_ROW(cache_dir, "cache-dir", 0,
		"Where discovery is kept (KUBECACHEDIR; default ~/.kube/cache)"),
	STR_ROW(ca, "certificate-authority", 0, "Certificates that the server's is checked with"),
	STR_ROW(cert, "client-certificate", 0, "Our certificate"),
	STR_ROW(key, "client-key", 0, "Its key"),
	STR_ROW(cluster, "cluster", 0, "Cluster of the kubeconfig to use"),
	STR_ROW(context, "context", 0, "Context of the kubeconfig to use"),
	OPT(struct kubectl_flags, BOOL, no_compression, "disable-compression", 0,
	    "Ask for answers that are not compressed; they never are"),
	OPT(struct kubectl_flags, BOOL, insecure, "insecure-skip-tls-verify", 0,
	    "Do not check the server's certificate"),
	STR_ROW(kubeconfig, "kubeconfig", 0, "The kubeconfig (KUBECONFIG; default ~/.kube/config)"),
	OPT_NOT_SUPPORTED(BOOL, "match-server-version", 0, "teu kubectl has no such check"),
	STR_ROW(space, "namespace", 'n', "Namespace of this call"),
	STR_ROW(password, "password", 0, "Password for basic authentication"),
	OPT_NOT_SUPPORTED(STR, "profile", 0, "there is no Go profile of a C program"),
	OPT_NOT_SUPPORTED(STR, "profile-output", 0, "there is no Go profile of a C program"),
	STR_ROW(time, "request-timeout", 0, "Give up a request after this time, 0 never"),
	STR_ROW(server, "server", 's', "Address of the API server"),
	STR_ROW(tls_name, "tls-server-name", 0, "Name that the server's certificate must have"),
	STR_ROW(token, "token", 0, "Bearer token"),
	STR_ROW(user, "user", 0, "User of the kubeconfig to be"),
	STR_ROW(username, "username", 0, "User name for basic authentication"),
	OPT(struct kubectl_flags, INT, verbose, "v", 'v',
	    "What is told on stderr: 6 and more, each request"),
	OPT_NOT_SUPPORTED(STR, "vmodule", 0, "use --v"),
	OPT(struct kubectl_flags, BOOL, warnings_fatal, "warnings-as-errors", 0,
	    "Fail when the server warns"),
	OPT_END
};

struct cmd_program kubectl_program(void)
{
	return (struct cmd_program){
		.name = "kubectl",
		.summary = "Kubernetes clusters: what kubectl does, in this program",
		.version = TEU_VERSION,
		.global_opts = global_opts,
		.global_size = sizeof(struct kubectl_flags),
		.cmds = cmds,
		.ncmds = ARRAY_LEN(cmds),
		.usage_status = 1,
	};
}

/* ---- what commands stand on ---- */

static const char *env(const char *name)
{
	const char *s = getenv(name);

	return s && *s ? s : NULL;
}

int kubectl_config(struct kubectl *k, struct err *err)
{
	struct kubeconfig_places places = { k->flags.kubeconfig, env("KUBECONFIG"), env("HOME") };
	int r;

	if (k->config_read)
		return 0;
	r = kubeconfig_load(k->arena, &places, &k->config, err);
	k->config_read = r == 0;
	return r;
}

/* "30s", "2m", or a bare number of seconds. */
static int read_time(const char *text, int64_t *ret, struct err *err)
{
	int64_t s;

	if (!text || strcmp(text, "0") == 0)
		return 0;
	if (str_int64(slice_str(text), &s, NULL) == 0 && s > 0 && s < INT64_MAX / NS_PER_SEC) {
		*ret = s * NS_PER_SEC;
		return 0;
	}
	if (clock_parse_duration(slice_str(text), ret, NULL) < 0 || *ret < 0)
		return err_set(
			err, ERR_INVALID,
			"Invalid timeout value. Timeout must be a single integer in seconds, "
			"or an integer followed by a corresponding time unit (e.g. 1s | 2m | "
			"3h)");
	return 0;
}

int kubectl_conf(struct kubectl *k, struct err *err)
{
	const struct kubectl_flags *f = &k->flags;
	struct client_wishes w = {
		.context = f->context,
		.cluster = f->cluster,
		.user = f->user,
		.space = f->space,
		.server = f->server,
		.ca = f->ca,
		.cert = f->cert,
		.key = f->key,
		.token = f->token,
		.username = f->username,
		.password = f->password,
		.tls_name = f->tls_name,
		.as = f->as,
		.as_uid = f->as_uid,
		.as_groups = f->as_groups.v,
		.as_groups_n = f->as_groups.n,
		.insecure = f->insecure,
	};
	int r;

	if (k->conf.server)
		return 0;
	r = kubectl_config(k, err);
	if (r == 0 && k->config.given && !k->config.files[0].exists)
		return err_set(err, ERR_NOT_FOUND, "stat %s: no such file or directory",
			       k->flags.kubeconfig);
	if (r == 0)
		r = client_conf_read(k->arena, &k->config, &w, &k->conf, err);
	if (r == 0)
		r = read_time(f->time, &k->conf.time, err);
	k->conf.agent = "kubectl/" KUBECTL_VERSION " (teu/" TEU_VERSION ")";
	return r;
}

static void on_warning(void *arg, struct slice text)
{
	kubectl_warn(arg, text);
}

#define VERBOSE_CALLS 6

static void on_call(void *arg, const char *method, const char *url, int status, int64_t ns)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TEXT_MAX);

	(void)arg;
	buf_addf(&b, "%s %s %d in %lld milliseconds\n", method, url ? url : "", status,
		 (long long)(ns / NS_PER_MS));
	(void)fd_write_all(2, buf_str(&b), b.n); /* nobody is left to tell */
}

int kubectl_client(struct kubectl *k, struct err *err)
{
	int r;

	if (k->client)
		return 0;
	r = kubectl_conf(k, err);
	if (r == 0)
		r = client_new(&k->conf, &k->client, err);
	if (r == 0)
		client_on_warning(k->client, on_warning, k);
	if (r == 0 && k->flags.verbose >= VERBOSE_CALLS)
		client_on_call(k->client, on_call, NULL);
	return r;
}

int kubectl_catalog(struct kubectl *k, bool fresh, struct err *err)
{
	const char *dir = k->flags.cache_dir ? k->flags.cache_dir : env("KUBECACHEDIR");
	int r;

	if (k->catalog_read && (!fresh || !k->catalog.kept))
		return 0;
	if (!dir && env("HOME"))
		dir = arena_printf(k->arena, "%s/.kube/cache", env("HOME"));
	if (dir)
		dir = arena_printf(k->arena, "%s/teu", dir);
	r = kubectl_client(k, err);
	if (r == 0)
		r = catalog_get(k->client, dir, fresh, k->arena, &k->catalog, err);
	k->catalog_read = r == 0;
	return r;
}

/* A short name may be that of several: kubectl says which others there are. */
static void warn_of_others(struct kubectl *k, const char *word, const struct resource *r)
{
	for (size_t i = 0; i < k->catalog.n; i++) {
		const struct resource *o = &k->catalog.v[i];

		if (!o->preferred || o == r || strcmp(o->group, r->group) == 0)
			continue;
		for (size_t j = 0; j < o->nshorts; j++)
			if (strcmp(o->shorts[j], word) == 0)
				buf_addf(&k->errors,
					 "Warning: short name \"%s\" could also match lower "
					 "priority resource %s.%s\n",
					 word, o->name, o->group);
	}
}

int kubectl_find(struct kubectl *k, const char *word, const struct resource **ret, struct err *err)
{
	const struct resource *r = NULL;

	for (int fresh = 0; fresh < 2 && !r; fresh++) {
		int code = kubectl_catalog(k, fresh, err);

		if (code < 0)
			return code;
		r = catalog_find(&k->catalog, word);
	}
	if (!r)
		return err_set(err, ERR_NOT_FOUND, "the server doesn't have a resource type \"%s\"",
			       word);
	if (strcasecmp(word, r->name) != 0 && strcasecmp(word, r->singular) != 0)
		warn_of_others(k, word, r);
	*ret = r;
	return 0;
}

int kubectl_find_kind(struct kubectl *k, const char *api_version, const char *kind,
		      const struct resource **ret, struct err *err)
{
	for (int fresh = 0; fresh < 2; fresh++) {
		int code = kubectl_catalog(k, fresh, err);

		if (code < 0)
			return code;
		*ret = catalog_kind(&k->catalog, api_version, kind);
		if (*ret)
			return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no matches for kind \"%s\" in version \"%s\"", kind,
		       api_version);
}

const char *kubectl_text(struct kubectl *k, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(k->arena, doc_find(d, path));

	return s ? s : "";
}

/* ---- how it ends ---- */

/* A 422: which field, and why. */
static void explain_invalid(struct kubectl *k, const struct doc *status, struct buf *out)
{
	const struct doc *details = doc_get(status, "details"),
			 *causes = doc_get(details, "causes");
	const char *kind = kubectl_text(k, details, "kind"),
		   *name = kubectl_text(k, details, "name"),
		   *message = kubectl_text(k, status, "message");

	if (*kind || *name)
		buf_addf(out, "The %s \"%s\" is invalid", kind, name);
	else
		buf_adds(out, "The request is invalid");
	/* Causes say the same again. */
	if (*message && !*kind && !*name && !doc_len(causes))
		buf_addf(out, ": %s", message);
	if (doc_len(causes) == 1) {
		buf_addf(out, ": %s: %s", kubectl_text(k, doc_at(causes, 0), "field"),
			 kubectl_text(k, doc_at(causes, 0), "message"));
	} else if (doc_len(causes)) {
		buf_adds(out, ": ");
		DOC_EACH (c, causes)
			buf_addf(out, "\n* %s: %s", kubectl_text(k, c, "field"),
				 kubectl_text(k, c, "message"));
	}
	buf_addc(out, '\n');
}

static void explain_status(struct kubectl *k, const struct doc *status, struct buf *out)
{
	const char *reason = kubectl_text(k, status, "reason");
	const char *message = kubectl_text(k, status, "message");

	if (strcmp(reason, "Invalid") == 0)
		explain_invalid(k, status, out);
	else if (strcmp(reason, "Unauthorized") == 0)
		buf_addf(out, "error: You must be logged in to the server (%s)\n", message);
	else if (*reason)
		buf_addf(out, "Error from server (%s): %s%s%s\n", reason, k->about ? k->about : "",
			 k->about ? ": " : "", message);
	else
		buf_addf(out, "Error from server: %s%s%s\n", k->about ? k->about : "",
			 k->about ? ": " : "", message);
}

static const char *host_of(const char *server)
{
	const char *s = server ? strstr(server, "://") : NULL;

	return s ? s + 3 : "";
}

void kubectl_explain(struct kubectl *k, const struct err *err, struct buf *out)
{
	const struct doc *status = k->refused  ? k->refused
				   : k->client ? client_failure(k->client)
					       : NULL;
	const char *message = kubectl_text(k, status, "message");

	/* What was wrapped on its way is told whole; the server's own words are not cut. */
	if (status && strncmp(err->msg, message, MIN(strlen(message), (size_t)900)) == 0 &&
	    (strlen(err->msg) >= 900 || strlen(err->msg) == strlen(message)))
		explain_status(k, status, out);
	else if (err->sys == ECONNREFUSED && k->client)
		buf_addf(out,
			 "The connection to the server %s was refused - did you specify the right "
			 "host or port?\n",
			 host_of(k->conf.server));
	else if (strncmp(err->msg, "context was not found", 21) == 0)
		buf_addf(out, "Error in configuration: %s\n", err->msg);
	else
		buf_addf(out, "%s%s%s%s\n", k->bare ? "" : "error: ", k->about ? k->about : "",
			 k->about ? ": " : "", err->msg);
}

/* Of several complaints none begins with "error: ", as kubectl has it. */
static void drop_prefix(struct kubectl *k, size_t at)
{
	struct slice s = { k->errors.p + at, k->errors.n - at };

	if (!slice_starts(s, SLICE("error: ")))
		return;
	memmove(k->errors.p + at, k->errors.p + at + 7, s.n - 7 + 1);
	k->errors.n -= 7;
}

void kubectl_note(struct kubectl *k, const struct err *err)
{
	size_t at;

	if (k->failed)
		drop_prefix(k, k->first_note);
	at = k->errors.n;
	kubectl_explain(k, err, &k->errors);
	if (k->failed)
		drop_prefix(k, at);
	else
		k->first_note = at;
	k->failed = true;
}

struct warned {
	const struct warned *next;
	struct slice text;
};

int kubectl_flush(struct kubectl *k, struct err *err)
{
	int r = cli_write(1, &k->out, err);

	buf_clear(&k->out);
	return r;
}

/* Nobody is left to tell when standard error is gone. */
static int tell(struct kubectl *k, int status)
{
	(void)fd_write_all(2, buf_str(&k->errors), k->errors.n);
	buf_clear(&k->errors);
	return status;
}

void kubectl_warn(struct kubectl *k, struct slice text)
{
	struct warned *next;
	const char *copy;

	for (const struct warned *w = k->warned; w; w = w->next)
		if (slice_eq(w->text, text))
			return;
	next = ARENA_NEW(k->arena, struct warned);
	copy = arena_strndup(k->arena, text.p, text.n);
	if (next && copy) {
		*next = (struct warned){ k->warned, slice_of(copy, text.n) };
		k->warned = next;
	}
	k->warnings++;
	kubectl_caution(k, "%.*s\n", (int)text.n, text.p);
}

void kubectl_show(struct kubectl *k)
{
	struct err err = ERR_INIT;

	if (k->failed || k->filing)
		return;
	if (kubectl_flush(k, &err) < 0) {
		kubectl_note(k, &err);
		return;
	}
	(void)tell(k, 0);
}

static bool colours(void)
{
	const char *term = getenv("TERM");

	return term_is(2) && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
}

void kubectl_caution(struct kubectl *k, const char *fmt, ...)
{
	va_list ap;

	buf_adds(&k->errors, colours() ? "\33[33;1mWarning:\33[0m " : "Warning: ");
	va_start(ap, fmt);
	buf_addv(&k->errors, fmt, ap);
	va_end(ap);
	kubectl_show(k);
}

int kubectl_usage(struct kubectl *k, struct err *err)
{
	const size_t n = strlen(err->msg);

	(void)snprintf(err->msg + n, sizeof(err->msg) - n,
		       "\nSee 'kubectl %s -h' for help and examples", k->cmd->path);
	return err_ret(err);
}

int kubectl_no_args(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf words = BUF_INIT(TEXT_MAX);

	if (!call->nargs)
		return 0;
	for (size_t i = 0; i < call->nargs; i++)
		buf_addf(&words, "%s%s", i ? " " : "", call->args[i]);
	(void)err_set(err, ERR_BAD_REQUEST, "unexpected arguments: [%s]", buf_str(&words));
	return kubectl_usage(kubectl_of(call), err);
}

/* ---- the command line ---- */

static bool is_family(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < ARRAY_LEN(cmds); i++)
		if (strncmp(cmds[i]->path, word, n) == 0 && cmds[i]->path[n] == ' ')
			return true;
	return false;
}

static const struct opt *row_of(const struct opt *rows, const char *word)
{
	for (const struct opt *o = rows; o && o->type != OPT_T_END; o++)
		if (word[1] == '-' ? strcmp(word + 2, o->name) == 0
				   : word[1] == o->letter && !word[2])
			return o;
	return NULL;
}

static bool takes_value(const char *word)
{
	const struct opt *o = row_of(global_opts, word);

	return o && o->type != OPT_T_BOOL;
}

/* Between a family's name and the word behind it: what the family itself does not know takes a
 * value there. */
static bool takes_family_value(const char *family, const char *word)
{
	static const char *const bare[] = { "--dry-run", "--validate", "--cascade", NULL };
	const struct opt *o = row_of(global_opts, word);

	if (!is_family(family) || strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0 ||
	    strchr(word, '=') || str_is_one_of(word, bare) || (word[1] != '-' && word[2]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(cmds) && !o; i++)
		if (strcmp(cmds[i]->path, family) == 0)
			o = row_of(cmds[i]->opts, word);
	return !o || o->type != OPT_T_BOOL;
}

struct split {
	char **words; /* that are no flags, up to where a command may end */
	size_t *at;   /* their places in argv */
	int n;
	size_t behind; /* words behind "--" */
};

static void split_words(int argc, char **argv, struct split *s)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			s->behind = (size_t)(argc - i - 1);
			return;
		}
		if (argv[i][0] == '-' && argv[i][1]) {
			i += takes_value(argv[i]) ||
			     (s->n == 1 && takes_family_value(s->words[0], argv[i]));
			continue;
		}
		s->at[s->n] = (size_t)i;
		s->words[s->n++] = argv[i];
	}
}

static int show(struct kubectl *k, const struct cmd_program *prog, const struct cmd *cmd)
{
	struct err err = ERR_INIT;

	cmd_print_help(prog, cmd, &k->out);
	return kubectl_flush(k, &err) < 0 ? 1 : 0;
}

static int no_command(struct kubectl *k, const struct split *s, int argc, char **argv)
{
	struct err err = ERR_INIT;

	if (is_family(s->words[0]) && s->n == 1) {
		buf_addf(&k->errors, "Usage:  kubectl %s COMMAND\n\nCommands:\n", s->words[0]);
		for (size_t i = 0; i < ARRAY_LEN(cmds); i++)
			if (strncmp(cmds[i]->path, s->words[0], strlen(s->words[0])) == 0 &&
			    cmds[i]->path[strlen(s->words[0])] == ' ')
				buf_addf(&k->errors, "  %-16s  %s\n",
					 cmds[i]->path + strlen(s->words[0]) + 1, cmds[i]->help);
		return tell(k, 1);
	}
	if (is_family(s->words[0])) {
		buf_addf(&k->errors,
			 "error: unknown command \"%s\"\nSee 'kubectl %s -h' for help and "
			 "examples\n",
			 s->words[1], s->words[0]);
		return tell(k, 1);
	}
	if (str_is_one_of(s->words[0], absent)) {
		buf_addf(&k->errors, "error: kubectl %s: not supported by teu kubectl yet\n",
			 s->words[0]);
		return tell(k, 1);
	}
	if (kubectl_plugin_run(k, argc, argv, &err) < 0) {
		buf_addf(&k->errors, "Error: %s\n", err.msg);
		return tell(k, 1);
	}
	buf_addf(&k->errors, "Error: unknown command \"%s\" for \"kubectl\"\n", s->words[0]);
	kubectl_suggest(s->words[0], &k->errors);
	return tell(k, 1);
}

/* The command's rows before the global ones: a flag of its own hides a global one. */
static struct opt *all_opts(struct kubectl *k, const struct cmd *cmd)
{
	struct opt *v = ARENA_ARRAY(k->arena, struct opt, OPTS_MAX + 1);
	size_t n = 0;

	for (const struct opt *o = cmd->opts; v && o && o->type != OPT_T_END; o++) {
		v[n] = *o;
		v[n].offset += sizeof(k->flags);
		if (o->seen != SIZE_MAX)
			v[n].seen += sizeof(k->flags);
		n++;
	}
	for (const struct opt *o = global_opts; v && o->type != OPT_T_END; o++)
		v[n++] = *o;
	return v;
}

static int parse(struct kubectl *k, struct cmd_call *call, int argc, char **argv, struct err *err)
{
	struct opt *opts = all_opts(k, call->cmd);
	char *target = arena_alloc(k->arena, sizeof(k->flags) + call->cmd->opts_size);
	int r;

	if (!opts || !target)
		return arena_quota(k->arena, err);
	((struct kubectl_flags *)(void *)target)->time = NULL;
	r = cmd_parse_opts(k->arena, opts, target, false, &argc, &argv, err);
	memcpy(&k->flags, target, sizeof(k->flags));
	call->opts = target + sizeof(k->flags);
	call->args = argv;
	call->nargs = (size_t)argc;
	return r;
}

static int usage_error(struct kubectl *k, const struct err *err)
{
	const char *hint = strstr(err->msg, "; did you mean");
	int n = (int)(hint ? (size_t)(hint - err->msg) : strlen(err->msg));

	buf_addf(&k->errors, "%s: %.*s\nSee 'kubectl %s --help' for usage.\n",
		 err->code == ERR_UNSUPPORTED ? "error" : "Error", n, err->msg, k->cmd->path);
	return tell(k, 1);
}

static int run(struct kubectl *k, struct cmd_call *call)
{
	struct err err = ERR_INIT;
	int r = call->cmd->run(call, &err);
	struct err late = ERR_INIT;

	if (kubectl_flush(k, &late) < 0 && r >= 0) {
		err = late;
		r = -1;
	}
	if (r < 0)
		kubectl_note(k, &err);
	if (k->flags.warnings_fatal && k->warnings) {
		buf_addf(&k->errors, "error: %zu warning%s received\n", k->warnings,
			 k->warnings == 1 ? "" : "s");
		k->failed = true;
	}
	if (k->failed)
		return tell(k, k->failed_status ? k->failed_status : 1);
	return tell(k, r);
}

/* All words but those that name the command. */
static int without_command(int argc, char **argv, const struct split *s, size_t words, char **rest)
{
	int n = 0;

	for (size_t i = 1, w = 0; i < (size_t)argc; i++) {
		if (w < words && s->at[w] == i)
			w++;
		else
			rest[n++] = argv[i];
	}
	return n;
}

static bool has_word(char **v, int n, const char *word)
{
	for (int i = 0; i < n; i++)
		if (strcmp(v[i], word) == 0)
			return true;
	return false;
}

int kubectl_read_line(struct kubectl *k, int argc, char **argv, struct cmd_call *call,
		      struct err *err)
{
	struct cmd_program prog = kubectl_program();
	struct split s = { .words = ARENA_ARRAY(k->arena, char *, (size_t)argc + 1),
			   .at = ARENA_ARRAY(k->arena, size_t, (size_t)argc + 1) };
	char **rest = ARENA_ARRAY(k->arena, char *, (size_t)argc + 1);
	int words;

	if (!s.words || !s.at || !rest)
		return arena_quota(k->arena, err);
	split_words(argc, argv, &s);
	k->cmd = s.n ? cmd_find(&prog, s.n, s.words, &words) : NULL;
	call->cmd = k->cmd;
	call->args = s.words;
	call->nargs = (size_t)s.n;
	if (!k->cmd)
		return 1;
	return parse(k, call, without_command(argc, argv, &s, (size_t)words, rest), rest, err);
}

static int start(struct kubectl *k, int argc, char **argv)
{
	struct cmd_program prog = kubectl_program();
	struct cmd_call call = { .arena = k->arena, .global = k, .program = "kubectl" };
	struct split s = { .words = ARENA_ARRAY(k->arena, char *, (size_t)argc + 1),
			   .at = ARENA_ARRAY(k->arena, size_t, (size_t)argc + 1) };
	struct err err = ERR_INIT;
	int words, left = 0, r;
	char **rest = ARENA_ARRAY(k->arena, char *, (size_t)argc + 1);
	bool help;

	if (!s.words || !s.at || !rest)
		return 1;
	if (argc > 2 && strcmp(argv[1], "__complete") == 0)
		return tell(k, kubectl_complete(k, argc - 1, argv + 1));
	split_words(argc, argv, &s);
	k->behind = s.behind;
	help = s.n && strcmp(s.words[0], "help") == 0;
	if (s.n == help)
		return show(k, &prog, NULL);
	k->cmd = cmd_find(&prog, s.n - help, s.words + help, &words);
	s.words += help;
	s.n -= help;
	if (!k->cmd)
		return no_command(k, &s, argc, argv);
	if (help)
		return show(k, &prog, k->cmd);
	call.cmd = k->cmd;
	left = without_command(argc, argv, &s, (size_t)words, rest);
	r = has_word(rest, left, "-h") ? 1 : parse(k, &call, left, rest, &err);
	if (r == 1)
		return show(k, &prog, k->cmd);
	return r < 0 ? usage_error(k, &err) : run(k, &call);
}

int kubectl_main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *a = arena_new("kubectl", ARENA_MAX);
	struct kubectl k = { .arena = a,
			     .out = BUF_INIT(KUBECTL_OUT_MAX),
			     .errors = BUF_INIT(64u << 20) };
	int status = start(&k, argc, argv);

	client_free(k.client);
	if (k.api)
		api_fini(k.api);
	buf_fini(&k.out);
	buf_fini(&k.errors);
	return status;
}

/* ---- as a command of teu ---- */

static int as_teu_command(struct cmd_call *call, struct err *err)
{
	char **argv = ARENA_ARRAY(call->arena, char *, call->nargs + 2);

	if (!argv)
		return arena_quota(call->arena, err);
	argv[0] = (char *)"kubectl";
	memcpy(argv + 1, call->args, call->nargs * sizeof(*argv));
	return kubectl_main((int)call->nargs + 1, argv);
}

const struct cmd cmd_kubectl = {
	.path = "kubectl",
	.args = "[OPTIONS] COMMAND",
	.help = "Speak with Kubernetes clusters, as kubectl does",
	.details = "A link to this program named kubectl is the same. teu kubectl --help lists its "
		   "commands.",
	.max = UINT8_MAX,
	.flags = CMD_OWN_OPTS,
	.group = CLI_SYSTEM,
	.run = as_teu_command,
};
