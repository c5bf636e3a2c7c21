/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `teu-oci`: what engines (containerd's shim, conmon, dockerd) run.
 *
 * Errors go to --log (text or JSON as runc's; also crun's file:, syslog: and journald:) and as a
 * plain line to stderr.
 */
#include "runtime/cli.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "doc/json.h"
#include "linux/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const yes_no[] = { "true", "false", "auto", NULL };
/* Order of enum rt_cgroups. */
static const char *const managers[] = { "cgroupfs", "systemd", "disabled", NULL };

static const struct opt global_opts[] = {
	OPT(struct global, STR, root, "root", 0, "directory of container state"),
	OPT(struct global, STR, log, "log", 0,
	    "where errors and warnings go: [file:]PATH, syslog:[NAME], journald:[NAME]"),
	OPT_CHOICE(struct global, log_format, "log-format", 0, log_formats, "text or json"),
	OPT_CHOICE(struct global, log_level, "log-level", 0, log_levels, "what is logged"),
	OPT(struct global, BOOL, debug, "debug", 0, "log more"),
	OPT_CHOICE(struct global, rootless, "rootless", 0, yes_no,
		   "that cgroups are refused is no failure"),
	OPT_CHOICE(struct global, manager, "cgroup-manager", 0, managers, "who makes cgroups"),
	OPT(struct global, BOOL, systemd, "systemd-cgroup", 's', "as --cgroup-manager systemd"),
	OPT(struct global, STR, criu, "criu", 0, "program for checkpoint and restore"),
	OPT_END
};

/* ---- the log ---- */

static const char *stamp(char dst[CLOCK_TEXT_MAX])
{
	int64_t now = clock_real();

	return clock_rfc3339nano(dst, now - now % NS_PER_SEC);
}

/* syslog(3)'s datagram (RFC 3164 without a time) and journald's own protocol: one packet each. */
static void log_packet(const struct global *g, bool warning, const char *msg, struct buf *b)
{
	int priority = warning ? 4 : 3;

	if (g->log_to == LOG_TO_SYSLOG) {
		buf_addf(b, "<%d>%s: %s", 3 * 8 + priority, g->log_name, msg); /* daemon */
		return;
	}
	buf_addf(b, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nMESSAGE=", priority, g->log_name);
	for (; *msg; msg++)
		buf_addc(b, *msg == '\n' ? ' ' : *msg);
	buf_addc(b, '\n');
}

static void log_line(struct global *g, const char *level, const char *msg)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(16384);
	bool warning = level[0] == 'w';
	char time[CLOCK_TEXT_MAX];

	if (g->log_fd < 0 || (warning && g->log_level && !strcmp(g->log_level, "error")))
		return;
	if (g->log_to != LOG_TO_FILE) {
		log_packet(g, warning, msg, &b);
	} else if (g->log_format && !strcmp(g->log_format, "json")) {
		buf_addf(&b, "{\"level\":\"%s\",\"msg\":", level);
		(void)json_write_string(&b, slice_str(msg), false);
		buf_addf(&b, ",\"time\":\"%s\"}\n", stamp(time));
	} else {
		buf_addf(&b, "time=\"%s\" level=%s msg=", stamp(time), level);
		(void)json_write_string(&b, slice_str(msg), false);
		buf_addc(&b, '\n');
	}
	(void)fd_write_all(g->log_fd, b.p,
			   b.n); /* a log that cannot be written must not fail the command */
}

static void on_warn(void *arg, const char *msg)
{
	struct global *g = arg;

	log_line(g, "warning", msg);
	if (g->log_fd < 0)
		dprintf(2, "teu-oci: warning: %s\n", msg);
}

static int open_log(struct global *g, struct err *err)
{
	static const char *const schemes[] = { "file:", "syslog:", "journald:" };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *to = g->log;

	for (unsigned i = 0; i < ARRAY_LEN(schemes); i++)
		if (!strncmp(g->log, schemes[i], strlen(schemes[i]))) {
			g->log_to = i;
			to = g->log + strlen(schemes[i]);
		}
	if (g->log_to == LOG_TO_FILE) {
		g->log_fd =
			sys_openat(AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		return g->log_fd < 0 ? err_sys(err, "open the log '%s'", to) : 0;
	}
	g->log_name = to[0] ? to : "teu-oci";
	(void)str_copy(sa.sun_path, sizeof(sa.sun_path),
		       g->log_to == LOG_TO_SYSLOG ? "/dev/log" : "/run/systemd/journal/socket");
	g->log_fd = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (g->log_fd < 0 || sys_connect(g->log_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "open the log '%s' at '%s'", g->log, sa.sun_path);
	return 0;
}

/* ---- what commands share ---- */

static int before(struct cmd_call *call, struct err *err)
{
	struct global *g = call->global;
	bool debug = g->debug || (g->log_level && !strcmp(g->log_level, "debug"));
	enum rt_cgroups manager = g->systemd ? RT_SYSTEMD : RT_CGROUPFS;
	int r = 0;

	for (unsigned i = 0; !g->systemd && g->manager && managers[i]; i++)
		if (!strcmp(managers[i], g->manager))
			manager = i;
	g->log_fd = -1;
	if (g->log && g->log[0])
		r = open_log(g, err);
	if (r < 0)
		return r;
	log_setup("oci", 2, debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	g->host =
		(struct rt_host){ .root = g->root, .warn = on_warn, .arg = g, .cgroups = manager };
	if (g->rootless && strcmp(g->rootless, "auto") != 0)
		g->host.rootless = !strcmp(g->rootless, "true") ? RT_ROOTLESS_YES : RT_ROOTLESS_NO;
	if (!g->root || !g->root[0])
		g->host.root = rt_default_root(g->root_buf, sizeof(g->root_buf), err);
	return g->host.root ? 0 : err_ret(err);
}

int cli_finish(struct cmd_call *call, int r, struct err *err)
{
	struct global *g = call->global;

	if (r >= 0)
		return r;
	log_line(g, "error", err->msg);
	dprintf(2, "teu-oci: %s\n", err->msg);
	return rt_exit_code(err);
}

int cli_open(struct cmd_call *call, struct rt_container **ret, struct err *err)
{
	struct global *g = call->global;

	return rt_open(&g->host, call->args[0], ret, err);
}

int cli_print(const struct buf *out, struct err *err)
{
	if (out->full)
		return err_set(err, ERR_TOO_LARGE, "the output is longer than %zu bytes", out->max);
	return fd_write_all(1, buf_str(out), out->n) < 0 ? err_sys(err, "write the output") : 0;
}

int cli_check_preserve(int64_t n, struct err *err)
{
	return n < 0 || n > 64 ? err_set(err, ERR_INVALID,
					 "--preserve-fds %lld: 0 to 64 are possible", (long long)n)
			       : 0;
}

/* ---- main ---- */

static const struct cmd *const cmds[] = {
	&cli_create, &cli_start, &cli_run,	&cli_state,	 &cli_kill,    &cli_delete,
	&cli_exec,   &cli_list,	 &cli_ps,	&cli_pause,	 &cli_resume,  &cli_update,
	&cli_events, &cli_spec,	 &cli_features, &cli_checkpoint, &cli_restore,
};
static const struct cmd_program program = {
	.name = "teu-oci",
	.summary = "OCI container runtime",
	.version = TEU_VERSION,
	.global_opts = global_opts,
	.global_size = sizeof(struct global),
	.cmds = cmds,
	.ncmds = ARRAY_LEN(cmds),
	.usage_status = 1,
};

/* The command's word in argv, needed before options are parsed; NULL when there is none. */
static const struct cmd *find_cmd(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct opt *o = global_opts;

		if (argv[i][0] != '-') {
			for (size_t k = 0; k < ARRAY_LEN(cmds); k++)
				if (!strcmp(cmds[k]->path, argv[i]))
					return cmds[k];
			return NULL;
		}
		while (o->type != OPT_T_END && strcmp(o->name, argv[i] + strspn(argv[i], "-")))
			o++;
		i += o->type != OPT_T_END && o->type != OPT_T_BOOL; /* its value */
	}
	return NULL;
}

/* Engines read the lines by their first word. */
static int print_version(void)
{
	printf("teu-oci version %s\ncommit: %s\nspec: %s\n", TEU_VERSION, TEU_VERSION,
	       RT_SPEC_VERSION);
	return 0;
}

int rt_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	const struct cmd *cmd = find_cmd(argc, argv);
	int status;

	for (int i = 1; i < argc && argv[i][0] == '-'; i++)
		if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-v"))
			return print_version();
	if (cmd && cli_enters_container(cmd) && rt_protect_self(argv, &err) < 0) {
		dprintf(2, "teu-oci: %s\n", err.msg);
		return 1;
	}
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	status = cmd_main(&program, argc, argv, before, &err);
	if (status >= 0)
		return status;
	dprintf(2, "teu-oci: %s\n", err.msg); /* by before(): no command has told it */
	return rt_exit_code(&err);
}
