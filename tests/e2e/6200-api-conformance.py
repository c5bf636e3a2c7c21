#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' conformance tests that an API server alone can pass, each by its name, over plain HTTP against one server.

Which of upstream's tests have no case here, and why, is listed in docs/conformance.md; the first case compares both with
upstream's list ($TEU_SHARED/reference/conformance.md; without it only with each other). `--missing` prints names that
neither has. Prints TAP.
"""
import os
import re
import sys

sys.dont_write_bytecode = True
import kube  # noqa: E402
import conform_machinery  # noqa: E402,F401
import conform_convert  # noqa: E402,F401
import conform_crd  # noqa: E402,F401
import conform_hooks  # noqa: E402,F401
import conform_aggregator  # noqa: E402,F401
import conform_policy  # noqa: E402,F401
import conform_apps  # noqa: E402,F401
import conform_network  # noqa: E402,F401
import conform_node  # noqa: E402,F401

SHARED = os.environ.get("TEU_SHARED", os.path.join(kube.TOP, "..", "shared"))
TAGS = r" \[(?:Privileged|NodeConformance|LinuxOnly|MinimumKubeletVersion|FeatureGate|Environment)[^\]]*\]"


def upstream():
    """Names in conformance.md: a list for each group, then what came later; None without the file."""
    try:
        text = open(os.path.join(SHARED, "reference/conformance.md")).read()
    except OSError:
        return None
    old, new = text.split("# Gateway API conformance")[0].split("## 1.36 delta")
    names, sig, prefix = [], None, ""
    for line in old.splitlines():
        if m := re.match(r"## (sig-[a-z-]+) \(", line):
            sig = m[1]
        elif m := re.match(r"- \*\*.*?\*\* \(\d+\)(?: — prefix “(.*)”)?", line):
            prefix = m[1] + " " if m[1] else ""
        elif sig and line.startswith("  - "):
            names.append(f"[{sig}] {prefix}" + re.sub(r" \([SLN]+\)$", "", line[4:]))
    later = new.split("Added by 1.36:")[1].split("Only tags changed")[0]
    return names + [re.sub(TAGS, "", line[2:]) for line in later.splitlines() if line.startswith("- [")]


def listed():
    """docs/conformance.md: reason by name of what has no case, and of what a case leaves out; how many its table says."""
    none, part, into, counts = {}, {}, None, {}
    for line in open(os.path.join(kube.TOP, "docs/conformance.md")):
        if m := re.match(r"## (.*)", line):
            into = part if m[1].startswith("In part") else none
        elif m := re.match(r"\| (needs-\w+) \| (\d+) ", line):
            counts[m[1]] = int(m[2])
        elif m := re.match(r"### (needs-\w+)", line):
            reason = m[1]
        elif line.startswith("- ["):
            assert line[2:].strip() not in into, "twice: " + line
            into[line[2:].strip()] = reason
    return none, part, counts


def every_test_is_a_case_or_listed():
    none, part, counts = listed()
    both = sorted(set(none) & set(kube.CASES))
    assert not both, f"a case, and listed as none: {both}"
    kube.equal(part, {name: why for name, (_, why) in kube.CASES.items() if why})
    kube.equal(counts, {why: list(none.values()).count(why) for why in counts})
    assert set(counts) >= set(none.values()) | set(part.values())
    names = upstream()
    if names is None:
        return
    assert len(names) == len(set(names)) > 400
    unknown = sorted((set(none) | set(kube.CASES)) - set(names))
    missing = [n for n in names if n not in none and n not in kube.CASES]
    assert not unknown and not missing, f"unknown: {unknown}, missing: {missing}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--missing"]:
        told = listed()[0]
        print("\n".join(n for n in upstream() or [] if n not in told and n not in kube.CASES))
        sys.exit(0)
    sys.exit(kube.main("conformance", [("every conformance test is a case or listed with its reason", every_test_is_a_case_or_listed)]))
