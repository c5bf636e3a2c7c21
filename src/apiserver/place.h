/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <root>/apiserver: whose it is, who has it now, and what a killed process left there.
 *
 * Whoever opens it stands in it afterwards: its files have relative names, since a process that
 * gave up root may not pass the directories above.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <sys/types.h>

struct err;

struct place {
	int fd, lock;
	uid_t uid; /* whose it is */
	gid_t gid;
};
#define PLACE_INIT ((struct place){ .fd = -1, .lock = -1 })

struct place_want {
	bool make; /* else -ERR_NOT_FOUND when it is not there */
	bool take; /* for uid and gid: we are root and will be them */
	uid_t uid;
	gid_t gid;
	bool lock; /* -ERR_CONFLICT: another process has it */
};
int place_open(const char *root, const struct place_want *want, struct place *ret, struct err *err);
void place_fini(struct place *p);
DEFINE_CLEANUP_EMBEDDED(struct place, place_fini)
/* Root becomes the user whose it is, so that what is written stays readable for the server. */
int place_become_owner(const struct place *p, struct err *err);
