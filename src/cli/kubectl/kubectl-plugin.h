/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that are kubectl's commands. */
#pragma once

#include <stddef.h>

struct arena;
struct err;
struct kubectl;

/* The program of the most words: "kubectl-a-b" of "a", "b". NULL: there is none; *used = how many
 * of the words name it. In the arena. */
const char *kubectl_plugin_find(struct arena *a, char **words, size_t n, size_t *used);
/* Becomes the program that the words up to the first flag name; returns 0 when there is none. */
int kubectl_plugin_run(struct kubectl *k, int argc, char **argv, struct err *err);
