#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who may do what, beyond roles: nodes.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
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
