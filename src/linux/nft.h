/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nf_tables without nft: one `ip` table per network with what a NATed bridge needs, made and unmade
 * as one transaction. Nothing of other tables is read or changed; a table of ours is told by its
 * name only.
 *
 * Chains: postrouting (nat, priority 100): source in the subnet and leaving by another interface is
 * masqueraded. forward (filter, priority 0, policy accept): from or to the bridge is accepted.
 * A drop by another table's chain at the same hook still wins: nf_tables knows no stronger accept.
 */
#pragma once

#include "linux/rtnl.h"

struct err;

struct nft_bridge {
	const char *table;  /* at most 31 characters */
	const char *bridge; /* interface name */
	struct rtnl_addr subnet;
};

/* Replaces a table of that name, atomically: calling it again changes nothing. ERR_UNSUPPORTED when
 * the kernel lacks nf_tables, nat or masquerade, by name. */
int nft_bridge_set(const struct nft_bridge *b, struct err *err);
/* Deletes the table with all in it; absent is fine. */
int nft_table_del(const char *table, struct err *err);
/* 1 there, 0 not. */
int nft_table_exists(const char *table, struct err *err);
