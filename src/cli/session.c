/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joining our three streams to an engine's byte stream on one loop.
 *
 * (1) Bytes from the engine are credited back only when our readers took them: a slow reader slows
 * the container, and memory stays bounded by the credit.
 * (2) Pipes and terminals are written only when poll says so, at most PIPE_BUF at once: they are
 * shared with other processes, so O_NONBLOCK is not ours to set.
 * (3) In raw mode no signal comes from the keyboard; one that comes from elsewhere puts the
 * terminal back and then ends us as if it had not been caught.
 */
#include "cli/session.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "linux/sys.h"

#include <limits.h>
#include <poll.h>

#define INPUT_PIECE 32768
#define WAITING_MAX (2u * DOCKER_CREDIT)

/* ---- detach keys ---- */

static int one_key(struct slice name, unsigned char *ret)
{
	static const char special[] = "@[\\]^_";
	const char *at;
	char c;

	if (name.n == 1) {
		*ret = (unsigned char)name.p[0];
		return 0;
	}
	if (name.n != 6 || memcmp(name.p, "ctrl-", 5) != 0)
		return -1;
	c = name.p[5];
	at = strchr(special, c);
	if (c >= 'a' && c <= 'z')
		*ret = (unsigned char)(c - 'a' + 1);
	else if (c >= 'A' && c <= 'Z')
		*ret = (unsigned char)(c - 'A' + 1);
	else if (c && at)
		*ret = at == special ? 0 : (unsigned char)(26 + (at - special));
	else
		return -1;
	return 0;
}

int session_keys(const char *text, unsigned char keys[SESSION_KEYS_MAX], size_t *ret_n,
		 struct err *err)
{
	struct slice rest = slice_str(*text ? text : NULL);
	size_t n = 0;

	while (rest.p) {
		struct slice name = slice_split(&rest, ',');

		if (n == SESSION_KEYS_MAX || one_key(name, &keys[n]) < 0)
			return err_set(err, ERR_INVALID,
				       "detach keys '%.100s': they are letters or ctrl-<letter>, "
				       "at most %d, with commas between",
				       text, SESSION_KEYS_MAX);
		n++;
	}
	*ret_n = n;
	return 0;
}

bool session_detach_feed(struct session_detach *d, struct slice typed, struct buf *out)
{
	for (size_t i = 0; i < typed.n; i++) {
		unsigned char c = (unsigned char)typed.p[i];

		if (d->n && c != d->keys[d->matched] && d->matched) {
			/* It was not the sequence after all. */
			buf_add(out, d->keys, d->matched);
			d->matched = 0;
		}
		if (d->n && c == d->keys[d->matched]) {
			if (++d->matched == d->n)
				return true;
		} else {
			buf_addc(out, (char)c);
		}
	}
	return false;
}

/* ---- signals and sizes on their way to the engine ---- */

struct session_post {
	struct list link;
	struct docker_exchange x;
};

static void post_over(struct docker_exchange *x)
{
	struct session_post *p = CONTAINER_OF(x, struct session_post, x);

	/* The container may have ended meanwhile: then there is nothing to tell. */
	list_del(&p->link);
	docker_exchange_fini(&p->x);
	free(p);
}

static void post(struct session *s, const char *target)
{
	struct session_post *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->x.over = post_over;
	list_append(&s->posts, &p->link);
	if (docker_exchange_start(s->client, &p->x, "POST", target, NULL, false, NULL) < 0)
		post_over(&p->x);
}

void session_resize(struct session *s)
{
	char target[256];
	unsigned rows, cols;

	if (!s->tty || !s->resize_target || !term_size(1, &rows, &cols))
		return;
	(void)snprintf(target, sizeof(target), "%s?h=%u&w=%u", s->resize_target, rows, cols);
	post(s, target);
}

static int on_signal(struct sigsource *src, const void *info)
{
	struct session *s = CONTAINER_OF(src, struct session_signal, source)->session;
	const char *name = sigabbrev_np(src->signo);
	char target[256];

	(void)info;
	if (s->tty && src->signo == SIGWINCH) {
		session_resize(s);
		return 0;
	}
	if (!s->sig_proxy || !s->kill_target) { /* keeps (3) */
		s->ended_by = src->signo;
		s->done = true;
		return 0;
	}
	(void)snprintf(target, sizeof(target), "%s?signal=%s", s->kill_target, name ? name : "");
	post(s, target);
	return 0;
}

/* With a proxy all that a program would look at; without, what would leave the terminal raw. */
static int take_signals(struct session *s, struct err *err)
{
	static const int proxied[] = { SIGHUP,	SIGINT,	 SIGQUIT,  SIGUSR1, SIGUSR2, SIGALRM,
				       SIGTERM, SIGCONT, SIGWINCH, SIGIO,   SIGPWR };
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	bool proxy = s->sig_proxy && s->kill_target;
	const int *list = proxy ? proxied : ending;
	size_t n = proxy ? ARRAY_LEN(proxied) : ARRAY_LEN(ending);
	struct loop *l = docker_client_loop(s->client);
	int r;

	_Static_assert(ARRAY_LEN(proxied) + 1 <= SESSION_SIGNALS, "room for each and SIGWINCH");
	if (!proxy && !s->raw_stdin)
		n = 0;
	for (size_t i = 0; i < n + (s->tty && !proxy); i++) {
		struct session_signal *sig = &s->signals[s->nsignals];

		sig->session = s;
		r = sigsource_init(&sig->source, l, i < n ? list[i] : SIGWINCH, on_signal, err);
		if (r < 0)
			return r;
		s->nsignals++;
	}
	return 0;
}

/* ---- output ---- */

static void fail(struct session *s)
{
	s->done = true;
}

/* Bytes written now, keeps (2). Negative when nobody reads any more. */
static ssize_t write_some(struct session_sink *k, struct slice b, struct err *err)
{
	struct pollfd p = { .fd = k->fd, .events = POLLOUT };
	size_t done = 0;

	while (done < b.n) {
		size_t n = k->direct ? b.n - done : MIN(b.n - done, (size_t)PIPE_BUF);
		ssize_t w;

		if (!k->direct && poll(&p, 1, 0) <= 0)
			break;
		w = sys_write(k->fd, b.p + done, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EAGAIN)
			break;
		if (w < 0)
			return err_sys(err, "write to standard %s",
				       k->fd == 1 ? "output" : "error");
		done += (size_t)w;
	}
	return (ssize_t)done;
}

static bool sinks_wait(const struct session *s)
{
	return s->sinks[0].waiting.n || s->sinks[1].waiting.n;
}

static int on_sink(struct source *src, uint32_t events)
{
	struct session_sink *k = CONTAINER_OF(src, struct session_sink, source);
	struct session *s = k->session;
	ssize_t n = write_some(k, buf_slice(&k->waiting), &s->failure);

	(void)events; /* an error shows at the write */
	if (n < 0) {
		fail(s);
		return 0;
	}
	buf_consume(&k->waiting, (size_t)n);
	if (k->waiting.n)
		return 0;
	(void)source_set(src, 0);
	if (s->owed && !sinks_wait(s)) { /* keeps (1) */
		docker_exchange_credit(&s->stream, s->owed);
		s->owed = 0;
	}
	return 0;
}

static int put_out(void *arg, enum docker_frame type, struct slice b, struct err *err)
{
	struct session *s = arg;
	struct session_sink *k = &s->sinks[type == DOCKER_STDERR];
	ssize_t n = 0;

	if (!k->waiting.n)
		n = write_some(k, b, err);
	if (n < 0)
		return err_ret(err);
	if ((size_t)n == b.n)
		return 0;
	if (buf_add(&k->waiting, b.p + n, b.n - (size_t)n) < 0)
		return err_set(err, ERR_SYSTEM, "the engine sends more than it was asked for");
	if (!source_active(&k->source))
		return source_init(&k->source, docker_client_loop(s->client), k->fd, EPOLLOUT,
				   on_sink, err);
	return source_set(&k->source, EPOLLOUT);
}

static void on_data(struct docker_exchange *x, struct slice bytes)
{
	struct session *s = CONTAINER_OF(x, struct session, stream);
	int r = s->framed ? docker_demux_feed(&s->demux, bytes, put_out, s, &s->failure)
			  : put_out(s, DOCKER_STDOUT, bytes, &s->failure);

	if (r < 0) {
		fail(s);
		return;
	}
	s->owed += bytes.n;
	if (!sinks_wait(s)) {
		docker_exchange_credit(x, s->owed);
		s->owed = 0;
	}
}

static void on_end(struct docker_exchange *x)
{
	CONTAINER_OF(x, struct session, stream)->done = true;
}

static void on_over(struct docker_exchange *x)
{
	CONTAINER_OF(x, struct session, stream)->done = true;
}

/* ---- input ---- */

static void input_close(struct session *s)
{
	if (!s->input_open)
		return;
	s->input_open = false;
	source_fini(&s->input);
	deferred_fini(&s->input_next);
	(void)stream_end(s->stream.s); /* a failure comes by over */
}

/* 1 = the engine must take what is queued first. */
static int input_send(struct session *s, struct slice typed)
{
	CLEANUP(buf_fini) struct buf out = BUF_INIT(2 * INPUT_PIECE);
	int r;

	if (!s->detach.n)
		return stream_write(s->stream.s, typed.p, typed.n);
	s->detached = session_detach_feed(&s->detach, typed, &out);
	r = out.n ? stream_write(s->stream.s, out.p, out.n) : 0;
	s->done = s->done || s->detached;
	return r;
}

static void input_pause(struct session *s)
{
	if (source_active(&s->input))
		(void)source_set(&s->input, 0);
}

static void input_read(struct session *s)
{
	char piece[INPUT_PIECE];
	size_t room = MIN(sizeof(piece), stream_room(s->stream.s));
	ssize_t n;

	if (!s->input_open)
		return;
	if (!room) {
		input_pause(s);
		return;
	}
	n = sys_read(0, piece, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) { /* also a terminal that was hung up */
		input_close(s);
		return;
	}
	if (input_send(s, slice_of(piece, (size_t)n)) != 0)
		input_pause(s);
	else if (!source_active(&s->input) && !s->done)
		deferred_call(&s->input_next);
}

static int on_input(struct source *src, uint32_t events)
{
	(void)events; /* HUP shows as the end at read */
	input_read(CONTAINER_OF(src, struct session, input));
	return 0;
}

static void on_input_next(struct deferred *d)
{
	input_read(CONTAINER_OF(d, struct session, input_next));
}

static void on_writable(struct docker_exchange *x)
{
	struct session *s = CONTAINER_OF(x, struct session, stream);

	if (!s->input_open)
		return;
	if (source_active(&s->input))
		(void)source_set(&s->input, EPOLLIN);
	else
		deferred_call(&s->input_next);
}

static int input_open(struct session *s, struct err *err)
{
	struct loop *l = docker_client_loop(s->client);
	struct err why = ERR_INIT;
	int r;

	s->input_open = true;
	deferred_init(&s->input_next, l, on_input_next);
	r = source_init(&s->input, l, 0, EPOLLIN, on_input, &why);
	if (r == 0)
		return 0;
	if (why.sys == EPERM) { /* a file: always ready */
		deferred_call(&s->input_next);
		return 0;
	}
	if (why.sys == EBADF) { /* stdin was closed: nothing to read */
		input_close(s);
		return 0;
	}
	*err = why;
	return err_wrap(err, "standard input");
}

/* A closed output must not end us while the terminal is raw: the write fails instead. */
static void hold_sigpipe(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- the whole ---- */

static void sink_init(struct session *s, struct session_sink *k, int fd)
{
	struct stat st;

	k->session = s;
	k->fd = fd;
	k->waiting = BUF_INIT(WAITING_MAX);
	k->direct = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

int session_open(struct session *s, const char *target, const struct doc *body, struct err *err)
{
	const char *keys = s->detach_keys ? s->detach_keys : SESSION_KEYS_DEFAULT;
	int r = 0;

	list_init(&s->posts);
	sink_init(s, &s->sinks[0], 1);
	sink_init(s, &s->sinks[1], 2);
	if (s->tty) /* as docker: without a terminal the keys are data */
		r = session_keys(keys, s->detach.keys, &s->detach.n, err);
	if (r < 0)
		return r;
	s->stream.data = on_data;
	s->stream.end = on_end;
	s->stream.over = on_over;
	s->stream.writable = on_writable;
	r = docker_exchange_start(s->client, &s->stream, "POST", target, body, true, err);
	if (r < 0)
		return r;
	r = docker_exchange_wait_head(&s->stream, err);
	s->framed = !s->tty;
	return r;
}

static void flush(struct session *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->sinks); i++) {
		struct session_sink *k = &s->sinks[i];

		source_fini(&k->source);
		if (k->waiting.n && !s->failure.code &&
		    fd_write_all(k->fd, k->waiting.p, k->waiting.n) < 0)
			(void)err_sys(&s->failure, "write to standard output");
		buf_clear(&k->waiting);
	}
}

static int begin(struct session *s, struct err *err)
{
	int r = 0;

	s->raw_stdin = s->in && s->tty && term_is(0);
	r = take_signals(s, err);
	if (s->raw_stdin)
		hold_sigpipe();
	if (r == 0 && s->raw_stdin)
		r = term_raw(&s->term, 0, err);
	if (r == 0 && s->in)
		r = input_open(s, err);
	return r;
}

/* As if the signal had not been caught. */
static void end_by(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	(void)raise(signo);
	(void)sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + signo); /* it was ignored by whoever started us */
}

int session_run(struct session *s, struct err *err)
{
	int r = begin(s, err);

	while (r >= 0 && !s->done)
		r = loop_step(docker_client_loop(s->client), -1, err);
	if (!s->ended_by && !s->detached && r >= 0)
		flush(s);
	source_fini(&s->input);
	term_restore(&s->term);
	if (r < 0)
		return r;
	if (s->ended_by)
		end_by(s->ended_by);
	if (s->detached)
		return 1;
	/*
	 * A stream that broke has ended: a peer that closes with our input unread resets the
	 * connection. Nothing it sent is lost by that, and whether all is well is asked elsewhere.
	 */
	if (!s->failure.code && s->stream.err.code && s->stream.err.code != ERR_UNAVAILABLE)
		s->failure = s->stream.err;
	if (!s->failure.code && s->framed)
		(void)docker_demux_end(&s->demux, &s->failure);
	if (!s->failure.code)
		return 0;
	*err = s->failure;
	return err_ret(err);
}

void session_fini(struct session *s)
{
	term_restore(&s->term);
	source_fini(&s->input);
	if (s->client && s->input_open)
		deferred_fini(&s->input_next);
	for (size_t i = 0; i < ARRAY_LEN(s->sinks); i++) {
		source_fini(&s->sinks[i].source);
		buf_fini(&s->sinks[i].waiting);
	}
	for (size_t i = 0; i < s->nsignals; i++)
		sigsource_fini(&s->signals[i].source);
	s->nsignals = 0;
	docker_exchange_fini(&s->stream);
	while (s->posts.next && !list_empty(&s->posts))
		post_over(&LIST_FIRST(&s->posts, struct session_post, link)->x);
}
