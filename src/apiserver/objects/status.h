/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta/v1 Status: errors as clients of the API see them, in upstream's words.
 *
 * Whoever finds an error calls one of the helpers below: it fills err and what the Status tells
 * beside (about). Errors of other code (err_set) become a Status too: by their code.
 *
 *	struct status_about about = status_about(kind);
 *	if (!item)
 *		return status_not_found(err, &about, name);
 *	...
 *	status_doc(err, &about, arena, &doc, &http);
 *
 * Texts of `about` are borrowed. Spec: Kubernetes API conventions, "Response Status Kind".
 */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdint.h>

struct api_kind;
struct arena;
struct doc;
struct err;

/*        id                   HTTP  reason */
#define STATUS_REASONS(X)                                      \
	X(BAD_REQUEST, 400, "BadRequest")                      \
	X(UNAUTHORIZED, 401, "Unauthorized")                   \
	X(FORBIDDEN, 403, "Forbidden")                         \
	X(NOT_FOUND, 404, "NotFound")                          \
	X(METHOD_NOT_ALLOWED, 405, "MethodNotAllowed")         \
	X(NOT_ACCEPTABLE, 406, "NotAcceptable")                \
	X(EXISTS, 409, "AlreadyExists")                        \
	X(CONFLICT, 409, "Conflict")                           \
	X(EXPIRED, 410, "Expired")                             \
	X(GONE, 410, "Gone")                                   \
	X(TOO_LARGE, 413, "RequestEntityTooLarge")             \
	X(UNSUPPORTED_MEDIA_TYPE, 415, "UnsupportedMediaType") \
	X(INVALID, 422, "Invalid")                             \
	X(TOO_MANY_REQUESTS, 429, "TooManyRequests")           \
	X(INTERNAL, 500, "InternalError")                      \
	X(SERVER_TIMEOUT, 500, "ServerTimeout")                \
	X(STORAGE_READ, 500, "StorageReadError")               \
	X(UNAVAILABLE, 503, "ServiceUnavailable")              \
	X(TIMEOUT, 504, "Timeout")                             \
	X(UNKNOWN, 500, "")

enum status_reason {
	STATUS_BY_CODE, /* err->code tells */
#define X(id, http, reason) STATUS_##id,
	STATUS_REASONS(X)
#undef X
		STATUS_REASON_COUNT
};

/* What the error is about. Which of it details tell depends on the reason: BadRequest nothing,
 * Invalid the kind, others the resource. */
struct status_about {
	enum status_reason reason;
	const char *group;    /* "" or NULL = core */
	const char *resource; /* "pods"; "" or NULL: of no resource */
	const char *kind;     /* "Pod" */
	const char *name, *uid;
	unsigned retry_after;  /* seconds; 0 = not told. Also for the Retry-After header */
	const char *continue_; /* metadata.continue of an expired list; NULL: none */
};
struct status_about status_about(const struct api_kind *k); /* k may be NULL */

/*
 * The Status of an error and its HTTP code. Causes of err go to details.causes. Texts that upstream
 * puts in front for a reason ("Internal error occurred: ", "Timeout: ") are put there unless they
 * are. about may be NULL. -ERR_QUOTA when the arena is full.
 */
int status_doc(const struct err *err, const struct status_about *about, struct arena *a,
	       struct doc *ret, int *ret_http);
/* status Success, of a DELETE that gives no object: details of about (name, group, resource, uid);
 * NULL: none. code 0 is not written. */
int status_success(const struct status_about *about, int code, struct arena *a, struct doc *ret);

/* ---- helpers: each fills err and *s, gives -code. name "" or NULL: of no single object ---- */

int status_bad_request(struct err *err, struct status_about *s, const char *fmt, ...) PRINTF(3, 4);
int status_unauthorized(struct err *err, struct status_about *s); /* "Unauthorized" */
/* "pods \"x\" is forbidden: <why>" */
int status_forbidden(struct err *err, struct status_about *s, const char *name, const char *fmt,
		     ...) PRINTF(4, 5);
/* "pods \"x\" not found" */
int status_not_found(struct err *err, struct status_about *s, const char *name);
/* "the server could not find the requested resource" */
int status_no_resource(struct err *err, struct status_about *s);
/* "<action> is not supported on resources of kind \"pods\"" */
int status_method_not_allowed(struct err *err, struct status_about *s, const char *action);
/* 406 of what codec_choose said. */
int status_not_acceptable(struct err *err, struct status_about *s);
/* "pods \"x\" already exists" */
int status_exists(struct err *err, struct status_about *s, const char *name);
/* The same of a generated name, with a hint to try again in a second. */
int status_generate_exists(struct err *err, struct status_about *s, const char *name);
#define STATUS_MODIFIED                                                                          \
	"the object has been modified; please apply your changes to the latest version and try " \
	"again"
/* "Operation cannot be fulfilled on pods \"x\": <why>" */
int status_conflict(struct err *err, struct status_about *s, const char *name, const char *fmt, ...)
	PRINTF(4, 5);
/* 410 "Expired": a list or watch has to begin anew. */
int status_expired(struct err *err, struct status_about *s, const char *fmt, ...) PRINTF(3, 4);
/* 410 "Gone" */
int status_gone(struct err *err, struct status_about *s, const char *fmt, ...) PRINTF(3, 4);
/* "Request entity too large: limit is <max>" */
int status_too_large(struct err *err, struct status_about *s, uint64_t max);
/* "Pod \"x\" is invalid: <why>"; err's causes are the caller's to add. */
int status_invalid(struct err *err, struct status_about *s, const char *name, const char *fmt, ...)
	PRINTF(4, 5);
int status_too_many(struct err *err, struct status_about *s, unsigned retry_after, const char *fmt,
		    ...) PRINTF(4, 5);
int status_internal(struct err *err, struct status_about *s, const char *fmt, ...) PRINTF(3, 4);
/* "The <action> operation against pods could not be completed at this time, please try again." */
int status_server_timeout(struct err *err, struct status_about *s, const char *action,
			  unsigned retry_after);
/* 503 */
int status_unavailable(struct err *err, struct status_about *s, const char *fmt, ...) PRINTF(3, 4);
/* "Timeout: <why>" */
int status_timeout(struct err *err, struct status_about *s, unsigned retry_after, const char *fmt,
		   ...) PRINTF(4, 5);
