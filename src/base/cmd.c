/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from tables: finding the command, reading its options, help in docker's layout.
 * Wording of usage errors follows docker's where scripts are known to look at it (unknown flag,
 * argument counts).
 */
#include "base/cmd.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

#include <math.h>
#include <stdlib.h>

#define ARGS_MAX \
	(16u * 1024 * 1024) /* of memory: more than the kernel's limit of an exec allows by far */
#define HELP_MAX (256u * 1024)
#define WORD_MAX 64 /* longer words are not compared for suggestions */

static const struct opt no_opts[] = { OPT_END };

/* ---- suggestions ---- */

/* Edit distance where swapping two neighbours counts once (optimal string alignment). */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned rows[3][WORD_MAX + 1];

	for (unsigned j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			row[j] =
				MIN(MIN(up[j], row[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], up2[j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

struct nearest {
	const char *word, *best;
	unsigned at;
};

static void nearer(struct nearest *n, const char *name)
{
	size_t a = strlen(n->word), b = strlen(name);
	unsigned d, limit = a < 4 ? 1 : 2;

	if (a == 0 || a > WORD_MAX || b > WORD_MAX)
		return;
	d = distance(n->word, a, name, b);
	if (d <= limit && (!n->best || d < n->at)) {
		n->best = name;
		n->at = d;
	}
}

static const char *suggest_cmd(const struct cmd_program *prog, const char *word)
{
	struct nearest n = { .word = word };

	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];

		if (c->flags & CMD_HIDDEN)
			continue;
		nearer(&n, c->path);
		for (const char *const *a = c->aliases; a && *a; a++)
			nearer(&n, *a);
	}
	return n.best;
}

static const char *suggest_opt(const struct opt *opts, const char *name)
{
	struct nearest n = { .word = name };

	for (const struct opt *o = opts; o->type != OPT_T_END; o++)
		if (o->name && !(o->flags & (OPT_HIDDEN | OPT_REFUSED)))
			nearer(&n, o->name);
	return n.best;
}

/* ---- finding the command ---- */

/* Number of words of `path` if argv starts with all of them, else 0. */
static int match_path(const char *path, int argc, char **argv)
{
	struct slice rest = slice_str(path);
	int n = 0;

	while (rest.p) {
		struct slice word = slice_split(&rest, ' ');

		if (n >= argc || !slice_is(word, argv[n]))
			return 0;
		n++;
	}
	return n;
}

const struct cmd *cmd_find(const struct cmd_program *prog, int argc, char **argv, int *ret_words)
{
	const struct cmd *best = NULL;
	int words = 0, n;

	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];

		n = match_path(c->path, argc, argv);
		for (const char *const *a = c->aliases; a && *a; a++)
			n = MAX(n, match_path(*a, argc, argv));
		if (n > words) {
			words = n;
			best = c;
		}
	}
	*ret_words = words;
	return best;
}

/* Is `word` the first word of commands of several words ("image" of "image pull")? */
static bool is_family(const struct cmd_program *prog, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < prog->ncmds; i++)
		if (strncmp(prog->cmds[i]->path, word, n) == 0 && prog->cmds[i]->path[n] == ' ')
			return true;
	return false;
}

/* ---- values ---- */

int cmd_parse_size(struct slice s, int64_t *ret, struct err *err)
{
	static const char units[] = "bkmgtp";
	struct slice rest = s, number = s;
	uint64_t whole = 0, frac = 0, scale = 1, unit = 1, v;
	const char *at;

	if (s.n == 0 || s.n > 40)
		goto bad;
	/* The unit: one letter, then optionally "b" or "ib". */
	while (number.n && !(number.p[number.n - 1] >= '0' && number.p[number.n - 1] <= '9'))
		number.n--;
	rest = slice_of(s.p + number.n, s.n - number.n);
	if (rest.n) {
		at = strchr(units, rest.p[0] | 32);
		if (!at || !*at)
			goto bad;
		unit = 1ull << (10 * (at - units));
		rest = slice_of(rest.p + 1, rest.n - 1);
		if (rest.n && (at == units ||
			       (!slice_ieq(rest, SLICE("b")) && !slice_ieq(rest, SLICE("ib")))))
			goto bad;
	}
	rest = number;
	number = slice_split(&rest, '.');
	if (str_uint64(number, &whole, NULL) < 0)
		goto bad;
	if (rest.p && (rest.n > 9 || str_uint64(rest, &frac, NULL) < 0))
		goto bad;
	for (size_t i = 0; i < rest.n; i++)
		scale *= 10;
	/* frac < 2^30 and unit <= 2^50: splitting the unit keeps the product within 64 bits. */
	if (__builtin_mul_overflow(whole, unit, &v) ||
	    __builtin_add_overflow(v, (uint64_t)((double)frac / (double)scale * (double)unit),
				   &v) ||
	    v > INT64_MAX)
		goto bad;
	*ret = (int64_t)v;
	return 0;
bad:
	return err_set(err, ERR_INVALID, "'%.*s' is not a size such as 512, 64m or 1.5g",
		       (int)MIN(s.n, (size_t)64), s.p ? s.p : "");
}

static int parse_bool(struct slice s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (slice_is(s, yes[i]) || slice_is(s, no[i])) {
			*ret = slice_is(s, yes[i]);
			return 0;
		}
	}
	return -1;
}

static int parse_float(const char *text, double *ret, struct err *err)
{
	char *end;

	/* strtod alone would take blanks, hexadecimal, inf and nan. */
	if (*text && strspn(text, "0123456789.eE+-") == strlen(text)) {
		*ret = strtod(text, &end);
		if (!*end && isfinite(*ret))
			return 0;
	}
	return err_set(err, ERR_INVALID, "not a number");
}

static int list_add(struct arena *a, struct opt_list *l, const char *value, struct err *err)
{
	/* Room doubles whenever the count is a power of two. */
	if ((l->n & (l->n - 1)) == 0) {
		size_t cap = l->n ? l->n * 2 : 1;
		const char **v = arena_grow(a, (void *)l->v, l->n * sizeof(*v), cap * sizeof(*v));

		if (!v)
			return arena_quota(a, err);
		l->v = v;
	}
	l->v[l->n++] = value;
	return 0;
}

static int enum_check(const struct opt *o, const char *value, struct err *err)
{
	char text[256] = "";
	size_t n = 0;

	if (str_is_one_of(value, o->choices))
		return 0;
	for (const char *const *c = o->choices; *c && n + strlen(*c) + 3 < sizeof(text); c++) {
		if (n) {
			str_copy(text + n, sizeof(text) - n, ", ");
			n += 2;
		}
		str_copy(text + n, sizeof(text) - n, *c);
		n += strlen(*c);
	}
	return err_set(err, ERR_INVALID, "must be one of: %s", text);
}

static int store_value(struct arena *a, const struct opt *o, void *at, const char *value,
		       struct err *err)
{
	struct slice s = slice_str(value);

	switch (o->type) {
	case OPT_T_BOOL:
		if (parse_bool(s, at) < 0)
			return err_set(err, ERR_INVALID, "must be true or false");
		return 0;
	case OPT_T_STR: *(const char **)at = value; return 0;
	case OPT_T_INT: return str_int64(s, at, err);
	case OPT_T_SIZE:
		if ((o->flags & OPT_UNLIMITED) && slice_is(s, "-1")) {
			*(int64_t *)at = -1;
			return 0;
		}
		return cmd_parse_size(s, at, err);
	case OPT_T_DURATION: return clock_parse_duration(s, at, err);
	case OPT_T_LIST: return list_add(a, at, value, err);
	case OPT_T_FLOAT: return parse_float(value, at, err);
	case OPT_T_ENUM: *(const char **)at = value; return enum_check(o, value, err);
	case OPT_T_END: break;
	}
	return err_set(err, ERR_SYSTEM, "option table is broken");
}

/* ---- options ---- */

struct parser {
	struct arena *arena;
	const struct opt *opts;
	char *target;
	char **argv; /* words not read yet */
	int argc;
};

static int set_opt(struct parser *p, const struct opt *o, const char *value, struct err *err)
{
	char letter[8] = "";
	struct err why = { 0 };
	int r;

	r = store_value(p->arena, o, p->target + o->offset, value, &why);
	if (r < 0) {
		if (o->letter) {
			letter[0] = '-';
			letter[1] = o->letter;
			str_copy(letter + 2, sizeof(letter) - 2, ", ");
		}
		return err_set(err, why.code, "invalid argument \"%s\" for \"%s--%s\" flag: %s",
			       value, letter, o->name, why.msg);
	}
	if (o->seen != SIZE_MAX)
		*(bool *)(void *)(p->target + o->seen) = true;
	return 0;
}

static int refuse(const struct opt *o, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "--%s is not supported%s%s", o->name,
		       o->help && *o->help ? ": " : "", o->help ? o->help : "");
}

/* The value of an option that needs one: what is attached, or the next word. */
static const char *take_value(struct parser *p, const char *attached)
{
	if (attached)
		return attached;
	if (!p->argc)
		return NULL;
	p->argc--;
	return *p->argv++;
}

static int long_opt(struct parser *p, const char *word, struct err *err)
{
	const char *eq = strchr(word, '='), *value, *near;
	struct slice name = slice_of(word, eq ? (size_t)(eq - word) : strlen(word));
	const struct opt *o = p->opts;
	char *copy;

	while (o->type != OPT_T_END && !(o->name && slice_is(name, o->name)))
		o++;
	if (o->type == OPT_T_END) {
		copy = arena_strndup(p->arena, name.p, name.n);
		if (!copy)
			return arena_quota(p->arena, err);
		near = suggest_opt(p->opts, copy);
		(void)err_set(err, ERR_INVALID, "unknown flag: --%s", copy);
		return near ? err_hint(err, "did you mean --%s?", near) : -ERR_INVALID;
	}
	if (o->flags & OPT_REFUSED)
		return refuse(o, err);
	if (o->type == OPT_T_BOOL && !eq)
		return set_opt(p, o, "true", err);
	value = take_value(p, eq ? eq + 1 : NULL);
	if (!value)
		return err_set(err, ERR_INVALID, "flag needs an argument: --%s", o->name);
	return set_opt(p, o, value, err);
}

/* "-it", "-nVALUE", "-n=VALUE", "-n VALUE", "-i=false". */
static int letters(struct parser *p, const char *word, struct err *err)
{
	for (const char *c = word; *c; c++) {
		const struct opt *o = p->opts;
		const char *value;
		int r;

		while (o->type != OPT_T_END && o->letter != *c)
			o++;
		if (o->type == OPT_T_END)
			return err_set(err, ERR_INVALID, "unknown shorthand flag: '%c' in -%s", *c,
				       word);
		if (o->flags & OPT_REFUSED)
			return refuse(o, err);
		if (o->type == OPT_T_BOOL && c[1] != '=') {
			r = set_opt(p, o, "true", err);
			if (r < 0)
				return r;
			continue;
		}
		value = take_value(p, c[1] == '=' ? c + 2 : c[1] ? c + 1 : NULL);
		if (!value)
			return err_set(err, ERR_INVALID, "flag needs an argument: '%c' in -%s", *c,
				       word);
		return set_opt(p, o, value, err);
	}
	return 0;
}

static bool has_opt(const struct opt *opts, const char *name, char letter)
{
	for (const struct opt *o = opts; o->type != OPT_T_END; o++)
		if ((name && o->name && strcmp(o->name, name) == 0) ||
		    (letter && o->letter == letter))
			return true;
	return false;
}

int cmd_parse_opts(struct arena *a, const struct opt *opts, void *target, bool opts_first,
		   int *argc, char ***argv, struct err *err)
{
	struct parser p = { a, opts ? opts : no_opts, target, *argv, *argc };
	char **left = arena_alloc_array(a, (size_t)*argc + 1, sizeof(*left));
	bool ended = false;
	int n = 0, r = 0;

	if (!left)
		return arena_quota(a, err);
	while (p.argc) {
		char *word = *p.argv++;

		p.argc--;
		if (ended || word[0] != '-' || !word[1]) {
			left[n++] = word;
			ended = ended || opts_first;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			ended = true;
			continue;
		}
		if (strcmp(word, "--help") == 0 && !has_opt(p.opts, "help", 0))
			return 1;
		r = word[1] == '-' ? long_opt(&p, word + 2, err) : letters(&p, word + 1, err);
		if (r < 0)
			return r;
	}
	*argc = n;
	*argv = left;
	return 0;
}

/* ---- help ---- */

static const char *value_name(const struct opt *o)
{
	static const char *const names[] = {
		[OPT_T_STR] = "string",	       [OPT_T_INT] = "int",   [OPT_T_SIZE] = "bytes",
		[OPT_T_DURATION] = "duration", [OPT_T_LIST] = "list", [OPT_T_FLOAT] = "decimal",
		[OPT_T_ENUM] = "string",
	};

	if (o->arg)
		return o->arg;
	return o->type == OPT_T_BOOL ? "" : names[o->type];
}

static bool opt_shown(const struct opt *o)
{
	return !(o->flags & (OPT_HIDDEN | OPT_REFUSED));
}

static size_t opt_width(const struct opt *o)
{
	size_t arg = strlen(value_name(o));

	return strlen(o->name) + (arg ? arg + 1 : 0);
}

static void print_opts(const struct opt *opts, const char *heading, struct buf *out)
{
	size_t width = 0;

	for (const struct opt *o = opts; o && o->type != OPT_T_END; o++)
		if (opt_shown(o))
			width = MAX(width, opt_width(o));
	if (!width)
		return;
	buf_addf(out, "\n%s:\n", heading);
	for (const struct opt *o = opts; o->type != OPT_T_END; o++) {
		const char *arg = value_name(o);

		if (!opt_shown(o))
			continue;
		if (o->letter)
			buf_addf(out, "  -%c, ", o->letter);
		else
			buf_adds(out, "      ");
		buf_addf(out, "--%s%s%s%*s   %s", o->name, *arg ? " " : "", arg,
			 (int)(width - opt_width(o)), "", o->help);
		if (o->type == OPT_T_ENUM) {
			buf_adds(out, " (");
			for (const char *const *c = o->choices; *c; c++)
				buf_addf(out, "%s%s", c == o->choices ? "" : "|", *c);
			buf_adds(out, ")");
		}
		buf_addc(out, '\n');
	}
}

static void print_usage(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out)
{
	buf_addf(out, "Usage:  %s %s%s%s\n\n%s\n", prog->name, cmd->path,
		 cmd->args && *cmd->args ? " " : "", cmd->args ? cmd->args : "", cmd->help);
}

static void print_cmd(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out)
{
	print_usage(prog, cmd, out);
	if (cmd->details)
		buf_addf(out, "\n%s\n", cmd->details);
	if (cmd->aliases && *cmd->aliases) {
		buf_addf(out, "\nAliases:\n  %s %s", prog->name, cmd->path);
		for (const char *const *a = cmd->aliases; *a; a++)
			buf_addf(out, ", %s %s", prog->name, *a);
		buf_addc(out, '\n');
	}
	print_opts(cmd->opts, "Options", out);
}

/* A command without a heading and of several words is shown only with its family. */
static size_t family_word(const struct cmd *c)
{
	const char *space = c->group ? NULL : strchr(c->path, ' ');

	return space ? (size_t)(space - c->path) : 0;
}

static const char *heading(const struct cmd *c)
{
	return c->group ? c->group : "Commands";
}

static bool same_family(const struct cmd *a, const struct cmd *b)
{
	size_t n = family_word(a);

	return n && n == family_word(b) && memcmp(a->path, b->path, n) == 0;
}

static size_t name_width(const struct cmd_program *prog)
{
	size_t width = 0;

	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];

		if (!(c->flags & CMD_HIDDEN))
			width = MAX(width, family_word(c) ? family_word(c) : strlen(c->path));
	}
	return width;
}

/* All commands under the heading of row `first`, if that is the first row with it. */
static void print_heading(const struct cmd_program *prog, size_t first, size_t width,
			  struct buf *out)
{
	const struct cmd *head = prog->cmds[first];

	for (size_t i = 0; i < first; i++)
		if (!(prog->cmds[i]->flags & CMD_HIDDEN) && !family_word(prog->cmds[i]) &&
		    strcmp(heading(prog->cmds[i]), heading(head)) == 0)
			return;
	buf_addf(out, "\n%s:\n", heading(head));
	for (size_t i = first; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];

		if (!(c->flags & CMD_HIDDEN) && !family_word(c) &&
		    strcmp(heading(c), heading(head)) == 0)
			buf_addf(out, "  %-*s   %s\n", (int)width, c->path, c->help);
	}
}

/* One line a family: "image   ls, pull, rm". */
static void print_families(const struct cmd_program *prog, size_t width, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < prog->ncmds; i++) {
		const struct cmd *c = prog->cmds[i];
		bool first = !(c->flags & CMD_HIDDEN) && family_word(c);
		const char *sep = "";

		for (size_t j = 0; first && j < i; j++)
			first = (prog->cmds[j]->flags & CMD_HIDDEN) ||
				!same_family(prog->cmds[j], c);
		if (!first)
			continue;
		if (!any)
			buf_adds(out, "\nManagement Commands:\n");
		any = true;
		buf_addf(out, "  %-*.*s   ", (int)width, (int)family_word(c), c->path);
		for (size_t j = i; j < prog->ncmds; j++) {
			if ((prog->cmds[j]->flags & CMD_HIDDEN) || !same_family(prog->cmds[j], c))
				continue;
			buf_addf(out, "%s%s", sep, prog->cmds[j]->path + family_word(c) + 1);
			sep = ", ";
		}
		buf_addc(out, '\n');
	}
}

static void print_program(const struct cmd_program *prog, struct buf *out)
{
	size_t width = name_width(prog);

	buf_addf(out, "Usage:  %s [OPTIONS] COMMAND\n\n%s\n", prog->name, prog->summary);
	for (size_t i = 0; i < prog->ncmds; i++)
		if (!(prog->cmds[i]->flags & CMD_HIDDEN) && !family_word(prog->cmds[i]))
			print_heading(prog, i, width, out);
	print_families(prog, width, out);
	print_opts(prog->global_opts, "Global Options", out);
	buf_addf(out, "\nRun '%s COMMAND --help' for more information on a command.\n", prog->name);
}

static void print_family(const struct cmd_program *prog, const char *word, struct buf *out)
{
	size_t n = strlen(word), width = 0;

	for (int pass = 0; pass < 2; pass++) {
		if (pass)
			buf_addf(out, "Usage:  %s %s COMMAND\n\nCommands:\n", prog->name, word);
		for (size_t i = 0; i < prog->ncmds; i++) {
			const struct cmd *c = prog->cmds[i];

			if ((c->flags & CMD_HIDDEN) || strncmp(c->path, word, n) != 0 ||
			    c->path[n] != ' ')
				continue;
			if (pass)
				buf_addf(out, "  %-*s   %s\n", (int)width, c->path + n + 1,
					 c->help);
			width = MAX(width, strlen(c->path + n + 1));
		}
	}
	buf_addf(out, "\nRun '%s %s COMMAND --help' for more information on a command.\n",
		 prog->name, word);
}

void cmd_print_help(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out)
{
	if (cmd)
		print_cmd(prog, cmd, out);
	else
		print_program(prog, out);
}

/* ---- the whole ---- */

static int show(int fd, struct buf *out, int status)
{
	/* Nobody is left to tell when standard output or error is gone. */
	(void)fd_write_all(fd, buf_str(out), out->n);
	return status;
}

static int show_help(const struct cmd_program *prog, const struct cmd *cmd)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(HELP_MAX);

	cmd_print_help(prog, cmd, &out);
	return show(1, &out, 0);
}

/* A wrong command line: the message, then where to read more. */
static int usage_error(const struct cmd_program *prog, const struct cmd *cmd, const char *msg)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(HELP_MAX);

	buf_addf(&out, "%s: %s\nSee '%s%s%s --help'.\n", prog->name, msg, prog->name,
		 cmd ? " " : "", cmd ? cmd->path : "");
	return show(2, &out, prog->usage_status);
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

/* The words of docker's argument count errors. */
static int count_error(const struct cmd_program *prog, const struct cmd *c)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(HELP_MAX);

	buf_addf(&out, "\"%s %s\" ", prog->name, c->path);
	if (c->max == 0)
		buf_adds(&out, "accepts no arguments.");
	else if (c->max == c->min)
		buf_addf(&out, "requires exactly %u argument%s.", c->min, plural(c->min));
	else if (c->max == UINT8_MAX)
		buf_addf(&out, "requires at least %u argument%s.", c->min, plural(c->min));
	else if (c->min == 0)
		buf_addf(&out, "requires at most %u argument%s.", c->max, plural(c->max));
	else
		buf_addf(&out, "requires at least %u and at most %u arguments.", c->min, c->max);
	buf_addf(&out, "\nSee '%s %s --help'.\n\n", prog->name, c->path);
	print_usage(prog, c, &out);
	return show(2, &out, prog->usage_status);
}

static int not_found(const struct cmd_program *prog, int argc, char **argv)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(HELP_MAX);
	CLEANUP(buf_fini) struct buf word = BUF_INIT(HELP_MAX);
	const char *near;
	bool family = is_family(prog, argv[0]);

	if (family && (argc == 1 || argv[1][0] == '-')) {
		print_family(prog, argv[0], &out);
		return show(1, &out, 0);
	}
	buf_adds(&word, argv[0]);
	if (family)
		buf_addf(&word, " %s", argv[1]);
	near = suggest_cmd(prog, buf_str(&word));
	buf_addf(&out, "%s: '%s' is not a %s command.\n", prog->name, buf_str(&word), prog->name);
	if (near)
		buf_addf(&out, "Did you mean '%s %s'?\n", prog->name, near);
	buf_addf(&out, "See '%s --help'.\n", prog->name);
	return show(2, &out, prog->usage_status);
}

/* "help", "help image pull", "-h", "--version" and no word at all. 1 = was one of them. */
static int builtin(const struct cmd_program *prog, int argc, char **argv, int *ret_status)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(HELP_MAX);
	const struct opt *g = prog->global_opts ? prog->global_opts : no_opts;
	const struct cmd *cmd = NULL;
	int words;

	if (argc && ((strcmp(argv[0], "--version") == 0 && !has_opt(g, "version", 0)) ||
		     (strcmp(argv[0], "-v") == 0 && !has_opt(g, NULL, 'v')))) {
		buf_addf(&out, "%s version %s\n", prog->name, prog->version);
		*ret_status = show(1, &out, 0);
		return 1;
	}
	if (argc && strcmp(argv[0], "help") == 0 && !cmd_find(prog, 1, argv, &words)) {
		if (argc > 1)
			cmd = cmd_find(prog, argc - 1, argv + 1, &words);
		*ret_status = argc > 1 && !cmd ? not_found(prog, argc - 1, argv + 1)
					       : show_help(prog, cmd);
		return 1;
	}
	if (argc && !(argc == 1 && strcmp(argv[0], "-h") == 0))
		return 0;
	*ret_status = show_help(prog, NULL);
	return 1;
}

static int run_cmd(const struct cmd_program *prog, struct cmd_call *call, int argc, char **argv,
		   int (*before)(struct cmd_call *call, struct err *err), struct err *err)
{
	const struct cmd *cmd = call->cmd;
	int r;

	if (argc == 1 && strcmp(argv[0], "-h") == 0 && !(cmd->flags & CMD_OWN_OPTS))
		return show_help(prog, cmd);
	call->opts = arena_alloc(call->arena, cmd->opts_size);
	r = call->opts ? 0 : arena_quota(call->arena, err);
	if (r == 0 && !(cmd->flags & CMD_OWN_OPTS))
		r = cmd_parse_opts(call->arena, cmd->opts, call->opts, cmd->flags & CMD_OPTS_FIRST,
				   &argc, &argv, err);
	if (r == 1)
		return show_help(prog, cmd);
	if (r < 0)
		return usage_error(prog, cmd, err->msg);
	if (argc < cmd->min || (cmd->max != UINT8_MAX && argc > cmd->max))
		return count_error(prog, cmd);
	call->args = argv;
	call->nargs = (size_t)argc;
	r = before ? before(call, err) : 0;
	if (r >= 0)
		r = cmd->run(call, err);
	return r < 0 ? -1 : r;
}

int cmd_main(const struct cmd_program *prog, int argc, char **argv,
	     int (*before)(struct cmd_call *call, struct err *err), struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("command line", ARGS_MAX);
	struct cmd_call call = { .arena = a, .program = prog->name };
	struct err local = { 0 };
	int words, r, status;

	if (!err)
		err = &local;
	if (argc > 0) {
		const char *slash = strrchr(argv[0], '/');

		call.program = slash ? slash + 1 : argv[0];
		argc--;
		argv++;
	}
	if (builtin(prog, argc, argv, &status))
		return status;
	call.global = arena_alloc(a, prog->global_size);
	r = call.global ? cmd_parse_opts(a, prog->global_opts, call.global, true, &argc, &argv, err)
			: arena_quota(a, err);
	if (r == 1)
		return show_help(prog, NULL);
	if (r < 0)
		return usage_error(prog, NULL, err->msg);
	if (builtin(prog, argc, argv, &status))
		return status;
	call.cmd = cmd_find(prog, argc, argv, &words);
	if (!call.cmd)
		return not_found(prog, argc, argv);
	return run_cmd(prog, &call, argc - words, argv + words, before, err);
}
