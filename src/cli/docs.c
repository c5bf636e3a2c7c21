/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion scripts and manual pages from the rows.
 *
 * The scripts are static: all words stand in them, only names of containers and images are asked
 * for at the key press. Refused options are left out everywhere, as in the help.
 */
#include "cli/docs.h"

#include <stdio.h>

static bool shown(const struct opt *o)
{
	return !(o->flags & (OPT_HIDDEN | OPT_REFUSED));
}

static bool listed(const struct cmd *c)
{
	return !(c->flags & CMD_HIDDEN);
}

/* What a command's arguments are names of: 'c'ontainers, 'i'mages, what a 'k'ubectl asks a server
 * for, or nothing. */
static char names_of(const struct cmd_program *prog, const struct cmd *c)
{
	if (!c->args)
		return 0;
	if (strcmp(prog->name, "kubectl") == 0)
		return strstr(c->args, "TYPE") || strstr(c->args, "NAME") ||
				       strstr(c->args, "CONTEXT")
			       ? 'k'
			       : 0;
	if (strstr(c->args, "CONTAINER"))
		return 'c';
	return strstr(c->args, "IMAGE") ? 'i' : 0;
}

#define ASK_CONTAINERS "ps -a --format '{{.Names}}'"
#define ASK_IMAGES "images --format '{{.Repository}}:{{.Tag}}'"
#define ASK_BASH "__complete \"${COMP_WORDS[@]:1:COMP_CWORD-1}\" \"$cur\" 2>/dev/null | sed '$d'"
#define ASK_ZSH "__complete ${words[1,CURRENT-1]} \"${words[CURRENT]}\" 2>/dev/null | sed '$d'"
#define ASK_FISH "__complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null | sed '\\$d'"

static void add_opt_words(const struct opt *opts, struct buf *out)
{
	for (const struct opt *o = opts; o && o->type != OPT_T_END; o++) {
		if (!shown(o))
			continue;
		buf_addf(out, " --%s", o->name);
		if (o->letter)
			buf_addf(out, " -%c", o->letter);
	}
}

/* First words of all paths, each once. */
static void add_first_words(const struct cmd_program *prog, struct buf *out)
{
	for (size_t i = 0; i < prog->ncmds; i++) {
		const char *path = prog->cmds[i]->path;
		size_t n = strcspn(path, " ");
		bool known = !listed(prog->cmds[i]);

		for (size_t j = 0; j < i && !known; j++)
			known = strncmp(prog->cmds[j]->path, path, n) == 0 &&
				strcspn(prog->cmds[j]->path, " ") == n;
		if (!known)
			buf_addf(out, " %.*s", (int)n, path);
	}
}

/* ---- bash ---- */

static void bash_case(const struct cmd_program *prog, const struct cmd *c, struct buf *out)
{
	char names = names_of(prog, c);

	buf_addf(out, "\t'%s')\n\t\twords='--help", c->path);
	add_opt_words(c->opts, out);
	buf_adds(out, "'\n");
	if (names)
		buf_addf(out, "\t\tnames=$(%s %s 2>/dev/null)\n", prog->name,
			 names == 'c'	? ASK_CONTAINERS
			 : names == 'i' ? ASK_IMAGES
					: ASK_BASH);
	buf_adds(out, "\t\t;;\n");
}

/* "inspect" after "image": the words below a family. */
static void bash_families(const struct cmd_program *prog, struct buf *out)
{
	for (size_t i = 0; i < prog->ncmds; i++) {
		const char *path = prog->cmds[i]->path;
		size_t n = strcspn(path, " ");
		bool known = !path[n] || !listed(prog->cmds[i]);

		for (size_t j = 0; j < i && !known; j++)
			known = strncmp(prog->cmds[j]->path, path, n + 1) == 0;
		if (known)
			continue;
		buf_addf(out, "\t'%.*s') words='", (int)n, path);
		for (size_t j = i; j < prog->ncmds; j++)
			if (strncmp(prog->cmds[j]->path, path, n + 1) == 0)
				buf_addf(out, "%s ", prog->cmds[j]->path + n + 1);
		buf_adds(out, "' ;;\n");
	}
}

void docs_bash(const struct cmd_program *prog, struct buf *out)
{
	const char *p = prog->name;

	buf_addf(out, "# bash completion for %s, made by: %s completion bash\n_%s() {\n", p, p, p);
	buf_adds(out, "\tlocal cur=${COMP_WORDS[COMP_CWORD]} path= words= names= i w skip=\n"
		      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		      "\t\tw=${COMP_WORDS[i]}\n"
		      "\t\tif [[ -n $skip ]]; then skip=; continue; fi\n"
		      "\t\tcase $w in\n"
		      "\t\t'='|*=*) ;;\n");
	buf_adds(out, "\t\t");
	for (const struct opt *o = prog->global_opts; o && o->type != OPT_T_END; o++) {
		if (!shown(o) || o->type == OPT_T_BOOL)
			continue;
		buf_addf(out, "%s--%s", o == prog->global_opts ? "" : "|", o->name);
		if (o->letter)
			buf_addf(out, "|-%c", o->letter);
	}
	buf_adds(out, ") [[ -z $path ]] && skip=1 ;;\n"
		      "\t\t-*) ;;\n"
		      "\t\t*) path=${path:+$path }$w ;;\n"
		      "\t\tesac\n"
		      "\tdone\n"
		      "\tcase $path in\n"
		      "\t'') words='--help");
	add_opt_words(prog->global_opts, out);
	add_first_words(prog, out);
	buf_adds(out, "' ;;\n");
	bash_families(prog, out);
	buf_adds(out, "\tesac\n\t# The longest command that the words begin with.\n"
		      "\twhile [[ -n $path && -z $words ]]; do\n\tcase $path in\n");
	for (size_t i = 0; i < prog->ncmds; i++)
		if (listed(prog->cmds[i]))
			bash_case(prog, prog->cmds[i], out);
	buf_addf(out,
		 "\tesac\n\t[[ $path == *' '* ]] && path=${path%% *} || path=\n\tdone\n"
		 "\t[[ $cur == -* ]] || { [[ -n $names ]] && words=$names; }\n"
		 "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		 "\t[[ -n ${COMPREPLY[*]} ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n}\n"
		 "complete -F _%s %s\n",
		 p, p);
}

/* ---- zsh ---- */

/* Inside single quotes of a _describe or _arguments word. */
static void zsh_text(const char *s, struct buf *out)
{
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(out, "'\\''");
		else if (strchr(":[]\\", *s))
			buf_addf(out, "\\%c", *s);
		else
			buf_addc(out, *s);
	}
}

static void zsh_opt(const struct opt *o, struct buf *out)
{
	const char *value = o->type == OPT_T_BOOL ? "" : ":value:_files";
	const char *star = o->type == OPT_T_LIST ? "*" : "";

	if (!shown(o))
		return;
	buf_addf(out, "\t\t'%s--%s%s[", star, o->name, *value ? "=" : "");
	zsh_text(o->help, out);
	buf_addf(out, "]%s' \\\n", value);
	if (!o->letter)
		return;
	buf_addf(out, "\t\t'%s-%c%s[", star, o->letter, *value ? "+" : "");
	zsh_text(o->help, out);
	buf_addf(out, "]%s' \\\n", value);
}

void docs_zsh(const struct cmd_program *prog, struct buf *out)
{
	const char *p = prog->name;

	buf_addf(out,
		 "#compdef %s\n# zsh completion for %s, made by: %s completion zsh\n"
		 "_%s_containers() { local -a n; n=(${(f)\"$(%s " ASK_CONTAINERS
		 " 2>/dev/null)\"}); compadd -a n }\n"
		 "_%s_images() { local -a n; n=(${(f)\"$(%s " ASK_IMAGES
		 " 2>/dev/null)\"}); compadd -a n }\n"
		 "_%s_names() { local -a n; n=(${(f)\"$(%s " ASK_ZSH ")\"}); compadd -a n }\n",
		 p, p, p, p, p, p, p, p, p);
	buf_addf(out, "_%s() {\n\tlocal path=\"${words[2]}\"\n\tlocal -a cmds\n\tcmds=(\n", p);
	for (size_t i = 0; i < prog->ncmds; i++) {
		if (!listed(prog->cmds[i]) || strchr(prog->cmds[i]->path, ' '))
			continue;
		buf_addf(out, "\t\t'%s:", prog->cmds[i]->path);
		zsh_text(prog->cmds[i]->help, out);
		buf_adds(out, "'\n");
	}
	buf_adds(out, "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command cmds\n\t\treturn\n"
		      "\tfi\n\tcase $path in\n");
	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];
		char names = names_of(prog, c);

		if (!listed(c) || strchr(c->path, ' '))
			continue;
		buf_addf(out, "\t%s) shift words; ((CURRENT--)); _arguments \\\n", c->path);
		for (const struct opt *o = c->opts; o && o->type != OPT_T_END; o++)
			zsh_opt(o, out);
		buf_addf(out, "\t\t'--help[Show help]' \\\n\t\t'*:argument:_%s%s' ;;\n",
			 names ? p : "files",
			 names == 'c'	? "_containers"
			 : names == 'i' ? "_images"
			 : names	? "_names"
					: "");
	}
	buf_addf(out,
		 "\tesac\n}\nif [ \"$funcstack[1]\" = \"_%s\" ]; then _%s \"$@\"; else compdef "
		 "_%s %s; fi\n",
		 p, p, p, p);
}

/* ---- fish ---- */

static void fish_text(const char *s, struct buf *out)
{
	buf_addc(out, '\'');
	for (; *s; s++)
		buf_addf(out, *s == '\'' || *s == '\\' ? "\\%c" : "%c", *s);
	buf_addc(out, '\'');
}

static void fish_opts(const struct cmd_program *prog, const struct opt *opts, const char *when,
		      struct buf *out)
{
	for (const struct opt *o = opts; o && o->type != OPT_T_END; o++) {
		if (!shown(o))
			continue;
		buf_addf(out, "complete -c %s -n %s -l %s", prog->name, when, o->name);
		if (o->letter)
			buf_addf(out, " -s %c", o->letter);
		buf_adds(out, o->type == OPT_T_BOOL ? " -d " : " -r -d ");
		fish_text(o->help, out);
		buf_addc(out, '\n');
	}
}

void docs_fish(const struct cmd_program *prog, struct buf *out)
{
	const char *p = prog->name;
	char when[160];

	buf_addf(out, "# fish completion for %s, made by: %s completion fish\n", p, p);
	fish_opts(prog, prog->global_opts, "__fish_use_subcommand", out);
	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];
		char names = names_of(prog, c);

		if (!listed(c) || strchr(c->path, ' '))
			continue;
		buf_addf(out, "complete -c %s -f -n __fish_use_subcommand -a %s -d ", p, c->path);
		fish_text(c->help, out);
		buf_addc(out, '\n');
		(void)snprintf(when, sizeof(when), "'__fish_seen_subcommand_from %s'", c->path);
		fish_opts(prog, c->opts, when, out);
		if (names)
			buf_addf(out, "complete -c %s -f -n %s -a \"(%s %s 2>/dev/null)\"\n", p,
				 when, p,
				 names == 'c'	? ASK_CONTAINERS
				 : names == 'i' ? ASK_IMAGES
						: ASK_FISH);
	}
}

/* ---- man ---- */

/* Backslashes and minus signs as roff wants them; no line begins with a control character. */
static void roff(const char *s, struct buf *out)
{
	if (*s == '.' || *s == '\'')
		buf_adds(out, "\\&");
	for (; *s; s++) {
		if (*s == '\\')
			buf_adds(out, "\\e");
		else if (*s == '-')
			buf_adds(out, "\\-");
		else
			buf_addc(out, *s);
		if (*s == '\n' && (s[1] == '.' || s[1] == '\''))
			buf_adds(out, "\\&");
	}
}

static const char *value_name(const struct opt *o)
{
	static const char *const names[] = {
		[OPT_T_STR] = "string",	       [OPT_T_INT] = "int",   [OPT_T_SIZE] = "bytes",
		[OPT_T_DURATION] = "duration", [OPT_T_LIST] = "list", [OPT_T_FLOAT] = "decimal",
		[OPT_T_ENUM] = "string",
	};

	return o->arg ? o->arg : o->type == OPT_T_BOOL ? "" : names[o->type];
}

static void man_opts(const struct opt *opts, const char *heading, bool refused, struct buf *out)
{
	bool any = false;

	for (const struct opt *o = opts; o && o->type != OPT_T_END; o++) {
		if (refused ? !(o->flags & OPT_REFUSED) : !shown(o))
			continue;
		if (!any)
			buf_addf(out, ".SH %s\n", heading);
		any = true;
		buf_adds(out, ".TP\n");
		if (o->letter)
			buf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
		buf_adds(out, "\\fB\\-\\-");
		roff(o->name, out);
		buf_addf(out, "\\fR%s\\fI%s\\fR\n", *value_name(o) ? " " : "", value_name(o));
		roff(o->help, out);
		if (o->type == OPT_T_ENUM && o->choices) {
			buf_adds(out, " (");
			for (const char *const *c = o->choices; *c; c++)
				buf_addf(out, "%s%s", c == o->choices ? "" : "|", *c);
			buf_adds(out, ")");
		}
		buf_adds(out, ".\n");
	}
}

void docs_man_name(const struct cmd_program *prog, const struct cmd *cmd, char *dst, size_t n)
{
	(void)snprintf(dst, n, "%s%s%s.1", prog->name, cmd ? "-" : "", cmd ? cmd->path : "");
	for (char *c = dst; *c; c++)
		if (*c == ' ')
			*c = '-';
}

static void man_head(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out)
{
	char name[128], *dot;

	docs_man_name(prog, cmd, name, sizeof(name));
	dot = strrchr(name, '.');
	*dot = '\0';
	buf_addf(out, ".TH \"%s\" 1 \"\" \"%s %s\"\n.SH NAME\n", name, prog->name, prog->version);
	roff(name, out);
	buf_adds(out, " \\- ");
	roff(cmd ? cmd->help : prog->summary, out);
	buf_adds(out, "\n.SH SYNOPSIS\n.B ");
	roff(prog->name, out);
	buf_addf(out, " %s\n", cmd ? cmd->path : "");
	roff(cmd ? (cmd->args ? cmd->args : "") : "[OPTIONS] COMMAND", out);
	buf_addc(out, '\n');
}

static void man_program(const struct cmd_program *prog, struct buf *out)
{
	man_opts(prog->global_opts, "OPTIONS", false, out);
	buf_adds(out, ".SH COMMANDS\n");
	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];

		if (!listed(c))
			continue;
		buf_addf(out, ".TP\n\\fB%s\\fR\n", c->path);
		roff(c->help, out);
		buf_adds(out, ".\n");
	}
	man_opts(prog->global_opts, "OPTIONS THAT ARE REFUSED", true, out);
}

void docs_man(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out)
{
	char name[128];

	man_head(prog, cmd, out);
	if (!cmd) {
		man_program(prog, out);
		return;
	}
	buf_adds(out, ".SH DESCRIPTION\n");
	roff(cmd->help, out);
	buf_adds(out, ".\n");
	if (cmd->details) {
		buf_adds(out, ".PP\n");
		roff(cmd->details, out);
		buf_addc(out, '\n');
	}
	if (cmd->aliases && *cmd->aliases) {
		buf_adds(out, ".PP\nAlso called");
		for (const char *const *a = cmd->aliases; *a; a++)
			buf_addf(out, "%s \\fB%s %s\\fR", a == cmd->aliases ? "" : ",", prog->name,
				 *a);
		buf_adds(out, ".\n");
	}
	man_opts(cmd->opts, "OPTIONS", false, out);
	man_opts(cmd->opts, "OPTIONS THAT ARE REFUSED", true, out);
	docs_man_name(prog, NULL, name, sizeof(name));
	buf_addf(out, ".SH SEE ALSO\n.BR %.*s (1)\n", (int)strcspn(name, "."), name);
}
