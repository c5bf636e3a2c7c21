#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teu kubectl beside kubectl: describe, explain, events and what else shows. Command lines are in 7130-*.list.

bats_require_minimum_version 1.5.0
load apiserver.bash

status() { kc patch "$1" "$2" --subresource=status --type=merge -p "{\"status\": $3}" >/dev/null; }

setup_file() {
	api_file_start
	[ -n "${DIR:-}" ] || return 0
	cd "$DIR" || return 1
	local t=2026-01-02T03:04:05Z
	cp "$TOP/tests/e2e/7130-kubectl-show.yaml" objs.yaml
	kc wait --for=create serviceaccount/default --timeout=20s >/dev/null
	printf 'apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: rc1}\nhandler: h\n' | kc create -f - >/dev/null
	printf 'apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 1000\ndescription: very high\n' | kc create -f - >/dev/null
	kc create -f objs.yaml >/dev/null 2>&1
	printf 'apiVersion: v1\nkind: Secret\nmetadata: {name: sa1-token, annotations: {kubernetes.io/service-account.name: sa1}}\ntype: kubernetes.io/service-account-token\n' | kc create -f - >/dev/null
	kc wait --for=condition=established crd/widgets.example.com --timeout=20s >/dev/null
	printf 'apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w1, labels: {a: b}}\nspec: {size: 3, someAPIUrl: x, HTTPServer: y, parts: [{id: p1}, {id: p2}], list: [a, 1, true], empty: {}, none: [], deep: {a-b: 1, c_d: 2, x1: 3}}\n' >w1.yaml
	for ((i = 0; i < 50; i++)); do kc create -f w1.yaml >/dev/null 2>&1 && break; sleep 0.1; done
	status pod full "{\"phase\": \"Running\", \"hostIP\": \"10.9.9.9\", \"podIP\": \"10.0.0.1\", \"podIPs\": [{\"ip\": \"10.0.0.1\"}, {\"ip\": \"fd00::1\"}], \"startTime\": \"$t\", \"reason\": \"R\", \"message\": \"M\",
		\"conditions\": [{\"type\": \"Ready\", \"status\": \"True\"}, {\"type\": \"example.com/ready\", \"status\": \"False\"}],
		\"initContainerStatuses\": [{\"name\": \"first\", \"ready\": true, \"restartCount\": 0, \"image\": \"i\", \"imageID\": \"iid\", \"containerID\": \"c://1\", \"state\": {\"terminated\": {\"exitCode\": 0, \"reason\": \"Completed\", \"startedAt\": \"$t\", \"finishedAt\": \"$t\"}}}],
		\"containerStatuses\": [{\"name\": \"c\", \"ready\": true, \"restartCount\": 2, \"image\": \"i\", \"imageID\": \"iid\", \"containerID\": \"c://2\", \"state\": {\"running\": {\"startedAt\": \"$t\"}}, \"lastState\": {\"terminated\": {\"exitCode\": 137, \"signal\": 9, \"message\": \"m\", \"startedAt\": \"$t\", \"finishedAt\": \"$t\"}}},
			{\"name\": \"d\", \"ready\": false, \"restartCount\": 0, \"image\": \"i\", \"imageID\": \"\", \"state\": {\"waiting\": {\"reason\": \"ImagePullBackOff\"}}}]}"
	status node n1 "{\"capacity\": {\"cpu\": \"4\", \"memory\": \"8Gi\", \"pods\": \"110\", \"hugepages-2Mi\": \"0\", \"ephemeral-storage\": \"100Gi\", \"example.com/gpu\": \"2\"}, \"allocatable\": {\"cpu\": \"3900m\", \"memory\": \"7Gi\", \"pods\": \"110\", \"hugepages-2Mi\": \"0\", \"ephemeral-storage\": \"90Gi\", \"example.com/gpu\": \"2\"},
		\"addresses\": [{\"type\": \"InternalIP\", \"address\": \"10.9.9.9\"}, {\"type\": \"Hostname\", \"address\": \"n1\"}], \"nodeInfo\": {\"machineID\": \"m\", \"systemUUID\": \"s\", \"bootID\": \"b\", \"kernelVersion\": \"6\", \"osImage\": \"o\", \"operatingSystem\": \"linux\", \"architecture\": \"amd64\", \"containerRuntimeVersion\": \"teu://1\", \"kubeletVersion\": \"v1\", \"kubeProxyVersion\": \"\"},
		\"conditions\": [{\"type\": \"Ready\", \"status\": \"True\", \"reason\": \"KubeletReady\", \"message\": \"ok\", \"lastHeartbeatTime\": \"$t\", \"lastTransitionTime\": \"$t\"}]}"
	status node n2 '{"capacity": {"cpu": "1", "memory": "1Gi"}}'
	status deploy d1 "{\"replicas\": 1, \"updatedReplicas\": 1, \"unavailableReplicas\": 1, \"conditions\": [{\"type\": \"Available\", \"status\": \"False\", \"reason\": \"Min\", \"message\": \"m\"}]}"
	status job j1 "{\"active\": 1, \"ready\": 0, \"failed\": 1, \"startTime\": \"$t\", \"completedIndexes\": \"0\"}"
	status pvc pvc1 "{\"phase\": \"Pending\", \"conditions\": [{\"type\": \"Resizing\", \"status\": \"True\", \"lastProbeTime\": \"$t\", \"lastTransitionTime\": \"$t\"}]}"
	status svc s2 '{"loadBalancer": {"ingress": [{"ip": "5.6.7.8", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]}}'
	status ing i1 '{"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}, {"hostname": "lb.example.com"}]}}'
	status hpa hpa1 '{"currentReplicas": 1, "desiredReplicas": 2, "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 10, "averageValue": "100m"}}}, {"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "90Mi"}}}], "conditions": [{"type": "AbleToScale", "status": "True", "reason": "R", "message": "m"}]}'
	status quota rq1 '{"hard": {"pods": "4", "requests.cpu": "1", "requests.memory": "1Gi"}, "used": {"pods": "1", "requests.cpu": "250m", "requests.memory": "512000"}}'
	status pdb pdb1 '{"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}'
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -subj "/C=DE/ST=B/L=Ber/O=o1/O=o2/OU=u/CN=joe/serialNumber=7" -addext "subjectAltName=DNS:a.example.com,IP:10.0.0.1,URI:spiffe://a/b,email:a@example.com" 2>/dev/null >csr.pem
	for i in one two; do
		printf 'apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {name: %s, labels: {a: b}}\nspec: {request: %s, signerName: example.com/s, usages: [client auth], expirationSeconds: 7200}\n' "$i" "$(base64 -w0 <csr.pem)" | kc create -f - >/dev/null
	done
	kc certificate approve two >/dev/null
}
teardown_file() { api_file_stop; }
setup() {
	[ -n "${DIR:-}" ] || skip "needs root, a built teu and $KUBECTL"
	cd "$DIR" || return 1
}

compare() { LIMIT=120 within python3 "$TOP/tests/e2e/kubectl_compare.py" "$TOP/tests/e2e/$1" "$KUBECTL" "$TEU" "${@:2}"; }

@test "descriptions are the same bytes" {
	compare 7130-kubectl-show.list
}

@test "nodes and pods use what metrics.k8s.io says" {
	local i
	nsenter -t "$(<"$DIR/pid")" -n -- python3 "$TOP/tests/e2e/metrics_fake.py" 6001 >fake.log 2>&1 3>&- &
	FAKE=$!
	printf 'apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "http://127.0.0.1:6001"}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\ncurrent-context: c\n' >fake.conf
	for ((i = 0; i < 100; i++)); do
		within "$TEU" kubectl --kubeconfig fake.conf top node >/dev/null 2>&1 && break
		sleep 0.1
	done
	KUBECONFIG=$DIR/fake.conf compare 7130-kubectl-top.list || { kill $FAKE; return 1; }
	kill $FAKE
}

@test "requests for certificates are approved and denied" {
	local tk="within $TEU kubectl" i
	for i in three four; do
		sed "s/%s/$i/" >csr-$i.yaml <<-END
			apiVersion: certificates.k8s.io/v1
			kind: CertificateSigningRequest
			metadata: {name: $i}
			spec: {request: $(base64 -w0 <csr.pem), signerName: example.com/s, usages: [client auth]}
		END
		kc create -f csr-$i.yaml >/dev/null
	done
	says "certificatesigningrequest.certificates.k8s.io/three approved" $tk certificate approve three
	is "Approved KubectlApprove True" $tk get csr three -o 'jsonpath={.status.conditions[*].type} {.status.conditions[*].reason} {.status.conditions[*].status}'
	is "certificatesigningrequest.certificates.k8s.io/four denied" $tk certificate deny -f csr-four.yaml
	fails_with 'certificate signing request "four" is already Denied' $tk certificate approve four
	says "Denied" $tk describe csr four
}

@test "a dump has a file for each list; events are seen as they come" {
	within "$TEU" kubectl cluster-info dump --output-directory=dumped --namespaces=default,kube-system >said
	grep -q "Cluster info dumped to dumped" said
	[ -s dumped/nodes.json ] && [ -s dumped/default/pods.json ] && [ -s dumped/kube-system/events.json ]
	grep -q "START logs for container c of pod default/full" dumped/default/full/logs.txt
	python3 -c 'import json; d = json.load(open("dumped/default/pods.json")); assert d["kind"] == "PodList" and d["items"], d'
	nsenter -t "$(<"$DIR/pid")" -n -- "$TEU" kubectl events -w --types=Warning >seen 2>&1 3>&- &
	BEHIND=$!
	for ((i = 0; i < 100; i++)); do
		printf 'apiVersion: v1\nkind: Event\nmetadata: {name: w.%s}\ninvolvedObject: {kind: Pod, name: full, namespace: default}\ntype: Warning\nreason: Watched\nmessage: m\nlastTimestamp: "2026-01-05T00:00:00Z"\n' "$i" | kc create -f - >/dev/null
		! grep -q "Watched *Pod/full" seen || break
		sleep 0.1
	done
	kill $BEHIND
	wait $BEHIND || true
	grep -q "LAST SEEN" seen
	! grep -q Normal seen
}

@test "programs named kubectl-* are commands" {
	mkdir -p plugins
	printf '#!/bin/sh\necho "foo: $*"\n' >plugins/kubectl-foo
	printf '#!/bin/sh\necho "foo bar_x: $*"\n' >plugins/kubectl-foo-bar_x
	printf '#!/bin/sh\n' >plugins/kubectl-get
	printf 'text' >plugins/kubectl-none
	chmod +x plugins/kubectl-foo plugins/kubectl-foo-bar_x plugins/kubectl-get
	PATH=$DIR/plugins:$DIR/plugins/none:$DIR/plugins/kubectl-foo:$DIR/./plugins/:$PATH compare 7130-kubectl-plugin.list
	is "foo bar_x: y --z" env PATH="$DIR/plugins:$PATH" "$TEU" kubectl foo bar-x y --z
}

@test "a shell is offered commands, flags, kinds and names" {
	ln -sf "$TEU" kubectl
	"$TEU" kubectl completion bash >script
	offers() { # WORDS EXPECTED
		is "$2" within env PATH="$DIR:$PATH" bash -c "source script; COMP_WORDS=(kubectl $1); COMP_CWORD=\$((\${#COMP_WORDS[@]} - 1)); _kubectl; echo \${COMPREPLY[*]}"
	}
	offers "descr" "describe"
	offers "get --show-l" "--show-labels"
	offers "certificate a" "approve"
	offers "get deployments." "deployments.apps"
	offers "get pods ''" "full plain"
	offers "describe pods/f" "pods/full"
	offers "-n kube-node-lease get lease n" "n1"
	offers "top node n" "n1 n2"
	offers "certificate deny on" "one"
	offers "config use-context d" "default"
	offers "get nopes zz" ""
	is ":4" "$TEU" kubectl __complete --server http://127.0.0.1:1 get pods x
	"$TEU" man --dir pages
	grep -q "Tell all about objects" pages/teu-kubectl-describe.1
	grep -q "teu.kubectl top pod" pages/teu-kubectl-top-pod.1
}
