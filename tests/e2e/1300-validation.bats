#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One case for each program of runtime-tools' validation, by its name: what it asks, asked of teu-oci. Where a program and
# runtime-spec 1.3 disagree the spec decides, and the case says so ("spec:"). Cases of cgroups look at v1's files or v2's.

load runtime.bash
setup() { runtime_setup; }
teardown() {
	rmdir /sys/fs/cgroup/{pids/,}"$ID-other" 2>/dev/null || true
	runtime_teardown
}

run_it() {
	run oci run -b "$DIR/b" "$ID"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
}
made() { oci create -b "$DIR/b" "$@" "$ID" >/dev/null 2>&1; }
life() { made && oci start "$ID" && until_ok status_is "$ID" stopped && oci delete "$ID"; }
says() { [ "$output" = "$1" ] || { echo "got: $output"; return 1; }; }

@test "config_updates_without_affect" {
	script 'cat /proc/sys/net/ipv4/ip_forward /proc/self/oom_score_adj; ulimit -n; grep " / / " /proc/self/mountinfo | grep -c shared:' \
		'.linux.sysctl = {"net.ipv4.ip_forward": "1"} | .process.oomScoreAdj = 100 | .linux.rootfsPropagation = "shared"'
	oci create -b "$DIR/b" "$ID" >"$DIR/out" 2>&1
	echo '{"ociVersion": "1.0.0"}' >"$DIR/b/config.json"
	oci start "$ID"
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	run cat "$DIR/out"
	[ "${lines[0]} ${lines[1]} ${lines[2]}" = "1 100 1024" ] || { echo "$output"; false; }
}

@test "create" {
	fails_with 1 "" oci create -b "$DIR/b" # no id
	fails_with 1 "empty" oci create -b "$DIR/b" ""
	fails_with 1 "invalid container id" oci create -b "$DIR/b" "a b"
	made
	fails_with 1 "already exists" oci create -b "$DIR/b" "$ID"
	status_is "$ID" created
	oci delete -f "$ID"
	assert_nothing_left
}

@test "default" {
	script 'id -u; id -G; umask; pwd; echo $PATH; hostname; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; for m in /proc:proc /sys:sysfs /dev/pts:devpts /dev/shm:tmpfs; do grep -q " ${m%:*} .* - ${m#*:} " /proc/self/mountinfo || echo "no $m"; done; touch /x 2>/dev/null || echo ro' \
		'.process.user.umask = 18'
	run_it
	says "0
0
0022
/
/bin:/usr/bin
box
/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2
pts/ptmx
ro"
}

@test "delete" {
	fails_with 1 "does not exist" oci delete "$ID"
	script 'sleep 1000'
	made
	fails_with 1 "not stopped: created" oci delete "$ID"
	oci start "$ID"
	fails_with 1 "not stopped: running" oci delete "$ID"
	status_is "$ID" running # no effect
	oci kill "$ID" KILL
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	fails_with 1 "does not exist" oci delete "$ID"
	life_again=$(script true; made && oci delete -f "$ID" && echo yes) # the id is free
	[ "$life_again" = yes ]
	assert_nothing_left
}

@test "delete_only_create_resources" {
	local cg=/sys/fs/cgroup/pids
	[ -d "$cg" ] || cg=/sys/fs/cgroup
	mkdir "$cg/$ID-other"
	made
	echo "$(oci state "$ID" | jq .pid)" >"$cg/$ID-other/cgroup.procs"
	oci start "$ID"
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	[ -d "$cg/$ID-other" ]
	rmdir "$cg/$ID-other"
	assert_nothing_left
}

@test "delete_resources" {
	config ".linux.cgroupsPath = \"/$ID/deep\" | .linux.resources.pids.limit = 1000"
	life
	[ -z "$(find /sys/fs/cgroup -maxdepth 3 -name "$ID")" ]
	assert_nothing_left
}

hook() { printf '{"path": "/bin/sh", "args": ["sh", "-c", "%s"]}' "$1"; }

@test "hooks" {
	script 'echo program >>/tmp/log' ".root.readonly = false | .hooks = {
		\"prestart\": [$(hook "echo pre1 >>$DIR/log"), $(hook "echo pre2 >>$DIR/log")],
		\"createRuntime\": [$(hook "echo runtime >>$DIR/log")],
		\"poststart\": [$(hook "echo post1 >>$DIR/log"), $(hook "echo post2 >>$DIR/log")],
		\"poststop\": [$(hook "echo stop1 >>$DIR/log"), $(hook "echo stop2 >>$DIR/log")]}"
	life
	[ "$(tr '\n' ' ' <"$DIR/log")" = "pre1 pre2 runtime post1 post2 stop1 stop2 " ]
	[ "$(cat "$DIR/b/rootfs/tmp/log")" = program ]
}

@test "hooks_stdin" {
	script 'sleep 1000' ".annotations = {\"org.opencontainers.runtime-tools\": \"hook stdin test\"} | .hooks = {
		\"prestart\": [$(hook "cat >$DIR/prestart")], \"poststart\": [$(hook "cat >$DIR/poststart")], \"poststop\": [$(hook "cat >$DIR/poststop")]}"
	made
	pid=$(oci state "$ID" | jq .pid)
	oci start "$ID"
	oci kill "$ID" KILL
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	for h in prestart:created poststart:running poststop:stopped; do
		[ "$(jq -r '.id + " " + .bundle + " " + .annotations["org.opencontainers.runtime-tools"] + " " + .status + " " + .ociVersion' "$DIR/${h%:*}")" = "$ID $DIR/b hook stdin test ${h#*:} 1.0.2" ] || { cat "$DIR/${h%:*}"; false; }
	done
	[ "$(jq .pid "$DIR/prestart") $(jq .pid "$DIR/poststart")" = "$pid $pid" ]
}

@test "hostname" {
	script hostname '.hostname = "hostname-specific"'
	run_it
	says hostname-specific
}

@test "kill" {
	fails_with 1 "does not exist" oci kill "$ID" TERM
	script 'trap "exit 0" TERM; while :; do sleep 0.05; done'
	made
	oci kill "$ID" KILL # created: its process ends
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	made
	oci start "$ID"
	until_ok oci exec "$ID" sh -c 'grep -q "^SigCgt:.*[^0]" /proc/1/status'
	oci kill "$ID" # TERM
	until_ok status_is "$ID" stopped
	oci delete "$ID"
}

@test "kill_no_effect" {
	made
	oci start "$ID"
	until_ok status_is "$ID" stopped
	a=$(oci state "$ID")
	fails_with 1 "not running" oci kill "$ID" KILL
	[ "$(oci state "$ID")" = "$a" ]
	oci delete "$ID"
}

@test "killsig" {
	# One shell traps them all: it is asked for one after the other.
	script 'for s in HUP INT QUIT USR1 USR2 ALRM TERM CHLD CONT TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR; do trap "echo $s >>/tmp/got" $s; done; : >/tmp/ready; while :; do sleep 0.02; done' '.root.readonly = false'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	until_ok [ -e "$DIR/b/rootfs/tmp/ready" ]
	for s in HUP INT QUIT USR1 USR2 ALRM TERM CONT URG VTALRM PROF WINCH IO PWR; do
		oci kill "$ID" $s
		until_ok grep -qx $s "$DIR/b/rootfs/tmp/got"
	done
	oci delete -f "$ID"
}

# What a limit is in the files: in_cgroup PATH CONTROLLER V1FILE V2FILE WANT
in_cgroup() {
	local f=/sys/fs/cgroup/$2$1/$3
	[ -e "$f" ] || f=/sys/fs/cgroup$1/$4
	[ -e "$f" ] || f=/sys/fs/cgroup/unified$1/$4
	[ "$(cat "$f")" = "$5" ] || { echo "$f: $(cat "$f"), wanted $5"; return 1; }
}
has() { [ -d "/sys/fs/cgroup/$1" ] || grep -qw "${2:-$1}" /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null || skip "no controller $1 here"; }
# Both forms of cgroupsPath; the relative one lies where the runtime wants it, so it is looked for.
at_path() {
	config ".linux.cgroupsPath = \"$1\" | $2"
	made
	CG=/$(awk -F: -v id="${1##*/}" '$3 ~ id {sub("^/", "", $3); print $3; exit}' "/proc/$(oci state "$ID" | jq .pid)/cgroup")
}
done_at() {
	oci delete -f "$ID"
	assert_nothing_left
}

blkio() {
	has blkio io
	dev=$(lsblk -dno MAJ:MIN 2>/dev/null | head -1 | tr -d ' ')
	[ -n "$dev" ] || skip "no block device here"
	at_path "$1" ".linux.resources.blockIO = {\"throttleReadBpsDevice\": [{\"major\": ${dev%:*}, \"minor\": ${dev#*:}, \"rate\": 102400}]}"
	if [ -e "/sys/fs/cgroup/blkio$CG/blkio.throttle.read_bps_device" ]; then
		grep -q "^$dev 102400" "/sys/fs/cgroup/blkio$CG/blkio.throttle.read_bps_device"
	else
		grep -q "^$dev.*rbps=102400" "/sys/fs/cgroup$CG/io.max"
	fi
	done_at
}
@test "linux_cgroups_blkio" { blkio "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_blkio" { blkio "$ID-rel"; }

cpus() {
	has cpu
	at_path "$1" '.linux.resources.cpu = {"shares": 1024, "quota": 100000, "period": 50000}'
	in_cgroup "$CG" cpu cpu.cfs_quota_us cpu.max 100000 || in_cgroup "$CG" cpu - cpu.max "100000 50000"
	in_cgroup "$CG" cpu cpu.shares cpu.weight 1024 || in_cgroup "$CG" cpu - cpu.weight 100
	done_at
	at_path "$1" '.linux.resources.cpu = {"cpus": "0", "mems": "0"}'
	[ ! -d /sys/fs/cgroup/cpuset ] || in_cgroup "$CG" cpuset cpuset.cpus cpuset.cpus 0
	done_at
}
@test "linux_cgroups_cpus" { cpus "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_cpus" { cpus "$ID-rel"; }

devices() {
	# Nodes without a driver: what is allowed finds none, what is not is refused before.
	script 'cat /dev/mine /dev/other 2>&1; true' \
		".linux.cgroupsPath = \"$1\" | .linux.devices = [{\"path\": \"/dev/mine\", \"type\": \"c\", \"major\": 243, \"minor\": 1}, {\"path\": \"/dev/other\", \"type\": \"c\", \"major\": 243, \"minor\": 2}] | .linux.resources.devices += [{\"allow\": true, \"type\": \"c\", \"major\": 243, \"minor\": 1, \"access\": \"rwm\"}, {\"allow\": true, \"type\": \"b\", \"major\": 8, \"minor\": 20, \"access\": \"rm\"}]"
	run_it
	prints "/dev/mine': No such device"
	prints "/dev/other': Operation not permitted"
	assert_nothing_left
}
@test "linux_cgroups_devices" { devices "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_devices" { devices "$ID-rel"; }

hugetlb() {
	has hugetlb
	[ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MB here"
	at_path "$1" '.linux.resources.hugepageLimits = [{"pageSize": "2MB", "limit": 4194304}]'
	in_cgroup "$CG" hugetlb hugetlb.2MB.limit_in_bytes hugetlb.2MB.max 4194304
	done_at
	config ".linux.cgroupsPath = \"$1\" | .linux.resources.hugepageLimits = [{\"pageSize\": \"3MB\", \"limit\": 1}]"
	fails_with 1 "hugepageLimits" oci create -b "$DIR/b" "$ID"
	assert_nothing_left
}
@test "linux_cgroups_hugetlb" { hugetlb "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_hugetlb" { hugetlb "$ID-rel"; }

memory() {
	has memory
	at_path "$1" '.linux.resources.memory = {"limit": 52428800, "reservation": 41943040}'
	in_cgroup "$CG" memory memory.limit_in_bytes memory.max 52428800
	in_cgroup "$CG" memory memory.soft_limit_in_bytes memory.low 41943040
	done_at
}
@test "linux_cgroups_memory" { memory "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_memory" { memory "$ID-rel"; }

# spec: config-linux.md#network: it is for v1's net_cls and net_prio; where they are missing it must be told.
network() {
	if [ ! -d /sys/fs/cgroup/net_cls ]; then
		config ".linux.cgroupsPath = \"$1\" | .linux.resources.network = {\"classID\": 123456}"
		fails_with 1 "linux.resources.network" oci create -b "$DIR/b" "$ID"
		assert_nothing_left
		return 0
	fi
	at_path "$1" '.linux.resources.network = {"classID": 123456, "priorities": [{"name": "lo", "priority": 10}]}'
	in_cgroup "$CG" net_cls net_cls.classid - 123456
	done_at
}
@test "linux_cgroups_network" { network "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_network" { network "$ID-rel"; }

pids() {
	has pids
	at_path "$1" '.linux.resources.pids = {"limit": 1000}'
	in_cgroup "$CG" pids pids.max pids.max 1000
	done_at
}
@test "linux_cgroups_pids" { pids "/$ID/cgrouptest"; }
@test "linux_cgroups_relative_pids" { pids "$ID-rel"; }

@test "linux_devices" {
	script 'stat -c "%F %t:%T %a %u:%g" /dev/test1 /dev/test2; stat -c "%F %a" /dev/test3' \
		'.linux.devices = [{"path": "/dev/test1", "type": "c", "major": 10, "minor": 666, "fileMode": 432, "uid": 0, "gid": 0}, {"path": "/dev/test2", "type": "b", "major": 8, "minor": 666, "fileMode": 432, "uid": 0, "gid": 0}, {"path": "/dev/test3", "type": "p", "major": 8, "minor": 666, "fileMode": 432}]'
	run_it
	says "character special file a:29a 660 0:0
block special file 8:29a 660 0:0
fifo 660"
}

@test "linux_masked_paths" {
	mkdir -p "$DIR/b/rootfs/masked-dir/masked-subdir"
	for f in masked-file masked-dir/masked-file masked-dir/masked-subdir/masked-file; do echo secrets >"$DIR/b/rootfs/$f"; done
	mknod "$DIR/b/rootfs/masked-device" c 1 5
	mkfifo "$DIR/b/rootfs/masked-fifo"
	script 'cat /masked-file; ls /masked-dir; cat /masked-device /masked-fifo | wc -c' '.linux.maskedPaths = ["/masked-dir", "/masked-file", "/masked-dir/masked-subdir", "/masked-dir/masked-file", "/masked-dir/masked-subdir/masked-file", "/masked-device", "/masked-fifo"]'
	run_it
	says 0
	config '.linux.maskedPaths = ["masked-relpath"]'
	fails_with 1 "maskedPaths" oci create -b "$DIR/b" "$ID"
	# spec: nothing is said of links that lead nowhere, where the program wants an error; there is nothing to hide.
	ln -s ../masked-symlink "$DIR/b/rootfs/masked-symlink"
	config '.linux.maskedPaths = ["/masked-symlink"]'
	run oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "linux_mount_label" {
	if [ ! -e /sys/fs/selinux/enforce ]; then
		config '.linux.mountLabel = "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811"'
		fails_with 1 "linux.mountLabel" oci create -b "$DIR/b" "$ID"
		return 0
	fi
	script 'grep -c context= /proc/self/mountinfo' '.linux.mountLabel = "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811"'
	run_it
}

@test "linux_ns_itype" {
	# spec: a type that is not listed is inherited. Without a mount namespace that must not change the host's mounts,
	# so the config's own are left out here: with them it is refused.
	config '.linux.namespaces = [] | del(.hostname)'
	fails_with 1 "without a mount namespace" oci create -b "$DIR/b" "$ID"
	script 'sleep 1000' '.linux = {"namespaces": []} | .mounts = [] | .root.readonly = false | del(.hostname)'
	made
	oci start "$ID"
	p=$(oci state "$ID" | jq .pid)
	for ns in cgroup ipc mnt net pid user uts; do
		[ "$(readlink "/proc/$p/ns/$ns")" = "$(readlink "/proc/self/ns/$ns")" ] || { echo "$ns"; false; }
	done
	[ "$(readlink "/proc/$p/root")" = "$DIR/b/rootfs" ]
	[ "$(oci exec "$ID" cat /etc/passwd | head -c 4)" = root ] # in its root too
	run oci exec "$ID" sh -c 'ls -d /dev/null /work 2>/dev/null; true'
	says /dev/null
	oci delete -f "$ID"
	assert_nothing_left
}

@test "linux_ns_nopath" {
	chmod 755 "$DIR" "$DIR/b" "$DIR/b/rootfs"
	script 'sleep 1000' '.linux.namespaces += [{"type": "cgroup"}, {"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1000}] | .linux.gidMappings = [{"containerID": 0, "hostID": 1000, "size": 1000}]'
	made
	p=$(oci state "$ID" | jq .pid)
	for ns in cgroup ipc mnt net pid user uts; do
		[ "$(readlink "/proc/$p/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ] || { echo "$ns"; false; }
	done
	oci delete -f "$ID"
	assert_nothing_left
}

@test "linux_ns_path" {
	for ns in ipc:ipc net:network uts:uts pid:pid cgroup:cgroup mnt:mount; do
		flags=--${ns%:*}
		[ "$flags" != --mnt ] || flags=--mount
		[ "$flags" != --pid ] || flags="--pid --mount --fork"
		unshare $flags sleep 1000 &
		outer=$!
		target() { [ "$flags" = "--pid --mount --fork" ] && pgrep -P $outer || echo $outer; }
		until_ok bash -c "p=\$([ '$flags' = '--pid --mount --fork' ] && pgrep -P $outer || echo $outer); [ -n \"\$p\" ] && [ \"\$(readlink /proc/\$p/ns/${ns%:*})\" != \"\$(readlink /proc/self/ns/${ns%:*})\" ]"
		t=$(target)
		config "(.linux.namespaces |= map(select(.type != \"${ns#*:}\"))) | .linux.namespaces += [{\"type\": \"${ns#*:}\", \"path\": \"/proc/$t/ns/${ns%:*}\"}] | .process.args = [\"sleep\", \"1000\"]"
		made || { oci create -b "$DIR/b" "$ID"; false; }
		p=$(oci state "$ID" | jq .pid)
		[ "$(readlink "/proc/$p/ns/${ns%:*}")" = "$(readlink "/proc/$t/ns/${ns%:*}")" ] || { echo "$ns"; false; }
		oci delete -f "$ID"
		kill -KILL "$t" 2>/dev/null || true
		wait $outer 2>/dev/null || true
	done
	assert_nothing_left
}

@test "linux_ns_path_type" {
	for c in cgroup:cgroup:ipc ipc:ipc:mnt mount:mnt:net network:net:pid pid:pid:user user:user:uts uts:uts:cgroup; do
		IFS=: read -r type own wrong <<<"$c"
		config "(.linux.namespaces |= map(select(.type != \"$type\"))) | .linux.namespaces += [{\"type\": \"$type\", \"path\": \"/proc/self/ns/$wrong\"}]"
		fails_with 1 "linux.namespaces: $type" oci create -b "$DIR/b" "$ID"
	done
	assert_nothing_left
}

@test "linux_process_apparmor_profile" {
	if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ]; then
		config '.process.apparmorProfile = "acme_secure_profile"'
		fails_with 1 "process.apparmorProfile 'acme_secure_profile'" oci create -b "$DIR/b" "$ID"
		return 0
	fi
	script 'cat /proc/self/attr/current' '.process.apparmorProfile = "unconfined"'
	run_it
	prints unconfined
}

@test "linux_readonly_paths" {
	mkdir -p "$DIR/b/rootfs/readonly-dir/sub"
	for f in readonly-file readonly-dir/file readonly-dir/sub/file; do echo immutable >"$DIR/b/rootfs/$f"; done
	mkfifo "$DIR/b/rootfs/readonly-fifo"
	script 'for f in /readonly-file /readonly-dir/file /readonly-dir/sub/file; do cat $f; (echo x >$f) 2>/dev/null && echo written; done; (: >/readonly-dir/new) 2>/dev/null && echo made; true' '.root.readonly = false | .linux.readonlyPaths = ["/readonly-dir", "/readonly-file", "/readonly-dir/sub", "/readonly-dir/sub/file", "/readonly-fifo", "/nonexistent"]'
	run_it
	says "immutable
immutable
immutable"
	config '.linux.readonlyPaths = ["readonly-relpath"]'
	fails_with 1 "readonlyPaths" oci create -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "linux_rootfs_propagation" {
	for p in shared slave private unbindable; do
		script 'grep -E "^[0-9]+ [0-9]+ [0-9:]+ [^ ]+ / " /proc/self/mountinfo' ".linux.rootfsPropagation = \"$p\""
		run_it
		case $p in
		shared) prints shared: ;;
		unbindable) prints unbindable ;;
		*) [[ "$output" != *shared:* && "$output" != *unbindable* ]] || { echo "$output"; false; } ;;
		esac
	done
	assert_nothing_left
}

@test "linux_seccomp" {
	script 'mkdir /tmp/x 2>&1; true' '.root.readonly = false | .linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["getcwd"], "action": "SCMP_ACT_ERRNO"}, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}'
	run_it
	prints "Operation not permitted"
}

@test "linux_sysctl" {
	script 'cat /proc/sys/net/ipv4/ip_forward' '.linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	run_it
	says 1
}

@test "linux_uid_mappings" {
	chmod 755 "$DIR" "$DIR/b" "$DIR/b/rootfs"
	script 'tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map; id -u' '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"hostID": 1000, "containerID": 0, "size": 2000}] | .linux.gidMappings = [{"hostID": 1000, "containerID": 0, "size": 3000}]'
	run_it
	says " 0 1000 2000
 0 1000 3000
0"
}

@test "misc_props" {
	config ".annotations = {\"org.$ID\": \"\"}"
	life
	config '.unknown = "unknown"'
	life
	config '.ociVersion = "invalid"'
	fails_with 1 "ociVersion" oci create -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "mounts" {
	mkdir "$DIR/b/rootfs/file-bind" "$DIR/src"
	echo bound >"$DIR/src/f"
	script 'awk "{print \$5, \$6, \$9}" /proc/self/mountinfo 2>/dev/null || cut -d" " -f5,6,9 /proc/self/mountinfo' ".mounts += [{\"destination\": \"/tmp\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"ro\", \"noexec\", \"size=64k\"]}, {\"destination\": \"/file-bind\", \"source\": \"$DIR/src\", \"options\": [\"rbind\", \"nosuid\"]}]"
	run_it
	[[ "$output" == *"/tmp ro,noexec"* ]]
	[[ "$output" == *"/file-bind rw,nosuid"* ]]
	order=$(grep -nE '^/(proc|dev|sys|tmp|file-bind) ' <<<"$output" | cut -d' ' -f1 | cut -d: -f2 | uniq | tr '\n' ' ')
	[ "$order" = "/proc /dev /sys /tmp /file-bind " ] || { echo "$order"; false; }
}

@test "pidfile" {
	script 'sleep 1000'
	made --pid-file "$DIR/pid"
	[ "$(cat "$DIR/pid")" = "$(oci state "$ID" | jq .pid)" ]
	oci delete -f "$ID"
}

@test "poststart" {
	script 'sleep 1000' ".hooks = {\"poststart\": [$(hook "echo called >>$DIR/log")]}"
	made
	[ ! -e "$DIR/log" ]
	oci start "$ID"
	[ "$(cat "$DIR/log")" = called ] # before start returns
	oci delete -f "$ID"
}

@test "poststart_fail" {
	# spec: 1.3.0 lifecycle 9 wants an error and the container's end, where the program wants a warning (as 1.0 to 1.2 did).
	script 'sleep 1000' ".hooks = {\"poststart\": [$(hook "exit 3"), $(hook "echo second >>$DIR/log")]}"
	made
	fails_with 1 "poststart hook 0" oci start "$ID"
	until_ok status_is "$ID" stopped
	[ ! -e "$DIR/log" ]
	oci delete "$ID"
	assert_nothing_left
}

@test "poststop" {
	config ".hooks = {\"poststop\": [$(hook "echo called >>$DIR/log")]}"
	made
	oci start "$ID"
	until_ok status_is "$ID" stopped
	[ ! -e "$DIR/log" ]
	oci delete "$ID"
	[ "$(cat "$DIR/log")" = called ]
}

@test "poststop_fail" {
	config ".hooks = {\"poststop\": [$(hook "exit 3"), $(hook "echo 'post-stop called' >>$DIR/log")]}"
	made
	oci start "$ID"
	until_ok status_is "$ID" stopped
	run oci delete "$ID"
	[ "$status" -eq 0 ]
	prints "warning: poststop hook 0"
	[ "$(cat "$DIR/log")" = "post-stop called" ] # the rest runs
	assert_nothing_left
}

@test "prestart" {
	config ".hooks = {\"prestart\": [$(hook "echo called >>$DIR/log")]}"
	made
	[ "$(cat "$DIR/log")" = called ]
	oci delete -f "$ID"
}

@test "prestart_fail" {
	script 'touch /tmp/output' ".root.readonly = false | .hooks = {\"prestart\": [$(hook "exit 3")]}"
	fails_with 1 "prestart hook 0" oci run -b "$DIR/b" "$ID"
	[ ! -e "$DIR/b/rootfs/tmp/output" ]
	fails_with 1 "does not exist" oci state "$ID"
	assert_nothing_left
}

@test "process" {
	mkdir -m 700 "$DIR/b/rootfs/test"
	script 'pwd; echo $testa $testb' '.process.cwd = "/test" | .process.env += ["testa=valuea", "testb=123"]'
	run_it
	says "/test
valuea 123"
}

@test "process_capabilities" {
	script 'grep ^Cap /proc/self/status | tr "\t\n" " "' '.process.capabilities |= (.ambient = [] | .inheritable = [] | .bounding += ["CAP_NET_ADMIN"] | .permitted += ["CAP_NET_ADMIN"] | .effective += ["CAP_NET_ADMIN"])'
	run_it
	prints "CapPrm: 0000000020001420 CapEff: 0000000020001420 CapBnd: 0000000020001420 CapAmb: 0000000000000000"
}

@test "process_capabilities_fail" {
	# spec: config.md#linux-process: what cannot be granted SHOULD be warned about, where the program wants an error.
	config '.process.capabilities.bounding += ["CAP_TEST"] | .process.capabilities.permitted += ["CAP_TEST"]'
	run_it
	prints "warning: capability CAP_TEST"
}

@test "process_oom_score_adj" {
	script 'cat /proc/self/oom_score_adj' '.process.oomScoreAdj = 500'
	run_it
	says 500
}

@test "process_rlimits" {
	script 'grep -E "cpu time|file size|data size|stack size|core file|open files|address space" /proc/self/limits' '.process.rlimits = [{"type":"RLIMIT_AS","soft":1073741824,"hard":1073741824},{"type":"RLIMIT_CORE","soft":1048576,"hard":1048576},{"type":"RLIMIT_CPU","soft":120,"hard":120},{"type":"RLIMIT_DATA","soft":536870912,"hard":536870912},{"type":"RLIMIT_FSIZE","soft":1073741824,"hard":1073741824},{"type":"RLIMIT_NOFILE","soft":512,"hard":512},{"type":"RLIMIT_STACK","soft":1048576,"hard":1048576}]'
	run_it
	for l in "Max cpu time:120:120" "Max file size:1073741824:1073741824" "Max data size:536870912:536870912" "Max stack size:1048576:1048576" "Max core file size:1048576:1048576" "Max open files:512:512" "Max address space:1073741824:1073741824"; do
		IFS=: read -r name soft hard <<<"$l"
		grep -qE "^$name +$soft +$hard " <<<"$output" || { echo "$l: $output"; false; }
	done
}

@test "process_rlimits_fail" {
	config '.process.rlimits = [{"type":"RLIMIT_TEST","soft":1,"hard":1}]'
	fails_with 1 "rlimits[0].type" oci create -b "$DIR/b" "$ID"
	# spec: config.md#posix-process: entries with the same type must be an error
	config '.process.rlimits = [{"type":"RLIMIT_CORE","soft":1,"hard":1},{"type":"RLIMIT_CORE","soft":2,"hard":2}]'
	fails_with 1 "rlimits[1]" oci create -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "process_user" {
	script 'id -u; id -g; id -G; umask' '.process.user = {"uid": 10, "gid": 10, "additionalGids": [5], "umask": 2}'
	run_it
	says "10
10
10 5
0002"
}

@test "root_readonly_true" {
	script 'touch /tmp/x 2>&1; true' '.root.readonly = true'
	run_it
	prints "Read-only file system"
}

@test "start" {
	fails_with 1 "does not exist" oci start "$ID"
	fails_with 1 "" oci start
	script 'echo ran >>/tmp/ran; sleep 1000' '.root.readonly = false'
	made
	[ ! -e "$DIR/b/rootfs/tmp/ran" ] # create does not run the program
	oci start "$ID"
	until_ok [ -e "$DIR/b/rootfs/tmp/ran" ]
	fails_with 1 "already running" oci start "$ID"
	status_is "$ID" running
	oci kill "$ID" KILL
	until_ok status_is "$ID" stopped
	fails_with 1 "has stopped" oci start "$ID"
	oci delete "$ID"
	config 'del(.process)' # can be created, not started
	made
	fails_with 1 "no process" oci start "$ID"
	status_is "$ID" created
	oci delete -f "$ID"
	assert_nothing_left
}

@test "state" {
	fails_with 1 "" oci state
	fails_with 1 "does not exist" oci state "$ID"
	script 'sleep 1000' '.annotations = {"a": "b"}'
	made
	s=$(oci state "$ID")
	[ "$(jq -r '.ociVersion + .id + .status + .bundle + .annotations.a' <<<"$s")" = "1.0.2${ID}created${DIR}/bb" ]
	[ -d "/proc/$(jq .pid <<<"$s")" ]
	oci delete -f "$ID"
}
