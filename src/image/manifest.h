/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and indexes: what an image, an index or an artifact refers to. Specs: image-spec 1.1
 * manifest.md, image-index.md, descriptor.md; Docker schema 2. Their bytes are kept as they came: a
 * digest names them, so nothing is ever written back from what is read here.
 */
#pragma once

#include "base/str.h"
#include "doc/schema.h"
#include "image/digest.h"

struct arena;
struct err;

#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_EMPTY "application/vnd.oci.empty.v1+json"
#define MEDIA_OCI_LAYER "application/vnd.oci.image.layer.v1.tar" /* "+gzip", "+zstd" */
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define MEDIA_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar" /* ".gzip", ".zstd" */
/* What a client that runs images says it takes (Accept). */
#define MEDIA_ACCEPT_MANIFESTS \
	MEDIA_OCI_MANIFEST ", " MEDIA_OCI_INDEX ", " MEDIA_DOCKER_MANIFEST ", " MEDIA_DOCKER_LIST

struct manifest_platform {
	const char *os, *architecture, *variant, *os_version; /* NULL when absent */
	struct strs os_features;
};

/* A descriptor: content that is meant. */
struct manifest_desc {
	const char *media, *digest; /* the digest has a valid form, its algorithm may be unknown */
	int64_t size;
	const char *artifact_type; /* NULL when absent */
	const struct manifest_platform *platform;
	struct strs urls;
	struct str_map annotations;
	struct slice data; /* the content itself, verified; {NULL,0} when absent */
};

enum manifest_kind {
	MANIFEST_IMAGE, /* config and layers: an image or an artifact */
	MANIFEST_INDEX, /* further manifests */
};

struct manifest {
	enum manifest_kind kind;
	const char *media; /* one of the four MEDIA_*: static text */
	/* As a referrers list tells it (distribution-spec, "Listing Referrers"): of an image
	 * without one the config's media type; NULL = none. */
	const char *artifact_type;
	struct manifest_desc config;	   /* MANIFEST_IMAGE; digest NULL in an index */
	const struct manifest_desc *parts; /* layers, base first; or manifests */
	size_t n;
	const struct manifest_desc *subject; /* NULL = none */
	struct str_map annotations;
};

/*
 * Reads `bytes`, which must outlive *ret, as does the arena. content_type is what came beside them
 * (parameters are ignored); NULL or "" when nothing did. Fails with -ERR_INVALID (no JSON, a key
 * twice, a wrong type or shape, content type and mediaType that differ), -ERR_UNSUPPORTED (schema
 * 1, another media type: by name), -ERR_TOO_LARGE (depth, number of values).
 */
int manifest_parse(struct arena *a, struct slice bytes, const char *content_type,
		   struct manifest *ret, struct err *err);

/* The layer is only at its urls, never pushed (deprecated: "nondistributable", "foreign"). */
bool manifest_is_foreign(const struct manifest_desc *d);
/* An attestation beside the images of an index (BuildKit), which no platform means. */
bool manifest_is_attestation(const struct manifest_desc *d);

/*
 * The best entry of an index for "os/architecture[/variant]": the first whose variant is the one
 * asked for, else the nearest lower one that such a CPU runs (arm/v7 runs v6, v5; amd64/v3 runs v2,
 * v1). -ERR_NOT_FOUND names the platforms that are there.
 */
int manifest_pick(const struct manifest *index, const char *platform,
		  const struct manifest_desc **ret, struct err *err);
/* "linux/arm/v7" of a descriptor, "unknown/unknown" when it has none; returns dst. */
const char *manifest_platform_text(const struct manifest_platform *p, char dst[128]);
/* "linux/amd64" and "amd64": this machine. */
extern const char manifest_host_platform[], *const manifest_host_arch;
