/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the fetching process: the configuration, the fence, then a thread for each call, which
 * asks with the registry client and sends what comes to the starter. The main thread only waits for
 * calls: when the control socket closes, the process ends, whatever its threads do.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/fetch.h"
#include "image/manifest.h"
#include "image/remote-priv.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS_MAX 64
#define STACK_BYTES (512 * 1024)

struct fetcher {
	struct remote *remote; /* NULL: conf_err tells why */
	struct err conf_err;
	struct arena *arena;
	pthread_key_t job; /* of this thread: a notice goes to its call's socket */
	pthread_mutex_t lock;
	pthread_cond_t done;
	unsigned running;
};

struct job {
	struct fetcher *f;
	struct arena *a;
	struct fetch_ask q;
	struct fetch_answer x;
	int sock;
	unsigned char give[FETCH_PIECE];
};

/* ---- to the starter ---- */

static int send_frame(int sock, enum fetch_frame type, const void *p, size_t n, struct err *err)
{
	return MIN(frame_send(sock, FETCH_VERSION, (uint16_t)type, 0, p, n, NULL, 0, err), 0);
}

static void on_notice(void *ctx, const char *text)
{
	struct fetcher *f = ctx;
	const struct job *j = pthread_getspecific(f->job);

	if (j)
		(void)send_frame(j->sock, FETCH_NOTICE, text, MIN(strlen(text), (size_t)1000),
				 NULL);
}

static int send_bytes(void *ctx, struct slice bytes, struct err *err)
{
	const struct job *j = ctx;

	while (bytes.n) {
		size_t n = MIN(bytes.n, (size_t)FETCH_PIECE);

		if (send_frame(j->sock, FETCH_DATA, bytes.p, n, err) < 0)
			return err_ret(err);
		bytes = slice_of(bytes.p + n, bytes.n - n);
	}
	return 0;
}

static ssize_t ask_bytes(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err)
{
	struct job *j = ctx;
	unsigned char want[12];
	struct wire_out o = { .p = want, .cap = sizeof(want) };
	struct frame fr;
	int r;

	cap = MIN(cap, (size_t)FETCH_PIECE);
	wire_put_u64(&o, offset);
	wire_put_u32(&o, (uint32_t)cap);
	r = send_frame(j->sock, FETCH_WANT, want, o.n, err);
	if (r >= 0)
		r = frame_recv(j->sock, j->give, sizeof(j->give), &fr, err);
	if (r < 0)
		return r;
	r = frame_check(&fr, fetch_rules, FETCH_FRAMES, FETCH_FROM_STARTER, err);
	if (r < 0 || fr.head.type != FETCH_GIVE || fr.head.len > cap)
		return err_set(err, ERR_SYSTEM, "no bytes to send");
	memcpy(p, j->give, fr.head.len);
	return (ssize_t)fr.head.len;
}

/* ---- the calls ---- */

static int do_login(struct job *j, struct err *err)
{
	const char *identity;
	int r = remote_login(j->f->remote, j->a, &identity, err);

	if (r >= 0 && identity && !str_copy(j->x.text, sizeof(j->x.text), identity))
		r = err_set(err, ERR_TOO_LARGE, "the identity token is too long");
	return r;
}

static int do_manifest(struct job *j, struct err *err)
{
	struct remote_manifest m;
	int r = (j->q.op == FETCH_HEAD ? remote_head : remote_manifest)(j->f->remote, j->q.repo,
									j->q.ref, j->a, &m, err);

	if (r < 0)
		return r;
	if (!str_copy(j->x.text, sizeof(j->x.text), m.media))
		return err_set(err, ERR_INVALID, "its Content-Type is too long");
	(void)str_copy(j->x.digest, sizeof(j->x.digest), m.digest);
	j->x.size = m.size;
	return send_bytes(j, m.bytes, err);
}

static int do_blob(struct job *j, struct err *err)
{
	const struct manifest_desc d = { .digest = j->q.ref,
					 .size = (int64_t)j->q.n,
					 .urls = j->q.urls };
	bool pipe = j->q.out >= 0;

	return remote_blob_pass(j->f->remote, j->q.repo, &d, j->q.from, false,
				pipe ? remote_pass_on : send_bytes, pipe ? (void *)&j->q.out : j,
				err);
}

static int do_range(struct job *j, struct err *err)
{
	return remote_range(j->f->remote, j->q.repo, j->q.ref, j->q.from, j->q.n, send_bytes, j,
			    err);
}

static int do_has(struct job *j, struct err *err)
{
	int r = remote_has_blob(j->f->remote, j->q.repo, j->q.ref, err);

	j->x.flag = r > 0 ? FETCH_EXISTED : 0;
	return r;
}

static int do_list(struct job *j, struct err *err)
{
	struct remote *r = j->f->remote;
	struct strs names;
	int n;

	n = j->q.op == FETCH_TAGS ? remote_tags(r, j->q.repo, j->a, (size_t)j->q.n, &names, err)
				  : remote_catalog(r, j->a, (size_t)j->q.n, &names, err);
	for (size_t i = 0; i < names.n && n >= 0; i++)
		n = send_bytes(j, slice_of(names.v[i], strlen(names.v[i]) + 1), err);
	return n;
}

static int do_referrers(struct job *j, struct err *err)
{
	struct slice index;
	int r = remote_referrers(j->f->remote, j->q.repo, j->q.ref, j->q.text, j->a, &index, err);

	return r < 0 ? r : send_bytes(j, index, err);
}

static int do_push_blob(struct job *j, struct err *err)
{
	struct remote_push p = { .repo = j->q.repo,
				 .digest = j->q.ref,
				 .size = j->q.n,
				 .mount_from = j->q.text,
				 .produce = ask_bytes,
				 .ctx = j,
				 .chunk = (size_t)j->q.from };
	int r = remote_push_blob(j->f->remote, &p, err);

	j->x.flag = (p.existed ? FETCH_EXISTED : 0u) | (p.mounted ? FETCH_MOUNTED : 0u);
	return r;
}

static int do_push_manifest(struct job *j, struct err *err)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(REMOTE_BODY_MAX);
	char *room = buf_room(&b, (size_t)j->q.n);

	if (!room)
		return err_set(err, ERR_TOO_LARGE, "the manifest is too large");
	while (b.n < j->q.n) {
		ssize_t n = ask_bytes(j, b.n, room + b.n, (size_t)j->q.n - b.n, err);

		if (n <= 0)
			return n < 0 ? err_ret(err) : err_set(err, ERR_SYSTEM, "no manifest came");
		b.n += (size_t)n;
	}
	return remote_push_manifest(j->f->remote, j->q.repo, j->q.ref, j->q.text, buf_slice(&b),
				    j->x.digest, err);
}

static int do_delete(struct job *j, struct err *err)
{
	return remote_delete_manifest(j->f->remote, j->q.repo, j->q.ref, err);
}

static int run(struct job *j, struct err *err)
{
	static const struct {
		int (*fn)(struct job *j, struct err *err);
		bool repo, ref; /* needs them */
	} ops[FETCH_OPS] = {
		[FETCH_LOGIN] = { do_login, false, false },
		[FETCH_MANIFEST] = { do_manifest, true, true },
		[FETCH_HEAD] = { do_manifest, true, true },
		[FETCH_BLOB] = { do_blob, true, true },
		[FETCH_RANGE] = { do_range, true, true },
		[FETCH_HAS] = { do_has, true, true },
		[FETCH_TAGS] = { do_list, true, false },
		[FETCH_CATALOG] = { do_list, false, false },
		[FETCH_REFERRERS] = { do_referrers, true, true },
		[FETCH_PUSH_BLOB] = { do_push_blob, true, true },
		[FETCH_PUSH_MANIFEST] = { do_push_manifest, true, true },
		[FETCH_DELETE] = { do_delete, true, true },
	};

	if (!j->f->remote) {
		*err = j->f->conf_err;
		return err_ret(err);
	}
	if ((ops[j->q.op].repo && !j->q.repo) || (ops[j->q.op].ref && !j->q.ref))
		return err_set(err, ERR_BAD_REQUEST, "a call without its names");
	return ops[j->q.op].fn(j, err);
}

static void finish(struct job *j, int r, const struct err *err)
{
	unsigned char *room = malloc(2 * FETCH_TEXT_MAX);
	struct wire_out o = { .p = room, .cap = 2 * FETCH_TEXT_MAX };

	if (!room)
		abort();
	fetch_put_result(&o, r, err, &j->x);
	/* A starter that left asked for nothing more. */
	(void)send_frame(j->sock, FETCH_RESULT, room, o.n, NULL);
	free(room);
}

static void job_free(struct job *j)
{
	fd_close(j->q.out);
	fd_close(j->sock);
	arena_free(j->a);
	free(j);
}

static void *job_main(void *arg)
{
	struct job *j = arg;
	struct fetcher *f = j->f;
	struct err err = ERR_INIT;
	int r;

	(void)pthread_setspecific(f->job, j);
	r = run(j, &err);
	/* The pipe's end comes before the result: who reads both waits for neither. */
	fd_close(STEAL_FD(j->q.out));
	finish(j, r, &err);
	job_free(j);
	pthread_mutex_lock(&f->lock);
	f->running--;
	pthread_cond_signal(&f->done);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- taking calls ---- */

static int start_job(struct job *j, struct err *err)
{
	struct fetcher *f = j->f;
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_mutex_lock(&f->lock);
	while (f->running == CALLS_MAX)
		pthread_cond_wait(&f->done, &f->lock);
	f->running++;
	pthread_mutex_unlock(&f->lock);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&thread, &attr, job_main, j);
	pthread_attr_destroy(&attr);
	return rc ? err_sysc(err, ERR_SYSTEM, rc, "start a thread") : 0;
}

static int take_call(struct fetcher *f, struct frame *fr, struct err *err)
{
	struct wire_in in = { .p = fr->payload, .end = fr->payload + fr->head.len };
	struct job *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		abort();
	j->f = f;
	j->a = arena_new("call", 64u << 20);
	fetch_get_ask(&in, j->a, &j->q);
	j->sock = frame_take_fd(fr, 0);
	j->q.out = fr->nfds > 1 ? frame_take_fd(fr, 1) : -1;
	r = in.bad ? err_set(err, ERR_BAD_REQUEST, "a call of no valid form") : start_job(j, err);
	if (r < 0)
		job_free(j);
	return r;
}

/* Waits for a frame of the starter; it is the only one who has the other end. */
static int next(unsigned char *room, enum fetch_frame type, struct frame *fr, struct err *err)
{
	int r = frame_recv(FETCH_CONTROL, room, FRAME_PAYLOAD_MAX, fr, err);

	if (r > 0)
		r = frame_check(fr, fetch_rules, FETCH_FRAMES, FETCH_FROM_STARTER, err);
	if (r >= 0 && fr->head.type != (uint16_t)type)
		r = err_set(err, ERR_BAD_REQUEST, "a frame out of turn");
	return r;
}

static int configure(struct fetcher *f, unsigned char *room, struct err *err)
{
	CLEANUP(frame_fini) struct frame fr = { 0 };
	struct remote_conf conf;
	struct wire_in in;
	int r = next(room, FETCH_CONF, &fr, err);

	if (r < 0)
		return r;
	in = (struct wire_in){ .p = fr.payload, .end = fr.payload + fr.head.len };
	f->arena = arena_new("fetch", 4u << 20);
	fetch_get_conf(&in, f->arena, &conf);
	explicit_bzero(room, fr.head.len);
	if (in.bad)
		return err_set(err, ERR_BAD_REQUEST, "a configuration of no valid form");
	conf.notice = on_notice;
	conf.ctx = f;
	/* Certificates of hosts are read here, before the fence; a mistake is told to every call.
	 */
	(void)remote_new(&conf, &f->remote, &f->conf_err);
	return 0;
}

int image_fetch_main(int argc, char **argv)
{
	CLEANUP_FREE unsigned char *room = malloc(FRAME_PAYLOAD_MAX);
	struct fetcher f = { .lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER };
	struct err err = ERR_INIT;
	sigset_t pipe;
	int r;

	(void)argv;
	if (argc != 2 || !room || pthread_key_create(&f.job, NULL) != 0)
		_exit(2); /* not ours to start by hand */
	(void)mallopt(M_ARENA_MAX, 4);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	r = configure(&f, room, &err);
	if (r >= 0)
		r = fetch_fence(&err);
	if (r < 0 && !f.remote)
		_exit(1);
	if (r < 0) { /* who is not fenced asks nobody */
		remote_free(STEAL(f.remote));
		f.conf_err = err;
	}
	do {
		CLEANUP(frame_fini) struct frame fr = { 0 };

		r = next(room, FETCH_CALL, &fr, &err);
		if (r >= 0)
			r = take_call(&f, &fr, &err);
	} while (r >= 0);
	_exit(r == -ERR_UNAVAILABLE ? 0 : 1); /* threads may be in the middle of something */
}
