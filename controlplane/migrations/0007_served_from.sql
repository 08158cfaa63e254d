-- Where the answer to a request came from.

alter table usage_event add column served_from text;     -- provider, cache, replay; null = there was none
