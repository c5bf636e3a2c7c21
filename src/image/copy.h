/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places where images lie, and copying from one to another as skopeo does: registries, OCI layouts
 * and directories, archives. Specs: distribution-spec 1.1, image-spec 1.1 (image-layout.md),
 * containers-transports(5).
 *
 *	docker://HOST/REPO[:TAG][@DIGEST]    a registry
 *	oci:PATH[:NAME]                      an OCI layout; NAME: its annotation ref.name
 *	oci-archive:PATH[:NAME]              the same as a tar
 *	docker-archive:PATH[:REPO:TAG]       docker save's tar, also an OCI layout
 *	dir:PATH                             manifest.json, version, and blobs by their hex digits
 *
 * What is read is believed only after its digest was checked; what is written appears whole: blobs
 * first, then manifests, then the name. Manifests are never written anew but when a format is asked
 * for. Blocking; one place may be used by several threads, each with an arena of its own.
 */
#pragma once

#include "base/cleanup.h"
#include "image/manifest.h"
#include "image/pull.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct place;

#define PLACE_MANIFEST_MAX (4u << 20)

struct place_conf {
	const struct remote_auth *auth; /* NULL = anonymous */
	bool insecure;			/* --tls-verify=false: also plain HTTP */
	const char *certs_dir;		/* NULL = docker's */
	const char *scratch;  /* directory for blobs under way; NULL = $TMPDIR or /var/tmp */
	const char *helper;   /* program of the fenced helper; NULL = our own */
	uint64_t inflate_max; /* of a compressed archive; 0 = 64 GiB */
	const atomic_bool *cancel;
	void (*notice)(void *ctx, const char *text);
	void *ctx;
};

/* -ERR_BAD_REQUEST names a transport that is not known, or a name that has no valid form. */
int place_read(const char *name, const struct place_conf *conf, struct place **ret,
	       struct err *err);
/* Made if absent. -ERR_EXISTS: a docker-archive that is there already. */
int place_write(const char *name, const struct place_conf *conf, struct place **ret,
		struct err *err);
/* Also what was written and not finished goes, but for blobs of a layout, a directory or a
 * registry: the next copy goes on from them. */
void place_free(struct place *p);
DEFINE_CLEANUP(struct place *, place_free)
/* Of "docker://...": host and repository, else NULL; borrowed. */
struct remote *place_remote(struct place *p, const char **ret_repo);
/* Of a registry "HOST/REPO" in the arena, else NULL. */
const char *place_name(const struct place *p, struct arena *a);
/* The tag or digest at its end, "" when there is none (a registry: "latest"). */
const char *place_ref(const struct place *p);

struct place_manifest {
	char digest[IMAGE_DIGEST_MAX];
	const char *media;  /* one of MEDIA_*; static text */
	struct slice bytes; /* arena; verified */
};
/* digest NULL: what the place's name means. *ret_doc, if not NULL, is it read. */
int place_manifest(struct place *p, const char *digest, struct arena *a, struct place_manifest *ret,
		   struct manifest *ret_doc, struct err *err);

/* Bytes [offset, offset + size) of a file. */
struct place_blob {
	int fd;
	uint64_t offset, size;
};
/* The whole blob, verified; the fd is the caller's. told may be NULL: bytes that are there so far.
 * No thread but the caller's uses `ctx` meanwhile. */
int place_blob(struct place *p, const struct manifest_desc *d,
	       void (*told)(void *ctx, uint64_t done), void *ctx, struct place_blob *ret,
	       struct err *err);
/* A small one in the arena. -ERR_TOO_LARGE beyond PLACE_MANIFEST_MAX. */
int place_blob_bytes(struct place *p, const struct manifest_desc *d, struct arena *a,
		     struct slice *ret, struct err *err);
/* 1 = the place has it. */
int place_has_blob(struct place *p, const struct manifest_desc *d, struct err *err);
/* The (verified) bytes of b, with the digest of d. */
int place_put_blob(struct place *p, const struct manifest_desc *d, const struct place_blob *b,
		   struct err *err);
int place_put_bytes(struct place *p, const struct manifest_desc *d, struct slice bytes,
		    struct err *err);
/* top: it is what the place's name means from now on (place_finish); else a part of an index. */
int place_put_manifest(struct place *p, const struct place_manifest *m, bool top, struct err *err);
/* Durable, and visible under its name. */
int place_finish(struct place *p, struct err *err);

/* ---- copying ---- */

enum copy_format { COPY_AS_IS, COPY_OCI, COPY_V2S2 };
struct copy_options {
	bool all;	      /* an index with all it names; else one platform of it */
	const char *platform; /* NULL = this machine's */
	enum copy_format format;
	bool preserve;		     /* -ERR_UNSUPPORTED where another digest would come out */
	unsigned parallel;	     /* 0 = 3 */
	image_transfer_fn *progress; /* any thread, one at a time; may be NULL */
	void *ctx;
};
/* Finishes dst. ret_digest: of what is at dst; may be NULL. */
int image_copy(struct place *src, struct place *dst, const struct copy_options *o,
	       char ret_digest[IMAGE_DIGEST_MAX], struct err *err);
/* The manifest of one platform of what src means: an index is looked into. */
int place_image(struct place *src, const char *platform, struct arena *a,
		struct place_manifest *ret, struct manifest *ret_doc, struct err *err);

/* The same manifest in the other family's words; the config's bytes stay. */
int manifest_convert(const struct place_manifest *m, const struct manifest *doc,
		     enum copy_format to, struct arena *a, struct place_manifest *ret,
		     struct err *err);

/* ---- layers as they are inside ---- */

/* The tar of a layer or archive, uncompressed, to `consume` in pieces. gzip and zstd are undone by
 * the fenced helper (of root; others do it themselves). */
int place_inflate(const struct place_conf *conf, const struct place_blob *b,
		  remote_consume_fn *consume, void *ctx, struct err *err);
