#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a newer kubectl does in another way: KYAML, lists that are watches, its own words.

bats_require_minimum_version 1.5.0
[ -n "${DIR:-}" ] || KUBECTL=${TEU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/teu}/kube/kubectl
load apiserver.bash

setup_file() { api_file_start; }
teardown_file() { api_file_stop; }
setup() { api_test_setup; }

deployment() { # REPLICAS
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

@test "newer kubectl: create, get, kyaml, describe" {
	set -e
	is "configmap/one created" kn create configmap one --from-literal=a=1
	is "service/s created" kn create service clusterip s --tcp=80:8080
	is "pod/p created" kn run p --image=x
	is "job.batch/j created" kn create job j --image=x
	is '---
{
 apiVersion: "v1",
 data: {
 a: "1",
 },
 kind: "ConfigMap",' kyaml
	is "NAME DATA AGE
kube-root-ca.crt 1 AGE
one 1 AGE" kn get configmaps
	is "kube-root-ca.crt one" kn get cm --sort-by=.metadata.name -o jsonpath='{.items[*].metadata.name}'
	says "Image pull secrets:" kn describe sa default
	says "p      0/1     Pending" kn get pods -o wide
	is "replicas <integer>" explained
	[ "$(kc api-resources -o name | sort | uniq | wc -l)" -ge 60 ]
	is kubernetes-admin kc auth whoami -o jsonpath='{.status.userInfo.username}'
	is yes kc auth can-i create pods
	says "Server Version: v1.36" kc version
	says "deployments" kc api-resources --categories=all
}
kyaml() { kn get configmap one -o kyaml | head -7; }
explained() { kc explain deploy.spec.replicas | grep -o 'replicas <integer>'; }

@test "newer kubectl: apply, patch, edit, wait, rollout, delete" {
	set -e
	deployment 1 >web.yaml
	is "deployment.apps/web created" kn apply -f web.yaml
	is "deployment.apps/web unchanged" kn apply -f web.yaml
	is "deployment.apps/web serverside-applied" kn apply --server-side -f web.yaml
	deployment 2 >web.yaml
	fails_with 'conflict with "kubectl"' kn apply --server-side --field-manager=two -f web.yaml
	is "deployment.apps/web serverside-applied" kn apply --server-side --field-manager=two --force-conflicts -f web.yaml
	! kn diff -f <(deployment 3) >diff.out
	grep -q '^+  replicas: 3' diff.out
	is "deployment.apps/web patched" kn patch deploy web -p '{"spec":{"replicas":4}}'
	is "deployment.apps/web patched" kn patch deploy web --subresource=status --type=merge -p '{"status":{"replicas":3}}'
	is "deployment.apps/web scaled" kn scale deploy web --replicas=5
	is "5" kn get deploy web --subresource=scale -o jsonpath='{.spec.replicas}'
	KUBE_EDITOR="sed -i s/replicas:.5/replicas:\\ 6/" is "deployment.apps/web edited" kn edit deploy web
	is "deployment.apps/web condition met" kn wait --for=jsonpath='{.spec.replicas}'=6 deploy/web --timeout=5s
	is "deployment.apps/web restarted" kn rollout restart deploy/web
	is "Waiting for deployment spec update to be observed..." kn rollout status deploy/web --watch=false
	is "deployment.apps/web labeled" kn label deploy web a=b
	is "deployment.apps/web image updated" kn set image deploy/web c=nginx:2
	is "service/web exposed" kn expose deploy web --port=80
	is "horizontalpodautoscaler.autoscaling/web autoscaled" kn autoscale deploy web --max=3 --cpu=50%
	says 'deployment.apps "web" deleted' kn delete deploy web
	fails_with 'deployments.apps "web" not found' kn get deploy web
}

@test "newer kubectl: watches" {
	set -e
	kn create configmap first
	behind watched -n "$NS" get configmaps -w --output-watch-events
	for ((i = 0; i < 400; i++)); do
		! grep -q first watched || break
		sleep 0.05
	done
	kn create configmap second
	kn delete configmap first
	for ((i = 0; i < 400; i++)); do
		! grep -q DELETED watched || break
		sleep 0.05
	done
	kill "$BEHIND"
	wait "$BEHIND" || true
	[ "$(awk '!/kube-root-ca/ { print $1, $2 }' watched | tr '\n' ',')" = "EVENT NAME,ADDED first,ADDED second,DELETED first," ]
	behind gone -n "$NS" wait --for=delete configmap/second --timeout=20s
	kn delete configmap second
	wait "$BEHIND"
}
