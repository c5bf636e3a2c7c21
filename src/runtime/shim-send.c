/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim tells its engine: frames, and an outbox for an engine that is busy. One that is
 * behind by more than OUTBOX_MAX is dropped; it may connect again and is told everything by HELLO.
 */
#include "runtime/shim-state.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define OUTBOX_MAX (1u << 20)

void shim_conn_drop(struct shim *s)
{
	struct waiting *w;

	source_fini(&s->conn_source);
	fd_close(s->conn);
	s->conn = -1;
	s->version = 0;
	LIST_FOREACH (w, &s->outbox, struct waiting, link) {
		list_del(&w->link);
		free(w);
	}
	s->outbox_bytes = 0;
}

static int put_frame(struct shim *s, uint16_t type, uint32_t id, const void *p, size_t n)
{
	struct err err = ERR_INIT;

	return frame_send(s->conn, s->version ? s->version : SHIM_VERSION_MAX, type, id, p, n, NULL,
			  0, &err);
}

/* An engine that is busy finds its frames later; one that never reads is none: it may connect again
 * and is told everything by HELLO. */
void shim_send(struct shim *s, uint16_t type, uint32_t id, const void *p, size_t n)
{
	struct waiting *w;
	int r = 1;

	if (s->conn < 0)
		return;
	if (list_empty(&s->outbox))
		r = put_frame(s, type, id, p, n);
	if (r == 0)
		return;
	if (r < 0 || s->outbox_bytes + n > OUTBOX_MAX) {
		shim_conn_drop(s);
		return;
	}
	w = malloc(sizeof(*w) + n);
	if (!w)
		abort();
	*w = (struct waiting){ .type = type, .id = id, .n = n };
	if (n)
		memcpy(w->bytes, p, n);
	list_append(&s->outbox, &w->link);
	s->outbox_bytes += n + sizeof(*w);
	(void)source_set(&s->conn_source, EPOLLIN | EPOLLOUT);
}

void shim_outbox_flush(struct shim *s)
{
	struct waiting *w;
	int r = 0;

	while (s->conn >= 0 && (w = LIST_FIRST(&s->outbox, struct waiting, link))) {
		r = put_frame(s, w->type, w->id, w->bytes, w->n);
		if (r > 0)
			return;
		if (r < 0) {
			shim_conn_drop(s);
			return;
		}
		list_del(&w->link);
		s->outbox_bytes -= w->n + sizeof(*w);
		free(w);
	}
	if (s->conn >= 0)
		(void)source_set(&s->conn_source, EPOLLIN);
}

void shim_reply_ok(struct shim *s, uint32_t id, const struct wire_out *o)
{
	shim_send(s, SHIM_OK, id, o ? o->p : NULL, o ? o->n : 0);
}

void shim_reply_failed(struct shim *s, uint32_t id, const struct err *err)
{
	unsigned char bytes[sizeof(err->msg) + 16];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };

	wire_put_u32(&o, err->code);
	wire_put_u32(&o, (uint32_t)err->sys);
	wire_put_str(&o, err->msg);
	shim_send(s, SHIM_FAILED, id, o.p, o.n);
}

void shim_send_hello(struct shim *s, uint16_t type, uint32_t id)
{
	CLEANUP(arena_free) struct arena *a = arena_new("hello", 256 * 1024);
	struct shim_hello h = {
		.version_min = SHIM_VERSION_MIN,
		.version_max = SHIM_VERSION_MAX,
		.shim_pid = getpid(),
		.phase = (uint8_t)s->phase,
		.started = s->started,
		.oom = s->oom,
	};
	struct wire_out o = { .cap = FRAME_PAYLOAD_MAX };
	struct proc_slot *p;

	str_copy(h.id, sizeof(h.id), s->id);
	h.procs = ARENA_ARRAY(a, struct shim_proc, s->nprocs);
	o.p = arena_alloc_raw(a, MIN(o.cap, 256 + s->nprocs * (SHIM_EXIT_SIZE + 16)), 1);
	o.cap = MIN(o.cap, 256 + s->nprocs * (SHIM_EXIT_SIZE + 16));
	if (!o.p || !h.procs)
		return; /* cannot be: the arena has room for SHIM_PROCS_MAX */
	LIST_FOREACH (p, &s->procs, struct proc_slot, link)
		h.procs[h.nprocs++] = p->p;
	shim_put_hello(&o, &h);
	shim_send(s, type, id, o.p, o.n);
}
