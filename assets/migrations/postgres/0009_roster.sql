-- The roster and what is signed. Both are added to, never changed: see src/roster/mod.rs.

-- What administrators did to the roster, each beside its entry of the audit.
CREATE TABLE acts (
    origin    BIGINT NOT NULL REFERENCES origins (id),
    seq       BIGINT NOT NULL,          -- the place of its entry
    done_at   BIGINT NOT NULL,
    doer      TEXT NOT NULL,
    act       TEXT NOT NULL,             -- JSON, hashed and signed as it stands
    signature TEXT,                      -- as ssh-keygen -Y sign writes it
    role      TEXT,                      -- who was logged into the database; nothing in a file
    PRIMARY KEY (origin, seq)
);

-- Signatures of decisions, beside them: a decision of one person needs none.
CREATE TABLE proofs (
    origin    BIGINT NOT NULL REFERENCES origins (id),
    decision  TEXT COLLATE "C" NOT NULL,
    made_at   BIGINT NOT NULL,          -- when it was recorded: it is judged by that moment
    signature TEXT NOT NULL,
    PRIMARY KEY (origin, decision)
);

-- Which decision an entry is about, so that its entries are found before it is sent. The text is the
-- one that was written: the id stands in it in 36 letters.
DROP RULE audit_stays ON audit;
DROP RULE audit_is_kept ON audit;
ALTER TABLE audit ADD COLUMN decision TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE audit SET decision = substr(entry, strpos(entry, '"decision":"') + 12, 36);
CREATE INDEX audit_decision ON audit (origin, decision, seq);

-- Rules do nothing and say nothing, and do not see TRUNCATE: these raise.
CREATE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is only added to', TG_TABLE_NAME; END $$;
DROP TRIGGER audit_signatures_stay ON audit_signatures;
DROP FUNCTION audit_signatures_stay();
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER audit_signatures_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_signatures
    FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER acts_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON acts
    FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER proofs_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON proofs
    FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();

-- Who else may do what is said here: `store init --roles` names its owner, whom reviewers are told from.
ALTER TABLE store ADD COLUMN owner TEXT;
-- Who was logged in stands beside an act, whatever was written.
CREATE FUNCTION acts_name_the_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.role := session_user; RETURN NEW; END $$;
CREATE TRIGGER acts_name_the_role BEFORE INSERT ON acts
    FOR EACH ROW EXECUTE FUNCTION acts_name_the_role();
