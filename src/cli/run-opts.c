/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags to JSON. Words with a form of their own (--device, --ulimit, --tmpfs...) are cut here, as
 * docker's client does; --mount has its own file. Whether values make sense is the engine's word.
 */
#include "cli/run-opts.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/mount-opt.h"
#include "doc/json.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <unistd.h>

#define FILE_MAX (4u << 20)
#define O struct run_opts

static const char *const pulls[] = { "always", "missing", "never", NULL };

#define NO_HEALTH "health checks are not supported yet"
#define NO_WINDOWS "it is for Windows"
#define NO_USER_NETWORK "user-defined networks are not supported yet"
#define NO_PORTS \
	"published ports are not supported yet; use the container's address or --network host"
#define NO_RT "realtime scheduling limits are not supported"

/* All of docker's for create; run has a few more. */
/* clang-format off */
#define CREATE_ROWS \
	OPT(O, LIST, add_host, "add-host", 0, "Add a host to /etc/hosts (host:ip)"), \
	OPT(O, LIST, annotation, "annotation", 0, "Add an annotation for the OCI runtime"), \
	OPT(O, LIST, attach, "attach", 'a', "Attach to STDIN, STDOUT or STDERR"), \
	OPT(O, INT, blkio_weight, "blkio-weight", 0, "Block I/O weight, 10 to 1000"), \
	OPT_NOT_SUPPORTED(LIST, "blkio-weight-device", 0, "--blkio-weight is"), \
	OPT(O, LIST, cap_add, "cap-add", 0, "Add Linux capabilities"), \
	OPT(O, LIST, cap_drop, "cap-drop", 0, "Drop Linux capabilities"), \
	OPT(O, STR, cgroup_parent, "cgroup-parent", 0, "Parent cgroup of the container"), \
	OPT(O, STR, cgroupns, "cgroupns", 0, "Cgroup namespace (host|private)"), \
	OPT(O, STR, cidfile, "cidfile", 0, "Write the container's ID to this file"), \
	OPT_NOT_SUPPORTED(INT, "cpu-count", 0, NO_WINDOWS), \
	OPT_NOT_SUPPORTED(INT, "cpu-percent", 0, NO_WINDOWS), \
	OPT(O, INT, cpu_period, "cpu-period", 0, "Period of the CPU limit in us"), \
	OPT(O, INT, cpu_quota, "cpu-quota", 0, "CPU time in each period in us"), \
	OPT_NOT_SUPPORTED(INT, "cpu-rt-period", 0, NO_RT), \
	OPT_NOT_SUPPORTED(INT, "cpu-rt-runtime", 0, NO_RT), \
	OPT(O, INT, cpu_shares, "cpu-shares", 'c', "Relative weight of CPU time"), \
	OPT(O, FLOAT, cpus, "cpus", 0, "Number of CPUs"), \
	OPT(O, STR, cpuset_cpus, "cpuset-cpus", 0, "CPUs to run on (0-3, 0,1)"), \
	OPT(O, STR, cpuset_mems, "cpuset-mems", 0, "Memory nodes to use (0-3, 0,1)"), \
	OPT(O, LIST, device, "device", 0, "Add a host device (host[:container[:rwm]])"), \
	OPT(O, LIST, device_rule, "device-cgroup-rule", 0, "Add a rule to the allowed devices"), \
	OPT(O, LIST, read_bps, "device-read-bps", 0, "Limit bytes read a second (path:rate)"), \
	OPT(O, LIST, read_iops, "device-read-iops", 0, "Limit reads a second (path:rate)"), \
	OPT(O, LIST, write_bps, "device-write-bps", 0, "Limit bytes written a second (path:rate)"), \
	OPT(O, LIST, write_iops, "device-write-iops", 0, "Limit writes a second (path:rate)"), \
	OPT_NOT_SUPPORTED(BOOL, "disable-content-trust", 0, "image signatures are not checked yet"), \
	OPT(O, LIST, dns, "dns", 0, "DNS servers"), \
	OPT(O, LIST, dns_option, "dns-option", 0, "DNS options"), \
	{ .type = OPT_T_LIST, .name = "dns-opt", .help = "DNS options", .flags = OPT_HIDDEN, \
	  .offset = offsetof(O, dns_option), .seen = SIZE_MAX }, \
	OPT(O, LIST, dns_search, "dns-search", 0, "DNS search domains"), \
	OPT(O, STR, domainname, "domainname", 0, "NIS domain name of the container"), \
	OPT_SEEN_AT(O, STR, entrypoint, has_entrypoint, "entrypoint", 0, \
		    "Program in place of the image's ENTRYPOINT"), \
	OPT(O, LIST, env, "env", 'e', "Set environment variables (K=V, or K from here)"), \
	OPT(O, LIST, env_file, "env-file", 0, "Read environment variables from a file"), \
	OPT(O, LIST, expose, "expose", 0, "Note a port or a range of ports"), \
	OPT_NOT_SUPPORTED(STR, "gpus", 0, "device requests are not supported"), \
	OPT(O, LIST, group_add, "group-add", 0, "Additional groups to join"), \
	OPT_NOT_SUPPORTED(STR, "health-cmd", 0, NO_HEALTH), \
	OPT_NOT_SUPPORTED(DURATION, "health-interval", 0, NO_HEALTH), \
	OPT_NOT_SUPPORTED(INT, "health-retries", 0, NO_HEALTH), \
	OPT_NOT_SUPPORTED(DURATION, "health-start-interval", 0, NO_HEALTH), \
	OPT_NOT_SUPPORTED(DURATION, "health-start-period", 0, NO_HEALTH), \
	OPT_NOT_SUPPORTED(DURATION, "health-timeout", 0, NO_HEALTH), \
	OPT(O, STR, hostname, "hostname", 'h', "Host name of the container"), \
	OPT_NOT_SUPPORTED(BOOL, "init", 0, "an init process is not supported yet"), \
	OPT(O, BOOL, interactive, "interactive", 'i', "Keep STDIN open"), \
	OPT_NOT_SUPPORTED(SIZE, "io-maxbandwidth", 0, NO_WINDOWS), \
	OPT_NOT_SUPPORTED(INT, "io-maxiops", 0, NO_WINDOWS), \
	OPT_NOT_SUPPORTED(STR, "ip", 0, NO_USER_NETWORK), \
	OPT_NOT_SUPPORTED(STR, "ip6", 0, NO_USER_NETWORK), \
	OPT(O, STR, ipc, "ipc", 0, "IPC namespace (private|shareable|host|none|container:ID)"), \
	OPT_NOT_SUPPORTED(STR, "isolation", 0, NO_WINDOWS), \
	OPT_NOT_SUPPORTED(SIZE, "kernel-memory", 0, "current kernels have no such limit"), \
	OPT(O, LIST, label, "label", 'l', "Set labels (K=V)"), \
	OPT(O, LIST, label_file, "label-file", 0, "Read labels from a file"), \
	OPT_NOT_SUPPORTED(LIST, "link", 0, "links are not supported"), \
	OPT_NOT_SUPPORTED(LIST, "link-local-ip", 0, NO_USER_NETWORK), \
	OPT(O, STR, log_driver, "log-driver", 0, "Log driver (json-file|none)"), \
	OPT(O, LIST, log_opt, "log-opt", 0, "Options of the log (max-size, max-file)"), \
	OPT_NOT_SUPPORTED(STR, "mac-address", 0, "MAC addresses cannot be chosen yet"), \
	OPT(O, SIZE, memory, "memory", 'm', "Memory limit"), \
	OPT(O, SIZE, memory_reservation, "memory-reservation", 0, "Soft memory limit"), \
	{ .type = OPT_T_SIZE, .name = "memory-swap", .flags = OPT_UNLIMITED, .seen = SIZE_MAX, \
	  .offset = offsetof(O, memory_swap), .help = "Limit of memory and swap, -1 for no limit" }, \
	OPT_SEEN_AT(O, INT, memory_swappiness, has_swappiness, "memory-swappiness", 0, \
		    "Swappiness, 0 to 100"), \
	OPT(O, LIST, mount, "mount", 0, "Attach a filesystem mount (type=bind|tmpfs,...)"), \
	OPT(O, STR, name, "name", 0, "Name of the container"), \
	OPT(O, STR, network, "network", 0, "Network (bridge|host|none|container:ID)"), \
	{ .type = OPT_T_STR, .name = "net", .flags = OPT_HIDDEN, .offset = offsetof(O, network), \
	  .seen = SIZE_MAX, .help = "Network" }, \
	OPT_NOT_SUPPORTED(LIST, "network-alias", 0, NO_USER_NETWORK), \
	OPT(O, BOOL, no_healthcheck, "no-healthcheck", 0, "Do without the image's health check"), \
	OPT_SEEN_AT(O, BOOL, oom_kill_disable, has_oom_kill_disable, "oom-kill-disable", 0, \
		    "Disable the OOM killer"), \
	OPT(O, INT, oom_score_adj, "oom-score-adj", 0, "Preference of the OOM killer, -1000 to 1000"), \
	OPT(O, STR, pid, "pid", 0, "PID namespace (host|container:ID)"), \
	OPT_SEEN_AT(O, INT, pids_limit, has_pids_limit, "pids-limit", 0, \
		    "Limit of processes, -1 for no limit"), \
	OPT(O, STR, platform, "platform", 0, "Of the image for OS[/ARCH[/VARIANT]]"), \
	OPT(O, BOOL, privileged, "privileged", 0, "Give all rights to the container"), \
	OPT_NOT_SUPPORTED(LIST, "publish", 'p', NO_PORTS), \
	OPT_NOT_SUPPORTED(BOOL, "publish-all", 'P', NO_PORTS), \
	OPT_CHOICE(O, pull, "pull", 0, pulls, "When to pull the image (default missing)"), \
	OPT(O, BOOL, quiet, "quiet", 'q', "No output of pulling"), \
	OPT(O, BOOL, lazy, "lazy", 0, "Pull lazily: start before all layers are here"), \
	OPT(O, BOOL, lazy_early, "lazy-early", 0, \
	    "With --lazy: before the digests of new layers are known, too"), \
	OPT(O, BOOL, read_only, "read-only", 0, "Mount the root filesystem read-only"), \
	OPT(O, STR, restart, "restart", 0, "When to restart (no|on-failure[:n]|always|unless-stopped)"), \
	OPT(O, BOOL, rm, "rm", 0, "Remove the container when it ends"), \
	OPT(O, STR, runtime, "runtime", 0, "Runtime of the container (teu-oci)"), \
	OPT(O, LIST, security_opt, "security-opt", 0, "Security options"), \
	OPT(O, SIZE, shm_size, "shm-size", 0, "Size of /dev/shm"), \
	OPT(O, STR, stop_signal, "stop-signal", 0, "Signal that stops the container"), \
	OPT_SEEN_AT(O, INT, stop_timeout, has_stop_timeout, "stop-timeout", 0, \
		    "Seconds to wait before it is killed"), \
	OPT_NOT_SUPPORTED(LIST, "storage-opt", 0, "storage options are not supported"), \
	OPT(O, LIST, sysctl, "sysctl", 0, "Set kernel parameters (K=V)"), \
	OPT(O, LIST, tmpfs, "tmpfs", 0, "Mount a tmpfs (path[:options])"), \
	OPT(O, BOOL, tty, "tty", 't', "Give the container a terminal"), \
	OPT(O, LIST, ulimit, "ulimit", 0, "Limits (name=soft[:hard])"), \
	OPT_NOT_SUPPORTED(BOOL, "use-api-socket", 0, "bind the socket with -v"), \
	OPT(O, STR, user, "user", 'u', "User (name|uid[:group|gid])"), \
	OPT(O, STR, userns, "userns", 0, "User namespace (host)"), \
	OPT(O, STR, uts, "uts", 0, "UTS namespace (host)"), \
	OPT(O, LIST, volume, "volume", 'v', "Bind a directory of the host (src:dst[:options])"), \
	OPT_NOT_SUPPORTED(STR, "volume-driver", 0, "volumes are not supported yet"), \
	OPT_NOT_SUPPORTED(LIST, "volumes-from", 0, "volumes are not supported yet"), \
	OPT(O, STR, workdir, "workdir", 'w', "Working directory in the container")
/* clang-format on */

const struct opt create_opts[] = { CREATE_ROWS, OPT_END };
const struct opt run_opts[] = {
	CREATE_ROWS,
	OPT(O, BOOL, detach, "detach", 'd', "Run in the background and print the container's ID"),
	OPT(O, STR, detach_keys, "detach-keys", 0, "Keys that detach (ctrl-p,ctrl-q)"),
	OPT_SEEN_AT(O, BOOL, sig_proxy, has_sig_proxy, "sig-proxy", 0,
		    "Pass signals on to the container (true; without a terminal)"),
	OPT_END
};
#undef O

/* ---- pieces ---- */

struct body {
	struct arena *a;
	struct doc *root;
	struct doc *config; /* = root: docker's Config is spread in the body */
	struct doc *host;
	const struct run_opts *o;
	struct err *err;
};

static int bad(struct body *b, const char *flag, const char *word, const char *form)
{
	return err_set(b->err, ERR_INVALID, "invalid argument \"%.300s\" for --%s: %s", word, flag,
		       form);
}

static void put_str(struct body *b, struct doc *obj, const char *key, const char *v)
{
	if (v && *v)
		doc_set_str(b->a, obj, key, v);
}

static void put_int(struct body *b, struct doc *obj, const char *key, int64_t v)
{
	if (v)
		doc_set_int(b->a, obj, key, v);
}

static void put_true(struct body *b, struct doc *obj, const char *key, bool v)
{
	if (v)
		doc_set_bool(b->a, obj, key, true);
}

static void put_list(struct body *b, struct doc *obj, const char *key, const struct opt_list *l)
{
	struct doc *arr = l->n ? doc_set_array(b->a, obj, key) : NULL;

	for (size_t i = 0; i < l->n; i++)
		doc_append_str(b->a, arr, l->v[i]);
}

/* "K=V" words as an object; "K" alone gets "". */
static int put_map(struct body *b, struct doc *obj, const char *key, const char *flag,
		   const struct opt_list *l)
{
	struct doc *map = doc_get(obj, key);

	if (l->n && !map)
		map = doc_set_object(b->a, obj, key);
	for (size_t i = 0; i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]);
		struct slice name = slice_split(&rest, '=');

		if (!name.n)
			return bad(b, flag, l->v[i], "it must have the form name=value");
		doc_setn(b->a, map, name, doc_strn(b->a, rest.p ? rest.p : "", rest.n));
	}
	return 0;
}

/* ---- environment and files ---- */

int run_env_add(struct arena *a, struct doc *env, const char *word, struct err *err)
{
	const char *eq = strchr(word, '='), *value;

	if (!*word || eq == word)
		return err_set(err, ERR_INVALID, "invalid environment variable: '%.200s'", word);
	if (eq) {
		doc_append_str(a, env, word);
		return 0;
	}
	value = getenv(word);
	if (value)
		doc_append(a, env, doc_str(a, arena_printf(a, "%s=%s", word, value)));
	return 0;
}

typedef int line_fn(void *arg, const char *line, struct err *err);

static int each_line(struct arena *a, const char *path, line_fn *fn, void *arg, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	struct slice rest;
	int r;

	r = fd_read_file(AT_FDCWD, path, &b, err);
	if (r < 0)
		return r;
	rest = buf_slice(&b);
	if (slice_starts(rest, SLICE("\xef\xbb\xbf"))) /* a byte order mark is no part of a name */
		rest = slice_of(rest.p + 3, rest.n - 3);
	for (unsigned n = 1; rest.n; n++) {
		struct slice line = slice_split(&rest, '\n');
		const char *text;

		while (line.n && (*line.p == ' ' || *line.p == '\t'))
			line = slice_of(line.p + 1, line.n - 1);
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!line.n || line.p[0] == '#')
			continue;
		if (memchr(line.p, '\0', line.n))
			return err_set(err, ERR_INVALID, "'%s' line %u: it has a NUL byte", path,
				       n);
		text = arena_strndup(a, line.p, line.n);
		if (!text)
			return arena_quota(a, err);
		r = fn(arg, text, err);
		if (r < 0)
			return err_wrap(err, "'%s' line %u", path, n);
	}
	return 0;
}

struct lines {
	struct arena *a;
	struct doc *into;
};

static int env_line(void *arg, const char *line, struct err *err)
{
	struct lines *l = arg;
	size_t name = strcspn(line, "=");

	if (strcspn(line, " \t") < name)
		return err_set(err, ERR_INVALID, "variable '%.*s' contains whitespaces",
			       (int)MIN(name, (size_t)200), line);
	return run_env_add(l->a, l->into, line, err);
}

int run_env_file(struct arena *a, const char *path, struct doc *env, struct err *err)
{
	struct lines l = { a, env };

	return each_line(a, path, env_line, &l, err);
}

static int label_line(void *arg, const char *line, struct err *err)
{
	struct lines *l = arg;
	struct slice rest = slice_str(line), key = slice_split(&rest, '=');

	if (!key.n)
		return err_set(err, ERR_INVALID, "a label must have the form name=value");
	doc_setn(l->a, l->into, key, doc_strn(l->a, rest.p ? rest.p : "", rest.n));
	return 0;
}

/* The command line wins over files. */
static int put_env(struct body *b)
{
	const struct run_opts *o = b->o;
	struct doc *env;
	int r = 0;

	if (!o->env.n && !o->env_file.n)
		return 0;
	env = doc_set_array(b->a, b->config, "Env");
	for (size_t i = 0; i < o->env_file.n && r == 0; i++)
		r = run_env_file(b->a, o->env_file.v[i], env, b->err);
	if (r < 0)
		return err_wrap(b->err, "--env-file");
	for (size_t i = 0; i < o->env.n && r == 0; i++)
		r = run_env_add(b->a, env, o->env.v[i], b->err);
	return r;
}

static int put_labels(struct body *b)
{
	const struct run_opts *o = b->o;
	struct lines l = { b->a, NULL };
	int r = 0;

	if (o->label_file.n)
		l.into = doc_set_object(b->a, b->config, "Labels");
	for (size_t i = 0; i < o->label_file.n && r == 0; i++)
		r = each_line(b->a, o->label_file.v[i], label_line, &l, b->err);
	if (r < 0)
		return err_wrap(b->err, "--label-file");
	return put_map(b, b->config, "Labels", "label", &o->label);
}

/* ---- words with a form of their own ---- */

static int put_devices(struct body *b)
{
	const struct opt_list *l = &b->o->device;
	struct doc *arr = l->n ? doc_set_array(b->a, b->host, "Devices") : NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]);
		struct slice host = slice_split(&rest, ':'), inside = slice_split(&rest, ':');
		struct slice mode = slice_split(&rest, ':');
		struct doc *d;

		/* "host:rw": the second word may be the rights already. */
		if (inside.n && !mode.p && inside.p[0] != '/') {
			mode = inside;
			inside = host;
		}
		if (!host.n || rest.p)
			return bad(b, "device", l->v[i], "it is host[:container[:rwm]]");
		for (size_t j = 0; j < mode.n; j++)
			if (!strchr("rwm", mode.p[j]))
				return bad(b, "device", l->v[i], "rights are r, w and m");
		d = doc_append_object(b->a, arr);
		doc_set_strn(b->a, d, "PathOnHost", host.p, host.n);
		if (!inside.n)
			inside = host;
		doc_set_strn(b->a, d, "PathInContainer", inside.p, inside.n);
		doc_set_strn(b->a, d, "CgroupPermissions", mode.n ? mode.p : "rwm",
			     mode.n ? mode.n : 3);
	}
	return 0;
}

/* "path:rate", the rate in bytes ("1mb") or operations. */
static int put_rates(struct body *b, const char *key, const char *flag, const struct opt_list *l,
		     bool bytes)
{
	struct doc *arr = l->n ? doc_set_array(b->a, b->host, key) : NULL;

	for (size_t i = 0; i < l->n; i++) {
		const char *colon = strrchr(l->v[i], ':');
		struct doc *d;
		int64_t rate;

		if (!colon || l->v[i][0] != '/' ||
		    (bytes ? cmd_parse_size(slice_str(colon + 1), &rate, NULL)
			   : str_int64(slice_str(colon + 1), &rate, NULL)) < 0 ||
		    rate <= 0)
			return bad(b, flag, l->v[i], "it is /path:rate");
		d = doc_append_object(b->a, arr);
		doc_set_strn(b->a, d, "Path", l->v[i], (size_t)(colon - l->v[i]));
		doc_set_int(b->a, d, "Rate", rate);
	}
	return 0;
}

static int put_ulimits(struct body *b)
{
	const struct opt_list *l = &b->o->ulimit;
	struct doc *arr = l->n ? doc_set_array(b->a, b->host, "Ulimits") : NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]);
		struct slice name = slice_split(&rest, '='), soft = slice_split(&rest, ':');
		int64_t s, h;
		struct doc *d;

		if (!name.n || str_int64(soft, &s, NULL) < 0 ||
		    (rest.p && str_int64(rest, &h, NULL) < 0))
			return bad(b, "ulimit", l->v[i], "it is name=soft[:hard]");
		if (!rest.p)
			h = s;
		if (h >= 0 && (s > h || s < 0))
			return bad(b, "ulimit", l->v[i], "the soft limit is over the hard one");
		d = doc_append_object(b->a, arr);
		doc_set_strn(b->a, d, "Name", name.p, name.n);
		doc_set_int(b->a, d, "Hard", h);
		doc_set_int(b->a, d, "Soft", s);
	}
	return 0;
}

static void put_tmpfs(struct body *b)
{
	const struct opt_list *l = &b->o->tmpfs;
	struct doc *map = l->n ? doc_set_object(b->a, b->host, "Tmpfs") : NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]), path = slice_split(&rest, ':');

		doc_setn(b->a, map, path, doc_strn(b->a, rest.p ? rest.p : "", rest.n));
	}
}

/* Relative sources are ours to make absolute; "/path" alone is an anonymous volume. */
static int put_volumes(struct body *b)
{
	const struct opt_list *l = &b->o->volume;
	struct doc *binds = NULL, *anonymous = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const char *v = l->v[i];

		if (!strchr(v, ':')) {
			if (!anonymous)
				anonymous = doc_set_object(b->a, b->config, "Volumes");
			doc_set_object(b->a, anonymous, v);
			continue;
		}
		if (v[0] == '.') {
			char cwd[PATH_MAX];
			size_t n = strcspn(v, ":");

			if (!getcwd(cwd, sizeof(cwd)))
				return err_sys(b->err, "--volume '%s': working directory", v);
			v = arena_printf(b->a, "%s/%.*s%s", cwd, (int)n, v, v + n);
		}
		if (!binds)
			binds = doc_set_array(b->a, b->host, "Binds");
		doc_append_str(b->a, binds, v);
	}
	return 0;
}

/* "host:ip" or "host=ip"; the engine wants the first. */
static int put_hosts(struct body *b)
{
	const struct opt_list *l = &b->o->add_host;
	struct doc *arr = l->n ? doc_set_array(b->a, b->host, "ExtraHosts") : NULL;

	for (size_t i = 0; i < l->n; i++) {
		size_t n = strcspn(l->v[i], ":=");
		const char *ip = l->v[i] + n;
		size_t len = strlen(ip);

		if (!n || len < 2)
			return bad(b, "add-host", l->v[i], "it is host:ip");
		ip++;
		len--;
		if (len > 2 && ip[0] == '[' && ip[len - 1] == ']') {
			ip++;
			len -= 2;
		}
		doc_append_str(b->a, arr,
			       arena_printf(b->a, "%.*s:%.*s", (int)n, l->v[i], (int)len, ip));
	}
	return 0;
}

/* "80", "80/udp", "8000-8010/tcp". */
static int put_exposed(struct body *b)
{
	const struct opt_list *l = &b->o->expose;
	struct doc *map = l->n ? doc_set_object(b->a, b->config, "ExposedPorts") : NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct slice proto = slice_str(l->v[i]), last = slice_split(&proto, '/');
		struct slice first = slice_split(&last, '-');
		int64_t from, to;

		if (!proto.p)
			proto = SLICE("tcp");
		if (str_int64(first, &from, NULL) < 0 || from < 1 || from > 65535)
			from = 0;
		to = from;
		if (last.p && (str_int64(last, &to, NULL) < 0 || to < from || to > 65535))
			from = 0;
		if (!from || (!slice_is(proto, "tcp") && !slice_is(proto, "udp") &&
			      !slice_is(proto, "sctp")))
			return bad(b, "expose", l->v[i], "it is port[-port][/tcp|udp|sctp]");
		for (int64_t p = from; p <= to; p++)
			doc_set_object(b->a, map,
				       arena_printf(b->a, "%lld/%.*s", (long long)p, (int)proto.n,
						    proto.p));
	}
	return 0;
}

static int put_restart(struct body *b)
{
	struct slice rest = slice_str(b->o->restart), name = slice_split(&rest, ':');
	int64_t n = 0;
	struct doc *d;

	if (!b->o->restart)
		return 0;
	if (rest.p && (str_int64(rest, &n, NULL) < 0 || n < 0))
		return bad(b, "restart", b->o->restart, "the count is no number");
	d = doc_set_object(b->a, b->host, "RestartPolicy");
	doc_set_strn(b->a, d, "Name", name.p, name.n);
	doc_set_int(b->a, d, "MaximumRetryCount", n);
	return 0;
}

static int put_log(struct body *b)
{
	const struct run_opts *o = b->o;
	struct doc *d;

	if (!o->log_driver && !o->log_opt.n)
		return 0;
	d = doc_set_object(b->a, b->host, "LogConfig");
	doc_set_str(b->a, d, "Type", o->log_driver ? o->log_driver : "");
	return put_map(b, d, "Config", "log-opt", &o->log_opt);
}

/* The engine may be elsewhere: a seccomp profile goes as its text. */
static int put_security(struct body *b)
{
	const struct opt_list *l = &b->o->security_opt;
	struct doc *arr = l->n ? doc_set_array(b->a, b->host, "SecurityOpt") : NULL;

	for (size_t i = 0; i < l->n; i++) {
		CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);
		const char *v = l->v[i];
		struct doc *profile;
		struct slice compact;

		if (strncmp(v, "seccomp=", 8) != 0 || strcmp(v + 8, "unconfined") == 0 ||
		    strcmp(v + 8, "builtin") == 0) {
			doc_append_str(b->a, arr, v);
			continue;
		}
		if (fd_read_file(AT_FDCWD, v + 8, &text, b->err) < 0 ||
		    json_read(b->a, buf_slice(&text), NULL, &profile, b->err) < 0 ||
		    json_print(b->a, profile, NULL, &compact, b->err) < 0)
			return err_wrap(b->err, "--security-opt '%s'", v);
		doc_append_str(b->a, arr, arena_printf(b->a, "seccomp=%s", compact.p));
	}
	return 0;
}

/* ---- the whole ---- */

static void put_command(struct body *b, char *const *args)
{
	const struct run_opts *o = b->o;
	struct doc *cmd;

	doc_set_str(b->a, b->config, "Image", args[0]);
	if (args[1]) {
		cmd = doc_set_array(b->a, b->config, "Cmd");
		for (size_t i = 1; args[i]; i++)
			doc_append_str(b->a, cmd, args[i]);
	}
	if (o->has_entrypoint) { /* --entrypoint "" takes the image's away */
		struct doc *entry = doc_set_array(b->a, b->config, "Entrypoint");

		doc_append_str(b->a, entry, o->entrypoint);
	}
}

static void put_config(struct body *b, const struct run_attach *at)
{
	const struct run_opts *o = b->o;
	struct doc *c = b->config;

	put_str(b, c, "Hostname", o->hostname);
	put_str(b, c, "Domainname", o->domainname);
	put_str(b, c, "User", o->user);
	put_true(b, c, "AttachStdin", at->in);
	put_true(b, c, "AttachStdout", at->out);
	put_true(b, c, "AttachStderr", at->err);
	put_true(b, c, "Tty", o->tty);
	put_true(b, c, "OpenStdin", o->interactive);
	put_true(b, c, "StdinOnce", o->interactive && at->in);
	put_str(b, c, "WorkingDir", o->workdir);
	put_str(b, c, "StopSignal", o->stop_signal);
	if (o->has_stop_timeout)
		doc_set_int(b->a, c, "StopTimeout", o->stop_timeout);
	if (o->no_healthcheck) {
		struct doc *test =
			doc_set_array(b->a, doc_set_object(b->a, c, "Healthcheck"), "Test");

		doc_append_str(b->a, test, "NONE");
	}
}

static void put_host(struct body *b)
{
	const struct run_opts *o = b->o;
	struct doc *h = b->host;

	put_str(b, h, "ContainerIDFile", o->cidfile);
	put_str(b, h, "NetworkMode", o->network);
	put_true(b, h, "AutoRemove", o->rm);
	put_list(b, h, "CapAdd", &o->cap_add);
	put_list(b, h, "CapDrop", &o->cap_drop);
	put_str(b, h, "CgroupnsMode", o->cgroupns);
	put_list(b, h, "Dns", &o->dns);
	put_list(b, h, "DnsOptions", &o->dns_option);
	put_list(b, h, "DnsSearch", &o->dns_search);
	put_list(b, h, "GroupAdd", &o->group_add);
	put_str(b, h, "IpcMode", o->ipc);
	put_int(b, h, "OomScoreAdj", o->oom_score_adj);
	put_str(b, h, "PidMode", o->pid);
	put_true(b, h, "Privileged", o->privileged);
	put_true(b, h, "ReadonlyRootfs", o->read_only);
	put_str(b, h, "UTSMode", o->uts);
	put_str(b, h, "UsernsMode", o->userns);
	put_int(b, h, "ShmSize", o->shm_size);
	put_str(b, h, "Runtime", o->runtime);
	put_list(b, h, "DeviceCgroupRules", &o->device_rule);
}

static void put_resources(struct body *b)
{
	const struct run_opts *o = b->o;
	struct doc *h = b->host;

	put_int(b, h, "BlkioWeight", o->blkio_weight);
	put_str(b, h, "CgroupParent", o->cgroup_parent);
	put_int(b, h, "CpuPeriod", o->cpu_period);
	put_int(b, h, "CpuQuota", o->cpu_quota);
	put_int(b, h, "CpuShares", o->cpu_shares);
	put_int(b, h, "NanoCpus", (int64_t)llround(o->cpus * 1e9));
	put_str(b, h, "CpusetCpus", o->cpuset_cpus);
	put_str(b, h, "CpusetMems", o->cpuset_mems);
	put_int(b, h, "Memory", o->memory);
	put_int(b, h, "MemoryReservation", o->memory_reservation);
	put_int(b, h, "MemorySwap", o->memory_swap);
	if (o->has_swappiness)
		doc_set_int(b->a, h, "MemorySwappiness", o->memory_swappiness);
	if (o->has_oom_kill_disable)
		doc_set_bool(b->a, h, "OomKillDisable", o->oom_kill_disable);
	if (o->has_pids_limit)
		doc_set_int(b->a, h, "PidsLimit", o->pids_limit);
}

static int put_forms(struct body *b)
{
	const struct run_opts *o = b->o;
	int r;

	put_tmpfs(b);
	if ((r = put_env(b)) < 0 || (r = put_labels(b)) < 0 || (r = put_devices(b)) < 0 ||
	    (r = put_rates(b, "BlkioDeviceReadBps", "device-read-bps", &o->read_bps, true)) < 0 ||
	    (r = put_rates(b, "BlkioDeviceWriteBps", "device-write-bps", &o->write_bps, true)) <
		    0 ||
	    (r = put_rates(b, "BlkioDeviceReadIOps", "device-read-iops", &o->read_iops, false)) <
		    0 ||
	    (r = put_rates(b, "BlkioDeviceWriteIOps", "device-write-iops", &o->write_iops, false)) <
		    0 ||
	    (r = put_ulimits(b)) < 0 || (r = put_volumes(b)) < 0 || (r = put_hosts(b)) < 0 ||
	    (r = put_exposed(b)) < 0 || (r = put_restart(b)) < 0 || (r = put_log(b)) < 0 ||
	    (r = put_security(b)) < 0 ||
	    (r = put_map(b, b->host, "Annotations", "annotation", &o->annotation)) < 0 ||
	    (r = put_map(b, b->host, "Sysctls", "sysctl", &o->sysctl)) < 0)
		return r;
	for (size_t i = 0; i < o->mount.n; i++) {
		struct doc *arr = doc_get(b->host, "Mounts");

		if (!arr)
			arr = doc_set_array(b->a, b->host, "Mounts");
		r = mount_opt_parse(b->a, o->mount.v[i], doc_append_object(b->a, arr), b->err);
		if (r < 0)
			return r;
	}
	return 0;
}

int run_attach_of(const struct run_opts *o, struct run_attach *ret, struct err *err)
{
	*ret = (struct run_attach){ 0 };
	if (o->detach && o->attach.n)
		return err_set(err, ERR_CONFLICT,
			       "conflicting options: cannot specify both --attach and --detach");
	if (o->detach)
		return 0;
	if (!o->attach.n)
		*ret = (struct run_attach){ .in = o->interactive, .out = true, .err = true };
	for (size_t i = 0; i < o->attach.n; i++) {
		struct slice name = slice_str(o->attach.v[i]);

		if (slice_ieq(name, SLICE("stdin")))
			ret->in = true;
		else if (slice_ieq(name, SLICE("stdout")))
			ret->out = true;
		else if (slice_ieq(name, SLICE("stderr")))
			ret->err = true;
		else
			return err_set(
				err, ERR_INVALID,
				"invalid argument \"%.100s\" for --attach: valid streams are "
				"STDIN, STDOUT and STDERR",
				o->attach.v[i]);
	}
	return 0;
}

int run_body(struct arena *a, const struct run_opts *o, char *const *args, unsigned rows,
	     unsigned cols, struct doc **ret, struct err *err)
{
	struct body b = { .a = a, .root = doc_new_object(a), .o = o, .err = err };
	struct run_attach at;
	int r;

	r = run_attach_of(o, &at, err);
	if (r < 0)
		return r;
	b.config = b.root;
	put_command(&b, args);
	put_config(&b, &at);
	/* Slots move while their parent grows: HostConfig is built apart. */
	b.host = doc_new_object(a);
	put_host(&b);
	put_resources(&b);
	if (o->tty && rows) {
		struct doc *size = doc_set_array(a, b.host, "ConsoleSize");

		doc_append(a, size, doc_int(a, rows));
		doc_append(a, size, doc_int(a, cols));
	}
	r = put_forms(&b);
	if (r < 0)
		return r;
	if (b.host)
		doc_set(a, b.root, "HostConfig", *b.host);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = b.root;
	return 0;
}
