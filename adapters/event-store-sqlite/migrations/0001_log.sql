-- One row: what the log was set up with.
create table log_settings (
    only_row integer primary key check (only_row = 1),
    partitions integer not null
) strict;

-- Positions are given in the order of commits, since there is one writer at a time. Autoincrement
-- keeps a position from ever being given twice.
create table events (
    position integer primary key autoincrement,
    kind text not null,
    partition integer not null,
    stream_id text not null,
    version integer not null,
    id text not null,
    type text not null,
    data text not null,
    metadata text not null,
    recorded_at text not null
) strict;

create unique index events_of_stream on events (stream_id, version);
create unique index events_of_partition on events (kind, partition, position);

create table checkpoints (
    reader text not null,
    partition integer not null,
    position integer not null,
    state text,
    primary key (reader, partition)
) strict, without rowid;

-- For people. The columns are those of the same view in PostgreSQL; the type is in snake case.
create view mt_events as
    select
        position as seq_id,
        id,
        stream_id,
        version,
        data,
        ltrim(
            replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
            replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
                type
            , 'A', '_a'), 'B', '_b'), 'C', '_c'), 'D', '_d')
            , 'E', '_e'), 'F', '_f'), 'G', '_g'), 'H', '_h')
            , 'I', '_i'), 'J', '_j'), 'K', '_k'), 'L', '_l')
            , 'M', '_m'), 'N', '_n'), 'O', '_o'), 'P', '_p')
            , 'Q', '_q'), 'R', '_r'), 'S', '_s'), 'T', '_t')
            , 'U', '_u'), 'V', '_v'), 'W', '_w'), 'X', '_x')
            , 'Y', '_y'), 'Z', '_z')
        , '_') as type,
        recorded_at as timestamp,
        metadata ->> 'category' as category,
        kind,
        partition,
        metadata,
        type as event_type
    from events;
