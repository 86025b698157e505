-- The roster and what is signed. Both are added to, never changed: see src/roster/mod.rs.

-- What administrators did to the roster, each beside its entry of the audit.
CREATE TABLE acts (
    origin    INTEGER NOT NULL REFERENCES origins (id),
    seq       INTEGER NOT NULL,          -- the place of its entry
    done_at   INTEGER NOT NULL,
    doer      TEXT NOT NULL,
    act       TEXT NOT NULL,             -- JSON, hashed and signed as it stands
    signature TEXT,                      -- as ssh-keygen -Y sign writes it
    role      TEXT,                      -- who was logged into the database; nothing in a file
    PRIMARY KEY (origin, seq)
) STRICT;

-- Signatures of decisions, beside them: a decision of one person needs none.
CREATE TABLE proofs (
    origin    INTEGER NOT NULL REFERENCES origins (id),
    decision  TEXT NOT NULL,
    made_at   INTEGER NOT NULL,          -- when it was recorded: it is judged by that moment
    signature TEXT NOT NULL,
    PRIMARY KEY (origin, decision)
) STRICT;

CREATE TRIGGER acts_stay BEFORE UPDATE ON acts
BEGIN SELECT RAISE(ABORT, 'the roster is only added to'); END;
CREATE TRIGGER acts_are_kept BEFORE DELETE ON acts
BEGIN SELECT RAISE(ABORT, 'the roster is only added to'); END;
CREATE TRIGGER proofs_stay BEFORE UPDATE ON proofs
BEGIN SELECT RAISE(ABORT, 'signatures are only added'); END;
CREATE TRIGGER proofs_are_kept BEFORE DELETE ON proofs
BEGIN SELECT RAISE(ABORT, 'signatures are only added'); END;

-- Which decision an entry is about, so that its entries are found before it is sent. The text is the
-- one that was written: the id stands in it in 36 letters.
DROP TRIGGER audit_stays;
ALTER TABLE audit ADD COLUMN decision TEXT NOT NULL DEFAULT '';
UPDATE audit SET decision = substr(entry, instr(entry, '"decision":"') + 12, 36);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE INDEX audit_decision ON audit (origin, decision, seq);
