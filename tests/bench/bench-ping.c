/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keep-alive GET /_ping over a Unix socket: server on one core, client on the other, pipelining
 * off. usage: bench-ping [connections] [seconds]. Prints requests/s and the server's CPU us per
 * request.
 *
 * The server does what the Docker front does: a router behind a version prefix, the headers that
 * every answer has. The client is a bare send/recv loop over all connections, so that it costs less
 * than what it measures.
 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "io/http-server.h"
#include "io/router.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1000

static void ping(struct stream *s, const struct route_match *m, void *arg)
{
	(void)stream_set_header(s, "Cache-Control", "no-cache, no-store, must-revalidate");
	(void)stream_set_header(s, "Pragma", "no-cache");
	(void)stream_reply(s, 200, "text/plain; charset=utf-8", "OK", 2);
}

static const struct route routes[] = {
	{ "GET", "/_ping", ping, 0, NULL },
	{ "GET", "/containers/json", ping, 0, NULL },
	{ "GET", "/containers/{id}/json", ping, 0, NULL },
	{ "GET", "/images/{name:.*}/json", ping, 0, NULL },
	{ "GET", "/version", ping, 0, NULL },
};

static const struct http_header common[] = {
	{ { "Api-Version", 11 }, { "1.50", 4 } },
	{ { "Docker-Experimental", 19 }, { "false", 5 } },
	{ { "Ostype", 6 }, { "linux", 5 } },
	{ { "Server", 6 }, { "Docker/28.2.2 (linux)", 21 } },
};

static void serve(struct stream *s, void *arg)
{
	const struct http_request *rq = stream_request(s);
	const char *path = strncmp(rq->path, "/v1.50/", 7) == 0 ? rq->path + 6 : rq->path;
	struct route_match m;

	if (router_match(arg, rq->method, path, stream_arena(s), &m) == ROUTE_FOUND)
		m.route->fn(s, &m, NULL);
	else
		(void)stream_reply(s, 404, "text/plain", "", 0);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set); /* with one core only both share it */
}

static void server(const int *fds, int n)
{
	struct http_server_conf conf = { .request = serve,
					 .common = common,
					 .common_n = ARRAY_LEN(common) };
	struct http_server *srv;
	struct router *r;
	struct loop *l;
	struct err err = ERR_INIT;

	pin(0);
	if (loop_new(&l, &err) < 0 || router_new(routes, ARRAY_LEN(routes), &r, &err) < 0)
		_exit(1);
	conf.arg = r;
	if (http_server_new(l, &conf, &srv, &err) < 0)
		_exit(1);
	for (int i = 0; i < n; i++) {
		if (http_server_adopt(srv, fds[i], &err) < 0)
			_exit(1);
	}
	/* Ends when the clients have gone. */
	while (http_server_get_stats(srv).connections > 0)
		(void)loop_step(l, -1, &err);
	_exit(0);
}

int main(int argc, char **argv)
{
	static const char request[] = "GET /v1.50/_ping HTTP/1.1\r\nHost: "
				      "api.moby.localhost\r\nUser-Agent: bench\r\n\r\n";
	int ours[CONNECTIONS_MAX], theirs[CONNECTIONS_MAX], pair[2], status;
	uint64_t n = 32, seconds = 3, done = 0;
	struct rusage before, usage;
	int64_t begin, end;
	char answer[4096];
	double cpu;
	pid_t pid;

	if ((argc > 1 && str_uint64(slice_str(argv[1]), &n, NULL) < 0) ||
	    (argc > 2 && str_uint64(slice_str(argv[2]), &seconds, NULL) < 0) || n < 1 ||
	    n > CONNECTIONS_MAX)
		return 2;
	for (uint64_t i = 0; i < n; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return 1;
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0) {
		for (uint64_t i = 0; i < n; i++)
			close(ours[i]);
		server(theirs, (int)n);
	}
	for (uint64_t i = 0; i < n; i++)
		close(theirs[i]);
	pin(1);
	(void)getrusage(RUSAGE_SELF, &before);
	begin = clock_mono();
	do {
		for (uint64_t i = 0; i < n; i++) {
			if (send(ours[i], request, sizeof(request) - 1, MSG_NOSIGNAL) !=
			    sizeof(request) - 1)
				return 1;
		}
		for (uint64_t i = 0; i < n; i++) {
			if (recv(ours[i], answer, sizeof(answer), 0) < 100)
				return 1;
		}
		done += n;
		end = clock_mono();
	} while (end - begin < (int64_t)seconds * NS_PER_SEC);
	for (uint64_t i = 0; i < n; i++)
		close(ours[i]);
	if (wait4(pid, &status, 0, &usage) != pid || status != 0)
		return 1;
	cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
	printf("ping: %llu connections: %.0f requests/s, server CPU %.2f us/request (user %.2f), "
	       "max RSS %ld KiB\n",
	       (unsigned long long)n, (double)done / ((double)(end - begin) / 1e9),
	       cpu / (double)done,
	       ((double)usage.ru_utime.tv_sec * 1e6 + (double)usage.ru_utime.tv_usec) /
		       (double)done,
	       usage.ru_maxrss);
	return 0;
}
