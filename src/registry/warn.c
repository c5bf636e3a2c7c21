/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas that are nearly used up: told once each, and again when they were below in between. */
#include "registry/private.h"

#include <stdio.h>
#include <stdlib.h>

#define WARNED_MAX 4096 /* told ones that are known; then all may be told again */

struct warnings {
	struct map told; /* "<what>\n<repository, or prefix with a * behind>": itself */
};

struct warnings *warnings_new(void)
{
	struct warnings *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	map_init(&w->told);
	return w;
}

static void forget_all(struct warnings *w)
{
	char *key;

	for (size_t i = 0; (key = map_next(&w->told, &i, NULL));)
		free(key);
	map_fini(&w->told);
}

void warnings_free(struct warnings *w)
{
	if (!w)
		return;
	forget_all(w);
	free(w);
}

/* True: it was not told before. */
static bool note(struct warnings *w, const char *key)
{
	char *copy;

	if (map_get(&w->told, slice_str(key)))
		return false;
	if (map_count(&w->told) >= WARNED_MAX) {
		forget_all(w);
		map_init(&w->told);
	}
	copy = strdup(key);
	if (!copy)
		abort();
	(void)map_put(&w->told, slice_str(copy), copy);
	return true;
}

static void forget(struct warnings *w, const char *key)
{
	char *copy = map_get(&w->told, slice_str(key));

	if (copy)
		(void)map_del(&w->told, slice_str(key));
	free(copy);
}

static void tell(struct registry *g, const char *repo, const struct event_quota *q)
{
	const struct event e = { .kind = EVENT_QUOTA_WARNING,
				 .quota = q,
				 .object = "repository",
				 .repo = repo,
				 .ref = "",
				 .peer = "",
				 .agent = "",
				 .when = clock_real() };
	char text[64];

	(void)snprintf(text, sizeof(text), "%lld of %lld %s", (long long)q->used,
		       (long long)q->limit, q->what);
	log_kv(LOG_LEVEL_WARN, "quota is nearly used up", "repository", repo, "used", text, NULL);
	events_tell(g, &e);
}

static void look(struct registry *g, const char *repo, const struct content_limit *l)
{
	static const char *const words[] = { "bytes", "manifests", "tags" };
	const int64_t limits[] = { l->bytes, l->manifests, l->tags };
	char key[CONTENT_NAME_MAX + 32];
	int64_t used[3];

	if (content_used(g->store, repo, l, used, NULL) < 0)
		return; /* the next push looks again */
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct event_quota q = { words[i], l->prefix, used[i], limits[i] };

		if (limits[i] <= 0)
			continue;
		(void)snprintf(key, sizeof(key), "%s\n%.255s%s", words[i],
			       l->prefix ? l->prefix : repo, l->prefix ? "*" : "");
		if ((double)used[i] * 100 < (double)limits[i] * WARN_PERCENT)
			forget(g->warnings, key);
		else if (note(g->warnings, key))
			tell(g, repo, &q);
	}
}

void warn_if_full(struct registry *g, const char *repo)
{
	struct content_limit v[BOUNDS_MAX];
	struct content_limits lim = bounds_of(auth_policy(g->auth), repo, v);

	for (size_t i = 0; i < lim.n; i++)
		look(g, repo, &v[i]);
}
