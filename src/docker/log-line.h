/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a json-file log. Lines as our shim writes them are taken apart by hand; whatever
 * other shape a line has (a log of dockerd's, other order of members) goes through the JSON reader.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct log_line {
	struct slice text;  /* unescaped; in the line or in scratch */
	struct slice time;  /* as written */
	struct slice attrs; /* JSON text of the object, or empty */
	bool is_err;	    /* stderr */
};

/* line: without its newline. scratch keeps what had to be unescaped, until the next call. 0, or -1
 * for a line that is none (torn by a crash). */
int log_line_parse(const char *line, size_t n, struct buf *scratch, struct log_line *ret);
