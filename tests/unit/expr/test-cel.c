/* SPDX-License-Identifier: Apache-2.0 */
/* CEL over documents: types that callers bring, messages of the checker, errors, cost, bounds. */
#include "cel-check.h"

#include "base/clock.h"

#include <stdio.h>

/* ---- an object type as a CRD would have it ---- */

static const char *const merge_keys[] = { "name", NULL };
static const struct cel_type short_text = { .kind = CEL_T_STRING, .name = "string", .max = 10 };
static const struct cel_type set_type = {
	.kind = CEL_T_LIST, .name = "list", .list = CEL_LIST_SET, .of = { &short_text }, .max = 100
};
static const struct cel_type keyed_type = { .kind = CEL_T_LIST,
					    .name = "list",
					    .list = CEL_LIST_MAP,
					    .keys = merge_keys,
					    .of = { &cel_types[CEL_T_DYN] } };
static const struct cel_type labels_type = {
	.kind = CEL_T_MAP, .name = "map", .of = { &short_text, &short_text }, .max = 10
};

static const struct {
	const char *name;
	const struct cel_type *type;
} members[] = {
	{ "replicas", &cel_types[CEL_T_INT] },
	{ "name", &short_text },
	{ "ratio", &cel_types[CEL_T_DOUBLE] },
	{ "tags", &set_type },
	{ "ports", &keyed_type },
	{ "labels", &labels_type },
	{ "expires", &cel_types[CEL_T_TIMESTAMP] },
	{ "every", &cel_types[CEL_T_DURATION] },
	{ "data", &cel_types[CEL_T_BYTES] },
	{ "any", &cel_types[CEL_T_DYN] },
	{ "namespace", &short_text },
	{ "x-y.z/a__b", &short_text },
	{ "on", &cel_types[CEL_T_BOOL] },
	{ "text", &cel_types[CEL_T_STRING] },
};

static const struct cel_type *find_member(const void *arg, struct slice name, struct arena *a)
{
	(void)arg;
	(void)a;
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (slice_is(name, members[i].name))
			return members[i].type;
	return NULL;
}

static const struct cel_fields fields = { find_member, NULL };
static const struct cel_type self_type = { .kind = CEL_T_OBJECT,
					   .name = "selfType",
					   .fields = &fields };

static const char self_json[] =
	"{\"replicas\":3,\"name\":\"web\",\"ratio\":1,\"tags\":[\"a\",\"b\"],"
	"\"ports\":[{\"name\":\"x\",\"n\":1},{\"name\":\"y\",\"n\":2}],\"labels\":{\"k\":\"v\"},"
	"\"expires\":\"2026-01-02T03:04:05Z\",\"every\":\"1h30m\",\"data\":\"aGk=\","
	"\"any\":{\"i\":1,\"d\":1.5,\"big\":1e300,\"s\":\"x\",\"n\":null,\"l\":[1,2.0,\"3\"]},"
	"\"namespace\":\"default\",\"x-y.z/a__b\":\"odd\",\"on\":true}";

static void with_self(struct cel_test *t)
{
	struct err err = ERR_INIT;

	test_init(t, 0);
	assert_int_equal(cel_env_var(t->env, "self", &self_type, &err), 0);
	assert_int_equal(cel_env_type(t->env, &self_type, &err), 0);
	assert_int_equal(cel_env_var(t->env, "doc", cel_type_of(CEL_T_DYN), &err), 1);
	assert_int_equal(cel_env_var(t->env, "none", cel_type_of(CEL_T_INT), &err), 2);
	assert_int_equal(cel_env_var(t->env, "self", &self_type, &err), -ERR_EXISTS);
	assert_int_equal(cel_value_of(must_read(t->a, self_json), &self_type, t->a, &t->v[0], &err),
			 0);
	assert_int_equal(cel_value_of(must_read(t->a, self_json), NULL, t->a, &t->v[1], &err), 0);
	t->vars.n = 2;
}

struct row {
	const char *expr;
	const char *error; /* NULL: it is true */
};

static void run_rows(const struct row *rows, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct cel_value v = cel_null();
		struct cel_test t;
		int r;

		with_self(&t);
		r = test_eval(&t, t.env, rows[i].expr, &v);
		if (rows[i].error ? r == 0 || !strstr(t.err.msg, rows[i].error)
				  : r < 0 || v.kind != CEL_T_BOOL || !v.b) {
			print_error("%s: %s\n", rows[i].expr,
				    r < 0 ? t.err.msg : "no error, or false");
			bad++;
		}
		test_fini(&t);
	}
	assert_int_equal(bad, 0);
}

#define RUN(rows) run_rows(rows, ARRAY_LEN(rows))

static void documents_are_values_of_their_types(void **state)
{
	static const struct row rows[] = {
		{ "self.replicas + 1 == 4 && self.ratio == 1.0 && self.ratio / 2.0 == 0.5", NULL },
		{ "self.expires.getFullYear() == 2026 && self.every > duration('1h')", NULL },
		{ "self.data == b'hi' && self.data.size() == 2", NULL },
		{ "self.labels['k'] == 'v' && self.labels.k == 'v' && 'k' in self.labels", NULL },
		{ "type(self.any.i) == int && type(self.any.d) == double && type(self.any.big) == "
		  "double",
		  NULL },
		{ "self.any.n == null && has(self.any.n) && !has(self.any.m)", NULL },
		{ "self.any.l.map(x, type(x)) == [int, double, string]", NULL },
		{ "has(self.name) && !has(self.text)", NULL },
		{ "self.__namespace__ == 'default'", NULL },
		{ "self.x__dash__y__dot__z__slash__a__underscores__b == 'odd'", NULL },
		{ "dyn(self).__namespace__ == 'default' && has(dyn(self).__namespace__)", NULL },
		{ "doc.replicas == 3 && type(doc.ratio) == int && doc.namespace == 'default'",
		  NULL },
		{ "self.?text.orValue('gone') == 'gone' && self.?name.value() == 'web'", NULL },
		{ "doc.?any.?l[?0].value() == 1 && !doc[?'nothing'].hasValue()", NULL },
		{ "self.tags == ['b', 'a']", NULL },
		{ "self.tags + ['b', 'c'] == ['a', 'b', 'c']", NULL },
		{ "(self.ports + [{'name': dyn('y'), 'n': dyn(5)}]).map(p, p.n) == [1, 5]", NULL },
		{ "self.ports.exists_one(p, p.name == 'x')", NULL },
		{ "self == self && doc == doc && self.any == doc.any", NULL },
		{ "selfType{replicas: 2, ?name: optional.none()}.replicas == 2", NULL },
		{ "!has(selfType{replicas: 2}.name)", NULL },
		{ "self.text == ''", "no such key: text" },
		{ "doc.nothing.more", "no such key: nothing" },
		{ "doc.any.l[3] == 1", "index out of bounds: 3" },
		{ "doc.any.l['x'] == 1", "unsupported index type 'string' in list" },
		{ "none == 1", "no such attribute(s): none" },
		{ "doc.name.x == 1", "no such key: x" },
	};

	(void)state;
	RUN(rows);
}

static void the_checker_speaks_as_cel_go(void **state)
{
	static const struct row rows[] = {
		{ "x",
		  "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^" },
		{ "1 + 'a'", "found no matching overload for '_+_' applied to '(int, string)'" },
		{ "self.nope",
		  "ERROR: <input>:1:5: undefined field 'nope'\n | self.nope\n | ....^" },
		{ "self.name.startsWith(1)",
		  "ERROR: <input>:1:21: found no matching overload for 'startsWith'" },
		{ "self.replicas.x", "type 'int' does not support field selection" },
		{ "self.name.contains(1)",
		  "found no matching overload for 'contains' applied to 'string.(int)'" },
		{ "nope(1)", "undeclared reference to 'nope' (in container '')" },
		{ "self.name.nope()", "undeclared reference to 'nope' (in container '')" },
		{ "1.all(x, true)", "expression of type 'int' cannot be range of a comprehension "
				    "(must be list, map, or "
				    "dynamic)" },
		{ "'%s %d'.format(['a', 1]) == 'a 1'", NULL },
		{ "[1, 'a']", "expected type 'int' but found 'string'" },
		{ "{'a': 1, 'b': 'c'}", "expected type 'int' but found 'string'" },
		{ "[1].all(x, x)", "expected type 'bool' but found 'int'" },
		{ "true && 1", "expected type 'bool' but found 'int'" },
		{ "true ? 1 : 'a'",
		  "found no matching overload for '_?_:_' applied to '(bool, int, string)'" },
		{ "[1][?'a']",
		  "found no matching overload for '_[?_]' applied to '(list(int), string)'" },
		{ "self{}", "'selfType' is not a type" },
		{ "int{}", "'int' is not a message type" },
		{ "Nope{}", "undeclared reference to 'Nope' (in container '')" },
		{ "selfType{replicas: 'a'}",
		  "expected type of field 'replicas' is 'int' but provided type is 'string'" },
		{ "[?1]", "expected type 'optional_type(int)' but found 'int'" },
		{ "x + y", "\nERROR: <input>:1:5: undeclared reference to 'y' (in container '')" },
		{ "timestamp('x') == timestamp('y')", "invalid timestamp argument" },
		{ "duration('x') == duration('1')", "invalid duration argument" },
		{ "self.text == null",
		  "found no matching overload for '_==_' applied to '(string, null)'" },
		{ "{}.a.b.c == [].map(x, x).filter(x, x > 1)[0] || true", NULL },
	};

	(void)state;
	RUN(rows);
}

static void errors_are_absorbed_where_something_else_decides(void **state)
{
	static const struct row rows[] = {
		{ "1 / 0 == 1 || true", NULL },
		{ "!(1 / 0 == 1 && false)", NULL },
		{ "[1, 0].exists(x, 1 / x == 1) && ![0, 1].all(x, 1 / x == 2)", NULL },
		{ "[0, 0].exists(x, 1 / x == 1)", "division by zero" },
		{ "1 / 0 == 1 || 1 % 0 == 1", "division by zero" },
		{ "true ? true : 1 / 0 == 1", NULL },
		{ "[0, 1].exists_one(x, 1 / x == 1)", "division by zero" },
		{ "cel.bind(x, 1 / 0, true) && optional.of(1).orValue(1 / 0) == 1", NULL },
		{ "cel.bind(x, 1 / 0, x == 1)", "division by zero" },
		{ "{'a': 1, 'a': 2}.size() == 1", "Failed with repeated key: a" },
		{ "{1: 1, 1u: 2}.size() == 1", "expected type 'int' but found 'uint'" },
		{ "dyn({1.5: 1}).size() == 1", "unsupported key type" },
		{ "timestamp('9999-12-31T23:59:59Z') + duration('1s') == timestamp(0)",
		  "timestamp overflow" },
		{ "timestamp('2024-01-01T00:00:00Z').getHours('Europe/Paris') == 1",
		  "unknown time zone Europe/Paris: names of places are not supported" },
		{ "timestamp('2024-01-01T00:00:00Z').getHours('-02:30') == 21", NULL },
		{ "optional.none().value() == 1", "optional.none() dereference" },
		{ "[[1, 2]].transformMapEntry(i, v, {v[0]: v[1]}) == {1: 2}", NULL },
		{ "[1, 1].transformMapEntry(i, v, {v: i}).size() == 1",
		  "insert failed: key 1 already exists" },
	};

	(void)state;
	RUN(rows);
}

static void maps_of_many_entries_are_found_by_key(void **state)
{
	static const struct row rows[] = {
		{ "cel.bind(m, lists.range(1000).transformMap(i, v, string(v)), m.size() == 1000 "
		  "&& "
		  "m[999] == '999' && m[dyn(500u)] == '500' && m[dyn(7.0)] == '7' && !(1000 in m))",
		  NULL },
		{ "cel.bind(m, lists.range(1000).transformMapEntry(i, v, {'k' + string(v): v}), "
		  "m['k999'] == 999 && !('k1000' in m) && m == m)",
		  NULL },
	};

	(void)state;
	RUN(rows);
}

static void a_program_has_the_type_that_is_wanted(void **state)
{
	const struct cel_prog *p;
	struct cel_test t;
	char text[64];

	(void)state;
	with_self(&t);
	assert_int_equal(cel_compile(t.env, SLICE("self.replicas > 1"), cel_type_of(CEL_T_BOOL),
				     t.a, &p, &t.err),
			 0);
	assert_true(cel_prog_uses(p, 0) && !cel_prog_uses(p, 1));
	assert_int_equal(
		cel_compile(t.env, SLICE("doc.x"), cel_type_of(CEL_T_BOOL), t.a, &p, &t.err),
		-ERR_INVALID);
	assert_string_equal(t.err.msg, "must evaluate to bool");
	assert_int_equal(cel_compile(t.env, SLICE("{'a': [self.labels]}"), NULL, t.a, &p, &t.err),
			 0);
	assert_string_equal(cel_type_text(cel_prog_type(p), text, sizeof(text)),
			    "map(string, list(map(string, string)))");
	test_fini(&t);
}

/* ---- fields on demand ---- */

static int get_field(void *arg, struct slice field, struct arena *a, struct cel_value *ret,
		     struct err *err)
{
	unsigned *asked = arg;

	(void)a;
	++*asked;
	if (slice_is(field, "bad"))
		return err_set(err, ERR_INVALID, "variables.bad: no such key: x");
	if (!slice_is(field, "n"))
		return 1;
	*ret = cel_int(5);
	return 0;
}

static void fields_may_be_made_when_they_are_asked_for(void **state)
{
	unsigned asked = 0;
	struct cel_getter g = { get_field, &asked };
	struct cel_test t;
	struct cel_value v;

	(void)state;
	test_init(&t, 0);
	(void)cel_env_var(t.env, "variables", cel_type_of(CEL_T_OBJECT), NULL);
	t.v[0] = cel_object(&g, cel_type_of(CEL_T_OBJECT));
	t.vars.n = 1;
	assert_int_equal(test_eval(&t, t.env, "true || variables.n == 1", &v), 0);
	assert_int_equal(asked, 0);
	assert_int_equal(test_eval(&t, t.env, "variables.n == 5 && !has(variables.x)", &v), 0);
	assert_true(v.b && asked == 2);
	assert_int_equal(test_eval(&t, t.env, "variables.bad == 1", &v), -ERR_INVALID);
	assert_string_equal(t.err.msg, "variables.bad: no such key: x");
	test_fini(&t);
}

static void values_become_documents(void **state)
{
	static const struct {
		const char *expr, *json;
	} rows[] = {
		{ "{'a': [1, 2u, 1.5, null, true, 'x'].map(x, x)}",
		  "{\"a\":[1,2,1.5,null,true,\"x\"]}" },
		{ "[dyn(timestamp(0)), duration('90s'), b'hi', ip('::1'), url('/x'), {1: 2}]",
		  "[\"1970-01-01T00:00:00Z\",\"90s\",\"aGk=\",\"::1\",\"/x\",{\"1\":2}]" },
		{ "self.any.l", "[1,2.0,\"3\"]" },
		{ "optional.of([1])", "[1]" },
		{ "selfType{replicas: 1}", "{\"replicas\":1}" },
	};
	struct cel_value v;
	struct cel_test t;
	struct doc d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 12);

		with_self(&t);
		t.env->flags = CEL_ENV_MIXED;
		if (test_eval(&t, t.env, rows[i].expr, &v) < 0)
			fail_msg("%s: %s", rows[i].expr, t.err.msg);
		assert_int_equal(cel_value_doc(&v, t.a, &d, &t.err), 0);
		assert_int_equal(json_write(&d, 0, &b, &t.err), 0);
		assert_string_equal(buf_str(&b), rows[i].json);
		test_fini(&t);
	}
	test_init(&t, 0);
	assert_int_equal(test_eval(&t, t.env, "type(1)", &v), 0);
	assert_int_equal(cel_value_doc(&v, t.a, &d, &t.err), -ERR_INVALID);
	test_fini(&t);
}

/* ---- cost ---- */

static void runs_cost_what_they_do_in_kubernetes(void **state)
{
	static const struct {
		const char *expr;
		uint64_t cost;
	} rows[] = {
		{ "'x'", 0 },
		{ "doc", 1 },
		{ "doc.name", 2 },
		{ "doc['name']", 2 },
		{ "has(doc.name)", 1 },
		{ "doc['na' + 'me']", 3 },
		{ "1 < 2", 1 },
		{ "'12345678901234567890' == '123456789012345678901234567890'", 2 },
		{ "true || false", 0 },
		{ "self.on || self.on", 2 },
		{ "true ? 1 : 2", 0 },
		{ "self.name.startsWith('w')", 3 },
		{ "'123'.matches('[0-9]')", 2 },
		{ "size(self.name)", 3 },
		{ "[self.on]", 12 },
		{ "{'a': 1}", 30 },
		{ "selfType{replicas: 1}", 40 },
		/* Lists of constants are made before the run. */
		{ "[1, 2, 3].all(x, true)", 10 },
		{ "[1, 2, 3, 4, 5].filter(x, x % 2 == 0)", 42 },
		{ "[1, 2, 3, 4, 5].map(x, x)", 66 },
		{ "[1, 2, 3].exists_one(x, x == 1)", 10 },
		{ "self.tags.isSorted()", 2 },
		{ "['aaaaaaaaaa'].isSorted()", 1 },
		{ "self.name.lowerAscii()", 3 },
		{ "['a', 'b'].join(',')", 1 },
		{ "isIP('1.2.3.4')", 1 },
		{ "cidr('10.0.0.0/8').containsIP(ip('10.1.1.1'))", 3 },
		{ "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", 6 },
		{ "ip('2001:db8::1') == ip('::')", 4 },
		{ "quantity('1') == quantity('2')", 3 },
		{ "sets.contains([1, 2], [1])", 3 },
		{ "{'a': 1, 'b': 2}.exists(k, v, v > 0)", 40 },
		{ "{'a': 1, 'b': 2}.transformMapEntry(k, v, {k: v + 1})", 131 },
		{ "format.named('dns1123Subdomain').value().validate('my-name')", 17 },
		{ "url('http://x.b') == url('http://x.b')", 3 },
	};
	struct cel_value v;
	struct cel_test t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		with_self(&t);
		if (test_eval(&t, t.env, rows[i].expr, &v) < 0)
			fail_msg("%s: %s", rows[i].expr, t.err.msg);
		if (t.budget.used != rows[i].cost ||
		    t.budget.left != CEL_COST_OBJECT_MAX - t.budget.used)
			fail_msg("%s: %llu", rows[i].expr, (unsigned long long)t.budget.used);
		test_fini(&t);
	}
}

static void estimates_follow_the_sizes_of_types(void **state)
{
	static const struct {
		const char *expr;
		uint64_t min, max;
	} rows[] = {
		{ "true", 0, 0 },
		{ "self.replicas > 1", 3, 3 },
		{ "has(self.name)", 1, 1 },
		{ "self.name == 'x'", 3, 3 },
		{ "self.text == 'x'", 3, 3 },
		{ "self.name.startsWith('x')", 3, 3 },
		{ "self.name.contains(self.name)", 4, 5 },
		{ "self.text.contains(self.text)", 4, UINT64_MAX },
		{ "self.tags.all(x, x == 'a')", 3, 503 },
		{ "self.tags.all(x, self.tags.all(y, x == y))", 3, 60603 },
		{ "self.labels.exists(k, self.labels[k] == 'a')", 3, 93 },
		{ "self.tags.map(x, x + 'aaaaaaaaaa')", 13, 1513 },
		{ "self.ports.all(p, true)", 3, UINT64_MAX },
		{ "self.name.matches('[a-z]+')", 4, 6 },
		{ "[1, 2].all(x, x > 0)", 17, 21 },
		{ "self.on ? self.replicas > 1 : true", 2, 5 },
		{ "self.on && self.replicas > 1", 2, 5 },
		{ "self.tags.isSorted()", 2, 202 },
		{ "self.name + self.name == 'x'", 5, 7 },
		{ "self.tags.join(',').size() > 1", 4, 114 },
		{ "[1, 2, 3, 4, 5].filter(x, x % 2 == 0)", 41, 101 },
		{ "[1, 2, 3, 4, 5].map(x, x).map(x, x)", 162, 162 },
		{ "[1, 2, 3, 4, 5].map(x, x).exists(x, x == 5) == true", 108, 118 },
		{ "[1, 2, 3, 4, 5].map(x, [x, x]).all(y, y.all(y, y == 1))", 157, 217 },
		{ "[1, 2, 3].all(i, i in [1, 2, 3].map(j, j + j))", 20, 230 },
		{ "{'hello': 'hi'}['hello'] != {'hello': 'bye'}['hello']", 63, 63 },
		{ "{'a': 1, 'b': 2}.all(k, v, v > 0)", 37, 41 },
		{ "{'a': 1, 'b': 2}.exists(k, v, v > 0)", 39, 43 },
		{ "format.named('dns1123Label').value().validate('my-name')", 34, 34 },
		{ "isIP('x') && cidr('::/0').containsIP('::1')", 1, 7 },
		{ "sets.contains([], [])", 21, 21 },
	};
	const struct cel_prog *p;
	struct cel_test t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cel_cost c;

		with_self(&t);
		if (cel_compile(t.env, slice_str(rows[i].expr), NULL, t.a, &p, &t.err) < 0)
			fail_msg("%s: %s", rows[i].expr, t.err.msg);
		c = cel_prog_cost(p);
		if (c.min != rows[i].min || c.max != rows[i].max)
			print_error("%s: %llu to %llu\n", rows[i].expr, (unsigned long long)c.min,
				    (unsigned long long)c.max);
		assert_true(c.min == rows[i].min && c.max == rows[i].max);
		test_fini(&t);
	}
}

static void hostile_expressions_end_by_cost(void **state)
{
	static const char *const rows[] = {
		"lists.range(1000).all(a, lists.range(1000).all(b, lists.range(1000).all(c, a >= "
		"0)))",
		"lists.range(100000).map(x, lists.range(100000)).size() > 0",
		"lists.range(9223372036854775807).size() > 0",
		"lists.range(20000).sort().size() > 0",
		/* Cheap by cost, long to do: what a step looks at counts too. */
		"cel.bind(a, lists.range(100000), lists.range(100000).all(x, a == a))",
		"cel.bind(s, lists.range(50000).map(x, "
		"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').join(''), "
		"lists.range(100000).all(x, s != 'a'))",
		"cel.bind(s, lists.range(50000).map(x, "
		"'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').join(''), "
		"lists.range(100000).all(x, s.size() > 0))",
		"cel.bind(a, [1, 1], cel.bind(b, [a, a], cel.bind(c, [b, b], cel.bind(d, [c, c], "
		"cel.bind(e, [d, d], cel.bind(f, [e, e], cel.bind(g, [f, f], cel.bind(h, [g, g], "
		"cel.bind(i, [h, h], lists.range(200000).all(x, i == i))))))))))",
		"cel.bind(s, lists.range(20000).map(x, 'aaaaaaaaaaaaaaaaaaaaaaaa').join(''), "
		"s.matches('(a{0,30}){0,30}b'))",
	};
	struct cel_value v;
	struct cel_test t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t from = clock_mono();
		int r;

		with_self(&t);
		r = test_eval(&t, t.env, rows[i], &v);
		if (r != -ERR_TOO_LARGE && r != -ERR_QUOTA)
			fail_msg("%s: %d %s", rows[i], r, r < 0 ? t.err.msg : "");
		if (r == -ERR_TOO_LARGE && !strstr(t.err.msg, "recursion limit"))
			assert_string_equal(t.err.msg,
					    "operation cancelled: actual cost limit exceeded");
		test_fini(&t);
		if (clock_mono() - from > 10 * NS_PER_SEC)
			fail_msg("%s: too long", rows[i]);
	}
}

static void a_budget_is_for_all_runs_of_an_object(void **state)
{
	const struct cel_prog *p;
	struct cel_budget b = { .call = 100, .left = 150 };
	struct cel_value v;
	struct cel_test t;

	(void)state;
	with_self(&t);
	assert_int_equal(cel_compile(t.env, SLICE("[1,2,3,4,5].map(x, x).size() > 0"), NULL, t.a,
				     &p, &t.err),
			 0);
	assert_int_equal(cel_run(p, &t.vars, &b, t.a, &v, &t.err), 0);
	assert_int_equal(b.used, 68);
	assert_int_equal(b.left, 82);
	assert_int_equal(cel_run(p, &t.vars, &b, t.a, &v, &t.err), 0);
	assert_int_equal(b.left, 14);
	assert_int_equal(cel_run(p, &t.vars, &b, t.a, &v, &t.err), -ERR_QUOTA);
	assert_non_null(strstr(t.err.msg, "running out of cost budget"));
	assert_int_equal(b.left, 0);
	test_fini(&t);
}

static void depth_and_types_are_bounded(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	const struct cel_prog *p;
	struct cel_test t;

	(void)state;
	with_self(&t);
	/* Parentheses do not count as depth of the tree, chains of members do. */
	(void)buf_adds(&b, "((doc");
	for (int i = 0; i < 2000; i++)
		(void)buf_adds(&b, i == 900 || i == 1800 ? ".a)" : ".a");
	assert_int_equal(cel_compile(t.env, buf_slice(&b), NULL, t.a, &p, &t.err), -ERR_TOO_LARGE);
	/* Types that share their parts are exponential when they are walked. */
	buf_clear(&b);
	(void)buf_adds(&b, "cel.bind(a0, {1: [2]}, ");
	for (int i = 1; i < 60; i++)
		(void)buf_addf(&b, "cel.bind(a%d, {'x': optional.of([{1: a%d, 2: a%d}])}, ", i,
			       i - 1, i - 1);
	(void)buf_adds(&b, "a59 == a58");
	for (int i = 0; i < 60; i++)
		(void)buf_addc(&b, ')');
	assert_true(cel_compile(t.env, buf_slice(&b), NULL, t.a, &p, &t.err) < 0);
	test_fini(&t);
}

/* Each takes what it is, not what is left of the text. */
static void many_literals_take_little(void **state)
{
	CLEANUP(arena_free) struct arena *a = arena_new("small", 4u << 20);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	const struct cel_prog *p;
	struct err err = ERR_INIT;

	(void)state;
	(void)buf_adds(&b, "x in ['a'");
	for (int i = 0; i < 5000; i++)
		(void)buf_adds(&b, ", '\\u00e4'");
	(void)buf_addc(&b, ']');
	assert_int_equal(cel_compile(cel_env_new(a, 0), buf_slice(&b), NULL, a, &p, &err),
			 -ERR_INVALID);
	assert_non_null(strstr(err.msg, "undeclared reference to 'x'"));
}

/* Every allocation fails once: an error, never a crash. */
static void a_full_arena_is_an_error(void **state)
{
	static const char text[] =
		"cel.bind(v, self.tags.map(x, x + 'a'), v.exists(t, t.matches(t + '$'))) && "
		"{'a': self.any}.transformMap(k, v, optional.of(v)).size() == 1 && "
		"'%s'.format([self.labels]) != url('/x').getScheme()";
	int r = -1;

	(void)state;
	for (unsigned n = 1; n < 2000 && r != 0; n++) {
		const struct cel_prog *p;
		struct cel_value v;
		struct cel_test t;

		with_self(&t);
		t.budget = CEL_BUDGET_INIT;
		arena_fail_at(t.a, n);
		r = cel_compile(t.env, SLICE(text), NULL, t.a, &p, &t.err);
		if (r == 0)
			r = cel_run(p, &t.vars, &t.budget, t.a, &v, &t.err);
		assert_true(r == 0 || r == -ERR_QUOTA);
		test_fini(&t);
	}
	assert_int_equal(r, 0);
}

/* A figure, not a check: what a rule of a policy takes. */
static void a_typical_rule_is_fast(void **state)
{
	static const char *const rules[] = {
		"self.replicas <= 5",
		"self.tags.all(x, x.size() < 10) && self.name.startsWith('w')",
		"has(doc.any) && doc.ports.all(p, p.n > 0 && p.name.matches('^[a-z]+$'))",
	};
	enum { ROUNDS = 20000 };
	struct cel_test t;
	struct cel_value v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("run", 1 << 20);
		const struct cel_prog *p;
		int64_t from;

		with_self(&t);
		assert_int_equal(cel_compile(t.env, slice_str(rules[i]), NULL, t.a, &p, &t.err), 0);
		from = clock_mono();
		for (int n = 0; n < ROUNDS; n++) {
			struct cel_budget b = CEL_BUDGET_INIT;

			arena_reset(a);
			assert_int_equal(cel_run(p, &t.vars, &b, a, &v, &t.err), 0);
			assert_true(v.b);
		}
		print_message("%lld ns: %s\n", (long long)((clock_mono() - from) / ROUNDS),
			      rules[i]);
		test_fini(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_values_of_their_types),
		cmocka_unit_test(the_checker_speaks_as_cel_go),
		cmocka_unit_test(errors_are_absorbed_where_something_else_decides),
		cmocka_unit_test(maps_of_many_entries_are_found_by_key),
		cmocka_unit_test(a_program_has_the_type_that_is_wanted),
		cmocka_unit_test(fields_may_be_made_when_they_are_asked_for),
		cmocka_unit_test(values_become_documents),
		cmocka_unit_test(runs_cost_what_they_do_in_kubernetes),
		cmocka_unit_test(estimates_follow_the_sizes_of_types),
		cmocka_unit_test(hostile_expressions_end_by_cost),
		cmocka_unit_test(a_budget_is_for_all_runs_of_an_object),
		cmocka_unit_test(depth_and_types_are_bounded),
		cmocka_unit_test(many_literals_take_little),
		cmocka_unit_test(a_full_arena_is_an_error),
		cmocka_unit_test(a_typical_rule_is_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
