"""Everything that reads text: the transformer, themes, sentiment, securities and their linker. Knows neither Kafka nor ClickHouse.

Imports nothing of the other folders; anyone may import it.
"""
