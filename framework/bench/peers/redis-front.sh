#!/usr/bin/env bash
# `repertoire bench` and examples/redis-front beside redis (1 primary + 2 replicas), interleaved, medians: 50 connections,
# 64 requests deep each.
#   REPS (3)  SECS (4)  REDIS_FRONT, REPERTOIRE  the binaries (default: the release build of this checkout)
. "$(dirname "$0")/lib.sh"
. "$HERE/start/redis.sh"
ROOT=$(cd "$HERE/../../.." && pwd)
FRONT_PORT=${FRONT_PORT:-26490}
STAMP=$(date -u +%Y%m%dT%H%M%S)
if [ -z "${REDIS_FRONT:-}" ]; then
  cargo build --release --locked -q --manifest-path "$ROOT/Cargo.toml" -p redis-front || exit 1
  REDIS_FRONT=${CARGO_TARGET_DIR:-$ROOT/target}/release/redis-front
fi
if [ -z "${REPERTOIRE:-}" ]; then
  cargo build --release --locked -q --manifest-path "$ROOT/Cargo.toml" -p repertoire-cli || exit 1
  REPERTOIRE=${CARGO_TARGET_DIR:-$ROOT/target}/release/repertoire
fi
build_loadgen

start_front() { # FOLDER ACK DURABILITY
  "$REDIS_FRONT" --listen "127.0.0.1:$FRONT_PORT" --data "$1" --ack "$2" --durability "$3" >"$1.log" 2>&1 &
  FRONT_PID=$!
  PIDS+=("$FRONT_PID")
  wait_for 20 redis-cli -p "$FRONT_PORT" ping || { cat "$1.log"; exit 1; }
}

load() { # PEER PORT PIDS CONFIG DURABILITY WAIT
  measure_once "$1" "$4" "$5" 50 "$3" json -- \
    "$LOADGEN" redis --addr "127.0.0.1:$2" --clients 50 --pipeline 64 --wait "$6" --secs "$SECS"
}

ours() { # ACK DURABILITY CONFIG WORDS
  local args=(bench --protocol single-leader --acks "$1" --durability "$2" --clients 50 --in-flight 3200
    --value-size 100 --keys 100000 --reads 0 --seconds "$SECS" --no-limits --output json)
  [ "$1" = semi-sync ] && args+=(--sync-replicas 1)
  measure_once repertoire "$3" "$4" 50 "" repertoire -- "$REPERTOIRE" "${args[@]}"
}

compare() { # NAME APPENDONLY APPENDFSYNC ACK DURABILITY WAIT WORDS
  local folder=$WORK/$1
  TABLE=redis-front-$1-$STAMP
  mkdir "$folder"
  start_redis "$folder" "$2" "$3"
  start_front "$folder/front" "$4" "$5"
  for round in $(seq "$REPS"); do
    echo "# $1, round $round of $REPS"
    ours "$4" "$5" "$1: bench --acks $4 --durability $5" "$7"
    load redis-front "$FRONT_PORT" "$FRONT_PID" "$1: SET, --ack $4 --durability $5" "$7" "$6"
    load redis "$REDIS_PORT" "$REDIS_PIDS" "$1: SET" "$7" "$6"
  done
  stop_all
  python3 "$HERE/side_by_side.py" "$OUTDIR/$TABLE.tsv" | tee "$OUTDIR/$TABLE.md"
}

compare durable yes always semi-sync disk 1 "on disk before the answer, WAIT 1 after 64"
compare volatile no everysec async memory 0 "in memory"
