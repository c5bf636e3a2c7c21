# SPDX-License-Identifier: Apache-2.0
"""kubectl_compare.py LIST KUBECTL TEU [FOLDER FOLDER | ns=NAME ns=NAME]: gives both programs each line of LIST and compares
what they say.

With folders each program has a copy of the kubeconfig files a and b of its own, which must be the same after each line.
With ns= each has a namespace of its own: then lines may change objects. SPACE in a line is its name. NAME=VALUE words in front
of a line are put into the environment.
"""
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys


def normal(text):
    """Ages differ from run to run, and with them the blanks behind."""
    text = re.sub(r"(?<![\w.:/-])\d+[smhdy](?:\d+[smhd])?(?= |$)", "AGE", text, flags=re.M)
    text = re.sub(r"AGE +", "AGE ", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"kubectl-edit-\d+", "kubectl-edit", text)
    text = re.sub(r"/(LIVE|MERGED)-\d+", r"/\1", text)
    text = re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [+-]\d{4}", "TIME", text)
    text = re.sub(r"[EWI]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "KLOG ", text)
    return re.sub(r"(resourceVersion\"?: ?\"?)\d+", r"\1N", text)


def run(program, words, folder=None):
    env = dict(os.environ)
    words = list(words)
    while "=" in words[0]:  # NAME=VALUE in front, as in a shell
        name, value = words.pop(0).split("=", 1)
        env[name] = value
    words = [*program, *words]
    space = folder and folder.startswith("ns=") and folder[3:]
    if space:
        words = [word.replace("SPACE", space) for word in words]
        at = words.index("--") if "--" in words else len(words)
        words, folder = [*words[:at], "-n", space, *words[at:]], None
    if folder:
        env["KUBECONFIG"] = f"{folder}/a:{folder}/b"
    try:
        p = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, env=env, timeout=30)
    except subprocess.TimeoutExpired as late:
        return normal((late.stdout or b"").decode()), "has not ended", id(words)
    out, err = p.stdout.decode(), p.stderr.decode()
    if folder:
        out, err = out.replace(folder, "DIR"), err.replace(folder, "DIR")
    if space:
        out, err = out.replace(space, "SPACE"), err.replace(space, "SPACE")
    return normal(out), normal(err), p.returncode


def files(folder):
    if folder.startswith("ns="):
        return None
    return {f: open(f"{folder}/{f}").read() for f in ("a", "b") if os.path.exists(f"{folder}/{f}")}


def compare(line, kubectl, teu, folders):
    """What is wrong with one line, or nothing."""
    loose = line.startswith("~")
    words = shlex.split(line.lstrip("~"))
    theirs = run([kubectl], words, folders[0])
    ours = run([teu, "kubectl"], words, folders[1])
    if loose:
        theirs, ours = (theirs[0], theirs[2]), (ours[0], ours[2])
    said = "" if theirs == ours else f"-- kubectl: {theirs}\n-- teu:     {ours}\n"
    if folders[0] and files(folders[0]) != files(folders[1]):
        said += f"-- files: {files(folders[0])}\n-- teu:   {files(folders[1])}\n"
    return said and f"== {line}\n{said}"


def main():
    path, kubectl, teu = sys.argv[1:4]
    folders = sys.argv[4:6] or [None, None]
    lines = [line.rstrip("\n") for line in open(path) if line.strip() and not line.startswith("#")]
    # Lines that change files come one after the other.
    with concurrent.futures.ThreadPoolExecutor(1 if folders[0] else 4) as pool:
        said = list(pool.map(lambda line: compare(line, kubectl, teu, folders), lines))
    print("".join(said) + f"{len(lines)} command lines, {sum(map(bool, said))} differ")
    sys.exit(any(said))


main()
