"""`python -m ingest`: the ingestor process."""

from ingest.runner import main

main()
