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
  next_serial BIGINT NOT NULL DEFAULT 0
);

-- Where an event's record of scans ends. Taken last in every transaction that adds to it and held
-- until the commit, so that positions have no gaps and their order is the order of the commits.
CREATE TABLE head (
  event BIGINT PRIMARY KEY,
  position BIGINT NOT NULL DEFAULT 0,
  newest_at BIGINT
) WITH (fillfactor = 10);

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
  PRIMARY KEY (event, id),
  UNIQUE (event, serial)
);

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
  PRIMARY KEY (event, seq)
);
-- A scan's name counts once for the scan and once for its undo: the promise of exactly-once, held by
-- the schema as well.
CREATE UNIQUE INDEX scan_by_name ON scan (event, device, scan_id, (kind = 2));

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
  created_at BIGINT NOT NULL
);

CREATE TABLE device (
  number BIGINT PRIMARY KEY,
  event BIGINT NOT NULL REFERENCES event (number),
  name TEXT NOT NULL,
  platform TEXT NOT NULL,
  gate BIGINT,
  secret BYTEA NOT NULL UNIQUE,
  paired_at BIGINT NOT NULL,
  revoked_at BIGINT
);

CREATE TABLE pairing (
  code BYTEA PRIMARY KEY,
  event BIGINT NOT NULL REFERENCES event (number),
  device_name TEXT NOT NULL,
  gate BIGINT,
  expires_at BIGINT NOT NULL
);
