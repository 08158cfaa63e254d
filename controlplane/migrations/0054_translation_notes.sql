-- What translation did to a request, in words; their number is told by them. Null = there is nothing to say.
alter table usage_event
    add column translation_notes jsonb,
    drop column translation_losses;
