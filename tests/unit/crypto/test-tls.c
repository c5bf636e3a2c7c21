/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes, certificates, resumption, the end of a connection. */
#include "tls-test.h"

/* ---- handshakes ---- */

static void both_versions_carry_data(void **state)
{
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		connect_by(e, (struct tls_options){ .max = versions[i] },
			   (struct tls_options){ 0 });
		assert_talks(e);
		assert_int_equal(tls_get_info(e->client.t)->version, versions[i]);
		assert_int_equal(tls_get_info(e->server.t)->version, versions[i]);
		assert_true(tls_get_info(e->client.t)->verified);
		assert_string_equal(tls_get_info(e->server.t)->sni, "a.example");
		assert_int_equal(e->server.t->state,
				 versions[i] == TLS_1_3 ? TLS_RECORDS : TLS_OPENSSL);
	}
}

static void bytes_may_come_one_by_one(void **state)
{
	struct env *e = *state;

	e->chunk = 1;
	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	assert_talks(e);
	connect_by(e, (struct tls_options){ .max = TLS_1_2 }, (struct tls_options){ 0 });
	assert_talks(e);
	e->chunk = 0;
}

static void large_bodies_arrive_whole(void **state)
{
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	struct env *e = *state;
	size_t n = 1000003;
	char *body = malloc(n);

	for (size_t i = 0; i < n; i++)
		body[i] = (char)(i * 2654435761u >> 13);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct slice v[4] = { slice_of(body, 10), slice_of(body + 10, 0),
				      slice_of(body + 10, 50000),
				      slice_of(body + 50010, n - 50010) };

		connect_by(e, (struct tls_options){ .max = versions[i] },
			   (struct tls_options){ 0 });
		assert_int_equal(tls_write(e->server.t, v, 4, &e->server.err), 0);
		assert_true(e->server.wire.n <= tls_sealed_size(n));
		assert_int_equal(tls_write(e->client.t, v, 4, &e->client.err), 0);
		e->chunk = 4099;
		pump(e);
		e->chunk = 0;
		assert_int_equal(e->client.got.n, n);
		assert_memory_equal(e->client.got.p, body, n);
		assert_int_equal(e->server.got.n, n);
		assert_memory_equal(e->server.got.p, body, n);
	}
	free(body);
}

static void protocols_are_negotiated(void **state)
{
	static const char *const both[] = { "h2", "http/1.1" }, *const old[] = { "http/1.1" },
				 *const other[] = { "spdy/9" };
	struct env *e = *state;

	connect_by(e, (struct tls_options){ .alpn = both, .alpn_n = 2 },
		   (struct tls_options){ .alpn = old, .alpn_n = 1 });
	assert_string_equal(tls_get_info(e->server.t)->alpn, "http/1.1");
	connect_by(e, (struct tls_options){ .alpn = both, .alpn_n = 2 },
		   (struct tls_options){ .alpn = both, .alpn_n = 2 });
	assert_string_equal(tls_get_info(e->client.t)->alpn, "h2");
	connect_by(e, (struct tls_options){ .alpn = both, .alpn_n = 2 }, (struct tls_options){ 0 });
	assert_string_equal(tls_get_info(e->server.t)->alpn, "");
	connect_by(e, (struct tls_options){ .alpn = both, .alpn_n = 2 },
		   (struct tls_options){ .alpn = other, .alpn_n = 1 });
	assert_says(&e->server.err, ERR_UNSUPPORTED, "no application protocol");
	assert_says(&e->client.err, ERR_UNAVAILABLE, "application protocol (ALPN)");
}

static void versions_without_common_ground_are_told(void **state)
{
	struct env *e = *state;

	connect_by(e, (struct tls_options){ .min = TLS_1_3 },
		   (struct tls_options){ .max = TLS_1_2 });
	assert_says(&e->server.err, ERR_UNSUPPORTED, "no version of TLS");
	assert_says(&e->client.err, ERR_UNAVAILABLE, "no version of TLS is common");
}

static void identities_are_chosen_by_name_and_key(void **state)
{
	struct env *e = *state;
	struct cert_spec spec = leaf_spec("rsa", LIST("a.example"));
	struct signer rsa = sign_as(&spec, KEY_RSA, &e->ca);
	struct signer other = make_leaf("other", LIST("b.example", "x.wild.example"), &e->ca);
	struct tls_identity ids[] = { identity(&e->leaf), identity(&other), identity(&rsa) };
	struct tls_conf *s = server_conf(e, (struct tls_options){ .ids = ids, .ids_n = 3 });
	struct tls_conf *c = client_conf(e, (struct tls_options){ 0 });
	static const struct {
		const char *name, *cn;
	} rows[] = { { "a.example", "server" },
		     { "A.Example", "server" },
		     { "b.example", "other" },
		     { "x.wild.example", "other" },
		     { "y.wild.example", "server" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		start(e, s, c, rows[i].name);
		if (!tls_ready(e->client.t))
			fail_msg("%s: %s", rows[i].name, e->client.err.msg);
		assert_string_equal(cert_info(tls_get_info(e->client.t)->chain[0])->names.cn,
				    rows[i].cn);
	}
	start(e, s, c, "unknown.example");
	assert_says(&e->client.err, ERR_FORBIDDEN,
		    "is not for 'unknown.example', but for a.example");
	tls_conf_unref(s);
	tls_conf_unref(c);
	signer_fini(&rsa);
	signer_fini(&other);
}

static void a_server_that_does_not_verify_is_left(void **state)
{
	struct env *e = *state;
	struct signer other = make_ca("other CA", NULL);
	struct cert_pool *pool = pool_of(&other);

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ .trust = pool });
	assert_false(tls_ready(e->client.t));
	assert_says(&e->client.err, ERR_FORBIDDEN,
		    "signed by 'CN=test CA', which is not trusted here");
	assert_says(&e->server.err, ERR_FORBIDDEN, "does not trust the CA of our certificate");
	/* Told once more. */
	assert_true(tls_write(e->client.t, NULL, 0, &e->client.err) < 0);
	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ .insecure = true });
	assert_talks(e);
	assert_false(tls_get_info(e->client.t)->verified);
	cert_pool_unref(pool);
	signer_fini(&other);
}

/* ---- client certificates ---- */

static void clients_are_verified_as_asked(void **state)
{
	struct env *e = *state;
	struct signer strange_ca = make_ca("strange CA", NULL);
	struct signer strange = make_leaf("mallory", (struct cert_list){ 0 }, &strange_ca);
	struct tls_identity good = identity(&e->user), bad = identity(&strange);
	struct tls_options s = { .trust = e->trust }, with = { .ids = &good, .ids_n = 1 },
			   wrong = { .ids = &bad, .ids_n = 1 };

	for (int v = 0; v < 2; v++) {
		s.max = v ? TLS_1_2 : TLS_1_3;
		s.client_auth = TLS_CLIENT_REQUIRE;
		connect_by(e, s, with);
		assert_talks(e);
		assert_true(tls_get_info(e->server.t)->verified);
		assert_string_equal(cert_info(tls_get_info(e->server.t)->chain[0])->names.cn,
				    "alice");
		connect_by(e, s, (struct tls_options){ 0 });
		assert_says(&e->server.err, ERR_UNAUTHORIZED, "showed no certificate");
		/* TLS 1.2 has no alert of its own for it. */
		assert_int_equal(e->client.err.code, v ? ERR_UNAVAILABLE : ERR_FORBIDDEN);
		connect_by(e, s, wrong);
		assert_says(&e->server.err, ERR_FORBIDDEN, "signed by 'CN=strange CA'");
		assert_says(&e->client.err, ERR_FORBIDDEN,
			    "does not trust the CA of our certificate");
		s.client_auth = TLS_CLIENT_VERIFY;
		connect_by(e, s, (struct tls_options){ 0 });
		assert_talks(e);
		assert_int_equal(tls_get_info(e->server.t)->chain_n, 0);
		s.client_auth = TLS_CLIENT_ASK;
		connect_by(e, s, wrong);
		assert_talks(e);
		assert_false(tls_get_info(e->server.t)->verified);
		assert_non_null(strstr(tls_get_info(e->server.t)->reason, "strange CA"));
	}
	signer_fini(&strange_ca);
	signer_fini(&strange);
}

static void revoked_clients_stay_out(void **state)
{
	struct env *e = *state;
	struct tls_identity id = identity(&e->user);
	struct cert_pool *pool = pool_of(&e->ca);
	CLEANUP(buf_fini) struct buf crl = BUF_INIT(65536);
	struct err err = ERR_INIT;

	assert_int_equal(crl_make(e->ca.cert, e->ca.key, LIST(cert_info(e->user.cert)->serial),
				  now_s() + DAY, &crl, &err),
			 0);
	assert_int_equal(cert_pool_add_crl(pool, buf_slice(&crl), &err), 0);
	connect_by(e, (struct tls_options){ .trust = pool, .client_auth = TLS_CLIENT_REQUIRE },
		   (struct tls_options){ .ids = &id, .ids_n = 1 });
	assert_says(&e->server.err, ERR_FORBIDDEN, "has been revoked");
	assert_says(&e->client.err, ERR_FORBIDDEN, "our certificate has been revoked");
	cert_pool_unref(pool);
}

/* ---- resumption ---- */

static bool resumes(struct env *e, struct tls_conf *s, struct tls_conf *c)
{
	start(e, s, c, "a.example");
	assert_talks(e);
	assert_int_equal(tls_get_info(e->server.t)->resumed, tls_get_info(e->client.t)->resumed);
	return tls_get_info(e->server.t)->resumed;
}

static void sessions_are_resumed_over_a_reload(void **state)
{
	struct env *e = *state;
	struct tls_identity user = identity(&e->user);

	for (int v = 0; v < 2; v++) {
		struct tls_options so = { .trust = e->trust,
					  .client_auth = TLS_CLIENT_VERIFY,
					  .max = v ? TLS_1_2 : TLS_1_3 };
		struct tls_conf *s = server_conf(e, so), *s2, *s3, *s4;
		struct tls_conf *c =
			client_conf(e, (struct tls_options){ .ids = &user, .ids_n = 1 });

		so.previous = s;
		s2 = server_conf(e, so);
		so.client_auth = TLS_CLIENT_REQUIRE;
		s3 = server_conf(e, so);
		so.previous = NULL;
		s4 = server_conf(e, so);
		assert_false(resumes(e, s, c));
		assert_true(resumes(e, s, c));
		assert_true(resumes(e, s, c));
		assert_true(resumes(e, s2, c));
		assert_true(tls_get_info(e->server.t)->verified);
		assert_string_equal(cert_info(tls_get_info(e->server.t)->chain[0])->names.cn,
				    "alice");
		assert_true(tls_get_info(e->client.t)->verified);
		assert_false(resumes(e, s3, c)); /* other rules for clients */
		assert_false(resumes(e, s4, c)); /* other keys */
		assert_true(resumes(e, s4, c));
		tls_conf_unref(s);
		tls_conf_unref(s2);
		tls_conf_unref(s3);
		tls_conf_unref(s4);
		tls_conf_unref(c);
	}
}

static void no_resumption_means_none(void **state)
{
	struct env *e = *state;
	struct tls_conf *s = server_conf(e, (struct tls_options){ .no_resumption = true });
	struct tls_conf *c = client_conf(e, (struct tls_options){ 0 });

	assert_false(resumes(e, s, c));
	assert_false(resumes(e, s, c));
	tls_conf_unref(s);
	tls_conf_unref(c);
}

static void keys_of_tickets_are_replaced(void **state)
{
	struct env *e = *state;
	struct tls_conf *s = server_conf(e, (struct tls_options){ .ticket_time = 1 });
	struct tls_conf *c = client_conf(e, (struct tls_options){ 0 });

	/* A key of a nanosecond: the ticket's is older than the one before. */
	assert_false(resumes(e, s, c));
	assert_false(resumes(e, s, c));
	tls_conf_unref(s);
	tls_conf_unref(c);
}

static void each_side_ends_on_its_own(void **state)
{
	static const enum tls_version versions[] = { TLS_1_2, TLS_1_3 };
	struct env *e = *state;
	struct slice v = SLICE("late");

	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		connect_by(e, (struct tls_options){ .max = versions[i] },
			   (struct tls_options){ 0 });
		assert_talks(e);
		tls_close(e->client.t);
		pump(e);
		assert_true(tls_peer_ended(e->server.t));
		assert_false(tls_peer_ended(e->client.t));
		assert_int_equal(tls_write(e->client.t, &v, 1, &e->client.err), -ERR_UNAVAILABLE);
		if (versions[i] == TLS_1_3) { /* in 1.2 close_notify is answered, RFC 5246 7.2.1 */
			buf_clear(&e->client.got);
			say(&e->server, "still here");
			pump(e);
			assert_string_equal(buf_str(&e->client.got), "still here");
		}
		tls_close(e->server.t);
		pump(e);
		assert_true(tls_peer_ended(e->client.t));
	}
}

static void plain_http_is_answered_in_plain(void **state)
{
	struct env *e = *state;
	struct tls_conf *s = server_conf(e, (struct tls_options){ 0 });

	hang_up(e);
	start_side(&e->server, s, NULL);
	e->client.wire = BUF_INIT(4096);
	(void)buf_adds(&e->client.wire, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	(void)deliver(&e->client, &e->server, 0);
	assert_says(&e->server.err, ERR_BAD_REQUEST, "use https://");
	assert_non_null(strstr(buf_str(&e->server.wire), "400 Bad Request"));
	tls_conf_unref(s);
}

static void a_client_told_plain_text_says_so(void **state)
{
	struct env *e = *state;
	struct tls_conf *c = client_conf(e, (struct tls_options){ 0 });

	hang_up(e);
	start_side(&e->client, c, "a.example");
	assert_int_equal(tls_start(e->client.t, &e->client.err), 0);
	e->server.wire = BUF_INIT(4096);
	(void)buf_adds(&e->server.wire, "HTTP/1.1 400 Bad Request\r\n\r\n");
	(void)deliver(&e->server, &e->client, 0);
	assert_says(&e->client.err, ERR_BAD_REQUEST, "does not speak TLS");
	tls_conf_unref(c);
}

/* ---- configurations ---- */

static void refuse_conf(struct tls_options opt, const char *why)
{
	struct tls_conf *c = NULL;
	struct err err = ERR_INIT;

	assert_true(tls_conf_new(&opt, &c, &err) < 0);
	if (!strstr(err.msg, why))
		fail_msg("'%s' lacks '%s'", err.msg, why);
}

static void wrong_configurations_are_refused_by_name(void **state)
{
	struct env *e = *state;
	struct signer sub = make_ca("sub CA", &e->ca), leaf = make_leaf("deep", LIST("d"), &sub);
	struct cert *wrong[] = { leaf.cert, e->ca.cert, sub.cert };
	struct tls_identity id = { .chain = wrong, .chain_n = 3, .key = leaf.key };
	struct tls_options opt = { .server = true, .ids = &id, .ids_n = 1 };
	struct tls_conf *c;

	refuse_conf(
		opt,
		"certificate 1 ('CN=deep') was not issued by the one that follows ('CN=test CA')");
	id.key = e->leaf.key;
	refuse_conf(opt, "the key is not the one of the certificate");
	refuse_conf((struct tls_options){ .server = true }, "a server needs a certificate");
	refuse_conf((struct tls_options){ 0 }, "a client needs a CA");
	refuse_conf((struct tls_options){ .insecure = true, .min = TLS_1_3, .max = TLS_1_2 },
		    "above the highest");
	id = (struct tls_identity){ .chain = (struct cert *[]){ leaf.cert, sub.cert, e->ca.cert },
				    .chain_n = 3,
				    .key = leaf.key };
	refuse_conf(
		(struct tls_options){
			.server = true, .ids = &id, .ids_n = 1, .client_auth = TLS_CLIENT_REQUIRE },
		"a CA is needed to verify clients");
	c = must_conf(&opt);
	assert_int_equal(tls_conf_expires(c), cert_info(leaf.cert)->not_after);
	assert_true(tls_conf_is_server(c));
	/* A chain over two CAs verifies from the root alone. */
	struct tls_conf *client = client_conf(e, (struct tls_options){ 0 });

	start(e, c, client, "d");
	assert_talks(e);
	assert_int_equal(tls_get_info(e->client.t)->chain_n, 3);
	tls_conf_unref(client);
	tls_conf_unref(c);
	signer_fini(&sub);
	signer_fini(&leaf);
}

static void without_the_kernels_help_all_goes_on(void **state)
{
	struct env *e = *state;
	int fd[2];

	connect_by(e, (struct tls_options){ 0 }, (struct tls_options){ 0 });
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(tls_offload(e->server.t, fd[0]), 0);
	assert_int_equal(tls_offload(e->server.t, -1), 0);
	assert_false(tls_is_offloaded(e->server.t));
	assert_talks(e);
	close(fd[0]);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_versions_carry_data),
		TEST(bytes_may_come_one_by_one),
		TEST(large_bodies_arrive_whole),
		TEST(protocols_are_negotiated),
		TEST(versions_without_common_ground_are_told),
		TEST(identities_are_chosen_by_name_and_key),
		TEST(a_server_that_does_not_verify_is_left),
		TEST(clients_are_verified_as_asked),
		TEST(revoked_clients_stay_out),
		TEST(sessions_are_resumed_over_a_reload),
		TEST(no_resumption_means_none),
		TEST(keys_of_tickets_are_replaced),
		TEST(each_side_ends_on_its_own),
		TEST(plain_http_is_answered_in_plain),
		TEST(a_client_told_plain_text_says_so),
		TEST(wrong_configurations_are_refused_by_name),
		TEST(without_the_kernels_help_all_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
