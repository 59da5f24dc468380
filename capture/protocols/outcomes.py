"""What a reader says of the bytes it was shown."""

#: Another protocol; this one, and nothing more to read; this one or perhaps, once more bytes are there.
NOT, DONE, MORE = 0, 1, 2
#: `BEYOND + offset`: a wrapper that ends at this offset of the buffer, where another protocol begins.
BEYOND = 1 << 20

#: The same of what lies below IP: not known; told or known to tell nothing; it contradicts itself.
UNKNOWN, READ, UNSOUND = 0, 1, 2
