#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# auth reconcile. Command lines are in 7141-kubectl-reconcile.list.

bats_require_minimum_version 1.5.0
load apiserver.bash

role() { # NAME RULES
	printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s, labels: {l: "%s"}, annotations: {a: b}}\nrules: %s\n---\n' "$1" "$1" "$2"
}
binding() { # ROLE SUBJECTS
	printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %s}\nsubjects: %s\n---\n' "$1" "$2"
}
subject() { printf '{kind: %s, apiGroup: rbac.authorization.k8s.io, name: %s}' "$1" "$2"; }

files() { # NAMESPACE
	{
		role ro '[{verbs: [get, list], apiGroups: [""], resources: [pods, secrets]}, {verbs: ["*"], apiGroups: [apps], resources: ["*/scale"], resourceNames: [a, b]}]'
		binding ro "[$(subject User u1), $(subject Group g), {kind: ServiceAccount, name: s, namespace: x}]"
		printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: not-ours}\n'
	} | sed "s/metadata: {name: [a-z-]*/&, namespace: $1/" >"$1-1.yaml"
	{
		role ro '[{verbs: [get, watch], apiGroups: [""], resources: [pods]}, {verbs: [update], apiGroups: [apps], resources: [deployments/scale], resourceNames: [a]}, {verbs: [get], apiGroups: [apps], resources: [deployments]}]'
		binding ro "[$(subject User u1), $(subject User u2)]"
	} | sed "s/metadata: {name: [a-z-]*/&, namespace: $1/" >"$1-2.yaml"
	binding other "[$(subject User u3)]" | sed "s/metadata: {name: [a-z-]*/&, namespace: $1/" >"$1-3.yaml"
}

setup_file() {
	api_file_start
	[ -n "${DIR:-}" ] || return 0
	cd "$DIR" || return 1
	mkdir tmp
	for n in aaaaaa bbbbbb; do
		kc create namespace $n >/dev/null
		files $n
	done
}
teardown_file() { api_file_stop; }
setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
	export TMPDIR=$DIR/tmp
}

@test "roles and bindings are reconciled in the same way, and the same is said" {
	LIMIT=200 within python3 "$TOP/tests/e2e/kubectl_compare.py" "$TOP/tests/e2e/7141-kubectl-reconcile.list" "$KUBECTL" "$TEU" ns=aaaaaa ns=bbbbbb
}

rule() { printf 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: cr}\n%s\n' "$1"; }
reconcile() { within "$TEU" kubectl auth reconcile -f - "$@" 2>&1; }

@test "cluster roles: paths, and roles made of others" {
	rule 'rules: [{verbs: [get], nonResourceURLs: ["/a/*"]}]' | reconcile
	rule 'rules: [{verbs: [get, post], nonResourceURLs: ["/a/b"]}]' | reconcile | grep -qF '{Verbs:[post] APIGroups:[] Resources:[] ResourceNames:[] NonResourceURLs:[/a/b]}'
	rule 'aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}' | reconcile | grep -q 'required update'
	rule 'aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}' | { ! reconcile | grep -q required; }
	rule 'aggregationRule: {clusterRoleSelectors: [{matchLabels: {c: d}}]}' | reconcile --remove-extra-permissions | grep -q 'required update'
	is '[{"matchLabels":{"c":"d"}}]' within "$TEU" kubectl get clusterrole cr -o 'jsonpath={.aggregationRule.clusterRoleSelectors}'
	rule 'rules: []' | reconcile | grep -q 'required update'
	is '' within "$TEU" kubectl get clusterrole cr -o 'jsonpath={.aggregationRule}'
}

@test "the namespace of a role is made" {
	role ro '[]' | sed 's/{name: ro,/{name: ro, namespace: fresh,/' | reconcile | grep -q 'required create'
	is namespace/fresh within "$TEU" kubectl get ns fresh -o name
}
