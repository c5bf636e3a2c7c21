# SPDX-License-Identifier: Apache-2.0
"""Conformance tests of sig-api-machinery for admission policies, and the policies of Kubernetes' own documentation."""
from conform_hooks import denied
from kube import api, equal, holds, kind, space, suite, until

case = suite("sig-api-machinery")
MATCH = {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]}


class Policy:
    """A policy and a binding for one namespace; on leaving both are deleted."""
    n = 0

    def __init__(self, which, ns, spec, **binding):
        Policy.n += 1
        self.name, self.which = f"policy-{Policy.n}.example.com", which
        self.policies, self.bindings = kind(which + "admissionpolicies"), kind(which + "admissionpolicybindings")
        self.spec = {"matchConstraints": MATCH, **({"reinvocationPolicy": "Never"} if which == "mutating" else {}), **spec}
        self.binding = {"policyName": self.name, "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}}},
                        **({"validationActions": ["Deny"]} if which == "validating" else {}), **binding}

    def __enter__(self):
        self.policies.create({"metadata": {"name": self.name}, "spec": self.spec})
        self.bindings.create({"metadata": {"name": self.name}, "spec": self.binding})
        return self

    def __exit__(self, *what):
        for k in (self.bindings, self.policies):
            api().ask("DELETE", k.path(self.name))

    def checked(self):
        """Its status, once types were checked."""
        return until(lambda: self.policies.get(self.name).get("status", {}).get("typeChecking") is not None
                     and self.policies.get(self.name)["status"], "the check of types")


def deployment(name, replicas=1, **annotations):
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "test"}},
        "template": {"metadata": {"labels": {"app": "test"}}, "spec": {"containers": [{"name": "httpd", "image": "registry.example/httpd:1"}]}}}}


@case("ValidatingAdmissionPolicy should validate against a Deployment")
def _():
    ns = space()
    k = kind("deployments", ns)
    with Policy("validating", ns, {"validations": [
            {"expression": "object.spec.replicas > 1", "messageExpression": "'wants replicas > 1, got ' + string(object.spec.replicas)"},
            {"expression": f"namespaceObject.metadata.name == '{ns}'", "message": "Internal error! Other namespace should not be allowed."}]}) as p:
        equal(p.checked(), {"observedGeneration": 1, "typeChecking": {}})
        denied(lambda: k.create(deployment("replicated")), "wants replicas > 1, got 1", '"reason":"Invalid"', code=422)
        k.create(deployment("replicated", 2))
        kind("deployments", space()).create(deployment("replicated"))
    k.create(deployment("other"))


@case("ValidatingAdmissionPolicy should allow expressions to refer variables.")
def _():
    ns = space()
    k = kind("deployments", ns)
    with Policy("validating", ns, {
            "variables": [{"name": "replicas", "expression": "object.spec.replicas"},
                          {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"}],
            "validations": [{"expression": "variables.replicas > 1"},
                            {"expression": "!variables.oddReplicas", "messageExpression": "'even replicas are wanted, not ' + string(variables.replicas)"}]}) as p:
        equal(p.checked(), {"observedGeneration": 1, "typeChecking": {}})
        denied(lambda: k.create(deployment("replicated")), "failed expression: variables.replicas > 1", code=422)
        denied(lambda: k.create(deployment("replicated", 3)), "even replicas are wanted, not 3", code=422)
        k.create(deployment("replicated", 2))


@case("MutatingAdmissionPolicy should mutate a Deployment")
def _():
    ns = space()
    k = kind("deployments", ns)
    scale = {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'replace', path: '/spec/replicas', value: object.spec.replicas + 2}]"}}
    with Policy("mutating", ns, {"mutations": [scale]}):
        equal(k.create(deployment("scaled"))["spec"]["replicas"], 3)
        equal(k.get("scaled")["spec"]["replicas"], 3)
    equal(k.create(deployment("plain"))["spec"]["replicas"], 1)


@case("MutatingAdmissionPolicy should mutate a Deployment with annotations")
def _():
    ns = space()
    k = kind("deployments", ns)
    note = {"patchType": "ApplyConfiguration", "applyConfiguration": {
        "expression": "Object{metadata: Object.metadata{annotations: {'my-foo-annotation': 'myAnnotationValue'}}}"}}
    with Policy("mutating", ns, {"mutations": [note]}):
        made = k.create(deployment("noted", **{"own": "stays"}))
        holds(made["metadata"]["annotations"], {"own": "stays", "my-foo-annotation": "myAnnotationValue"})
        equal(k.get("noted"), made)
