#!/usr/bin/env bash
# PostgreSQL: 1 primary + 2 streaming standbys, then logical replication. Needs Debian's postgresql-15; run as root.
. "$(dirname "$0")/lib.sh"
. "$HERE/start/postgres.sh"
D=$WORK/pg
start_postgres "$D"

run() { # LABEL DURABILITY CLIENTS
  pg_load "$3"
  measure postgres "$1" "$2" "$3" "$PG_PIDS" pgbench --pss -- "${LOAD[@]}"
}
for c in ${CLIENTS:-1 16 64}; do
  pg_acks "''" on;                    run "upsert, async" "fsync on primary" "$c"
  pg_acks "'ANY 1 (s1,s2)'" on;       run "upsert, semi-sync ANY 1 (s1,s2)" "fsync on primary + 1 standby" "$c"
  pg_acks "'2 (s1,s2)'" on;           run "upsert, sync 2 (s1,s2)" "fsync on all 3" "$c"
  pg_acks "'2 (s1,s2)'" remote_apply; run "upsert, sync 2, remote_apply" "fsync on all 3, applied" "$c"
  pg_acks "''" off;                   run "upsert, async, synchronous_commit=off" "none at commit" "$c"
done
pg_acks "''" on
[ -n "${ONLY_UPSERTS:-}" ] && exit 0

# standby catch-up after a bulk load
sql "$PG_PORT" "create table lg(k bigint primary key, v text not null)"
for i in $(seq "$REPS"); do
  lock_tick
  as_postgres psql -qAtX -h 127.0.0.1 -p "$PG_PORT" -d postgres -c "\\timing on" -c "truncate lg" -c "insert into lg select g, repeat('z',100) from generate_series(1,500000) g" -c "do \$\$ declare l pg_lsn := pg_current_wal_lsn(); t timestamptz := clock_timestamp(); begin while (select min(replay_lsn) from pg_stat_replication) < l loop perform pg_stat_clear_snapshot(); perform pg_sleep(0.005); end loop; raise notice 'replay caught up after % ms', extract(epoch from clock_timestamp()-t)*1000; end \$\$" 2>&1 | tee -a "$OUTDIR/postgres-extra.txt"
done

# logical replication: a fourth server subscribes; the two physical standbys stop first
for i in 1 2; do kill -INT "${PG_POSTMASTERS[$i]}"; done; sleep 1
SUB=$((PG_PORT + 3))
as_postgres "$PGBIN/initdb" -D "$D/l" -A trust -U postgres --no-sync >/dev/null
pg_configure "$D/l" "$SUB"; pg_up "$D/l" "$SUB"
sql "$PG_PORT" "truncate lg; create publication pub for table lg"
sql "$SUB" "create table lg(k bigint primary key, v text not null)"
sql "$SUB" "create subscription sub connection 'host=127.0.0.1 port=$PG_PORT dbname=postgres user=postgres' publication pub"
subscribed() { sql "$SUB" "select srsubstate from pg_subscription_rel" | grep -q r; }
wait_for 20 subscribed
seconds() { date +%s.%N; }
logical() { # SHAPE ROWS
  sql "$PG_PORT" "truncate lg"; sleep 0.5
  local t0 t1 t2 j
  t0=$(seconds)
  if [ "$1" = bulk ]; then
    sql "$PG_PORT" "insert into lg select g, repeat('z',100) from generate_series(1,$2) g"
  else
    PGOPTIONS='-c synchronous_commit=off' sql "$PG_PORT" "do \$\$ begin for i in 1..$2 loop insert into lg values (i, repeat('z',100)); commit; end loop; end \$\$"
  fi
  t1=$(seconds)
  for j in $(seq 600); do [ "$(sql "$SUB" 'select count(*) from lg')" = "$2" ] && break; sleep 0.05; done
  t2=$(seconds)
  awk -v s="$1" -v n="$2" -v a="$t0" -v b="$t1" -v c="$t2" 'BEGIN{printf "logical %s rows=%d write_s=%.2f total_s=%.2f rows_per_s_end_to_end=%.0f lag_after_write_s=%.2f\n",s,n,b-a,c-a,n/(c-a),c-b}'
}
for i in $(seq "$REPS"); do lock_tick; logical bulk 500000 | tee -a "$OUTDIR/postgres-extra.txt"; done
for i in $(seq "$REPS"); do lock_tick; logical single 100000 | tee -a "$OUTDIR/postgres-extra.txt"; done
