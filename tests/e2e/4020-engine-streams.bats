#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Streams: logs and its options, rotation, terminals, attach and detach, hijacking without upgrade.

load engine.bash
setup_file() { engine_setup_file; }
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }
teardown() { remove_all; }

@test "logs gives back both streams, tails, stamps" {
	docker run --name ll busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; echo err >&2' >/dev/null 2>&1
	[ "$(docker logs ll 2>/dev/null | wc -l)" = 5 ]
	[ "$(docker logs ll 2>&1 >/dev/null)" = err ]
	[ "$(docker logs -n 2 ll 2>&1 | head -1)" = "line 5" ]
	[ "$(docker logs -n 0 ll 2>&1)" = "" ]
	run docker logs -t -n 1 ll
	[[ "$output" == 20*Z\ err ]]
	[ -z "$(docker logs --since 2099-01-01 ll)" ]
	[ -z "$(docker logs --until 2001-01-01 ll)" ]
	[ "$(docker logs --since 1h ll 2>/dev/null | wc -l)" = 5 ]
	run api GET "/containers/ll/logs"
	prints "you must choose at least one stream"
	prints 400
}

@test "logs -f follows to the end" {
	docker run -d --name ff busybox sh -c 'for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done'
	[ "$(docker logs -f ff | wc -l)" = 6 ]
}

@test "logs crosses rotated files, also while following" {
	docker run -d --name rr --log-opt max-size=10k --log-opt max-file=3 busybox \
		sh -c 'sleep 0.5; i=0; while [ $i -lt 150 ]; do echo line $i; sleep 0.005; i=$((i+1)); done'
	docker logs -f rr >"$DIR/followed"
	[ "$(wc -l <"$DIR/followed")" = 150 ]
	[ "$(tail -1 "$DIR/followed")" = "line 149" ]
	[ "$(docker logs rr | tail -1)" = "line 149" ]
	[ "$(docker logs -n 120 rr | head -1)" = "line 30" ]
}

@test "logs -f ends at the time of --until" {
	docker run -d --name uu busybox sh -c 'while :; do echo x; sleep 0.1; done'
	run timeout 10 "$DOCKER" logs -f --until 1s uu
	[ "$status" -eq 0 ]
	run timeout 10 "$DOCKER" logs -f --until "$(($(date +%s) + 1))" uu
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = x ]
}

@test "two hundred thousand lines come back quickly and whole" {
	docker run --name big busybox seq 200000 >/dev/null
	[ "$(docker logs big | tail -1)" = 200000 ]
	[ "$(docker logs big | wc -l)" = 200000 ]
	run curl -s -o /dev/null -w '%{time_total}' --unix-socket "$DIR/e/docker.sock" "http://e/v1.50/containers/big/logs?stdout=1"
	echo "# read back in $output s" >&3
	[ "$(echo "$output" | awk '{print ($1 < 1.0)}')" = 1 ]
}

@test "a terminal is one, with the client's size" {
	run script -qec "stty rows 33 cols 77; $DOCKER run --rm -it busybox sh -c 'tty; sleep 0.3; stty size'" /dev/null
	prints /dev/pts/0
	prints "33 77"
	docker run --name tt -t busybox echo raw >/dev/null
	[ "$(docker logs tt | tr -d '\r')" = raw ]
}

@test "attach sees live output and detaches by keys" {
	docker run -dit --name aa busybox sh
	cat >"$DIR/term.py" <<-'PY'
	import os, pty, select, sys, time
	pid, fd = pty.fork()
	if pid == 0: os.execv(sys.argv[1], [sys.argv[1], "attach", "aa"])
	def read(t):
	    out, end = b"", time.time() + t
	    while time.time() < end:
	        if select.select([fd], [], [], 0.05)[0]:
	            try: out += os.read(fd, 4096)
	            except OSError: break
	    return out
	read(0.5)
	os.write(fd, b"echo $((6*7))\n")
	seen = read(0.7)
	os.write(fd, b"\x10"); time.sleep(0.1); os.write(fd, b"\x11")
	seen += read(1)
	os.waitpid(pid, 0)
	sys.exit(0 if b"42" in seen else 1)
	PY
	python3 "$DIR/term.py" "$DOCKER"
	state_is aa running
}

@test "attach without upgrade answers 200 and the raw stream" {
	docker run -d --name ww busybox sh -c 'sleep 0.5; echo hello'
	run bash -c "printf 'POST /v1.41/containers/ww/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n' |
		socat -t 5 - UNIX-CONNECT:$DIR/e/docker.sock | tr -d '\0'"
	prints "HTTP/1.1 200 OK"
	prints "application/vnd.docker.raw-stream"
	prints hello
}

@test "a stopped container is waited for at once, and a bad condition refused" {
	docker run --name dd busybox sh -c 'exit 9' || true
	run api POST /v1.50/containers/dd/wait
	prints '{"StatusCode":9}'
	run api POST "/v1.50/containers/dd/wait?condition=odd"
	prints 'invalid condition: \"odd\"'
	prints 400
}
