#!/usr/bin/env bash
# redis: 1 primary + 2 replicas. Needs Debian's redis-server and redis-tools.
# MODES: which of "none everysec fsync-always" to run. N: operations of a redis-benchmark run.
. "$(dirname "$0")/lib.sh"
. "$HERE/start/redis.sh"
build_loadgen
N=${N:-300000}
MODES=${MODES:-"none everysec fsync-always"}

bench() { # PIPELINE OPERATIONS
  OPS=$2 measure redis "async, redis-benchmark -P $1" "$dur" 50 "$REDIS_PIDS" redis -- \
    redis-benchmark -p "$REDIS_PORT" -t set -d 100 -r 100000 -n "$2" -c 50 -P "$1" --csv
}
load() { # LABEL CLIENTS PIPELINE WAIT
  redis_load "$2" "$3" "$4"
  measure redis "$1" "$dur" "$2" "$REDIS_PIDS" json -- "${LOAD[@]}"
}

for mode in $MODES; do
  folder=$WORK/$mode; mkdir "$folder"
  n1=$N
  case $mode in
    none) dur="none (no AOF, no RDB)"; start_redis "$folder" no everysec ;;
    everysec) dur="AOF everysec on all 3"; start_redis "$folder" yes everysec ;;
    *) dur="AOF fsync-always on all 3"; n1=$((N / 4)); start_redis "$folder" yes always ;;
  esac
  bench 1 $n1
  bench 16 $((N * 3))
  bench 64 $((N * 5))
  for w in 0 1 2; do
    kind="async (no WAIT)"; [ $w = 1 ] && kind="semi-sync (WAIT 1)"; [ $w = 2 ] && kind="sync (WAIT 2)"
    load "$kind, 1 SET per wait" 1 1 $w
    load "$kind, 1 SET per wait" 50 1 $w
    load "$kind, 64 SETs per wait" 50 64 $w
  done
  measure redis "1M pipelined SETs, 1 conn, then WAIT 2" "$dur" 1 "$REDIS_PIDS" json -- "$LOADGEN" redis-catchup --addr "127.0.0.1:$REDIS_PORT" --n 1000000
  stop_all
done
