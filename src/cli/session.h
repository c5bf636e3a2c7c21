/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attached container or exec: our stdin, stdout and stderr joined to the engine's byte stream,
 * until that ends or the user types the detach keys.
 *
 * Nothing here blocks: while a reader of our output is slow, signals still pass. The terminal is
 * put back by session_fini and before every return of session_run.
 */
#pragma once

#include "base/loop.h"
#include "base/str.h"
#include "cli/term.h"
#include "dockerclient/dockerclient.h"

#include <stdbool.h>

struct arena;
struct doc;

#define SESSION_KEYS_MAX 32
/* "ctrl-p,ctrl-q", "a,ctrl-@": to bytes; "" = none. Returns their number. */
int session_keys(const char *text, unsigned char keys[SESSION_KEYS_MAX], size_t *ret_n,
		 struct err *err);
#define SESSION_KEYS_DEFAULT "ctrl-p,ctrl-q"

/* Finds the keys in what is typed. A part of them is held back until it is certain. */
struct session_detach {
	unsigned char keys[SESSION_KEYS_MAX];
	size_t n, matched;
};
/* Appends what may be sent to out. True when the sequence is complete. */
bool session_detach_feed(struct session_detach *d, struct slice typed, struct buf *out);

/* Output that waits for its reader. */
struct session_sink {
	struct source source;
	struct session *session;
	struct buf waiting;
	int fd;
	bool direct; /* a file: always ready, not for epoll */
};

#define SESSION_SIGNALS 16
struct session_signal {
	struct sigsource source;
	struct session *session;
};
struct session_post; /* a resize or signal on its way */

struct session {
	/* set by the owner */
	struct docker_client *client;
	bool tty;	   /* the other side has a terminal */
	bool in, out, err; /* what we join */
	bool sig_proxy;
	const char *detach_keys;   /* NULL = the default */
	const char *resize_target; /* "/containers/<id>/resize", NULL = never */
	const char *kill_target;   /* "/containers/<id>/kill" for signals, NULL = never */

	/* private */
	struct docker_exchange stream;
	struct docker_demux demux;
	struct session_detach detach;
	struct session_sink sinks[2];
	struct source input;
	struct deferred input_next; /* for files, which epoll refuses */
	struct session_signal signals[SESSION_SIGNALS];
	size_t nsignals;
	struct list posts;
	struct term term;
	size_t owed; /* credit held back while a sink waits */
	bool input_open, framed, raw_stdin, detached, done;
	int ended_by; /* signal that ends us */
	struct err failure;
};

/* Sends the request that becomes the stream, and waits until the engine has answered. */
int session_open(struct session *s, const char *target, const struct doc *body, struct err *err);
/* After the container or exec was started: tells the terminal's size, now and when it changes. */
void session_resize(struct session *s);
/*
 * Until the stream has ended or broken off: 0; the caller asks how the other side ended. 1 =
 * detached by the keys. Negative when our own side failed, or a frame was cut. A signal that is not
 * for the container restores the terminal and then ends the process.
 */
int session_run(struct session *s, struct err *err);
void session_fini(struct session *s);
DEFINE_CLEANUP_EMBEDDED(struct session, session_fini)
/* Fields that are not zero when empty. */
#define SESSION_INIT                             \
	((struct session){ .input = SOURCE_INIT, \
			   .sinks = { { .source = SOURCE_INIT }, { .source = SOURCE_INIT } } })
