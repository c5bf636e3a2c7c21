#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Podman as Debian ships it, with teu-oci as its runtime: conmon is the parent, podman writes config.json. State of its
# own, in network and mount namespaces of its own, below a cgroup of its own.

load peers.bash

setup_file() {
	peer_setup_file podman conmon
	[ -n "${DIR:-}" ] || return 0
	podman_hook "$DIR/pm"
	pm import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	pm create --name probe busybox true >/dev/null && pm rm probe >/dev/null
}

# A program, since script(1) wants one: podman with everything of its own.
podman_hook() {
	mkdir -p "$DIR/etc"
	echo 'podteu:200000:200000' >"$DIR/etc/ids"
	cat >"$1" <<-SH
	#!/bin/sh
	cd "$DIR" || exit 1 # conmon drops a file where it stands
	exec nsenter --net=/proc/$HOLDER/ns/net --mount=/proc/$HOLDER/ns/mnt \
		podman --root "$DIR/root" --runroot "$DIR/run" --tmpdir "$DIR/tmp" --storage-driver overlay \
		--cgroup-manager cgroupfs --events-backend file --runtime "$OCI" "\$@"
	SH
	chmod +x "$1"
	# who --userns=auto takes its ids from
	inside sh -c 'for f in subuid subgid; do [ -e /etc/$f ] || touch /etc/$f
		{ cat /etc/$f; echo containers:500000:1000000; } >"$1/etc/$f"; mount --bind "$1/etc/$f" /etc/$f; done' sh "$DIR"
}

teardown_file() {
	[ -n "${DIR:-}" ] || return 0
	pm pod rm -fa -t 0 >/dev/null 2>&1 || true
	pm rm -fa -t 0 >/dev/null 2>&1 || true
	peer_teardown_file
	# podman's own, empty unless another podman runs
	find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null || true
}

setup() { peer_setup podman and conmon; }
teardown() {
	[ -n "${DIR:-}" ] || return 0
	pm pod rm -fa -t 0 >/dev/null 2>&1 || true
	pm rm -fa -t 0 >/dev/null 2>&1 || true
}

pm() { timeout -k 1 30 "$DIR/pm" "$@"; }
# The host has no CAP_SYS_RESOURCE: podman's own default limits cannot be set here.
limits=(--ulimit nofile=20000:20000 --ulimit nproc=32768:32768)
flags() { echo "${limits[@]}" --network none --log-driver k8s-file --cgroup-parent "/$NAME"; }
pm_run() { pm run $(flags) "$@"; }
mounts() { mounts_of "$DIR/.*/merged\\|$DIR/.*/shm"; }
state_is() { [ "$(pm inspect -f '{{.State.Status}}' "$1")" = "$2" ]; }

@test "it is our runtime that podman runs" {
	run pm info --format '{{.Host.OCIRuntime.Path}}'
	[ "$output" = "$OCI" ]
}

@test "run --rm gives output, streams apart and the exit code" {
	[ "$(pm_run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	[ "$(pm_run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" = err ]
	fails_with 7 "" pm_run --rm busybox sh -c 'exit 7'
	fails_with 143 "" pm_run --rm busybox sh -c 'sh -c "kill -TERM \$\$"; exit $?'
	[ "$(echo hello | pm_run --rm -i busybox cat)" = hello ]
	[ -z "$(pm ps -aq)" ]
}

@test "what is not there is 127, what cannot be run 126, what podman refuses 125" {
	fails_with 127 "executable file not found in" pm_run --rm busybox nosuch
	fails_with 127 "no such file or directory" pm_run --rm busybox /no/such
	fails_with 126 "ermission denied" pm_run --rm busybox /etc/passwd
	fails_with 126 "ermission denied" pm_run --rm busybox /etc
	fails_with 125 "" pm_run --rm --memory nonsense busybox true
	[ -z "$(pm ps -aq)" ]
	[ "$(mounts)" = 0 ]
}

@test "detached: ps, logs, top, wait and rm" {
	pm_run -d --name d1 busybox sh -c 'echo told; sleep 0.5; exit 5'
	[ "$(pm ps --format '{{.Names}}')" = d1 ]
	run pm top d1 pid comm
	prints sh
	[ "$(pm wait d1)" = 5 ]
	[ "$(pm logs d1)" = told ]
	state_is d1 exited
	pm start d1
	[ "$(pm wait d1)" = 5 ]
	pm rm d1
	[ -z "$(pm ps -aq)" ]
}

@test "a terminal, at run and at exec" {
	run tty "$DIR/pm" run $(flags) --rm -t busybox sh -c 'tty; stty size >/dev/null && echo sized'
	prints /dev/pts/0
	prints sized
	pm_run -d --name t1 busybox sleep 100
	run tty "$DIR/pm" exec -t t1 tty
	prints /dev/pts/
	# a detached container with a terminal logs what it writes there
	pm_run -d -t --name t2 busybox sh -c 'test -t 1 && echo terminal'
	[ "$(pm wait t2)" = 0 ]
	run pm logs t2
	prints terminal
}

@test "exec: output, exit code, user, directory, environment, stdin, detached" {
	pm_run -d --name x1 busybox sleep 100
	[ "$(pm exec -u 1000:1000 -w /tmp -e K=v x1 sh -c 'id -u; pwd; echo $K' | tr '\n' ' ')" = "1000 /tmp v " ]
	[ "$(echo hello | pm exec -i x1 cat)" = hello ]
	fails_with 9 "" pm exec x1 sh -c 'exit 9'
	fails_with 127 "executable file not found" pm exec x1 nosuch
	fails_with 126 "ermission denied" pm exec x1 /etc/passwd
	pm exec -d x1 sh -c 'echo made >/tmp/made'
	until_ok pm exec x1 test -e /tmp/made
}

@test "pause freezes and unpause thaws" {
	pm_run -d --name p1 busybox sh -c 'while :; do echo x >>/tmp/n; sleep 0.02; done'
	until_ok pm exec p1 test -s /tmp/n
	pm pause p1
	state_is p1 paused
	local upper a b
	upper=$(pm inspect -f '{{.GraphDriver.Data.UpperDir}}' p1)
	a=$(stat -c %s "$upper/tmp/n")
	sleep 0.2
	b=$(stat -c %s "$upper/tmp/n")
	[ "$a" = "$b" ]
	fails_with 255 "running containers" pm exec p1 true
	pm unpause p1
	state_is p1 running
	until_ok sh -c "[ \$(stat -c %s '$upper/tmp/n') -gt $a ]"
}

@test "stop asks first and then kills; kill sends any signal" {
	pm_run -d --name good busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.02; done'
	until_ok sh -c "'$DIR/pm' logs good | grep -q ready"
	pm stop good
	[ "$(pm inspect -f '{{.State.ExitCode}}' good)" = 5 ]
	pm_run -d --name deaf busybox sleep 100
	pm stop -t 1 deaf
	[ "$(pm inspect -f '{{.State.ExitCode}}' deaf)" = 137 ]
	pm_run -d --name k1 busybox sh -c 'trap "exit 6" USR1; echo ready; while :; do sleep 0.02; done'
	until_ok sh -c "'$DIR/pm' logs k1 | grep -q ready"
	pm kill -s USR1 k1
	[ "$(pm wait k1)" = 6 ]
	pm_run -d --name k2 busybox sleep 100
	pm kill k2
	[ "$(pm wait k2)" = 137 ]
}

@test "rm -f ends what runs, and nothing of it is left" {
	pm_run -d --name r1 busybox sleep 100
	local pid
	pid=$(pm inspect -f '{{.State.Pid}}' r1)
	kill -0 "$pid"
	fails_with 2 "running" pm rm r1
	pm rm -f -t 0 r1
	until_ok gone "$pid"
	until_ok none_left
	[ "$(mounts)" = 0 ]
	all_gone
}

@test "limits are the cgroup's" {
	run pm_run --rm -m 64m --pids-limit 50 --cpus 0.5 busybox sh -c \
		'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/pids/pids.max 2>/dev/null ||
		 cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max'
	prints 67108864
	prints 50000
	[ "$(tail -1 <<<"$output")" = 50 ]
	run pm_run --rm --ulimit core=7:9 busybox sh -c 'ulimit -c; ulimit -H -c'
	[ "$status" -eq 0 ]
}

@test "too much memory is a kill by the kernel" {
	run pm_run --name oom -m 16m --memory-swap 16m busybox sh -c 'tail /dev/zero'
	[ "$status" -eq 137 ]
}

@test "user, groups, directory, host name, environment" {
	run pm_run --rm --user user -e A=b -w /tmp --hostname box busybox sh -c 'id -u; id -G; pwd; hostname; echo $A'
	[ "$output" = "1000
1000 2000
/tmp
box
b" ]
	[ "$(pm_run --rm --user 12:34 busybox sh -c 'id -u; id -g' | tr '\n' ' ')" = "12 34 " ]
}

@test "capabilities, no-new-privileges and seccomp are as asked" {
	run pm_run --rm --cap-drop all busybox grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status
	[ "$(grep -c 0000000000000000 <<<"$output")" = 3 ]
	run pm_run --rm --cap-drop all --cap-add net_raw busybox grep CapEff /proc/self/status
	prints 0000000000002000
	run pm_run --rm --security-opt no-new-privileges busybox grep -E 'NoNewPrivs|Seccomp:' /proc/self/status
	prints "NoNewPrivs:	1"
	prints "Seccomp:	2"
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}' >"$DIR/p.json"
	fails_with 1 "No space left on device" pm_run --rm --security-opt "seccomp=$DIR/p.json" busybox mkdir /x
	run pm_run --rm --privileged busybox grep Seccomp: /proc/self/status
	prints "Seccomp:	0"
}

@test "binds, tmpfs and a read-only root" {
	mkdir -p "$DIR/data"
	echo data >"$DIR/data/f"
	[ "$(pm_run --rm -v "$DIR/data:/d" busybox sh -c 'cat /d/f; echo back >/d/g')" = data ]
	[ "$(cat "$DIR/data/g")" = back ]
	fails_with 1 "Read-only file system" pm_run --rm -v "$DIR/data:/d:ro" busybox touch /d/x
	fails_with 1 "Read-only file system" pm_run --rm --read-only --read-only-tmpfs=false busybox touch /x
	run pm_run --rm --tmpfs /t:size=1m busybox sh -c 'grep " /t " /proc/mounts'
	prints size=1024k
}

@test "networks none and host, and pid and ipc of another container" {
	[ "$(pm_run --rm busybox ls /sys/class/net)" = lo ]
	local host
	host=$(readlink "/proc/$(cat "$DIR/holder")/ns/net")
	[ "$(pm run "${limits[@]}" --rm --network host busybox readlink /proc/self/ns/net)" = "$host" ]
	pm_run -d --name base busybox sleep 123
	run pm_run --rm --pid container:base --ipc container:base busybox ps
	prints "sleep 123"
}

@test "a device, and ten containers at once" {
	run pm_run --rm --device /dev/zero:/dev/nought busybox sh -c 'head -c 3 /dev/nought | wc -c; ls -l /dev/nought'
	[ "${lines[0]}" = 3 ]
	local i pids=()
	for i in 1 2 3 4 5 6 7 8 9 10; do
		pm_run --rm busybox sh -c "exit $i" 3>&- &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		local code=0
		wait "${pids[i - 1]}" || code=$?
		[ "$code" = "$i" ]
	done
	[ -z "$(pm ps -aq)" ]
}

@test "stats tells use and limit; inspect the pid" {
	pm_run -d --name st -m 64m --pids-limit 50 busybox sleep 100
	run pm stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDS}}' st
	prints "/ 67.11MB 1"
	grep -q sleep "/proc/$(pm inspect -f '{{.State.Pid}}' st)/cmdline"
}

@test "update changes the limits of a running container" {
	pm update --help 2>&1 | grep -qi "updates\? an existing\|cgroup configuration" || skip "this podman has no update"
	pm_run -d --name up -m 64m --cpus 0.5 --pids-limit 50 busybox sleep 100
	local id
	id=$(pm inspect -f '{{.Id}}' up)
	[ "$(cg "$id" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	pm update -m 128m --cpus 0.25 up
	[ "$(cg "$id" memory memory.limit_in_bytes memory.max)" = 134217728 ]
	[[ "$(cg "$id" cpu cpu.cfs_quota_us cpu.max)" == 25000* ]]
	[ "$(cg "$id" pids pids.max)" = 50 ]
}

@test "user namespaces: mappings, auto, another container's, exec in one, volumes with U" {
	run pm_run --rm --uidmap 0:300000:65536 --gidmap 0:400000:65536 busybox sh -c 'id -u; tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map'
	prints " 0 300000 65536"
	prints " 0 400000 65536"
	pm_run -d --name u1 --uidmap 0:300000:65536 --gidmap 0:300000:65536 -m 64m --tmpfs /t busybox sleep 100
	[ "$(stat -c %u "/proc/$(pm inspect -f '{{.State.Pid}}' u1)")" = 300000 ]
	[ "$(pm exec u1 sh -c 'touch /t/x; id -u')" = 0 ]
	[ "$(pm exec -u 1000 u1 id -u)" = 1000 ]
	run tty "$DIR/pm" exec -t u1 tty
	prints /dev/pts/
	run pm_run --rm --userns=auto:size=2000 busybox cat /proc/self/uid_map
	[[ "$(tr -s ' ' <<<"$output")" == *" 0 "5*" 2000"* ]]
	mkdir -p "$DIR/owned"
	[ "$(pm_run --rm --uidmap 0:300000:65536 -v "$DIR/owned:/o:U" busybox sh -c 'stat -c %u /o; touch /o/f')" = 0 ]
	[ "$(stat -c %u "$DIR/owned/f")" = 300000 ]
	# the namespace of another container
	run pm_run --rm --userns=container:u1 busybox cat /proc/self/uid_map
	prints 300000
}

@test "--init, and systemd off" {
	if command -v catatonit >/dev/null || [ -x /usr/libexec/podman/catatonit ]; then
		[ "$(pm_run --rm --init --systemd=false busybox cat /proc/1/comm)" = catatonit ]
	else
		ln -sf "$(command -v docker-init || command -v tini-static || command -v tini)" "$DIR/init"
		[ -e "$DIR/init" ] || skip "needs an init: catatonit, docker-init or tini"
		[[ "$(pm_run --rm --init --init-path "$(realpath "$DIR/init")" --systemd=false busybox cat /proc/1/cmdline | tr '\0' ' ')" == /dev/init* ||
			"$(pm_run --rm --init --init-path "$(realpath "$DIR/init")" --systemd=false busybox cat /proc/1/cmdline | tr '\0' ' ')" == *podman-init* ]]
	fi
}

@test "a container that looks like systemd's: tmpfs on /run, its own cgroup writable" {
	run pm_run --rm --systemd=always busybox sh -c 'grep -c " /run " /proc/mounts; echo $container'
	prints podman
	[ "${lines[0]}" = 1 ]
}

@test "named volumes, copies of what the image has there, secrets of the environment, a health check off" {
	pm volume create v1
	pm_run --rm -v v1:/etc busybox sh -c 'echo kept >/etc/new'
	[ "$(pm_run --rm -v v1:/v busybox sh -c 'cat /v/new; grep -c root /v/passwd' | tr '\n' ' ')" = "kept 1 " ]
	pm volume rm v1
	[ "$(pm_run --rm --no-healthcheck --env-host=false busybox sh -c 'echo $container')" = podman ]
	run pm_run --rm --shm-size 1m --read-only busybox sh -c 'grep " /dev/shm " /proc/mounts; touch /tmp/x && echo tmp is writable'
	prints size=1024k
	prints "tmp is writable"
}

@test "a pod: shared network, ipc and uts; a common pid namespace" {
	local infra=()
	pm pod create --help | grep -q -- --infra || skip "this podman has no pods"
	infra=(--infra=false)
	pm pod create --name p1 "${infra[@]}" --cgroup-parent "/$NAME"
	pm run "${limits[@]}" --log-driver k8s-file -d --pod p1 --name a --network none busybox sleep 100
	pm run "${limits[@]}" --log-driver k8s-file -d --pod p1 --name b --network container:a --ipc container:a --pid container:a busybox sleep 200
	run pm exec b ps
	prints "sleep 100"
	[ "$(pm exec a readlink /proc/self/ns/net)" = "$(pm exec b readlink /proc/self/ns/net)" ]
	pm pod stop -t 0 p1
	pm pod rm -f p1
	[ -z "$(pm ps -aq)" ]
}

@test "a checkpoint is refused, and the container runs on" {
	pm_run -d --name c1 busybox sleep 100
	fails_with 125 "heckpoint" pm container checkpoint c1
	state_is c1 running
	[ "$(pm exec c1 echo alive)" = alive ]
}

@test "kill -9 of conmon: the container is ended, deleted, and nothing is left" {
	pm_run -d --name km busybox sleep 100
	local pid conmon
	pid=$(pm inspect -f '{{.State.Pid}}' km)
	conmon=$(pm inspect -f '{{.State.ConmonPid}}' km)
	kill -KILL "$conmon"
	kill -0 "$pid"
	[ "$(pm exec km echo alive)" = alive ] || true # podman's to decide
	local id
	id=$(pm inspect -f '{{.Id}}' km)
	pm rm -f -t 0 km
	until_ok gone "$pid"
	# podman kills, but has only conmon ask for the delete: the runtime can still be asked
	inside "$OCI" delete --force "$id"
	all_gone
	[ -z "$(inside ls /run/teu-oci | grep -v @)" ]
	[ "$(mounts)" = 0 ]
	[ "$(pm_run --rm --name km busybox echo again)" = again ]
}
