/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `teu import` and `teu load`: a tar goes up as it is read, the engine's messages come down
 * meanwhile. A bar shows the bytes that have left us.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/progress.h"
#include "cli/term.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"
#include "linux/sys.h"

struct upload {
	int fd; /* 0 or our own */
	const char *name;
	bool quiet;
	struct progress bar;
	struct docker_messages messages;
};

static int open_input(struct upload *u, const char *path, struct err *err)
{
	struct stat st;

	u->name = path;
	if (strcmp(path, "-") != 0) {
		u->fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		if (u->fd < 0)
			return err_sys(err, "open '%s'", path);
	}
	if (fstat(u->fd, &st) < 0)
		return err_sys(err, "look at '%s'", path);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is a directory: give a tar of it", path);
	if (u->fd == 0 && term_is(0))
		return err_set(err, ERR_INVALID,
			       "requested load from stdin, but stdin is empty; give a file or a "
			       "pipe");
	u->bar.total = S_ISREG(st.st_mode) ? st.st_size : 0;
	return 0;
}

static ssize_t produce(void *arg, char *p, size_t cap, struct err *err)
{
	struct upload *u = arg;
	ssize_t n;

	do
		n = sys_read(u->fd, p, cap);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, "read '%s'", u->name);
	progress_add(&u->bar, n);
	return n;
}

/* What load says of each image, and import of the result. */
static int on_message(void *arg, const struct doc *msg, struct slice line, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(DOCKER_MESSAGE_MAX + 64);
	struct upload *u = arg;
	struct slice text = doc_slice(doc_get(msg, "stream"));
	bool progress = doc_get(msg, "progressDetail") != NULL;

	(void)line;
	if (!text.n && !progress)
		text = doc_slice(doc_get(msg, "status"));
	if (!text.n || progress)
		return 0;
	progress_end(&u->bar);
	buf_add(&out, text.p, text.n);
	if (text.p[text.n - 1] != '\n')
		buf_addc(&out, '\n');
	return cli_write(1, &out, err);
}

static int consume(void *arg, struct slice bytes, struct err *err)
{
	struct upload *u = arg;

	return docker_messages_feed(&u->messages, bytes, on_message, u, err);
}

static int send_file(struct cmd_call *call, const char *path, const char *target, const char *what,
		     struct err *err)
{
	struct upload u = { .messages = DOCKER_MESSAGES_INIT };
	struct docker_request rq = { .method = "POST",
				     .target = target,
				     .produce = produce,
				     .length = -1,
				     .content_type = "application/x-tar",
				     .consume = consume,
				     .arg = &u };
	struct docker_client *c;
	int64_t total;
	int r;

	r = open_input(&u, path, err);
	total = u.bar.total;
	progress_begin(&u.bar, what, total, r == 0);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_call(c, call->arena, &rq, NULL, err);
	progress_end(&u.bar);
	docker_messages_fini(&u.messages);
	if (u.fd > 0)
		fd_close(u.fd);
	return r;
}

/* ---- import ---- */

struct import_opts {
	struct opt_list change;
	const char *message, *platform;
};

static const struct opt import_opts[] = { OPT(struct import_opts, LIST, change, "change", 'c',
					      "Apply a Dockerfile instruction to the image"),
					  OPT(struct import_opts, STR, message, "message", 'm',
					      "Set a message in its history"),
					  OPT(struct import_opts, STR, platform, "platform", 0,
					      "Platform of the image, OS[/ARCH[/VARIANT]]"),
					  OPT_END };

static const char *import_target(struct cmd_call *call)
{
	const struct import_opts *o = call->opts;
	struct arena *a = call->arena;
	const char *repo = NULL, *tag = NULL;
	const char *target;

	if (call->nargs > 1)
		cli_split_name(a, call->args[1], &repo, &tag);
	target = docker_target(a, "/images/create", "fromSrc", "-", "repo", repo, "tag", tag,
			       "message", o->message, "platform", o->platform, NULL);
	return cli_add_queries(a, target, "changes", &o->change);
}

static int import_run(struct cmd_call *call, struct err *err)
{
	const char *src = call->args[0];

	if (strstr(src, "://"))
		return err_set(err, ERR_UNSUPPORTED,
			       "import from the address '%.300s' is not supported yet: fetch the "
			       "file first, or pipe it to 'import -'",
			       src);
	return send_file(call, src, import_target(call), "Importing", err);
}

static const char *const import_names[] = { "image import", NULL };

const struct cmd cmd_import = {
	.path = "import",
	.aliases = import_names,
	.args = "[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
	.help = "Import a tar of a root filesystem as an image",
	.opts = import_opts,
	.opts_size = sizeof(struct import_opts),
	.min = 1,
	.max = 2,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = import_run,
};

/* ---- load ---- */

struct load_opts {
	const char *input;
	struct opt_list platforms;
	bool quiet;
};

static const struct opt load_opts[] = {
	OPT(struct load_opts, STR, input, "input", 'i', "Read this file, not STDIN"),
	OPT(struct load_opts, LIST, platforms, "platform", 0,
	    "Of an index the image for OS/ARCH[/VARIANT]"),
	OPT(struct load_opts, BOOL, quiet, "quiet", 'q', "No progress from the engine"), OPT_END
};

static int load_run(struct cmd_call *call, struct err *err)
{
	const struct load_opts *o = call->opts;
	bool quiet = o->quiet || !term_is(1);
	const char *target =
		docker_target(call->arena, "/images/load", "quiet", quiet ? "1" : "0", NULL);
	int r = cli_add_platforms(call->arena, "platform", &o->platforms, &target, err);

	return r < 0 ? r : send_file(call, o->input ? o->input : "-", target, "Loading", err);
}

static const char *const load_names[] = { "image load", NULL };

const struct cmd cmd_load = {
	.path = "load",
	.aliases = load_names,
	.args = "[OPTIONS]",
	.help = "Load images from a docker or OCI archive",
	.opts = load_opts,
	.opts_size = sizeof(struct load_opts),
	.max = 0,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = load_run,
};
