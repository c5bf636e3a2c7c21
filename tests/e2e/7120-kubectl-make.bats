#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Objects that are made of flags: create KIND, run, expose, autoscale. Command lines are in 7120-kubectl-make.list.

bats_require_minimum_version 1.5.0
load kubectl.bash

setup_file() {
	kubectl_file_start || return 0
	mkdir -p folder/sub
	printf 'A=1\n# c\n\nB="x y"\n C=3\nHOME\n' >e.env
	printf '1a b\n' >bad.env
	printf 'hello\n' | tee f1 >folder/f1
	printf '\377\000' | tee f2 >folder/f2
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.crt -subj /CN=a -days 9 2>/dev/null
	openssl ecparam -genkey -name prime256v1 -noout 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out other.key
}
teardown_file() { api_file_stop; }
setup() { kubectl_setup; }

@test "what is made of flags is the same, byte for byte" {
	compare 7120-kubectl-make.list
}

@test "a token is asked for, and is good" {
	local token
	token=$(within "$TEU" kubectl create token default -n aaaaaa --duration=20m)
	fails_with 'User "system:serviceaccount:aaaaaa:default"' within "$TEU" kubectl --kubeconfig=/dev/null --server=https://127.0.0.1:6443 \
		--insecure-skip-tls-verify --token="$token" get pods
	is 1200 within "$TEU" kubectl create token default -n aaaaaa --duration=20m -o jsonpath='{.spec.expirationSeconds}'
}

@test "what needs a terminal in the pod is refused by name" {
	fails_with "--stdin is not supported" within "$TEU" kubectl run x --image=i -i
	fails_with "--attach is not supported" within "$TEU" kubectl run x --image=i --attach
}
