-- The log of requests, a table for each day (UTC): what is too old goes with its table, at once and without a trace in
-- the others, and a page of the log reads the few days that it is about.

alter table usage_event rename to usage_event_before;
alter table usage_event_before rename constraint usage_event_pkey to usage_event_before_pkey;
drop index usage_event_newest, usage_event_client_request, usage_event_proxied;

create table usage_event (like usage_event_before including defaults) partition by range (started_at);

-- What no day's table takes: clocks that are far off, and days whose table could not be made in time.
create table usage_event_rest partition of usage_event default;

-- Makes the table of a day and moves there what waited for it in the rest; whether there is one now. Waits for nobody
-- for long: whoever stores a batch can put it into the rest instead.
create function usage_partition(day date) returns bool language plpgsql set lock_timeout = '2s' as $$
declare
    name    text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    starts  timestamptz := day::timestamp at time zone 'UTC';
    ends    timestamptz := (day + 1)::timestamp at time zone 'UTC';
begin
    if to_regclass(name) is not null then
        return true;
    end if;
    perform pg_advisory_xact_lock(hashtext('usage_partition'));
    -- nothing may come into the rest between the move and the moment from which it is not asked any more
    lock table usage_event_rest in access exclusive mode;
    -- asked again only now: locking a table is what makes a session see the tables that others have made
    if to_regclass(name) is not null then
        return true;
    end if;
    execute format('create table %I (like usage_event including defaults)', name);
    execute format(
        'with moved as (delete from usage_event_rest where started_at >= %L and started_at < %L returning *)
         insert into %I select * from moved', starts, ends, name);
    execute format('alter table usage_event attach partition %I for values from (%L) to (%L)', name, starts, ends);
    return true;
exception
    when lock_not_available then
        return false;
end
$$;

-- Drops the table of a day; how many requests were in it. Fails with lock_not_available while somebody reads for long:
-- those who store must not queue up behind a wait for that.
create function usage_partition_drop(day date) returns bigint language plpgsql set lock_timeout = '2s' as $$
declare
    name  text := 'usage_event_' || to_char(day, 'YYYYMMDD');
    held  bigint;
begin
    perform pg_advisory_xact_lock(hashtext('usage_partition'));
    if to_regclass(name) is null then
        return 0;
    end if;
    execute format('select count(*) from %I', name) into held;
    execute format('drop table %I', name);
    return held;
end
$$;

-- The days that have a table of their own.
create view usage_partitions as
select to_date(right(t.relname::text, 8), 'YYYYMMDD') as day, t.oid as table_id
from pg_inherits i join pg_class t on t.oid = i.inhrelid
where i.inhparent = 'usage_event'::regclass and t.relname ~ '^usage_event_[0-9]{8}$';

select usage_partition(day::date)
from generate_series(current_date - 1, current_date + 7, interval '1 day') as day;
select usage_partition(day)
from (select distinct (started_at at time zone 'UTC')::date as day from usage_event_before
      where started_at between now() - interval '400 days' and now() + interval '7 days' order by 1) as days;
insert into usage_event select * from usage_event_before;
drop table usage_event_before;

-- A request that comes twice has the same start, so this recognises it.
alter table usage_event add primary key (request_id, started_at);
-- the request log, newest first
create index usage_event_newest on usage_event (started_at desc, request_id desc);
-- finding a request by the id its client chose; most clients choose none
create index usage_event_client_request on usage_event (client_request_id)
    where client_request_id <> request_id::text;
create index usage_event_proxied on usage_event (started_at desc, request_id desc)
    where jsonb_path_exists(attempts, '$[*].proxy');

-- What a request can be found by: a letter for what it is, and the value. One index over these takes the place of one
-- for each column, and several filters meet in it.
create function usage_terms(
    model_requested text, model_served text, provider text, connection_id uuid, key_id uuid, key_name text,
    combo text, endpoint text, http_status int, outcome text, error_code text
) returns text[] language sql immutable parallel safe as $$
    select array_remove(array[
        'm:' || model_requested, 'm:' || nullif(model_served, model_requested), 'p:' || provider,
        'c:' || connection_id::text, 'i:' || key_id::text, 'k:' || key_name, 'b:' || combo, 'u:' || endpoint,
        's:' || http_status::text, 'e:' || error_code,
        case when combo is not null then 'combo' end,
        case when http_status not between 200 and 299 or outcome <> 'ok' then 'failed' end
    ], null)
$$;
create index usage_event_terms on usage_event using gin (usage_terms(
    model_requested, model_served, provider, connection_id, key_id, key_name, combo, endpoint, http_status, outcome,
    error_code));

-- All terms there are, to look for parts of them. Who stores requests adds them, and writes the day once a day.
create table usage_term (
    term     text primary key,
    last_on  date not null
);
insert into usage_term
select term, max((started_at at time zone 'UTC')::date)
from usage_event, unnest(usage_terms(
    model_requested, model_served, provider, connection_id, key_id, key_name, combo, endpoint, http_status, outcome,
    error_code)) as term
group by term;
