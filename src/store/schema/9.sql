-- What happened to each alert: what was notified of it, whoever the receivers are, and who took it on or gave it back.
-- `change` is as notifications have it, or `acknowledged` or `unacknowledged`; `notice` is JSON, the notification or the
-- acknowledgement.
CREATE TABLE alert_events (
    id     INTEGER PRIMARY KEY,
    at     TEXT NOT NULL,
    alert  TEXT NOT NULL,               -- the id of the alert
    change TEXT NOT NULL,
    notice TEXT
);
CREATE INDEX alert_events_by_alert ON alert_events (alert, id);
CREATE INDEX alert_events_by_time ON alert_events (at);
CREATE INDEX alert_events_ended ON alert_events (id) WHERE change IN ('resolved', 'superseded');

-- To whom an alert was notified is found by the id of the alert.
CREATE INDEX outbox_by_alert ON outbox (json_extract(notice, '$.id'));
