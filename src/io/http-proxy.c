/* SPDX-License-Identifier: Apache-2.0 */
#include "io/http-proxy.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "io/cidr.h"
#include "io/url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define USER_MAX 512u

static const char *get(const char *lower, const char *upper)
{
	const char *v = getenv(lower);

	if (!v && upper)
		v = getenv(upper);
	return v && *v ? v : NULL;
}

struct http_proxy_env http_proxy_env_get(void)
{
	return (struct http_proxy_env){ .http = get("http_proxy", NULL),
					.https = get("https_proxy", "HTTPS_PROXY"),
					.all = get("all_proxy", "ALL_PROXY"),
					.no = get("no_proxy", "NO_PROXY") };
}

/* ---- no_proxy ---- */

static bool host_address(const char *host, struct sockaddr_storage *sa)
{
	*sa = (struct sockaddr_storage){ .ss_family = AF_INET };
	if (inet_pton(AF_INET, host, &((struct sockaddr_in *)sa)->sin_addr) == 1)
		return true;
	sa->ss_family = AF_INET6;
	return inet_pton(AF_INET6, host, &((struct sockaddr_in6 *)sa)->sin6_addr) == 1;
}

static bool is_loopback(const char *host)
{
	struct slice h = slice_str(host);
	struct sockaddr_storage sa;
	struct cidr v4, v6;

	if (slice_ieq(h, SLICE("localhost")) ||
	    (h.n > 10 && slice_ieq(slice_of(h.p + h.n - 10, 10), SLICE(".localhost"))))
		return true;
	if (cidr_parse(SLICE("127.0.0.0/8"), &v4, NULL) < 0 ||
	    cidr_parse(SLICE("::1"), &v6, NULL) < 0)
		return false; /* constants */
	return host_address(host, &sa) &&
	       (cidr_has(&v4, (struct sockaddr *)&sa) || cidr_has(&v6, (struct sockaddr *)&sa));
}

/* Cuts ":port" and brackets off; false if it names another port. */
static bool cut_port(struct slice *rule, uint16_t port)
{
	const char *colon = rule->n ? memrchr(rule->p, ':', rule->n) : NULL;
	uint64_t n = 0;

	if (rule->n && rule->p[0] == '[') {
		const char *end = memchr(rule->p, ']', rule->n);

		if (!end)
			return false;
		colon = end + 1 < rule->p + rule->n && end[1] == ':' ? end + 1 : NULL;
		if (colon &&
		    (str_uint64(slice_of(colon + 1, (size_t)(rule->p + rule->n - colon - 1)), &n,
				NULL) < 0 ||
		     n != port))
			return false;
		*rule = slice_of(rule->p + 1, (size_t)(end - rule->p - 1));
		return true;
	}
	/* More than one colon is an IPv6 address without a port. */
	if (!colon || memchr(rule->p, ':', (size_t)(colon - rule->p)))
		return true;
	if (str_uint64(slice_of(colon + 1, (size_t)(rule->p + rule->n - colon - 1)), &n, NULL) <
		    0 ||
	    n != port)
		return false;
	rule->n = (size_t)(colon - rule->p);
	return true;
}

static bool rule_matches(struct slice rule, struct slice host, const struct sockaddr_storage *sa,
			 uint16_t port)
{
	struct cidr net;

	if (slice_is(rule, "*"))
		return true;
	if (!cut_port(&rule, port) || rule.n == 0)
		return false;
	if (sa)
		return cidr_parse(rule, &net, NULL) == 0 && cidr_has(&net, (const void *)sa);
	if (rule.n > 2 && rule.p[0] == '*' && rule.p[1] == '.')
		rule = slice_of(rule.p + 1, rule.n - 1);
	if (rule.p[0] != '.' && slice_ieq(rule, host))
		return true;
	if (rule.p[0] == '.')
		rule = slice_of(rule.p + 1, rule.n - 1);
	return host.n > rule.n && host.p[host.n - rule.n - 1] == '.' &&
	       slice_ieq(slice_of(host.p + host.n - rule.n, rule.n), rule);
}

static bool is_exempt(const char *no, const char *host, uint16_t port)
{
	struct slice rest = slice_str(no ? no : ""), h = slice_str(host);
	struct sockaddr_storage sa;
	bool numeric = host_address(host, &sa);

	if (h.n && h.p[h.n - 1] == '.')
		h.n--;
	while (rest.p) {
		if (rule_matches(slice_trim(slice_split(&rest, ',')), h, numeric ? &sa : NULL,
				 port))
			return true;
	}
	return is_loopback(host);
}

/* ---- the proxy's address ---- */

static int make_auth(struct slice user, char *dst, size_t n, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("proxy user", 16384);
	struct slice name = user, password = { 0 };
	const char *colon = memchr(user.p, ':', user.n);
	char plain[USER_MAX + 2];
	int len;

	if (user.n > USER_MAX / 2)
		return err_set(err, ERR_INVALID, "proxy: user and password are too long");
	if (colon) {
		name.n = (size_t)(colon - user.p);
		password = slice_of(colon + 1, user.n - name.n - 1);
	}
	if (url_decode(a, name, false, &name, err) < 0 ||
	    url_decode(a, password.p ? password : SLICE(""), false, &password, err) < 0)
		return err_wrap(err, "proxy: user and password");
	len = snprintf(plain, sizeof(plain), "%.*s:%.*s", (int)name.n, name.p, (int)password.n,
		       password.p);
	memcpy(dst, "Basic ", 6);
	if (6 + ((size_t)len + 2) / 3 * 4 + 1 > n)
		return err_set(err, ERR_INVALID, "proxy: user and password are too long");
	base64_encode(dst + 6, plain, (size_t)len);
	explicit_bzero(plain, sizeof(plain));
	return 0;
}

int http_proxy_parse(const char *text, struct http_proxy *ret, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("proxy", 65536);
	const char *rest = strstr(text, "://"), *at;
	struct http_proxy p = { 0 };
	struct url u;
	char plain[sizeof(p.address) + 16];
	int r;

	if (rest && strncasecmp(text, "http://", 7) != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "proxy: scheme '%.*s' is not supported, only http",
			       (int)MIN(rest - text, 16), text);
	rest = rest ? rest + 3 : text;
	at = strrchr(rest, '@');
	if (at) {
		r = make_auth(slice_of(rest, (size_t)(at - rest)), p.auth, sizeof(p.auth), err);
		if (r < 0)
			return r;
		rest = at + 1;
	}
	if (strlen(rest) >= sizeof(p.address) - 16)
		return err_set(err, ERR_INVALID, "proxy: the address is too long");
	(void)snprintf(plain, sizeof(plain), "http://%s", rest); /* was measured */
	r = url_parse(a, plain, &u, err);
	if (r < 0 || !u.host[0])
		return r < 0 ? err_wrap(err, "proxy")
			     : err_set(err, ERR_INVALID, "proxy: the address has no host");
	(void)snprintf(p.address, sizeof(p.address),
		       strchr(u.host, ':') ? "http://[%s]:%u" : "http://%s:%u", u.host, u.port);
	*ret = p;
	return 0;
}

int http_proxy_for(const struct http_proxy_env *env, const char *scheme, const char *host,
		   uint16_t port, struct http_proxy *ret, struct err *err)
{
	const char *proxy = strcmp(scheme, "https") == 0 ? env->https : env->http;
	int r;

	if (!proxy)
		proxy = env->all;
	if (!proxy || !*proxy || is_exempt(env->no, host, port))
		return 0;
	r = http_proxy_parse(proxy, ret, err);
	return r < 0 ? r : 1;
}
