/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to the name servers: each attempt has a socket of its own, so the kernel gives each
 * a random port and takes datagrams from the asked server only; the id is random, and so is the
 * case of the letters. What does not match in every way is not looked at. An answer that was cut
 * off, or whose letters came back changed (a server that does not keep them, or a guess), is asked
 * for again over TCP.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "io/resolver-impl.h"
#include "io/stream-impl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define WRONG_MAX 64 /* datagrams that do not match, then TCP is asked */
#define CHAIN_MAX 16

struct query {
	struct resolver *r;
	struct list waiters;
	struct source src;
	struct timer timer;
	int fd;
	unsigned tries, server, first_server, wrong;
	bool tcp, connecting, no_edns;
	uint16_t id, type;
	size_t name_n, key_n, out_n, out_at, in_n, in_want;
	unsigned char name[DNS_NAME_MAX]; /* in random case */
	char key[DNS_NAME_MAX + 2];
	unsigned char out[2 + 512];
	unsigned char *in; /* TCP: the answer with its length */
	char last[96];	   /* what the last server did, for messages */
};

static void next_try(struct query *q);
static int on_timer(struct timer *t);

/* ---- ends ---- */

static void hang_up(struct query *q)
{
	source_fini(&q->src);
	fd_close(STEAL_FD(q->fd));
	free(STEAL(q->in));
	q->in_n = q->out_at = 0;
}

/* All who wait get the same; the query is gone. */
static void finish(struct query *q, const struct dns_msg *m, struct err *err)
{
	struct list waiters = LIST_INIT(waiters);
	struct query_wait *w;

	hang_up(q);
	timer_fini(&q->timer);
	(void)map_del(&q->r->queries, slice_of(q->key, q->key_n));
	if (!list_empty(&q->waiters)) {
		list_add_after(&q->waiters, &waiters);
		list_del(&q->waiters);
	}
	free(q);
	/* One at a time: each may cancel others. */
	while ((w = LIST_FIRST(&waiters, struct query_wait, link))) {
		struct err copy = err ? *err : ERR_INIT;

		list_del(&w->link);
		w->fn(w, m, 0, err ? &copy : NULL);
	}
}

static void fail(struct query *q, enum err_code code)
{
	char text[DNS_TEXT_MAX];
	struct err err = ERR_INIT;

	(void)err_set(&err, code, "%s %s: %s",
		      dns_name_text(slice_of((char *)q->name, q->name_n), text),
		      dns_type_name(q->type), q->last);
	finish(q, NULL, &err);
}

/* ---- answers ---- */

bool answer_is(const struct dns_rr *rr, struct slice owner, uint16_t type)
{
	return rr->type == type && rr->class_ == DNS_IN && dns_name_eq(rr->name, owner);
}

struct slice answer_owner(const struct dns_msg *m, struct slice name, uint16_t type, uint32_t *ttl)
{
	const struct dns_rr *rr = m->rr[DNS_ANSWER];
	size_t n = m->rr_n[DNS_ANSWER];

	for (unsigned hops = 0; hops <= CHAIN_MAX; hops++) {
		const struct dns_rr *next = NULL;

		for (size_t i = 0; i < n && type != DNS_CNAME && !next; i++)
			if (answer_is(&rr[i], name, DNS_CNAME))
				next = &rr[i];
		if (!next) {
			for (size_t i = 0; i < n; i++)
				if (answer_is(&rr[i], name, type))
					*ttl = MIN(*ttl, rr[i].ttl);
			return name;
		}
		*ttl = MIN(*ttl, next->ttl);
		name = next->host;
	}
	return (struct slice){ NULL, 0 };
}

/* How long it may be kept. RFC 2308: a negative answer as long as its SOA says, without one not at
 * all. */
static int64_t keep_for(const struct query *q, const struct dns_msg *m)
{
	struct slice name = slice_of((const char *)q->name, q->name_n);
	uint32_t ttl = INT32_MAX, soa = 0;
	struct slice owner = answer_owner(m, name, q->type, &ttl);
	bool found = false;

	for (size_t i = 0; owner.p && i < m->rr_n[DNS_ANSWER]; i++)
		found |= answer_is(&m->rr[DNS_ANSWER][i], owner, q->type);
	if (found)
		return MIN((int64_t)ttl * NS_PER_SEC, q->r->conf.ttl_max);
	for (size_t i = 0; i < m->rr_n[DNS_AUTHORITY]; i++) {
		const struct dns_rr *rr = &m->rr[DNS_AUTHORITY][i];

		if (rr->type == DNS_SOA)
			soa = MIN(rr->ttl, rr->soa.minimum);
	}
	return MIN((int64_t)MIN(soa, ttl) * NS_PER_SEC, q->r->conf.negative_max);
}

static bool is_lame(const struct dns_msg *m)
{
	return m->rcode == DNS_NOERROR && m->rr_n[DNS_ANSWER] == 0 &&
	       !(m->flags & (DNS_AA | DNS_RA)) && m->rr_n[DNS_ADDITIONAL] == 0 &&
	       (m->rr_n[DNS_AUTHORITY] == 0 || m->rr[DNS_AUTHORITY][0].type == DNS_NS);
}

enum verdict { IGNORE, AGAIN_TCP, NEXT_SERVER, SAME_SERVER, GOOD };

/* Is it the answer to what was asked? */
static enum verdict judge(struct query *q, const struct dns_msg *m)
{
	struct slice name = slice_of((const char *)q->name, q->name_n);

	if (m->id != q->id || !(m->flags & DNS_QR) || (m->flags & DNS_OPCODE))
		return IGNORE;
	/* Servers that cannot read EDNS0 may leave the question out. */
	if (m->rcode == DNS_FORMERR && q->r->resolv.edns0 && !q->no_edns) {
		q->no_edns = true;
		return SAME_SERVER;
	}
	if (m->questions_n != 1 || m->questions[0].type != q->type ||
	    m->questions[0].class_ != DNS_IN || !dns_name_eq(m->questions[0].name, name))
		return IGNORE;
	if (!slice_eq(m->questions[0].name, name) && !q->tcp)
		return AGAIN_TCP;
	if ((m->flags & DNS_TC) && !q->tcp)
		return AGAIN_TCP;
	if ((m->rcode != DNS_NOERROR && m->rcode != DNS_NXDOMAIN) || is_lame(m)) {
		(void)snprintf(q->last, sizeof(q->last), "the server answered %s",
			       is_lame(m) ? "that it does not know" : dns_rcode_name(m->rcode));
		return NEXT_SERVER;
	}
	return GOOD;
}

static void send_again(struct query *q, bool tcp);

static void take_answer(struct query *q, struct slice bytes)
{
	CLEANUP(arena_free) struct arena *a = arena_new("DNS answer", RESOLVER_ARENA);
	struct err err = ERR_INIT;
	struct resolver *r = q->r;
	struct dns_msg m;
	enum verdict v = IGNORE;

	if (dns_parse(a, bytes, &m, &err) == 0)
		v = judge(q, &m);
	switch (v) {
	case IGNORE:
		r->stats.spoofed++;
		(void)snprintf(q->last, sizeof(q->last),
			       "an answer that does not fit the question");
		if (q->tcp)
			next_try(q);
		else if (++q->wrong > WRONG_MAX)
			send_again(q, true);
		return;
	case AGAIN_TCP: send_again(q, true); return;
	case SAME_SERVER: send_again(q, q->tcp); return;
	case NEXT_SERVER: next_try(q); return;
	default: break;
	}
	r->stats.answers++;
	resolver_cache_put(r, slice_of(q->key, q->key_n), bytes, keep_for(q, &m));
	finish(q, &m, NULL);
}

/* ---- UDP ---- */

static int on_udp(struct source *s, uint32_t events)
{
	struct query *q = CONTAINER_OF(s, struct query, src);
	unsigned char buf[4096];
	ssize_t n;

	(void)events;
	n = recv(q->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n >= 0) {
		take_answer(q, slice_of((char *)buf, (size_t)n));
	} else if (errno != EAGAIN && errno != EINTR) {
		(void)snprintf(q->last, sizeof(q->last), "%s", err_strerror(errno));
		next_try(q);
	}
	return 0;
}

/* ---- TCP ---- */

static int tcp_write(struct query *q)
{
	ssize_t n = send(q->fd, q->out + q->out_at, q->out_n - q->out_at, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	q->out_at += (size_t)n;
	if (q->out_at == q->out_n && source_set(&q->src, EPOLLIN) < 0)
		return -1;
	return 0;
}

/* 1 = the answer is whole. */
static int tcp_read(struct query *q)
{
	ssize_t n;

	if (!q->in) {
		q->in = io_alloc(2 + DNS_MESSAGE_MAX);
		q->in_want = 2;
	}
	n = recv(q->fd, q->in + q->in_n, q->in_want - q->in_n, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0)
		return -1;
	q->in_n += (size_t)n;
	if (q->in_n == 2)
		q->in_want = 2u + (unsigned)(q->in[0] << 8 | q->in[1]);
	return q->in_n == q->in_want;
}

static int on_tcp(struct source *s, uint32_t events)
{
	struct query *q = CONTAINER_OF(s, struct query, src);
	int r = 0, soerr = 0;
	socklen_t n = sizeof(soerr);

	if (q->connecting) {
		if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &soerr, &n) < 0 || soerr) {
			errno = soerr ? soerr : errno;
			r = -1;
		}
		q->connecting = false;
	}
	if (r == 0 && q->out_at < q->out_n)
		r = tcp_write(q);
	else if (r == 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		r = tcp_read(q);
	if (r < 0) {
		(void)snprintf(q->last, sizeof(q->last), "TCP: %s", err_strerror(errno));
		next_try(q);
	} else if (r == 1) {
		unsigned char *bytes = STEAL(q->in);

		take_answer(q, slice_of((char *)bytes + 2, q->in_n - 2));
		free(bytes);
	}
	return 0;
}

/* ---- sending ---- */

static void write_question(struct query *q)
{
	const struct resolv_conf *c = &q->r->resolv;
	struct dns_build b;

	q->id = (uint16_t)random_u64();
	dns_build_init(&b, q->out + 2, sizeof(q->out) - 2, q->id,
		       DNS_RD | (c->trust_ad ? DNS_AD : 0));
	(void)dns_build_question(&b, slice_of((char *)q->name, q->name_n), q->type, DNS_IN);
	if (c->edns0 && !q->no_edns)
		(void)dns_build_opt(&b, DNS_UDP_MAX, 0, false);
	q->out[0] = (unsigned char)(b.n >> 8);
	q->out[1] = (unsigned char)b.n;
	q->out_n = b.n + 2; /* a name of 255 bytes leaves room: both fit */
}

static int open_socket(struct query *q)
{
	const struct sockaddr *sa = (const struct sockaddr *)&q->r->resolv.servers[q->server];
	socklen_t n =
		sa->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int kind = q->tcp ? SOCK_STREAM : SOCK_DGRAM;

	q->fd = socket(sa->sa_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->fd < 0)
		return -1;
	q->connecting = q->tcp;
	if (connect(q->fd, sa, n) < 0 && errno != EINPROGRESS)
		return -1;
	if (!q->tcp && send(q->fd, q->out + 2, q->out_n - 2, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		return -1;
	return source_init(&q->src, q->r->loop, q->fd, q->tcp ? EPOLLOUT : EPOLLIN,
			   q->tcp ? on_tcp : on_udp, NULL);
}

/* To the same server; a failure is seen by the timer at once. */
static void send_again(struct query *q, bool tcp)
{
	const struct resolver *r = q->r;
	int64_t timeout = r->conf.timeout ? r->conf.timeout : r->resolv.timeout;

	hang_up(q);
	q->tcp = tcp;
	q->wrong = 0;
	q->server = MIN(q->server, r->resolv.servers_n - 1); /* the file may have changed */
	write_question(q);
	if (tcp)
		q->r->stats.sent_tcp++;
	else
		q->r->stats.sent_udp++;
	if (open_socket(q) < 0) {
		(void)snprintf(q->last, sizeof(q->last), "%s", err_strerror(errno));
		timeout = 0;
	}
	timer_set_after(&q->timer, timeout);
}

static int on_timer(struct timer *t)
{
	struct query *q = CONTAINER_OF(t, struct query, timer);

	if (source_active(&q->src)) {
		(void)snprintf(q->last, sizeof(q->last), "no answer in time");
		q->r->stats.timeouts++;
	}
	next_try(q);
	return 0;
}

/* All servers in turn, as often as `attempts` says. */
static void next_try(struct query *q)
{
	const struct resolv_conf *c = &q->r->resolv;

	if (++q->tries >= c->servers_n * c->attempts) {
		fail(q, strcmp(q->last, "no answer in time") == 0 ? ERR_TIMEOUT : ERR_UNAVAILABLE);
		return;
	}
	q->server = (q->first_server + q->tries) % c->servers_n;
	send_again(q, c->use_vc);
}

/* ---- questions ---- */

static void mix_case(unsigned char *name, size_t n)
{
	uint64_t bits[4];

	random_bytes(bits, sizeof(bits));
	for (size_t i = 0; i < n; i++)
		if (((name[i] | 32) >= 'a' && (name[i] | 32) <= 'z') && name[i] > 63)
			name[i] = (unsigned char)((name[i] | 32) ^
						  ((bits[i / 64 % 4] >> i % 64 & 1) << 5));
}

static int from_cache(struct resolver *r, const struct cache_entry *e, struct query_wait *w,
		      struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("DNS answer", RESOLVER_ARENA);
	struct dns_msg m;
	int rc = dns_parse(a, slice_of(e->bytes, e->n), &m, err);

	if (rc < 0)
		return rc;
	r->stats.cache_hits++;
	w->fn(w, &m, loop_now(r->loop) - e->born, NULL);
	return 0;
}

int query_start(struct resolver *r, struct slice name, uint16_t type, struct query_wait *w,
		struct err *err)
{
	char room[DNS_NAME_MAX + 2];
	struct slice key = cache_key(name, type, room);
	const struct cache_entry *e = resolver_cache_get(r, key);
	struct query *q;

	list_init(&w->link);
	if (e)
		return from_cache(r, e, w, err);
	q = map_get(&r->queries, key);
	if (q) {
		r->stats.joined++;
		list_append(&q->waiters, &w->link);
		return 0;
	}
	if (map_count(&r->queries) >= r->conf.running_max)
		return err_set(err, ERR_QUOTA, "more than %zu DNS questions at the same time",
			       r->conf.running_max);
	q = io_alloc(sizeof(*q));
	q->r = r;
	q->fd = -1;
	q->src = SOURCE_INIT;
	q->type = type;
	q->name_n = name.n;
	memcpy(q->name, name.p, name.n);
	mix_case(q->name, q->name_n);
	q->key_n = key.n;
	memcpy(q->key, key.p, key.n);
	list_init(&q->waiters);
	list_append(&q->waiters, &w->link);
	timer_init(&q->timer, r->loop, on_timer);
	(void)map_put(&r->queries, slice_of(q->key, q->key_n), q);
	q->first_server = r->resolv.rotate ? r->next_server++ : 0;
	q->server = q->first_server % r->resolv.servers_n;
	send_again(q, r->resolv.use_vc);
	return 0;
}

/* The question goes on: its answer is kept for the next one. */
void query_cancel(struct query_wait *w)
{
	if (w->link.next)
		list_del(&w->link);
}

void query_free_all(struct resolver *r)
{
	struct query *q;

	for (size_t i = 0; (q = map_next(&r->queries, &i, NULL));) {
		while (!list_empty(&q->waiters))
			list_del(q->waiters.next);
		hang_up(q);
		timer_fini(&q->timer);
		free(q);
	}
}
