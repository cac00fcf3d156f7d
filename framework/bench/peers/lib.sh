# Shared by the peer scripts; source it. Everything binds to 127.0.0.1 and lives in one mktemp folder.
# REPS      repetitions of each measurement (3)      SECS  seconds of each measurement (4)
# OUTDIR    where results go (results/, not tracked)  TMPDIR  chooses the disk of the servers' data
# CPU_LOCK  a lock file taken for every measurement (unset: none); given up for a moment after HOLD seconds (270)
# RAMDIR    a tmpfs folder; when set, the scripts that can also run a variant whose fsync costs nothing
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPS=${REPS:-3}
SECS=${SECS:-4}
OUTDIR=${OUTDIR:-$HERE/results}
HOLD=${HOLD:-270}
mkdir -p "$OUTDIR"
WORK=$(mktemp -d)
chmod 755 "$WORK"
PIDS=()     # ended by TERM
PIDS_INT=() # ended by INT (the fast shutdown of PostgreSQL)
RUNNERS=()  # waited for

LOCKFD="" LOCKED_AT=0
lock_end() { if [ -n "$LOCKFD" ]; then flock -u "$LOCKFD"; exec {LOCKFD}>&-; LOCKFD=""; fi; }
lock_tick() {
  [ -n "${CPU_LOCK:-}" ] || return 0
  if [ -n "$LOCKFD" ] && [ $((SECONDS - LOCKED_AT)) -gt "$HOLD" ]; then lock_end; sleep 0.3; fi
  if [ -z "$LOCKFD" ]; then exec {LOCKFD}>>"$CPU_LOCK"; flock "$LOCKFD"; LOCKED_AT=$SECONDS; fi
}

# measure PEER CONFIG DURABILITY CLIENTS PIDS PARSER [--pss] -- cmd...
measure() {
  local i
  for i in $(seq "$REPS"); do measure_once "$@"; done
}
measure_once() {
  local peer=$1 cfg=$2 dur=$3 clients=$4 pids=$5 kind=$6
  shift 6
  local extra=()
  while [ "$1" != "--" ]; do extra+=("$1"); shift; done
  shift
  lock_tick
  python3 "$HERE/probe.py" --out "$OUTDIR/${TABLE:-$peer}.tsv" --peer "$peer" --config "$cfg" --durability "$dur" \
    --clients "$clients" --pids "$pids" --parse "$kind" "${extra[@]}" -- "$@" || echo "  (no result: $peer $cfg $clients)"
}

join_by_comma() { local IFS=,; echo "$*"; }

stop_all() {
  local p
  for p in "${PIDS[@]}"; do kill "$p" 2>/dev/null; done
  for p in "${PIDS_INT[@]}"; do kill -INT "$p" 2>/dev/null; done
  for p in "${PIDS[@]}" "${RUNNERS[@]}"; do wait "$p" 2>/dev/null; done
  PIDS=() PIDS_INT=() RUNNERS=()
}
cleanup() { stop_all; lock_end; rm -rf "$WORK" ${RAMWORK:+"$RAMWORK"}; }
trap cleanup EXIT
trap 'exit 130' INT TERM

# wait_for SECONDS cmd...
wait_for() {
  local n=$(($1 * 10)); shift
  while [ "$n" -gt 0 ]; do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; n=$((n - 1)); done
  echo "timed out: $*" >&2; return 1
}

build_loadgen() {
  local target=${CARGO_TARGET_DIR:-$HERE/loadgen/target}
  lock_tick
  cargo build --release -q --manifest-path "$HERE/loadgen/Cargo.toml" --target-dir "$target" || exit 1
  LOADGEN=$target/release/loadgen
}
