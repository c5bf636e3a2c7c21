#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teu bench: what it counts, tells and refuses. No figure is judged here, only that it adds up.

bats_require_minimum_version 1.5.0
load wire.bash
setup_file() { wire_setup_file tests/bench/wire-server 127.0.0.1:0 tls:DIR/cert.pem:DIR/key.pem:127.0.0.1:0 unix://DIR/s; }
teardown_file() { wire_teardown_file; }
setup() { wire_setup; }
b() { inside "$TEU" bench "$@"; }
json() { jq -e "$1" <<<"$output" >/dev/null || { echo "$1: $output"; return 1; }; }

@test "a number of requests, as JSON" {
	run b http -n 500 -c 4 -t 2 --format json "http://$URL/1k"
	[ "$status" -eq 0 ]
	json '.done == 500 and .statuses["2xx"] == 500 and .bytes_in == 512000 and .late == 0'
	json '[.errors[]] | add == 0'
	json '.latency.min <= .latency.p50 and .latency.p50 <= .latency.p99 and .latency.p99 <= .latency.max'
	json '.rate > 0 and .elapsed > 0'
}

@test "HTTP/2, Unix socket, bodies, a connection each" {
	run b http -n 400 -c 2 -s 20 --http 2 --format json "http://$URL/1k"
	json '.done == 400'
	run b http -n 100 --unix "$DIR/s" --format json http://any/219k
	json '.done == 100 and .bytes_in == 22425600'
	run b http -n 50 --data-size 100k --format json "http://$URL/echo"
	json '.done == 50 and .bytes_in == 5120000 and .bytes_out == 5120000'
	run b http -n 20 --data hello -m PUT -H "X-A: b" --format json "http://$URL/echo"
	json '.bytes_in == 100'
	run b http -n 30 -c 3 --no-keepalive --format json "http://$URL/1k"
	json '.done == 30'
}

@test "an open loop counts what was due" {
	run b http -r 200 -n 100 -c 2 --format json "http://$URL/1k"
	json '.done == 100 and .elapsed >= 490000000'
	json '.latency.max >= .service.max'
	# one at a time, and each takes 50 ms: latency is far more than service
	run b http -r 100 -n 20 --format json "http://$URL/slow/50"
	json '.done == 20 and .service.min >= 50000000 and .latency.max > .service.max'
}

@test "WebSocket echo" {
	run b ws -n 500 -c 2 -s 10 --format json "ws://$URL/ws"
	json '.done == 500 and .bytes_in == 512000 and .bytes_out == 512000'
	run b ws -n 20 --data hello --protocol "none,echo" "ws://$URL/ws"
	[ "$status" -eq 0 ]
	prints "20 answered"
}

@test "gRPC: unary calls that end with OK, and others" {
	run b grpc -n 200 -c 2 -s 10 --format json "http://$URL/grpc.health.v1.Health/Check"
	json '.done == 200'
	run b grpc -n 5 --unix "$DIR/s" --data-hex 0a03666f6f http://any/grpc.health.v1.Health/Check
	[ "$status" -eq 1 ]
	prints "did not end with gRPC status OK"
	run b grpc -n 5 "http://$URL/no.Such/Method"
	prints "status 5"
	fails_with 1 "the message is JSON" b grpc -n 1 --data '{"a": 1}' "http://$URL/a.B/C"
	fails_with 1 "is not in hex" b grpc -n 1 --data-hex xx "http://$URL/a.B/C"
}

@test "TLS: HTTP/1.1, HTTP/2, WebSocket, full handshakes, a certificate that is not trusted" {
	run b http -n 100 -c 2 --http 1.1 --cacert "$DIR/cert.pem" --format json "https://$TLS/1k"
	json '.done == 100'
	run b http -n 100 -c 2 -s 5 --cacert "$DIR/cert.pem" --format json "https://$TLS/1k"
	json '.done == 100'
	run b ws -n 50 -k --format json "wss://$TLS/ws"
	json '.done == 50'
	run b http -n 10 -k --http 1.1 --no-keepalive --no-resumption --format json "https://$TLS/1k"
	json '.done == 10'
	run b http -n 1 "https://$TLS/1k"
	[ "$status" -eq 1 ]
	prints "not trusted"
	fails_with 1 "certificates to trust" b http -n 1 --cacert "$DIR/nothing" "https://$TLS/1k"
}

@test "failures are counted by kind, and the first is told" {
	run b http -n 10 "http://$URL/status/503"
	[ "$status" -eq 1 ]
	prints "status 10; the first: the server answered with status 503"
	run b http -n 2 http://127.0.0.1:1/
	[ "$status" -eq 1 ]
	prints "connect 2; the first: connect: Connection refused"
	run b http -n 2 --timeout 100ms "http://$URL/slow/60000"
	prints "timeout 2"
	run b ws -n 2 "ws://$URL/1k"
	prints "the server answered with status 200"
}

@test "a signal ends it early, with what there is" {
	inside "$TEU" bench http -d 1h -q --format json "http://$URL/1k" >"$DIR/json" 2>"$DIR/why" 3>&- &
	local pid=$!
	until_ok pgrep -P "$pid" >/dev/null
	sleep 0.5
	pkill -INT -f -- "bench http -d 1h -q --format json http://$URL/1k" || true
	wait "$pid" || true
	output=$(cat "$DIR/json")
	json '.interrupted and .done > 0'
}

@test "what cannot be is refused by name" {
	fails_with 1 "is no URL" b http localhost:80
	fails_with 1 "is no URL" b ws http:///x
	fails_with 1 "neither a duration" b http -d 0s "http://$URL/"
	fails_with 1 "exclude each other" b http --data a --data-size 5 "http://$URL/"
	fails_with 1 "is not \"NAME: VALUE\"" b http -H bad "http://$URL/"
	fails_with 1 "--streams needs HTTP/2" b http -s 2 --http 1.1 "http://$URL/"
	fails_with 1 "3 threads cannot share 1 connections" b http -t 3 -n 5 "http://$URL/"
	fails_with 1 "are for TLS" b http -k "http://$URL/"
	fails_with 1 "--requests and --rate cannot be negative" b http -r -5 "http://$URL/"
}

@test "nothing is left behind" {
	run b http -n 5 "http://$URL/1k"
	[ "$status" -eq 0 ]
	kill -0 "$SERVER"
	# all connections of the runs are closed
	until_ok eval '[ "$(inside ss -Htn state established | wc -l)" -eq 0 ]'
}
