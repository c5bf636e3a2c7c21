/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for tests, made in memory. */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/key.h"
#include "crypto/x509.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400
#define LIST(...)                                                  \
	((struct cert_list){ (const char *const[]){ __VA_ARGS__ }, \
			     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) })

static inline int64_t now_s(void)
{
	return clock_real() / NS_PER_SEC;
}

/* A certificate with its key and, for a CA, what it may sign with. */
struct signer {
	struct key *key;
	struct cert *cert;
};

static inline void signer_fini(struct signer *s)
{
	key_unref(s->key);
	cert_unref(s->cert);
	*s = (struct signer){ 0 };
}

/* issuer NULL: by itself. */
static inline struct signer sign_as(const struct cert_spec *spec, enum key_type type,
				    const struct signer *issuer)
{
	struct signer s = { 0 };
	struct err err = ERR_INIT;

	if (key_generate(type, 0, &s.key, &err) < 0)
		fail_msg("%s", err.msg);
	if (cert_make(spec, s.key, issuer ? issuer->cert : NULL, issuer ? issuer->key : s.key,
		      &s.cert, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static inline struct signer make_ca(const char *cn, const struct signer *issuer)
{
	struct cert_spec spec = { .names = { .cn = cn },
				  .ca = true,
				  .path_len = -1,
				  .not_before = now_s() - DAY,
				  .not_after = now_s() + 30 * DAY };

	return sign_as(&spec, KEY_P256, issuer);
}

static inline struct cert_spec leaf_spec(const char *cn, struct cert_list dns)
{
	return (struct cert_spec){ .names = { .cn = cn, .dns = dns },
				   .not_before = now_s() - DAY,
				   .not_after = now_s() + 10 * DAY };
}

static inline struct signer make_leaf(const char *cn, struct cert_list dns, const struct signer *ca)
{
	struct cert_spec spec = leaf_spec(cn, dns);

	return sign_as(&spec, KEY_P256, ca);
}

static inline struct cert_pool *pool_of(const struct signer *ca)
{
	struct cert_pool *p = cert_pool_new();

	cert_pool_add(p, ca->cert);
	return p;
}

/* The message has both. */
static inline void assert_says(const struct err *err, enum err_code code, const char *part)
{
	if (err->code != code || !strstr(err->msg, part))
		fail_msg("code %d (want %d), message '%s' lacks '%s'", (int)err->code, (int)code,
			 err->msg, part);
}
