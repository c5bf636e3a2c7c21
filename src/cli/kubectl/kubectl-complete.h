/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell asks when a key is pressed. */
#pragma once

struct cmd_call;
struct err;
struct kubectl;

/*
 * `kubectl __complete WORD... LAST`, as scripts of kubectl's own ask: what LAST may become, one a
 * line, and ":4" behind (no files). Nothing is offered when the server does not answer. argv[0] is
 * "__complete". Exit status.
 */
int kubectl_complete(struct kubectl *k, int argc, char **argv);
/* Of kubectl.c: finds the command in the line (argv[0] is skipped) and reads its flags. 1: there is
 * none, the words without flags are in call->args; or --help is among them. */
int kubectl_read_line(struct kubectl *k, int argc, char **argv, struct cmd_call *call,
		      struct err *err);
