/* SPDX-License-Identifier: Apache-2.0 */
/* `teu save` and `teu export`: an archive of the engine's, into a file that appears whole or to
 * standard output; `commit` and `diff`. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/progress.h"
#include "cli/term.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"
#include "linux/sys.h"

#include <stdio.h>
#include <string.h>

/* ---- a body into a file ---- */

struct download {
	const char *path; /* NULL = standard output */
	char *temp;	  /* beside it, until it is whole; NULL = written as it is */
	int fd;
	struct progress bar;
};

static int begin(struct download *d, struct arena *a, const char *path, struct err *err)
{
	struct stat st;
	char random[17];

	d->path = path;
	d->fd = 1;
	if (!path && term_is(1))
		return err_set(err, ERR_INVALID,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect");
	if (!path)
		return 0;
	if (sys_fstatat(AT_FDCWD, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "invalid output path: '%s' is a directory", path);
	random_hex(random, 16);
	if (sys_fstatat(AT_FDCWD, path, &st, 0) < 0 || S_ISREG(st.st_mode))
		d->temp = arena_printf(a, "%s.%s", path, random);
	/* As docker: nobody else reads an image that was saved. */
	d->fd = d->temp ? sys_openat(AT_FDCWD, d->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				     0600)
			: sys_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
	if (d->fd < 0) {
		d->temp = NULL;
		return err_sys(err, "make the file '%s'", path);
	}
	return 0;
}

static int take(void *arg, struct slice bytes, struct err *err)
{
	struct download *d = arg;

	if (fd_write_all(d->fd, bytes.p, bytes.n) < 0)
		return err_sys(err, "write to '%s'", d->path ? d->path : "standard output");
	progress_add(&d->bar, (int64_t)bytes.n);
	return 0;
}

static int finish(struct download *d, int r, struct err *err)
{
	progress_end(&d->bar);
	if (r >= 0 && d->temp && sys_fsync(d->fd) < 0)
		r = err_sys(err, "write to '%s'", d->path);
	if (d->fd > 2)
		fd_close(d->fd);
	if (r >= 0 && d->temp && sys_renameat(AT_FDCWD, d->temp, AT_FDCWD, d->path) < 0)
		r = err_sys(err, "name the file '%s'", d->path);
	if (r < 0 && d->temp)
		(void)sys_unlinkat(AT_FDCWD, d->temp, 0); /* the error counts */
	return r < 0 ? r : 0;
}

static int fetch(struct cmd_call *call, const char *target, const char *path, const char *what,
		 struct err *err)
{
	struct download d = { .fd = -1 };
	struct docker_request rq = { .target = target, .consume = take, .arg = &d };
	struct docker_client *c;
	int r;

	if (!target)
		return arena_quota(call->arena, err);
	r = begin(&d, call->arena, path, err);
	if (r < 0)
		return r;
	progress_begin(&d.bar, what, 0, path != NULL);
	r = cli_client(call, &c, err);
	if (r >= 0)
		r = docker_call(c, call->arena, &rq, NULL, err);
	return finish(&d, r, err);
}

/* ---- save ---- */

struct save_opts {
	const char *output;
	struct opt_list platforms;
};

static const struct opt save_opts[] = { OPT(struct save_opts, STR, output, "output", 'o',
					    "Write to this file, not to STDOUT"),
					OPT(struct save_opts, LIST, platforms, "platform", 0,
					    "Only the images for these, OS/ARCH[/VARIANT]"),
					OPT_END };

static int save_run(struct cmd_call *call, struct err *err)
{
	const struct save_opts *o = call->opts;
	struct arena *a = call->arena;
	const struct opt_list names = { (const char **)call->args, call->nargs };
	const char *target;
	int r;

	target = cli_add_queries(a, "/images/get", "names", &names);
	r = target ? cli_add_platforms(a, "platform", &o->platforms, &target, err) : 0;
	return r < 0 ? r : fetch(call, target, o->output, "Saving", err);
}

static const char *const save_names[] = { "image save", NULL };

const struct cmd cmd_save = {
	.path = "save",
	.aliases = save_names,
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.help = "Save images to an archive, by default to STDOUT",
	.opts = save_opts,
	.opts_size = sizeof(struct save_opts),
	.min = 1,
	.max = UINT8_MAX,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = save_run,
};

/* ---- export ---- */

struct export_opts {
	const char *output;
};

static const struct opt export_opts[] = { OPT(struct export_opts, STR, output, "output", 'o',
					      "Write to this file, not to STDOUT"),
					  OPT_END };

static int export_run(struct cmd_call *call, struct err *err)
{
	const struct export_opts *o = call->opts;

	return fetch(call, docker_target(call->arena, "/containers/%/export", call->args[0], NULL),
		     o->output, "Exporting", err);
}

static const char *const export_names[] = { "container export", NULL };

const struct cmd cmd_export = {
	.path = "export",
	.aliases = export_names,
	.args = "[OPTIONS] CONTAINER",
	.help = "Export a container's filesystem as a tar, by default to STDOUT",
	.opts = export_opts,
	.opts_size = sizeof(struct export_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_CONTAINERS,
	.run = export_run,
};

/* ---- commit ---- */

struct commit_opts {
	const char *author, *message;
	struct opt_list change;
	bool pause, pause_given;
};

static const struct opt commit_opts[] = {
	OPT(struct commit_opts, STR, author, "author", 'a', "Author, \"NAME <MAIL>\""),
	OPT(struct commit_opts, LIST, change, "change", 'c',
	    "Apply a Dockerfile instruction to the image"),
	OPT(struct commit_opts, STR, message, "message", 'm', "Set a message in its history"),
	OPT_SEEN_AT(struct commit_opts, BOOL, pause, pause_given, "pause", 'p',
		    "Hold the container meanwhile (default true)"),
	OPT_END
};

static int commit_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(4096);
	const struct commit_opts *o = call->opts;
	const char *repo = NULL, *tag = NULL, *target;
	struct arena *a = call->arena;
	struct docker_client *c;
	struct doc *answer = NULL;
	int r;

	if (call->nargs > 1)
		cli_split_name(a, call->args[1], &repo, &tag);
	target = docker_target(a, "/commit", "container", call->args[0], "repo", repo, "tag", tag,
			       "author", o->author, "comment", o->message, "pause",
			       o->pause_given && !o->pause ? "0" : "1", NULL);
	target = cli_add_queries(a, target, "changes", &o->change);
	if (!target)
		return arena_quota(a, err);
	r = cli_client(call, &c, err);
	if (r >= 0)
		r = docker_post(c, a, target, NULL, &answer, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", cli_text(a, answer, "Id"));
	return cli_write(1, &out, err);
}

static const char *const commit_names[] = { "container commit", NULL };

const struct cmd cmd_commit = {
	.path = "commit",
	.aliases = commit_names,
	.args = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	.help = "Make an image of what a container changed",
	.opts = commit_opts,
	.opts_size = sizeof(struct commit_opts),
	.min = 1,
	.max = 2,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_CONTAINERS,
	.run = commit_run,
};

/* ---- diff ---- */

static int diff_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	struct arena *a = call->arena;
	struct docker_client *c;
	struct doc *list = NULL;
	int r;

	r = cli_client(call, &c, err);
	if (r >= 0)
		r = docker_get(c, a, docker_target(a, "/containers/%/changes", call->args[0], NULL),
			       &list, err);
	if (r < 0)
		return r;
	DOC_EACH (it, list) {
		int64_t kind = cli_int(it, "Kind");
		struct slice path = doc_slice(doc_get(it, "Path"));

		buf_addf(&out, "%c %.*s\n",
			 kind == 1   ? 'A'
			 : kind == 2 ? 'D'
				     : 'C',
			 (int)path.n, path.p ? path.p : "");
	}
	return cli_write(1, &out, err);
}

static const char *const diff_names[] = { "container diff", NULL };

const struct cmd cmd_diff = {
	.path = "diff",
	.aliases = diff_names,
	.args = "CONTAINER",
	.help = "Show what a container changed in its filesystem",
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_CONTAINERS,
	.run = diff_run,
};
