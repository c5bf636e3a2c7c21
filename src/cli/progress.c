/* SPDX-License-Identifier: Apache-2.0 */
/* A bar in docker's shape. */
#include "cli/progress.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/human.h"
#include "cli/term.h"

#include <stdio.h>
#include <string.h>

#define DRAW_EVERY (100 * NS_PER_MS)
#define BAR 50

void progress_begin(struct progress *p, const char *what, int64_t total, bool want)
{
	*p = (struct progress){ .what = what, .fd = 2, .total = total, .begun = clock_mono() };
	p->on = want && term_is(2);
}

void progress_line(const struct progress *p, unsigned cols, char *dst, unsigned n)
{
	char done[HUMAN_MAX], total[HUMAN_MAX], bar[BAR + 1];
	int full = p->total > 0 ? (int)(MIN(p->done, p->total) * BAR / p->total) : 0;

	human_size(done, (uint64_t)p->done);
	if (p->total <= 0 || cols < BAR + 30) {
		(void)snprintf(dst, n, "%s %s", p->what, done);
		return;
	}
	memset(bar, ' ', BAR);
	memset(bar, '=', (size_t)full);
	if (full < BAR)
		bar[full] = '>';
	bar[BAR] = '\0';
	(void)snprintf(dst, n, "%s [%s] %s/%s", p->what, bar, done,
		       human_size(total, (uint64_t)p->total));
}

static void draw(struct progress *p)
{
	char line[256], text[300];
	unsigned rows, cols = 80;
	int n;

	(void)term_size(p->fd, &rows, &cols); /* none: 80 */
	progress_line(p, cols, line, sizeof(line));
	n = snprintf(text, sizeof(text), "\r%s\x1b[K", line);
	(void)fd_write_all(p->fd, text, (size_t)n); /* only decoration */
}

void progress_add(struct progress *p, int64_t n)
{
	int64_t now;

	p->done += n;
	if (!p->on)
		return;
	now = clock_mono();
	if (now - p->drawn_at < DRAW_EVERY)
		return;
	p->drawn_at = now;
	draw(p);
}

void progress_end(struct progress *p)
{
	if (p->on && p->drawn_at)
		(void)fd_write_all(p->fd, "\r\x1b[K", 4); /* only decoration */
	p->on = false;
}
