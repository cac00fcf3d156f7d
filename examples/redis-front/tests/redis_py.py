"""What people do with redis-py: both protocols, pipelines, transactions, optimistic locking, scans."""

import sys
import threading
import time

import redis


def tour(r):
    r.flushdb()
    assert r.ping()
    assert r.set("k", b"\x00\xff", ex=100) and r.get("k") == b"\x00\xff"
    assert 98 <= r.ttl("k") <= 100 and r.persist("k") and r.ttl("k") == -1
    assert r.set("k", "v", nx=True) is None and r.set("k", "w", get=True) == b"\x00\xff"
    assert r.mset({"a": 1, "b": 2}) and r.mget("a", "b", "c") == [b"1", b"2", None]
    assert r.incr("a", 41) == 42 and r.decr("a") == 41
    assert r.append("k", "!") == 2 and r.strlen("k") == 2
    assert r.sadd("s", "x", "y") == 2 and r.smembers("s") == {b"x", b"y"}
    assert r.sismember("s", "x") and r.srem("s", "x") == 1 and r.scard("s") == 1
    assert r.type("s") == b"set" and r.exists("s", "nope") == 1
    for wrong in (lambda: r.incr("s"), lambda: r.execute_command("NOPE")):
        try:
            wrong()
            raise AssertionError("no error")
        except redis.ResponseError:
            pass
    pipe = r.pipeline(transaction=False)
    for i in range(1000):
        pipe.set(f"many:{i}", i)
    assert all(pipe.execute())
    assert len(set(r.scan_iter(match="many:*", count=100))) == 1000
    assert r.dbsize() == len(r.keys("*"))
    with r.pipeline() as pipe:
        assert pipe.multi() is None
        pipe.incr("t").incr("t").get("t")
        assert pipe.execute() == [1, 2, b"2"]
    assert r.getdel("t") == b"2" and r.delete("a", "b") == 2
    assert r.wait(1, 5000) >= 1
    assert r.info("replication")["connected_slaves"] == 2
    r.set("short", "v", px=30)
    until = time.monotonic() + 30
    while r.get("short") is not None:
        assert time.monotonic() < until


def transfer(r, amount):
    """Optimistic locking: tries again while somebody else writes."""
    with r.pipeline() as pipe:
        while True:
            try:
                pipe.watch("from", "to")
                source, target = int(pipe.get("from")), int(pipe.get("to"))
                pipe.multi()
                pipe.set("from", source - amount)
                pipe.set("to", target + amount)
                pipe.execute()
                return
            except redis.WatchError:
                continue


def main(port):
    for protocol in (2, 3):
        r = redis.Redis(port=port, protocol=protocol, client_name="tour")
        tour(r)
        r.mset({"from": 1000, "to": 0})
        work = lambda: [transfer(r, 1) for _ in range(50)]
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert r.mget("from", "to") == [b"800", b"200"], r.mget("from", "to")
        other = redis.Redis(port=port, protocol=protocol, db=1)
        assert other.get("from") is None


main(int(sys.argv[1]))
