-- The statements of the event store.
--
-- They are functions because of their settings, which hold behind a connection pooler too. What
-- PostgreSQL plans while the tables are empty reads whole tables, and stays when they have grown.
-- Here there is one good plan, the index, whatever the size: the others are switched off, and so it
-- can be planned once.

-- Appends to several streams. The first arrays have an element for each stream, with the place and
-- the number of its entries in the other arrays, which have an element for each entry, with the
-- place of its stream. Answers, for each stream, null when its entries are stored, and else the
-- version it is at.
--
-- Each statement in here sees what was committed before that statement: what was read after the
-- lock is what holds. It needs READ COMMITTED, the default.
create function longhaul_append(
    stream_ids text[],
    kinds text[],
    partitions integer[],
    expected_versions bigint[],
    firsts integer[],
    counts integer[],
    streams integer[],
    versions bigint[],
    ids uuid[],
    types text[],
    categories text[],
    bodies text[],
    metadatas text[],
    times timestamptz[]
) returns bigint[]
language plpgsql
volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
    current_versions bigint[];
    fresh boolean[];
begin
    -- One append at a time in each partition of each kind, until it is committed: positions become
    -- visible in their order, so that a reader never skips one. In the order of keys, so that two
    -- appends never wait for each other.
    perform pg_advisory_xact_lock(lock.key, lock.partition)
    from (
        select distinct hashtext('longhaul/' || log.kind) as key, log.partition
        from unnest(kinds, partitions) as log (kind, partition)
        order by key, partition
    ) as lock;

    select
        array_agg(found.version order by found.place),
        array_agg(found.version = found.expected order by found.place)
    into current_versions, fresh
    from (
        select
            stream.place,
            stream.expected,
            (
                select coalesce(max(events.version), 0)
                from events
                where events.stream_id = stream.id
            ) as version
        from unnest(stream_ids, expected_versions) with ordinality as stream (id, expected, place)
        -- Looks each version up once, and not once for each use.
        offset 0
    ) as found;

    -- Positions are drawn in the order of the inner query.
    insert into events (
        kind, partition, stream_id, version, id, type, category, data, metadata, recorded_at
    )
    select
        kinds[entry.stream],
        partitions[entry.stream],
        stream_ids[entry.stream],
        entry.version,
        entry.id,
        entry.type,
        entry.category,
        entry.data::json,
        entry.metadata::json,
        entry.recorded_at
    from (
        select *
        from unnest(streams, versions, ids, types, categories, bodies, metadatas, times)
            as given (stream, version, id, type, category, data, metadata, recorded_at)
        where fresh[given.stream]
        order by given.stream, given.version
    ) as entry;

    -- An append that is already stored, entry by entry, was stored by an identical call before.
    return (
        select array_agg(
            case
                when stream.fresh then null
                when stream.version > stream.expected and (
                    select array_agg(events.id order by events.version)
                    from events
                    where events.stream_id = stream.id
                        and events.version > stream.expected
                        and events.version <= stream.expected + stream.count
                ) = ids[stream.first : stream.first + stream.count - 1] then null
                else stream.version
            end
            order by stream.place
        )
        from unnest(stream_ids, current_versions, fresh, expected_versions, firsts, counts)
            with ordinality as stream (id, version, fresh, expected, first, count, place)
    );
end;
$$;

-- Whole streams, each in the order of versions.
create function longhaul_read_streams(stream_ids text[]) returns setof events
language plpgsql
stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
begin
    return query
    select entry.*
    from (select distinct unnest(stream_ids)) as stream (id)
    cross join lateral (
        select * from events where events.stream_id = stream.id order by events.version
    ) as entry;
end;
$$;

-- The entries of a kind behind a position in each of some partitions: the lowest positions, so that
-- no partition starves.
create function longhaul_read_log(
    log_kind text,
    partitions integer[],
    positions bigint[],
    most bigint
) returns setof events
language plpgsql
stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
begin
    return query
    select entry.*
    from unnest(partitions, positions) as cursor (partition, position)
    cross join lateral (
        select *
        from events
        where events.kind = log_kind
            and events.partition = cursor.partition
            and events.position > cursor.position
        order by events.position
        limit most
    ) as entry
    order by entry.position
    limit most;
end;
$$;
