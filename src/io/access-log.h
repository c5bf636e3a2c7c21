/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: one line for each exchange, as JSON or in the combined format.
 *
 * access_log_add only formats into memory; a thread of its own writes, every second or when enough
 * has come. What it cannot write in time is dropped and counted, never waited for. Secrets stay
 * out: no Authorization, no cookies, and the values of query parameters that name a token, key,
 * password, signature or the like are "***". Control bytes and quotes are escaped, so that no
 * request can forge a line. access_log_add belongs to one thread, the rest to any.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct access_log;
struct err;

enum access_format { ACCESS_JSON, ACCESS_COMBINED };

/* Zero means the default in brackets. */
struct access_log_conf {
	enum access_format format;
	const char *path; /* appended to, 0640; NULL: fd */
	int fd;		  /* borrowed, used if path is NULL */
	size_t queue_max; /* bytes that wait for the disk [1 MiB] */
};

struct access_record {
	int64_t time;		       /* of the request, ns since 1970 */
	int64_t duration;	       /* ns */
	const char *peer;	       /* "192.0.2.1:4711" */
	const char *method, *protocol; /* "GET", "HTTP/2.0" */
	struct slice target;	       /* path and query as sent */
	struct slice host, referer, agent;
	int status;
	uint64_t in, out;  /* bytes of bodies */
	const char *error; /* what broke it, NULL if nothing did */
};

int access_log_new(const struct access_log_conf *conf, struct access_log **ret, struct err *err);
/* Writes what waits. */
void access_log_free(struct access_log *log);
DEFINE_CLEANUP(struct access_log *, access_log_free)

void access_log_add(struct access_log *log, const struct access_record *rec);
/* Waits until all that was added is written or dropped. */
void access_log_flush(struct access_log *log);
/* Opens path anew (after a rotation); the old file is kept on failure. */
int access_log_reopen(struct access_log *log, struct err *err);
uint64_t access_log_dropped(struct access_log *log);

/* The line of rec with its end, as access_log_add makes it. For tests. */
int access_log_format(enum access_format f, const struct access_record *rec, struct buf *out);
