/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in `kubectl describe`; private to describe-*.c. */
#pragma once

#include "api/quantity.h"
#include "cli/kubectl/describe.h"

#define DESCRIBE_AMOUNTS_MAX 256
/* Quantities by name; more than the maximum are left out. */
struct describe_amounts {
	struct {
		struct slice name;
		struct quantity q;
	} v[DESCRIBE_AMOUNTS_MAX];
	size_t n;
};
/* What a pod asks for and may have: sums of its containers, the largest of those before them. */
void describe_pod_amounts(const struct doc *pod, bool limits, struct describe_amounts *ret);
struct quantity describe_amounts_get(const struct describe_amounts *s, const char *name);
void describe_amounts_add(struct describe_amounts *s, struct slice name, const struct quantity *q);

int describe_node(struct describe *d, struct err *err);
