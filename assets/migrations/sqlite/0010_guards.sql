-- Guards are the server's: who owns a file owns its triggers too. What was bent there is found by
-- `secondlook audit verify`, and is not sent.
CREATE TRIGGER decisions_are_kept BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are only added to'); END;
