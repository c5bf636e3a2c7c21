/* SPDX-License-Identifier: Apache-2.0 */
/* `teu image inspect` of what is not in the engine. */
#pragma once

#include "cli/image-place.h"

struct image_look {
	struct image_access access;
	bool raw, config; /* the manifest's, the config's own bytes */
	const char *platform;
};
/* Prints what skopeo prints. A name without a transport is the engine's. */
int image_look(struct cmd_call *call, const char *name, const struct image_look *l,
	       struct err *err);
