-- A request of a key that is not to be logged. Its row stays, for it is what the request cost and what keeps a batch that
-- comes twice from counting twice; it is in no log that anybody is shown.
alter table usage_event add column no_log bool;                  -- absent: it may be shown
