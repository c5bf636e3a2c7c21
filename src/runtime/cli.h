/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `teu-oci`, private part: cli.c has the global options, the log and main; one
 * file per topic has the commands with their rows.
 */
#pragma once

#include "base/cmd.h"
#include "base/err.h"
#include "runtime/rt.h"

enum log_to { LOG_TO_FILE, LOG_TO_SYSLOG, LOG_TO_JOURNAL };

struct global {
	const char *root, *log, *log_format, *log_level, *rootless, *manager, *criu;
	bool debug, systemd;
	struct rt_host host;
	int log_fd;
	enum log_to log_to;
	const char *log_name;
	char root_buf[200];
};

/* What a command returns: tells a failure to the log and to stderr, and gives the exit status. */
int cli_finish(struct cmd_call *call, int r, struct err *err);
/* The container that the first argument names. */
int cli_open(struct cmd_call *call, struct rt_container **ret, struct err *err);
/* To stdout. */
int cli_print(const struct buf *out, struct err *err);
/* --preserve-fds in its range. */
int cli_check_preserve(int64_t n, struct err *err);

#define CLI_CMD(path_, args_, help_, T, opts_, min_, max_, fn)              \
	{                                                                   \
		.path = path_, .args = args_, .help = help_, .opts = opts_, \
		.opts_size = sizeof(T), .min = min_, .max = max_, .run = fn \
	}
struct cli_none {
	char unused;
};

extern const struct cmd cli_create, cli_start, cli_run, cli_exec; /* cli-run.c */
extern const struct cmd cli_state, cli_kill, cli_delete, cli_pause, cli_resume, cli_list, cli_ps;
extern const struct cmd cli_update, cli_events;	     /* cli-update.c */
extern const struct cmd cli_spec, cli_features;	     /* spec.c */
extern const struct cmd cli_checkpoint, cli_restore; /* cli-criu.c */
/* Those that start a program of a container: they run from where it cannot write to us. */
bool cli_enters_container(const struct cmd *cmd);
