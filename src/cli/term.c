/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal: raw mode and back, its size. */
#include "cli/term.h"

#include "base/err.h"

#include <sys/ioctl.h>
#include <unistd.h>

static int set_mode(struct term *t, int fd, bool hide, struct err *err)
{
	struct termios mode;

	if (tcgetattr(fd, &t->before) < 0)
		return err_sys(err, "read the terminal's mode");
	mode = t->before;
	if (hide)
		mode.c_lflag &= ~(tcflag_t)ECHO;
	else
		cfmakeraw(&mode);
	if (tcsetattr(fd, TCSANOW, &mode) < 0)
		return err_sys(err, "set the terminal's mode");
	t->fd = fd;
	t->raw = true;
	return 0;
}

int term_raw(struct term *t, int fd, struct err *err)
{
	return set_mode(t, fd, false, err);
}

int term_hide(struct term *t, int fd, struct err *err)
{
	return set_mode(t, fd, true, err);
}

void term_restore(struct term *t)
{
	if (!t->raw)
		return;
	t->raw = false;
	(void)tcsetattr(t->fd, TCSANOW, &t->before); /* it may be gone: nothing to set then */
}

bool term_is(int fd)
{
	return isatty(fd);
}

bool term_size(int fd, unsigned *ret_rows, unsigned *ret_cols)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return false;
	*ret_rows = w.ws_row;
	*ret_cols = w.ws_col;
	return true;
}
