-- Gates that go on without the network.
ALTER TABLE event ADD COLUMN offline_hours BIGINT NOT NULL DEFAULT 12;
ALTER TABLE gate ADD COLUMN latitude_e6 BIGINT;
ALTER TABLE gate ADD COLUMN longitude_e6 BIGINT;
-- What gates may do with tickets of a type, and the lease: who holds it, since which position, and
-- who shall.
ALTER TABLE ticket_type ADD COLUMN offline TEXT NOT NULL DEFAULT 'any';
ALTER TABLE ticket_type ADD COLUMN lease_device BIGINT;
ALTER TABLE ticket_type ADD COLUMN lease_holder BIGINT;
ALTER TABLE ticket_type ADD COLUMN lease_since BIGINT NOT NULL DEFAULT 0;
-- Numbers of uses that are not given out again.
ALTER TABLE spend ADD COLUMN skipped BIGINT NOT NULL DEFAULT 0;
CREATE INDEX spend_withdrawn ON spend (event, digest) WHERE standing <> 'issued';
-- Whether an entry is only claimed (0) or happened (1), its time as surely as is known (null: `at`),
-- and whether the device decided by itself.
ALTER TABLE scan ADD COLUMN done BIGINT NOT NULL DEFAULT 1;
ALTER TABLE scan ADD COLUMN low BIGINT;
ALTER TABLE scan ADD COLUMN high BIGINT;
ALTER TABLE scan ADD COLUMN offline BIGINT NOT NULL DEFAULT 0;
-- A device may have let somebody in by itself whom a late copy of the question was refused.
DROP INDEX scan_by_name;
CREATE UNIQUE INDEX scan_by_name ON scan (event, device, scan_id, (kind = 2), offline);
-- What devices said of their scans, in the order of each device.
CREATE TABLE journal (
  event BIGINT NOT NULL,
  device BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  hash BYTEA NOT NULL,
  scan_id BYTEA NOT NULL,
  digest BYTEA NOT NULL,
  gate BIGINT NOT NULL,
  word TEXT NOT NULL,
  reason TEXT,
  low BIGINT NOT NULL,
  high BIGINT,
  heard_at BIGINT NOT NULL,
  PRIMARY KEY (event, device, sequence)
);
-- Tickets whose lease another gate asked for, and when it was given back.
CREATE TABLE recall (
  event BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  type_no BIGINT NOT NULL,
  device BIGINT NOT NULL,
  asked_at BIGINT NOT NULL,
  returned_at BIGINT,
  PRIMARY KEY (event, digest)
);
-- When each side of a conflict had shown it to its staff.
ALTER TABLE conflict ADD COLUMN known_shown BIGINT;
ALTER TABLE conflict ADD COLUMN brought_shown BIGINT;
-- What devices said of themselves at their last contact.
CREATE TABLE device_state (
  device BIGINT PRIMARY KEY,
  event BIGINT NOT NULL,
  synced_at BIGINT NOT NULL,
  pending BIGINT NOT NULL,
  persisted BIGINT,
  battery BIGINT,
  cursor BIGINT NOT NULL
);
-- Counts changes of leases: an admission that was decided by an older one is decided again.
ALTER TABLE log ADD COLUMN leases BIGINT NOT NULL DEFAULT 0;
