-- What was seen of workflows after our declines: whether the face came onto the blocklist by itself.
CREATE TABLE workflows (
    origin   BIGINT NOT NULL REFERENCES origins (id),
    workflow TEXT NOT NULL,            -- its id at Didit
    lists    BIGINT NOT NULL,           -- 0 or 1
    seen_at  BIGINT NOT NULL,
    PRIMARY KEY (origin, workflow)
);
