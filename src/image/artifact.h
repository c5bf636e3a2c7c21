/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as artifacts of a registry, as ORAS keeps them: a manifest with an artifactType, an empty
 * config, a layer for each file with its name as org.opencontainers.image.title. A directory is one
 * layer, a gzipped tar that is unpacked again (artifact-dir.h). Spec: image-spec 1.1 manifest.md,
 * "Guidelines for Artifact Usage"; distribution-spec 1.1, referrers. Blocking.
 */
#pragma once

#include "image/copy.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

#define ARTIFACT_TYPE_UNKNOWN "application/vnd.unknown.artifact.v1"
#define ARTIFACT_MEDIA_FILE "application/vnd.oci.image.layer.v1.tar"

struct artifact_file {
	const char *path;  /* of a regular file or a directory */
	const char *media; /* NULL = ARTIFACT_MEDIA_FILE; of a directory the same, gzipped */
	const char *title; /* NULL = none */
};
struct artifact_push {
	const char *type;   /* NULL = ARTIFACT_TYPE_UNKNOWN, unless a config has a type */
	const char *config; /* file, or NULL = the empty one */
	const char *config_media;
	const struct artifact_file *files;
	size_t n;
	const struct str_pair *annotations; /* of the manifest */
	size_t nannotations;
	const struct manifest_desc *subject; /* NULL = none */
	image_transfer_fn *progress;	     /* may be NULL */
	void *ctx;
};
/* "FILE[:MEDIATYPE]" of the command line: the last colon. */
int artifact_file_parse(struct arena *a, const char *text, struct artifact_file *ret,
			struct err *err);
/* top: under the place's own tag; else by its digest alone. The time is added as
 * org.opencontainers.image.created unless that is given. */
int artifact_push(struct place *to, const struct artifact_push *p, bool top, struct arena *a,
		  struct place_manifest *ret, struct err *err);

/* A title that may name a file below a directory: relative, without ".." and empty parts. */
bool artifact_title_ok(const char *title);
struct artifact_pull {
	int dir;	/* where the files go */
	bool overwrite; /* else -ERR_EXISTS */
	bool any_path;	/* absolute titles and ".." are followed */
	image_transfer_fn *progress;
	void *ctx;
	size_t written, skipped; /* out */
};
/* Each file appears whole and verified, or not at all. Layers without a title are skipped. What
 * is marked so (io.deis.oras.content.unpack) becomes a directory, whole or not at all; one that is
 * there stays, and is -ERR_EXISTS. */
int artifact_pull(struct place *from, const struct manifest *doc, struct artifact_pull *p,
		  struct arena *a, struct err *err);

struct artifact_referrer {
	const char *digest, *media, *type; /* type "" = none */
	int64_t size;
	struct str_map annotations;
};
/* What refers to `digest` in the place: the registry's list, or that of the fall-back tag. type
 * NULL = all. */
int artifact_referrers(struct place *p, const char *digest, const char *type, struct arena *a,
		       struct artifact_referrer **ret, size_t *ret_n, struct err *err);
