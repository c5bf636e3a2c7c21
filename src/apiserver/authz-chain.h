/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authorizers of a server, as its flags name them: read and checked first, before anything is
 * opened that others could see, then made when all objects are there.
 */
#pragma once

#include "apiserver/authz.h"
#include "base/cleanup.h"

struct authz_chain;
struct err;
struct resources;

#define AUTHZ_MODES_DEFAULT "Node,RBAC"

/* modes: "Node,RBAC"; NULL: AUTHZ_MODES_DEFAULT. -ERR_BAD_REQUEST names what is wrong. */
int authz_chain_new(const char *modes, struct authz_chain **ret, struct err *err);
/* After world_start is done. */
int authz_chain_begin(struct authz_chain *c, struct resources *rs, struct err *err);
/* Before resources_free. */
void authz_chain_free(struct authz_chain *c);
DEFINE_CLEANUP(struct authz_chain *, authz_chain_free)
/* Stays where it is for the chain's life. */
const struct authz *authz_chain_authz(const struct authz_chain *c);
