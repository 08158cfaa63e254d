-- What providers work on now, by account and model, as each data plane said last.
alter table data_plane add column pending jsonb not null default '[]';   -- [{provider, connectionId, model, calls}]
