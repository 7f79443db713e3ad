"""Sources to Kafka: read feeds, folders and files, extract text, publish documents, keep each until it is stored.

Imports models, deploy.settings and stream.records (the message contract); imported by deploy only.
"""
