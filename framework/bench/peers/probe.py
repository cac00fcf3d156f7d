#!/usr/bin/env python3
"""Runs one load command and appends one TSV row: rate, latency, CPU of the server processes, memory.

probe.py --out F --peer P --config C --durability D --clients N --pids 1,2,3 [--pss] --parse KIND [--ops-factor K] -- cmd...
KIND: json (our loadgen), repertoire (repertoire bench --output json, which starts its own cluster: no pids),
      redis (redis-benchmark --csv), pgbench (with -l --log-prefix=$PGLOG), sysbench (--histogram)
"""
import argparse, csv, glob, json, os, re, resource, subprocess, sys, threading, time

HZ = os.sysconf("SC_CLK_TCK")
COLS = ["peer", "config", "durability", "clients", "ops_s", "p50_us", "p99_us", "srv_cpu_per_100k",
        "cli_cpu_per_100k", "rss_mb", "ops", "secs", "note"]


def stats():
    out = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                s = open(f"/proc/{d}/stat").read()
            except OSError:
                continue
            f = s[s.rindex(")") + 2:].split()
            out[int(d)] = (int(f[1]), sum(int(x) for x in f[11:15]))
    return out


def tree(roots, st):
    keep = set(r for r in roots if r in st)
    more = True
    while more:
        more = False
        for p, (pp, _) in st.items():
            if pp in keep and p not in keep:
                keep.add(p)
                more = True
    return keep


def machine():
    """busy and stolen CPU seconds of the whole machine: to see whether anything else ran during a measurement"""
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / HZ, v[7] / HZ


def cpu(roots):
    st = stats()
    return sum(st[p][1] for p in tree(roots, st)) / HZ


def mem_mb(roots, pss):
    kb = 0
    for p in tree(roots, stats()):
        try:
            if pss:
                m = re.search(r"^Pss:\s+(\d+)", open(f"/proc/{p}/smaps_rollup").read(), re.M)
            else:
                m = re.search(r"^VmHWM:\s+(\d+)", open(f"/proc/{p}/status").read(), re.M)
        except OSError:
            continue
        kb += int(m.group(1)) if m else 0
    return kb / 1024


def pct(sorted_vals, q):
    return sorted_vals[min(len(sorted_vals) - 1, int(q * len(sorted_vals)))] if sorted_vals else None


def parse(kind, text):
    """-> ops, ops_s, p50_us, p99_us, note"""
    if kind == "json":
        j = json.loads(text.strip().splitlines()[-1])
        note = f"catchup_ms={j['catchup_ms']}" if "catchup_ms" in j else ""
        return j["ops"], j["ops_s"], j["p50_us"], j["p99_us"], note
    if kind == "repertoire":
        j = json.loads(text[text.index("{"):])
        if j.get("errors"):
            raise SystemExit(f"repertoire bench reported {j['errors']} errors")
        limits = j.get("limits") or {}
        note = [f"{k}={j[k]}" for k in ("verified", "fdatasync_per_second") if k in j]
        note += [f"{k}={v:.0f}" for k, v in limits.items() if isinstance(v, (int, float))]
        return None, j["ops_per_second"], j["p50_us"], j["p99_us"], " ".join(note)
    if kind == "redis":
        row = list(csv.reader(text.strip().splitlines()))[-1]
        rps, p50, p99 = float(row[1]), float(row[4]) * 1000, float(row[6]) * 1000
        return None, rps, p50, p99, ""
    if kind == "pgbench":
        n = int(re.search(r"transactions actually processed: (\d+)", text).group(1))
        tps = re.search(r"tps = ([\d.]+)", text)
        if not tps:
            raise SystemExit(f"pgbench gave no rate:\n{text[-500:]}")
        tps = float(tps.group(1))
        failed = re.search(r"failed transactions: (\d+)", text)
        lat = []
        for f in glob.glob(os.environ["PGLOG"] + "*"):
            with open(f) as fh:
                lat += [int(l.split()[2]) for l in fh]
            os.unlink(f)
        lat.sort()
        return n, tps, pct(lat, .5), pct(lat, .99), f"failed={failed.group(1)}" if failed and failed.group(1) != "0" else ""
    if kind == "sysbench":
        n = int(re.search(r"total number of events:\s+(\d+)", text).group(1))
        tps = n / float(re.search(r"total time:\s+([\d.]+)s", text).group(1))
        h = [(float(a), int(b)) for a, b in re.findall(r"^\s+([\d.]+) \|[* ]*\s(\d+)$", text, re.M)]
        tot, acc, p50, p99 = sum(c for _, c in h), 0, None, None
        for v, c in h:
            acc += c
            if p50 is None and acc >= tot * .5:
                p50 = v * 1000
            if p99 is None and acc >= tot * .99:
                p99 = v * 1000
        err = re.search(r"ignored errors:\s+(\d+)", text)
        return n, tps, p50, p99, f"errors={err.group(1)}" if err and err.group(1) != "0" else ""
    raise SystemExit(f"unknown parser {kind}")


def main():
    a = argparse.ArgumentParser()
    for o in ("out", "peer", "config", "durability", "clients", "pids", "parse"):
        a.add_argument("--" + o, required=True)
    a.add_argument("--pss", action="store_true")
    a.add_argument("cmd", nargs="+")
    o = a.parse_args()
    pids = [int(x) for x in o.pids.split(",") if x]
    peak = [0.0]
    if o.pss:
        t = threading.Timer(1.5, lambda: peak.__setitem__(0, mem_mb(pids, True)))
        t.start()
    m0 = machine()
    c0, k0, t0 = cpu(pids), resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    # our own bench says on stderr what is not JSON
    err = subprocess.DEVNULL if o.parse == "repertoire" else subprocess.STDOUT
    r = subprocess.run(o.cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, text=True)
    wall = time.time() - t0
    time.sleep(0.3)  # let closing backends be reaped, else their CPU is in neither place (also counts replicas catching up)
    c1, k1 = cpu(pids), resource.getrusage(resource.RUSAGE_CHILDREN)
    m1 = machine()
    if r.returncode != 0:
        print(f"FAILED rc={r.returncode}: {' '.join(o.cmd)}\n{r.stdout[-2000:]}", file=sys.stderr)
        return 1
    ops, rate, p50, p99, note = parse(o.parse, r.stdout)
    if ops is None:
        ops = int(os.environ.get("OPS", rate * wall))
    cli = (k1.ru_utime + k1.ru_stime) - (k0.ru_utime + k0.ru_stime)
    srv = (c1 - c0) / ops * 1e5
    per_client = cli / ops * 1e5
    other = (m1[0] - m0[0]) - (c1 - c0) - cli
    note = " ".join(x for x in (note, f"other_cpu_s={other:.2f}", f"steal_s={m1[1] - m0[1]:.2f}") if x)
    mem = peak[0] if o.pss else mem_mb(pids, False)
    if o.parse == "repertoire":  # servers and clients are one figure of its own, without set-up and verification
        j = json.loads(r.stdout[r.stdout.index("{"):])
        srv, per_client = j["cpu_seconds_per_100k_ops"], 0.0
        mem = j.get("peak_rss_mb", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    row = [o.peer, o.config, o.durability, o.clients, f"{rate:.0f}", f"{p50:.0f}", f"{p99:.0f}",
           f"{srv:.2f}", f"{per_client:.2f}", f"{mem:.0f}", str(ops), f"{wall:.2f}", note]
    new = not os.path.exists(o.out)
    with open(o.out, "a") as fh:
        if new:
            fh.write("\t".join(COLS) + "\n")
        fh.write("\t".join(row) + "\n")
    print("\t".join(row))
    return 0


sys.exit(main())
