"""Tunnels, one file a family: from the packet that carries to the header of what is carried.

Each `enter_…` looks at a packet whose transport header was read. It returns True and sets where the inner
layer begins (`next_type`, `next_at`), where it ends (`end`, `stop`) and the `tunnel`'s word, or it returns
False, and the packet around it counts. `peel` goes through them, level by level.
"""
