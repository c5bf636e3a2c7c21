/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeconfig: which clusters there are, who we are to them, and which of both is used now.
 *
 * Several files are one configuration: of clusters, users and contexts with the same name the first
 * file's is used, whole; so is the first current-context. What is changed is changed in the file
 * that has it. Documents have known fields only, in Go's order, zero values left out.
 * Spec: Config of group "" v1 (client-go's clientcmd).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct doc;
struct err;

#define KUBECONFIG_FILE_MAX (16u << 20)
#define KUBECONFIG_FILES_MAX 64

enum kubeconfig_part { KUBECONFIG_CLUSTER, KUBECONFIG_USER, KUBECONFIG_CONTEXT };
#define KUBECONFIG_PARTS 3

enum kubeconfig_type {
	KUBECONFIG_TEXT,
	KUBECONFIG_BOOL,
	KUBECONFIG_BYTES, /* base64 */
	KUBECONFIG_TEXTS, /* list */
	KUBECONFIG_OTHER, /* object, map or list of objects */
};
struct kubeconfig_field {
	const char *name;
	enum kubeconfig_type type;
	bool always; /* written also when it is zero */
	bool path;   /* names a file, beside the kubeconfig when it is relative */
};
/* Fields of a part, ended by a NULL name. */
const struct kubeconfig_field *kubeconfig_fields(enum kubeconfig_part part);

struct kubeconfig_file {
	const char *path;
	struct doc *doc; /* an empty Config when there is no file */
	bool exists;
};
struct kubeconfig {
	struct arena *arena; /* borrowed; all lies there */
	struct kubeconfig_file *files;
	size_t nfiles;
	bool given; /* one file, named by --kubeconfig */
	struct doc *merged;
};

/* Which files: `given` (then only it), else those of `list` (colons between), else the one below
 * `home`. Each may be NULL or "". */
struct kubeconfig_places {
	const char *given, *list, *home;
};
/* Files may be missing. INVALID names the file and what is wrong in it. */
int kubeconfig_load(struct arena *a, const struct kubeconfig_places *places, struct kubeconfig *ret,
		    struct err *err);
/* One file's text, YAML or JSON, to a Config with known fields only. */
int kubeconfig_read(struct arena *a, struct slice text, struct doc **ret, struct err *err);
/* Files one over the other, the first one first. NULL past the arena's maximum. */
struct doc *kubeconfig_merge(struct arena *a, const struct kubeconfig_file *files, size_t n);
/* What a cluster, user or context says; NULL when there is none of that name. */
struct doc *kubeconfig_get(const struct doc *config, enum kubeconfig_part part, struct slice name);
/* "" when none is chosen. Borrowed. */
struct slice kubeconfig_current(const struct doc *config);
/* Where new things are written: the given file, the first that exists, or the last. */
const char *kubeconfig_default_file(const struct kubeconfig *k);
/* Path in a kubeconfig as it is for us: relative ones begin at the file's folder. */
const char *kubeconfig_resolve(struct arena *a, const char *file, const char *path);
/* File that a stanza comes from, NULL when there is none. */
const char *kubeconfig_origin(const struct kubeconfig *k, enum kubeconfig_part part,
			      struct slice name);

/* ---- changes: each is on disk when it returns; `merged` follows ---- */

/* stanza NULL removes. relative: absolute paths below the file's folder are written relative to
 * it. CONFLICT: somebody else is writing (FILE.lock is there). */
int kubeconfig_put(struct kubeconfig *k, enum kubeconfig_part part, struct slice name,
		   const struct doc *stanza, bool relative, struct err *err);
/* "" chooses none. */
int kubeconfig_use(struct kubeconfig *k, struct slice context, struct err *err);
/* A Config as it is shown: lists without elements are null. Shares nodes. */
struct doc *kubeconfig_shown(struct arena *a, const struct doc *config);
