/* SPDX-License-Identifier: Apache-2.0 */
/* What a server tells of its exchanges: request metrics and the access log. */
#include "base/clock.h"
#include "base/err.h"
#include "io/access-log.h"
#include "io/http-server-impl.h"
#include "io/metrics.h"

#include <stdio.h>
#include <time.h>

/* Others are counted as "other": a client must not make series. */
static const char *const methods[] = { "GET",	 "HEAD",    "POST",    "PUT",  "PATCH",
				       "DELETE", "OPTIONS", "CONNECT", "other" };
#define METHODS ARRAY_LEN(methods)
#define CODES 500u

static const double durations[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
				    0.25,   0.5,   1,	   2.5,	  5,	10,    30,   60 };
static const char *const method_code[] = { "method", "code" };
static const char *const method_only[] = { "method" };

static const struct metric_spec requests_spec = {
	.type = METRIC_COUNTER,
	.name = "http_requests_total",
	.help = "Requests that were answered or broke, by method and status (0: no answer).",
	.labels = method_code,
	.labels_n = 2,
	.series_max = METHODS * CODES,
};
static const struct metric_spec duration_spec = {
	.type = METRIC_HISTOGRAM,
	.name = "http_request_duration_seconds",
	.help = "Time from a request's head to the end of its exchange.",
	.labels = method_only,
	.labels_n = 1,
	.buckets = durations,
	.buckets_n = ARRAY_LEN(durations),
};
static const struct metric_spec in_spec = {
	.type = METRIC_COUNTER,
	.name = "http_request_body_bytes_total",
	.help = "Bytes of request bodies that were read.",
};
static const struct metric_spec out_spec = {
	.type = METRIC_COUNTER,
	.name = "http_response_body_bytes_total",
	.help = "Bytes of response bodies that were written.",
};
static const struct metric_spec connections_spec = {
	.type = METRIC_GAUGE,
	.name = "http_connections",
	.help = "Open connections.",
};
static const struct metric_spec in_flight_spec = {
	.type = METRIC_GAUGE,
	.name = "http_requests_in_flight",
	.help = "Exchanges that run.",
};
static const struct metric_spec accepted_spec = {
	.type = METRIC_COUNTER,
	.name = "http_connections_accepted_total",
	.help = "Connections that were accepted.",
};
static const struct metric_spec refused_spec = {
	.type = METRIC_COUNTER,
	.name = "http_requests_refused_total",
	.help = "Requests that did not reach a handler.",
};

struct http_record {
	struct metrics *metrics;
	struct metric_family *requests, *durations;
	struct metric *by[METHODS][CODES + 1], *time[METHODS];
	struct metric *in, *out, *connections, *in_flight, *accepted, *refused;
};

static void collect(void *arg)
{
	struct http_server *srv = arg;
	struct http_record *r = srv->record;
	struct http_server_stats st = http_server_get_stats(srv);

	metric_set(r->connections, (double)st.connections);
	metric_set(r->in_flight, (double)st.streams);
	metric_set(r->accepted, (double)st.accepted);
	metric_set(r->refused, (double)st.refused);
}

static int add_one(struct metrics *m, const struct metric_spec *spec, struct metric **ret,
		   struct err *err)
{
	struct metric_family *f;
	int r = metrics_add(m, spec, &f, err);

	if (r == 0)
		*ret = metric_with(f, NULL);
	return r;
}

int http_record_new(struct http_server *srv, struct err *err)
{
	struct metrics *m = srv->conf.metrics;
	struct http_record *r;

	if (!m && !srv->conf.access_log)
		return 0;
	r = srv->record = io_alloc(sizeof(*r));
	srv->pool->done = http_record_done;
	srv->pool->done_arg = srv;
	if (!m)
		return 0;
	if (metrics_add(m, &requests_spec, &r->requests, err) < 0 ||
	    metrics_add(m, &duration_spec, &r->durations, err) < 0 ||
	    add_one(m, &in_spec, &r->in, err) < 0 || add_one(m, &out_spec, &r->out, err) < 0 ||
	    add_one(m, &connections_spec, &r->connections, err) < 0 ||
	    add_one(m, &in_flight_spec, &r->in_flight, err) < 0 ||
	    add_one(m, &accepted_spec, &r->accepted, err) < 0 ||
	    add_one(m, &refused_spec, &r->refused, err) < 0)
		return err_ret(err);
	r->metrics = m;
	metrics_on_collect(m, collect, srv);
	return 0;
}

void http_record_free(struct http_server *srv)
{
	if (srv->record && srv->record->metrics)
		metrics_forget_collect(srv->record->metrics, srv);
	free(srv->record);
	srv->record = NULL;
	/* Streams may outlive the server. */
	if (srv->pool)
		srv->pool->done = NULL;
}

static size_t method_index(const char *method)
{
	size_t i = 0;

	while (i < METHODS - 1 && (!method || strcmp(method, methods[i]) != 0))
		i++;
	return i;
}

static void count(struct http_record *r, const struct stream *s, int64_t took)
{
	size_t m = method_index(s->rq.method);
	size_t code = s->status >= 100 && s->status < 600 ? (size_t)s->status - 99 : 0;
	char text[8];

	if (!r->by[m][code]) {
		const char *values[] = { methods[m], text };

		(void)snprintf(text, sizeof(text), "%zu", code ? code + 99 : 0);
		r->by[m][code] = metric_with(r->requests, values);
	}
	if (!r->time[m])
		r->time[m] = metric_with(r->durations, &methods[m]);
	metric_inc(r->by[m][code]);
	metric_observe(r->time[m], (double)took / NS_PER_SEC);
	metric_add(r->in, (double)s->bytes_in);
	metric_add(r->out, (double)s->bytes_out);
}

static void write_line(struct http_server *srv, const struct stream *s, int64_t took,
		       const struct err *why)
{
	const struct http_request *rq = &s->rq;
	struct timespec now;
	struct access_record rec = {
		.duration = took,
		.peer = stream_peer(s)->addr,
		.method = rq->method ? rq->method : "-",
		.protocol = rq->major == 2 ? "HTTP/2.0"
			    : rq->minor	   ? "HTTP/1.1"
					   : "HTTP/1.0",
		.target = rq->raw_path,
		.host = rq->host,
		.referer = stream_header(s, "Referer"),
		.agent = stream_header(s, "User-Agent"),
		.status = s->status,
		.in = s->bytes_in,
		.out = s->bytes_out,
		.error = why ? why->msg : NULL,
	};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	rec.time = (int64_t)now.tv_sec * NS_PER_SEC + now.tv_nsec - took;
	if (!rec.target.n)
		rec.target = rq->host.n && rq->method ? rq->host : SLICE("-");
	/* Path and query stand side by side in the request line. */
	if (rq->query.n && rq->raw_path.n)
		rec.target.n = (size_t)(rq->query.p + rq->query.n - rq->raw_path.p);
	access_log_add(srv->conf.access_log, &rec);
}

void http_record_done(void *arg, const struct stream *s, const struct err *why)
{
	struct http_server *srv = arg;
	int64_t took = s->began ? loop_now(srv->loop) - s->began : 0;

	if (srv->record->metrics)
		count(srv->record, s, took);
	if (srv->conf.access_log)
		write_line(srv, s, took, why);
}
