-- The entries about a case are found by what they say, never by what stands beside them. An entry that is no
-- JSON is about no case.
CREATE INDEX audit_case
    ON audit (origin, (CASE WHEN json_valid(entry) THEN json_extract(entry, '$.case') END), seq);
DROP INDEX audit_decision;
