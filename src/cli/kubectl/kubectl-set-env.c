/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl set env`: variables of containers. */
#include "cli/kubectl/kubectl-change.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

#include <ctype.h>

#define STDIN_MAX (1u << 20)

struct env_opts {
	struct change_opts change;
	struct opt_list envs, keys;
	const char *containers, *from, *prefix;
	bool list, overwrite, overwrite_given;
};
static const struct opt env_opts[] = {
	CHANGE_ROWS(struct env_opts, change, "kubectl-set"),
	KUBECTL_DRY_ROW(struct env_opts, change.dry),
	CHANGE_ALL_ROW(struct env_opts, change),
	OPT(struct env_opts, STR, containers, "containers", 'c',
	    "Only containers of this name, * for some letters"),
	OPT(struct env_opts, LIST, envs, "env", 'e', "NAME=VALUE, NAME-; repeated"),
	OPT(struct env_opts, STR, from, "from", 0, "All keys of secret/NAME or configmap/NAME"),
	OPT(struct env_opts, LIST, keys, "keys", 0, "With --from: only these"),
	OPT(struct env_opts, BOOL, list, "list", 0, "Print what there is"),
	OPT_SEEN_AT(struct env_opts, BOOL, overwrite, overwrite_given, "overwrite", 0,
		    "Values may take others' places (default true)"),
	OPT(struct env_opts, STR, prefix, "prefix", 0, "In front of each name"),
	OPT_NOT_SUPPORTED(BOOL, "resolve", 0, "teu kubectl prints where a value comes from"),
	CHANGE_LOCAL_ROW(struct env_opts, change),
	OPT_END
};

struct setting {
	struct changing c;
	const struct env_opts *o;
	struct doc add;	   /* entries of env */
	struct doc remove; /* names */
	const struct doc *obj;
	struct err *err; /* of the container that refused; its code is zero when none did */
};

/* ---- what is asked for ---- */

static void add_value(struct setting *s, const char *name, struct doc value, const char *member)
{
	struct doc *e = doc_append_object(s->c.k->arena, &s->add);

	doc_set_strf(s->c.k->arena, e, "name", "%s%s", s->o->prefix ? s->o->prefix : "", name);
	if (member)
		doc_set(s->c.k->arena, doc_set_object(s->c.k->arena, e, "valueFrom"), member,
			value);
	else
		doc_set(s->c.k->arena, e, "value", value);
}

static int on_line(void *arg, const char *key, struct slice value, struct err *err)
{
	struct setting *s = arg;

	(void)err;
	add_value(s, key, doc_strn(s->c.k->arena, value.n ? value.p : "", value.n), NULL);
	return 0;
}

static int add_stdin(struct setting *s, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(STDIN_MAX);
	char *room = buf_room(&b, STDIN_MAX);
	ssize_t n = room ? fd_read_full(0, room, STDIN_MAX) : -1;
	const char *copy;

	if (n < 0 || n == STDIN_MAX)
		return n < 0 ? err_sys(err, "read STDIN")
			     : err_set(err, ERR_TOO_LARGE, "STDIN: more than %u bytes", STDIN_MAX);
	copy = arena_strndup(s->c.k->arena, room, (size_t)n);
	if (!copy)
		return arena_quota(s->c.k->arena, err);
	return kubectl_env_file(s->c.k, slice_of(copy, (size_t)n), "STDIN", on_line, s, err);
}

static bool listed(const struct doc *list, struct slice name)
{
	DOC_EACH (e, list)
		if (slice_eq(doc_slice(doc_is(e, DOC_OBJECT) ? doc_get(e, "name") : e), name))
			return true;
	return false;
}

static int add_word(struct setting *s, const char *word, struct err *err)
{
	struct arena *a = s->c.k->arena;
	const char *eq = strchr(word, '=');
	size_t n = eq ? (size_t)(eq - word) : strlen(word) - 1;
	const char *name, *why;

	if (strcmp(word, "-") == 0)
		return add_stdin(s, err);
	if (!eq && word[n] != '-')
		return err_set(err, ERR_INVALID, "unknown command: %s", word);
	name = arena_strndup(a, word, n);
	if (!name)
		return arena_quota(a, err);
	why = form_env_name(slice_str(name));
	if (why)
		return err_set(err, ERR_INVALID, "\"%s\" is invalid: %s", name, why);
	if (listed(eq ? &s->remove : &s->add, slice_str(name)))
		return err_set(err, ERR_BAD_REQUEST,
			       "can not both modify and remove the same environment variable in "
			       "the same command");
	if (eq)
		add_value(s, name, doc_str(a, eq + 1), NULL);
	else
		doc_append_str(a, &s->remove, name);
	return 0;
}

static bool wanted(const struct opt_list *keys, const char *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->v[i], key) == 0)
			return true;
	return !keys->n;
}

/* Keys become names: upper case, what names cannot have is "_". */
static int add_from(struct cmd_call *call, struct setting *s, struct err *err)
{
	struct arena *a = s->c.k->arena;
	char *args[] = { (char *)s->o->from, NULL };
	struct cmd_call look = *call;
	struct kubectl_files none = { 0 };
	struct kubectl_send get = { 0 };
	struct kubectl_items items;
	struct opt_list keys;
	struct doc *obj, ref;
	bool secret;
	int r;

	look.args = args;
	look.nargs = 1;
	r = kubectl_items(&look, &none, KUBECTL_NAMES, &items, err);
	if (r == 0)
		r = kubectl_send(s->c.k, &items.v[0], &get, &obj, err);
	if (r == 0)
		r = make_commas(s->c.k, &s->o->keys, 0, &keys, err);
	if (r < 0)
		return r;
	secret = doc_str_is(doc_get(obj, "kind"), "Secret");
	if (!secret && !doc_str_is(doc_get(obj, "kind"), "ConfigMap"))
		return err_set(err, ERR_INVALID, "unsupported resource specified in --from");
	DOC_EACH_MEMBER (key, value, doc_get(obj, "data")) {
		const char *text = arena_strndup(a, key->s, key->n);
		char *name = arena_strndup(a, key->s, key->n);

		(void)value;
		if (!text || !name)
			return arena_quota(a, err);
		if (!wanted(&keys, text))
			continue;
		for (char *c = name; *c; c++)
			*c = (char)(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_');
		if (strcmp(name, text) != 0)
			buf_addf(&s->c.k->errors, "Warning: key %s transferred to %s\n", text,
				 name);
		kubectl_show(s->c.k);
		ref = doc_object();
		doc_set_str(a, &ref, "name", items.v[0].name);
		doc_set_str(a, &ref, "key", text);
		add_value(s, name, ref, secret ? "secretKeyRef" : "configMapKeyRef");
	}
	return 0;
}

/* ---- one container ---- */

static struct doc *entry(const struct doc *list, struct slice name)
{
	DOC_EACH (e, list)
		if (slice_eq(doc_slice(doc_get(e, "name")), name))
			return e;
	return NULL;
}

static void update(struct setting *s, struct doc *container)
{
	struct arena *a = s->c.k->arena;
	struct doc out = doc_array();
	const struct doc *old = doc_get(container, "env");

	DOC_EACH (e, old) {
		struct slice name = doc_slice(doc_get(e, "name"));
		const struct doc *newer = entry(&s->add, name);

		if (!listed(&s->remove, name) && !(newer && entry(&out, name)))
			doc_append(a, &out, newer ? *newer : *e);
	}
	DOC_EACH (e, &s->add)
		if (!entry(&out, doc_slice(doc_get(e, "name"))))
			doc_append(a, &out, *e);
	if (out.n)
		doc_set(a, container, "env", out);
	else
		doc_remove(container, "env");
}

static void print_source(struct setting *s, const struct doc *from, struct buf *out)
{
	static const char *const rows[][4] = {
		{ "configMapKeyRef", "configmap ", "name", "key" },
		{ "secretKeyRef", "secret ", "name", "key" },
		{ "fieldRef", "field path ", "fieldPath", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct doc *ref = doc_get(from, rows[i][0]);

		if (!ref)
			continue;
		buf_addf(out, "%s%s", rows[i][1], kubectl_text(s->c.k, ref, rows[i][2]));
		if (rows[i][3])
			buf_addf(out, ", key %s", kubectl_text(s->c.k, ref, rows[i][3]));
		return;
	}
	from = doc_get(from, "resourceFieldRef");
	buf_addf(out, "resource field %s%s%s", kubectl_text(s->c.k, from, "containerName"),
		 doc_get(from, "containerName") ? "." : "", kubectl_text(s->c.k, from, "resource"));
}

static void print_envs(struct setting *s, const struct doc *container)
{
	struct kubectl *k = s->c.k;

	buf_addf(&k->out, "# %s %s, container %s\n", kubectl_text(k, s->obj, "kind"),
		 kubectl_text(k, s->obj, "metadata.name"), kubectl_text(k, container, "name"));
	DOC_EACH (e, doc_get(container, "env")) {
		const struct doc *from = doc_get(e, "valueFrom");

		if (!from) {
			buf_addf(&k->out, "%s=%s\n", kubectl_text(k, e, "name"),
				 kubectl_text(k, e, "value"));
			continue;
		}
		buf_addf(&k->out, "# %s from ", kubectl_text(k, e, "name"));
		print_source(s, from, &k->out);
		buf_addc(&k->out, '\n');
	}
}

static void on_container(void *arg, struct doc *container)
{
	struct setting *s = arg;

	if (s->err->code)
		return;
	if (s->o->overwrite_given && !s->o->overwrite)
		DOC_EACH (e, &s->add) {
			const struct doc *old =
				entry(doc_get(container, "env"), doc_slice(doc_get(e, "name")));

			if (!old)
				continue;
			(void)err_set(s->err, ERR_CONFLICT,
				      "'%s' already has a value (%s), and --overwrite is false",
				      kubectl_text(s->c.k, e, "name"),
				      kubectl_text(s->c.k, old, "value"));
			return;
		}
	update(s, container);
	if (s->o->list)
		print_envs(s, container);
}

static int on_object(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err)
{
	struct setting *s = arg;
	const char *pattern = s->o->containers ? s->o->containers : "*";
	struct doc *spec;
	int r = set_pod_spec(&s->c, it, obj, &spec, err);

	if (r < 0)
		return r;
	s->obj = obj;
	s->err = err;
	if (!set_each_container(spec, pattern, on_container, s)) {
		buf_addf(&s->c.k->errors,
			 "Warning: %s/%s does not have any containers matching \"%s\"\n",
			 it->res->kind, it->name, pattern);
		kubectl_show(s->c.k);
		return 1;
	}
	if (err->code)
		return err_set(err, err->code, "%s %s", change_name(s->c.k, it),
			       arena_strdup(s->c.k->arena, err->msg));
	return s->o->list;
}

/* ---- the command ---- */

static int check(const struct env_opts *o, struct cmd_call *call, struct err *err)
{
	if (!call->nargs && !o->change.files.names.n)
		return err_set(err, ERR_BAD_REQUEST,
			       "one or more resources must be specified as <resource> <name> or "
			       "<resource>/<name>");
	if (o->list && o->change.form.output)
		return err_set(err, ERR_BAD_REQUEST,
			       "--list and --output may not be specified together");
	if (o->keys.n && !o->from)
		return err_set(err, ERR_BAD_REQUEST,
			       "when specifying --keys, a configmap or secret must be provided "
			       "with --from");
	return 0;
}

static int env_run(struct cmd_call *call, struct err *err)
{
	const struct env_opts *o = call->opts;
	struct setting s = { .c = { .done = "env updated",
				    .failed = "failed to patch env update to pod template:",
				    .fn = on_object },
			     .o = o,
			     .add = doc_array(),
			     .remove = doc_array() };
	struct kubectl_items items;
	char **words;
	size_t n;
	int r = change_prepare(call, &o->change, "kubectl-set", &s.c, err);

	s.c.arg = &s;
	if (r == 0)
		r = set_split(call, "environment variable", &words, &n, err);
	if (r == 0)
		r = check(o, call, err);
	for (size_t i = 0; i < o->envs.n && r == 0; i++)
		r = add_word(&s, o->envs.v[i], err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_word(&s, words[i], err);
	if (r == 0 && o->from)
		r = add_from(call, &s, err);
	if (o->change.local)
		call->nargs = 0; /* only files are looked at */
	if (r == 0)
		r = change_items(call, &o->change, KUBECTL_NAMES, &items, err);
	return r == 0 ? change_each(&s.c, &items, err) : r;
}

const struct cmd kubectl_set_env = {
	.path = "set env",
	.args = "TYPE NAME|TYPE/NAME|-f FILE NAME=VALUE... NAME-... [OPTIONS]",
	.help = "Set variables of containers",
	.opts = env_opts,
	.opts_size = sizeof(struct env_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_SETTINGS,
	.run = env_run,
};
