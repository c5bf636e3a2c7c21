/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of options that many commands of `teu kubectl` have, and what they fill. */
#pragma once

#include "cli/kubectl/kubectl.h"

/* How the result is told. */
struct kubectl_form {
	const char *output, *template;
	bool managed, missing_ok, missing_given;
};
#define KUBECTL_FORM_ROWS(type, at)                                                                \
	OPT_SEEN_AT(type, BOOL, at.missing_ok, at.missing_given, "allow-missing-template-keys", 0, \
		    "What a template names and is not there is no failure (default true)"),        \
		OPT(type, STR, at.output, "output", 'o',                                           \
		    "json, yaml, name, jsonpath=..., go-template=..., custom-columns=..."),        \
		OPT(type, STR, at.template, "template", 0,                                         \
		    "Template of -o go-template and jsonpath"),                                    \
		OPT(type, BOOL, at.managed, "show-managed-fields", 0,                              \
		    "Keep managedFields in json and yaml")
#define KUBECTL_DRY_ROW(type, at) \
	OPT(type, STR, at, "dry-run", 0, "none, client (send nothing) or server (keep nothing)")
#define KUBECTL_MANAGER_ROW(type, at, name) \
	OPT(type, STR, at, "field-manager", 0, "Who owns the fields (default " name ")")
#define KUBECTL_VALIDATE_ROW(type, at)    \
	OPT(type, STR, at, "validate", 0, \
	    "What the server does with unknown fields: strict (default), warn, ignore")
#define KUBECTL_FILE_ROWS(type) KUBECTL_FILE_ROWS_AT(type, files)
#define KUBECTL_FILE_ROWS_AT(type, at)                                                         \
	OPT(type, LIST, at.names, "filename", 'f', "Objects that are in this file or folder"), \
		OPT_NOT_SUPPORTED(STR, "kustomize", 'k',                                       \
				  "there is no kustomize in teu kubectl yet"),                 \
		OPT(type, BOOL, at.recursive, "recursive", 'R',                                \
		    "Folders of --filename with those in them")

/* Reads the form; errors as kubectl_print_init. */
int kubectl_form_init(const struct kubectl_form *f, struct kubectl *k, struct kubectl_print *ret,
		      struct err *err);
