/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PARTS_MAX 16384

#if defined(__x86_64__)
#define HOST "linux/amd64"
#elif defined(__aarch64__)
#define HOST "linux/arm64"
#elif defined(__arm__)
#define HOST "linux/arm"
#elif defined(__riscv) && __riscv_xlen == 64
#define HOST "linux/riscv64"
#elif defined(__powerpc64__)
#define HOST "linux/ppc64le"
#elif defined(__s390x__)
#define HOST "linux/s390x"
#elif defined(__i386__)
#define HOST "linux/386"
#else
#define HOST "linux/unknown"
#endif
const char manifest_host_platform[] = HOST;
const char *const manifest_host_arch = manifest_host_platform + sizeof("linux/") - 1;

/* ---- reading ---- */

static int check_digest(const struct doc *d, struct err *err)
{
	return image_digest_form_ok(doc_slice(d)) ? 0
						  : err_set(err, ERR_INVALID, "must be a digest");
}

static const struct schema_field platform_rows[] = {
	F_STR(struct manifest_platform, architecture, "architecture", 0, 0),
	F_STR(struct manifest_platform, os, "os", 0, 0),
	F_STR(struct manifest_platform, os_version, "os.version", 0, 0),
	F_LIST_STR(struct manifest_platform, os_features, "os.features", 0, 0),
	F_STR(struct manifest_platform, variant, "variant", 0, 0),
};
static const struct schema platform_schema =
	SCHEMA("platform", struct manifest_platform, platform_rows);

static void check_desc(struct schema_ctx *c, const void *obj, const struct doc *d)
{
	const struct manifest_desc *desc = obj;

	if (!desc || !desc->data.p)
		return;
	if ((int64_t)desc->data.n != desc->size)
		schema_fail(c, "data", "invalid", "has another length than 'size' says");
	else if (image_digest_valid(slice_str(desc->digest)) &&
		 !image_digest_matches(desc->digest, desc->data))
		schema_fail(c, "data", "invalid", "has another digest than 'digest' says");
}

static const struct schema_field desc_rows[] = {
	F_STR(struct manifest_desc, media, "mediaType", SCHEMA_REQUIRED | SCHEMA_NONEMPTY, 0,
	      .max = 255),
	F_STR(struct manifest_desc, digest, "digest", SCHEMA_REQUIRED, 0, .check = check_digest),
	F_INT(struct manifest_desc, size, "size", SCHEMA_REQUIRED, 0, INT64_MAX),
	F_LIST_STR(struct manifest_desc, urls, "urls", 0, 0),
	F_MAP_STR(struct manifest_desc, annotations, "annotations", 0),
	F_BYTES(struct manifest_desc, data, "data", 0),
	F_STR(struct manifest_desc, artifact_type, "artifactType", 0, 0, .max = 255),
	F_OBJ(struct manifest_desc, platform, "platform", &platform_schema, 0),
};
static const struct schema desc_schema =
	SCHEMA("descriptor", struct manifest_desc, desc_rows, .check = check_desc);

struct raw {
	int64_t version;
	const char *media, *artifact_type;
	const struct manifest_desc *config;
	LIST_OF(struct manifest_desc) layers, manifests;
	bool has_layers, has_manifests;
	const struct manifest_desc *subject;
	struct str_map annotations;
};
static const struct schema_field raw_rows[] = {
	F_INT(struct raw, version, "schemaVersion", SCHEMA_REQUIRED, 0, INT64_MAX),
	F_STR(struct raw, media, "mediaType", 0, 0, .max = 255),
	F_STR(struct raw, artifact_type, "artifactType", 0, 0, .max = 255),
	F_OBJ(struct raw, config, "config", &desc_schema, 0),
	F_LIST_OBJ(struct raw, layers, "layers", &desc_schema, 0, .max = PARTS_MAX,
		   .has = SCHEMA_HAS(struct raw, has_layers)),
	F_LIST_OBJ(struct raw, manifests, "manifests", &desc_schema, 0, .max = PARTS_MAX,
		   .has = SCHEMA_HAS(struct raw, has_manifests)),
	F_OBJ(struct raw, subject, "subject", &desc_schema, 0),
	F_MAP_STR(struct raw, annotations, "annotations", 0),
};
static const struct schema raw_schema = SCHEMA("manifest", struct raw, raw_rows);

static const struct {
	const char *media;
	enum manifest_kind kind;
} known[] = {
	{ MEDIA_OCI_MANIFEST, MANIFEST_IMAGE },
	{ MEDIA_OCI_INDEX, MANIFEST_INDEX },
	{ MEDIA_DOCKER_MANIFEST, MANIFEST_IMAGE },
	{ MEDIA_DOCKER_LIST, MANIFEST_INDEX },
};

static int schema_one(struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "Docker image manifest version 2, schema 1 is not supported: push the image "
		       "again with a current client, which writes schema 2 or OCI");
}

/* Content-Type without parameters; "application/json" and the like say nothing. */
static struct slice given_media(const char *content_type)
{
	struct slice rest = slice_str(content_type ? content_type : ""),
		     media = slice_trim(slice_split(&rest, ';'));

	return slice_ieq(media, SLICE("application/json")) ||
			       slice_ieq(media, SLICE("application/octet-stream")) ||
			       slice_ieq(media, SLICE("text/plain"))
		       ? (struct slice){ 0 }
		       : media;
}

static int decide_media(const struct raw *raw, struct slice given, struct manifest *m,
			struct err *err)
{
	struct slice media = raw->media && raw->media[0] ? slice_str(raw->media) : given;

	if (given.n && !slice_eq(given, media))
		return err_set(err, ERR_INVALID,
			       "the content type is '%.*s', but the document's mediaType is '%s'",
			       (int)MIN(given.n, 200u), given.p, raw->media);
	if (slice_starts(media, SLICE("application/vnd.docker.distribution.manifest.v1+")))
		return schema_one(err);
	if (!media.n) {
		if (raw->has_manifests == (raw->config || raw->has_layers))
			return err_set(
				err, ERR_INVALID,
				"neither its content type nor mediaType nor its members tell "
				"whether it is a manifest or an index");
		media = slice_str(raw->has_manifests ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST);
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_is(media, known[i].media)) {
			m->media = known[i].media;
			m->kind = known[i].kind;
			return 0;
		}
	return err_set(err, ERR_UNSUPPORTED, "media type '%.*s' is no manifest that is supported",
		       (int)MIN(media.n, 200u), media.p);
}

static int shape(const struct raw *raw, struct manifest *m, struct err *err)
{
	if (m->kind == MANIFEST_INDEX) {
		if (raw->config || raw->has_layers)
			return err_set(err, ERR_INVALID, "an index has no config and no layers");
		m->parts = raw->manifests.v;
		m->n = raw->manifests.n;
		m->artifact_type = raw->artifact_type;
	} else {
		if (raw->has_manifests)
			return err_set(err, ERR_INVALID,
				       "a manifest has no member 'manifests': is it an index?");
		if (!raw->config)
			return err_set(err, ERR_INVALID, "config: is missing");
		m->config = *raw->config;
		m->parts = raw->layers.v;
		m->n = raw->layers.n;
		m->artifact_type = raw->artifact_type && raw->artifact_type[0] ? raw->artifact_type
									       : m->config.media;
	}
	if (m->artifact_type && !m->artifact_type[0])
		m->artifact_type = NULL;
	m->subject = raw->subject;
	m->annotations = raw->annotations;
	return 0;
}

int manifest_parse(struct arena *a, struct slice bytes, const char *content_type,
		   struct manifest *ret, struct err *err)
{
	const struct json_options jo = { .max_depth = 32,
					 .max_nodes = 1u << 18,
					 .dup = JSON_DUP_ERROR };
	const struct schema_opts so = { .max_causes = 4 };
	struct raw raw;
	struct doc *d;
	int r;

	*ret = (struct manifest){ 0 };
	r = json_read(a, bytes, &jo, &d, err);
	if (r == -ERR_BAD_REQUEST && err)
		r = err_set(err, ERR_INVALID, "it is no JSON document: %s", err->msg);
	if (r >= 0 && !doc_is(d, DOC_OBJECT))
		r = err_set(err, ERR_INVALID, "must be an object, is %s", doc_type_name(d));
	if (r >= 0 && (doc_get(d, "fsLayers") || doc_get(d, "signatures")))
		r = schema_one(err);
	if (r >= 0)
		r = schema_decode(&raw_schema, d, a, &raw, &so, err);
	if (r >= 0 && raw.version != 2)
		r = raw.version == 1 ? schema_one(err)
				     : err_set(err, ERR_INVALID, "schemaVersion: must be 2");
	if (r >= 0)
		r = decide_media(&raw, given_media(content_type), ret, err);
	if (r >= 0)
		r = shape(&raw, ret, err);
	if (r < 0 && err)
		err->causes = NULL; /* they lie in the arena, which may not outlive us */
	return r < 0 ? err_wrap(err, "manifest") : 0;
}

bool manifest_is_foreign(const struct manifest_desc *d)
{
	struct slice media = slice_str(d->media);

	return slice_starts(media, SLICE("application/vnd.oci.image.layer.nondistributable.")) ||
	       slice_starts(media, SLICE("application/vnd.docker.image.rootfs.foreign."));
}

bool manifest_is_attestation(const struct manifest_desc *d)
{
	return str_map_get(&d->annotations, "vnd.docker.reference.type") != NULL;
}

/* ---- platforms ---- */

/* "v7" -> 7; a variant of another form is only equal to itself. */
static int variant_number(struct slice v)
{
	return v.n == 2 && v.p[0] == 'v' && v.p[1] >= '1' && v.p[1] <= '9' ? v.p[1] - '0' : 0;
}

/* What an absent variant stands for. */
static struct slice full_variant(struct slice arch, struct slice v)
{
	if (v.n)
		return v;
	if (slice_is(arch, "arm"))
		return SLICE("v7");
	if (slice_is(arch, "arm64"))
		return SLICE("v8");
	return slice_is(arch, "amd64") ? SLICE("v1") : v;
}

static struct slice slice_of_str(const char *s)
{
	return s ? slice_str(s) : (struct slice){ 0 };
}

/* How far below the wanted one: 0 = the same, negative = does not run. */
static int distance(const struct manifest_platform *p, struct slice os, struct slice arch,
		    struct slice variant)
{
	struct slice have = full_variant(arch, slice_of_str(p->variant)),
		     want = full_variant(arch, variant);
	int h = variant_number(have), w = variant_number(want);

	if (!slice_eq(slice_of_str(p->os), os) || !slice_eq(slice_of_str(p->architecture), arch))
		return -1;
	if (slice_eq(have, want))
		return 0;
	return h && w && h < w ? w - h : -1;
}

static int no_platform(const struct manifest *index, const char *platform, struct err *err)
{
	char list[600] = "", text[128];
	size_t n = 0;

	for (size_t i = 0; i < index->n && n + sizeof(text) < sizeof(list); i++)
		if (!manifest_is_attestation(&index->parts[i])) {
			manifest_platform_text(index->parts[i].platform, text);
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
					      text);
		}
	return err_set(err, ERR_NOT_FOUND, "no image for platform %s: there are %s", platform,
		       n ? list : "none");
}

int manifest_pick(const struct manifest *index, const char *platform,
		  const struct manifest_desc **ret, struct err *err)
{
	struct slice variant = slice_str(platform), os = slice_split(&variant, '/'),
		     arch = slice_split(&variant, '/');
	const struct manifest_desc *best = NULL;
	int best_distance = 100;

	for (size_t i = 0; i < index->n; i++) {
		const struct manifest_desc *d = &index->parts[i];
		int n = d->platform && !manifest_is_attestation(d)
				? distance(d->platform, os, arch, variant)
				: -1;

		if (n >= 0 && n < best_distance) {
			best = d;
			best_distance = n;
		}
	}
	if (!best)
		return no_platform(index, platform, err);
	*ret = best;
	return 0;
}

const char *manifest_platform_text(const struct manifest_platform *p, char dst[128])
{
	bool variant = p && p->variant && p->variant[0];

	snprintf(dst, 128, "%.40s/%.40s%s%.40s", p && p->os ? p->os : "unknown",
		 p && p->architecture ? p->architecture : "unknown", variant ? "/" : "",
		 variant ? p->variant : "");
	return dst;
}
