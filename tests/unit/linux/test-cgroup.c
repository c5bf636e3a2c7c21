/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cgroups: v1, v2 and hybrid trees of plain files for what is written where, and this machine's own
 * hierarchies (below teu-test-<pid>) for what the kernel makes of it.
 */
#include "linux/cgroup-priv.h"
#include "linux/proc.h"
#include "linux/sys.h"
#include "test-linux.h"

#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <sys/sysmacros.h>

struct tree {
	char dir[64];
	int root;
	struct cgroup_layout *l;
};

static void mkdirs(int root, const char *path)
{
	struct err err = ERR_INIT;

	assert_ok(fd_mkdir_p(root, path, 0755, &err), &err);
}

static int make_tree(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	strcpy_to(t->dir, sizeof(t->dir), "/tmp/teu-test-cgroup-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	t->root = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirs(t->root, "proc/self");
	mkdirs(t->root, "sys/fs/cgroup");
	put_file(t->root, "proc/self/mountinfo", "");
	*state = t;
	return 0;
}

static int drop_tree(void **state)
{
	struct tree *t = *state;

	cgroup_layout_free(t->l);
	close(t->root);
	assert_int_equal(fd_remove_tree(AT_FDCWD, t->dir, NULL), 0);
	free(t);
	return 0;
}

static void detect(struct tree *t, enum cgroup_mode mode)
{
	struct err err = ERR_INIT;

	assert_ok(cgroup_layout_new(t->root, &t->l, &err), &err);
	assert_int_equal(cgroup_layout_mode(t->l), mode);
}

/* A v2 tree whose cgroup /box is there with the files given (an empty file each). */
static void v2_tree(struct tree *t, const char *const *files)
{
	put_file(t->root, "proc/self/cgroup", "0::/\n");
	put_file(t->root, "sys/fs/cgroup/cgroup.controllers",
		 "cpuset cpu io memory hugetlb pids rdma\n");
	put_file(t->root, "sys/fs/cgroup/cgroup.subtree_control", "");
	mkdirs(t->root, "sys/fs/cgroup/box");
	put_file(t->root, "sys/fs/cgroup/box/cgroup.controllers",
		 "cpuset cpu io memory hugetlb pids rdma\n");
	for (; *files; files++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/box/%s", *files);
		put_file(t->root, path, "");
	}
	detect(t, CGROUP_V2);
}

static void expect_file(struct tree *t, const char *path, const char *want)
{
	char full[200], text[256];

	(void)snprintf(full, sizeof(full), "sys/fs/cgroup/%s", path);
	get_file(t->root, full, text, sizeof(text));
	assert_string_equal(text, want);
}

static struct cgroup *box(struct tree *t, uint32_t want)
{
	struct cgroup *cg = NULL;
	struct err err = ERR_INIT;

	assert_ok(cgroup_create(t->l, "/box", want, &cg, &err), &err);
	return cg;
}

static void limits_are_converted_for_v2(void **state)
{
	static const char *const files[] = { "memory.max",
					     "memory.low",
					     "memory.swap.max",
					     "cpu.weight",
					     "cpu.max",
					     "cpu.max.burst",
					     "cpuset.cpus",
					     "cpuset.mems",
					     "pids.max",
					     "io.weight",
					     "io.max",
					     "hugetlb.2MB.max",
					     "hugetlb.2MB.rsvd.max",
					     "rdma.max",
					     "memory.high",
					     NULL };
	const struct cgroup_throttle throttle = { CGROUP_WRITE_IOPS, 8, 0, 70 };
	const struct cgroup_hugepage huge = { "2MB", 4194304 };
	const struct cgroup_rdma rdma = { "mlx5_0", CGROUP_NUM(2), CGROUP_NUM(9) };
	const struct cgroup_pair unified = { "memory.high", "1000" };
	struct cgroup_limits lim = {
		.memory = { .limit = CGROUP_NUM(1 << 20),
			    .reservation = CGROUP_NUM(4096),
			    .swap = CGROUP_NUM(3 << 20) },
		.cpu = { .shares = CGROUP_NUM(1024),
			 .quota = CGROUP_NUM(50000),
			 .period = CGROUP_NUM(100000),
			 .burst = CGROUP_NUM(10),
			 .cpus = "0-1",
			 .mems = "0" },
		.pids = CGROUP_NUM(-1),
		.io = { .weight = CGROUP_NUM(1000), .throttle = &throttle, .n_throttle = 1 },
		.hugepages = &huge,
		.n_hugepages = 1,
		.rdma = &rdma,
		.n_rdma = 1,
		.unified = &unified,
		.n_unified = 1,
	};
	struct tree *t = *state;
	struct err err = ERR_INIT;

	v2_tree(t, files);
	CLEANUP(cgroup_free) struct cgroup *cg = box(t, cgroup_limits_need(&lim));
	expect_file(t, "cgroup.subtree_control", "+cpu +cpuset +memory +io +pids +hugetlb +rdma");
	assert_ok(cgroup_apply(cg, &lim, &err), &err);
	expect_file(t, "box/memory.max", "1048576");
	expect_file(t, "box/memory.low", "4096");
	expect_file(t, "box/memory.swap.max", "2097152");
	expect_file(t, "box/cpu.weight", "100");
	expect_file(t, "box/cpu.max", "50000 100000");
	expect_file(t, "box/cpu.max.burst", "10");
	expect_file(t, "box/cpuset.cpus", "0-1");
	expect_file(t, "box/pids.max", "max");
	expect_file(t, "box/io.weight", "default 10000");
	expect_file(t, "box/io.max", "8:0 wiops=70");
	expect_file(t, "box/hugetlb.2MB.rsvd.max", "4194304");
	expect_file(t, "box/rdma.max", "mlx5_0 hca_handle=2 hca_object=9");
	expect_file(t, "box/memory.high", "1000");
}

static void shares_follow_the_new_curve(void **state)
{
	assert_int_equal(cgroup_weight_of_shares(0), 1);
	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 100);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
	assert_int_equal(cgroup_weight_of_shares(1u << 30), 10000);
	for (uint64_t s = 3, last = 1; s < 262144; s = s * 5 / 4 + 1) {
		assert_true(cgroup_weight_of_shares(s) >= last);
		last = cgroup_weight_of_shares(s);
	}
}

static void what_v2_cannot_do_is_refused_by_name(void **state)
{
	static const char *const files[] = { "memory.max", "cpu.max", NULL };
	struct tree *t = *state;
	struct err err = ERR_INIT;

	v2_tree(t, files);
	CLEANUP(cgroup_free) struct cgroup *cg = box(t, CGROUP_ALL);
#define REFUSED(code, part, ...)                                                                 \
	assert_fails(cgroup_apply(cg, &(struct cgroup_limits){ __VA_ARGS__ }, &err), &err, code, \
		     part)
	REFUSED(ERR_UNSUPPORTED, "memory.kernel", .memory.kernel = CGROUP_NUM(1));
	REFUSED(ERR_UNSUPPORTED, "memory.swappiness", .memory.swappiness = CGROUP_NUM(1));
	REFUSED(ERR_UNSUPPORTED, "memory.disableOOMKiller",
		.memory.disable_oom_killer = CGROUP_NUM(1));
	REFUSED(ERR_UNSUPPORTED, "cpu.realtimeRuntime", .cpu.rt_runtime = CGROUP_NUM(1));
	REFUSED(ERR_UNSUPPORTED, "blockIO.leafWeight", .io.leaf_weight = CGROUP_NUM(10));
	REFUSED(ERR_UNSUPPORTED, "network.classID", .network.class_id = CGROUP_NUM(1));
	REFUSED(ERR_INVALID, "less than the limit",
		.memory = { .limit = CGROUP_NUM(10), .swap = CGROUP_NUM(5) });
	REFUSED(ERR_INVALID, "not within 10 to 1000", .io.weight = CGROUP_NUM(5));
	REFUSED(ERR_UNSUPPORTED, "'pids.max'", .pids = CGROUP_NUM(5));
	REFUSED(ERR_INVALID, "../x", .unified = &(struct cgroup_pair){ "../x", "1" },
		.n_unified = 1);
	REFUSED(ERR_INVALID, "page size", .hugepages = &(struct cgroup_hugepage){ "2MB/../x", 1 },
		.n_hugepages = 1);
}

static void v1_hierarchies_are_found_by_their_names(void **state)
{
	struct tree *t = *state;
	struct err err = ERR_INIT;
	char path[128];

	put_file(t->root, "proc/self/cgroup",
		 "3:cpu,cpuacct:/\n2:memory:/x\n1:name=systemd:/\n4:pids:/\n");
	mkdirs(t->root, "sys/fs/cgroup/cpu,cpuacct");
	mkdirs(t->root, "sys/fs/cgroup/systemd");
	mkdirs(t->root, "elsewhere/mem");
	put_file(t->root, "proc/self/mountinfo",
		 "1 2 0:3 / /elsewhere/mem rw - cgroup cgroup rw,memory\n");
	detect(t, CGROUP_V1);
	assert_int_equal(cgroup_layout_controllers(t->l), CGROUP_BIT(CPU) | CGROUP_BIT(CPUACCT) |
								  CGROUP_BIT(MEMORY) |
								  CGROUP_BIT(SYSTEMD));
	struct cgroup *cg = NULL;
	assert_fails(cgroup_create(t->l, "/a", CGROUP_BIT(PIDS), &cg, &err), &err, ERR_UNSUPPORTED,
		     "pids");
	assert_ok(cgroup_create(t->l, "docker//abc/", CGROUP_BIT(MEMORY), &cg, &err), &err);
	assert_string_equal(cgroup_path(cg), "/docker/abc");
	assert_ok(cgroup_dir_path(cg, CGROUP_MEMORY, path, sizeof(path), &err), &err);
	assert_string_equal(path, "/elsewhere/mem/docker/abc");
	assert_int_equal(faccessat(t->root, "elsewhere/mem/docker/abc", F_OK, 0), 0);
	assert_int_equal(faccessat(t->root, "sys/fs/cgroup/cpu,cpuacct/docker", F_OK, 0), -1);
	assert_fails(cgroup_apply(cg, &(struct cgroup_limits){ .cpu.shares = CGROUP_NUM(5) }, &err),
		     &err, ERR_UNSUPPORTED, "linux.resources.cpu.shares");
	assert_ok(cgroup_destroy(cg, 0, &err), &err);
	assert_int_equal(faccessat(t->root, "elsewhere/mem/docker", F_OK, 0), -1);
	cgroup_free(cg);
}

static void what_was_there_before_stays(void **state)
{
	static const char *const files[] = { "pids.max", NULL };
	CLEANUP(buf_fini) struct buf saved = BUF_INIT(4096);
	struct tree *t = *state;
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;

	v2_tree(t, files);
	assert_ok(cgroup_create(t->l, "/box/in/deep", 0, &cg, &err), &err);
	assert_ok(cgroup_save(cg, &saved, &err), &err);
	assert_string_equal(buf_str(&saved), "unified:2 /box/in/deep");
	cgroup_free(cg);
	assert_ok(cgroup_open(t->l, buf_str(&saved), &cg, &err), &err);
	assert_ok(cgroup_destroy(cg, 0, &err), &err);
	cgroup_free(cg);
	assert_int_equal(faccessat(t->root, "sys/fs/cgroup/box/in", F_OK, 0), -1);
	assert_int_equal(faccessat(t->root, "sys/fs/cgroup/box/pids.max", F_OK, 0), 0);
	/* A second time: nothing is left to remove. */
	assert_ok(cgroup_open(t->l, buf_str(&saved), &cg, &err), &err);
	assert_ok(cgroup_destroy(cg, 0, &err), &err);
	cgroup_free(cg);
	cg = box(t, 0);
	assert_ok(cgroup_destroy(cg, 0, &err), &err);
	assert_int_equal(faccessat(t->root, "sys/fs/cgroup/box", F_OK, 0), 0);
	cgroup_free(cg);
}

static void bad_paths_and_saved_texts_are_refused(void **state)
{
	static const char *const files[] = { NULL };
	struct tree *t = *state;
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;

	v2_tree(t, files);
	assert_fails(cgroup_create(t->l, "/a/../b", 0, &cg, &err), &err, ERR_INVALID, "'..'");
	assert_fails(cgroup_create(t->l, "///", 0, &cg, &err), &err, ERR_INVALID, "of its own");
	assert_fails(cgroup_create(t->l, "a\nb", 0, &cg, &err), &err, ERR_INVALID, "line break");
	assert_fails(cgroup_open(t->l, "unified:1", &cg, &err), &err, ERR_INVALID, "no path");
	assert_fails(cgroup_open(t->l, "unified:x /box", &cg, &err), &err, ERR_INVALID, "<number>");
	assert_fails(cgroup_open(t->l, "unified:1 /../etc", &cg, &err), &err, ERR_INVALID, "'..'");
	assert_null(cg);
}

static void hybrid_takes_the_rest_from_v2(void **state)
{
	struct tree *t = *state;

	put_file(t->root, "proc/self/cgroup", "2:memory:/\n0::/\n");
	mkdirs(t->root, "sys/fs/cgroup/memory");
	mkdirs(t->root, "sys/fs/cgroup/unified");
	put_file(t->root, "sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
	detect(t, CGROUP_HYBRID);
	assert_int_equal(cgroup_layout_controllers(t->l),
			 CGROUP_BIT(MEMORY) | CGROUP_BIT(HUGETLB) | CGROUP_BIT(UNIFIED));
}

static void no_cgroups_at_all_is_a_mode(void **state)
{
	struct tree *t = *state;
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;

	put_file(t->root, "proc/self/cgroup", "");
	detect(t, CGROUP_NONE);
	assert_fails(cgroup_create(t->l, "/a", CGROUP_BIT(MEMORY), &cg, &err), &err,
		     ERR_UNSUPPORTED, "memory");
	assert_ok(cgroup_create(t->l, "/a", CGROUP_ALL, &cg, &err), &err);
	assert_ok(cgroup_apply(cg, &(struct cgroup_limits){ 0 }, &err), &err);
	assert_ok(cgroup_destroy(cg, 0, &err), &err);
	cgroup_free(cg);
}

/* Runs the program as the kernel would. Only the instructions that we emit. */
static int run_program(const struct bpf_insn *p, uint32_t type, uint32_t access, uint32_t major,
		       uint32_t minor)
{
	uint64_t r[11] = { 0 };
	uint32_t ctx[3] = { access << 16 | type, major, minor };

	for (size_t pc = 0;; pc++) {
		const struct bpf_insn *i = &p[pc];
		uint64_t imm = (uint64_t)(int64_t)i->imm;

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W: r[i->dst_reg] = ctx[i->off / 4]; break;
		case BPF_ALU64 | BPF_MOV | BPF_X: r[i->dst_reg] = r[i->src_reg]; break;
		case BPF_ALU64 | BPF_MOV | BPF_K: r[i->dst_reg] = imm; break;
		case BPF_ALU64 | BPF_AND | BPF_K: r[i->dst_reg] &= imm; break;
		case BPF_ALU64 | BPF_RSH | BPF_K: r[i->dst_reg] >>= imm; break;
		case BPF_JMP | BPF_JNE | BPF_K:
			pc += r[i->dst_reg] != imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += r[i->dst_reg] & imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JA: pc += (size_t)i->off; break;
		case BPF_JMP | BPF_EXIT: return (int)r[0];
		default: fail_msg("unknown instruction %x", i->code);
		}
	}
}

static void the_device_program_decides_by_the_last_rule(void **state)
{
	const struct cgroup_device rules[] = {
		{ false, 'a', -1, -1, CGROUP_RWM },
		{ true, 'c', 1, 3, CGROUP_READ | CGROUP_WRITE },
		{ true, 'c', -1, -1, CGROUP_MKNOD },
		{ true, 'b', 8, -1, CGROUP_RWM },
		{ false, 'b', 8, 1, CGROUP_WRITE },
	};
	struct bpf_insn p[256];
	struct err err = ERR_INIT;
	size_t n;

	assert_ok(cgroup_bpf_build(rules, 5, p, &n, &err), &err);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 1, 3), 1);
	assert_int_equal(
		run_program(p, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE, 1, 3),
		1);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, 1, 5), 0);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_MKNOD, 1, 5), 1);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_WRITE, 8, 0), 1);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_WRITE, 8, 1), 0);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, 8, 1), 1);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, 9, 1), 0);
	assert_ok(cgroup_bpf_build(rules, 0, p, &n, &err), &err);
	assert_int_equal(run_program(p, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, 9, 1), 1);
	assert_fails(
		cgroup_bpf_build(&(struct cgroup_device){ true, 'x', 1, 1, 7 }, 1, p, &n, &err),
		&err, ERR_INVALID, "'x'");
	assert_fails(
		cgroup_bpf_build(&(struct cgroup_device){ true, 'c', 1, 1, 0 }, 1, p, &n, &err),
		&err, ERR_INVALID, "access");
}

/* ---- this machine ---- */

struct real {
	struct cgroup_layout *l;
	char path[64];
};

static int make_real(void **state)
{
	struct real *m = calloc(1, sizeof(*m));
	struct err err = ERR_INIT;

	assert_ok(cgroup_layout_new(-1, &m->l, &err), &err);
	(void)snprintf(m->path, sizeof(m->path), "/teu-test-%d/box", (int)getpid());
	*state = m;
	return 0;
}

static int drop_real(void **state)
{
	struct real *m = *state;
	char path[512];

	/* Nothing may be left in any hierarchy. */
	(void)cgroup_layout_controllers(m->l); /* looks for all of them */
	for (unsigned i = 0; i < m->l->n; i++) {
		if (!m->l->hiers[i].mount)
			continue;
		(void)snprintf(path, sizeof(path), "%s/teu-test-%d", m->l->hiers[i].mount,
			       (int)getpid());
		assert_int_equal(access(path, F_OK), -1);
	}
	cgroup_layout_free(m->l);
	free(m);
	return 0;
}

static void need(struct real *m, uint32_t mask)
{
	if (geteuid() != 0 || (cgroup_layout_controllers(m->l) & mask) != mask) {
		print_message("skipped: needs root and the controllers %x\n", mask);
		skip();
	}
}

static int sleeper(void *arg)
{
	const struct cgroup *cg = arg;

	if (cg && cgroup_enter(cg, NULL) < 0)
		return 9;
	for (int i = 0; i < 3; i++)
		if (fork() == 0)
			break;
	for (;;)
		pause();
	return 0;
}

static void kill_group(struct cgroup *cg)
{
	const struct proc_clone c = { .fn = sleeper, .arg = cg, .cgroup_fd = -1 };
	struct proc p = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	struct err err = ERR_INIT;
	size_t n = 0;
	pid_t pids[8];

	assert_ok(cgroup_open_procs(cg, &err), &err);
	assert_ok(proc_clone(&c, &p, &err), &err);
	for (int i = 0; i < 200 && n < 4; i++) {
		assert_ok(cgroup_pids(cg, pids, 8, &n, &err), &err);
		(void)poll(NULL, 0, 5);
	}
	assert_int_equal(n, 4);
	assert_int_equal(cgroup_populated(cg, &err), 1);
	assert_fails(cgroup_destroy(cg, 0, &err), &err, ERR_CONFLICT, "processes are in it");
	assert_ok(cgroup_kill(cg, 5000, &err), &err);
	assert_ok(proc_wait(p.pidfd, 5000, &x, &err), &err);
	assert_int_equal(proc_exit_code(&x), 137);
	assert_int_equal(cgroup_populated(cg, &err), 0);
	assert_ok(cgroup_destroy(cg, 2000, &err), &err);
	proc_fini(&p);
}

static void v1_limits_members_and_kill_for_real(void **state)
{
	struct real *m = *state;
	const uint32_t want = CGROUP_BIT(MEMORY) | CGROUP_BIT(PIDS) | CGROUP_BIT(DEVICES) |
			      CGROUP_BIT(FREEZER) | CGROUP_BIT(CPU) | CGROUP_BIT(CPUSET);
	const struct cgroup_device dev[] = { { false, 'a', -1, -1, 7 },
					     { true, 'c', 1, 3, 7 },
					     { true, 'a', 10, -1, 1 } };
	struct cgroup_limits lim = {
		.memory = { .limit = CGROUP_NUM(64 << 20),
			    .swap = CGROUP_NUM(64 << 20),
			    .reservation = CGROUP_NUM(1 << 20),
			    .swappiness = CGROUP_NUM(10),
			    .check_before_update = CGROUP_NUM(1) },
		.cpu = { .shares = CGROUP_NUM(512),
			 .quota = CGROUP_NUM(20000),
			 .period = CGROUP_NUM(50000),
			 .cpus = "0" },
		.pids = CGROUP_NUM(33),
		.devices = dev,
		.n_devices = 3,
	};
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;
	struct cgroup_stats s;
	char text[128];
	uint64_t kills = 9;
	uint32_t events;
	int fd = -1;

	need(m, want);
	if (cgroup_layout_mode(m->l) == CGROUP_V2)
		skip();
	assert_ok(cgroup_create(m->l, m->path, want, &cg, &err), &err);
	assert_ok(cgroup_apply(cg, &lim, &err), &err);
	assert_ok(cgroup_stats(cg, &s, &err), &err);
	assert_int_equal(s.memory_limit, 64 << 20);
	assert_int_equal(s.pids_limit, 33);
	get_file(cgroup_dir_fd(cg, CGROUP_DEVICES), "devices.list", text, sizeof(text));
	assert_string_equal(text, "c 1:3 rwm\nb 10:* r\nc 10:* r");
	get_file(cgroup_dir_fd(cg, CGROUP_CPU), "cpu.cfs_quota_us", text, sizeof(text));
	assert_string_equal(text, "20000");
	/* Both limits rise, then fall: the order of the two writes differs. */
	lim = (struct cgroup_limits){ .memory = { .limit = CGROUP_NUM(128 << 20),
						  .swap = CGROUP_NUM(128 << 20) } };
	assert_ok(cgroup_apply(cg, &lim, &err), &err);
	lim = (struct cgroup_limits){ .memory = { .limit = CGROUP_NUM(32 << 20),
						  .swap = CGROUP_NUM(32 << 20) } };
	assert_ok(cgroup_apply(cg, &lim, &err), &err);
	assert_ok(cgroup_oom_watch(cg, &fd, &events, &err), &err);
	assert_ok(cgroup_oom_kills(cg, &kills, &err), &err);
	assert_int_equal(kills, 0);
	close(fd);
	assert_fails(cgroup_apply(cg, &(struct cgroup_limits){ .cpu.cpus = "77" }, &err), &err,
		     ERR_INVALID, "linux.resources.cpu.cpus");
	kill_group(cg);
	cgroup_free(cg);
}

static void v1_freezes_and_is_found_again_by_its_text(void **state)
{
	struct real *m = *state;
	CLEANUP(buf_fini) struct buf saved = BUF_INIT(4096);
	const struct proc_clone c = { .fn = sleeper, .cgroup_fd = -1, .flags = CLONE_NEWPID };
	struct proc p = { .pidfd = -1 };
	struct proc_exit x;
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;

	need(m, CGROUP_BIT(FREEZER));
	if (cgroup_layout_mode(m->l) == CGROUP_V2)
		skip();
	assert_ok(cgroup_create(m->l, m->path, CGROUP_BIT(FREEZER), &cg, &err), &err);
	assert_ok(proc_clone(&c, &p, &err), &err);
	assert_ok(cgroup_add(cg, p.pid, &err), &err);
	assert_ok(cgroup_freeze(cg, 2000, &err), &err);
	assert_int_equal(cgroup_frozen(cg, &err), 1);
	assert_ok(cgroup_save(cg, &saved, &err), &err);
	cgroup_free(cg);
	assert_ok(cgroup_open(m->l, buf_str(&saved), &cg, &err), &err);
	assert_ok(cgroup_thaw(cg, &err), &err);
	assert_int_equal(cgroup_frozen(cg, &err), 0);
	assert_ok(cgroup_freeze(cg, 2000, &err), &err);
	assert_ok(cgroup_kill(cg, 5000, &err), &err);
	assert_ok(proc_wait(p.pidfd, 5000, &x, &err), &err);
	proc_fini(&p);
	assert_ok(cgroup_destroy(cg, 2000, &err), &err);
	cgroup_free(cg);
}

static void v1_what_is_added_is_known_before_and_adopted_after(void **state)
{
	struct real *m = *state;
	CLEANUP(buf_fini) struct buf before = BUF_INIT(4096);
	CLEANUP(buf_fini) struct buf after = BUF_INIT(4096);
	const struct proc_clone c = { .fn = sleeper, .cgroup_fd = -1, .flags = CLONE_NEWPID };
	const uint32_t both = CGROUP_BIT(PIDS) | CGROUP_BIT(FREEZER);
	struct proc p = { .pidfd = -1 };
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;
	struct proc_exit x;
	size_t n = 0, k = 0;
	pid_t pids[8];

	need(m, both);
	if (cgroup_layout_mode(m->l) == CGROUP_V2)
		skip();
	assert_ok(cgroup_create(m->l, m->path, CGROUP_BIT(PIDS), &cg, &err), &err);
	assert_ok(proc_clone(&c, &p, &err), &err);
	assert_ok(cgroup_add(cg, p.pid, &err), &err);
	/* What is said before is what is there after: also for a handle made of it that finds
	 * nothing yet. */
	assert_ok(cgroup_save_extended(cg, both, &before, &err), &err);
	cgroup_free(cg);
	assert_ok(cgroup_open(m->l, buf_str(&before), &cg, &err), &err);
	assert_int_equal(cgroup_dir_fd(cg, CGROUP_FREEZER), -1);
	assert_ok(cgroup_extend(cg, both, &err), &err);
	assert_ok(cgroup_save(cg, &after, &err), &err);
	assert_string_equal(buf_str(&before), buf_str(&after));
	assert_int_equal(cgroup_pids_of(cgroup_dir_fd(cg, CGROUP_FREEZER), pids, 8, &n), 0);
	assert_true(n >= 1);
	cgroup_free(cg);
	/* Who knows the path alone takes it over, and removes it all. */
	assert_ok(cgroup_create(m->l, m->path, both, &cg, &err), &err);
	assert_ok(cgroup_kill(cg, 5000, &err), &err);
	assert_ok(proc_wait(p.pidfd, 5000, &x, &err), &err);
	assert_ok(cgroup_destroy(cg, 2000, &err), &err); /* has made nothing */
	assert_ok(cgroup_pids(cg, pids, 8, &k, &err), &err);
	assert_int_equal(k, 0);
	assert_true(cgroup_dir_fd(cg, CGROUP_PIDS) >= 0);
	cgroup_adopt(cg);
	assert_ok(cgroup_destroy(cg, 2000, &err), &err);
	assert_int_equal(cgroup_dir_fd(cg, CGROUP_PIDS), -1);
	cgroup_free(cg);
	/* The record knows the parents too; the fixture sees that nothing is left. */
	assert_ok(cgroup_open(m->l, buf_str(&before), &cg, &err), &err);
	assert_ok(cgroup_destroy(cg, 2000, &err), &err);
	proc_fini(&p);
	cgroup_free(cg);
}

static int opener(void *arg)
{
	const struct cgroup *cg = arg;
	int fd;

	if (cg && cgroup_enter(cg, NULL) < 0)
		return 9;
	fd = open("/dev/null", O_RDWR);
	return (fd >= 0 ? 1 : 0) | (open("/dev/zero", O_RDONLY) >= 0 ? 2 : 0);
}

static int run_in(struct cgroup *cg, bool born)
{
	const struct proc_clone c = { .fn = opener,
				      .arg = born ? NULL : cg,
				      .cgroup_fd = born ? cgroup_v2_fd(cg) : -1,
				      .shared = true };
	struct proc p = { .pidfd = -1 };
	struct proc_exit x = { 0 };
	struct err err = ERR_INIT;

	assert_ok(cgroup_open_procs(cg, &err), &err);
	assert_ok(proc_clone(&c, &p, &err), &err);
	assert_int_equal(p.in_cgroup, born);
	assert_ok(proc_wait(p.pidfd, -1, &x, &err), &err);
	proc_fini(&p);
	return proc_exit_code(&x);
}

static void v2_devices_birth_freeze_and_kill_for_real(void **state)
{
	struct real *m = *state;
	struct cgroup_device dev[] = { { false, 'a', -1, -1, 7 }, { true, 'c', 1, 3, 7 } };
	struct err err = ERR_INIT;
	struct cgroup *cg = NULL;

	need(m, CGROUP_BIT(UNIFIED));
	assert_ok(cgroup_create(m->l, m->path, CGROUP_BIT(UNIFIED), &cg, &err), &err);
	assert_int_equal(run_in(cg, true), 3);
	assert_ok(cgroup_bpf_set(cgroup_v2_fd(cg), dev, 2, &err), &err);
	assert_int_equal(run_in(cg, true), 1);
	assert_int_equal(run_in(cg, false), 1);
	dev[1].minor = 5; /* the former program is replaced, not added to */
	assert_ok(cgroup_bpf_set(cgroup_v2_fd(cg), dev, 2, &err), &err);
	assert_int_equal(run_in(cg, true), 2);
	assert_ok(cgroup_bpf_set(cgroup_v2_fd(cg), NULL, 0, &err), &err);
	assert_ok(cgroup_freeze(cg, 2000, &err), &err);
	assert_int_equal(cgroup_frozen(cg, &err), 1);
	assert_ok(cgroup_thaw(cg, &err), &err);
	kill_group(cg);
	cgroup_free(cg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(limits_are_converted_for_v2),
		cmocka_unit_test(shares_follow_the_new_curve),
		TREE_TEST(what_v2_cannot_do_is_refused_by_name),
		TREE_TEST(v1_hierarchies_are_found_by_their_names),
		TREE_TEST(what_was_there_before_stays),
		TREE_TEST(bad_paths_and_saved_texts_are_refused),
		TREE_TEST(hybrid_takes_the_rest_from_v2),
		TREE_TEST(no_cgroups_at_all_is_a_mode),
		cmocka_unit_test(the_device_program_decides_by_the_last_rule),
		cmocka_unit_test_setup_teardown(v1_limits_members_and_kill_for_real, make_real,
						drop_real),
		cmocka_unit_test_setup_teardown(v1_freezes_and_is_found_again_by_its_text,
						make_real, drop_real),
		cmocka_unit_test_setup_teardown(v1_what_is_added_is_known_before_and_adopted_after,
						make_real, drop_real),
		cmocka_unit_test_setup_teardown(v2_devices_birth_freeze_and_kill_for_real,
						make_real, drop_real),
	};

	return cmocka_run_group_tests_name("linux/cgroup", tests, NULL, NULL);
}
