# SPDX-License-Identifier: Apache-2.0
# A real systemd: scopes of the system's and of a user's manager under pure v2; cpuset and pressure, which user-mode
# Linux lacks.
# shellcheck source=guest.bash
. "$VM_TOP/tests/vm/guest.bash"
U=45678

scope() { script "$1" '.linux.cgroupsPath="teu-vm.slice:pre:'"$ID"'" | '"${2:-.}"; }
unit() { systemctl show "pre-$ID.scope" -p "$1" --value; }
at() { echo "$CG/teu.slice/teu-vm.slice/pre-$ID.scope"; }

test_a_scope_with_properties_and_files() {
	scope 'sleep 1000' '.linux.resources.memory={"limit":67108864,"reservation":16777216} | .linux.resources.pids.limit=50 |
		.linux.resources.cpu={"shares":1024,"quota":50000,"period":100000,"cpus":"0"} |
		.annotations={"org.systemd.property.TimeoutStopUSec":"uint64 5000000","org.systemd.property.CollectMode":"'"'inactive-or-failed'"'"}'
	oci --systemd-cgroup create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci start "$ID"
	equals "$(unit ActiveState)" active
	equals "$(unit MemoryMax)" 67108864
	equals "$(unit MemoryLow)" 16777216
	equals "$(unit TasksMax)" 50
	equals "$(unit CPUWeight)" 100
	equals "$(unit CPUQuotaPerSecUSec)" 500ms
	equals "$(unit AllowedCPUs)" 0
	equals "$(unit DevicePolicy)" strict
	equals "$(unit TimeoutStopUSec)" 5s
	equals "$(unit CollectMode)" inactive-or-failed
	equals "$(unit Delegate)" yes
	equals "$(unit ControlGroup)" "/teu.slice/teu-vm.slice/pre-$ID.scope"
	equals "$(cat "$(at)/memory.max")" 67108864
	equals "$(cat "$(at)/cpuset.cpus")" 0
	equals "$(cat "$(at)/cpu.max")" "50000 100000"
	oci exec "$ID" true
	systemctl daemon-reload
	equals "$(cat "$(at)/memory.max")" 67108864
	oci update --memory 50331648 --cpuset-cpus 0-1 "$ID"
	equals "$(unit MemoryMax)" 50331648
	equals "$(cat "$(at)/memory.max")" 50331648
	equals "$(cat "$(at)/cpuset.cpus")" 0-1
	systemctl daemon-reload
	equals "$(cat "$(at)/memory.max")" 50331648
	oci pause "$ID"
	status_is "$ID" paused
	oci resume "$ID"
	oci events --stats "$ID" | jq -e '.data.cpu.psi.some.total >= 0 and .data.memory.psi.full.total >= 0 and .data.cpuset.cpus == [0,1]'
	oci delete -f "$ID"
	[ ! -e "$(at)" ]
	equals "$(unit LoadState)" not-found
}

test_a_group_below_the_scope() {
	scope 'sleep 1000' '.annotations={"run.oci.systemd.subgroup":"inner"} | .linux.resources.pids.limit=40'
	oci --systemd-cgroup create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci start "$ID"
	equals "$(cut -d: -f3 <"/proc/$(oci state "$ID" | jq .pid)/cgroup")" "/teu.slice/teu-vm.slice/pre-$ID.scope/inner"
	equals "$(unit TasksMax)" 40
	oci delete -f "$ID"
	[ ! -e "$(at)" ]
}

test_devices_hold_under_systemd() {
	scope 'mknod /tmp/mem c 1 1; cat /tmp/mem >/dev/null && exit 5; echo x >/dev/null' \
		'.root.readonly=false | .process.capabilities |= map_values(. + ["CAP_MKNOD"])'
	oci --systemd-cgroup run -b "$DIR/b" "$ID"
}

test_a_run_that_fails_leaves_no_unit() {
	scope true '.process.args=["/no/such"]'
	fails_with 127 "no/such" oci --systemd-cgroup run -b "$DIR/b" "$ID" || fails_with 1 "no/such" oci --systemd-cgroup run -b "$DIR/b" "$ID"
	equals "$(unit LoadState)" not-found
	[ ! -e "$(at)" ]
}

test_cpuset_and_pressure_without_systemd_as_manager() {
	script 'sleep 1000' '.linux.cgroupsPath="/vm-plain/'"$ID"'" | .linux.resources.cpu={"cpus":"1","mems":"0"}'
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci start "$ID"
	equals "$(cat "$CG/vm-plain/$ID/cpuset.cpus.effective")" 1
	equals "$(cat "$CG/vm-plain/$ID/cpuset.mems")" 0
	equals "$(oci exec "$ID" grep Cpus_allowed_list /proc/self/status | tr -dc 0-9)" 1
	fails_with 1 "cpuset.cpus" oci update --cpuset-cpus 77 "$ID"
	oci delete -f "$ID"
}

test_the_users_own_manager() {
	cp "$OCI" /usr/local/bin/teu-oci
	mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/tests
	systemctl start user@$U.service || { journalctl -b --no-pager -u user@$U.service | tail -5; return 1; }
	chmod 755 "$DIR"
	chown -R $U:$U "$DIR/b"
	user() { env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user/$U setpriv --reuid $U --regid $U --clear-groups "$@"; }
	# As a process of his own tree of cgroups: from elsewhere nobody may move a process into it.
	runtime() { user systemd-run --user --quiet --wait --pipe --setenv=PATH="$PATH" -- teu-oci "$@"; }
	until_ok user systemctl --user is-active default.target
	script 'sleep 1000' '.linux.namespaces += [{"type":"user"},{"type":"cgroup"}] | .linux.cgroupsPath="user.slice:pre:'"$ID"'" |
		.linux.uidMappings=[{"containerID":0,"hostID":45678,"size":1}] | .linux.gidMappings=[{"containerID":0,"hostID":45678,"size":1}] |
		(.mounts[] | select(.type == "devpts")).options |= map(select(startswith("gid") | not)) |
		.linux.resources={"memory":{"limit":67108864},"pids":{"limit":30}}'
	runtime --systemd-cgroup create -b "$DIR/b" "$ID" >"$DIR/create" 2>&1 </dev/null || { cat "$DIR/create"; return 1; }
	runtime start "$ID"
	local at="$CG/user.slice/user-$U.slice/user@$U.service/user.slice/pre-$ID.scope"
	equals "$(cat "$at/memory.max")" 67108864
	equals "$(cat "$at/pids.max")" 30
	equals "$(user systemctl --user show "pre-$ID.scope" -p MemoryMax --value)" 67108864
	runtime exec "$ID" true
	runtime update --memory 50331648 "$ID"
	equals "$(cat "$at/memory.max")" 50331648
	runtime delete -f "$ID"
	[ ! -e "$at" ]
}

run_tests
