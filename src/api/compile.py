#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kinds/*.kinds to C tables: compile.py OUT.c FILE...

The source, line by line (blanks separate words, # begins a comment line):

  group NAME VERSION [gate=FEATURE]     "" is the core group; gate: off unless the feature and the version are switched on
  protobuf PACKAGE                 of its messages
  definitions PREFIX               of its names in OpenAPI
  kind KIND RESOURCE namespaced|cluster VERBS [short=a,b] [categories=a]
      sub NAME VERBS [KIND|GROUP/VERSION.KIND]     a subresource, and its body when it is another kind
      columns A|B*|...             of kubectl get; * = only with -o wide
      select PATH...               field selectors beside metadata.name and metadata.namespace
  object NAME [atomic] [union=JSON] [hidden] [definition=NAME] [-- DOC]     x-kubernetes-map-type, -unions; not in OpenAPI;
                               its name in OpenAPI when that is not PREFIX.NAME
      typemeta                     kind and apiVersion
      inline NUMBER TYPE           members of TYPE lie here; a message of their own in protobuf
      FIELD[!] NUMBER TYPE [ATTRIBUTES] [-- DOC]   ! = in OpenAPI's required; NUMBER - = not in protobuf

VERBS: C create, G get, L list, W watch, U update, P patch, D delete, X deletecollection, ALL.
TYPE: string bool int32 int64 double bytes time microtime duration quantity intorstr raw json fields or-bool
or-array or-strings, or an object (of another file: FILE.OBJECT); "[]T", "map T"; T? is a pointer in Go (zero is a
value), +T is written also when empty, ~T is a struct left out when it is zero.
ATTRIBUTES: atomic, set, key=a,b (list type), map-atomic, map-granular, patch=S, merge=KEY (strategic merge), enum=A|B, default=JSON,
min=N, max=N, format=NAME (of schema.h), message (a named list that is a message {items=1}), deprecated, immutable.
"""
import json
import os
import re
import sys

VERBS = {"C": 0, "D": 1, "X": 2, "G": 3, "L": 4, "P": 5, "U": 6, "W": 7}
KIND = {"any": 0, "bool": 1, "int": 2, "double": 3, "string": 4, "enum": 5, "object": 6, "list": 7, "map": 8, "intorstr": 9,
        "quantity": 10, "time": 11, "bytes": 12}
WORD = {"raw": 1, "json": 2, "fields": 3, "or-bool": 4, "or-array": 5, "or-strings": 6}
WIRE_MESSAGE, WIRE_PRESENCE = 6, 0x20
WIRE_OF_WORD = {"or-bool": 7, "or-array": 8, "or-strings": 9}
REQUIRED, MAP_ATOMIC, LIST_TYPED, POINTER, OMIT_ZERO, TYPE_META, MAP_GRANULAR = 1, 2, 4, 8, 16, 32, 64
F_IMMUTABLE, F_DEPRECATED, F_EMIT, F_EMIT_NULL = 1 << 3, 1 << 4, 1 << 6, 1 << 7
MERGE = {"replace": 1, "merge": 2, "retainKeys": 3, "merge,retainKeys": 4}


class Bad(Exception):
    pass


class Texts:
    def __init__(self):
        self.at = {"": 0}
        self.out = ["", ""]  # the second is the empty text within a list, where 0 is the end
        self.n = 2
        self.lists = {(): 0}
        self.flat = [0]

    def add(self, s):
        if s not in self.at:
            self.at[s] = self.n
            self.out.append(s)
            self.n += len(s.encode()) + 1
        return self.at[s]

    def list(self, names):
        key = tuple(names)
        if key not in self.lists:
            self.lists[key] = len(self.flat)
            self.flat += [self.add(s) or 1 for s in names] + [0]
        return self.lists[key]


class Object:
    def __init__(self, file, name, attributes, doc):
        self.file, self.name, self.doc = file, name, doc
        self.atomic, self.hidden = "atomic" in attributes, "hidden" in attributes
        self.union = next((a.removeprefix("union=") for a in attributes if a.startswith("union=")), "")
        self.definition = next((a.removeprefix("definition=") for a in attributes if a.startswith("definition=")), "")
        self.members = []  # (name, required, number, type, attributes, doc) or ("inline", number, type)


class File:
    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".kinds")
        self.group, self.version, self.package, self.prefix, self.gate = "", "", "", "", ""
        self.kinds, self.objects = [], []


def verbs(text):
    bits = 0
    for c in "CDXGLPUW" if text == "ALL" else text:
        bits |= 1 << VERBS[c]
    return bits


def words(text):
    """Splits at blanks outside of "quotes"."""
    return re.findall(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+', text)


def read_kind(f, w):
    if len(w) < 5 or w[3] not in ("namespaced", "cluster"):
        raise Bad("kind KIND RESOURCE namespaced|cluster VERBS")
    k = {"kind": w[1], "resource": w[2], "namespaced": w[3] == "namespaced", "verbs": verbs(w[4]), "short": [], "categories": [],
         "subs": [], "columns": [], "select": []}
    for a in w[5:]:
        name, _, value = a.partition("=")
        if name not in ("short", "categories"):
            raise Bad(f"attribute {name}")
        k[name] = value.split(",")
    f.kinds.append(k)


def read_file(path):
    f, here = File(path), None
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        body, _, doc = line.rstrip("\n").partition(" -- ")
        w, doc = words(body), doc.strip()
        if not w or w[0].startswith("#"):
            continue
        try:
            if not line[0].isspace():
                here = None
                if w[0] == "group":
                    f.group, f.version = w[1].strip('"'), w[2]
                    f.gate = w[3].removeprefix("gate=") if len(w) > 3 else ""
                elif w[0] == "protobuf":
                    f.package = w[1]
                elif w[0] == "definitions":
                    f.prefix = w[1]
                elif w[0] == "kind":
                    read_kind(f, w)
                elif w[0] == "object":
                    here = Object(f, w[1], w[2:], doc)
                    f.objects.append(here)
                else:
                    raise Bad(f"'{w[0]}' begins no line")
            elif here:
                read_member(here, w, doc)
            else:
                read_of_kind(f.kinds[-1], w, body)
        except (Bad, IndexError, KeyError, ValueError) as e:
            sys.exit(f"{path}:{number}: {e}")
    return f


def read_of_kind(k, w, body):
    if w[0] == "sub":
        k["subs"].append((w[1], verbs(w[2]), w[3] if len(w) > 3 else None))
    elif w[0] == "columns":
        k["columns"] = body.strip().removeprefix("columns ").split("|")
    elif w[0] == "select":
        k["select"] = w[1:]
    else:
        raise Bad(f"'{w[0]}' is not known below a kind")


def read_member(o, w, doc):
    if w[0] == "typemeta":
        o.members.append(("kind", False, 0, "string", {"typemeta": ""}, ""))
        o.members.append(("apiVersion", False, 0, "string", {"typemeta": ""}, ""))
        return
    if w[0] == "inline":
        o.members.append(("inline", 0 if w[1] == "-" else int(w[1]), w[2]))
        return
    rest = w[2:]
    type_ = rest.pop(0)
    while type_.endswith("map") and type_.lstrip("+~[]") == "map":
        type_ += " " + rest.pop(0)
    attributes = {}
    for a in rest:
        name, _, value = a.partition("=")
        if name not in ("atomic", "set", "key", "map-atomic", "map-granular", "patch", "merge", "enum", "default", "min", "max", "format", "message",
                        "deprecated", "immutable"):
            raise Bad(f"attribute '{name}' is not known")
        attributes[name] = value
    if "default" in attributes:
        json.loads(attributes["default"])
    o.members.append((w[0].rstrip("!"), w[0].endswith("!"), 0 if w[1] == "-" else int(w[1]), type_, attributes, doc))


class Row:
    def __init__(self, **kw):
        self.v = dict(name=0, doc=0, def_=0, enums=0, list_keys=0, merge_key=0, min=0, max=0, type=0, elem=0, pb=0, flags=0, kind=0,
                      elem_kind=0, width=0, format=0, key_format=0, list=0, merge=0, wire=0, part=0, word=0, note=0)
        self.v.update(kw)


class Compiler:
    def __init__(self, files, formats):
        self.files, self.formats, self.texts = files, formats, Texts()
        self.index = {(f.name, o.name): i for i, (f, o) in enumerate((f, o) for f in files for o in f.objects)}
        self.of = {(f.name, o.name): o for f in files for o in f.objects}
        self.elems, self.parts, self.rows, self.objects = [], [], [], []

    def find(self, file, name):
        key = tuple(name.split(".")) if "." in name else (file.name, name)
        if key not in self.index:
            raise Bad(f"no object '{name}'")
        return key

    def value(self, file, t, row):
        """Fills a row for one value of type t (no marks)."""
        v = row.v
        if t.endswith("?"):
            v["wire"] |= WIRE_PRESENCE
            v["note"] |= POINTER
            t = t[:-1]
        if t.startswith("[]") or t.startswith("map "):
            v["kind"] = KIND["list" if t.startswith("[]") else "map"]
            self.element(file, t[2:] if t.startswith("[]") else t[4:], row)
        elif t in WORD:
            v["kind"], v["word"] = KIND["any"], WORD[t]
            v["wire"] |= WIRE_OF_WORD.get(t, 0)
            if t in WIRE_OF_WORD:
                v["type"] = 1 + self.index[self.find(file, "JSONSchemaProps")]
        elif t in ("int32", "int64"):
            v["kind"], v["width"] = KIND["int"], int(t[3:]) // 8
        elif t == "microtime":
            v["kind"], v["format"] = KIND["time"], self.formats["MICRO_TIME"]
        elif t == "duration":
            v["kind"], v["format"] = KIND["string"], self.formats["DURATION"]
            v["wire"] |= WIRE_MESSAGE
        elif t == "double":
            v["kind"], v["width"] = KIND["double"], 8
        elif t in KIND and t not in ("any", "int", "enum", "object", "list", "map"):
            v["kind"] = KIND[t]
        else:
            v["kind"], v["type"] = KIND["object"], 1 + self.index[self.find(file, t)]
        if v["kind"] == KIND["bool"]:
            v["width"] = 1

    def element(self, file, t, row):
        e = Row()
        self.value(file, t, e)
        row.v["elem_kind"], row.v["type"], row.v["word"] = e.v["kind"], e.v["type"], e.v["word"]
        simple = e.v["kind"] not in (KIND["list"], KIND["map"]) and not e.v["wire"] and not e.v["format"]
        if simple:
            row.v["width"] = e.v["width"]
        else:
            self.elems.append(e)
            row.v["elem"] = len(self.elems)  # 1 + index among the elements' rows, which come first

    def field(self, file, m, part):
        name, required, number, t, a, doc = m
        row = Row(name=self.texts.add(name), doc=self.texts.add(doc), pb=number, part=part)
        v = row.v
        mark = t[0] if t[0] in "+~" else ""
        t = t.lstrip("+~")
        self.value(file, t, row)
        if v["elem"] and "message" in a and t.startswith("map "):
            self.elems[v["elem"] - 1].v["wire"] |= WIRE_MESSAGE
        elif "message" in a:
            v["wire"] |= WIRE_MESSAGE
        v["note"] |= (REQUIRED if required else 0) | (MAP_ATOMIC if "map-atomic" in a else 0) | (TYPE_META if "typemeta" in a else 0)
        v["note"] |= MAP_GRANULAR if "map-granular" in a else 0
        pointer = v["note"] & POINTER
        if mark == "~":
            v["note"] |= OMIT_ZERO
        elif pointer and mark == "+":
            v["flags"] |= F_EMIT_NULL
        elif not pointer and (mark == "+" or v["kind"] in (KIND["object"], KIND["intorstr"], KIND["quantity"])):
            v["flags"] |= F_EMIT_NULL if v["kind"] in (KIND["list"], KIND["map"], KIND["time"], KIND["any"]) else F_EMIT
        elif not pointer and v["kind"] == KIND["time"]:
            v["flags"] |= F_EMIT_NULL
        v["flags"] |= (F_DEPRECATED if "deprecated" in a else 0) | (F_IMMUTABLE if "immutable" in a else 0)
        if "default" in a:
            v["def_"] = self.texts.add(a["default"])
        if "enum" in a:
            v["enums"] = self.texts.list([x.strip('"') for x in a["enum"].split("|")])
        if "atomic" in a or "set" in a or "key" in a:
            v["note"] |= LIST_TYPED
            v["list"] = 1 if "set" in a else 2 if "key" in a else 0
            v["list_keys"] = self.texts.add(a.get("key", "").replace(",", " "))
        if "patch" in a:
            v["merge"] = MERGE[a["patch"]]
        v["merge_key"] = self.texts.add(a.get("merge", ""))
        v["min"], v["max"] = int(a.get("min", 0)), int(a.get("max", 0))
        if "format" in a:
            v["format"] = self.formats[a["format"].upper().replace("-", "_")]
        return row

    def members(self, o, rows, parts, part):
        for m in o.members:
            if m[0] != "inline":
                rows.append(self.field(o.file, m, part))
                continue
            inner = self.of[self.find(o.file, m[2])]
            parts.append((m[1], part))
            self.members(inner, rows, parts, len(parts))

    def run(self):
        for gi, f in enumerate(self.files):
            for o in f.objects:
                rows, parts = [], []
                try:
                    self.members(o, rows, parts, 0)
                except (Bad, KeyError) as e:
                    sys.exit(f"{f.name}: {o.name}: {e}")
                if len(rows) > 255:
                    sys.exit(f"{f.name}: {o.name}: more than 255 fields")
                self.objects.append((o, f, gi, len(self.rows), len(rows), len(self.parts), len(parts)))
                self.rows += rows
                self.parts += parts

    def write(self, out):
        t = self.texts
        base = len(self.elems)
        objects = [(t.add(o.name), t.add(o.definition or f"{f.prefix}.{o.name}"), t.add(o.doc), t.add(o.union), base + row, n, part, np, gi, int(o.atomic), int(o.hidden))
                   for o, f, gi, row, n, part, np in self.objects]
        versions, resources, subs, kind = [], [], [], 0
        for f in self.files:
            api = f"{f.group}/{f.version}" if f.group else f.version
            versions.append((t.add(f.group), t.add(f.version), t.add(api), t.add(f.package), t.add(f.gate), kind, len(f.kinds)))
            kind += len(f.kinds)
            for k in f.kinds:
                resources.append((t.add(k["kind"]), t.add(k["kind"] + "List"), t.add(k["resource"]), t.add(k["kind"].lower()),
                                  t.list(k["short"]), t.list(k["categories"]), t.list(k["columns"]), t.list(k["select"]),
                                  1 + self.index[(f.name, k["kind"])], 1 + self.index.get((f.name, k["kind"] + "List"), -1),
                                  k["verbs"], len(subs), len(k["subs"]), int(k["namespaced"])))
                for name, v, body in k["subs"]:
                    g, ver, kd = f.group, f.version, k["kind"]
                    if body and "/" in body:
                        g, rest = body.rsplit("/", 1)
                        ver, kd = rest.split(".", 1)
                    elif body:
                        kd = body
                    subs.append((t.add(name), t.add(g), t.add(ver), t.add(kd), v))
        order = list(Row().v)
        rows = [tuple(r.v[k] for k in order) for r in self.elems + self.rows]
        p = lambda s: print(s, file=out)
        p('/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by compile.py from kinds/. */\n#include "api/tables.h"\n')
        p("const char api_strings[] =")
        for s in t.out:
            p(f"\t{json.dumps(s, ensure_ascii=True)} \"\\0\"" if s.isascii() else sys.exit(f"not ASCII: {s}"))
        p("\t;")
        for ctype, name, data in (("uint32_t", "lists", t.flat),):
            p(f"const {ctype} api_{name}[] = {{ {', '.join(map(str, data))} }};")
        for struct, name, data in (("row", "rows", rows), ("part", "parts", self.parts or [(0, 0)]), ("object", "objects", objects),
                                   ("version", "versions", versions), ("resource", "resources", resources),
                                   ("subresource", "subresources", subs)):
            p(f"const struct api_{struct} api_{name}[] = {{")
            for d in data:
                p("\t{ " + ", ".join(map(str, d)) + " },")
            p("};")
            p(f"const uint32_t api_n{name} = {len(data)};")
        p(f"const uint32_t api_nlists = {len(t.flat)};")


def formats(header):
    """The numbers of enum schema_format."""
    names = re.findall(r"^\s*X\((\w+),", open(header, encoding="utf-8").read(), re.M)
    return {n: i + 1 for i, n in enumerate(names)}


def main():
    out, header, *paths = sys.argv[1:]
    c = Compiler([read_file(p) for p in paths], formats(header))
    c.run()
    with open(out, "w", encoding="utf-8") as f:
        c.write(f)


if __name__ == "__main__":
    main()
