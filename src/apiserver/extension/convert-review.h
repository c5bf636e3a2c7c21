/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ConversionReview: what the webhook of a definition is asked, and what it answers. Bytes of
 * strangers: an answer counts whole or not at all, and of metadata it changes only labels and
 * annotations, whatever it says.
 *
 * Spec: apiextensions.k8s.io/v1 and v1beta1 ConversionReview.
 */
#pragma once

#include "base/str.h"
#include "doc/doc.h"

struct arena;
struct err;

/* What was wrong with an answer, as upstream counts it. */
enum convert_fault {
	CONVERT_FINE,
	CONVERT_CALL,	   /* there was none */
	CONVERT_MALFORMED, /* it is no answer, or says that it failed */
	CONVERT_PARTIAL,   /* of a list: not so many objects */
	CONVERT_EMPTY,	   /* of an object: not one */
	CONVERT_INVALID,   /* an object that is none of those that were sent */
};

struct convert_review {
	bool beta; /* v1beta1 */
	bool list; /* errors tell of which object */
	const char *uid;
	const char *from;      /* of errors: "example.com/v1, Kind=Foo"; of a list the list's */
	const char *kind, *to; /* of all objects; the version that is wanted: "example.com/v2" */
	const struct slice *objects; /* as JSON */
	size_t n;
	enum convert_fault *fault; /* of an answer that fails; NULL: nobody counts */
};
/* The first version of conversionReviewVersions that is known; -ERR_INVALID: none. */
int convert_review_version(const struct doc *versions, bool *ret_beta, struct err *err);
/* -ERR_TOO_LARGE: it does not fit. */
int convert_review_write(const struct convert_review *r, struct buf *out, struct err *err);
/*
 * r->n objects, in the order of those that were sent, with the metadata of these: documents in the
 * arena, strings of `text` and of r->objects. Errors are upstream's words: -ERR_INVALID,
 * -ERR_BAD_REQUEST (no JSON), -ERR_QUOTA.
 */
int convert_review_read(struct slice text, const struct convert_review *r, struct arena *a,
			struct doc *ret, struct err *err);
