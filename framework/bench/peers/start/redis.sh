# Sourced after lib.sh. start_redis FOLDER APPENDONLY APPENDFSYNC: a primary and two replicas; sets REDIS_PIDS.
REDIS_PORT=${REDIS_PORT:-26390}

start_redis() {
  local folder=$1 i pids=()
  for i in 0 1 2; do
    mkdir -p "$folder/$i"
    local replica=()
    [ $i -gt 0 ] && replica=(--replicaof 127.0.0.1 "$REDIS_PORT")
    redis-server --bind 127.0.0.1 --port $((REDIS_PORT + i)) --dir "$folder/$i" --save "" --appendonly "$2" --appendfsync "$3" \
      --repl-diskless-sync yes --repl-diskless-sync-delay 0 --repl-backlog-size 256mb \
      --client-output-buffer-limit "replica 0 0 0" --auto-aof-rewrite-percentage 0 \
      --daemonize no --loglevel warning "${replica[@]}" >"$folder/$i.log" 2>&1 &
    pids+=($!)
  done
  PIDS+=("${pids[@]}")
  wait_for 20 sh -c "redis-cli -p $REDIS_PORT info replication | grep -c state=online | grep -q 2" || { tail "$folder"/*.log; exit 1; }
  sleep 0.5
  REDIS_PIDS=$(join_by_comma "${pids[@]}")
}

# redis_load CLIENTS PIPELINE WAIT: the command of one measurement, in LOAD.
redis_load() {
  LOAD=("$LOADGEN" redis --addr "127.0.0.1:$REDIS_PORT" --clients "$1" --pipeline "$2" --wait "$3" --secs "$SECS")
}
