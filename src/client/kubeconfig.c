/* SPDX-License-Identifier: Apache-2.0 */
/* Reading kubeconfig files: known fields by tables, then one file over the other. */
#include "client/kubeconfig.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "client/kubeconfig-private.h"
#include "crypto/aead.h"
#include "doc/yaml.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#define T(n)                                     \
	{                                        \
		n, KUBECONFIG_TEXT, false, false \
	}
static const struct kubeconfig_field cluster_fields[] = {
	{ "server", KUBECONFIG_TEXT, true, false },
	T("tls-server-name"),
	{ "insecure-skip-tls-verify", KUBECONFIG_BOOL, false, false },
	{ "certificate-authority", KUBECONFIG_TEXT, false, true },
	{ "certificate-authority-data", KUBECONFIG_BYTES, false, false },
	T("proxy-url"),
	{ "disable-compression", KUBECONFIG_BOOL, false, false },
	{ "extensions", KUBECONFIG_OTHER, false, false },
	{ NULL }
};
static const struct kubeconfig_field user_fields[] = {
	{ "client-certificate", KUBECONFIG_TEXT, false, true },
	{ "client-certificate-data", KUBECONFIG_BYTES, false, false },
	{ "client-key", KUBECONFIG_TEXT, false, true },
	{ "client-key-data", KUBECONFIG_BYTES, false, false },
	T("token"),
	{ "tokenFile", KUBECONFIG_TEXT, false, true },
	T("as"),
	T("as-uid"),
	{ "as-groups", KUBECONFIG_TEXTS, false, false },
	{ "as-user-extra", KUBECONFIG_OTHER, false, false },
	T("username"),
	T("password"),
	{ "auth-provider", KUBECONFIG_OTHER, false, false },
	{ "exec", KUBECONFIG_OTHER, false, false },
	{ "extensions", KUBECONFIG_OTHER, false, false },
	{ NULL }
};
static const struct kubeconfig_field context_fields[] = {
	{ "cluster", KUBECONFIG_TEXT, true, false },
	{ "user", KUBECONFIG_TEXT, true, false },
	T("namespace"),
	{ "extensions", KUBECONFIG_OTHER, false, false },
	{ NULL }
};
static const struct kubeconfig_field exec_fields[] = { { "command", KUBECONFIG_TEXT, true, false },
						       { "args", KUBECONFIG_TEXTS, true, false },
						       { "env", KUBECONFIG_OTHER, true, false },
						       T("apiVersion"),
						       T("installHint"),
						       { "provideClusterInfo", KUBECONFIG_BOOL,
							 true, false },
						       T("interactiveMode"),
						       { NULL } };
#undef T

const struct kubeconfig_part_name kubeconfig_part_names[KUBECONFIG_PARTS] = {
	[KUBECONFIG_CLUSTER] = { "clusters", "cluster" },
	[KUBECONFIG_USER] = { "users", "user" },
	[KUBECONFIG_CONTEXT] = { "contexts", "context" },
};

const struct kubeconfig_field *kubeconfig_fields(enum kubeconfig_part part)
{
	return part == KUBECONFIG_CLUSTER ? cluster_fields
	       : part == KUBECONFIG_USER  ? user_fields
					  : context_fields;
}

/* ---- known fields ---- */

static bool is_zero(const struct doc *v)
{
	return v->type == DOC_NULL || (v->type == DOC_BOOL && !v->n) ||
	       (v->type != DOC_NUMBER && v->type != DOC_BOOL && v->n == 0);
}

static int misfit(const char *name, const char *want, const struct doc *got, struct err *err)
{
	return err_set(err, ERR_INVALID, "%s must be %s, not %s", name, want, doc_type_name(got));
}

static int check_type(const struct kubeconfig_field *f, const struct doc *v, struct err *err)
{
	if (v->type == DOC_NULL)
		return 0;
	switch (f->type) {
	case KUBECONFIG_TEXT:
	case KUBECONFIG_BYTES: return v->type == DOC_STRING ? 0 : misfit(f->name, "a text", v, err);
	case KUBECONFIG_BOOL:
		return v->type == DOC_BOOL ? 0 : misfit(f->name, "true or false", v, err);
	case KUBECONFIG_TEXTS:
		if (v->type != DOC_ARRAY)
			return misfit(f->name, "a list", v, err);
		DOC_EACH (e, v)
			if (e->type != DOC_STRING)
				return misfit(f->name, "a list of texts", e, err);
		return 0;
	case KUBECONFIG_OTHER: break;
	}
	return v->type == DOC_ARRAY || v->type == DOC_OBJECT
		       ? 0
		       : misfit(f->name, "an object or list", v, err);
}

static struct doc zero_of(enum kubeconfig_type type)
{
	return type == KUBECONFIG_BOOL	 ? doc_bool(false)
	       : type == KUBECONFIG_TEXT ? doc_borrow("", 0)
					 : doc_null();
}

static int known_fields(struct arena *a, const struct kubeconfig_field *fields,
			const struct doc *from, struct doc **ret, struct err *err)
{
	*ret = doc_new_object(a);
	if (from && from->type != DOC_OBJECT && from->type != DOC_NULL)
		return err_set(err, ERR_INVALID, "expected an object, not %s", doc_type_name(from));
	for (const struct kubeconfig_field *f = fields; f->name; f++) {
		const struct doc *v = doc_get(from, f->name);
		int r = v ? check_type(f, v, err) : 0;

		if (r < 0)
			return r;
		if (v && !is_zero(v))
			doc_add(a, *ret, slice_str(f->name), *v);
		else if (f->always)
			doc_add(a, *ret, slice_str(f->name), zero_of(f->type));
	}
	return 0;
}

/* exec: its version decides how it may talk to people when the file does not say. */
static int known_exec(struct arena *a, struct doc *user, struct err *err)
{
	struct doc *exec = doc_get(user, "exec"), *known;
	int r;

	if (!exec)
		return 0;
	r = known_fields(a, exec_fields, exec, &known, err);
	if (r < 0 || !known)
		return r < 0 ? err_wrap(err, "exec") : arena_quota(a, err);
	DOC_EACH (e, doc_get(known, "env"))
		if (!doc_is(e, DOC_OBJECT))
			return misfit("exec.env", "a list of objects", e, err);
	if (!doc_get(known, "interactiveMode") &&
	    doc_str_is(doc_get(known, "apiVersion"), "client.authentication.k8s.io/v1beta1"))
		doc_set_str(a, known, "interactiveMode", "IfAvailable");
	*exec = *known;
	return 0;
}

int kubeconfig_known(struct arena *a, enum kubeconfig_part part, const struct doc *from,
		     struct doc **ret, struct err *err)
{
	int r = known_fields(a, kubeconfig_fields(part), from, ret, err);

	if (r == 0 && part == KUBECONFIG_USER)
		r = known_exec(a, *ret, err);
	return r;
}

static int by_name(const void *x, const void *y)
{
	return slice_cmp(doc_slice(doc_get(x, "name")), doc_slice(doc_get(y, "name")));
}

void kubeconfig_sort(struct doc *list)
{
	if (doc_len(list) > 1)
		qsort(list->kids, list->n, sizeof(*list->kids), by_name);
}

/* A list of named things; of two with one name the last is meant, as in a map. */
static int read_part(struct arena *a, const struct doc *from, enum kubeconfig_part part,
		     struct doc *config, struct err *err)
{
	const struct kubeconfig_part_name *p = &kubeconfig_part_names[part];
	const struct doc *list = doc_get(from, p->list);
	struct doc *out = doc_new_array(a);

	if (list && list->type != DOC_ARRAY && list->type != DOC_NULL)
		return misfit(p->list, "a list", list, err);
	DOC_EACH (e, list) {
		struct slice name = doc_slice(doc_get(e, "name"));
		struct doc *known, *old, *entry;
		int r;

		if (!doc_is(e, DOC_OBJECT))
			return misfit(p->list, "a list of objects", e, err);
		r = kubeconfig_known(a, part, doc_get(e, p->one), &known, err);
		if (r < 0)
			return err_wrap(err, "%s '%.*s'", p->one, (int)MIN(name.n, (size_t)200),
					name.n ? name.p : "");
		if (!known)
			return arena_quota(a, err);
		old = kubeconfig_entry(out, name);
		if (old) {
			doc_set(a, old, p->one, *known);
			continue;
		}
		entry = doc_append_object(a, out);
		doc_set_strn(a, entry, "name", name.n ? name.p : "", name.n);
		doc_set(a, entry, p->one, *known);
	}
	kubeconfig_sort(out);
	if (out)
		doc_add(a, config, slice_str(p->list), *out);
	return 0;
}

static int read_text(struct arena *a, const struct doc *from, const char *name, struct doc *config,
		     struct err *err)
{
	const struct doc *v = doc_get(from, name);

	if (v && v->type != DOC_STRING && v->type != DOC_NULL)
		return misfit(name, "a text", v, err);
	doc_add(a, config, slice_str(name), doc_is(v, DOC_STRING) ? *v : doc_borrow("", 0));
	return 0;
}

/* A Config without anything, members in Go's order. */
static struct doc *start(struct arena *a, const struct doc *from)
{
	const struct doc *preferences = doc_get(from, "preferences");
	struct doc *c = doc_new_object(a);

	doc_add(a, c, SLICE("kind"), DOC_LIT("Config"));
	doc_add(a, c, SLICE("apiVersion"), DOC_LIT("v1"));
	doc_add(a, c, SLICE("preferences"),
		doc_is(preferences, DOC_OBJECT) ? *preferences : doc_object());
	return c;
}

static int from_doc(struct arena *a, const struct doc *from, struct doc **ret, struct err *err)
{
	static const enum kubeconfig_part order[] = { KUBECONFIG_CLUSTER, KUBECONFIG_USER,
						      KUBECONFIG_CONTEXT };
	const struct doc *extensions = doc_get(from, "extensions");
	int r = 0;

	*ret = start(a, from);
	if (from && from->type != DOC_OBJECT && from->type != DOC_NULL)
		return misfit("a kubeconfig", "an object", from, err);
	for (size_t i = 0; i < ARRAY_LEN(order) && r == 0; i++)
		r = read_part(a, from, order[i], *ret, err);
	if (r == 0)
		r = read_text(a, from, "current-context", *ret, err);
	if (r == 0 && doc_len_of(extensions, DOC_ARRAY))
		doc_add(a, *ret, SLICE("extensions"), *extensions);
	if (r == 0 && arena_exceeded(a))
		r = arena_quota(a, err);
	return r;
}

static void last_wins(void *arg, unsigned line, struct slice key)
{
	(void)arg;
	(void)line;
	(void)key; /* of two equal keys the last is taken, as in Go */
}

int kubeconfig_read(struct arena *a, struct slice text, struct doc **ret, struct err *err)
{
	struct yaml_options opt = { .on_dup = last_wins };
	struct doc *d;
	int r = yaml_read(a, text, &opt, &d, err);

	return r < 0 ? r : from_doc(a, d, ret, err);
}

/* ---- looking ---- */

struct doc *kubeconfig_entry(const struct doc *list, struct slice name)
{
	DOC_EACH (e, list)
		if (slice_eq(doc_slice(doc_get(e, "name")), name))
			return e;
	return NULL;
}

struct doc *kubeconfig_get(const struct doc *config, enum kubeconfig_part part, struct slice name)
{
	const struct kubeconfig_part_name *p = &kubeconfig_part_names[part];

	return doc_get(kubeconfig_entry(doc_get(config, p->list), name), p->one);
}

struct slice kubeconfig_current(const struct doc *config)
{
	return doc_slice(doc_get(config, "current-context"));
}

const char *kubeconfig_default_file(const struct kubeconfig *k)
{
	for (size_t i = 0; i < k->nfiles; i++)
		if (k->files[i].exists)
			return k->files[i].path;
	return k->nfiles ? k->files[k->nfiles - 1].path : "";
}

const char *kubeconfig_origin(const struct kubeconfig *k, enum kubeconfig_part part,
			      struct slice name)
{
	for (size_t i = 0; i < k->nfiles; i++)
		if (kubeconfig_get(k->files[i].doc, part, name))
			return k->files[i].path;
	return NULL;
}

const char *kubeconfig_resolve(struct arena *a, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');

	if (!*path || *path == '/' || !slash)
		return path;
	return arena_printf(a, "%.*s/%s", (int)(slash - file), file, path);
}

/* ---- one file over the other ---- */

static void merge_part(struct arena *a, const struct kubeconfig_file *files, size_t n,
		       enum kubeconfig_part part, struct doc *config)
{
	const char *name = kubeconfig_part_names[part].list;
	struct doc *out = doc_new_array(a);

	for (size_t i = 0; i < n; i++)
		DOC_EACH (e, doc_get(files[i].doc, name))
			if (!kubeconfig_entry(out, doc_slice(doc_get(e, "name"))))
				doc_append(a, out, *e);
	kubeconfig_sort(out);
	if (out)
		doc_add(a, config, slice_str(name), *out);
}

struct doc *kubeconfig_merge(struct arena *a, const struct kubeconfig_file *files, size_t n)
{
	struct slice current = SLICE("");
	const struct doc *from = NULL;
	struct doc *c;

	for (size_t i = 0; i < n; i++) {
		if (!current.n)
			current = kubeconfig_current(files[i].doc);
		if (!from && doc_len(doc_get(files[i].doc, "preferences")))
			from = files[i].doc;
	}
	c = start(a, from);
	merge_part(a, files, n, KUBECONFIG_CLUSTER, c);
	merge_part(a, files, n, KUBECONFIG_USER, c);
	merge_part(a, files, n, KUBECONFIG_CONTEXT, c);
	doc_set_strn(a, c, "current-context", current.n ? current.p : "", current.n);
	for (size_t i = 0; i < n; i++) {
		const struct doc *extensions = doc_get(files[i].doc, "extensions");

		if (extensions && !doc_get(c, "extensions"))
			doc_add(a, c, SLICE("extensions"), *extensions);
	}
	return c;
}

/* ---- files ---- */

int kubeconfig_read_file(struct arena *a, struct kubeconfig_file *f, struct err *err)
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(KUBECONFIG_FILE_MAX);
	const char *text;
	int r = fd_read_file(AT_FDCWD, f->path, &b, err);

	f->exists = r == 0;
	if (r == -ERR_NOT_FOUND) {
		if (err)
			*err = ERR_INIT;
		b.n = 0;
	} else if (r < 0) {
		return err_wrap(err, "error loading config file \"%s\"", f->path);
	}
	text = arena_strndup(a, buf_str(&b), b.n);
	if (!text)
		return arena_quota(a, err);
	r = kubeconfig_read(a, slice_of(text, b.n), &f->doc, err);
	return r < 0 ? err_wrap(err, "error loading config file \"%s\"", f->path) : 0;
}

/* Our file may be named relative to where we are: paths in it are told from the root. */
static const char *absolute(struct arena *a, const char *path)
{
	char cwd[PATH_MAX];

	if (*path == '/' || !getcwd(cwd, sizeof(cwd)))
		return arena_strdup(a, path);
	return arena_printf(a, "%s/%s", cwd, path);
}

static int add_file(struct kubeconfig *k, const char *path, struct err *err)
{
	struct kubeconfig_file *f = &k->files[k->nfiles];

	f->path = path;
	if (!path)
		return arena_quota(k->arena, err);
	k->nfiles++;
	return kubeconfig_read_file(k->arena, f, err);
}

int kubeconfig_load(struct arena *a, const struct kubeconfig_places *places, struct kubeconfig *ret,
		    struct err *err)
{
	struct kubeconfig k = { .arena = a };
	struct slice rest = slice_str(places->list);
	int r = 0;

	k.files = ARENA_ARRAY(a, struct kubeconfig_file, KUBECONFIG_FILES_MAX);
	if (!k.files)
		return arena_quota(a, err);
	if (places->given && *places->given) {
		k.given = true;
		r = add_file(&k, absolute(a, places->given), err);
	} else if (rest.n) {
		while (rest.p && r == 0) {
			struct slice one = slice_split(&rest, ':');

			if (!one.n)
				continue;
			if (k.nfiles == KUBECONFIG_FILES_MAX)
				return err_set(err, ERR_TOO_LARGE, "KUBECONFIG: more than %d files",
					       KUBECONFIG_FILES_MAX);
			r = add_file(&k, arena_strndup(a, one.p, one.n), err);
		}
	} else if (places->home && *places->home) {
		r = add_file(&k, arena_printf(a, "%s/.kube/config", places->home), err);
	}
	if (r < 0)
		return r;
	k.merged = kubeconfig_merge(a, k.files, k.nfiles);
	if (arena_exceeded(a))
		return arena_quota(a, err);
	*ret = k;
	return 0;
}
