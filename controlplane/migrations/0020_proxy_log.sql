-- The log of calls through proxies is a view of the attempts in the request log. These are few where some accounts have
-- a proxy and most have none, so they are found by an index of their own.
create index usage_event_proxied on usage_event (started_at desc, request_id desc)
    where jsonb_path_exists(attempts, '$[*].proxy');
