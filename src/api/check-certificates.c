/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of certificates.k8s.io/v1. Requests are looked at as PEM around DER; whoever signs one
 * verifies its own signature. */
#include "api/check-parts.h"

#include "base/arena.h"
#include "base/hash.h"

static const struct path in_spec = PATH(NULL, "spec"), in_status = PATH(NULL, "status");

/* ---- PEM ---- */

/* Bytes of base64 without its blanks; false: none. dst: as long as s. */
static bool read_base64(struct slice s, char *dst, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\n' && s.p[i] != '\r' && s.p[i] != ' ' && s.p[i] != '\t')
			dst[n++] = s.p[i];
	return base64_decode(dst, ret_n, slice_of(dst, n)) == 0;
}

/* The next block: its label and what is between its lines. False: there is none. */
static bool next_block(struct slice *rest, struct slice *ret_label, struct slice *ret_body)
{
	static const char begin[] = "-----BEGIN ", dashes[] = "-----", end[] = "-----END ";
	const char *at = rest->n ? memmem(rest->p, rest->n, begin, sizeof(begin) - 1) : NULL;
	const char *stop = rest->p + rest->n, *close, *last;

	if (!at)
		return false;
	at += sizeof(begin) - 1;
	close = memmem(at, (size_t)(stop - at), dashes, sizeof(dashes) - 1);
	if (!close)
		return false;
	*ret_label = slice_of(at, (size_t)(close - at));
	at = close + sizeof(dashes) - 1;
	last = memmem(at, (size_t)(stop - at), end, sizeof(end) - 1);
	if (!last || (size_t)(stop - last) < sizeof(end) - 1 + ret_label->n + 5 ||
	    memcmp(last + sizeof(end) - 1, ret_label->p, ret_label->n) != 0)
		return false;
	*ret_body = slice_of(at, (size_t)(last - at));
	last += sizeof(end) - 1 + ret_label->n + 5;
	*rest = slice_of(last, (size_t)(stop - last));
	return true;
}

/* One SEQUENCE that takes all of it: what certificates and requests are (X.690 8.1). */
static bool is_sequence(struct slice der)
{
	size_t n, head = 2;

	if (der.n < 2 || (unsigned char)der.p[0] != 0x30)
		return false;
	n = (unsigned char)der.p[1];
	if (n >= 0x80) {
		size_t bytes = n & 0x7f;

		if (bytes == 0 || bytes > 4 || der.n < 2 + bytes)
			return false;
		n = 0;
		for (size_t i = 0; i < bytes; i++)
			n = n << 8 | (unsigned char)der.p[2 + i];
		head += bytes;
	}
	return der.n - head == n;
}

static bool is_der(struct arena *a, struct slice body)
{
	char *bytes = arena_alloc(a, body.n + 1);
	size_t n;

	return bytes && read_base64(body, bytes, &n) && is_sequence(slice_of(bytes, n));
}

/* The bytes of a field of bytes. */
static struct slice bytes_of(struct arena *a, const struct doc *d)
{
	char *bytes = d ? arena_alloc(a, (size_t)d->n + 1) : NULL;
	size_t n;

	if (!bytes || !read_base64(doc_slice(d), bytes, &n))
		return SLICE("");
	return slice_of(bytes, n);
}

static void check_request(struct check *c, const struct doc *spec)
{
	struct slice rest = bytes_of(c->a, doc_get(spec, "request")), label, body;

	if (!next_block(&rest, &label, &body) || !slice_is(label, "CERTIFICATE REQUEST"))
		part_invalid(c, &in_spec, spec, "request",
			     "PEM block type must be CERTIFICATE REQUEST");
	else if (!is_der(c->a, body))
		part_invalid(c, &in_spec, spec, "request",
			     "asn1: structure error: the block holds no PKCS #10 request");
}

static void check_certificate(struct check *c, const struct doc *status)
{
	const struct path at = PATH(&in_status, "certificate");
	struct slice rest = bytes_of(c->a, doc_get(status, "certificate")), label, body;
	const struct slice hidden = SLICE("<certificate data>");
	unsigned blocks = 0;

	if (!part_full(status, "certificate"))
		return;
	for (; next_block(&rest, &label, &body); blocks++) {
		if (!slice_is(label, "CERTIFICATE")) {
			check_invalid_text(c, &at, hidden,
					   "only CERTIFICATE PEM blocks are allowed, found "
					   "\"%.*s\"",
					   (int)label.n, label.p);
			return;
		}
		if (body.n && memchr(body.p, ':', body.n)) {
			check_invalid_text(c, &at, hidden, "no PEM block headers are permitted");
			return;
		}
		if (!is_der(c->a, body)) {
			check_invalid_text(c, &at, hidden, "x509: malformed certificate");
			return;
		}
	}
	if (blocks == 0)
		check_invalid_text(c, &at, hidden,
				   "must contain at least one CERTIFICATE PEM block");
}

/* ---- signerName ---- */

/* domain/path: labels of a domain with a dot, then parts of a path; 571 bytes together. */
static void check_signer(struct check *c, const struct doc *spec)
{
	const struct doc *name = doc_get(spec, "signerName");
	struct slice path = doc_slice(name), domain = slice_split(&path, '/');
	const char *why;

	if (!name || name->n == 0) {
		part_required(c, &in_spec, "signerName", "");
		return;
	}
	if (slice_is(doc_slice(name), "kubernetes.io/legacy-unknown") &&
	    !doc_str_is(doc_find(c->old, "spec.signerName"), "kubernetes.io/legacy-unknown")) {
		part_invalid(c, &in_spec, spec, "signerName",
			     "the legacy signerName is not allowed via this API version");
		return;
	}
	if (!path.p || path.n == 0 || domain.n == 0 || memchr(path.p, '/', path.n)) {
		part_invalid(c, &in_spec, spec, "signerName",
			     "must be a fully qualified domain and path of the form "
			     "'example.com/signer-name'");
		return;
	}
	why = form_dns_subdomain(domain);
	if (!why && !memchr(domain.p, '.', domain.n))
		why = "should be a domain with at least two segments separated by dots";
	if (!why)
		why = form_dns_subdomain(path);
	if (why)
		part_invalid(c, &in_spec, spec, "signerName", "validating label \"%.*s\": %s",
			     (int)domain.n, domain.p, why);
	if (name->n > 571)
		part_not_longer(c, &in_spec, spec, "signerName", 571);
}

/* ---- conditions ---- */

static void check_request_condition(struct check *c, const struct path *p, const struct doc *x)
{
	static const char *const states[] = { "False", "True", "Unknown", NULL };
	static const char *const only_true[] = { "True", NULL };
	const struct doc *type = doc_get(x, "type");
	bool final = doc_str_is(type, "Approved") || doc_str_is(type, "Denied") ||
		     doc_str_is(type, "Failed");

	if (!part_full(x, "type"))
		part_required(c, p, "type", "");
	part_one_of(c, p, x, "status", final ? only_true : states, true);
}

static const struct doc *condition_of(const struct doc *obj, const char *type)
{
	DOC_EACH (x, doc_find(obj, "status.conditions"))
		if (doc_str_is(doc_get(x, "type"), type))
			return x;
	return NULL;
}

static void check_request_conditions(struct check *c, const struct doc *obj)
{
	const struct path at = PATH(&in_status, "conditions");
	const struct doc *list = doc_find(obj, "status.conditions");
	bool approved = false, denied = false;

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);
		const struct doc *x = doc_at(list, i);
		bool yes = doc_str_is(doc_get(x, "type"), "Approved"),
		     no = doc_str_is(doc_get(x, "type"), "Denied");

		check_request_condition(c, &one, x);
		if ((yes && denied) || (no && approved))
			part_invalid(c, &one, x, "type",
				     "Approved and Denied conditions are mutually exclusive");
		approved |= yes;
		denied |= no;
	}
	check_unique(c, &at, list, "type");
}

static void check_request_update(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const final[] = { "Approved", "Denied", "Failed" };
	const struct path at = PATH(&in_status, "conditions"),
			  cert = PATH(&in_status, "certificate");
	const struct doc *status = doc_get(obj, "status"), *old = doc_get(c->old, "status");

	for (size_t i = 0; i < ARRAY_LEN(final); i++) {
		const struct doc *now = condition_of(obj, final[i]),
				 *was = condition_of(c->old, final[i]);

		if (was && !now)
			check_forbidden(c, &at, "updates may not remove a condition of type \"%s\"",
					final[i]);
		if (i == 2 || strcmp(sub, "approval") == 0 || !now)
			continue;
		if (!was)
			check_forbidden(c, &at, "updates may not add a condition of type \"%s\"",
					final[i]);
		else if (!doc_equal(now, was))
			check_forbidden(c, &at, "updates may not modify a condition of type \"%s\"",
					final[i]);
	}
	if (part_same(status, old, "certificate"))
		return;
	if (strcmp(sub, "status") != 0)
		check_forbidden(c, &cert, "updates may not set certificate content");
	else if (part_full(old, "certificate"))
		check_forbidden(c, &cert, "updates may not modify existing certificate content");
}

static void check_csr(struct check *c, const struct doc *obj, const char *sub)
{
	const struct path usages = PATH(&in_spec, "usages");
	const struct doc *spec = doc_get(obj, "spec"), *status = doc_get(obj, "status");

	check_request(c, spec);
	if (!part_full(spec, "usages"))
		part_required(c, &in_spec, "usages", "");
	part_unique_texts(c, &usages, doc_get(spec, "usages"));
	check_signer(c, spec);
	if (part_set(spec, "expirationSeconds") && part_number(spec, "expirationSeconds") < 600)
		part_invalid(c, &in_spec, spec, "expirationSeconds",
			     "may not specify a duration less than 600 seconds (10 minutes)");
	check_request_conditions(c, obj);
	if (!c->old || !part_same(status, doc_get(c->old, "status"), "certificate"))
		check_certificate(c, status);
	if (c->old)
		check_request_update(c, obj, sub);
}

const struct check_kind check_certificates[] = {
	{ "certificates.k8s.io", "CertificateSigningRequest", check_csr, form_any },
	{ NULL, NULL, NULL, NULL },
};
