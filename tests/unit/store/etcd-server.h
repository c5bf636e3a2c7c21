/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of an etcd cluster for tests: Debian's etcd, in a network namespace of the test's own,
 * its data below a directory of the test's. Exit 77 where there is no etcd.
 */
#pragma once

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ETCD_MEMBERS_MAX 3

struct etcd_server {
	char program[512], dir[128];
	size_t n;
	pid_t pid[ETCD_MEMBERS_MAX];
	char url[ETCD_MEMBERS_MAX][64];
	const char *urls[ETCD_MEMBERS_MAX];
};

static inline void etcd_find(struct etcd_server *s)
{
	const char *cache = getenv("TEU_CACHE"), *home = getenv("HOME");

	if (cache)
		snprintf(s->program, sizeof(s->program), "%s/peers/usr/bin/etcd", cache);
	else
		snprintf(s->program, sizeof(s->program), "%s/.cache/teu/peers/usr/bin/etcd",
			 home ? home : "/root");
	if (access(s->program, X_OK) < 0)
		snprintf(s->program, sizeof(s->program), "/usr/bin/etcd");
	if (access(s->program, X_OK) == 0)
		return;
	fprintf(stderr, "skipped: there is no etcd (Debian's etcd-server)\n");
	exit(77);
}

/* A network of our own, with a loopback. */
static inline void etcd_network(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0) {
		fprintf(stderr, "skipped: no network namespace of our own: %s\n", strerror(errno));
		exit(77);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0);
	r.ifr_flags |= IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &r), 0);
	close(fd);
}

static inline void etcd_start(struct etcd_server *s, size_t i)
{
	char data[160], name[8], peer[64], cluster[256] = "", *at = cluster;

	snprintf(name, sizeof(name), "m%zu", i);
	snprintf(data, sizeof(data), "%s/%s", s->dir, name);
	snprintf(peer, sizeof(peer), "http://127.0.0.1:%zu", 2380 + 10 * i);
	for (size_t k = 0; k < s->n; k++)
		at += snprintf(at, sizeof(cluster) - (size_t)(at - cluster),
			       "%sm%zu=http://127.0.0.1:%zu", k ? "," : "", k, 2380 + 10 * k);
	s->pid[i] = fork();
	assert_true(s->pid[i] >= 0);
	if (s->pid[i] == 0) {
		char log[192];
		int fd;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(log, sizeof(log), "%s/%s.log", s->dir, name);
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		execl(s->program, "etcd", "--name", name, "--data-dir", data,
		      "--listen-client-urls", s->url[i], "--advertise-client-urls", s->url[i],
		      "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		      "--initial-cluster", cluster, "--initial-cluster-state", "new",
		      "--heartbeat-interval", "20", "--election-timeout", "200", "--max-txn-ops",
		      "1024", "--unsafe-no-fsync", (char *)NULL);
		_exit(127);
	}
}

static inline void etcd_kill(struct etcd_server *s, size_t i)
{
	if (s->pid[i] <= 0)
		return;
	(void)kill(s->pid[i], SIGKILL);
	(void)waitpid(s->pid[i], NULL, 0);
	s->pid[i] = 0;
}

/* dir: an empty directory. */
static inline void etcd_begin(struct etcd_server *s, const char *dir, size_t members)
{
	etcd_find(s);
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	s->n = members;
	for (size_t i = 0; i < members; i++) {
		snprintf(s->url[i], sizeof(s->url[i]), "http://127.0.0.1:%zu", 2379 + 10 * i);
		s->urls[i] = s->url[i];
	}
	for (size_t i = 0; i < members; i++)
		etcd_start(s, i);
}

static inline void etcd_end(struct etcd_server *s)
{
	for (size_t i = 0; i < s->n; i++)
		etcd_kill(s, i);
}
