/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of probes and of what runs at a container's start and end. */
#include "api/check-container.h"

/* ---- handlers ---- */

static void check_header_name(struct check *c, const struct path *p, const struct doc *name)
{
	struct slice s = doc_slice(name);
	bool ok = s.n > 0;

	for (size_t i = 0; i < s.n; i++)
		ok &= (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		      (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-';
	if (!ok)
		check_invalid(c, p, name,
			      "a valid HTTP header has letters, digits and '-' (e.g. "
			      "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')");
}

static void check_http(struct check *c, const struct path *p, const struct doc *get)
{
	static const char *const schemes[] = { "HTTP", "HTTPS", NULL };
	const struct path port = PATH(p, "port"), scheme = PATH(p, "scheme"),
			  headers = PATH(p, "httpHeaders");

	(void)check_has(c, p, get, "path", "");
	check_port(c, &port, doc_get(get, "port"), true);
	check_exactly_one_of(c, &scheme, doc_get(get, "scheme"), schemes);
	DOC_EACH (h, doc_get(get, "httpHeaders"))
		check_header_name(c, &headers, doc_get(h, "name"));
}

static void check_sleep(struct check *c, const struct path *p, const struct doc *sleep,
			const struct doc *grace)
{
	const struct doc *seconds = doc_get(sleep, "seconds");
	int64_t s = check_number(seconds), max = check_number(grace);

	if (grace && (s < 0 || s > max))
		check_invalid(c, p, seconds,
			      "must be non-negative and less than terminationGracePeriodSeconds "
			      "(%lld)",
			      (long long)max);
}

static void check_action(struct check *c, const struct path *p, const char *what,
			 const struct doc *action, const struct doc *grace)
{
	const struct path port = PATH(p, "port");

	if (strcmp(what, "exec") == 0)
		(void)check_has(c, p, action, "command", "");
	else if (strcmp(what, "httpGet") == 0)
		check_http(c, p, action);
	else if (strcmp(what, "sleep") == 0)
		check_sleep(c, p, action, grace);
	else
		check_port(c, &port, doc_get(action, "port"), true);
}

static void check_handler(struct check *c, const struct path *p, const struct doc *handler,
			  const struct doc *grace)
{
	static const char *const kinds[] = { "exec", "httpGet", "tcpSocket", "grpc", "sleep" };
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct path at = PATH(p, kinds[i]);
		const struct doc *action = doc_get(handler, kinds[i]);

		if (action && found)
			check_forbidden(c, &at, "may not specify more than 1 handler type");
		else if (action)
			check_action(c, &at, kinds[i], action, grace);
		found |= !!action;
	}
	if (!found)
		check_required(c, p, "must specify a handler type");
}

/* ---- probes ---- */

static void check_probe(struct check *c, const struct path *p, const struct doc *probe,
			const struct doc *grace)
{
	static const char *const counts[] = { "initialDelaySeconds", "timeoutSeconds",
					      "periodSeconds", "successThreshold",
					      "failureThreshold" };
	const struct path end = PATH(p, "terminationGracePeriodSeconds");
	const struct doc *e = doc_get(probe, "terminationGracePeriodSeconds");

	check_handler(c, p, probe, grace);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		const struct path at = PATH(p, counts[i]);

		check_not_negative(c, &at, doc_get(probe, counts[i]));
	}
	if (e && check_number(e) <= 0)
		check_invalid(c, &end, e, "must be greater than 0");
}

static void check_success(struct check *c, const struct path *p, const struct doc *probe)
{
	const struct path at = PATH(p, "successThreshold");

	if (check_number(doc_get(probe, "successThreshold")) != 1)
		check_invalid(c, &at, doc_get(probe, "successThreshold"), "must be 1");
}

/* ---- signals ---- */

static void check_stop_signal(struct check *c, const struct path *p, const struct doc *lifecycle,
			      const struct pod *pod)
{
	static const char *const windows[] = { "SIGKILL", "SIGTERM", NULL };
	const struct api_type *type = api_type(c->api, "v1", "Lifecycle");
	const struct schema_field *f = schema_find(&type->schema, SLICE("stopSignal"), 2, false);
	const struct path at = PATH(p, "stopSignal");
	const struct doc *signal = doc_get(lifecycle, "stopSignal"),
			 *os = doc_find(pod->spec, "os.name");

	if (!signal)
		return;
	if (doc_slice(os).n == 0)
		check_forbidden(c, &at, "may not be set for containers with empty `spec.os.name`");
	else if (doc_str_is(os, "windows"))
		check_exactly_one_of(c, &at, signal, windows);
	else
		check_exactly_one_of(c, &at, signal, api_note_of(type, f)->enums);
}

static void check_lifecycle(struct check *c, const struct path *p, const struct doc *lifecycle,
			    const struct pod *pod)
{
	static const char *const hooks[] = { "postStart", "preStop" };

	for (size_t i = 0; i < ARRAY_LEN(hooks); i++) {
		const struct path at = PATH(p, hooks[i]);
		const struct doc *hook = doc_get(lifecycle, hooks[i]);

		if (hook)
			check_handler(c, &at, hook,
				      doc_get(pod->spec, "terminationGracePeriodSeconds"));
	}
	check_stop_signal(c, p, lifecycle, pod);
}

void check_probes(struct check *c, const struct path *p, const struct doc *container,
		  const struct pod *pod)
{
	const struct path lifecycle = PATH(p, "lifecycle"), live = PATH(p, "livenessProbe"),
			  ready = PATH(p, "readinessProbe"), start = PATH(p, "startupProbe"),
			  end = PATH(&ready, "terminationGracePeriodSeconds");
	const struct doc *grace = doc_get(pod->spec, "terminationGracePeriodSeconds"),
			 *l = doc_get(container, "livenessProbe"),
			 *r = doc_get(container, "readinessProbe"),
			 *s = doc_get(container, "startupProbe"),
			 *e = doc_get(r, "terminationGracePeriodSeconds");

	check_lifecycle(c, &lifecycle, doc_get(container, "lifecycle"), pod);
	if (l) {
		check_probe(c, &live, l, grace);
		check_success(c, &live, l);
	}
	if (r)
		check_probe(c, &ready, r, grace);
	if (e)
		check_invalid(c, &end, e, "must not be set for readinessProbes");
	if (s) {
		check_probe(c, &start, s, grace);
		check_success(c, &start, s);
	}
}
