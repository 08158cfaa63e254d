-- What clients sent and got, where operators ask for it. A table for each day (UTC) on which it arrived, and a key for
-- each day, sealed under the storage key: another storage key seals these few anew, and a day that is dropped can be
-- read by nobody afterwards, wherever a copy of it may lie.

create table usage_body_day (
    day     date primary key,
    secret  bytea not null                  -- what the day's key is derived from, sealed
);

create table usage_body (
    request_id    uuid not null,
    kept_on       date not null,
    has_request   bool not null,
    has_response  bool not null,
    sealed        bytea not null,           -- zstd(Capture) under the key of the day
    primary key (request_id, kept_on)
) partition by range (kept_on);

-- Makes the table of a day; whether there is one now. Waits for nobody for long: bodies may be lost.
create function usage_body_partition(day date) returns bool language plpgsql set lock_timeout = '2s' as $$
declare
    name  text := 'usage_body_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(name) is not null then
        return true;
    end if;
    perform pg_advisory_xact_lock(hashtext('usage_body'));
    execute format('create table if not exists %I partition of usage_body for values from (%L) to (%L)',
                   name, day, day + 1);
    return true;
exception
    when lock_not_available then
        return false;
end
$$;

-- Drops the days before one; of how many requests they held bodies. Fails with lock_not_available while somebody reads
-- for long.
create function usage_body_drop(kept_from date) returns bigint language plpgsql set lock_timeout = '2s' as $$
declare
    old    date;
    held   bigint;
begin
    perform pg_advisory_xact_lock(hashtext('usage_body'));
    select count(*) into held from usage_body where kept_on < kept_from;
    for old in delete from usage_body_day where day < kept_from returning day loop
        execute format('drop table if exists %I', 'usage_body_' || to_char(old, 'YYYYMMDD'));
    end loop;
    return held;
end
$$;
