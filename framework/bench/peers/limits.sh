#!/usr/bin/env bash
# Raw limits of the machine: disk, loopback, quinn, actix, memcpy/crc, sqlite. Needs Debian's fio and iperf3; ../limits is our own code.
. "$(dirname "$0")/lib.sh"
TARGET=${CARGO_TARGET_DIR:-$HERE/../limits/target}
lock_tick; cargo build --release -q --manifest-path "$HERE/../limits/Cargo.toml" --target-dir "$TARGET" || exit 1
B=$TARGET/release
O=$OUTDIR/limits.tsv
export SECS
ISECS=${SECS%.*}; [ "${ISECS:-0}" -ge 1 ] || ISECS=1
rep() { # rep LABEL cmd...   appends LABEL-prefixed lines
  local label=$1 i; shift
  for i in $(seq "$REPS"); do lock_tick; timeout 120 "$@" | grep -v '^#' | sed "s|^|$label\t|" | tee -a "$O"; done
}
DISKDIR=${DISKDIR:-$WORK}
D=$(mktemp -d -p "$DISKDIR")
if [ -z "${REST:-}" ]; then
rep disk "$B/disk_limits" "$D"
rep quinn env CRYPTO=ring "$B/quinn_limits"
rep quinn env CRYPTO=aws "$B/quinn_limits"
fi
rep quinn env CRYPTO=ring MTU=jumbo "$B/quinn_limits"
rep tcp "$B/tcp_limits"
rep actix "$B/actix_limits"
SECS=1 rep cpu "$B/cpu_limits"

# fio, as a second opinion on fdatasync
for bs in 4k 16k; do
  for i in $(seq "$REPS"); do
    lock_tick
    fio --name=s --directory="$D" --rw=write --bs=$bs --size=64m --fdatasync=1 --ioengine=psync --time_based --runtime="$ISECS" --output-format=json 2>/dev/null |
      python3 -c '
import json,sys
t=sys.stdin.read(); j=json.loads(t[t.index("{"):])["jobs"][0]
p=j["sync"]["lat_ns"].get("percentile",{})
print("fio\tfio fdatasync=1 '$bs'\t%.1f\tsync/s\t%.1f\t%.1f\t-\t-"%(j["write"]["iops"],p.get("50.000000",0)/1e3,p.get("99.000000",0)/1e3))' | tee -a "$O"
  done
done
rm -rf "$D"

# iperf3
PORT=${PORT:-25201}
iperf3 -s -B 127.0.0.1 -p "$PORT" >"$WORK/iperf.log" 2>&1 &
PIDS+=($!)
sleep 0.5
ip3() { # ip3 LABEL args...
  local label=$1 i; shift
  for i in $(seq "$REPS"); do
    lock_tick
    iperf3 -c 127.0.0.1 -p "$PORT" -t "$ISECS" -J "$@" | python3 -c '
import json,sys
j=json.load(sys.stdin)["end"]; c=j["cpu_utilization_percent"]
s=j.get("sum_received") or j["sum"]
if not s.get("bits_per_second"): s=j["sum"]
print("iperf3\t'"$label"'\t%.1f\tMB/s\t-\t-\tcpu%%=%.0f+%.0f\tlost%%=%.2f"%(s["bits_per_second"]/8e6,c["host_total"],c["remote_total"],s.get("lost_percent",0) or 0))' | tee -a "$O"
  done
}
ip3 "iperf3 TCP, 128 KiB writes"
ip3 "iperf3 UDP, 1452 B datagrams, unlimited" -u -b 0 -l 1452
ip3 "iperf3 UDP, 32 KiB datagrams, unlimited" -u -b 0 -l 32768
