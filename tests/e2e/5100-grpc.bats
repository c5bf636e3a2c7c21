#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# gRPC with Debian's python3-grpcio on the other side, over Unix sockets in a network namespace.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$BATS_TEST_DIRNAME/../..
	PEER=${TEU_TEST_BUILD:-$TOP/build/gcc}/tests/grpc-peer
	PY=$TOP/tests/tools/grpc-peer.py
	[ -x "$PEER" ] || skip "grpc-peer is not built"
	/usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null || skip "python3-grpcio is not installed"
	DIR=$(mktemp -d)
	mkfifo "$DIR/hold"
	export GRPC_VERBOSITY=NONE http_proxy= https_proxy=
}

teardown() {
	[ -n "${DIR:-}" ] || return 0
	exec 7>&- || true
	[ -z "${PID:-}" ] || wait "$PID" || true
	rm -rf "$DIR"
}

inside() { unshare -n timeout 120 "$@"; }

# The server ends when its input does: no signal, nothing left behind.
start() {
	inside "$@" "$DIR/sock" <"$DIR/hold" >"$DIR/out" 2>"$DIR/err" &
	PID=$!
	exec 7>"$DIR/hold"
	for _ in $(seq 600); do
		! grep -q ready "$DIR/out" || return 0
		sleep 0.1
	done
	cat "$DIR/err"
	return 1
}

@test "python3-grpcio calls our server" {
	start "$PEER" serve
	run inside /usr/bin/python3 "$PY" call "$DIR/sock"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "services grpc.health.v1.Health grpc.reflection.v1.ServerReflection grpc.reflection.v1alpha.ServerReflection peer.Service" ]
	[ "${lines[1]}" = "echo ok" ]
	[ "${lines[2]}" = "Fail FAILED_PRECONDITION no, äctually 100%" ]
	[ "${lines[3]}" = "Hold DEADLINE_EXCEEDED " ]
	[ "${lines[4]}" = "Missing UNIMPLEMENTED no method '/peer.Service/Missing'" ]
	[[ "${lines[5]}" = "Echo UNIMPLEMENTED compression 'gzip' is not supported"* ]]
	[ "${lines[6]}" = "Count 1999 2000" ]
	[ "${lines[7]}" = "Sum 500500" ]
	[ "${lines[8]}" = "Chat 5050" ]
	[ "${lines[9]}" = "big True" ]
	[ "${lines[10]}" = "too big RESOURCE_EXHAUSTED" ]
	[ "${lines[11]}" = "health 0801" ]
	[ "${lines[12]}" = "health NOT_FOUND" ]
	[ "${lines[13]}" = "watch 0801" ]
}

@test "our client calls a python3-grpcio server" {
	start /usr/bin/python3 "$PY" serve
	run inside "$PEER" call "$DIR/sock"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "Echo café" ]
	[ "${lines[1]}" = "Fail FAILED_PRECONDITION: no, äctually 100%" ]
	[[ "${lines[2]}" = "Hold DEADLINE_EXCEEDED"* ]]
	[ "${lines[3]}" = "Count 1 2 3 OK" ]
	[ "${lines[4]}" = "Sum 6 OK" ]
	[ "${lines[5]}" = "Chat 1 2 3 OK" ]
}

@test "our client calls our server, many at a time" {
	start "$PEER" serve
	run inside "$PEER" bench "$DIR/sock" 5000
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" = "5000 calls, 0 failed: "* ]]
}
