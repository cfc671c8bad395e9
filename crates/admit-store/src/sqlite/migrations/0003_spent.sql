-- Entries that gates made by themselves, under the names that the gates gave them.
CREATE TABLE spent (
  event INTEGER NOT NULL,
  device INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  digest BLOB NOT NULL,
  gate INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (event, device, sequence)
) STRICT, WITHOUT ROWID;

-- Entries with a ticket that had no use left; never removed.
CREATE TABLE conflict (
  event INTEGER NOT NULL,
  leaf INTEGER NOT NULL,
  digest BLOB NOT NULL,
  ticket INTEGER NOT NULL,
  known_scan BLOB, known_device INTEGER, known_gate INTEGER, known_at INTEGER,
  brought_scan BLOB, brought_device INTEGER, brought_gate INTEGER, brought_at INTEGER,
  PRIMARY KEY (event, leaf)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX ticket_by_digest ON ticket (event, digest);
