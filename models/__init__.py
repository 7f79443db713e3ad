"""Everything that reads text: transformer, themes, sentiment, securities, linker. Knows neither Kafka nor ClickHouse.

Imports nothing of the other folders; anyone may import it.
"""
