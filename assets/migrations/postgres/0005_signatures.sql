-- Signatures of the audit's entries, beside them: the entries are whole without.

CREATE TABLE audit_signatures (
    origin    BIGINT NOT NULL REFERENCES origins (id),
    seq       BIGINT NOT NULL,
    signature TEXT NOT NULL,          -- as ssh-keygen -Y sign writes it, of the entry's hash
    PRIMARY KEY (origin, seq)
);

-- A trigger, not a rule: rules and ON CONFLICT do not go together.
CREATE FUNCTION audit_signatures_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit is only added to'; END $$;
CREATE TRIGGER audit_signatures_stay BEFORE UPDATE OR DELETE ON audit_signatures
    FOR EACH ROW EXECUTE FUNCTION audit_signatures_stay();
