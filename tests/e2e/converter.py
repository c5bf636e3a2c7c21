# SPDX-License-Identifier: Apache-2.0
"""A definition of two versions whose objects a webhook in this process converts: v1 has hostPort, v2 has host and port."""
import copy
import time

import conform_convert
from conform_crd import Definition
from conform_hooks import ANSWERS, SLOW
from kube import api, until

TEXT = {"type": "string"}
STATUS = {"type": "object", "properties": {"replicas": {"type": "integer"}, "said": TEXT}}
SPEC = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
V1 = {"type": "object", "properties": {"hostPort": TEXT, "spec": SPEC, "status": STATUS}}
V2 = {"type": "object", "properties": {"host": TEXT, "port": TEXT, "spec": SPEC, "status": STATUS}}
ASKED = []  # number of objects of each question that was answered as it should be


ONE, TWO = ("localhost:8080", None, None), (None, "localhost", "8080")


def host_port(o):
    return o.get("hostPort"), o.get("host"), o.get("port")


def converted(o, to):
    return conform_convert.converted(copy.deepcopy(o), to)


def success(objects):
    return {"result": {"status": "Success"}, "convertedObjects": objects}


def convert(q):
    ASKED.append(len(q["objects"]))
    return success([converted(o, q["desiredAPIVersion"]) for o in q["objects"]])


def slowly(q):
    time.sleep(SLOW)
    return convert(q)


def lie(change):
    """All is right but what change(answer) does."""
    def answer(q):
        a = success([converted(o, q["desiredAPIVersion"]) for o in q["objects"]])
        change(a)
        return a
    return answer


def meta(**fields):
    return lie(lambda a: [o["metadata"].update(fields) for o in a["convertedObjects"]])


def hang_up(q):
    raise ConnectionAbortedError


LIES = {
    "/lie-uid": (lie(lambda a: a.update(uid="another")), "expected response.uid="),
    "/lie-fewer": (lie(lambda a: a["convertedObjects"].pop()), "returned 0 objects, expected 1"),
    "/lie-more": (lie(lambda a: a["convertedObjects"].append({})), "returned 2 objects, expected 1"),
    "/lie-none": (lie(lambda a: a.pop("convertedObjects")), "returned 0 objects, expected 1"),
    "/lie-name": (meta(name="other"), "must have the same name: one != other"),
    "/lie-namespace": (meta(namespace="kube-system"), "must have the same namespace"),
    "/lie-object-uid": (meta(uid="1"), "must have the same UID"),
    "/lie-version": (lie(lambda a: a["convertedObjects"][0].update(apiVersion="a/v9")), "invalid groupVersion"),
    "/lie-kind": (lie(lambda a: a["convertedObjects"][0].update(kind="Pod")), "invalid kind"),
    "/lie-metadata": (lie(lambda a: a["convertedObjects"][0].update(metadata=7)), "must have the same name"),
    "/lie-label": (meta(labels={"a b": "c"}), "labels"),
    "/lie-array": (lie(lambda a: a.update(convertedObjects=[[]])), ""),
    "/lie-failed": (lambda q: {"result": {"status": "Failure", "message": "no such port"}}, "no such port"),
    "/lie-silent": (lambda q: {}, "Success"),
    "/lie-huge": (lie(lambda a: a["convertedObjects"][0].update(pad="x" * (17 << 20))), ""),
    "/hang-up": (hang_up, ""),
}
ANSWERS.update({"/convert": convert, "/convert-slowly": slowly, "/convert-marked": meta(labels={"marked": "yes"}),
                "/convert-bold": meta(ownerReferences=[], finalizers=["x.example.com/y"], generation=99, resourceVersion="1", annotations={"told": "yes"}),
                **{at: answer for at, (answer, _) in LIES.items()}})


def conversion(at="/convert", **more):
    c = conform_convert.conversion(at)
    c["webhook"].update(more)
    return c


class Converted(Definition):
    def __init__(self, at="/convert", schemas=(V1, V2), review=None, **more):
        super().__init__(*schemas, **more)
        self.body["spec"]["conversion"] = conversion(at, **({"conversionReviewVersions": review} if review else {}))

    def asks(self, at):
        """From now on the webhook is another one."""
        return self.k.change(self.name, lambda o: o["spec"].update(conversion=conversion(at)))

    def stores(self, version):
        def put(o):
            for v in o["spec"]["versions"]:
                v["storage"] = v["name"] == version
        self.k.change(self.name, put)
        until(lambda: version in self.k.get(self.name)["status"]["storedVersions"], f"{version} is stored")

    def __exit__(self, *what):
        if what[0]:  # what failed may have left it with a converter that lies
            api().ask("DELETE", self.k.path(self.name))
            return
        super().__exit__(*what)
