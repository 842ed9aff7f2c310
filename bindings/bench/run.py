#!/usr/bin/env python3
"""The entry of `make bench-bindings`: the bindings beside the clients that people use in those languages, against the
same bundled broker process, in interleaved runs, each client in a process of its own.

    bindings/bench/run.py [CASE ...]   only these cases (default: all)
    RUNS=3 BENCH_SECONDS=1.5           runs per client and case, and the measured time of each

CPU is that of the whole client process, per record; medians of the runs. Prints a line a case as `make bench` does,
then whether each bar holds, and writes build/bench-bindings.json. Peers come from their registries into a cache
outside the tree.
"""
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "sluice" / "peer"
CONFLUENT = "confluent-kafka==2.16.1"
CONFLUENT_NODE = "@confluentinc/kafka-javascript@1.10.1"
RUNS = int(os.environ.get("RUNS", "3"))
SECONDS = os.environ.get("BENCH_SECONDS", "1.5")
HERE = pathlib.Path(__file__).resolve().parent

# case: (the peer, CPU of ours over the peer's at most, or None)
CASES = {
    "py-send-many": ("confluent", 1 / 6),
    "py-send": ("confluent", 1 / 2),
    "py-values": ("confluent", 1 / 4),
    "py-fields": ("confluent", 1 / 1.5),
    "py-aio-consume": ("confluent", 1 / 20),
    "py-aio-send": ("confluent", 1 / 3),
    "node-batch": ("kafkajs", 1 / 8),
    "node-record": ("kafkajs", 1 / 4),
    "node-send": ("kafkajs", 1 / 10),
    "node-batch-confluent": ("confluent", 1 / 20),
    "node-record-confluent": ("confluent", 1 / 20),
    "node-batch-confluent-unlimited": ("confluent", None),  # batches of 32, its default, lifted: told, no bar
}


def say(text):
    print(f"bench: {text}", flush=True)


def confluent_folder():
    """Where the peer is; installed when it is wanted first."""
    folder = CACHE / (CONFLUENT.replace("==", "-") + "-py")
    if not folder.exists():
        part = folder.with_suffix(".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "--only-binary", ":all:", "--target", str(part), CONFLUENT], check=True)
        part.rename(folder)
    return folder


def build_confluent_node(folder):
    """From its sources, in ten minutes of a processor: the package has no binary that its registry carries. With
    the system's libraries, because its own way fetches their sources from their sites."""
    tree = folder / "node_modules" / "@confluentinc" / "kafka-javascript"
    library, jobs = tree / "deps" / "librdkafka", str(os.cpu_count() or 2)
    places = [f"--prefix={tree / 'build' / 'deps'}", f"--libdir={tree / 'build' / 'deps'}", "--disable-gssapi"]
    environment = {**os.environ, "CKJS_LINKING": "dynamic", "JOBS": jobs}
    with open(folder / "build.log", "w", encoding="utf-8") as log:
        for command, place in (
                (["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder),
                  CONFLUENT_NODE], folder),
                (["./configure", *places], library), (["make", "-j", jobs, "libs"], library),
                (["npm", "rebuild", "--build-from-source", "--prefix", str(folder), "@confluentinc/kafka-javascript"],
                 folder)):
            subprocess.run(command, cwd=place, env=environment, stdout=log, stderr=log, check=True)
    # A failed build script is no failure to npm.
    subprocess.run(["node", "-e", "require('@confluentinc/kafka-javascript')"], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def confluent_node_folder():
    """Where the peer of Node is; built when it is wanted first. None where that does not work."""
    folder = CACHE / "confluent-kafka-javascript-1.10.1"
    if (folder / "failed").exists():
        return None
    if not (folder / "built").exists():
        say("building confluent-kafka-javascript, once")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            build_confluent_node(folder)
        except (subprocess.CalledProcessError, OSError) as error:
            (folder / "failed").write_text(f"{error}\n", encoding="utf-8")
            return None
        (folder / "built").touch()
    return folder


def command_of(case, who):
    """The command line of a client without servers and seconds, and its environment."""
    environment = dict(os.environ)
    environment.setdefault("SLUICE_LIBRARY", str(BUILD / "libsluice.so.0"))
    if case.startswith("py-"):
        path = ROOT / "bindings" / "python" if who == "sluice" else confluent_folder()
        environment["PYTHONPATH"] = str(path)
        return [sys.executable, str(HERE / "py_client.py"), case, who], environment
    if who == "confluent":
        environment["NODE_PATH"] = str(confluent_node_folder() / "node_modules")
    return ["node", str(HERE / "node_client.cjs"), case, who], environment


def run_client(case, who, servers):
    """(records a second, CPU nanoseconds a record)"""
    command, environment = command_of(case, who)
    done = subprocess.run([*command, servers, SECONDS], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {case} {who} failed:\n{done.stdout}{done.stderr}")
    told = json.loads(done.stdout.splitlines()[-1])
    return told["records"] / told["wall"], told["cpu"] / max(told["records"], 1) * 1e9


def start_broker():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    broker = subprocess.Popen([str(BUILD / "sluice-broker"), "--bench", "--bench-record-size", "100", "--partitions", "4",
                               "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return broker, f"127.0.0.1:{port}"
        time.sleep(0.05)
    raise SystemExit("bench: the broker did not start")


def main():
    cases = sys.argv[1:] or os.environ.get("CASES", "").split() or list(CASES)
    if not (ROOT / "bindings" / "node" / "node_modules").exists():
        say("cases of Node are left out: make node-deps installs what they need")
        cases = [case for case in cases if not case.startswith("node-")]
    if any("-confluent" in case for case in cases) and confluent_node_folder() is None:
        say(f"cases of confluent-kafka-javascript are left out: it cannot be built here, see {CACHE}")
        cases = [case for case in cases if not "-confluent" in case]
    broker, servers = start_broker()
    results, held, bars = [], 0, 0
    try:
        for case in cases:
            peer, bar = CASES[case]
            runs = {"sluice": [], peer: []}
            for _ in range(RUNS):
                for who, found in runs.items():
                    found.append(run_client(case, who, servers))
            (rate, cpu), (peer_rate, peer_cpu) = ([statistics.median(column) for column in zip(*found)]
                                                  for found in runs.values())
            ratio = cpu / peer_cpu
            verdict = ""
            if bar is not None:
                bars, held = bars + 1, held + (ratio <= bar)
                verdict = f" ({'holds' if ratio <= bar else 'MISSES'} the bar of {bar:.3f})"
            say(f"{case} sluice={rate:.0f} peer={peer_rate:.0f} ratio={rate / peer_rate:.2f} "
                f"cpu_ns={cpu:.1f}/{peer_cpu:.1f} cpu_ratio={ratio:.3f}{verdict}")
            results.append({"case": case, "peer": peer, "rate": rate, "peer_rate": peer_rate, "cpu_ns": cpu,
                            "peer_cpu_ns": peer_cpu, "cpu_ratio": ratio, "bar": bar})
    finally:
        broker.kill()
        broker.wait()
    (BUILD / "bench-bindings.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    say(f"{held} of {bars} bars hold")


if __name__ == "__main__":
    main()
