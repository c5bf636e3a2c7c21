/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC from any bytes: the body of a call to each kind of method in pieces, on a stream that goes
 * nowhere, and the texts of the protocol. First byte: method and size of pieces.
 */
#include "base/arena.h"
#include "base/err.h"
#include "doc/doc.h"
#include "doc/schema.h"
#include "io/grpc-impl.h"
#include "io/stream-impl.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct msg {
	const char *text;
	int64_t n;
};
static const struct schema_field rows[] = {
	F_STR(struct msg, text, "text", 0, FORMAT_NONE, .pb = 1),
	F_INT(struct msg, n, "n", 0, 0, 0, .pb = 2),
};
static const struct schema schema = SCHEMA("fuzz.Msg", struct msg, rows);

static void echo(struct grpc_call *c, const struct doc *d, void *arg)
{
	(void)arg;
	grpc_reply(c, d);
}

static void on_message(struct grpc_call *c, const struct doc *d)
{
	(void)grpc_send(c, d, NULL);
	grpc_more(c);
}

static void on_half_closed(struct grpc_call *c)
{
	grpc_finish(c, GRPC_OK, NULL);
}

static void chat(struct grpc_call *c, void *arg)
{
	static const struct grpc_events events = { .message = on_message,
						   .half_closed = on_half_closed };

	(void)arg;
	grpc_on(c, &events, NULL);
}

static const struct grpc_method methods[] = {
	{ "Echo", &schema, &schema, 0, echo, NULL },
	{ "Chat", &schema, &schema, GRPC_CLIENT_STREAM | GRPC_SERVER_STREAM, NULL, chat },
};
static const struct grpc_service service = { "fuzz.S", methods, 2 };

static void no_credit(struct stream *s)
{
	(void)s;
}
static int no_answer(struct stream *s, int64_t length, const struct slice *whole)
{
	(void)s;
	(void)length;
	(void)whole;
	return 0;
}
static int no_write(struct stream *s, const void *p, size_t n)
{
	(void)s;
	assert(p || n == 0);
	return 0;
}
static int no_end(struct stream *s)
{
	(void)s;
	return 0;
}
static void no_reset(struct stream *s, const struct err *why)
{
	stream_close(s, why);
}
static size_t no_queue(const struct stream *s)
{
	(void)s;
	return 0;
}
static const struct stream_ops ops = { .credit = no_credit,
				       .answer = no_answer,
				       .write = no_write,
				       .end = no_end,
				       .reset = no_reset,
				       .queued = no_queue };

static void one_call(struct slice in, unsigned method, size_t piece)
{
	static struct http_header type = { { "content-type", 12 }, { "application/grpc", 16 } };
	struct grpc_server_conf conf = { .message_max = 4096 };
	struct grpc_server *srv;
	struct io_pool *pool;
	struct stream *s;
	struct loop *l;
	int conn;

	if (loop_new(&l, NULL) < 0 || grpc_server_new(l, &conf, &srv, NULL) < 0 ||
	    grpc_server_add(srv, &service, NULL, NULL) < 0)
		abort();
	pool = io_pool_new(l, 1 << 20);
	s = stream_new(pool, &ops, &conn);
	s->rq.method = "POST";
	s->rq.path = method ? "/fuzz.S/Chat" : "/fuzz.S/Echo";
	s->rq.major = 2;
	s->headers = &type;
	s->headers_n = 1;
	(void)stream_ref(s);
	grpc_server_request(s, srv);
	while (in.n && s->conn && s->credit) {
		size_t n = MIN(MIN(in.n, piece), s->credit);

		stream_give_data(s, slice_of(in.p, n));
		in = slice_of(in.p + n, in.n - n);
	}
	if (s->conn && !in.n)
		stream_give_end(s);
	if (s->conn)
		stream_close(s, NULL);
	assert(grpc_server_get_stats(srv).running == 0);
	stream_unref(s);
	grpc_server_free(srv);
	io_pool_unref(pool);
	loop_free(l);
}

static void texts(struct slice in)
{
	char *coded = malloc(in.n * 3 + 1), *back = malloc(in.n * 3 + 1), text[16];
	int64_t ns = grpc_timeout_parse(in);

	if (!coded || !back)
		abort();
	grpc_message_decode(in, coded);
	if (!memchr(in.p ? in.p : "", '\0', in.n)) {
		grpc_message_encode(in, coded);
		grpc_message_decode(slice_str(coded), back);
		assert(slice_is(in, back));
	}
	if (ns >= 0)
		assert(grpc_timeout_parse(slice_str(grpc_timeout_text(ns, text))) >= ns);
	(void)grpc_metadata_ok(in);
	(void)grpc_is_content_type(in);
	free(coded);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of((const char *)data, size);

	texts(in);
	if (size > 0)
		one_call(slice_of(in.p + 1, in.n - 1), data[0] & 1, 1 + (data[0] >> 1));
	return 0;
}
