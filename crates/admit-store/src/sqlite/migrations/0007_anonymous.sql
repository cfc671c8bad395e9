-- Types that are sold without a name (JSON; nothing for those that are not).
ALTER TABLE ticket_type ADD COLUMN sale TEXT;

-- Keys that sign tickets unseen. Which tickets, nobody knows.
CREATE TABLE issuer (
  event INTEGER NOT NULL REFERENCES event (number),
  key_id BLOB NOT NULL,
  type_no INTEGER NOT NULL,
  day INTEGER,
  not_before_s INTEGER NOT NULL,
  expires_s INTEGER NOT NULL,
  max_uses INTEGER NOT NULL,
  gates INTEGER NOT NULL,
  spki BLOB NOT NULL,
  secret TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  retired_at INTEGER,
  signed INTEGER NOT NULL DEFAULT 0,
  leaf INTEGER NOT NULL,
  PRIMARY KEY (event, key_id)
) STRICT, WITHOUT ROWID;

-- Payments, by the hash of what the buyer has: rows stand in no order of time, and are dated to the
-- hour. `expires_at` is exact only while an order is open.
CREATE TABLE receipt (
  id BLOB PRIMARY KEY,
  event INTEGER NOT NULL,
  type_no INTEGER NOT NULL,
  day INTEGER,
  quantity INTEGER NOT NULL,
  provider TEXT NOT NULL,
  amount_cents INTEGER NOT NULL,
  currency TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  signed INTEGER NOT NULL DEFAULT 0,
  reference TEXT,
  -- What was paid for, a second time, so that a mistake above is an error and not a gift.
  CHECK (signed <= quantity)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_open ON receipt (event, expires_at) WHERE state = 'open';

-- Keyed hashes of blinded tokens that were signed: a blinded token is random to everybody but its
-- wallet, and leads to no ticket.
CREATE TABLE blinding (
  receipt BLOB NOT NULL,
  hash BLOB NOT NULL,
  key_id BLOB NOT NULL,
  PRIMARY KEY (receipt, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE voucher_batch (
  event INTEGER NOT NULL,
  number INTEGER NOT NULL,
  label TEXT NOT NULL,
  type_no INTEGER NOT NULL,
  day INTEGER,
  quantity INTEGER NOT NULL,
  count INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  voided_at INTEGER,
  PRIMARY KEY (event, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE voucher (
  hash BLOB PRIMARY KEY,
  event INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  claim BLOB,
  receipt BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX voucher_by_batch ON voucher (event, batch);

-- Anonymous tickets that were exchanged, and for which.
CREATE TABLE exchange (
  event INTEGER NOT NULL,
  ticket INTEGER NOT NULL,
  type_no INTEGER NOT NULL,
  successor INTEGER NOT NULL,
  PRIMARY KEY (event, ticket)
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked_token (
  event INTEGER NOT NULL,
  ticket INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (event, ticket)
) STRICT, WITHOUT ROWID;
