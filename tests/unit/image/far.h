/* SPDX-License-Identifier: Apache-2.0 */
/* A registry in a process of its own, for tests of pulls and pushes, and images made in it. */
#pragma once

#include "fixture.h"
#include "image/manifest.h"
#include "image/remote.h"
#include "registry/private.h"

#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

struct far {
	char dir[64], host[64];
	pid_t pid;
	struct remote *r;
	struct err err;
};

/* Tests have a network namespace of their own, where even the loopback is down at first. */
static inline void loopback_up(void)
{
	struct ifreq rq = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)ioctl(fd, SIOCSIFFLAGS, &rq); /* without the right to, it is up already */
	close(fd);
}

static inline void far_serve(struct far *x, int tell)
{
	struct registry_conf conf = { .root = x->dir, .gc_every = -1 };
	struct registry *g;
	struct loop *loop;
	const char *at;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_new(&loop, &x->err) < 0 || registry_new(loop, &conf, &g, &x->err) < 0 ||
	    http_server_listen_tcp(g->server, "127.0.0.1:0", &x->err) < 0)
		_exit(1);
	at = http_server_address(g->server, 0) + 6;
	if (write(tell, at, strlen(at) + 1) < 0)
		_exit(1);
	close(tell);
	_exit(loop_run(loop, &x->err) < 0);
}

/* Before any thread is there. */
static inline void far_open(struct far *x)
{
	struct remote_conf rc = { .host = x->host, .tries = 2 };
	int ends[2];

	loopback_up();
	strcpy(x->dir, "/tmp/teu-far-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	assert_int_equal(pipe(ends), 0);
	x->pid = fork();
	if (x->pid == 0) {
		close(ends[0]);
		far_serve(x, ends[1]);
	}
	close(ends[1]);
	if (read(ends[0], x->host, sizeof(x->host) - 1) <= 0)
		fail_msg("the registry does not begin");
	close(ends[0]);
	assert_int_equal(remote_new(&rc, &x->r, &x->err), 0);
}

static inline void far_close(struct far *x)
{
	remote_free(x->r);
	kill(x->pid, SIGKILL);
	waitpid(x->pid, NULL, 0);
	assert_int_equal(fd_remove_tree(AT_FDCWD, x->dir, &x->err), 0);
}

static inline ssize_t far_produce(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err)
{
	const struct slice *s = ctx;
	size_t n = MIN(cap, s->n - MIN((size_t)offset, s->n));

	(void)err;
	memcpy(p, s->p + offset, n);
	return (ssize_t)n;
}

static inline void far_blob(struct far *x, const char *repo, struct slice bytes,
			    char digest[IMAGE_DIGEST_MAX])
{
	struct remote_push p = { .repo = repo,
				 .digest = digest,
				 .size = bytes.n,
				 .produce = far_produce,
				 .ctx = &bytes };

	image_digest_of(bytes.p, bytes.n, digest);
	if (remote_push_blob(x->r, &p, &x->err) < 0)
		fail_msg("%s", x->err.msg);
}

static inline void far_manifest(struct far *x, const char *repo, const char *ref, const char *media,
				const char *text, char digest[IMAGE_DIGEST_MAX])
{
	if (remote_push_manifest(x->r, repo, ref, media, slice_str(text), digest, &x->err) < 0)
		fail_msg("%s", x->err.msg);
}

struct far_image {
	const char *repo, *ref;
	const struct slice *layers; /* tars */
	size_t n;
	const char *platform_os; /* NULL = linux */
	const char *layer_media; /* NULL = OCI gzip */
	const char *config_media;
	struct slice lies; /* layers that the config names instead of these */
	char id[IMAGE_DIGEST_MAX], digest[IMAGE_DIGEST_MAX];
	size_t size; /* of its manifest */
};

/* Gzipped layers, config, manifest. */
static inline void far_image(struct far *x, struct far_image *im)
{
	struct buf config, man = BUF_INIT(1u << 20);
	char d[IMAGE_DIGEST_MAX];

	config_of(&config, im->lies.n ? &im->lies : im->layers, im->n, "\"Cmd\":[\"sh\"]");
	if (im->platform_os) {
		char *os = strstr(config.p, "linux");

		memcpy(os, im->platform_os, 5);
	}
	far_blob(x, im->repo, buf_slice(&config), im->id);
	buf_addf(&man,
		 "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
		 "\",\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
		 im->config_media ? im->config_media : MEDIA_OCI_CONFIG, im->id, config.n);
	for (size_t i = 0; i < im->n; i++) {
		struct buf z;

		gzip_of(im->layers[i], &z);
		far_blob(x, im->repo, buf_slice(&z), d);
		buf_addf(&man, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}",
			 i ? "," : "", im->layer_media ? im->layer_media : MEDIA_OCI_LAYER "+gzip",
			 d, z.n);
		buf_fini(&z);
	}
	buf_adds(&man, "]}");
	im->size = man.n;
	far_manifest(x, im->repo, im->ref, MEDIA_OCI_MANIFEST, buf_str(&man), im->digest);
	buf_fini(&man);
	buf_fini(&config);
}
