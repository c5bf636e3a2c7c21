/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authorizers of a server, as its flags name them: read and checked first, before anything is
 * opened that others could see, then made when all objects are there.
 */
#pragma once

#include "apiserver/auth/authz-config.h"
#include "base/cleanup.h"

struct authz_chain;
struct err;
struct loop;
struct metrics;
struct resources;

/* Reads what the flags and their files say; files stay open. -ERR_BAD_REQUEST, -ERR_INVALID name
 * what is wrong. f is copied, its texts are borrowed. */
int authz_chain_new(const struct authz_flags *f, struct authz_chain **ret, struct err *err);
/* The i-th file that was opened; NULL: past the last. */
const char *authz_chain_file(const struct authz_chain *c, size_t i);
/* After world_start is done. metrics may be NULL. */
int authz_chain_begin(struct authz_chain *c, struct loop *loop, struct resources *rs,
		      struct metrics *metrics, struct err *err);
/* Before resources_free, after the server. */
void authz_chain_free(struct authz_chain *c);
DEFINE_CLEANUP(struct authz_chain *, authz_chain_free)
/* Stays where it is for the chain's life. */
const struct authz *authz_chain_authz(const struct authz_chain *c);

bool authz_chain_changed(const struct authz_chain *c);
/* Reads the files again: all of it holds from now on, or, on failure, nothing does. What webhooks
 * said before is forgotten. 0 without files. */
int authz_chain_reload(struct authz_chain *c, struct err *err);
