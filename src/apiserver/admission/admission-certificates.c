/* SPDX-License-Identifier: Apache-2.0 */
/* Who may approve, sign and attest in whose name; and what the API's own signer signs for nobody.
 */
#include "apiserver/admission/admission-private.h"

#include "base/err.h"
#include "base/hash.h"
#include "crypto/x509.h"

#define GROUP "certificates.k8s.io"
#define API_CLIENT "kubernetes.io/kube-apiserver-client"
#define MASTERS "system:masters"

/* For this signer, or all of its domain: "example.com/x", "example.com/" and a star. */
static bool may_for(struct admission_call *c, const char *verb, const char *signer)
{
	const char *slash = strchr(signer, '/'), *all;

	if (admit_may(c, verb, GROUP, "signers", "", "", signer))
		return true;
	all = arena_printf(c->sc->a, "%.*s/*", (int)(slash ? slash - signer : (long)strlen(signer)),
			   signer);
	return all && admit_may(c, verb, GROUP, "signers", "", "", all);
}

int admit_approval(struct admission_call *c, struct err *err)
{
	const char *signer = admit_text(c, c->old, "spec.signerName");

	if (may_for(c, "approve", signer))
		return 0;
	return admit_refuse(c, err, "user not permitted to approve requests with signerName \"%s\"",
			    signer);
}

int admit_signing(struct admission_call *c, struct err *err)
{
	const char *signer = admit_text(c, c->old, "spec.signerName");

	if (strategy_same_at(c->obj, c->old, "status.certificate") &&
	    strategy_same_at(c->obj, c->old, "status.conditions"))
		return 0;
	if (may_for(c, "sign", signer))
		return 0;
	return admit_refuse(c, err, "user not permitted to sign requests with signerName \"%s\"",
			    signer);
}

/* The garbage collector may do its work. */
static bool is_of_collector(const struct admission_call *c)
{
	return c->old && strategy_same_at(c->obj, c->old, "spec") &&
	       strategy_same_at(c->obj, c->old, "metadata.labels") &&
	       strategy_same_at(c->obj, c->old, "metadata.annotations");
}

int admit_attest(struct admission_call *c, struct err *err)
{
	const char *signer = admit_text(c, c->obj, "spec.signerName");

	if (!*signer || is_of_collector(c) || may_for(c, "attest", signer))
		return 0;
	return admit_refuse(c, err, "user not permitted to attest for signerName \"%s\"", signer);
}

int admit_subject(struct admission_call *c, struct err *err)
{
	struct slice text = strategy_text(c->obj, "spec.request");
	CLEANUP(csr_free) struct csr *csr = NULL;
	struct err why = ERR_INIT;
	const struct cert_names *names;
	size_t n = 0;
	char *pem;

	if (!strategy_is(c->obj, "spec.signerName", API_CLIENT))
		return 0;
	pem = arena_alloc(c->sc->a, text.n + 1);
	if (!pem)
		return arena_quota(c->sc->a, err);
	if (base64_decode(pem, &n, text) < 0)
		return admit_refuse(c, err, "failed to parse CSR: it is not base64");
	if (csr_read(slice_of(pem, n), &csr, &why) < 0)
		return admit_refuse(c, err, "failed to parse CSR: %.200s", why.msg);
	names = csr_names(csr);
	for (size_t i = 0; i < names->o.n; i++)
		if (strcmp(names->o.v[i], MASTERS) == 0)
			return admit_refuse(c, err,
					    "use of " API_CLIENT " signer with " MASTERS
					    " group is not allowed");
	return 0;
}
