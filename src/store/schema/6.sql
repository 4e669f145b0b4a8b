-- What is sent again and again by the calendar, and the last moment for which it was: of a digest (`digest RECEIVER`) the moment
-- at which it was due, so that a restart neither repeats nor loses one.
CREATE TABLE recurring (
    name TEXT PRIMARY KEY,
    at   TEXT NOT NULL
) WITHOUT ROWID;
