/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's agent and a pod's server (kube-agent.h) for an API server and real clients: usage:
 * agent-stub AGENT-ADDR:PORT POD-ADDR:PORT CERT KEY CLIENT-CA. Prints "ready", then a line for each
 * upgrade. A log that is followed gets a line for each line of standard input, whose end is ours.
 */
#include "kube-agent.h"

#include "base/fd.h"
#include "crypto/key.h"

#include <fcntl.h>
#include <unistd.h>

static struct agent_stub agent, pod;

static void stub_say(const char *what, const char *how)
{
	printf("%s %s\n", what, how);
	(void)fflush(stdout);
}

static int make_tls(char **files, struct tls_conf **ret, struct err *err)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(1u << 20);
	CLEANUP(buf_fini) struct buf key = BUF_INIT(1u << 20);
	CLEANUP(buf_fini) struct buf ca = BUF_INIT(1u << 20);
	struct cert_pool *trust = cert_pool_new();
	struct tls_identity id = { .chain_n = 1 };
	const struct tls_options o = { .server = true,
				       .ids = &id,
				       .ids_n = 1,
				       .trust = trust,
				       .client_auth = TLS_CLIENT_REQUIRE };
	struct cert *c = NULL;
	int r = fd_read_file(AT_FDCWD, files[0], &cert, err);

	r = r < 0 ? r : fd_read_file(AT_FDCWD, files[1], &key, err);
	r = r < 0 ? r : fd_read_file(AT_FDCWD, files[2], &ca, err);
	r = r < 0 ? r : cert_read_one(buf_slice(&cert), &c, err);
	r = r < 0 ? r : key_read(buf_slice(&key), &id.key, err);
	r = r < 0 ? r : cert_pool_add_pem(trust, buf_slice(&ca), err);
	id.chain = &c;
	r = r < 0 ? r : tls_conf_new(&o, ret, err);
	cert_pool_unref(trust);
	cert_unref(c);
	key_unref(id.key);
	return r;
}

static int on_input(struct source *src, uint32_t events)
{
	char line[256];
	ssize_t n = read(0, line, sizeof(line));

	(void)events;
	if (n <= 0)
		loop_stop(src->loop, 0);
	else if (agent.follow)
		(void)stream_write(agent.follow, line, (size_t)n);
	return 0;
}

static int serve_at(struct loop *l, const char *address, struct agent_stub *a, struct tls_conf *tls,
		    struct http_server **ret, struct err *err)
{
	const struct http_server_conf conf = { .request = agent_serve,
					       .arg = a,
					       .arena_max = 64u << 20 };
	int r = http_server_new(l, &conf, ret, err);

	r = r < 0 ? r : http_server_listen_tcp(*ret, address, err);
	return r < 0 || !tls ? r : http_server_set_tls(*ret, HTTP_ALL_LISTENERS, tls, err);
}

int main(int argc, char **argv)
{
	CLEANUP(loop_free) struct loop *l = NULL;
	struct source in = SOURCE_INIT;
	struct http_server *srv[2] = { NULL };
	struct tls_conf *tls = NULL;
	struct err err = ERR_INIT;
	int r = argc == 6 ? loop_new(&l, &err) : err_set(&err, ERR_INVALID, "usage: see its head");

	r = r < 0 ? r : make_tls(argv + 3, &tls, &err);
	r = r < 0 ? r : serve_at(l, argv[1], &agent, tls, &srv[0], &err);
	r = r < 0 ? r : serve_at(l, argv[2], &pod, NULL, &srv[1], &err);
	r = r < 0 ? r : source_init(&in, l, 0, EPOLLIN, on_input, &err);
	if (r == 0) {
		printf("ready\n");
		(void)fflush(stdout);
		r = loop_run(l, &err);
	}
	if (r < 0)
		(void)fprintf(stderr, "agent-stub: %s\n", err.msg);
	source_fini(&in);
	http_server_free(srv[0]);
	http_server_free(srv[1]);
	tls_conf_unref(tls);
	return r < 0 ? 1 : 0;
}
