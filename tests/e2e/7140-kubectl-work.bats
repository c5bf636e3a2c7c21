#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# rollout, set, taint, cordon, drain. Command lines are in 7140-kubectl-work.list.

bats_require_minimum_version 1.5.0
load apiserver.bash

# objects NS: a deployment with two replica sets of its own, a daemon set and a stateful set that are done.
objects() { # NAMESPACE
	local uid n
	kc -n "$1" create deploy hist --image=nginx >/dev/null
	uid=$(kc -n "$1" get deploy hist -o jsonpath='{.metadata.uid}')
	for n in 1 2; do
		cat <<-END
			apiVersion: apps/v1
			kind: ReplicaSet
			metadata:
			  name: hist-$n
			  labels: {app: hist}
			  annotations: {deployment.kubernetes.io/revision: "$n", kubernetes.io/change-cause: "cause $n", deployment.kubernetes.io/max-replicas: "3"}
			  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: hist, uid: $uid, controller: true}]
			spec:
			  selector: {matchLabels: {app: hist, pod-template-hash: h$n}}
			  template: {metadata: {labels: {app: hist, pod-template-hash: h$n}}, spec: {containers: [{name: nginx, image: "nginx:$n"}]}}
			---
		END
	done >hist.yaml
	cat >sets.yaml <<-END
		apiVersion: apps/v1
		kind: DaemonSet
		metadata: {name: done}
		spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}
		---
		apiVersion: apps/v1
		kind: StatefulSet
		metadata: {name: done}
		spec: {replicas: 0, serviceName: s, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}
	END
	kc -n "$1" annotate deploy hist deployment.kubernetes.io/revision=2 >/dev/null
	kc -n "$1" create -f hist.yaml -f sets.yaml >/dev/null
	uid=$(kc -n "$1" get ds done -o jsonpath='{.metadata.uid}')
	for n in 1 2; do
		printf '{"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "done-%s", "labels": {"a": "b"}, "annotations": {"kubernetes.io/change-cause": "why"}, "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "done", "uid": "%s", "controller": true}]}, "revision": %s, "data": {"spec": {"template": {"$patch": "replace", "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:%s"}]}}}}}\n' $n "$uid" $n $n
	done | kc -n "$1" create -f - >/dev/null
	kc -n "$1" patch ds done --subresource=status --type=merge -p '{"status":{"observedGeneration":1,"currentNumberScheduled":0,"desiredNumberScheduled":0,"numberMisscheduled":0,"numberReady":0}}' >/dev/null
	kc -n "$1" patch sts done --subresource=status --type=merge -p '{"status":{"observedGeneration":1,"replicas":0}}' >/dev/null
	for n in 1 2; do
		printf 'apiVersion: v1\nkind: Node\nmetadata: {name: n%s-%s, labels: {pool: %s}}\n---\n' "$n" "$1" "$1"
	done >nodes.yaml
	pod() { printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s, %s}\nspec: {nodeName: n1-%s, terminationGracePeriodSeconds: 0, %s containers: [{name: c, image: i}]}\n---\n' "$1" "$2" "$4" "$3"; }
	owner() { echo "ownerReferences: [{apiVersion: apps/v1, kind: $1, name: done, uid: u1, controller: true}]"; }
	{
		pod bare "" "" "$1"
		pod dsp "$(owner DaemonSet)" "" "$1"
		pod mirror "annotations: {kubernetes.io/config.mirror: x}" "" "$1"
		pod empty "$(owner ReplicaSet)" "volumes: [{name: v, emptyDir: {}}]," "$1"
	} >pods.yaml
	kc create -f nodes.yaml >/dev/null
	kc -n "$1" create -f pods.yaml >/dev/null
}

setup_file() {
	api_file_start
	[ -n "${DIR:-}" ] || return 0
	cd "$DIR" || return 1
	mkdir tmp
	kc create namespace aaaaaa >/dev/null
	kc create namespace bbbbbb >/dev/null
	kc wait --for=create serviceaccount/default -n aaaaaa --timeout=20s >/dev/null
	kc wait --for=create serviceaccount/default -n bbbbbb --timeout=20s >/dev/null
	objects aaaaaa
	objects bbbbbb
}
teardown_file() { api_file_stop; }
setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
	export TMPDIR=$DIR/tmp
}

compare() { LIMIT=200 within python3 "$TOP/tests/e2e/kubectl_compare.py" "$TOP/tests/e2e/$1" "$KUBECTL" "$TEU" ns=aaaaaa ns=bbbbbb; }

@test "workloads and nodes are changed in the same way, and the same is said" {
	compare 7140-kubectl-work.list
}

@test "rollout status waits until all pods are new" {
	within "$TEU" kubectl create deploy slow --image=nginx >/dev/null
	within "$TEU" kubectl rollout status deploy slow >said 2>&1 3>&- &
	for ((i = 0; i < 100; i++)); do
		! grep -q observed said || break
		sleep 0.05
	done
	kc patch deploy slow --subresource=status --type=merge -p '{"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1}}' >/dev/null
	kc patch deploy slow --subresource=status --type=merge -p '{"status":{"availableReplicas":1,"readyReplicas":1}}' >/dev/null
	wait $!
	grep -q '0 of 1 updated replicas are available' said
	grep -q 'deployment "slow" successfully rolled out' said
}

@test "drain waits while a budget says no, and ends in time" {
	printf 'apiVersion: v1\nkind: Node\nmetadata: {name: busy}\n' | within "$TEU" kubectl create -f - >/dev/null
	printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: kept, labels: {app: kept}}\nspec: {nodeName: busy, terminationGracePeriodSeconds: 0, containers: [{name: c, image: i}]}\n' | within "$TEU" kubectl create -f - >/dev/null
	within "$TEU" kubectl create pdb kept --selector=app=kept --min-available=1 >/dev/null
	kc patch pod kept --subresource=status --type=merge -p '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}' >/dev/null
	fails_with "will retry after 5s" within "$TEU" kubectl drain busy --force --timeout=1s
	fails_with "global timeout reached" within "$TEU" kubectl drain busy --force --timeout=1s
	is 'Warning: deleting Pods that declare no controller: default/kept' within sh -c '"$1" kubectl drain busy --force --disable-eviction 2>&1 >/dev/null' sh "$TEU"
	fails_with "not found" within "$TEU" kubectl get pod kept
}
