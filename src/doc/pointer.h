/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Pointer (RFC 6901): "/spec/containers/0/name", "~0" for "~", "~1" for "/". "" is the whole
 * document. Array indices are digits without leading zeros; "-" is the place after the last
 * element.
 */
#pragma once

#include "doc/doc.h"

struct buf;

#define POINTER_DEPTH_MAX 10000

/* 0, or -ERR_BAD_REQUEST naming the pointer and what is wrong with its form. */
int pointer_check(struct slice pointer, struct err *err);

/* The value, NULL when absent or when the pointer is malformed. */
struct doc *pointer_get(const struct doc *root, struct slice pointer);
/* The same with reasons: BAD_REQUEST (form), NOT_FOUND (names the part of the path that is
 * missing). */
int pointer_find(struct doc *root, struct slice pointer, struct doc **ret, struct err *err);

/* One step of a walk; *rest starts at "/token" and loses it. False when the pointer is at its end
 * or malformed. */
bool pointer_next(struct slice *rest, struct slice *ret_token);
/* Token as a key: bytes equal after decoding ~0 and ~1. */
bool pointer_token_is(struct slice token, struct slice key);
/* Decoded token: itself, or a copy in the arena; {NULL,0} past the arena's maximum. */
struct slice pointer_token(struct arena *a, struct slice token);
/* Array index: 0 and *ret; 1 for "-"; -ERR_INVALID for anything else. */
int pointer_index(struct slice token, size_t *ret);

/* Appends "/" and the key, encoded. 0 or -ERR_QUOTA. */
int pointer_append(struct buf *b, struct slice key);
