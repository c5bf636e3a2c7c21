# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-api-machinery for custom kinds: definitions, discovery, OpenAPI, fields of their objects."""
import json

from conform_machinery import AGGREGATED, TRUE, aggregated, refused
from kube import Kind, api, equal, holds, kind, suite, until
from kube_life import status_changed, told

case = suite("sig-api-machinery")
ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
FOO = {"type": "object", "description": "Foo CRD for Testing", "properties": {
    "spec": {"type": "object", "description": "Specification of Foo", "properties": {
        "bars": {"type": "array", "description": "List of Bars and their specs.", "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "description": "Name of Bar."}, "age": {"type": "string", "description": "Age of Bar."},
            "feeling": {"type": "string", "enum": ["Great", "Down"]}, "bazs": {"type": "array", "items": {"type": "string"}}}}}}},
    "status": {"type": "object", "properties": {"bars": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}}}}}}


class Definition:
    """A definition of a custom kind that is served; on leaving it is deleted."""
    n = 0

    def __init__(self, *schemas, group=None, plural=None, versions=None, labels=None, **more):
        Definition.n += 1
        self.group, self.plural = group or f"g{Definition.n}.example.com", plural or f"foo{Definition.n}s"
        self.names = versions or [f"v{n}" for n in range(1, len(schemas) + 1)]
        self.kind, self.name = "E2e" + self.plural.capitalize()[:-1], f"{self.plural}.{self.group}"
        self.k = kind("customresourcedefinitions")
        self.body = {"metadata": {"name": self.name, "labels": labels or {}}, "spec": {
            "group": self.group, "scope": "Namespaced",
            "names": {"plural": self.plural, "singular": self.plural[:-1], "kind": self.kind, "listKind": self.kind + "List"},
            "versions": [{"name": v, "served": True, "storage": n == 0, "schema": {"openAPIV3Schema": s}, **more} for n, (v, s) in enumerate(zip(self.names, schemas))]}}

    def __enter__(self):
        self.k.create(self.body)
        self.served()
        return self

    def served(self, version=None):
        until(lambda: any(c["type"] == "Established" and c["status"] == "True" for c in self.k.get(self.name)["status"]["conditions"] or []),
              f"{self.name} is established")
        until(lambda: api().ask("GET", self.of(version).path()).status == 200, f"{self.name} is served")

    def __exit__(self, *what):
        if api().ask("DELETE", self.k.path(self.name)).status == 200:
            until(lambda: api().ask("GET", self.k.path(self.name)).status == 404, f"{self.name} is gone")

    def of(self, version=None, namespace="default"):
        return Kind(api(), self.group, version or self.names[0], self.kind, self.plural, namespace)

    def version(self, name, **change):
        """Changes one version of the definition."""
        def put(o):
            next(v for v in o["spec"]["versions"] if v["name"] == name).update(change)
        return self.k.change(self.name, put)

    def published(self, version, there=True):
        """Its definition in OpenAPI 2, waited for; and whether OpenAPI 3 has it too."""
        what = {"group": self.group, "version": version, "kind": self.kind}

        def look():
            found = [d for d in api().get("/openapi/v2")["definitions"].values() if what in d.get("x-kubernetes-group-version-kind", [])]
            return found if bool(found) == there else None
        until(lambda: look() is not None, f"{what} in OpenAPI 2: {there}")

        def three():
            a = api().ask("GET", f"/openapi/v3/apis/{self.group}/{version}")
            return (a.status == 200 and any(what in s.get("x-kubernetes-group-version-kind", []) for s in a.json()["components"]["schemas"].values())) == there
        until(three, f"{what} in OpenAPI 3: {there}")
        return look()[0] if there else None


def one(name="one", **more):
    return {"metadata": {"name": name}, **more}


# ---- definitions ----


@case("CustomResourceDefinition resources Simple CustomResourceDefinition creating/deleting custom resource definition objects works")
def _():
    with Definition(ANY) as d:
        d.of().create(one())
        d.k.delete(d.name)
        until(lambda: api().ask("GET", d.k.path(d.name)).status == 404, "gone")
        until(lambda: api().ask("GET", d.of().path()).status == 404, "not served")


@case("CustomResourceDefinition resources Simple CustomResourceDefinition listing custom resource definition objects works")
def _():
    mark = {"listed": "yes"}
    made = [Definition(ANY, labels=mark) for _ in range(10)]
    for d in made:
        d.k.create(d.body)
    k = made[0].k
    equal(sorted(k.names(labelSelector="listed=yes")), sorted(d.name for d in made))
    with Definition(ANY) as other:
        k.delete_all(labelSelector="listed=yes")
        until(lambda: not k.items(labelSelector="listed=yes"), "none is left")
        equal(k.get(other.name)["metadata"]["name"], other.name)


@case("CustomResourceDefinition resources Simple CustomResourceDefinition getting/updating/patching custom resource definition status sub-resource works")
def _():
    with Definition(ANY) as d:
        status_changed(d.k, d.name, TRUE)


@case("CustomResourceDefinition resources should include custom resource definition resources in discovery documents")
def _():
    row = told(kind("customresourcedefinitions"), "status")
    assert row["namespaced"] is False and set("create delete deletecollection get list patch update watch".split()) <= set(row["verbs"]), row
    equal(kind("customresourcedefinitions").gv, "apiextensions.k8s.io/v1")


@case("CustomResourceDefinition resources custom resource defaulting for requests and from storage works")
def _():
    plain = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    with_a = {"type": "object", "properties": {"a": {"type": "string", "default": "A"}, "b": {"type": "string"}}}
    with_b = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string", "default": "B"}}}
    with Definition(plain) as d:
        k = d.of()
        assert "a" not in k.create(one())
        d.version("v1", schema={"openAPIV3Schema": with_a})
        until(lambda: k.get("one").get("a") == "A", "a default for what is stored")
        equal(k.create(one("two"))["a"], "A")
        d.version("v1", schema={"openAPIV3Schema": with_b})
        until(lambda: k.get("two").get("b") == "B", "the other default")
        equal(k.get("two")["a"], "A")  # was stored
        equal(k.get("one")["b"], "B")


@case("CustomResourceDefinition Watch CustomResourceDefinition Watch watch on custom resource definition objects")
def _():
    with Definition(ANY) as d:
        k = d.of()
        begun = k.list()["metadata"]["resourceVersion"]
        with k.watch(resourceVersion=begun, fieldSelector="metadata.name=one") as a, k.watch(resourceVersion=begun) as b:
            k.create(one())
            k.create(one("two"))
            k.patch("one", {"dummy": "test"})
            k.delete("one")
            k.delete("two")
            for w, types in ((a, [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]),
                             (b, [("ADDED", "one"), ("ADDED", "two"), ("MODIFIED", "one"), ("DELETED", "one"), ("DELETED", "two")])):
                for type_, name in types:
                    equal(w.next(type_)["metadata"]["name"], name)


# ---- discovery of them ----


def in_aggregated(d, accept):
    def look():
        resources = aggregated("/apis", accept).get(d.group, {}).get("v1", [])
        return next((r for r in resources if r["resource"] == d.plural), None)
    row = until(look, f"{d.name} in discovery")
    holds(row, {"responseKind": {"group": d.group, "version": "v1", "kind": d.kind}, "scope": "Namespaced", "singularResource": d.plural[:-1]})


@case("AggregatedDiscovery should support aggregated discovery interface for CRDs")
def _():
    with Definition(ANY) as d:
        in_aggregated(d, AGGREGATED)
        told(d.of())
    until(lambda: d.group not in aggregated("/apis"), "not in discovery")


@case("AggregatedDiscovery should support raw aggregated discovery request for CRDs")
def _():
    with Definition(ANY) as d:
        in_aggregated(d, AGGREGATED + ",application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json")


# ---- OpenAPI ----


@case("CustomResourcePublishOpenAPI works for CRD with validation schema")
def _():
    with Definition(FOO) as d:
        got, k = d.published("v1"), d.of()
        equal(got["description"], FOO["description"])
        equal(got["properties"]["spec"], FOO["properties"]["spec"])
        assert {"apiVersion", "kind", "metadata"} <= set(got["properties"])
        good = one(spec={"bars": [{"name": "test-bar", "age": "10", "feeling": "Great"}]})
        k.create(good, fieldValidation="Strict")
        k.patch("one", {**k.full(good), "spec": {"bars": [{"name": "other-bar"}]}}, "apply", fieldManager="m", fieldValidation="Strict", force="true")
        for bad, says in ((one("x", spec={"bars": [{"name": "a", "feeling": "Meh"}]}), "feeling"), (one("x", spec={"bars": [{"age": "10"}]}), "spec.bars[0].name")):
            a = k.create(bad, want=422)
            assert says in a["message"] and a["reason"] == "Invalid", a
        a = k.create(one("x", spec={"unknown": 1}), want=400, fieldValidation="Strict")
        assert 'unknown field "spec.unknown"' in a["message"], a


def takes_anything(d, path):
    k = d.of()
    body = {"metadata": {"name": "one"}}
    at = body
    for word in path:
        at = at.setdefault(word, {})
    at.update({"a": {"b": [1, "two"]}, "c": True})
    holds(k.create(body, fieldValidation="Strict"), body)
    at["d"] = "applied"
    holds(k.patch("one", k.full(body), "apply", fieldManager="m", fieldValidation="Strict", force="true"), body)


@case("CustomResourcePublishOpenAPI works for CRD without validation schema")
def _():
    with Definition(ANY) as d:
        d.published("v1")
        takes_anything(d, [])


@case("CustomResourcePublishOpenAPI works for CRD preserving unknown fields at the schema root")
def _():
    with Definition({**FOO, "x-kubernetes-preserve-unknown-fields": True}) as d:
        holds(d.published("v1"), {"x-kubernetes-group-version-kind": [{"group": d.group, "version": "v1", "kind": d.kind}]})
        takes_anything(d, [])


@case("CustomResourcePublishOpenAPI works for CRD preserving unknown fields in an embedded object")
def _():
    inner = {"type": "object", "properties": {"spec": {"type": "object", "description": "Specification of Waldo", **ANY},
                                              "status": {"type": "object", "properties": {"bars": {"type": "array", "items": ANY}}}}}
    with Definition(inner) as d:
        # Version 2 has no type where anything goes: kubectl would look into it.
        equal(d.published("v1")["properties"]["spec"], {k: v for k, v in inner["properties"]["spec"].items() if k != "type"})
        takes_anything(d, ["spec"])
        assert 'unknown field "other"' in d.of().create(one("x", other=1), want=400, fieldValidation="Strict")["message"]


@case("CustomResourcePublishOpenAPI works for multiple CRDs of different groups")
def _():
    with Definition(FOO) as a, Definition(ANY) as b:
        assert a.group != b.group
        a.published("v1")
        b.published("v1")


@case("CustomResourcePublishOpenAPI works for multiple CRDs of same group but different versions")
def _():
    with Definition(FOO, FOO) as d:
        equal(d.published("v1")["properties"]["spec"], d.published("v2")["properties"]["spec"])
    with Definition(FOO, group="same.example.com", versions=["v4"]) as a, Definition(FOO, group="same.example.com", versions=["v5"]) as b:
        a.published("v4")
        b.published("v5")


@case("CustomResourcePublishOpenAPI works for multiple CRDs of same group and version but different kinds")
def _():
    with Definition(FOO, group="kinds.example.com") as a, Definition(ANY, group="kinds.example.com") as b:
        a.published("v1")
        b.published("v1")


@case("CustomResourcePublishOpenAPI updates the published spec when one version gets renamed")
def _():
    with Definition(FOO, FOO, versions=["v2", "v3"]) as d:
        kept = d.published("v2")
        d.published("v3")
        d.k.patch(d.name, [{"op": "test", "path": "/spec/versions/1/name", "value": "v3"}, {"op": "replace", "path": "/spec/versions/1/name", "value": "v4"}], "json")
        d.published("v4")
        d.published("v3", there=False)
        equal(d.published("v2"), kept)


@case("CustomResourcePublishOpenAPI removes definition from spec when one version gets changed to not be served")
def _():
    with Definition(FOO, FOO, versions=["v5", "v6alpha1"]) as d:
        kept = d.published("v5")
        d.published("v6alpha1")
        d.version("v6alpha1", served=False)
        d.published("v6alpha1", there=False)
        equal(d.published("v5"), kept)


# ---- field validation of their objects ----

SPEC = {"type": "object", "properties": {"spec": {"type": "object", "required": ["knownField1"], "properties": {
    "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"}, "knownField1": {"type": "string"},
    "foo": {"type": "string"}, "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                                         "items": {"type": "object", "required": ["containerPort", "protocol"], "properties": {
                                             "containerPort": {"type": "integer"}, "protocol": {"type": "string"}, "hostPort": {"type": "integer"}}}}}}}}


def apply(k, text, want, **query):
    return api().ask("PATCH", k.path("mytest", fieldManager="m", **query), text, {"Content-Type": "application/apply-patch+yaml"}, want).json()


def yaml(k, *lines):
    return "\n".join([f"apiVersion: {k.gv}", f"kind: {k.kind}", "metadata:", "  name: mytest", *lines]) + "\n"


@case("FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema")
def _():
    with Definition(ANY) as d:
        k = d.of()
        holds(apply(k, yaml(k, "spec:", "  foo: foo1", "  cronSpec: any"), 201, fieldValidation="Strict"), {"spec": {"foo": "foo1", "cronSpec": "any"}})
        k.create(one(spec={"bar": [1]}), fieldValidation="Strict")


@case("FieldValidation should create/apply a valid CR for CRD with validation schema")
def _():
    with Definition(SPEC) as d:
        k = d.of()
        lines = ["spec:", "  knownField1: val1", "  ports:", "  - containerPort: 8080", "    protocol: TCP", "    hostPort: 8081"]
        apply(k, yaml(k, *lines), 201, fieldValidation="Strict")
        apply(k, yaml(k, *[l.replace("8081", "8082") for l in lines]), 200, fieldValidation="Strict")
        equal(k.get("mytest")["spec"]["ports"], [{"containerPort": 8080, "protocol": "TCP", "hostPort": 8082}])


@case("FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema")
def _():
    with Definition(SPEC) as d:
        k = d.of()
        text = yaml(k, "spec:", "  knownField1: val1", "  foo: foo1", "  unknown: x", "  ports:", "  - containerPort: 8080", "    protocol: TCP", "    hostport: 1")
        said = apply(k, text, (400, 422, 500), fieldValidation="Strict")["message"]
        for word in ("unknown", "hostport"):
            assert word in said, said
        refused(k, json.dumps(k.full(one(spec={"knownField1": "a", "unknown": 1}))), 'unknown field "spec.unknown"')


@case("FieldValidation should detect duplicates in a CR when preserving unknown fields")
def _():
    with Definition(ANY) as d:
        k = d.of()
        text = json.dumps(k.full(one(spec={"foo": "a"}))).replace('"foo": "a"', '"foo": "a", "foo": "b"')
        refused(k, text, 'duplicate field "spec.foo"')
        said = apply(k, yaml(k, "spec:", "  foo: a", "  foo: b"), 400, fieldValidation="Strict")["message"]
        assert 'key "foo" already set in map' in said, said


@case("FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR")
def _():
    template = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
    with Definition({"type": "object", "properties": {"template": template}}) as d:
        k = d.of()
        inner = {"apiVersion": "foo/v1", "kind": "Sub", "metadata": {"name": "sub", "unknownSubMeta": "x"}}
        body = k.full({"metadata": {"name": "one", "unknownMeta": "x"}, "template": inner})
        refused(k, json.dumps(body), 'unknown field "metadata.unknownMeta"', 'unknown field "template.metadata.unknownSubMeta"')
