/* SPDX-License-Identifier: Apache-2.0 */
/* What run, create, start and attach share. */
#include "cli/joint.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/pull.h"
#include "cli/run-opts.h"
#include "cli/term.h"
#include "doc/doc.h"
#include "image/image.h"
#include "linux/sys.h"

/* ---- create ---- */

static int cidfile_open(const char *path, int *ret_fd, struct err *err)
{
	*ret_fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (*ret_fd >= 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, "--cidfile '%s'", path);
	return err_set(err, ERR_EXISTS,
		       "container ID file found, make sure the other container isn't running or "
		       "delete %s",
		       path);
}

static void print_warnings(const struct doc *answer)
{
	DOC_EACH (w, doc_get(answer, "Warnings")) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);
		struct slice s = doc_slice(w);

		buf_addf(&b, "WARNING: %.*s\n", (int)MIN(s.n, (size_t)4000), s.p);
		(void)fd_write_all(2, buf_str(&b), b.n); /* only a warning */
	}
}

/* The image is not here, or is wanted anew. */
static int pull(struct cmd_call *call, const struct run_opts *o, struct err *err)
{
	struct pull_request rq = {
		.ref = call->args[0], .platform = o->platform, .quiet = o->quiet, .fd = 2
	};
	int r = pull_lazy(o->lazy, o->lazy_early, &rq.lazy, err);

	if (r >= 0)
		r = pull_image(call, &rq, err);
	return MIN(r, 0);
}

static void say_absent(const char *ref)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(2048);
	char text[IMAGE_NAME_TEXT_MAX];
	struct image_name n;

	if (image_name_parse(ref, &n, NULL) < 0)
		return;
	image_name_default_tag(&n);
	buf_addf(&b, "Unable to find image '%s' locally\n", image_name_familiar(&n, text));
	(void)fd_write_all(2, buf_str(&b), b.n); /* only decoration */
}

static int post_create(struct cmd_call *call, const struct run_opts *o, const struct doc *body,
		       struct doc **ret, struct err *err)
{
	struct docker_client *c;
	int r = cli_client(call, &c, err);

	if (r < 0)
		return r;
	return docker_post(c, call->arena,
			   docker_target(call->arena, "/containers/create", "name", o->name,
					 "platform", o->platform, NULL),
			   body, ret, err);
}

static int create(struct cmd_call *call, const struct run_opts *o, const char **ret_id,
		  struct err *err)
{
	const char *when = o->pull ? o->pull : "missing";
	struct doc *body, *answer;
	unsigned rows = 0, cols = 0;
	int r;

	if (o->tty)
		(void)term_size(1, &rows, &cols); /* none: the engine's default */
	r = run_body(call->arena, o, call->args, rows, cols, &body, err);
	if (r == 0 && strcmp(when, "always") == 0)
		r = pull(call, o, err);
	if (r == 0)
		r = post_create(call, o, body, &answer, err);
	if (r == -ERR_NOT_FOUND && strcmp(when, "missing") == 0 &&
	    (strstr(err->msg, "No such image") ||
	     strstr(err->msg, "does not provide the specified platform"))) {
		if (!o->quiet)
			say_absent(call->args[0]);
		*err = ERR_INIT;
		r = pull(call, o, err);
		if (r == 0)
			r = post_create(call, o, body, &answer, err);
	}
	if (r < 0)
		return r;
	*ret_id = doc_cstr(call->arena, doc_get(answer, "Id"));
	if (!*ret_id)
		return err_set(err, ERR_SYSTEM, "the engine's answer to create has no Id");
	print_warnings(answer);
	return 0;
}

int joint_create(struct cmd_call *call, const struct run_opts *o, const char **ret_id,
		 struct err *err)
{
	__attribute__((cleanup(fd_close_cleanup_))) int fd = -1;
	const char *lazy;
	int r;

	if (pull_lazy(o->lazy, o->lazy_early, &lazy, err) < 0) /* also where nothing is pulled */
		return err_ret(err);
	if (o->cidfile && cidfile_open(o->cidfile, &fd, err) < 0)
		return err_ret(err);
	r = create(call, o, ret_id, err);
	if (r == 0 && fd >= 0 && fd_write_all(fd, *ret_id, strlen(*ret_id)) < 0)
		r = err_sys(err, "--cidfile '%s'", o->cidfile);
	if (r < 0 && fd >= 0)
		(void)sys_unlinkat(AT_FDCWD, o->cidfile, 0); /* we made it */
	return r;
}

/* ---- failures ---- */

int joint_complain(const struct cmd_call *call, const struct err *err, int status)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);

	buf_addf(&b, "%s: %s\nSee '%s %s --help'.\n", call->program, err->msg, call->program,
		 call->cmd->path);
	(void)fd_write_all(2, buf_str(&b), b.n); /* nobody is left to tell */
	return status;
}

int joint_start_status(const struct err *err)
{
	static const char *const not_found[] = { "executable file not found",
						 "no such file or directory",
						 "No such file or directory",
						 "not found in $PATH" };
	static const char *const not_runnable[] = { "permission denied", "Permission denied",
						    "is a directory",	 "Is a directory",
						    "exec format error", "Exec format error" };

	for (size_t i = 0; i < ARRAY_LEN(not_found); i++)
		if (strstr(err->msg, not_found[i]))
			return STATUS_NOT_FOUND;
	for (size_t i = 0; i < ARRAY_LEN(not_runnable); i++)
		if (strstr(err->msg, not_runnable[i]))
			return STATUS_NOT_RUNNABLE;
	return STATUS_ENGINE;
}

/* ---- waiting ---- */

int joint_wait_begin(struct docker_client *c, struct docker_exchange *x, struct arena *a,
		     const char *id, const char *condition, struct err *err)
{
	return docker_exchange_start(
		c, x, "POST",
		docker_target(a, "/containers/%/wait", id, "condition", condition, NULL), NULL,
		false, err);
}

int joint_wait_end(struct docker_exchange *x, struct arena *a, int *ret_status, struct err *err)
{
	struct doc *answer;
	const char *text;
	int r;

	r = docker_exchange_wait_over(x, err);
	if (r == 0)
		r = docker_exchange_json(x, a, &answer, err);
	if (r < 0)
		return err_wrap(err, "wait for the container's end");
	text = doc_cstr(a, doc_find(answer, "Error.Message"));
	if (text && *text)
		return err_set(err, ERR_SYSTEM, "%.900s", text);
	*ret_status = (int)cli_int(answer, "StatusCode");
	return 0;
}
