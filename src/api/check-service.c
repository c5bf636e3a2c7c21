/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of Services. */
#include "api/check-core.h"

#define FOR_BALANCERS "may only be used when `type` is 'LoadBalancer'"

static bool is_type(const struct doc *service, const char *type)
{
	return doc_str_is(doc_find(service, "spec.type"), type);
}

static bool is_headless(const struct doc *service)
{
	const struct doc *ips = doc_find(service, "spec.clusterIPs");

	return doc_len(ips) == 1 && doc_str_is(doc_at(ips, 0), "None");
}

/* Can it be reached from outside? */
static bool is_external(const struct doc *service)
{
	return is_type(service, "LoadBalancer") || is_type(service, "NodePort") ||
	       (is_type(service, "ClusterIP") &&
		doc_len(doc_find(service, "spec.externalIPs")) > 0);
}

static bool needs_health_check(const struct doc *service)
{
	return is_type(service, "LoadBalancer") &&
	       doc_str_is(doc_find(service, "spec.externalTrafficPolicy"), "Local");
}

static bool same(const struct doc *a, const struct doc *b)
{
	return a && b ? doc_equal(a, b) : a == b;
}

/* ---- ports ---- */

static void check_port_of(struct check *c, const struct path *p, const struct doc *ports, size_t i)
{
	static const struct field_rule rules[] = {
		{ .field = "protocol", .required = true, .values = check_protocols },
		{ .field = "appProtocol", .form = form_qualified_name },
		{ 0 },
	};
	const struct path name_at = PATH(p, "name"), port_at = PATH(p, "port"),
			  target = PATH(p, "targetPort");
	const struct doc *d = doc_at(ports, i), *name = doc_get(d, "name");

	if (doc_slice(name).n == 0 && doc_len(ports) > 1)
		check_required(c, &name_at, "");
	check_optional_text(c, &name_at, name, form_dns_label);
	for (size_t j = 0; doc_slice(name).n > 0 && j < i; j++)
		if (doc_equal(doc_get(doc_at(ports, j), "name"), name)) {
			check_duplicate(c, &name_at, name);
			break;
		}
	check_range(c, &port_at, doc_get(d, "port"), 1, 65535);
	check_fields(c, p, d, rules);
	check_port(c, &target, doc_get(d, "targetPort"), false);
}

/* The protocol and one more are of one port only. */
static bool is_taken(const struct doc *ports, size_t i, const char *field)
{
	const struct doc *d = doc_at(ports, i);

	for (size_t j = 0; j < i; j++)
		if (same(doc_get(doc_at(ports, j), field), doc_get(d, field)) &&
		    same(doc_get(doc_at(ports, j), "protocol"), doc_get(d, "protocol")))
			return true;
	return false;
}

static void check_ports_once(struct check *c, const struct path *p, const struct doc *service)
{
	const struct doc *ports = doc_find(service, "spec.ports");

	for (size_t i = 0; i < doc_len(ports); i++) {
		const struct path at = PATH_INDEX(p, i), node = PATH(&at, "nodePort");
		const struct doc *d = doc_at(ports, i), *n = doc_get(d, "nodePort");

		if (n && is_type(service, "ClusterIP"))
			check_forbidden(c, &node, "may not be used when `type` is 'ClusterIP'");
		if (n && is_taken(ports, i, "nodePort"))
			check_duplicate(c, &node, n);
		if (is_taken(ports, i, "port")) {
			struct doc *key = doc_new_object(c->a);

			(void)doc_set_int(c->a, key, "port", check_number(doc_get(d, "port")));
			(void)doc_set_strn(c->a, key, "protocol",
					   doc_slice(doc_get(d, "protocol")).p,
					   doc_slice(doc_get(d, "protocol")).n);
			check_duplicate(c, &at, key);
		}
	}
}

static void check_ports(struct check *c, const struct path *spec, const struct doc *service)
{
	const struct path p = PATH(spec, "ports");
	const struct doc *ports = doc_find(service, "spec.ports");

	if (doc_len(ports) == 0 && !is_headless(service) && !is_type(service, "ExternalName"))
		check_required(c, &p, "");
	for (size_t i = 0; i < doc_len(ports); i++) {
		const struct path at = PATH_INDEX(&p, i);

		check_port_of(c, &at, ports, i);
	}
}

/* ---- type ---- */

static void check_external_name(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const no[] = { "clusterIPs", "ipFamilies", "ipFamilyPolicy" };
	const struct path at = PATH(p, "externalName");
	struct slice name = doc_slice(doc_get(spec, "externalName"));
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		check_has_not(c, p, spec, no[i], "may not be set for ExternalName services");
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	why = name.n ? form_dns_subdomain(name) : NULL;
	if (name.n == 0)
		check_required(c, &at, "");
	else if (why)
		check_invalid_text(c, &at, name, "%s", why);
}

static void check_type(struct check *c, const struct path *p, const struct doc *service)
{
	const struct path ips = PATH(p, "clusterIPs"), first = PATH_INDEX(&ips, 0);
	const struct doc *spec = doc_get(service, "spec");

	if (is_type(service, "ExternalName"))
		check_external_name(c, p, spec);
	else if (is_headless(service) &&
		 (is_type(service, "LoadBalancer") || is_type(service, "NodePort")))
		check_invalid(c, &first, doc_at(doc_get(spec, "clusterIPs"), 0),
			      "may not be set to 'None' for %s services",
			      is_type(service, "NodePort") ? "NodePort" : "LoadBalancer");
}

/* ---- session affinity ---- */

#define AFFINITY_MAX 86400

static void check_affinity_time(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char why[] = "when session affinity type is ClientIP";
	const struct path client = PATH(p, "clientIP"), seconds = PATH(&client, "timeoutSeconds");
	const struct doc *config = doc_get(spec, "sessionAffinityConfig"),
			 *ip = doc_get(config, "clientIP"), *t = doc_get(ip, "timeoutSeconds");

	if (!config)
		check_required(c, p, why);
	else if (!ip)
		check_required(c, &client, why);
	else if (!t)
		check_required(c, &seconds, why);
	else if (check_number(t) <= 0 || check_number(t) > AFFINITY_MAX)
		check_invalid(c, &seconds, t, "must be greater than 0 and less than %d",
			      AFFINITY_MAX);
}

static void check_session(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path config = PATH(p, "sessionAffinityConfig");
	const struct doc *affinity = doc_get(spec, "sessionAffinity");

	if (doc_str_is(affinity, "ClientIP"))
		check_affinity_time(c, &config, spec);
	else if (doc_str_is(affinity, "None"))
		check_has_not(c, p, spec, "sessionAffinityConfig",
			      "must not be set when session affinity is None");
}

/* ---- addresses ---- */

static void check_cluster_ip(struct check *c, const struct path *ips, const struct doc *spec)
{
	const struct doc *ip = doc_get(spec, "clusterIP"), *list = doc_get(spec, "clusterIPs");

	if (doc_slice(ip).n == 0) {
		if (doc_len(list) > 0)
			check_invalid(c, ips, list,
				      "must be empty when `clusterIP` is not specified");
	} else if (doc_len(list) == 0) {
		check_required(c, ips, "");
	} else if (!doc_equal(doc_at(list, 0), ip)) {
		check_invalid(c, ips, list, "first value must match `clusterIP`");
	}
}

static void check_ip_families(struct check *c, const struct path *p, const struct doc *list)
{
	static const char *const families[] = { "IPv4", "IPv6", NULL };

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);

		check_exactly_one_of(c, &at, doc_at(list, i), families);
		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_at(list, i), doc_at(list, j))) {
				check_duplicate(c, &at, doc_at(list, i));
				break;
			}
	}
}

/* False when an address of the list is none. */
static bool check_ips(struct check *c, const struct path *p, const struct doc *list)
{
	bool ok = true;

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *ip = doc_at(list, i);
		const char *why = form_ip(doc_slice(ip));

		if (i == 0 && doc_str_is(ip, "None")) {
			if (doc_len(list) > 1) {
				check_invalid(c, p, list,
					      "'None' must be the first and only value");
				ok = false;
			}
		} else if (why) {
			check_invalid(c, &at, ip, "%s", why);
			ok = false;
		}
	}
	if (doc_len(list) > 2)
		check_invalid(c, p, list, "may only hold up to 2 values");
	return ok;
}

static void check_ips_of_families(struct check *c, const struct path *p, const struct doc *ips,
				  const struct doc *families)
{
	for (size_t i = 0; i < MIN(doc_len(ips), doc_len(families)); i++) {
		const struct path at = PATH_INDEX(p, i);
		bool v6 = ip_is_v6(doc_slice(doc_at(ips, i)));

		if (doc_str_is(doc_at(families, i), v6 ? "IPv4" : "IPv6"))
			check_invalid(c, &at, doc_at(ips, i),
				      "expected an %s value as indicated by `ipFamilies[%zu]`",
				      v6 ? "IPv4" : "IPv6", i);
	}
}

static void check_cluster_ips(struct check *c, const struct path *p, const struct doc *service)
{
	static const char *const policies[] = { "PreferDualStack", "RequireDualStack",
						"SingleStack", NULL };
	const struct path ips_at = PATH(p, "clusterIPs"), families_at = PATH(p, "ipFamilies"),
			  policy = PATH(p, "ipFamilyPolicy");
	const struct doc *spec = doc_get(service, "spec"), *ips = doc_get(spec, "clusterIPs"),
			 *families = doc_get(spec, "ipFamilies");

	if (is_type(service, "ExternalName"))
		return;
	check_cluster_ip(c, &ips_at, spec);
	check_ip_families(c, &families_at, families);
	if (doc_get(spec, "ipFamilyPolicy"))
		check_exactly_one_of(c, &policy, doc_get(spec, "ipFamilyPolicy"), policies);
	if (!check_ips(c, &ips_at, ips))
		return;
	if (doc_len(ips) == 2 &&
	    ip_is_v6(doc_slice(doc_at(ips, 0))) == ip_is_v6(doc_slice(doc_at(ips, 1))))
		check_invalid(c, &ips_at, ips,
			      "may specify no more than one IP for each IP family");
	if (!is_headless(service))
		check_ips_of_families(c, &ips_at, ips, families);
}

static void check_external_ips(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *ip = doc_at(list, i);
		const char *why = form_ip(doc_slice(ip));

		if (why)
			check_invalid(c, &at, ip, "%s", why);
		else
			check_usable_ip(c, &at, ip);
	}
}

/* ---- load balancers ---- */

static void check_range_text(struct check *c, const struct path *p, struct slice s)
{
	const char *why;

	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	why = form_cidr(s);
	if (why)
		check_invalid_text(c, p, s, "%s", why);
}

#define RANGES "service.beta.kubernetes.io/load-balancer-source-ranges"

static void check_ranges_annotation(struct check *c, const struct doc *service)
{
	const struct path meta = PATH(NULL, "metadata"), annotations = PATH(&meta, "annotations"),
			  at = PATH_KEY(&annotations, SLICE(RANGES));
	const struct doc *text = doc_get(doc_find(service, "metadata.annotations"), RANGES);
	struct slice s = doc_slice(text);

	if (!text)
		return;
	if (!is_type(service, "LoadBalancer"))
		check_forbidden(c, &at, FOR_BALANCERS);
	while (s.n > 0) {
		const char *comma = memchr(s.p, ',', s.n);
		size_t n = comma ? (size_t)(comma - s.p) : s.n;

		check_range_text(c, &at, slice_of(s.p, n));
		if (!comma)
			break;
		s = slice_of(comma + 1, s.n - n - 1);
	}
}

static void check_ranges(struct check *c, const struct path *p, const struct doc *service)
{
	const struct path at = PATH(p, "LoadBalancerSourceRanges");
	const struct doc *list = doc_find(service, "spec.loadBalancerSourceRanges");

	if (doc_len(list) == 0) {
		check_ranges_annotation(c, service);
		return;
	}
	if (!is_type(service, "LoadBalancer"))
		check_forbidden(c, &at, FOR_BALANCERS);
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path one = PATH_INDEX(&at, i);

		check_range_text(c, &one, doc_slice(doc_at(list, i)));
	}
}

static void check_balancer(struct check *c, const struct path *p, const struct doc *service)
{
	const struct path class_at = PATH(p, "loadBalancerClass"),
			  ports = PATH(NULL, "allocateLoadBalancerNodePorts");
	const struct doc *spec = doc_get(service, "spec"),
			 *class = doc_get(spec, "loadBalancerClass");
	bool balanced = is_type(service, "LoadBalancer");
	const char *why = class ? form_qualified_name(doc_slice(class)) : NULL;

	check_ranges(c, p, service);
	if (!balanced) {
		check_has_not(c, p, spec, "allocateLoadBalancerNodePorts", FOR_BALANCERS);
		check_has_not(c, p, spec, "loadBalancerClass", FOR_BALANCERS);
		return;
	}
	if (!doc_get(spec, "allocateLoadBalancerNodePorts"))
		check_required(c, &ports, "");
	if (c->old && is_type(c->old, "LoadBalancer") &&
	    !same(class, doc_find(c->old, "spec.loadBalancerClass")))
		check_invalid(c, &class_at, class, "may not change once set");
	if (why)
		check_invalid(c, &class_at, class, "%s", why);
}

/* ---- traffic policies ---- */

static void check_external_policy(struct check *c, const struct path *p, const struct doc *service)
{
	static const char *const policies[] = { "Cluster", "Local", NULL };
	const struct path at = PATH(p, "externalTrafficPolicy"),
			  port_at = PATH(p, "healthCheckNodePort");
	const struct doc *policy = doc_find(service, "spec.externalTrafficPolicy"),
			 *port = doc_find(service, "spec.healthCheckNodePort");

	if (is_external(service))
		check_one_of(c, &at, policy, policies, true);
	else if (doc_slice(policy).n > 0)
		check_invalid(c, &at, policy, "may only be set for externally-accessible services");
	if (!needs_health_check(service)) {
		if (check_number(port) != 0)
			check_invalid(c, &port_at, port,
				      "may only be set when `type` is 'LoadBalancer' and "
				      "`externalTrafficPolicy` is 'Local'");
	} else if (check_number(port) == 0) {
		check_required(c, &port_at, "");
	} else {
		check_range(c, &port_at, port, 1, 65535);
	}
}

static void check_policies(struct check *c, const struct path *p, const struct doc *service)
{
	static const char *const policies[] = { "Cluster", "Local", NULL };
	static const char *const distributions[] = { "PreferClose", "PreferSameNode",
						     "PreferSameZone", NULL };
	const struct path internal = PATH(p, "internalTrafficPolicy"),
			  distribution = PATH(p, "trafficDistribution");
	const struct doc *spec = doc_get(service, "spec"),
			 *i = doc_get(spec, "internalTrafficPolicy"),
			 *d = doc_get(spec, "trafficDistribution");

	check_external_policy(c, p, service);
	if (i)
		check_exactly_one_of(c, &internal, i, policies);
	else if (is_type(service, "ClusterIP") || is_type(service, "NodePort") ||
		 is_type(service, "LoadBalancer"))
		check_required(c, &internal, "");
	if (d)
		check_exactly_one_of(c, &distribution, d, distributions);
}

static void check_topology(struct check *c, const struct doc *service)
{
#define HINTS "service.kubernetes.io/topology-aware-hints"
#define MODE "service.kubernetes.io/topology-mode"
	const struct path meta = PATH(NULL, "metadata"), annotations = PATH(&meta, "annotations"),
			  at = PATH_KEY(&annotations, SLICE(MODE));
	const struct doc *a = doc_find(service, "metadata.annotations"), *mode = doc_get(a, MODE),
			 *hints = doc_get(a, HINTS);

	if (mode && hints && !doc_equal(mode, hints))
		check_invalid(c, &at, mode,
			      "must match annotations[" HINTS "] when both are specified");
}

/* ---- updates ---- */

/* Lists of up to two that keep what was first: addresses, families. */
struct kept {
	const char *field, *first_gone, *second_gone;
	bool whole_index; /* upstream tells the index of what changed, not of the first */
};

static void check_kept(struct check *c, const struct path *p, const struct doc *now,
		       const struct doc *old, const struct kept *k)
{
	const struct path list_at = PATH(p, k->field), policy_at = PATH(p, "ipFamilyPolicy");
	const struct doc *list = doc_get(now, k->field), *was = doc_get(old, k->field),
			 *policy = doc_get(now, "ipFamilyPolicy");
	size_t n = doc_len(list), m = doc_len(was), same_n = n == m ? n : MIN(MIN(n, m), 1);

	for (size_t i = 0; i < same_n; i++) {
		const struct path at = PATH_INDEX(&list_at, k->whole_index ? i : 0);

		if (!doc_equal(doc_at(list, i), doc_at(was, i)))
			check_invalid(c, &at, list, "may not change once set");
	}
	if (m > n && n == 0) {
		const struct path at = PATH_INDEX(&list_at, 0);

		check_invalid(c, &at, list, "%s", k->first_gone);
	}
	if (m > n && n == 1 && !doc_str_is(policy, "SingleStack"))
		check_invalid(c, &policy_at, policy, "%s", k->second_gone);
}

static void check_service_update(struct check *c, const struct path *p, const struct doc *now,
				 const struct doc *old)
{
	static const struct kept ips = {
		"clusterIPs", "primary clusterIP can not be unset",
		"must be set to 'SingleStack' when releasing the secondary clusterIP", true
	};
	static const struct kept families = {
		"ipFamilies", "primary ipFamily can not be unset",
		"must be set to 'SingleStack' when releasing the secondary ipFamily", false
	};
	const struct path port = PATH(p, "healthCheckNodePort");
	const struct doc *spec = doc_get(now, "spec"), *was = doc_get(old, "spec");
	bool headless = is_headless(now);

	if (needs_health_check(now) && needs_health_check(old) &&
	    !same(doc_get(spec, "healthCheckNodePort"), doc_get(was, "healthCheckNodePort")))
		check_forbidden(c, &port, "field is immutable");
	if (is_type(now, "ExternalName") || is_type(old, "ExternalName"))
		return;
	if (!headless || !is_headless(old))
		check_kept(c, p, spec, was, &ips);
	if (!headless && !is_headless(old))
		check_kept(c, p, spec, was, &families);
}

/* ---- status ---- */

static void check_ingress(struct check *c, const struct path *p, const struct doc *i)
{
	static const char *const modes[] = { "Proxy", "VIP", NULL };
	const struct path ip_at = PATH(p, "ip"), mode_at = PATH(p, "ipMode"),
			  host_at = PATH(p, "hostname");
	const struct doc *ip = doc_get(i, "ip"), *mode = doc_get(i, "ipMode"),
			 *host = doc_get(i, "hostname");

	check_optional_text(c, &ip_at, ip, form_ip);
	if (!mode) {
		if (doc_slice(ip).n > 0)
			check_required(c, &mode_at, "must be specified when `ip` is set");
	} else if (doc_slice(ip).n == 0) {
		check_forbidden(c, &mode_at, "may not be specified when `ip` is not set");
	} else {
		check_exactly_one_of(c, &mode_at, mode, modes);
	}
	check_optional_text(c, &host_at, host, form_dns_subdomain);
	if (doc_slice(host).n > 0 && !form_ip(doc_slice(host)))
		check_invalid(c, &host_at, host, "must be a DNS name, not an IP address");
}

static void check_service_status(struct check *c, const struct doc *service)
{
	const struct path status = PATH(NULL, "status"), balancer = PATH(&status, "loadBalancer"),
			  list = PATH(&balancer, "ingress");
	const struct doc *ingress = doc_find(service, "status.loadBalancer.ingress");

	if (doc_len(ingress) > 0 && !is_type(service, "LoadBalancer")) {
		check_forbidden(c, &list, "may only be used when `spec.type` is 'LoadBalancer'");
		return;
	}
	for (size_t i = 0; i < doc_len(ingress); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_ingress(c, &at, doc_at(ingress, i));
	}
}

void check_service(struct check *c, const struct doc *obj, const char *sub)
{
	static const char *const types[] = { "ClusterIP", "ExternalName", "LoadBalancer",
					     "NodePort", NULL };
	static const char *const affinities[] = { "ClientIP", "None", NULL };
	static const struct field_rule rules[] = {
		{ .field = "sessionAffinity", .required = true, .values = affinities },
		{ .field = "type", .required = true, .values = types },
		{ 0 },
	};
	const struct path p = PATH(NULL, "spec"), selector = PATH(&p, "selector"),
			  ips = PATH(&p, "externalIPs"), ports = PATH(&p, "ports");
	const struct doc *spec = doc_get(obj, "spec");

	if (strcmp(sub, "status") == 0) {
		check_service_status(c, obj);
		return;
	}
	if (c->old)
		check_service_update(c, &p, obj, c->old);
	check_topology(c, obj);
	check_type(c, &p, obj);
	check_ports(c, &p, obj);
	check_labels(c, &selector, doc_get(spec, "selector"));
	check_fields(c, &p, spec, rules);
	check_session(c, &p, spec);
	check_cluster_ips(c, &p, obj);
	check_external_ips(c, &ips, doc_get(spec, "externalIPs"));
	check_ports_once(c, &ports, obj);
	check_balancer(c, &p, obj);
	check_policies(c, &p, obj);
}
