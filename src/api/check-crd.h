/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/api/check-*.c: schemas of custom kinds. They must be structural: every value has a
 * type of its own outside of allOf, anyOf, oneOf and not, which only narrow it. Rules in CEL are
 * compiled when all else is right.
 */
#pragma once

#include "api/check.h"

/* has_status: the version has the status subresource. */
void crd_check_schema(struct check *c, const struct path *p, const struct doc *schema,
		      bool has_status);
