#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# teu run: streams, statuses, signals, terminal, files.

bats_require_minimum_version 1.5.0
load cli.bash
setup_file() { cli_setup_file; [ -z "${DIR:-}" ] || cli_engine >/dev/null; }
teardown_file() { cli_teardown_file; }
setup() { cli_setup; }
teardown() { remove_all; }

NET="--network none"

@test "run --rm gives output, errors and the exit status, and leaves nothing" {
	run --separate-stderr teu run --rm $NET busybox sh -c 'echo out; echo err >&2; exit 7'
	[ "$status" -eq 7 ]
	[ "$output" = out ]
	[ "$stderr" = err ]
	[ -z "$(teu ps -aq)" ]
}

@test "statuses: 125 for the engine, 126 not executable, 127 not there" {
	fails_with 127 "executable file not found" teu run --rm $NET busybox nosuchprogram
	prints "See 'teu run --help'."
	fails_with 126 "permission denied" teu run --rm $NET busybox /etc
	fails_with 125 "teu: Error response from daemon: No such image: nosuchimage:latest" teu run --pull never nosuchimage
	fails_with 125 "unknown flag: --bogus" teu run --bogus busybox
	fails_with 125 "--publish is not supported" teu run -p 80:80 busybox
	fails_with 137 "" teu run --rm $NET busybox sh -c 'kill -9 $$; sleep 1; exit 137'
	[ -z "$(teu ps -aq)" ]
}

@test "stdin goes in with -i and ends with its end" {
	run bash -c "printf 'a\nb\n' | '$TEU' run --rm -i $NET busybox wc -l"
	[ "$output" = 2 ]
	run bash -c "head -c 3000000 /dev/zero | '$TEU' run --rm -i $NET busybox wc -c"
	[ "$output" = 3000000 ]
	head -c 300000 /dev/urandom >"$DIR/in"
	teu run --rm -i $NET busybox cat <"$DIR/in" >"$DIR/out"
	cmp "$DIR/in" "$DIR/out"
	run teu run --rm -i $NET busybox wc -c </dev/null
	[ "$output" = 0 ]
}

@test "a closed stdin is the end of it" {
	run bash -c "'$TEU' run --rm -i $NET busybox wc -c <&-"
	[ "$output" = 0 ]
}

@test "without -i the container reads nothing" {
	run bash -c "echo data | '$TEU' run --rm $NET busybox cat"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "environment, labels, user, directory, host name, read-only, limits" {
	chmod 755 "$DIR"
	printf 'F=1\n# no\nHERE\n' >"$DIR/env"
	HERE=x run teu run --rm $NET -e A=1 --env-file "$DIR/env" -u 1000:2000 -w /tmp -h box --read-only --tmpfs /run \
		-v "$DIR:/mnt:ro" -m 64m --pids-limit 50 --ulimit nofile=100:200 busybox \
		sh -c 'echo $A $F $HERE; id -u; id -g; pwd; hostname; touch /x 2>&1; cat /mnt/env | head -1; ulimit -n; grep " /run " /proc/mounts'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "1 1 x" ]
	[ "${lines[1]}" = 1000 ]
	[ "${lines[2]}" = 2000 ]
	[ "${lines[3]}" = /tmp ]
	[ "${lines[4]}" = box ]
	prints "Read-only file system"
	prints F=1
	prints $'\n100\n'
	prints "tmpfs /run"
}

@test "--cidfile is written, not overwritten, and not left after a failure" {
	run teu run -d --cidfile "$DIR/cid" $NET busybox sleep 100
	[ "$(cat "$DIR/cid")" = "$output" ]
	fails_with 125 "container ID file found" teu run --cidfile "$DIR/cid" $NET busybox true
	rm "$DIR/cid"
	fails_with 125 "No such image" teu run --pull never --cidfile "$DIR/cid" nosuchimage
	[ ! -e "$DIR/cid" ]
}

@test "signals go to the container" {
	"$TEU" run --name sig $NET busybox sh -c 'trap "echo got usr1" USR1; trap "echo got term; exit 5" TERM; echo up; while :; do sleep 0.05; done' \
		>"$DIR/out" 3>&- &
	local p=$! status=0
	until_ok grep -q up "$DIR/out"
	kill -USR1 "$p"
	until_ok grep -q usr1 "$DIR/out"
	kill -TERM "$p"
	wait "$p" || status=$?
	[ "$status" -eq 5 ]
	grep -q "got term" "$DIR/out"
}

@test "--sig-proxy=false: a signal ends the client alone" {
	"$TEU" run --name nosig --sig-proxy=false $NET busybox sh -c 'echo up; sleep 100' >"$DIR/out2" 3>&- &
	local p=$! status=0
	until_ok grep -q up "$DIR/out2"
	kill -TERM "$p"
	wait "$p" || status=$?
	[ "$status" -eq 143 ]
	[ "$(teu inspect -f '{{.State.Running}}' nosig)" = true ]
}

@test "a terminal: size, raw bytes, exit status, restored mode" {
	run script -qec "stty rows 33 cols 99; stty -g >$DIR/before; '$TEU' run --rm -it $NET busybox sh -c 'test -t 0; stty size; exit 4'; echo status=\$?; stty -g >$DIR/after" /dev/null
	prints "33 99"
	prints "status=4"
	cmp "$DIR/before" "$DIR/after"
}

@test "a terminal that changes its size tells the container" {
	run timeout 20 script -qec "stty rows 20 cols 50; ('$TEU' run --rm -it --name win $NET busybox sh -c 'trap \"stty size; exit\" WINCH; echo up; while :; do sleep 0.1; done' </dev/tty) & sleep 1.5; stty rows 21 cols 51; wait" /dev/null
	prints "21 51"
}

@test "the detach keys leave the container running" {
	run timeout 20 script -qec "{ sleep 1; printf '\020\021'; sleep 1; } | script -qec \"'$TEU' run -it --name det $NET busybox sh\" /dev/null; echo" /dev/null
	[ "$(teu inspect -f '{{.State.Running}}' det)" = true ]
}

@test "-t with a stdin that is no terminal is refused" {
	fails_with 125 "the input device is not a TTY" bash -c "echo x | '$TEU' run --rm -it $NET busybox sh"
}

@test "only what --attach names is shown" {
	run --separate-stderr teu run --rm -a stderr $NET busybox sh -c 'echo out; echo err >&2'
	[ -z "$output" ]
	[ "$stderr" = err ]
}

@test "much output arrives whole at a slow reader" {
	run bash -c "'$TEU' run --rm $NET busybox sh -c 'seq 1 200000' | { sleep 1; md5sum; }"
	[ "$output" = "$(seq 1 200000 | md5sum)" ]
}
