/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to kubectl's commands that change objects which are there (rollout, set, taint, cordon):
 * an object is got, changed here, and the difference sent as a patch.
 */
#pragma once

#include "cli/kubectl/kubectl-rows.h"
#include "doc/doc.h"

struct change_opts {
	struct kubectl_files files;
	struct kubectl_form form;
	const char *dry, *manager, *selector;
	bool all, local;
};
#define CHANGE_ROWS(type, at, by)                                                    \
	KUBECTL_FORM_ROWS(type, at.form), KUBECTL_MANAGER_ROW(type, at.manager, by), \
		KUBECTL_FILE_ROWS_AT(type, at.files),                                \
		OPT(type, STR, at.selector, "selector", 'l', "Only objects with these labels")
#define CHANGE_LOCAL_ROW(type, at) \
	OPT(type, BOOL, at.local, "local", 0, "Change what files say; ask no server")
#define CHANGE_ALL_ROW(type, at) OPT(type, BOOL, at.all, "all", 0, "All objects of the types")

struct changing {
	struct kubectl *k;
	struct kubectl_print print;
	enum kubectl_dry dry;
	const char *manager;
	const char *done;   /* "image updated" */
	const char *failed; /* in front of what the server refuses, NULL = its own words */
	bool silent_dry;    /* a dry run is told as if it were none */
	bool local;	    /* files are changed and printed, nothing is sent */
	bool same_too;	    /* what has not changed is told as well, and not sent */
	/* Changes obj, a copy that is its own. 1: nothing is sent or told. */
	int (*fn)(void *arg, const struct kubectl_item *it, struct doc *obj, struct err *err);
	void *arg;
};

/* The flags. by: the field manager. */
int change_prepare(struct cmd_call *call, const struct change_opts *o, const char *by,
		   struct changing *ret, struct err *err);
/* What words and files name, lists looked up. flags: KUBECTL_NAMES; --all and -l are added. */
int change_items(struct cmd_call *call, const struct change_opts *o, unsigned flags,
		 struct kubectl_items *ret, struct err *err);
/* Each object; what fails is noted. */
int change_each(struct changing *c, const struct kubectl_items *items, struct err *err);

/* spec of the pods of a workload (or of the pod), or NULL; and the template that it lies in. */
struct doc *change_pod_spec(const struct doc *obj);
struct doc *change_template(const struct doc *obj);
/* What typed objects of kubectl print though nobody set it: "status: {}" and the like. */
void change_fill(struct kubectl *k, struct doc *obj);
/* obj[member], made when it is missing. */
struct doc *change_member(struct kubectl *k, struct doc *obj, const char *member);
/* "deployments/x" */
const char *change_name(struct kubectl *k, const struct kubectl_item *it);

/* ---- rollout ---- */

#define ROLLOUT_REVISION "deployment.kubernetes.io/revision"
/* Types alone mean all of them; none at all is told. */
int rollout_items(struct cmd_call *call, const struct change_opts *o, struct kubectl_items *ret,
		  struct err *err);
/* Of a deployment or its replica set; 0 when it has none. */
long long rollout_revision(const struct doc *obj);

/* ---- set ---- */

/* The pods' spec of an object that has one; -ERR_INVALID in kubectl's words. */
int set_pod_spec(struct changing *c, const struct kubectl_item *it, struct doc *obj,
		 struct doc **ret, struct err *err);
/* Containers, those of the start too, whose names match; how many there were. */
size_t set_each_container(struct doc *spec, const char *pattern,
			  void (*fn)(void *arg, struct doc *container), void *arg);
int set_check(const struct change_opts *o, struct err *err);
/* "a=b", "a-". */
bool set_is_pair(const char *s);
/* Takes the pairs off the arguments, which have the objects then. what: "image". */
int set_split(struct cmd_call *call, const char *what, char ***ret, size_t *ret_n, struct err *err);

/* ---- nodes ---- */

/* Nodes by their names or labels. */
int node_items(struct cmd_call *call, const char *verb, const char *selector,
	       struct kubectl_items *ret, struct err *err);
/* Tells of it, also when it is so already. */
int node_cordon(struct changing *c, const struct kubectl_item *it, bool on, struct err *err);
