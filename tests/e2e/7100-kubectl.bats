#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teu kubectl beside kubectl, on the same cluster: the same bytes, the same status. Command lines are in 7100-*.list.

bats_require_minimum_version 1.5.0
load apiserver.bash

setup_file() {
	printf 'sesame,joe,1001\n' >"$BATS_FILE_TMPDIR/tokens"
	api_file_start --token-auth-file "$BATS_FILE_TMPDIR/tokens"
	[ -n "${DIR:-}" ] || return 0
	cd "$DIR" || return 1
	mkdir -p dir/sub
	cat >obj.yaml <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: p1, labels: {app: a, tier: x}}
		spec: {containers: [{name: c, image: b}]}
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: p2, labels: {app: b}}
		spec: {containers: [{name: c, image: "nginx:1"}, {name: d, image: r}]}
		---
		apiVersion: v1
		kind: ConfigMap
		metadata: {name: cm1}
		data: {b: "2", a: "1 < 2"}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: s1}
		spec: {ports: [{port: 80}], selector: {app: a}}
		---
		apiVersion: apps/v1
		kind: Deployment
		metadata: {name: d1, labels: {app: web}}
		spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: nginx}]}}}
	END
	printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm1}\n' | tee one.yaml dir/one.yaml >dir/sub/one.yaml
	kc wait --for=create serviceaccount/default --timeout=20s >/dev/null
	kc create -f obj.yaml >/dev/null
}
teardown_file() { api_file_stop; }
setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
}

compare() { LIMIT=120 within python3 "$TOP/tests/e2e/kubectl_compare.py" "$TOP/tests/e2e/$1" "$KUBECTL" "$TEU" "${@:2}"; }
# A program by the name of kubectl.
tk() { within "$DIR/bin/kubectl" "$@"; }

@test "what is asked of a cluster is answered with the same bytes" {
	compare 7100-kubectl.list
}

@test "templates of Go print the same bytes, mistakes too" {
	printf '{{.kind}} {{range .items}}{{.metadata.name}} {{end}}\n' >t.tpl
	printf '{{.kind}}\n{{if .kind}}\n  {{foo}}\n{{end}}\n' >bad.tpl
	printf 'a\n  {{- .kind -}}\n\n{{range $k, $v := .data}}\n{{$v.x}}\n{{end}}\n' >lines.tpl
	compare 7100-kubectl-template.list
}

# on_terminal PROGRAM...: the same of every program, in what a terminal shows of both of its streams.
on_terminal() {
	local words
	words=$(printf '%q ' "$@")
	within env -u NO_COLOR "${AS[@]}" script -qec "$words --cache-dir $DIR/cache" /dev/null </dev/null
}

@test "warnings stand where they came up, and have kubectl's colours on a terminal" {
	local dep=$BATS_TEST_TMPDIR/dep.yaml
	printf 'apiVersion: v1\nkind: %s\nmetadata: {name: shown}\n---\n' ConfigMap Endpoints ServiceAccount >"$dep"
	for AS in "TERM=xterm" "TERM=xterm NO_COLOR=1" "TERM=dumb"; do
		read -ra AS <<<"$AS"
		for words in "create -f $dep" "apply -f $dep" "get endpoints shown -o name" "auth can-i jump nodes" \
			"create role r --verb=jump --resource=pods --dry-run=client" "delete -f $dep"; do
			read -ra words <<<"$words"
			on_terminal "$KUBECTL" "${words[@]}" >"$BATS_TEST_TMPDIR/theirs"
			if [ "${words[0]}" = create ] && [ "${words[1]}" = -f ]; then kc delete -f "$dep" >/dev/null 2>&1; fi
			if [ "${words[0]}" = apply ]; then kc annotate -f "$dep" kubectl.kubernetes.io/last-applied-configuration- >/dev/null 2>&1; fi
			if [ "${words[0]}" = delete ]; then kc create -f "$dep" >/dev/null 2>&1; fi
			on_terminal "$TEU" kubectl "${words[@]}" >"$BATS_TEST_TMPDIR/ours"
			[ -s "$BATS_TEST_TMPDIR/theirs" ]
			diff "$BATS_TEST_TMPDIR/theirs" "$BATS_TEST_TMPDIR/ours"
		done
	done
}

@test "kubeconfig files are changed in the same way" {
	local d
	mkdir A B
	for d in A B; do
		cat >$d/a <<-END
			apiVersion: v1
			kind: Config
			foo: bar
			clusters:
			- name: c1
			  cluster: {server: "https://a:1", certificate-authority: ca.crt, unknown: 1}
			- name: c0
			  cluster: {server: "https://a:0", insecure-skip-tls-verify: true, extensions: [{name: x, extension: {a: 1}}]}
			users:
			- name: u1
			  user: {token: abc, as: joe, as-groups: [g1], as-user-extra: {k: [v]}}
			contexts:
			- name: x1
			  context: {cluster: c1, user: u1}
		END
		cat >$d/b <<-END
			apiVersion: v1
			kind: Config
			clusters:
			- name: c1
			  cluster: {server: "https://b:1", tls-server-name: tn, proxy-url: "http://p:1"}
			users:
			- name: u1
			  user: {username: U, password: P, tokenFile: tf}
			- name: u2
			  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./plug, env: [{name: A, value: B}]}}
			- name: u3
			  user: {auth-provider: {name: gcp, config: {a: b}}}
			contexts:
			- name: x1
			  context: {cluster: c2, user: u2, namespace: ns1}
			- name: x2
			  context: {cluster: c2, user: u2, namespace: ns1}
			current-context: x2
			preferences: {colors: true}
		END
		echo text >$d/ca2.crt
	done
	compare 7100-kubectl-config.list "$DIR/A" "$DIR/B"
	[ "$(stat -c %a B/a)" = 600 ]
	[ ! -e B/a.lock ]
	touch B/a.lock
	! KUBECONFIG=B/a "$TEU" kubectl config use-context x9 2>said
	grep -q "somebody else is changing the file" said
}

@test "a program by the name of kubectl; what is not there yet is refused by name" {
	mkdir -p bin
	ln -sf "$TEU" bin/kubectl
	is "pod/p1" tk get pods p1 -o name
	says "Usage:  kubectl" tk --help
	says "Print objects" tk get --help
	says "Print objects" tk help get
	fails_with "get-contexts" tk config
	says "/api/v1/namespaces/default/pods/p1 200 in" tk -v6 get pods p1
	fails_with "x is not found" tk get pods -o 'jsonpath={.x}' --allow-missing-template-keys=false
	fails_with "kubectl proxy: not supported by teu kubectl yet" tk proxy
	fails_with "--kustomize is not supported" tk get -k .
	fails_with "unknown command" tk nothing-of-the-kind
	is "pod/p1" within "$TEU" --root "$DIR/root" kubectl get pods p1 -o name
}

@test "credentials: certificates as files, tokens, a program that knows them" {
	local ca
	ca=$("$TEU" kubectl config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d | tee ca.crt | wc -l)
	[ "$ca" -gt 3 ]
	"$TEU" kubectl config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d >me.crt
	"$TEU" kubectl config view --raw -o 'jsonpath={.users[0].user.client-key-data}' | base64 -d >me.key
	S="--kubeconfig=$DIR/none --server=https://127.0.0.1:6443"
	: >none
	is "pod/p1" tk $S --certificate-authority=ca.crt --client-certificate=me.crt --client-key=me.key get pods p1 -o name
	is "pod/p1" tk $S --insecure-skip-tls-verify --client-certificate=me.crt --client-key=me.key get pods p1 -o name
	fails_with "certificate" tk $S --client-certificate=me.crt --client-key=me.key get pods p1
	fails_with "one is missing" tk $S --certificate-authority=ca.crt --client-certificate=me.crt get pods p1
	fails_with "logged in" tk $S --certificate-authority=ca.crt --token=wrong get pods p1
	fails_with "Forbidden" tk $S --certificate-authority=ca.crt get pods p1
	fails_with 'User "joe"' tk $S --certificate-authority=ca.crt --token=sesame get pods p1
	cat >plug <<-END
		#!/bin/sh
		echo "\$KUBERNETES_EXEC_INFO" >"$DIR/info"
		printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "\$(cat $DIR/token)"
	END
	chmod +x plug
	echo sesame >token
	export KUBECONFIG=$DIR/plugged
	"$TEU" kubectl config set-cluster c --server=https://127.0.0.1:6443 --certificate-authority=ca.crt
	"$TEU" kubectl config set-credentials u --exec-command=./plug --exec-api-version=client.authentication.k8s.io/v1 --exec-interactive-mode=Never --exec-provide-cluster-info
	"$TEU" kubectl config set-context x --cluster=c --user=u
	"$TEU" kubectl config use-context x
	fails_with 'User "joe"' tk get pods p1
	grep -q '"server":"https://127.0.0.1:6443"' info
	grep -q '"interactive":false' info
	echo "exit 3" >plug
	fails_with "exec plugin './plug'" tk get pods p1
	fails_with "The connection to the server 127.0.0.1:1 was refused" tk --kubeconfig=none --server=https://127.0.0.1:1 get pods
}

@test "a watch sees what happens" {
	local i other
	within "$TEU" kubectl get cm -w --output-watch-events -o name >seen 2>&1 3>&- &
	BEHIND=$!
	within timeout 20 "$TEU" kubectl get cm --watch-only --no-headers >seen2 2>&1 3>&- &
	other=$!
	for ((i = 0; i < 100; i++)); do
		kc create configmap w$i >/dev/null
		! grep -q "^w" seen2 || break
		sleep 0.1
	done
	kill "$BEHIND" "$other"
	wait "$BEHIND" "$other" || true # not for all: bats has a child of its own that counts time
	grep -q "^w" seen2
}
