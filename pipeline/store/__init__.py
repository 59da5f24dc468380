"""The store: ClickHouse, embedded (chDB) or a server, through one client.

It must never import from the floors above, and never decide what a record means.

Migrations are `migrations/NNNN_name.sql`, applied in the order of their numbers, each once:

- four digits, an underscore, lower-case words; no number twice; a new file takes the number after the
  newest, and gaps stay empty: a store that is past a gap would take it in another order than a new one;
- statements end with `;` at the end of a line; a file may hold several; a statement must not hold
  `;` at a line's end inside a string; `--` comments stand on lines of their own;
- names of tables are written without a database: the client's database is used;
- no placeholders; each statement must be repeatable (`CREATE TABLE IF NOT EXISTS`, `ALTER TABLE …
  ADD COLUMN IF NOT EXISTS`), since a file cut short by a crash is run again from its top;
- no TTL clause: how long a table keeps its rows is a line in `retention.tsv` (table, column that
  says when a row was written, setting), applied after the migrations and whenever the setting
  changes; tables that are not there are skipped;
- a table without such a column gets `arrived`, as in `0001_records.sql`;
- a table needs its line in `sharding.tsv` (table, columns of its key whose hash says the shard): in a
  cluster its rows are spread by it (`cluster.py`, which also says what statements become there);
- the last file of each version that is let out has the dump of the store that it leaves,
  `tests/pipeline/store/states/NNNN.sql`;
- every table that is inserted into with a token, and every target of a materialized view, has
  `SETTINGS non_replicated_deduplication_window = 10000`;
- a file that was applied is never changed again (its SHA-256 is kept in `schema_migrations`): the
  next number changes what it made.
"""
