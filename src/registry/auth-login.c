/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords: compared on a worker (bcrypt takes its time), known again for a while by a keyed
 * digest, and refused for a while where too many were wrong: by address and name, and by address.
 */
#include "registry/auth.h"

#include "base/hash.h"
#include "crypto/aead.h"
#include "registry/private.h"

#include <stdlib.h>

#define KNOWN 256 /* right ones remembered */
#define KNOWN_TIME (300 * NS_PER_SEC)
#define WRONGS 2048
#define WRONG_PAIR 10		    /* wrong ones of one address for one name, then it waits */
#define WRONG_ADDRESS 100	    /* of one address */
#define WRONG_WAIT (1 * NS_PER_SEC) /* doubled by each further one */
#define WRONG_WAIT_MAX (60 * NS_PER_SEC)
#define WRONG_FORGET (900 * NS_PER_SEC)
#define WAITING_MAX 64

struct wrong {
	uint64_t key;
	unsigned n;
	int64_t last;
};

struct logins {
	struct registry *g;
	struct work_pool *pool;
	unsigned char secret[32]; /* of the digests */
	struct {
		unsigned char digest[DIGEST_MAX];
		int64_t until;
	} known[KNOWN];
	struct wrong wrongs[WRONGS];
};

struct login {
	struct work work;
	struct logins *l;
	struct call *c;
	login_fn *then;
	char password[PASSWORD_MAX + 1];
	size_t n;
	char hash[PASSWORD_HASH_MAX];
	bool nobody; /* no such account: the comparison only takes its time */
	uint64_t pair, address;
	unsigned char digest[DIGEST_MAX];
	int result;
};

int logins_new(struct registry *g, struct logins **ret, struct err *err)
{
	CLEANUP(logins_free) struct logins *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		abort();
	l->g = g;
	random_bytes(l->secret, sizeof(l->secret));
	r = work_pool_new(g->loop, 1, WAITING_MAX, &l->pool, err);
	if (r < 0)
		return r;
	*ret = STEAL(l);
	return 0;
}

void logins_free(struct logins *l)
{
	if (!l)
		return;
	work_pool_free(l->pool);
	secret_wipe(l, sizeof(*l));
	free(l);
}

/* ---- wrong ones ---- */

/* The network that one customer has: an IPv4 address, an IPv6 /64. */
static struct slice customer(const char *addr)
{
	const char *end = strrchr(addr, ':'), *p;
	unsigned groups = 0;

	if (addr[0] != '[')
		return slice_of(addr, end ? (size_t)(end - addr) : strlen(addr));
	for (p = addr; *p && *p != ']' && groups < 4; p++)
		groups += *p == ':';
	return slice_of(addr, (size_t)(p - addr));
}

static struct wrong *wrong_at(struct logins *l, uint64_t key)
{
	return &l->wrongs[key % WRONGS];
}

static bool must_wait(struct logins *l, uint64_t key, unsigned limit)
{
	const struct wrong *w = wrong_at(l, key);
	int64_t wait = WRONG_WAIT;

	if (w->key != key || w->n < limit)
		return false;
	for (unsigned i = limit; i < w->n && wait < WRONG_WAIT_MAX; i++)
		wait *= 2;
	return clock_mono() < w->last + MIN(wait, WRONG_WAIT_MAX);
}

static void add_wrong(struct logins *l, uint64_t key)
{
	struct wrong *w = wrong_at(l, key);
	int64_t now = clock_mono();

	if (w->key != key || now - w->last > WRONG_FORGET)
		*w = (struct wrong){ .key = key };
	w->n++;
	w->last = now;
}

/* ---- right ones ---- */

static void digest_login(const struct logins *l, const char *user, const char *hash,
			 struct slice password, unsigned char out[DIGEST_MAX])
{
	CLEANUP(secret_buf_fini) struct buf b = BUF_INIT(4096);

	if (!buf_room(&b, 4000)) /* it must not move */
		abort();
	(void)buf_add(&b, user, strlen(user) + 1);
	(void)buf_add(&b, hash, strlen(hash) + 1);
	(void)buf_add(&b, password.p, password.n);
	memset(out, 0, DIGEST_MAX);
	(void)hmac_of(DIGEST_SHA256, slice_of((const char *)l->secret, sizeof(l->secret)),
		      buf_slice(&b), out);
}

static bool is_known(const struct logins *l, const unsigned char digest[DIGEST_MAX])
{
	size_t i = digest[0] % KNOWN;

	return l->known[i].until > clock_mono() &&
	       mem_equal_ct(l->known[i].digest, digest, DIGEST_MAX);
}

static void run(struct work *w)
{
	struct login *lo = CONTAINER_OF(w, struct login, work);

	lo->result = password_verify(slice_of(lo->password, lo->n), lo->hash, NULL);
}

static void done(struct work *w)
{
	struct login *lo = CONTAINER_OF(w, struct login, work);
	struct logins *l = lo->l;
	struct call *c = lo->c;
	int result = lo->nobody || lo->result < 0 ? -ERR_FORBIDDEN : 0;

	if (result < 0) {
		add_wrong(l, lo->pair);
		add_wrong(l, lo->address);
	} else {
		size_t i = lo->digest[0] % KNOWN;

		memcpy(l->known[i].digest, lo->digest, DIGEST_MAX);
		l->known[i].until = clock_mono() + KNOWN_TIME;
		wrong_at(l, lo->pair)->n = 0;
	}
	secret_wipe(lo->password, sizeof(lo->password));
	if (!stream_is_closed(c->s))
		lo->then(c, result);
	stream_unref(c->s);
}

/* A request without a body ends while its sender is looked up: its handler is told (c->ended). */
static void on_end(struct stream *s)
{
	struct call *c = stream_arg(s);

	c->ended = true;
}

static const struct stream_events waiting = { .end = on_end };

void login_park(struct call *c)
{
	stream_on(c->s, &waiting, c);
	stream_ref(c->s);
}

void login_begin(struct logins *l, struct call *c, const char *user, struct slice password,
		 login_fn *then)
{
	const struct policy *p = auth_policy(l->g->auth);
	const struct account *acc = policy_account(p, user, clock_real() / NS_PER_SEC);
	struct slice from = customer(stream_peer(c->s)->addr);
	struct login *lo = ARENA_NEW(c->a, struct login);

	if (!lo) {
		then(c, -ERR_UNAVAILABLE);
		return;
	}
	*lo = (struct login){ .l = l, .c = c, .then = then, .nobody = !acc };
	lo->address = hash_bytes(from.p, from.n);
	lo->pair = lo->address ^ hash_bytes(user, strlen(user) + 1);
	if (must_wait(l, lo->pair, WRONG_PAIR) || must_wait(l, lo->address, WRONG_ADDRESS)) {
		then(c, -ERR_QUOTA);
		return;
	}
	if ((!acc && !p->dummy) || password.n > PASSWORD_MAX) {
		then(c, -ERR_FORBIDDEN);
		return;
	}
	(void)str_copy(lo->hash, sizeof(lo->hash), acc ? acc->hash : p->dummy);
	digest_login(l, user, lo->hash, password, lo->digest);
	if (acc && is_known(l, lo->digest)) {
		then(c, 0);
		return;
	}
	memcpy(lo->password, password.p, password.n);
	lo->n = password.n;
	login_park(c);
	if (work_submit(l->pool, &lo->work, run, done, NULL) < 0) {
		secret_wipe(lo->password, sizeof(lo->password));
		then(c, -ERR_UNAVAILABLE);
		stream_unref(c->s);
	}
}
