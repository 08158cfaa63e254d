-- What an operator looks at and tries: the key itself where that is wanted, and what was tried in the translator.

-- sealed; only of keys that were made while API_KEY_REVEAL was set
alter table api_key add column key_sealed bytea;

create table translator_event (
    id            bigint generated always as identity primary key,
    at            timestamptz not null,
    kind          text not null,                           -- translate, send
    source_format text not null,
    target_format text,
    model         text not null,
    provider      text,
    status        text not null,                           -- ok, error
    status_code   int,
    latency_ms    int
);
