-- What keeps a large log fast, and makes it smaller: docs/large-stores.md tells why each of these.

-- A log only grows. By default it is vacuumed and analyzed when it has grown by a fifth, which takes ever
-- longer to come, and then finds ever more to do at once.
alter table events set (
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

-- A few rows that are written all the time. With room beside each, its next version stays on the same
-- page and needs no entry in the index; and what is left behind is taken away before it adds up.
alter table checkpoints set (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 1000
);

-- How many entries of a kind are behind a position in each of some partitions, counted up to so many in
-- each. As a plain statement it was planned while the table was empty, and went on to read all of it.
create function longhaul_count_log(
    log_kind text,
    partitions integer[],
    positions bigint[],
    most bigint
) returns bigint
language plpgsql
stable
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
begin
    return (
        select count(*)
        from unnest(partitions, positions) as cursor (partition, position)
        cross join lateral (
            select
            from events
            where events.kind = log_kind
                and events.partition = cursor.partition
                and events.position > cursor.position
            order by events.position
            limit most
        ) as entry
    );
end;
$$;

-- Removes streams. Those with the same number in `removals`, which counts from 1 without gaps, are removed
-- together, when each is at its version, or not at all. Answers, for each removal, whether none of its
-- streams has an entry any more.
create function longhaul_remove_streams(
    stream_ids text[],
    kinds text[],
    partitions integer[],
    versions bigint[],
    removals integer[]
) returns boolean[]
language plpgsql
volatile
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
    unchanged boolean[];
    gone boolean[];
begin
    -- As an append locks: none is under way in these partitions until this is committed.
    perform pg_advisory_xact_lock(lock.key, lock.partition)
    from (
        select distinct hashtext('longhaul/' || log.kind) as key, log.partition
        from unnest(kinds, partitions) as log (kind, partition)
        order by key, partition
    ) as lock;

    select
        array_agg(removal.unchanged order by removal.place),
        array_agg(removal.unchanged or removal.absent order by removal.place)
    into unchanged, gone
    from (
        select
            found.place,
            bool_and(found.version = found.expected) as unchanged,
            bool_and(found.version = 0) as absent
        from (
            select
                stream.place,
                stream.expected,
                (
                    select coalesce(max(events.version), 0)
                    from events
                    where events.stream_id = stream.id
                ) as version
            from unnest(stream_ids, versions, removals) as stream (id, expected, place)
            -- Looks each version up once, and not once for each use.
            offset 0
        ) as found
        group by found.place
    ) as removal;

    -- One by one: for a single stream there is one good plan, whatever the size.
    for n in 1 .. cardinality(stream_ids) loop
        if unchanged[removals[n]] then
            delete from events
            where events.stream_id = stream_ids[n] and events.version <= versions[n];
        end if;
    end loop;
    return gone;
end;
$$;
