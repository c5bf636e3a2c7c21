#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Commands beside the life cycle: update, events, spec, ps, features; the flags of exec, create and the program itself.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

running() {
	script 'sleep 1000' "${1:-.}"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
}

# A file of the container's cgroup: the v1 controller, its file, the file of v2.
limit() {
	cat "/sys/fs/cgroup/$1/$ID/$2" 2>/dev/null || cat "/sys/fs/cgroup/$ID/$3"
}

@test "update: limits by flags, sizes with units, -1 for none" {
	running
	oci update --memory 64m --pids-limit 9 --cpu-quota 20000 --cpu-period 50000 "$ID"
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(limit pids pids.max pids.max)" = 9 ]
	[[ "$(limit cpu cpu.cfs_quota_us cpu.max)" = 20000* ]]
	oci update --pids-limit -1 --memory-swap -1 "$ID"
	[ "$(limit pids pids.max pids.max)" = max ]
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 67108864 ]
	oci delete -f "$ID"
	assert_nothing_left
}

@test "update: a file, stdin, and flags on top of it" {
	running
	echo '{"memory":{"limit":50331648},"pids":{"limit":7}}' >"$DIR/r.json"
	oci update --resources "$DIR/r.json" "$ID"
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 50331648 ]
	echo '{"memory":{"limit":33554432}}' | oci update -r - "$ID"
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 33554432 ]
	[ "$(limit pids pids.max pids.max)" = 7 ]
	oci update "--resources=$DIR/r.json" --pids-limit 11 "$ID"
	[ "$(limit pids pids.max pids.max)" = 11 ]
	oci delete -f "$ID"
}

@test "update: what is wrong is told and changes nothing" {
	running '.linux.resources.pids = {"limit": 5}'
	fails_with 1 "--memory 'lots' is not a number" oci update --memory lots --pids-limit 6 "$ID"
	fails_with 1 "--resources or a limit is needed" oci update "$ID"
	fails_with 1 "nosuch.json" oci update -r "$DIR/nosuch.json" "$ID"
	echo '[1]' >"$DIR/r.json"
	fails_with 1 "not an object" oci update -r "$DIR/r.json" "$ID"
	echo '{"pids":{"limit":"x"}}' >"$DIR/r.json"
	fails_with 1 "pids.limit" oci update -r "$DIR/r.json" "$ID"
	fails_with 1 "linux.resources.cpu.cpus" oci update --cpuset-cpus 4096 "$ID"
	fails_with 1 "linux.intelRdt cannot be updated" oci update --l3-cache-schema L3:0=f "$ID"
	fails_with 1 "container does not exist" oci update --pids-limit 6 nosuch
	[ "$(limit pids pids.max pids.max)" = 5 ]
	oci kill "$ID" KILL
	until_ok status_is "$ID" stopped
	fails_with 1 "not running" oci update --pids-limit 6 "$ID"
	oci delete "$ID"
}

@test "events --stats: one line with the kernel's numbers" {
	running '.linux.resources.pids = {"limit": 23}'
	[ "$(oci events --stats "$ID" | wc -l)" = 1 ]
	[ "$(oci events --stats "$ID" | jq -r '.type + .id + (.data.pids.limit | tostring) + (.data.pids.current | tostring)')" = "stats${ID}231" ]
	[ "$(oci events --stats "$ID" | jq '.data.memory.usage.usage > 0 and .data.cpu.usage.total > 0')" = true ]
	[ "$(oci events --stats "$ID" | jq -c '.data.network_interfaces | map(.Name, .RxBytes, .TxDropped)')" = '["lo",0,0]' ]
	oci delete -f "$ID"
	fails_with 1 "container does not exist" oci events --stats "$ID"
}

@test "events: statistics at an interval until the container ends" {
	running
	oci events --interval 100ms "$ID" >"$DIR/events" 2>&1 &
	pid=$!
	until_ok bash -c "[ \$(grep -c stats '$DIR/events') -ge 3 ]"
	oci kill "$ID" KILL
	wait $pid
	[ "$(jq -r .type "$DIR/events" | sort -u)" = stats ]
	fails_with 1 "not running" oci events "$ID"
	oci delete "$ID"
}

@test "events: lack of memory is told" {
	script 'while [ ! -e /tmp/go ]; do sleep 0.1; done; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000' '.root.readonly = false | .linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci events --interval 1h "$ID" >"$DIR/events" 2>&1 &
	pid=$!
	until_ok grep -q stats "$DIR/events"
	touch "$DIR/b/rootfs/tmp/go"
	until_ok grep -q "{\"type\":\"oom\",\"id\":\"$ID\"}" "$DIR/events"
	oci delete -f "$ID"
	wait $pid || true
	assert_nothing_left
}

@test "spec: its container runs, an existing file stays" {
	rm "$DIR/b/config.json"
	oci spec --bundle "$DIR/b"
	fails_with 1 "exists" oci spec -b "$DIR/b"
	[ "$(jq -r .ociVersion "$DIR/b/config.json")" = 1.3.0 ]
	jq '.process.terminal = false | .process.args = ["sh", "-c", "hostname; grep NoNewPrivs /proc/self/status"]' "$DIR/b/config.json" >"$DIR/c" && mv "$DIR/c" "$DIR/b/config.json"
	run oci run -b "$DIR/b" "$ID"
	[ "$output" = "teu-oci
NoNewPrivs:	1" ] || { echo "$output"; false; }
	(cd "$DIR" && oci spec && [ -s config.json ])
	fails_with 1 "/nonexistent" oci spec -b /nonexistent
}

@test "spec --rootless: a user namespace, no network namespace, no limits" {
	rm "$DIR/b/config.json"
	oci spec --rootless -b "$DIR/b"
	[ "$(jq -c '[.linux.namespaces[].type] | sort' "$DIR/b/config.json")" = '["cgroup","ipc","mount","pid","user","uts"]' ]
	[ "$(jq -c '.linux.uidMappings[0].hostID, .linux.resources' "$DIR/b/config.json")" = "$(id -u)
null" ]
	jq '.process.terminal = false | .process.args = ["id", "-u"]' "$DIR/b/config.json" >"$DIR/c" && mv "$DIR/c" "$DIR/b/config.json"
	run oci run -b "$DIR/b" "$ID"
	[ "${lines[-1]}" = 0 ] || { echo "$output"; false; }
	assert_nothing_left
}

@test "ps: table as ps prints it, options of one's own, json" {
	command -v ps >/dev/null || skip "needs ps"
	running
	pid=$(oci state "$ID" | jq .pid)
	run oci ps "$ID"
	[ "${#lines[@]}" = 2 ]
	[[ "${lines[0]}" == *PID* ]]
	[[ "${lines[1]}" == *" $pid "*sleep* ]]
	run oci ps "$ID" -eo pid,comm
	[ "$(tr -s ' ' <<<"${lines[1]}" | sed 's/^ //')" = "$pid sleep" ] || { echo "$output"; false; }
	[ "$(oci ps --format json "$ID")" = "[$pid]" ]
	fails_with 1 "no column PID" oci ps "$ID" -eo comm
	fails_with 1 "ps has failed" oci ps "$ID" --nosuch
	oci delete -f "$ID"
}

@test "features: what the schema of 1.3 has, and what a config may be refused for is not claimed" {
	f=$(oci features)
	for key in hooks mountOptions linux annotations potentiallyUnsafeConfigAnnotations; do
		[ "$(jq "has(\"$key\")" <<<"$f")" = true ] || { echo "no $key"; false; }
	done
	for key in namespaces capabilities cgroup seccomp apparmor selinux memoryPolicy intelRdt mountExtensions netDevices; do
		[ "$(jq ".linux | has(\"$key\")" <<<"$f")" = true ] || { echo "no linux.$key"; false; }
	done
	# Each mount option that is told is taken: by a bind, where it changes nothing.
	mkdir "$DIR/src"
	config ".mounts += [{\"destination\":\"/tmp\",\"source\":\"$DIR/src\",\"options\":([\"bind\"] + ($(jq -c '.mountOptions | map(select(test("^(idmap|ridmap|remount|copy-symlink|tmpcopyup|mand)$|shared|slave|private|unbindable|nofollow") | not))' <<<"$f")))}]"
	oci run -b "$DIR/b" "$ID"
}

@test "restore: --no-pivot, which criu cannot do, is refused" {
	fails_with 1 "restore --no-pivot: criu enters a restored root by pivot_root" oci restore --no-pivot --image-path "$DIR" "$ID"
	assert_nothing_left
}

@test "create: --config, --pidfd-socket, --no-pivot, --no-new-keyring" {
	script 'exit 4'
	mv "$DIR/b/config.json" "$DIR/other.json"
	run oci run -b "$DIR/b" --config "$DIR/other.json" --no-pivot --no-new-keyring "$ID"
	[ "$status" -eq 4 ]
	fails_with 1 "nosuch.json" oci run -b "$DIR/b" -f "$DIR/nosuch.json" "$ID"
	"$TOP/tests/tools/recv-console" "$DIR/pidfd" --keep >"$DIR/got" 2>"$DIR/err" &
	pid=$!
	until_ok grep -q listening "$DIR/err"
	oci create -b "$DIR/b" -f "$DIR/other.json" --pidfd-socket "$DIR/pidfd" "$ID" >/dev/null 2>&1
	until_ok grep -q "pidfd" "$DIR/got"
	wait $pid || true # what it got is no terminal: it ends
	oci delete -f "$ID"
	fails_with 1 "nosuch" oci create -b "$DIR/b" -f "$DIR/other.json" --pidfd-socket "$DIR/nosuch" "$ID"
	assert_nothing_left
}

@test "exec: --cgroup joins one below the container's, and no other" {
	running
	d=/sys/fs/cgroup/pids/$ID
	[ -d "$d" ] || skip "needs the pids controller in v1"
	mkdir "$d/sub"
	[ "$(oci exec --cgroup pids:/sub "$ID" grep pids: /proc/self/cgroup | sed 's/.*pids://')" = "/$ID/sub" ]
	[ "$(oci exec --cgroup pids:sub "$ID" grep memory: /proc/self/cgroup | sed 's/.*memory://')" = "/$ID" ]
	[ "$(oci exec --cgroup pids:../../.. "$ID" grep pids: /proc/self/cgroup | sed 's/.*pids://')" = "/$ID" ]
	fails_with 1 "--cgroup 'pids:nope'" oci exec --cgroup pids:nope "$ID" true
	fails_with 1 "no such controller" oci exec --cgroup nosuch:/ "$ID" true
	rmdir "$d/sub"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "exec: labels that this kernel lacks are refused by name" {
	running
	[ -e /sys/module/apparmor ] || fails_with 1 "process.apparmorProfile 'x'" oci exec --apparmor x "$ID" true
	[ -e /sys/fs/selinux/enforce ] || fails_with 1 "process.selinuxLabel 'a:b'" oci exec --process-label a:b "$ID" true
	oci delete -f "$ID"
}

@test "--log: file:, syslog: and journald: by their sockets, levels" {
	run "$OCI" --root "$ROOT" --log "file:$DIR/log" state nosuch
	grep -q "container does not exist" "$DIR/log"
	script 'true' '.process.capabilities.bounding += ["CAP_ODD"]'
	run "$OCI" --root "$ROOT" --log "$DIR/log3" --log-level error run -b "$DIR/b" "$ID"
	[ ! -s "$DIR/log3" ]
	run "$OCI" --root "$ROOT" --log "$DIR/log4" --log-level warning run -b "$DIR/b" "$ID"
	grep -q CAP_ODD "$DIR/log4"
	[ -S /dev/log ] || fails_with 1 "/dev/log" "$OCI" --root "$ROOT" --log syslog:x list
	[ -S /run/systemd/journal/socket ] || fails_with 1 "journal/socket" "$OCI" --root "$ROOT" --log journald: list
}
