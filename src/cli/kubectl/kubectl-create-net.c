/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl create service KIND`, `create ingress`. */
#include "cli/kubectl/kubectl-cmds.h"
#include "cli/kubectl/kubectl-make.h"

#include "api/check.h"
#include "base/arena.h"
#include "base/err.h"

#include <ctype.h>

/* ---- services ---- */

struct service_opts {
	struct make_flags make;
	struct opt_list tcp;
	const char *ip, *external;
	int64_t node_port;
};
#define TCP_ROW MAKE_OPT(struct service_opts, LIST, tcp, "tcp", "PORT[:TARGET]")

static const struct opt cluster_ip_opts[] = { MAKE_ROWS(struct service_opts),
					      MAKE_OPT(struct service_opts, STR, ip, "clusterip",
						       "Its address, or None (default: any)"),
					      TCP_ROW, OPT_END };
static const struct opt external_opts[] = { MAKE_ROWS(struct service_opts),
					    MAKE_OPT(struct service_opts, STR, external,
						     "external-name",
						     "The name that it stands for"),
					    TCP_ROW, OPT_END };
static const struct opt node_port_opts[] = { MAKE_ROWS(struct service_opts),
					     MAKE_OPT(struct service_opts, INT, node_port,
						      "node-port",
						      "The port on each node (default: any)"),
					     TCP_ROW, OPT_END };
static const struct opt balancer_opts[] = { MAKE_ROWS(struct service_opts), TCP_ROW, OPT_END };

static int bad_number(struct slice s, const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID, "strconv.ParseUint: parsing \"%.*s\": %s", (int)s.n,
		       s.n ? s.p : "", why);
}

static int add_target(struct making *m, struct doc *port, struct slice text, struct err *err)
{
	const char *why;
	int64_t n;

	if (str_int64(text, &n, NULL) == 0)
		why = n < 1 || n > 65535 ? "must be between 1 and 65535, inclusive" : NULL;
	else
		why = form_port_name(text);
	doc_set(m->k->arena, port, "targetPort", make_int_or_text(m->k->arena, text));
	return why ? err_set(err, ERR_INVALID, "%s", why) : 0;
}

static int add_tcp(struct making *m, const char *text, int64_t node_port, struct doc *list,
		   struct err *err)
{
	struct slice target = slice_str(text), number = slice_split(&target, ':');
	struct arena *a = m->k->arena;
	struct doc *port = doc_append_object(a, list);
	char *name = arena_strdup(a, text);
	uint64_t n = 0;

	if (!number.n || str_uint64(number, &n, NULL) < 0)
		return bad_number(number, "invalid syntax", err);
	if (n > 65535)
		return bad_number(number, "value out of range", err);
	for (char *c = name; c && *c; c++)
		*c = (char)(*c == ':' ? '-' : *c);
	doc_set_str(a, port, "name", name);
	doc_set_str(a, port, "protocol", "TCP");
	doc_set_int(a, port, "port", (int64_t)n);
	if (add_target(m, port, target.p ? target : number, err) < 0)
		return err_ret(err);
	if (node_port)
		doc_set_int(a, port, "nodePort", node_port);
	return 0;
}

static int service_make(struct cmd_call *call, const char *type, struct err *err)
{
	const struct service_opts *o = call->opts;
	const bool external = strcmp(type, "ExternalName") == 0;
	struct make_kind kind = { "v1", "Service", "services", true, NULL };
	struct doc *d, *spec, *ports;
	struct opt_list tcp;
	struct making m;
	int r;

	if (external && !o->external)
		return make_required("\"external-name\"", err);
	r = make_begin(call, &o->make, &m, err);
	if (r == 0)
		r = make_commas(m.k, &o->tcp, 0, &tcp, err);
	if (r < 0)
		return r;
	kind.failed = arena_printf(m.k->arena, "failed to create %s service:", type);
	if (!tcp.n && !external && !(o->ip && strcmp(o->ip, "None") == 0))
		return err_set(err, ERR_BAD_REQUEST,
			       "at least one tcp port specifier must be provided");
	if (external && form_dns_subdomain(slice_str(o->external)))
		return err_set(err, ERR_INVALID, "invalid service external name %s", o->external);
	d = make_object(&m, &kind, m.name);
	make_app(&m, doc_get(d, "metadata"), "labels", m.name);
	spec = doc_set_object(m.k->arena, d, "spec");
	ports = tcp.n ? doc_set_array(m.k->arena, spec, "ports") : NULL;
	for (size_t i = 0; i < tcp.n; i++)
		if (add_tcp(&m, tcp.v[i], o->node_port, ports, err) < 0)
			return err_ret(err);
	make_app(&m, spec, "selector", m.name);
	if (o->ip && *o->ip)
		doc_set_str(m.k->arena, spec, "clusterIP", o->ip);
	doc_set_str(m.k->arena, spec, "type", type);
	if (external)
		doc_set_str(m.k->arena, spec, "externalName", o->external);
	doc_set_object(m.k->arena, doc_set_object(m.k->arena, d, "status"), "loadBalancer");
	return make_end(&m, &kind, d, err);
}

static int cluster_ip_run(struct cmd_call *call, struct err *err)
{
	return service_make(call, "ClusterIP", err);
}

static int external_run(struct cmd_call *call, struct err *err)
{
	return service_make(call, "ExternalName", err);
}

static int node_port_run(struct cmd_call *call, struct err *err)
{
	return service_make(call, "NodePort", err);
}

static int balancer_run(struct cmd_call *call, struct err *err)
{
	return service_make(call, "LoadBalancer", err);
}

#define SERVICE_CMD(word, words, rows, what, fn)                                \
	{                                                                       \
		.path = "create service " word,                                 \
		.aliases = (const char *const[]){ "create svc " word, NULL },   \
		.args = "NAME " words " [OPTIONS]", .help = what, .opts = rows, \
		.opts_size = sizeof(struct service_opts), .max = UINT8_MAX,     \
		.group = KUBECTL_BASIC, .run = fn                               \
	}
const struct cmd kubectl_create_service_clusterip =
	SERVICE_CMD("clusterip", "--tcp=PORT[:TARGET]", cluster_ip_opts,
		    "Create a service with an address in the cluster", cluster_ip_run);
const struct cmd kubectl_create_service_externalname =
	SERVICE_CMD("externalname", "--external-name=NAME", external_opts,
		    "Create a service that stands for a name", external_run);
const struct cmd kubectl_create_service_loadbalancer =
	SERVICE_CMD("loadbalancer", "--tcp=PORT[:TARGET]", balancer_opts,
		    "Create a service behind a load balancer", balancer_run);
const struct cmd kubectl_create_service_nodeport =
	SERVICE_CMD("nodeport", "--tcp=PORT[:TARGET]", node_port_opts,
		    "Create a service on a port of each node", node_port_run);

/* ---- ingress ---- */

static const struct make_kind ingress_kind = { "networking.k8s.io/v1", "Ingress", "ingresses", true,
					       "failed to create ingress:" };

struct ingress_opts {
	struct make_flags make;
	struct opt_list notes, rules;
	const char *class, *backend;
};
static const struct opt ingress_opts[] = {
	MAKE_ROWS(struct ingress_opts),
	MAKE_OPT(struct ingress_opts, LIST, notes, "annotation", "KEY=VALUE; repeated"),
	MAKE_OPT(struct ingress_opts, STR, class, "class", "Its class"),
	MAKE_OPT(struct ingress_opts, STR, backend, "default-backend",
		 "SERVICE:PORT for what no rule has"),
	MAKE_OPT(struct ingress_opts, LIST, rules, "rule",
		 "HOST/PATH=SERVICE:PORT[,tls[=SECRET]]; a path with * behind is a prefix"),
	OPT_END
};

/* One rule's parts. */
struct rule {
	struct slice host, path, service, port, secret;
	bool tls;
};

static size_t span(struct slice s, const char *more)
{
	size_t n = 0;

	while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_' || strchr(more, s.p[n])))
		n++;
	return n;
}

static struct slice behind(struct slice s, size_t n)
{
	return slice_of(s.p + n, s.n - n);
}

/* Upstream's expression, read by hand; the path goes up to the last "=service:port" that fits. */
static bool read_rule(const char *text, struct rule *ret)
{
	struct slice all = slice_str(text), head = all;
	size_t host = span(all, "*-.");

	*ret = (struct rule){ .host = slice_of(text, host) };
	if (host == all.n || text[host] != '/')
		return false;
	for (size_t at = all.n; at-- > host;) {
		struct slice rest = behind(all, at + 1);
		size_t name = span(rest, "-"), port;

		if (text[at] != '=' || !name || name >= rest.n || rest.p[name] != ':')
			continue;
		port = span(behind(rest, name + 1), "-");
		if (!port)
			continue;
		ret->path = slice_of(text + host, at - host);
		ret->service = slice_of(rest.p, name);
		ret->port = slice_of(rest.p + name + 1, port);
		break;
	}
	if (!ret->port.n)
		return false;
	slice_split(&head, ',');
	ret->tls = head.p && !slice_has(head, ',');
	if (ret->tls) {
		slice_split(&head, '=');
		ret->secret = head;
	}
	return true;
}

static void put_backend(struct making *m, struct doc *in, const char *member, struct slice name,
			struct slice port)
{
	struct arena *a = m->k->arena;
	struct doc *service = doc_set_object(a, doc_set_object(a, in, member), "service"), n;

	n = make_int_or_text(a, port);
	doc_set_strn(a, service, "name", name.p, name.n);
	doc_set(a, doc_set_object(a, service, "port"), n.type == DOC_NUMBER ? "number" : "name", n);
}

/* Hosts with one secret stand together; each host once. */
static void put_tls(struct making *m, const struct rule *rules, size_t n, struct doc *spec)
{
	struct arena *a = m->k->arena;
	struct doc list = doc_array();

	for (size_t i = 0; i < n; i++) {
		struct doc *same = NULL;
		bool known = !rules[i].tls;

		for (size_t j = 0; j < i; j++)
			known |= rules[j].tls && slice_eq(rules[j].host, rules[i].host);
		if (known)
			continue;
		DOC_EACH (e, &list)
			if (slice_eq(doc_slice(doc_get(e, "secretName")), rules[i].secret))
				same = e;
		if (!same && (rules[i].host.n || rules[i].secret.n))
			same = doc_append_object(a, &list);
		if (!same)
			continue;
		if (rules[i].host.n || doc_get(same, "hosts")) {
			struct doc *hosts = doc_get(same, "hosts");

			if (!hosts)
				hosts = doc_set_array(a, same, "hosts");
			doc_append(a, hosts, doc_strn(a, rules[i].host.p, rules[i].host.n));
		}
		if (rules[i].secret.n && !doc_get(same, "secretName"))
			doc_set_strn(a, same, "secretName", rules[i].secret.p, rules[i].secret.n);
	}
	if (list.n)
		doc_set(a, spec, "tls", list);
}

static void put_rules(struct making *m, const struct rule *rules, size_t n, struct doc *spec)
{
	struct arena *a = m->k->arena;
	struct doc *list = n ? doc_set_array(a, spec, "rules") : NULL;

	for (size_t i = 0; i < n; i++) {
		struct slice path = rules[i].path;
		bool prefix = path.p[path.n - 1] == '*';
		struct doc *paths = NULL, *one;

		DOC_EACH (e, list)
			if (slice_eq(doc_slice(doc_get(e, "host")), rules[i].host))
				paths = doc_find(e, "http.paths");
		if (!paths) {
			one = doc_append_object(a, list);
			if (rules[i].host.n)
				doc_set_strn(a, one, "host", rules[i].host.p, rules[i].host.n);
			paths = doc_set_array(a, doc_set_object(a, one, "http"), "paths");
		}
		one = doc_append_object(a, paths);
		doc_set_strn(a, one, "path", path.p, path.n - prefix);
		doc_set_str(a, one, "pathType", prefix ? "Prefix" : "Exact");
		put_backend(m, one, "backend", rules[i].service, rules[i].port);
	}
}

static int put_notes(struct making *m, const struct ingress_opts *o, struct doc *d, struct err *err)
{
	struct doc *notes = NULL;

	for (size_t i = 0; i < o->notes.n; i++) {
		struct slice value = slice_str(o->notes.v[i]), key = slice_split(&value, '=');

		if (!value.p)
			return err_set(err, ERR_INVALID,
				       "annotation %s is invalid and should be in format "
				       "key=[value]",
				       o->notes.v[i]);
		if (!notes)
			notes = doc_set_object(m->k->arena, doc_get(d, "metadata"), "annotations");
		doc_setn(m->k->arena, notes, key, doc_strn(m->k->arena, value.p, value.n));
	}
	doc_sort_members(notes);
	return 0;
}

static int ingress_run(struct cmd_call *call, struct err *err)
{
	const struct ingress_opts *o = call->opts;
	struct slice port, name;
	struct doc *d, *spec;
	struct rule *rules;
	struct making m;
	int r = make_begin(call, &o->make, &m, err);

	if (r < 0)
		return r;
	if (!o->rules.n && !(o->backend && *o->backend))
		return err_set(err, ERR_BAD_REQUEST,
			       "not enough information provided: every ingress has to either "
			       "specify a default-backend (which catches all traffic) or a list of "
			       "rules (which catch specific paths)");
	rules = ARENA_ARRAY(m.k->arena, struct rule, o->rules.n + 1);
	if (!rules)
		return arena_quota(m.k->arena, err);
	for (size_t i = 0; i < o->rules.n; i++)
		if (!read_rule(o->rules.v[i], &rules[i]))
			return err_set(err, ERR_INVALID,
				       "rule %s is invalid and should be in format "
				       "host/path=svcname:svcport[,tls[=secret]]",
				       o->rules.v[i]);
	port = slice_str(o->backend && *o->backend ? o->backend : NULL);
	name = slice_split(&port, ':');
	if (name.p && (!port.p || slice_has(port, ':')))
		return err_set(err, ERR_INVALID,
			       "default-backend should be in format servicename:serviceport");
	d = make_object(&m, &ingress_kind, m.name);
	if (put_notes(&m, o, d, err) < 0)
		return err_ret(err);
	spec = doc_set_object(m.k->arena, d, "spec");
	if (o->class && *o->class)
		doc_set_str(m.k->arena, spec, "ingressClassName", o->class);
	if (name.p)
		put_backend(&m, spec, "defaultBackend", name, port);
	put_tls(&m, rules, o->rules.n, spec);
	put_rules(&m, rules, o->rules.n, spec);
	doc_set_object(m.k->arena, doc_set_object(m.k->arena, d, "status"), "loadBalancer");
	return make_end(&m, &ingress_kind, d, err);
}

const struct cmd kubectl_create_ingress = {
	.path = "create ingress",
	.aliases = (const char *const[]){ "create ing", NULL },
	.args = "NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]] [OPTIONS]",
	.help = "Create an ingress",
	.opts = ingress_opts,
	.opts_size = sizeof(struct ingress_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_BASIC,
	.run = ingress_run,
};
