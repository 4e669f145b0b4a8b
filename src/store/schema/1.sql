-- What is known of each token. `standing` is JSON; the views below show it to people.
CREATE TABLE tokens (
    tenant     TEXT NOT NULL,
    token_name TEXT NOT NULL,
    standing   TEXT NOT NULL,
    retired_at TEXT,                    -- when it left the configuration
    PRIMARY KEY (tenant, token_name)
);

-- What fires for each token, or for a tenant as a whole where token_name is empty. `firing` is a JSON list.
CREATE TABLE firing (
    tenant     TEXT NOT NULL,
    token_name TEXT NOT NULL,
    firing     TEXT NOT NULL,
    PRIMARY KEY (tenant, token_name)
);

-- The history: every change of what is believed.
CREATE TABLE transitions (
    id         INTEGER PRIMARY KEY,
    at         TEXT NOT NULL,           -- when it was settled, as 2026-11-23T10:00:00.123Z
    tenant     TEXT NOT NULL,
    token_name TEXT NOT NULL,
    kind       TEXT NOT NULL,           -- state, permission, right, security_group, global_admin, fingerprint, name
    subject    TEXT,                    -- the permission or right
    before     TEXT NOT NULL,
    after      TEXT NOT NULL,
    since      TEXT NOT NULL,           -- when it was first seen
    evidence   TEXT                     -- probe or right, for permissions
);
CREATE INDEX transitions_by_time ON transitions (at);
CREATE INDEX transitions_by_token ON transitions (tenant, token_name, at);

-- What was told, and what is still to be told where told_at is empty. `notice` is JSON.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver   TEXT NOT NULL,
    queued_at  TEXT NOT NULL,
    told_at    TEXT,
    notice     TEXT NOT NULL
);
CREATE INDEX outbox_untold ON outbox (id) WHERE told_at IS NULL;
CREATE INDEX outbox_told ON outbox (told_at) WHERE told_at IS NOT NULL;

CREATE VIEW standings AS
SELECT tenant, token_name,
       json_extract(standing, '$.state') AS state,
       json_extract(standing, '$.since') AS since,
       json_extract(standing, '$.validity.last_attempt') AS last_check,
       json_extract(standing, '$.validity.last_success') AS last_success,
       json_extract(standing, '$.user.group') AS security_group,
       json_extract(standing, '$.fingerprint') AS fingerprint,
       retired_at
FROM tokens;

CREATE VIEW permissions AS
SELECT tenant, token_name,
       json_extract(value, '$.permission') AS permission,
       json_extract(value, '$.belief.held') AS held,
       json_extract(value, '$.belief.since') AS since,
       json_extract(value, '$.evidence') AS evidence,
       json_extract(value, '$.cause') AS cause
FROM tokens, json_each(tokens.standing, '$.permissions');

CREATE VIEW alerts AS
SELECT tenant, token_name,
       json_extract(value, '$.alert') AS alert,
       json_extract(value, '$.subject') AS subject,
       json_extract(value, '$.severity') AS severity,
       json_extract(value, '$.since') AS since,
       json_extract(value, '$.told_at') AS last_told,
       json_extract(value, '$.words.message') AS message
FROM firing, json_each(firing.firing);

CREATE VIEW notices AS
SELECT id, receiver, queued_at, told_at,
       json_extract(notice, '$.key.alert') AS alert,
       json_extract(notice, '$.status') AS status,
       json_extract(notice, '$.severity') AS severity,
       json_extract(notice, '$.key.of.tenant') AS tenant,
       json_extract(notice, '$.key.of.token_name') AS token_name,
       json_extract(notice, '$.key.subject') AS subject,
       json_extract(notice, '$.words.message') AS message
FROM outbox;
