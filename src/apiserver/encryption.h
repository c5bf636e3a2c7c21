/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encryption at rest: objects of some resources are sealed before they go to the store, as an
 * EncryptionConfiguration (apiserver.config.k8s.io/v1) says. The first provider of a resource
 * seals; each of them opens.
 *
 *	k8s:enc:aesgcm:v1:KEY:    nonce (12), AES-GCM with the store's key as further data, tag
 *	k8s:enc:aescbc:v1:KEY:    IV (16), AES-CBC with PKCS#7
 *	k8s:enc:secretbox:v1:KEY: nonce (24), XSalsa20-Poly1305
 *
 * So bytes can be exchanged with upstream's server. kms is refused. Not thread safe.
 */
#pragma once

#include "apiserver/objects/cache.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct err;
struct encryption;

#define ENCRYPTION_PREFIX "k8s:enc:"

/* text NULL: nothing is sealed, and what is sealed is refused when it is read. YAML or JSON;
 * -ERR_INVALID names the field ("resources[0].providers[1].aescbc.keys[0].secret: ..."), never a
 * secret; -ERR_UNSUPPORTED: kms. path: for messages. */
int encryption_new(struct slice text, const char *path, struct encryption **ret, struct err *err);
void encryption_free(struct encryption *e); /* NULL is fine */
DEFINE_CLEANUP(struct encryption *, encryption_free)
/* Another configuration from now on; on failure nothing changes. */
int encryption_reload(struct encryption *e, struct slice text, const char *path, struct err *err);

/* Which resource a key of the store is of; set before the first of open and seal. */
struct encryption_names {
	/* "secrets" and "" for "/registry/secrets/default/x"; false: it is not known. */
	bool (*fn)(void *arg, struct slice key, struct slice *ret_group,
		   struct slice *ret_resource);
	/* Whether there still is an object under it; also true when that is not known yet. */
	bool (*live)(void *arg, struct slice key);
	void *arg;
};
void encryption_set_names(struct encryption *e, const struct encryption_names *names);

/* As in struct cache_form; arg: the encryption. -ERR_INVALID: it does not open; the message names
 * the store's key and the name of the key that would be needed. */
int encryption_open(void *arg, struct slice key, struct slice stored, struct buf *out,
		    bool *ret_used, struct err *err);
int encryption_seal(void *arg, struct slice key, struct slice open, struct buf *out, bool *ret_used,
		    struct err *err);
/* It was opened with another key or provider than seal would take now, so that it is to be written
 * again: with the first key changed, `kubectl replace` of what is there seals it anew. */
bool encryption_is_stale(void *arg, struct slice key);
/* Whether it seals anything at all. */
bool encryption_is_on(const struct encryption *e);
