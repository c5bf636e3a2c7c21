/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json: what a good one becomes, and one line for each way in which it can be bad,
 * unsupported or hostile. Failing cases assert the code and a part of the message.
 */
#include "rt-check.h"

#define NS                                                                                 \
	"\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"},{" \
	"\"type\":\"ipc\"},{\"type\":\"uts\"}]"
#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"
#define PROC "\"process\":{\"cwd\":\"/\",\"args\":[\"true\"]}"
#define GOOD HEAD "," PROC ",\"linux\":{" NS "}}"
/* A good config with more at the top, in the process, in linux. */
#define TOP(x) HEAD "," PROC ",\"linux\":{" NS "}," x "}"
#define PROCESS(x) HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"true\"]," x "},\"linux\":{" NS "}}"
#define LINUX(x) HEAD "," PROC ",\"linux\":{" NS "," x "}}"
#define NET(x)                                                                           \
	HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"}]," \
	     "\"netDevices\":"                                                           \
	     "{" x "}}}"
#define MOUNT(x)                                                                                  \
	TOP("\"mounts\":[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\"," x "]}" \
	    "]")
#define RESOURCES(x) LINUX("\"resources\":{" x "}")

struct fixture {
	struct arena *a;
	struct conf c;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->a = arena_new("test", 64u << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_free(f->a);
	free(f);
	return 0;
}

static void read_ok(struct fixture *f, const char *text)
{
	struct err err;

	assert_ok(conf_read(slice_str(text), f->a, &f->c, &err));
}

static void a_minimal_config_is_read(void **state)
{
	struct fixture *f = *state;

	read_ok(f, GOOD);
	assert_string_equal(f->c.oci_version, "1.0.2");
	assert_string_equal(f->c.root->path, "rootfs");
	assert_false(f->c.root->readonly);
	assert_string_equal(f->c.process->args.v[0], "true");
	assert_int_equal(f->c.lin.namespaces.n, 5);
	assert_true(conf_ns_new(&f->c, NS_MOUNT));
	assert_true(conf_ns_new(&f->c, NS_NET));
	assert_false(conf_ns_new(&f->c, NS_USER));
	assert_null(conf_ns(&f->c, NS_CGROUP));
	assert_null(f->c.process->caps);
	assert_false(f->c.process->oom_score_adj.set);
}

static void each_namespace_type_is_known(void **state)
{
	struct fixture *f = *state;

	read_ok(f, HEAD
		",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
		"\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
		"\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\","
		"\"path\":\"/n\"},"
		"{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"user\"},{\"type\":\"cgroup\"},{"
		"\"type\":\"time\"}]}}");
	for (int k = 0; k < NS_KINDS; k++)
		assert_non_null(conf_ns(&f->c, k));
	assert_false(conf_ns_new(&f->c, NS_NET));
	assert_string_equal(conf_ns(&f->c, NS_NET)->path, "/n");
	assert_int_equal(f->c.lin.uids.v[0].host, 1000);
}

static void an_empty_string_counts_as_absent_where_go_writes_one(void **state)
{
	struct fixture *f = *state;

	read_ok(f, HEAD ",\"hostname\":\"\"," PROC
			",\"linux\":{\"namespaces\":[{\"type\":\"mount\",\"path\":\"\"}]}}");
	assert_null(f->c.hostname);
	assert_true(conf_ns_new(&f->c, NS_MOUNT));
}

static void the_process_is_read_whole(void **state)
{
	struct fixture *f = *state;
	const struct conf_process *p;

	read_ok(f, PROCESS("\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},\"env\":"
			   "[\"A=1\",\"B=2\"],"
			   "\"user\":{\"uid\":1,\"gid\":2,\"umask\":63,\"additionalGids\":[3,4]},"
			   "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"ambient\":[\"CAP_"
			   "CHOWN\"]},"
			   "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":"
			   "18446744073709551615}],"
			   "\"noNewPrivileges\":true,\"oomScoreAdj\":-5,"
			   "\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":5,\"flags\":[]},"
			   "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\",\"priority\":0}"));
	p = f->c.process;
	assert_true(p->terminal && p->no_new_privs);
	assert_int_equal(p->console.height, 24);
	assert_int_equal(p->env.n, 2);
	assert_true(p->user.umask.set);
	assert_int_equal(p->user.umask.v, 63);
	assert_int_equal(p->user.groups.v[1], 4);
	assert_string_equal(p->caps->ambient.v[0], "CAP_CHOWN");
	assert_int_equal(p->rlimits.v[0].type - 1, 7);
	assert_true(p->rlimits.v[0].hard == UINT64_MAX);
	assert_int_equal(p->oom_score_adj.v, -5);
	assert_int_equal(p->scheduler->policy - 1, 3);
	assert_int_equal(p->ioprio->class, 3);
}

static void hooks_of_all_six_kinds_are_read(void **state)
{
	struct fixture *f = *state;

	read_ok(f, TOP("\"hooks\":{\"prestart\":[{\"path\":\"/"
		       "a\"}],\"createRuntime\":[{\"path\":\"/b\"}],"
		       "\"createContainer\":[{\"path\":\"/c\"}],\"startContainer\":[{\"path\":\"/"
		       "d\"}],"
		       "\"poststart\":[{\"path\":\"/"
		       "e\",\"args\":[\"e\",\"x\"],\"env\":[\"K=V\"],\"timeout\":3}],"
		       "\"poststop\":[{\"path\":\"/f\"}]}"));
	assert_int_equal(hooks_mask(&f->c.hooks), 63);
	assert_string_equal(f->c.hooks.kind[HOOK_POSTSTART].v[0].args.v[1], "x");
	assert_int_equal(f->c.hooks.kind[HOOK_POSTSTART].v[0].timeout.v, 3);
}

static void unknown_properties_are_ignored(void **state)
{
	struct fixture *f = *state;

	read_ok(f, TOP("\"unknown\":{\"a\":[1,2]},\"annotations\":{\"org.x\":\"y\"}"));
	assert_string_equal(conf_annotation(&f->c, "org.x"), "y");
	assert_null(conf_annotation(&f->c, "org.z"));
	read_ok(f, PROCESS("\"future\":true"));
	read_ok(f, LINUX("\"future\":1"));
}

static void sysctls_of_own_namespaces_are_allowed(void **state)
{
	struct fixture *f = *state;

	read_ok(f, LINUX("\"sysctl\":{\"net.ipv4.ip_forward\":\"1\",\"kernel.shmmax\":\"1\",\"fs."
			 "mqueue.msg_max\":\"1\","
			 "\"net/ipv4/conf/all/forwarding\":\"1\",\"kernel.domainname\":\"x\"}"));
	assert_int_equal(f->c.lin.sysctl.n, 5);
}

static const struct {
	const char *text;
	enum err_code code;
	const char *words;
} bad[] = {
	{ "", ERR_BAD_REQUEST, "config.json" },
	{ "[]", ERR_INVALID, "config.json" },
	{ "{", ERR_BAD_REQUEST, "line 1" },
	{ "{} x", ERR_BAD_REQUEST, "line 1" },
	{ "{\"root\":{\"path\":\"r\"}}", ERR_INVALID, "ociVersion" },
	{ "{\"ociVersion\":\"1.0.0\"}", ERR_INVALID, "root" },
	{ "{\"ociVersion\":\"invalid\",\"root\":{\"path\":\"r\"}}", ERR_INVALID, "ociVersion" },
	{ "{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"r\"}}", ERR_UNSUPPORTED,
	  "ociVersion 2.0.0" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
	  "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"maskedPaths\":[\"/\"]}}",
	  ERR_INVALID, "linux.maskedPaths[0]" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
	  "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"readonlyPaths\":[\"/a\",\"//./"
	  "..\"]}}",
	  ERR_INVALID, "linux.readonlyPaths[1]" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
	  "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"devices\":[{\"type\":\"c\",\"path\":"
	  "\"/d\",\"major\":4096,\"minor\":0}]}}",
	  ERR_INVALID, "linux.devices[0].major" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
	  "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"devices\":[{\"type\":\"c\",\"path\":"
	  "\"/d\",\"major\":1,\"minor\":-1}]}}",
	  ERR_INVALID, "linux.devices[0].minor" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", ERR_INVALID, "root.path" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"a\\u0000b\"}}", ERR_INVALID,
	  "root.path" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\",\"readonly\":true}}", ERR_UNSUPPORTED,
	  "mount namespace" },
	{ HEAD ",\"mounts\":[{\"destination\":\"/x\"}]}", ERR_UNSUPPORTED, "mount namespace" },
	{ LINUX("\"maskedPaths\":[\"x\"]"), ERR_INVALID, "maskedPaths[0]" },
	{ LINUX("\"readonlyPaths\":[\"\"]"), ERR_INVALID, "readonlyPaths[0]" },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[]},\"linux\":{" NS "}}", ERR_INVALID,
	  "process.args is empty" },
	{ HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"\"]},\"linux\":{" NS "}}", ERR_INVALID,
	  "process.args[0]" },
	{ HEAD ",\"process\":{\"cwd\":\"tmp\",\"args\":[\"x\"]},\"linux\":{" NS "}}", ERR_INVALID,
	  "process.cwd" },
	{ HEAD ",\"process\":{\"args\":[\"x\"]},\"linux\":{" NS "}}", ERR_INVALID, "process.cwd" },
	{ PROCESS("\"commandLine\":\"x\""), ERR_UNSUPPORTED, "commandLine" },
	{ PROCESS("\"user\":{\"username\":\"x\"}"), ERR_UNSUPPORTED, "username" },
	{ PROCESS("\"user\":{\"uid\":-1}"), ERR_INVALID, "uid" },
	{ PROCESS("\"user\":{\"uid\":4294967296}"), ERR_INVALID, "uid" },
	{ PROCESS("\"user\":{\"umask\":512}"), ERR_INVALID, "umask" },
	{ PROCESS("\"execCPUAffinity\":{\"initial\":\"x\"}"), ERR_INVALID, "execCPUAffinity: 'x'" },
	{ PROCESS("\"execCPUAffinity\":{\"final\":\"1-\"}"), ERR_INVALID, "execCPUAffinity: '1-'" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]"), ERR_INVALID,
	  "rlimits[0].type" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]"), ERR_INVALID,
	  "soft limit above" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_"
		  "AS\",\"soft\":1,\"hard\":1}]"),
	  ERR_INVALID, "rlimits[1]" },
	{ PROCESS("\"oomScoreAdj\":1001"), ERR_INVALID, "oomScoreAdj" },
	{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_X\"}"), ERR_INVALID, "scheduler.policy" },
	{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_ISO\"}"), ERR_UNSUPPORTED, "SCHED_ISO" },
	{ PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}"), ERR_INVALID,
	  "priority" },
	{ PROCESS("\"terminal\":\"yes\""), ERR_INVALID, "process.terminal" },
	{ TOP("\"hooks\":{\"prestart\":[{\"path\":\"rel\"}]}"), ERR_INVALID, "prestart[0].path" },
	{ TOP("\"hooks\":{\"poststop\":[{\"args\":[\"x\"]}]}"), ERR_INVALID, "poststop[0].path" },
	{ TOP("\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}"), ERR_INVALID,
	  "timeout" },
	{ TOP("\"annotations\":{\"\":\"x\"}"), ERR_INVALID, "annotations" },
	{ TOP("\"annotations\":{\"a\":1}"), ERR_INVALID, "annotations" },
	{ TOP("\"windows\":{}"), ERR_UNSUPPORTED, "windows" },
	{ TOP("\"vm\":{\"kernel\":{}}"), ERR_UNSUPPORTED, "vm" },
	{ TOP("\"hostname\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
	  ERR_INVALID, "hostname" },
	{ TOP("\"mounts\":[{\"type\":\"proc\"}]"), ERR_INVALID, "mounts[0].destination" },
	{ TOP("\"mounts\":[{\"destination\":\"/"
	      "a\",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}]"),
	  ERR_INVALID, "go together" },
	{ HEAD ",\"hostname\":\"x\",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}",
	  ERR_INVALID, "uts namespace" },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":"
	       "\"pid\"}]}}",
	  ERR_INVALID, "namespaces[2]" },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mnt\"}]}}", ERR_INVALID,
	  "namespaces[0].type" },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}]}}",
	  ERR_INVALID, "uidMappings" },
	{ LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]"), ERR_INVALID,
	  "without a user namespace" },
	{ LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":0}]"), ERR_INVALID,
	  "size" },
	{ LINUX("\"timeOffsets\":{\"monotonic\":{\"secs\":1}}"), ERR_INVALID,
	  "new time namespace" },
	{ HEAD ",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}],\"netDevices\":{\"d0\":{}}}}",
	  ERR_INVALID, "netDevices needs a network namespace" },
	{ NET("\"d/0\":{}"), ERR_INVALID, "netDevices.d/0: not a name" },
	{ NET("\"d%d\":{}"), ERR_INVALID, "netDevices.d%d: not a name" },
	{ NET("\"d0\":{\"name\":\"a%s\"}"), ERR_INVALID, "not a name" },
	{ NET("\"d0\":{\"name\":\"a name that is long\"}"), ERR_INVALID, "not a name" },
	{ NET("\"d0\":{\"name\":\"x\"},\"d1\":{\"name\":\"x\"}"), ERR_INVALID, "two are to be" },
	{ LINUX("\"intelRdt\":{\"closID\":\"a/b\"}"), ERR_INVALID, "closID 'a/b' is no name" },
	{ LINUX("\"intelRdt\":{\"closID\":\"..\"}"), ERR_INVALID, "closID '..' is no name" },
	{ LINUX("\"intelRdt\":{\"enableCMT\":true}"), ERR_UNSUPPORTED, "use enableMonitoring" },
	{ LINUX("\"intelRdt\":{\"memBwSchema\":\"L3:0=1\"}"), ERR_INVALID, "begin with MB:" },
	{ LINUX("\"intelRdt\":{\"l3CacheSchema\":\"L3:0=1\\nMB:0=1\"}"), ERR_INVALID,
	  "line break" },
	{ LINUX("\"intelRdt\":{\"schemata\":[\"L3:0=f\",\"odd\"]}"), ERR_INVALID, "schemata[1]" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}"), ERR_INVALID, "at least one node" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_LOCAL\",\"nodes\":\"0\"}"), ERR_INVALID,
	  "takes no nodes" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_ODD\"}"), ERR_INVALID, "memoryPolicy.mode" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"3-1\"}"), ERR_INVALID,
	  "memoryPolicy.nodes: '3-1'" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0-1024\"}"), ERR_INVALID,
	  "below 1024" },
	{ LINUX("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":["
		"\"MPOL_F_STATIC_NODES\",\"MPOL_F_RELATIVE_NODES\"]}"),
	  ERR_INVALID, "exclude one another" },
	{ HEAD ",\"annotations\":{\"run.oci.handler\":\"krun\"},\"linux\":{\"namespaces\":[{"
	       "\"type\":\"mount\"}]}}",
	  ERR_UNSUPPORTED, "annotation run.oci.handler" },
	{ HEAD ",\"annotations\":{\"run.oci.seccomp.receiver\":\"rel\"},\"linux\":{\"namespaces\":"
	       "[{\"type\":\"mount\"}]}}",
	  ERR_INVALID, "not an absolute path" },
	{ MOUNT("\"idmap=uids=0-1\""), ERR_INVALID, "FS-HOST-SIZE" },
	{ MOUNT("\"idmap=uids=@5-9-1;gids=0-0-1\""), ERR_INVALID, "FS-HOST-SIZE" },
	{ MOUNT("\"idmap=uids=0-0-1;gids=0-0-1#\""), ERR_INVALID, "FS-HOST-SIZE" },
	{ MOUNT("\"idmap=uids=0-0-1\""), ERR_INVALID, "go together" },
	{ MOUNT("\"idmap=uids=0-0-1;uids=0-0-1\""), ERR_INVALID, "FS-HOST-SIZE" },
	{ LINUX("\"devices\":[{\"path\":\"/dev/x\",\"type\":\"z\"}]"), ERR_INVALID,
	  "devices[0].type" },
	{ LINUX("\"devices\":[{\"path\":\"x\",\"type\":\"c\"}]"), ERR_INVALID, "devices[0].path" },
	{ LINUX("\"rootfsPropagation\":\"odd\""), ERR_INVALID, "rootfsPropagation" },
	{ LINUX("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}"), ERR_UNSUPPORTED,
	  "personality.flags" },
	{ LINUX("\"personality\":{\"domain\":\"BSD\"}"), ERR_INVALID, "personality.domain" },
	{ LINUX("\"sysctl\":{\"vm.swappiness\":\"1\"}"), ERR_INVALID, "would change the host" },
	{ LINUX("\"sysctl\":{\"kernel.hostname\":\"x\"}"), ERR_INVALID, "hostname" },
	{ LINUX("\"sysctl\":{\"net/../kernel/panic\":\"1\"}"), ERR_INVALID, "not a sysctl name" },
	{ HEAD ",\"linux\":{\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"},\"namespaces\":[{\"type\":"
	       "\"mount\"}]}}",
	  ERR_INVALID, "needs a network namespace" },
	{ LINUX("\"seccomp\":{\"architectures\":[]}"), ERR_INVALID, "defaultAction" },
	{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],"
		"\"action\":\"SCMP_ACT_ERRNO\"}]}"),
	  ERR_INVALID, "names" },
	{ LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerMetadata\":\"x\"}"),
	  ERR_INVALID, "listenerPath" },
	{ RESOURCES("\"devices\":[{\"type\":\"c\"}]"), ERR_INVALID, "devices[0].allow" },
	{ RESOURCES("\"memory\":{\"limit\":-2}"), ERR_INVALID, "memory.limit" },
	{ RESOURCES("\"memory\":{\"limit\":1.5}"), ERR_INVALID, "memory.limit" },
	{ RESOURCES("\"cpu\":{\"idle\":2}"), ERR_INVALID, "cpu.idle" },
	{ RESOURCES("\"pids\":{\"limit\":\"many\"}"), ERR_INVALID, "pids.limit" },
	{ RESOURCES("\"unified\":{\"../x\":\"1\"}"), ERR_INVALID, "unified" },
	{ RESOURCES("\"hugepageLimits\":[{\"pageSize\":\"a/b\",\"limit\":1}]"), ERR_INVALID,
	  "pageSize" },
};

static void each_bad_config_names_what_is_wrong(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_err(conf_read(slice_str(bad[i].text), f->a, &f->c, &err), bad[i].code,
			   bad[i].words);
}

static void a_config_cut_anywhere_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *text = PROCESS("\"env\":[\"A=\\u00e9\"],\"user\":{\"uid\":1}");
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		assert_true(conf_read(slice_of(text, i), f->a, &f->c, NULL) < 0);
	assert_int_equal(conf_read(slice_of(text, n), f->a, &f->c, NULL), 0);
}

static void deep_nesting_is_refused(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	struct err err;

	buf_adds(&b, "{\"x\":");
	for (int i = 0; i < 100000; i++)
		buf_addc(&b, '[');
	assert_err(conf_read(buf_slice(&b), f->a, &f->c, &err), ERR_TOO_LARGE, "config.json");
}

static void an_arena_that_is_full_is_an_error_at_each_allocation(void **state)
{
	const char *text = RESOURCES("\"devices\":[{\"allow\":true}],\"memory\":{\"limit\":1}");
	int r = -1;

	for (unsigned n = 1; r < 0; n++) {
		struct arena *a = arena_new("small", 1u << 20);
		struct err err = ERR_INIT;
		struct conf c;

		arena_fail_at(a, n);
		r = conf_read(slice_str(text), a, &c, &err);
		if (r < 0)
			assert_int_equal(err.code, ERR_QUOTA);
		arena_free(a);
		assert_true(n < 1000);
	}
}

static void a_process_alone_is_read_for_exec(void **state)
{
	struct fixture *f = *state;
	struct conf_process p;
	struct err err;

	assert_ok(
		conf_read_process(SLICE("{\"cwd\":\"/\",\"args\":[\"a\",\"b\"]}"), f->a, &p, &err));
	assert_int_equal(p.args.n, 2);
	assert_err(conf_read_process(SLICE("{\"cwd\":\"/\"}"), f->a, &p, &err), ERR_INVALID,
		   "args is empty");
	assert_err(conf_read_process(SLICE("nope"), f->a, &p, &err), ERR_BAD_REQUEST, "process");
}

static void who_joins_gets_its_part_alone(void **state)
{
	static const char text[] =
		"{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"/secret\"},\"hostname\":\"box\","
		"\"annotations\":{\"a\":\"b\",\"run.oci.keep_original_groups\":\"1\"},"
		"\"hooks\":{\"startContainer\":[{\"path\":\"/h\"}],\"poststop\":[{\"path\":\"/"
		"p\"}]},"
		"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"}],"
		"\"maskedPaths\":[\"/m\"],\"personality\":{\"domain\":\"LINUX32\"}}}";
	struct fixture *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	struct conf c, part;
	struct err err = ERR_INIT;

	assert_int_equal(conf_read(SLICE(text), f->a, &c, &err), 0);
	assert_int_equal(conf_write_part(&c, false, f->a, &b, &err), 0);
	assert_null(strstr(buf_str(&b), "/secret"));
	assert_null(strstr(buf_str(&b), "\"/m\""));
	assert_int_equal(conf_read_part(buf_slice(&b), f->a, &part, &err), 0);
	assert_string_equal(part.lin.personality->domain, "LINUX32");
	assert_int_equal(part.annotations.n, 1);
	assert_string_equal(conf_annotation(&part, "run.oci.keep_original_groups"), "1");
	assert_int_equal(part.hooks.kind[HOOK_START_CONTAINER].n, 0);
	b.n = 0;
	assert_int_equal(conf_write_part(&c, true, f->a, &b, &err), 0);
	assert_int_equal(conf_read_part(buf_slice(&b), f->a, &part, &err), 0);
	assert_int_equal(part.annotations.n, 2);
	assert_string_equal(part.hooks.kind[HOOK_START_CONTAINER].v[0].path, "/h");
	assert_int_equal(part.hooks.kind[HOOK_POSTSTOP].n, 0);
	assert_err(conf_read_part(SLICE("nope"), f->a, &part, &err), ERR_BAD_REQUEST, "");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_minimal_config_is_read),
		T(each_namespace_type_is_known),
		T(an_empty_string_counts_as_absent_where_go_writes_one),
		T(the_process_is_read_whole),
		T(hooks_of_all_six_kinds_are_read),
		T(unknown_properties_are_ignored),
		T(sysctls_of_own_namespaces_are_allowed),
		T(each_bad_config_names_what_is_wrong),
		T(a_config_cut_anywhere_is_refused),
		T(deep_nesting_is_refused),
		T(an_arena_that_is_full_is_an_error_at_each_allocation),
		T(a_process_alone_is_read_for_exec),
		T(who_joins_gets_its_part_alone),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
