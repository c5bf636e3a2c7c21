/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a pod's spec as a whole, and of templates; its parts stand in check-container.c,
 * check-volume.c, check-security.c, check-schedule.c. */
#include "api/check-annotations.h"

/* ---- names and DNS ---- */

/* One label of a search path: as in DNS, and '_' but at the end. */
static bool is_search_label(struct slice s)
{
	if (s.n > 0 && s.p[0] == '_')
		s = slice_of(s.p + 1, s.n - 1);
	for (size_t i = 0; i < s.n; i++) {
		bool inner = s.p[i] == '-' || s.p[i] == '_';

		if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') &&
		    !(inner && i > 0 && i + 1 < s.n))
			return false;
	}
	return s.n > 0;
}

static const char *form_search(struct slice s)
{
	if (slice_is(s, "."))
		return NULL;
	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n > 253)
		return "must be no more than 253 characters";
	for (;;) {
		const char *dot = s.n ? memchr(s.p, '.', s.n) : NULL;
		size_t n = dot ? (size_t)(dot - s.p) : s.n;

		if (!is_search_label(slice_of(s.p, n)))
			return "a lowercase RFC 1123 subdomain has lower case letters, digits, "
			       "'-', '_' and '.', and begins and ends with a letter or digit";
		if (!dot)
			return NULL;
		s = slice_of(dot + 1, s.n - n - 1);
	}
}

#define NAMESERVERS_MAX 3
#define SEARCHES_MAX 32
#define SEARCH_CHARS_MAX 2048

static void check_searches(struct check *c, const struct path *p, const struct doc *searches)
{
	size_t total = 0;

	DOC_EACH (s, searches)
		total += s->n + 1;
	if (doc_len(searches) > SEARCHES_MAX)
		check_invalid(c, p, searches, "must not have more than %d search paths",
			      SEARCHES_MAX);
	if (total > SEARCH_CHARS_MAX + 1)
		check_invalid(c, p, searches,
			      "must not have more than %d characters (including spaces) in the "
			      "search list",
			      SEARCH_CHARS_MAX);
	check_each_text(c, p, searches, form_search);
}

static void check_dns(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path config = PATH(p, "dnsConfig"), servers = PATH(&config, "nameservers"),
			  searches = PATH(&config, "searches"), options = PATH(&config, "options");
	const struct doc *d = doc_get(spec, "dnsConfig"), *list = doc_get(d, "nameservers"),
			 *opt = doc_get(d, "options");

	if (doc_str_is(doc_get(spec, "dnsPolicy"), "None")) {
		if (!d) {
			check_required(c, &config,
				       "must provide `dnsConfig` when `dnsPolicy` is None");
			return;
		}
		if (doc_len(list) == 0) {
			check_required(c, &servers,
				       "must provide at least one DNS nameserver when `dnsPolicy` "
				       "is None");
			return;
		}
	}
	if (doc_len(list) > NAMESERVERS_MAX)
		check_invalid(c, &servers, list, "must not have more than %d nameservers",
			      NAMESERVERS_MAX);
	check_each_text(c, &servers, list, form_ip);
	check_searches(c, &searches, doc_get(d, "searches"));
	for (size_t i = 0; i < doc_len(opt); i++) {
		const struct path at = PATH_INDEX(&options, i);

		if (doc_slice(doc_get(doc_at(opt, i), "name")).n == 0)
			check_required(c, &at, "must not be empty");
	}
}

static void check_host_aliases(struct check *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), ip = PATH(&at, "ip"),
				  names = PATH(&at, "hostnames");
		const struct doc *alias = doc_at(list, i), *address = doc_get(alias, "ip");
		const char *why = form_ip(doc_slice(address));

		if (why)
			check_invalid(c, &ip, address, "%s", why);
		check_each_text(c, &names, doc_get(alias, "hostnames"), form_dns_subdomain);
	}
}

static void check_hostname_override(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path at = PATH(p, "hostnameOverride");
	const struct doc *name = doc_get(spec, "hostnameOverride");
	const char *why = name ? form_dns_subdomain(doc_slice(name)) : NULL;

	if (!name)
		return;
	if (why)
		check_invalid(c, &at, name, "%s", why);
	if (name->n > 64)
		check_too_long(c, &at, 64);
	if (doc_true(doc_get(spec, "setHostnameAsFQDN")))
		check_forbidden(c, &at, "may not be set together with `setHostnameAsFQDN`");
	if (doc_true(doc_get(spec, "hostNetwork")))
		check_forbidden(c, &at, "may not be set when `hostNetwork` is true");
}

/* ---- gates and claims ---- */

static void check_gates(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path ready = PATH(p, "readinessGates"), gates = PATH(p, "schedulingGates");
	const struct doc *r = doc_get(spec, "readinessGates"),
			 *g = doc_get(spec, "schedulingGates");

	for (size_t i = 0; i < doc_len(r); i++) {
		const struct path at = PATH_INDEX(&ready, i), type = PATH(&at, "conditionType");
		const struct doc *v = doc_get(doc_at(r, i), "conditionType");
		const char *why = form_qualified_name(doc_slice(v));

		if (why)
			check_invalid(c, &type, v, "%s", why);
	}
	for (size_t i = 0; i < doc_len(g); i++) {
		const struct path at = PATH_INDEX(&gates, i);
		const struct doc *v = doc_get(doc_at(g, i), "name");
		const char *why = form_qualified_name(doc_slice(v));

		if (why)
			check_invalid(c, &at, v, "%s", why);
		for (size_t j = 0; j < i; j++)
			if (doc_equal(v, doc_get(doc_at(g, j), "name"))) {
				check_duplicate(c, &at, v);
				break;
			}
	}
}

static void check_pod_claims(struct check *c, const struct path *p, const struct doc *claims)
{
	static const struct field_rule rules[] = {
		{ .field = "name", .required = true, .form = form_dns_label },
		{ .field = "resourceClaimName", .form = form_dns_subdomain },
		{ .field = "resourceClaimTemplateName", .form = form_dns_subdomain },
		{ 0 },
	};

	for (size_t i = 0; i < doc_len(claims); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *claim = doc_at(claims, i);
		bool by_name = doc_get(claim, "resourceClaimName");
		bool by_template = doc_get(claim, "resourceClaimTemplateName");

		if (by_name && by_template)
			check_invalid(c, &at, claim,
				      "at most one of `resourceClaimName` or "
				      "`resourceClaimTemplateName` may be specified");
		if (!by_name && !by_template)
			check_invalid(c, &at, claim,
				      "must specify one of: `resourceClaimName`, "
				      "`resourceClaimTemplateName`");
		check_fields(c, &at, claim, rules);
	}
	check_unique(c, p, claims, "name");
}

/* ---- the host's namespaces ---- */

static void check_host_ports(struct check *c, const struct path *p, const struct doc *spec,
			     unsigned opts)
{
	const struct path list = PATH(p, "containers");
	const struct doc *containers = doc_get(spec, "containers");

	if (!doc_true(doc_get(spec, "hostNetwork")))
		return;
	for (size_t i = 0; i < doc_len(containers); i++) {
		const struct path at = PATH_INDEX(&list, i), ports = PATH(&at, "ports");
		const struct doc *all = doc_get(doc_at(containers, i), "ports");

		for (size_t j = 0; j < doc_len(all); j++) {
			const struct path port = PATH_INDEX(&ports, j),
					  host = PATH(&port, "hostPort");
			const struct doc *h = doc_get(doc_at(all, j), "hostPort");

			if (((opts & POD_IS_POD) || h) &&
			    check_number(h) !=
				    check_number(doc_get(doc_at(all, j), "containerPort")))
				check_invalid(c, &host, h,
					      "must match `containerPort` when `hostNetwork` is "
					      "true");
		}
	}
}

static void check_host_users(struct check *c, const struct path *p, const struct doc *spec)
{
	/* Upstream's names of the last two begin with a capital. */
	static const char *const fields[] = { "hostPID", "hostIPC" }, *const shown[] = {
		"HostPID", "HostIPC"
	};
	const struct doc *users = doc_get(spec, "hostUsers");

	if (!users || doc_true(users))
		return;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct path at = PATH(p, shown[i]);

		if (doc_true(doc_get(spec, fields[i])))
			check_forbidden(c, &at, "when `hostUsers` is false");
	}
}

/* ---- the spec ---- */

static void check_lists(struct check *c, const struct path *p, const struct doc *spec)
{
	const struct path selector = PATH(p, "nodeSelector"), aliases = PATH(p, "hostAliases");

	check_labels(c, &selector, doc_get(spec, "nodeSelector"));
	check_dns(c, p, spec);
	check_gates(c, p, spec);
	check_host_aliases(c, &aliases, doc_get(spec, "hostAliases"));
	check_hostname_override(c, p, spec);
}

static const char *const restart_policies[] = { "Always", "OnFailure", "Never", NULL };
static const char *const dns_policies[] = { "ClusterFirstWithHostNet", "ClusterFirst", "Default",
					    "None", NULL };
static const char *const preemption[] = { "PreemptLowerPriority", "Never", NULL };
static const struct field_rule scalar_rules[] = {
	{ .field = "restartPolicy", .required = true, .values = restart_policies },
	{ .field = "dnsPolicy", .required = true, .values = dns_policies },
	{ .field = "serviceAccountName", .form = form_dns_subdomain },
	{ .field = "nodeName", .form = form_dns_subdomain },
	{ .field = "activeDeadlineSeconds", .number = true, .lo = 1, .hi = INT32_MAX },
	{ .field = "hostname", .form = form_dns_label },
	{ .field = "subdomain", .form = form_dns_label },
	{ .field = "priorityClassName", .form = form_dns_subdomain },
	{ .field = "runtimeClassName", .form = form_dns_subdomain },
	{ .field = "preemptionPolicy", .required = false, .values = preemption },
	{ 0 },
};

void check_pod_spec(struct check *c, const struct path *p, const struct doc *spec,
		    const struct doc *meta, unsigned opts)
{
	const struct path claims = PATH(p, "resourceClaims"), volumes = PATH(p, "volumes"),
			  affinity = PATH(p, "affinity"),
			  spreads = PATH(p, "topologySpreadConstraints"),
			  tolerations = PATH(p, "tolerations");

	(void)check_has(c, p, spec, "terminationGracePeriodSeconds", "");
	check_volumes(c, &volumes, doc_get(spec, "volumes"), meta, opts);
	check_pod_claims(c, &claims, doc_get(spec, "resourceClaims"));
	check_containers(c, p, spec, opts);
	check_pod_resources(c, p, spec);
	check_host_ports(c, p, spec, opts);
	check_pod_security(c, p, spec);
	check_affinity(c, &affinity, doc_get(spec, "affinity"));
	check_lists(c, p, spec);
	check_spreads(c, &spreads, doc_get(spec, "topologySpreadConstraints"));
	check_host_users(c, p, spec);
	check_fields(c, p, spec, scalar_rules);
	check_tolerations(c, &tolerations, doc_get(spec, "tolerations"));
}

/* Of a template that must keep running; the rest is told anyway. */
static void check_restarts(struct check *c, const struct path *p, const struct doc *spec)
{
	static const char *const always[] = { "Always", NULL };
	const struct path restart = PATH(p, "restartPolicy"),
			  deadline = PATH(p, "activeDeadlineSeconds");
	const struct doc *policy = doc_get(spec, "restartPolicy");

	if (!doc_str_is(policy, "Always"))
		check_unsupported(c, &restart, policy, always);
	if (doc_get(spec, "activeDeadlineSeconds"))
		check_forbidden(c, &deadline, "activeDeadlineSeconds in %s is not Supported",
				c->kind->kind);
}

void check_pod_template(struct check *c, const struct path *p, const struct doc *template,
			unsigned opts)
{
	/* Upstream leaves metadata out of the paths. */
	const struct path labels = PATH(p, "labels"), annotations = PATH(p, "annotations"),
			  spec = PATH(p, "spec"), ephemeral = PATH(&spec, "ephemeralContainers");
	const struct doc *meta = doc_get(template, "metadata"), *s = doc_get(template, "spec"),
			 *a = doc_get(meta, "annotations");

	check_labels(c, &labels, doc_get(meta, "labels"));
	check_annotations(c, &annotations, a);
	check_pod_annotations(c, &annotations, a, s);
	check_pod_spec(c, &spec, s, meta, opts & ~(unsigned)POD_IS_POD);
	check_profiles_match(c, &spec, a, s);
	if (doc_len(doc_get(s, "ephemeralContainers")) > 0)
		check_forbidden(c, &ephemeral, "ephemeral containers not allowed in pod template");
	if (opts & POD_RESTARTS)
		check_restarts(c, &spec, s);
}
