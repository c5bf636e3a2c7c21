/* SPDX-License-Identifier: Apache-2.0 */
/* Private to admission's quotas: what objects count for. */
#pragma once

#include "apiserver/admission/admission-private.h"

enum usage_kind { USAGE_COUNT, USAGE_POD, USAGE_SERVICE, USAGE_CLAIM };
enum usage_kind usage_kind(const struct api_kind *k);
/* Is this name of a quota about the kind? */
bool usage_answers(const struct api_kind *k, struct slice name);
/* "count/deployments.apps" */
const char *usage_count_name(const struct api_kind *k, struct arena *a);
/* What one object uses; now: seconds. */
struct amounts usage_of(const struct api_kind *k, const struct doc *obj, int64_t now,
			struct arena *a);
/* One scope; term: its selector, NULL: it has to be there. */
bool usage_meets(const struct api_kind *k, const struct doc *obj, struct slice scope,
		 const struct doc *term);
/* All scopes of the quota. */
bool usage_in_scope(const struct api_kind *k, const struct doc *obj, const struct doc *quota);
/* "limits.cpu for: a,b; memory for: a": what a pod has to say under a quota; NULL: it says all. */
const char *usage_missing(const struct doc *pod, const struct amounts *hard, struct arena *a);
/* A pod that ends by itself after a time. */
bool usage_is_bounded(const struct doc *pod);
bool usage_is_zero(const struct quantity *q);
