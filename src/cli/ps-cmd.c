/* SPDX-License-Identifier: Apache-2.0 */
/* `teu ps`: containers as a table, with docker's fields. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"

#define COMMAND_WIDTH 20

struct ps_opts {
	bool all, latest, no_trunc, quiet, size;
	int64_t last;
	bool has_last;
	const char *format;
	struct opt_list filters;
};

static const struct opt ps_opts[] = {
	OPT(struct ps_opts, BOOL, all, "all", 'a', "Show all containers, not only running ones"),
	OPT(struct ps_opts, LIST, filters, "filter", 'f', "Show those that match (name=value)"),
	OPT(struct ps_opts, STR, format, "format", 0, "Print in this form (table, json, TEMPLATE)"),
	OPT_SEEN_AT(struct ps_opts, INT, last, has_last, "last", 'n',
		    "Show the n latest, running or not"),
	OPT(struct ps_opts, BOOL, latest, "latest", 'l', "Show the latest, running or not"),
	OPT(struct ps_opts, BOOL, no_trunc, "no-trunc", 0, "Cut nothing short"),
	OPT(struct ps_opts, BOOL, quiet, "quiet", 'q', "Only IDs"),
	OPT(struct ps_opts, BOOL, size, "size", 's', "Show sizes of files"),
	OPT_END
};

static const struct view_field fields[] = {
	{ "ID", "CONTAINER ID" },    { "Image", "IMAGE" },
	{ "Command", "COMMAND" },    { "CreatedAt", "CREATED AT" },
	{ "RunningFor", "CREATED" }, { "Ports", "PORTS" },
	{ "State", "STATE" },	     { "Status", "STATUS" },
	{ "Size", "SIZE" },	     { "Names", "NAMES" },
	{ "Labels", "LABELS" },	     { "LocalVolumes", "LOCAL VOLUMES" },
	{ "Mounts", "MOUNTS" },	     { "Networks", "NETWORKS" },
};
#define TABLE \
	"{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
static const struct view view = { fields, ARRAY_LEN(fields), TABLE };
static const struct view view_sized = { fields, ARRAY_LEN(fields), TABLE "\t{{.Size}}" };

/* In quotes, with what would break a table escaped; cut to docker's width. */
static const char *command(struct arena *a, struct slice s, bool no_trunc)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	bool cut = !no_trunc && s.n > COMMAND_WIDTH;
	size_t n = cut ? COMMAND_WIDTH - 1 : s.n;

	while (cut && n && (s.p[n] & 0xc0) == 0x80) /* not inside a character */
		n--;
	buf_addc(&b, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_addf(&b, "\\%c", c);
		else if (c == '\n' || c == '\t')
			buf_adds(&b, c == '\n' ? "\\n" : "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_addf(&b, "\\x%02x", c);
		else
			buf_addc(&b, (char)c);
	}
	buf_adds(&b, cut ? "…\"" : "\"");
	return arena_strndup(a, buf_str(&b), b.n);
}

/* Names of members or strings of an array, with commas. */
static const char *joined(struct arena *a, const struct doc *d, const char *member)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	DOC_EACH_MEMBER (k, v, d) {
		buf_addf(&b, "%s%.*s", b.n ? "," : "", (int)k->n, k->s);
		if (!member && doc_is(v, DOC_STRING))
			buf_addf(&b, "=%.*s", (int)v->n, v->s);
	}
	DOC_EACH (it, d) {
		struct slice s = doc_slice(member ? doc_get(it, member) : it);

		if (s.n && s.p[0] == '/' && !member)
			s = slice_of(s.p + 1, s.n - 1); /* names begin with a slash on the wire */
		if (s.n)
			buf_addf(&b, "%s%.*s", b.n ? "," : "", (int)s.n, s.p);
	}
	return arena_strndup(a, buf_str(&b), b.n);
}

static const char *ports(struct arena *a, const struct doc *list)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);

	DOC_EACH (p, list) {
		const char *ip = cli_text(a, p, "IP");

		buf_adds(&b, b.n ? ", " : "");
		if (cli_int(p, "PublicPort"))
			buf_addf(&b, "%s%s%s:%lld->", strchr(ip, ':') ? "[" : "", ip,
				 strchr(ip, ':') ? "]" : "", (long long)cli_int(p, "PublicPort"));
		buf_addf(&b, "%lld/%s", (long long)cli_int(p, "PrivatePort"),
			 cli_text(a, p, "Type"));
	}
	return arena_strndup(a, buf_str(&b), b.n);
}

static const char *image_name(struct arena *a, const struct doc *d, bool no_trunc)
{
	const char *name = cli_text(a, d, "Image");

	if (!no_trunc && strncmp(name, "sha256:", 7) == 0)
		return cli_short_id(a, slice_str(name));
	return *name ? name : "<no image>";
}

static const char *size_text(struct arena *a, const struct doc *d)
{
	char rw[HUMAN_MAX], virt[HUMAN_MAX];

	human_size(rw, (uint64_t)cli_int(d, "SizeRw"));
	if (!cli_int(d, "SizeRootFs"))
		return arena_strdup(a, rw);
	return arena_printf(a, "%s (virtual %s)", rw,
			    human_size(virt, (uint64_t)cli_int(d, "SizeRootFs")));
}

static int count_local_volumes(struct arena *a, const struct doc *mounts)
{
	int n = 0;

	DOC_EACH (m, mounts)
		n += strcmp(cli_text(a, m, "Driver"), "local") == 0;
	return n;
}

static struct doc *row_of(struct arena *a, const struct doc *d, bool no_trunc)
{
	struct doc *row = doc_new_object(a);
	int64_t created = cli_int(d, "Created") * NS_PER_SEC;
	char text[HUMAN_MAX];

	doc_set_str(a, row, "ID",
		    no_trunc ? cli_text(a, d, "Id") : cli_short_id(a, doc_slice(doc_get(d, "Id"))));
	doc_set_str(a, row, "Image", image_name(a, d, no_trunc));
	doc_set_str(a, row, "Command", command(a, doc_slice(doc_get(d, "Command")), no_trunc));
	doc_set_str(a, row, "CreatedAt", human_stamp(text, created));
	doc_set_strf(a, row, "RunningFor", "%s ago",
		     human_duration(text, MAX(clock_real() - created, 0)));
	doc_set_str(a, row, "Ports", ports(a, doc_get(d, "Ports")));
	doc_set_str(a, row, "State", cli_text(a, d, "State"));
	doc_set_str(a, row, "Status", cli_text(a, d, "Status"));
	doc_set_str(a, row, "Size", size_text(a, d));
	doc_set_str(a, row, "Names", joined(a, doc_get(d, "Names"), NULL));
	doc_set_str(a, row, "Labels", joined(a, doc_get(d, "Labels"), NULL));
	doc_set_strf(a, row, "LocalVolumes", "%d", count_local_volumes(a, doc_get(d, "Mounts")));
	doc_set_str(a, row, "Mounts", joined(a, doc_get(d, "Mounts"), "Source"));
	doc_set_str(a, row, "Networks", joined(a, doc_find(d, "NetworkSettings.Networks"), "Name"));
	return row;
}

static const char *target(struct cmd_call *call, struct err *err)
{
	const struct ps_opts *o = call->opts;
	int64_t last = o->latest && !o->has_last ? 1 : o->last;
	const char *filters;

	if (cli_filters(call->arena, &o->filters, &filters, err) < 0)
		return NULL;
	return docker_target(call->arena, "/containers/json", "all", o->all ? "1" : NULL, "limit",
			     last > 0 ? arena_printf(call->arena, "%lld", (long long)last) : NULL,
			     "size", o->size ? "1" : NULL, "filters", filters, NULL);
}

static int ps_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	const struct ps_opts *o = call->opts;
	const char *path = target(call, err);
	struct docker_client *c;
	struct view_print p;
	struct doc *list;
	int r;

	if (!path)
		return err_ret(err);
	r = view_begin(&p, call->arena, o->size ? &view_sized : &view,
		       o->quiet && !o->format ? "{{.ID}}" : o->format, err);
	if (r == 0)
		r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_get(c, call->arena, path, &list, err);
	if (r >= 0) {
		DOC_EACH (d, list) {
			r = view_row(&p, row_of(call->arena, d, o->no_trunc), err);
			if (r < 0)
				break;
		}
	}
	view_end(&p, r < 0 ? NULL : &out);
	return r < 0 ? r : cli_write(1, &out, err);
}

static const char *const names[] = { "container ls", "container list", "container ps", NULL };

const struct cmd cmd_ps = {
	.path = "ps",
	.aliases = names,
	.args = "[OPTIONS]",
	.help = "List containers",
	.opts = ps_opts,
	.opts_size = sizeof(struct ps_opts),
	.max = 0,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_COMMON,
	.run = ps_run,
};
