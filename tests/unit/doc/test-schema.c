/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schema tables: one table with every type and flag, read from JSON, checked, encoded back. Failing
 * cases assert the code, the path and a part of the message. The last cases let each allocation
 * fail.
 */
#include "base/arena.h"
#include "doc/json.h"
#include "doc/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* --- tables -------------------------------------------------------------------------------------
 */

struct user {
	uint32_t uid, gid;
	struct opt_int umask;
	LIST_OF(uint32_t) gids;
};
static const struct schema_field user_rows[] = {
	F_INT(struct user, uid, "uid", SCHEMA_REQUIRED, 0, 0),
	F_INT(struct user, gid, "gid", 0, 0, 0),
	F_OPT_INT(struct user, umask, "umask", 0, 0, 0777),
	F_LIST_INT(struct user, gids, "additionalGids", 0, .list = SCHEMA_LIST_SET),
};
static const struct schema user_schema = SCHEMA("user", struct user, user_rows);

enum kind { KIND_NONE, KIND_A, KIND_B };
static const char *const kinds[] = { "alpha", "beta", NULL };

struct port {
	uint16_t number;
	const char *proto, *name;
};
static const struct schema_field port_rows[] = {
	F_INT(struct port, number, "number", SCHEMA_REQUIRED, 1, 65535),
	F_STR(struct port, proto, "proto", 0, FORMAT_NONE, .def = "\"tcp\""),
	F_STR(struct port, name, "name", 0, FORMAT_DNS_LABEL),
};
static const struct schema port_schema =
	SCHEMA("port", struct port, port_rows, .unknown = SCHEMA_UNKNOWN_ERROR);

struct limits {
	int64_t low, high;
	bool here;
};
static const struct schema_field limit_rows[] = {
	F_INT(struct limits, low, "low", 0, 0, 0, .def = "5"),
	F_INT(struct limits, high, "high", SCHEMA_REQUIRED, 0, 0),
};
static void check_limits(struct schema_ctx *c, const void *obj, const struct doc *d)
{
	const struct limits *l = obj;

	if (l && l->low > l->high)
		schema_fail(c, "low", "value", "is above high (%lld)", (long long)l->high);
}
static const struct schema limit_schema =
	SCHEMA("limits", struct limits, limit_rows, .check = check_limits);

struct tree {
	const char *v;
	LIST_OF(struct tree) kids;
};
extern const struct schema tree_schema;
static const struct schema_field tree_rows[] = {
	F_STR(struct tree, v, "v", 0, FORMAT_NONE),
	F_LIST_OBJ(struct tree, kids, "kids", &tree_schema, 0),
};
const struct schema tree_schema = SCHEMA("tree", struct tree, tree_rows);

struct all {
	const char *path, *secret, *label, *version, *mode, *cpu;
	bool flag, shown;
	struct opt_bool maybe;
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	uint8_t u8;
	uint64_t u64;
	struct opt_uint big;
	double ratio;
	struct opt_double maybe_ratio;
	enum kind kind;
	struct int_or_str target;
	struct schema_time when;
	struct slice blob;
	const struct doc *raw;
	struct user *user;
	struct limits limits;
	struct strs args;
	LIST_OF(struct port) ports;
	LIST_OF(enum kind) kinds;
	LIST_OF(LIST_OF(const char *)) grid;
	LIST_OF(const struct doc *) things;
	struct str_map labels;
	MAP_OF(int16_t) counts;
	MAP_OF(bool) switches;
	MAP_OF(struct port) named;
	MAP_OF(LIST_OF(struct port)) bindings;
	MAP_OF(const struct doc *) extra;
	const struct doc *rest;
	struct tree *tree;
};

static int check_even(const struct doc *d, struct err *err)
{
	int64_t v = 0;

	if (doc_int64(d, &v) < 0 || v % 2)
		return err_set(err, ERR_INVALID, "must be even");
	return 0;
}

static const struct schema_field strings_row = E_LIST_STR(FORMAT_NAME, .max = 3);
static const struct schema_field ports_row = E_LIST_OBJ(&port_schema);
static const struct schema_field all_rows[] = {
	F_STR(struct all, path, "path", SCHEMA_REQUIRED, FORMAT_ABS_PATH),
	F_STR(struct all, secret, "secret", SCHEMA_SECRET, FORMAT_HEX, .min = 4, .max = 6),
	F_STR(struct all, label, "label", SCHEMA_NONEMPTY | SCHEMA_DEPRECATED, FORMAT_LABEL_VALUE),
	F_STR(struct all, version, "version", 0, FORMAT_SEMVER, .def = "\"1.0.0\""),
	F_ENUM_STR(struct all, mode, "mode", kinds, 0),
	F_QUANTITY(struct all, cpu, "cpu", 0),
	F_BOOL(struct all, flag, "flag", 0),
	F_BOOL(struct all, shown, "shown", SCHEMA_EMIT, .def = "true"),
	F_OPT_BOOL(struct all, maybe, "maybe", SCHEMA_NULLABLE, .def = "true"),
	F_INT(struct all, i8, "i8", 0, 0, 0),
	F_INT(struct all, i16, "i16", 0, -10, -2),
	F_INT(struct all, i32, "i32", 0, 2, INT64_MAX, .check = check_even),
	F_INT(struct all, i64, "i64", 0, 0, 0),
	F_INT(struct all, u8, "u8", 0, 0, 0),
	F_INT(struct all, u64, "u64", 0, 0, 0),
	F_OPT_UINT(struct all, big, "big", 0, 1, INT64_MAX),
	F_DOUBLE(struct all, ratio, "ratio", 0, .min = 0, .max = 1),
	F_OPT_DOUBLE(struct all, maybe_ratio, "maybeRatio", 0),
	F_ENUM(struct all, kind, "kind", kinds, 0, .def = "\"beta\""),
	F_INT_OR_STR(struct all, target, "target", 0, .max = 100),
	F_TIME(struct all, when, "when", 0),
	F_BYTES(struct all, blob, "blob", 0),
	F_DOC(struct all, raw, "raw", 0),
	F_OBJ(struct all, user, "user", &user_schema, 0),
	F_OBJ_IN(struct all, limits, "limits", &limit_schema, 0,
		 .has = SCHEMA_HAS(struct all, limits.here)),
	F_LIST_STR(struct all, args, "args", SCHEMA_NONEMPTY, FORMAT_NONE, .max = 3, .min = 1),
	F_LIST_OBJ(struct all, ports, "ports", &port_schema, 0, .list = SCHEMA_LIST_MAP,
		   .list_keys = "number proto"),
	F_LIST_ENUM(struct all, kinds, "kinds", kinds, 0),
	F_LIST(struct all, grid, "grid", &strings_row, 0),
	F_LIST_DOC(struct all, things, "things", 0),
	F_MAP_STR(struct all, labels, "labels", 0, .key_format = FORMAT_QUALIFIED_NAME,
		  .format = FORMAT_LABEL_VALUE),
	F_MAP_INT(struct all, counts, "counts", 0),
	F_MAP_BOOL(struct all, switches, "switches", 0),
	F_MAP_OBJ(struct all, named, "named", &port_schema, 0),
	F_MAP(struct all, bindings, "bindings", &ports_row, 0),
	F_MAP_DOC(struct all, extra, "extra", 0),
	F_OBJ(struct all, tree, "tree", &tree_schema, 0),
};
static const struct schema all_schema =
	SCHEMA("all", struct all, all_rows, .unknown = SCHEMA_UNKNOWN_PRESERVE,
	       .rest = SCHEMA_HAS(struct all, rest));

/* --- helpers ------------------------------------------------------------------------------------
 */

struct fix {
	struct arena *a;
	struct all x;
	struct err err;
};

static int setup(void **state)
{
	static struct fix f;

	f = (struct fix){ .a = arena_new("schema-test", 1 << 20) };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	arena_free(((struct fix *)*state)->a);
	return 0;
}

static struct doc *json(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	struct doc *d = NULL;

	if (json_read(a, slice_str(text), NULL, &d, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return d;
}

static const char *print(struct arena *a, const struct doc *d)
{
	struct slice s = { 0 };

	assert_int_equal(json_print(a, d, NULL, &s, NULL), 0);
	return s.p;
}

static int decode(struct fix *f, const char *text, const struct schema_opts *o)
{
	f->err = ERR_INIT;
	return schema_decode(&all_schema, json(f->a, text), f->a, &f->x, o, &f->err);
}

/* A document with "path" and one more member must fail with this one cause. */
static void refused(struct fix *f, const char *member, const char *path, const char *reason,
		    const char *part)
{
	char *text = arena_printf(f->a, "{\"path\":\"/x\",%s}", member);

	if (decode(f, text, NULL) != -ERR_INVALID)
		fail_msg("accepted: %s", text);
	assert_non_null(f->err.causes);
	assert_string_equal(f->err.causes->field, path);
	assert_string_equal(f->err.causes->reason, reason);
	if (!strstr(f->err.causes->detail, part) || !strstr(f->err.msg, part) ||
	    !strstr(f->err.msg, path))
		fail_msg("'%s' is not in '%s' / '%s'", part, f->err.causes->detail, f->err.msg);
	/* The same document fails the same way without a struct, cross-field rules apart. */
	if (strcmp(path, "limits.low") != 0)
		assert_int_equal(
			schema_validate(&all_schema, json(f->a, text), f->a, NULL, &f->err),
			-ERR_INVALID);
}

static const char full[] =
	"{\"path\":\"/"
	"a\",\"secret\":\"beef\",\"label\":\"l\",\"version\":\"1.2.3-rc.1+b\",\"mode\":\"beta\","
	"\"cpu\":\"1.5Gi\",\"flag\":true,\"shown\":true,\"maybe\":false,\"i8\":-128,\"i16\":-2,"
	"\"i32\":2,"
	"\"i64\":-9223372036854775808,\"u8\":255,\"u64\":18446744073709551615,\"big\":"
	"18446744073709551615,"
	"\"ratio\":0.5,\"maybeRatio\":0,\"kind\":\"alpha\",\"target\":\"http\","
	"\"when\":\"2024-02-29T23:59:59.25Z\",\"blob\":\"AAEC/w==\",\"raw\":{\"any\":[1,2.50]},"
	"\"user\":{\"uid\":0,\"gid\":7,\"umask\":18,\"additionalGids\":[1,2]},\"limits\":{\"low\":"
	"1,\"high\":2},"
	"\"args\":[\"sh\",\"-c\",\"\"],\"ports\":[{\"number\":80,\"proto\":\"tcp\"},{\"number\":80,"
	"\"proto\":\"udp\"}],"
	"\"kinds\":[\"beta\",\"alpha\"],\"grid\":[[\"a\"],[],[\"b\",\"c\"]],\"things\":[1,null,"
	"\"x\"],"
	"\"labels\":{\"a.b/"
	"c\":\"v\",\"d\":\"\"},\"counts\":{\"one\":1,\"two\":-2},\"switches\":{\"on\":true,\"off\":"
	"false},"
	"\"named\":{\"web\":{\"number\":1,\"proto\":\"sctp\",\"name\":\"n\"}},"
	"\"bindings\":{\"80/"
	"tcp\":[{\"number\":9,\"proto\":\"tcp\"}],\"x\":[]},\"extra\":{\"k\":{\"n\":null}},"
	"\"tree\":{\"v\":\"root\",\"kids\":[{\"v\":\"leaf\"}]},\"later\":[true]}";

/* --- decode -------------------------------------------------------------------------------------
 */

static void every_type_lands_in_its_member(void **state)
{
	struct fix *f = *state;
	struct all *x = &f->x;

	assert_int_equal(decode(f, full, NULL), 0);
	assert_string_equal(x->path, "/a");
	assert_string_equal(x->mode, "beta");
	assert_string_equal(x->cpu, "1.5Gi");
	assert_true(x->flag && x->shown && x->maybe.set && !x->maybe.v);
	assert_true(x->i8 == -128 && x->i16 == -2 && x->i32 == 2 && x->i64 == INT64_MIN &&
		    x->u8 == 255);
	assert_true(x->u64 == UINT64_MAX && x->big.set && x->big.v == UINT64_MAX);
	assert_true(x->ratio == 0.5 && x->maybe_ratio.set && x->maybe_ratio.v == 0);
	assert_int_equal(x->kind, KIND_A);
	assert_string_equal(x->target.s, "http");
	assert_true(x->when.set && x->when.sec == 1709251199 && x->when.nsec == 250000000);
	assert_true(x->blob.n == 4 && memcmp(x->blob.p, "\0\1\2\xff", 4) == 0);
	assert_int_equal(doc_len(doc_get(x->raw, "any")), 2);
	assert_true(x->user->uid == 0 && x->user->gid == 7 && x->user->umask.v == 18 &&
		    x->user->gids.v[1] == 2);
	assert_true(x->limits.here && x->limits.low == 1 && x->limits.high == 2);
	assert_int_equal(x->args.n, 3);
	assert_string_equal(x->args.v[1], "-c");
	assert_string_equal(x->ports.v[1].proto, "udp");
	assert_true(x->kinds.n == 2 && x->kinds.v[0] == KIND_B);
	assert_true(x->grid.n == 3 && x->grid.v[1].n == 0 && x->grid.v[1].v);
	assert_string_equal(x->grid.v[2].v[1], "c");
	assert_int_equal(x->things.v[1]->type, DOC_NULL);
	assert_string_equal(str_map_get(&x->labels, "a.b/c"), "v");
	assert_null(str_map_get(&x->labels, "nope"));
	assert_true(x->counts.v[1].value == -2 && x->switches.v[0].value &&
		    !x->switches.v[1].value);
	assert_string_equal(x->named.v[0].value.name, "n");
	assert_string_equal(x->bindings.v[0].key, "80/tcp");
	assert_int_equal(x->bindings.v[0].value.v[0].number, 9);
	assert_int_equal(x->extra.v[0].value->type, DOC_OBJECT);
	assert_string_equal(x->tree->kids.v[0].v, "leaf");
	assert_true(doc_true(doc_at(doc_get(x->rest, "later"), 0)));
}

static void absent_fields_are_zero_or_their_default(void **state)
{
	struct fix *f = *state;
	struct schema_opts no = { .no_defaults = true };

	assert_int_equal(decode(f, "{\"path\":\"/\"}", NULL), 0);
	assert_string_equal(f->x.version, "1.0.0");
	assert_true(f->x.kind == KIND_B && f->x.shown && f->x.maybe.set && f->x.maybe.v);
	assert_true(!f->x.limits.here && f->x.limits.low == 5 && f->x.limits.high == 0);
	assert_true(!f->x.label && !f->x.user && !f->x.raw && !f->x.args.v && !f->x.big.set &&
		    !f->x.when.set);
	assert_int_equal(
		decode(f, "{\"path\":\"/\",\"kind\":null,\"ports\":[{\"number\":1}]}", NULL), 0);
	assert_int_equal(f->x.kind, KIND_B);
	assert_string_equal(f->x.ports.v[0].proto, "tcp");
	assert_int_equal(decode(f, "{\"path\":\"/\"}", &no), 0);
	assert_true(!f->x.version && f->x.kind == KIND_NONE && f->x.limits.low == 0);
}

static void null_is_absence_unless_nullable(void **state)
{
	struct fix *f = *state;

	assert_int_equal(
		decode(f,
		       "{\"path\":\"/\",\"i8\":null,\"user\":null,\"labels\":null,\"maybe\":null}",
		       NULL),
		0);
	assert_true(f->x.i8 == 0 && !f->x.user && !f->x.labels.v);
	/* NULLABLE: the default does not come in its place */
	assert_false(f->x.maybe.set);
	refused(f, "\"path\":null", "path", "required", "is required");
}

static void null_elements_are_zero_values(void **state)
{
	struct fix *f = *state;

	assert_int_equal(decode(f,
				"{\"path\":\"/"
				"\",\"args\":[null],\"labels\":{\"a\":null},\"named\":{\"n\":null},"
				"\"bindings\":{\"b\":null},\"counts\":{\"c\":null},\"user\":{"
				"\"uid\":1,\"additionalGids\":[null]}}",
				NULL),
			 0);
	assert_string_equal(f->x.args.v[0], "");
	assert_string_equal(f->x.labels.v[0].value, "");
	assert_true(f->x.named.v[0].value.number == 0 && f->x.bindings.v[0].value.n == 0);
	assert_string_equal(f->x.named.v[0].value.proto, "tcp");
	assert_int_equal(f->x.user->gids.v[0], 0);
}

static void wrong_types_are_refused(void **state)
{
	struct fix *f = *state;

	refused(f, "\"flag\":1", "flag", "type", "true or false, not number");
	refused(f, "\"label\":5", "label", "type", "a string, not number");
	refused(f, "\"i8\":\"5\"", "i8", "type", "an integer, not string");
	refused(f, "\"i8\":1.0", "i8", "type", "'1.0' is no integer");
	refused(f, "\"i8\":1e1", "i8", "type", "'1e1' is no integer");
	refused(f, "\"ratio\":\"x\"", "ratio", "type", "a number");
	refused(f, "\"kind\":1", "kind", "type", "a string");
	refused(f, "\"target\":true", "target", "type", "an integer or a string");
	refused(f, "\"cpu\":{}", "cpu", "type", "a quantity");
	refused(f, "\"when\":5", "when", "type", "a string");
	refused(f, "\"blob\":5", "blob", "type", "base64");
	refused(f, "\"user\":[]", "user", "type", "an object, not array");
	refused(f, "\"args\":{}", "args", "type", "a list, not object");
	refused(f, "\"labels\":[]", "labels", "type", "an object, not array");
	assert_int_equal(decode(f, "[]", NULL), -ERR_INVALID);
	assert_string_equal(f->err.msg, "all: must be an object, not array");
	assert_int_equal(schema_decode(&all_schema, NULL, f->a, &f->x, NULL, &f->err),
			 -ERR_INVALID);
}

static void ranges_are_those_of_row_and_c_type(void **state)
{
	struct fix *f = *state;

	refused(f, "\"i8\":128", "i8", "range", "'128' is out of range: from -128 to 127");
	refused(f, "\"i8\":-129", "i8", "range", "out of range");
	refused(f, "\"i16\":-1", "i16", "range", "greater than -2");
	refused(f, "\"i16\":1", "i16", "range", "out of range");
	refused(f, "\"i16\":-11", "i16", "range", "from -10");
	refused(f, "\"i32\":1", "i32", "range", "from 2 to 2147483647");
	refused(f, "\"i32\":3", "i32", "value", "must be even");
	refused(f, "\"i64\":9223372036854775808", "i64", "range", "out of range");
	refused(f, "\"u8\":256", "u8", "range", "from 0 to 255");
	refused(f, "\"u8\":-1", "u8", "range", "from 0 to 255");
	refused(f, "\"u64\":18446744073709551616", "u64", "range", "out of range");
	refused(f, "\"big\":0", "big", "range", "from 1");
	refused(f, "\"ratio\":1.5", "ratio", "range", "'1.5' is out of range");
	refused(f, "\"ratio\":1e999", "ratio", "range", "out of range");
	refused(f, "\"target\":101", "target", "range", "from 0 to 100");
	refused(f, "\"user\":{\"uid\":0,\"umask\":512}", "user.umask", "range", "to 511");
	assert_int_equal(decode(f, "{\"path\":\"/\",\"u8\":-0,\"target\":100}", NULL), 0);
	assert_true(f->x.target.set && !f->x.target.s && f->x.target.i == 100);
}

static void lengths_and_counts_are_limited(void **state)
{
	struct fix *f = *state;

	refused(f, "\"args\":[]", "args", "required", "must not be empty");
	refused(f, "\"args\":[\"1\",\"2\",\"3\",\"4\"]", "args", "range", "has 4 entries");
	refused(f, "\"label\":\"\"", "label", "required", "must not be empty");
	refused(f, "\"secret\":\"abc\"", "secret", "range", "has 3 characters");
	refused(f, "\"grid\":[[\"a\"],[\"1\",\"2\",\"3\",\"4\"]]", "grid[1]", "range",
		"from 0 to 3");
}

static void formats_and_enums_are_checked(void **state)
{
	struct fix *f = *state;

	refused(f, "\"version\":\"1.0\"", "version", "format", "'1.0' is not a semantic version");
	refused(f, "\"path\":\"x\"", "path", "format", "'x' is not an absolute path");
	refused(f, "\"path\":\"\"", "path", "format", "not an absolute path");
	refused(f, "\"kind\":\"gamma\"", "kind", "enum", "'gamma' is not one of alpha, beta");
	refused(f, "\"mode\":\"x\"", "mode", "enum", "not one of");
	refused(f, "\"kinds\":[\"alpha\",\"y\"]", "kinds[1]", "enum", "not one of");
	refused(f, "\"cpu\":\"1.5Q\"", "cpu", "format", "no quantity");
	refused(f, "\"when\":\"2023-02-29T00:00:00Z\"", "when", "format", "no RFC 3339 time");
	refused(f, "\"blob\":\"AAE\"", "blob", "format", "base64");
	refused(f, "\"blob\":\"A=E=\"", "blob", "format", "base64");
	refused(f, "\"labels\":{\"-x\":\"v\"}", "labels.-x", "format",
		"the key is not a qualified name");
	refused(f, "\"labels\":{\"a/b\":\"-\"}", "labels[\"a/b\"]", "format",
		"'-' is not a label value");
	refused(f, "\"grid\":[[\"\"]]", "grid[0][0]", "format", "is not a name");
	refused(f, "\"label\":\"a\\u0000b\"", "label", "format", "not a label value");
	refused(f, "\"args\":[\"a\\u0000b\"]", "args[0]", "format", "NUL byte");
	refused(f, "\"labels\":{\"\":\"v\"}", "labels[\"\"]", "format", "qualified name");
	assert_int_equal(decode(f, "{\"path\":\"/\",\"cpu\":1.5}", NULL), 0);
	assert_string_equal(f->x.cpu, "1.5");
}

static void a_secret_never_shows(void **state)
{
	struct fix *f = *state;

	refused(f, "\"secret\":\"hush!\"", "secret", "format", "the value is not hexadecimal");
	assert_null(strstr(f->err.msg, "hush"));
}

static void required_fields_are_named_with_their_path(void **state)
{
	struct fix *f = *state;

	refused(f, "\"user\":{}", "user.uid", "required", "is required");
	refused(f, "\"ports\":[{\"number\":1},{}]", "ports[1].number", "required", "is required");
	refused(f, "\"named\":{\"a b\":{\"number\":0}}", "named[\"a b\"].number", "range",
		"from 1");
	refused(f, "\"bindings\":{\"80/tcp\":[{}]}", "bindings[\"80/tcp\"][0].number", "required",
		"is required");
}

static void duplicates_in_sets_and_keyed_lists_are_refused(void **state)
{
	struct fix *f = *state;

	refused(f, "\"user\":{\"uid\":1,\"additionalGids\":[5,6,7,5]}", "user.additionalGids[3]",
		"duplicate", "in the list already");
	refused(f,
		"\"ports\":[{\"number\":1,\"proto\":\"x\"},{\"number\":2},{\"number\":1,\"proto\":"
		"\"x\"}]",
		"ports[2]", "duplicate", "another entry has the same number proto");
	assert_int_equal(
		decode(f,
		       "{\"path\":\"/\",\"ports\":[{\"number\":1},{\"number\":1,\"proto\":\"x\"}]}",
		       NULL),
		0);
}

static void unknown_fields_follow_the_policy(void **state)
{
	struct fix *f = *state;
	struct schema_opts strict = { .strict = true };

	refused(f, "\"ports\":[{\"number\":1,\"nmae\":2}]", "ports[0].nmae", "unknown",
		"unknown field");
	assert_int_equal(decode(f, "{\"path\":\"/\",\"user\":{\"uid\":1,\"x\":2},\"y\":1}", NULL),
			 0);
	assert_string_equal(print(f->a, f->x.rest), "{\"y\":1}");
	assert_int_equal(decode(f, "{\"path\":\"/\",\"user\":{\"uid\":1,\"x\":2}}", &strict),
			 -ERR_INVALID);
	assert_string_equal(f->err.causes->field, "user.x");
}

static void note(void *arg, const char *path, const char *what)
{
	assert_int_equal(buf_addf(arg, "%s: %s;", path, what), 0);
}

static void warnings_name_unknown_and_deprecated_fields(void **state)
{
	struct fix *f = *state;
	struct schema warn = user_schema;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	struct schema_opts o = { .warn = note, .warn_arg = &b, .root = "config" };
	struct user u;

	assert_int_equal(decode(f, "{\"path\":\"/\",\"label\":\"x\"}", &o), 0);
	assert_string_equal(buf_str(&b), "config.label: deprecated field;");
	buf_clear(&b);
	warn.unknown = SCHEMA_UNKNOWN_WARN;
	assert_int_equal(
		schema_decode(&warn, json(f->a, "{\"uid\":3,\"shoe\":44}"), f->a, &u, &o, &f->err),
		0);
	assert_string_equal(buf_str(&b), "config.shoe: unknown field;");
}

static void keys_match_without_case_only_when_asked(void **state)
{
	struct fix *f = *state;
	struct schema_opts icase = { .icase = true };

	assert_int_equal(decode(f, "{\"PATH\":\"/\",\"User\":{\"UID\":4}}", &icase), 0);
	assert_int_equal(f->x.user->uid, 4);
	assert_int_equal(decode(f, "{\"PATH\":\"/\"}", NULL), -ERR_INVALID);
	assert_ptr_equal(schema_find(&user_schema, SLICE("gid"), 1, false), &user_rows[1]);
	assert_ptr_equal(schema_find(&user_schema, SLICE("uid"), 3, false), &user_rows[0]);
	assert_ptr_equal(schema_find(&user_schema, SLICE("UMASK"), 0, true), &user_rows[2]);
	assert_null(schema_find(&user_schema, SLICE("UMASK"), 0, false));
}

static void rules_between_fields_run_last(void **state)
{
	struct fix *f = *state;

	refused(f, "\"limits\":{\"high\":3}", "limits.low", "value", "is above high (3)");
	/* not when a field failed already */
	refused(f, "\"limits\":{\"low\":9}", "limits.high", "required", "is required");
	assert_null(f->err.causes->next);
}

static void all_causes_are_collected_up_to_the_limit(void **state)
{
	struct fix *f = *state;
	struct schema_opts o = { .max_causes = 2, .code = ERR_BAD_REQUEST };
	unsigned n = 0;

	assert_int_equal(decode(f, "{\"flag\":1,\"i8\":\"\",\"user\":{\"uid\":-1}}", NULL),
			 -ERR_INVALID);
	for (struct cause *k = f->err.causes; k; k = k->next)
		n++;
	assert_int_equal(n, 4);
	assert_string_equal(f->err.msg,
			    "all: flag: must be true or false, not number; and 3 more problems");
	assert_int_equal(decode(f, "{\"flag\":1,\"i8\":\"\",\"user\":{\"uid\":-1}}", &o),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(f->err.msg, "and 3 more problems"));
	assert_non_null(f->err.causes->next);
	assert_null(f->err.causes->next->next);
}

static void recursion_is_bounded(void **state)
{
	struct fix *f = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100000);
	struct tree t;

	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(buf_adds(&b, "{\"kids\":["), 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(buf_adds(&b, "]}"), 0);
	assert_int_equal(
		schema_decode(&tree_schema, json(f->a, buf_str(&b)), f->a, &t, NULL, &f->err),
		-ERR_INVALID);
	assert_non_null(strstr(f->err.msg, "inside one another"));
	assert_int_equal(schema_default(&tree_schema, json(f->a, buf_str(&b)), f->a, &f->err), 0);
	assert_int_equal(schema_prune(&tree_schema, json(f->a, buf_str(&b)), f->a, &f->err), 0);
}

/* --- encode, default, prune
 * ------------------------------------------------------------------------ */

static void encode_gives_back_what_was_decoded(void **state)
{
	struct fix *f = *state;
	struct doc back;

	assert_int_equal(decode(f, full, NULL), 0);
	assert_int_equal(schema_encode(&all_schema, &f->x, f->a, &back, &f->err), 0);
	assert_string_equal(print(f->a, &back), full);
	assert_true(doc_equal(&back, json(f->a, full)));
}

struct shapes {
	const char *s, *n;
	bool b;
	int32_t i;
	struct opt_int o;
	struct strs list, nulls;
	struct str_map map;
	struct user *user;
	struct user in;
	struct schema_time t;
	enum kind e;
	struct slice bytes;
	const char *hidden;
	struct strs hidden_list;
	struct user hidden_user;
};
static const struct schema_field shape_rows[] = {
	F_STR(struct shapes, s, "s", SCHEMA_EMIT, FORMAT_NONE),
	F_STR(struct shapes, n, "n", SCHEMA_EMIT_NULL, FORMAT_NONE),
	F_BOOL(struct shapes, b, "b", SCHEMA_EMIT),
	F_INT(struct shapes, i, "i", SCHEMA_REQUIRED, 0, 0),
	F_OPT_INT(struct shapes, o, "o", SCHEMA_EMIT, 0, 0),
	F_LIST_STR(struct shapes, list, "list", SCHEMA_EMIT, FORMAT_NONE),
	F_LIST_STR(struct shapes, nulls, "nulls", SCHEMA_EMIT_NULL, FORMAT_NONE),
	F_MAP_STR(struct shapes, map, "map", SCHEMA_EMIT),
	F_OBJ(struct shapes, user, "user", &user_schema, SCHEMA_EMIT),
	F_OBJ_IN(struct shapes, in, "in", &user_schema, SCHEMA_EMIT),
	F_TIME(struct shapes, t, "t", SCHEMA_EMIT),
	F_ENUM(struct shapes, e, "e", kinds, SCHEMA_EMIT_NULL),
	F_BYTES(struct shapes, bytes, "bytes", SCHEMA_EMIT),
	F_STR(struct shapes, hidden, "hidden", 0, FORMAT_NONE),
	F_LIST_STR(struct shapes, hidden_list, "hiddenList", 0, FORMAT_NONE),
	F_OBJ_IN(struct shapes, hidden_user, "hiddenUser", &user_schema, 0),
};
static const struct schema shape_schema = SCHEMA("shapes", struct shapes, shape_rows);

static void unset_values_are_left_out_or_emitted_as_told(void **state)
{
	struct fix *f = *state;
	struct shapes x = { 0 };
	struct doc d;

	assert_int_equal(schema_encode(&shape_schema, &x, f->a, &d, &f->err), 0);
	assert_string_equal(print(f->a, &d), "{\"s\":\"\",\"n\":null,\"b\":false,\"i\":0,\"o\":"
					     "null,\"list\":[],\"nulls\":null,\"map\":{},"
					     "\"user\":null,\"in\":{\"uid\":0},\"t\":\"0001-01-"
					     "01T00:00:00Z\",\"e\":null,\"bytes\":\"\"}");
	x = (struct shapes){
		.n = "", .hidden = "", .nulls = { (const char *[]){ "" }, 0 }, .hidden_user.gid = 1
	};
	assert_int_equal(schema_encode(&shape_schema, &x, f->a, &d, &f->err), 0);
	assert_non_null(strstr(print(f->a, &d), "\"n\":\"\""));
	assert_non_null(strstr(print(f->a, &d), "\"nulls\":[]"));
	assert_non_null(
		strstr(print(f->a, &d), "\"hidden\":\"\",\"hiddenUser\":{\"uid\":0,\"gid\":1}}"));
}

static void defaults_are_inserted_into_documents(void **state)
{
	struct fix *f = *state;
	struct doc *d = json(
		f->a, "{\"kind\":null,\"maybe\":null,\"shown\":false,\"limits\":{\"high\":9},"
		      "\"ports\":[{\"number\":1}],\"named\":{\"a\":{}},\"bindings\":{\"b\":[{}]}}");

	assert_int_equal(schema_default(&all_schema, d, f->a, &f->err), 0);
	assert_true(doc_equal(
		d,
		json(f->a, "{\"kind\":\"beta\",\"maybe\":null,\"shown\":false,\"limits\":{\"high\":"
			   "9,\"low\":5},"
			   "\"ports\":[{\"number\":1,\"proto\":\"tcp\"}],\"named\":{\"a\":{"
			   "\"proto\":\"tcp\"}},"
			   "\"bindings\":{\"b\":[{\"proto\":\"tcp\"}]},\"version\":\"1.0.0\"}")));
	assert_int_equal(schema_default(&all_schema, json(f->a, "3"), f->a, &f->err), -ERR_INVALID);
	assert_non_null(strstr(f->err.msg, "must be an object"));
}

static void prune_removes_what_no_row_names(void **state)
{
	struct fix *f = *state;
	struct doc *d = json(f->a, "{\"a\":1,\"user\":{\"x\":1,\"uid\":2,\"y\":3,\"gid\":4},"
				   "\"named\":{\"k\":{\"z\":1}},"
				   "\"ports\":[{\"q\":1,\"number\":2}]}");

	assert_int_equal(schema_prune(&all_schema, d, f->a, &f->err), 0);
	assert_string_equal(print(f->a, d),
			    "{\"a\":1,\"user\":{\"uid\":2,\"gid\":4},\"named\":{\"k\":{}},"
			    "\"ports\":[{\"number\":2}]}");
	assert_non_null(doc_set_int(f->a, doc_get(d, "user"), "umask", 1));
	assert_string_equal(print(f->a, doc_get(d, "user")), "{\"uid\":2,\"gid\":4,\"umask\":1}");
	assert_int_equal(schema_prune(&all_schema, json(f->a, "[]"), f->a, &f->err), -ERR_INVALID);
}

/* --- formats
 * ---------------------------------------------------------------------------------------- */

static const struct {
	enum schema_format f;
	const char *good, *bad; /* separated by blanks */
} formats[] = {
	{ FORMAT_ABS_PATH, "/ /a/../b", "a ./a ~" },
	{ FORMAT_REL_PATH, "a a/b ..a", "/a .. a/../b" },
	{ FORMAT_FILE_NAME, "a ..a", "a/b . .." },
	{ FORMAT_SEMVER, "1.2.3 1.0.2-dev 1.0.0-a.1+x.01 0.0.0",
	  "1.2 01.2.3 1.2.3- 1.2.3-01 1.2.3+ v1.2.3 1.2.3.4 -1" },
	{ FORMAT_IP, "1.2.3.4 ::1 fe80::1", "1.2.3 1.2.3.256 ::g 1.2.3.4/8" },
	{ FORMAT_IPV4, "0.0.0.0", "::1 01.2.3.4" },
	{ FORMAT_IPV6, ":: ::ffff:1.2.3.4", "1.2.3.4 :::" },
	{ FORMAT_CIDR, "10.0.0.0/8 fd00::/64 0.0.0.0/0",
	  "10.0.0.0 10.0.0.0/33 fd00::/129 10.0.0.0/08 /8 10.0.0.0/" },
	{ FORMAT_MAC, "02:42:ac:11:00:02 02-42-AC-11-00-02",
	  "02:42:ac:11:00 02:42-ac:11:00:02 0g:42:ac:11:00:02" },
	{ FORMAT_DNS_LABEL, "a a-b 0a", "A -a a- a.b a_b" },
	{ FORMAT_DNS_SUBDOMAIN, "a a.b.c", ".a a. a..b A" },
	{ FORMAT_HOSTNAME, "Host-1 a_b a.b", "-a .a a/b" },
	{ FORMAT_QUALIFIED_NAME, "a a.b/c_d A", "/a a/ A/b a/b/c -a" },
	{ FORMAT_LABEL_VALUE, "a a.b-c_D 1", "-a a- a/b" },
	{ FORMAT_NAME, "a a.b_c-D 0", "-a .a a/b" },
	{ FORMAT_C_IDENTIFIER, "a _a A1", "1a a-b" },
	{ FORMAT_TOKEN, "GET a*b", "a(b a,b" },
	{ FORMAT_HEX, "0 aF", "g 0x1" },
	{ FORMAT_HEX_ID, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	  "abc" },
	{ FORMAT_DIGEST, "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	  "sha256:abc sha256 "
	  "sha256:G123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef :a" },
	{ FORMAT_UUID, "123e4567-e89b-12d3-a456-426614174000",
	  "123e4567e89b12d3a456426614174000 x" },
	{ FORMAT_SIGNAL, "SIGTERM TERM 9 64 SIGRTMIN+3 RTMAX-1",
	  "SIG term 0 65 SIGFOO RTMIN+31 S" },
	{ FORMAT_ENV, "A=b A= A=b=c", "A =b" },
	{ FORMAT_ENV_NAME, "A a.b", "A=b" },
	{ FORMAT_PORT, "1 65535", "0 65536 -1 http" },
	{ FORMAT_PORT_PROTO, "80 80/tcp 53/udp 1/sctp", "80/ /tcp 80/icmp 0/tcp" },
	{ FORMAT_DURATION, "0 1h30m -1.5s 250ms .5s 1.s 10us", "1 s . -  1x 9999999999h" },
	{ FORMAT_CPU_LIST, "0 0-3 0-3,7", "a 3-1 0- , 1, -1" },
	{ FORMAT_SYSCTL, "net.ipv4.ip_forward net/ipv4/conf/eth0.1/x", ".net a;b" },
	{ FORMAT_OCTAL, "0755 644", "8 0o7" },
	{ FORMAT_URL, "http://a tcp://1.2.3.4:5", "unix:///x http:/a //a :a 1http://a" },
	{ FORMAT_MICRO_TIME, "2024-05-01T12:00:00.000000Z 2024-05-01T12:00:00Z", "now 2024-05-01" },
};

static void formats_accept_and_refuse(void **state)
{
	assert_int_equal(ARRAY_LEN(formats) + 2, FORMAT_COUNT + 1);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct slice good = slice_str(formats[i].good), bad = slice_str(formats[i].bad);

		while (good.p) {
			struct slice w = slice_split(&good, ' ');

			if (!schema_format_ok(formats[i].f, w))
				fail_msg("refused: %.*s is %s", (int)w.n, w.p,
					 schema_format_help(formats[i].f));
		}
		while (bad.p) {
			struct slice w = slice_split(&bad, ' ');

			if (w.n && schema_format_ok(formats[i].f, w))
				fail_msg("accepted: %.*s as %s", (int)w.n, w.p,
					 schema_format_help(formats[i].f));
		}
		/* only a label value may be empty; no format takes a NUL */
		assert_int_equal(schema_format_ok(formats[i].f, SLICE("")),
				 formats[i].f == FORMAT_LABEL_VALUE);
		assert_false(schema_format_ok(formats[i].f, SLICE("/1\0")));
	}
}

static void times_and_durations_are_exact(void **state)
{
	static const char *const same[] = { "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
					    "2000-02-29T12:34:56.000000001Z",
					    "9999-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z" };
	static const char *const bad[] = { "",
					   "2024-13-01T00:00:00Z",
					   "2024-00-01T00:00:00Z",
					   "2024-04-31T00:00:00Z",
					   "1900-02-29T00:00:00Z",
					   "2024-01-01T24:00:00Z",
					   "2024-01-01T00:00:60Z",
					   "2024-01-01T00:00:00",
					   "2024-01-01T00:00:00.Z",
					   "2024-01-01T00:00:00+1:00",
					   "2024-01-01T00:00:00Zx",
					   "2024-1-01T00:00:00Z" };
	struct schema_time t;
	struct err err = ERR_INIT;
	char text[40];
	int64_t ns;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_int_equal(schema_parse_time(slice_str(same[i]), &t, &err), 0);
		assert_string_equal(schema_format_time(&t, text), same[i]);
	}
	assert_int_equal(schema_parse_time(SLICE("2024-01-01T01:30:00+02:00"), &t, &err), 0);
	assert_string_equal(schema_format_time(&t, text), "2023-12-31T23:30:00Z");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(schema_parse_time(slice_str(bad[i]), &t, &err), -ERR_INVALID);
	assert_int_equal(schema_parse_duration(SLICE("-1h1m1.5s"), &ns, &err), 0);
	assert_true(ns == -3661500000000LL);
	assert_int_equal(schema_parse_duration(SLICE("1.25h"), &ns, &err), 0);
	assert_true(ns == 4500000000000LL);
	assert_int_equal(schema_parse_duration(SLICE("5"), &ns, &err), -ERR_INVALID);
	assert_non_null(strstr(err.msg, "'5' is no duration"));
}

static void quantities_follow_kubernetes(void **state)
{
	static const char *const good[] = { "1",  "1.5Gi", "100m", "-1", "+.5", "1e3",
					    "1E", "1E3",   "5n",   "5.", "1Ki" };
	static const char *const bad[] = { "",	   "Gi",  "1 Gi", "1gi", "1e",
					   "1ee3", "0x1", ".",	  "1mi", "1K" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!schema_quantity_ok(slice_str(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (schema_quantity_ok(slice_str(bad[i])))
			fail_msg("accepted: %s", bad[i]);
}

/* --- memory
 * ------------------------------------------------------------------------------------------ */

/* One run of everything; returns the first failure. */
static int run_all(struct arena *a, const struct doc *d, struct err *err)
{
	struct doc back, *copy;
	struct all x;
	int r = schema_decode(&all_schema, d, a, &x, NULL, err);

	if (r == 0)
		r = schema_encode(&all_schema, &x, a, &back, err);
	if (r == 0) {
		copy = doc_copy(a, d);
		if (!copy)
			return arena_quota(a, err);
		r = schema_default(&all_schema, copy, a, err);
	}
	return r;
}

static void every_failing_allocation_is_a_clean_error(void **state)
{
	static const char broken[] =
		"{\"path\":\"\",\"label\":\"\",\"ports\":[{\"x\":1}],\"blob\":\"AAEC\"}";
	struct fix *f = *state;
	unsigned failures = 0;

	for (unsigned n = 1; n < 1000; n++) {
		CLEANUP(arena_free) struct arena *a = arena_new("failing", 1 << 20);
		struct doc *good = json(f->a, full);
		int r;

		f->err = ERR_INIT;
		arena_fail_at(a, n);
		r = run_all(a, good, &f->err);
		if (r == 0)
			break;
		failures++;
		assert_int_equal(r, -ERR_QUOTA);
		assert_non_null(strstr(f->err.msg, "failing"));
	}
	assert_in_range(failures, 30, 900);
	for (unsigned n = 1; n < 100; n++) {
		CLEANUP(arena_free) struct arena *a = arena_new("failing", 1 << 20);
		int r;

		arena_fail_at(a, n);
		r = schema_validate(&all_schema, json(f->a, broken), a, NULL, &f->err);
		if (r == -ERR_INVALID)
			return;
		assert_int_equal(r, -ERR_QUOTA);
	}
	fail_msg("validation never got through");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_type_lands_in_its_member),
		CASE(absent_fields_are_zero_or_their_default),
		CASE(null_is_absence_unless_nullable),
		CASE(null_elements_are_zero_values),
		CASE(wrong_types_are_refused),
		CASE(ranges_are_those_of_row_and_c_type),
		CASE(lengths_and_counts_are_limited),
		CASE(formats_and_enums_are_checked),
		CASE(a_secret_never_shows),
		CASE(required_fields_are_named_with_their_path),
		CASE(duplicates_in_sets_and_keyed_lists_are_refused),
		CASE(unknown_fields_follow_the_policy),
		CASE(warnings_name_unknown_and_deprecated_fields),
		CASE(keys_match_without_case_only_when_asked),
		CASE(rules_between_fields_run_last),
		CASE(all_causes_are_collected_up_to_the_limit),
		CASE(recursion_is_bounded),
		CASE(encode_gives_back_what_was_decoded),
		CASE(unset_values_are_left_out_or_emitted_as_told),
		CASE(defaults_are_inserted_into_documents),
		CASE(prune_removes_what_no_row_names),
		CASE(formats_accept_and_refuse),
		CASE(times_and_durations_are_exact),
		CASE(quantities_follow_kubernetes),
		CASE(every_failing_allocation_is_a_clean_error),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
