-- What each reader said of a case that goes to another, beside who: a JSON list. Plain identities in it
-- are from before.
ALTER TABLE cases RENAME COLUMN escalated_by TO readings;
