-- Why a request went where it went.

alter table usage_event add column decision bytea;       -- omniroute.v1.Decision; null = nothing was to be chosen

-- finding a request by the id its client chose; most clients choose none
create index usage_event_client_request on usage_event (client_request_id)
    where client_request_id <> request_id::text;
