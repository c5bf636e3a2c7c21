/* SPDX-License-Identifier: Apache-2.0 */
/* Pods in `kubectl describe`, and their containers; private to describe-*.c. */
#pragma once

#include "cli/kubectl/describe.h"

struct describe_containers {
	const char *title;
	const struct doc *list, *statuses;
	const struct doc *pod; /* what fields of the environment are of; NULL in a template */
	const char *space;     /* before the title: "" or "  " */
};
void describe_containers(struct describe *d, const struct describe_containers *what);
void describe_resources(struct describe *d, int level, const struct doc *resources);
void describe_pod_seccomp(struct describe *d, const struct doc *spec);
/* A text as Go's %q writes it. */
void describe_quote(struct slice text, struct buf *out);
int describe_pod(struct describe *d, struct err *err);
