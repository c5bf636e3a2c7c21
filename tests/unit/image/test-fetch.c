/* SPDX-License-Identifier: Apache-2.0 */
/* The fenced process that talks with registries: what it does, how it is fenced, and what is made
 * of one that dies or lies. */
#include "base/frame.h"
#include "far.h"

#include <errno.h>
#include <sys/auxv.h>

static struct far far;

/* ---- a process that lies: this program under another name ---- */

static void lie(int sock, enum fetch_frame type, const void *p, size_t n)
{
	(void)frame_send(sock, FETCH_VERSION, (uint16_t)type, 0, p, n, NULL, 0, NULL);
}

static void lie_result(int sock, const char *digest, const char *text)
{
	static unsigned char room[2 * FETCH_TEXT_MAX];
	struct wire_out o = { .p = room, .cap = sizeof(room) };
	struct fetch_answer x = { 0 };

	strcpy(x.digest, digest);
	strcpy(x.text, text);
	fetch_put_result(&o, 0, NULL, &x);
	lie(sock, FETCH_RESULT, room, o.n);
}

static void lie_once(const char *how, int sock)
{
	const char *digest =
		"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

	if (strcmp(how, "manifest") == 0) {
		lie(sock, FETCH_DATA, "[]", 2);
		lie_result(sock, digest, "a/b");
	} else if (strcmp(how, "blob") == 0) {
		lie(sock, FETCH_DATA, "0123456789", 10);
		lie_result(sock, "", "");
	} else if (strcmp(how, "short") == 0) {
		lie(sock, FETCH_DATA, "01", 2);
		lie_result(sock, "", "");
	} else if (strcmp(how, "frame") == 0) {
		lie(sock, FETCH_CALL, "x", 1);
	} else if (strcmp(how, "result") == 0) {
		lie(sock, FETCH_RESULT, "junk", 4);
	} else if (strcmp(how, "names") == 0) {
		lie(sock, FETCH_DATA, "a\0b\0c\0d", 8);
		lie_result(sock, "", "");
	}
}

static int liar_main(const char *how)
{
	static unsigned char room[FRAME_PAYLOAD_MAX];
	struct frame fr;

	while (frame_recv(FETCH_CONTROL, room, sizeof(room), &fr, NULL) > 0) {
		if (fr.head.type == FETCH_CALL)
			lie_once(how, fr.fds[0]);
		frame_fini(&fr);
	}
	return 0;
}

static void with_liar(struct fix *f, const char *how, struct remote **ret)
{
	struct remote_conf rc = { .host = far.host, .tries = 1 };
	char self[256] = { 0 };

	rc.program = arena_printf(f->arena, "%s/liar-%s", f->dir, how);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(symlink(self, rc.program), 0);
	OK(f, remote_new(&rc, ret, &f->err));
}

/* ---- help ---- */

static struct remote *fetching(struct fix *f, const atomic_bool *cancel)
{
	struct remote_conf rc = {
		.host = far.host, .tries = 2, .program = "/proc/self/exe", .cancel = cancel
	};
	struct remote *r;

	OK(f, remote_new(&rc, &r, &f->err));
	return r;
}

static int collect(void *ctx, struct slice bytes, struct err *err)
{
	return buf_add(ctx, bytes.p, bytes.n) < 0 ? err_set(err, ERR_TOO_LARGE, "too much") : 0;
}

static void assert_failed(struct fix *f, int r, enum err_code code, const char *part)
{
	assert_int_equal(r, -(int)code);
	if (!strstr(f->err.msg, part))
		fail_msg("'%s' is not in: %s", part, f->err.msg);
}

/* The process that serves the remote: the only child but the registry. */
static pid_t child_of_ours(void)
{
	char text[512] = { 0 }, *at = text;
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	for (;;) {
		pid_t pid = (pid_t)strtoul(at, &at, 10);

		if (pid != far.pid)
			return pid;
	}
}

static void assert_status(pid_t pid, const char *line)
{
	char path[64], text[4096] = { 0 };
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	if (!strstr(text, line))
		fail_msg("'%s' is not in: %s", line, text);
}

/* ---- cases ---- */

static void the_process_does_all_calls(void **state)
{
	struct fix *f = *state;
	struct remote *r = fetching(f, NULL);
	static char big[300000];
	struct slice bytes = slice_of(big, sizeof(big)), index;
	struct remote_push p = { .repo = "calls", .size = bytes.n, .produce = far_produce };
	struct manifest_desc d = { .size = (int64_t)bytes.n };
	char digest[IMAGE_DIGEST_MAX], have[IMAGE_DIGEST_MAX];
	struct buf got = BUF_INIT(1u << 20);
	struct remote_manifest m;
	const char *text, *identity;
	struct strs names;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 2654435761u >> 11);
	OK(f, remote_login(r, f->arena, &identity, &f->err));
	assert_null(identity);
	image_digest_of(bytes.p, bytes.n, digest);
	p.digest = d.digest = digest;
	p.ctx = &bytes;
	assert_int_equal(remote_has_blob(r, "calls", digest, &f->err), 0);
	OK(f, remote_push_blob(r, &p, &f->err));
	assert_false(p.existed);
	OK(f, remote_push_blob(r, &p, &f->err));
	assert_true(p.existed);
	p.repo = "calls2";
	p.mount_from = "calls";
	OK(f, remote_push_blob(r, &p, &f->err));
	assert_true(p.mounted);
	OK(f, remote_blob(r, "calls", &d, 0, collect, &got, &f->err));
	assert_int_equal(got.n, sizeof(big));
	assert_memory_equal(got.p, big, sizeof(big));
	buf_clear(&got);
	OK(f, remote_range(r, "calls", digest, 1000, 2000, collect, &got, &f->err));
	assert_int_equal(got.n, 2000);
	assert_memory_equal(got.p, big + 1000, 2000);
	text = arena_printf(f->arena,
			    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST
			    "\",\"config\":{\"mediaType\":\"a/b\",\"digest\":\"%s\",\"size\":%zu},"
			    "\"layers\":[]}",
			    digest, sizeof(big));
	OK(f, remote_push_manifest(r, "calls", "v1", MEDIA_OCI_MANIFEST, slice_str(text), have,
				   &f->err));
	OK(f, remote_manifest(r, "calls", "v1", f->arena, &m, &f->err));
	assert_string_equal(m.digest, have);
	assert_string_equal(m.media, MEDIA_OCI_MANIFEST);
	assert_true(slice_is(m.bytes, text));
	OK(f, remote_head(r, "calls", have, f->arena, &m, &f->err));
	assert_int_equal(m.size, strlen(text));
	OK(f, remote_tags(r, "calls", f->arena, 10, &names, &f->err));
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "v1");
	assert_failed(f, remote_tags(r, "calls", f->arena, 0, &names, &f->err), ERR_TOO_LARGE,
		      "more than 0 entries");
	OK(f, remote_catalog(r, f->arena, 100, &names, &f->err));
	assert_int_equal(names.n, 2);
	OK(f, remote_referrers(r, "calls", have, NULL, f->arena, &index, &f->err));
	assert_true(index.n > 0);
	OK(f, remote_delete_manifest(r, "calls", have, &f->err));
	assert_failed(f, remote_manifest(r, "calls", "v1", f->arena, &m, &f->err), ERR_NOT_FOUND,
		      "404");
	buf_fini(&got);
	remote_free(r);
}

static void a_blob_flows_into_a_pipe(void **state)
{
	struct fix *f = *state;
	struct remote *r = fetching(f, NULL);
	struct slice bytes = SLICE("what flows");
	struct remote_flow *flow;
	char digest[IMAGE_DIGEST_MAX], got[64];
	struct manifest_desc d = { .digest = digest, .size = (int64_t)bytes.n };
	int ends[2];

	far_blob(&far, "flow", bytes, digest);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	OK(f, remote_blob_begin(r, "flow", &d, 5, ends[1], &flow, &f->err));
	assert_int_equal(fd_read_full(ends[0], got, sizeof(got)), 5);
	OK(f, remote_blob_finish(flow, &f->err));
	assert_memory_equal(got, "flows", 5);
	close(ends[0]);
	/* A reader that leaves ends it. */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	OK(f, remote_blob_begin(r, "flow", &d, 0, ends[1], &flow, &f->err));
	assert_true(remote_blob_finish(flow, &f->err) < 0);
	assert_int_equal(f->err.sys, EPIPE);
	remote_free(r);
}

static void the_process_is_fenced_in(void **state)
{
	struct fix *f = *state;
	struct remote *r = fetching(f, NULL);
	const char *identity;
	char path[64];
	struct stat st;
	pid_t pid;

	OK(f, remote_login(r, f->arena, &identity, &f->err));
	pid = child_of_ours();
	if (geteuid() == 0)
		assert_status(pid, "Uid:\t61902\t61902\t61902\t61902\n");
	assert_status(pid, "CapEff:\t0000000000000000\n");
	assert_status(pid, "CapPrm:\t0000000000000000\n");
	assert_status(pid, "NoNewPrivs:\t1\n");
	assert_status(pid, "Seccomp:\t2\n");
	/* Nothing of ours but the control socket. */
	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		if (fd == 2 || stat(path, &st) < 0)
			continue;
		if (fd == FETCH_CONTROL)
			assert_true(S_ISSOCK(st.st_mode));
		else
			assert_false(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
	}
	remote_free(r);
	assert_int_equal(kill(pid, 0), -1); /* and waited for */
}

static void a_process_that_dies_is_an_error_once(void **state)
{
	struct fix *f = *state;
	struct remote *r = fetching(f, NULL);
	struct manifest_desc d = { .size = 5 };
	struct remote_flow *flow;
	char digest[IMAGE_DIGEST_MAX];
	const char *identity;
	int ends[2];

	far_blob(&far, "death", SLICE("bytes"), digest);
	d.digest = digest;
	OK(f, remote_login(r, f->arena, &identity, &f->err));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	kill(child_of_ours(), SIGSTOP);
	OK(f, remote_blob_begin(r, "death", &d, 0, ends[1], &flow, &f->err));
	kill(child_of_ours(), SIGKILL);
	assert_failed(f, remote_blob_finish(flow, &f->err), ERR_UNAVAILABLE, "ended by signal 9");
	close(ends[0]);
	f->err = ERR_INIT;
	OK(f, remote_login(r, f->arena, &identity, &f->err)); /* by another one */
	remote_free(r);
}

static void a_cancelled_call_ends_the_process(void **state)
{
	struct fix *f = *state;
	atomic_bool cancel = false;
	struct remote *r = fetching(f, &cancel);
	const char *identity;
	pid_t pid;

	OK(f, remote_login(r, f->arena, &identity, &f->err));
	pid = child_of_ours();
	kill(pid, SIGSTOP);
	atomic_store(&cancel, true);
	assert_failed(f, remote_login(r, f->arena, &identity, &f->err), ERR_UNAVAILABLE,
		      "cancelled");
	assert_int_equal(kill(pid, 0), -1);
	remote_free(r);
}

static void what_a_process_says_is_not_believed(void **state)
{
	struct fix *f = *state;
	struct manifest_desc d = {
		.digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
		.size = 5
	};
	struct buf got = BUF_INIT(1u << 20);
	struct remote_manifest m;
	struct remote *r;
	struct strs names;

	with_liar(f, "manifest", &r);
	assert_failed(f, remote_manifest(r, "x", "v1", f->arena, &m, &f->err), ERR_INVALID,
		      "do not have the digest");
	remote_free(r);
	with_liar(f, "blob", &r);
	assert_failed(f, remote_blob(r, "x", &d, 0, collect, &got, &f->err), ERR_INVALID,
		      "more bytes come");
	assert_failed(f, remote_has_blob(r, "x", d.digest, &f->err), ERR_BAD_REQUEST,
		      "nobody asked for");
	remote_free(r);
	with_liar(f, "short", &r);
	assert_failed(f, remote_blob(r, "x", &d, 0, collect, &got, &f->err), ERR_INVALID,
		      "its bytes have the digest");
	assert_failed(f, remote_range(r, "x", d.digest, 3, 5, collect, &got, &f->err), ERR_INVALID,
		      "comes short");
	remote_free(r);
	with_liar(f, "frame", &r);
	assert_failed(f, remote_has_blob(r, "x", d.digest, &f->err), ERR_BAD_REQUEST,
		      "may be hostile");
	remote_free(r);
	with_liar(f, "result", &r);
	assert_failed(f, remote_has_blob(r, "x", d.digest, &f->err), ERR_BAD_REQUEST,
		      "no valid form");
	remote_free(r);
	with_liar(f, "names", &r);
	assert_failed(f, remote_tags(r, "x", f->arena, 3, &names, &f->err), ERR_TOO_LARGE,
		      "more than 3 entries");
	OK(f, remote_tags(r, "x", f->arena, 4, &names, &f->err));
	assert_int_equal(names.n, 4);
	remote_free(r);
	buf_fini(&got);
}

static void a_program_that_is_not_there_is_told(void **state)
{
	struct fix *f = *state;
	struct remote_conf rc = { .host = far.host, .program = "/nowhere/teu" };
	const char *identity;
	struct remote *r;

	OK(f, remote_new(&rc, &r, &f->err));
	assert_failed(f, remote_login(r, f->arena, &identity, &f->err), ERR_UNAVAILABLE,
		      "ended with status 127");
	remote_free(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(the_process_does_all_calls),
		T(a_blob_flows_into_a_pipe),
		T(the_process_is_fenced_in),
		T(a_process_that_dies_is_an_error_once),
		T(a_cancelled_call_ends_the_process),
		T(what_a_process_says_is_not_believed),
		T(a_program_that_is_not_there_is_told),
	};
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	const char *liar = strstr(name, "/liar-");
	int r;

	if (liar)
		return liar_main(liar + strlen("/liar-"));
	HELPER_MAIN(argc, argv);
	far_open(&far);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	far_close(&far);
	return r;
}
