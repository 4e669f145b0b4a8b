-- What an operator wants to be sent again although its receiver refused it: the numbers of rows of the outbox that were set
-- aside, until the daemon has them.
CREATE TABLE redeliveries (
    id INTEGER PRIMARY KEY
);
