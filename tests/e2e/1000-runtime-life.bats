#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The life of a container as engines drive it: create, start, state, kill, delete, run, exec, list, pause.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

@test "run gives the program's exit code and leaves nothing" {
	script 'echo out; echo err >&2; exit 7'
	run oci run -b "$DIR/b" "$ID"
	[ "$status" -eq 7 ]
	prints out
	prints err
	assert_nothing_left
}

@test "run reports a death by signal as 128 and the number" {
	script 'kill -9 $$'
	run oci run -b "$DIR/b" "$ID"
	# init of a pid namespace ignores signals from inside: the shell goes on to its end
	[ "$status" -eq 0 ]
	script 'sh -c "kill -15 \$\$"; exit $?'
	run oci run -b "$DIR/b" "$ID"
	[ "$status" -eq 143 ]
	assert_nothing_left
}

@test "run passes stdin through" {
	script 'cat'
	run bash -c "echo hello | '$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "$output" = hello ]
}

@test "create waits, start runs, kill ends, delete frees" {
	script 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	oci create -b "$DIR/b" --pid-file "$DIR/pid" "$ID" >/dev/null 2>&1
	[ "$(oci state "$ID" | jq -r .status)" = created ]
	[ "$(oci state "$ID" | jq -r .pid)" = "$(cat "$DIR/pid")" ]
	[ "$(oci state "$ID" | jq -r .bundle)" = "$DIR/b" ]
	fails_with 1 "that is not stopped: created" oci delete "$ID"
	oci start "$ID"
	[ "$(oci state "$ID" | jq -r .status)" = running ]
	fails_with 1 "cannot start an already running container" oci start "$ID"
	fails_with 1 "that is not stopped: running" oci delete "$ID"
	oci kill "$ID" TERM
	until_ok status_is "$ID" stopped
	[ "$(oci state "$ID" | jq -r .pid)" = 0 ]
	fails_with 1 "container not running" oci kill "$ID" 9
	fails_with 1 "cannot start a container that has stopped" oci start "$ID"
	oci delete "$ID"
	fails_with 1 "container does not exist" oci state "$ID"
	assert_nothing_left
}

@test "init becomes the child of the caller's subreaper" {
	script 'sleep 100'
	oci create -b "$DIR/b" --pid-file "$DIR/pid" "$ID" >/dev/null 2>&1
	ppid=$(awk '/^PPid/{print $2}' "/proc/$(cat "$DIR/pid")/status")
	[ "$ppid" != 0 ]
	[ "$(tr '\0' ' ' <"/proc/$ppid/cmdline" | grep -c teu-oci)" = 0 ]
	oci delete -f "$ID"
}

@test "delete --force ends a running container and a created one" {
	script 'sleep 1000'
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci delete --force "$ID"
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci start "$ID"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "unknown ids: state, kill, delete, exec fail; delete --force does not" {
	fails_with 1 "container does not exist" oci state nosuch
	fails_with 1 "container does not exist" oci kill nosuch
	fails_with 1 "container does not exist" oci delete nosuch
	fails_with 1 "container does not exist" oci exec nosuch true
	oci delete --force nosuch
}

@test "an id in use is refused and the container lives on" {
	script 'sleep 1000'
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	fails_with 1 "already exists" oci create -b "$DIR/b" "$ID"
	[ "$(oci state "$ID" | jq -r .status)" = created ]
	oci delete -f "$ID"
	assert_nothing_left
}

@test "bad ids are refused" {
	fails_with 1 "invalid container id" oci run -b "$DIR/b" a/b
	fails_with 1 "invalid container id" oci run -b "$DIR/b" ..
	fails_with 1 "invalid container id" oci delete -f ../x
	assert_nothing_left
}

@test "config.json is read once: a later edit has no effect" {
	script 'sleep 1000' '.process.env += ["WHICH=old"] | .process.user.umask = 7'
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	script 'exit 9' '.process.env += ["WHICH=new"]'
	oci start "$ID"
	[ "$(oci state "$ID" | jq -r .status)" = running ]
	[ "$(oci exec "$ID" /bin/sh -c 'echo $WHICH')" = old ]
	rm "$DIR/b/config.json"
	oci delete -f "$ID"
}

@test "exec: exit code, environment, user, cwd, its own cgroup membership" {
	script 'sleep 1000'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	run oci exec "$ID" /bin/sh -c 'exit 5'
	[ "$status" -eq 5 ]
	[ "$(oci exec -e A=b --cwd /tmp -u 1000:1001 -g 7 -g 8 "$ID" /bin/sh -c 'echo $A $(id -u) $(id -g) $(id -G) $PWD $HOME')" = "b 1000 1001 1001 7 8 /tmp /home/user" ]
	[ "$(oci exec "$ID" cat /proc/self/cgroup | grep -c "$ID")" -gt 5 ]
	[ "$(oci exec "$ID" hostname)" = box ]
	run oci exec "$ID" ps
	prints "sleep 1000"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "exec --process --detach writes the pid file" {
	script 'sleep 1000'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	echo '{"cwd":"/","args":["/bin/sleep","500"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0}}' >"$DIR/p.json"
	oci exec --process "$DIR/p.json" --detach --pid-file "$DIR/epid" "$ID" >/dev/null 2>&1
	[ "$(tr '\0' ' ' <"/proc/$(cat "$DIR/epid")/cmdline")" = "/bin/sleep 500 " ]
	[ "$(oci ps --format json "$ID" | jq length)" = 2 ]
	fails_with 1 "process.args is empty" bash -c "echo '{\"cwd\":\"/\"}' >'$DIR/p.json'; '$OCI' --root '$ROOT' exec -p '$DIR/p.json' '$ID'"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "what cannot be run: 127 and 126, at create, run and exec, with the words engines look for" {
	config '.process.args = ["/nosuch"]'
	fails_with 127 'exec: "/nosuch"' oci run -b "$DIR/b" "$ID"
	[[ "${output,,}" == *"no such file or directory"* ]]
	config '.process.args = ["nosuch"]'
	fails_with 127 'executable file not found in $PATH' oci create -b "$DIR/b" "$ID"
	config '.process.args = ["/etc"]'
	fails_with 126 'is a directory' oci run -b "$DIR/b" "$ID"
	config '.process.args = ["/etc/passwd"]'
	fails_with 126 'ermission denied' oci run -b "$DIR/b" "$ID"
	assert_nothing_left
	script 'sleep 1000'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	fails_with 127 'executable file not found in $PATH' oci exec "$ID" nosuch
	fails_with 127 'o such file or directory' oci exec "$ID" /nosuch
	fails_with 126 'ermission denied' oci exec "$ID" /etc/passwd
	oci delete -f "$ID"
	assert_nothing_left
}

@test "a script without its interpreter is 127 at the start" {
	printf '#!/nosuch\n' >"$DIR/b/rootfs/bin/bad"
	chmod +x "$DIR/b/rootfs/bin/bad"
	config '.process.args = ["bad"]'
	fails_with 127 'o such file or directory' oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "errors are the last JSON line of --log" {
	run "$OCI" --root "$ROOT" --log "$DIR/log" --log-format json state nosuch
	[ "$status" -eq 1 ]
	[ "$(tail -1 "$DIR/log" | jq -r .level)" = error ]
	[ "$(tail -1 "$DIR/log" | jq -r .msg)" = "container does not exist" ]
	tail -1 "$DIR/log" | jq -r .time | grep -qE '^20[0-9-]+T[0-9:]+Z$'
	run "$OCI" --root "$ROOT" --log "$DIR/log2" state nosuch
	grep -q 'level=error msg="container does not exist"' "$DIR/log2"
}

@test "list: table, json, quiet" {
	[ "$(oci list -f json)" = "[]" ]
	script 'sleep 1000' '.annotations = {"a.b": "c"}'
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	[ "$(oci list -q)" = "$ID" ]
	[ "$(oci list --format=json | jq -r '.[0].id + .[0].status + .[0].annotations["a.b"] + .[0].owner')" = "${ID}createdcroot" ]
	run oci list
	prints "STATUS"
	prints "created"
	oci delete -f "$ID"
}

@test "pause freezes, resume thaws, exec into a paused one is refused" {
	script 'i=0; while :; do i=$((i+1)); echo $i >/tmp/n; done' '.root.readonly = false'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	until_ok test -s "$DIR/b/rootfs/tmp/n"
	oci pause "$ID"
	[ "$(oci state "$ID" | jq -r .status)" = paused ]
	a=$(cat "$DIR/b/rootfs/tmp/n"); sleep 0.2; b=$(cat "$DIR/b/rootfs/tmp/n")
	[ "$a" = "$b" ]
	fails_with 1 "paused" oci exec "$ID" true
	fails_with 1 "not running" oci pause "$ID"
	oci resume "$ID"
	[ "$(oci state "$ID" | jq -r .status)" = running ]
	fails_with 1 "not paused" oci resume "$ID"
	oci pause "$ID"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "kill --all reaches every process, also with the host's pid namespace" {
	script 'sleep 1000 & sleep 1001' '.linux.namespaces |= map(select(.type != "pid"))'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	until_ok bash -c "[ \$('$OCI' --root '$ROOT' ps -f json '$ID' | jq length) -ge 2 ]"
	oci kill --all "$ID" KILL
	until_ok status_is "$ID" stopped
	[ "$(oci ps -f json "$ID")" = "[]" ]
	oci delete "$ID"
	assert_nothing_left
}

@test "delete ends what outlived init in the host's pid namespace" {
	script 'sleep 1000 & exit 0' '.linux.namespaces |= map(select(.type != "pid"))'
	oci run -d --keep -b "$DIR/b" "$ID" >/dev/null 2>&1
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	assert_nothing_left
}

@test "signals by number, name and SIGname" {
	script 'trap "echo usr1; exit 4" USR1; while :; do sleep 0.05; done'
	for sig in 10 USR1 SIGUSR1; do
		oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
		oci start "$ID"
		until_ok oci exec "$ID" sh -c 'grep -q "^SigCgt:.*[^0]" /proc/1/status'
		oci kill "$ID" $sig
		until_ok status_is "$ID" stopped
		oci delete "$ID"
	done
	fails_with 1 "unknown signal" oci kill "$ID" NOPE
}

@test "what is not supported is refused by name" {
	fails_with 1 "--regex is not supported" oci kill --regex "$ID"
	fails_with 1 "nosuch" oci nosuch
	fails_with 1 "--cgroup-manager" "$OCI" --cgroup-manager nosuch list
}

@test "version and features" {
	run "$OCI" --version
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" =~ ^teu-oci\ version ]]
	prints "spec: 1.3.0"
	[ "$(oci features | jq -r .ociVersionMax)" = 1.3.0 ]
	[ "$(oci features | jq '.linux.namespaces | length')" = 8 ]
}

# Of a create in the background, $P, that something holds up: its init, when create sleeps in a kernel function of that name.
held() {
	until_ok grep -q "$1" "/proc/$P/stack"
	I=$(pgrep -P "$P")
}

# kill -9 at this point: init ends with it, nothing holds the lock of the state, all of it can be deleted.
killed() {
	! readlink "/proc/$I/fd/"* | grep "$ROOT/$ID" || { echo "init holds the state directory, and with it the lock"; return 1; }
	kill -9 "$P"
	wait "$P" || true
	until_ok sh -c "[ ! -d /proc/$I ] || grep -q '^State:.*Z' /proc/$I/status"
	timeout 20 "$OCI" --root "$ROOT" delete --force "$ID"
	assert_nothing_left
}

@test "a create that is killed after its init was ready, before the record: nothing stays" {
	[ -r /proc/self/stack ] || skip "needs /proc/PID/stack"
	script 'sleep 1000' '.process.terminal = true'
	mkfifo "$DIR/hold"
	# A socket whose queue is full: who connects waits.
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
c = socket.socket(socket.AF_UNIX)
c.connect(sys.argv[1])
print(flush=True)
sys.stdin.read()' "$DIR/console" <"$DIR/hold" >"$DIR/full" 3>&- &
	exec 8>"$DIR/hold"
	until_ok test -s "$DIR/full"
	"$OCI" --root "$ROOT" create -b "$DIR/b" --console-socket "$DIR/console" "$ID" </dev/null >/dev/null 2>&1 3>&- 8>&- &
	P=$!
	held 'unix_wait_for_peer\|unix_stream_connect'
	[ ! -e "$ROOT/$ID/created.json" ]
	killed
	exec 8>&-
}

@test "a create that is killed after the record, before it lets its init go: nothing stays" {
	[ -r /proc/self/stack ] || skip "needs /proc/PID/stack"
	script 'sleep 1000'
	mkfifo "$DIR/pid.teu-new" # its writer waits for a reader
	"$OCI" --root "$ROOT" create -b "$DIR/b" --pid-file "$DIR/pid" "$ID" </dev/null >/dev/null 2>&1 3>&- &
	P=$!
	held 'fifo_open\|wait_for_partner'
	[ -e "$ROOT/$ID/created.json" ]
	killed
}

@test "the init of a created container does not hold the lock of its state" {
	script 'sleep 1000'
	"$OCI" --root "$ROOT" create -b "$DIR/b" --pid-file "$DIR/pid" "$ID" </dev/null >/dev/null 2>&1 3>&-
	! readlink "/proc/$(cat "$DIR/pid")/fd/"* | grep "$ROOT/$ID"
	timeout 10 flock -x "$ROOT/$ID" true
	oci delete --force "$ID"
	assert_nothing_left
}
