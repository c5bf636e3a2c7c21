/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of containers: regular, init (also those that stay: sidecars) and ephemeral. */
#include "api/check-container.h"

#include "base/map.h"

#include <ctype.h>

const char *const check_pull_policies[] = { "Always", "IfNotPresent", "Never", NULL };
const char *const check_protocols[] = { "SCTP", "TCP", "UDP", NULL };

/* ---- ports ---- */

/* Is this the second of the name? Empty ones are told elsewhere. */
static bool is_second(struct map *names, const struct doc *name)
{
	return doc_slice(name).n > 0 && map_put(names, doc_slice(name), names);
}

static void check_ports(struct check *c, const struct path *p, const struct doc *ports)
{
	static const struct field_rule rules[] = {
		{ .field = "hostPort", .number = true, .lo = 1, .hi = 65535 },
		{ .field = "protocol", .required = true, .values = check_protocols },
		{ 0 },
	};

	CLEANUP(map_fini) struct map names;

	map_init(&names);
	for (size_t i = 0; i < doc_len(ports); i++) {
		const struct path at = PATH_INDEX(p, i), name_at = PATH(&at, "name"),
				  port_at = PATH(&at, "containerPort");
		const struct doc *d = doc_at(ports, i), *name = doc_get(d, "name"),
				 *port = doc_get(d, "containerPort");
		const char *why = doc_slice(name).n ? form_port_name(doc_slice(name)) : NULL;

		if (why)
			check_invalid(c, &name_at, name, "%s", why);
		else if (is_second(&names, name))
			check_duplicate(c, &name_at, name);
		if (check_number(port) == 0)
			check_required(c, &port_at, "");
		else
			check_range(c, &port_at, port, 1, 65535);
		check_fields(c, &at, d, rules);
	}
}

static bool same_host_port(const struct doc *a, const struct doc *b)
{
	static const char *const fields[] = { "protocol", "hostIP", "hostPort" };

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const struct doc *x = doc_get(a, fields[i]), *y = doc_get(b, fields[i]);

		if (!x != !y || (x && !doc_equal(x, y)))
			return false;
	}
	return true;
}

/* Does a port before ports[port] of containers[k] take the same of the host? */
static bool is_taken(const struct doc *containers, size_t first, size_t k, size_t port)
{
	const struct doc *mine = doc_at(doc_get(doc_at(containers, k), "ports"), port);

	for (size_t i = first; i <= k; i++) {
		const struct doc *ports = doc_get(doc_at(containers, i), "ports");

		for (size_t j = 0; j < (i == k ? port : doc_len(ports)); j++)
			if (same_host_port(doc_at(ports, j), mine))
				return true;
	}
	return false;
}

/* first: containers before it do not count; shown: upstream's index of the container, if other. */
static void check_host_conflicts(struct check *c, const struct path *p,
				 const struct doc *containers, size_t first, size_t k, size_t shown)
{
	const struct doc *ports = doc_get(doc_at(containers, k), "ports");
	const struct path at = PATH_INDEX(p, shown), list = PATH(&at, "ports");

	for (size_t j = 0; j < doc_len(ports); j++) {
		const struct path port = PATH_INDEX(&list, j), host = PATH(&port, "hostPort");
		const struct doc *d = doc_at(ports, j);
		struct slice protocol = doc_slice(doc_get(d, "protocol")),
			     ip = doc_slice(doc_get(d, "hostIP"));
		char text[128];
		struct doc value;

		if (!doc_get(d, "hostPort") || !is_taken(containers, first, k, j))
			continue;
		(void)snprintf(text, sizeof(text), "%.*s/%.*s/%lld",
			       (int)MIN(protocol.n, (size_t)16), protocol.p,
			       (int)MIN(ip.n, (size_t)64), ip.p,
			       (long long)check_number(doc_get(d, "hostPort")));
		value = doc_borrow(text, strlen(text));
		check_duplicate(c, &host, &value);
	}
}

/* ---- resize and restart ---- */

static void check_resize(struct check *c, const struct path *p, const struct doc *list,
			 const struct pod *pod)
{
	static const char *const names[] = { "cpu", "memory", NULL };
	static const char *const policies[] = { "NotRequired", "RestartContainer", NULL };

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct doc *r = doc_at(list, i), *name = doc_get(r, "resourceName"),
				 *policy = doc_get(r, "restartPolicy");

		for (size_t j = 0; j < i; j++)
			if (doc_equal(doc_get(doc_at(list, j), "resourceName"), name)) {
				check_duplicate(c, &at, name);
				break;
			}
		check_one_of(c, p, name, names, true);
		check_one_of(c, p, policy, policies, true);
		if (pod->never && !doc_str_is(policy, "NotRequired"))
			check_invalid(c, p, policy,
				      "must be 'NotRequired' when `restartPolicy` is 'Never'");
	}
}

#define RULES_MAX 20
#define EXIT_CODES_MAX 255

static void check_exit_codes(struct check *c, const struct path *p, const struct doc *codes)
{
	static const char *const operators[] = { "In", "NotIn", NULL };
	const struct path op = PATH(p, "operator"), values = PATH(p, "values");
	const struct doc *list = doc_get(codes, "values");

	check_exactly_one_of(c, &op, doc_get(codes, "operator"), operators);
	if (doc_len(list) == 0)
		check_required(c, &values, "must specify at least one exit code");
	if (doc_len(list) > EXIT_CODES_MAX)
		check_too_many(c, &values, doc_len(list), EXIT_CODES_MAX);
}

static void check_restart(struct check *c, const struct path *p, const struct doc *container)
{
	static const char *const policies[] = { "Always", "Never", "OnFailure", NULL };
	static const char *const actions[] = { "Restart", "RestartAllContainers", NULL };
	const struct path policy = PATH(p, "restartPolicy"), list = PATH(p, "restartPolicyRules");
	const struct doc *r = doc_get(container, "restartPolicy"),
			 *rules = doc_get(container, "restartPolicyRules");

	if (r)
		check_exactly_one_of(c, &policy, r, policies);
	else if (doc_len(rules) > 0)
		check_required(c, &policy,
			       "must specify restartPolicy when restart rules are used");
	if (doc_len(rules) > RULES_MAX)
		check_too_many(c, &list, doc_len(rules), RULES_MAX);
	for (size_t i = 0; i < doc_len(rules); i++) {
		const struct path at = PATH_INDEX(&list, i), action = PATH(&at, "action"),
				  codes = PATH(&at, "exitCodes");
		const struct doc *rule = doc_at(rules, i);

		check_exactly_one_of(c, &action, doc_get(rule, "action"), actions);
		if (check_has(c, &at, rule, "exitCodes", "must be specified"))
			check_exit_codes(c, &codes, doc_get(rule, "exitCodes"));
	}
}

/* ---- what all have ---- */

static void check_common(struct check *c, const struct path *p, const struct doc *k,
			 const struct pod *pod)
{
	static const char *const messages[] = { "File", "FallbackToLogsOnError", NULL };
	static const struct field_rule rules[] = {
		{ .field = "name", .required = true, .form = form_dns_label },
		{ .field = "image", .required = true },
		{ .field = "terminationMessagePolicy", .required = true, .values = messages },
		{ .field = "imagePullPolicy", .required = true, .values = check_pull_policies },
		{ 0 },
	};
	const struct path ports = PATH(p, "ports"), env = PATH(p, "env"), from = PATH(p, "envFrom"),
			  resources = PATH(p, "resources"), resize = PATH(p, "resizePolicy"),
			  security = PATH(p, "securityContext"), image = PATH(p, "image");
	struct slice name = doc_slice(doc_get(k, "image"));

	check_fields(c, p, k, rules);
	check_ports(c, &ports, doc_get(k, "ports"));
	check_env(c, &env, doc_get(k, "env"), pod);
	check_env_from(c, &from, doc_get(k, "envFrom"));
	check_mounts(c, p, k, pod);
	check_resources(c, &resources, doc_get(k, "resources"),
			doc_get(pod->spec, "resourceClaims"));
	check_resize(c, &resize, doc_get(k, "resizePolicy"), pod);
	check_security(c, &security, doc_get(k, "securityContext"), pod->host_users);
	if ((pod->opts & POD_IS_POD) && name.n > 0 &&
	    (isspace((unsigned char)name.p[0]) || isspace((unsigned char)name.p[name.n - 1])))
		check_invalid(c, &image, doc_get(k, "image"),
			      "must not have leading or trailing whitespace");
}

/* ---- each list ---- */

static bool has_name(const struct doc *list, const struct doc *name)
{
	DOC_EACH (x, list)
		if (doc_slice(name).n > 0 && doc_equal(doc_get(x, "name"), name))
			return true;
	return false;
}

static void check_regular(struct check *c, const struct path *p, const struct pod *pod)
{
	const struct doc *list = doc_get(pod->spec, "containers");

	if (doc_len(list) == 0)
		check_required(c, p, "");
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), name = PATH(&at, "name");
		const struct doc *k = doc_at(list, i);

		check_common(c, &at, k, pod);
		if (is_second(pod->names, doc_get(k, "name")))
			check_duplicate(c, &name, doc_get(k, "name"));
		check_probes(c, &at, k, pod);
		check_restart(c, &at, k);
	}
	for (size_t i = 0; i < doc_len(list); i++)
		check_host_conflicts(c, p, list, 0, i, i);
}

static void check_first(struct check *c, const struct path *p, const struct pod *pod)
{
	static const char *const stays[] = { "lifecycle", "livenessProbe", "readinessProbe",
					     "startupProbe" };
	const struct doc *list = doc_get(pod->spec, "initContainers");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), name = PATH(&at, "name");
		const struct doc *k = doc_at(list, i);

		check_common(c, &at, k, pod);
		check_restart(c, &at, k);
		if (is_second(pod->names, doc_get(k, "name")))
			check_duplicate(c, &name, doc_get(k, "name"));
		/* They run one by one, so only a container's own ports count; upstream calls
		 * each of them the first. */
		check_host_conflicts(c, p, list, i, i, 0);
		if (doc_str_is(doc_get(k, "restartPolicy"), "Always")) {
			check_probes(c, &at, k, pod);
			continue;
		}
		for (size_t j = 0; j < ARRAY_LEN(stays); j++)
			check_has_not(c, &at, k, stays[j],
				      "may not be set for init containers without "
				      "restartPolicy=Always");
	}
}

static void check_ephemeral_mounts(struct check *c, const struct path *p, const struct doc *mounts)
{
	static const char why[] = "cannot be set for an Ephemeral Container";
	const struct path list = PATH(p, "volumeMounts");

	for (size_t i = 0; i < doc_len(mounts); i++) {
		const struct path at = PATH_INDEX(&list, i);

		check_has_not(c, &at, doc_at(mounts, i), "subPath", why);
		check_has_not(c, &at, doc_at(mounts, i), "subPathExpr", why);
	}
}

static void check_one_ephemeral(struct check *c, const struct path *p, const struct doc *k,
				const struct pod *pod)
{
	static const char *const no[] = { "ports",	    "resources",	  "resizePolicy",
					  "restartPolicy",  "restartPolicyRules", "livenessProbe",
					  "readinessProbe", "startupProbe",	  "lifecycle" };
	const struct path target = PATH(p, "targetContainerName");
	const struct doc *t = doc_get(k, "targetContainerName");

	if (doc_slice(t).n > 0 && !has_name(doc_get(pod->spec, "containers"), t) &&
	    !has_name(doc_get(pod->spec, "initContainers"), t))
		check_not_found(c, &target, t);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (doc_len(doc_get(k, no[i])) > 0 || doc_is(doc_get(k, no[i]), DOC_STRING))
			check_has_not(c, p, k, no[i], "cannot be set for an Ephemeral Container");
	check_ephemeral_mounts(c, p, doc_get(k, "volumeMounts"));
}

static void check_ephemeral(struct check *c, const struct path *p, const struct pod *pod)
{
	struct pod strict = *pod;
	const struct doc *list = doc_get(pod->spec, "ephemeralContainers");

	strict.opts |= POD_IS_POD;
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), name_at = PATH(&at, "name");
		const struct doc *k = doc_at(list, i), *name = doc_get(k, "name");

		check_common(c, &at, k, &strict);
		if (is_second(pod->names, name))
			check_duplicate(c, &name_at, name);
		check_one_ephemeral(c, &at, k, pod);
	}
}

void check_containers(struct check *c, const struct path *p, const struct doc *spec, unsigned opts)
{
	const struct path regular = PATH(p, "containers"), init = PATH(p, "initContainers"),
			  ephemeral = PATH(p, "ephemeralContainers");
	const struct doc *users = doc_get(spec, "hostUsers");
	CLEANUP(map_fini) struct map names;
	const struct pod pod = { .names = &names,
				 .spec = spec,
				 .host_users = !users || doc_true(users),
				 .never = doc_str_is(doc_get(spec, "restartPolicy"), "Never"),
				 .opts = opts };

	map_init(&names);
	check_regular(c, &regular, &pod);
	check_first(c, &init, &pod);
	check_ephemeral(c, &ephemeral, &pod);
}

void check_each_container(struct check *c, const struct path *p, const struct doc *spec,
			  check_container_fn *fn, void *arg)
{
	static const char *const lists[] = { "initContainers", "containers",
					     "ephemeralContainers" };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct path list = PATH(p, lists[i]);
		const struct doc *all = doc_get(spec, lists[i]);

		for (size_t j = 0; j < doc_len(all); j++) {
			const struct path at = PATH_INDEX(&list, j);

			fn(c, &at, doc_at(all, j), arg);
		}
	}
}
