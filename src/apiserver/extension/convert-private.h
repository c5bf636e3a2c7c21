/* SPDX-License-Identifier: Apache-2.0 */
/* Private to convert*.c. */
#pragma once

#include "apiserver/extension/convert.h"
#include "apiserver/objects/resource.h"
#include "base/clock.h"
#include "base/map.h"

struct converter {
	struct loop *loop;
	struct world *world;
	struct webhook_clients *clients;
	struct map flights;  /* of single items: by item and form */
	struct shape *shape; /* of the items that were made last, by their form; may be NULL */
	uint32_t form;
	struct metric_family *asked, *took, *made; /* NULL: nobody counts */
};

/* convert-figures.c */
int convert_figures_add(struct converter *cv, struct metrics *m, struct err *err);
void convert_figures_tell(struct convert_job *j);

/* convert-items.c */
void convert_shapes_fini(struct converter *cv);
