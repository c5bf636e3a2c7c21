/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration's `quotas` and `retention`: what repositories may have, and which tags stay.
 * Private to src/registry. Read with the policy, then immutable.
 *
 * Retention: a tag that no rule speaks of stays; of the others those stay that at least one rule
 * keeps. What is immutable stays; what others refer to (signatures, attestations) stays unless the
 * rule says `signed`.
 */
#pragma once

#include "base/str.h"
#include "doc/schema.h"
#include "image/content.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct err;
struct policy;

struct policy_quota {
	struct strs repositories; /* each by itself */
	const char *prefix;	  /* or all below it together; "" = all */
	const char *bytes_text;
	int64_t bytes, manifests, tags; /* -1 = any number */
};
extern const struct schema quota_schema;
/* Fills bytes; INVALID what is wrong. */
int quota_read(struct policy_quota *q, struct err *err);

struct policy_retain {
	struct strs repositories, tags;
	struct opt_int last, last_pulled; /* the newest so many stay */
	const char *pushed_text, *pulled_text, *untagged_text;
	int64_t pushed, pulled; /* ns: younger ones stay; -1 = not given */
	int64_t untagged;	/* ns: untagged manifests older than that go; -1 = they stay */
	bool with_referrers;
};
extern const struct schema retain_schema;
int retain_read(struct policy_retain *r, struct err *err);

/* "90m", "12h", "30d", "2w" in ns. */
int bounds_duration(const char *text, int64_t *ret, struct err *err);
/* "500M", "10Gi" */
int bounds_bytes(const char *text, int64_t *ret, struct err *err);

#define BOUNDS_MAX 16
/* Those of a repository, into v. */
struct content_limits bounds_of(const struct policy *p, const char *repo,
				struct content_limit v[BOUNDS_MAX]);
/* Marks the tags that go, at `now` (ns). Reads only: for any thread. */
void bounds_choose(const struct policy *p, int64_t now, const char *repo, struct content_tag *v,
		   size_t n);
