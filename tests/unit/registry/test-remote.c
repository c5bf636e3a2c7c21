/* SPDX-License-Identifier: Apache-2.0 */
/* The registry client against our own registry, which runs on a thread of its own: push, pull,
 * lists, referrers, deletes; and the parts of it that read foreign text. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/fd.h"
#include "image/manifest.h"
#include "image/remote-priv.h"
#include "registry/private.h"

#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define EMPTY "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

struct box {
	char dir[64], host[64];
	pthread_t thread;
	struct loop *loop;
	struct registry *g;
	struct post stop;
	struct remote *r;
	struct arena *a;
	struct err err;
};

static void ok_at(struct box *b, int r, int line)
{
	if (r < 0)
		fail_msg("line %d: %s", line, b->err.msg);
}
#define OK(b, call) ok_at(b, call, __LINE__)

/* Tests have a network namespace of their own, where even the loopback is down at first. */
static void loopback_up(void)
{
	struct ifreq rq = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)ioctl(fd, SIOCSIFFLAGS, &rq); /* without the right to, it is up already */
	close(fd);
}

static void *serve(void *arg)
{
	struct box *b = arg;

	(void)loop_run(b->loop, NULL);
	return NULL;
}

static void on_stop(struct post *p)
{
	loop_stop(CONTAINER_OF(p, struct box, stop)->loop, 0);
}

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));
	struct registry_conf conf = { .root = b->dir, .gc_every = -1 };
	struct remote_conf rc = { .host = b->host, .tries = 2 };

	loopback_up();
	strcpy(b->dir, "/tmp/teu-remote-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	OK(b, loop_new(&b->loop, &b->err));
	OK(b, registry_new(b->loop, &conf, &b->g, &b->err));
	OK(b, http_server_listen_tcp(b->g->server, "127.0.0.1:0", &b->err));
	(void)str_copy(b->host, sizeof(b->host), http_server_address(b->g->server, 0) + 6);
	assert_int_equal(pthread_create(&b->thread, NULL, serve, b), 0);
	b->a = arena_new("test", 64u << 20);
	OK(b, remote_new(&rc, &b->r, &b->err));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	remote_free(b->r);
	b->stop.fn = on_stop;
	loop_post(b->loop, &b->stop);
	pthread_join(b->thread, NULL);
	registry_free(b->g);
	loop_free(b->loop);
	arena_free(b->a);
	OK(b, fd_remove_tree(AT_FDCWD, b->dir, &b->err));
	free(b);
	return 0;
}

/* ---- help ---- */

static ssize_t produce(void *ctx, uint64_t offset, char *p, size_t cap, struct err *err)
{
	const struct slice *s = ctx;
	size_t n = MIN(cap, s->n - MIN((size_t)offset, s->n));

	memcpy(p, s->p + offset, n);
	return (ssize_t)n;
}

static void push(struct box *b, const char *repo, struct slice bytes, size_t chunk,
		 struct remote_push *ret, char digest[IMAGE_DIGEST_MAX])
{
	image_digest_of(bytes.p, bytes.n, digest);
	*ret = (struct remote_push){ .repo = repo,
				     .digest = digest,
				     .size = bytes.n,
				     .produce = produce,
				     .ctx = &bytes,
				     .chunk = chunk };
	OK(b, remote_push_blob(b->r, ret, &b->err));
}

static int collect(void *ctx, struct slice bytes, struct err *err)
{
	return buf_add(ctx, bytes.p, bytes.n) < 0 ? err_set(err, ERR_TOO_LARGE, "too much") : 0;
}

static const char *manifest_of(struct box *b, const char *subject)
{
	return arena_printf(b->a,
			    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
			    "\",\"config\":{\"mediaType\":\"a/config\",\"digest\":\"" EMPTY
			    "\",\"size\":2},\"layers\":[]%s%s%s}",
			    subject ? ",\"subject\":{\"mediaType\":\"" MEDIA_OCI_MANIFEST
				      "\",\"size\":1,\"digest\":\""
				    : "",
			    subject ? subject : "", subject ? "\"}" : "");
}

static void push_manifest(struct box *b, const char *repo, const char *ref, const char *text,
			  char digest[IMAGE_DIGEST_MAX])
{
	OK(b, remote_push_manifest(b->r, repo, ref, MEDIA_OCI_MANIFEST, slice_str(text), digest,
				   &b->err));
}

/* ---- cases ---- */

static void blobs_go_there_and_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, 70000, 3000000 }, chunks[] = { 0, 65536 };
	struct box *b = *state;
	char *bytes = malloc(3000000), digest[IMAGE_DIGEST_MAX];
	struct remote_push p;

	for (size_t i = 0; i < 3000000; i++)
		bytes[i] = (char)(i * 7 + i / 911);
	for (size_t c = 0; c < ARRAY_LEN(chunks); c++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			CLEANUP(buf_fini) struct buf got = BUF_INIT(4u << 20);
			struct manifest_desc d = { .digest = digest, .size = (int64_t)sizes[i] };
			char repo[32];

			(void)snprintf(repo, sizeof(repo), "r%zu-%zu", c, i);
			push(b, repo, slice_of(bytes, sizes[i]), chunks[c], &p, digest);
			assert_false(p.existed);
			push(b, repo, slice_of(bytes, sizes[i]), chunks[c], &p, digest);
			assert_true(p.existed);
			OK(b, remote_blob(b->r, repo, &d, 0, collect, &got, &b->err));
			assert_int_equal(got.n, sizes[i]);
			assert_memory_equal(got.p ? got.p : "", bytes, sizes[i]);
		}
	free(bytes);
}

static void a_part_of_a_blob_comes_alone(void **state)
{
	struct box *b = *state;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);
	char digest[IMAGE_DIGEST_MAX];
	struct manifest_desc d = { .digest = digest, .size = 10 };
	struct remote_push p;

	push(b, "r", SLICE("0123456789"), 0, &p, digest);
	OK(b, remote_range(b->r, "r", digest, 3, 4, collect, &got, &b->err));
	assert_string_equal(buf_str(&got), "3456");
	buf_clear(&got);
	OK(b, remote_blob(b->r, "r", &d, 8, collect, &got, &b->err));
	assert_string_equal(buf_str(&got), "89");
	assert_int_equal(remote_range(b->r, "r", digest, 30, 4, collect, &got, &b->err),
			 -ERR_INVALID);
}

static void a_blob_of_another_size_or_place_is_an_error(void **state)
{
	struct box *b = *state;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);
	char digest[IMAGE_DIGEST_MAX];
	struct manifest_desc d = { .digest = digest, .size = 4 };
	struct remote_push p;

	push(b, "r", SLICE("0123456789"), 0, &p, digest);
	assert_int_equal(remote_blob(b->r, "r", &d, 0, collect, &got, &b->err), -ERR_INVALID);
	assert_non_null(strstr(b->err.msg, "more bytes come"));
	d.size = 10;
	d.digest = EMPTY;
	assert_int_equal(remote_blob(b->r, "r", &d, 0, collect, &got, &b->err), -ERR_NOT_FOUND);
	assert_non_null(strstr(b->err.msg, "BLOB_UNKNOWN"));
	assert_int_equal(remote_has_blob(b->r, "r", EMPTY, &b->err), 0);
	assert_int_equal(remote_has_blob(b->r, "r", digest, &b->err), 1);
}

static void a_blob_is_mounted_from_a_neighbour(void **state)
{
	struct box *b = *state;
	char digest[IMAGE_DIGEST_MAX];
	struct remote_push p;

	push(b, "from", SLICE("bytes"), 0, &p, digest);
	p = (struct remote_push){
		.repo = "to", .digest = digest, .size = 5, .mount_from = "from", .produce = NULL
	};
	OK(b, remote_push_blob(b->r, &p, &b->err));
	assert_true(p.mounted);
}

static void manifests_are_named_by_what_they_are(void **state)
{
	struct box *b = *state;
	char digest[IMAGE_DIGEST_MAX];
	const char *text = manifest_of(b, NULL);
	struct remote_manifest m;
	struct remote_push p;
	struct strs tags;

	push(b, "r", SLICE("{}"), 0, &p, digest);
	push_manifest(b, "r", "v1", text, digest);
	push_manifest(b, "r", "v2", text, digest);
	OK(b, remote_manifest(b->r, "r", "v1", b->a, &m, &b->err));
	assert_true(slice_is(m.bytes, text));
	assert_string_equal(m.digest, digest);
	assert_string_equal(m.media, MEDIA_OCI_MANIFEST);
	OK(b, remote_head(b->r, "r", "v2", b->a, &m, &b->err));
	assert_string_equal(m.digest, digest);
	assert_int_equal(m.size, strlen(text));
	OK(b, remote_tags(b->r, "r", b->a, 100, &tags, &b->err));
	assert_int_equal(tags.n, 2);
	assert_int_equal(remote_tags(b->r, "r", b->a, 1, &tags, &b->err), -ERR_TOO_LARGE);
	OK(b, remote_catalog(b->r, b->a, 100, &tags, &b->err));
	assert_int_equal(tags.n, 1);
	assert_int_equal(remote_manifest(b->r, "r", "v3", b->a, &m, &b->err), -ERR_NOT_FOUND);
	assert_non_null(strstr(b->err.msg, "manifest 'v3' of 'r'"));
	OK(b, remote_delete_manifest(b->r, "r", digest, &b->err));
	assert_int_equal(remote_manifest(b->r, "r", "v1", b->a, &m, &b->err), -ERR_NOT_FOUND);
}

static void many_tags_come_page_by_page(void **state)
{
	struct box *b = *state;
	char digest[IMAGE_DIGEST_MAX], tag[16];
	struct remote_push p;
	struct strs tags;

	push(b, "r", SLICE("{}"), 0, &p, digest);
	for (int i = 0; i < 1100; i++) {
		(void)snprintf(tag, sizeof(tag), "t%04d", i);
		push_manifest(b, "r", tag, manifest_of(b, NULL), digest);
	}
	OK(b, remote_tags(b->r, "r", b->a, 5000, &tags, &b->err));
	assert_int_equal(tags.n, 1100);
	assert_string_equal(tags.v[1099], "t1099");
}

static void referrers_come_as_an_index(void **state)
{
	struct box *b = *state;
	char digest[IMAGE_DIGEST_MAX], signature[IMAGE_DIGEST_MAX];
	struct remote_push p;
	struct manifest m;
	struct slice text;

	push(b, "r", SLICE("{}"), 0, &p, digest);
	push_manifest(b, "r", "v1", manifest_of(b, NULL), digest);
	push_manifest(b, "r", "sig", manifest_of(b, digest), signature);
	OK(b, remote_referrers(b->r, "r", digest, NULL, b->a, &text, &b->err));
	OK(b, manifest_parse(b->a, text, NULL, &m, &b->err));
	assert_int_equal(m.n, 1);
	assert_string_equal(m.parts[0].digest, signature);
}

static void nobody_there_is_told_after_the_tries(void **state)
{
	struct box *b = *state;
	struct remote_conf rc = { .host = "127.0.0.1:9", .tries = 1 };
	CLEANUP(remote_free) struct remote *r = NULL;
	struct remote_manifest m;
	atomic_bool cancel = true;

	OK(b, remote_new(&rc, &r, &b->err));
	assert_int_equal(remote_manifest(r, "a", "b", b->a, &m, &b->err), -ERR_UNAVAILABLE);
	remote_free(STEAL(r));
	rc.cancel = &cancel;
	OK(b, remote_new(&rc, &r, &b->err));
	assert_int_equal(remote_manifest(r, "a", "b", b->a, &m, &b->err), -ERR_UNAVAILABLE);
	assert_non_null(strstr(b->err.msg, "cancelled"));
}

/* Says the head of an answer and half of its body, then nothing, to each who connects. */
static void *stall(void *arg)
{
	static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234";
	int listening = *(int *)arg, fd;
	char asked[4096];

	while ((fd = accept(listening, NULL, NULL)) >= 0) {
		ssize_t n = read(fd, asked, sizeof(asked));

		if (n > 4 && memcmp(asked, "GET ", 4) == 0)
			n = write(fd, half, sizeof(half) - 1);
		if (n <= 0 || memcmp(asked, "GET ", 4) != 0)
			close(fd); /* a TLS hello: plain HTTP is tried next */
	}
	return NULL;
}

static void a_server_that_falls_silent_is_given_up(void **state)
{
	struct box *b = *state;
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct manifest_desc d = { .digest = EMPTY, .size = 10 };
	CLEANUP(remote_free) struct remote *r = NULL;
	struct buf got = BUF_INIT(100);
	socklen_t len = sizeof(sa);
	struct remote_conf rc = { .tries = 1, .quiet = 50 * NS_PER_MS };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	rc.host = arena_printf(b->a, "127.0.0.1:%u", ntohs(sa.sin_port));
	assert_int_equal(pthread_create(&thread, NULL, stall, &fd), 0);
	OK(b, remote_new(&rc, &r, &b->err));
	assert_int_equal(remote_blob(r, "x", &d, 0, collect, &got, &b->err), -ERR_TIMEOUT);
	buf_fini(&got);
	shutdown(fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(fd);
}

static void a_mirror_is_asked_first_and_may_fail(void **state)
{
	struct box *b = *state;
	const char *mirrors[] = { "http://127.0.0.1:9", NULL };
	struct remote_conf rc = { .host = b->host, .mirrors = mirrors, .nmirrors = 1, .tries = 1 };
	CLEANUP(remote_free) struct remote *r = NULL;
	char digest[IMAGE_DIGEST_MAX];
	struct remote_manifest m;
	struct remote_push p;

	push(b, "r", SLICE("{}"), 0, &p, digest);
	push_manifest(b, "r", "v1", manifest_of(b, NULL), digest);
	OK(b, remote_new(&rc, &r, &b->err));
	OK(b, remote_manifest(r, "r", "v1", b->a, &m, &b->err));
	assert_string_equal(m.digest, digest);
}

static void challenges_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *text;
		enum remote_auth_kind kind;
		const char *realm, *service, *scope;
	} v[] = {
		{ "Bearer "
		  "realm=\"https://auth/token\",service=\"svc\",scope=\"repository:a:pull,push\"",
		  AUTH_BEARER, "https://auth/token", "svc", "repository:a:pull,push" },
		{ "bearer realm = \"x\" , error=\"invalid_token\"", AUTH_BEARER, "x", NULL, NULL },
		{ "Basic realm=\"Registry Realm\"", AUTH_BASIC, "Registry Realm", NULL, NULL },
		{ "Basic realm=a, Bearer realm=\"b\",service=c", AUTH_BEARER, "b", "c", NULL },
		{ "Bearer realm=\"b\", Basic realm=\"a\"", AUTH_BEARER, "b", NULL, NULL },
		{ "Negotiate, Basic", AUTH_BASIC, NULL, NULL, NULL },
		{ "Bearer realm=\"a\\\"b\"", AUTH_BEARER, "a\"b", NULL, NULL },
		{ "Bearer", AUTH_NONE, NULL, NULL, NULL },
		{ "Bearer realm=\"open", AUTH_NONE, NULL, NULL, NULL },
		{ "", AUTH_NONE, NULL, NULL, NULL },
		{ "=", AUTH_NONE, NULL, NULL, NULL },
		{ "Digest realm=\"a\", nonce=\"b\"", AUTH_NONE, NULL, NULL, NULL },
	};
	struct arena *a = arena_new("test", 1u << 20);

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		struct challenge c;

		challenge_parse(a, slice_str(v[i].text), &c);
		assert_int_equal(c.kind, v[i].kind);
		assert_string_equal(c.realm ? c.realm : "", v[i].realm ? v[i].realm : "");
		assert_string_equal(c.service ? c.service : "", v[i].service ? v[i].service : "");
		assert_string_equal(c.scope ? c.scope : "", v[i].scope ? v[i].scope : "");
	}
	arena_free(a);
}

static void the_next_page_is_found_in_a_link(void **state)
{
	static const char *const v[][2] = {
		{ "</v2/a/tags/list?n=1&last=b>; rel=\"next\"", "/v2/a/tags/list?n=1&last=b" },
		{ "<x>; rel=prev, <y>; title=\"t\"; rel=next", "y" },
		{ "<x>", NULL },
		{ "<x; rel=\"next\"", NULL },
		{ "", NULL },
		{ "x; rel=next", NULL },
	};
	struct arena *a = arena_new("test", 1u << 20);

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		const char *got = remote_next_link(a, slice_str(v[i][0]));

		assert_string_equal(got ? got : "(none)", v[i][1] ? v[i][1] : "(none)");
	}
	arena_free(a);
}

/* Of what the registry serves; here since it has a store, a loop and blobs. */
static void a_collection_can_be_stopped_and_goes_on_later(void **state)
{
	struct box *b = *state;
	char digest[IMAGE_DIGEST_MAX];
	atomic_bool stop = true;
	struct content_gc gc = { .stop = &stop, .untagged = true };
	struct remote_push p;

	push(b, "a", SLICE("nobody wants it"), 0, &p, digest);
	OK(b, content_gc(registry_store(b->g), &gc, &b->err));
	assert_true(gc.stopped);
	assert_int_equal(gc.blobs, 0);
	assert_int_equal(remote_has_blob(b->r, "a", digest, &b->err), 1);
	atomic_store(&stop, false);
	OK(b, content_gc(registry_store(b->g), &gc, &b->err));
	assert_false(gc.stopped);
	assert_int_equal(gc.blobs, 1);
	assert_int_equal(remote_has_blob(b->r, "a", digest, &b->err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(blobs_go_there_and_come_back),
		T(a_part_of_a_blob_comes_alone),
		T(a_blob_of_another_size_or_place_is_an_error),
		T(a_blob_is_mounted_from_a_neighbour),
		T(manifests_are_named_by_what_they_are),
		T(many_tags_come_page_by_page),
		T(referrers_come_as_an_index),
		T(nobody_there_is_told_after_the_tries),
		T(a_server_that_falls_silent_is_given_up),
		T(a_mirror_is_asked_first_and_may_fail),
		T(a_collection_can_be_stopped_and_goes_on_later),
		cmocka_unit_test(challenges_are_read_as_they_are_written),
		cmocka_unit_test(the_next_page_is_found_in_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
