/* SPDX-License-Identifier: Apache-2.0 */
/* Private to apply*.c: conflicts and how they are told. */
#pragma once

#include "api/apply.h"
#include "api/managed.h"

/* Fields of an entry that another manager would change. */
struct conflict {
	const struct managed_entry *by;
	struct doc set;
};

/* -ERR_CONFLICT with all of them as causes and in the message, by manager. Sorts v. */
int apply_refuse(const struct apply *c, struct conflict *v, size_t n, const char **ret_message,
		 struct err *err);
