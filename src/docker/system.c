/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine says of itself: _ping, version, info, system/df. */
#include "docker/private.h"
#include "image/pull.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

void ping_handle(struct call *c)
{
	(void)stream_set_header(c->s, "Builder-Version", "1");
	(void)stream_set_header(c->s, "Swarm", "inactive");
	(void)stream_set_header(c->s, "Cache-Control", "no-cache, no-store, must-revalidate");
	(void)stream_set_header(c->s, "Pragma", "no-cache");
	/* A client that left needs no answer. */
	(void)stream_reply(c->s, 200, "text/plain; charset=utf-8", "OK", 2);
}

/* The names that images and clients use for machines. */
static const char *go_arch(const char *machine)
{
	static const char *const names[][2] = { { "x86_64", "amd64" },
						{ "aarch64", "arm64" },
						{ "armv7l", "arm" },
						{ "i686", "386" } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(machine, names[i][0]) == 0)
			return names[i][1];
	return machine;
}

void version_handle(struct call *c)
{
	struct arena *a = c->a;
	struct doc *o = doc_new_object(a), *arr, *comp, *d;
	struct utsname u;

	if (uname(&u) < 0)
		u = (struct utsname){ .release = "unknown", .machine = "unknown" };
	doc_set_str(a, doc_set_object(a, o, "Platform"), "Name", "TEU");
	arr = doc_set_array(a, o, "Components");
	comp = doc_append_object(a, arr);
	doc_set_str(a, comp, "Name", "Engine");
	doc_set_str(a, comp, "Version", DOCKER_ENGINE_VERSION);
	d = doc_set_object(a, comp, "Details");
	doc_set_str(a, d, "ApiVersion", DOCKER_API_VERSION);
	doc_set_str(a, d, "Arch", go_arch(u.machine));
	doc_set_str(a, d, "BuildTime", "");
	doc_set_str(a, d, "Experimental", "false");
	doc_set_str(a, d, "GitCommit", "");
	doc_set_str(a, d, "GoVersion", "none");
	doc_set_str(a, d, "KernelVersion", u.release);
	doc_set_str(a, d, "MinAPIVersion", DOCKER_API_VERSION_MIN);
	doc_set_str(a, d, "Os", "linux");
	comp = doc_append_object(a, arr);
	doc_set_str(a, comp, "Name", "teu-oci");
	doc_set_str(a, comp, "Version", TEU_VERSION);
	doc_set_object(a, comp, "Details");
	doc_set_str(a, o, "Version", DOCKER_ENGINE_VERSION);
	doc_set_str(a, o, "ApiVersion", DOCKER_API_VERSION);
	doc_set_str(a, o, "MinAPIVersion", DOCKER_API_VERSION_MIN);
	doc_set_str(a, o, "GitCommit", "");
	doc_set_str(a, o, "GoVersion", "none");
	doc_set_str(a, o, "Os", "linux");
	doc_set_str(a, o, "Arch", go_arch(u.machine));
	doc_set_str(a, o, "KernelVersion", u.release);
	doc_set_str(a, o, "BuildTime", "");
	reply_doc(c, 200, o);
}

/* ---- info ---- */

/* PRETTY_NAME and VERSION_ID of os-release(5), unquoted. */
static void os_release(struct arena *a, const char **pretty, const char **version)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64 << 10);
	struct err ignored = ERR_INIT;
	struct slice rest;

	*pretty = "Linux";
	*version = "";
	if (fd_read_file(AT_FDCWD, "/etc/os-release", &b, &ignored) < 0)
		return;
	rest = buf_slice(&b);
	while (rest.p) {
		struct slice value = slice_split(&rest, '\n'), key = slice_split(&value, '=');

		if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\''))
			value = slice_of(value.p + 1, value.n - 2);
		if (slice_is(key, "PRETTY_NAME"))
			*pretty = arena_strndup(a, value.p, value.n);
		else if (slice_is(key, "VERSION_ID"))
			*version = arena_strndup(a, value.p ? value.p : "", value.n);
	}
}

static void info_counts(struct call *c, struct doc *o)
{
	struct engine_counts n;

	engine_get_counts(c->e, &n);
	doc_set_str(c->a, o, "ID", engine_id(c->e));
	doc_set_uint(c->a, o, "Containers", n.containers);
	doc_set_uint(c->a, o, "ContainersRunning", n.running);
	doc_set_uint(c->a, o, "ContainersPaused", n.paused);
	doc_set_uint(c->a, o, "ContainersStopped", n.stopped);
	doc_set_int(c->a, o, "Images", image_count(engine_images(c->e)));
}

static void info_plugins(struct arena *a, struct doc *o)
{
	static const char *const networks[] = { "bridge", "host", "null" };
	struct doc *p = doc_set_object(a, o, "Plugins"), *list;

	doc_set_array(a, p, "Volume");
	list = doc_set_array(a, p, "Network");
	for (size_t i = 0; i < ARRAY_LEN(networks); i++)
		doc_append_str(a, list, networks[i]);
	doc_set_null(a, p, "Authorization");
	doc_append_str(a, list = doc_set_array(a, p, "Log"), "json-file");
	doc_append_str(a, list, "none");
}

static bool have_file(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Is it one of the words of the first line? */
static bool file_says(const char *path, const char *word)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(64 << 10);
	struct err ignored = ERR_INIT;
	struct slice lines, rest;

	if (fd_read_file(AT_FDCWD, path, &b, &ignored) < 0)
		return false;
	lines = buf_slice(&b);
	rest = slice_split(&lines, '\n');
	while (rest.p) {
		struct slice one = slice_split(&rest, ' ');

		if (slice_is(one, word))
			return true;
	}
	return false;
}

/* Is the controller there? Of version 1 each is a directory. */
static bool controller(bool v2, const char *name)
{
	char path[128];

	if (v2)
		return file_says("/sys/fs/cgroup/cgroup.controllers", name);
	(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	return have_file(path);
}

/* The limits that this kernel's cgroups give, in either version. */
static void info_limits(struct arena *a, struct doc *o, bool v2)
{
	bool memory = controller(v2, "memory"), cpu = controller(v2, "cpu");
	bool quota = cpu && (v2 || have_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"));

	doc_set_bool(a, o, "MemoryLimit", memory);
	doc_set_bool(a, o, "SwapLimit",
		     v2 ? memory && have_file("/proc/swaps")
			: have_file("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"));
	doc_set_bool(a, o, "CpuCfsPeriod", quota);
	doc_set_bool(a, o, "CpuCfsQuota", quota);
	doc_set_bool(a, o, "CPUShares", cpu);
	doc_set_bool(a, o, "CPUSet", controller(v2, "cpuset"));
	doc_set_bool(a, o, "PidsLimit", controller(v2, "pids"));
	doc_set_bool(a, o, "IPv4Forwarding", file_says("/proc/sys/net/ipv4/ip_forward", "1"));
	doc_set_bool(a, o, "OomKillDisable",
		     !v2 && have_file("/sys/fs/cgroup/memory/memory.oom_control"));
}

static void info_cgroup(struct call *c, struct doc *o, bool *ret_v2)
{
	/* statfs would do; this file exists only on a pure cgroup2 root */
	bool v2 = have_file("/sys/fs/cgroup/cgroup.controllers");

	*ret_v2 = v2;
	doc_set_str(c->a, o, "LoggingDriver", "json-file");
	doc_set_str(c->a, o, "CgroupDriver", "cgroupfs");
	doc_set_str(c->a, o, "CgroupVersion", v2 ? "2" : "1");
}

static void info_machine(struct call *c, struct doc *o)
{
	const char *pretty, *version;
	struct arena *a = c->a;
	struct utsname u;
	struct sysinfo si;
	char host[256] = "";

	if (uname(&u) < 0)
		u = (struct utsname){ .release = "unknown", .machine = "unknown" };
	os_release(a, &pretty, &version);
	if (sysinfo(&si) < 0)
		si = (struct sysinfo){ .mem_unit = 1 };
	(void)gethostname(host, sizeof(host) - 1); /* stays empty */
	doc_set_str(a, o, "KernelVersion", u.release);
	doc_set_str(a, o, "OperatingSystem", pretty);
	doc_set_str(a, o, "OSVersion", version);
	doc_set_str(a, o, "OSType", "linux");
	doc_set_str(a, o, "Architecture", u.machine);
	doc_set_int(a, o, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
	doc_set_uint(a, o, "MemTotal", (uint64_t)si.totalram * si.mem_unit);
	doc_set_str(a, o, "Name", host);
}

static void info_registry(struct arena *a, struct doc *o)
{
	struct doc *r, *index;

	doc_set_str(a, o, "IndexServerAddress", "https://index.docker.io/v1/");
	r = doc_set_object(a, o, "RegistryConfig");
	doc_set_array(a, r, "InsecureRegistryCIDRs");
	index = doc_set_object(a, doc_set_object(a, r, "IndexConfigs"), "docker.io");
	doc_set_array(a, index, "Mirrors");
	doc_set_str(a, index, "Name", "docker.io");
	doc_set_bool(a, index, "Official", true);
	doc_set_bool(a, index, "Secure", true);
	doc_set_array(a, r, "Mirrors");
}

static void info_runtime(struct call *c, struct doc *o)
{
	struct arena *a = c->a;
	struct doc *r, *sec;

	r = doc_set_object(a, o, "Runtimes");
	doc_set_str(a, doc_set_object(a, r, "runc"), "path", engine_get_conf(c->e)->oci_program);
	doc_set_str(a, o, "DefaultRuntime", "runc");
	r = doc_set_object(a, o, "Swarm");
	doc_set_str(a, r, "NodeID", "");
	doc_set_str(a, r, "NodeAddr", "");
	doc_set_str(a, r, "LocalNodeState", "inactive");
	doc_set_bool(a, r, "ControlAvailable", false);
	doc_set_str(a, r, "Error", "");
	doc_set_null(a, r, "RemoteManagers");
	doc_set_bool(a, o, "LiveRestoreEnabled", true); /* containers always run on */
	doc_set_str(a, o, "Isolation", "");
	doc_set_str(a, o, "InitBinary", "");
	doc_set_str(a, doc_set_object(a, o, "ContainerdCommit"), "ID", "");
	doc_set_str(a, doc_set_object(a, o, "RuncCommit"), "ID", "teu-oci " TEU_VERSION);
	doc_set_str(a, doc_set_object(a, o, "InitCommit"), "ID", "");
	sec = doc_set_array(a, o, "SecurityOptions");
	doc_append_str(a, sec, "name=seccomp,profile=builtin");
	doc_append_str(a, sec, "name=cgroupns");
}

static void info_flags(struct call *c, struct doc *o)
{
	struct arena *a = c->a;
	char now[CLOCK_TEXT_MAX];

	doc_set_bool(a, o, "Debug", c->api->debug);
	doc_set_int(a, o, "NFd", -1);
	doc_set_int(a, o, "NGoroutines", 0);
	doc_set_str(a, o, "SystemTime", clock_rfc3339nano(now, clock_real()));
	doc_set_int(a, o, "NEventsListener", (int64_t)0);
}

static void info_driver(struct call *c, struct doc *o)
{
	struct image_store *is = engine_images(c->e);
	struct image_driver_row rows[IMAGE_DRIVER_ROWS];
	size_t n = image_driver_rows(is, rows);
	struct arena *a = c->a;
	struct doc *list;

	doc_set_str(a, o, "Driver", image_driver_name(is));
	list = doc_set_array(a, o, "DriverStatus");
	for (size_t i = 0; i < n; i++) {
		struct doc *row = doc_append(a, list, doc_array());

		doc_append_str(a, row, rows[i].name);
		doc_append_str(a, row, rows[i].value);
	}
	if (image_lazy_check(is, NULL) == 0) {
		struct doc *row = doc_append(a, list, doc_array());

		doc_append_str(a, row, "Lazy start");
		doc_append_str(a, row,
			       c->api->lazy_early ? "every pull, the first of a layer too"
			       : c->api->lazy	  ? "every pull"
						  : "pulls that ask for it");
	}
}

void info_handle(struct call *c)
{
	struct arena *a = c->a;
	struct doc *o = doc_new_object(a);
	const struct engine_conf *conf = engine_get_conf(c->e);
	bool v2;

	info_counts(c, o);
	info_driver(c, o);
	info_plugins(a, o);
	info_cgroup(c, o, &v2);
	info_limits(a, o, v2);
	info_flags(c, o);
	info_machine(c, o);
	info_registry(a, o);
	doc_set_null(a, o, "GenericResources");
	doc_set_str(a, o, "DockerRootDir", conf->root);
	doc_set_str(a, o, "HttpProxy", "");
	doc_set_str(a, o, "HttpsProxy", "");
	doc_set_str(a, o, "NoProxy", "");
	doc_set_array(a, o, "Labels");
	doc_set_bool(a, o, "ExperimentalBuild", false);
	doc_set_str(a, o, "ServerVersion", DOCKER_ENGINE_VERSION);
	info_runtime(c, o);
	doc_set_str(a, o, "ProductLicense", "Apache-2.0");
	if (c->minor >= 49)
		doc_set_str(a, doc_set_object(a, o, "FirewallBackend"), "Driver", "nftables");
	doc_set_array(a, o, "CDISpecDirs");
	doc_set_null(a, o, "Warnings");
	reply_doc(c, 200, o);
}

/* ---- disk usage ---- */

static void df_strings(struct arena *a, struct doc *arr, const struct strv *v)
{
	for (size_t i = 0; i < v->n; i++)
		doc_append_str(a, arr, v->v[i]);
}

static int df_images(struct call *c, struct doc *o, struct err *err)
{
	struct doc *arr = doc_set_array(c->a, o, "Images"), *row;
	uint64_t total = 0, unique = 0;
	struct image **v;
	size_t n = 0;
	int r;

	r = image_list(engine_images(c->e), c->a, &v, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct strv tags = { 0 }, digests = { 0 };
		struct container *ct = NULL;
		int64_t users = 0;

		if (r == 0)
			r = image_names(engine_images(c->e), v[i], c->a, &tags, &digests, err);
		while ((ct = engine_container_next(c->e, ct)))
			users += strcmp(container_image_id(ct), image_id(v[i])) == 0;
		row = doc_append_object(c->a, arr);
		doc_set_str(c->a, row, "Id", image_id(v[i]));
		doc_set_str(c->a, row, "ParentId", "");
		df_strings(c->a, doc_set_array(c->a, row, "RepoTags"), &tags);
		df_strings(c->a, doc_set_array(c->a, row, "RepoDigests"), &digests);
		doc_set_int(c->a, row, "Created", MAX(image_created(v[i]), 0) / NS_PER_SEC);
		doc_set_uint(c->a, row, "Size", image_size(v[i]));
		if (r == 0)
			r = image_unique_size(engine_images(c->e), v[i], &unique, err);
		doc_set_uint(c->a, row, "SharedSize", image_size(v[i]) - unique);
		doc_set_null(c->a, row, "Labels");
		doc_set_int(c->a, row, "Containers", users);
		image_unref(v[i]);
	}
	if (r == 0)
		r = image_layers_size(engine_images(c->e), &total, err);
	doc_set_uint(c->a, o, "LayersSize", total);
	return r;
}

static void df_containers(struct call *c, struct doc *o)
{
	struct doc *arr = doc_set_array(c->a, o, "Containers");
	struct container *ct = NULL;
	char status[128];

	while ((ct = engine_container_next(c->e, ct))) {
		struct doc *row = doc_append_object(c->a, arr), *names;

		doc_set_str(c->a, row, "Id", container_id(ct));
		names = doc_set_array(c->a, row, "Names");
		doc_append_str(c->a, names, arena_printf(c->a, "/%s", container_name(ct)));
		doc_set_str(c->a, row, "Image", container_image_ref(ct));
		doc_set_str(c->a, row, "ImageID", container_image_id(ct));
		doc_set_int(c->a, row, "Created", container_get_state(ct)->created / NS_PER_SEC);
		doc_set_str(c->a, row, "State",
			    container_status_name(container_get_state(ct)->status));
		show_status(ct, clock_real(), status, sizeof(status));
		doc_set_str(c->a, row, "Status", status);
	}
}

/* Which kinds were asked for, as bits in the order of the words; none means all. */
static int df_kinds(struct call *c, unsigned *ret)
{
	static const char *const words[] = { "container", "image", "volume", "build-cache" };
	const char *v;

	*ret = 0;
	for (size_t i = 0; c->minor >= 42 && (v = query_nth(&c->q, "type", i)); i++) {
		unsigned k = 0;

		while (k < ARRAY_LEN(words) && strcmp(v, words[k]) != 0)
			k++;
		if (k == ARRAY_LEN(words)) {
			reply_fail(c, ERR_BAD_REQUEST, "unknown object type: %s", v);
			return -ERR_BAD_REQUEST;
		}
		*ret |= 1u << k;
	}
	if (!*ret)
		*ret = ~0u;
	return 0;
}

void df_handle(struct call *c)
{
	struct doc *o = doc_new_object(c->a);
	struct err err = ERR_INIT;
	unsigned kinds;

	if (df_kinds(c, &kinds) < 0)
		return;
	if ((kinds & 2) && df_images(c, o, &err) < 0) {
		reply_err(c, &err);
		return;
	}
	if (kinds & 1)
		df_containers(c, o);
	if (kinds & 4)
		doc_set_array(c->a, o, "Volumes");
	if (kinds & 8)
		doc_set_array(c->a, o, "BuildCache");
	reply_doc(c, 200, o);
}
