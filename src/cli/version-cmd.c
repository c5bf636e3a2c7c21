/* SPDX-License-Identifier: Apache-2.0 */
/* `teu version`: ours, and the engine's. With --client no socket is touched. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"

#include <sys/utsname.h>

struct version_opts {
	const char *format;
	bool client;
};

static const struct opt version_opts[] = {
	OPT(struct version_opts, STR, format, "format", 'f', "Print in this form (json, TEMPLATE)"),
	OPT(struct version_opts, BOOL, client, "client", 0, "Only the client: ask no engine"),
	OPT_END
};

static const char *arch(const char *machine)
{
	return strcmp(machine, "x86_64") == 0	 ? "amd64"
	       : strcmp(machine, "aarch64") == 0 ? "arm64"
						 : machine;
}

static void put_client(struct arena *a, struct doc *root)
{
	struct doc *c = doc_set_object(a, root, "Client");
	struct utsname u;

	doc_set_str(a, c, "Version", TEU_VERSION);
	doc_set_str(a, c, "ApiVersion", "1.50");
	doc_set_str(a, c, "DefaultAPIVersion", "1.50");
	doc_set_str(a, c, "Os", "linux");
	doc_set_str(a, c, "Arch", uname(&u) == 0 ? arch(u.machine) : "");
	doc_set_str(a, c, "Compiler", __VERSION__);
}

static void print_side(struct arena *a, const struct doc *d, const char *heading, struct buf *out)
{
	static const struct {
		const char *label, *path;
	} rows[] = {
		{ "Version", "Version" },	    { "API version", "ApiVersion" },
		{ "Minimum API", "MinAPIVersion" }, { "Git commit", "GitCommit" },
		{ "Built", "BuildTime" },	    { "Kernel", "KernelVersion" },
		{ "Compiler", "Compiler" },
	};

	buf_addf(out, "%s\n", heading);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *v = cli_text(a, d, rows[i].path);

		if (*v)
			buf_addf(out, " %-18s%s\n", arena_printf(a, "%s:", rows[i].label), v);
	}
	buf_addf(out, " %-18s%s/%s\n", "OS/Arch:", cli_text(a, d, "Os"), cli_text(a, d, "Arch"));
}

static int print(struct arena *a, const struct doc *root, const char *format, struct buf *out,
		 struct err *err)
{
	struct template t;
	int r;

	if (format && strcmp(format, "json") == 0) {
		r = json_write(root, NULL, out, err);
	} else if (format) {
		r = template_parse(a, format, &t, err);
		if (r == 0)
			r = template_render(&t, root, out, err);
	} else {
		const struct doc *server = doc_get(root, "Server");

		print_side(a, doc_get(root, "Client"), "Client: TEU", out);
		if (server) {
			const char *name = cli_text(a, server, "Platform.Name");

			print_side(a, server,
				   arena_printf(a, "\nServer: %s", *name ? name : "engine"), out);
		}
		return 0;
	}
	buf_addc(out, '\n');
	return r;
}

static int version_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct version_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *root = doc_new_object(a), *server = NULL;
	struct docker_client *c;
	struct err why = ERR_INIT;
	int r = 0, failed = 0;

	put_client(a, root);
	if (!o->client) {
		failed = cli_client(call, &c, &why);
		if (failed == 0)
			failed = docker_get(c, a, "/version", &server, &why);
		if (failed == 0)
			doc_set(a, root, "Server", *server);
	}
	r = print(a, root, o->format, &out, err);
	if (r == 0)
		r = cli_write(1, &out, err);
	if (failed < 0) { /* ours is shown all the same, as docker does */
		*err = why;
		return failed;
	}
	return r;
}

const struct cmd cmd_version = {
	.path = "version",
	.args = "[OPTIONS]",
	.help = "Show the versions of program and engine",
	.opts = version_opts,
	.opts_size = sizeof(struct version_opts),
	.max = 0,
	.group = CLI_SYSTEM,
	.run = version_run,
};
