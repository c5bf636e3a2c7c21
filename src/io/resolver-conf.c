/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolv.conf(5) and hosts(5), as glibc reads them: what a line says that is not known is passed
 * over, limits are clamped, the last of `search` and `domain` wins.
 */
#include "base/clock.h"
#include "io/resolver-impl.h"
#include "io/stream-impl.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

#define TIMEOUT_MAX 30
#define ATTEMPTS_MAX 5
#define NDOTS_MAX 15

bool ip_addr_parse(struct slice text, struct ip_addr *ret)
{
	struct slice zone = text, addr;
	struct ip_addr ip = { 0 };
	char buf[INET6_ADDRSTRLEN], name[IF_NAMESIZE];
	uint64_t n;

	if (text.n > 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		zone = slice_of(text.p + 1, text.n - 2);
	addr = slice_split(&zone, '%');
	if (addr.n == 0 || addr.n >= sizeof(buf) || memchr(addr.p, '\0', addr.n))
		return false;
	memcpy(buf, addr.p, addr.n);
	buf[addr.n] = '\0';
	if (!zone.p && inet_pton(AF_INET, buf, &ip.v4) == 1) {
		ip.family = AF_INET;
	} else if (inet_pton(AF_INET6, buf, &ip.v6) == 1) {
		ip.family = AF_INET6;
	} else {
		return false;
	}
	if (zone.p && str_uint64(zone, &n, NULL) == 0 && n > 0 && n <= UINT32_MAX) {
		ip.scope = (uint32_t)n;
	} else if (zone.p) {
		if (zone.n == 0 || zone.n >= sizeof(name))
			return false;
		memcpy(name, zone.p, zone.n);
		name[zone.n] = '\0';
		ip.scope = if_nametoindex(name);
		if (ip.scope == 0)
			return false;
	}
	*ret = ip;
	return true;
}

const char *ip_addr_text(const struct ip_addr *ip, char *dst, size_t n)
{
	size_t used;

	if (!inet_ntop(ip->family, ip->family == AF_INET ? (const void *)&ip->v4 : &ip->v6, dst,
		       (socklen_t)n))
		dst[0] = '\0';
	used = strlen(dst);
	if (ip->scope)
		(void)snprintf(dst + used, n - used, "%%%u", ip->scope);
	return dst;
}

/* The next word of a line, {NULL,0} at its end. */
static struct slice word(struct slice *line)
{
	size_t i = 0, start;

	while (i < line->n && (line->p[i] == ' ' || line->p[i] == '\t' || line->p[i] == '\r'))
		i++;
	start = i;
	while (i < line->n && line->p[i] != ' ' && line->p[i] != '\t' && line->p[i] != '\r')
		i++;
	if (start == i)
		return (struct slice){ NULL, 0 };
	struct slice ret = slice_of(line->p + start, i - start);
	*line = slice_of(line->p + i, line->n - i);
	return ret;
}

static struct slice next_line(struct slice *text)
{
	struct slice line = slice_split(text, '\n');

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '#' || line.p[i] == ';')
			line.n = i;
	return line;
}

/* ---- resolv.conf ---- */

static void add_server(struct resolv_conf *c, struct slice text, uint16_t port)
{
	struct sockaddr_storage *ss = &c->servers[c->servers_n];
	struct ip_addr ip;

	if (c->servers_n == RESOLV_SERVERS_MAX || !ip_addr_parse(text, &ip))
		return;
	if (ip.family == AF_INET)
		*(struct sockaddr_in *)ss = (struct sockaddr_in){ .sin_family = AF_INET,
								  .sin_port = htons(port),
								  .sin_addr = ip.v4 };
	else
		*(struct sockaddr_in6 *)ss = (struct sockaddr_in6){ .sin6_family = AF_INET6,
								    .sin6_port = htons(port),
								    .sin6_addr = ip.v6,
								    .sin6_scope_id = ip.scope };
	c->servers_n++;
}

static char *heap_text(struct slice s)
{
	char *p = io_alloc(s.n + 1);

	memcpy(p, s.p, s.n);
	return p;
}

static void set_search(struct resolv_conf *c, struct slice line, unsigned max)
{
	unsigned char room[DNS_NAME_MAX];
	struct slice w, name;

	while (c->search_n)
		free(c->search[--c->search_n]);
	while ((w = word(&line)).p && c->search_n < max)
		if (dns_name_parse(w, room, &name, NULL) == 0)
			c->search[c->search_n++] = heap_text(w);
}

static bool number_option(struct slice w, struct slice name, uint64_t lo, uint64_t hi,
			  uint64_t *ret)
{
	uint64_t v;

	if (!slice_starts(w, name) ||
	    str_uint64(slice_of(w.p + name.n, w.n - name.n), &v, NULL) < 0)
		return false;
	*ret = MAX(lo, MIN(v, hi));
	return true;
}

static void set_option(struct resolv_conf *c, struct slice w)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = { { "rotate", &c->rotate },
		      { "use-vc", &c->use_vc },
		      { "edns0", &c->edns0 },
		      { "trust-ad", &c->trust_ad },
		      { "single-request", &c->single_request },
		      { "single-request-reopen", &c->single_request },
		      { "no-aaaa", &c->no_aaaa },
		      { "no-reload", &c->no_reload } };
	uint64_t v;

	if (number_option(w, SLICE("ndots:"), 0, NDOTS_MAX, &v))
		c->ndots = (unsigned)v;
	else if (number_option(w, SLICE("timeout:"), 1, TIMEOUT_MAX, &v))
		c->timeout = (int64_t)v * NS_PER_SEC;
	else if (number_option(w, SLICE("attempts:"), 1, ATTEMPTS_MAX, &v))
		c->attempts = (unsigned)v;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (slice_is(w, flags[i].name))
			*flags[i].flag = true;
}

void resolv_conf_parse(struct slice text, uint16_t port, struct resolv_conf *ret)
{
	*ret = (struct resolv_conf){ .ndots = 1, .attempts = 2, .timeout = 5 * NS_PER_SEC };
	while (text.p) {
		struct slice line = next_line(&text), key = word(&line), w;

		if (slice_is(key, "nameserver") && (w = word(&line)).p)
			add_server(ret, w, port);
		else if (slice_is(key, "search"))
			set_search(ret, line, RESOLV_SEARCH_MAX);
		else if (slice_is(key, "domain"))
			set_search(ret, line, 1);
		else if (slice_is(key, "options"))
			while ((w = word(&line)).p)
				set_option(ret, w);
	}
	if (ret->servers_n == 0)
		add_server(ret, SLICE("127.0.0.1"), port);
}

void resolv_conf_fini(struct resolv_conf *c)
{
	while (c->search_n)
		free(c->search[--c->search_n]);
}

/* ---- hosts ---- */

static void add_host(struct map *hosts, struct slice name, const struct ip_addr *ip)
{
	struct host *h = io_alloc(sizeof(*h) + name.n + 1), *old;

	for (size_t i = 0; i < name.n; i++)
		h->name[i] =
			name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
	old = map_get(hosts, slice_of(h->name, name.n));
	if (old) {
		free(h);
		h = old;
	} else {
		(void)map_put(hosts, slice_of(h->name, name.n), h);
	}
	if (h->n == RESOLVER_ADDRS_MAX)
		return;
	h->addrs = reallocarray(h->addrs, h->n + 1, sizeof(*h->addrs));
	if (!h->addrs)
		abort();
	h->addrs[h->n++] = *ip;
}

void hosts_parse(struct slice text, struct map *hosts)
{
	map_init(hosts);
	while (text.p) {
		struct slice line = slice_split(&text, '\n'), w;
		struct ip_addr ip;

		for (size_t i = 0; i < line.n; i++)
			if (line.p[i] == '#')
				line.n = i;
		if (!ip_addr_parse(word(&line), &ip))
			continue;
		while ((w = word(&line)).p) {
			if (w.n > 1 && w.p[w.n - 1] == '.')
				w.n--;
			if (w.n < DNS_TEXT_MAX)
				add_host(hosts, w, &ip);
		}
	}
}

void hosts_fini(struct map *hosts)
{
	struct host *h;

	for (size_t i = 0; (h = map_next(hosts, &i, NULL));) {
		free(h->addrs);
		free(h);
	}
	map_fini(hosts);
}
