/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and node ports of Services: who has which, which are free. */
#include "apiserver/strategy/service-alloc.h"

#include "apiserver/strategy/service-ports.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "doc/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define IP_TAKEN "provided IP is already allocated"
#define IP_OUTSIDE "the provided network does not match the current range"
#define FULL "range is full"
/* Addresses looked at before a range counts as full. */
#define TRIES_MAX (1u << 20)
#define SERVICE_BYTES_MAX (64u << 20)

struct range {
	struct strategy_ip base;
	unsigned bits;
};

/* What a stored Service has. */
struct taken {
	char *key;
	size_t nports, nips;
	char (*ips)[STRATEGY_IP_MAX];
	uint16_t ports[];
};

/* What a request chose; in its arena. */
struct pending {
	struct list link;
	const struct arena *owner;
	int64_t port; /* 0: an address */
	char ip[STRATEGY_IP_MAX];
};

struct service_alloc {
	struct resources *rs;
	struct range ranges[2];
	size_t nranges;
	unsigned from, to;
	struct map services;	      /* key -> struct taken */
	struct map addresses;	      /* text -> struct taken */
	uint16_t *ports;	      /* how many Services have from + i */
	struct service_ports *shared; /* NULL: we alone give them out */
	struct list pending;
	struct cache_watch watch;
	bool watching;
};

struct service_alloc *service_alloc_of(const struct strategy_call *c)
{
	return c->objects->state;
}

bool service_alloc_primary_v6(const struct service_alloc *sa)
{
	return sa->ranges[0].base.v6;
}

bool service_alloc_has(const struct service_alloc *sa, bool v6)
{
	for (size_t i = 0; i < sa->nranges; i++)
		if (sa->ranges[i].base.v6 == v6)
			return true;
	return false;
}

/* ---- what is stored ---- */

static void forget(struct service_alloc *sa, struct slice key)
{
	struct taken *t = map_del(&sa->services, key);

	if (!t)
		return;
	for (size_t i = 0; i < t->nports; i++)
		sa->ports[t->ports[i] - sa->from]--;
	for (size_t i = 0; i < t->nips; i++)
		if (map_get(&sa->addresses, slice_str(t->ips[i])) == t)
			(void)map_del(&sa->addresses, slice_str(t->ips[i]));
	free(t->ips);
	free(t->key);
	free(t);
}

static void add_port(const struct service_alloc *sa, struct taken *t, int64_t port)
{
	if (port < sa->from || port > sa->to)
		return;
	for (size_t i = 0; i < t->nports; i++)
		if (t->ports[i] == port)
			return;
	t->ports[t->nports++] = (uint16_t)port;
}

void service_alloc_seen(struct service_alloc *sa, struct slice key, const struct doc *service)
{
	const struct doc *ports = doc_find(service, "spec.ports"),
			 *ips = doc_find(service, "spec.clusterIPs");
	struct taken *t;

	forget(sa, key);
	if (!service)
		return;
	t = calloc(1, sizeof(*t) + (doc_len(ports) + 1) * sizeof(t->ports[0]));
	if (!t)
		abort();
	t->key = strndup(key.p, key.n);
	t->ips = calloc(doc_len(ips) + 1, sizeof(*t->ips));
	if (!t->key || !t->ips)
		abort();
	DOC_EACH (d, ports)
		add_port(sa, t, strategy_int(d, "nodePort"));
	add_port(sa, t, strategy_int(service, "spec.healthCheckNodePort"));
	DOC_EACH (d, ips) {
		struct strategy_ip ip;

		if (strategy_ip_read(doc_slice(d), &ip))
			strategy_ip_print(&ip, t->ips[t->nips++]);
	}
	for (size_t i = 0; i < t->nports; i++)
		sa->ports[t->ports[i] - sa->from]++;
	for (size_t i = 0; i < t->nips; i++)
		(void)map_put(&sa->addresses, slice_str(t->ips[i]), t);
	(void)map_put(&sa->services, slice_str(t->key), t);
}

static void see(struct service_alloc *sa, const struct item *item)
{
	CLEANUP(arena_free) struct arena *a = arena_new("service", SERVICE_BYTES_MAX);
	struct doc *d = NULL;

	if (json_read(a, item_json(item), NULL, &d, NULL) == 0)
		service_alloc_seen(sa, item_key(item), d);
}

static int on_change(struct cache_watch *w, enum cache_change what, struct item *item)
{
	struct service_alloc *sa = CONTAINER_OF(w, struct service_alloc, watch);

	if (what == CACHE_DELETED)
		service_alloc_seen(sa, item_key(item), NULL);
	else
		see(sa, item);
	return 0;
}

static void on_flush(struct cache_watch *w)
{
	(void)w;
}

static int follow(struct service_alloc *sa, struct err *err);

/* The window went past: everything is looked at again. */
static void on_end(struct cache_watch *w, const struct err *why)
{
	struct service_alloc *sa = CONTAINER_OF(w, struct service_alloc, watch);

	sa->watching = false;
	if (why->code == ERR_GONE)
		(void)follow(sa, NULL);
}

static void forget_all(struct service_alloc *sa)
{
	const struct taken *t;
	size_t i = 0;

	while ((t = map_next(&sa->services, &i, NULL)))
		forget(sa, slice_str(t->key));
}

static int follow(struct service_alloc *sa, struct err *err)
{
	struct cache *cache = resources_objects(sa->rs, "", "services")->cache;
	CLEANUP(cache_view_unref) struct cache_view *view = cache_now(cache);
	struct cache_iter it;
	const struct item *item;
	int r;

	forget_all(sa);
	cache_iter_init(&it, view, SLICE(""), SLICE(""));
	while ((item = cache_iter_next(&it)))
		see(sa, item);
	sa->watch = (struct cache_watch){ .change = on_change, .flush = on_flush, .end = on_end };
	r = cache_watch(cache, &sa->watch, cache_view_revision(view), err);
	sa->watching = r == 0;
	return r;
}

/* ---- what is chosen ---- */

static struct pending *find_pending(const struct service_alloc *sa, int64_t port, const char *ip)
{
	struct pending *p;

	LIST_FOREACH (p, &sa->pending, struct pending, link)
		if (p->port == port && (port || strcmp(p->ip, ip) == 0))
			return p;
	return NULL;
}

static void release(void *arg)
{
	struct pending *p = arg;

	list_del(&p->link);
}

/* False when the arena is full. */
static bool reserve(struct service_alloc *sa, struct strategy_call *c, int64_t port, const char *ip)
{
	struct pending *p = ARENA_NEW(c->a, struct pending);

	if (!p)
		return false;
	p->owner = c->a;
	p->port = port;
	(void)str_copy(p->ip, sizeof(p->ip), ip);
	list_append(&sa->pending, &p->link);
	if (arena_defer(c->a, release, p) == 0)
		return true;
	list_del(&p->link);
	return false;
}

/* ---- addresses ---- */

/* The addresses of a range that can be given: neither its first nor, of IPv4, its last. Their
 * number less one is the last's distance. */
static uint64_t last_offset(const struct range *r)
{
	const unsigned host = (r->base.v6 ? 128 : 32) - r->bits;

	if (host >= 64)
		return UINT64_MAX - 1;
	return ((uint64_t)1 << host) - (r->base.v6 ? 2 : 3);
}

static bool is_usable(const struct range *r)
{
	return (r->base.v6 ? 128 : 32) - r->bits >= (r->base.v6 ? 1u : 2u);
}

static struct strategy_ip nth(const struct range *r, uint64_t n)
{
	struct strategy_ip ip = r->base;

	strategy_ip_add(&ip, 1);
	strategy_ip_add(&ip, n);
	return ip;
}

static bool contains(const struct range *r, const struct strategy_ip *ip)
{
	struct strategy_ip masked = *ip, first = nth(r, 0), last = nth(r, last_offset(r));

	strategy_ip_mask(&masked, r->bits);
	return ip->v6 == r->base.v6 && is_usable(r) && strategy_ip_cmp(&masked, &r->base) == 0 &&
	       strategy_ip_cmp(ip, &first) >= 0 && strategy_ip_cmp(ip, &last) <= 0;
}

/* min(max(16, size / 16), 256), nothing of ranges that are small: for who names an address. */
static uint64_t named_ips(const struct range *r)
{
	const unsigned host = (r->base.v6 ? 128 : 32) - r->bits;

	if (host <= 4)
		return 0;
	return host >= 12 ? 256 : MAX(16u, (1u << host) / 16);
}

static bool is_free(const struct service_alloc *sa, const char *ip)
{
	return !map_get(&sa->addresses, slice_str(ip)) &&
	       !(sa->rs && resources_get(sa->rs, "networking.k8s.io", "ipaddresses", "", ip));
}

/* Calls fn with each range until it gives something; ServiceCIDRs follow those of the start. */
typedef const char *each_range(const struct range *r, void *arg);

static const char *of_object(const struct item *item, each_range *fn, void *arg)
{
	CLEANUP(arena_free) struct arena *a = arena_new("servicecidr", 1u << 20);
	struct doc *d = NULL;
	const struct doc *ready;

	if (json_read(a, item_json(item), NULL, &d, NULL) < 0 ||
	    doc_find(d, "metadata.deletionTimestamp"))
		return NULL;
	ready = strategy_condition(doc_find(d, "status.conditions"), "Ready");
	if (!strategy_is(ready, "status", "True"))
		return NULL;
	DOC_EACH (cidr, doc_find(d, "spec.cidrs")) {
		struct range r;
		const char *result =
			strategy_cidr_read(doc_slice(cidr), &r.base, &r.bits) ? fn(&r, arg) : NULL;

		if (result)
			return result;
	}
	return NULL;
}

static const char *each(const struct service_alloc *sa, each_range *fn, void *arg)
{
	const struct collection *objects =
		sa->rs ? resources_objects(sa->rs, "networking.k8s.io", "servicecidrs") : NULL;
	const char *result = NULL;
	struct cache_iter it;
	const struct item *item;

	for (size_t i = 0; !result && i < sa->nranges; i++)
		result = fn(&sa->ranges[i], arg);
	if (result || !objects)
		return result;
	{
		CLEANUP(cache_view_unref) struct cache_view *view = cache_now(objects->cache);

		cache_iter_init(&it, view, SLICE(""), SLICE(""));
		while (!result && (item = cache_iter_next(&it)))
			result = of_object(item, fn, arg);
	}
	return result;
}

static const char *is_in(const struct range *r, void *arg)
{
	return contains(r, arg) ? "yes" : NULL;
}

const char *service_alloc_take_ip(struct service_alloc *sa, struct strategy_call *c,
				  const struct strategy_ip *ip)
{
	struct strategy_ip copy = *ip;
	char text[STRATEGY_IP_MAX];
	const struct pending *p;

	strategy_ip_print(ip, text);
	p = find_pending(sa, 0, text);
	if (p)
		return p->owner == c->a ? NULL : IP_TAKEN;
	if (!each(sa, is_in, &copy))
		return IP_OUTSIDE;
	if (!is_free(sa, text))
		return IP_TAKEN;
	return reserve(sa, c, 0, text) ? NULL : FULL;
}

struct choice {
	struct service_alloc *sa;
	struct strategy_call *c;
	struct strategy_ip *ret;
	bool v6;
};

/* Any free one of n addresses from the `from`-th on, begun anywhere. */
static const char *choose(const struct choice *x, const struct range *r, uint64_t from, uint64_t n)
{
	const uint64_t start = n ? random_u64() % n : 0;

	for (uint64_t i = 0; i < MIN(n, TRIES_MAX); i++) {
		struct strategy_ip ip = nth(r, from + (start + i) % n);
		char text[STRATEGY_IP_MAX];

		strategy_ip_print(&ip, text);
		if (find_pending(x->sa, 0, text) || !is_free(x->sa, text))
			continue;
		if (!reserve(x->sa, x->c, 0, text))
			return NULL;
		*x->ret = ip;
		return "chosen";
	}
	return NULL;
}

static const char *choose_in(const struct range *r, void *arg)
{
	const struct choice *x = arg;
	const uint64_t named = named_ips(r), all = last_offset(r) + 1;
	const char *result;

	if (r->base.v6 != x->v6 || !is_usable(r))
		return NULL;
	result = choose(x, r, named, all - named);
	return result ? result : choose(x, r, 0, named);
}

const char *service_alloc_next_ip(struct service_alloc *sa, struct strategy_call *c, bool v6,
				  struct strategy_ip *ret)
{
	struct choice x = { sa, c, ret, v6 };

	return each(sa, choose_in, &x) ? NULL : FULL;
}

/* ---- ports ---- */

static bool is_taken(const struct service_alloc *sa, int64_t port)
{
	return sa->ports[port - sa->from] || (sa->shared && service_ports_has(sa->shared, port));
}

int service_write_ports(struct strategy_call *c, const struct doc *obj, const struct doc *old,
			struct err *err)
{
	struct service_alloc *sa = service_alloc_of(c);

	return sa && sa->shared ? service_ports_write(sa->shared, c, obj, old, err) : 0;
}

const char *service_alloc_take_port(struct service_alloc *sa, struct strategy_call *c, int64_t port)
{
	const struct pending *p = find_pending(sa, port, "");
	const char *words;

	if (p)
		return p->owner == c->a ? NULL : "provided port is already allocated";
	if (port < sa->from || port > sa->to) {
		words = arena_printf(c->a,
				     "provided port is not in the valid range. The range of valid "
				     "ports is %u-%u",
				     sa->from, sa->to);
		return words ? words : FULL;
	}
	words = sa->shared ? service_ports_why_not(sa->shared) : NULL;
	if (words)
		return words;
	if (is_taken(sa, port))
		return "provided port is already allocated";
	return reserve(sa, c, port, "") ? NULL : FULL;
}

/* min(max(16, size / 32), 128), nothing of small ranges: for who names a port. */
static unsigned named_ports(unsigned size)
{
	return size <= 16 ? 0 : MIN(MAX(size / 32, 16u), 128u);
}

static bool choose_port(struct service_alloc *sa, struct strategy_call *c, unsigned from,
			unsigned n, int64_t *ret)
{
	const unsigned start = n ? (unsigned)(random_u64() % n) : 0;

	for (unsigned i = 0; i < n; i++) {
		const int64_t port = sa->from + from + (start + i) % n;

		if (is_taken(sa, port) || find_pending(sa, port, ""))
			continue;
		*ret = port;
		return reserve(sa, c, port, "");
	}
	return false;
}

const char *service_alloc_next_port(struct service_alloc *sa, struct strategy_call *c, int64_t *ret)
{
	const unsigned size = sa->to - sa->from + 1, named = named_ports(size);
	const char *words = sa->shared ? service_ports_why_not(sa->shared) : NULL;

	if (words)
		return words;
	return choose_port(sa, c, named, size - named, ret) || choose_port(sa, c, 0, named, ret)
		       ? NULL
		       : FULL;
}

/* ---- life ---- */

static int add_range(struct service_alloc *sa, struct slice text, struct err *err)
{
	struct range *r = &sa->ranges[sa->nranges];
	struct strategy_ip masked;

	if (sa->nranges == ARRAY_LEN(sa->ranges))
		return err_set(err, ERR_INVALID, "service CIDR: more than two ranges");
	if (!strategy_cidr_read(text, &r->base, &r->bits))
		return err_set(err, ERR_INVALID, "service CIDR '%.*s': not a network", (int)text.n,
			       text.p);
	masked = r->base;
	strategy_ip_mask(&masked, r->bits);
	r->base = masked;
	if (!is_usable(r) || (r->base.v6 && r->bits < 64))
		return err_set(err, ERR_INVALID, "service CIDR '%.*s': %s", (int)text.n, text.p,
			       r->base.v6 && r->bits < 64 ? "the shortest prefix of IPv6 is 64"
							  : "it has no addresses to give");
	if (sa->nranges == 1 && sa->ranges[0].base.v6 == r->base.v6)
		return err_set(err, ERR_INVALID, "service CIDR: two ranges of one family");
	sa->nranges++;
	return 0;
}

int service_alloc_new(struct resources *rs, struct slice cidrs, unsigned port_from,
		      unsigned port_to, struct service_alloc **ret, struct err *err)
{
	CLEANUP(service_alloc_free) struct service_alloc *sa = calloc(1, sizeof(*sa));
	struct slice rest = cidrs;
	int r;

	if (!sa)
		abort();
	sa->rs = rs;
	map_init(&sa->services);
	map_init(&sa->addresses);
	list_init(&sa->pending);
	if (port_from < 1 || port_to > UINT16_MAX || port_from > port_to)
		return err_set(err, ERR_INVALID, "node ports '%u-%u': not a range of ports",
			       port_from, port_to);
	sa->from = port_from;
	sa->to = port_to;
	sa->ports = calloc(port_to - port_from + 1, sizeof(*sa->ports));
	if (!sa->ports)
		abort();
	do {
		r = add_range(sa, slice_split(&rest, ','), err);
	} while (r == 0 && rest.p);
	if (r < 0)
		return r;
	sa->shared = service_ports_new(rs, port_from, port_to, sa->ports);
	*ret = STEAL(sa);
	return 0;
}

void service_alloc_free(struct service_alloc *sa)
{
	if (!sa)
		return;
	assert(list_empty(&sa->pending));
	if (sa->watching)
		cache_unwatch(&sa->watch);
	service_ports_free(sa->shared);
	forget_all(sa);
	map_fini(&sa->services);
	map_fini(&sa->addresses);
	free(sa->ports);
	free(sa);
}

int strategy_start(struct resources *rs, struct slice service_cidr, unsigned port_from,
		   unsigned port_to, struct err *err)
{
	CLEANUP(service_alloc_free) struct service_alloc *sa = NULL;
	struct collection *services = resources_objects(rs, "", "services");
	int r;

	assert(!services->state);
	r = service_alloc_new(rs, service_cidr, port_from, port_to, &sa, err);
	if (r == 0)
		r = follow(sa, err);
	if (r < 0)
		return r;
	services->state = STEAL(sa);
	return 0;
}

void strategy_stop(struct resources *rs)
{
	struct collection *services = resources_objects(rs, "", "services");

	if (!services || !services->state)
		return;
	service_alloc_free(services->state);
	services->state = NULL;
}
