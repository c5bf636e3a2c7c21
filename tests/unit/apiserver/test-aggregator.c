/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API servers behind APIServices, through the whole server: an extension in this process, TLS at
 * 10.9.8.7 for api.n1.svc, which takes only clients of its CA. What it answers is `mode`'s to say.
 */
#include "webhook-fix.h"

#include "apiserver/auth/authn.h"
#include "apiserver/crd-controller.h"
#include "apiserver/extension/aggregator.h"
#include "apiserver/strategy/strategy.h"

#define SERVICES "/apis/apiregistration.k8s.io/v1/apiservices"
#define AWAY "/apis/far.io/v1"
#define SLICES "/apis/discovery.k8s.io/v1/namespaces/n1/endpointslices"

struct gfix {
	struct cfix c; /* x, and files of certificates */
	struct rfix *x;
	struct aggregator *g;
	struct crd_controller *crds;
	struct http_server *srv;
	unsigned port;
	char ca[4096], other_ca[4096]; /* base64 of PEM */
	const char *mode;
	unsigned asked, checks;
	char said[4096]; /* of the last that was no check: headers, one a line */
};
static struct gfix *the_far;

/* ---- the extension ---- */

#define DOCUMENT                                                                                 \
	"{\"kind\":\"APIResourceList\",\"groupVersion\":\"far.io/v1\",\"resources\":[{\"name\":" \
	"\"things\",\"namespaced\":true,\"kind\":\"Thing\",\"verbs\":[\"get\"]}]}"

static void far_document(struct stream *s, const char *mode)
{
	if (strcmp(mode, "garbage") == 0)
		(void)stream_replyf(s, 200, "text/html", "<html>");
	else if (strcmp(mode, "half") == 0) {
		(void)stream_start(s, 200, 1000);
		(void)stream_write(s, "{\"kind\"", 7);
		stream_reset(s, NULL);
	} else if (strcmp(mode, "fail") == 0) {
		(void)stream_replyf(s, 500, "text/plain", "oh");
	} else if (strcmp(mode, "reset") == 0) {
		stream_reset(s, NULL);
	} else {
		(void)stream_replyf(s, 200, "application/json", DOCUMENT);
	}
}

static void far_collected(struct stream *s, void *arg, int result, struct slice body,
			  struct err *err)
{
	(void)arg;
	(void)err;
	if (result == 0)
		(void)stream_reply(s, 201, "text/plain", body.p, body.n);
}

static void far_serve(struct stream *s, void *arg)
{
	struct gfix *f = arg;
	const char *path = stream_request(s)->path, *mode = f->mode;
	struct buf b = BUF_INIT(sizeof(f->said) - 1);
	size_t n;
	const struct http_header *h = stream_headers(s, &n);

	if (slice_is(stream_header(s, "X-Remote-User"), "system:kube-aggregator")) {
		f->checks++;
		if (strcmp(path, AWAY) == 0)
			far_document(s, mode);
		else if (strcmp(path, "/openapi/v3") == 0)
			(void)stream_replyf(s, 200, "application/json",
					    "{\"paths\":{\"apis/far.io/v1\":{\"serverRelativeURL\":"
					    "\"/openapi/v3/apis/far.io/v1?hash=H\"}}}");
		else
			(void)stream_replyf(s, 404, "text/plain", "no");
		return;
	}
	f->asked++;
	(void)buf_addf(&b, "%s %s?%.*s\n", stream_request(s)->method, path,
		       (int)stream_request(s)->query.n,
		       stream_request(s)->query.n ? stream_request(s)->query.p : "");
	for (size_t i = 0; i < n; i++)
		(void)buf_addf(&b, "%.*s: %.*s\n", (int)h[i].name.n, h[i].name.p, (int)h[i].value.n,
			       h[i].value.n ? h[i].value.p : "");
	(void)str_copy(f->said, sizeof(f->said), buf_str(&b));
	buf_fini(&b);
	if (strcmp(mode, "redirect") == 0) {
		(void)stream_set_header(s, "Location", "https://10.9.8.99/");
		(void)stream_reply(s, 307, NULL, "", 0);
	} else if (strcmp(mode, "reset-all") == 0) {
		stream_reset(s, NULL);
	} else if (strcmp(mode, "hang") == 0) {
		return;
	} else if (strcmp(mode, "drip") == 0) {
		(void)stream_start(s, 200, -1);
		(void)stream_write(s, "begun", 5);
	} else if (stream_request(s)->has_body) {
		stream_collect(s, 16u << 20, far_collected, NULL);
	} else {
		(void)stream_set_header(s, "Audit-Id", "theirs");
		(void)stream_set_header(s, "X-Their-Own", "1");
		(void)stream_replyf(s, 200, "application/json", "{\"far\":true}");
	}
}

static void encode_pem(const struct signer *ca, char *out, size_t n)
{
	struct buf pem = BUF_INIT(65536);

	assert_int_equal(cert_write_pem(ca->cert, &pem, NULL), 0);
	assert_true(BASE64_LEN(pem.n) < n);
	base64_encode(out, pem.p, pem.n);
	buf_fini(&pem);
}

static struct tls_conf *far_tls(const struct signer *ca)
{
	static const char *const names[] = { "api.n1.svc" };
	struct cert_spec spec = { .names = { .cn = "far", .dns = { names, 1 } },
				  .not_before = clock_real() / NS_PER_SEC - 60,
				  .not_after = clock_real() / NS_PER_SEC + 3600,
				  .path_len = -1 };
	struct signer id;
	struct tls_conf *conf;

	assert_int_equal(key_generate(KEY_P256, 0, &id.key, NULL), 0);
	assert_int_equal(cert_make(&spec, id.key, ca->cert, ca->key, &id.cert, NULL), 0);
	conf = agent_tls(&id, ca);
	signer_fini(&id);
	return conf;
}

static void far_start(struct gfix *f)
{
	const struct http_server_conf conf = { .request = far_serve,
					       .arg = f,
					       .arena_max = 64u << 20 };
	struct signer ca = sign("ca", NULL, NULL), other = sign("other", NULL, NULL);
	struct tls_conf *tls = far_tls(&ca);

	encode_pem(&ca, f->ca, sizeof(f->ca));
	encode_pem(&other, f->other_ca, sizeof(f->other_ca));
	snprintf(f->c.cert, sizeof(f->c.cert), "%s/front.crt", f->x->f->dir);
	snprintf(f->c.key, sizeof(f->c.key), "%s/front.key", f->x->f->dir);
	save_identity(&f->c, "front-proxy-client", &ca);
	assert_int_equal(http_server_new(f->x->f->loop, &conf, &f->srv, NULL), 0);
	assert_int_equal(http_server_listen_tcp(f->srv, AGENT_IP ":0", NULL), 0);
	assert_int_equal(http_server_set_tls(f->srv, HTTP_ALL_LISTENERS, tls, NULL), 0);
	f->port = (unsigned)strtoul(strrchr(http_server_address(f->srv, 0), ':') + 1, NULL, 10);
	tls_conf_unref(tls);
	signer_fini(&ca);
	signer_fini(&other);
}

/* ---- objects ---- */

static void put_service(struct gfix *f, const char *name, const char *group, const char *more)
{
	char body[8192];

	snprintf(body, sizeof(body),
		 "{'apiVersion':'apiregistration.k8s.io/v1','kind':'APIService','metadata':{'name':"
		 "'%s'},'spec':{'group':'%s','version':'v1','groupPriorityMinimum':10,"
		 "'versionPriority':10,%s}}",
		 name, group, more);
	apost(f->x, SERVICES, body, 201);
}

static void put_far(struct gfix *f, const char *ca)
{
	char more[4600];

	snprintf(more, sizeof(more), "'caBundle':'%s','service':{'namespace':'n1','name':'api'}",
		 ca);
	put_service(f, "v1.far.io", "far.io", more);
}

static void turn_for(struct gfix *f, int64_t ns)
{
	const int64_t end = clock_mono() + ns;

	while (clock_mono() < end)
		assert_true(loop_step(f->x->f->loop, NS_PER_MS, NULL) >= 0);
}

static bool says(struct gfix *f, const char *part)
{
	(void)get(f->x, SERVICES "/v1.far.io");
	return strstr(buf_str(&f->x->body), quoted(part)) != NULL;
}

static void becomes(struct gfix *f, const char *part)
{
	for (int i = 0; !says(f, part); i++) {
		if (i == 1000)
			fail_msg("no %s in %s", part, buf_str(&f->x->body));
		turn_for(f, 10 * NS_PER_MS);
	}
}

static void endpoints(struct gfix *f, const char *conditions)
{
	char slice[1024];

	snprintf(slice, sizeof(slice),
		 "{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{'name':"
		 "'api-1','labels':{'kubernetes.io/service-name':'api'}},'addressType':'IPv4',"
		 "'ports':[{'name':'https','port':%u}],'endpoints':[{'addresses':['%s']%s}]}",
		 f->port, AGENT_IP, conditions);
	apost(f->x, SLICES, slice, 201);
}

/* ---- life ---- */

static void open_server(struct gfix *f)
{
	static const char *const users[] = { "X-Remote-User", "X-My-User", NULL };
	static struct authn_front front = { .users = users };
	struct aggregator_conf conf = {
		.loop = f->x->f->loop, .resources = f->x->rs, .cert = f->c.cert, .key = f->c.key
	};
	struct err err = ERR_INIT;

	server_free(f->x->srv);
	metrics_free(f->x->metrics);
	conf.metrics = f->x->conf.metrics = f->x->metrics = metrics_new();
	if (aggregator_new(&conf, &f->g, &err) < 0)
		fail_msg("%s", err.msg);
	f->x->conf.aggregator = f->g;
	f->x->conf.front = &front;
	f->x->conf.request_time = 500 * NS_PER_MS;
	assert_int_equal(server_new(&f->x->conf, &f->x->srv, &err), 0);
	assert_int_equal(crd_controller_start(f->x->rs, f->x->f->loop, &f->crds, &err), 0);
	aggregator_start(f->g);
	crd_controller_set_aggregator(f->crds, f->g);
}

static int far_setup(void **state)
{
	struct gfix *f = calloc(1, sizeof(*f));
	void *x;

	rest_setup(&x);
	f->c.x = f->x = x;
	f->mode = "honest";
	the_far = f;
	far_start(f);
	open_server(f);
	make_namespace(f->x, "n1");
	apost(f->x, "/api/v1/namespaces/n1/services",
	      "{'apiVersion':'v1','kind':'Service','metadata':{'name':'api'},'spec':{'clusterIP':"
	      "'None','ports':[{'name':'https','port':443}]}}",
	      201);
	*state = f;
	return 0;
}

static int far_teardown(void **state)
{
	struct gfix *f = *state;
	void *x = f->x;

	server_free(f->x->srv);
	f->x->srv = NULL;
	http_server_free(f->srv);
	while (!crd_controller_idle(f->crds))
		(void)loop_step(f->x->f->loop, NS_PER_SEC, NULL);
	crd_controller_stop(f->crds);
	aggregator_free(f->g);
	rest_teardown(&x);
	free(f);
	return 0;
}
#define FCASE(f) cmocka_unit_test_setup_teardown(f, far_setup, far_teardown)

static void ready(struct gfix *f)
{
	endpoints(f, "");
	put_far(f, f->ca);
	becomes(f, "'type':'Available','status':'True'");
}

/* ---- requests ---- */

static void a_request_goes_there_for_who_asks(void **state)
{
	struct gfix *f = *state;

	ready(f);
	(void)ask(f->x, "GET", AWAY "/namespaces/n1/things/a%20b?x=1&y=%2F",
		  ADMIN "X-Remote-User: evil\r\nX-Remote-Group: evil\r\nX-Remote-Extra-Evil: 1\r\n"
			"X-My-User: evil\r\nX-Other: 1\r\n",
		  NULL);
	assert_code(f->x, 200);
	assert_has(f->x, "{\"far\":true}");
	assert_null(strstr(buf_str(&f->x->head), "theirs"));
	assert_non_null(strcasestr(buf_str(&f->x->head), "x-their-own: 1"));
	assert_non_null(strstr(f->said, "GET " AWAY "/namespaces/n1/things/a b?x=1&y=%2F\n"));
	assert_non_null(strstr(f->said, "X-Remote-User: admin\n"));
	assert_non_null(strstr(f->said, "X-Remote-Uid: 1\n"));
	assert_non_null(strstr(f->said, "X-Remote-Group: system:masters\n"));
	assert_non_null(strstr(f->said, "X-Remote-Group: system:authenticated\n"));
	assert_non_null(strcasestr(f->said, "x-other: 1\n"));
	assert_non_null(strcasestr(f->said, "audit-id: "));
	assert_non_null(strstr(f->said, "X-Forwarded-Uri: " AWAY "/namespaces/n1/things/a%20b\n"));
	assert_null(strstr(f->said, "evil"));
	assert_null(strcasestr(f->said, "authorization"));
	assert_null(strcasestr(f->said, "impersonate"));
}

static void bodies_and_methods_go_along(void **state)
{
	struct gfix *f = *state;

	ready(f);
	(void)ask(f->x, "POST", AWAY "/namespaces/n1/things", ADMIN JSON, "{\"a\":1}");
	assert_code(f->x, 201);
	assert_has(f->x, "{\"a\":1}");
	(void)ask(f->x, "DELETE", AWAY "/namespaces/n1/things/a", ADMIN, NULL);
	assert_non_null(strstr(f->said, "DELETE " AWAY "/namespaces/n1/things/a?\n"));
	(void)get(f->x, AWAY);
	assert_code(f->x, 200);
	assert_non_null(strstr(f->said, "GET " AWAY "?\n"));
	(void)get(f->x, "/openapi/v3/apis/far.io/v1?hash=H");
	assert_non_null(strstr(f->said, "GET /openapi/v3/apis/far.io/v1?hash=H\n"));
	assert_non_null(strstr(f->said, "X-Remote-User: admin\n"));
}

static void paths_that_lead_elsewhere_stay_here(void **state)
{
	struct gfix *f = *state;

	ready(f);
	f->asked = 0;
	(void)get(f->x, AWAY "/../../../api/v1/secrets");
	assert_code(f->x, 404);
	(void)get(f->x, AWAY "/namespaces/n1/%2e%2e/things");
	assert_code(f->x, 404);
	(void)get(f->x, "/apis/far.io/v2/things");
	assert_code(f->x, 404);
	(void)get(f->x, "/apis/far.io");
	assert_code(f->x, 200);
	assert_int_equal(f->asked, 0);
}

static void a_request_that_goes_round_is_ended(void **state)
{
	struct gfix *f = *state;

	ready(f);
	f->asked = 0;
	(void)ask(f->x, "GET", AWAY "/things",
		  ADMIN
		  "X-Forwarded-For: 1,2,3,4,5,6,7,8\r\nX-Forwarded-For: 1,2,3,4,5,6,7,8,9\r\n",
		  NULL);
	assert_code(f->x, 503);
	assert_has(f->x, "the request was handed on more than 16 times");
	assert_int_equal(f->asked, 0);
}

static void redirects_end_here(void **state)
{
	struct gfix *f = *state;

	ready(f);
	f->mode = "redirect";
	(void)get(f->x, AWAY "/things");
	assert_code(f->x, 502);
	assert_has(f->x, "the backend attempted to redirect this request, which is not permitted");
	assert_null(strstr(buf_str(&f->x->head), "10.9.8.99"));
}

static void one_that_breaks_off_or_hangs_is_told(void **state)
{
	struct gfix *f = *state;

	ready(f);
	f->mode = "reset-all";
	(void)get(f->x, AWAY "/things");
	assert_code(f->x, 503);
	assert_has(f->x, "error trying to reach service: ");
	f->mode = "hang";
	(void)get(f->x, AWAY "/things");
	assert_status(f->x, 504, "Timeout", "did not complete within the allotted timeout");
}

static void an_answer_that_never_ends_is_cut(void **state)
{
	struct gfix *f = *state;
	struct peer p;

	ready(f);
	f->mode = "drip";
	peer_open(f->x, &p);
	peer_send(&p, "GET", AWAY "/things", ADMIN, NULL);
	peer_until(&p, "begun");
	for (int i = 0; i < 400 && !p.eof; i++) {
		turn_for(f, 5 * NS_PER_MS);
		peer_take(&p);
	}
	assert_true(p.eof);
	peer_close(&p);
}

static void a_name_that_is_no_header_is_never_sent(void **state)
{
	struct gfix *f = *state;
	struct strategy_user user = { .name = "a\nX-Remote-Group: system:masters" };
	struct http_client *client;
	struct stream *s;
	static const char *const groups[] = { "g\rh", NULL };

	assert_int_equal(http_client_new(f->x->f->loop, "tcp://127.0.0.1:9", NULL, &client, NULL),
			 0);
	assert_int_equal(http_client_stream(client, "GET", "/", &s, NULL), 0);
	assert_true(remote_identify(s, &user) < 0);
	user = (struct strategy_user){ .name = "a", .groups = groups };
	assert_true(remote_identify(s, &user) < 0);
	stream_unref(s);
	http_client_free(client);
}

/* ---- whether it answers ---- */

static void what_is_missing_is_told_until_it_is_there(void **state)
{
	struct gfix *f = *state;

	put_service(f, "v1.far.io", "far.io",
		    "'insecureSkipTLSVerify':true,'service':{'namespace':'n1','name':'none'}");
	becomes(f,
		"'reason':'ServiceNotFound','message':'service/none in \\'n1\\' is not present'");
	(void)get(f->x, AWAY "/things");
	assert_code(f->x, 503);
	assert_has(f->x, "service unavailable\n");
	amerge(f->x, SERVICES "/v1.far.io", "{'spec':{'service':{'name':'api','port':444}}}", 200);
	becomes(f, "'reason':'ServicePortError'");
	assert_has(f->x, "service/api in \\\"n1\\\" is not listening on port 444");
	amerge(f->x, SERVICES "/v1.far.io", "{'spec':{'service':{'port':443}}}", 200);
	becomes(f, "'reason':'EndpointsNotFound'");
	endpoints(f, ",'conditions':{'ready':false}");
	becomes(f, "'reason':'MissingEndpoints'");
	assert_has(f->x, "have no addresses with port name \\\"https\\\"");
	amerge(f->x, SLICES "/api-1", "{'endpoints':[{'addresses':['" AGENT_IP "']}]}", 200);
	becomes(f, "'status':'True'");
	assert_has(f->x, "\"reason\":\"Passed\",\"message\":\"all checks passed\"");
	(void)get(f->x, AWAY "/things");
	assert_code(f->x, 200);
}

static void a_certificate_of_another_is_not_trusted(void **state)
{
	struct gfix *f = *state;

	endpoints(f, "");
	put_far(f, f->other_ca);
	becomes(f, "'reason':'FailedDiscoveryCheck'");
	assert_int_equal(f->checks, 0);
	(void)ask(f->x, "DELETE", SERVICES "/v1.far.io", ADMIN, NULL);
	assert_code(f->x, 200);
	put_service(f, "v1.far.io", "far.io",
		    "'insecureSkipTLSVerify':true,'service':{'namespace':'n1','name':'api'}");
	becomes(f, "'status':'True'");
}

static void one_good_try_is_enough_and_none_is_told(void **state)
{
	struct gfix *f = *state;

	f->mode = "fail";
	endpoints(f, "");
	put_far(f, f->ca);
	becomes(f, "'reason':'FailedDiscoveryCheck'");
	assert_has(f->x, "bad status from https://" AGENT_IP ":");
	assert_int_equal(f->checks, 5);
	(void)get(f->x, "/metrics");
	assert_has(f->x, "aggregator_unavailable_apiservice{name=\"v1.far.io\"} 1\n");
	assert_has(f->x, "aggregator_unavailable_apiservice{name=\"v1.apps\"} 0\n");
	assert_hasnt(f->x, "aggregator_unavailable_apiservice_total{"); /* it never was */
	f->mode = "honest";
	becomes(f, "'status':'True'"); /* asked again by itself */
	(void)get(f->x, "/metrics");
	assert_has(f->x, "aggregator_unavailable_apiservice{name=\"v1.far.io\"} 0\n");
	f->mode = "reset";
	amerge(f->x, "/api/v1/namespaces/n1/services/api", "{'metadata':{'labels':{'a':'b'}}}",
	       200);
	becomes(f, "'reason':'FailedDiscoveryCheck'");
	(void)get(f->x, "/metrics");
	assert_has(f->x, "aggregator_unavailable_apiservice_total{name=\"v1.far.io\","
			 "reason=\"FailedDiscoveryCheck\"} 1\n");
}

static void what_others_say_of_it_stays_until_the_next_check(void **state)
{
	struct gfix *f = *state;

	ready(f);
	turn_for(f, 50 * NS_PER_MS);
	amerge(f->x, SERVICES "/v1.far.io/status",
	       "{'status':{'conditions':[{'type':'Available','status':'False','reason':'Other',"
	       "'message':'by another server'}]}}",
	       200);
	turn_for(f, 50 * NS_PER_MS);
	assert_true(says(f, "'reason':'Other'"));
	(void)get(f->x, AWAY "/things"); /* we know better */
	assert_code(f->x, 200);
	amerge(f->x, "/api/v1/namespaces/n1/services/api", "{'metadata':{'labels':{'a':'b'}}}",
	       200);
	becomes(f, "'reason':'Passed'");
	(void)get(f->x, "/");
	assert_has(f->x, AWAY);
}

static void names_outside_lead_to_nothing_of_ours(void **state)
{
	struct gfix *f = *state;

	apost(f->x, "/api/v1/namespaces/n1/services",
	      "{'apiVersion':'v1','kind':'Service','metadata':{'name':'out'},'spec':{'type':"
	      "'ExternalName','externalName':'localhost'}}",
	      201);
	put_service(f, "v1.far.io", "far.io",
		    "'insecureSkipTLSVerify':true,'service':{'namespace':'n1','name':'out'}");
	becomes(f, "address not allowed");
	(void)get(f->x, AWAY "/things");
	assert_code(f->x, 503);
}

static void our_own_groups_are_never_handed_on(void **state)
{
	struct gfix *f = *state;

	endpoints(f, "");
	put_service(f, "v1.apiregistration.k8s.io", "apiregistration.k8s.io",
		    "'insecureSkipTLSVerify':true,'service':{'namespace':'n1','name':'api'}");
	turn_for(f, 50 * NS_PER_MS);
	(void)get(f->x, SERVICES "/v1.apiregistration.k8s.io");
	assert_code(f->x, 200);
	assert_has(f->x, "\"reason\":\"NotForwarded\"");
	assert_int_equal(f->checks + f->asked, 0);
}

/* ---- discovery ---- */

#define ALL "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList\r\n"

static const char *discovered(struct gfix *f)
{
	const char *at;

	(void)ask(f->x, "GET", "/apis", ADMIN ALL, NULL);
	assert_code(f->x, 200);
	at = strstr(buf_str(&f->x->body), "\"name\":\"far.io\"");
	return at ? at : "";
}

static void what_it_serves_is_in_discovery(void **state)
{
	struct gfix *f = *state;

	ready(f);
	assert_non_null(strstr(discovered(f), "\"freshness\":\"Current\""));
	assert_non_null(strstr(discovered(f), "\"resource\":\"things\""));
	(void)get(f->x, "/apis");
	assert_has(f->x, "\"groupVersion\":\"far.io/v1\"");
	until(f, (get(f->x, "/openapi/v3"),
		  strstr(buf_str(&f->x->body), "\"apis/far.io/v1\":{\"serverRelativeURL\":"
					       "\"/openapi/v3/apis/far.io/v1?hash=H\"}")));
	(void)ask(f->x, "DELETE", SERVICES "/v1.far.io", ADMIN, NULL);
	assert_string_equal(discovered(f), "");
	(void)get(f->x, AWAY "/things");
	assert_code(f->x, 404);
	(void)get(f->x, "/openapi/v3");
	assert_hasnt(f->x, "far.io");
}

static void a_lie_leaves_what_was_known_as_stale(void **state)
{
	struct gfix *f = *state;
	static const char *const lies[] = { "garbage", "half" };

	ready(f);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		char label[64];

		f->mode = lies[i];
		snprintf(label, sizeof(label), "{'metadata':{'labels':{'a':'%zu'}}}", i);
		amerge(f->x, "/api/v1/namespaces/n1/services/api", label, 200);
		until(f, strstr(discovered(f), "\"freshness\":\"Stale\""));
		assert_non_null(strstr(discovered(f), "\"resource\":\"things\""));
		assert_true(i > 0 || says(f, "'status':'True'")); /* its head may be lost, too */
		f->mode = "honest";
		amerge(f->x, "/api/v1/namespaces/n1/services/api", "{'metadata':{'labels':null}}",
		       200);
		until(f, strstr(discovered(f), "\"freshness\":\"Current\""));
	}
}

static void files_that_are_no_certificates_are_told(void **state)
{
	struct gfix *f = *state;
	struct aggregator_conf conf = { .loop = f->x->f->loop,
					.resources = f->x->rs,
					.cert = "/nonexistent",
					.key = "/nonexistent" };
	struct err err = ERR_INIT;
	struct aggregator *g;

	assert_true(aggregator_new(&conf, &g, &err) < 0);
	assert_non_null(strstr(err.msg, "certificate for API servers"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FCASE(a_request_goes_there_for_who_asks),
		FCASE(bodies_and_methods_go_along),
		FCASE(paths_that_lead_elsewhere_stay_here),
		FCASE(a_request_that_goes_round_is_ended),
		FCASE(redirects_end_here),
		FCASE(one_that_breaks_off_or_hangs_is_told),
		FCASE(an_answer_that_never_ends_is_cut),
		FCASE(a_name_that_is_no_header_is_never_sent),
		FCASE(what_is_missing_is_told_until_it_is_there),
		FCASE(a_certificate_of_another_is_not_trusted),
		FCASE(one_good_try_is_enough_and_none_is_told),
		FCASE(what_others_say_of_it_stays_until_the_next_check),
		FCASE(names_outside_lead_to_nothing_of_ours),
		FCASE(our_own_groups_are_never_handed_on),
		FCASE(what_it_serves_is_in_discovery),
		FCASE(a_lie_leaves_what_was_known_as_stale),
		FCASE(files_that_are_no_certificates_are_told),
	};

	return cmocka_run_group_tests_name("apiserver aggregator", tests, own_network, NULL);
}
