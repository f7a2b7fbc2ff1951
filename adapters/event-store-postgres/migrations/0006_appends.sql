-- Appends as in migration 3, that do less where no version is another than the expected one. Whoever calls it sees no
-- difference, so that it takes the place of the one before.

-- Appends to several streams. The first arrays have an element for each stream, with the place and
-- the number of its entries in the other arrays, which have an element for each entry, with the
-- place of its stream. Answers, for each stream, null when its entries are stored, and else the
-- version it is at; for each stream whose entries it has stored itself, the last position of its log
-- before this call; and the positions of what it has stored.
--
-- Each statement in here sees what was committed before that statement: what was read after the
-- lock is what holds. It needs READ COMMITTED, the default.
create or replace function longhaul_append_placed(
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
    times timestamptz[],
    out outcomes bigint[],
    out lasts bigint[],
    out positions bigint[]
)
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

    -- Subqueries to an array keep to the order asked for, without a sort for each aggregate.
    current_versions := array(
        select coalesce(
            (
                select events.version
                from events
                where events.stream_id = stream.id
                order by events.version desc
                limit 1
            ),
            0
        )
        from unnest(stream_ids) with ordinality as stream (id, place)
        order by stream.place
    );
    fresh := array(
        select stream.current = stream.expected
        from unnest(current_versions, expected_versions)
            with ordinality as stream (current, expected, place)
        order by stream.place
    );

    select array_agg(case when fresh[stream.place] then log.last end order by stream.place)
    into lasts
    from unnest(kinds, partitions) with ordinality as stream (kind, partition, place)
    join (
        select
            log.kind,
            log.partition,
            coalesce(
                (
                    select events.position
                    from events
                    where events.kind = log.kind and events.partition = log.partition
                    order by events.position desc
                    limit 1
                ),
                0
            ) as last
        from (
            select distinct * from unnest(kinds, partitions) as log (kind, partition)
        ) as log
        -- Looks each up once.
        offset 0
    ) as log on log.kind = stream.kind and log.partition = stream.partition;

    -- Positions are drawn in the order of the inner query.
    with stored as (
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
        ) as entry
        returning events.position
    )
    select array_agg(stored.position order by stored.position) into positions from stored;

    -- As nearly always: all of it is stored, and nothing is left to look up.
    if current_versions = expected_versions then
        outcomes := array_fill(null::bigint, array[cardinality(stream_ids)]);
        return;
    end if;

    -- An append that is already stored, entry by entry, was stored by an identical call before.
    outcomes := (
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
