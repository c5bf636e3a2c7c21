/* SPDX-License-Identifier: Apache-2.0 */
/* Names of service accounts as users and groups. */
#pragma once

#include "base/str.h"

#include <stdbool.h>

struct arena;

#define ACCOUNT_USER "system:serviceaccount:"
#define ACCOUNT_GROUP "system:serviceaccounts"

/* "system:serviceaccount:NAMESPACE:NAME", both valid names; false: another user. */
bool account_split(struct slice user, struct slice *ret_ns, struct slice *ret_name);
/* The two groups of every account of a namespace and behind them `more` NULLs, in `a`; NULL: no
 * memory. */
const char **account_groups(struct arena *a, struct slice ns, size_t more);
