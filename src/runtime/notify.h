/* SPDX-License-Identifier: Apache-2.0 */
/* $NOTIFY_SOCKET of the caller and a container's READY=1. Private to src/runtime. */
#pragma once

#include "runtime/conf.h"
#include "runtime/runtime.h"

/* The caller's $NOTIFY_SOCKET, NULL without one. */
const char *notify_host(void);
/* Before the namespaces are made: a directory beside the record, mounted at /run/notify, and the
 * variable. Nothing without a process or a mount namespace. */
int notify_prepare(struct conf *c, int dirfd, struct arena *a, struct err *err);
/* Before the start: the socket in it; -1 when there is nothing to tell. */
int notify_listen(const struct rt_container *c, int *ret, struct err *err);
/* Until READY=1 was told on, or the container has ended. */
int notify_wait(const struct rt_container *c, int fd, struct err *err);
/* The same by a process of its own, for who has other things to do. */
int notify_watch(const struct rt_container *c, int fd, struct err *err);
