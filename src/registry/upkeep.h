/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on beside the requests: when things were pulled last, retention, the report of what
 * repositories have. Private to src/registry. On the loop's thread; the work is done by workers.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

struct content_retain;
struct doc;
struct err;
struct registry;
struct stream;
struct upkeep;

struct upkeep *upkeep_new(struct registry *g);
/* Notes what was pulled; no work is under way any more (its pool is freed). NULL is fine. */
void upkeep_free(struct upkeep *u);
/* Writes down when things were pulled, so far as it is not written yet. */
void upkeep_flush(struct upkeep *u);
/* Every minute: pulls, and retention when it is time. */
void upkeep_tick(struct upkeep *u);

/*
 * Answers s with what goes, or would go, by the configuration's rules: {"dryRun", "tags",
 * "manifests", "dropped": [{"repository", "tag", "digest"}], "more"}. 409 while another run goes
 * on.
 */
void upkeep_retain(struct upkeep *u, struct stream *s, bool dry_run);
/*
 * Answers s with {"repositories": [...], "total": {...}}: tags, manifests, blobs, bytes, shared
 * bytes, quotas, times. pattern: of names, NULL = all.
 */
void upkeep_usage(struct upkeep *u, struct stream *s, const char *pattern);
