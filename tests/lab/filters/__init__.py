"""Filters of every kind between real clients and real servers, to measure verdicts against what clients got.

`scenario.py` is the contract, `dns.py` and `web.py` hold the filters; docs/verdicts.md has the results.
"""
