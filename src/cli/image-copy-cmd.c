/* SPDX-License-Identifier: Apache-2.0 */
/* `teu image copy`, `list-tags`, `delete` and what `teu image inspect` says of other places. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/image-look.h"
#include "cli/image-place.h"
#include "doc/json.h"

#include <string.h>

#define TAGS_MAX 100000

/* ---- copy ---- */

struct copy_opts {
	struct image_access src, dst, both;
	const char *platform, *multi, *format, *digest_file, *sign;
	int64_t parallel;
	bool all, preserve, quiet;
};

static const char *const formats[] = { "oci", "v2s2", NULL };
static const char *const multis[] = { "system", "all", NULL };

static const struct opt copy_opts[] = {
	OPT(struct copy_opts, BOOL, all, "all", 'a', "All platforms of an index, and the index"),
	OPT(struct copy_opts, STR, both.authfile, "authfile", 0,
	    "Credentials in this file, not in docker's config.json"),
	IMAGE_ACCESS_OPTS(struct copy_opts, dst, "dest-"),
	OPT(struct copy_opts, STR, dst.authfile, "dest-authfile", 0,
	    "Credentials of the destination are in this file"),
	OPT(struct copy_opts, STR, digest_file, "digestfile", 0,
	    "Write the digest of what was copied here"),
	OPT_CHOICE(struct copy_opts, format, "format", 'f', formats,
		   "Manifest of the destination (default: as it is)"),
	OPT_CHOICE(struct copy_opts, multi, "multi-arch", 0, multis,
		   "Of an index: this platform (system) or all"),
	OPT(struct copy_opts, INT, parallel, "parallel", 0, "So many blobs at once (default 3)"),
	OPT(struct copy_opts, STR, platform, "platform", 0,
	    "Of an index the image for OS/ARCH[/VARIANT]"),
	OPT(struct copy_opts, BOOL, preserve, "preserve-digests", 0,
	    "Fail where a digest would change"),
	OPT(struct copy_opts, BOOL, quiet, "quiet", 'q', "No progress"),
	OPT_NOT_SUPPORTED(BOOL, "remove-signatures", 0,
			  "signatures are artifacts: copy them or not"),
	OPT_NOT_SUPPORTED(STR, "sign-by", 0, "OpenPGP signatures are not made here"),
	OPT_NOT_SUPPORTED(STR, "sign-by-sigstore", 0, "sign after the copy"),
	OPT_NOT_SUPPORTED(STR, "sign-by-sigstore-private-key", 0, "sign after the copy"),
	OPT_NOT_SUPPORTED(STR, "sign-passphrase-file", 0, "sign after the copy"),
	OPT_NOT_SUPPORTED(LIST, "additional-tag", 0, "copy or tag again: nothing is sent twice"),
	OPT_NOT_SUPPORTED(LIST, "encryption-key", 0, "encrypted layers are not made here"),
	OPT_NOT_SUPPORTED(LIST, "decryption-key", 0, "encrypted layers are not read here"),
	OPT_NOT_SUPPORTED(BOOL, "dest-compress", 0, "layers are copied as they are"),
	OPT_NOT_SUPPORTED(BOOL, "dest-decompress", 0, "layers are copied as they are"),
	IMAGE_ACCESS_OPTS(struct copy_opts, src, "src-"),
	OPT(struct copy_opts, STR, src.authfile, "src-authfile", 0,
	    "Credentials of the source are in this file"),
	OPT_END
};

static int write_digest(const char *path, const char *digest, struct err *err)
{
	return fd_replace_file(AT_FDCWD, path, digest, strlen(digest), 0644, err);
}

static int copy_options(struct cmd_call *call, struct image_work *w, struct copy_options *ret,
			struct err *err)
{
	struct copy_opts *o = call->opts;
	bool all = o->all || (o->multi && strcmp(o->multi, "all") == 0);

	if (all && o->platform)
		return err_set(err, ERR_INVALID, "--all and --platform exclude each other");
	if (o->parallel < 0 || o->parallel > 16)
		return err_set(err, ERR_INVALID, "--parallel must be 1 to 16");
	if (!o->src.authfile)
		o->src.authfile = o->both.authfile;
	if (!o->dst.authfile)
		o->dst.authfile = o->both.authfile;
	*ret = (struct copy_options){ .all = all,
				      .platform = o->platform,
				      .preserve = o->preserve,
				      .parallel = (unsigned)o->parallel,
				      .progress = image_work_progress,
				      .ctx = w };
	if (o->format)
		ret->format = strcmp(o->format, "oci") == 0 ? COPY_OCI : COPY_V2S2;
	return 0;
}

static int copy_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(image_target_fini) struct image_target dst = { 0 };
	CLEANUP(place_free) struct place *src = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	struct copy_opts *o = call->opts;
	char digest[IMAGE_DIGEST_MAX];
	struct copy_options co;
	int r;

	r = image_work_begin(&w, call, o->quiet, err);
	if (r >= 0)
		r = copy_options(call, &w, &co, err);
	if (r >= 0)
		r = image_read_place(&w, call->args[0], false, &o->src, &src, err);
	if (r >= 0)
		r = image_write_place(&w, call->args[1], &o->dst, &dst, err);
	if (r >= 0)
		r = image_copy(src, dst.place, &co, digest, err);
	if (r >= 0)
		r = image_target_send(&w, &dst, err);
	if (r >= 0 && o->digest_file)
		r = write_digest(o->digest_file, digest, err);
	if (r < 0)
		return r;
	if (!o->quiet)
		buf_addf(&out, "Digest: %s\n", digest);
	return cli_write(1, &out, err);
}

const struct cmd cmd_image_copy = {
	.path = "image copy",
	.args = "[OPTIONS] SOURCE DESTINATION",
	.help = "Copy an image between registries, archives, layouts and engines",
	.details =
		"A place is docker://NAME[:TAG|@DIGEST], oci:DIR[:NAME], oci-archive:FILE[:NAME],\n"
		"docker-archive:FILE[:REPO:TAG], dir:DIR, teu:NAME or docker-daemon:NAME (an "
		"engine).\n"
		"What the destination has is not sent, every digest is verified, and a copy that\n"
		"broke off goes on where it was when it is started again.",
	.opts = copy_opts,
	.opts_size = sizeof(struct copy_opts),
	.min = 2,
	.max = 2,
	.group = CLI_IMAGES,
	.run = copy_run,
};

/* ---- inspect of a place ---- */

static void put_layers(struct arena *a, const struct manifest *doc, struct doc *to)
{
	struct doc *list = doc_set_array(a, to, "Layers"), *data;

	for (size_t i = 0; i < doc->n; i++)
		doc_append_str(a, list, doc->parts[i].digest);
	data = doc_set_array(a, to, "LayersData");
	for (size_t i = 0; i < doc->n; i++) {
		struct doc *d = doc_append_object(a, data);

		doc_set_str(a, d, "MIMEType", doc->parts[i].media);
		doc_set_str(a, d, "Digest", doc->parts[i].digest);
		doc_set_int(a, d, "Size", doc->parts[i].size);
	}
}

static void put_if(struct arena *a, struct doc *to, const char *key, const struct doc *from,
		   const char *path)
{
	const struct doc *d = doc_find(from, path);

	if (d)
		doc_set(a, to, key, *d);
}

/* As skopeo prints it. */
static int describe(struct place *p, const char *platform, struct arena *a, struct doc **ret,
		    struct err *err)
{
	struct doc *out = doc_new_object(a), *config;
	struct place_manifest m, top;
	struct manifest doc;
	struct slice bytes;
	struct remote *remote;
	struct strs tags;
	const char *repo;
	int r;

	r = place_manifest(p, NULL, a, &top, NULL, err);
	if (r >= 0)
		r = place_image(p, platform, a, &m, &doc, err);
	if (r >= 0)
		r = place_blob_bytes(p, &doc.config, a, &bytes, err);
	if (r >= 0)
		r = json_read(a, bytes, NULL, &config, err);
	remote = place_remote(p, &repo);
	if (r >= 0 && remote) {
		r = remote_tags(remote, repo, a, TAGS_MAX, &tags, err);
		doc_set_str(a, out, "Name", place_name(p, a));
	}
	if (r < 0)
		return r;
	doc_set_str(a, out, "Digest", top.digest);
	if (remote) {
		struct doc *list = doc_set_array(a, out, "RepoTags");

		for (size_t i = 0; i < tags.n; i++)
			doc_append_str(a, list, tags.v[i]);
	}
	put_if(a, out, "Created", config, "created");
	put_if(a, out, "DockerVersion", config, "docker_version");
	put_if(a, out, "Labels", config, "config.Labels");
	put_if(a, out, "Architecture", config, "architecture");
	put_if(a, out, "Os", config, "os");
	put_layers(a, &doc, out);
	put_if(a, out, "Env", config, "config.Env");
	*ret = out;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int look_raw(struct place *p, const struct image_look *l, struct arena *a, struct slice *ret,
		    struct err *err)
{
	struct place_manifest m;
	struct manifest doc;
	int r;

	if (l->config || l->platform)
		r = place_image(p, l->platform, a, &m, &doc, err);
	else
		r = place_manifest(p, NULL, a, &m, &doc, err);
	if (r < 0)
		return r;
	*ret = m.bytes;
	return l->config ? place_blob_bytes(p, &doc.config, a, ret, err) : 0;
}

int image_look(struct cmd_call *call, const char *name, const struct image_look *l, struct err *err)
{
	const struct json_style style = { .indent = "    " };
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *p = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct slice text;
	struct doc *d;
	int r;

	r = image_work_begin(&w, call, true, err);
	if (r >= 0)
		r = image_read_place(&w, name, true, &l->access, &p, err);
	if (r < 0)
		return r;
	if (l->raw || l->config) {
		r = look_raw(p, l, call->arena, &text, err);
		if (r >= 0)
			buf_add(&out, text.p, text.n);
	} else {
		r = describe(p, l->platform, call->arena, &d, err);
		if (r >= 0)
			r = json_write(d, &style, &out, err);
		buf_addc(&out, '\n');
	}
	return r < 0 ? r : cli_write(1, &out, err);
}

/* ---- list-tags, delete ---- */

struct remote_opts {
	struct image_access acc;
};

static const struct opt remote_opts[] = {
	IMAGE_ACCESS_OPTS(struct remote_opts, acc, ""),
	OPT(struct remote_opts, STR, acc.authfile, "authfile", 0,
	    "Credentials in this file, not in docker's config.json"),
	OPT_END
};

static int open_remote(struct image_work *w, struct cmd_call *call, struct place **ret,
		       struct remote **ret_remote, const char **ret_repo, struct err *err)
{
	const struct remote_opts *o = call->opts;
	int r;

	r = image_work_begin(w, call, true, err);
	if (r >= 0)
		r = image_read_place(w, call->args[0], false, &o->acc, ret, err);
	if (r < 0)
		return r;
	*ret_remote = place_remote(*ret, ret_repo);
	if (!*ret_remote)
		r = err_set(err, ERR_UNSUPPORTED,
			    "'%.300s': only registries (docker://) can do this", call->args[0]);
	return r;
}

static int tags_run(struct cmd_call *call, struct err *err)
{
	const struct json_style style = { .indent = "    " };
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *p = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct doc *d = doc_new_object(call->arena), *list;
	struct remote *remote;
	struct strs tags;
	const char *repo;
	int r;

	r = open_remote(&w, call, &p, &remote, &repo, err);
	if (r >= 0)
		r = remote_tags(remote, repo, call->arena, TAGS_MAX, &tags, err);
	if (r < 0)
		return r;
	doc_set_str(call->arena, d, "Repository", place_name(p, call->arena));
	list = doc_set_array(call->arena, d, "Tags");
	for (size_t i = 0; i < tags.n; i++)
		doc_append_str(call->arena, list, tags.v[i]);
	r = json_write(d, &style, &out, err);
	buf_addc(&out, '\n');
	return r < 0 ? r : cli_write(1, &out, err);
}

const struct cmd cmd_image_list_tags = {
	.path = "image list-tags",
	.args = "[OPTIONS] docker://REPOSITORY",
	.help = "List the tags of a registry's repository",
	.opts = remote_opts,
	.opts_size = sizeof(struct remote_opts),
	.min = 1,
	.max = 1,
	.group = CLI_IMAGES,
	.run = tags_run,
};

/* By digest, as skopeo: with it go all tags that mean it. */
static int delete_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *p = NULL;
	struct remote_manifest m;
	struct remote *remote;
	const char *repo;
	int r;

	r = open_remote(&w, call, &p, &remote, &repo, err);
	if (r >= 0)
		r = remote_head(remote, repo, place_ref(p), call->arena, &m, err);
	return r < 0 ? r : remote_delete_manifest(remote, repo, m.digest, err);
}

const struct cmd cmd_image_delete = {
	.path = "image delete",
	.args = "[OPTIONS] docker://NAME[:TAG|@DIGEST]",
	.help = "Delete an image, and all its tags, in a registry",
	.opts = remote_opts,
	.opts_size = sizeof(struct remote_opts),
	.min = 1,
	.max = 1,
	.group = CLI_IMAGES,
	.run = delete_run,
};
