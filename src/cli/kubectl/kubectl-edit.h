/* SPDX-License-Identifier: Apache-2.0 */
/* Private to kubectl's edit and create --edit. */
#pragma once

#include "cli/kubectl/kubectl-rows.h"

struct edit_opts {
	struct kubectl_files files;
	struct kubectl_form form;
	const char *manager, *validate, *sub;
	bool patch, save, crlf;
};
#define EDIT_CRLF_ROW(type, at)                        \
	OPT(type, BOOL, at, "windows-line-endings", 0, \
	    "Lines of the file end with carriage returns")

/* Each object in an editor of its own, then created; what fails is noted. manager: not NULL. */
int edit_create(struct kubectl *k, const struct edit_opts *o, const struct kubectl_items *items,
		struct err *err);
