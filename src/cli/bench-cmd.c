/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `teu bench http|ws|grpc`: load on a server, and how it was answered (io/load.h). The exit status
 * is 1 when nothing was answered.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "cli/cli.h"
#include "cli/cmds.h"
#include "cli/human.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/histogram.h"
#include "io/load.h"
#include "io/url.h"

#include <math.h>
#include <stdio.h>

#define BODY_MAX (64u << 20)
#define CERTS_MAX (8u << 20)
#define HEADERS_MAX 64

struct bench_opts {
	const char *method, *body, *body_file, *unix_path, *format, *http, *protocol;
	int64_t connections, streams, threads, requests, duration, warmup, timeout, body_size;
	double rate;
	struct opt_list headers;
	const char *cacert, *hex;
	bool no_keepalive, quiet, duration_given, insecure, no_resumption;
};

static const char *const formats[] = { "text", "json", NULL };
static const char *const versions[] = { "auto", "1.1", "2", NULL };

/* clang-format off */
#define COMMON_OPTS \
	OPT(struct bench_opts, INT, connections, "connections", 'c', "Connections (1)"), \
	OPT(struct bench_opts, INT, threads, "threads", 't', "Threads that share them (1)"), \
	OPT(struct bench_opts, FLOAT, rate, "rate", 'r', \
	    "Exchanges a second, due whatever the server does; latency counts from when they were due " \
	    "(default: the next one when the last was answered)"), \
	OPT_SEEN_AT(struct bench_opts, DURATION, duration, duration_given, "duration", 'd', "How long (10s)"), \
	OPT(struct bench_opts, INT, requests, "requests", 'n', "End after so many"), \
	OPT(struct bench_opts, DURATION, warmup, "warmup", 'w', "Time at the beginning that is not counted (0s)"), \
	OPT(struct bench_opts, DURATION, timeout, "timeout", 0, "Of one exchange (30s)"), \
	OPT(struct bench_opts, LIST, headers, "header", 'H', "\"NAME: VALUE\" to send; may repeat"), \
	OPT(struct bench_opts, STR, unix_path, "unix", 0, "Connect to this Unix socket, whatever host the URL names"), \
	OPT(struct bench_opts, STR, body, "data", 0, "Bytes to send"), \
	OPT(struct bench_opts, STR, body_file, "data-file", 0, "File to send (64 MiB at most)"), \
	OPT(struct bench_opts, SIZE, body_size, "data-size", 0, "Send so many bytes"), \
	OPT_CHOICE(struct bench_opts, format, "format", 'f', formats, "How the result is printed (text, json)"), \
	OPT(struct bench_opts, STR, cacert, "cacert", 0, "TLS: file of the certificates to trust (the system's)"), \
	OPT(struct bench_opts, BOOL, insecure, "insecure", 'k', "TLS: the server's certificate is not verified"), \
	OPT(struct bench_opts, BOOL, no_resumption, "no-resumption", 0, "TLS: every handshake is a full one"), \
	OPT(struct bench_opts, BOOL, quiet, "quiet", 'q', "No line of progress")
/* clang-format on */

static const struct opt http_opts[] = {
	COMMON_OPTS,
	OPT(struct bench_opts, INT, streams, "streams", 's',
	    "HTTP/2: exchanges at a time on each connection (1)"),
	OPT(struct bench_opts, STR, method, "method", 'm', "Request method (GET; POST with data)"),
	OPT_CHOICE(struct bench_opts, http, "http", 0, versions,
		   "Version: auto (by TLS, else 1.1), 1.1, 2 (also without TLS)"),
	OPT(struct bench_opts, BOOL, no_keepalive, "no-keepalive", 0,
	    "A new connection for each exchange"),
	OPT_END
};

static const struct opt ws_opts[] = {
	COMMON_OPTS,
	OPT(struct bench_opts, INT, streams, "messages", 's',
	    "Messages on their way at a time on each connection (1)"),
	OPT(struct bench_opts, STR, protocol, "protocol", 0, "Sub-protocols to offer"), OPT_END
};

static const struct opt grpc_opts[] = {
	COMMON_OPTS, OPT(struct bench_opts, STR, hex, "data-hex", 0, "The message, in hex"),
	OPT(struct bench_opts, INT, streams, "streams", 's',
	    "Calls at a time on each connection (1)"),
	OPT_END
};

/* ---- what is asked for ---- */

struct target {
	const char *address, *host, *path;
	bool tls;
};

/* SCHEME://AUTHORITY/PATH; the client takes the first two as they are. */
static int read_url(struct arena *a, const char *text, const char *unix_path, bool ws,
		    struct target *ret, struct err *err)
{
	static const char *const from[] = { "ws://", "wss://", "http://", "https://" };
	static const char *const to[] = { "http://", "https://", "http://", "https://" };
	const char *rest = NULL, *slash, *scheme = NULL;

	for (unsigned i = ws ? 0 : 2; i < ARRAY_LEN(from) && !rest; i++) {
		if (strncmp(text, from[i], strlen(from[i])) == 0) {
			rest = text + strlen(from[i]);
			scheme = to[i];
		}
	}
	if (!rest || *rest == '\0' || *rest == '/')
		return err_set(err, ERR_INVALID, "'%s' is no URL: %s://HOST[:PORT][/PATH]", text,
			       ws ? "ws" : "http");
	slash = strpbrk(rest, "/?");
	ret->host = slash ? arena_strndup(a, rest, (size_t)(slash - rest)) : rest;
	ret->tls = strncmp(scheme, "https", 5) == 0;
	ret->path = !slash ? "/" : *slash == '?' ? arena_printf(a, "/%s", slash) : slash;
	ret->address = unix_path ? arena_printf(a, "unix://%s", unix_path)
				 : arena_printf(a, "%s%s", scheme, ret->host);
	return ret->host && ret->path && ret->address ? 0 : arena_quota(a, err);
}

static int read_headers(struct arena *a, const struct opt_list *l, struct load_conf *c,
			struct err *err)
{
	struct http_header *h = ARENA_ARRAY(a, struct http_header, HEADERS_MAX + 2);

	if (!h)
		return arena_quota(a, err);
	if (l->n > HEADERS_MAX)
		return err_set(err, ERR_INVALID, "at most %d headers", HEADERS_MAX);
	for (size_t i = 0; i < l->n; i++) {
		struct slice rest = slice_str(l->v[i]);

		h[i].name = slice_trim(slice_split(&rest, ':'));
		h[i].value = slice_trim(rest);
		if (!rest.p || h[i].name.n == 0)
			return err_set(err, ERR_INVALID, "--header '%s' is not \"NAME: VALUE\"",
				       l->v[i]);
	}
	c->headers = h;
	c->headers_n = l->n;
	if (c->kind == LOAD_GRPC) {
		h[c->headers_n++] =
			(struct http_header){ SLICE("content-type"), SLICE("application/grpc") };
		h[c->headers_n++] = (struct http_header){ SLICE("te"), SLICE("trailers") };
		c->method = "POST";
	}
	return 0;
}

static int read_body(struct arena *a, const struct bench_opts *o, struct buf *file,
		     struct slice *ret, struct err *err)
{
	char *p;

	if (!!o->body + !!o->body_file + !!o->body_size > 1)
		return err_set(err, ERR_INVALID,
			       "--data, --data-file and --data-size exclude each other");
	if (o->body)
		*ret = slice_str(o->body);
	if (o->body_size > BODY_MAX)
		return err_set(err, ERR_INVALID, "--data-size is larger than %u MiB",
			       BODY_MAX >> 20);
	if (o->body_size > 0) {
		p = arena_alloc(a, (size_t)o->body_size);
		if (!p)
			return arena_quota(a, err);
		memset(p, 'x', (size_t)o->body_size);
		*ret = slice_of(p, (size_t)o->body_size);
	}
	if (o->body_file) {
		int r = fd_read_file(AT_FDCWD, o->body_file, file, err);

		if (r < 0)
			return err_wrap(err, "--data-file");
		*ret = buf_slice(file);
	}
	return 0;
}

/* A message as gRPC sends it: not compressed, its length in front. */
static int frame_message(struct arena *a, const struct bench_opts *o, struct load_conf *c,
			 struct err *err)
{
	size_t n = o->hex ? strlen(o->hex) / 2 : c->body.n;
	char *p = arena_alloc(a, n + 5);

	if (!p)
		return arena_quota(a, err);
	if (o->hex && c->body.n)
		return err_set(err, ERR_INVALID, "--data-hex and other data exclude each other");
	if (!o->hex && c->body.n && *c->body.p == '{')
		return err_set(err, ERR_UNSUPPORTED,
			       "the message is JSON; bench grpc sends protobuf bytes as they are: "
			       "encode it first (protoc --encode), or give --data-hex");
	if (o->hex && hex_decode(p + 5, slice_str(o->hex)) < 0)
		return err_set(err, ERR_INVALID, "--data-hex '%s' is not in hex", o->hex);
	if (!o->hex && n)
		memcpy(p + 5, c->body.p, n);
	for (unsigned i = 0; i < 4; i++)
		p[1 + i] = (char)(n >> (24 - 8 * i));
	c->body = slice_of(p, n + 5);
	return 0;
}

static int read_number(const char *name, int64_t v, int64_t max, unsigned *ret, struct err *err)
{
	if (v < 0 || v > max)
		return err_set(err, ERR_INVALID, "--%s must be 1 to %lld", name, (long long)max);
	*ret = (unsigned)v;
	return 0;
}

static int read_conf(const struct bench_opts *o, struct load_conf *c, struct err *err)
{
	bool ws = c->kind == LOAD_WS;
	int r = read_number("connections", o->connections, LOAD_CONNECTIONS_MAX, &c->connections,
			    err);

	r = r < 0 ? r : read_number("threads", o->threads, LOAD_THREADS_MAX, &c->threads, err);
	r = r < 0 ? r
		  : read_number(ws ? "messages" : "streams", o->streams, LOAD_STREAMS_MAX,
				&c->streams, err);
	if (r < 0)
		return r;
	if (o->requests < 0 || o->rate < 0 || !isfinite(o->rate))
		return err_set(err, ERR_INVALID, "--requests and --rate cannot be negative");
	c->requests = (uint64_t)o->requests;
	c->rate = o->rate;
	c->duration = o->duration;
	if (!o->duration_given && !o->requests)
		c->duration = 10 * NS_PER_SEC;
	c->warmup = o->warmup;
	c->timeout = o->timeout;
	c->method = o->method;
	c->protocol = o->protocol;
	c->no_keepalive = o->no_keepalive;
	c->client.http2 = c->kind == LOAD_GRPC			     ? HTTP2_PRIOR
			  : !o->http || strcmp(o->http, "auto") == 0 ? HTTP2_BY_TLS
			  : strcmp(o->http, "2") == 0		     ? HTTP2_PRIOR
								     : HTTP2_NEVER;
	if (c->streams > 1 && !ws && c->client.http2 == HTTP2_NEVER)
		return err_set(err, ERR_INVALID,
			       "--streams needs HTTP/2: HTTP/1.1 carries one exchange at a time");
	return 0;
}

static int read_trust(const char *file, struct cert_pool **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CERTS_MAX);
	int r;

	if (!file)
		return cert_pool_system(ret, err);
	r = fd_read_file(AT_FDCWD, file, &b, err);
	if (r < 0)
		return r;
	*ret = cert_pool_new();
	return cert_pool_add_pem(*ret, buf_slice(&b), err);
}

static int read_tls(const struct bench_opts *o, const struct target *to, struct load_conf *c,
		    struct err *err)
{
	CLEANUP(cert_pool_unref) struct cert_pool *trust = NULL;
	static const char *const alpn[] = { "h2", "http/1.1" };
	unsigned first = c->kind == LOAD_WS || c->client.http2 == HTTP2_NEVER;
	struct tls_options opt = { .insecure = o->insecure,
				   .no_resumption = o->no_resumption,
				   .alpn = alpn + first,
				   .alpn_n = c->client.http2 == HTTP2_PRIOR ? 1 : 2 - first };
	int r = 0;

	if (!to->tls && (o->cacert || o->insecure || o->no_resumption))
		return err_set(err, ERR_INVALID,
			       "--cacert, --insecure and --no-resumption are for TLS: use %s://",
			       c->kind == LOAD_WS ? "wss" : "https");
	if (!to->tls)
		return 0;
	if (!o->insecure)
		r = read_trust(o->cacert, &trust, err);
	if (r < 0)
		return err_wrap(err, "certificates to trust");
	opt.trust = trust;
	if (c->kind == LOAD_WS)
		c->client.http2 = HTTP2_NEVER;
	return tls_conf_new(&opt, &c->client.tls, err);
}

/* ---- what is told ---- */

static const double percents[] = { 50, 75, 90, 99, 99.9, 99.99, 100 };

static void put_json_histogram(struct buf *out, const char *name, const struct histogram *h)
{
	buf_addf(out, "\"%s\": {\"min\": %lld, \"mean\": %.0f, \"stddev\": %.0f, \"max\": %lld",
		 name, (long long)histogram_min(h), histogram_mean(h), histogram_stddev(h),
		 (long long)histogram_max(h));
	for (size_t i = 0; i + 1 < ARRAY_LEN(percents); i++)
		buf_addf(out, ", \"p%g\": %lld", percents[i],
			 (long long)histogram_percentile(h, percents[i]));
	buf_adds(out, "}");
}

static uint64_t errors_of(const struct load_result *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < LOAD_ERRORS_N; i++)
		n += r->errors[i];
	return n;
}

static double per_second(double n, int64_t ns)
{
	return ns > 0 ? n * 1e9 / (double)ns : 0;
}

/* Times in ns, so that they are whole numbers. */
static void put_json(struct buf *out, const struct load_result *r)
{
	buf_addf(out, "{\"done\": %llu, \"elapsed\": %lld, \"rate\": %.1f, \"interrupted\": %s, ",
		 (unsigned long long)r->done, (long long)r->elapsed,
		 per_second((double)r->done, r->elapsed), r->interrupted ? "true" : "false");
	buf_addf(out, "\"bytes_in\": %llu, \"bytes_out\": %llu, \"late\": %llu, ",
		 (unsigned long long)r->bytes_in, (unsigned long long)r->bytes_out,
		 (unsigned long long)r->late);
	put_json_histogram(out, "latency", r->latency);
	buf_adds(out, ", ");
	put_json_histogram(out, "service", r->service);
	buf_adds(out, ", \"statuses\": {");
	for (unsigned i = 0; i < ARRAY_LEN(r->statuses); i++)
		buf_addf(out, "%s\"%s\": %llu", i ? ", " : "",
			 ((const char *[]){ "other", "1xx", "2xx", "3xx", "4xx", "5xx" })[i],
			 (unsigned long long)r->statuses[i]);
	buf_adds(out, "}, \"errors\": {");
	for (unsigned i = 0; i < LOAD_ERRORS_N; i++)
		buf_addf(out, "%s\"%s\": %llu", i ? ", " : "", load_error_names[i],
			 (unsigned long long)r->errors[i]);
	buf_adds(out, "}}\n");
}

static const char *human_time(char dst[HUMAN_MAX], double ns)
{
	static const struct {
		double from, unit;
		const char *name;
	} units[] = { { 1e9, 1e9, "s" }, { 1e6, 1e6, "ms" }, { 1e3, 1e3, "us" }, { 0, 1, "ns" } };
	unsigned i = 0;

	while (ns < units[i].from)
		i++;
	(void)snprintf(dst, HUMAN_MAX, "%.3g%s", ns / units[i].unit, units[i].name);
	return dst;
}

static void put_times(struct buf *out, const char *name, const struct histogram *h)
{
	char t[HUMAN_MAX];

	buf_addf(out, "%-10s", name);
	buf_addf(out, " mean %s", human_time(t, histogram_mean(h)));
	buf_addf(out, "  sd %s", human_time(t, histogram_stddev(h)));
	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		if (percents[i] >= 100)
			buf_adds(out, "  max ");
		else
			buf_addf(out, "  %g%% ", percents[i]);
		buf_adds(out, human_time(t, (double)histogram_percentile(h, percents[i])));
	}
	buf_addc(out, '\n');
}

static void put_text(struct buf *out, const struct load_conf *c, const struct load_result *r)
{
	char t[HUMAN_MAX], size[HUMAN_MAX];

	buf_addf(out, "%llu answered in %s: %.1f/s, %s/s in\n", (unsigned long long)r->done,
		 human_time(t, (double)r->elapsed), per_second((double)r->done, r->elapsed),
		 human_size(size, (uint64_t)per_second((double)r->bytes_in, r->elapsed)));
	put_times(out, "latency", r->latency);
	if (c->rate > 0) {
		put_times(out, "service", r->service);
		if (r->late)
			buf_addf(out,
				 "%llu were due but never left: the rate is more than was taken\n",
				 (unsigned long long)r->late);
	}
	if (errors_of(r) > 0) {
		buf_adds(out, "failed    ");
		for (unsigned i = 0; i < LOAD_ERRORS_N; i++) {
			if (r->errors[i])
				buf_addf(out, " %s %llu", load_error_names[i],
					 (unsigned long long)r->errors[i]);
		}
		buf_addf(out, "; the first: %s\n", r->first.msg);
	}
}

struct shown {
	bool on;
};

static void show(void *arg, int64_t elapsed, uint64_t done, uint64_t errors)
{
	struct shown *s = arg;

	if (s->on)
		(void)dprintf(2, "\r\033[K%llds: %llu answered, %llu failed",
			      (long long)(elapsed / NS_PER_SEC), (unsigned long long)done,
			      (unsigned long long)errors); /* the terminal may be gone */
}

/* ---- the commands ---- */

static int bench(struct cmd_call *call, enum load_kind kind, struct err *err)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1 << 20), file = BUF_INIT(BODY_MAX);
	CLEANUP(load_result_fini) struct load_result result = { 0 };
	const struct bench_opts *o = call->opts;
	struct shown shown = { .on = !o->quiet && isatty(2) };
	struct load_conf c = {
		.kind = kind, .progress = show, .arg = &shown, .stop_signal = SIGINT
	};
	struct target to = { 0 };
	int r = read_conf(o, &c, err);

	r = r < 0 ? r
		  : read_url(call->arena, call->args[0], o->unix_path, kind == LOAD_WS, &to, err);
	r = r < 0 ? r : read_headers(call->arena, &o->headers, &c, err);
	r = r < 0 ? r : read_body(call->arena, o, &file, &c.body, err);
	if (r < 0)
		return r;
	c.address = to.address;
	c.target = to.path;
	c.client.host = to.host;
	r = read_tls(o, &to, &c, err);
	if (r < 0)
		return r;
	if (kind == LOAD_GRPC)
		r = frame_message(call->arena, o, &c, err);
	r = r < 0 ? r : load_run(&c, &result, err);
	tls_conf_unref(c.client.tls);
	if (shown.on)
		(void)dprintf(2, "\r\033[K");
	if (r < 0)
		return r;
	if (o->format && strcmp(o->format, "json") == 0)
		put_json(&out, &result);
	else
		put_text(&out, &c, &result);
	r = cli_write(1, &out, err);
	return r < 0 ? r : result.done == 0;
}

static int http_run(struct cmd_call *call, struct err *err)
{
	return bench(call, LOAD_HTTP, err);
}

static int ws_run(struct cmd_call *call, struct err *err)
{
	return bench(call, LOAD_WS, err);
}

static int grpc_run(struct cmd_call *call, struct err *err)
{
	return bench(call, LOAD_GRPC, err);
}

const struct cmd cmd_bench_grpc = {
	.path = "bench grpc",
	.args = "[OPTIONS] URL",
	.help = "Measure a gRPC server under unary calls",
	.details = "The URL's path is /PACKAGE.SERVICE/METHOD. The message is sent as it is given\n"
		   "(protobuf bytes, not JSON; none = an empty message); a call counts when it "
		   "ended with OK.",
	.opts = grpc_opts,
	.opts_size = sizeof(struct bench_opts),
	.min = 1,
	.max = 1,
	.group = CLI_SYSTEM,
	.run = grpc_run,
};

const struct cmd cmd_bench_http = {
	.path = "bench http",
	.args = "[OPTIONS] URL",
	.help = "Measure an HTTP server under load",
	.details =
		"Prints how many exchanges were answered and how long they took. With --rate the\n"
		"load does not wait for the server, and latency counts from when an exchange was\n"
		"due. SIGINT ends early with what was measured. The exit status is 1 when nothing\n"
		"was answered.",
	.opts = http_opts,
	.opts_size = sizeof(struct bench_opts),
	.min = 1,
	.max = 1,
	.group = CLI_SYSTEM,
	.run = http_run,
};

const struct cmd cmd_bench_ws = {
	.path = "bench ws",
	.args = "[OPTIONS] URL",
	.help = "Measure a WebSocket server that echoes",
	.details = "Sends binary messages (1 KiB, or --data) and counts those that come back the "
		   "same.",
	.opts = ws_opts,
	.opts_size = sizeof(struct bench_opts),
	.min = 1,
	.max = 1,
	.group = CLI_SYSTEM,
	.run = ws_run,
};
