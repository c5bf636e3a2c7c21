#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Terminals by console socket, hooks in their order and places, what happens when they fail.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

receiver() {
	"$TOP/tests/tools/recv-console" "$DIR/console" "$@" >"$DIR/tty" 2>"$DIR/tty.err" &
	RECEIVER=$!
	until_ok grep -q listening "$DIR/tty.err"
}

@test "create with a terminal hands its master to the console socket" {
	script 'tty; stty size; test -c /dev/console && echo console; read -r l; echo "got $l"' '.process.terminal = true | .process.consoleSize = {"height": 33, "width": 99}'
	receiver $'typed\n'
	oci create --console-socket "$DIR/console" -b "$DIR/b" "$ID"
	oci start "$ID"
	wait "$RECEIVER"
	run cat "$DIR/tty"
	prints "terminal /dev/ptmx"
	prints "/dev/pts/0"
	prints "33 99"
	prints "console"
	prints "got typed"
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	assert_nothing_left
}

@test "exec with a terminal" {
	script 'sleep 1000'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	receiver
	oci exec -t --detach --console-socket "$DIR/console" "$ID" sh -c 'tty; id -u'
	wait "$RECEIVER"
	run cat "$DIR/tty"
	prints "/dev/pts/0"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "run and exec in the foreground relay a terminal" {
	script 'tty; exit 3' '.process.terminal = true'
	run env script -qec "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'" /dev/null
	[ "$status" -eq 3 ]
	prints /dev/pts/0
	assert_nothing_left
}

@test "terminal and console socket must agree" {
	script 'true' '.process.terminal = true'
	fails_with 1 "console socket is needed" oci create -b "$DIR/b" "$ID"
	fails_with 1 "console socket" oci create --console-socket "$DIR/nosuch" -b "$DIR/b" "$ID"
	script 'true'
	fails_with 1 "process.terminal is false" oci create --console-socket "$DIR/x" -b "$DIR/b" "$ID"
	script 'true' '.process.terminal = true | .mounts |= map(select(.type != "devpts"))'
	fails_with 1 "needs a devpts mount" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

# Each hook adds a line "KIND STATUS PID ROOT MARK" to a file; inside the container's root the file is /log.
hook() {
	cat >"$DIR/hook" <<-EOF
	#!/bin/sh
	state=\$(cat)
	status=\$(printf %s "\$state" | sed 's/.*"status":"\([a-z]*\)".*/\1/')
	pid=\$(printf %s "\$state" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
	echo "\$1 \$status \${pid:+pid} \$(readlink /proc/self/ns/mnt) \$MARK" >>"$DIR/log"
	exit \$2
	EOF
	chmod +x "$DIR/hook"
	cat >"$DIR/b/rootfs/bin/inside" <<-'EOF'
	#!/bin/sh
	state=$(cat)
	echo "$1 $(printf %s "$state" | sed 's/.*"status":"\([a-z]*\)".*/\1/') inside $(readlink /proc/self/ns/mnt)" >>/tmp/log
	exit $2
	EOF
	chmod +x "$DIR/b/rootfs/bin/inside"
	ln -sf busybox "$DIR/b/rootfs/bin/sed"
}

hooks_json() {
	local fail=${1:-none} k out=
	for k in prestart createRuntime createContainer startContainer poststart poststop; do
		local path=$DIR/hook code=0
		[ $k = startContainer ] && path=/bin/inside
		[ $k = "$fail" ] && code=1
		out+="${out:+,}\"$k\":[{\"path\":\"$path\",\"args\":[\"hook\",\"$k\",\"$code\"],\"env\":[\"PATH=/bin:/usr/bin\",\"MARK=m\"]}]"
	done
	printf '{%s}' "$out"
}

@test "hooks run in order, each where it belongs, with the state on stdin" {
	hook
	script 'echo program >>/tmp/log' ".root.readonly = false | .hooks = $(hooks_json)"
	touch "$DIR/b/rootfs/tmp/log"; chmod 666 "$DIR/b/rootfs/tmp/log"
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	[ "$(cut -d' ' -f1,2,3 "$DIR/log" | tr '\n' ,)" = "prestart created pid,createRuntime created pid,createContainer created pid," ]
	host=$(readlink /proc/self/ns/mnt)
	[ "$(grep -cF "$host" "$DIR/log")" = 2 ]
	oci start "$ID"
	until_ok status_is "$ID" stopped
	[ "$(cut -d' ' -f1-3 "$DIR/b/rootfs/tmp/log" | tr '\n' ,)" = "startContainer created inside,program," ]
	[ "$(tail -1 "$DIR/log" | cut -d' ' -f1,2,5)" = "poststart running m" ]
	oci delete "$ID"
	[ "$(tail -1 "$DIR/log" | cut -d' ' -f1,2)" = "poststop stopped" ]
	assert_nothing_left
}

@test "a failing hook of create undoes the container, runs poststop, leaves nothing" {
	hook
	for k in prestart createRuntime createContainer; do
		rm -f "$DIR/log"
		script 'true' ".hooks = $(hooks_json $k)"
		fails_with 1 "$k hook 0" oci create -b "$DIR/b" "$ID"
		[ "$(tail -1 "$DIR/log" | cut -d' ' -f1)" = poststop ]
		assert_nothing_left
	done
}

@test "a failing startContainer or poststart hook fails the start" {
	hook
	for k in startContainer poststart; do
		script 'sleep 1000' ".root.readonly = false | .hooks = $(hooks_json $k)"
		oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
		fails_with 1 "$k hook 0" oci start "$ID"
		until_ok status_is "$ID" stopped
		oci delete "$ID"
		assert_nothing_left
	done
}

@test "a failing poststop hook is only a warning" {
	hook
	script 'true' ".hooks = $(hooks_json poststop)"
	jq 'del(.hooks.startContainer)' "$DIR/b/config.json" >"$DIR/c2" && mv "$DIR/c2" "$DIR/b/config.json"
	run oci run -b "$DIR/b" "$ID"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	prints "warning: poststop hook 0"
	assert_nothing_left
}

@test "a hook's time-out, and a hook that does not exist" {
	script 'true' '.hooks.createRuntime = [{"path":"/bin/sleep","args":["sleep","100"],"timeout":1}]'
	fails_with 1 "did not end within 1 s" oci run -b "$DIR/b" "$ID"
	script 'true' '.hooks.prestart = [{"path":"/nonexistent/hook"}]'
	fails_with 1 "/nonexistent/hook" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "create killed at any time is cleaned up by delete --force" {
	script 'true' '.hooks.createRuntime = [{"path":"/bin/sleep","args":["sleep","100"]}]'
	"$OCI" --root "$ROOT" create -b "$DIR/b" "$ID" >/dev/null 2>&1 &
	p=$!
	until_ok pgrep -P $p -x sleep
	hook=$(pgrep -P $p -x sleep)
	kill -9 $p; wait $p || true
	kill -9 "$hook"
	fails_with 1 "creat" oci state "$ID"
	oci delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
	assert_nothing_left
}
