/* SPDX-License-Identifier: Apache-2.0 */
/* `teu info`: the engine about itself and its machine; rows from a table of docker's lines. */
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "cli/view.h"
#include "doc/doc.h"
#include "doc/json.h"
#include "dockerclient/dockerclient.h"

struct info_opts {
	const char *format;
};

static const struct opt info_opts[] = { OPT(struct info_opts, STR, format, "format", 'f',
					    "Print in this form (json, TEMPLATE)"),
					OPT_END };

enum row_kind { ROW_TEXT, ROW_MEMORY, ROW_LIST, ROW_KEYS, ROW_PAIRS };

static const struct {
	unsigned char indent;
	const char *label, *path;
	enum row_kind kind;
} rows[] = {
	{ 1, "Containers", "Containers", ROW_TEXT },
	{ 2, "Running", "ContainersRunning", ROW_TEXT },
	{ 2, "Paused", "ContainersPaused", ROW_TEXT },
	{ 2, "Stopped", "ContainersStopped", ROW_TEXT },
	{ 1, "Images", "Images", ROW_TEXT },
	{ 1, "Server Version", "ServerVersion", ROW_TEXT },
	{ 1, "Storage Driver", "Driver", ROW_TEXT },
	{ 2, "", "DriverStatus", ROW_PAIRS },
	{ 1, "Logging Driver", "LoggingDriver", ROW_TEXT },
	{ 1, "Cgroup Driver", "CgroupDriver", ROW_TEXT },
	{ 1, "Cgroup Version", "CgroupVersion", ROW_TEXT },
	{ 1, "Network Plugins", "Plugins.Network", ROW_LIST },
	{ 1, "Volume Plugins", "Plugins.Volume", ROW_LIST },
	{ 1, "Swarm", "Swarm.LocalNodeState", ROW_TEXT },
	{ 1, "Runtimes", "Runtimes", ROW_KEYS },
	{ 1, "Default Runtime", "DefaultRuntime", ROW_TEXT },
	{ 1, "Security Options", "SecurityOptions", ROW_LIST },
	{ 1, "Kernel Version", "KernelVersion", ROW_TEXT },
	{ 1, "Operating System", "OperatingSystem", ROW_TEXT },
	{ 1, "OSType", "OSType", ROW_TEXT },
	{ 1, "Architecture", "Architecture", ROW_TEXT },
	{ 1, "CPUs", "NCPU", ROW_TEXT },
	{ 1, "Total Memory", "MemTotal", ROW_MEMORY },
	{ 1, "Name", "Name", ROW_TEXT },
	{ 1, "ID", "ID", ROW_TEXT },
	{ 1, "Docker Root Dir", "DockerRootDir", ROW_TEXT },
	{ 1, "Debug Mode", "Debug", ROW_TEXT },
	{ 1, "Experimental", "ExperimentalBuild", ROW_TEXT },
	{ 1, "Live Restore Enabled", "LiveRestoreEnabled", ROW_TEXT },
};

static void put_row(const struct doc *v, enum row_kind kind, struct buf *out)
{
	char text[HUMAN_MAX];
	int64_t n = 0;

	switch (kind) {
	case ROW_TEXT:
		if (doc_is(v, DOC_BOOL))
			buf_adds(out, v->n ? "true" : "false");
		else if (doc_is(v, DOC_STRING) || doc_is(v, DOC_NUMBER))
			buf_add(out, v->s, v->n);
		break;
	case ROW_MEMORY:
		(void)doc_int64(v, &n); /* 0 if it is no number */
		buf_adds(out, human_memory(text, (uint64_t)n));
		break;
	case ROW_LIST:
		DOC_EACH (it, v)
			buf_addf(out, "%s%.*s", it == v->kids ? "" : " ", (int)doc_slice(it).n,
				 doc_slice(it).p);
		break;
	case ROW_KEYS:
		for (size_t i = 0; i < doc_len_of(v, DOC_OBJECT); i++)
			buf_addf(out, "%s%.*s", i ? " " : "", (int)doc_key_at(v, i)->n,
				 doc_key_at(v, i)->s);
		break;
	case ROW_PAIRS: break; /* lines of their own */
	}
}

/* [["label", "value"], ...] */
static void put_pairs(const struct doc *v, int indent, struct buf *out)
{
	DOC_EACH (pair, v) {
		if (doc_len_of(pair, DOC_ARRAY) != 2)
			continue;
		buf_addf(out, "%*s%.*s: %.*s\n", indent, "", (int)doc_slice(&pair->kids[0]).n,
			 doc_slice(&pair->kids[0]).p, (int)doc_slice(&pair->kids[1]).n,
			 doc_slice(&pair->kids[1]).p);
	}
}

static void print_info(const struct doc *d, struct buf *out)
{
	buf_addf(out, "Client: TEU\n Version: %s\n\nServer:\n", TEU_VERSION);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct doc *v = doc_find(d, rows[i].path);

		if (!v)
			continue;
		if (rows[i].kind == ROW_PAIRS) {
			put_pairs(v, rows[i].indent, out);
			continue;
		}
		buf_addf(out, "%*s%s: ", rows[i].indent, "", rows[i].label);
		put_row(v, rows[i].kind, out);
		buf_addc(out, '\n');
	}
}

static int info_run(struct cmd_call *call, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(CLI_OUT_MAX);
	CLEANUP(buf_fini) struct buf warnings = BUF_INIT(CLI_OUT_MAX);
	const struct info_opts *o = call->opts;
	struct docker_client *c;
	struct template t;
	struct doc *d;
	int r;

	r = cli_client(call, &c, err);
	if (r == 0)
		r = docker_get(c, call->arena, "/info", &d, err);
	if (r < 0)
		return r;
	if (o->format && strcmp(o->format, "json") == 0) {
		r = json_write(d, NULL, &out, err);
		buf_addc(&out, '\n');
	} else if (o->format) {
		r = template_parse(call->arena, o->format, &t, err);
		if (r == 0)
			r = template_render(&t, d, &out, err);
		buf_addc(&out, '\n');
	} else {
		print_info(d, &out);
		DOC_EACH (w, doc_get(d, "Warnings"))
			buf_addf(&warnings, "%.*s\n", (int)doc_slice(w).n, doc_slice(w).p);
	}
	if (r == 0)
		r = cli_write(1, &out, err);
	return r < 0 ? r : cli_write(2, &warnings, err);
}

static const char *const names[] = { "system info", NULL };

const struct cmd cmd_info = {
	.path = "info",
	.aliases = names,
	.args = "[OPTIONS]",
	.help = "Show what the engine knows of itself and the machine",
	.opts = info_opts,
	.opts_size = sizeof(struct info_opts),
	.max = 0,
	.flags = CMD_NEEDS_ENGINE,
	.group = CLI_SYSTEM,
	.run = info_run,
};
