/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of containers as docker shows them: times, status text, mounts, networks. */
#include "docker/private.h"

#include <stdio.h>

void show_time(struct arena *a, struct doc *obj, const char *key, int64_t ns)
{
	char text[CLOCK_TEXT_MAX];

	doc_set_str(a, obj, key, clock_rfc3339nano(text, ns));
}

/* Words and limits of docker's units.HumanDuration, which clients and people parse. */
void show_ago(int64_t ns, char *dst, size_t n)
{
	long long s = ns / NS_PER_SEC, m = s / 60, h = (m + 30) / 60;

	if (s < 1)
		str_copy(dst, n, "Less than a second");
	else if (s == 1)
		str_copy(dst, n, "1 second");
	else if (s < 60)
		(void)snprintf(dst, n, "%lld seconds", s);
	else if (m == 1)
		str_copy(dst, n, "About a minute");
	else if (m < 60)
		(void)snprintf(dst, n, "%lld minutes", m);
	else if (h == 1)
		str_copy(dst, n, "About an hour");
	else if (h < 48)
		(void)snprintf(dst, n, "%lld hours", h);
	else if (h < 24 * 7 * 2)
		(void)snprintf(dst, n, "%lld days", h / 24);
	else if (h < 24 * 30 * 2)
		(void)snprintf(dst, n, "%lld weeks", h / 24 / 7);
	else if (h < 24 * 365 * 2)
		(void)snprintf(dst, n, "%lld months", h / 24 / 30);
	else
		(void)snprintf(dst, n, "%lld years", h / 24 / 365);
}

void show_status(const struct container *ct, int64_t now, char *dst, size_t n)
{
	const struct container_state *st = container_get_state(ct);
	char ago[64] = "";

	switch (st->status) {
	case CT_RUNNING:
	case CT_PAUSED:
		show_ago(now - st->started, ago, sizeof(ago));
		(void)snprintf(dst, n, "Up %s%s", ago, st->status == CT_PAUSED ? " (Paused)" : "");
		return;
	case CT_RESTARTING:
	case CT_EXITED:
		if (st->finished != CLOCK_ZERO)
			show_ago(now - st->finished, ago, sizeof(ago));
		(void)snprintf(dst, n, "%s (%d) %s ago",
			       st->status == CT_EXITED ? "Exited" : "Restarting", st->exit_code,
			       ago);
		return;
	case CT_REMOVING: str_copy(dst, n, "Removal In Progress"); return;
	case CT_DEAD: str_copy(dst, n, "Dead"); return;
	case CT_CREATED: break;
	}
	str_copy(dst, n, "Created");
}

/* ---- mounts ---- */

static void mount_row(struct arena *a, struct doc *arr, const char *type, struct slice source,
		      struct slice target)
{
	struct doc *m = doc_append_object(a, arr);

	doc_set_str(a, m, "Type", type);
	doc_set_strn(a, m, "Source", source.p ? source.p : "", source.n);
	doc_set_strn(a, m, "Destination", target.p ? target.p : "", target.n);
}

static struct doc *last(struct doc *arr)
{
	return doc_at(arr, doc_len(arr) - 1);
}

static bool is_propagation(struct slice s)
{
	static const char *const words[] = { "private", "rprivate", "shared", "rshared",
					     "slave",	"rslave",   NULL };

	for (size_t i = 0; words[i]; i++)
		if (slice_is(s, words[i]))
			return true;
	return false;
}

/* "source:target[:opt,opt]" */
static void bind_row(struct arena *a, struct doc *arr, const char *bind)
{
	struct slice rest = slice_str(bind);
	struct slice source = slice_split(&rest, ':'), target = slice_split(&rest, ':');
	struct slice mode = rest, propagation = SLICE("rprivate");
	bool rw = true;

	while (rest.p) {
		struct slice word = slice_split(&rest, ',');

		if (slice_is(word, "ro"))
			rw = false;
		if (is_propagation(word))
			propagation = word;
	}
	mount_row(a, arr, "bind", source, target);
	doc_set_strn(a, last(arr), "Mode", mode.p ? mode.p : "", mode.n);
	doc_set_bool(a, last(arr), "RW", rw);
	doc_set_strn(a, last(arr), "Propagation", propagation.p, propagation.n);
}

void show_mounts(struct call *c, const struct container *ct, struct doc *arr)
{
	const struct host_config *h = &container_spec(ct)->host;

	for (size_t i = 0; i < h->binds.n; i++)
		bind_row(c->a, arr, h->binds.v[i]);
	for (size_t i = 0; i < h->mounts.n; i++) {
		const struct mount_spec *m = &h->mounts.v[i];
		const char *p = m->bind && m->bind->propagation && *m->bind->propagation
					? m->bind->propagation
				: strcmp(m->type, "bind") == 0 ? "rprivate"
							       : "";

		mount_row(c->a, arr, m->type, slice_str(m->source), slice_str(m->target));
		doc_set_str(c->a, last(arr), "Mode", "");
		doc_set_bool(c->a, last(arr), "RW", !m->read_only);
		doc_set_str(c->a, last(arr), "Propagation", p);
	}
}

/* ---- networks ---- */

void show_networks(struct call *c, const struct container *ct, struct doc *obj)
{
	const struct container_endpoint *ep = container_endpoint(ct);
	struct arena *a = c->a;
	struct doc *n;

	if (strncmp(ep->network, "container:", 10) == 0)
		return; /* it has none of its own */
	n = doc_set_object(a, obj, ep->network);
	doc_set_null(a, n, "IPAMConfig");
	doc_set_null(a, n, "Links");
	doc_set_null(a, n, "Aliases");
	doc_set_str(a, n, "MacAddress", ep->mac);
	doc_set_null(a, n, "DriverOpts");
	if (c->minor >= 48)
		doc_set_int(a, n, "GwPriority", 0);
	doc_set_str(a, n, "NetworkID", ep->network_id ? ep->network_id : "");
	doc_set_str(a, n, "EndpointID", ep->endpoint_id ? ep->endpoint_id : "");
	doc_set_str(a, n, "Gateway", ep->gateway);
	doc_set_str(a, n, "IPAddress", ep->ip);
	doc_set_int(a, n, "IPPrefixLen", ep->prefix);
	doc_set_str(a, n, "IPv6Gateway", "");
	doc_set_str(a, n, "GlobalIPv6Address", "");
	doc_set_int(a, n, "GlobalIPv6PrefixLen", 0);
	if (c->minor >= 44)
		doc_set_null(a, n, "DNSNames");
}
