"""The Streamlit pages over ClickHouse.

Imports models, stream.queries and deploy.settings; nothing imports it.
"""
