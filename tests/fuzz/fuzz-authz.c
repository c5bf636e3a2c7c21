/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What authorizers read: a webhook's answer, ABAC's policies, an AuthorizationConfiguration; and
 * what a webhook, or expressions, make of a token. The first byte chooses. Nothing but a whole
 * review allows anything; policies of nobody allow nobody.
 */
#include "apiserver/auth/abac.h"
#include "apiserver/auth/authn-webhook.h"
#include "apiserver/auth/authz-config.h"
#include "apiserver/auth/authz-webhook.h"
#include "apiserver/auth/claims-cel.h"
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <assert.h>
#include <string.h>

static void answer(struct slice text)
{
	CLEANUP(buf_fini) struct buf why = BUF_INIT(4096);
	enum authz_opinion o = AUTHZ_NO_OPINION;
	struct err err = ERR_INIT;

	if (authz_webhook_read(text, false, &o, &why, &err) < 0) {
		assert(err.code && err.msg[0] && o == AUTHZ_NO_OPINION);
		return;
	}
	assert(o == AUTHZ_NO_OPINION || o == AUTHZ_ALLOW || o == AUTHZ_DENY);
	assert(memmem(text.p, text.n, "true", 4) || o == AUTHZ_NO_OPINION);
}

static void policies(struct slice text)
{
	static const char *const none[] = { NULL };
	const struct strategy_user nobody = { .name = "", .uid = "", .groups = none };
	const struct authz_attrs at = { .user = &nobody,
					.verb = "get",
					.resource_request = true,
					.group = "",
					.version = "v1",
					.resource = "secrets",
					.sub = "",
					.name = "",
					.ns = "",
					.path = "" };
	CLEANUP(abac_free) struct abac *b = NULL;
	struct err err = ERR_INIT;

	if (abac_read(text, &b, &err) < 0)
		assert(err.code && err.msg[0]);
	else
		assert(!abac_allows(b, &at, NULL));
}

static void plan(struct slice text)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16u << 20);
	struct authz_plan p;
	struct err err = ERR_INIT;

	if (authz_plan_read(text, true, a, &p, &err) < 0) {
		assert(err.code && err.msg[0]);
		return;
	}
	assert(p.n > 0 && p.n <= AUTHZ_STEPS_MAX);
	for (size_t i = 0; i < p.n; i++) {
		assert(*p.steps[i].name);
		if (p.steps[i].mode == AUTHZ_WEBHOOK)
			assert(p.steps[i].webhook.kubeconfig[0] == '/' &&
			       p.steps[i].webhook.timeout > 0);
	}
}

static void token(struct slice text)
{
	static const char *const us[] = { "us", NULL };
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 16u << 20);
	CLEANUP(buf_fini) struct buf status = BUF_INIT(1u << 20);
	struct authn_found found = { .user.uid = "" };
	struct err err = ERR_INIT;
	int r = authn_webhook_read(text, false, &status, &err);

	if (r < 0) {
		assert(err.code && err.msg[0]);
		return;
	}
	assert(r == 0 || memmem(text.p, text.n, "true", 4));
	if (authn_webhook_user(buf_slice(&status), us, us, a, &found, &err) == 1)
		assert(r == 1 && *found.user.name && found.user.groups && found.audiences[0]);
}

/* Claims as JSON: users that come of them are whole, and no group is empty. */
static void claims(struct slice text)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 32u << 20);
	struct claim_expr extra = { .text = "claims.?extra.orValue('')", .key = "a/b" },
			  rule = { .text = "claims.?ok.orValue(true) == true" },
			  user_rule = { .text = "user.groups.all(g, g != 'root')" };
	struct claim_exprs x = { .user = { .text = "claims.sub" },
				 .groups = { .text = "claims.?groups.orValue([])" },
				 .uid = { .text = "string(claims.?id.orValue(''))" },
				 .extra = { &extra, 1 },
				 .rules = { &rule, 1 },
				 .user_rules = { &user_rule, 1 } };
	struct strategy_user u = { .uid = "" };
	struct err err = ERR_INIT;
	struct claims_env env;
	struct doc *d;

	if (json_read(a, text, NULL, &d, &err) < 0 || !doc_is(d, DOC_OBJECT))
		return;
	assert(claims_env_new(a, &env, &err) == 0);
	assert(claims_compile(env.claims, false, a, &x.user, &err) == 0);
	assert(claims_compile(env.claims, false, a, &x.groups, &err) == 0);
	assert(claims_compile(env.claims, false, a, &x.uid, &err) == 0);
	assert(claims_compile(env.claims, false, a, &extra, &err) == 0);
	assert(claims_compile(env.claims, true, a, &rule, &err) == 0);
	assert(claims_compile(env.user, true, a, &user_rule, &err) == 0);
	if (claims_map(&x, d, a, &u, &err) < 0) {
		assert(err.code && err.msg[0]);
		return;
	}
	assert(*u.name && u.uid && u.groups);
	for (size_t i = 0; u.groups[i]; i++)
		assert(*u.groups[i]);
	if (claims_check(&x, d, &u, a, &err) == 0)
		for (size_t i = 0; u.groups[i]; i++)
			assert(strcmp(u.groups[i], "root") != 0);
	else
		assert(err.code && err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const readers[])(struct slice text) = { answer, policies, plan, token,
							      claims };

	if (n > 0)
		readers[data[0] % ARRAY_LEN(readers)](slice_of((const char *)data + 1, n - 1));
	return 0;
}
