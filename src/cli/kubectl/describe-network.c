/* SPDX-License-Identifier: Apache-2.0 */
/* Services, endpoints, ingresses and network policies in `kubectl describe`. */
#include "cli/kubectl/describe.h"

#include "base/arena.h"
#include "base/err.h"

#define ENDPOINTS_MAX 3
#define HEADS_WITH_TIME                                       \
	"Type\tStatus\tLastTransitionTime\tReason\tMessage\n" \
	"----\t------\t------------------\t------\t-------\n"
#define ROW_WITH_TIME "{type}\t{status}\t{@lastTransitionTime}\t{reason}\t{message}\n"

/* ---- endpoints of services ---- */

struct endpoints {
	struct buf text;
	size_t shown, all;
};

static void add_endpoints(struct endpoints *e, struct describe *d, const struct doc *slice,
			  const struct doc *port)
{
	DOC_EACH (p, doc_get(slice, "endpoints")) {
		const struct doc *ready = doc_find(p, "conditions.ready");
		const char *ip = describe_value(d, p, "addresses.0");
		bool six = strchr(ip, ':') && port;

		if (ready && !doc_true(ready))
			continue;
		e->all++;
		if (e->shown == ENDPOINTS_MAX)
			continue;
		buf_addf(&e->text, "%s%s%s%s%s%s", e->shown++ ? "," : "", six ? "[" : "", ip,
			 six ? "]" : "", port ? ":" : "",
			 port ? describe_value(d, port, "port|0") : "");
	}
}

/* "10.0.0.1:80,10.0.0.2:80 + 3 more..." of a port's name. */
static const char *endpoints_of(struct describe *d, const struct doc *slices, const char *name)
{
	struct endpoints e = { .text = BUF_INIT(DESCRIBE_TEXT_MAX) };
	const char *s;

	DOC_EACH (slice, slices) {
		const struct doc *ports = doc_get(slice, "ports");

		if (!doc_len(ports))
			add_endpoints(&e, d, slice, NULL);
		DOC_EACH (p, ports)
			if (strcmp(kubectl_text(d->k, p, "name"), name) == 0)
				add_endpoints(&e, d, slice, p);
	}
	if (e.all > e.shown)
		buf_addf(&e.text, " + %zu more...", e.all - e.shown);
	s = doc_len(slices) ? arena_strndup(d->k->arena, buf_str(&e.text), e.text.n) : "<none>";
	buf_fini(&e.text);
	return s ? s : "";
}

static int slices_of(struct describe *d, const char *service, struct doc **ret, struct err *err)
{
	struct describe_ask ask = { .api = "apis/discovery.k8s.io/v1",
				    .resource = "endpointslices",
				    .space = d->space };

	ask.labels = arena_printf(d->k->arena, "kubernetes.io/service-name=%s", service);
	return ask.labels ? describe_list(d, &ask, ret, err) : arena_quota(d->k->arena, err);
}

/* ---- services ---- */

static void describe_service_port(struct describe *d, const struct doc *p, const struct doc *slices)
{
	describe_put(d, 0, p,
		     "Port:\t{name|<unset>}\t{port|0}/{protocol}\n"
		     "TargetPort:\t{targetPort|0}/{protocol}\n");
	if (describe_int(p, "nodePort", 0))
		describe_put(d, 0, p, "NodePort:\t{name|<unset>}\t{nodePort}/{protocol}\n");
	describe_f(d, 0, "Endpoints:\t%s\n",
		   endpoints_of(d, slices, kubectl_text(d->k, p, "name")));
}

static void describe_balancer(struct describe *d, const struct doc *ingress)
{
	bool first = true;

	if (!doc_len(ingress))
		return;
	describe_f(d, 0, "LoadBalancer Ingress:\t");
	DOC_EACH (i, ingress) {
		describe_f(d, 0, "%s", first ? "" : ", ");
		first = false;
		if (*kubectl_text(d->k, i, "ip"))
			describe_put(d, 0, i, "{ip}");
		else
			describe_put(d, 0, i, "{hostname}");
		if (*kubectl_text(d->k, i, "ip"))
			describe_opt(d, 0, i, "ipMode", " ({ipMode})");
	}
	describe_f(d, 0, "\n");
}

static int describe_service(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec");
	struct doc *slices = NULL;

	(void)slices_of(d, d->name, &slices, err); /* without them there is the rest */
	*err = ERR_INIT;
	describe_head(d, true);
	describe_f(d, 0, "Selector:\t%s\n", describe_map(d, doc_get(spec, "selector")));
	describe_put(d, 0, spec, "Type:\t{type}\n");
	describe_opt(d, 0, spec, "ipFamilyPolicy", "IP Family Policy:\t{ipFamilyPolicy}\n");
	describe_put(d, 0, spec,
		     "IP Families:\t{*ipFamilies|<none>}\nIP:\t{clusterIP}\n"
		     "IPs:\t{*clusterIPs|<none>}\n");
	if (doc_len(doc_get(spec, "externalIPs")))
		describe_put(d, 0, spec, "External IPs:\t{*externalIPs}\n");
	describe_opt(d, 0, spec, "loadBalancerIP", "Desired LoadBalancer IP:\t{loadBalancerIP}\n");
	describe_opt(d, 0, spec, "externalName", "External Name:\t{externalName}\n");
	describe_balancer(d, doc_find(d->obj, "status.loadBalancer.ingress"));
	DOC_EACH (p, doc_get(spec, "ports"))
		describe_service_port(d, p, slices);
	describe_put(d, 0, spec, "Session Affinity:\t{sessionAffinity}\n");
	describe_opt(d, 0, spec, "externalTrafficPolicy",
		     "External Traffic Policy:\t{externalTrafficPolicy}\n");
	describe_opt(d, 0, spec, "internalTrafficPolicy",
		     "Internal Traffic Policy:\t{internalTrafficPolicy}\n");
	if (describe_int(spec, "healthCheckNodePort", 0))
		describe_put(d, 0, spec, "HealthCheck NodePort:\t{healthCheckNodePort}\n");
	if (doc_len(doc_get(spec, "loadBalancerSourceRanges")))
		describe_put(d, 0, spec,
			     "LoadBalancer Source Ranges:\t{*loadBalancerSourceRanges}\n");
	return 0;
}

/* ---- endpoints ---- */

static const char *ips(struct describe *d, const struct doc *list)
{
	const char *s = "";

	DOC_EACH (a, list) {
		s = arena_printf(d->k->arena, "%s%s%s", s, *s ? "," : "",
				 kubectl_text(d->k, a, "ip"));
		if (!s)
			return "";
	}
	return *s ? s : "<none>";
}

static int describe_endpoints(struct describe *d, struct err *err)
{
	(void)err;
	describe_head(d, true);
	describe_f(d, 0, "Subsets:\n");
	DOC_EACH (s, doc_get(d->obj, "subsets")) {
		describe_f(d, 1, "Addresses:\t%s\n", ips(d, doc_get(s, "addresses")));
		describe_f(d, 1, "NotReadyAddresses:\t%s\n",
			   ips(d, doc_get(s, "notReadyAddresses")));
		if (doc_len(doc_get(s, "ports"))) {
			describe_f(d, 1, "Ports:\n");
			describe_put(d, 2, NULL, "Name\tPort\tProtocol\n----\t----\t--------\n");
		}
		DOC_EACH (p, doc_get(s, "ports"))
			describe_put(d, 2, p, "{name|<unset>}\t{port|0}\t{protocol}\n");
		describe_f(d, 0, "\n");
	}
	return 0;
}

static int describe_slice(struct describe *d, struct err *err)
{
	const struct doc *ports = doc_get(d->obj, "ports"), *points = doc_get(d->obj, "endpoints");

	(void)err;
	describe_head(d, true);
	describe_put(d, 0, d->obj, "AddressType:\t{addressType}\n");
	describe_f(d, 0, "Ports:%s\n", doc_len(ports) ? "" : " <unset>");
	if (doc_len(ports))
		describe_put(d, 1, NULL, "Name\tPort\tProtocol\n----\t----\t--------\n");
	DOC_EACH (p, ports)
		describe_put(d, 1, p, "{name|<unset>}\t{port|<unset>}\t{protocol}\n");
	describe_f(d, 0, "Endpoints:%s\n", doc_len(points) ? "" : " <none>");
	DOC_EACH (p, points) {
		describe_put(d, 1, p, "- Addresses:\t{+addresses|<none>}\n");
		describe_put(d, 2, p,
			     "Conditions:\n  Ready:\t{conditions.ready|<unset>}\n"
			     "Hostname:\t{hostname|<unset>}\n");
		if (doc_get(p, "targetRef"))
			describe_put(d, 2, p, "TargetRef:\t{targetRef.kind}/{targetRef.name}\n");
		describe_put(d, 2, p, "NodeName:\t{nodeName|<unset>}\nZone:\t{zone|<unset>}\n");
	}
	return 0;
}

/* ---- ingresses ---- */

/* The name of the service's port that a backend means. */
static const char *port_name(struct describe *d, const struct doc *service, const struct doc *port)
{
	const int64_t number = describe_int(port, "number", 0);
	const char *name = kubectl_text(d->k, port, "name"), *found = "";

	DOC_EACH (p, doc_find(service, "spec.ports")) {
		const char *its = kubectl_text(d->k, p, "name");

		if ((number && describe_int(p, "port", 0) == number) ||
		    (*name && strcmp(its, name) == 0))
			found = its;
	}
	return found;
}

static const char *service_backend(struct describe *d, const struct doc *s)
{
	const char *name = kubectl_text(d->k, s, "name");
	const struct doc *port = doc_get(s, "port");
	const char *number = describe_int(port, "number", 0) ? describe_value(d, port, "number")
							     : kubectl_text(d->k, port, "name");
	struct describe_ask ask = { .api = "api/v1", .resource = "services", .space = d->space };
	struct doc *slices, *service;
	struct err err = ERR_INIT;
	const char *text;

	if (slices_of(d, name, &slices, &err) < 0 ||
	    describe_get(d, &ask, name, &service, &err) < 0)
		text = arena_printf(d->k->arena, "%s:%s (<error: %s>)", name, number, err.msg);
	else
		text = arena_printf(d->k->arena, "%s:%s (%s)", name, number,
				    endpoints_of(d, slices, port_name(d, service, port)));
	return text ? text : "";
}

static const char *backend(struct describe *d, const struct doc *b)
{
	const struct doc *service = doc_get(b, "service"), *resource = doc_get(b, "resource");
	const char *s = "";

	if (service)
		return service_backend(d, service);
	if (resource)
		s = arena_printf(d->k->arena, "APIGroup: %s, Kind: %s, Name: %s",
				 describe_value(d, resource, "apiGroup|<none>"),
				 kubectl_text(d->k, resource, "kind"),
				 kubectl_text(d->k, resource, "name"));
	return s ? s : "";
}

/* Addresses of a load balancer, sorted, each once. */
static const char *addresses(struct describe *d, const struct doc *ingress)
{
	struct doc *list = doc_new_array(d->k->arena);
	struct doc *const *v;
	const char *s = "", *last = "";
	size_t n;

	DOC_EACH (i, ingress)
		doc_append_str(d->k->arena, list,
			       *kubectl_text(d->k, i, "ip") ? kubectl_text(d->k, i, "ip")
							    : kubectl_text(d->k, i, "hostname"));
	v = describe_sorted(d, list, describe_by_text, &n);
	for (size_t i = 0; i < n && s; i++) {
		const char *one = describe_value(d, v[i], "");

		if (*one && strcmp(one, last) != 0)
			s = arena_printf(d->k->arena, "%s%s%s", s, *s ? "," : "", one);
		last = one;
	}
	return s ? s : "";
}

static void describe_ingress_rules(struct describe *d, const char *fallback)
{
	size_t n = 0;

	describe_put(d, 0, NULL, "Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------\n");
	DOC_EACH (rule, doc_find(d->obj, "spec.rules")) {
		if (!doc_get(rule, "http"))
			continue;
		n++;
		describe_put(d, 1, rule, "{host|*}\t\n");
		DOC_EACH (p, doc_find(rule, "http.paths"))
			describe_f(d, 2, "\t%s \t%s\n", kubectl_text(d->k, p, "path"),
				   backend(d, doc_get(p, "backend")));
	}
	if (!n)
		describe_f(d, 1, "*\t*\t%s\n", fallback);
}

static int describe_ingress(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec"), *def = doc_get(spec, "defaultBackend"),
			 *tls = doc_get(spec, "tls");
	const char *fallback = def ? backend(d, def) : "<default>";

	(void)err;
	describe_f(d, 0, "Name:\t%s\n", d->name);
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_f(d, 0, "Namespace:\t%s\nAddress:\t%s\n", d->space,
		   addresses(d, doc_find(d->obj, "status.loadBalancer.ingress")));
	describe_put(d, 0, spec, "Ingress Class:\t{ingressClassName|<none>}\n");
	describe_f(d, 0, "Default backend:\t%s\n", fallback);
	if (doc_len(tls))
		describe_f(d, 0, "TLS:\n");
	DOC_EACH (t, tls)
		describe_put(d, 1, t,
			     *kubectl_text(d->k, t, "secretName")
				     ? "{secretName} terminates {*hosts}\n"
				     : "SNI routes {*hosts}\n");
	describe_ingress_rules(d, fallback);
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	return 0;
}

static int describe_ingress_class(struct describe *d, struct err *err)
{
	const struct doc *p = doc_find(d->obj, "spec.parameters");

	(void)err;
	describe_head(d, false);
	describe_put(d, 0, d->obj, "Controller:\t{spec.controller}\n");
	if (p) {
		describe_f(d, 0, "Parameters:\n");
		describe_opt(d, 1, p, "apiGroup", "APIGroup:\t{apiGroup}\n");
		describe_put(d, 1, p, "Kind:\t{kind}\nName:\t{name}\n");
	}
	return 0;
}

/* ---- policies ---- */

static void describe_policy_ports(struct describe *d, const struct doc *ports)
{
	if (!doc_len(ports))
		describe_f(d, 2, "To Port: <any> (traffic allowed to all ports)\n");
	DOC_EACH (p, ports)
		describe_put(d, 2, p,
			     doc_get(p, "endPort")
				     ? "To Port Range: {port|<nil>}-{endPort}/{protocol|TCP}\n"
				     : "To Port: {port|<nil>}/{protocol|TCP}\n");
}

static void describe_peer(struct describe *d, const struct doc *p)
{
	const struct doc *spaces = doc_get(p, "namespaceSelector"),
			 *pods = doc_get(p, "podSelector"), *block = doc_get(p, "ipBlock");

	if (spaces)
		describe_f(d, 3, "NamespaceSelector: %s\n", describe_selector(d, spaces, "<none>"));
	if (pods)
		describe_f(d, 3, "PodSelector: %s\n", describe_selector(d, pods, "<none>"));
	if (!spaces && !pods && block) {
		describe_f(d, 3, "IPBlock:\n");
		describe_put(d, 4, block, "CIDR: {cidr}\nExcept: {+except}\n");
	}
}

static void describe_traffic(struct describe *d, const struct doc *rules, bool in)
{
	const char *word = in ? "From" : "To";
	size_t left = doc_len(rules);

	if (!left)
		describe_f(d, 2, "<none> (Selected pods are isolated for %s connectivity)\n",
			   in ? "ingress" : "egress");
	DOC_EACH (rule, rules) {
		const struct doc *peers = doc_get(rule, in ? "from" : "to");

		describe_policy_ports(d, doc_get(rule, "ports"));
		if (!doc_len(peers))
			describe_f(d, 2, "%s: <any> (traffic not restricted by %s)\n", word,
				   in ? "source" : "destination");
		DOC_EACH (p, peers) {
			describe_f(d, 2, "%s:\n", word);
			describe_peer(d, p);
		}
		if (--left)
			describe_f(d, 2, "----------\n");
	}
}

static int describe_policy(struct describe *d, struct err *err)
{
	static const char *const types[][2] = { { "Ingress", "ingress" }, { "Egress", "egress" } };
	const struct doc *spec = doc_get(d->obj, "spec");
	const char *pods = describe_selector(d, doc_get(spec, "podSelector"), "");

	(void)err;
	describe_put(d, 0, d->obj,
		     "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n"
		     "Created on:\t{^metadata.creationTimestamp}\n");
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	/* as upstream has it: the blanks of both pieces stand between */
	describe_f(d, 0, "Spec:\n  PodSelector:     %s\n",
		   *pods ? pods
			 : "<none> (Allowing the specific traffic to all pods in this namespace)");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		bool on = false;

		DOC_EACH (t, doc_get(spec, "policyTypes"))
			on = on || doc_str_is(t, types[i][0]);
		describe_f(d, 1, on ? "Allowing %s traffic:\n" : "Not affecting %s traffic\n",
			   types[i][1]);
		if (on)
			describe_traffic(d, doc_get(spec, types[i][1]), i == 0);
	}
	describe_put(d, 1, spec, "Policy Types: {+policyTypes|<none>}\n");
	return 0;
}

/* ---- addresses ---- */

static int describe_cidr(struct describe *d, struct err *err)
{
	(void)err;
	describe_head(d, false);
	describe_put(d, 0, d->obj, "CIDRs:\t{+spec.cidrs}\n");
	if (doc_len(doc_find(d->obj, "status.conditions")))
		describe_f(d, 0, "Status:\n");
	describe_conditions(d, HEADS_WITH_TIME, ROW_WITH_TIME);
	return 0;
}

static int describe_ip(struct describe *d, struct err *err)
{
	const struct doc *ref = doc_find(d->obj, "spec.parentRef");

	(void)err;
	describe_head(d, false);
	if (ref) {
		describe_f(d, 0, "Parent Reference:\n");
		describe_put(d, 1, ref,
			     "Group:\t{group}\nResource:\t{resource}\nNamespace:\t{namespace}\n"
			     "Name:\t{name}\n");
	}
	return 0;
}

const struct describe_kind describe_networks[] = {
	{ "", "Service", NULL, describe_service, true },
	{ "", "Endpoints", NULL, describe_endpoints, true },
	{ "discovery.k8s.io", "EndpointSlice", "discovery.k8s.io/v1", describe_slice, true },
	{ "networking.k8s.io", "Ingress", "networking.k8s.io/v1", describe_ingress, true },
	{ "networking.k8s.io", "IngressClass", "networking.k8s.io/v1", describe_ingress_class,
	  true },
	{ "networking.k8s.io", "NetworkPolicy", NULL, describe_policy, false },
	{ "networking.k8s.io", "ServiceCIDR", NULL, describe_cidr, true },
	{ "networking.k8s.io", "IPAddress", NULL, describe_ip, true },
	{ 0 },
};
