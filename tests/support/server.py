"""ticketd and ticketctl as processes, for tests written in Python."""
import json
import os
import select
import signal
import subprocess
import sys
import time

ROOT = os.environ.get("ROOT", os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BIN = os.environ.get("BIN", os.path.join(ROOT, "build", "bin"))
READY_S = 120

failed = 0


def check(name, good, *shown):
    """One line for the test runner."""
    global failed
    print("ok" if good else "not ok", name, flush=True)
    if not good:
        failed += 1
        for text in shown:
            print("   ", text, flush=True)
    return good


def finish():
    sys.exit(failed > 0)


class Server:
    """ticketd on a directory, reached over a Unix socket."""

    def __init__(self, directory, *options):
        os.makedirs(directory, exist_ok=True)
        self.data = os.path.join(directory, "data")
        self.address = "unix:" + os.path.join(directory, "socket")
        self.options = options
        self.process = None

    def start(self):
        path = self.address[len("unix:"):]
        arguments = [os.path.join(BIN, "ticketd"), "--data", self.data, "--unix", path, *self.options]
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        log, deadline = b"", time.monotonic() + READY_S
        while b"event=ready" not in log:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            if not more:
                sys.exit("not ok ticketd did not become ready: " + log.decode())
            log += more
        return self

    def end(self, how):
        """Sends the signal and waits; answers the exit code."""
        self.process.send_signal(how)
        self.log = self.process.stderr.read().decode()
        code = self.process.wait(READY_S)
        self.process = None
        return code

    def kill(self):
        return self.end(signal.SIGKILL)

    def stop(self):
        return self.end(signal.SIGTERM)

    def command(self, *arguments):
        return [os.path.join(BIN, "ticketctl"), "--server", self.address, *arguments]

    def run(self, *arguments, text=None):
        """ticketctl with these arguments: exit code, standard output, standard error."""
        done = subprocess.run(self.command(*arguments), input=text, capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments, text=None):
        """The objects that ticketctl prints."""
        code, out, error = self.run(*arguments, "-o", "json", text=text)
        if code != 0:
            raise RuntimeError("ticketctl %s: exit %d: %s%s" % (" ".join(arguments), code, out, error))
        return [json.loads(line) for line in out.splitlines()]
