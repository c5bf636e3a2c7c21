/* SPDX-License-Identifier: Apache-2.0 */
/* pods/proxy, services/proxy, nodes/proxy; addresses; links of pages. */
#include "connect-fix.h"

#include "apiserver/outward/node-agent.h"
#include "apiserver/rest/rest-connect-html.h"

#define PROXY POD "/proxy"
#define SVC "/api/v1/namespaces/n1/services"

/* ---- pods ---- */

static void every_method_and_its_body_reach_the_pod(void **state)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
	struct cfix *f = *state;
	char want[128];

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		const char *body = i == 0 || i > 3 ? NULL : "some body";

		(void)ask(f->x, methods[i], PROXY "/a/b?x=1&limit=none&watch=1", ADMIN, body);
		assert_code(f->x, 200);
		snprintf(want, sizeof(want), "%s /a/b?x=1&limit=none&watch=1 [%s]", methods[i],
			 body ? body : "");
		assert_string_equal(buf_str(&f->x->body), want);
		assert_string_equal(header_of(f->x, "X-Pod"), "yes");
		assert_null(header_of(f->x, "Access-Control-Allow-Origin"));
	}
	(void)ask(f->x, "HEAD", PROXY "/a", ADMIN, NULL);
	assert_code(f->x, 200);
	(void)ask(f->x, "TRACE", PROXY "/a", ADMIN, NULL);
	assert_status(f->x, 400, "BadRequest", "TRACE");
	(void)get(f->x, PROXY "/a?dryRun=All");
	assert_status(f->x, 400, "BadRequest", "dryRun is not supported");
}

static void paths_go_on_as_upstream_cleans_them(void **state)
{
	static const char *const rows[][2] = {
		{ PROXY "/", "/" },
		{ PROXY "//a//b/", "/a/b/" },
		{ PROXY "/a/./b/../c", "/a/c" },
		{ PROXY "/../../../secret", "/secret" },
		{ PROXY "/%2e%2e/x", "/x" },
		{ PROXY "/a%20b%3Fc/%C3%A9", "/a%20b%3Fc/%C3%A9" },
		{ PROXY "/a@b:c;d=1", "/a@b:c;d=1" },
		{ PROXY "/1/2/3/4/5/6/7/8/9/10/11/12/13", "/1/2/3/4/5/6/7/8/9/10/11/12/13" },
		{ PROXY "/?q=%41", "/?q=%41" },
	};
	struct cfix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)get(f->x, rows[i][0]);
		assert_code(f->x, 200);
		assert_string_equal(f->pod.target, rows[i][1]);
	}
	(void)ask(f->x, "POST", PROXY, ADMIN, "x");
	assert_string_equal(f->pod.target, "/");
}

static void the_root_without_a_slash_is_redirected(void **state)
{
	struct cfix *f = *state;

	(void)get(f->x, PROXY);
	assert_code(f->x, 301);
	assert_string_equal(header_of(f->x, "Location"), PROXY "/");
	(void)get(f->x, PROXY "?a=b");
	assert_code(f->x, 301);
	assert_string_equal(header_of(f->x, "Location"), PROXY "/?a=b");
}

static void names_tell_scheme_and_port(void **state)
{
	struct cfix *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "/api/v1/namespaces/n1/pods/p:%u/proxy/x", f->pod_port);
	(void)get(f->x, path);
	assert_code(f->x, 200);
	snprintf(path, sizeof(path), "/api/v1/namespaces/n1/pods/http:p:%u/proxy/x", f->pod_port);
	(void)get(f->x, path);
	assert_code(f->x, 200);
	/* Without TLS there: the handshake fails, nobody is asked. */
	snprintf(path, sizeof(path), "/api/v1/namespaces/n1/pods/https:p:%u/proxy/x", f->pod_port);
	(void)get(f->x, path);
	assert_status(f->x, 503, "ServiceUnavailable", "error trying to reach service: ");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/ftp:p:80/proxy/x");
	assert_status(f->x, 400, "BadRequest", "invalid pod request \"ftp:p:80\"");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/a:b:c:d/proxy/x");
	assert_status(f->x, 400, "BadRequest", "invalid pod request");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/:80/proxy/x");
	assert_status(f->x, 400, "BadRequest", "invalid pod request");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/p:http/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable", "unknown port");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/p:70000/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable", "unknown port");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/p:1/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable", "error trying to reach service: ");
	(void)get(f->x, "/api/v1/namespaces/n1/pods/none:80/proxy/x");
	assert_status(f->x, 404, "NotFound", "pods \"none\" not found");
}

static void credentials_of_the_api_go_to_nobody(void **state)
{
	struct cfix *f = *state;

	(void)ask(f->x, "GET", PROXY "/headers",
		  ADMIN
		  "X-Remote-User: root\r\nX-Remote-Group: g\r\nX-Remote-Extra-A: b\r\n"
		  "Proxy-Authorization: Basic x\r\nTE: trailers\r\n"
		  "Connection: keep-alive, X-Once\r\nX-Once: gone\r\nKeep-Alive: 5\r\n"
		  "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.abc, mine\r\n"
		  "X-Kept: 1\r\nX-Kept: 2\r\nCookie: c=1\r\nUser-Agent: mine/1\r\n"
		  "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Uri: /lie\r\n",
		  NULL);
	assert_code(f->x, 200);
	assert_hasnt(f->x, "uthorization");
	assert_hasnt(f->x, "admin-token");
	assert_hasnt(f->x, "base64url");
	assert_hasnt(f->x, "X-Remote");
	assert_hasnt(f->x, "Once");
	assert_hasnt(f->x, "Keep-Alive");
	assert_hasnt(f->x, "TE:");
	assert_hasnt(f->x, "/lie");
	assert_has(f->x, "X-Kept: 1\nX-Kept: 2\n");
	assert_has(f->x, "Sec-WebSocket-Protocol: mine\n");
	assert_has(f->x, "User-Agent: mine/1\n");
	assert_hasnt(f->x, "teu/");
	assert_has(f->x, "Host: x\n");
	assert_has(f->x, "Cookie: c=1\n");
	assert_has(f->x, "X-Forwarded-For: 192.0.2.9\n");
	assert_has(f->x, "X-Forwarded-Uri: " PROXY "/headers\n");
	assert_string_equal(f->pod.name, ""); /* no certificate was shown */
}

static void bodies_stream_both_ways(void **state)
{
	struct cfix *f = *state;
	struct buf b = BUF_INIT(16u << 20);
	struct peer p;

	(void)get(f->x, PROXY "/big");
	assert_code(f->x, 200);
	assert_int_equal(f->x->body.n, AGENT_BIG);
	/* More than any body of the API may have. */
	assert_non_null(buf_room(&b, 6u << 20));
	memset(b.p, 'u', 6u << 20);
	b.n = 6u << 20;
	peer_open(f->x, &p);
	peer_send(&p, "POST", PROXY "/up", ADMIN "Content-Length: 6291456\r\n", NULL);
	peer_write(&p, b.p, b.n);
	peer_answer(&p, false);
	assert_code(f->x, 200);
	assert_has(f->x, "POST /up [uuuu");
	peer_close(&p);
	peer_open(f->x, &p);
	peer_send(&p, "POST", PROXY "/chunked", ADMIN "Transfer-Encoding: chunked\r\n", NULL);
	peer_write(&p, "5\r\nhello\r\n0\r\n\r\n", 15);
	peer_answer(&p, false);
	assert_has(f->x, "POST /chunked [hello]");
	peer_close(&p);
	buf_fini(&b);
}

static void an_answer_that_breaks_off_is_broken_for_the_client(void **state)
{
	struct cfix *f = *state;
	struct peer p;

	peer_open(f->x, &p);
	peer_send(&p, "GET", PROXY "/broken", ADMIN, NULL);
	peer_until(&p, "half");
	stream_reset(f->pod.follow, NULL);
	until(f, (peer_take(&p), p.eof));
	peer_close(&p);
}

static void upgrades_of_pods_are_byte_streams(void **state)
{
	struct cfix *f = *state;
	struct peer p;

	peer_open(f->x, &p);
	peer_send(&p, "GET", PROXY "/upgrade", ADMIN "Connection: Upgrade\r\nUpgrade: echo\r\n",
		  NULL);
	peer_until(&p, "X-Pod: yes");
	peer_until(&p, "\r\n\r\n");
	assert_non_null(strstr(buf_str(&p.in), "HTTP/1.1 101"));
	assert_non_null(strstr(buf_str(&p.in), "Upgrade: echo"));
	peer_write(&p, "raw bytes", 9);
	peer_until(&p, "raw bytes");
	assert_int_equal(shutdown(p.fd, SHUT_WR), 0); /* half-closes reach the pod and come back */
	until(f, (peer_take(&p), p.eof));
	peer_close(&p);
	until(f, http_server_get_stats(f->pod_srv).connections == 0);
}

static void links_are_rewritten_for_the_way_back(void **state)
{
	struct cfix *f = *state;

	(void)get(f->x, PROXY "/redirect");
	assert_code(f->x, 302);
	assert_string_equal(header_of(f->x, "Location"), PROXY "/there?q=1");
	(void)get(f->x, PROXY "/absolute");
	assert_string_equal(header_of(f->x, "Location"), "http://other.test/x");
	(void)get(f->x, PROXY "/page");
	assert_code(f->x, 200);
	assert_string_equal(buf_str(&f->x->body),
			    "<html><a href=\"" PROXY "/x/y\">1</a><a href=z>2</a></html>");
	(void)get(f->x, PROXY "/gzip");
	assert_string_equal(header_of(f->x, "Content-Encoding"), "gzip");
	assert_true(f->x->body.n > 20);
	(void)ask(f->x, "HEAD", PROXY "/page", ADMIN, NULL);
	assert_code(f->x, 200);
}

static void addresses_of_this_machine_are_not_asked(void **state)
{
	static const char *const bad[] = { "127.0.0.1",	      "169.254.169.254", "::1",
					   "fe80::1",	      "0.0.0.0",	 "224.0.0.1",
					   "::ffff:127.0.0.1" };
	struct cfix *f = *state;
	char status[160];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(status, sizeof(status),
			 "{\"status\":{\"podIP\":\"%s\",\"podIPs\":[{\"ip\":\"%s\"}]}}", bad[i],
			 bad[i]);
		(void)ask(f->x, "PATCH", POD "/status", ADMIN MERGE, status);
		if (f->x->code != 200)
			continue; /* not even written */
		(void)get(f->x, PROXY "/x");
		assert_status(f->x, 400, "BadRequest", "address not allowed");
	}
	patch(f->x, POD "/status", "{\"status\":{\"podIP\":null,\"podIPs\":null}}");
	(void)get(f->x, PROXY "/x");
	assert_status(f->x, 400, "BadRequest", "address not allowed");
	assert_int_equal(f->pod.requests, 0);
}

/* ---- services ---- */

static void make_service(struct cfix *f, const char *name, const char *ports)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"%s\"},"
		 "\"spec\":{\"clusterIP\":\"None\",\"ports\":[%s]}}",
		 name, ports);
	(void)post(f->x, SVC, body);
	assert_code(f->x, 201);
}

/* endpoints: JSON of them */
static void make_slice(struct cfix *f, const char *name, const char *service, const char *port,
		       const char *endpoints)
{
	char body[1024];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{"
		 "\"name\":\"%s\",\"labels\":{\"kubernetes.io/service-name\":\"%s\"}},"
		 "\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"%s\",\"port\":%u}],"
		 "\"endpoints\":[%s]}",
		 name, service, port, f->pod_port, endpoints);
	(void)post(f->x, "/apis/discovery.k8s.io/v1/namespaces/n1/endpointslices", body);
	assert_code(f->x, 201);
}

#define ENDPOINT(ip, ready, pod)                                                           \
	"{\"addresses\":[\"" ip "\"],\"conditions\":{\"ready\":" ready "},\"targetRef\":{" \
	"\"kind\":\"Pod\",\"name\":\"" pod "\",\"namespace\":\"n1\"}}"

static void services_are_asked_by_name_and_number_of_their_port(void **state)
{
	struct cfix *f = *state;

	make_service(f, "s", "{\"name\":\"web\",\"port\":80},{\"name\":\"other\",\"port\":81}");
	make_slice(f, "s-1", "s", "web",
		   ENDPOINT("10.9.8.9", "false", "p") "," ENDPOINT(AGENT_IP, "true", "p"));
	for (int i = 0; i < 8; i++) { /* the one that is ready, whichever is looked at first */
		(void)get(f->x, SVC "/s:web/proxy/x");
		assert_code(f->x, 200);
	}
	(void)get(f->x, SVC "/s:80/proxy/x");
	assert_code(f->x, 200);
	(void)get(f->x, SVC "/http:s:80/proxy/x?y=z");
	assert_string_equal(f->pod.target, "/x?y=z");
	(void)get(f->x, SVC "/s:82/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable",
		      "no service port 82 found for service \"s\"");
	(void)get(f->x, SVC "/s:other/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable", "no endpoints available for service \"s\"");
	(void)get(f->x, SVC "/s/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable", "no endpoints available for service \"s\"");
	(void)get(f->x, SVC "/none:80/proxy/x");
	assert_status(f->x, 404, "NotFound", "services \"none\" not found");
	(void)get(f->x, SVC "/s:web/proxy/page");
	assert_has(f->x, "<a href=\"" SVC "/s:web/proxy/x/y\">");
}

/* Endpoints are written by users: only what a pod of theirs has is asked. */
static void cve_2020_8555_endpoints_that_are_no_pods_are_not_asked(void **state)
{
	struct cfix *f = *state;

	make_service(f, "s", "{\"name\":\"web\",\"port\":80}");
	make_slice(f, "s-1", "s", "web",
		   "{\"addresses\":[\"" AGENT_IP "\"]}," ENDPOINT(
			   "10.9.8.9", "true", "p") "," ENDPOINT(AGENT_IP, "true", "none"));
	(void)get(f->x, SVC "/s:web/proxy/x");
	assert_status(f->x, 503, "ServiceUnavailable", "no endpoints available for service \"s\"");
	assert_int_equal(f->pod.requests, 0);
	assert_int_equal(f->agent.requests, 0);
}

/* ---- nodes ---- */

static void the_agent_of_a_node_is_asked_with_our_certificate(void **state)
{
	struct cfix *f = *state;
	char path[128];

	(void)get(f->x, "/api/v1/nodes/node-1/proxy/metrics?x=1");
	assert_code(f->x, 200);
	assert_string_equal(buf_str(&f->x->body), "GET /metrics?x=1 []");
	assert_string_equal(f->agent.name, "apiserver");
	snprintf(path, sizeof(path), "/api/v1/nodes/node-1:%u/proxy/pods", f->agent_port);
	(void)get(f->x, path);
	assert_code(f->x, 200);
	snprintf(path, sizeof(path), "/api/v1/nodes/https:node-1:%u/proxy/headers", f->agent_port);
	(void)get(f->x, path);
	assert_code(f->x, 200);
	assert_hasnt(f->x, "uthorization");
	(void)get(f->x, "/api/v1/nodes/none/proxy/x");
	assert_status(f->x, 404, "NotFound", "nodes \"none\" not found");
}

/* Whoever may write Nodes must not send our certificate wherever they like. */
static void cve_2022_3294_addresses_and_ports_of_nodes_are_looked_at(void **state)
{
	static const char *const bad[] = { "127.0.0.1", "169.254.169.254", "::1", "localhost" };
	struct cfix *f = *state;
	char path[128], name[16];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(name, sizeof(name), "bad-%zu", i);
		make_node(f, name, "InternalIP", bad[i]);
		snprintf(path, sizeof(path), "/api/v1/nodes/%s/proxy/x", name);
		(void)get(f->x, path);
		assert_status(f->x, 400, "BadRequest", "address not allowed");
		snprintf(path, sizeof(path), "/api/v1/nodes/%s:%u/proxy/x", name, f->agent_port);
		(void)get(f->x, path);
		assert_status(f->x, 400, "BadRequest", "address not allowed");
	}
	(void)get(f->x, "/api/v1/nodes/node-1:22/proxy/x");
	assert_status(f->x, 400, "BadRequest", "only the agent of node \"node-1\" can be asked");
	(void)get(f->x, "/api/v1/nodes/http:node-1:/proxy/x");
	assert_status(f->x, 400, "BadRequest", "only the agent of node \"node-1\" can be asked");
	assert_int_equal(f->agent.requests, 0);
}

/* ---- addresses ---- */

static void addresses_are_taken_in_the_order_asked_for(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("node", 1u << 20);
	static const char text[] =
		"{\"status\":{\"addresses\":[{\"type\":\"InternalIP\",\"address\":\"10.0.0.1\"},"
		"{\"type\":\"ExternalIP\",\"address\":\"192.0.2.1\"},{\"type\":\"InternalIP\","
		"\"address\":\"10.0.0.2\"},{\"type\":\"Hostname\",\"address\":\"n\"}],"
		"\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":70000}}}}";
	struct agent_place place;
	struct err err = ERR_INIT;
	struct doc *d;

	(void)state;
	assert_int_equal(json_read(a, slice_str(text), NULL, &d, &err), 0);
	assert_int_equal(agent_place(d, NULL, a, &place, &err), 0);
	assert_string_equal(place.hosts[0], "n");
	assert_string_equal(place.hosts[1], "10.0.0.1");
	assert_string_equal(place.hosts[2], "10.0.0.2");
	assert_string_equal(place.hosts[3], "192.0.2.1");
	assert_null(place.hosts[4]);
	assert_int_equal(place.port, AGENT_PORT); /* theirs is none */
	assert_int_equal(agent_place(d, "ExternalIP,InternalIP", a, &place, &err), 0);
	assert_string_equal(place.hosts[0], "192.0.2.1");
	assert_null(place.hosts[3]);
	/* A type that stands twice is not more addresses. */
	assert_int_equal(
		agent_place(d, "Hostname,Hostname,Hostname,Hostname,Hostname", a, &place, &err), 0);
	assert_non_null(place.hosts[3]);
	assert_null(place.hosts[4]);
	assert_int_equal(agent_place(d, "InternalDNS", a, &place, &err), -ERR_SYSTEM);
	assert_non_null(strstr(err.msg, "known addresses: [{InternalIP 10.0.0.1} {ExternalIP"));
}

static void only_global_unicast_addresses_are_proxyable(void **state)
{
	static const char *const good[] = { "10.0.0.1", "192.0.2.1", "2001:db8::1", "fd00::1",
					    "::ffff:10.0.0.1" };
	static const char *const bad[] = { "127.0.0.1",
					   "127.255.0.9",
					   "169.254.0.1",
					   "0.0.0.0",
					   "239.0.0.1",
					   "255.255.255.255",
					   "::",
					   "::1",
					   "fe80::1",
					   "febf::1",
					   "ff02::1",
					   "::ffff:127.0.0.1",
					   "::ffff:0.0.0.0",
					   "::ffff:169.254.169.254" };
	struct ip_addr ip;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(ip_addr_parse(slice_str(good[i]), &ip));
		assert_true(agent_proxyable(&ip));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(ip_addr_parse(slice_str(bad[i]), &ip));
		assert_false(agent_proxyable(&ip));
	}
}

static void files_that_are_no_certificates_are_told(void **state)
{
	struct cfix *f = *state;
	struct agents_conf conf = { .loop = f->x->f->loop, .cert = f->ca, .key = f->ca };
	struct err err = ERR_INIT;
	struct agents *as;

	assert_true(agents_new(&conf, &as, &err) < 0);
	assert_non_null(strstr(err.msg, "key for nodes"));
	conf = (struct agents_conf){ .loop = f->x->f->loop, .ca = f->key };
	assert_true(agents_new(&conf, &as, &err) < 0);
	assert_non_null(strstr(err.msg, "CA of nodes"));
	conf = (struct agents_conf){ .loop = f->x->f->loop, .ca = "/nonexistent" };
	assert_true(agents_new(&conf, &as, &err) < 0);
}

static void clients_are_shared_and_kept(void **state)
{
	struct cfix *f = *state;
	const struct agents_conf conf = { .loop = f->x->f->loop };
	struct agent *a, *b, *c;
	struct http_client *client;
	struct err err = ERR_INIT;
	struct agents *as;
	struct ip_addr ip;

	assert_true(ip_addr_parse(SLICE("10.0.0.1"), &ip));
	assert_int_equal(agents_new(&conf, &as, &err), 0);
	assert_int_equal(agents_get(as, "n", &ip, 1, AGENT_NODE, &a, &err), 0);
	assert_int_equal(agents_get(as, "n", &ip, 1, AGENT_NODE, &b, &err), 0);
	assert_int_equal(agents_get(as, "m", &ip, 1, AGENT_NODE, &c, &err), 0);
	assert_ptr_equal(agent_client(a), agent_client(b));
	assert_ptr_not_equal(agent_client(a), agent_client(c)); /* another name's certificate */
	assert_string_equal(agent_url(a), "https://10.0.0.1:1");
	client = agent_client(a);
	agent_release(a);
	agent_release(b);
	assert_int_equal(agents_get(as, "n", &ip, 1, AGENT_NODE, &a, &err), 0);
	assert_ptr_equal(agent_client(a), client);
	agent_release(a);
	agent_release(c);
	for (unsigned i = 0; i < 600; i++) { /* not for ever */
		assert_int_equal(agents_get(as, "n", &ip, (uint16_t)(i + 2), AGENT_POD, &a, &err),
				 0);
		agent_release(a);
		(void)loop_step(f->x->f->loop, 0, NULL);
	}
	agents_free(as);
}

/* ---- pages ---- */

static const struct html_links links = { .prefix = "/api/p",
					 .own = { "10.0.0.1:80", 11 },
					 .asked = { "api.test", 8 } };

static const char *linked(const char *address)
{
	static struct buf b = { .max = 4096 };

	buf_clear(&b);
	assert_int_equal(html_link(&links, slice_str(address), &b), 0);
	return buf_str(&b);
}

static void addresses_of_the_server_get_the_prefix(void **state)
{
	static const char *const rows[][2] = {
		{ "/a/b?c#d", "/api/p/a/b?c#d" },
		{ "/", "/api/p/" },
		{ "/api/p/x", "/api/p/x" }, /* has it */
		{ "a/b", "a/b" },
		{ "", "" },
		{ "#top", "#top" },
		{ "?q=/x", "?q=/x" },
		{ "mailto:a@b", "mailto:a@b" },
		{ "javascript:/x/", "javascript:/x/" },
		{ "http://10.0.0.1:80/x", "/api/p/x" },
		{ "https://10.0.0.1:80/x?y", "/api/p/x?y" },
		{ "//10.0.0.1:80/x", "/api/p/x" },
		{ "http://api.test/x", "http://api.test/api/p/x" },
		{ "//api.test/x", "//api.test/api/p/x" },
		{ "http://other/x", "http://other/x" },
		{ "//other/x", "//other/x" },
		{ "http://10.0.0.1:80", "http://10.0.0.1:80" },
		{ "http://10.0.0.1:80?x=/", "http://10.0.0.1:80?x=/" },
		{ "///x", "/api/p/x" },
		{ "a:b/c", "a:b/c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(linked(rows[i][0]), rows[i][1]);
}

/* All of it, and byte by byte: the same comes out. */
static const char *page(const char *in)
{
	static struct buf whole = { .max = 1u << 20 }, pieces = { .max = 1u << 20 };
	struct html *h = html_new(&links, HTML_PLAIN);

	buf_clear(&whole);
	buf_clear(&pieces);
	assert_int_equal(html_rewrite(h, slice_str(in), true, &whole), 0);
	html_free(h);
	h = html_new(&links, HTML_PLAIN);
	for (size_t i = 0; in[i]; i++)
		assert_int_equal(html_rewrite(h, slice_of(in + i, 1), false, &pieces), 0);
	assert_int_equal(html_rewrite(h, SLICE(""), true, &pieces), 0);
	html_free(h);
	assert_string_equal(buf_str(&whole), buf_str(&pieces));
	return buf_str(&whole);
}

static void pages_keep_all_but_their_links(void **state)
{
	static const char *const rows[][2] = {
		{ "<a href=\"/x\">t</a>", "<a href=\"/api/p/x\">t</a>" },
		{ "<A HREF='/x' class=b>", "<A HREF='/api/p/x' class=b>" },
		{ "<a href=/x>", "<a href=/api/p/x>" },
		{ "<a href = \" /x \" >", "<a href = \" /api/p/x \" >" },
		{ "<img alt=\"a > b\" src=\"/x\"/>", "<img alt=\"a > b\" src=\"/api/p/x\"/>" },
		{ "<img longdesc=/a src=/b usemap=#c>",
		  "<img longdesc=/api/p/a src=/api/p/b usemap=#c>" },
		{ "<p href=\"/x\">", "<p href=\"/x\">" },   /* no element with links */
		{ "<a title=\"/x\">", "<a title=\"/x\">" }, /* no attribute with one */
		{ "<a data-href=\"/x\">", "<a data-href=\"/x\">" },
		{ "text /x <b>/y</b>", "text /x <b>/y</b>" },
		{ "1 < 2 <a href=/x>", "1 < 2 <a href=/api/p/x>" },
		{ "<<a href=/x>", "<<a href=/api/p/x>" },
		{ "<!-- <a href=\"/x\"> -->", "<!-- <a href=\"/x\"> -->" },
		{ "<!--><a href=/x>", "<!--><a href=/api/p/x>" },
		{ "<!-- a --- b --><a href=/x>", "<!-- a --- b --><a href=/api/p/x>" },
		{ "<!DOCTYPE html><a href=/x>", "<!DOCTYPE html><a href=/api/p/x>" },
		{ "</a href=/x>", "</a href=/x>" },
		{ "<script src=\"/s\">var a='<a href=\"/x\">';</script><a href=/y>",
		  "<script src=\"/api/p/s\">var a='<a href=\"/x\">';</script><a href=/api/p/y>" },
		{ "<style>a</styl></STYLE ><a href=/x>",
		  "<style>a</styl></STYLE ><a href=/api/p/x>" },
		{ "<title><a href=/x></title>", "<title><a href=/x></title>" },
		{ "<a href=\"/x", "<a href=\"/x" }, /* never ends */
		{ "<a href>", "<a href>" },
		{ "<a href= >", "<a href= >" },
		{ "<a =\"/x\" href=/y>", "<a =\"/x\" href=/api/p/y>" },
		{ "<base href=\"http://10.0.0.1:80/x\">", "<base href=\"/api/p/x\">" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(page(rows[i][0]), rows[i][1]);
}

static void a_tag_without_end_is_passed_on(void **state)
{
	struct buf in = BUF_INIT(1u << 20), out = BUF_INIT(1u << 20);
	struct html *h = html_new(&links, HTML_PLAIN);

	(void)state;
	(void)buf_adds(&in, "<a title=\"");
	for (size_t i = 0; i < 70000; i++)
		(void)buf_addc(&in, '>');
	(void)buf_adds(&in, "\" href=/x><a href=/y>");
	assert_int_equal(html_rewrite(h, buf_slice(&in), true, &out), 0);
	assert_int_equal(out.n, in.n + 6);
	assert_memory_equal(out.p, in.p, in.n - 12);
	assert_non_null(strstr(buf_str(&out) + in.n - 13, "<a href=/api/p/y>"));
	html_free(h);
	buf_fini(&in);
	buf_fini(&out);
}

static void packed_pages_are_rewritten_inside(void **state)
{
	static const char text[] = "<a href=/x>";
	unsigned char packed[256], again[256];
	struct buf out = BUF_INIT(1u << 20);

	(void)state;
	for (int raw = 0; raw < 2; raw++) {
		const int window = raw ? -MAX_WBITS : MAX_WBITS + 16;
		struct html *h = html_new(&links, raw ? HTML_DEFLATE : HTML_GZIP);
		z_stream z = { .next_in = (unsigned char *)text,
			       .avail_in = sizeof(text) - 1,
			       .next_out = packed,
			       .avail_out = sizeof(packed) };
		size_t n;

		assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, 0), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		n = sizeof(packed) - z.avail_out;
		(void)deflateEnd(&z);
		buf_clear(&out);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(
				html_rewrite(h, slice_of((char *)packed + i, 1), false, &out), 0);
		assert_int_equal(html_rewrite(h, SLICE(""), true, &out), 0);
		html_free(h);
		z = (z_stream){ .next_in = (unsigned char *)out.p,
				.avail_in = (unsigned)out.n,
				.next_out = again,
				.avail_out = sizeof(again) - 1 };
		assert_int_equal(inflateInit2(&z, window), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		again[sizeof(again) - 1 - z.avail_out] = '\0';
		(void)inflateEnd(&z);
		assert_string_equal((char *)again, "<a href=/api/p/x>");
	}
	buf_fini(&out);
}

static void what_is_not_packed_as_it_says_is_refused(void **state)
{
	struct html *h = html_new(&links, HTML_GZIP);
	struct buf out = BUF_INIT(1u << 20);

	(void)state;
	assert_int_equal(html_rewrite(h, SLICE("<a href=/x>"), false, &out), -ERR_INVALID);
	html_free(h);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(every_method_and_its_body_reach_the_pod),
		SHARED(paths_go_on_as_upstream_cleans_them),
		SHARED(the_root_without_a_slash_is_redirected),
		SHARED(names_tell_scheme_and_port),
		SHARED(credentials_of_the_api_go_to_nobody),
		SHARED(bodies_stream_both_ways),
		SHARED(an_answer_that_breaks_off_is_broken_for_the_client),
		ALONE(upgrades_of_pods_are_byte_streams),
		SHARED(links_are_rewritten_for_the_way_back),
		ALONE(addresses_of_this_machine_are_not_asked),
		SHARED(services_are_asked_by_name_and_number_of_their_port),
		ALONE(cve_2020_8555_endpoints_that_are_no_pods_are_not_asked),
		SHARED(the_agent_of_a_node_is_asked_with_our_certificate),
		ALONE(cve_2022_3294_addresses_and_ports_of_nodes_are_looked_at),
		SHARED(addresses_are_taken_in_the_order_asked_for),
		SHARED(only_global_unicast_addresses_are_proxyable),
		SHARED(files_that_are_no_certificates_are_told),
		SHARED(clients_are_shared_and_kept),
		SHARED(addresses_of_the_server_get_the_prefix),
		SHARED(pages_keep_all_but_their_links),
		SHARED(a_tag_without_end_is_passed_on),
		SHARED(packed_pages_are_rewritten_inside),
		SHARED(what_is_not_packed_as_it_says_is_refused),
	};

	return cmocka_run_group_tests(tests, connect_group, connect_teardown);
}
