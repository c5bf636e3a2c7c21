/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contents of /etc/hosts, /etc/hostname and /etc/resolv.conf of a container, by docker's rules.
 * Text in, text out: reading the host's files and writing the container's is the engine's work.
 * Words that come from a user are checked, since a line break in one would add a line.
 */
#include "network/private.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <string.h>

/* A name or option: printable, no blanks. */
static int word_check(const char *what, struct slice w, struct err *err)
{
	bool bad = w.n == 0 || w.n > 1024;

	for (size_t i = 0; i < w.n && !bad; i++)
		bad = (unsigned char)w.p[i] <= ' ' || w.p[i] == 0x7f;
	return bad ? err_set(err, ERR_INVALID, "%s '%.*s' is empty, too long, or has blanks", what,
			     (int)MIN(w.n, 64u), w.n ? w.p : "")
		   : 0;
}

static int quota(const struct buf *out, const char *what, struct err *err)
{
	return out->full ? err_set(err, ERR_QUOTA, "%s grows over %zu bytes", what, out->max) : 0;
}

/* ---- hosts ---- */

static int extra_host(const struct network_files *f, const char *text, struct buf *out,
		      struct err *err)
{
	struct rtnl_addr addr = { 0 };
	char ip[RTNL_ADDR_TEXT], copy[RTNL_ADDR_TEXT];
	size_t n = strcspn(text, ":=");
	const char *value = text[n] ? text + n + 1 : "";
	size_t len = strlen(value);
	int r;

	r = word_check("extra host", slice_of(text, n), err);
	if (r < 0)
		return r;
	if (strcmp(value, "host-gateway") == 0) {
		if (!f->gateway)
			return err_set(
				err, ERR_INVALID,
				"extra host '%s': host-gateway needs a network with a gateway",
				text);
		return buf_addf(out, "%s\t%.*s\n", rtnl_addr_text(f->gateway, false, ip), (int)n,
				text);
	}
	if (value[0] == '[' && len > 2 && value[len - 1] == ']') {
		value++;
		len -= 2;
	}
	if (len < sizeof copy) {
		memcpy(copy, value, len);
		copy[len] = '\0';
	}
	if (len >= sizeof copy || strchr(copy, '/') || rtnl_addr_parse(copy, &addr, NULL) < 0)
		return err_set(err, ERR_INVALID, "extra host '%s': invalid IP address", text);
	return buf_addf(out, "%s\t%.*s\n", copy, (int)n, text);
}

/* The container's own line: full name first, then the short one. */
static int own_host(const struct network_files *f, struct buf *out, struct err *err)
{
	char ip[RTNL_ADDR_TEXT];
	size_t dot = strcspn(f->hostname, ".");
	int r = word_check("host name", slice_str(f->hostname), err);

	if (r == 0 && f->domainname && f->domainname[0])
		r = word_check("domain name", slice_str(f->domainname), err);
	if (r < 0)
		return r;
	(void)rtnl_addr_text(f->addr, false, ip);
	if (f->domainname && f->domainname[0])
		return buf_addf(out, "%s\t%s.%s %s\n", ip, f->hostname, f->domainname, f->hostname);
	if (f->hostname[dot])
		return buf_addf(out, "%s\t%s %.*s\n", ip, f->hostname, (int)dot, f->hostname);
	return buf_addf(out, "%s\t%s\n", ip, f->hostname);
}

int network_hosts(const struct network_files *f, struct buf *out, struct err *err)
{
	int r = 0;

	/* Appends latch in out->full: judged once at the end. */
	if (f->kind == NETWORK_KIND_HOST && f->host_hosts.n) {
		(void)buf_add(out, f->host_hosts.p, f->host_hosts.n);
		if (f->host_hosts.p[f->host_hosts.n - 1] != '\n')
			(void)buf_addc(out, '\n');
	} else {
		(void)buf_adds(out, "127.0.0.1\tlocalhost\n"
				    "::1\tlocalhost ip6-localhost ip6-loopback\n"
				    "fe00::\tip6-localnet\n"
				    "ff00::\tip6-mcastprefix\n"
				    "ff02::1\tip6-allnodes\n"
				    "ff02::2\tip6-allrouters\n");
	}
	for (const char *const *h = f->extra_hosts; h && *h && r == 0 && !out->full; h++)
		r = extra_host(f, *h, out, err);
	if (r == 0 && f->addr && f->addr->family && f->hostname && f->kind != NETWORK_KIND_HOST &&
	    !out->full)
		r = own_host(f, out, err);
	return out->full ? quota(out, "/etc/hosts", err) : r;
}

int network_hostname(const struct network_files *f, struct buf *out, struct err *err)
{
	int r = word_check("host name", slice_str(f->hostname), err);

	if (r < 0)
		return r;
	(void)buf_addf(out, "%s\n", f->hostname);
	return quota(out, "/etc/hostname", err);
}

/* ---- resolv.conf ---- */

/* First word of the rest of a line; the rest moves behind it. */
static struct slice next_word(struct slice *rest)
{
	struct slice w = { NULL, 0 };
	size_t i = 0;

	while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t' || rest->p[i] == '\r'))
		i++;
	w.p = rest->p + i;
	while (i + w.n < rest->n && !strchr(" \t\r", rest->p[i + w.n]))
		w.n++;
	*rest = slice_of(rest->p + i + w.n, rest->n - i - w.n);
	return w;
}

/* A server of the host that a container can ask: no loopback, IPv6 only when it has IPv6. */
static bool usable_server(const struct network_files *f, struct slice w)
{
	char text[RTNL_ADDR_TEXT];
	struct rtnl_addr a = { 0 };
	size_t n = 0;

	while (n < w.n && w.p[n] != '%') /* a zone: fe80::1%eth0 */
		n++;
	if (n >= sizeof text)
		return false;
	memcpy(text, w.p, n);
	text[n] = '\0';
	if (strchr(text, '/') || rtnl_addr_parse(text, &a, NULL) < 0)
		return false;
	if (a.family == AF_INET)
		return (ntohl(a.v4.s_addr) >> 24) != 127;
	return f->addr && f->addr->family == AF_INET6 && n == w.n && !IN6_IS_ADDR_LOOPBACK(&a.v6);
}

/* Lines of the host that begin with key: each server as its own line, of the others only the last
 * counts. */
static unsigned copy_host(const struct network_files *f, const char *key, struct buf *out)
{
	bool servers = strcmp(key, "nameserver") == 0;
	struct slice rest = f->host_resolv, last = { NULL, 0 };
	unsigned n = 0;

	while (rest.n) {
		struct slice line = slice_split(&rest, '\n');
		struct slice word = line.n ? next_word(&line) : line;
		bool match = word.n && (slice_is(word, key) ||
					(slice_is(word, "domain") && strcmp(key, "search") == 0));

		if (!match)
			continue;
		if (!servers) {
			last = line;
			continue;
		}
		word = next_word(&line);
		if (usable_server(f, word)) {
			(void)buf_addf(out, "nameserver %.*s\n", (int)word.n, word.p);
			n++;
		}
	}
	last = slice_trim(last);
	if (last.n)
		(void)buf_addf(out, "%s %.*s\n", key, (int)last.n, last.p);
	return n;
}

static int put_words(const char *key, const char *const *words, struct buf *out, struct err *err)
{
	/* --dns-search . : none at all */
	if (words[0] && !words[1] && strcmp(words[0], ".") == 0)
		return 0;
	(void)buf_adds(out, key);
	for (; *words; words++) {
		int r = word_check(key, slice_str(*words), err);

		if (r < 0)
			return r;
		(void)buf_addf(out, " %s", *words);
	}
	(void)buf_addc(out, '\n');
	return 0;
}

static int put_servers(const struct network_files *f, struct buf *out, struct err *err)
{
	struct rtnl_addr a;

	for (const char *const *s = f->dns; s && *s; s++) {
		if (strchr(*s, '/') || rtnl_addr_parse(*s, &a, NULL) < 0)
			return err_set(err, ERR_INVALID, "DNS server '%s' is not an IP address",
				       *s);
		(void)buf_addf(out, "nameserver %s\n", *s);
	}
	if (f->dns && f->dns[0])
		return 0;
	if (copy_host(f, "nameserver", out) == 0)
		(void)buf_adds(out,
			       "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"); /* docker's fall-back */
	return 0;
}

static bool given(const char *const *list)
{
	return list && list[0];
}

int network_resolv(const struct network_files *f, struct buf *out, struct err *err)
{
	int r;

	if (f->kind == NETWORK_KIND_HOST && !given(f->dns) && !given(f->dns_search) &&
	    !given(f->dns_options)) {
		(void)buf_add(out, f->host_resolv.p, f->host_resolv.n);
		return quota(out, "/etc/resolv.conf", err);
	}
	r = put_servers(f, out, err);
	if (r == 0 && given(f->dns_search))
		r = put_words("search", f->dns_search, out, err);
	else if (r == 0)
		(void)copy_host(f, "search", out);
	if (r == 0 && given(f->dns_options))
		r = put_words("options", f->dns_options, out, err);
	else if (r == 0)
		(void)copy_host(f, "options", out);
	return r < 0 ? r : quota(out, "/etc/resolv.conf", err);
}
