#!/usr/bin/env python3
"""Prints one markdown table from the rows of side-by-side.sh: medians, and the ratio of the first configuration to each."""
import csv
import statistics
import sys


def number(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def median(rows, *keys):
    return statistics.median(sum(float(r[k]) for k in keys) for r in rows)


def main(path):
    with open(path) as fh:
        rows = list(csv.DictReader(fh, delimiter="\t"))
    groups = {}
    for r in rows:
        groups.setdefault(int(r["clients"]), {}).setdefault((r["peer"], r["config"], r["durability"]), []).append(r)
    print("| clients | system | durability | ops/s | min-max | first/this | p50 ms | p99 ms "
          "| CPU s/100k (servers + client) | this/first | peak RSS MB | runs |")
    print("|--:|---|---|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    for clients, systems in sorted(groups.items()):
        first = None
        for (peer, config, durability), rs in systems.items():
            rate = median(rs, "ops_s")
            cpu = median(rs, "srv_cpu_per_100k", "cli_cpu_per_100k")
            first = first or (rate, cpu)
            rates = [float(r["ops_s"]) for r in rs]
            spread = (max(rates) - min(rates)) / rate > 0.25
            print(f"| {clients} | {peer}: {config} | {durability} | {number(rate)} | {number(min(rates))}-{number(max(rates))}"
                  f"{' (noisy)' if spread else ''} | {first[0] / rate:.1f}× | {median(rs, 'p50_us') / 1e3:.2f} "
                  f"| {median(rs, 'p99_us') / 1e3:.2f} | {cpu:.2f} | {cpu / first[1] if first[1] else 0:.1f}× "
                  f"| {max(float(r['rss_mb']) for r in rs):.0f} | {len(rs)} |")
    busy = [(float(x.split("=")[1]) / float(r["secs"]), r) for r in rows if r["peer"] != "repertoire"
            for x in r["note"].split() if x.startswith("other_cpu_s=")]
    if busy and max(b for b, _ in busy) > 0.3:
        print(f"\nDisturbed: something else used up to {max(b for b, _ in busy):.2f} cores during a run.")
    limits = [r["note"] for r in rows if r["peer"] == "repertoire"]
    if limits:
        print(f"\nOf our last run: {limits[-1]}")


if __name__ == "__main__":
    main(sys.argv[1])
