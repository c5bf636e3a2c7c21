/* SPDX-License-Identifier: Apache-2.0 */
/* --mount: "type=bind,src=/a,dst=/b,readonly" to docker's Mount object. */
#pragma once

struct arena;
struct doc;
struct err;

/* Fills `mount`, an empty object. INVALID names the part; UNSUPPORTED an option of docker's that we
 * do not have. */
int mount_opt_parse(struct arena *a, const char *text, struct doc *mount, struct err *err);
