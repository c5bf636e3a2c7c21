/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a Pod's status. */
#include "api/check-pod-change.h"

/* ---- states ---- */

static bool has_ended(const struct doc *status, bool on_failure)
{
	const struct doc *end = doc_find(status, "state.terminated"),
			 *code = doc_get(end, "exitCode");
	int64_t n = 0;

	if (code)
		(void)doc_int64(code, &n);
	return end && !(on_failure && n != 0);
}

static bool is_sidecar(const struct doc *spec, const struct doc *name)
{
	DOC_EACH (k, doc_get(spec, "initContainers"))
		if (doc_equal(doc_get(k, "name"), name))
			return doc_str_is(doc_get(k, "restartPolicy"), "Always");
	return false;
}

/* spec: of init containers, whose sidecars may start again; else NULL. */
static void check_transition(struct check *c, const struct path *p, const struct doc *now,
			     const struct doc *old, const char *policy, const struct doc *spec)
{
	if (strcmp(policy, "Always") == 0)
		return;
	for (size_t i = 0; i < doc_len(old); i++) {
		const struct path one = PATH_INDEX(p, i), at = PATH(&one, "state");
		const struct doc *was = doc_at(old, i), *name = doc_get(was, "name");

		if (!has_ended(was, strcmp(policy, "OnFailure") == 0) ||
		    (spec && is_sidecar(spec, name)))
			continue;
		DOC_EACH (is, now)
			if (doc_equal(doc_get(is, "name"), name) &&
			    !doc_find(is, "state.terminated"))
				check_forbidden(c, &at,
						"may not be transitioned to non-terminated state");
	}
}

/* ---- who a container runs as, and what it was given ---- */

static void check_user(struct check *c, const struct path *p, const struct doc *status,
		       const struct doc *os)
{
	const struct path linux_at = PATH(p, "linux"), uid = PATH(&linux_at, "uid"),
			  gid = PATH(&linux_at, "gid"),
			  list = PATH(&linux_at, "supplementalGroups");
	const struct doc *user = doc_find(status, "user.linux"),
			 *groups = doc_get(user, "supplementalGroups");

	if (user && doc_str_is(os, "windows")) {
		check_forbidden(c, &linux_at, "cannot be set for a windows pod");
		return;
	}
	check_id(c, &uid, doc_get(user, "uid"));
	check_id(c, &gid, doc_get(user, "gid"));
	for (size_t i = 0; i < doc_len(groups); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_id(c, &at, doc_at(groups, i));
	}
}

static const struct doc *container_of(const struct doc *list, const struct doc *name)
{
	DOC_EACH (k, list)
		if (doc_equal(doc_get(k, "name"), name))
			return k;
	return NULL;
}

/* "claim:name" or "claim:name/request". */
static bool has_claim(const struct doc *container, struct slice name)
{
	name = slice_of(name.p + 6, name.n - 6);
	DOC_EACH (r, doc_find(container, "resources.claims")) {
		struct slice claim = doc_slice(doc_get(r, "name")),
			     request = doc_slice(doc_get(r, "request"));

		if (!slice_starts(name, claim))
			continue;
		if (request.n == 0
			    ? name.n == claim.n
			    : name.p && name.n == claim.n + 1 + request.n &&
				      name.p[claim.n] == '/' &&
				      memcmp(name.p + claim.n + 1, request.p, request.n) == 0)
			return true;
	}
	return false;
}

static void check_health(struct check *c, const struct path *p, const struct doc *list)
{
	static const char *const states[] = { "Healthy", "Unhealthy", "Unknown", NULL };

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), health = PATH(&at, "health");

		check_exactly_one_of(c, &health, doc_get(doc_at(list, i), "health"), states);
	}
	check_unique(c, p, list, "resourceID");
}

static void check_given(struct check *c, const struct path *p, const struct doc *status,
			const struct doc *containers)
{
	const struct path list = PATH(p, "allocatedResourcesStatus");
	const struct doc *given = doc_get(status, "allocatedResourcesStatus"),
			 *k = container_of(containers, doc_get(status, "name"));

	for (size_t i = 0; i < doc_len(given); i++) {
		const struct path at = PATH_INDEX(&list, i), name_at = PATH(&at, "name"),
				  health = PATH(&at, "resources");
		const struct doc *name = doc_get(doc_at(given, i), "name");
		struct slice s = doc_slice(name);
		bool claim = slice_starts(s, SLICE("claim:"));

		if (k && claim && !has_claim(k, s))
			check_invalid(c, &name_at, name,
				      "must match one of the container's resource claims in a "
				      "format 'claim:<claimName>/<request>' or 'claim:<claimName>' "
				      "if request is empty");
		if (k && !claim && !doc_getn(doc_find(k, "resources.requests"), s))
			check_invalid(c, &name_at, name,
				      "must match one of the container's resource requests");
		check_health(c, &health, doc_get(doc_at(given, i), "resources"));
	}
}

/* ---- the lists of containers ---- */

static const struct {
	const char *field, *containers;
} lists[] = {
	{ "containerStatuses", "containers" },
	{ "initContainerStatuses", "initContainers" },
	{ "ephemeralContainerStatuses", NULL },
};

static void check_statuses(struct check *c, const struct path *p, const struct doc *pod)
{
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path list = PATH(p, lists[i].field);
		const struct doc *all = doc_get(doc_get(pod, "status"), lists[i].field),
				 *spec = doc_get(pod, "spec");

		for (size_t j = 0; j < doc_len(all); j++) {
			const struct path at = PATH_INDEX(&list, j);
			const struct doc *s = doc_at(all, j);

			check_user(c, &at, s, doc_find(spec, "os.name"));
			if (lists[i].containers)
				check_given(c, &at, s, doc_get(spec, lists[i].containers));
			else
				check_has_not(c, &at, s, "allocatedResourcesStatus",
					      "must not be specified in container status");
		}
	}
}

static void check_transitions(struct check *c, const struct path *p, const struct doc *now,
			      const struct doc *old)
{
	const struct doc *spec = doc_get(old, "spec"), *s = doc_get(now, "status"),
			 *o = doc_get(old, "status");
	const char *policy = doc_cstr(c->a, doc_get(spec, "restartPolicy"));

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path at = PATH(p, lists[i].field);

		check_transition(c, &at, doc_get(s, lists[i].field), doc_get(o, lists[i].field),
				 i == 2 || !policy ? "Never" : policy, i == 1 ? spec : NULL);
	}
}

/* ---- the rest ---- */

static void check_conditions(struct check *c, const struct doc *status)
{
	/* Upstream tells them below metadata. */
	const struct path meta = PATH(NULL, "metadata"), list = PATH(&meta, "conditions");
	const struct doc *conditions = doc_get(status, "conditions");

	for (size_t i = 0; i < doc_len(conditions); i++) {
		const struct path one = PATH_INDEX(&list, i), at = PATH(&one, "Type");
		const struct doc *type = doc_get(doc_at(conditions, i), "type");
		const char *why = form_qualified_name(doc_slice(type));

		if (why)
			check_invalid(c, &at, type, "%s", why);
	}
}

static void check_claim_statuses(struct check *c, const struct path *p, const struct doc *pod)
{
	const struct path list = PATH(p, "resourceClaimStatuses");
	const struct doc *all = doc_find(pod, "status.resourceClaimStatuses");

	for (size_t i = 0; i < doc_len(all); i++) {
		const struct path one = PATH_INDEX(&list, i), at = PATH(&one, "name");
		const struct doc *s = doc_at(all, i), *name = doc_get(s, "name");

		if (!container_of(doc_find(pod, "spec.resourceClaims"), name))
			check_invalid(c, &at, name,
				      "must match the name of an entry in `spec.resourceClaims`");
		check_optional_text(c, &at, doc_get(s, "resourceClaimName"), form_dns_subdomain);
	}
	check_unique(c, &list, all, "name");
}

static void check_addresses(struct check *c, const struct path *p, const struct doc *status)
{
	const struct path pods = PATH(p, "podIPs"), hosts = PATH(p, "hostIPs"),
			  first = PATH_INDEX(&hosts, 0), at = PATH(&first, "ip");
	const struct doc *host = doc_get(status, "hostIP"), *list = doc_get(status, "hostIPs"),
			 *ip = doc_get(doc_at(list, 0), "ip");

	check_families(c, &pods, doc_get(status, "podIPs"), "ip", "IP");
	if (doc_len(list) > 0 && !slice_eq(doc_slice(host), doc_slice(ip)))
		check_invalid(c, &at, ip, "must be equal to `hostIP`");
	check_families(c, &hosts, list, "ip", "IP");
}

void check_pod_status(struct check *c, const struct doc *pod)
{
	const struct path p = PATH(NULL, "status"), node = PATH(&p, "nodeName"),
			  nominated_at = PATH(&p, "nominatedNodeName"), qos = PATH(&p, "qosClass");
	const struct doc *status = doc_get(pod, "status"), *old = doc_get(c->old, "status"),
			 *nominated = doc_get(status, "nominatedNodeName");

	check_conditions(c, status);
	if (!slice_eq(doc_slice(doc_find(pod, "spec.nodeName")),
		      doc_slice(doc_find(c->old, "spec.nodeName"))))
		check_forbidden(c, &node, "may not be changed directly");
	if (!slice_eq(doc_slice(nominated), doc_slice(doc_get(old, "nominatedNodeName"))))
		check_optional_text(c, &nominated_at, nominated, form_dns_subdomain);
	if (c->old)
		check_immutable(c, &qos, doc_get(status, "qosClass"), doc_get(old, "qosClass"));
	check_transitions(c, &p, pod, c->old);
	check_claim_statuses(c, &p, pod);
	check_addresses(c, &p, status);
	check_statuses(c, &p, pod);
}
