/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiled filter's way to the kernel and to a cache: load, probes, bytes with a digest of their
 * source. Bytes from a cache are not trusted: every instruction must be one that the compiler
 * makes, every jump must stay inside (the kernel would check too, but then the error came at the
 * start of a container).
 */
#include "linux/seccomp-tables.h"

#include "base/err.h"
#include "base/hash.h"
#include "linux/sys.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* Part of every digest: another one when the compiler's output for the same input changes. */
#define COMPILER_VERSION 2

/* ---- load ---- */

static uint32_t action_value(enum seccomp_action a)
{
	static const uint32_t value[SECCOMP_ACT_COUNT] = {
		SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRAP,
		SECCOMP_RET_ERRNO,	 SECCOMP_RET_TRACE,	   SECCOMP_RET_ALLOW,
		SECCOMP_RET_LOG,	 SECCOMP_RET_USER_NOTIF,
	};
	return value[a];
}

bool seccomp_kernel_has_action(enum seccomp_action a)
{
	uint32_t value = action_value(a);

	return sys_seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &value) == 0;
}

/* The kernel looks at the flags before it reads the program: EFAULT means that it knows them. */
bool seccomp_kernel_has_flag(uint32_t flag)
{
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, flag, NULL) < 0 && errno == EFAULT;
}

/* EINVAL has many reasons: find the one. */
static int lacks(const struct seccomp_prog *p, struct err *err)
{
	const char *name;
	uint32_t flag;

	for (unsigned i = 0; (name = seccomp_flag_name(i, &flag)); i++)
		if (p->flags & flag && !seccomp_kernel_has_flag(flag))
			return err_sysc(err, ERR_UNSUPPORTED, EINVAL,
					"load seccomp filter: this kernel lacks %s", name);
	if (p->notify && !seccomp_kernel_has_action(SECCOMP_ACT_NOTIFY))
		return err_sysc(
			err, ERR_UNSUPPORTED, EINVAL,
			"load seccomp filter: this kernel lacks SCMP_ACT_NOTIFY (Linux 5.0)");
	return err_sysc(err, ERR_SYSTEM, EINVAL, "load seccomp filter of %u instructions", p->n);
}

int seccomp_install(const struct seccomp_prog *p, int *ret_listener, struct err *err)
{
	struct sock_fprog prog = { .len = p->n, .filter = p->insns };
	uint32_t flags = p->flags;
	int r;

	if (p->notify) {
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
		/* Both give a result; ESRCH instead of a thread id leaves room for the fd. */
		if (flags & SECCOMP_FILTER_FLAG_TSYNC)
			flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	}
	r = sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);
	if (r < 0 && errno == EINVAL)
		return lacks(p, err);
	if (r < 0 && errno == ENOSYS)
		return err_sysc(
			err, ERR_UNSUPPORTED, ENOSYS,
			"load seccomp filter: this kernel is built without CONFIG_SECCOMP_FILTER");
	if (r < 0 && errno == EACCES)
		return err_sysc(err, ERR_FORBIDDEN, EACCES,
				"load seccomp filter without no_new_privs or CAP_SYS_ADMIN");
	if (r < 0 && errno == EBUSY)
		return err_sysc(err, ERR_CONFLICT, EBUSY,
				"load seccomp filter with SCMP_ACT_NOTIFY: another filter has a "
				"listener already");
	if (r < 0)
		return err_sys(err, "load seccomp filter of %u instructions", p->n);
	if (!p->notify && r > 0)
		return err_set(err, ERR_CONFLICT,
			       "load seccomp filter: thread %d has filters that this one has not",
			       r);
	if (ret_listener)
		*ret_listener = p->notify ? r : -1;
	return 0;
}

/* ---- verdict ---- */

static uint32_t native_audit_arch(void)
{
#if defined(__x86_64__)
	return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
	return AUDIT_ARCH_AARCH64;
#else
	return 0; /* no program speaks of it: its verdict on foreign calls */
#endif
}

/* As the kernel would run it; only what the compiler emits (insn_ok). */
uint32_t seccomp_verdict(const struct seccomp_prog *p, int nr, const uint64_t args[6])
{
	struct seccomp_data d = { .nr = nr, .arch = native_audit_arch() };
	uint32_t acc = 0;

	memcpy(d.args, args, sizeof(d.args));
	for (unsigned i = 0; i < p->n; i++) {
		const struct sock_filter *f = &p->insns[i];
		bool yes;

		switch (f->code) {
		case BPF_RET | BPF_K: return f->k;
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k > sizeof(d) - sizeof(acc))
				return SECCOMP_RET_KILL_PROCESS;
			memcpy(&acc, (const char *)&d + f->k, sizeof(acc));
			continue;
		case BPF_ALU | BPF_AND | BPF_K: acc &= f->k; continue;
		case BPF_JMP | BPF_JA: i += f->k; continue;
		case BPF_JMP | BPF_JEQ | BPF_K: yes = acc == f->k; break;
		case BPF_JMP | BPF_JGT | BPF_K: yes = acc > f->k; break;
		case BPF_JMP | BPF_JGE | BPF_K: yes = acc >= f->k; break;
		default: return SECCOMP_RET_KILL_PROCESS;
		}
		i += yes ? f->jt : f->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

bool seccomp_allows(uint32_t verdict)
{
	uint32_t action = verdict & SECCOMP_RET_ACTION_FULL;

	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

/* ---- digest ---- */

static void digest_u64(struct sha256 *s, uint64_t v)
{
	unsigned char b[8];

	for (unsigned i = 0; i < 8; i++)
		b[i] = (unsigned char)(v >> (8 * i));
	sha256_update(s, b, sizeof b);
}

static void digest_rule(struct sha256 *s, const struct seccomp_rule *r)
{
	digest_u64(s, (uint64_t)r->action << 32 | (uint32_t)r->errno_ret);
	digest_u64(s, r->n_names);
	for (size_t i = 0; i < r->n_names; i++)
		sha256_update(s, r->names[i], strlen(r->names[i]) + 1);
	digest_u64(s, r->n_conds);
	for (size_t i = 0; i < r->n_conds; i++) {
		digest_u64(s, (uint64_t)r->conds[i].index << 8 | r->conds[i].op);
		digest_u64(s, r->conds[i].value);
		digest_u64(s, r->conds[i].value_two);
	}
}

void seccomp_digest(const struct seccomp_filter *f, char hex[SHA256_HEX_LEN + 1])
{
	unsigned char out[SHA256_LEN];
	struct sha256 s;

	sha256_init(&s);
	digest_u64(&s, COMPILER_VERSION);
	digest_u64(&s, f->native ? f->native : seccomp_arch_host());
	digest_u64(&s, (uint64_t)f->def_action << 32 | (uint32_t)f->def_errno);
	digest_u64(&s, (uint64_t)f->options << 32 | f->flags);
	digest_u64(&s, f->n_arches);
	for (size_t i = 0; i < f->n_arches; i++)
		digest_u64(&s, f->arches[i]);
	digest_u64(&s, f->n_rules);
	for (size_t i = 0; i < f->n_rules; i++)
		digest_rule(&s, &f->rules[i]);
	sha256_final(&s, out);
	hex_encode(hex, out, sizeof out);
}

/* ---- bytes ---- */

/* Host byte order: the file is of this machine. */
struct saved {
	char magic[8];
	char digest[SHA256_HEX_LEN];
	uint32_t flags, unknown, crc;
	uint16_t n;
	uint16_t notify;
};

static const char magic[8] = { 't', 'e', 'u', 'b', 'p', 'f', '0' + COMPILER_VERSION, '\n' };

/* Over the head too: a listener or a flag must not come or go by a flipped bit. */
static uint32_t checksum(const struct saved *s, const void *insns, size_t bytes)
{
	struct saved head = *s;

	head.crc = 0;
	return crc32c(crc32c(0, &head, sizeof(head)), insns, bytes);
}

int seccomp_save(const struct seccomp_prog *p, const char *hex, struct buf *out)
{
	size_t bytes = p->n * sizeof *p->insns;
	struct saved s = {
		.flags = p->flags,
		.unknown = p->unknown,
		.n = p->n,
		.notify = p->notify,
	};

	memcpy(s.magic, magic, sizeof magic);
	memcpy(s.digest, hex, sizeof s.digest);
	s.crc = checksum(&s, p->insns, bytes);
	if (buf_add(out, &s, sizeof s) < 0)
		return -ERR_QUOTA;
	return buf_add(out, p->insns, bytes);
}

/* What the compiler emits, and nothing else. */
static bool insn_ok(const struct sock_filter *f, unsigned i, unsigned n)
{
	unsigned left = n - i - 1; /* instructions behind this one */

	switch (f->code) {
	case BPF_RET | BPF_K: return true;
	case BPF_LD | BPF_W | BPF_ABS:
		return f->k % 4 == 0 && f->k < sizeof(struct seccomp_data) && left > 0;
	case BPF_ALU | BPF_AND | BPF_K: return left > 0;
	case BPF_JMP | BPF_JA: return f->k < left;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K: return f->jt < left && f->jf < left;
	default: return false;
	}
}

int seccomp_restore(struct slice bytes, const char *hex, struct seccomp_prog *ret, struct err *err)
{
	struct seccomp_prog p;
	struct saved s;
	size_t size;

	if (bytes.n < sizeof s)
		return err_set(err, ERR_INVALID, "saved seccomp program: cut off after %zu bytes",
			       bytes.n);
	memcpy(&s, bytes.p, sizeof s);
	if (memcmp(s.magic, magic, sizeof magic) != 0 ||
	    memcmp(s.digest, hex, sizeof s.digest) != 0)
		return err_set(err, ERR_NOT_FOUND,
			       "saved seccomp program: is of another profile or version");
	size = s.n * sizeof *p.insns;
	if (s.n == 0 || s.n > BPF_MAXINSNS || bytes.n != sizeof s + size)
		return err_set(err, ERR_INVALID,
			       "saved seccomp program: %zu bytes do not hold %u instructions",
			       bytes.n, s.n);
	if (checksum(&s, bytes.p + sizeof s, size) != s.crc)
		return err_set(err, ERR_INVALID, "saved seccomp program: wrong checksum");
	p = (struct seccomp_prog){
		.insns = malloc(size),
		.n = s.n,
		.notify = s.notify != 0,
		.flags = s.flags,
		.unknown = s.unknown,
	};
	if (!p.insns)
		abort();
	memcpy(p.insns, bytes.p + sizeof s, size);
	for (unsigned i = 0; i < p.n; i++)
		if (!insn_ok(&p.insns[i], i, p.n)) {
			seccomp_prog_fini(&p);
			return err_set(err, ERR_INVALID,
				       "saved seccomp program: bad instruction %u", i);
		}
	*ret = p;
	return 0;
}
