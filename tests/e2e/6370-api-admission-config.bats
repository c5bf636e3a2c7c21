#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Configurations of admission plugins: an image policy that is slow, failing, lying, failing closed and open; who we are for
# webhooks; what other plugins are told.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
. "$TOP/tests/e2e/apiserver.bash"
KUBECTL_DEFAULT=${TEU_CACHE:-${XDG_CACHE_HOME:-/root/.cache}/teu}/kube/kubectl
command -v "$KUBECTL" >/dev/null || KUBECTL=$KUBECTL_DEFAULT

# config OPEN: the plugins; OPEN: does the image policy fail open?
config() {
	cat >"$HOOKS/admission.yaml" <<-END
		apiVersion: apiserver.config.k8s.io/v1
		kind: AdmissionConfiguration
		plugins:
		- name: ImagePolicyWebhook
		  path: images.yaml
		- name: ValidatingAdmissionWebhook
		  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: WebhookAdmissionConfiguration, kubeConfigFile: $HOOKS/users}
		- name: PodSecurity
		  configuration:
		    apiVersion: pod-security.admission.config.k8s.io/v1
		    kind: PodSecurityConfiguration
		    defaults: {enforce: baseline, enforce-version: v1.30}
		    exemptions: {namespaces: [kube-system]}
		- name: EventRateLimit
		  configuration:
		    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
		    kind: Configuration
		    limits: [{type: Namespace, qps: 1, burst: 3}]
		- name: PodNodeSelector
		  configuration: {podNodeSelectorPluginConfig: {placed: zone=a}}
	END
	cat >"$HOOKS/images.yaml" <<-END
		imagePolicy: {kubeConfigFile: $HOOKS/kubeconfig, allowTTL: 1800, denyTTL: -1, retryBackoff: -1, defaultAllow: $1}
	END
}

# serve OPEN: the server and, in its network, the webhook; HOOK is its process.
serve() {
	config "$1"
	api_file_serve --enable-admission-plugins ImagePolicyWebhook,EventRateLimit,PodNodeSelector \
		--admission-control-config-file "$HOOKS/admission.yaml" --audit-policy-file "$HOOKS/policy" --audit-log-path "$HOOKS/audit/log"
	nsenter -t "$SERVER" -n -- python3 "$TOP/tests/e2e/image_webhook.py" 8443 "$HOOKS/cert" "$HOOKS/key" "$HOOKS/ca" \
		"$HOOKS/mode" "$HOOKS/count" >"$HOOKS/log" 2>&1 </dev/null 3>&- &
	HOOK=$!
	echo "$HOOK" >"$HOOKS/pid"
	until_ok within curl -sk https://127.0.0.1:8443/ -o /dev/null
	until_ok kc get serviceaccount default
}

hook_end() {
	HOOK=$(<"$HOOKS/pid")
	kill "$HOOK"
	until_ok hook_is_gone
}
hook_is_gone() { [ ! -e "/proc/$HOOK" ] || grep -q '^State:.Z' "/proc/$HOOK/status"; }

setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && command -v "$KUBECTL" >/dev/null || return 0
	HOOKS=$(mktemp -d /tmp/teu-hooks-XXXXXX)
	export HOOKS
	mkdir -m 777 "$HOOKS/audit"
	local i
	for i in cert ca; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$i" \
			-addext subjectAltName=IP:127.0.0.1 -keyout "$HOOKS/${i/cert/}key" -out "$HOOKS/$i" 2>/dev/null
	done
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=teu-server -keyout "$HOOKS/own.key" \
		-out "$HOOKS/own.csr" 2>/dev/null
	openssl x509 -req -in "$HOOKS/own.csr" -CA "$HOOKS/ca" -CAkey "$HOOKS/cakey" -days 30 -out "$HOOKS/own.crt" 2>/dev/null
	cat >"$HOOKS/kubeconfig" <<-END
		current-context: c
		contexts: [{name: c, context: {cluster: k, user: u}}]
		clusters: [{name: k, cluster: {server: "https://127.0.0.1:8443/images", certificate-authority: cert}}]
		users: [{name: u, user: {token: image-token}}]
	END
	cat >"$HOOKS/users" <<-END
		users:
		- {name: "127.0.0.1:8443", user: {client-certificate: own.crt, client-key: own.key, tokenFile: token}}
		- {name: "*", user: {token: other-token}}
	END
	echo hook-token >"$HOOKS/token"
	printf 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n' >"$HOOKS/policy"
	: >"$HOOKS/count"
	echo honest >"$HOOKS/mode"
	chmod 755 "$HOOKS"
	api_file_dir || return 0
	serve false
}

teardown_file() {
	[ -z "${DIR:-}" ] || hook_end
	api_file_stop
	[ -z "${HOOKS:-}" ] || rm -rf "$HOOKS"
}

setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR"
}

mode() { echo "$1" >"$HOOKS/mode"; }
pod() { kc create -f - <<<"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"$1\",\"annotations\":{\"a.image-policy.k8s.io/b\":\"c\",\"x\":\"y\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"$2\"}]}}"; }
logged() { grep '"verb":"create"' "$HOOKS/audit/log" | grep "\"resource\":\"pods\",\"namespace\":\"default\",\"name\":\"$1\"" | grep -q "$2"; }

@test "images are asked about, and what was allowed is not asked again" {
	pod one good
	pod two good
	[ "$(grep -c '^images default good ' "$HOOKS/count")" = 1 ]
	grep -q '^images default good {"a.image-policy.k8s.io/b": "c"} Bearer image-token -$' "$HOOKS/count"
	fails_with 'pods "three" is forbidden: image policy webhook backend denied one or more images: it is bad' pod three bad
	fails_with 'it is bad' pod three bad
	[ "$(grep -c '^images default bad ' "$HOOKS/count")" = 2 ] # a no is not kept: denyTTL -1
	fails_with 'it is bad' kc set image pod/one c=bad
	kc set image pod/one c=better
	fails_with 'it is bad' kc debug one --image=bad -c look --image-pull-policy=Never
	grep -q '^images default bad ' "$HOOKS/count"
	until_ok logged two '"imagepolicywebhook.image-policy.k8s.io/seen":"yes"'
	logged three '"imagepolicywebhook.image-policy.k8s.io/seen":"bad"'
	run ! grep -q 'not/a/key' "$HOOKS/audit/log"
}

@test "a policy without an answer refuses, in time" {
	local m
	for m in fail lie mad html close; do
		mode "$m"
		fails_with "pods \"p-$m\" is forbidden: Post \"https://127.0.0.1:8443/images\": " pod "p-$m" "new-$m"
	done
	mode honest
	pod p-fail new-fail
}

@test "nobody else waits for a slow policy" {
	mode slow
	pod slow slow >"$DIR/slow" 3>&- &
	local slow=$!
	until_ok grep -q '^images default slow ' "$HOOKS/count"
	within curl -sk --max-time 2 https://127.0.0.1:6443/livez | grep -qx ok
	kc create configmap meanwhile
	[ ! -s "$DIR/slow" ]
	# who goes while it is asked leaves nothing behind
	LIMIT=1 pod gone gone || true
	wait "$slow"
	grep -q 'pod/slow created' "$DIR/slow"
	mode honest
	fails_with 'NotFound' kc get pod gone
}

@test "webhooks see who the server is for them" {
	kc create -f - <<-END
		apiVersion: admissionregistration.k8s.io/v1
		kind: ValidatingWebhookConfiguration
		metadata: {name: gate}
		webhooks:
		- name: gate.example.com
		  clientConfig: {url: "https://127.0.0.1:8443/admit", caBundle: $(base64 -w0 "$HOOKS/cert")}
		  sideEffects: None
		  admissionReviewVersions: [v1]
		  rules: [{operations: [CREATE], apiGroups: [""], apiVersions: [v1], resources: [configmaps]}]
	END
	kc create configmap shown
	grep -q '^admit default Bearer hook-token teu-server$' "$HOOKS/count"
	kc delete validatingwebhookconfiguration gate
}

@test "other plugins have their configurations, too" {
	fails_with 'violates PodSecurity "baseline:v1.30": host namespaces (hostNetwork=true)' kc run naked --image=good \
		--overrides='{"spec":{"hostNetwork":true}}'
	until_ok kc -n kube-system get serviceaccount default
	kc -n kube-system run naked --image=good --overrides='{"spec":{"hostNetwork":true}}'
	until_ok grep -q '"pod-security.kubernetes.io/exempt":"namespace"' "$HOOKS/audit/log"
	kc create namespace placed
	kc label namespace placed a=b
	fails_with 'conflict with its namespace whitelist' kc -n placed run p --image=good --overrides='{"spec":{"nodeSelector":{"zone":"b"}}}'
	local i out=""
	for i in 1 2 3 4 5 6 7 8; do
		out+=$(kc create -f - 2>&1 <<<"{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"e$i\",\"namespace\":\"placed\"},\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"placed\"}}") || true
	done
	[[ $out == *"limit reached on type Namespace for key placed"* ]]
}

@test "an image policy may fail open, which the log tells" {
	hook_end
	api_file_end
	serve true
	mode fail
	pod open open-bad
	until_ok logged open '"imagepolicywebhook.image-policy.k8s.io/failed-open":"true"'
	kc get pod open -o yaml >"$DIR/open"
	run ! grep -q failed-open "$DIR/open"
	mode honest
	fails_with 'it is bad' pod open2 open-bad
	grep -q 'the image policy could not be asked' "$DIR/log"
	run ! grep -q 'image-token\|hook-token' "$DIR/log"
}

@test "what cannot be is refused before anything is opened" {
	refused() { # TEXT, the configuration on stdin, then flags
		local text=$1
		shift
		cat >"$DIR/bad.yaml"
		fails_with "$text" "$TEU" --root "$DIR/r2" --run "$DIR/u2" apiserver --admission-control-config-file "$DIR/bad.yaml" "$@"
		[ ! -e "$DIR/r2/apiserver/store" ]
	}
	local head='{"apiVersion":"apiserver.config.k8s.io/v1","kind":"AdmissionConfiguration","plugins":['
	refused 'unknown admission plugin: Bogus' <<<"$head{\"name\":\"Bogus\"}]}"
	refused 'strict decoding error: unknown field "plugins[0].file"' <<<"$head{\"name\":\"PodSecurity\",\"file\":\"x\"}]}"
	refused 'Duplicate value: "PodSecurity"' <<<"$head{\"name\":\"PodSecurity\"},{\"name\":\"PodSecurity\"}]}"
	refused "couldn't init admission plugin \"ImagePolicyWebhook\": no config specified" --enable-admission-plugins ImagePolicyWebhook <<<"$head]}"
	refused 'nowhere' <<<"$head{\"name\":\"PodSecurity\",\"path\":\"nowhere.yaml\"}]}"
	fails_with "no config specified" "$TEU" --root "$DIR/r2" --run "$DIR/u2" apiserver --enable-admission-plugins ImagePolicyWebhook
}
