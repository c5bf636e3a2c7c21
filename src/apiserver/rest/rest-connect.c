/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are handed on: to a node's agent (log, exec, attach, portforward, the node's
 * proxy), to a pod or a service (proxy). The order of what may refuse one is upstream's: may they,
 * is there such a pod, which container, where is its node, and only then what the request is like.
 *
 * Requests for the signer of tokens are refused by name.
 */
#include "apiserver/rest/rest-connect.h"

#include "apiserver/auth/authz.h"
#include "apiserver/extension/aggregator.h"
#include "apiserver/rest/rest-connect-html.h"
#include "base/clock.h"
#include "crypto/tls.h"
#include "io/http-client.h"
#include "io/url.h"
#include "io/websocket.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINGER_TIME (30 * NS_PER_SEC)

/* ---- the end ---- */

static void connect_stop(struct call *c)
{
	struct connect *x = c->verb;

	c->verb = NULL;
	c->drain = NULL;
	timer_fini(&x->linger);
	hook_ask_cancel(&x->ask);
	if (x->finding)
		agent_find_cancel(&x->find);
	if (x->more_stop)
		x->more_stop(x);
	pipe_close(&x->back);
	pipe_leave(&x->front);
	buf_fini(&x->text);
	html_free(x->html);
	agent_release(x->agent);
	tls_conf_unref(x->tls);
	call_drop(c);
}

void connect_fail(struct connect *x, const struct err *err)
{
	pipe_close(&x->back);
	call_fail(x->call, err);
}

void connect_broken(struct connect *x, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list ap;

	err.code = ERR_SYSTEM;
	va_start(ap, fmt);
	(void)vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	x->call->about = (struct status_about){ .reason = STATUS_UNKNOWN };
	connect_fail(x, &err);
}

static void front_closed(struct pipe_end *e, const struct err *why)
{
	struct connect *x = e->x;

	(void)why;
	call_closed(x->call);
}

/* HTTP's client listens no more: what is on its way to it is of no use. */
static void front_cancel(struct pipe_end *e)
{
	stream_reset(e->s, NULL);
}

/* The client half-closed: the backend may finish what it is at. */
static void front_ended(struct pipe_end *e)
{
	struct connect *x = e->x;

	if (x->call->code != 101)
		return;
	x->lingered = x->back.bytes;
	timer_set_after(&x->linger, LINGER_TIME);
}

static int on_linger(struct timer *t)
{
	struct connect *x = CONTAINER_OF(t, struct connect, linger);

	if (x->back.bytes != x->lingered) {
		x->lingered = x->back.bytes;
		timer_set_after(t, LINGER_TIME);
	} else if (x->front.s) {
		stream_reset(x->front.s, NULL);
	}
	return 0;
}

const struct pipe_ops connect_front = {
	.closed = front_closed,
	.ended = front_ended,
	.cancel = front_cancel,
};

/* ---- the way to the backend ---- */

static void found(struct agent_find *f, int result, struct agent *ag, struct err *err)
{
	struct connect *x = CONTAINER_OF(f, struct connect, find);
	CLEANUP(call_drop) struct call *held = call_hold(x->call);

	(void)held;
	x->finding = false;
	x->agent = ag;
	if (result == 0)
		x->ready(x);
	else if (result == -ERR_BAD_REQUEST && !f->other)
		connect_fail(x, err);
	else
		x->unreachable(x, err);
}

static void find(struct connect *x, struct agents *as)
{
	x->find.done = found;
	x->finding = true;
	agent_find(as, &x->find);
}

void connect_node(struct connect *x, const char *name, struct item *node, enum agent_way way,
		  bool checked)
{
	struct call *c = x->call;
	struct err err ERR_RAW;
	struct doc d;
	int r;

	err_clear(&err);
	if (!node) {
		struct status_about about = { .resource = "nodes", .kind = "Node" };

		c->about = about;
		(void)status_not_found(&err, &c->about, name);
		connect_fail(x, &err);
		return;
	}
	r = codec_parse(node, call_work(c), &d, &err);
	if (r == 0)
		r = agent_place(&d, c->srv->conf.node_addresses, c->a, &x->find.place, &err);
	if (r < 0) {
		connect_broken(x, "%s", err.msg);
		return;
	}
	x->find.way = way;
	x->find.checked = checked;
	find(x, x->call->srv->agents);
}

void connect_address(struct connect *x, const struct ip_addr *ip, uint16_t port, enum agent_way way)
{
	char text[INET6_ADDRSTRLEN + 16];
	struct err err ERR_RAW;

	err_clear(&err);
	if (agents_get(x->call->srv->agents, ip_addr_text(ip, text, sizeof(text)), ip, port, way,
		       &x->agent, &err) < 0)
		x->unreachable(x, &err);
	else
		x->ready(x);
}

void connect_other(struct connect *x, struct agents *as, const struct remote_way *way)
{
	struct call *c = x->call;
	struct err err = ERR_INIT;

	if (!way->external) {
		if (agents_get_other(as, &way->other, &way->ip, way->port, &x->agent, &err) < 0)
			x->unreachable(x, &err);
		else
			x->ready(x);
		return;
	}
	x->tls = tls_conf_ref(way->other.tls);
	x->other = way->other;
	x->find.other = &x->other;
	x->find.checked = true;
	x->find.place = (struct agent_place){ .hosts = ARENA_ARRAY(c->a, const char *, 2),
					      .port = way->port };
	if (!x->find.place.hosts) {
		(void)arena_quota(c->a, &err);
		x->unreachable(x, &err);
		return;
	}
	x->find.place.hosts[0] = way->external;
	find(x, as);
}

void connect_back_closed(struct pipe_end *e, const struct err *why)
{
	struct connect *x = e->x;

	if (!x->call->answered)
		x->unreachable(x, why ? why : &(struct err){ .msg = "no answer came" });
	else if (why && x->front.s)
		stream_reset(x->front.s, why);
}

int connect_open(struct connect *x, const char *method, const struct pipe_ops *ops)
{
	CLEANUP(stream_unref) struct stream *s = NULL;
	struct err err ERR_RAW;

	err_clear(&err);
	if (http_client_stream(agent_client(x->agent), method, x->target, &s, &err) < 0) {
		x->unreachable(x, &err);
		return -1;
	}
	pipe_open(&x->back, s, ops, x);
	return 0;
}

void connect_send(struct connect *x, int64_t length, bool upgrade)
{
	struct err err ERR_RAW;

	err_clear(&err);
	if (http_client_send(x->back.s, length, upgrade, &err) == 0)
		return;
	pipe_close(&x->back);
	x->unreachable(x, &err);
}

static void not_dialed(struct connect *x, const struct err *err)
{
	if (x->sub == CONNECT_LOG)
		connect_broken(x, "Get \"%s%s\": %s", x->agent ? agent_url(x->agent) : "",
			       x->target, err->msg);
	else
		connect_broken(x, "error dialing backend: %s", err->msg);
}

/* ---- pods of agents ---- */

/* "/exec/ns/pod/container?command=..."; names were checked when the pod was made. */
static int pod_target(struct connect *x, const struct doc *pod, const struct buf *query,
		      struct err *err)
{
	static const char *const paths[] = { "attach", "exec", "containerLogs", "portForward" };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CONNECT_TARGET_MAX);
	struct call *c = x->call;
	const char *asked = query_get(&x->query, "container"), *container = "";
	int r = 0;

	if (x->sub != CONNECT_FORWARD)
		r = connect_container(c, pod, asked ? asked : "", &container, err);
	if (r < 0)
		return r;
	(void)buf_addf(&b, "/%s/", paths[x->sub]);
	(void)url_encode(&b, slice_str(c->rq.namespace_), false);
	(void)buf_addc(&b, '/');
	(void)url_encode(&b, slice_str(c->rq.name), false);
	if (*container) {
		(void)buf_addc(&b, '/');
		(void)url_encode(&b, slice_str(container), false);
	}
	if (query->n)
		r = buf_adds(&b, query->p);
	x->target = r < 0 || b.full ? NULL : arena_strndup(c->a, b.p, b.n);
	return x->target ? 0
			 : status_bad_request(err, &c->about,
					      "the options are too long to be "
					      "handed on");
}

static bool is_v5(const struct stream *s)
{
	return ws_is_request(s) && connect_asks(s, "v5.channel.k8s.io");
}

static void choose(struct connect *x)
{
	struct stream *s = x->call->s;

	if (x->sub == CONNECT_LOG)
		x->ready = connect_log;
	else if (x->sub == CONNECT_FORWARD && ws_is_request(s) &&
		 connect_asks(s, "SPDY/3.1+portforward.k8s.io"))
		x->ready = connect_tunnel;
	else if (x->sub != CONNECT_FORWARD && is_v5(s))
		x->ready = connect_translate;
	else
		x->ready = connect_upgrade;
}

static int prepare_pod(struct connect *x, struct doc *pod, struct err *err)
{
	CLEANUP(buf_fini) struct buf query = BUF_INIT(CONNECT_TARGET_MAX);
	struct call *c = x->call;
	struct item *i =
		resources_get(c->srv->conf.resources, "", "pods", c->rq.namespace_, c->rq.name);
	int r = connect_query(x, &query, err);

	if (r < 0)
		return r;
	if (!i)
		return status_not_found(err, &c->about, c->rq.name);
	r = codec_parse(i, call_work(c), pod, err);
	return r < 0 ? r : pod_target(x, pod, &query, err);
}

static void begin_pod(struct call *c)
{
	struct connect *x = c->verb;
	struct err err ERR_RAW;
	const char *node;
	struct doc pod;

	err_clear(&err);
	if (prepare_pod(x, &pod, &err) < 0) {
		connect_fail(x, &err);
		return;
	}
	node = doc_cstr(call_work(c), doc_find(&pod, "spec.nodeName"));
	if ((!node || !*node) && x->sub == CONNECT_LOG) {
		call_text(c, 204, NULL, SLICE("")); /* nothing was said yet, as upstream */
		return;
	}
	if (!node || !*node) {
		(void)status_bad_request(&err, &c->about, "pod %s does not have a host assigned",
					 c->rq.name);
		connect_fail(x, &err);
		return;
	}
	choose(x);
	x->unreachable = not_dialed;
	connect_node(x, node, resources_get(c->srv->conf.resources, "", "nodes", "", node),
		     x->sub == CONNECT_LOG && connect_flag(x, "insecureSkipTLSVerifyBackend")
			     ? AGENT_NODE_ANY
			     : AGENT_NODE,
		     false);
}

/* ---- the beginning ---- */

static void connect_again(void *arg, bool given_up)
{
	if (!given_up)
		(void)rest_connect(arg);
}

/* A WebSocket comes as GET: what it does is the same, so it takes the same right. */
static bool may_create(struct call *c)
{
	struct err err = ERR_INIT;
	struct authz_attrs at;

	call_attrs(c, &at);
	at.verb = "create";
	if (authz_allowed(c->srv->conf.authz, &at, NULL))
		return true;
	if (call_asks(c, connect_again, c))
		return false;
	(void)authz_refuse(&at, NULL, &err, &c->about);
	call_fail(c, &err);
	return false;
}

struct connect *connect_new(struct call *c, enum connect_sub sub)
{
	struct connect *x = ARENA_NEW(c->a, struct connect);

	if (!x)
		return NULL;
	x->call = call_hold(c);
	x->sub = sub;
	x->text = BUF_INIT(256u << 10);
	timer_init(&x->linger, c->srv->conf.loop, on_linger);
	pipe_open(&x->front, c->s, &connect_front, x);
	c->verb = x;
	c->stop = connect_stop;
	return x;
}

static int read_query(struct connect *x, struct err *err)
{
	struct call *c = x->call;

	if (query_parse(c->a, stream_request(c->s)->query, &x->query, err) < 0) {
		x->query.n = 0;
		if (x->sub == CONNECT_PROXY) /* it is the other side's, whatever it is */
			return 0;
		return status_bad_request(err, &c->about, "the query cannot be read");
	}
	if (x->sub != CONNECT_LOG && query_get(&x->query, "dryRun"))
		return status_bad_request(err, &c->about, "dryRun is not supported");
	return 0;
}

static void agreed(struct hook_ask *k, int result, struct err *err)
{
	struct connect *x = k->arg;

	if (result == 0 && k->changed)
		result = status_internal(
			err, &x->call->about,
			"a webhook or a policy changed the options of a connection, which this "
			"server does not take up");
	if (result < 0) {
		pipe_close(&x->back);
		hook_ask_fail(k, err);
	} else if (!x->mutated) {
		x->mutated = true;
		hook_ask_validate(k);
	} else {
		x->go(x->call);
	}
}

/* Whether it may be: webhooks are asked, but about a log, which is only read. */
static void admit(struct call *c)
{
	struct connect *x = c->verb;
	struct err err = ERR_INIT;

	if (connect_options(x, &x->options, &err) < 0) {
		connect_fail(x, &err);
		return;
	}
	x->ask = (struct hook_ask){
		.c = c,
		.op = HOOK_CONNECT,
		.asked = c->resource,
		.ns = c->resource->kind->namespaced ? c->rq.namespace_ : "",
		.name = c->rq.name,
		.sub = c->sub->name,
		.obj = &x->options,
		.own = api_type(c->srv->conf.api, "v1", c->sub->kind),
		.done = agreed,
		.arg = x,
	};
	hook_ask_mutate(&x->ask);
}

static void begin(struct call *c, enum connect_sub sub)
{
	struct connect *x = connect_new(c, sub);
	struct err err ERR_RAW;

	err_clear(&err);
	if (!x) {
		(void)arena_quota(c->a, &err);
		call_fail(c, &err);
		return;
	}
	x->go = sub == CONNECT_PROXY ? connect_proxy : begin_pod;
	if (read_query(x, &err) < 0)
		connect_fail(x, &err);
	else
		call_wait(c, 0, sub == CONNECT_LOG ? begin_pod : admit);
}

bool rest_connect(struct call *c)
{
	static const char *const subs[] = { "attach", "exec", "log", "portforward", "proxy" };
	struct err err ERR_RAW;
	size_t i = 0;

	if (!c->sub)
		return false;
	while (i < ARRAY_LEN(subs) && strcmp(subs[i], c->sub->name) != 0)
		i++;
	if (i == ARRAY_LEN(subs))
		return false;
	call_leave_queue(c); /* it may last for days: its turn is others' */
	err_clear(&err);
	if (call_choose(c, CODEC_NO_SHAPE, &err) < 0) /* errors are told as JSON then */
		c->about.reason = STATUS_BY_CODE;
	if ((i == CONNECT_LOG || i == CONNECT_PROXY) || may_create(c))
		begin(c, (enum connect_sub)i);
	return true;
}
