/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing kubeconfig files: read again under FILE.lock (client-go takes the same), changed,
 * replaced durably.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "client/kubeconfig-private.h"
#include "crypto/aead.h"
#include "doc/yaml.h"
#include "linux/sys.h"

#include <fcntl.h>

struct doc *kubeconfig_shown(struct arena *a, const struct doc *config)
{
	struct doc *d = doc_new_object(a);

	DOC_EACH_MEMBER (key, value, config)
		doc_add_node(a, d, *key,
			     value->type == DOC_ARRAY && !value->n ? doc_null() : *value);
	return d;
}

static int lock(const char *path, struct err *err)
{
	CLEANUP(fd_close) int fd = sys_openat(AT_FDCWD, path, O_CREAT | O_EXCL | O_CLOEXEC, 0);

	if (fd < 0 && errno == EEXIST)
		return err_set(
			err, ERR_CONFLICT,
			"'%s' is there: somebody else is changing the file; if not, remove it",
			path);
	return fd < 0 ? err_sys(err, "create '%s'", path) : 0;
}

static int make_folder(const char *path, struct err *err)
{
	char dir[4096];
	char *slash;

	if (!str_copy(dir, sizeof(dir), path))
		return err_set(err, ERR_INVALID, "path too long");
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return fd_mkdir_p(AT_FDCWD, dir, 0755, err);
}

static int save(struct arena *a, const struct kubeconfig_file *f, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf out = BUF_INIT(KUBECONFIG_FILE_MAX);
	struct yaml_style style = { .sorted = true };
	const struct doc *shown = kubeconfig_shown(a, f->doc);
	/* Room for most, so that no copies of secrets stay behind as it grows. */
	int r = shown && buf_room(&out, 1u << 20) ? yaml_write(shown, &style, &out, err)
						  : arena_quota(a, err);

	if (r == 0)
		r = fd_replace_file(AT_FDCWD, f->path, buf_str(&out), out.n, 0600, err);
	return r;
}

struct change {
	struct kubeconfig *k;
	enum kubeconfig_part part;
	struct slice name;
	const struct doc *stanza;
	bool relative;
	bool current; /* instead: set current-context to name */
};

/* "/a/b/c" below "/a" is written as "b/c"; what is not below the folder stays. */
static void make_relative(struct arena *a, const struct change *c, const char *file,
			  struct doc *stanza)
{
	const char *slash = strrchr(file, '/');
	size_t n = slash ? (size_t)(slash - file) + 1 : 0;

	for (const struct kubeconfig_field *f = kubeconfig_fields(c->part); f->name; f++) {
		struct slice v = doc_slice(doc_get(stanza, f->name));

		if (f->path && n && v.n > n && memcmp(v.p, file, n) == 0)
			doc_set_strn(a, stanza, f->name, v.p + n, v.n - n);
	}
}

static int change_part(const struct change *c, struct kubeconfig_file *f, struct err *err)
{
	const struct kubeconfig_part_name *p = &kubeconfig_part_names[c->part];
	struct arena *a = c->k->arena;
	struct doc *list = doc_get(f->doc, p->list), *entry = kubeconfig_entry(list, c->name);
	struct doc *known;
	int r;

	if (!c->stanza) {
		if (entry)
			doc_remove_at(list, (size_t)(entry - list->kids));
		return 0;
	}
	r = kubeconfig_known(a, c->part, c->stanza, &known, err);
	if (r < 0)
		return r;
	if (c->relative)
		make_relative(a, c, f->path, known);
	if (!entry) {
		entry = doc_append_object(a, list);
		doc_set_strn(a, entry, "name", c->name.n ? c->name.p : "", c->name.n);
	}
	if (known)
		doc_set(a, entry, p->one, *known);
	kubeconfig_sort(list);
	return 0;
}

static int change_file(const struct change *c, struct kubeconfig_file *f, struct err *err)
{
	struct kubeconfig_file now = { .path = f->path };
	int r = kubeconfig_read_file(c->k->arena, &now, err);

	if (r < 0)
		return r;
	if (c->current)
		doc_set_strn(c->k->arena, now.doc, "current-context", c->name.n ? c->name.p : "",
			     c->name.n);
	else
		r = change_part(c, &now, err);
	if (r == 0 && arena_exceeded(c->k->arena))
		r = arena_quota(c->k->arena, err);
	if (r == 0)
		r = save(c->k->arena, &now, err);
	if (r < 0)
		return r;
	now.exists = true;
	*f = now;
	c->k->merged = kubeconfig_merge(c->k->arena, c->k->files, c->k->nfiles);
	return c->k->merged ? 0 : arena_quota(c->k->arena, err);
}

static int change(const struct change *c, struct kubeconfig_file *f, struct err *err)
{
	const char *name = arena_printf(c->k->arena, "%s.lock", f->path);
	int r = name ? make_folder(f->path, err) : arena_quota(c->k->arena, err);

	if (r == 0)
		r = lock(name, err);
	if (r < 0)
		return r;
	r = change_file(c, f, err);
	(void)sys_unlinkat(AT_FDCWD, name, 0); /* ours; there is nothing to be done if it stays */
	return r;
}

static struct kubeconfig_file *file_named(struct kubeconfig *k, const char *path)
{
	for (size_t i = 0; i < k->nfiles; i++)
		if (k->files[i].path == path)
			return &k->files[i];
	return NULL;
}

static int no_place(struct err *err)
{
	return err_set(
		err, ERR_NOT_FOUND,
		"there is no kubeconfig file to write: set HOME, KUBECONFIG or --kubeconfig");
}

int kubeconfig_put(struct kubeconfig *k, enum kubeconfig_part part, struct slice name,
		   const struct doc *stanza, bool relative, struct err *err)
{
	struct change c = {
		.k = k, .part = part, .name = name, .stanza = stanza, .relative = relative
	};
	const char *path = kubeconfig_origin(k, part, name);
	struct kubeconfig_file *f = file_named(k, path ? path : kubeconfig_default_file(k));

	return f ? change(&c, f, err) : no_place(err);
}

int kubeconfig_use(struct kubeconfig *k, struct slice context, struct err *err)
{
	struct change c = { .k = k, .name = context, .current = true };
	struct kubeconfig_file *f = file_named(k, kubeconfig_default_file(k));

	if (slice_eq(kubeconfig_current(k->merged), context))
		return 0;
	/* To choose none is to take it away where it is said first. */
	for (size_t i = 0; !context.n && i < k->nfiles; i++)
		if (kubeconfig_current(k->files[i].doc).n) {
			f = &k->files[i];
			break;
		}
	return f ? change(&c, f, err) : no_place(err);
}
