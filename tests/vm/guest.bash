# SPDX-License-Identifier: Apache-2.0
# What test scripts in a machine share: the words of the end-to-end tests, and a runner of functions test_* that prints
# TAP. A case is run by `bash -e` of its own and skips by `skip REASON`.

# shellcheck source=../e2e/runtime.bash
. "$VM_TOP/tests/e2e/runtime.bash"
CG=/sys/fs/cgroup
ROOTFS_TEMPLATE=/tmp/rootfs
left_over() { :; } # asked for by no case here

skip() {
	echo "$*" >"$SKIP"
	exit 77
}

run_tests() {
	local list f n=0 rc log=/tmp/case.log
	SKIP=/tmp/case.skip
	list=$(declare -F | sed -n 's/^declare -f \(test_.*\)/\1/p')
	echo "1..$(echo "$list" | wc -l)"
	for f in $list; do
		n=$((n + 1))
		BATS_TEST_NUMBER=$n
		set +e
		(
			set -e
			runtime_setup
			"$f"
		) >$log 2>&1
		rc=$?
		(runtime_teardown_all) >/dev/null 2>&1
		case $rc in
		0) echo "ok $n ${f#test_}" ;;
		77) echo "ok $n ${f#test_} # skip $(cat $SKIP)" ;;
		*)
			echo "not ok $n ${f#test_} (status $rc)"
			tail -20 $log | sed 's/^/# /'
			;;
		esac
	done
}

# The case ran in a shell of its own: what it left is found by name.
runtime_teardown_all() {
	local d id
	for d in /tmp/teu-e2e-*; do
		for id in "$d"/root/*; do
			[ -d "$id" ] && "$OCI" --root "$d/root" delete --force "$(basename "$id")"
		done
		rm -rf "$d"
	done
}

# value FILE: of the cgroup of the container $ID
value() { cat "$CG/$ID/$1"; }

equals() {
	[ "$1" = "$2" ] || {
		echo "'$1' is not '$2'"
		return 1
	}
}
