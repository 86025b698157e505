-- What was decided, taken back, opened again and settled: added to, never changed. Each entry's text
-- holds the hash of the one before; the heads tell an end that was cut off.

CREATE TABLE audit_heads (
    origin INTEGER NOT NULL PRIMARY KEY REFERENCES origins (id),
    seq    INTEGER NOT NULL,
    hash   TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    origin INTEGER NOT NULL REFERENCES origins (id),
    seq    INTEGER NOT NULL,
    entry  TEXT NOT NULL,             -- JSON, hashed as it stands
    hash   TEXT NOT NULL,
    PRIMARY KEY (origin, seq)
) STRICT;

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
