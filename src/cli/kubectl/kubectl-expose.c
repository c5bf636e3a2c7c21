/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl expose`: a service in front of what is there. `kubectl autoscale`: a scaler of it. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "base/arena.h"
#include "base/err.h"

#include <ctype.h>

#define NAME_MAX_DNS 63

static bool full(const char *s)
{
	return s && *s;
}

/* ---- expose ---- */

static const struct make_kind service_kind = { "v1", "Service", "services", true, NULL };

struct expose_opts {
	struct make_flags make;
	struct kubectl_files files;
	const char *ip, *external, *labels, *balancer, *name, *over, *over_type, *port, *protocol,
		*selector, *affinity, *target, *type;
};
#define EXPOSE_OPT(field, name, letter, help) \
	OPT(struct expose_opts, STR, field, name, letter, help)
static const struct opt expose_opts[] = {
	MAKE_ROWS_BY(struct expose_opts, "kubectl-expose"),
	EXPOSE_OPT(ip, "cluster-ip", 0, "Its address, or None"),
	EXPOSE_OPT(external, "external-ip", 0, "A further address, not the cluster's"),
	KUBECTL_FILE_ROWS(struct expose_opts),
	EXPOSE_OPT(labels, "labels", 'l', "Labels of the service (default: the object's)"),
	EXPOSE_OPT(balancer, "load-balancer-ip", 0, "Address of the load balancer"),
	EXPOSE_OPT(name, "name", 0, "Name of the service (default: the object's)"),
	EXPOSE_OPT(over_type, "override-type", 0, "json, merge (default) or strategic"),
	EXPOSE_OPT(over, "overrides", 0, "JSON that is put over the object"),
	EXPOSE_OPT(port, "port", 0, "Its port (default: the object's)"),
	EXPOSE_OPT(protocol, "protocol", 0, "TCP (default), UDP, SCTP"),
	EXPOSE_OPT(selector, "selector", 0, "Labels of the pods (default: the object's)"),
	EXPOSE_OPT(affinity, "session-affinity", 0, "None or ClientIP"),
	EXPOSE_OPT(target, "target-port", 0, "Port of the containers, or its name"),
	EXPOSE_OPT(type, "type", 0, "ClusterIP (default), NodePort, LoadBalancer, ExternalName"),
	OPT_END
};

/* What can be exposed, and where it has its parts. */
static const struct exposable {
	const char *kind, *selector, *ports;
} exposables[] = {
	{ "Pod", "metadata.labels", "spec.containers" },
	{ "Service", "spec.selector", "spec.ports" },
	{ "ReplicationController", "spec.selector", "spec.template.spec.containers" },
	{ "Deployment", "spec.selector.matchLabels", "spec.template.spec.containers" },
	{ "ReplicaSet", "spec.selector.matchLabels", "spec.template.spec.containers" },
};

int kubectl_labels(struct kubectl *k, const char *text, struct doc *into, struct err *err)
{
	for (struct slice rest = slice_str(text); rest.p;) {
		struct slice one = slice_split(&rest, ','), value = one,
			     key = slice_split(&value, '=');

		if (!value.p || slice_has(value, '='))
			return err_set(err, ERR_INVALID, "unexpected label spec: %.*s", (int)one.n,
				       one.n ? one.p : "");
		if (!key.n)
			return err_set(err, ERR_INVALID, "unexpected empty label key");
		doc_setn(k->arena, into, key, doc_strn(k->arena, value.p, value.n));
	}
	doc_sort_members(into);
	return 0;
}

static int put_selector(struct making *m, const struct exposable *x, const struct doc *obj,
			const char *text, struct doc *spec, struct err *err)
{
	struct doc *out = doc_set_object(m->k->arena, spec, "selector");
	const struct doc *from = doc_find(obj, x->selector);

	if (full(text))
		return kubectl_labels(m->k, text, out, err);
	if (doc_len(doc_find(obj, "spec.selector.matchExpressions")) &&
	    strcmp(x->kind, "Service") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "couldn't retrieve selectors via --selector flag or introspection: "
			       "couldn't convert expressions to map-based selector format");
	if (!doc_len(from))
		return err_set(err, ERR_INVALID,
			       "couldn't retrieve selectors via --selector flag or introspection: "
			       "the %s has no %s",
			       strcmp(x->kind, "Pod") == 0 ? "pod" : x->kind,
			       strcmp(x->kind, "Pod") == 0 ? "labels and cannot be exposed"
							   : "pod selector set");
	DOC_EACH_MEMBER (key, value, from)
		doc_setn(m->k->arena, out, slice_of(key->s, key->n), *value);
	doc_sort_members(out);
	return 0;
}

/* One port of the object: its number and protocol. */
struct port {
	int64_t number;
	struct slice protocol;
};
struct ports {
	struct port v[256];
	size_t n;
};

static void add_port(struct ports *p, const struct doc *d, const char *member)
{
	struct slice protocol = doc_slice(doc_get(d, "protocol"));

	if (p->n == ARRAY_LEN(p->v))
		return;
	p->v[p->n].number = 0;
	doc_int64(doc_get(d, member), &p->v[p->n].number);
	p->v[p->n++].protocol = protocol.n ? protocol : SLICE("TCP");
}

static void find_ports(const struct exposable *x, const struct doc *obj, struct ports *ret)
{
	const struct doc *list = doc_find(obj, x->ports);
	bool service = strcmp(x->kind, "Service") == 0;

	ret->n = 0;
	DOC_EACH (e, list) {
		if (service)
			add_port(ret, e, "port");
		DOC_EACH (p, doc_get(e, "ports"))
			add_port(ret, p, "containerPort");
	}
}

static void put_port(struct making *m, const struct expose_opts *o, struct doc *list,
		     const char *name, const struct port *p)
{
	struct arena *a = m->k->arena;
	struct doc *e = doc_append_object(a, list);

	if (full(name))
		doc_set_str(a, e, "name", name);
	doc_set_strn(a, e, "protocol", p->protocol.p, p->protocol.n);
	doc_set_int(a, e, "port", p->number);
	doc_set(a, e, "targetPort",
		full(o->target) ? make_int_or_text(a, slice_str(o->target))
				: doc_int(a, p->number));
}

/* One of the ports that were asked for; the object knows its protocols. */
static void put_number(struct making *m, const struct expose_opts *o, const struct ports *own,
		       struct doc *list, int64_t number, size_t nth)
{
	struct port p = { .number = number, .protocol = SLICE("TCP") };
	size_t same = 0;

	if (full(o->protocol))
		p.protocol = slice_str(o->protocol);
	for (size_t i = 0; i < own->n && !full(o->protocol); i++)
		if (own->v[i].number == number) {
			same++;
			p.protocol = own->v[i].protocol;
		}
	if (same < 2) {
		put_port(m, o, list, nth ? arena_printf(m->k->arena, "port-%zu", nth) : NULL, &p);
		return;
	}
	for (size_t i = 0; i < own->n; i++) {
		char *name;

		if (own->v[i].number != number)
			continue;
		name = arena_printf(m->k->arena, "port-%zu-%.*s", nth ? nth : 1,
				    (int)own->v[i].protocol.n, own->v[i].protocol.p);
		for (char *c = name; c && *c; c++)
			*c = (char)tolower((unsigned char)*c);
		put_port(m, o, list, name, &own->v[i]);
	}
}

static int put_ports(struct making *m, const struct expose_opts *o, const struct exposable *x,
		     const struct doc *obj, struct doc *spec, struct err *err)
{
	struct ports own;
	struct doc *list;
	size_t n = 0, nth = 0;

	find_ports(x, obj, &own);
	for (const char *c = full(o->port) ? o->port : NULL; c; c = strchr(c + 1, ','))
		n++;
	if (!n && !own.n) {
		if (full(o->ip) && strcmp(o->ip, "None") == 0)
			return 0;
		return err_set(err, ERR_INVALID,
			       "couldn't find port via --port flag or introspection");
	}
	list = doc_set_array(m->k->arena, spec, "ports");
	for (size_t i = 0; i < own.n && !n; i++) {
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again |= own.v[j].number == own.v[i].number;
		if (!again)
			put_number(m, o, &own, list, own.v[i].number, own.n > 1 ? ++nth : 0);
	}
	for (struct slice rest = slice_str(n ? o->port : NULL); rest.p;) {
		struct slice one = slice_split(&rest, ',');
		int64_t number;

		if (str_int64(one, &number, NULL) < 0)
			return err_set(err, ERR_INVALID,
				       "strconv.Atoi: parsing \"%.*s\": invalid syntax", (int)one.n,
				       one.n ? one.p : "");
		put_number(m, o, &own, list, number, n > 1 ? ++nth : 0);
	}
	return 0;
}

static int put_rest(struct making *m, const struct expose_opts *o, struct doc *spec,
		    struct err *err)
{
	struct arena *a = m->k->arena;

	if (full(o->ip))
		doc_set_str(a, spec, "clusterIP", o->ip);
	if (full(o->type))
		doc_set_str(a, spec, "type", o->type);
	if (full(o->external))
		doc_append_str(a, doc_set_array(a, spec, "externalIPs"), o->external);
	if (full(o->affinity)) {
		if (strcmp(o->affinity, "None") != 0 && strcmp(o->affinity, "ClientIP") != 0)
			return err_set(err, ERR_INVALID, "unknown session affinity: %s",
				       o->affinity);
		doc_set_str(a, spec, "sessionAffinity", o->affinity);
	}
	if (full(o->balancer) && full(o->type) && strcmp(o->type, "LoadBalancer") == 0)
		doc_set_str(a, spec, "loadBalancerIP", o->balancer);
	return 0;
}

static int put_labels(struct making *m, const struct expose_opts *o, const struct doc *obj,
		      struct doc *d, struct err *err)
{
	const struct doc *own = doc_find(obj, "metadata.labels");
	struct doc *out;

	if (!full(o->labels) && !doc_len(own))
		return 0;
	out = doc_set_object(m->k->arena, doc_get(d, "metadata"), "labels");
	if (full(o->labels))
		return kubectl_labels(m->k, o->labels, out, err);
	DOC_EACH_MEMBER (key, value, own)
		doc_setn(m->k->arena, out, slice_of(key->s, key->n), *value);
	doc_sort_members(out);
	return 0;
}

static int expose_one(struct making *m, const struct expose_opts *o, const struct kubectl_item *it,
		      const struct doc *obj, struct err *err)
{
	const struct exposable *x = NULL;
	struct doc *d, *spec, *got;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(exposables); i++)
		if (strcmp(exposables[i].kind, it->res->kind) == 0)
			x = &exposables[i];
	if (!x)
		return err_set(err, ERR_INVALID, "cannot expose a %s%s%s", it->res->kind,
			       *it->res->group ? "." : "", it->res->group);
	m->name = full(o->name) ? o->name
				: arena_strndup(m->k->arena, it->name,
						MIN(strlen(it->name), (size_t)NAME_MAX_DNS));
	if (!m->name)
		return arena_quota(m->k->arena, err);
	d = make_object(m, &service_kind, m->name);
	r = put_labels(m, o, obj, d, err);
	spec = doc_set_object(m->k->arena, d, "spec");
	if (r == 0)
		r = put_ports(m, o, x, obj, spec, err);
	if (r == 0)
		r = put_selector(m, x, obj, o->selector, spec, err);
	if (r == 0)
		r = put_rest(m, o, spec, err);
	doc_set_object(m->k->arena, doc_set_object(m->k->arena, d, "status"), "loadBalancer");
	if (r == 0 && full(o->over))
		r = make_override(m, o->over_type, o->over, &d, err);
	if (r == 0)
		r = make_send(m, &service_kind, d, &got, err);
	if (r < 0)
		return r;
	if (m->print.form == PRINT_TABLE)
		return kubectl_done(&m->print, got, "exposed", m->dry, err);
	return make_print(m, got, err);
}

/* Each object in its turn; what fails is noted. */
static int each(struct cmd_call *call, const struct kubectl_files *files,
		int (*fn)(void *arg, const struct kubectl_item *it, const struct doc *obj,
			  struct err *err),
		void *arg, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct kubectl_send get = { 0 };
	struct kubectl_items items;
	int r;

	if (!call->nargs && !files->names.n)
		return kubectl_nothing_given(err);
	r = kubectl_items(call, files, KUBECTL_NAMES, &items, err);
	for (size_t i = 0; i < items.n && r == 0; i++) {
		struct doc *obj = items.v[i].obj;

		if (!items.v[i].from && kubectl_send(k, &items.v[i], &get, &obj, err) < 0) {
			kubectl_note(k, err);
			*err = ERR_INIT;
			continue;
		}
		if (fn(arg, &items.v[i], obj, err) < 0) {
			kubectl_note(k, err);
			*err = ERR_INIT;
		}
	}
	return r;
}

struct exposing {
	struct making m;
	const struct expose_opts *o;
};

static int on_exposed(void *arg, const struct kubectl_item *it, const struct doc *obj,
		      struct err *err)
{
	struct exposing *x = arg;

	return expose_one(&x->m, x->o, it, obj, err);
}

static int expose_run(struct cmd_call *call, struct err *err)
{
	struct exposing x = { .o = call->opts };
	int r = make_prepare(call, &x.o->make, "kubectl-expose", &x.m, err);

	x.m.validation = NULL;
	return r == 0 ? each(call, &x.o->files, on_exposed, &x, err) : r;
}

const struct cmd kubectl_expose = {
	.path = "expose",
	.args = "TYPE NAME|TYPE/NAME|-f FILE [OPTIONS]",
	.help = "Put a service in front of pods",
	.opts = expose_opts,
	.opts_size = sizeof(struct expose_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = expose_run,
};

/* ---- autoscale ---- */

static const struct make_kind scaler_kind = { "autoscaling/v1", "HorizontalPodAutoscaler",
					      "horizontalpodautoscalers", true, NULL };

struct autoscale_opts {
	struct make_flags make;
	struct kubectl_files files;
	const char *name;
	int64_t cpu, least, most;
	bool cpu_given, least_given, most_given;
};
static const struct opt autoscale_opts[] = {
	MAKE_ROWS_BY(struct autoscale_opts, "kubectl-autoscale"),
	OPT_SEEN_AT(struct autoscale_opts, INT, cpu, cpu_given, "cpu-percent", 0,
		    "How much of the processor that they ask for they shall use"),
	KUBECTL_FILE_ROWS(struct autoscale_opts),
	OPT_SEEN_AT(struct autoscale_opts, INT, most, most_given, "max", 0, "How many at most"),
	OPT_SEEN_AT(struct autoscale_opts, INT, least, least_given, "min", 0, "How many at least"),
	OPT(struct autoscale_opts, STR, name, "name", 0, "Its name (default: the object's)"),
	OPT_END
};

struct autoscaling {
	struct making m;
	const struct autoscale_opts *o;
};

static bool can_scale(const struct resource *r)
{
	for (size_t i = 0; i < r->nsubs; i++)
		if (strcmp(r->subs[i], "scale") == 0)
			return true;
	return false;
}

static int autoscale_one(void *arg, const struct kubectl_item *it, const struct doc *obj,
			 struct err *err)
{
	struct autoscaling *s = arg;
	const struct autoscale_opts *o = s->o;
	struct arena *a = s->m.k->arena;
	struct doc *d, *spec, *ref, *status, *got;
	int r;

	(void)obj;
	if (!can_scale(it->res))
		return err_set(err, ERR_INVALID,
			       "cannot autoscale a %s: could not find scale subresource for %s/%s, "
			       "Resource=%s in discovery information",
			       it->res->kind, it->res->group, it->res->version, it->res->name);
	d = make_object(&s->m, &scaler_kind, full(o->name) ? o->name : it->name);
	doc_remove(doc_get(d, "metadata"), "namespace");
	spec = doc_set_object(a, d, "spec");
	ref = doc_set_object(a, spec, "scaleTargetRef");
	doc_set_str(a, ref, "kind", it->res->kind);
	doc_set_str(a, ref, "name", it->name);
	doc_set_str(a, ref, "apiVersion", it->res->api_version);
	if (o->least_given && o->least > 0)
		doc_set_int(a, spec, "minReplicas", o->least);
	doc_set_int(a, spec, "maxReplicas", o->most);
	if (o->cpu_given && o->cpu >= 0)
		doc_set_int(a, spec, "targetCPUUtilizationPercentage", o->cpu);
	status = doc_set_object(a, d, "status");
	doc_set_int(a, status, "currentReplicas", 0);
	doc_set_int(a, status, "desiredReplicas", 0);
	r = make_send(&s->m, &scaler_kind, d, &got, err);
	if (r == 0 && s->m.print.form == PRINT_TABLE)
		return kubectl_done(&s->m.print, got, "autoscaled", s->m.dry, err);
	return r == 0 ? make_print(&s->m, got, err) : r;
}

static int autoscale_run(struct cmd_call *call, struct err *err)
{
	struct autoscaling s = { .o = call->opts };
	const struct autoscale_opts *o = s.o;
	int r;

	if (!o->most_given)
		return make_required("\"max\"", err);
	if (o->most < 1)
		return err_set(err, ERR_INVALID,
			       "--max=MAXPODS is required and must be at least 1, max: %lld",
			       (long long)o->most);
	if (o->least_given && o->most < o->least)
		return err_set(err, ERR_INVALID,
			       "--max=MAXPODS must be larger or equal to --min=MINPODS, max: %lld, "
			       "min: %lld",
			       (long long)o->most, (long long)o->least);
	r = make_prepare(call, &o->make, "kubectl-autoscale", &s.m, err);
	s.m.validation = NULL;
	return r == 0 ? each(call, &o->files, autoscale_one, &s, err) : r;
}

const struct cmd kubectl_autoscale = {
	.path = "autoscale",
	.args = "TYPE NAME|TYPE/NAME|-f FILE --max=COUNT [OPTIONS]",
	.help = "Let the cluster say how many replicas there are",
	.opts = autoscale_opts,
	.opts_size = sizeof(struct autoscale_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = autoscale_run,
};
