-- What Didit was told of a decision and has not shown yet.

-- How often the step in hand was written, counted before the request leaves.
ALTER TABLE decisions ADD COLUMN writes INTEGER NOT NULL DEFAULT 0;

-- When Didit first said yes to it.
ALTER TABLE decisions ADD COLUMN answered_at INTEGER;
