/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes' ip(), cidr() and url(), with the rules of Go's netip and net/url. */
#include "base/utf8.h"
#include "expr/cel-private.h"

#include <arpa/inet.h>
#include <stdio.h>

/* An address, or a network when `prefix` is one. */
struct ip {
	uint8_t b[16];
	uint8_t n; /* bytes: 4 or 16 */
	uint8_t bits;
};

static int shown(struct slice s)
{
	return (int)MIN(s.n, (size_t)100);
}

static bool is_mapped(const struct ip *ip)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return ip->n == 16 && memcmp(ip->b, prefix, 12) == 0;
}

static bool parse_ip(struct slice s, struct ip *ret)
{
	char text[64];

	*ret = (struct ip){ .n = 4 };
	if (!s.n || s.n >= sizeof(text) || memchr(s.p, 0, s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, ret->b) == 1)
		return true;
	ret->n = 16;
	return inet_pton(AF_INET6, text, ret->b) == 1;
}

/* Fails the run when it is none, as Kubernetes says it. */
static bool read_ip(struct cel_run *r, struct slice s, struct ip *ret)
{
	const char *zone = s.n ? memchr(s.p, '%', s.n) : NULL;

	if (zone && parse_ip(slice_of(s.p, (size_t)(zone - s.p)), ret))
		return cel_fail(r, "IP address \"%.*s\" with zone value is not allowed", shown(s),
				s.p);
	if (!parse_ip(s, ret))
		return cel_fail(r,
				"IP Address \"%.*s\" parse error during conversion from string: "
				"ParseAddr(\"%.*s\"): unable to parse IP",
				shown(s), s.p, shown(s), s.p);
	if (is_mapped(ret))
		return cel_fail(r, "IPv4-mapped IPv6 address \"%.*s\" is not allowed", shown(s),
				s.p);
	return true;
}

static bool parse_cidr(struct slice s, struct ip *ret)
{
	const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
	struct slice bits;
	uint64_t n;

	if (!slash || !parse_ip(slice_of(s.p, (size_t)(slash - s.p)), ret))
		return false;
	bits = slice_of(slash + 1, (size_t)(s.p + s.n - slash - 1));
	if (!bits.n || bits.n > 3 || (bits.n > 1 && bits.p[0] == '0') ||
	    str_uint64(bits, &n, NULL) < 0 || n > ret->n * 8u)
		return false;
	ret->bits = (uint8_t)n;
	return true;
}

static bool read_cidr(struct cel_run *r, struct slice s, struct ip *ret)
{
	if (!parse_cidr(s, ret))
		return cel_fail(r,
				"network address parse error during conversion from string: "
				"network address parse error during conversion from string: "
				"netip.ParsePrefix(\"%.*s\")",
				shown(s), s.p);
	if (is_mapped(ret))
		return cel_fail(r,
				"network address parse error during conversion from string: "
				"IPv4-mapped IPv6 address \"%.*s\" is not allowed",
				shown(s), s.p);
	return true;
}

/* RFC 5952; unlike inet_ntop never with an IPv4 address at the end. */
static size_t print_ip(const struct ip *ip, char dst[64])
{
	unsigned best = 8, longest = 1, run = 0;
	size_t n = 0;

	if (ip->n == 4)
		return (size_t)snprintf(dst, 64, "%u.%u.%u.%u", ip->b[0], ip->b[1], ip->b[2],
					ip->b[3]);
	for (unsigned i = 0; i < 8; i++) {
		run = ip->b[2 * i] || ip->b[2 * i + 1] ? 0 : run + 1;
		if (run > longest) {
			longest = run;
			best = i + 1 - run;
		}
	}
	for (unsigned i = 0; i < 8; i++) {
		if (i == best) {
			n += (size_t)snprintf(dst + n, 64 - n, "::");
			i += longest - 1;
			continue;
		}
		if (n && dst[n - 1] != ':')
			dst[n++] = ':';
		n += (size_t)snprintf(dst + n, 64 - n, "%x",
				      (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1]);
	}
	return n;
}

static bool put_ip(struct cel_run *r, const struct ip *ip, enum cel_kind kind,
		   struct cel_value *ret)
{
	struct ip *copy = ARENA_NEW(r->a, struct ip);

	if (!copy)
		return cel_quota(r);
	*copy = *ip;
	*ret = cel_opaque(kind, copy);
	return true;
}

static bool ip_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip;

	return read_ip(r, cel_slice(v), &ip) && put_ip(r, &ip, CEL_T_IP, ret);
}

static bool is_ip(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip;

	(void)r;
	*ret = cel_bool(parse_ip(cel_slice(v), &ip) && !is_mapped(&ip));
	return true;
}

static bool is_canonical(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip;
	char text[64];

	if (!read_ip(r, cel_slice(v), &ip))
		return false;
	*ret = cel_bool(slice_eq(slice_of(text, print_ip(&ip, text)), cel_slice(v)));
	return true;
}

static size_t print_any(const struct cel_value *v, char dst[64])
{
	const struct ip *ip = v->p;
	size_t n = print_ip(ip, dst);

	if (v->kind == CEL_T_CIDR)
		n += (size_t)snprintf(dst + n, 64 - n, "/%u", ip->bits);
	return n;
}

static bool string_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	char text[64];

	return cel_make_string(r, text, print_any(v, text), ret);
}

static bool family(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct ip *ip = v->p;

	(void)r;
	*ret = cel_int(ip->n == 4 ? 4 : 6);
	return true;
}

static bool all_zero(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b[i])
			return false;
	return true;
}

static bool loopback(const struct ip *ip)
{
	return ip->n == 4 ? ip->b[0] == 127 : all_zero(ip->b, 15) && ip->b[15] == 1;
}

static bool link_local(const struct ip *ip)
{
	return ip->n == 4 ? ip->b[0] == 169 && ip->b[1] == 254
			  : ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

static bool link_local_multicast(const struct ip *ip)
{
	return ip->n == 4 ? ip->b[0] == 224 && !ip->b[1] && !ip->b[2]
			  : ip->b[0] == 0xff && (ip->b[1] & 0x0f) == 2;
}

static bool multicast(const struct ip *ip)
{
	return ip->n == 4 ? (ip->b[0] & 0xf0) == 0xe0 : ip->b[0] == 0xff;
}

static bool unspecified(const struct ip *ip)
{
	return all_zero(ip->b, ip->n);
}

static bool global(const struct ip *ip)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	return !(ip->n == 4 && memcmp(ip->b, broadcast, 4) == 0) && !unspecified(ip) &&
	       !loopback(ip) && !multicast(ip) && !link_local(ip);
}

#define IS(name, test)                                                                        \
	static bool name(struct cel_run *r, const struct cel_value *v, struct cel_value *ret) \
	{                                                                                     \
		(void)r;                                                                      \
		*ret = cel_bool(test(v->p));                                                  \
		return true;                                                                  \
	}
IS(is_loopback, loopback)
IS(is_unspecified, unspecified)
IS(is_link_local_unicast, link_local)
IS(is_link_local_multicast, link_local_multicast)
IS(is_global_unicast, global)

/* ---- networks ---- */

static bool cidr_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip;

	return read_cidr(r, cel_slice(v), &ip) && put_ip(r, &ip, CEL_T_CIDR, ret);
}

static bool is_cidr(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip;

	(void)r;
	*ret = cel_bool(parse_cidr(cel_slice(v), &ip) && !is_mapped(&ip));
	return true;
}

static bool same_prefix(const struct ip *a, const struct ip *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (a->n != b->n || memcmp(a->b, b->b, bits / 8) != 0)
		return false;
	return !rest || ((a->b[bits / 8] ^ b->b[bits / 8]) >> (8 - rest)) == 0;
}

static bool holds_ip(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct ip *net = v[0].p, *ip = v[1].p;
	struct ip own;

	if (v[1].kind == CEL_T_STRING) {
		if (!read_ip(r, cel_slice(&v[1]), &own))
			return false;
		ip = &own;
	}
	*ret = cel_bool(same_prefix(net, ip, net->bits));
	return true;
}

static bool holds_cidr(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct ip *net = v[0].p, *of = v[1].p;
	struct ip own;

	if (v[1].kind == CEL_T_STRING) {
		if (!read_cidr(r, cel_slice(&v[1]), &own))
			return false;
		of = &own;
	}
	*ret = cel_bool(net->bits <= of->bits && same_prefix(net, of, net->bits));
	return true;
}

static bool cidr_ip(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip = *(const struct ip *)v->p;

	ip.bits = 0;
	return put_ip(r, &ip, CEL_T_IP, ret);
}

static bool prefix_length(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	(void)r;
	*ret = cel_int(((const struct ip *)v->p)->bits);
	return true;
}

static bool masked(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct ip ip = *(const struct ip *)v->p;

	for (unsigned i = 0; i < ip.n; i++) {
		unsigned before = 8 * i;

		if (before >= ip.bits)
			ip.b[i] = 0;
		else if (ip.bits - before < 8)
			ip.b[i] &= (uint8_t)(0xff00u >> (ip.bits - before));
	}
	return put_ip(r, &ip, CEL_T_CIDR, ret);
}

/* ---- URLs ---- */

/* Parts as written; all are of one text. */
struct url {
	struct slice text, scheme, host, path, query;
};

static bool is_alpha(char c)
{
	return ((unsigned char)c | 32) >= 'a' && ((unsigned char)c | 32) <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex(char c)
{
	if (is_digit(c))
		return c - '0';
	return is_alpha(c) && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The byte that %XX at a place stands for, -1: none. */
static int escaped(struct slice s, size_t at)
{
	int hi = at + 2 < s.n ? hex(s.p[at + 1]) : -1;
	int lo = at + 2 < s.n ? hex(s.p[at + 2]) : -1;

	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

/* %XX are whole, and of a host nothing that stands for ASCII. */
static bool escapes_are_good(struct slice s, bool host)
{
	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] == '%' ? escaped(s, i) : 0;

		if (c < 0 || (host && s.p[i] == '%' && c < 0x80 && c != '%'))
			return false;
	}
	return true;
}

static bool port_is_good(struct slice s)
{
	if (s.n && s.p[0] != ':')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

static const char *parse_host(struct slice host)
{
	const char *colon;

	if (slice_starts(host, SLICE("["))) {
		const char *end = memrchr(host.p, ']', host.n);

		if (!end)
			return "missing ']' in host";
		if (!port_is_good(slice_of(end + 1, (size_t)(host.p + host.n - end - 1))))
			return "invalid port after host";
	} else {
		colon = host.n ? memrchr(host.p, ':', host.n) : NULL;
		if (colon && !port_is_good(slice_of(colon, (size_t)(host.p + host.n - colon))))
			return "invalid port after host";
	}
	if (!escapes_are_good(host, true))
		return "invalid URL escape in host";
	for (size_t i = 0; i < host.n; i++)
		if (strchr(" ^{}|\\`", host.p[i]))
			return "invalid character in host name";
	return NULL;
}

/* Scheme, if there is one: *rest is what follows. */
static const char *parse_scheme(struct slice *rest, struct slice *scheme)
{
	struct slice s = *rest;

	*scheme = slice_of(s.p, 0);
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (is_alpha(c) || (i && (is_digit(c) || strchr("+-.", c))))
			continue;
		if (c == ':' && i == 0)
			return "missing protocol scheme";
		if (c == ':') {
			*scheme = slice_of(s.p, i);
			*rest = slice_of(s.p + i + 1, s.n - i - 1);
		}
		return NULL;
	}
	return NULL;
}

static const char *parse_authority(struct slice *rest, struct url *u)
{
	struct slice all = slice_of(rest->p + 2, rest->n - 2);
	const char *slash = all.n ? memchr(all.p, '/', all.n) : NULL, *at;

	if (slash)
		all.n = (size_t)(slash - all.p);
	*rest = slice_of(all.p + all.n, (size_t)(rest->p + rest->n - all.p - all.n));
	at = all.n ? memrchr(all.p, '@', all.n) : NULL;
	u->host = at ? slice_of(at + 1, (size_t)(all.p + all.n - at - 1)) : all;
	if (at && !escapes_are_good(slice_of(all.p, (size_t)(at - all.p)), false))
		return "net/url: invalid userinfo";
	return parse_host(u->host);
}

/* NULL, or what is wrong with it. As Go's ParseRequestURI, with a fragment cut off. */
static const char *parse_url(struct slice s, struct url *u)
{
	struct slice rest = s;
	const char *bad, *mark;

	*u = (struct url){ .text = s };
	if (!s.n)
		return "empty url";
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return "net/url: invalid control character in URL";
	bad = parse_scheme(&rest, &u->scheme);
	if (bad)
		return bad;
	mark = rest.n ? memchr(rest.p, '#', rest.n) : NULL;
	if (mark)
		rest.n = (size_t)(mark - rest.p);
	mark = rest.n ? memchr(rest.p, '?', rest.n) : NULL;
	if (mark) {
		u->query = slice_of(mark + 1, (size_t)(rest.p + rest.n - mark - 1));
		rest.n = (size_t)(mark - rest.p);
	}
	if (!slice_starts(rest, SLICE("/")))
		return u->scheme.n ? NULL : "invalid URI for request";
	if (slice_starts(rest, SLICE("//")) && (u->scheme.n || !slice_starts(rest, SLICE("///")))) {
		bad = parse_authority(&rest, u);
		if (bad)
			return bad;
	}
	u->path = rest;
	return escapes_are_good(rest, false) ? NULL : "invalid URL escape in path";
}

static bool url_of(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct url *u = ARENA_NEW(r->a, struct url);
	struct slice s = cel_slice(v);
	const char *bad;

	if (!u)
		return cel_quota(r);
	bad = parse_url(s, u);
	if (bad)
		return cel_fail(r,
				"URL parse error during conversion from string: parse \"%.*s\": %s",
				shown(s), s.p, bad);
	*ret = cel_opaque(CEL_T_URL, u);
	return true;
}

static bool is_url(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct url u;

	(void)r;
	*ret = cel_bool(!parse_url(cel_slice(v), &u));
	return true;
}

/* A copy with %XX put in place; `plus`: a plus is a blank. */
static bool unescape(struct cel_run *r, struct slice s, bool plus, struct slice *ret)
{
	char *to = arena_alloc_raw(r->a, s.n, 1), *p = to;

	if (!to)
		return cel_quota(r);
	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] == '%' ? escaped(s, i) : -1;

		*p++ = (char)(c >= 0 ? c : plus && s.p[i] == '+' ? ' ' : s.p[i]);
		i += c >= 0 ? 2 : 0;
	}
	*ret = slice_of(to, (size_t)(p - to));
	return true;
}

static bool get_scheme(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	const struct url *u = v->p;
	char *to = arena_alloc_raw(r->a, u->scheme.n, 1);

	if (!to)
		return cel_quota(r);
	for (size_t i = 0; i < u->scheme.n; i++)
		to[i] = (char)(is_alpha(u->scheme.p[i]) ? u->scheme.p[i] | 32 : u->scheme.p[i]);
	*ret = cel_string(slice_of(to, u->scheme.n));
	return true;
}

static bool get_host(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice host;

	if (!unescape(r, ((const struct url *)v->p)->host, false, &host))
		return false;
	*ret = cel_string(host);
	return true;
}

/* "[::1]:80": "::1" and "80". */
static void split_host(struct slice host, struct slice *name, struct slice *port)
{
	const char *colon = host.n ? memrchr(host.p, ':', host.n) : NULL;
	const char *bracket = host.n ? memrchr(host.p, ']', host.n) : NULL;

	*name = host;
	*port = slice_of(host.p, 0);
	if (colon && (!bracket || colon > bracket)) {
		*name = slice_of(host.p, (size_t)(colon - host.p));
		*port = slice_of(colon + 1, (size_t)(host.p + host.n - colon - 1));
	}
	if (slice_starts(*name, SLICE("[")) && slice_ends(*name, SLICE("]")))
		*name = slice_of(name->p + 1, name->n - 2);
}

static bool get_hostname(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice name, port;

	split_host(((const struct url *)v->p)->host, &name, &port);
	if (!unescape(r, name, false, &name))
		return false;
	*ret = cel_string(name);
	return true;
}

static bool get_port(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice name, port;

	(void)r;
	split_host(((const struct url *)v->p)->host, &name, &port);
	*ret = cel_string(port);
	return true;
}

static bool stands_in_path(char c, const char *also)
{
	return is_alpha(c) || is_digit(c) || (c && strchr("-_.~$&+,/:;=@", c)) ||
	       (c && strchr(also, c));
}

/* As it is written when that is an escaped path, else escaped anew. */
static bool get_path(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice s = ((const struct url *)v->p)->path;
	size_t good = 0;
	char *to, *p;

	while (good < s.n && stands_in_path(s.p[good], "!'()*[]%"))
		good++;
	*ret = cel_string(s);
	if (good == s.n)
		return true;
	if (!unescape(r, s, false, &s))
		return false;
	p = to = arena_alloc_raw(r->a, s.n * 3 + 1, 1);
	if (!to)
		return cel_quota(r);
	for (size_t i = 0; i < s.n; i++) {
		if (stands_in_path(s.p[i], ""))
			*p++ = s.p[i];
		else
			p += snprintf(p, 4, "%%%02X", (unsigned char)s.p[i]);
	}
	*ret = cel_string(slice_of(to, (size_t)(p - to)));
	return true;
}

/* One more value below a name. */
static bool add_value(struct cel_run *r, struct cel_map *m, struct slice name, struct slice value)
{
	struct cel_value key = cel_string(name), list, *v, found;
	struct cel_value all = cel_map_value(m);
	int n = cel_lookup(r, &all, &key, &found);
	size_t have = n == 1 ? found.n : 0;

	v = ARENA_ARRAY(r->a, struct cel_value, have + 1);
	if (!v || !cel_work(r, have + 1))
		return cel_quota(r);
	if (have)
		memcpy(v, found.list, have * sizeof(*v));
	v[have] = cel_string(value);
	list = cel_list_value(v, have + 1);
	if (n == 0)
		return cel_map_add(r, m, &key, &list) > 0;
	for (uint32_t i = 0; i < m->n; i++)
		if (slice_eq(cel_slice(&m->v[i].key), name))
			m->v[i].value = list;
	return true;
}

/* Pairs that are not good ones are left out, as Go's Query() does. */
static bool get_query(struct cel_run *r, const struct cel_value *v, struct cel_value *ret)
{
	struct slice rest = ((const struct url *)v->p)->query;
	struct cel_map *m = cel_map_new(r, 4);

	while (m && rest.p) {
		struct slice value = slice_split(&rest, '&'), name;

		if (!value.n || slice_has(value, ';') || !escapes_are_good(value, false))
			continue;
		name = slice_split(&value, '=');
		if (!value.p)
			value = slice_of("", 0);
		if (!unescape(r, name, true, &name) || !unescape(r, value, true, &value) ||
		    !add_value(r, m, name, value))
			return false;
	}
	if (!m)
		return false;
	*ret = cel_map_value(m);
	return true;
}

/* ---- for others ---- */

uint64_t cel_net_size(const struct cel_value *v)
{
	const struct ip *ip = v->p;

	return v->kind == CEL_T_CIDR ? (ip->bits + 7u) / 8 : ip->n;
}

const char *cel_url_error(struct slice s)
{
	struct url u;

	return parse_url(s, &u);
}

int cel_net_equal(const struct cel_value *a, const struct cel_value *b)
{
	const struct ip *x = a->p, *y = b->p;

	if (a->kind == CEL_T_URL)
		return slice_eq(((const struct url *)a->p)->text, ((const struct url *)b->p)->text);
	return x->n == y->n && x->bits == y->bits && memcmp(x->b, y->b, x->n) == 0;
}

bool cel_net_text(const struct cel_value *v, char *dst, size_t n)
{
	char text[64];

	if (v->kind == CEL_T_URL) {
		struct slice s = ((const struct url *)v->p)->text;

		(void)snprintf(dst, n, "%.*s", (int)MIN(s.n, n), s.p);
		return true;
	}
	text[print_any(v, text)] = '\0';
	(void)snprintf(dst, n, "%s", text);
	return true;
}

#define S CEL_TEXT
#define B CEL_BOOLEAN
#define IP (&cel_types[CEL_T_IP])
#define CIDR (&cel_types[CEL_T_CIDR])
#define URL (&cel_types[CEL_T_URL])

const struct cel_function cel_lib_net[] = {
	CEL_F("ip", ip_of, IP, SCAN, S),
	CEL_F("isIP", is_ip, B, SCAN, S),
	CEL_F("ip.isCanonical", is_canonical, B, TWICE, S),
	CEL_F("string", string_of, S, ONE, IP),
	CEL_M("family", family, CEL_INTEGER, ONE, IP),
	CEL_M("isUnspecified", is_unspecified, B, ONE, IP),
	CEL_M("isLoopback", is_loopback, B, ONE, IP),
	CEL_M("isLinkLocalMulticast", is_link_local_multicast, B, ONE, IP),
	CEL_M("isLinkLocalUnicast", is_link_local_unicast, B, ONE, IP),
	CEL_M("isGlobalUnicast", is_global_unicast, B, ONE, IP),
	CEL_F("cidr", cidr_of, CIDR, SCAN, S),
	CEL_F("isCIDR", is_cidr, B, SCAN, S),
	CEL_F("string", string_of, S, ONE, CIDR),
	CEL_M("containsIP", holds_ip, B, HOLDS_TEXT, CIDR, S),
	CEL_M("containsIP", holds_ip, B, HOLDS, CIDR, IP),
	CEL_M("containsCIDR", holds_cidr, B, HOLDS_NET_TEXT, CIDR, S),
	CEL_M("containsCIDR", holds_cidr, B, HOLDS_NET, CIDR, CIDR),
	CEL_M("ip", cidr_ip, IP, ONE, CIDR),
	CEL_M("prefixLength", prefix_length, CEL_INTEGER, ONE, CIDR),
	CEL_M("masked", masked, CIDR, ONE, CIDR),
	CEL_F("url", url_of, URL, SCAN, S),
	CEL_F("isURL", is_url, B, ONE, S),
	CEL_M("getScheme", get_scheme, S, ONE, URL),
	CEL_M("getHost", get_host, S, ONE, URL),
	CEL_M("getHostname", get_hostname, S, ONE, URL),
	CEL_M("getPort", get_port, S, ONE, URL),
	CEL_M("getEscapedPath", get_path, S, ONE, URL),
	CEL_M("getQuery", get_query, &cel_map_string_strings, ONE, URL),
	CEL_END,
};
