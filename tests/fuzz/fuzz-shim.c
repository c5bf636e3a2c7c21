/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between engine and shim, from either side, and exit records on disk. The first byte
 * chooses the decoder, the rest is the payload. What is accepted keeps the bounds that the handlers
 * rely on, and means the same after it was written again.
 */
#include "base/arena.h"
#include "base/err.h"
#include "runtime/shim-private.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char again[FRAME_PAYLOAD_MAX];

static bool same(const struct wire_out *o, const uint8_t *p, size_t n)
{
	return !o->bad && o->n == n && memcmp(o->p, p, n) == 0;
}

static void feed_create(struct wire_in *in, const uint8_t *p, size_t n, struct err *err)
{
	struct wire_out o = { .p = again, .cap = sizeof(again) };
	struct shim_create c = { 0 };

	if (shim_get_create(in, &c, err) < 0)
		return;
	assert(c.id.n && c.id.n <= SHIM_ID_MAX && !memchr(c.id.p, '/', c.id.n));
	assert(c.rt_root.n <= 4096 && c.bundle.n <= 4096 && c.log_max_files >= 1);
	shim_put_create(&o, &c);
	assert(same(&o, p, n));
}

static void feed_exec(struct wire_in *in, const uint8_t *p, size_t n, struct err *err)
{
	struct wire_out o = { .p = again, .cap = sizeof(again) };
	struct shim_exec x = { 0 };

	if (shim_get_exec(in, &x, err) < 0)
		return;
	assert(x.exec_id.n && x.exec_id.n <= SHIM_ID_MAX && x.detach_keys.n <= SHIM_KEYS_MAX);
	shim_put_exec(&o, &x);
	assert(same(&o, p, n));
}

static void feed_attach(struct wire_in *in, const uint8_t *p, size_t n, struct err *err)
{
	struct wire_out o = { .p = again, .cap = sizeof(again) };
	struct shim_attach a = { 0 };

	if (shim_get_attach(in, &a, err) < 0)
		return;
	assert(a.exec_id.n <= SHIM_ID_MAX && a.detach_keys.n <= SHIM_KEYS_MAX);
	shim_put_attach(&o, &a);
	assert(same(&o, p, n));
}

static void feed_hello(struct wire_in *in, struct err *err)
{
	CLEANUP(arena_free) struct arena *a = arena_new("fuzz", 1 << 20);
	struct wire_out o = { .p = again, .cap = sizeof(again) };
	struct shim_hello h = { 0 }, h2 = { 0 };
	struct wire_in back;

	if (shim_get_hello(in, a, &h, err) < 0)
		return;
	assert(h.nprocs <= SHIM_PROCS_MAX && strlen(h.id) <= SHIM_ID_MAX);
	shim_put_hello(&o, &h);
	assert(!o.bad);
	back = (struct wire_in){ .p = again, .end = again + o.n };
	assert(shim_get_hello(&back, a, &h2, err) == 0);
	assert(h2.nprocs == h.nprocs && strcmp(h.id, h2.id) == 0 && h2.phase == h.phase);
	for (uint32_t i = 0; i < h.nprocs; i++) {
		assert(strcmp(h.procs[i].exec_id, h2.procs[i].exec_id) == 0);
		assert(h.procs[i].exit.status == h2.procs[i].exit.status);
	}
}

static void feed_exit(const uint8_t *p, size_t n, bool sealed)
{
	unsigned char rec[SHIM_EXIT_SIZE] = { 0 }, out[SHIM_EXIT_SIZE];
	struct shim_exit e = { 0 }, e2;

	if (sealed) {
		/* Any values, rightly packed: always readable. */
		memcpy(e.exec_id, p, MIN(n, (size_t)SHIM_ID_MAX));
		e.exec_id[SHIM_ID_MAX] = '\0';
		memcpy(&e.status, p, MIN(n, sizeof(e.status)));
		e.oom = n & 1;
		shim_exit_pack(&e, rec);
		assert(shim_exit_unpack(rec, &e2) == 0);
		assert(strcmp(e.exec_id, e2.exec_id) == 0 && e.status == e2.status &&
		       e.oom == e2.oom);
		return;
	}
	memcpy(rec, p, MIN(n, sizeof(rec)));
	if (shim_exit_unpack(rec, &e) < 0)
		return;
	(void)shim_exit_code(&e);
	shim_exit_pack(&e, out);
	assert(shim_exit_unpack(out, &e2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct wire_in in;
	uint16_t version;

	if (size < 1 || size > FRAME_PAYLOAD_MAX)
		return 0;
	in = (struct wire_in){ .p = data + 1, .end = data + size };
	switch (data[0] % 7) {
	case 0: feed_create(&in, data + 1, size - 1, &err); break;
	case 1: feed_exec(&in, data + 1, size - 1, &err); break;
	case 2: feed_attach(&in, data + 1, size - 1, &err); break;
	case 3: feed_hello(&in, &err); break;
	case 4: feed_exit(data + 1, size - 1, false); break;
	case 5: feed_exit(data + 1, size - 1, true); break;
	default:
		version = wire_u16(&in);
		if (shim_version_pick(version, wire_u16(&in), &version, &err) == 0)
			assert(version >= SHIM_VERSION_MIN && version <= SHIM_VERSION_MAX);
	}
	assert(!err.code || err.msg[0]);
	return 0;
}
