/* SPDX-License-Identifier: Apache-2.0 */
/* Every command once: X(name) stands for `const struct cmd cmd_<name>` in its own file. The order
 * is that of the help. */
#pragma once

#include "base/cmd.h"

/* clang-format off */
#define CLI_CMDS(X) \
	X(run) X(exec) X(ps) X(logs) X(attach) \
	X(create) X(start) X(stop) X(restart) X(kill) X(rm) X(rename) X(wait) \
	X(diff) X(commit) X(export) \
	X(images) X(import) X(load) X(save) X(tag) X(rmi) X(history) \
	X(pull) X(push) X(login) X(logout) X(search) X(image_prune) \
	X(image_copy) X(image_list_tags) X(image_delete) X(image_tree) X(image_waste) \
	X(image_verify) X(image_mount) X(image_unmount) \
	X(artifact_push) X(artifact_pull) X(artifact_attach) X(artifact_discover) \
	X(manifest_create) X(manifest_annotate) X(manifest_inspect) X(manifest_push) X(manifest_rm) \
	X(inspect) X(info) X(version) X(events) X(bench_grpc) X(bench_http) X(bench_ws) X(engine) \
	X(registry) X(registry_status) X(registry_usage) X(registry_gc) X(registry_scrub) X(registry_retention) \
	X(registry_readonly) X(registry_reload) X(registry_user_add) X(registry_user_ls) \
	X(registry_user_rm) X(registry_robot_add) X(registry_robot_rm) X(registry_token_revoke) \
	X(registry_webhook) X(registry_replication) \
	X(apiserver) X(kubectl) X(certs_list) X(certs_renew) X(certs_export) \
	X(store_backup) X(store_restore) X(store_verify) X(store_stats) X(store_compact) \
	X(why_can) \
	X(completion) X(man) X(help) \
	X(container_inspect) X(image_inspect) X(network_inspect) X(volume_inspect)
/* clang-format on */

#define X(name) extern const struct cmd cmd_##name;
CLI_CMDS(X)
#undef X
