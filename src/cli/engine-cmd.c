/* SPDX-License-Identifier: Apache-2.0 */
/* `teu engine`: the container engine behind the Docker API. */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "docker/docker.h"

struct engine_opts {
	struct opt_list hosts;
	bool detach, debug, no_bridge;
	const char *log_format, *bip, *pid_file;
};

static const char *const formats[] = { "text", "json", NULL };

static const struct opt engine_opts[] = {
	OPT(struct engine_opts, LIST, hosts, "host", 'H',
	    "listen here, unix://PATH (default unix://<run>/docker.sock)"),
	OPT(struct engine_opts, BOOL, detach, "detach", 'd',
	    "return when the engine answers; it goes on in the background"),
	OPT(struct engine_opts, BOOL, debug, "debug", 'D', "log more"),
	OPT_CHOICE(struct engine_opts, log_format, "log-format", 0, formats, "form of the log"),
	OPT(struct engine_opts, STR, bip, "bip", 0,
	    "address and prefix of the default bridge (default: a free one)"),
	OPT(struct engine_opts, BOOL, no_bridge, "no-bridge", 0, "refuse the network bridge"),
	OPT(struct engine_opts, STR, pid_file, "pid-file", 0, "write our process id there"),
	OPT_END
};

static int engine_run(struct cmd_call *call, struct err *err)
{
	const struct global_opts *g = call->global;
	const struct engine_opts *o = call->opts;
	struct docker_engine_conf conf = {
		.root = g->root,
		.run = g->run,
		.hosts = (const char *const *)o->hosts.v,
		.nhosts = o->hosts.n,
		.bip = o->bip,
		.no_bridge = o->no_bridge,
		.debug = o->debug,
		.detach = o->detach,
		.log_format = o->log_format && strcmp(o->log_format, "json") == 0 ? LOG_FORMAT_JSON
										  : LOG_FORMAT_TEXT,
		.pid_file = o->pid_file,
	};

	return docker_engine_main(&conf, err);
}

const struct cmd cmd_engine = {
	.path = "engine",
	.args = "[OPTIONS]",
	.help = "Run the container engine",
	.details = "Serves the Docker Engine API on a Unix socket. SIGTERM ends the engine; "
		   "containers run on and are found again by the next one with the same --root "
		   "and --run.",
	.opts = engine_opts,
	.opts_size = sizeof(struct engine_opts),
	.min = 0,
	.max = 0,
	.run = engine_run,
};
