-- What takes longer than a request: restarting and stopping processes, one after another.

create table operation (
    id            uuid primary key,
    kind          text not null constraint operation_kind_known check (kind in ('restart', 'shutdown')),
    state         text not null constraint operation_state_known check (state in ('running', 'done', 'failed')),
    steps         jsonb not null,                          -- [{target, state, message}], in their order
    requested_by  text not null,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()       -- moves while it runs: one that stands still was abandoned
);

create unique index operation_one_at_a_time on operation ((true)) where state = 'running';
