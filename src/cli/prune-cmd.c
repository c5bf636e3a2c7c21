/* SPDX-License-Identifier: Apache-2.0 */
/* `teu image prune`. */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"
#include "linux/sys.h"

struct prune_opts {
	bool all, force;
	struct opt_list filters;
};

static const struct opt prune_opts[] = {
	OPT(struct prune_opts, BOOL, all, "all", 'a',
	    "All that no container uses, also named ones"),
	OPT(struct prune_opts, LIST, filters, "filter", 0,
	    "Only those that match (until=, label=)"),
	OPT(struct prune_opts, BOOL, force, "force", 'f', "Do not ask"), OPT_END
};

/* 1 = yes. */
static int confirm(const char *warning, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1024);
	char c = 0, first = 0;
	ssize_t n;
	int r;

	buf_addf(&out, "WARNING! This will remove %s.\nAre you sure you want to continue? [y/N] ",
		 warning);
	r = cli_write(1, &out, err);
	if (r < 0)
		return r;
	while ((n = sys_read(0, &c, 1)) == 1 && c != '\n')
		first = first ? first : c;
	if (n < 0)
		return err_sys(err, "read the answer");
	return first == 'y' || first == 'Y';
}

static void print_deleted(const struct doc *answer, struct buf *out)
{
	const struct doc *list = doc_get(answer, "ImagesDeleted");
	char text[HUMAN_MAX];

	if (doc_len(list))
		buf_adds(out, "Deleted Images:\n");
	DOC_EACH (it, list) {
		struct slice tag = doc_slice(doc_get(it, "Untagged")),
			     id = doc_slice(doc_get(it, "Deleted"));

		if (tag.n)
			buf_addf(out, "untagged: %.*s\n", (int)tag.n, tag.p);
		if (id.n)
			buf_addf(out, "deleted: %.*s\n", (int)id.n, id.p);
	}
	if (doc_len(list))
		buf_addc(out, '\n');
	buf_addf(out, "Total reclaimed space: %s\n",
		 human_size(text, (uint64_t)cli_int(answer, "SpaceReclaimed")));
}

static int prune_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct prune_opts *o = call->opts;
	struct arena *a = call->arena;
	struct opt_list filters = { ARENA_ARRAY(a, const char *, o->filters.n + 1), 0 };
	struct docker_client *c;
	const char *text;
	struct doc *answer;
	int r = 1;

	if (!filters.v)
		return arena_quota(a, err);
	for (size_t i = 0; i < o->filters.n; i++)
		filters.v[filters.n++] = o->filters.v[i];
	filters.v[filters.n++] = o->all ? "dangling=false" : "dangling=true";
	if (!o->force)
		r = confirm(o->all ? "all images without at least one container associated to them"
				   : "all dangling images",
			    err);
	if (r <= 0)
		return r;
	r = cli_filters(a, &filters, &text, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_post(c, a, docker_target(a, "/images/prune", "filters", text, NULL),
				NULL, &answer, err);
	if (r < 0)
		return r;
	print_deleted(answer, &out);
	return cli_write(1, &out, err);
}

const struct cmd cmd_image_prune = {
	.path = "image prune",
	.args = "[OPTIONS]",
	.help = "Remove images that nobody uses",
	.opts = prune_opts,
	.opts_size = sizeof(struct prune_opts),
	.max = 0,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = prune_run,
};
