/* SPDX-License-Identifier: Apache-2.0 */
/* Rules in CEL of custom kinds: what definitions are told, and objects. */
#include "custom-kit.h"

#include "base/clock.h"

#define HEAD                                                                                  \
	"kind: Foo\napiVersion: example.com/v1\nmetadata: {name: num, namespace: d, labels: " \
	"{a: b}, resourceVersion: '1'}\n"

/* What api_check says of an object with these members; "" = nothing. */
static const char *said(struct kit *x, const struct custom *c, const char *obj, const char *old,
			const char *sub)
{
	struct doc *d = kit_yaml(x, arena_printf(x->a, "%s%s", HEAD, obj)),
		   *o = old ? kit_yaml(x, arena_printf(x->a, "%s%s", HEAD, old)) : NULL;
	struct err err = ERR_INIT;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);

	if (api_check(&x->api, custom_stored(c), sub, d, o, x->a, &err) == 0)
		return "";
	assert_int_equal(err.code, ERR_INVALID);
	for (const struct cause *k = err.causes; k; k = k->next)
		buf_addf(&b, "%s%s: %s", b.n ? "\n" : "", k->field, k->detail);
	return arena_strndup(x->a, buf_str(&b), b.n);
}

struct row {
	const char *spec; /* the schema's members of spec beside its type */
	const char *obj, *old, *words;
};

static void say(struct kit *x, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct custom *c = kit_compile(
			x,
			arena_printf(x->a, "{type: object, properties: {spec: {type: object, %s}}}",
				     rows[i].spec),
			"{}");
		const char *have = said(
			x, c, arena_printf(x->a, "spec: %s\n", rows[i].obj),
			rows[i].old ? arena_printf(x->a, "spec: %s\n", rows[i].old) : NULL, "");

		custom_unref(c);
		if (strcmp(have, rows[i].words) != 0)
			fail_msg("%s under %s:\n'%s', not\n'%s'", rows[i].obj, rows[i].spec, have,
				 rows[i].words);
	}
}

#define AB "properties: {a: {type: integer}, b: {type: integer}}, x-kubernetes-validations: "

static void rules_are_told_in_upstream_s_words(void **state)
{
	static const struct row rows[] = {
		{ AB "[{rule: 'self.a < self.b'}]", "{a: 1, b: 2}", NULL, "" },
		{ AB "[{rule: ' self.a < self.b '}]", "{a: 2, b: 1}", NULL,
		  "spec: Invalid value: \"object\": failed rule: self.a < self.b" },
		{ AB "[{rule: 'self.a < self.b', message: 'a is less than b'}]", "{a: 2, b: 1}",
		  NULL, "spec: Invalid value: \"object\": a is less than b" },
		{ AB
		  "[{rule: 'self.a < self.b', message: m, messageExpression: '\"a is %d\".format("
		  "[self.a])'}]",
		  "{a: 2, b: 1}", NULL, "spec: Invalid value: \"object\": a is 2" },
		/* a messageExpression that says nothing, more than a line, or fails */
		{ AB "[{rule: 'self.a < self.b', messageExpression: '\" \"'}]", "{a: 2, b: 1}",
		  NULL, "spec: Invalid value: \"object\": failed rule: self.a < self.b" },
		{ AB "[{rule: 'self.a < self.b', message: m, messageExpression: "
		     "'\"a\\nb\"'}]",
		  "{a: 2, b: 1}", NULL, "spec: Invalid value: \"object\": m" },
		{ AB "[{rule: 'false', message: m, messageExpression: 'string(1 / "
		     "self.a)'}]",
		  "{a: 0}", NULL, "spec: Invalid value: \"object\": m" },
		{ AB "[{rule: 'self.a < self.b', reason: FieldValueForbidden, message: not so}]",
		  "{a: 2, b: 1}", NULL, "spec: Forbidden: not so" },
		{ AB "[{rule: 'has(self.a)', reason: FieldValueRequired, fieldPath: .a, message: "
		     "a it is}]",
		  "{b: 1}", NULL, "spec.a: Required value: a it is" },
		{ AB "[{rule: 'self.a != 1', reason: FieldValueDuplicate, fieldPath: .a}]",
		  "{a: 1}", NULL, "spec.a: Duplicate value: \"object\"" },
		{ AB "[{rule: 'self.a != 1', reason: FieldValueInvalid, fieldPath: \"['a']\"}]",
		  "{a: 1}", NULL, "spec.a: Invalid value: \"object\": failed rule: self.a != 1" },
		/* all rules are run; each error is told */
		{ AB "[{rule: 'self.a > 0'}, {rule: 'self.b > 0'}]", "{a: 0, b: 0}", NULL,
		  "spec: Invalid value: \"object\": failed rule: self.a > 0\n"
		  "spec: Invalid value: \"object\": failed rule: self.b > 0" },
		{ AB "[{rule: 'self.a > 0'}, {rule: '1 / self.b > 0', message: m}]", "{b: 0}", NULL,
		  "spec: Invalid value: \"object\": no such key: a evaluating rule: self.a > 0\n"
		  "spec: Invalid value: \"object\": division by zero evaluating rule: m" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void values_have_the_types_of_their_schemas(void **state)
{
	static const struct row rows[] = {
		{ "properties: {a: {x-kubernetes-int-or-string: true, x-kubernetes-validations: "
		  "[{rule: 'type(self) == int ? self < 5 : self.endsWith(\"%\")'}]}}",
		  "{a: 5%}", NULL, "" },
		{ "properties: {a: {x-kubernetes-int-or-string: true, x-kubernetes-validations: "
		  "[{rule: 'type(self) == int ? self < 5 : self.endsWith(\"%\")'}]}}",
		  "{a: 7}", NULL,
		  "spec.a: Invalid value: \"\": failed rule: type(self) == int ? self < 5 : "
		  "self.endsWith(\"%\")" },
		{ "properties: {t: {type: string, format: date-time}}, x-kubernetes-validations: "
		  "[{rule: 'self.t.getFullYear() == 2024'}]",
		  "{t: '2023-01-01T00:00:00Z'}", NULL,
		  "spec: Invalid value: \"object\": failed rule: self.t.getFullYear() == 2024" },
		{ "properties: {d: {type: string, format: duration}}, x-kubernetes-validations: "
		  "[{rule: 'self.d < duration(\"1h\")'}]",
		  "{d: 59m}", NULL, "" },
		{ "properties: {b: {type: string, format: byte}}, x-kubernetes-validations: "
		  "[{rule: "
		  "'self.b == b\"ab\"'}]",
		  "{b: YWI=}", NULL, "" },
		{ "properties: {num: {type: number}}, x-kubernetes-validations: [{rule: 'self.num "
		  "> "
		  "1.5'}]",
		  "{num: 2}", NULL, "" },
		{ "properties: {a-b: {type: integer}, namespace: {type: string}}, "
		  "x-kubernetes-validations: [{rule: 'self.a__dash__b > 1 && "
		  "self.__namespace__ == \"x\"'}]",
		  "{a-b: 1, namespace: x}", NULL,
		  "spec: Invalid value: \"object\": failed rule: self.a__dash__b > 1 && "
		  "self.__namespace__ == \"x\"" },
		{ "additionalProperties: {type: string, x-kubernetes-validations: [{rule: "
		  "'self.size() < 2'}]}",
		  "{k: a, 'l.m': ab}", NULL,
		  "spec[l.m]: Invalid value: \"string\": failed rule: self.size() < 2" },
		{ "additionalProperties: {type: string}, x-kubernetes-validations: [{rule: "
		  "'self.all(k, self[k] != \"x\")'}]",
		  "{k: x}", NULL,
		  "spec: Invalid value: \"object\": failed rule: self.all(k, self[k] != \"x\")" },
		/* order is nothing for a set */
		{ "properties: {s: {type: array, x-kubernetes-list-type: set, maxItems: 9, items: "
		  "{type: string, maxLength: 9}}}, x-kubernetes-validations: [{rule: 'self.s == "
		  "[\"a\", \"b\"]'}]",
		  "{s: [b, a]}", NULL, "" },
		/* what is unset */
		{ AB "[{rule: '!has(self.a)'}]", "{}", NULL, "" },
		{ "properties: {a: {type: object, nullable: true, properties: {b: {type: "
		  "integer}}, "
		  "x-kubernetes-validations: [{rule: 'self.b > 0'}]}}",
		  "{a: null}", NULL, "" },
		{ "properties: {l: {type: array, maxItems: 9, items: {type: object, properties: "
		  "{num: "
		  "{type: integer}}, x-kubernetes-validations: [{rule: 'self.num > 0'}]}}}",
		  "{l: [{num: 1}, {num: 0}]}", NULL,
		  "spec.l[1]: Invalid value: \"object\": failed rule: self.num > 0" },
		/* errors of the schema that a rule would trip over */
		{ AB "[{rule: 'self.a < self.b'}]", "{a: x}", NULL,
		  "spec.a: Invalid value: \"string\": spec.a in body must be of type integer: "
		  "\"string\"\n"
		  "<nil>: Invalid value: \"null\": some validation rules were not checked because "
		  "the object was invalid; correct the existing errors to complete validation" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

#define NAMED                                                                                 \
	"properties: {l: {type: array, maxItems: 9, x-kubernetes-list-type: map, "            \
	"x-kubernetes-list-map-keys: [k], items: {type: object, required: [k], properties: {" \
	"k: {type: string}, v: {type: integer}}, x-kubernetes-validations: "

static void transition_rules_compare_with_before(void **state)
{
	static const struct row rows[] = {
		{ AB "[{rule: 'self.a >= oldSelf.a'}]", "{a: 1}", NULL, "" },
		{ AB "[{rule: 'self.a >= oldSelf.a'}]", "{a: 1}", "{a: 1}", "" },
		{ AB "[{rule: 'self.a >= oldSelf.a'}]", "{a: 1}", "{a: 2}",
		  "spec: Invalid value: \"object\": failed rule: self.a >= oldSelf.a" },
		{ AB "[{rule: 'oldSelf.hasValue() || self.a == 1', optionalOldSelf: true}]",
		  "{a: 2}", NULL,
		  "spec: Invalid value: \"object\": failed rule: oldSelf.hasValue() || self.a == "
		  "1" },
		{ AB "[{rule: 'oldSelf.hasValue() || self.a == 1', optionalOldSelf: true}]",
		  "{a: 2}", "{a: 3}", "" },
		{ AB "[{rule: 'oldSelf.orValue(self).a == self.a', optionalOldSelf: true}]",
		  "{a: 2}", "{a: 3}",
		  "spec: Invalid value: \"object\": failed rule: oldSelf.orValue(self).a == "
		  "self.a" },
		/* words may tell of before; the rule is no transition rule by that */
		{ AB
		  "[{rule: 'self.a > 0', messageExpression: '\"it was %d\".format([oldSelf.a])'}]",
		  "{a: 0}", NULL, "spec: Invalid value: \"object\": failed rule: self.a > 0" },
		{ AB
		  "[{rule: 'self.a > 0', messageExpression: '\"it was %d\".format([oldSelf.a])'}]",
		  "{a: 0}", "{a: 3}", "spec: Invalid value: \"object\": it was 3" },
		/* items of lists of type map are found again, wherever they stand */
		{ NAMED "[{rule: 'self.v == oldSelf.v'}]}}}", "{l: [{k: ly, v: 2}, {k: lx, v: 1}]}",
		  "{l: [{k: lx, v: 1}]}", "" },
		{ NAMED "[{rule: 'self.v == oldSelf.v'}]}}}", "{l: [{k: ly, v: 2}, {k: lx, v: 3}]}",
		  "{l: [{k: lx, v: 1}]}",
		  "spec.l[1]: Invalid value: \"object\": failed rule: self.v == oldSelf.v" },
		{ "additionalProperties: {type: integer, x-kubernetes-validations: [{rule: 'self "
		  "== "
		  "oldSelf'}]}",
		  "{a: 1, b: 2}", "{a: 2}",
		  "spec[a]: Invalid value: \"integer\": failed rule: self == oldSelf" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void what_an_update_leaves_is_not_failed(void **state)
{
	static const struct row rows[] = {
		{ AB "[{rule: 'self.a > 0'}]", "{a: 0}", "{a: 0}", "" },
		{ AB "[{rule: 'self.a > 0'}]", "{a: 0, b: 1}", "{a: 0}",
		  "spec: Invalid value: \"object\": failed rule: self.a > 0" },
		{ "properties: {a: {type: integer, x-kubernetes-validations: [{rule: 'self > "
		  "0'}]}, "
		  "b: {type: integer}}",
		  "{a: 0, b: 1}", "{a: 0}", "" },
		/* but of a transition rule */
		{ AB "[{rule: 'self.a > oldSelf.a'}]", "{a: 0}", "{a: 0}",
		  "spec: Invalid value: \"object\": failed rule: self.a > oldSelf.a" },
		{ NAMED "[{rule: 'self.v > 0'}]}}}", "{l: [{k: ly, v: 1}, {k: lx, v: 0}]}",
		  "{l: [{k: lx, v: 0}]}", "" },
		{ NAMED "[{rule: 'self.v > 0'}]}}}", "{l: [{k: ly, v: 0}, {k: lx, v: 0}]}",
		  "{l: [{k: lx, v: 0}]}",
		  "spec.l[0]: Invalid value: \"object\": failed rule: self.v > 0" },
		/* items of other lists are as new when the list is another */
		{ "properties: {l: {type: array, maxItems: 9, items: {type: integer, "
		  "x-kubernetes-validations: [{rule: 'self > 0'}]}}, b: {type: integer}}",
		  "{l: [0], b: 1}", "{l: [0], b: 2}", "" },
		{ "properties: {l: {type: array, maxItems: 9, items: {type: integer, "
		  "x-kubernetes-validations: [{rule: 'self > 0'}]}}}",
		  "{l: [0, 1]}", "{l: [0]}",
		  "spec.l[0]: Invalid value: \"integer\": failed rule: self > 0" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void roots_see_their_name_and_status_is_looked_at(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(
		x,
		"{type: object, properties: {spec: {type: object, properties: {a: {type: "
		"integer}}}, status: {type: object, properties: {a: {type: integer}}}}, "
		"x-kubernetes-validations: [{rule: 'self.metadata.name.size() < 3', fieldPath: "
		".status}, {rule: '!has(self.status) || self.status.a <= self.spec.a'}, {rule: "
		"'self.kind == \"Foo\" && self.apiVersion.startsWith(\"example.com/\")'}]}",
		"{subresources: {status: {}}}");

	assert_string_equal(said(x, c, "spec: {a: 1}\n", NULL, ""),
			    "status: Invalid value: \"object\": failed rule: "
			    "self.metadata.name.size() < 3");
	assert_string_equal(
		said(x, c, "spec: {a: 1}\nstatus: {a: 2}\n", "spec: {a: 1}\n", "status"),
		"status: Invalid value: \"object\": failed rule: "
		"self.metadata.name.size() < 3\n"
		"<nil>: Invalid value: \"object\": failed rule: !has(self.status) || "
		"self.status.a <= self.spec.a");
	custom_unref(c);
}

/* ---- limits of a run ---- */

/* Lists of texts, each of which a rule compares with all others. */
static const char *many(struct kit *x, unsigned lists, unsigned texts)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4 << 20);

	buf_addf(&b, "spec: {l: [");
	for (unsigned i = 0; i < lists; i++) {
		buf_addf(&b, "%s[", i ? ", " : "");
		for (unsigned j = 0; j < texts; j++)
			buf_addf(&b, "%sx%03u", j ? ", " : "", j);
		buf_addf(&b, "]");
	}
	buf_addf(&b, "]}\n");
	return arena_strndup(x->a, b.p, b.n);
}

#define PAIRS "{rule: 'self.all(a, self.exists(b, b == a))', message: m}"

static void objects_and_runs_have_a_budget(void **state)
{
	struct kit *x = *state;
	const char *list = "{l: {type: array, maxItems: %u, items: {type: array, maxItems: %u, "
			   "items: {type: string, maxLength: 4}, x-kubernetes-validations: [" PAIRS
			   ", " PAIRS ", " PAIRS ", " PAIRS "]}}}";
	struct custom *c = kit_compile(x, kit_spec(x, arena_printf(x->a, list, 13, 300)), "{}");
	const char *have;

	assert_string_equal(said(x, c, many(x, 1, 300), NULL, ""), "");
	have = said(x, c, many(x, 13, 300), NULL, "");
	assert_non_null(strstr(have, "Invalid value: \"array\": validation failed due to running "
				     "out of cost budget, no further validation rules will be "
				     "run"));
	assert_null(strchr(have, '\n'));
	custom_unref(c);
	c = kit_compile(x, kit_spec(x, arena_printf(x->a, list, 1, 800)), "{}");
	assert_string_equal(said(x, c, many(x, 1, 800), NULL, ""),
			    "spec.l[0]: Invalid value: \"array\": 'operation cancelled: actual "
			    "cost limit exceeded': no further validation rules will be run due to "
			    "call cost exceeds limit for rule: m");
	custom_unref(c);
}

/* ---- definitions ---- */

static const char *told(struct kit *x, const char *spec)
{
	const struct api_kind *kind =
		api_kind(&x->api, "apiextensions.k8s.io/v1", "CustomResourceDefinition");
	struct err err = ERR_INIT;
	struct doc obj;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 16);
	const char *at = "spec.versions[0].schema.openAPIV3Schema";

	assert_int_equal(
		api_admit(kind->type,
			  kit_crd(x,
				  arena_printf(
					  x->a,
					  "{type: object, properties: {spec: {type: object, %s}}}",
					  spec),
				  "{}"),
			  x->a, 0, NULL, &obj, &err),
		0);
	if (api_check(&x->api, kind, "", &obj, NULL, x->a, &err) == 0)
		return "";
	for (const struct cause *k = err.causes; k; k = k->next) {
		assert_true(strncmp(k->field, at, strlen(at)) == 0);
		buf_addf(&b, "%s%s: %s", b.n ? "\n" : "", k->field + strlen(at), k->detail);
	}
	return arena_strndup(x->a, buf_str(&b), b.n);
}

static void definitions_with_wrong_rules_are_refused(void **state)
{
	static const struct {
		const char *spec, *words;
	} rows[] = {
		{ AB "[{rule: 'self.a < self.b'}]", "" },
		{ AB "[{rule: 'self.a <'}]",
		  ".properties[spec].x-kubernetes-validations[0].rule: Invalid value: "
		  "{\"Rule\":\"self.a <\",\"Message\":\"\",\"MessageExpression\":\"\",\"Reason\":"
		  "null,\"FieldPath\":\"\",\"OptionalOldSelf\":null}: compilation failed: ERROR: "
		  "<input>:1:9: Syntax error: " },
		{ AB "[{rule: 'self.c < 1'}]",
		  "compilation failed: ERROR: <input>:1:5: undefined field 'c'" },
		{ AB "[{rule: 'self.a == \"x\"'}]", "found no matching overload for '_==_'" },
		{ AB "[{rule: 'self.a'}]", "cel expression must evaluate to a bool" },
		{ AB "[{rule: 'true', messageExpression: 'self.a'}]",
		  "[0].messageExpression: Invalid value: {\"Rule\":\"true\"," },
		{ AB "[{rule: 'true', messageExpression: 'self.a'}]",
		  "messageExpression must evaluate to a string" },
		{ AB "[{rule: 'true', messageExpression: 'self.'}]",
		  "messageExpression compilation failed: ERROR: <input>:1:6" },
		{ AB "[{rule: 'true', fieldPath: .c}]",
		  "[0].fieldPath: Invalid value: \".c\": fieldPath must be a valid path" },
		{ AB "[{rule: 'true', optionalOldSelf: true}]",
		  "[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used "
		  "in rule" },
		{ "properties: {l: {type: array, maxItems: 3, items: {type: integer, "
		  "x-kubernetes-validations: [{rule: 'self == oldSelf'}]}}}",
		  ".properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Invalid "
		  "value: \"self == oldSelf\": oldSelf cannot be used on the uncorrelatable "
		  "portion "
		  "of the schema within "
		  "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[l]" },
		{ "properties: {l: {type: array, items: {type: string}}}, "
		  "x-kubernetes-validations: "
		  "[{rule: 'self.l.all(a, self.l.exists(b, a == b))'}]",
		  ".properties[spec].x-kubernetes-validations[0].rule: Forbidden: estimated rule "
		  "cost exceeds budget by factor of more than 100x (try simplifying the rule, or "
		  "adding maxItems, maxProperties, and maxLength where arrays, maps, and strings "
		  "are "
		  "declared)\n"
		  ".properties[spec].x-kubernetes-validations[0].rule: Forbidden: contributed to "
		  "estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema\n"
		  ": Forbidden: x-kubernetes-validations estimated rule cost total for entire "
		  "OpenAPIv3 schema exceeds budget by factor of more than 100x" },
		/* unknown fields and such have no type */
		{ "properties: {a: {x-kubernetes-preserve-unknown-fields: true}}, "
		  "x-kubernetes-validations: [{rule: 'has(self.a)'}]",
		  "undefined field 'a'" },
		{ "properties: {a: {x-kubernetes-preserve-unknown-fields: true, "
		  "x-kubernetes-validations: [{rule: 'true'}]}}",
		  "properties[a].x-kubernetes-validations: Invalid value: failed to construct type "
		  "information" },
		{ "properties: {a: {type: object, x-kubernetes-embedded-resource: true, "
		  "x-kubernetes-preserve-unknown-fields: true, x-kubernetes-validations: [{rule: "
		  "'self.metadata.name != self.kind'}]}}",
		  "" },
		{ "properties: {a: {type: object, x-kubernetes-embedded-resource: true, "
		  "x-kubernetes-preserve-unknown-fields: true, x-kubernetes-validations: [{rule: "
		  "'has(self.metadata.labels)'}]}}",
		  "undefined field 'labels'" },
		{ "properties: {a: {type: integer, default: 0, x-kubernetes-validations: [{rule: "
		  "'self > 0'}]}}",
		  ".properties[spec].properties[a].default: Invalid value: \"integer\": failed "
		  "rule: "
		  "self > 0" },
	};
	struct kit *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *have = told(x, rows[i].spec);

		if (*rows[i].words ? !strstr(have, rows[i].words) : *have)
			fail_msg("%s:\n'%s', not\n'%s'", rows[i].spec, have, rows[i].words);
	}
}

/* Not a test of speed: tells what a rule costs. */
static void a_rule_takes_a_moment(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(
		x,
		"{type: object, properties: {spec: {type: object, properties: {a: {type: integer}, "
		"b: {type: integer}, h: {type: string, maxLength: 63}}, x-kubernetes-validations: "
		"[{rule: 'self.a < self.b && self.h.startsWith(\"x\")'}]}}}",
		"{}");
	struct doc *d = kit_yaml(x, HEAD "spec: {a: 1, b: 2, h: xyz}\n");
	struct err err = ERR_INIT;
	unsigned n = 2000;
	int64_t from = clock_mono(), took;

	for (unsigned i = 0; i < n; i++) {
		CLEANUP(arena_free) struct arena *a = arena_new("once", 1 << 20);

		assert_int_equal(api_check(&x->api, custom_stored(c), "", d, NULL, a, &err), 0);
	}
	took = clock_mono() - from;
	print_message("check of an object with one rule: %lld ns\n", (long long)took / n);
	custom_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT(rules_are_told_in_upstream_s_words),
		KIT(values_have_the_types_of_their_schemas),
		KIT(transition_rules_compare_with_before),
		KIT(what_an_update_leaves_is_not_failed),
		KIT(roots_see_their_name_and_status_is_looked_at),
		KIT(objects_and_runs_have_a_budget),
		KIT(definitions_with_wrong_rules_are_refused),
		KIT(a_rule_takes_a_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
