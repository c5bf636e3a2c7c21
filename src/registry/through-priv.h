/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the pull-through cache share. */
#pragma once

#include "io/retry.h"
#include "registry/hooks.h"
#include "registry/private.h"
#include "registry/through.h"

struct upstream {
	struct through *t;
	const struct hooks_upstream *conf;
	struct remote *remote;
	struct circuit circuit;
	int64_t limited; /* monotonic: not asked before, by its rate limit */
	bool hub;	 /* Docker Hub */
	char error[256]; /* the last one */
};

struct through {
	struct hooks *h;
	struct upstream *v;
	size_t n;
	struct map asks;    /* "repo\nref" -> struct asking of a manifest */
	struct map checked; /* "repo\ntag" -> struct checked */
	struct list all;    /* struct asking */
};

/* The upstream's own name of a repository, in the arena. */
const char *upstream_far_name(const struct upstream *u, struct arena *a, const char *repo);
bool upstream_away(struct upstream *u);
/* For how long it is left alone after a 429 that asked for so long (0 = it did not say), ns. */
int64_t upstream_pause(int64_t asked);
/* Something came back, or err: counts, and learns whether it is away. */
void upstream_heard(struct upstream *u, const struct err *err);
/* Answers with what an upstream's failure means to a client. */
void upstream_refuse(struct upstream *u, struct call *c, const struct err *err,
		     enum reason unknown);
/* HEAD of a blob that is not here. */
bool through_size(struct call *c);
