/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages from any bytes: what parses is built again, and parses to the same records. Names
 * from text: what parses prints and parses to the same bytes.
 */
#include "base/arena.h"
#include "base/err.h"
#include "io/dns.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_rr(const struct dns_rr *a, const struct dns_rr *b)
{
	assert(dns_name_eq(a->name, b->name) && a->type == b->type && a->class_ == b->class_);
	assert(a->ttl == b->ttl && dns_name_eq(a->host, b->host));
	assert(a->priority == b->priority && a->weight == b->weight && a->port == b->port);
	assert(a->texts_n == b->texts_n && a->soa.minimum == b->soa.minimum);
	for (size_t i = 0; i < a->texts_n; i++)
		assert(slice_eq(a->texts[i], b->texts[i]));
	if (!a->host.n && !a->texts_n)
		assert(slice_eq(a->data, b->data));
}

static void build_again(struct arena *a, const struct dns_msg *m)
{
	static unsigned char room[DNS_MESSAGE_MAX];
	struct err err = ERR_INIT;
	struct dns_build b;
	struct dns_msg again;
	bool all = true;

	dns_build_init(&b, room, sizeof(room), m->id, m->flags);
	for (size_t i = 0; i < m->questions_n; i++)
		all = all && dns_build_question(&b, m->questions[i].name, m->questions[i].type,
						m->questions[i].class_);
	for (unsigned s = 0; s < 3; s++)
		for (size_t i = 0; i < m->rr_n[s]; i++)
			all = all && dns_build_rr(&b, (enum dns_section)s, &m->rr[s][i]);
	if (m->edns)
		all = all && dns_build_opt(&b, m->udp_size, m->rcode, m->dnssec_ok);
	if (dns_parse(a, dns_built(&b), &again, &err) < 0) {
		assert(err.code == ERR_QUOTA);
		return;
	}
	/* Case may differ where names share their ends; SRV hosts come uncompressed, so a large
	 * message may not fit again. */
	for (unsigned s = 0; all && s < 3; s++) {
		assert(again.rr_n[s] == m->rr_n[s]);
		for (size_t i = 0; i < m->rr_n[s]; i++)
			same_rr(&again.rr[s][i], &m->rr[s][i]);
	}
}

static void name_again(struct slice text)
{
	unsigned char room[DNS_NAME_MAX], room2[DNS_NAME_MAX];
	char printed[DNS_TEXT_MAX];
	struct slice name, name2;

	if (dns_name_parse(text, room, &name, NULL) < 0)
		return;
	assert(name.n <= DNS_NAME_MAX);
	assert(dns_name_parse(slice_str(dns_name_text(name, printed)), room2, &name2, NULL) == 0);
	assert(slice_eq(name, name2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 8 << 20);
	struct slice in = slice_of((const char *)data, size);
	struct err err = ERR_INIT;
	struct dns_msg m;
	int r = dns_parse(a, in, &m, &err);

	assert(r == 0 || err.code == ERR_BAD_REQUEST || err.code == ERR_QUOTA);
	if (r == 0)
		build_again(a, &m);
	name_again(in);
	return 0;
}
