/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata.managedFields: who set which fields, how and when.
 *
 * An entry is known by manager, operation, apiVersion and subresource; for Apply the apiVersion
 * does not count. Its time says when its manager last changed something through it.
 *
 * Spec: Kubernetes API, ManagedFieldsEntry; apimachinery, util/managedfields (for facts).
 */
#pragma once

#include "doc/doc.h"

struct arena;
struct err;

/* More Update entries than this are folded into those of MANAGED_ANCIENT, one an apiVersion. */
#define MANAGED_UPDATES_MAX 10
#define MANAGED_ANCIENT "ancient-changes"
/* More entries than this are refused (nothing upstream makes has so many). */
#define MANAGED_MAX 1024

struct managed_entry {
	const char *manager, *api_version, *subresource; /* never NULL */
	const char *time;				 /* RFC 3339, or NULL */
	int64_t sec;					 /* of it, 0 without */
	struct doc set;					 /* fields.h */
	bool applied;
};

/* In an arena; entries are in no order. */
struct managed {
	struct managed_entry *v;
	size_t n, cap;
};

/*
 * The list as it stands in an object (NULL: none). -ERR_INVALID for an operation, version or
 * fieldsType that upstream refuses and for what is no set of fields; the callers upstream then go
 * on as if there were none. Of entries known by the same names the last counts.
 */
int managed_read(const struct doc *list, struct arena *a, struct managed *ret, struct err *err);
/* The list, in upstream's order; empty when there are no entries: then the member is left out. */
struct doc managed_write(struct managed *m, struct arena *a);

/* Does this list ask for all entries to be forgotten? [] and [{}]. */
bool managed_clears(const struct doc *list);

/* The entry with these names; NULL when there is none. */
struct managed_entry *managed_find(const struct managed *m, const char *manager, bool applied,
				   const char *api_version, const char *subresource);
/* A new entry, zeroed but for its names (borrowed). NULL past the arena's maximum. */
struct managed_entry *managed_add(struct managed *m, const char *manager, bool applied,
				  const char *api_version, const char *subresource,
				  struct arena *a);
void managed_remove(struct managed *m, struct managed_entry *e); /* moves the last here */
/* time: RFC 3339, borrowed. */
void managed_touch(struct managed_entry *e, const char *time);

void managed_fold(struct managed *m, struct arena *a);

/* Equal but for the times (of lists as they stand in objects): then a write changes nothing. */
bool managed_same(const struct doc *x, const struct doc *y);
