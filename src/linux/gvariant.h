/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values in GVariant's text form, as annotations org.systemd.property.* have them, written as a
 * D-Bus variant.
 *
 * Known: true, false, numbers (int32 unless a type word or an annotation says otherwise), strings,
 * arrays, tuples, type words (byte int16 uint16 int32 uint32 int64 uint64 double boolean string
 * objectpath signature) and annotations ("@as []"). Dictionaries, nested variants, maybes and byte
 * strings are refused by name: no property of a scope has such a type.
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>

struct err;

enum { GVARIANT_TEXT_MAX = 4096 };

/* Appends signature and value. `seconds`: a plain number, written as uint64 of microseconds. */
int gvariant_put(struct buf *out, const char *text, bool seconds, struct err *err);
