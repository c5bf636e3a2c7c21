/* SPDX-License-Identifier: Apache-2.0 */
/* Copying what a tmpfs is about to cover into it ("tmpcopyup"). Private to mount.c. */
#pragma once

struct err;

/* Copies the content of one directory into another: directories, files, links, devices and FIFOs
 * with owner, mode and times of files; not sockets, extended attributes and hard links. Links are
 * never followed. INVALID below depth 64. */
int mount_copy_tree(int from, int to, struct err *err);
