/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of a file: csv lines `token,user,uid,"group1,group2"`, as kube-apiserver's
 * --token-auth-file has them. Only salted digests are kept, and compared in constant time.
 *
 * Spec: RFC 4180 as Go's encoding/csv reads it (records of different lengths, empty lines skipped).
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stddef.h>

struct err;
struct token_file;

#define TOKEN_FILE_MAX 65536 /* lines */

struct token_user {
	const char *name, *uid;
	const char *const *groups; /* NULL-terminated */
	size_t ngroups;
};

/* -ERR_INVALID names the line; nothing of a token is ever told. path: for messages. Of two lines
 * with one token the later counts. */
int token_file_read(struct slice text, const char *path, struct token_file **ret, struct err *err);
void token_file_free(struct token_file *t); /* NULL is fine */
DEFINE_CLEANUP(struct token_file *, token_file_free)
size_t token_file_count(const struct token_file *t);
/* NULL: no such token. Lives as long as t. */
const struct token_user *token_file_find(const struct token_file *t, struct slice token);
