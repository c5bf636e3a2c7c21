/* SPDX-License-Identifier: Apache-2.0 */
/* What run, create, start, exec and attach share: cidfile, waiting for the end, docker's statuses.
 */
#pragma once

#include "dockerclient/dockerclient.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct cmd_call;
struct run_opts;

#define STATUS_ENGINE 125	/* nothing ran */
#define STATUS_NOT_RUNNABLE 126 /* the program is there but cannot be executed */
#define STATUS_NOT_FOUND 127	/* the program is not there */

/* Creates by the options: *ret_id in the arena; warnings are printed. A --cidfile is made before
 * and removed again on failure. */
int joint_create(struct cmd_call *call, const struct run_opts *o, const char **ret_id,
		 struct err *err);

/* "teu: <message>" and where to read more, as docker's run says it. Returns status. */
int joint_complain(const struct cmd_call *call, const struct err *err, int status);
/* 125, 126 or 127 by what the engine says of a failed start. */
int joint_start_status(const struct err *err);

/* The exit of a container, asked for before it can happen. */
int joint_wait_begin(struct docker_client *c, struct docker_exchange *x, struct arena *a,
		     const char *id, const char *condition, struct err *err);
/* Runs the loop until then. */
int joint_wait_end(struct docker_exchange *x, struct arena *a, int *ret_status, struct err *err);
