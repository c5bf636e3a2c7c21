/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shim's protocol as bytes. The golden frames are version 1 as it was released: they were not
 * made by this code, must decode for ever, and are what it writes.
 */
#include "rt-check.h"

#include "base/hash.h"
#include "runtime/shim-private.h"

#include <fcntl.h>
#include <unistd.h>

/* clang-format off */
static const unsigned char create_v1[] = {
	0x1f, 0x00, 0x00, 0x00, 0x18, 0x00, 0x50, 0x00, 0x01, 0x00, 0x00, 0x10,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00,
	0x00, 0x61, 0x62, 0x63, 0x2e, 0x31, 0x08, 0x00, 0x00, 0x00, 0x2f, 0x72,
	0x75, 0x6e, 0x2f, 0x74, 0x65, 0x75, 0x02, 0x00, 0x00, 0x00, 0x2f, 0x62,
	0x0c, 0x00, 0x00, 0x00, 0x61, 0x62, 0x63, 0x2d, 0x6a, 0x73, 0x6f, 0x6e,
	0x2e, 0x6c, 0x6f, 0x67, 0x09, 0x00, 0x00, 0x00, 0x7b, 0x22, 0x6b, 0x22,
	0x3a, 0x22, 0x76, 0x22, 0x7d,
};

static const unsigned char exec_v1[] = {
	0x03, 0x00, 0x00, 0x00, 0x17, 0x00, 0x00, 0x00, 0x19, 0x00, 0x51, 0x00,
	0x03, 0x00, 0x00, 0x00, 0x65, 0x5f, 0x31, 0x0e, 0x00, 0x00, 0x00, 0x7b,
	0x22, 0x61, 0x72, 0x67, 0x73, 0x22, 0x3a, 0x5b, 0x22, 0x61, 0x22, 0x5d,
	0x7d, 0x02, 0x00, 0x00, 0x00, 0x10, 0x11, 0x05, 0x00, 0x00, 0x00, 0x74,
	0x79, 0x70, 0x65, 0x64,
};

static const unsigned char attach_v1[] = {
	0x0f, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	0x10, 0x02, 0x00, 0x00, 0x00, 0x68, 0x69,
};

static const unsigned char exit_v1[] = {
	0x45, 0x58, 0x54, 0x31, 0x00, 0x03, 0x00, 0x00, 0x92, 0x10, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x2a, 0x36, 0xfe, 0x9c, 0x97, 0x17,
	0x02, 0xca, 0xc4, 0x71, 0xfe, 0x9c, 0x97, 0x17, 0x65, 0x5f, 0x31, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x94, 0x6e, 0x27, 0x6a,
};

static const unsigned char hello_v1[] = {
	0x01, 0x00, 0x01, 0x00, 0x4d, 0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x00,
	0x2a, 0x36, 0xfe, 0x9c, 0x97, 0x17, 0x05, 0x00, 0x00, 0x00, 0x61, 0x62,
	0x63, 0x2e, 0x31, 0x01, 0x00, 0x00, 0x00, 0x01, 0x92, 0x10, 0x00, 0x00,
	0x80, 0x00, 0x00, 0x00, 0x45, 0x58, 0x54, 0x31, 0x00, 0x03, 0x00, 0x00,
	0x92, 0x10, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x2a, 0x36,
	0xfe, 0x9c, 0x97, 0x17, 0x02, 0xca, 0xc4, 0x71, 0xfe, 0x9c, 0x97, 0x17,
	0x65, 0x5f, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x94, 0x6e, 0x27, 0x6a,
};

/* clang-format on */

static struct wire_in in_of(const unsigned char *p, size_t n)
{
	return (struct wire_in){ p, p + n, 0 };
}

static void assert_written(const struct wire_out *o, const unsigned char *want, size_t n)
{
	assert_false(o->bad);
	assert_int_equal(o->n, n);
	assert_memory_equal(o->p, want, n);
}

static void create_of_version_1_is_read_and_written(void **state)
{
	struct wire_in in = in_of(create_v1, sizeof(create_v1));
	unsigned char bytes[512];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	struct shim_create c;
	struct err err;

	assert_ok(shim_get_create(&in, &c, &err));
	assert_int_equal(c.flags, SHIM_TTY | SHIM_STDIN | SHIM_STDIN_ONCE | SHIM_START_NOW |
					  SHIM_LIMITED_CGROUPS);
	assert_int_equal(c.rows, 24);
	assert_int_equal(c.cols, 80);
	assert_int_equal(c.log_driver, SHIM_LOG_JSON_FILE);
	assert_int_equal(c.log_max_size, 1 << 20);
	assert_int_equal(c.log_max_files, 5);
	assert_true(slice_is(c.id, "abc.1"));
	assert_true(slice_is(c.rt_root, "/run/teu"));
	assert_true(slice_is(c.bundle, "/b"));
	assert_true(slice_is(c.log_name, "abc-json.log"));
	assert_true(slice_is(c.log_attrs, "{\"k\":\"v\"}"));
	shim_put_create(&o, &c);
	assert_written(&o, create_v1, sizeof(create_v1));
}

static void exec_and_attach_of_version_1_are_read_and_written(void **state)
{
	struct wire_in in = in_of(exec_v1, sizeof(exec_v1));
	unsigned char bytes[512];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	struct shim_attach a;
	struct shim_exec x;
	struct err err;

	assert_ok(shim_get_exec(&in, &x, &err));
	assert_int_equal(x.flags, SHIM_TTY | SHIM_STDIN);
	assert_int_equal(x.streams, SHIM_IN | SHIM_OUT | SHIM_ERR | SHIM_RAW);
	assert_int_equal(x.rows, 25);
	assert_int_equal(x.cols, 81);
	assert_true(slice_is(x.exec_id, "e_1"));
	assert_true(slice_is(x.process, "{\"args\":[\"a\"]}"));
	assert_true(slice_is(x.detach_keys, "\x10\x11"));
	assert_true(slice_is(x.unread, "typed"));
	shim_put_exec(&o, &x);
	assert_written(&o, exec_v1, sizeof(exec_v1));

	in = in_of(attach_v1, sizeof(attach_v1));
	o.n = 0;
	assert_ok(shim_get_attach(&in, &a, &err));
	assert_int_equal(a.streams, SHIM_IN | SHIM_OUT | SHIM_ERR | SHIM_LOGS);
	assert_true(slice_is(a.exec_id, ""));
	assert_true(slice_is(a.unread, "hi"));
	shim_put_attach(&o, &a);
	assert_written(&o, attach_v1, sizeof(attach_v1));
}

static void exit_records_of_version_1_are_read_and_written(void **state)
{
	unsigned char bytes[SHIM_EXIT_SIZE];
	struct shim_exit e;

	assert_int_equal(sizeof(exit_v1), SHIM_EXIT_SIZE);
	assert_int_equal(shim_exit_unpack(exit_v1, &e), 0);
	assert_string_equal(e.exec_id, "e_1");
	assert_int_equal(shim_exit_code(&e), 3);
	assert_int_equal(e.pid, 4242);
	assert_true(e.oom);
	assert_int_equal(e.started, 1700000000000000001);
	assert_int_equal(e.finished, 1700000001000000002);
	shim_exit_pack(&e, bytes);
	assert_memory_equal(bytes, exit_v1, sizeof(exit_v1));
	for (size_t i = 0; i < sizeof(exit_v1); i++) { /* a torn or flipped byte is seen */
		memcpy(bytes, exit_v1, sizeof(bytes));
		bytes[i] ^= 0x20;
		assert_int_equal(shim_exit_unpack(bytes, &e), -1);
	}
}

static void hello_of_version_1_is_read_and_may_grow(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("test", 65536);
	unsigned char grown[sizeof(hello_v1) + 9] = { 0 }, bytes[512];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	struct wire_in in;
	struct shim_hello h;
	struct err err;

	memcpy(grown, hello_v1, sizeof(hello_v1));
	in = in_of(grown, sizeof(grown));
	assert_ok(shim_get_hello(&in, a, &h, &err));
	assert_int_equal(h.version_min, 1);
	assert_int_equal(h.version_max, 1);
	assert_int_equal(h.shim_pid, 77);
	assert_int_equal(h.phase, SHIM_RUNNING);
	assert_true(h.oom);
	assert_string_equal(h.id, "abc.1");
	assert_int_equal(h.nprocs, 1);
	assert_true(h.procs[0].running);
	assert_string_equal(h.procs[0].exec_id, "e_1");
	shim_put_hello(&o, &h);
	assert_written(&o, hello_v1, sizeof(hello_v1));
	for (size_t n = 0; n < sizeof(hello_v1); n++) {
		in = in_of(hello_v1, n);
		assert_err(shim_get_hello(&in, a, &h, &err), ERR_BAD_REQUEST, "hello: malformed");
	}
}

static void cut_and_grown_requests_are_refused(void **state)
{
	unsigned char grown[256] = { 0 };
	struct shim_attach a;
	struct shim_create c;
	struct shim_exec x;
	struct wire_in in;
	struct err err;

	for (size_t n = 0; n < sizeof(create_v1); n++) {
		in = in_of(create_v1, n);
		assert_err(shim_get_create(&in, &c, &err), ERR_BAD_REQUEST, "create: malformed");
	}
	for (size_t n = 0; n < sizeof(exec_v1); n++) {
		in = in_of(exec_v1, n);
		assert_err(shim_get_exec(&in, &x, &err), ERR_BAD_REQUEST, "exec: malformed");
	}
	for (size_t n = 0; n < sizeof(attach_v1); n++) {
		in = in_of(attach_v1, n);
		assert_err(shim_get_attach(&in, &a, &err), ERR_BAD_REQUEST, "attach: malformed");
	}
	memcpy(grown, attach_v1, sizeof(attach_v1));
	in = in_of(grown, sizeof(attach_v1) + 1);
	assert_err(shim_get_attach(&in, &a, &err), ERR_BAD_REQUEST, "attach: malformed");
}

static int try_create(const struct shim_create *c, struct err *err)
{
	static unsigned char bytes[FRAME_PAYLOAD_MAX];
	struct wire_out o = { .p = bytes, .cap = sizeof(bytes) };
	struct shim_create out;
	struct wire_in in;

	shim_put_create(&o, c);
	in = in_of(bytes, o.n);
	return shim_get_create(&in, &out, err);
}

static void hostile_create_requests_are_refused_by_name(void **state)
{
	const struct shim_create good = { .id = SLICE("a"),
					  .rt_root = SLICE("/r"),
					  .bundle = SLICE("/b"),
					  .log_driver = SHIM_LOG_JSON_FILE,
					  .log_max_files = 1,
					  .log_name = SLICE("log") };
	static const char *const names[] = { "", ".", "..", "a/b", "/etc/passwd", "exits" };
	char big[SHIM_ATTRS_MAX + 1];
	struct shim_create c;
	struct err err;

	assert_ok(try_create(&good, &err));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		c = good;
		c.log_name = slice_str(names[i]);
		assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "bad log settings");
	}
	c = good;
	c.id = SLICE("../x");
	assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "bad id");
	c = good;
	c.bundle = slice_of("/a\0b", 4);
	assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "bad id, path");
	c = good;
	memset(big, 'x', sizeof(big));
	c.log_attrs = slice_of(big, sizeof(big));
	assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "bad id, path");
	c = good;
	c.log_driver = 2;
	assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "bad log settings");
	c = good;
	c.log_max_files = 0;
	assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "bad log settings");
	c = good;
	c.flags = 32;
	assert_err(try_create(&c, &err), ERR_BAD_REQUEST, "unknown flags 0x20");
}

static void only_a_common_version_is_agreed_on(void **state)
{
	uint16_t v = 0;
	struct err err;

	assert_ok(shim_version_pick(1, 1, &v, &err));
	assert_int_equal(v, 1);
	assert_ok(shim_version_pick(1, 9, &v, &err));
	assert_int_equal(v, SHIM_VERSION_MAX);
	assert_err(shim_version_pick(2, 3, &v, &err), ERR_UNSUPPORTED, "no common version");
	assert_err(shim_version_pick(0, 0, &v, &err), ERR_UNSUPPORTED, "peer 0-0");
	assert_err(shim_version_pick(9, 1, &v, &err), ERR_UNSUPPORTED, "no common version");
}

static void collect(const struct shim_exit *e, void *arg)
{
	(void)buf_addf(arg, "%s:%d ", e->exec_id, shim_exit_code(e));
}

static void exit_files_are_read_past_torn_records(void **state)
{
	CLEANUP(buf_fini) struct buf seen = BUF_INIT(1000);
	char dir[] = "/tmp/teu-exits-XXXXXX";
	struct shim_exit e = { .status = 9 };
	unsigned char rec[SHIM_EXIT_SIZE], junk[SHIM_EXIT_SIZE] = { 1 };
	struct err err;
	int dirfd, fd;

	assert_non_null(mkdtemp(dir));
	dirfd = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(shim_exits_read(dirfd, collect, &seen, &err)); /* none yet */
	fd = openat(dirfd, "exits", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_all(fd, exit_v1, sizeof(exit_v1)), 0);
	assert_int_equal(fd_write_all(fd, junk, sizeof(junk)), 0);
	shim_exit_pack(&e, rec);
	assert_int_equal(fd_write_all(fd, rec, sizeof(rec)), 0);
	assert_int_equal(fd_write_all(fd, rec, 50), 0);
	fd_close(fd);
	assert_ok(shim_exits_read(dirfd, collect, &seen, &err));
	assert_string_equal(buf_str(&seen), "e_1:3 :137 ");
	fd_close(dirfd);
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, NULL), 0);
	e.status = -1;
	assert_int_equal(shim_exit_code(&e), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_of_version_1_is_read_and_written),
		cmocka_unit_test(exec_and_attach_of_version_1_are_read_and_written),
		cmocka_unit_test(exit_records_of_version_1_are_read_and_written),
		cmocka_unit_test(hello_of_version_1_is_read_and_may_grow),
		cmocka_unit_test(cut_and_grown_requests_are_refused),
		cmocka_unit_test(hostile_create_requests_are_refused_by_name),
		cmocka_unit_test(only_a_common_version_is_agreed_on),
		cmocka_unit_test(exit_files_are_read_past_torn_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
