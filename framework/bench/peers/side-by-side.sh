#!/usr/bin/env bash
# repertoire beside etcd, redis and PostgreSQL at equal durability, interleaved (A B C A B C), medians.
# All servers stay up; only the one under load is busy. Ours starts its own three nodes for each run.
#   REPS (3)  SECS (4)  CLIENTS ("1 64 256")   PEERS ("etcd redis postgres"; postgres only as root and when installed)
#   REPERTOIRE  the binary (default: the release build of this checkout, built when absent)
#   OURS        acknowledgement modes of ours to run ("semi-sync majority")      OURS_ARGS  more arguments for each run
. "$(dirname "$0")/lib.sh"
. "$HERE/start/etcd.sh"
. "$HERE/start/redis.sh"
. "$HERE/start/postgres.sh"
ROOT=$(cd "$HERE/../../.." && pwd)
CLIENTS=${CLIENTS:-"1 64 256"}
PEERS=${PEERS-"etcd redis postgres"}
OURS=${OURS-"semi-sync majority"}
TABLE=side-by-side-$(date -u +%Y%m%dT%H%M%S)

with() { case " $PEERS " in *" $1 "*) return 0 ;; esac; return 1; }

if [ -n "$OURS" ] && [ -z "${REPERTOIRE:-}" ]; then
  cargo build --release --locked -q --manifest-path "$ROOT/Cargo.toml" -p repertoire-cli || exit 1
  REPERTOIRE=${CARGO_TARGET_DIR:-$ROOT/target}/release/repertoire
fi
build_loadgen

if with postgres && { [ "$(id -u)" != 0 ] || [ ! -x "$PGBIN/postgres" ]; }; then
  echo "postgres: skipped (needs root and postgresql-${PGVER:-15})"
  PEERS=${PEERS//postgres/}
fi
if with etcd; then mkdir "$WORK/etcd"; start_etcd "$WORK/etcd"; fi
if with redis; then mkdir "$WORK/redis"; start_redis "$WORK/redis" yes always; fi
if with postgres; then start_postgres "$WORK/pg"; pg_acks "'ANY 1 (s1,s2)'" on; fi

ours() { # ACKS CLIENTS
  local args=(bench --protocol single-leader --acks "$1" --durability disk --clients "$2" --in-flight "$2"
    --value-size 100 --keys 100000 --reads 0 --seconds "$SECS" --output json)
  [ "$1" = semi-sync ] && args+=(--sync-replicas 1)
  # shellcheck disable=SC2086  # several words on purpose
  measure_once repertoire "$1" "fdatasync on 2 of 3 before the ack" "$2" "" repertoire -- "$REPERTOIRE" "${args[@]}" ${OURS_ARGS:-}
}

for clients in $CLIENTS; do
  for round in $(seq "$REPS"); do
    echo "# $clients clients, round $round of $REPS"
    for acks in $OURS; do ours "$acks" "$clients"; done
    if with etcd; then
      etcd_load put "$ETCD_LEADER" "$clients"
      measure_once etcd "put, to the leader" "fsync on 2 of 3 before the ack" "$clients" "$ETCD_PIDS" json -- "${LOAD[@]}"
    fi
    if with redis; then
      redis_load "$clients" 1 1
      measure_once redis "SET + WAIT 1, appendfsync always" "fsync on 1 of 3, in memory on another, before the ack" "$clients" "$REDIS_PIDS" json -- "${LOAD[@]}"
    fi
    if with postgres; then
      pg_load "$clients"
      measure_once postgres "upsert, ANY 1 (s1,s2)" "fsync on 2 of 3 before the ack" "$clients" "$PG_PIDS" pgbench --pss -- "${LOAD[@]}"
    fi
  done
done
python3 "$HERE/side_by_side.py" "$OUTDIR/$TABLE.tsv" | tee "$OUTDIR/$TABLE.md"
