/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference model of tests/tools/api-life.c: ConfigMaps n0/c00 ... in a few namespaces, what
 * was asked of them, and what came of it. Every write carries the number of its intent in data.by,
 * so each change that is seen names who made it, and what the object must be then follows from what
 * it was before. Nothing is judged while it runs: model_check() replays a whole stretch of history.
 *
 * A model ends the process with a word on stdout when something is wrong (model_fail).
 */
#pragma once

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_SPACES 3
#define MODEL_NAMES 16
#define MODEL_KEYS (MODEL_SPACES * MODEL_NAMES)
#define MODEL_FIELDS 6 /* data.f0 ... */
#define MODEL_TIERS 4  /* of the label "tier"; 0: it has none */

struct doc;

struct model_state {
	bool there;
	uint8_t tier;
	uint64_t uid; /* hashed */
	uint64_t by, f[MODEL_FIELDS];
};

enum model_op {
	MODEL_CREATE,
	MODEL_UPDATE,
	MODEL_JSON,
	MODEL_MERGE,
	MODEL_STRATEGIC,
	MODEL_APPLY,
	MODEL_DRY, /* an update that is not to be */
	MODEL_DELETE,
	MODEL_SWEEP, /* deletecollection of a tier of a namespace */
};

enum model_answer { MODEL_UNKNOWN, MODEL_DONE, MODEL_REFUSED };

struct model_intent {
	enum model_op op;
	enum model_answer answer;
	uint8_t key, tier, set, clear; /* fields; clear == set: none */
	bool whole;		       /* strategic: data is replaced */
	int64_t revision;	       /* of the answer; later: where it was found */
	uint64_t uid;		       /* of what was deleted, by the answer */
	bool found;
};

/* Some of the objects: of a namespace, of tiers, of a name. */
struct model_filter {
	int space, name; /* -1: any */
	unsigned tiers;	 /* bits */
};

enum model_type { MODEL_ADDED = 1, MODEL_MODIFIED, MODEL_DELETED };

/* What a watcher was told. */
struct model_seen {
	int64_t revision;
	uint32_t sum; /* of the state */
	uint8_t type, key;
};
/* Told without a gap from here on, or it says otherwise by beginning another one. */
struct model_span {
	int64_t from;
	size_t first; /* in seen */
};
struct model_watcher {
	char name[160];
	struct model_filter filter;
	bool history; /* sees everything: history is made of it */
	int64_t last; /* all up to it was told: an event's or a bookmark's revision */
	struct model_seen *seen;
	size_t nseen, cap;
	struct model_span *spans;
	size_t nspans, spans_cap;
};

/* A list, or what sendInitialEvents gave: all objects of the filter at a revision. */
struct model_list {
	char name[320];
	struct model_filter filter;
	int64_t revision, at_least; /* what was acknowledged before it was asked */
	size_t n;
	struct model_seen items[MODEL_KEYS]; /* type unused */
};

struct model_change {
	int64_t revision; /* 0: of others */
	bool removed;
	uint8_t key;
	struct model_state now, before;
};

struct model {
	/* Several servers over etcd: a DELETE that was sent again and finds nothing is answered as
	 * done, and cannot know whose it was. */
	bool shared;
	int64_t base; /* state is as of it */
	struct model_state state[MODEL_KEYS];
	int64_t changed[MODEL_KEYS];  /* revision of the last change; 0: not there */
	struct model_change *history; /* of base + 1 + i */
	size_t nhistory, history_cap;
	struct model_intent *intents;
	size_t nintents, intents_cap, intents_checked;
	struct model_list *lists;
	size_t nlists, lists_cap;
	uint64_t changes, told; /* totals, for the report */
};

_Noreturn void model_fail(const char *fmt, ...) PRINTF(1, 2);

void model_init(struct model *m, int64_t base);
/* The number to put into data.by. The pointer is valid until the next one. */
uint64_t model_intend(struct model *m, const struct model_intent *i);
struct model_intent *model_intent(struct model *m, uint64_t id);

/* An object as it came: its key (-1: none of ours), revision and state. */
int model_read(const struct doc *object, struct model_state *ret, int64_t *ret_revision);
uint32_t model_sum(const struct model_state *s);
bool model_matches(const struct model_filter *f, unsigned key, const struct model_state *s);

/* A watcher begins behind a revision (after a gap that was announced, or again from the past). */
void model_begin(struct model_watcher *w, int64_t revision);
void model_told(struct model *m, struct model_watcher *w, enum model_type type, unsigned key,
		int64_t revision, const struct model_state *s);
void model_bookmark(struct model_watcher *w, int64_t revision);
struct model_list *model_list(struct model *m);

/* History up to a revision is complete: replays it over the state, with each intent and list. */
void model_replay(struct model *m, int64_t upto);
/* The last revision that this watcher is to be told of, as replayed. */
int64_t model_expects(const struct model *m, const struct model_watcher *w);
/* Compares all that it was told with what was to be told, and forgets it. */
void model_check(struct model *m, struct model_watcher *w, int64_t upto);
/* The state is as of the replayed revision; history is forgotten. */
void model_forget(struct model *m, int64_t upto);
