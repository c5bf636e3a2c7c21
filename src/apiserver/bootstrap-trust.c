/* SPDX-License-Identifier: Apache-2.0 */
#include "apiserver/bootstrap-trust.h"

#include "base/arena.h"
#include "base/err.h"
#include "crypto/x509.h"
#include "doc/doc.h"
#include "doc/json.h"

#include <stdlib.h>

#define BUNDLE_MAX (1u << 20)

static const struct {
	const char *key;
	bool bundle; /* PEM; else a JSON list of texts */
} keys[] = {
	{ "client-ca-file", true },
	{ "requestheader-allowed-names", false },
	{ "requestheader-client-ca-file", true },
	{ "requestheader-extra-headers-prefix", false },
	{ "requestheader-group-headers", false },
	{ "requestheader-uid-headers", false },
	{ "requestheader-username-headers", false },
};

/* ---- bundles ---- */

struct bundle {
	struct cert **v;
	size_t n;
	struct buf pem;
};

static void bundle_fini(struct bundle *b)
{
	for (size_t i = 0; i < b->n; i++)
		cert_unref(b->v[i]);
	free(b->v);
	buf_fini(&b->pem);
}

static bool has_cert(const struct bundle *b, const struct cert *c)
{
	for (size_t i = 0; i < b->n; i++)
		if (slice_eq(cert_der(b->v[i]), cert_der(c)))
			return true;
	return false;
}

/* Those that are not yet in b go to its end. */
static int bundle_add(struct bundle *b, struct slice text, int64_t now, struct err *err)
{
	struct cert **v = calloc(CERT_BUNDLE_MAX, sizeof(*v));
	size_t n = 0;
	int r;

	if (!v)
		abort();
	r = cert_read(text, v, CERT_BUNDLE_MAX, &n, err);
	for (size_t i = 0; i < n; i++) {
		if (r == 0 && b->n < CERT_BUNDLE_MAX && cert_info(v[i])->not_after >= now &&
		    !has_cert(b, v[i])) {
			r = cert_write_pem(v[i], &b->pem, err);
			b->v[b->n++] = v[i];
		} else {
			cert_unref(v[i]);
		}
	}
	free(v);
	return r;
}

static int unite_bundles(struct arena *a, struct slice have, struct slice own, int64_t now,
			 struct slice *ret, struct err *err)
{
	struct bundle b = { .v = calloc(CERT_BUNDLE_MAX, sizeof(*b.v)),
			    .pem = BUF_INIT(BUNDLE_MAX) };
	int r = 0;

	if (!b.v)
		abort();
	if (have.n)
		(void)bundle_add(&b, have, now, NULL); /* what is broken goes */
	if (own.n)
		r = bundle_add(&b, own, now, err);
	if (r == 0) {
		const char *p = arena_strndup(a, b.pem.n ? buf_str(&b.pem) : "", b.pem.n);

		*ret = slice_of(p, b.pem.n);
		r = p ? 0 : arena_quota(a, err);
	}
	bundle_fini(&b);
	return r;
}

/* ---- lists ---- */

static bool has_text(const struct doc *list, const struct doc *text)
{
	DOC_EACH (d, list)
		if (doc_equal(d, text))
			return true;
	return false;
}

static int list_add(struct arena *a, struct doc *list, struct slice text, struct err *err)
{
	struct doc *d;

	if (json_read(a, text, NULL, &d, err) < 0)
		return err_ret(err);
	if (!doc_is(d, DOC_ARRAY))
		return err_set(err, ERR_INVALID, "a list of names is meant");
	DOC_EACH (name, d)
		if (doc_is(name, DOC_STRING) && !has_text(list, name))
			doc_append(a, list, *name);
	return 0;
}

static int unite_lists(struct arena *a, struct slice have, struct slice own, struct slice *ret,
		       struct err *err)
{
	struct doc *list = doc_new_array(a);
	int r = 0;

	if (have.n)
		(void)list_add(a, list, have, NULL);
	if (own.n)
		r = list_add(a, list, own, err);
	return r < 0 ? r : json_print(a, list, NULL, ret, err);
}

/* ---- all of it ---- */

int trust_unite(struct arena *a, const struct doc *have, const struct doc *own, int64_t now,
		struct doc **ret, struct err *err)
{
	struct doc *all = doc_new_object(a);
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(keys) && r == 0; i++) {
		const struct slice theirs = doc_slice(doc_get(have, keys[i].key)),
				   ours = doc_slice(doc_get(own, keys[i].key));
		struct slice text = { 0 };

		if (!theirs.n && !ours.n)
			continue;
		r = keys[i].bundle ? unite_bundles(a, theirs, ours, now, &text, err)
				   : unite_lists(a, theirs, ours, &text, err);
		if (r < 0)
			return err_wrap(err, "%s", keys[i].key);
		if (text.n)
			doc_set(a, all, keys[i].key, doc_strn(a, text.p, text.n));
	}
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = all;
	return r;
}
