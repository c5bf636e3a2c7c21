/* SPDX-License-Identifier: Apache-2.0 */
/* `teu engine`: the container engine behind the Docker API. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "docker/docker.h"

#include <limits.h>
#include <unistd.h>

struct engine_opts {
	struct opt_list hosts, insecure, mirrors;
	bool detach, debug, no_bridge, lazy, lazy_trust, lazy_early;
	int64_t lazy_wait;
	const char *log_format, *bip, *pid_file, *storage_driver;
};

static const char *const formats[] = { "text", "json", NULL };

static const struct opt engine_opts[] = {
	OPT(struct engine_opts, LIST, hosts, "host", 'H',
	    "Listen here, unix://PATH (default: the global --host)"),
	OPT(struct engine_opts, BOOL, detach, "detach", 'd',
	    "Return when the engine answers; it goes on in the background"),
	OPT(struct engine_opts, BOOL, debug, "debug", 'D', "Log more"),
	OPT_CHOICE(struct engine_opts, log_format, "log-format", 0, formats, "Form of the log"),
	OPT(struct engine_opts, STR, bip, "bip", 0,
	    "Address and prefix of the default bridge (default: a free one)"),
	OPT(struct engine_opts, BOOL, no_bridge, "no-bridge", 0, "Refuse the network bridge"),
	OPT(struct engine_opts, LIST, insecure, "insecure-registry", 0,
	    "This HOST[:PORT] or network (CIDR) may speak HTTP or show any certificate"),
	OPT(struct engine_opts, LIST, mirrors, "registry-mirror", 0,
	    "Ask this URL before Docker Hub"),
	OPT(struct engine_opts, STR, storage_driver, "storage-driver", 's',
	    "What unpacked layers are kept with: auto (default), overlay, fuse-overlayfs, btrfs, "
	    "copy"),
	OPT(struct engine_opts, BOOL, lazy, "lazy", 0,
	    "Start containers before their layers are here, where there is an index"),
	OPT(struct engine_opts, BOOL, lazy_trust, "lazy-trust", 0,
	    "Start by indexes that a registry has beside its images, too"),
	OPT(struct engine_opts, BOOL, lazy_early, "lazy-early", 0,
	    "With --lazy: start by what came of a layer without an index, before its digest is "
	    "known"),
	OPT(struct engine_opts, INT, lazy_wait, "lazy-wait", 0,
	    "Seconds that a lazy read waits for a registry that is away (default 60)"),
	OPT(struct engine_opts, STR, pid_file, "pid-file", 0, "Write our process id there"),
	OPT_END
};

/* The same words again for the engine that goes on alone. */
static int detach(struct cmd_call *call, struct err *err)
{
	const struct engine_opts *o = call->opts;
	struct cli_global g = *cli_of(call);
	const char **v = ARENA_ARRAY(call->arena, const char *,
				     2 * (o->hosts.n + o->insecure.n + o->mirrors.n) + 16);
	size_t n = 0;

	if (!v)
		return arena_quota(call->arena, err);
	for (size_t i = 0; i < o->hosts.n; i++) {
		v[n++] = "--host";
		v[n++] = o->hosts.v[i];
	}
	for (size_t i = 0; i < o->insecure.n; i++) {
		v[n++] = "--insecure-registry";
		v[n++] = o->insecure.v[i];
	}
	for (size_t i = 0; i < o->mirrors.n; i++) {
		v[n++] = "--registry-mirror";
		v[n++] = o->mirrors.v[i];
	}
	if (o->hosts.n)
		g.host = o->hosts.v[0];
	if (o->log_format) {
		v[n++] = "--log-format";
		v[n++] = o->log_format;
	}
	if (o->bip) {
		v[n++] = "--bip";
		v[n++] = o->bip;
	}
	if (o->storage_driver) {
		v[n++] = "--storage-driver";
		v[n++] = o->storage_driver;
	}
	if (o->pid_file && o->pid_file[0] != '/') { /* the engine's directory will be "/" */
		char cwd[PATH_MAX];

		if (!getcwd(cwd, sizeof(cwd)))
			return err_sys(err, "--pid-file '%s': working directory", o->pid_file);
		v[n++] = "--pid-file";
		v[n++] = arena_printf(call->arena, "%s/%s", cwd, o->pid_file);
	} else if (o->pid_file) {
		v[n++] = "--pid-file";
		v[n++] = o->pid_file;
	}
	if (o->no_bridge)
		v[n++] = "--no-bridge";
	if (o->lazy)
		v[n++] = "--lazy";
	if (o->lazy_trust)
		v[n++] = "--lazy-trust";
	if (o->lazy_early)
		v[n++] = "--lazy-early";
	if (o->lazy_wait) {
		v[n++] = "--lazy-wait";
		v[n++] = arena_printf(call->arena, "%u", (unsigned)o->lazy_wait);
	}
	g.debug |= o->debug;
	g.engine_args = v;
	return cli_engine_spawn(&g, err);
}

static int engine_run(struct cmd_call *call, struct err *err)
{
	const struct cli_global *g = cli_of(call);
	const struct engine_opts *o = call->opts;
	struct docker_engine_conf conf = {
		.root = g->root,
		.run = g->run,
		.hosts = o->hosts.n ? (const char *const *)o->hosts.v : &g->host,
		.nhosts = o->hosts.n ? o->hosts.n : 1,
		.insecure = (const char *const *)o->insecure.v,
		.ninsecure = o->insecure.n,
		.mirrors = (const char *const *)o->mirrors.v,
		.nmirrors = o->mirrors.n,
		.bip = o->bip,
		.no_bridge = o->no_bridge,
		.storage_driver = o->storage_driver,
		.lazy = o->lazy,
		.lazy_trust = o->lazy_trust,
		.lazy_early = o->lazy_early,
		.lazy_wait = (unsigned)o->lazy_wait,
		.debug = o->debug || g->debug,
		.log_format = o->log_format && strcmp(o->log_format, "json") == 0 ? LOG_FORMAT_JSON
										  : LOG_FORMAT_TEXT,
		.pid_file = o->pid_file,
	};

	if (o->lazy_early && !o->lazy)
		return err_set(err, ERR_BAD_REQUEST, "--lazy-early needs --lazy");
	if (o->lazy_wait < 0 || o->lazy_wait > 86400)
		return err_set(err, ERR_BAD_REQUEST, "--lazy-wait %lld is not 1 to 86400 seconds",
			       (long long)o->lazy_wait);
	if (o->detach)
		return detach(call, err);
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
	.group = CLI_SYSTEM,
	.min = 0,
	.max = 0,
	.run = engine_run,
};
