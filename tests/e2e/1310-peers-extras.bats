#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What crun and runc document beside the spec, by its name there: done, or refused by name. What this kernel cannot show
# is shown as the refusal it gets.

load runtime.bash
setup() { runtime_setup; }
teardown() { runtime_teardown; }

run_it() {
	run oci run -b "$DIR/b" "$ID"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
}
says() { [ "$output" = "$1" ] || { echo "got: $output"; return 1; }; }
refused() {
	config "$2"
	fails_with 1 "$1" oci run -b "$DIR/b" "$ID"
}
note() { printf '.annotations = {"%s": "%s"}' "$1" "$2"; }

# ---- crun: annotations ----

@test "crun: run.oci.keep_original_groups" {
	script 'id -G' ".process.user.additionalGids = [77] | $(note run.oci.keep_original_groups 1)"
	run setpriv --groups 5,6 "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID"
	says "0 5 6"
	script 'id -G' '.process.user.additionalGids = [77]'
	run setpriv --groups 5,6 "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID"
	says "0 77"
}

@test "crun: run.oci.seccomp.receiver" {
	"$TOP/tests/tools/recv-console" "$DIR/agent" >"$DIR/got" 2>"$DIR/err" &
	agent=$!
	until_ok grep -q listening "$DIR/err"
	script 'sleep 1000' ".linux.seccomp = {\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"sethostname\"], \"action\": \"SCMP_ACT_NOTIFY\"}]} | $(note run.oci.seccomp.receiver "$DIR/agent")"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	wait $agent || true # what it got is no terminal
	grep -q '"fds":\["seccompFd"\]' "$DIR/got"
	oci delete -f "$ID"
	refused "is not an absolute path" "$(note run.oci.seccomp.receiver rel)"
}

@test "crun: run.oci.seccomp_fail_unknown_syscall" {
	profile='.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}]}'
	config "$profile"
	run_it
	refused "no_such_call" "$profile | $(note run.oci.seccomp_fail_unknown_syscall 1)"
}

@test "crun: run.oci.pidfd_receiver" {
	"$TOP/tests/tools/recv-console" "$DIR/agent" >"$DIR/got" 2>"$DIR/err" &
	agent=$!
	until_ok grep -q listening "$DIR/err"
	script 'sleep 1000' "$(note run.oci.pidfd_receiver "$DIR/agent")"
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	wait $agent || true
	grep -q pidfd "$DIR/got"
	oci delete -f "$ID"
	refused "/nonexistent" "$(note run.oci.pidfd_receiver /nonexistent)"
	assert_nothing_left
}

@test "crun: run.oci.hooks.stdout and run.oci.hooks.stderr" {
	say='{"path": "/bin/sh", "args": ["sh", "-c", "echo out; echo err >&2"]}'
	config ".hooks = {\"createRuntime\": [$say], \"createContainer\": [$say], \"poststart\": [$say], \"poststop\": [$say]} | .annotations = {\"run.oci.hooks.stdout\": \"$DIR/out\", \"run.oci.hooks.stderr\": \"$DIR/err\"}"
	run_it
	[ "$output" = "" ]
	[ "$(sort "$DIR/out" | uniq -c | tr -s ' ')" = " 4 out" ]
	[ "$(sort "$DIR/err" | uniq -c | tr -s ' ')" = " 4 err" ]
	script true ".hooks = {\"startContainer\": [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"echo inside\"]}]} | .annotations = {\"run.oci.hooks.stdout\": \"$DIR/out\"}"
	run_it
	grep -q inside "$DIR/out" # the host's file, also from within
	refused "run.oci.hooks.stdout: open '/nonexistent/x'" ".hooks = {\"poststop\": [$say]} | $(note run.oci.hooks.stdout /nonexistent/x)"
	assert_nothing_left
}

@test "crun: run.oci.mount_context_type" {
	refused "run.oci.mount_context_type: 'odd'" "$(note run.oci.mount_context_type odd)"
	config "$(note run.oci.mount_context_type rootcontext)"
	run_it # without a mountLabel it changes nothing
}

@test "crun: handlers, plugins, raw filters and v1 in disguise are refused by name" {
	refused "annotation run.oci.handler is not supported" "$(note run.oci.handler krun)"
	refused "annotation run.oci.handler is not supported" "$(note run.oci.handler wasm)"
	refused "annotation run.oci.seccomp.plugins is not supported" "$(note run.oci.seccomp.plugins x.so)"
	refused "annotation run.oci.seccomp_bpf_data is not supported" "$(note run.oci.seccomp_bpf_data AAAA)"
	refused "annotation run.oci.delegate-cgroup is not supported" "$(note run.oci.delegate-cgroup sub)"
	refused "annotation run.oci.systemd.force_cgroup_v1 is not supported" "$(note run.oci.systemd.force_cgroup_v1 /sys/fs/cgroup)"
	assert_nothing_left
}

# ---- crun: mount options ----

bind() { printf '.mounts += [{"destination": "%s", "source": "%s", "options": ["bind"%s]}]' "$1" "$2" "$3"; }

@test "crun: tmpcopyup" {
	mkdir -p "$DIR/b/rootfs/data/deep"
	echo kept >"$DIR/b/rootfs/data/deep/f"
	chmod 700 "$DIR/b/rootfs/data/deep"
	script 'cat /data/deep/f; stat -c %a /data/deep; echo x >/data/deep/f && echo rw' '.mounts += [{"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}]'
	run_it
	says "kept
700
rw"
	[ "$(cat "$DIR/b/rootfs/data/deep/f")" = kept ]
}

@test "crun: copy-symlink" {
	ln -s /somewhere/else "$DIR/link"
	echo plain >"$DIR/file"
	script 'readlink /etc/l; cat /etc/f' ".root.readonly = false | $(bind /etc/l "$DIR/link" ', "copy-symlink"') | $(bind /etc/f "$DIR/file" ', "copy-symlink"')"
	run_it
	says "/somewhere/else
plain"
	run_it # the same link is there: fine
	ln -sfn /other "$DIR/link"
	run oci run -b "$DIR/b" "$ID"
	prints "copy-symlink: something else is there already"
	assert_nothing_left
}

@test "crun: src-nofollow and dest-nofollow" {
	echo one >"$DIR/one"
	ln -s "$DIR/one" "$DIR/link"
	ln -s /etc/target "$DIR/b/rootfs/etc/dest"
	touch "$DIR/b/rootfs/etc/target"
	script 'cat /etc/target' "$(bind /etc/dest "$DIR/one" '')"
	run_it
	says one # by the link, inside of the root
	refused "/etc/dest" "$(bind /etc/dest "$DIR/one" ', "dest-nofollow"')"
	config "$(bind /tmp "$DIR/link" ', "src-nofollow"')"
	run oci run -b "$DIR/b" "$ID" # a link as such can be mounted nowhere but on a link
	[ "$status" -eq 1 ]
	assert_nothing_left
}

@test "crun: r-flags go over the whole tree" {
	mkdir -p "$DIR/src/sub"
	script 'grep " /m" /proc/self/mountinfo | cut -d" " -f5,6' ".mounts += [{\"destination\": \"/m\", \"source\": \"$DIR/src\", \"options\": [\"rbind\", \"rro\", \"rnosuid\", \"rnodev\", \"rnoexec\", \"rnoatime\"]}] | .root.readonly = false"
	run unshare -m sh -c "mount -t tmpfs t '$DIR/src/sub' && '$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ "$(grep -c 'ro,nosuid,nodev,noexec,noatime' <<<"$output")" = 2 ] || { echo "$output"; false; }
	for o in rsync rasync rdirsync rmand rnomand; do
		refused "mount option '$o' is not supported" "$(bind /tmp "$DIR/src" ", \"$o\"")"
	done
	for o in rrw rsuid rdev rexec ratime rdiratime rnodiratime rrelatime rnorelatime rstrictatime rnostrictatime rnosymfollow rsymfollow; do
		config "$(bind /tmp "$DIR/src" ", \"$o\"")"
		run_it
	done
	assert_nothing_left
}

@test "crun: idmap=uids=...;gids=... with ranges and relative ones" {
	mkdir "$DIR/src"
	touch "$DIR/src/a"
	touch "$DIR/src/b"
	chown 0:0 "$DIR/src/a"
	chown 7:8 "$DIR/src/b"
	script 'stat -c %u:%g /tmp/a /tmp/b' "$(bind /tmp "$DIR/src" ', "idmap=uids=0-500-5#7-900-1;gids=0-600-10"')"
	run oci run -b "$DIR/b" "$ID"
	if [ "$status" -eq 1 ] && [[ "$output" == *"idmap (kernel 5.12 or a file system"* ]]; then
		skip "this file system has no idmapped mounts"
	fi
	says "500:600
900:608"
	chmod 755 "$DIR" "$DIR/b" "$DIR/b/rootfs"
	chmod 777 "$DIR/src"
	script 'stat -c %u:%g /tmp/a' ".linux.namespaces += [{\"type\": \"user\"}] | .linux.uidMappings = [{\"containerID\": 0, \"hostID\": 3000, \"size\": 100}] | .linux.gidMappings = [{\"containerID\": 0, \"hostID\": 4000, \"size\": 100}] | $(bind /tmp "$DIR/src" ', "idmap=uids=@0-11-10;gids=@0-12-10"')"
	run_it
	says "11:12"
	script 'stat -c %u:%g /tmp/a' ".linux.namespaces += [{\"type\": \"user\"}] | .linux.uidMappings = [{\"containerID\": 0, \"hostID\": 3000, \"size\": 100}] | .linux.gidMappings = [{\"containerID\": 0, \"hostID\": 4000, \"size\": 100}] | $(bind /tmp "$DIR/src" ', "idmap"')"
	run_it
	says "0:0" # by the container's own user namespace
	refused "needs a user namespace" "$(bind /tmp "$DIR/src" ', "idmap"')"
	refused "uids=FS-HOST-SIZE" "$(bind /tmp "$DIR/src" ', "idmap=uids=1"')"
	config '.mounts += [{"destination": "/tmp", "type": "tmpfs", "source": "t", "options": ["idmap"]}]'
	fails_with 1 "idmap is for bind mounts" oci run -b "$DIR/b" "$ID"
	assert_nothing_left
}

@test "crun: exec by --process with all of a process's fields" {
	script 'sleep 1000' '.process.capabilities.bounding += ["CAP_CHOWN"]'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	jq -n '{cwd: "/tmp", args: ["sh", "-c", "id -u; id -G; umask; pwd; echo $A; ulimit -n; cat /proc/self/oom_score_adj; grep -E \"CapEff|NoNewPrivs\" /proc/self/status; ionice; cut -d\" \" -f19 /proc/self/stat"],
		env: ["A=b", "PATH=/bin"], user: {uid: 1, gid: 2, additionalGids: [3], umask: 63}, noNewPrivileges: true, oomScoreAdj: 300,
		rlimits: [{type: "RLIMIT_NOFILE", soft: 99, hard: 99}], ioPriority: {class: "IOPRIO_CLASS_BE", priority: 5}, scheduler: {policy: "SCHED_BATCH", nice: 9},
		capabilities: {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}}' >"$DIR/p.json"
	run oci exec --process "$DIR/p.json" "$ID"
	says "1
2 3
0077
/tmp
b
99
300
CapEff:	0000000000000020
NoNewPrivs:	1
best-effort: prio 5
9"
	oci delete -f "$ID"
}

# ---- runc ----

@test "runc: run --keep leaves the state for delete" {
	script 'exit 3'
	run oci run --keep -b "$DIR/b" "$ID"
	[ "$status" -eq 3 ]
	status_is "$ID" stopped
	oci delete "$ID"
	assert_nothing_left
}

@test "runc: LISTEN_FDS and --preserve-fds, in their order" {
	echo one >"$DIR/1"
	echo two >"$DIR/2"
	script 'cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID; ls /proc/self/fd | tr "\n" " "'
	run bash -c "LISTEN_FDS=1 '$OCI' --root '$ROOT' run --preserve-fds 1 -b '$DIR/b' '$ID' 3<'$DIR/1' 4<'$DIR/2'"
	says "one
two
1 1
0 1 2 3 4 5 "
}

@test "runc: kill --all" {
	script 'sleep 1000 & sleep 1000' '.linux.namespaces |= map(select(.type != "pid"))'
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	until_ok bash -c "[ \$('$OCI' --root '$ROOT' ps -f json '$ID' | jq length) = 2 ]"
	oci kill -a "$ID" KILL
	until_ok bash -c "[ '$("$OCI" --root "$ROOT" ps -f json "$ID")' ] && [ \"\$('$OCI' --root '$ROOT' ps -f json '$ID')\" = '[]' ]"
	oci delete "$ID"
	assert_nothing_left
}

@test "runc: each scheduler policy and flag: set, or the kernel's answer names the field" {
	for p in OTHER:0:5 BATCH:3:5 IDLE:5:0; do
		IFS=: read -r policy number nice <<<"$p"
		script "grep '^policy' /proc/self/sched 2>/dev/null || cut -d' ' -f41 /proc/self/stat" ".process.scheduler = {\"policy\": \"SCHED_$policy\", \"nice\": $nice}"
		run_it
		[[ "$output" =~ (^|[^0-9])$number$ ]] || { echo "$p: $output"; false; }
	done
	for p in FIFO RR; do
		script "cut -d' ' -f40,41 /proc/self/stat" ".process.scheduler = {\"policy\": \"SCHED_$p\", \"priority\": 7, \"flags\": [\"SCHED_FLAG_RESET_ON_FORK\"]}"
		run oci run -b "$DIR/b" "$ID"
		[ "$status" -eq 0 ] || prints "process.scheduler"
	done
	config '.process.scheduler = {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}'
	fails_with 1 "process.scheduler" oci run -b "$DIR/b" "$ID"
	refused "SCHED_ISO does not exist" '.process.scheduler = {"policy": "SCHED_ISO"}'
	refused "'SCHED_FLAG_ODD' is unknown" '.process.scheduler = {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_ODD"]}'
	assert_nothing_left
}

@test "runc: sections of other platforms are refused by name" {
	for s in vm windows solaris zos freebsd; do
		refused "$s is not supported" ".$s = {}"
	done
	refused "process.commandLine is for Windows" '.process.commandLine = "x"'
	refused "process.user.username is for Windows" '.process.user.username = "x"'
	assert_nothing_left
}

@test "runc: domainname, personality, personality's flags" {
	script 'cat /proc/sys/kernel/domainname; uname -m' '.domainname = "example.org" | .linux.personality = {"domain": "LINUX32"}'
	run_it
	says "example.org
i686"
	refused "linux.personality.flags" '.linux.personality = {"domain": "LINUX", "flags": ["X"]}'
	refused "domainname needs a uts namespace" 'del(.hostname) | .domainname = "x" | .linux.namespaces |= map(select(.type != "uts"))'
}

@test "runc: signals of the program are at their defaults and unblocked, whatever the caller's are" {
	script 'grep -E "^Sig(Blk|Ign)" /proc/self/status | tr "\t\n" " "'
	run bash -c "trap '' INT TERM HUP USR1 PIPE CHLD; exec '$OCI' --root '$ROOT' run -b '$DIR/b' '$ID'"
	prints "SigBlk: 0000000000000000 SigIgn: 0000000000000000"
	# Ignored for real, which a shell does not do: children could not be waited for.
	run env --ignore-signal=CHLD "$OCI" --root "$ROOT" run -b "$DIR/b" "$ID"
	[ "$status" -eq 0 ]
	prints "SigBlk: 0000000000000000 SigIgn: 0000000000000000"
}

@test "runc: NOTIFY_SOCKET: READY=1 is told on with the main pid, by start and run" {
	command -v python3 >/dev/null || skip "needs python3"
	cat >"$DIR/manager" <<-'PY'
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind(sys.argv[1])
	s.settimeout(60)
	print("listening", file=sys.stderr, flush=True)
	print(s.recv(4096).decode(), end="", flush=True)
	PY
	manager() {
		rm -f "$DIR/sd" "$DIR/told" "$DIR/sd.err"
		python3 "$DIR/manager" "$DIR/sd" >"$DIR/told" 2>"$DIR/sd.err" &
		MANAGER=$!
		until_ok grep -q listening "$DIR/sd.err"
	}
	# What busybox cannot: one datagram to a Unix socket, by the host's python through /proc.
	script 'echo $NOTIFY_SOCKET >/tmp/said; sleep 1000' '.root.readonly = false'
	manager
	NOTIFY_SOCKET=$DIR/sd oci create -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	p=$(oci state "$ID" | jq .pid)
	NOTIFY_SOCKET=$DIR/sd oci start "$ID" >/dev/null 2>&1 </dev/null &
	start=$!
	until_ok [ -S "/proc/$p/root/run/notify/notify.sock" ]
	until_ok [ -s "$DIR/b/rootfs/tmp/said" ]
	[ "$(cat "$DIR/b/rootfs/tmp/said")" = /run/notify/notify.sock ]
	send() { python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(sys.argv[2].encode(), sys.argv[1])' "/proc/$p/root/run/notify/notify.sock" "$1"; }
	send "STATUS=soon"
	[ ! -s "$DIR/told" ]
	kill -0 $start # it waits
	send $'STATUS=now\nREADY=1'
	wait $start $MANAGER
	[ "$(cat "$DIR/told")" = "MAINPID=$p
READY=1" ]
	oci delete -f "$ID"
	assert_nothing_left

	# A program that ends without a word ends the wait too; without the variable nothing is mounted.
	script 'exit 0'
	NOTIFY_SOCKET=$DIR/sd oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
	oci delete -f "$ID"
	script 'grep -c notify /proc/self/mountinfo; echo "[$NOTIFY_SOCKET]"'
	run oci run -b "$DIR/b" "$ID"
	prints "0
[]"
	assert_nothing_left
}
