#!/usr/bin/env python3
"""The benchmark and the demonstration run to their ends, small."""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from server import BIN, ROOT, check, finish  # noqa: E402


def run(*arguments, **environment):
    return subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ROOT,
                          env=dict(os.environ, **environment), check=False)


def bench():
    program = os.path.join(BIN, "ticketbench")
    small = ("--commands", "5000", "--batch", "500", "--connections", "2")
    plot = os.path.join(os.environ["TMPDIR"], "plot.svg")
    done = run(program, *small, "-o", "json", "--plot", plot)
    if not check("ticketbench runs", done.returncode == 0, done.stderr):
        return
    figures = json.loads(done.stdout)
    check("it tells the load", figures["commands"] == 5000 and figures["durability"] == "sync", figures)
    commit = run("git", "rev-parse", "--short", "HEAD").stdout.strip()
    check("and what was measured", figures["commit"].removesuffix("-dirty") == commit, figures["commit"])
    check("and the figures", figures["commands_per_second"] > 0 and figures["back_in_service_seconds"] > 0 and
          figures["bytes_per_ticket"] > 0 and figures["written_bytes_per_command"] > 0, figures)
    check("what the host took is a share", 0 <= figures["stolen_share"] <= 1, figures["stolen_share"])
    latency = figures["create_latency_ms"]
    order = [latency[name] for name in ("p50", "p90", "p99", "p999", "p9999", "max")]
    check("quantiles ascend", order == sorted(order), order)
    check("samples add up", sum(sample["commands"] for sample in figures["samples"]) == 5000, figures["samples"])
    root = xml.etree.ElementTree.parse(plot).getroot()
    check("the plot is SVG with its curves", root.tag.endswith("svg") and len(root.findall(".//{*}polyline")) == 5)
    os.remove(plot)
    check("nothing is left", not os.listdir(os.environ["TMPDIR"]), os.listdir(os.environ["TMPDIR"]))

    done = run(program, *small, "--durability", "off", "--rate", "1000000", "--no-restart")
    check("without durability it warns", done.returncode == 0 and "WARNING" in done.stderr, done.stderr)
    done = run(program, "--commands", "many")
    check("a wrong option is told", done.returncode == 2 and "--commands" in done.stderr, done.stderr)


def workloads():
    program = os.path.join(BIN, "ticketbench")
    for name, classes in (("lifecycle", {"create", "update"}), ("churn", {"create", "update"}),
                          ("intake", {"create", "update"}), ("query", {"create", "update", "get", "list", "history"})):
        done = run(program, "--workload", name, "--commands", "6000", "--batch", "100", "--open", "500", "--skew", "1",
                   "--body", "mixed", "--no-restart", "-o", "json")
        if not check(f"{name} runs", done.returncode == 0, done.stderr):
            continue
        figures = json.loads(done.stdout)
        seen = {key[:-len("_latency_ms")] for key in figures if key.endswith("_latency_ms")} - {"frame"}
        check(f"{name}: nothing is refused", figures["refused"] == 0, figures)
        check(f"{name}: of all its kinds", seen == classes, seen)
    done = run(program, "--workload", "sla", "--commands", "4000", "--due", "1000", "--due-after", "8", "--no-restart",
               "-o", "json")
    if check("sla runs", done.returncode == 0, done.stderr):
        figures = json.loads(done.stdout)
        check("every card of the second is counted", figures["cards"] == figures["cards_expected"] == 1000, figures)


def floor():
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen([os.path.join(BIN, "ticketfloor"), directory], stdout=subprocess.PIPE, text=True)
        address = server.stdout.readline().split()[-1]
        done = run(os.path.join(BIN, "ticketbench"), "--server", address, "--commands", "5000", "-o", "json")
        server.terminate()
        server.communicate()
    check("the floor answers the same frames", done.returncode == 0 and json.loads(done.stdout)["commands"] == 5000,
          done.stderr)


def demo():
    done = run("bench/demo.sh", TICKETS="500", STEP="120")
    check("the demo runs", done.returncode == 0, done.stdout[-2000:], done.stderr)
    check("all is still there after its restart", "are the same" in done.stdout, done.stdout[-2000:])
    check("a day of tickets was worked", "500 tickets" in done.stdout, done.stdout)
    sample = os.path.join(os.environ["TMPDIR"], "log.ndjson")
    with open(sample, "w", encoding="utf-8") as file:
        for at, line in enumerate(({"do": "create", "queue": "Q", "priority": "high", "channel": "phone",
                                    "customer": "c", "category": "k", "subject": "s"},
                                   {"do": "assign", "agent": "a"}, {"do": "resolve"})):
            file.write(json.dumps(dict(line, at=1700000000000 + at, key="1")) + "\n")
    done = run("bench/demo.sh", sample)
    check("the demo replays a desk log", done.returncode == 0 and "are the same" in done.stdout,
          done.stdout, done.stderr)


bench()
workloads()
floor()
demo()
finish()
