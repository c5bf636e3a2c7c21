/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry counts, and the listener where it is read: /metrics, /healthz, /readyz. */
#include "io/metrics.h"

#include "io/access-log.h"
#include "registry/private.h"

#include <stdlib.h>

static const char *const kind_labels[] = { "kind" };

static const struct metric_spec specs[COUNTERS] = {
	[COUNT_PUSHED] = { .type = METRIC_COUNTER,
			   .name = "teu_registry_pushed_total",
			   .help = "Manifests and blobs that were taken, mounts among them.",
			   .labels = kind_labels,
			   .labels_n = 1 },
	[COUNT_PULLED] = { .type = METRIC_COUNTER,
			   .name = "teu_registry_pulled_total",
			   .help = "Manifests and blobs that were sent, or begun to be.",
			   .labels = kind_labels,
			   .labels_n = 1 },
	[COUNT_DELETED] = { .type = METRIC_COUNTER,
			    .name = "teu_registry_deleted_total",
			    .help = "Manifests, tags and blobs that were taken out of "
				    "repositories.",
			    .labels = kind_labels,
			    .labels_n = 1 },
	[COUNT_REFUSED] = { .type = METRIC_COUNTER,
			    .name = "teu_registry_refused_total",
			    .help = "Requests that were not allowed: by unknown, denied, waiting.",
			    .labels = kind_labels,
			    .labels_n = 1 },
	[COUNT_COLLECTED] = { .type = METRIC_COUNTER,
			      .name = "teu_registry_collected_total",
			      .help = "What collections took out: runs, manifests, blobs, bytes.",
			      .labels = kind_labels,
			      .labels_n = 1 },
};
#define REPOS_MAX 256
static const char *const bytes_labels[] = { "repository", "direction" };
static const struct metric_spec bytes_spec = {
	.type = METRIC_COUNTER,
	.name = "teu_registry_repository_bytes_total",
	.help = "Bytes of manifests and blobs, in and out, of the first 256 repositories that were "
		"used; of others together as \"(others)\".",
	.labels = bytes_labels,
	.labels_n = 2,
};
static const struct metric_spec damaged_spec = {
	.type = METRIC_GAUGE,
	.name = "teu_registry_scrub_damaged",
	.help = "Blobs that the last scrub found damaged.",
};
static const struct metric_spec uploads_spec = {
	.type = METRIC_GAUGE,
	.name = "teu_registry_uploads_open",
	.help = "Uploads that are under way in this process.",
};

struct counters {
	struct metrics *metrics;
	struct metric_family *families[COUNTERS];
	struct metric *uploads, *damaged;
	struct metric_family *bytes;
	struct map repos; /* those with a label of their own */
	struct registry *g;
	struct http_server *server;
};

static void collect(void *arg)
{
	struct counters *k = arg;

	metric_set(k->uploads, (double)k->g->uploads_n);
	metric_set(k->damaged, (double)scrub_damaged(k->g));
}

int counters_new(struct registry *g, struct counters **ret, struct err *err)
{
	struct counters *k = calloc(1, sizeof(*k));
	struct metric_family *f, *damaged;
	int r = 0;

	if (!k)
		abort();
	k->g = g;
	map_init(&k->repos);
	k->metrics = metrics_new();
	for (size_t i = 0; i < COUNTERS && r >= 0; i++)
		r = metrics_add(k->metrics, &specs[i], &k->families[i], err);
	if (r >= 0)
		r = metrics_add(k->metrics, &uploads_spec, &f, err);
	if (r >= 0)
		r = metrics_add(k->metrics, &damaged_spec, &damaged, err);
	if (r >= 0)
		r = metrics_add(k->metrics, &bytes_spec, &k->bytes, err);
	if (r < 0) {
		counters_free(k);
		return r;
	}
	k->uploads = metric_with(f, NULL);
	k->damaged = metric_with(damaged, NULL);
	metrics_on_collect(k->metrics, collect, k);
	*ret = k;
	return 0;
}

void counters_free(struct counters *k)
{
	char *name;

	if (!k)
		return;
	for (size_t i = 0; (name = map_next(&k->repos, &i, NULL));)
		free(name);
	map_fini(&k->repos);
	http_server_free(k->server);
	metrics_free(k->metrics);
	free(k);
}

struct metrics *counters_metrics(struct counters *k)
{
	return k ? k->metrics : NULL;
}

void count(struct registry *g, enum counter which, const char *kind, double n)
{
	if (g->counters && n > 0)
		metric_add(metric_with(g->counters->families[which], &kind), n);
}

void count_bytes(struct registry *g, const char *repo, bool in, uint64_t n)
{
	struct counters *k = g->counters;
	const char *labels[] = { repo, in ? "in" : "out" };

	if (!k || !n)
		return;
	if (!map_get(&k->repos, slice_str(repo)) && map_count(&k->repos) < REPOS_MAX) {
		char *name = strdup(repo);

		if (!name)
			abort();
		(void)map_put(&k->repos, slice_str(name), name);
	} else if (!map_get(&k->repos, slice_str(repo))) {
		labels[0] = "(others)";
	}
	metric_add(metric_with(k->bytes, labels), (double)n);
}

/* ---- the listener ---- */

static void request(struct stream *s, void *arg)
{
	struct counters *k = arg;
	const struct http_request *rq = stream_request(s);
	bool reads = strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;

	if (!reads)
		(void)stream_replyf(s, 405, "text/plain", "%s is not for this\n", rq->method);
	else if (strcmp(rq->path, "/metrics") == 0)
		metrics_serve(s, k->metrics);
	else if (strcmp(rq->path, "/healthz") == 0 || strcmp(rq->path, "/readyz") == 0)
		(void)stream_reply(s, 200, "text/plain", "ok\n", 3);
	else
		(void)stream_reply(s, 404, "text/plain", "there is /metrics\n", 18);
}

int counters_listen(struct counters *k, const char *addr, struct err *err)
{
	struct http_server_conf hc = { .request = request, .arg = k, .connections_max = 64 };
	int r = k->server ? 0 : http_server_new(k->g->loop, &hc, &k->server, err);

	if (r < 0)
		return r;
	if (strncmp(addr, "unix://", 7) == 0)
		return http_server_listen_unix(k->server, addr + 7, 0660, (gid_t)-1, err);
	return http_server_listen_tcp(k->server, addr, err);
}
