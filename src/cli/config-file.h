/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a role in a file: YAML or JSON, a member for each flag under its own name. */
#pragma once

struct cmd_call;
struct err;

/*
 * Sets the call's options that the command line does not: lists may be a text or a list of texts.
 * -ERR_INVALID names the member that is none of the command's flags, or whose value does not fit.
 * `config` itself cannot be in it.
 */
int config_file_read(struct cmd_call *call, const char *path, struct err *err);
