/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to bootstrap: what extension servers trust clients by (the data of ConfigMap
 * kube-system/extension-apiserver-authentication), of all servers that share a store: none takes
 * out what another one says.
 */
#pragma once

#include "base/str.h"

#include <stdint.h>

struct arena;
struct doc;
struct err;

/*
 * Both maps as one, in a: of bundles every certificate once, those of `have` first, none that is
 * over at `now` (seconds since 1970); of lists every name once. What is not one of our keys, or
 * cannot be read, is left out of `have` (NULL: none); a bundle or list of `own` that cannot be read
 * is an error.
 */
int trust_unite(struct arena *a, const struct doc *have, const struct doc *own, int64_t now,
		struct doc **ret, struct err *err);
