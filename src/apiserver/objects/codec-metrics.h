/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HorizontalPodAutoscaler between autoscaling/v1 and v2. What v1 has no fields for goes to
 * annotations, as upstream does: metrics and conditions in v1's forms, behavior with the names of
 * upstream's internal type. Annotations that hold no such thing are dropped.
 */
#pragma once

#include "api/api.h"

struct arena;
struct doc;
struct err;

/* Results share nodes with d, are not canonical yet, and have d's apiVersion. -ERR_QUOTA. */
int codec_autoscaler_to_v1(const struct doc *d, struct arena *a, struct doc *ret, struct err *err);
int codec_autoscaler_to_v2(const struct api_kind *v2, const struct doc *d, struct arena *a,
			   struct doc *ret, struct err *err);
