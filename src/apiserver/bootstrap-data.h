/* SPDX-License-Identifier: Apache-2.0 */
/* Private to bootstrap: the objects that are the same everywhere, as a YAML list. */
#pragma once

extern const char bootstrap_data[];

/* APIService of each built-in version: places in discovery. */
struct bootstrap_priority {
	const char *group_version; /* "apps/v1" */
	unsigned group, version;
};
extern const struct bootstrap_priority bootstrap_priorities[];
extern const unsigned bootstrap_npriorities;
