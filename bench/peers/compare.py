#!/usr/bin/env python3
"""The floor, ticketd, Redis and PostgreSQL in turns on one machine, all over Unix sockets: medians of several rounds,
and their ratios. While there is one request at a time floor and ticketd poll instead of sleeping (--busy-poll).

Each has a new directory below TMPDIR and is alone while it is measured. Environment: BIN (the programs), ROUNDS (3),
TICKETS (1000000; PostgreSQL and Redis get fewer, they are slower), JSON=1 for scripts."""
import json
import os
import pwd
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ["BIN"]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
TICKETS = int(os.environ.get("TICKETS", "1000000"))
POSTGRES = "/usr/lib/postgresql/15/bin"


def run(*arguments, **keywords):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False, **keywords)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {done.stderr or done.stdout}")
    return done.stdout


class Server:
    """A process of one's own on a new directory; asked until it answers, ended by its process id."""

    def __init__(self, arguments, ready, **keywords):
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, **keywords)
        for _ in range(600):
            if ready(self.process):
                return
            if self.process.poll() is not None:
                sys.exit(f"{arguments[0]} ended: {self.process.stdout.read()}")
            time.sleep(0.05)
        sys.exit(f"{arguments[0]} does not serve")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.communicate()


BUSY_POLL = ["--busy-poll", 100]


def bench(address, tickets, batch, connections, depth):
    arguments = [f"{BIN}/ticketbench", "--commands", tickets, "--batch", batch, "--connections", connections,
                 "--depth", depth, "--no-restart", "-o", "json"]
    arguments += ["--server", address] if address else ["--unix"] + (BUSY_POLL if connections == 1 else [])
    result = json.loads(run(*arguments))
    if result["refused"]:
        sys.exit(f"{result['refused']} commands were refused: {result}")
    return result


def floor(directory, loads):
    results = {}
    for name, load in loads.items():
        address = []

        def ready(process, address=address):
            line = process.stdout.readline()
            if line.startswith("listening on "):
                address.append(line.removeprefix("listening on ").strip())
            return bool(address)

        data = tempfile.mkdtemp(dir=directory)
        server = Server([f"{BIN}/ticketfloor", "--unix"] + (BUSY_POLL if load[2] == 1 else []) + [data], ready)
        results[name] = bench(address[0], *load)
        server.end()
    return results


def ticketd(_, loads):
    return {name: bench(None, *load) for name, load in loads.items()}


def redis(directory, loads):
    results = {}
    for name, (tickets, batch, connections, depth) in loads.items():
        data = tempfile.mkdtemp(dir=directory)
        path = os.path.join(data, "socket")
        server = Server(["redis-server", "--port", 0, "--unixsocket", path, "--dir", data, "--appendonly", "yes",
                         "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", 0],
                        lambda _: os.path.exists(path))
        results[name] = json.loads(run(f"{BIN}/peer-redis", path, max(tickets // 10, 1000), connections, batch, depth,
                                       f"{HERE}/create.lua"))
        server.end()
    return results


def postgres(directory, loads):
    """The server refuses to run as root: then it runs as the user that its package made."""
    root = os.geteuid() == 0
    owner = pwd.getpwnam("postgres") if root else None
    data = os.path.join(directory, "data")
    if root:
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    user = {"user": "postgres"} if root else {}
    run(f"{POSTGRES}/initdb", "-D", data, "-U", "desk", "-A", "trust", "-E", "UTF8", cwd="/", **user)
    server = Server([f"{POSTGRES}/postgres", "-D", data, "-k", directory, "-c", "listen_addresses=", "-c",
                     "synchronous_commit=on", "-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB", "-c",
                     "max_connections=300"],
                    lambda _: subprocess.run([f"{POSTGRES}/pg_isready", "-q", "-h", directory, "-U", "desk"],
                                             check=False).returncode == 0, cwd="/", **user)
    results = {}
    psql = ["psql", "-q", "-X", "-h", directory, "-U", "desk", "-v", "ON_ERROR_STOP=1"]
    for name, (tickets, batch, connections, depth) in loads.items():
        run(*psql, "-d", "postgres", "-c", "DROP DATABASE IF EXISTS desk", "-c", "CREATE DATABASE desk")
        run(*psql, "-d", "desk", "-f", f"{HERE}/schema.sql")
        count = max(tickets // 10, 1000)
        results[name] = json.loads(run(f"{BIN}/peer-postgres", directory, count, connections, batch, depth))
    server.end(signal.SIGINT)
    return results


def raw(directory):
    return json.loads(run(f"{BIN}/ticketfloor", "--raw", directory))


def main():
    loads = {"batch 1000": (TICKETS, 1000, 4, 2), "single, 64 connections": (TICKETS // 5, 1, 64, 8),
             "one at a time": (max(TICKETS // 500, 500), 1, 1, 1)}
    systems = {"floor": floor, "ticketd": ticketd, "redis": redis, "postgres": postgres}
    taken = {system: {load: [] for load in loads} for system in systems}
    writes = []
    for number in range(ROUNDS):
        for system, measure in systems.items():
            print(f"round {number + 1} of {ROUNDS}: {system}", file=sys.stderr)
            directory = tempfile.mkdtemp(prefix="ticketd-compare-")
            os.chmod(directory, 0o755)
            try:
                for load, result in measure(directory, loads).items():
                    taken[system][load].append(result)
                if system == "floor":
                    writes.append(raw(directory))
            finally:
                shutil.rmtree(directory)
    tell(loads, taken, writes)


def median(results, key=lambda result: result["commands_per_second"]):
    return statistics.median(key(result) for result in results)


def p50(result):
    return result["p50_ms"] if "p50_ms" in result else result["frame_latency_ms"]["p50"]


def tell(loads, taken, writes):
    write_ms = statistics.median(w["p50_us"] for w in writes) / 1000
    figures = {load: {system: {"per_second": median(results[load]), "p50_ms": median(results[load], p50)}
                      for system, results in taken.items()} for load in loads}
    if os.environ.get("JSON"):
        print(json.dumps({"rounds": ROUNDS, "raw_write_p50_ms": write_ms, "loads": figures}))
        return
    print(f"medians of {ROUNDS} rounds; one durable write of 4 KiB: {write_ms:.3f} ms\n")
    print(f"{'':24}" + "".join(f"{system:>14}" for system in taken) + "   ticketd is")
    for load, systems in figures.items():
        own = systems["ticketd"]["per_second"]
        share = own / systems["floor"]["per_second"]
        print(f"{load:24}" + "".join(f"{s['per_second']:>12,.0f}/s" for s in systems.values()) +
              f"   {share:.0%} of the floor, {own / systems['redis']['per_second']:.1f} x Redis, "
              f"{own / systems['postgres']['per_second']:.1f} x PostgreSQL")
    one = figures["one at a time"]["ticketd"]["p50_ms"]
    print(f"\none at a time: p50 {one:.3f} ms, {one / write_ms:.2f} x a durable write")


main()
