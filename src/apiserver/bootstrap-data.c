/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts of Kubernetes 1.36: system namespaces and priority classes; apiserver's
 * pkg/apis/flowcontrol/bootstrap for levels and
 * schemas.
 *
 * Fields of an element: kind (by which bootstrap.c finds group and resource), name, and what the
 * object has. Anchors stand for rules that many schemas share.
 */
#include "apiserver/bootstrap-data.h"

const char bootstrap_data[] =
	"- {kind: Namespace, name: default}\n"
	"- {kind: Namespace, name: kube-system}\n"
	"- {kind: Namespace, name: kube-public}\n"
	"- {kind: Namespace, name: kube-node-lease}\n"

	"- {kind: PriorityClass, name: system-node-critical, value: 2000001000,"
	" description: Used for system critical pods that must not be moved from their current"
	" node.}\n"
	"- {kind: PriorityClass, name: system-cluster-critical, value: 2000000000,"
	" description: 'Used for system critical pods that must run in the cluster, but can be"
	" moved to another node if necessary.'}\n"

	/* priority levels: a list of name, shares, lendable percent, queues, hand */
	"- {kind: Level, name: exempt, type: Exempt, mandatory: true}\n"
	"- {kind: Level, name: catch-all, shares: 5, lend: 0, mandatory: true}\n"
	"- {kind: Level, name: system, shares: 30, lend: 33, queues: 64, hand: 6}\n"
	"- {kind: Level, name: node-high, shares: 40, lend: 25, queues: 64, hand: 6}\n"
	"- {kind: Level, name: leader-election, shares: 10, lend: 0, queues: 16, hand: 4}\n"
	"- {kind: Level, name: workload-high, shares: 40, lend: 50, queues: 128, hand: 6}\n"
	"- {kind: Level, name: workload-low, shares: 100, lend: 90, queues: 128, hand: 6}\n"
	"- {kind: Level, name: global-default, shares: 20, lend: 50, queues: 128, hand: 6}\n"

	/* flow schemas: name, level, precedence, what tells flows apart, who, what */
	"- kind: Schema\n"
	"  name: exempt\n"
	"  level: exempt\n"
	"  precedence: 1\n"
	"  mandatory: true\n"
	"  groups: ['system:masters']\n"
	"  resources: &every\n"
	"  - {verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true,"
	" namespaces: ['*']}\n"
	"  paths: &paths\n"
	"  - {verbs: ['*'], nonResourceURLs: ['*']}\n"

	"- {kind: Schema, name: catch-all, level: catch-all, precedence: 10000, by: ByUser,"
	" mandatory: true, groups: &all ['system:unauthenticated', 'system:authenticated'],"
	" resources: *every, paths: *paths}\n"

	"- {kind: Schema, name: probes, level: exempt, precedence: 2, groups: *all,"
	" paths: [{verbs: [get], nonResourceURLs: [/healthz, /readyz, /livez]}]}\n"

	"- {kind: Schema, name: system-leader-election, level: leader-election, precedence: 100,"
	" by: ByUser, users: ['system:kube-controller-manager', 'system:kube-scheduler'],"
	" accounts: true, resources: [{verbs: [get, create, update],"
	" apiGroups: [coordination.k8s.io], resources: [leases], namespaces: ['*']}]}\n"

	"- {kind: Schema, name: system-node-high, level: node-high, precedence: 400, by: ByUser,"
	" groups: &nodes ['system:nodes'], resources: [{verbs: ['*'], apiGroups: [''],"
	" resources: [nodes, nodes/status], clusterScope: true, namespaces: ['*']},"
	" {verbs: ['*'], apiGroups: [coordination.k8s.io], resources: [leases],"
	" namespaces: ['*']}]}\n"

	"- {kind: Schema, name: system-nodes, level: system, precedence: 500, by: ByUser,"
	" groups: *nodes, resources: *every, paths: *paths}\n"

	"- {kind: Schema, name: kube-controller-manager, level: workload-high, precedence: 800,"
	" by: ByNamespace, users: ['system:kube-controller-manager'], resources: *every,"
	" paths: *paths}\n"

	"- {kind: Schema, name: kube-scheduler, level: workload-high, precedence: 800,"
	" by: ByNamespace, users: ['system:kube-scheduler'], resources: *every, paths: *paths}\n"

	"- {kind: Schema, name: kube-system-service-accounts, level: workload-high,"
	" precedence: 900, by: ByNamespace, accounts: true, resources: *every, paths: *paths}\n"

	"- {kind: Schema, name: service-accounts, level: workload-low, precedence: 9000,"
	" by: ByUser, groups: ['system:serviceaccounts'], resources: *every, paths: *paths}\n"

	"- {kind: Schema, name: global-default, level: global-default, precedence: 9900,"
	" by: ByUser, groups: *all, resources: *every, paths: *paths}\n";
