/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "base/fd.h"
#include "base/frame.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int sv[2], fds_before;
static unsigned char room[FRAME_PAYLOAD_MAX];

static int setup(void **state)
{
	fds_before = count_fds();
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv);
}

/* Every test leaves as many fds as it found. */
static int teardown(void **state)
{
	fd_close(sv[0]);
	fd_close(sv[1]);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

static int recv_frame(struct frame *f, struct err *err)
{
	return frame_recv(sv[1], room, sizeof(room), f, err);
}

static void a_frame_arrives_with_its_fds(void **state)
{
	CLEANUP(frame_fini) struct frame f = { 0 };
	int fds[2] = { sv[0], sv[1] }, mine;
	struct err err = ERR_INIT;

	assert_ok(frame_send(sv[0], 3, 7, 99, "hello", 5, fds, 2, &err));
	assert_int_equal(recv_frame(&f, &err), 1);
	assert_int_equal(f.head.version, 3);
	assert_int_equal(f.head.type, 7);
	assert_int_equal(f.head.id, 99);
	assert_int_equal(f.head.len, 5);
	assert_memory_equal(f.payload, "hello", 5);
	assert_int_equal(f.nfds, 2);
	assert_true(fcntl(f.fds[0], F_GETFD) & FD_CLOEXEC);
	mine = frame_take_fd(&f, 1);
	assert_true(mine >= 0);
	assert_int_equal(frame_take_fd(&f, 1), -1);
	assert_int_equal(frame_take_fd(&f, 2), -1);
	fd_close(mine);
}

static void empty_and_largest_frames_pass(void **state)
{
	CLEANUP(frame_fini) struct frame f = { 0 };
	static char big[FRAME_PAYLOAD_MAX + 1];
	struct err err = ERR_INIT;

	assert_ok(frame_send(sv[0], 1, 1, 1, NULL, 0, NULL, 0, &err));
	assert_int_equal(recv_frame(&f, &err), 1);
	assert_int_equal(f.head.len, 0);
	assert_ok(frame_send(sv[0], 1, 1, 1, big, FRAME_PAYLOAD_MAX, NULL, 0, &err));
	assert_int_equal(recv_frame(&f, &err), 1);
	assert_int_equal(f.head.len, FRAME_PAYLOAD_MAX);
	assert_err(frame_send(sv[0], 1, 1, 1, big, sizeof(big), NULL, 0, &err), ERR_TOO_LARGE,
		   "131072 fit");
}

static void full_and_empty_sockets_would_block(void **state)
{
	CLEANUP(frame_fini) struct frame f = { 0 };
	struct err err = ERR_INIT;
	int r, n = 0;

	assert_int_equal(recv_frame(&f, &err), 0);
	while ((r = frame_send(sv[0], 1, 1, 1, room, 60000, NULL, 0, &err)) == 0)
		n++;
	assert_int_equal(r, 1);
	assert_true(n > 0);
}

static void a_closed_peer_is_unavailable(void **state)
{
	CLEANUP(frame_fini) struct frame f = { 0 };
	struct err err = ERR_INIT;

	fd_close(sv[0]);
	sv[0] = -1;
	assert_err(recv_frame(&f, &err), ERR_UNAVAILABLE, "closed");
	assert_err(frame_send(sv[1], 1, 1, 1, "x", 1, NULL, 0, &err), ERR_UNAVAILABLE, "pipe");
}

/* Sends raw bytes with nfds copies of a socket. */
static void send_raw(const void *p, size_t n, unsigned nfds)
{
	char control[CMSG_SPACE(sizeof(int) * 64)] = { 0 };
	struct iovec iov = { (void *)p, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nfds) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		for (unsigned i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &sv[0], sizeof(int));
	}
	assert_int_equal(sendmsg(sv[0], &msg, 0), n);
}

static void broken_packets_are_refused_and_their_fds_closed(void **state)
{
	struct frame_head good = { FRAME_MAGIC, 1, 1, 1, 0 }, bad;
	CLEANUP(frame_fini) struct frame f = { 0 };
	static unsigned char big[2000];
	struct err err = ERR_INIT;
	int before = count_fds();

	bad = good;
	bad.magic = 0x12345678;
	send_raw(&bad, sizeof(bad), 2);
	assert_err(recv_frame(&f, &err), ERR_BAD_REQUEST, "magic is 0x12345678");
	bad = good;
	bad.len = 1;
	send_raw(&bad, sizeof(bad), 2);
	assert_err(recv_frame(&f, &err), ERR_BAD_REQUEST, "says 1 payload bytes and has 0");
	send_raw(&good, 7, 2);
	assert_err(recv_frame(&f, &err), ERR_BAD_REQUEST, "7 bytes are no head");
	memcpy(big, &good, sizeof(good));
	send_raw(big, sizeof(big), 2);
	assert_err(frame_recv(sv[1], room, 100, &f, &err), ERR_BAD_REQUEST, "larger than");
	/* One too many, and far more than the control buffer holds. */
	send_raw(&good, sizeof(good), FRAME_FDS_MAX + 1);
	assert_err(recv_frame(&f, &err), ERR_BAD_REQUEST, "more than 8 fds");
	send_raw(&good, sizeof(good), 60);
	assert_err(recv_frame(&f, &err), ERR_BAD_REQUEST, "more than 8 fds");
	assert_int_equal(count_fds(), before);
	/* The socket itself still works. */
	send_raw(&good, sizeof(good), FRAME_FDS_MAX);
	assert_int_equal(recv_frame(&f, &err), 1);
	assert_int_equal(f.nfds, FRAME_FDS_MAX);
}

static void rules_decide_type_sender_size_and_fds(void **state)
{
	static const struct frame_rule rules[] = {
		[1] = { "open", 1u << 2, 1, 2, 4, 8 },
	};
	struct frame f = { .head = { FRAME_MAGIC, 1, 1, 1, 4 }, .nfds = 1 };
	struct err err = ERR_INIT;

	assert_ok(frame_check(&f, rules, 2, 1u << 2, &err));
	assert_err(frame_check(&f, rules, 2, 1u << 1, &err), ERR_BAD_REQUEST, "open: not allowed");
	f.head.len = 3;
	assert_err(frame_check(&f, rules, 2, 4, &err), ERR_BAD_REQUEST, "allowed are 4 to 8");
	f.head.len = 9;
	assert_err(frame_check(&f, rules, 2, 4, &err), ERR_BAD_REQUEST, "9 payload bytes");
	f.head.len = 8;
	f.nfds = 0;
	assert_err(frame_check(&f, rules, 2, 4, &err), ERR_BAD_REQUEST, "0 fds");
	f.nfds = 3;
	assert_err(frame_check(&f, rules, 2, 4, &err), ERR_BAD_REQUEST, "3 fds");
	f.head.type = 0;
	assert_err(frame_check(&f, rules, 2, 4, &err), ERR_BAD_REQUEST, "type 0 is unknown");
	f.head.type = 2;
	assert_err(frame_check(&f, rules, 2, 4, &err), ERR_BAD_REQUEST, "type 2 is unknown");
}

static void wire_fields_round_trip(void **state)
{
	unsigned char b[64];
	struct wire_out o = { .p = b, .cap = sizeof(b) };
	struct wire_in in;
	struct slice s;

	wire_put_u8(&o, 0xab);
	wire_put_u16(&o, 0x1234);
	wire_put_u32(&o, 0x12345678);
	wire_put_u64(&o, 0x123456789abcdef0);
	wire_put_str(&o, "name");
	wire_put_str(&o, NULL);
	assert_int_equal(o.bad, 0);
	assert_int_equal(b[1], 0x34);
	in = (struct wire_in){ .p = b, .end = b + o.n };
	assert_int_equal(wire_u8(&in), 0xab);
	assert_int_equal(wire_u16(&in), 0x1234);
	assert_int_equal(wire_u32(&in), 0x12345678);
	assert_true(wire_u64(&in) == 0x123456789abcdef0);
	wire_bytes(&in, &s);
	assert_true(slice_is(s, "name"));
	wire_bytes(&in, &s);
	assert_int_equal(s.n, 0);
	assert_int_equal(in.bad, 0);
	assert_ptr_equal(in.p, in.end);
}

static void wire_never_passes_the_end(void **state)
{
	unsigned char b[6] = { 0xff, 0xff, 0xff, 0xff, 1, 2 };
	struct wire_in in = { .p = b, .end = b + sizeof(b) };
	struct wire_out o = { .p = b, .cap = 5 };
	struct slice s = SLICE("x");

	wire_bytes(&in, &s);
	assert_true(in.bad);
	assert_null(s.p);
	assert_int_equal(wire_u8(&in), 0);
	wire_put_bytes(&o, "ab", 2);
	assert_true(o.bad);
	assert_int_equal(o.n, 0);
	wire_put_u8(&o, 1);
	assert_int_equal(o.n, 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_frame_arrives_with_its_fds),
		CASE(empty_and_largest_frames_pass),
		CASE(full_and_empty_sockets_would_block),
		CASE(a_closed_peer_is_unavailable),
		CASE(broken_packets_are_refused_and_their_fds_closed),
		cmocka_unit_test(rules_decide_type_sender_size_and_fds),
		cmocka_unit_test(wire_fields_round_trip),
		cmocka_unit_test(wire_never_passes_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
