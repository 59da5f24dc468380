"""Answers for people and programs: the FastAPI service, access control, pages and charts.

It must never write records or decide what a name means; it asks the store and shows what it says.
"""
