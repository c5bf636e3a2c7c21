#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Containerd as Debian ships it, driven by ctr: its runc shim v2 calls teu-oci (BinaryName). State of its own, in network
# and mount namespaces of its own, containers below a cgroup of their own.

load peers.bash

setup_file() {
	peer_setup_file containerd ctr containerd-shim-runc-v2
	[ -n "${DIR:-}" ] || return 0
	cat >"$DIR/config.toml" <<-TOML
	version = 2
	root = "$DIR/root"
	state = "$DIR/state"
	disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.tracing",
	  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
	[grpc]
	  address = "$DIR/containerd.sock"
	[plugins."io.containerd.internal.v1.opt"]
	  path = "$DIR/opt"
	TOML
	ctr_hook
	# ctr's options for user namespaces forget the binary's name: whoever asks for runc gets ours as well
	mkdir "$DIR/bin"
	ln -s "$OCI" "$DIR/bin/runc"
	containerd_start
	python3 "$TOP/tests/tools/mkimage.py" "$("$TOP/tools/image" busybox)" "$DIR" busybox
	ct images import "$DIR/busybox.tar" >/dev/null
}

containerd_start() {
	inside env "PATH=$DIR/bin:$PATH" containerd -c "$DIR/config.toml" >>"$DIR/log" 2>&1 </dev/null 3>&- &
	until_ok ct version
}

# A program, since script(1) wants one.
ctr_hook() {
	cat >"$DIR/ctr" <<-SH
	#!/bin/sh
	exec nsenter --net=/proc/$HOLDER/ns/net --mount=/proc/$HOLDER/ns/mnt $(command -v ctr) -a "$DIR/containerd.sock" "\$@"
	SH
	chmod +x "$DIR/ctr"
}

teardown_file() { peer_teardown_file; }
setup() { peer_setup containerd, its shim and ctr; }

teardown() {
	[ -n "${DIR:-}" ] || return 0
	local c
	for c in $(ct containers ls -q); do
		ct task rm -f "$c" >/dev/null 2>&1 || true
		ct container rm "$c" >/dev/null 2>&1 || true
	done
}

IMAGE=docker.io/library/busybox:latest
# It hands a TERM to the container: only KILL ends it for certain. It never closes stdin.
ct() { timeout -k 1 20 "$DIR/ctr" "$@"; }
# run_ct [OPTIONS] -- ID COMMAND...
flags() { echo "run --runc-binary $OCI --cgroup /$NAME/$1"; }
run_ct() {
	local opts=()
	while [ "$1" != -- ]; do opts+=("$1"); shift; done
	shift
	ct $(flags "$1") "${opts[@]}" "$IMAGE" "$@"
}
status_of() { ct task ls | awk -v id="$1" '$1 == id { print $3 }'; }
status_is() { [ "$(status_of "$1")" = "$2" ]; }
pid_of() { ct task ls | awk -v id="$1" '$1 == id { print $2 }'; }
shim_of() { pgrep -f -- "containerd-shim-runc-v2 .*-id $1 .*$DIR"; }
# What the runtime keeps of containers; names with @ are its cache.
states() { inside ls /run/containerd/runc/default | grep -v @ || true; }
bundle_gone() { [ ! -e "$DIR/state/io.containerd.runtime.v2.task/default/$1" ]; }

@test "run --rm gives output, input, streams apart and the exit code" {
	[ "$(run_ct --rm -- r1 sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	[ "$(run_ct --rm -- r1 sh -c 'echo out; echo err >&2' 2>&1 >/dev/null | grep -v level=)" = err ]
	fails_with 7 "" run_ct --rm -- r2 sh -c 'exit 7'
	[ "$(echo hello | run_ct --rm -- r3 head -n 1)" = hello ]
	fails_with 1 "no such file or directory" run_ct --rm -- r4 /no/such
	[ -z "$(ct containers ls -q)" ]
	no_cgroups
}

@test "detached: started, listed, ended by a signal, deleted; nothing is left" {
	run_ct -d --pid-file "$DIR/pid" -- d1 sleep 100
	status_is d1 RUNNING
	[ "$(cat "$DIR/pid")" = "$(pid_of d1)" ]
	run ct task ps d1
	prints "$(pid_of d1)"
	fails_with 1 "must be stopped" ct task rm d1
	ct task kill -s KILL d1
	until_ok status_is d1 STOPPED
	ct task rm d1 2>/dev/null || true
	ct container rm d1
	all_gone
	until_ok bundle_gone d1
	[ "$(mounts_of "$DIR/state/.*rootfs")" = 0 ]
	[ -z "$(states)" ]
}

@test "a signal of choice reaches init" {
	run_ct -d -- s1 sh -c 'trap "exit 6" USR1; touch /ready; while :; do sleep 0.02; done'
	until_ok ct task exec --exec-id t s1 test -e /ready
	ct task kill -s USR1 s1
	until_ok status_is s1 STOPPED
	run ct task rm s1
	prints "exit code 6"
	# of all processes: what the shim asks as kill --all
	run_ct -d -- s2 sh -c 'sleep 100 & sleep 100'
	ct task kill -a -s KILL s2
	until_ok status_is s2 STOPPED
}

@test "a terminal, at run and at exec" {
	run tty "$DIR/ctr" $(flags t1) --rm -t $IMAGE t1 sh -c 'tty; stty size >/dev/null && echo sized'
	prints /dev/pts/0
	prints sized
	run_ct -d -- t2 sleep 100
	run tty "$DIR/ctr" task exec -t --exec-id e t2 tty
	prints /dev/pts/
}

@test "exec: output, exit code, user, directory, stdin, detached" {
	run_ct -d -- x1 sleep 100
	[ "$(ct task exec --exec-id e1 --user 1000:1000 --cwd /tmp x1 sh -c 'id -u; pwd' | tr '\n' ' ')" = "1000 /tmp " ]
	[ "$(echo hello | ct task exec --exec-id e2 x1 head -n 1)" = hello ]
	fails_with 9 "" ct task exec --exec-id e3 x1 sh -c 'exit 9'
	fails_with 1 "no such file or directory" ct task exec --exec-id e4 x1 /no/such
	ct task exec -d --exec-id e5 x1 touch /tmp/made
	until_ok ct task exec --exec-id e6 x1 test -e /tmp/made
	# what is left of a failed exec does not disturb the next
	[ "$(ct task exec --exec-id e4 x1 echo again)" = again ]
}

@test "pause freezes, resume thaws" {
	run_ct -d -- p1 sh -c 'while :; do echo x >>/tmp/n; sleep 0.02; done'
	until_ok ct task exec --exec-id e p1 test -s /tmp/n
	local file a
	file=/proc/$(pid_of p1)/root/tmp/n
	ct task pause p1
	status_is p1 PAUSED
	a=$(stat -L -c %s "$file")
	sleep 0.2
	[ "$(stat -L -c %s "$file")" = "$a" ]
	ct task resume p1
	status_is p1 RUNNING
	until_ok sh -c "[ \$(stat -L -c %s $file) -gt $a ]"
}

@test "limits are set, metrics told, and both follow an update" {
	run_ct -d --memory-limit 67108864 --cpus 0.5 -- m1 sleep 100
	[ "$(cg m1 memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[[ "$(cg m1 cpu cpu.cfs_quota_us cpu.max)" == 50000* ]]
	run ct task metrics m1
	prints "memory.limit_in_bytes"
	prints 67108864
	prints pids.current
	# ctr has no word for it, the task service of the shim has
	inside python3 "$TOP/tests/tools/shimtask.py" "$(cat "$DIR/state/io.containerd.runtime.v2.task/default/m1/address")" default update m1 \
		'{"memory": {"limit": 134217728}, "pids": {"limit": 33}, "cpu": {"quota": 20000, "period": 100000}}'
	[ "$(cg m1 memory memory.limit_in_bytes memory.max)" = 134217728 ]
	[[ "$(cg m1 cpu cpu.cfs_quota_us cpu.max)" == 20000* ]]
	[ "$(cg m1 pids pids.max)" = 33 ]
	run ct task metrics m1
	prints 134217728
}

@test "too much memory is a kill by the kernel, and the task says so" {
	fails_with 137 "" run_ct --memory-limit 16777216 -- o1 sh -c 'tail /dev/zero'
}

@test "a user namespace with its mappings" {
	run run_ct --rm --uidmap 0:100000:65536 --gidmap 0:200000:65536 -- u1 sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map | tr -s " "'
	prints " 0 100000 65536"
	prints " 0 200000 65536"
	run_ct -d --uidmap 0:100000:65536 --gidmap 0:200000:65536 -- u2 sleep 100
	[ "$(stat -c %u "/proc/$(pid_of u2)")" = 100000 ]
	[ "$(ct task exec --exec-id e u2 id -u)" = 0 ]
}

@test "capabilities, seccomp, no-new-privileges, read-only root, binds, another's namespace" {
	run run_ct --rm --seccomp --cap-add CAP_SYS_TIME --cap-drop CAP_KILL -- c1 grep -E 'CapEff|Seccomp:|NoNewPrivs' /proc/self/status
	prints "CapEff:	00000000aa0425db"
	prints "Seccomp:	2"
	prints "NoNewPrivs:	1"
	fails_with 1 "Read-only file system" run_ct --rm --read-only -- c2 touch /x
	mkdir -p "$DIR/data"
	echo data >"$DIR/data/f"
	[ "$(run_ct --rm --mount "type=bind,src=$DIR/data,dst=/d,options=rbind:ro" -- c3 cat /d/f)" = data ]
	run_ct -d -- c4 sleep 123
	run run_ct --rm --with-ns "pid:/proc/$(pid_of c4)/ns/pid" -- c5 ps
	prints "sleep 123"
	run run_ct --rm --privileged -- c6 grep Seccomp: /proc/self/status
	prints "Seccomp:	0"
}

@test "a checkpoint without criu is refused with its reason, and the container runs on" {
	command -v criu >/dev/null && skip "criu is installed: 1200-criu.bats"
	run_ct -d -- k1 sleep 100
	run ct task checkpoint --image-path "$DIR/cp" --work-path "$DIR/cpw" k1
	[ "$status" -ne 0 ]
	prints criu
	status_is k1 RUNNING
	[ "$(ct task exec --exec-id e k1 echo alive)" = alive ]
}

@test "kill -9 of the shim: containerd cleans up through the runtime" {
	run_ct -d -- z1 sleep 100
	local pid shim
	pid=$(pid_of z1)
	shim=$(shim_of z1)
	kill -KILL "$shim"
	until_ok gone "$pid"
	all_gone
	until_ok bundle_gone z1
	[ -z "$(states)" ]
	ct container rm z1
	# the name is free again
	[ "$(run_ct --rm -- z1 echo again)" = again ]
}

@test "kill -9 of containerd: the container lives on, and is taken over" {
	run_ct -d -- w1 sleep 100
	local pid
	pid=$(pid_of w1)
	kill -KILL "$(pgrep -f "containerd -c $DIR/config.toml")"
	kill -0 "$pid"
	containerd_start
	until_ok status_is w1 RUNNING
	[ "$(ct task exec --exec-id e w1 echo alive)" = alive ]
}

@test "eight containers at once" {
	local i pids=() code
	for i in 1 2 3 4 5 6 7 8; do
		run_ct --rm -- "n$i" sh -c "exit $i" 3>&- >/dev/null 2>&1 &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8; do
		code=0
		wait "${pids[i - 1]}" || code=$?
		[ "$code" = "$i" ]
	done
	all_gone
}
