-- Tickets whose code changes: what kind, and to which wallet a ticket is bound.
ALTER TABLE ticket_type ADD COLUMN rotation TEXT;
ALTER TABLE ticket_type ADD COLUMN interval_s INTEGER NOT NULL DEFAULT 30;
ALTER TABLE ticket ADD COLUMN rotation TEXT;
ALTER TABLE ticket ADD COLUMN interval_s INTEGER NOT NULL DEFAULT 30;
ALTER TABLE ticket ADD COLUMN binding BLOB;
-- The newest epoch of which a changing code was used.
ALTER TABLE spend ADD COLUMN last_epoch INTEGER;
