/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LimitRanger: the limit ranges of a namespace give containers their defaults, and bound what
 * containers, pods and claims ask for. PodResizeValidator: what a node has bounds a resize.
 */
#include "apiserver/admission/admission-private.h"

#include "apiserver/objects/status.h"
#include "base/err.h"

#include <inttypes.h>

#define ANNOTATION "kubernetes.io/limit-ranger"

static bool is_exempt(const struct admission_call *c)
{
	if (c->kind == ADMIT_POD && c->op == ADMISSION_UPDATE && !*c->sub)
		return true;
	if (*c->sub && c->kind != ADMIT_POD)
		return true;
	return c->old && doc_find(c->old, "metadata.deletionTimestamp");
}

/* ---- defaults ---- */

struct defaults {
	struct admission_call *c;
	const struct api_type *container;
	struct doc requests, limits; /* maps */
	struct buf said;
};

/* What is not there yet of `from`; its names are told. */
static bool fill(struct defaults *d, struct doc *container, const char *path,
		 const struct doc *from)
{
	struct arena *a = d->c->sc->a;
	bool any = false;

	DOC_EACH_MEMBER (key, value, from) {
		struct doc *map = doc_find(container, path);

		if (doc_getn(map, doc_slice(key)))
			continue;
		if (!map)
			map = strategy_put(d->container, container, a, path, doc_object());
		if (!map)
			return false;
		strategy_map_put(a, map, doc_cstr(a, key), *value, true);
		(void)buf_addf(&d->said, "%s%.*s",
			       any	   ? ", "
			       : d->said.n ? "; "
					   : "",
			       (int)key->n, key->s);
		any = true;
	}
	return any;
}

static void fill_list(struct defaults *d, const char *list, const char *what)
{
	DOC_EACH (container, doc_get(doc_get(d->c->obj, "spec"), list)) {
		const char *name = admit_text(d->c, container, "name");

		if (fill(d, container, "resources.requests", &d->requests))
			(void)buf_addf(&d->said, " request for %s %s", what, name);
		if (fill(d, container, "resources.limits", &d->limits))
			(void)buf_addf(&d->said, " limit for %s %s", what, name);
	}
}

static int give_defaults(void *arg, struct doc *range)
{
	struct admission_call *c = arg;
	struct defaults d = { .c = c,
			      .container = strategy_type(admit_type(c), "spec.containers"),
			      .requests = doc_object(),
			      .limits = doc_object(),
			      .said = BUF_INIT(64u << 10) };
	struct doc *notes;

	DOC_EACH (item, doc_find(range, "spec.limits")) {
		if (!strategy_is(item, "type", "Container"))
			continue;
		DOC_EACH_MEMBER (k, v, doc_get(item, "defaultRequest"))
			strategy_map_put(c->sc->a, &d.requests, doc_cstr(c->sc->a, k), *v, false);
		DOC_EACH_MEMBER (k, v, doc_get(item, "default"))
			strategy_map_put(c->sc->a, &d.limits, doc_cstr(c->sc->a, k), *v, false);
	}
	fill_list(&d, "containers", "container");
	fill_list(&d, "initContainers", "init container");
	if (d.said.n) {
		notes = doc_find(c->obj, "metadata.annotations");
		if (!notes)
			notes = strategy_put(admit_type(c), c->obj, c->sc->a,
					     "metadata.annotations", doc_object());
		strategy_map_put(
			c->sc->a, notes, ANNOTATION,
			doc_str(c->sc->a, arena_printf(c->sc->a, "LimitRanger plugin set: %s",
						       buf_str(&d.said))),
			false);
	}
	buf_fini(&d.said);
	return 0;
}

int admit_limits(struct admission_call *c, struct err *err)
{
	if (is_exempt(c) || c->kind != ADMIT_POD)
		return 0;
	return admit_each(c, "", "limitranges", c->ns, NULL, give_defaults, c, err);
}

/* ---- bounds ---- */

struct bounds {
	struct admission_call *c;
	const char *type; /* "Container", "Pod" */
	struct amounts requests, limits;
	struct doc said; /* each once */
	struct err *err;
};

static void say(struct bounds *b, const char *text)
{
	DOC_EACH (s, &b->said)
		if (text && doc_str_is(s, text))
			return;
	(void)doc_append_str(b->c->sc->a, &b->said, text);
}

struct bound {
	struct slice name;
	struct slice text; /* of the bound */
	struct quantity q;
	const struct quantity *req, *lim; /* NULL: not specified */
};

static int64_t units(const struct quantity *q)
{
	return q ? quantity_units(q) : 0;
}

/* In thousandths unless one of them is too large for that. */
static int compare(const struct bound *x, const struct quantity *q)
{
	const int64_t max = INT64_MAX / 1000;
	int64_t v = units(q), of = units(&x->q);

	if (units(x->req) <= max && units(x->lim) <= max && of <= max) {
		v = q ? quantity_milli(q) : 0;
		of = quantity_milli(&x->q);
	}
	return (v > of) - (v < of);
}

static void exceeds(struct bounds *b, const struct bound *x, const char *bound, const char *what,
		    const struct quantity *q)
{
	char text[QUANTITY_TEXT_MAX];

	(void)quantity_print(q, text);
	say(b, arena_printf(b->c->sc->a, "%s %.*s usage per %s is %.*s, but %s is %s", bound,
			    (int)x->name.n, x->name.p, b->type, (int)x->text.n, x->text.p, what,
			    text));
}

static void lacks(struct bounds *b, const struct bound *x, const char *bound, const char *what)
{
	say(b, arena_printf(b->c->sc->a, "%s %.*s usage per %s is %.*s.  No %s is specified", bound,
			    (int)x->name.n, x->name.p, b->type, (int)x->text.n, x->text.p, what));
}

static void check_min(struct bounds *b, const struct bound *x)
{
	if (!x->req)
		lacks(b, x, "minimum", "request");
	else if (compare(x, x->req) < 0)
		exceeds(b, x, "minimum", "request", x->req);
	else if (x->lim && compare(x, x->lim) < 0)
		exceeds(b, x, "minimum", "limit", x->lim);
}

static void check_max(struct bounds *b, const struct bound *x)
{
	const bool claim = b->c->kind == ADMIT_CLAIM; /* they have no limits */

	if (claim ? !x->req : !x->lim)
		lacks(b, x, "maximum", claim ? "request" : "limit");
	else if (!claim && compare(x, x->lim) > 0)
		exceeds(b, x, "maximum", "limit", x->lim);
	else if (x->req && compare(x, x->req) > 0)
		exceeds(b, x, "maximum", "request", x->req);
}

static void check_ratio(struct bounds *b, const struct bound *x)
{
	const bool req = x->req && x->req->nano != 0, lim = x->lim && x->lim->nano != 0;
	double ratio;

	if (!req || !lim) {
		say(b, arena_printf(b->c->sc->a,
				    "%.*s max limit to request ratio per %s is %.*s, but no %s is "
				    "specified or %s is 0",
				    (int)x->name.n, x->name.p, b->type, (int)x->text.n, x->text.p,
				    req ? "limit" : "request", req ? "limit" : "request"));
		return;
	}
	ratio = (double)x->lim->nano / (double)x->req->nano;
	if (ratio * 1000 > (double)quantity_milli(&x->q))
		say(b, arena_printf(b->c->sc->a,
				    "%.*s max limit to request ratio per %s is %.*s, but provided "
				    "ratio is %f",
				    (int)x->name.n, x->name.p, b->type, (int)x->text.n, x->text.p,
				    ratio));
}

static void check_item(struct bounds *b, const struct doc *item)
{
	static const struct {
		const char *field;
		void (*check)(struct bounds *b, const struct bound *x);
	} fields[] = { { "min", check_min },
		       { "max", check_max },
		       { "maxLimitRequestRatio", check_ratio } };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (b->c->kind == ADMIT_CLAIM && i == 2)
			continue;
		DOC_EACH_MEMBER (key, value, doc_get(item, fields[i].field)) {
			struct bound x = { .name = doc_slice(key), .text = doc_slice(value) };

			if (!quantity_parse(x.text, &x.q))
				continue;
			x.req = amounts_get(&b->requests, x.name);
			x.lim = amounts_get(&b->limits, x.name);
			fields[i].check(b, &x);
		}
	}
}

static void check_containers(struct bounds *b, const struct doc *item, const char *list)
{
	DOC_EACH (d, doc_get(doc_get(b->c->obj, "spec"), list)) {
		b->requests = amounts_read(b->c->sc->a, doc_find(d, "resources.requests"));
		b->limits = amounts_read(b->c->sc->a, doc_find(d, "resources.limits"));
		check_item(b, item);
	}
}

static void check_limit(struct bounds *b, const struct doc *item)
{
	struct arena *a = b->c->sc->a;
	const struct doc *obj = b->c->obj;

	b->type = admit_text(b->c, item, "type");
	b->limits = (struct amounts){ .a = a };
	if (b->c->kind == ADMIT_CLAIM) {
		if (strcmp(b->type, "PersistentVolumeClaim") != 0)
			return;
		b->requests = amounts_read(a, doc_find(obj, "spec.resources.requests"));
		check_item(b, item);
	} else if (strcmp(b->type, "Container") == 0) {
		check_containers(b, item, "containers");
		check_containers(b, item, "initContainers");
	} else if (strcmp(b->type, "Pod") == 0) {
		b->requests = amounts_of_pod(a, obj, "requests", 0);
		b->limits = amounts_of_pod(a, obj, "limits", 0);
		check_item(b, item);
	}
}

static int bound_by(void *arg, struct doc *range)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(64u << 10);
	struct bounds *b = arg;
	bool several;

	b->said = doc_array();
	DOC_EACH (item, doc_find(range, "spec.limits"))
		check_limit(b, item);
	several = doc_len(&b->said) > 1;
	if (!doc_len(&b->said))
		return 0;
	for (size_t i = 0; i < doc_len(&b->said); i++)
		(void)buf_addf(&text, "%s%.*s", i ? ", " : "", (int)doc_at(&b->said, i)->n,
			       doc_at(&b->said, i)->s);
	return admit_refuse(b->c, b->err, several ? "[%s]" : "%s", buf_str(&text));
}

int admit_limits_check(struct admission_call *c, struct err *err)
{
	struct bounds b = { .c = c, .err = err };

	if (is_exempt(c))
		return 0;
	return admit_each(c, "", "limitranges", c->ns, NULL, bound_by, &b, err);
}

/* ---- PodResizeValidator ---- */

static int refuse_resize(struct admission_call *c, struct err *err, const char *why,
			 const char *reason)
{
	struct cause *cause = ARENA_NEW(c->sc->a, struct cause);
	int r = admit_refuse(c, err, "%s", why);

	if (cause && err) {
		*cause = (struct cause){ .field = "", .reason = reason, .detail = "" };
		err->causes = cause;
	}
	return r;
}

int admit_pod_resize(struct admission_call *c, struct err *err)
{
	struct slice name = strategy_text(c->obj, "spec.nodeName");
	struct amounts want, has;
	const struct quantity *cpu, *memory, zero = { 0 };
	const struct doc *node, *os;
	const char *why = NULL, *more = NULL;
	struct arena *a = c->sc->a;

	if (!name.n || strategy_int(c->obj, "metadata.generation") ==
			       strategy_int(c->old, "metadata.generation"))
		return 0;
	node = admit_get(c, "", "nodes", "", name);
	if (!node)
		return admit_refuse(c, err, "node \"%.*s\" not found", (int)name.n, name.p);
	os = doc_get(doc_find(node, "metadata.labels"), "kubernetes.io/os");
	if (os && !doc_str_is(os, "linux"))
		return refuse_resize(c, err,
				     arena_printf(a,
						  "pod resize is only supported on linux nodes, "
						  "node \"%.*s\" is \"%.*s\"",
						  (int)name.n, name.p, (int)os->n, os->s),
				     "UnsupportedPlatform");
	want = amounts_of_pod(a, c->obj, "requests", AMOUNTS_OVERHEAD);
	has = amounts_read(a, doc_find(node, "status.allocatable"));
	cpu = amounts_get(&has, SLICE("cpu"));
	memory = amounts_get(&has, SLICE("memory"));
	cpu = cpu ? cpu : &zero;
	memory = memory ? memory : &zero;
	if (amounts_get(&want, SLICE("cpu")) &&
	    quantity_cmp(amounts_get(&want, SLICE("cpu")), cpu) > 0)
		why = arena_printf(a, "cpu, requested: %" PRId64 ", allocatable: %" PRId64,
				   quantity_milli(amounts_get(&want, SLICE("cpu"))),
				   quantity_milli(cpu));
	if (amounts_get(&want, SLICE("memory")) &&
	    quantity_cmp(amounts_get(&want, SLICE("memory")), memory) > 0)
		more = arena_printf(a, "memory, requested: %" PRId64 ", allocatable: %" PRId64,
				    quantity_units(amounts_get(&want, SLICE("memory"))),
				    quantity_units(memory));
	if (!why && !more)
		return 0;
	return refuse_resize(
		c, err,
		arena_printf(a, "node didn't have enough allocatable resources: %s%s%s",
			     why ? why : "", why && more ? "; " : "", more ? more : ""),
		"NodeCapacity");
}
