#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Cgroups of this machine (v1 or hybrid): limits, update, statistics exact against the kernel's files; and the systemd
# manager, against a stand-in on a D-Bus socket. Pure v2 is in tests/vm.

load runtime.bash

setup() {
	runtime_setup
	[ -d /sys/fs/cgroup/memory ] || skip "needs cgroup v1 (v2: tests/vm)"
	CG=/sys/fs/cgroup
}

teardown() {
	[ -n "${DIR:-}" ] || return 0
	for d in "$DIR"/root/*; do
		[ -d "$d" ] && oci delete --force "$(basename "$d")" >/dev/null 2>&1
	done
	if [ -n "${STUB:-}" ]; then
		exec 9>&-
		wait "$STUB" || true
	fi
	runtime_teardown
}

start() {
	oci "$@" create -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	oci start "$ID"
}

value() { cat "$CG/$1/$ID/$2"; }

equals() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }

@test "a memory limit of 256 KB holds a static program, 100 of 100 times" {
	local i bad=0
	config '.linux.resources.memory={"limit":262144} | .process.args=["/bin/true"]'
	for i in $(seq 100); do
		oci run -b "$DIR/b" "$ID" >"$DIR/out" 2>&1 </dev/null || { bad=$((bad + 1)); cat "$DIR/out"; }
	done
	equals "$bad" 0
	# What it may use is what was asked for: the lower limit of the way there is gone when create returns.
	for i in 262144 327680 487424; do
		script 'sleep 1000' ".linux.resources.memory={\"limit\":$i}"
		oci create -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
		equals "$(value memory memory.limit_in_bytes)" "$i"
		oci delete -f "$ID"
	done
	assert_nothing_left
}

@test "an update changes what it names, in v1 files" {
	script 'sleep 1000' '.linux.resources.memory={"limit":33554432,"reservation":16777216} | .linux.resources.cpu={"shares":512,"quota":50000,"period":200000}'
	start
	equals "$(value memory memory.limit_in_bytes)" 33554432
	equals "$(value memory memory.soft_limit_in_bytes)" 16777216
	oci update --memory 67108864 --cpu-share 300 "$ID"
	equals "$(value memory memory.limit_in_bytes)" 67108864
	equals "$(value memory memory.soft_limit_in_bytes)" 16777216
	equals "$(value cpu cpu.shares)" 300
	equals "$(value cpu cpu.cfs_quota_us) $(value cpu cpu.cfs_period_us)" "50000 200000"
	echo '{"cpu":{"quota":-1,"cpus":"0"},"pids":{"limit":9},"blockIO":{"weight":500}}' | oci update -r - "$ID"
	equals "$(value cpu cpu.cfs_quota_us)" -1
	equals "$(value cpuset cpuset.cpus)" 0
	equals "$(value pids pids.max)" 9
	echo '{"memory":{"limit":-1}}' >"$DIR/res"
	oci update --resources="$DIR/res" "$ID"
	[ "$(value memory memory.limit_in_bytes)" -gt 1000000000000 ]
	echo '{"hugepageLimits":[{"pageSize":"3XB","limit":1}]}' >"$DIR/res"
	fails_with 1 "is not like 2MB" oci update -r "$DIR/res" "$ID"
	echo '{"rdma":{"mlx5_0":{"hcaHandles":3}}}' >"$DIR/res"
	fails_with 1 "no controller rdma" oci update -r "$DIR/res" "$ID"
	oci delete -f "$ID"
	fails_with 1 "does not exist" oci update --memory 1 "$ID"
	assert_nothing_left
}

@test "a hierarchy that was not there comes with an update and goes with delete" {
	script 'sleep 1000 & sleep 1000' '.annotations["io.teu.cgroup.controllers"]="limited" | .linux.namespaces |= map(select(.type != "pid"))'
	start
	[ ! -e "$CG/memory/$ID" ]
	until_ok test "$(oci ps -f json "$ID" | jq length)" = 2
	oci update --memory 67108864 "$ID"
	equals "$(value memory memory.limit_in_bytes)" 67108864
	equals "$(sort <"$CG/memory/$ID/cgroup.procs")" "$(sort <"$CG/pids/$ID/cgroup.procs")"
	oci exec -d "$ID" sleep 999
	equals "$(wc -l <"$CG/memory/$ID/cgroup.procs")" 3
	oci delete -f "$ID"
	assert_nothing_left
}

@test "the freezer comes with a pause" {
	script 'sleep 1000 & sleep 1000' '.annotations["io.teu.cgroup.controllers"]="limited" | .linux.namespaces |= map(select(.type != "pid"))'
	start
	[ ! -e "$CG/freezer/$ID" ]
	until_ok test "$(oci ps -f json "$ID" | jq length)" = 2
	oci pause "$ID"
	equals "$(value freezer freezer.state)" FROZEN
	equals "$(sort <"$CG/freezer/$ID/cgroup.procs")" "$(sort <"$CG/pids/$ID/cgroup.procs")"
	equals "$(oci state "$ID" | jq -r .status)" paused
	oci resume "$ID"
	equals "$(oci state "$ID" | jq -r .status)" running
	oci delete -f "$ID"
	assert_nothing_left
}

@test "what a killed update has recorded and not made, and what it began, are done by the next" {
	script 'sleep 1000 & sleep 1000' '.annotations["io.teu.cgroup.controllers"]="limited" | .linux.namespaces |= map(select(.type != "pid"))'
	start
	until_ok test "$(oci ps -f json "$ID" | jq length)" = 2
	record=$DIR/root/$ID/state.json
	[ -e "$record" ] || record=$(find "$DIR" -path "*/$ID/state.json")
	sed -i '0,/pids:/s//memory:1 pids:/' "$record"
	echo '{"half a re' >"${record%/*}/new.json"
	oci update --memory 67108864 "$ID"
	equals "$(value memory memory.limit_in_bytes)" 67108864
	equals "$(sort <"$CG/memory/$ID/cgroup.procs")" "$(sort <"$CG/pids/$ID/cgroup.procs")"
	echo "$(head -n 1 "$CG/pids/$ID/cgroup.procs")" >"$CG/memory/cgroup.procs"
	oci update --memory 33554432 "$ID"
	equals "$(sort <"$CG/memory/$ID/cgroup.procs")" "$(sort <"$CG/pids/$ID/cgroup.procs")"
	[ ! -e "${record%/*}/new.json" ]
	oci delete -f "$ID"
	assert_nothing_left
}

@test "hugetlb of a hybrid machine lies in its v2 tree" {
	[ -e $CG/unified/cgroup.controllers ] && grep -qw hugetlb $CG/unified/cgroup.controllers || skip "needs hugetlb in a hybrid's v2 tree"
	script 'sleep 1000' '.linux.resources.hugepageLimits=[{"pageSize":"2MB","limit":4194304}]'
	start
	equals "$(value unified hugetlb.2MB.max)" 4194304
	equals "$(oci events --stats "$ID" | jq -c '.data.hugetlb["2MB"]')" '{"failcnt":0}'
	oci update -r - "$ID" <<<'{"hugepageLimits":[{"pageSize":"2MB","limit":2097152}]}'
	equals "$(value unified hugetlb.2MB.max)" 2097152
	oci delete -f "$ID"
	[ ! -e "$CG/unified/$ID" ]
}

@test "statistics are the files' numbers" {
	script 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000' '.linux.resources.memory.limit=67108864 | .linux.resources.pids.limit=50 |
		.linux.resources.cpu={"quota":90000,"period":100000}'
	start
	until_ok grep -q sleep "/proc/$(oci state "$ID" | jq .pid)/comm"
	oci pause "$ID"
	compare() {
		wrong=
		s=$(oci events --stats "$ID")
		stat_is cpu.usage.total "$(value cpuacct cpuacct.usage)"
		stat_is cpu.usage.percpu "[$(value cpuacct cpuacct.usage_percpu | xargs | tr ' ' ,)]"
		stat_is 'cpu.throttling.periods // 0' "$(awk '$1 == "nr_periods" { print $2 }' "$CG/cpu/$ID/cpu.stat")"
		stat_is memory.usage.limit 67108864
		stat_is memory.usage.usage "$(value memory memory.usage_in_bytes)"
		stat_is memory.usage.failcnt 0
		stat_is memory.raw.total_rss "$(awk '$1 == "total_rss" { print $2 }' "$CG/memory/$ID/memory.stat")"
		stat_is 'memory.raw | length' "$(wc -l <"$CG/memory/$ID/memory.stat")"
		stat_is pids '{"current":1,"limit":50}'
		stat_is cpuset.cpus "[$(seq -s, 0 $(($(nproc --all) - 1)))]"
	}
	stats_agree
	oci delete -f "$ID"
	assert_nothing_left
}

# ---- systemd ----

# bus [--peer]: the stand-in; ends when we close fd 9
bus() {
	mkfifo "$DIR/fifo"
	python3 "$TOP/tests/tools/systemd-stub.py" "$DIR/bus" "$DIR/log" "$@" <"$DIR/fifo" >"$DIR/stub.out" 2>&1 3>&- &
	STUB=$!
	exec 9>"$DIR/fifo"
	until_ok test -S "$DIR/bus"
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/bus
	NAME=pre-$ID.scope
	AT=teu.slice/teu-e2e.slice/$NAME
}

calls() { jq -r '.method' "$DIR/log" | grep -v -e Hello -e AddMatch | xargs; }
property() { jq -c "select(.method == \"$1\") | .args[2][\"$2\"].value" "$DIR/log" | tail -1; }
strict() { ! grep '"wrong"' "$DIR/log"; }

SCOPE='.linux.cgroupsPath="teu-e2e.slice:pre:\($id)"'
by_systemd() { script "$1" "\"$ID\" as \$id | $SCOPE | ${2:-.}"; }

@test "systemd: a scope with its limits as properties and in its files, stopped by delete" {
	bus
	by_systemd 'sleep 1000' '.linux.resources.memory.limit=67108864 | .linux.resources.pids.limit=50 | .linux.resources.cpu={"shares":512,"quota":12345,"period":100000} |
		.annotations={"org.systemd.property.TimeoutStopUSec":"uint64 5000000","org.systemd.property.CollectMode":"'"'inactive-or-failed'"'"}'
	start --systemd-cgroup
	equals "$(property StartTransientUnit Slice)" '"teu-e2e.slice"'
	equals "$(property StartTransientUnit Delegate)" true
	equals "$(property StartTransientUnit MemoryLimit)" 67108864
	equals "$(property StartTransientUnit TasksMax)" 50
	equals "$(property StartTransientUnit CPUShares)" 512
	equals "$(property StartTransientUnit CPUQuotaPerSecUSec)" 130000
	equals "$(property StartTransientUnit TimeoutStopUSec)" 5000000
	equals "$(property StartTransientUnit CollectMode)" '"inactive-or-failed"'
	equals "$(property StartTransientUnit DevicePolicy)" '"strict"'
	equals "$(property StartTransientUnit PIDs)" "[$(oci state "$ID" | jq .pid)]"
	for c in systemd memory cpu pids freezer devices; do grep -q . "$CG/$c/$AT/cgroup.procs"; done
	equals "$(cat "$CG/memory/$AT/memory.limit_in_bytes")" 67108864
	equals "$(cat "$CG/cpu/$AT/cpu.cfs_quota_us")" 12345
	oci exec "$ID" grep -q "memory:/$AT" /proc/self/cgroup
	oci update --memory 50331648 "$ID"
	equals "$(property SetUnitProperties MemoryLimit)" 50331648
	equals "$(cat "$CG/memory/$AT/memory.limit_in_bytes")" 50331648
	oci pause "$ID"
	status_is "$ID" paused
	oci resume "$ID"
	oci delete -f "$ID"
	equals "$(calls)" "StartTransientUnit SetUnitProperties StopUnit ResetFailedUnit"
	strict
	for c in systemd memory cpu pids freezer devices cpuset; do [ ! -e "$CG/$c/$AT" ]; done
	assert_nothing_left
}

@test "systemd: it is spoken to directly where there is no bus" {
	bus
	exec 9>&-
	wait "$STUB"
	rm -f "$DIR/fifo" "$DIR/log"
	# The private socket is at a fixed place: seen in a mount namespace only.
	mkfifo "$DIR/fifo"
	python3 "$TOP/tests/tools/systemd-stub.py" "$DIR/bus" "$DIR/log" --peer <"$DIR/fifo" >"$DIR/stub.out" 2>&1 3>&- &
	STUB=$!
	exec 9>"$DIR/fifo"
	until_ok test -S "$DIR/bus"
	by_systemd true
	run env -u DBUS_SYSTEM_BUS_ADDRESS unshare -m bash -c 'mount -t tmpfs run /run; mkdir /run/systemd; touch /run/systemd/private
		mount --bind "$1/bus" /run/systemd/private; exec "$2" --root "$1/root" --systemd-cgroup run -b "$1/b" "$3"' - "$DIR" "$OCI" "$ID"
	[ "$status" -eq 0 ]
	[[ "$(calls)" == "StartTransientUnit StopUnit"* ]]
	strict
}

@test "systemd: a failed unit of that name is reset, other failures are told and undone" {
	bus
	by_systemd true ".linux.cgroupsPath=\"teu-e2e.slice:exists:$ID\""
	oci --systemd-cgroup run -b "$DIR/b" "$ID"
	[[ "$(calls)" == "StartTransientUnit ResetFailedUnit StartTransientUnit"* ]]
	by_systemd true ".linux.cgroupsPath=\"teu-e2e.slice:jobfails:$ID\""
	fails_with 1 "has ended as 'failed'" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	by_systemd true ".linux.cgroupsPath=\"teu-e2e.slice:denied:$ID\""
	fails_with 1 "AccessDenied: Permission denied" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	by_systemd true ".linux.cgroupsPath=\"teu-e2e.slice:garbage:$ID\""
	fails_with 1 "D-Bus message of another byte order" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	by_systemd true ".linux.cgroupsPath=\"teu-e2e.slice:silent:$ID\""
	fails_with 1 "the other side has closed" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	strict
	assert_nothing_left
}

@test "systemd: paths and annotations that are none are refused by name" {
	bus
	for path in "/a/b" "a:b" "a:b:c" "a.slice:b:" "a.slice:b:c/d" "a--b.slice:b:c" "a.slice:b:c d"; do
		by_systemd true ".linux.cgroupsPath=\"$path\""
		run oci --systemd-cgroup run -b "$DIR/b" "$ID"
		[ "$status" -eq 1 ]
		[[ "$output" == *cgroupsPath* || "$output" == *slice* || "$output" == *unit* ]]
	done
	by_systemd true '.annotations["org.systemd.property.Nice1"]="1"'
	fails_with 1 "no property has such a name" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	by_systemd true '.annotations["org.systemd.property.CollectMode"]="{1: 2}"'
	fails_with 1 "dictionary" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	[ ! -s "$DIR/log" ]
	assert_nothing_left
}

@test "systemd: nobody at the address" {
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$DIR/none
	script true
	fails_with 1 "reach the system's systemd" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	export DBUS_SYSTEM_BUS_ADDRESS=tcp:host=localhost
	fails_with 1 "only unix is known" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	assert_nothing_left
}
