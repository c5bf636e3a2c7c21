/* SPDX-License-Identifier: Apache-2.0 */
#include "io/proxy-protocol.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_N 12u

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_REQUEST, "PROXY protocol: %s", why);
}

/* ---- version 1 ---- */

static int parse_address(int family, struct slice host, struct slice port,
			 struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (void *)ret;
	struct sockaddr_in6 *v6 = (void *)ret;
	char text[INET6_ADDRSTRLEN];
	uint64_t n = 0;

	/* "0123" is no port (spec: no leading zeros). */
	if (host.n == 0 || host.n >= sizeof(text) || port.n == 0 || port.n > 5 ||
	    (port.n > 1 && port.p[0] == '0') || str_uint64(port, &n, NULL) < 0 || n > 65535)
		return -1;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	ret->ss_family = (sa_family_t)family;
	if (family == AF_INET)
		v4->sin_port = htons((uint16_t)n);
	else
		v6->sin6_port = htons((uint16_t)n);
	return inet_pton(family, text,
			 family == AF_INET ? (void *)&v4->sin_addr : (void *)&v6->sin6_addr) == 1
		       ? 0
		       : -1;
}

static ssize_t parse_v1(struct slice in, struct proxy_info *ret, size_t *ret_need, struct err *err)
{
	struct slice seen = slice_of(in.p, MIN(in.n, (size_t)PROXY_V1_MAX)), line, word[7] = { 0 };
	const char *lf = memchr(seen.p, '\n', seen.n);
	size_t n = 0;
	int family;

	if (!lf) {
		*ret_need = in.n + 1;
		return seen.n >= PROXY_V1_MAX ? refuse(err, "the line is too long") : 0;
	}
	line = slice_of(in.p, (size_t)(lf - in.p));
	*ret_need = line.n + 1;
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		return refuse(err, "the line does not end in CR LF");
	line.n--;
	for (struct slice rest = line; rest.p && n < ARRAY_LEN(word);)
		word[n++] = slice_split(&rest, ' ');
	ret->version = 1;
	if (n >= 2 && slice_is(word[1], "UNKNOWN")) {
		ret->local = true;
		return (ssize_t)*ret_need;
	}
	family = slice_is(word[1], "TCP4") ? AF_INET : slice_is(word[1], "TCP6") ? AF_INET6 : 0;
	if (n != 6 || !family || parse_address(family, word[2], word[4], &ret->src) < 0 ||
	    parse_address(family, word[3], word[5], &ret->dst) < 0)
		return refuse(err, "the line is not 'PROXY TCP4 source destination port port'");
	return (ssize_t)*ret_need;
}

/* ---- version 2 ---- */

static void take_v4(const uint8_t *p, struct sockaddr_storage *sa, size_t port_at)
{
	struct sockaddr_in *v4 = (void *)sa;

	v4->sin_family = AF_INET;
	memcpy(&v4->sin_addr, p, 4);
	memcpy(&v4->sin_port, p + port_at, 2);
}

static void take_v6(const uint8_t *p, struct sockaddr_storage *sa, size_t port_at)
{
	struct sockaddr_in6 *v6 = (void *)sa;

	v6->sin6_family = AF_INET6;
	memcpy(&v6->sin6_addr, p, 16);
	memcpy(&v6->sin6_port, p + port_at, 2);
}

static void take_unix(const uint8_t *p, struct sockaddr_storage *sa)
{
	struct sockaddr_un *un = (void *)sa;

	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, p, sizeof(un->sun_path));
	un->sun_path[sizeof(un->sun_path) - 1] = '\0';
}

static bool tlvs_fit(struct slice t)
{
	while (t.n >= 3) {
		size_t n = 3 + ((size_t)(uint8_t)t.p[1] << 8 | (uint8_t)t.p[2]);

		if (n > t.n)
			return false;
		t = slice_of(t.p + n, t.n - n);
	}
	return t.n == 0;
}

static ssize_t parse_v2(struct slice in, struct proxy_info *ret, size_t *ret_need, struct err *err)
{
	const uint8_t *p = (const uint8_t *)in.p;
	size_t len, addresses;

	*ret_need = PROXY_V2_HEAD;
	if (in.n < PROXY_V2_HEAD)
		return 0;
	len = (size_t)p[14] << 8 | p[15];
	*ret_need = PROXY_V2_HEAD + len;
	if (*ret_need > PROXY_MAX)
		return refuse(err, "the header is too large");
	if (p[12] >> 4 != 2 || (p[12] & 15) > 1)
		return refuse(err, "unknown version or command");
	if (in.n < *ret_need)
		return 0;
	ret->version = 2;
	ret->local = (p[12] & 15) == 0;
	addresses = p[13] >> 4 == 1 ? 12 : p[13] >> 4 == 2 ? 36 : p[13] >> 4 == 3 ? 216 : 0;
	if (p[13] >> 4 > 3 || (p[13] & 15) > 2)
		return refuse(err, "unknown family or transport");
	if (len < addresses)
		return refuse(err, "the addresses are cut off");
	p += PROXY_V2_HEAD;
	ret->tlvs = slice_of((const char *)p + addresses, len - addresses);
	if (!tlvs_fit(ret->tlvs))
		return refuse(err, "a TLV is cut off");
	if (ret->local)
		return (ssize_t)*ret_need; /* addresses, if any, are not to be used */
	if (addresses == 12) {
		take_v4(p, &ret->src, 8);
		take_v4(p + 4, &ret->dst, 6);
	} else if (addresses == 36) {
		take_v6(p, &ret->src, 32);
		take_v6(p + 16, &ret->dst, 18);
	} else if (addresses == 216) {
		take_unix(p, &ret->src);
		take_unix(p + 108, &ret->dst);
	}
	return (ssize_t)*ret_need;
}

ssize_t proxy_parse(struct slice in, struct proxy_info *ret, size_t *ret_need, struct err *err)
{
	*ret = (struct proxy_info){ 0 };
	*ret_need = 1;
	if (in.n == 0)
		return 0;
	if (memcmp(in.p, SIGNATURE, MIN(in.n, (size_t)SIGNATURE_N)) == 0)
		return parse_v2(in, ret, ret_need, err);
	if (memcmp(in.p, "PROXY ", MIN(in.n, (size_t)6)) == 0)
		return parse_v1(in, ret, ret_need, err);
	return refuse(err, "the connection does not begin with its header");
}

struct slice proxy_tlv(const struct proxy_info *info, uint8_t type)
{
	struct slice t = info->tlvs;

	while (t.n >= 3) {
		size_t n = (size_t)(uint8_t)t.p[1] << 8 | (uint8_t)t.p[2];

		if ((uint8_t)t.p[0] == type)
			return slice_of(t.p + 3, n);
		t = slice_of(t.p + 3 + n, t.n - 3 - n);
	}
	return (struct slice){ 0 };
}

/* ---- writing ---- */

static size_t write_v1(const struct proxy_info *info, char *dst, size_t n)
{
	char src[INET6_ADDRSTRLEN] = "", to[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *s4 = (const void *)&info->src, *d4 = (const void *)&info->dst;
	const struct sockaddr_in6 *s6 = (const void *)&info->src, *d6 = (const void *)&info->dst;
	bool v6 = info->src.ss_family == AF_INET6;
	int len;

	if (info->local || (info->src.ss_family != AF_INET && !v6)) {
		len = snprintf(dst, n, "PROXY UNKNOWN\r\n");
	} else {
		(void)inet_ntop(info->src.ss_family,
				v6 ? (const void *)&s6->sin6_addr : &s4->sin_addr, src,
				sizeof(src));
		(void)inet_ntop(info->src.ss_family,
				v6 ? (const void *)&d6->sin6_addr : &d4->sin_addr, to, sizeof(to));
		len = snprintf(dst, n, "PROXY %s %s %s %u %u\r\n", v6 ? "TCP6" : "TCP4", src, to,
			       ntohs(v6 ? s6->sin6_port : s4->sin_port),
			       ntohs(v6 ? d6->sin6_port : d4->sin_port));
	}
	return len > 0 && (size_t)len < n ? (size_t)len : 0;
}

static size_t write_v2(const struct proxy_info *info, char *dst, size_t n)
{
	const struct sockaddr_in *s4 = (const void *)&info->src, *d4 = (const void *)&info->dst;
	const struct sockaddr_in6 *s6 = (const void *)&info->src, *d6 = (const void *)&info->dst;
	uint8_t b[PROXY_V2_HEAD + 36] = { 0 };
	size_t len = 0;

	memcpy(b, SIGNATURE, SIGNATURE_N);
	b[12] = info->local ? 0x20 : 0x21;
	if (!info->local && info->src.ss_family == AF_INET) {
		b[13] = 0x11;
		len = 12;
		memcpy(b + 16, &s4->sin_addr, 4);
		memcpy(b + 20, &d4->sin_addr, 4);
		memcpy(b + 24, &s4->sin_port, 2);
		memcpy(b + 26, &d4->sin_port, 2);
	} else if (!info->local && info->src.ss_family == AF_INET6) {
		b[13] = 0x21;
		len = 36;
		memcpy(b + 16, &s6->sin6_addr, 16);
		memcpy(b + 32, &d6->sin6_addr, 16);
		memcpy(b + 48, &s6->sin6_port, 2);
		memcpy(b + 50, &d6->sin6_port, 2);
	}
	b[15] = (uint8_t)len;
	if (n < PROXY_V2_HEAD + len)
		return 0;
	memcpy(dst, b, PROXY_V2_HEAD + len);
	return PROXY_V2_HEAD + len;
}

size_t proxy_write(const struct proxy_info *info, char *dst, size_t n)
{
	if (!info->local && info->src.ss_family != info->dst.ss_family)
		return 0;
	return info->version == 1 ? write_v1(info, dst, n) : write_v2(info, dst, n);
}
