# SPDX-License-Identifier: Apache-2.0
# Checkpoint and restore by a real criu, Debian's: on kernels newer than it this criu does not know the vdso (docs/testing-vm.md).
# modules: libcrc32c nfnetlink nf_tables x_tables nft_compat xt_mark nf_defrag_ipv4 nf_defrag_ipv6 nf_conntrack nf_conntrack_netlink inet_diag tcp_diag udp_diag raw_diag unix_diag netlink_diag af_packet_diag tun
# shellcheck source=guest.bash
. "$VM_TOP/tests/vm/guest.bash"

# What criu asks the kernel with. Some are built in or not needed by this kernel: the tests tell.
for m in "$VM_TOP"/extra/modules/*.ko; do
	insmod "$m" 2>/dev/null || true
done

# Counts in memory, and says so in a file of its root: it goes on where it was.
counting() {
	script 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done' ".root.readonly=false | ${1:-.}"
	oci run -d -b "$DIR/b" --pid-file "$DIR/pid" "$ID" >/dev/null 2>&1 </dev/null
	counts_from 5
}
count() {
	local c
	c=$(cat "$DIR/b/rootfs/tmp/count" 2>/dev/null) || true
	echo "${c:-0}" # it may just be written anew
}
counts_from() { until_ok eval '[ "$(count)" -ge '"$1"' ] 2>/dev/null'; }

checkpoint() {
	oci checkpoint --image-path "$DIR/i" --work-path "$DIR/w" "$@" "$ID" || {
		grep -E 'Error|Warn' "$DIR/w/dump.log"
		return 1
	}
}
restore() {
	oci restore -d -b "$DIR/b" --image-path "$DIR/i" --work-path "$DIR/w" --pid-file "$DIR/pid" "$@" "$ID" </dev/null >"$DIR/said" 2>&1 || {
		cat "$DIR/said"
		grep -E 'Error|Warn' "$DIR/w/restore.log"
		return 1
	}
}

# It has the same count in memory, its cgroup, and can be used.
goes_on() {
	status_is "$ID" running
	counts_from $(($1 + 3))
	equals "$(cat "$CG/$ID/cgroup.procs" | head -1)" "$(cat "$DIR/pid")"
	equals "$(oci exec "$ID" hostname)" box
	equals "$(oci state "$ID" | jq .pid)" "$(cat "$DIR/pid")"
}

test_a_container_is_written_to_images_and_goes_on_from_there() {
	counting '.linux.resources.memory.limit=67108864'
	checkpoint
	fails_with 1 "does not exist" oci state "$ID"
	[ ! -e "$CG/$ID" ]
	local before
	before=$(count)
	sleep 1
	equals "$(count)" "$before"
	restore
	goes_on "$before"
	equals "$(value memory.max)" 67108864
	oci kill "$ID" KILL
	until_ok status_is "$ID" stopped
	oci delete "$ID"
	[ ! -e "$CG/$ID" ]
}

test_one_that_runs_on_and_its_twin_of_the_images() {
	counting
	checkpoint --leave-running
	local before
	before=$(count)
	goes_on "$before"
	oci delete -f "$ID"
	restore
	goes_on "$before"
	oci delete -f "$ID"
}

test_in_a_cgroup_namespace_with_a_bind_of_the_hosts() {
	mkdir "$DIR/src"
	echo kept >"$DIR/src/f"
	counting ".linux.namespaces += [{\"type\":\"cgroup\"}] | .mounts += [{\"destination\":\"/etc\",\"source\":\"$DIR/src\",\"options\":[\"rbind\"]}]"
	checkpoint
	local before
	before=$(count)
	restore
	goes_on "$before"
	equals "$(oci exec "$ID" cat /etc/f)" kept
	oci delete -f "$ID"
}

test_a_failure_is_told_and_leaves_nothing() {
	counting
	checkpoint
	rm "$DIR"/i/core-*.img
	fails_with 1 "criu has failed" oci restore -d -b "$DIR/b" --image-path "$DIR/i" --work-path "$DIR/w" "$ID"
	[ ! -e "$CG/$ID" ]
	fails_with 1 "does not exist" oci state "$ID"
}

run_tests
