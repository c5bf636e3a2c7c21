/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program around the table: global options, the client, errors and exit statuses. Nothing here
 * runs before it is needed: `version --client` must not touch a socket.
 */
#include "cli/cli.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/cmds.h"
#include "cli/kubectl/kubectl.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"
#include "linux/sys.h"

/* docker's CLI ends so on every wrong flag, and `run` on what happens before the container. */
#define USAGE_STATUS 125

const struct cmd *const cli_cmds[] = {
#define X(name) &cmd_##name,
	CLI_CMDS(X)
#undef X
};
const size_t cli_cmds_n = ARRAY_LEN(cli_cmds);

#define NO_TLS "the engine listens on Unix sockets only; reach a remote one through ssh -L"
const struct opt cli_global_opts[] = {
	OPT(struct cli_global, STR, root, "root", 0, "Durable state of the engine (TEU_ROOT)"),
	OPT(struct cli_global, STR, run, "run", 0, "Its sockets and run-time state (TEU_RUN)"),
	OPT(struct cli_global, STR, host, "host", 'H',
	    "Where the engine listens, unix://PATH (TEU_HOST)"),
	OPT(struct cli_global, BOOL, debug, "debug", 'D', "Say more about what is done"),
	OPT_NOT_SUPPORTED(STR, "config", 0, "there are no configuration files"),
	OPT_NOT_SUPPORTED(STR, "context", 'c', "use --host"),
	OPT_NOT_SUPPORTED(STR, "log-level", 'l', "use --debug"),
	OPT_NOT_SUPPORTED(BOOL, "tls", 0, NO_TLS),
	OPT_NOT_SUPPORTED(STR, "tlscacert", 0, NO_TLS),
	OPT_NOT_SUPPORTED(STR, "tlscert", 0, NO_TLS),
	OPT_NOT_SUPPORTED(STR, "tlskey", 0, NO_TLS),
	OPT_NOT_SUPPORTED(BOOL, "tlsverify", 0, NO_TLS),
	OPT_END
};

struct cmd_program cli_program(const char *name)
{
	return (struct cmd_program){
		.name = name,
		.summary = CLI_SUMMARY,
		.version = TEU_VERSION,
		.global_opts = cli_global_opts,
		.global_size = sizeof(struct cli_global),
		.cmds = cli_cmds,
		.ncmds = cli_cmds_n,
		.usage_status = USAGE_STATUS,
	};
}

static const char *or_env(const char *given, const char *name, const char *otherwise)
{
	const char *env = given && *given ? given : getenv(name);

	return env && *env ? env : otherwise;
}

int cli_before(struct cmd_call *call, struct err *err)
{
	struct cli_global *g = cli_of(call);

	if (g->debug)
		log_setup(call->program, 2, LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	g->root = or_env(g->root, "TEU_ROOT", "/var/lib/teu");
	g->run = or_env(g->run, "TEU_RUN", "/run/teu");
	g->host = or_env(g->host, "TEU_HOST", NULL);
	if (!g->host && strcmp(call->program, "docker") == 0)
		g->host = or_env(NULL, "DOCKER_HOST", NULL);
	if (!g->host)
		g->host = arena_printf(call->arena, "unix://%s/teu.sock", g->run);
	if (g->root[0] != '/' || g->run[0] != '/')
		return err_set(err, ERR_INVALID,
			       "--root and --run must be absolute paths, not '%s' and '%s'",
			       g->root, g->run);
	return g->host ? 0 : arena_quota(call->arena, err);
}

void cli_complain(const struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);

	buf_addf(&b, "%s\n", err->msg);
	(void)fd_write_all(2, buf_str(&b), b.n); /* nobody is left to tell */
}

/* What we open must not land on a standard stream that the caller closed. */
static void fill_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (sys_fcntl(fd, F_GETFD, 0) < 0)
			(void)sys_openat(AT_FDCWD, "/dev/null", O_RDWR, 0); /* takes the lowest */
}

int cli_main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *called = argc > 0 ? (slash ? slash + 1 : argv[0]) : "teu";
	struct cmd_program prog = cli_program(strcmp(called, "docker") == 0 ? called : "teu");
	struct err err = ERR_INIT;
	int status;

	fill_streams();
	if (strcmp(called, "kubectl") == 0)
		return kubectl_main(argc, argv);
	status = cmd_main(&prog, argc, argv, cli_before, &err);
	if (status >= 0)
		return status;
	cli_complain(&err);
	return 1;
}

/* ---- the engine ---- */

static int start_engine(void *arg, struct err *err)
{
	return cli_engine_spawn(arg, err);
}

static void drop_client(void *arg)
{
	docker_client_free(arg);
}

/* The socket that an engine of this root and run listens at when it is told nothing else. Somebody
 * else's address never starts an engine: it would be one with our root. */
static bool host_is_own(const struct cli_global *g)
{
	static const char scheme[] = "unix://", name[] = "/teu.sock";
	struct slice host = slice_str(g->host), run = slice_str(g->run);

	return slice_starts(host, SLICE(scheme)) && slice_ends(host, SLICE(name)) &&
	       slice_eq(slice_of(host.p + sizeof(scheme) - 1,
				 host.n - (sizeof(scheme) - 1) - (sizeof(name) - 1)),
			run);
}

int cli_client(struct cmd_call *call, struct docker_client **ret, struct err *err)
{
	CLEANUP(docker_client_free) struct docker_client *c = NULL;
	struct cli_global *g = cli_of(call);
	int r;

	if (!g->client) {
		r = docker_client_new(g->host, &c, err);
		if (r < 0)
			return r;
		if (arena_defer(call->arena, drop_client, c) < 0)
			return arena_quota(call->arena, err);
		g->client = STEAL(c);
		if (host_is_own(g))
			docker_client_on_absent(g->client, start_engine, g);
	}
	*ret = g->client;
	return 0;
}

/* ---- output ---- */

int cli_write(int fd, const struct buf *out, struct err *err)
{
	if (out->full)
		return err_set(err, ERR_QUOTA, "more than %zu bytes of output", out->max);
	if (fd_write_all(fd, buf_str(out), out->n) < 0)
		return err_sys(err, "write to standard %s", fd == 1 ? "output" : "error");
	return 0;
}

int cli_each(struct cmd_call *call, bool echo,
	     int (*fn)(struct cmd_call *call, const char *arg, struct err *err))
{
	int status = 0;

	for (size_t i = 0; i < call->nargs; i++) {
		CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
		struct err err = ERR_INIT;
		int r = fn(call, call->args[i], &err);

		if (r == 0 && echo) {
			buf_addf(&out, "%s\n", call->args[i]);
			r = cli_write(1, &out, &err);
		}
		if (r < 0) {
			cli_complain(&err);
			status = 1;
		}
	}
	return status;
}

int cli_filters(struct arena *a, const struct opt_list *l, const char **ret, struct err *err)
{
	struct doc *all = doc_new_object(a);
	struct slice text;
	int r;

	*ret = NULL;
	for (size_t i = 0; i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]);
		struct slice key = slice_trim(slice_split(&rest, '='));
		struct doc *values;

		if (!key.n || !rest.p)
			return err_set(err, ERR_INVALID,
				       "--filter '%s': it must have the form name=value", l->v[i]);
		values = doc_getn(all, key);
		if (!values)
			values = doc_setn(a, all, key, doc_object());
		doc_setn(a, values, slice_trim(rest), doc_bool(true));
	}
	if (!l->n)
		return 0;
	r = json_print(a, all, NULL, &text, err);
	if (r == 0)
		*ret = text.p;
	return r;
}

const char *cli_add_queries(struct arena *a, const char *target, const char *name,
			    const struct opt_list *values)
{
	for (size_t i = 0; target && i < values->n; i++) {
		const char *one = docker_target(a, "", name, values->v[i], NULL);

		target = one ? arena_printf(a, "%s%c%s", target, strchr(target, '?') ? '&' : '?',
					    one + 1)
			     : NULL;
	}
	return target;
}

int cli_add_platforms(struct arena *a, const char *key, const struct opt_list *l,
		      const char **target, struct err *err)
{
	for (size_t i = 0; i < l->n; i++)
		for (struct slice rest = slice_str(l->v[i]); rest.p;) {
			struct slice one = slice_split(&rest, ','), os = slice_split(&one, '/'),
				     arch = slice_split(&one, '/');
			struct doc *d = doc_new_object(a);
			struct slice text;

			if (!os.n || !arch.n)
				return err_set(err, ERR_INVALID,
					       "--platform '%s': it must have the form "
					       "OS/ARCH[/VARIANT]",
					       l->v[i]);
			doc_set_strn(a, d, "os", os.p, os.n);
			doc_set_strn(a, d, "architecture", arch.p, arch.n);
			if (one.n)
				doc_set_strn(a, d, "variant", one.p, one.n);
			if (json_print(a, d, NULL, &text, err) < 0)
				return err_ret(err);
			*target =
				cli_add_queries(a, *target, key, &(struct opt_list){ &text.p, 1 });
			if (!*target)
				return arena_quota(a, err);
		}
	return 0;
}

void cli_split_name(struct arena *a, const char *ref, const char **ret_repo, const char **ret_tag)
{
	const char *slash = strrchr(ref, '/');
	const char *colon = strrchr(slash ? slash : ref, ':');

	*ret_repo = colon ? arena_strndup(a, ref, (size_t)(colon - ref)) : ref;
	*ret_tag = colon ? colon + 1 : NULL;
}

const char *cli_short_id(struct arena *a, struct slice id)
{
	if (slice_starts(id, SLICE("sha256:")))
		id = slice_of(id.p + 7, id.n - 7);
	return arena_strndup(a, id.n ? id.p : "", MIN(id.n, (size_t)12));
}

const char *cli_text(struct arena *a, const struct doc *d, const char *path)
{
	const char *s = doc_cstr(a, doc_find(d, path));

	return s ? s : "";
}

int64_t cli_int(const struct doc *d, const char *path)
{
	int64_t v = 0;

	(void)doc_int64(doc_find(d, path), &v); /* absent is 0 */
	return v;
}

int cli_when(struct arena *a, const char *flag, const char *text, const char **ret, struct err *err)
{
	int64_t ns;

	*ret = NULL;
	if (!text)
		return 0;
	if (clock_parse_when(slice_str(text), clock_real(), &ns, err) < 0)
		return err_wrap(err, "invalid argument for --%s", flag);
	*ret = arena_printf(a, "%lld.%09lld", (long long)(ns / NS_PER_SEC),
			    (long long)(ns % NS_PER_SEC));
	return *ret ? 0 : arena_quota(a, err);
}
