/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the resolver: its files (resolver-conf.c), one question to the servers
 * (resolver-query.c), what is kept of answers (resolver-cache.c). resolver.c has lookups.
 */
#pragma once

#include "base/list.h"
#include "base/loop.h"
#include "base/map.h"
#include "io/dns.h"
#include "io/resolver.h"

#include <netinet/in.h>
#include <sys/stat.h>

#define RESOLV_SERVERS_MAX 3
#define RESOLV_SEARCH_MAX 32
#define RESOLVER_ARENA (512u << 10)

/* ---- files ---- */

struct resolv_conf {
	struct sockaddr_storage servers[RESOLV_SERVERS_MAX];
	unsigned servers_n;
	char *search[RESOLV_SEARCH_MAX];
	unsigned search_n;
	unsigned ndots, attempts;
	int64_t timeout;
	bool rotate, use_vc, edns0, trust_ad, single_request, no_aaaa, no_reload;
};

/* A host name of the hosts file: its addresses in the file's order. */
struct host {
	struct ip_addr *addrs;
	size_t n;
	char name[]; /* lower case */
};

struct file_stamp {
	bool there;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

/* Pure functions over the text; what they do not know they pass over. */
void resolv_conf_parse(struct slice text, uint16_t port, struct resolv_conf *ret);
void resolv_conf_fini(struct resolv_conf *c);
void hosts_parse(struct slice text, struct map *hosts);
void hosts_fini(struct map *hosts);

/* ---- cache ---- */

struct cache_entry {
	struct list link; /* oldest use first */
	int64_t born, expires;
	size_t n;
	struct slice key; /* in bytes, behind the message */
	char bytes[];
};

/* A question's key: name in lower case, type. key has DNS_NAME_MAX + 2 bytes. */
struct slice cache_key(struct slice name, uint16_t type, char *key);
/* NULL when there is none or it has expired. */
const struct cache_entry *resolver_cache_get(struct resolver *r, struct slice key);
/* ttl in ns; 0: not kept. */
void resolver_cache_put(struct resolver *r, struct slice key, struct slice message, int64_t ttl);
void resolver_cache_clear(struct resolver *r);

/* ---- questions ---- */

/* Who waits for an answer; embedded. fn: m is NULL when there is none, then err tells why. */
struct query_wait {
	struct list link; /* unlinked: waits for nothing */
	void (*fn)(struct query_wait *w, const struct dns_msg *m, int64_t age, struct err *err);
};

struct query;

/* Answers from the cache run fn inside; *waits tells whether it will come later. Negative: QUOTA.
 */
int query_start(struct resolver *r, struct slice name, uint16_t type, struct query_wait *w,
		struct err *err);
void query_cancel(struct query_wait *w); /* harmless when it does not wait */
void query_free_all(struct resolver *r);

struct resolver {
	struct loop *loop;
	struct resolver_conf conf;
	char *hosts_path, *resolv_path;
	struct file_stamp hosts_stamp, resolv_stamp;
	int64_t checked;
	struct map hosts;
	struct resolv_conf resolv;
	struct map cache;
	struct list cache_lru;
	struct map queries; /* running, by cache_key */
	struct list lookups;
	unsigned next_server; /* rotate */
	struct resolver_stats stats;
};

/* Owner name of the records that answer (name, type), after CNAMEs; NULL slice when the chain is a
 * loop or too long. *ttl becomes the smallest of the chain, in seconds. */
struct slice answer_owner(const struct dns_msg *m, struct slice name, uint16_t type, uint32_t *ttl);
bool answer_is(const struct dns_rr *rr, struct slice owner, uint16_t type);
