#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ps, logs, exec, attach, inspect, stop, rm and the others over containers; images, tag, rmi, import, load.

load cli.bash
setup_file() { cli_setup_file; [ -z "${DIR:-}" ] || cli_engine >/dev/null; }
teardown_file() { cli_teardown_file; }
setup() { cli_setup; }
teardown() { remove_all; }

box() { local name=$1; shift; teu run -d --name "$name" --network none "$@" >/dev/null; }
LOOP='trap "exit 3" TERM; while :; do sleep 0.05; done'

@test "the life of a detached container" {
	local id
	id=$(teu run -d --name web --network none busybox sh -c "echo out; echo err >&2; $LOOP")
	[[ "$id" =~ ^[0-9a-f]{64}$ ]]
	[ "$(teu ps -q)" = "${id:0:12}" ]
	until_ok bash -c "'$TEU' logs web 2>&1 | grep -q err"
	[ "$(teu logs web 2>/dev/null)" = out ]
	[ "$(teu logs web 2>&1 >/dev/null)" = err ]
	[ "$(teu exec web echo hi)" = hi ]
	[ "$(teu stop web)" = web ]
	[ "$(teu wait web)" = 3 ]
	[ -z "$(teu ps -q)" ]
	run teu ps -a
	[[ "${lines[1]}" == *"Exited (3)"* ]]
	[ "$(teu start web)" = web ]
	teu rename web web2
	[ "$(teu restart -t 5 web2)" = web2 ]
	fails_with 1 "stop the container" teu rm web2
	[ "$(teu kill -s TERM web2)" = web2 ]
	[ "$(teu wait web2)" = 3 ]
	[ "$(teu rm web2)" = web2 ]
	fails_with 1 "No such container: web2" teu rm web2
	run teu rm -f web2
	[ "$status" -eq 0 ]
}

@test "several names: what fails is told, the others are done" {
	box aa busybox sleep 100
	box bb busybox sleep 100
	fails_with 1 "No such container: nosuch" teu stop -t 0 aa nosuch bb
	[ -z "$(teu ps -q)" ]
	teu rm aa bb
	fails_with 125 "requires at least 1 argument" teu rm
}

@test "ps: columns, filters, templates, json, no-trunc, last" {
	box one -l k=v busybox sh -c 'sleep 1000; echo a very long command line'
	box two busybox sleep 1000
	run teu ps
	[[ "${lines[0]}" == "CONTAINER ID   IMAGE     COMMAND "* ]]
	[[ "${lines[1]}" == *two ]]
	[[ "${lines[2]}" == *'"sh -c '*'…"'*one ]]
	[ "$(teu ps --filter label=k=v --format '{{.Names}}')" = one ]
	[ "$(teu ps -f name=two --format '{{.Names}} {{.Image}} {{.State}}')" = "two busybox running" ]
	[ "$(teu ps --format json | wc -l)" = 2 ]
	[ "$(teu ps --format json | head -1 | jq -r .Names)" = two ]
	[ "$(teu ps -n 1 --format '{{.Names}}')" = two ]
	[ "$(teu ps -q --no-trunc | head -1 | wc -c)" = 65 ]
	run teu ps --format 'table {{.Names}}\t{{.ID}}'
	[[ "${lines[0]}" == "NAMES     CONTAINER ID" ]]
	fails_with 1 "{{range .X}} is not supported" teu ps --format '{{range .X}}'
	fails_with 1 "invalid filter 'nosuch'" teu ps --filter nosuch=1
}

@test "exec: status, stdin, environment, directory, user, detached, terminal" {
	box web busybox sh -c "$LOOP"
	fails_with 9 "" teu exec web sh -c 'exit 9'
	fails_with 127 "not found" teu exec web nosuchprogram
	fails_with 1 "No such container: nosuch" teu exec nosuch true
	[ "$(echo piped | teu exec -i web cat)" = piped ]
	[ "$(teu exec -e A=1 -w /tmp -u 1000 web sh -c 'echo $A $(pwd) $(id -u)')" = "1 /tmp 1000" ]
	teu exec -d web touch /tmp/made
	until_ok teu exec web test -e /tmp/made
	run script -qec "stty rows 12 cols 34; '$TEU' exec -it web stty size; echo" /dev/null
	prints "12 34"
	fails_with 4 "" teu exec web sh -c 'exec >&- 2>&-; sleep 0.3; exit 4'
	for i in 1 2 3 4 5 6 7 8; do fails_with "$i" "" teu exec web sh -c "exit $i"; done
}

@test "attach joins a running container and gives its status" {
	box at -i busybox sh -c 'read x; echo got $x; exit 6'
	# docker's: who gave input and ends it leaves, so the input stays open here
	fails_with 6 "got hello" bash -c "{ echo hello; sleep 1; } | '$TEU' attach at"
	fails_with 1 "stopped container" teu attach at
}

@test "start -a and -i join from the first byte" {
	teu create --name st --network none -i busybox sh -c 'read x; echo got $x; exit 2' >/dev/null
	fails_with 2 "got hey" bash -c "echo hey | '$TEU' start -ai st"
	teu create --name st2 --network none busybox echo once >/dev/null
	[ "$(teu start -a st2)" = once ]
}

@test "logs: tail, follow until the end, timestamps, since" {
	box lo busybox sh -c 'for i in 1 2 3; do echo line $i; done; sleep 0.5; echo last'
	[ "$(teu logs -f lo | tail -1)" = last ]
	[ "$(teu logs --tail 2 lo)" = "line 3
last" ]
	[[ "$(teu logs -t --tail 1 lo)" =~ ^20[0-9T:.-]+Z\ last$ ]]
	[ -z "$(teu logs --since 2100-01-01T00:00:00Z lo)" ]
	fails_with 1 "No such container" teu logs nosuch
	fails_with 1 "--since" teu logs --since soon lo
}

@test "inspect: pretty, templates, types, what is not there" {
	box ins -e A=1 busybox sleep 1000
	[ "$(teu inspect ins | jq -r '.[0].Name')" = /ins ]
	[[ "$(teu inspect ins | sed -n 3p)" == '        "Id": '* ]]
	[ "$(teu inspect -f '{{.State.Running}} {{.Config.Image}}' ins)" = "true busybox" ]
	[ "$(teu inspect -f '{{json .Config.Cmd}}' ins)" = '["sleep","1000"]' ]
	[ "$(teu inspect busybox --format '{{.Os}}')" = linux ]
	[ "$(teu image inspect busybox --format '{{.Os}}')" = linux ]
	[ "$(teu inspect --type network none -f '{{.Name}}')" = none ]
	fails_with 1 "No such object: nosuch" teu inspect nosuch
	fails_with 1 "No such image" teu inspect --type image ins
	fails_with 1 "no such field" teu inspect -f '{{.Nope}}' ins
}

@test "images, tag, history, rmi, import, load" {
	run teu images
	[[ "${lines[0]}" == "REPOSITORY   TAG       IMAGE ID "* ]]
	[[ "${lines[1]}" == "busybox      latest "* ]]
	teu tag busybox other/name:v1
	[ "$(teu images --format '{{.Repository}}:{{.Tag}}' other/name)" = other/name:v1 ]
	[ "$(teu history -q busybox | wc -l)" = 1 ]
	[ "$(teu rmi other/name:v1)" = "Untagged: other/name:v1" ]
	fails_with 1 "No such image" teu rmi other/name:v1
	run teu import -c 'CMD ["echo","from-cmd"]' -m hello "$("$TOP/tools/image" busybox)" imp:1
	[[ "$output" == sha256:* ]]
	[ "$(teu run --rm --network none imp:1)" = from-cmd ]
	[ "$(cat "$("$TOP/tools/image" busybox)" | teu import - imp:2 | wc -l)" = 1 ]
	fails_with 1 "is a directory" teu import "$DIR" imp:3
	fails_with 1 "not supported yet" teu import http://example.com/x.tar
	teu rmi imp:1 imp:2
	fails_with 1 "" teu load -i "$("$TOP/tools/image" busybox)"
	fails_with 1 "open '/nonexistent'" teu load -i /nonexistent
}

@test "info, version, events" {
	[[ "$(teu info)" == *"Server Version: "* ]]
	[ "$(teu info --format '{{.OSType}}')" = linux ]
	[ "$(teu version --format json | jq -r '.Server.ApiVersion')" = 1.50 ]
	[ "$(teu version --client --format '{{.Client.Os}}')" = linux ]
	teu run --rm --name ev --network none busybox true
	run teu events --since 10s --until 0s --filter container=ev
	prints "container create"
	prints "exitCode=0"
	[ "$(teu events --since 10s --until 0s --filter container=ev --filter event=die --format '{{.Action}} {{.Actor.Attributes.exitCode}}')" = "die 0" ]
	teu events --since 10s --until 0s --format json | head -1 | jq -e .Type
}

@test "called through a link named docker it is the same table" {
	ln -s "$TEU" "$DIR/docker"
	[ "$("$DIR/docker" ps -q)" = "" ]
	fails_with 125 "docker: unknown flag: --bogus" "$DIR/docker" run --bogus busybox
	prints "See 'docker run --help'."
	[[ "$("$DIR/docker" run --help)" == "Usage:  docker run "* ]]
	[ "$(DOCKER_HOST=unix://$TEU_RUN/teu.sock TEU_RUN=/nonexistent "$DIR/docker" version --format '{{.Server.ApiVersion}}')" = 1.50 ]
	[ "$("$DIR/docker" container run --rm --network none busybox echo hi)" = hi ]
}

@test "rm --force of what is not there prints no name" {
	run "$TEU" rm -f nowhere
	[ "$status" -eq 0 ]
	prints "No such container: nowhere"
	[ "${#lines[@]}" = 1 ]
}

@test "an attached terminal outlives its engine, also when it is resized" {
	run python3 "$TOP/tests/tools/resize-alone.py" "$TEU" "$TEU_ROOT"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = "signal 15, terminal restored" ]
}
