/* SPDX-License-Identifier: Apache-2.0 */
/* Our own records of TLS 1.3: keys and their replacement, what a hostile client may seal. */
#include "tls-test.h"

/* The peer told that alert. */
#define assert_has_alert(err, alert) assert_says(err, tls_alert_code(alert), tls_alert_text(alert))

static void keys_are_updated_both_ways(void **state)
{
	struct env *e = *state;

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	assert_talks(e);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(e->client.t->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_talks(e);
		assert_int_equal(SSL_key_update(e->client.t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_talks(e);
	}
	assert_true(e->server.t->tx.seq < 100);
	e->chunk = 1;
	assert_talks(e);
	e->chunk = 0;
}

/* A client that asks for new keys again and again gets them once, before the next data. */
static void asked_for_keys_come_with_the_next_data(void **state)
{
	struct env *e = *state;

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	assert_talks(e);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(SSL_key_update(e->client.t->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		say(&e->client, "x");
		(void)deliver(&e->client, &e->server, 0);
		assert_int_equal(e->server.wire.n, 0);
	}
	assert_true(e->server.t->update_due);
	assert_talks(e);
	assert_false(e->server.t->update_due);
	assert_int_equal(e->server.t->tx.seq, 1);
}

static void a_key_seals_no_more_than_it_may(void **state)
{
	struct env *e = *state;
	unsigned char first[RECORD_SECRET_MAX];

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	e->server.t->key_limit = 7;
	for (int i = 0; i < 40; i++) {
		memcpy(first, e->server.t->tx.secret, sizeof(first));
		assert_talks(e);
		assert_true(e->server.t->tx.seq <= 7);
		if (e->server.t->tx.seq == 1)
			assert_memory_not_equal(first, e->server.t->tx.secret, sizeof(first));
	}
	assert_true(e->server.t->rx.seq > 7);
}

/* ---- records of a client that is not OpenSSL: sealed with the keys that it has ---- */

static void forge(struct env *e, struct record_dir *d, uint8_t type, const char *p, size_t n)
{
	struct slice v = slice_of(p, n);
	char *out = buf_room(&e->client.wire, n + RECORD_OVERHEAD) + e->client.wire.n;

	e->client.wire.n += record_seal(d, type, &v, n, out);
}

/* The client's direction, as the server's receiving side has it. */
static struct record_dir forger(struct env *e)
{
	struct record_dir d;
	struct err err = ERR_INIT;

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	assert_talks(e);
	assert_int_equal(record_init(&d, e->server.t->rx.suite, e->server.t->rx.secret, true, &err),
			 0);
	d.seq = e->server.t->rx.seq;
	return d;
}

static void records_out_of_order_are_refused(void **state)
{
	static char zeros[RECORD_PLAIN_MAX + 1];
	static const struct {
		uint8_t type;
		const char *p;
		size_t n;
		const char *says;
		int alert;
	} rows[] = {
		{ RECORD_ALERT, "", 0, "broken alert", SSL_AD_UNEXPECTED_MESSAGE },
		{ RECORD_ALERT, "\1", 1, "broken alert", SSL_AD_DECODE_ERROR },
		{ RECORD_ALERT, "\1\0\0", 3, "broken alert", SSL_AD_DECODE_ERROR },
		{ RECORD_HANDSHAKE, "", 0, "handshake message", SSL_AD_UNEXPECTED_MESSAGE },
		{ RECORD_HANDSHAKE, "\1\0\0\1\0", 5, "handshake message",
		  SSL_AD_UNEXPECTED_MESSAGE },
		{ RECORD_HANDSHAKE, "\30\0\0\2\0", 5, "handshake message",
		  SSL_AD_UNEXPECTED_MESSAGE },
		{ RECORD_HANDSHAKE, "\30\0\0\1\2", 5, "broken key update",
		  SSL_AD_ILLEGAL_PARAMETER },
		{ RECORD_HANDSHAKE, "\30\0\0\1\0\30", 6, "handshake message",
		  SSL_AD_UNEXPECTED_MESSAGE },
		{ RECORD_CCS, "\1", 1, "unknown type", SSL_AD_UNEXPECTED_MESSAGE },
		{ 24, "x", 1, "unknown type", SSL_AD_UNEXPECTED_MESSAGE },
		{ 0, "", 0, "of no type", SSL_AD_UNEXPECTED_MESSAGE },
		{ 0, zeros, 100, "of no type", SSL_AD_UNEXPECTED_MESSAGE },
		/* The type is among the 2^14 + 1; what seems to be one here is padding too much. */
		{ RECORD_DATA, zeros, RECORD_PLAIN_MAX + 1, "too long", SSL_AD_RECORD_OVERFLOW },
	};
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record_dir d = forger(e);

		forge(e, &d, rows[i].type, rows[i].p, rows[i].n);
		(void)deliver(&e->client, &e->server, 0);
		if (!strstr(e->server.err.msg, rows[i].says))
			fail_msg("row %zu: '%s'", i, e->server.err.msg);
		assert_int_equal(e->server.wire.n, 2 + RECORD_OVERHEAD); /* an alert */
		(void)deliver(&e->server, &e->client, 0);
		assert_has_alert(&e->client.err, rows[i].alert);
		record_fini(&d);
	}
}

static void a_message_in_pieces_bears_nothing_between(void **state)
{
	struct env *e = *state;
	struct record_dir d = forger(e);
	struct err err = ERR_INIT;

	forge(e, &d, RECORD_HANDSHAKE, "\30\0", 2);
	forge(e, &d, RECORD_HANDSHAKE, "\0\1\0", 3);
	assert_int_equal(record_update(&d, &err), 0);
	buf_clear(&e->server.got);
	forge(e, &d, RECORD_DATA, "new", 3);
	(void)deliver(&e->client, &e->server, 0);
	assert_string_equal(buf_str(&e->server.got), "new");
	forge(e, &d, RECORD_HANDSHAKE, "\30\0", 2);
	forge(e, &d, RECORD_DATA, "x", 1);
	(void)deliver(&e->client, &e->server, 0);
	assert_says(&e->server.err, ERR_BAD_REQUEST, "within a handshake message");
	record_fini(&d);
}

static void records_come_once_and_in_turn(void **state)
{
	struct env *e = *state;

	for (int i = 0; i < 3; i++) {
		struct record_dir d = forger(e);

		if (i == 0) /* one was left out */
			d.seq++;
		if (i == 1) /* said once more */
			d.seq--;
		forge(e, &d, RECORD_DATA, "x", 1);
		if (i == 2) /* the head is sealed, too */
			e->client.wire.p[2] ^= 1;
		(void)deliver(&e->client, &e->server, 0);
		assert_says(&e->server.err, ERR_BAD_REQUEST, "damaged");
		record_fini(&d);
	}
}

static void floods_of_nothing_end_the_connection(void **state)
{
	static const struct {
		uint8_t type;
		const char *p;
		size_t n;
	} rows[] = { { RECORD_DATA, "", 0 }, { RECORD_ALERT, "\1\132", 2 } };
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record_dir d = forger(e);

		for (int k = 0; k < 32; k++)
			forge(e, &d, rows[i].type, rows[i].p, rows[i].n);
		forge(e, &d, RECORD_DATA, "x", 1);
		(void)deliver(&e->client, &e->server, 0);
		assert_true(tls_ready(e->server.t));
		for (int k = 0; k < 33; k++)
			forge(e, &d, rows[i].type, rows[i].p, rows[i].n);
		(void)deliver(&e->client, &e->server, 0);
		assert_says(&e->server.err, ERR_BAD_REQUEST, "floods with empty records");
		record_fini(&d);
	}
}

static void nothing_counts_after_the_end(void **state)
{
	struct env *e = *state;
	struct record_dir d = forger(e);

	buf_clear(&e->server.got);
	forge(e, &d, RECORD_ALERT, "\1\0", 2);
	forge(e, &d, RECORD_DATA, "x", 1);
	(void)buf_adds(&e->client.wire, "rubbish");
	(void)deliver(&e->client, &e->server, 0);
	assert_true(tls_peer_ended(e->server.t));
	assert_int_equal(e->server.got.n, 0);
	assert_true(tls_ready(e->server.t)); /* the other direction goes on */
	record_fini(&d);
	/* And nothing is said after our own: not even why. */
	d = forger(e);
	tls_close(e->server.t);
	buf_clear(&e->server.wire);
	forge(e, &d, RECORD_CCS, "\1", 1);
	(void)deliver(&e->client, &e->server, 0);
	assert_int_equal(e->server.wire.n, 0);
	assert_false(tls_ready(e->server.t));
	record_fini(&d);
}

static void floods_of_key_updates_end_the_connection(void **state)
{
	struct env *e = *state;

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	for (int i = 0; i < 40; i++) {
		assert_int_equal(SSL_key_update(e->client.t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(e->client.t->ssl), 1);
	}
	pump(e);
	assert_says(&e->server.err, ERR_BAD_REQUEST, "floods with key updates");
	assert_says(&e->client.err, ERR_UNAVAILABLE, "the peer refused");
}

static void damaged_records_end_the_connection(void **state)
{
	struct env *e = *state;

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	assert_talks(e);
	buf_clear(&e->server.got);
	say(&e->client, "good");
	say(&e->client, "bad");
	e->client.wire.p[e->client.wire.n - 1] ^= 1;
	pump(e);
	assert_string_equal(buf_str(&e->server.got), "good");
	assert_says(&e->server.err, ERR_BAD_REQUEST, "a record arrived damaged");
	assert_says(&e->client.err, ERR_UNAVAILABLE, "a record arrived damaged");
	assert_false(tls_ready(e->server.t));
}

static void records_that_are_too_long_or_plain_are_refused(void **state)
{
	static const char *const wires[] = { "\x17\x03\x03\x41\x01", "\x16\x03\x03\x00\x05",
					     "\x14\x03\x03\x00\x01\x01", "\x17\x03\x03\x00\x02xy" };
	static const char *const words[] = { "too long", "not sealed", "not sealed", "damaged" };
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(wires); i++) {
		connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
		(void)buf_add(&e->client.wire, wires[i], i < 2 ? 5 : i == 2 ? 6 : 7);
		pump(e);
		assert_says(&e->server.err, ERR_BAD_REQUEST, words[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_are_updated_both_ways),
		TEST(asked_for_keys_come_with_the_next_data),
		TEST(a_key_seals_no_more_than_it_may),
		TEST(records_out_of_order_are_refused),
		TEST(a_message_in_pieces_bears_nothing_between),
		TEST(records_come_once_and_in_turn),
		TEST(floods_of_nothing_end_the_connection),
		TEST(nothing_counts_after_the_end),
		TEST(floods_of_key_updates_end_the_connection),
		TEST(damaged_records_end_the_connection),
		TEST(records_that_are_too_long_or_plain_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
