/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fenced helper that touches foreign archives: decompresses, lists the members of an archive,
 * turns a layer tar into a snapshot directory. A process of the same program for each such job.
 *
 * The caller keeps the hash: it sees the uncompressed bytes of a layer before the helper that
 * writes files does, so a helper taken over by a hostile archive can spoil only its own directory,
 * never the name (diff id, chain id) of another. Fence: no new privileges; root = the target on a
 * mount of its own (nodev, nosuid, noexec, nosymfollow) or an empty directory; capabilities CHOWN
 * DAC_OVERRIDE FOWNER FSETID MKNOD SETFCAP (none for inflate and list); Landlock where the kernel
 * has it; a seccomp allow list that kills; rlimits. nodev is what makes MKNOD harmless: a device
 * can be made, not opened. No SYS_ADMIN: overlay's opaque mark is set by the caller, on directories
 * that it opens itself without following links.
 */
#pragma once

/* `PROGRAM --role=unpack`: reached through src/teu.c (and by test programs). Never returns to other
 * work: exit status. */
int image_unpack_main(int argc, char **argv);

#define IMAGE_UNPACK_ROLE "--role=unpack"
