/* SPDX-License-Identifier: Apache-2.0 */
/* Warnings that several kinds have: addresses, labels of nodes, amounts, names. */
#include "apiserver/strategy/strategy-private.h"

#include "api/quantity.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- paths ---- */

static void print_path(struct buf *b, const struct path *p)
{
	if (!p)
		return;
	print_path(b, p->up);
	if (p->name)
		(void)buf_addf(b, "%s%s", b->n ? "." : "", p->name);
	else if (p->key.p)
		(void)buf_addf(b, "[%.*s]", (int)p->key.n, p->key.p);
	else
		(void)buf_addf(b, "[%zu]", p->index);
}

const char *strategy_path(struct arena *a, const struct path *p)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	const char *s;

	print_path(&b, p);
	s = arena_strndup(a, buf_str(&b), b.n);
	return s ? s : "";
}

void strategy_warn_at(struct strategy_call *c, const struct path *p, const char *fmt, ...)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(8192);
	va_list ap;

	va_start(ap, fmt);
	(void)buf_addv(&b, fmt, ap);
	va_end(ap);
	strategy_warn(c, "%s: %s", strategy_path(c->a, p), buf_str(&b));
}

/* ---- addresses ---- */

void strategy_warn_ip(struct strategy_call *c, const struct path *p, const struct doc *ip)
{
	const struct slice s = doc_slice(ip);
	char text[STRATEGY_IP_MAX];
	struct strategy_ip read;

	if (!strategy_ip_read(s, &read))
		return;
	strategy_ip_print(&read, text);
	if (read.odd)
		strategy_warn_at(c, p, "non-standard IP address \"%.*s\" is invalid: use \"%s\"",
				 (int)s.n, s.p, text);
	else if (read.v6 && !slice_is(s, text))
		strategy_warn_at(c, p,
				 "IPv6 address \"%.*s\" should be in RFC 5952 canonical format "
				 "(\"%s\")",
				 (int)s.n, s.p, text);
}

void strategy_warn_cidr(struct strategy_call *c, const struct path *p, const struct doc *cidr)
{
	const struct slice s = doc_slice(cidr);
	char text[STRATEGY_IP_MAX], base[STRATEGY_IP_MAX];
	struct strategy_ip ip, masked;
	bool ambiguous;
	unsigned bits;

	if (!strategy_cidr_read(s, &ip, &bits))
		return;
	masked = ip;
	strategy_ip_mask(&masked, bits);
	strategy_ip_print(&ip, text);
	strategy_ip_print(&masked, base);
	ambiguous = strategy_ip_cmp(&ip, &masked) != 0;
	if (ambiguous)
		strategy_warn_at(c, p,
				 "CIDR value \"%.*s\" is ambiguous in this context (should be "
				 "\"%s/%u\" or \"%s/%u\"?)",
				 (int)s.n, s.p, base, bits, text, ip.v6 ? 128u : 32u);
	if (ip.odd) {
		strategy_warn_at(c, p, "non-standard CIDR value \"%.*s\" is invalid: use \"%s/%u\"",
				 (int)s.n, s.p, base, bits);
	} else if (!ambiguous && ip.v6) {
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "/%u", bits);
		if (!slice_is(s, text))
			strategy_warn_at(c, p,
					 "IPv6 CIDR value \"%.*s\" should be in RFC 5952 canonical "
					 "format (\"%s\")",
					 (int)s.n, s.p, text);
	}
}

void strategy_warn_ips(struct strategy_call *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i);

		strategy_warn_ip(c, &at, doc_at(list, i));
	}
}

void strategy_warn_ips_in(struct strategy_call *c, const struct path *p, const struct doc *list)
{
	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(p, i), ip = PATH(&at, "ip");

		strategy_warn_ip(c, &ip, doc_get(doc_at(list, i), "ip"));
	}
}

void strategy_warn_balancer(struct strategy_call *c, const struct doc *obj)
{
	const struct path status = PATH(NULL, "status"), balancer = PATH(&status, "loadBalancer"),
			  p = PATH(&balancer, "ingress");
	const struct doc *list = doc_find(obj, "status.loadBalancer.ingress");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&p, i);

		strategy_warn_ip(c, &at, doc_get(doc_at(list, i), "ip"));
	}
}

/* ---- labels of nodes ---- */

const char *strategy_node_label(struct slice key)
{
	static const char *const old[][2] = {
		{ "beta.kubernetes.io/arch",
		  "deprecated since v1.14; use \"kubernetes.io/arch\" instead" },
		{ "beta.kubernetes.io/os",
		  "deprecated since v1.14; use \"kubernetes.io/os\" instead" },
		{ "failure-domain.beta.kubernetes.io/region",
		  "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead" },
		{ "failure-domain.beta.kubernetes.io/zone",
		  "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead" },
		{ "beta.kubernetes.io/instance-type",
		  "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead" },
		{ "app.kubernetes.io/created-by", "deprecated since v1.9" },
		{ "scheduler.alpha.kubernetes.io/preferAvoidPods",
		  "deprecated since v1.22; use Taints and Tolerations instead" },
		{ "node-role.kubernetes.io/master",
		  "use \"node-role.kubernetes.io/control-plane\" instead" },
	};

	for (size_t i = 0; i < ARRAY_LEN(old); i++)
		if (slice_is(key, old[i][0]))
			return old[i][1];
	return NULL;
}

static void warn_values(struct strategy_call *c, const struct path *p, const struct doc *values)
{
	for (size_t i = 0; i < doc_len(values); i++) {
		const struct path at = PATH_INDEX(p, i);
		const struct slice s = doc_slice(doc_at(values, i));
		const char *why = form_label_value(s);

		if (why)
			strategy_warn_at(c, &at, "%.*s is invalid, %s", (int)s.n, s.p, why);
	}
}

void strategy_warn_term(struct strategy_call *c, const struct path *p, const struct doc *term,
			bool values)
{
	const struct path list_at = PATH(p, "matchExpressions");
	const struct doc *list = doc_get(term, "matchExpressions");

	for (size_t i = 0; i < doc_len(list); i++) {
		const struct path at = PATH_INDEX(&list_at, i), key_at = PATH(&at, "key"),
				  values_at = PATH(&at, "values");
		const struct slice key = strategy_text(doc_at(list, i), "key");
		const char *words = strategy_node_label(key);

		if (words)
			strategy_warn_at(c, &key_at, "%.*s is %s", (int)key.n, key.p, words);
		if (values)
			warn_values(c, &values_at, doc_get(doc_at(list, i), "values"));
	}
}

/* ---- names, amounts ---- */

void strategy_warn_pod_name(struct strategy_call *c, const struct doc *obj, const char *use)
{
	const struct slice name = strategy_text(obj, "metadata.name");
	const char *why = name.n ? form_dns_label(name) : NULL;

	if (why)
		strategy_warn(c,
			      "metadata.name: this is used in %s, which can result in surprising "
			      "behavior; a DNS label is recommended: [%s]",
			      use, why);
}

void strategy_warn_fraction(struct strategy_call *c, const struct path *list_at,
			    const struct doc *list, const char *name)
{
	const struct path at = PATH_KEY(list_at, slice_str(name));
	const struct slice s = doc_slice(doc_get(list, name));
	struct quantity q;

	if (quantity_parse(s, &q) && q.nano % 1000000000 != 0)
		strategy_warn_at(c, &at,
				 "fractional byte value \"%.*s\" is invalid, must be an "
				 "integer",
				 (int)s.n, s.p);
}

void strategy_warn_claim(struct strategy_call *c, const struct path *p, const struct doc *spec)
{
	const struct path resources = PATH(p, "resources"), requests = PATH(&resources, "requests"),
			  limits = PATH(&resources, "limits");

	strategy_warn_fraction(c, &requests, doc_find(spec, "resources.requests"), "storage");
	strategy_warn_fraction(c, &limits, doc_find(spec, "resources.limits"), "storage");
}

void strategy_warn_static(struct strategy_call *c, const struct doc *obj, const struct doc *old)
{
	(void)old;
	if (slice_ends(strategy_text(obj, "metadata.name"), SLICE(".static.k8s.io")))
		strategy_warn(c, "metadata.name: names ending with \".static.k8s.io\" are reserved "
				 "for static manifest-based configurations and cannot be managed "
				 "via the API");
}
