/* SPDX-License-Identifier: Apache-2.0 */
#include "io/issuer.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/jwt.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "doc/json.h"
#include "io/http-agent.h"

#include <string.h>

#define WELL_KNOWN "/.well-known/openid-configuration"
#define DOC_MAX (2u << 20)

bool issuer_url_is_safe(const char *url)
{
	static const char *const local[] = { "http://127.0.0.1", "http://localhost",
					     "http://[::1]" };

	if (strncmp(url, "https://", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(local); i++) {
		size_t n = strlen(local[i]);

		if (strncmp(url, local[i], n) == 0 && strchr(":/", url[n]))
			return true;
	}
	return false;
}

static int get(const struct issuer_ask *s, struct http_agent *a, const char *url,
	       struct http_answer *ret, struct err *err)
{
	const struct http_header accept = { SLICE("Accept"), SLICE("application/json") };
	struct http_call call = {
		.headers = &accept, .headers_n = 1, .body_max = JWKS_MAX, .time = s->time / 2
	};
	int r = http_agent_call(a, url, &call, ret, err);

	if (r >= 0 && ret->status != 200)
		r = err_set(err, ERR_UNAVAILABLE, "status %d", ret->status);
	return r < 0 ? err_wrap(err, "GET %s", url) : 0;
}

/* The issuer must name itself, else another one's keys would be taken (Discovery 4.3). */
static int discover(const struct issuer_ask *s, struct http_agent *a, struct arena *arena,
		    const char **ret, struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	size_t n = strlen(s->name);
	const char *url = s->discovery
				  ? s->discovery
				  : arena_printf(arena, "%.*s" WELL_KNOWN,
						 (int)(n - (n && s->name[n - 1] == '/')), s->name);
	const char *keys;
	struct doc *d;
	int r = url ? get(s, a, url, &answer, err) : arena_quota(arena, err);

	if (r >= 0)
		r = json_read(arena, answer.body, NULL, &d, err);
	if (r < 0)
		return r;
	if (!doc_str_is(doc_get(d, "issuer"), s->name))
		return err_set(err, ERR_INVALID, "'%s' speaks for another issuer", url);
	keys = doc_cstr(arena, doc_get(d, "jwks_uri"));
	if (!keys)
		return err_set(err, ERR_INVALID, "'%s' has no jwks_uri", url);
	if (!issuer_url_is_safe(keys))
		return err_set(err, ERR_INVALID,
			       "'%.200s': keys come by https (or http from loopback)", keys);
	*ret = arena_strdup(arena, keys);
	return *ret ? 0 : arena_quota(arena, err);
}

static int read_keys(const struct issuer_ask *s, struct http_agent *a, struct jwks **ret,
		     struct err *err)
{
	CLEANUP(arena_free) struct arena *arena = arena_new("discovery", DOC_MAX);
	CLEANUP(http_answer_fini) struct http_answer answer = HTTP_ANSWER_INIT;
	CLEANUP(jwks_free) struct jwks *keys = NULL;
	const char *url = s->keys;
	int r = url ? 0 : discover(s, a, arena, &url, err);

	if (r >= 0)
		r = get(s, a, url, &answer, err);
	if (r < 0)
		return r;
	keys = jwks_new();
	r = jwks_read(keys, answer.body, err);
	if (r >= 0 && jwks_len(keys) == 0)
		r = err_set(err, ERR_INVALID, "'%s' has no key that can verify", url);
	if (r >= 0)
		*ret = STEAL(keys);
	return r;
}

int issuer_fetch(const struct issuer_ask *s, struct jwks **ret, struct err *err)
{
	CLEANUP(tls_conf_unref) struct tls_conf *tls = NULL;
	CLEANUP(http_agent_free) struct http_agent *a = NULL;
	struct tls_options to = { .trust = s->trust };
	struct http_agent_conf ac = { .client = { .connect_time = s->time / 4,
						  .head_time = s->time / 4,
						  .body_time = s->time / 4 },
				      .names = true,
				      .retry = { .attempts_max = 1 },
				      .no_redirects = s->no_redirects,
				      .redirects = 3 };

	if (tls_conf_new(&to, &tls, err) < 0)
		return err_ret(err);
	ac.client.tls = tls;
	if (http_agent_new(&ac, &a, err) < 0)
		return err_ret(err);
	return read_keys(s, a, ret, err);
}
