-- Gates that go on without the network.
ALTER TABLE event ADD COLUMN offline_hours INTEGER NOT NULL DEFAULT 12;
ALTER TABLE gate ADD COLUMN latitude_e6 INTEGER;
ALTER TABLE gate ADD COLUMN longitude_e6 INTEGER;
-- What gates may do with tickets of a type, and the lease: who holds it, since which position, and
-- who shall.
ALTER TABLE ticket_type ADD COLUMN offline TEXT NOT NULL DEFAULT 'any';
ALTER TABLE ticket_type ADD COLUMN lease_device INTEGER;
ALTER TABLE ticket_type ADD COLUMN lease_holder INTEGER;
ALTER TABLE ticket_type ADD COLUMN lease_since INTEGER NOT NULL DEFAULT 0;
-- Numbers of uses that are not given out again.
ALTER TABLE spend ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
CREATE INDEX spend_withdrawn ON spend (event, digest) WHERE standing <> 'issued';
-- Whether an entry is only claimed (0) or happened (1), its time as surely as is known (null: `at`),
-- and whether the device decided by itself.
ALTER TABLE scan ADD COLUMN done INTEGER NOT NULL DEFAULT 1;
ALTER TABLE scan ADD COLUMN low INTEGER;
ALTER TABLE scan ADD COLUMN high INTEGER;
ALTER TABLE scan ADD COLUMN offline INTEGER NOT NULL DEFAULT 0;
-- A device may have let somebody in by itself whom a late copy of the question was refused.
DROP INDEX scan_by_name;
CREATE UNIQUE INDEX scan_by_name ON scan (event, device, scan_id, kind = 2, offline);
-- What devices said of their scans, in the order of each device.
CREATE TABLE journal (
  event INTEGER NOT NULL,
  device INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  hash BLOB NOT NULL,
  scan_id BLOB NOT NULL,
  digest BLOB NOT NULL,
  gate INTEGER NOT NULL,
  word TEXT NOT NULL,
  reason TEXT,
  low INTEGER NOT NULL,
  high INTEGER,
  heard_at INTEGER NOT NULL,
  PRIMARY KEY (event, device, sequence)
) STRICT, WITHOUT ROWID;
-- Tickets whose lease another gate asked for, and when it was given back.
CREATE TABLE recall (
  event INTEGER NOT NULL,
  digest BLOB NOT NULL,
  type_no INTEGER NOT NULL,
  device INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  returned_at INTEGER,
  PRIMARY KEY (event, digest)
) STRICT, WITHOUT ROWID;
-- When each side of a conflict had shown it to its staff.
ALTER TABLE conflict ADD COLUMN known_shown INTEGER;
ALTER TABLE conflict ADD COLUMN brought_shown INTEGER;
-- What devices said of themselves at their last contact.
CREATE TABLE device_state (
  device INTEGER PRIMARY KEY,
  event INTEGER NOT NULL,
  synced_at INTEGER NOT NULL,
  pending INTEGER NOT NULL,
  persisted INTEGER,
  battery INTEGER,
  cursor INTEGER NOT NULL
) STRICT;
