-- What providers do not count in tokens: pictures made, recordings heard, characters read out, searches of a reranker.

alter table price_override
    add column image         bigint,                       -- nano-USD for one picture; null = as in the list
    add column audio_minute  bigint,                       -- for a minute of a recording
    add column characters    bigint,                       -- for a million of them
    add column search        bigint;                       -- for one search

alter table usage_event
    add column images      bigint not null default 0,
    add column audio_ms    bigint not null default 0,
    add column characters  bigint not null default 0,
    add column searches    bigint not null default 0;
