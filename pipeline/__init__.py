"""The pipe between the rooms: record schemas, settings, the stream and the store.

Everything here is shared by sensor, worker and API. It must never look inside a frame,
judge a name or know a page: it imports nothing from the floors above it.
"""
