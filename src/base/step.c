/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers of the do/undo tables and of the life-cycle tables. */
#include "base/step.h"

#include "base/err.h"

#include <assert.h>

/* Row the next step_run of this thread fails at; only tests set it. */
static _Thread_local int fail_row = -1;

void step_fail_at(int row)
{
	fail_row = row;
}

void step_undo(const struct step *steps, size_t n, void *ctx)
{
	while (n-- > 0)
		if (steps[n].undo)
			steps[n].undo(ctx);
}

int step_run(const struct step *steps, size_t n, void *ctx, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		int r;

		if (fail_row >= 0 && (size_t)fail_row == i)
			r = err_set(err, ERR_SYSTEM, "failure injected by a test");
		else
			r = steps[i].run(ctx, err);
		if (r >= 0)
			continue;
		(void)err_wrap(err, "%s", steps[i].name); /* the row's own result is returned */
		step_undo(steps, i, ctx);
		return r;
	}
	return 0;
}

int sm_move(const struct sm_state *table, size_t n, const char *what, unsigned *state, unsigned to,
	    struct err *err)
{
	assert(*state < n && to < n && n <= 32);
	if (!(table[*state].next & (1u << to)))
		return err_set(err, ERR_CONFLICT, "%s: cannot go from %s to %s", what,
			       table[*state].name, table[to].name);
	*state = to;
	return 0;
}
