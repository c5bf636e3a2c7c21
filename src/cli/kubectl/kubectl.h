/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `teu kubectl`: kubectl's command line over src/client. One table of commands (kubectl-cmds.h);
 * global flags may stand anywhere. What is printed is what kubectl 1.32 prints, byte for byte;
 * docs/kubectl.md has the differences.
 *
 * A command writes to `out`, which goes to stdout when it has ended; complaints about single
 * objects are collected (kubectl_note) and follow on stderr.
 */
#pragma once

#include "base/cmd.h"
#include "base/str.h"
#include "client/client.h"
#include "client/discovery.h"
#include "client/kubeconfig.h"
#include "doc/json.h"

#include <stdbool.h>

struct api;
struct api_type;
struct arena;
struct doc;
struct err;
struct gotemplate;
struct json_style;
struct kubectl_item;

#define KUBECTL_VERSION "v1.32.0"
#define KUBECTL_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define KUBECTL_OUT_MAX (1u << 30)
#define KUBECTL_FILE_MAX (64u << 20) /* of a file with objects */

struct kubectl_flags {
	const char *kubeconfig, *context, *cluster, *user, *space, *server, *token, *ca, *cert,
		*key, *username, *password, *tls_name, *as, *as_uid, *cache_dir, *time;
	struct opt_list as_groups;
	bool insecure, no_compression, warnings_fatal, match_version;
	int64_t verbose;
};

struct kubectl {
	struct arena *arena;
	struct kubectl_flags flags;
	const struct cmd *cmd;
	struct kubeconfig config; /* kubectl_config */
	bool config_read;
	struct client_conf conf;
	struct client *client;	/* kubectl_client */
	struct catalog catalog; /* kubectl_catalog */
	bool catalog_read;
	struct api *api; /* kubectl_type: tables of the built-in kinds */
	size_t warnings;
	const struct warned *warned; /* private: what servers have warned of */
	struct buf out, errors;
	bool filing;	   /* `out` goes to files */
	size_t behind;	   /* words behind "--" on the command line */
	const char *about; /* stands before the server's words: "error when creating \"f\"" */
	const struct doc *refused; /* the Status to tell, when it is not the last call's */
	bool bare;		   /* the next complaint begins with no "error: " */
	bool failed;
	int failed_status; /* exit status then [1] */
	size_t first_note; /* where in errors the first complaint begins, when failed */
};

static inline struct kubectl *kubectl_of(const struct cmd_call *call)
{
	return call->global;
}

/* argv[0] is "kubectl". Exit status. */
int kubectl_main(int argc, char **argv);
struct cmd_program kubectl_program(void);

int kubectl_config(struct kubectl *k, struct err *err);
int kubectl_conf(struct kubectl *k, struct err *err);
int kubectl_client(struct kubectl *k, struct err *err);
/* Known resources; asked anew when `fresh` and what we have was kept in a file. */
int kubectl_catalog(struct kubectl *k, bool fresh, struct err *err);
/* A type word; looks again when it is not known. NOT_FOUND in kubectl's words. */
int kubectl_find(struct kubectl *k, const char *word, const struct resource **ret, struct err *err);
/* The kind of an object from a file. */
int kubectl_find_kind(struct kubectl *k, const char *api_version, const char *kind,
		      const struct resource **ret, struct err *err);

/* Words for an error, as kubectl ends with them; "error: ..." or "Error from server (...): ...". */
void kubectl_explain(struct kubectl *k, const struct err *err, struct buf *out);
/* Collects it: the command goes on and ends with status 1. */
void kubectl_note(struct kubectl *k, const struct err *err);
/* The same; of an object of a file: "error when creating "f": ...". */
void kubectl_note_about(struct kubectl *k, const struct kubectl_item *it, const char *doing,
			const struct err *err);
/* Of a server's header; what it has said before is passed over. */
void kubectl_warn(struct kubectl *k, struct slice text);
/* "Warning: ...", in colours on a terminal that takes them (NO_COLOR, TERM=dumb). */
void kubectl_caution(struct kubectl *k, const char *fmt, ...) PRINTF(2, 3);
/* What was printed, and then what was said of it, leaves: in that order on a terminal. */
void kubectl_show(struct kubectl *k);
/* What was written so far goes out now. */
int kubectl_flush(struct kubectl *k, struct err *err);
/* What is wrong with a file, in Go's words: static text. */
const char *kubectl_why(int sys);
/* Adds kubectl's commands that are near to a word that is none of them; nothing when none is. */
void kubectl_suggest(const char *word, struct buf *out);
/* "See 'kubectl get -h' for help and examples" behind a message. */
int kubectl_usage(struct kubectl *k, struct err *err);
/* -ERR_BAD_REQUEST "unexpected arguments: [x]". */
int kubectl_no_args(struct cmd_call *call, struct err *err);
/* Member as C string, "" when absent. */
const char *kubectl_text(struct kubectl *k, const struct doc *d, const char *path);
/* "5d3h": how long ago, as kubectl's HumanDuration; "<unknown>" for no time. */
const char *kubectl_age(char dst[32], struct slice when);
/* The same for a number of seconds. */
const char *kubectl_duration(char dst[32], int64_t s);

/* Files that a kubeconfig names become data in it. */
int kubectl_flatten(struct kubectl *k, struct doc *config, struct err *err);

/* ---- tables ---- */

/* Columns of equal width, three blanks between; the last has none behind. */
struct columns {
	size_t width[64];
	size_t n;
};
/* cells: n texts of a row behind the other, rows of n cells. */
void columns_print(struct columns *c, const char *const *cells, size_t rows, size_t n,
		   struct buf *out);

/* ---- what is asked for ---- */

struct kubectl_files {
	struct opt_list names; /* -f */
	bool recursive;
};
struct kubectl_item {
	const struct resource *res;
	const char *name;  /* NULL: all of them */
	const char *space; /* NULL: of all namespaces, or it has none */
	struct doc *obj;   /* from a file, or NULL */
	const char *from;  /* the file */
};
struct kubectl_items {
	struct kubectl_item *v;
	size_t n;
	bool single; /* one named object: it is printed bare */
};
enum {
	KUBECTL_ALL_SPACES = 1 << 0,
	KUBECTL_SELECTED = 1 << 1, /* a selector or --all: types alone are enough */
	KUBECTL_NAMES = 1 << 2,	   /* else names are needed */
};
/* Arguments "TYPE[,TYPE] [NAME...]" or "TYPE/NAME...", and files. */
int kubectl_items(struct cmd_call *call, const struct kubectl_files *files, unsigned flags,
		  struct kubectl_items *ret, struct err *err);
/* The objects of files alone, in their order; Lists are taken apart. */
int kubectl_read_files(struct kubectl *k, const struct kubectl_files *files,
		       struct kubectl_items *ret, struct err *err);

/* The same without a server (--local): kinds and namespaces are as the files have them. */
int kubectl_read_local(struct kubectl *k, const struct kubectl_files *files,
		       struct kubectl_items *ret, struct err *err);
/* What an object is to the server; one without a namespace gets the call's. */
int kubectl_item_of(struct kubectl *k, struct doc *obj, struct kubectl_item *ret, struct err *err);
/* --local and --dry-run=server do not go together. */
int kubectl_local_dry(struct err *err);
/* What is said of words beside -f. */
int kubectl_files_alone(struct err *err);
/* What is said of an object of another namespace than the call's. */
int kubectl_wrong_space(const char *space, const char *wanted, struct err *err);
/* All of standard input. */
int kubectl_read_stdin(struct buf *to, struct err *err);

/* ---- requests as they are ---- */

/* The answer goes to `out`. method NULL: GET. */
int kubectl_raw(struct kubectl *k, const char *method, const char *path, struct slice body,
		struct err *err);
/* --raw with a file; output: that of -o, which does not go with it. */
int kubectl_raw_file(struct kubectl *k, const char *method, const char *path,
		     const struct kubectl_files *files, const char *output, struct err *err);

/* ---- printing objects ---- */

struct kubectl_print {
	struct kubectl *k;
	enum {
		PRINT_TABLE,
		PRINT_WIDE,
		PRINT_NAME,
		PRINT_JSON,
		PRINT_YAML,
		PRINT_JSONPATH,
		PRINT_JSONPATH_JSON,
		PRINT_COLUMNS,
		PRINT_TEMPLATE,
	} form;
	const struct jsonpath *path;
	const struct gotemplate *template;
	const char *text; /* of the path or template */
	struct columns columns;
	const char **headers;
	const struct jsonpath **specs;
	size_t nspecs;
	bool no_headers, managed, missing_ok, begun;
};
/* output NULL = a table, or what `plain` commands print ("pod/x created"); template: --template. */
int kubectl_print_init(struct kubectl_print *p, struct kubectl *k, const char *output,
		       const char *template, struct err *err);
/* What is printed when -o says nothing: go-template with a --template, else `other`. */
const char *kubectl_output_or(const char *output, const char *template, const char *other);
/* One object, or a List; JSON and YAML with sorted members. */
int kubectl_print_doc(struct kubectl_print *p, const struct doc *d, struct err *err);
/* Members as they stand in the document (kubeconfig's order in JSON). */
int kubectl_print_plain(struct kubectl_print *p, const struct doc *d, struct err *err);
/* Compiles what -o go-template= says, and prints with it; for kubectl_print_*. */
int kubectl_template_init(struct kubectl_print *p, const char *text, struct err *err);
int kubectl_template_print(struct kubectl_print *p, const struct doc *d, enum json_order order,
			   struct err *err);
/* "deployment.apps/web". */
const char *kubectl_object_name(struct kubectl *k, const struct doc *d);
/* As Go prints values: map[a:1 b:[x y]]. */
void kubectl_go_value(const struct doc *v, struct buf *out);
/* Without metadata.managedFields; shares nodes. */
struct doc *kubectl_unmanaged(struct arena *a, const struct doc *d);

/* ---- changing things ---- */

/* Objects of a list are found now: each item has a name then, and `obj` where it was listed. */
int kubectl_expand(struct kubectl *k, const char *labels, const char *fields,
		   struct kubectl_items *items, struct err *err);
/* One request about an item. Zero is the default in brackets. */
struct kubectl_send {
	const char *method; /* [GET] */
	const char *sub;    /* subresource [none] */
	bool collection;    /* of all, not of the one */
	const char *type;   /* of the body [application/json] */
	const struct doc *body;
	const char *manager, *validation, *dry_run, *force; /* query, NULL = not there */
	int64_t time; /* ns that it may take, with all repetitions [the conf's] */
};
int kubectl_send(struct kubectl *k, const struct kubectl_item *it, const struct kubectl_send *s,
		 struct doc **ret, struct err *err);

/* A POST of s->body, which has no version then: what comes of a file may have one. */
int kubectl_send_new(struct kubectl *k, const struct kubectl_item *it, struct kubectl_send *s,
		     struct doc **ret, struct err *err);

enum kubectl_dry { DRY_NONE, DRY_CLIENT, DRY_SERVER };
/* --dry-run's value; "unchanged" (without a value) means client. */
int kubectl_dry(const char *text, enum kubectl_dry *ret, struct err *err);
/* --validate's value to that of fieldValidation. */
int kubectl_validation(const char *text, const char **ret, struct err *err);
/* Prints the object in the form that was asked for, or "pod/x created (dry run)". */
int kubectl_done(struct kubectl_print *p, const struct doc *d, const char *what,
		 enum kubectl_dry dry, struct err *err);
/* dryRun's value in a request, or NULL. */
const char *kubectl_dry_word(enum kubectl_dry dry);
/* The tables' type of a kind that is built in, else NULL. */
int kubectl_type(struct kubectl *k, const struct resource *res, const struct api_type **ret,
		 struct err *err);
/* The patch of `kubectl apply` of three sides: what the annotation of live says was applied last,
 * `now`, live. *ret_type: its Content-Type. An empty patch: there is nothing to do. */
int kubectl_apply_diff(struct kubectl *k, const struct resource *res, const struct doc *live,
		       const struct doc *now, struct doc *ret, const char **ret_type,
		       struct err *err);
/* The patch that turns one object into another. */
int kubectl_change(struct kubectl *k, const struct resource *res, const struct doc *before,
		   const struct doc *after, struct doc *ret, const char **ret_type,
		   struct err *err);
/* The annotation of apply, read; NULL = none. */
int kubectl_last_applied(struct kubectl *k, const struct doc *obj, struct doc **ret,
			 struct err *err);
/* Goes on with the others when one fails. */
int kubectl_each(struct kubectl *k, const struct kubectl_items *items,
		 int (*fn)(void *arg, const struct kubectl_item *it, struct err *err), void *arg,
		 struct err *err);
/* Keeps the object, as JSON, in its own annotation for apply. */
int kubectl_save_config(struct kubectl *k, struct doc *obj, struct err *err);
/* In another style; not sorted: no annotations that are empty, as typed objects have it. */
int kubectl_save_config_as(struct kubectl *k, struct doc *obj, const struct json_style *style,
			   struct err *err);
/* What each command says when nothing was given. */
int kubectl_nothing_given(struct err *err);

/* "a=1,b=2" into an object; -ERR_INVALID. */
int kubectl_labels(struct kubectl *k, const char *text, struct doc *into, struct err *err);
/* Lines NAME=VALUE of an env file; without "=" the value is the environment's. path: for errors. */
int kubectl_env_file(struct kubectl *k, struct slice text, const char *path,
		     int (*fn)(void *arg, const char *key, struct slice value, struct err *err),
		     void *arg, struct err *err);

/* One event of a watch; obj lies in `a`, which is freed behind the call. 1 ends the watch. */
typedef int kubectl_event_fn(void *arg, struct arena *a, const char *type, struct doc *obj,
			     struct err *err);
/* 1: fn ended it; 0: the server or the time did. time in ns, 0 = none. */
int kubectl_watch(struct kubectl *k, const char *target, const char *accept, int64_t time,
		  kubectl_event_fn *fn, void *arg, struct err *err);
/* Events of one object from a version on. */
int kubectl_watch_one(struct kubectl *k, const struct kubectl_item *it, const char *version,
		      int64_t time, kubectl_event_fn *fn, void *arg, struct err *err);

/* Until the object is gone, or has another uid (NULL = any); end: clock_mono(). TIMEOUT. */
int kubectl_wait_gone(struct kubectl *k, const struct kubectl_item *it, const struct doc *uid,
		      int64_t end, struct err *err);

#define KUBECTL_BASIC "Basic Commands"
#define KUBECTL_CLUSTER "Cluster Management Commands"
#define KUBECTL_TROUBLE "Troubleshooting and Debugging Commands"
#define KUBECTL_ADVANCED "Advanced Commands"
#define KUBECTL_SETTINGS "Settings Commands"
#define KUBECTL_OTHER "Other Commands"
