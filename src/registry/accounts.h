/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and robots that are kept by the admin socket: <root>/registry/accounts.json, 0600, replaced
 * whole and durably. Private to src/registry.
 *
 *	{"users": {NAME: {"password": BCRYPT}},
 *	 "robots": {NAME: {"password": BCRYPT, "expires": RFC 3339,
 *			   "rules": [{"repositories": [PATTERN], "actions": [WORD]}]}},
 *	 "tokensFrom": {NAME: SECONDS}, "allTokensFrom": SECONDS}
 *
 * A robot with rules may do what they allow and nothing else; one without is like a user. Once the
 * file is there somebody must be known, even when it names nobody any more.
 */
#pragma once

#include "base/str.h"

#include <stdint.h>

struct doc;
struct err;
struct policy;

/* Adds what the file says to a policy that is being read; an absent file adds nothing. */
int accounts_read(struct policy *p, const char *path, struct err *err);

enum account_change { ACCOUNT_PUT_USER, ACCOUNT_PUT_ROBOT, ACCOUNT_DELETE, ACCOUNT_REVOKE };
/*
 * Changes the file: name (for REVOKE NULL = everybody's tokens) and, for PUT, what it shall be.
 * old gets the bytes that were there ("" = no file), for accounts_restore. NOT_FOUND: DELETE of a
 * name that is not in it.
 */
int accounts_change(const char *path, enum account_change what, const char *name,
		    const struct doc *value, struct buf *old, struct err *err);
int accounts_restore(const char *path, const struct buf *old, struct err *err);
