/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to src/image: what a helper process and its starter say to each other.
 * Started as `PROGRAM --role=unpack <mode> <size limit> <entries limit> <flags>` with fd 0 = input,
 * 1 = output (inflate, list), 3 = report, 4 = directory that becomes its root. The report is one
 * struct unpack_report and `extra` bytes. The reader believes nothing in it: codes and lengths are
 * checked, texts are cut.
 */
#pragma once

#include <stdint.h>

#define UNPACK_FD_REPORT 3
#define UNPACK_FD_ROOT 4
#define UNPACK_MAGIC 0x31504e55u
#define UNPACK_EXTRA_MAX (8u << 20) /* marks, and members of an archive */

#define UNPACK_FLAG_BASE 1u   /* lowest layer: whiteouts have nothing to hide */
#define UNPACK_FLAG_USERNS 2u /* devices cannot be made: leave them out */

struct unpack_report {
	uint32_t magic;
	uint32_t code; /* enum err_code */
	int32_t sys;
	uint32_t extra;
	uint64_t entries;
	uint64_t bytes; /* of regular files */
	char msg[1024];
};

/* In extra, unpack mode: one letter, a path, a NUL. */
#define UNPACK_MARK_OPAQUE 'o' /* directory hides what lower layers have in it */
#define UNPACK_MARK_IMPLICIT \
	'i' /* directory without an entry of its own: attributes come from the layers below */
/* "<inode> <path>": an empty file that becomes a copy of what lower layers show at that path (the
 * target of a hard link); the next mark of the other kind tells another name of it. */
#define UNPACK_MARK_COPY_UP 'c'
#define UNPACK_MARK_COPY_AT 'C'

/* In extra, list mode: this, then name and link without NULs. */
struct __attribute__((packed)) unpack_member {
	uint64_t offset, size;
	uint16_t name_len, link_len;
	uint8_t type; /* enum tar_type */
};
