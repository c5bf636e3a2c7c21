/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether images may be used, asked of somebody else: an ImageReview over HTTP to the server of a
 * kubeconfig, whose answers are kept for a while.
 *
 * image_policy_look does not wait: what has yet to be asked is left open in the request's memo, and
 * who handles the request waits (image_wait) and looks again. The same images of several requests
 * are asked about once (hook-book.h). Spec: imagepolicy.k8s.io/v1alpha1.
 */
#pragma once

#include "apiserver/admission/admission-config.h"
#include "apiserver/outward/hook-book.h"

struct image_policy;
struct image_question;

/* conf is copied; to: as hook_book_make has it. */
int image_policy_new(const struct image_conf *conf, const struct hook_conf *to, struct loop *loop,
		     struct image_policy **ret, struct err *err);
/* Who waits looks again: there is no answer then. NULL is fine. */
void image_policy_free(struct image_policy *p);
DEFINE_CLEANUP(struct image_policy *, image_policy_free)

struct image_said {
	const char *key;
	int code;	  /* 1: they may be used; 0: not; negative: there is no answer */
	const char *text; /* the answer's status as JSON, or why there is none */
};

/* Of one request. */
struct image_memo {
	struct arena *a;
	const struct image_question *open; /* to be asked; NULL: nothing */
	const struct image_said *said;	   /* of the last that was; NULL: none was */
};
/*
 * What is said of a spec (JSON, which stays until image_wait). NULL: it is open in the memo. memo
 * NULL: nobody is asked, what is kept counts. *ret is valid until the loop's next step.
 */
const struct image_said *image_policy_look(struct image_policy *p, struct slice spec,
					   struct image_memo *memo, struct image_said *ret);

struct image_wait {
	void (*done)(struct image_wait *w); /* may run within image_wait */
	struct image_memo *memo;	    /* from here on private */
	const struct image_question *asked;
	struct hook_wait at;
};
/* Asks memo->open, whose answer is in the memo afterwards. */
void image_wait(struct image_wait *w, struct image_memo *memo);
void image_unwait(struct image_wait *w); /* done does not run; idempotent */

/* An answer's body: 1 or 0 as image_said, its status goes to out; -ERR_INVALID: it is no
 * ImageReview. */
int image_policy_read(struct slice body, struct buf *out, struct err *err);
