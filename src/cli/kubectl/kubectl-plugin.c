/* SPDX-License-Identifier: Apache-2.0 */
/* Programs named kubectl-* on PATH: `kubectl plugin list`, and their run; `kubectl options`. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-plugin.h"
#include "doc/doc.h"
#include "linux/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "kubectl-"
#define WORDS_MAX 64

/* ---- running one ---- */

static bool runs(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

static const char *find_program(struct arena *a, const char *name)
{
	for (struct slice rest = slice_str(getenv("PATH")); rest.p;) {
		struct slice dir = slice_split(&rest, ':');
		const char *path =
			dir.n ? arena_printf(a, "%.*s/%s", (int)dir.n, dir.p, name) : NULL;

		if (path && runs(path))
			return path;
	}
	return NULL;
}

const char *kubectl_plugin_find(struct arena *a, char **words, size_t n, size_t *used)
{
	for (n = MIN(n, (size_t)WORDS_MAX); n; n--) {
		char *name = arena_strdup(a, "kubectl");
		const char *path;

		for (size_t i = 0; i < n && name; i++) {
			char *word = arena_strdup(a, words[i]);

			for (char *c = word; c && *c; c++)
				*c = (char)(*c == '-' ? '_' : *c);
			name = word ? arena_printf(a, "%s-%s", name, word) : NULL;
		}
		path = name && !strchr(name, '/') ? find_program(a, name) : NULL;
		*used = n;
		if (path)
			return path;
	}
	return NULL;
}

int kubectl_plugin_run(struct kubectl *k, int argc, char **argv, struct err *err)
{
	size_t n = 0, used;
	const char *path;
	char **args;

	while ((int)n + 1 < argc && argv[n + 1][0] != '-')
		n++;
	if (!n)
		return err_set(err, ERR_BAD_REQUEST,
			       "flags cannot be placed before plugin name: %s", argv[1]);
	path = kubectl_plugin_find(k->arena, argv + 1, n, &used);
	if (!path)
		return 0;
	args = ARENA_ARRAY(k->arena, char *, (size_t)argc + 1);
	if (!args)
		return arena_quota(k->arena, err);
	args[0] = (char *)path;
	memcpy(args + 1, argv + 1 + used, ((size_t)argc - 1 - used) * sizeof(*args));
	sys_execveat(AT_FDCWD, path, args, environ, 0);
	return err_sys(err, "run '%s'", path);
}

/* ---- listing them ---- */

struct plugin_opts {
	bool name_only;
};
static const struct opt plugin_opts[] = {
	OPT(struct plugin_opts, BOOL, name_only, "name-only", 0, "Without their folders"), OPT_END
};

struct listing {
	struct kubectl *k;
	bool name_only;
	size_t warnings;
	struct doc *paths; /* all of them, in order */
	struct doc *names; /* of each its first path */
};

static void warn(struct listing *l, const char *fmt, ...) PRINTF(2, 3);
static void warn(struct listing *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_adds(&l->k->errors, "  - warning: ");
	buf_addv(&l->k->errors, fmt, ap);
	buf_addc(&l->k->errors, '\n');
	va_end(ap);
	l->warnings++;
}

/* A command of ours goes before a program of its name: which. */
static void warn_of_command(struct listing *l, const char *name)
{
	struct cmd_program prog = kubectl_program();
	const char *word = name + strlen(PREFIX);
	const size_t n = strcspn(word, "-");

	for (size_t i = 0; i < prog.ncmds; i++) {
		const char *path = prog.cmds[i]->path;

		if (strncmp(path, word, n) == 0 && (!path[n] || path[n] == ' ')) {
			warn(l, "%s overwrites existing command: \"kubectl %.*s\"", name, (int)n,
			     word);
			return;
		}
	}
}

/* Its warnings stand behind it, on a terminal. */
static void list_one(struct listing *l, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const struct doc *other;

	buf_addf(&l->k->out, "%s\n", l->name_only ? name : path);
	if (!runs(path))
		warn(l, "%s identified as a kubectl plugin, but it is not executable", path);
	other = doc_get(l->names, name);
	if (other)
		warn(l, "%s is overshadowed by a similarly named plugin: %.*s", path, (int)other->n,
		     other->s);
	else
		doc_set_str(l->k->arena, l->names, name, path);
	warn_of_command(l, name);
	kubectl_show(l->k);
}

/* dir/name as Go joins them: no part is empty or ".", and ".." takes one away. In the arena. */
static const char *join(struct arena *a, const char *dir, const char *name)
{
	const size_t n = strlen(dir) + strlen(name) + 2;
	const bool whole = *dir == '/';
	char *path = arena_alloc(a, n), *end = path, *last;

	if (!path)
		return NULL;
	for (struct slice rest = slice_str(arena_printf(a, "%s/%s", dir, name)); rest.p;) {
		const struct slice part = slice_split(&rest, '/');

		*end = '\0';
		last = end > path ? strrchr(path, '/') : NULL;
		last = last ? last : path;
		if (!part.n || slice_is(part, "."))
			continue;
		if (slice_is(part, "..") && (whole || end > path) &&
		    strcmp(*last == '/' ? last + 1 : last, "..") != 0) {
			end = last;
			continue;
		}
		if (whole || end > path)
			*end++ = '/';
		memcpy(end, part.p, part.n);
		end += part.n;
	}
	*end = '\0';
	return path;
}

static void list_folder(struct listing *l, const char *dir)
{
	struct dirent **v;
	int n = scandir(dir, &v, NULL, alphasort);

	if (n < 0) {
		buf_addf(&l->k->errors,
			 "Unable to read directory \"%s\" from your PATH: %s %s: %s. Skipping...\n",
			 dir, errno == ENOTDIR ? "readdirent" : "open", dir, kubectl_why(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		const char *name = v[i]->d_name, *path = join(l->k->arena, dir, name);

		if (path && v[i]->d_type != DT_DIR && strncmp(name, PREFIX, strlen(PREFIX)) == 0)
			(void)doc_append_str(l->k->arena, l->paths, path);
		free(v[i]);
	}
	free(v);
}

static int plugin_run(struct cmd_call *call, struct err *err)
{
	const struct plugin_opts *o = call->opts;
	struct kubectl *k = kubectl_of(call);
	struct listing l = { .k = k,
			     .name_only = o->name_only,
			     .names = doc_new_object(k->arena),
			     .paths = doc_new_array(k->arena) };
	struct doc *seen = doc_new_object(k->arena);

	for (struct slice rest = slice_str(getenv("PATH")); rest.p;) {
		struct slice dir = slice_split(&rest, ':');
		const char *name = arena_strndup(k->arena, dir.n ? dir.p : "", dir.n);

		if (!name || !slice_trim(dir).n || doc_get(seen, name))
			continue;
		doc_set_bool(k->arena, seen, name, true);
		list_folder(&l, name);
	}
	kubectl_show(k);
	if (arena_exceeded(k->arena))
		return arena_quota(k->arena, err);
	if (doc_len(l.paths) == 0)
		return err_set(err, ERR_NOT_FOUND,
			       "unable to find any kubectl plugins in your PATH");
	buf_adds(&k->out, "The following compatible plugins are available:\n\n");
	for (size_t i = 0; i < doc_len(l.paths); i++)
		list_one(&l, doc_cstr(k->arena, doc_at(l.paths, i)));
	if (l.warnings == 1)
		return err_set(err, ERR_CONFLICT, "one plugin warning was found");
	if (l.warnings)
		return err_set(err, ERR_CONFLICT, "%zu plugin warnings were found", l.warnings);
	return 0;
}

const struct cmd kubectl_plugin_list = {
	.path = "plugin list",
	.args = "[OPTIONS]",
	.help = "Print the programs named kubectl-* on PATH",
	.details = "kubectl NAME runs kubectl-NAME when there is no such command.",
	.opts = plugin_opts,
	.opts_size = sizeof(struct plugin_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_OTHER,
	.run = plugin_run,
};

/* ---- options ---- */

static int options_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct cmd_program prog = kubectl_program();

	(void)err;
	buf_adds(&k->out, "These options go with every command:\n\n");
	for (const struct opt *o = prog.global_opts; o->type != OPT_T_END; o++) {
		char letter[8] = "    ";

		if (o->flags & OPT_REFUSED)
			continue;
		if (o->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		buf_addf(&k->out, "  %s--%-26s %s\n", letter, o->name, o->help);
	}
	return 0;
}

const struct cmd kubectl_options = {
	.path = "options",
	.help = "Print the options that go with every command",
	.max = UINT8_MAX,
	.group = KUBECTL_OTHER,
	.run = options_run,
};
