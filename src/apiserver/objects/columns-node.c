/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and what belongs to them: leases, runtimes, devices, priorities. */
#include "apiserver/objects/columns-cell.h"
#include "apiserver/objects/columns-private.h"

#include "base/arena.h"
#include "doc/doc.h"

static void node_status(struct cells *c)
{
	const struct doc *ready = NULL;
	const char *word = "Unknown";

	DOC_EACH (it, doc_find(c->obj, "status.conditions"))
		if (doc_str_is(doc_get(it, "type"), "Ready"))
			ready = it; /* the last one */
	if (ready)
		word = doc_str_is(doc_get(ready, "status"), "True") ? "Ready" : "NotReady";
	cell_printf(c, "%s%s", word,
		    doc_true(doc_find(c->obj, "spec.unschedulable")) ? ",SchedulingDisabled" : "");
}

/* node-role.kubernetes.io/ROLE, and kubernetes.io/role=ROLE. */
static void roles(struct cells *c)
{
	const struct slice prefix = SLICE("node-role.kubernetes.io/");
	CLEANUP(buf_fini) struct buf b = BUF_INIT(CELL_MAX);
	const struct doc *labels = doc_find(c->obj, "metadata.labels");
	struct slice *v = arena_alloc(c->a, (doc_len(labels) + 1) * sizeof(*v));
	size_t n = 0;

	if (!v)
		return;
	DOC_EACH_MEMBER (key, value, labels) {
		struct slice k = doc_slice(key);

		if (slice_starts(k, prefix) && k.n > prefix.n)
			v[n++] = slice_of(k.p + prefix.n, k.n - prefix.n);
		else if (slice_is(k, "kubernetes.io/role") && doc_slice(value).n)
			v[n++] = doc_slice(value);
	}
	n = cell_sort(v, n);
	for (size_t i = 0; i < n; i++)
		(void)buf_addf(&b, "%s%.*s", i ? "," : "", (int)v[i].n, v[i].p);
	cell_buf(c, &b, CELL_NONE);
}

static void address(struct cells *c, const char *type)
{
	const struct doc *it = cell_condition(doc_find(c->obj, "status.addresses"), type);

	if (it)
		cell_text(c, cell_get(it, "address"));
	else
		cell_word(c, CELL_NONE);
}

void columns_node(struct cells *c)
{
	const struct doc *info = doc_find(c->obj, "status.nodeInfo");

	cell_name(c);
	node_status(c);
	roles(c);
	cell_age(c);
	cell_text(c, cell_get(info, "kubeletVersion"));
	address(c, "InternalIP");
	address(c, "ExternalIP");
	cell_or(c, cell_get(info, "osImage"), CELL_UNKNOWN);
	cell_or(c, cell_get(info, "kernelVersion"), CELL_UNKNOWN);
	cell_or(c, cell_get(info, "containerRuntimeVersion"), CELL_UNKNOWN);
}

void columns_component_status(struct cells *c)
{
	const struct doc *it = cell_condition(doc_get(c->obj, "conditions"), "Healthy");
	bool good = doc_str_is(doc_get(it, "status"), "True");

	cell_name(c);
	cell_word(c, !it ? "Unknown" : good ? "Healthy" : "Unhealthy");
	cell_text(c, cell_get(it, "message"));
	cell_text(c, cell_get(it, "error"));
}

void columns_lease(struct cells *c)
{
	cell_name(c);
	cell_path(c, "spec.holderIdentity");
	cell_age(c);
}

void columns_runtime_class(struct cells *c)
{
	cell_name(c);
	cell_path(c, "handler");
	cell_age(c);
}

void columns_priority_class(struct cells *c)
{
	cell_name(c);
	cell_number(c, "value");
	cell_bool(c, "globalDefault");
	cell_age(c);
	cell_path(c, "preemptionPolicy");
}

/* ---- devices ---- */

void columns_claim_of_devices(struct cells *c)
{
	bool gone = cell_is_set(c->obj, "metadata.deletionTimestamp");
	bool given = cell_is_set(c->obj, "status.allocation");
	bool held = doc_len(doc_find(c->obj, "status.reservedFor")) > 0;

	cell_name(c);
	if (given)
		cell_printf(c, "%sallocated%s", gone ? "deleted," : "", held ? ",reserved" : "");
	else
		cell_word(c, gone ? "deleted" : "pending");
	cell_age(c);
}

void columns_resource_slice(struct cells *c)
{
	cell_name(c);
	cell_path(c, "spec.nodeName");
	cell_path(c, "spec.driver");
	cell_path(c, "spec.pool.name");
	cell_age(c);
}
