#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The API server as kubectl uses it: create, get, apply, patch, scale, watch, delete. One server in a network namespace
# for the file; objects of each test lie in a namespace of its own.

bats_require_minimum_version 1.5.0
. "$BATS_TEST_DIRNAME/words.bash"
load apiserver.bash
[ -n "${DIR:-}" ] || KUBECTL=$(api_any_kubectl)

setup_file() { api_file_start; }
teardown_file() { api_file_stop; }
setup() { api_test_setup; }

k() { kc "$@"; }

deployment() { # $1: replicas
	cat <<-END
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: web}
		spec:
		  replicas: $1
		  selector: {matchLabels: {app: web}}
		  template:
		    metadata: {labels: {app: web}}
		    spec: {containers: [{name: c, image: nginx}]}
	END
}

@test "objects are created, read and deleted" {
	kn create configmap one --from-literal=a=1
	[ "$(kn get configmap one -o jsonpath='{.data.a}')" = 1 ]
	run kn create configmap one --from-literal=a=1
	[ "$status" -eq 1 ]
	prints 'configmaps "one" already exists'
	kn create secret generic s --from-literal=k=v
	kn run p --image=busybox
	run kn get pods
	prints "Pending"
	kn delete configmap/one secret/s pod/p
	run kn get configmap one
	[ "$status" -eq 1 ]
	prints 'configmaps "one" not found'
}

@test "apply creates, changes, and leaves what is the same alone" {
	deployment 1 >"$DIR/d1.yaml"
	deployment 3 >"$DIR/d3.yaml"
	run kn apply -f "$DIR/d1.yaml"
	prints "deployment.apps/web created"
	run kn apply -f "$DIR/d1.yaml"
	prints "deployment.apps/web unchanged"
	run kn apply -f "$DIR/d3.yaml"
	prints "deployment.apps/web configured"
	[ "$(kn get deploy web -o jsonpath='{.spec.replicas}')" = 3 ]
	run kn apply -f - <<<"$(deployment 3 | sed 's/replicas:/replicsa:/')"
	[ "$status" -eq 1 ]
	prints 'unknown field "spec.replicsa"'
}

@test "server-side apply has its conflicts and its force" {
	deployment 1 | kn apply --server-side --field-manager=one -f -
	deployment 2 >"$DIR/two.yaml"
	run kn apply --server-side --field-manager=two -f "$DIR/two.yaml"
	[ "$status" -eq 1 ]
	prints 'conflict with "one": .spec.replicas'
	kn apply --server-side --field-manager=two --force-conflicts -f "$DIR/two.yaml"
	[ "$(kn get deploy web -o jsonpath='{.spec.replicas}')" = 2 ]
}

@test "patches of each kind, scale, labels" {
	deployment 1 | kn create -f -
	kn patch deploy web -p '{"spec":{"template":{"spec":{"containers":[{"name":"d","image":"i"}]}}}}'
	run kn get deploy web -o jsonpath='{.spec.template.spec.containers[*].name}'
	prints "d c"
	kn patch deploy web --type merge -p '{"spec":{"paused":true}}'
	kn patch deploy web --type json -p '[{"op":"remove","path":"/spec/paused"}]'
	kn scale deploy web --replicas=7
	kn label deploy web x=y
	kn set image deploy/web c=nginx:2
	[ "$(kn get deploy web -o jsonpath='{.spec.replicas} {.metadata.labels.x} {.spec.paused}')" = "7 y " ]
	run kn patch deploy web --type json -p '[{"op":"test","path":"/spec/replicas","value":1}]'
	[ "$status" -eq 1 ]
	prints "The request is invalid: the server rejected our request due to an error in our request"
}

@test "a watch tells what comes" {
	kn create configmap first
	kn get configmaps -w -o name >"$DIR/watched" 2>&1 3>&- &
	local pid=$!
	until_ok grep -q configmap/first "$DIR/watched"
	kn create configmap second
	until_ok grep -q configmap/second "$DIR/watched"
	kill "$pid"
	kn wait --for=jsonpath='{.metadata.name}'=second configmap/second --timeout=10s
}

@test "pages, selectors, tables, other forms" {
	for i in 1 2 3 4 5; do kn create configmap "c$i" >/dev/null; done
	kn label configmap c2 c4 even=yes >/dev/null
	[ "$(kn get configmaps --chunk-size=2 -o name | grep -c "/c")" -eq 5 ]
	[ "$(kn get configmaps -l even=yes -o name | tr '\n' ' ')" = "configmap/c2 configmap/c4 " ]
	[ "$(kn get configmaps --field-selector metadata.name=c3 -o name)" = configmap/c3 ]
	run kn get configmaps
	prints "NAME"
	prints "DATA"
	kn delete configmaps --all
	[ -z "$(kn get configmaps -o name | grep -v kube-root-ca)" ]
}

@test "a revision that does not come times out" {
	# Not by kubectl, which asks ten times more.
	local part
	for part in certificate key; do
		kc config view --raw -o jsonpath="{.users[0].user.client-$part-data}" | base64 -d >"client.$part"
	done
	run within curl -sk -w '\n%{http_code} %{time_total}\n' --cert client.certificate --key client.key \
		"https://127.0.0.1:6443/api/v1/namespaces/$NS/configmaps?resourceVersion=999999999"
	prints '"message": "Timeout: Too large resource version: 999999999, current: '
	prints '"retryAfterSeconds": 1'
	[[ "${lines[-1]}" == "504 3."* ]]
}

@test "who asks and what they may, what there is" {
	[ "$(k auth can-i create pods)" = yes ]
	run k auth whoami
	prints "system:masters"
	run k api-resources
	prints "deployments"
	run k explain deployment.spec.replicas
	prints "replicas <integer>"
	[ "$(k get --raw /readyz)" = ok ]
}

@test "a namespace ends" {
	kn create configmap one
	k delete namespace "$NS" --wait=false
	[ "$(k get namespace "$NS" -o jsonpath='{.status.phase}')" = Terminating ]
	run kn create configmap two
	[ "$status" -eq 1 ]
	prints "because it is being terminated"
	run k delete namespace default
	[ "$status" -eq 1 ]
	prints "this namespace may not be deleted"
}
