# SPDX-License-Identifier: Apache-2.0
# Pure cgroup v2 with cpu, io, memory and pids: limits, update, statistics, devices, freezer, end, delegation.
# shellcheck source=guest.bash
. "$VM_TOP/tests/vm/guest.bash"

start() {
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci start "$ID"
}

test_the_machine_has_pure_v2() {
	equals "$(stat -fc %T $CG)" cgroup2fs
	[ ! -e $CG/cpu ]
	[ ! -e /proc/pressure/cpu ] || echo "pressure too"
}

test_every_limit_is_in_its_file() {
	script 'sleep 1000' '.linux.resources.memory={"limit":33554432,"swap":67108864,"reservation":16777216} |
		.linux.resources.cpu={"shares":1024,"quota":50000,"period":200000} | .linux.resources.pids.limit=77 |
		.linux.resources.unified={"memory.high":"30000000","cgroup.max.depth":"3"}'
	start
	equals "$(value memory.max)" 33554432
	equals "$(value memory.low)" 16777216
	equals "$(value memory.high)" 29999104
	[ ! -e "$CG/$ID/memory.swap.max" ] || equals "$(value memory.swap.max)" 33554432
	equals "$(value cpu.weight)" 100
	equals "$(value cpu.max)" "50000 200000"
	equals "$(value pids.max)" 77
	equals "$(value cgroup.max.depth)" 3
	equals "$(grep -c . "$CG/$ID/cgroup.procs")" 1
	oci delete -f "$ID"
	[ ! -e "$CG/$ID" ]
}

test_an_update_changes_what_it_names_and_nothing_else() {
	script 'sleep 1000' '.linux.resources.memory.limit=33554432 | .linux.resources.cpu={"quota":50000,"period":200000}'
	start
	oci update --memory 50331648 "$ID"
	equals "$(value memory.max)" 50331648
	equals "$(value cpu.max)" "50000 200000"
	oci update --cpu-period 100000 "$ID"
	equals "$(value cpu.max)" "50000 100000"
	echo '{"cpu":{"quota":-1,"shares":2},"pids":{"limit":9},"unified":{"memory.high":"max"}}' | oci update -r - "$ID"
	equals "$(value cpu.max)" "max 100000"
	equals "$(value cpu.weight)" 1
	equals "$(value pids.max)" 9
	oci update --pids-limit -1 "$ID"
	equals "$(value pids.max)" max
	fails_with 1 "memory.kernel" oci update --kernel-memory 1000000 "$ID"
	fails_with 1 "no such limit" oci update --cpu-rt-period 1000 "$ID"
	echo '{"unified":{"../x":"1"}}' >"$DIR/bad"
	fails_with 1 "../x" oci update -r "$DIR/bad" "$ID"
	echo '{"unified":{"no.such":"1"}}' >"$DIR/bad"
	fails_with 1 "no.such" oci update -r "$DIR/bad" "$ID"
	equals "$(value memory.max)" 50331648
}

test_a_controller_that_was_not_there_comes_with_an_update() {
	script 'sleep 1000' '.annotations["io.teu.cgroup.controllers"]="limited" | .linux.cgroupsPath="/vm-lim/'"$ID"'"'
	mkdir $CG/vm-lim
	start
	[ ! -e "$CG/vm-lim/$ID/memory.max" ]
	oci update --memory 50331648 "$ID"
	equals "$(cat "$CG/vm-lim/$ID/memory.max")" 50331648
	oci delete -f "$ID"
	rmdir $CG/vm-lim
}

test_statistics_are_the_files_numbers() {
	script 'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; touch /tmp/done; sleep 1000' '.linux.resources.memory.limit=67108864 |
		.linux.resources.pids.limit=50 | .linux.resources.cpu={"quota":90000,"period":100000} | .root.readonly=false'
	start
	until_ok test -e "$DIR/b/rootfs/tmp/done"
	oci pause "$ID"
	key() { awk -v k="$2" '$1 == k { print $2 }' "$CG/$ID/$1"; }
	compare() {
		wrong=
		s=$(oci events --stats "$ID")
		stat_is memory.usage.limit 67108864
		stat_is memory.usage.usage "$(value memory.current)"
		stat_is memory.raw.anon "$(key memory.stat anon)"
		stat_is memory.raw.pgfault "$(key memory.stat pgfault)"
		stat_is 'memory.raw | length' "$(wc -l <"$CG/$ID/memory.stat")"
		stat_is 'memory.cache // 0' "$(key memory.stat file)"
		stat_is pids.current "$(value pids.current)"
		stat_is pids.limit 50
		stat_is cpu.usage.total "$(($(key cpu.stat usage_usec) * 1000))"
		stat_is cpu.usage.user "$(($(key cpu.stat user_usec) * 1000))"
		stat_is cpu.usage.kernel "$(($(key cpu.stat system_usec) * 1000))"
		stat_is 'cpu.throttling.periods // 0' "$(key cpu.stat nr_periods)"
		stat_is 'cpu.throttling.throttledTime // 0' "$(($(key cpu.stat throttled_usec) * 1000))"
	}
	stats_agree
	oci resume "$ID"
}

test_pause_freezes_and_resume_thaws() {
	script 'sleep 1000'
	start
	oci pause "$ID"
	equals "$(value cgroup.freeze)" 1
	equals "$(awk '$1 == "frozen" { print $2 }' "$CG/$ID/cgroup.events")" 1
	status_is "$ID" paused
	fails_with 1 "paused" oci exec "$ID" true
	oci resume "$ID"
	equals "$(value cgroup.freeze)" 0
	oci exec "$ID" true
	oci pause "$ID"
	oci kill "$ID" KILL # wakes nobody, ends it all the same
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	[ ! -e "$CG/$ID" ]
}

test_kill_all_ends_what_the_container_forked() {
	script 'sleep 1000 & sleep 1000 & (sleep 1000 & ) ; wait' '.linux.namespaces |= map(select(.type != "pid"))'
	start
	until_ok test "$(wc -l <"$CG/$ID/cgroup.procs")" -ge 4
	oci ps -f json "$ID" | jq -e 'length >= 4'
	oci kill --all "$ID" KILL
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	[ ! -e "$CG/$ID" ]
}

test_groups_made_inside_go_with_it() {
	script 'sleep 1000'
	start
	mkdir -p "$CG/$ID/a/b/c" "$CG/$ID/d"
	sleep 1000 &
	echo $! >"$CG/$ID/a/b/c/cgroup.procs"
	oci delete -f "$ID"
	[ ! -e "$CG/$ID" ]
}

test_devices_are_decided_by_the_rules() {
	script 'mknod /tmp/mem c 1 1; mknod /tmp/null c 1 3; cat /tmp/mem >/dev/null 2>/tmp/err && exit 5
		echo x >/tmp/null && cat /tmp/null && grep -q "not permitted" /tmp/err' \
		'.root.readonly=false | .process.capabilities |= map_values(. + ["CAP_MKNOD"]) | .process.noNewPrivileges=false'
	oci run -b "$DIR/b" "$ID"
	script 'sleep 1000' '.root.readonly=false | .process.capabilities |= map_values(. + ["CAP_MKNOD"])'
	start
	oci exec "$ID" mknod /tmp/zero c 1 5
	oci exec "$ID" sh -c 'dd if=/tmp/zero of=/dev/null bs=1 count=1'
	# An update replaces all rules.
	echo '{"devices":[{"allow":true,"access":"rwm"}]}' | oci update -r - "$ID"
	oci exec "$ID" mknod /tmp/kmsg c 1 11
	oci exec "$ID" sh -c 'exec 3</tmp/kmsg'
	echo '{"devices":[{"allow":false,"access":"rwm"}]}' | oci update -r - "$ID"
	fails_with 1 "not permitted" oci exec "$ID" sh -c 'exec 3</tmp/kmsg || exit 1'
}

test_out_of_memory_is_told() {
	script 'while :; do sleep 0.2; dd if=/dev/zero of=/dev/null bs=64M count=1; done' '.linux.resources.memory={"limit":16777216}'
	start
	oci events --interval 1h "$ID" >"$DIR/events" 2>&1 &
	until_ok grep -q '"type":"oom"' "$DIR/events"
	kill $!
	[ "$(awk '$1 == "oom_kill" { print $2 }' "$CG/$ID/memory.events")" -ge 1 ]
}

test_a_parent_with_processes_is_explained() {
	script true '.linux.cgroupsPath="/vm-busy/c" | .linux.resources.memory.limit=33554432'
	mkdir $CG/vm-busy
	sleep 1000 &
	echo $! >$CG/vm-busy/cgroup.procs
	fails_with 1 "holds processes itself" oci run -b "$DIR/b" "$ID"
	[ ! -e $CG/vm-busy/c ]
	kill -9 %1
	wait %1 || true
	rmdir $CG/vm-busy
}

test_a_threaded_parent_is_explained() {
	script true '.linux.cgroupsPath="/vm-thr/t/c" | .linux.resources.memory.limit=33554432'
	mkdir -p $CG/vm-thr/t
	echo threaded >$CG/vm-thr/t/cgroup.type
	fails_with 1 "threaded" oci run -b "$DIR/b" "$ID"
	rmdir $CG/vm-thr/t $CG/vm-thr
}

test_a_user_namespace_owns_its_cgroup_only_if_it_sees_it_writable() {
	local own='.linux.namespaces += [{"type":"user"},{"type":"cgroup"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] |
		.linux.gidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .root.readonly=false'
	chmod 755 "$DIR" "$DIR/b"
	chown -R 100000:100000 "$DIR/b/rootfs"
	script 'sleep 1000' "$own"
	start
	equals "$(stat -c %u "$CG/$ID")" 0
	oci delete -f "$ID"
	script 'mkdir /sys/fs/cgroup/sub && echo 1 >/sys/fs/cgroup/sub/cgroup.procs && echo +pids >/sys/fs/cgroup/cgroup.subtree_control && sleep 1000' \
		"$own"' | (.mounts[] | select(.destination == "/sys/fs/cgroup")).options |= map(select(. != "ro"))'
	start
	equals "$(stat -c %u "$CG/$ID")" 100000
	for f in $(cat /sys/kernel/cgroup/delegate); do
		[ ! -e "$CG/$ID/$f" ] || equals "$f $(stat -c %u "$CG/$ID/$f")" "$f 100000"
	done
	equals "$(stat -c %u "$CG/$ID/pids.max")" 0
	until_ok test -e "$CG/$ID/sub/pids.max"
	oci delete -f "$ID"
	[ ! -e "$CG/$ID" ]
}

test_a_plain_user_enters_the_cgroup_by_a_file_that_was_opened_for_it() {
	script 'sleep 1000' '.process.user = {"uid":1000,"gid":1000}'
	oci run -d --pid-file "$DIR/pid" -b "$DIR/b" "$ID" >/dev/null 2>&1
	equals "$(oci exec -u 1000 "$ID" sh -c 'grep ^CapEff /proc/self/status; cat /proc/self/cgroup' | tr -d '\t' | tr '\n' ' ')" "CapEff:0000000000000000 0::/$ID "
	script 'cat /proc/self/cgroup' ".process.user = {\"uid\":1000,\"gid\":1000} | .linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$(cat "$DIR/pid")/ns/pid\" else . end)"
	oci create --pid-file "$DIR/pid2" -b "$DIR/b" "$ID-2" >"$DIR/out" 2>&1
	grep -q '^CapEff:.*0000000020000420' "/proc/$(cat "$DIR/pid2")/status"
	oci start "$ID-2"
	until_ok status_is "$ID-2" stopped
	oci delete "$ID-2"
	equals "$(cat "$DIR/out")" "0::/$ID-2"
	oci delete -f "$ID"
}

run_tests
