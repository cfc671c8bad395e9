-- The first schema. Times are Unix milliseconds. Every hot table's key begins with the event.
CREATE TABLE event (
  number INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  venue TEXT NOT NULL,
  description TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  doors_at INTEGER,
  starts_at INTEGER NOT NULL,
  ends_at INTEGER NOT NULL,
  registration_open INTEGER NOT NULL,
  token_format TEXT NOT NULL,
  show_name_at_gate INTEGER NOT NULL,
  phone TEXT NOT NULL,
  questions TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  serial_key TEXT NOT NULL,
  next_serial INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE ticket_type (
  event INTEGER NOT NULL REFERENCES event (number),
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  quota INTEGER NOT NULL,
  issued INTEGER NOT NULL DEFAULT 0,
  max_uses INTEGER NOT NULL,
  valid_from INTEGER,
  valid_until INTEGER,
  gates INTEGER NOT NULL,
  PRIMARY KEY (event, number),
  -- The quota's promise a second time, so that a mistake above is an error and not an extra guest.
  CHECK (issued <= quota)
) STRICT, WITHOUT ROWID;

CREATE TABLE gate (
  event INTEGER NOT NULL REFERENCES event (number),
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  open INTEGER NOT NULL,
  PRIMARY KEY (event, number),
  UNIQUE (event, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE signing_key (
  event INTEGER NOT NULL REFERENCES event (number),
  number INTEGER NOT NULL,
  algorithm TEXT NOT NULL,
  secret TEXT NOT NULL,
  public_key BLOB,
  created_at INTEGER NOT NULL,
  not_after INTEGER,
  PRIMARY KEY (event, number)
) STRICT, WITHOUT ROWID;

-- Persons: sealed values and a wrapped key. Deleting the row is erasing the person.
CREATE TABLE person (
  id BLOB PRIMARY KEY,
  wrapped_key TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT,
  phone TEXT,
  answers TEXT,
  email_index BLOB,
  event INTEGER NOT NULL,
  ticket INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_by_email ON person (event, email_index) WHERE email_index IS NOT NULL;

CREATE TABLE ticket (
  event INTEGER NOT NULL REFERENCES event (number),
  id INTEGER NOT NULL,
  serial INTEGER NOT NULL,
  type_no INTEGER NOT NULL,
  not_before_s INTEGER NOT NULL,
  expires_s INTEGER NOT NULL,
  max_uses INTEGER NOT NULL,
  gates INTEGER NOT NULL,
  key_no INTEGER NOT NULL,
  format TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  person BLOB,
  erased_at INTEGER,
  digest BLOB NOT NULL,
  PRIMARY KEY (event, id),
  UNIQUE (event, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
  event INTEGER NOT NULL,
  key BLOB NOT NULL,
  fingerprint BLOB NOT NULL,
  ticket INTEGER NOT NULL,
  PRIMARY KEY (event, key)
) STRICT, WITHOUT ROWID;

-- The spend table: narrow, for it is what every scan reads and writes.
CREATE TABLE spend (
  event INTEGER NOT NULL,
  digest BLOB NOT NULL,
  standing TEXT NOT NULL,
  uses INTEGER NOT NULL,
  first_scan BLOB, first_device INTEGER, first_gate INTEGER, first_at INTEGER,
  last_scan BLOB, last_device INTEGER, last_gate INTEGER, last_at INTEGER,
  last_seq INTEGER,
  PRIMARY KEY (event, digest)
) STRICT, WITHOUT ROWID;

-- Every scan of a genuine ticket. `previous` chains the scans of one ticket, which spares an index.
CREATE TABLE scan (
  -- Nothing is ever deleted here, so that the next number is always a new one.
  seq INTEGER PRIMARY KEY,
  event INTEGER NOT NULL,
  device INTEGER NOT NULL,
  scan_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  reason TEXT,
  ticket INTEGER NOT NULL,
  type_no INTEGER NOT NULL,
  max_uses INTEGER NOT NULL,
  gate INTEGER NOT NULL,
  at INTEGER NOT NULL,
  use_no INTEGER NOT NULL,
  first_scan BLOB, first_device INTEGER, first_gate INTEGER, first_at INTEGER,
  previous INTEGER
) STRICT;
-- A scan's name counts once for the scan and once for its undo: the promise of exactly-once, held by
-- the schema as well.
CREATE UNIQUE INDEX scan_by_name ON scan (event, device, scan_id, kind = 2);

CREATE TABLE staff (
  name TEXT PRIMARY KEY,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
  secret BLOB PRIMARY KEY,
  staff TEXT NOT NULL REFERENCES staff (name) ON DELETE CASCADE,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
  name TEXT PRIMARY KEY,
  secret BLOB NOT NULL UNIQUE,
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  event INTEGER NOT NULL REFERENCES event (number),
  name TEXT NOT NULL,
  platform TEXT NOT NULL,
  gate INTEGER,
  secret BLOB NOT NULL UNIQUE,
  paired_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT;

CREATE TABLE pairing (
  code BLOB PRIMARY KEY,
  event INTEGER NOT NULL REFERENCES event (number),
  device_name TEXT NOT NULL,
  gate INTEGER,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
