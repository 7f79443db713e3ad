"""The local stack: an embedded Kafka-protocol broker, an embedded ClickHouse, and the supervision of every process.

Used by `fengxiang up` and the tests; nothing else knows that the broker and the store are embedded.
"""
