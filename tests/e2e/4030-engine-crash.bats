#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What outlives what: engine ended or killed under running containers, a shim killed, two engines side by side.

load engine.bash
setup_file() { engine_setup_file; }
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }
teardown() { remove_all; }

# A next engine for the same state, in the namespaces of a container's shim (the old engine's).
engine_again() {
	local shim
	shim=$(pgrep -f "shim [0-9a-f]* $DIR/e/run" | head -1)
	engine_start e "$shim"
}

@test "containers and their streams survive kill -9 of the engine" {
	docker run -d --name ss busybox sh -c 'trap "exit 5" TERM; i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done'
	docker run -d --name short busybox sh -c 'sleep 0.6; exit 4'
	(docker run --name in -i busybox sh -c 'sleep 1.5; echo late; cat' <<<"from stdin" >"$DIR/in" 2>/dev/null 3>&- || true) &
	local client=$!
	until_ok state_is in running
	engine_stop KILL
	sleep 0.8
	engine_again
	until_ok state_is short exited
	[ "$(docker inspect -f '{{.State.ExitCode}}' short)" = 4 ]
	state_is ss running
	wait $client
	[ "$(cat "$DIR/in")" = "late
from stdin" ]
	[ "$(docker exec ss echo again)" = again ]
	docker stop ss
	[ "$(docker inspect -f '{{.State.ExitCode}}' ss)" = 5 ]
}

@test "an exec whose engine is killed meanwhile is no success" {
	local client code=0
	docker run -d --name xx busybox sleep 100
	docker exec xx sh -c 'touch /tmp/runs; while [ -e /tmp/runs ]; do sleep 0.05; done' 3>&- &
	client=$!
	until_ok docker exec xx test -e /tmp/runs
	engine_stop KILL
	engine_again
	docker exec xx rm /tmp/runs
	wait "$client" || code=$?
	[ "$code" -ne 0 ] && [ "$code" -ne 124 ]
}

@test "what a killed engine had frozen for a commit runs on with the next" {
	local id oci=${TEU_OCI:-$TOP/build/teu-oci}
	id=$(docker run -d --name fz busybox sh -c 'while :; do date +%N >/tick; sleep 0.01; done')
	until_ok docker exec fz test -s /tick
	engine_stop KILL
	mkdir -p "$DIR/e/run/frozen"
	touch "$DIR/e/run/frozen/$id"
	"$oci" --root "$DIR/e/run/oci" pause "$id"
	[ "$("$oci" --root "$DIR/e/run/oci" state "$id" | jq -r .status)" = paused ]
	engine_again
	[ "$("$oci" --root "$DIR/e/run/oci" state "$id" | jq -r .status)" = running ]
	[ ! -e "$DIR/e/run/frozen/$id" ]
	[ "$(docker exec fz echo again)" = again ]
}

@test "a root's own mode outlives a restart" {
	docker run -d --name md --network none busybox sleep 100
	docker exec md chmod 0711 /
	docker restart -t 0 md
	[ "$(docker exec md stat -c %a /)" = 711 ]
}

@test "SIGTERM ends the engine quickly and cleanly; containers run on" {
	docker run -d --name tt busybox sleep 100
	timeout 10 "$DOCKER" events >/dev/null 2>&1 3>&- &
	timeout 10 "$DOCKER" wait tt >/dev/null 2>&1 3>&- &
	sleep 0.3
	local begun=$SECONDS
	engine_stop TERM
	[ $((SECONDS - begun)) -le 3 ]
	engine_again
	state_is tt running
}

@test "a killed shim takes its container along, and the engine says so" {
	docker run -d --name kk busybox sleep 100
	local pid shim
	pid=$(docker inspect -f '{{.State.Pid}}' kk)
	shim=$(awk '/^PPid/{print $2}' "/proc/$pid/status")
	kill -9 "$shim"
	until_ok state_is kk exited
	[ "$(docker inspect -f '{{.State.ExitCode}}' kk)" = 137 ]
	until_ok gone "$pid"
	docker start kk
	state_is kk running
}

@test "two engines share a network namespace without meeting" {
	engine_start two "$(engine_pid)"
	local other="$DOCKER -H unix://$DIR/two/docker.sock"
	$other import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	docker run -d --name same busybox sleep 100
	$other run -d --name same busybox sleep 100
	local a b
	a=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' same)
	b=$($other inspect -f '{{.NetworkSettings.IPAddress}}' same)
	[ -n "$a" ] && [ -n "$b" ] && [ "$a" != "$b" ]
	docker exec same ping -c 1 -w 2 "$(docker network inspect -f '{{(index .IPAM.Config 0).Gateway}}' bridge)"
	$other rm -f same
	state_is same running
	engine_stop TERM two
}

@test "a second engine on the same state is refused" {
	fails_with 1 "another engine runs with root" timeout 10 unshare -nm "$TEU" --root "$DIR/e/root" --run "$DIR/x/run" engine \
		--host "unix://$DIR/x/docker.sock"
	fails_with 1 "TCP is not supported yet" timeout 10 unshare -nm "$TEU" --root "$DIR/y/root" --run "$DIR/y/run" engine --host tcp://127.0.0.1:1
}

@test "the engine is small" {
	local rss
	rss=$(awk '/^VmRSS/{print $2}' "/proc/$(engine_pid)/status")
	echo "# $rss KB" >&3
	[ "$rss" -le 8192 ]
}
