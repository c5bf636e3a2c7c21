/* SPDX-License-Identifier: Apache-2.0 */
/* Private to kubectl's commands that delete objects: delete, replace --force, apply. */
#pragma once

#include "cli/kubectl/kubectl-rows.h"
#include "doc/doc.h"

struct delete_flags {
	const char *cascade;
	int64_t grace, time;
	bool force, wait, grace_given, wait_given;
};
#define DELETE_ROWS(type, at)                                                                  \
	OPT(type, STR, at.cascade, "cascade", 0,                                               \
	    "What becomes of objects that it owns: background (default), foreground, orphan"), \
		OPT(type, BOOL, at.force, "force", 0, "At once, without a time of grace"),     \
		OPT_SEEN_AT(type, INT, at.grace, at.grace_given, "grace-period", 0,            \
			    "Seconds that it may take to end"),                                \
		OPT(type, DURATION, at.time, "timeout", 0, "Give up waiting after this time"), \
		OPT_SEEN_AT(type, BOOL, at.wait, at.wait_given, "wait", 0,                     \
			    "Until they are gone (of delete: default true)")

struct deleting {
	struct kubectl *k;
	struct kubectl_items items;
	enum kubectl_dry dry;
	int64_t grace; /* seconds, -1 = the object's own */
	int64_t time;  /* to wait, in ns, 0 = a week */
	const char *policy;
	bool ignore_missing, names_only, wait;
	bool failed;		 /* one of them could not be deleted; it is noted */
	struct doc body;	 /* of each request: delete_body */
	const struct doc **uids; /* of what is waited for; NULL = not sent */
};

/* The flags, not yet judged; warns of a --cascade that is old. */
int delete_read(struct deleting *d, struct kubectl *k, const struct delete_flags *f,
		struct err *err);
/* DeleteOptions of d's policy, grace and dry run. */
struct doc delete_body(const struct deleting *d);
/* Each object, told; waits when d says so. */
int delete_all(struct deleting *d, struct err *err);
