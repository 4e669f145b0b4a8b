-- What a receiver refused for good, while it took others, is kept and not sent again by itself: when it was set aside, and
-- what the receiver answered.
ALTER TABLE outbox ADD COLUMN set_aside_at TEXT;
ALTER TABLE outbox ADD COLUMN refusal TEXT;

DROP INDEX outbox_untold;
CREATE INDEX outbox_undelivered ON outbox (id) WHERE told_at IS NULL AND set_aside_at IS NULL;
CREATE INDEX outbox_set_aside ON outbox (set_aside_at) WHERE set_aside_at IS NOT NULL;

DROP VIEW notices;
CREATE VIEW notices AS
SELECT id, receiver, queued_at, told_at, set_aside_at, refusal,
       json_extract(notice, '$.key.alert') AS alert,
       json_extract(notice, '$.status') AS status,
       json_extract(notice, '$.severity') AS severity,
       json_extract(notice, '$.key.of.tenant') AS tenant,
       json_extract(notice, '$.key.of.token_name') AS token_name,
       json_extract(notice, '$.key.subject') AS subject,
       json_extract(notice, '$.words.message') AS message
FROM outbox;
