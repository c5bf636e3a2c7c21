/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line program: one table of commands (cmds.h), each in its own file, over the Docker
 * Engine API. What the commands share is here.
 *
 * A command returns its exit status, or negative with err, which cli_main prints; statuses of its
 * own (run's 125, 126, 127) it returns itself. Output is built in a buffer and written once.
 */
#pragma once

#include "base/cmd.h"
#include "base/str.h"

#include <stdbool.h>

struct arena;
struct doc;
struct docker_client;
struct err;

/* Options before the command; after cli_before nothing of it is NULL but client. */
struct cli_global {
	const char *root; /* --root, TEU_ROOT, /var/lib/teu */
	const char *run;  /* --run, TEU_RUN, /run/teu */
	const char *host; /* --host, TEU_HOST (DOCKER_HOST under the name docker),
			     unix://<run>/teu.sock */
	bool debug;
	const char *const *engine_args; /* more words for an engine that is started, or NULL */
	struct docker_client *client;	/* made by the first cli_client */
};
extern const struct opt cli_global_opts[];
/* The whole table, without a program name. */
extern const struct cmd *const cli_cmds[];
extern const size_t cli_cmds_n;
#define CLI_SUMMARY "Containers on one machine and many: runtime, engine, images, builds"

/* name: of the link it was called by. */
struct cmd_program cli_program(const char *name);
int cli_main(int argc, char **argv);
/* Fills in the defaults of the globals (cmd_main's before). */
int cli_before(struct cmd_call *call, struct err *err);

static inline struct cli_global *cli_of(const struct cmd_call *call)
{
	return call->global;
}

/* ---- the engine ---- */

/* The client of this call; nothing is sent yet. An engine is started when none listens
 * at our own socket (<run>/teu.sock); an address given that is another one starts nothing. */
int cli_client(struct cmd_call *call, struct docker_client **ret, struct err *err);
/*
 * Starts `teu engine` with the same root, run and host as a process of its own, its output in
 * <run>/engine.log, and returns when it answers. Safe beside others that do the same. When it
 * cannot start, err tells what it wrote.
 */
int cli_engine_spawn(const struct cli_global *g, struct err *err);

/* ---- output ---- */

#define CLI_OUT_MAX (256u << 20)
int cli_write(int fd, const struct buf *out, struct err *err);
/* Prints "<message>\n" to stderr as the final word on an error. */
void cli_complain(const struct err *err);
/*
 * Calls fn for each argument; prints the failures and goes on; the status of all. echo: the
 * argument is printed after each success, unless fn returned 1.
 */
int cli_each(struct cmd_call *call, bool echo,
	     int (*fn)(struct cmd_call *call, const char *arg, struct err *err));

/* "k=v" words of --filter as docker's JSON {"k":{"v":true}}; NULL when there are none. */
int cli_filters(struct arena *a, const struct opt_list *l, const char **ret, struct err *err);
/* A target with name=value for each value, behind what it has. NULL target, or past the arena's
 * maximum: NULL. */
const char *cli_add_queries(struct arena *a, const char *target, const char *name,
			    const struct opt_list *values);
/* "linux/arm64/v8,linux/amd64" as the API wants each: key ("platform")=, an OCI platform object. */
int cli_add_platforms(struct arena *a, const char *key, const struct opt_list *l,
		      const char **target, struct err *err);
/* "repo:tag" at the colon behind the last slash; *ret_tag NULL without one. */
void cli_split_name(struct arena *a, const char *ref, const char **ret_repo, const char **ret_tag);
const char *cli_short_id(struct arena *a, struct slice id); /* 12 digits, without "sha256:" */
/* A --since or --until: durations count back from our clock, so the engine gets unix time. NULL
 * stays NULL. */
int cli_when(struct arena *a, const char *flag, const char *text, const char **ret,
	     struct err *err);
/* Member as C string, "" when absent. */
const char *cli_text(struct arena *a, const struct doc *d, const char *path);
int64_t cli_int(const struct doc *d, const char *path);

#define CLI_COMMON "Common Commands"
#define CLI_CONTAINERS "Container Commands"
#define CLI_IMAGES "Image Commands"
#define CLI_SYSTEM "System Commands"
