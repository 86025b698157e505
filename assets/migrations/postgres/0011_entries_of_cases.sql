-- The entries about a case are found by what they say, never by what stands beside them. Entries are written by
-- the program, or checked by audit_follows: the key stands in them as here.
CREATE INDEX audit_case ON audit (origin, (substring(entry FROM '"case":"([^"]*)"')), seq);
