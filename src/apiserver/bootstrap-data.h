/* SPDX-License-Identifier: Apache-2.0 */
/* Private to bootstrap: the objects that are the same everywhere, as a YAML list. */
#pragma once

extern const char bootstrap_data[];
