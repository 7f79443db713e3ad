"""The embedded ClickHouse: one process that owns a `chdb` data folder and speaks ClickHouse's HTTP interface.

`python -m deploy.local.clickhouse --data DIR --host 127.0.0.1 --port 8123` runs it. Any ClickHouse client over HTTP
works unmodified; what differs from a server is listed in docs/clickhouse-compatibility.md.

How a request runs: `server` authenticates it (`users`) and reads it (`request`, `sql`), a worker thread prepares a
handle of the engine (`session`) and runs the statement (`execute`), and `server` sends or streams the answer
(`compress`). A handle is a session of the one engine in this process (`engine`); a request without a session id gets
a handle of its own, because a shared one would run one query at a time.
"""
