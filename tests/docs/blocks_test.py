#!/usr/bin/env python3
"""Goal: what README.md and docs/ say is so: programs compile and run, commands work, names exist, links lead somewhere.
Method: each block of code is cut out, with a cluster of its own behind localhost:9092, and run; comments of Markdown
before a block say what a reader need not see:

    <!-- frame: NAME -->    the block stands for the line @@ of tests/docs/frames/NAME
    <!-- filled -->         the topic orders has a thousand records, "order 0" and up
    <!-- before -->         it is of another library: its syntax is checked, as far as that library is here
    <!-- not run: WHY -->   a shell block that changes the machine; targets of make in it have to exist
    <!-- its output -->     a block of text that is what the block before it prints

    blocks_test.py [LIBRARY [BUILD]]    V=1 names the blocks
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FRAMES = ROOT / "tests" / "docs" / "frames"
PAGES = [ROOT / "README.md", ROOT / "bindings" / "python" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LIBRARY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/libsluice.so").resolve()
BUILD = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("BUILD", "build"))
NODE_FOLDER = ROOT / "bindings" / "node"
HAS_NODE = (NODE_FOLDER / "node_modules" / "koffi").is_dir() and shutil.which("node") is not None
LIMIT = 60

sys.dont_write_bytecode = True
os.environ.update(SLUICE_LIBRARY=str(LIBRARY), PYTHONDONTWRITEBYTECODE="1",
                  PYTHONPATH=str(ROOT / "bindings" / "python"))
sys.path.insert(0, os.environ["PYTHONPATH"])
import sluice  # noqa: E402  the package has to be found first
from sluice.testing import Cluster  # noqa: E402


class Block:
    """A fenced block of a page, and the marks before it."""

    def __init__(self, page, line, language, code, marks):
        self.where = f"{page.relative_to(ROOT)}:{line}"
        self.language, self.code, self.marks = language, code, marks
        self.output = None  # what it has to print
        self.text = code
        if "frame" in marks:
            frame = (FRAMES / marks["frame"]).read_text(encoding="utf-8")
            before, after = frame.split("@@\n")
            self.text = before + code + after


def read_blocks(page):
    """The blocks of a page, in order; a block of output belongs to the one before it."""
    found, marks, inside = [], {}, None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(keepends=True), 1):
        if inside is not None:
            if line.rstrip() == "```":
                found.append(Block(page, begin, inside, "".join(lines), marks))
                if "its output" in marks:
                    output = found.pop().code
                    found[-1].output = output
                inside, marks = None, {}
            else:
                lines.append(line)
        elif line.startswith("```"):
            inside, begin, lines = line[3:].strip(), number, []
        elif mark := re.match(r"<!-- (frame|filled|before|not run|its output)(?:: (.*?))? -->\s*$", line):
            marks[mark[1]] = mark[2] or ""
        elif line.strip():
            marks = {}
    assert inside is None, f"{page}: a block is not ended"
    return found


def run(command, folder, text="", ok=True, **more):
    """What it prints; everything that it starts ends with it."""
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, start_new_session=True, **more)
    try:
        out, err = process.communicate(text, LIMIT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"it did not end\n{out}{err}") from None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    assert not ok or process.returncode == 0, f"status {process.returncode}\n{out}{err}"
    return out


def make_cluster(block):
    cluster = Cluster()
    for topic in ("orders", "events", "payments"):
        cluster.create_topic(topic)
    if "filled" in block.marks:
        with sluice.Producer(cluster.bootstrap_servers) as producer:
            producer.send_many("orders", [b"order %d" % number for number in range(1000)])
    return cluster


def compiler(block):
    """The command that compiles a block of C or C++."""
    if block.language == "cpp":
        return [os.environ.get("CXX", "c++"), "-std=c++17", "-xc++"]
    return [os.environ.get("CC", "cc"), "-std=c99", "-xc"]


def run_c(block, folder, servers):
    program = os.path.join(folder, "program")
    run([*compiler(block), "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'include'}", "-D_DEFAULT_SOURCE", "-", "-o",
         program, "-xnone", str(LIBRARY), f"-Wl,-rpath,{LIBRARY.parent}"], folder, block.text.replace("localhost:9092", servers))
    return run([program], folder)


def run_python(block, folder, servers):
    return run([sys.executable, "-c", block.text.replace("localhost:9092", servers)], folder)


def run_js(block, folder, servers):
    # Below the package's folder it finds itself by its name.
    kind = "commonjs" if "require(" in block.text else "module"
    return run(["node", f"--input-type={kind}", "-e", block.text.replace("localhost:9092", servers)], NODE_FOLDER)


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return str(held.getsockname()[1])


def run_sh(block, folder, servers):
    ports = {}
    text = re.sub(r"\b909\d\b", lambda found: ports.setdefault(found[0], free_port()), block.text)
    (pathlib.Path(folder) / "build").symlink_to((ROOT / BUILD).resolve())
    return run(["sh", "-e"], folder, f"trap 'kill $! 2>/dev/null || true' EXIT\n{text}")


def check_before(block, folder):
    """Another library's code: nothing is run."""
    if block.language == "python":
        compile(block.text, block.where, "exec", flags=0x2000)  # await outside of a function will do
    elif block.language == "js":
        if HAS_NODE:
            path = os.path.join(folder, "before.mjs")
            pathlib.Path(path).write_text(block.text, encoding="utf-8")
            run(["node", "--check", path], folder)
    elif block.language == "c":
        if subprocess.run(["pkg-config", "--exists", "rdkafka"], check=False).returncode == 0:
            run([*compiler(block), "-fsyntax-only", "-Wall", "-D_DEFAULT_SOURCE", "-"], folder, block.text)
    else:
        raise AssertionError(f"{block.language} is not checked")


RUNNERS = {"c": run_c, "cpp": run_c, "python": run_python, "js": run_js, "sh": run_sh}


def check(block):
    with tempfile.TemporaryDirectory() as folder:
        if "before" in block.marks:
            check_before(block, folder)
        elif "not run" in block.marks:
            check_targets(block)
        elif block.language == "properties":
            path = os.path.join(folder, "client.properties")
            pathlib.Path(path).write_text(block.text, encoding="utf-8")
            role = block.marks.get("frame") or re.match(r"# an? (\w+)", block.code)[1]
            run([str((ROOT / BUILD / "sluice-config").resolve()), role, path], folder)
        elif block.language == "js" and not HAS_NODE:
            return
        elif block.language not in ("text", "ts"):
            with make_cluster(block) as cluster:
                printed = RUNNERS[block.language](block, folder, cluster.bootstrap_servers)
            assert block.output in (None, printed), f"it printed\n{printed}"


TARGETS = set(re.findall(r"^([a-z-]+):", "".join(
    path.read_text(encoding="utf-8") for path in [ROOT / "Makefile", *(ROOT / "mk").glob("*.mk")]), re.M))


def check_targets(block):
    for line in block.code.splitlines():
        if command := re.match(r"make((?: +[a-z][a-z-]*(?= |$))*)", line):
            unknown = set(command[1].split()) - TARGETS
            assert not unknown, f"make knows no {unknown}"


# ---- names and links ----

def known_names():
    """Every name of the headers."""
    abi = json.loads((ROOT / "bindings" / "abi.json").read_text(encoding="utf-8"))
    headers = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "include" / "sluice").glob("*.h"))
    return set(abi["functions"]) | set(re.findall(r"\b[sS][lL][uU][iI][cC][eE]_\w+", headers))


def check_names(page):
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"\b(?:sluice|SLUICE)_[A-Za-z]\w*\b(?![*./-])", text)) - {
        "SLUICE_LIBRARY", "SLUICE_VERSION", "sluice_cluster"}
    unknown = {name for name in names - known_names() if not name.endswith("_")}
    assert not unknown, f"there is no {sorted(unknown)}"
    for kind, name in re.findall(r"`(?:await )?((?:Async)?(?:Producer|Consumer)|Admin|Batch)\.(\w+)", text):
        if "js" not in page.name:  # names of the Node package are camel case, and checked by its types
            assert hasattr(getattr(sluice, kind), name), f"there is no {kind}.{name}"


def check_properties(page):
    """The table of another client's properties: what is said to be taken has to be known, and the rest not."""
    manual = (ROOT / "CONFIGURATION.md").read_text(encoding="utf-8").split("## Values of other clients")[0]
    known = set(re.findall(r"^\| `([^`]+)`", manual, re.M))
    for aliases in re.findall(r"Also: ([^.]*(?:\.[^ |]+[^.]*)*)\.", manual):
        known |= set(re.findall(r"`([^`]+)`", aliases))
    for names, word in re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \| (taken|refused) \|", page.read_text(encoding="utf-8"), re.M):
        for name in re.findall(r"`([^`]+)`", names):
            assert (name in known) == (word == "taken"), f"{name} is not {word}"


def check_links(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), f"a link leads to {target}"


def main():
    blocks = [block for page in PAGES for block in read_blocks(page)]
    tasks = [(block.where, check, block) for block in blocks]
    tasks += [(f"names of {page.name}", check_names, page) for page in PAGES]
    tasks += [(f"properties in {page.name}", check_properties, page) for page in PAGES]
    tasks += [(f"links of {page.name}", check_links, page) for page in PAGES]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for (where, _, _), future in zip(tasks, [pool.submit(work, what) for _, work, what in tasks]):
            error = future.exception()
            if error is not None:
                failed += 1
                print(f"{where}: {type(error).__name__}: {error}")
            elif os.environ.get("V"):
                print(where)
    print(f"{len(tasks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
