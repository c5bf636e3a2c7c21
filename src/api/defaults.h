/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults that follow from other fields. Called by api_admit, innermost objects first. */
#pragma once

#include "api/api.h"
#include "base/str.h"

struct arena;
struct doc;

/* For api_type.fix: 0 = the type has none. */
unsigned api_defaults_find(const char *definition);
void api_defaults_run(const struct api_type *t, struct doc *obj, struct arena *a);
/* Sets a member of an object in canonical form, in the place that the table gives it. Nothing when
 * the type has no such field or the arena is full. */
void api_set(const struct api_type *t, struct doc *obj, struct arena *a, const char *field,
	     struct doc value);
/* Whether an image's name stands for the tag "latest": that tag, or neither tag nor digest. What is
 * no name of an image does not. */
bool api_image_is_latest(struct slice image);
