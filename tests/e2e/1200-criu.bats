#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# checkpoint and restore: what criu is asked, by a stand-in that speaks its protocol; what is told without it.

load runtime.bash
setup() {
	runtime_setup
	CRIU=$TOP/tests/tools/fake-criu
	export FAKE_CRIU=$DIR/asked
}
teardown() { runtime_teardown; }

coci() { oci --criu "$CRIU" "$@"; }
asked() { jq -c "$1" "$DIR/asked"; }
opt() { jq -c ".opts[\"$1\"]" "$DIR/asked"; }
running() {
	script 'sleep 1000' "${1:-.}"
	oci run -d -b "$DIR/b" "$ID" >/dev/null 2>&1 </dev/null
}

@test "without criu both are refused, and say what to do" {
	running
	fails_with 1 "need criu, and there is no program '/nonexistent/criu'" oci --criu /nonexistent/criu checkpoint "$ID" --image-path "$DIR/i"
	PATH=/nonexistent fails_with 1 "install criu" oci checkpoint --image-path "$DIR/i" "$ID"
	status_is "$ID" running
	oci delete -f "$ID"
	mkdir -p "$DIR/i"
	echo '[]' >"$DIR/i/teu-mounts.json"
	echo '["","",""]' >"$DIR/i/descriptors.json"
	fails_with 1 "need criu" oci --criu /nonexistent/criu restore -d -b "$DIR/b" --image-path "$DIR/i" "$ID"
	fails_with 1 "open the directory" coci restore -d -b "$DIR/b" --image-path "$DIR/none" "$ID"
	assert_nothing_left
}

@test "checkpoint: what is asked, what lies beside the images, and its end" {
	mkdir "$DIR/src"
	running ".mounts += [{\"destination\": \"/tmp\", \"source\": \"$DIR/src\", \"options\": [\"bind\"]}]"
	pid=$(oci state "$ID" | jq .pid)
	coci checkpoint --image-path "$DIR/i" --work-path "$DIR/w" --tcp-established --shell-job --file-locks --ext-unix-sk --link-remap --manage-cgroups-mode strict --empty-ns network "$ID"
	[ "$(asked .type)" = 1 ]
	[ "$(opt 2)" = "[$pid]" ]
	for o in 4 5 7 8 12 18 24 50; do [ "$(opt $o)" = "[1]" ] || { echo "option $o"; false; }; done
	for o in 3 15 48; do [ "$(opt $o)" = null ] || { echo "option $o"; false; }; done
	[ "$(opt 34) $(opt 38) $(opt 13)" = "[5] [1073741824] [\"$DIR/b/rootfs\"]" ]
	opt 23 | grep -q '\[\[1,"/tmp"\],\[2,"/tmp"\]\]'
	[ "$(asked -r .opts.images)" = "\"$DIR/i\"" ] || [ "$(jq -r .opts.images "$DIR/asked")" = "$DIR/i" ]
	[ "$(jq length "$DIR/i/descriptors.json")" = 3 ]
	[ "$(jq -c '.[] | select(.target == "/tmp") | .kind' "$DIR/i/teu-mounts.json")" = '"bind"' ]
	fails_with 1 "does not exist" oci state "$ID" # as peers: it is deleted
	assert_nothing_left
}

@test "checkpoint --leave-running and --pre-dump: it runs on" {
	running
	coci checkpoint --image-path "$DIR/i" --leave-running "$ID"
	[ "$(opt 3)" = "[1]" ]
	status_is "$ID" running
	coci checkpoint --image-path "$DIR/p" --pre-dump "$ID"
	[ "$(asked .type)$(opt 15)" = "4[1]" ]
	status_is "$ID" running
	coci checkpoint --image-path "$DIR/q" --leave-running --parent-path ../p --page-server 127.0.0.1:1234 --lazy-pages --auto-dedup "$ID"
	[ "$(opt 14)$(opt 11)" = '["../p"][[[1,"127.0.0.1"],[2,1234]]]' ]
	oci pause "$ID"
	coci checkpoint --image-path "$DIR/i2" --leave-running "$ID"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "checkpoint: failures are told, and the container lives" {
	running
	FAKE_CRIU_FAIL="no can do" fails_with 1 "criu has failed: no can do (errno 52): see $DIR/i/dump.log" coci checkpoint --image-path "$DIR/i" "$ID"
	FAKE_CRIU_ODD=1 fails_with 1 "none of its protocol" coci checkpoint --image-path "$DIR/i" "$ID"
	fails_with 1 "criu has ended without an answer" oci --criu /bin/true checkpoint --image-path "$DIR/i" "$ID"
	fails_with 1 "is not ADDRESS:PORT" coci checkpoint --image-path "$DIR/i" --page-server here "$ID"
	fails_with 1 "only network can be" coci checkpoint --empty-ns mount "$ID"
	fails_with 1 "--status-fd" coci checkpoint --status-fd 99 "$ID"
	fails_with 1 "manage-cgroups-mode" coci checkpoint --manage-cgroups-mode odd "$ID"
	status_is "$ID" running
	oci kill "$ID" KILL
	until_ok status_is "$ID" stopped
	fails_with 1 "cannot checkpoint a container that is stopped" coci checkpoint --image-path "$DIR/i" "$ID"
	oci delete "$ID"
	assert_nothing_left
}

@test "restore: what is asked; its state, cgroup, hooks, end" {
	mkdir "$DIR/src" "$DIR/src2"
	running ".mounts += [{\"destination\": \"/tmp\", \"source\": \"$DIR/src\", \"options\": [\"bind\"]}]"
	coci checkpoint --image-path "$DIR/i" "$ID"
	script 'sleep 1000' ".mounts += [{\"destination\": \"/tmp\", \"source\": \"$DIR/src2\", \"options\": [\"bind\"]}] | .hooks.createRuntime = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"cat >$DIR/hook\"]}] | .hooks.poststop = [{\"path\": \"/bin/sh\", \"args\": [\"sh\", \"-c\", \"cat >$DIR/stop\"]}] | .annotations = {\"org.criu.config\": \"/etc/x\"}"
	coci restore -d -b "$DIR/b" --image-path "$DIR/i" --pid-file "$DIR/pid" --lsm-profile apparmor:x "$ID" </dev/null >/dev/null 2>&1
	[ "$(asked .type)" = 2 ]
	[ "$(opt 26)$(opt 13)$(opt 51)$(opt 53)" = "[1][\"$DIR/b/rootfs\"][\"/etc/x\"][\"apparmor:x\"]" ]
	opt 23 | grep -qF "[[1,\"/tmp\"],[2,\"$DIR/src2\"]]" || { opt 23; false; }
	opt 25 | grep -qF "[2,\"/$ID\"]" || { opt 25; false; }
	jq -r .opts.own_cgroup "$DIR/asked" | grep -q "/$ID" # criu is in it: so are its children
	status_is "$ID" running
	[ "$(oci state "$ID" | jq .pid)" = "$(cat "$DIR/pid")" ]
	[ "$(tr '\0' ' ' <"/proc/$(cat "$DIR/pid")/cmdline")" = "sleep 1000 " ]
	[ "$(jq -r .id "$DIR/hook")" = "$ID" ]
	oci delete -f "$ID"
	[ "$(jq -r .status "$DIR/stop")" = stopped ]
	assert_nothing_left
}

@test "restore: in the foreground it gives the exit code and deletes" {
	mkdir "$DIR/i"
	echo '[]' >"$DIR/i/teu-mounts.json"
	echo '["pipe:[1]","/dev/null","pipe:[2]"]' >"$DIR/i/descriptors.json"
	coci restore -b "$DIR/b" --image-path "$DIR/i" --pid-file "$DIR/pid" "$ID" </dev/null >/dev/null 2>&1 &
	job=$!
	until_ok [ -s "$DIR/pid" ]
	[ "$(opt 27)" = '[[[1,"pipe:[1]"],[2,0]],[[1,"pipe:[2]"],[2,2]]]' ]
	oci kill "$ID" TERM
	wait $job && status=0 || status=$?
	[ "$status" -eq 143 ]
	assert_nothing_left
}

@test "restore: a terminal goes to the console socket" {
	mkdir "$DIR/i"
	echo '[]' >"$DIR/i/teu-mounts.json"
	echo '["","",""]' >"$DIR/i/descriptors.json"
	script 'sleep 1000' '.process.terminal = true'
	fails_with 1 "console socket is needed" coci restore -d -b "$DIR/b" --image-path "$DIR/i" "$ID"
	"$TOP/tests/tools/recv-console" "$DIR/console" >"$DIR/tty" 2>"$DIR/tty.err" &
	receiver=$!
	until_ok grep -q listening "$DIR/tty.err"
	FAKE_CRIU_TTY=1 coci restore -d -b "$DIR/b" --image-path "$DIR/i" --console-socket "$DIR/console" "$ID" </dev/null >/dev/null 2>&1
	wait $receiver
	grep -q restored "$DIR/tty"
	oci delete -f "$ID"
	assert_nothing_left
}

@test "restore: a failure leaves nothing" {
	mkdir "$DIR/i"
	fails_with 1 "teu-mounts.json" coci restore -d -b "$DIR/b" --image-path "$DIR/i" "$ID"
	echo '[{"target":"/x","kind":"bind"}]' >"$DIR/i/teu-mounts.json"
	echo '["","",""]' >"$DIR/i/descriptors.json"
	fails_with 1 "a bind on '/x' that config.json lacks" coci restore -d -b "$DIR/b" --image-path "$DIR/i" "$ID"
	echo '[]' >"$DIR/i/teu-mounts.json"
	FAKE_CRIU_FAIL=gone fails_with 1 "criu has failed: gone" coci restore -d -b "$DIR/b" --image-path "$DIR/i" "$ID"
	fails_with 1 "does not exist" oci state "$ID"
	config '.annotations = {"io.teu.rootfs.lower": "/x"}'
	fails_with 1 "cannot be restored" coci restore -d -b "$DIR/b" --image-path "$DIR/i" "$ID"
	assert_nothing_left
}
