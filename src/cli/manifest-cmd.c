/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `teu manifest`: lists of several platforms made by hand. A list that is being made lies in files
 * where docker's client keeps its own ($DOCKER_CONFIG/manifests/LIST/IMAGE, JSON), so that either
 * program goes on where the other stopped.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/image-place.h"
#include "doc/json.h"
#include "image/auth-file.h"
#include "linux/sys.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 1024
#define FILE_MAX (8u << 20)

struct manifest_opts {
	struct image_access acc;
	const char *arch, *os, *os_version, *variant;
	struct opt_list os_features;
	bool insecure, amend, purge, verbose;
};

/* ---- the files ---- */

/* "docker.io/library/a:1" as a name of a file. */
static int full_name(struct arena *a, const char *text, struct image_name *n, const char **ret_file,
		     const char **ret_full, struct err *err)
{
	char full[IMAGE_NAME_TEXT_MAX];
	char *file;

	if (image_name_parse(text, n, err) < 0)
		return err_ret(err);
	image_name_default_tag(n);
	*ret_full = arena_strdup(a, image_name_full(n, full));
	file = arena_strdup(a, full);
	if (!file || !*ret_full)
		return arena_quota(a, err);
	for (char *c = file; *c; c++)
		*c = *c == ':' ? '-' : *c == '/' ? '_' : *c;
	*ret_file = file;
	return 0;
}

static int list_dir(struct arena *a, const char *file, const char **ret, struct err *err)
{
	const char *dir;

	if (auth_file_dir(a, &dir, err) < 0)
		return err_ret(err);
	*ret = arena_printf(a, "%s/manifests/%s", dir, file);
	return *ret ? 0 : arena_quota(a, err);
}

static int read_entry(struct arena *a, const char *dir, const char *name, struct doc **ret,
		      struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	const char *path = arena_printf(a, "%s/%s", dir, name);
	int r;

	if (!path)
		return arena_quota(a, err);
	r = fd_read_file(AT_FDCWD, path, &b, err);
	if (r >= 0)
		r = json_read(a, buf_slice(&b), &(struct json_options){ .copy = true }, ret, err);
	return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

static int write_entry(struct arena *a, const char *dir, const char *name, const struct doc *d,
		       struct err *err)
{
	CLEANUP(fd_close) int fd = -1;
	struct slice text;
	int r;

	r = json_print(a, d, NULL, &text, err);
	if (r >= 0)
		r = fd_mkdir_p(AT_FDCWD, dir, 0755, err);
	if (r < 0)
		return r;
	fd = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	return fd < 0 ? err_sys(err, "open '%s'", dir)
		      : fd_replace_file(fd, name, text.p, text.n, 0644, err);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The entries of a list, by the names of their files. 0 of them: there is no list. */
static int read_list(struct arena *a, const char *dir, struct doc **ret, struct err *err)
{
	const char **names = ARENA_ARRAY(a, const char *, ENTRIES_MAX);
	struct doc *list = doc_new_array(a), *one;
	struct dirent *e;
	size_t n = 0;
	DIR *d;
	int r = 0;

	*ret = list;
	if (!names)
		return arena_quota(a, err);
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, "list '%s'", dir);
	while ((e = readdir(d)) && n < ENTRIES_MAX)
		if (e->d_name[0] != '.')
			names[n++] = arena_strdup(a, e->d_name);
	closedir(d);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = read_entry(a, dir, names[i], &one, err);
		if (r >= 0)
			doc_append(a, list, *one);
	}
	return r;
}

static int no_list(const char *name, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "No such manifest: %.300s", name);
}

/* ---- what a registry has ---- */

static void set_if(struct arena *a, struct doc *to, const char *key, const struct doc *from)
{
	if (from && !doc_is(from, DOC_NULL) && !(doc_is(from, DOC_STRING) && !from->n))
		doc_set(a, to, key, *from);
}

/* The keys in the order of docker's client. */
static int make_entry(struct arena *a, const char *full, const struct place_manifest *m,
		      const struct doc *config, struct doc **ret, struct err *err)
{
	static const char *const keys[] = { "architecture", "os", "os.version", "os.features",
					    "variant" };
	struct doc *d = doc_new_object(a), *desc, *platform, *raw;
	char *coded = arena_alloc(a, BASE64_LEN(m->bytes.n) + 1);
	int r;

	if (!coded)
		return arena_quota(a, err);
	base64_encode(coded, m->bytes.p, m->bytes.n);
	r = json_read(a, m->bytes, NULL, &raw, err);
	if (r < 0)
		return r;
	doc_set_str(a, d, "Ref", full);
	desc = doc_set_object(a, d, "Descriptor");
	doc_set_str(a, desc, "mediaType", m->media);
	doc_set_str(a, desc, "digest", m->digest);
	doc_set_uint(a, desc, "size", m->bytes.n);
	platform = doc_set_object(a, desc, "platform");
	for (size_t i = 0; config && i < ARRAY_LEN(keys); i++)
		set_if(a, platform, keys[i], doc_get(config, keys[i]));
	doc_set_str(a, d, "Raw", coded);
	doc_set(a, d,
		strcmp(m->media, MEDIA_OCI_MANIFEST) == 0 ? "OCIManifest" : "SchemaV2Manifest",
		*raw);
	*ret = d;
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int open_place(struct image_work *w, const char *full, struct place **ret, struct err *err)
{
	const struct manifest_opts *o = w->call->opts;
	struct image_access acc = o->acc;

	acc.tls_given = o->insecure;
	return image_read_place(w, arena_printf(w->call->arena, "docker://%s", full), false, &acc,
				ret, err);
}

static int fetch_part(struct place *p, struct arena *a, const char *full, const char *digest,
		      struct place_manifest *m, struct manifest *doc, struct doc **ret,
		      struct err *err)
{
	struct doc *config = NULL;
	struct slice bytes;
	int r;

	*ret = NULL;
	r = place_manifest(p, digest, a, m, doc, err);
	if (r == -ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "no such manifest: %.300s", full);
	if (r < 0 || doc->kind == MANIFEST_INDEX)
		return r;
	r = place_blob_bytes(p, &doc->config, a, &bytes, err);
	if (r >= 0 && json_read(a, bytes, NULL, &config, NULL) < 0)
		config = NULL; /* of an artifact: without a platform */
	return r < 0 ? r : make_entry(a, full, m, config, ret, err);
}

/* ---- printing ---- */

/* docker's order of keys, which is not that of entries. */
static void list_entry(struct arena *a, const struct doc *desc, struct doc *list)
{
	static const char *const keys[] = { "architecture", "os", "os.version", "os.features",
					    "variant" };
	const struct doc *platform = doc_get(desc, "platform");
	struct doc *d = doc_append_object(a, list), *to;

	set_if(a, d, "mediaType", doc_get(desc, "mediaType"));
	set_if(a, d, "size", doc_get(desc, "size"));
	set_if(a, d, "digest", doc_get(desc, "digest"));
	to = doc_set_object(a, d, "platform");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		set_if(a, to, keys[i], doc_get(platform, keys[i]));
	/* They are there even when they are empty. */
	for (size_t i = 0; i < 2; i++)
		if (!doc_get(to, keys[i]))
			doc_set_str(a, to, keys[i], "");
}

/* The index or docker's list by the type of its first entry. */
static int list_text(struct arena *a, const struct doc *entries, struct slice *ret,
		     const char **ret_media, struct err *err)
{
	const struct json_style style = { .indent = "   " };
	struct doc *d = doc_new_object(a), *list;
	const struct doc *first = doc_get(doc_at(entries, 0), "Descriptor");

	*ret_media = doc_str_is(doc_get(first, "mediaType"), MEDIA_OCI_MANIFEST)
			     ? MEDIA_OCI_INDEX
			     : MEDIA_DOCKER_LIST;
	doc_set_int(a, d, "schemaVersion", 2);
	doc_set_str(a, d, "mediaType", *ret_media);
	list = doc_set_array(a, d, "manifests");
	DOC_EACH (it, entries)
		list_entry(a, doc_get(it, "Descriptor"), list);
	return arena_exceeded(a) ? arena_quota(a, err) : json_print(a, d, &style, ret, err);
}

static int print_doc(const struct doc *d, struct err *err)
{
	const struct json_style style = { .indent = "\t" };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	int r = json_write(d, &style, &out, err);

	buf_addc(&out, '\n');
	return r < 0 ? r : cli_write(1, &out, err);
}

static int print_list(struct cmd_call *call, const struct doc *entries, struct err *err)
{
	const struct manifest_opts *o = call->opts;
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const char *media;
	struct slice text;
	int r;

	if (o->verbose)
		return print_doc(entries, err);
	r = list_text(call->arena, entries, &text, &media, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%.*s\n", (int)text.n, text.p);
	return cli_write(1, &out, err);
}

static int print_one(struct cmd_call *call, const struct doc *entry, struct err *err)
{
	const struct manifest_opts *o = call->opts;
	const struct doc *raw = doc_get(entry, "OCIManifest");

	raw = raw ? raw : doc_get(entry, "SchemaV2Manifest");
	return print_doc(o->verbose || !raw ? entry : raw, err);
}

/* ---- inspect ---- */

static int inspect_remote(struct cmd_call *call, const char *full, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(place_free) struct place *p = NULL;
	struct doc *entries = doc_new_array(call->arena), *one;
	struct place_manifest m;
	struct manifest doc, part;
	int r;

	r = image_work_begin(&w, call, true, err);
	if (r >= 0)
		r = open_place(&w, full, &p, err);
	if (r >= 0)
		r = fetch_part(p, call->arena, full, NULL, &m, &doc, &one, err);
	if (r < 0)
		return r;
	if (one)
		return print_one(call, one, err);
	for (size_t i = 0; i < doc.n && r >= 0; i++) {
		const struct manifest_platform *pf = doc.parts[i].platform;
		struct doc *desc;

		r = fetch_part(p, call->arena, full, doc.parts[i].digest, &m, &part, &one, err);
		if (r < 0 || !one)
			continue;
		/* What the list says of it, not what it says itself. */
		desc = doc_get(doc_get(one, "Descriptor"), "platform");
		if (pf && pf->variant)
			doc_set_str(call->arena, desc, "variant", pf->variant);
		if (pf && pf->architecture)
			doc_set_str(call->arena, desc, "architecture", pf->architecture);
		if (pf && pf->os)
			doc_set_str(call->arena, desc, "os", pf->os);
		doc_append(call->arena, entries, *one);
	}
	return r < 0 ? r : print_list(call, entries, err);
}

static int inspect_run(struct cmd_call *call, struct err *err)
{
	const char *file, *full, *dir, *image = NULL, *image_full;
	struct arena *a = call->arena;
	struct image_name n;
	struct doc *entries, *one;
	int r;

	r = full_name(a, call->args[0], &n, &file, &full, err);
	if (r >= 0 && call->nargs == 2)
		r = full_name(a, call->args[1], &n, &image, &image_full, err);
	if (r >= 0)
		r = list_dir(a, file, &dir, err);
	if (r >= 0 && image) {
		r = read_entry(a, dir, image, &one, err);
		if (r == -ERR_NOT_FOUND)
			return no_list(image_full, err);
		return r < 0 ? r : print_one(call, one, err);
	}
	if (r >= 0)
		r = read_list(a, dir, &entries, err);
	if (r < 0)
		return r;
	return doc_len(entries) ? print_list(call, entries, err) : inspect_remote(call, full, err);
}

/* ---- create, annotate, rm ---- */

static int create_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	const struct manifest_opts *o = call->opts;
	const char *file, *full, *dir, *image;
	struct arena *a = call->arena;
	struct image_name n;
	struct doc *entries;
	int r;

	r = image_work_begin(&w, call, true, err);
	if (r >= 0)
		r = full_name(a, call->args[0], &n, &file, &full, err);
	if (r >= 0)
		r = list_dir(a, file, &dir, err);
	if (r >= 0)
		r = read_list(a, dir, &entries, err);
	if (r >= 0 && doc_len(entries) && !o->amend)
		r = err_set(err, ERR_CONFLICT,
			    "refusing to amend an existing manifest list with no --amend flag");
	if (r >= 0)
		buf_addf(&out, "Created manifest list %s\n", full);
	for (size_t i = 1; i < call->nargs && r >= 0; i++) {
		CLEANUP(place_free) struct place *p = NULL;
		struct place_manifest m;
		struct manifest doc;
		struct doc *one;

		r = full_name(a, call->args[i], &n, &image, &full, err);
		if (r >= 0)
			r = open_place(&w, full, &p, err);
		if (r >= 0)
			r = fetch_part(p, a, full, NULL, &m, &doc, &one, err);
		if (r >= 0 && !one)
			r = err_set(err, ERR_INVALID, "%s is a manifest list", full);
		if (r >= 0)
			r = write_entry(a, dir, image, one, err);
	}
	return r < 0 ? r : cli_write(1, &out, err);
}

static bool is_known(const char *os, const char *arch)
{
	static const char *const known[][2] = {
		{ "darwin", " 386 amd64 arm arm64 " },
		{ "dragonfly", " amd64 " },
		{ "freebsd", " 386 amd64 arm " },
		{ "linux", " 386 amd64 arm arm64 loong64 mips64 mips64le ppc64le riscv64 s390x " },
		{ "netbsd", " 386 amd64 arm " },
		{ "openbsd", " 386 amd64 arm " },
		{ "plan9", " 386 amd64 " },
		{ "solaris", " amd64 " },
		{ "windows", " 386 amd64 arm arm64 " },
	};
	char word[64];

	(void)snprintf(word, sizeof(word), " %s ", arch);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(os, known[i][0]) == 0)
			return strstr(known[i][1], word) != NULL;
	return false;
}

/* The platform anew, in the order of its keys. */
static int annotate(struct cmd_call *call, struct doc *entry, struct err *err)
{
	const struct manifest_opts *o = call->opts;
	const char *const given[] = { o->arch, o->os, o->os_version, NULL, o->variant };
	static const char *const keys[] = { "architecture", "os", "os.version", "os.features",
					    "variant" };
	struct doc *desc = doc_get(entry, "Descriptor"), out = doc_object(), *list;
	const struct doc *old = doc_get(desc, "platform");
	struct arena *a = call->arena;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (i == 3 && o->os_features.n) {
			list = doc_set_array(a, &out, keys[i]);
			for (size_t k = 0; k < o->os_features.n; k++)
				doc_append_str(a, list, o->os_features.v[k]);
		} else if (given[i]) {
			doc_set_str(a, &out, keys[i], given[i]);
		} else {
			set_if(a, &out, keys[i], doc_get(old, keys[i]));
		}
	}
	if (!is_known(cli_text(a, &out, "os"), cli_text(a, &out, "architecture")))
		return err_set(
			err, ERR_INVALID,
			"manifest entry for image has unsupported os/arch combination: %s/%s",
			cli_text(a, &out, "os"), cli_text(a, &out, "architecture"));
	doc_set(a, desc, "platform", out);
	return arena_exceeded(a) ? arena_quota(a, err) : 0;
}

static int annotate_run(struct cmd_call *call, struct err *err)
{
	const char *file, *full, *dir, *image, *image_full;
	struct arena *a = call->arena;
	struct image_name n;
	struct doc *entry;
	int r;

	r = full_name(a, call->args[0], &n, &file, &full, err);
	if (r >= 0)
		r = full_name(a, call->args[1], &n, &image, &image_full, err);
	if (r >= 0)
		r = list_dir(a, file, &dir, err);
	if (r >= 0)
		r = read_entry(a, dir, image, &entry, err);
	if (r == -ERR_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "manifest for image %s does not exist in %s",
			       image_full, full);
	if (r >= 0)
		r = annotate(call, entry, err);
	return r < 0 ? r : write_entry(a, dir, image, entry, err);
}

static int remove_one(struct cmd_call *call, const char *arg, struct err *err)
{
	const char *file, *full, *dir;
	struct image_name n;
	struct stat st;
	int r;

	r = full_name(call->arena, arg, &n, &file, &full, err);
	if (r >= 0)
		r = list_dir(call->arena, file, &dir, err);
	if (r < 0)
		return r;
	if (sys_fstatat(AT_FDCWD, dir, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return no_list(full, err);
	return fd_remove_tree(AT_FDCWD, dir, err);
}

static int rm_run(struct cmd_call *call, struct err *err)
{
	(void)err; /* told one by one */
	return cli_each(call, false, remove_one);
}

/* ---- push ---- */

/* An image of another repository of that registry: its blobs are mounted, its manifest is put. */
static int push_image(struct image_work *w, const struct image_name *target,
		      const struct doc *entry, struct buf *out, struct err *err)
{
	CLEANUP(image_target_fini) struct image_target dst = { 0 };
	CLEANUP(place_free) struct place *src = NULL;
	const struct manifest_opts *o = w->call->opts;
	struct image_access acc = o->acc;
	struct arena *a = w->call->arena;
	const char *digest = cli_text(a, entry, "Descriptor.digest"), *repo, *to;
	char host[2][256];
	struct image_name n;
	int r;

	acc.tls_given = o->insecure;
	r = image_name_parse(cli_text(a, entry, "Ref"), &n, err);
	if (r < 0)
		return r;
	image_name_split(target, host[0], &repo);
	image_name_split(&n, host[1], &repo);
	if (strcmp(host[0], host[1]) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			       "cannot use source images from a different registry than the target "
			       "image: %s != %s",
			       host[1], host[0]);
	if (strcmp(n.name, target->name) == 0)
		return 0;
	to = arena_printf(a, "docker://%s@%s", target->name, digest);
	r = open_place(w, arena_printf(a, "%s@%s", n.name, digest), &src, err);
	if (r >= 0)
		r = image_write_place(w, to, &acc, &dst, err);
	if (r >= 0)
		r = image_copy(src, dst.place, &(struct copy_options){ 0 }, NULL, err);
	if (r >= 0)
		buf_addf(out, "Pushed ref %s@%s with digest: %s\n", target->name, digest, digest);
	return r;
}

static int push_list(struct image_work *w, const char *full, const struct doc *entries,
		     struct buf *out, struct err *err)
{
	CLEANUP(image_target_fini) struct image_target dst = { 0 };
	const struct manifest_opts *o = w->call->opts;
	struct arena *a = w->call->arena;
	struct image_access acc = o->acc;
	struct place_manifest m = { 0 };
	int r;

	acc.tls_given = o->insecure;
	r = list_text(a, entries, &m.bytes, &m.media, err);
	if (r < 0)
		return r;
	image_digest_of(m.bytes.p, m.bytes.n, m.digest);
	r = image_write_place(w, arena_printf(a, "docker://%s", full), &acc, &dst, err);
	if (r >= 0)
		r = place_put_manifest(dst.place, &m, true, err);
	buf_addf(out, "%s\n", m.digest);
	return r;
}

static int push_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(image_work_end) struct image_work w = { 0 };
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct manifest_opts *o = call->opts;
	const char *file, *full, *dir;
	struct image_name n;
	struct doc *entries;
	int r;

	r = image_work_begin(&w, call, true, err);
	if (r >= 0)
		r = full_name(call->arena, call->args[0], &n, &file, &full, err);
	if (r >= 0)
		r = list_dir(call->arena, file, &dir, err);
	if (r >= 0)
		r = read_list(call->arena, dir, &entries, err);
	if (r >= 0 && !doc_len(entries))
		r = no_list(full, err);
	for (size_t i = 0; r >= 0 && i < doc_len(entries); i++)
		r = push_image(&w, &n, doc_at(entries, i), &out, err);
	if (r >= 0)
		r = push_list(&w, full, entries, &out, err);
	if (r >= 0 && o->purge)
		r = fd_remove_tree(AT_FDCWD, dir, err);
	return r < 0 ? r : cli_write(1, &out, err);
}

/* ---- rows ---- */

#define INSECURE_OPT                                             \
	OPT(struct manifest_opts, BOOL, insecure, "insecure", 0, \
	    "Talk with a registry of any certificate, or without one")

static const struct opt inspect_opts[] = { INSECURE_OPT,
					   OPT(struct manifest_opts, BOOL, verbose, "verbose", 'v',
					       "Also what docker's client knows of each"),
					   OPT_END };
static const struct opt create_opts[] = { OPT(struct manifest_opts, BOOL, amend, "amend", 'a',
					      "Add to a list that is there"),
					  INSECURE_OPT, OPT_END };
static const struct opt annotate_opts[] = {
	OPT(struct manifest_opts, STR, arch, "arch", 0, "Set the architecture"),
	OPT(struct manifest_opts, STR, os, "os", 0, "Set the operating system"),
	OPT(struct manifest_opts, LIST, os_features, "os-features", 0,
	    "Set a feature of the operating system"),
	OPT(struct manifest_opts, STR, os_version, "os-version", 0,
	    "Set the version of the operating system"),
	OPT(struct manifest_opts, STR, variant, "variant", 0,
	    "Set the variant of the architecture"),
	OPT_END
};
static const struct opt push_opts[] = { INSECURE_OPT,
					OPT(struct manifest_opts, BOOL, purge, "purge", 'p',
					    "Remove the local list afterwards"),
					OPT_END };

#define MANIFEST(id, words, text, rows, least, most)                                      \
	const struct cmd cmd_manifest_##id = { .path = "manifest " #id,                   \
					       .args = words,                             \
					       .help = text,                              \
					       .opts = rows,                              \
					       .opts_size = sizeof(struct manifest_opts), \
					       .min = least,                              \
					       .max = most,                               \
					       .group = CLI_IMAGES,                       \
					       .run = id##_run }

MANIFEST(create, "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
	 "Begin a list of images for several platforms", create_opts, 2, UINT8_MAX);
MANIFEST(annotate, "[OPTIONS] MANIFEST_LIST MANIFEST",
	 "Say what platform an image of a list is for", annotate_opts, 2, 2);
MANIFEST(inspect, "[OPTIONS] [MANIFEST_LIST] MANIFEST", "Show a manifest, or a list of them",
	 inspect_opts, 1, 2);
MANIFEST(push, "[OPTIONS] MANIFEST_LIST", "Send a list to its registry", push_opts, 1, 1);

const struct cmd cmd_manifest_rm = {
	.path = "manifest rm",
	.args = "MANIFEST_LIST [MANIFEST_LIST...]",
	.help = "Remove lists that are being made",
	.min = 1,
	.max = UINT8_MAX,
	.group = CLI_IMAGES,
	.run = rm_run,
};
