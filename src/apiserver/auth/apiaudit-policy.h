/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the audit log: its policy. */
#pragma once

#include "apiserver/auth/apiaudit.h"

struct apiaudit_policy;

int apiaudit_policy_read(const char *path, struct apiaudit_policy **ret, struct err *err);
void apiaudit_policy_free(struct apiaudit_policy *p);
DEFINE_CLEANUP(struct apiaudit_policy *, apiaudit_policy_free)
struct apiaudit_verdict apiaudit_policy_judge(const struct apiaudit_policy *p,
					      const struct apiaudit_about *r);
