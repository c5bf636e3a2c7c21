#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The engine on demand: started by who needs it, once, and its failure told. Also what needs no engine.

load cli.bash
setup() {
	cli_setup_file
	cli_setup
}
teardown() { cli_teardown_file; }

apart() { unshare -nm sh -c 'ip link set lo up; exec "$@"' sh "$@"; }

@test "a command starts the engine, the next one finds it" {
	run apart "$TEU" ps
	[ "$status" -eq 0 ]
	prints "CONTAINER ID"
	[ "$(engines)" = 1 ]
	teu ps
	[ "$(engines)" = 1 ]
	grep -q "engine ready" "$TEU_RUN/engine.log"
}

@test "the engine holds nothing of the one who started it" {
	local pid
	exec 7>"$DIR/held"
	apart "$TEU" ps >"$DIR/out" 7>&7
	exec 7>&-
	pid=$(pgrep -f -- "--root $DIR/.* engine")
	[ "$(ps -o sid= "$pid" | tr -d ' ')" = "$pid" ]
	run ls -l "/proc/$pid/fd"
	[[ "$output" != *"$DIR/held"* && "$output" != *"$DIR/out"* ]]
	[ "$(readlink "/proc/$pid/cwd")" = / ]
}

@test "many at once start one" {
	apart sh -c 'for i in 1 2 3 4 5 6 7 8; do "$0" ps -q >"$1/o$i" 2>&1 || echo failed >>"$1/failed" & done; wait' "$TEU" "$DIR"
	[ ! -e "$DIR/failed" ] || { cat "$DIR"/o*; false; }
	[ "$(engines)" = 1 ]
}

@test "after the engine was killed the next command starts another, containers run on" {
	apart "$TEU" import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	teu run -d --name on --network none busybox sleep 1000 >/dev/null
	local pid
	pid=$(pgrep -f -- "--root $DIR/.* engine")
	nsenter "--net=/proc/$pid/ns/net" "--mount=/proc/$pid/ns/mnt" sh -c 'kill -KILL "$0"; while kill -0 "$0" 2>/dev/null; do sleep 0.02; done; exec "$@"' "$pid" "$TEU" ps >"$DIR/ps"
	grep -q "Up .* on$" "$DIR/ps"
	[ "$(engines)" = 1 ]
}

@test "why an engine cannot start is told" {
	echo x >"$DIR/root"
	fails_with 1 "the engine could not start" apart "$TEU" ps
	prints "engine.log"
	[ "$(engines)" = 0 ]
}

@test "engine --detach returns when it answers" {
	apart "$TEU" engine --detach --log-format json
	[ "$(engines)" = 1 ]
	teu version | grep -q Server
	head -1 "$TEU_RUN/engine.log" | jq -e .msg
}

@test "an address that is not ours is only named" {
	fails_with 1 "Cannot connect to the engine at tcp://127.0.0.1:1" apart "$TEU" -H tcp://127.0.0.1:1 ps
	[ "$(engines)" = 0 ]
}

@test "version --client, help, completion and man start nothing" {
	teu version --client
	teu help run | grep -q -- --memory-swap
	teu completion bash | bash -n
	teu completion zsh >/dev/null
	teu completion fish >/dev/null
	teu man run | grep -q "^.TH"
	teu man --dir "$DIR/man"
	[ -s "$DIR/man/teu-run.1" ] && [ -s "$DIR/man/teu.1" ]
	fails_with 1 "shells are" teu completion tcsh
	[ "$(engines)" = 0 ]
	[ ! -e "$TEU_RUN" ]
}

@test "an address that is not our own socket starts no engine" {
	fails_with 1 "" apart "$TEU" --host "unix://$DIR/other.sock" ps
	prints "$DIR/other.sock"
	[ "$(engines)" = 0 ]
	[ ! -e "$TEU_RUN/engine.log" ]
	TEU_HOST=unix://$DIR/other.sock fails_with 1 "" apart "$TEU" ps
	[ "$(engines)" = 0 ]
}
