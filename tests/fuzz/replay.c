/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of a fuzz target that is not fuzzed: feeds it every file of its corpus, or those named
 * on the command line (a crash that tools/fuzz kept), one test case each, as TAP. Each input runs
 * in a copy at its exact size, so that a sanitizer sees the first byte read past it.
 */
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fails only when the file cannot be read: what the target finds wrong aborts the program. */
static int replay(int dirfd, const char *name, int number)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(INPUT_MAX);
	struct err err = ERR_INIT;
	uint8_t *exact;

	if (fd_read_file(dirfd, name, &b, &err) < 0) {
		printf("not ok %d - %s cannot be read: %s\n", number, name, err.msg);
		return -1;
	}
	exact = malloc(b.n ? b.n : 1);
	if (!exact)
		abort();
	if (b.n)
		memcpy(exact, b.p, b.n);
	printf("# %s\n", name);
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(exact, b.n);
	free(exact);
	printf("ok %d - %s\n", number, name);
	return 0;
}

static int is_input(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	CLEANUP(fd_close) int dirfd = -1;
	struct dirent **names;
	int n, failed = 0;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			failed |= replay(AT_FDCWD, argv[i], i);
		return failed ? 1 : 0;
	}
	dirfd = open(REPLAY_CORPUS, O_DIRECTORY | O_CLOEXEC);
	n = scandir(REPLAY_CORPUS, &names, is_input, alphasort);
	if (dirfd < 0 || n <= 0) {
		printf("not ok 1 - no corpus in " REPLAY_CORPUS "\n");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		failed |= replay(dirfd, names[i]->d_name, i + 1);
		free(names[i]);
	}
	free(names);
	printf("1..%d\n", n);
	return failed ? 1 : 0;
}
