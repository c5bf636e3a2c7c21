/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Docker API client that costs next to nothing: N threads, each with a connection of its own, do
 * one cycle (create, start, wait, remove of `true`) together. Works against any engine that speaks
 * version 1.41.
 *
 * usage: api-load SOCKET IMAGE NETWORK N ROUNDS
 * Prints in milliseconds "wall X" per round (all N done), then "median X" and, over all single
 * cycles, "p50 X" and "p99 X".
 */
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define THREADS_MAX 256
#define ROUNDS_MAX 10000
#define ANSWER_MAX 65536

struct load {
	const char *socket, *image, *network;
	pthread_barrier_t begin;
};

struct worker {
	struct load *load;
	pthread_t thread;
	double ms;
	char answer[ANSWER_MAX];
	size_t n;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "api-load: %s: %s\n", what, why);
	exit(1);
}

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		die(path, "too long");
	memcpy(sa.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die(path, strerror(errno));
	return fd;
}

/* Length of a whole answer in w->answer, or 0 when more must come. */
static size_t whole(const struct worker *w)
{
	const char *end = strstr(w->answer, "\r\n\r\n"), *h;
	size_t head;

	if (!end)
		return 0;
	head = (size_t)(end + 4 - w->answer);
	h = strcasestr(w->answer, "\r\ncontent-length:");
	if (h && h < end) {
		size_t body = strtoull(h + 17, NULL, 10);

		return w->n >= head + body ? head + body : 0;
	}
	h = strcasestr(w->answer, "\r\ntransfer-encoding: chunked");
	if (h && h <= end)
		return strstr(end + 2, "\r\n0\r\n\r\n") ? w->n : 0;
	return head; /* 204 */
}

/* One request on the connection; the answer stays in w->answer until the next. */
static void call(struct worker *w, int fd, const char *method, const char *body, const char *fmt,
		 ...)
{
	char rq[1024], path[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	n = snprintf(rq, sizeof(rq),
		     "%s /v1.41%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		     "Content-Length: %zu\r\n\r\n%s",
		     method, path, strlen(body), body);
	if (send(fd, rq, (size_t)n, MSG_NOSIGNAL) != n)
		die(path, strerror(errno));
	w->n = 0;
	do {
		ssize_t got = recv(fd, w->answer + w->n, sizeof(w->answer) - 1 - w->n, 0);

		if (got <= 0)
			die(path, got ? strerror(errno) : "closed");
		w->n += (size_t)got;
		w->answer[w->n] = '\0';
	} while (!whole(w));
	if (w->answer[9] != '2')
		die(path, w->answer);
}

static void cycle(struct worker *w, int fd)
{
	char body[512], id[65];
	const char *at;

	(void)snprintf(
		body, sizeof(body),
		"{\"Image\":\"%s\",\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"%s\"}}",
		w->load->image, w->load->network);
	call(w, fd, "POST", body, "/containers/create");
	at = strstr(w->answer, "\"Id\":\"");
	if (!at || strlen(at) < 6 + 64)
		die("create", w->answer);
	memcpy(id, at + 6, 64);
	id[64] = '\0';
	call(w, fd, "POST", "", "/containers/%s/start", id);
	call(w, fd, "POST", "", "/containers/%s/wait", id);
	call(w, fd, "DELETE", "", "/containers/%s?v=1", id);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int fd = dial(w->load->socket);
	int64_t began;

	(void)pthread_barrier_wait(&w->load->begin);
	began = clock_mono();
	cycle(w, fd);
	w->ms = (double)(clock_mono() - began) / 1e6;
	(void)close(fd);
	return NULL;
}

static double at_once(struct load *l, struct worker *w, unsigned n, double *each)
{
	int64_t began;

	(void)pthread_barrier_init(&l->begin, NULL, n + 1);
	for (unsigned i = 0; i < n; i++) {
		w[i].load = l;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]) != 0)
			die("thread", strerror(errno));
	}
	(void)pthread_barrier_wait(&l->begin);
	began = clock_mono();
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(w[i].thread, NULL);
	for (unsigned i = 0; i < n; i++)
		each[i] = w[i].ms;
	(void)pthread_barrier_destroy(&l->begin);
	return (double)(clock_mono() - began) / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	uint64_t n, rounds;
	struct worker *w;
	double *each, *walls;
	struct load l;

	if (argc != 6 || str_uint64(slice_str(argv[4]), &n, NULL) < 0 ||
	    str_uint64(slice_str(argv[5]), &rounds, NULL) < 0 || n < 1 || n > THREADS_MAX ||
	    rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: api-load SOCKET IMAGE NETWORK N ROUNDS\n");
		return 2;
	}
	l = (struct load){ .socket = argv[1], .image = argv[2], .network = argv[3] };
	w = calloc(n, sizeof(*w));
	each = calloc(n * rounds, sizeof(*each));
	walls = calloc(rounds, sizeof(*walls));
	if (!w || !each || !walls)
		abort();
	for (unsigned i = 0; i < rounds; i++) {
		walls[i] = at_once(&l, w, (unsigned)n, each + i * n);
		printf("wall %.3f\n", walls[i]);
	}
	qsort(walls, rounds, sizeof(*walls), by_value);
	qsort(each, n * rounds, sizeof(*each), by_value);
	printf("median %.3f\np50 %.3f\np99 %.3f\n", walls[rounds / 2], each[n * rounds / 2],
	       each[(n * rounds - 1) * 99 / 100]);
	free(w);
	free(each);
	free(walls);
	return 0;
}
