/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask for no container: spec (a config.json to begin with), features. */
#include "runtime/cli.h"

#include "base/arena.h"
#include "base/fd.h"
#include "doc/json.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define CAPS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"
#define NOTHING "\"nosuid\",\"noexec\",\"nodev\""

/* The same as the peers' but for names: what a plain image runs with. */
static const char plain[] =
	"{\"ociVersion\":\"" RT_SPEC_VERSION "\",\"process\":{\"terminal\":true,"
	"\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
	"\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
	"\"TERM=xterm\"],\"cwd\":\"/\",\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS
	",\"permitted\":" CAPS "},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
	"\"noNewPrivileges\":true},\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	"\"hostname\":\"teu-oci\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\","
	"\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":["
	"\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[" NOTHING
	",\"mode=1777\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/"
	"mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[" NOTHING "]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[" NOTHING
	",\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[" NOTHING ",\"relatime\",\"ro\"]}],"
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},"
	"\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},"
	"{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/interrupts\",\"/proc/kcore\","
	"\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\","
	"\"/proc/sched_debug\",\"/proc/scsi\",\"/sys/firmware\",\"/sys/devices/virtual/powercap\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
	"\"/proc/sysrq-trigger\"]}}";

/* For a user: a user namespace with one id, the host's network, no limits. */
static int rootless(struct arena *a, struct doc *d, struct err *err)
{
	static const char text[] =
		"{\"uids\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],"
		"\"gids\":[{\"containerID\":0,\"hostID\":%u,\"size\":1}],"
		"\"sys\":{\"destination\":\"/sys\",\"type\":\"none\",\"source\":\"/sys\","
		"\"options\":[\"rbind\"," NOTHING ",\"ro\"]},\"user\":{\"type\":\"user\"},"
		"\"pts\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]}";
	struct doc *lin = doc_get(d, "linux"), *more, *pts;
	char *s = arena_printf(a, text, (unsigned)geteuid(), (unsigned)getegid());
	int r = s ? json_read(a, slice_str(s), NULL, &more, err) : arena_quota(a, err);

	if (r < 0)
		return r;
	doc_remove(lin, "resources");
	*doc_find(lin, "namespaces.1") = *doc_get(more, "user"); /* the place of the network */
	doc_set(a, lin, "uidMappings", *doc_get(more, "uids"));
	doc_set(a, lin, "gidMappings", *doc_get(more, "gids"));
	pts = doc_find(d, "mounts.2");
	doc_set(a, pts, "options", *doc_get(more, "pts"));
	*doc_find(d, "mounts.5") = *doc_get(more, "sys");
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

struct spec_opts {
	const char *bundle;
	bool rootless;
};
static const struct opt spec_opts[] = {
	OPT(struct spec_opts, STR, bundle, "bundle", 'b',
	    "directory to write it to (default: here)"),
	OPT(struct spec_opts, BOOL, rootless, "rootless", 0, "for a user who is not root"), OPT_END
};

static int write_new(const char *dir, const struct buf *b, struct err *err)
{
	CLEANUP(fd_close) int at = sys_openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	CLEANUP(fd_close) int fd = -1;

	if (at < 0)
		return err_sys(err, "bundle '%s'", dir);
	fd = sys_openat(at, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_EXISTS,
			       "'%s/config.json' exists: remove it first to have a new one", dir);
	if (fd < 0 || fd_write_all(fd, b->p, b->n) < 0)
		return err_sys(err, "write '%s/config.json'", dir);
	return 0;
}

static int spec_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
	struct json_style style = { .indent = "\t" };
	struct spec_opts *o = call->opts;
	struct doc *d;
	int r;

	r = json_read(call->arena, SLICE(plain), NULL, &d, err);
	if (r >= 0 && o->rootless)
		r = rootless(call->arena, d, err);
	if (r >= 0)
		r = json_write(d, &style, &b, err);
	buf_addc(&b, '\n');
	if (r >= 0)
		r = write_new(o->bundle && o->bundle[0] ? o->bundle : ".", &b, err);
	return cli_finish(call, r, err);
}

static int features_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	int r = rt_features(&out, err);

	buf_addc(&out, '\n');
	if (r >= 0)
		r = cli_print(&out, err);
	return cli_finish(call, r, err);
}

const struct cmd cli_spec = CLI_CMD("spec", "[OPTIONS]", "Write a config.json to begin with",
				    struct spec_opts, spec_opts, 0, 0, spec_run);
const struct cmd cli_features = CLI_CMD("features", "", "Print what this runtime can do as JSON",
					struct cli_none, NULL, 0, 0, features_run);
