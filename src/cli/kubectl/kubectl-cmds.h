/* SPDX-License-Identifier: Apache-2.0 */
/* Every command of `teu kubectl` once; the order is that of the help. */
#pragma once

#include "base/cmd.h"

/* clang-format off */
#define KUBECTL_CMDS(X) \
	X(create) X(create_clusterrole) X(create_clusterrolebinding) X(create_configmap) \
	X(create_cronjob) X(create_deployment) X(create_ingress) X(create_job) \
	X(create_namespace) X(create_poddisruptionbudget) X(create_priorityclass) X(create_quota) \
	X(create_role) X(create_rolebinding) X(create_secret_docker_registry) \
	X(create_secret_generic) X(create_secret_tls) X(create_service_clusterip) \
	X(create_service_externalname) X(create_service_loadbalancer) X(create_service_nodeport) \
	X(create_serviceaccount) X(create_token) \
	X(expose) X(run) X(explain_cmd) X(get) X(edit) X(delete) X(autoscale) \
	X(apply) X(apply_edit_last_applied) X(apply_set_last_applied) X(apply_view_last_applied) \
	X(diff) X(patch) X(replace) X(scale) \
	X(rollout_history) X(rollout_pause) X(rollout_restart) X(rollout_resume) \
	X(rollout_status) X(rollout_undo) \
	X(set_env) X(set_image) X(set_resources) X(set_selector) X(set_serviceaccount) \
	X(set_subject) X(cordon) X(uncordon) X(drain) X(taint) \
	X(label) X(annotate) X(wait) X(completion) \
	X(auth_can_i) X(auth_reconcile) X(auth_whoami) \
	X(certificate_approve) X(certificate_deny) X(cluster_info) X(cluster_info_dump) \
	X(top_node) X(top_pod) \
	X(describe) X(events) \
	X(api_resources) X(api_versions) \
	X(config_current_context) X(config_delete_cluster) X(config_delete_context) \
	X(config_delete_user) X(config_get_clusters) X(config_get_contexts) X(config_get_users) \
	X(config_rename_context) X(config_set) X(config_set_cluster) X(config_set_context) \
	X(config_set_credentials) X(config_unset) X(config_use_context) X(config_view) \
	X(options) X(plugin_list) X(version)
/* clang-format on */

#define X(name) extern const struct cmd kubectl_##name;
KUBECTL_CMDS(X)
#undef X
