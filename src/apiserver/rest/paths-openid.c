/* SPDX-License-Identifier: Apache-2.0 */
/* What others verify tokens of service accounts with: OpenID Connect Discovery 1.0, RFC 7517. */
#include "apiserver/auth/account-token.h"
#include "apiserver/rest/paths.h"

#define PAGE_MAX (1u << 20)

static void send(struct call *c, const char *type, struct buf *page)
{
	(void)stream_set_header(c->s, "Cache-Control", "public, max-age=3600");
	call_text(c, 200, type, buf_slice(page));
}

bool paths_openid(struct call *c, const char *path)
{
	const struct account_tokens *t = c->srv->conf.accounts;
	CLEANUP(buf_fini) struct buf page = BUF_INIT(PAGE_MAX);
	bool keys = strcmp(path, "/openid/v1/jwks") == 0;
	struct err err ERR_RAW;
	int r;

	if (!t || (!keys && strcmp(path, "/.well-known/openid-configuration") != 0))
		return false;
	err_clear(&err);
	r = keys ? account_tokens_jwks(t, &page, &err)
		 : account_tokens_openid(t, paths_address(c->srv), call_work(c), &page, &err);
	if (r < 0)
		call_fail(c, &err);
	else if (r == 1)
		call_nowhere(c);
	else
		send(c, keys ? "application/jwk-set+json" : "application/json", &page);
	return true;
}
