/* SPDX-License-Identifier: Apache-2.0 */
/* `kubectl top`: processor and memory of nodes and pods, as metrics.k8s.io has them. */
#include "cli/kubectl/describe.h"

#include "api/quantity.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cli/kubectl/kubectl-cmds.h"

#include <stdlib.h>

#define METRICS "apis/metrics.k8s.io/v1beta1"
#define FRESH (2 * 60) /* seconds after which a pod must have been measured */
#define CELLS_MAX 7

struct top_opts {
	const char *selector, *fields, *sort;
	bool all, containers, no_headers, sum, capacity, protobuf;
};

#define BOOL_ROW(field, name, letter, help) OPT(struct top_opts, BOOL, field, name, letter, help)
#define STR_ROW(field, name, letter, help) OPT(struct top_opts, STR, field, name, letter, help)
static const struct opt pod_opts[] = {
	BOOL_ROW(all, "all-namespaces", 'A', "From all namespaces"),
	BOOL_ROW(containers, "containers", 0, "A line for each container"),
	STR_ROW(fields, "field-selector", 0, "Only pods with these fields"),
	BOOL_ROW(no_headers, "no-headers", 0, "No line of headings"),
	STR_ROW(selector, "selector", 'l', "Only pods with these labels"),
	STR_ROW(sort, "sort-by", 0, "cpu or memory"),
	BOOL_ROW(sum, "sum", 0, "A line with the sum of all"),
	BOOL_ROW(protobuf, "use-protocol-buffers", 0, "Of no effect: answers are JSON"),
	OPT_END
};
static const struct opt node_opts[] = {
	BOOL_ROW(no_headers, "no-headers", 0, "No line of headings"),
	STR_ROW(selector, "selector", 'l', "Only nodes with these labels"),
	BOOL_ROW(capacity, "show-capacity", 0, "Of all that a node has, not of what pods may take"),
	STR_ROW(sort, "sort-by", 0, "cpu or memory"),
	BOOL_ROW(protobuf, "use-protocol-buffers", 0, "Of no effect: answers are JSON"),
	OPT_END
};

/* What one line tells of. */
struct usage {
	const char *space, *name, *container;
	struct quantity cpu, memory;
	const struct doc *room; /* of a node */
	const struct doc *of;	/* a pod's metrics */
	bool measured;
};
struct top {
	struct kubectl *k;
	const struct top_opts *o;
	struct describe d;
	struct usage *v;
	size_t n;
};

/* ---- asking ---- */

static int check(struct top *t, struct cmd_call *call, struct err *err)
{
	const struct top_opts *o = t->o;
	bool there = false;
	int r;

	if (o->sort && *o->sort && strcmp(o->sort, "cpu") != 0 && strcmp(o->sort, "memory") != 0)
		return err_set(err, ERR_INVALID, "--sort-by accepts only cpu or memory");
	if (call->nargs > 1)
		return err_set(err, ERR_BAD_REQUEST, "more than one name");
	if (call->nargs && ((o->selector && *o->selector) || (o->fields && *o->fields)))
		return err_set(err, ERR_BAD_REQUEST, "only one of NAME or %s can be provided",
			       strcmp(call->cmd->path, "top node") == 0 ? "--selector"
									: "selector");
	r = kubectl_catalog(t->k, true, err);
	for (size_t i = 0; r == 0 && i < t->k->catalog.nversions; i++)
		there = there || strcmp(t->k->catalog.versions[i], "metrics.k8s.io/v1beta1") == 0;
	if (r == 0 && !there)
		return err_set(err, ERR_NOT_FOUND, "Metrics API not available");
	return r;
}

/* Of the one that is named, or of all. */
static int fetch(struct top *t, const struct describe_ask *ask, const char *name, struct doc **ret,
		 struct err *err)
{
	struct doc *one;
	int r;

	if (!name)
		return describe_list(&t->d, ask, ret, err);
	r = describe_get(&t->d, ask, name, &one, err);
	if (r < 0)
		return r;
	*ret = doc_new_array(t->k->arena);
	doc_append(t->k->arena, *ret, *one);
	return arena_exceeded(t->k->arena) ? arena_quota(t->k->arena, err) : 0;
}

/* ---- order ---- */

static int by_cpu(const void *x, const void *y)
{
	const struct usage *a = x, *b = y;
	int64_t p = quantity_milli(&a->cpu), q = quantity_milli(&b->cpu);

	return (p < q) - (p > q);
}

static int by_memory(const void *x, const void *y)
{
	const struct usage *a = x, *b = y;
	int64_t p = quantity_units(&a->memory), q = quantity_units(&b->memory);

	return (p < q) - (p > q);
}

static int by_name(const void *x, const void *y)
{
	const struct usage *a = x, *b = y;
	int r = a->measured != b->measured ? (a->measured ? -1 : 1) : strcmp(a->space, b->space);

	return r ? r : strcmp(a->name, b->name);
}

static int by_container(const void *x, const void *y)
{
	const struct usage *a = x, *b = y;

	return strcmp(a->container, b->container);
}

static void sort(const struct top *t, struct usage *v, size_t n,
		 int (*plain)(const void *x, const void *y))
{
	const char *by = t->o->sort && *t->o->sort ? t->o->sort : "";

	qsort(v, n, sizeof(*v), !*by ? plain : strcmp(by, "cpu") == 0 ? by_cpu : by_memory);
}

/* ---- lines ---- */

static const char *number(struct top *t, int64_t v, const char *unit)
{
	const char *s = arena_printf(t->k->arena, "%lld%s", (long long)v, unit);

	return s ? s : "";
}

static const char *part(struct top *t, const struct quantity *q, const struct doc *room,
			const char *name)
{
	struct quantity all = describe_amount(room, name);
	double whole = (double)quantity_milli(&all);

	return whole != 0 ? number(t, (int64_t)((double)quantity_milli(q) / whole * 100), "%")
			  : "0%";
}

#define MEBI ((int64_t)1024 * 1024)

/* Each value has blanks behind, the last too. */
static void print_lines(struct top *t, const char **cells, size_t n, size_t width)
{
	struct columns c = { 0 };

	columns_print(&c, cells, n / width, width, &t->k->out);
}

static int print_nodes(struct top *t, struct err *err)
{
	static const char *const heads[] = { "NAME",	      "CPU(cores)", "CPU(%)",
					     "MEMORY(bytes)", "MEMORY(%)",  "" };
	const char **cells = ARENA_ARRAY(t->k->arena, const char *, (t->n + 1) * 6), **at = cells;

	if (!cells)
		return arena_quota(t->k->arena, err);
	if (!t->o->no_headers)
		for (size_t i = 0; i < 6; i++)
			*at++ = heads[i];
	for (size_t i = 0; i < t->n; i++) {
		const struct usage *u = &t->v[i];

		*at++ = u->name;
		*at++ = u->measured ? number(t, quantity_milli(&u->cpu), "m") : "<unknown>";
		*at++ = u->measured ? part(t, &u->cpu, u->room, "cpu") : "<unknown>";
		*at++ = u->measured ? number(t, quantity_units(&u->memory) / MEBI, "Mi")
				    : "<unknown>";
		*at++ = u->measured ? part(t, &u->memory, u->room, "memory") : "<unknown>";
		*at++ = "";
	}
	print_lines(t, cells, (size_t)(at - cells), 6);
	return 0;
}

static const char **sum_lines(struct top *t, const char **at, size_t width)
{
	struct usage all = { 0 };

	for (size_t i = 0; i < t->n; i++) {
		quantity_add(&all.cpu, &t->v[i].cpu);
		quantity_add(&all.memory, &t->v[i].memory);
	}
	for (size_t i = 0; i < width; i++)
		*at++ = i + 3 == width || i + 2 == width ? "________" : "";
	for (size_t i = 0; i + 3 < width; i++)
		*at++ = "";
	*at++ = number(t, quantity_milli(&all.cpu), "m");
	*at++ = number(t, quantity_units(&all.memory) / MEBI, "Mi");
	*at++ = "";
	return at;
}

static int print_pods(struct top *t, struct err *err)
{
	const size_t width = 4 + t->o->all + t->o->containers;
	const char **cells = ARENA_ARRAY(t->k->arena, const char *, (t->n + 3) * CELLS_MAX),
		   **at = cells;

	if (!cells)
		return arena_quota(t->k->arena, err);
	if (!t->o->no_headers) {
		if (t->o->all)
			*at++ = "NAMESPACE";
		if (t->o->containers)
			*at++ = "POD";
		*at++ = "NAME";
		*at++ = "CPU(cores)";
		*at++ = "MEMORY(bytes)";
		*at++ = "";
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct usage *u = &t->v[i];

		if (t->o->all)
			*at++ = u->space;
		*at++ = u->name;
		if (t->o->containers)
			*at++ = u->container;
		*at++ = number(t, quantity_milli(&u->cpu), "m");
		*at++ = number(t, quantity_units(&u->memory) / MEBI, "Mi");
		*at++ = "";
	}
	if (t->o->sum)
		at = sum_lines(t, at, width);
	print_lines(t, cells, (size_t)(at - cells), width);
	return 0;
}

/* ---- nodes ---- */

static struct usage *usage_of(struct top *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i].name, name) == 0)
			return &t->v[i];
	return NULL;
}

static int node_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct top t = { .k = k, .o = call->opts, .d = { .k = k } };
	struct describe_ask ask = {
		.api = METRICS, .resource = "nodes", .space = "", .labels = t.o->selector
	};
	const char *name = call->nargs ? call->args[0] : NULL;
	struct doc *metrics, *nodes;
	int r = check(&t, call, err);

	if (r == 0)
		r = fetch(&t, &ask, name, &metrics, err);
	if (r == 0 && !doc_len(metrics))
		return err_set(err, ERR_NOT_FOUND, "metrics not available yet");
	ask.api = "api/v1";
	if (r == 0)
		r = fetch(&t, &ask, name, &nodes, err);
	if (r < 0)
		return r;
	t.v = ARENA_ARRAY(k->arena, struct usage, doc_len(metrics) + doc_len(nodes) + 1);
	if (!t.v)
		return arena_quota(k->arena, err);
	DOC_EACH (m, metrics)
		t.v[t.n++] = (struct usage){
			.space = "",
			.name = kubectl_text(k, m, "metadata.name"),
			.cpu = describe_amount(doc_get(m, "usage"), "cpu"),
			.memory = describe_amount(doc_get(m, "usage"), "memory"),
			.measured = true,
		};
	sort(&t, t.v, t.n, by_name);
	DOC_EACH (n, nodes) {
		const char *its = kubectl_text(k, n, "metadata.name");
		struct usage *u = usage_of(&t, its);

		if (!u) {
			u = &t.v[t.n++];
			*u = (struct usage){ .space = "", .name = its };
		}
		u->room = doc_find(n, t.o->capacity ? "status.capacity" : "status.allocatable");
	}
	return print_nodes(&t, err);
}

/* ---- pods ---- */

static void add_pod(struct top *t, const struct doc *m)
{
	struct usage sum = { .space = kubectl_text(t->k, m, "metadata.namespace"),
			     .name = kubectl_text(t->k, m, "metadata.name"),
			     .of = m,
			     .measured = true };

	DOC_EACH (c, doc_get(m, "containers")) {
		struct quantity cpu = describe_amount(doc_get(c, "usage"), "cpu"),
				memory = describe_amount(doc_get(c, "usage"), "memory");

		quantity_add(&sum.cpu, &cpu);
		quantity_add(&sum.memory, &memory);
	}
	t->v[t->n++] = sum;
}

/* Pods become their containers; the order of the pods stays. */
static int split_pods(struct top *t, size_t containers, struct err *err)
{
	struct usage *v = ARENA_ARRAY(t->k->arena, struct usage, containers + 1);
	size_t n = 0;

	if (!v)
		return arena_quota(t->k->arena, err);
	for (size_t i = 0; i < t->n; i++) {
		const size_t first = n;

		DOC_EACH (c, doc_get(t->v[i].of, "containers")) {
			v[n] = t->v[i];
			v[n].container = kubectl_text(t->k, c, "name");
			v[n].cpu = describe_amount(doc_get(c, "usage"), "cpu");
			v[n++].memory = describe_amount(doc_get(c, "usage"), "memory");
		}
		sort(t, v + first, n - first, by_container);
	}
	t->v = v;
	t->n = n;
	return 0;
}

/* Nothing was measured: why, where it can be told. */
static int explain_none(struct top *t, const char *name, struct err *err)
{
	struct describe_ask ask = { .api = "api/v1",
				    .resource = "pods",
				    .space = t->k->conf.space,
				    .labels = t->o->selector,
				    .fields = t->o->fields };
	struct doc *pods;
	int r = fetch(t, &ask, name, &pods, err);

	if (r < 0)
		return r;
	DOC_EACH (p, pods) {
		struct slice when = doc_slice(doc_find(p, "metadata.creationTimestamp"));
		int64_t ns = 0;

		if (clock_parse_rfc3339(when, &ns, NULL) == 0 &&
		    clock_real() - ns > FRESH * NS_PER_SEC)
			return err_set(err, ERR_NOT_FOUND,
				       "Metrics not available for pod %s/%s, age: %llds",
				       kubectl_text(t->k, p, "metadata.namespace"),
				       kubectl_text(t->k, p, "metadata.name"),
				       (long long)((clock_real() - ns) / NS_PER_SEC));
	}
	if (doc_len(pods))
		return err_set(err, ERR_NOT_FOUND, "metrics not available yet");
	if (t->o->all)
		buf_adds(&t->k->errors, "No resources found\n");
	else
		buf_addf(&t->k->errors, "No resources found in %s namespace.\n", t->k->conf.space);
	return 0;
}

static int pod_run(struct cmd_call *call, struct err *err)
{
	struct kubectl *k = kubectl_of(call);
	struct top t = { .k = k, .o = call->opts, .d = { .k = k } };
	struct describe_ask ask = {
		.api = METRICS, .resource = "pods", .labels = t.o->selector, .fields = t.o->fields
	};
	const char *name = call->nargs ? call->args[0] : NULL;
	struct doc *metrics;
	size_t containers = 0;
	int r = check(&t, call, err);

	ask.space = t.o->all ? "" : k->conf.space;
	if (r == 0)
		r = fetch(&t, &ask, name, &metrics, err);
	if (r < 0)
		return r;
	if (!doc_len(metrics))
		return explain_none(&t, name, err);
	t.v = ARENA_ARRAY(k->arena, struct usage, doc_len(metrics));
	if (!t.v)
		return arena_quota(k->arena, err);
	DOC_EACH (m, metrics) {
		containers += doc_len(doc_get(m, "containers"));
		add_pod(&t, m);
	}
	sort(&t, t.v, t.n, by_name);
	r = t.o->containers ? split_pods(&t, containers, err) : 0;
	return r < 0 ? r : print_pods(&t, err);
}

static const char *const node_names[] = { "top nodes", "top no", NULL };
static const char *const pod_names[] = { "top pods", "top po", NULL };

const struct cmd kubectl_top_node = {
	.path = "top node",
	.aliases = node_names,
	.args = "[OPTIONS] [NAME]",
	.help = "Processor and memory that nodes use",
	.opts = node_opts,
	.opts_size = sizeof(struct top_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = node_run,
};

const struct cmd kubectl_top_pod = {
	.path = "top pod",
	.aliases = pod_names,
	.args = "[OPTIONS] [NAME]",
	.help = "Processor and memory that pods use",
	.opts = pod_opts,
	.opts_size = sizeof(struct top_opts),
	.max = UINT8_MAX,
	.group = KUBECTL_CLUSTER,
	.run = pod_run,
};
