/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --mount. One row per key; a quoted part ("a,b") may hold commas, as in CSV. Kinds of mounts that
 * the engine does not know (volume, image) are left to it to refuse by name.
 */
#include "cli/mount-opt.h"

#include "base/arena.h"
#include "base/cmd.h"
#include "base/err.h"
#include "doc/doc.h"

struct parse {
	struct arena *a;
	struct doc *mount;
	const char *text;
	struct err *err;
};
typedef int key_fn(struct parse *p, const char *field, struct slice v);

static int invalid(struct parse *p, const char *why)
{
	return err_set(p->err, ERR_INVALID, "invalid argument \"%.300s\" for --mount: %s", p->text,
		       why);
}

/* "Readonly" or "BindOptions.Propagation". */
static void set(struct parse *p, const char *field, struct doc v)
{
	const char *dot = strchr(field, '.');
	struct slice parent = slice_of(field, dot ? (size_t)(dot - field) : 0);
	struct doc *obj = p->mount;

	if (dot) {
		obj = doc_getn(p->mount, parent);
		if (!obj)
			obj = doc_setn(p->a, p->mount, parent, doc_object());
	}
	doc_set(p->a, obj, dot ? dot + 1 : field, v);
}

static int put_text(struct parse *p, const char *field, struct slice v)
{
	if (!v.n)
		return invalid(p, "a part has no value");
	set(p, field, doc_strn(p->a, v.p, v.n));
	return 0;
}

static int put_bool(struct parse *p, const char *field, struct slice v)
{
	bool on = !v.p || slice_is(v, "true") || slice_is(v, "1");

	if (!on && !slice_is(v, "false") && !slice_is(v, "0"))
		return invalid(p, "a flag is true or false");
	set(p, field, doc_bool(on));
	return 0;
}

static int put_size(struct parse *p, const char *field, struct slice v)
{
	int64_t n;

	if (cmd_parse_size(v, &n, NULL) < 0)
		return invalid(p, "tmpfs-size is a size such as 64m");
	set(p, field, doc_int(p->a, n));
	return 0;
}

static int put_mode(struct parse *p, const char *field, struct slice v)
{
	uint32_t mode;

	if (str_octal(v, &mode, NULL) < 0 || mode > 07777)
		return invalid(p, "tmpfs-mode is octal such as 1770");
	set(p, field, doc_int(p->a, mode));
	return 0;
}

/* Docker 25's word for three flags. */
static int put_recursive(struct parse *p, const char *field, struct slice v)
{
	(void)field;
	if (slice_is(v, "disabled"))
		set(p, "BindOptions.NonRecursive", doc_bool(true));
	else if (slice_is(v, "writable"))
		set(p, "BindOptions.ReadOnlyNonRecursive", doc_bool(true));
	else if (slice_is(v, "readonly"))
		set(p, "BindOptions.ReadOnlyForceRecursive", doc_bool(true));
	else if (!slice_is(v, "enabled"))
		return invalid(p, "bind-recursive is enabled, disabled, writable or readonly");
	return 0;
}

static int put_refused(struct parse *p, const char *field, struct slice v)
{
	(void)v;
	return err_set(p->err, ERR_UNSUPPORTED, "--mount '%.300s': %s is not supported yet",
		       p->text, field);
}

static const struct {
	const char *key, *field;
	key_fn *fn;
} keys[] = {
	{ "type", "Type", put_text },
	{ "source", "Source", put_text },
	{ "src", "Source", put_text },
	{ "target", "Target", put_text },
	{ "dst", "Target", put_text },
	{ "destination", "Target", put_text },
	{ "readonly", "ReadOnly", put_bool },
	{ "ro", "ReadOnly", put_bool },
	{ "consistency", "Consistency", put_text },
	{ "bind-propagation", "BindOptions.Propagation", put_text },
	{ "bind-nonrecursive", "BindOptions.NonRecursive", put_bool },
	{ "bind-create-src", "BindOptions.CreateMountpoint", put_bool },
	{ "bind-recursive", NULL, put_recursive },
	{ "tmpfs-size", "TmpfsOptions.SizeBytes", put_size },
	{ "tmpfs-mode", "TmpfsOptions.Mode", put_mode },
	{ "volume-driver", "volume-driver", put_refused },
	{ "volume-label", "volume-label", put_refused },
	{ "volume-nocopy", "volume-nocopy", put_refused },
	{ "volume-opt", "volume-opt", put_refused },
	{ "volume-subpath", "volume-subpath", put_refused },
	{ "image-subpath", "image-subpath", put_refused },
};

static int one_part(struct parse *p, struct slice part)
{
	struct slice value = part, key = slice_split(&value, '=');

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (slice_ieq(key, slice_str(keys[i].key)))
			return keys[i].fn(p, keys[i].field, value);
	return err_set(p->err, ERR_INVALID,
		       "invalid argument \"%.300s\" for --mount: unexpected key '%.*s'", p->text,
		       (int)MIN(key.n, (size_t)100), key.p);
}

int mount_opt_parse(struct arena *a, const char *text, struct doc *mount, struct err *err)
{
	struct parse p = { a, mount, text, err };
	char *part = arena_strdup(a, text);
	const char *s = text;
	int r;

	if (!part)
		return arena_quota(a, err);
	while (*s) {
		bool quoted = false;
		size_t n = 0;

		for (; *s && (quoted || *s != ','); s++) {
			if (*s == '"')
				quoted = !quoted;
			else
				part[n++] = *s;
		}
		if (quoted)
			return invalid(&p, "a quote is not closed");
		if (*s)
			s++;
		r = one_part(&p, slice_of(part, n));
		if (r < 0)
			return r;
	}
	if (!doc_get(mount, "Type"))
		doc_set_str(a, mount, "Type", "volume");
	if (!doc_get(mount, "Target"))
		return invalid(&p, "target is required");
	return 0;
}
