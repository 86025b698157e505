-- A console reads what its own reviewer decided last at every news, however much a team decides meanwhile. The
-- reviewer comes first, so that nothing that asks for an origin's decisions takes this way.
CREATE INDEX decisions_reviewer ON decisions (reviewer, origin, seq);
