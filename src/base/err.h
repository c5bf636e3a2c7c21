/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error value, owned by the caller: fixed size, no allocation, plain bytes on a pipe.
 *
 * A function returns 0 for success, negative for failure with *err filled (the number is -code),
 * positive for a result documented at its declaration. The origin calls err_set or err_sys; on the
 * way up err_wrap puts in front what only that level knows, so a message reads outside-in. `err`
 * may be NULL everywhere: then only the return value tells.
 */
#pragma once

#include "base/cleanup.h"

#include <stdarg.h>
#include <stdint.h>

/*       code          docker kube Kubernetes reason */
#define ERR_CODES(X)                                     \
	X(BAD_REQUEST, 400, 400, "BadRequest")           \
	X(INVALID, 400, 422, "Invalid")                  \
	X(UNAUTHORIZED, 401, 401, "Unauthorized")        \
	X(FORBIDDEN, 403, 403, "Forbidden")              \
	X(NOT_FOUND, 404, 404, "NotFound")               \
	X(EXISTS, 409, 409, "AlreadyExists")             \
	X(CONFLICT, 409, 409, "Conflict")                \
	X(GONE, 410, 410, "Expired")                     \
	X(TOO_LARGE, 413, 413, "RequestEntityTooLarge")  \
	X(QUOTA, 429, 429, "TooManyRequests")            \
	X(UNSUPPORTED, 501, 415, "UnsupportedMediaType") \
	X(TIMEOUT, 504, 504, "Timeout")                  \
	X(UNAVAILABLE, 503, 503, "ServiceUnavailable")   \
	X(SYSTEM, 500, 500, "InternalError")

enum err_code {
	ERR_NONE = 0,
#define X(name, docker, kube, reason) ERR_##name,
	ERR_CODES(X)
#undef X
		ERR_CODE_COUNT
};

/* One of several causes of a failure; lives in the arena of whoever collected them. */
struct cause {
	struct cause *next;
	const char *field;  /* path such as "linux.resources.pids.limit" */
	const char *reason; /* short word: "required", "unknown", "type", "enum", "range",
			       "duplicate", "format" */
	const char *detail; /* sentence for a person */
};

struct err {
	enum err_code code;
	int sys;	      /* errno at the origin, or 0 */
	char msg[1024];	      /* outermost context first; a cut message ends in "..." */
	struct cause *causes; /* optional, borrowed from the request's arena */
};

#define ERR_INIT ((struct err){ 0 })

/* An empty error on a hot path: "struct err err ERR_RAW; err_clear(&err);" costs no zeroing of the
 * text. */
#define ERR_RAW __attribute__((uninitialized))
static inline void err_clear(struct err *err)
{
	err->code = ERR_NONE;
	err->sys = 0;
	err->msg[0] = '\0';
	err->causes = NULL;
}

/* Origin of a failure that is not a system call's. Returns -code. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);

/* Origin of a failed system call: appends ": <strerror(errno)>"; code SYSTEM, sys = errno. Returns
 * -ERR_SYSTEM. */
int err_sys(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* As err_sys with the errno given (pthread_*, stored errors) and the code chosen by the caller. */
int err_sysc(struct err *err, enum err_code code, int sys, const char *fmt, ...) PRINTF(4, 5);

/* Puts "<fmt>: " in front of the message. Returns -err->code (-ERR_SYSTEM if err is NULL or empty).
 */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Appends a hint: "; <fmt>". Returns -err->code. */
int err_hint(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* -code of an error that is already filled. */
int err_ret(const struct err *err);

int err_docker_status(enum err_code code);
int err_kube_status(enum err_code code);
const char *err_kube_reason(enum err_code code);
const char *err_code_name(enum err_code code); /* "NOT_FOUND" */

/* strerror without locale or buffer: static text, thread safe ("ENOENT: No such file..." is not its
 * form: only the text). */
const char *err_strerror(int sys);
