/* SPDX-License-Identifier: Apache-2.0 */
/*
 * D-Bus messages, GVariant text, and limits as properties of a unit: bytes against what the
 * specification says, and malformed ones refused.
 */
#include "linux/cgroup-unit.h"
#include "linux/dbus.h"
#include "linux/gvariant.h"
#include "test-linux.h"

/* A reply to serial 7 with a string: header fields reply serial and signature. */
static const char reply[] __attribute__((aligned(8))) = "l\2\0\1\10\0\0\0\1\0\0\0\17\0\0\0"
							"\5\1u\0\7\0\0\0"
							"\10\1g\0\1s\0\0"
							"\3\0\0\0job\0";

static void a_message_is_read_whole_or_not_at_all(void **state)
{
	struct err err = ERR_INIT;
	struct dbus_msg m;
	size_t all = sizeof(reply) - 1;

	for (size_t n = 0; n < all; n++)
		assert_int_equal(dbus_parse(reply, n, &m, &err), 0);
	assert_int_equal(dbus_parse(reply, all, &m, &err), all);
	assert_int_equal(m.type, DBUS_REPLY);
	assert_int_equal(m.reply_to, 7);
	assert_string_equal(m.signature, "s");
	assert_string_equal(m.path, "");
	assert_string_equal(dbus_get_str(&m.body), "job");
	assert_false(m.body.bad);
	assert_string_equal(dbus_get_str(&m.body), "");
	assert_true(m.body.bad);
}

/* No bytes make it read outside: the sanitizers watch. Fixed count, fixed order. */
static void any_changed_byte_is_survived(void **state)
{
	char copy[sizeof(reply)] __attribute__((aligned(8)));
	struct dbus_msg m;

	for (size_t i = 0; i < sizeof(reply) - 1; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(copy, reply, sizeof(copy));
			copy[i] = (char)v;
			if (dbus_parse(copy, sizeof(reply) - 1, &m, NULL) > 0) {
				(void)dbus_get_str(&m.body);
				(void)dbus_get_u32(&m.body);
			}
		}
}

static void malformed_messages_are_refused(void **state)
{
	char copy[sizeof(reply)] __attribute__((aligned(8)));
	struct err err = ERR_INIT;
	struct dbus_msg m;

	memcpy(copy, reply, sizeof(copy));
	copy[0] = 'B';
	assert_fails(dbus_parse(copy, sizeof(reply) - 1, &m, &err), &err, ERR_INVALID,
		     "byte order");
	memcpy(copy, reply, sizeof(copy));
	copy[6] = 0x7f;
	assert_fails(dbus_parse(copy, sizeof(reply) - 1, &m, &err), &err, ERR_TOO_LARGE,
		     "too long");
	memcpy(copy, reply, sizeof(copy));
	copy[18] = 'v';
	assert_fails(dbus_parse(copy, sizeof(reply) - 1, &m, &err), &err, ERR_INVALID,
		     "malformed header");
	memcpy(copy, reply, sizeof(copy));
	copy[36] = 0; /* a zero byte within the string */
	assert_true(dbus_parse(copy, sizeof(reply) - 1, &m, &err) > 0);
	assert_string_equal(dbus_get_str(&m.body), "");
	assert_true(m.body.bad);
}

static void expect_bytes(struct buf *b, const char *want, size_t n)
{
	assert_int_equal(b->n, n);
	assert_memory_equal(b->p, want, n);
	buf_fini(b);
}
#define EXPECT_BYTES(b, lit) expect_bytes((b), (lit), sizeof(lit) - 1)

static void values_are_aligned_and_arrays_counted(void **state)
{
	struct buf b = BUF_INIT(1000);
	size_t at;

	dbus_put_byte(&b, 1);
	dbus_put_u16(&b, 2);
	dbus_put_u32(&b, 3);
	dbus_put_u64(&b, 4);
	dbus_put_str(&b, SLICE("ab"));
	EXPECT_BYTES(&b, "\1\0\2\0\3\0\0\0\4\0\0\0\0\0\0\0\2\0\0\0ab\0");
	at = dbus_array_begin(&b, 8);
	dbus_array_end(&b, at, 8);
	/* The padding before the first element is there even without one, and not counted. */
	EXPECT_BYTES(&b, "\0\0\0\0\0\0\0\0");
	at = dbus_array_begin(&b, 8);
	dbus_put_u64(&b, 5);
	dbus_array_end(&b, at, 8);
	EXPECT_BYTES(&b, "\10\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0");
}

static void gvariant_text_becomes_a_variant(void **state)
{
	static const struct {
		const char *text, *want;
		size_t n;
	} rows[] = {
#define ROW(t, w) { t, w, sizeof(w) - 1 }
		ROW("true", "\1b\0\0\1\0\0\0"),
		ROW("false", "\1b\0\0\0\0\0\0"),
		ROW("5", "\1i\0\0\5\0\0\0"),
		ROW("-1", "\1i\0\0\377\377\377\377"),
		ROW("uint32 0x10", "\1u\0\0\20\0\0\0"),
		ROW("uint64 5", "\1t\0\0\0\0\0\0\5\0\0\0\0\0\0\0"),
		ROW("@t 5", "\1t\0\0\0\0\0\0\5\0\0\0\0\0\0\0"),
		ROW("byte 255", "\1y\0\377"),
		ROW("1.5", "\1d\0\0\0\0\0\0\0\0\0\0\0\0\370\77"),
		ROW("'a\\'b'", "\1s\0\0\3\0\0\0a'b\0"),
		ROW("\"x\"", "\1s\0\0\1\0\0\0x\0"),
		ROW("objectpath '/a'", "\1o\0\0\2\0\0\0/a\0"),
		ROW("['a', 'b']", "\2as\0\16\0\0\0\1\0\0\0a\0\0\0\1\0\0\0b\0"),
		ROW("@as []", "\2as\0\0\0\0\0"),
		ROW("(1, 'x')", "\4(is)\0\0\0\1\0\0\0\1\0\0\0x\0"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT(1000);
		struct err err = ERR_INIT;

		assert_ok(gvariant_put(&b, rows[i].text, false, &err), &err);
		if (b.n != rows[i].n || memcmp(b.p, rows[i].want, b.n) != 0)
			fail_msg("'%s': other bytes than wanted", rows[i].text);
		buf_fini(&b);
	}
}

static void an_array_of_tuples_is_aligned(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;

	/* The second element takes the type of the first. */
	assert_ok(gvariant_put(&b, "[('a', uint64 1), ('b', 2)]", false, &err), &err);
	EXPECT_BYTES(&b, "\5a(st)\0\0"
			 "\40\0\0\0\0\0\0\0"
			 "\1\0\0\0a\0\0\0\1\0\0\0\0\0\0\0"
			 "\1\0\0\0b\0\0\0\2\0\0\0\0\0\0\0");
}

static void gvariant_text_that_is_none_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "", "no value" },
		{ "maybe", "no value" },
		{ "'a", "without end" },
		{ "'\\x'", "an escape" },
		{ "[]", "needs its type" },
		{ "[1, 'a']", "type 's' where 'i'" },
		{ "[1 2]", "neither ," },
		{ "(1, 2", "neither ," },
		{ "()", "fewer values" },
		{ "byte 256", "range" },
		{ "byte -1", "range" },
		{ "uint64 18446744073709551616", "no number" },
		{ "2147483648", "range" },
		{ "{'a': 1}", "dictionary" },
		{ "<1>", "a variant" },
		{ "@z 1", "no type" },
		{ "@a{sv} []", "no type" },
		{ "1 2", "after the value" },
		{ "[[[[[[[[[1]]]]]]]]]", "too much nesting" },
		{ "@(is) (1)", "fewer values" },
		{ "@(i) (1, 2)", "more values" },
		{ "true 'x'", "after the value" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT(1000);
		struct err err = ERR_INIT;

		if (gvariant_put(&b, rows[i][0], false, &err) >= 0)
			fail_msg("'%s' is taken", rows[i][0]);
		if (!strstr(err.msg, rows[i][1]))
			fail_msg("'%s': '%s' lacks '%s'", rows[i][0], err.msg, rows[i][1]);
		buf_fini(&b);
	}
}

static void seconds_become_microseconds(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;

	assert_ok(gvariant_put(&b, "1.5", true, &err), &err);
	EXPECT_BYTES(&b, "\1t\0\0\0\0\0\0\x60\xe3\x16\0\0\0\0\0");
	assert_ok(gvariant_put(&b, "uint64 2", true, &err), &err);
	EXPECT_BYTES(&b, "\1t\0\0\0\0\0\0\x80\x84\x1e\0\0\0\0\0");
	assert_fails(gvariant_put(&b, "-1", true, &err), &err, ERR_INVALID, "seconds");
	assert_fails(gvariant_put(&b, "'x'", true, &err), &err, ERR_INVALID, "seconds");
	buf_fini(&b);
}

static void slices_expand(void **state)
{
	struct err err = ERR_INIT;
	char out[200];

	assert_ok(unit_expand_slice(SLICE("a-b-c.slice"), out, sizeof(out), &err), &err);
	assert_string_equal(out, "/a.slice/a-b.slice/a-b-c.slice");
	assert_ok(unit_expand_slice(SLICE("system.slice"), out, sizeof(out), &err), &err);
	assert_string_equal(out, "/system.slice");
	assert_ok(unit_expand_slice(SLICE("-.slice"), out, sizeof(out), &err), &err);
	assert_string_equal(out, "");
	static const char *const bad[] = { ".slice",	"a--b.slice", "-a.slice", "a-.slice",
					   "a/b.slice", "a",	      "a.scope" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(unit_expand_slice(slice_str(bad[i]), out, sizeof(out), &err), &err,
			     ERR_INVALID, "not the name of a systemd slice");
}

/* The value of a property of basic type in an a(sv), by walking over it. */
static bool find_u64(const struct buf *b, const char *name, uint64_t *ret)
{
	for (size_t i = 0; i + strlen(name) + 1 < b->n; i++) {
		size_t n = strlen(name), at = i + n + 1;

		if (memcmp(b->p + i, name, n + 1) != 0 || i < 4 || b->p[i - 4] != (char)n)
			continue;
		if (memcmp(b->p + at, "\1t", 3) != 0)
			return false;
		at = (at + 3 + 7) / 8 * 8;
		memcpy(ret, b->p + at, 8);
		return true;
	}
	return false;
}

static void put_limits(struct buf *b, const struct cgroup_limits *l, bool v2)
{
	struct err err = ERR_INIT;
	struct unit_props p;

	unit_props_begin(&p, b, &err);
	assert_ok(unit_put_limits(&p, l, v2), &err);
	unit_props_end(&p);
	assert_false(b->full);
}

static void expect_u64(const struct buf *b, const char *name, uint64_t want)
{
	uint64_t v = 0;

	if (!find_u64(b, name, &v) || v != want)
		fail_msg("%s is %llu, wanted %llu", name, (unsigned long long)v,
			 (unsigned long long)want);
}

static void limits_become_properties(void **state)
{
	const struct cgroup_pair unified[] = { { "memory.high", "1000" },
					       { "pids.max", "max" },
					       { "cpu.max", "150000 100000" },
					       { "io.latency", "x" } };
	const struct cgroup_limits l = {
		.memory = { .limit = CGROUP_NUM(1000),
			    .swap = CGROUP_NUM(1500),
			    .reservation = CGROUP_NUM(500) },
		.cpu = { .shares = CGROUP_NUM(1024),
			 .quota = CGROUP_NUM(12345),
			 .period = CGROUP_NUM(100000) },
		.pids = CGROUP_NUM(-1),
		.io.weight = CGROUP_NUM(1000),
	};
	const struct cgroup_limits u = { .unified = unified, .n_unified = ARRAY_LEN(unified) };
	struct buf b = BUF_INIT(65536);
	uint64_t v;

	put_limits(&b, &l, true);
	expect_u64(&b, "MemoryMax", 1000);
	expect_u64(&b, "MemorySwapMax", 500);
	expect_u64(&b, "MemoryLow", 500);
	expect_u64(&b, "CPUWeight", 100);
	expect_u64(&b, "CPUQuotaPeriodUSec", 100000);
	expect_u64(&b, "CPUQuotaPerSecUSec", 130000); /* 12.345 % is told as 13 */
	expect_u64(&b, "TasksMax", UINT64_MAX);
	expect_u64(&b, "IOWeight", 10000);
	buf_clear(&b);
	put_limits(&b, &l, false);
	expect_u64(&b, "MemoryLimit", 1000);
	expect_u64(&b, "CPUShares", 1024);
	expect_u64(&b, "BlockIOWeight", 1000);
	assert_false(find_u64(&b, "MemorySwapMax", &v));
	buf_clear(&b);
	put_limits(&b, &u, true);
	expect_u64(&b, "MemoryHigh", 1000);
	expect_u64(&b, "TasksMax", UINT64_MAX);
	expect_u64(&b, "CPUQuotaPerSecUSec", 1500000);
	buf_fini(&b);
}

static bool holds(const struct buf *b, const char *text)
{
	return memmem(b->p, b->n, text, strlen(text));
}

static void device_rules_are_told_only_if_systemd_can_say_them(void **state)
{
	const struct cgroup_device strict[] = { { false, 'a', -1, -1, CGROUP_RWM },
						{ true, 'c', 1, 3, CGROUP_RWM },
						{ true, 'b', -1, -1, CGROUP_MKNOD } };
	const struct cgroup_device open[] = { { false, 'a', -1, -1, CGROUP_RWM },
					      { true, 'c', -1, 3, CGROUP_RWM } };
	const struct cgroup_limits a = { .devices = strict, .n_devices = ARRAY_LEN(strict) },
				   b = { .devices = open, .n_devices = ARRAY_LEN(open) };
	struct buf out = BUF_INIT(65536);

	put_limits(&out, &a, true);
	assert_true(holds(&out, "strict") && holds(&out, "/dev/char/1:3") &&
		    holds(&out, "block-*"));
	buf_clear(&out);
	put_limits(&out, &b, true);
	assert_true(holds(&out, "auto"));
	assert_false(holds(&out, "/dev/char"));
	buf_fini(&out);
}

static void cpu_lists_become_masks(void **state)
{
	const struct cgroup_limits good = { .cpu = { .cpus = "0-1,9", .mems = "0" } };
	static const char *const bad[] = { "a", "1-", "3-1", "9999", "1;2", "-1" };
	struct buf b = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct unit_props p;

	put_limits(&b, &good, true);
	assert_non_null(memmem(b.p, b.n, "\2\0\0\0\3\2", 6));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct cgroup_limits l = { .cpu = { .cpus = bad[i] } };

		unit_props_begin(&p, &b, &err);
		assert_fails(unit_put_limits(&p, &l, true), &err, ERR_INVALID,
			     "no list of numbers");
	}
	buf_fini(&b);
}

static void property_names_are_checked(void **state)
{
	static const struct unit_extra bad[] = {
		{ "", "1" }, { "Ab", "1" }, { "A.b.c", "1" }, { "Name1", "1" }, { "Tïmeout", "1" },
	};
	const struct unit_extra good = { "TimeoutStopSec", "5" }, value = { "CollectMode", "x" };
	struct buf b = BUF_INIT(65536);
	struct err err = ERR_INIT;
	struct unit_props p;

	unit_props_begin(&p, &b, &err);
	assert_ok(unit_put_extra(&p, &good), &err);
	expect_u64(&b, "TimeoutStopUSec", 5000000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_fails(unit_put_extra(&p, &bad[i]), &err, ERR_INVALID,
			     "no property has such");
	assert_fails(unit_put_extra(&p, &value), &err, ERR_INVALID,
		     "org.systemd.property.CollectMode");
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_read_whole_or_not_at_all),
		cmocka_unit_test(any_changed_byte_is_survived),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(values_are_aligned_and_arrays_counted),
		cmocka_unit_test(gvariant_text_becomes_a_variant),
		cmocka_unit_test(an_array_of_tuples_is_aligned),
		cmocka_unit_test(gvariant_text_that_is_none_is_refused),
		cmocka_unit_test(seconds_become_microseconds),
		cmocka_unit_test(slices_expand),
		cmocka_unit_test(limits_become_properties),
		cmocka_unit_test(device_rules_are_told_only_if_systemd_can_say_them),
		cmocka_unit_test(cpu_lists_become_masks),
		cmocka_unit_test(property_names_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
