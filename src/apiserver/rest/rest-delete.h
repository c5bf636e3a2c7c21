/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the server: what a DELETE does to an object, for all who delete. */
#pragma once

#include "apiserver/rest/rest-write.h"

/* meta/v1 DeleteOptions. */
struct delete_options {
	bool has_grace, dry_run;
	int64_t grace;
	int orphan;		    /* orphanDependents; -1: not given */
	const char *propagation;    /* "" = not given */
	const char *uid, *revision; /* preconditions; "" = none */
};
/* Of a DeleteOptions document (canonical), or NULL: of the query. -ERR_INVALID. */
int delete_options_read(struct call *c, const struct doc *d, struct delete_options *ret,
			struct err *err);

/* The same as a document in the work arena, for those who are asked about it. */
const struct doc *delete_options_doc(struct call *c, const struct delete_options *o);

enum delete_outcome {
	DELETE_REMOVE,	/* it goes now */
	DELETE_UPDATE,	/* `obj` is stored: it waits for finalizers, or for its time */
	DELETE_PENDING, /* it is going already, and nothing changes */
};
/*
 * old: as stored, of `item`. obj: a copy that may be changed; it shares nothing that changes with
 * old. c->work is used. -ERR_CONFLICT: preconditions; -ERR_FORBIDDEN: such are never deleted.
 */
int delete_plan(struct call *c, const struct collection *o, const struct item *item,
		const struct doc *old, const struct delete_options *opt, struct doc *ret_obj,
		enum delete_outcome *ret, struct err *err);
/* Of the body, or of the query when there is none. */
int delete_read_options(struct call *c, struct delete_options *ret, struct err *err);
/* Jobs leave their pods behind unless told. */
void rest_delete_warn(struct call *c, const struct delete_options *opt);
