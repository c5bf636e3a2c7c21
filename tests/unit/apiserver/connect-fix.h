/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole server (rest-fix.h) in a network namespace of its own, with a node whose agent is in
 * this process, too (tests/tools/kube-agent.h): TLS at 10.9.8.7, and the same without TLS as the
 * pods' own server. The agent takes only clients of the CA that the server's certificate is of.
 */
#pragma once

#include "rest-fix.h"

#include "../../tools/kube-agent.h"

#include "crypto/key.h"
#include "io/http-client.h"
#include "linux/netlink.h"
#include "linux/rtnl.h"

#include <linux/rtnetlink.h>
#include <sched.h>

#define AGENT_IP "10.9.8.7"
#define POD "/api/v1/namespaces/n1/pods/p"
#define MERGE "Content-Type: application/merge-patch+json\r\n"

struct cfix {
	struct rfix *x;
	struct agent_stub agent, pod;
	struct http_server *agent_srv, *pod_srv;
	unsigned agent_port, pod_port;
	struct http_client *client; /* of the API, by a Unix socket */
	char ca[96], cert[96], key[96];
	char said[256];	     /* by stub_say */
	struct cfix *shared; /* of the other cases */
};
static struct cfix *the_fix;

static void stub_say(const char *what, const char *how)
{
	snprintf(the_fix->said, sizeof(the_fix->said), "%s %s", what, how);
}

static inline int own_network(void **state)
{
	static struct nl nl;
	struct rtnl_addr addr;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skip: no network namespace can be made\n");
		exit(77);
	}
	assert_int_equal(rtnl_lo_up(-1, NULL), 0);
	assert_int_equal(rtnl_addr_parse(AGENT_IP "/32", &addr, NULL), 0);
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE, NULL), 0);
	rtnl_put_addr(&nl, 1, &addr);
	assert_int_equal(nl_commit(&nl, NULL), 0);
	nl_close(&nl);
	return 0;
}

/* ---- certificates ---- */

static inline void save(const char *path, const struct buf *b)
{
	struct err err = ERR_INIT;
	char dir[96];

	snprintf(dir, sizeof(dir), "%s", path);
	assert_int_equal(fd_replace_file(AT_FDCWD, dir, b->p, b->n, 0600, &err), 0);
}

struct signer {
	struct key *key;
	struct cert *cert;
};

static inline struct signer sign(const char *cn, const char *ip, const struct signer *by)
{
	const char *const ips[] = { ip };
	struct cert_spec spec = { .names = { .cn = cn, .ip = { ips, ip != NULL } },
				  .not_before = clock_real() / NS_PER_SEC - 60,
				  .not_after = clock_real() / NS_PER_SEC + 3600,
				  .ca = by == NULL,
				  .path_len = -1 };
	struct signer s;

	assert_int_equal(key_generate(KEY_P256, 0, &s.key, NULL), 0);
	assert_int_equal(
		cert_make(&spec, s.key, by ? by->cert : NULL, by ? by->key : s.key, &s.cert, NULL),
		0);
	return s;
}

static inline void signer_fini(struct signer *s)
{
	key_unref(s->key);
	cert_unref(s->cert);
}

static inline void save_identity(struct cfix *f, const char *cn, const struct signer *ca)
{
	struct buf b = BUF_INIT(65536);
	struct signer s = sign(cn, NULL, ca);

	assert_int_equal(cert_write_pem(s.cert, &b, NULL), 0);
	save(f->cert, &b);
	buf_clear(&b);
	assert_int_equal(key_write_pem(s.key, KEY_PRIVATE_PKCS8, &b, NULL), 0);
	save(f->key, &b);
	buf_fini(&b);
	signer_fini(&s);
}

static inline struct tls_conf *agent_tls(const struct signer *id, const struct signer *ca)
{
	struct cert_pool *trust = cert_pool_new();
	const struct tls_identity shown = { .chain = &id->cert, .chain_n = 1, .key = id->key };
	const struct tls_options o = { .server = true,
				       .ids = &shown,
				       .ids_n = 1,
				       .trust = trust,
				       .client_auth = TLS_CLIENT_REQUIRE };
	struct err err = ERR_INIT;
	struct tls_conf *conf;

	cert_pool_add(trust, ca->cert);
	if (tls_conf_new(&o, &conf, &err) < 0)
		fail_msg("%s", err.msg);
	cert_pool_unref(trust);
	return conf;
}

/* ---- the agent ---- */

static inline struct http_server *serve_at(struct rfix *x, struct agent_stub *a, unsigned *port)
{
	const struct http_server_conf conf = { .request = agent_serve,
					       .arg = a,
					       .arena_max = 64u << 20 };
	struct http_server *srv;
	struct err err = ERR_INIT;

	assert_int_equal(http_server_new(x->f->loop, &conf, &srv, &err), 0);
	if (http_server_listen_tcp(srv, AGENT_IP ":0", &err) < 0)
		fail_msg("%s", err.msg);
	*port = (unsigned)strtoul(strrchr(http_server_address(srv, 0), ':') + 1, NULL, 10);
	return srv;
}

static inline void start_agent(struct cfix *f)
{
	struct signer ca = sign("ca", NULL, NULL), id = sign("node", AGENT_IP, &ca);
	struct buf b = BUF_INIT(65536);
	struct tls_conf *tls = agent_tls(&id, &ca);
	struct err err = ERR_INIT;

	snprintf(f->ca, sizeof(f->ca), "%s/ca.crt", f->x->f->dir);
	snprintf(f->cert, sizeof(f->cert), "%s/api.crt", f->x->f->dir);
	snprintf(f->key, sizeof(f->key), "%s/api.key", f->x->f->dir);
	assert_int_equal(cert_write_pem(ca.cert, &b, NULL), 0);
	save(f->ca, &b);
	buf_fini(&b);
	save_identity(f, "apiserver", &ca);
	f->agent_srv = serve_at(f->x, &f->agent, &f->agent_port);
	assert_int_equal(http_server_set_tls(f->agent_srv, HTTP_ALL_LISTENERS, tls, &err), 0);
	f->pod_srv = serve_at(f->x, &f->pod, &f->pod_port);
	tls_conf_unref(tls);
	signer_fini(&id);
	signer_fini(&ca);
}

/* ---- objects ---- */

static inline void patch(struct rfix *x, const char *path, const char *body)
{
	(void)ask(x, "PATCH", path, ADMIN MERGE, body);
	assert_code(x, 200);
}

/* containers: "a,b" */
static inline void make_pod(struct cfix *f, const char *name, const char *node,
			    const char *containers)
{
	struct buf b = BUF_INIT(65536);
	struct slice rest = slice_str(containers);
	char path[128], status[256];

	(void)buf_addf(&b,
		       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\"},"
		       "\"spec\":{%s%s%s\"containers\":[",
		       name, *node ? "\"nodeName\":\"" : "", node, *node ? "\"," : "");
	while (rest.p) {
		struct slice one = slice_split(&rest, ',');

		(void)buf_addf(&b,
			       "{\"name\":\"%.*s\",\"image\":\"i\",\"ports\":[{\"containerPort\":"
			       "%u}]}%s",
			       (int)one.n, one.p, f->pod_port, rest.p ? "," : "");
	}
	(void)buf_adds(&b, "]}}");
	(void)post(f->x, "/api/v1/namespaces/n1/pods", buf_str(&b));
	buf_fini(&b);
	if (f->x->code == 409)
		return; /* of a case before: the same name has the same containers */
	assert_code(f->x, 201);
	snprintf(path, sizeof(path), "/api/v1/namespaces/n1/pods/%s/status", name);
	snprintf(status, sizeof(status),
		 "{\"status\":{\"podIP\":\"%s\",\"podIPs\":[{\"ip\":\"%s\"}]}}", AGENT_IP,
		 AGENT_IP);
	patch(f->x, path, status);
}

static inline void make_node(struct cfix *f, const char *name, const char *type,
			     const char *address)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\"},"
		 "\"status\":{\"addresses\":[{\"type\":\"%s\",\"address\":\"%s\"}],"
		 "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":%u}}}}",
		 name, type, address, f->agent_port);
	(void)post(f->x, "/api/v1/nodes", body);
	assert_code(f->x, 201);
}

static inline int connect_setup(void **state)
{
	struct cfix *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;
	char at[128];
	void *x;

	the_fix = f;
	rest_setup(&x);
	f->x = x;
	start_agent(f);
	server_free(f->x->srv);
	metrics_free(f->x->metrics);
	f->x->conf.metrics = f->x->metrics = metrics_new();
	f->x->conf.node_ca = f->ca;
	f->x->conf.node_cert = f->cert;
	f->x->conf.node_key = f->key;
	if (server_new(&f->x->conf, &f->x->srv, &err) < 0)
		fail_msg("%s", err.msg);
	snprintf(at, sizeof(at), "unix://%s/api.sock", f->x->f->dir);
	assert_int_equal(server_listen(f->x->srv, at, NULL, &err), 0);
	assert_int_equal(http_client_new(f->x->f->loop, at, NULL, &f->client, &err), 0);
	make_namespace(f->x, "n1");
	make_node(f, "node-1", "InternalIP", AGENT_IP);
	make_pod(f, "p", "node-1", "app");
	*state = f;
	return 0;
}

static inline int connect_teardown(void **state)
{
	struct cfix *f = *state;
	void *x = f->x;

	http_client_free(f->client);
	http_server_free(f->agent_srv);
	http_server_free(f->pod_srv);
	rest_teardown(&x);
	free(f);
	return 0;
}

/* Cases that leave everything as it was share one: making it takes most of the time. */
static inline int connect_group(void **state)
{
	return own_network(state) || connect_setup(state);
}
#define SHARED(name) cmocka_unit_test(name)
/* One of its own, for a case that breaks things; the shared one is put back. */
static inline int connect_alone(void **state)
{
	struct cfix *shared = the_fix;
	int r = connect_setup(state);

	the_fix->shared = shared;
	return r;
}
static inline int connect_alone_end(void **state)
{
	struct cfix *f = *state, *shared = f->shared;
	int r = connect_teardown(state);

	*state = the_fix = shared;
	return r;
}
#define ALONE(name) cmocka_unit_test_setup_teardown(name, connect_alone, connect_alone_end)

/* Turns the loop until it holds. */
#define until(f, what)                                                                     \
	do {                                                                               \
		const int64_t end_ = clock_mono() + 30 * NS_PER_SEC;                       \
		while (!(what)) {                                                          \
			assert_true(clock_mono() < end_);                                  \
			assert_true(loop_step((f)->x->f->loop, 5 * NS_PER_MS, NULL) >= 0); \
		}                                                                          \
	} while (0)
