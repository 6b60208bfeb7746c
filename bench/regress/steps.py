#!/usr/bin/env python3
"""What a create costs in the core, step by step: instructions and cache misses, counted by callgrind with a simulated
cache of 48 KiB and 2 MiB behind it (no prefetching), and, where perf is installed, nanoseconds of this machine.

Functions belong to steps by their names; what was inlined counts where it was inlined. Environment: BIN (the programs),
CREATES (100000, in batches of 1,000)."""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

BIN = os.environ["BIN"]
CREATES = int(os.environ.get("CREATES") or 100000)
CREATES_TIMED = 1000000
STEPS = [
    ("verify the frame", r"frame_check|checksum_wire|frame_\w+"),
    ("hash key and identity, fetch what is looked up",
     r"ticket_prepare|ticket_prefetch|(key|identity)_hash|XXH\w*128\w*"),
    ("look up and make rows", r"ticket_create|identity_find|(customer|index|catalog|skill_set)_\w+|grow_cluster"),
    ("take a row", r"table_\w+"),
    ("write events", r"event_\w+|__?mem\w+"),
    ("task: open, give", r"task_\w+"),
    ("gauges, places", r"ticket_\w+|place_\w+"),
    ("choose an agent", r"route_choose\S*|highest_of_eight|first_for"),
    ("routing, ranking", r"route_\w+|ranking_\w+|line_\w+"),
    ("policy, clocks, cards, timers", r"sla_\w+|clocks?_\w+|step_\w+|wheel_\w+|merge|policy_\w+"),
    ("counters by hour", r"stats_\w+"),
    ("columns of lists", r"columns?_\w+"),
    ("session, admission, results", r"state_\w+|apply_\w+|session_\w+|applied|measured|room_check"),
]
GENERATOR = r"build_\w+|sender_\w+|workload_\w+|zipf_\w+|serve\S*|load_run\S*|main|frame_seal|\w*validate|run"


def step_of(function):
    for name, pattern in STEPS:
        if re.fullmatch(pattern, function):
            return name
    return "the rest"


def counted():
    """Per step: instructions, misses of the first cache, of the second."""
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "out")
        run = subprocess.run(["valgrind", "--tool=callgrind", "--cache-sim=yes", "--D1=49152,12,64",
                              "--LL=2097152,16,64", f"--callgrind-out-file={out}", "--collect-atstart=no",
                              "--toggle-collect=measured", f"{BIN}/ticketcost", "create", str(CREATES), "1000"],
                             capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(run.stderr + run.stdout)
        steps = collections.defaultdict(lambda: [0, 0, 0])
        names, events, called = {}, [], False
        for line in open(out):
            if line.startswith("events:"):
                events = line.split()[1:]
            elif match := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line):
                if match[3]:
                    names[match[2]] = match[3].split("'")[0]
                if not match[1]:
                    function = names[match[2]]
            elif line.startswith("calls="):
                called = True  # the next line is what was called cost, which counts there
            elif line[:1] in "0123456789+-*" and events:
                if not called:
                    cost = dict(zip(events, map(int, line.split()[1:])))
                    step = steps[step_of(function)]
                    step[0] += cost.get("Ir", 0)
                    step[1] += cost.get("D1mr", 0) + cost.get("D1mw", 0)
                    step[2] += cost.get("DLmr", 0) + cost.get("DLmw", 0)
                called = False
    return {name: [value / CREATES for value in values] for name, values in steps.items()}


def timed():
    """Per step: nanoseconds a create, by the shares of samples; None without perf."""
    if not shutil.which("perf"):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "perf")
        run = subprocess.run(["perf", "record", "-q", "-o", out, "-e", "cpu-clock", "-F", "10000", f"{BIN}/ticketcost",
                              "create", str(CREATES_TIMED), "1000"], capture_output=True, text=True)
        spent = re.search(r"(\d+) ns a command", run.stdout)
        if run.returncode != 0 or not spent:
            return None
        report = subprocess.run(["perf", "report", "-i", out, "--no-children", "--stdio", "--sort", "dso,symbol", "-F",
                                 "sample,dso,symbol"], capture_output=True, text=True).stdout
    samples = collections.Counter()
    for line in report.splitlines():
        match = re.match(r"\s*(\d+)\s+(\S+)\s+\[(\S)\]\s+(\S+)", line)
        if match and not (match[3] == "." and re.fullmatch(GENERATOR, match[4])):
            step = "the kernel: memory used for the first time" if match[3] == "k" else step_of(match[4])
            samples[step] += int(match[1])
    total = sum(samples.values())
    return {name: count * int(spent[1]) / total for name, count in samples.items()}


def main():
    cost, time = counted(), timed()
    names = [name for name, _ in STEPS] + ["the rest"] + [name for name in time or {} if name.startswith("the kernel")]
    print(f"{'a create in a batch of 1,000':48} {'instructions':>12} {'L1 misses':>10} {'L2 misses':>10} {'ns':>6}")
    for name in names + ["all"]:
        row = cost.get(name, [0, 0, 0]) if name != "all" else [sum(column) for column in zip(*cost.values())]
        spent = time and (sum(time.values()) if name == "all" else time.get(name, 0))
        print(f"{name:48} {row[0]:12.0f} {row[1]:10.1f} {row[2]:10.1f} {'-' if spent is None else f'{spent:.0f}':>6}")


main()
