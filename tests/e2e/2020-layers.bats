#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Layers out of containers: diff and export, as the docker command line shows them.

load engine.bash

setup_file() { engine_setup_file; }
teardown_file() { engine_teardown_file; }
setup() { engine_setup; }
teardown() { remove_all; }

ready() { "$DOCKER" logs "$1" 2>&1 | grep -q ready; }

changed() { # NAME: a container in which everything happened
	docker run --name "$1" --network none busybox sh -c 'echo new >/etc/added; rm /etc/passwd; mkdir -p /srv/deep; echo x >/srv/deep/file; ln /etc/added /etc/hard; ln -s added /etc/soft; chmod 600 /etc/group; rm -r /home; mkdir /home; echo h >/home/h'
}

@test "diff tells what was added, changed and deleted" {
	changed d1
	run docker diff d1
	[ "$status" -eq 0 ]
	grep -qx 'C /etc' <<<"$output"
	grep -qx 'A /etc/added' <<<"$output"
	grep -qx 'D /etc/passwd' <<<"$output"
	grep -qx 'C /etc/group' <<<"$output"
	grep -qx 'A /srv/deep/file' <<<"$output"
	grep -qx 'A /home/h' <<<"$output"
	! grep -q 'resolv.conf\|dockerenv\|/proc\|/dev' <<<"$output"
}

@test "diff of a container that never ran is empty, of one that is not there an error" {
	docker create --name d2 busybox true
	run docker diff d2
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	fails_with 1 "No such container: nothing" docker diff nothing
}

@test "export is the root as the container sees it, and goes in again" {
	changed e1
	docker export e1 >"$DIR/e1.tar"
	docker export e1 | cmp - "$DIR/e1.tar"
	tar tf "$DIR/e1.tar" >"$DIR/e1.names"
	grep -qx etc/added "$DIR/e1.names"
	! grep -qx etc/passwd "$DIR/e1.names"
	! grep -q '\.wh\.' "$DIR/e1.names"
	[ "$(tar xOf "$DIR/e1.tar" home/h)" = h ]
	[ "$(tar tvf "$DIR/e1.tar" etc/hard | sed 's/.* link to //')" = etc/added ]
	docker import "$DIR/e1.tar" again:1
	run docker run --rm --network none again:1 sh -c 'cat /etc/hard /home/h; stat -c "%a" /etc/group; ls /etc/passwd'
	[ "${lines[0]}" = new ] && [ "${lines[1]}" = h ] && [ "${lines[2]}" = 600 ]
	grep -q "No such file" <<<"$output"
}

@test "export of a running container, and to a client that leaves" {
	docker run -d --name e2 --network none busybox sh -c 'dd if=/dev/urandom of=/big bs=1M count=32; echo ready; sleep 1000' >/dev/null
	until_ok ready e2
	docker export -o "$DIR/e2.tar" e2
	[ "$(tar tvf "$DIR/e2.tar" big | awk '{print $3}')" = 33554432 ]
	docker export e2 | head -c 100000 >/dev/null || true
	[ "$(docker inspect -f '{{.State.Running}}' e2)" = true ]
	fails_with 1 "No such container: nothing" docker export -o "$DIR/none.tar" nothing
}
