#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Fields of config.json that few engines use: network devices, memory policy, CPU affinity, RDT, time, labels.
# Whatever touches network devices runs in a network namespace of its own.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

# in_net SCRIPT: a shell in a fresh network namespace, with two veths to give away.
in_net() {
	command -v ip >/dev/null || skip "needs ip"
	run unshare -n bash -ec "
		ip link add d0 type veth peer name p0; ip link add d1 type veth peer name p1
		ip addr add 10.9.8.7/24 dev d0; ip addr add fd00:9::7/64 dev d0 nodad; ip link set d0 up
		$1"
}

@test "netDevices: moved and renamed, addresses kept, up" {
	script 'ip -o addr show dev in0; ip -o link show dev in0; ip -o link | wc -l' '.linux.netDevices = {"d0": {"name": "in0"}}'
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'; ip -o link"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	prints "inet 10.9.8.7/24"
	prints "inet6 fd00:9::7/64"
	[[ "$output" == *"in0"*"UP"* ]]
	[[ "$output" != *" d0"* ]]
	prints " d1"
	assert_nothing_left
}

@test "netDevices: two at once under their own names, a pattern, and none left behind" {
	script 'ip -o link' '.linux.netDevices = {"d0": {}, "d1": {"name": "net%d"}}'
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	prints " d0@"
	prints " net0@"
	assert_nothing_left
}

@test "netDevices: a missing one and a name that is taken are refused by name" {
	config '.linux.netDevices = {"nosuch": {}}'
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "$status" -eq 1 ]
	prints "linux.netDevices: 'nosuch'"
	config '.linux.netDevices = {"d0": {"name": "lo"}}'
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID' || ip -o link show dev d0"
	prints "linux.netDevices: 'd0': the container has an interface 'lo' already"
	prints ": d0@" # it has not moved
	config '.linux.netDevices = {"d0": {}} | .linux.namespaces |= map(select(.type != "network"))'
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	prints "linux.netDevices needs a network namespace"
	assert_nothing_left
}

@test "netDevices: into a namespace joined by path, and never into the host's own" {
	script 'ip -o addr show dev d0' '.linux.netDevices = {"d0": {}} | (.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/net"'
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "$status" -eq 1 ]
	prints "the container's network namespace is the host's"
	in_net "unshare -n sleep 60 & p=\$!
		for i in \$(seq 100); do [ \"\$(readlink /proc/\$p/ns/net)\" = \"\$(readlink /proc/self/ns/net)\" ] || break; sleep 0.05; done
		jq '(.linux.namespaces[] | select(.type == \"network\")).path = \"/proc/'\$p'/ns/net\"' '$DIR/b/config.json' >'$DIR/c' && mv '$DIR/c' '$DIR/b/config.json'
		'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'; kill \$p"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	prints "inet 10.9.8.7/24"
	assert_nothing_left
}

@test "netDevices: there before the hooks run" {
	printf '#!/bin/sh\nread s; p=${s#*\\"pid\\":}; nsenter --net=/proc/${p%%,*}/ns/net ip -o link >%s/seen\n' "$DIR" >"$DIR/hook"
	chmod +x "$DIR/hook"
	config ".linux.netDevices = {\"d0\": {}} | .hooks = {\"createRuntime\": [{\"path\": \"$DIR/hook\", \"env\": [\"PATH=$PATH\"]}]}"
	in_net "'$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	grep -q " d0@" "$DIR/seen"
}

@test "memoryPolicy: set before the program, or what this machine lacks is told" {
	script 'head -1 /proc/self/numa_maps' '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "0"}'
	run oci run -b "$DIR/b" "$ID"
	if [ "$status" -eq 0 ]; then
		prints "bind:0"
	else
		prints "linux.memoryPolicy: this kernel has no memory policies"
	fi
	[ -e /proc/self/numa_maps ] || return 0
	config '.linux.memoryPolicy = {"mode": "MPOL_BIND", "nodes": "1000"}'
	fails_with 1 "linux.memoryPolicy" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "execCPUAffinity: of exec alone, the last word is final's" {
	cpu=$(taskset -cp $$ | sed 's/.*[ ,-]//')
	script 'sleep 1000' ".process.execCPUAffinity = {\"initial\": \"$cpu\", \"final\": \"$cpu\"}"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	[ "$(oci exec "$ID" sh -c 'grep Cpus_allowed_list /proc/self/status | tr -d "\t"')" = "Cpus_allowed_list:$cpu" ]
	[ "$(oci exec "$ID" sh -c 'grep Cpus_allowed_list /proc/1/status')" = "$(grep Cpus_allowed_list /proc/self/status)" ]
	echo '{"cwd":"/","args":["/bin/true"],"execCPUAffinity":{"initial":"1023"}}' >"$DIR/p.json"
	fails_with 1 "process.execCPUAffinity.initial '1023'" oci exec -p "$DIR/p.json" "$ID"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "intelRdt: a machine without resctrl is told so, and nothing stays" {
	mountpoint -q /sys/fs/resctrl && skip "this machine has resctrl"
	config '.linux.intelRdt = {"closID": "x", "schemata": ["L3:0=f"]}'
	fails_with 1 "linux.intelRdt: no resctrl is mounted" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "intelRdt on a recorded tree: class, schemata, membership, monitoring; gone at delete" {
	OCI=${TEU_OCI_FAULT:-$TOP/build/fault/src/teu-oci}
	[ -x "$OCI" ] || skip "needs a build for tests (ninja -C build/fault src/teu-oci)"
	export TEU_TREE=$DIR/recorded
	tree=$TEU_TREE/sys/fs/resctrl
	mkdir -p "$tree"
	script 'sleep 1000' '.linux.intelRdt = {"l3CacheSchema": "L3:0=f", "schemata": ["MB:0=50"], "enableMonitoring": true}'
	oci create -b "$DIR/b" --pid-file "$DIR/pid" "$ID" >/dev/null 2>&1
	[ "$(cat "$tree/$ID/schemata")" = "L3:0=f
MB:0=50" ]
	[ "$(cat "$tree/$ID/tasks")" = "$(cat "$DIR/pid")" ]
	[ "$(cat "$tree/$ID/mon_groups/$ID/tasks")" = "$(cat "$DIR/pid")" ]
	for d in 01 00; do
		mkdir -p "$tree/$ID/mon_groups/$ID/mon_data/mon_L3_$d"
		echo "1$d" >"$tree/$ID/mon_groups/$ID/mon_data/mon_L3_$d/mbm_total_bytes"
		echo Unavailable >"$tree/$ID/mon_groups/$ID/mon_data/mon_L3_$d/mbm_local_bytes"
		echo "2$d" >"$tree/$ID/mon_groups/$ID/mon_data/mon_L3_$d/llc_occupancy"
	done
	mkdir -p "$tree/info/L3" "$tree/info/MB"
	echo 7ff >"$tree/info/L3/cbm_mask"
	echo 16 >"$tree/info/L3/num_closids"
	echo 10 >"$tree/info/MB/bandwidth_gran"
	printf '    L3:0=7ff\n    MB:0=100\n' >"$tree/schemata"
	oci start "$ID"
	want=$(jq -cS . <<-'EOF'
		{"l3_cache_info":{"cbm_mask":"7ff","num_closids":16},"l3_cache_schema_root":"L3:0=7ff","l3_cache_schema":"L3:0=f",
		 "mem_bw_info":{"bandwidth_gran":10},"mem_bw_schema_root":"MB:0=100","mem_bw_schema":"MB:0=50",
		 "mbm_stats":[{"mbm_total_bytes":100},{"mbm_total_bytes":101}],"cmt_stats":[{"llc_occupancy":200},{"llc_occupancy":201}]}
	EOF
	)
	[ "$(oci events --stats "$ID" | jq -cS .data.intel_rdt)" = "$want" ]
	rm -r "$tree/info" "$tree/schemata"
	oci delete -f "$ID"
	[ -z "$(ls -A "$tree")" ]
	# Born in a pid namespace that is there already, it is a member like any other.
	config ".linux.intelRdt = {\"l3CacheSchema\": \"L3:0=f\", \"enableMonitoring\": true} | .linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$$/ns/pid\" else . end)"
	unshare -fp --mount-proc sleep 1000 3>&- &
	until_ok pgrep -P $!
	sed -i "s|/proc/$$/ns/pid|/proc/$(pgrep -P $!)/ns/pid|" "$DIR/b/config.json"
	oci create -b "$DIR/b" --pid-file "$DIR/pid" "$ID" >/dev/null 2>&1
	[[ "$(cat "$tree/$ID/tasks")" == *"$(cat "$DIR/pid")" ]] # after who made its namespaces
	[[ "$(cat "$tree/$ID/mon_groups/$ID/tasks")" == *"$(cat "$DIR/pid")" ]]
	oci delete -f "$ID"
	kill -KILL "$(pgrep -P $!)"
	config '.linux.intelRdt = {"closID": "gold", "memBwSchema": "MB:0=9"} | .process.args = ["/nosuch"]'
	fails_with 127 "nosuch" oci run -b "$DIR/b" "$ID"
	[ "$(cat "$tree/gold/schemata")" = "MB:0=9" ] # named by the config: it stays
	assert_nothing_left
}

@test "SELinux on a recorded tree: the session keyring's label is set before the keyring is made" {
	[ -e /sys/fs/selinux/enforce ] && skip "this machine has SELinux"
	OCI=${TEU_OCI_FAULT:-$TOP/build/fault/src/teu-oci}
	[ -x "$OCI" ] || skip "needs a build for tests (ninja -C build/fault src/teu-oci)"
	config '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
	fails_with 1 "SELinux is not enabled in this kernel" oci run -b "$DIR/b" "$ID"
	export TEU_TREE=$DIR/recorded
	mkdir -p "$TEU_TREE/sys/fs/selinux"
	echo 1 >"$TEU_TREE/sys/fs/selinux/enforce"
	fails_with 1 "attr/keycreate" oci run -b "$DIR/b" "$ID" # the kernel under the tree has none
	fails_with 1 "attr/exec" oci run --no-new-keyring -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "seccomp: each action does what it is called, each flag is taken or named" {
	# sethostname(2) by the tool hostname, a process of its own
	act() {
		script 'hostname x 2>&1; echo "rc $?"' ".linux.seccomp = {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"flags\": [$2], \"syscalls\": [{\"names\": [\"sethostname\"], \"action\": \"SCMP_ACT_$1\"${3:-}}]}"
		run oci run -b "$DIR/b" "$ID"
	}
	act ERRNO '"SECCOMP_FILTER_FLAG_LOG"' ', "errnoRet": 95'
	prints "Operation not supported"
	act KILL '"SECCOMP_FILTER_FLAG_SPEC_ALLOW"'
	prints "rc 159" # SIGSYS
	act KILL_PROCESS ''
	prints "rc 159"
	act KILL_THREAD '"SECCOMP_FILTER_FLAG_TSYNC"'
	prints "rc 159"
	act TRAP ''
	prints "rc 159"
	act TRACE ''
	prints "not implemented" # nobody traces
	act LOG ''
	prints "not permitted" # allowed, and then it lacks the capability
	act ALLOW ''
	prints "not permitted"
	act ERRNO '"SECCOMP_FILTER_FLAG_ODD"'
	prints "SECCOMP_FILTER_FLAG_ODD"
	act NOTIFY '"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"'
	prints "needs listenerPath"
	assert_nothing_left
}

@test "seccomp: the agent gets listener, metadata and state" {
	"$TOP/tests/tools/recv-console" "$DIR/agent" >"$DIR/got" 2>"$DIR/err" &
	agent=$!
	until_ok grep -q listening "$DIR/err"
	script 'sleep 1000' ".annotations = {\"a\": \"b\"} | .linux.seccomp = {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"listenerPath\": \"$DIR/agent\", \"listenerMetadata\": \"meta \\u00e9\", \"syscalls\": [{\"names\": [\"sethostname\"], \"action\": \"SCMP_ACT_NOTIFY\"}]}"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	wait $agent || true # what it got is no terminal
	[ "$(head -1 "$DIR/got" | sed 's/^terminal //' | jq -r '.fds[0] + " " + .metadata + " " + .state.id + " " + .state.annotations.a')" = "seccompFd meta é $ID b" ]
	[ "$(head -1 "$DIR/got" | sed 's/^terminal //' | jq .pid)" = "$(oci state "$ID" | jq .pid)" ]
	oci delete -f "$ID"
	config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nonexistent", "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_NOTIFY"}]}'
	fails_with 1 "seccomp agent '/nonexistent'" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}
