#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Objects are created, changed and deleted by teu kubectl as by kubectl. Command lines are in 7110-kubectl-write.list.

bats_require_minimum_version 1.5.0
load kubectl.bash

setup_file() {
	kubectl_file_start || return 0
	cm() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n%s\n---\n' "$1" "${2:-}"; }
	deploy() { # CONTAINERS [MORE]
		cat <<-END
			apiVersion: apps/v1
			kind: Deployment
			metadata: {name: web, labels: {app: web}}
			spec:
			  $2
			  selector: {matchLabels: {app: web}}
			  template: {metadata: {labels: {app: web}}, spec: {containers: [$1]}}
		END
	}
	cm cm2 'data: {a: 1}' >bad.yaml
	cm cm4 'foo: 1' >strange.yaml
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm3, labels: {a: b}}\ndata: {a: "1 < 2"}\n' >cm3.yaml
	printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: P_x}\nspec: {containers: []}\n' >inv.yaml
	{ cm t1; cm t2; } >two.yaml
	cm nothere >nothere.yaml
	deploy '{name: c, image: a, env: [{name: A, value: "1"}, {name: B, value: "2"}]}, {name: d, image: b}' 'replicas: 2' >deploy1.yaml
	deploy '{name: c, image: a2, env: [{name: B, value: "3"}, {name: C, value: "4"}], ports: [{containerPort: 80}]}' '' >deploy2.yaml
	deploy '{name: e, image: e}, {name: c, image: a2, env: [{name: C, value: "4"}]}' 'strategy: {type: Recreate}' >deploy3.yaml
	printf 'apiVersion: v1\nkind: Service\nmetadata: {name: s, finalizers: [a/b]}\nspec: {clusterIP: None, ports: [{name: a, port: 80}, {name: b, port: 81}]}\n' >svc1.yaml
	printf 'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: None, ports: [{name: b, port: 82}, {name: c, port: 80}]}\n' >svc2.yaml
	cm ss 'data: {a: "1"}' >ss.yaml
	cm ss 'data: {a: "2"}' >ss2.yaml
}
teardown_file() { api_file_stop; }
setup() { kubectl_setup; }

@test "objects are changed in the same way, and the same is said" {
	compare 7110-kubectl-write.list
}

@test "delete waits until an object is gone" {
	local i
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f, finalizers: [a/b]}\n' | within "$TEU" kubectl create -f - >/dev/null
	within "$TEU" kubectl delete cm f >said 2>&1 3>&- &
	for ((i = 0; i < 100; i++)); do
		! grep -q deleted said || break
		sleep 0.05
	done
	kill -0 $!
	is 'configmap/f patched' within "$TEU" kubectl patch cm f --type=merge -p '{"metadata":{"finalizers":null}}'
	wait $!
	is 'configmap "f" deleted' cat said
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: f, finalizers: [a/b]}\n' | within "$TEU" kubectl create -f - >/dev/null
	fails_with "timed out waiting" within "$TEU" kubectl delete cm f --timeout=300ms
	is 'configmap "f" deleted' within "$TEU" kubectl delete cm f --wait=false
}
