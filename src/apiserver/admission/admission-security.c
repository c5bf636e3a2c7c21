/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PodSecurity: the labels of a namespace say which level of the Pod Security Standards its pods are
 * held to, which is told in the audit log, and of which writers are warned.
 */
#include "apiserver/admission/admission-private.h"

#include "apiserver/objects/status.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>

#define LABEL "pod-security.kubernetes.io/"
#define WORDS_MAX (1u << 20)
#define PODS_MAX 3000

struct policy {
	struct podsec_policy enforce, audit, warn;
	struct cause *wrong; /* labels that say nothing, in the arena */
};

/* ---- labels ---- */

struct reading {
	struct arena *a;
	const struct doc *labels;
	struct cause **tail;
};

static void wrong(struct reading *r, const char *label, const struct doc *v, const char *why)
{
	struct cause *c = ARENA_NEW(r->a, struct cause);

	if (!c)
		return;
	*c = (struct cause){
		.field = arena_printf(r->a, "metadata.labels[%s]", label),
		.reason = "FieldValueInvalid",
		.detail = arena_printf(r->a, "Invalid value: \"%.*s\": %s", (int)v->n, v->s, why),
	};
	*r->tail = c;
	r->tail = &c->next;
}

/* 1: it says so; 0: there is none, or (told) it is wrong. fail_open: wrong is privileged. */
static int level(struct reading *r, const char *label, bool fail_open, struct podsec_policy *p)
{
	const struct doc *v = doc_get(r->labels, label);

	if (!v)
		return 0;
	if (podsec_read_level(doc_slice(v), &p->level))
		return 1;
	wrong(r, label, v, PODSEC_LEVELS);
	if (fail_open)
		p->level = PODSEC_PRIVILEGED;
	return 0;
}

static bool version(struct reading *r, const char *label, struct podsec_policy *p)
{
	const struct doc *v = doc_get(r->labels, label);

	if (v && !podsec_read_version(doc_slice(v), &p->minor))
		wrong(r, label, v, PODSEC_VERSIONS);
	return v;
}

/* What labels do not say is the configuration's. */
static struct policy policy_of(const struct admission_call *c, const struct doc *labels)
{
	const struct podsec_conf *conf = &c->ad->conf.podsec;
	struct policy p = { conf->enforce, conf->audit, conf->warn, NULL };
	struct reading r = { .a = c->sc->a, .labels = labels, .tail = &p.wrong };
	bool enforced, warned;

	if (!doc_len(labels))
		return p;
	enforced = level(&r, LABEL "enforce", false, &p.enforce);
	(void)version(&r, LABEL "enforce-version", &p.enforce);
	(void)level(&r, LABEL "audit", true, &p.audit);
	(void)version(&r, LABEL "audit-version", &p.audit);
	(void)level(&r, LABEL "warn", true, &p.warn);
	warned = version(&r, LABEL "warn-version", &p.warn);
	/* Who enforces without a word about warnings warns of the same. */
	if (!doc_get(labels, LABEL "warn") && enforced && p.enforce.level > p.warn.level) {
		p.warn.level = p.enforce.level;
		if (!warned)
			p.warn.minor = p.enforce.minor;
	}
	return p;
}

static bool same_policy(const struct podsec_policy *x, const struct podsec_policy *y)
{
	return x->level == y->level && x->minor == y->minor;
}

/* ---- a pod, or what makes pods ---- */

struct verdict {
	struct podsec_policy policy;
	bool known, bad;
	struct buf details;
};

static bool judge(struct verdict *v, const struct podsec_policy *p, const struct doc *pod,
		  struct arena *a)
{
	struct buf reasons = BUF_INIT(WORDS_MAX);

	if (!v->known || !same_policy(&v->policy, p)) {
		buf_clear(&v->details);
		v->policy = *p;
		v->bad = podsec_check(p, pod, a, &reasons, &v->details);
		v->known = true;
		buf_fini(&reasons);
	}
	return v->bad;
}

static const char *words(struct verdict *v, struct arena *a, const char *verb)
{
	char name[PODSEC_TEXT_MAX];

	return arena_printf(a, "%s PodSecurity \"%s\": %s", verb, podsec_print(&v->policy, name),
			    buf_str(&v->details));
}

static void note_policy(struct admission_call *c, const struct podsec_policy *p)
{
	char name[PODSEC_TEXT_MAX];

	admit_note(c, LABEL "enforce-policy", arena_strdup(c->sc->a, podsec_print(p, name)));
}

static bool is_among(struct slice s, const struct strs *list)
{
	for (size_t i = 0; s.n && i < list->n; i++)
		if (slice_is(s, list->v[i]))
			return true;
	return false;
}

/* By the namespace or the user: nobody looks at it. */
static bool is_exempt(struct admission_call *c)
{
	const struct podsec_conf *conf = &c->ad->conf.podsec;
	const char *why = is_among(slice_str(c->ns), &conf->namespaces)		? "namespace"
			  : is_among(slice_str(c->sc->user.name), &conf->users) ? "user"
										: NULL;

	if (why)
		admit_note(c, LABEL "exempt", why);
	return why;
}

static bool has_exempt_class(const struct admission_call *c, const struct doc *pod)
{
	return is_among(strategy_text(pod, "spec.runtimeClassName"), &c->ad->conf.podsec.classes);
}

static int evaluate(struct admission_call *c, const struct policy *p, const struct doc *pod,
		    bool enforce, struct err *err)
{
	struct verdict v = { .details = BUF_INIT(WORDS_MAX) };
	struct arena *a = c->sc->a;
	bool refused = false;
	int r = 0;

	if (has_exempt_class(c, pod)) {
		admit_note(c, LABEL "exempt", "runtimeClass");
		return 0;
	}
	if (enforce) {
		note_policy(c, &p->enforce);
		refused = judge(&v, &p->enforce, pod, a);
		if (refused)
			r = admit_refuse(c, err, "%s", words(&v, a, "violates"));
	}
	if (judge(&v, &p->audit, pod, a))
		admit_note(c, LABEL "audit-violations", words(&v, a, "would violate"));
	if (!refused && judge(&v, &p->warn, pod, a))
		strategy_warn(c->sc, "%s", words(&v, a, "would violate"));
	buf_fini(&v.details);
	return r;
}

/* Only images can change, and containers be added for a look. */
static bool same_images(const struct doc *x, const struct doc *y, const char *list)
{
	const struct doc *mine = doc_get(x, list), *theirs = doc_get(y, list);

	if (doc_len(mine) != doc_len(theirs))
		return false;
	for (size_t i = 0; i < doc_len(mine); i++)
		if (!strategy_same_at(doc_at(mine, i), doc_at(theirs, i), "image"))
			return false;
	return true;
}

static const struct doc *by_name(const struct doc *list, const struct doc *name)
{
	DOC_EACH (d, list)
		if (strategy_same(doc_get(d, "name"), name))
			return d;
	return NULL;
}

static bool is_significant(const struct doc *pod, const struct doc *old)
{
	const struct doc *spec = doc_get(pod, "spec"), *was = doc_get(old, "spec");

	if (!same_images(spec, was, "containers") || !same_images(spec, was, "initContainers"))
		return true;
	DOC_EACH (d, doc_get(spec, "ephemeralContainers")) {
		const struct doc *o =
			by_name(doc_get(was, "ephemeralContainers"), doc_get(d, "name"));

		if (!o || !strategy_same_at(d, o, "image"))
			return true;
	}
	return false;
}

static const struct doc *labels_of(struct admission_call *c)
{
	return doc_find(admit_get(c, "", "namespaces", "", slice_str(c->ns)), "metadata.labels");
}

static int admit_pod(struct admission_call *c, struct err *err)
{
	struct policy p;

	if (is_exempt(c))
		return 0;
	p = policy_of(c, labels_of(c));
	if (!p.wrong && p.enforce.level == PODSEC_PRIVILEGED &&
	    p.audit.level == PODSEC_PRIVILEGED && p.warn.level == PODSEC_PRIVILEGED) {
		note_policy(c, &(struct podsec_policy){ PODSEC_PRIVILEGED, PODSEC_LATEST });
		return 0;
	}
	if (c->old && !is_significant(c->obj, c->old))
		return 0;
	return evaluate(c, &p, c->obj, true, err);
}

static int admit_workload(struct admission_call *c, struct err *err)
{
	const struct doc *pod = admit_template(c, c->obj);
	struct policy p;

	if (*c->sub || is_exempt(c) || !pod)
		return 0;
	p = policy_of(c, labels_of(c));
	if (!p.wrong && p.audit.level == PODSEC_PRIVILEGED && p.warn.level == PODSEC_PRIVILEGED)
		return 0;
	return evaluate(c, &p, pod, false, err);
}

/* ---- a namespace ---- */

static int invalid(struct admission_call *c, const struct policy *p, struct err *err)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(16u << 10);
	bool several = p->wrong->next;

	for (const struct cause *w = p->wrong; w; w = w->next)
		(void)buf_addf(&text, "%s%s: %s", w == p->wrong ? "" : ", ", w->field, w->detail);
	(void)status_invalid(err, c->about, c->name, several ? "[%s]" : "%s", buf_str(&text));
	if (err)
		err->causes = p->wrong;
	return -ERR_INVALID;
}

static bool same_causes(const struct cause *x, const struct cause *y)
{
	for (; x && y; x = x->next, y = y->next)
		if (strcmp(x->field, y->field) != 0 || strcmp(x->detail, y->detail) != 0)
			return false;
	return !x && !y;
}

/* Pods that have the same against them are one warning, with the first of their names. */
struct group {
	const char *reasons, *first;
	unsigned n;
};
struct survey {
	struct admission_call *c;
	const struct podsec_policy *p;
	struct group *groups;
	size_t n, pods;
	int64_t end;
};

static int survey_pod(void *arg, struct doc *pod)
{
	struct buf reasons = BUF_INIT(WORDS_MAX);
	struct survey *s = arg;
	struct arena *a = s->c->sc->a;
	size_t i = 0;

	if (has_exempt_class(s->c, pod) || ++s->pods > PODS_MAX || clock_mono() > s->end)
		return 0;
	if (!podsec_check(s->p, pod, a, &reasons, NULL)) {
		buf_fini(&reasons);
		return 0;
	}
	while (i < s->n && strcmp(s->groups[i].reasons, buf_str(&reasons)) != 0)
		i++;
	if (i == s->n) {
		s->groups = arena_grow(a, s->groups, s->n * sizeof(*s->groups),
				       (s->n + 1) * sizeof(*s->groups));
		if (s->groups)
			s->groups[s->n++] = (struct group){
				.reasons = arena_strdup(a, buf_str(&reasons)),
				.first = admit_text(s->c, pod, "metadata.name"),
			};
	}
	if (i < s->n && s->groups)
		s->groups[i].n++; /* pods come in the order of their names */
	buf_fini(&reasons);
	return s->groups ? 0 : -ERR_QUOTA;
}

static const char *group_text(const struct group *g, struct arena *a)
{
	if (g->n == 1)
		return arena_printf(a, "%s: %s", g->first, g->reasons);
	return arena_printf(a, "%s (and %u other pod%s): %s", g->first, g->n - 1,
			    g->n == 2 ? "" : "s", g->reasons);
}

static int by_text(const void *x, const void *y)
{
	const char *const *a = x, *const *b = y;

	return strcmp(*a, *b);
}

static int survey(struct admission_call *c, const struct podsec_policy *p, struct err *err)
{
	struct survey s = { .c = c, .p = p, .end = clock_mono() + NS_PER_SEC };
	char name[PODSEC_TEXT_MAX];
	const char **text;
	int r = admit_each(c, "", "pods", c->name, NULL, survey_pod, &s, err);

	if (r < 0)
		return arena_quota(c->sc->a, err);
	text = s.n ? ARENA_ARRAY(c->sc->a, const char *, s.n) : NULL;
	if (s.pods > PODS_MAX)
		strategy_warn(c->sc,
			      "new PodSecurity enforce level only checked against the first %d of "
			      "%zu existing pods",
			      PODS_MAX, s.pods);
	if (!text)
		return 0;
	strategy_warn(c->sc,
		      "existing pods in namespace \"%s\" violate the new PodSecurity enforce "
		      "level \"%s\"",
		      c->name, podsec_print(p, name));
	for (size_t i = 0; i < s.n; i++)
		text[i] = group_text(&s.groups[i], c->sc->a);
	if (arena_exceeded(c->sc->a))
		return arena_quota(c->sc->a, err);
	qsort(text, s.n, sizeof(*text), by_text);
	for (size_t i = 0; i < s.n; i++)
		strategy_warn(c->sc, "%s", text[i]);
	return 0;
}

static bool is_lenient(const struct podsec_policy *p)
{
	return p->level == PODSEC_PRIVILEGED;
}

/* Levels that nobody sets are the same in every version. */
static bool means_same(const struct podsec_policy *x, const struct podsec_policy *y)
{
	return (is_lenient(x) && is_lenient(y)) || same_policy(x, y);
}

static void add_mode(struct buf *b, const struct podsec_policy *p, const struct doc *labels,
		     const char *mode)
{
	char label[64], name[PODSEC_TEXT_MAX];
	bool said;

	(void)snprintf(label, sizeof(label), LABEL "%s", mode);
	said = doc_get(labels, label);
	(void)snprintf(label, sizeof(label), LABEL "%s-version", mode);
	if (!is_lenient(p) && (said || doc_get(labels, label)))
		(void)buf_addf(b, "%s%s=%s", b->n ? ", " : "", mode, podsec_print(p, name));
}

/* Labels of a namespace that nobody looks at. true: it is one. */
static bool warn_exempt(struct admission_call *c, const struct policy *p)
{
	const struct doc *labels = doc_find(c->obj, "metadata.labels");
	const struct podsec_conf *conf = &c->ad->conf.podsec;
	CLEANUP(buf_fini) struct buf modes = BUF_INIT(1024);

	if (!is_among(slice_str(c->name), &conf->namespaces))
		return false;
	if ((is_lenient(&p->enforce) && is_lenient(&p->audit) && is_lenient(&p->warn)) ||
	    (means_same(&p->enforce, &conf->enforce) && means_same(&p->audit, &conf->audit) &&
	     means_same(&p->warn, &conf->warn)))
		return true;
	add_mode(&modes, &p->enforce, labels, "enforce");
	add_mode(&modes, &p->audit, labels, "audit");
	add_mode(&modes, &p->warn, labels, "warn");
	strategy_warn(c->sc,
		      "namespace \"%s\" is exempt from Pod Security, and the policy (%s) will be "
		      "ignored",
		      c->name, buf_str(&modes));
	return true;
}

static int admit_namespace(struct admission_call *c, struct err *err)
{
	struct policy p = policy_of(c, doc_find(c->obj, "metadata.labels")), was;

	if (*c->sub)
		return 0;
	if (c->op == ADMISSION_CREATE) {
		if (p.wrong)
			return invalid(c, &p, err);
		(void)warn_exempt(c, &p);
		return 0;
	}
	was = policy_of(c, doc_find(c->old, "metadata.labels"));
	if (p.wrong && (!was.wrong || !same_causes(p.wrong, was.wrong)))
		return invalid(c, &p, err);
	if (same_policy(&p.enforce, &was.enforce) || p.enforce.level == PODSEC_PRIVILEGED ||
	    (p.enforce.minor == was.enforce.minor && p.enforce.level <= was.enforce.level))
		return 0;
	return warn_exempt(c, &p) ? 0 : survey(c, &p.enforce, err);
}

int admit_security(struct admission_call *c, struct err *err)
{
	if (c->kind == ADMIT_NAMESPACE)
		return admit_namespace(c, err);
	return c->kind == ADMIT_POD ? admit_pod(c, err) : admit_workload(c, err);
}
