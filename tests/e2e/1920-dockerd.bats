#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Dockerd 20.10 as Debian ships it (docker.io), with teu-oci as default runtime and a containerd of its own. Its network
# rules, sockets and mounts are in namespaces of its own, its containers below a cgroup of their own.

load peers.bash

setup_file() {
	peer_setup_file dockerd containerd containerd-shim-runc-v2 docker-init iptables
	[ -n "${DIR:-}" ] || return 0
	DOCKER=$PEERS/usr/bin/docker
	[ -x "$DOCKER" ] || DOCKER=$(command -v docker)
	export DOCKER DOCKER_HOST=unix://$DIR/docker.sock DOCKER_CONFIG=$DIR/client
	mkdir -p "$DIR/client"
	dockerd_start
	dk import "$("$TOP/tools/image" busybox)" busybox >/dev/null
}

# dockerd_start [OPTIONS]: an engine with live-restore, so that containers outlive it.
dockerd_start() {
	inside env "PATH=$PEERS/usr/bin:$PEERS/usr/sbin:$PATH" dockerd --data-root "$DIR/data" --exec-root "$DIR/exec" \
		-H "unix://$DIR/docker.sock" -p "$DIR/docker.pid" --storage-driver overlay2 --add-runtime "teu=$OCI" \
		--default-runtime teu --live-restore --cgroup-parent "/$NAME" "$@" >>"$DIR/log" 2>&1 </dev/null 3>&- &
	until_ok curl -sf -m 5 --unix-socket "$DIR/docker.sock" http://engine/_ping
}

dockerd_stop() {
	local pid
	pid=$(cat "$DIR/docker.pid")
	kill "-$1" "$pid"
	until_ok gone "$pid"
	# its containerd dies with it, and a record of one that is dying would mislead the next
	until_ok gone "$(cat "$DIR/exec/containerd/containerd.pid")"
	rm -f "$DIR/docker.pid" "$DIR/exec/containerd/containerd.pid"
}

teardown_file() {
	[ -n "${DIR:-}" ] || return 0
	remove_all
	[ ! -e "$DIR/docker.pid" ] || dockerd_stop TERM || true
	peer_teardown_file
}

setup() { peer_setup dockerd, containerd, docker-init and iptables; }
teardown() { [ -z "${DIR:-}" ] || remove_all; }
remove_all() { dk ps -aq | xargs -r timeout -k 1 30 "$DOCKER" rm -f >/dev/null 2>&1 || true; }

dk() { timeout -k 1 30 "$DOCKER" "$@"; }
dk_run() { dk run --network none "$@"; }
state_is() { [ "$(dk inspect -f '{{.State.Status}}' "$1")" = "$2" ]; }
pid_of() { dk inspect -f '{{.State.Pid}}' "$1"; }
exit_code() { dk inspect -f '{{.State.ExitCode}}' "$1"; }
id_of() { dk inspect -f '{{.Id}}' "$1"; }
states() { ls "$DIR/exec/runtime-teu/moby" "$DIR/exec/runtime-runc/moby" 2>/dev/null | grep -v '@\|^/\|^$' || true; }
no_states() { [ -z "$(states)" ]; }

@test "it is our runtime that dockerd runs" {
	[ "$(dk info -f '{{.DefaultRuntime}}')" = teu ]
	dk_run -d --name me busybox sleep 100
	[ "$(dk inspect -f '{{.HostConfig.Runtime}}' me)" = teu ]
	grep -rq "$OCI" "$DIR/data/runtimes" "$DIR/exec/containerd"
}

@test "run --rm gives output, input, streams apart and the exit code" {
	[ "$(dk_run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	[ "$(dk_run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)" = err ]
	fails_with 7 "" dk_run --rm busybox sh -c 'exit 7'
	[ "$(echo hello | dk_run --rm -i busybox cat)" = hello ]
	[ -z "$(dk ps -aq)" ]
	all_gone
	until_ok no_states
}

@test "what is not there is 127, what cannot be run 126" {
	fails_with 127 "executable file not found in" dk_run --rm busybox nosuch
	fails_with 127 "no such file or directory" dk_run --rm busybox /no/such
	fails_with 126 "ermission denied" dk_run --rm busybox /etc/passwd
	fails_with 126 "ermission denied" dk_run --rm busybox /etc
	[ -z "$(dk ps -aq)" ]
	until_ok no_states
}

@test "detached: ps, logs, top, wait, start again and rm" {
	dk_run -d --name d1 busybox sh -c 'echo told; sleep 0.5; exit 5'
	[ "$(dk ps --format '{{.Names}}')" = d1 ]
	run dk top d1
	prints "sleep 0.5"
	[ "$(dk wait d1)" = 5 ]
	[ "$(dk logs d1)" = told ]
	dk start d1
	[ "$(dk wait d1)" = 5 ]
	[ "$(dk logs d1 | wc -l)" = 2 ]
	dk rm d1
}

@test "a terminal, at run and at exec" {
	run tty "$DOCKER" run --network none --rm -t busybox sh -c 'tty; stty size >/dev/null && echo sized'
	prints /dev/pts/0
	prints sized
	dk_run -d --name t1 busybox sleep 100
	run tty "$DOCKER" exec -t t1 tty
	prints /dev/pts/
	dk_run -d -t --name t2 busybox sh -c 'test -t 1 && echo terminal'
	[ "$(dk wait t2)" = 0 ]
	run dk logs t2
	prints terminal
}

@test "exec: output, exit code, user, directory, environment, stdin, detached, privileged" {
	dk_run -d --name x1 busybox sleep 100
	[ "$(dk exec -u 1000:1000 -w /tmp -e K=v x1 sh -c 'id -u; pwd; echo $K' | tr '\n' ' ')" = "1000 /tmp v " ]
	[ "$(echo hello | dk exec -i x1 cat)" = hello ]
	fails_with 9 "" dk exec x1 sh -c 'exit 9'
	fails_with 126 "executable file not found" dk exec x1 nosuch
	fails_with 126 "ermission denied" dk exec x1 /etc/passwd
	dk exec -d x1 touch /tmp/made
	until_ok dk exec x1 test -e /tmp/made
	run dk exec x1 grep CapEff /proc/self/status
	prints 00000000a80425fb
	run dk exec --privileged x1 sh -c 'grep CapEff /proc/self/status | cut -f2'
	[ $((16#$output & 1 << 21)) != 0 ]
}

@test "pause freezes and unpause thaws" {
	dk_run -d --name p1 busybox sh -c 'while :; do echo x >>/tmp/n; sleep 0.02; done'
	until_ok dk exec p1 test -s /tmp/n
	local upper a
	upper=$(dk inspect -f '{{.GraphDriver.Data.UpperDir}}' p1)
	dk pause p1
	state_is p1 paused
	a=$(stat -c %s "$upper/tmp/n")
	sleep 0.2
	[ "$(stat -c %s "$upper/tmp/n")" = "$a" ]
	fails_with 1 "is paused" dk exec p1 true
	dk unpause p1
	state_is p1 running
	until_ok sh -c "[ \$(stat -c %s '$upper/tmp/n') -gt $a ]"
}

@test "stop asks first and then kills; kill sends any signal; restart" {
	dk_run -d --name good busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.02; done'
	until_ok sh -c "'$DOCKER' logs good | grep -q ready"
	dk stop good
	[ "$(exit_code good)" = 5 ]
	dk_run -d --name deaf busybox sleep 100
	dk stop -t 1 deaf
	[ "$(exit_code deaf)" = 137 ]
	dk_run -d --name k1 busybox sh -c 'trap "exit 6" USR1; echo ready; while :; do sleep 0.02; done'
	until_ok sh -c "'$DOCKER' logs k1 | grep -q ready"
	dk kill -s USR1 k1
	[ "$(dk wait k1)" = 6 ]
	dk_run -d --name k2 busybox sleep 100
	local pid
	pid=$(pid_of k2)
	dk restart -t 0 k2
	state_is k2 running
	[ "$(pid_of k2)" != "$pid" ]
	dk kill k2
	[ "$(dk wait k2)" = 137 ]
}

@test "rm -f ends what runs, and nothing of it is left" {
	dk_run -d --name r1 busybox sleep 100
	local pid
	pid=$(pid_of r1)
	dk rm -f r1
	until_ok gone "$pid"
	all_gone
	until_ok no_states
	[ "$(mounts_of "$DIR/data/.*/merged")" = 0 ]
}

@test "limits are the cgroup's, and follow an update; stats tells the use" {
	dk_run -d --name l1 -m 64m --memory-swap 64m --pids-limit 50 --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 busybox sleep 100
	local id
	id=$(id_of l1)
	[ "$(cg "$id" memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(cg "$id" pids pids.max)" = 50 ]
	[[ "$(cg "$id" cpu cpu.cfs_quota_us cpu.max)" == 50000* ]]
	[ "$(cg "$id" cpuset cpuset.cpus)" = 0 ]
	run dk stats --no-stream --format '{{.Name}} {{.MemUsage}} {{.PIDs}}' l1
	prints "/ 64MiB 1"
	dk update -m 128m --memory-swap 128m --cpus 0.25 --pids-limit 40 --cpu-shares 256 l1
	[ "$(cg "$id" memory memory.limit_in_bytes memory.max)" = 134217728 ]
	[ "$(cg "$id" pids pids.max)" = 40 ]
	[[ "$(cg "$id" cpu cpu.cfs_quota_us cpu.max)" == 25000* ]]
	run dk stats --no-stream --format '{{.MemUsage}}' l1
	prints "/ 128MiB"
}

@test "too much memory is a kill by the kernel, and dockerd hears of it" {
	fails_with 137 "" dk_run --name oom -m 16m --memory-swap 16m busybox sh -c 'tail /dev/zero'
	[ "$(dk inspect -f '{{.State.OOMKilled}}' oom)" = true ]
}

@test "user, groups, directory, host name, environment, ulimits, sysctls" {
	run dk_run --rm -u user --group-add 3000 -e A=b -w /tmp --hostname box busybox sh -c 'id -u; id -G; pwd; hostname; echo $A'
	[ "$output" = "1000
1000 2000 3000
/tmp
box
b" ]
	[ "$(dk_run --rm --ulimit nofile=64:128 busybox sh -c 'ulimit -n; ulimit -H -n' | tr '\n' ' ')" = "64 128 " ]
	[ "$(dk_run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
	[ "$(dk_run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj)" = 500 ]
}

@test "capabilities, no-new-privileges, seccomp and unconfined are as asked" {
	run dk_run --rm --cap-drop all busybox grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status
	[ "$(grep -c 0000000000000000 <<<"$output")" = 3 ]
	run dk_run --rm --cap-drop all --cap-add net_raw busybox grep CapEff /proc/self/status
	prints 0000000000002000
	run dk_run --rm --security-opt no-new-privileges --security-opt apparmor=unconfined busybox grep -E 'NoNewPrivs|Seccomp:' /proc/self/status
	prints "NoNewPrivs:	1"
	prints "Seccomp:	2"
	fails_with 1 "Operation not permitted" dk_run --rm busybox unshare -m true
	run dk_run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
	prints "Seccomp:	0"
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}' >"$DIR/p.json"
	fails_with 1 "No space left on device" dk_run --rm --security-opt "seccomp=$DIR/p.json" busybox mkdir /x
	run dk_run --rm --privileged busybox sh -c 'grep Seccomp: /proc/self/status; ls /dev/mem /dev/kmsg 2>/dev/null | wc -l'
	prints "Seccomp:	0"
}

@test "volumes, binds, tmpfs, a read-only root, a device, masked paths" {
	mkdir -p "$DIR/bind"
	echo data >"$DIR/bind/f"
	[ "$(dk_run --rm -v "$DIR/bind:/d" busybox sh -c 'cat /d/f; echo back >/d/g')" = data ]
	[ "$(cat "$DIR/bind/g")" = back ]
	fails_with 1 "Read-only file system" dk_run --rm -v "$DIR/bind:/d:ro" busybox touch /d/x
	dk volume create v1 >/dev/null
	dk_run --rm -v v1:/v busybox sh -c 'echo kept >/v/f'
	[ "$(dk_run --rm -v v1:/v:ro busybox cat /v/f)" = kept ]
	dk volume rm v1 >/dev/null
	fails_with 1 "Read-only file system" dk_run --rm --read-only busybox touch /x
	run dk_run --rm --read-only --tmpfs /t:size=1m,noexec busybox sh -c 'touch /t/x && grep " /t " /proc/mounts'
	prints size=1024k
	prints noexec
	[ "$(dk_run --rm --device /dev/zero:/dev/nought busybox sh -c 'head -c 3 /dev/nought | wc -c')" = 3 ]
	[ "$(dk_run --rm busybox sh -c 'cat /proc/kcore | wc -c; ls /sys/firmware | wc -l' 2>/dev/null | tr '\n' ' ')" = "0 0 " ]
}

@test "--init reaps orphans; health is checked by exec" {
	[ "$(dk_run --rm --init busybox cat /proc/1/comm)" = docker-init ]
	dk_run -d --name h1 --health-cmd 'test -e /healthy' --health-interval 1s --health-retries 1 busybox sleep 100
	until_ok sh -c "'$DOCKER' inspect -f '{{.State.Health.Status}}' h1 | grep -qx unhealthy"
	dk exec h1 touch /healthy
	until_ok sh -c "'$DOCKER' inspect -f '{{.State.Health.Status}}' h1 | grep -qx healthy"
}

@test "networks: a bridge by the prestart hook, another container's, the host's; pid and ipc of another" {
	run dk run --rm busybox ip -o addr show eth0
	prints "inet 172."
	dk run -d --name base --ipc shareable busybox sleep 123
	[ "$(dk run --rm --network container:base busybox readlink /proc/self/ns/net)" = "$(readlink "/proc/$(pid_of base)/ns/net")" ]
	[ "$(dk run --rm --network host busybox readlink /proc/self/ns/net)" = "$(readlink "/proc/$HOLDER/ns/net")" ]
	run dk_run --rm --pid container:base --ipc container:base busybox ps
	prints "sleep 123"
}

@test "a checkpoint is refused and the container runs on" {
	dk_run -d --name c1 busybox sleep 100
	fails_with 1 "experimental" dk checkpoint create c1 cp
	state_is c1 running
}

@test "kill -9 of dockerd: with live-restore the container lives on and is taken over" {
	dk_run -d --name live busybox sh -c 'n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.05; done'
	local pid n
	pid=$(pid_of live)
	dockerd_stop KILL
	kill -0 "$pid"
	dockerd_start
	state_is live running
	[ "$(pid_of live)" = "$pid" ]
	[ "$(dk exec live echo alive)" = alive ]
	n=$(dk logs live | wc -l)
	until_ok sh -c "[ \$('$DOCKER' logs live | wc -l) -gt $n ]"
	dk kill live
	[ "$(dk wait live)" = 137 ]
}

@test "kill -9 of the shim: the container's end is told, and nothing is left" {
	dk_run -d --name z1 busybox sleep 100
	local pid
	pid=$(pid_of z1)
	kill -KILL "$(pgrep -f -- "containerd-shim-runc-v2 .*-id $(id_of z1)")"
	until_ok gone "$pid"
	until_ok state_is z1 exited
	all_gone
	dk start z1
	state_is z1 running
}

@test "ten containers at once" {
	local i pids=() code
	for i in 1 2 3 4 5 6 7 8 9 10; do
		dk_run --rm busybox sh -c "exit $i" 3>&- &
		pids+=($!)
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		code=0
		wait "${pids[i - 1]}" || code=$?
		[ "$code" = "$i" ]
	done
	[ -z "$(dk ps -aq)" ]
	all_gone
}

# The last one: a daemon with user namespaces keeps images of its own.
@test "userns-remap: root in the container is nobody outside" {
	remove_all
	dockerd_stop TERM
	inside sh -c 'cat /etc/subuid /etc/subgid >/dev/null 2>&1 || touch /etc/subuid /etc/subgid
		for f in subuid subgid passwd group; do cp /etc/$f "$1/$f"; mount --bind "$1/$f" /etc/$f; done
		echo teumap:300000:65536 >"$1/subuid"; echo teumap:400000:65536 >"$1/subgid"
		echo "teumap:x:7777:7777::/:/bin/false" >>"$1/passwd"; echo "teumap:x:7777:" >>"$1/group"' sh "$DIR"
	dockerd_start --userns-remap teumap
	dk import "$("$TOP/tools/image" busybox)" busybox >/dev/null
	run dk_run --rm busybox sh -c 'id -u; tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map; touch /made && ls -ln /made'
	prints " 0 300000 65536"
	prints " 0 400000 65536"
	mkdir -p "$DIR/bind"
	echo host >"$DIR/bind/f"
	dk_run -d --name u1 -m 64m -v "$DIR/bind:/d" --tmpfs /t busybox sleep 100
	[ "$(stat -c %u "/proc/$(pid_of u1)")" = 300000 ]
	[ "$(dk exec u1 id -u)" = 0 ]
	dk exec u1 touch /t/x
	fails_with 1 "ermission denied" dk exec u1 sh -c 'echo >/d/f'
	run tty "$DOCKER" exec -t u1 tty
	prints /dev/pts/
	[ "$(dk run --rm busybox ip -o addr show eth0 | grep -c 'inet 172.')" = 1 ]
	dk stop -t 0 u1
}
