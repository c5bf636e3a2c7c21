/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests through the whole server, which runs in this process over a store of its own: method,
 * path, query, headers and body as an administrator sends them. An input is one or more of
 *
 *	METHOD TARGET
 *	Header: value
 *	(an empty line)
 *	body
 *
 * divided by lines of "--", asked one after the other, so that what one made the next can change.
 * Each must be answered, and never with an InternalError: what a client sends is not an error of
 * ours. (Upstream has 500 without a reason for fields that an apply does not know.)
 */
#include "api/api.h"
#include "apiserver/auth/authn.h"
#include "apiserver/objects/cache.h"
#include "apiserver/objects/resource.h"
#include "apiserver/rest/server.h"
#include "apiserver/strategy/strategy.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "io/metrics.h"
#include "store/store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAX 8
#define TARGET_MAX 4096
#define LINES_MAX 8
#define ROUNDS 400	/* of the loop for an answer; a watch is left after them */
#define INPUTS_MAX 2000 /* then the store begins anew: what is there stays small */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	char dir[64];
	struct loop *loop;
	struct store *store;
	struct arena *tables;
	struct api api;
	struct world *world;
	struct resources *resources;
	struct authn *authn;
	struct metrics *metrics;
	struct server *server;
	bool started, runs;
	unsigned inputs;
} w;

static void ask(struct slice text);

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "fuzz-api-request: %s\n", err->msg);
	abort();
}

static void on_started(void *arg, int result, struct err *err)
{
	must(result, err);
	w.started = true;
}

static void path_of(char *path, size_t n, const char *name)
{
	(void)snprintf(path, n, "%s/%s", w.dir, name);
}

static void remove_files(void)
{
	char path[512];
	DIR *d = opendir(w.dir);

	for (struct dirent *e; d && (e = readdir(d));) {
		path_of(path, sizeof(path), e->d_name);
		(void)unlink(path);
	}
	if (d)
		closedir(d);
}

static void open_world(void)
{
	struct store_sqlite_options o = { .loop = w.loop };
	struct world_conf world = { .loop = w.loop };
	struct server_conf conf = { .loop = w.loop, .api = &w.api, .authn = w.authn };
	struct err err = ERR_INIT;
	char path[128];

	path_of(path, sizeof(path), "store.db");
	o.path = path;
	must(store_open_sqlite(&o, &w.store, &err), &err);
	world.store = w.store;
	w.world = world_new(&world);
	must(resources_new(&w.api, w.world, strategy_of, &w.resources, &err), &err);
	w.started = false;
	world_start(w.world, on_started, NULL);
	while (!w.started)
		must(loop_step(w.loop, NS_PER_SEC, &err), &err);
	w.metrics = metrics_new();
	conf.world = w.world;
	conf.resources = w.resources;
	conf.store = w.store;
	conf.metrics = w.metrics;
	must(server_new(&conf, &w.server, &err), &err);
	ask(SLICE("POST /api/v1/namespaces\nContent-Type: application/json\n\n{\"apiVersion\":"
		  "\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"default\"}}"));
}

static void close_world(void)
{
	server_free(w.server);
	resources_free(w.resources);
	world_free(w.world);
	store_close(w.store);
	metrics_free(w.metrics);
	remove_files();
}

static void end(void)
{
	close_world();
	authn_free(w.authn);
	api_fini(&w.api);
	arena_free(w.tables);
	loop_free(w.loop);
	(void)rmdir(w.dir);
}

static void begin(void)
{
	struct authn_conf authn = { .anonymous = true };
	static const char tokens[] = "t,admin,1,\"system:masters\"\n";
	struct err err = ERR_INIT;
	char path[128];
	int fd;

	(void)snprintf(w.dir, sizeof(w.dir), "/tmp/teu-fuzz-api-XXXXXX");
	assert(mkdtemp(w.dir));
	path_of(path, sizeof(path), "tokens.csv");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert(fd >= 0 && write(fd, tokens, sizeof(tokens) - 1) == sizeof(tokens) - 1);
	fd_close(fd);
	authn.token_file = path;
	must(loop_new(&w.loop, &err), &err);
	w.tables = arena_new("tables", 64u << 20);
	must(api_load(w.tables, &w.api, &err), &err);
	must(authn_new(&authn, &w.authn, &err), &err);
	open_world();
	w.runs = true;
	(void)atexit(end);
}

/* ---- one request ---- */

/* Framing is ours, and so is who asks. */
static bool is_kept(struct slice line)
{
	static const char *const ours[] = { "content-length", "transfer-encoding",
					    "connection",     "authorization",
					    "expect",	      "host",
					    "upgrade" };
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

	if (!colon || memchr(line.p, '\r', line.n) || memchr(line.p, '\0', line.n))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (slice_ieq(slice_of(line.p, (size_t)(colon - line.p)), slice_str(ours[i])))
			return false;
	return true;
}

static bool write_request(struct slice text, struct buf *out)
{
	struct slice first = slice_split(&text, '\n'), line;

	if (first.n == 0 || first.n > TARGET_MAX || memchr(first.p, '\r', first.n) ||
	    memchr(first.p, '\0', first.n))
		return false;
	(void)buf_addf(
		out, "%.*s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer t\r\n",
		(int)first.n, first.p);
	for (unsigned n = 0; n < LINES_MAX && text.n; n++) {
		line = slice_split(&text, '\n');
		if (line.n == 0)
			break;
		if (is_kept(line))
			(void)buf_addf(out, "%.*s\r\n", (int)line.n, line.p);
	}
	if (text.n)
		(void)buf_addf(out, "Content-Length: %zu\r\n", text.n);
	(void)buf_adds(out, "\r\n");
	(void)buf_add(out, text.p ? text.p : "", text.n);
	return !out->full;
}

/* True: the peer is through. */
static bool take(int fd, struct buf *in)
{
	char *room = buf_room(in, 65536);
	ssize_t n = room ? read(fd, room, 65536) : 0;

	if (n > 0)
		in->n += (size_t)n;
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void ask(struct slice text)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(1u << 20);
	CLEANUP(buf_fini) struct buf in = BUF_INIT(64u << 20);
	struct err err = ERR_INIT;
	size_t sent = 0;
	int pair[2];

	if (!write_request(text, &out))
		return;
	assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	must(server_adopt(w.server, pair[0], &err), &err);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (sent < out.n) {
			ssize_t n = write(pair[1], out.p + sent, out.n - sent);

			sent += n > 0 ? (size_t)n : 0;
		}
		must(loop_step(w.loop, 1000000, &err), &err);
		if (take(pair[1], &in))
			break;
		if (in.n && memmem(in.p, in.n, "Transfer-Encoding: chunked", 26) && i > 20)
			break; /* a watch */
	}
	if (in.n < 12 || memcmp(in.p, "HTTP/1.1 ", 9) != 0 ||
	    (memcmp(in.p + 9, "500", 3) == 0 && memmem(in.p, in.n, "\"InternalError\"", 15))) {
		fprintf(stderr, "asked: %.*s\nanswered: %.*s\n", (int)MIN(out.n, (size_t)2000),
			out.p, (int)MIN(in.n, (size_t)2000), in.p);
		abort();
	}
	fd_close(pair[1]);
	for (unsigned i = 0; i < 2; i++)
		must(loop_step(w.loop, 0, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_of((const char *)data, size);

	if (!w.runs)
		begin();
	for (unsigned n = 0; n < REQUESTS_MAX && rest.n; n++) {
		const char *at = memmem(rest.p, rest.n, "\n--\n", 4);
		size_t used = at ? (size_t)(at - rest.p) : rest.n;

		ask(slice_of(rest.p, used));
		rest = at ? slice_of(at + 4, rest.n - used - 4) : (struct slice){ 0 };
	}
	if (++w.inputs % INPUTS_MAX == 0) {
		close_world();
		open_world();
	}
	return 0;
}
