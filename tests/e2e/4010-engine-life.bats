#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The life of containers: ps, stop, kill, wait, restart, rename, rm, exec, events.

load engine.bash
setup_file() { engine_setup_file; }
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }
teardown() { remove_all; }

@test "ps shows what runs, -a what ended, filters choose" {
	docker run -d --name up --label tier=web busybox sleep 100
	docker run --name down busybox sh -c 'exit 3' || true
	[ "$(docker ps --format '{{.Names}}')" = up ]
	[ "$(docker ps -a --format '{{.Names}}' | tr '\n' ' ')" = "down up " ]
	[ "$(docker ps -a --filter status=exited --format '{{.Names}}')" = down ]
	[ "$(docker ps -a --filter exited=3 --format '{{.Names}}')" = down ]
	[ "$(docker ps --filter label=tier=web --format '{{.Names}}')" = up ]
	[ -z "$(docker ps --filter label=tier=db -q)" ]
	[ "$(docker ps -a --filter ancestor=busybox -q | wc -l)" = 2 ]
	[ "$(docker ps -a -n 1 --format '{{.Names}}')" = down ]
	[ "$(docker ps -a --filter before=down --format '{{.Names}}')" = up ]
	[ "$(docker ps -a --filter since=up --format '{{.Names}}')" = down ]
	run docker ps -a --format '{{.Status}}' --filter name=down
	[[ "$output" == "Exited (3) "*ago ]]
	fails_with 1 "invalid filter 'bogus'" docker ps --filter bogus=1
}

@test "stop sends the stop signal and then kills" {
	docker run -d --name good busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
	docker run -d --name deaf busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done'
	sleep 0.3
	docker stop good
	docker stop -t 1 deaf
	[ "$(docker inspect -f '{{.State.ExitCode}}' good)" = 5 ]
	[ "$(docker inspect -f '{{.State.ExitCode}}' deaf)" = 137 ]
	docker stop good
}

@test "kill, wait and start again" {
	docker run -d --name kk busybox sleep 100
	docker wait kk >"$DIR/code" 3>&- &
	local waiter=$!
	sleep 0.2
	docker kill kk
	wait $waiter
	[ "$(cat "$DIR/code")" = 137 ]
	fails_with 1 "is not running" docker kill kk
	docker start kk
	state_is kk running
	docker restart -t 0 kk
	state_is kk running
}

@test "rm refuses what runs, without force" {
	docker run -d --name rr busybox sleep 100
	fails_with 1 'container is running: stop the container before removing or force remove' docker rm rr
	docker rm -f rr
	fails_with 1 "No such container: rr" docker rm rr
}

@test "a container is found by name, id and unique prefix" {
	local id
	id=$(docker create --name pp busybox true)
	[ "$(docker inspect -f '{{.Id}}' "${id:0:12}")" = "$id" ]
	[ "$(docker inspect -f '{{.Id}}' pp)" = "$id" ]
	[ "$(docker inspect -f '{{.Name}}' "$id")" = /pp ]
}

@test "exec gives output and exit code, also when it is short" {
	docker run -d --name xx busybox sleep 100
	local i
	for i in 1 2 3 4 5; do
		run docker exec xx sh -c "echo in $i; exit $i"
		[ "$status" -eq "$i" ]
		[ "$output" = "in $i" ]
	done
	[ "$(echo hello | docker exec -i xx cat)" = hello ]
	[ "$(docker exec -u 1000 -w /tmp -e K=v xx sh -c 'id -u; pwd; echo $K' | tr '\n' ' ')" = "1000 /tmp v " ]
	docker exec -d xx sh -c 'echo made >/tmp/made'
	until_ok docker exec xx test -e /tmp/made
	fails_with 127 "executable file not found" docker exec xx nosuch
	docker stop -t 0 xx
	fails_with 1 "is not running" docker exec xx true
}

# started_exec BODY: makes an exec of container xx, starts it, and prints what its stream says and its exit code.
started_exec() {
	local id
	id=$(api POST /containers/xx/exec -H 'Content-Type: application/json' -d "$1" | head -1 | jq -r .Id)
	# curl would wait for the end of a stream that is never closed
	api POST "/exec/$id/start" -H 'Content-Type: application/json' -d '{}' | tr -d '\0' | grep -o '[a-z].*[a-z]' | head -1
	api GET "/exec/$id/json" | head -1 | jq -c '[.Running, .ExitCode]'
}

@test "an exec that cannot be started ends with docker's exit code, its words and its stream" {
	local oci=${TEU_OCI:-$TOP/build/teu-oci} id
	id=$(docker run -d --name xx busybox sleep 100)
	fails_with 127 "executable file not found" docker exec -t xx nosuch
	fails_with 127 "executable file not found" docker exec -i xx nosuch </dev/null
	fails_with 127 "working directory '/nosuch'" docker exec -w /nosuch xx true
	fails_with 126 "unable to find user nosuch" docker exec -u nosuch xx true
	fails_with 126 "is a directory" docker exec xx /tmp
	fails_with 126 "permission denied" docker exec xx /etc/passwd
	fails_with 1 "executable file not found" docker exec -d xx nosuch
	[ "$(started_exec '{"Cmd":["true"],"User":"nosuch","AttachStderr":true}')" = $'unable to find user nosuch: no matching entries in passwd file\n[false,126]' ]
	[ "$(started_exec '{"Cmd":["nosuch"],"AttachStderr":true}' | tail -1)" = "[false,127]" ]
	# frozen behind the engine's back
	"$oci" --root "$DIR/e/run/oci" pause "$id"
	fails_with 128 "paused container" docker exec xx true
	"$oci" --root "$DIR/e/run/oci" resume "$id"
	docker exec xx true
}

@test "the restart policy restarts as often as it says" {
	docker run -d --name ff --restart on-failure:2 busybox sh -c 'exit 3'
	until_ok state_is ff exited
	sleep 1
	state_is ff exited
	[ "$(docker inspect -f '{{.RestartCount}} {{.State.ExitCode}}' ff)" = "2 3" ]
}

@test "events that are more than a queue holds come back whole" {
	local big i n
	big=$(head -c 4000 /dev/zero | tr '\0' l)
	docker create --name many --label "big=$big" busybox true
	for i in $(seq 60); do
		api POST "/containers/many/rename?name=many$i" >/dev/null
		api POST "/containers/many$i/rename?name=many" >/dev/null
	done
	run curl -s -m 10 --unix-socket "$DIR/e/docker.sock" "http://e/events?since=1&until=$(date +%s.%N)&filters=%7B%22event%22%3A%5B%22rename%22%5D%7D"
	[ "$(grep -c '"Action":"rename"' <<<"$output")" -ge 120 ] || { echo "$(grep -c rename <<<"$output") events"; false; }
	# a reader that sleeps while they come loses none
	curl -sN -m 5 --limit-rate 400k --unix-socket "$DIR/e/docker.sock" "http://e/events?since=1&until=$(($(date +%s) + 1))&filters=%7B%22event%22%3A%5B%22rename%22%5D%7D" >"$DIR/slow"
	[ "$(grep -c '"Action":"rename"' "$DIR/slow")" -ge 120 ]
	[ -z "$(docker events --since 1h --until 0s --filter plugin=none)" ]
}

@test "df by kind, and what an image has" {
	run api GET "/system/df?type=image"
	prints '"LayersSize"'
	[[ "$output" != *'"Containers":['* && "$output" != *BuildCache* ]]
	run api GET "/system/df?type=bogus"
	prints "unknown object type: bogus"
	prints 400
}

@test "what would be ignored is refused by name" {
	docker create --name refusing busybox true
	run api POST /containers/refusing/exec -H 'Content-Type: application/json' -d '{"Cmd":["a",2]}'
	prints "Cmd: not a list of strings"
	prints 400
	run api DELETE "/images/busybox?platforms=%7B%22os%22%3A%22linux%22%7D"
	prints "platform: not a JSON platform object"
	prints 400
	run api GET "/images/busybox/history?platform=%7B%22os%22%3A%22linux%22%7D"
	prints 400
	run api GET "/images/json?shared-size=1"
	prints 501
	run api GET '/containers/json?filters=%7B%22name%22%3A%5B%22a%7B255%7D%22%5D%7D'
	prints "not supported in expressions"
	prints 400
}

@test "info tells the machine as it is" {
	local forward
	forward=$(nsenter "--net=/proc/$(engine_pid)/ns/net" cat /proc/sys/net/ipv4/ip_forward)
	[ "$(docker info --format '{{.IPv4Forwarding}}')" = "$([ "$forward" = 1 ] && echo true || echo false)" ]
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		[ "$(docker info --format '{{.PidsLimit}}')" = "$(grep -qw pids /sys/fs/cgroup/cgroup.controllers && echo true || echo false)" ]
	fi
}

@test "events tell the life in order" {
	local since
	since=$(date +%s.%N)
	docker run --name ev --label a=b busybox sh -c 'exit 3' || true
	docker rm ev
	sleep 1.1
	run docker events --since "$since" --until 0s --filter container=ev --format '{{.Action}}'
	[ "$(echo "$output" | tr '\n' ' ')" = "create attach start die destroy " ]
	run docker events --since "$since" --until 0s --filter event=die --format '{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.a}} {{.Actor.Attributes.image}}'
	[ "$output" = "3 b busybox" ]
	# the list form of older clients
	run api GET "/v1.41/events?since=$since&until=$(date +%s)&filters=%7B%22event%22%3A%5B%22create%22%5D%7D"
	prints '"status":"create"'
	[[ "$output" != *'"status":"die"'* ]]
}

@test "inspect shows what was asked for" {
	docker create --name ii -e A=b -m 32m --restart unless-stopped -v /tmp:/t:ro --label l=m busybox sleep 1
	run docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.NetworkMode}} {{(index .Mounts 0).Destination}} {{(index .Mounts 0).RW}} {{.Config.Labels.l}} {{.Path}} {{.Args}}' ii
	[ "$output" = "33554432 unless-stopped bridge /t false m sleep [1]" ]
}
