#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who joins a container is born among processes that want to rule it. Each test looks on from inside while many execs and
# creates join; and beside it the same looks on with one protection left out (fault build, TEU_OMIT), which it must see.

load runtime.bash
setup() { runtime_setup; }
teardown() {
	[ -z "${DIR:-}" ] || touch "$DIR/b/rootfs/tmp/stop" # whoever still looks
	runtime_teardown
}

FAULTY=${TEU_OCI_FAULT:-$TOP/build/fault/src/teu-oci}
ALL_CAPS='["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_DAC_READ_SEARCH","CAP_FOWNER","CAP_KILL","CAP_SETGID","CAP_SETUID","CAP_SETPCAP","CAP_SYS_CHROOT","CAP_SYS_PTRACE","CAP_SYS_ADMIN","CAP_MKNOD","CAP_SETFCAP"]'
MAPS='[{"containerID":0,"hostID":100000,"size":65536}]'

# looker PROGRAM SOURCE ARGS JQ: starts a container whose init looks on.
looker() {
	command -v gcc >/dev/null || skip "needs gcc"
	gcc -static -no-pie -O2 -D_GNU_SOURCE -o "$DIR/b/rootfs/bin/$1" "$TOP/tests/tools/$2"
	rm -f "$DIR/b/rootfs/tmp/stop"
	config ".process.args = [\"/bin/$1\", \"/tmp/stop\" $3] | .process.env += [\"HUNTED=1\"] | .root.readonly = false | $4"
	"$OCI" --root "$ROOT" run -d --pid-file "$DIR/pid" -b "$DIR/b" "$ID" >"$DIR/seen" 2>&1 </dev/null 3>&-
}

looked() {
	touch "$DIR/b/rootfs/tmp/stop"
	until_ok grep -q ^met "$DIR/seen"
	output=$(cat "$DIR/seen")
	oci delete --force "$ID"
}

# Root of a user namespace, with all rights in it, looks on at `execs` and `creates` that join; the variables of the seam
# (TEU_SLOW, TEU_OMIT) are for the runtime that joins.
hunted() {
	local execs=$1 creates=$2 i p
	chown -R 100000:100000 "$DIR/b/rootfs"
	chmod 755 "$DIR" "$DIR/b"
	looker hunt proc-hunt.c "" ".process.capabilities |= map_values($ALL_CAPS) | .linux.namespaces += [{\"type\":\"user\"}] | .linux.uidMappings = $MAPS | .linux.gidMappings = $MAPS"
	p=$(cat "$DIR/pid")
	jq ".process.args = [\"/bin/hunt\"] | .linux.uidMappings = [] | .linux.gidMappings = [] | .linux.namespaces |= map(if .type == \"pid\" or .type == \"user\" then .path = \"/proc/$p/ns/\" + .type else . end) | .mounts |= map(select(.type != \"sysfs\" and .type != \"cgroup\" and .type != \"mqueue\"))" "$DIR/b/config.json" >"$DIR/j.json"
	for i in $(seq "$execs"); do
		"${JOINS:-$OCI}" --root "$ROOT" exec "$ID" /bin/hunt </dev/null >/dev/null 2>&1 3>&- || { echo "exec $i"; return 1; }
	done
	mkdir -p "$DIR/j"
	cp "$DIR/j.json" "$DIR/j/config.json"
	[ -e "$DIR/j/rootfs" ] || ln -s ../b/rootfs "$DIR/j/rootfs"
	for i in $(seq "$creates"); do
		"${JOINS:-$OCI}" --root "$ROOT" run -b "$DIR/j" "$ID-j" </dev/null >"$DIR/out" 2>&1 3>&- || { echo "create $i: $(cat "$DIR/out")"; return 1; }
	done
	looked
}

# met N refused M, and not a line more: N processes at least.
never() { [[ "$output" =~ ^met\ ([0-9]+)\ refused\ ([0-9]+)$ ]] && [ "${BASH_REMATCH[1]}" -ge "$1" ] && [ "${BASH_REMATCH[2]}" -ge "$2" ] || { echo "$output"; false; }; }

@test "CVE-2016-9962: root of a user namespace gets at nothing of what joins, by exec or create" {
	hunted 150 60
	never 100 150
}

@test "CVE-2016-9962: the same when the runtime is slow between its birth there and the exec" {
	[ -x "$FAULTY" ] || skip "no fault build"
	export JOINS=$FAULTY TEU_SLOW=execveat:3000
	hunted 60 40
	never 75 1000
}

@test "and without the protection it gets memory, files and control" {
	[ -x "$FAULTY" ] || skip "no fault build"
	export JOINS=$FAULTY TEU_SLOW=execveat:3000 TEU_OMIT=dumpable
	hunted 10 10
	prints "got memory of"
	prints "got memory by process_vm_readv of"
	prints "got control by ptrace of"
	prints "got program file of"
	prints "got an fd by pidfd_getfd of"
	prints "got an fd by /proc of"
}

# A neighbour with CAP_SYS_PTRACE on the host can rule whatever is in its pid namespace: there must be nothing to be had.
watched() {
	local n=$1 i p
	looker watch proc-watch.c ', "20080422"' ".process.capabilities |= map_values(. + [\"CAP_SYS_PTRACE\", \"CAP_DAC_OVERRIDE\"])"
	p=$(cat "$DIR/pid")
	mkdir -p "$DIR/j"
	[ -e "$DIR/j/rootfs" ] || ln -s ../b/rootfs "$DIR/j/rootfs"
	jq ".process.args = [\"/bin/true\"] | .process.capabilities |= map_values([\"CAP_KILL\"]) | .linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$p/ns/pid\" else . end) | $2" "$DIR/b/config.json" >"$DIR/j/config.json"
	for i in $(seq "$n"); do
		S3CRET=S3CRET-of-host "${JOINS:-$OCI}" --root "$ROOT" create -b "$DIR/j" "$ID-j" </dev/null >/dev/null 2>&1 3>&- || { echo "create $i"; return 1; }
		S3CRET=S3CRET-of-host "${JOINS:-$OCI}" --root "$ROOT" start "$ID-j" 3>&-
		until_ok status_is "$ID-j" stopped
		oci delete "$ID-j"
	done
	looked
}

@test "a create that joins a pid namespace brings no memory, environment or file of the host, and no right" {
	watched 40 .
	[[ "$output" =~ ^met\ [1-9][0-9]*$ ]] || { echo "$output"; false; }
	watched 20 '.process.noNewPrivileges = false | .process.user.uid = 1000 | .linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38},{"names":["umount2"],"action":"SCMP_ACT_ERRNO"}]}'
	[[ "$output" =~ ^met\ [1-9][0-9]*$ ]] || { echo "$output"; false; }
}

@test "the same before Linux 6.17, where procfs is opened by a process in there" {
	[ -x "$FAULTY" ] || skip "no fault build"
	export JOINS=$FAULTY TEU_SLOW=fsopen:2000 TEU_FAULT=call=fsconfig,nth=1,errno=EINVAL
	watched 20 .
	[[ "$output" =~ ^met\ [1-9][0-9]*$ ]] || { echo "$output"; false; }
}

@test "and a create whose init is born in there gives all of it away" {
	[ -x "$FAULTY" ] || skip "no fault build"
	export JOINS=$FAULTY TEU_SLOW=mount:500 TEU_OMIT=outside
	watched 5 .
	prints "environment "
	prints "memory "
	prints "rights "
	prints "fd "
}

@test "and an exec that brings its own environment along is seen" {
	[ -x "$FAULTY" ] || skip "no fault build"
	looker watch proc-watch.c ', "20080422"' ".process.capabilities |= map_values(. + [\"CAP_SYS_PTRACE\", \"CAP_DAC_OVERRIDE\"])"
	for i in $(seq 10); do
		TEU_OMIT=fresh TEU_SLOW=execveat:3000 S3CRET=S3CRET-of-host "$FAULTY" --root "$ROOT" exec "$ID" true </dev/null 3>&-
	done
	looked
	prints "environment "
}
