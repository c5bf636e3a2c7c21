#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ways out of a container that need somebody who is fast: each with a real process that races or looks on, for a bounded
# number of rounds. What needs none is in 1100-runtime-escapes.bats.

load runtime.bash
setup() { runtime_setup; }
teardown() {
	[ -z "${DIR:-}" ] || touch "$DIR/stop" # whoever still races
	runtime_teardown
}

# jq: the capabilities named, in all sets that count.
caps() { echo ".process.capabilities |= map_values(. + $1)"; }

# watched EXECS JQ: many execs beside a process of the container that looks at them with CAP_SYS_PTRACE.
watched() {
	command -v gcc >/dev/null || skip "needs gcc"
	gcc -static -O2 -D_GNU_SOURCE -o "$DIR/b/rootfs/bin/watch" "$TOP/tests/tools/proc-watch.c"
	config ".process.args = [\"/bin/watch\", \"/tmp/stop\", \"20080422\"] | .root.readonly = false | $(caps '["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]') | $2"
	oci run -d -b "$DIR/b" "$ID" >"$DIR/seen" 2>&1 </dev/null 3>&-
	for i in $(seq "$1"); do
		S3CRET="S3CRET-of-host" "$OCI" --root "$ROOT" exec "$ID" true </dev/null >/dev/null 2>&1 3>&- || { echo "exec $i"; return 1; }
	done
	touch "$DIR/b/rootfs/tmp/stop"
	until_ok grep -q met "$DIR/seen"
	output=$(cat "$DIR/seen")
}

@test "CVE-2016-9962: what joins brings no memory, environment or file of the host, and no right" {
	watched 80 .
	[[ "$output" =~ ^met\ [1-9][0-9]*$ ]] || { echo "$output"; false; }
}

@test "CVE-2016-9962: the same when a filter has to be loaded without no_new_privs" {
	watched 80 '.process.noNewPrivileges = false | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38},{"names":["umount2"],"action":"SCMP_ACT_ERRNO"}]}'
	[[ "$output" =~ ^met\ [1-9][0-9]*$ ]] || { echo "$output"; false; }
}

@test "CVE-2016-9962: a filter that forbids clone: rights go later, all else is as closed" {
	watched 60 '.process.noNewPrivileges = false | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["clone","clone3","fork","vfork"],"action":"SCMP_ACT_ERRNO"}]}'
	[[ "$(grep -v ^rights <<<"$output")" =~ ^met\ [1-9][0-9]*$ ]] || { echo "$output"; false; }
}

@test "CVE-2021-30465: a mount's destination that is swapped for a link stays in the root" {
	mkdir "$DIR/vol" "$DIR/vol/d" "$DIR/src" "$DIR/out"
	echo inside >"$DIR/src/f"
	script 'true' ".mounts += [{\"destination\":\"/tmp\",\"source\":\"$DIR/vol\",\"options\":[\"bind\"]},{\"destination\":\"/tmp/d/m\",\"source\":\"$DIR/src\",\"options\":[\"bind\"]},{\"destination\":\"/tmp/d/t\",\"type\":\"tmpfs\",\"source\":\"t\"}]"
	# Another container of the same volume: directory and link change places all the time.
	( while [ ! -e "$DIR/stop" ]; do
		mv -T "$DIR/vol/d" "$DIR/vol/d2"; ln -s "../../../../../../..$DIR/out" "$DIR/vol/d"; rm "$DIR/vol/d"; mv -T "$DIR/vol/d2" "$DIR/vol/d"
	done ) 2>/dev/null &
	swapper=$!
	for i in $(seq 25); do oci run -b "$DIR/b" "$ID" >/dev/null 2>&1 || true; done
	touch "$DIR/stop"
	wait "$swapper" || true # of its last command
	[ -z "$(ls -A "$DIR/out")" ]
	[ "$(ls -A "$DIR/src")" = f ]
	assert_nothing_left
}

# swapping DIR NAME TARGET: NAME in DIR is a file (of the mode that `made` gives) and a link to TARGET in turns, until $DIR/stop is there.
swapping() {
	( cd "$1" || exit
	while [ ! -e "$DIR/stop" ]; do
		ln -s "$3" "$2.link"; mv -T "$2.link" "$2"
		cp -a "$2.real" "$2.new"; mv -T "$2.new" "$2"
	done ) >/dev/null 2>&1 3>&- &
	swapper=$!
}

swapped() {
	touch "$DIR/stop"
	wait "$swapper" || true # of its last command
}

@test "CVE-2025-31133: a /dev/null that changes under the runtime's hands masks nothing else" {
	pattern=$(cat /proc/sys/kernel/core_pattern)
	mkdir -p "$DIR/b/rootfs/dev"
	mknod "$DIR/b/rootfs/dev/null.real" c 1 3
	cp -a "$DIR/b/rootfs/dev/null.real" "$DIR/b/rootfs/dev/null"
	script 'stat -c %t:%T /proc/keys; (echo x >/proc/keys) 2>/dev/null; true' '.root.readonly = false | .mounts |= map(select(.destination | startswith("/dev") | not))'
	swapping "$DIR/b/rootfs/dev" null /proc/sys/kernel/core_pattern
	ran=0
	for i in $(seq 25); do
		if output=$("$OCI" --root "$ROOT" run -b "$DIR/b" "$ID" 2>/dev/null </dev/null); then
			[ "$output" = 1:3 ] || break
			ran=$((ran + 1))
		fi
	done
	swapped
	[ "$i" -eq 25 ] && [ "${output:-1:3}" = 1:3 ] || { echo "$i: $output"; false; }
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$pattern" ]
	assert_nothing_left
}

@test "CVE-2025-52565: a /dev/console that changes under the runtime's hands leads nowhere" {
	mkdir -p "$DIR/b/rootfs/dev/pts" "$DIR/b/rootfs/secret"
	touch "$DIR/b/rootfs/dev/console.real" "$DIR/b/rootfs/dev/console" "$DIR/b/rootfs/secret/f"
	# Where the terminal was mounted: on /dev/console, or the start was refused.
	script 'grep -o " /[^ ]* " /proc/self/mountinfo | grep -E "secret|core_pattern"; true' '.process.terminal = true | .root.readonly = false | .mounts |= map(select((.destination | startswith("/dev") | not) or .destination == "/dev/pts"))'
	swapping "$DIR/b/rootfs/dev" console /secret/f
	for i in $(seq 25); do
		output=$("$OCI" --root "$ROOT" run -b "$DIR/b" "$ID" 2>/dev/null </dev/null) || output=
		[ -z "$output" ] || break
	done
	swapped
	[ -z "$output" ] || { echo "$i: $output"; false; }
	[ ! -s "$DIR/b/rootfs/secret/f" ]
	assert_nothing_left
}
