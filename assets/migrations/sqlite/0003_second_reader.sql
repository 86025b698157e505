-- Who escalated a case, as a JSON list of identities: they do not decide it.
ALTER TABLE cases ADD COLUMN escalated_by TEXT;
