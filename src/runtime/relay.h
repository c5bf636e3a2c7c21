/* SPDX-License-Identifier: Apache-2.0 */
/* Foreground of `run` and `exec`: our terminal or stdio to the container's terminal, signals
 * forwarded, exit code. */
#pragma once

#include <signal.h>
#include <sys/types.h>

struct err;

/* Signals that are forwarded are blocked and read from the fd. Before the container is made. */
int relay_signals(int *ret_fd, struct err *err);
/* Until the process has ended: its exit code (128+signal). master may be -1. Our terminal is as
 * before afterwards. */
int relay_wait(int pidfd, int master, int signals, struct err *err);
/* Size of our terminal, 0 when stdin is none. */
void relay_size(unsigned short *rows, unsigned short *cols);
