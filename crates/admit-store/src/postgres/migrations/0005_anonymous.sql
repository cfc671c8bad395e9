-- Types that are sold without a name (JSON; nothing for those that are not).
ALTER TABLE ticket_type ADD COLUMN sale TEXT;

-- Keys that sign tickets unseen. Which tickets, nobody knows.
CREATE TABLE issuer (
  event BIGINT NOT NULL REFERENCES event (number),
  key_id BYTEA NOT NULL,
  type_no BIGINT NOT NULL,
  day BIGINT,
  not_before_s BIGINT NOT NULL,
  expires_s BIGINT NOT NULL,
  max_uses BIGINT NOT NULL,
  gates BIGINT NOT NULL,
  spki BYTEA NOT NULL,
  secret TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  retired_at BIGINT,
  signed BIGINT NOT NULL DEFAULT 0,
  leaf BIGINT NOT NULL,
  PRIMARY KEY (event, key_id)
);

-- Payments, by the hash of what the buyer has: rows stand in no order of time, and are dated to the
-- hour. `expires_at` is exact only while an order is open.
CREATE TABLE receipt (
  id BYTEA PRIMARY KEY,
  event BIGINT NOT NULL,
  type_no BIGINT NOT NULL,
  day BIGINT,
  quantity BIGINT NOT NULL,
  provider TEXT NOT NULL,
  amount_cents BIGINT NOT NULL,
  currency TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  signed BIGINT NOT NULL DEFAULT 0,
  reference TEXT,
  -- What was paid for, a second time, so that a mistake above is an error and not a gift.
  CHECK (signed <= quantity)
);
CREATE INDEX receipt_open ON receipt (event, expires_at) WHERE state = 'open';

-- Keyed hashes of blinded tokens that were signed: a blinded token is random to everybody but its
-- wallet, and leads to no ticket.
CREATE TABLE blinding (
  receipt BYTEA NOT NULL,
  hash BYTEA NOT NULL,
  key_id BYTEA NOT NULL,
  PRIMARY KEY (receipt, hash)
);

CREATE TABLE voucher_batch (
  event BIGINT NOT NULL,
  number BIGINT NOT NULL,
  label TEXT NOT NULL,
  type_no BIGINT NOT NULL,
  day BIGINT,
  quantity BIGINT NOT NULL,
  count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  voided_at BIGINT,
  PRIMARY KEY (event, number)
);

CREATE TABLE voucher (
  hash BYTEA PRIMARY KEY,
  event BIGINT NOT NULL,
  batch BIGINT NOT NULL,
  claim BYTEA,
  receipt BYTEA
);
CREATE INDEX voucher_by_batch ON voucher (event, batch);

-- Anonymous tickets that were exchanged, and for which.
CREATE TABLE exchange (
  event BIGINT NOT NULL,
  ticket BIGINT NOT NULL,
  type_no BIGINT NOT NULL,
  successor BIGINT NOT NULL,
  PRIMARY KEY (event, ticket)
);

CREATE TABLE revoked_token (
  event BIGINT NOT NULL,
  ticket BIGINT NOT NULL,
  reason TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (event, ticket)
);
