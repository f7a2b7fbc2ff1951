-- Parts of a log that cost as much as they bring.

-- The entries of a kind behind a position in each of some partitions: at most `most_each` of each partition, and of
-- these the `most` lowest positions. The one before it looks at `most` in each partition, and gives away all but
-- `most` of them; it stays, for programs of before.
create function longhaul_read_log(
    log_kind text,
    partitions integer[],
    positions bigint[],
    most bigint,
    most_each bigint
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
        limit most_each
    ) as entry
    order by entry.position
    limit most;
end;
$$;
