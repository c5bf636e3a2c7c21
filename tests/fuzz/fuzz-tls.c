/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS connections from foreign bytes: an error with words or progress, never more.
 *
 * The first byte chooses: whose side (bit 0: client), its version (bit 1: 1.2), and what the bytes
 * are: raw ones instead of a handshake (bit 2), or steps after a real one. A step is a byte of what
 * to do, a length and bytes: a record that the peer seals rightly, of any type and content; one
 * that is damaged; raw bytes; a key update; something that we say. What was sealed rightly as data
 * must arrive as it is.
 */
#include "base/err.h"
#include "crypto/key.h"
#include "crypto/tls-priv.h"
#include "crypto/x509.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#define PENDING_MAX (1u << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct tls *t;
	struct buf wire;
	size_t got;
	unsigned char last;
};

struct fuzz {
	const uint8_t *p;
	size_t n, chunk;
	struct side us, peer;
	struct record_dir forge; /* what the peer seals, where we have our own records */
	bool forging;
	struct err err;
};

static struct tls_conf *confs[2][2]; /* server, version 1.2 */

static char *room(void *arg, size_t n)
{
	struct side *s = arg;
	char *p = buf_room(&s->wire, n);

	assert(p);
	return p + s->wire.n;
}

static void wrote(void *arg, size_t n)
{
	struct side *s = arg;

	s->wire.n += n;
}

static void make_confs(void)
{
	struct cert_spec spec = { .names.cn = "a.example",
				  .not_before = time(NULL) - 86400,
				  .not_after = time(NULL) + 864000,
				  .ca = true,
				  .path_len = -1 };
	struct tls_identity id = { .chain_n = 1 };
	struct cert *cert;
	struct err err = ERR_INIT;

	if (key_generate(KEY_P256, 0, &id.key, &err) < 0 ||
	    cert_make(&spec, id.key, NULL, id.key, &cert, &err) < 0)
		abort();
	id.chain = &cert;
	for (int server = 0; server < 2; server++) {
		for (int old = 0; old < 2; old++) {
			struct tls_options opt = { .server = server,
						   .insecure = !server,
						   .ids = &id,
						   .ids_n = (size_t)server,
						   .max = old ? TLS_1_2 : TLS_1_3 };

			if (tls_conf_new(&opt, &confs[server][old], &err) < 0)
				abort();
		}
	}
	cert_unref(cert);
	key_unref(id.key);
}

static void start(struct side *s, struct tls_conf *conf)
{
	struct tls_sink sink = { room, wrote, s };
	struct err err = ERR_INIT;

	s->wire = BUF_INIT(PENDING_MAX);
	if (tls_new(conf, NULL, 443, &sink, &s->t, &err) < 0 || tls_start(s->t, &err) < 0)
		abort();
}

/* Gives s those bytes; false when it broke. */
static bool feed(struct fuzz *f, struct side *s, struct buf *from)
{
	static char plain[2 * TLS_RECORD_MAX];
	struct tls_input in = { from->p, from->n };
	ssize_t r;

	do {
		size_t before = in.n;

		r = tls_read(s->t, &in, plain, sizeof(plain), &f->err);
		assert(in.n <= before && r <= (ssize_t)sizeof(plain));
		if (r > 0) {
			s->got += (size_t)r;
			s->last = (unsigned char)plain[r - 1];
		}
	} while (r > 0);
	if (r < 0) {
		struct err again = ERR_INIT;

		assert(f->err.msg[0]);
		assert(tls_read(s->t, &in, plain, sizeof(plain), &again) == r); /* told again */
		from->n = 0;
		return false;
	}
	if (in.n > 0)
		memmove(from->p, in.p, in.n);
	from->n = in.n;
	return true;
}

static void handshake(struct fuzz *f)
{
	for (int i = 0; i < 6; i++) {
		assert(feed(f, &f->us, &f->peer.wire));
		assert(feed(f, &f->peer, &f->us.wire));
	}
	assert(tls_ready(f->us.t) && tls_ready(f->peer.t));
	f->forging = f->us.t->state == TLS_RECORDS;
	if (!f->forging)
		return;
	assert(record_init(&f->forge, f->us.t->rx.suite, f->us.t->rx.secret, true, &f->err) == 0);
	f->forge.seq = f->us.t->rx.seq;
}

static struct slice take(struct fuzz *f, size_t n)
{
	struct slice s;

	n = MIN(n, f->n);
	s = slice_of((const char *)f->p, n);
	f->p += n;
	f->n -= n;
	return s;
}

static unsigned take_byte(struct fuzz *f)
{
	struct slice s = take(f, 1);

	return s.n ? (unsigned char)s.p[0] : 0;
}

/* A record of the peer; OpenSSL's connections say only data. */
static void seal(struct fuzz *f, uint8_t type, struct slice text)
{
	if (f->forging) {
		char *out = room(&f->peer, text.n + RECORD_OVERHEAD);

		wrote(&f->peer, record_seal(&f->forge, type, &text, text.n, out));
	} else {
		(void)tls_write(f->peer.t, &text, 1, NULL);
	}
}

static void new_keys(struct fuzz *f, uint8_t ask)
{
	char update[5] = { SSL3_MT_KEY_UPDATE, 0, 0, 1, (char)ask };

	if (f->forging) {
		seal(f, RECORD_HANDSHAKE, slice_of(update, sizeof(update)));
		assert(record_update(&f->forge, &f->err) == 0);
	} else if (f->peer.t->state == TLS_OPENSSL) {
		(void)SSL_key_update(f->peer.t->ssl,
				     ask ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
	}
}

/* False: nothing more to do. */
static bool step(struct fuzz *f)
{
	unsigned what = take_byte(f), n = take_byte(f);
	struct slice text = take(f, what & 0x80 ? n * 64u : n);
	size_t before = f->us.got, kept = f->peer.wire.n;
	bool honest = false, ok;

	switch (what & 7) {
	case 0:
	case 1:
		honest = kept == 0 && text.n > 0 && f->us.t->hs_n == 0;
		seal(f, RECORD_DATA, text);
		break;
	case 2: seal(f, (uint8_t)(RECORD_CCS + (what >> 3 & 3)), text); break;
	case 3: seal(f, (uint8_t)n, text); break;
	case 4: new_keys(f, (what >> 3 & 1)); break;
	case 5: (void)buf_add(&f->peer.wire, text.p, text.n); break;
	case 6:
		seal(f, RECORD_DATA, text);
		if (f->peer.wire.n > kept)
			f->peer.wire.p[kept + n % (f->peer.wire.n - kept)] ^=
				(char)(1 << (what >> 4 & 7));
		break;
	default:
		(void)tls_write(f->us.t, &text, 1, NULL);
		if (what & 8)
			tls_close(f->us.t);
	}
	honest = honest && !tls_peer_ended(f->us.t) && tls_ready(f->us.t);
	ok = feed(f, &f->us, &f->peer.wire);
	if (honest && ok && f->forging)
		assert(f->us.got == before + text.n &&
		       f->us.last == (unsigned char)text.p[text.n - 1]);
	f->us.wire.n = MIN(f->us.wire.n, (size_t)4096); /* nobody reads it here */
	return ok && f->n > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { .p = data, .n = size, .err = ERR_INIT };
	unsigned how = take_byte(&f);
	bool server = !(how & 1);

	if (!confs[0][0])
		make_confs();
	start(&f.us, confs[server][how >> 1 & 1]);
	if (how & 4) {
		CLEANUP(buf_fini) struct buf raw = BUF_INIT(PENDING_MAX);
		size_t chunk = how >> 3 ? how >> 3 : f.n;
		bool ok = true;

		while (f.n > 0 && ok && raw.n + chunk < PENDING_MAX) {
			struct slice piece = take(&f, chunk);

			(void)buf_add(&raw, piece.p, piece.n);
			ok = feed(&f, &f.us, &raw);
		}
		assert(!tls_ready(f.us.t)); /* nobody knows the keys */
	} else {
		start(&f.peer, confs[!server][how >> 1 & 1]);
		handshake(&f);
		f.us.got = 0;
		while (step(&f))
			;
		tls_close(f.us.t);
	}
	record_fini(&f.forge);
	tls_free(f.us.t);
	tls_free(f.peer.t);
	buf_fini(&f.us.wire);
	buf_fini(&f.peer.wire);
	return 0;
}
