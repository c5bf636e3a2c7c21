#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What apply would change, what it deletes and keeps, and objects in an editor. Command lines are in 7130-kubectl-change.list.

bats_require_minimum_version 1.5.0
load kubectl.bash

setup_file() {
	kubectl_file_start || return 0
	cm() { printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {app: x}}\ndata: {a: "%s"}\n' "$1" "$2"; }
	{ cm c1 1; echo ---; cm c2 1; } >a1.yaml
	{ cm c1 2; echo ---; cm c2 1; echo ---; cm c3 1; } >a2.yaml
	cm c1 3 >a3.yaml
	cm c9 3 >new.yaml
	cm plain 1 >plain.yaml
	printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: s1}\nstringData: {a: one, b: two}\n' >secret1.yaml
	printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: s1}\nstringData: {a: one, b: three, c: x}\n' >secret2.yaml
}
teardown_file() { api_file_stop; }
setup() { kubectl_setup; }

@test "objects are compared, pruned and edited in the same way, and the same is said" {
	compare 7130-kubectl-change.list
}

@test "another program compares; folders are gone behind it" {
	rm -rf tmp/*
	printf '#!/bin/sh\nls "$1" "$2" >"%s/seen"; stat -c %%a "$1" "$1"/* >>"%s/seen"; echo "$3"; exit 1\n' "$DIR" "$DIR" >mydiff
	chmod +x mydiff
	run -1 within env KUBECTL_EXTERNAL_DIFF="$DIR/mydiff -x ../etc" "$TEU" kubectl diff -f a3.yaml -n bbbbbb
	[ "$output" = "-x" ]
	grep -q v1.ConfigMap.bbbbbb.c1 seen
	grep -qx 700 seen
	grep -qx 600 seen
	[ -z "$(ls tmp)" ]
	run -2 within env KUBECTL_EXTERNAL_DIFF=nothing-of-the-kind "$TEU" kubectl diff -f a3.yaml -n bbbbbb
	[ -z "$(ls tmp)" ]
}

@test "the editor's file is nobody else's, shows what was wrong, and goes" {
	within "$TEU" kubectl create deploy ed --image=nginx >/dev/null
	rm -rf tmp/*
	cat >myeditor <<-'END'
		#!/bin/sh
		stat -c %a "$1" >>"$DIR/modes"
		cp "$1" "$DIR/shown"
		if grep -q "not valid" "$1"; then sed -i 's/replicas: -1/replicas: 3/' "$1"; else sed -i 's/replicas: 1/replicas: -1/' "$1"; fi
	END
	chmod +x myeditor
	run -0 within env DIR="$DIR" EDITOR="$DIR/myeditor" "$TEU" kubectl edit deploy ed
	[[ $output == *'deployments.apps "ed" is invalid'*'deployment.apps/ed edited'* ]]
	[ "$(sort -u modes)" = 600 ]
	grep -q "spec.replicas" shown
	[ -z "$(ls tmp)" ]
	is 3 within "$TEU" kubectl get deploy ed -o jsonpath='{.spec.replicas}'
	run -1 within env EDITOR="sed -i s/replicas:.*/replicas:\ -2/" "$TEU" kubectl edit deploy ed
	[[ $output == *"A copy of your changes has been stored to"*"no valid changes were saved"* ]]
	[ "$(ls tmp | wc -l)" = 1 ]
}
