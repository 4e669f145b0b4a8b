-- What shows a change of a permission, in words: the request and its answer, or the user's right.
ALTER TABLE transitions ADD COLUMN shown_by TEXT;

DROP VIEW permissions;
CREATE VIEW permissions AS
SELECT tenant, token_name,
       json_extract(value, '$.permission') AS permission,
       json_extract(value, '$.belief.held') AS held,
       json_extract(value, '$.belief.since') AS since,
       json_extract(value, '$.evidence') AS evidence,
       json_extract(value, '$.answer') AS answer,
       json_extract(value, '$.cause') AS cause
FROM tokens, json_each(tokens.standing, '$.permissions');
