-- Who is let in by address. Bans that end by themselves are in the state store.

create table ip_filter_state (
    one      bool primary key default true constraint ip_filter_state_is_one check (one),
    enabled  bool not null default false,
    mode     text not null default 'blacklist'
             constraint ip_filter_mode_known check (mode in ('blacklist', 'whitelist', 'whitelist-priority'))
);
insert into ip_filter_state default values;

create table ip_filter_entry (
    list   text not null constraint ip_filter_list_known check (list in ('black', 'white')),
    entry  text not null,                                  -- an address, a network or a pattern, in its one form
    primary key (list, entry)
);
