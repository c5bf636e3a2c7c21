/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of custom kinds under their schemas, in upstream's words; updates; definitions. */
#include "custom-kit.h"

/* What api_check says of an object with this spec (and these further members); "" = nothing. */
static const char *said(struct kit *x, const struct custom *c, const char *obj, const char *old,
			const char *sub)
{
	const char *head =
		"kind: Foo\napiVersion: example.com/v1\nmetadata: {name: num, namespace: d, "
		"resourceVersion: '1'}\n";
	struct doc *d = kit_yaml(x, arena_printf(x->a, "%s%s", head, obj)),
		   *o = old ? kit_yaml(x, arena_printf(x->a, "%s%s", head, old)) : NULL;
	struct err err = ERR_INIT;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 16);

	if (api_check(&x->api, custom_stored(c), sub, d, o, x->a, &err) == 0)
		return "";
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "Foo.example.com \"num\" is invalid: "));
	for (const struct cause *k = err.causes; k; k = k->next)
		buf_addf(&b, "%s%s: %s", b.n ? "\n" : "", k->field, k->detail);
	return arena_strndup(x->a, buf_str(&b), b.n);
}

struct row {
	const char *properties, *spec, *words;
};

static void say(struct kit *x, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct custom *c = kit_compile(x, kit_spec(x, rows[i].properties), "{}");
		const char *have =
			said(x, c, arena_printf(x->a, "spec: %s\n", rows[i].spec), NULL, "");

		custom_unref(c);
		if (strcmp(have, rows[i].words) != 0)
			fail_msg("%s under %s:\n'%s', not\n'%s'", rows[i].spec, rows[i].properties,
				 have, rows[i].words);
	}
}

static void values_have_their_types(void **state)
{
	static const struct row rows[] = {
		{ "{a: {type: string}}", "{a: x}", "" },
		{ "{a: {type: string}}", "{a: 5}",
		  "spec.a: Invalid value: \"integer\": spec.a in body must be of type string: "
		  "\"integer\"" },
		{ "{a: {type: string}}", "{a: 1.5}",
		  "spec.a: Invalid value: \"number\": spec.a in body must be of type string: "
		  "\"number\"" },
		{ "{a: {type: integer}}", "{a: 1.0}", "" },
		{ "{a: {type: integer}}", "{a: 1.5}",
		  "spec.a: Invalid value: \"number\": spec.a in body must be of type integer: "
		  "\"number\"" },
		{ "{a: {type: number}}", "{a: 1}", "" },
		{ "{a: {type: boolean}}", "{a: 'true'}",
		  "spec.a: Invalid value: \"string\": spec.a in body must be of type boolean: "
		  "\"string\"" },
		{ "{a: {type: array, items: {type: integer}}}", "{a: [1, x]}",
		  "spec.a[1]: Invalid value: \"string\": spec.a[1] in body must be of type "
		  "integer: "
		  "\"string\"" },
		{ "{a: {type: object}}", "{a: []}",
		  "spec.a: Invalid value: \"array\": spec.a in body must be of type object: "
		  "\"array\"" },
		{ "{a: {type: object, additionalProperties: {type: integer}}}", "{a: {k: x}}",
		  "spec.a.k: Invalid value: \"string\": spec.a.k in body must be of type integer: "
		  "\"string\"" },
		{ "{a: {type: object, additionalProperties: false}}", "{a: {k: x}}",
		  "spec.a: Invalid value: \"k\": spec.a.k in body is a forbidden property" },
		{ "{a: {x-kubernetes-int-or-string: true}}", "{a: 80}", "" },
		{ "{a: {x-kubernetes-int-or-string: true}}", "{a: http}", "" },
		{ "{a: {x-kubernetes-int-or-string: true}}", "{a: true}",
		  "spec.a: Invalid value: \"boolean\": spec.a in body must be of type "
		  "integer,string: \"boolean\"" },
		{ "{a: {type: string}}", "{a: null}",
		  "spec.a: Invalid value: \"null\": spec.a in body must be of type string: "
		  "\"null\"" },
		{ "{a: {type: string, nullable: true}}", "{a: null}", "" },
		{ "{a: {x-kubernetes-preserve-unknown-fields: true}}", "{a: [1, {b: null}]}", "" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void limits_are_told_in_upstream_s_words(void **state)
{
	static const struct row rows[] = {
		{ "{a: {type: integer, maximum: 3}}", "{a: 5}",
		  "spec.a: Invalid value: 5: spec.a in body should be less than or equal to 3" },
		{ "{a: {type: integer, maximum: 3}}", "{a: 3}", "" },
		{ "{a: {type: number, maximum: 3.0}}", "{a: 3.5}",
		  "spec.a: Invalid value: 3.5: spec.a in body should be less than or equal to 3" },
		{ "{a: {type: number, maximum: 25e-1}}", "{a: 3}",
		  "spec.a: Invalid value: 3: spec.a in body should be less than or equal to 2.5" },
		{ "{a: {type: integer, maximum: 3, exclusiveMaximum: true}}", "{a: 3}",
		  "spec.a: Invalid value: 3: spec.a in body should be less than 3" },
		{ "{a: {type: integer, minimum: 3}}", "{a: 2}",
		  "spec.a: Invalid value: 2: spec.a in body should be greater than or equal to 3" },
		{ "{a: {type: number, minimum: 0, exclusiveMinimum: true}}", "{a: 0}",
		  "spec.a: Invalid value: 0: spec.a in body should be greater than 0" },
		{ "{a: {type: integer, multipleOf: 5}}", "{a: 7}",
		  "spec.a: Invalid value: 7: spec.a in body should be a multiple of 5" },
		{ "{a: {type: number, multipleOf: 0.1}}", "{a: 0.3}", "" },
		{ "{a: {type: number, multipleOf: 0.1}}", "{a: 0.35}",
		  "spec.a: Invalid value: 0.35: spec.a in body should be a multiple of 0.1" },
		{ "{a: {type: string, minLength: 2}}", "{a: \xc3\xa4}",
		  "spec.a: Invalid value: \"\xc3\xa4\": spec.a in body should be at least 2 chars "
		  "long" },
		{ "{a: {type: string, maxLength: 2}}", "{a: \xc3\xa4\xc3\xa4}", "" },
		{ "{a: {type: string, maxLength: 2}}", "{a: abc}",
		  "spec.a: Too long: may not be more than 2 bytes" },
		{ "{a: {type: string, pattern: '^b+$'}}", "{a: abb}",
		  "spec.a: Invalid value: \"abb\": spec.a in body should match '^b+$'" },
		{ "{a: {type: string, pattern: b}}", "{a: abc}", "" },
		{ "{a: {type: array, items: {type: integer}, minItems: 2}}", "{a: [1]}",
		  "spec.a: Invalid value: 1: spec.a in body should have at least 2 items" },
		{ "{a: {type: array, items: {type: integer}, maxItems: 1}}", "{a: [1, 2]}",
		  "spec.a: Too many: 2: must have at most 1 item" },
		{ "{a: {type: object, additionalProperties: {type: integer}, minProperties: 1}}",
		  "{a: {}}",
		  "spec.a: Invalid value: 0: spec.a in body should have at least 1 "
		  "properties" },
		{ "{a: {type: object, additionalProperties: {type: integer}, maxProperties: 1}}",
		  "{a: {b: 1, c: 2}}", "spec.a: Too many: 2: must have at most 1 item" },
		{ "{a: {type: string, enum: [x, why]}}", "{a: z}",
		  "spec.a: Unsupported value: \"z\": supported values: \"x\", \"why\"" },
		{ "{a: {type: integer, enum: [1, 2]}}", "{a: 2}", "" },
		{ "{a: {type: integer, enum: [1, 2]}}", "{a: 3}",
		  "spec.a: Unsupported value: 3: supported values: \"1\", \"2\"" },
		{ "{a: {type: string, nullable: true, enum: [x]}}", "{a: null}",
		  "spec.a: Unsupported value: \"null\": supported values: \"x\"" },
		{ "{a: {type: object, required: [b, c], properties: {b: {type: string}}}}",
		  "{a: {b: x}}", "spec.a.c: Required value" },
		{ "{a: {type: integer}, b: {type: string}}", "{a: x, b: 1}",
		  "spec.a: Invalid value: \"string\": spec.a in body must be of type integer: "
		  "\"string\"\n"
		  "spec.b: Invalid value: \"integer\": spec.b in body must be of type string: "
		  "\"integer\"" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void schemas_of_schemas_hold(void **state)
{
	static const struct row rows[] = {
		{ "{a: {type: integer, anyOf: [{minimum: 5}, {maximum: 1}]}}", "{a: 6}", "" },
		{ "{a: {type: integer, anyOf: [{minimum: 5}, {maximum: 1}]}}", "{a: 3}",
		  "<nil>: Invalid value: \"\": \"spec.a\" must validate at least one schema "
		  "(anyOf)\n"
		  "spec.a: Invalid value: 3: spec.a in body should be greater than or equal to 5" },
		{ "{a: {type: integer, oneOf: [{minimum: 1}, {minimum: 5}]}}", "{a: 3}", "" },
		{ "{a: {type: integer, oneOf: [{minimum: 1}, {minimum: 5}]}}", "{a: 7}",
		  "<nil>: Invalid value: \"\": \"spec.a\" must validate one and only one schema "
		  "(oneOf). Found 2 valid alternatives" },
		{ "{a: {type: integer, oneOf: [{minimum: 1}, {minimum: 5}]}}", "{a: 0}",
		  "<nil>: Invalid value: \"\": \"spec.a\" must validate one and only one schema "
		  "(oneOf). Found none valid\n"
		  "spec.a: Invalid value: 0: spec.a in body should be greater than or equal to 1" },
		{ "{a: {type: integer, allOf: [{minimum: 1}, {maximum: 5}]}}", "{a: 3}", "" },
		{ "{a: {type: integer, allOf: [{minimum: 1}, {maximum: 5}]}}", "{a: 6}",
		  "spec.a: Invalid value: 6: spec.a in body should be less than or equal to 5\n"
		  "<nil>: Invalid value: \"\": \"spec.a\" must validate all the schemas (allOf)" },
		{ "{a: {type: integer, not: {minimum: 5}}}", "{a: 3}", "" },
		{ "{a: {type: integer, not: {minimum: 5}}}", "{a: 5}",
		  "<nil>: Invalid value: \"\": \"spec.a\" must not validate the schema (not)" },
		{ "{a: {type: object, oneOf: [{required: [x]}, {required: [why]}], properties: {x: "
		  "{type: string}, why: {type: string}}}}",
		  "{a: {x: '', why: ''}}",
		  "<nil>: Invalid value: \"\": \"spec.a\" must validate one and only one schema "
		  "(oneOf). Found 2 valid alternatives" },
		{ "{a: {type: object, anyOf: [{properties: {b: {pattern: ^x}}}, {properties: {b: "
		  "{pattern: ^why}}}], properties: {b: {type: string}}}}",
		  "{a: {b: why1}}", "" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void formats_are_looked_at(void **state)
{
	static const struct {
		const char *format, *yes[4], *no[4];
	} rows[] = {
		{ "ipv4", { "10.0.0.1" }, { "10.0.0", "::1", "x" } },
		{ "ipv6", { "::1", "fd00::2" }, { "10.0.0.1", "x" } },
		{ "cidr", { "10.0.0.0/8", "fd00::/64" }, { "10.0.0.0", "x/8" } },
		{ "mac",
		  { "02:42:ac:11:00:02", "02-42-ac-11-00-02", "0242.ac11.0002" },
		  { "02:42", "02:42:ac-11:00:02" } },
		{ "uuid",
		  { "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B8109DAD11D180B400C04FD430C8" },
		  { "6ba7b810" } },
		{ "uuid3",
		  { "6ba7b810-9dad-31d1-80b4-00c04fd430c8" },
		  { "6ba7b810-9dad-11d1-80b4-00c04fd430c8" } },
		{ "uuid4",
		  { "6ba7b810-9dad-41d1-80b4-00c04fd430c8" },
		  { "6ba7b810-9dad-41d1-70b4-00c04fd430c8" } },
		{ "uuid5",
		  { "6ba7b810-9dad-51d1-80b4-00c04fd430c8" },
		  { "6ba7b810-9dad-41d1-80b4-00c04fd430c8" } },
		{ "bsonobjectid", { "507f1f77bcf86cd799439011" }, { "507f" } },
		{ "uri",
		  { "http://a.b/c?d=e", "/abs/path" },
		  { "a b", "mailto:x", "http://a/%zz" } },
		{ "email", { "a@b.c", "A B <a@b.c>" }, { "a", "a@", "a b@c" } },
		{ "hostname", { "a.example.com", "localhost" }, { "-a", "a..b", "a_b.c" } },
		{ "isbn", { "0321751043", "978-0321751041" }, { "0321751044", "1" } },
		{ "isbn10", { "0321751043" }, { "978-0321751041" } },
		{ "isbn13", { "978-0321751041" }, { "0321751043" } },
		{ "creditcard",
		  { "4111-1111-1111-1111", "378282246310005" },
		  { "4111-1111-1111-1112", "1234" } },
		{ "ssn", { "111-11-1111", "111 11 1111" }, { "11-1" } },
		{ "hexcolor", { "#fff", "FFFFFF" }, { "#ff", "ggg" } },
		{ "rgbcolor", { "rgb(0, 100,255)" }, { "rgb(256,0,0)", "0,0,0" } },
		{ "byte", { "YWI=", "" }, { "YWI", "Y*==" } },
		{ "password", { "anything" }, { NULL } },
		{ "date", { "2024-02-29" }, { "2023-02-29", "2024-1-1", "x" } },
		{ "date-time",
		  { "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5+01:00" },
		  { "2024-01-01", "x" } },
		{ "datetime", { "2024-01-01T00:00:00Z" }, { "x" } },
		{ "duration", { "1h30m", "22 ns", "5 minutes", "0" }, { "x", "5 parsecs", "" } },
		{ "k8s-short-name", { "a-b" }, { "a.b", "A", "-a" } },
		{ "k8s-long-name", { "a.b-c" }, { "a..b", "A" } },
		{ "nobody-knows", { "anything" }, { NULL } },
	};
	struct kit *x = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct custom *c = kit_compile(
			x,
			kit_spec(x, arena_printf(x->a, "{a: {type: string, format: %s}}",
						 rows[i].format)),
			"{}");

		for (size_t j = 0; j < 4 && rows[i].yes[j]; j++) {
			const char *have =
				said(x, c, arena_printf(x->a, "spec: {a: '%s'}\n", rows[i].yes[j]),
				     NULL, "");

			if (*have)
				fail_msg("%s: %s", rows[i].format, have);
		}
		for (size_t j = 0; j < 4 && rows[i].no[j]; j++) {
			const char *have =
				said(x, c, arena_printf(x->a, "spec: {a: '%s'}\n", rows[i].no[j]),
				     NULL, "");

			if (strcmp(have,
				   arena_printf(x->a,
						"spec.a: Invalid value: \"%s\": spec.a in body "
						"must be of type %s: \"%s\"",
						rows[i].no[j], rows[i].format, rows[i].no[j])))
				fail_msg("%s: taken or told wrongly: '%s' %s", rows[i].format,
					 rows[i].no[j], have);
		}
		custom_unref(c);
	}
}

static void sets_and_maps_have_nothing_twice(void **state)
{
	static const struct row rows[] = {
		{ "{a: {type: array, x-kubernetes-list-type: set, items: {type: string}}}",
		  "{a: [x, why]}", "" },
		{ "{a: {type: array, x-kubernetes-list-type: set, items: {type: string}}}",
		  "{a: [x, why, x, x]}", "spec.a[2]: Duplicate value: \"x\"" },
		{ "{a: {type: array, x-kubernetes-list-type: set, items: {type: object, "
		  "x-kubernetes-map-type: atomic, properties: {b: {type: integer}, c: {type: "
		  "integer}}}}}",
		  "{a: [{b: 1, c: 2}, {c: 2, b: 1}]}",
		  "spec.a[1]: Duplicate value: {\"c\":2,\"b\":1}" },
		{ "{a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], "
		  "items: {type: object, required: [k], properties: {k: {type: string}, v: {type: "
		  "string}}}}}",
		  "{a: [{k: x, v: a}, {k: why}, {k: x, v: b}]}",
		  "spec.a[2]: Duplicate value: {\"k\":\"x\"}" },
		{ "{a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k, "
		  "l], "
		  "items: {type: object, properties: {k: {type: string}, l: {type: integer}}}}}",
		  "{a: [{k: x, l: 1}, {k: x, l: 2}, {l: 1, k: x}]}",
		  "spec.a[2]: Duplicate value: {\"k\":\"x\",\"l\":1}" },
		{ "{a: {type: object, additionalProperties: {type: array, x-kubernetes-list-type: "
		  "set, items: {type: integer}}}}",
		  "{a: {m: [1, 1]}}", "spec.a[m][1]: Duplicate value: 1" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void objects_within_objects_have_heads(void **state)
{
	static const char e[] = "{a: {type: object, x-kubernetes-embedded-resource: true, "
				"x-kubernetes-preserve-unknown-fields: true}}";
	static const struct row rows[] = {
		{ e, "{a: {kind: Pod, apiVersion: v1, metadata: {name: x}}}", "" },
		{ e, "{a: {}}", "spec.a.apiVersion: Required value\nspec.a.kind: Required value" },
		{ e, "{a: {kind: '', apiVersion: ''}}",
		  "spec.a.apiVersion: Invalid value: \"\": must not be empty\n"
		  "spec.a.kind: Invalid value: \"\": must not be empty" },
		{ e, "{a: {kind: Pod, apiVersion: a/b/c}}",
		  "spec.a.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: "
		  "a/b/c" },
		{ e, "{a: {kind: Pod, apiVersion: v1, metadata: {name: a/b}}}",
		  "spec.a.metadata.name: Invalid value: \"a/b\": may not contain '/'" },
	};

	say(*state, rows, ARRAY_LEN(rows));
}

static void scale_s_numbers_are_looked_at(void **state)
{
	static const struct {
		const char *obj, *sub, *words;
	} rows[] = {
		{ "spec: {num: 3}\nstatus: {num: 1}\n", "", "" },
		{ "spec: {num: -1}\n", "",
		  ".spec.num: Invalid value: -1: should be a non-negative integer" },
		{ "spec: {num: 3000000000}\n", "",
		  ".spec.num: Invalid value: 3000000000: should be less than or equal to "
		  "2147483647" },
		{ "spec: {num: x}\n", "", ".spec.num accessor error" },
		{ "spec: {num: -1}\nstatus: {num: -2}\n", "status",
		  ".status.num: Invalid value: -2: should be a non-negative integer" },
		{ "status: {s: 1}\n", "status", ".status.s accessor error" },
	};
	struct kit *x = *state;
	struct custom *c =
		kit_compile(x, "{type: object, x-kubernetes-preserve-unknown-fields: true}",
			    "{subresources: {status: {}, scale: {specReplicasPath: .spec.num, "
			    "statusReplicasPath: .status.num, labelSelectorPath: .status.s}}}");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *have = said(x, c, rows[i].obj, NULL, rows[i].sub);

		if (*rows[i].words ? !strstr(have, rows[i].words) : *have)
			fail_msg("%s: %s", rows[i].obj, have);
	}
	custom_unref(c);
}

static void what_an_update_leaves_may_stay_wrong(void **state)
{
	static const char p[] =
		"{a: {type: integer, maximum: 3}, b: {type: string}, o: {type: object, properties: "
		"{c: "
		"{type: integer, maximum: 3}, d: {type: string}}}, l: {type: array, items: {type: "
		"integer, maximum: 3}}, m: {type: array, x-kubernetes-list-type: map, "
		"x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: "
		"string}, v: {type: integer, maximum: 3}, w: {type: string}}}}, s: {type: array, "
		"x-kubernetes-list-type: set, items: {type: string}}}";
	static const struct {
		const char *old, *now, *words;
	} rows[] = {
		{ "{a: 9, b: x}", "{a: 9, b: why}", "" },
		{ "{a: 9, b: x}", "{a: 8, b: x}", "spec.a: Invalid value: 8" },
		{ "{b: x}", "{a: 9}", "spec.a: Invalid value: 9" },
		{ "{o: {c: 9, d: x}}", "{o: {c: 9, d: why}}", "" },
		{ "{l: [9]}", "{l: [9], b: x}", "" },
		{ "{l: [9]}", "{l: [9, 1]}", "spec.l[0]: Invalid value: 9" },
		{ "{m: [{k: x, v: 9}]}", "{m: [{k: why, v: 1}, {k: x, v: 9, w: new}]}", "" },
		{ "{m: [{k: x, v: 9}]}", "{m: [{k: why, v: 9}]}", "spec.m[0].v: Invalid value: 9" },
		{ "{s: [x, x]}", "{s: [x, x, why]}", "" },
		{ "{s: [x]}", "{s: [x, x]}", "spec.s[1]: Duplicate value" },
	};
	struct kit *x = *state;
	struct custom *c = kit_compile(x, kit_spec(x, p), "{}");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *have = said(x, c, arena_printf(x->a, "spec: %s\n", rows[i].now),
					arena_printf(x->a, "spec: %s\n", rows[i].old), "");

		if (*rows[i].words ? !strstr(have, rows[i].words) : *have)
			fail_msg("%s to %s: %s", rows[i].old, rows[i].now, have);
	}
	custom_unref(c);
}

static void status_is_looked_at_alone(void **state)
{
	struct kit *x = *state;
	struct custom *c =
		kit_compile(x,
			    "{type: object, properties: {spec: {type: string}, status: "
			    "{type: object, required: [b], properties: {a: {type: integer}}}}}",
			    "{subresources: {status: {}}}");

	assert_string_equal(
		said(x, c, "spec: 1\nstatus: {a: x, b: 1}\n", NULL, "status"),
		"status.a: Invalid value: \"string\": a in body must be of type integer: "
		"\"string\"");
	assert_string_equal(said(x, c, "spec: 1\nstatus: {}\n", NULL, "status"),
			    "status.b: Required value");
	assert_string_equal(said(x, c, "spec: 1\nstatus: {a: x}\n", "status: {a: x}\n", "status"),
			    "");
	assert_string_equal(said(x, c, "spec: 1\n", NULL, "status"), "");
	custom_unref(c);
}

static void heads_and_metadata_are_checked(void **state)
{
	struct kit *x = *state;
	struct custom *c = kit_compile(x,
				       "{type: object, properties: {metadata: {type: object, "
				       "properties: {name: {type: string, maxLength: 2}}}}}",
				       "{}");
	struct err err = ERR_INIT;
	struct doc *d =
		kit_yaml(x, "{kind: Bar, apiVersion: v1, metadata: {name: num, namespace: d}}");

	assert_int_equal(api_check(&x->api, custom_stored(c), "", d, NULL, x->a, &err),
			 -ERR_INVALID);
	assert_non_null(strstr(err.msg, "kind: Invalid value: \"Bar\": must be Foo"));
	assert_non_null(
		strstr(err.msg, "apiVersion: Invalid value: \"v1\": must be example.com/v1"));
	d = kit_yaml(x,
		     "{kind: Foo, apiVersion: example.com/v1, metadata: {name: abc, namespace: d, "
		     "labels: {'a b': c}}}");
	assert_int_equal(api_check(&x->api, custom_stored(c), "", d, NULL, x->a, &err),
			 -ERR_INVALID);
	assert_non_null(strstr(err.msg, "metadata.labels: Invalid value: \"a b\""));
	assert_non_null(strstr(err.msg, "metadata.name: Too long: may not be more than 2 bytes"));
	custom_unref(c);
}

/* ---- definitions ---- */

static void definitions_are_checked_by_what_they_compile_to(void **state)
{
	static const struct {
		const char *schema, *words;
	} rows[] = {
		{ "{a: {type: string, default: x}}", "" },
		{ "{a: {type: string, pattern: '['}}",
		  "properties[a].pattern: Invalid value: \"[\": must be a valid regular "
		  "expression, but isn't: error parsing regexp: missing closing ]" },
		{ "{a: {type: string, default: 5}}",
		  "properties[a].default: Invalid value: \"integer\": "
		  "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a].default "
		  "in "
		  "body must be of type string" },
		{ "{a: {type: object, default: {b: 1}}}",
		  "properties[a].default: Invalid value: {\"b\":1}: must not have unknown fields" },
		{ "{a: {type: object, default: {b: 1}, x-kubernetes-preserve-unknown-fields: "
		  "true}}",
		  "" },
		{ "{a: {type: string, x-kubernetes-validations: [{rule: 'self.size() > 1'}]}}",
		  "" },
	};
	struct kit *x = *state;
	const struct api_kind *kind =
		api_kind(&x->api, "apiextensions.k8s.io/v1", "CustomResourceDefinition");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct doc obj;
		int r;

		assert_int_equal(api_admit(kind->type,
					   kit_crd(x, kit_spec(x, rows[i].schema), "{}"), x->a, 0,
					   NULL, &obj, &err),
				 0);
		r = api_check(&x->api, kind, "", &obj, NULL, x->a, &err);
		if (*rows[i].words ? r != -ERR_INVALID || !strstr(err.msg, rows[i].words) : r != 0)
			fail_msg("%s: %s", rows[i].schema, err.msg);
	}
}

static void note(void *arg, struct slice format)
{
	(void)buf_addf(arg, "%.*s ", (int)format.n, format.p);
}

static void formats_that_nobody_knows_are_told_once(void **state)
{
	struct kit *x = *state;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);

	custom_unknown_formats(
		kit_crd(x,
			kit_spec(x,
				 "{a: {type: string, format: foo}, b: {type: array, items: {type: "
				 "string, format: foo}}, c: {type: integer, format: int32}, d: "
				 "{type: "
				 "integer, format: ipv4}, e: {type: string, format: date-time}, f: "
				 "{type: number, format: double}, g: {type: boolean, format: x}}"),
			"{}"),
		note, &b);
	assert_string_equal(buf_str(&b), "foo ipv4 x ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KIT(values_have_their_types),
		KIT(limits_are_told_in_upstream_s_words),
		KIT(schemas_of_schemas_hold),
		KIT(formats_are_looked_at),
		KIT(sets_and_maps_have_nothing_twice),
		KIT(objects_within_objects_have_heads),
		KIT(scale_s_numbers_are_looked_at),
		KIT(what_an_update_leaves_may_stay_wrong),
		KIT(status_is_looked_at_alone),
		KIT(heads_and_metadata_are_checked),
		KIT(definitions_are_checked_by_what_they_compile_to),
		KIT(formats_that_nobody_knows_are_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
