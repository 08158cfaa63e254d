-- People, each with a role, and tokens for programs that manage the gateway. The one administrator there was becomes
-- the first account and its owner.

create table account (
    id                   uuid primary key,
    username             text not null constraint account_username_key unique, -- never changes: the audit trail names it
    role                 text not null constraint account_role_known
                         check (role in ('viewer', 'operator', 'admin', 'owner')),
    password_hash        text,                             -- argon2id PHC string; null: no login by password
    password_updated_at  timestamptz,
    oidc_subject         text constraint account_oidc_subject_key unique, -- "{issuer} {sub}" of who logs in by OpenID Connect
    email                text,
    is_active            bool not null default true,
    session_epoch        int not null default 1,           -- bumping it ends every session of the account
    last_login_at        timestamptz,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default date_trunc('milliseconds', now())
);

create trigger touch before update of role, password_hash, email, is_active on account
    for each row execute function touch_updated_at();

insert into account (id, username, role, password_hash, password_updated_at, session_epoch)
select gen_random_uuid(), 'admin', 'owner', password_hash, password_updated_at, session_epoch from admin_account;

drop table admin_account;

create table management_token (
    id            uuid primary key,
    name          text not null,
    token_hash    bytea not null constraint management_token_hash_key unique, -- HMAC-SHA256 under API_KEY_SECRET
    token_prefix  text not null,
    token_last4   text not null,
    scopes        text[] not null,                         -- "{area}:read", "{area}:write", "*:read", "*:write"
    created_by    text not null,                           -- the username then
    expires_at    timestamptz,
    last_used_at  timestamptz,                             -- to the minute
    created_at    timestamptz not null default now()
);
