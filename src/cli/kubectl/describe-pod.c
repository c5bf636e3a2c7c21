/* SPDX-License-Identifier: Apache-2.0 */
/* Pods and pod templates in `kubectl describe`. */
#include "cli/kubectl/describe-pod.h"

void describe_quote(struct slice text, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		const char c = text.p[i];

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c == '\r')
			buf_adds(out, "\\r");
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			buf_addf(out, "\\x%02x", (unsigned char)c);
		else
			buf_addc(out, c);
	}
	buf_addc(out, '"');
}

/* ---- tolerations, spreading ---- */

static int by_key_member(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_get(a, "key"), doc_get(b, "key"));
}

static void describe_tolerations(struct describe *d, const char *title, const struct doc *list)
{
	size_t n;
	struct doc *const *v = describe_sorted(d, list, by_key_member, &n);

	describe_f(d, 0, "%s:\t%s", title, n ? "" : "<none>\n");
	for (size_t i = 0; i < n; i++) {
		const char *key = kubectl_text(d->k, v[i], "key"),
			   *value = kubectl_text(d->k, v[i], "value"),
			   *effect = kubectl_text(d->k, v[i], "effect");

		describe_f(d, 0, "%s%s%s%s%s%s", i ? "\t" : "", key, *value ? "=" : "", value,
			   *effect ? ":" : "", effect);
		if (doc_str_is(doc_get(v[i], "operator"), "Exists") && !*value)
			describe_f(d, 0, "%sop=Exists", *key || *effect ? " " : "");
		describe_opt(d, 0, v[i], "tolerationSeconds", " for {tolerationSeconds}s");
		describe_f(d, 0, "\n");
	}
}

static int by_topology(const struct doc *a, const struct doc *b)
{
	return describe_by_text(doc_get(a, "topologyKey"), doc_get(b, "topologyKey"));
}

static void describe_spread(struct describe *d, const struct doc *list, const char *space)
{
	size_t n;
	struct doc *const *v = describe_sorted(d, list, by_topology, &n);

	if (n)
		describe_f(d, 0, "%sTopology Spread Constraints:\t", space);
	for (size_t i = 0; i < n; i++) {
		const struct doc *selector = doc_get(v[i], "labelSelector");

		if (i)
			describe_f(d, 0, "%s\t", space);
		describe_put(d, 0, v[i],
			     "{topologyKey}:{whenUnsatisfiable} when max skew {maxSkew|0} is "
			     "exceeded");
		if (selector)
			describe_f(d, 0, " for selector %s",
				   describe_selector(d, selector, "<none>"));
		describe_f(d, 0, "\n");
	}
}

void describe_pod_template(struct describe *d, const struct doc *t)
{
	const struct doc *spec = doc_get(t, "spec"), *notes = doc_find(t, "metadata.annotations"),
			 *init = doc_get(spec, "initContainers");
	struct describe_containers what = { .title = "Init Containers",
					    .list = init,
					    .space = "  " };

	describe_f(d, 0, "Pod Template:\n");
	if (!t) {
		describe_f(d, 1, "<unset>");
		return;
	}
	describe_labels(d, "", "  Labels", doc_find(t, "metadata.labels"));
	if (doc_len(notes))
		describe_annotations(d, "  Annotations", notes);
	describe_opt(d, 1, spec, "serviceAccountName", "Service Account:\t{serviceAccountName}\n");
	if (doc_len(init))
		describe_containers(d, &what);
	what.title = "Containers";
	what.list = doc_get(spec, "containers");
	describe_containers(d, &what);
	describe_volumes(d, doc_get(spec, "volumes"), "  ");
	describe_spread(d, doc_get(spec, "topologySpreadConstraints"), "  ");
	describe_opt(d, 1, spec, "priorityClassName",
		     "Priority Class Name:\t{priorityClassName}\n");
	describe_labels(d, "", "  Node-Selectors", doc_get(spec, "nodeSelector"));
	describe_tolerations(d, "  Tolerations", doc_get(spec, "tolerations"));
}

/* ---- pods ---- */

static void describe_pod_status(struct describe *d)
{
	const struct doc *pod = d->obj, *phase = doc_find(pod, "status.phase"),
			 *gone = doc_find(pod, "metadata.deletionTimestamp");

	if (gone && !doc_str_is(phase, "Failed") && !doc_str_is(phase, "Succeeded")) {
		describe_f(d, 0, "Status:\tTerminating (lasts %s)\n", describe_age(d, gone));
		describe_put(
			d, 0, pod,
			"Termination Grace Period:\t{metadata.deletionGracePeriodSeconds|0}s\n");
	} else {
		describe_put(d, 0, pod, "Status:\t{status.phase}\n");
	}
	describe_opt(d, 0, pod, "status.reason", "Reason:\t{status.reason}\n");
	describe_opt(d, 0, pod, "status.message", "Message:\t{status.message}\n");
}

static void describe_pod_head(struct describe *d)
{
	const struct doc *pod = d->obj, *spec = doc_get(pod, "spec");

	describe_put(d, 0, pod, "Name:\t{metadata.name}\nNamespace:\t{metadata.namespace}\n");
	describe_opt(d, 0, spec, "priority", "Priority:\t{priority}\n");
	describe_opt(d, 0, spec, "priorityClassName",
		     "Priority Class Name:\t{priorityClassName}\n");
	describe_opt(d, 0, spec, "runtimeClassName", "Runtime Class Name:\t{runtimeClassName}\n");
	describe_opt(d, 0, spec, "serviceAccountName", "Service Account:\t{serviceAccountName}\n");
	if (*kubectl_text(d->k, spec, "nodeName"))
		describe_put(d, 0, pod, "Node:\t{spec.nodeName}/{status.hostIP}\n");
	else
		describe_f(d, 0, "Node:\t<none>\n");
	describe_opt(d, 0, pod, "status.startTime", "Start Time:\t{@status.startTime}\n");
	describe_labels(d, "", "Labels", doc_find(pod, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(pod, "metadata.annotations"));
	describe_pod_status(d);
	describe_pod_seccomp(d, spec);
	describe_put(d, 0, pod, "IP:\t{status.podIP}\n");
	describe_f(d, 0, "IPs:%s\n", doc_len(doc_find(pod, "status.podIPs")) ? "" : "\t<none>");
	DOC_EACH (ip, doc_find(pod, "status.podIPs"))
		describe_put(d, 1, ip, "IP:\t{ip}\n");
	if (*describe_controller(d, pod))
		describe_f(d, 0, "Controlled By:\t%s\n", describe_controller(d, pod));
	describe_opt(d, 0, pod, "status.nominatedNodeName",
		     "NominatedNodeName:\t{status.nominatedNodeName}\n");
	if (doc_get(spec, "resources")) {
		describe_f(d, 0, "Resources:\n");
		describe_resources(d, 1, doc_get(spec, "resources"));
	}
}

static void describe_pod_containers(struct describe *d)
{
	static const struct {
		const char *title, *list, *statuses;
		bool always;
	} rows[] = {
		{ "Init Containers", "initContainers", "initContainerStatuses", false },
		{ "Containers", "containers", "containerStatuses", true },
		{ "Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses",
		  false },
	};
	const struct doc *spec = doc_get(d->obj, "spec"), *status = doc_get(d->obj, "status");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct describe_containers what = {
			.title = rows[i].title,
			.list = doc_get(spec, rows[i].list),
			.statuses = doc_get(status, rows[i].statuses),
			.pod = d->obj,
			.space = "",
		};

		if (rows[i].always || doc_len(what.list))
			describe_containers(d, &what);
	}
}

static void describe_gates(struct describe *d)
{
	const struct doc *gates = doc_find(d->obj, "spec.readinessGates"),
			 *conditions = doc_find(d->obj, "status.conditions");

	if (doc_len(gates))
		describe_f(d, 0, "Readiness Gates:\n  Type\tStatus\n");
	DOC_EACH (g, gates) {
		const char *status = "<none>";

		DOC_EACH (c, conditions)
			if (slice_eq(doc_slice(doc_get(c, "type")),
				     doc_slice(doc_get(g, "conditionType")))) {
				status = kubectl_text(d->k, c, "status");
				break;
			}
		describe_f(d, 1, "%s \t%s \n", kubectl_text(d->k, g, "conditionType"), status);
	}
	if (doc_len(conditions))
		describe_f(d, 0, "Conditions:\n  Type\tStatus\n");
	DOC_EACH (c, conditions)
		describe_put(d, 1, c, "{type} \t{status} \n");
}

/* A mirror pod's events are about the pod of the node. */
static void find_pod_events(struct describe *d)
{
	const char *mirror = doc_cstr(d->k->arena, doc_get(doc_find(d->obj, "metadata.annotations"),
							   "kubernetes.io/config.mirror"));

	if (d->show_events)
		describe_find_events(d, NULL,
				     mirror ? mirror : kubectl_text(d->k, d->obj, "metadata.uid"));
}

int describe_pod(struct describe *d, struct err *err)
{
	const struct doc *spec = doc_get(d->obj, "spec");

	(void)err;
	find_pod_events(d);
	describe_pod_head(d);
	describe_pod_containers(d);
	describe_gates(d);
	describe_volumes(d, doc_get(spec, "volumes"), "");
	describe_put(d, 0, d->obj, "QoS Class:\t{status.qosClass}\n");
	describe_labels(d, "", "Node-Selectors", doc_get(spec, "nodeSelector"));
	describe_tolerations(d, "Tolerations", doc_get(spec, "tolerations"));
	describe_spread(d, doc_get(spec, "topologySpreadConstraints"), "");
	describe_events(d);
	return 0;
}
