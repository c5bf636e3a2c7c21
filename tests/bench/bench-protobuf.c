/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing of protocol buffers by schema rows, beside protobuf-c's generated code: a Pod
 * of 1 KB and a list of 500. `doc` is wire to document and back, `struct` wire to C struct and back
 * (by way of the document), as protobuf-c does it. Both must write the same bytes.
 *
 *	bench-protobuf [ROUNDS]
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/protobuf.h"
#include "doc/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef HAVE_PROTOBUF_C
#include "bench-protobuf.pb-c.h"
#endif

#define ROUNDS_MAX 101
#define ROOM (64u << 20)

/* ---- the tables ---- */

struct meta {
	const char *name, *namespace, *uid, *version;
	int64_t created;
	struct str_map labels;
};
static const struct schema_field meta_rows[] = {
	F_STR(struct meta, name, "name", 0, FORMAT_NONE, .pb = 1),
	F_STR(struct meta, namespace, "namespace", 0, FORMAT_NONE, .pb = 2),
	F_STR(struct meta, uid, "uid", 0, FORMAT_NONE, .pb = 3),
	F_STR(struct meta, version, "version", 0, FORMAT_NONE, .pb = 4),
	F_INT(struct meta, created, "created", 0, 0, 0, .pb = 5),
	F_MAP_STR(struct meta, labels, "labels", 0, .pb = 6),
};
static const struct schema meta_schema = SCHEMA("bench.Meta", struct meta, meta_rows);

struct container {
	const char *name, *image;
	struct strs args;
	LIST_OF(int32_t) ports;
	double cpu;
	bool ready;
	int32_t priority;
	uint64_t started;
};
static const struct schema_field port_row = E_INT(int32_t, 0, 0);
static const struct schema_field container_rows[] = {
	F_STR(struct container, name, "name", 0, FORMAT_NONE, .pb = 1),
	F_STR(struct container, image, "image", 0, FORMAT_NONE, .pb = 2),
	F_LIST_STR(struct container, args, "args", 0, FORMAT_NONE, .pb = 3),
	F_LIST(struct container, ports, "ports", &port_row, 0, .pb = 4, .wire = SCHEMA_PB_PACKED),
	F_DOUBLE(struct container, cpu, "cpu", 0, .pb = 5),
	F_BOOL(struct container, ready, "ready", 0, .pb = 6),
	F_INT(struct container, priority, "priority", 0, 0, 0, .pb = 7, .wire = SCHEMA_PB_ZIGZAG),
	F_INT(struct container, started, "started", 0, 0, 0, .pb = 8, .wire = SCHEMA_PB_FIXED64),
};
static const struct schema container_schema =
	SCHEMA("bench.Container", struct container, container_rows);

struct pod {
	struct meta *meta;
	LIST_OF(struct container) containers;
	const char *node;
	int64_t restarts;
};
static const struct schema_field pod_rows[] = {
	F_OBJ(struct pod, meta, "meta", &meta_schema, 0, .pb = 1),
	F_LIST_OBJ(struct pod, containers, "containers", &container_schema, 0, .pb = 2),
	F_STR(struct pod, node, "node", 0, FORMAT_NONE, .pb = 3),
	F_INT(struct pod, restarts, "restarts", 0, 0, 0, .pb = 4),
};
static const struct schema pod_schema = SCHEMA("bench.Pod", struct pod, pod_rows);

struct pod_list {
	LIST_OF(struct pod) items;
};
static const struct schema_field list_rows[] = {
	F_LIST_OBJ(struct pod_list, items, "items", &pod_schema, 0, .pb = 1),
};
static const struct schema list_schema = SCHEMA("bench.PodList", struct pod_list, list_rows);

/* ---- the messages ---- */

struct input {
	const char *name;
	const struct schema *schema;
	struct buf wire;
	unsigned loops;
};

static _Noreturn void die(const char *what, const struct err *err)
{
	(void)fprintf(stderr, "bench-protobuf: %s: %s\n", what, err ? err->msg : "failed");
	exit(2);
}

static void add_container(struct arena *a, struct doc *pod, const char *name, int port)
{
	struct doc *c = doc_append_object(a, doc_get(pod, "containers")), *l;

	doc_set_str(a, c, "name", name);
	doc_set_str(a, c, "image", "registry.example/team/web-frontend:v1.42.7");
	l = doc_set_array(a, c, "args");
	for (int i = 0; i < 5; i++)
		(void)doc_append_str(a, l, "--config-from=/etc/web-frontend/config.yaml");
	l = doc_set_array(a, c, "ports");
	for (int i = 0; i < 4; i++)
		(void)doc_append(a, l, doc_int(a, port + i));
	(void)doc_set(a, c, "cpu", doc_num(a, 0.25));
	doc_set_bool(a, c, "ready", true);
	doc_set_int(a, c, "priority", -7);
	doc_set_int(a, c, "started", 1700000000123);
}

static void fill_pod(struct arena *a, struct doc *pod, int i)
{
	struct doc *m = doc_set_object(a, pod, "meta"), *l;

	doc_set_strf(a, m, "name", "web-frontend-6d5f7c9b8-%05d", i);
	doc_set_str(a, m, "namespace", "default");
	doc_set_strf(a, m, "uid", "1b4e28ba-2fa1-11d2-883f-0016d3cc%04d", i);
	doc_set_strf(a, m, "version", "%d", 104200 + i);
	doc_set_int(a, m, "created", 1700000000 + i);
	l = doc_set_object(a, m, "labels");
	doc_set_str(a, l, "app", "web-frontend");
	doc_set_str(a, l, "tier", "front");
	doc_set_array(a, pod, "containers");
	add_container(a, pod, "web", 8080);
	add_container(a, pod, "sidecar", 9090);
	doc_set_strf(a, pod, "node", "node-%02d.cluster.local", i % 40);
	doc_set_int(a, pod, "restarts", i % 7 + 1);
}

static struct input make(struct arena *a, bool list)
{
	struct input in = { .name = list ? "list of 500" : "Pod",
			    .schema = list ? &list_schema : &pod_schema,
			    .wire = BUF_INIT(ROOM),
			    .loops = list ? 4 : 2000 };
	struct doc *root = doc_new_object(a), *items;
	struct err err = ERR_INIT;

	if (list) {
		items = doc_set_array(a, root, "items");
		for (int i = 0; i < 500; i++)
			fill_pod(a, doc_append_object(a, items), i);
	} else {
		fill_pod(a, root, 1);
	}
	if (arena_exceeded(a) || protobuf_encode(in.schema, root, NULL, &in.wire, &err) < 0)
		die("make", &err);
	return in;
}

/* ---- subjects ---- */

static struct buf out = { .max = ROOM };

/* Reads; writes back when `write`. A new arena each: what a request pays. */
static size_t run_doc(const struct input *in, bool write)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bench", ROOM);
	struct err err = ERR_INIT;
	struct doc d;

	buf_clear(&out);
	if (protobuf_decode(in->schema, buf_slice(&in->wire), a, NULL, &d, &err) < 0 ||
	    (write && protobuf_encode(in->schema, &d, NULL, &out, &err) < 0))
		die("doc", &err);
	return out.n;
}

static size_t run_struct(const struct input *in, bool write)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bench", ROOM);
	struct err err = ERR_INIT;
	union {
		struct pod pod;
		struct pod_list list;
	} v;

	memset(&v, 0, sizeof(v));
	buf_clear(&out);
	if (protobuf_decode_struct(in->schema, buf_slice(&in->wire), a, &v, &err) < 0 ||
	    (write && protobuf_encode_struct(in->schema, &v, a, &out, &err) < 0))
		die("struct", &err);
	return out.n;
}

#ifdef HAVE_PROTOBUF_C
static size_t run_protobuf_c(const struct input *in, bool write)
{
	const ProtobufCMessageDescriptor *what =
		in->schema == &pod_schema ? &bench__pod__descriptor : &bench__pod_list__descriptor;
	ProtobufCMessage *m =
		protobuf_c_message_unpack(what, NULL, in->wire.n, (const uint8_t *)in->wire.p);
	size_t n;

	if (!m)
		die("protobuf-c", NULL);
	buf_clear(&out);
	if (write) {
		n = protobuf_c_message_get_packed_size(m);
		if (!buf_room(&out, n))
			die("protobuf-c", NULL);
		out.n = protobuf_c_message_pack(m, (uint8_t *)out.p);
	}
	protobuf_c_message_free_unpacked(m, NULL);
	return out.n;
}
#endif

static const struct subject {
	const char *name;
	size_t (*run)(const struct input *in, bool write);
} subjects[] = {
	{ "doc", run_doc },
	{ "struct", run_struct },
#ifdef HAVE_PROTOBUF_C
	{ "protobuf-c", run_protobuf_c },
#endif
};
#define SUBJECTS ARRAY_LEN(subjects)

/* ---- measuring ---- */

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double time_one(const struct subject *s, const struct input *in, bool write)
{
	double begin = now_us();

	for (unsigned i = 0; i < in->loops; i++)
		(void)s->run(in, write);
	return (now_us() - begin) / in->loops;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(const struct input *in, unsigned rounds)
{
	double us[SUBJECTS][2][ROUNDS_MAX], last = 0;

	for (size_t i = 0; i < SUBJECTS; i++)
		if (subjects[i].run(in, true) != in->wire.n ||
		    memcmp(out.p, in->wire.p, out.n) != 0)
			die(subjects[i].name,
			    &(struct err){ .msg = "does not write the same bytes" });
	for (unsigned r = 0; r < rounds; r++)
		for (size_t i = 0; i < SUBJECTS; i++)
			for (int w = 0; w < 2; w++)
				us[i][w][r] = time_one(&subjects[i], in, w);
	for (size_t i = 0; i < SUBJECTS; i++)
		for (int w = 0; w < 2; w++)
			qsort(us[i][w], rounds, sizeof(double), cmp_double);
	last = us[SUBJECTS - 1][1][rounds / 2];
	printf("%s, %zu bytes\n  %-10s %10s %10s %10s %10s %14s\n", in->name, in->wire.n, "",
	       "read us", "write us", "both us", "read MB/s", "of the last");
	for (size_t i = 0; i < SUBJECTS; i++) {
		double read = us[i][0][rounds / 2], both = us[i][1][rounds / 2];

		printf("  %-10s %10.2f %10.2f %10.2f %10.0f %14.2f\n", subjects[i].name, read,
		       both - read, both, (double)in->wire.n / read, both / last);
	}
}

int main(int argc, char **argv)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bench messages", ROOM);
	uint64_t rounds = 11;

	if (argc > 1 && (str_uint64(slice_str(argv[1]), &rounds, NULL) < 0 || rounds < 1 ||
			 rounds > ROUNDS_MAX)) {
		(void)fprintf(stderr, "usage: bench-protobuf [ROUNDS, 1 to %d]\n", ROUNDS_MAX);
		return 2;
	}
#ifndef HAVE_PROTOBUF_C
	puts("protobuf-c is left out: libprotobuf-c-dev and protobuf-c-compiler are not installed");
#endif
	for (int list = 0; list < 2; list++) {
		struct input in = make(a, list);

		measure(&in, (unsigned)rounds);
		buf_fini(&in.wire);
	}
	buf_fini(&out);
	return 0;
}
