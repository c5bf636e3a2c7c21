#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Objects made anew (--force), edited before they are made, sent as they are (--raw), handed over to server-side apply.
# Command lines are in 7150-kubectl-anew.list.

bats_require_minimum_version 1.5.0
load kubectl.bash

setup_file() {
	kubectl_file_start || return 0
	cm() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n%s\n---\n' "$1" "${2:-}"; }
	dep() { printf 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: im}\nspec: {selector: {matchLabels: {a: %s}}, template: {metadata: {labels: {a: %s}}, spec: {containers: [{name: c, image: i}]}}}\n' "$1" "$2"; }
	{ cm c1 'data: {a: "1"}'; cm c2; } >two.yaml
	cm c1 'data: {a: "2"}' >c1.yaml
	cm 'c1, namespace: zz' >c1zz.yaml
	cm 'c1, resourceVersion: "1"' 'data: {a: "5"}' >c1rv.yaml
	cm 'fin, finalizers: [a/b]' >fin.yaml
	cm bad 'data: {a: 1}' >badcm.yaml
	cm ss 'data: {a: "1", b: "2"}' >ss1.yaml
	cm ss 'data: {a: "1"}' >ss2.yaml
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw1"}}' >raw.json
	printf '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw1"},"data":{"b":"1"}}' >raw2.json
	dep x x >depa.yaml
	dep v v >depb.yaml
	dep v w >depc.yaml
	dep true x >depbool.yaml
}
teardown_file() { api_file_stop; }
setup() { kubectl_setup; }

@test "objects are made anew in the same way, and the same is said" {
	compare 7150-kubectl-anew.list
}

@test "delete asks, and does what is answered" {
	within "$TEU" kubectl create cm asked >/dev/null
	is $'You are about to delete the following 1 resource(s):\nconfigmap/asked\nDo you want to continue? (y/n): deletion is cancelled' \
		within sh -c 'echo no | "$TEU" kubectl delete cm asked -i'
	says 'configmap "asked" deleted' within sh -c 'echo Y | "$TEU" kubectl delete cm asked -i'
	fails_with "not found" within "$TEU" kubectl get cm asked
}
