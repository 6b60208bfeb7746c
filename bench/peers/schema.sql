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
CREATE TABLE counter (
    dimension text NOT NULL, hour bigint NOT NULL, member int NOT NULL, created bigint NOT NULL,
    PRIMARY KEY (dimension, hour, member));

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

-- One create. Counters are added to in a fixed order, so that two of them never wait for each other.
CREATE FUNCTION create_one(c int, q int, a text, k text, s text, b text, now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    INSERT INTO ticket (channel, key, queue, customer, created_ms, first_reply_due_ms, resolution_due_ms, subject, body)
    VALUES (c, k, q, customer_of(c, a), now, now + 3600000, now + 86400000, s, b)
    ON CONFLICT DO NOTHING RETURNING id INTO made;
    IF made IS NULL THEN
        SELECT id INTO made FROM ticket WHERE channel = c AND key = k;
        RETURN made;
    END IF;
    INSERT INTO counter VALUES ('channel', now / 3600000, c, 1), ('desk', now / 3600000, 1, 1),
                               ('priority', now / 3600000, 2, 1), ('queue', now / 3600000, q, 1)
    ON CONFLICT (dimension, hour, member) DO UPDATE SET created = counter.created + 1;
    RETURN made;
END $$;

-- Many at once: every step for all rows together.
CREATE FUNCTION create_many(c int[], q int[], a text[], k text[], s text[], b text[], now bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
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
        INSERT INTO counter
        SELECT * FROM (
            SELECT 'channel', now / 3600000, channel, count(*) FROM added GROUP BY channel
            UNION ALL SELECT 'desk', now / 3600000, 1, count(*) FROM added HAVING count(*) > 0
            UNION ALL SELECT 'priority', now / 3600000, 2, count(*) FROM added HAVING count(*) > 0
            UNION ALL SELECT 'queue', now / 3600000, queue, count(*) FROM added GROUP BY queue) AS sums (d, h, m, n)
        ORDER BY d, m
        ON CONFLICT (dimension, hour, member) DO UPDATE SET created = counter.created + excluded.created)
    SELECT count(*) INTO made FROM added;
    RETURN made;
END $$;
