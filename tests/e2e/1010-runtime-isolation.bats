#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a container sees and may do: namespaces, mounts, devices, rights, limits.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

run_it() { run oci run -b "$DIR/b" "$ID"; [ "$status" -eq 0 ] || { echo "$output"; return 1; }; }

@test "new namespaces: each differs from ours" {
	script 'for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done' '.linux.namespaces += [{"type":"cgroup"}]'
	run_it
	for n in pid net ipc uts mnt cgroup; do
		[[ "$output" != *"$(readlink /proc/self/ns/$n)"* ]]
	done
}

@test "a namespace that is not listed is ours; host name and loopback" {
	script 'readlink /proc/self/ns/ipc; hostname; ip addr show lo' '.linux.namespaces |= map(select(.type != "ipc")) | .mounts |= map(select(.type != "mqueue"))'
	run_it
	prints "$(readlink /proc/self/ns/ipc)"
	prints box
	prints "LOOPBACK,UP"
	prints 127.0.0.1
}

@test "namespaces joined by path, of the right kind only" {
	script 'sleep 1000'
	oci run -d --pid-file "$DIR/pid" -b "$DIR/b" "$ID" >/dev/null 2>&1
	p=$(cat "$DIR/pid")
	script 'for n in net ipc uts pid; do readlink /proc/self/ns/$n; done; echo pid $$' ".linux.namespaces = [{type:\"mount\"}] + [[\"network\",\"net\"],[\"ipc\",\"ipc\"],[\"uts\",\"uts\"],[\"pid\",\"pid\"]] [:4] | .linux.namespaces |= [{\"type\":\"mount\"},{\"type\":\"network\",\"path\":\"/proc/$p/ns/net\"},{\"type\":\"ipc\",\"path\":\"/proc/$p/ns/ipc\"},{\"type\":\"uts\",\"path\":\"/proc/$p/ns/uts\"},{\"type\":\"pid\",\"path\":\"/proc/$p/ns/pid\"}]"
	run oci run -b "$DIR/b" "$ID-2"
	[ "$status" -eq 0 ]
	for n in net ipc uts pid; do prints "$(readlink "/proc/$p/ns/$n")"; done
	config ".linux.namespaces |= map(if .type == \"network\" then .path = \"/proc/$p/ns/ipc\" else . end)"
	fails_with 1 "namespace" oci run -b "$DIR/b" "$ID-3"
	config '.linux.namespaces |= map(if .type == "network" then .path = "/nonexistent" else . end)'
	fails_with 1 "/nonexistent" oci run -b "$DIR/b" "$ID-3"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "user namespace with maps: root inside is nobody special outside" {
	chown 100000:100000 "$DIR/b/rootfs" "$DIR/b/rootfs/tmp"
	chmod 755 "$DIR" "$DIR/b"
	script 'id -u; cat /proc/self/uid_map; touch /tmp/made; ls -ln /dev/null | cut -c1-10; grep CapEff /proc/self/status; ! echo x >/proc/sys/kernel/domainname' \
		'.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings | .root.readonly = false'
	run_it
	[ "${lines[0]}" = 0 ]
	prints "100000"
	prints "crw-rw-rw-"
	[ "$(stat -c %u "$DIR/b/rootfs/tmp/made")" = 100000 ]
	assert_nothing_left
}

@test "exec into a user namespace, and a second container that joins it" {
	chown -R 100000:100000 "$DIR/b/rootfs/tmp"
	chmod 755 "$DIR" "$DIR/b"
	script 'sleep 1000' '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
	oci run -d --pid-file "$DIR/pid" -b "$DIR/b" "$ID" >/dev/null 2>&1
	p=$(cat "$DIR/pid")
	[ "$(oci exec "$ID" sh -c 'id -u; readlink /proc/self/ns/user' | tr '\n' ' ')" = "0 $(readlink "/proc/$p/ns/user") " ]
	[ "$(oci exec -u 5:6 "$ID" sh -c 'id -u; id -g' | tr '\n' ' ')" = "5 6 " ]
	script 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u' ".linux.namespaces = [{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"user\",\"path\":\"/proc/$p/ns/user\"},{\"type\":\"network\",\"path\":\"/proc/$p/ns/net\"},{\"type\":\"ipc\",\"path\":\"/proc/$p/ns/ipc\"}] | .mounts |= map(select(.type != \"sysfs\" and .type != \"cgroup\"))"
	run oci run -b "$DIR/b" "$ID-2"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	prints "$(readlink "/proc/$p/ns/user")"
	prints "$(readlink "/proc/$p/ns/net")"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "time namespace with offsets" {
	[ -e /proc/self/ns/time ] || skip "no time namespaces in this kernel"
	script 'cut -d. -f1 /proc/uptime; cat /proc/self/timens_offsets' '.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"boottime": {"secs": 1000000}, "monotonic": {"secs": 5, "nanosecs": 7}}'
	run_it
	[ "${lines[0]}" -gt 1000000 ]
	prints "1000000"
}

@test "the root is read-only or writable as asked" {
	script 'touch /tmp/x && echo written || echo refused'
	run_it
	prints refused
	script 'touch /tmp/x && echo written || echo refused' '.root.readonly = false'
	run_it
	prints written
	[ -e "$DIR/b/rootfs/tmp/x" ]
}

@test "masked paths show nothing, read-only paths refuse" {
	script 'wc -c </proc/keys; ls /sys/firmware | wc -l; echo 1 >/proc/sys/kernel/domainname 2>/dev/null || echo refused; ls /proc/acpi 2>/dev/null | wc -l' '.linux.maskedPaths += ["/nonexistent"]'
	run_it
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 0 ]
	prints refused
}

@test "bind mounts: file, directory, read-only, relative source, missing targets made" {
	mkdir "$DIR/src"
	echo one >"$DIR/src/file"
	echo two >"$DIR/b/rel"
	script 'cat /m/file /deep/er/file /rel; touch /m/no 2>/dev/null || echo ro; touch /w/yes && echo rw' \
		".root.readonly = false | .mounts += [{\"destination\":\"/m\",\"source\":\"$DIR/src\",\"options\":[\"rbind\",\"ro\"]},{\"destination\":\"/deep/er/file\",\"source\":\"$DIR/src/file\",\"type\":\"bind\",\"options\":[\"bind\"]},{\"destination\":\"/rel\",\"source\":\"rel\",\"options\":[\"bind\"]},{\"destination\":\"/w\",\"source\":\"$DIR/src\",\"options\":[\"bind\",\"rprivate\"]}]"
	run_it
	[ "$output" = "one
one
two
ro
rw" ] || { echo "$output"; false; }
	config '.mounts += [{"destination":"/m","source":"/nonexistent/dir","options":["bind"]}]'
	fails_with 1 "/nonexistent/dir" oci run -b "$DIR/b" "$ID"
	config '.mounts += [{"destination":"/m","type":"nosuchfs","source":"x"}]'
	fails_with 1 "mount nosuchfs on '/m'" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "CVE-2019-18837: a link in the image cannot lead a mount out of the root" {
	mkdir "$DIR/outside"
	ln -s "$DIR/outside" "$DIR/b/rootfs/trap"
	ln -s / "$DIR/b/rootfs/toroot"
	mkdir "$DIR/src"; echo secret >"$DIR/src/f"
	# What it leads to is not there inside: refused. Where it is, it is the root's own.
	config ".root.readonly = false | .mounts += [{\"destination\":\"/trap/sub\",\"source\":\"$DIR/src\",\"options\":[\"bind\"]}]"
	fails_with 1 "mount target" oci run -b "$DIR/b" "$ID"
	[ -z "$(ls -A "$DIR/outside")" ]
	script "cat /toroot/s2/f /s2/f" ".root.readonly = false | .mounts += [{\"destination\":\"/toroot/s2\",\"source\":\"$DIR/src\",\"options\":[\"bind\"]}]"
	[ "$(oci run -b "$DIR/b" "$ID")" = $'secret\nsecret' ]
	[ ! -e /s2 ]
}

@test "mount options: noexec, nosuid, size, recursive read-only, propagation" {
	mkdir "$DIR/src"
	script 'grep " /t " /proc/self/mountinfo; grep " /r " /proc/self/mountinfo; grep " /s " /proc/self/mountinfo' \
		".root.readonly = false | .mounts += [{\"destination\":\"/t\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"noexec\",\"nosuid\",\"noatime\",\"size=1m\",\"mode=700\"]},{\"destination\":\"/r\",\"source\":\"$DIR/src\",\"options\":[\"rbind\",\"rro\",\"rnodev\"]},{\"destination\":\"/s\",\"source\":\"$DIR/src\",\"options\":[\"bind\",\"rshared\"]}]"
	run_it
	[[ "${lines[0]}" == *noexec* && "${lines[0]}" == *nosuid* && "${lines[0]}" == *noatime* && "${lines[0]}" == *size=1024k* ]]
	[[ "${lines[1]}" == *ro,nodev* ]]
	[[ "${lines[2]}" == *shared:* ]] || { echo "$output"; false; }
	[ "$(stat -c %a "$DIR/b/rootfs/t")" = 755 ]
}

@test "tmpfs keeps the directory's mode; tmpcopyup copies" {
	mkdir "$DIR/b/rootfs/data"; echo kept >"$DIR/b/rootfs/data/f"
	script 'stat -c %a /tmp; cat /data/f; touch /data/new && echo rw' '.mounts += [{"destination":"/tmp","type":"tmpfs","source":"tmpfs"},{"destination":"/data","type":"tmpfs","source":"tmpfs","options":["tmpcopyup"]}]'
	run_it
	[ "$output" = "1777
kept
rw" ]
	[ ! -e "$DIR/b/rootfs/data/new" ]
}

@test "id-mapped bind" {
	mkdir "$DIR/src"; touch "$DIR/src/f"; chown 0:0 "$DIR/src/f"
	script 'stat -c %u:%g /m/f' ".mounts += [{\"destination\":\"/tmp\",\"type\":\"tmpfs\",\"source\":\"t\"}] | .mounts += [{\"destination\":\"/tmp/m\",\"source\":\"$DIR/src\",\"options\":[\"bind\"],\"uidMappings\":[{\"containerID\":0,\"hostID\":500,\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":600,\"size\":10}]}] | .process.args[2] = \"stat -c %u:%g /tmp/m/f\""
	run_it
	[ "$output" = 500:600 ]
}

@test "default devices, links and a device of one's own; foreign ones are denied" {
	script 'for d in null zero full random urandom tty; do stat -c "%t:%T:%a" /dev/$d; done; readlink /dev/fd; readlink /dev/stdin; readlink /dev/ptmx; stat -c "%F %t:%T %a %u:%g" /dev/mine; dd if=/dev/zero of=/dev/null bs=1 count=1 2>/dev/null && echo works; cat /dev/mine 2>&1' \
		'.linux.devices = [{"path":"/dev/mine","type":"c","major":10,"minor":200,"fileMode":438,"uid":3,"gid":4}]'
	run oci run -b "$DIR/b" "$ID"
	prints "1:3:666
1:5:666
1:7:666
1:8:666
1:9:666
5:0:666
/proc/self/fd
/proc/self/fd/0
pts/ptmx
character special file a:c8 666 3:4
works"
	prints "Operation not permitted"
	echo x >"$DIR/b/rootfs/dir"
	config '.root.readonly = false | .linux.devices = [{"path":"/dir","type":"c","major":1,"minor":3}]'
	fails_with 1 "device '/dir'" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "capabilities: exactly the sets asked for; unknown ones only warned about" {
	script 'grep Cap /proc/self/status' '.process.capabilities = {"bounding":["CAP_CHOWN","CAP_KILL"],"permitted":["CAP_CHOWN","CAP_KILL"],"effective":["CAP_KILL"],"inheritable":["CAP_CHOWN"],"ambient":["CAP_CHOWN"]}'
	run_it
	prints "CapInh:	0000000000000001"
	prints "CapPrm:	0000000000000021"
	prints "CapBnd:	0000000000000021"
	prints "CapAmb:	0000000000000001"
	script 'grep CapPrm /proc/self/status' '.process.capabilities.permitted += ["CAP_FROM_THE_FUTURE"]'
	run_it
	prints "warning: capability CAP_FROM_THE_FUTURE"
	script 'grep -E "Cap(Eff|Bnd)" /proc/self/status' '.process.user = {"uid":1000,"gid":1000} | del(.process.capabilities)'
	run_it
	prints "CapEff:	0000000000000000"
	prints "CapBnd:	0000000000000000"
	script 'grep CapEff /proc/self/status' '.process.user.uid = 1000 | .process.capabilities.inheritable = ["CAP_KILL"] | .process.capabilities.ambient = ["CAP_KILL"]'
	run_it
	prints "CapEff:	0000000000000020"
}

@test "user, groups, umask, HOME, cwd that is made, stdio that a user may open" {
	script 'id -u; id -g; id -G; umask; echo $HOME; pwd; echo via >/dev/stdout' '.root.readonly = false | .process.cwd = "/made/here" | .process.user = {"uid":1000,"gid":1001,"umask":23,"additionalGids":[5,6]}'
	run_it
	[ "$output" = "1000
1001
1001 5 6
0027
/home/user
/made/here
via" ] || { echo "$output"; false; }
}

@test "noNewPrivileges, oom score, rlimits, nice and io priority" {
	script 'grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn; ulimit -c; cut -d" " -f19 /proc/self/stat; ionice' \
		'.process.oomScoreAdj = 500 | .process.rlimits = [{"type":"RLIMIT_NOFILE","soft":100,"hard":200},{"type":"RLIMIT_CORE","soft":0,"hard":0}] | .process.scheduler = {"policy":"SCHED_OTHER","nice":7} | .process.ioPriority = {"class":"IOPRIO_CLASS_BE","priority":6}'
	run_it
	[ "$output" = "NoNewPrivs:	1
500
100
200
0
7
best-effort: prio 6" ] || { echo "$output"; false; }
	script 'grep NoNewPrivs /proc/self/status' '.process.noNewPrivileges = false'
	run_it
	prints "NoNewPrivs:	0"
}

@test "a limit that cannot rise is clamped with a warning" {
	hard=$(ulimit -Hn)
	[ "$hard" != unlimited ] && [ "$hard" -lt 1000000 ] || skip "the hard limit is high here"
	capsh --has-p=cap_sys_resource 2>/dev/null && skip "has CAP_SYS_RESOURCE"
	script 'ulimit -n' '.process.rlimits = [{"type":"RLIMIT_NOFILE","soft":1048576,"hard":1048576}]'
	run_it
	prints "clamped to $hard"
	[[ " ${lines[*]} " == *" $hard "* ]]
}

@test "seccomp: refused calls give their errno, and it is on with and without noNewPrivileges" {
	for nnp in true false; do
		script 'mkdir /tmp/d 2>&1; grep Seccomp: /proc/self/status; true' ".root.readonly = false | .process.noNewPrivileges = $nnp | .linux.seccomp = {\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\",\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":28}]}"
		run_it
		prints "No space left on device"
		prints "Seccomp:	2"
	done
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 || true
	oci delete -f "$ID"
	script 'sleep 1000' '.root.readonly = false | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	run oci exec "$ID" mkdir /tmp/e
	prints "not permitted"
	oci delete -f "$ID"
	config '.linux.seccomp = {"defaultAction":"SCMP_ACT_NOPE"}'
	fails_with 1 "SCMP_ACT_NOPE" oci run -b "$DIR/b" "$ID"
}

@test "memory limit: the kernel kills what exceeds it" {
	script 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max; dd if=/dev/zero of=/dev/null bs=64M count=1; echo rc $?' '.linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
	run oci run -b "$DIR/b" "$ID"
	prints 16777216
	[[ "$output" == *"rc 137"* || "$status" -eq 137 ]] || { echo "$status $output"; false; }
	assert_nothing_left
}

@test "pids limit: no more processes than allowed" {
	script 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max; for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo here' '.linux.resources.pids = {"limit": 4}'
	run oci run -b "$DIR/b" "$ID"
	prints 4
	[[ "$output" == *"can't fork"* || "$output" == *"Resource temporarily"* ]] || { echo "$output"; false; }
	assert_nothing_left
}

@test "cpu limits are in the files; an impossible one names its field" {
	script 'cat /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/cpu.max' '.linux.resources.cpu = {"shares": 512, "quota": 50000, "period": 100000}'
	run_it
	prints 50000
	config '.linux.resources.cpu = {"cpus": "4096"}'
	fails_with 1 "linux.resources.cpu.cpus" oci run -b "$DIR/b" "$ID"
	config '.linux.cgroupsPath = "/../escape"'
	fails_with 1 "cgroup" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "a container without a cgroup mount or namespace is in its cgroup too" {
	script 'cat /proc/self/cgroup' '.mounts |= map(select(.type != "cgroup"))'
	run_it
	[ "$(grep -c "/$ID" <<<"$output")" -gt 5 ]
}

@test "limited controllers by the engine's annotation" {
	script 'cat /proc/self/cgroup' '.annotations = {"io.teu.cgroup.controllers": "limited"} | .linux.resources.memory = {"limit": 67108864}'
	run_it
	[ "$(grep -c "$ID" <<<"$output")" -le 4 ]
	prints "memory:/$ID"
	prints "pids:/$ID"
	assert_nothing_left
}

@test "overlay root by annotation: seen by the container alone, gone with it" {
	mkdir "$DIR/up" "$DIR/work" "$DIR/low2" "$DIR/b/empty"
	echo two >"$DIR/low2/second"
	script 'cat /second; echo new >/made; cat /made' ".root = {\"path\":\"empty\"} | .annotations = {\"io.teu.rootfs.lower\":\"$DIR/low2:$DIR/b/rootfs\",\"io.teu.rootfs.upper\":\"$DIR/up\",\"io.teu.rootfs.work\":\"$DIR/work\",\"io.teu.rootfs.volatile\":\"true\"}"
	run_it
	[ "$output" = "two
new" ]
	[ "$(cat "$DIR/up/made")" = new ]
	[ -z "$(ls -A "$DIR/b/empty")" ]
	config '.annotations = {"io.teu.rootfs.lower":"/nonexistent/l"}'
	fails_with 1 "/nonexistent/l" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "sysctls of own namespaces, refused for the host's" {
	script 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni' '.linux.sysctl = {"net.ipv4.ip_forward":"1","kernel.shmmni":"777"}'
	run_it
	[ "$output" = "1
777" ]
	config '.linux.sysctl = {"vm.swappiness":"1"}'
	fails_with 1 "would change the host" oci run -b "$DIR/b" "$ID"
}

@test "root propagation" {
	for p in private slave shared; do
		script 'grep " / / \| / " /proc/self/mountinfo | head -1' ".linux.rootfsPropagation = \"$p\""
		run_it
		case $p in
		shared) prints "shared:" ;;
		private) [[ "$output" != *shared:* && "$output" != *master:* ]] ;;
		esac
	done
	assert_nothing_left
}

@test "personality, LISTEN_FDS and preserved fds" {
	script 'uname -m' '.linux.personality = {"domain":"LINUX32"}'
	run_it
	[ "$output" = i686 ]
	echo content >"$DIR/fd"
	script 'cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd'
	run bash -c "LISTEN_FDS=1 '$OCI' --root '$ROOT' run --preserve-fds 1 -b '$DIR/b' '$ID' 3<'$DIR/fd' 4<'$DIR/fd'"
	[ "$status" -eq 0 ]
	prints "content
content
1 1"
	fails_with 1 "is to be preserved but is not open" oci run --preserve-fds 60 -b "$DIR/b" "$ID"
}

@test "no fd of ours is open in the container" {
	script 'ls /proc/self/fd | tr "\n" " "'
	run_it
	[ "$output" = "0 1 2 3 " ]
	script 'sleep 1000'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	[ "$(oci exec "$ID" sh -c 'ls /proc/self/fd | tr "\n" " "')" = "0 1 2 3 " ]
	oci delete -f "$ID"
}

@test "a working directory that is a magic link out of the root is refused" {
	for n in 3 4 5 6 7 8 9 10; do
		config ".process.cwd = \"/proc/self/fd/$n\""
		! oci run -b "$DIR/b" "$ID" 2>/dev/null
		config ".process.args = [\"/proc/self/fd/$n/../../../../../../bin/true\"]"
		! oci run -b "$DIR/b" "$ID" 2>/dev/null
	done
	assert_nothing_left
}

@test "our program file cannot be written through /proc/self/exe" {
	ln -s /proc/self/exe "$DIR/b/rootfs/bin/self"
	config '.process.args = ["/bin/self", "--version"] | .process.capabilities.bounding += ["CAP_DAC_OVERRIDE"] | .process.capabilities.effective += ["CAP_DAC_OVERRIDE"] | .process.capabilities.permitted += ["CAP_DAC_OVERRIDE"]'
	run oci run -b "$DIR/b" "$ID"
	# What it ran was our program from its protected place: from inside no write access can be had to it.
	script 'sleep 1000'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1
	cp "$OCI" "$DIR/copy"
	run oci exec "$ID" /bin/sh -c '/bin/self list >/dev/null & exec 3>>/proc/$!/exe && echo hole'
	[[ "$output" != *hole* ]]
	cmp "$OCI" "$DIR/copy"
	oci delete -f "$ID"
}

@test "labels the kernel does not have are refused by name" {
	[ -e /sys/fs/selinux/enforce ] || { config '.process.selinuxLabel = "a:b:c:d"'; fails_with 1 "selinuxLabel" oci run -b "$DIR/b" "$ID"; }
	[ -e /sys/module/apparmor ] || { config '.process.apparmorProfile = "x"'; fails_with 1 "apparmorProfile" oci run -b "$DIR/b" "$ID"; }
	assert_nothing_left
}
