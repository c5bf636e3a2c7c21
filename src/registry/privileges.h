/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registry without root. Private to src/registry.
 *
 * Called while the process has one thread and nothing open: uid and gid for good, no capabilities,
 * no new privileges, no file but the root and those that are configured (Landlock, where the kernel
 * has it), no other program, and Docker's default filter of system calls.
 */
#pragma once

#include <sys/types.h>

struct err;
struct registry_conf;

#define REGISTRY_UID 61901 /* what --user reserved means */

/* "reserved", "UID" or "UID:GID"; numbers above 0. */
int privileges_parse_user(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err);
/* The root is made for uid if it is not there or empty; one of somebody else is refused. */
int privileges_drop(const struct registry_conf *conf, struct err *err);
