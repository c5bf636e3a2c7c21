/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers of the WebSocket tests: a raw peer that speaks frames in a small notation.
 *
 *   T(Hello) B(..) C(..)   text, binary, continuation, the last frame of a message
 *   t(..) b(..) c(..)      the same, and more follows
 *   P(..) O(..)            ping, pong; p(..) = a ping without FIN
 *   X(1000,reason) X()     close; X<0a> = its payload in hex
 *   T<ce ba>               payload in hex
 *   3:T(..)                reserved bits 3; #11(..) = opcode 11
 */
#pragma once

#include "base/hash.h"
#include "io-test.h"
#include "io/websocket.h"
#include "io/ws-frame.h"

#include <ctype.h>

struct ws_env {
	struct env e;
	struct ws_conf conf;
	struct ws_accept acc;
	const struct ws_events *ev;
	struct ws *w;
	bool client;  /* ours plays the client's part */
	bool chopped; /* the peer sends byte by byte */
	int fd;
	struct buf in;	 /* what the peer got and did not look at yet */
	char seen[4096]; /* its frames in the notation */
	bool eof;
	int opened, closed, writable, sent_status;
	unsigned code;
	enum err_code why;
	char why_text[256];
};

/* Rounds until nothing is ready: what goes through a socketpair is there at once. */
static inline void ws_spin(struct ws_env *t)
{
	while (loop_step(t->e.loop, 0, NULL) == 1)
		;
}

/* What ours has sent so far. */
static inline void ws_take(struct ws_env *t)
{
	char chunk[65536];
	ssize_t n;

	t->eof = false;
	do {
		ws_spin(t);
		n = recv(t->fd, chunk, sizeof(chunk), 0);
		if (n > 0)
			assert_int_equal(buf_add(&t->in, chunk, (size_t)n), 0);
	} while (n > 0);
	t->eof = n == 0;
}

/* One frame as the peer sends it: masked unless ours is the client. */
static inline void ws_frame(struct ws_env *t, unsigned byte0, const void *p, size_t n)
{
	static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	CLEANUP(buf_fini) struct buf b = BUF_INIT((size_t)64 << 20);
	const unsigned char *k = t->client ? NULL : key;
	char *room = buf_room(&b, n + WS_HEAD_MAX), *body;
	size_t head;

	assert_non_null(room);
	head = ws_head_put(room, byte0, n, k);
	body = room + head;
	if (k)
		ws_mask(body, p, n, k, 0);
	else if (n)
		memcpy(body, p, n);
	n += head;
	for (size_t at = 0; at < n;) {
		ssize_t r = send(t->fd, room + at, t->chopped ? 1 : n - at, MSG_NOSIGNAL);

		if (r < 0 && (errno == EPIPE || errno == ECONNRESET))
			return; /* it has closed already */
		if (r > 0)
			at += (size_t)r;
		else
			assert_int_equal(errno, EAGAIN);
		ws_spin(t);
	}
}

static inline size_t ws_payload(const char **p, char *dst)
{
	char end = **p == '(' ? ')' : '>';
	size_t n = 0;

	for (++*p; **p != end; ++*p) {
		if (end == ')') {
			dst[n++] = **p;
		} else if (**p != ' ') {
			const char two[3] = { (*p)[0], (*p)[1], 0 };

			assert_int_equal(hex_decode(dst + n++, slice_str(two)), 0);
			++*p;
		}
	}
	++*p;
	return n;
}

/* Sends frames given in the notation. */
static inline void ws_script(struct ws_env *t, const char *p)
{
	static const char letters[] = "CTBXPO";
	static const unsigned ops[] = { 0, 1, 2, 8, 9, 10 };
	char payload[4096];

	while (*p) {
		unsigned byte0 = 0;
		const char *kind;
		size_t n;

		if (*p == ' ') {
			p++;
			continue;
		}
		if (isdigit((unsigned char)*p)) {
			byte0 = (unsigned)(*p - '0') << 4;
			p += 2;
		}
		if (*p == '#') {
			byte0 |= WS_FIN;
			for (p++; isdigit((unsigned char)*p); p++)
				byte0 = (byte0 & 0xf0) | ((byte0 & 15) * 10 + (unsigned)(*p - '0'));
		} else {
			kind = strchr(letters, toupper((unsigned char)*p));
			assert_non_null(kind);
			byte0 |= ops[kind - letters] | (isupper((unsigned char)*p) ? WS_FIN : 0);
			p++;
		}
		n = ws_payload(&p, payload);
		if ((byte0 & 15) == 8 && n >= 4 && isdigit((unsigned char)payload[0]) &&
		    p[-1] == ')') {
			char code_text[8] = { 0 };
			int64_t code = 0;
			size_t digits = strcspn(payload, ",");

			payload[n] = '\0';
			digits = MIN(digits, n);
			memcpy(code_text, payload, MIN(digits, sizeof(code_text) - 1));
			assert_int_equal(str_int64(slice_str(code_text), &code, NULL), 0);
			n = n > digits ? n - digits - 1 : 0;
			memmove(payload + 2, payload + digits + 1, n);
			payload[0] = (char)(code >> 8);
			payload[1] = (char)code;
			n += 2;
		}
		ws_frame(t, byte0, payload, n);
	}
}

static inline void ws_note(struct ws_env *t, const struct ws_head *h, const char *p, size_t n)
{
	static const char upper[] = "CTB.....XPO", lower[] = "ctb.....xpo";
	size_t at = strlen(t->seen), room = sizeof(t->seen) - at;
	char *dst = t->seen + at, text[200] = "";
	int code = n >= 2 ? (unsigned char)p[0] << 8 | (unsigned char)p[1] : 0;
	char letter = (h->fin ? upper : lower)[h->op];

	if (h->op == 8)
		(void)snprintf(dst, room, n ? "%sX(%d)" : "%sX()", at ? " " : "", code);
	else if (n > 150)
		(void)snprintf(dst, room, "%s%c[%zu]", at ? " " : "", letter, n);
	else {
		memcpy(text, p, n);
		(void)snprintf(dst, room, "%s%c(%s)", at ? " " : "", letter, text);
	}
}

/* Reads what ours has sent and notes its whole frames. */
static inline const char *ws_look(struct ws_env *t)
{
	struct ws_head h;
	int size;

	ws_take(t);
	while ((size = ws_head_parse(&h, buf_str(&t->in), t->in.n)) > 0 &&
	       t->in.n >= (size_t)size + h.length) {
		char *p = t->in.p + size;

		assert_int_equal(h.masked, t->client);
		if (h.masked)
			ws_mask(p, p, h.length, h.key, 0);
		ws_note(t, &h, p, h.length);
		buf_consume(&t->in, (size_t)size + h.length);
	}
	assert_true(size >= 0);
	return t->seen;
}

/* ---- our side ---- */

static inline void ws_t_echo(struct ws *w, enum ws_type type, struct slice bytes)
{
	assert_true(ws_send(w, type, bytes.p, bytes.n) >= 0);
}

static inline void ws_t_opened(struct ws *w)
{
	((struct ws_env *)ws_arg(w))->opened++;
}

static inline void ws_t_closed(struct ws *w, const struct ws_end *how)
{
	struct ws_env *t = ws_arg(w);

	t->closed++;
	t->code = how->code;
	t->why = how->why ? how->why->code : ERR_NONE;
	if (how->why)
		(void)str_copy(t->why_text, sizeof(t->why_text), how->why->msg);
	t->w = NULL;
}

static const struct ws_events ws_t_events = { .opened = ws_t_opened,
					      .message = ws_t_echo,
					      .closed = ws_t_closed };

static inline void ws_t_request(struct stream *s, void *arg)
{
	struct ws_env *t = CONTAINER_OF((struct env *)arg, struct ws_env, e);
	struct err err = ERR_INIT;

	if (t->client) {
		assert_int_equal(stream_hijack(s, 101, &err), 0);
		assert_int_equal(ws_adopt(s, true, &t->conf, t->ev, t, &t->w, &err), 0);
		return;
	}
	if (ws_accept(s, &t->conf, &t->acc, t->ev, t, &t->w, &err) < 0) {
		t->w = NULL;
		(void)str_copy(t->why_text, sizeof(t->why_text), err.msg);
	}
}

#define WS_ASK                                                                        \
	"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: " \
	"websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "               \
	"dGhlIHNhbXBsZSBub25jZQ==\r\n"

static inline void ws_start(struct ws_env *t)
{
	if (!t->ev)
		t->ev = &ws_t_events;
	t->in = BUF_INIT((size_t)64 << 20);
	env_start(&t->e, ws_t_request);
}

/* A new connection that is a WebSocket. */
static inline void ws_dial(struct ws_env *t)
{
	char *end;

	t->closed = t->opened = 0;
	t->seen[0] = '\0';
	t->eof = false;
	buf_clear(&t->in);
	t->fd = connect_pair(&t->e);
	say(t->fd, WS_ASK "\r\n");
	ws_take(t);
	assert_has(buf_str(&t->in), "HTTP/1.1 101 ");
	end = strstr(t->in.p, "\r\n\r\n");
	assert_non_null(end);
	buf_consume(&t->in, (size_t)(end + 4 - t->in.p));
	assert_non_null(t->w);
}

static inline void ws_hang_up(struct ws_env *t)
{
	close(t->fd);
	ws_spin(t);
	assert_int_equal(t->closed, 1);
	assert_int_equal(http_server_get_stats(t->e.srv).connections, 0);
}

static inline void ws_stop(struct ws_env *t)
{
	env_stop(&t->e);
	buf_fini(&t->in);
}
