"""One file a protocol: plain functions `parse(buf, start, end, ...)` that never read outside `[start, end)`."""
