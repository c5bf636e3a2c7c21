/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities by name and number, and the five sets of a process.
 *
 * Order for a container process (each step needs what the next takes away):
 *   caps_drop_bounding  needs CAP_SETPCAP
 *   caps_keep(true)     else the change of uid empties the permitted set
 *   caps_set_ids        groups, gid, uid
 *   caps_apply          capset, then ambient (which needs permitted and inheritable)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Bit n is capability n. */
struct caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* "CAP_CHOWN" (any case, with or without the prefix) to number; -1 if no kernel known to us has it.
 */
int caps_number(const char *name);
/* "CAP_CHOWN"; NULL past the last one known to us. */
const char *caps_name(unsigned n);
unsigned caps_known(void); /* how many names there are */
/* Mask of what the running kernel has. */
int caps_kernel_mask(uint64_t *ret, struct err *err);

int caps_self(struct caps *ret, struct err *err);
/* Takes every capability not in c->bounding out of the bounding set. */
int caps_drop_bounding(const struct caps *c, struct err *err);
int caps_keep(bool on, struct err *err);
/* Supplementary groups, gid, uid (real, effective, saved and file system). skip_groups: setgroups
 * is denied here. */
int caps_set_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t n, bool skip_groups,
		 struct err *err);
/* Effective, permitted, inheritable, then ambient. What exceeds the caller's permitted set fails
 * with FORBIDDEN. */
int caps_apply(const struct caps *c, struct err *err);
