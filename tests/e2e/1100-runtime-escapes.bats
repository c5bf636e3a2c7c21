#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Ways out of a container that other runtimes once had, each by its CVE number: they stay closed.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

run_it() { run oci run -b "$DIR/b" "$ID"; [ "$status" -eq 0 ] || { echo "$output"; return 1; }; }
keep_running() {
	script 'sleep 1000' "${1:-.}"
	oci run -d --pid-file "$DIR/pid" -b "$DIR/b" "$ID" >/dev/null 2>&1
}

# jq: the capabilities named, in all sets that count.
caps() { echo ".process.capabilities |= map_values(. + $1)"; }

@test "CVE-2016-9962: a process that joins has no directory of the host open" {
	keep_running
	# Not dumpable: without CAP_SYS_PTRACE the container's root sees no fd of a process that joins.
	oci exec "$ID" sh -c 'end=$(($(cut -d. -f1 /proc/uptime) + 2)); while [ "$(cut -d. -f1 /proc/uptime)" -lt $end ]; do
		for p in /proc/[0-9]*/fd/*; do t=$(readlink "$p" 2>/dev/null) || continue; case $t in /dev/null|pipe*|socket*|anon*|/proc/*|/dev/pts*|/) ;; *) echo "leak $p $t" ;; esac; done; done' >"$DIR/seen" </dev/null 2>&1 &
	watcher=$!
	for i in $(seq 40); do oci exec "$ID" true </dev/null >/dev/null 2>&1; done
	wait $watcher
	# Its own output file is the watcher's.
	! grep leak "$DIR/seen" | grep -v "$DIR/seen" || { cat "$DIR/seen"; false; }
}

@test "CVE-2019-5736: the runtime's program is on a read-only mount for whoever is in a container" {
	keep_running "$(caps '["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"]')"
	ln -s /proc/self/exe "$DIR/b/rootfs/bin/self"
	sum=$(cksum <"$OCI")
	run oci exec "$ID" sh -c '/bin/self list & p=$!; for i in 1 2 3 4 5 6 7 8; do (exec 3>>/proc/$p/exe) 2>/dev/null && echo hole; done; wait'
	[[ "$output" != *hole* ]]
	[ "$(cksum <"$OCI")" = "$sum" ]
}

@test "CVE-2019-5736: also when the program lies on a tmpfs" {
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] || skip "no tmpfs"
	copy=$(mktemp /dev/shm/teu-e2e-XXXXXX)
	cp "$OCI" "$copy" && chmod 755 "$copy"
	script 'echo ran'
	run "$copy" --root "$ROOT" run -b "$DIR/b" "$ID"
	rm -f "$copy"
	[ "$output" = ran ]
}

# The program of a process cannot be written: its mount is read-only, or it is a sealed copy in memory.
protected() {
	case $(readlink "/proc/$1/exe") in "/memfd:teu-oci (deleted)") return 0 ;; esac
	[ -e "/proc/$1/exe" ] && [ ! -w "/proc/$1/exe" ]
}

@test "CVE-2019-5736: whatever the kernel refuses of the read-only view, nothing runs unprotected" {
	# Each call of src/start-view.c fails alone; the exec of a read-only mount or a sealed copy takes its place.
	for what in statfs:when=1 open_tree:when=1 mount_setattr:when=1 openat:when=1 mmap:when=2 prctl:when=1 \
		mmap:when=4 open_tree:when=1+ mount_setattr:when=1+; do
		call=${what%%:*}
		when=${what#"$call"}
		strace -qq -o /dev/null -e "inject=$call:error=EPERM$when" "$OCI" --root "$ROOT" create --pid-file "$DIR/pid" -b "$DIR/b" "$ID" \
			</dev/null >"$DIR/out" 2>&1 3>&- || { echo "$what: $(cat "$DIR/out")"; false; }
		protected "$(cat "$DIR/pid")" || { echo "$what: hole"; false; }
		oci delete --force "$ID"
	done
	# No way at all is left: refused.
	run strace -qq -o /dev/null -e inject=open_tree,memfd_create:error=EPERM "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID"
	[ "$status" -eq 1 ]
	prints "protect our program"
	assert_nothing_left
}

@test "CVE-2019-5736: nothing of the program's own mount stays mapped, of init or of who waits" {
	oci create --pid-file "$DIR/pid" -b "$DIR/b" "$ID" </dev/null >/dev/null 2>&1 3>&-
	pid=$(cat "$DIR/pid")
	inode=$(stat -c %i "$OCI")
	[ "$(awk -v i="$inode" '$5 == i {print $6}' "/proc/$pid/maps" | sort -u)" = / ]
	protected "$pid"
	! (exec 3>>"/proc/$pid/exe") 2>/dev/null
	[ "$(awk -v i="$inode" '$5 == i' "/proc/$pid/maps" | wc -l)" -ge 3 ]
}

@test "CVE-2019-16884: a volume over /proc is refused" {
	mkdir "$DIR/fake"
	for d in /proc /proc/ //proc /link; do
		ln -sfn proc "$DIR/b/rootfs/link"
		config ".mounts += [{\"destination\":\"$d\",\"source\":\"$DIR/fake\",\"type\":\"bind\",\"options\":[\"rbind\"]}]"
		fails_with 1 "over /proc" oci run -b "$DIR/b" "$ID"
	done
	config '.mounts += [{"destination":"/proc","source":"tmpfs","type":"tmpfs"}]'
	fails_with 1 "over /proc" oci run -b "$DIR/b" "$ID"
	script 'echo procfs' '.mounts += [{"destination":"/proc","source":"/proc","type":"bind","options":["rbind","ro"]}]'
	run_it
	[ "$output" = procfs ]
	assert_nothing_left
}

@test "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc and /sys that are links of the image are refused" {
	for d in proc sys; do
		rmdir "$DIR/b/rootfs/$d"
		mkdir "$DIR/b/rootfs/elsewhere"
		ln -s elsewhere "$DIR/b/rootfs/$d"
		config '.'
		fails_with 1 "is a symbolic link" oci run -b "$DIR/b" "$ID"
		rm "$DIR/b/rootfs/$d"
		rmdir "$DIR/b/rootfs/elsewhere"
		mkdir "$DIR/b/rootfs/$d"
	done
	assert_nothing_left
}

@test "CVE-2022-0492: release_agent cannot be written, cgroups cannot be mounted" {
	script 'cd /sys/fs/cgroup; for f in release_agent */release_agent */notify_on_release */cgroup.procs; do [ -e "$f" ] || continue; (echo x >"$f") 2>/dev/null && echo "hole $f"; done; mkdir /tmp/c; mount -t cgroup -o memory none /tmp/c 2>&1 && echo hole; mkdir /sys/fs/cgroup/memory/sub 2>/dev/null && echo hole; echo end' '.root.readonly = false'
	run_it
	prints end
	[[ "$output" != *hole* ]] || { echo "$output"; false; }
}

@test "CVE-2022-24769, CVE-2022-27650: nothing is inheritable that was not asked for, run or exec" {
	keep_running
	for pid in 1 self; do
		[[ "$(oci exec "$ID" grep CapInh /proc/$pid/status)" == *0000000000000000 ]]
	done
	[[ "$(oci exec --cap CAP_NET_RAW "$ID" grep -E 'Cap(Inh|Amb)' /proc/self/status | tr '\n' ' ')" == *0000000000000000*0000000000000000* ]]
}

@test "CVE-2022-29162 and CVE-2022-2989: exec as another user has that user's groups alone" {
	keep_running '.process.user.additionalGids = [0, 5, 27]'
	[ "$(oci exec -u 1000:1000 "$ID" id -G)" = 1000 ]
	[ "$(oci exec -u 1000 -g 7 "$ID" sh -c 'grep Groups /proc/self/status' | tr -s '\t ' ' ')" = "Groups: 7 " ]
	[[ "$(oci exec -u 1000:1000 "$ID" grep CapEff /proc/self/status)" == *0000000000000000 ]]
}

@test "CVE-2024-21626: no working directory or program by a fd of ours, run or exec, also by a link" {
	keep_running '.root.readonly = false'
	for n in 3 4 5 6 7 8 9 10 11 12; do
		ln -sfn /proc/self/fd/$n "$DIR/b/rootfs/way"
		! oci exec --cwd /proc/self/fd/$n "$ID" true 2>/dev/null
		! oci exec --cwd /way "$ID" true 2>/dev/null
		! oci exec "$ID" /way/../../../../../../bin/true 2>/dev/null
	done
	[ "$(oci exec "$ID" sh -c 'ls /proc/1/fd; ls /proc/self/fd' | tr '\n' ' ')" = "0 1 2 0 1 2 3 " ] # 3 is that of ls
}

@test "CVE-2024-45310: no file or directory is made outside of the root" {
	mkdir "$DIR/out" "$DIR/src"
	ln -s "$DIR/out" "$DIR/b/rootfs/esc"
	ln -s "../../../../../../..$DIR/out/made" "$DIR/b/rootfs/dangling"
	for d in /esc/a/b /dangling /dangling/x; do
		for opt in bind tmpfs; do
			config ".root.readonly = false | .mounts += [{\"destination\":\"$d\",\"source\":\"$DIR/src\",\"type\":\"$opt\",\"options\":(if \"$opt\" == \"bind\" then [\"bind\"] else [] end)}] | .process.cwd = \"/esc/cwd\""
			oci run -b "$DIR/b" "$ID" >/dev/null 2>&1 || true
		done
	done
	[ -z "$(ls -A "$DIR/out")" ]
	assert_nothing_left
}

@test "CVE-2025-31133: masks come from the host's null device, never from the image's /dev/null" {
	# A /dev of the image, where null is a link to what must not be written.
	rm -rf "$DIR/b/rootfs/dev"
	mkdir "$DIR/b/rootfs/dev"
	ln -s /proc/sys/kernel/core_pattern "$DIR/b/rootfs/dev/null"
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	fails_with 1 "/dev/null" oci run -b "$DIR/b" "$ID"
	script 'stat -c %t:%T /proc/keys; wc -c </proc/keys; grep -c " /proc/keys " /proc/self/mountinfo'
	run_it
	[ "$output" = "1:3
0
1" ] || { echo "$output"; false; }
}

@test "CVE-2025-52565: a terminal is of the container's devpts alone" {
	printf '{"cwd":"/","args":["/bin/true"],"terminal":true,"user":{"uid":0,"gid":0}}' >"$DIR/p.json"
	mkdir -p "$DIR/b/rootfs/dev/pts"
	mknod "$DIR/b/rootfs/dev/pts/ptmx" c 5 2
	mknod "$DIR/b/rootfs/dev/pts/0" c 136 0
	config '.process.terminal = true | .mounts |= map(select(.destination | startswith("/dev") | not))'
	fails_with 1 "devpts" python3 - "$OCI" "$ROOT" "$DIR" "$ID" <<-'PY'
	import os, socket, subprocess, sys
	oci, root, d, id = sys.argv[1:]
	s = socket.socket(socket.AF_UNIX); s.bind(d + "/c.sock"); s.listen(1)
	sys.exit(subprocess.call([oci, "--root", root, "create", "--console-socket", d + "/c.sock", "-b", d + "/b", id]))
	PY
	assert_nothing_left
}

@test "CVE-2025-52881: a sysctl of the config is not the image's to redirect" {
	before_pattern=$(cat /proc/sys/kernel/core_pattern)
	rm -rf "$DIR/b/rootfs/proc"
	mkdir -p "$DIR/b/rootfs/proc/sys/net/ipv4"
	ln -s /proc/sys/kernel/core_pattern "$DIR/b/rootfs/proc/sys/net/ipv4/ip_forward"
	script 'cat /proc/sys/net/ipv4/ip_forward' '.linux.sysctl = {"net.ipv4.ip_forward":"1"}'
	run_it
	[ "$output" = 1 ]
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$before_pattern" ]
	config '.linux.sysctl = {"net/../kernel/core_pattern":"x"}'
	fails_with 1 "is not a sysctl name" oci run -b "$DIR/b" "$ID"
}

@test "CVE-2025-52881: a /proc that the container has made up gets no word of ours, at exec" {
	script 'mkdir /tmp/p; mount -t tmpfs t /proc && mkdir -p /proc/self/attr /proc/thread-self/attr /proc/sys /proc/1 && for f in self/attr/exec thread-self/attr/exec self/oom_score_adj self/setgroups self/loginuid self/uid_map; do echo untouched >/proc/$f; done; touch /tmp/ready; sleep 1000' \
		".root.readonly = false | .process.noNewPrivileges = false | $(caps '["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]') | .linux.readonlyPaths = [] | .linux.maskedPaths = []"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null 3>&-
	until_ok test -e "$DIR/b/rootfs/tmp/ready"
	printf '{"cwd":"/","args":["/bin/true"],"user":{"uid":0,"gid":0},"oomScoreAdj":100}' >"$DIR/p.json"
	for i in 1 2 3; do oci exec --process "$DIR/p.json" "$ID" >/dev/null 2>&1 </dev/null || true; done
	[ "$(oci exec "$ID" sh -c 'cat /proc/self/* /proc/*/attr/* 2>/dev/null' | sort -u)" = untouched ]
}

@test "CVE-2022-0811: no sysctl of the host, by its name or by another one's value" {
	pattern=$(cat /proc/sys/kernel/core_pattern)
	config '.linux.sysctl = {"kernel.core_pattern":"|/bin/evil"}'
	fails_with 1 "kernel.core_pattern" oci run -b "$DIR/b" "$ID"
	for v in '1+kernel.core_pattern=|/bin/evil' '1\nkernel.core_pattern=|/bin/evil'; do
		config ".linux.sysctl = {\"kernel.shm_rmid_forced\":\"$v\"}"
		oci run -b "$DIR/b" "$ID" >/dev/null 2>&1 || true # the kernel's to say
	done
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$pattern" ]
	assert_nothing_left
}

@test "cgroups: with a namespace of its own a container sees no way up, run or exec" {
	script 'cut -d: -f3 /proc/self/cgroup | sort -u; sleep 1000' '.linux.namespaces += [{"type":"cgroup"}]'
	oci run -d -b "$DIR/b" "$ID" >"$DIR/seen" 2>&1 </dev/null 3>&-
	until_ok grep -q / "$DIR/seen"
	[ "$(cat "$DIR/seen")" = / ]
	[ "$(oci exec "$ID" sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u')" = / ]
	[ -z "$(oci exec "$ID" sh -c 'cat /proc/self/mountinfo' | grep " /sys/fs/cgroup" | cut -d' ' -f4 | grep -F ..)" ]
}

@test "CVE-2023-25809: in a user namespace cgroups are read-only when asked, and not the host's" {
	chmod 711 "$DIR"
	chown -R 100000:100000 "$DIR/b/rootfs"
	script 'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/escape 2>/dev/null && echo "hole $d"; (echo 1 >$d/cgroup.procs) 2>/dev/null && echo "hole $d"; done; echo end' \
		'.root.readonly = false | .linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings = .linux.uidMappings'
	run_it
	[ "$output" = end ] || { echo "$output"; false; }
	assert_nothing_left
}

@test "CVE-2022-36109, CVE-2018-20697: the caller's groups stay outside" {
	script 'grep Groups /proc/self/status | tr -s "\t " " "' '.process.user = {"uid":1000,"gid":1000}'
	run python3 -c 'import os, sys; os.setgroups([4, 27, 999]); os.execv(sys.argv[1], sys.argv[1:])' "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID"
	[[ "$output" =~ ^Groups:\ ?$ ]] || { echo "'$output'"; false; }
	script 'grep Groups /proc/self/status | tr -s "\t " " "' '.process.user = {"uid":1000,"gid":1000,"additionalGids":[7,8]}'
	run python3 -c 'import os, sys; os.setgroups([4, 27, 999]); os.execv(sys.argv[1], sys.argv[1:])' "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID"
	[[ "$output" =~ ^Groups:\ 7\ 8\ ?$ ]] || { echo "'$output'"; false; }
}

@test "CVE-2021-43784: what is handed to init or a join is as long as it says, past 64 KiB too" {
	keep_running
	python3 - "$DIR/p.json" <<-'PY'
	import json, sys
	args = ["/bin/sh", "-c", "echo $# $(printf %s \"$@\" | wc -c)", "sh"] + ["x" * 5000] * 200
	json.dump({"cwd": "/", "args": args, "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}, open(sys.argv[1], "w"))
	PY
	[ "$(oci exec --process "$DIR/p.json" "$ID")" = "200 1000000" ]
	# More mappings than a kernel takes: refused, not cut off.
	config '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [range(0;400) | {"containerID":., "hostID":(100000 + .), "size":1}] | .linux.gidMappings = .linux.uidMappings'
	fails_with 1 "apping" oci run -b "$DIR/b" "$ID-2"
}

@test "CVE-2025-24965: a handler that would write into the image is refused by name" {
	for h in krun wasm; do
		ln -sfn "$DIR/out" "$DIR/b/rootfs/.krun_config.json"
		config ".annotations = {\"run.oci.handler\":\"$h\"}"
		fails_with 1 "run.oci.handler" oci run -b "$DIR/b" "$ID"
		[ ! -e "$DIR/out" ]
	done
	assert_nothing_left
}

@test "fds: exactly those that are to be preserved come in, run and exec" {
	# The highest is that by which ls reads the directory.
	config '.process.args = ["/bin/ls", "/proc/self/fd"]'
	[ "$("$OCI" --root "$ROOT" run --preserve-fds 2 -b "$DIR/b" "$ID" 3</etc/passwd 4</etc/group 5</etc/hosts 9</ | tr '\n' ' ')" = "0 1 2 3 4 5 " ]
	keep_running
	[ "$("$OCI" --root "$ROOT" exec --preserve-fds 1 "$ID" ls /proc/self/fd 3</etc/passwd 4</etc/group 7</ | tr '\n' ' ')" = "0 1 2 3 4 " ]
	[ "$("$OCI" --root "$ROOT" exec "$ID" ls /proc/self/fd 3</etc/passwd 4</ | tr '\n' ' ')" = "0 1 2 3 " ]
	[ "$("$OCI" --root "$ROOT" exec --preserve-fds 1 "$ID" cat /proc/self/fd/3 3<<<kept)" = kept ]
}

@test "keys: a container has a session keyring of its own, unless told otherwise" {
	script "grep -c '_ses.$ID: ' /proc/keys; grep -c '_ses.$ID-2: ' /proc/keys; true" '.linux.maskedPaths = []'
	run_it
	[ "$output" = "$(printf '1\n0')" ] || { echo "$output"; false; }
	run oci run --no-new-keyring -b "$DIR/b" "$ID-2"
	[ "${lines[1]}" = 0 ] || { echo "$output"; false; }
}

@test "a passwd file that is a FIFO or a magic link does not hold up or mislead" {
	rm "$DIR/b/rootfs/etc/passwd"
	mkfifo "$DIR/b/rootfs/etc/passwd"
	script 'echo $HOME'
	output=$(timeout 10 "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID")
	[ "$output" = / ]
	rm "$DIR/b/rootfs/etc/passwd"
	ln -s /proc/self/fd/0 "$DIR/b/rootfs/etc/passwd"
	output=$(oci run -b "$DIR/b" "$ID" </etc/passwd)
	[ "$output" = / ]
}

@test "a device node of the host is of no use, though it can be made" {
	dev=$(awk '$4 !~ /ram|loop/ && NR > 2 {print $1, $2; exit}' /proc/partitions)
	[ -n "$dev" ] || skip "no block device"
	script "mknod /tmp/d b $dev && dd if=/tmp/d of=/dev/null bs=512 count=1 2>&1 && echo hole; mknod /tmp/mem c 1 1 && dd if=/tmp/mem of=/dev/null bs=1 count=1 2>&1 && echo hole; true" \
		".root.readonly = false | $(caps '["CAP_MKNOD", "CAP_DAC_OVERRIDE"]')"
	run_it
	prints "Operation not permitted"
	[[ "$output" != *hole* ]]
}

@test "the caller's environment, umask, signal mask and ignored signals stay outside" {
	script 'env | cut -d= -f1 | sort | tr "\n" " "; umask; grep -E "Sig(Blk|Ign)" /proc/1/status | tr -d "\t\n"'
	run bash -c "umask 0; trap '' HUP USR1; SECRET_OF_HOST=1 '$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "${lines[0]}" = "HOME PATH PWD SHLVL TERM 0022" ] || { echo "$output"; false; }
	prints "SigBlk:0000000000000000SigIgn:000000000000000" # the last digit may hold QUIT, by the shell itself
	[[ "$output" =~ SigIgn:0{15}[04] ]]
	keep_running
	run bash -c "umask 0; trap '' HUP; SECRET_OF_HOST=1 '$OCI' --root '$ROOT' exec '$ID' sh -c 'env; umask; grep SigIgn /proc/self/status'"
	[[ "$output" != *SECRET* ]]
	prints 0022
	[[ "$output" =~ SigIgn:.0{15}[04] ]]
}

@test "seccomp: calls of another architecture (i386, x32) are no way round the filter" {
	command -v gcc >/dev/null || skip "needs gcc"
	[ "$(uname -m)" = x86_64 ] || skip "x86_64"
	cat >"$DIR/t.c" <<-'C'
	static long call(long nr, int i386)
	{
		long r;
		if (i386)
			__asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(0777) : "memory", "r8", "r9", "r10", "r11");
		else
			__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(0777) : "memory", "rcx", "r11");
		return r;
	}
	void _start(void)
	{
		long n = HOW == 0 ? call(95, 0) : HOW == 1 ? call(60, 1) : call(0x40000000 | 95, 0);
		call(60, 0);
		call(231 + 0 * n, 0);
	}
	C
	# umask is forbidden; the program ends with 0777 & 0xff = 255 if it came so far.
	for how in 1 2; do
		gcc -static -nostdlib -O1 -DHOW=$how -o "$DIR/b/rootfs/bin/t" "$DIR/t.c"
		config '.process.args = ["/bin/t"] | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["umask"],"action":"SCMP_ACT_KILL_PROCESS"}]}'
		run oci run -b "$DIR/b" "$ID"
		[ "$status" -eq 159 ] || { echo "$how: $status $output"; false; }
	done
}
