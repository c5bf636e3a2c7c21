/* SPDX-License-Identifier: Apache-2.0 */
/* What a command is to work on: types, names, TYPE/NAME, objects in files. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "doc/json.h"
#include "doc/yaml.h"
#include "linux/sys.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ITEMS_MAX 100000u
#define DEPTH_MAX 64

struct adding {
	struct kubectl *k;
	struct kubectl_items *to;
	size_t room;
	bool recursive;
	bool local; /* no server is asked */
};

static int add(struct adding *ad, struct kubectl_item item, struct err *err)
{
	struct arena *a = ad->k->arena;
	size_t room = ad->room ? ad->room * 2 : 64;

	if (ad->to->n == ad->room) {
		struct kubectl_item *v =
			arena_grow(a, ad->to->v, ad->room * sizeof(*v), room * sizeof(*v));

		if (!v || room > ITEMS_MAX * 2)
			return v ? err_set(err, ERR_TOO_LARGE, "more than %u objects", ITEMS_MAX)
				 : arena_quota(a, err);
		ad->to->v = v;
		ad->room = room;
	}
	ad->to->v[ad->to->n++] = item;
	return 0;
}

/* ---- files ---- */

int kubectl_wrong_space(const char *space, const char *wanted, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "the namespace from the provided object \"%s\" does not match the "
		       "namespace \"%s\". You must pass '--namespace=%s' to perform this "
		       "operation.",
		       space, wanted, space);
}

int kubectl_item_of(struct kubectl *k, struct doc *obj, struct kubectl_item *ret, struct err *err)
{
	const char *space = kubectl_text(k, obj, "metadata.namespace");
	struct kubectl_item it = { .obj = obj, .name = kubectl_text(k, obj, "metadata.name") };
	int r = kubectl_find_kind(k, kubectl_text(k, obj, "apiVersion"),
				  kubectl_text(k, obj, "kind"), &it.res, err);

	if (r < 0)
		return r;
	if (it.res->namespaced)
		it.space = *space ? space : k->conf.space;
	if (it.res->namespaced && !*space)
		doc_set_str(k->arena, doc_get(obj, "metadata"), "namespace", it.space);
	*ret = it;
	return 0;
}

/* No server is asked: names are the kind's, and nothing is known of namespaces. */
static int local_item(struct kubectl *k, struct doc *obj, struct kubectl_item *ret, struct err *err)
{
	const char *api = kubectl_text(k, obj, "apiVersion"), *slash = strchr(api, '/');
	struct resource *res = ARENA_NEW(k->arena, struct resource);
	char *name = arena_strdup(k->arena, kubectl_text(k, obj, "kind"));

	if (!res || !name)
		return arena_quota(k->arena, err);
	*res = (struct resource){
		.api_version = api,
		.version = slash ? slash + 1 : api,
		.group = slash ? arena_strndup(k->arena, api, (size_t)(slash - api)) : "",
		.kind = kubectl_text(k, obj, "kind"),
		.name = name
	};
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	*ret = (struct kubectl_item){ .res = res,
				      .obj = obj,
				      .name = kubectl_text(k, obj, "metadata.name") };
	return 0;
}

static int add_object(struct adding *ad, struct doc *d, const char *from, struct err *err)
{
	struct kubectl *k = ad->k;
	struct kubectl_item item;
	const char *kind = kubectl_text(k, d, "kind"), *api = kubectl_text(k, d, "apiVersion");
	int r;

	if (!doc_is(d, DOC_OBJECT) || !*kind)
		return err_set(err, ERR_INVALID,
			       "error validating \"%s\": error validating data: kind not set",
			       from);
	if (!*api)
		return err_set(err, ERR_INVALID,
			       "error validating \"%s\": error validating data: apiVersion not set",
			       from);
	if (doc_is(doc_get(d, "items"), DOC_ARRAY) && strlen(kind) >= 4 &&
	    strcmp(kind + strlen(kind) - 4, "List") == 0) {
		DOC_EACH (e, doc_get(d, "items")) {
			r = add_object(ad, e, from, err);
			if (r < 0)
				return r;
		}
		return 0;
	}
	if (ad->local)
		r = local_item(k, d, &item, err);
	else
		r = kubectl_item_of(k, d, &item, err);
	if (r == -ERR_NOT_FOUND && !client_failure(k->client)) {
		(void)err_wrap(err,
			       "resource mapping not found for name: \"%s\" namespace: \"%s\" "
			       "from \"%s\"",
			       kubectl_text(k, d, "metadata.name"),
			       kubectl_text(k, d, "metadata.namespace"), from);
		return err_set(err, ERR_NOT_FOUND, "%s\nensure CRDs are installed first",
			       arena_strdup(k->arena, err->msg));
	}
	item.from = from;
	if (r == 0 && item.space && k->flags.space && strcmp(item.space, k->flags.space) != 0)
		return kubectl_wrong_space(item.space, k->flags.space, err);
	return r < 0 ? r : add(ad, item, err);
}

static int add_text(struct adding *ad, struct slice text, const char *from, struct err *err)
{
	const char *copy = arena_strndup(ad->k->arena, text.n ? text.p : "", text.n);
	struct doc *all;
	int r;

	if (!copy)
		return arena_quota(ad->k->arena, err);
	r = yaml_read_all(ad->k->arena, slice_of(copy, text.n), NULL, &all, err);
	if (r < 0)
		return err_wrap(err, "error parsing %s", from);
	DOC_EACH (d, all) {
		if (d->type == DOC_NULL)
			continue;
		r = add_object(ad, d, from, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int kubectl_read_stdin(struct buf *to, struct err *err)
{
	for (;;) {
		char *room = buf_room(to, 65536);
		ssize_t n = room ? fd_read_full(0, room, 65536) : -1;

		if (!room)
			return err_set(err, ERR_TOO_LARGE, "STDIN: more than %u bytes",
				       KUBECTL_FILE_MAX);
		if (n < 0)
			return err_sys(err, "read STDIN");
		to->n += (size_t)n;
		if (n < 65536)
			return 0;
	}
}

static int add_stdin(struct adding *ad, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_FILE_MAX);
	int r = kubectl_read_stdin(&b, err);

	return r < 0 ? r : add_text(ad, buf_slice(&b), "STDIN", err);
}

static int add_file(struct adding *ad, const char *path, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_FILE_MAX);
	int r = fd_read_file(AT_FDCWD, path, &b, err);

	return r < 0 ? r : add_text(ad, buf_slice(&b), arena_strdup(ad->k->arena, path), err);
}

static bool is_manifest(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot &&
	       (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int add_path(struct adding *ad, const char *path, bool named, int depth, struct err *err);

/* Files of a folder by name; folders in it only with -R. */
static int add_folder(struct adding *ad, const char *path, int depth, struct err *err)
{
	struct dirent **v;
	int n = scandir(path, &v, NULL, alphasort), r = 0;

	if (n < 0)
		return err_sys(err, "read folder '%s'", path);
	if (depth > DEPTH_MAX)
		r = err_set(err, ERR_TOO_LARGE, "%s: folders too deep", path);
	for (int i = 0; i < n; i++) {
		const char *name = v[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = add_path(ad, arena_printf(ad->k->arena, "%s/%s", path, name), false,
				     depth + 1, err);
		free(v[i]);
	}
	free(v);
	return r;
}

static int add_path(struct adding *ad, const char *path, bool named, int depth, struct err *err)
{
	struct stat st;

	if (!path)
		return arena_quota(ad->k->arena, err);
	if (stat(path, &st) < 0)
		return errno == ENOENT
			       ? err_set(err, ERR_NOT_FOUND, "the path \"%s\" does not exist", path)
			       : err_sys(err, "the path \"%s\" cannot be accessed", path);
	if (S_ISDIR(st.st_mode))
		return named || ad->recursive ? add_folder(ad, path, depth, err) : 0;
	return named || is_manifest(path) ? add_file(ad, path, err) : 0;
}

static int add_named(struct adding *ad, const char *name, struct err *err)
{
	if (strcmp(name, "-") == 0)
		return add_stdin(ad, err);
	if (strncmp(name, "http://", 7) == 0 || strncmp(name, "https://", 8) == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "-f %s: addresses are not supported by teu kubectl yet", name);
	return add_path(ad, name, true, 0, err);
}

/* -f may hold comma lists. */
static int add_files(struct adding *ad, const struct opt_list *l, struct err *err)
{
	for (size_t i = 0; i < l->n; i++)
		for (struct slice rest = slice_str(l->v[i]); rest.p;) {
			struct slice one = slice_split(&rest, ',');
			const char *name = arena_strndup(ad->k->arena, one.n ? one.p : "", one.n);
			int r = name ? add_named(ad, name, err) : arena_quota(ad->k->arena, err);

			if (r < 0)
				return r;
		}
	return 0;
}

int kubectl_read_local(struct kubectl *k, const struct kubectl_files *files,
		       struct kubectl_items *ret, struct err *err)
{
	struct adding ad = { .k = k, .to = ret, .recursive = files->recursive, .local = true };

	*ret = (struct kubectl_items){ 0 };
	return add_files(&ad, &files->names, err);
}

int kubectl_read_files(struct kubectl *k, const struct kubectl_files *files,
		       struct kubectl_items *ret, struct err *err)
{
	struct adding ad = { .k = k, .to = ret, .recursive = files->recursive };
	int r = kubectl_client(k, err);

	*ret = (struct kubectl_items){ 0 };
	return r < 0 ? r : add_files(&ad, &files->names, err);
}

/* ---- words ---- */

static const char *space_of(const struct kubectl *k, const struct resource *r, unsigned flags)
{
	return r->namespaced && !(flags & KUBECTL_ALL_SPACES) ? k->conf.space : NULL;
}

/* "all" and other categories: each resource once, in the order of discovery. 1 = was one. */
static int add_category(struct adding *ad, const char *word, unsigned flags, struct err *err)
{
	struct kubectl *k = ad->k;
	bool any = false;
	int r = kubectl_catalog(k, false, err);

	for (size_t i = 0; i < k->catalog.n && r == 0; i++) {
		const struct resource *res = &k->catalog.v[i];

		if (!res->preferred || !resource_in(res, word) || !resource_has_verb(res, "list"))
			continue;
		any = true;
		r = add(ad, (struct kubectl_item){ .res = res, .space = space_of(k, res, flags) },
			err);
	}
	return r < 0 ? r : any;
}

static int add_types(struct adding *ad, const char *words, char **names, size_t n, unsigned flags,
		     struct err *err)
{
	struct kubectl *k = ad->k;

	for (struct slice rest = slice_str(words); rest.p;) {
		struct slice one = slice_split(&rest, ',');
		const char *word = arena_strndup(k->arena, one.p, one.n);
		const struct resource *res;
		int r = word ? add_category(ad, word, flags, err) : arena_quota(k->arena, err);

		if (r < 0)
			return r;
		if (r == 1)
			continue;
		r = kubectl_find(k, word, &res, err);
		if (r == 0 && !n)
			r = add(ad,
				(struct kubectl_item){ .res = res,
						       .space = space_of(k, res, flags) },
				err);
		for (size_t i = 0; i < n && r == 0; i++)
			r = add(ad,
				(struct kubectl_item){ .res = res,
						       .name = names[i],
						       .space = space_of(k, res, 0) },
				err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_pairs(struct adding *ad, char **words, size_t n, struct err *err)
{
	struct kubectl *k = ad->k;

	for (size_t i = 0; i < n; i++) {
		const char *slash = strchr(words[i], '/');
		const struct resource *res;
		const char *type;
		int r;

		if (!slash)
			return err_set(
				err, ERR_BAD_REQUEST,
				"there is no need to specify a resource type as a separate "
				"argument when passing arguments in resource/name form (e.g. "
				"'kubectl get resource/<resource_name>' instead of 'kubectl "
				"get resource resource/<resource_name>'");
		if (strchr(slash + 1, '/'))
			return err_set(err, ERR_BAD_REQUEST,
				       "arguments in resource/name form may not have more than one "
				       "slash");
		if (slash == words[i] || !slash[1])
			return err_set(
				err, ERR_BAD_REQUEST,
				"arguments in resource/name form must have a single resource "
				"and name");
		type = arena_strndup(k->arena, words[i], (size_t)(slash - words[i]));
		r = type ? kubectl_find(k, type, &res, err) : arena_quota(k->arena, err);
		if (r == 0)
			r = add(ad,
				(struct kubectl_item){ .res = res,
						       .name = slash + 1,
						       .space = space_of(k, res, 0) },
				err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_slash(char **words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strchr(words[i], '/'))
			return true;
	return false;
}

static int check_words(char **words, size_t n, bool pairs, unsigned flags, struct err *err)
{
	bool names = pairs || n > 1;

	(void)words;
	if (names && (flags & KUBECTL_ALL_SPACES))
		return err_set(err, ERR_BAD_REQUEST,
			       "a resource cannot be retrieved by name across all namespaces");
	if (names && (flags & KUBECTL_SELECTED))
		return err_set(err, ERR_BAD_REQUEST,
			       "name cannot be provided when a selector is specified");
	if (!names && (flags & KUBECTL_NAMES) && !(flags & KUBECTL_SELECTED))
		return err_set(err, ERR_BAD_REQUEST,
			       "resource(s) were provided, but no name was specified");
	return 0;
}

int kubectl_local_dry(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		       "cannot specify --local and --dry-run=server - did you mean "
		       "--dry-run=client?");
}

int kubectl_files_alone(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		       "when paths, URLs, or stdin is provided as input, you may not specify "
		       "resource arguments as well");
}

int kubectl_items(struct cmd_call *call, const struct kubectl_files *files, unsigned flags,
		  struct kubectl_items *ret, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct adding ad = { .k = k, .to = ret, .recursive = files->recursive };
	bool pairs = has_slash(call->args, call->nargs);
	int r = kubectl_client(k, err);

	*ret = (struct kubectl_items){ 0 };
	if (r < 0)
		return r;
	if (files->names.n && call->nargs)
		return kubectl_files_alone(err);
	if (files->names.n) {
		r = add_files(&ad, &files->names, err);
		ret->single = ret->n == 1;
		return r;
	}
	r = check_words(call->args, call->nargs, pairs, flags, err);
	if (r == 0)
		r = pairs ? add_pairs(&ad, call->args, call->nargs, err)
			  : add_types(&ad, call->args[0], call->args + 1, call->nargs - 1, flags,
				      err);
	ret->single = ret->n == 1 && ret->v[0].name;
	return r;
}
