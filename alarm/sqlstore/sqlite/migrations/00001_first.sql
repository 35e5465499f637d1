-- +goose Up

-- The columns have no NOT NULL, and there are few keys: a constraint that can fail in the middle of
-- a statement makes SQLite keep a journal of each statement, which costs a fifth of a commit.

-- What is known of this database: instance, generation, and what was imported.
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT
);

-- In order of arrival. The writer knows which row belongs to which fingerprint.
CREATE TABLE alerts (
	id          INTEGER PRIMARY KEY,
	fingerprint INTEGER,
	body        BLOB
);

CREATE TABLE verdicts (
	fingerprint INTEGER PRIMARY KEY,
	body        BLOB
);

CREATE TABLE silences (
	id   TEXT PRIMARY KEY,
	body BLOB
);

CREATE TABLE "groups" (
	id   TEXT PRIMARY KEY,
	body BLOB
);

CREATE TABLE told (
	receiver    TEXT,
	integration TEXT,
	group_key   TEXT,
	body        BLOB,
	PRIMARY KEY (receiver, integration, group_key)
);

-- The outbox.
CREATE TABLE intentions (
	id   INTEGER PRIMARY KEY,
	body BLOB
);

-- What Presence and the Suppressors keep.
CREATE TABLE parts (
	part  TEXT,
	"key" TEXT,
	value BLOB,
	PRIMARY KEY (part, "key")
);

CREATE TABLE history (
	id          INTEGER PRIMARY KEY,
	block       INTEGER,
	at          INTEGER,
	kind        TEXT,
	fingerprint INTEGER, -- NULL: about no single alert
	source      TEXT,
	receiver    TEXT,
	integration TEXT,
	group_key   TEXT,
	body        BLOB
);

CREATE INDEX history_fingerprint ON history (block, fingerprint);

-- One row for each block of history: its records are those from first_id on, next_id excluded, less
-- what retention took.
CREATE TABLE history_blocks (
	id       INTEGER PRIMARY KEY,
	first_id INTEGER,
	next_id  INTEGER,
	first_at INTEGER,
	last_at  INTEGER
);
