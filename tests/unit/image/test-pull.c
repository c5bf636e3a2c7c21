/* SPDX-License-Identifier: Apache-2.0 */
/* Pulls from a registry of our own in another process: whole images, what is refused, what is left
 * after failure, cancellation and kill -9. */
#include "far.h"
#include "image/pull.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>

static struct far far;

/* ---- help ---- */

struct heard {
	struct buf text; /* "id|status\n" */
	struct image_pull *cancel;
	const char *cancel_at;
	int kills; /* of the fetching process, each when first bytes of a layer have come */
	bool killed;
};

static bool is_fetching(pid_t pid)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (fd_read_file(AT_FDCWD, path, &b, NULL) < 0)
		return false;
	return b.n && memmem(b.p, b.n, "--role=fetch", 12) != NULL;
}

/* Of whatever thread it is the child. */
static void kill_fetching(void)
{
	struct dirent *de;
	DIR *tasks = opendir("/proc/self/task");

	assert_non_null(tasks);
	while ((de = readdir(tasks))) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);
		char path[300], *at;

		snprintf(path, sizeof(path), "/proc/self/task/%s/children", de->d_name);
		if (de->d_name[0] == '.' || fd_read_file(AT_FDCWD, path, &b, NULL) < 0)
			continue;
		at = (char *)(uintptr_t)buf_str(&b);
		for (pid_t pid; (pid = (pid_t)strtoul(at, &at, 10)) > 0;)
			if (is_fetching(pid))
				kill(pid, SIGKILL);
	}
	closedir(tasks);
}

static void on_progress(void *ctx, const struct image_transfer *t)
{
	struct heard *h = ctx;

	assert_true(!t->detail || t->current <= t->total);
	buf_addf(&h->text, "%s|%s\n", t->id, t->status);
	if (strcmp(t->status, "Retrying") == 0)
		h->killed = false;
	if (h->kills && !h->killed && t->current && strcmp(t->status, "Downloading") == 0) {
		h->kills--;
		h->killed = true;
		kill_fetching();
	}
	if (h->cancel_at && strcmp(t->status, h->cancel_at) == 0)
		image_pull_cancel(h->cancel);
}

static int pull_with(struct fix *f, struct image_pull_options *o, const char *tail, struct heard *h)
{
	CLEANUP(image_pull_free) struct image_pull *p = NULL;
	char ref[256];
	int r;

	snprintf(ref, sizeof(ref), "%s/%s", far.host, tail);
	o->ref = ref;
	if (h) {
		h->text = BUF_INIT(1u << 20);
		o->progress = on_progress;
		o->ctx = h;
	}
	f->err = ERR_INIT;
	r = image_pull_new(f->is, o, &p, &f->err);
	if (h)
		h->cancel = p;
	return r < 0 ? r : image_pull_run(p, &f->err);
}

static int pull(struct fix *f, const char *tail, struct heard *h)
{
	return pull_with(f, &(struct image_pull_options){ 0 }, tail, h);
}

static void assert_heard(const struct heard *h, const char *part)
{
	if (!strstr(buf_str(&h->text), part))
		fail_msg("'%s' was not said: %s", part, buf_str(&h->text));
}

static void assert_not_heard(const struct heard *h, const char *part)
{
	if (strstr(buf_str(&h->text), part))
		fail_msg("'%s' was said: %s", part, buf_str(&h->text));
}

static const char *full(struct fix *f, const char *tail)
{
	return arena_printf(f->arena, "%s/%s", far.host, tail);
}

struct three {
	struct tarball t[3];
	struct slice v[3];
};

static void three_layers(struct three *l)
{
	static char big[300000];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 2654435761u >> 13);
	l->v[0] = small_layer(&l->t[0], "base");
	tar_begin(&l->t[1]);
	tar_bytes(&l->t[1], "usr/big", big, sizeof(big)); /* usr/ is not told of */
	l->v[1] = tar_end(&l->t[1]);
	l->v[2] = small_layer(&l->t[2], "top");
}

static void drop_layers(struct three *l)
{
	for (size_t i = 0; i < 3; i++)
		buf_fini(&l->t[i].b);
}

/* ---- cases ---- */

static void an_image_comes_whole_with_its_names_and_blobs(void **state)
{
	struct fix *f = *state;
	struct far_image im = { .repo = "app", .ref = "1", .n = 3 };
	struct heard h = { 0 };
	struct image *img;
	struct strv tags, digests;
	struct three l;
	struct stat st;

	three_layers(&l);
	im.layers = l.v;
	far_image(&far, &im);
	OK(f, pull(f, "app:1", &h));
	OK(f, image_resolve(f->is, full(f, "app:1"), &img, &f->err));
	assert_string_equal(image_id(img), im.id);
	assert_string_equal(image_manifest_digest(img), im.digest);
	OK(f, image_names(f->is, img, f->arena, &tags, &digests, &f->err));
	assert_int_equal(tags.n, 1);
	assert_int_equal(digests.n, 1);
	assert_string_equal(digests.v[0], full(f, arena_printf(f->arena, "app@%s", im.digest)));
	image_unref(img);
	stat_in(f, full(f, "app:1"), "etc/name", &st);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(rows(f, "SELECT count(*) FROM blobs"), 5);
	assert_int_equal(rows(f, "SELECT count(*) FROM leases"), 0);
	assert_int_equal(count_names(f, "ingest"), 0);
	OK(f, image_blob_verify(f->is, im.digest, &f->err));
	assert_heard(&h, "1|Pulling from app\n");
	assert_heard(&h, "|Pulling fs layer\n");
	assert_heard(&h, "|Downloading\n");
	assert_heard(&h, "|Verifying Checksum\n");
	assert_heard(&h, "|Download complete\n");
	assert_heard(&h, "|Extracting\n");
	assert_heard(&h, "|Pull complete\n");
	assert_heard(&h, arena_printf(f->arena, "|Digest: %s\n", im.digest));
	assert_heard(&h, arena_printf(f->arena, "|Status: Downloaded newer image for %s\n",
				      full(f, "app:1")));
	buf_fini(&h.text);
	/* Again: nothing comes. */
	OK(f, pull(f, "app:1", &h));
	assert_heard(&h, "|Already exists\n");
	assert_heard(&h, "|Status: Image is up to date for ");
	assert_not_heard(&h, "|Downloading\n");
	buf_fini(&h.text);
	/* By digest too. */
	OK(f, pull(f, arena_printf(f->arena, "app@%s", im.digest), NULL));
	assert_int_equal(image_count(f->is), 1);
	drop_layers(&l);
}

static void common_layers_come_once(void **state)
{
	struct fix *f = *state;
	struct far_image one = { .repo = "shared", .ref = "1", .n = 2 },
			 two = { .repo = "shared", .ref = "2", .n = 3 };
	struct heard h = { 0 };
	struct three l;

	three_layers(&l);
	one.layers = two.layers = l.v;
	far_image(&far, &one);
	far_image(&far, &two);
	OK(f, pull(f, "shared:1", NULL));
	OK(f, pull(f, "shared:2", &h));
	assert_heard(&h, "|Already exists\n");
	assert_heard(&h, "|Pull complete\n");
	assert_int_equal(rows(f, "SELECT count(*) FROM layers"), 3);
	buf_fini(&h.text);
	/* An image that is moved by its tag leaves the old one dangling. */
	two.ref = "1";
	far_image(&far, &two);
	OK(f, pull(f, "shared:1", &h));
	assert_heard(&h, "Downloaded newer image");
	assert_int_equal(image_count(f->is), 2);
	buf_fini(&h.text);
	drop_layers(&l);
}

/* Loaded from an archive, the layer is here but not the registry's blob of it. */
static void a_loaded_layer_gets_the_registrys_blob(void **state)
{
	struct fix *f = *state;
	struct far_image im = { .repo = "loaded", .ref = "1", .n = 2 };
	struct image *img;
	struct tarball t;
	struct three l;

	three_layers(&l);
	im.layers = l.v;
	far_image(&far, &im);
	OK(f, load(f, docker_archive(&t, "[\"here:1\"]", l.v, 2), NULL));
	OK(f, pull(f, "loaded:1", NULL));
	assert_int_equal(rows(f, "SELECT count(*) FROM layers"), 2);
	OK(f, image_resolve(f->is, full(f, "loaded:1"), &img, &f->err));
	OK(f, image_blob_verify(f->is, image_manifest_digest(img), &f->err));
	assert_string_equal(image_manifest_digest(img), im.digest);
	image_unref(img);
	buf_fini(&t.b);
	drop_layers(&l);
}

static void all_tags_come(void **state)
{
	struct fix *f = *state;
	struct far_image im = { .repo = "many", .n = 1 };
	struct image_pull_options o = { .all_tags = true };
	struct three l;

	three_layers(&l);
	im.layers = l.v;
	im.ref = "a";
	far_image(&far, &im);
	im.ref = "b";
	far_image(&far, &im);
	OK(f, pull_with(f, &o, "many", NULL));
	assert_int_equal(rows(f, "SELECT count(*) FROM refs"), 2);
	assert_true(pull_with(f, &o, "many:a", NULL) < 0);
	assert_err(&f->err, ERR_BAD_REQUEST, "--all-tags");
	drop_layers(&l);
}

static const char *entry(struct fix *f, const struct far_image *im, const char *os,
			 const char *arch)
{
	return arena_printf(f->arena,
			    "{\"mediaType\":\"" MEDIA_OCI_MANIFEST
			    "\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"%s\","
			    "\"architecture\":\"%s\"}}",
			    im->digest, im->size, os, arch);
}

static void an_index_gives_the_platforms_image(void **state)
{
	struct fix *f = *state;
	struct far_image one = { .repo = "multi", .ref = "one", .n = 1 },
			 two = { .repo = "multi", .ref = "two", .n = 2 };
	struct image_pull_options o = { .platform = "linux/s390x" };
	char digest[IMAGE_DIGEST_MAX];
	struct image *img;
	struct three l;

	three_layers(&l);
	one.layers = two.layers = l.v;
	far_image(&far, &one);
	far_image(&far, &two);
	far_manifest(&far, "multi", "idx", MEDIA_OCI_INDEX,
		     arena_printf(f->arena,
				  "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX
				  "\",\"manifests\":[%s,%s]}",
				  entry(f, &one, "linux", "s390x"),
				  entry(f, &two, "linux", manifest_host_platform + 6)),
		     digest);
	OK(f, pull(f, "multi:idx", NULL));
	OK(f, image_resolve(f->is, full(f, arena_printf(f->arena, "multi@%s", digest)), &img,
			    &f->err));
	assert_string_equal(image_id(img), two.id);
	image_unref(img);
	OK(f, image_blob_verify(f->is, digest, &f->err));
	OK(f, pull_with(f, &o, "multi:idx", NULL));
	OK(f, image_resolve(f->is, full(f, "multi:idx"), &img, &f->err));
	assert_string_equal(image_id(img), two.id);
	image_unref(img);
	OK(f, image_resolve_platform(f->is, full(f, "multi:idx"), "linux/s390x", &img, &f->err));
	assert_string_equal(image_id(img), one.id);
	image_unref(img);
	o.platform = "linux/riscv64";
	assert_true(pull_with(f, &o, "multi:idx", NULL) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "linux/s390x");
	o.platform = "plan9/386";
	assert_true(pull_with(f, &o, "multi:idx", NULL) < 0);
	assert_err(&f->err, ERR_BAD_REQUEST, "only linux");
	drop_layers(&l);
}

static void refused(struct fix *f, struct far_image *im, enum err_code code, const char *part)
{
	im->repo = "bad";
	im->ref = "1";
	far_image(&far, im);
	assert_true(pull(f, "bad:1", NULL) < 0);
	assert_err(&f->err, code, part);
	assert_empty(f);
}

static void what_is_no_image_or_lies_leaves_nothing(void **state)
{
	struct fix *f = *state;
	struct three l;

	three_layers(&l);
	refused(f, &(struct far_image){ .layers = l.v, .n = 1, .lies = l.v[1] }, ERR_INVALID,
		"the config says");
	refused(f, &(struct far_image){ .layers = l.v, .n = 1, .config_media = "a/thing" },
		ERR_UNSUPPORTED, "'a/thing', so it is an artifact");
	refused(f, &(struct far_image){ .layers = l.v, .n = 2, .layer_media = "a/layer" },
		ERR_UNSUPPORTED, "layer 1 is of type 'a/layer'");
	refused(f, &(struct far_image){ .layers = l.v, .n = 1, .platform_os = "plan9" },
		ERR_UNSUPPORTED, "plan9");
	assert_true(pull(f, "nothere:1", NULL) < 0);
	assert_err(&f->err, ERR_NOT_FOUND, "/nothere:1 not found");
	assert_true(pull(f, "UPPER:1", NULL) < 0);
	assert_err(&f->err, ERR_BAD_REQUEST, "lowercase");
	assert_empty(f);
	drop_layers(&l);
}

static void limits_hold(void **state)
{
	struct fix *f = *state;
	struct three l;

	three_layers(&l);
	image_store_close(f->is);
	f->limits = (struct image_limits){ .layers_max = 2 };
	open_store(f);
	refused(f, &(struct far_image){ .layers = l.v, .n = 3 }, ERR_TOO_LARGE, "3 layers");
	image_store_close(f->is);
	f->limits = (struct image_limits){ .layer_max = 100000 };
	open_store(f);
	refused(f, &(struct far_image){ .layers = l.v, .n = 3 }, ERR_TOO_LARGE, "limit of 100000");
	image_store_close(f->is);
	f->limits = (struct image_limits){ .total_max = 305000 };
	open_store(f);
	refused(f, &(struct far_image){ .layers = l.v, .n = 3 }, ERR_TOO_LARGE, "limit of 305000");
	image_store_close(f->is);
	f->limits = (struct image_limits){ .input_max = 500 };
	open_store(f);
	refused(f, &(struct far_image){ .layers = l.v, .n = 3 }, ERR_TOO_LARGE, "limit of 500");
	drop_layers(&l);
}

static void a_cancelled_pull_leaves_nothing(void **state)
{
	static const char *const at[] = { "Pulling fs layer", "Download complete" };
	struct fix *f = *state;
	struct far_image im = { .repo = "stop", .ref = "1", .n = 3 };
	struct three l;

	three_layers(&l);
	im.layers = l.v;
	far_image(&far, &im);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct image_pull_options o = { .parallel = 1 };
		struct heard h = { .cancel_at = at[i] };

		assert_true(pull_with(f, &o, "stop:1", &h) < 0);
		assert_err(&f->err, ERR_UNAVAILABLE, "cancel");
		assert_empty(f);
		buf_fini(&h.text);
	}
	drop_layers(&l);
}

static void push_steps(void)
{
	struct far_image im = { .repo = "steps", .ref = "1", .n = 2 };
	struct three l;

	three_layers(&l);
	im.layers = l.v;
	far_image(&far, &im);
	drop_layers(&l);
}

/* One layer of 6 MiB that nothing makes smaller. */
static void push_big(const char *repo)
{
	enum { SIZE = 6 << 20 };
	struct far_image im = { .repo = repo, .ref = "1", .n = 1 };
	char *big = test_malloc(SIZE);
	struct tarball t;
	struct slice tar;
	uint32_t x = 1;

	for (size_t i = 0; i < SIZE; i++)
		big[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
	tar_begin(&t);
	tar_bytes(&t, "big", big, SIZE);
	tar = tar_end(&t);
	im.layers = &tar;
	far_image(&far, &im);
	buf_fini(&t.b);
	test_free(big);
}

/* Its last bytes cannot have been sent when the first ones are here: pipes are smaller. */
static void a_pull_outlives_its_fetching_process(void **state)
{
	struct fix *f = *state;
	struct image_pull_options o = { .parallel = 1 };
	struct heard twice = { .kills = 2 }, always = { .kills = 1000 };

	push_big("dies");
	assert_true(pull_with(f, &o, "dies:1", &always) < 0);
	assert_err(&f->err, ERR_UNAVAILABLE, "ended by signal 9");
	assert_int_equal(always.kills, 1000 - 3);
	assert_empty(f);
	OK(f, pull_with(f, &o, "dies:1", &twice));
	assert_int_equal(twice.kills, 0);
	assert_heard(&twice, "|Retrying\n");
	assert_true(is_in(f, full(f, "dies:1"), "big"));
	assert_int_equal(count_names(f, "ingest"), 0);
	buf_fini(&twice.text);
	buf_fini(&always.text);
}

/* In a process of its own: 0, or which step went wrong; 77: no mounts here. */
static int pull_on_small_disk(struct fix *f)
{
	const struct image_store_options so = { .root = f->dir };

	loop_free(f->loop);
	f->loop = NULL;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", f->dir, "tmpfs", 0, "size=9m") < 0)
		return 77;
	open_store(f);
	if (pull(f, "steps:1", NULL) < 0)
		return 1;
	if (pull(f, "toobig:1", NULL) >= 0 || f->err.sys != ENOSPC ||
	    !strstr(f->err.msg, "No space left"))
		return 2;
	if (image_count(f->is) != 1 || count_names(f, "ingest") ||
	    !is_in(f, full(f, "steps:1"), "usr/big"))
		return 3;
	image_store_close(f->is);
	if (mount(f->dir, f->dir, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, f->dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return 4;
	f->err = ERR_INIT;
	if (image_store_open(&so, &f->is, &f->err) >= 0 || !strstr(f->err.msg, "ead-only"))
		return 5;
	if (umount2(f->dir, MNT_DETACH) < 0)
		return 6;
	open_store(f);
	return is_in(f, full(f, "steps:1"), "usr/big") ? 0 : 7;
}

static void full_and_read_only_disks_are_told_and_lose_nothing(void **state)
{
	struct fix *f = *state;
	int status;
	pid_t pid;

	push_steps();
	push_big("toobig");
	pid = fork();
	if (pid == 0) {
		int r = pull_on_small_disk(f);

		if (r)
			fprintf(stderr, "step %d: %s\n", r, f->err.msg);
		_exit(r);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* ---- at any step ---- */

struct plan {
	unsigned at, seen;
	bool kill;
};

static int on_step(void *ctx, const char *name)
{
	struct plan *p = ctx;

	(void)name;
	if (++p->seen != p->at)
		return 0;
	if (p->kill)
		kill(getpid(), SIGKILL);
	return -1;
}

static int pull_planned(struct fix *f, struct plan *p)
{
	struct image_pull_options o = { .parallel = 1 };
	int r;

	f->step = on_step;
	f->step_ctx = p;
	open_store(f);
	r = pull_with(f, &o, "steps:1", NULL);
	image_store_close(f->is);
	f->is = NULL;
	f->step = NULL;
	return r;
}

static void a_failure_at_any_step_changes_nothing(void **state)
{
	struct fix *f = *state;
	struct plan p = { 0 };
	int r = -1;

	push_steps();
	image_store_close(f->is);
	for (p.at = 1; r < 0 && p.at < 100; p.at++) {
		p.seen = 0;
		r = pull_planned(f, &p);
		open_store(f);
		if (r >= 0)
			break;
		assert_err(&f->err, ERR_SYSTEM, "stopped before step");
		assert_empty(f);
		image_store_close(f->is);
	}
	assert_true(p.at > 10);
	assert_int_equal(image_count(f->is), 1);
}

static void kill_9_at_any_step_leaves_a_whole_store(void **state)
{
	struct fix *f = *state;
	unsigned at;
	int status = 0;

	push_steps();
	image_store_close(f->is);
	for (at = 1; at < 100; at++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct plan p = { .at = at, .kill = true };

			loop_free(f->loop);
			f->loop = NULL;
			_exit(pull_planned(f, &p) < 0 ? 1 : 0);
		}
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status))
			break;
		open_store(f); /* collects what the dead one left */
		assert_empty(f);
		image_store_close(f->is);
	}
	assert_int_equal(status, 0);
	assert_true(at > 10);
	open_store(f);
	assert_int_equal(image_count(f->is), 1);
	assert_true(is_in(f, full(f, "steps:1"), "usr/big"));
}

static void the_configuration_of_registries_is_checked(void **state)
{
	const char *good[] = { "reg.example:5000", "10.0.0.0/8", "::1" }, *bad[] = { "a b" },
		   *mirrors[] = { "https://mirror.example:5000/hub" }, *no[] = { "mirror.example" };
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(image_remotes_check(&(struct image_remotes){ .insecure = good,
								      .ninsecure = 3,
								      .mirrors = mirrors,
								      .nmirrors = 1 },
					     &err),
			 0);
	assert_int_equal(image_remotes_check(
				 &(struct image_remotes){ .insecure = bad, .ninsecure = 1 }, &err),
			 -ERR_BAD_REQUEST);
	assert_err(&err, ERR_BAD_REQUEST, "'a b'");
	assert_int_equal(
		image_remotes_check(&(struct image_remotes){ .mirrors = no, .nmirrors = 1 }, &err),
		-ERR_BAD_REQUEST);
	assert_err(&err, ERR_BAD_REQUEST, "'mirror.example'");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(an_image_comes_whole_with_its_names_and_blobs),
		T(common_layers_come_once),
		T(a_loaded_layer_gets_the_registrys_blob),
		T(all_tags_come),
		T(an_index_gives_the_platforms_image),
		T(what_is_no_image_or_lies_leaves_nothing),
		T(limits_hold),
		T(a_cancelled_pull_leaves_nothing),
		T(a_pull_outlives_its_fetching_process),
		T(full_and_read_only_disks_are_told_and_lose_nothing),
		T(a_failure_at_any_step_changes_nothing),
		T(kill_9_at_any_step_leaves_a_whole_store),
		cmocka_unit_test(the_configuration_of_registries_is_checked),
	};
	int r;

	HELPER_MAIN(argc, argv);
	far_open(&far);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	far_close(&far);
	return r;
}
