-- +goose Up

-- Text of alerts is BYTEA, for TEXT holds neither zero bytes nor what is not UTF-8. Rows whose key is
-- text are found by key_hash: the SHA-256 of the key's parts, each with its length before it.
-- convert_from(body, 'UTF8')::jsonb reads a body.

-- What is known of this database: instance, and what was imported.
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);

-- One row. Each commit begins with an update of it. Room is left in the page, so that an update
-- finds its place there.
CREATE TABLE lease (
	id          BIGINT PRIMARY KEY,
	generation  BIGINT NOT NULL,
	version     BIGINT NOT NULL, -- of the state: the number of the last commit
	holder      BYTEA NOT NULL,  -- empty: nobody
	name        BYTEA NOT NULL,
	acquired_at BIGINT NOT NULL, -- these two in nanoseconds since 1970, by the server's clock
	expires_at  BIGINT NOT NULL
) WITH (fillfactor = 10);

INSERT INTO lease VALUES (1, 0, 0, '', '', 0, 0);

-- In order of arrival. The writer knows which row belongs to which fingerprint.
CREATE TABLE alerts (
	id          BIGINT PRIMARY KEY,
	fingerprint BIGINT NOT NULL,
	body        BYTEA NOT NULL,
	version     BIGINT NOT NULL
);
CREATE INDEX alerts_version ON alerts (version);

CREATE TABLE verdicts (
	fingerprint BIGINT PRIMARY KEY,
	body        BYTEA NOT NULL,
	version     BIGINT NOT NULL
);
CREATE INDEX verdicts_version ON verdicts (version);

CREATE TABLE silences (
	key_hash BYTEA PRIMARY KEY,
	body     BYTEA NOT NULL,
	version  BIGINT NOT NULL
);
CREATE INDEX silences_version ON silences (version);

CREATE TABLE "groups" (
	key_hash BYTEA PRIMARY KEY,
	body     BYTEA NOT NULL,
	version  BIGINT NOT NULL
);
CREATE INDEX groups_version ON "groups" (version);

CREATE TABLE told (
	key_hash    BYTEA PRIMARY KEY,
	receiver    BYTEA NOT NULL,
	integration BYTEA NOT NULL,
	group_key   BYTEA NOT NULL,
	body        BYTEA NOT NULL,
	version     BIGINT NOT NULL
);
CREATE INDEX told_version ON told (version);

-- The outbox.
CREATE TABLE intentions (
	id      BIGINT PRIMARY KEY,
	body    BYTEA NOT NULL,
	version BIGINT NOT NULL
);
CREATE INDEX intentions_version ON intentions (version);

-- What Presence and the Suppressors keep.
CREATE TABLE parts (
	key_hash BYTEA PRIMARY KEY,
	part     BYTEA NOT NULL,
	"key"    BYTEA NOT NULL,
	value    BYTEA NOT NULL,
	version  BIGINT NOT NULL
);
CREATE INDEX parts_version ON parts (version);

-- What the last commits deleted from the tables above, for those who follow.
CREATE TABLE removed (
	version BIGINT,
	n       BIGINT,
	noun    BYTEA NOT NULL,
	body    BYTEA NOT NULL,
	PRIMARY KEY (version, n)
);

CREATE TABLE history (
	id          BIGINT PRIMARY KEY,
	block       BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	kind        BYTEA NOT NULL,
	fingerprint BIGINT, -- NULL: about no single alert
	source      BYTEA,
	receiver    BYTEA,
	integration BYTEA,
	group_key   BYTEA,
	body        BYTEA NOT NULL
);
CREATE INDEX history_fingerprint ON history (block, fingerprint);

-- One row for each block of history: its records are those from first_id on, next_id excluded, less
-- what retention took.
CREATE TABLE history_blocks (
	id       BIGINT PRIMARY KEY,
	first_id BIGINT NOT NULL,
	next_id  BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	last_at  BIGINT NOT NULL
);
