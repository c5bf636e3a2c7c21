/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lookups: a name to addresses by way of numeric forms, localhost, the hosts file and DNS with the
 * search list; and single questions for records of any type.
 *
 * A lookup tries one candidate name after the other. Both families of a candidate are asked at the
 * same time; the first candidate with an address of any family is the one. What is known at once is
 * told by a deferred call, so nothing is ever told inside resolver_lookup. A callback may cancel
 * its own lookup: `alive` on the stack tells.
 */
#include "io/resolver.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "io/resolver-impl.h"
#include "io/stream-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define FILE_MAX (1u << 20)
#define CHECK_EVERY NS_PER_SEC

enum side_state { SIDE_OFF, SIDE_ASKED, SIDE_FOUND, SIDE_EMPTY, SIDE_FAILED, SIDE_TOLD };

/* One family of the candidate at hand. */
struct side {
	struct query_wait wait;
	struct resolve *q;
	int family;
	enum side_state state;
	struct ip_addr *addrs;
	size_t n;
	struct err err;
	char *found; /* the name that has them */
};

struct resolve {
	struct resolver *r;
	struct list link;
	struct deferred start;
	resolve_fn *fn;
	resolve_rr_fn *rr_fn; /* a question for records: side[0] carries it */
	void *arg;
	bool *alive;
	uint16_t type;
	struct side side[2]; /* IPv6 first */
	struct slice name;   /* as asked, without a last dot */
	bool rooted;
	struct err trouble;	   /* of a candidate whose servers refused */
	unsigned next, candidates; /* search: which comes next, how many there are */
	char text[];
};

/* ---- files ---- */

static bool stamp_of(const char *path, struct file_stamp *ret)
{
	struct stat st;
	struct file_stamp s = { 0 };

	if (stat(path, &st) == 0)
		s = (struct file_stamp){ .there = true,
					 .dev = st.st_dev,
					 .ino = st.st_ino,
					 .size = st.st_size,
					 .mtime = st.st_mtim };
	if (s.there == ret->there && s.dev == ret->dev && s.ino == ret->ino &&
	    s.size == ret->size && s.mtime.tv_sec == ret->mtime.tv_sec &&
	    s.mtime.tv_nsec == ret->mtime.tv_nsec)
		return false;
	*ret = s;
	return true;
}

/* A file that cannot be read is an empty one, as for every resolver. */
static void read_file(const char *path, struct buf *b)
{
	struct err err = ERR_INIT;

	if (fd_read_file(AT_FDCWD, path, b, &err) < 0)
		buf_clear(b);
}

static void load_hosts(struct resolver *r)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);

	read_file(r->hosts_path, &b);
	hosts_fini(&r->hosts);
	hosts_parse(buf_slice(&b), &r->hosts);
}

static void load_resolv(struct resolver *r)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(FILE_MAX);

	read_file(r->resolv_path, &b);
	resolv_conf_fini(&r->resolv);
	resolv_conf_parse(buf_slice(&b), r->conf.port, &r->resolv);
	resolver_cache_clear(r);
}

static void check_files(struct resolver *r, bool first)
{
	int64_t now = loop_now(r->loop);

	if (!first && (r->resolv.no_reload || now - r->checked < CHECK_EVERY))
		return;
	r->checked = now;
	if (stamp_of(r->hosts_path, &r->hosts_stamp) || first) {
		load_hosts(r);
		r->stats.reloads += !first;
	}
	if (stamp_of(r->resolv_path, &r->resolv_stamp) || first) {
		load_resolv(r);
		r->stats.reloads += !first;
	}
}

/* ---- telling ---- */

/* No call comes any more. */
static void resolve_detach(struct resolve *q)
{
	if (q->alive)
		*q->alive = false;
	deferred_fini(&q->start);
	for (unsigned i = 0; i < 2; i++)
		query_cancel(&q->side[i].wait);
	list_del(&q->link);
}

static void resolve_destroy(struct resolve *q)
{
	for (unsigned i = 0; i < 2; i++) {
		free(q->side[i].addrs);
		free(q->side[i].found);
	}
	free(q);
}

static void resolve_free(struct resolve *q)
{
	resolve_detach(q);
	resolve_destroy(q);
}

void resolve_cancel(struct resolve *q)
{
	if (q)
		resolve_free(q);
}

/* Tells one family. False: the lookup is gone. */
static bool tell(struct resolve *q, struct side *s, bool last, struct err *err)
{
	struct resolve_result res = { .family = s->family,
				      .addrs = s->addrs,
				      .n = s->n,
				      .name = s->found ? s->found : q->text,
				      .last = last,
				      .err = err };
	resolve_fn *fn = q->fn;
	void *arg = q->arg;
	bool alive = true, *outer = q->alive;

	s->state = SIDE_TOLD;
	if (!last) {
		q->alive = &alive;
		fn(arg, &res);
		if (alive)
			q->alive = outer;
		else if (outer)
			*outer = false;
		return alive;
	}
	/* The handle is gone when fn runs; what it is shown is not. */
	resolve_detach(q);
	fn(arg, &res);
	resolve_destroy(q);
	return false;
}

/* ---- candidates ---- */

static bool pending(const struct side *s)
{
	return s->state == SIDE_ASKED;
}

static struct side *other(struct resolve *q, struct side *s)
{
	return s == &q->side[0] ? &q->side[1] : &q->side[0];
}

static void next_candidate(struct resolve *q);

/* No candidate has an address. */
static void tell_none(struct resolve *q)
{
	struct err err = ERR_INIT, *why = q->trouble.code ? &q->trouble : NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++)
		n += q->side[i].state != SIDE_OFF;
	if (why)
		(void)err_set(&err, why->code, "resolve '%s': %s", q->text, why->msg);
	else
		(void)err_set(&err, ERR_NOT_FOUND, "resolve '%s': no such host", q->text);
	for (unsigned i = 0; i < 2; i++) {
		struct err copy = err;

		if (q->side[i].state != SIDE_OFF && !tell(q, &q->side[i], --n == 0, &copy))
			return;
	}
}

/* After an answer: what can be told now? */
static void settle(struct resolve *q)
{
	struct side *found = NULL, *failed = NULL;
	bool wait = false;

	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &q->side[i];

		wait |= pending(s);
		if (s->state == SIDE_FOUND || (s->state == SIDE_TOLD && s->n))
			found = s;
		if (s->state == SIDE_FAILED)
			failed = s;
	}
	if (!found && wait)
		return;
	if (failed)
		q->trouble = failed->err;
	/* A server's refusal of one candidate does not end the search, silence does. */
	if (!found && failed && failed->err.code == ERR_TIMEOUT) {
		tell_none(q);
		return;
	}
	if (!found) {
		next_candidate(q);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &q->side[i], *o = other(q, s);
		bool last = o->state == SIDE_OFF || o->state == SIDE_TOLD;

		if (s->state == SIDE_FOUND || s->state == SIDE_EMPTY || s->state == SIDE_FAILED)
			if (!tell(q, s, last, s->state == SIDE_FAILED ? &s->err : NULL))
				return;
	}
}

static void take_addrs(struct side *s, const struct dns_msg *m, struct slice owner)
{
	uint16_t type = s->family == AF_INET ? DNS_A : DNS_AAAA;
	char text[DNS_TEXT_MAX];

	if (!s->addrs)
		s->addrs = io_alloc(RESOLVER_ADDRS_MAX * sizeof(*s->addrs));
	for (size_t i = 0; i < m->rr_n[DNS_ANSWER] && s->n < RESOLVER_ADDRS_MAX; i++) {
		const struct dns_rr *rr = &m->rr[DNS_ANSWER][i];

		if (!answer_is(rr, owner, type))
			continue;
		s->addrs[s->n].family = (sa_family_t)s->family;
		memcpy(s->family == AF_INET ? (void *)&s->addrs[s->n].v4
					    : (void *)&s->addrs[s->n].v6,
		       rr->data.p, rr->data.n);
		s->n++;
	}
	if (!s->n || s->found)
		return;
	s->found = strdup(dns_name_text(owner, text));
	if (!s->found)
		abort();
	/* Its letters are in the random case that was sent. */
	for (char *p = s->found; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
}

static void on_answer(struct query_wait *w, const struct dns_msg *m, int64_t age, struct err *err)
{
	struct side *s = CONTAINER_OF(w, struct side, wait);
	struct resolve *q = s->q;
	uint32_t ttl = 0;
	struct slice owner;

	(void)age;
	if (!m) {
		s->state = SIDE_FAILED;
		s->err = *err;
	} else {
		owner = answer_owner(m, m->questions[0].name, m->questions[0].type, &ttl);
		if (owner.p)
			take_addrs(s, m, owner);
		else
			(void)err_set(&q->trouble, ERR_UNAVAILABLE, "CNAME records in a circle");
		s->state = s->n ? SIDE_FOUND : SIDE_EMPTY;
	}
	settle(q);
}

/* Both families at once. False: the lookup is gone. */
static bool ask(struct resolve *q, struct slice name)
{
	struct err err = ERR_INIT;
	bool alive = true, *outer = q->alive;

	for (unsigned i = 0; i < 2; i++)
		if (q->side[i].state != SIDE_OFF)
			q->side[i].state = SIDE_ASKED;
	q->alive = &alive;
	for (unsigned i = 0; i < 2 && alive; i++) {
		struct side *s = &q->side[i];

		if (s->state != SIDE_ASKED)
			continue;
		if (query_start(q->r, name, s->family == AF_INET ? DNS_A : DNS_AAAA, &s->wait,
				&err) < 0) {
			s->state = SIDE_FAILED;
			s->err = err;
			settle(q);
		}
	}
	if (alive)
		q->alive = outer;
	else if (outer)
		*outer = false;
	return alive;
}

/* The i-th name to ask for: as it is, or below a search domain. */
static bool candidate(const struct resolve *q, unsigned i, unsigned char *room, struct slice *ret)
{
	const struct resolv_conf *c = &q->r->resolv;
	unsigned char first[DNS_NAME_MAX];
	struct slice name, domain;
	unsigned dots = 0, as_is;

	for (size_t k = 0; k < q->name.n; k++)
		dots += q->name.p[k] == '.';
	as_is = q->rooted || dots >= c->ndots ? 0 : c->search_n;
	if (i == as_is)
		return dns_name_parse(q->name, room, ret, NULL) == 0;
	if (i > as_is)
		i--;
	if (i >= c->search_n || dns_name_parse(q->name, first, &name, NULL) < 0 ||
	    dns_name_parse(slice_str(c->search[i]), room, &domain, NULL) < 0 ||
	    name.n - 1 + domain.n > DNS_NAME_MAX)
		return false;
	memmove(room + name.n - 1, room, domain.n);
	memcpy(room, first, name.n - 1);
	*ret = slice_of((char *)room, name.n - 1 + domain.n);
	return true;
}

static void next_candidate(struct resolve *q)
{
	unsigned char room[DNS_NAME_MAX];
	struct slice name;

	while (q->next < q->candidates) {
		if (candidate(q, q->next++, room, &name)) {
			(void)ask(q, name);
			return;
		}
	}
	tell_none(q);
}

/* ---- what never leaves ---- */

static void give(struct resolve *q, const struct ip_addr *v, size_t n)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *s = &q->side[i];

		if (s->state == SIDE_OFF)
			continue;
		s->addrs = io_alloc((n + 1) * sizeof(*s->addrs));
		for (size_t k = 0; k < n; k++)
			if (v[k].family == s->family)
				s->addrs[s->n++] = v[k];
		s->state = s->n ? SIDE_FOUND : SIDE_EMPTY;
	}
	if (!q->side[0].n && !q->side[1].n) {
		tell_none(q);
		return;
	}
	settle(q);
}

static bool is_localhost(struct slice name)
{
	return slice_ieq(name, SLICE("localhost")) ||
	       (name.n > 10 && slice_ieq(slice_of(name.p + name.n - 10, 10), SLICE(".localhost")));
}

static const struct host *find_host(const struct resolve *q)
{
	char lower[DNS_TEXT_MAX];

	for (size_t i = 0; i < q->name.n; i++)
		lower[i] = q->name.p[i] >= 'A' && q->name.p[i] <= 'Z' ? (char)(q->name.p[i] + 32)
								      : q->name.p[i];
	return map_get(&q->r->hosts, slice_of(lower, q->name.n));
}

static void on_start(struct deferred *d)
{
	static const struct ip_addr loopback[] = {
		{ .family = AF_INET6, .v6 = IN6ADDR_LOOPBACK_INIT },
		{ .family = AF_INET, .v4 = { .s_addr = 0x0100007f } },
	};
	struct resolve *q = CONTAINER_OF(d, struct resolve, start);
	const struct host *h;
	struct ip_addr ip;

	if (ip_addr_parse(q->name, &ip)) {
		give(q, &ip, 1);
		return;
	}
	h = find_host(q);
	if (h) {
		q->r->stats.hosts++;
		give(q, h->addrs, h->n);
		return;
	}
	if (is_localhost(q->name)) {
		give(q, loopback, 2);
		return;
	}
	if (q->r->resolv.no_aaaa && q->side[1].state != SIDE_OFF)
		q->side[0].state = SIDE_OFF;
	next_candidate(q);
}

/* ---- records ---- */

static void on_records(struct query_wait *w, const struct dns_msg *m, int64_t age, struct err *err)
{
	struct side *s = CONTAINER_OF(w, struct side, wait);
	struct resolve *q = s->q;
	resolve_rr_fn *fn = q->rr_fn;
	void *arg = q->arg;
	struct err none = ERR_INIT;
	uint32_t ttl = 0, aged = (uint32_t)(age / NS_PER_SEC);
	struct slice owner;
	size_t n = 0;

	if (!m) {
		resolve_free(q);
		fn(arg, NULL, 0, err);
		return;
	}
	owner = answer_owner(m, m->questions[0].name, q->type, &ttl);
	for (size_t i = 0; owner.p && i < m->rr_n[DNS_ANSWER]; i++) {
		struct dns_rr *rr = &m->rr[DNS_ANSWER][i];

		if (!answer_is(rr, owner, q->type))
			continue;
		m->rr[DNS_ANSWER][n] = *rr;
		m->rr[DNS_ANSWER][n].ttl -= MIN(rr->ttl, aged);
		n++;
	}
	if (n == 0)
		(void)err_set(&none, ERR_NOT_FOUND, "resolve '%s': %s", q->text,
			      m->rcode == DNS_NXDOMAIN ? "no such name"
						       : "no records of this type");
	resolve_free(q);
	fn(arg, m->rr[DNS_ANSWER], n, n ? NULL : &none);
}

/* ---- public ---- */

static int make_lookup(struct resolver *r, const char *name, struct resolve **ret, struct err *err)
{
	size_t n = strlen(name);
	unsigned char room[DNS_NAME_MAX];
	struct resolve *q;
	struct slice wire;
	struct ip_addr ip;

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] >= 0x80 || (unsigned char)name[i] <= ' ')
			return err_set(
				err, ERR_INVALID,
				"'%.200s' is no host name: ASCII only (an international name "
				"is written as xn--...)",
				name);
	if (!ip_addr_parse(slice_of(name, n), &ip)) {
		int rc = dns_name_parse(slice_of(name, n), room, &wire, err);

		if (rc < 0)
			return rc;
	}
	q = io_alloc(sizeof(*q) + n + 1);
	q->r = r;
	memcpy(q->text, name, n);
	q->rooted = n > 1 && name[n - 1] == '.';
	q->name = slice_of(q->text, n - q->rooted);
	for (unsigned i = 0; i < 2; i++) {
		q->side[i].q = q;
		q->side[i].family = i ? AF_INET : AF_INET6;
		list_init(&q->side[i].wait.link);
		q->side[i].wait.fn = on_answer;
	}
	list_append(&r->lookups, &q->link);
	check_files(r, false);
	q->candidates = q->rooted ? 1 : 1 + r->resolv.search_n;
	r->stats.lookups++;
	*ret = q;
	return 0;
}

int resolver_lookup(struct resolver *r, const char *name, unsigned families, resolve_fn *fn,
		    void *arg, struct resolve **ret, struct err *err)
{
	struct resolve *q;
	int rc = make_lookup(r, name, &q, err);

	if (rc < 0)
		return rc;
	q->fn = fn;
	q->arg = arg;
	q->side[0].state = families & RESOLVE_V6 ? SIDE_ASKED : SIDE_OFF;
	q->side[1].state = families & RESOLVE_V4 ? SIDE_ASKED : SIDE_OFF;
	deferred_init(&q->start, r->loop, on_start);
	deferred_call(&q->start);
	*ret = q;
	return 0;
}

static void on_query_start(struct deferred *d)
{
	struct resolve *q = CONTAINER_OF(d, struct resolve, start);
	unsigned char room[DNS_NAME_MAX];
	resolve_rr_fn *fn = q->rr_fn;
	struct err err = ERR_INIT;
	void *arg = q->arg;
	struct slice name;
	int rc;

	rc = dns_name_parse(q->name, room, &name, &err);
	if (rc == 0)
		rc = query_start(q->r, name, q->type, &q->side[0].wait, &err);
	if (rc < 0) {
		resolve_free(q);
		fn(arg, NULL, 0, &err);
	}
}

int resolver_query(struct resolver *r, const char *name, uint16_t type, resolve_rr_fn *fn,
		   void *arg, struct resolve **ret, struct err *err)
{
	struct resolve *q;
	int rc = make_lookup(r, name, &q, err);

	if (rc < 0)
		return rc;
	q->rr_fn = fn;
	q->arg = arg;
	q->type = type;
	q->side[0].wait.fn = on_records;
	deferred_init(&q->start, r->loop, on_query_start);
	deferred_call(&q->start);
	*ret = q;
	return 0;
}

int resolver_new(struct loop *l, const struct resolver_conf *conf, struct resolver **ret,
		 struct err *err)
{
	struct resolver *r = io_alloc(sizeof(*r));
	struct resolver_conf *c = &r->conf;

	(void)err;
	if (conf)
		*c = *conf;
	r->loop = l;
	r->hosts_path = strdup(c->hosts ? c->hosts : "/etc/hosts");
	r->resolv_path = strdup(c->resolv ? c->resolv : "/etc/resolv.conf");
	if (!r->hosts_path || !r->resolv_path)
		abort();
	c->hosts = c->resolv = NULL;
	c->port = c->port ? c->port : 53;
	c->cache_max = c->cache_max ? c->cache_max : 1024;
	c->running_max = c->running_max ? c->running_max : 256;
	c->ttl_max = c->ttl_max ? c->ttl_max : 3600 * NS_PER_SEC;
	c->negative_max = c->negative_max ? c->negative_max : 60 * NS_PER_SEC;
	map_init(&r->hosts);
	map_init(&r->cache);
	map_init(&r->queries);
	list_init(&r->cache_lru);
	list_init(&r->lookups);
	check_files(r, true);
	*ret = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	struct resolve *q;

	if (!r)
		return;
	while ((q = LIST_FIRST(&r->lookups, struct resolve, link)))
		resolve_free(q);
	query_free_all(r);
	map_fini(&r->queries);
	resolver_cache_clear(r);
	map_fini(&r->cache);
	hosts_fini(&r->hosts);
	resolv_conf_fini(&r->resolv);
	free(r->hosts_path);
	free(r->resolv_path);
	free(r);
}

struct resolver_stats resolver_get_stats(const struct resolver *r)
{
	struct resolver_stats s = r->stats;

	s.cached = map_count(&r->cache);
	s.running = map_count(&r->queries);
	return s;
}
