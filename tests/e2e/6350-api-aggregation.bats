#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# API servers behind APIServices (extension.py): kubectl with their kinds; who is told; one that is slow, failing, lying.

bats_require_minimum_version 1.5.0
TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
. "$TOP/tests/e2e/words.bash"
. "$TOP/tests/e2e/apiserver.bash"
KUBECTL_DEFAULT=${TEU_CACHE:-${XDG_CACHE_HOME:-/root/.cache}/teu}/kube/kubectl
command -v "$KUBECTL" >/dev/null || KUBECTL=$KUBECTL_DEFAULT
AT=10.255.0.2
GV=wardle.example.com/v1alpha1

# certificate NAME DNS: EXT/NAME.cert and .key.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" \
		-addext "subjectAltName=DNS:$2" -keyout "$EXT/$1.key" -out "$EXT/$1.cert" 2>/dev/null
}

# service GROUP VERSION CERT [MORE]: the APIService and who signed its server.
service() {
	kc apply -f - <<-END
		apiVersion: apiregistration.k8s.io/v1
		kind: APIService
		metadata: {name: $2.$1}
		spec:
		  {group: $1, version: $2, groupPriorityMinimum: 2000, versionPriority: 15, caBundle: $(base64 -w0 "$EXT/$3.cert"),
		   service: {namespace: wardle, name: api}${4:-}}
	END
}

mode() { echo "$1" >"$EXT/mode"; }

setup_file() {
	[ "$(id -u)" = 0 ] && [ -x "$TEU" ] && command -v "$KUBECTL" >/dev/null || return 0
	EXT=$(mktemp -d /tmp/teu-ext-XXXXXX)
	export EXT
	printf 'jo-token,jo,7,"dev,ops"\n' >"$EXT/tokens"
	chmod 755 "$EXT"
	chmod 644 "$EXT/tokens"
	mode honest
	: >"$EXT/seen"
	api_file_start --token-auth-file "$EXT/tokens" --requestheader-username-headers X-Remote-User,X-My-User
	[ -n "${DIR:-}" ] || return 0
	nsenter -t "$SERVER" -n ip addr add $AT/32 dev lo
	certificate api api.wardle.svc
	certificate other elsewhere.svc
	kc -n kube-system get configmap extension-apiserver-authentication -o json >"$EXT/config"
	nsenter -t "$SERVER" -n -- python3 "$TOP/tests/e2e/extension.py" $AT 7443 "$EXT/api.cert" "$EXT/api.key" "$EXT/config" "$EXT/mode" \
		"$EXT/seen" >"$EXT/log" 2>&1 </dev/null 3>&- &
	EXTENSION=$!
	export EXTENSION
	until_ok within bash -c "exec 9<>/dev/tcp/$AT/7443"
	kc create namespace wardle
	kc -n wardle create service clusterip api --tcp=443:7443
	kc -n wardle apply -f - <<-END
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata: {name: api-1, labels: {kubernetes.io/service-name: api}}
		addressType: IPv4
		ports: [{name: 443-7443, port: 7443}]
		endpoints: [{addresses: [$AT]}]
	END
	service wardle.example.com v1alpha1 api
	service metrics.k8s.io v1beta1 api
	kc wait --for=condition=Available --timeout=20s apiservice v1alpha1.wardle.example.com v1beta1.metrics.k8s.io
}

teardown_file() {
	[ -n "${EXTENSION:-}" ] && kill "$EXTENSION" && wait "$EXTENSION" 2>/dev/null
	api_file_stop
	[ -z "${EXT:-}" ] || rm -rf "$EXT"
}

setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR"
	mode honest
}

# The condition of the APIService.
condition() {
	kc get apiservice v1alpha1.wardle.example.com -o 'jsonpath={range .status.conditions[*]}{.status} {.reason} {.message}{end}'
}
says_so() { [[ $(condition) == "$1"* ]]; }
becomes() { until_ok says_so "$1" || { condition; return 1; }; }
unavailable() { [[ $(kc get --raw "$1" 2>&1) == *"unable to handle the request"* ]]; }
flunder() { printf 'apiVersion: %s\nkind: Flunder\nmetadata: {name: %s, namespace: default}\n' $GV "$1" | kc create -f -; }
raw() { kc get --raw "$@"; }
jo() { within curl -sS -k -H "Authorization: Bearer jo-token" "$@"; }

@test "kubectl uses kinds of another API server as its own" {
	is "True Passed all checks passed" condition
	kc create -f - <<-END
		apiVersion: $GV
		kind: Flunder
		metadata: {name: f1, namespace: default}
		spec: {reference: f0}
	END
	says "f1" kc get flunders
	says "f1" kc get fl -A
	says "reference: f0" kc get flunder f1 -o yaml
	says "labeled" kc label flunder f1 a=b --overwrite
	says "FIELDS:" kc explain flunder
	says "The other flunder" kc explain flunder.spec
	says "flunders" kc api-resources --api-group=wardle.example.com
	says "wardle.example.com/v1alpha1" kc api-versions
	says "deleted" kc delete flunder f1
	fails_with "NotFound" kc get flunder f1
}

@test "discovery has the group in every form, in the order of priorities" {
	says '"groupVersion":"wardle.example.com/v1alpha1"' raw /apis/$GV
	says '"preferredVersion":{"groupVersion":"wardle.example.com/v1alpha1"' raw /apis/wardle.example.com
	raw /apis | python3 -c 'import json, sys
names = [g["name"] for g in json.load(sys.stdin)["groups"]]
assert names[0] == "apiregistration.k8s.io", names
assert names[-2:] == ["metrics.k8s.io", "wardle.example.com"], names'
	within curl -sS -k --cert <(kc config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d) \
		--key <(kc config view --raw -o 'jsonpath={.users[0].user.client-key-data}' | base64 -d) \
		-H 'Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' https://127.0.0.1:6443/apis >found
	python3 -c 'import json
g = [g for g in json.load(open("found"))["items"] if g["metadata"]["name"] == "wardle.example.com"][0]["versions"][0]
assert g["freshness"] == "Current", g
r = g["resources"][0]
assert (r["resource"], r["scope"], r["shortNames"]) == ("flunders", "Namespaced", ["fl"]), r
assert r["responseKind"] == {"group": "wardle.example.com", "version": "v1alpha1", "kind": "Flunder"}, r
assert r["subresources"][0]["subresource"] == "status", r'
	raw /openapi/v3 | grep -qF '"apis/wardle.example.com/v1alpha1":{"serverRelativeURL":"/openapi/v3/apis/wardle.example.com/v1alpha1?hash=ABC123"}'
	says '"title":"wardle"' raw /openapi/v3/apis/$GV
	raw /openapi/v2 | python3 -c 'import json, sys
d = json.load(sys.stdin)
assert "com.example.wardle.Flunder" in d["definitions"] and "unused" not in d["definitions"]
assert "/apis/wardle.example.com/v1alpha1/flunders" in d["paths"]
assert "not its own" not in json.dumps(d["paths"]["/api/v1/pods"]) if "/api/v1/pods" in d["paths"] else True'
	within curl -sSf -k --cert <(kc config view --raw -o 'jsonpath={.users[0].user.client-certificate-data}' | base64 -d) \
		--key <(kc config view --raw -o 'jsonpath={.users[0].user.client-key-data}' | base64 -d) \
		-H 'Accept: application/com.github.proto-openapi.spec.v2@v1.0+protobuf' https://127.0.0.1:6443/openapi/v2 >found
	grep -qa com.example.wardle.Flunder found
}

@test "kubectl top asks metrics.k8s.io" {
	printf 'apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {allocatable: {cpu: "1", memory: 1Gi}}\n' | kc create -f -
	says "250m" kc top nodes
	says "9Mi" kc top pods
}

@test "the server learns who asks from us alone, and gets no credential" {
	kc apply -f - <<-END
		apiVersion: rbac.authorization.k8s.io/v1
		kind: ClusterRole
		metadata: {name: fl}
		rules: [{apiGroups: [wardle.example.com], resources: ["*"], verbs: ["*"]}]
	END
	kc create clusterrolebinding fl --clusterrole=fl --user=jo
	flunder seen
	jo -H 'X-Remote-User: admin' -H 'X-Remote-Group: system:masters' -H 'X-Remote-Extra-a: b' -H 'X-My-User: admin' -H 'Cookie: c=1' \
		https://127.0.0.1:6443/apis/$GV/namespaces/default/flunders/seen/seen >got
	python3 -c 'import json
h = json.load(open("got"))
assert h["x-remote-user"] == ["jo"] and h["x-remote-uid"] == ["7"], h
assert h["x-remote-group"] == ["dev", "ops", "system:authenticated"], h
assert not {"authorization", "x-my-user", "x-remote-extra-a"} & set(h), h
assert h["x-forwarded-for"] == ["127.0.0.1"] and h["audit-id"], h'
	kc get flunders --as=al --as-group=system:masters >/dev/null
	grep -q "GET .*flunders.* al system:masters,system:authenticated with:$" "$EXT/seen"
	! grep "authorization\|impersonate\|x-my" "$EXT/seen"
	# Rights are checked here, too.
	[[ $(jo https://127.0.0.1:6443/apis/metrics.k8s.io/v1beta1/nodes) == *'cannot list resource \"nodes\" in API group \"metrics.k8s.io\"'* ]]
	mode deny
	fails_with "extension: Forbidden" kc get flunders
}

@test "watches, long bodies and upgrades go both ways" {
	flunder w1
	behind watched get flunders --watch -o name
	until_ok grep -q w1 watched
	flunder w2
	until_ok grep -q w2 watched
	: >"$EXT/seen"
	kill $BEHIND && wait $BEHIND || true
	until_ok grep -q "^GONE" "$EXT/seen"
	[ "$(jo "https://127.0.0.1:6443/apis/$GV/namespaces/default/flunders/w1/bytes?k=10000" | wc -c)" -eq 10240000 ]
	head -c 8000000 /dev/zero >long
	is '{"length":8000000}' jo --data-binary @long "https://127.0.0.1:6443/apis/$GV/namespaces/default/flunders/w1/length"
	is '{"length":8000000}' jo -H 'Transfer-Encoding: chunked' --data-binary @long "https://127.0.0.1:6443/apis/$GV/namespaces/default/flunders/w1/length"
	within python3 - "$GV" <<-'END'
		import socket, ssl, sys
		c = ssl._create_unverified_context().wrap_socket(socket.create_connection(("127.0.0.1", 6443)))
		c.settimeout(10)
		c.sendall(f"GET /apis/{sys.argv[1]}/namespaces/default/flunders/w1/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer jo-token\r\n"
		          "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
		got = b""
		while b"\r\n\r\n" not in got:
		    got += c.recv(4096)
		assert b" 101 " in got and b"upgrade: echo" in got.lower(), got
		for word in (b"hello", b"x" * 100000):
		    c.sendall(word)
		    back = b""
		    while len(back) < len(word):
		        back += c.recv(65536)
		    assert back == word
	END
}

@test "redirects are not followed and not handed on" {
	mode redirect
	[[ $(jo -w ' %{http_code}' https://127.0.0.1:6443/apis/$GV/flunders) == "the backend attempted to redirect this request, which is not permitted"*502 ]]
}

@test "one that fails is not available, and says why; discovery keeps it as stale" {
	mode fail
	service wardle.example.com v1alpha1 api ', insecureSkipTLSVerify: false, versionPriority: 16'
	kc -n wardle annotate --overwrite service api n=1 >/dev/null
	becomes "False FailedDiscoveryCheck failing or missing response from https://$AT:7443/apis/$GV: bad status from https://$AT:7443/apis/$GV: 500"
	jo -w ' %{http_code}' https://127.0.0.1:6443/apis/$GV/flunders >got
	[[ $(<got) == "service unavailable"*503 ]] || { cat got; return 1; }
	says wardle.example.com raw /apis
	mode honest
	becomes "True Passed"
}

@test "what depends on the Service and its endpoints is told in so many words" {
	kc -n wardle patch endpointslice api-1 --type=merge -p '{"endpoints":[{"addresses":["'$AT'"],"conditions":{"ready":false}}]}'
	becomes 'False MissingEndpoints endpoints for service/api in "wardle" have no addresses with port name "443-7443"'
	kc -n wardle patch endpointslice api-1 --type=merge -p '{"endpoints":[{"addresses":["'$AT'"],"conditions":{"ready":true}}]}'
	becomes "True Passed"
	kc patch apiservice v1alpha1.wardle.example.com --type=merge -p '{"spec":{"service":{"port":444}}}'
	becomes 'False ServicePortError service/api in "wardle" is not listening on port 444'
	kc patch apiservice v1alpha1.wardle.example.com --type=merge -p '{"spec":{"service":{"port":443,"name":"none"}}}'
	becomes 'False ServiceNotFound service/none in "wardle" is not present'
	kc patch apiservice v1alpha1.wardle.example.com --type=merge -p '{"spec":{"service":{"name":"api"}}}'
	becomes "True Passed"
}

@test "documents that lie, are huge or break off are not believed, and hurt nobody" {
	for lie in garbage huge half alien; do
		mode $lie
		kc patch apiservice v1alpha1.wardle.example.com --type=merge -p '{"spec":{"service":{"name":"none"}}}'
		kc patch apiservice v1alpha1.wardle.example.com --type=merge -p '{"spec":{"service":{"name":"api"}}}'
		becomes "True Passed"
		says '"wardle.example.com"' raw /apis
		says v1 kc api-versions
	done
	mode honest
	kc -n wardle annotate --overwrite service api n=2 >/dev/null
	until_ok kc get flunders
}

@test "a wrong certificate is not trusted" {
	service wardle.example.com v1alpha1 other
	becomes "False FailedDiscoveryCheck failing or missing response from"
	fails_with "currently unable" kc get --raw /apis/$GV
	service wardle.example.com v1alpha1 api
	becomes "True Passed"
	kc patch apiservice v1alpha1.wardle.example.com --type=json -p '[{"op":"remove","path":"/spec/caBundle"},
		{"op":"add","path":"/spec/insecureSkipTLSVerify","value":true}]'
	becomes "True Passed"
	says items raw /apis/$GV/flunders
}

@test "a group of our own is not taken away unless the APIService is the user's" {
	service apiregistration.k8s.io v1 api
	says "False NotForwarded" kc get apiservice v1.apiregistration.k8s.io \
		-o 'jsonpath={.status.conditions[0].status} {.status.conditions[0].reason}'
	says APIService raw /apis/apiregistration.k8s.io/v1/apiservices
	kc delete apiservice v1.apiregistration.k8s.io
	kc patch apiservice v1.batch --type=merge -p '{"spec":{"insecureSkipTLSVerify":true,"service":{"namespace":"wardle","name":"api"}}}'
	until_ok unavailable /apis/batch/v1/jobs # the extension knows nothing of it
	kc patch apiservice v1.batch --type=merge -p '{"spec":{"insecureSkipTLSVerify":null,"service":null}}'
	says JobList raw /apis/batch/v1/jobs
}

@test "an APIService that goes is gone at once" {
	kc delete apiservice v1alpha1.wardle.example.com
	fails_with "could not find the requested resource" kc get --raw /apis/$GV
	! raw /apis | grep -q wardle
	! kc api-versions | grep -q wardle
}
