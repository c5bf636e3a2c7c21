/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl __complete`: commands and flags from the tables, kinds and names from the server. */
#include "cli/kubectl/kubectl-complete.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl.h"
#include "doc/doc.h"

#define TIME (5 * NS_PER_SEC) /* nobody waits longer for a key */
#define NAMES_LIMIT "?limit=5000"

struct completing {
	struct kubectl *k;
	const char *last;
	struct doc *said; /* each word once */
};

static void offer(struct completing *c, const char *before, const char *word)
{
	const char *whole = arena_printf(c->k->arena, "%s%s", before, word);

	if (!whole || strncmp(whole, c->last, strlen(c->last)) != 0 || doc_get(c->said, whole))
		return;
	doc_set_bool(c->k->arena, c->said, whole, true);
	buf_addf(&c->k->out, "%s\n", whole);
}

/* ---- from the tables ---- */

/* Next words of commands that begin with these. */
static void offer_commands(struct completing *c, const struct cmd_call *line)
{
	struct cmd_program prog = kubectl_program();
	const char *path = "";

	for (size_t i = 0; i < line->nargs && path; i++)
		path = arena_printf(c->k->arena, "%s%s ", path, line->args[i]);
	for (size_t i = 0; i < prog.ncmds && path; i++) {
		const char *its = prog.cmds[i]->path, *next = its + strlen(path);

		if ((prog.cmds[i]->flags & CMD_HIDDEN) || strncmp(its, path, strlen(path)) != 0)
			continue;
		next = arena_strndup(c->k->arena, next, strcspn(next, " "));
		if (next)
			offer(c, "", next);
	}
}

static void offer_flags(struct completing *c, const struct opt *opts)
{
	for (const struct opt *o = opts; o && o->type != OPT_T_END; o++)
		if (!(o->flags & (OPT_HIDDEN | OPT_REFUSED)))
			offer(c, "--", o->name);
}

/* ---- from the server ---- */

static void offer_types(struct completing *c)
{
	struct err err = ERR_INIT;

	if (kubectl_catalog(c->k, false, &err) < 0)
		return;
	for (size_t i = 0; i < c->k->catalog.n; i++) {
		const struct resource *r = &c->k->catalog.v[i];
		const char *whole =
			*r->group ? arena_printf(c->k->arena, "%s.%s", r->name, r->group) : r->name;

		if (r->preferred && resource_has_verb(r, "list") && whole)
			offer(c, "", whole);
	}
}

static void offer_names(struct completing *c, const char *type, const char *before)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(65536);
	struct client_request rq = { 0 };
	const struct resource *r;
	struct err err = ERR_INIT;
	struct doc *list;

	if (kubectl_client(c->k, &err) < 0 || kubectl_find(c->k, type, &r, &err) < 0)
		return;
	resource_path(r, c->k->conf.space, NULL, &path);
	buf_adds(&path, NAMES_LIMIT);
	rq.target = buf_str(&path);
	if (client_call_doc(c->k->client, c->k->arena, &rq, &list, &err) < 0)
		return;
	DOC_EACH (e, doc_get(list, "items"))
		offer(c, before, kubectl_text(c->k, e, "metadata.name"));
}

/* Commands whose arguments are names of one kind. */
static const char *type_of(const struct cmd *cmd)
{
	static const char *const rows[][2] = {
		{ "top node", "nodes" },
		{ "top pod", "pods" },
		{ "certificate approve", "certificatesigningrequests" },
		{ "certificate deny", "certificatesigningrequests" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i][0], cmd->path) == 0)
			return rows[i][1];
	return NULL;
}

/* Names in the kubeconfig: which of its lists a command is about. */
static void offer_config(struct completing *c, const char *path)
{
	static const char *const lists[] = { "contexts", "clusters", "users" };
	static const char *const words[] = { "context", "cluster", NULL };
	struct err err = ERR_INIT;
	size_t i = 0;

	while (words[i] && !strstr(path, words[i]))
		i++;
	if (kubectl_config(c->k, &err) < 0)
		return;
	DOC_EACH (e, doc_get(c->k->config.merged, lists[i]))
		offer(c, "", kubectl_text(c->k, e, "name"));
}

static void offer_arguments(struct completing *c, const struct cmd_call *line)
{
	const char *args = line->cmd->args ? line->cmd->args : "", *slash = strchr(c->last, '/');
	const char *type = type_of(line->cmd);

	if (type) {
		offer_names(c, type, "");
	} else if (strncmp(line->cmd->path, "config ", 7) == 0) {
		if (strstr(args, "NAME") && !line->nargs)
			offer_config(c, line->cmd->path);
	} else if (strstr(args, "TYPE") && slash) {
		type = arena_strndup(c->k->arena, c->last, (size_t)(slash - c->last));
		args = type ? arena_printf(c->k->arena, "%s/", type) : NULL;
		if (args)
			offer_names(c, type, args);
	} else if (strstr(args, "TYPE") && !line->nargs) {
		offer_types(c);
	} else if (strstr(args, "TYPE") && !strchr(line->args[0], '/')) {
		offer_names(c, line->args[0], "");
	}
}

int kubectl_complete(struct kubectl *k, int argc, char **argv)
{
	struct completing c = { .k = k, .last = argv[argc - 1], .said = doc_new_object(k->arena) };
	struct cmd_program prog = kubectl_program();
	struct cmd_call line = { .arena = k->arena, .global = k };
	struct err err = ERR_INIT;
	int r = kubectl_read_line(k, argc - 1, argv, &line, &err);

	if (r == 0 && kubectl_conf(k, &err) == 0 && !k->conf.time)
		k->conf.time = TIME;
	if (*c.last == '-') {
		offer_flags(&c, line.cmd ? line.cmd->opts : NULL);
		offer_flags(&c, prog.global_opts);
	} else if (!line.cmd) {
		offer_commands(&c, &line);
	} else if (r == 0) {
		offer_arguments(&c, &line);
	}
	buf_adds(&k->out, ":4\n");
	buf_clear(&k->errors);
	return kubectl_flush(k, &err) < 0 ? 1 : 0;
}
