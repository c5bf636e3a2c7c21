/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as properties of a systemd unit. Shared by cgroup-systemd.c, cgroup-unit.c and tests. */
#pragma once

#include "linux/cgroup-systemd.h"

/* An a(sv) being written. */
struct unit_props {
	struct buf *b;
	size_t at;
	struct err *err;
};
void unit_props_begin(struct unit_props *p, struct buf *b, struct err *err);
void unit_props_end(struct unit_props *p);
void unit_put_u64(struct unit_props *p, const char *name, uint64_t v);
void unit_put_bool(struct unit_props *p, const char *name, bool v);
void unit_put_str(struct unit_props *p, const char *name, struct slice s);

/* What systemd has a property for; `v2`: it manages cgroups by v2. INVALID for a value that no
 * property takes (a list of CPUs that is none). */
int unit_put_limits(struct unit_props *p, const struct cgroup_limits *l, bool v2);
int unit_put_extra(struct unit_props *p, const struct unit_extra *x);

/* "a-b.slice" -> "/a.slice/a-b.slice", "-.slice" -> "". INVALID if it is no slice's name. */
int unit_expand_slice(struct slice name, char *out, size_t n, struct err *err);
