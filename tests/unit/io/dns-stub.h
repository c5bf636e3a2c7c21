/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name server for tests, on the loop of the test, in a network namespace of its own. What it does
 * is told by the first label of the name it is asked for; `log` counts what came.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/dns.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* A network namespace with nothing but loopback. Exits with 77 where that is not allowed. */
static inline void own_network(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		printf("1..0 # skip: needs the right to make a network namespace\n");
		exit(77);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		abort();
	fd_close(fd);
}

struct stub {
	struct loop *loop;
	struct source udp, tcp;
	int udp_fd, tcp_fd;
	struct sockaddr_in from;
	unsigned asked, asked_tcp, a, aaaa, edns;
	unsigned drop;	    /* datagrams that are lost first */
	bool dead, v6_slow; /* answers nothing; holds AAAA back until stub_release */
	unsigned char held[2048];
	size_t held_n;
	struct sockaddr_in held_to;
	char last[DNS_TEXT_MAX];
};

static inline struct slice stub_name(const char *text, unsigned char *room)
{
	struct slice ret;

	if (dns_name_parse(slice_str(text), room, &ret, NULL) < 0)
		abort();
	return ret;
}

static inline bool stub_is(const struct dns_question *q, const char *label)
{
	return q->name.n > strlen(label) && (unsigned char)q->name.p[0] == strlen(label) &&
	       slice_ieq(slice_of(q->name.p + 1, strlen(label)), slice_str(label));
}

static inline void stub_addrs(struct dns_build *b, struct slice name, uint16_t type, unsigned n)
{
	static const unsigned char v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	unsigned char v4[4] = { 192, 0, 2, 1 };
	struct dns_rr rr = { .name = name, .type = type, .class_ = DNS_IN, .ttl = 60 };

	for (unsigned i = 0; i < n; i++) {
		v4[3] = (unsigned char)(i + 1);
		rr.data = type == DNS_A ? slice_of((char *)v4, 4) : slice_of((const char *)v6, 16);
		(void)dns_build_rr(b, DNS_ANSWER, &rr);
	}
}

static inline void stub_soa(struct dns_build *b, uint32_t minimum)
{
	unsigned char zone[DNS_NAME_MAX], host[DNS_NAME_MAX];
	struct dns_rr rr = { .name = stub_name("test", zone),
			     .type = DNS_SOA,
			     .class_ = DNS_IN,
			     .ttl = 60,
			     .host = stub_name("ns.test", host) };

	rr.soa.mailbox = rr.host;
	rr.soa.minimum = minimum;
	(void)dns_build_rr(b, DNS_AUTHORITY, &rr);
}

static inline void stub_cname(struct dns_build *b, struct slice name, const char *to)
{
	unsigned char room[DNS_NAME_MAX];
	struct dns_rr rr = { .name = name,
			     .type = DNS_CNAME,
			     .class_ = DNS_IN,
			     .ttl = 30,
			     .host = stub_name(to, room) };

	(void)dns_build_rr(b, DNS_ANSWER, &rr);
}

static inline void stub_srv(struct dns_build *b, struct slice name)
{
	unsigned char room[DNS_NAME_MAX];
	struct dns_rr rr = { .name = name,
			     .type = DNS_SRV,
			     .class_ = DNS_IN,
			     .ttl = 30,
			     .priority = 1,
			     .weight = 2,
			     .port = 443,
			     .host = stub_name("ok.test", room) };

	(void)dns_build_rr(b, DNS_ANSWER, &rr);
}

/* The answer's sections; false: none is sent. */
static inline bool stub_fill(struct dns_build *b, const struct dns_question *q, bool tcp)
{
	bool addr = q->type == DNS_A || q->type == DNS_AAAA;
	unsigned char room[DNS_NAME_MAX];

	if (stub_is(q, "silent"))
		return false;
	if (stub_is(q, "servfail") || stub_is(q, "lame"))
		b->p[3] |= stub_is(q, "lame") ? 0 : DNS_SERVFAIL;
	else if (stub_is(q, "none"))
		b->p[3] |= DNS_NXDOMAIN;
	else if (stub_is(q, "_srv") && q->type == DNS_SRV)
		stub_srv(b, q->name);
	else if (stub_is(q, "alias") && addr) {
		stub_cname(b, q->name, "Second.test");
		stub_cname(b, stub_name("second.test", room), "ok.test");
		stub_addrs(b, stub_name("ok.test", room), q->type, 1);
	} else if (stub_is(q, "circle")) {
		stub_cname(b, q->name, "other.test");
		stub_cname(b, stub_name("other.test", room), "circle.test");
	} else if (stub_is(q, "big") && addr && !tcp)
		b->p[2] |= DNS_TC >> 8;
	else if (addr && !(q->type == DNS_AAAA && stub_is(q, "v4only")))
		stub_addrs(b, q->name, q->type, stub_is(q, "big") ? 60 : 1);
	if (b->counts[1] == 0 && !stub_is(q, "lame"))
		stub_soa(b, stub_is(q, "brief") ? 0 : 60);
	return true;
}

static inline size_t stub_answer(struct stub *s, struct slice in, unsigned char *out, size_t max,
				 bool tcp)
{
	CLEANUP(arena_free) struct arena *a = arena_new("stub", 1 << 20);
	struct err err = ERR_INIT;
	struct dns_build b;
	struct dns_msg m;
	uint16_t flags;

	if (dns_parse(a, in, &m, &err) < 0)
		abort();
	s->asked++;
	s->asked_tcp += tcp;
	s->a += m.questions[0].type == DNS_A;
	s->aaaa += m.questions[0].type == DNS_AAAA;
	s->edns += m.edns;
	(void)dns_name_text(m.questions[0].name, s->last);
	if (s->dead || (!tcp && s->drop && s->drop--))
		return 0;
	flags = (uint16_t)(DNS_QR | DNS_RD | (stub_is(&m.questions[0], "lame") ? 0 : DNS_RA));
	dns_build_init(&b, out, max, m.id, flags);
	if (m.edns && stub_is(&m.questions[0], "old")) {
		b.p[3] |= DNS_FORMERR;
		return b.n;
	}
	if (stub_is(&m.questions[0], "lower") && !tcp)
		for (size_t i = 0; i < m.questions[0].name.n; i++)
			((char *)m.questions[0].name.p)[i] |=
				m.questions[0].name.p[i] > 63 ? 32 : 0;
	(void)dns_build_question(&b, m.questions[0].name, m.questions[0].type, DNS_IN);
	return stub_fill(&b, &m.questions[0], tcp) ? b.n : 0;
}

/* Answers that look right but for one thing, before the right one. */
static inline void stub_spoof(struct stub *s, const unsigned char *good, size_t n)
{
	unsigned char bad[2048];

	for (int i = 0; i < 4; i++) {
		memcpy(bad, good, n);
		if (i == 0)
			bad[0] ^= 1; /* id */
		if (i == 1)
			bad[13] = (unsigned char)(bad[13] + 1); /* name */
		if (i == 2)
			bad[2] &= 0x7f; /* a question */
		if (i == 3)
			bad[n - 1] ^= 0xff, bad[7] = 99; /* no message at all */
		(void)sendto(s->udp_fd, bad, n, 0, (struct sockaddr *)&s->from, sizeof(s->from));
	}
}

static inline int stub_on_udp(struct source *src, uint32_t events)
{
	struct stub *s = CONTAINER_OF(src, struct stub, udp);
	unsigned char in[2048], out[2048];
	socklen_t len = sizeof(s->from);
	ssize_t n = recvfrom(s->udp_fd, in, sizeof(in), 0, (struct sockaddr *)&s->from, &len);
	size_t m;

	(void)events;
	if (n < 12)
		return 0;
	m = stub_answer(s, slice_of((char *)in, (size_t)n), out, 512, false);
	if (s->v6_slow && m && out[m - 1] && strncasecmp(s->last, "slow6", 5) == 0 &&
	    s->aaaa > s->a) {
		memcpy(s->held, out, m);
		s->held_n = m;
		s->held_to = s->from;
		return 0;
	}
	if (m && strncasecmp(s->last, "spoof", 5) == 0)
		stub_spoof(s, out, m);
	if (m)
		(void)sendto(s->udp_fd, out, m, 0, (struct sockaddr *)&s->from, len);
	return 0;
}

/* One question per connection; loopback delivers it whole. */
struct stub_conn {
	struct source src;
	struct stub *s;
};

static inline int stub_on_question(struct source *src, uint32_t events)
{
	struct stub_conn *c = CONTAINER_OF(src, struct stub_conn, src);
	unsigned char in[2048], out[8192];
	ssize_t n = recv(src->fd, in, sizeof(in), 0);
	int fd = src->fd;
	size_t m = 0;

	(void)events;
	source_fini(src);
	if (n > 2)
		m = stub_answer(c->s, slice_of((char *)in + 2, (size_t)n - 2), out + 2,
				sizeof(out) - 2, true);
	out[0] = (unsigned char)(m >> 8);
	out[1] = (unsigned char)m;
	if (m) {
		/* in pieces */
		(void)send(fd, out, 1, MSG_NOSIGNAL);
		(void)send(fd, out + 1, m + 1, MSG_NOSIGNAL);
	}
	fd_close(fd);
	free(c);
	return 0;
}

static inline int stub_on_tcp(struct source *src, uint32_t events)
{
	struct stub *s = CONTAINER_OF(src, struct stub, tcp);
	int fd = accept4(s->tcp_fd, NULL, NULL, SOCK_CLOEXEC);
	struct stub_conn *c = calloc(1, sizeof(*c));

	(void)events;
	if (fd < 0 || !c || source_init(&c->src, s->loop, fd, EPOLLIN, stub_on_question, NULL) < 0)
		abort();
	c->s = s;
	return 0;
}

static inline void stub_start(struct stub *s, struct loop *l, uint32_t addr)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(53),
				   .sin_addr.s_addr = htonl(addr) };
	int on = 1;

	*s = (struct stub){ .loop = l };
	s->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	s->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (setsockopt(s->tcp_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(s->udp_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    bind(s->tcp_fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
	    listen(s->tcp_fd, 16) < 0 ||
	    source_init(&s->udp, l, s->udp_fd, EPOLLIN, stub_on_udp, NULL) < 0 ||
	    source_init(&s->tcp, l, s->tcp_fd, EPOLLIN, stub_on_tcp, NULL) < 0)
		abort();
}

static inline void stub_release(struct stub *s)
{
	(void)sendto(s->udp_fd, s->held, s->held_n, 0, (struct sockaddr *)&s->held_to,
		     sizeof(s->held_to));
	s->held_n = 0;
}

static inline void stub_stop(struct stub *s)
{
	source_fini(&s->udp);
	source_fini(&s->tcp);
	fd_close(s->udp_fd);
	fd_close(s->tcp_fd);
}
