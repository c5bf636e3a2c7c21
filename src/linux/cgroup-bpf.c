/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules for cgroup v2: a program of type BPF_PROG_TYPE_CGROUP_DEVICE, asked at each mknod
 * and open.
 *
 * Meaning: each of the asked-for rights (read, write, mknod) is decided by the last rule that names
 * it and matches the device; what no rule decides is allowed. The program walks the rules from the
 * last to the first: r2 type, r3 rights not yet granted, r4 major, r5 minor. It stops being written
 * at the first rule (from the end) that decides all: the verifier refuses code that cannot be
 * reached.
 */
#include "base/err.h"
#include "base/fd.h"
#include "linux/cgroup-priv.h"
#include "linux/sys.h"

#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>

#define PROGRAM_NAME "teu_devices"

enum { ATTACHED_MAX = 64 };

struct writer {
	struct bpf_insn *out;
	size_t n;
};

static void emit(struct writer *w, uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	w->out[w->n++] = (struct bpf_insn){
		.code = code, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off, .imm = imm
	};
}

static void emit_return(struct writer *w, int value)
{
	emit(w, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
	emit(w, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The jumps to the next rule are patched once its place is known. */
static void emit_if_not(struct writer *w, uint8_t reg, int32_t value, size_t *jumps,
			unsigned *n_jumps)
{
	jumps[(*n_jumps)++] = w->n;
	emit(w, BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, value);
}

/* True if the rule decides everything, so that nothing after it is reached. */
static bool emit_rule(struct writer *w, const struct cgroup_device *d)
{
	const bool full = d->access == CGROUP_RWM;
	size_t jumps[4];
	unsigned n = 0;

	if (d->type != 'a')
		emit_if_not(w, BPF_REG_2, d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR,
			    jumps, &n);
	if (d->major >= 0)
		emit_if_not(w, BPF_REG_4, (int32_t)d->major, jumps, &n);
	if (d->minor >= 0)
		emit_if_not(w, BPF_REG_5, (int32_t)d->minor, jumps, &n);
	if (!full && d->allow) {
		emit(w, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_3, 0, 0, ~(int32_t)d->access);
		emit_if_not(w, BPF_REG_3, 0, jumps, &n);
	} else if (!full) {
		emit(w, BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0, 1, (int32_t)d->access);
		jumps[n++] = w->n;
		emit(w, BPF_JMP | BPF_JA, 0, 0, 0, 0);
	}
	emit_return(w, d->allow);
	for (unsigned i = 0; i < n; i++)
		w->out[jumps[i]].off = (int16_t)(w->n - jumps[i] - 1);
	return n == 0;
}

int cgroup_check_device(const struct cgroup_device *d, struct err *err)
{
	if (!strchr("abc", d->type) || !d->type)
		return err_set(err, ERR_INVALID,
			       "linux.resources.devices: type '%c' is not a, b or c",
			       d->type ? d->type : '?');
	if (d->access == 0 || d->access & ~(unsigned)CGROUP_RWM)
		return err_set(
			err, ERR_INVALID,
			"linux.resources.devices: access must name at least one of r, w and m");
	if (d->major < -1 || d->minor < -1 || d->major > INT32_MAX || d->minor > INT32_MAX)
		return err_set(err, ERR_INVALID,
			       "linux.resources.devices: device number %lld:%lld is out of range",
			       (long long)d->major, (long long)d->minor);
	return 0;
}

int cgroup_bpf_build(const struct cgroup_device *rules, size_t n, struct bpf_insn *out,
		     size_t *ret_n, struct err *err)
{
	struct writer w = { .out = out };
	bool all = false;

	/* struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor */
	emit(&w, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
	emit(&w, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	emit(&w, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff);
	emit(&w, BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_3, 0, 0, 16);
	emit(&w, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1,
	     offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(&w, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_5, BPF_REG_1,
	     offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	for (size_t i = n; i-- > 0 && !all;) {
		struct cgroup_device d = rules[i];
		unsigned access = 0;
		int r = cgroup_check_device(&d, err);

		if (r < 0)
			return r;
		/* The kernel's bits are mknod 1, read 2, write 4. */
		access |= d.access & CGROUP_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0;
		access |= d.access & CGROUP_READ ? BPF_DEVCG_ACC_READ : 0;
		access |= d.access & CGROUP_WRITE ? BPF_DEVCG_ACC_WRITE : 0;
		d.access = access;
		if (w.n + 12 > CGROUP_BPF_MAX)
			return err_set(err, ERR_TOO_LARGE,
				       "linux.resources.devices: %zu rules make too long a program",
				       n);
		all = emit_rule(&w, &d);
	}
	if (!all)
		emit_return(&w, 1);
	*ret_n = w.n;
	return 0;
}

static uint64_t ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int load(const struct bpf_insn *insns, size_t n, struct err *err)
{
	union bpf_attr a = { 0 };
	char log[512] = "";
	int fd;

	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = ptr(insns);
	a.insn_cnt = (uint32_t)n;
	a.license = ptr("Apache-2.0");
	memcpy(a.prog_name, PROGRAM_NAME, sizeof(PROGRAM_NAME));
	fd = sys_bpf(BPF_PROG_LOAD, &a, sizeof(a));
	if (fd >= 0 || errno != EINVAL)
		return fd >= 0 ? fd : err_sys(err, "load the device program");
	/* Once more, for the verifier's reason. */
	a.log_buf = ptr(log);
	a.log_size = sizeof(log);
	a.log_level = 1;
	fd = sys_bpf(BPF_PROG_LOAD, &a, sizeof(a));
	return fd >= 0 ? fd : err_sys(err, "load the device program (%.200s)", log);
}

/* fd of a program of ours, else -1 */
static int open_if_ours(uint32_t id)
{
	CLEANUP(fd_close) int fd = -1;
	struct bpf_prog_info info = { 0 };
	union bpf_attr a = { 0 };

	a.prog_id = id;
	fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &a, sizeof(a));
	if (fd < 0)
		return -1;
	a = (union bpf_attr){ 0 };
	a.info.bpf_fd = (uint32_t)fd;
	a.info.info_len = sizeof(info);
	a.info.info = ptr(&info);
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a)) < 0 ||
	    strcmp(info.name, PROGRAM_NAME) != 0)
		return -1;
	return STEAL_FD(fd);
}

static int attach(int cgroup_fd, int prog, int cmd)
{
	union bpf_attr a = { 0 };

	a.target_fd = (uint32_t)cgroup_fd;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	/* MULTI: programs of the parents, and of whoever else is here, count too. */
	a.attach_flags = cmd == BPF_PROG_ATTACH ? BPF_F_ALLOW_MULTI : 0;
	return sys_bpf(cmd, &a, sizeof(a));
}

static int query(int cgroup_fd, uint32_t *ids, struct err *err)
{
	union bpf_attr a = { 0 };

	a.query.target_fd = (uint32_t)cgroup_fd;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = ptr(ids);
	a.query.prog_cnt = ATTACHED_MAX;
	if (sys_bpf(BPF_PROG_QUERY, &a, sizeof(a)) < 0)
		return err_sys(err, "ask for the attached device programs");
	return (int)a.query.prog_cnt;
}

int cgroup_bpf_set(int dir, const struct cgroup_device *rules, size_t n, struct err *err)
{
	CLEANUP_FREE struct bpf_insn *insns = calloc(CGROUP_BPF_MAX, sizeof(*insns));
	CLEANUP(fd_close) int prog = -1;
	CLEANUP(fd_close) int cgroup_fd = -1;
	uint32_t old[ATTACHED_MAX];
	int n_old, r;
	size_t len;

	if (!insns)
		abort();
	r = cgroup_bpf_build(rules, n, insns, &len, err);
	if (r < 0)
		return r;
	/* bpf(2) takes no O_PATH fd. */
	cgroup_fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (cgroup_fd < 0)
		return err_sys(err, "open the cgroup for its device program");
	n_old = query(cgroup_fd, old, err);
	if (n_old < 0)
		return n_old;
	prog = load(insns, len, err);
	if (prog < 0)
		return prog;
	if (attach(cgroup_fd, prog, BPF_PROG_ATTACH) < 0)
		return err_sys(err, "attach the device program");
	for (int i = 0; i < n_old; i++) {
		CLEANUP(fd_close) int ours = open_if_ours(old[i]);

		if (ours >= 0 && attach(cgroup_fd, ours, BPF_PROG_DETACH) < 0) {
			r = err_sys(err, "detach the former device program");
			(void)attach(cgroup_fd, prog, BPF_PROG_DETACH);
			return r;
		}
	}
	return 0;
}
