/* SPDX-License-Identifier: Apache-2.0 */
/* One table with every encoding there is, and the same message as .proto text for peers. */
#pragma once

#include "doc/protobuf.h"
#include "doc/schema.h"

static const char *const pb_colors[] = { "NONE", "RED", "", "BLUE", NULL };
static const char *const pb_kinds[] = { "Always", "Never", NULL };

struct pb_in {
	const char *name;
	int64_t n;
};
static const struct schema_field pb_in_rows[] = {
	F_STR(struct pb_in, name, "name", 0, FORMAT_NONE, .pb = 1),
	F_INT(struct pb_in, n, "n", 0, 0, 0, .pb = 2),
};
static const struct schema pb_in_schema = SCHEMA("test.In", struct pb_in, pb_in_rows);

struct pb_all {
	bool b;
	int32_t i32, s32, f32;
	int64_t i64, s64, f64;
	uint32_t u32, x32;
	uint64_t u64, x64;
	double d, f;
	const char *s, *kind, *cpu;
	struct slice raw;
	int color;
	struct opt_int replicas;
	struct opt_bool maybe;
	struct pb_in *in;
	struct pb_all *self;
	struct strs words;
	LIST_OF(int32_t) nums, nums2;
	LIST_OF(int64_t) zigs;
	LIST_OF(double) floats;
	LIST_OF(int) colors;
	LIST_OF(struct pb_in) ins;
	struct str_map labels;
	MAP_OF(struct pb_in) named;
	MAP_OF(int64_t) byint, byfix, bybool;
	MAP_OF(LIST_OF(const char *)) grid;
	const char *one_s;
	int32_t one_i;
	struct pb_in *one_m;
	struct schema_time when, micro;
	struct int_or_str port;
	const struct doc *any, *json;
	const char *span;
	struct opt_bool wrapped;
};

extern const struct schema pb_all_schema;
static const struct schema_field pb_num_row = E_INT(int32_t, 0, 0);
static const struct schema_field pb_zig_row = E_INT(int64_t, 0, 0, .wire = SCHEMA_PB_ZIGZAG);
static const struct schema_field pb_i64_row = E_INT(int64_t, 0, 0);
static const struct schema_field pb_float_row = E_TYPE(SCHEMA_DOUBLE, .wire = SCHEMA_PB_FIXED32);
static const struct schema_field pb_color_row = {
	.type = SCHEMA_ENUM, .values = pb_colors, .width = 4, .wire = SCHEMA_PB_VARINT
};
static const struct schema_field pb_strs_row = E_LIST_STR(FORMAT_NONE);
#define PB_ROW(type, m, ...) F_##type(struct pb_all, m, #m, __VA_ARGS__)
static const struct schema_field pb_all_rows[] = {
	PB_ROW(BOOL, b, 0, .pb = 1),
	PB_ROW(INT, i32, 0, 0, 0, .pb = 2),
	PB_ROW(INT, i64, 0, 0, 0, .pb = 3),
	PB_ROW(INT, u32, 0, 0, 0, .pb = 4),
	PB_ROW(INT, u64, 0, 0, 0, .pb = 5),
	PB_ROW(INT, s32, 0, 0, 0, .pb = 6, .wire = SCHEMA_PB_ZIGZAG),
	PB_ROW(INT, s64, 0, 0, 0, .pb = 7, .wire = SCHEMA_PB_ZIGZAG),
	PB_ROW(INT, x32, 0, 0, 0, .pb = 8, .wire = SCHEMA_PB_FIXED32),
	PB_ROW(INT, x64, 0, 0, 0, .pb = 9, .wire = SCHEMA_PB_FIXED64),
	PB_ROW(INT, f32, 0, 0, 0, .pb = 10, .wire = SCHEMA_PB_FIXED32),
	PB_ROW(INT, f64, 0, 0, 0, .pb = 11, .wire = SCHEMA_PB_FIXED64),
	PB_ROW(DOUBLE, f, 0, .pb = 12, .wire = SCHEMA_PB_FIXED32),
	PB_ROW(DOUBLE, d, 0, .pb = 13),
	PB_ROW(STR, s, 0, FORMAT_NONE, .pb = 14),
	PB_ROW(BYTES, raw, 0, .pb = 15),
	PB_ROW(ENUM, color, pb_colors, 0, .pb = 16, .wire = SCHEMA_PB_VARINT),
	PB_ROW(ENUM_STR, kind, pb_kinds, 0, .pb = 17),
	PB_ROW(OPT_INT, replicas, 0, 0, 0, .pb = 18),
	PB_ROW(OPT_BOOL, maybe, 0, .pb = 19),
	PB_ROW(OBJ, in, &pb_in_schema, 0, .pb = 20),
	PB_ROW(OBJ, self, &pb_all_schema, 0, .pb = 21),
	PB_ROW(LIST_STR, words, 0, FORMAT_NONE, .pb = 22),
	PB_ROW(LIST, nums, &pb_num_row, 0, .pb = 23, .wire = SCHEMA_PB_PACKED),
	PB_ROW(LIST, nums2, &pb_num_row, 0, .pb = 24),
	PB_ROW(LIST, zigs, &pb_zig_row, 0, .pb = 25, .wire = SCHEMA_PB_PACKED),
	PB_ROW(LIST, floats, &pb_float_row, 0, .pb = 26, .wire = SCHEMA_PB_PACKED),
	PB_ROW(LIST, colors, &pb_color_row, 0, .pb = 27, .wire = SCHEMA_PB_PACKED),
	PB_ROW(LIST_OBJ, ins, &pb_in_schema, 0, .pb = 28),
	PB_ROW(MAP_STR, labels, 0, .pb = 29),
	PB_ROW(MAP_OBJ, named, &pb_in_schema, 0, .pb = 30),
	PB_ROW(MAP, byint, &pb_i64_row, 0, .pb = 31, .key_wire = SCHEMA_PB_VARINT),
	PB_ROW(MAP, byfix, &pb_i64_row, 0, .pb = 32,
	       .key_wire = SCHEMA_PB_FIXED64 | SCHEMA_PB_UNSIGNED),
	PB_ROW(MAP, bybool, &pb_i64_row, 0, .pb = 33,
	       .key_wire = SCHEMA_PB_VARINT | SCHEMA_PB_BOOL),
	PB_ROW(MAP, grid, &pb_strs_row, 0, .pb = 34),
	PB_ROW(STR, one_s, 0, FORMAT_NONE, .pb = 35, .oneof = 1),
	PB_ROW(INT, one_i, 0, 0, 0, .pb = 36, .oneof = 1),
	PB_ROW(OBJ, one_m, &pb_in_schema, 0, .pb = 37, .oneof = 1),
	PB_ROW(TIME, when, 0, .pb = 38),
	PB_ROW(TIME, micro, 0, .pb = 39, .format = FORMAT_MICRO_TIME),
	PB_ROW(INT_OR_STR, port, 0, .pb = 40),
	PB_ROW(QUANTITY, cpu, 0, .pb = 41),
	PB_ROW(DOC, any, 0, .pb = 42),
	PB_ROW(DOC, json, 0, .pb = 43, .wire = SCHEMA_PB_BYTES),
	PB_ROW(STR, span, 0, FORMAT_DURATION, .pb = 44, .wire = SCHEMA_PB_MESSAGE),
	PB_ROW(OPT_BOOL, wrapped, 0, .pb = 2000, .wire = SCHEMA_PB_MESSAGE),
};
const struct schema pb_all_schema = SCHEMA("test.All", struct pb_all, pb_all_rows);

#define PB_ALL_PROTO                                                                           \
	"syntax = \"proto3\";\npackage test;\n"                                                \
	"message In { string name = 1; int64 n = 2; }\n"                                       \
	"enum Color { NONE = 0; RED = 1; BLUE = 3; }\n"                                        \
	"message Strs { repeated string items = 1; }\n"                                        \
	"message Time { int64 seconds = 1; int32 nanos = 2; }\n"                               \
	"message Port { int64 type = 1; int32 intVal = 2; string strVal = 3; }\n"              \
	"message Str { string string = 1; }\nmessage Raw { bytes raw = 1; }\n"                 \
	"message Span { int64 duration = 1; }\nmessage Bool { bool value = 1; }\n"             \
	"message All {\n"                                                                      \
	"bool b = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5;\n"          \
	"sint32 s32 = 6; sint64 s64 = 7; fixed32 x32 = 8; fixed64 x64 = 9;\n"                  \
	"sfixed32 f32 = 10; sfixed64 f64 = 11; float f = 12; double d = 13;\n"                 \
	"string s = 14; bytes raw = 15; Color color = 16; string kind = 17;\n"                 \
	"optional int64 replicas = 18; optional bool maybe = 19; In in = 20; All self = 21;\n" \
	"repeated string words = 22; repeated int32 nums = 23;\n"                              \
	"repeated int32 nums2 = 24 [packed=false]; repeated sint64 zigs = 25;\n"               \
	"repeated float floats = 26; repeated Color colors = 27; repeated In ins = 28;\n"      \
	"map<string, string> labels = 29; map<string, In> named = 30;\n"                       \
	"map<int64, int64> byint = 31; map<fixed64, int64> byfix = 32;\n"                      \
	"map<bool, int64> bybool = 33; map<string, Strs> grid = 34;\n"                         \
	"oneof one { string one_s = 35; int32 one_i = 36; In one_m = 37; }\n"                  \
	"Time when = 38; Time micro = 39; Port port = 40; Str cpu = 41; Raw any = 42;\n"       \
	"bytes json = 43; Span span = 44; Bool wrapped = 2000;\n}\n"                           \
	"message Alls { repeated All all = 1; }\n"
