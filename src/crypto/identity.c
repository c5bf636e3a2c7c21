/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/identity.h"

#include "base/err.h"
#include "crypto/key.h"
#include "crypto/x509.h"

void identity_fini(struct identity *id)
{
	for (size_t i = 0; i < id->n; i++)
		cert_unref(id->chain[i]);
	key_unref(id->key);
	*id = (struct identity){ .n = 0 };
}

int identity_read(struct slice certs, struct slice key, struct identity *ret, struct err *err)
{
	CLEANUP(identity_fini) struct identity id = { .n = 0 };

	if (cert_read(certs, id.chain, IDENTITY_CHAIN_MAX, &id.n, err) < 0)
		return err_wrap(err, "certificate");
	if (key_read(key, &id.key, err) < 0)
		return err_wrap(err, "key");
	*ret = id;
	id = (struct identity){ .n = 0 };
	return 0;
}

struct tls_identity identity_shown(const struct identity *id)
{
	return (struct tls_identity){ .chain = id->chain, .chain_n = id->n, .key = id->key };
}
