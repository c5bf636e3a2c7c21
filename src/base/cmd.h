/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from tables: one struct cmd per leaf command, its options as rows that say type,
 * target, help. Parsing, help, shell completion and man pages all read the same rows (the last two
 * in src/cli).
 *
 * Syntax: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, bundled booleans -it, --flag=false for
 * booleans,
 * "--" ends options. With CMD_OPTS_FIRST options end at the first argument (docker run, exec).
 */
#pragma once

#include "base/cleanup.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct cmd;

enum opt_type {
	OPT_T_END,
	OPT_T_BOOL,	/* bool */
	OPT_T_STR,	/* const char * */
	OPT_T_INT,	/* int64_t */
	OPT_T_SIZE,	/* int64_t bytes: "64m", "1g", "512" (b k m g t, case-insensitive, optional
			   "b"/"ib") */
	OPT_T_DURATION, /* int64_t ns, Go form */
	OPT_T_LIST,	/* struct opt_list: may repeat */
	OPT_T_FLOAT,	/* double */
	OPT_T_ENUM,	/* const char *, one of .choices */
};

struct opt_list {
	const char **v;
	size_t n;
};

#define OPT_HIDDEN 1u	 /* not in help */
#define OPT_REFUSED 2u	 /* known, but refused by name: "--x is not supported: <help>" */
#define OPT_UNLIMITED 4u /* OPT_T_SIZE: -1 is allowed too */

struct opt {
	enum opt_type type;
	const char *name; /* long name without dashes */
	char letter;	  /* or 0 */
	const char *arg;  /* name of the value in help; NULL = by type */
	const char *help;
	const char *const *choices; /* OPT_T_ENUM, NULL-terminated */
	size_t offset;		    /* in the command's option struct */
	size_t seen;		    /* offset of a bool set when given, or SIZE_MAX */
	uint32_t flags;
};

#define OPT(type_, kind, field, name_, letter_, help_)                                 \
	{                                                                              \
		.type = OPT_T_##kind, .name = name_, .letter = letter_, .help = help_, \
		.offset = offsetof(type_, field), .seen = SIZE_MAX                     \
	}
#define OPT_SEEN_AT(type_, kind, field, seen_, name_, letter_, help_)                  \
	{                                                                              \
		.type = OPT_T_##kind, .name = name_, .letter = letter_, .help = help_, \
		.offset = offsetof(type_, field), .seen = offsetof(type_, seen_)       \
	}
#define OPT_CHOICE(type_, field, name_, letter_, choices_, help_)                       \
	{                                                                               \
		.type = OPT_T_ENUM, .name = name_, .letter = letter_, .help = help_,    \
		.choices = choices_, .offset = offsetof(type_, field), .seen = SIZE_MAX \
	}
#define OPT_NOT_SUPPORTED(kind, name_, letter_, why_)                                 \
	{                                                                             \
		.type = OPT_T_##kind, .name = name_, .letter = letter_, .help = why_, \
		.seen = SIZE_MAX, .flags = OPT_REFUSED                                \
	}
#define OPT_END                   \
	{                         \
		.type = OPT_T_END \
	}

#define CMD_OPTS_FIRST 1u /* options end at the first argument */
#define CMD_NEEDS_ENGINE 2u
#define CMD_HIDDEN 4u
#define CMD_OWN_OPTS                                                                \
	8u /* all words behind the command are arguments: it has a table of its own \
	    */

struct cmd_call {
	struct arena *arena; /* freed after run */
	const struct cmd *cmd;
	void *global; /* the program's own option struct */
	void *opts;   /* the command's option struct, zeroed then filled */
	char **args;  /* what is left, NULL-terminated */
	size_t nargs;
	const char *program; /* argv[0]'s last part */
};

struct cmd {
	const char *path;	    /* "run", "image pull" */
	const char *const *aliases; /* whole paths ("images"); NULL-terminated, or NULL */
	const char *args;    /* "[OPTIONS] IMAGE [COMMAND] [ARG...]" without the command itself */
	const char *help;    /* one line */
	const char *details; /* longer text for --help and man, or NULL */
	const struct opt *opts; /* NULL = none */
	size_t opts_size;
	uint8_t min, max; /* arguments; UINT8_MAX = any */
	uint32_t flags;
	const char *group; /* heading in the program's help */
	/* Exit status of the program; on negative the caller prints err and maps it. */
	int (*run)(struct cmd_call *call, struct err *err);
};

struct cmd_program {
	const char *name, *summary, *version;
	const struct opt *global_opts;
	size_t global_size;
	const struct cmd *const *cmds;
	size_t ncmds;
	int usage_status; /* exit status of a usage error: docker 125 for run, 1 elsewhere: usually
			     1 */
};

/* Finds the command (longest path match), parses, runs. Prints help (--help, -h alone, "help
 * [COMMAND]") to stdout and usage errors to stderr. before(), if not NULL, runs after parsing and
 * before the command: a negative return stops. Returns the exit status; *err holds the failure when
 * the command returned negative (status is then -1). */
int cmd_main(const struct cmd_program *prog, int argc, char **argv,
	     int (*before)(struct cmd_call *call, struct err *err), struct err *err);
/* Pieces, for tests and for the other readers of the tables. */
const struct cmd *cmd_find(const struct cmd_program *prog, int argc, char **argv, int *ret_words);
/*
 * argc/argv: the words after the command; on success what is left, as a new NULL-terminated array.
 * 0; 1 = --help was met (nothing after it was read); -ERR_INVALID or (refused rows)
 * -ERR_UNSUPPORTED.
 */
int cmd_parse_opts(struct arena *a, const struct opt *opts, void *target, bool opts_first,
		   int *argc, char ***argv, struct err *err);
/* "64m", "1.5g", "512": powers of 1024, never negative. */
int cmd_parse_size(struct slice s, int64_t *ret, struct err *err);
/* cmd == NULL: the program's own help. */
void cmd_print_help(const struct cmd_program *prog, const struct cmd *cmd, struct buf *out);
