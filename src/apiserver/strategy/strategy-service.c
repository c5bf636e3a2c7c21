/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: fields that depend on the type, families of addresses, addresses and node ports.
 *
 * What is allocated is filled in before checking, as upstream has it (checking wants to see a
 * health check's port), and asked for once more at the commit: admission may have changed the type.
 * The IPAddress objects of cluster IPs are written with the Service.
 */
#include "apiserver/strategy/service-alloc.h"

struct service {
	struct strategy_call *c;
	struct service_alloc *sa; /* NULL: nothing is allocated */
	struct doc *obj;
	const struct doc *old; /* NULL: it is new */
	struct check check;
};

static const struct path spec_at = PATH(NULL, "spec"),
			 ips_at = { .up = &spec_at, .name = "clusterIPs" },
			 families_at = { .up = &spec_at, .name = "ipFamilies" },
			 policy_at = { .up = &spec_at, .name = "ipFamilyPolicy" },
			 ports_at = { .up = &spec_at, .name = "ports" };

static bool is_type(const struct doc *service, const char *type)
{
	return strategy_is(service, "spec.type", type);
}

static bool has_ips(const struct doc *service)
{
	return !is_type(service, "ExternalName");
}

static bool is_headless(const struct doc *service)
{
	return strategy_is(service, "spec.clusterIP", "None");
}

static bool has_ports(const struct doc *service)
{
	return is_type(service, "NodePort") || is_type(service, "LoadBalancer");
}

static bool has_health_port(const struct doc *service)
{
	return is_type(service, "LoadBalancer") &&
	       strategy_is(service, "spec.externalTrafficPolicy", "Local");
}

static bool is_policy(const struct doc *service, const char *policy)
{
	return strategy_is(service, "spec.ipFamilyPolicy", policy);
}

static const struct doc *ips_of(const struct doc *service)
{
	return doc_find(service, "spec.clusterIPs");
}

static const struct doc *families_of(const struct doc *service)
{
	return doc_find(service, "spec.ipFamilies");
}

static struct doc one_text(struct arena *a, const struct doc *text)
{
	struct doc list = doc_array();

	(void)doc_append(a, &list, *text);
	return list;
}

static struct doc family(bool v6)
{
	return v6 ? DOC_LIT("IPv6") : DOC_LIT("IPv4");
}

static bool text_is_v6(const struct doc *ip)
{
	return slice_has(doc_slice(ip), ':');
}

/* The first of a list alone. */
static struct doc first_of(struct arena *a, const struct doc *list)
{
	return one_text(a, doc_at(list, 0));
}

/* A list that may be changed. */
static struct doc *own_list(struct service *s, const char *path)
{
	const struct doc *list = doc_find(s->obj, path);
	struct doc *copy = list ? doc_copy_shared(s->c->a, list) : doc_new_array(s->c->a);

	return copy ? strategy_set(s->c, s->obj, path, *copy) : NULL;
}

static int failed(const struct service *s, struct err *err)
{
	return check_result(&s->check, doc_cstr(s->c->a, doc_find(s->obj, "metadata.name")), err);
}

/* ---- clusterIP and clusterIPs say the same ---- */

static void normalize(struct service *s)
{
	const struct doc *ip = doc_find(s->obj, "spec.clusterIP"), *ips = ips_of(s->obj),
			 *was = doc_find(s->old, "spec.clusterIP"), *were = ips_of(s->old);

	if (!s->old) {
		if (doc_slice(ip).n > 0 && doc_len(ips) == 0)
			(void)strategy_set(s->c, s->obj, "spec.clusterIPs", one_text(s->c->a, ip));
		return;
	}
	if (slice_eq(doc_slice(ip), doc_slice(was))) {
		if (doc_len(were) > 0 && doc_len(ips) == 0)
			(void)strategy_set(s->c, s->obj, "spec.clusterIPs", *were);
	} else if (strategy_same(ips, were)) {
		/* Only the single field was written: the list follows. */
		if (doc_slice(ip).n == 0)
			(void)strategy_drop(s->obj, "spec.clusterIPs");
		else
			(void)strategy_set(s->c, s->obj, "spec.clusterIPs", one_text(s->c->a, ip));
	}
}

/* Do the fields fit each other? If not, checking says what is wrong, and nothing is allocated. */
static bool is_sound(const struct doc *obj)
{
	static const char *const policies[] = { "SingleStack", "PreferDualStack",
						"RequireDualStack", NULL };
	const struct doc *ips = ips_of(obj), *families = families_of(obj),
			 *policy = doc_find(obj, "spec.ipFamilyPolicy");
	const struct slice ip = strategy_text(obj, "spec.clusterIP");
	bool known = !policy;

	for (size_t i = 0; policies[i]; i++)
		known = known || doc_str_is(policy, policies[i]);
	if (!known || doc_len(ips) > 2 || doc_len(families) > 2 ||
	    (ip.n == 0) != (doc_len(ips) == 0) ||
	    (ip.n > 0 && !slice_eq(ip, doc_slice(doc_at(ips, 0)))))
		return false;
	DOC_EACH (d, families)
		if (!doc_str_is(d, "IPv4") && !doc_str_is(d, "IPv6"))
			return false;
	if (doc_len(families) == 2 && doc_equal(doc_at(families, 0), doc_at(families, 1)))
		return false;
	if (is_headless(obj))
		return doc_len(ips) == 1;
	for (size_t i = 0; i < doc_len(ips); i++) {
		const bool v6 = text_is_v6(doc_at(ips, i));

		if (form_ip(doc_slice(doc_at(ips, i))) ||
		    (i < doc_len(families) &&
		     doc_str_is(doc_at(families, i), v6 ? "IPv4" : "IPv6")) ||
		    (i > 0 && v6 == text_is_v6(doc_at(ips, 0))))
			return false;
	}
	return true;
}

/* ---- families ---- */

/* A Service that takes what there is stays as it was when the cluster gets another family. */
static bool is_settled(const struct service *s)
{
	const struct doc *policy = doc_find(s->old, "spec.ipFamilyPolicy");

	return s->old && is_policy(s->obj, "PreferDualStack") &&
	       strategy_same_at(s->obj, s->old, "spec.type") && has_ips(s->obj) &&
	       (!policy || doc_str_is(policy, "PreferDualStack")) &&
	       strategy_same(ips_of(s->obj), ips_of(s->old)) &&
	       strategy_same(families_of(s->obj), families_of(s->old));
}

static bool is_selectorless(const struct doc *service)
{
	return is_headless(service) && doc_len(doc_find(service, "spec.selector")) == 0;
}

static void set_policy(struct service *s)
{
	const struct doc *was = doc_find(s->old, "spec.ipFamilyPolicy");

	if (doc_find(s->obj, "spec.ipFamilyPolicy"))
		return;
	if (was)
		(void)strategy_set(s->c, s->obj, "spec.ipFamilyPolicy", *was);
	else
		(void)strategy_set_text(s->c, s->obj, "spec.ipFamilyPolicy",
					is_selectorless(s->obj) ? "RequireDualStack"
								: "SingleStack");
}

static bool is_fewer(const struct doc *now, const struct doc *was)
{
	return doc_len(now) > 0 && doc_len(now) < doc_len(was);
}

static void check_single(struct service *s)
{
	const struct doc *policy = doc_find(s->obj, "spec.ipFamilyPolicy");

	if (doc_len(ips_of(s->obj)) == 2)
		check_invalid(&s->check, &policy_at, policy,
			      "must be 'RequireDualStack' or 'PreferDualStack' when multiple "
			      "cluster IPs are specified");
	if (doc_len(families_of(s->obj)) == 2)
		check_invalid(&s->check, &policy_at, policy,
			      "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP "
			      "families are specified");
}

/* Asking for one family is enough to give the second up; else that must be said. */
static void give_up_second(struct service *s)
{
	const struct doc *policy = doc_find(s->obj, "spec.ipFamilyPolicy"), *ips = ips_of(s->obj),
			 *families = families_of(s->obj);

	if (is_policy(s->obj, "SingleStack")) {
		if (doc_len(ips) > 1 && strategy_same(ips, ips_of(s->old)))
			(void)strategy_set(s->c, s->obj, "spec.clusterIPs", first_of(s->c->a, ips));
		if (doc_len(families) > 1 && strategy_same(families, families_of(s->old)))
			(void)strategy_set(s->c, s->obj, "spec.ipFamilies",
					   first_of(s->c->a, families));
		return;
	}
	if (is_fewer(ips, ips_of(s->old)))
		check_invalid(&s->check, &policy_at, policy,
			      "must be 'SingleStack' to release the secondary cluster IP");
	if (is_fewer(families, families_of(s->old)))
		check_invalid(&s->check, &policy_at, policy,
			      "must be 'SingleStack' to release the secondary IP family");
}

static void infer_families(struct service *s)
{
	const struct doc *ips = ips_of(s->obj);

	for (size_t i = doc_len(families_of(s->obj)); i < doc_len(ips); i++) {
		const struct path at = PATH_INDEX(&ips_at, i);
		const bool v6 = text_is_v6(doc_at(ips, i));

		if (doc_str_is(doc_at(ips, i), "None"))
			break;
		if (!service_alloc_has(s->sa, v6))
			check_invalid(&s->check, &at, ips, "%s is not configured on this cluster",
				      v6 ? "IPv6" : "IPv4");
		else
			(void)doc_append(s->c->a, own_list(s, "spec.ipFamilies"), family(v6));
	}
}

/* The default family first; then the other one, unless one is all that is asked for. */
static void complete_families(struct service *s, bool both)
{
	struct doc *list = own_list(s, "spec.ipFamilies");

	if (list && doc_len(list) == 0)
		(void)doc_append(s->c->a, list, family(service_alloc_primary_v6(s->sa)));
	if (doc_len(list) == 1 && both && !is_policy(s->obj, "SingleStack"))
		(void)doc_append(s->c->a, list, family(doc_str_is(doc_at(list, 0), "IPv4")));
}

static void check_configured(struct service *s)
{
	const struct doc *list = families_of(s->obj);
	const bool both = service_alloc_has(s->sa, false) && service_alloc_has(s->sa, true);

	if (is_policy(s->obj, "RequireDualStack") && !both)
		check_invalid(&s->check, &policy_at, doc_find(s->obj, "spec.ipFamilyPolicy"),
			      "this cluster is not configured for dual-stack services");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&families_at, i);

		if (!service_alloc_has(s->sa, doc_str_is(doc_at(list, i), "IPv6")))
			check_invalid(&s->check, &at, doc_at(list, i),
				      "not configured on this cluster");
	}
}

static int set_families(struct service *s, struct err *err)
{
	if (!has_ips(s->obj) || is_settled(s))
		return 0;
	set_policy(s);
	if (s->old)
		give_up_second(s);
	if (is_policy(s->obj, "SingleStack"))
		check_single(s);
	infer_families(s);
	if (s->check.n > 0)
		return failed(s, err);
	if (is_selectorless(s->obj)) {
		complete_families(s, true);
		return 0;
	}
	check_configured(s);
	if (s->check.n > 0)
		return failed(s, err);
	complete_families(s, service_alloc_has(s->sa, false) && service_alloc_has(s->sa, true));
	return 0;
}

/* ---- addresses ---- */

/* The i-th address: the one that is named, or any of the i-th family. */
static int take_ip(struct service *s, size_t i, struct err *err)
{
	const bool v6 = doc_str_is(doc_at(families_of(s->obj), i), "IPv6");
	struct doc *list = own_list(s, "spec.clusterIPs");
	char text[STRATEGY_IP_MAX];
	struct strategy_ip ip;
	const char *why;

	if (doc_at(list, i)) {
		const struct slice named = doc_slice(doc_at(list, i));

		why = strategy_ip_read(named, &ip) ? service_alloc_take_ip(s->sa, s->c, &ip)
						   : "not an address";
		if (!why)
			return 0;
		check_invalid(&s->check, &ips_at, list, "failed to allocate IP %.*s: %s",
			      (int)named.n, named.p, why);
		return failed(s, err);
	}
	why = service_alloc_next_ip(s->sa, s->c, v6, &ip);
	if (why)
		return err_set(err, ERR_SYSTEM,
			       "failed to allocate a serviceIP for Service \"%s\": %s",
			       doc_cstr(s->c->a, doc_find(s->obj, "metadata.name")), why);
	strategy_ip_print(&ip, text);
	(void)doc_append(s->c->a, list, doc_str(s->c->a, text));
	if (i == 0)
		(void)strategy_set_text(s->c, s->obj, "spec.clusterIP", text);
	return 0;
}

/* Those that it did not have: all of a new one, the second one. */
static int take_ips(struct service *s, struct err *err)
{
	const size_t n = doc_len(families_of(s->obj)), was = doc_len(families_of(s->old));
	size_t from = 0;

	if (!has_ips(s->obj) || is_headless(s->obj) || is_settled(s))
		return 0;
	if (s->old && has_ips(s->old)) {
		if (is_headless(s->old) || was != 1 || n != 2)
			return 0;
		from = 1;
	}
	for (size_t i = from; i < n; i++) {
		int r = take_ip(s, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- node ports ---- */

static bool wants_ports(const struct doc *service)
{
	const struct doc *asked = doc_find(service, "spec.allocateLoadBalancerNodePorts");

	return is_type(service, "NodePort") ||
	       (is_type(service, "LoadBalancer") && (!asked || doc_true(asked)));
}

static bool has_port(const struct doc *ports, int64_t node_port)
{
	DOC_EACH (d, ports)
		if (strategy_int(d, "nodePort") == node_port)
			return true;
	return false;
}

/* Ports of one number under several protocols share a node port: the one that is named, or that was
 * found for the first. */
static int64_t shared_port(const struct doc *ports, const struct doc *port)
{
	DOC_EACH (d, ports)
		if (strategy_same_at(d, port, "port") && strategy_int(d, "nodePort") != 0)
			return strategy_int(d, "nodePort");
	return 0;
}

static int take_port(struct service *s, size_t i, int64_t port, struct err *err)
{
	const struct path one = PATH_INDEX(&ports_at, i), at = PATH(&one, "nodePort");
	const char *why;

	if (has_port(doc_find(s->old, "spec.ports"), port) && has_ports(s->old))
		return 0;
	why = service_alloc_take_port(s->sa, s->c, port);
	if (why) {
		const struct doc value = doc_int(s->c->a, port);

		check_invalid(&s->check, &at, &value, "%s", why);
		return failed(s, err);
	}
	return 0;
}

static int fill_port(struct service *s, struct doc *port, struct err *err)
{
	const struct api_type *t = strategy_type(s->c->objects->kind->type, "spec.ports");
	int64_t n = s->old ? 0 : shared_port(doc_find(s->obj, "spec.ports"), port);

	if (n == 0) {
		const char *why = service_alloc_next_port(s->sa, s->c, &n);

		if (why)
			return err_set(err, ERR_SYSTEM, "failed to allocate a nodePort: %s", why);
	}
	(void)strategy_put(t, port, s->c->a, "nodePort", doc_int(s->c->a, n));
	return 0;
}

static int take_ports(struct service *s, struct err *err)
{
	struct doc *list = doc_find(s->obj, "spec.ports");
	int r = 0;

	if (!has_ports(s->obj))
		return 0;
	/* What is named comes first, so that it is not chosen for another. */
	for (size_t i = 0; r == 0 && i < doc_len(list); i++) {
		const int64_t n = strategy_int(doc_at(list, i), "nodePort");

		if (n != 0)
			r = take_port(s, i, n, err);
	}
	for (size_t i = 0; r == 0 && wants_ports(s->obj) && i < doc_len(list); i++)
		if (strategy_int(doc_at(list, i), "nodePort") == 0)
			r = fill_port(s, doc_at(list, i), err);
	return r;
}

static int take_health_port(struct service *s, struct err *err)
{
	int64_t n = strategy_int(s->obj, "spec.healthCheckNodePort");
	const char *why;

	if (!has_health_port(s->obj) || (s->old && has_health_port(s->old)))
		return 0;
	if (n != 0) {
		why = service_alloc_take_port(s->sa, s->c, n);
		return why ? err_set(err, ERR_SYSTEM,
				     "failed to allocate requested HealthCheck NodePort %lld: %s",
				     (long long)n, why)
			   : 0;
	}
	why = service_alloc_next_port(s->sa, s->c, &n);
	if (why)
		return err_set(err, ERR_SYSTEM, "failed to allocate a HealthCheck NodePort 0: %s",
			       why);
	(void)strategy_set(s->c, s->obj, "spec.healthCheckNodePort", doc_int(s->c->a, n));
	return 0;
}

/* Everything that is missing. Again: nothing more. */
static int allocate(struct service *s, struct err *err)
{
	int r;

	if (!s->sa || !is_sound(s->obj))
		return 0;
	r = set_families(s, err);
	if (r == 0)
		r = take_ips(s, err);
	if (r == 0)
		r = take_ports(s, err);
	if (r == 0)
		r = take_health_port(s, err);
	return arena_exceeded(s->c->a) ? arena_quota(s->c->a, err) : r;
}

/* ---- create ---- */

static void begin(struct service *s, struct strategy_call *c, struct doc *obj,
		  const struct doc *old)
{
	*s = (struct service){ .c = c, .sa = service_alloc_of(c), .obj = obj, .old = old };
	check_init(&s->check, NULL, c->objects->kind, old, c->a);
}

/* Not of names of others. */
static void drop_internal_policy(struct doc *obj)
{
	if (!has_ips(obj))
		(void)strategy_drop(obj, "spec.internalTrafficPolicy");
}

static int create_service(struct strategy_call *c, struct doc *obj, struct err *err)
{
	struct service s;

	begin(&s, c, obj, NULL);
	drop_internal_policy(obj);
	normalize(&s);
	return allocate(&s, err);
}

/* ---- update ---- */

/* What older servers did not write. */
static const struct doc *complete_old(struct strategy_call *c, const struct doc *old)
{
	struct doc *copy = doc_copy_shared(c->a, old);
	struct service s;

	if (!copy)
		return old;
	begin(&s, c, copy, NULL);
	normalize(&s);
	drop_internal_policy(copy);
	if (s.sa && has_ips(copy) && doc_len(families_of(copy)) == 0 && is_sound(copy)) {
		infer_families(&s);
		complete_families(&s, is_selectorless(copy));
		if (!doc_find(copy, "spec.ipFamilyPolicy"))
			(void)strategy_set_text(c, copy, "spec.ipFamilyPolicy",
						doc_len(families_of(copy)) == 2 ? "RequireDualStack"
										: "SingleStack");
	}
	return copy;
}

/* What a PUT left out of what was allocated. */
static void keep_ports(struct service *s)
{
	const struct api_type *t = strategy_type(s->c->objects->kind->type, "spec.ports");
	const struct doc *was = doc_find(s->old, "spec.ports");
	struct doc *list = doc_find(s->obj, "spec.ports");

	DOC_EACH (d, list) {
		int64_t n = 0;

		if (strategy_int(d, "nodePort") != 0)
			continue;
		DOC_EACH (o, was)
			if (slice_eq(strategy_text(o, "name"), strategy_text(d, "name")))
				n = strategy_int(o, "nodePort");
		if (n != 0 && !has_port(list, n))
			(void)strategy_put(t, d, s->c->a, "nodePort", doc_int(s->c->a, n));
	}
}

static void keep_allocated(struct service *s)
{
	const struct api_type *t = s->c->objects->kind->type;

	if (has_ips(s->obj) && has_ips(s->old)) {
		if (strategy_text(s->obj, "spec.clusterIP").n == 0)
			strategy_keep(t, s->obj, s->old, s->c->a, "spec.clusterIP");
		if (doc_len(ips_of(s->obj)) == 0)
			strategy_keep(t, s->obj, s->old, s->c->a, "spec.clusterIPs");
	}
	if (wants_ports(s->obj) && wants_ports(s->old))
		keep_ports(s);
	if (has_health_port(s->obj) && has_health_port(s->old) &&
	    strategy_int(s->obj, "spec.healthCheckNodePort") == 0)
		strategy_keep(t, s->obj, s->old, s->c->a, "spec.healthCheckNodePort");
}

static bool has_same_ports(const struct service *s)
{
	DOC_EACH (d, doc_find(s->obj, "spec.ports"))
		if (strategy_int(d, "nodePort") != 0 &&
		    !has_port(doc_find(s->old, "spec.ports"), strategy_int(d, "nodePort")))
			return false;
	return true;
}

static bool is_external(const struct doc *service)
{
	return has_ports(service) || (is_type(service, "ClusterIP") &&
				      doc_len(doc_find(service, "spec.externalIPs")) > 0);
}

/* A field that only was there for the old type goes, unless it was changed with the type. */
static void drop_unchanged(struct service *s, bool ended, const char *path)
{
	if (ended && strategy_same_at(s->obj, s->old, path))
		(void)strategy_drop(s->obj, path);
}

static void drop_of_old_type(struct service *s)
{
	const bool ips_end = has_ips(s->old) && !has_ips(s->obj),
		   balanced_ends =
			   is_type(s->old, "LoadBalancer") && !is_type(s->obj, "LoadBalancer"),
		   same_ips = strategy_same_at(s->obj, s->old, "spec.clusterIP") &&
			      strategy_same(ips_of(s->obj), ips_of(s->old));

	drop_unchanged(s, ips_end && same_ips, "spec.clusterIP");
	drop_unchanged(s, ips_end && same_ips, "spec.clusterIPs");
	drop_unchanged(s, ips_end, "spec.ipFamilies");
	drop_unchanged(s, ips_end, "spec.ipFamilyPolicy");
	if (has_ports(s->old) && !has_ports(s->obj) && has_same_ports(s))
		DOC_EACH (d, doc_find(s->obj, "spec.ports"))
			(void)strategy_drop(d, "nodePort");
	drop_unchanged(s, has_health_port(s->old) && !has_health_port(s->obj),
		       "spec.healthCheckNodePort");
	drop_unchanged(s, balanced_ends, "spec.allocateLoadBalancerNodePorts");
	drop_unchanged(s, balanced_ends, "spec.loadBalancerClass");
	drop_unchanged(s, is_external(s->old) && !is_external(s->obj),
		       "spec.externalTrafficPolicy");
	if (!is_type(s->obj, "LoadBalancer") && doc_find(s->obj, "status.loadBalancer"))
		(void)strategy_set(s->c, s->obj, "status.loadBalancer", doc_object());
}

static int update_service(struct strategy_call *c, struct doc *obj, const struct doc *old,
			  struct err *err)
{
	struct service s;
	int r;

	if (!strategy_sub(c, ""))
		return 0;
	begin(&s, c, obj, complete_old(c, old));
	keep_allocated(&s);
	normalize(&s);
	r = allocate(&s, err);
	if (r < 0)
		return r;
	drop_of_old_type(&s);
	drop_internal_policy(obj);
	return 0;
}

/* ---- commit ---- */

static int commit_service(struct strategy_call *c, struct doc *obj, const struct doc *old,
			  struct err *err)
{
	const struct slice namespace = strategy_text(old, "metadata.namespace"),
			   name = strategy_text(old, "metadata.name");
	const struct doc *copy;
	struct service s;
	int r;

	begin(&s, c, obj, old);
	if (!obj) {
		r = service_write_addresses(c, NULL, old, err);
		if (r == 0)
			r = service_write_ports(c, NULL, old, err);
		service_remove_with(c, "", "endpoints",
				    arena_printf(c->a, "%.*s/%.*s", (int)namespace.n, namespace.p,
						 (int)name.n, name.p));
		return r;
	}
	if (!strategy_sub(c, ""))
		return 0;
	copy = doc_copy_shared(c->a, obj);
	if (!copy)
		return arena_quota(c->a, err);
	*obj = *copy;
	if (old)
		s.old = complete_old(c, old);
	normalize(&s);
	r = allocate(&s, err);
	if (r == 0)
		r = service_write_addresses(c, obj, s.old, err);
	return r < 0 ? r : service_write_ports(c, obj, s.old, err);
}

/* ---- warnings ---- */

static void warn_headless(struct strategy_call *c, const struct doc *obj)
{
	if (!is_type(obj, "ClusterIP") || !is_headless(obj))
		return;
	if (strategy_text(obj, "spec.loadBalancerIP").n > 0)
		strategy_warn(c, "spec.loadBalancerIP is ignored for headless services");
	if (doc_len(doc_find(obj, "spec.externalIPs")) > 0)
		strategy_warn(c, "spec.externalIPs is ignored for headless services");
	if (!strategy_is(obj, "spec.sessionAffinity", "None"))
		strategy_warn(c, "spec.SessionAffinity is ignored for headless services");
}

static void warn_type(struct strategy_call *c, const struct doc *obj)
{
	if (is_type(obj, "ExternalName")) {
		if (doc_len(doc_find(obj, "spec.externalIPs")) > 0)
			strategy_warn(c, "spec.externalIPs is ignored when spec.type is "
					 "\"ExternalName\"");
	} else if (strategy_text(obj, "spec.externalName").n > 0) {
		strategy_warn(c, "spec.externalName is ignored when spec.type is not "
				 "\"ExternalName\"");
	}
	if (strategy_is(obj, "spec.trafficDistribution", "PreferClose"))
		strategy_warn(c, "spec.trafficDistribution: \"PreferClose\" is deprecated; use "
				 "\"PreferSameZone\"");
}

static void warn_service(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	static const struct path outer = { .up = &spec_at, .name = "externalIPs" },
				 balancer = { .up = &spec_at, .name = "loadBalancerIP" },
				 ranges = { .up = &spec_at, .name = "loadBalancerSourceRanges" };
	const struct doc *list = doc_find(obj, "spec.loadBalancerSourceRanges");

	(void)old;
	if (!strategy_sub(c, "")) {
		strategy_warn_balancer(c, obj);
		return;
	}
	if (doc_get(doc_find(obj, "metadata.annotations"),
		    "service.kubernetes.io/topology-aware-hints"))
		strategy_warn(c, "annotation service.kubernetes.io/topology-aware-hints is "
				 "deprecated, please use service.kubernetes.io/topology-mode "
				 "instead");
	strategy_warn_ips(c, &ips_at, ips_of(obj));
	warn_headless(c, obj);
	strategy_warn_ips(c, &outer, doc_find(obj, "spec.externalIPs"));
	if (doc_len(doc_find(obj, "spec.externalIPs")) > 0 && has_ips(obj) &&
	    !(is_type(obj, "ClusterIP") && is_headless(obj)))
		strategy_warn(c, "spec.externalIPs is deprecated and may no longer be implemented "
				 "in some clusters");
	strategy_warn_ip(c, &balancer, doc_find(obj, "spec.loadBalancerIP"));
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&ranges, i);

		strategy_warn_cidr(c, &at, doc_at(list, i));
	}
	warn_type(c, obj);
}

const struct strategy strategy_service[] = {
	{ "", "services", STRATEGY_CREATE_ON_UPDATE, create_service, update_service, commit_service,
	  warn_service, NULL },
	{ 0 },
};
