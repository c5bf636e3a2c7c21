/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: registry and texts; request metrics and the access log of a server. */
#include "io-test.h"

#include "io/access-log.h"
#include "io/metrics.h"

#include <math.h>
#include <signal.h>

static const char *const two[] = { "method", "code" };
static const double bounds[] = { 0.1, 1, 10 };
static const struct metric_spec hits = { .type = METRIC_COUNTER,
					 .name = "hits_total",
					 .help = "Hits \\ of\n\"all\".",
					 .labels = two,
					 .labels_n = 2,
					 .series_max = 3 };
static const struct metric_spec temp = { .type = METRIC_GAUGE, .name = "temp", .help = "T" };
static const struct metric_spec took = { .type = METRIC_HISTOGRAM,
					 .name = "took_seconds",
					 .help = "D",
					 .buckets = bounds,
					 .buckets_n = 3 };

static const char *text(struct metrics *m, enum metrics_format f)
{
	static struct buf b;
	struct err err = ERR_INIT;

	buf_fini(&b);
	b = BUF_INIT(1 << 20);
	assert_int_equal(metrics_write(m, f, &b, &err), 0);
	return buf_str(&b);
}

static void writes_both_formats(void **state)
{
	CLEANUP(metrics_free) struct metrics *m = metrics_new();
	const char *a[] = { "GET", "200" }, *odd[] = { "a\"b\\c\nd", "\xff\xc3\xa4" };
	struct metric_family *h, *g, *d;
	struct metric *t;
	const char *s;

	assert_int_equal(metrics_add(m, &hits, &h, NULL), 0);
	assert_int_equal(metrics_add(m, &temp, &g, NULL), 0);
	assert_int_equal(metrics_add(m, &took, &d, NULL), 0);
	metric_inc(metric_with(h, a));
	metric_add(metric_with(h, a), 2.5);
	metric_inc(metric_with(h, odd));
	metric_set(metric_with(g, NULL), -INFINITY);
	t = metric_with(d, NULL);
	metric_observe(t, 0.1);
	metric_observe(t, 0.5);
	metric_observe(t, 100);
	s = text(m, METRICS_TEXT);
	assert_has(s, "# HELP hits_total Hits \\\\ of\\n\"all\".\n# TYPE hits_total counter\n");
	assert_has(s, "hits_total{method=\"GET\",code=\"200\"} 3.5\n");
	assert_has(s, "hits_total{method=\"a\\\"b\\\\c\\nd\",code=\"\xef\xbf\xbd\xc3\xa4\"} 1\n");
	assert_has(s, "temp -Inf\n");
	assert_has(s, "took_seconds_bucket{le=\"0.1\"} 1\ntook_seconds_bucket{le=\"1\"} 2\n"
		      "took_seconds_bucket{le=\"10\"} 2\ntook_seconds_bucket{le=\"+Inf\"} 3\n"
		      "took_seconds_sum 100.6\ntook_seconds_count 3\n");
	assert_has_not(s, "# EOF");
	s = text(m, METRICS_OPENMETRICS);
	assert_has(s, "# HELP hits Hits \\\\ of\\n\\\"all\\\".\n# TYPE hits counter\nhits_total{");
	assert_has(s, "took_seconds_bucket{le=\"1.0\"} 2\n");
	assert_string_equal(s + strlen(s) - 6, "# EOF\n");
}

static void bounds_the_series_of_a_family(void **state)
{
	CLEANUP(metrics_free) struct metrics *m = metrics_new();
	struct metric_family *h;

	assert_int_equal(metrics_add(m, &hits, &h, NULL), 0);
	for (int i = 0; i < 100; i++) {
		char code[16];
		const char *v[] = { "GET", code };

		snprintf(code, sizeof(code), "%d", i);
		metric_inc(metric_with(h, v));
	}
	assert_has(text(m, METRICS_TEXT), "hits_total{method=\"other\",code=\"other\"} 97\n");
	assert_has(text(m, METRICS_TEXT), "teu_metrics_series_dropped_total 97\n");
	assert_has_not(text(m, METRICS_TEXT), "code=\"50\"");
}

static void refuses_what_is_no_metric(void **state)
{
	CLEANUP(metrics_free) struct metrics *m = metrics_new();
	static const char *const le[] = { "le" }, *const bad_label[] = { "a-b" };
	static const double falling[] = { 2, 1 };
	struct metric_spec bad[] = {
		{ .type = METRIC_COUNTER, .name = "hits" },
		{ .type = METRIC_GAUGE, .name = "1a" },
		{ .type = METRIC_GAUGE, .name = "a b" },
		{ .type = METRIC_GAUGE, .name = "" },
		{ .type = METRIC_HISTOGRAM, .name = "a", .labels = le, .labels_n = 1 },
		{ .type = METRIC_GAUGE, .name = "a", .labels = bad_label, .labels_n = 1 },
		{ .type = METRIC_HISTOGRAM, .name = "a", .buckets = falling, .buckets_n = 2 },
	};
	struct metric_family *f;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(metrics_add(m, &bad[i], &f, &err), -ERR_INVALID);
	assert_int_equal(metrics_add(m, &temp, &f, &err), 0);
	assert_int_equal(metrics_add(m, &temp, &f, &err), -ERR_EXISTS);
}

static void negotiates_the_format(void **state)
{
	assert_int_equal(metrics_negotiate(slice_str("")), METRICS_TEXT);
	assert_int_equal(metrics_negotiate(slice_str("text/plain")), METRICS_TEXT);
	assert_int_equal(metrics_negotiate(slice_str("*/*")), METRICS_TEXT);
	assert_int_equal(
		metrics_negotiate(slice_str(
			"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3")),
		METRICS_OPENMETRICS);
	assert_int_equal(
		metrics_negotiate(slice_str("application/openmetrics-text;q=0.0, text/plain")),
		METRICS_TEXT);
}

/* ---- access log ---- */

static void log_masks_secrets_and_escapes(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct access_record r = {
		.time = 1700000000 * NS_PER_SEC + 123456000,
		.duration = 1500 * 1000,
		.peer = "[2001:db8::1]:80",
		.method = "GET",
		.protocol = "HTTP/1.1",
		.status = 200,
		.in = 1,
		.out = 2,
		.target = slice_str("/a\"b?user=x&access_token=SECRET1&X-Amz-Signature=SECRET2&api%"
				    "4bey=SECRET3&q=\x7f"),
		.host = slice_str("h"),
		.referer = slice_str("http://me:SECRET4@h/?password=SECRET5&a=1"),
		.agent = slice_str("evil\"\n{\"x\":1}\\"),
	};

	assert_int_equal(access_log_format(ACCESS_JSON, &r, &b), 0);
	assert_string_equal(
		buf_str(&b),
		"{\"time\":\"2023-11-14T22:13:20.123456Z\",\"peer\":\"[2001:db8::1]:80\","
		"\"method\":\"GET\","
		"\"target\":\"/"
		"a\\\"b?user=x&access_token=***&X-Amz-Signature=***&api%4bey=***&q=\\u007f\","
		"\"protocol\":\"HTTP/"
		"1.1\",\"host\":\"h\",\"status\":200,\"in\":1,\"out\":2,\"duration\":0.001500,"
		"\"referer\":\"http://***@h/"
		"?password=***&a=1\",\"agent\":\"evil\\\"\\u000a{\\\"x\\\":1}\\\\\"}\n");
	buf_clear(&b);
	assert_int_equal(access_log_format(ACCESS_COMBINED, &r, &b), 0);
	assert_string_equal(buf_str(&b), "[2001:db8::1] - - [14/Nov/2023:22:13:20 +0000] \"GET "
					 "/a\\\"b?user=x&access_token=***&"
					 "X-Amz-Signature=***&api%4bey=***&q=\\x7f HTTP/1.1\" 200 "
					 "2 \"http://***@h/?password=***&a=1\" "
					 "\"evil\\\"\\x0a{\\\"x\\\":1}\\\\\"\n");
	assert_has_not(buf_str(&b), "SECRET");
}

static void log_cuts_long_fields(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	char longer[5000] = { 0 };
	struct access_record r = { .peer = "@",
				   .method = "GET",
				   .protocol = "HTTP/1.1",
				   .target = slice_of(longer, sizeof(longer)),
				   .agent = slice_of(longer, sizeof(longer)) };

	memset(longer, 1, sizeof(longer));
	assert_int_equal(access_log_format(ACCESS_JSON, &r, &b), 0);
	assert_true(b.n < 4 * 2048 * 6);
	assert_has(buf_str(&b), "...");
}

static void reply(struct stream *s, void *arg)
{
	struct env *e = arg;

	if (strcmp(stream_request(s)->path, "/metrics") == 0)
		metrics_serve(s, e->conf.metrics);
	else
		stream_reply(s, 204, NULL, NULL, 0);
}

#define GET(path)                                                                      \
	"GET " path " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer SECRET\r\nCookie: " \
	"SECRET\r\n\r\n"

static void server_counts_and_logs_requests(void **state)
{
	struct access_log_conf lc = { .format = ACCESS_JSON };
	struct env e = { 0 };
	struct access_log *log;
	struct err err = ERR_INIT;
	char path[] = "/tmp/teu-log-XXXXXX", text_[4096];
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0);
	lc.path = path;
	assert_int_equal(access_log_new(&lc, &log, &err), 0);
	e.conf.access_log = log;
	e.conf.metrics = metrics_new();
	env_start(&e, reply);
	assert_has(ask(&e, GET("/a?token=SECRET"), false, NULL), "204");
	assert_has(ask(&e, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", false, NULL), "204");
	assert_has(ask(&e, "broken\r\n\r\n", false, NULL), "400");
	assert_has(ask(&e, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false, NULL),
		   "http_requests_total{method=\"GET\",code=\"204\"} 1\n");
	assert_has(ask(&e,
		       "GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: "
		       "application/openmetrics-text\r\n\r\n",
		       false, NULL),
		   "# EOF\n");
	assert_has(ask(&e, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false, NULL),
		   "http_requests_total{method=\"other\",code=\"204\"} 1\n");
	assert_has(ask(&e, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false, NULL),
		   "http_requests_total{method=\"other\",code=\"400\"} 1\n");
	assert_has(ask(&e, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", false, NULL),
		   "http_requests_refused_total 1\n");
	access_log_flush(log);
	n = pread(fd, text_, sizeof(text_) - 1, 0);
	assert_true(n > 0);
	text_[n] = '\0';
	assert_has(text_, "\"target\":\"/a?token=***\"");
	assert_has(text_, "\"status\":204");
	assert_has(text_, "\"status\":400");
	assert_has(text_, "\"error\":");
	assert_has_not(text_, "SECRET");
	/* After a rotation lines go to the new file. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(access_log_reopen(log, &err), 0);
	assert_has(ask(&e, GET("/b"), false, NULL), "204");
	access_log_flush(log);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = pread(fd, text_, sizeof(text_) - 1, 0);
	assert_true(n > 0);
	assert_int_equal(access_log_dropped(log), 0);
	env_stop(&e);
	metrics_free(e.conf.metrics);
	access_log_free(log);
	close(fd);
	unlink(path);
}

static void log_drops_what_the_disk_does_not_take(void **state)
{
	struct access_log_conf lc = { .queue_max = 8192 };
	struct access_record r = {
		.peer = "@", .method = "GET", .protocol = "HTTP/1.1", .target = slice_str("/")
	};
	struct access_log *log;
	struct err err = ERR_INIT;
	char drain[65536];
	int p[2];

	/* A pipe that nobody reads stands for the slow disk. */
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	lc.fd = p[1];
	assert_int_equal(access_log_new(&lc, &log, &err), 0);
	for (int i = 0; i < 20000; i++)
		access_log_add(log, &r);
	assert_true(access_log_dropped(log) > 0);
	assert_int_equal(fd_set_nonblock(p[0], true), 0);
	while (read(p[0], drain, sizeof(drain)) > 0)
		;
	close(p[0]); /* the rest fails with EPIPE */
	access_log_free(log);
	close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_both_formats),
		cmocka_unit_test(bounds_the_series_of_a_family),
		cmocka_unit_test(refuses_what_is_no_metric),
		cmocka_unit_test(negotiates_the_format),
		cmocka_unit_test(log_masks_secrets_and_escapes),
		cmocka_unit_test(log_cuts_long_fields),
		cmocka_unit_test(server_counts_and_logs_requests),
		cmocka_unit_test(log_drops_what_the_disk_does_not_take),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
