/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One poll loop: pidfd, signalfd, and with a terminal two directions of bytes. The master is
 * non-blocking, so that a program which does not read its input cannot keep us from showing its
 * output.
 */
#include "runtime/relay.h"

#include "base/err.h"
#include "base/fd.h"
#include "linux/proc.h"
#include "linux/sys.h"

#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>

struct relay {
	int pidfd, master, signals;
	char in[4096];
	size_t n, at; /* input not yet taken by the program */
	bool in_end, out_end;
};

int relay_signals(int *ret_fd, struct err *err)
{
	sigset_t set;

	sigfillset(&set);
	/* Faults are ours; SIGCHLD says nothing that the pidfd does not. */
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGABRT);
	sigdelset(&set, SIGCHLD);
	sigdelset(&set, SIGPIPE);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "block signals");
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd < 0 ? err_sys(err, "make a signalfd") : 0;
}

void relay_size(unsigned short *rows, unsigned short *cols)
{
	struct winsize ws = { 0 };

	if (sys_ioctl(0, TIOCGWINSZ, &ws) < 0)
		ws = (struct winsize){ 0 };
	*rows = ws.ws_row;
	*cols = ws.ws_col;
}

static void take_signals(struct relay *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		struct winsize ws;

		if (si.ssi_signo == SIGWINCH && r->master >= 0) {
			if (sys_ioctl(0, TIOCGWINSZ, &ws) == 0)
				(void)sys_ioctl(r->master, TIOCSWINSZ,
						&ws); /* the program may be gone */
			continue;
		}
		(void)proc_signal(r->pidfd, (int)si.ssi_signo, NULL);
	}
}

static void take_output(struct relay *r)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(r->master, buf, sizeof(buf))) > 0)
		if (fd_write_all(1, buf, (size_t)n) < 0) {
			r->out_end = true;
			return;
		}
	/* EIO: no process has the terminal open any more. */
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		r->out_end = true;
}

static void take_input(struct relay *r, bool readable)
{
	ssize_t n;

	if (r->at == r->n && readable) {
		n = read(0, r->in, sizeof(r->in));
		if (n <= 0 && !(n < 0 && (errno == EAGAIN || errno == EINTR)))
			r->in_end = true;
		r->at = 0;
		r->n = n > 0 ? (size_t)n : 0;
	}
	while (r->at < r->n) {
		n = sys_write(r->master, r->in + r->at, r->n - r->at);
		if (n < 0)
			break;
		r->at += (size_t)n;
	}
}

static int loop(struct relay *r, struct err *err)
{
	for (;;) {
		bool tty = r->master >= 0;
		bool full = r->at < r->n;
		struct pollfd p[4] = {
			{ r->pidfd, POLLIN, 0 },
			{ r->signals, POLLIN, 0 },
			{ tty && !r->out_end ? r->master : -1,
			  (short)(POLLIN | (full ? POLLOUT : 0)), 0 },
			{ tty && !r->in_end && !full ? 0 : -1, POLLIN, 0 },
		};

		if (poll(p, 4, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, "wait for the process");
		}
		if (p[1].revents)
			take_signals(r);
		if (p[2].revents & (POLLIN | POLLHUP | POLLERR))
			take_output(r);
		if (tty && (p[3].revents || (p[2].revents & POLLOUT)))
			take_input(r, p[3].revents != 0);
		if (p[0].revents) {
			if (tty && !r->out_end)
				take_output(r);
			return 0;
		}
	}
}

int relay_wait(int pidfd, int master, int signals, struct err *err)
{
	struct relay r = { .pidfd = pidfd, .master = master, .signals = signals };
	struct termios old, raw;
	bool cooked = false;
	struct proc_exit e;
	int ret;

	if (master >= 0) {
		(void)fd_set_nonblock(master, true); /* a terminal of ours */
		if (tcgetattr(0, &old) == 0) {
			raw = old;
			cfmakeraw(&raw);
			cooked = tcsetattr(0, TCSANOW, &raw) == 0;
		}
	}
	ret = loop(&r, err);
	if (cooked)
		(void)tcsetattr(0, TCSANOW, &old); /* nothing better can be done */
	if (ret >= 0)
		ret = proc_wait(pidfd, -1, &e, err);
	return ret < 0 ? ret : proc_exit_code(&e);
}
