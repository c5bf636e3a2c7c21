/* SPDX-License-Identifier: Apache-2.0 */
#include "base/role.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <signal.h>
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

/* ---- signals ---- */

static const int role_signal_numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };

/* Which of the four it is says its place. */
static int on_signal(struct role_signals *s, unsigned i)
{
	s->fn(s->arg, role_signal_numbers[i]);
	return 0;
}

#define ON(i)                                                                            \
	static int on_signal_##i(struct sigsource *src, const void *info)                \
	{                                                                                \
		(void)info;                                                              \
		return on_signal(CONTAINER_OF(src, struct role_signals, sources[i]), i); \
	}
ON(0)
ON(1)
ON(2)
ON(3)
#undef ON

int role_signals_init(struct role_signals *s, struct loop *l, void (*fn)(void *arg, int signal),
		      void *arg, struct err *err)
{
	static int (*const handlers[])(struct sigsource * src,
				       const void *info) = { on_signal_0, on_signal_1, on_signal_2,
							     on_signal_3 };
	sigset_t pipe;
	int r = 0;

	/* A peer that leaves is an error of its write; sendfile(2) cannot be told so. */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	s->fn = fn;
	s->arg = arg;
	for (size_t i = 0; i < ARRAY_LEN(s->sources) && r == 0; i++)
		r = sigsource_init(&s->sources[i], l, role_signal_numbers[i], handlers[i], err);
	return r;
}

void role_signals_fini(struct role_signals *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->sources); i++)
		sigsource_fini(&s->sources[i]);
}
