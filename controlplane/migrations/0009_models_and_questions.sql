-- Models that an operator says a provider has, beyond those that are known beforehand.

create table custom_model (
    provider        text not null,                         -- registry id or provider_node.id
    model           text not null,                         -- the provider's own id
    name            text not null,                         -- for people
    source          text not null constraint custom_model_source_known check (source in ('manual', 'imported')),
    type            text not null constraint custom_model_type_known check
                    (type in ('chat', 'embedding', 'image', 'audio', 'audio-transcription', 'audio-speech',
                              'moderation', 'rerank')),
    context_window  int,                                   -- tokens; null = unknown
    created_at      timestamptz not null default now(),
    primary key (provider, model)
);

-- What a control plane wants to know of a data plane whose stream another one holds. Rows live for seconds.

create table data_plane_question (
    id          uuid primary key,
    asked_of    uuid not null,                             -- the replica that holds the stream
    data_plane  text not null,
    command     bytea not null,                            -- omniroute.v1.Command
    expires_at  timestamptz not null,                      -- nobody waits any longer
    taken_at    timestamptz,                               -- the replica is about to ask, or has
    result      bytea,                                     -- omniroute.v1.CommandResult
    failure     text constraint data_plane_question_failure_known check (failure in ('left', 'busy', 'slow'))
);
-- what a replica still has to put
create index data_plane_question_open on data_plane_question (asked_of) where taken_at is null;
