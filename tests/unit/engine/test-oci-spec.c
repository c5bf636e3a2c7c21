/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The config.json that each option gives, looked at by path, and each whole text given to the
 * runtime's own check. No engine runs; the layers are two directories.
 */
#include "engine/private.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
	struct engine e;
	char root[64], lower[96], init[96];
	struct arena *a;
	struct container *c;
	struct doc *doc; /* what was built last */
	struct err err;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char path[160];
	int fd;

	str_copy(b->root, sizeof(b->root), "/tmp/teu-spec-XXXXXX");
	assert_non_null(mkdtemp(b->root));
	(void)snprintf(b->lower, sizeof(b->lower), "%s/lower", b->root);
	(void)snprintf(b->init, sizeof(b->init), "%s/init", b->root);
	(void)snprintf(path, sizeof(path), "%s/etc", b->lower);
	assert_int_equal(mkdir(b->lower, 0755), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/etc/passwd", b->lower);
	fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(fd_write_all(fd, "user:x:1000:1001::/home:/bin/sh\n", 32), 0);
	fd_close(fd);
	b->e.root = b->root;
	b->e.init_layer = b->init;
	memcpy(b->e.instance, "0badcafe", 9);
	*state = b;
	return 0;
}

static void drop(struct bench *b)
{
	container_free(b->c);
	b->c = NULL;
	arena_free(b->a);
	b->a = NULL;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;

	drop(b);
	free(b->e.seccomp_json);
	assert_int_equal(fd_remove_tree(AT_FDCWD, b->root, &err), 0);
	free(b);
	return 0;
}

/* Decodes the body, builds the config, has the runtime check it. */
static int try_build(struct bench *b, const char *json)
{
	static const char *argv[] = { "prog", "arg", NULL };
	char path[256];
	struct image_rootfs rootfs = {
		.upper = "/u", .work = "/w", .merged = "/m", .init = b->init
	};
	const char *lower[] = { b->lower, NULL }, *view[] = { path, b->lower, NULL };
	struct oci_inputs in = { .rootfs = &rootfs };
	struct doc *body;
	struct slice text;
	int r;

	drop(b);
	b->err = ERR_INIT;
	b->a = arena_new("test", 8u << 20);
	assert_int_equal(container_new(&b->e,
				       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
				       "abcdef",
				       "n", &b->c, &b->err),
			 0);
	(void)snprintf(path, sizeof(path), "%s/upper", b->c->dir);
	assert_int_equal(fd_mkdir_p(AT_FDCWD, path, 0755, &b->err), 0);
	assert_int_equal(json_read(b->a, slice_str(json), NULL, &body, &b->err), 0);
	r = create_spec_decode(body, b->a, &b->c->spec, &b->err);
	if (r == 0)
		r = oci_spec_check(&b->e, &b->c->spec, &b->err);
	if (r < 0)
		return r;
	b->c->argv = argv;
	b->c->argc = 2;
	rootfs.lower = (struct strv){ lower, 1 };
	rootfs.view = (struct strv){ view, 2 };
	in.c = b->c;
	in.files = b->c;
	if (b->c->spec.host.network_mode &&
	    strncmp(b->c->spec.host.network_mode, "container:", 10) == 0)
		in.join_net = "/proc/1/ns/net";
	r = oci_spec_build(&in, b->a, &text, &b->err);
	if (r < 0)
		return r;
	if (json_read(b->a, text, NULL, &b->doc, &b->err) < 0)
		fail_msg("%s: no JSON: %s", json, b->err.msg);
	if (rt_check_config(text, &b->err) < 0)
		fail_msg("%s: refused by the runtime: %s", json, b->err.msg);
	return 0;
}

static void build(struct bench *b, const char *json)
{
	if (try_build(b, json) < 0)
		fail_msg("%s: %s", json, b->err.msg);
}

static void expect(struct bench *b, const char *path, const char *json)
{
	struct slice got = { "nothing", 7 };
	struct doc *want, *at = doc_find(b->doc, path);

	assert_int_equal(json_read(b->a, slice_str(json), NULL, &want, &b->err), 0);
	if (at && doc_equal(at, want))
		return;
	if (at)
		(void)json_print(b->a, at, NULL, &got, &b->err);
	fail_msg("%s is %.*s, wanted %s", path, (int)got.n, got.p, json);
}

static bool list_has(const struct doc *list, const char *s)
{
	DOC_EACH (v, list)
		if (doc_str_is(v, s))
			return true;
	return false;
}

static struct doc *mount_at(struct bench *b, const char *dest)
{
	struct doc *found = NULL;

	DOC_EACH (m, doc_get(b->doc, "mounts"))
		if (doc_str_is(doc_get(m, "destination"), dest)) {
			assert_null(found);
			found = m;
		}
	return found;
}

static bool mount_has(struct bench *b, const char *dest, const char *option)
{
	return list_has(doc_get(mount_at(b, dest), "options"), option);
}

static struct doc *namespace_of(struct bench *b, const char *type)
{
	DOC_EACH (n, doc_find(b->doc, "linux.namespaces"))
		if (doc_str_is(doc_get(n, "type"), type))
			return n;
	return NULL;
}

#define HC(x) "{\"HostConfig\":{" x "}}"

static void the_defaults_are_dockers(void **state)
{
	struct bench *b = *state;

	build(b, "{\"Hostname\":\"h\"}");
	expect(b, "hostname", "\"h\"");
	expect(b, "process.args", "[\"prog\",\"arg\"]");
	expect(b, "process.cwd", "\"/\"");
	expect(b, "process.user", "{\"uid\":0,\"gid\":0}");
	expect(b, "process.noNewPrivileges", "false");
	expect(b, "root", "{\"path\":\"/m\",\"readonly\":false}");
	expect(b, "process.env",
	       "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
	       "\"HOSTNAME=h\",\"HOME=/\"]");
	assert_int_equal(doc_len(doc_find(b->doc, "process.capabilities.bounding")), 14);
	assert_true(list_has(doc_find(b->doc, "process.capabilities.effective"), "CAP_CHOWN"));
	assert_false(list_has(doc_find(b->doc, "process.capabilities.effective"), "CAP_SYS_ADMIN"));
	assert_true(list_has(doc_find(b->doc, "linux.maskedPaths"), "/proc/kcore"));
	assert_true(list_has(doc_find(b->doc, "linux.readonlyPaths"), "/proc/sys"));
	assert_non_null(doc_find(b->doc, "linux.seccomp.syscalls"));
	expect(b, "linux.cgroupsPath",
	       "\"/teu-0badcafe/"
	       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"");
	assert_true(mount_has(b, "/dev/shm", "size=67108864"));
	assert_true(mount_has(b, "/sys", "ro"));
	assert_non_null(mount_at(b, "/etc/resolv.conf"));
	for (size_t i = 0; i < 5; i++) {
		static const char *const ns[] = { "mount", "network", "uts", "pid", "ipc" };

		assert_non_null(namespace_of(b, ns[i]));
	}
	expect(b, "linux.resources.devices.0", "{\"allow\":false,\"access\":\"rwm\"}");
}

static void environment_is_merged(void **state)
{
	struct bench *b = *state;

	build(b, "{\"Tty\":true,\"Hostname\":\"h\",\"Env\":[\"PATH=/x\",\"A=1\",\"A=2\",\"TERM\","
		 "\"HOME=/z\"]}");
	expect(b, "process.env", "[\"PATH=/x\",\"HOSTNAME=h\",\"A=2\",\"HOME=/z\"]");
	expect(b, "process.terminal", "true");
}

static void users_and_groups(void **state)
{
	struct bench *b = *state;

	build(b, "{\"User\":\"user\",\"WorkingDir\":\"/w\",\"HostConfig\":{\"GroupAdd\":[\"5\"]}}");
	expect(b, "process.user", "{\"uid\":1000,\"gid\":1001,\"additionalGids\":[5]}");
	expect(b, "process.cwd", "\"/w\"");
	build(b, "{\"User\":\"7:8\"}");
	expect(b, "process.user", "{\"uid\":7,\"gid\":8}");
	assert_int_equal(try_build(b, "{\"User\":\"nosuch\"}"), -ERR_BAD_REQUEST);
	assert_non_null(strstr(b->err.msg, "unable to find user nosuch"));
}

static void capabilities_by_name(void **state)
{
	struct bench *b = *state;

	build(b, HC("\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"net_admin\",\"CAP_CHOWN\"]"));
	expect(b, "process.capabilities.bounding", "[\"CAP_CHOWN\",\"CAP_NET_ADMIN\"]");
	build(b, HC("\"CapDrop\":[\"CHOWN\"]"));
	assert_int_equal(doc_len(doc_find(b->doc, "process.capabilities.permitted")), 13);
	build(b, HC("\"CapAdd\":[\"all\"],\"CapDrop\":[\"CHOWN\"]"));
	assert_false(list_has(doc_find(b->doc, "process.capabilities.bounding"), "CAP_CHOWN"));
	assert_true(list_has(doc_find(b->doc, "process.capabilities.bounding"), "CAP_SYS_ADMIN"));
	assert_int_equal(try_build(b, HC("\"CapAdd\":[\"FLY\"]")), -ERR_BAD_REQUEST);
	assert_non_null(strstr(b->err.msg, "unknown capability: \"FLY\""));
}

static void privileged_takes_the_guards_away(void **state)
{
	struct bench *b = *state;

	build(b, HC("\"Privileged\":true"));
	assert_null(doc_find(b->doc, "linux.seccomp"));
	assert_null(doc_find(b->doc, "linux.maskedPaths"));
	assert_true(mount_has(b, "/sys", "rw"));
	assert_true(list_has(doc_find(b->doc, "process.capabilities.bounding"), "CAP_SYS_ADMIN"));
	expect(b, "linux.resources.devices",
	       "[{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"}]");
}

static void security_options(void **state)
{
	struct bench *b = *state;

	build(b, HC("\"SecurityOpt\":[\"no-new-privileges\",\"seccomp=unconfined\",\"systempaths="
		    "unconfined\",\"label=disable\",\"apparmor=unconfined\"]"));
	expect(b, "process.noNewPrivileges", "true");
	assert_null(doc_find(b->doc, "linux.seccomp"));
	assert_null(doc_find(b->doc, "linux.maskedPaths"));
	build(b, HC("\"SecurityOpt\":[\"no-new-privileges:false\",\"seccomp=builtin\"]"));
	expect(b, "process.noNewPrivileges", "false");
	assert_non_null(doc_find(b->doc, "linux.seccomp"));
	build(b,
	      HC("\"SecurityOpt\":[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ALLOW\\\"}\"]"));
	expect(b, "linux.seccomp", "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
	assert_int_equal(try_build(b, HC("\"SecurityOpt\":[\"seccomp={\"]")), -ERR_BAD_REQUEST);
	assert_non_null(strstr(b->err.msg, "decoding seccomp profile"));
	assert_int_equal(try_build(b, HC("\"SecurityOpt\":[\"apparmor=mine\"]")), -ERR_UNSUPPORTED);
	assert_non_null(strstr(b->err.msg, "apparmor=mine"));
}

static void limits(void **state)
{
	struct bench *b = *state;

	build(b, HC("\"Memory\":67108864,\"MemoryReservation\":33554432,\"NanoCpus\":500000000,"
		    "\"CpuShares\":1,\"CpusetCpus\":\"0\",\"PidsLimit\":50,\"OomScoreAdj\":7,"
		    "\"OomKillDisable\":true,\"MemorySwappiness\":5,\"BlkioWeight\":100"));
	expect(b, "linux.resources.memory",
	       "{\"limit\":67108864,\"reservation\":33554432,\"swap\":134217728,\"swappiness\":5,"
	       "\"disableOOMKiller\":true}");
	expect(b, "linux.resources.cpu",
	       "{\"shares\":2,\"quota\":50000,\"period\":100000,\"cpus\":\"0\"}");
	expect(b, "linux.resources.pids", "{\"limit\":50}");
	expect(b, "linux.resources.blockIO", "{\"weight\":100}");
	expect(b, "process.oomScoreAdj", "7");
	build(b, HC("\"Memory\":67108864,\"MemorySwap\":-1,\"PidsLimit\":-1"));
	expect(b, "linux.resources.memory", "{\"limit\":67108864,\"swap\":-1}");
	expect(b, "linux.resources.pids", "{\"limit\":-1}");
	build(b, HC("\"Ulimits\":[{\"Name\":\"nofile\",\"Soft\":10,\"Hard\":20}],\"ShmSize\":4096,"
		    "\"CgroupParent\":\"mine\""));
	expect(b, "process.rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"hard\":20,\"soft\":10}]");
	assert_true(mount_has(b, "/dev/shm", "size=4096"));
	expect(b, "linux.cgroupsPath",
	       "\"/mine/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"");
}

static void namespaces_and_sysctls(void **state)
{
	struct bench *b = *state;

	build(b, HC("\"NetworkMode\":\"host\",\"PidMode\":\"host\",\"IpcMode\":\"host\","
		    "\"UTSMode\":\"host\",\"CgroupnsMode\":\"private\""));
	assert_null(namespace_of(b, "network"));
	assert_null(namespace_of(b, "pid"));
	assert_null(namespace_of(b, "ipc"));
	assert_null(namespace_of(b, "uts"));
	assert_non_null(namespace_of(b, "cgroup"));
	assert_null(doc_get(b->doc, "hostname"));
	assert_null(doc_find(b->doc, "linux.sysctl"));
	assert_string_equal(doc_cstr(b->a, doc_get(mount_at(b, "/dev/shm"), "type")), "bind");
	build(b, HC("\"IpcMode\":\"none\",\"CgroupnsMode\":\"host\",\"Sysctls\":{\"net.core."
		    "somaxconn\":\"99\"}"));
	assert_null(mount_at(b, "/dev/shm"));
	assert_null(namespace_of(b, "cgroup"));
	expect(b, "linux.sysctl",
	       "{\"net.ipv4.ping_group_range\":\"0 2147483647\",\"net.ipv4.ip_unprivileged_port_"
	       "start\":\"0\",\"net.core.somaxconn\":\"99\"}");
	build(b, HC("\"NetworkMode\":\"container:x\""));
	expect(b, "linux.namespaces.1", "{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"}");
	assert_null(doc_find(b->doc, "linux.sysctl"));
}

static void mounts_of_clients(void **state)
{
	struct bench *b = *state;
	char json[1024];

	(void)snprintf(json, sizeof(json),
		       HC("\"Binds\":[\"%s/sub:/data/sub\",\"%s:/data:ro,rslave\"],\"Tmpfs\":{\"/"
			  "run\":\"size=1m,exec\"},\"Mounts\":[{\"Type\":\"tmpfs\",\"Target\":\"/"
			  "t\",\"ReadOnly\":true,\"TmpfsOptions\":{\"SizeBytes\":4096,\"Mode\":448,"
			  "\"Options\":[[\"noexec\"],[\"uid\",\"5\"]]}},{\"Type\":\"bind\","
			  "\"Source\":\"%s\",\"Target\":\"/b\",\"BindOptions\":{\"NonRecursive\":"
			  "true}}],\"ReadonlyRootfs\":true"),
		       b->lower, b->lower, b->lower);
	build(b, json);
	assert_true(mount_has(b, "/data", "rslave"));
	assert_true(mount_has(b, "/data", "ro") || mount_has(b, "/data", "rro"));
	assert_true(mount_has(b, "/data/sub", "rprivate"));
	assert_true(mount_at(b, "/data") < mount_at(b, "/data/sub"));
	assert_true(mount_has(b, "/run", "size=1m"));
	assert_true(mount_has(b, "/t", "size=4096") && mount_has(b, "/t", "mode=700"));
	assert_true(mount_has(b, "/t", "uid=5") && mount_has(b, "/t", "ro"));
	assert_true(mount_has(b, "/b", "bind") && !mount_has(b, "/b", "rbind"));
	expect(b, "root.readonly", "true");
	(void)snprintf(json, sizeof(json), "%s/sub", b->lower);
	assert_int_equal(access(json, F_OK), 0); /* -v makes what is missing; --mount does not */
	assert_int_equal(try_build(b, HC("\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/nosuch/"
					 "x\",\"Target\":\"/b\"}]")),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(b->err.msg, "bind source path does not exist: /nosuch/x"));
}

static void a_clients_mount_replaces_ours(void **state)
{
	struct bench *b = *state;

	build(b, HC("\"Tmpfs\":{\"/dev/shm\":\"size=1m\"},\"Binds\":[\"/etc/hosts:/etc/hosts\"]"));
	assert_true(mount_has(b, "/dev/shm", "size=1m"));
	expect(b, "mounts.0.destination", "\"/proc\"");
	assert_string_equal(doc_cstr(b->a, doc_get(mount_at(b, "/etc/hosts"), "source")),
			    "/etc/hosts");
	build(b, HC("\"Binds\":[\"/dev:/dev\"]"));
	assert_null(mount_at(b, "/dev/pts"));
	assert_null(mount_at(b, "/dev/mqueue"));
}

static void devices(void **state)
{
	struct bench *b = *state;

	build(b,
	      HC("\"Devices\":[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/"
		 "nothing\",\"CgroupPermissions\":\"r\"}],\"DeviceCgroupRules\":[\"c 10:* rw\"]"));
	expect(b, "linux.devices.0.path", "\"/dev/nothing\"");
	expect(b, "linux.devices.0.major", "1");
	expect(b, "linux.resources.devices.12",
	       "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"}");
	expect(b, "linux.resources.devices.13",
	       "{\"allow\":true,\"type\":\"c\",\"major\":10,\"access\":\"rw\"}");
	assert_int_equal(try_build(b, HC("\"Devices\":[{\"PathOnHost\":\"/etc/passwd\"}]")),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(b->err.msg, "not a device node"));
	assert_int_equal(try_build(b, HC("\"Devices\":[{\"PathOnHost\":\"/dev/null\","
					 "\"CgroupPermissions\":\"x\"}]")),
			 -ERR_BAD_REQUEST);
	assert_int_equal(try_build(b, HC("\"DeviceCgroupRules\":[\"c 1:3\"]")), -ERR_BAD_REQUEST);
	assert_non_null(strstr(b->err.msg, "invalid device cgroup rule format"));
}

static void a_directory_gives_each_device_below(void **state)
{
	struct bench *b = *state;

	if (access("/dev/pts/ptmx", F_OK) < 0)
		skip();
	build(b,
	      HC("\"Devices\":[{\"PathOnHost\":\"/dev/pts\",\"PathInContainer\":\"/dev/host\"}]"));
	assert_true(doc_len(doc_find(b->doc, "linux.devices")) >= 1);
	assert_memory_equal(doc_find(b->doc, "linux.devices.0.path")->s, "/dev/host/", 10);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_defaults_are_dockers),
		T(environment_is_merged),
		T(users_and_groups),
		T(capabilities_by_name),
		T(privileged_takes_the_guards_away),
		T(security_options),
		T(limits),
		T(namespaces_and_sysctls),
		T(mounts_of_clients),
		T(a_clients_mount_replaces_ours),
		T(devices),
		T(a_directory_gives_each_device_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
