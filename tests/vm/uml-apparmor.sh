# SPDX-License-Identifier: Apache-2.0
# AppArmor: a profile is entered and enforced, by create and by exec; one that is not loaded is refused by name.
# kernel: apparmor=1 security=apparmor
# shellcheck source=guest.bash
. "$VM_TOP/tests/vm/guest.bash"

PARSER=$VM_CACHE/apparmor/sbin/apparmor_parser

profile() {
	[ -x "$PARSER" ] || skip "apparmor_parser is not to be had"
	cat >/tmp/profile <<-'P'
	profile teu-vm flags=(attach_disconnected,mediate_deleted) {
	  file,
	  signal,
	  capability,
	  deny /etc/passwd r,
	  deny /tmp/no/** w,
	}
	P
	"$PARSER" --replace --skip-cache --features-file /sys/kernel/security/apparmor/features /tmp/profile 2>&1 ||
		"$PARSER" --replace --skip-cache /tmp/profile
}

test_apparmor_is_active() { equals "$(cat /sys/module/apparmor/parameters/enabled)" Y; }

test_the_profile_holds_for_init() {
	profile
	script 'cat /proc/self/attr/current; cat /etc/passwd && exit 9; mkdir -p /tmp/no; echo x >/tmp/no/f && exit 8; echo x >/tmp/yes' \
		'.process.apparmorProfile="teu-vm" | .root.readonly=false'
	run_out=$(oci run -b "$DIR/b" "$ID" 2>&1)
	echo "$run_out" | grep -q '^teu-vm (enforce)'
}

test_the_profile_holds_for_exec() {
	profile
	script 'sleep 1000' '.process.apparmorProfile="teu-vm"'
	oci create -b "$DIR/b" "$ID" >/dev/null 2>&1
	oci start "$ID"
	oci exec "$ID" cat /proc/self/attr/current | grep -q '^teu-vm (enforce)'
	fails_with 1 "ermission denied" oci exec "$ID" cat /etc/passwd
}

test_who_joins_a_pid_namespace_has_its_profile_and_waits_without_rights() {
	profile
	script 'sleep 1000' .
	oci run -d --pid-file "$DIR/pid" -b "$DIR/b" "$ID" >/dev/null 2>&1
	script 'cat /proc/self/attr/current; cat /etc/passwd && exit 9; true' \
		".process.apparmorProfile=\"teu-vm\" | .linux.namespaces |= map(if .type == \"pid\" then .path = \"/proc/$(cat "$DIR/pid")/ns/pid\" else . end)"
	oci create --pid-file "$DIR/pid2" -b "$DIR/b" "$ID-2" >"$DIR/out" 2>&1
	grep -q '^CapEff:.*0000000020000420' "/proc/$(cat "$DIR/pid2")/status"
	oci start "$ID-2"
	until_ok status_is "$ID-2" stopped
	oci delete "$ID-2"
	grep -q '^teu-vm (enforce)' "$DIR/out"
	! grep -q root: "$DIR/out"
}

test_a_profile_that_is_not_loaded_is_refused() {
	script true '.process.apparmorProfile="teu-no-such"'
	fails_with 1 "teu-no-such" oci run -b "$DIR/b" "$ID"
	[ ! -e "$CG/$ID" ]
}

run_tests
