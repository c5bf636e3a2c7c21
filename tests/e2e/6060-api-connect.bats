#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# exec, attach, logs, port-forward and proxies of real kubectl, through the API server to a node's agent and a pod
# (tests/tools/agent-stub) that take nobody but the API server's certificate.

bats_require_minimum_version 1.5.0
load words.bash
load apiserver.bash
[ -n "${DIR:-}" ] || NEWER=${TEU_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/teu}/kube/kubectl
BUILD=${TEU_TEST_BUILD:-$TOP/build/gcc}

# certificate NAME ADDRESS: NAME.crt that signs itself, and NAME.key.
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=node \
		-addext "subjectAltName=IP:$2" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

setup_file() {
	export NEWER BUILD
	local files
	files=$(mktemp -d)
	chmod 755 "$files"
	echo ann-token,ann,1 >"$files/tokens"
	certificate "$files/node" 10.9.8.7
	api_file_start --token-auth-file "$files/tokens" --kubelet-certificate-authority "$files/node.crt" \
		--kubelet-preferred-address-types InternalIP,Hostname
	[ -z "${DIR:-}" ] || mv "$files"/node.* "$DIR"
	rm -r "$files"
	[ -n "${DIR:-}" ] || return 0
	ninja -C "$BUILD" tests/tools/agent-stub >/dev/null || return 1
	local net="nsenter -t $SERVER -n --"
	$net ip addr add 10.9.8.7/32 dev lo
	$net ip addr add 10.9.8.6/32 dev lo
	mkfifo "$DIR/agent-in"
	$net "$BUILD/tests/tools/agent-stub" 10.9.8.7:10250 10.9.8.7:8080 "$DIR/node.crt" "$DIR/node.key" \
		"$DIR/root/apiserver/pki/ca.crt" <>"$DIR/agent-in" >"$DIR/agent" 2>&1 3>&- &
	export AGENT=$!
	until_ok grep -q ready "$DIR/agent" || { cat "$DIR/agent"; return 1; }
	kc apply -f - >/dev/null <<-END
		apiVersion: v1
		kind: Node
		metadata: {name: n1}
		status:
		  addresses: [{type: Hostname, address: no-such-host.invalid}, {type: InternalIP, address: 10.9.8.7}]
		  daemonEndpoints: {kubeletEndpoint: {Port: 10250}}
	END
}

teardown_file() {
	[ -z "${AGENT:-}" ] || { kill "$AGENT"; wait "$AGENT" 2>/dev/null || true; }
	api_file_stop
}

setup() {
	api_test_setup
	kn create -f - >/dev/null <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: p, labels: {app: web}}
		spec:
		  nodeName: n1
		  containers: [{name: app, image: i, stdin: true, ports: [{containerPort: 8080}]}]
	END
	kn patch pod p --subresource=status --type=merge -p \
		'{"status":{"phase":"Running","podIP":"10.9.8.7","podIPs":[{"ip":"10.9.8.7"}]}}' >/dev/null
}

websockets() { export KUBECTL_REMOTE_COMMAND_WEBSOCKETS=$1 KUBECTL_PORT_FORWARD_WEBSOCKETS=$1; }
# The last upgrade that the agent saw: SPDY always, the API server translates.
upgraded() { [ "$(tail -1 "$DIR/agent")" = "$1" ] || { cat "$DIR/agent"; return 1; }; }

exec_case() {
	run --separate-stderr kn exec p -- both
	[ "$status" -eq 0 ] || { echo "$output $stderr"; return 1; }
	[ "$output" = "to out" ]
	[ "$stderr" = "to err" ]
	upgraded "exec spdy"
	[ "$(echo hello | kn exec -i p -- cat)" = hello ]
	run kn exec p -- exit 7
	[ "$status" -eq 7 ]
	prints "command terminated with exit code 7"
	[ "$(kn exec p -- out 3000000 | wc -c)" -eq 3000000 ]
	head -c 2000000 /dev/urandom >in
	kn exec -i p -- cat <in >back
	cmp in back
	echo att | kn attach -i p 2>/dev/null | grep -q att
	upgraded "attach spdy"
	within script -qec "stty rows 33 cols 77; exec $KUBECTL --cache-dir $DIR/cache -n $NS exec -it p -- size" /dev/null \
		</dev/null >tty 2>&1
	grep -q 77x33 tty
}

@test "connect: kubectl exec and attach by WebSocket, translated to SPDY" {
	websockets true
	exec_case
}

@test "connect: kubectl exec and attach by SPDY" {
	websockets false
	exec_case
}

@test "connect: a newer kubectl's exec and attach" {
	[ -x "$NEWER" ] || skip "no newer kubectl"
	KUBECTL=$NEWER
	exec_case
}

forward_case() {
	behind forward -n "$NS" port-forward p :80 :9
	local port i
	until_ok eval '[ "$(grep -c 127.0.0.1: forward)" -ge 2 ]' || { cat forward; return 1; }
	port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) -> 80/\1/p' forward)
	upgraded "portforward spdy"
	head -c 1000000 /dev/urandom >in
	within socat -t 20 - "TCP:127.0.0.1:$port" <in >back
	cmp in back
	for i in 1 2 3; do
		[ "$(echo "ping $i" | within socat -t 20 - "TCP:127.0.0.1:$port")" = "ping $i" ]
	done
	port=$(sed -n 's/.*127.0.0.1:\([0-9]*\) -> 9/\1/p' forward)
	echo x | within socat -t 5 - "TCP:127.0.0.1:$port" || true
	until_ok grep -q "nobody listens on port 9" forward || { cat forward; return 1; }
	kill -INT "$BEHIND" 2>/dev/null || true # kubectl may have ended with the error
	wait "$BEHIND" || true
}

@test "connect: kubectl port-forward through the WebSocket tunnel" {
	websockets true
	forward_case
}

@test "connect: kubectl port-forward by SPDY" {
	websockets false
	forward_case
}

@test "connect: a newer kubectl's port-forward" {
	[ -x "$NEWER" ] || skip "no newer kubectl"
	KUBECTL=$NEWER
	forward_case
}

@test "connect: kubectl logs, with options and followed" {
	set -e
	is $'line 1\nline 2' kn logs p
	is $'line 1\nline 2' kn logs --tail=5 --since=1h --timestamps --limit-bytes=1000 --previous p
	fails_with "container x is not valid for pod p" kn logs p -c x
	behind follow -n "$NS" logs -f p
	until_ok grep -q "line 1" follow
	echo "said later" >"$DIR/agent-in"
	until_ok grep -q "said later" follow
	kill "$BEHIND"
	wait "$BEHIND" || true
	kn create -f - >/dev/null <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: two}
		spec: {nodeName: n1, containers: [{name: waiting, image: i}, {name: big, image: i}]}
	END
	fails_with "is waiting to start: ContainerCreating" kn logs two -c waiting
	[ "$(kn logs two -c big | wc -c)" -eq 2097152 ]
	fails_with "a container name must be specified for pod two, choose one of: [waiting big]" \
		kc get --raw "/api/v1/namespaces/$NS/pods/two/log"
	kn run unbound --image=i >/dev/null
	is "" kc get --raw "/api/v1/namespaces/$NS/pods/unbound/log"
	fails_with "pod unbound does not have a host assigned" kn exec unbound -- cat
}

@test "connect: proxies of pods, services and nodes" {
	set -e
	local at=/api/v1/namespaces/$NS
	is "GET /a/b?c=d []" kc get --raw "$at/pods/p/proxy/a/b?c=d"
	is "POST /x [hello]" kc create --raw "$at/pods/p:8080/proxy/x" -f <(printf hello)
	kn create service clusterip web --tcp=80:8080 >/dev/null
	fails_with 'no endpoints available for service "web"' kc get --raw "$at/services/web:80/proxy/"
	kn create -f - >/dev/null <<-END
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
		addressType: IPv4
		ports: [{name: 80-8080, port: 8080}]
		endpoints:
		- {addresses: [10.9.8.7], conditions: {ready: true}, targetRef: {kind: Pod, name: p, namespace: $NS}}
	END
	is "GET /svc []" kc get --raw "$at/services/web:80/proxy/svc"
	is "GET /svc []" kc get --raw "$at/services/http:web:80-8080/proxy/svc"
	says "<a href=\"$at/services/web:80/proxy/x/y\">" kc get --raw "$at/services/web:80/proxy/page"
	is "GET /healthz []" kc get --raw /api/v1/nodes/n1/proxy/healthz
	is "GET /healthz []" kc get --raw /api/v1/nodes/https:n1:10250/proxy/healthz
	fails_with "only the agent of node" kc get --raw /api/v1/nodes/n1:22/proxy/
	says "X-Forwarded-For: 127.0.0.1" kc get --raw "$at/pods/p/proxy/headers"
	! kc get --raw "$at/pods/p/proxy/headers" | grep -qi authorization
}

@test "connect: browsers' way by kubectl proxy" {
	set -e
	behind proxy proxy --port=0
	until_ok grep -q 'Starting to serve' proxy
	local base
	base=http://$(grep -o '127.0.0.1:[0-9]*' proxy)/api/v1/namespaces/$NS/pods/p/proxy
	is "$base/" within curl -s -o /dev/null -w '%{redirect_url}' "$base"
	is "GET / []" within curl -sL "$base"
	is "$base/there?q=1" within curl -s -o /dev/null -w '%{redirect_url}' "$base/redirect"
	is "DELETE /d []" within curl -s -X DELETE "$base/d"
	head -c 5000000 /dev/zero >up
	says "PUT /up" within curl -s -T up "$base/up"
	kill "$BEHIND"
	wait "$BEHIND" || true
}

@test "connect: who may only read may not exec, and ends of either side are noticed" {
	set -e
	kn create role reader --verb=get,list --resource=pods,pods/exec,pods/log >/dev/null
	kn create rolebinding reader --role=reader --user=ann >/dev/null
	is $'line 1\nline 2' ann logs p
	fails_with 'cannot create resource "pods/exec"' ann exec p -- both
	local before
	before=$(sessions)
	behind hang -n "$NS" exec p -- hang
	until_ok grep -q hanging hang
	kill -KILL "$BEHIND" # the session of the agent ends with its client
	wait "$BEHIND" || true
	until_ok eval '[ "$(sessions)" -le "$before" ]'
}
# Who shows nothing but a token.
ann() {
	sed '/client-/d' "$KUBECONFIG" >ann.kubeconfig
	kn --kubeconfig ann.kubeconfig --token ann-token "$@"
}
sessions() { within ss -tnH state established dport = :10250 | wc -l; }

@test "connect: a node whose certificate is not of the CA is not asked" {
	certificate "$DIR/other" 10.9.8.6
	nsenter -t "$SERVER" -n -- openssl s_server -accept 10.9.8.6:10250 -cert "$DIR/other.crt" -key "$DIR/other.key" -www \
		>"$DIR/other.log" 2>&1 </dev/null 3>&- &
	local other=$!
	kc apply -f - >/dev/null <<-END
		apiVersion: v1
		kind: Node
		metadata: {name: n2}
		status: {addresses: [{type: InternalIP, address: 10.9.8.6}]}
	END
	kn create -f - >/dev/null <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: q}
		spec: {nodeName: n2, containers: [{name: app, image: i}]}
	END
	until_ok grep -q ACCEPT "$DIR/other.log"
	run kn logs q
	kill "$other"
	wait "$other" 2>/dev/null || true
	[ "$status" -ne 0 ]
	prints "certificate"
	run kn logs q --insecure-skip-tls-verify-backend
	[ "$status" -ne 0 ]
	[[ "$output" != *certificate* ]] # nobody is there any more
}
