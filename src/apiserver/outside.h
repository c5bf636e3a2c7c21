/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files for others, in directories that are theirs: the kubeconfig of --kubeconfig-out and the pid
 * file. They appear whole, when the server is ready, and by then it may not write there any more:
 * so a child that stays root waits for their bytes, writes them and ends. It is made before
 * anything is opened, and parses nothing.
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>

struct err;
struct outside;

#define OUTSIDE_MAX (120u << 10)

/* Relative paths are of now. child: root will be given up; else it is written in this process. */
int outside_new(const char *kubeconfig, const char *pid_file, bool child, struct outside **ret,
		struct err *err);
void outside_free(struct outside *o); /* NULL is fine */
DEFINE_CLEANUP(struct outside *, outside_free)
/* Once; the files are durable when it returns. */
int outside_write(struct outside *o, struct slice kubeconfig, struct err *err);
/* A certificate was renewed: in place when there is no other way. */
int outside_renew(struct outside *o, struct slice kubeconfig, struct err *err);
/* At an orderly end. */
void outside_remove_pid(struct outside *o);
