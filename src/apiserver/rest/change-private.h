/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to change-*.c and rest-write.c: parts of one write.
 *
 *	rest-write.c	its way: attempts, who is asked, what is stored and answered
 *	change-read.c	the live object and the body; who owns what
 *	change-meta.c	metadata, names, namespaces
 *	change-make.c	prepared as a new object
 *	change-update.c	prepared as another state of one that is there
 *	change-admit.c	admission, webhooks, the strategy, checks, quotas
 */
#pragma once

#include "apiserver/rest/rest-write.h"

/* Text of a field, in the work arena; "" when it has none. And a text as a document. */
const char *change_text(struct change *x, const struct doc *meta, const char *field);
struct doc change_text_doc(struct change *x, const char *s);
/* The namespace of the request; "" of cluster-scoped kinds. */
const char *change_ns_of(const struct call *c);

/* Owner references that stand twice: the later ones go, and it is told. */
void change_dedup_owners(struct change *x, struct doc *view);
/* managedFields of what was written without apply; live NULL: it is made. Failure to track loses
 * the tracking, not the write. */
int change_track(struct change *x, const struct doc *live, struct doc *view, struct err *err);

/* x->obj: checked, allocated for. */
int change_check(struct change *x, struct err *err);
/* What the plugins say of it, and what is warned of. */
int change_judge(struct change *x, struct err *err);
/* Quotas, when everybody has agreed. */
int change_charge(struct change *x, struct err *err);

/* The bytes of d as they are stored. */
int change_bytes(const struct doc *d, struct buf *out, struct err *err);
