/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as they are (--raw of get, create, replace, delete): a path, a file, what comes back. */
#include "cli/kubectl/kubectl.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

#include <fcntl.h>

#define FLUSH_AT 65536

static int take_bytes(void *arg, struct slice bytes, struct err *err)
{
	struct kubectl *k = arg;

	if (buf_add(&k->out, bytes.p, bytes.n) < 0)
		return err_set(err, ERR_TOO_LARGE, "too long an answer");
	return k->out.n > FLUSH_AT ? kubectl_flush(k, err) : 0;
}

int kubectl_raw(struct kubectl *k, const char *method, const char *path, struct slice body,
		struct err *err)
{
	struct client_request rq = {
		.method = method, .target = path, .body = body, .consume = take_bytes, .arg = k
	};
	int r = kubectl_client(k, err);

	if (path[0] != '/')
		rq.target = arena_printf(k->arena, "/%s", path);
	return r < 0 ? r : client_call(k->client, k->arena, &rq, NULL, err);
}

static int check(const char *method, const struct kubectl_files *files, const char *output,
		 struct err *err)
{
	const char *name = files->names.n ? files->names.v[0] : "-";

	/* DELETE alone has no body without a file. */
	if (files->names.n != 1 && (files->names.n || strcmp(method, "DELETE") != 0))
		return err_set(err, ERR_BAD_REQUEST,
			       "--raw can only use a single local file or stdin");
	if (strncmp(name, "http://", 7) == 0 || strncmp(name, "https://", 8) == 0)
		return err_set(err, ERR_BAD_REQUEST, "--raw cannot read from a url");
	if (files->recursive)
		return err_set(err, ERR_BAD_REQUEST,
			       "--raw and --recursive are mutually exclusive");
	if (output && *output)
		return err_set(err, ERR_BAD_REQUEST, "--raw and --output are mutually exclusive");
	return 0;
}

int kubectl_raw_file(struct kubectl *k, const char *method, const char *path,
		     const struct kubectl_files *files, const char *output, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(KUBECTL_FILE_MAX);
	const char *name = files->names.n ? files->names.v[0] : NULL;
	int r = check(method, files, output, err);

	if (r == 0 && *path != '/')
		return err_set(err, ERR_INVALID,
			       "--raw must be a valid URL path: parse \"%s\": invalid URI for "
			       "request",
			       path);
	if (r == 0 && name)
		r = strcmp(name, "-") == 0 ? kubectl_read_stdin(&b, err)
					   : fd_read_file(AT_FDCWD, name, &b, err);
	return r < 0 ? r : kubectl_raw(k, method, path, buf_slice(&b), err);
}
