/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protocol buffers beside protoc: the same random messages, as documents to us and as text to it,
 * must become the same bytes, and its bytes our documents. A fixed seed and count. Skipped when
 * there is no protoc.
 */
#include "protobuf-all.h"

#include "base/fd.h"
#include "doc-check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGES 400

struct gen {
	struct arena *a;
	struct buf text;
	uint64_t seed;
};

static uint64_t dice(struct gen *g, uint64_t n)
{
	g->seed = g->seed * 6364136223846793005u + 1442695040888963407u;
	return (g->seed >> 33) % n;
}

static uint64_t bits64(struct gen *g)
{
	uint64_t v = dice(g, UINT32_MAX) << 32 ^ dice(g, UINT32_MAX);

	return v >> dice(g, 64);
}

static struct doc word(struct gen *g)
{
	static const char *const words[] = {
		"a",
		"",
		"caf\xc3\xa9",
		"x\"y\\",
		"line\nbreak",
		"\xe2\x82\xac",
		"a rather long text that takes more than one sixteen"
	};

	return doc_str(g->a, words[dice(g, ARRAY_LEN(words))]);
}

/* A string or bytes of text format. */
static void quoted(struct gen *g, const void *p, size_t n)
{
	(void)buf_addc(&g->text, '"');
	for (size_t i = 0; i < n; i++)
		(void)buf_addf(&g->text, "\\%03o", ((const unsigned char *)p)[i]);
	(void)buf_addc(&g->text, '"');
}

static struct doc gen_int(struct gen *g, const struct schema_field *f)
{
	unsigned size = f->width & SCHEMA_W_SIZE;
	uint64_t v = bits64(g);
	struct doc d;

	if (f->width & SCHEMA_W_UNSIGNED) {
		d = doc_uint(g->a, size == 4 ? (uint32_t)v : v);
	} else {
		if (dice(g, 2))
			v = -v;
		d = doc_int(g->a, size == 4 ? (int32_t)v : (int64_t)v);
	}
	(void)buf_addf(&g->text, "%.*s", (int)d.n, d.s);
	return d;
}

static struct doc gen_double(struct gen *g, const struct schema_field *f)
{
	double v = (double)(int64_t)(bits64(g) >> 12) / (double)(1 + dice(g, 1000));
	char text[40];

	if (f->wire == SCHEMA_PB_FIXED32)
		v = (double)(int64_t)(dice(g, 20000) - 10000) /
		    2; /* few digits: one shortest text */
	(void)snprintf(text, sizeof(text), "%.17g", v);
	(void)buf_adds(&g->text, text);
	return doc_num(g->a, v);
}

static struct doc gen_object(struct gen *g, const struct schema *s, unsigned depth);

static struct doc gen_special(struct gen *g, const struct schema_field *f)
{
	struct schema_time t = { .set = true, .sec = 1 + (int64_t)dice(g, 4000000000u) };
	char text[48];
	struct doc d;

	switch ((enum schema_type)f->type) {
	case SCHEMA_TIME:
		t.nsec = (uint32_t)dice(g, 1000) * 1000;
		(void)buf_addf(&g->text, "seconds: %lld nanos: %u", (long long)t.sec, t.nsec);
		(void)schema_format_time(&t, text);
		if (f->format == FORMAT_MICRO_TIME)
			(void)snprintf(text + 19, 29, ".%06uZ", t.nsec / 1000);
		return doc_str(g->a, text);
	case SCHEMA_INT_OR_STR:
		if (dice(g, 2)) {
			d = doc_int(g->a, (int64_t)dice(g, 70000));
			(void)buf_addf(&g->text, "intVal: %.*s", (int)d.n, d.s);
		} else {
			d = DOC_LIT("http");
			(void)buf_adds(&g->text, "type: 1 strVal: \"http\"");
		}
		return d;
	case SCHEMA_QUANTITY:
		(void)buf_adds(&g->text, "string: \"1500m\"");
		return DOC_LIT("1500m");
	case SCHEMA_ANY:
		(void)buf_adds(&g->text, f->wire ? "\"[1,2]\"" : "raw: \"[1,2]\"");
		return *must_read(g->a, "[1,2]");
	case SCHEMA_STRING:
		(void)buf_adds(&g->text, "duration: 90500000000");
		return DOC_LIT("1m30.5s");
	default: (void)buf_adds(&g->text, "value: true"); return doc_bool(true);
	}
}

static struct doc gen_value(struct gen *g, const struct schema_field *f, unsigned depth)
{
	char raw[6] = "\0\1\xff\x80z";
	struct doc d;
	size_t n;

	switch ((enum schema_type)f->type) {
	case SCHEMA_BOOL:
		if (f->wire)
			return gen_special(g, f);
		d = doc_bool(dice(g, 2));
		(void)buf_adds(&g->text, d.n ? "true" : "false");
		return d;
	case SCHEMA_INT: return gen_int(g, f);
	case SCHEMA_DOUBLE: return gen_double(g, f);
	case SCHEMA_ENUM:
		n = f->wire ? dice(g, 2) * 3 : dice(g, 2);
		d = doc_str(g->a, f->values[n]);
		(void)buf_addf(&g->text, f->wire ? "%s" : "\"%s\"", f->values[n]);
		return d;
	case SCHEMA_OBJECT: return gen_object(g, f->sub, depth + 1);
	case SCHEMA_BYTES:
		n = dice(g, sizeof(raw));
		quoted(g, raw, n);
		d = doc_strn(g->a, "AAH/gHo=", 8);
		return n == 5	? d
		       : n == 0 ? DOC_LIT("")
		       : n == 1 ? DOC_LIT("AA==")
		       : n == 2 ? DOC_LIT("AAE=")
		       : n == 3 ? DOC_LIT("AAH/")
				: DOC_LIT("AAH/gA==");
	case SCHEMA_STRING:
		if (f->wire == SCHEMA_PB_MESSAGE)
			return gen_special(g, f);
		d = word(g);
		quoted(g, d.s, d.n);
		return d;
	default: return gen_special(g, f);
	}
}

static bool is_message(const struct schema_field *f)
{
	return f->type == SCHEMA_OBJECT || f->type == SCHEMA_TIME || f->type == SCHEMA_QUANTITY ||
	       f->type == SCHEMA_INT_OR_STR || f->wire == SCHEMA_PB_MESSAGE ||
	       (f->type == SCHEMA_ANY && !f->wire);
}

static struct doc one_value(struct gen *g, const struct schema_field *f, const char *name,
			    unsigned depth)
{
	bool message = is_message(f);
	struct doc d;

	(void)buf_addf(&g->text, message ? "%s {" : "%s: ", name);
	d = gen_value(g, f, depth);
	(void)buf_adds(&g->text, message ? "}\n" : "\n");
	return d;
}

static struct schema_field elem_of(const struct schema_field *f)
{
	return f->elem_row ? *f->elem
			   : (struct schema_field){ .type = f->elem_type, .sub = f->sub };
}

static struct doc gen_list(struct gen *g, const struct schema_field *f, const char *name,
			   unsigned depth)
{
	struct schema_field e = elem_of(f);
	struct doc list = doc_array();

	for (size_t n = 1 + dice(g, 4); n > 0; n--)
		assert_non_null(doc_append(g->a, &list, one_value(g, &e, name, depth)));
	return list;
}

static struct doc gen_map(struct gen *g, const struct schema_field *f, unsigned depth)
{
	static const char *const keys[] = { "zeta", "alpha", "", "beta" };
	static const char *const numbers[] = { "17", "0", "3000000000", "5" };
	bool is_bool = f->key_wire & SCHEMA_PB_BOOL;
	struct schema_field e = elem_of(f);
	struct doc map = doc_object(), v;

	for (size_t i = 0; i < (is_bool ? 2 : ARRAY_LEN(keys)); i++) {
		const char *key = is_bool	? i ? "true" : "false"
				  : f->key_wire ? numbers[i]
						: keys[i];

		if (dice(g, 3) == 0)
			continue;
		(void)buf_addf(&g->text, f->key_wire ? "%s { key: %s " : "%s { key: \"%s\" ",
			       f->name, key);
		if (e.type == SCHEMA_LIST) {
			(void)buf_adds(&g->text, "value { ");
			v = gen_list(g, &e, "items", depth);
			(void)buf_adds(&g->text, "} }\n");
		} else {
			v = one_value(g, &e, "value", depth);
			(void)buf_adds(&g->text, "}\n");
		}
		assert_non_null(doc_set(g->a, &map, key, v));
	}
	return map;
}

/* Is it something that neither side writes? Then the text must not say it either. */
static bool is_nothing(const struct schema_field *f, const struct doc *d)
{
	if (f->oneof || (f->width & SCHEMA_W_OPT))
		return false;
	return (d->type == DOC_BOOL && !d->n) || (d->type == DOC_STRING && !d->n) ||
	       (d->type == DOC_NUMBER && d->n == 1 && *d->s == '0') || doc_str_is(d, "NONE") ||
	       (f->type == SCHEMA_MAP && !d->n);
}

static struct doc gen_object(struct gen *g, const struct schema *s, unsigned depth)
{
	struct doc obj = doc_object(), d;
	unsigned one = 35 + (unsigned)dice(g, 3);

	for (unsigned i = 0; i < s->n; i++) {
		const struct schema_field *f = &s->fields[i];
		size_t before = g->text.n;

		if (dice(g, 3) || (f->oneof && f->pb != one) ||
		    (f->type == SCHEMA_OBJECT && depth > 2))
			continue;
		if (f->type == SCHEMA_LIST)
			d = gen_list(g, f, f->name, depth);
		else if (f->type == SCHEMA_MAP)
			d = gen_map(g, f, depth);
		else
			d = one_value(g, f, f->name, depth);
		if (is_nothing(f, &d))
			g->text.n = before;
		else
			assert_non_null(doc_set(g->a, &obj, f->name, d));
	}
	return obj;
}

static void put_file(const char *dir, const char *name, struct slice s)
{
	struct err err = ERR_INIT;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fd_replace_file(fd, name, s.p, s.n, 0600, &err), 0);
	fd_close(fd);
}

/* protoc's bytes for the text. */
static void run_protoc(struct gen *g, struct buf *out)
{
	char dir[] = "/tmp/teu-protoc-XXXXXX", cmd[512], path[64];
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	put_file(dir, "all.proto", SLICE(PB_ALL_PROTO));
	put_file(dir, "in.txt", buf_slice(&g->text));
	(void)snprintf(cmd, sizeof(cmd),
		       "cd %s && timeout 300 protoc --proto_path=. --encode=test.Alls "
		       "--deterministic_output all.proto <in.txt >out.bin",
		       dir);
	assert_int_equal(system(cmd), 0);
	(void)snprintf(path, sizeof(path), "%s/out.bin", dir);
	assert_int_equal(fd_read_file(AT_FDCWD, path, out, &err), 0);
	assert_int_equal(fd_remove_tree(AT_FDCWD, dir, &err), 0);
}

static void protoc_writes_the_same_bytes(void **state)
{
	static const struct schema_field rows[] = {
		{ .name = "all",
		  .len = 3,
		  .type = SCHEMA_LIST,
		  .elem_type = SCHEMA_OBJECT,
		  .sub = &pb_all_schema,
		  .pb = 1 },
	};
	static const struct schema alls = { .name = "test.Alls", .fields = rows, .n = 1 };
	CLEANUP(buf_fini) struct buf ours = BUF_INIT(64 << 20), theirs = BUF_INIT(64 << 20);
	struct gen g = { .a = *state, .text = BUF_INIT(64 << 20), .seed = 42 };
	struct doc root = doc_object(), list = doc_array(), back;
	struct err err = ERR_INIT;

	if (system("command -v protoc >/dev/null 2>&1") != 0) {
		print_message("no protoc: skipped\n");
		skip();
	}
	for (int i = 0; i < MESSAGES; i++) {
		(void)buf_adds(&g.text, "all {\n");
		assert_non_null(doc_append(g.a, &list, gen_object(&g, &pb_all_schema, 0)));
		(void)buf_adds(&g.text, "}\n");
	}
	assert_non_null(doc_set(g.a, &root, "all", list));
	assert_false(g.text.full);
	run_protoc(&g, &theirs);
	buf_fini(&g.text);

	if (protobuf_encode(&alls, &root, NULL, &ours, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(ours.n, theirs.n);
	assert_memory_equal(ours.p, theirs.p, ours.n);
	if (protobuf_decode(&alls, buf_slice(&theirs), g.a, NULL, &back, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < MESSAGES; i++)
		assert_true(doc_equal(doc_at(doc_get(&back, "all"), i),
				      doc_at(doc_get(&root, "all"), i)));
}

int main(void)
{
	const struct CMUnitTest tests[] = { CASE(protoc_writes_the_same_bytes) };

	return cmocka_run_group_tests_name("protobuf-peer", tests, NULL, NULL);
}
