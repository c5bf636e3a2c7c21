/* SPDX-License-Identifier: Apache-2.0 */
/* Commands by criu: checkpoint, restore. */
#include "runtime/cli.h"

static int later_run(struct cmd_call *call, struct err *err)
{
	return cli_finish(call,
			  err_set(err, ERR_UNSUPPORTED, "%s is not supported yet", call->cmd->path),
			  err);
}

const struct cmd cli_checkpoint = CLI_CMD("checkpoint", "ID", "not supported yet", struct cli_none,
					  NULL, 0, UINT8_MAX, later_run);
const struct cmd cli_restore = CLI_CMD("restore", "ID", "not supported yet", struct cli_none, NULL,
				       0, UINT8_MAX, later_run);
