/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of replication share. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "base/work.h"
#include "image/remote.h"
#include "registry/hooks.h"
#include "registry/jobs-run.h"
#include "registry/private.h"
#include "registry/replicate.h"

#define REPLICATE_ITEMS_MAX 4096 /* manifests and blobs of one job */
#define REPLICATE_LANE_LOOK "*"

struct rule {
	struct hooks *h;
	const struct hooks_rule *conf;
	struct remote *remote;
	struct runner *runner;
	struct timer timer; /* pull */
	bool pull, looking;
	char queue[JOBS_NAME_MAX];
};

/* The other side's name of a repository, in the arena; NULL = the rule is not for it, or the name
 * would be none. */
const char *rule_far_name(const struct rule *k, struct arena *a, const char *repo);
/* The same the other way round. */
const char *rule_near_name(const struct rule *k, struct arena *a, const char *far);
bool rule_wants(const struct rule *k, const char *repo, const char *tag); /* NULL: no tag */
/* RUN_* by the kind of failure, and counts it. */
void rule_over(struct rule *k, struct run *run, const struct err *err);
/* A job's text in an arena. */
const char *job_text(struct arena *a, const char *op, const char *from, const char *ref);
/* One word of it. */
const char *job_word(struct run *run, const char *key);
