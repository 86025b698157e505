-- What the intake has looked at: sessions that are no case and why, and how far it has come in Didit's lists.
CREATE TABLE passed_over (
    origin   BIGINT NOT NULL REFERENCES origins (id),
    key      TEXT NOT NULL,              -- the session's id
    status   TEXT NOT NULL,              -- its status at Didit then
    rule     TEXT NOT NULL,              -- the settings it was judged by
    reason   TEXT NOT NULL,              -- strong_only, below_band, …
    seen_at  BIGINT NOT NULL,           -- listed last
    PRIMARY KEY (origin, key)
);
CREATE INDEX passed_over_seen ON passed_over (origin, seen_at);
CREATE TABLE listings (
    origin   BIGINT NOT NULL REFERENCES origins (id),
    name     TEXT NOT NULL,              -- which of Didit's lists
    record   TEXT NOT NULL,              -- how far it was walked
    PRIMARY KEY (origin, name)
);
-- Where `store init --roles` told the owner from reviewers before, these tables are theirs as the others are.
DO $$ BEGIN
    IF (SELECT owner FROM store) IS NOT NULL THEN
        EXECUTE 'GRANT SELECT ON passed_over, listings TO secondlook_reviewer, secondlook_auditor';
        EXECUTE 'GRANT INSERT, UPDATE ON passed_over, listings TO secondlook_reviewer';
        EXECUTE 'GRANT DELETE ON passed_over TO secondlook_reviewer';
    END IF;
END $$;
