/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS by our server and our client, for bench-tls.py and the end-to-end tests.
 *
 *   tls-peer make DIR                 certificates: ca, server (localhost, 127.0.0.1, *.wild.test),
 *                                     other (other.test), client (CN alice, O users), expired,
 * rogue tls-peer serve OPTION... ADDRESS  prints its addresses, then "ready"; ends with its
 * standard input tls-peer get OPTION... URL        prints what a GET gives; the error otherwise
 *
 * Options: --cert FILE --key FILE (several times: several identities), --ca FILE, --crl FILE,
 * --client none|ask|verify|require, --min 1.2|1.3, --max 1.2|1.3, --alpn LIST, --name NAME,
 * --insecure, --times N. A line "reload" on the server's standard input reads the files anew.
 *
 *   GET /1k, /219k, /who (what the server knows of the client)     POST /echo, /raw (upgrade: echo)
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "crypto/aead.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/http-client.h"
#include "io/http-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define IDS_MAX 8
#define FILE_MAX (1u << 20)
#define DAY 86400

struct options {
	const char *certs[IDS_MAX], *keys[IDS_MAX], *ca, *crl, *name;
	size_t certs_n, keys_n;
	struct tls_options tls;
	const char *alpn[TLS_ALPN_MAX];
	int64_t times;
	const char *address[8];
	size_t address_n;
};

static char big[219u << 10];

/* ---- making certificates ---- */

struct made {
	struct key *key;
	struct cert *cert;
};

static int write_file(const char *dir, const char *name, const char *end, const struct buf *text,
		      struct err *err)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s.%s", dir, name, end);
	return fd_replace_file(AT_FDCWD, path, text->p, text->n, 0600, err);
}

static int save(const char *dir, const char *name, const struct made *m, const struct made *issuer,
		struct err *err)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(FILE_MAX);
	CLEANUP(secret_buf_fini) struct buf key = BUF_INIT(FILE_MAX);
	int r = cert_write_pem(m->cert, &cert, err);

	if (r == 0)
		r = key_write_pem(m->key, KEY_PRIVATE_PKCS8, &key, err);
	if (r == 0)
		r = write_file(dir, name, "pem", &cert, err);
	return r < 0 ? r : write_file(dir, name, "key", &key, err);
}

static int make_one(const char *dir, const char *name, struct cert_spec spec, const struct made *ca,
		    struct made *ret, struct err *err)
{
	int64_t now = clock_real() / NS_PER_SEC;
	int r = key_generate(KEY_P256, 0, &ret->key, err);

	spec.path_len = -1;
	if (!spec.not_after) {
		spec.not_before = now - DAY;
		spec.not_after = now + 365 * DAY;
	}
	if (r == 0)
		r = cert_make(&spec, ret->key, ca ? ca->cert : NULL, ca ? ca->key : ret->key,
			      &ret->cert, err);
	return r < 0 ? r : save(dir, name, ret, ca, err);
}

#define LIST(...)                                                  \
	((struct cert_list){ (const char *const[]){ __VA_ARGS__ }, \
			     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *) })

static int make(const char *dir, struct err *err)
{
	int64_t now = clock_real() / NS_PER_SEC;
	CLEANUP(buf_fini) struct buf crl = BUF_INIT(FILE_MAX);
	struct made ca = { 0 }, rogue_ca = { 0 };
	const struct {
		const char *name;
		const struct made *ca;
		struct cert_spec spec;
	} rows[] = {
		{ "server",
		  &ca,
		  { .names = { .cn = "server",
			       .dns = LIST("localhost", "*.wild.test"),
			       .ip = LIST("127.0.0.1") } } },
		{ "other", &ca, { .names = { .cn = "other", .dns = LIST("other.test") } } },
		{ "client", &ca, { .names = { .cn = "alice", .o = LIST("users", "admins") } } },
		{ "revoked", &ca, { .names = { .cn = "mallory" }, .serial = 4711 } },
		{ "expired",
		  &ca,
		  { .names = { .cn = "old", .dns = LIST("localhost"), .ip = LIST("127.0.0.1") },
		    .not_before = now - 20 * DAY,
		    .not_after = now - 10 * DAY } },
		{ "rogue", &rogue_ca, { .names = { .cn = "rogue", .dns = LIST("localhost") } } },
	};
	int r = make_one(dir, "ca", (struct cert_spec){ .names = { .cn = "test CA" }, .ca = true },
			 NULL, &ca, err);

	if (r == 0)
		r = make_one(dir, "rogue-ca",
			     (struct cert_spec){ .names = { .cn = "rogue CA" }, .ca = true }, NULL,
			     &rogue_ca, err);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(rows); i++) {
		struct made m = { 0 };

		r = make_one(dir, rows[i].name, rows[i].spec, rows[i].ca, &m, err);
		cert_unref(m.cert);
		key_unref(m.key);
	}
	if (r == 0)
		r = crl_make(ca.cert, ca.key, LIST("1267"), now + DAY, &crl, err); /* 4711 in hex */
	if (r == 0)
		r = write_file(dir, "ca", "crl", &crl, err);
	cert_unref(ca.cert);
	key_unref(ca.key);
	cert_unref(rogue_ca.cert);
	key_unref(rogue_ca.key);
	return r;
}

/* ---- configuration ---- */

struct loaded {
	struct cert *chain[IDS_MAX][CERT_CHAIN_MAX];
	struct tls_identity ids[IDS_MAX];
	struct cert_pool *trust;
};

static int load_identity(struct loaded *l, const struct options *o, size_t i, struct err *err)
{
	CLEANUP(buf_fini) struct buf cert = BUF_INIT(FILE_MAX);
	CLEANUP(secret_buf_fini) struct buf key = BUF_INIT(FILE_MAX);
	struct tls_identity *id = &l->ids[i];
	int r = fd_read_file(AT_FDCWD, o->certs[i], &cert, err);

	if (r == 0)
		r = cert_read(buf_slice(&cert), l->chain[i], CERT_CHAIN_MAX, &id->chain_n, err);
	if (r == 0)
		r = fd_read_file(AT_FDCWD, o->keys[i], &key, err);
	id->chain = l->chain[i];
	return r < 0 ? r : key_read(buf_slice(&key), &id->key, err);
}

static int load_trust(struct loaded *l, const struct options *o, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX);
	int r;

	if (!o->ca)
		return 0;
	l->trust = cert_pool_new();
	r = fd_read_file(AT_FDCWD, o->ca, &text, err);
	if (r == 0)
		r = cert_pool_add_pem(l->trust, buf_slice(&text), err);
	if (r < 0 || !o->crl)
		return r;
	buf_clear(&text);
	r = fd_read_file(AT_FDCWD, o->crl, &text, err);
	return r < 0 ? r : cert_pool_add_crl(l->trust, buf_slice(&text), err);
}

static int load(const struct options *o, struct tls_conf *previous, struct tls_conf **ret,
		struct err *err)
{
	struct loaded *l = calloc(1, sizeof(*l));
	struct tls_options opt = o->tls;
	int r = load_trust(l, o, err);

	for (size_t i = 0; r == 0 && i < o->certs_n; i++)
		r = load_identity(l, o, i, err);
	opt.ids = l->ids;
	opt.ids_n = o->certs_n;
	opt.trust = l->trust;
	opt.previous = previous;
	if (r == 0)
		r = tls_conf_new(&opt, ret, err);
	for (size_t i = 0; i < o->certs_n; i++) {
		for (size_t k = 0; k < l->ids[i].chain_n; k++)
			cert_unref(l->chain[i][k]);
		key_unref(l->ids[i].key);
	}
	cert_pool_unref(l->trust);
	free(l);
	return r;
}

/* ---- serving ---- */

static void collected(struct stream *s, void *arg, int result, struct slice body, struct err *err)
{
	if (result < 0)
		(void)stream_replyf(s, 400, "text/plain", "%s\n", err->msg);
	else
		(void)stream_reply(s, 200, "application/octet-stream", body.p, body.n);
}

static void answer_who(struct stream *s)
{
	const struct tls_info *i = stream_peer(s)->tls;
	const struct cert_names *n;

	if (!i) {
		(void)stream_reply(s, 200, "text/plain", "plain\n", 6);
		return;
	}
	n = i->chain_n ? &cert_info(i->chain[0])->names : NULL;
	(void)stream_replyf(
		s, 200, "text/plain",
		"version=1.%d cipher=%s alpn=%s sni=%s resumed=%d cn=%s o=%s verified=%d "
		"reason=%s\n",
		i->version - 10, i->cipher, i->alpn, i->sni, i->resumed, n ? n->cn : "-",
		n && n->o.n ? n->o.v[0] : "-", i->verified, i->reason ? i->reason : "-");
}

static void raw_data(struct stream *s, struct slice bytes)
{
	(void)stream_write(s, bytes.p, bytes.n);
	stream_read(s, bytes.n);
}

static void raw_end(struct stream *s)
{
	(void)stream_end(s);
}

static const struct stream_events raw_events = { .data = raw_data, .end = raw_end };

static void serve(struct stream *s, void *arg)
{
	const char *path = stream_request(s)->path;

	if (strcmp(path, "/1k") == 0) {
		(void)stream_reply(s, 200, "application/json", big, 1024);
	} else if (strcmp(path, "/219k") == 0) {
		(void)stream_reply(s, 200, "application/json", big, sizeof(big));
	} else if (strcmp(path, "/who") == 0) {
		answer_who(s);
	} else if (strcmp(path, "/echo") == 0) {
		stream_collect(s, 8u << 20, collected, NULL);
	} else if (strcmp(path, "/raw") == 0) {
		stream_on(s, &raw_events, NULL);
		if (stream_hijack(s, 101, NULL) == 0)
			stream_read(s, 65536);
	} else {
		(void)stream_reply(s, 404, "text/plain", "not found\n", 10);
	}
}

struct server {
	struct source in;
	struct http_server *srv;
	struct options *o;
	struct tls_conf *conf;
};

static int on_stdin(struct source *src, uint32_t events)
{
	struct server *sv = CONTAINER_OF(src, struct server, in);
	struct tls_conf *conf = NULL;
	struct err err = ERR_INIT;
	char c[64];
	ssize_t n = read(0, c, sizeof(c));

	if (n <= 0) {
		loop_stop(src->loop, 0);
		return 0;
	}
	if (load(sv->o, sv->conf, &conf, &err) < 0) {
		printf("not reloaded: %s\n", err.msg);
	} else {
		(void)http_server_set_tls(sv->srv, HTTP_ALL_LISTENERS, conf, NULL); /* a server's */
		tls_conf_unref(sv->conf);
		sv->conf = conf;
		printf("reloaded\n");
	}
	(void)fflush(stdout);
	return 0;
}

static int run_server(struct options *o, struct err *err)
{
	static const char item[] = "{\"name\":\"item\",\"value\":12345,\"labels\":{\"a\":\"b\"}},";
	struct http_server_conf conf = { .request = serve,
					 .connections_max = 20000,
					 .arena_max = 32u << 20 };
	struct server sv = { .in = SOURCE_INIT, .o = o };
	CLEANUP(loop_free) struct loop *l = NULL;
	int r;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = item[i % (sizeof(item) - 1)];
	o->tls.server = true;
	r = load(o, NULL, &sv.conf, err);
	r = r < 0 ? r : loop_new(&l, err);
	r = r < 0 ? r : http_server_new(l, &conf, &sv.srv, err);
	r = r < 0 ? r : http_server_set_tls(sv.srv, HTTP_ALL_LISTENERS, sv.conf, err);
	for (size_t i = 0; i < o->address_n && r == 0; i++)
		r = http_server_listen_tcp(sv.srv, o->address[i], err);
	r = r < 0 ? r : source_init(&sv.in, l, 0, EPOLLIN, on_stdin, err);
	if (r == 0) {
		for (size_t i = 0; i < http_server_listeners(sv.srv); i++)
			printf("%s\n", http_server_address(sv.srv, i));
		printf("ready\n");
		(void)fflush(stdout);
		r = loop_run(l, err);
	}
	source_fini(&sv.in);
	http_server_free(sv.srv);
	tls_conf_unref(sv.conf);
	return r;
}

/* ---- asking ---- */

static int get_once(struct http_client *c, struct err *err)
{
	CLEANUP(http_answer_fini) struct http_answer a = HTTP_ANSWER_INIT;
	struct http_call call = { .target = "/who", .time = 20 * NS_PER_SEC };
	int r = http_client_call(c, &call, &a, err);

	if (r == 0)
		printf("%d %.*s\n", a.status, (int)MIN(a.body.n, (size_t)2000),
		       a.body.p ? a.body.p : "");
	return r;
}

static int run_client(struct options *o, struct err *err)
{
	struct http_client_conf conf = { .tls_name = o->name };
	struct tls_conf *tls = NULL;
	int r = load(o, NULL, &tls, err);

	/* A client each, so that each makes a connection; the configuration keeps the sessions. */
	for (int64_t i = 0; r == 0 && i < o->times; i++) {
		CLEANUP(http_client_free) struct http_client *c = NULL;

		conf.tls = tls;
		r = http_client_new(NULL, o->address[0], &conf, &c, err);
		if (r == 0)
			r = get_once(c, err);
	}
	tls_conf_unref(tls);
	return r;
}

/* ---- options ---- */

static enum tls_version version_of(const char *s)
{
	return strcmp(s, "1.2") == 0 ? TLS_1_2 : TLS_1_3;
}

static enum tls_client_auth client_of(const char *s)
{
	static const char *const names[] = { "none", "ask", "verify", "require" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(s, names[i]) == 0)
			return (enum tls_client_auth)i;
	}
	return TLS_CLIENT_NONE;
}

static bool take_option(struct options *o, const char *name, char *value)
{
	struct slice rest = slice_str(value), one;

	if (strcmp(name, "--cert") == 0 && o->certs_n < IDS_MAX)
		o->certs[o->certs_n++] = value;
	else if (strcmp(name, "--key") == 0 && o->keys_n < IDS_MAX)
		o->keys[o->keys_n++] = value;
	else if (strcmp(name, "--ca") == 0)
		o->ca = value;
	else if (strcmp(name, "--crl") == 0)
		o->crl = value;
	else if (strcmp(name, "--name") == 0)
		o->name = value;
	else if (strcmp(name, "--client") == 0)
		o->tls.client_auth = client_of(value);
	else if (strcmp(name, "--min") == 0)
		o->tls.min = version_of(value);
	else if (strcmp(name, "--max") == 0)
		o->tls.max = version_of(value);
	else if (strcmp(name, "--times") == 0)
		return str_int64(slice_str(value), &o->times, NULL) == 0;
	else if (strcmp(name, "--alpn") == 0)
		while ((one = slice_split(&rest, ',')).p && o->tls.alpn_n < TLS_ALPN_MAX)
			o->alpn[o->tls.alpn_n++] = strndup(one.p, one.n);
	else
		return false;
	return true;
}

static bool read_options(struct options *o, int argc, char **argv)
{
	o->times = 1;
	o->tls.alpn = o->alpn;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--insecure") == 0) {
			o->tls.insecure = true;
		} else if (argv[i][0] != '-' && o->address_n < ARRAY_LEN(o->address)) {
			o->address[o->address_n++] = argv[i];
		} else if (i + 1 >= argc || !take_option(o, argv[i], argv[i + 1])) {
			return false;
		} else {
			i++;
		}
	}
	return o->address_n > 0 && o->certs_n == o->keys_n;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct err err = ERR_INIT;
	int r;

	if (argc < 3 || !read_options(&o, argc, argv)) {
		(void)fprintf(
			stderr,
			"usage: tls-peer make DIR | serve OPTION... ADDRESS | get OPTION... URL\n");
		return 2;
	}
	if (strcmp(argv[1], "make") == 0)
		r = make(o.address[0], &err);
	else if (strcmp(argv[1], "serve") == 0)
		r = run_server(&o, &err);
	else
		r = run_client(&o, &err);
	if (r < 0)
		(void)fprintf(stderr, "tls-peer: %s\n", err.msg);
	return r < 0 ? 1 : 0;
}
