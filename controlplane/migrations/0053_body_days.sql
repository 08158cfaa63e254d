-- Tables of days are made ahead, and some stay empty: they are dropped by what they are, not by the key of their day.
create or replace function usage_body_drop(kept_from date) returns bigint language plpgsql set lock_timeout = '2s' as $$
declare
    old    text;
    held   bigint;
begin
    perform pg_advisory_xact_lock(hashtext('usage_body'));
    select count(*) into held from usage_body where kept_on < kept_from;
    for old in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'usage_body'::regclass and c.relname < 'usage_body_' || to_char(kept_from, 'YYYYMMDD')
    loop
        execute format('drop table %I', old);
    end loop;
    delete from usage_body_day where day < kept_from;
    return held;
end
$$;
