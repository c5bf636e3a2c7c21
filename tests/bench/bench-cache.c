/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API server's cache over the embedded store: time to load N objects of 1 KB, resident bytes
 * for each byte stored, events to 1,000 watchers of which 10 match, a walk over a list, looking
 * one up, a list with selectors. usage: bench-cache [objects] [folder].
 */
#include "api/api.h"
#include "apiserver/objects/cache.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPS 100
#define RECENT 5000
#define WATCHERS 1000
#define EVENTS 20000
#define FLIGHT 64

static struct loop *loop;
static struct store *store;
static struct err err;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, err.msg);
	exit(1);
}

static void turn(const bool *flag)
{
	while (!*flag)
		if (loop_step(loop, NS_PER_SEC, &err) < 0)
			fail("loop");
}

static double ms(int64_t began)
{
	return (double)(clock_mono() - began) / 1e6;
}

static size_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2)
		fail("statm");
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- objects ---- */

static const char *pod_name(size_t i)
{
	static char name[64];

	snprintf(name, sizeof(name), "ns-%03zu/web-6d8f7c9b5-%07zu", i % 100, i);
	return name;
}

static size_t pod_json(char *out, size_t n, size_t i, unsigned turn_)
{
	const char *name = strchr(pod_name(i), '/') + 1;

	return (size_t)snprintf(
		out, n,
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
		"\"generateName\":\"web-6d8f7c9b5-\",\"namespace\":\"ns-%03zu\",\"uid\":"
		"\"0b5a4f6e-1111-2222-3333-%012zu\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\","
		"\"labels\":{\"app\":\"web-%zu\",\"pod-template-hash\":\"6d8f7c9b5\",\"tier\":"
		"\"front\"},\"ownerReferences\":[{\"apiVersion\":\"apps/"
		"v1\",\"kind\":\"ReplicaSet\","
		"\"name\":\"web-6d8f7c9b5\",\"uid\":\"e2a9c1d0-aaaa-bbbb-cccc-0123456789ab\","
		"\"controller\":true,\"blockOwnerDeletion\":true}]},\"spec\":{\"containers\":[{"
		"\"name\":\"web\",\"image\":\"registry.example/web:v%u\",\"ports\":[{"
		"\"containerPort\":8080,\"protocol\":\"TCP\"}],\"resources\":{\"requests\":{"
		"\"cpu\":"
		"\"100m\",\"memory\":\"128Mi\"}},\"terminationMessagePath\":\"/dev/"
		"termination-log\","
		"\"imagePullPolicy\":\"IfNotPresent\"}],\"restartPolicy\":\"Always\","
		"\"serviceAccountName\":\"default\",\"nodeName\":\"node-%zu\",\"schedulerName\":"
		"\"default-scheduler\"},\"status\":{\"phase\":\"Running\",\"podIP\":\"10.0.%zu.%"
		"zu\"}}",
		name, i % 100, i, i % 50, turn_, i % 100, i / 250 % 250, i % 250);
}

struct filler {
	struct store_txn t;
	struct store_op ops[OPS];
	char keys[OPS][96], values[OPS][1536];
	bool done;
};

static void on_filled(struct store_txn *t)
{
	struct filler *f = CONTAINER_OF(t, struct filler, t);

	err = t->err;
	if (t->result)
		fail("fill");
	f->done = true;
}

/* n objects, `ops` in a revision. */
static size_t fill(size_t n, size_t ops)
{
	struct filler *f = calloc(1, sizeof(*f));
	size_t bytes = 0;

	for (size_t at = 0; at < n; at += ops) {
		for (size_t i = 0; i < ops; i++) {
			size_t len = pod_json(f->values[i], sizeof(f->values[i]), at + i, 0);

			snprintf(f->keys[i], sizeof(f->keys[i]), "/registry/pods/%s",
				 pod_name(at + i));
			f->ops[i] = (struct store_op){ .key = slice_str(f->keys[i]),
						       .value = slice_of(f->values[i], len) };
			bytes += len;
		}
		f->t = (struct store_txn){ .ops = f->ops, .nops = ops, .done = on_filled };
		f->done = false;
		store_commit(store, &f->t);
		turn(&f->done);
	}
	free(f);
	return bytes;
}

/* ---- the world ---- */

static struct world *world;
static struct cache *pods;
static bool started;

static void on_start(void *arg, int result, struct err *e)
{
	if (result < 0) {
		err = *e;
		fail("start");
	}
	started = true;
}

static void load(const struct api *api, size_t n, size_t bytes)
{
	const struct world_conf conf = { .loop = loop, .store = store };
	const size_t before = resident();
	const int64_t began = clock_mono();
	struct cache_stats s;
	double took;

	world = world_new(&conf);
	pods = world_add(world, &(struct cache_conf){ .prefix = "/registry/pods/",
						      .kind = api_kind(api, "v1", "Pod") });
	started = false;
	world_start(world, on_start, NULL);
	turn(&started);
	took = ms(began);
	world_get_stats(world, &s);
	printf("load %8zu objects: %7.1f ms", n, took);
	if (bytes)
		printf(", %.2f resident bytes a byte stored (items and trees %.2f, windows %.2f)",
		       (double)(resident() - before) / (double)bytes,
		       (double)s.memory_bytes / (double)bytes,
		       (double)s.window_bytes / (double)bytes);
	printf("\n");
}

static void walk(void)
{
	struct cache_view *v = cache_now(pods);
	const int64_t began = clock_mono();
	struct cache_iter it;
	size_t n = 0, bytes = 0;
	struct item *i;

	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it))) {
		n++;
		bytes += item_json(i).n;
	}
	printf("walk: %.1f million objects/s (%zu MB of JSON)\n", (double)n / ms(began) / 1e3,
	       bytes >> 20);
	cache_view_unref(v);
}

static void select_some(const char *what, const char *labels, const char *fields)
{
	CLEANUP(arena_free) struct arena *a = arena_new("selectors", 1 << 20);
	struct cache_view *v = cache_now(pods);
	struct selector ls, fs;
	struct cache_iter it;
	size_t n = 0, hits = 0;
	struct item *i;
	int64_t began;

	if (selector_labels(slice_str(labels), a, &ls, &err) < 0 ||
	    selector_fields(slice_str(fields), a, &fs, &err) < 0)
		fail("selector");
	began = clock_mono();
	cache_iter_init(&it, v, SLICE(""), SLICE(""));
	while ((i = cache_iter_next(&it))) {
		n++;
		hits += item_match(i, &ls, &fs);
	}
	printf("match %s: %.1f million objects/s, %zu of %zu\n", what, (double)n / ms(began) / 1e3,
	       hits, n);
	cache_view_unref(v);
}

static void look_up(size_t n)
{
	const size_t rounds = 1000000;
	size_t found = 0;
	int64_t began = clock_mono();

	for (size_t i = 0; i < rounds; i++)
		found += cache_get(pods, slice_str(pod_name(i * 7919 % n))) != NULL;
	printf("look up: %.2f million/s (%zu found)\n", (double)rounds / ms(began) / 1e3, found);
}

/* ---- watchers ---- */

struct viewer {
	struct cache_watch w;
	struct selector fields;
	struct selector_term term;
	struct slice node;
	char name[16];
};

static size_t told;

static int on_change(struct cache_watch *w, enum cache_change what, struct item *i)
{
	told++;
	return 0;
}

struct writer {
	struct cache_write w;
	struct cache_op op;
	size_t i;
	char key[64], json[1536];
};
static size_t begun, written, objects;
static bool all_written;

static void go(struct writer *x)
{
	x->i = begun++;
	snprintf(x->key, sizeof(x->key), "%s", pod_name(x->i % objects));
	x->op = (struct cache_op){
		.cache = pods,
		.key = slice_str(x->key),
		.json = slice_of(x->json, pod_json(x->json, sizeof(x->json), x->i % objects,
						   (unsigned)(1 + x->i))),
		.expect = CACHE_ANY_REVISION,
	};
	x->w.ops = &x->op;
	x->w.n = 1;
	cache_write(world, &x->w);
}

static void on_written(struct cache_write *w)
{
	if (w->result) {
		err = w->err;
		fail("write");
	}
	if (++written == EVENTS)
		all_written = true;
	else if (begun < EVENTS)
		go(CONTAINER_OF(w, struct writer, w));
}

/* Watchers are of one node each; an object is of one of 100 nodes, so 10 watchers match it. */
static void events(unsigned watchers)
{
	struct viewer *v = calloc(WATCHERS, sizeof(*v));
	struct writer *x = calloc(FLIGHT, sizeof(*x));
	int64_t began;

	for (unsigned i = 0; i < watchers; i++) {
		snprintf(v[i].name, sizeof(v[i].name), "node-%u", i % 100);
		v[i].node = slice_str(v[i].name);
		v[i].term = (struct selector_term){ .key = SLICE("spec.nodeName"),
						    .op = SELECT_EQUAL,
						    .values = &v[i].node,
						    .n = 1 };
		v[i].fields = (struct selector){ &v[i].term, 1 };
		v[i].w.fields = &v[i].fields;
		v[i].w.change = on_change;
		if (cache_watch(pods, &v[i].w, world_revision(world), &err) < 0)
			fail("watch");
	}
	told = begun = written = 0;
	all_written = false;
	began = clock_mono();
	for (size_t i = 0; i < FLIGHT; i++) {
		x[i].w.done = on_written;
		go(&x[i]);
	}
	turn(&all_written);
	printf("%u watchers, 10 match: %.0f durable writes/s, %.0f events/s told\n", watchers,
	       EVENTS / ms(began) * 1e3, (double)told / ms(began) * 1e3);
	for (unsigned i = 0; i < watchers; i++)
		cache_unwatch(&v[i].w);
	free(v);
	free(x);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) / OPS * OPS : 100000, bytes;
	struct arena *a = arena_new("api", 64u << 20);
	char dir[4096], path[4200];
	struct store_sqlite_options o = { .path = path };
	struct api api;

	snprintf(dir, sizeof(dir), "%s/teu-bench-cache-XXXXXX", argc > 2 ? argv[2] : "/tmp");
	if (!n || !mkdtemp(dir) || loop_new(&loop, &err) < 0 || api_load(a, &api, &err) < 0)
		fail("begin");
	snprintf(path, sizeof(path), "%s/store.db", dir);
	o.loop = loop;
	if (store_open_sqlite(&o, &store, &err) < 0)
		fail("open");
	load(&api, 0, 0);
	world_free(world);
	bytes = fill(n, OPS);
	(void)fill(MIN(n, RECENT), 1); /* the latest changes, as they mostly are */
	store_close(store);
	if (store_open_sqlite(&o, &store, &err) < 0)
		fail("open");
	load(&api, n, bytes);
	walk();
	select_some("app=web-7", "app=web-7", "");
	select_some("spec.nodeName=node-7", "", "spec.nodeName=node-7");
	objects = n;
	look_up(n);
	events(0);
	events(WATCHERS);
	world_free(world);
	store_close(store);
	loop_free(loop);
	api_fini(&api);
	arena_free(a);
	return fd_remove_tree(AT_FDCWD, dir, &err) < 0;
}
