/* SPDX-License-Identifier: Apache-2.0 */
#include "io/metrics.h"

#include "base/err.h"
#include "base/list.h"
#include "io/http1.h"
#include "io/stream-impl.h"

#include <math.h>
#include <stdio.h>

#define SERIES_MAX 1000u
#define TEXT_MAX (64u << 20)

struct series {
	struct metric m;
	struct series *next; /* of the same hash */
	uint32_t hash;
	char *labels; /* values, each with its NUL */
	size_t labels_n;
};

struct metric_family {
	struct list link;
	const struct metric_spec *spec;
	struct metrics *owner;
	struct series **table; /* power of two */
	size_t table_n, n;
	struct series **order; /* as they came */
	struct series *other;
};

struct collector {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

struct metrics {
	struct list families, collectors;
	struct metric *dropped;
};

/* ---- registry ---- */

static bool is_name(const char *s, bool colons)
{
	if (!*s || (*s >= '0' && *s <= '9'))
		return false;
	for (; *s; s++) {
		bool alpha = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';

		if (!alpha && !(*s >= '0' && *s <= '9') && !(colons && *s == ':'))
			return false;
	}
	return true;
}

static int check_spec(const struct metric_spec *s, struct err *err)
{
	if (!is_name(s->name, true) ||
	    (s->type == METRIC_COUNTER && !slice_ends(slice_str(s->name), SLICE("_total"))))
		return err_set(err, ERR_INVALID,
			       "metric '%s': not a name, or a counter without _total", s->name);
	if (s->labels_n > METRIC_LABELS_MAX || s->buckets_n > METRIC_BUCKETS_MAX)
		return err_set(err, ERR_INVALID, "metric '%s': too many labels or buckets",
			       s->name);
	for (size_t i = 0; i < s->labels_n; i++) {
		if (!is_name(s->labels[i], false) || strncmp(s->labels[i], "__", 2) == 0 ||
		    strcmp(s->labels[i], "le") == 0)
			return err_set(err, ERR_INVALID, "metric '%s': label '%s' is not allowed",
				       s->name, s->labels[i]);
	}
	for (size_t i = 1; i < s->buckets_n; i++) {
		if (!(s->buckets[i] > s->buckets[i - 1]))
			return err_set(err, ERR_INVALID, "metric '%s': the buckets do not rise",
				       s->name);
	}
	return 0;
}

int metrics_add(struct metrics *m, const struct metric_spec *spec, struct metric_family **ret,
		struct err *err)
{
	struct metric_family *f;
	int r = check_spec(spec, err);

	if (r < 0)
		return r;
	LIST_FOREACH (f, &m->families, struct metric_family, link) {
		if (strcmp(f->spec->name, spec->name) == 0)
			return err_set(err, ERR_EXISTS, "metric '%s' is registered already",
				       spec->name);
	}
	f = io_alloc(sizeof(*f));
	f->spec = spec;
	f->owner = m;
	list_append(&m->families, &f->link);
	*ret = f;
	return 0;
}

struct metrics *metrics_new(void)
{
	static const struct metric_spec dropped = {
		.type = METRIC_COUNTER,
		.name = "teu_metrics_series_dropped_total",
		.help = "Label sets that were counted under \"other\" since a family was full.",
	};
	struct metrics *m = io_alloc(sizeof(*m));
	struct metric_family *f = NULL;

	list_init(&m->families);
	list_init(&m->collectors);
	if (metrics_add(m, &dropped, &f, NULL) < 0)
		abort(); /* our own constant */
	m->dropped = metric_with(f, NULL);
	return m;
}

static void series_free(struct series *s)
{
	if (!s)
		return;
	free(s->m.buckets);
	free(s->labels);
	free(s);
}

void metrics_free(struct metrics *m)
{
	struct metric_family *f;
	struct collector *c;

	if (!m)
		return;
	while ((f = LIST_FIRST(&m->families, struct metric_family, link))) {
		list_del(&f->link);
		for (size_t i = 0; i < f->n; i++)
			series_free(f->order[i]);
		series_free(f->other);
		free(f->order);
		free(f->table);
		free(f);
	}
	while ((c = LIST_FIRST(&m->collectors, struct collector, link))) {
		list_del(&c->link);
		free(c);
	}
	free(m);
}

void metrics_on_collect(struct metrics *m, void (*fn)(void *arg), void *arg)
{
	struct collector *c = io_alloc(sizeof(*c));

	c->fn = fn;
	c->arg = arg;
	list_append(&m->collectors, &c->link);
}

void metrics_forget_collect(struct metrics *m, void *arg)
{
	struct collector *c;

	LIST_FOREACH (c, &m->collectors, struct collector, link) {
		if (c->arg == arg) {
			list_del(&c->link);
			free(c);
			return;
		}
	}
}

/* ---- series ---- */

static struct series *series_new(const struct metric_spec *spec, const char *const *values)
{
	struct series *s = io_alloc(sizeof(*s));
	char *d;

	s->m.spec = spec;
	for (size_t i = 0; i < spec->labels_n; i++)
		s->labels_n += strlen(values ? values[i] : "other") + 1;
	d = s->labels = io_alloc(s->labels_n + 1);
	for (size_t i = 0; i < spec->labels_n; i++) {
		const char *v = values ? values[i] : "other";

		d = (char *)memcpy(d, v, strlen(v) + 1) + strlen(v) + 1;
	}
	if (spec->type == METRIC_HISTOGRAM)
		s->m.buckets = io_alloc((spec->buckets_n + 1) * sizeof(*s->m.buckets));
	return s;
}

static uint32_t hash_values(const struct metric_spec *spec, const char *const *values)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; values && i < spec->labels_n; i++) {
		for (const char *p = values[i];; p++) {
			h = (h ^ (uint8_t)*p) * 16777619u;
			if (!*p)
				break;
		}
	}
	return h;
}

static bool is_same(const struct series *s, const char *const *values)
{
	const char *have = s->labels;

	for (size_t i = 0; values && i < s->m.spec->labels_n; i++) {
		if (strcmp(have, values[i]) != 0)
			return false;
		have += strlen(have) + 1;
	}
	return true;
}

static void grow(struct metric_family *f)
{
	size_t n = f->table_n ? f->table_n * 2 : 8;
	struct series **order = io_alloc(n * sizeof(void *));

	free(f->table);
	f->table = io_alloc(n * sizeof(void *));
	f->table_n = n;
	for (size_t i = 0; i < f->n; i++) {
		struct series **at = &f->table[f->order[i]->hash & (n - 1)];

		f->order[i]->next = *at;
		*at = order[i] = f->order[i];
	}
	free(f->order);
	f->order = order;
}

struct metric *metric_with(struct metric_family *f, const char *const *values)
{
	size_t max = f->spec->series_max ? f->spec->series_max : SERIES_MAX;
	uint32_t hash = hash_values(f->spec, values);
	struct series *s;

	for (s = f->table_n ? f->table[hash & (f->table_n - 1)] : NULL; s; s = s->next) {
		if (s->hash == hash && is_same(s, values))
			return &s->m;
	}
	if (f->n >= max) {
		if (!f->other)
			f->other = series_new(f->spec, NULL);
		metric_inc(f->owner->dropped);
		return &f->other->m;
	}
	if (f->n == f->table_n)
		grow(f);
	s = series_new(f->spec, values);
	s->hash = hash;
	s->next = f->table[hash & (f->table_n - 1)];
	f->table[hash & (f->table_n - 1)] = f->order[f->n++] = s;
	return &s->m;
}

void metric_observe(struct metric *m, double v)
{
	size_t i = 0;

	while (i < m->spec->buckets_n && !(v <= m->spec->buckets[i]))
		i++;
	m->buckets[i]++;
	m->count++;
	m->value += v;
}

/* ---- text ---- */

struct writer {
	struct buf *out;
	bool open; /* OpenMetrics */
};

/* The shortest text that reads back as v. OpenMetrics wants a point in whole numbers of `le`. */
static void put_number(struct writer *w, double v, bool point)
{
	char text[40];

	if (isnan(v)) {
		(void)buf_adds(w->out, "NaN");
		return;
	}
	if (isinf(v)) {
		(void)buf_adds(w->out, v > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	(void)buf_adds(w->out, text);
	if (point && w->open && !strpbrk(text, ".e"))
		(void)buf_adds(w->out, ".0");
}

/* Length of the UTF-8 sequence at p, 0 if it is none. */
static size_t utf8_len(const unsigned char *p)
{
	size_t n = p[0] < 0x80			 ? 1
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		   : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void put_escaped(struct writer *w, const char *s, bool quotes)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t n = utf8_len(p);

		if (n == 0) {
			(void)buf_adds(w->out, "\xef\xbf\xbd"); /* not UTF-8: U+FFFD */
			n = 1;
		} else if (*p == '\\' || (*p == '"' && quotes)) {
			(void)buf_addc(w->out, '\\');
			(void)buf_addc(w->out, (char)*p);
		} else if (*p == '\n') {
			(void)buf_adds(w->out, "\\n");
		} else {
			(void)buf_add(w->out, p, n);
		}
		p += n;
	}
}

static void put_labels(struct writer *w, const struct series *s, const double *le)
{
	const struct metric_spec *spec = s->m.spec;
	const char *v = s->labels;

	if (spec->labels_n == 0 && !le)
		return;
	(void)buf_addc(w->out, '{');
	for (size_t i = 0; i < spec->labels_n; i++, v += strlen(v) + 1) {
		(void)buf_addf(w->out, "%s%s=\"", i ? "," : "", spec->labels[i]);
		put_escaped(w, v, true);
		(void)buf_addc(w->out, '"');
	}
	if (le) {
		(void)buf_adds(w->out, spec->labels_n ? ",le=\"" : "le=\"");
		put_number(w, *le, true);
		(void)buf_addc(w->out, '"');
	}
	(void)buf_addc(w->out, '}');
}

static void put_sample(struct writer *w, const struct series *s, const char *suffix,
		       const double *le, double v)
{
	(void)buf_addf(w->out, "%s%s", s->m.spec->name, suffix);
	put_labels(w, s, le);
	(void)buf_addc(w->out, ' ');
	put_number(w, v, false);
	(void)buf_addc(w->out, '\n');
}

static void put_series(struct writer *w, const struct series *s)
{
	const struct metric_spec *spec = s->m.spec;
	uint64_t sum = 0;

	if (spec->type != METRIC_HISTOGRAM) {
		put_sample(w, s, "", NULL, s->m.value);
		return;
	}
	for (size_t i = 0; i <= spec->buckets_n; i++) {
		double le = i < spec->buckets_n ? spec->buckets[i] : INFINITY;

		sum += s->m.buckets[i];
		put_sample(w, s, "_bucket", &le, (double)sum);
	}
	put_sample(w, s, "_sum", NULL, s->m.value);
	put_sample(w, s, "_count", NULL, (double)s->m.count);
}

static void put_family(struct writer *w, const struct metric_family *f)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const struct metric_spec *s = f->spec;
	struct slice name = slice_str(s->name);

	/* OpenMetrics names a counter's family without the suffix of its sample. */
	if (w->open && s->type == METRIC_COUNTER)
		name.n -= strlen("_total");
	(void)buf_addf(w->out, "# HELP %.*s ", (int)name.n, name.p);
	put_escaped(w, s->help ? s->help : "", w->open);
	(void)buf_addf(w->out, "\n# TYPE %.*s %s\n", (int)name.n, name.p, types[s->type]);
	for (size_t i = 0; i < f->n; i++)
		put_series(w, f->order[i]);
	if (f->other)
		put_series(w, f->other);
}

int metrics_write(struct metrics *m, enum metrics_format format, struct buf *out, struct err *err)
{
	struct writer w = { .out = out, .open = format == METRICS_OPENMETRICS };
	struct metric_family *f;
	struct collector *c;

	LIST_FOREACH (c, &m->collectors, struct collector, link)
		c->fn(c->arg);
	LIST_FOREACH (f, &m->families, struct metric_family, link)
		put_family(&w, f);
	if (w.open)
		(void)buf_adds(out, "# EOF\n");
	if (out->full)
		return err_set(err, ERR_QUOTA, "the metrics are larger than %zu bytes", out->max);
	return 0;
}

/* q=0, q=0.0 ...: not acceptable. */
static bool is_refused(struct slice params)
{
	while (params.p) {
		struct slice p = slice_trim(slice_split(&params, ';'));

		if (p.n < 3 || (p.p[0] | 0x20) != 'q' || p.p[1] != '=')
			continue;
		for (size_t i = 2; i < p.n; i++) {
			if (p.p[i] != '0' && p.p[i] != '.')
				return false;
		}
		return true;
	}
	return false;
}

enum metrics_format metrics_negotiate(struct slice accept)
{
	while (accept.p) {
		struct slice item = slice_split(&accept, ','), type = slice_split(&item, ';');

		if (slice_ieq(slice_trim(type), SLICE("application/openmetrics-text")) &&
		    !is_refused(item))
			return METRICS_OPENMETRICS;
	}
	return METRICS_TEXT;
}

const char *metrics_content_type(enum metrics_format f)
{
	return f == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

void metrics_serve(struct stream *s, struct metrics *m)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(TEXT_MAX);
	enum metrics_format f = metrics_negotiate(stream_header(s, "Accept"));
	struct err err = ERR_INIT;

	/* Fails when the client has gone: nothing is left to be told. */
	if (metrics_write(m, f, &b, &err) < 0)
		(void)stream_replyf(s, 500, "text/plain", "%s\n", err.msg);
	else
		(void)stream_reply(s, 200, metrics_content_type(f), buf_str(&b), b.n);
}
