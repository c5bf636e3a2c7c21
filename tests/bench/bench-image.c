/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import of a root file system: bench-image [FILE.tar[.gz]] — without a file, 4000 files of 4 KiB
 * and one of 64 MiB are made. Prints the best of five: spool, verify, unpack, publish; in a store
 * of its own that is removed afterwards.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "image/image.h"
#include "image/tar.h"
#include "image/unpack.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int to_buf(void *ctx, const void *p, size_t n, struct err *err)
{
	return buf_add(ctx, p, n);
}

static void make_tar(struct buf *b)
{
	struct tar_writer w;
	static char data[64 << 20];
	char name[64];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 13);
	*b = BUF_INIT(256u << 20);
	tar_writer_init(&w, to_buf, b);
	for (int i = 0; i < 4001; i++) {
		size_t n = i == 4000 ? sizeof(data) : 4096;

		snprintf(name, sizeof(name), "usr/share/d%d/f%d", i / 50, i);
		tar_writer_entry(&w,
				 &(struct tar_entry){
					 .type = TAR_REG, .name = name, .size = n, .mode = 0644 },
				 NULL);
		tar_writer_data(&w, data, n, NULL);
	}
	tar_writer_finish(&w, NULL);
}

static int import(struct image_store *is, const char *file, const struct buf *b, struct err *err)
{
	struct image_import_options o = { .kind = IMAGE_IMPORT_ROOTFS, .ref = "bench" };
	CLEANUP(image_import_free) struct image_import *im = NULL;
	CLEANUP(fd_close) int fd = file ? openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC) : -1;
	int r;

	r = image_import_new(is, &o, &im, err);
	if (r >= 0)
		r = file ? image_import_read(im, fd, err) : image_import_push(im, b->p, b->n, err);
	return r < 0 ? r : image_import_run(im, err);
}

int main(int argc, char **argv)
{
	char dir[] = "/var/tmp/teu-bench-XXXXXX", sub[64];
	int64_t best = INT64_MAX;
	struct buf b = { 0 };
	struct rusage ru;
	struct err err;

	if (argc > 1 && strcmp(argv[1], IMAGE_UNPACK_ROLE) == 0)
		return image_unpack_main(argc, argv);
	if (argc < 2)
		make_tar(&b);
	if (!mkdtemp(dir))
		return 1;
	for (int i = 0; i < 5; i++) {
		struct image_store_options o = { .root = sub };
		struct image_store *is;
		int64_t t;

		snprintf(sub, sizeof(sub), "%s/%d", dir,
			 i); /* new each time: nothing can be reused */
		if (image_store_open(&o, &is, &err) < 0)
			break;
		t = clock_mono();
		if (import(is, argc > 1 ? argv[1] : NULL, &b, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			break;
		}
		best = MIN(best, clock_mono() - t);
		image_store_close(is);
	}
	getrusage(RUSAGE_SELF, &ru);
	printf("import %s: %.1f ms, peak %ld KiB\n", argc > 1 ? argv[1] : "80 MB, 4001 files",
	       (double)best / 1e6, ru.ru_maxrss);
	return fd_remove_tree(AT_FDCWD, dir, NULL) < 0;
}
