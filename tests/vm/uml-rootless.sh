# SPDX-License-Identifier: Apache-2.0
# A user without rights under pure cgroup v2: refused without delegation, limited with it (a subtree that is his, as
# systemd's Delegate=yes gives it), his own cgroup as the place of relative paths.
# shellcheck source=guest.bash
. "$VM_TOP/tests/vm/guest.bash"
U=45678
ONE='.linux.namespaces += [{"type":"user"},{"type":"cgroup"}] | del(.linux.resources) |
	.linux.uidMappings=[{"containerID":0,"hostID":45678,"size":1}] | .linux.gidMappings=[{"containerID":0,"hostID":45678,"size":1}] |
	(.mounts[] | select(.type == "devpts")).options |= map(select(startswith("gid") | not))'

ready() {
	cp "$OCI" "$DIR/teu-oci"
	mkdir "$DIR/run"
	chmod 755 "$DIR" "$DIR/teu-oci"
	chown -R $U:$U "$DIR/b" "$DIR/run"
}

# within CGROUP COMMAND: as the user, from within that cgroup
within() {
	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$0/cgroup.procs" && shift 0 && exec "$@"' "$CG/$1" \
		env -i PATH="$PATH" XDG_RUNTIME_DIR="$DIR/run" setpriv --reuid $U --regid $U --clear-groups "$DIR/teu-oci" "${@:2}"
}

# /user.ID (his) with /user.ID/shell, in which he is
delegate() {
	mkdir -p "$CG/user.$ID/shell"
	chown $U "$CG/user.$ID" "$CG/user.$ID"/cgroup.{procs,subtree_control,threads}
	chown -R $U "$CG/user.$ID/shell"
}
undelegate() { rmdir "$CG/user.$ID/shell" "$CG/user.$ID"; }

test_without_delegation_limits_are_refused_and_others_run() {
	ready
	mkdir "$CG/plain.$ID"
	script 'cat /proc/self/cgroup' "$ONE | .linux.resources.memory.limit=33554432"
	fails_with 1 "limits of memory are asked for" within "plain.$ID" run -b "$DIR/b" "$ID"
	script 'exit 3' "$ONE"' | .mounts |= map(select(.type != "cgroup"))'
	within "plain.$ID" run -b "$DIR/b" "$ID" || equals $? 3
	rmdir "$CG/plain.$ID"
}

test_a_delegated_subtree_gives_limits_update_pause_and_stats() {
	ready
	delegate
	script 'sleep 1000' "$ONE"' | .linux.resources={"memory":{"limit":33554432},"pids":{"limit":20}}'
	within "user.$ID/shell" create -b "$DIR/b" "$ID" >/dev/null 2>&1
	within "user.$ID/shell" start "$ID"
	local at=$CG/user.$ID/$ID
	equals "$(cat "$at/memory.max")" 33554432
	equals "$(cat "$at/pids.max")" 20
	equals "$(wc -l <"$at/cgroup.procs")" 1
	within "user.$ID/shell" update --memory 50331648 "$ID"
	equals "$(cat "$at/memory.max")" 50331648
	within "user.$ID/shell" pause "$ID"
	equals "$(cat "$at/cgroup.freeze")" 1
	within "user.$ID/shell" resume "$ID"
	equals "$(within "user.$ID/shell" exec "$ID" cat /proc/self/cgroup)" "0::/"
	equals "$(within "user.$ID/shell" events --stats "$ID" | jq .data.memory.usage.limit)" 50331648
	within "user.$ID/shell" delete -f "$ID"
	[ ! -e "$at" ]
	undelegate
}

test_an_absolute_path_in_the_subtree_is_taken_as_it_is() {
	ready
	delegate
	script 'sleep 1000' "$ONE"' | .linux.cgroupsPath="/user.'"$ID"'/a/b" | .linux.resources={"pids":{"limit":20}}'
	within "user.$ID/shell" create -b "$DIR/b" "$ID" >/dev/null 2>&1
	equals "$(cat "$CG/user.$ID/a/b/pids.max")" 20
	within "user.$ID/shell" delete -f "$ID"
	[ ! -e "$CG/user.$ID/a" ]
	undelegate
}

run_tests
