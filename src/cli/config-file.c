/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config-file.h"

#include "base/arena.h"
#include "base/cmd.h"
#include "base/err.h"
#include "base/fd.h"
#include "doc/doc.h"
#include "doc/yaml.h"

#include <fcntl.h>
#include <string.h>

#define FILE_MAX (1u << 20)

struct words {
	char **v;
	int n;
	size_t max;
};

static size_t count(const struct doc *d)
{
	size_t n = 0;

	DOC_EACH_MEMBER (key, value, d)
		n += MAX(doc_len_of(value, DOC_ARRAY), (size_t)1);
	return n;
}

/* "--name=value" for a value of one line. */
static int add_word(struct cmd_call *call, struct words *w, const char *name,
		    const struct doc *value, struct err *err)
{
	char *word = NULL;

	if (doc_is(value, DOC_BOOL))
		word = arena_printf(call->arena, "--%s=%s", name, value->n ? "true" : "false");
	else if (doc_is(value, DOC_STRING) || doc_is(value, DOC_NUMBER))
		word = arena_printf(call->arena, "--%s=%.*s", name, (int)value->n, value->s);
	else
		return err_set(err, ERR_INVALID,
			       "%s: must be a text, a number or a boolean, not %s", name,
			       doc_type_name(value));
	if (!word)
		return arena_quota(call->arena, err);
	w->v[w->n++] = word;
	return 0;
}

static const struct opt *find(const struct cmd *cmd, const char *name)
{
	for (const struct opt *o = cmd->opts; o->type != OPT_T_END; o++)
		if (strcmp(o->name, name) == 0 && strcmp(name, "config") != 0)
			return o;
	return NULL;
}

static int add_member(struct cmd_call *call, struct words *w, const struct doc *key,
		      const struct doc *value, struct err *err)
{
	const char *name = doc_cstr(call->arena, key);
	const struct opt *o = name ? find(call->cmd, name) : NULL;
	int r = 0;

	if (!o)
		return err_set(err, ERR_INVALID, "'%.100s' is no flag of `teu %s`",
			       name ? name : "", call->cmd->path);
	if (!doc_is(value, DOC_ARRAY))
		return add_word(call, w, name, value, err);
	if (o->type != OPT_T_LIST)
		return err_set(err, ERR_INVALID, "%s: takes one value, not a list", name);
	DOC_EACH (one, value)
		if (r == 0)
			r = add_word(call, w, name, one, err);
	return r;
}

static size_t size_of(const struct opt *o)
{
	switch (o->type) {
	case OPT_T_BOOL: return sizeof(bool);
	case OPT_T_LIST: return sizeof(struct opt_list);
	case OPT_T_FLOAT: return sizeof(double);
	case OPT_T_STR:
	case OPT_T_ENUM: return sizeof(const char *);
	default: return sizeof(int64_t);
	}
}

/* What the command line has given is not zero, or was noted as seen. */
static bool is_given(const struct opt *o, const char *opts)
{
	static const char zero[sizeof(struct opt_list)];

	if (o->seen != SIZE_MAX)
		return *(const bool *)(const void *)(opts + o->seen);
	return memcmp(opts + o->offset, zero, size_of(o)) != 0;
}

static void merge(struct cmd_call *call, const char *file)
{
	char *opts = call->opts;

	for (const struct opt *o = call->cmd->opts; o->type != OPT_T_END; o++) {
		if ((o->flags & OPT_REFUSED) || is_given(o, opts))
			continue;
		memcpy(opts + o->offset, file + o->offset, size_of(o));
		if (o->seen != SIZE_MAX)
			memcpy(opts + o->seen, file + o->seen, sizeof(bool));
	}
}

static int read_file(struct cmd_call *call, const char *path, struct doc **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);
	const char *text;

	if (fd_read_file(AT_FDCWD, path, &b, err) < 0)
		return err_ret(err);
	text = arena_strndup(call->arena, buf_str(&b), b.n);
	if (!text)
		return arena_quota(call->arena, err);
	if (yaml_read(call->arena, slice_of(text, b.n), NULL, ret, err) < 0)
		return err_ret(err);
	return doc_is(*ret, DOC_OBJECT) || doc_is(*ret, DOC_NULL)
		       ? 0
		       : err_set(err, ERR_INVALID, "must be a map of flags, not %s",
				 doc_type_name(*ret));
}

int config_file_read(struct cmd_call *call, const char *path, struct err *err)
{
	struct words w = { 0 };
	struct doc *d;
	char *file;
	int r;

	if (read_file(call, path, &d, err) < 0)
		return err_wrap(err, "--config %s", path);
	w.v = ARENA_ARRAY(call->arena, char *, count(d) + 1);
	file = arena_alloc(call->arena, call->cmd->opts_size);
	if (!w.v || !file)
		return arena_quota(call->arena, err);
	r = 0;
	DOC_EACH_MEMBER (key, value, d)
		if (r == 0)
			r = add_member(call, &w, key, value, err);
	if (r == 0)
		r = cmd_parse_opts(call->arena, call->cmd->opts, file, false, &w.n, &w.v, err);
	if (r != 0)
		return err_wrap(err, "--config %s", path);
	merge(call, file);
	return 0;
}
