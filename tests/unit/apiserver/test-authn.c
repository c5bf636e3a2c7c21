/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: certificates, tokens of a file (its csv, its changes), WebSocket protocols, nobody. */
#include "../doc/doc-check.h"

#include "apiserver/auth/authn.h"
#include "apiserver/auth/token-file.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "crypto/x509.h"
#include "io/stream-impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A request as the codec leaves it, with one header and perhaps a certificate. */
struct ask {
	struct stream s;
	struct stream_peer peer;
	struct http_header headers[4];
	struct tls_info tls;
};

static void ask_init(struct ask *k, struct arena *a)
{
	*k = (struct ask){ 0 };
	k->s.peer = &k->peer;
	k->s.headers = k->headers;
	k->s.arena = a;
	k->s.rq.method = "GET";
	k->s.rq.path = "/api";
}

static void ask_header(struct ask *k, const char *name, const char *value)
{
	k->headers[k->s.headers_n++] = (struct http_header){ slice_str(name), slice_str(value) };
}

/* "name/uid/group,group", or what went wrong. */
static const char *who(struct authn *n, struct ask *k, struct arena *a)
{
	struct err err = ERR_INIT;
	struct authn_found found;
	struct strategy_user u;
	const char *text;

	if (authn_check(n, &k->s, NULL, a, &found, &err) < 0)
		return arena_printf(a, "%s: %s", err_code_name(err.code), err.msg);
	u = found.user;
	text = arena_printf(a, "%s/%s/", u.name, u.uid);
	for (size_t i = 0; u.groups[i]; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", u.groups[i]);
	return text;
}

static const char *who_says(struct authn *n, struct arena *a, const char *header)
{
	struct ask k;

	ask_init(&k, a);
	if (header)
		ask_header(&k, "authorization", header);
	return who(n, &k, a);
}

#define NOBODY "system:anonymous//system:unauthenticated"
#define REFUSED "UNAUTHORIZED: Unauthorized"

/* ---- token files ---- */

struct file {
	char dir[32], path[64];
};

static void file_write(struct file *f, const char *text)
{
	struct err err = ERR_INIT;

	if (!f->dir[0]) {
		strcpy(f->dir, "/tmp/teu-authn-XXXXXX");
		assert_non_null(mkdtemp(f->dir));
		(void)snprintf(f->path, sizeof(f->path), "%s/tokens.csv", f->dir);
	}
	assert_int_equal(fd_replace_file(AT_FDCWD, f->path, text, strlen(text), 0600, &err), 0);
}

static void file_fini(struct file *f)
{
	assert_int_equal(fd_remove_tree(AT_FDCWD, f->dir, NULL), 0);
}

static struct authn *with_tokens(struct file *f, const char *text, bool anonymous)
{
	struct authn_conf conf = { .anonymous = anonymous };
	struct err err = ERR_INIT;
	struct authn *n;

	file_write(f, text);
	conf.token_file = f->path;
	conf.token_file_look = 1;
	if (authn_new(&conf, &n, &err) < 0)
		fail_msg("%s", err.msg);
	return n;
}

static void a_token_of_the_file_is_its_user(void **state)
{
	struct arena *a = *state;
	struct file f = { 0 };
	CLEANUP(authn_free)
	struct authn *n = with_tokens(&f,
				      "aaa,alice,1001,\"dev,ops\"\r\n\nbbb,bob,1002\n"
				      "\"c,\"\"c\",\"carol\",\"10\n03\",\"\"\n"
				      ",empty,1\nddd,dora,4,system:unauthenticated",
				      true);

	assert_string_equal(who_says(n, a, "Bearer aaa"),
			    "alice/1001/dev,ops,system:authenticated");
	assert_string_equal(who_says(n, a, "bearer bbb"), "bob/1002/system:authenticated");
	assert_string_equal(who_says(n, a, "Bearer c,\"c"), "carol/10\n03/system:authenticated");
	assert_string_equal(who_says(n, a, "Bearer ddd"), "dora/4/system:unauthenticated");
	file_fini(&f);
}

static void a_wrong_token_is_never_anonymous(void **state)
{
	struct arena *a = *state;
	struct file f = { 0 };
	CLEANUP(authn_free) struct authn *n = with_tokens(&f, "aaa,alice,1\n", true);

	assert_string_equal(who_says(n, a, "Bearer aa"), REFUSED);
	assert_string_equal(who_says(n, a, "Bearer aaaa"), REFUSED);
	assert_string_equal(who_says(n, a, "Bearer aaa extra"), "alice/1/system:authenticated");
	/* what names no token is no credential */
	assert_string_equal(who_says(n, a, NULL), NOBODY);
	assert_string_equal(who_says(n, a, "Bearer"), NOBODY);
	assert_string_equal(who_says(n, a, "Basic YTpi"), NOBODY);
	file_fini(&f);
}

static void without_anonymous_everyone_has_to_say_who(void **state)
{
	struct arena *a = *state;
	struct file f = { 0 };
	CLEANUP(authn_free) struct authn *n = with_tokens(&f, "aaa,alice,1\n", false);

	assert_string_equal(who_says(n, a, NULL), REFUSED);
	assert_string_equal(who_says(n, a, "Basic YTpi"), REFUSED);
	assert_string_equal(who_says(n, a, "Bearer aaa"), "alice/1/system:authenticated");
	file_fini(&f);
}

static void a_changed_file_is_read_again_and_a_broken_one_is_not_taken(void **state)
{
	struct arena *a = *state;
	struct file f = { 0 };
	CLEANUP(authn_free) struct authn *n = with_tokens(&f, "aaa,alice,1\n", true);
	int fd;

	file_write(&f, "bbb,bob,2\n");
	assert_string_equal(who_says(n, a, "Bearer aaa"), REFUSED);
	assert_string_equal(who_says(n, a, "Bearer bbb"), "bob/2/system:authenticated");
	file_write(&f, "ccc,carol\n");
	assert_string_equal(who_says(n, a, "Bearer bbb"), "bob/2/system:authenticated");
	assert_int_equal(unlink(f.path), 0);
	assert_string_equal(who_says(n, a, "Bearer bbb"), "bob/2/system:authenticated");
	file_write(&f, "ddd,dora,4\n");
	fd = open(f.path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "eee,eve,5\n", 10), 10);
	close(fd);
	assert_string_equal(who_says(n, a, "Bearer eee"), "eve/5/system:authenticated");
	file_fini(&f);
}

static void broken_files_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "a,b,c\nd,e\n", "line 2: must have at least 3 columns" },
		{ "a,b,\"c\n\n", "line 1: a quote is not closed" },
		{ "a,b\"c,d\n", "line 1: a quote inside" },
		{ "a,b,\"c\"d\n", "line 1: text behind a closing quote" },
		{ "a,,c\n", "line 1: the user has no name" },
		{ "1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7\n", "line 1: too many fields" },
		{ "\n\"x\n\",b,c\n\nsecret\n", "line 5: must have" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		struct token_file *t;

		assert_int_equal(token_file_read(slice_str(cases[i].text), "F", &t, &err),
				 -ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("'%s' does not hold '%s'", err.msg, cases[i].says);
		assert_null(strstr(err.msg, "secret"));
	}
}

static void of_two_lines_with_one_token_the_later_counts(void **state)
{
	struct err err = ERR_INIT;
	CLEANUP(token_file_free) struct token_file *t = NULL;

	assert_int_equal(token_file_read(SLICE("a,x,1\na,y,2\nb,z,3,\"g,,h\""), "F", &t, &err), 0);
	assert_int_equal(token_file_count(t), 2);
	assert_string_equal(token_file_find(t, SLICE("a"))->name, "y");
	assert_int_equal(token_file_find(t, SLICE("b"))->ngroups, 2);
	assert_null(token_file_find(t, SLICE("")));
}

static void a_file_that_is_not_there_ends_the_start(void **state)
{
	struct authn_conf conf = { .token_file = "/nowhere/tokens" };
	struct err err = ERR_INIT;
	struct authn *n;

	assert_int_equal(authn_new(&conf, &n, &err), -ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "--token-auth-file: open '/nowhere/tokens'"));
	conf.token_file = "/tmp";
	assert_int_equal(authn_new(&conf, &n, &err), -ERR_INVALID);
}

/* ---- WebSocket ---- */

static const char *who_upgrades(struct authn *n, struct arena *a, const char *first,
				const char *second)
{
	struct ask k;

	ask_init(&k, a);
	k.s.rq.upgrade = SLICE("WebSocket");
	ask_header(&k, "Sec-WebSocket-Protocol", first);
	if (second)
		ask_header(&k, "sec-websocket-protocol", second);
	return who(n, &k, a);
}

#define WS "base64url.bearer.authorization.k8s.io."

static void a_web_socket_may_have_its_token_among_the_protocols(void **state)
{
	struct arena *a = *state;
	struct file f = { 0 };
	CLEANUP(authn_free) struct authn *n = with_tokens(&f, "aaaa,alice,1\n?\?>~,odd,2\n", true);
	struct ask k;

	assert_string_equal(who_upgrades(n, a, WS "YWFhYQ, v5.channel.k8s.io", NULL),
			    "alice/1/system:authenticated");
	assert_string_equal(who_upgrades(n, a, "v5.channel.k8s.io", WS "Pz8-fg"),
			    "odd/2/system:authenticated");
	assert_string_equal(who_upgrades(n, a, WS "YWFhYQ", NULL), REFUSED);
	assert_string_equal(who_upgrades(n, a, WS "YWFhYQ,v4," WS "YWFhYQ", NULL), REFUSED);
	assert_string_equal(who_upgrades(n, a, WS "YWFhYQ==,v4", NULL), REFUSED);
	assert_string_equal(who_upgrades(n, a, WS "Pz8+fg,v4", NULL), REFUSED);
	assert_string_equal(who_upgrades(n, a, WS ",v4", NULL), REFUSED);
	assert_string_equal(who_upgrades(n, a, WS "YmJiYg,v4", NULL), REFUSED);
	assert_string_equal(who_upgrades(n, a, "v4,v5", NULL), NOBODY);
	/* no upgrade: nothing is looked at */
	ask_init(&k, a);
	ask_header(&k, "Sec-WebSocket-Protocol", WS "YWFhYQ,v4");
	assert_string_equal(who(n, &k, a), NOBODY);
	file_fini(&f);
}

/* ---- certificates ---- */

struct ca {
	struct key *key;
	struct cert *cert;
};

static int64_t now_s(void)
{
	return clock_real() / NS_PER_SEC;
}

static struct ca make_ca(void)
{
	struct ca ca = { 0 };
	struct cert_spec spec = { .names = { .cn = "ca" },
				  .not_before = now_s() - 60,
				  .not_after = now_s() + 1000,
				  .ca = true,
				  .path_len = -1 };

	assert_int_equal(key_generate(KEY_P256, 0, &ca.key, NULL), 0);
	assert_int_equal(cert_make(&spec, ca.key, NULL, ca.key, &ca.cert, NULL), 0);
	return ca;
}

static void ca_fini(struct ca *ca)
{
	key_unref(ca->key);
	cert_unref(ca->cert);
}

static struct cert *client(const struct ca *ca, const char *cn, struct cert_list o, int64_t end,
			   unsigned usages)
{
	CLEANUP(key_unref) struct key *k = NULL;
	struct cert_spec spec = { .names = { .cn = cn, .o = o },
				  .not_before = now_s() - 3600,
				  .not_after = end,
				  .usages = usages };
	struct cert *c;

	assert_int_equal(key_generate(KEY_P256, 0, &k, NULL), 0);
	assert_int_equal(cert_make(&spec, k, ca->cert, ca->key, &c, NULL), 0);
	return c;
}

static const char *who_shows(struct authn *n, struct arena *a, struct cert *const *chain,
			     const char *header)
{
	struct ask k;

	ask_init(&k, a);
	k.tls = (struct tls_info){ .chain = chain, .chain_n = chain && chain[0] };
	k.peer.tls = &k.tls;
	if (header)
		ask_header(&k, "Authorization", header);
	return who(n, &k, a);
}

static void a_certificate_names_its_user_and_groups(void **state)
{
	static const char *const groups[] = { "system:masters", "b" };
	struct arena *a = *state;
	struct ca ca = make_ca(), other = make_ca();
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	CLEANUP(authn_free) struct authn *n = NULL;
	struct authn_conf conf = { .clients = pool, .anonymous = true };
	const unsigned use = CERT_USE_SIGN | CERT_EXT_CLIENT;
	CLEANUP(cert_unref)
	struct cert *good =
		client(&ca, "admin", (struct cert_list){ groups, 2 }, now_s() + 500, use);
	CLEANUP(cert_unref)
	struct cert *late = client(&ca, "admin", (struct cert_list){ 0 }, now_s() - 5, use);
	CLEANUP(cert_unref)
	struct cert *server = client(&ca, "admin", (struct cert_list){ 0 }, now_s() + 500,
				     CERT_USE_SIGN | CERT_EXT_SERVER);
	CLEANUP(cert_unref)
	struct cert *strange =
		client(&other, "admin", (struct cert_list){ groups, 2 }, now_s() + 500, use);
	CLEANUP(cert_unref)
	struct cert *nameless =
		client(&ca, "", (struct cert_list){ groups, 2 }, now_s() + 500, use);

	cert_pool_add(pool, ca.cert);
	assert_int_equal(authn_new(&conf, &n, NULL), 0);
	for (int i = 0; i < 3; i++) { /* the verdict is remembered */
		assert_string_equal(who_shows(n, a, &good, NULL),
				    "admin//system:masters,b,system:authenticated");
		assert_string_equal(who_shows(n, a, &late, NULL), REFUSED);
		assert_string_equal(who_shows(n, a, &server, NULL), REFUSED);
		assert_string_equal(who_shows(n, a, &strange, NULL), REFUSED);
	}
	assert_string_equal(who_shows(n, a, &nameless, NULL), NOBODY);
	assert_string_equal(who_shows(n, a, NULL, NULL), NOBODY);

	/* other roots: what was remembered is not asked */
	{
		CLEANUP(cert_pool_unref) struct cert_pool *next = cert_pool_new();

		cert_pool_add(next, other.cert);
		authn_set_clients(n, next);
		assert_string_equal(who_shows(n, a, &good, NULL), REFUSED);
		assert_string_equal(who_shows(n, a, &strange, NULL),
				    "admin//system:masters,b,system:authenticated");
	}
	authn_set_clients(n, NULL);
	assert_string_equal(who_shows(n, a, &strange, NULL), NOBODY);
	ca_fini(&ca);
	ca_fini(&other);
}

static void a_right_token_saves_a_wrong_certificate(void **state)
{
	struct arena *a = *state;
	struct ca ca = make_ca(), other = make_ca();
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	struct file f = { 0 };
	CLEANUP(authn_free) struct authn *n = with_tokens(&f, "aaa,alice,1\n", true);
	CLEANUP(cert_unref)
	struct cert *strange = client(&other, "eve", (struct cert_list){ 0 }, now_s() + 500,
				      CERT_USE_SIGN | CERT_EXT_CLIENT);

	cert_pool_add(pool, ca.cert);
	authn_set_clients(n, pool);
	assert_string_equal(who_shows(n, a, &strange, "Bearer aaa"),
			    "alice/1/system:authenticated");
	assert_string_equal(who_shows(n, a, &strange, "Bearer bbb"), REFUSED);
	assert_string_equal(who_shows(n, a, &strange, NULL), REFUSED);
	file_fini(&f);
	ca_fini(&ca);
	ca_fini(&other);
}

static void the_credential_is_told_as_upstream_does(void **state)
{
	struct arena *a = *state;
	struct ca ca = make_ca();
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	CLEANUP(authn_free) struct authn *n = NULL;
	struct authn_conf conf = { .clients = pool };
	CLEANUP(cert_unref)
	struct cert *c = client(&ca, "x", (struct cert_list){ 0 }, now_s() + 500,
				CERT_USE_SIGN | CERT_EXT_CLIENT);
	struct authn_found u;
	struct ask k;

	cert_pool_add(pool, ca.cert);
	assert_int_equal(authn_new(&conf, &n, NULL), 0);
	ask_init(&k, a);
	k.tls = (struct tls_info){ .chain = &c, .chain_n = 1 };
	k.peer.tls = &k.tls;
	assert_int_equal(authn_check(n, &k.s, NULL, a, &u, NULL), 0);
	assert_string_equal(written(a, u.user.extra, NULL),
			    arena_printf(a,
					 "{\"authentication.kubernetes.io/credential-id\":"
					 "[\"X509SHA256=%s\"]}",
					 cert_info(c)->fingerprint));
	ca_fini(&ca);
}

/* More chains than are remembered: each is judged right however often the ring goes round. */
static void many_certificates_are_each_judged_right(void **state)
{
	struct arena *a = *state;
	struct ca ca = make_ca(), other = make_ca();
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	CLEANUP(authn_free) struct authn *n = NULL;
	struct authn_conf conf = { .clients = pool };
	struct cert *c[8];

	cert_pool_add(pool, ca.cert);
	assert_int_equal(authn_new(&conf, &n, NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		c[i] = client(i % 2 ? &ca : &other, "x", (struct cert_list){ 0 }, now_s() + 500,
			      CERT_USE_SIGN | CERT_EXT_CLIENT);
	for (unsigned i = 0; i < 1500; i++) {
		/* a chain that differs by what is shown with the certificate */
		struct cert *chain[2] = { c[i % 8], c[i / 8 % 8] };
		struct ask k;

		ask_init(&k, a);
		k.tls = (struct tls_info){ .chain = chain, .chain_n = 2 };
		k.peer.tls = &k.tls;
		assert_string_equal(who(n, &k, a), i % 2 ? "x//system:authenticated" : REFUSED);
	}
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		cert_unref(c[i]);
	ca_fini(&ca);
	ca_fini(&other);
}

/* ---- front proxies ---- */

struct shown {
	const char *name, *value;
};

static const char *who_fronts(struct authn *n, struct arena *a, struct cert *const *c,
			      const struct shown *h)
{
	struct ask k;

	ask_init(&k, a);
	k.tls = (struct tls_info){ .chain = c, .chain_n = 1 };
	k.peer.tls = &k.tls;
	for (; h->name; h++)
		ask_header(&k, h->name, h->value);
	return who(n, &k, a);
}

static void a_front_proxy_says_for_whom_it_asks(void **state)
{
	static const char *const names[] = { "proxy", NULL },
				 *const users[] = { "X-Remote-User", "X-User", NULL },
				 *const uids[] = { "X-Remote-Uid", NULL },
				 *const groups[] = { "X-Remote-Group", NULL },
				 *const extras[] = { "X-Remote-Extra-", NULL };
	const struct authn_front front = { names, users, uids, groups, extras };
	static const struct shown jo[] = { { "x-remote-user", "jo" },
					   { "X-Remote-Uid", "7" },
					   { "X-Remote-Group", "dev" },
					   { "X-Remote-Group", "ops" },
					   { NULL, NULL } };
	static const struct shown al[] = { { "X-User", "al" },
					   { "X-Remote-Extra-Acme%2fScope", "one" },
					   { "X-Remote-Extra-acme%2FScope", "two" },
					   { NULL, NULL } };
	static const struct shown nobody[] = { { "X-Remote-Group", "system:masters" },
					       { NULL, NULL } };
	struct arena *a = *state;
	struct ca ca = make_ca(), clients = make_ca();
	CLEANUP(cert_pool_unref) struct cert_pool *fronts = cert_pool_new();
	CLEANUP(cert_pool_unref) struct cert_pool *pool = cert_pool_new();
	CLEANUP(authn_free) struct authn *n = NULL;
	const struct authn_conf conf = { .front = &front, .clients = pool, .anonymous = true };
	const unsigned use = CERT_USE_SIGN | CERT_EXT_CLIENT;
	const int64_t end = now_s() + 500;
	CLEANUP(cert_unref)
	struct cert *proxy = client(&ca, "proxy", (struct cert_list){ 0 }, end, use);
	CLEANUP(cert_unref)
	struct cert *other = client(&ca, "other", (struct cert_list){ 0 }, end, use);
	CLEANUP(cert_unref)
	struct cert *strange = client(&clients, "proxy", (struct cert_list){ 0 }, end, use);
	struct authn_found found;
	struct ask k;

	cert_pool_add(fronts, ca.cert);
	cert_pool_add(pool, clients.cert);
	assert_int_equal(authn_new(&conf, &n, NULL), 0);
	assert_string_equal(who_fronts(n, a, &proxy, jo), REFUSED); /* none is believed yet */
	authn_set_fronts(n, fronts);
	assert_string_equal(who_fronts(n, a, &proxy, jo), "jo/7/dev,ops,system:authenticated");
	assert_string_equal(who_fronts(n, a, &proxy, al), "al//system:authenticated");
	ask_init(&k, a);
	k.tls = (struct tls_info){ .chain = &proxy, .chain_n = 1 };
	k.peer.tls = &k.tls;
	for (size_t i = 0; al[i].name; i++)
		ask_header(&k, al[i].name, al[i].value);
	assert_int_equal(authn_check(n, &k.s, NULL, a, &found, NULL), 0);
	assert_string_equal(written(a, found.user.extra, NULL),
			    "{\"acme/scope\":[\"one\",\"two\"]}");
	/* for nobody; by another name; by another CA: then it is a client as any */
	assert_string_equal(who_fronts(n, a, &proxy, nobody), REFUSED);
	assert_string_equal(who_fronts(n, a, &other, jo), REFUSED);
	assert_string_equal(who_fronts(n, a, &strange, jo), "proxy//system:authenticated");
	ca_fini(&ca);
	ca_fini(&clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_token_of_the_file_is_its_user),
		CASE(a_wrong_token_is_never_anonymous),
		CASE(without_anonymous_everyone_has_to_say_who),
		CASE(a_changed_file_is_read_again_and_a_broken_one_is_not_taken),
		CASE(broken_files_are_named_with_their_line),
		CASE(of_two_lines_with_one_token_the_later_counts),
		CASE(a_file_that_is_not_there_ends_the_start),
		CASE(a_web_socket_may_have_its_token_among_the_protocols),
		CASE(a_certificate_names_its_user_and_groups),
		CASE(a_right_token_saves_a_wrong_certificate),
		CASE(the_credential_is_told_as_upstream_does),
		CASE(many_certificates_are_each_judged_right),
		CASE(a_front_proxy_says_for_whom_it_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
