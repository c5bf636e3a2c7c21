/* SPDX-License-Identifier: Apache-2.0 */
/* Connections in memory: a client and a server that exchange bytes through two buffers. */
#pragma once

#include "crypto-test.h"
#include "crypto/tls-priv.h"

#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct tls *t;
	struct buf wire; /* what it sent and the other has not read */
	struct buf got;	 /* plaintext */
	struct err err;
	int r;
};

struct env {
	struct signer ca, leaf, user;
	struct cert_pool *trust;
	struct side client, server;
	size_t chunk; /* bytes given at once; 0 = all */
};

static inline char *room(void *arg, size_t n)
{
	struct side *s = arg;

	return buf_room(&s->wire, n) + s->wire.n;
}

static inline void wrote(void *arg, size_t n)
{
	struct side *s = arg;

	s->wire.n += n;
}

static inline int set_up(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	e->ca = make_ca("test CA", NULL);
	e->leaf = make_leaf("server", LIST("a.example", "*.wild.example"), &e->ca);
	e->user = make_leaf("alice", (struct cert_list){ 0 }, &e->ca);
	e->trust = pool_of(&e->ca);
	*state = e;
	return 0;
}

static inline void hang_up(struct env *e)
{
	struct side *both[] = { &e->client, &e->server };

	for (int i = 0; i < 2; i++) {
		tls_free(both[i]->t);
		buf_fini(&both[i]->wire);
		buf_fini(&both[i]->got);
		*both[i] = (struct side){ 0 };
	}
}

static inline int tear_down(void **state)
{
	struct env *e = *state;

	hang_up(e);
	signer_fini(&e->ca);
	signer_fini(&e->leaf);
	signer_fini(&e->user);
	cert_pool_unref(e->trust);
	free(e);
	return 0;
}

static inline struct tls_conf *must_conf(const struct tls_options *opt)
{
	struct tls_conf *c = NULL;
	struct err err = ERR_INIT;

	if (tls_conf_new(opt, &c, &err) < 0)
		fail_msg("%s", err.msg);
	return c;
}

static inline struct tls_identity identity(struct signer *s)
{
	return (struct tls_identity){ .chain = &s->cert, .chain_n = 1, .key = s->key };
}

static inline struct tls_conf *server_conf(struct env *e, struct tls_options opt)
{
	struct tls_identity id = identity(&e->leaf);

	opt.server = true;
	if (!opt.ids) {
		opt.ids = &id;
		opt.ids_n = 1;
	}
	return must_conf(&opt);
}

static inline struct tls_conf *client_conf(struct env *e, struct tls_options opt)
{
	if (!opt.trust && !opt.insecure)
		opt.trust = e->trust;
	return must_conf(&opt);
}

static inline void start_side(struct side *s, struct tls_conf *conf, const char *name)
{
	struct tls_sink sink = { room, wrote, s };
	struct err err = ERR_INIT;

	s->wire = BUF_INIT(64u << 20);
	s->got = BUF_INIT(64u << 20);
	if (tls_new(conf, name, 443, &sink, &s->t, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Gives `to` what `from` sent. True if there was something. */
static inline bool deliver(struct side *from, struct side *to, size_t chunk)
{
	static char dst[TLS_RECORD_MAX * 2];
	struct buf bytes = from->wire;
	size_t off = 0, end = 0;
	bool any = bytes.n > 0;
	struct tls_input in;

	from->wire = BUF_INIT(64u << 20);
	while (any && end < bytes.n && to->r >= 0) {
		end = chunk ? MIN(end + chunk, bytes.n) : bytes.n;
		do {
			in = (struct tls_input){ bytes.p + off, end - off };
			to->r = (int)tls_read(to->t, &in, dst, sizeof(dst), &to->err);
			off = (size_t)(in.p - bytes.p);
			if (to->r > 0)
				(void)buf_add(&to->got, dst, (size_t)to->r);
		} while (to->r > 0);
	}
	buf_fini(&bytes);
	return any;
}

static inline void pump(struct env *e)
{
	bool there, back;

	do {
		there = deliver(&e->client, &e->server, e->chunk);
		back = deliver(&e->server, &e->client, e->chunk);
	} while (there || back);
}

static inline void start(struct env *e, struct tls_conf *server, struct tls_conf *client,
			 const char *name)
{
	hang_up(e);
	start_side(&e->server, server, NULL);
	start_side(&e->client, client, name);
	assert_int_equal(tls_start(e->client.t, &e->client.err), 0);
	pump(e);
}

/* A connection by these two, both let go. */
static inline void connect_by(struct env *e, struct tls_options server, struct tls_options client)
{
	struct tls_conf *s = server_conf(e, server), *c = client_conf(e, client);

	start(e, s, c, "a.example");
	tls_conf_unref(s);
	tls_conf_unref(c);
}

static inline void say(struct side *s, const char *text)
{
	struct slice v = slice_str(text);
	struct err err = ERR_INIT;

	if (tls_write(s->t, &v, 1, &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void assert_talks(struct env *e)
{
	if (!tls_ready(e->client.t) || !tls_ready(e->server.t))
		fail_msg("client: %s; server: %s", e->client.err.msg, e->server.err.msg);
	buf_clear(&e->client.got);
	buf_clear(&e->server.got);
	say(&e->client, "question");
	say(&e->server, "answer");
	pump(e);
	assert_string_equal(buf_str(&e->server.got), "question");
	assert_string_equal(buf_str(&e->client.got), "answer");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
