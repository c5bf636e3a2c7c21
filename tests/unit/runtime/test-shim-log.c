/* SPDX-License-Identifier: Apache-2.0 */
/* The json-file log: lines, pieces, escapes, rotation, reading back, a disk that is full. */
#include "rt-check.h"

#include "runtime/shim-private.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[SHIM_SCRATCH];

struct place {
	char dir[32];
	int dirfd;
	struct shim_logger log;
	struct buf text;
};

static int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	str_copy(p->dir, sizeof(p->dir), "/tmp/teu-log-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->dirfd = openat(AT_FDCWD, p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->text = BUF_INIT(64u << 20);
	p->log = (struct shim_logger){ .fd = -1, .dirfd = -1 };
	*state = p;
	return 0;
}

static int place_teardown(void **state)
{
	struct place *p = *state;

	shim_logger_fini(&p->log);
	fd_close(p->dirfd);
	buf_fini(&p->text);
	(void)fd_remove_tree(AT_FDCWD, p->dir, NULL);
	free(p);
	return 0;
}

static void start(struct place *p, uint64_t max_size, uint32_t max_files, const char *attrs)
{
	const struct shim_create c = { .log_max_size = max_size,
				       .log_max_files = max_files,
				       .log_name = SLICE("log"),
				       .log_attrs = slice_str(attrs) };
	struct err err;

	assert_ok(shim_logger_open(&p->log, &c, p->dirfd, &err));
}

static void say(struct place *p, int stream, const char *text)
{
	shim_logger_write(&p->log, stream, text, strlen(text), scratch, sizeof(scratch));
}

static const char *file(struct place *p, const char *name)
{
	struct err err = ERR_INIT;

	buf_clear(&p->text);
	if (fd_read_file(p->dirfd, name, &p->text, &err) < 0)
		return "";
	return buf_str(&p->text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void collect(void *arg, int stream, const char *text, size_t n)
{
	(void)stream;
	assert_int_equal(buf_add(arg, text, n), 0);
}

static const char *replayed(struct place *p)
{
	struct shim_log_reader r;

	buf_clear(&p->text);
	shim_log_reader_open(&p->log, &r);
	while (shim_log_reader_step(&p->log, &r, scratch, sizeof(scratch), collect, &p->text))
		;
	shim_log_reader_close(&r);
	return buf_str(&p->text);
}

static void a_line_is_one_record_however_it_came(void **state)
{
	struct place *p = *state;
	const char *t;

	start(p, 0, 1, "");
	say(p, 1, "one\ntw");
	say(p, 2, "other\n");
	assert_null(strstr(file(p, "log"), "tw"));
	say(p, 1, "o\nthree");
	t = file(p, "log");
	assert_int_equal(count(t, "\n"), 3);
	assert_words(t, "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2");
	assert_words(t, "{\"log\":\"other\\n\",\"stream\":\"stderr\",\"time\":\"2");
	assert_words(t, "{\"log\":\"two\\n\",\"stream\":\"stdout\"");
	shim_logger_end(&p->log, 1, scratch, sizeof(scratch));
	assert_words(file(p, "log"), "{\"log\":\"three\",\"stream\":\"stdout\"");
	shim_logger_end(&p->log, 1, scratch, sizeof(scratch));
	assert_int_equal(count(file(p, "log"), "three"), 1);
	assert_string_equal(replayed(p), "one\nother\ntwo\nthree");
}

static void characters_split_by_reads_stay_whole_and_bad_ones_are_replaced(void **state)
{
	struct place *p = *state;
	const char *t;

	start(p, 0, 1, "");
	say(p, 1, "a\xe2\x82");
	say(p, 1, "\xac\"\\\b\t\r\x7f\n");
	say(p, 1, "\xff\xc0\x80\xed\xa0\x80 \xf4\x90\x80\x80\n");
	t = file(p, "log");
	assert_words(t, "\"a\xe2\x82\xac\\\"\\\\\\u0008\\t\\r\\u007f\\n\"");
	assert_words(t, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd "
			"\\ufffd\\ufffd\\ufffd\\ufffd\\n\"");
	assert_true(strncmp(replayed(p), "a\xe2\x82\xac\"\\\b\t\r\x7f\n\xef\xbf\xbd", 14) == 0);
}

static void long_lines_come_in_pieces_of_16_kib(void **state)
{
	struct place *p = *state;
	CLEANUP_FREE char *line = malloc(40001);
	struct shim_log_reader r;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(1u << 20);

	start(p, 0, 1, "{\"tag\":\"x\"}");
	memset(line, '\1', 40000); /* the worst to escape */
	line[40000] = '\n';
	for (size_t at = 0; at < 40001; at += 1000)
		shim_logger_write(&p->log, 1, line + at, MIN((size_t)1000, 40001 - at), scratch,
				  sizeof(scratch));
	assert_int_equal(count(file(p, "log"), "\n"), 3);
	assert_int_equal(count(file(p, "log"), "\"attrs\":{\"tag\":\"x\"},\"time\""), 3);
	shim_log_reader_open(&p->log, &r);
	while (shim_log_reader_step(&p->log, &r, scratch, sizeof(scratch), collect, &got))
		;
	assert_int_equal(got.n, 40001);
	assert_memory_equal(got.p, line, 40001);
	/* exactly one piece, then a newline of its own */
	shim_logger_write(&p->log, 2, line, 16384, scratch, sizeof(scratch));
	say(p, 2, "\n");
	assert_int_equal(count(file(p, "log"), "{\"log\":\"\\n\",\"stream\":\"stderr\""), 1);
}

static void files_rotate_by_size_and_the_oldest_goes(void **state)
{
	struct place *p = *state;
	char line[32];

	start(p, 300, 3, "");
	for (int i = 0; i < 40; i++) {
		(void)snprintf(line, sizeof(line), "line %02d\n", i);
		say(p, 1, line);
	}
	assert_words(file(p, "log"), "line 39");
	assert_true(strlen(file(p, "log")) < 400);
	assert_true(*file(p, "log.1") && *file(p, "log.2"));
	assert_string_equal(file(p, "log.3"), "");
	assert_words(replayed(p), "line 38\nline 39\n");
	assert_null(strstr(replayed(p), "line 00"));
}

static void one_read_of_many_lines_rotates_within(void **state)
{
	struct place *p = *state;
	char text[2000] = "";

	start(p, 1000, 4, "");
	for (int i = 0; i < 100; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d\n", i);
	say(p, 1, text);
	assert_true(strlen(file(p, "log.1")) < 1100);
	assert_words(file(p, "log"), "\"99\\n\"");
}

static void the_only_file_is_cut_when_the_next_line_comes(void **state)
{
	struct place *p = *state;

	start(p, 10, 1, "");
	say(p, 1, "first\n");
	assert_words(file(p, "log"), "first");
	say(p, 1, "second\n");
	assert_words(file(p, "log"), "second");
	assert_null(strstr(file(p, "log"), "first"));
}

static void a_reader_follows_rotation(void **state)
{
	struct place *p = *state;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(1u << 20);
	struct shim_log_reader r;
	char line[32];

	start(p, 200, 10, "");
	for (int i = 0; i < 4; i++)
		say(p, 1, "before\n");
	shim_log_reader_open(&p->log, &r);
	for (int i = 0;; i++) {
		if (i < 10) {
			(void)snprintf(line, sizeof(line), "during %d\n", i);
			say(p, 1, line);
		}
		if (!shim_log_reader_step(&p->log, &r, scratch, 100, collect, &got) && i >= 10)
			break;
	}
	assert_int_equal(count(buf_str(&got), "before\n"), 4);
	assert_words(buf_str(&got), "during 0\nduring 1\nduring 2\nduring 3\n");
	assert_words(buf_str(&got), "during 8\nduring 9\n");
}

static void what_a_full_disk_tore_is_cut_off(void **state)
{
	struct place *p = *state;
	struct rlimit old, tight = { 250, RLIM_INFINITY };

	start(p, 0, 1, "");
	say(p, 1, "fits\n");
	assert_int_equal(sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	for (int i = 0; i < 5; i++)
		say(p, 1, "a line that will at last not fit into the file any more\n");
	assert_true(p->log.lost > 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	say(p, 1, "again\n");
	assert_int_equal(p->log.lost, 0);
	assert_true(strncmp(replayed(p), "fits\n", 5) == 0);
	assert_true(strcmp(p->text.p + p->text.n - 6, "again\n") == 0);
	file(p, "log");
	assert_int_equal(count(p->text.p, "{\"log\""), count(p->text.p, "\"}\n"));
}

static void a_log_that_was_moved_away_is_opened_anew(void **state)
{
	struct place *p = *state;
	struct err err;

	start(p, 0, 1, "");
	say(p, 1, "old\n");
	assert_int_equal(renameat(p->dirfd, "log", p->dirfd, "moved"), 0);
	assert_ok(shim_logger_reopen(&p->log, &err));
	say(p, 1, "new\n");
	assert_null(strstr(file(p, "log"), "old"));
	assert_words(file(p, "moved"), "old");
}

static void foreign_text_in_the_file_is_passed_over(void **state)
{
	struct place *p = *state;
	static const char foreign[] = "{\"log\":\"torn\n\\u{\"log\":\"\n{}\n";
	int fd;

	start(p, 0, 1, "");
	say(p, 1, "ours\n");
	fd = openat(p->dirfd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(fd_write_all(fd, foreign, sizeof(foreign) - 1), 0);
	fd_close(fd);
	say(p, 1, "more\n");
	assert_string_equal(replayed(p), "ours\nmore\n");
}

static void a_log_that_cannot_be_made_is_an_error(void **state)
{
	struct place *p = *state;
	const struct shim_create c = { .log_max_files = 1, .log_name = SLICE("dir") };
	struct err err;

	assert_int_equal(mkdirat(p->dirfd, "dir", 0700), 0);
	assert_err(shim_logger_open(&p->log, &c, p->dirfd, &err), ERR_SYSTEM, "open log 'dir'");
	assert_int_equal(p->log.dirfd, -1);
	assert_err(shim_logger_open(&p->log, &c, -1, &err), ERR_SYSTEM, "log's directory");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_line_is_one_record_however_it_came),
		CASE(characters_split_by_reads_stay_whole_and_bad_ones_are_replaced),
		CASE(long_lines_come_in_pieces_of_16_kib),
		CASE(files_rotate_by_size_and_the_oldest_goes),
		CASE(one_read_of_many_lines_rotates_within),
		CASE(the_only_file_is_cut_when_the_next_line_comes),
		CASE(a_reader_follows_rotation),
		CASE(what_a_full_disk_tore_is_cut_off),
		CASE(a_log_that_was_moved_away_is_opened_anew),
		CASE(foreign_text_in_the_file_is_passed_over),
		CASE(a_log_that_cannot_be_made_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
