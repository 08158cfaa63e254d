-- What is known of the files in BACKUP_DIR without opening them. The files are the truth: a row without one says
-- nothing, and a file without one gets it when it is first seen.

create table backup (
    id                text primary key,                    -- the name of the file
    created_at        timestamptz not null,
    reason            text not null constraint backup_reason_known
                      check (reason in ('manual', 'auto', 'pre-write', 'pre-restore', 'pre-import')),
    size              bigint not null,
    connection_count  int not null,
    node_count        int not null,
    combo_count       int not null,
    api_key_count     int not null,
    epoch             uuid,                                -- of the configuration in it; null = of another installation
    config_revision   bigint,
    sha256            bytea not null,
    secret_mode       text constraint backup_secret_mode_known
                      check (secret_mode in ('encrypted', 'omit', 'passphrase')),
    created_by        text not null                        -- as in audit_log.actor
);
-- the newest one
create index backup_newest on backup (created_at desc);
