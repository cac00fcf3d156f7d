# Sourced after lib.sh. start_etcd FOLDER: three members on loopback; sets ETCD_PIDS, ETCD_LEADER and ETCD_ALL (endpoints).
ETCD_PORT=${ETCD_PORT:-23790}

start_etcd() {
  local folder=$1 i members="" pids=()
  for i in 1 2 3; do members="$members${members:+,}n$i=http://127.0.0.1:$((ETCD_PORT + 10 + i))"; done
  for i in 1 2 3; do
    etcd --name "n$i" --data-dir "$folder/n$i" --listen-client-urls "http://127.0.0.1:$((ETCD_PORT + i))" \
      --advertise-client-urls "http://127.0.0.1:$((ETCD_PORT + i))" --listen-peer-urls "http://127.0.0.1:$((ETCD_PORT + 10 + i))" \
      --initial-advertise-peer-urls "http://127.0.0.1:$((ETCD_PORT + 10 + i))" --initial-cluster "$members" \
      --initial-cluster-state new --quota-backend-bytes 8000000000 --auto-compaction-mode=revision \
      --auto-compaction-retention=100000 --snapshot-count 100000 --logger=zap --log-level=error >"$folder/n$i.log" 2>&1 &
    pids+=($!)
  done
  PIDS+=("${pids[@]}")
  export ETCDCTL_API=3
  ETCD_ALL=127.0.0.1:$((ETCD_PORT + 1)),127.0.0.1:$((ETCD_PORT + 2)),127.0.0.1:$((ETCD_PORT + 3))
  wait_for 20 etcdctl --endpoints "$ETCD_ALL" endpoint health || { tail "$folder"/*.log; exit 1; }
  ETCD_LEADER=$(etcdctl --endpoints "$ETCD_ALL" endpoint status -w simple | awk -F', ' '$5=="true"{print $1}')
  ETCD_PIDS=$(join_by_comma "${pids[@]}")
}

# etcd_load OPERATION ENDPOINTS CLIENTS: the command of one measurement, in LOAD.
etcd_load() {
  LOAD=("$LOADGEN" etcd --endpoints "$2" --op "$1" --clients "$3" --conns "$(($3 < 64 ? 1 : $3 / 16))" --secs "$SECS")
}
