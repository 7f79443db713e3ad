"""Kafka to ClickHouse: message contracts, the Faust agents that analyse and store, the schema and its queries.

Imports models and deploy.settings; imported by ingest (records only), dashboard (queries only) and deploy.
"""
