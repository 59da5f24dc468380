"""One file a protocol: plain functions over `buf[start:end]` that never read outside."""
