/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are handed on: to a node's agent (log, exec, attach, portforward), to a pod,
 * service or node (proxy), to the signer of tokens, to another API server (APIService). None of
 * them is there yet: each is refused by its name.
 */
#include "apiserver/call.h"

#include <string.h>

bool rest_connect(struct call *c)
{
	static const char *const subs[] = { "attach", "exec",  "log", "portforward",
					    "proxy",  "token", NULL };
	struct err err = ERR_INIT;

	if (!c->sub || !str_is_one_of(c->sub->name, subs))
		return false;
	(void)status_unavailable(&err, &c->about, "%s/%s is not available in this server",
				 c->rq.resource, c->rq.subresource);
	call_fail(c, &err);
	return true;
}

bool rest_remote(struct call *c)
{
	const char *name = arena_printf(c->a, "%s.%s", c->rq.version, c->rq.group);
	struct item *i = name ? resources_get(c->srv->conf.resources, "apiregistration.k8s.io",
					      "apiservices", "", name)
			      : NULL;
	struct err err = ERR_INIT;

	/* Those without a service are our own groups. */
	if (!i || !slice_has_text(item_json(i), SLICE("\"service\":{")))
		return false;
	(void)status_unavailable(&err, &c->about,
				 "APIService %s: requests for other API servers are not handed on "
				 "by this server",
				 name);
	call_fail(c, &err);
	return true;
}
