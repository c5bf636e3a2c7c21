/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables for a bridge: the table's whole text is one batch, carried out by the kernel or not at
 * all.
 *
 * An existing table is replaced inside the batch (create, delete, create: the first makes the
 * delete safe), so packets never meet a half-made table. An expression is a name and its
 * attributes; registers are NFT_REG_1 and, for interface names, the same one, since each rule
 * compares one thing after the other.
 */
#include "linux/nft.h"

#include "base/err.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stddef.h>
#include <string.h>

#define HOOK_FORWARD 2	    /* NF_INET_FORWARD */
#define HOOK_POSTROUTING 4  /* NF_INET_POST_ROUTING */
#define PRIORITY_FILTER 0   /* NF_IP_PRI_FILTER */
#define PRIORITY_SRCNAT 100 /* NF_IP_PRI_NAT_SRC */
#define IP_SADDR 12	    /* offset of the source in the IPv4 header */
#define TABLE_NAME_MAX 31

/* type 0 = one of the batch marks. */
static void nft_begin(struct nl *nl, uint8_t type, uint16_t flags, const char *what,
		      const char *name)
{
	struct nfgenmsg h = { .nfgen_family = NFPROTO_IPV4, .version = NFNETLINK_V0 };
	struct nl_msg m = { (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags | NLM_F_ACK, &h,
			    sizeof h, 0 };

	nl_begin(nl, &m, "%s '%s'", what, name);
}

static void nft_mark(struct nl *nl, uint16_t type)
{
	struct nfgenmsg h = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 };
	struct nl_msg m = { type, 0, &h, sizeof h, 0 };

	h.res_id = __builtin_bswap16(NFNL_SUBSYS_NFTABLES);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	h.res_id = NFNL_SUBSYS_NFTABLES;
#endif
	nl_begin(nl, &m, "nf_tables batch");
}

static void table_put(struct nl *nl, uint8_t type, const char *table, const char *what)
{
	nft_begin(nl, type, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0, what, table);
	nl_put_str(nl, NFTA_TABLE_NAME, table);
}

struct chain {
	const char *name, *type;
	uint32_t hook, priority;
};

static void chain_put(struct nl *nl, const char *table, const struct chain *c)
{
	size_t hook;

	nft_begin(nl, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "create nf_tables chain", c->name);
	nl_put_str(nl, NFTA_CHAIN_TABLE, table);
	nl_put_str(nl, NFTA_CHAIN_NAME, c->name);
	hook = nl_nest(nl, NFTA_CHAIN_HOOK);
	nl_put_be32(nl, NFTA_HOOK_HOOKNUM, c->hook);
	nl_put_be32(nl, NFTA_HOOK_PRIORITY, c->priority);
	nl_nest_end(nl, hook);
	nl_put_be32(nl, NFTA_CHAIN_POLICY, NF_ACCEPT);
	nl_put_str(nl, NFTA_CHAIN_TYPE, c->type);
}

/* ---- expressions ---- */

struct expr {
	size_t elem, data;
};

static struct expr expr_begin(struct nl *nl, const char *name)
{
	struct expr e;

	e.elem = nl_nest(nl, NFTA_LIST_ELEM);
	nl_put_str(nl, NFTA_EXPR_NAME, name);
	e.data = nl_nest(nl, NFTA_EXPR_DATA);
	return e;
}

static void expr_end(struct nl *nl, struct expr e)
{
	nl_nest_end(nl, e.data);
	nl_nest_end(nl, e.elem);
}

static void put_value(struct nl *nl, uint16_t attr, const void *p, size_t n)
{
	size_t nest = nl_nest(nl, attr);

	nl_put(nl, NFTA_DATA_VALUE, p, n);
	nl_nest_end(nl, nest);
}

static void expr_cmp(struct nl *nl, uint32_t op, const void *p, size_t n)
{
	struct expr e = expr_begin(nl, "cmp");

	nl_put_be32(nl, NFTA_CMP_SREG, NFT_REG_1);
	nl_put_be32(nl, NFTA_CMP_OP, op);
	put_value(nl, NFTA_CMP_DATA, p, n);
	expr_end(nl, e);
}

/* Interface name of the packet, whole: 16 bytes with zeros. */
static void expr_ifname(struct nl *nl, uint32_t key, uint32_t op, const char *name)
{
	char padded[IFNAMSIZ] = "";
	struct expr e = expr_begin(nl, "meta");

	nl_put_be32(nl, NFTA_META_KEY, key);
	nl_put_be32(nl, NFTA_META_DREG, NFT_REG_1);
	expr_end(nl, e);
	(void)str_copy(padded, sizeof padded, name);
	expr_cmp(nl, op, padded, sizeof padded);
}

/* Source address of the packet is within the subnet. */
static void expr_source(struct nl *nl, const struct rtnl_addr *subnet)
{
	uint32_t mask = subnet->prefix ? UINT32_MAX << (32 - subnet->prefix) : 0, zero = 0, net;
	struct expr e = expr_begin(nl, "payload");

	nl_put_be32(nl, NFTA_PAYLOAD_DREG, NFT_REG_1);
	nl_put_be32(nl, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	nl_put_be32(nl, NFTA_PAYLOAD_OFFSET, IP_SADDR);
	nl_put_be32(nl, NFTA_PAYLOAD_LEN, 4);
	expr_end(nl, e);

	mask = __builtin_bswap32(mask);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	mask = __builtin_bswap32(mask);
#endif
	e = expr_begin(nl, "bitwise");
	nl_put_be32(nl, NFTA_BITWISE_SREG, NFT_REG_1);
	nl_put_be32(nl, NFTA_BITWISE_DREG, NFT_REG_1);
	nl_put_be32(nl, NFTA_BITWISE_LEN, 4);
	put_value(nl, NFTA_BITWISE_MASK, &mask, sizeof mask);
	put_value(nl, NFTA_BITWISE_XOR, &zero, sizeof zero);
	expr_end(nl, e);
	net = subnet->v4.s_addr & mask;
	expr_cmp(nl, NFT_CMP_EQ, &net, sizeof net);
}

static void expr_masquerade(struct nl *nl)
{
	expr_end(nl, expr_begin(nl, "masq"));
}

static void expr_accept(struct nl *nl)
{
	struct expr e = expr_begin(nl, "immediate");
	size_t data, verdict;

	nl_put_be32(nl, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nl_nest(nl, NFTA_IMMEDIATE_DATA);
	verdict = nl_nest(nl, NFTA_DATA_VERDICT);
	nl_put_be32(nl, NFTA_VERDICT_CODE, NF_ACCEPT);
	nl_nest_end(nl, verdict);
	nl_nest_end(nl, data);
	expr_end(nl, e);
}

static size_t rule_begin(struct nl *nl, const char *table, const char *chain)
{
	nft_begin(nl, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
		  "create nf_tables rule in chain", chain);
	nl_put_str(nl, NFTA_RULE_TABLE, table);
	nl_put_str(nl, NFTA_RULE_CHAIN, chain);
	return nl_nest(nl, NFTA_RULE_EXPRESSIONS);
}

/* ---- the table ---- */

static int nft_open(struct nl *nl, struct err *err)
{
	return nl_open(nl, NETLINK_NETFILTER, err);
}

/* What a failed batch means to the user. */
static int nft_failed(struct err *err, const char *table)
{
	if (err && (err->sys == ENOENT || err->sys == EOPNOTSUPP || err->sys == EINVAL ||
		    err->sys == EPROTONOSUPPORT)) {
		err->code = ERR_UNSUPPORTED;
		(void)err_hint(err, "is this kernel built with CONFIG_NF_TABLES, NFT_NAT and "
				    "NFT_MASQ? A network "
				    "without masquerade needs none of them");
	}
	return err_wrap(err, "nf_tables table '%s'", table);
}

int nft_bridge_set(const struct nft_bridge *b, struct err *err)
{
	static const struct chain chains[] = {
		{ "postrouting", "nat", HOOK_POSTROUTING, PRIORITY_SRCNAT },
		{ "forward", "filter", HOOK_FORWARD, PRIORITY_FILTER },
	};
	static const uint32_t either_way[] = { NFT_META_IIFNAME, NFT_META_OIFNAME };
	CLEANUP(nl_close) struct nl nl = { 0 };
	size_t rule;
	int r;

	if (strlen(b->table) > TABLE_NAME_MAX || b->subnet.family != AF_INET ||
	    b->subnet.prefix > 32)
		return err_set(err, ERR_INVALID, "nf_tables table '%s': bad name or subnet",
			       b->table);
	r = nft_open(&nl, err);
	if (r < 0)
		return r;
	nft_mark(&nl, NFNL_MSG_BATCH_BEGIN);
	table_put(&nl, NFT_MSG_NEWTABLE, b->table, "create nf_tables table");
	table_put(&nl, NFT_MSG_DELTABLE, b->table, "replace nf_tables table");
	table_put(&nl, NFT_MSG_NEWTABLE, b->table, "create nf_tables table");
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		chain_put(&nl, b->table, &chains[i]);
	rule = rule_begin(&nl, b->table, "postrouting");
	expr_source(&nl, &b->subnet);
	expr_ifname(&nl, NFT_META_OIFNAME, NFT_CMP_NEQ, b->bridge);
	expr_masquerade(&nl);
	nl_nest_end(&nl, rule);
	for (size_t i = 0; i < ARRAY_LEN(either_way); i++) {
		rule = rule_begin(&nl, b->table, "forward");
		expr_ifname(&nl, either_way[i], NFT_CMP_EQ, b->bridge);
		expr_accept(&nl);
		nl_nest_end(&nl, rule);
	}
	nft_mark(&nl, NFNL_MSG_BATCH_END);
	r = nl_commit(&nl, err);
	return r < 0 ? nft_failed(err, b->table) : 0;
}

int nft_table_del(const char *table, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	int r = nft_open(&nl, err);

	/* No nf_tables, no table. */
	if (r < 0)
		return err && err->code == ERR_UNSUPPORTED ? 0 : r;
	nft_mark(&nl, NFNL_MSG_BATCH_BEGIN);
	table_put(&nl, NFT_MSG_NEWTABLE, table,
		  "create nf_tables table"); /* so that the next cannot miss it */
	table_put(&nl, NFT_MSG_DELTABLE, table, "delete nf_tables table");
	nft_mark(&nl, NFNL_MSG_BATCH_END);
	r = nl_commit(&nl, err);
	return r < 0 ? nft_failed(err, table) : 0;
}

static int table_reply(void *arg, const struct nlmsghdr *h, const void *body, size_t n,
		       struct err *err)
{
	(void)h, (void)body, (void)n, (void)err; /* that there is one is all */
	*(bool *)arg = true;
	return 0;
}

int nft_table_exists(const char *table, struct err *err)
{
	CLEANUP(nl_close) struct nl nl = { 0 };
	struct err local = ERR_INIT;
	bool found = false;
	int r = nft_open(&nl, err);

	if (r < 0)
		return r;
	nft_begin(&nl, NFT_MSG_GETTABLE, 0, "find nf_tables table", table);
	nl_put_str(&nl, NFTA_TABLE_NAME, table);
	r = nl_query(&nl, table_reply, &found, &local);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r < 0 && err)
		*err = local;
	return r < 0 ? r : found;
}
