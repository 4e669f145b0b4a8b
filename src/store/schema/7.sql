-- What operators want of alerts, until the daemon has carried it out: who takes one on, as JSON, or NULL to take that back.
-- A number is never used twice.
CREATE TABLE acknowledgement_orders (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    alert           TEXT NOT NULL,      -- the id of the alert
    acknowledgement TEXT
);

-- Who has taken an alert on is shown beside it.
DROP VIEW alerts;
CREATE VIEW alerts AS
SELECT tenant,
       json_extract(value, '$.id') AS id,
       json_extract(value, '$.alert') AS alert,
       CASE WHEN json_extract(value, '$.scope.security_group') IS NOT NULL THEN 'security_group'
            WHEN json_extract(value, '$.scope.user_id') IS NOT NULL THEN 'user'
            WHEN coalesce(json_extract(value, '$.scope.token_name'), token_name) <> '' THEN 'token'
            WHEN tenant <> '' THEN 'tenant'
            ELSE 'fleet' END AS scope,
       nullif(coalesce(json_extract(value, '$.scope.token_name'), token_name), '') AS token_name,
       coalesce(json_extract(value, '$.scope.security_group'), json_extract(value, '$.words.security_group'))
           AS security_group,
       coalesce(json_extract(value, '$.scope.user_id'), json_extract(value, '$.words.user_id')) AS user_id,
       json_extract(value, '$.severity') AS severity,
       json_extract(value, '$.since') AS since,
       json_extract(value, '$.told_at') AS last_told,
       json_extract(value, '$.words.message') AS message,
       coalesce(json_array_length(value, '$.affected'), token_name <> '') AS affected,
       json_extract(value, '$.acknowledged.by') AS acknowledged_by,
       json_extract(value, '$.acknowledged.until') AS acknowledged_until
FROM firing, json_each(firing.firing);
