/* SPDX-License-Identifier: Apache-2.0 */
/* Every command: one row per file, here by name. */
#pragma once

#include "base/cmd.h"

extern const struct cmd cmd_engine;
