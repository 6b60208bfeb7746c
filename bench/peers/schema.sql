-- The same desk in tables: external key, customer, row, queue, deadlines, customer's index, counters.
CREATE TABLE customer (id bigserial PRIMARY KEY, channel int NOT NULL, address text NOT NULL, UNIQUE (channel, address));
CREATE TABLE ticket (
    id bigserial PRIMARY KEY, channel int NOT NULL, key text NOT NULL, queue int NOT NULL, customer bigint NOT NULL,
    state int NOT NULL DEFAULT 1, priority int NOT NULL DEFAULT 2, created_ms bigint NOT NULL,
    first_reply_due_ms bigint NOT NULL, resolution_due_ms bigint NOT NULL, subject text NOT NULL, body text NOT NULL,
    UNIQUE (channel, key));
CREATE INDEX ON ticket (queue, state, id);
CREATE INDEX ON ticket (first_reply_due_ms);
CREATE INDEX ON ticket (resolution_due_ms);
CREATE INDEX ON ticket (customer, id);
-- Each connection counts in rows of its own, its shard: a row stays locked until its commit is on the disk, so if all
-- counted in the same row no two commits could ever share a flush. Who reads adds the shards up. Pages are left half
-- empty, so that a row finds room for its next version beside it.
CREATE TABLE counter_shard (
    dimension text NOT NULL, hour bigint NOT NULL, member int NOT NULL, shard int NOT NULL, created bigint NOT NULL,
    PRIMARY KEY (dimension, hour, member, shard)) WITH (fillfactor = 50);
CREATE VIEW counter AS
    SELECT dimension, hour, member, sum(created) AS created FROM counter_shard GROUP BY dimension, hour, member;

CREATE FUNCTION customer_of(c int, a text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE found bigint;
BEGIN
    SELECT id INTO found FROM customer WHERE channel = c AND address = a;
    IF found IS NULL THEN
        INSERT INTO customer (channel, address) VALUES (c, a) ON CONFLICT DO NOTHING RETURNING id INTO found;
    END IF;
    IF found IS NULL THEN SELECT id INTO found FROM customer WHERE channel = c AND address = a; END IF;
    RETURN found;
END $$;

-- One create.
CREATE FUNCTION create_one(c int, q int, a text, k text, s text, b text, now bigint, shard int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    INSERT INTO ticket (channel, key, queue, customer, created_ms, first_reply_due_ms, resolution_due_ms, subject, body)
    VALUES (c, k, q, customer_of(c, a), now, now + 3600000, now + 86400000, s, b)
    ON CONFLICT DO NOTHING RETURNING id INTO made;
    IF made IS NULL THEN
        SELECT id INTO made FROM ticket WHERE channel = c AND key = k;
        RETURN made;
    END IF;
    INSERT INTO counter_shard AS counted
    VALUES ('channel', now / 3600000, c, create_one.shard, 1), ('desk', now / 3600000, 1, create_one.shard, 1),
           ('priority', now / 3600000, 2, create_one.shard, 1), ('queue', now / 3600000, q, create_one.shard, 1)
    ON CONFLICT ON CONSTRAINT counter_shard_pkey DO UPDATE SET created = counted.created + 1;
    RETURN made;
END $$;

-- Many at once: every step for all rows together.
CREATE FUNCTION create_many(c int[], q int[], a text[], k text[], s text[], b text[], now bigint, shard int)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    INSERT INTO customer (channel, address)
    SELECT DISTINCT x.c, x.a FROM unnest(c, a) AS x (c, a) ORDER BY 1, 2 ON CONFLICT DO NOTHING;
    WITH added AS (
        INSERT INTO ticket (channel, key, queue, customer, created_ms, first_reply_due_ms, resolution_due_ms, subject, body)
        SELECT x.c, x.k, x.q, customer.id, now, now + 3600000, now + 86400000, x.s, x.b
        FROM unnest(c, q, a, k, s, b) AS x (c, q, a, k, s, b)
        JOIN customer ON customer.channel = x.c AND customer.address = x.a
        ON CONFLICT DO NOTHING RETURNING channel, queue),
    counted AS (
        INSERT INTO counter_shard AS counted
        SELECT d, now / 3600000, m, create_many.shard, n FROM (
            SELECT 'channel', channel, count(*) FROM added GROUP BY channel
            UNION ALL SELECT 'desk', 1, count(*) FROM added HAVING count(*) > 0
            UNION ALL SELECT 'priority', 2, count(*) FROM added HAVING count(*) > 0
            UNION ALL SELECT 'queue', queue, count(*) FROM added GROUP BY queue) AS sums (d, m, n)
        ON CONFLICT ON CONSTRAINT counter_shard_pkey DO UPDATE SET created = counted.created + excluded.created)
    SELECT count(*) INTO made FROM added;
    RETURN made;
END $$;
