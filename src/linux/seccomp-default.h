/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's default seccomp profile as rules: what a container gets when nobody asks for another.
 * It depends on the container's capabilities and on the kernel's version. Facts of moby 28's
 * profile.
 */
#pragma once

#include "linux/seccomp.h"

#include <stdint.h>

struct arena;
struct err;

struct seccomp_default_params {
	uint64_t caps;	 /* bit n = capability n is in the container's bounding set */
	unsigned kernel; /* major << 8 | minor; 0 = the running kernel */
	enum seccomp_arch native;
};

/* The rules live in the arena; ERR_QUOTA when it is too small (16 KiB are plenty). */
int seccomp_default_build(const struct seccomp_default_params *p, struct arena *a,
			  struct seccomp_filter *ret, struct err *err);
