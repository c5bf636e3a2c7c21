/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes in `kubectl describe`: what they are, and what their pods take of them. */
#include "cli/kubectl/describe-node.h"

#include "base/arena.h"
#include "base/err.h"

/* ---- what pods take ---- */

static struct quantity *slot(struct describe_amounts *s, struct slice name, bool *fresh)
{
	for (size_t i = 0; i < s->n; i++)
		if (slice_eq(s->v[i].name, name)) {
			*fresh = false;
			return &s->v[i].q;
		}
	if (s->n == DESCRIBE_AMOUNTS_MAX)
		return NULL;
	*fresh = true;
	s->v[s->n].name = name;
	s->v[s->n].q = (struct quantity){ 0 };
	return &s->v[s->n++].q;
}

void describe_amounts_add(struct describe_amounts *s, struct slice name, const struct quantity *q)
{
	bool fresh;
	struct quantity *to = slot(s, name, &fresh);

	if (to && fresh)
		*to = *q;
	else if (to)
		quantity_add(to, q);
}

struct quantity describe_amounts_get(const struct describe_amounts *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (slice_is(s->v[i].name, name))
			return s->v[i].q;
	return (struct quantity){ 0 };
}

static void read_map(struct describe_amounts *s, const struct doc *map, bool largest)
{
	DOC_EACH_MEMBER (key, value, map) {
		struct slice name = slice_of(key->s, key->n);
		struct quantity q, *to;
		bool fresh;

		if (!describe_read_quantity(value, &q))
			continue;
		if (!largest) {
			describe_amounts_add(s, name, &q);
			continue;
		}
		to = slot(s, name, &fresh);
		if (to && (fresh || quantity_cmp(&q, to) > 0))
			*to = q;
	}
}

static void merge(struct describe_amounts *s, const struct describe_amounts *more, bool largest)
{
	for (size_t i = 0; i < more->n; i++) {
		bool fresh;
		struct quantity *to;

		if (!largest) {
			describe_amounts_add(s, more->v[i].name, &more->v[i].q);
			continue;
		}
		to = slot(s, more->v[i].name, &fresh);
		if (to && (fresh || quantity_cmp(&more->v[i].q, to) > 0))
			*to = more->v[i].q;
	}
}

/* While a pod is resized a container counts with the larger of what it asks for and what it has. */
static void add_container(struct describe_amounts *s, const struct doc *pod, const struct doc *c,
			  bool limits)
{
	const struct doc *has = NULL;
	struct describe_amounts own = { 0 };

	DOC_EACH (st, doc_find(pod, "status.containerStatuses"))
		if (slice_eq(doc_slice(doc_get(st, "name")), doc_slice(doc_get(c, "name"))))
			has = doc_get(st, "resources");
	if (limits || !has || !doc_str_is(doc_find(pod, "status.resize"), "Infeasible"))
		read_map(&own, doc_find(c, limits ? "resources.limits" : "resources.requests"),
			 true);
	if (!limits && has)
		read_map(&own, doc_get(has, "requests"), true);
	merge(s, &own, false);
}

void describe_pod_amounts(const struct doc *pod, bool limits, struct describe_amounts *ret)
{
	struct describe_amounts stay = { 0 }, init = { 0 };

	ret->n = 0;
	DOC_EACH (c, doc_find(pod, "spec.containers"))
		add_container(ret, pod, c, limits);
	DOC_EACH (c, doc_find(pod, "spec.initContainers")) {
		const struct doc *map =
			doc_find(c, limits ? "resources.limits" : "resources.requests");
		struct describe_amounts now = stay;

		read_map(&now, map, false);
		if (doc_str_is(doc_get(c, "restartPolicy"), "Always")) {
			read_map(ret, map, false);
			stay = now;
		}
		merge(&init, &now, true);
	}
	merge(ret, &init, true);
	DOC_EACH_MEMBER (key, value, doc_find(pod, "spec.overhead")) {
		struct slice name = slice_of(key->s, key->n);
		struct quantity q;
		bool fresh = false;
		struct quantity *has;

		if (!describe_read_quantity(value, &q))
			continue;
		has = slot(ret, name, &fresh);
		/* no limit stays none */
		if (has && fresh)
			*has = limits ? (struct quantity){ 0 } : q;
		else if (has && (!limits || has->nano))
			quantity_add(has, &q);
	}
}

/* ---- shares ---- */

static int64_t percent(const struct quantity *part, const struct quantity *whole, bool milli)
{
	double a = (double)(milli ? quantity_milli(part) : quantity_units(part)),
	       b = (double)(milli ? quantity_milli(whole) : quantity_units(whole));

	return b != 0 ? (int64_t)(a / b * 100) : 0;
}

static const char *share(struct describe *d, const struct describe_amounts *s, const char *name,
			 const struct doc *whole)
{
	struct quantity q = describe_amounts_get(s, name), all = describe_amount(whole, name);
	const char *t = arena_printf(d->k->arena, "%s (%lld%%)", describe_quantity(d, &q),
				     (long long)percent(&q, &all, strcmp(name, "cpu") == 0));

	return t ? t : "";
}

static void describe_total(struct describe *d, const char *name,
			   const struct describe_amounts *both, const struct doc *whole)
{
	describe_f(d, 1, "%s\t%s\t%s\n", name, share(d, &both[0], name, whole),
		   share(d, &both[1], name, whole));
}

static bool is_huge(struct slice name)
{
	return slice_starts(name, SLICE("hugepages-"));
}

static void describe_totals(struct describe *d, const struct describe_amounts *both,
			    const struct doc *whole)
{
	static const char *const standard[] = { "cpu", "memory", "ephemeral-storage", "pods",
						NULL };
	size_t n;
	struct doc *const *keys = describe_keys(d, whole, &n);

	describe_put(d, 0, NULL,
		     "Allocated resources:\n"
		     "  (Total limits may be over 100 percent, i.e., overcommitted.)\n"
		     "  Resource\tRequests\tLimits\n  --------\t--------\t------\n");
	for (size_t i = 0; i < 3; i++)
		describe_total(d, standard[i], both, whole);
	for (size_t i = 0; i < n; i++)
		if (is_huge(slice_of(keys[i]->s, keys[i]->n)))
			describe_total(d, describe_value(d, keys[i], ""), both, whole);
	for (size_t i = 0; i < n; i++) {
		const char *name = describe_value(d, keys[i], "");
		struct quantity request = describe_amounts_get(&both[0], name),
				limit = describe_amounts_get(&both[1], name);

		if (!is_huge(slice_str(name)) && !str_is_one_of(name, standard))
			describe_f(d, 1, "%s\t%s\t%s\n", name, describe_quantity(d, &request),
				   describe_quantity(d, &limit));
	}
}

static void describe_node_pods(struct describe *d, const struct doc *pods)
{
	const struct doc *all = doc_find(d->obj, "status.allocatable");
	const struct doc *whole = doc_len(all) ? all : doc_find(d->obj, "status.capacity");
	struct describe_amounts *v = ARENA_ARRAY(d->k->arena, struct describe_amounts, 4);

	if (!v)
		return; /* the arena is full: whoever prints says so */
	describe_f(d, 0, "Non-terminated Pods:\t(%zu in total)\n", doc_len(pods));
	describe_put(d, 1, NULL,
		     "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory "
		     "Limits\tAge\n---------\t----\t\t------------\t----------\t---------------"
		     "\t-------------\t---\n");
	DOC_EACH (p, pods) {
		describe_pod_amounts(p, false, &v[2]);
		describe_pod_amounts(p, true, &v[3]);
		describe_f(d, 1, "%s\t%s\t\t%s\t%s\t%s\t%s\t%s\n",
			   kubectl_text(d->k, p, "metadata.namespace"),
			   kubectl_text(d->k, p, "metadata.name"), share(d, &v[2], "cpu", whole),
			   share(d, &v[3], "cpu", whole), share(d, &v[2], "memory", whole),
			   share(d, &v[3], "memory", whole),
			   describe_age(d, doc_find(p, "metadata.creationTimestamp")));
		merge(&v[0], &v[2], false);
		merge(&v[1], &v[3], false);
	}
	describe_totals(d, v, whole);
}

/* ---- the node ---- */

static const char *roles(struct describe *d)
{
	struct doc *list = doc_new_array(d->k->arena);
	struct doc *const *v;
	const char *s = "", *last = "";
	size_t n;

	DOC_EACH_MEMBER (key, value, doc_find(d->obj, "metadata.labels")) {
		struct slice name = slice_of(key->s, key->n),
			     prefix = SLICE("node-role.kubernetes.io/");

		if (slice_starts(name, prefix) && name.n > prefix.n)
			doc_append(d->k->arena, list,
				   doc_strn(d->k->arena, name.p + prefix.n, name.n - prefix.n));
		else if (slice_is(name, "kubernetes.io/role") && doc_slice(value).n)
			doc_append(d->k->arena, list, *value);
	}
	v = describe_sorted(d, list, describe_by_text, &n);
	for (size_t i = 0; i < n && s; i++) {
		const char *one = describe_value(d, v[i], "");

		if (strcmp(one, last) != 0)
			s = arena_printf(d->k->arena, "%s%s%s", s, *s ? "," : "", one);
		last = one;
	}
	return s && *s ? s : "<none>";
}

static int by_effect(const struct doc *a, const struct doc *b)
{
	int r = describe_by_text(doc_get(a, "effect"), doc_get(b, "effect"));

	return r ? r : describe_by_text(doc_get(a, "key"), doc_get(b, "key"));
}

static void describe_taints(struct describe *d)
{
	size_t n;
	struct doc *const *v = describe_sorted(d, doc_find(d->obj, "spec.taints"), by_effect, &n);

	describe_f(d, 0, "Taints:\t%s", n ? "" : "<none>\n");
	for (size_t i = 0; i < n; i++) {
		describe_f(d, 0, "%s%s", i ? "\t" : "", kubectl_text(d->k, v[i], "key"));
		describe_opt(d, 0, v[i], "value", "={value}");
		describe_opt(d, 0, v[i], "effect", ":{effect}");
		describe_f(d, 0, "\n");
	}
}

static void describe_lease(struct describe *d)
{
	struct describe_ask ask = { .api = "apis/coordination.k8s.io/v1",
				    .resource = "leases",
				    .space = "kube-node-lease" };
	struct err err = ERR_INIT;
	struct doc *lease;

	if (describe_get(d, &ask, d->name, &lease, &err) < 0)
		describe_f(d, 0, "Lease:\tFailed to get lease: %s\n", err.msg);
	else
		describe_put(d, 0, doc_get(lease, "spec"),
			     "Lease:\n  HolderIdentity:\t{holderIdentity|<unset>}\n"
			     "  AcquireTime:\t{@acquireTime|<unset>}\n"
			     "  RenewTime:\t{@renewTime|<unset>}\n");
}

static void describe_room(struct describe *d, const char *title, const char *path)
{
	size_t n;
	struct doc *const *keys = describe_keys(d, doc_find(d->obj, path), &n);

	if (n)
		describe_f(d, 0, "%s:\n", title);
	for (size_t i = 0; i < n; i++)
		describe_f(d, 1, "%.*s:\t%s\n", (int)keys[i]->n, keys[i]->s,
			   describe_value(d, keys[i] + 1, "~"));
}

static void describe_system(struct describe *d)
{
	describe_f(d, 0, "Addresses:\n");
	DOC_EACH (a, doc_find(d->obj, "status.addresses"))
		describe_put(d, 1, a, "{type}:\t{address}\n");
	describe_room(d, "Capacity", "status.capacity");
	describe_room(d, "Allocatable", "status.allocatable");
	describe_f(d, 0, "System Info:\n");
	describe_put(d, 1, doc_find(d->obj, "status.nodeInfo"),
		     "Machine ID:\t{machineID}\nSystem UUID:\t{systemUUID}\nBoot ID:\t{bootID}\n"
		     "Kernel Version:\t{kernelVersion}\nOS Image:\t{osImage}\n"
		     "Operating System:\t{operatingSystem}\nArchitecture:\t{architecture}\n"
		     "Container Runtime Version:\t{containerRuntimeVersion}\n"
		     "Kubelet Version:\t{kubeletVersion}\n"
		     "Kube-Proxy Version:\t{kubeProxyVersion}\n");
	describe_opt(d, 0, d->obj, "spec.podCIDR", "PodCIDR:\t{spec.podCIDR}\n");
	if (doc_len(doc_find(d->obj, "spec.podCIDRs")))
		describe_put(d, 0, d->obj, "PodCIDRs:\t{*spec.podCIDRs}\n");
	describe_opt(d, 0, d->obj, "spec.providerID", "ProviderID:\t{spec.providerID}\n");
}

/* Controllers name a node by its uid in events, the kubelet by its name. */
static void find_node_events(struct describe *d)
{
	if (!d->show_events)
		return;
	describe_find_events(d, "Node", kubectl_text(d->k, d->obj, "metadata.uid"));
	describe_find_events(d, "Node", d->name);
}

int describe_node(struct describe *d, struct err *err)
{
	struct describe_ask ask = { .api = "api/v1", .resource = "pods", .space = "" };
	struct doc *pods = NULL;
	int r;

	ask.fields = arena_printf(d->k->arena,
				  "spec.nodeName=%s,status.phase!=Failed,status.phase!=Succeeded",
				  d->name);
	r = ask.fields ? describe_list(d, &ask, &pods, err) : arena_quota(d->k->arena, err);
	if (r < 0 && r != -ERR_FORBIDDEN)
		return r;
	*err = ERR_INIT;
	find_node_events(d);
	describe_f(d, 0, "Name:\t%s\nRoles:\t%s\n", d->name, roles(d));
	describe_labels(d, "", "Labels", doc_find(d->obj, "metadata.labels"));
	describe_annotations(d, "Annotations", doc_find(d->obj, "metadata.annotations"));
	describe_put(d, 0, d->obj, "CreationTimestamp:\t{@metadata.creationTimestamp}\n");
	describe_taints(d);
	describe_put(d, 0, d->obj, "Unschedulable:\t{spec.unschedulable|false}\n");
	describe_lease(d);
	describe_conditions(
		d,
		"Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n"
		"----\t------\t-----------------\t------------------\t------\t-------\n",
		"{type} \t{status} \t{@lastHeartbeatTime} \t{@lastTransitionTime} \t{reason} "
		"\t{message}\n");
	describe_system(d);
	if (r == 0)
		describe_node_pods(d, pods);
	else
		describe_f(d, 0, "Pods:\tnot authorized\n");
	describe_events(d);
	return 0;
}
