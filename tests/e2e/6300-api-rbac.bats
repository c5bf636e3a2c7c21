#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who may do what: default roles, bindings that hold at once, escalation, reviews, modes, what the audit log says of it.

bats_require_minimum_version 1.5.0
load apiserver.bash
load words.bash
[ -n "${DIR:-}" ] || KUBECTL=$(api_any_kubectl)

start_server() {
	api_file_serve --token-auth-file "$DIR/tokens" --audit-policy-file "$DIR/policy" --audit-log-path "$DIR/audit/audit.log" --user 0
}

setup_file() {
	api_file_dir || return 0
	printf 'jo-token,jo,1,"dev"\nal-token,al,2\n' >"$DIR/tokens"
	printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n' >"$DIR/policy"
	chmod 644 "$DIR/tokens" "$DIR/policy"
	mkdir -m 777 "$DIR/audit"
	start_server
}
teardown_file() { api_file_stop; }
setup() { [ -n "${DIR:-}" ] || skip "needs root, a built teu and kubectl"; }

k() { kc "$@"; }
as() { # USER, then kubectl's words
	local user=$1
	shift
	within "$KUBECTL" --kubeconfig /dev/null --cache-dir "$DIR/cache-$user" --server https://127.0.0.1:6443 \
		--insecure-skip-tls-verify --token "$user-token" "$@"
}

@test "the default roles and bindings are there, and come back at the next start" {
	[ "$(k get clusterroles -l kubernetes.io/bootstrapping=rbac-defaults -o name | wc -l)" -ge 65 ]
	k get clusterrolebinding cluster-admin -o jsonpath='{.subjects[0].name}' | grep -qx system:masters
	k -n kube-system get role extension-apiserver-authentication-reader >/dev/null
	k delete clusterrole system:discovery >/dev/null
	k patch clusterrole system:basic-user --type=json -p '[{"op":"remove","path":"/rules/0"}]' >/dev/null
	k annotate clusterrole system:kube-dns --overwrite rbac.authorization.kubernetes.io/autoupdate=false >/dev/null
	k patch clusterrole system:kube-dns --type=merge -p '{"rules":[]}' >/dev/null
	run ! as jo api-resources
	api_file_end
	start_server
	as jo api-resources >/dev/null
	[ "$(k get clusterrole system:basic-user -o json | grep -c selfsubject)" -ge 3 ]
	[ "$(k get clusterrole system:kube-dns -o jsonpath='{.rules}')" = "[]" ]
}

@test "who is bound may, at once, there and no more" {
	run as jo get pods
	[ "$status" -ne 0 ]
	[[ "$output" == *'pods is forbidden: User "jo" cannot list resource "pods" in API group "" in the namespace "default"'* ]]
	k create role reader --verb=get,list,watch --resource=pods,pods/log
	k create rolebinding readers --role=reader --group=dev
	as jo get pods
	[ "$(as jo auth can-i list pods)" = yes ]
	[ "$(as jo auth can-i get pods/log)" = yes ]
	run as jo auth can-i delete pods
	[ "$output" = no ]
	run as jo auth can-i list pods -n kube-system
	[ "$output" = no ]
	run as al get pods
	[ "$status" -ne 0 ]
	as jo auth can-i --list | grep -q 'pods/log .*\[get list watch\]'
	k delete rolebinding readers
	run as jo get pods
	[ "$status" -ne 0 ]
}

@test "names limit what a rule gives" {
	k create configmap mine --from-literal=a=1
	k create configmap other --from-literal=a=1
	k create role one --verb=get,update,patch --resource=configmaps --resource-name=mine
	k create rolebinding one --role=one --user=jo
	as jo get configmap mine
	as jo label configmap mine x=y
	run as jo get configmap other
	[ "$status" -ne 0 ]
	run as jo get configmaps
	[ "$status" -ne 0 ]
}

@test "nobody gives away what they do not hold" {
	k apply -f - <<-END
		apiVersion: rbac.authorization.k8s.io/v1
		kind: ClusterRole
		metadata: {name: giver}
		rules:
		- {apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings, clusterroles], verbs: [create, get, update, patch]}
		- {apiGroups: [""], resources: [pods], verbs: [get]}
	END
	k create clusterrolebinding giver --clusterrole=giver --user=al
	run as al create rolebinding all --clusterrole=cluster-admin --user=al
	[ "$status" -ne 0 ]
	[[ "$output" == *'user "al" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held'* ]]
	run as al create role big --verb=get --resource=secrets
	[[ "$output" == *'Resources:["secrets"], Verbs:["get"]'* ]]
	as al create role small --verb=get --resource=pods
	run as al patch role small --type=json -p '[{"op":"add","path":"/rules/0/verbs/-","value":"delete"}]'
	[[ "$output" == *'Verbs:["delete"]'* ]]
	run as al create clusterrole gather --aggregation-rule=a=b
	[[ "$output" == *"must have cluster-admin privileges to use the aggregationRule"* ]]
	run as al create rolebinding ghost --role=nowhere --user=al
	[[ "$output" == *'roles.rbac.authorization.k8s.io "nowhere" not found'* ]]
	k create clusterrole binder --verb=bind --resource=clusterroles --resource-name=view
	k create clusterrolebinding binder --clusterrole=binder --user=al
	as al create rolebinding viewers --clusterrole=view --user=al
	run as al create rolebinding editors --clusterrole=edit --user=al
	[ "$status" -eq 0 ] || [[ "$output" == *"not currently held"* ]]
	# what the garbage collector writes gives nothing away
	k create role held --verb=get --resource=secrets
	as al patch role held --type=merge -p '{"metadata":{"finalizers":["example.com/x"]}}'
	as al patch role held --type=merge -p '{"metadata":{"finalizers":null}}'
	run as al label role held a=b
	[[ "$output" == *"not currently held"* ]]
	k create clusterrole escalator --verb=escalate --resource=roles
	k create clusterrolebinding escalator --clusterrole=escalator --user=al
	as al create role big --verb=get --resource=secrets
}

view_has() { k get clusterrole view edit admin -o jsonpath='{range .items[*]}{.rules[*].resources}{"\n"}{end}' | grep -c "$1" | grep -qx 3; }
view_lacks() { ! view_has "$1"; }

@test "admin, edit and view gather what is labelled for them" {
	until_ok view_has '"pods"'
	k create rolebinding looker --clusterrole=view --user=jo -n kube-public
	as jo get pods -n kube-public
	run as jo get secrets -n kube-public
	[ "$status" -ne 0 ]
	k create clusterrole tabs --verb=get,list --resource=podtemplates
	k label clusterrole tabs rbac.authorization.k8s.io/aggregate-to-view=true
	until_ok view_has '"podtemplates"'
	as jo get podtemplates -n kube-public
	k patch clusterrole view --type=merge -p '{"rules":[]}'
	until_ok view_has '"pods"'
	k delete clusterrole tabs
	until_ok view_lacks '"podtemplates"'
	run as jo get podtemplates -n kube-public
	[ "$status" -ne 0 ]
}

@test "strangers see the server's health and nothing else" {
	within curl -sk https://127.0.0.1:6443/livez | grep -qx ok
	within curl -sk https://127.0.0.1:6443/version | grep -q gitVersion
	within curl -sk https://127.0.0.1:6443/apis | grep -q '"code": *403'
	within curl -sk https://127.0.0.1:6443/api/v1/secrets | grep -q 'User .*system:anonymous'
	within curl -sk -H 'Authorization: Bearer wrong' https://127.0.0.1:6443/livez | grep -q '"code": *401'
}

@test "who may act as others does, each thing by its own right" {
	[ "$(k --as=zoe --as-group=crew auth whoami -o jsonpath='{.status.userInfo.username} {.status.userInfo.groups}')" = 'zoe ["crew","system:authenticated"]' ]
	run k --as=zoe get secrets -A
	[[ "$output" == *'User "zoe" cannot list resource "secrets"'* ]]
	k create clusterrole become-zoe --verb=impersonate --resource=users --resource-name=zoe
	k create clusterrolebinding become-zoe --clusterrole=become-zoe --user=al
	[ "$(as al --as=zoe auth whoami -o jsonpath='{.status.userInfo.username}')" = zoe ]
	[ "$(k auth can-i impersonate users/zoe --as=al)" = yes ]
	[ "$(k auth can-i list pods --as=system:serviceaccount:default:x --as-group=system:masters)" = yes ]
	run as al --as=zoe --as-group=system:masters get --raw /api/v1/pods
	[[ "$output" == *'User "al" cannot impersonate-on:user-info:list resource "pods" in API group "" at the cluster scope'* ]]
	run as al --as=kubernetes-admin get --raw /api/v1/secrets
	[[ "$output" == *'User "al" cannot impersonate-on:user-info:list resource "secrets"'* ]]
	run as jo --as=zoe get --raw /api/v1/pods
	[ "$status" -ne 0 ]
	grep -q '"username":"al".*"impersonatedUser":{"username":"zoe"' "$DIR/audit/audit.log"
}

@test "the log says what allowed a request" {
	k create role auditor --verb=list --resource=podtemplates
	k create rolebinding auditor --role=auditor --user=al
	as al get podtemplates >/dev/null
	grep -q '"verb":"list".*"username":"al".*RBAC: allowed by RoleBinding .*auditor/default.*to User .*al' "$DIR/audit/audit.log"
	run ! grep -q jo-token "$DIR/audit/audit.log"
}

@test "modes that there are not are refused by name" {
	run "$TEU" apiserver --authorization-mode Magic
	[ "$status" -ne 0 ]
	[[ "$output" == *"\"Magic\" is not a valid mode"* ]]
}
