/* SPDX-License-Identifier: Apache-2.0 */
/* `teu artifact`: files in registries, as ORAS keeps them. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/image-place.h"
#include "doc/json.h"
#include "image/artifact.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 8

struct artifact_opts {
	struct image_access acc;
	const char *type, *config, *output, *platform, *format;
	struct opt_list annotations;
	bool quiet, overwrite, any_path, any_file;
};

#define COMMON_OPTS                                                         \
	IMAGE_ACCESS_OPTS(struct artifact_opts, acc, ""),                   \
		OPT(struct artifact_opts, STR, acc.authfile, "authfile", 0, \
		    "Credentials in this file, not in docker's config.json")

static const char *const print_formats[] = { "text", "json", NULL };

/* ORAS's names have no transport. */
static const char *place_text(struct arena *a, const char *name)
{
	return strstr(name, "://") || strncmp(name, "oci", 3) == 0
		       ? name
		       : arena_printf(a, "docker://%s", name);
}

static int print_result(struct cmd_call *call, const char *what, const char *name,
			const struct place_manifest *m, const char *type, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(8192);
	const struct artifact_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *d = doc_new_object(a);
	int r = 0;

	if (o->format && strcmp(o->format, "json") == 0) {
		doc_set_str(a, d, "reference", name);
		doc_set_str(a, d, "mediaType", m->media);
		doc_set_str(a, d, "digest", m->digest);
		doc_set_uint(a, d, "size", m->bytes.n);
		if (type)
			doc_set_str(a, d, "artifactType", type);
		r = json_write(d, NULL, &out, err);
		buf_addc(&out, '\n');
	} else {
		buf_addf(&out, "%s %s\n", what, name);
		if (type)
			buf_addf(&out, "ArtifactType: %s\n", type);
		buf_addf(&out, "Digest: %s\n", m->digest);
	}
	return r < 0 ? r : cli_write(1, &out, err);
}

static bool is_json(const struct artifact_opts *o)
{
	return o->format && strcmp(o->format, "json") == 0;
}

/* ---- push, attach ---- */

static int take_annotations(struct cmd_call *call, struct artifact_push *p, struct err *err)
{
	const struct artifact_opts *o = call->opts;
	struct str_pair *v = ARENA_ARRAY(call->arena, struct str_pair, o->annotations.n + 1);

	if (!v)
		return arena_quota(call->arena, err);
	for (size_t i = 0; i < o->annotations.n; i++) {
		const char *text = o->annotations.v[i], *eq = strchr(text, '=');

		if (!eq || eq == text)
			return err_set(err, ERR_INVALID,
				       "--annotation '%.300s': it must have the form KEY=VALUE",
				       text);
		v[i].key = arena_strndup(call->arena, text, (size_t)(eq - text));
		v[i].value = eq + 1;
		if (!v[i].key)
			return arena_quota(call->arena, err);
	}
	p->annotations = v;
	p->nannotations = o->annotations.n;
	return 0;
}

/* "dir/" is the directory "dir". */
static const char *trim_slashes(struct arena *a, const char *title)
{
	size_t n = strlen(title);

	while (n > 1 && title[n - 1] == '/')
		n--;
	return arena_strndup(a, title, n);
}

static int take_files(struct cmd_call *call, struct artifact_push *p, struct err *err)
{
	const struct artifact_opts *o = call->opts;
	struct artifact_file *v = ARENA_ARRAY(call->arena, struct artifact_file, call->nargs), cfg;

	if (!v)
		return arena_quota(call->arena, err);
	for (size_t i = 1; i < call->nargs; i++) {
		struct artifact_file *f = &v[i - 1];

		if (artifact_file_parse(call->arena, call->args[i], f, err) < 0)
			return err_ret(err);
		for (f->title = f->path; strncmp(f->title, "./", 2) == 0; f->title += 2)
			;
		f->title = trim_slashes(call->arena, f->title);
		if (!f->title)
			return arena_quota(call->arena, err);
		if (!o->any_file && !artifact_title_ok(f->title))
			return err_set(
				err, ERR_INVALID,
				"'%.300s' is absolute or leads out of this directory, and whoever "
				"pulls would have to follow it (--disable-path-validation "
				"pushes it)",
				f->path);
	}
	p->files = v;
	p->n = call->nargs - 1;
	if (!o->config)
		return 0;
	if (artifact_file_parse(call->arena, o->config, &cfg, err) < 0)
		return err_ret(err);
	p->config = cfg.path;
	p->config_media = cfg.media;
	return 0;
}

/* What the subject's name means in its registry. */
static int find_subject(struct place *p, const char *platform, struct arena *a,
			struct manifest_desc *ret, struct err *err)
{
	struct place_manifest m;
	struct manifest doc;
	int r;

	r = platform ? place_image(p, platform, a, &m, &doc, err)
		     : place_manifest(p, NULL, a, &m, &doc, err);
	if (r < 0)
		return r;
	*ret = (struct manifest_desc){ .media = m.media,
				       .digest = arena_strdup(a, m.digest),
				       .size = (int64_t)m.bytes.n };
	return ret->digest ? 0 : arena_quota(a, err);
}

static int push(struct cmd_call *call, bool attach, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(image_target_fini) struct image_target to = { 0 };
	const struct artifact_opts *o = call->opts;
	struct artifact_push p = { .type = o->type, .progress = image_work_progress, .ctx = &w };
	const char *name = place_text(call->arena, call->args[0]);
	struct manifest_desc subject;
	struct place_manifest m = { 0 };
	int r;

	if (attach && !o->type)
		return err_set(err, ERR_INVALID, "--artifact-type says what is attached");
	r = image_work_begin(&w, call, o->quiet || is_json(o), err);
	if (r >= 0)
		r = take_annotations(call, &p, err);
	if (r >= 0)
		r = take_files(call, &p, err);
	if (r >= 0)
		r = image_write_place(&w, name, &o->acc, &to, err);
	if (r >= 0 && to.archive)
		r = err_set(err, ERR_UNSUPPORTED, "an engine holds images, no artifacts");
	if (r >= 0 && attach && !place_remote(to.place, NULL))
		r = err_set(err, ERR_UNSUPPORTED, "only registries (docker://) list referrers");
	if (r >= 0 && attach) {
		r = find_subject(to.place, o->platform, call->arena, &subject, err);
		p.subject = &subject;
	}
	if (r >= 0)
		r = artifact_push(to.place, &p, !attach, call->arena, &m, err);
	return r < 0 ? r
		     : print_result(call, attach ? "Attached to" : "Pushed", call->args[0], &m,
				    o->type, err);
}

static int push_run(struct cmd_call *call, struct err *err)
{
	return push(call, false, err);
}

static int attach_run(struct cmd_call *call, struct err *err)
{
	return push(call, true, err);
}

#define PUSH_OPTS                                                                                \
	OPT(struct artifact_opts, LIST, annotations, "annotation", 'a',                          \
	    "Annotation of the manifest, KEY=VALUE"),                                            \
		OPT(struct artifact_opts, STR, type, "artifact-type", 0,                         \
		    "What kind of artifact this is, a media type"),                              \
		OPT(struct artifact_opts, STR, config, "config", 0, "Config, FILE[:MEDIATYPE]"), \
		OPT(struct artifact_opts, BOOL, any_file, "disable-path-validation", 0,          \
		    "Also files by absolute paths and ../"),                                     \
		OPT_CHOICE(struct artifact_opts, format, "format", 0, print_formats,             \
			   "Print the result as text or json"),                                  \
		OPT(struct artifact_opts, BOOL, quiet, "quiet", 'q', "No progress")

static const struct opt push_opts[] = { PUSH_OPTS, COMMON_OPTS, OPT_END };
static const struct opt attach_opts[] = {
	PUSH_OPTS, COMMON_OPTS,
	OPT(struct artifact_opts, STR, platform, "platform", 0,
	    "Attach to the image of an index for OS/ARCH[/VARIANT]"),
	OPT_END
};

const struct cmd cmd_artifact_push = {
	.path = "artifact push",
	.args = "[OPTIONS] NAME[:TAG] [FILE[:MEDIATYPE]...]",
	.help = "Push files to a registry as an artifact",
	.opts = push_opts,
	.opts_size = sizeof(struct artifact_opts),
	.min = 1,
	.max = UINT8_MAX,
	.group = CLI_IMAGES,
	.run = push_run,
};

const struct cmd cmd_artifact_attach = {
	.path = "artifact attach",
	.args = "[OPTIONS] NAME[:TAG|@DIGEST] [FILE[:MEDIATYPE]...]",
	.help = "Push files that refer to an image or artifact",
	.opts = attach_opts,
	.opts_size = sizeof(struct artifact_opts),
	.min = 1,
	.max = UINT8_MAX,
	.group = CLI_IMAGES,
	.run = attach_run,
};

/* ---- pull ---- */

static const struct opt pull_opts[] = {
	OPT(struct artifact_opts, BOOL, any_path, "allow-path-traversal", 'T',
	    "Follow titles that are absolute or lead out of the directory"),
	COMMON_OPTS,
	OPT_CHOICE(struct artifact_opts, format, "format", 0, print_formats,
		   "Print the result as text or json"),
	OPT(struct artifact_opts, STR, output, "output", 'o', "Directory of the files (default .)"),
	OPT(struct artifact_opts, BOOL, overwrite, "overwrite", 0, "Replace files that are there"),
	OPT(struct artifact_opts, STR, platform, "platform", 0,
	    "Of an index the artifact for OS/ARCH[/VARIANT]"),
	OPT(struct artifact_opts, BOOL, quiet, "quiet", 'q', "No progress"),
	OPT_END
};

static int pull_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *from = NULL;
	CLEANUP(fd_close) int dir = -1;
	const struct artifact_opts *o = call->opts;
	struct artifact_pull p = { .overwrite = o->overwrite,
				   .any_path = o->any_path,
				   .progress = image_work_progress,
				   .ctx = &w };
	const char *where = o->output ? o->output : ".";
	struct place_manifest m = { 0 };
	struct manifest doc;
	int r;

	r = image_work_begin(&w, call, o->quiet || is_json(o), err);
	if (r >= 0)
		r = image_read_place(&w, place_text(call->arena, call->args[0]), false, &o->acc,
				     &from, err);
	if (r >= 0)
		r = o->platform ? place_image(from, o->platform, call->arena, &m, &doc, err)
				: place_manifest(from, NULL, call->arena, &m, &doc, err);
	if (r >= 0)
		r = fd_mkdir_p(AT_FDCWD, where, 0777, err);
	if (r < 0)
		return r;
	dir = sys_openat(AT_FDCWD, where, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (dir < 0)
		return err_sys(err, "open the directory '%s'", where);
	p.dir = dir;
	r = artifact_pull(from, &doc, &p, call->arena, err);
	return r < 0 ? r : print_result(call, "Pulled", call->args[0], &m, doc.artifact_type, err);
}

const struct cmd cmd_artifact_pull = {
	.path = "artifact pull",
	.args = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.help = "Write the files of an artifact",
	.opts = pull_opts,
	.opts_size = sizeof(struct artifact_opts),
	.min = 1,
	.max = 1,
	.group = CLI_IMAGES,
	.run = pull_run,
};

/* ---- discover ---- */

static const struct opt discover_opts[] = {
	OPT(struct artifact_opts, STR, type, "artifact-type", 0, "Only of this type"), COMMON_OPTS,
	OPT_CHOICE(struct artifact_opts, format, "format", 0, print_formats,
		   "Print a tree (text) or json"),
	OPT(struct artifact_opts, STR, platform, "platform", 0,
	    "Of an index the image for OS/ARCH[/VARIANT]"),
	OPT_END
};

static int discover(struct cmd_call *call, struct place *p, const char *digest, int depth,
		    struct doc *list, struct buf *out, struct err *err)
{
	const struct artifact_opts *o = call->opts;
	struct artifact_referrer *v;
	struct arena *a = call->arena;
	size_t n;
	int r;

	r = artifact_referrers(p, digest, depth ? NULL : o->type, a, &v, &n, err);
	for (size_t i = 0; i < n && r >= 0; i++) {
		struct doc *d = doc_append_object(a, list), *notes, *inner;

		buf_addf(out, "%*s%s %s\n", 2 * depth + 2, "", v[i].digest, v[i].type);
		doc_set_str(a, d, "digest", v[i].digest);
		doc_set_str(a, d, "mediaType", v[i].media);
		doc_set_str(a, d, "artifactType", v[i].type);
		doc_set_int(a, d, "size", v[i].size);
		notes = doc_set_object(a, d, "annotations");
		for (size_t k = 0; k < v[i].annotations.n; k++)
			doc_set_str(a, notes, v[i].annotations.v[k].key,
				    v[i].annotations.v[k].value);
		if (depth + 1 == DEPTH_MAX)
			continue; /* deeper ones are asked for by their digest */
		inner = doc_new_array(a);
		r = discover(call, p, v[i].digest, depth + 1, inner, out, err);
		if (r >= 0)
			doc_set(a, d, "referrers", *inner);
	}
	return r;
}

static int discover_run(struct cmd_call *call, struct err *err)
{
	const struct json_style style = { .indent = "  " };
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *p = NULL;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX), json = BUF_INIT(CLI_OUT_MAX);
	const struct artifact_opts *o = call->opts;
	struct doc *top = doc_new_object(call->arena), *list = doc_new_array(call->arena);
	struct manifest_desc d;
	int r;

	r = image_work_begin(&w, call, true, err);
	if (r >= 0)
		r = image_read_place(&w, place_text(call->arena, call->args[0]), false, &o->acc, &p,
				     err);
	if (r >= 0)
		r = find_subject(p, o->platform, call->arena, &d, err);
	if (r >= 0) {
		buf_addf(&out, "%s@%s\n", call->args[0], d.digest);
		r = discover(call, p, d.digest, 0, list, &out, err);
	}
	if (r < 0 || !is_json(o))
		return r < 0 ? r : cli_write(1, &out, err);
	doc_set_str(call->arena, top, "reference", call->args[0]);
	doc_set_str(call->arena, top, "mediaType", d.media);
	doc_set_str(call->arena, top, "digest", d.digest);
	doc_set(call->arena, top, "referrers", *list);
	r = json_write(top, &style, &json, err);
	buf_addc(&json, '\n');
	return r < 0 ? r : cli_write(1, &json, err);
}

const struct cmd cmd_artifact_discover = {
	.path = "artifact discover",
	.args = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.help = "Show what refers to an image or artifact",
	.opts = discover_opts,
	.opts_size = sizeof(struct artifact_opts),
	.min = 1,
	.max = 1,
	.group = CLI_IMAGES,
	.run = discover_run,
};
