/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole server with authorizers and admission plugins. Texts of objects have ' for ".
 */
#pragma once

#include "admission-fix.h"
#include "apiserver/auth/authz-chain.h"

struct zfix {
	struct rfix *x;
	struct authz_chain *chain;
};

static inline void zfix_open(struct zfix *z, const char *modes)
{
	struct err err = ERR_INIT;

	if (authz_chain_new(&(struct authz_flags){ .modes = modes }, &z->chain, &err) < 0)
		fail_msg("%s", err.msg);
	z->x->conf.authz = authz_chain_authz(z->chain);
	/* Nobody here takes finalizers away. */
	afix_open(z->x, NULL, "StorageObjectInUseProtection");
	if (authz_chain_begin(z->chain, z->x->f->loop, z->x->rs, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline int zfix_setup(void **state)
{
	struct zfix *z = calloc(1, sizeof(*z));
	void *x;

	assert_non_null(z);
	rest_setup(&x);
	z->x = x;
	zfix_open(z, NULL);
	make_namespace(z->x, "n1");
	*state = z;
	return 0;
}

static inline int zfix_teardown(void **state)
{
	struct zfix *z = *state;
	void *x = z->x;

	authz_chain_free(z->chain);
	afix_teardown(&x);
	free(z);
	return 0;
}
#define ZCASE(f) cmocka_unit_test_setup_teardown(f, zfix_setup, zfix_teardown)

/* As who has the token WHO-token. */
static inline int zask(struct zfix *z, const char *who, const char *method, const char *path,
		       const char *body)
{
	char headers[256];

	snprintf(headers, sizeof(headers), "Authorization: Bearer %s-token\r\nContent-Type: %s\r\n",
		 who,
		 strcmp(method, "PATCH") == 0 ? "application/merge-patch+json"
					      : "application/json");
	return ask(z->x, method, path, headers, body ? quoted(body) : NULL);
}

#define assert_may(z, who, method, path, text, want)                                          \
	do {                                                                                  \
		if (zask((z), (who), (method), (path), (text)) != (want))                     \
			fail_msg("%s %s as %s: %d, not %d: %.1000s", (method), (path), (who), \
				 (z)->x->code, (want), buf_str(&(z)->x->body));               \
	} while (0)

/* 403, and what it says. */
#define assert_refused(z, who, method, path, text, part)               \
	do {                                                           \
		assert_may((z), (who), (method), (path), (text), 403); \
		assert_status((z)->x, 403, "Forbidden", (part));       \
	} while (0)
