/* SPDX-License-Identifier: Apache-2.0 */
/* Every command of `teu kubectl` once; the order is that of the help. */
#pragma once

#include "base/cmd.h"

/* clang-format off */
#define KUBECTL_CMDS(X) \
	X(create) X(get) X(delete) \
	X(apply) X(patch) X(replace) X(scale) \
	X(label) X(annotate) X(wait) X(completion) \
	X(auth_can_i) X(auth_whoami) \
	X(cluster_info) \
	X(api_resources) X(api_versions) \
	X(config_current_context) X(config_delete_cluster) X(config_delete_context) \
	X(config_delete_user) X(config_get_clusters) X(config_get_contexts) X(config_get_users) \
	X(config_rename_context) X(config_set) X(config_set_cluster) X(config_set_context) \
	X(config_set_credentials) X(config_unset) X(config_use_context) X(config_view) \
	X(version)
/* clang-format on */

#define X(name) extern const struct cmd kubectl_##name;
KUBECTL_CMDS(X)
#undef X
