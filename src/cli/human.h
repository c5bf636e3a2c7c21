/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and times for people, worded as docker's tables word them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HUMAN_MAX 40

/* "4.26MB": powers of 1000, three digits. */
const char *human_size(char dst[HUMAN_MAX], uint64_t bytes);
/* "7.752GiB": powers of 1024, four digits. */
const char *human_memory(char dst[HUMAN_MAX], uint64_t bytes);
/* "About a minute", "3 weeks". */
const char *human_duration(char dst[HUMAN_MAX], int64_t ns);
/* Local time as "2026-11-22 03:04:05 +0000 UTC". */
const char *human_stamp(char dst[HUMAN_MAX], int64_t real_ns);
