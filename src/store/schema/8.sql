-- The history of one tenant, and of tokens of one name, in the order of time.
CREATE INDEX transitions_by_tenant ON transitions (tenant, at);
CREATE INDEX transitions_by_name ON transitions (token_name, at);
