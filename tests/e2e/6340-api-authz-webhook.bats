#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Authorizers of a file: a webhook that is slow, failing, lying; ABAC; read again while the server runs.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
. "$TOP/tests/e2e/apiserver.bash"
KUBECTL_DEFAULT=${TEU_CACHE:-${XDG_CACHE_HOME:-/root/.cache}/teu}/kube/kubectl
command -v "$KUBECTL" >/dev/null || KUBECTL=$KUBECTL_DEFAULT

# config FAILURE-POLICY: the authorizers, written as editors do it.
config() {
	cat >"$HOOKS/new" <<-END
		apiVersion: apiserver.config.k8s.io/v1
		kind: AuthorizationConfiguration
		authorizers:
		- {type: Node, name: node}
		- type: Webhook
		  name: names
		  webhook:
		    timeout: 1s
		    authorizedTTL: 1h
		    unauthorizedTTL: 1ms
		    subjectAccessReviewVersion: v1
		    matchConditionSubjectAccessReviewVersion: v1
		    failurePolicy: $1
		    connectionInfo: {type: KubeConfigFile, kubeConfigFile: $HOOKS/kubeconfig}
		    matchConditions:
		    - expression: request.user != "cel"
		    - expression: '!has(request.resourceAttributes) || request.resourceAttributes.name != "odd" || request.nonResourceAttributes.path == "/"'
		- {type: ABAC, name: abac}
		- {type: RBAC, name: rbac}
	END
	chmod 644 "$HOOKS/new"
	mv "$HOOKS/new" "$HOOKS/config"
}

setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && command -v "$KUBECTL" >/dev/null || return 0
	HOOKS=$(mktemp -d /tmp/teu-hooks-XXXXXX)
	export HOOKS
	chmod 755 "$HOOKS"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=hook \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$HOOKS/key" -out "$HOOKS/cert" 2>/dev/null
	cat >"$HOOKS/kubeconfig" <<-END
		current-context: c
		contexts: [{name: c, context: {cluster: k, user: u}}]
		clusters: [{name: k, cluster: {server: "https://127.0.0.1:8443/authorize", certificate-authority: cert}}]
		users: [{name: u, user: {tokenFile: token}}]
	END
	sed s,/authorize,/tokens, "$HOOKS/kubeconfig" >"$HOOKS/token-kubeconfig"
	printf 'hook-token\n' >"$HOOKS/token"
	printf 'jo-token,jo,1,"dev"\nal-token,al,2\nold-token,old,3\ncel-token,cel,4\n' >"$HOOKS/tokens"
	printf '# old ways\n{"user":"old","resource":"services","readonly":true}\n' >"$HOOKS/policies"
	: >"$HOOKS/count"
	echo honest >"$HOOKS/mode"
	config NoOpinion
	chmod 644 "$HOOKS"/*
	api_file_start --token-auth-file "$HOOKS/tokens" --authorization-config "$HOOKS/config" --authorization-policy-file "$HOOKS/policies" \
		--authentication-token-webhook-config-file "$HOOKS/token-kubeconfig" --authentication-token-webhook-version v1
	[ -n "${DIR:-}" ] || return 0
	nsenter -t "$SERVER" -n -- python3 "$TOP/tests/e2e/authz_webhook.py" 8443 "$HOOKS/cert" "$HOOKS/key" "$HOOKS/mode" \
		"$HOOKS/count" >"$HOOKS/log" 2>&1 </dev/null 3>&- &
	HOOK=$!
	export HOOK
	until_ok within curl -sk https://127.0.0.1:8443/ -o /dev/null
	kc create role reader --verb=get,list --resource=configmaps
	kc create rolebinding al --role=reader --user=al
	for i in jo other; do kc create configmap "$i"; done
}

teardown_file() {
	[ -n "${HOOK:-}" ] && kill "$HOOK" && wait "$HOOK" 2>/dev/null
	api_file_stop
	[ -z "${HOOKS:-}" ] || rm -rf "$HOOKS"
}

setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR"
}

as() { # USER, then kubectl's words
	local user=$1
	shift
	within "$KUBECTL" --kubeconfig /dev/null --cache-dir "$DIR/cache-$user" --server https://127.0.0.1:6443 \
		--insecure-skip-tls-verify --token "$user-token" "$@"
}
# get USER NAME: its code, without kubectl's own questions.
get() {
	within curl -sk -o "$DIR/answer" -w '%{http_code}' -H "Authorization: Bearer $1-token" \
		"https://127.0.0.1:6443/api/v1/namespaces/default/configmaps/$2"
}
gets() { [ "$(get "$1" "$2")" = "$3" ] || { cat "$DIR/answer"; return 1; }; }
asked() { grep -c "^$1 get configmaps $2 " "$HOOKS/count"; }
mode() { echo "$1" >"$HOOKS/mode"; }
metric() { kc get --raw /metrics | grep -q "$1"; }

@test "a webhook is asked once, with its token, and its yes is kept" {
	mode honest
	gets jo jo 200
	gets jo jo 200
	[ "$(asked jo jo)" = 1 ]
	grep -q '^jo get configmaps jo Bearer hook-token$' "$HOOKS/count"
	gets jo other 403
	grep -q by.name "$DIR/answer"
	gets al other 200
	[ "$(as jo auth can-i get configmap/jo)" = yes ]
	run as jo auth can-i get configmap/other
	[[ "$output" == "no - by name"* ]]
	as jo auth can-i --list 2>&1 | grep -q 'webhook and node authorizers do not tell their rules'
	metric 'apiserver_authorization_webhook_evaluations_total{name="names",result="success"}'
	metric 'apiserver_authorization_decisions_total{type="Webhook",name="names",decision="allowed"}'
	metric 'apiserver_authorization_decisions_total{type="RBAC",name="rbac",decision="allowed"}'
}

@test "policies of ABAC stand in the order with the others" {
	mode honest
	as old get services -A
	fails_with "cannot list resource" as old get secrets -A
}

@test "a webhook without an answer is passed over, and nobody else waits" {
	local begun
	for m in fail lie html close; do
		mode "$m"
		gets jo other 500 # nobody else allows it, and the one who might is not there
		grep -q '^Internal Server Error: "/api/v1/namespaces/default/configmaps/other": webhook' "$DIR/answer"
		gets al other 200
		kc create -o jsonpath='{.status.allowed} {.status.evaluationError}' -f - >"$DIR/review" <<-EOF
			{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"user":"jo",
			"resourceAttributes":{"verb":"get","resource":"configmaps","namespace":"default","name":"other"}}}
		EOF
		grep -q '^false webhook .*names' "$DIR/review"
	done
	mode both
	gets al other 403
	mode slow
	begun=$(date +%s%N)
	get al other >"$DIR/slow" &
	local slow=$!
	within curl -sk --max-time 1 https://127.0.0.1:6443/livez | grep -qx ok
	kc get configmap other >/dev/null
	[ $((($(date +%s%N) - begun) / 1000000)) -lt 1000 ]
	wait "$slow"
	[ "$(cat "$DIR/slow")" = 200 ]
	metric 'webhook_evaluations_fail_open_total{name="names",result="timeout"}'
	metric 'webhook_evaluations_fail_open_total{name="names",result="error"}'
	# who goes while it is asked leaves nothing behind
	within curl -sk --max-time 0.3 -H "Authorization: Bearer jo-token" https://127.0.0.1:6443/api/v1/namespaces/default/configmaps/other || true
	mode honest
	gets al other 200
}

@test "what a webhook denies nobody else allows" {
	mode deny
	gets al other 403
	grep -q "not today" "$DIR/answer"
	mode honest
	gets al other 200
}

@test "the file is read again when it changes, and a wrong one changes nothing" {
	mode fail
	gets al other 200
	config Deny
	until_ok gets al other 500
	grep -q 'webhook .*names.* gave no answer' "$DIR/answer"
	sed -i 's/failurePolicy: Deny/failurePolicy: Maybe/' "$HOOKS/config"
	until_ok metric 'automatic_reloads_total{status="failure"} 1'
	gets al other 500
	grep -q 'must be NoOpinion or Deny' "$DIR/log"
	config NoOpinion
	until_ok gets al other 200
	mode honest
	run ! grep -q hook-token "$DIR/log"
}

@test "what cannot be is refused before anything is opened" {
	fails_with "ABAC" "$TEU" --root "$DIR/r2" --run "$DIR/u2" apiserver --authorization-mode ABAC
	fails_with "not with --authorization-mode" "$TEU" --root "$DIR/r2" --run "$DIR/u2" apiserver --authorization-mode RBAC --authorization-config "$HOOKS/config"
	fails_with '"Magic" is not a valid mode' "$TEU" --root "$DIR/r2" --run "$DIR/u2" apiserver --authorization-mode Magic
}

# who TOKEN: the code of a SelfSubjectReview as its holder; the answer lies in $DIR/answer.
who() {
	within curl -sk -o "$DIR/answer" -w '%{http_code}' -H "Authorization: Bearer $1" -H 'Content-Type: application/json' \
		-d '{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}' \
		https://127.0.0.1:6443/apis/authentication.k8s.io/v1/selfsubjectreviews
}
looks() { within curl -sk -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" https://127.0.0.1:6443/api; }
told() { tr -d ' \n' <"$DIR/answer" | grep -q "$1" || { cat "$DIR/answer"; return 1; }; }
reviews() { # TOKEN [AUDIENCE]: status of a TokenReview
	printf '{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"%s"%s}}' "$1" "${2:+,\"audiences\":[\"$2\"]}" |
		kc create --raw /apis/authentication.k8s.io/v1/tokenreviews -f -
}

@test "conditions say which questions a webhook is asked" {
	mode honest
	kc create configmap cel
	gets cel cel 403 # it would allow it
	[ "$(asked cel cel)" = 0 ]
	gets al odd 404 # a condition fails: nobody's opinion, and a role allows it
	[ "$(asked al odd)" = 0 ]
	metric 'apiserver_authorization_match_condition_exclusions_total{type="Webhook",name="names"}'
	metric 'apiserver_authorization_match_condition_evaluation_errors_total{type="Webhook",name="names"}'
	metric 'apiserver_authorization_match_condition_evaluation_seconds_bucket{type="Webhook",name="names"'
}

@test "an expression of an admission webhook asks an authorizer that is elsewhere" {
	mode honest
	hook() { # KIND EXPRESSION [RESOURCE]: of a webhook that nobody answers for
		printf '{"apiVersion":"admissionregistration.k8s.io/v1","kind":"%sWebhookConfiguration","metadata":{"name":"gate"},"webhooks":[{
			"name":"gate.example.com","clientConfig":{"url":"https://127.0.0.1:1/"},"sideEffects":"None","admissionReviewVersions":["v1"],
			"rules":[{"operations":["*"],"apiGroups":[""],"apiVersions":["v1"],"resources":["%s"]}],
			"matchConditions":[{"name":"a","expression":%s}]}]}' "$1" "${3:-secrets}" "$(jq -Rn --arg x "$2" '$x')" | kc apply -f -
	}
	local kind
	for kind in Mutating Validating; do
		: >"$HOOKS/count"
		# the token's user may look at what is named after them only: of this webhook
		hook $kind 'authorizer.serviceAccount("default", "jo").group("").resource("secrets").namespace("default").name("'$kind'").check("get").allowed()'
		kc create secret generic "s-${kind,,}"
		grep -q "^system:serviceaccount:default:jo get secrets $kind " "$HOOKS/count"
		hook $kind '!authorizer.serviceAccount("default", "al").group("").resource("secrets").name("x").check("get").allowed()'
		fails_with "failed calling webhook" kc create secret generic "t-${kind,,}"
		grep -q "^system:serviceaccount:default:al get secrets x " "$HOOKS/count"
		mode fail
		hook $kind 'authorizer.serviceAccount("default", "jo").group("").resource("secrets").name("y").check("get").errored()'
		fails_with "failed calling webhook" kc create secret generic "u-${kind,,}"
		hook $kind 'authorizer.serviceAccount("default", "jo").group("").resource("secrets").name("y").check("get").error() == ""'
		kc create secret generic "u-${kind,,}"
		mode honest
		hook $kind true serviceaccounts/token
		fails_with "failed calling webhook" kc create token default
		kc delete "${kind}WebhookConfiguration" gate
	done
}

@test "a webhook says whose a token is, once for many who ask at a time" {
	local i asked=()
	mode honest
	[ "$(who eve@hook)" = 201 ]
	told '"username":"eve","uid":"h1","groups":\["hooked","system:authenticated"\],"extra":{"example.com/from":\["hook"\]}'
	[ "$(who eve@hook)" = 201 ]
	[ "$(grep -c '^token eve@hook https://kubernetes.default.svc.cluster.local authentication.k8s.io/v1$' "$HOOKS/count")" = 1 ]
	mode slow
	for i in 1 2 3 4; do
		who ann@hook >"$DIR/code.$i" 3>&- &
		asked+=($!)
	done
	begun=$(date +%s%N)
	kc get --raw /readyz
	(($(date +%s%N) - begun < 900000000))
	wait "${asked[@]}" # bats has a child of its own
	[ "$(cat "$DIR"/code.?)" = 201201201201 ]
	[ "$(grep -c '^token ann@hook ' "$HOOKS/count")" = 1 ]
	mode honest
	metric 'authentication_token_cache_request_total{status="hit"}'
	metric 'authentication_token_cache_fetch_total{status="ok"}'
}

@test "a token that the webhook does not take is 401, and it is never anonymous" {
	mode honest
	[ "$(looks nobody)" = 401 ]
	[ "$(looks nobody)" = 401 ]
	[ "$(grep -c '^token nobody ' "$HOOKS/count")" = 1 ]
	[ "$(looks wrong@hook)" = 401 ]
	[ "$(looks wrong@hook)" = 401 ]
	[ "$(grep -c '^token wrong@hook ' "$HOOKS/count")" = 2 ]
	[ "$(looks far@hook)" = 401 ]
	mode lie
	[ "$(looks lied@hook)" = 401 ]
	mode fail
	gets al other 200 # of the file: the webhook is not asked
	[ "$(grep -c '^token al-token ' "$HOOKS/count")" = 0 ]
	mode honest
	[ "$(looks lied@hook)" = 200 ]
}

@test "a TokenReview asks the webhook, too, for the audiences that are wanted" {
	mode honest
	reviews rev@hook | grep -q '"authenticated":true,"user":{"username":"rev"'
	reviews wrong@hook | grep -q '"error":"\[invalid bearer token, it was stolen\]"'
	reviews far@hook | grep -q '"error":"\[invalid bearer token\]"'
	reviews far@hook elsewhere | grep -q '"authenticated":true.*"audiences":\["elsewhere"\]'
	grep -q '^token far@hook elsewhere authentication.k8s.io/v1$' "$HOOKS/count"
}
