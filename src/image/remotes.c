/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's word on registries. */
#include "image/remotes.h"

#include "base/err.h"
#include "image/image.h"
#include "io/cidr.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool is_network(const char *text)
{
	struct cidr net;

	return cidr_parse(slice_str(text), &net, NULL) >= 0;
}

/* host[:port] with a domain or an address before it. */
static bool is_host(const char *text)
{
	size_t n = strspn(text,
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_[]");

	return n && n < 256 && !text[n];
}

static bool is_mirror(const char *text)
{
	const char *rest = strstr(text, "://");

	return rest && rest[3] && rest[3] != '/' && !strpbrk(rest + 3, "@?# ") &&
	       (strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0);
}

int image_remotes_check(const struct image_remotes *rs, struct err *err)
{
	for (size_t i = 0; i < rs->ninsecure; i++)
		if (!is_network(rs->insecure[i]) && !is_host(rs->insecure[i]))
			return err_set(err, ERR_BAD_REQUEST,
				       "insecure registry '%.200s' is neither HOST[:PORT] nor a "
				       "network such as 10.0.0.0/8",
				       rs->insecure[i]);
	for (size_t i = 0; i < rs->nmirrors; i++)
		if (!is_mirror(rs->mirrors[i]))
			return err_set(err, ERR_BAD_REQUEST,
				       "registry mirror '%.200s' is not https://HOST[:PORT][/PATH]",
				       rs->mirrors[i]);
	return 0;
}

/* The address that a host is written as, without names being looked up. */
static bool address_of(const char *host, struct sockaddr_storage *ss)
{
	struct slice text = slice_str(host);
	struct cidr one;
	const char *end;

	if (host[0] == '[') {
		end = strchr(host, ']');
		text = slice_of(host + 1, end ? (size_t)(end - host - 1) : 0);
	} else {
		end = strchr(host, ':');
		text.n = end ? (size_t)(end - host) : text.n;
	}
	if (memchr(text.p, '/', text.n) || cidr_parse(text, &one, NULL) < 0)
		return false;
	*ss = (struct sockaddr_storage){ .ss_family = (sa_family_t)one.family };
	if (one.family == AF_INET)
		memcpy(&((struct sockaddr_in *)ss)->sin_addr, one.addr, 4);
	else
		memcpy(&((struct sockaddr_in6 *)ss)->sin6_addr, one.addr, 16);
	return true;
}

static bool is_insecure(const struct image_remotes *rs, const char *host)
{
	struct sockaddr_storage ss;
	bool address = address_of(host, &ss);

	for (size_t i = 0; i < rs->ninsecure; i++) {
		struct cidr net;

		if (strcmp(rs->insecure[i], host) == 0)
			return true;
		if (address && cidr_parse(slice_str(rs->insecure[i]), &net, NULL) >= 0 &&
		    cidr_has(&net, (struct sockaddr *)&ss))
			return true;
	}
	return false;
}

int image_remotes_open(const struct image_remotes *conf, const char *host,
		       const struct image_remote_use *use, struct remote **ret, struct err *err)
{
	static const struct image_remotes none;
	struct remote_conf rc = { .host = host };

	conf = conf ? conf : &none;
	rc.insecure = is_insecure(conf, host);
	rc.certs_dir = conf->certs_dir;
	if (strcmp(host, "docker.io") == 0) {
		rc.mirrors = conf->mirrors;
		rc.nmirrors = conf->nmirrors;
	}
	if (use) {
		if (use->auth)
			rc.auth = *use->auth;
		rc.program = use->program;
		rc.cancel = use->cancel;
		rc.notice = use->notice;
		rc.ctx = use->ctx;
	}
	return remote_new(&rc, ret, err);
}

void image_name_split(const struct image_name *n, char host[256], const char **ret_repo)
{
	const char *slash = strchr(n->name, '/'); /* a full name has one */

	snprintf(host, 256, "%.*s", slash ? (int)(slash - n->name) : 0, n->name);
	*ret_repo = slash ? slash + 1 : n->name;
}
