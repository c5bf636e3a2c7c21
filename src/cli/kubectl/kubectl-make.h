/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to kubectl's generators (create KIND, run, expose, autoscale): what they begin and end
 * with, and parts of objects.
 *
 * Objects have all that Go's typed structs would print, in their order: "status: {}",
 * "creationTimestamp: null". So the annotation of --save-config and -o json are kubectl's bytes.
 */
#pragma once

#include "cli/kubectl/kubectl-rows.h"
#include "doc/doc.h"

struct make_flags {
	struct kubectl_form form;
	const char *dry, *manager, *validate;
	bool save;
};
/* A generator's flags have them as `make`. */
#define MAKE_ROWS_BY(type, by)                                               \
	KUBECTL_FORM_ROWS(type, make.form), KUBECTL_DRY_ROW(type, make.dry), \
		KUBECTL_MANAGER_ROW(type, make.manager, by),                 \
		OPT(type, BOOL, make.save, "save-config", 0,                 \
		    "Keep the object in its annotation, for apply")
#define MAKE_ROWS(type) \
	MAKE_ROWS_BY(type, "kubectl-create"), KUBECTL_VALIDATE_ROW(type, make.validate)
#define MAKE_OPT(type, kind, field, name, help) OPT(type, kind, field, name, 0, help)

/* One kind that is made: what a request needs to know of it. */
struct make_kind {
	const char *api, *kind, *plural;
	bool namespaced;
	const char *failed; /* in front of the server's refusal, NULL = its own words */
};

struct making {
	struct kubectl *k;
	struct kubectl_print print;
	enum kubectl_dry dry;
	const char *validation, *manager;
	bool save;
	const char *name;
	char *const *command; /* words behind the name */
	size_t ncommand;
};

/* The flags, and the name: exactly one argument in front of "--". */
int make_begin(struct cmd_call *call, const struct make_flags *f, struct making *ret,
	       struct err *err);
/* The flags alone. by: the field manager. */
int make_prepare(struct cmd_call *call, const struct make_flags *f, const char *by,
		 struct making *ret, struct err *err);
/* Sends the object unless it is a dry run, and tells of it. */
int make_end(struct making *m, const struct make_kind *kind, struct doc *d, struct err *err);
/* The same, untold: *ret is what the server made of it. */
int make_send(struct making *m, const struct make_kind *kind, struct doc *d, struct doc **ret,
	      struct err *err);
int make_print(struct making *m, const struct doc *d, struct err *err);

/* kind, apiVersion, metadata with name, namespace (when one was given) and creationTimestamp. */
struct doc *make_object(struct making *m, const struct make_kind *kind, const char *name);
/* metadata of a template: a creationTimestamp that is null. */
struct doc *make_meta(struct making *m, struct doc *in, const char *name);
/* {"app": name} as a member. */
void make_app(struct making *m, struct doc *in, const char *member, const char *name);
void make_words(struct making *m, struct doc *in, const char *member, const struct opt_list *words);
/* A number when the text is one (32 bits), else the text. */
struct doc make_int_or_text(struct arena *a, struct slice text);
/* "a=1,b" as a LabelSelector; -ERR_BAD_REQUEST. */
int make_selector(struct making *m, struct doc *in, const char *member, const char *text,
		  struct err *err);
/* "a=1,b=2" as an object; false: no pair. */
bool make_pairs(struct making *m, struct doc *in, const char *member, const char *text);
/* "cpu=1,memory=1Gi" with quantities in their canonical form. */
int make_quantities(struct kubectl *k, const char *text, struct doc *into, struct err *err);

/* Values of flags that hold comma lists (CSV: a field may be quoted). */
enum { MAKE_ONCE = 1, MAKE_WHOLE = 2 }; /* no word twice; commas are nothing special */
int make_commas(struct kubectl *k, const struct opt_list *in, unsigned flags, struct opt_list *ret,
		struct err *err);
/* Members by their names. */
void doc_sort_members(struct doc *d);

/* -ERR_BAD_REQUEST: "required flag(s) \"image\" not set". */
int make_required(const char *names, struct err *err);
/* --overrides over the object: type json, merge (NULL) or strategic. */
int make_override(struct making *m, const char *type, const char *text, struct doc **d,
		  struct err *err);
