#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Files that are changed and printed without a server (--local). Command lines are in 7151-kubectl-local.list.

bats_require_minimum_version 1.5.0
load kubectl.bash

setup_file() {
	kubectl_file_start || return 0
	local sel='selector: {matchLabels: {a: b}}' pods='{metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}'
	cat >loc.yaml <<-END
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: web, labels: {a: b}, annotations: {n: m}}
		spec: {$sel, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, env: [{name: X, value: "1"}, {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}]}, {name: d, image: j}]}}}
	END
	{
		printf 'apiVersion: apps/v1\nkind: %s\nmetadata: {name: x}\nspec: {%s, template: %s}\n---\n' StatefulSet "$sel" "$pods" DaemonSet "$sel" "$pods" ReplicaSet "$sel" "$pods"
		printf 'apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: cj}\nspec: {schedule: "* * * * *", jobTemplate: {spec: {template: %s}}}\n---\n' "$pods"
		printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n'
	} >locs.yaml
	printf 'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n' >locsvc.yaml
	printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\n' >locrb.yaml
}
teardown_file() { api_file_stop; }
setup() { kubectl_setup; }

@test "files are changed in the same way, and the same is said" {
	compare 7151-kubectl-local.list
}

@test "no server is asked" {
	is 'deployment.apps/web image updated' unshare -n "$TEU" kubectl --kubeconfig=/dev/null set image -f loc.yaml c=x --local
	is 'deployment.apps/web labeled' unshare -n "$TEU" kubectl --kubeconfig=/dev/null label -f loc.yaml x=y --local
	is 'deployment.apps/web patched' unshare -n "$TEU" kubectl --kubeconfig=/dev/null patch -f loc.yaml --local -p '{"spec":{"replicas":3}}'
}
