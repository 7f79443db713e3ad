"""Sources that are polled: one small module for each vendor, on the ground of `ingest.feeds.base`."""
