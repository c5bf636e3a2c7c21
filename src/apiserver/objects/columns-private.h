/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to columns*.c: the functions of columns.c's table, one a kind. Each puts as many cells as
 * the kind has columns.
 */
#pragma once

struct cells;

typedef void columns_fn(struct cells *c);

/* columns-pod.c */
columns_fn columns_pod, columns_pod_template;

/* columns-workload.c */
columns_fn columns_controller_revision, columns_cron_job, columns_daemon_set, columns_deployment,
	columns_disruption_budget, columns_job, columns_replicas, columns_replication_controller,
	columns_scale_row, columns_stateful_set;

/* columns-autoscaler.c */
columns_fn columns_autoscaler_v1, columns_autoscaler_v2;

/* columns-network.c */
columns_fn columns_endpoint_slice, columns_endpoints, columns_ingress, columns_ingress_class,
	columns_ip_address, columns_network_policy, columns_service, columns_service_cidr;

/* columns-storage.c */
columns_fn columns_attributes_class, columns_capacity, columns_claim, columns_csi_driver,
	columns_csi_node, columns_migration, columns_storage_class, columns_volume,
	columns_volume_attachment;

/* columns-node.c: nodes and what they hand out */
columns_fn columns_claim_of_devices, columns_component_status, columns_lease, columns_node,
	columns_priority_class, columns_resource_slice, columns_runtime_class;

/* columns-admission.c: who may, and what is let in */
columns_fn columns_api_service, columns_binding, columns_csr, columns_flow_schema,
	columns_mutating_policy, columns_policy_binding, columns_priority_level,
	columns_validating_policy, columns_webhooks;

/* columns-rest.c */
columns_fn columns_config_map, columns_created, columns_event, columns_event_v1, columns_name_age,
	columns_namespace, columns_quota, columns_secret;
