-- What was decided, taken back, opened again and settled: added to, never changed. Each entry's text
-- holds the hash of the one before; the heads tell an end that was cut off.

CREATE TABLE audit_heads (
    origin BIGINT NOT NULL PRIMARY KEY REFERENCES origins (id),
    seq    BIGINT NOT NULL,
    hash   TEXT NOT NULL
);

CREATE TABLE audit (
    origin BIGINT NOT NULL REFERENCES origins (id),
    seq    BIGINT NOT NULL,
    entry  TEXT NOT NULL,             -- JSON, hashed as it stands
    hash   TEXT NOT NULL,
    PRIMARY KEY (origin, seq)
);

CREATE RULE audit_stays AS ON UPDATE TO audit DO INSTEAD NOTHING;
CREATE RULE audit_is_kept AS ON DELETE TO audit DO INSTEAD NOTHING;
