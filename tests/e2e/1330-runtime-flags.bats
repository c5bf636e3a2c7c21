#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Flags of the commands that no other file uses: each has its effect, or is refused by name. 1320-runtime-fields.list says
# where the others are shown.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

running() {
	script 'sleep 1000' "${1:-.}"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
}
v1() { cat "/sys/fs/cgroup/$1/$ID/$2"; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

# works_or NAME COMMAND...: it works, or what the kernel lacks is told by the field's name.
works_or() {
	local name=$1
	shift
	run "$@"
	[ "$status" -eq 0 ] || prints "$name"
}

listen() {
	rm -f "$DIR/sock" "$DIR/err"
	"$TOP/tests/tools/recv-console" "$DIR/sock" >"$DIR/got" 2>"$DIR/err" &
	LISTENER=$!
	until_ok grep -q listening "$DIR/err"
}

@test "update: the flags for rare limits are in their files" {
	[ -e /sys/fs/cgroup/cpu/cpu.shares ] || skip "needs cgroup v1"
	running '.linux.resources.cpu = {"quota": 50000, "period": 100000} | .linux.resources.memory = {"limit": 67108864} | .linux.resources.blockIO = {"weight": 100}'
	oci update --cpu-burst 1000 --cpuset-mems 0 --memory-reservation 16m --kernel-memory-tcp 1m "$ID"
	is "$(v1 cpu cpu.cfs_burst_us)" 1000
	is "$(v1 cpuset cpuset.mems)" 0
	is "$(v1 memory memory.soft_limit_in_bytes)" 16777216
	is "$(v1 memory memory.kmem.tcp.limit_in_bytes)" 1048576
	oci update --blkio-weight 300 "$ID"
	is "$(cat /sys/fs/cgroup/blkio/"$ID"/blkio*.weight | tr -dc 0-9)" 300
	works_or linux.resources.cpu.idle oci update --cpu-idle 1 "$ID"
	[ "$status" -ne 0 ] || is "$(v1 cpu cpu.idle)" 1
	works_or linux.resources.memory.kernel oci update --kernel-memory 32m "$ID"
	[ "$status" -ne 0 ] || is "$(v1 memory memory.kmem.limit_in_bytes)" 33554432
	works_or linux.resources.cpu.realtimePeriod oci update --cpu-rt-period 500000 "$ID"
	works_or linux.resources.cpu.realtimeRuntime oci update --cpu-rt-runtime 1000 "$ID"
	works_or linux.intelRdt oci update --mem-bw-schema MB:0=50 "$ID"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "exec: --cap, --no-new-privs, --ignore-paused, --pidfd-socket" {
	running '.process.noNewPrivileges = false'
	is "$(oci exec "$ID" grep NoNewPrivs /proc/self/status | tr -dc 0-9)" 0
	is "$(oci exec --cap CAP_CHOWN "$ID" grep CapEff /proc/self/status | tr -d '[:space:]')" CapEff:0000000020000421
	is "$(oci exec --no-new-privs "$ID" grep NoNewPrivs /proc/self/status | tr -dc 0-9)" 1
	listen
	oci exec --pidfd-socket "$DIR/sock" "$ID" true >/dev/null 2>&1 </dev/null
	wait $LISTENER || true # what it got is no terminal
	grep -q pidfd "$DIR/got"
	oci pause "$ID"
	fails_with 1 "paused" oci exec "$ID" true
	oci exec --ignore-paused "$ID" sh -c 'exit 7' >/dev/null 2>&1 </dev/null &
	job=$!
	oci resume "$ID" # what has joined a frozen cgroup runs from here on
	wait $job && status=0 || status=$?
	is "$status" 7
	oci delete -f "$ID"
	assert_nothing_left
}

@test "run: --console-socket, --pidfd-socket, --no-subreaper; list --quiet; --debug" {
	script 'echo shown; sleep 1000' '.process.terminal = true'
	listen
	oci run -d -b "$DIR/b" --console-socket "$DIR/sock" "$ID" >/dev/null 2>&1 </dev/null
	is "$(oci list --quiet)" "$ID"
	oci delete -f "$ID"
	wait $LISTENER
	grep -q shown "$DIR/got"
	script 'exit 3'
	listen
	oci --debug run -b "$DIR/b" --no-subreaper --pidfd-socket "$DIR/sock" "$ID" >/dev/null 2>&1 </dev/null && status=0 || status=$?
	is "$status" 3
	wait $LISTENER || true
	grep -q pidfd "$DIR/got"
	assert_nothing_left
}

@test "restore and checkpoint: each flag is what criu is asked" {
	CRIU=$TOP/tests/tools/fake-criu
	export FAKE_CRIU=$DIR/asked
	opt() { jq -c ".opts[\"$1\"]" "$DIR/asked"; }
	running
	oci --criu "$CRIU" checkpoint --tcp-skip-in-flight --image-path "$DIR/i" "$ID"
	is "$(opt 46)" "[1]"
	oci --criu "$CRIU" restore -d -b "$DIR/b" --image-path "$DIR/i" --work-path "$DIR/w" --tcp-established --tcp-close --ext-unix-sk --shell-job \
		--file-locks --link-remap --lazy-pages --auto-dedup --empty-ns network --manage-cgroups-mode full --lsm-mount-context c --no-subreaper \
		"$ID" </dev/null >/dev/null 2>&1
	for o in 4 5 7 8 16 18 48 52; do is "$o $(opt $o)" "$o [1]"; done
	is "$(opt 34) $(opt 38) $(opt 63)" '[4] [1073741824] ["c"]'
	[ -d "$DIR/w" ]
	oci delete -f "$ID"
	assert_nothing_left
}

@test "flags that the peers have and we have not are refused by name" {
	fails_with 1 "--regex is not supported" oci kill --regex x TERM
	fails_with 1 "--regex is not supported" oci delete --regex x
	fails_with 1 "'mounts' is not a teu-oci command" oci mounts add "$ID" '{}'
}
