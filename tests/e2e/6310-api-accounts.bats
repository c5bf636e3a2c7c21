#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Service accounts: what namespaces get, tokens by kubectl, by Secrets and in pods, who they are, when they end, discovery.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/apiserver.bash"

setup_file() { api_file_start --user 0 --enable-bootstrap-token-auth; }
teardown_file() { api_file_stop; }
setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
	NS=acc$BATS_TEST_NUMBER
	kc create namespace "$NS" >/dev/null
}

# Whoever holds the token $1, without any other credentials.
holder() {
	local token=$1
	shift
	within "$KUBECTL" --kubeconfig /dev/null --cache-dir "$DIR/cache-holder" --server https://127.0.0.1:6443 \
		--insecure-skip-tls-verify --token "$token" "$@"
}
whois() { holder "$1" auth whoami -o "jsonpath={.status.userInfo.username}"; }
soon() { # COMMAND...
	local i
	for i in $(seq 100); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

@test "each namespace gets its account and the roots, again when they are removed" {
	kc get serviceaccount default -n kube-system >/dev/null
	soon kn get serviceaccount default
	soon kn get configmap kube-root-ca.crt
	[ "$(kn get configmap kube-root-ca.crt -o jsonpath='{.data.ca\.crt}')" = "$(kc config view --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d)" ]
	kn delete serviceaccount default
	soon kn get serviceaccount default
	kn patch configmap kube-root-ca.crt -p '{"data":{"ca.crt":"other"}}'
	mended() { kn get configmap kube-root-ca.crt -o yaml | grep -q 'BEGIN CERTIFICATE'; }
	soon mended
}

@test "kubectl makes tokens, which are their account and end with it" {
	kn create serviceaccount bot
	t=$(kn create token bot)
	[ "$(whois "$t")" = "system:serviceaccount:$NS:bot" ]
	[ "$(holder "$t" auth whoami -o 'jsonpath={.status.userInfo.groups}')" = "[\"system:serviceaccounts\",\"system:serviceaccounts:$NS\",\"system:authenticated\"]" ]
	fails_with "cannot list resource \"pods\"" holder "$t" get pods -n "$NS"
	kn create role viewer --verb=list --resource=pods
	kn create rolebinding view --role=viewer --serviceaccount="$NS:bot"
	holder "$t" get pods -n "$NS"
	fails_with "cannot list resource \"pods\"" holder "$t" get pods -n default
	fails_with "10 minutes" kn create token bot --duration=5m
	foreign=$(kn create token bot --audience=vault)
	fails_with "must be logged in" holder "$foreign" get pods -n "$NS"
	fails_with "must be logged in" holder "${t%?????}aaaaa" get pods -n "$NS"
	kn delete serviceaccount bot
	fails_with "must be logged in" holder "$t" get pods -n "$NS"
	kn create serviceaccount bot
	fails_with "must be logged in" holder "$t" get pods -n "$NS"
}

@test "pods have a token of their account, bound to them" {
	kn run p --image=i # at once: it waits for the account
	[ "$(kn get pod p -o 'jsonpath={.spec.containers[0].volumeMounts[0].mountPath}')" = /var/run/secrets/kubernetes.io/serviceaccount ]
	t=$(kn create token default --bound-object-kind=Pod --bound-object-name=p)
	[ "$(holder "$t" auth whoami -o "jsonpath={.status.userInfo.extra['authentication\.kubernetes\.io/pod-name'][0]}")" = p ]
	fails_with "does not match" kn create token default --bound-object-kind=Pod --bound-object-name=p --bound-object-uid=other
	kn delete pod p --grace-period=0 --force
	fails_with "must be logged in" holder "$t" get pods
	fails_with "not found" kn run q --image=i --overrides='{"spec":{"serviceAccountName":"nobody"}}'
}

@test "Secrets of tokens are filled, marked when used, and go with their account" {
	kn create serviceaccount old
	kn apply -f - <<-END
		apiVersion: v1
		kind: Secret
		metadata: {name: s, annotations: {kubernetes.io/service-account.name: old}}
		type: kubernetes.io/service-account-token
	END
	filled() { [ -n "$(kn get secret s -o 'jsonpath={.data.token}')" ]; }
	soon filled
	[ "$(kn get secret s -o 'jsonpath={.data.namespace}' | base64 -d)" = "$NS" ]
	t=$(kn get secret s -o 'jsonpath={.data.token}' | base64 -d)
	[ "$(whois "$t")" = "system:serviceaccount:$NS:old" ]
	marked() { [ "$(kn get secret s -o "jsonpath={.metadata.labels['kubernetes\.io/legacy-token-last-used']}")" = "$(date -u +%F)" ]; }
	soon marked
	kn patch secret s -p '{"data":{"token":"b3RoZXI="}}'
	fails_with "must be logged in" holder "$t" get pods
	kn delete serviceaccount old
	gone() { ! kn get secret s; }
	soon gone
	fails_with "service-account.name" kn create secret generic x --type=kubernetes.io/service-account-token
}

@test "others find issuer and keys, and verify with them" {
	t=$(kn create token default)
	[ "$(holder "$t" get --raw /.well-known/openid-configuration | python3 -c 'import json,sys; d = json.load(sys.stdin); print(d["issuer"], d["jwks_uri"])')" = \
		"https://kubernetes.default.svc.cluster.local https://127.0.0.1:6443/openid/v1/jwks" ]
	holder "$t" get --raw /openid/v1/jwks | grep -q '"kid"'
	within curl -sk https://127.0.0.1:6443/openid/v1/jwks | grep -q '"code": *403'
	printf '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s"}}' "$t" >review
	[ "$(kc create -f review -o 'jsonpath={.status.authenticated} {.status.user.username}')" = "true system:serviceaccount:$NS:default" ]
	printf '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s","audiences":["vault"]}}' "$t" >review
	kc create -f review -o 'jsonpath={.status}' | grep -q 'is invalid for the target audiences'
}

@test "who is bound to accounts by impersonation has their rights and no more" {
	kn create serviceaccount bot
	kn create role viewer --verb=list --resource=pods
	kn create rolebinding bot --role=viewer --serviceaccount="$NS:bot"
	[ "$(kn auth can-i list pods --as="system:serviceaccount:$NS:bot")" = yes ]
	run kn auth can-i list secrets --as="system:serviceaccount:$NS:bot"
	[ "$output" = no ]
}

@test "an account acts as its own node, only where it may, and as no other" {
	kn create serviceaccount agent
	printf '{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"own-node"},"rules":[
		{"apiGroups":["authentication.k8s.io"],"resources":["nodes"],"verbs":["impersonate:associated-node"]},
		{"apiGroups":[""],"resources":["pods"],"verbs":["impersonate-on:associated-node:list"]}]}' | kc create -f -
	kc create clusterrolebinding own-node --clusterrole=own-node --serviceaccount="$NS:agent"
	for n in w1 w2; do printf '{"apiVersion":"v1","kind":"Node","metadata":{"name":"%s"}}' $n | kc create -f -; done
	t=$(kn create token agent --bound-object-kind Node --bound-object-name w1)
	node() { holder "$t" --as="system:node:$1" get --raw "$2"; }
	node w1 '/api/v1/pods?fieldSelector=spec.nodeName%3Dw1' | grep -q '"kind":"PodList"'
	fails_with 'User "system:node:w1" cannot list resource "pods"' node w1 /api/v1/pods
	fails_with "cannot impersonate-on:associated-node:get" node w1 /api/v1/nodes/w1
	fails_with "cannot impersonate-on:arbitrary-node:list" node w2 '/api/v1/pods?fieldSelector=spec.nodeName%3Dw2'
	t=$(kn create token agent)
	fails_with "cannot impersonate-on:arbitrary-node:list" node w1 '/api/v1/pods?fieldSelector=spec.nodeName%3Dw1'
	kc get --raw /metrics | grep -q 'apiserver_impersonation_attempts_total{decision="allowed",mode="associated-node"} [1-9]'
	kc get --raw /metrics | grep -q 'apiserver_impersonation_attempts_total{decision="denied",mode=""} [1-9]'
	kc delete node w1 w2
}

@test "nodes join by the tokens of Secrets, until they end" {
	join() { # EXPIRATION
		kc -n kube-system delete secret bootstrap-token-abcdef --ignore-not-found
		kc -n kube-system create secret generic bootstrap-token-abcdef --type=bootstrap.kubernetes.io/token --from-literal=token-id=abcdef \
			--from-literal=token-secret=0123456789abcdef --from-literal=usage-bootstrap-authentication=true \
			--from-literal=auth-extra-groups=system:bootstrappers:new --from-literal=expiration="$1"
	}
	join "$(date -u -d '+1 hour' +%FT%TZ)"
	[ "$(whois abcdef.0123456789abcdef)" = system:bootstrap:abcdef ]
	holder abcdef.0123456789abcdef auth whoami -o 'jsonpath={.status.userInfo.groups}' | grep -q '"system:bootstrappers","system:bootstrappers:new"'
	fails_with "must be logged in" holder abcdef.0123456789abcdeg get pods
	join "$(date -u -d '-1 second' +%FT%TZ)"
	fails_with "must be logged in" holder abcdef.0123456789abcdef get pods
}

@test "what the front proxy says of users is believed, of others it is not" {
	pki=$DIR/root/apiserver/pki
	ask() { # CERTIFICATE, then curl's words
		within curl -sk --cert "$pki/$1.crt" --key "$pki/$1.key" -H 'Content-Type: application/json' "${@:2}" \
			-d '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}' https://127.0.0.1:6443/apis/authentication.k8s.io/v1/selfsubjectreviews
	}
	who=$(ask front-proxy-client -H 'X-Remote-User: jo' -H 'X-Remote-Group: dev' -H 'X-Remote-Extra-Scope: s' | jq -c .status.userInfo)
	[ "$who" = '{"username":"jo","groups":["dev","system:authenticated"],"extra":{"scope":["s"]}}' ]
	[ "$(within curl -sk --cert "$pki/front-proxy-client.crt" --key "$pki/front-proxy-client.key" https://127.0.0.1:6443/api | jq .code)" = 401 ]
	[ "$(ask scheduler -H 'X-Remote-User: jo' | jq -r .status.userInfo.username)" = system:kube-scheduler ]
	kc -n kube-system get cm extension-apiserver-authentication -o jsonpath='{.data.requestheader-username-headers}' | grep -qxF '["X-Remote-User"]'
}

@test "keys and issuers by flags: another server believes the tokens of both keys" {
	t=$(kn create token default)
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key 2>/dev/null
	fails_with "goes with" "$TEU" apiserver --service-account-key-file rsa.key
	fails_with "from 1h" "$TEU" apiserver --service-account-max-token-expiration 5m
	fails_with "must be a text without a colon or a URL" "$TEU" --root "$DIR/r2" --run "$DIR/run2" apiserver --service-account-issuer "a b:"
	cp rsa.key both.pem
	openssl pkey -in "$DIR/root/apiserver/pki/sa.key" -pubout >>both.pem
	mkfifo ready2
	exec 8<>ready2
	TEU_READY_FD=8 nsenter -t "$SERVER" -n -- "$TEU" --root "$DIR/r2" --run "$DIR/run2" apiserver --listen 127.0.0.1:6444 --user 0 \
		--service-account-signing-key-file rsa.key --service-account-key-file both.pem --service-account-issuer https://new.example \
		--service-account-issuer https://kubernetes.default.svc.cluster.local --kubeconfig-out "$DIR/kc2" >log2 2>&1 </dev/null 3>&- &
	second=$!
	read -r -n1 -t 20 <&8
	exec 8>&-
	new=$(within "$KUBECTL" --kubeconfig kc2 create token default)
	other=$(within "$KUBECTL" --kubeconfig /dev/null --server https://127.0.0.1:6444 --insecure-skip-tls-verify --token "$new" auth whoami -o 'jsonpath={.status.userInfo.username}')
	# the first server's account is not there: its signature is good, its uid is not
	run within "$KUBECTL" --kubeconfig /dev/null --server https://127.0.0.1:6444 --insecure-skip-tls-verify --token "$t" get pods
	kill "$second"
	wait "$second" || true
	[ "$other" = system:serviceaccount:default:default ]
	[[ "$output" == *"must be logged in"* ]]
	[[ $(cut -d. -f1 <<<"$new" | tr _- /+ | base64 -d 2>/dev/null) == *RS256* ]]
}
