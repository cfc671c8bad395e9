-- The first schema. Times are Unix milliseconds, flags are 0 and 1; only BIGINT, TEXT and BYTEA are
-- used. Every hot table's key begins with the event, so that an engine that shards by key keeps one
-- event together (docs/postgresql.md).

-- One row. Its version grows with every change of what servers keep in memory (events, types, gates,
-- keys, devices). Whoever changes those takes this row first, which also numbers them without gaps.
CREATE TABLE book (
  id BIGINT PRIMARY KEY,
  version BIGINT NOT NULL
);
INSERT INTO book VALUES (1, 0);

CREATE TABLE event (
  number BIGINT PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  venue TEXT NOT NULL,
  description TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  doors_at BIGINT,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  registration_open BIGINT NOT NULL,
  token_format TEXT NOT NULL,
  show_name_at_gate BIGINT NOT NULL,
  phone TEXT NOT NULL,
  questions TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  serial_key TEXT NOT NULL,
  next_serial BIGINT NOT NULL DEFAULT 0,
  sandbox BIGINT NOT NULL DEFAULT 0
);

-- Where an event's audit log and its record of scans end. Locked last in every transaction that adds
-- to them and held until the commit, so that neither has gaps and their order is the order of the
-- commits.
CREATE TABLE log (
  event BIGINT PRIMARY KEY REFERENCES event (number),
  origin TEXT NOT NULL,
  size BIGINT NOT NULL,
  root BYTEA NOT NULL,
  position BIGINT NOT NULL DEFAULT 0,
  newest_at BIGINT
) WITH (fillfactor = 10);

CREATE TABLE log_entry (
  event BIGINT NOT NULL,
  idx BIGINT NOT NULL,
  leaf BYTEA NOT NULL,
  PRIMARY KEY (event, idx)
);

-- Roots of full tiles. The hashes of a tile of level 0 are those of its leaves; those of a tile of
-- level n are the roots of level n - 1: neither is kept a second time.
CREATE TABLE log_tile (
  event BIGINT NOT NULL,
  level BIGINT NOT NULL,
  idx BIGINT NOT NULL,
  root BYTEA NOT NULL,
  PRIMARY KEY (event, level, idx)
);

CREATE TABLE ticket_type (
  event BIGINT NOT NULL REFERENCES event (number),
  number BIGINT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  quota BIGINT NOT NULL,
  issued BIGINT NOT NULL DEFAULT 0,
  max_uses BIGINT NOT NULL,
  valid_from BIGINT,
  valid_until BIGINT,
  gates BIGINT NOT NULL,
  PRIMARY KEY (event, number),
  -- The quota's promise a second time, so that a mistake above is an error and not an extra guest.
  CHECK (issued <= quota)
) WITH (fillfactor = 50);

CREATE TABLE gate (
  event BIGINT NOT NULL REFERENCES event (number),
  number BIGINT NOT NULL,
  name TEXT NOT NULL,
  open BIGINT NOT NULL,
  PRIMARY KEY (event, number),
  UNIQUE (event, name)
);

CREATE TABLE signing_key (
  event BIGINT NOT NULL REFERENCES event (number),
  number BIGINT NOT NULL,
  algorithm TEXT NOT NULL,
  secret TEXT NOT NULL,
  public_key BYTEA,
  created_at BIGINT NOT NULL,
  not_after BIGINT,
  -- From when on it signs nothing.
  retired_at BIGINT,
  PRIMARY KEY (event, number)
);

-- Persons: sealed values and a wrapped key. Deleting the row is erasing the person, so dead rows are
-- cleared away at the next look of autovacuum and not at a share of the table.
CREATE TABLE person (
  id BYTEA PRIMARY KEY,
  wrapped_key TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT,
  phone TEXT,
  answers TEXT,
  email_index BYTEA,
  event BIGINT NOT NULL,
  ticket BIGINT NOT NULL
) WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
CREATE INDEX person_by_email ON person (event, email_index) WHERE email_index IS NOT NULL;
CREATE INDEX person_by_ticket ON person (event, ticket);

CREATE TABLE ticket (
  event BIGINT NOT NULL REFERENCES event (number),
  id BIGINT NOT NULL,
  serial BIGINT NOT NULL,
  type_no BIGINT NOT NULL,
  not_before_s BIGINT NOT NULL,
  expires_s BIGINT NOT NULL,
  max_uses BIGINT NOT NULL,
  gates BIGINT NOT NULL,
  key_no BIGINT NOT NULL,
  format TEXT NOT NULL,
  issued_at BIGINT NOT NULL,
  person BYTEA,
  erased_at BIGINT,
  digest BYTEA NOT NULL,
  leaf BIGINT,
  transferable BIGINT NOT NULL DEFAULT 0,
  -- The short name in printed links.
  link BIGINT,
  PRIMARY KEY (event, id),
  UNIQUE (event, serial)
);
CREATE UNIQUE INDEX ticket_by_digest ON ticket (event, digest);
CREATE UNIQUE INDEX ticket_by_link ON ticket (link) WHERE link IS NOT NULL;

CREATE TABLE request (
  event BIGINT NOT NULL,
  key BYTEA NOT NULL,
  fingerprint BYTEA NOT NULL,
  ticket BIGINT NOT NULL,
  PRIMARY KEY (event, key)
);
CREATE INDEX request_by_ticket ON request (event, ticket);

-- The spend table: narrow, for it is what every scan reads and writes; with room in each page, so
-- that an update stays in its page and touches no index.
CREATE TABLE spend (
  event BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  standing TEXT NOT NULL,
  uses BIGINT NOT NULL,
  first_scan BYTEA, first_device BIGINT, first_gate BIGINT, first_at BIGINT,
  last_scan BYTEA, last_device BIGINT, last_gate BIGINT, last_at BIGINT,
  last_seq BIGINT,
  last_leaf BIGINT,
  PRIMARY KEY (event, digest)
) WITH (fillfactor = 60);

-- Every scan of a genuine ticket, by its position in the event. `previous` chains the scans of one
-- ticket, which spares an index.
CREATE TABLE scan (
  seq BIGINT NOT NULL,
  event BIGINT NOT NULL,
  device BIGINT NOT NULL,
  scan_id BYTEA NOT NULL,
  kind BIGINT NOT NULL,
  reason TEXT,
  ticket BIGINT NOT NULL,
  type_no BIGINT NOT NULL,
  max_uses BIGINT NOT NULL,
  gate BIGINT NOT NULL,
  at BIGINT NOT NULL,
  use_no BIGINT NOT NULL,
  first_scan BYTEA, first_device BIGINT, first_gate BIGINT, first_at BIGINT,
  previous BIGINT,
  leaf BIGINT,
  PRIMARY KEY (event, seq)
);
-- A scan's name counts once for the scan and once for its undo: the promise of exactly-once, held by
-- the schema as well.
CREATE UNIQUE INDEX scan_by_name ON scan (event, device, scan_id, (kind = 2));

-- Entries that gates made by themselves, under the names that the gates gave them.
CREATE TABLE spent (
  event BIGINT NOT NULL,
  device BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  gate BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (event, device, sequence)
);

-- Entries with a ticket that had no use left; never removed.
CREATE TABLE conflict (
  event BIGINT NOT NULL,
  leaf BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  ticket BIGINT NOT NULL,
  known_scan BYTEA, known_device BIGINT, known_gate BIGINT, known_at BIGINT,
  brought_scan BYTEA, brought_device BIGINT, brought_gate BIGINT, brought_at BIGINT,
  PRIMARY KEY (event, leaf)
);

CREATE TABLE staff (
  name TEXT PRIMARY KEY,
  password_hash TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE session (
  secret BYTEA PRIMARY KEY,
  staff TEXT NOT NULL REFERENCES staff (name) ON DELETE CASCADE,
  expires_at BIGINT NOT NULL
);

CREATE TABLE api_key (
  name TEXT PRIMARY KEY,
  secret BYTEA NOT NULL UNIQUE,
  role TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  sandbox BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE device (
  number BIGINT PRIMARY KEY,
  event BIGINT NOT NULL REFERENCES event (number),
  name TEXT NOT NULL,
  platform TEXT NOT NULL,
  gate BIGINT,
  secret BYTEA NOT NULL UNIQUE,
  paired_at BIGINT NOT NULL,
  revoked_at BIGINT,
  -- What it signs its lists of spent tickets with (Ed25519).
  public_key BYTEA
);

CREATE TABLE pairing (
  code BYTEA PRIMARY KEY,
  event BIGINT NOT NULL REFERENCES event (number),
  device_name TEXT NOT NULL,
  gate BIGINT,
  expires_at BIGINT NOT NULL
);
