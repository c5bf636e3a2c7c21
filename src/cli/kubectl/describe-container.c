/* SPDX-License-Identifier: Apache-2.0 */
/* Containers in `kubectl describe`: of pods with their states, and of templates. */
#include "cli/kubectl/describe.h"

#include "api/quantity.h"
#include "base/arena.h"
#include "cli/kubectl/describe-pod.h"

#include <ctype.h>

/* ---- states ---- */

static void describe_state(struct describe *d, const char *title, const struct doc *state)
{
	const struct doc *run = doc_get(state, "running"), *end = doc_get(state, "terminated"),
			 *wait = doc_get(state, "waiting");

	describe_f(d, 2, "%s:\t%s\n", title,
		   run	  ? "Running"
		   : wait ? "Waiting"
		   : end  ? "Terminated"
			  : "Waiting");
	if (run) {
		describe_put(d, 3, run, "Started:\t{@startedAt}\n");
	} else if (wait) {
		describe_opt(d, 3, wait, "reason", "Reason:\t{reason}\n");
	} else if (end) {
		describe_opt(d, 3, end, "reason", "Reason:\t{reason}\n");
		describe_opt(d, 3, end, "message", "Message:\t{message}\n");
		describe_put(d, 3, end, "Exit Code:\t{exitCode|0}\n");
		if (describe_int(end, "signal", 0) > 0)
			describe_put(d, 3, end, "Signal:\t{signal}\n");
		describe_put(d, 3, end, "Started:\t{@startedAt}\nFinished:\t{@finishedAt}\n");
	}
}

static void describe_status(struct describe *d, const struct doc *s)
{
	describe_state(d, "State", doc_get(s, "state"));
	if (doc_find(s, "lastState.terminated"))
		describe_state(d, "Last State", doc_get(s, "lastState"));
	describe_f(d, 2, "Ready:\t%s\n", doc_true(doc_get(s, "ready")) ? "True" : "False");
	describe_put(d, 2, s, "Restart Count:\t{restartCount|0}\n");
}

/* ---- what it is ---- */

static void describe_ports(struct describe *d, const struct doc *ports, const char *title,
			   const char *member)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DESCRIBE_TEXT_MAX);
	const char *spec = arena_printf(d->k->arena, "%s|0", member);

	DOC_EACH (p, ports)
		buf_addf(&b, "%s%s/%s", b.n ? ", " : "", describe_value(d, p, spec ? spec : ""),
			 kubectl_text(d->k, p, "protocol"));
	describe_f(d, 2, "%s%s:\t%s\n", title, doc_len(ports) > 1 ? "s" : "",
		   b.n ? buf_str(&b) : "<none>");
}

static void describe_seccomp(struct describe *d, const struct doc *profile, int level, int below)
{
	if (!profile)
		return;
	describe_put(d, level, profile, "SeccompProfile:\t{type}\n");
	if (doc_str_is(doc_get(profile, "type"), "Localhost"))
		describe_put(d, below, profile, "LocalhostProfile:\t{localhostProfile}\n");
}

void describe_pod_seccomp(struct describe *d, const struct doc *spec)
{
	describe_seccomp(d, doc_find(spec, "securityContext.seccompProfile"), 0, 0);
}

static void describe_basics(struct describe *d, const struct doc *c, const struct doc *status)
{
	if (status)
		describe_put(d, 2, status, "Container ID:\t{containerID}\n");
	describe_put(d, 2, c, "Image:\t{image}\n");
	if (status)
		describe_put(d, 2, status, "Image ID:\t{imageID}\n");
	describe_ports(d, doc_get(c, "ports"), "Port", "containerPort");
	describe_ports(d, doc_get(c, "ports"), "Host Port", "hostPort");
	describe_seccomp(d, doc_find(c, "securityContext.seccompProfile"), 2, 3);
}

/* Words with line breaks are several lines. */
static void describe_words(struct describe *d, const char *title, const struct doc *words)
{
	if (!doc_len(words))
		return;
	describe_f(d, 2, "%s:\n", title);
	DOC_EACH (w, words)
		for (struct slice rest = slice_of(w->s, doc_is(w, DOC_STRING) ? w->n : 0);
		     rest.p;) {
			struct slice line = slice_split(&rest, '\n');

			describe_f(d, 3, "%.*s\n", (int)line.n, line.n ? line.p : "");
		}
}

static void describe_amounts(struct describe *d, int level, const char *title,
			     const struct doc *map)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, map, &n);

	if (n)
		describe_f(d, level, "%s:\n", title);
	for (size_t i = 0; i < n; i++)
		describe_f(d, level + 1, "%.*s:\t%s\n", (int)keys[i]->n, keys[i]->s,
			   describe_value(d, keys[i] + 1, "~"));
}

void describe_resources(struct describe *d, int level, const struct doc *resources)
{
	describe_amounts(d, level, "Limits", doc_get(resources, "limits"));
	describe_amounts(d, level, "Requests", doc_get(resources, "requests"));
}

/* ---- probes ---- */

static const char *host_port(struct describe *d, const char *host, const char *port)
{
	const char *s = strchr(host, ':') ? arena_printf(d->k->arena, "[%s]:%s", host, port)
					  : arena_printf(d->k->arena, "%s:%s", host, port);

	return s ? s : "";
}

static const char *probe_url(struct describe *d, const struct doc *get)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
	const char *path = kubectl_text(d->k, get, "path"), *s;

	for (const char *p = kubectl_text(d->k, get, "scheme"); *p; p++)
		buf_addc(&b, (char)tolower((unsigned char)*p));
	buf_addf(&b, "://%s%s",
		 host_port(d, kubectl_text(d->k, get, "host"), describe_value(d, get, "port|0")),
		 *path && *path != '/' ? "/" : "");
	/* what Go's url.URL leaves as it is in a path */
	for (const char *p = path; *p; p++)
		if (isalnum((unsigned char)*p) || strchr("-_.~$&+,/:;=@", *p))
			buf_addc(&b, *p);
		else
			buf_addf(&b, "%%%02X", (unsigned char)*p);
	s = arena_strndup(d->k->arena, buf_str(&b), b.n);
	return s ? s : "";
}

static void describe_probe(struct describe *d, const char *title, const struct doc *p)
{
	const struct doc *get = doc_get(p, "httpGet"), *tcp = doc_get(p, "tcpSocket"),
			 *exec = doc_get(p, "exec"), *grpc = doc_get(p, "grpc");

	if (!p)
		return;
	describe_f(d, 2, "%s:\t", title);
	if (exec)
		describe_f(d, 0, "exec %s ", describe_value(d, exec, "command|[]"));
	else if (get)
		describe_f(d, 0, "http-get %s ", probe_url(d, get));
	else if (tcp)
		describe_f(d, 0, "tcp-socket %s:%s ", kubectl_text(d->k, tcp, "host"),
			   describe_value(d, tcp, "port|0"));
	else if (grpc)
		describe_f(d, 0, "grpc <pod>:%s %s ", describe_value(d, grpc, "port|0"),
			   kubectl_text(d->k, grpc, "service"));
	else
		describe_f(d, 0, "unknown ");
	describe_put(d, 0, p,
		     "delay={initialDelaySeconds|0}s timeout={timeoutSeconds|0}s "
		     "period={periodSeconds|0}s #success={successThreshold|0} "
		     "#failure={failureThreshold|0}\n");
}

/* ---- environment ---- */

static void describe_env_from(struct describe *d, const struct doc *list)
{
	if (!doc_len(list))
		return;
	describe_f(d, 2, "Environment Variables from:\n");
	DOC_EACH (e, list) {
		const struct doc *map = doc_get(e, "configMapRef"),
				 *ref = map ? map : doc_get(e, "secretRef");
		const char *prefix = kubectl_text(d->k, e, "prefix");

		describe_f(d, 3, "%s\t%s", kubectl_text(d->k, ref, "name"),
			   map	 ? "ConfigMap"
			   : ref ? "Secret"
				 : "");
		if (*prefix)
			describe_f(d, 0, " with prefix '%s'", prefix);
		describe_f(d, 0, "\tOptional: %s\n", describe_value(d, ref, "optional|false"));
	}
}

/* What a field of the pod is now: of these two, as kubectl knows no others. */
static const char *field_value(struct describe *d, const struct doc *pod, const char *path)
{
	static const char *const known[] = { "metadata.name", "metadata.namespace", NULL };

	return pod && str_is_one_of(path, known) ? kubectl_text(d->k, pod, path) : "";
}

/* "limits.cpu" of the container over the divisor, rounded up. */
static const char *resource_value(struct describe *d, const struct doc *c, const struct doc *ref)
{
	const char *what = kubectl_text(d->k, ref, "resource");
	const char *dot = strchr(what, '.');
	const bool limits = strncmp(what, "limits.", 7) == 0;
	struct quantity v, by = describe_amount(ref, "divisor");
	bool cpu;
	int64_t a, b;
	const char *s;

	if (!dot || (!limits && strncmp(what, "requests.", 9) != 0))
		return "";
	cpu = strcmp(dot, ".cpu") == 0;
	if (!cpu && strcmp(dot, ".memory") != 0 && strcmp(dot, ".ephemeral-storage") != 0 &&
	    strncmp(dot, ".hugepages-", 11) != 0)
		return "";
	v = describe_amount(doc_find(c, limits ? "resources.limits" : "resources.requests"),
			    dot + 1);
	a = cpu ? quantity_milli(&v) : quantity_units(&v);
	b = cpu ? quantity_milli(&by) : quantity_units(&by);
	if (!by.nano)
		b = cpu ? 1000 : 1;
	a = b > 0 ? a / b + (a % b > 0) : 0;
	if (!a && limits && (cpu || strcmp(dot, ".memory") == 0))
		return "node allocatable";
	s = arena_printf(d->k->arena, "%lld", (long long)a);
	return s ? s : "";
}

static void describe_env_value(struct describe *d, const struct doc *e)
{
	struct slice rest = doc_slice(doc_get(e, "value")), line = slice_split(&rest, '\n');

	describe_f(d, 3, "%s:\t%.*s\n", kubectl_text(d->k, e, "name"), (int)line.n,
		   line.n ? line.p : "");
	while (rest.p) {
		line = slice_split(&rest, '\n');
		describe_f(d, 3, "\t%.*s\n", (int)line.n, line.n ? line.p : "");
	}
}

static void describe_env(struct describe *d, const struct doc *c, const struct doc *pod)
{
	const struct doc *env = doc_get(c, "env");

	describe_f(d, 2, "Environment:%s\n", doc_len(env) ? "" : "\t<none>");
	DOC_EACH (e, env) {
		const struct doc *from = doc_get(e, "valueFrom"), *ref;
		const char *name = kubectl_text(d->k, e, "name");

		if (!from) {
			describe_env_value(d, e);
		} else if ((ref = doc_get(from, "fieldRef"))) {
			const char *path = kubectl_text(d->k, ref, "fieldPath");

			describe_f(d, 3, "%s:\t%s (%s:%s)\n", name, field_value(d, pod, path),
				   kubectl_text(d->k, ref, "apiVersion"), path);
		} else if ((ref = doc_get(from, "resourceFieldRef"))) {
			describe_f(d, 3, "%s:\t%s (%s)\n", name, resource_value(d, c, ref),
				   kubectl_text(d->k, ref, "resource"));
		} else if ((ref = doc_get(from, "secretKeyRef"))) {
			describe_f(d, 3, "%s:\t", name);
			describe_put(d, 0, ref,
				     "<set to the key '{key}' in secret '{name}'>\tOptional: "
				     "{optional|false}\n");
		} else if ((ref = doc_get(from, "configMapKeyRef"))) {
			describe_f(d, 3, "%s:\t", name);
			describe_put(d, 0, ref,
				     "<set to the key '{key}' of config map '{name}'>\tOptional: "
				     "{optional|false}\n");
		}
	}
}

/* ---- volumes in it ---- */

static int by_mount(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_get(a, "mountPath"), doc_get(b, "mountPath"));
}

static int by_device(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_get(a, "devicePath"), doc_get(b, "devicePath"));
}

static void describe_mounts(struct describe *d, const struct doc *c)
{
	size_t n;
	struct doc *const *v = describe_sorted(d, doc_get(c, "volumeMounts"), by_mount, &n);
	const char *none = n ? "" : "\t<none>";

	describe_f(d, 2, "Mounts:%s\n", none);
	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(1u << 20);
		struct slice sub = doc_slice(doc_get(v[i], "subPath"));

		if (sub.n)
			buf_adds(&b, ",path=");
		if (sub.n)
			describe_quote(sub, &b);
		describe_f(d, 3, "%s from %s (%s%s)\n", kubectl_text(d->k, v[i], "mountPath"),
			   kubectl_text(d->k, v[i], "name"),
			   doc_true(doc_get(v[i], "readOnly")) ? "ro" : "rw", buf_str(&b));
	}
	if (!doc_len(doc_get(c, "volumeDevices")))
		return;
	describe_f(d, 2, "Devices:%s\n", none);
	v = describe_sorted(d, doc_get(c, "volumeDevices"), by_device, &n);
	for (size_t i = 0; i < n; i++)
		describe_put(d, 3, v[i], "{devicePath} from {name}\n");
}

/* ---- the whole ---- */

static const struct doc *status_of(const struct doc *statuses, const struct doc *c)
{
	DOC_EACH (s, statuses)
		if (slice_eq(doc_slice(doc_get(s, "name")), doc_slice(doc_get(c, "name"))))
			return s;
	return NULL;
}

void describe_containers(struct describe *d, const struct describe_containers *what)
{
	const struct doc *list = what->list;

	describe_f(d, 0, "%s%s:%s\n", what->space, what->title, doc_len(list) ? "" : " <none>");
	DOC_EACH (c, list) {
		const struct doc *status = status_of(what->statuses, c);

		describe_f(d, 1, "%s%s:\n", *what->space ? " " : "", kubectl_text(d->k, c, "name"));
		describe_basics(d, c, status);
		describe_words(d, "Command", doc_get(c, "command"));
		describe_words(d, "Args", doc_get(c, "args"));
		if (status)
			describe_status(d, status);
		describe_resources(d, 2, doc_get(c, "resources"));
		describe_probe(d, "Liveness", doc_get(c, "livenessProbe"));
		describe_probe(d, "Readiness", doc_get(c, "readinessProbe"));
		describe_probe(d, "Startup", doc_get(c, "startupProbe"));
		describe_env_from(d, doc_get(c, "envFrom"));
		describe_env(d, c, what->pod);
		describe_mounts(d, c);
	}
}
