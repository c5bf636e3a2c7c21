/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiler from rules to classic BPF.
 *
 * Per architecture every call number has a verdict: a return value, or a chain of conditional
 * rules. Neighbours of equal verdict form a segment; a binary search over the segments is the
 * program. It is built from its end backwards, so that a jump's target is always known and a
 * subtree stands right behind its node. Jumps of a condition reach 255 instructions: what is
 * further away is reached by a copy of the return or a long jump. Every jump names both targets,
 * hence code may be put between any two pieces.
 */
#include "linux/seccomp-tables.h"

#include "base/err.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 1024	  /* call numbers without base; the highest is below 600 */
#define SLOT_PRIVATE 1008 /* slots of arm's private calls */
#define NODES_MAX 65535
#define NEAR 250 /* of the 255 that a jump reaches: leaves room for the helpers put between */
#define RETS 16

/* A rule that applies to a call, or a part of one: the conditions [cond, cond + n) of rules[rule].
 */
struct node {
	uint32_t ret;
	uint16_t rule, prev; /* prev: index of the node before it in the chain, 0 = none */
	uint8_t cond, n;
	uint8_t mux; /* not 0: argument 0 equals this instead of what the rule says of argument 0 */
};

struct segment {
	uint32_t start;
	uint16_t chain; /* last node, 0 = ret is the verdict */
	uint32_t ret;
};

struct comp {
	const struct seccomp_filter *f;
	const struct seccomp_arch_info *arch;
	struct err *err;
	int16_t *name;	    /* index of each name of each rule, in order; -1 unknown */
	struct node *nodes; /* nodes[0] is not used */
	uint32_t n_nodes, cap_nodes;
	uint32_t def; /* verdict of what no rule names */
	uint32_t unknown;
	bool notify;
	uint16_t last[SLOTS]; /* last node of each call's chain, 0 = no rule */
	struct segment seg[SLOTS + 1];
	unsigned n_seg;
	/* program, filled from the end; code[pos] is its first instruction */
	unsigned pos;
	bool overflow;
	struct {
		uint32_t value;
		unsigned label;
	} rets[RETS];
	unsigned n_rets;
	struct sock_filter code[BPF_MAXINSNS];
};

static int action_ret(enum seccomp_action a, int errno_ret, uint32_t *ret, struct err *err)
{
	static const uint32_t base[SECCOMP_ACT_COUNT] = {
		[SECCOMP_ACT_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
		[SECCOMP_ACT_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS,
		[SECCOMP_ACT_TRAP] = SECCOMP_RET_TRAP,
		[SECCOMP_ACT_ERRNO] = SECCOMP_RET_ERRNO,
		[SECCOMP_ACT_TRACE] = SECCOMP_RET_TRACE,
		[SECCOMP_ACT_ALLOW] = SECCOMP_RET_ALLOW,
		[SECCOMP_ACT_LOG] = SECCOMP_RET_LOG,
		[SECCOMP_ACT_NOTIFY] = SECCOMP_RET_USER_NOTIF,
	};
	int max = a == SECCOMP_ACT_ERRNO ? 4095 : a == SECCOMP_ACT_TRACE ? 65535 : -1;

	if ((unsigned)a >= SECCOMP_ACT_COUNT)
		return err_set(err, ERR_INVALID, "seccomp action %d is unknown", (int)a);
	if (errno_ret != SECCOMP_ERRNO_UNSET && max < 0)
		return err_set(err, ERR_INVALID, "seccomp: %s takes no errnoRet",
			       seccomp_action_name(a));
	if (errno_ret > max || (errno_ret < 0 && errno_ret != SECCOMP_ERRNO_UNSET))
		return err_set(err, ERR_INVALID, "seccomp: errnoRet %d of %s is not within 0..%d",
			       errno_ret, seccomp_action_name(a), max);
	*ret = base[a];
	if (max >= 0)
		*ret |= errno_ret == SECCOMP_ERRNO_UNSET ? EPERM : (uint32_t)errno_ret;
	return 0;
}

/* ---- emission ---- */

static unsigned emit(struct comp *c, struct sock_filter insn)
{
	if (c->pos == 0) {
		c->overflow = true;
		return 0;
	}
	c->code[--c->pos] = insn;
	return c->pos;
}

static unsigned emit_ret(struct comp *c, uint32_t value)
{
	unsigned i, label;

	for (i = 0; i < c->n_rets; i++)
		if (c->rets[i].value == value && c->rets[i].label - c->pos <= NEAR)
			return c->rets[i].label;
	label = emit(c, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
	if ((value & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
		c->notify = true;
	for (i = 0; i < c->n_rets && c->rets[i].value != value; i++)
		;
	if (i == RETS)
		i = label % RETS;
	else if (i == c->n_rets)
		c->n_rets++;
	c->rets[i].value = value;
	c->rets[i].label = label;
	return label;
}

/* A label that the next instruction can jump to and that leads to `label`. */
static unsigned reach(struct comp *c, unsigned label)
{
	if (label - c->pos <= NEAR)
		return label;
	if (c->code[label].code == (BPF_RET | BPF_K))
		return emit_ret(c, c->code[label].k);
	return emit(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, label - c->pos));
}

static unsigned emit_jump(struct comp *c, uint16_t op, uint32_t k, unsigned yes, unsigned no)
{
	unsigned t, f;

	if (yes == no)
		return yes;
	t = reach(c, yes);
	f = reach(c, no);
	return emit(c, (struct sock_filter)BPF_JUMP(BPF_JMP | op | BPF_K, k, (uint8_t)(t - c->pos),
						    (uint8_t)(f - c->pos)));
}

/* Loads are followed by what was emitted last: that must be the code for `then`. */
static unsigned emit_load(struct comp *c, uint32_t offset, unsigned then)
{
	if (then != c->pos)
		emit(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, then - c->pos));
	return emit(c, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/* Half of a comparison: loads 32 bits of an argument, masks them, jumps. */
static unsigned emit_half(struct comp *c, uint32_t offset, uint32_t mask, unsigned jump)
{
	if (mask != UINT32_MAX)
		jump = emit(c, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	return emit_load(c, offset, jump);
}

/* One condition on an argument: goes to yes or no. Reduced to EQ, GT, GE by swapping the targets.
 */
static unsigned emit_cond(struct comp *c, const struct seccomp_cond *cond, unsigned yes,
			  unsigned no)
{
	uint32_t at = offsetof(struct seccomp_data, args) + 8u * cond->index;
	uint32_t at_lo = at + (c->arch->big_endian ? 4 : 0),
		 at_hi = at + (c->arch->big_endian ? 0 : 4);
	uint64_t k = cond->value, mask = UINT64_MAX;
	uint16_t op = BPF_JEQ;
	unsigned jump, lo;

	if (cond->op == SECCOMP_CMP_NE || cond->op == SECCOMP_CMP_LT ||
	    cond->op == SECCOMP_CMP_LE) {
		unsigned tmp = yes;

		yes = no;
		no = tmp;
	}
	if (cond->op == SECCOMP_CMP_LT || cond->op == SECCOMP_CMP_GE)
		op = BPF_JGE;
	else if (cond->op == SECCOMP_CMP_LE || cond->op == SECCOMP_CMP_GT)
		op = BPF_JGT;
	if (cond->op == SECCOMP_CMP_MASKED_EQ) {
		mask = cond->value;
		k = cond->value_two &
		    mask; /* as libseccomp: bits outside of the mask say nothing */
	}

	if (yes == no)
		return yes;
	jump = emit_jump(c, op, (uint32_t)k, yes, no);
	lo = emit_half(c, at_lo, (uint32_t)mask, jump);
	if (!c->arch->wide || ((mask >> 32) == 0 && (k >> 32) == 0))
		return lo;

	jump = emit_jump(c, BPF_JEQ, (uint32_t)(k >> 32), lo, no);
	if (op != BPF_JEQ)
		jump = emit_jump(c, BPF_JGT, (uint32_t)(k >> 32), yes, jump);
	return emit_half(c, at_hi, (uint32_t)(mask >> 32), jump);
}

/* One rule of a chain: goes to no when it does not match. */
static unsigned emit_node(struct comp *c, const struct node *n, unsigned no)
{
	const struct seccomp_cond *conds = c->f->rules[n->rule].conds;
	unsigned yes = emit_ret(c, n->ret);

	for (unsigned i = n->n; i-- > 0;)
		if (!n->mux || conds[n->cond + i].index != 0)
			yes = emit_cond(c, &conds[n->cond + i], yes, no);
	if (n->mux) {
		struct seccomp_cond call = { .op = SECCOMP_CMP_EQ, .value = n->mux };

		yes = emit_cond(c, &call, yes, no);
	}
	return yes;
}

/* The rules of one call in order; none matches: the default. */
static unsigned emit_chain(struct comp *c, uint16_t last)
{
	unsigned label = emit_ret(c, c->def);

	for (uint16_t i = last; i && !c->overflow; i = c->nodes[i].prev)
		label = emit_node(c, &c->nodes[i], label);
	return label;
}

static unsigned emit_leaf(struct comp *c, const struct segment *s)
{
	return s->chain ? emit_chain(c, s->chain) : emit_ret(c, s->ret);
}

static bool same_verdict(const struct segment *a, const struct segment *b)
{
	return a->chain == b->chain && (a->chain || a->ret == b->ret);
}

/* Binary search over seg[lo..hi]. A single number within equal neighbours is one comparison. */
static unsigned emit_tree(struct comp *c, unsigned lo, unsigned hi)
{
	const struct segment *s = c->seg;
	unsigned mid, left, right;

	if (lo == hi)
		return emit_leaf(c, &s[lo]);
	if (hi - lo == 2 && s[hi].start == s[lo + 1].start + 1 && same_verdict(&s[lo], &s[hi])) {
		right = emit_leaf(c, &s[lo + 1]);
		left = emit_leaf(c, &s[lo]);
		return emit_jump(c, BPF_JEQ, s[lo + 1].start, right, left);
	}
	mid = (lo + hi + 1) / 2;
	right = emit_tree(c, mid, hi);
	left = emit_tree(c, lo, mid - 1);
	return emit_jump(c, BPF_JGE, s[mid].start, right, left);
}

/* ---- rules to verdicts ---- */

static uint16_t node_new(struct comp *c, const struct node *init)
{
	if (c->n_nodes > NODES_MAX) {
		c->overflow = true;
		return 0;
	}
	if (c->n_nodes == c->cap_nodes) {
		c->cap_nodes *= 2;
		c->nodes = reallocarray(c->nodes, c->cap_nodes, sizeof *c->nodes);
		if (!c->nodes)
			abort();
	}
	c->nodes[c->n_nodes] = *init;
	return (uint16_t)c->n_nodes++;
}

static bool is_plain(const struct node *n)
{
	return n->n == 0 && n->mux == 0;
}

static void slot_add(struct comp *c, unsigned slot, const struct node *init)
{
	uint16_t last = c->last[slot], node;

	/* The first rule without conditions decides, whatever stands before or behind it. */
	if (last && is_plain(&c->nodes[last]))
		return;
	node = node_new(c, init);
	if (!node)
		return;
	c->nodes[node].prev = is_plain(init) ? 0 : last;
	c->last[slot] = node;
}

/* An argument named twice turns the conditions into alternatives, as runc does. */
static bool is_disjunction(const struct seccomp_rule *r)
{
	unsigned seen = 0;

	for (size_t i = 0; i < r->n_conds; i++) {
		if (seen & 1u << r->conds[i].index)
			return true;
		seen |= 1u << r->conds[i].index;
	}
	return false;
}

static void slot_add_rule(struct comp *c, unsigned slot, unsigned rule, uint32_t ret, uint8_t mux)
{
	const struct seccomp_rule *r = &c->f->rules[rule];
	struct node n = { .ret = ret, .rule = (uint16_t)rule, .mux = mux };

	if (!is_disjunction(r)) {
		n.n = (uint8_t)r->n_conds;
		slot_add(c, slot, &n);
		return;
	}
	for (n.n = 1; n.cond < r->n_conds; n.cond++)
		slot_add(c, slot, &n);
}

static unsigned slot_of(uint16_t nr)
{
	return nr >= SECCOMP_ARM_PRIVATE ? SLOT_PRIVATE + (nr & 0xfu) : nr;
}

/* Adds rule to what its name stands for on this architecture: the call itself, and the way through
 * a multiplexer. */
static void name_add(struct comp *c, enum seccomp_arch arch, unsigned rule, unsigned name,
		     uint32_t ret)
{
	uint16_t nr = seccomp_table_number(arch, name);
	uint8_t call = 0;
	int way;

	if (nr != SECCOMP_NO_CALL)
		slot_add_rule(c, slot_of(nr), rule, ret, 0);
	if (!c->arch->muxed)
		return;
	way = seccomp_mux(name, &call);
	if (way >= 0)
		slot_add_rule(c, seccomp_table_number(arch, (unsigned)way), rule, ret, call);
}

static void rules_add(struct comp *c, enum seccomp_arch arch)
{
	const int16_t *name = c->name;
	uint32_t ret = 0;

	memset(c->last, 0, sizeof c->last);
	for (unsigned i = 0; i < c->f->n_rules; i++) {
		const struct seccomp_rule *r = &c->f->rules[i];

		(void)action_ret(r->action, r->errno_ret, &ret, NULL); /* checked by rules_check */
		for (size_t k = 0; k < r->n_names; k++, name++)
			if (*name >= 0 && ret != c->def)
				name_add(c, arch, i, (unsigned)*name, ret);
	}
}

/* The verdicts of all numbers as segments. Numbers past `newest` get ENOSYS if asked for. */
static void segments_make(struct comp *c)
{
	uint32_t top = c->def;
	unsigned newest = 0;

	for (unsigned i = 0; i < SLOT_PRIVATE; i++)
		if (c->last[i])
			newest = i;
	if (c->f->options & SECCOMP_OPT_ENOSYS_NEWER &&
	    (c->def & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
		top = SECCOMP_RET_ERRNO | ENOSYS;

	c->n_seg = 0;
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct node *n = &c->nodes[c->last[i]];
		struct segment s = { .start = c->arch->base + i, .ret = i > newest ? top : c->def };

		if (i >= SLOT_PRIVATE)
			s.start = 0xf0000 + i - SLOT_PRIVATE;
		if (c->last[i] && is_plain(n))
			s.ret = n->ret;
		else
			s.chain = c->last[i];
		if (i == 0)
			s.start = 0; /* what is below the base is default too */
		if (i == 0 && c->arch->base && c->last[0]) {
			c->seg[c->n_seg++] = (struct segment){ .ret = c->def };
			s.start = c->arch->base;
		}
		if (c->n_seg == 0 || !same_verdict(&c->seg[c->n_seg - 1], &s))
			c->seg[c->n_seg++] = s;
	}
	/* Behind arm's private calls. */
	if (c->n_seg && (c->seg[c->n_seg - 1].chain || c->seg[c->n_seg - 1].ret != top))
		c->seg[c->n_seg++] = (struct segment){ .start = 0xf0010, .ret = top };
}

/* ---- the whole ---- */

static int conds_check(const struct seccomp_rule *r, const char *name, struct err *err)
{
	if (r->n_conds > SECCOMP_CONDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "seccomp rule of '%s': more than %d conditions",
			       name, SECCOMP_CONDS_MAX);
	for (size_t i = 0; i < r->n_conds; i++) {
		if (r->conds[i].index > 5)
			return err_set(err, ERR_INVALID,
				       "seccomp rule of '%s': argument %u does not exist (0..5)",
				       name, r->conds[i].index);
		if (r->conds[i].op >= SECCOMP_CMP_COUNT)
			return err_set(err, ERR_INVALID,
				       "seccomp rule of '%s': operator %u is unknown", name,
				       r->conds[i].op);
	}
	return 0;
}

static int rule_check(struct comp *c, const struct seccomp_rule *r, int16_t *name)
{
	uint32_t ret;
	int rc;

	if (r->n_names == 0)
		return err_set(c->err, ERR_INVALID, "seccomp rule without a call's name");
	rc = action_ret(r->action, r->errno_ret, &ret, c->err);
	if (rc < 0)
		return err_wrap(c->err, "rule of '%s'", r->names[0]);
	rc = conds_check(r, r->names[0], c->err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < r->n_names; i++) {
		int n = seccomp_name_index(r->names[i]);

		if (n < 0 && c->f->options & SECCOMP_OPT_UNKNOWN_FATAL)
			return err_set(c->err, ERR_INVALID, "seccomp: system call '%s' is unknown",
				       r->names[i]);
		c->unknown += n < 0;
		name[i] = (int16_t)n;
	}
	return 0;
}

static int rules_check(struct comp *c)
{
	size_t n = 0, at = 0;
	int r;

	if (c->f->n_rules > SECCOMP_RULES_MAX)
		return err_set(c->err, ERR_TOO_LARGE, "seccomp: %zu rules, at most %d are taken",
			       c->f->n_rules, SECCOMP_RULES_MAX);
	for (size_t i = 0; i < c->f->n_rules; i++)
		n += c->f->rules[i].n_names;
	if (n > NODES_MAX)
		return err_set(c->err, ERR_TOO_LARGE,
			       "seccomp: %zu names in all rules, at most %d are taken", n,
			       NODES_MAX);
	c->name = calloc(n + 1, sizeof *c->name);
	if (!c->name)
		abort();
	for (size_t i = 0; i < c->f->n_rules; i++) {
		r = rule_check(c, &c->f->rules[i], c->name + at);
		if (r < 0)
			return r;
		at += c->f->rules[i].n_names;
	}
	return 0;
}

/* All architectures once each, the native one always; bit n = enum n. */
static int arches_collect(struct comp *c, uint32_t *ret)
{
	enum seccomp_arch native = c->f->native ? c->f->native : seccomp_arch_host();
	uint32_t set = 1u << native;

	for (size_t i = 0; i < c->f->n_arches; i++) {
		enum seccomp_arch a = c->f->arches[i] ? c->f->arches[i] : native;

		if ((unsigned)a >= SECCOMP_ARCH_COUNT)
			return err_set(c->err, ERR_INVALID, "seccomp: architecture %d is unknown",
				       (int)a);
		if (seccomp_arch_infos[a].big_endian != seccomp_arch_infos[native].big_endian)
			return err_set(c->err, ERR_UNSUPPORTED,
				       "seccomp: %s has another byte order than %s",
				       seccomp_arch_name(a), seccomp_arch_name(native));
		set |= 1u << a;
	}
	*ret = set;
	return 0;
}

static unsigned arch_emit(struct comp *c, enum seccomp_arch arch)
{
	c->arch = &seccomp_arch_infos[arch];
	c->n_nodes = 1;
	rules_add(c, arch);
	segments_make(c);
	return emit_tree(c, 0, c->n_seg - 1);
}

/* Everything an AUDIT_ARCH value may mean. x86_64 and x32 share one and are told apart by bit 30 of
 * the number. */
static unsigned abi_emit(struct comp *c, enum seccomp_arch arch, uint32_t set)
{
	unsigned x32, native, top;

	if (seccomp_arch_infos[arch].audit == AUDIT_ARCH_X86_64) {
		x32 = set & 1u << SECCOMP_ARCH_X32 ? arch_emit(c, SECCOMP_ARCH_X32)
						   : emit_ret(c, SECCOMP_RET_KILL_THREAD);
		native = set & 1u << SECCOMP_ARCH_X86_64 ? arch_emit(c, SECCOMP_ARCH_X86_64)
							 : emit_ret(c, SECCOMP_RET_KILL_THREAD);
		top = emit_jump(c, BPF_JGE, 0x40000000, x32, native);
		/* A tracer that skips a call makes its number -1: that is no x32 call. */
		top = emit_jump(c, BPF_JEQ, UINT32_MAX, emit_ret(c, c->def), top);
	} else {
		top = arch_emit(c, arch);
	}
	return emit_load(c, offsetof(struct seccomp_data, nr), top);
}

static void program_emit(struct comp *c, uint32_t set)
{
	unsigned bad, block[SECCOMP_ARCH_COUNT], top;

	for (unsigned a = SECCOMP_ARCH_COUNT; a-- > 1;) {
		bool twin = a == SECCOMP_ARCH_X32 && set & 1u << SECCOMP_ARCH_X86_64;

		block[a] = set & 1u << a && !twin ? abi_emit(c, (enum seccomp_arch)a, set) : 0;
	}
	bad = emit_ret(c, SECCOMP_RET_KILL_THREAD);
	top = bad;
	for (unsigned a = SECCOMP_ARCH_COUNT; a-- > 1;)
		if (block[a])
			top = emit_jump(c, BPF_JEQ, seccomp_arch_infos[a].audit, block[a], top);
	emit_load(c, offsetof(struct seccomp_data, arch), top);
}

static int comp_run(struct comp *c, struct seccomp_prog *ret)
{
	uint32_t set = 0, n;
	int r;

	r = action_ret(c->f->def_action, c->f->def_errno, &c->def, c->err);
	if (r < 0)
		return err_wrap(c->err, "default action");
	r = arches_collect(c, &set);
	if (r < 0)
		return r;
	r = rules_check(c);
	if (r < 0)
		return r;
	program_emit(c, set);
	if (c->overflow)
		return err_set(c->err, ERR_TOO_LARGE,
			       "seccomp: the rules need more than the kernel's %d instructions",
			       BPF_MAXINSNS);
	if (c->f->flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV && !c->notify)
		return err_set(c->err, ERR_INVALID,
			       "seccomp: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with "
			       "SCMP_ACT_NOTIFY");
	n = BPF_MAXINSNS - c->pos;
	*ret = (struct seccomp_prog){
		.insns = malloc(n * sizeof *ret->insns),
		.n = (uint16_t)n,
		.notify = c->notify,
		.flags = c->f->flags,
		.unknown = c->unknown,
	};
	if (!ret->insns)
		abort();
	memcpy(ret->insns, c->code + c->pos, n * sizeof *ret->insns);
	return 0;
}

int seccomp_compile(const struct seccomp_filter *f, struct seccomp_prog *ret, struct err *err)
{
	struct comp *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		abort();
	c->f = f;
	c->err = err;
	c->pos = BPF_MAXINSNS;
	c->cap_nodes = 512;
	c->nodes = calloc(c->cap_nodes, sizeof *c->nodes);
	if (!c->nodes)
		abort();
	r = comp_run(c, ret);
	free(c->name);
	free(c->nodes);
	free(c);
	return r;
}

void seccomp_prog_fini(struct seccomp_prog *p)
{
	free(p->insns);
	*p = (struct seccomp_prog){ 0 };
}
