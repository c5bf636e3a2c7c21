# SPDX-License-Identifier: Apache-2.0
"""Reads tests/e2e/1320-runtime-fields.list; its head tells the form."""


class Case:
    def __init__(self):
        self.sets, self.sees, self.hides, self.never, self.files, self.lacks, self.tested = [], [], [], [], [], [], []
        self.refuses = self.runs = self.short = None

    def add(self, word, rest):
        if word == "set" or word == "mount":
            self.sets.append(f"{word} {rest}")
        elif word in ("sees", "hides", "lacks"):
            getattr(self, word).append(rest)
        elif word == "sees!":
            self.never.append(rest)
        elif word in ("file", "tested"):
            (self.files if word == "file" else self.tested).append(tuple(rest.split(None, 1)))
        elif word == "as":
            self.short = rest
        elif word in ("refuses", "runs"):
            setattr(self, word, rest)
        else:
            raise ValueError(f"'{word}' is no word of the list")

    def judged(self):
        return bool(self.sees or self.hides or self.files or self.refuses or self.runs or self.tested)


class Entry:
    def __init__(self, kind, rest):
        self.kind, self.cases, self.type = kind, [], ""
        if kind == "field":
            self.name, self.type = rest.split(None, 1)
        else:
            self.name = rest
        self.required = self.type.endswith("!")
        self.type = self.type.rstrip("!")

    def only_refused(self):
        return all(c.refuses for c in self.cases)


def hooks(kinds):
    """The same four rows for each kind of hook."""
    for kind in kinds:
        base = f"hooks.{kind}"
        say = '"args": ["sh", "-c", "echo told by $WHO $0", "%s"]' % kind
        hook = '{"path": "/bin/sh", %s, "env": ["WHO=hook"]}' % say
        note = 'annotations = {"run.oci.hooks.stdout": "@DIR@/told"}'
        yield f"field {base} list object", [f"set {base} += {hook}", f"set {note}", f"file told told by hook {kind}"]
        yield f"field {base}[].path path!", [f'set {base} += {{"path": "relative"}}', "refuses path"]
        yield f"field {base}[].args list string", [f"set {base} += {hook}", f"set {note}", f"file told hook {kind}$"]
        yield f"field {base}[].env list string", [f"set {base} += {hook}", f"set {note}", "file told told by hook"]
        yield f"field {base}[].timeout int 1..2147483647", [f'set {base} += {{"path": "/bin/true", "timeout": 0}}', "refuses timeout",
                                                            "tested e2e/1020-runtime-console-hooks.bats timeout"]


def throttles(pairs):
    for pair in pairs:
        kind, file = pair.split("=")
        base = f"linux.resources.blockIO.{kind}"
        rule = '{"major": @DISK@, "minor": @DISKN@, "rate": 1048576}'
        done = [f"set {base} += {rule}", f"sees /blkio.throttle.{file} @DISK@:@DISKN@ 1048576$"]
        yield f"field {base} list object", done
        for key in ("major", "minor", "rate"):
            given = ", ".join(f'"{k}": 1' for k in ("major", "minor", "rate") if k != key)
            most = 18446744073709551615 if key == "rate" else 9223372036854775807
            low = 0 if key == "rate" else -9223372036854775808
            yield f"field {base}[].{key} int {low}..{most}!", [*done, f"set {base} += {{{given}}}", f"refuses {key}"]


def criu_flags(words):
    command, file, *flags = words
    for flag in flags:
        yield f"flag {command} {flag}", [f"tested e2e/{file} {command} "]


MACROS = {"@hooks": hooks, "@throttle": throttles, "@criu-flags": criu_flags}


def add(entry, line):
    word, _, rest = line.strip().partition(" ")
    if word in ("set", "mount") and (not entry.cases or entry.cases[-1].judged()) or not entry.cases:
        entry.cases.append(Case())
    entry.cases[-1].add(word, rest.strip())


def read(path):
    entries = []
    with open(path) as f:
        for line in f:
            if not line.strip() or line.startswith("#"):
                continue
            word, _, rest = line.strip().partition(" ")
            if line[0] == "\t":
                add(entries[-1], line)
            elif word in MACROS:
                for head, body in MACROS[word](rest.split()):
                    entries.append(Entry(*head.split(None, 1)))
                    for b in body:
                        add(entries[-1], b)
            else:
                entries.append(Entry(word, rest))
    return entries
