-- How tickets of a type may enter again (JSON; nothing when it asks for nothing), and whether they
-- may be handed on.
ALTER TABLE ticket_type ADD COLUMN pass TEXT;
ALTER TABLE ticket_type ADD COLUMN transferable TEXT NOT NULL DEFAULT 'no';
-- How many are inside with a ticket, and at which gates it entered on the day of its last entry.
ALTER TABLE spend ADD COLUMN inside BIGINT NOT NULL DEFAULT 0;
ALTER TABLE spend ADD COLUMN day_gates BIGINT NOT NULL DEFAULT 0;

-- Tickets on their way to another holder or another phone: one row for each, from the offer on.
-- `secret` and `claim` are hashes: of what the link holds, and of what the taker drew.
CREATE TABLE transfer (
  event BIGINT NOT NULL,
  ticket BIGINT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  secret BYTEA,
  claim BYTEA,
  person BYTEA,
  successor BIGINT,
  offered_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  PRIMARY KEY (event, ticket)
);
CREATE INDEX transfer_asked ON transfer (event, changed_at) WHERE state = 'asked';
