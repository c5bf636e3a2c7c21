/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine says while it pulls or pushes: at a terminal one line for each layer, drawn over
 * as it goes on, with a bar; elsewhere the words alone, once each.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct doc;
struct err;

#define LAYERS_MAX 256 /* rows that can be drawn over */

struct layers {
	int fd;
	bool quiet;    /* nothing is shown */
	bool terminal; /* set by layers_begin */
	unsigned n;
	char ids[LAYERS_MAX][140];
};
void layers_begin(struct layers *l, int fd, bool quiet);
/* One message of the engine's stream. */
int layers_show(struct layers *l, const struct doc *msg, struct err *err);
/* The text of one message, without the movement of the cursor; for tests too. cols 0 = no terminal:
 * false when nothing is to be said there. */
bool layers_line(const struct doc *msg, unsigned cols, struct buf *out);
