/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that know who we are: client.authentication.k8s.io/v1 and v1beta1. Private to
 * src/client.
 */
#pragma once

#include "base/str.h"

struct arena;
struct client_conf;
struct err;

struct exec_credential {
	const char *token;	/* or NULL */
	struct slice cert, key; /* PEM; nothing = {NULL, 0} */
};

/* Runs conf->exec and reads what it prints. UNAUTHORIZED: it failed, or says nothing useful;
 * UNSUPPORTED: its apiVersion. What is returned is secret and lies in the arena. */
int exec_ask(const struct client_conf *conf, struct arena *a, struct exec_credential *ret,
	     struct err *err);
/* The answer's text; apiVersion must be `version`. */
int exec_read(struct slice text, const char *version, struct arena *a, struct exec_credential *ret,
	      struct err *err);
