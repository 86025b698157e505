-- What was seen of workflows after our declines: whether the face came onto the blocklist by itself.
CREATE TABLE workflows (
    origin   INTEGER NOT NULL REFERENCES origins (id),
    workflow TEXT NOT NULL,            -- its id at Didit
    lists    INTEGER NOT NULL,           -- 0 or 1
    seen_at  INTEGER NOT NULL,
    PRIMARY KEY (origin, workflow)
) STRICT;
