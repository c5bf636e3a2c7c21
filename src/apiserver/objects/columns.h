/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of Tables: what `kubectl get` prints for each kind, cell by cell, in upstream's words.
 * Column names are the kind's (api.h); their types and descriptions are given here.
 * Spec: meta/v1 Table; printers/internalversion of Kubernetes 1.36 (for facts).
 */
#pragma once

#include "api/api.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct doc;

/* Table.columnDefinitions of a kind (custom ones too: kind->custom). Short descriptions of our own.
 */
int columns_definitions(const struct api_kind *kind, struct arena *a, struct doc *ret,
			struct err *err);
/* The cells of an object (canonical, in `kind`'s version): an array as long as the definitions.
 * now: seconds since 1970. *ret_conditions: TableRow.conditions, or null. */
int columns_cells(const struct api_kind *kind, const struct doc *obj, int64_t now, struct arena *a,
		  struct doc *ret, struct doc *ret_conditions, struct err *err);
/* autoscaling/v1 Scale as if it were a kind: what a Table of the subresource `scale` of built-in
 * kinds is made with (those of custom kinds have the columns of the kind itself). */
const struct api_kind *columns_scale(void);
/* "5s", "3m20s", "8d", "2y33d": upstream's duration.HumanDuration. out: at least 32 bytes. */
const char *columns_age(int64_t seconds, char *out, size_t n);
