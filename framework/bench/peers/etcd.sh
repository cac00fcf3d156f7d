#!/usr/bin/env bash
# etcd, 3 members on loopback. Needs Debian's etcd-server, etcd-client; protobuf-compiler and libprotobuf-dev for the load generator.
# ONLY_PUTS=1: writes alone. CHECK_PERF=1: also `etcdctl check perf`.
. "$(dirname "$0")/lib.sh"
. "$HERE/start/etcd.sh"
build_loadgen

run() { # LABEL DURABILITY OPERATION ENDPOINTS CLIENTS
  etcd_load "$3" "$4" "$5"
  measure etcd "$1" "$2" "$5" "$ETCD_PIDS" json -- "${LOAD[@]}"
}
puts() { # DURABILITY
  local c
  for c in 1 64 256; do run "put 100B, to the leader" "$1" put "$ETCD_LEADER" "$c"; done
}

on_disk="fsync (WAL, 3 members, one disk)"
mkdir "$WORK/d"; start_etcd "$WORK/d"
puts "$on_disk"
[ -n "${ONLY_PUTS:-}" ] && exit 0
run "put 100B, to all members" "$on_disk" put "$ETCD_ALL" 64
for c in 1 64 256; do
  run "get linearizable, to all members" - get "$ETCD_ALL" "$c"
  run "get serializable, to all members" - sget "$ETCD_ALL" "$c"
done
if [ -n "${CHECK_PERF:-}" ]; then
  lock_tick
  etcdctl --endpoints "$ETCD_ALL" check perf --load=l | tr '\r' '\n' | grep -v '^ *[0-9]* / ' | tee "$OUTDIR/etcd-check-perf.txt"
fi
stop_all
if [ -n "${RAMDIR:-}" ]; then
  RAMWORK=$(mktemp -d -p "$RAMDIR")
  start_etcd "$RAMWORK"
  puts "none (data on tmpfs)"
fi
