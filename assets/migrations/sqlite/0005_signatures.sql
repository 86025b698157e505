-- Signatures of the audit's entries, beside them: the entries are whole without.

CREATE TABLE audit_signatures (
    origin    INTEGER NOT NULL REFERENCES origins (id),
    seq       INTEGER NOT NULL,
    signature TEXT NOT NULL,          -- as ssh-keygen -Y sign writes it, of the entry's hash
    PRIMARY KEY (origin, seq)
) STRICT;

CREATE TRIGGER audit_signatures_stay BEFORE UPDATE ON audit_signatures
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_signatures_are_kept BEFORE DELETE ON audit_signatures
BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;
