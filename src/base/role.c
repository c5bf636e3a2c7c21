/* SPDX-License-Identifier: Apache-2.0 */
#include "base/role.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int role_write_pid(const char *path, struct err *err)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (!path)
		return 0;
	if (fd_replace_file(AT_FDCWD, path, text, (size_t)n, 0644, err) < 0)
		return err_wrap(err, "--pid-file");
	return 0;
}

void role_tell_ready(void)
{
	const char *text = getenv("TEU_READY_FD");
	struct err ignored = ERR_INIT;
	int64_t fd;

	if (text && str_int64(slice_str(text), &fd, &ignored) == 0 && fd > 2 && fd < 1024) {
		(void)fd_write_all((int)fd, "\n", 1); /* nobody waits any more */
		fd_close((int)fd);
	}
	(void)unsetenv("TEU_READY_FD");
}
