/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls we do not make: each becomes a compile error that names what to use instead.
 *
 * Force-included before everything else (-include base/banned.h), so it pulls in the system headers
 * that declare the names first. src/base and src/linux define TEU_RAW_SYSCALLS and may make the raw
 * calls of the second part. A member called like one of them is reached as (ops->close)(fd), or
 * better named otherwise.
 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BANNED_(name, instead)                                      \
	({                                                          \
		_Static_assert(0, name " is banned: use " instead); \
		0;                                                  \
	})

#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gets
#define strcpy(...) BANNED_("strcpy", "str_copy, memcpy or buf_adds (base/str.h)")
#define strcat(...) BANNED_("strcat", "buf_adds (base/str.h)")
#define sprintf(...) BANNED_("sprintf", "snprintf or buf_addf (base/str.h)")
#define vsprintf(...) BANNED_("vsprintf", "vsnprintf or buf_addv (base/str.h)")
#define strtok(...) BANNED_("strtok", "slice_split (base/str.h)")
#define gets(...) BANNED_("gets", "fd_read_file (base/fd.h)")
#define atoi(...) BANNED_("atoi", "str_int64 (base/str.h)")
#define atol(...) BANNED_("atol", "str_int64 (base/str.h)")
#define strtol(...) BANNED_("strtol", "str_int64 or str_octal (base/str.h)")
#define strtoul(...) BANNED_("strtoul", "str_uint64 (base/str.h)")
#define rand(...) BANNED_("rand", "random_u64 (base/hash.h)")
#define system(...) BANNED_("system", "an exec of the program itself (linux/)")
#define popen(...) BANNED_("popen", "an exec of the program itself (linux/)")
#define usleep(...) BANNED_("usleep", "a timer of the loop (base/loop.h)")

#ifndef TEU_RAW_SYSCALLS
#undef signal
#define open(...) BANNED_("open", "fd_read_file (base/fd.h) or the path calls of linux/")
#define creat(...) BANNED_("creat", "fd_replace_file (base/fd.h) or the path calls of linux/")
#define close(...) BANNED_("close", "fd_close (base/fd.h)")
#define dup(...) BANNED_("dup", "fd_dup (base/fd.h)")
#define dup2(...) BANNED_("dup2", "the process calls of linux/")
#define fork(...) BANNED_("fork", "the process calls of linux/")
#define vfork(...) BANNED_("vfork", "the process calls of linux/")
#define signal(...) BANNED_("signal", "sigsource_init (base/loop.h)")
#define kill(...) BANNED_("kill", "a pidfd: the process calls of linux/")
#endif
