/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/identity.h"

#include "base/err.h"
#include "crypto/key.h"

void identity_fini(struct identity *id)
{
	for (size_t i = 0; i < id->n; i++)
		cert_unref(id->chain[i]);
	key_unref(id->key);
	*id = (struct identity){ .n = 0 };
}

int identity_read_chain(struct identity *id, struct slice certs, struct err *err)
{
	return cert_read(certs, id->chain, CERT_CHAIN_MAX, &id->n, err);
}

int identity_read_key(struct identity *id, struct slice key, struct err *err)
{
	return key_read(key, &id->key, err);
}

int identity_read(struct identity *id, struct slice certs, struct slice key, struct err *err)
{
	if (identity_read_chain(id, certs, err) < 0)
		return err_wrap(err, "certificate");
	return identity_read_key(id, key, err) < 0 ? err_wrap(err, "key") : 0;
}

struct tls_identity identity_shown(const struct identity *id)
{
	return (struct tls_identity){ .chain = id->chain, .chain_n = id->n, .key = id->key };
}
