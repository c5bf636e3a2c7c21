# SPDX-License-Identifier: Apache-2.0
# Pure cgroup v2 with cpu, io, memory and pids.
. "$VM_TOP/tests/vm/guest.bash"

test_what_the_machine_is() {
	equals "$(stat -fc %T /sys/fs/cgroup)" cgroup2fs
	cat $CG/cgroup.controllers
}

run_tests
