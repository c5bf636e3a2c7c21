/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocking HTTP calls to any address: what a command or a job wants, on top of one http_client per
 * origin. It follows redirects, tries again what is safe to repeat (with back-off, a budget and the
 * server's Retry-After), stops asking an origin that never answers, and goes through the proxies
 * that the environment names.
 *
 * Safe to repeat: GET, HEAD, OPTIONS, TRACE, PUT and DELETE whose body is in memory, or none (RFC
 * 9110 9.2.2), as long as nothing of an answer was given to the caller. Tried again are: no
 * connection, a connection that broke, 429, 502, 503 and 504. The last answer is the caller's,
 * whatever its status. Not thread safe; runs its own loop.
 */
#pragma once

#include "io/http-client.h"
#include "io/http-proxy.h"
#include "io/retry.h"

struct http_agent;

/* Zero means the default in brackets. */
struct http_agent_conf {
	/* Of each origin's client: limits, times, TLS, resolver. host, proxy and tls_name are not
	 * for all origins, and must be NULL. TLS speaks to https addresses only. */
	struct http_client_conf client;
	/* Names of hosts are looked up by a resolver of the agent's own, when client.resolver is
	 * not given [numeric and localhost only]. */
	bool names;
	struct http_proxy_env proxies; /* borrowed [none; see http_proxy_env_get] */
	struct retry_policy retry;
	/* Of each origin: retries per hundred requests, and how many at once [10, 10]. */
	uint32_t retry_pct, retry_burst;
	/* A Retry-After that asks for more than this ends the attempts, ns [30 s]. */
	int64_t retry_after_max;
	/* Failed connections in a row after which an origin is not asked for a while [5, 5 s]. */
	unsigned failures;
	int64_t open_time;
	unsigned redirects; /* that are followed [10] */
	bool no_redirects;  /* a 3xx is the answer */
	size_t origins_max; /* clients kept; the one used longest ago goes [16] */
	/* Waits ns before a retry [on the agent's loop]. Tests do not wait. Negative ends the call.
	 */
	int (*wait)(void *arg, int64_t ns, struct err *err);
	void *wait_arg;
};

int http_agent_new(const struct http_agent_conf *conf, struct http_agent **ret, struct err *err);
void http_agent_free(struct http_agent *a);
DEFINE_CLEANUP(struct http_agent *, http_agent_free)

/*
 * As http_client_call; url: absolute, http or https, without a user; call->target is not looked at.
 * call->time bounds all of it: redirects, attempts, waits. Authorization, Cookie, Host and
 * Proxy-Authorization are not sent on to another origin. Errors: those of the last attempt;
 * UNSUPPORTED: a redirect wants a body again that was produced; those of http_redirect_step.
 */
int http_agent_call(struct http_agent *a, const char *url, const struct http_call *call,
		    struct http_answer *ret, struct err *err);
/* The address that gave the last answer; borrowed until the next call. */
const char *http_agent_url(const struct http_agent *a);

struct http_agent_stats {
	uint64_t calls, attempts, retries, redirects, refused; /* by an open circuit */
	size_t origins;
};
struct http_agent_stats http_agent_get_stats(const struct http_agent *a);
