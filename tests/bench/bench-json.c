/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON read and write beside jansson, json-c and cJSON: a Pod of 3,038 bytes and a list of 500
 * items (217 KB), both made here. Rounds are interleaved, figures are medians of process CPU time.
 * The other libraries come by dlopen with local scope, since two of them export the same names; an
 * absent one is skipped by name. Exit 1 when a goal is missed (Pod read + written in 7 us, list
 * read at 1 GB/s); --report never fails.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/json.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define POD_SIZE 3038

struct input {
	const char *name;
	char *text;
	size_t n;
	unsigned loops;
};

/* A library under test: reads (and frees), or reads, writes (and frees) one text. */
struct subject {
	const char *name;
	const char *so;
	bool (*load)(void *dl);
	size_t (*run)(const struct input *in, bool write);
	bool present;
	double read_us[ROUNDS], both_us[ROUNDS];
};

/* ---- Texts ---- */

static void container(struct arena *a, struct doc *list, const char *name, int port)
{
	static const char *const probes[] = { "livenessProbe", "readinessProbe" };
	struct doc *c = doc_append_object(a, list), *d, *e;

	doc_set_str(a, c, "name", name);
	doc_set_strf(a, c, "image", "registry.example.com/team/%s:v1.27.%d", name, port % 10);
	d = doc_append_object(a, doc_set_array(a, c, "ports"));
	doc_set_str(a, d, "name", "http");
	doc_set_int(a, d, "containerPort", port);
	doc_set_str(a, d, "protocol", "TCP");
	e = doc_set_array(a, c, "env");
	for (int i = 0; i < 3; i++) {
		d = doc_append_object(a, e);
		doc_set_strf(a, d, "name", "SETTING_%d", i);
		doc_set_strf(a, d, "value", "value-of-%s-%d", name, i);
	}
	d = doc_set_object(a, c, "resources");
	e = doc_set_object(a, d, "limits");
	doc_set_str(a, e, "cpu", "500m");
	doc_set_str(a, e, "memory", "128Mi");
	e = doc_set_object(a, d, "requests");
	doc_set_str(a, e, "cpu", "250m");
	doc_set_str(a, e, "memory", "64Mi");
	d = doc_append_object(a, doc_set_array(a, c, "volumeMounts"));
	doc_set_str(a, d, "name", "kube-api-access-x7k2p");
	doc_set_bool(a, d, "readOnly", true);
	doc_set_str(a, d, "mountPath", "/var/run/secrets/kubernetes.io/serviceaccount");
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		d = doc_set_object(a, c, probes[i]);
		e = doc_set_object(a, d, "httpGet");
		doc_set_str(a, e, "path", "/healthz");
		doc_set_int(a, e, "port", port);
		doc_set_int(a, d, "periodSeconds", 10);
		doc_set_int(a, d, "failureThreshold", 3);
	}
	doc_set_str(a, c, "terminationMessagePath", "/dev/termination-log");
	doc_set_str(a, c, "imagePullPolicy", "IfNotPresent");
}

static void metadata(struct arena *a, struct doc *root, int i)
{
	struct doc *m = doc_set_object(a, root, "metadata"), *l;

	doc_set_strf(a, m, "name", "web-frontend-6d5f7c9b8-%05d", i);
	doc_set_str(a, m, "namespace", "default");
	doc_set_strf(a, m, "uid", "1b4e28ba-2fa1-11d2-883f-0016d3cc%04d", i);
	doc_set_strf(a, m, "resourceVersion", "%d", 104200 + i);
	doc_set_str(a, m, "creationTimestamp", "2026-01-01T12:00:00Z");
	l = doc_set_object(a, m, "labels");
	doc_set_str(a, l, "app", "web-frontend");
	doc_set_str(a, l, "tier", "front");
}

static struct doc *make_pod(struct arena *a)
{
	static const char *const conditions[] = { "Initialized", "Ready", "ContainersReady",
						  "PodScheduled" };
	struct doc *root = doc_new_object(a), *spec, *status, *d;

	doc_set_str(a, root, "apiVersion", "v1");
	doc_set_str(a, root, "kind", "Pod");
	metadata(a, root, 1);
	spec = doc_set_object(a, root, "spec");
	d = doc_set_array(a, spec, "containers");
	container(a, d, "web", 8080);
	container(a, d, "sidecar", 9090);
	spec = doc_get(root, "spec");
	doc_set_str(a, spec, "restartPolicy", "Always");
	doc_set_int(a, spec, "terminationGracePeriodSeconds", 30);
	doc_set_str(a, spec, "nodeName", "node-17.cluster.local");
	status = doc_set_object(a, root, "status");
	doc_set_str(a, status, "phase", "Running");
	doc_set_str(a, status, "podIP", "10.244.3.17");
	doc_set_array(a, status, "conditions");
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
		d = doc_append_object(a, doc_get(status, "conditions"));
		doc_set_str(a, d, "type", conditions[i]);
		doc_set_str(a, d, "status", "True");
		doc_set_null(a, d, "lastProbeTime");
		doc_set_str(a, d, "lastTransitionTime", "2026-01-01T12:00:05Z");
	}
	return root;
}

static void add_item(struct arena *a, struct doc *items, int i)
{
	struct doc *root = doc_append_object(a, items), *d;

	metadata(a, root, i);
	d = doc_set_object(a, root, "spec");
	doc_set_strf(a, d, "nodeName", "node-%02d.cluster.local", i % 40);
	doc_set_str(a, d, "restartPolicy", "Always");
	d = doc_set_object(a, root, "status");
	doc_set_str(a, d, "phase", "Running");
	doc_set_strf(a, d, "podIP", "10.244.%d.%d", i / 250, i % 250);
	doc_set_str(a, d, "hostIP", "192.168.17.3");
	doc_set_str(a, d, "qosClass", "BestEffort");
	doc_set_int(a, d, "restarts", i % 7);
	doc_set_bool(a, d, "ready", i % 9 != 0);
}

static struct input text_of(struct arena *a, const char *name, const struct doc *d, unsigned loops)
{
	struct err err = ERR_INIT;
	struct slice s = { 0 };

	if (json_print(a, d, NULL, &s, &err) < 0) {
		fprintf(stderr, "bench-json: %s\n", err.msg);
		exit(2);
	}
	return (struct input){ .name = name, .text = (char *)s.p, .n = s.n, .loops = loops };
}

static struct input pod_text(struct arena *a)
{
	struct doc *root = make_pod(a);
	struct input in = text_of(a, "Pod", root, 1000);
	char pad[POD_SIZE];
	size_t fixed = strlen(",\"annotations\":{\"note\":\"\"}");

	if (in.n + fixed < POD_SIZE) {
		memset(pad, 'x', sizeof(pad));
		doc_set_strn(a, doc_set_object(a, doc_get(root, "metadata"), "annotations"), "note",
			     pad, POD_SIZE - in.n - fixed);
	}
	return text_of(a, "Pod", root, 1000);
}

static struct input list_text(struct arena *a)
{
	struct doc *root = doc_new_object(a), *items;

	doc_set_str(a, root, "apiVersion", "v1");
	doc_set_str(a, root, "kind", "PodList");
	items = doc_set_array(a, root, "items");
	for (int i = 0; i < 500; i++)
		add_item(a, items, i);
	return text_of(a, "list", root, 20);
}

/* ---- Ours ---- */

/*
 * One arena, wound back after each text: its pages stay, as in the measurement that the goals come
 * from. The arena gives back its last allocation, and to it all that was allocated since the mark
 * looks like one.
 */
static struct arena *our_arena;
static void *our_mark;
static size_t our_used;
static struct buf our_out = { .max = 16u << 20 };

#define OUR_ROOM (2u << 20)

static bool ours_load(void *dl)
{
	our_arena = arena_new("bench", 64u << 20);
	our_mark = arena_alloc_raw(our_arena, OUR_ROOM, 16);
	our_mark = arena_grow(our_arena, our_mark, OUR_ROOM, 16);
	our_used = arena_used(our_arena);
	return true;
}

static size_t ours_in(struct arena *a, const struct input *in, bool write)
{
	static const struct json_options strict = { .dup = JSON_DUP_ERROR };
	struct err err = ERR_INIT;
	struct doc *d;

	buf_clear(&our_out);
	if (json_read(a, slice_of(in->text, in->n), &strict, &d, &err) < 0 ||
	    (write && json_write(d, NULL, &our_out, &err) < 0)) {
		fprintf(stderr, "bench-json: %s\n", err.msg);
		exit(2);
	}
	return write ? our_out.n : 0;
}

static size_t ours_run(const struct input *in, bool write)
{
	our_mark = arena_grow(our_arena, our_mark, 16 + arena_used(our_arena) - our_used, 16);
	return ours_in(our_arena, in, write);
}

static bool fresh_load(void *dl)
{
	return true;
}

/* A new arena for each text: what a request pays, page faults of large ones included. */
static size_t fresh_run(const struct input *in, bool write)
{
	CLEANUP(arena_free) struct arena *a = arena_new("bench fresh", 64u << 20);

	return ours_in(a, in, write);
}

/* ---- The others: only the calls needed, by name ---- */

static void *(*cj_parse)(const char *, size_t);
static char *(*cj_print)(const void *);
static void (*cj_delete)(void *);

static bool cjson_load(void *dl)
{
	*(void **)&cj_parse = dlsym(dl, "cJSON_ParseWithLength");
	*(void **)&cj_print = dlsym(dl, "cJSON_PrintUnformatted");
	*(void **)&cj_delete = dlsym(dl, "cJSON_Delete");
	return cj_parse && cj_print && cj_delete;
}

static size_t cjson_run(const struct input *in, bool write)
{
	void *d = cj_parse(in->text, in->n);
	size_t n = 0;

	if (write) {
		char *s = cj_print(d);

		n = strlen(s);
		free(s);
	}
	cj_delete(d);
	return n;
}

static void *(*jc_new)(void), *(*jc_parse)(void *, const char *, int);
static const char *(*jc_print)(void *, int, size_t *);
static void (*jc_free)(void *);
static int (*jc_put)(void *);

static bool jsonc_load(void *dl)
{
	*(void **)&jc_new = dlsym(dl, "json_tokener_new");
	*(void **)&jc_parse = dlsym(dl, "json_tokener_parse_ex");
	*(void **)&jc_free = dlsym(dl, "json_tokener_free");
	*(void **)&jc_print = dlsym(dl, "json_object_to_json_string_length");
	*(void **)&jc_put = dlsym(dl, "json_object_put");
	return jc_new && jc_parse && jc_free && jc_print && jc_put;
}

static size_t jsonc_run(const struct input *in, bool write)
{
	void *t = jc_new(), *d = jc_parse(t, in->text, (int)in->n);
	size_t n = 0;

	if (write)
		(void)jc_print(d, 1 << 4, &n); /* JSON_C_TO_STRING_NOSLASHESCAPE; compact */
	jc_put(d);
	jc_free(t);
	return n;
}

static void *(*ja_load)(const char *, size_t, size_t, void *);
static char *(*ja_dump)(const void *, size_t);
static void (*ja_delete)(void *);

static bool jansson_load(void *dl)
{
	*(void **)&ja_load = dlsym(dl, "json_loadb");
	*(void **)&ja_dump = dlsym(dl, "json_dumps");
	*(void **)&ja_delete = dlsym(dl, "json_delete");
	return ja_load && ja_dump && ja_delete;
}

static size_t jansson_run(const struct input *in, bool write)
{
	void *d = ja_load(in->text, in->n, 1 /* JSON_REJECT_DUPLICATES */, NULL);
	size_t n = 0;

	if (write) {
		char *s = ja_dump(d, 0x20 /* JSON_COMPACT */);

		n = strlen(s);
		free(s);
	}
	ja_delete(d);
	return n;
}

/* ---- Measuring ---- */

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double time_one(const struct subject *s, const struct input *in, bool write)
{
	unsigned loops = s->so ? (in->loops + 9) / 10 : in->loops;
	double start = now_us();

	for (unsigned i = 0; i < loops; i++) {
		size_t n = s->run(in, write);

		if (write && n != in->n) {
			fprintf(stderr, "bench-json: %s wrote %zu bytes of %zu\n", s->name, n,
				in->n);
			exit(2);
		}
	}
	return (now_us() - start) / loops;
}

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), cmp_double);
	return v[ROUNDS / 2];
}

static void measure(struct subject *subjects, size_t count, const struct input *in, double *read_us,
		    double *both_us)
{
	for (int round = -1; round < ROUNDS; round++) {
		for (size_t i = 0; i < count; i++) {
			struct subject *s = &subjects[i];
			double r, b;

			if (!s->present)
				continue;
			r = time_one(s, in, false);
			b = time_one(s, in, true);
			if (round >= 0) {
				s->read_us[round] = r;
				s->both_us[round] = b;
			}
		}
	}
	printf("%s, %zu bytes\n  %-8s %10s %10s %10s %10s %8s\n", in->name, in->n, "", "read us",
	       "write us", "both us", "read MB/s", "x ours");
	for (size_t i = 0; i < count; i++) {
		double r, b;

		if (!subjects[i].present) {
			printf("  %-8s skipped: %s is not installed\n", subjects[i].name,
			       subjects[i].so);
			continue;
		}
		r = median(subjects[i].read_us);
		b = median(subjects[i].both_us);
		if (i == 0) {
			*read_us = r;
			*both_us = b;
		}
		printf("  %-8s %10.2f %10.2f %10.2f %10.0f %8.1f\n", subjects[i].name, r, b - r, b,
		       (double)in->n / r, b / *both_us);
	}
}

int main(int argc, char **argv)
{
	struct subject subjects[] = {
		{ .name = "teu", .load = ours_load, .run = ours_run },
		{ .name = "fresh", .load = fresh_load, .run = fresh_run },
		{ .name = "cJSON", .so = "libcjson.so.1", .load = cjson_load, .run = cjson_run },
		{ .name = "json-c", .so = "libjson-c.so.5", .load = jsonc_load, .run = jsonc_run },
		{ .name = "jansson",
		  .so = "libjansson.so.4",
		  .load = jansson_load,
		  .run = jansson_run },
	};
	CLEANUP(arena_free) struct arena *a = arena_new("bench texts", 64u << 20);
	struct input pod = pod_text(a), list = list_text(a);
	double read_us = 0, pod_us = 0, list_us = 0, both_us = 0;
	bool met;

	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		void *dl = subjects[i].so ? dlopen(subjects[i].so, RTLD_NOW | RTLD_LOCAL) : NULL;

		subjects[i].present = (dl || !subjects[i].so) && subjects[i].load(dl);
	}
	measure(subjects, ARRAY_LEN(subjects), &pod, &read_us, &pod_us);
	measure(subjects, ARRAY_LEN(subjects), &list, &list_us, &both_us);
	met = pod_us <= 7.0 && (double)list.n / list_us >= 1000.0;
	printf("goals: Pod %.2f us of 7 us, list %.0f MB/s of 1000 MB/s: %s\n", pod_us,
	       (double)list.n / list_us, met ? "met" : "MISSED");
	buf_fini(&our_out);
	arena_free(our_arena);
	return met || (argc > 1 && strcmp(argv[1], "--report") == 0) ? 0 : 1;
}
