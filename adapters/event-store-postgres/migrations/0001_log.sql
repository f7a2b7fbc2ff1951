-- One row: what the log was set up with.
create table log_settings (
    only_row boolean primary key default true check (only_row),
    partitions integer not null
);

-- Texts are compared by bytes: quicker, and `like 'instance-%'` can use the index.
create table events (
    -- Drawn under the lock of the entry's partition, see longhaul_append.
    position bigint generated always as identity,
    kind text collate "C" not null,
    partition integer not null,
    stream_id text collate "C" not null,
    version bigint not null,
    id uuid not null,
    type text not null,
    -- Also in the metadata, which PostgreSQL cannot always look into: json may hold texts, such as
    -- "\u0000", that are no text of PostgreSQL.
    category text,
    -- json keeps every text as it is; jsonb does not.
    data json not null,
    metadata json not null,
    recorded_at timestamptz not null,
    primary key (kind, partition, position),
    unique (stream_id, version)
);

create table checkpoints (
    reader text not null,
    partition integer not null,
    position bigint not null,
    state json,
    primary key (reader, partition)
);

-- For people. The columns are those of the same view in SQLite; the type is in snake case.
create view mt_events as
    select
        position as seq_id,
        id,
        stream_id,
        version,
        data,
        ltrim(lower(regexp_replace(type, '([A-Z])', '_\1', 'g')), '_') as type,
        recorded_at as timestamp,
        category,
        kind,
        partition,
        metadata,
        type as event_type
    from events;
