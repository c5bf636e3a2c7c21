#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Python's client against the API server: each kind with each verb, typed lists, an informer; and what kubectl was seen
# to send, sent again.

bats_require_minimum_version 1.5.0
load apiserver.bash
PYTHON=/usr/bin/python3

setup_file() {
	"$PYTHON" -c 'import kubernetes' 2>/dev/null || return 0
	api_file_start
}
teardown_file() { api_file_stop; }
setup() { api_test_setup; }

walk() { within "$PYTHON" "$TOP/tests/tools/apiwalk.py" "$NS" "$1"; }

@test "python: every kind: created, read, changed in all ways, watched, deleted" { walk every_kind; }

@test "python: reviews, bindings, evictions" { walk reviews; }

@test "python: every list is what the typed client requires; objects of its types" { walk typed; }

@test "python: a list and its watch, cut and gone on with; pages; a list as a watch" { walk informer; }

@test "kubectl's requests, as they were seen, have the answers that they ask for" {
	within "$PYTHON" "$TOP/tests/tools/apireplay.py" "$TOP/tests/e2e/kubectl-1.32.requests"
}
