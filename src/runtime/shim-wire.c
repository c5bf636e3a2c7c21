/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's protocol as bytes: what both ends encode and decode, the rules each frame is checked
 * against, and the exit records on disk. Frame layouts of version 1 never change: a new layout is a
 * new version.
 */
#include "runtime/shim-private.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

/* All text and numbers of a request; more is refused before it is looked at. */
#define SMALL 512
#define LARGE FRAME_PAYLOAD_MAX

const struct frame_rule shim_rules[SHIM_TYPE_END] = {
	/*                     name          senders           fds   min  max */
	[SHIM_WELCOME] = { "welcome", SHIM_FROM_ENGINE, 0, 0, 4, 4 },
	[SHIM_CREATE] = { "create", SHIM_FROM_ENGINE, 1, 1, 32, LARGE },
	[SHIM_START] = { "start", SHIM_FROM_ENGINE, 0, 0, 0, 0 },
	[SHIM_EXEC] = { "exec", SHIM_FROM_ENGINE, 0, 1, 24, LARGE },
	[SHIM_ATTACH] = { "attach", SHIM_FROM_ENGINE, 1, 1, 16, LARGE },
	[SHIM_RESIZE] = { "resize", SHIM_FROM_ENGINE, 0, 0, 8, SMALL },
	[SHIM_KILL] = { "kill", SHIM_FROM_ENGINE, 0, 0, 9, SMALL },
	[SHIM_CLOSE_STDIN] = { "close-stdin", SHIM_FROM_ENGINE, 0, 0, 4, SMALL },
	[SHIM_DELETE] = { "delete", SHIM_FROM_ENGINE, 0, 0, 0, 0 },
	[SHIM_STATE] = { "state", SHIM_FROM_ENGINE, 0, 0, 0, 0 },
	[SHIM_LOG_REOPEN] = { "log-reopen", SHIM_FROM_ENGINE, 0, 0, 0, 0 },
	[SHIM_HELLO] = { "hello", SHIM_FROM_SHIM, 0, 0, 24, LARGE },
	[SHIM_OK] = { "ok", SHIM_FROM_SHIM, 0, 0, 0, LARGE },
	[SHIM_FAILED] = { "failed", SHIM_FROM_SHIM, 0, 0, 12, 8192 },
	[SHIM_EXIT] = { "exit", SHIM_FROM_SHIM, 0, 0, SHIM_EXIT_SIZE, SHIM_EXIT_SIZE },
	[SHIM_OOM] = { "oom", SHIM_FROM_SHIM, 0, 0, 8, 8 },
	[SHIM_DETACHED] = { "detached", SHIM_FROM_SHIM, 0, 0, 5, SMALL },
};

/* ---- exit records ---- */

#define EXIT_MAGIC 0x31545845u /* "EXT1" */

void shim_exit_pack(const struct shim_exit *e, unsigned char out[SHIM_EXIT_SIZE])
{
	struct wire_out o = { .p = out, .cap = SHIM_EXIT_SIZE };
	char id[SHIM_ID_MAX] = { 0 };

	memset(out, 0, SHIM_EXIT_SIZE);
	memcpy(id, e->exec_id, strnlen(e->exec_id, SHIM_ID_MAX));
	wire_put_u32(&o, EXIT_MAGIC);
	wire_put_u32(&o, (uint32_t)e->status);
	wire_put_u32(&o, (uint32_t)e->pid);
	wire_put_u32(&o, e->oom);
	wire_put_u64(&o, (uint64_t)e->started);
	wire_put_u64(&o, (uint64_t)e->finished);
	memcpy(out + o.n, id, sizeof(id));
	o = (struct wire_out){ .p = out, .n = SHIM_EXIT_SIZE - 4, .cap = SHIM_EXIT_SIZE };
	wire_put_u32(&o, crc32c(0, out, SHIM_EXIT_SIZE - 4));
}

int shim_exit_unpack(const unsigned char in[SHIM_EXIT_SIZE], struct shim_exit *ret)
{
	struct wire_in w = { in, in + SHIM_EXIT_SIZE, 0 };
	struct wire_in tail = { in + SHIM_EXIT_SIZE - 4, in + SHIM_EXIT_SIZE, 0 };

	if (wire_u32(&w) != EXIT_MAGIC || wire_u32(&tail) != crc32c(0, in, SHIM_EXIT_SIZE - 4))
		return -1;
	*ret = (struct shim_exit){ 0 };
	ret->status = (int32_t)wire_u32(&w);
	ret->pid = (int32_t)wire_u32(&w);
	ret->oom = wire_u32(&w) != 0;
	ret->started = (int64_t)wire_u64(&w);
	ret->finished = (int64_t)wire_u64(&w);
	memcpy(ret->exec_id, w.p, SHIM_ID_MAX);
	return 0;
}

int shim_exits_read(int dirfd, void (*fn)(const struct shim_exit *e, void *arg), void *arg,
		    struct err *err)
{
	CLEANUP(fd_close) int fd = openat(dirfd, "exits", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	unsigned char rec[SHIM_EXIT_SIZE];
	struct shim_exit e;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open exit records");
	while ((n = fd_read_full(fd, rec, sizeof(rec))) == (ssize_t)sizeof(rec))
		if (shim_exit_unpack(rec, &e) == 0)
			fn(&e, arg);
	return n < 0 ? err_sys(err, "read exit records") : 0;
}

int shim_exit_code(const struct shim_exit *e)
{
	if (e->status == -1)
		return 255;
	if (WIFSIGNALED(e->status))
		return 128 + WTERMSIG(e->status);
	return WEXITSTATUS(e->status);
}

/* ---- requests ---- */

#define CREATE_FLAGS \
	(SHIM_TTY | SHIM_STDIN | SHIM_STDIN_ONCE | SHIM_START_NOW | SHIM_LIMITED_CGROUPS)
#define EXEC_FLAGS (SHIM_TTY | SHIM_STDIN)
#define STREAMS (SHIM_IN | SHIM_OUT | SHIM_ERR | SHIM_LOGS | SHIM_RAW)

static void put_slice(struct wire_out *o, struct slice s)
{
	wire_put_bytes(o, s.p ? s.p : "", s.n);
}

void shim_put_create(struct wire_out *o, const struct shim_create *c)
{
	wire_put_u32(o, c->flags);
	wire_put_u16(o, c->rows);
	wire_put_u16(o, c->cols);
	wire_put_u8(o, c->log_driver);
	wire_put_u64(o, c->log_max_size);
	wire_put_u32(o, c->log_max_files);
	put_slice(o, c->id);
	put_slice(o, c->rt_root);
	put_slice(o, c->bundle);
	put_slice(o, c->log_name);
	put_slice(o, c->log_attrs);
}

static bool text_ok(struct slice s, size_t max)
{
	return s.n <= max && !memchr(s.p ? s.p : "", '\0', s.n);
}

bool shim_id_ok(struct slice s)
{
	if (s.n > SHIM_ID_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		      c == '_' || c == '.' || c == '-'))
			return false;
	}
	return true;
}

static bool log_name_ok(struct slice s)
{
	return s.n && !memchr(s.p, '/', s.n) && !slice_is(s, ".") && !slice_is(s, "..") &&
	       !slice_is(s, "exits");
}

int shim_get_create(struct wire_in *in, struct shim_create *c, struct err *err)
{
	c->flags = wire_u32(in);
	c->rows = wire_u16(in);
	c->cols = wire_u16(in);
	c->log_driver = wire_u8(in);
	c->log_max_size = wire_u64(in);
	c->log_max_files = wire_u32(in);
	wire_bytes(in, &c->id);
	wire_bytes(in, &c->rt_root);
	wire_bytes(in, &c->bundle);
	wire_bytes(in, &c->log_name);
	wire_bytes(in, &c->log_attrs);
	if (in->bad || in->p != in->end)
		return err_set(err, ERR_BAD_REQUEST, "create: malformed frame");
	if (c->id.n == 0 || !shim_id_ok(c->id) || !text_ok(c->rt_root, 4096) || c->rt_root.n == 0 ||
	    !text_ok(c->bundle, 4096) || c->bundle.n == 0 || !text_ok(c->log_name, 200) ||
	    !text_ok(c->log_attrs, SHIM_ATTRS_MAX))
		return err_set(err, ERR_BAD_REQUEST, "create: bad id, path or log name");
	if (c->log_driver > SHIM_LOG_JSON_FILE || c->log_max_files < 1 || c->log_max_files > 1000 ||
	    (c->log_driver == SHIM_LOG_JSON_FILE && !log_name_ok(c->log_name)))
		return err_set(err, ERR_BAD_REQUEST, "create: bad log settings");
	if (c->flags & ~CREATE_FLAGS)
		return err_set(err, ERR_BAD_REQUEST, "create: unknown flags 0x%x", c->flags);
	return 0;
}

void shim_put_exec(struct wire_out *o, const struct shim_exec *x)
{
	wire_put_u32(o, x->flags);
	wire_put_u32(o, x->streams);
	wire_put_u16(o, x->rows);
	wire_put_u16(o, x->cols);
	put_slice(o, x->exec_id);
	put_slice(o, x->process);
	put_slice(o, x->detach_keys);
	put_slice(o, x->unread);
}

int shim_get_exec(struct wire_in *in, struct shim_exec *x, struct err *err)
{
	x->flags = wire_u32(in);
	x->streams = wire_u32(in);
	x->rows = wire_u16(in);
	x->cols = wire_u16(in);
	wire_bytes(in, &x->exec_id);
	wire_bytes(in, &x->process);
	wire_bytes(in, &x->detach_keys);
	wire_bytes(in, &x->unread);
	if (in->bad || in->p != in->end || x->exec_id.n == 0 || !shim_id_ok(x->exec_id) ||
	    x->detach_keys.n > SHIM_KEYS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "exec: malformed frame");
	if ((x->flags & ~EXEC_FLAGS) || (x->streams & ~STREAMS))
		return err_set(err, ERR_BAD_REQUEST, "exec: unknown flags 0x%x or streams 0x%x",
			       x->flags, x->streams);
	return 0;
}

void shim_put_attach(struct wire_out *o, const struct shim_attach *a)
{
	wire_put_u32(o, a->streams);
	put_slice(o, a->exec_id);
	put_slice(o, a->detach_keys);
	put_slice(o, a->unread);
}

int shim_get_attach(struct wire_in *in, struct shim_attach *a, struct err *err)
{
	a->streams = wire_u32(in);
	wire_bytes(in, &a->exec_id);
	wire_bytes(in, &a->detach_keys);
	wire_bytes(in, &a->unread);
	if (in->bad || in->p != in->end || !shim_id_ok(a->exec_id) ||
	    a->detach_keys.n > SHIM_KEYS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "attach: malformed frame");
	if (a->streams & ~STREAMS)
		return err_set(err, ERR_BAD_REQUEST, "attach: unknown streams 0x%x", a->streams);
	return 0;
}

/* ---- hello ---- */

void shim_put_hello(struct wire_out *o, const struct shim_hello *h)
{
	wire_put_u16(o, h->version_min);
	wire_put_u16(o, h->version_max);
	wire_put_u32(o, (uint32_t)h->shim_pid);
	wire_put_u8(o, h->phase);
	wire_put_u8(o, h->oom);
	wire_put_u64(o, (uint64_t)h->started);
	wire_put_str(o, h->id);
	wire_put_u32(o, h->nprocs);
	for (uint32_t i = 0; i < h->nprocs; i++) {
		unsigned char rec[SHIM_EXIT_SIZE];

		shim_exit_pack(&h->procs[i].exit, rec);
		wire_put_u8(o, h->procs[i].running);
		wire_put_u32(o, (uint32_t)h->procs[i].pid);
		wire_put_bytes(o, rec, sizeof(rec));
	}
}

int shim_get_hello(struct wire_in *in, struct arena *a, struct shim_hello *h, struct err *err)
{
	struct slice id, rec;

	h->version_min = wire_u16(in);
	h->version_max = wire_u16(in);
	h->shim_pid = (int32_t)wire_u32(in);
	h->phase = wire_u8(in);
	h->oom = wire_u8(in) != 0;
	h->started = (int64_t)wire_u64(in);
	wire_bytes(in, &id);
	h->nprocs = wire_u32(in);
	if (in->bad || !shim_id_ok(id) || h->nprocs > SHIM_PROCS_MAX || h->phase > SHIM_STOPPED)
		return err_set(err, ERR_BAD_REQUEST, "hello: malformed frame");
	memcpy(h->id, id.p, id.n);
	h->id[id.n] = '\0';
	h->procs = ARENA_ARRAY(a, struct shim_proc, h->nprocs);
	if (!h->procs)
		return arena_quota(a, err);
	for (uint32_t i = 0; i < h->nprocs; i++) {
		struct shim_proc *p = &h->procs[i];

		p->running = wire_u8(in) != 0;
		p->pid = (int32_t)wire_u32(in);
		wire_bytes(in, &rec);
		if (in->bad || rec.n != SHIM_EXIT_SIZE ||
		    shim_exit_unpack((const unsigned char *)rec.p, &p->exit) < 0)
			return err_set(err, ERR_BAD_REQUEST, "hello: malformed process record");
		memcpy(p->exec_id, p->exit.exec_id, sizeof(p->exec_id));
	}
	return 0;
}

int shim_version_pick(uint16_t min, uint16_t max, uint16_t *ret, struct err *err)
{
	uint16_t v = MIN(max, SHIM_VERSION_MAX);

	if (v < SHIM_VERSION_MIN || v < min)
		return err_set(err, ERR_UNSUPPORTED,
			       "shim protocol: no common version (peer %u-%u, here %u-%u)", min,
			       max, SHIM_VERSION_MIN, SHIM_VERSION_MAX);
	*ret = v;
	return 0;
}
