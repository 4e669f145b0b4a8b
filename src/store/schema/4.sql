-- The alerts that a receiver was notified of and that fire still, as far as it knows: what enters or leaves the filter of a
-- receiver follows from these.
CREATE TABLE known_alerts (
    receiver TEXT NOT NULL,
    alert    TEXT NOT NULL,             -- the id of the alert
    PRIMARY KEY (receiver, alert)
) WITHOUT ROWID;
