/* SPDX-License-Identifier: Apache-2.0 */
/* `teu search`: names in a registry's catalog. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/pull.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "dockerclient/dockerclient.h"

#include <string.h>

#define DESCRIPTION_WIDTH 45

struct search_opts {
	struct opt_list filters;
	const char *format;
	int64_t limit;
	bool no_trunc;
};

static const struct opt search_opts[] = {
	OPT(struct search_opts, LIST, filters, "filter", 'f', "Show those that match (name=value)"),
	OPT(struct search_opts, STR, format, "format", 0, "Print in this form (json, TEMPLATE)"),
	OPT(struct search_opts, INT, limit, "limit", 0, "At most so many results"),
	OPT(struct search_opts, BOOL, no_trunc, "no-trunc", 0, "Cut nothing short"), OPT_END
};

static const struct view_field search_fields[] = {
	{ "Name", "NAME" },
	{ "Description", "DESCRIPTION" },
	{ "StarCount", "STARS" },
	{ "IsOfficial", "OFFICIAL" },
};
static const struct view search_view = {
	search_fields, ARRAY_LEN(search_fields),
	"{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}"
};

static int print_row(struct cmd_call *call, const struct doc *d, struct view_print *p,
		     struct err *err)
{
	const struct search_opts *o = call->opts;
	struct arena *a = call->arena;
	struct doc *row = doc_new_object(a);
	const char *text = cli_text(a, d, "description");

	if (!o->no_trunc && strlen(text) > DESCRIPTION_WIDTH)
		text = arena_printf(a, "%.*s…", DESCRIPTION_WIDTH - 1, text);
	doc_set_str(a, row, "Name", cli_text(a, d, "name"));
	doc_set_str(a, row, "Description", text);
	doc_set_strf(a, row, "StarCount", "%lld", (long long)cli_int(d, "star_count"));
	doc_set_str(a, row, "IsOfficial", doc_true(doc_get(d, "is_official")) ? "[OK]" : "");
	return view_row(p, row, err);
}

static int fetch(struct cmd_call *call, struct doc **ret, struct err *err)
{
	const struct search_opts *o = call->opts;
	struct arena *a = call->arena;
	const char *term = call->args[0], *slash = strchr(term, '/'), *filters, *limit = NULL;
	struct docker_request rq = { .method = "GET" };
	struct docker_client *c;
	int r;

	if (o->limit)
		limit = arena_printf(a, "%lld", (long long)o->limit);
	r = cli_filters(a, &o->filters, &filters, err);
	if (r < 0)
		return r;
	rq.target = docker_target(a, "/images/search", "term", term, "limit", limit, "filters",
				  filters, NULL);
	r = pull_registry_auth(call,
			       slash ? arena_strndup(a, term, (size_t)(slash - term)) : "docker.io",
			       &rq.registry_auth, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	return r < 0 ? r : docker_call(c, a, &rq, ret, err);
}

static int search_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct search_opts *o = call->opts;
	struct view_print p;
	struct doc *list;
	int r;

	r = view_begin(&p, call->arena, &search_view, o->format, err);
	if (r == 0)
		r = fetch(call, &list, err);
	for (size_t i = 0; r >= 0 && i < doc_len(list); i++)
		r = print_row(call, doc_at(list, i), &p, err);
	view_end(&p, r < 0 ? NULL : &out);
	return r < 0 ? r : cli_write(1, &out, err);
}

const struct cmd cmd_search = {
	.path = "search",
	.args = "[OPTIONS] REGISTRY/TERM",
	.help = "Search the catalog of a registry",
	.opts = search_opts,
	.opts_size = sizeof(struct search_opts),
	.min = 1,
	.max = 1,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_IMAGES,
	.run = search_run,
};
