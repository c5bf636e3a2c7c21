/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of custom kinds whose definition has a webhook that converts (spec.conversion.strategy
 * Webhook): in the version that a request wants, or in the one that is stored.
 *
 * Each object is kept as it was written: an item's JSON says its version (custom_kind_of). Who
 * needs another one waits for it, and the loop goes on meanwhile:
 *
 *	read	struct convert_items: items in, items of the other version out. A form is made
 *		once per revision and version, however many wait for it, and kept with the item
 *		under the budget of forms; a definition that changes makes new ones (struct
 *		api_custom.form). Lists ask for batches, a watch for one event after another: its
 *		window waits with it, nobody else does. A list fails before its first byte; a
 *		watch ends with an ERROR event.
 *	write	prepared, admitted and checked in the version of the request (struct
 *		change.own); converted when it is stored, and once more for the answer. What a
 *		step needs to know at once is a question to the call's memo: the step ends with
 *		"not yet", call_asks waits, the step runs again and finds the answer.
 *
 * Selectors look at what was made: labels and fields are those of the version that is asked for
 * (gather.h, rest-watch.c).
 *
 * Spec: apiextensions.k8s.io/v1 ConversionReview; errors are upstream's words. All on the loop's
 * thread.
 */
#pragma once

#include "api/custom.h"
#include "apiserver/extension/convert-review.h"
#include "apiserver/objects/cache.h"
#include "apiserver/outward/webhook-client.h"

struct converter;
struct metrics;
struct resources;

/* metrics may be NULL; a registry takes the figures of one converter. */
int converter_new(struct loop *l, struct resources *rs, struct metrics *m, struct converter **ret,
		  struct err *err);
/* Nothing is under way. */
void converter_free(struct converter *cv); /* NULL is fine */
DEFINE_CLEANUP(struct converter *, converter_free)

#define CONVERT_SECONDS 30
/* Of one ConversionReview, in bytes and objects; one object may be larger. */
#define CONVERT_BATCH (1u << 20)
#define CONVERT_BATCH_N 256

/* ---- bytes ---- */

struct convert_job;
/* Objects as they are in the version that was wanted: canonical documents, valid during the call.
 */
typedef void convert_done(struct convert_job *j, int result, const struct doc *objects,
			  struct err *err);
struct convert_job {
	/* Set by the caller, who keeps all of it until done. */
	const struct api_kind *to;   /* its definition is referenced until then */
	bool list;		     /* several, as errors tell it */
	const struct slice *objects; /* JSON with kind and apiVersion, none in the version `to` */
	size_t n;
	convert_done *done; /* once, from the loop; -ERR_SYSTEM in upstream's words */
	/* private */
	struct arena *a;
	struct convert_review review;
	struct webhook_at at;
	struct buf body;
	struct webhook_post post;
	struct deferred later;
	struct err err;
	struct converter *cv;
	int64_t begun; /* monotonic */
	enum convert_fault fault;
	bool running;
};
void convert_ask(struct converter *cv, struct convert_job *j);
void convert_cancel(struct convert_job *j); /* done does not run; also when nothing runs */

/* ---- documents of one request: the questions that its steps had ---- */

struct convert_question;
struct convert_memo {
	struct convert_question *questions, *open; /* open: to be asked; NULL: none */
	unsigned n;
	bool refused; /* the latest question: by its webhook */
	struct arena *a;
};
/* The answer's JSON, of the memo. -ERR_UNAVAILABLE without refused: it is open now, and the same
 * question finds its answer after convert_wait. */
int convert_memo_ask(struct convert_memo *m, const struct api_kind *to, const struct doc *d,
		     struct slice *ret, struct err *err);
void convert_memo_fini(struct convert_memo *m);
struct convert_wait {
	void (*done)(struct convert_wait *w); /* the open question has its answer */
	struct convert_question *question;    /* private */
};
void convert_wait(struct converter *cv, struct convert_memo *m, struct convert_wait *w);
void convert_unwait(struct convert_wait *w); /* done does not run; also when nothing runs */

/* ---- items ---- */

/* The item in that version as it is known already, referenced; NULL: it has to be asked for. */
struct item *convert_known(struct converter *cv, struct item *i, const struct api_kind *to);

struct convert_flight;
struct convert_items {
	/* Set by the caller, who keeps the array until done. */
	const struct api_kind *to;
	struct item **v; /* referenced; each gives way to the one that is wanted */
	size_t n;
	void (*done)(struct convert_items *k, int result, struct err *err);
	/* private */
	struct list link;
	struct convert_flight *flight;
	size_t *places;
};
/* 1: all are there, done does not run. 0: done runs later, once; of a failure v is as it was. */
int convert_items(struct converter *cv, struct convert_items *k);
/* Before done; what v has stays the caller's. */
void convert_items_cancel(struct convert_items *k); /* also when nothing runs */
