/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers under a table with every encoding: bytes by hand against documents, limits,
 * refusals with their code and path, the Kubernetes envelope. What protoc says is in
 * test-protobuf-peer.c.
 */
#include "protobuf-all.h"

#include "doc-check.h"
#include "doc/protobuf-wire.h"

#include <stdio.h>

static struct slice hex(struct arena *a, const char *text)
{
	char *p = arena_alloc(a, strlen(text) / 2 + 1);
	size_t n = 0;

	for (const char *s = text; *s; s++) {
		unsigned byte;

		if (*s == ' ')
			continue;
		assert_int_equal(sscanf(s, "%2x", &byte), 1);
		p[n++] = (char)byte;
		s++;
	}
	return slice_of(p, n);
}

static const char *decoded_as(struct arena *a, struct slice wire, const struct protobuf_opts *o)
{
	struct err err = ERR_INIT;
	struct doc d;
	int r = protobuf_decode(&pb_all_schema, wire, a, o, &d, &err);

	if (r < 0)
		return arena_printf(a, "%s: %s", err_code_name(err.code), err.msg);
	return written(a, &d, NULL);
}

static const char *encoded_as(struct arena *a, const char *json, const struct protobuf_opts *o)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	char *text, *p;
	int r = protobuf_encode(&pb_all_schema, must_read(a, json), o, &b, &err);

	if (r < 0) {
		assert_int_equal(b.n, 0);
		return arena_printf(a, "%s: %s", err_code_name(err.code), err.msg);
	}
	text = p = arena_alloc(a, b.n * 2 + 1);
	for (size_t i = 0; i < b.n; i++)
		p += sprintf(p, "%02x", (unsigned char)b.p[i]);
	return text;
}

/* Both ways; hex without blanks. */
static void both(struct arena *a, const char *json, const char *bytes)
{
	assert_string_equal(encoded_as(a, json, NULL), bytes);
	assert_string_equal(decoded_as(a, hex(a, bytes), NULL), json);
}

static void scalars_have_their_encodings(void **state)
{
	struct arena *a = *state;

	both(a, "{}", "");
	both(a, "{\"b\":true}", "0801");
	both(a, "{\"i32\":150}", "109601");
	both(a, "{\"i32\":-1}", "10ffffffffffffffffff01");
	both(a, "{\"i64\":-9223372036854775808}", "1880808080808080808001");
	both(a, "{\"i64\":9223372036854775807}", "18ffffffffffffffff7f");
	both(a, "{\"u32\":4294967295}", "20ffffffff0f");
	both(a, "{\"u64\":18446744073709551615}", "28ffffffffffffffffff01");
	both(a, "{\"s32\":-2147483648}", "30ffffffff0f");
	both(a, "{\"s64\":-1}", "3801");
	both(a, "{\"s64\":2}", "3804");
	both(a, "{\"x32\":4294967295}", "45ffffffff");
	both(a, "{\"x64\":1}", "490100000000000000");
	both(a, "{\"f32\":-2}", "55feffffff");
	both(a, "{\"f64\":-2}", "59feffffffffffffff");
	both(a, "{\"f\":0.1}", "65cdcccc3d");
	both(a, "{\"d\":0.1}", "699a9999999999b93f");
	both(a, "{\"d\":\"NaN\"}", "69000000000000f87f");
	both(a, "{\"d\":\"-Infinity\"}", "69000000000000f0ff");
	both(a, "{\"s\":\"\xc3\xa4\\n\"}", "7203c3a40a");
	both(a, "{\"raw\":\"AP8=\"}", "7a0200ff");
	both(a, "{\"color\":\"BLUE\"}", "800103");
	both(a, "{\"color\":7}", "800107");
	both(a, "{\"kind\":\"Never\"}", "8a01054e65766572");
}

static void narrow_numbers_are_cut_as_protobuf_says(void **state)
{
	struct arena *a = *state;

	/* 2^32 + 5 in an int32, 2 in a bool, an enum of 2 (a gap in the names) and of -1 */
	assert_string_equal(decoded_as(a, hex(a, "108580808010"), NULL), "{\"i32\":5}");
	assert_string_equal(decoded_as(a, hex(a, "0802"), NULL), "{\"b\":true}");
	assert_string_equal(decoded_as(a, hex(a, "800102"), NULL), "{\"color\":2}");
	assert_string_equal(decoded_as(a, hex(a, "8001ffffffffffffffffff01"), NULL),
			    "{\"color\":-1}");
}

static void zeros_are_absent_unless_presence_counts(void **state)
{
	struct protobuf_opts zeros = { .zeros = true };
	struct arena *a = *state;

	assert_string_equal(decoded_as(a, hex(a, "0800 1000 7200 65 00000000 800100"), NULL), "{}");
	assert_string_equal(decoded_as(a, hex(a, "0800 1000 7200"), &zeros),
			    "{\"b\":false,\"i32\":0,\"s\":\"\"}");
	assert_string_equal(encoded_as(a, "{\"b\":false,\"i32\":0,\"s\":\"\"}", NULL), "");
	assert_string_equal(encoded_as(a, "{\"b\":false,\"i32\":0,\"s\":\"\"}", &zeros),
			    "080010007200");
	/* a pointer in Go, an optional of proto3 */
	both(a, "{\"replicas\":0,\"maybe\":false}",
	     "9001009801"
	     "00");
	/* an empty message is there; null is not */
	both(a, "{\"in\":{}}", "a20100");
	assert_string_equal(encoded_as(a, "{\"in\":null,\"s\":null,\"words\":null}", NULL), "");
}

static void lists_are_read_packed_and_not(void **state)
{
	struct arena *a = *state;

	both(a, "{\"nums\":[3,270,0,-1]}", "ba010e038e0200ffffffffffffffffff01");
	both(a, "{\"nums2\":[3,0]}", "c00103c00100");
	assert_string_equal(decoded_as(a, hex(a, "b80103 ba010102 b80101"), NULL),
			    "{\"nums\":[3,2,1]}");
	assert_string_equal(decoded_as(a, hex(a, "c2010103"), NULL), "{\"nums2\":[3]}");
	/* scattered over the message */
	assert_string_equal(decoded_as(a, hex(a, "b201016a 0801 b2010162 b2010163"), NULL),
			    "{\"words\":[\"j\",\"b\",\"c\"],\"b\":true}");
	assert_string_equal(decoded_as(a, hex(a, "ba0100"), NULL), "{}");
	both(a, "{\"zigs\":[-1,1]}", "ca01020102");
	both(a, "{\"floats\":[1.5]}", "d201040000c03f");
	both(a, "{\"colors\":[\"RED\",\"NONE\"]}", "da01020100");
	both(a, "{\"words\":[\"\",\"a\"]}", "b20100b2010161");
	both(a, "{\"ins\":[{},{\"n\":1}]}", "e20100e201021001");
}

static void maps_have_sorted_entries_and_one_per_key(void **state)
{
	struct arena *a = *state;

	both(a, "{\"labels\":{\"a\":\"1\",\"b\":\"\"}}",
	     "ea01060a01611201"
	     "31ea01050a01621200");
	assert_string_equal(encoded_as(a, "{\"labels\":{\"b\":\"\",\"a\":\"1\"}}", NULL),
			    "ea01060a0161120131ea01050a01621200");
	/* last value of a key wins in the place of the first, also across runs; absent parts are
	 * zero */
	assert_string_equal(
		decoded_as(a,
			   hex(a, "ea01060a0162120131 ea01060a0161120132 ea01060a0162120133 0801 "
				  "ea01060a0161120134 ea0100"),
			   NULL),
		"{\"labels\":{\"b\":\"3\",\"a\":\"4\",\"\":\"\"},\"b\":true}");
	both(a, "{\"byint\":{\"-1\":1,\"5\":2}}", "fa010d08ffffffffffffffffff011001fa010408051002");
	both(a, "{\"byfix\":{\"7\":1}}",
	     "82020b09070000000000000010"
	     "01");
	both(a, "{\"bybool\":{\"false\":1,\"true\":2}}",
	     "8a020408001001"
	     "8a020408011002");
	both(a, "{\"grid\":{\"k\":[\"x\",\"\"]}}", "92020a0a016b12050a01780a00");
	both(a, "{\"named\":{\"k\":{\"n\":3}}}", "f201070a016b12021003");
}

static void messages_given_twice_are_merged(void **state)
{
	struct protobuf_opts keep = { .unknown = "@" };
	struct arena *a = *state;

	assert_string_equal(decoded_as(a, hex(a, "a201030a0161 0801 a2010510050a0162"), NULL),
			    "{\"in\":{\"name\":\"b\",\"n\":5},\"b\":true}");
	assert_string_equal(decoded_as(a, hex(a, "aa0104b2010161 aa0104b2010162"), NULL),
			    "{\"self\":{\"words\":[\"a\",\"b\"]}}");
	/* a later zero takes an earlier value away */
	assert_string_equal(decoded_as(a, hex(a, "1005 0801 1000"), NULL), "{\"b\":true}");
	assert_string_equal(decoded_as(a, hex(a, "a201021801 a201021802"), &keep),
			    "{\"in\":{\"@\":\"GAEYAg==\"}}");
}

static void the_last_member_of_a_oneof_stays(void **state)
{
	struct arena *a = *state;

	both(a, "{\"one_i\":0}", "a00200");
	assert_string_equal(decoded_as(a, hex(a, "9a020161 aa0200"), NULL), "{\"one_m\":{}}");
	assert_string_equal(decoded_as(a, hex(a, "aa02021001 9a020161 a00205"), NULL),
			    "{\"one_i\":5}");
	assert_string_equal(
		decoded_as(a, hex(a, "aa02021001 a00205 aa020a01 61"), NULL),
		"BAD_REQUEST: decode message of 'test.All': byte 8: a length beyond the end");
	assert_string_equal(decoded_as(a, hex(a, "aa02021001 a00205 aa02030a0161"), NULL),
			    "{\"one_m\":{\"name\":\"a\"}}");
	assert_string_equal(
		encoded_as(a, "{\"one_i\":0,\"one_s\":\"\"}", NULL),
		"INVALID: encode message of 'test.All': 'one_s' and 'one_i' exclude each "
		"other");
}

static void kubernetes_types_are_one_value(void **state)
{
	struct arena *a = *state;

	both(a, "{\"when\":\"2024-05-01T12:00:00Z\"}", "b2020608c0ddc8b106");
	both(a, "{\"when\":\"1970-01-01T00:00:00Z\"}", "b202020800");
	both(a, "{\"when\":\"1969-12-31T23:59:59.5Z\"}",
	     "b2021108ffffffffffffffffff011080cab5ee01");
	assert_string_equal(decoded_as(a, hex(a, "b20200"), NULL), "{}");
	both(a, "{\"micro\":\"2024-05-01T12:00:00.000000Z\"}", "ba020608c0ddc8b106");
	both(a, "{\"port\":8080}",
	     "c202031090"
	     "3f");
	both(a, "{\"port\":0}", "c20200");
	both(a, "{\"port\":\"http\"}", "c2020808011a0468747470");
	assert_string_equal(decoded_as(a, hex(a, "c202070800108f1f1a00"), NULL), "{\"port\":3983}");
	both(a, "{\"cpu\":\"500m\"}", "ca02060a043530306d");
	both(a, "{\"any\":{\"x\":[1]}}", "d2020b0a097b2278223a5b315d7d");
	both(a, "{\"json\":true}", "da020474727565");
	both(a, "{\"span\":\"1h0m1.5s\"}", "e2020708809e83d1e868");
	both(a, "{\"span\":\"-250ms\"}", "e2020b08809be588ffffffffff01");
	both(a, "{\"wrapped\":false}", "827d00");
	both(a, "{\"wrapped\":true}", "827d020801");
}

/* ---- as Go writes it ---- */

static const struct schema_field inner_rows[] = {
	{ .name = "s", .len = 1, .type = SCHEMA_STRING, .pb = 1 },
	{ .name = "p", .len = 1, .type = SCHEMA_STRING, .pb = 2, .wire = SCHEMA_PB_PRESENCE },
};
static const struct schema inner_schema = { .name = "Inner", .fields = inner_rows, .n = 2 };
static const struct schema_field go_rows[] = {
	{ .name = "o", .len = 1, .type = SCHEMA_OBJECT, .pb = 2, .sub = &inner_schema },
	{ .name = "s", .len = 1, .type = SCHEMA_STRING, .pb = 1 },
	{ .name = "i", .len = 1, .type = SCHEMA_INT, .width = 8, .pb = 3 },
	{ .name = "b", .len = 1, .type = SCHEMA_BOOL, .width = 1, .pb = 4 },
	{ .name = "l", .len = 1, .type = SCHEMA_LIST, .elem_type = SCHEMA_STRING, .pb = 5 },
	{ .name = "t", .len = 1, .type = SCHEMA_TIME, .pb = 6 },
	{ .name = "q", .len = 1, .type = SCHEMA_QUANTITY, .pb = 7 },
	{ .name = "is", .len = 2, .type = SCHEMA_INT_OR_STR, .pb = 8 },
	{ .name = "d",
	  .len = 1,
	  .type = SCHEMA_STRING,
	  .format = FORMAT_DURATION,
	  .wire = SCHEMA_PB_MESSAGE,
	  .pb = 9 },
	{ .name = "any", .len = 3, .type = SCHEMA_ANY, .pb = 10 },
	{ .name = "y", .len = 1, .type = SCHEMA_BYTES, .pb = 11 },
	{ .name = "f", .len = 1, .type = SCHEMA_DOUBLE, .width = 8, .pb = 12 },
	{ .name = "v", .len = 1, .type = SCHEMA_STRING, .pb = 1, .part = 1 },
	{ .name = "none", .len = 4, .type = SCHEMA_STRING },
};
static const struct schema_part go_parts[] = { { .pb = 13 } };
static const struct schema go_schema = {
	.name = "Go", .fields = go_rows, .n = ARRAY_LEN(go_rows), .parts = go_parts, .nparts = 1
};

static const char *whole(struct arena *a, const char *json)
{
	static const struct protobuf_opts o = { .whole = true };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	char *text, *p;

	assert_int_equal(protobuf_encode(&go_schema, must_read(a, json), &o, &b, &err), 0);
	text = p = arena_alloc(a, b.n * 2 + 1);
	for (size_t i = 0; i < b.n; i++)
		p += snprintf(p, 3, "%02x", (unsigned char)b.p[i]);
	return text;
}

static void what_is_no_pointer_may_be_written_always(void **state)
{
	struct arena *a = *state;

	assert_string_equal(whole(a, "{}"), "0a00"		 /* s */
					    "12020a00"		 /* o {s} */
					    "1800"		 /* i */
					    "2000"		 /* b */
					    "3200"		 /* t: none */
					    "3a030a0130"	 /* q: 0 */
					    "4206080010001a00"	 /* is: 0 */
					    "4a020800"		 /* d: 0 */
					    "5200"		 /* any */
					    "610000000000000000" /* f */
					    "6a020a00");	 /* the part with v */
	assert_string_equal(whole(a, "{\"s\":\"x\",\"o\":{\"p\":\"\"},\"l\":[],\"t\":null,"
				     "\"is\":\"h\",\"d\":\"0s\",\"y\":\"\",\"any\":null}"),
			    "0a0178"
			    "12040a001200"
			    "1800"
			    "2000"
			    "3200"
			    "3a030a0130"
			    "4207080110001a0168"
			    "4a020800"
			    "5200"
			    "5a00"
			    "610000000000000000"
			    "6a020a00");
	assert_non_null(strstr(whole(a, "{\"t\":\"1970-01-01T00:00:00Z\",\"is\":5}"),
			       "320408001000" /* both parts of a time */
			       "3a030a0130"
			       "4206080010051a00"));
}

static void unknown_fields_are_skipped_or_kept(void **state)
{
	struct protobuf_opts keep = { .unknown = "@" }, drop = { .unknown = "" };
	struct arena *a = *state;
	const char *wire = "0801 a03801 aa380161 ad3801000000 a13801000000000000 00";

	assert_string_equal(decoded_as(a, hex(a, wire), NULL), "{\"b\":true}");
	assert_string_equal(decoded_as(a, hex(a, "0801a03801"), &keep),
			    "{\"b\":true,\"@\":\"oDgB\"}");
	assert_string_equal(encoded_as(a, "{\"@\":\"oDgB\",\"b\":true}", &keep), "0801a03801");
	assert_string_equal(encoded_as(a, "{\"b\":true,\"zz\":1}", &drop), "0801");
	assert_string_equal(encoded_as(a, "{\"in\":{\"zz\":1}}", NULL),
			    "INVALID: encode message of 'test.All': in: unknown field 'zz'");
}

static void bad_bytes_are_refused_with_path_and_place(void **state)
{
	static const struct {
		const char *wire, *what;
	} cases[] = {
		{ "08", "byte 0: cut off within a number" },
		{ "ff", "byte 0: cut off within a number" },
		{ "0001", "byte 0: a field number out of range" },
		{ "08ffffffffffffffffff02", "byte 0: a number of more than 64 bits" },
		{ "720561", "byte 0: a length beyond the end" },
		{ "72ffffffffffffffffff01", "byte 0: a length beyond the end" },
		{ "45010203", "byte 0: cut off within a fixed-size number" },
		{ "0b0c", "byte 0: a group, which is not supported" },
		{ "a338a438", "byte 0: a group, which is not supported" },
		{ "0e", "byte 0: a wire type that does not exist" },
		{ "7001", "s: byte 0: wire type varint where bytes is expected" },
		{ "a2010208", "byte 0: a length beyond the end" },
		{ "a201027001", "in" },
		{ "a201020a05", "in: byte 3: a length beyond the end" },
		{ "e20100e201020801", "ins[1].name: byte 6: wire type varint where bytes is" },
		{ "7201ff", "s: a string that is not UTF-8" },
		{ "ba0102ff", "byte 0: a length beyond the end" },
		{ "ba0101ff", "nums[0]: byte 3: cut off within a number" },
		{ "d20103000000", "floats[0]: byte 3: cut off within a packed number" },
		{ "e801"
		  "01",
		  "labels: byte 0: a map's entry that is no message" },
		{ "f201080a016b1203"
		  "0a05",
		  "byte 0: a length beyond the end" },
		{ "f201070a016b12020a05", "named.k: byte 8: a length beyond the end" },
		{ "c202020802", "port: type 2 of an integer or string" },
		{ "b20203088080", "when: cut off within a number" },
		{ "b2020c08ffffffffffffff7f109003", "when: a time out of range" },
		{ "d202030a017b", "any: JSON within: " },
		{ "d202060a046b387300", "any: an object in protobuf where JSON is expected" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = decoded_as(a, hex(a, cases[i].wire), NULL);

		if (i == 12) { /* an unknown number of the wrong kind is skipped */
			assert_string_equal(got, "{\"in\":{}}");
			continue;
		}
		if (!strstr(got, cases[i].what))
			print_error("case %zu %s: %s\n", i, cases[i].wire, got);
		assert_non_null(strstr(got, cases[i].what));
	}
}

static void what_does_not_fit_is_not_written(void **state)
{
	static const struct {
		const char *json, *what;
	} cases[] = {
		{ "{\"i32\":2147483648}", "i32: 2147483648 is no 32-bit integer" },
		{ "{\"i32\":1.5}", "i32: 1.5 is no 32-bit integer" },
		{ "{\"i32\":\"1\"}", "i32: must be an integer, not string" },
		{ "{\"u32\":-1}", "u32: -1 is no unsigned 32-bit integer" },
		{ "{\"u64\":18446744073709551616}", "u64: 18446744073709551616 is no unsigned" },
		{ "{\"b\":1}", "b: must be a boolean, not number" },
		{ "{\"f\":1e39}", "f: 1e39 is too large" },
		{ "{\"d\":\"x\"}", "d: must be a number, not string" },
		{ "{\"s\":[]}", "s: must be a string, not array" },
		{ "{\"raw\":\"a\"}", "raw: is not base64" },
		{ "{\"color\":\"PINK\"}", "color: 'PINK' is none of its names" },
		{ "{\"in\":[]}", "in: must be an object, not array" },
		{ "{\"words\":{}}", "words: must be a list, not object" },
		{ "{\"words\":[\"a\",1]}", "words[1]: must be a string, not number" },
		{ "{\"labels\":[]}", "labels: must be an object, not array" },
		{ "{\"labels\":{\"k\":1}}", "labels.k: must be a string, not number" },
		{ "{\"byint\":{\"x\":1}}", "byint: the key is no number" },
		{ "{\"byfix\":{\"-1\":1}}", "byfix: the key is no unsigned integer" },
		{ "{\"bybool\":{\"yes\":1}}", "bybool: is neither true nor false" },
		{ "{\"when\":\"now\"}", "when: must be a time" },
		{ "{\"port\":4294967296}", "port: must be a 32-bit integer or a string" },
		{ "{\"cpu\":[]}", "cpu: must be a quantity, not array" },
		{ "{\"span\":\"1\"}", "span: '1' is no duration" },
		{ "[]", "must be an object, not array" },
	};
	struct arena *a = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = encoded_as(a, cases[i].json, NULL);

		if (!strstr(got, cases[i].what) || strncmp(got, "INVALID: ", 9) != 0)
			print_error("case %zu: %s\n", i, got);
		assert_non_null(strstr(got, cases[i].what));
	}
}

static void depth_and_size_are_bounded(void **state)
{
	CLEANUP(pb_writer_fini) struct pb_writer w = PB_WRITER_INIT(1 << 20);
	struct protobuf_opts small = { .size_max = 8 }, shallow = { .depth_max = 3 };
	struct arena *a = *state;
	struct doc *d = doc_new_object(a);
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100), big = BUF_INIT(1 << 20);
	struct err err = ERR_INIT;
	struct doc out;

	for (int i = 0; i < 99; i++)
		pb_field_message(&w, 21, 0);
	assert_int_equal(protobuf_decode(&pb_all_schema, pb_written(&w), a, NULL, &out, &err), 0);
	assert_int_equal(protobuf_encode(&pb_all_schema, &out, NULL, &big, &err), 0);
	assert_true(slice_eq(buf_slice(&big), pb_written(&w)));
	pb_field_message(&w, 21, 0);
	assert_int_equal(protobuf_decode(&pb_all_schema, pb_written(&w), a, NULL, &out, &err),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "more than 100 messages inside one another"));
	assert_non_null(
		strstr(decoded_as(a, hex(a, "aa0106aa0103aa0100"), &shallow), "more than 3"));
	assert_non_null(strstr(decoded_as(a, hex(a, "080108010801080108"), &small),
			       "TOO_LARGE: test.All: a message of 9 bytes, at most 8"));
	assert_non_null(strstr(encoded_as(a, "{\"s\":\"123456789\"}", &small), "TOO_LARGE: "));
	/* the caller's buffer is too small: it stays as it was */
	assert_int_equal(buf_adds(&b, "before"), 0);
	(void)doc_set(a, d, "s", doc_strn(a, arena_alloc(a, 200), 200));
	assert_int_equal(protobuf_encode(&pb_all_schema, d, NULL, &b, &err), -ERR_TOO_LARGE);
	assert_string_equal(buf_str(&b), "before");
	assert_false(b.full);
}

static void scattered_parts_do_not_cost_quadratic_time(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4 << 20);
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct doc out;

	/* what is merged is little: fine however often */
	for (int i = 0; i < 100000; i++)
		assert_int_equal(
			buf_add(&b, i % 2 ? "\xaa\x01\x02\x08\x01" : "\xaa\x01\x02\x10\x01", 5), 0);
	assert_int_equal(protobuf_decode(&pb_all_schema, buf_slice(&b), a, NULL, &out, &err), 0);
	assert_doc(a, &out, "{\"self\":{\"i32\":1,\"b\":true}}");
	b.n = 0;
	/* twelve members, merged again for three bytes each */
	for (int i = 2; i < 9; i++) {
		char field[] = { (char)0xaa, 1, 2, (char)(i << 3), 1 };

		field[2] = i < 8 ? 2 : 5; /* 8 is a fixed32 */
		if (i == 8)
			field[3] = (char)(8 << 3 | 5);
		assert_int_equal(buf_add(&b, field, 5), 0);
		if (i == 8)
			assert_int_equal(buf_add(&b, "\0\0\0", 3), 0);
	}
	for (int i = 0; i < 300000; i++)
		assert_int_equal(buf_add(&b, "\xaa\x01\x00", 3), 0);
	assert_int_equal(protobuf_decode(&pb_all_schema, buf_slice(&b), a, NULL, &out, &err),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "scattered"));
}

static void required_rows_count_when_asked(void **state)
{
	static const struct schema_field rows[] = {
		F_STR(struct pb_in, name, "name", SCHEMA_REQUIRED, FORMAT_NONE, .pb = 1),
		F_INT(struct pb_in, n, "n", 0, 0, 0, .pb = 2),
	};
	static const struct schema s = SCHEMA("test.Req", struct pb_in, rows);
	struct protobuf_opts o = { .required = true };
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct doc d;

	assert_int_equal(protobuf_decode(&s, hex(a, "1001"), a, NULL, &d, &err), 0);
	assert_int_equal(protobuf_decode(&s, hex(a, "1001"), a, &o, &d, &err), -ERR_BAD_REQUEST);
	assert_string_equal(err.msg, "decode message of 'test.Req': 'name' is required");
	assert_int_equal(protobuf_decode(&s, hex(a, "0a00"), a, &o, &d, &err), 0);
	assert_doc(a, &d, "{\"name\":\"\"}");
	assert_int_equal(protobuf_encode(&s, &d, &o, &b, &err), 0);
	assert_int_equal(b.n, 2);
	assert_int_equal(protobuf_encode(&s, must_read(a, "{\"n\":1}"), &o, &b, &err),
			 -ERR_INVALID);
}

static void structs_go_both_ways(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct pb_in in = { .name = "x", .n = -5 }, out;

	assert_int_equal(protobuf_encode_struct(&pb_in_schema, &in, a, &b, &err), 0);
	assert_int_equal(protobuf_decode_struct(&pb_in_schema, buf_slice(&b), a, &out, &err), 0);
	assert_string_equal(out.name, "x");
	assert_int_equal(out.n, -5);
	assert_int_equal(protobuf_decode_struct(&pb_in_schema, SLICE("\x0a\x02x\0"), a, &out, &err),
			 -ERR_INVALID);
}

static void delimited_messages_come_one_by_one(void **state)
{
	struct slice in = SLICE("\x02xy\0\003"
				"ab"),
		     one;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(protobuf_delimited(&in, 10, &one, &err), 1);
	assert_true(slice_is(one, "xy"));
	assert_int_equal(protobuf_delimited(&in, 10, &one, &err), 1);
	assert_int_equal(one.n, 0);
	assert_int_equal(protobuf_delimited(&in, 10, &one, &err), 0);
	assert_int_equal(in.n, 3);
	assert_int_equal(protobuf_delimited(&in, 2, &one, &err), -ERR_TOO_LARGE);
	in = SLICE("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	assert_int_equal(protobuf_delimited(&in, 2, &one, &err), -ERR_BAD_REQUEST);
}

static const struct schema *find(void *arg, struct slice api_version, struct slice kind)
{
	assert_string_equal(arg, "arg");
	return slice_is(api_version, "v1") && slice_is(kind, "All") ? &pb_all_schema : NULL;
}

/* apiVersion and kind are members without a number. */
static const struct schema_field kube_rows[] = {
	{ .name = "apiVersion", .len = 10, .type = SCHEMA_STRING },
	{ .name = "kind", .len = 4, .type = SCHEMA_STRING },
	{ .name = "s", .len = 1, .type = SCHEMA_STRING, .pb = 14 },
};
static const struct schema kube_schema = { .name = "All", .fields = kube_rows, .n = 3 };

static void the_kubernetes_envelope_names_the_kind(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct protobuf_kube k;
	struct doc d, *in = must_read(a, "{\"apiVersion\":\"v1\",\"kind\":\"All\",\"s\":\"x\"}");

	assert_int_equal(protobuf_kube_encode(&kube_schema, in, &b, &err), 0);
	assert_memory_equal(b.p,
			    "k8s\0\x0a\x09\x0a\x02v1\x12\x03"
			    "All\x12\x03r\x01x",
			    b.n);
	assert_int_equal(protobuf_kube_decode(buf_slice(&b), a, find, "arg", &d, &err), 0);
	assert_doc(a, &d, "{\"apiVersion\":\"v1\",\"kind\":\"All\",\"s\":\"x\"}");
	assert_int_equal(protobuf_kube_read(buf_slice(&b), &k, &err), 0);
	assert_true(slice_is(k.kind, "All"));
	b.p[8] = 'w';
	assert_int_equal(protobuf_kube_decode(buf_slice(&b), a, find, "arg", &d, &err),
			 -ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "no protobuf for kind 'All' of 'w1'");
	assert_int_equal(protobuf_kube_read(SLICE("k8s\0\x1a\x04gzip"), &k, &err),
			 -ERR_UNSUPPORTED);
	assert_int_equal(protobuf_kube_read(SLICE("{}"), &k, &err), -ERR_BAD_REQUEST);
	assert_int_equal(protobuf_kube_read(SLICE("k8s\0\x08\x01"), &k, &err), -ERR_BAD_REQUEST);
	assert_int_equal(protobuf_kube_read(SLICE("k8s\0\x0a\x02\x08\x01"), &k, &err),
			 -ERR_BAD_REQUEST);
	assert_int_equal(protobuf_kube_read(SLICE("k8s\0\x0a"), &k, &err), -ERR_BAD_REQUEST);
}

/* An envelope around `n` others, each the raw extension (42) of the next; the inmost holds s. */
static void nest(struct buf *b, unsigned n)
{
	for (unsigned i = 0; i <= n; i++) {
		CLEANUP(pb_writer_fini) struct pb_writer w = PB_WRITER_INIT(1 << 20);
		size_t before;

		if (i == 0) {
			pb_field_bytes(&w, 14, SLICE("x"));
		} else {
			pb_field_bytes(&w, 1, buf_slice(b));
			pb_field_message(&w, 42, 0);
		}
		pb_field_message(&w, 2, 0);
		before = pb_size(&w);
		pb_field_bytes(&w, 2, SLICE("All"));
		pb_field_bytes(&w, 1, SLICE("v1"));
		pb_field_message(&w, 1, before);
		pb_put_raw(&w, SLICE("k8s\0"));
		buf_clear(b);
		assert_int_equal(buf_add(b, pb_written(&w).p, pb_size(&w)), 0);
	}
}

static void objects_in_an_envelope_stand_within_others(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	struct arena *a = *state;
	struct err err = ERR_INIT;
	struct doc d;

	nest(&b, 2);
	assert_int_equal(protobuf_kube_decode(buf_slice(&b), a, find, "arg", &d, &err), 0);
	assert_doc(a, &d,
		   "{\"apiVersion\":\"v1\",\"kind\":\"All\",\"any\":{\"apiVersion\":\"v1\","
		   "\"kind\":\"All\",\"any\":{\"apiVersion\":\"v1\",\"kind\":\"All\",\"s\":"
		   "\"x\"}}}");
	/* of a kind that is not known */
	*(char *)memmem(b.p + 16, b.n - 16, "v1", 2) = 'w';
	assert_int_equal(protobuf_kube_decode(buf_slice(&b), a, find, "arg", &d, &err),
			 -ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "no protobuf for kind 'All' of 'w1'");
	/* each is a message within: they nest as deep as messages do */
	buf_clear(&b);
	nest(&b, 99);
	assert_int_equal(protobuf_kube_decode(buf_slice(&b), a, find, "arg", &d, &err), 0);
	buf_clear(&b);
	nest(&b, 100);
	assert_int_equal(protobuf_kube_decode(buf_slice(&b), a, find, "arg", &d, &err),
			 -ERR_BAD_REQUEST);
	assert_non_null(strstr(err.msg, "inside one another"));
}

static void every_full_arena_is_a_clean_error(void **state)
{
	static const char json[] =
		"{\"i32\":1234567,\"f\":0.5,\"s\":\"x\",\"raw\":\"AAAA\",\"words\":[\"a\",\"b\"],"
		"\"nums\":[123,456],\"ins\":[{\"n\":1},{\"name\":\"q\"}],\"labels\":{\"a\":\"b\"},"
		"\"grid\":{\"a\":[\"x\"]},\"when\":\"2024-05-01T12:00:00Z\",\"any\":{\"x\":1},"
		"\"port\":77777,\"span\":\"1s\"}";
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	struct err err = ERR_INIT;
	int r = -1;

	assert_int_equal(protobuf_encode(&pb_all_schema, must_read(*state, json), NULL, &b, &err),
			 0);
	for (size_t max = 16; r < 0; max += 16) {
		CLEANUP(arena_free) struct arena *a = arena_new("small", max);
		struct doc d;

		r = protobuf_decode(&pb_all_schema, buf_slice(&b), a, NULL, &d, &err);
		assert_true(r == 0 || r == -ERR_QUOTA);
		if (r == 0)
			assert_true(doc_equal(&d, must_read(*state, json)));
		assert_true(max < 1 << 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(scalars_have_their_encodings),
		CASE(narrow_numbers_are_cut_as_protobuf_says),
		CASE(zeros_are_absent_unless_presence_counts),
		CASE(lists_are_read_packed_and_not),
		CASE(maps_have_sorted_entries_and_one_per_key),
		CASE(messages_given_twice_are_merged),
		CASE(the_last_member_of_a_oneof_stays),
		CASE(kubernetes_types_are_one_value),
		CASE(what_is_no_pointer_may_be_written_always),
		CASE(unknown_fields_are_skipped_or_kept),
		CASE(bad_bytes_are_refused_with_path_and_place),
		CASE(what_does_not_fit_is_not_written),
		CASE(depth_and_size_are_bounded),
		CASE(scattered_parts_do_not_cost_quadratic_time),
		CASE(required_rows_count_when_asked),
		CASE(structs_go_both_ways),
		CASE(delimited_messages_come_one_by_one),
		CASE(the_kubernetes_envelope_names_the_kind),
		CASE(objects_in_an_envelope_stand_within_others),
		CASE(every_full_arena_is_a_clean_error),
	};

	return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}
