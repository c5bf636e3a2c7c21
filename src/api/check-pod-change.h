/* SPDX-License-Identifier: Apache-2.0 */
/* Private to check-*.c: what may change of a Pod. */
#pragma once

#include "api/check-core.h"

/* check-pod-status.c: of the status subresource. */
void check_pod_status(struct check *c, const struct doc *pod);
/* check-pod-resize.c: of the resize subresource. True: nothing else is to be told. */
bool check_no_resize(struct check *c, const struct doc *pod);
void check_pod_resize(struct check *c, const struct doc *pod);
/* A new object of the member's value in `from`, or without it when `from` has none. */
void take_over(struct check *c, struct doc *obj, const char *field, const struct doc *from);
