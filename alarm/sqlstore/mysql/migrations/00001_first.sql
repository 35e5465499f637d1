-- +goose Up

-- A statement that changes tables commits what was done before it, so all of these can be repeated.

-- Text of alerts is a BLOB, for TEXT holds nothing that is not UTF-8. Rows whose key is text are found
-- by key_hash: the SHA-256 of the key's parts, each with its length before it. CONVERT(body USING
-- utf8mb4) reads a body.

-- What is known of this database: instance, and what was imported.
CREATE TABLE IF NOT EXISTS meta (
	name  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY,
	value LONGTEXT CHARACTER SET utf8mb4 NOT NULL
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

-- One row. Each commit begins with an update of it.
CREATE TABLE IF NOT EXISTS lease (
	id          BIGINT PRIMARY KEY,
	generation  BIGINT NOT NULL,
	version     BIGINT NOT NULL, -- of the state: the number of the last commit
	holder      VARBINARY(255) NOT NULL,  -- empty: nobody
	name        LONGBLOB NOT NULL,
	acquired_at BIGINT NOT NULL, -- these two in nanoseconds since 1970, by the server's clock
	expires_at  BIGINT NOT NULL
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

INSERT IGNORE INTO lease VALUES (1, 0, 0, '', '', 0, 0);

-- In order of arrival. The writer knows which row belongs to which fingerprint.
CREATE TABLE IF NOT EXISTS alerts (
	id          BIGINT PRIMARY KEY,
	fingerprint BIGINT NOT NULL,
	body        LONGBLOB NOT NULL,
	version     BIGINT NOT NULL,
	INDEX alerts_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS verdicts (
	fingerprint BIGINT PRIMARY KEY,
	body        LONGBLOB NOT NULL,
	version     BIGINT NOT NULL,
	INDEX verdicts_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS silences (
	key_hash BINARY(32) PRIMARY KEY,
	body     LONGBLOB NOT NULL,
	version  BIGINT NOT NULL,
	INDEX silences_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS "groups" (
	key_hash BINARY(32) PRIMARY KEY,
	body     LONGBLOB NOT NULL,
	version  BIGINT NOT NULL,
	INDEX groups_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS told (
	key_hash    BINARY(32) PRIMARY KEY,
	receiver    LONGBLOB NOT NULL,
	integration LONGBLOB NOT NULL,
	group_key   LONGBLOB NOT NULL,
	body        LONGBLOB NOT NULL,
	version     BIGINT NOT NULL,
	INDEX told_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

-- The outbox.
CREATE TABLE IF NOT EXISTS intentions (
	id      BIGINT PRIMARY KEY,
	body    LONGBLOB NOT NULL,
	version BIGINT NOT NULL,
	INDEX intentions_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

-- What Presence and the Suppressors keep.
CREATE TABLE IF NOT EXISTS parts (
	key_hash BINARY(32) PRIMARY KEY,
	part     LONGBLOB NOT NULL,
	"key"    LONGBLOB NOT NULL,
	value    LONGBLOB NOT NULL,
	version  BIGINT NOT NULL,
	INDEX parts_version (version)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

-- What the last commits deleted from the tables above, for those who follow.
CREATE TABLE IF NOT EXISTS removed (
	version BIGINT,
	n       BIGINT,
	noun    VARBINARY(255) NOT NULL,
	body    LONGBLOB NOT NULL,
	PRIMARY KEY (version, n)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

CREATE TABLE IF NOT EXISTS history (
	id          BIGINT PRIMARY KEY,
	block       BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	kind        LONGBLOB NOT NULL,
	fingerprint BIGINT, -- NULL: about no single alert
	source      LONGBLOB,
	receiver    LONGBLOB,
	integration LONGBLOB,
	group_key   LONGBLOB,
	body        LONGBLOB NOT NULL,
	INDEX history_fingerprint (block, fingerprint)
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;

-- One row for each block of history: its records are those from first_id on, next_id excluded, less
-- what retention took.
CREATE TABLE IF NOT EXISTS history_blocks (
	id       BIGINT PRIMARY KEY,
	first_id BIGINT NOT NULL,
	next_id  BIGINT NOT NULL,
	first_at BIGINT NOT NULL,
	last_at  BIGINT NOT NULL
) ENGINE = InnoDB, ROW_FORMAT = DYNAMIC;
