/* SPDX-License-Identifier: Apache-2.0 */
/* pods/log, exec, attach, portforward through the whole server to an agent. */
#include "connect-fix.h"

#include "apiserver/auth/apiaudit.h"
#include "apiserver/auth/authz.h"
#include "apiserver/rest/fairness.h"

#define BAD "waiting,gone,broken,moved,refused,fine"

/* ---- logs ---- */

static void a_log_comes_from_the_agent_with_its_options(void **state)
{
	struct cfix *f = *state;

	(void)get(f->x, POD "/log?tailLines=5&timestamps=true&sinceSeconds=60&limitBytes=100"
			    "&previous=1&container=app");
	assert_code(f->x, 200);
	assert_string_equal(buf_str(&f->x->body), "line 1\nline 2\n");
	assert_string_equal(header_of(f->x, "Content-Type"), "text/plain");
	assert_string_equal(f->agent.target,
			    "/containerLogs/n1/p/app?previous=true&timestamps=true&tailLines=5"
			    "&limitBytes=100&sinceSeconds=60");
	assert_string_equal(f->agent.name, "apiserver"); /* who we are */
	(void)get(f->x, POD "/log?sinceTime=2026-01-02T15:04:05Z&follow=false");
	assert_string_equal(f->agent.target,
			    "/containerLogs/n1/p/app?sinceTime=2026-01-02T15%3A04%3A05Z");
}

static void wrong_options_of_a_log_are_refused(void **state)
{
	struct cfix *f = *state;
	unsigned before = f->agent.requests;

	(void)get(f->x, POD "/log?tailLines=-1");
	assert_status(f->x, 422, "Invalid",
		      "PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be "
		      "greater than or equal to 0");
	(void)get(f->x, POD "/log?limitBytes=0&sinceSeconds=0");
	assert_status(f->x, 422, "Invalid",
		      "[limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: "
		      "Invalid value: 0: must be greater than 0]");
	(void)get(f->x, POD "/log?sinceSeconds=5&sinceTime=2026-01-02T15:04:05Z");
	assert_status(f->x, 422, "Invalid", "at most one of `sinceTime` or `sinceSeconds`");
	(void)get(f->x, POD "/log?stream=Stdout");
	assert_status(f->x, 422, "Invalid", "stream: Forbidden: may not be specified");
	(void)get(f->x, POD "/log?tailLines=x");
	assert_status(f->x, 400, "BadRequest", "strconv.ParseInt: parsing \"x\": invalid syntax");
	for (size_t i = 0; i < 6; i++) {
		static const char *const times[] = { "now",
						     "2026-01-02",
						     "2026-01-02T15:04:05",
						     "2026-01-02T15:04:05.Z",
						     "2026-01-02T15:04:05+0100",
						     "2026-01-02T15:04:05ZZ" };
		char path[128];

		snprintf(path, sizeof(path), POD "/log?sinceTime=%s", times[i]);
		(void)get(f->x, path);
		assert_status(f->x, 400, "BadRequest", "parsing time");
	}
	assert_int_equal(f->agent.requests, before);
}

static void the_container_must_be_named_when_there_are_several(void **state)
{
	struct cfix *f = *state;

	make_pod(f, "two", "node-1", "a,b");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/two/log");
	assert_status(f->x, 400, "BadRequest",
		      "a container name must be specified for pod two, choose one of: [a b]");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/two/log?container=c");
	assert_status(f->x, 400, "BadRequest", "container c is not valid for pod two");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/two/log?container=b");
	assert_code(f->x, 200);
	assert_string_equal(f->agent.target, "/containerLogs/n1/two/b");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/none/log");
	assert_status(f->x, 404, "NotFound", "pods \"none\" not found");
}

static void what_the_agent_refuses_is_told_in_upstreams_words(void **state)
{
	struct cfix *f = *state;

	make_pod(f, "bad", "node-1", BAD);
	(void)get(f->x, "/api/v1/namespaces/n1/pods/bad/log?container=waiting");
	assert_status(f->x, 400, "BadRequest",
		      "container \"waiting\" in pod \"p\" is waiting to start: ContainerCreating");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/bad/log?container=gone");
	assert_status(f->x, 404, "NotFound",
		      "the server could not find the requested resource ( pods/log bad)");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/bad/log?container=broken");
	assert_status(f->x, 500, "InternalError", "Internal error occurred: the disk is gone");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/bad/log?container=moved");
	assert_code(f->x, 500);
	assert_has(f->x, "redirects forbidden");
}

static void pods_without_a_node_say_so(void **state)
{
	struct cfix *f = *state;

	make_pod(f, "new", "", "app");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/new/log");
	assert_code(f->x, 204);
	(void)ask(f->x, "POST", "/api/v1/namespaces/n1/pods/new/exec?command=cat", ADMIN, "");
	assert_status(f->x, 400, "BadRequest", "pod new does not have a host assigned");
	make_pod(f, "lost", "node-9", "app");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/lost/log");
	assert_status(f->x, 404, "NotFound", "nodes \"node-9\" not found");
}

static void nodes_that_cannot_be_reached_are_told(void **state)
{
	struct cfix *f = *state;

	(void)post(f->x, "/api/v1/nodes",
		   "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"down\"},"
		   "\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"10.9.8.7\"}]"
		   ",\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":1}}}}");
	assert_code(f->x, 201);
	make_pod(f, "down", "down", "app");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/down/log");
	assert_code(f->x, 500);
	assert_has(f->x, "Get \\\"https://10.9.8.7:1/containerLogs/n1/down/app\\\": ");
	(void)ask(f->x, "GET", "/api/v1/namespaces/n1/pods/down/exec?command=cat",
		  ADMIN "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", NULL);
	assert_code(f->x, 500);
	assert_has(f->x, "error dialing backend: ");
	make_node(f, "dark", "Other", AGENT_IP);
	make_pod(f, "dark", "dark", "app");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/dark/log");
	assert_code(f->x, 500);
	assert_has(f->x, "no preferred addresses found; known addresses: [{Other 10.9.8.7}]");
}

static void a_log_is_followed_until_the_client_goes(void **state)
{
	struct cfix *f = *state;
	struct peer p;

	peer_open(f->x, &p);
	peer_send(&p, "GET", POD "/log?follow=true", ADMIN, NULL);
	peer_until(&p, "line 1");
	(void)stream_write(f->agent.follow, "line 2\n", 7);
	peer_until(&p, "line 2");
	peer_close(&p);
	until(f, f->agent.follow_gone);
}

static void a_followed_log_ends_in_good_order_when_the_server_does(void **state)
{
	struct cfix *f = *state;
	struct peer p;

	peer_open(f->x, &p);
	peer_send(&p, "GET", POD "/log?follow=true", ADMIN, NULL);
	peer_until(&p, "line 1");
	server_drain(f->x->srv, NS_PER_SEC, NULL, NULL);
	peer_until(&p, "\r\n0\r\n\r\n");
	until(f, f->agent.follow_gone);
	peer_close(&p);
}

static void a_long_log_waits_for_a_slow_reader(void **state)
{
	struct cfix *f = *state;
	struct peer p;

	make_pod(f, "long", "node-1", "big");
	peer_open(f->x, &p);
	peer_send(&p, "GET", "/api/v1/namespaces/n1/pods/long/log", ADMIN, NULL);
	for (int i = 0; i < 300; i++) /* nobody reads: all of it stands */
		assert_true(loop_step(f->x->f->loop, 0, NULL) >= 0);
	peer_answer(&p, false);
	assert_int_equal(f->x->code, 200);
	assert_int_equal(f->x->body.n, AGENT_BIG);
	peer_close(&p);
}

/* ---- WebSocket ---- */

struct wsc {
	struct ws *ws;
	struct buf got;
	char protocol[64];
	int opened, messages;
	bool closed;
	unsigned code;
	struct err why;
};

static void wsc_opened(struct ws *w)
{
	struct wsc *c = ws_arg(w);

	c->opened++;
	snprintf(c->protocol, sizeof(c->protocol), "%s", ws_protocol(w));
}

static void wsc_message(struct ws *w, enum ws_type type, struct slice bytes)
{
	struct wsc *c = ws_arg(w);

	(void)type;
	c->messages++;
	(void)buf_add(&c->got, bytes.p, bytes.n);
}

static void wsc_closed(struct ws *w, const struct ws_end *how)
{
	struct wsc *c = ws_arg(w);

	c->closed = true;
	c->code = how->code;
	if (how->why)
		c->why = *how->why;
}

static const struct ws_events wsc_events = { .opened = wsc_opened,
					     .message = wsc_message,
					     .closed = wsc_closed };
static const struct http_header admin_header = { SLICE("Authorization"),
						 SLICE("Bearer admin-token") };

static void wsc_start(struct cfix *f, struct wsc *c, const char *target, const char *protocols)
{
	const struct ws_connect to = {
		.target = target, .protocols = protocols, .headers = &admin_header, .headers_n = 1
	};
	struct err err = ERR_INIT;

	*c = (struct wsc){ .got = BUF_INIT(64u << 20) };
	if (ws_connect(f->client, &to, NULL, &wsc_events, c, &c->ws, &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_log_comes_as_messages(void **state)
{
	struct cfix *f = *state;
	struct wsc c;

	wsc_start(f, &c, POD "/log", "binary.k8s.io");
	until(f, c.closed);
	assert_string_equal(c.protocol, "binary.k8s.io");
	assert_string_equal(buf_str(&c.got), "line 1\nline 2\n");
	assert_int_equal(c.code, 1000);
	assert_true(c.messages >= 2); /* an empty one first */
	buf_fini(&c.got);
	wsc_start(f, &c, POD "/log", "base64.binary.k8s.io");
	until(f, c.closed);
	assert_string_equal(buf_str(&c.got), "bGluZSAxCmxpbmUgMgo=");
	buf_fini(&c.got);
	wsc_start(f, &c, POD "/log", "other.k8s.io");
	until(f, c.closed);
	assert_non_null(strstr(c.why.msg, "status 400"));
	buf_fini(&c.got);
}

static void a_long_log_comes_as_messages(void **state)
{
	struct cfix *f = *state;
	struct wsc c;

	make_pod(f, "long", "node-1", "big");
	wsc_start(f, &c, "/api/v1/namespaces/n1/pods/long/log", "binary.k8s.io");
	until(f, c.closed);
	assert_int_equal(c.got.n, AGENT_BIG);
	buf_fini(&c.got);
}

/* ---- exec by channels ---- */

struct chan {
	struct channels *set;
	struct buf got[5];
	bool ended[5];
	bool opened, closed;
	struct err why;
};

struct chan_end {
	struct chan *c;
	unsigned i;
};

static struct chan_end chan_ends[5];

static void chan_data(struct stream *s, struct slice bytes)
{
	struct chan_end *e = stream_arg(s);

	(void)buf_add(&e->c->got[e->i], bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void chan_end_came(struct stream *s)
{
	struct chan_end *e = stream_arg(s);

	e->c->ended[e->i] = true;
}

static const struct stream_events chan_stream = { .data = chan_data, .end = chan_end_came };

static void chan_opened(struct channels *set)
{
	struct chan *c = channels_arg(set);

	c->opened = true;
	for (unsigned i = 0; i < 5; i++) {
		chan_ends[i] = (struct chan_end){ c, i };
		stream_on(channels_stream(set, i), &chan_stream, &chan_ends[i]);
		stream_read(channels_stream(set, i), 65536);
	}
}

static void chan_closed(struct channels *set, const struct err *why)
{
	struct chan *c = channels_arg(set);

	c->closed = true;
	if (why)
		c->why = *why;
}

static const struct channels_events chan_events = { .opened = chan_opened, .closed = chan_closed };

static void chan_start(struct cfix *f, struct chan *c, const char *target, const char *protocols)
{
	const struct ws_connect to = { .target = target, .headers = &admin_header, .headers_n = 1 };
	const struct channels_conf conf = { .n = 5, .greet = -1, .protocols = protocols };
	struct err err = ERR_INIT;

	*c = (struct chan){ .closed = false };
	for (size_t i = 0; i < 5; i++)
		c->got[i] = BUF_INIT(64u << 20);
	if (channels_connect(f->client, &to, &conf, &chan_events, c, &c->set, &err) < 0)
		fail_msg("%s", err.msg);
}

static void chan_fini(struct chan *c)
{
	for (size_t i = 0; i < 5; i++)
		buf_fini(&c->got[i]);
}

static void exec_v5_is_translated_to_spdy(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=cat&stdin=true&stdout=true&stderr=true",
		   "v5.channel.k8s.io");
	until(f, c.opened);
	assert_int_equal(stream_write(channels_stream(c.set, 0), "hello", 5), 0);
	until(f, c.got[1].n == 5);
	assert_false(c.closed);
	(void)stream_end(channels_stream(c.set, 0)); /* v5 can say so */
	until(f, c.closed);
	assert_string_equal(buf_str(&c.got[1]), "hello");
	assert_string_equal(buf_str(&c.got[3]), "{\"metadata\":{},\"status\":\"Success\"}");
	assert_string_equal(f->said, "exec spdy");
	assert_string_equal(f->agent.target, "/exec/n1/p/app?command=cat&error=1&input=1&output=1");
	assert_int_equal(c.why.code, ERR_NONE);
	chan_fini(&c);
}

static void exit_codes_and_both_outputs_come_through(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=exit&command=7&stdout=1&stderr=1",
		   "v5.channel.k8s.io");
	until(f, c.closed);
	assert_non_null(strstr(buf_str(&c.got[3]), "\"reason\":\"NonZeroExitCode\""));
	assert_non_null(strstr(buf_str(&c.got[3]), "\"message\":\"7\""));
	chan_fini(&c);
	chan_start(f, &c, POD "/exec?command=both&stdout=1&stderr=1", "v5.channel.k8s.io");
	until(f, c.closed);
	assert_string_equal(buf_str(&c.got[1]), "to out\n");
	assert_string_equal(buf_str(&c.got[2]), "to err\n");
	chan_fini(&c);
}

static void a_terminal_is_resized(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=size&stdin=1&stdout=1&tty=1", "v5.channel.k8s.io");
	until(f, c.opened);
	(void)stream_write(channels_stream(c.set, 4), "{\"Width\":99,\"Height\":33}", 24);
	until(f, c.closed);
	assert_string_equal(buf_str(&c.got[1]), "99x33\r\n");
	chan_fini(&c);
}

static void much_output_comes_whole_and_then_the_status(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=out&command=2000000&stdout=1", "v5.channel.k8s.io");
	until(f, c.closed);
	assert_int_equal(c.got[1].n, 2000000);
	for (size_t i = 0; i < 2000000; i += 9973)
		assert_int_equal(c.got[1].p[i], 'a' + (int)(i % 23));
	assert_string_equal(buf_str(&c.got[3]), "{\"metadata\":{},\"status\":\"Success\"}");
	chan_fini(&c);
}

static void much_input_comes_back(void **state)
{
	struct cfix *f = *state;
	size_t left = 1500000;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=cat&stdin=1&stdout=1", "v5.channel.k8s.io");
	until(f, c.opened);
	while (left > 0) {
		char piece[10000];
		size_t n = MIN(left, sizeof(piece));

		memset(piece, 'i', sizeof(piece));
		until(f, stream_room(channels_stream(c.set, 0)) > 0);
		assert_true(stream_write(channels_stream(c.set, 0), piece, n) >= 0);
		left -= n;
	}
	(void)stream_end(channels_stream(c.set, 0));
	until(f, c.closed);
	assert_int_equal(c.got[1].n, 1500000);
	chan_fini(&c);
}

static void what_fails_at_the_agent_is_a_status_on_the_error_channel(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	make_pod(f, "bad", "node-1", BAD);
	chan_start(f, &c,
		   "/api/v1/namespaces/n1/pods/bad/exec?command=a&stdout=1&container=refused",
		   "v5.channel.k8s.io");
	until(f, c.closed);
	assert_non_null(strstr(buf_str(&c.got[3]), "unable to upgrade connection: container not "
						   "found (\\\"refused\\\")"));
	assert_non_null(strstr(buf_str(&c.got[3]), "\"reason\":\"InternalError\""));
	chan_fini(&c);
	chan_start(f, &c, "/api/v1/namespaces/n1/pods/bad/exec?command=a&stdout=1&container=moved",
		   "v5.channel.k8s.io");
	until(f, c.closed);
	assert_non_null(strstr(buf_str(&c.got[3]), "invalid upgrade response: status code 302"));
	chan_fini(&c);
}

static void a_client_that_vanishes_ends_the_session(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=hang&stdin=1&stdout=1", "v5.channel.k8s.io");
	until(f, c.got[1].n == 7);
	assert_int_equal(http_server_get_stats(f->agent_srv).connections, 1);
	ws_abort(channels_ws(c.set));
	until(f, http_server_get_stats(f->agent_srv).connections == 0);
	chan_fini(&c);
}

static void an_agent_that_vanishes_is_told(void **state)
{
	struct cfix *f = *state;
	struct chan c;

	chan_start(f, &c, POD "/exec?command=hang&stdin=1&stdout=1", "v5.channel.k8s.io");
	until(f, c.got[1].n == 7);
	http_server_free(f->agent_srv);
	f->agent_srv = NULL;
	until(f, c.closed);
	assert_non_null(strstr(buf_str(&c.got[3]), "\"reason\":\"InternalError\""));
	chan_fini(&c);
}

/* ---- what is passed on as it is ---- */

static void older_channels_go_to_the_agent_as_they_are(void **state)
{
	static const char *const protocols[] = { "v4.channel.k8s.io", "v4.base64.channel.k8s.io",
						 "channel.k8s.io" };
	struct cfix *f = *state;
	struct chan c;

	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		char want[64];

		chan_start(f, &c, POD "/exec?command=exit&command=3&stdout=1", protocols[i]);
		until(f, c.closed);
		snprintf(want, sizeof(want), "exec %s", protocols[i]);
		assert_string_equal(f->said, want);
		assert_non_null(memmem(c.got[3].p, c.got[3].n, "NonZeroExitCode", 15));
		chan_fini(&c);
	}
}

struct spdyc {
	struct spdy *p;
	struct stream *v[3]; /* error, stdin, stdout */
	struct buf got[3];
	struct err why;
	char protocol[64];
	bool opened, closed;
};

static void spdyc_data(struct stream *s, struct slice bytes)
{
	(void)buf_add(stream_arg(s), bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static const struct stream_events spdyc_stream = { .data = spdyc_data };

static void spdyc_opened(struct spdy *p)
{
	static const char *const types_[] = { "error", "stdin", "stdout" };
	struct spdyc *c = spdy_arg(p);
	struct slice v = stream_header(spdy_below(p), "X-Stream-Protocol-Version");

	c->opened = true;
	snprintf(c->protocol, sizeof(c->protocol), "%.*s", (int)v.n, v.p);
	for (size_t i = 0; i < 3; i++) {
		const struct http_header h = { SLICE("streamType"), slice_str(types_[i]) };

		assert_int_equal(
			spdy_open(p, &h, 1, false, &spdyc_stream, &c->got[i], &c->v[i], NULL), 0);
		stream_read(c->v[i], 65536);
	}
}

static void spdyc_closed(struct spdy *p, const struct err *why)
{
	struct spdyc *c = spdy_arg(p);

	c->closed = true;
	if (why)
		c->why = *why;
}

static const struct spdy_events spdyc_events = { .opened = spdyc_opened, .closed = spdyc_closed };

static void spdyc_start(struct cfix *f, struct spdyc *c, const char *target, const char *version)
{
	const struct http_header h[] = {
		admin_header, { SLICE("X-Stream-Protocol-Version"), slice_str(version) }
	};
	const struct spdy_connect to = { .target = target, .headers = h, .headers_n = 2 };
	struct err err = ERR_INIT;

	*c = (struct spdyc){ .closed = false };
	for (size_t i = 0; i < 3; i++)
		c->got[i] = BUF_INIT(1u << 20);
	if (spdy_connect(f->client, &to, NULL, &spdyc_events, c, &c->p, &err) < 0)
		fail_msg("%s", err.msg);
}

static void spdyc_fini(struct spdyc *c)
{
	for (size_t i = 0; i < 3; i++) {
		buf_fini(&c->got[i]);
		stream_unref(c->v[i]);
	}
}

static void spdy_goes_to_the_agent_as_it_is(void **state)
{
	struct cfix *f = *state;
	struct spdyc c;

	spdyc_start(f, &c, POD "/attach?stdin=1&stdout=1", "v4.channel.k8s.io");
	until(f, c.opened);
	assert_string_equal(c.protocol, "v4.channel.k8s.io");
	(void)stream_write(c.v[1], "ping", 4);
	until(f, c.got[2].n == 4);
	(void)stream_end(c.v[1]);
	until(f, c.closed);
	assert_string_equal(buf_str(&c.got[0]), "{\"metadata\":{},\"status\":\"Success\"}");
	assert_string_equal(f->agent.target, "/attach/n1/p/app?input=1&output=1");
	assert_string_equal(f->said, "attach spdy");
	spdyc_fini(&c);
}

/* The agent says no: its answer is the client's, and nothing joins them. */
static void upgrades_that_fail_are_answered(void **state)
{
	struct cfix *f = *state;

	make_pod(f, "bad", "node-1", BAD);
	(void)ask(f->x, "POST", "/api/v1/namespaces/n1/pods/bad/exec?command=a&container=refused",
		  ADMIN "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", "");
	assert_code(f->x, 404);
	assert_has(f->x, "container not found (\"refused\")");
	(void)ask(f->x, "POST", "/api/v1/namespaces/n1/pods/bad/exec?command=a&container=fine",
		  ADMIN "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", "");
	assert_code(f->x, 500);
	assert_has(f->x, "invalid upgrade response: status code 200");
	(void)ask(f->x, "POST", POD "/exec?command=a", ADMIN, "");
	assert_status(f->x, 400, "BadRequest", "Upgrade request required");
	(void)ask(f->x, "POST", POD "/exec?command=a&dryRun=All",
		  ADMIN "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", "");
	assert_status(f->x, 400, "BadRequest", "dryRun is not supported");
}

static void cve_2018_1002105_a_failed_upgrade_leaves_no_way_to_the_agent(void **state)
{
	struct cfix *f = *state;
	struct peer p;
	unsigned before;

	make_pod(f, "bad", "node-1", BAD);
	peer_open(f->x, &p);
	peer_send(&p, "GET",
		  "/api/v1/namespaces/n1/pods/bad/exec?command=a&stdout=1&container=refused",
		  ADMIN "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
			"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
			"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n",
		  NULL);
	peer_until(&p, "container not found");
	before = f->agent.requests;
	buf_clear(&p.in);
	/* The same connection, what the agent would understand, and no credentials. */
	peer_send(&p, "GET", "/containerLogs/n1/p/app", "", NULL);
	peer_until(&p, "HTTP/1.1 403");
	assert_int_equal(f->agent.requests, before);
	peer_close(&p);
}

static void cve_2020_8559_redirects_of_an_agent_are_not_followed(void **state)
{
	struct cfix *f = *state;

	make_pod(f, "bad", "node-1", BAD);
	(void)ask(f->x, "POST", "/api/v1/namespaces/n1/pods/bad/exec?command=a&container=moved",
		  ADMIN "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", "");
	assert_code(f->x, 500);
	assert_has(f->x, "invalid upgrade response: status code 302");
	assert_null(header_of(f->x, "Location"));
}

static void who_may_not_may_not(void **state)
{
	struct cfix *f = *state;

	(void)ask(f->x, "GET", POD "/log", PLAIN, NULL);
	assert_status(f->x, 403, "Forbidden", "pods \"p\" is forbidden");
	(void)ask(f->x, "GET", POD "/exec?command=a", PLAIN, NULL);
	assert_status(f->x, 403, "Forbidden", "cannot get resource \"pods/exec\"");
}

/* ---- port-forward ---- */

struct forward {
	struct spdy *p;
	struct stream *data, *error;
	struct buf got, errors;
	bool data_over, error_over, closed;
};

static void forward_data(struct stream *s, struct slice bytes)
{
	struct forward *w = stream_arg(s);

	(void)buf_add(s == w->data ? &w->got : &w->errors, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void forward_end(struct stream *s)
{
	struct forward *w = stream_arg(s);

	*(s == w->data ? &w->data_over : &w->error_over) = true;
}

static const struct stream_events forward_stream_events = { .data = forward_data,
							    .end = forward_end };

static void forward_closed(struct spdy *p, const struct err *why)
{
	struct forward *w = spdy_arg(p);

	(void)why;
	w->closed = true;
}

static const struct spdy_events forward_client = { .closed = forward_closed };

static void forward_open(struct forward *w, const char *port)
{
	const struct http_header e[] = { { SLICE("streamType"), SLICE("error") },
					 { SLICE("port"), slice_str(port) },
					 { SLICE("requestID"), SLICE("0") } };
	const struct http_header d[] = { { SLICE("streamType"), SLICE("data") }, e[1], e[2] };

	w->got = w->errors = BUF_INIT(16u << 20);
	w->data_over = w->error_over = false;
	assert_int_equal(spdy_open(w->p, e, 3, true, &forward_stream_events, w, &w->error, NULL),
			 0);
	stream_read(w->error, 65536);
	assert_int_equal(spdy_open(w->p, d, 3, false, &forward_stream_events, w, &w->data, NULL),
			 0);
	stream_read(w->data, 65536);
}

static void forward_fini(struct forward *w)
{
	stream_unref(w->data);
	stream_unref(w->error);
	buf_fini(&w->got);
	buf_fini(&w->errors);
}

struct tunnelc {
	struct forward w;
	struct ws *ws;
	bool opened, closed;
	char why[1100];
};

static void tunnel_opened(struct ws *ws)
{
	struct tunnelc *t = ws_arg(ws);

	assert_string_equal(ws_protocol(ws), "SPDY/3.1+portforward.k8s.io");
	t->opened = true;
	assert_int_equal(
		spdy_start(ws_tunnel(ws), true, NULL, &forward_client, &t->w, &t->w.p, NULL), 0);
}

static void tunnel_closed(struct ws *ws, const struct ws_end *how)
{
	struct tunnelc *t = ws_arg(ws);

	t->closed = true;
	snprintf(t->why, sizeof(t->why), "%s", how->why ? how->why->msg : "");
}

static const struct ws_events tunnel_events = { .opened = tunnel_opened, .closed = tunnel_closed };

static void tunnel_start(struct cfix *f, struct tunnelc *t, const char *target)
{
	const struct ws_connect to = { .target = target,
				       .protocols = "SPDY/3.1+portforward.k8s.io",
				       .headers = &admin_header,
				       .headers_n = 1 };
	static const struct ws_conf conf = { .paused = true };

	*t = (struct tunnelc){ .opened = false };
	assert_int_equal(ws_connect(f->client, &to, &conf, &tunnel_events, t, &t->ws, NULL), 0);
}

static void ports_are_forwarded_through_the_tunnel(void **state)
{
	struct cfix *f = *state;
	struct tunnelc t;
	size_t sent = 0;
	char piece[8000];

	tunnel_start(f, &t, POD "/portforward");
	until(f, t.opened);
	assert_string_equal(f->said, "portforward spdy");
	assert_string_equal(f->agent.target, "/portForward/n1/p");
	forward_open(&t.w, "80");
	memset(piece, 'p', sizeof(piece));
	while (sent < 1200000) {
		until(f, stream_room(t.w.data) > 0);
		assert_true(stream_write(t.w.data, piece, sizeof(piece)) >= 0);
		sent += sizeof(piece);
	}
	until(f, t.w.got.n == sent);
	(void)stream_end(t.w.data);
	until(f, t.w.data_over && t.w.error_over);
	assert_int_equal(t.w.errors.n, 0);
	forward_fini(&t.w);
	forward_open(&t.w, "9"); /* a second one on the same session */
	until(f, t.w.data_over && t.w.error_over);
	assert_string_equal(buf_str(&t.w.errors), "nobody listens on port 9");
	forward_fini(&t.w);
	spdy_abort(t.w.p, NULL);
	until(f, http_server_get_stats(f->agent_srv).connections == 0);
}

static void what_the_agent_says_instead_of_a_tunnel_is_the_answer(void **state)
{
	struct cfix *f = *state;
	struct tunnelc t;

	make_pod(f, "refused", "node-1", "app"); /* the path's last word */
	tunnel_start(f, &t, "/api/v1/namespaces/n1/pods/refused/portforward");
	until(f, t.closed);
	assert_non_null(strstr(t.why, "status 404"));
	make_pod(f, "moved", "node-1", "app");
	tunnel_start(f, &t, "/api/v1/namespaces/n1/pods/moved/portforward");
	until(f, t.closed);
	assert_non_null(strstr(t.why, "status 500"));
}

static void ports_of_the_old_form_are_handed_on(void **state)
{
	struct cfix *f = *state;

	(void)ask(f->x, "GET", POD "/portforward?ports=80&ports=81,82",
		  ADMIN "Connection: Upgrade\r\nUpgrade: other\r\n", NULL);
	assert_string_equal(f->agent.target, "/portForward/n1/p?port=80%2C81%2C82");
	(void)ask(f->x, "GET", POD "/portforward?ports=0", ADMIN, NULL);
	assert_status(f->x, 400, "BadRequest", "parsing \"0\"");
}

/* ---- accounts ---- */

static void serve_anew(struct cfix *f, struct apiaudit *audit, struct fairness *fair)
{
	static const struct authz everybody = { .always = true };
	struct rfix *x = f->x;
	struct err err = ERR_INIT;

	server_free(x->srv);
	metrics_free(x->metrics);
	x->conf.metrics = x->metrics = metrics_new();
	x->conf.authz = fair ? &everybody : NULL; /* masters wait for no seat anyway */
	x->conf.audit = audit;
	x->conf.fairness = fair;
	if (server_new(&x->conf, &x->srv, &err) < 0)
		fail_msg("%s", err.msg);
}

static void policy(const char *path)
{
	struct buf b = BUF_INIT(4096);

	(void)buf_adds(&b,
		       "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n");
	save(path, &b);
	buf_fini(&b);
}

static void sessions_hold_no_seat_and_are_audited(void **state)
{
	CLEANUP(buf_fini) struct buf lines = BUF_INIT(1u << 20);
	struct cfix *f = *state;
	struct fairness_conf fc = { .loop = f->x->f->loop, .seats = 1 };
	struct apiaudit_conf ac = { .loop = f->x->f->loop };
	struct err err = ERR_INIT;
	struct apiaudit *audit;
	struct fairness *fair;
	char rules[96], log[96];
	struct peer p[3];

	snprintf(rules, sizeof(rules), "%s/policy", f->x->f->dir);
	snprintf(log, sizeof(log), "%s/audit", f->x->f->dir);
	policy(rules);
	ac.policy_file = rules;
	ac.path = log;
	assert_int_equal(apiaudit_new(&ac, &audit, &err), 0);
	assert_int_equal(fairness_new(&fc, &fair, &err), 0);
	serve_anew(f, audit, fair);
	for (size_t i = 0; i < 3; i++) { /* each would have all seats */
		peer_open(f->x, &p[i]);
		peer_send(&p[i], "GET", POD "/exec?command=hang&stdout=1",
			  PLAIN "Connection: Upgrade\r\nUpgrade: websocket\r\n"
				"Sec-WebSocket-Version: 13\r\n"
				"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
				"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n",
			  NULL);
		peer_until(&p[i], "hanging");
	}
	(void)ask(f->x, "GET", POD, PLAIN, NULL);
	assert_code(f->x, 200);
	for (size_t i = 0; i < 3; i++)
		peer_close(&p[i]);
	serve_anew(f, NULL, NULL);
	apiaudit_free(audit);
	fairness_free(fair);
	assert_int_equal(fd_read_file(AT_FDCWD, log, &lines, &err), 0);
	assert_non_null(strstr(buf_str(&lines), "\"stage\":\"ResponseStarted\""));
	assert_non_null(strstr(buf_str(&lines), "\"subresource\":\"exec\""));
	assert_non_null(strstr(buf_str(&lines), "\"code\":101"));
}

/* ---- certificates ---- */

static void a_renewed_certificate_is_shown_to_agents(void **state)
{
	struct cfix *f = *state;
	struct signer ca = sign("other", NULL, NULL);

	(void)get(f->x, POD "/log");
	assert_code(f->x, 200);
	save_identity(f, "renewed", &ca); /* of a CA that the agent does not know */
	signer_fini(&ca);
	(void)get(f->x, POD "/log");
	assert_code(f->x, 500);
	assert_has(f->x, "Get \\\"https://10.9.8.7");
}

static void an_agent_of_another_ca_is_not_trusted(void **state)
{
	struct cfix *f = *state;
	struct signer ca = sign("other", NULL, NULL);
	struct buf b = BUF_INIT(65536);

	assert_int_equal(cert_write_pem(ca.cert, &b, NULL), 0);
	save(f->ca, &b);
	buf_fini(&b);
	signer_fini(&ca);
	(void)get(f->x, POD "/log");
	assert_code(f->x, 500);
	assert_has(f->x, "certificate");
	/* The client of the API does not mind. */
	(void)get(f->x, POD "/log?insecureSkipTLSVerifyBackend=true");
	assert_code(f->x, 200);
}

static void names_that_are_unknown_are_passed_over(void **state)
{
	struct cfix *f = *state;
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"named\"},"
		 "\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"%s\"},"
		 "{\"type\":\"Hostname\",\"address\":\"..\"}],"
		 "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":%u}}}}",
		 AGENT_IP, f->agent_port);
	(void)post(f->x, "/api/v1/nodes", body);
	assert_code(f->x, 201);
	make_pod(f, "q", "named", "app");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/q/log");
	assert_code(f->x, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(a_log_comes_from_the_agent_with_its_options),
		SHARED(wrong_options_of_a_log_are_refused),
		SHARED(the_container_must_be_named_when_there_are_several),
		SHARED(what_the_agent_refuses_is_told_in_upstreams_words),
		SHARED(pods_without_a_node_say_so),
		SHARED(nodes_that_cannot_be_reached_are_told),
		SHARED(a_log_is_followed_until_the_client_goes),
		ALONE(a_followed_log_ends_in_good_order_when_the_server_does),
		SHARED(a_long_log_waits_for_a_slow_reader),
		SHARED(a_log_comes_as_messages),
		SHARED(a_long_log_comes_as_messages),
		SHARED(exec_v5_is_translated_to_spdy),
		SHARED(exit_codes_and_both_outputs_come_through),
		SHARED(a_terminal_is_resized),
		SHARED(much_output_comes_whole_and_then_the_status),
		SHARED(much_input_comes_back),
		SHARED(what_fails_at_the_agent_is_a_status_on_the_error_channel),
		ALONE(a_client_that_vanishes_ends_the_session),
		ALONE(an_agent_that_vanishes_is_told),
		SHARED(older_channels_go_to_the_agent_as_they_are),
		SHARED(spdy_goes_to_the_agent_as_it_is),
		SHARED(upgrades_that_fail_are_answered),
		SHARED(cve_2018_1002105_a_failed_upgrade_leaves_no_way_to_the_agent),
		SHARED(cve_2020_8559_redirects_of_an_agent_are_not_followed),
		SHARED(who_may_not_may_not),
		ALONE(ports_are_forwarded_through_the_tunnel),
		SHARED(what_the_agent_says_instead_of_a_tunnel_is_the_answer),
		SHARED(ports_of_the_old_form_are_handed_on),
		ALONE(sessions_hold_no_seat_and_are_audited),
		ALONE(a_renewed_certificate_is_shown_to_agents),
		ALONE(an_agent_of_another_ca_is_not_trusted),
		SHARED(names_that_are_unknown_are_passed_over),
	};

	return cmocka_run_group_tests(tests, connect_group, connect_teardown);
}
