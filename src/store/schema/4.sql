-- The alerts that a receiver was notified of and that fire still, as far as it knows: what enters or leaves the filter of a
-- receiver follows from these.
CREATE TABLE known_alerts (
    receiver TEXT NOT NULL,
    alert    TEXT NOT NULL,             -- the id of the alert
    PRIMARY KEY (receiver, alert)
) WITHOUT ROWID;

-- One row for each alert that fires. What it affects is a list, of which `affected` is the length.
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
       coalesce(json_array_length(value, '$.affected'), token_name <> '') AS affected
FROM firing, json_each(firing.firing);

-- `id` is the number of the notification and `incident` the id of its alert.
DROP VIEW notices;
CREATE VIEW notices AS
SELECT id, receiver, queued_at, told_at, set_aside_at, refusal,
       json_extract(notice, '$.id') AS incident,
       json_extract(notice, '$.key.alert') AS alert,
       CASE coalesce(json_extract(notice, '$.change'), json_extract(notice, '$.status'))
            WHEN 'resolved' THEN 'resolved' WHEN 'superseded' THEN 'resolved' ELSE 'firing' END AS status,
       coalesce(json_extract(notice, '$.change'),
                CASE json_extract(notice, '$.status') WHEN 'firing' THEN 'new' ELSE json_extract(notice, '$.status') END)
           AS change,
       json_extract(notice, '$.severity') AS severity,
       json_extract(notice, '$.key.of.tenant') AS tenant,
       CASE WHEN json_extract(notice, '$.key.of.security_group') IS NOT NULL THEN 'security_group'
            WHEN json_extract(notice, '$.key.of.user_id') IS NOT NULL THEN 'user'
            WHEN json_extract(notice, '$.key.of.token_name') <> '' THEN 'token'
            WHEN json_extract(notice, '$.key.of.tenant') <> '' THEN 'tenant'
            ELSE 'fleet' END AS scope,
       nullif(json_extract(notice, '$.key.of.token_name'), '') AS token_name,
       coalesce(json_extract(notice, '$.key.of.security_group'), json_extract(notice, '$.words.security_group'))
           AS security_group,
       coalesce(json_extract(notice, '$.key.of.user_id'), json_extract(notice, '$.words.user_id')) AS user_id,
       json_extract(notice, '$.words.message') AS message
FROM outbox;
