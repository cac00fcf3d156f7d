# Sourced after lib.sh, as root (the servers run as user postgres). start_postgres FOLDER: a primary and two streaming
# standbys with 100,000 rows in table kv; sets PG_PIDS. Ended by a fast shutdown of the postmasters.
PG_PORT=${PG_PORT:-25430}
PGBIN=${PGBIN:-$(dirname "$(dpkg -L "postgresql-${PGVER:-15}" 2>/dev/null | grep "bin/initdb$")" 2>/dev/null)}
PG_POSTMASTERS=()

as_postgres() { (cd / && exec runuser -u postgres -- "$@"); }
sql() { as_postgres psql -qAtX -h 127.0.0.1 -p "$1" -d postgres -v ON_ERROR_STOP=1 -c "$2"; }

pg_configure() { # FOLDER PORT
  cat >>"$1/postgresql.conf" <<C
listen_addresses = '127.0.0.1'
port = $2
unix_socket_directories = ''
shared_buffers = 256MB
max_connections = 300
max_wal_size = 4GB
checkpoint_timeout = 30min
wal_level = logical
max_wal_senders = 10
hot_standby = on
wal_keep_size = 1GB
max_worker_processes = 8
C
  printf '%s\n' "host all all 127.0.0.1/32 trust" "host replication all 127.0.0.1/32 trust" >"$1/pg_hba.conf"
}

pg_up() { # FOLDER PORT
  as_postgres "$PGBIN/postgres" -D "$1" >"$1.log" 2>&1 &
  local runner=$! postmaster
  wait_for 30 as_postgres "$PGBIN/pg_isready" -h 127.0.0.1 -p "$2" || { tail "$1.log"; exit 1; }
  postmaster=$(head -1 "$1/postmaster.pid")
  PG_POSTMASTERS+=("$postmaster"); PIDS_INT+=("$postmaster"); RUNNERS+=("$runner")
}

start_postgres() {
  local folder=$1 i
  mkdir -p "$folder"; chown postgres "$folder"
  as_postgres "$PGBIN/initdb" -D "$folder/p" -A trust -U postgres --no-sync >/dev/null || exit 1
  pg_configure "$folder/p" "$PG_PORT"; pg_up "$folder/p" "$PG_PORT"
  for i in 1 2; do
    as_postgres "$PGBIN/pg_basebackup" -h 127.0.0.1 -p "$PG_PORT" -U postgres -D "$folder/s$i" -X stream -c fast \
      -d "host=127.0.0.1 port=$PG_PORT user=postgres application_name=s$i" -R || exit 1
    echo "port = $((PG_PORT + i))" >>"$folder/s$i/postgresql.conf"
    pg_up "$folder/s$i" $((PG_PORT + i))
  done
  wait_for 20 pg_streams 2 || exit 1
  sql "$PG_PORT" "create table kv(k bigint primary key, v text not null)"
  sql "$PG_PORT" "insert into kv select g, repeat('y',100) from generate_series(1,100000) g; checkpoint"
  cat >"$folder/upsert.sql" <<'Q'
\set k random(1, 100000)
insert into kv values (:k, repeat('x', 100)) on conflict (k) do update set v = excluded.v;
Q
  PG_SCRIPT=$folder/upsert.sql
  PG_PIDS=$(join_by_comma "${PG_POSTMASTERS[@]}")
  export PGLOG=$folder/txlog
}
pg_streams() { [ "$(sql "$PG_PORT" "select count(*) from pg_stat_replication where state='streaming'")" = "$1" ]; }

# pg_acks STANDBY_NAMES COMMIT_LEVEL, for instance: pg_acks "'ANY 1 (s1,s2)'" on
pg_acks() {
  sql "$PG_PORT" "alter system set synchronous_standby_names = $1"
  sql "$PG_PORT" "alter system set synchronous_commit = $2"
  sql "$PG_PORT" "select pg_reload_conf()" >/dev/null
  sleep 1
}

# pg_load CLIENTS: the command of one measurement, in LOAD. Starting many sessions takes seconds that pgbench counts as
# running time (but not in its rate), hence the longer time.
pg_load() {
  local secs=$((${SECS%.*} + $1 / 64))
  LOAD=(runuser -u postgres -- "$PGBIN/pgbench" -h 127.0.0.1 -p "$PG_PORT" -n -M prepared -f "$PG_SCRIPT" -c "$1" -j 1 -T "$secs" -l "--log-prefix=$PGLOG" postgres)
}
