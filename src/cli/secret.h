/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for names and passwords. */
#pragma once

#include <stdbool.h>

struct arena;
struct err;

/* Prints the prompt and reads a line of standard input; hidden: without echo on a terminal. */
int secret_ask(struct arena *a, const char *prompt, bool hidden, const char **ret, struct err *err);
/* All of standard input, without line breaks at its end. */
int secret_read(struct arena *a, const char **ret, struct err *err);
