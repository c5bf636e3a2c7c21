/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured log: one line per event, text (`time level role msg key=value`) or JSON, to one fd.
 * Library code logs at debug only; the place that decides logs more. Never a secret.
 * The one process-wide state outside the entry points: set once by log_setup before threads start.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* role: static text such as "engine"; fd is borrowed. Default before setup: warnings as text to
 * fd 2. */
void log_setup(const char *role, int fd, enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* msg, then pairs of (const char *key, const char *value) ended by NULL: log_kv(LOG_LEVEL_INFO,
 * "container started", "id", id, NULL). A NULL value is left out together with its key. errno is
 * kept. */
void log_kv(enum log_level level, const char *msg, ...) __attribute__((sentinel));
/* printf form for what has no fields. */
void log_f(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...) log_f(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_f(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_f(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                       \
	do {                                                 \
		if (log_enabled(LOG_LEVEL_DEBUG))            \
			log_f(LOG_LEVEL_DEBUG, __VA_ARGS__); \
	} while (0)
