#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who may do what, beyond roles: nodes; and why.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
. "$TOP/tests/e2e/apiserver.bash"
KUBECTL_DEFAULT=${TEU_CACHE:-${XDG_CACHE_HOME:-/root/.cache}/teu}/kube/kubectl
command -v "$KUBECTL" >/dev/null || KUBECTL=$KUBECTL_DEFAULT

setup_file() {
	TOKENS=$(mktemp -d /tmp/teu-tokens-XXXXXX)
	chmod 755 "$TOKENS"
	printf 'n1-token,system:node:n1,1,"system:nodes"\nn2-token,system:node:n2,2,"system:nodes"\n' >"$TOKENS/tokens"
	printf 'jo-token,jo,3,"dev"\n' >>"$TOKENS/tokens"
	chmod 644 "$TOKENS/tokens"
	export TOKENS
	api_file_start --token-auth-file "$TOKENS/tokens"
}

teardown_file() {
	api_file_stop
	rm -rf "$TOKENS"
}

setup() { api_test_setup; }

as() { # USER, then kubectl's words
	local user=$1
	shift
	within "$KUBECTL" --kubeconfig /dev/null --cache-dir "$DIR/cache-$user" --server https://127.0.0.1:6443 \
		--insecure-skip-tls-verify --token "$user-token" "$@"
}

@test "a node sees its pods and what they refer to, and nothing of others" {
	kn create secret generic s1 --from-literal=a=1
	kn create secret generic s2 --from-literal=a=1
	kn run p --image=i --restart=Never --overrides='{"spec":{"nodeName":"n1","containers":[{"name":"c","image":"i","envFrom":[{"secretRef":{"name":"s1"}}]}]}}'
	as n1 -n "$NS" get secret s1
	fails_with "no relationship found between node 'n1' and this object" as n1 -n "$NS" get secret s2
	fails_with "no relationship found between node 'n2' and this object" as n2 -n "$NS" get secret s1
	fails_with "No Object name found" as n1 -n "$NS" get secrets
	as n1 get pods -A --field-selector spec.nodeName=n1 -o name | grep -qx pod/p
	fails_with "can only list/watch pods with spec.nodeName field selector" as n2 get pods -A --field-selector spec.nodeName=n1
	as n1 get services -A
	fails_with "cannot list resource" as n1 get deployments -A
	kn create serviceaccount robot
	kn run q --image=i --restart=Never --overrides='{"spec":{"nodeName":"n1","serviceAccountName":"robot"}}'
	fails_with "node requested token not bound to a pod" as n1 -n "$NS" create token robot
	fails_with "no relationship found" as n2 -n "$NS" create token robot
	as n1 -n "$NS" create token robot --bound-object-kind Pod --bound-object-name q \
		--bound-object-uid "$(kn get pod q -o jsonpath='{.metadata.uid}')"
	kn delete pod p --grace-period=0 --force
	fails_with "no relationship found" as n1 -n "$NS" get secret s1
}

@test "a node writes its own Node, without labels and taints that are others' to set" {
	local node='{"apiVersion":"v1","kind":"Node","metadata":{"name":"NAME","labels":{"kubernetes.io/os":"linux"}}}'
	as n1 create -f - <<<"${node/NAME/n1}"
	fails_with 'node "n1" is not allowed to modify node "n3"' as n1 create -f - <<<"${node/NAME/n3}"
	as n1 label node n1 example.com/rack=7
	fails_with "is not allowed to modify labels: node-restriction.kubernetes.io/zone" as n1 label node n1 node-restriction.kubernetes.io/zone=a
	kc taint node n1 k=v:NoSchedule
	fails_with "is not allowed to modify taints" as n1 taint node n1 k-
	fails_with "only its own Node object" as n2 get node n1
	fails_with "can only create mirror pods" as n1 -n "$NS" run p --image=i --overrides='{"spec":{"nodeName":"n1"}}'
	says yes as n1 auth can-i get node/n1
}

why() { "$TEU" --root "$DIR/root" --run "$DIR/run" why can "$@"; }

@test "why can: the rule that says so, or what is missing" {
	says "members of system:masters may do everything" why root get secrets -A -g system:masters
	kn create role reader --verb=get,list --resource=pods,deployments
	kn create rolebinding readers --role=reader --group=dev
	local out
	out=$(why jo list po -n "$NS" --group dev)
	[[ $out == "yes: jo list pods in the namespace $NS"*"RBAC: allowed by RoleBinding \"readers/$NS\" of Role \"reader\" to Group \"dev\""* ]]
	[[ $out == *"rule: verbs get,list; resources pods; groups \"\""* ]]
	run -1 why jo delete pods web -n "$NS" -g dev
	[[ $output == "no: jo delete pods web in the namespace $NS"* ]]
	[[ $output == *'RBAC: no opinion'* ]]
	[[ $output == *"nearest, lacks the verb: RoleBinding \"$NS/readers\" of Role \"reader\" to Group \"dev\""* ]]
	[[ $output == *$'would allow it:\n    ClusterRole "admin"\n    ClusterRole "cluster-admin"\n    ClusterRole "edit"\n    ClusterRole "system:'* ]]
	run -1 why system:node:n1 list pods -A
	[[ $output == *"Node: no opinion: can only list/watch pods with spec.nodeName field selector"* ]]
	why system:node:n1 list pods -A --field-selector spec.nodeName=n1
	why al get /livez
	run -1 why al get /metrics
	why system:serviceaccount:kube-system:job-controller create pods -n "$NS" | grep -q system:controller:job-controller
	run why jo list
	[ "$status" -ne 0 ]
}
