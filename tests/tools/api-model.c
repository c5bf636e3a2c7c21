/* SPDX-License-Identifier: Apache-2.0 */
#include "api-model.h"

#include "base/hash.h"
#include "doc/doc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void model_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("FAIL ");
	(void)vprintf(fmt, ap);
	printf("\n");
	(void)fflush(stdout);
	va_end(ap);
	_exit(1);
}

/* One more element at the end, zeroed. */
static void *grow(void *array, size_t *n, size_t *cap, size_t size)
{
	void **p = array;

	if (*n == *cap) {
		*cap = *cap ? 2 * *cap : 64;
		*p = reallocarray(*p, *cap, size);
		if (!*p)
			abort();
	}
	return memset((char *)*p + size * (*n)++, 0, size);
}

void model_init(struct model *m, int64_t base)
{
	*m = (struct model){ .base = base };
	(void)model_intend(m, &(struct model_intent){ .answer = MODEL_REFUSED }); /* 0: nobody */
}

uint64_t model_intend(struct model *m, const struct model_intent *i)
{
	struct model_intent *new =
		grow(&m->intents, &m->nintents, &m->intents_cap, sizeof(*m->intents));

	*new = *i;
	return m->nintents - 1;
}

struct model_intent *model_intent(struct model *m, uint64_t id)
{
	return id < m->nintents ? &m->intents[id] : NULL;
}

/* ---- objects ---- */

static uint64_t number_of(const struct doc *d)
{
	uint64_t v = 0;

	if (d)
		(void)str_uint64(doc_slice(d), &v, NULL);
	return v;
}

int model_read(const struct doc *object, struct model_state *ret, int64_t *ret_revision)
{
	const struct doc *meta = doc_get(object, "metadata"), *data = doc_get(object, "data");
	struct slice name = doc_slice(doc_get(meta, "name"));
	struct slice space = doc_slice(doc_get(meta, "namespace"));
	struct slice uid = doc_slice(doc_get(meta, "uid"));
	char field[3] = "f0";
	int key;

	*ret = (struct model_state){ .there = true };
	*ret_revision = (int64_t)number_of(doc_get(meta, "resourceVersion"));
	ret->uid = hash_bytes(uid.p, uid.n);
	ret->tier = (uint8_t)number_of(doc_find(meta, "labels.tier"));
	ret->by = number_of(doc_get(data, "by"));
	for (int i = 0; i < MODEL_FIELDS; i++) {
		field[1] = (char)('0' + i);
		ret->f[i] = number_of(doc_get(data, field));
	}
	if (space.n != 2 || space.p[0] != 'n' || name.n != 3 || name.p[0] != 'c')
		return -1;
	key = (space.p[1] - '0') * MODEL_NAMES + (name.p[1] - '0') * 10 + name.p[2] - '0';
	return key >= 0 && key < MODEL_KEYS ? key : -1;
}

uint32_t model_sum(const struct model_state *s)
{
	uint64_t words[3 + MODEL_FIELDS] = { s->uid, s->by, s->tier };

	memcpy(words + 3, s->f, sizeof(s->f));
	return (uint32_t)hash_bytes(words, sizeof(words));
}

bool model_matches(const struct model_filter *f, unsigned key, const struct model_state *s)
{
	return s->there && (f->space < 0 || (unsigned)f->space == key / MODEL_NAMES) &&
	       (f->name < 0 || (unsigned)f->name == key % MODEL_NAMES) && (f->tiers >> s->tier & 1);
}

/* ---- what comes ---- */

void model_begin(struct model_watcher *w, int64_t revision)
{
	struct model_span *s = grow(&w->spans, &w->nspans, &w->spans_cap, sizeof(*w->spans));

	s->from = w->last = revision;
	s->first = w->nseen;
}

static void note_history(struct model *m, const struct model_watcher *w, bool removed, unsigned key,
			 int64_t revision, const struct model_state *s)
{
	struct model_change *c;

	if (revision <= m->base)
		return; /* told again from the past: checked when it was told first */
	if (revision > m->base + 10000000)
		model_fail("%s: revision %lld from nowhere", w->name, (long long)revision);
	while (m->base + (int64_t)m->nhistory < revision)
		(void)grow(&m->history, &m->nhistory, &m->history_cap, sizeof(*m->history));
	c = &m->history[revision - m->base - 1];
	if (c->revision &&
	    (c->key != key || c->removed != removed || model_sum(&c->now) != model_sum(s)))
		model_fail("%s: revision %lld is not what another watcher saw", w->name,
			   (long long)revision);
	*c = (struct model_change){
		.revision = revision, .removed = removed, .key = (uint8_t)key, .now = *s
	};
}

void model_told(struct model *m, struct model_watcher *w, enum model_type type, unsigned key,
		int64_t revision, const struct model_state *s)
{
	struct model_seen *new;

	if (revision <= w->last)
		model_fail("%s: revision %lld comes after %lld", w->name, (long long)revision,
			   (long long)w->last);
	new = grow(&w->seen, &w->nseen, &w->cap, sizeof(*w->seen));
	*new = (struct model_seen){ .revision = revision,
				    .sum = model_sum(s),
				    .type = (uint8_t)type,
				    .key = (uint8_t)key };
	w->last = revision;
	m->told++;
	if (w->history)
		note_history(m, w, type == MODEL_DELETED, key, revision, s);
}

void model_bookmark(struct model_watcher *w, int64_t revision)
{
	if (revision < w->last)
		model_fail("%s: a bookmark of %lld comes after %lld", w->name, (long long)revision,
			   (long long)w->last);
	w->last = revision;
}

struct model_list *model_list(struct model *m)
{
	return grow(&m->lists, &m->nlists, &m->lists_cap, sizeof(*m->lists));
}

/* ---- what it must be ---- */

static struct model_state applied(const struct model_intent *i, uint64_t id,
				  const struct model_state *before)
{
	struct model_state s = { .there = true, .tier = i->tier };

	if (i->op == MODEL_JSON || i->op == MODEL_MERGE || i->op == MODEL_STRATEGIC ||
	    i->op == MODEL_APPLY) {
		memcpy(s.f, before->f, sizeof(s.f));
		if (i->op == MODEL_JSON || i->op == MODEL_APPLY)
			s.tier = before->tier;
		if (i->whole)
			memset(s.f, 0, sizeof(s.f));
		s.f[i->clear] = 0;
	}
	s.f[i->set] = id;
	s.by = id;
	return s;
}

static void replay_write(struct model *m, struct model_change *c)
{
	struct model_intent *i = model_intent(m, c->now.by);
	struct model_state want;
	long long rev = c->revision;

	if (!i || c->now.by == 0 || i->key != c->key)
		model_fail("revision %lld: nobody wrote that", rev);
	if (i->answer == MODEL_REFUSED || i->op == MODEL_DRY || i->op >= MODEL_DELETE)
		model_fail("revision %lld: intent %llu was refused, or dry, and is there", rev,
			   (unsigned long long)c->now.by);
	if (i->found)
		model_fail("revision %lld: intent %llu was done before, at %lld", rev,
			   (unsigned long long)c->now.by, (long long)i->revision);
	if (i->answer == MODEL_DONE && i->revision != rev)
		model_fail("revision %lld: intent %llu was answered with %lld", rev,
			   (unsigned long long)c->now.by, (long long)i->revision);
	if (i->op == MODEL_CREATE && c->before.there)
		model_fail("revision %lld: created over what was there", rev);
	if (i->op != MODEL_CREATE && i->op != MODEL_APPLY && !c->before.there)
		model_fail("revision %lld: a change of what was not there", rev);
	want = applied(i, c->now.by, &c->before);
	want.uid = c->before.there ? c->before.uid : c->now.uid;
	if (model_sum(&want) != model_sum(&c->now))
		model_fail("revision %lld: not what intent %llu (%d) makes of it", rev,
			   (unsigned long long)c->now.by, (int)i->op);
	i->found = true;
	i->revision = rev;
}

/* Who may have removed it: an answered DELETE names the uid, others are taken at their word. */
static void replay_removal(struct model *m, struct model_change *c)
{
	bool explained = false;

	if (!c->before.there || c->before.uid != c->now.uid)
		model_fail("revision %lld: removed what was not there", (long long)c->revision);
	for (size_t k = m->nintents; k-- > 1 && k + 200000 > m->nintents;) {
		struct model_intent *i = &m->intents[k];

		if (i->op == MODEL_DELETE && i->key == c->key) {
			if (i->answer == MODEL_DONE && i->uid == c->now.uid) {
				i->found = explained = true;
				if (!m->shared)
					break;
			}
			explained = explained || i->answer == MODEL_UNKNOWN;
		} else if (i->op == MODEL_SWEEP && i->answer != MODEL_REFUSED) {
			/* Upstream's too: what had the tier when it began. */
			explained = explained || i->key / MODEL_NAMES == c->key / MODEL_NAMES;
		}
	}
	if (!explained)
		model_fail("revision %lld: nobody removed that", (long long)c->revision);
}

static void check_list(const struct model *m, const struct model_list *l)
{
	size_t at = 0;

	if (l->revision < l->at_least)
		model_fail("%s: of %lld, %lld was acknowledged before", l->name,
			   (long long)l->revision, (long long)l->at_least);
	for (unsigned k = 0; k < MODEL_KEYS; k++) {
		if (!model_matches(&l->filter, k, &m->state[k]))
			continue;
		if (at == l->n || l->items[at].key != k)
			model_fail("%s at %lld: key %u is missing", l->name, (long long)l->revision,
				   k);
		if (l->items[at].sum != model_sum(&m->state[k]) ||
		    l->items[at].revision != m->changed[k])
			model_fail("%s at %lld: key %u is of %lld, not of %lld, or differs",
				   l->name, (long long)l->revision, k,
				   (long long)l->items[at].revision, (long long)m->changed[k]);
		at++;
	}
	if (at != l->n)
		model_fail("%s at %lld: %zu objects, %zu expected", l->name, (long long)l->revision,
			   l->n, at);
}

static int by_revision(const void *a, const void *b)
{
	const struct model_list *x = a, *y = b;

	return (x->revision > y->revision) - (x->revision < y->revision);
}

void model_replay(struct model *m, int64_t upto)
{
	size_t l = 0;

	if (m->nlists)
		qsort(m->lists, m->nlists, sizeof(*m->lists), by_revision);
	for (int64_t rev = m->base; rev <= upto; rev++) {
		size_t i = (size_t)(rev - m->base - 1);
		struct model_change *c = rev > m->base && i < m->nhistory ? &m->history[i] : NULL;

		if (c && c->revision) {
			c->before = m->state[c->key];
			if (c->removed)
				replay_removal(m, c);
			else
				replay_write(m, c);
			m->state[c->key] = c->removed ? (struct model_state){ 0 } : c->now;
			m->changed[c->key] = c->removed ? 0 : rev;
			m->changes++;
		}
		for (; l < m->nlists && m->lists[l].revision == rev; l++)
			check_list(m, &m->lists[l]);
	}
	if (l < m->nlists)
		model_fail("%s: its revision %lld is not between %lld and %lld", m->lists[l].name,
			   (long long)m->lists[l].revision, (long long)m->base, (long long)upto);
	for (size_t i = m->intents_checked; i < m->nintents; i++) {
		const struct model_intent *t = &m->intents[i];

		if (t->answer == MODEL_DONE && !t->found && t->op != MODEL_DRY &&
		    t->op != MODEL_SWEEP)
			model_fail("intent %zu (%d) was acknowledged at %lld and is lost", i,
				   (int)t->op, (long long)t->revision);
	}
	m->intents_checked = m->nintents;
}

/* What a change is for a filter; 0: nothing. */
static enum model_type as_told(const struct model_filter *f, const struct model_change *c,
			       uint32_t *sum)
{
	bool was = model_matches(f, c->key, &c->before);
	bool is = !c->removed && model_matches(f, c->key, &c->now);

	*sum = model_sum(is ? &c->now : &c->before);
	if (!was && !is)
		return 0;
	return !was ? MODEL_ADDED : is ? MODEL_MODIFIED : MODEL_DELETED;
}

int64_t model_expects(const struct model *m, const struct model_watcher *w)
{
	uint32_t sum;

	for (size_t i = m->nhistory; i-- > 0;)
		if (m->history[i].revision && as_told(&w->filter, &m->history[i], &sum))
			return m->history[i].revision;
	return m->base;
}

static void check_span(const struct model *m, const struct model_watcher *w, size_t n, int64_t upto)
{
	const struct model_span *s = &w->spans[n];
	size_t at = s->first, end = n + 1 < w->nspans ? w->spans[n + 1].first : w->nseen;
	int64_t last = end > at ? w->seen[end - 1].revision : s->from;

	if (n + 1 == w->nspans)
		last = upto;
	for (int64_t rev = s->from + 1; rev <= last; rev++) {
		size_t i = (size_t)(rev - m->base - 1);
		const struct model_change *c = i < m->nhistory ? &m->history[i] : NULL;
		enum model_type type;
		uint32_t sum;

		if (!c || !c->revision)
			continue;
		type = as_told(&w->filter, c, &sum);
		if (!type)
			continue;
		if (at == end || w->seen[at].revision > rev)
			model_fail("%s: from %lld on it was not told of revision %lld, but of %lld",
				   w->name, (long long)s->from, (long long)rev,
				   at == end ? 0 : (long long)w->seen[at].revision);
		if (w->seen[at].revision < rev)
			break;
		if (w->seen[at].type != type || w->seen[at].sum != sum || w->seen[at].key != c->key)
			model_fail("%s: revision %lld was told as %d, %d is right, or differs",
				   w->name, (long long)rev, w->seen[at].type, (int)type);
		at++;
	}
	if (at != end)
		model_fail("%s: it was told of revision %lld, which is not for it", w->name,
			   (long long)w->seen[at].revision);
}

void model_check(struct model *m, struct model_watcher *w, int64_t upto)
{
	/* What came behind the stretch (nobody writes then) would be judged with the next. */
	for (size_t n = 0; n < w->nspans; n++)
		check_span(m, w, n, upto);
	w->nseen = w->nspans = 0;
	model_begin(w, upto > w->last ? upto : w->last);
}

void model_forget(struct model *m, int64_t upto)
{
	m->base = upto;
	m->nhistory = m->nlists = 0;
}
