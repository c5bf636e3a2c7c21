/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: one JSON line for each thing done or refused. Private to src/registry.
 *
 * A line is in the file before its answer leaves (it survives our death); a worker makes it durable
 * soon after. When the file is larger than its maximum it becomes <path>.1, and so on to .4.
 */
#pragma once

#include "base/cleanup.h"

struct audit;
struct call;
struct err;
struct work_pool;

#define AUDIT_BYTES_DEFAULT (64ll << 20)
#define AUDIT_KEEP 4

/* bytes_max 0 = AUDIT_BYTES_DEFAULT. The file is appended to, 0640. */
int audit_new(const char *path, long long bytes_max, struct work_pool *pool, struct audit **ret,
	      struct err *err);
/* Gives the worker nothing more: before its pool is freed, and that before audit_free. NULL is
 * fine. */
void audit_end(struct audit *a);
void audit_free(struct audit *a); /* NULL is fine */
DEFINE_CLEANUP(struct audit *, audit_free)
/* Opens the path anew (after a rotation by others); on failure the old file stays. */
int audit_reopen(struct audit *a, struct err *err);
/* Who of c did its operation, with what status; digest NULL = none. Nothing when a is NULL. */
void audit_add(struct audit *a, const struct call *c, int status, const char *digest);
/* Something that no request of a client did: `by` and `what` are words ("retention", "delete").
 * repo and digest may be NULL. Nothing when a is NULL. */
void audit_note(struct audit *a, const char *by, const char *what, const char *repo,
		const char *ref, const char *digest);
