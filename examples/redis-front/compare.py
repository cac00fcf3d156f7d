#!/usr/bin/env python3
"""redis-front beside a real Redis with two replicas, turn by turn on this machine.

    cargo build --release -p redis-front
    python3 examples/redis-front/compare.py --front target/release/redis-front [--loadgen PATH]

Needs redis-server and redis-benchmark. The figures with WAIT need the load generator of
framework/bench/peers (redis-benchmark cannot send WAIT after a pipeline). CPU is that of all server
processes, per 100,000 writes. Prints one JSON object a line."""

import argparse
import json
import os
import re
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, line):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(line.encode() + b"\r\n")
        return s.recv(65536).decode()


def until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if is_so():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit("a server did not start in time")


class Servers:
    def __init__(self, name, port, processes, folder):
        self.name, self.port, self.processes, self.folder = name, port, processes, folder

    def cpu(self):
        """User and system seconds of all processes, threads included."""
        ticks = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rsplit(") ", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()
        self.folder.cleanup()


def redis(is_durable):
    folder, ports, processes = tempfile.TemporaryDirectory(), [], []
    for i in range(3):
        port, data = free_port(), os.path.join(folder.name, str(i))
        os.mkdir(data)
        args = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", data, "--save", ""]
        args += ["--appendonly", "yes" if is_durable else "no", "--appendfsync", "always"]
        args += ["--repl-diskless-sync-delay", "0", "--repl-backlog-size", "256mb", "--loglevel", "warning"]
        args += ["--client-output-buffer-limit", "replica 0 0 0", "--auto-aof-rewrite-percentage", "0"]
        if ports:
            args += ["--replicaof", "127.0.0.1", str(ports[0])]
        processes.append(subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        ports.append(port)
    until(lambda: ask(ports[0], "INFO replication").count("state=online") == 2)
    return Servers("redis", ports[0], processes, folder)


def front(binary, is_durable):
    folder, port = tempfile.TemporaryDirectory(), free_port()
    args = [binary, "--listen", f"127.0.0.1:{port}", "--data", os.path.join(folder.name, "data")]
    if not is_durable:
        args += ["--ack", "async", "--durability", "memory"]
    process = subprocess.Popen(args, stderr=subprocess.DEVNULL)
    until(lambda: "PONG" in ask(port, "PING"))
    return Servers("redis-front", port, [process], folder)


def measured(servers, what, operations, command, parse):
    before, begun = servers.cpu(), time.monotonic()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = parse(said)
    seconds, cpu = time.monotonic() - begun, servers.cpu() - before
    done = operations or rate * seconds
    line = {"servers": servers.name, "what": what, "per_second": round(rate)}
    line["cpu_seconds_per_100k"] = round(cpu / done * 1e5, 3)
    print(json.dumps(line), flush=True)


def pipelined(servers, count, what):
    command = ["redis-benchmark", "-p", str(servers.port), "-t", "set", "-d", "100", "-r", "100000"]
    command += ["-n", str(count), "-c", "50", "-P", "64", "--csv"]
    rate = lambda said: float(re.findall(r'"SET","([0-9.]+)"', said)[0])
    measured(servers, what, count, command, rate)


def waiting(servers, loadgen, seconds):
    command = [loadgen, "redis", "--addr", f"127.0.0.1:{servers.port}", "--clients", "50"]
    command += ["--pipeline", "64", "--wait", "1", "--secs", str(seconds)]
    rate = lambda said: float(json.loads(said.strip().splitlines()[-1])["ops_s"])
    measured(servers, "disk, 50 x 64 SETs, then WAIT 1", None, command, rate)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--front", default="target/release/redis-front")
    parser.add_argument("--loadgen")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    args = parser.parse_args()
    for is_durable in (True, False):
        both = [redis(is_durable), front(args.front, is_durable)]
        try:
            for _ in range(args.rounds):
                for servers in both:
                    if is_durable and args.loadgen:
                        waiting(servers, args.loadgen, args.seconds)
                    what = "disk" if is_durable else "nothing durable"
                    pipelined(servers, 1_000_000, f"{what}, redis-benchmark -P 64")
        finally:
            for servers in both:
                servers.stop()


main()
