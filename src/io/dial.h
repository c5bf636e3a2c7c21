/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialing: an address in text to a connected stream socket, asynchronously.
 *
 *	unix:///run/x.sock, unix:@abstract, /run/x.sock       a Unix socket
 *	127.0.0.1:80, [::1]:80, tcp://127.0.0.1:80            numeric
 *	registry.example:443, tcp://registry.example:443      a name, through io/resolver.h
 *
 * Names are dialed by RFC 8305 (happy eyeballs 2): both families are asked at once; when the IPv4
 * answer comes first it waits 50 ms for the IPv6 one; addresses alternate by family, IPv6 first; a
 * new attempt begins 250 ms after the last one, or as soon as that one fails; the first socket that
 * connects wins and the others are closed. One time-out bounds it all. A failure names every
 * address that was tried and why it failed.
 *
 * TCP sockets come with TCP_NODELAY and keep-alive. All sockets are non-blocking and close-on-exec.
 * Not thread safe; all on the loop's thread.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct dial;
struct err;
struct loop;
struct resolver;

/* Zero means the default in brackets. Times in ns. Copied by dial_start. */
struct dial_conf {
	/* [NULL: names but localhost are refused with UNSUPPORTED]. Must outlive the dial. */
	struct resolver *resolver;
	uint16_t port;		  /* for addresses that name none [0: the port is required] */
	int64_t time;		  /* all of it, with the name's resolution [10 s] */
	int64_t attempt_delay;	  /* between attempts [250 ms, at least 10 ms] */
	int64_t resolution_delay; /* A waits for AAAA [50 ms; negative: none] */
	int64_t keepalive_idle;	  /* TCP_KEEPIDLE, whole seconds [30 s; negative: no keep-alive] */
	unsigned addresses_max;	  /* tried at most [16] */
	bool v4_only, v6_only;
};

/* What was reached. */
struct dial_peer {
	struct sockaddr_storage sa;
	socklen_t sa_len;
	char text[128]; /* "192.0.2.1:443", "[2001:db8::1]:443", "/run/x.sock" */
};

/*
 * fd >= 0: connected, the callee owns it. fd < 0: err tells (UNAVAILABLE, TIMEOUT, NOT_FOUND for a
 * name that does not exist). Runs once, from the loop, never inside dial_start; the handle is gone
 * when it runs.
 */
typedef void dial_fn(void *arg, int fd, const struct dial_peer *peer, struct err *err);

/* conf NULL = all defaults. Fails at once only for an address that is none (INVALID, UNSUPPORTED);
 * then fn does not run. */
int dial_start(struct loop *l, const struct dial_conf *conf, const char *address, dial_fn *fn,
	       void *arg, struct dial **ret, struct err *err);
/* fn will not run; sockets are closed. NULL is fine. */
void dial_cancel(struct dial *d);

/* Runs a private loop until it is connected; the fd is non-blocking. conf->resolver must be NULL:
 * names are resolved by a resolver with default files when `names`. For command line tools. */
int dial_wait(const struct dial_conf *conf, const char *address, bool names, int *ret_fd,
	      struct dial_peer *peer, struct err *err);
